"""Environments that cannot be sampled as they are: layers that learn, and many environments in one."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import landscapes
from heatpg.errors import OptionError, UnsupportedError
from heatpg.landscapes import Batched, Parameters, Rollout

gymnasium: Any = pytest.importorskip("gymnasium")
from gymnasium import wrappers  # noqa: E402
from gymnasium.wrappers.utils import RunningMeanStd  # noqa: E402

from tests import toy_environments as toys  # noqa: E402

Array = NDArray[Any]
from_gymnasium = landscapes.from_gymnasium
OVER = Parameters([-1.0, 0.1], directions=[[1.0, 0.0]], boundary="clip")
SHORT = Rollout(horizon=4, gamma=0.9, seeds=2)


class Own(gymnasium.ObservationWrapper):  # type: ignore[misc]
    """Normalises with running statistics, and does not say so."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.running = RunningMeanStd(shape=(1,))

    def observation(self, observation: Array) -> Array:
        self.running.update(observation[None])
        return np.asarray((observation - self.running.mean) / np.sqrt(self.running.var + 1e-8))


class Kept(Own):
    """The same, with statistics of this episode alone."""

    def reset(self, **options: Any) -> Any:
        self.running = RunningMeanStd(shape=(1,))
        return super().reset(**options)


class Holder(toys.Walk):
    """Holds a wrapped environment, and says that it wraps nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.env = wrappers.NormalizeReward(toys.Walk())


LEARNING = {
    "NormalizeReward": lambda: wrappers.NormalizeReward(toys.Walk()),
    "NormalizeObservation": lambda: wrappers.NormalizeObservation(toys.Walk()),
    # below another wrapper
    "NormalizeObservation ": lambda: wrappers.TimeLimit(wrappers.NormalizeObservation(toys.Walk()), 99),
    "NormalizeReward ": Holder,
}


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("kind", ["actions", "batched", "parameters"])
def test_layers_that_learn_are_refused(name: str, kind: str) -> None:
    given: dict[str, Any] = {
        "actions": {"policy": toys.back, "state": 1},
        "batched": {"policy": Batched(toys.back), "state": 1},
        "parameters": {"policy": toys.proportional, "over": OVER},
    }[kind]
    with pytest.raises(
        UnsupportedError,
        match=rf"(?s)updates its statistics during sampling.*got: {name.strip()}\W+(try: )?.*update_running",
    ):
        from_gymnasium(LEARNING[name], size=3, rollout=SHORT, **given)


def test_running_statistics_that_do_not_say_so() -> None:
    make = functools.partial(from_gymnasium, policy=toys.proportional, over=OVER, size=3, rollout=SHORT)
    with pytest.raises(UnsupportedError, match=r"got: Own\.running"):
        make(lambda: Own(toys.Walk()))
    # what an episode alone teaches is part of the environment
    assert np.isfinite(make(lambda: Kept(toys.Walk())).values).all()


def frozen() -> Any:
    """Observations and rewards by the statistics of a training."""
    environment = wrappers.NormalizeReward(wrappers.NormalizeObservation(toys.Walk()))
    environment.update_running_mean = environment.env.update_running_mean = False
    environment.env.obs_rms.mean[:], environment.env.obs_rms.var[:] = 0.25, 4.0
    environment.return_rms.var = np.float64(9.0)
    return environment


@pytest.mark.parametrize("policy", [toys.proportional, Batched(toys.proportional)])
def test_frozen_layers_are_sampled(policy: Any) -> None:
    q = from_gymnasium(frozen, policy, over=OVER, size=3, rollout=SHORT)
    for a, value in zip((-2.0, -1.0, 0.0), q.values, strict=True):
        returns = []
        for seed in (0, 1):
            x = float(gymnasium.utils.seeding.np_random(seed)[0].uniform(-1.0, 1.0, 1)[0])
            total = 0.0
            for step in range(4):
                seen = np.float32((x - 0.25) / np.sqrt(4.0 + 1e-8))
                action = min(max(a * float(seen) + 0.1, -1.0), 1.0)
                x += 0.1 * action
                total += 0.9**step * (-(x**2) - 0.01 * action**2) / np.sqrt(9.0 + 1e-8)
            returns.append(total)
        assert value == pytest.approx(np.mean(returns), rel=1e-6)  # what is seen is in single precision


class Many:
    """As VecNormalize of stable-baselines3."""

    num_envs = 4

    def step_async(self, actions: Any) -> None: ...

    def normalize_obs(self, observation: Any) -> Any:
        return observation


def vector() -> Any:
    """Three walks in one."""
    return gymnasium.vector.SyncVectorEnv([toys.Walk] * 3)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (vector, "SyncVectorEnv of 3 environments"),
        (vector(), "SyncVectorEnv of 3 environments"),
        (lambda: wrappers.vector.NormalizeReward(vector()), "NormalizeReward of 3 environments"),
        (lambda: gymnasium.vector.SyncVectorEnv([toys.Walk]), "SyncVectorEnv of 1 environments"),
        (Many, r"Many of 4 environments.*normalize_obs\(seen\), deterministic"),
        (Many(), r"Many of 4 environments.*normalize_obs\(seen\), deterministic"),
    ],
)
def test_vectors_are_told_from_single_ones(made: Any, words: str) -> None:
    with pytest.raises(OptionError, match=rf"(?s)a vector of environments.*{words}") as caught:
        from_gymnasium(made, size=3, state=1, rollout=SHORT)
    assert "shimmy" not in str(caught.value) and "makes a single environment" in str(caught.value)


def test_what_is_no_environment_is_told_by_its_kind() -> None:
    old = type("Env", (), {"__module__": "gym.core"})
    with pytest.raises(OptionError, match="with shimmy"):
        from_gymnasium(type("Own", (old,), {}), size=3, state=1, rollout=SHORT)
    with pytest.raises(OptionError) as caught:
        from_gymnasium(dict, size=3, state=1, rollout=SHORT)
    assert "shimmy" not in str(caught.value)
