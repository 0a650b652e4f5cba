"""Conservation: the integral of u over a closed box does not depend on sigma."""

from __future__ import annotations

import numpy as np

from heatpg.core.noise import sigma_words
from heatpg.core.report import Check
from heatpg.evolution import Evolution
from heatpg.verify import checks

__all__ = ["conservation"]


@checks.register("conservation")
def conservation(evolution: Evolution, level: str = "standard") -> list[Check]:
    """Compare the integral of u over the box with that of Q, where every boundary conserves it.

    Parameters
    ----------
    evolution
        What to check.
    level
        The same check is made at every level.

    Returns
    -------
    entries
        One entry, or none if an axis has a boundary through which mass leaves (absorb, clip, zero).

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.evolution import solve
    >>> from heatpg.verify.conservation import conservation
    >>> grid = Grid(Axis("x", 0.0, 1.0, 33, boundary="reflect"))
    >>> [check.status for check in conservation(solve(Landscape.from_function(np.exp, grid), 0.2))]
    ['passed']
    """
    grid, initial = evolution.grid, evolution.landscape.values
    if not all(axis.rule.conserves_mass for axis in grid):
        return []
    axes = tuple(range(initial.ndim - grid.dimensions, initial.ndim))
    weights = grid.weights
    volume = float(weights.sum())
    # summed in double precision, whatever the type of the field
    before = (initial * weights).sum(axis=axes, dtype=np.float64)
    unit = float(np.finfo(initial.dtype).eps) * float(np.abs(initial).max())
    changes = []
    for k, paths in enumerate(evolution.paths):
        after = (evolution.values[k] * weights).sum(axis=axes, dtype=np.float64)
        rounding = sum(evolution.solver.rounding(a, p) for a, p in zip(grid, paths, strict=True) if p[-1] > 0)
        # as a mean over the box, which has the units of Q
        change = float(np.abs(after - before).max()) / volume
        allowed = 2.0 * unit * (1.0 + rounding) + evolution.rounding
        # the level that comes nearest to its own bound is told, not the one that changes most
        changes.append((change / allowed if allowed else 0.0, change, allowed, k))
    _, worst, bound, where = max(changes)
    oscillation = evolution.landscape.oscillation or 1.0
    passed = worst <= bound
    return [
        Check(
            "conservation",
            "passed" if passed else "failed",
            "the mean of u over the box is that of Q"
            if passed
            else f"the mean of u over the box changes at sigma={sigma_words(evolution.sigma[where])}",
            worst / oscillation,
            bound / oscillation,
            "round-off, relative to osc(Q)",
        )
    ]
