"""What a value on a wall between cells adds to the continuous flow at any place, with its derivatives.

With x from the wall and L the length of the box it is Phi(-x / sigma) in free space (clip). For walls that are held
(absorb) it is the sum over images 2 sum_k [Phi(-(2 k L + x) / sigma) - Phi(-(2 (k + 1) L - x) / sigma)], k >= 0, or for
wide noise 1 - x / L - sum_m 2 / (pi m) sin(pi m x / L) exp(-(pi m sigma / L)^2 / 2), m >= 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.polynomial import hermite_e
from numpy.typing import NDArray
from scipy.special import ndtr

from heatpg.core.grid import Axis

__all__ = ["wall_flow"]

Array = NDArray[Any]

_TAIL = 9.0  # standard deviations: 2e-19 of the noise goes further
_WAVES = 13  # of the series from sigma = L on: exp(-(13 pi)^2 / 2) is 0


def wall_flow(axis: Axis, x: Array, sigma: Array, order: int) -> NDArray[np.float64]:
    """The flow of 1 on one wall and 0 elsewhere, and its derivatives.

    Parameters
    ----------
    axis
        An axis of cells on whose walls the values count.
    x
        Distances from the lower wall, shape (points,).
    sigma
        Noise along the axis at each, shape (points,); where it is 0 only the wall has its value, and what lies beyond.
    order
        Of the highest derivative.

    Returns
    -------
    flow
        Of the lower and of the upper wall, shape (2, points, order + 1).

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis
    >>> from heatpg.core.wall_flow import wall_flow
    >>> axis = Axis("x", 0.0, 4.0, 4, boundary="absorb", nodes="cell")
    >>> wall_flow(axis, np.array([0.0, 1.0]), np.full(2, 1e3), 1).tolist()
    [[[1.0, -0.25], [0.75, -0.25]], [[0.0, 0.25], [0.25, 0.25]]]
    """
    lower = _from_wall(axis, x, sigma, order)
    # the upper wall is seen from the other side, which turns odd derivatives over
    upper = _from_wall(axis, axis.length - x, sigma, order) * (-1.0) ** np.arange(order + 1)
    return np.stack([lower, upper])


def _from_wall(axis: Axis, x: Array, sigma: Array, order: int) -> NDArray[np.float64]:
    length, turned = axis.length, (-1.0) ** np.arange(order + 1)
    result = np.zeros((len(x), order + 1))
    still = sigma == 0.0
    result[still, 0] = x[still] <= 0.0
    if axis.rule.free_space:
        result[~still] = _outside(x[~still], sigma[~still], order)
        return result
    near, far = ~still & (sigma < length), ~still & (sigma >= length)
    if near.any():
        place, spread = x[near], sigma[near]
        for k in range(math.ceil(_TAIL * float(spread.max()) / (2.0 * length)) + 1):
            result[near] += 2.0 * _outside(2.0 * k * length + place, spread, order)
            result[near] -= 2.0 * turned * _outside(2.0 * (k + 1) * length - place, spread, order)
    if far.any():
        place, ratio = x[far] / length, math.pi * sigma[far] / length
        waves = np.zeros((len(place), order + 1))
        waves[:, 0] = 1.0 - place
        waves[:, 1:2] = -1.0 / length
        for m in range(1, _WAVES):
            left = 2.0 / (math.pi * m) * np.exp(-0.5 * np.square(m * ratio))
            for n in range(order + 1):
                # each derivative of a sine is a quarter of a turn
                turn = np.sin(math.pi * m * place + 0.5 * math.pi * n)
                waves[:, n] -= left * (math.pi * m / length) ** n * turn
        result[far] = waves
    return result


def _outside(x: Array, sigma: Array, order: int) -> NDArray[np.float64]:
    """How much of the noise at x leads below 0, with derivatives: -(-1)^(n - 1) He_(n - 1)(z) phi(z) / sigma^n."""
    z = x / sigma
    result = np.empty((len(x), order + 1))
    result[:, 0] = ndtr(-z)
    density = np.exp(-0.5 * np.square(z)) / math.sqrt(2.0 * math.pi)
    for n in range(1, order + 1):
        hermite = hermite_e.hermeval(z, [0.0] * (n - 1) + [1.0])
        result[:, n] = (-1.0) ** n * hermite * density / sigma**n
    return result
