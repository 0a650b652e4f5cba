"""States of environments, put back to the last bit: of MuJoCo, of own environments, by every way."""

from __future__ import annotations

import functools
import math
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import landscapes
from heatpg.errors import NonFiniteError, OptionError, UnsupportedError
from heatpg.landscapes import Actions, Parameters, Rollout, State
from heatpg.landscapes._stage import Stage
from heatpg.landscapes.directions import random_directions

gymnasium: Any = pytest.importorskip("gymnasium")
from tests import toy_environments as toys  # noqa: E402
from tests.tools.test_extras import stale_install  # noqa: E402

from_gymnasium = landscapes.from_gymnasium
Array = NDArray[Any]


# Hopper-v5


@pytest.fixture(scope="module")
def hopper() -> str:
    pytest.importorskip("mujoco")
    pytest.importorskip("imageio")
    return "Hopper-v5"


def test_hopper_in_flight_over_two_of_three_torques(hopper: str) -> None:
    after = np.random.default_rng(3).uniform(-1, 1, (9, 3))
    q = from_gymnasium(
        hopper,
        toys_hop,
        over=Actions((0, 2), held=[0.0, 0.3, 0.0]),
        size=3,
        state=State(11, after=after),
        rollout=Rollout(horizon=12, gamma=0.9),
    )
    assert q.grid.shape == (3, 3)
    assert [axis.name for axis in q.grid.axes] == ["action_1", "action_3"]
    environment = gymnasium.make(hopper)

    def begin() -> Any:
        observation, _ = environment.reset(seed=11)
        for action in after:
            observation, *_ = environment.step(action.astype(np.float32))
        return observation

    for index in np.ndindex(3, 3):
        first = np.array([index[0] - 1, 0.3, index[1] - 1], dtype=np.float32)
        expected, _ = toys.by_hand(environment, begin, first, toys_hop, 12, 0.9)
        assert q.values[index] == pytest.approx(expected, rel=1e-13)
    assert toys.facts(q)["restored"] == "snapshot of attributes and mjData"
    assert toys.facts(q)["mujoco"]
    assert toys.facts(q)["components"] == [0, 2]
    environment.close()


def toys_hop(observation: Array) -> Array:
    return np.asarray(np.tanh(observation[:3] - observation[5:8]))


@pytest.mark.parametrize("name", ["Hopper-v5", "InvertedDoublePendulum-v5", "Humanoid-v5"])
def test_mujoco_goes_on_from_a_state_to_the_last_bit(name: str, hopper: str) -> None:
    """Humanoid sees and earns by quantities that lag behind its positions, so positions and velocities do not do."""
    space = gymnasium.make(name).action_space
    rng = np.random.default_rng(0)
    actions = 0.1 * rng.uniform(space.low, space.high, (14, *space.shape)).astype(np.float32)
    stage = Stage(toys.plan_of(name, prefix=actions[:6].astype(float), rollout=Rollout(horizon=8)))
    assert stage.restored == "snapshot of attributes and mjData"

    def run(environment: Any, todo: Array) -> list[Any]:
        return [environment.step(action)[:3] for action in todo]

    environment = gymnasium.make(name)
    environment.reset(seed=5)
    truth = run(environment, actions)[6:]
    for _ in range(3):
        stage.begin(0)
        found = run(stage.environment, actions[6:])
        for (observation, reward, ended), (expected, expected_reward, expected_end) in zip(found, truth, strict=True):
            assert observation.tobytes() == expected.tobytes()
            assert reward == expected_reward
            assert ended == expected_end


