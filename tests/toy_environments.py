"""Small environments and policies, well and badly behaved, in a module that worker processes find; rollouts by hand."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from heatpg.core.landscape import Landscape
from heatpg.landscapes import Actions, Rollout, from_gymnasium
from heatpg.landscapes._stage import Plan

Array = NDArray[Any]


class Walk(gymnasium.Env):  # type: ignore[misc]
    """x' = x + 0.1 a + noise, reward -x'^2 - 0.01 a^2; ends where x' > end."""

    def __init__(self, noise: float = 0.0, size: int = 1, end: float = np.inf, bound: float = 1.0) -> None:
        self.action_space = gymnasium.spaces.Box(-bound, bound, (size,), dtype=np.float32)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,), dtype=np.float64)
        self.noise, self.end = noise, end
        self.state = np.zeros(1)

    def _get_obs(self) -> Array:
        return self.state.copy()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        self.state = self.np_random.uniform(-1.0, 1.0, 1)
        return self._get_obs(), {}

    def draw(self) -> float:
        return float(self.np_random.standard_normal())

    def reward(self, action: Array) -> Any:
        return -(float(self.state[0]) ** 2) - 0.01 * float(action[0]) ** 2

    def step(self, action: Array) -> tuple[Array, Any, bool, bool, dict[str, Any]]:
        # in place, as a careless environment does it
        self.state += 0.1 * float(np.sum(action)) + (self.noise * self.draw() if self.noise else 0.0)
        return self._get_obs(), self.reward(action), bool(self.state[0] > self.end), False, {}


