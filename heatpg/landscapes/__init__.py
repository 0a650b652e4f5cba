"""Families of Q-landscapes: simulated systems, and analytic landscapes with a known exact evolution.

A family is a function in a file of this folder, registered by name. Its first argument is a grid (or None for
the family's own grid of a given size), all others are keywords with defaults; it returns a `Landscape` whose
provenance contains every parameter.

Other packages add their own families as entry points of the group ``heatpg.landscapes``::

    [project.entry-points."heatpg.landscapes"]
    my_robot = "my_package.landscapes:my_robot"

They can be used like the built-in ones; ``HEATPG_NO_PLUGINS=1`` disables them. `from_gymnasium` makes a landscape of
any Gymnasium environment; `sampler_from_gymnasium` samples it at arbitrary points, in any dimension.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from heatpg.core.landscape import Landscape
from heatpg.errors import HeatpgError
from heatpg.landscapes.environments import from_gymnasium
from heatpg.landscapes.networks import NetworkPolicy, policy_from_stable_baselines3, policy_from_torch
from heatpg.landscapes.samplers import EnvironmentSampler, SeedMean, sampler_from_gymnasium
from heatpg.landscapes.sampling import Actions, Batched, Parameters, Rollout, State
from heatpg.tools.registry import Registry

if TYPE_CHECKING:  # for a type checker the name is the file; here it is told of the functions
    from heatpg.landscapes.double_pendulum import double_pendulum as double_pendulum
    from heatpg.landscapes.quadrotor import quadrotor as quadrotor

__all__ = [
    "Actions",
    "Batched",
    "EnvironmentSampler",
    "NetworkPolicy",
    "Parameters",
    "Rollout",
    "SeedMean",
    "State",
    "from_gymnasium",
    "landscapes",
    "policy_from_stable_baselines3",
    "policy_from_torch",
    "sampler_from_gymnasium",
]

landscapes: Registry[Callable[..., Landscape]] = Registry(
    "landscape", "heatpg.landscapes", entry_points="heatpg.landscapes"
)
_ready = False


def _bind_families() -> None:
    # Importing the file quadrotor.py sets the attribute "quadrotor" to the module; here it becomes the function.
    global _ready
    for name in landscapes.own_names():
        globals()[name] = landscapes.get(name)
    _ready = True


def __getattr__(name: str) -> Any:
    # the import system asks for submodules this way while they are being loaded: no look-up of names before the end
    if _ready and not name.startswith("_") and name in landscapes.plugins():
        try:
            return landscapes.get(name)
        except HeatpgError as reason:
            raise AttributeError(str(reason)) from reason
    raise AttributeError(f"heatpg.landscapes has no {name!r}; see `heatpg list landscapes`")


_bind_families()
