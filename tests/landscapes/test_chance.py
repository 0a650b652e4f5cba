"""Seeds that change nothing are told after the first points, and only where that can be known."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import landscapes
from heatpg.errors import HeatpgWarning
from heatpg.landscapes import Batched, Parameters, Rollout

pytest.importorskip("gymnasium")
from tests import toy_environments as toys

Array = NDArray[Any]
from_gymnasium = landscapes.from_gymnasium
EIGHT = Rollout(horizon=5, seeds=8)
OVER = Parameters([-1.0, 0.1], directions=[[1.0, 0.0]], boundary="clip")
WORDS = r"the seeds change nothing: at (\d+) points.* the 8 returns are equal.*Rollout\(seeds=1\)"


class Sticky:
    """A policy that explores with one matrix for ever, as gSDE without reset_noise."""

    def __init__(self) -> None:
        self.noise = np.random.default_rng(3).normal()

    def __call__(self, observation: Array) -> Array:
        return np.asarray(-observation + self.noise * observation)


@pytest.mark.parametrize(
    "call",
    [
        functools.partial(from_gymnasium, toys.Walk, toys.back, state=[0.3]),
        functools.partial(from_gymnasium, toys.Walk, Batched(toys.back), state=[0.3]),
        functools.partial(from_gymnasium, toys.Walk, toys.back, state=[0.3], workers=2),
        functools.partial(from_gymnasium, toys.Keyed, toys.back, state=[0.3]),
        functools.partial(from_gymnasium, toys.Walk, Sticky(), state=[0.3]),
        functools.partial(from_gymnasium, toys.Sure, toys.proportional, over=OVER),
    ],
)
def test_seeds_that_change_nothing_are_told(call: Any) -> None:
    with pytest.warns(HeatpgWarning, match=WORDS) as told:
        q = call(size=20, rollout=EIGHT)
    assert len(told) == 1
    assert not q.standard_error.any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alone = call(size=20, rollout=Rollout(horizon=5, seeds=1))
    np.testing.assert_allclose(q.values, alone.values, rtol=1e-14)


def test_it_is_told_after_the_first_points_of_the_whole_box() -> None:
    done = []

    def progress(points: int, of: int) -> None:
        done.append(points)

    def stop(message: Any, *_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warnings, "showwarning", stop)
        warnings.simplefilter("always")
        with pytest.raises(KeyboardInterrupt):
            from_gymnasium(toys.Walk, size=200, state=[0.3], rollout=EIGHT, progress=progress)
    assert len(done) <= 8


class Late(toys.Walk):
    """Chance has a say in a quarter of the box only: elsewhere the episode ends at once."""

    def step(self, action: Array) -> Any:
        observation, reward, ended, truncated, facts = super().step(action)
        return observation, reward, ended or bool(action[0] < 0.5), truncated, facts


class Goal(toys.Walk):
    """Pays 1 where it goes far enough, and nothing on the way."""

    def reward(self, action: Array) -> float:
        return float(self.state[0] > 0.4)


class Faint(toys.Walk):
    """Large returns, and noise that is 1e-9 of them."""

    def reward(self, action: Array) -> float:
        return 1e6 + float(action[0]) + 1e-3 * self.draw()


@pytest.mark.parametrize(
    ("make", "state"),
    [
        (toys.walk, [0.3]),
        (lambda: Late(0.2), [0.3]),
        (lambda: Goal(0.02), [0.0]),
        (Faint, [0.3]),
        (lambda: toys.Walk(0.1, end=-9.0), [0.3]),
    ],
)
def test_no_false_alarm(make: Any, state: Any) -> None:
    """Where ends come early, rewards are few, or noise is small beside the return, seeds do change something."""
    for size in (3, 20, 200):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            from_gymnasium(make, size=size, state=state, rollout=EIGHT)


def test_equal_returns_have_no_error_at_all() -> None:
    """The mean of eight equal numbers is rounded, and their scatter about it is not 0."""
    with pytest.warns(HeatpgWarning, match="seeds change nothing"):
        q = from_gymnasium(toys.Walk, size=50, state=[0.3], rollout=Rollout(horizon=7, gamma=0.97, seeds=7))
    assert q.standard_error is not None and not q.standard_error.any()
