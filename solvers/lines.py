"""The engine: carries a one-dimensional operator along every line of an array, on any axis.

Lines are gathered in bundles (rows along the line, lanes side by side and contiguous), so that every scheme
vectorises across lanes; a bundle is worked on in scratch that stays in cache for all of its time steps, and is
scattered back. Memory is passed over once per axis, whatever the number of steps.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import threading
from abc import ABC, abstractmethod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from heatpg.boundaries import Boundary, boundaries
from heatpg.core.grid import Axis
from heatpg.tools.kernels import kernel, multiply_add, read_only
from heatpg.tools.parallel import for_each

__all__ = [
    "MOST_LANE_BYTES",
    "Closure",
    "Line",
    "SweepOperator",
    "fill_ghosts",
    "filter_bundle",
    "line_along",
    "part",
    "sweep",
    "workspace",
]

Array = NDArray[Any]

# A bundle and its scratch fill half of a second-level cache of 1 MiB, and the time steps of a scheme run inside it.
# Measured with AVX-512 on 1024^2: a quarter of it narrows the rows and costs implicit sweeps 1.7 times the time, twice
# and four times as much change less than 10 %.
_BUNDLE_BYTES = 256 * 1024
# What one call of a kernel gets: enough work to hide the call. Measured from 128 KiB to 2 MiB: within 10 %.
_BLOCK_BYTES = 512 * 1024
# 32 numbers in double precision. Measured: 64 bytes make implicit sweeps twice as slow, 512 are 5 % faster at most.
MOST_LANE_BYTES = 256
_LEAST_LANE_BYTES = 64  # one cache line, and one AVX-512 register; measured from 16 to 128: within 10 %
_CACHE_LINE = 64  # bytes, on every x86 and most ARM processors


def part(field: Array, position: int, start: int | None, stop: int | None, step: int = 1) -> Array:
    """The view field[..., start:stop:step, ...] along one array axis."""
    return field[(slice(None),) * position + (slice(start, stop, step),)]


@dataclasses.dataclass(frozen=True, eq=False)
class Line:
    """The line that is solved along an axis: the nodes of the axis, in free space continued on both sides.

    Attributes
    ----------
    size
        Number of nodes of the axis.
    padding
        Number of nodes added at each end (0 unless the axis lies in free space).
    closure
        Boundary that closes the padded line: periodic, reflect or absorb.
    closure_nodes
        Node placement of that boundary.
    source, weight
        Continuation of the axis into the padding, shape (padding + size + padding,).
    """

    size: int
    padding: int
    closure: Boundary
    closure_nodes: Literal["vertex", "cell"]
    source: NDArray[np.int64]
    weight: NDArray[np.float64]

    @property
    def rows(self) -> int:
        """Number of nodes of the padded line."""
        return self.size + 2 * self.padding

    @property
    def holds_nodes(self) -> bool:
        """Whether both end nodes are held, so that the line is solved relative to the chord between them.

        With nodes in cells the walls hold values that belong to no node; `heatpg.solvers.faces` adds what they do.
        """
        return self.closure.holds_ends and self.closure_nodes == "vertex"

    @property
    def period(self) -> int:
        """Number of nodes after which the padded line, continued by its closure, repeats."""
        if self.closure.periodic:
            return self.rows
        # a line that is mirrored at cell walls shows every node twice a period, one mirrored at nodes shows its end
        # nodes once
        return 2 * (self.rows if self.closure_nodes == "cell" else self.rows - 1)


@functools.lru_cache(maxsize=1024)
def line_along(axis: Axis, padding: int) -> Line:
    """The line that is solved along an axis, padded if the axis lies in free space.

    In free space the padded line is closed by reflection far out: the nearest image of the box then stands at
    twice the padding, so half the reach of the solver is enough.
    """
    rule = axis.rule
    # closed boundaries continue the line themselves, without any padding
    used = padding if rule.free_space else 0
    extension = rule.extend(axis.size, axis.nodes, used, used)
    if rule.free_space:
        return Line(axis.size, used, boundaries.get("reflect"), "cell", extension.source, extension.weight)
    return Line(axis.size, 0, rule, axis.nodes, extension.source, extension.weight)


@dataclasses.dataclass(frozen=True, eq=False)
class Closure:
    """Ghost rows beyond both ends of a closed line: ghost k (1, 2, ...) repeats a row with a sign.

    Attributes
    ----------
    lower, upper
        Row that each ghost repeats, shape (ghosts,); ghost 1 is the nearest.
    sign
        -1 where the line continues as an odd function, shape (2, ghosts).
    """

    lower: NDArray[np.int64]
    upper: NDArray[np.int64]
    sign: NDArray[np.float64]

    @classmethod
    def of(cls, line: Line, ghosts: int) -> Closure:
        """Ghost rows of a line."""
        # `fold` takes nodes outside the line, to any distance: ghosts may be more than the line has rows
        steps = np.arange(1, ghosts + 1, dtype=np.int64)
        lower, lower_sign = line.closure.fold(-steps, line.rows, line.closure_nodes)
        upper, upper_sign = line.closure.fold(line.rows - 1 + steps, line.rows, line.closure_nodes)
        return cls(lower, upper, np.stack([lower_sign, upper_sign]))


@kernel
def _gather(flat: Array, base: Array, inner: int, size: int, first: int, bundle: Array) -> None:
    """bundle[b, first + i, j] = flat[base[b, j] + i inner]."""
    bundles, lanes = base.shape
    for b in range(bundles):
        block = bundle[b, first : first + size]
        start = base[b, 0]
        # lines side by side in memory: row after row is copied as it stands
        if inner >= lanes and base[b, lanes - 1] - start == lanes - 1:
            for i in range(size):
                row = flat[start + i * inner : start + i * inner + lanes]
                target = block[i]
                for j in range(lanes):
                    target[j] = row[j]
        else:
            # otherwise the bundle is a transpose: in pieces of one cache line, so that none is fetched twice
            whole = size // 8 * 8
            for i0 in range(0, whole, 8):
                piece = block[i0 : i0 + 8]
                for j in range(lanes):
                    o = base[b, j] + i0 * inner
                    for i in range(8):  # a length that the compiler knows
                        piece[i, j] = flat[o + i * inner]
            for i in range(whole, size):
                for j in range(lanes):
                    block[i, j] = flat[base[b, j] + i * inner]


@kernel
def _scatter(flat: Array, base: Array, valid: int, inner: int, size: int, first: int, bundle: Array) -> None:
    """flat[base[b, j] + i inner] = bundle[b, first + i, j] for the lanes that are lines of the array."""
    bundles, lanes = base.shape
    for b in range(bundles):
        block = bundle[b, first : first + size]
        count = min(lanes, valid - b * lanes)
        start = base[b, 0]
        if count > 0 and inner >= lanes and base[b, count - 1] - start == count - 1:
            for i in range(size):
                row = flat[start + i * inner : start + i * inner + count]
                source = block[i]
                for j in range(count):
                    row[j] = source[j]
        else:
            whole = size // 8 * 8
            for i0 in range(0, whole, 8):
                piece = block[i0 : i0 + 8]
                for j in range(count):
                    o = base[b, j] + i0 * inner
                    for i in range(8):
                        flat[o + i * inner] = piece[i, j]
            for i in range(whole, size):
                for j in range(count):
                    flat[base[b, j] + i * inner] = block[i, j]


@kernel
def _continue_line(bundle: Array, first: int, size: int, padding: int, source: Array, weight: Array) -> None:
    """Fill the padding: bundle[first - padding + i] = weight[i] * bundle[first + source[i]]."""
    bundles, _, lanes = bundle.shape
    total = size + 2 * padding
    for b in range(bundles):
        for i in range(total):
            # only the padding is written: the nodes in between are the data
            if i < padding or i >= padding + size:
                w = weight[i]
                s = first + source[i]
                t = first - padding + i
                for j in range(lanes):
                    bundle[b, t, j] = w * bundle[b, s, j]
        # at vertex nodes with zero outside, the end nodes count by half; the padding above was made of their full
        # values
        for i in (padding, padding + size - 1):
            w = weight[i]
            if w != 1.0:
                t = first - padding + i
                for j in range(lanes):
                    bundle[b, t, j] = w * bundle[b, t, j]


@kernel
def _remove_chord(bundle: Array, first: int, size: int, ends: Array) -> None:
    """v_i = u_i - (u_0 + (u_{n-1} - u_0) i / (n - 1)), and keep u_0 and u_{n-1} in ends."""
    bundles, _, lanes = bundle.shape
    for b in range(bundles):
        for j in range(lanes):
            # the chord between held ends is steady, so the scheme acts on the rest only, which continues as an odd
            # function
            ends[b, 0, j] = bundle[b, first, j]
            ends[b, 1, j] = bundle[b, first + size - 1, j]
        for i in range(size):
            w = i / (size - 1)
            for j in range(lanes):
                bundle[b, first + i, j] -= ends[b, 0, j] + w * (ends[b, 1, j] - ends[b, 0, j])
        for j in range(lanes):
            # exactly zero, whatever the subtraction rounds to: the odd continuation turns about it
            bundle[b, first, j] = 0.0
            bundle[b, first + size - 1, j] = 0.0


@kernel
def _restore_chord(bundle: Array, first: int, size: int, ends: Array) -> None:
    """u_i = v_i + u_0 + (u_{n-1} - u_0) i / (n - 1), with the end values exactly as they were."""
    bundles, _, lanes = bundle.shape
    for b in range(bundles):
        for i in range(size):
            w = i / (size - 1)
            for j in range(lanes):
                bundle[b, first + i, j] += ends[b, 0, j] + w * (ends[b, 1, j] - ends[b, 0, j])
        for j in range(lanes):
            bundle[b, first, j] = ends[b, 0, j]
            bundle[b, first + size - 1, j] = ends[b, 1, j]


@kernel
def _add_slope(bundle: Array, first: int, size: int, ends: Array, spacing: float) -> None:
    """Derivative of the chord: (u_{n-1} - u_0) / ((n - 1) h)."""
    bundles, _, lanes = bundle.shape
    for b in range(bundles):
        for i in range(size):
            for j in range(lanes):
                bundle[b, first + i, j] += (ends[b, 1, j] - ends[b, 0, j]) / ((size - 1) * spacing)


@kernel
def fill_ghosts(bundle: Array, first: int, rows: int, lower: Array, upper: Array, sign: Array) -> None:
    """Ghost k below repeats row lower[k], ghost k above repeats row upper[k], with their signs."""
    lanes = bundle.shape[1]
    for k in range(lower.shape[0]):
        # all rows that are repeated lie inside, however far out the ghost is: no ghost waits for another
        a, b = sign[0, k], sign[1, k]
        for j in range(lanes):
            bundle[first - 1 - k, j] = a * bundle[first + lower[k], j]
            bundle[first + rows + k, j] = b * bundle[first + upper[k], j]


@kernel
def filter_bundle(source: Array, target: Array, first: int, rows: int, weights: Array) -> None:
    """target[first + i] = sum_k weights[k] source[first + i - m + k], m = (len(weights) - 1) / 2, flat over lanes.

    The number of weights is a multiple of 8 plus 1; nine of them are taken in the first pass and eight in each
    further one, so that a pass over the rows does as much arithmetic as its loads allow.
    """
    lanes = source.shape[1]
    count = rows * lanes
    # Slices of one length that begin at zero: with indices such as i - m the compiler would have to prove that none is
    # negative (wrap-around), and would not vectorise.
    m = (weights.shape[0] - 1) // 2
    s = source.reshape(-1)
    o = target.reshape(-1)[first * lanes : first * lanes + count]
    f = (first - m) * lanes
    w0, w1, w2, w3, w4 = weights[0], weights[1], weights[2], weights[3], weights[4]
    w5, w6, w7, w8 = weights[5], weights[6], weights[7], weights[8]
    a0 = s[f : f + count]
    a1 = s[f + lanes : f + lanes + count]
    a2 = s[f + 2 * lanes : f + 2 * lanes + count]
    a3 = s[f + 3 * lanes : f + 3 * lanes + count]
    a4 = s[f + 4 * lanes : f + 4 * lanes + count]
    a5 = s[f + 5 * lanes : f + 5 * lanes + count]
    a6 = s[f + 6 * lanes : f + 6 * lanes + count]
    a7 = s[f + 7 * lanes : f + 7 * lanes + count]
    a8 = s[f + 8 * lanes : f + 8 * lanes + count]
    for i in range(count):
        u = multiply_add(w3, a3[i], multiply_add(w2, a2[i], multiply_add(w1, a1[i], w0 * a0[i])))
        u = multiply_add(w7, a7[i], multiply_add(w6, a6[i], multiply_add(w5, a5[i], multiply_add(w4, a4[i], u))))
        o[i] = multiply_add(w8, a8[i], u)
    # eight loads and one store for eight products, where one weight at a time would take as many stores
    for k in range(9, weights.shape[0], 8):
        g = f + k * lanes
        w0, w1, w2, w3 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
        w4, w5, w6, w7 = weights[k + 4], weights[k + 5], weights[k + 6], weights[k + 7]
        a0 = s[g : g + count]
        a1 = s[g + lanes : g + lanes + count]
        a2 = s[g + 2 * lanes : g + 2 * lanes + count]
        a3 = s[g + 3 * lanes : g + 3 * lanes + count]
        a4 = s[g + 4 * lanes : g + 4 * lanes + count]
        a5 = s[g + 5 * lanes : g + 5 * lanes + count]
        a6 = s[g + 6 * lanes : g + 6 * lanes + count]
        a7 = s[g + 7 * lanes : g + 7 * lanes + count]
        for i in range(count):
            u = multiply_add(w1, a1[i], multiply_add(w0, a0[i], o[i]))
            u = multiply_add(w4, a4[i], multiply_add(w3, a3[i], multiply_add(w2, a2[i], u)))
            o[i] = multiply_add(w7, a7[i], multiply_add(w6, a6[i], multiply_add(w5, a5[i], u)))


class SweepOperator(ABC):
    """A line operator that works on bundles; `sweep` does the rest.

    Attributes
    ----------
    line
        The line that is solved.
    ghosts
        Rows that the operator needs beyond each end of the padded line.
    derivative
        True where the result is du/dx, so that the slope of the chord is restored instead of the chord.
    least_lane_bytes
        Bytes of a row of a bundle below which a long line is not narrowed for the sake of the cache.
    most_lane_bytes
        Bytes of a row of a bundle above which no line is widened.
    """

    line: Line
    ghosts: int
    derivative: bool = False
    spacing: float = 1.0
    least_lane_bytes: int = _LEAST_LANE_BYTES
    most_lane_bytes: int = MOST_LANE_BYTES

    @abstractmethod
    def work(self, bundle: Array, scratch: Array) -> Array:
        """Advance bundles of shape (bundles, ghosts + rows + ghosts, lanes); returns the one that holds the result."""

    def apply(self, source: Array, target: Array, position: int) -> None:
        """Map the lines along array axis `position` of `source` into `target`."""
        sweep(self, source, target, position)


class Workspace(threading.local):
    """Work space of one thread, kept between calls: fresh memory costs as much to touch as the work itself.

    What is in it is left over from other work.
    """

    def __init__(self) -> None:
        self.buffers: dict[tuple[int, str], Array] = {}

    def take(self, index: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Array number `index` of this shape and type; it begins on a cache line."""
        # Buffers only grow, and are shared by all operators of a thread; numbers are fixed by convention: `sweep` holds
        # 0 to 2 while an operator works, which takes those above.
        count = math.prod(shape)
        key = (index, dtype.str)
        buffer = self.buffers.get(key)
        if buffer is None or buffer.size < count:
            # rows that begin on a cache line load twice as fast as rows that cross one
            spare = _CACHE_LINE // dtype.itemsize
            room = np.zeros(count + spare, dtype)
            first = (-room.ctypes.data % _CACHE_LINE) // dtype.itemsize
            buffer = self.buffers[key] = room[first : first + count]
        return buffer[:count].reshape(shape)