class Picky(Walk):
    """Takes only what its action space holds, and changes the action that it is given."""

    def step(self, action: Array) -> tuple[Array, Any, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        outcome = super().step(action)
        action *= 0.0
        return outcome


class Target(Walk):
    """-|a - target|^2 + slope * (a_1 - target_1) + offset, both drawn in each step; of any size."""

    def __init__(self, size: int = 6, noise: float = 1.0) -> None:
        super().__init__(noise, size=size, bound=10.0)
        self.target = np.linspace(-1.0, 1.0, size)

    def step(self, action: Array) -> tuple[Array, Any, bool, bool, dict[str, Any]]:
        slope, offset = self.noise * self.np_random.standard_normal(2)
        apart = np.asarray(action, dtype=float) - self.target
        return self._get_obs(), float(-(apart @ apart) + slope * apart[0] + offset), False, False, {}


class Missing(Walk):
    """Its reward is NaN where x > 1."""

    def reward(self, action: Array) -> Any:
        return float("nan") if self.state[0] > 1.0 else super().reward(action)


class OneElement(Walk):
    """Its reward is an array of one element."""

    def reward(self, action: Array) -> Any:
        return np.array([super().reward(action)])


class TwoElements(Walk):
    """Its reward is two numbers."""

    def reward(self, action: Array) -> Any:
        return np.ones(2)


class Broken(Walk):
    """Raises an error of its own."""

    def reward(self, action: Array) -> Any:
        raise KeyError("joint")


class Fragile(Walk):
    """Raises an error of its own beyond a place."""

    def reward(self, action: Array) -> Any:
        if self.state[0] > 0.46:
            raise FloatingPointError("too far")
        return super().reward(action)


class Keyed(Walk):
    """Its noise comes from a key that it keeps, as environments in jax do: it is put back with the state."""

    def __init__(self, noise: float = 0.1) -> None:
        super().__init__(noise)
        self.key = 7

    def draw(self) -> float:
        self.key += 1
        return float(np.sin(12.9898 * self.key))


class Sure(Walk):
    """Always begins at one place."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        self.state = np.array([0.3])
        return self._get_obs(), {}


class Named(Walk):
    """Shows a dictionary of a place, a pair of a number and a sign, and the steps that it has made."""

    def __init__(self, noise: float = 0.1) -> None:
        super().__init__(noise)
        spaces = gymnasium.spaces
        whole = self.observation_space
        self.observation_space = spaces.Dict(
            {"place": whole, "pair": spaces.Tuple((spaces.Discrete(2), spaces.Box(-1, 1, (2,)))), "steps": whole}
        )
        self.steps = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.steps = 0
        return super().reset(seed=seed)

    def _get_obs(self) -> Any:
        x = float(self.state[0])
        pair = (int(x > 0), np.array([np.sin(x), np.cos(x)], dtype=np.float32))
        return {"place": self.state.copy(), "pair": pair, "steps": np.array([float(self.steps)])}

    def step(self, action: Array) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        self.steps += 1
        return super().step(action)


class Paired(Walk):
    """Shows a tuple of its place and a sign; two actions."""

    def __init__(self, noise: float = 0.1) -> None:
        super().__init__(noise)
        spaces = gymnasium.spaces
        self.action_space = spaces.Discrete(2)
        self.observation_space = spaces.Tuple((self.observation_space, spaces.Discrete(2)))

    def _get_obs(self) -> Any:
        return self.state.copy(), int(self.state[0] > 0)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        return super().step(np.array([2.0 * action - 1.0]))


class Deadly(Walk):
    """Ends its process where the action is large."""

    def reward(self, action: Array) -> Any:
        if action[0] > 0.5:
            os._exit(3)
        return 0.0


class Locked(Walk):
    """Cannot be copied, but is fully in the hands of its seed."""

    def __init__(self, noise: float = 0.0) -> None:
        super().__init__(noise)
        self.lock = threading.Lock()


_ELSEWHERE = {"x": 0.0}


class Elsewhere(Walk):
    """Keeps its state where no copy of it finds it."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        observation, facts = super().reset(seed=seed)
        _ELSEWHERE["x"] = float(observation[0])
        return observation, facts

    def step(self, action: Array) -> tuple[Array, Any, bool, bool, dict[str, Any]]:
        _ELSEWHERE["x"] += 0.1 * float(action[0])
        return np.array([_ELSEWHERE["x"]]), -(_ELSEWHERE["x"] ** 2), False, False, {}


class Random(Walk):
    """Its noise comes from a generator that nobody seeds."""

    def __init__(self, noise: float = 0.1) -> None:
        super().__init__(noise)

    def draw(self) -> float:
        return random.gauss(0.0, 1.0)


class Headstrong(Walk):
    """Its reset does not look at the seed; its steps have no noise."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        super().reset()
        self.state = np.array([random.random()])
        return self._get_obs(), {}


class Seedless(Walk):
    """Its reset has no seed."""

    def reset(self) -> tuple[Array, dict[str, Any]]:  # type: ignore[override]
        self.state = np.array([0.25])
        return self._get_obs(), {}


class OwnGenerator(Walk):
    """Draws from a generator that it has made."""

    def __init__(self) -> None:
        super().__init__(0.1)
        self.generator = np.random.default_rng(5)

    def draw(self) -> float:
        return float(self.generator.standard_normal())


class Restless(Walk):
    """Truncates of its own will."""

    def step(self, action: Array) -> tuple[Array, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, _, facts = super().step(action)
        return observation, reward, terminated, bool(observation[0] > 1.0), facts


class Choice(Walk):
    """Two actions."""

    def __init__(self) -> None:
        super().__init__()
        self.action_space = gymnasium.spaces.Discrete(2)

    def step(self, action: Any) -> tuple[Array, Any, bool, bool, dict[str, Any]]:
        assert isinstance(action, int)
        return super().step(np.array([2.0 * action - 1.0]))


class Old(Walk):
    """Returns what the old gym returned."""

    def step(self, action: Array) -> Any:
        return super().step(action)[:4]


def walk() -> gymnasium.Env:
    """A random walk."""
    return Walk(0.2)


def ending() -> gymnasium.Env:
    """A random walk that ends."""
    return Walk(0.1, end=0.9)


def back(observation: Array) -> Array:
    """Toward zero."""
    return -observation


def proportional(parameters: Array, observation: Array) -> Array:
    """a = k x + b, for one or many."""
    return np.asarray(parameters[..., :1] * observation + parameters[..., 1:])


def onward(observation: Array) -> Array:
    """Forward where the first action has been large, and back elsewhere."""
    return np.asarray(np.where(observation > 0.34, 1.0, -1.0))


def named(observation: Any) -> Array:
    """An action from all parts of what `Named` shows, for one or many."""
    sign, circle = observation["pair"]
    sine = circle[..., :1].astype(float)
    return np.asarray(
        -0.5 * observation["place"] - 0.2 * sine + 0.1 * np.asarray(sign)[..., None] - 0.05 * observation["steps"]
    )


def paired(parameters: Array, observation: Any) -> Array:
    """An action from what `Paired` shows, for one or many."""
    place, sign = observation
    return np.asarray(parameters[..., 0] * place[..., 0] + parameters[..., 1] * (np.asarray(sign) - 0.5) > 0).astype(
        int
    )


def raising_state(environment: Any) -> None:
    """Fails where it should set a state."""
    raise ValueError("state")


def noisy(observation: Array, generator: np.random.Generator) -> Array:
    """Toward zero, more or less."""
    return np.asarray(-observation + generator.standard_normal(1))


def unseeded(observation: Array) -> Array:
    """Draws where no seed reaches."""
    return np.asarray(-observation * random.random())


def hopper_linear(parameters: Array, observation: Array) -> Array:
    """a = tanh(K o), K of shape (3, 11)."""
    return np.asarray(np.tanh(parameters.reshape(3, 11) @ observation))


def facts(landscape: Landscape) -> dict[str, Any]:
    """The parameters in its provenance."""
    found = landscape.provenance["parameters"]
    assert isinstance(found, dict)
    return found


def by_hand(
    environment: Any, begin: Callable[[], Any], first: Any, policy: Any, horizon: int, gamma: float
) -> tuple[float, int]:
    """Return and steps of one rollout, as anybody would write it."""
    observation = begin()
    total = 0.0
    for step in range(horizon):
        action = first if step == 0 and first is not None else policy(observation)
        observation, reward, terminated, _, _ = environment.step(action)
        total += gamma**step * float(reward)
        if terminated:
            return total, step + 1
    return total, horizon


def plan_of(environment: Any, **options: Any) -> Plan:
    """A plan as `from_gymnasium` makes it, but for the options."""
    given: dict[str, Any] = {
        "options": {},
        "policy": None,
        "batched": False,
        "kind": "actions",
        "origin": None,
        "vectors": None,
        "action": np.zeros(3),
        "components": (0,),
        "state": 5,
        "prefix": np.empty((0, 0)),
        "rollout": Rollout(horizon=40, gamma=1.0),
    }
    return Plan(environment, **{**given, **options})


def noisy_targets() -> Landscape:
    """Two of six components, and four seeds that differ by far more than draws of the other components do."""
    return from_gymnasium(
        lambda: Target(noise=100.0),
        over=Actions(components=(0, 2)),
        state=0,
        size=9,
        rollout=Rollout(horizon=1, seeds=4, action_type="float64"),
    )
