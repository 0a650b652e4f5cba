"""The edge of the box: what a sum over nodes makes of the kinks that a boundary brings in, and the rest of it.

Q may end at a wall with a slope that its continuation does not have. A sum over nodes meets such a kink with an error
of second order. With r_k(x) = x^k / k! inside the wall and 0 outside, flow R_k, and the jump J_k that the k-th
derivative of the continued Q has at a wall,

    u = sum + sum_k J_k D_k,    D_k = R_k - (what the sum makes of the samples of r_k)

is of the order of the number of end nodes from which J_k is taken: four here, E(4, 3). The columns D_k are local to
the wall, to about nine sigma. Weights of u stay positive from sigma = h on (1.5 h at cell centres), and rows keep their
sum.

From 1.5 spacings on D_k is the Euler-Maclaurin series in derivatives of the Gaussian, which ends in round-off there;
below that it is the difference itself, taken outside the wall, where both terms are small, and turned to the inside
by D_k(-x) = (-1)^(k+1) D_k(x).
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
from heatpg.core.kinks import REACH, TERMS, jumps_along, kink_series, period_of
from heatpg.tools.kernels import kernel, read_only
from heatpg.tools.parallel import for_each

__all__ = [
    "WIDTH",
    "CorrectedOperator",
    "EndCorrection",
    "columns_of",
    "corrected_from",
    "end_correction",
    "ends_of",
    "flows_of_kinks",
    "kink_flow",
    "kink_waves",
    "localised_kink",
    "mirror_change",
    "nodes_taken",
    "series_columns",
]

Array = NDArray[Any]

_SERIES = 1.5  # spacings: from there on 60 terms of the series leave 1e-17
_LANES = 256  # lines at once: their jumps, 8 rows of 2 KiB, and the row they are added to stay in a first-level cache
_WIDEST = 6.0  # periods of a mirrored line: exp(-2 pi^2 6^2) is left of its longest wave
_PIECE = 2**16  # points that a thread gets at once, the most of a second-level cache; a taste
WIDTH = 3.0
"""Spacings over which `localised_kink` is smoothed: what is left of its smooth part at Nyquist is exp(-9 pi^2 / 2)."""
_NODES = 24  # that have the waves of a kink, of 2e-16 of a jump's h^k, and 16 would do for mirrors in nodes
_ANGLES = 1024  # many more than nodes, so that waves between them are right as well
_DIGITS = 1e-17  # of singular values: what is seen of a node may be as little as round-off


def series_columns(orders: tuple[int, ...], place: Array, ratio: float, cell: bool, slope: int = 0) -> Array:
    """D_k / h^k at distances from the wall inwards, by the series; `slope` times differentiated, in units of h.

    Parameters
    ----------
    orders
        The k.
    place
        Distances from the wall in spacings, any shape, negative outside.
    ratio
        sigma / h, 1.5 at least.
    cell
        Whether the wall lies between two nodes.
    slope
        0, 1, ...
    """
    z = np.asarray(place, dtype=np.float64) / ratio
    factors = np.stack([kink_series(k, cell) for k in orders])
    result = np.zeros((len(orders), *z.shape))
    # derivatives of the Gaussian by the recursion of Hermite polynomials: G^(n) = (-1)^n He_n(z) G / sigma^n
    scale = np.exp(-0.5 * z * z) / (math.sqrt(2.0 * math.pi) * ratio)
    before, now = np.zeros_like(z), np.ones_like(z)
    for n in range(TERMS + 1 + slope):
        if n >= slope:
            for row, factor in zip(result, factors[:, n - slope], strict=True):
                if factor != 0.0:
                    row += factor * (now * scale)
        before, now = now, z * now - n * before
        scale = scale * (-1.0 / ratio)
    result[:, np.abs(z) > REACH] = 0.0
    return result


def flows_of_kinks(x: Array, deviation: float, most: int) -> list[Array]:
    """R_k at x for k = -1, 0, ... most, the flow of x^k / k! on one half of a line."""
    density = np.exp(-0.5 * np.square(x / deviation)) / (math.sqrt(2.0 * math.pi) * deviation)
    flows = [density, ndtr(x / deviation)]
    # R_1 takes sigma^2 g = sigma^2 R_(-1) as the others do
    for k in range(1, most + 1):
        flows.append((x * flows[k] + deviation**2 * flows[k - 1]) / k)
    return flows


def _near_columns(orders: tuple[int, ...], count: int, ratio: float, cell: bool, slope: bool) -> Array:
    """D_k / h^k at the first `count` nodes inside the wall, as the difference that it is; in units of h."""
    half = 0.5 if cell else 0.0
    node = np.arange(count) + half
    radius = math.ceil(REACH * ratio) + 1
    # the solver's own weights: samples of the Gaussian that sum to one
    offset = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * np.square(offset / ratio))
    total = weights.sum()
    source = np.arange(radius + 1) + half
    # from the mirror image of each node outside the wall to the nodes inside
    distance = node[:, None] + source
    sampled = np.exp(-0.5 * np.square(distance / ratio)) / total
    if slope:
        sampled = sampled * distance / ratio**2
    flows = flows_of_kinks(-node, ratio, max(orders))
    result = np.empty((len(orders), count))
    for row, k in zip(result, orders, strict=True):
        kink = source**k / math.factorial(k)
        if k == 0 and not cell:
            kink[0] = 0.5
        outside = flows[k if slope else k + 1] - (sampled * kink).sum(axis=1)
        # even and odd columns turn over, and so do their slopes
        row[:] = outside * ((-1.0) ** k if slope else (-1.0) ** (k + 1))
    return result


def columns_of(
    orders: tuple[int, ...],
    place: Array,
    ratio: float,
    period: int,
    cell: bool,
    slope: bool = False,
    reach: float = math.inf,
) -> NDArray[np.float64]:
    """D_k / h^k of one wall at distances from it inwards, summed over its images; in units of h.

    Parameters
    ----------
    orders
        The k.
    place
        Distances in spacings, shape (places,): of nodes, or any where sigma is wide enough for the series.
    ratio
        sigma / h.
    period
        Distance of the images in spacings; 0 where there are none.
    cell
        Whether the wall lies between two nodes.
    slope
        Whether the derivative is asked for.
    reach
        Spacings to which the solver sums, where that is less than `REACH`.
    """
    if period:
        # as uniform as any wider one: images only wash out
        ratio = min(ratio, _WIDEST * period)
    reach = min(reach, REACH * ratio)
    most = math.ceil((reach + float(np.abs(place).max())) / period) if period else 0
    result = np.zeros((len(orders), len(place)))
    near = None if ratio >= _SERIES else _near_columns(orders, math.floor(reach) + 1, ratio, cell, slope)
    turned = np.array([[-1.0 if (k % 2 == 0) != slope else 1.0] for k in orders])
    for image in range(-most, most + 1):
        where = place + image * period
        chosen = np.flatnonzero(np.abs(where) <= reach)
        if not len(chosen):
            continue
        where = where[chosen]
        if near is None:
            result[:, chosen] += series_columns(orders, where, ratio, cell, int(slope))
        else:
            node = np.rint(np.abs(where) - (0.5 if cell else 0.0)).astype(np.int64)
            result[:, chosen] += near[:, node] * np.where(where < 0, turned, 1.0)
    return result


def _conserving(
    lower: Array, orders: tuple[int, ...], place: Array, ratio: float, period: int, cell: bool, reach: float
) -> NDArray[np.float64]:
    """Columns whose sums are those of their integrals, which samples of a narrow Gaussian miss by up to 1e-7."""
    most = math.ceil((REACH * ratio + period) / period)
    images = place[:, None] + period * np.arange(-most, most + 1)
    spread = np.where(np.abs(images) <= reach, np.exp(-0.5 * np.square(images / ratio)), 0.0).sum(axis=1)
    # u is even about both walls: nodes on them count by half
    share = np.ones(len(place))
    if not cell:
        share[[0, -1]] = 0.5
    # half of the integral over the whole line lies in the box
    wanted = np.array([0.5 * kink_series(k, cell)[0] for k in orders])
    missing = wanted - (lower * share).sum(axis=1)
    return np.asarray(lower + np.multiply.outer(missing, spread / (spread * share).sum()))


def localised_kink(orders: tuple[int, ...], place: Array) -> NDArray[np.float64]:
    """Samples of f_k = r_k - R_k(tau) + tau^2 / 2 R_(k-2)(tau), tau = `WIDTH`, in units of h: r_k without its far part.

    Its flow is `kink_flow`. Odd in k it is even about the wall, and even it is odd.
    """
    flows = flows_of_kinks(-np.abs(place), WIDTH, max(orders))
    result = np.empty((len(orders), *np.shape(place)))
    for row, k in zip(result, orders, strict=True):
        outside = -flows[k + 1] + (0.5 * WIDTH**2 * flows[k - 1] if k > 1 else 0.0)
        if k == 0:
            outside = np.where(place == 0, 0.0, outside)
        row[:] = np.where(place > 0, (-1.0) ** (k + 1), 1.0) * outside
    return result


def kink_flow(orders: tuple[int, ...], place: Array, ratio: float, slope: bool = False) -> NDArray[np.float64]:
    """The flow of `localised_kink` by sigma, or its derivative, in units of h."""
    below = -np.abs(place)
    most = max(orders)
    narrow = flows_of_kinks(below, ratio, most)
    wide = flows_of_kinks(below, math.hypot(ratio, WIDTH), most)
    less = int(slope)
    result = np.empty((len(orders), *np.shape(place)))
    for row, k in zip(result, orders, strict=True):
        outside = narrow[k + 1 - less] - wide[k + 1 - less]
        if k > 1:
            outside = outside + 0.5 * WIDTH**2 * wide[k - 1 - less]
        row[:] = np.where(place > 0, (-1.0) ** (k + 1 - less), 1.0) * outside
    return result


def kink_waves(axis: Axis, orders: tuple[int, ...], beyond: int, unit: Array) -> NDArray[np.float64]:
    """Waves that, times exp(-k^2 sigma^2 / 2), are D_k / h^k of both walls of an axis.

    Parameters
    ----------
    axis
        The axis, in free space or between mirrors.
    orders
        The k.
    beyond
        Nodes by which the line is continued at each end, to be mirrored there between nodes; 0 of a mirrored line.
    unit
        Cosine transform of the line of a 1 on its first node and 0 elsewhere, for the scale of coefficients.

    Returns
    -------
    waves
        Shape (2, orders, waves); right to round-off where the Gaussian is resolved, from sigma = 3 h on.
    """
    rows, cell = len(unit), axis.nodes == "cell"
    mirrors = not axis.rule.free_space
    # between mirrors in nodes there is one interval less than there are nodes
    intervals = rows - 1 if mirrors and not cell else rows
    angle = math.pi * np.arange(rows) / intervals
    wall = 0.0 if mirrors else beyond + (0.0 if cell else 0.5)
    # of a node on the wall; half of what is even about a mirror lies in the line, and half of a node that stands on it
    scale = unit if mirrors and not cell else (0.5 if mirrors else 1.0) * unit / np.cos(0.5 * angle)
    powers = np.power.outer(1j * angle, np.arange(TERMS + 1))
    result = np.empty((2, len(orders), rows))
    for row, k in enumerate(orders):
        series = (powers * kink_series(k, cell)).sum(axis=1)
        for side, place in enumerate((-wall, intervals - wall)):
            result[side, row] = scale * (series * np.exp(1j * angle * place)).real
    return result


@functools.cache
def _kink_nodes(orders: tuple[int, ...], cell: bool) -> NDArray[np.float64]:
    """Of each k, odd, `_NODES` samples inside a mirror, even about it, whose flow by sigma >= 3 h is D_k / h^k."""
    angle = math.pi * (np.arange(_ANGLES) + 0.5) / _ANGLES
    powers = np.power.outer(1j * angle, np.arange(TERMS + 1))
    waves = np.stack([(powers * kink_series(k, cell)).sum(axis=1).real for k in orders], axis=1)
    # each node and its image; one that stands on the mirror is its own
    cosines = 2.0 * np.cos(np.multiply.outer(angle, np.arange(_NODES) + (0.5 if cell else 0.0)))
    if not cell:
        cosines[:, 0] = 1.0
    # near Nyquist nothing is left after such a flow, so anything will do there
    seen = np.exp(-0.5 * np.square(WIDTH * angle))[:, None]
    result = np.linalg.lstsq(cosines * seen, waves * seen, rcond=_DIGITS)[0].T
    result.setflags(write=False)  # it is kept
    return np.asarray(result)


@functools.lru_cache(maxsize=256)
def mirror_change(axis: Axis, dtype: str) -> EndCorrection:
    """A change of the nodes next to two mirrors by which any flow of them, from sigma = 3 h on, has corrected ends.

    What a sum of samples lacks has the waves of D_k, which the flow damps as it damps those of the data. Some twenty
    nodes can have these waves, as far as they are seen after such a flow: they cost the same however long a line is.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis
    >>> from heatpg.solvers.edges import mirror_change
    >>> line = np.arange(60.0)[None]
    >>> mirror_change(Axis("x", 0.0, 59.0, 60, boundary="reflect"), "float64").change_rows(line)
    >>> bool(abs(line[0, 25:35] - np.arange(25.0, 35.0)).max() == 0.0)  # away from the walls nothing is changed
    True
    >>> float((line[0, 0] / 2 + line[0, 1:25].sum() - np.arange(25.0).sum()).round(12))  # a slope of 1 is worth 1 / 12
    0.083333333333
    """
    orders, weights = jumps_along(axis, WIDTH * axis.spacing)
    cell = axis.nodes == "cell"
    near, period, half = _kink_nodes(orders, cell), period_of(axis), 0.5 if cell else 0.0
    lower = np.zeros((len(orders), axis.size))
    most = math.ceil((_NODES + axis.size) / period)
    for image in range(-most, most + 1):
        number = np.rint(np.abs(np.arange(axis.size) + half + image * period) - half).astype(np.int64)
        chosen = np.flatnonzero(number < _NODES)
        lower[:, chosen] += near[:, number[chosen]]
    return ends_of(axis, weights, lower, dtype, False)


@kernel
def _take_jumps(source: Array, weights: Array, jumps: Array, start: int, stop: int) -> None:
    """jumps[side, k, a, j] = sum_i weights[k, i] of the i-th node from the wall; lanes j from start to stop."""
    nodes = source.shape[1]
    for a in range(source.shape[0]):
        for k in range(weights.shape[0]):
            for side in range(2):
                t = jumps[side, k, a]
                for j in range(start, stop):
                    t[j] = 0.0
                for i in range(weights.shape[1]):
                    w = weights[k, i]
                    s = source[a, i if side == 0 else nodes - 1 - i]
                    for j in range(start, stop):
                        t[j] += w * s[j]


@kernel
def _add_rows(target: Array, jumps: Array, columns: Array, first: Array, last: Array, begin: int, end: int) -> None:
    """target[a, i] += sum_k columns[side, k, i] jumps[side, k, a] for i in the span of each side."""
    orders = columns.shape[1]
    # two columns of each wall in one pass, where both go along the whole line
    both = orders == 2 and first[0] == first[1] and last[0] == last[1]
    for a in range(begin, end):
        if both:
            t = target[a, first[0] : last[0]]
            c, d = columns[0, 0, first[0] : last[0]], columns[0, 1, first[0] : last[0]]
            e, f = columns[1, 0, first[0] : last[0]], columns[1, 1, first[0] : last[0]]
            p, q, r, s = jumps[0, 0, a], jumps[0, 1, a], jumps[1, 0, a], jumps[1, 1, a]
            for i in range(t.shape[0]):
                t[i] += (p * c[i] + q * d[i]) + (r * e[i] + s * f[i])
            continue
        for side in range(2):
            t = target[a, first[side] : last[side]]
            # two columns in one pass over the line
            for k in range(0, orders - 1, 2):
                c = columns[side, k, first[side] : last[side]]
                d = columns[side, k + 1, first[side] : last[side]]
                p, q = jumps[side, k, a], jumps[side, k + 1, a]
                for i in range(t.shape[0]):
                    t[i] += p * c[i] + q * d[i]
            if orders % 2 == 1:
                c = columns[side, orders - 1, first[side] : last[side]]
                p = jumps[side, orders - 1, a]
                for i in range(t.shape[0]):
                    t[i] += p * c[i]


@kernel
def _change_rows(rows: Array, weights: Array, lower: Array, upper: Array, jumps: Array) -> None:
    """As `_take_jumps` and `_add_rows`, of rows whose first and last nodes only are changed; `jumps` is scratch.

    The number of columns is even, so that two are added in one pass.
    """
    orders, count = weights.shape
    size, width = rows.shape[1], lower.shape[1]
    for a in range(rows.shape[0]):
        t = rows[a]
        # of both walls first, because on a short line each changes the nodes of the other
        for k in range(orders):
            low, high = 0.0, 0.0
            for i in range(count):
                low += weights[k, i] * t[i]
                high += weights[k, i] * t[size - 1 - i]
            jumps[0, k], jumps[1, k] = low, high
        s = t[:width]
        for k in range(0, orders, 2):
            c, d = lower[k], lower[k + 1]
            p, q = jumps[0, k], jumps[0, k + 1]
            for i in range(s.shape[0]):
                s[i] += p * c[i] + q * d[i]
        s = t[size - width :]
        for k in range(0, orders, 2):
            c, d = upper[k], upper[k + 1]
            p, q = jumps[1, k], jumps[1, k + 1]
            for i in range(s.shape[0]):
                s[i] += p * c[i] + q * d[i]


@kernel
def _add_columns(
    target: Array, jumps: Array, columns: Array, first: Array, last: Array, begin: int, end: int, start: int, stop: int
) -> None:
    """target[a, i, j] += sum_k columns[side, k, i] jumps[side, k, a, j] for i in the span of each side."""
    orders = columns.shape[1]
    for a in range(begin, end):
        # both walls at once, while the row is in the first-level cache
        for i in range(target.shape[1]):
            t = target[a, i, start:stop]
            for side in range(2):
                if i < first[side] or i >= last[side]:
                    continue
                for k in range(0, orders - 1, 2):
                    c, d = columns[side, k, i], columns[side, k + 1, i]
                    p = jumps[side, k, a, start:stop]
                    q = jumps[side, k + 1, a, start:stop]
                    for j in range(t.shape[0]):
                        t[j] += c * p[j] + d * q[j]
                if orders % 2 == 1:
                    c = columns[side, orders - 1, i]
                    p = jumps[side, orders - 1, a, start:stop]
                    for j in range(t.shape[0]):
                        t[j] += c * p[j]


@dataclasses.dataclass(frozen=True, eq=False)
class EndCorrection:
    """What is added to every line along one axis for the kinks at its two walls.

    Attributes
    ----------
    weights
        Of the nodes from a wall inwards for h^k J_k, shape (orders, nodes).
    columns
        D_k / h^k of the lower and of the upper wall, shape (2, orders, rows).
    """

    weights: Array
    columns: Array

    @functools.cached_property
    def _spans(self) -> tuple[Array, Array]:
        """First and last row, past the end, of each wall where a column is not zero."""
        first, last = np.zeros(2, np.int64), np.zeros(2, np.int64)
        for side in range(2):
            rows = np.flatnonzero(self.columns[side].any(axis=0))
            if len(rows):
                first[side], last[side] = rows[0], rows[-1] + 1
        return first, last

    def jumps(self, source: Array, position: int) -> Array:
        """h^k J_k of every line along array axis `position`, shape (2, orders, *the other axes)."""
        inner = math.prod(source.shape[position + 1 :])
        lines = read_only(source.reshape(-1, source.shape[position], inner))
        result = np.empty((2, len(self.weights), len(lines), inner), source.dtype)
        step = max(1, _PIECE // max(1, len(lines)))
        for_each(
            lambda start: _take_jumps(lines, self.weights, result, start, min(start + step, inner)),
            range(0, inner, step),
        )
        return result.reshape(2, len(self.weights), *source.shape[:position], *source.shape[position + 1 :])

    def add(self, jumps: Array, target: Array, position: int) -> None:
        """Add the columns times what `jumps` gave, smoothed along the other axes or not."""
        inner = math.prod(target.shape[position + 1 :])
        lines = target.reshape(-1, target.shape[position], inner)
        jumps = np.ascontiguousarray(jumps).reshape(2, len(self.weights), len(lines), inner)
        first, last = self._spans
        # both walls in one pass over a line
        rows = max(1, min(lines.shape[1], int((last - first).sum())))
        across = _LANES
        along = max(1, _PIECE // (rows * min(across, inner)))

        def work(piece: tuple[int, int]) -> None:
            a, j = piece
            until = min(a + along, len(lines))
            if inner == 1:
                _add_rows(lines[:, :, 0], jumps[..., 0], self.columns, first, last, a, until)
            else:
                _add_columns(lines, jumps, self.columns, first, last, a, until, j, min(j + across, inner))

        for_each(work, [(a, j) for a in range(0, len(lines), along) for j in range(0, inner, across)])

    @functools.cached_property
    def _near(self) -> tuple[Array, Array, Array]:
        """Weights and the columns of both walls, cut where nothing is left of them, of an even number of orders."""
        width = int(self._spans[1][0])
        odd = len(self.weights) % 2
        lower, upper = self.columns[0, :, :width], self.columns[1, :, self.columns.shape[2] - width :]
        rows = [np.pad(each, ((0, odd), (0, 0))) for each in (self.weights, lower, upper)]
        return rows[0], rows[1], rows[2]

    def change_rows(self, rows: Array) -> None:
        """Add the columns times the jumps of the same rows, shape (rows, nodes); by one thread, one of many or not.

        The columns of one wall are those of the other turned over, as `ends_of` makes them, and best are short.
        """
        weights, lower, upper = self._near
        _change_rows(rows, weights, lower, upper, np.empty((2, len(weights)), rows.dtype))

    def matrix(self) -> NDArray[np.float64]:
        """What is added to the matrix of a line."""
        rows, nodes = self.columns.shape[2], self.weights.shape[1]
        result = np.zeros((rows, rows))
        for k, weights in enumerate(self.weights):
            result[:, :nodes] += np.multiply.outer(self.columns[0, k], weights)
            result[:, rows - nodes :] += np.multiply.outer(self.columns[1, k], weights[::-1])
        return result


def corrected_from(axis: Axis) -> float:
    """The sigma from which a sum along an axis is corrected without negative weights; infinite where it never is.

    Examples
    --------
    >>> from heatpg import Axis
    >>> from heatpg.solvers.edges import corrected_from
    >>> corrected_from(Axis("x", 0.0, 4.0, 5, boundary="clip"))
    1.0
    """
    return axis.spacing if jumps_along(axis, axis.spacing)[0] else math.inf


def nodes_taken(axis: Axis, sigma: float) -> int:
    """Number of nodes at each end from which a correction is made; 0 where there is none."""
    orders, weights = jumps_along(axis, sigma)
    return weights.shape[1] if orders else 0


@functools.lru_cache(maxsize=256)
def end_correction(
    axis: Axis, sigma: float, dtype: str, slope: bool = False, reach: float = math.inf
) -> EndCorrection | None:
    """What a sum of samples of the Gaussian lacks at the ends of an axis; None below `corrected_from`.

    Parameters
    ----------
    axis
        The axis; only its spacing, size, boundary and nodes matter.
    sigma
        Noise along it.
    dtype
        Type of the field.
    slope
        Whether du/dx is corrected.
    reach
        Spacings to which the solver sums: beyond, a negative weight would stand alone.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis
    >>> from heatpg.solvers.edges import end_correction
    >>> axis = Axis("x", 0.0, 8.0, 9, boundary="clip")
    >>> added = end_correction(axis, 1.0, "float64").matrix()
    >>> bool(np.abs(added.sum(axis=1)).max() < 1e-15)  # constants stay what they are
    True
    """
    if sigma < corrected_from(axis):
        return None
    orders, weights = jumps_along(axis, sigma)
    cell = axis.nodes == "cell"
    place = np.arange(axis.size) + (0.5 if cell else 0.0)
    ratio, period = sigma / axis.spacing, period_of(axis)
    lower = columns_of(orders, place, ratio, period, cell, slope, reach)
    if axis.rule.conserves_mass and ratio < _SERIES and not slope:
        lower = _conserving(lower, orders, place, ratio, period, cell, reach)
    return ends_of(axis, weights, lower, dtype, slope)


def ends_of(axis: Axis, weights: Array, lower: Array, dtype: str, slope: bool) -> EndCorrection:
    """The correction of both walls from the columns of the lower one at the nodes, in units of h."""
    if axis.rule.holds_ends and not slope:
        lower[:, [0, -1]] = 0.0  # odd about both ends; what rounding leaves there is not theirs
    if slope:
        lower = lower / axis.spacing
    # the other wall is the mirror image, where x runs backwards
    columns = np.stack([lower, (-1.0 if slope else 1.0) * lower[:, ::-1]])
    return EndCorrection(weights.astype(dtype), np.ascontiguousarray(columns, dtype=dtype))


@dataclasses.dataclass(frozen=True, eq=False)
class CorrectedOperator:
    """A line operator with the correction of its ends."""

    operator: Any
    ends: EndCorrection

    def apply(self, source: Array, target: Array, position: int) -> None:
        # before, because both may be one array
        jumps = self.ends.jumps(source, position)
        self.operator.apply(source, target, position)
        self.ends.add(jumps, target, position)
