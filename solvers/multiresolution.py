"""The semigroup pyramid: restrict to the coarsest lattice that holds the field, and prolong back."""

# One file above 600 lines: the kernels of both maps, the weights that they take and the bound on their error are one
# argument; the kernels are unrolled by hand, and long because fast.

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri_exp

from heatpg.boundaries import Nodes, boundaries, face_weights
from heatpg.core.grid import Axis, Grid
from heatpg.core.kinks import jumps_along, period_of
from heatpg.errors import UnsupportedError
from heatpg.solvers import solvers
from heatpg.solvers.base import Flow, Path, difference_gradient
from heatpg.solvers.direct import Direct, SampledGaussian
from heatpg.solvers.edges import EndCorrection, columns_of
from heatpg.solvers.filters import BLOCK_ROWS, GROUP, LANE_BYTES, add_products, bundles_of_lines, read_rows, write_rows
from heatpg.solvers.lines import workspace
from heatpg.tools.arrays import type_name
from heatpg.tools.kernels import kernel, number_bytes, read_only
from heatpg.tools.parallel import for_each

__all__ = ["Multiresolution"]

Array = NDArray[Any]

# In spacings of the fine grid, from sigma = 5.4 h at 1e-15. Measured at 1024^2: from 1.5 to 2 it makes no difference,
# with 1.2 the narrowest lattices cost a third more than `direct`, with 3 it takes twice the time at 8 h.
_LEAST_RATIO = 2.0
_BOUNDARIES = ("periodic", "reflect", "absorb", "clip", "zero")  # those whose continuation the lattice below repeats
_WIDEST = 2.0  # periods: as uniform as infinitely many, because the longest wave is below exp(-8 pi^2) = 5e-35
# about what a field of this type can show; a smaller tolerance would cost taps and change no digit
_FINEST = {"float64": 1e-15, "float32": 1e-8}


@kernel
def _read_ends(read: Array, base: Array, count: int, inner: int, size: int, near: Array, block: Array) -> None:
    """The values at both ends of every line, in the first two rows of the block."""
    lanes = LANE_BYTES // number_bytes(block)
    nodes = near.shape[0]
    # those of the upper end from the end inwards, one row after the other
    for i in range(nodes):
        read_rows(read, base, count, inner, i, i + 1, block[2 * i * lanes :])
        read_rows(read, base, count, inner, size - 1 - i, size - i, block[(2 * i + 1) * lanes :])
    first = block[: 2 * lanes]
    for j in range(2 * lanes):
        first[j] *= near[0]
    for i in range(1, nodes):
        w, more = near[i], block[2 * i * lanes : (2 * i + 2) * lanes]
        for j in range(2 * lanes):
            first[j] += w * more[j]


