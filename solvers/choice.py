"""Which solver ``solver="auto"`` stands for."""

from __future__ import annotations

import math

from heatpg.grid import Grid
from heatpg.solvers import make
from heatpg.solvers.base import Solver

__all__ = ["choose"]

_RESOLVED = 2.5
_COARSE = 6.0


def choose(grid: Grid, variances: list[tuple[float, ...]]) -> tuple[Solver, str]:
    """Pick a solver by the smallest sigma in units of the spacing, and say why.

    From 6 h on every axis has a coarse lattice, and `multiresolution` is several times faster than a transform, at the
    same accuracy and with positive weights. From 2.5 h on `spectral` has no error but round-off. Below, the
    interpolant of rough data overshoots, and `direct` does not.

    Examples
    --------
    >>> from heatpg import Axis, Grid
    >>> from heatpg.solvers.choice import choose
    >>> grid = Grid(Axis("x", 0, 1, 101, boundary="clip"))
    >>> [choose(grid, [(sigma**2,)])[0].name for sigma in (0.1, 0.03, 0.003)]
    ['multiresolution', 'spectral', 'direct']
    """
    ratios = [math.sqrt(t) / axis.spacing for row in variances for t, axis in zip(row, grid, strict=True) if t > 0]
    smallest = min(ratios, default=math.inf)
    if _COARSE <= smallest < math.inf:
        reason = (
            f"every sigma is at least {_COARSE:g} grid spacings, so the field fits on a coarser lattice to round-off; "
            "positive weights, several times faster than a transform"
        )
        return make("multiresolution"), reason
    if smallest >= _RESOLVED:
        reason = f"every sigma is at least {_RESOLVED:g} grid spacings, where the transform is exact to round-off"
        return make("spectral"), reason
    return (
        make("direct"),
        f"the smallest sigma is {smallest:.2g} grid spacings; below {_RESOLVED:g} a transform of rough data "
        "overshoots, positive weights do not",
    )
