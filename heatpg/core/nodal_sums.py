"""u and its derivatives at points as sums over the nodes of Q, or over coarser nodes of Q smoothed in part.

At large sigma a sum runs over all nodes within 9 sigma, for each point anew. But the flow is a semigroup: Q smoothed by
a smaller s along an axis, s^2 = sigma^2 - r^2, takes noise r to u. Smoothed by s it need not be known at all nodes: a
sum over nodes H apart is wrong by the overlap of its spectrum with those of the Gaussian at multiples of K = 2 pi / H,
of which the largest is exp(-s^2 r^2 K^2 / (2 sigma^2)). With the steps below that is 3e-21, and of a fourth derivative
in units of r, whose spectrum has four more factors of about r K / 2, 1e-17. So u is the same to round-off, from some
forty nodes along each axis, and what an axis smooths is made once for all points of a range of sigma.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.boundaries import Boundary, Extension, Nodes
from heatpg.core.grid import Axis
from heatpg.core.kinks import kink_tables
from heatpg.core.narrow import narrow_jumps
from heatpg.core.point_weights import (
    CLIPPED,
    HELD,
    MIRRORED,
    NOTHING,
    PERIODIC,
    RESOLVED,
    STENCIL,
    WINDOW,
    line_weights,
    stencil_polynomials,
)
from heatpg.tools.kernels import kernel, multiply_add
from heatpg.tools.parallel import for_each

__all__ = ["NodalSums", "NodeLine", "steps_of_smoothing"]

Array = NDArray[Any]

_PADDING = 16  # numbers beside each other in a loop, as many as the compiler takes at once with registers of 32 bytes
_PIECE_WORK = 2**22  # products of one piece of work for a thread, some milliseconds

# Steps of smoothing, in each of which sigma grows by a quarter of an octave. The first sigma leaves s = 2.8 h, from
# where neither the sampled Gaussian nor the series of the kinks at the walls is wrong by more than round-off.
_FIRST_SIGMA = 4.0  # spacings
_STEPS_AN_OCTAVE = 4
_SHARE = 0.5  # s^2 over the square of the smallest sigma of a step
_NODES_A_SIGMA = 3.1  # that smallest sigma over H
_FEWEST_NODES = 4  # of a short axis at large sigma, where nearly nothing is left of u but its mean


@dataclasses.dataclass(frozen=True, eq=False)
class NodeLine:
    """The nodes of one axis that a sum runs over, and how their values go on beyond them.

    Attributes
    ----------
    rule, nodes
        The boundary, and where the nodes are.
    first, spacing, size
        The nodes, counted from the origin of the axis.
    walls
        Where the lower and the upper wall are.
    kind
        One of PERIODIC, HELD, CLIPPED, NOTHING and MIRRORED.
    faced
        Whether the values on the walls follow those of the nodes.
    kinks
        What `heatpg.core.point_weights` takes of kinks: weights, series, walls.
    """

    rule: Boundary
    nodes: Nodes
    first: float
    spacing: float
    size: int
    walls: tuple[float, float]
    kind: int
    faced: bool
    kinks: tuple[Array, Array, Array]

    @classmethod
    def of(cls, axis: Axis) -> NodeLine:
        """That of an axis, counted from its origin."""
        weights, series, walls = kink_tables(axis)
        return cls(
            rule=axis.rule,
            nodes=axis.nodes,
            # far from 0 the distance of a place from each node would be rounded differently
            first=float(axis.coordinates[0]) - axis.origin,
            spacing=axis.spacing,
            size=axis.size,
            walls=(axis.lower - axis.origin, axis.upper - axis.origin),
            kind=_kind(axis),
            faced=axis.faced,
            kinks=(weights, series, np.concatenate((walls, narrow_jumps(axis)))),
        )

    @property
    def margin(self) -> float:
        """From the wall to the first node; a period has no walls."""
        return 0.0 if self.kind == PERIODIC else self.first - self.walls[0]

    def continued(self, rows: int) -> Extension:
        """The line with so many nodes before and behind it, in which constant values outside have a face as source."""
        extension = self.rule.extend(self.size, self.nodes, rows, rows)
        if not (self.faced and self.rule.free_space):
            return extension
        source, weight = extension.source.copy(), extension.weight.copy()
        for side in (0, 1):
            outside = extension.face[:, side] != 0
            source[outside], weight[outside] = self.size + side, extension.face[outside, side]
        return dataclasses.replace(extension, source=source, weight=weight)

    def smoothed(self, step: int) -> tuple[NodeLine, float]:
        """Coarser nodes that hold what is smoothed for a step, and the noise that it is smoothed by."""
        sigma = _FIRST_SIGMA * self.spacing * 2.0 ** (step / _STEPS_AN_OCTAVE)
        noise, spacing = math.sqrt(_SHARE) * sigma, sigma / _NODES_A_SIGMA
        low, high = self.walls
        if self.kind == PERIODIC:
            low, high = self.first, self.first + (high - low)
        elif self.kind in (CLIPPED, NOTHING):
            # as far as what is outside still changes
            low, high = low - WINDOW * noise, high + WINDOW * noise
        count = max(_FEWEST_NODES, math.ceil((high - low) / spacing))
        # what is smoothed has no kinks any more
        weights, series, walls = self.kinks
        line = NodeLine(
            rule=self.rule,
            nodes="vertex",
            first=low,
            spacing=(high - low) / count,
            size=count if self.kind == PERIODIC else count + 1,
            walls=(low, high),
            kind=self.kind,
            faced=False,
            kinks=(np.zeros_like(weights), series, np.zeros_like(walls)),
        )
        return line, noise


def steps_of_smoothing(deviations: Array, spacing: Array) -> NDArray[np.int64]:
    """The step of each sigma along each axis, -1 where sigma is too small for any; shape (points, dimensions)."""
    cells = np.maximum(deviations / (_FIRST_SIGMA * spacing), 0.5)
    return np.asarray(np.maximum(np.floor(_STEPS_AN_OCTAVE * np.log2(cells)), -1.0), dtype=np.int64)


def _kind(axis: Axis) -> int:
    if axis.rule.holds_ends:
        return HELD
    if axis.rule.free_space:
        # a rule whose far outside weighs nothing is an extension by zero
        return CLIPPED if axis.rule.extend(axis.size, axis.nodes, 1, 1).of(np.ones(axis.size), 0)[0] else NOTHING
    return PERIODIC if axis.rule.periodic else MIRRORED


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
    # the last axis goes on with zeros for a whole number of registers, so that no loop ends in single numbers
    scratch = np.empty((orders, width))
    w0 = np.zeros((orders, values.shape[0]))
    w1 = np.zeros((orders, values.shape[1]))
    w2 = np.zeros((orders, values.shape[2]))
    t0 = np.empty((orders * orders, values.shape[2]))
    t1 = np.empty((orders, values.shape[2]))
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
            size = values.shape[axis] if axis < 2 else values.shape[axis] - _PADDING
            lo[axis], count[axis] = line_weights(
                points[p, q],
                sigmas[p, q],
                first[q],
                spacing[q],
                size - 2 if faced[q] else size,
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
        n = (count[2] + _PADDING - 1) // _PADDING * _PADDING
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
                        sums = multiply_add(v1, r1[k], multiply_add(v0, r0[k], target[k]))
                        target[k] = multiply_add(v3, r3[k], multiply_add(v2, r2[k], sums))
            for j in range(whole, count[1]):
                row = values[lo[0] + i, lo[1] + j, lo[2] : lo[2] + n]
                for b in range(kept[1]):
                    w = w1[b, j]
                    target = t1[b, :n]
                    for k in range(n):
                        target[k] = multiply_add(w, row[k], target[k])
            for a in range(kept[0]):
                w = w0[a, i]
                # beyond the total order nothing is asked for
                for b in range(min(kept[1], orders - a)):
                    target, part = t0[a * orders + b, :n], t1[b, :n]
                    for k in range(n):
                        target[k] = multiply_add(w, part[k], target[k])
        for c in range(orders):
            for k in range(count[2], n):
                w2[c, k] = 0.0
        for a in range(kept[0]):
            for b in range(min(kept[1], orders - a)):
                part = t0[a * orders + b, :n]
                for c in range(orders - a - b):
                    # four sums side by side, because each product would wait for the sum before it
                    w = w2[c, :n]
                    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
                    for k in range(0, n, 4):
                        s0 = multiply_add(w[k], part[k], s0)
                        s1 = multiply_add(w[k + 1], part[k + 1], s1)
                        s2 = multiply_add(w[k + 2], part[k + 2], s2)
                        s3 = multiply_add(w[k + 3], part[k + 3], s3)
                    out[p, a, b, c] = (s0 + s1) + (s2 + s3)


@kernel
def _smoothed_along(
    # so many, because kernels take plain numbers and arrays
    points: Array,
    sigma: float,
    values: Array,
    first: float,
    spacing: float,
    kind: int,
    margin: float,
    faced: bool,
    source: Array,
    sign: Array,
    before: int,
    polynomials: Array,
    weights: Array,
    series: Array,
    walls: Array,
    width: int,
    out: Array,
) -> None:
    """out[p] = sum_i W[p, i] values[i], the noise sigma along the first axis at points of it."""
    size = values.shape[0] - 2 if faced else values.shape[0]
    rest = values.shape[1]
    scratch = np.empty((1, width))
    w = np.zeros((1, values.shape[0]))
    for p in range(points.shape[0]):
        lo, count = line_weights(
            points[p],
            sigma,
            first,
            spacing,
            size,
            kind,
            margin,
            faced,
            source,
            sign,
            before,
            polynomials,
            1,
            weights,
            series,
            walls,
            scratch,
            w,
        )
        target = out[p]
        for k in range(rest):
            target[k] = 0.0
        # four rows at a time, so that the sums are read and written a quarter as often
        whole = count - count % 4
        for j in range(0, whole, 4):
            r0, r1, r2, r3 = values[lo + j], values[lo + j + 1], values[lo + j + 2], values[lo + j + 3]
            v0, v1, v2, v3 = w[0, j], w[0, j + 1], w[0, j + 2], w[0, j + 3]
            for k in range(rest):
                target[k] += (v0 * r0[k] + v1 * r1[k]) + (v2 * r2[k] + v3 * r3[k])
        for j in range(whole, count):
            row = values[lo + j]
            v = w[0, j]
            for k in range(rest):
                target[k] += v * row[k]


class _Continued:
    """Some axes with what their lines are continued by, as far as sums have asked for it."""

    def __init__(self, lines: Sequence[NodeLine]) -> None:
        self.lines = tuple(lines)
        self.first = np.array([line.first for line in self.lines])
        self.spacing = np.array([line.spacing for line in self.lines])
        self.sizes = np.array([line.size for line in self.lines])
        self._all_free = all(line.rule.free_space for line in self.lines)
        self._kept: dict[int, tuple[Array, Array, Array]] = {}

    def tables(self, places: Array, deviations: Array) -> tuple[Array, Array, Array, int]:
        """Source, sign and offset of the continued line of every axis; and the widest window."""
        # beyond the line only so far as the widest Gaussian among the points reaches
        reach = WINDOW * np.maximum(deviations / self.spacing, RESOLVED) + STENCIL + 2
        cells = (places - self.first) / self.spacing
        beyond = max(float((reach - cells).max()), float((cells + reach - self.sizes).max()), 1.0)
        # powers of two, so that few tables serve all points
        rows = 1 if self._all_free else 1 << math.ceil(math.log2(beyond + 2.0))
        if rows not in self._kept:
            # in free space everything further out is as the first node outside
            tables = [line.continued(1 if line.rule.free_space else rows) for line in self.lines]
            longest = max(len(table.source) for table in tables)
            source = np.stack([np.pad(table.source, (0, longest - len(table.source)), mode="edge") for table in tables])
            sign = np.stack([np.pad(table.weight, (0, longest - len(table.weight)), mode="edge") for table in tables])
            self._kept[rows] = (source, sign, np.array([table.before for table in tables]))
        return (*self._kept[rows], 2 * math.ceil(float(reach.max())) + 1)


class NodalSums:
    """Sums over the nodes of some axes, one to three.

    Parameters
    ----------
    values
        What the nodes hold; along a faced axis also, behind them, the values on its walls.
    lines
        The axes.
    """

    def __init__(self, values: Array, lines: Sequence[NodeLine]) -> None:
        self.lines = tuple(lines)
        # the kernel has three axes: those that are not there have one node
        self._values = np.pad(
            values.reshape((1,) * (3 - len(self.lines)) + values.shape), ((0, 0), (0, 0), (0, _PADDING))
        )
        self._continued = _Continued(lines)
        self._kinds = np.array([line.kind for line in self.lines])
        self._margins = np.array([line.margin for line in self.lines])
        self._faced = np.array([line.faced for line in self.lines])
        self._kinks = tuple(np.stack(tables) for tables in zip(*(line.kinks for line in self.lines), strict=True))
        self._smoothed: dict[tuple[int, ...], tuple[NodalSums, Array]] = {}

    def derivatives(self, places: Array, deviations: Array, orders: int) -> Array:
        """All mixed derivatives below a total order, shape (points, orders, ...), one axis each.

        Parameters
        ----------
        places, deviations
            Shape (points, axes), at least one point; places are counted from the origins of the axes.
        orders
            One more than the highest order.
        """
        d = len(self.lines)
        result = np.zeros((len(places), *((1,) * (3 - d)), *((orders,) * d)))
        along = self._continued
        source, sign, before, width = along.tables(places, deviations)

        def evaluate(begin: int, end: int) -> None:
            _derivatives(
                *(places[begin:end], deviations[begin:end], self._values, along.first, along.spacing),
                *(self._kinds, self._margins, self._faced, source, sign, before, d, stencil_polynomials()),
                *(orders, *self._kinks, width),
                result[begin:end],
            )

        windows = np.minimum(2 * WINDOW * np.maximum(deviations / along.spacing, 1.0), along.sizes)
        # pieces of about the same work: points at small sigma are cheap, and would keep a thread waiting for the others
        work = np.cumsum(windows.prod(axis=1))
        if work[-1] <= _PIECE_WORK:
            evaluate(0, len(places))
        else:
            cuts = np.searchsorted(work, np.arange(_PIECE_WORK, work[-1], _PIECE_WORK))
            edges = np.unique(np.concatenate(([0], cuts, [len(places)]))).tolist()
            for_each(lambda piece: evaluate(*piece), itertools.pairwise(edges))
        return result.reshape((len(places), *((orders,) * d)))

    def by_steps(self, places: Array, deviations: Array, orders: int) -> Array:
        """As `derivatives`, from what is smoothed for the steps of the sigmas."""
        steps = steps_of_smoothing(deviations, self._continued.spacing)
        if (steps == steps[0]).all():
            return self._of_step(tuple(steps[0].tolist()), places, deviations, orders)
        result = np.empty((len(places), *((orders,) * len(self.lines))))
        kinds, which = np.unique(steps, axis=0, return_inverse=True)
        for number, step in enumerate(kinds.tolist()):
            chosen = np.flatnonzero(which.reshape(-1) == number)
            result[chosen] = self._of_step(tuple(step), places[chosen], deviations[chosen], orders)
        return result

    def _of_step(self, step: tuple[int, ...], places: Array, deviations: Array, orders: int) -> Array:
        if max(step) < 0:
            return self.derivatives(places, deviations, orders)
        if step not in self._smoothed:
            self._smoothed[step] = self._smooth(step)
        sums, variances = self._smoothed[step]
        return sums.derivatives(places, np.sqrt(deviations**2 - variances), orders)

    def _smooth(self, step: tuple[int, ...]) -> tuple[NodalSums, Array]:
        """What is smoothed for a step, with the variance that this took along each axis."""
        values, lines, variances = self._values[..., :-_PADDING], [], []
        values = values.reshape(values.shape[3 - len(self.lines) :])
        for line, number in zip(self.lines, step, strict=True):
            flat = np.ascontiguousarray(values).reshape(len(values), -1)
            rest = values.shape[1:]
            coarse, noise = line.smoothed(number) if number >= 0 else (line, 0.0)
            if number >= 0:
                flat = _smoothed(flat, line, coarse, noise)
            # the axes take turns in being the first one, and after the last turn all are back
            values = flat.T.reshape(*rest, len(flat))
            lines.append(coarse)
            variances.append(noise**2)
        return NodalSums(values, lines), np.array(variances)


def _smoothed(values: Array, line: NodeLine, coarse: NodeLine, noise: float) -> Array:
    """Values along the first axis, smoothed by a noise, on coarser nodes."""
    points = coarse.first + np.arange(coarse.size) * coarse.spacing
    source, sign, before, width = _Continued([line]).tables(points[:, None], np.full((coarse.size, 1), noise))
    out = np.empty((coarse.size, values.shape[1]))
    _smoothed_along(
        *(points, noise, values, line.first, line.spacing, line.kind, line.margin, line.faced),
        *(source[0], sign[0], int(before[0]), stencil_polynomials(), *line.kinks, width),
        out,
    )
    return out