@kernel
def _restrict(
    # so many, because kernels take plain numbers and arrays
    read: Array,
    base: Array,
    inner: int,
    size: int,
    write: Array,
    coarse: Array,
    rows: int,
    valid: int,
    table: Array,
    start: Array,
    margin: int,
    image: Array,
    sign: Array,
    edges: Array,
    near: Array,
    held: bool,
    block: Array,
    line: Array,
) -> None:
    """r_m = sum_i table[i, m] u_i for bundles of lines; margins folded; + edges[m, 0] e_0 + edges[m, 1] e_1.

    e are the values at the ends of a line, sum_i near[i] u_i of the nodes from there inwards.

    Four fine rows at a time are spread over their window of coarse rows, four by four. The number of lanes is known
    to the compiler, which can then tell the rows apart.
    """
    # the number of lanes is a constant of the compiled code, see `heatpg.solvers.filters`
    lanes = LANE_BYTES // number_bytes(line)
    # a multiple of four, see `_pyramid`
    taps = table.shape[2]
    total = image.shape[0]
    for bundle in range(base.shape[0]):
        count = min(base.shape[1], valid - bundle * base.shape[1])
        line[: total * lanes] = 0.0
        for i0 in range(0, size, BLOCK_ROWS):
            i1 = min(i0 + BLOCK_ROWS, size)
            read_rows(read, base[bundle], count, inner, i0, i1, block)
            block[(i1 - i0) * lanes :] = 0.0  # their weights are zero, but what is left there need not be finite
            for g in range(i0 // GROUP, (i1 + GROUP - 1) // GROUP):
                w = table[g]
                f = block[(g * GROUP - i0) * lanes : (g * GROUP - i0 + GROUP) * lanes]
                for k in range(0, taps, 4):
                    o = line[(start[g] + k) * lanes : (start[g] + k + 4) * lanes]
                    w00, w01, w02, w03 = w[0, k], w[1, k], w[2, k], w[3, k]
                    w10, w11, w12, w13 = w[0, k + 1], w[1, k + 1], w[2, k + 1], w[3, k + 1]
                    w20, w21, w22, w23 = w[0, k + 2], w[1, k + 2], w[2, k + 2], w[3, k + 2]
                    w30, w31, w32, w33 = w[0, k + 3], w[1, k + 3], w[2, k + 3], w[3, k + 3]
                    add_products(
                        o,
                        f,
                        lanes,
                        w00,
                        w01,
                        w02,
                        w03,
                        w10,
                        w11,
                        w12,
                        w13,
                        w20,
                        w21,
                        w22,
                        w23,
                        w30,
                        w31,
                        w32,
                        w33,
                    )
        for m in range(total):
            if m < margin or m >= total - margin:
                s, t = line[m * lanes : (m + 1) * lanes], line[image[m] * lanes : (image[m] + 1) * lanes]
                for j in range(lanes):
                    t[j] += sign[m] * s[j]
        # the two end values once more: their continuation to infinity (clip), or the chord that is taken away (absorb)
        if edges.shape[0] > 0:
            _read_ends(read, base[bundle], count, inner, size, near, block)
            for m in range(margin, total - margin):
                t = line[m * lanes : (m + 1) * lanes]
                p, q = edges[m, 0], edges[m, 1]
                for j in range(lanes):
                    t[j] += p * block[j] + q * block[j + lanes]
        # what is stored of a coarse line: its nodes between the walls, and held ends behind them
        kept = total - 2 * margin
        write_rows(write, coarse[bundle], count, inner, 0, kept, line[margin * lanes :])
        if held:
            write_rows(write, coarse[bundle], count, inner, kept, rows, block)


@kernel
def _prolong(
    # so many, because kernels take plain numbers and arrays
    read: Array,
    coarse: Array,
    inner: int,
    rows: int,
    write: Array,
    base: Array,
    size: int,
    valid: int,
    table: Array,
    start: Array,
    margin: int,
    image: Array,
    sign: Array,
    chord: Array,
    block: Array,
    line: Array,
) -> None:
    """u_i = sum_m table[i, m] r_m + chord[i, 0] e_0 + chord[i, 1] e_1, the margins filled from their images."""
    lanes = LANE_BYTES // number_bytes(line)
    taps = table.shape[2]
    total = image.shape[0]
    kept = total - 2 * margin
    for bundle in range(base.shape[0]):
        count = min(base.shape[1], valid - bundle * base.shape[1])
        read_rows(read, coarse[bundle], count, inner, 0, kept, line[margin * lanes :])
        ends = line[total * lanes : (total + 2) * lanes]
        if chord.shape[0] > 0:
            read_rows(read, coarse[bundle], count, inner, kept, rows, ends)
        for m in range(total):
            if m < margin or m >= total - margin:
                t, s = line[m * lanes : (m + 1) * lanes], line[image[m] * lanes : (image[m] + 1) * lanes]
                for j in range(lanes):
                    t[j] = sign[m] * s[j]
        for i0 in range(0, size, BLOCK_ROWS):
            i1 = min(i0 + BLOCK_ROWS, size)
            for g in range(i0 // GROUP, (i1 + GROUP - 1) // GROUP):
                w = table[g]
                f = block[(g * GROUP - i0) * lanes : (g * GROUP - i0 + GROUP) * lanes]
                f[:] = 0.0
                for k in range(0, taps, 4):
                    o = line[(start[g] + k) * lanes : (start[g] + k + 4) * lanes]
                    w00, w01, w02, w03 = w[0, k], w[0, k + 1], w[0, k + 2], w[0, k + 3]
                    w10, w11, w12, w13 = w[1, k], w[1, k + 1], w[1, k + 2], w[1, k + 3]
                    w20, w21, w22, w23 = w[2, k], w[2, k + 1], w[2, k + 2], w[2, k + 3]
                    w30, w31, w32, w33 = w[3, k], w[3, k + 1], w[3, k + 2], w[3, k + 3]
                    add_products(
                        f,
                        o,
                        lanes,
                        w00,
                        w01,
                        w02,
                        w03,
                        w10,
                        w11,
                        w12,
                        w13,
                        w20,
                        w21,
                        w22,
                        w23,
                        w30,
                        w31,
                        w32,
                        w33,
                    )
                if chord.shape[0] > 0:
                    for i in range(g * GROUP, min(g * GROUP + GROUP, size)):
                        p, q = chord[i, 0], chord[i, 1]
                        t = block[(i - i0) * lanes : (i - i0 + 1) * lanes]
                        for j in range(lanes):
                            t[j] += p * ends[j] + q * ends[j + lanes]
            write_rows(write, base[bundle], count, inner, i0, i1, block)


@kernel
def _restrict_singly(
    # so many, because kernels take plain numbers and arrays
    read: Array,
    base: Array,
    inner: int,
    size: int,
    write: Array,
    coarse: Array,
    rows: int,
    valid: int,
    table: Array,
    start: Array,
    margin: int,
    image: Array,
    sign: Array,
    edges: Array,
    near: Array,
    held: bool,
    block: Array,
    line: Array,
) -> None:
    """The same as `_restrict`, one line after the other: for fewer lines than make a bundle."""
    taps = table.shape[2]
    total = image.shape[0]
    for b in range(valid):
        u = block[: table.shape[0] * GROUP]
        u[:] = 0.0
        for i in range(size):
            u[i] = read[base[0, b] + i * inner]
        line[:total] = 0.0
        for g in range(table.shape[0]):
            a0, a1, a2, a3 = u[4 * g], u[4 * g + 1], u[4 * g + 2], u[4 * g + 3]
            w0, w1, w2, w3 = table[g, 0], table[g, 1], table[g, 2], table[g, 3]
            o = line[start[g] : start[g] + taps]
            for k in range(taps):
                o[k] += (w0[k] * a0 + w1[k] * a1) + (w2[k] * a2 + w3[k] * a3)
        for m in range(total):
            if m < margin or m >= total - margin:
                line[image[m]] += sign[m] * line[m]
        kept = total - 2 * margin
        low, high = near[0] * u[0], near[0] * u[size - 1]
        for i in range(1, near.shape[0]):
            low += near[i] * u[i]
            high += near[i] * u[size - 1 - i]
        for m in range(kept):
            value = line[margin + m]
            if edges.shape[0] > 0:
                value += edges[margin + m, 0] * low + edges[margin + m, 1] * high
            write[coarse[0, b] + m * inner] = value
        if held:
            write[coarse[0, b] + kept * inner] = low
            write[coarse[0, b] + (kept + 1) * inner] = high


@kernel
def _prolong_singly(
    # so many, because kernels take plain numbers and arrays
    read: Array,
    coarse: Array,
    inner: int,
    rows: int,
    write: Array,
    base: Array,
    size: int,
    valid: int,
    table: Array,
    start: Array,
    margin: int,
    image: Array,
    sign: Array,
    chord: Array,
    block: Array,
    line: Array,
) -> None:
    """The same as `_prolong`, one line after the other."""
    taps = table.shape[2]
    total = image.shape[0]
    kept = total - 2 * margin
    for b in range(valid):
        for m in range(kept):
            line[margin + m] = read[coarse[0, b] + m * inner]
        for m in range(total):
            if m < margin or m >= total - margin:
                line[m] = sign[m] * line[image[m]]
        u = block[: table.shape[0] * GROUP]
        for g in range(table.shape[0]):
            w0, w1, w2, w3 = table[g, 0], table[g, 1], table[g, 2], table[g, 3]
            r = line[start[g] : start[g] + taps]
            s0, s1, s2, s3 = w0[0] * r[0], w1[0] * r[0], w2[0] * r[0], w3[0] * r[0]
            for k in range(1, taps):
                s0 += w0[k] * r[k]
                s1 += w1[k] * r[k]
                s2 += w2[k] * r[k]
                s3 += w3[k] * r[k]
            u[4 * g], u[4 * g + 1], u[4 * g + 2], u[4 * g + 3] = s0, s1, s2, s3
        if chord.shape[0] > 0:
            low, high = read[coarse[0, b] + kept * inner], read[coarse[0, b] + (kept + 1) * inner]
            for i in range(size):
                u[i] += chord[i, 0] * low + chord[i, 1] * high
        for i in range(size):
            write[base[0, b] + i * inner] = u[i]


def _ratio(sigma: float, tolerance: float) -> float:
    """Largest spacing H whose aliasing, 2 exp(-pi^2 sigma^2 / 2 H^2), is at most half of the tolerance."""
    return math.pi * sigma / math.sqrt(2.0 * math.log(4.0 / tolerance))


def _radius(ratio: float, deviation: float, tolerance: float) -> float:
    """Radius beyond which samples, `ratio` apart, of a Gaussian sum to less than a quarter of the tolerance.

    The sum of the samples beyond R is at most H g(R) + Q(R), and g(R) s <= (z + 1) Q(R) at R = z s for z >= 1.
    """
    # the radius without the factor in front, to put into the factor: one step of a fixed point, enough because it
    # enters by its logarithm
    rough = -float(ndtri_exp(math.log(tolerance / 8.0)))
    return deviation * -float(ndtri_exp(math.log(tolerance / 8.0 / (1.0 + ratio / deviation * (rough + 2.0)))))


@dataclasses.dataclass(frozen=True, eq=False)
class _Pyramid:
    """The two maps along one axis, in units of the spacing h.

    Attributes
    ----------
    size, rows
        Number of fine nodes, and of what is stored of a coarse line.
    down, up
        Weights of 4 fine nodes and their window of coarse nodes, shape (groups, 4, taps).
    start
        First coarse node of each window.
    margin
        Coarse nodes beyond each end of a closed line; they are folded onto their images, and filled from them.
    image, sign
        Image of every coarse node.
    edges
        Weights of the two end values for every coarse node: what continues them, or takes the chord away.
    near
        Weights of the nodes from an end inwards for its value: the end node alone, or cells for the value on a face.
    chord
        The chord that is restored at the fine nodes.
    ends
        What coarse nodes get for the kinks at the walls.
    """

    size: int
    rows: int
    down: Array
    up: Array
    start: NDArray[np.int64]
    margin: int
    image: NDArray[np.int64]
    sign: Array
    edges: Array
    near: Array
    chord: Array
    ends: EndCorrection | None

    def _carry(self, source: Array, target: Array, position: int, upwards: bool) -> None:
        inner = math.prod(source.shape[position + 1 :])
        lines = source.size // source.shape[position]
        full = LANE_BYTES // source.itemsize
        # fewer lines than an eighth of a bundle: most lanes would be idle (a taste)
        singly = 8 * lines < full
        lanes, width = (lines, 1) if singly else (full, full)
        read, write = read_only(source.reshape(-1)), target.reshape(-1)

        def work(call: tuple[int, list[Array]]) -> None:
            valid, (fine, coarse) = call
            # the work space of the engine: its first three arrays belong to `sweep`
            block = workspace.take(3, (-(-self.size // GROUP) * GROUP if singly else BLOCK_ROWS * full,), source.dtype)
            line = workspace.take(4, ((len(self.image) + 2) * width,), source.dtype)
            if upwards:
                prolong = _prolong_singly if singly else _prolong
                prolong(
                    *(read, coarse, inner, self.rows, write, fine, self.size, valid, self.up, self.start),
                    *(self.margin, self.image, self.sign, self.chord, block, line),
                )
            else:
                restrict = _restrict_singly if singly else _restrict
                restrict(
                    *(read, fine, inner, self.size, write, coarse, self.rows, valid, self.down, self.start),
                    *(self.margin, self.image, self.sign, self.edges, self.near, len(self.chord) > 0),
                    *(block, line),
                )

        for_each(work, bundles_of_lines(lines, lanes, inner, self.size, self.rows))

    def restrict(self, source: Array, target: Array, position: int) -> None:
        """Fine lines along `position` of `source` to coarse ones of `target`."""
        self._carry(source, target, position, False)
        if self.ends is not None:
            self.ends.add(self.ends.jumps(source, position), target, position)

    def prolong(self, source: Array, target: Array, position: int) -> None:
        """Coarse lines along `position` of `source` to fine ones of `target`."""
        self._carry(source, target, position, True)


def _gaussian(offset: Array, variance: float) -> NDArray[np.float64]:
    return np.asarray(np.exp(-0.5 / variance * np.square(offset)) / math.sqrt(2.0 * math.pi * variance))


@functools.lru_cache(maxsize=64)
def _pyramid(
    size: int, boundary: str, nodes: Nodes, spacing: float, sigma: float, tolerance: float, dtype: str, derivative: bool
) -> _Pyramid:
    """The maps for a sigma in units of the spacing, which itself matters only to the derivative."""
    rule = boundaries.get(boundary)
    between_ends = nodes == "vertex" and not rule.periodic
    length = size - 1 if between_ends else size
    if not rule.free_space:
        # two periods of sigma are as uniform as infinitely many: exp(-8 pi^2)
        sigma = min(sigma, _WIDEST * length * (1 if rule.periodic else 2))
    # the variance is shared by restriction and prolongation
    half = sigma * sigma / 2.0
    ratio = _ratio(sigma, tolerance)
    fine = np.arange(size)
    groups = -(-size // GROUP)

    if rule.free_space:
        count = 0
        step = np.longdouble(ratio)
        origin = np.longdouble((size - 1) / 2.0)
    else:
        # a whole number of coarse cells between the walls, and the lattice symmetric to them: then its images fall on
        # it
        count = math.ceil(length / ratio)
        ratio = length / count
        step = np.longdouble(length) / count
        # the first coarse node stands half a coarse spacing inside the wall
        origin = step / 2.0 - (0.0 if between_ends else 0.5)
    radius = max(_radius(step, math.sqrt(half), tolerance) for step in (ratio, 1.0))
    # all coarse nodes within the radius of any of four fine ones, and one spare for where the window falls; the kernels
    # take four at a time
    taps = 4 * math.ceil((2.0 * radius + GROUP - 1) / ratio / 4.0 + 0.25)
    # the window is centred on its four fine nodes
    first = GROUP * np.arange(groups) + (GROUP - 1) / 2.0 - (taps - 1) * ratio / 2.0
    start = np.ceil((first - origin) / ratio).astype(np.int64)
    low, high = int(start[0]), int(start[-1]) + taps
    if rule.free_space:
        # free space: the lattice itself reaches as far as the windows do, and nothing is folded
        margin, total = 0, high - low
        origin, start = origin + low * step, start - low
        image, sign = np.arange(total), np.ones(total)
    else:
        margin = max(-low, high - count, 0)
        total = count + 2 * margin
        start = start + margin
        number = np.arange(-margin, count + margin)
        # coarse nodes are cells between the walls whatever the fine ones are
        image, _ = boundaries.get("periodic" if rule.periodic else "reflect").fold(number, count, "cell")
        image = image + margin
        # odd about held ends: every other image is turned over
        sign = np.where(rule.holds_ends & ((number // count) % 2 == 1), -1.0, 1.0)
        origin -= margin * step

    # Distances are differences of places, which on a long line hold fewer digits than what is left of them: from the
    # first node of a group to the first of its window in extended precision, where there is one.
    apart = (GROUP * np.arange(groups) - (origin + step * start)).astype(np.float64)
    offset = apart[:, None, None] + (np.arange(GROUP)[:, None] - ratio * np.arange(taps))
    density = _gaussian(offset, half)
    # rows that fill the last group up have no weight
    density.reshape(-1, taps)[size:] = 0.0
    window = np.broadcast_to(start[:, None, None] + np.arange(taps), density.shape)

    def spread(values: NDArray[np.float64], signs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Restriction, not yet normalised, of values at the fine nodes; margins folded."""
        padded = np.zeros(groups * GROUP)
        padded[:size] = values
        mass = density * padded.reshape(groups, GROUP, 1)
        result = np.bincount(window.ravel(), weights=mass.ravel(), minlength=total)
        beyond = np.r_[0:margin, total - margin : total]
        np.add.at(result, image[beyond], (signs * result)[beyond])
        return np.asarray(result)

    # a wall through a node: the node is its own image, and counts once
    share = np.ones(size)
    if between_ends and (not rule.free_space or boundary == "zero"):
        share[[0, -1]] = 0.5
    edges, chord = np.zeros((0, 2)), np.zeros((0, 2))
    even = spread(share if not rule.free_space else np.ones(size), np.ones(total))
    if rule.free_space:
        edges = _outside(size, origin + step * np.arange(total), half, radius)
        even = even + edges.sum(axis=1)
        edges = edges / even[:, None] if boundary == "clip" else np.zeros((0, 2))
    elif rule.holds_ends:
        if between_ends:
            share[[0, -1]] = 0.0
        rising = fine / length if between_ends else (fine + 0.5) / length
        chord = np.stack([1.0 - rising, rising], axis=1)
        edges = -np.stack([spread(share * side, sign) for side in chord.T], axis=1) / even[image][:, None]
    # columns of the restriction, each coarse node normalised by what the constant 1 gives there
    weight = np.zeros(groups * GROUP)
    weight[:size] = share
    down = density * weight.reshape(groups, GROUP, 1) / even[image][window]

    # rows of the prolongation sum to one, so that constants are kept to round-off
    mass = density.sum(axis=2, keepdims=True)
    up = density / np.where(mass > 0, mass, 1.0)
    if derivative:
        # derivative of a quotient: the normalisation depends on x too
        slopes = -offset / half * up
        up = (slopes - slopes.sum(axis=2, keepdims=True) * up) / spacing
        chord = np.tile([-1.0, 1.0], (len(chord), 1)) / (length * spacing)
    elif rule.holds_ends and between_ends:
        up.reshape(-1, taps)[[0, size - 1]] = 0.0  # odd about the ends
    rows = total - 2 * margin + (2 if rule.holds_ends else 0)
    # coarse nodes that are stored, in order: the restriction is where Q with its kinks is summed
    coarse = (origin + step * (margin + np.arange(total - 2 * margin))).astype(np.float64)
    axis = Axis("x", 0.0, size - 1.0 if nodes == "vertex" and not rule.periodic else float(size), size, boundary, nodes)
    ends = _ends_on(axis, coarse, rows, sigma, math.sqrt(half), dtype)
    near = face_weights(size) if rule.faced(nodes) else np.ones(1)
    arrays = (down, up, sign, edges, near, chord)
    down, up, sign, edges, near, chord = (np.ascontiguousarray(a, dtype=dtype) for a in arrays)
    return _Pyramid(size, rows, down, up, start, margin, image, sign, edges, near, chord, ends)


def _ends_on(axis: Axis, coarse: Array, rows: int, sigma: float, half: float, dtype: str) -> EndCorrection | None:
    """The correction of the restriction, by sigma = `half`, at coarse nodes in units of the fine spacing."""
    orders, weights = jumps_along(axis, sigma)
    if not orders:
        return None
    wall = 0.5 if axis.nodes == "cell" else 0.0
    columns = np.zeros((2, len(orders), rows))
    for side, inwards in enumerate((coarse + wall, axis.size - 1 - coarse + wall)):
        columns[side, :, : len(coarse)] = columns_of(orders, inwards, half, period_of(axis), axis.nodes == "cell")
    return EndCorrection(weights.astype(dtype), columns.astype(dtype))


def _outside(size: int, place: Array, variance: float, radius: float) -> NDArray[np.float64]:
    """For coarse nodes at `place`, the sums of the Gaussian over all fine nodes below 0 and above size - 1."""
    result = np.zeros((len(place), 2))
    for side, depth in enumerate((place, size - 1 - place)):
        near = np.flatnonzero(depth < 2.0 * radius)  # beyond, the sum is below 1e-30 of the whole, or not asked for
        beyond = np.arange(1, math.ceil(2.0 * radius - min(0.0, depth.min())) + 1)
        for m in near:
            result[m, side] = _gaussian(np.float64(depth[m]) + beyond, variance).sum()
    return result


@solvers.register("multiresolution")
@dataclasses.dataclass(frozen=True)
class Multiresolution(SampledGaussian):
    r"""The semigroup pyramid: G_t = P R, with u_i = sum_m g(x_i - X_m) r_m and r_m = sum_j g(X_m - x_j) Q_j.

    Both g are normalised samples of the Gaussian of variance t / 2. The coarse nodes X_m stand H apart, with
    H <= pi sigma / sqrt(2 log(4 / tolerance)), which is 0.37 sigma at 1e-15. All axes are restricted before the first
    is prolonged, so the cost is that of two passes of about 30 taps over the field, whatever sigma is. An axis along
    which H would be less than 2 h is convolved as `direct` does it.

    Parameters
    ----------
    tolerance
        Bound on the error, in units of osc(Q) and for each axis, from 1e-14 to 1e-3. None takes what the type of the
        field can show: 1e-15, or 1e-8 in single precision.

    Raises
    ------
    OptionError
        For a tolerance out of its range.

    Notes
    -----
    The bound. A product of Gaussians is one in the difference times one in the mean of their arguments,
    g(x - X) g(X - y) = G_t(x - y) n(X), n the density of N((x + y) / 2, t / 4). By Poisson's formula the sum of
    H n(X_m) over a lattice is 1 + d with abs(d) <= A = 2 sum_k exp(-pi^2 k^2 sigma^2 / 2 H^2), k = 1, 2, ... So each
    weight of P R is that of the Gaussian times 1 + d: it is positive, and close in the *relative* sense. Rows being
    made to sum to one, u changes by at most A osc(Q). Cutting a mass T off the rows of P and of R changes u by at most
    T osc(Q) each. With A <= tolerance / 2 and T <= tolerance / 4 the sum is at most tolerance osc(Q). Walls are not
    seen by the argument: the lattice is laid symmetric to them, so that it holds on the continued line; where ends are
    held or zero lies outside, osc(Q) is that of the continued data.

    Exact in time, spectral in space as `direct`, and as good at the walls: the restriction is corrected there. All
    weights are positive: keeps the maximum principle for every sigma. Mass is kept to within the tolerance, constants
    to round-off. The gradient is that of the prolonged field.

    References
    ----------
    P. J. Burt, E. H. Adelson, The Laplacian pyramid as a compact image code, *IEEE Trans. Commun.* 31, 1983,
    doi:10.1109/TCOM.1983.1095851; for the sums L. N. Trefethen, J. A. C. Weideman, The exponentially convergent
    trapezoidal rule, *SIAM Rev.* 56, 2014, doi:10.1137/130932132.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape, evolve
    >>> grid = Grid(Axis("x", 0.0, 2 * np.pi, 256, boundary="periodic"))
    >>> flow = evolve(Landscape.from_function(np.cos, grid), 0.5, solver="multiresolution")
    >>> bool(np.abs(flow.values[0] - np.exp(-0.125) * np.cos(grid[0].coordinates)).max() < 1e-14)
    True
    """

    name = "multiresolution"
    summary = "restricted to a coarse lattice and prolonged, positive weights; cost independent of sigma"
    tolerances = ("1e-14", "1e-3")

    def _filter(self) -> Direct:
        return Direct(self.tolerance)

    def _bound(self, dtype: np.dtype[Any]) -> float:
        return max(self.tolerance or 0.0, _FINEST[type_name(dtype)])

    def coarsens(self, axis: Axis, variance: float, dtype: np.dtype[Any] | None = None) -> bool:
        """Whether a variance along an axis is wide enough for a coarse lattice."""
        return _ratio(math.sqrt(variance), self._bound(dtype or np.dtype(np.float64))) >= _LEAST_RATIO * axis.spacing

    def _maps(self, axis: Axis, variance: float, dtype: np.dtype[Any], derivative: bool) -> _Pyramid:
        sigma = math.sqrt(variance) / axis.spacing
        # axes that differ in name and place only share their maps, and for values in spacing too
        spacing = axis.spacing if derivative else 1.0
        kind = (axis.size, axis.boundary, axis.nodes, spacing)
        return _pyramid(*kind, sigma, self._bound(dtype), type_name(dtype), derivative)

    def interval_symbol(self, angle: Array, axis: Axis, start: float, stop: float) -> Array:
        if not self.coarsens(axis, stop - start):
            return self._filter().interval_symbol(angle, axis, start, stop)
        return np.asarray(np.exp(-0.5 * (stop - start) * (angle / axis.spacing) ** 2))

    def reach(self, axis: Axis, path: Path) -> int:
        return self._filter().reach(axis, path)

    def rounding(self, axis: Axis, path: Path) -> float:
        return 32.0 + self._cut()

    def check(self, axis: Axis, start: float, stop: float) -> None:
        if axis.boundary not in _BOUNDARIES:
            raise UnsupportedError(
                "this boundary condition is not supported by the coarse lattice",
                given=f"boundary={axis.boundary!r} along {axis.name!r}",
                allowed=", ".join(_BOUNDARIES),
                advice="use solver='direct', which supports every boundary condition",
            )

    def start(self, values: Array, grid: Grid) -> Flow:
        return _PyramidFlow(self, values, grid)

    def gradient(
        self, initial: Array, field: Array, grid: Grid, variances: tuple[float, ...], position: int, out: Array
    ) -> None:
        if variances[position] == 0.0:
            difference_gradient(field, grid, position, out)
        else:
            _PyramidFlow(self, initial, grid).advance(variances, out, position)


class _PyramidFlow(Flow):
    """Restricts every axis that is wide enough, convolves the others on the coarse field, and prolongs."""

    def __init__(self, solver: Multiresolution, values: Array, grid: Grid) -> None:
        self.solver = solver
        self.grid = grid
        self.initial = values
        self._reached = (0.0,) * grid.dimensions
        self._spare = [np.empty(0, values.dtype), np.empty(0, values.dtype)]

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple((0.0, t) for t in self._reached)

    def _take(self, which: int, shape: tuple[int, ...]) -> Array:
        count = math.prod(shape)
        if self._spare[which].size < count:
            self._spare[which] = np.empty(count, self.initial.dtype)
        return self._spare[which][:count].reshape(shape)

    def advance(self, variances: tuple[float, ...], out: Array, derivative: int | None = None) -> None:
        """Write u, or its derivative along one axis of the grid, into `out`."""
        self._reached = variances
        solver, dtype = self.solver, self.initial.dtype
        first = self.initial.ndim - self.grid.dimensions
        coarse: list[tuple[int, _Pyramid]] = []
        filtered = []
        # wide axes are restricted, narrow ones convolved on the field that is left, which is the smallest it will be
        for i, (axis, t) in enumerate(zip(self.grid, variances, strict=True)):
            if t > 0 and solver.coarsens(axis, t, dtype):
                coarse.append((first + i, solver._maps(axis, t, dtype, i == derivative)))
            elif t > 0:
                make = solver._filter().gradient_operator if i == derivative else None
                operator = make(axis, t, dtype) if make else solver._filter().operator(axis, 0.0, t, dtype)
                filtered.append((first + i, operator))
        field = self.initial
        for number, (position, pyramid) in enumerate(coarse):
            shape = (*field.shape[:position], pyramid.rows, *field.shape[position + 1 :])
            # two spare arrays in turn: a map reads one and writes the other
            target = self._take(number % 2, shape)
            pyramid.restrict(field, target, position)
            field = target
        for position, operator in filtered:
            # on a coarse field in place; without any coarse axis straight into the result
            target = out if not coarse else field
            assert operator is not None
            operator.apply(field, target, position)
            field = target
        # prolonged in the opposite order, so that the shapes on the way are those of the restriction; the last one
        # writes the result
        for number, (position, pyramid) in reversed(list(enumerate(coarse))):
            shape = (*field.shape[:position], pyramid.size, *field.shape[position + 1 :])
            target = self._take((number + 1) % 2, shape) if number else out
            pyramid.prolong(field, target, position)
            field = target
        if field is not out:
            np.copyto(out, field)
