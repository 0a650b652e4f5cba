"""Conservation: the integral of u over a closed box does not depend on sigma."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.noise import sigma_words
from heatpg.core.report import Check
from heatpg.core.walls import magnitude
from heatpg.evolution import Evolution
from heatpg.solvers import wide
from heatpg.verify import checks
from heatpg.verify.edge import kept_weights
from heatpg.verify.silence import Scale, bound_source, unless_silent

__all__ = ["conservation"]


def _shares(weights: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Weights of a mean over the box, which has the units of Q."""
    return np.asarray(functools.reduce(np.multiply.outer, [along / along.sum() for along in weights]))


@checks.register("conservation")
def conservation(evolution: Evolution, level: str = "standard") -> list[Check]:
    """Compare the integral of u over the box with that of Q, where every boundary conserves it.

    Parameters
    ----------
    evolution
        Evolution to check.
    level
        The same check is made at every level.

    Returns
    -------
    entries
        One entry, or none if an axis has a boundary condition without conservation (absorb, clip, zero).

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
    # u has no kink at a wall: the trapezoid rule integrates it; of Q the rule that the correction of the ends keeps
    plain = _shares(axis.integration_weights(0) for axis in grid)
    largest = magnitude(evolution.landscape)
    # in units of a power of two near the largest value: exact, and neither too large nor too small to be summed
    exponent = -math.frexp(largest)[1]
    terms = np.empty(initial.shape)

    def mean(field: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        # in double precision, whatever the type of the field; by a power of two, or by two where one is out of range
        first = exponent if abs(exponent) < 1000 else exponent // 2
        np.multiply(field, math.ldexp(1.0, first), out=terms, dtype=np.float64)
        if first != exponent:
            np.multiply(terms, math.ldexp(1.0, exponent - first), out=terms)
        return np.asarray(np.multiply(terms, weights, out=terms).sum(axis=axes))

    kind = np.finfo(initial.dtype)
    # an operation rounds to the digits of the type, and never finer than the spacing of its subnormal numbers
    unit = math.ldexp(float(kind.eps) * largest + float(kind.smallest_subnormal), exponent)
    changes = []
    means: dict[bytes, NDArray[np.float64]] = {}
    for k, paths in enumerate(evolution.paths):
        kept = [kept_weights(evolution.solver, axis, path[-1]) for axis, path in zip(grid, paths, strict=True)]
        key = b"".join(weights.tobytes() for weights in kept)
        if key not in means:  # the same at all sigmas but the narrowest
            means[key] = mean(initial, _shares(kept))
        before, after = means[key], mean(evolution.values[k], plain)
        rounding = sum(wide.rounding(evolution.solver, a, p) for a, p in zip(grid, paths, strict=True) if p[-1] > 0)
        change = float(np.abs(after - before).max())
        allowed = 2.0 * unit * (1.0 + rounding) + math.ldexp(evolution.value_error, exponent)
        # the level that comes nearest to its own bound is told, not the one that changes most
        changes.append((change / allowed if allowed else 0.0, change, allowed, k))
    _, worst, bound, where = max(changes)
    scale = math.ldexp(Scale.of(evolution).size, exponent)
    passed = worst <= bound
    check = Check(
        "conservation",
        "passed" if passed else "failed",
        "the mean of u over the box equals that of Q"
        if passed
        else f"the mean of u over the box changes at sigma={sigma_words(evolution.sigma[where])}",
        worst / scale,
        bound / scale,
        bound_source("round-off", evolution),
    )
    # back in the units of Q
    return [unless_silent(check, evolution, [(k, math.ldexp(allowed, -exponent)) for _, _, allowed, k in changes])]
