"""Which solver ``solver="auto"`` stands for."""

from __future__ import annotations

import math

from heatpg.grid import Grid
from heatpg.solvers import make
from heatpg.solvers.base import Solver

__all__ = ["choose"]

_RESOLVED = 2.5


def choose(grid: Grid, variances: list[tuple[float, ...]]) -> tuple[Solver, str]:
    """Pick a solver by the smallest sigma in units of the spacing, and say why.

    Examples
    --------
    >>> from heatpg import Axis, Grid
    >>> from heatpg.solvers.choice import choose
    >>> solver, reason = choose(Grid(Axis("x", 0, 1, 101, boundary="clip")), [(0.1**2,)])
    >>> solver.name
    'spectral'
    """
    ratios = [math.sqrt(t) / axis.spacing for row in variances for t, axis in zip(row, grid, strict=True) if t > 0]
    smallest = min(ratios, default=math.inf)
    if smallest >= _RESOLVED:
        reason = f"every sigma is at least {_RESOLVED:g} grid spacings, where the transform is exact to round-off"
        return make("spectral"), reason
    return (
        make("direct"),
        f"the smallest sigma is {smallest:.2g} grid spacings; below {_RESOLVED:g} a transform of rough data "
        "overshoots, positive weights do not",
    )
