"""Kinks of the continued Q at the walls of a box: which derivatives jump, by how much, and what sums make of them.

With r_k(x) = x^k / k! inside a wall and 0 outside, and R_k its flow, a sum of samples of the Gaussian lacks
D_k = R_k - (sum over the samples of r_k). By Euler and Maclaurin that is a series in the derivatives of the Gaussian g,

    D_k = -(-1)^k h^(k+1) / k! sum_n B_(n+k+1) / ((n + k + 1) n!) h^n g^(n),    n + k + 1 even,

with the Bernoulli polynomials at 0 where the wall is a node, at 1/2 where it lies between two. What is missing from u
is the sum of J_k D_k over k, J_k the jump of the k-th derivative, taken from the polynomial through the end nodes.
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis
from heatpg.tools.kernels import kernel

__all__ = ["REACH", "TERMS", "add_kinks", "jumps_along", "kink_series", "kink_tables", "period_of"]

Array = NDArray[Any]

REACH = 8.5
"""Standard deviations from a wall to which it is felt: as far as `direct` sums, lest a negative weight stand alone."""
TERMS = 60
"""Derivatives of the Gaussian in the series: at sigma = 1.5 h they leave 1e-17."""

_MOST = 4  # nodes that a polynomial goes through, and the number of its derivatives
_FEWER_TERMS = 40  # (2 pi)^2: at sigma = h the series is best cut here, and leaves 3e-9
# Weights of the end nodes for h^k Q^(k) at the wall, k = 0, 1, ..., by the number of nodes.
_STENCILS: dict[tuple[str, int], tuple[tuple[float, ...], ...]] = {
    ("vertex", 3): ((1, 0, 0), (-3 / 2, 2, -1 / 2), (1, -2, 1)),
    ("vertex", 4): ((1, 0, 0, 0), (-11 / 6, 3, -3 / 2, 1 / 3), (2, -5, 4, -1), (-1, 3, -3, 1)),
    ("cell", 3): ((15 / 8, -5 / 4, 3 / 8), (-2, 3, -1), (1, -2, 1)),
    ("cell", 4): (
        (35 / 16, -35 / 16, 21 / 16, -5 / 16),
        (-71 / 24, 141 / 24, -93 / 24, 23 / 24),
        (5 / 2, -13 / 2, 11 / 2, -3 / 2),
        (-1, 3, -3, 1),
    ),
}
# Which derivatives of Q jump at a wall, and by what multiple of what they are inside. Not between held ends (absorb),
# where only Q'' jumps: order 4 is there without, and what is straight at the walls stays exact.
_JUMPS: dict[str, tuple[tuple[int, ...], float]] = {
    "clip": ((1, 2, 3), 1.0),  # a constant outside, the value on the wall, whether a node is there or not
    "zero": ((0, 1, 2, 3), 1.0),
    "reflect": ((1, 3), 2.0),  # even about the wall: odd derivatives turn over
}


def jumps_along(axis: Axis, sigma: float) -> tuple[tuple[int, ...], NDArray[np.float64]]:
    """Which derivatives jump at a wall, and the weights of the nodes from there inwards for h^k J_k.

    Returns
    -------
    orders
        The k; none where nothing is corrected: a boundary or a node placement that has no kink or is not known.
    weights
        Shape (orders, nodes).

    Examples
    --------
    >>> from heatpg import Axis
    >>> from heatpg.core.kinks import jumps_along
    >>> jumps_along(Axis("x", 0.0, 2.0, 3, boundary="clip"), 1.0)
    ((1, 2), array([[-1.5,  2. , -0.5],
           [ 1. , -2. ,  1. ]]))
    """
    # at cell centres four nodes have negative weights below 1.5 h; as many nodes as there are, where they are few
    most = 3 if axis.nodes == "cell" and sigma < 1.5 * axis.spacing else _MOST
    return _jumps(axis.boundary, axis.nodes, min(most, axis.size))


@functools.cache
def _jumps(boundary: str, nodes: str, count: int) -> tuple[tuple[int, ...], NDArray[np.float64]]:
    known, factor = _JUMPS.get(boundary, ((), 1.0))
    table = np.array(_STENCILS[nodes, count], dtype=np.float64)
    orders = tuple(k for k in known if k < len(table))
    weights = factor * table[list(orders)].reshape(len(orders), table.shape[1])
    weights.setflags(write=False)  # it is kept
    return orders, weights


def period_of(axis: Axis) -> int:
    """Distance in spacings after which the images of a wall repeat; 0 in free space."""
    if axis.rule.free_space:
        return 0
    return 2 * axis.size if axis.nodes == "cell" and not axis.rule.holds_ends else 2 * (axis.size - 1)


@functools.cache
def _bernoulli(count: int) -> list[Fraction]:
    # exact, because SciPy's lose two digits
    numbers = [Fraction(1)]
    for m in range(1, count):
        numbers.append(-sum((math.comb(m + 1, j) * numbers[j] for j in range(m)), Fraction(0)) / (m + 1))
    return numbers


@functools.cache
def kink_series(order: int, cell: bool) -> NDArray[np.float64]:
    """Factors of the n-th derivative of the Gaussian in D_k / h^k, in units of h; n = 0 ... TERMS."""
    result = np.zeros(TERMS + 1)
    numbers = _bernoulli(TERMS + _MOST + 2)
    for n in range(TERMS + 1):
        m = n + order + 1
        if m % 2 == 0:
            number = float(numbers[m]) * (2.0 ** (1 - m) - 1.0 if cell else 1.0)
            result[n] = -((-1.0) ** order) * number / (m * math.factorial(n) * math.factorial(order))
    return result


def kink_tables(axis: Axis) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """What `add_kinks` takes: weights below and from 1.5 h on, the series, and period, wall and number of nodes."""
    weights = np.zeros((2, _MOST, _MOST))
    count = 0
    for table, sigma in zip(weights, (axis.spacing, 2.0 * axis.spacing), strict=True):
        orders, rows = jumps_along(axis, sigma)
        count = rows.shape[1] if orders else 0
        for k, row in zip(orders, rows, strict=True):
            table[k, : len(row)] = row
    cell = axis.nodes == "cell"
    series = np.stack([kink_series(k, cell) for k in range(_MOST)])
    return weights, series, np.array([float(period_of(axis)), 0.5 if cell else 0.0, float(count)])


@kernel
def add_kinks(
    place: float,
    ratio: float,
    spacing: float,
    size: int,
    upper: bool,
    weights: Array,
    series: Array,
    wall: Array,
    orders: int,
    lo: int,
    out: Array,
) -> None:
    """Add to the weights of derivatives at a point what one wall lacks: out[m, i - lo] += sum_k D_k^(m) J_ki.

    `place` is the distance from the wall inwards and `ratio` is sigma, both in spacings, 1 at least.
    """
    table = weights[0 if ratio < 1.5 else 1]
    period = wall[0]
    nodes = int(wall[2])
    # what is left is below 1e-16 of the first term, see the top of this file
    last = 12
    if ratio < 8.0:
        last = 20
    if ratio < 3.0:
        last = _FEWER_TERMS
    most = 0
    if period > 0.0:
        most = int(np.ceil((REACH * ratio + abs(place)) / period))
    for image in range(-most, most + 1):
        y = place + image * period
        if abs(y) > REACH * ratio:
            continue
        z = y / ratio
        # G^(n) = (-1)^n He_n(z) G / sigma^n, of which `term` holds the present n
        scale = np.exp(-0.5 * z * z) * 0.3989422804014327 / ratio
        before, now = 0.0, 1.0
        for n in range(last + orders):
            term = now * scale
            for m in range(min(n, orders - 1) + 1):
                if n - m > last:
                    continue
                # towards the upper wall the distance falls as x grows
                turned = -1.0 if upper and m % 2 == 1 else 1.0
                for k in range(table.shape[0]):
                    factor = series[k, n - m]
                    if factor != 0.0:
                        share = turned * factor * term / spacing**m
                        for i in range(nodes):
                            node = size - 1 - i if upper else i
                            out[m, node - lo] += share * table[k, i]
            before, now = now, z * now - n * before
            scale = -scale / ratio
