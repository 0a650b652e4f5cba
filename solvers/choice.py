"""Which solver ``solver="auto"`` stands for."""

from __future__ import annotations

import math

from heatpg.core.grid import Grid
from heatpg.errors import UnsupportedError
from heatpg.solvers import make
from heatpg.solvers.base import Solver

__all__ = ["PREFERENCES", "choose"]

PREFERENCES = ("accurate", "monotone")

_COMPOSES = 1.5
_RESOLVED = 2.5
_COARSE = 6.0


def choose(
    grid: Grid, variances: list[tuple[float, ...]], *, tolerance: float | None = None, prefer: str = "accurate"
) -> tuple[Solver, str]:
    """Pick a solver by the smallest sigma in units of the spacing and by what is wanted, and say why.

    From 6 h on every axis has a coarse lattice, and `multiresolution` is several times faster than a transform, at the
    same accuracy and with positive weights. Below that, ``accurate`` takes `spectral` down to 2.5 h, where it has no
    error but round-off (`direct` if a tolerance is given, which makes it faster); farther down the interpolant of rough
    data overshoots, and `direct` does not. ``monotone`` takes `direct` down to 1.5 h, and then `exponential`, whose
    weights are positive from every sigma to the next one too.

    Parameters
    ----------
    grid, variances
        What is to be solved: a row of variances, one per axis, for every sigma.
    tolerance
        Error that is good enough, in units of osc(Q); None for round-off.
    prefer
        ``accurate`` or ``monotone``.

    Raises
    ------
    UnsupportedError
        For another preference, or a tolerance out of range.

    Examples
    --------
    >>> from heatpg import Axis, Grid
    >>> from heatpg.solvers.choice import choose
    >>> grid = Grid(Axis("x", 0, 1, 101, boundary="clip"))
    >>> [choose(grid, [(sigma**2,)])[0].name for sigma in (0.1, 0.03, 0.003)]
    ['multiresolution', 'spectral', 'direct']
    >>> [choose(grid, [(sigma**2,)], prefer="monotone")[0].name for sigma in (0.1, 0.03, 0.003)]
    ['multiresolution', 'direct', 'exponential']
    """
    if prefer not in PREFERENCES:
        raise UnsupportedError("unknown preference", given=repr(prefer), allowed=" or ".join(map(repr, PREFERENCES)))
    if tolerance is not None and not 1e-14 <= tolerance <= 1e-3:
        raise UnsupportedError("tolerance out of range", given=tolerance, allowed="1e-14 to 1e-3, or None")
    ratios = [math.sqrt(t) / axis.spacing for row in variances for t, axis in zip(row, grid, strict=True) if t > 0]
    smallest = min(ratios, default=math.inf)
    above = " above 0" if any(t == 0 for row in variances for t in row) else ""
    if _COARSE <= smallest < math.inf:
        reason = (
            f"every sigma{above} is at least {_COARSE:g} grid spacings, so the field fits on a coarser lattice; "
            "positive weights, several times faster than a transform"
        )
        return make("multiresolution", tolerance=tolerance), reason
    if prefer == "monotone":
        if smallest >= _COMPOSES:
            reason = (
                f"every sigma{above} is at least {_COMPOSES:g} grid spacings, "
                "where sampled Gaussians compose to round-off"
            )
            return make("direct", tolerance=tolerance), f"{reason}; positive weights"
        reason = (
            f"the smallest sigma{above} is {smallest:.2g} grid spacings: positive weights from each sigma to the next"
        )
        return make("exponential"), reason
    if smallest >= _RESOLVED:
        reason = f"every sigma{above} is at least {_RESOLVED:g} grid spacings, where "
        if tolerance is not None:
            return make("direct", tolerance=tolerance), f"{reason}a tolerance makes quadrature faster than a transform"
        return make("spectral"), f"{reason}the transform is exact to round-off"
    return (
        make("direct", tolerance=tolerance),
        f"the smallest sigma{above} is {smallest:.2g} grid spacings; below {_RESOLVED:g} a transform of rough data "
        "overshoots, positive weights do not",
    )
