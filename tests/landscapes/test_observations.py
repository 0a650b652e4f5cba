"""Observations of every form, one at a time and stacked, on processes and within wrappers, against loops by hand."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape, landscapes
from heatpg.errors import UnsupportedError
from heatpg.landscapes import Batched, Parameters, Rollout

gymnasium: Any = pytest.importorskip("gymnasium")
from tests import toy_environments as toys  # noqa: E402

from_gymnasium = landscapes.from_gymnasium
Array = NDArray[Any]
WAYS = [(policy, workers) for policy in ("one", "batched") for workers in (0, 2)]


def limited() -> Any:
    """Dictionaries through two wrappers."""
    return gymnasium.wrappers.OrderEnforcing(gymnasium.wrappers.TimeLimit(toys.Named(), 50))


def halved() -> Any:
    """Dictionaries whose place is shown at half its size."""
    return gymnasium.wrappers.TransformObservation(toys.Named(), half_place, None)


def half_place(observation: Any) -> Any:
    return {**observation, "place": 0.5 * observation["place"]}


@pytest.mark.parametrize(("way", "workers"), WAYS)
@pytest.mark.parametrize("make", [toys.Named, limited, halved])
def test_dictionaries_over_actions(make: Any, way: str, workers: int) -> None:
    policy: Any = Batched(toys.named) if way == "batched" else toys.named
    q = from_gymnasium(make, policy, size=5, state=4, rollout=Rollout(horizon=6, gamma=0.9, seeds=2), workers=workers)
    environment = make()
    for a, value in zip(np.linspace(-1, 1, 5), q.values, strict=True):
        returns = []
        for seed in (0, 1):

            def begin(seed: int = seed) -> Any:
                observation, _ = environment.reset(seed=4)
                environment.unwrapped.np_random = gymnasium.utils.seeding.np_random(seed)[0]
                return observation

            first = np.array([a], dtype=np.float32)
            played = lambda seen: np.clip(toys.named(seen), -1, 1)  # noqa: E731
            returns.append(toys.by_hand(environment, begin, first, played, 6, 0.9)[0])
        assert value == pytest.approx(np.mean(returns), rel=1e-12)


@pytest.mark.parametrize(("way", "workers"), WAYS)
def test_tuples_and_two_actions_over_parameters(way: str, workers: int) -> None:
    over = Parameters([0.3, -1.0], directions=[[1.0, 0.5]], boundary="clip")
    policy: Any = Batched(toys.paired) if way == "batched" else toys.paired
    q = from_gymnasium(
        toys.Paired, policy, over=over, size=7, rollout=Rollout(horizon=9, gamma=0.9, seeds=3), workers=workers
    )
    environment = toys.Paired()
    for a, value in zip(np.linspace(-1, 1, 7), q.values, strict=True):
        theta = np.array([0.3, -1.0]) + a * np.array([1.0, 0.5])
        begins = [functools.partial(environment.reset, seed=seed) for seed in range(3)]
        played = functools.partial(toys.paired, theta)
        returns = [toys.by_hand(environment, lambda: begin()[0], None, played, 9, 0.9)[0] for begin in begins]  # noqa: B023
        assert value == pytest.approx(np.mean(returns), rel=1e-12)


def test_stacks_are_those_of_a_vector_environment() -> None:
    seen: list[Any] = []

    def policy(observations: Any) -> Array:
        seen.append(observations)
        return np.zeros((len(observations["steps"]), 1))

    def make() -> Any:
        return toys.Named(0.0)

    from_gymnasium(
        make, Batched(policy), grid=Grid(Axis("a", -1.0, 1.0, 3, boundary="clip")), state=1, rollout=Rollout(2)
    )
    vector = gymnasium.vector.SyncVectorEnv([make] * 3)
    expected = vector.single_observation_space
    batch = gymnasium.vector.utils.batch_space(expected, 3)
    assert list(seen[-1]) == list(batch.spaces)
    assert isinstance(seen[-1]["pair"], tuple)
    assert [part.shape for part in seen[-1]["pair"]] == [part.shape for part in batch["pair"]] == [(3,), (3, 2)]
    assert seen[-1]["place"].shape == batch["place"].shape == (3, 1)
    assert seen[-1]["pair"][1].dtype == np.float32


class Ragged(toys.Walk):
    """Shows a list that grows."""

    def __init__(self) -> None:
        super().__init__()
        self.observation_space = gymnasium.spaces.Sequence(gymnasium.spaces.Discrete(3))

    def _get_obs(self) -> Any:
        return tuple([1] * (1 + int(10 * self.state[0] ** 2)))


def test_observations_that_cannot_be_stacked_are_refused() -> None:
    make = Ragged
    one = from_gymnasium(make, lambda seen: [-0.1 * len(seen)], size=5, state=0, rollout=Rollout(3))
    assert np.isfinite(one.values).all()
    with pytest.raises(UnsupportedError, match=r"cannot be stacked\W+got: a Batched policy, and Sequence"):
        from_gymnasium(make, Batched(lambda seen: np.zeros((len(seen), 1))), size=5, state=0, rollout=Rollout(3))


def squashed() -> Any:
    """The walk, with a tanh in the environment."""
    space = gymnasium.spaces.Box(-3.0, 3.0, (1,))
    return gymnasium.wrappers.TransformAction(toys.Walk(), np.tanh, space)


def test_axes_before_the_squash() -> None:
    """A tanh in the environment is applied to the policy too; a look through the squash is not."""
    rollout = Rollout(horizon=4, gamma=0.9, action_type="float64")
    wide = Grid(Axis("before_tanh", -3.0, 3.0, 7, boundary="clip"))
    inside = from_gymnasium(squashed, toys.back, grid=wide, state=[0.4], rollout=rollout)
    q = from_gymnasium(toys.Walk, toys.back, size=3, state=[0.4], rollout=rollout)
    through = Landscape.from_function(lambda *x: q.sample(np.tanh(np.stack(x, -1))), wide)

    def by_hand(first: float, squash: Any) -> float:
        x, total, action = 0.4, 0.0, first
        for step in range(4):
            x += 0.1 * action
            total += 0.9**step * (-(x**2) - 0.01 * action**2)
            action = squash(-x)
        return total

    for i, a in enumerate(wide[0].coordinates):
        assert inside.values[i] == pytest.approx(by_hand(np.tanh(a), np.tanh), rel=1e-12)
        assert through.values[i] == pytest.approx(by_hand(np.tanh(a), lambda action: action), rel=1e-12)
