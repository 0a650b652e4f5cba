"""Held actions in MuJoCo without the environment around it: bit for bit what `env.step` gives, or not used at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import landscapes
from heatpg.errors import NonFiniteError
from heatpg.landscapes import Actions, EnvironmentSampler, Rollout, _episodes, _simulations
from heatpg.tools.parallel import set_threads, threads

gymnasium: Any = pytest.importorskip("gymnasium")
mujoco: Any = pytest.importorskip("mujoco")
cheetah: Any = pytest.importorskip("gymnasium.envs.mujoco.half_cheetah_v5")
Array = NDArray[Any]

NAMES = ("HalfCheetah-v5", "Hopper-v5", "Swimmer-v5", "Walker2d-v5")


def sampler(environment: Any, **options: Any) -> EnvironmentSampler:
    rollout = Rollout(**{"horizon": 30, **options})
    return landscapes.sampler_from_gymnasium(environment, state=0, rollout=rollout)


def simulation(q: EnvironmentSampler) -> Any:
    return q._sampling.episodes.simulation


def without(monkeypatch: pytest.MonkeyPatch, environment: Any, **options: Any) -> EnvironmentSampler:
    with monkeypatch.context() as patched:
        patched.setattr(_episodes, "simulation_of", lambda stage, plan: None)
        q = sampler(environment, **options)
    assert simulation(q) is None
    return q


def points(q: EnvironmentSampler, count: int = 20, scale: float = 1.0) -> Array:
    return np.random.default_rng(0).uniform(-scale, scale, (count, q.dimensions))


@pytest.mark.parametrize("name", NAMES)
def test_returns_are_those_of_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    q = sampler(name, seeds=2, gamma=0.97)
    assert simulation(q) is not None
    expected = without(monkeypatch, name, seeds=2, gamma=0.97).returns(points(q))
    np.testing.assert_array_equal(q.returns(points(q)), expected)
    assert simulation(q).tried
    # hoppers and walkers fall within 30 steps under most actions that are held
    if name == "Hopper-v5":
        ended = q._sampling.episodes.work(points(q)).ended
        assert ended.any()
        np.testing.assert_array_equal(
            ended, without(monkeypatch, name, seeds=2)._sampling.episodes.work(points(q)).ended
        )


def test_neither_threads_nor_what_was_left_in_the_data_change_a_bit() -> None:
    q = sampler("Hopper-v5")
    expected = q.returns(points(q, 40))
    before = threads()
    try:
        set_threads(3)
        np.testing.assert_array_equal(q.returns(points(q, 40)), expected)
    finally:
        set_threads(before)
    np.testing.assert_array_equal(q.returns(points(q, 40)[::-1])[::-1], expected)
    # controls that are left in the state itself: the action that is held takes their place
    simulation(q).origin.ctrl[:] = 1.0
    np.testing.assert_array_equal(q.returns(points(q, 40)), expected)


def test_landscapes_use_it_and_tell_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    over, rollout = Actions(components=(0, 2)), Rollout(horizon=10)
    calls: list[tuple[int, int]] = []

    def draw() -> Array:
        q = landscapes.from_gymnasium(
            "Hopper-v5", over=over, state=3, size=13, rollout=rollout, progress=lambda *told: calls.append(told)
        )
        return np.asarray(q.values)

    fast = draw()
    assert calls == [(128, 169), (169, 169)] or calls == [(41, 169), (169, 169)]
    monkeypatch.setattr(_episodes, "simulation_of", lambda stage, plan: None)
    np.testing.assert_array_equal(fast, draw())


class Rewarded(gymnasium.Wrapper):  # type: ignore[misc]
    """Twice the reward."""

    def step(self, action: Array) -> Any:
        observation, reward, *rest = super().step(action)
        return observation, 2 * reward, *rest


class Own(cheetah.HalfCheetahEnv):  # type: ignore[misc]
    """A reward of its own."""

    def _get_rew(self, x_velocity: float, action: Array) -> Any:
        reward, facts = super()._get_rew(x_velocity, action)
        return 2 * reward, facts


def rewarded() -> Any:
    return Rewarded(gymnasium.make("HalfCheetah-v5"))


def patched() -> Any:
    environment = gymnasium.make("HalfCheetah-v5")
    core = environment.unwrapped
    original = core._get_rew
    core._get_rew = lambda speed, action: (2 * original(speed, action)[0], {})
    return environment


@pytest.mark.parametrize("make", [rewarded, Own, patched])
def test_rewards_of_somebody_else_forbid_it(make: Any) -> None:
    q = sampler(make)
    assert simulation(q) is None
    plain = sampler("HalfCheetah-v5")
    np.testing.assert_allclose(q.returns(points(q, 3)), 2 * plain.returns(points(q, 3)), rtol=1e-12)


def test_options_of_the_environment_count(monkeypatch: pytest.MonkeyPatch) -> None:
    made = ("Hopper-v5", {"forward_reward_weight": 3.0, "terminate_when_unhealthy": False, "healthy_reward": 0.5})
    q = sampler(made)
    assert simulation(q) is not None
    np.testing.assert_array_equal(q.returns(points(q, 6)), without(monkeypatch, made).returns(points(q, 6)))


@pytest.mark.parametrize("fault", [1e-9, 1.0])
def test_a_simulation_that_differs_is_not_used(fault: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a version of Gymnasium that rewards otherwise: some rollouts are held against env.step to 1e-12."""
    name = "gymnasium.envs.mujoco.half_cheetah_v5.HalfCheetahEnv"
    right = _simulations._REWARDS[name]

    def wrong(*given: Any) -> Any:
        rewards, fallen = right(*given)
        return rewards + fault, fallen

    monkeypatch.setitem(_simulations._REWARDS, name, wrong)
    q = sampler("HalfCheetah-v5")
    found = q.returns(points(q, 6))
    assert simulation(q) is None
    monkeypatch.undo()
    np.testing.assert_array_equal(found, sampler("HalfCheetah-v5").returns(points(q, 6)))


def test_a_simulation_that_blows_up_is_told_as_the_environment_tells_it() -> None:
    """MuJoCo resets itself, with its clock: rows would show the healthy pose of the beginning, all finite."""
    q = sampler("HalfCheetah-v5", horizon=60)
    q.returns(points(q, 3))
    assert simulation(q).tried
    # ten times the time step: no rollout of 60 steps survives (by hand)
    simulation(q).core.model.opt.timestep = 0.1
    actions = list(points(q, 3).astype(np.float32))
    found, _, sound = simulation(q).returns(actions)
    assert not sound.any() and np.isfinite(found).all()
    with pytest.raises(NonFiniteError, match="became unstable"):
        q.returns(points(q, 3))
