"""Noise narrower than a spacing: weights with the moments of a Gaussian, and the slope that ends at a wall.

What lies between two nodes is not known, and an interpolant has to be smoothed to a kink at every node: a piecewise
linear one raises u by (sigma h / sqrt(2 pi)) Q'', where noise itself raises it by (sigma^2 / 2) Q''. Weights that are
not negative can have the variance of the noise at every sigma, its fourth moment from sigma = h / sqrt(3) on, and its
sixth from 0.61 h on: three, five and seven of them. They are continuous in sigma.

A wall is another matter. There the continued Q does have a kink, whose flow is known: with r_k(x) = x^k / k! inside and
0 outside, and R_k its flow, the weights lack D_k = R_k - (what they make of the samples of r_k). Below a spacing the
slope is taken from the outermost two nodes, and of D_k only so much that no weight of u becomes negative.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis
from heatpg.tools.kernels import kernel_part

__all__ = [
    "NARROW_REACH",
    "fill_narrow_columns",
    "fill_narrow_weights",
    "narrow_columns",
    "narrow_jumps",
    "narrow_weights",
]

Array = NDArray[Any]

NARROW_REACH = 3
"""Nodes to which the weights reach on either side."""

# by what multiple of itself the slope, and whether the value, of the continued data jumps at a wall that is a node
_SLOPES = {"clip": 1.0, "zero": 1.0, "reflect": 2.0}


def _fill_weights(ratio: float, weights: Array) -> None:
    """Weights for offsets -m ... m, m = `NARROW_REACH` at least, of sigma = `ratio` spacings, below 1."""
    middle = len(weights) // 2
    s = ratio * ratio
    weights[:] = 0.0
    # sum_j w_j j^2 = s / 2, j^4: 3 s^2 / 2, j^6: 15 s^3 / 2, for as many as keep all weights from being negative
    if s > 1.0 - math.sqrt(0.4):
        one = s * (0.75 - 0.8125 * s + 0.3125 * s * s)
        two = s * (-0.9 + 3.0 * s - 1.5 * s * s) / 12.0
        three = s * (2.0 - 7.5 * s + 7.5 * s * s) / 360.0
    elif s > 1.0 / 3.0:
        # without the second, which would be negative: so they go over into those above and below without a jump
        one, two, three = s * (9.0 - 3.0 * s) / 16.0, 0.0, s * (3.0 * s - 1.0) / 144.0
    else:
        one, two, three = 0.5 * s, 0.0, 0.0
    # the middle takes what is left, so that constants are kept
    weights[middle] = 1.0 - 2.0 * (one + two + three)
    weights[middle - 1] = weights[middle + 1] = one
    weights[middle - 2] = weights[middle + 2] = two
    weights[middle - 3] = weights[middle + 3] = three


def _fill_columns(ratio: float, weights: Array, columns: Array) -> None:
    """D_0 and D_1 / h at the first nodes from a wall inwards, shape (2, 4), and no more of them than may be."""
    middle = len(weights) // 2
    for j in range(columns.shape[1]):
        tail = 0.5 * math.erfc(j / ratio * 0.7071067811865476)
        flow = ratio * 0.3989422804014327 * math.exp(-0.5 * (j / ratio) * (j / ratio)) - j * tail
        beyond = 0.0
        for m in range(j + 1, NARROW_REACH + 1):
            flow -= weights[middle + m] * (m - j)
            beyond += weights[middle + m]
        own = weights[middle + j]
        # At most half of what the node on the wall counts for this one: what is left away is less than 1e-4 of a slope
        # times h, and below 4e-4 of a jump.
        columns[1, j] = flow if j == 0 else min(flow, 0.5 * own)
        # and of a jump so much that it counts for nothing at least; on the wall both halves are equal
        columns[0, j] = 0.0 if j == 0 else max(beyond + 0.5 * own - tail, columns[1, j] - 0.5 * own)


# in kernels; what is asked for alone is a few numbers, which Python has before it would have compiled this
fill_narrow_weights = kernel_part(_fill_weights)
fill_narrow_columns = kernel_part(_fill_columns)


def narrow_weights(ratio: float) -> NDArray[np.float64]:
    """Weights for offsets -3 ... 3 of noise of `ratio` spacings, below 1.

    Examples
    --------
    >>> from heatpg.core.narrow import narrow_weights
    >>> narrow_weights(0.1).round(12)
    array([0.   , 0.   , 0.005, 0.99 , 0.005, 0.   , 0.   ])
    """
    weights = np.empty(2 * NARROW_REACH + 1)
    _fill_weights(ratio, weights)
    return weights


def narrow_columns(ratio: float) -> NDArray[np.float64]:
    """What the weights lack of the flow of a jump and of a slope at a wall, at the first nodes inwards; in spacings.

    Examples
    --------
    >>> from heatpg.core.narrow import narrow_columns
    >>> narrow_columns(0.01)[1].round(6)  # of a slope, 0.01 / sqrt(2 pi) less the half of a variance
    array([0.003939, 0.      , 0.      , 0.      ])
    """
    columns = np.empty((2, NARROW_REACH + 1))
    _fill_columns(ratio, narrow_weights(ratio), columns)
    return columns


def narrow_jumps(axis: Axis) -> tuple[float, float]:
    """By what multiples of themselves the value and the slope of the continued Q jump at a wall; 0 where they do not.

    Examples
    --------
    >>> from heatpg import Axis
    >>> from heatpg.core.narrow import narrow_jumps
    >>> narrow_jumps(Axis("x", 0.0, 1.0, 11, boundary="clip"))
    (0.0, 1.0)
    """
    if axis.nodes == "cell":
        return 0.0, 0.0
    return (1.0 if axis.boundary == "zero" else 0.0), _SLOPES.get(axis.boundary, 0.0)
