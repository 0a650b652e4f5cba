"""The grid of a family of landscapes over two axes."""

from __future__ import annotations

from collections.abc import Callable

from heatpg.core.grid import Axis, Grid
from heatpg.errors import GridError

__all__ = ["plane"]


def plane(grid: Grid | None, axes: Callable[[], tuple[Axis, Axis]]) -> Grid:
    """The caller's grid if it has two axes, or the family's own."""
    if grid is None:
        return Grid(*axes())
    if not isinstance(grid, Grid) or grid.dimensions != 2:
        raise GridError(
            "this landscape has two axes",
            given=f"{grid.dimensions} axes" if isinstance(grid, Grid) else repr(grid),
            allowed="a heatpg.Grid of 2 axes",
            advice="leave grid out to get the default box",
        )
    return grid
