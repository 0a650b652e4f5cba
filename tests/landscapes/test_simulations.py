"""Held actions in MuJoCo without the environment around it: bit for bit what `env.step` gives, or not used at all."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import landscapes
from heatpg.errors import NonFiniteError, RolloutError
from heatpg.landscapes import (
    Actions,
    Batched,
    EnvironmentSampler,
    Parameters,
    Rollout,
    _episodes,
    _simulations,
)
from heatpg.landscapes.directions import random_directions
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


def spoil(monkeypatch: pytest.MonkeyPatch, fault: float) -> None:
    """Rewards of half-cheetahs that are off."""
    name = "gymnasium.envs.mujoco.half_cheetah_v5.HalfCheetahEnv"
    right = _simulations._SYSTEMS[name]

    def wrong(*given: Any) -> Any:
        rewards, fallen = right.reward(*given)
        return rewards + fault, fallen

    monkeypatch.setitem(_simulations._SYSTEMS, name, dataclasses.replace(right, reward=wrong))


@pytest.mark.parametrize("fault", [1e-9, 1.0])
def test_a_simulation_that_differs_is_not_used(fault: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a version of Gymnasium that rewards otherwise: some rollouts are held against env.step to 1e-12."""
    spoil(monkeypatch, fault)
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


def linear(theta: Array, observations: Array) -> Array:
    """Actions W s, row by row, so that no other row of the batch changes a bit."""
    size = observations.shape[1]
    return np.stack([np.tanh(t.reshape(-1, size) @ s) for t, s in zip(theta, observations, strict=True)])


def steered(environment: Any, policy: Any = linear, **options: Any) -> EnvironmentSampler:
    made = gymnasium.make(environment) if isinstance(environment, str) else environment()
    shape = (made.action_space.shape[0], made.observation_space.shape[0])
    theta = np.random.default_rng(1).normal(0, 0.3, shape).ravel()
    directions = random_directions(theta, 2, seed=3)
    return landscapes.sampler_from_gymnasium(
        environment,
        policy=Batched(policy),
        over=Parameters(theta, directions=directions),
        state=0,
        rollout=Rollout(**{"horizon": 30, **options}),
    )


def steering(q: EnvironmentSampler) -> Any:
    return q._sampling.episodes.steering


def unsteered(environment: Any, policy: Any = linear, **options: Any) -> EnvironmentSampler:
    """The same in environments, all the time."""
    q = steered(environment, policy, **options)
    episodes = q._sampling.episodes
    episodes._batch = episodes._side_by_side  # type: ignore[method-assign]
    return q


@pytest.mark.parametrize("name", NAMES)
def test_batched_policies_are_those_of_the_environment(name: str) -> None:
    q, slow = (make(name, gamma=0.97) for make in (steered, unsteered))
    some = points(q, 70, 2.0)
    assert steering(q) is not None and not steering(q).tried
    expected = slow.returns(some)
    np.testing.assert_array_equal(q.returns(some), expected)
    assert steering(q).tried
    # the first batch was the environment's own; now all are simulated
    np.testing.assert_array_equal(q.returns(some), expected)
    ended = q._sampling.episodes.work(some).ended
    np.testing.assert_array_equal(ended, slow._sampling.episodes.work(some).ended)
    if name == "Hopper-v5":
        assert ended.any() and not ended.all()


def test_a_first_action_and_then_a_batched_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = np.random.default_rng(1).normal(0, 0.3, (3, 11))

    def policy(observations: Array) -> Array:
        return np.stack([weights @ row for row in observations])

    def make() -> EnvironmentSampler:
        rollout = Rollout(horizon=25)
        return landscapes.sampler_from_gymnasium("Hopper-v5", policy=Batched(policy), state=2, rollout=rollout)

    q = make()
    assert simulation(q) is None and steering(q) is not None
    found = [q.returns(points(q, 20)) for _ in range(2)]
    slow = make()._sampling.episodes
    monkeypatch.setattr(slow, "_batch", slow._side_by_side)
    np.testing.assert_array_equal(found, [slow.work(points(q, 20)).returns] * 2)


def test_threads_do_not_change_a_bit_of_a_batched_policy() -> None:
    q = steered("Hopper-v5")
    some = points(q, 20)
    expected = [q.returns(some), q.returns(some)][1]
    before = threads()
    try:
        set_threads(3)
        np.testing.assert_array_equal(q.returns(some), expected)
    finally:
        set_threads(before)


@pytest.mark.parametrize("fault", [1e-9, 1.0])
def test_a_steering_that_differs_is_not_used(fault: float, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = unsteered("HalfCheetah-v5").returns(points(steered("HalfCheetah-v5"), 6))
    spoil(monkeypatch, fault)
    q = steered("HalfCheetah-v5")
    np.testing.assert_array_equal(q.returns(points(q, 6)), expected)
    assert steering(q) is None


@pytest.mark.parametrize("make", [rewarded, Own, patched])
def test_rewards_of_somebody_else_forbid_steering(make: Any) -> None:
    assert steering(steered(make)) is None


def test_an_observation_that_differs_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a version of Gymnasium that shows one velocity with another limit."""
    name = "gymnasium.envs.mujoco.hopper_v5.HopperEnv"
    expected = unsteered("Hopper-v5").returns(points(steered("Hopper-v5"), 6))
    monkeypatch.setitem(_simulations._SYSTEMS, name, dataclasses.replace(_simulations._SYSTEMS[name], fastest=1.0))
    q = steered("Hopper-v5")
    np.testing.assert_array_equal(q.returns(points(q, 6)), expected)
    assert steering(q) is None


def test_a_policy_that_fails_is_told_of_as_without_the_simulation() -> None:
    class Failing:
        """Fails in the middle, once it has been found to agree."""

        def __init__(self) -> None:
            self.broken, self.step = False, 0

        def __call__(self, theta: Array, observations: Array) -> Array:
            actions = linear(theta, observations)
            if self.broken and np.abs(observations[:, 0]).max() > 0:
                raise ZeroDivisionError("of the policy")
            return actions

    policy = Failing()
    q = steered("HalfCheetah-v5", policy)
    q.returns(points(q, 6))
    assert steering(q).tried
    policy.broken = True
    with pytest.raises(RolloutError, match=r"the policy raised ZeroDivisionError: of the policy"):
        q.returns(points(q, 6))


def test_a_steered_simulation_that_blows_up_is_told_as_the_environment_tells_it() -> None:
    q = steered("HalfCheetah-v5", horizon=60)
    q.returns(points(q, 3))
    assert steering(q).tried
    for stage in q._sampling.episodes.stages:
        stage.core.model.opt.timestep = 0.1
    with pytest.raises(NonFiniteError, match="became unstable"):
        q.returns(points(q, 3))
