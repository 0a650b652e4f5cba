"""Noise narrower than a spacing: positive weights of the right variance, and a slope that ends at a wall.

What lies between two nodes is not known, and an interpolant has to be smoothed to a kink at every node: a piecewise
linear one raises u by (sigma h / sqrt(2 pi)) Q'', where noise itself raises it by (sigma^2 / 2) Q''. Steps of the
3-point Laplacian that balance each other have the variance sigma^2, no negative weight, and from sigma = h / sqrt(3) on
the fourth moment of a Gaussian too; below, no positive weights have it, and one step comes as near as any, sigma^2 h^2
Q'''' / 24. A wall is another matter: there the continued Q does have a kink, J_1 x for x > 0, whose flow is known.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from heatpg.core.grid import Axis
from heatpg.solvers.base import LineOperator, part
from heatpg.solvers.explicit import balanced_shares

__all__ = ["holds_slopes", "narrow_weights", "with_slopes"]

Array = NDArray[Any]

# by what a slope at a wall jumps there, in units of itself; the kink lies in a node
_JUMPS = {"clip": 1.0, "zero": 1.0, "reflect": 2.0}


def narrow_weights(ratio: float, radius: int) -> NDArray[np.float64]:
    """Weights for offsets -radius ... radius.

    Parameters
    ----------
    ratio
        sigma / h, below 1.
    radius
        Three at least where ratio is above 0.8, two above 0.57, one in any case.

    Examples
    --------
    >>> from heatpg.solvers.narrow import narrow_weights
    >>> narrow_weights(0.1, 2).round(12)
    array([0.   , 0.005, 0.99 , 0.005, 0.   ])
    """
    count, first, second = balanced_shares(ratio * ratio)
    weights = np.ones(1)
    for share in [1.0 / 6.0] * count + [share for share in (first, second) if share > 0.0]:
        weights = np.convolve(weights, [share, 1.0 - 2.0 * share, share])
    return np.pad(weights, radius - len(weights) // 2)


def holds_slopes(axis: Axis) -> bool:
    """Whether a slope that ends at a wall of this axis is made good below a spacing."""
    return axis.nodes == "vertex" and axis.boundary in _JUMPS


@functools.lru_cache(maxsize=256)
def _column(axis: Axis, ratio: float) -> NDArray[np.float64]:
    """What the weights lack of the flow of a kink x h for x > 0 at the first nodes from the wall, in units of h."""
    weights = narrow_weights(ratio, 4)
    # outside the wall the flow and the sum over the samples are both small, and the column is even about it
    place = np.arange(5)
    column = ratio * np.exp(-0.5 * np.square(place / ratio)) / math.sqrt(2.0 * math.pi) - place * ndtr(-place / ratio)
    for i in range(5):
        column[i] -= sum(weights[4 + i + j] * j for j in range(1, 5 - i))
    # At most half of what the node at the wall counts for this one, lest its weight be negative: the last of two steps
    # may be as small as one likes, and less than 1e-4 of the kink is left away.
    column[1:] = np.minimum(column[1:], 0.5 * weights[5:])
    if axis.boundary == "reflect":
        # the next image of the wall, which on a line of three or four nodes lies within reach
        period = 2 * (axis.size - 1)
        column = column + np.array([column[period - i] if 0 <= period - i < 5 else 0.0 for i in range(5)])
    return _JUMPS[axis.boundary] * column[: min(5, axis.size)]


@dataclasses.dataclass(frozen=True, eq=False)
class _WithSlopes:
    """A line operator, and the flow of the slope that ends at each wall."""

    operator: LineOperator
    column: NDArray[np.float64]

    def apply(self, source: Array, target: Array, position: int) -> None:
        size = source.shape[position]
        # before, because both may be one array; from the wall inwards
        low = part(source, position, 1, 2) - part(source, position, 0, 1)
        high = part(source, position, size - 2, size - 1) - part(source, position, size - 1, size)
        self.operator.apply(source, target, position)
        for i, value in enumerate(self.column.astype(source.dtype)):
            # one node of a short line may be near both walls
            part(target, position, i, i + 1)[...] += value * low
            part(target, position, size - 1 - i, size - i)[...] += value * high


def with_slopes(operator: LineOperator, axis: Axis, ratio: float) -> LineOperator:
    """The convolution with `narrow_weights` of this sigma / h, with what it lacks at the walls of an axis.

    The slope at a wall is taken from its node and the next; no weight of the sum becomes negative.
    """
    return _WithSlopes(operator, _column(axis, ratio)) if holds_slopes(axis) else operator