def test_hopper_from_positions_and_velocities(hopper: str) -> None:
    state = np.array([0.0, 1.3, 0.1, -0.2, -0.1, 0.3, 0.5, 0.0, 0.1, 0.0, 0.0, -0.4])
    q = from_gymnasium(hopper, over=Actions([1]), size=3, state=state, rollout=Rollout(horizon=2))
    environment = gymnasium.make(hopper)
    environment.reset(seed=0)

    def begin() -> None:
        environment.unwrapped.set_state(state[:6], state[6:])
        environment.unwrapped.data.qacc_warmstart[:] = 0.0

    held = np.array([0.0, -1.0, 0.0], dtype=np.float32)
    assert q.values[0] == pytest.approx(toys.by_hand(environment, begin, held, lambda _: held, 2, 0.99)[0], rel=1e-9)
    with pytest.raises(OptionError, match="6 positions and 6 velocities"):
        from_gymnasium(hopper, over=Actions([0]), state=state[:4])


def test_hopper_over_parameters_whatever_the_workers(hopper: str) -> None:
    theta = np.random.default_rng(1).normal(size=33) / 10
    call = functools.partial(
        from_gymnasium,
        hopper,
        toys.hopper_linear,
        over=Parameters(theta, directions=random_directions(theta, 2, seed=3), extent=(0.5, 0.25), boundary="clip"),
        size=3,
        rollout=Rollout(horizon=15, seeds=3),
    )
    alone, apart = call(), call(workers=2)
    assert alone.values.tobytes() == apart.values.tobytes()
    assert alone.standard_error is not None and apart.standard_error is not None
    assert alone.standard_error.tobytes() == apart.standard_error.tobytes()
    assert toys.facts(alone) == toys.facts(apart)
    assert [(axis.name, axis.upper) for axis in alone.grid.axes] == [("direction_1", 0.5), ("direction_2", 0.25)]
    environment = gymnasium.make(hopper)
    vectors = random_directions(theta, 2, seed=3).vectors
    place = theta - 0.5 * vectors[0] + 0.25 * vectors[1]
    policy = lambda seen: np.clip(toys.hopper_linear(place, seen), -1, 1)  # noqa: E731
    begins = [functools.partial(environment.reset, seed=seed) for seed in range(3)]
    returns = [toys.by_hand(environment, lambda: begin()[0], None, policy, 15, 0.99)[0] for begin in begins]  # noqa: B023
    assert alone.values[0, 2] == pytest.approx(np.mean(returns), rel=1e-12)
    assert alone.standard_error[0, 2] == pytest.approx(np.std(returns, ddof=1) / math.sqrt(3), rel=1e-9)


def test_an_unstable_simulation_is_noticed(hopper: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where MuJoCo leaves its log

    def push(environment: Any) -> None:
        velocity = np.full(6, 1e11)
        environment.unwrapped.set_state(environment.unwrapped.data.qpos.copy(), velocity)

    options = {"terminate_when_unhealthy": False}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        with pytest.raises(NonFiniteError, match="unstable"):
            from_gymnasium((hopper, options), over=Actions([0]), size=3, state=push, rollout=Rollout(horizon=3))


def test_a_broken_mujoco_is_told_with_what_mends_it(tmp_path: Path) -> None:
    """Gymnasium says that it is not installed, and what pip would then do changes nothing."""
    folder = stale_install(tmp_path / "stale")
    code = "from heatpg import landscapes\nlandscapes.from_gymnasium('Hopper-v5', size=3, state=0)"
    root = Path(__file__).resolve().parents[2]
    path = {"PYTHONPATH": os.pathsep.join([str(folder), str(root)])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **path}
    )
    assert (
        "MissingPackageError: the environment cannot be made\n  got: 'Hopper-v5': No module named 'mujoco."
        in done.stderr
    )
    assert done.stderr.rstrip().endswith("pip uninstall -y mujoco mujoco-core; pip install mujoco")


# States of own environments


