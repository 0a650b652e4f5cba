"""Weights of the nodes of a line for u and its derivatives at any point of it and any sigma."""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.kinks import REACH, add_kinks
from heatpg.core.narrow import NARROW_REACH, fill_narrow_columns, fill_narrow_weights
from heatpg.tools.kernels import kernel

__all__ = [
    "CLIPPED",
    "HELD",
    "MIRRORED",
    "NOTHING",
    "PERIODIC",
    "RESOLVED",
    "STENCIL",
    "WINDOW",
    "line_weights",
    "stencil_polynomials",
]

Array = NDArray[Any]

RESOLVED = 1.5
"""Sigma in spacings from which the sampled Gaussian is exact to round-off: alias 2 exp(-2 pi^2 1.5^2) = 1e-19."""
WINDOW = 9.0
"""Standard deviations that are summed: the Gaussian beyond is 3e-18 of its top, its fourth derivative 2e-14."""
STENCIL = 8
"""Nodes of the interpolant: order 8 for smooth Q, and still local at jumps; a matter of taste."""


def _lagrange(nodes: range) -> NDArray[np.float64]:
    """Coefficients [node, power] of the Lagrange polynomials on these nodes."""
    rows = []
    for i in nodes:
        row = [Fraction(1)]
        for j in nodes:
            if j != i:
                # multiply by (s - j) / (i - j)
                shifted = [Fraction(0), *row]
                row = [(a - j * b) / (i - j) for a, b in zip(shifted, [*row, Fraction(0)], strict=True)]
        rows.append([float(c) for c in row])
    return np.array(rows)