workspace = Workspace()


def _partition(lines: int, rows: int, itemsize: int, least_lane_bytes: int, most_lane_bytes: int) -> tuple[int, int]:
    """Lanes of a bundle and bundles of a block, so that a bundle lies in cache and a block is worth a call."""
    # as wide as the cache allows for this length of line, a power of two, and not wider than there are lines
    lanes = _BUNDLE_BYTES // (rows * itemsize)
    lanes = max(least_lane_bytes // itemsize, min(most_lane_bytes // itemsize, lanes))
    lanes = 1 << (lanes.bit_length() - 1)
    lanes = min(lanes, lines)
    bundles = max(1, min(_BLOCK_BYTES // (rows * lanes * itemsize), -(-lines // lanes)))
    return lanes, bundles


def sweep(operator: SweepOperator, source: Array, target: Array, position: int) -> None:
    """Apply an operator to every line along array axis `position`, from `source` into `target`.

    Both arrays are C-contiguous and of one shape and type; they may be the same array. Blocks of lines run on
    the threads of `heatpg.tools.parallel`; the partition does not depend on their number, so neither do the bits.
    """
    # The array is seen as flat memory: node i of line n lies at base(n) + i * inner, with `inner` the product of the
    # axes after this one. So one code serves every axis, without a transpose of the array.
    line = operator.line
    size = line.size
    inner = math.prod(source.shape[position + 1 :])
    lines = source.size // size
    rows = line.rows + 2 * operator.ghosts
    lanes, bundles = _partition(lines, rows, source.itemsize, operator.least_lane_bytes, operator.most_lane_bytes)
    first = operator.ghosts + line.padding
    read, write = read_only(source.reshape(-1)), target.reshape(-1)
    padded = line.padding > 0 or bool((line.weight != 1.0).any())

    def work(start: int) -> None:
        valid = min(bundles * lanes, lines - start)
        count = -(-valid // lanes)
        # lanes left over repeat the last line; `_scatter` leaves them out
        number = np.minimum(start + np.arange(count * lanes), lines - 1)
        base = ((number // inner) * (inner * size) + number % inner).reshape(count, lanes)
        bundle = workspace.take(0, (count, rows, lanes), source.dtype)
        other = workspace.take(1, (count, rows, lanes), source.dtype)
        ends = workspace.take(2, (count, 2, lanes), source.dtype)
        _gather(read, base, inner, size, first, bundle)
        # before padding and ghosts are filled, because they continue what is left of the line
        if line.holds_nodes:
            _remove_chord(bundle, first, size, ends)
        if padded:
            _continue_line(bundle, first, size, line.padding, line.source, line.weight)
        # either of the two bundles: a scheme steps from one to the other and back
        result = operator.work(bundle, other)
        if line.holds_nodes:
            if operator.derivative:
                _add_slope(result, first, size, ends, operator.spacing)
            else:
                _restore_chord(result, first, size, ends)
        _scatter(write, base, valid, inner, size, first, result)

    # source and target may be one array: a block reads its own lines before it writes them, and no others
    for_each(work, range(0, lines, bundles * lanes))
