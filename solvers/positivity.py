"""How far the weights of a solver are from being non-negative, read off its kernel."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis
from heatpg.solvers.base import Solver
from heatpg.solvers.lines import line_along

__all__ = ["NEGLIGIBLE", "negative_mass"]

# A bound between two measured ones: the compact scheme has 1.5e-13 at sigma = 3.2 h, from where on every solver is
# asked for positive weights, and 2.4e-12 at 3 h.
NEGLIGIBLE = 4e-13
"""A negative mass that a solver may count as round-off, in units of osc(Q)."""

_EPS = float(np.finfo(np.float64).eps)


def _mass(excess: NDArray[np.float64]) -> float:
    # what is below the rounding of the transform itself is taken for zero
    return float(excess[excess > _EPS].sum())


@functools.lru_cache(maxsize=1024)
def negative_mass(solver: Solver, axis: Axis, start: float, stop: float) -> float:
    """Bound on the sum of the negative entries in a row of the map of a line onto itself, from t = start to t = stop.

    A field leaves its range by at most this times osc(Q). The kernel W on the continued line comes from the symbol by
    a Fourier transform, over one period of the line, or over the reach of the solver if that is less. Between walls
    the entries are sums of W. Beyond an end that is held the line is turned over, and they are W(i - j) - W(i + j),
    two offsets of one parity, or of unlike parity where the wall is half a spacing beyond: there W must not be larger
    farther out. The weights of the held values are then differences of the tails of W, which fall as well.

    Examples
    --------
    >>> from heatpg import Axis
    >>> from heatpg.solvers import make
    >>> from heatpg.solvers.positivity import negative_mass
    >>> axis = Axis("x", 0.0, 39.0, 40, boundary="reflect")
    >>> negative_mass(make("exponential"), axis, 0.0, 0.5)
    0.0
    >>> negative_mass(make("spectral"), axis, 0.0, 0.5) > 1e-3
    True
    """
    if stop <= start:
        return 0.0
    line = line_along(axis, 0)
    # the kernel is zero beyond the reach to 1e-17, so this period holds it without overlap
    length = 2 * (solver.reach(axis, (0.0, stop - start)) + 1)
    if not axis.rule.free_space:
        length = min(length, line.period)
    angle = 2.0 * math.pi / length * np.arange(length // 2 + 1)
    kernel = np.fft.irfft(solver.interval_symbol(angle, axis, start, stop), length)
    mass = _mass(-kernel)
    if line.closure.holds_ends:
        half = kernel[: length // 2 + 1]
        # the largest weight at this distance or farther, of the same parity
        farther = half.copy()
        for parity in (0, 1):
            farther[parity::2] = np.maximum.accumulate(half[parity::2][::-1])[::-1]
        # offsets i - j and i + j differ by 2 j, or i - j and i + j + 1 by 2 j + 1; where the weight farther out exceeds
        # the weight here, a difference is negative
        step = 0 if line.holds_nodes else 1
        mass += 2.0 * _mass(farther[step:] - half[: len(half) - step])
    return mass