@functools.cache
def stencil_polynomials() -> NDArray[np.float64]:
    """Those of the interpolant, on the nodes -3, ..., 4."""
    return _lagrange(range(-(STENCIL // 2) + 1, STENCIL // 2 + 1))


@kernel
def _smooth_weights(
    x: float, sigma: float, first: float, spacing: float, begin: int, end: int, orders: int, out: Array
) -> None:
    # w_i^(m) = h d^m/dx^m phi((x - x_i)/sigma)/sigma = h phi(z)/sigma (-1/sigma)^m He_m(z)
    for i in range(begin, end):
        z = (x - (first + i * spacing)) / sigma
        g = 0.3989422804014327 * np.exp(-0.5 * z * z) * spacing / sigma
        before, now = 0.0, 1.0
        for m in range(orders):
            # the recursion of Hermite polynomials, He_(m+1) = z He_m - m He_(m-1)
            out[m, i - begin] = g * now
            before, now = now, z * now - m * before
            g *= -1.0 / sigma


@kernel
def _basis(polynomials: Array, j: int, m: int, s: float) -> float:
    """The m-th derivative of the j-th Lagrange polynomial at s."""
    value = 0.0
    # Horner, with the factors that m derivatives leave before each power
    for power in range(polynomials.shape[1] - 1, m - 1, -1):
        factor = 1.0
        for q in range(m):
            factor *= power - q
        value = value * s + factor * polynomials[j, power]
    return value


@kernel
def _rough_weights(
    x: float,
    sigma: float,
    first: float,
    spacing: float,
    begin: int,
    end: int,
    corner: int,
    polynomials: Array,
    orders: int,
    out: Array,
) -> None:
    # w^(m)_{c+j+k} = sum_j g_k d^m/dx^m l_j((x - x_c)/h), with the taps g of `heatpg.core.narrow` below sigma = h and
    # of the trapezoid rule above
    reach = (end - begin - polynomials.shape[0]) // 2
    taps = np.zeros(2 * reach + 1)
    if sigma == 0.0:
        taps[reach] = 1.0
    elif sigma < spacing:
        fill_narrow_weights(sigma / spacing, taps)
    else:
        for k in range(-reach, reach + 1):
            z = k * spacing / sigma
            taps[k + reach] = np.exp(-0.5 * z * z)
    # the taps are scaled to sum to one, so that a constant stays a constant
    total = taps.sum()
    s = (x - (first + corner * spacing)) / spacing
    scale = 1.0
    out[:orders, : end - begin] = 0.0
    for m in range(orders):
        for j in range(polynomials.shape[0]):
            value = _basis(polynomials, j, m, s)
            for k in range(2 * reach + 1):
                out[m, j + k] += scale * value * taps[k] / total
        scale /= spacing


@kernel
def _add_slopes(
    place: float,
    ratio: float,
    spacing: float,
    size: int,
    upper: bool,
    jumps: Array,
    period: float,
    polynomials: Array,
    orders: int,
    lo: int,
    out: Array,
) -> None:
    """Add what the nodes that are interpolated lack of the flow of a jump and a slope at a wall, see `_rough_weights`.

    `place` is the point and `ratio` is sigma, both in spacings, from the first node and below 1.
    """
    taps = np.empty(2 * NARROW_REACH + 1)
    columns = np.empty((2, NARROW_REACH + 1))
    fill_narrow_weights(ratio, taps)
    fill_narrow_columns(ratio, taps, columns)
    corner = int(np.floor(place))
    wall, next_to_it = (size - 1, size - 2) if upper else (0, 1)
    for j in range(polynomials.shape[0]):
        node = corner - polynomials.shape[0] // 2 + 1 + j
        inwards = size - 1 - node if upper else node
        most = int((NARROW_REACH + abs(inwards)) / period) if period > 0.0 else 0
        jump, slope = 0.0, 0.0
        for image in range(-most, most + 1):
            distance = inwards + image * int(period)
            far = abs(distance)
            if far <= NARROW_REACH:
                # a jump is odd about the wall, and a slope even
                jump += jumps[0] * (columns[0, far] if distance > 0 else -columns[0, far])
                slope += jumps[1] * columns[1, far]
        if jump == 0.0 and slope == 0.0:
            continue
        scale = 1.0
        for m in range(orders):
            share = scale * _basis(polynomials, j, m, place - corner)
            out[m, wall - lo] += share * (jump - slope)
            out[m, next_to_it - lo] += share * slope
            scale /= spacing


PERIODIC, HELD, CLIPPED, NOTHING, MIRRORED = range(5)

# half a cell beyond the first of four nodes they give the value on a wall that u has at small sigma
# (`heatpg.boundaries.face_values`)
_OUTER = _lagrange(range(4))


@kernel
def _outer_weights(s: float, spacing: float, upper: bool, orders: int, out: Array) -> None:
    """Weights of the four nodes next to a wall at s spacings from the last one inwards, which is negative."""
    # w_j^(m) = (+-1 / h)^m d^m/ds^m l_j(s), at the upper wall with nodes counted downwards
    scale = 1.0
    for m in range(orders):
        for j in range(4):
            out[m, 3 - j if upper else j] = scale * _basis(_OUTER, j, m, s)
        scale /= -spacing if upper else spacing


@kernel
def _nearest_image(distance: float, period: float) -> float:
    """Distance of a point from the nearest of the images of a wall; that from the wall itself where it has none."""
    if period > 0.0:
        rest = abs(distance) % period
        return min(rest, period - rest)
    return distance


@kernel
def line_weights(
    # so many, because kernels take plain numbers and arrays
    x: float,
    sigma: float,
    first: float,
    spacing: float,
    size: int,
    kind: int,
    margin: float,
    faced: bool,
    source: Array,
    sign: Array,
    before: int,
    polynomials: Array,
    orders: int,
    weights: Array,
    series: Array,
    walls: Array,
    scratch: Array,
    out: Array,
) -> tuple[int, int]:
    """Weights of the nodes lo, ..., lo + count - 1 of a line for the derivatives at x; returns (lo, count).

    The continued line is folded onto its nodes; an axis that holds its ends is taken relative to its chord. The values
    on the walls of a faced axis follow its nodes, as nodes `size` and `size` + 1.
    """
    last = first + (size - 1) * spacing
    top = orders
    below_first, above_last, half_cell = (first - x) / spacing, (x - last) / spacing, margin / spacing * (1.0 + 1e-12)
    # without noise there is nothing to average: between the last node and a wall Q goes on as its cells do
    if sigma == 0.0 and kind != HELD and size >= 4:
        if 0.0 < below_first <= half_cell:
            _outer_weights(-below_first, spacing, False, orders, out)
            return 0, 4
        if 0.0 < above_last <= half_cell:
            _outer_weights(-above_last, spacing, True, orders, out)
            return size - 4, 4
    if sigma == 0.0 and kind in (CLIPPED, NOTHING) and (x < first or x > last):
        # and outside the box the rule alone speaks
        if kind == NOTHING and (x < first - margin or x > last + margin):
            out[:orders, 0] = 0.0
            return 0, 1
        x = min(max(x, first), last)
        top = 1
    # from 1.5 h on the sampled Gaussian is exact; below, the nodes have to be interpolated
    if sigma >= RESOLVED * spacing:
        begin = int(np.ceil((x - WINDOW * sigma - first) / spacing))
        end = int(np.floor((x + WINDOW * sigma - first) / spacing)) + 1
        _smooth_weights(x, sigma, first, spacing, begin, end, top, scratch)
    else:
        half = polynomials.shape[0] // 2
        corner = int(np.floor((x - first) / spacing))
        reach = 0
        if sigma > 0.0:
            reach = max(int(np.ceil(WINDOW * sigma / spacing)) + 1, NARROW_REACH)
        elif kind != PERIODIC and size >= 2 * half and (kind != MIRRORED or (x >= first and x <= last)):
            # without noise the interpolant is kept off the edge, across which the data may jump or have a kink
            corner = min(max(corner, half - 1), size - half - 1)
        begin = corner - half + 1 - reach
        end = corner + half + 1 + reach
        _rough_weights(x, sigma, first, spacing, begin, end, corner, polynomials, top, scratch)
    # from sigma = h on the kinks at the walls are made good, as the solvers do it
    ratio = sigma / spacing
    near_low, near_high = (x - first) / spacing + walls[1], (last - x) / spacing + walls[1]
    kinked = walls[2] > 0 and ratio >= 1.0
    low = kinked and _nearest_image(near_low, walls[0]) <= REACH * ratio
    high = kinked and _nearest_image(near_high, walls[0]) <= REACH * ratio
    # and below it slopes, where a node that is interpolated is near enough to a wall
    sloped = walls[4] > 0 and 0.0 < ratio < 1.0
    slope_low = sloped and near_low < NARROW_REACH + polynomials.shape[0]
    slope_high = sloped and near_high < NARROW_REACH + polynomials.shape[0]
    inside = begin >= 0 and end <= size and not (low or high or slope_low or slope_high)
    # the usual case: no node beyond the line has a share, and nothing is to be folded
    if inside and (sigma == 0.0 or kind != NOTHING or (begin > 0 and end < size)):
        for m in range(orders):
            for i in range(end - begin):
                out[m, i] = scratch[m, i] if m < top else 0.0
        return begin, end - begin
    # all nodes that the continuation leads back to; the ends of a chord are always among them
    lo, hi = size - 1, 0
    below, above = (size, size + 1) if faced else (0, size - 1)
    if kind == HELD:
        lo, hi = 0, above
    else:
        for i in range(begin, end):
            at = min(max(i + before, 0), source.shape[0] - 1)
            lo = min(lo, source[at])
            hi = max(hi, source[at])
    if low:
        lo, hi = 0, max(hi, int(walls[2]) - 1)
    if high:
        # values on the walls stand behind the last node
        lo, hi = min(lo, size - int(walls[2])), max(hi, size - 1)
    if slope_low:
        lo, hi = 0, max(hi, 1)
    if slope_high:
        lo, hi = min(lo, size - 2), max(hi, size - 1)
    count = hi - lo + 1
    out[:orders, :count] = 0.0
    for i in range(begin, end):
        at = min(max(i + before, 0), source.shape[0] - 1)
        node = source[at]
        factor = sign[at]
        # without noise a node inside weighs as it is, also where the rule gives the end node half
        if sigma == 0.0 and i >= 0 and i < size:
            factor = 1.0
        share = (node + 0.5) / size if faced else node / (size - 1)
        for m in range(top):
            w = factor * scratch[m, i - begin]
            out[m, node - lo] += w
            if kind == HELD:
                # what holds its ends is evolved relative to the chord between them: it is taken off here
                out[m, below] -= (1.0 - share) * w
                out[m, above] -= share * w
    if kind == HELD:
        wall, length = (first - 0.5 * spacing, size * spacing) if faced else (first, last - first)
        s = (x - wall) / length
        # and the chord itself, which no noise changes, is put back
        out[0, below] += 1.0 - s
        out[0, above] += s
        if top > 1:
            out[1, below] -= 1.0 / length
            out[1, above] += 1.0 / length
    if low:
        add_kinks(near_low, ratio, spacing, size, False, weights, series, walls, top, lo, out)
    if high:
        add_kinks(near_high, ratio, spacing, size, True, weights, series, walls, top, lo, out)
    if slope_low:
        _add_slopes(near_low, ratio, spacing, size, False, walls[3:], walls[0], polynomials, top, lo, out)
    if slope_high:
        _add_slopes(near_low, ratio, spacing, size, True, walls[3:], walls[0], polynomials, top, lo, out)
    return lo, count
