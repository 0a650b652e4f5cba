"""u and its derivatives at any point and any sigma, computed directly from Q."""

# One file above 600 lines: the weights of a line at any point and the sums that take them are one argument, in kernels
# that are long because fast.

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.boundaries import Extension, face_values
from heatpg.core.faces import Layered
from heatpg.core.grid import Axis, Grid
from heatpg.core.kinks import REACH, add_kinks, kink_tables
from heatpg.core.landscape import Landscape
from heatpg.core.narrow import NARROW_REACH, fill_narrow_columns, fill_narrow_weights, narrow_jumps
from heatpg.core.wall_flow import wall_flow
from heatpg.errors import GridError, NonFiniteError, OptionError, SigmaError, UnsupportedError
from heatpg.tools.arrays import real_numbers
from heatpg.tools.kernels import kernel
from heatpg.tools.parallel import for_each

__all__ = ["RESOLVED", "HeatField"]

Array = NDArray[Any]

RESOLVED = 1.5
"""Sigma in spacings from which the sampled Gaussian is exact to round-off: alias 2 exp(-2 pi^2 1.5^2) = 1e-19."""

_REACH = 9.0  # in standard deviations: the Gaussian beyond is 3e-18 of its top, its fourth derivative 2e-14
_STENCIL = 8  # nodes of the interpolant: order 8 for smooth Q, and still local at jumps; a matter of taste
_MOST_ORDERS = 5  # 0 to 4: what following a fold of critical points takes
_PIECE_WORK = 2**22  # products of one piece of work for a thread, some milliseconds


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
def _stencil_polynomials() -> NDArray[np.float64]:
    """Those of the interpolant, on the nodes -3, ..., 4."""
    return _lagrange(range(-(_STENCIL // 2) + 1, _STENCIL // 2 + 1))


@functools.cache
def _places_of_derivatives(dimensions: int, orders: int) -> tuple[Array, ...]:
    """Where, among all mixed derivatives in a row, the entries of each full symmetric array are."""
    tables = []
    for order in range(orders):
        axes = np.indices((dimensions,) * order).reshape(order, dimensions**order)
        counts = [(axes == i).sum(axis=0) for i in range(dimensions)]
        tables.append(np.ravel_multi_index(counts, (orders,) * dimensions).reshape((dimensions,) * order))
    return tuple(tables)


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


_PERIODIC, _HELD, _CLIPPED, _NOTHING, _MIRRORED = range(5)

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
def _line_weights(
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
    if sigma == 0.0 and kind != _HELD and size >= 4:
        if 0.0 < below_first <= half_cell:
            _outer_weights(-below_first, spacing, False, orders, out)
            return 0, 4
        if 0.0 < above_last <= half_cell:
            _outer_weights(-above_last, spacing, True, orders, out)
            return size - 4, 4
    if sigma == 0.0 and kind in (_CLIPPED, _NOTHING) and (x < first or x > last):
        # and outside the box the rule alone speaks
        if kind == _NOTHING and (x < first - margin or x > last + margin):
            out[:orders, 0] = 0.0
            return 0, 1
        x = min(max(x, first), last)
        top = 1
    # from 1.5 h on the sampled Gaussian is exact; below, the nodes have to be interpolated
    if sigma >= RESOLVED * spacing:
        begin = int(np.ceil((x - _REACH * sigma - first) / spacing))
        end = int(np.floor((x + _REACH * sigma - first) / spacing)) + 1
        _smooth_weights(x, sigma, first, spacing, begin, end, top, scratch)
    else:
        half = polynomials.shape[0] // 2
        corner = int(np.floor((x - first) / spacing))
        reach = 0
        if sigma > 0.0:
            reach = max(int(np.ceil(_REACH * sigma / spacing)) + 1, NARROW_REACH)
        elif kind != _PERIODIC and size >= 2 * half and (kind != _MIRRORED or (x >= first and x <= last)):
            # without noise the interpolant is kept off the edge, across which the data may jump or have a kink
            corner = min(max(corner, half - 1), size - half - 1)
        begin = corner - half + 1 - reach
        end = corner + half + 1 + reach
        _rough_weights(x, sigma, first, spacing, begin, end, corner, polynomials, top, scratch)
    # from sigma = h on the kinks at the walls are made good, as the solvers do it
    ratio = sigma / spacing
    near_low, near_high = (x - first) / spacing + walls[1], (last - x) / spacing + walls[1]
    kinked = walls[2] > 0 and ratio >= 1.0
    low = kinked and (near_low <= REACH * ratio or walls[0] > 0)
    high = kinked and (near_high <= REACH * ratio or walls[0] > 0)
    # and below it slopes, where a node that is interpolated is near enough to a wall
    sloped = walls[4] > 0 and 0.0 < ratio < 1.0
    slope_low = sloped and near_low < NARROW_REACH + polynomials.shape[0]
    slope_high = sloped and near_high < NARROW_REACH + polynomials.shape[0]
    inside = begin >= 0 and end <= size and not (low or high or slope_low or slope_high)
    # the usual case: no node beyond the line has a share, and nothing is to be folded
    if inside and (sigma == 0.0 or kind != _NOTHING or (begin > 0 and end < size)):
        for m in range(orders):
            for i in range(end - begin):
                out[m, i] = scratch[m, i] if m < top else 0.0
        return begin, end - begin
    # all nodes that the continuation leads back to; the ends of a chord are always among them
    lo, hi = size - 1, 0
    below, above = (size, size + 1) if faced else (0, size - 1)
    if kind == _HELD:
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
            if kind == _HELD:
                # what holds its ends is evolved relative to the chord between them: it is taken off here
                out[m, below] -= (1.0 - share) * w
                out[m, above] -= share * w
    if kind == _HELD:
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


@kernel
def _derivatives(
    # so many, because kernels take plain numbers and arrays
    points: Array,
    sigmas: Array,
    values: Array,
    first: Array,
    spacing: Array,
    kinds: Array,
    margins: Array,
    faced: Array,
    source: Array,
    sign: Array,
    before: Array,
    axes: int,
    polynomials: Array,
    orders: int,
    weights: Array,
    series: Array,
    walls: Array,
    width: int,
    out: Array,
) -> None:
    """out[p, a, b, c] = sum_ijk W0[a, i] W1[b, j] W2[c, k] values[i, j, k]; leading axes of one node are no axes."""
    longest = max(values.shape)
    scratch = np.empty((orders, width))
    w0 = np.zeros((orders, values.shape[0]))
    w1 = np.zeros((orders, values.shape[1]))
    w2 = np.zeros((orders, values.shape[2]))
    t0 = np.empty((orders * orders, longest))
    t1 = np.empty((orders, longest))
    lo = np.zeros(3, dtype=np.int64)
    count = np.ones(3, dtype=np.int64)
    kept = np.ones(3, dtype=np.int64)
    # one axis after the other: values with w2 last, because its nodes lie side by side in memory
    for p in range(points.shape[0]):
        for axis in range(3):
            w = w0 if axis == 0 else (w1 if axis == 1 else w2)
            if axis < 3 - axes:
                w[0, 0] = 1.0
                continue
            kept[axis] = orders
            q = axis - (3 - axes)
            lo[axis], count[axis] = _line_weights(
                points[p, q],
                sigmas[p, q],
                first[q],
                spacing[q],
                values.shape[axis] - 2 if faced[q] else values.shape[axis],
                kinds[q],
                margins[q],
                faced[q],
                source[q],
                sign[q],
                before[q],
                polynomials,
                orders,
                weights[q],
                series[q],
                walls[q],
                scratch,
                w,
            )
        n = count[2]
        t0[:, :n] = 0.0
        for i in range(count[0]):
            t1[:, :n] = 0.0
            # four rows at a time, so that the sums are read and written a quarter as often
            whole = count[1] - count[1] % 4
            for j in range(0, whole, 4):
                u, at = values[lo[0] + i], lo[1] + j
                r0, r1 = u[at, lo[2] : lo[2] + n], u[at + 1, lo[2] : lo[2] + n]
                r2, r3 = u[at + 2, lo[2] : lo[2] + n], u[at + 3, lo[2] : lo[2] + n]
                for b in range(kept[1]):
                    v0, v1, v2, v3 = w1[b, j], w1[b, j + 1], w1[b, j + 2], w1[b, j + 3]
                    target = t1[b, :n]
                    for k in range(n):
                        target[k] += (v0 * r0[k] + v1 * r1[k]) + (v2 * r2[k] + v3 * r3[k])
            for j in range(whole, count[1]):
                row = values[lo[0] + i, lo[1] + j, lo[2] : lo[2] + n]
                for b in range(kept[1]):
                    w = w1[b, j]
                    target = t1[b, :n]
                    for k in range(n):
                        target[k] += w * row[k]
            for a in range(kept[0]):
                w = w0[a, i]
                # beyond the total order nothing is asked for
                for b in range(min(kept[1], orders - a)):
                    target, part = t0[a * orders + b, :n], t1[b, :n]
                    for k in range(n):
                        target[k] += w * part[k]
        for a in range(kept[0]):
            for b in range(min(kept[1], orders - a)):
                for c in range(orders - a - b):
                    total = 0.0
                    for k in range(n):
                        total += w2[c, k] * t0[a * orders + b, k]
                    out[p, a, b, c] = total


def _kind(axis: Axis) -> int:
    if axis.rule.holds_ends:
        return _HELD
    if axis.rule.free_space:
        # a rule whose far outside weighs nothing is an extension by zero
        return _CLIPPED if axis.rule.extend(axis.size, axis.nodes, 1, 1).of(np.ones(axis.size), 0)[0] else _NOTHING
    return _PERIODIC if axis.rule.periodic else _MIRRORED


def _with_face_nodes(extension: Extension, axis: Axis) -> Extension:
    """A continuation in which the constant values outside of a faced axis have its two face values as their source."""
    if not (axis.faced and axis.rule.free_space):
        return extension
    source, weight = extension.source.copy(), extension.weight.copy()
    for side in (0, 1):
        outside = extension.face[:, side] != 0
        source[outside], weight[outside] = axis.size + side, extension.face[outside, side]
    return dataclasses.replace(extension, source=source, weight=weight)


def _field_of_wall(values: Array, axes: Sequence[Axis], later: Sequence[int]) -> HeatField | float:
    """What a wall says, as a field along the other axes; along some of them with their own walls around it."""
    if not axes:
        return float(values)
    if not later:
        return HeatField(Landscape(values, Grid(*axes)))
    faces = Layered(values, later, len(axes))
    return HeatField(Landscape(faces.inside, Grid(*axes), faces=faces))


class HeatField:
    """The solution of u_t = 1/2 Laplace(u) and its derivatives at any point and any sigma, computed directly from Q.

    u^(m)(x, sigma) = h sum_i phi_sigma^(m)(x - x_i) Q_i along each axis, over the nodes and their continuation under
    the boundary condition. For sigma >= 1.5 h this solves the heat equation in (x, t) exactly, with the sampled comb as
    initial value. Below that a polynomial of degree 7 interpolates the nodes, with the weights of the solver
    ``direct``.

    Parameters
    ----------
    landscape
        Q in one, two or three dimensions, without batch axes.

    Raises
    ------
    UnsupportedError
        For batch axes, and beyond three dimensions.

    Notes
    -----
    Compared with the convolution of the sampled function, the error is that of the trapezoid rule: spectral for smooth
    Q, second order across jumps; at the edges that of the solvers, see `heatpg.core.kinks`. At sigma = 0 on an axis the
    interpolant is of order 8 for smooth Q and may overshoot next to jumps. The cost of a point is proportional to the
    number of nodes within 9 sigma, at most those of the box.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.core.field import HeatField
    >>> grid = Grid(Axis("x", -8.0, 8.0, 161, boundary="clip"))
    >>> field = HeatField(Landscape.from_function(lambda x: np.exp(-(x**2) / 2), grid))
    >>> field.value([[0.0]], 1.0).round(12)  # a Gaussian of width 1 after sigma = 1
    array([0.70710678])
    >>> field.hessian([[0.0]], 1.0).round(12)
    array([[[-0.35355339]]])
    """

    # so that no maximum rises with sigma
    solves_heat_equation = True

    def __init__(self, landscape: Landscape) -> None:
        grid = landscape.grid
        if landscape.batch_shape:
            raise UnsupportedError(
                "HeatField needs a single landscape, without batch axes",
                given=f"batch axes {landscape.batch_shape}",
                advice="select one: Landscape(landscape.values[0], landscape.grid)",
            )
        if grid.dimensions > 3:
            raise UnsupportedError(
                "positions between nodes and critical points are available for at most 3 axes",
                given=f"{grid.dimensions} axes",
                advice="use heatpg.quadrature.mollify with a callable of up to 20 variables",
            )
        self.landscape = landscape
        self.grid: Grid = grid
        self._taken = landscape.centring
        values = np.asarray(self._taken.remove(landscape.values), dtype=np.float64)
        self._faced = np.array([axis.faced for axis in grid])
        self._walls = self._of_walls(values)
        for position, faced in enumerate(self._faced):
            if faced:
                values = np.concatenate((values, *face_values(values, position)), axis=position)
        # the kernel has three axes: those that are not there have one node
        self._values = np.ascontiguousarray(values).reshape((1,) * (3 - grid.dimensions) + values.shape)
        # far from 0 the distance of a place from each node would be rounded differently
        self._origin = np.array([axis.origin for axis in grid])
        self._first = np.array([axis.coordinates[0] for axis in grid]) - self._origin
        self._spacing = np.array(grid.spacing)
        self._kinds = np.array([_kind(axis) for axis in grid])
        # a period has no walls
        self._margins = np.where(
            self._kinds == _PERIODIC, 0.0, self._first - (np.array([axis.lower for axis in grid]) - self._origin)
        )
        weights, series, walls = (np.stack(tables) for tables in zip(*map(kink_tables, grid), strict=True))
        self._kinks = (weights, series, np.column_stack((walls, [narrow_jumps(axis) for axis in grid])))
        self._all_free = all(axis.rule.free_space for axis in grid)
        self._kept: dict[int, tuple[Array, Array, Array]] = {}

    def __repr__(self) -> str:
        return f"<HeatField of {self.landscape!r}>"

    def _of_walls(self, values: NDArray[np.float64]) -> list[tuple[int, list[HeatField | float]]]:
        """By axis with stated walls, what these say beyond the cells: a field of the other axes, or a number."""
        faces = self.landscape.stated_faces
        if faces is None:
            return []
        whole = faces.mapped(lambda side: np.asarray(self._taken.remove(side), dtype=np.float64)).layered(values)
        result: list[tuple[int, list[HeatField | float]]] = []
        for number, position in enumerate(faces.positions):
            last = whole.shape[position] - 1
            cells = np.take(whole, range(1, last), axis=position)
            walls = (np.take(whole, [end], axis=position) for end in (0, last))
            excess = [
                np.squeeze(wall - found, position)
                for wall, found in zip(walls, face_values(cells, position), strict=True)
            ]
            # the walls of the axes that are still to come lie around it
            later = [other - (other > position) for other in faces.positions[number + 1 :]]
            others = [axis for i, axis in enumerate(self.grid) if i != position]
            result.append((position, [_field_of_wall(one, others, later) for one in excess]))
            whole = cells
        return result

    def _add_walls(self, result: Array, points: Array, places: Array, deviations: Array, order: int) -> None:
        """Add to derivatives what stated walls say beyond the cells, under the continuous flow."""
        if not self._walls:
            return
        d, orders = self.grid.dimensions, order + 1
        totals = np.indices((orders,) * d).sum(axis=0) <= order
        target = result.reshape((len(points), *((orders,) * d)))
        for position, fields in self._walls:
            distance = places[:, position] - (self._first[position] - self._margins[position])
            columns = wall_flow(self.grid[position], distance, deviations[:, position], order)
            for column, field in zip(columns, fields, strict=True):
                if isinstance(field, float):
                    rest = np.full((len(points),), field)
                else:
                    beside = np.delete(points, position, axis=1), np.delete(deviations, position, axis=1)
                    rest = field.derivatives(*beside, order)
                rest = np.expand_dims(rest, position + 1)
                shape = [len(points), *(orders if i == position else 1 for i in range(d))]
                target += np.where(totals, column.reshape(shape) * rest, 0.0)

    def resolved(self, sigma: ArrayLike) -> bool:
        """Whether sigma is 0 or at least 1.5 spacings along every axis, and not 0 along all.

        Examples
        --------
        >>> from heatpg import Landscape
        >>> from heatpg.core.field import HeatField
        >>> field = HeatField(Landscape.from_array([0.0, 1.0, 0.0, 0.0], boundary="periodic"))
        >>> field.resolved(2.0), field.resolved(1.0)
        (True, False)
        """
        cells = np.broadcast_to(real_numbers("sigma", sigma, SigmaError), (self.grid.dimensions,)) / self._spacing
        return bool(((cells >= RESOLVED) | (cells == 0)).all() and (cells > 0).any())

    def _parse(self, points: ArrayLike, sigma: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        d = self.grid.dimensions
        # a copy, because places around a period are brought into the box
        places = np.array(real_numbers("points", points, GridError))
        deviations = real_numbers("sigma", sigma, SigmaError)
        if places.ndim != 2 or places.shape[1] != d:
            raise GridError("points have the wrong shape", given=f"shape {places.shape}", allowed=f"(points, {d})")
        if not np.isfinite(places).all():
            raise NonFiniteError("points must be finite", given=places[~np.isfinite(places).all(axis=1)][0])
        try:
            deviations = np.broadcast_to(deviations, places.shape)
        except ValueError:
            raise SigmaError(
                "sigma has the wrong shape for the points",
                given=f"shape {deviations.shape}",
                allowed=f"a number, ({d},), (points, 1) or (points, {d})",
            ) from None
        if not np.isfinite(deviations).all() or (deviations < 0).any():
            raise SigmaError("sigma must be finite and not negative", given=sigma, allowed="numbers >= 0")
        for i, axis in enumerate(self.grid):
            if axis.rule.periodic:
                places[:, i] = axis.lower + np.mod(places[:, i] - axis.lower, axis.length)
            elif not axis.rule.free_space:
                bad = (places[:, i] < axis.lower - axis.length) | (places[:, i] > axis.upper + axis.length)
                if bad.any():
                    raise GridError(
                        f"a point lies outside the box along axis {axis.name!r}; boundary {axis.boundary!r} has no "
                        f"values there",
                        given=places[bad][0],
                        allowed=f"{axis.lower:g} to {axis.upper:g}",
                    )
        return places, np.ascontiguousarray(deviations)

    def _tables(self, places: Array, deviations: Array) -> tuple[Array, Array, Array, int]:
        """Source, sign and offset of the continued line of every axis; and the widest window."""
        # beyond the line only so far as the widest Gaussian among the points reaches
        reach = _REACH * np.maximum(deviations / self._spacing, RESOLVED) + _STENCIL + 2
        low = ((places - self._first) / self._spacing - reach).min(axis=0)
        high = ((places - self._first) / self._spacing + reach).max(axis=0)
        beyond = max(float(-low.min()), float((high - self.grid.shape).max()), 1.0)
        # powers of two, so that few tables serve all points
        rows = 1 if self._all_free else 1 << math.ceil(math.log2(beyond + 2.0))
        if rows not in self._kept:
            # in free space everything further out is as the first node outside
            tables = [
                _with_face_nodes(
                    axis.rule.extend(axis.size, axis.nodes, *((1, 1) if axis.rule.free_space else (rows, rows))), axis
                )
                for axis in self.grid
            ]
            longest = max(len(table.source) for table in tables)
            source = np.stack([np.pad(table.source, (0, longest - len(table.source)), mode="edge") for table in tables])
            sign = np.stack([np.pad(table.weight, (0, longest - len(table.weight)), mode="edge") for table in tables])
            self._kept[rows] = (source, sign, np.array([table.before for table in tables]))
        return (*self._kept[rows], 2 * math.ceil(float(reach.max())) + 1)

    def derivatives(self, points: ArrayLike, sigma: ArrayLike, order: int = 2) -> NDArray[np.float64]:
        """All mixed derivatives up to a total order.

        Parameters
        ----------
        points
            Shape (points, dimensions), in the units of the axes. Outside the box only in free space.
        sigma
            A number, one per axis (dimensions,), or one per point, (points, 1) or (points, dimensions).
        order
            Highest total order, 0 to 4.

        Returns
        -------
        derivatives
            Shape (points, order + 1, ..., order + 1): entry [p, a, b] is d^(a+b) u / dx1^a dx2^b; 0 beyond the order.

        Raises
        ------
        GridError, SigmaError
            For points or sigmas of the wrong shape or range.
        NonFiniteError
            For points that are not finite.
        OptionError
            For an order out of range.
        """
        if not isinstance(order, int) or not 0 <= order < _MOST_ORDERS:
            raise OptionError("order of derivatives is out of range", given=order, allowed="0 to 4")
        given, deviations = self._parse(points, sigma)
        places = given - self._origin
        d, orders = self.grid.dimensions, order + 1
        result = np.zeros((len(places), *((1,) * (3 - d)), *((orders,) * d)))
        if len(places):
            source, sign, before, width = self._tables(places, deviations)
            windows = np.minimum(2 * _REACH * np.maximum(deviations, self._spacing) / self._spacing, self.grid.shape)
            # pieces of about the same work: points at small sigma are cheap, and would keep a thread waiting for the
            # others
            work = np.cumsum(windows.prod(axis=1))
            cuts = np.searchsorted(work, np.arange(_PIECE_WORK, work[-1], _PIECE_WORK))
            edges = np.unique(np.concatenate(([0], cuts, [len(places)])))

            def evaluate(piece: tuple[int, int]) -> None:
                begin, end = piece
                _derivatives(
                    *(places[begin:end], deviations[begin:end], self._values, self._first, self._spacing),
                    *(self._kinds, self._margins, self._faced, source, sign, before, d, _stencil_polynomials()),
                    *(orders, *self._kinks, width),
                    result[begin:end],
                )

            for_each(evaluate, list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)))
            self._add_walls(result, given, places, deviations, order)
            if not self._taken.trivial:
                np.ldexp(result, int(self._taken.exponent.item()), out=result)
                result[:, 0, 0, 0] += self._taken.offset.item()  # of derivatives there is nothing to put back
        return result.reshape((len(places), *((orders,) * d)))

    def value(self, points: ArrayLike, sigma: ArrayLike) -> NDArray[np.float64]:
        """u at the points, shape (points,); parameters as for `derivatives`."""
        return self.derivatives(points, sigma, 0).reshape(-1)

    def gradient(self, points: ArrayLike, sigma: ArrayLike) -> NDArray[np.float64]:
        """The gradient of u, which is the policy gradient in mu, shape (points, dimensions)."""
        return self.local(self.derivatives(points, sigma, 1))[1]

    def hessian(self, points: ArrayLike, sigma: ArrayLike) -> NDArray[np.float64]:
        """Second derivatives of u, shape (points, dimensions, dimensions)."""
        return self.local(self.derivatives(points, sigma, 2))[2]

    def moving(
        self, points: Array, times: Array, ratio: Array, order: int
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Derivatives by x up to one order more, or higher, and d/dt of those up to an order, sigma = ratio sqrt(t).

        By the heat equation a derivative by t is half the Laplacian, two more by x.

        Parameters
        ----------
        points, times
            Where, shapes (points, dimensions) and (points,).
        ratio
            Noise per axis over the largest of them, shape (dimensions,).
        order
            0 to 2.
        """
        local = self.local(self.derivatives(points, np.sqrt(times)[:, None] * ratio, order + 2))
        rules = ("pii,i->p", "pijj,j->pi", "pijkk,k->pij")
        share = 0.5 * ratio**2
        return local, tuple(np.einsum(rules[n], local[n + 2], share) for n in range(order + 1))

    def local(self, derivatives: Array) -> tuple[Array, ...]:
        """Value, gradient, Hessian, third and fourth derivatives as full symmetric arrays, up to the available order.

        Parameters
        ----------
        derivatives
            What `derivatives` returned.

        Returns
        -------
        arrays
            Shapes (points,), (points, d), (points, d, d), ...

        Examples
        --------
        >>> import numpy as np
        >>> from heatpg import Axis, Grid, Landscape
        >>> from heatpg.core.field import HeatField
        >>> grid = Grid(*(Axis(name, -3.0, 3.0, 31, boundary="clip") for name in "xy"))
        >>> field = HeatField(Landscape.from_function(lambda x, y: x * y, grid))
        >>> value, gradient, hessian = field.local(field.derivatives([[0.5, 0.25]], 0.0, 2))
        >>> value.round(12), gradient.round(12) + 0.0, hessian.round(10) + 0.0
        (array([0.125]), array([[0.25, 0.5 ]]), array([[[0., 1.],
                [1., 0.]]]))
        """
        orders = derivatives.shape[1]
        flat = derivatives.reshape(len(derivatives), orders**self.grid.dimensions)
        return tuple(flat[:, table] for table in _places_of_derivatives(self.grid.dimensions, orders))
