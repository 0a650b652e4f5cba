"""The state of an environment of Gymnasium, kept and put back, and whether two runs have shown the same."""

from __future__ import annotations

import copy
import math
import random
import types
from collections.abc import Mapping
from typing import Any

import numpy as np

from heatpg.errors import MissingPackageError
from heatpg.tools.extras import how_to_add

__all__ = ["Snapshot", "distance", "is_mujoco", "layers_of", "load_gymnasium", "where_they_part"]


def load_gymnasium() -> Any:
    """The module, or an error that says which extra brings it."""
    try:
        # inside the function: its import takes most of a second, and few landscapes need it
        import gymnasium
    except ImportError:
        raise MissingPackageError("Gymnasium is not installed", advice=how_to_add("rl")) from None
    return gymnasium


def layers_of(environment: Any) -> list[Any]:
    """The environment within all wrappers, then the wrappers from the inside out."""
    # wrappers name what they wrap `env`; the innermost environment is `unwrapped`
    found = [environment]
    while found[-1] is not environment.unwrapped and hasattr(found[-1], "env"):
        found.append(found[-1].env)
    return found[::-1]


def distance(first: Any, second: Any) -> float:
    """Largest difference of what two runs have shown; infinite if it is not even of one form."""
    # observations may be dictionaries and tuples of arrays, at any depth
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        if first.keys() != second.keys():
            return math.inf
        return max((distance(first[key], second[key]) for key in first), default=0.0)
    if isinstance(first, tuple | list) and isinstance(second, tuple | list):
        if len(first) != len(second):
            return math.inf
        return max((distance(a, b) for a, b in zip(first, second, strict=True)), default=0.0)
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape:
        return math.inf
    # texts and objects are equal or not
    if a.dtype.kind not in "biuf" or b.dtype.kind not in "biuf":
        return 0.0 if bool(np.all(a == b)) else math.inf
    # NaN at the same places is no difference: a sensor may be missing
    if np.array_equal(a, b, equal_nan=True):
        return 0.0
    # infinities of one sign differ by NaN, which counts as infinitely far below
    with np.errstate(all="ignore"):
        gap = float(np.abs(a.astype(float) - b.astype(float)).max())
    return math.inf if math.isnan(gap) else gap


def where_they_part(first: list[Any], second: list[Any]) -> str:
    """Where two runs part, in words; nothing if they do not."""
    # two runs of different length are compared as far as the shorter goes
    for step, (a, b) in enumerate(zip(first, second, strict=False)):
        if (gap := distance(a, b)) > 0:
            return f"differs by {gap:.3g} after {step} steps"
    return "" if len(first) == len(second) else "ends at another step"


class Snapshot:
    """A copy of all that an environment is made of, but of what no step changes.

    Spaces, models, what draws, and the layers themselves are held by identity; numbers of a generator that Gymnasium
    has seeded are left out, as each rollout is seeded again.
    """

    def __init__(self, layers: list[Any]) -> None:
        gymnasium = load_gymnasium()
        # wrappers have state as well: elapsed steps, stacked frames, running means
        self.layers = layers
        held: list[Any] = list(layers)
        for layer in layers:
            for value in vars(layer).values():
                # windows and renderers cannot be copied and change nothing that is earned
                package, _, _ = type(value).__module__.partition(".")
                drawing = package == "pygame" or type(value).__module__.endswith("mujoco_rendering")
                kinds = gymnasium.Space | gymnasium.envs.registration.EnvSpec | types.ModuleType
                # mjModel is shared, as no step changes it; mjData is copied by MuJoCo itself
                if package == "mujoco" or drawing or isinstance(value, kinds):
                    held.append(value)
        self.held = held  # alive, so that no other object takes an identity of theirs
        # deepcopy takes what is in its memo as copied already: held things stay the very objects
        self.memory = {id(thing): thing for thing in held}
        self.saved = copy.deepcopy([self._attributes(layer) for layer in layers], dict(self.memory))
        # copy.copy of an mjData copies the whole, warm starts and derived quantities among it
        self.physics = [(*pair, copy.copy(pair[1])) for pair in self._mujoco()]

    @staticmethod
    def _attributes(layer: Any) -> dict[str, Any]:
        # Gymnasium keeps its generator in _np_random and the seed beside it
        return {name: value for name, value in vars(layer).items() if not name.startswith("_np_random")}

    def _mujoco(self) -> list[tuple[Any, Any]]:
        """Models and data of MuJoCo, as attributes of the layers."""
        found = []
        for layer in self.layers:
            kinds = {type(value).__name__: value for value in vars(layer).values() if is_mujoco(value)}
            if "MjModel" in kinds and "MjData" in kinds:
                found.append((kinds["MjModel"], kinds["MjData"]))
        return found

    @property
    def words(self) -> str:
        return "snapshot of attributes and mjData" if self.physics else "snapshot of attributes"

    @property
    def generators(self) -> list[str]:
        """Attributes that are generators of random numbers, which seeds do not reach."""
        # np_random is left out above, so these are the environment's own
        kinds = np.random.Generator | np.random.RandomState | random.Random
        return [name for attributes in self.saved for name, value in attributes.items() if isinstance(value, kinds)]

    def restore(self) -> None:
        # copied once more on the way back, or the first rollout would change what the second is given
        for layer, attributes in zip(self.layers, copy.deepcopy(self.saved, dict(self.memory)), strict=True):
            own = vars(layer)
            # attributes that steps have added since
            for name in [name for name in self._attributes(layer) if name not in attributes]:
                del own[name]
            own.update(attributes)
        if self.physics:
            import mujoco

            for model, data, saved in self.physics:
                mujoco.mj_copyData(data, model, saved)


def is_mujoco(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "mujoco"
