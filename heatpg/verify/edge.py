"""What a sum over nodes lacks at the edge of the box, computed apart from the solvers.

A kink x^k / k! that begins at a wall is integrated against the Gaussian by Gauss-Legendre quadrature, and the sum over
its samples taken away. Where sigma is wide that difference would be lost in rounding: there it is the Euler-Maclaurin
sum with its remainder, an integral over the periodic Bernoulli polynomial, which loses nothing. Derivatives of the data
at a wall come from the polynomial through the end nodes, by the inverse of its Vandermonde matrix.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.polynomial import polynomial
from numpy.typing import NDArray

from heatpg.core.grid import Axis
from heatpg.solvers import Solver
from heatpg.tools.sums import product

__all__ = [
    "added_rows",
    "corrects_ends",
    "end_weights",
    "half_flow",
    "kept_weights",
    "kinks",
    "largest_jumps",
    "narrow_reference",
]

Array = NDArray[Any]

_TAIL = 9.5  # standard deviations
_DIFFERENCE = 1.5  # sigma / h below which the difference itself keeps its digits
_NO_REMAINDER = 32.0  # sigma / h from which five terms of the sum leave (1 / 2 pi 32)^10
# Bernoulli polynomials B_2 to B_10 from the lowest power on
_BERNOULLI = {
    2: (1 / 6, -1, 1),
    4: (-1 / 30, 0, 1, -2, 1),
    6: (1 / 42, 0, -1 / 2, 0, 5 / 2, -3, 1),
    8: (-1 / 30, 0, 2 / 3, 0, -7 / 3, 0, 14 / 3, -4, 1),
    10: (5 / 66, 0, -3 / 2, 0, 5, 0, -7, 0, 15 / 2, -5, 1),
}


def end_weights(axis: Axis, sigma: float, nodes: int | None = None) -> tuple[tuple[int, ...], NDArray[np.float64]]:
    """Which derivatives of the continued data jump at a wall, and the weights of the nodes inwards for h^k J_k.

    Parameters
    ----------
    axis
        The axis.
    sigma
        Noise along it: at cell centres three nodes are taken below 1.5 h.
    nodes
        How many nodes instead of the usual three or four.

    Examples
    --------
    >>> from heatpg import Axis
    >>> from heatpg.verify.edge import end_weights
    >>> orders, weights = end_weights(Axis("x", 0.0, 2.0, 3, boundary="clip"), 1.0)
    >>> orders, weights.round(12)
    ((1, 2), array([[-1.5,  2. , -0.5],
           [ 1. , -2. ,  1. ]]))
    """
    usual = 3 if axis.nodes == "cell" and sigma < 1.5 * axis.spacing else 4
    return _end_weights(axis.boundary, axis.nodes == "cell", min(nodes or usual, axis.size))


@functools.lru_cache(maxsize=64)  # boundaries, kinds of nodes and counts: few
def _end_weights(boundary: str, cell: bool, count: int) -> tuple[tuple[int, ...], NDArray[np.float64]]:
    # constant, nothing, even outside
    first, step = {"clip": (1, 1), "zero": (0, 1), "reflect": (1, 2)}.get(boundary, (count, 1))
    orders = tuple(range(first, count, step))
    place = np.arange(count) + (0.5 if cell else 0.0)
    # values = V coefficients, and the k-th derivative is k! times the k-th coefficient
    powers = np.vander(place, increasing=True)
    inverse = np.linalg.inv(powers)
    # a step of Newton's: the last digits, which wide sums over images would gather
    inverse = product(inverse, 2.0 * np.eye(count) - product(powers, inverse))
    # an even continuation turns a slope over, so that it jumps by twice its value
    twice = 2.0 if boundary == "reflect" else 1.0
    weights = np.array([twice * math.factorial(k) * inverse[k] for k in orders]).reshape(len(orders), count)
    weights.setflags(write=False)
    return orders, weights


def _derivative(x: Array, sigma: float, order: int) -> Array:
    """(d/dy)^order of the density at x - y, in x."""
    z = x / sigma
    hermite = np.polynomial.hermite_e.hermeval(z, [0.0] * order + [1.0])
    # as a negative power, which comes to nothing where a positive one would overflow
    return np.asarray(hermite * np.exp(-0.5 * z * z) * (sigma ** -(order + 1) / math.sqrt(2.0 * math.pi)))


def half_flow(order: int, x: Array, sigma: float) -> NDArray[np.float64]:
    """The integral of y^k / k! over y > 0 against the Gaussian about x."""
    nodes, masses = np.polynomial.legendre.leggauss(16)
    result = np.zeros(len(x))
    # pieces of half a sigma from the wall, or from where the Gaussian begins
    begin = np.maximum(0.0, x - _TAIL * sigma)
    length = np.maximum(0.0, x + _TAIL * sigma - begin)
    pieces = math.ceil(4.0 * _TAIL)
    for piece in range(pieces):
        y = begin[:, None] + length[:, None] * (piece + 0.5 * (nodes + 1.0)) / pieces
        inside = y**order / math.factorial(order) * _derivative(x[:, None] - y, sigma, 0)
        result += (0.5 * length / pieces) * product(inside, masses[:, None])[:, 0]
    return result


def kinks(order: int, width: float, x: Array, sigma: float = 0.0) -> NDArray[np.float64]:
    """x^k / k! inside, less its flow to `width` (and its second derivative): a kink without its far part; its flow.

    Parameters
    ----------
    order
        The k.
    width
        Over how much it is smoothed.
    x
        Distance from the wall inwards.
    sigma
        How far it has flowed.
    """
    # the two sides mirror each other, with or without a sign; outside no large numbers cancel
    below = -np.abs(x)
    total = math.hypot(sigma, width)
    result = -half_flow(order, below, total)
    if order > 1:
        result += 0.5 * width**2 * half_flow(order - 2, below, total)
    if sigma > 0.0:
        result += half_flow(order, below, sigma)
    elif order == 0:
        result += np.where(x == 0, 0.5, 0.0)
    return np.where(x > 0, -1.0 if order % 2 == 0 else 1.0, 1.0) * result


def _column(order: int, distance: Array, ratio: float, cell: bool) -> NDArray[np.float64]:
    """D_k at these distances inside the wall, in spacings."""
    half = 0.5 if cell else 0.0
    # outside the wall both terms are small; inside D_k is the same or turned over
    x = -distance
    sign = -1.0 if order % 2 == 0 else 1.0
    if ratio < _DIFFERENCE:
        y = np.arange(math.ceil(_TAIL * ratio) + 2) + half
        density = np.exp(-0.5 * np.square(np.arange(-len(y) - 1, len(y) + 2) / ratio))
        samples = np.where(y == 0, 0.5, 1.0) * y**order / math.factorial(order)
        weights = np.exp(-0.5 * np.square((x[:, None] - y) / ratio)) / math.fsum(density)
        return sign * (half_flow(order, x, ratio) - product(weights, samples[:, None])[:, 0])
    most = 4 if ratio < _NO_REMAINDER else 10
    result = np.zeros(len(x))
    for number in range(2, most + 1, 2):
        power = number - 1
        if power >= order:
            # (r_k g)^(p) at the wall: only the k-th derivative of r_k is left there
            slope = math.comb(power, order) * _derivative(x, ratio, power - order)
            result += polynomial.polyval(half, _BERNOULLI[number]) / math.factorial(number) * slope
    if ratio < _NO_REMAINDER:
        # the polynomial is smooth between the nodes of the sum only
        nodes, masses = np.polynomial.legendre.leggauss(8)
        breaks = np.concatenate(([0.0] if cell else [], np.arange(math.ceil(_TAIL * ratio) + 1) + half))
        lengths = np.diff(breaks)
        y = (breaks[:-1, None] + 0.5 * lengths[:, None] * (nodes + 1.0)).ravel()
        mass = (0.5 * lengths[:, None] * masses).ravel()
        between = np.mod(y - half, 1.0)
        periodic = polynomial.polyval(between, _BERNOULLI[4]) / math.factorial(4)
        fourth = np.zeros((len(x), len(y)))
        for i in range(min(order, 4) + 1):
            falling = y ** (order - i) / math.factorial(order - i)
            fourth += math.comb(4, i) * falling * _derivative(x[:, None] - y, ratio, 4 - i)
        result += product(fourth, (mass * periodic)[:, None])[:, 0]
    return sign * result


@functools.lru_cache(maxsize=256)
def _columns(
    orders: tuple[int, ...], size: int, period: int, cell: bool, ratio: float, rows: tuple[int, ...]
) -> NDArray[np.float64]:
    """D_k / h^k of the lower wall at some nodes, over all of its images, shape (orders, rows)."""
    place = np.array(rows) + (0.5 if cell else 0.0)
    result = np.zeros((len(orders), len(rows)))
    most = math.ceil((_TAIL * ratio + size) / period) if period else 0
    for image in range(-most, most + 1):
        where = place + image * period
        near = np.flatnonzero(np.abs(where) <= _TAIL * ratio)
        if not len(near):
            continue
        for row, order in zip(result, orders, strict=True):
            value = _column(order, np.abs(where[near]), ratio, cell)
            row[near] += np.where(where[near] < 0, -1.0 if order % 2 == 0 else 1.0, 1.0) * value
    result.setflags(write=False)
    return result


@functools.lru_cache(maxsize=256)
def _missing_mass(orders: tuple[int, ...], size: int, period: int, cell: bool, ratio: float) -> NDArray[np.float64]:
    """What the sum over the nodes of a column lacks of its integral, per unit of the Gaussian about the wall."""
    nodes = np.arange(size)
    share = np.full(size, 1.0)
    if not cell:
        share[0] = share[-1] = 0.5
    columns = product(_columns(orders, size, period, cell, ratio, tuple(nodes.tolist())), share[:, None])[:, 0]
    # over the whole line D_k integrates to -B_(k+1) / (k+1)! (-1)^k, even orders to nothing
    whole = [
        polynomial.polyval(0.5 if cell else 0.0, _BERNOULLI[k + 1]) / math.factorial(k + 1) if k % 2 else 0.0
        for k in orders
    ]
    gaussian = float((share * _about_wall(nodes, period, cell, ratio)).sum())
    result = (0.5 * np.array(whole) - columns) / gaussian
    result.setflags(write=False)
    return result


def _about_wall(nodes: Array, period: int, cell: bool, ratio: float) -> NDArray[np.float64]:
    """The Gaussian about a wall and all of its images."""
    images = np.arange(-math.ceil(_TAIL * ratio) - 1, math.ceil(_TAIL * ratio) + 2) * period
    place = nodes[:, None] + (0.5 if cell else 0.0) + images
    return np.asarray(np.exp(-0.5 * np.square(place / ratio)).sum(axis=1))


@functools.lru_cache(maxsize=256)
def narrow_reference(ratio: float) -> NDArray[np.float64]:
    """Weights for offsets -3 ... 3 of noise of `ratio` spacings, below 1: the moments of a Gaussian, or fewer of them.

    The first even moments are prescribed, as many as there are weights on one side, and a weight that would be negative
    is left out together with the highest of them.

    Examples
    --------
    >>> from heatpg.verify.edge import narrow_reference
    >>> weights = narrow_reference(0.9)
    >>> round(float(weights @ [float(j**6) for j in range(-3, 4)] / 0.9**6), 12)
    15.0
    """
    moments = np.array([1.0, 3.0, 15.0]) * ratio ** np.array([2.0, 4.0, 6.0])
    # as sigma falls the second is the first to become negative, then the third
    for nodes in ([1, 2, 3], [1, 3], [1]):
        powers = np.power.outer(np.array(nodes, dtype=np.float64), 2 * np.arange(1, len(nodes) + 1)).T
        found = np.linalg.solve(powers, 0.5 * moments[: len(nodes)])
        if found.min() >= 0.0:
            break
    side = np.zeros(3)
    side[np.array(nodes) - 1] = found
    return np.concatenate((side[::-1], [1.0 - 2.0 * math.fsum(side)], side))


@functools.lru_cache(maxsize=256)
def _narrow_columns(ratio: float) -> NDArray[np.float64]:
    """D_0 and D_1 / h at the first four nodes from a wall inwards, and no more than the weights there allow."""
    weights = narrow_reference(ratio)
    node = np.arange(4)
    samples = np.array([[0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0]])
    result = np.empty((2, 4))
    for order in (0, 1):
        flow = half_flow(order, -node.astype(np.float64), ratio)
        # outside the wall, and turned to the inside: odd for a jump, even for a slope
        seen = np.array([sum(weights[3 + k] * samples[order, 3 + k - j] for k in range(j, 4)) for j in node])
        result[order] = (flow - seen) * (-1.0 if order == 0 else 1.0)
    result[1, 1:] = np.minimum(result[1, 1:], 0.5 * weights[4:])
    result[0, 0] = 0.0
    result[0, 1:] = np.maximum(result[0, 1:], result[1, 1:] - 0.5 * weights[4:])
    return result


def _narrow_rows(axis: Axis, sigma: float, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """What a slope, and with nothing outside a value, at the walls adds for noise below a spacing; both end pairs."""
    result = np.zeros((len(rows), 4))
    if axis.nodes == "cell" or axis.boundary not in ("clip", "zero", "reflect"):
        return result
    columns = _narrow_columns(sigma / axis.spacing)
    period = 0 if axis.rule.free_space else 2 * (axis.size - 1)
    most = math.ceil((axis.size + 3) / period) if period else 0
    for side, inwards in enumerate((rows, axis.size - 1 - rows)):
        for image in range(-most, most + 1):
            distance = inwards + image * period
            near = np.flatnonzero(np.abs(distance) <= 3)
            jump, slope = columns[:, np.abs(distance[near])]
            # even about a mirror, which doubles a slope
            slope = 2.0 * slope if period else slope
            value = jump if axis.boundary == "zero" else 0.0
            wall, second = (0, 1) if side == 0 else (3, 2)
            result[near, wall] += value - slope
            result[near, second] += slope
    return result


def corrects_ends(solver: Solver, axis: Axis, variance: float) -> bool:
    """Whether the reference has to correct the ends as this solver does: from sigma = h on kinks, below it slopes."""
    if math.sqrt(variance) >= axis.spacing:
        return solver.end_nodes(axis, variance) > 0
    return solver.holds_slopes(axis, variance)


def added_rows(
    axis: Axis, sigma: float, rows: NDArray[np.int64], nodes: int | None = None, *, ends_only: bool = False
) -> NDArray[np.float64]:
    """What the ends add to rows of the matrix of a sum, shape (len(rows), axis.size).

    Parameters
    ----------
    axis
        The axis.
    sigma
        Noise along it. Below one spacing what `heatpg.core.narrow` adds is given, from two end nodes.
    rows
        Which nodes.
    nodes
        From how many end nodes the derivatives are taken instead of the usual three or four.
    ends_only
        Whether only the columns of the nodes at the lower and at the upper end are given, for long lines.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis
    >>> from heatpg.verify.edge import added_rows
    >>> axis = Axis("x", 0.0, 8.0, 9, boundary="clip")
    >>> bool(abs(added_rows(axis, 2.0, np.arange(9)).sum(axis=1)).max() < 1e-15)
    True
    """
    if sigma < axis.spacing:
        ends = _narrow_rows(axis, sigma, rows)
        result = np.zeros((len(rows), axis.size))
        result[:, :2] += ends[:, :2]
        result[:, -2:] += ends[:, 2:]
        return ends if ends_only else result
    orders, weights = end_weights(axis, sigma, nodes)
    count = weights.shape[1]
    result = np.zeros((len(rows), 2 * count if ends_only else axis.size))
    if not orders:
        return result
    cell = axis.nodes == "cell"
    held = axis.rule.holds_ends
    period = 0 if axis.rule.free_space else 2 * (axis.size if cell and not held else axis.size - 1)
    # as uniform as any wider one: images only wash out
    ratio = sigma / axis.spacing if not period else min(sigma / axis.spacing, 6.0 * period)
    for upper in (False, True):
        inwards = axis.size - 1 - rows if upper else rows
        # far from a wall there is nothing of it, nor of its images while they are further away
        near = np.flatnonzero(inwards <= max(1.0, _TAIL * ratio))
        columns = np.zeros((len(orders), len(rows)))
        columns[:, near] = _columns(orders, axis.size, period, cell, ratio, tuple(inwards[near].tolist()))
        if axis.rule.conserves_mass and ratio < _DIFFERENCE:
            # the trapezoid rule on a Gaussian of one spacing misses 5e-9 of it
            missing = _missing_mass(orders, axis.size, period, cell, ratio)
            columns += np.multiply.outer(missing, _about_wall(inwards, period, cell, ratio))
        if held:
            columns[:, (rows == 0) | (rows == axis.size - 1)] = 0.0
        added = product(np.ascontiguousarray(columns.T), weights)
        if upper:
            result[:, -count:] += added[:, ::-1]
        else:
            result[:, :count] += added
    return result


@functools.lru_cache(maxsize=256)
def kept_weights(solver: Solver, axis: Axis, variance: float) -> NDArray[np.float64]:
    """Weights of the integral of Q that the sum of u over the nodes of a closed axis keeps, shape (size,).

    Those of the trapezoid rule where nothing is corrected, of Gregory's rule where the ends are. A solver that makes
    kinks exact at every sigma goes from one to the other below two spacings, as far as the nodes see the kink.

    Examples
    --------
    >>> from heatpg import Axis
    >>> from heatpg.solvers import make
    >>> from heatpg.verify.edge import kept_weights
    >>> axis = Axis("x", 0.0, 2.0, 3, boundary="reflect")
    >>> kept_weights(make("implicit"), axis, 4.0).tolist()
    [0.5, 1.0, 0.5]
    """
    count = solver.end_nodes(axis, variance)
    sigma = math.sqrt(variance)
    if solver.holds_slopes(axis, variance):
        # what the slopes add to u at the first four nodes from a wall, summed as u is
        weights = axis.integration_weights(0)
        nodes = np.arange(axis.size)
        near = nodes[(nodes < 4) | (nodes >= axis.size - 4)]
        added = product(weights[None, near], added_rows(axis, sigma, near, ends_only=True))[0]
        weights[:2] += added[:2]
        weights[-2:] += added[2:]
        return weights
    if not (count and solver.exact_kinks and sigma < 2.0 * axis.spacing):
        return axis.integration_weights(count)
    ratio = sigma / axis.spacing
    half = 0.5 if axis.nodes == "cell" else 0.0
    width = 4.0  # as wide as the grid still shows, so that its choice does not matter
    place = np.arange(math.ceil(10.0 * math.hypot(ratio, width))) + half
    share = np.where(place == 0, 0.5, 1.0)
    orders, jumps = end_weights(axis, sigma)
    weights = axis.integration_weights(0)
    for order, row in zip(orders, jumps, strict=True):
        # what flows less what is there, summed over the nodes; the same at both walls and for all images
        flow = kinks(order, width, place, ratio) - kinks(order, width, place)
        seen = float((share * flow).sum()) * axis.spacing
        weights[: len(row)] += seen * row
        weights[::-1][: len(row)] += seen * row
    return weights


def largest_jumps(values: Array, axis: Axis, along: int, sigma: float) -> NDArray[np.float64]:
    """Largest |h^k J_k| over all lines and both walls, one per order."""
    orders, weights = end_weights(axis, sigma)
    count = weights.shape[1]
    lines = np.moveaxis(values, along, 0).reshape(axis.size, -1)
    result = np.zeros(len(orders))
    for end in (lines[:count], lines[::-1][:count]):
        if orders:
            result = np.maximum(result, np.abs(product(weights, np.ascontiguousarray(end))).max(axis=1))
    return result