@pytest.mark.parametrize(
    ("make", "restored"),
    [
        (toys.walk, "snapshot of attributes"),
        (functools.partial(toys.Locked, 0.2), "reset and replay"),
        (toys.Elsewhere, "reset and replay"),
        (lambda: gymnasium.wrappers.TimeLimit(toys.walk(), 50), "snapshot of attributes"),
    ],
)
def test_every_way_back_gives_the_same_landscape(make: Any, restored: str) -> None:
    q = from_gymnasium(
        make, toys.back, size=5, state=State(4, after=[[0.5], [-1.0], [0.25]]), rollout=Rollout(horizon=6, gamma=0.9)
    )
    assert toys.facts(q)["restored"] == restored
    again = from_gymnasium(
        make, toys.back, size=5, state=State(4, after=[[0.5], [-1.0], [0.25]]), rollout=Rollout(horizon=6, gamma=0.9)
    )
    assert q.values.tobytes() == again.values.tobytes()
    environment = make()
    for a, value in zip(np.linspace(-1, 1, 5), q.values, strict=True):
        observation, _ = environment.reset(seed=4)
        for before in (0.5, -1.0, 0.25):
            observation, *_ = environment.step(np.array([before], dtype=np.float32))
        environment.unwrapped.np_random = np.random.Generator(np.random.PCG64(0))

        def begin(observation: Any = observation) -> Any:
            return observation

        first = np.array([a], dtype=np.float32)
        policy = lambda seen: np.clip(-seen, -1, 1)  # noqa: E731
        assert value == pytest.approx(toys.by_hand(environment, begin, first, policy, 6, 0.9)[0], rel=1e-12)


def test_the_present_state_is_used_and_left() -> None:
    environment = gymnasium.wrappers.TimeLimit(toys.Walk(0.2), 20)
    environment.reset(seed=1)
    for _ in range(5):
        environment.step(np.array([0.3], dtype=np.float32))
    place, drawn = environment.unwrapped.state.copy(), environment.unwrapped.np_random.bit_generator.state
    q = from_gymnasium(environment, toys.back, size=3, state="current", rollout=Rollout(horizon=8))
    for _ in range(2):
        assert environment.unwrapped.state == place
        assert environment.unwrapped.np_random.bit_generator.state == drawn
        assert environment.get_wrapper_attr("_elapsed_steps") == 5
        q.sample([[0.2]])
    same = from_gymnasium(lambda: toys.Walk(0.2), toys.back, size=3, state=place, rollout=Rollout(horizon=8))
    np.testing.assert_array_equal(q.values, same.values)
    assert toys.facts(q)["state"] == "current"


def test_a_function_may_set_the_state() -> None:
    def there(environment: Any) -> tuple[Array, dict[str, Any]]:
        environment.unwrapped.state = np.array([0.5])
        return np.array([0.5]), {}

    told = from_gymnasium(toys.walk, toys.back, size=3, state=there, rollout=Rollout(horizon=4))
    given = from_gymnasium(toys.walk, toys.back, size=3, state=[0.5], rollout=Rollout(horizon=4))
    np.testing.assert_array_equal(told.values, given.values)
    assert toys.facts(told)["state"]["function"].endswith("there")


def test_parameters_from_one_state() -> None:
    call = functools.partial(
        from_gymnasium,
        over=Parameters([0.0, 0.0], directions=[[1.0, 0.0]], boundary="clip"),
        size=3,
        rollout=Rollout(horizon=3, gamma=1.0),
    )
    q = call(toys.Walk, toys.proportional, state=[0.5])
    expected = []
    for k in (-1.0, 0.0, 1.0):
        x, total = 0.5, 0.0
        for _ in range(3):
            a = min(max(k * x, -1.0), 1.0)
            x += 0.1 * a
            total -= x**2 + 0.01 * a**2
        expected.append(total)
    np.testing.assert_allclose(q.values, expected, rtol=1e-14)
    wrapped = lambda: gymnasium.wrappers.TransformObservation(toys.Walk(), lambda seen: 2 * seen, None)  # noqa: E731
    twice = call(wrapped, lambda theta, seen: toys.proportional(theta, seen / 2), state=[0.5])
    np.testing.assert_allclose(twice.values, expected, rtol=1e-14)
    stacked = lambda: gymnasium.wrappers.FrameStackObservation(toys.Walk(), 2)  # noqa: E731
    with pytest.raises(UnsupportedError, match="observation at this state is unknown"):
        call(stacked, lambda theta, seen: toys.proportional(theta, seen[-1]), state=[0.5])
