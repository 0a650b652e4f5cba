"""Networks as policies, against what torch and stable-baselines3 themselves compute; skipped where they are missing."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import landscapes
from heatpg.errors import GridError, HeatpgWarning, MissingPackageError, OptionError
from heatpg.landscapes import Actions, Batched, Parameters, Rollout, policy_from_stable_baselines3, policy_from_torch
from heatpg.landscapes.directions import filter_normalised, random_directions

torch: Any = pytest.importorskip("torch", reason="torch is not installed: the adapters are not tested here")
gymnasium: Any = pytest.importorskip("gymnasium")
Array = NDArray[Any]


def network(seed: int = 0, observed: int = 3, actions: int = 1, dtype: Any = None) -> Any:
    torch.manual_seed(seed)
    nn = torch.nn
    return nn.Sequential(nn.Linear(observed, 8), nn.Tanh(), nn.Linear(8, actions)).to(dtype or torch.float64)


def by_hand(vector: Array, seen: Array) -> Array:
    """The same network written out, one observation."""
    weight, bias = vector[:24].reshape(8, 3), vector[24:32]
    return np.asarray(vector[32:40].reshape(1, 8) @ np.tanh(weight @ seen + bias) + vector[40:])


def test_a_vector_of_parameters_is_the_network_written_out() -> None:
    policy = policy_from_torch(network())
    theta = policy.flat_parameters()
    assert theta.shape == (41,) and policy.shapes["0.weight"] == (8, 3)
    rng = np.random.default_rng(0)
    seen, thetas = rng.standard_normal((5, 3)), theta + 0.3 * rng.standard_normal((5, 41))
    np.testing.assert_allclose(policy(seen), [by_hand(theta, each) for each in seen], rtol=1e-13)
    np.testing.assert_allclose(policy(thetas, seen), [by_hand(*pair) for pair in zip(thetas, seen, strict=True)], 1e-13)
    np.testing.assert_allclose(policy(thetas[2], seen[2]), by_hand(thetas[2], seen[2]), rtol=1e-13)
    np.testing.assert_allclose(policy(seen[1]), by_hand(theta, seen[1]), rtol=1e-13)
    np.testing.assert_allclose(policy.with_parameters(thetas[1])(seen[0]), by_hand(thetas[1], seen[0]), rtol=1e-13)
    np.testing.assert_array_equal(policy.with_parameters(thetas[1]).flat_parameters(), thetas[1])
    np.testing.assert_array_equal(policy.flat_parameters(), theta)


def test_the_network_that_was_given_is_left_alone_and_can_be_written() -> None:
    module = network()
    policy = policy_from_torch(module)
    theta = policy.flat_parameters()
    policy.write_parameters(2 * theta, module)
    np.testing.assert_array_equal(policy_from_torch(module).flat_parameters(), 2 * theta)
    np.testing.assert_array_equal(policy.flat_parameters(), theta)
    with pytest.raises(OptionError, match="different parameters"):
        policy.write_parameters(theta, network(observed=4))


def test_layers_that_learn_and_draw_are_held() -> None:
    nn = torch.nn
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1)).train()
    policy = policy_from_torch(module)
    seen = np.ones((6, 3))
    np.testing.assert_array_equal(policy(seen), policy(seen))
    thetas = np.tile(policy.flat_parameters(), (6, 1))
    np.testing.assert_allclose(policy(thetas, seen), policy(seen), rtol=1e-6)
    assert module.training and int(module[1].num_batches_tracked) == 0


@pytest.mark.parametrize("wrapped", [False, True])
def test_landscapes_and_samplers_take_it_as_it_is(wrapped: bool) -> None:
    """Their returns are those of one observation at a time: double precision, where batches round below 1e-12."""
    policy = policy_from_torch(network())
    given = Batched(policy) if wrapped else policy
    directions = random_directions(policy.flat_parameters(), 2, seed=1)
    over = Parameters(
        directions=filter_normalised(directions, policy.flat_parameters(), policy.shapes), boundary="clip"
    )
    rollout = Rollout(horizon=15, seeds=2)
    q = landscapes.from_gymnasium("Pendulum-v1", given, over=over, size=3, rollout=rollout)
    alone = landscapes.from_gymnasium(
        "Pendulum-v1",
        by_hand,
        over=Parameters(policy.flat_parameters(), directions=over.directions, boundary="clip"),
        size=3,
        rollout=rollout,
    )
    assert q.returns is not None and alone.returns is not None
    # Pendulum amplifies the rounding of one step by at most some tens in 15 steps
    np.testing.assert_allclose(q.returns, alone.returns, rtol=1e-10)
    action = landscapes.sampler_from_gymnasium("Pendulum-v1", given, over=Actions(), state=1, rollout=rollout)
    assert np.isfinite(action.sample([[0.5]])).all()


def test_statistics_of_training_are_frozen() -> None:
    environment = gymnasium.wrappers.NormalizeObservation(gymnasium.make("Pendulum-v1"))
    environment.reset(seed=0)
    for _ in range(20):
        environment.step(np.array([0.3], dtype=np.float32))
    policy = policy_from_torch(network(), normalisation=environment)
    mean, variance = (np.array(part, dtype=float) for part in (environment.obs_rms.mean, environment.obs_rms.var))
    seen = np.array([0.2, -0.4, 1.0])
    expected = by_hand(policy.flat_parameters(), ((seen - mean) / np.sqrt(variance + environment.epsilon)).astype("f4"))
    environment.reset(seed=1)
    for _ in range(20):
        environment.step(np.array([-2.0], dtype=np.float32))
    np.testing.assert_allclose(policy(seen), expected, rtol=1e-13)
    np.testing.assert_allclose(policy(policy.flat_parameters(), seen), expected, rtol=1e-13)


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(OptionError, match="must be a torch module"):
        policy_from_torch(lambda seen: seen)
    with pytest.raises(OptionError, match="has no parameters"):
        policy_from_torch(torch.nn.Tanh())
    with pytest.raises(OptionError, match="must hold statistics"):
        policy_from_torch(network(), normalisation=3.0)
    policy = policy_from_torch(network())
    with pytest.raises(GridError, match="wrong size for the network"):
        policy(np.zeros(40), np.zeros(3))
    with pytest.raises(GridError, match="one observation per"):
        policy(np.zeros((2, 41)), np.zeros((3, 3)))


def baselines() -> Any:
    return pytest.importorskip(
        "stable_baselines3", reason="stable-baselines3 is not installed: its adapter is not tested here"
    )


ALGORITHMS = {
    "PPO": ("Pendulum-v1", {"n_steps": 32, "batch_size": 32}),
    "A2C": ("CartPole-v1", {}),
    "SAC": ("Pendulum-v1", {"buffer_size": 100}),
    "TD3": ("Pendulum-v1", {"buffer_size": 100}),
    "DDPG": ("Pendulum-v1", {"buffer_size": 100}),
    "DQN": ("CartPole-v1", {"buffer_size": 100}),
}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_models_act_as_they_predict(name: str, tmp_path: Path) -> None:
    sb3 = baselines()
    environment, options = ALGORITHMS[name]
    made = getattr(sb3, name)("MlpPolicy", environment, seed=3, device="cpu", **options)
    made.save(tmp_path / "model")
    model = getattr(sb3, name).load(tmp_path / "model", device="cpu")
    policy = policy_from_stable_baselines3(model)
    space = model.observation_space
    seen = np.random.default_rng(0).uniform(-1, 1, (20, *space.shape)).astype(np.float32)
    expected = model.predict(seen, deterministic=True)[0]
    # single precision: the same layers, in batches of another size
    np.testing.assert_allclose(policy(seen), expected, rtol=2e-5, atol=2e-6)
    thetas = np.tile(policy.flat_parameters(), (20, 1))
    np.testing.assert_allclose(policy(thetas, seen), expected, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(policy(seen[0]), expected[0], rtol=2e-5, atol=2e-6)
    assert policy.squashed == (name in ("SAC", "TD3", "DDPG"))
    if policy.squashed:
        # bounds of +-2 torques: the action is 2 tanh of the mean; tanh + 1 is rounded to single precision
        np.testing.assert_allclose(policy(seen), 2 * np.tanh(policy.mean(seen)), rtol=0, atol=4 * 2.0**-23)


def test_the_page_of_the_documentation_runs(tmp_path: Path) -> None:
    sb3 = baselines()
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import VecNormalize

    layer = VecNormalize(make_vec_env("Pendulum-v1", n_envs=2, seed=0))
    sb3.PPO("MlpPolicy", layer, n_steps=32, batch_size=32, seed=0, device="cpu").learn(64).save(
        tmp_path / "ppo_pendulum"
    )
    layer.save(str(tmp_path / "vecnormalize.pkl"))
    page = Path(__file__).resolve().parents[2] / "docs" / "howto" / "start_from_checkpoint.md"
    first, second = page.read_text(encoding="utf-8").split("```text\n")[1:3]
    code = first.split("```")[0] + second.split("```")[0]
    # smaller, for the sake of time; all else is what the page shows
    for long, short in (("horizon=100, seeds=4", "horizon=4, seeds=2"), ("budget=256", "budget=64")):
        assert long in code
        code = code.replace(long, short)
    (tmp_path / "page.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "page.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert "The optimal parameter" in done.stdout
    lines = [line for line in first.split("```")[0].splitlines() if line.strip()]
    assert len(lines) < 15


def test_only_the_actor_of_a_model_has_parameters() -> None:
    sb3 = baselines()
    model = sb3.PPO("MlpPolicy", "Pendulum-v1", policy_kwargs={"net_arch": [32, 32]}, device="cpu")
    policy = policy_from_stable_baselines3(model)
    # 3 * 32 + 32 + 32 * 32 + 32 + 32 + 1
    assert policy.flat_parameters().size == 1217


def test_statistics_of_a_model_are_those_of_its_vector(tmp_path: Path) -> None:
    sb3 = baselines()
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import VecNormalize

    layer = VecNormalize(make_vec_env("Pendulum-v1", n_envs=2, seed=0), clip_obs=0.8)
    model = sb3.PPO("MlpPolicy", layer, n_steps=32, batch_size=32, seed=0, device="cpu").learn(128)
    seen = np.random.default_rng(0).uniform(-2, 2, (20, 3)).astype(np.float32)
    expected = model.predict(layer.normalize_obs(seen), deterministic=True)[0]
    np.testing.assert_allclose(policy_from_stable_baselines3(model)(seen), expected, rtol=2e-5, atol=2e-6)
    model.save(tmp_path / "model")
    loaded = sb3.PPO.load(tmp_path / "model", device="cpu")
    named = policy_from_stable_baselines3(loaded, normalisation=layer)
    np.testing.assert_allclose(named(seen), expected, rtol=2e-5, atol=2e-6)
    without = policy_from_stable_baselines3(loaded)
    assert np.abs(without(seen) - expected).max() > 1e-3


@pytest.mark.parametrize("name", ["PPO", "SAC"])
def test_gsde_acts_by_its_mean_and_says_so(name: str) -> None:
    sb3 = baselines()
    environment, options = ALGORITHMS[name]
    model = getattr(sb3, name)("MlpPolicy", environment, use_sde=True, device="cpu", **options)
    with pytest.warns(HeatpgWarning, match="gSDE.*mean action"):
        policy = policy_from_stable_baselines3(model)
    assert "not white" in policy.notes[0]
    seen = np.random.default_rng(0).uniform(-1, 1, (20, 3)).astype(np.float32)
    np.testing.assert_allclose(policy(seen), model.predict(seen, deterministic=True)[0], rtol=2e-5, atol=2e-6)


def test_what_is_no_model_is_refused() -> None:
    baselines()
    with pytest.raises(OptionError, match="policy_from_torch"):
        policy_from_stable_baselines3(network())


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    with pytest.raises(MissingPackageError, match="stable-baselines3"), warnings.catch_warnings():
        policy_from_stable_baselines3(object())
