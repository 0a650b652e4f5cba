"""Families of Q-landscapes: systems to sample, and analytic ones whose evolution is known exactly.

A family is a function in a file of this folder, registered by name. Its first argument is a grid (or None for
the family's own grid of a given size), all others are keywords with defaults; it returns a `Landscape` whose
provenance holds every parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from heatpg.landscape import Landscape
from heatpg.registry import Registry

if TYPE_CHECKING:  # for a type checker the name is the file; here it is told of the functions
    from heatpg.landscapes.double_pendulum import double_pendulum as double_pendulum
    from heatpg.landscapes.quadrotor import quadrotor as quadrotor

__all__ = ["landscapes"]

landscapes: Registry[Callable[..., Landscape]] = Registry("landscape", "heatpg.landscapes")


def _bind_families() -> None:
    # Importing the file quadrotor.py sets the attribute "quadrotor" to the module; here it becomes the function.
    for name in landscapes.names():
        globals()[name] = landscapes.get(name)


def __getattr__(name: str) -> Any:
    # no look-up of names here: the import system asks for submodules this way, while they are being loaded
    raise AttributeError(f"heatpg.landscapes has no {name!r}; 'heatpg list landscapes' shows what there is")


_bind_families()
