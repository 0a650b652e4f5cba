"""What landscapes of simulated systems share: two axes, a sampler on all threads, and sections of their docstrings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis, Grid, GridLike, as_grid
from heatpg.errors import GridError
from heatpg.systems.lanes import in_pieces
from heatpg.tools.docstrings import completed

__all__ = ["documented", "plane", "sampler_of"]

Array = NDArray[np.float64]
Function = TypeVar("Function", bound=Callable[..., Any])

_PARAMETERS = """\
size
    Number of nodes along each axis of the default grid.
boundary
    Boundary condition of the default grid.
horizon
    Duration in seconds, a whole number of control steps.
gamma
    Discount per control step, from 0 to 1.
progress
    Called as ``progress(done, total)`` with numbers of points."""
_RETURNS = """\
Landscape
    Values of shape (size, size), with every parameter and constant in its provenance."""
_RAISES = """\
GridError
    If the grid does not have two axes.
UnknownNameError
    For an unknown name where a parameter takes one of several names.
OptionError
    For a parameter out of range."""


def documented(raises: str = "") -> Callable[[Function], Function]:
    """Add to the docstring of a landscape what all rollouts have in common, and further entries of Raises."""
    return completed(parameters=_PARAMETERS, returns=_RETURNS, raises=f"{_RAISES}\n{raises}".rstrip())


def plane(grid: GridLike | None, axes: Callable[[], tuple[Axis, Axis]]) -> Grid:
    """The caller's grid if it has two axes, or the family's own."""
    if grid is None:
        return Grid(*axes())
    grid = as_grid(grid)
    if grid.dimensions != 2:
        raise GridError(
            "this landscape has two axes",
            given=f"{grid.dimensions} axes",
            allowed="a heatpg.Grid of 2 axes",
            advice="omit grid to use the default box",
        )
    return grid


def sampler_of(rollout: Callable[[Array, Array, Array], object]) -> Callable[..., Array]:
    """A function of points, shape (n, 2), from ``rollout(first, second, out)`` on some of them at a time.

    It takes ``progress(done, total)`` as well. Points are independent, so neither the pieces nor the number of threads
    change a bit of the result.
    """

    def sample(points: Array, progress: Callable[[int, int], object] | None = None) -> Array:
        # one array for each axis, because the kernels read along them
        first, second = (np.ascontiguousarray(column) for column in points.T)
        values = np.empty(len(points))
        in_pieces(
            lambda begin, end: rollout(first[begin:end], second[begin:end], values[begin:end]), len(points), progress
        )
        return values

    return sample
