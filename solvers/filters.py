"""Wide bundles of lines, and convolution along them: what `direct` and `multiresolution` share.

A bundle has so many lanes that its rows are worth a loop, and the number is known to the compiler: all rows are then at
known distances from each other, so loops over four of them at once vectorise without a test for overlap.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.tools.kernels import kernel, kernel_part

__all__ = ["BLOCK_ROWS", "GROUP", "LANE_BYTES", "bundles_of_lines", "convolve", "read_rows", "write_rows"]

Array = NDArray[Any]

# 128 numbers in double precision: a row of a bundle is worth a loop. Measured, 512 and 2048 are the same within noise.
LANE_BYTES = 1024
BLOCK_ROWS = 16  # rows that are read or written at once, a multiple of GROUP; measured from 8 to 32: within noise
# Rows of the result at a time: 16 products for every 4 rows of the line that are loaded. Measured at 4096^2: 20 to 26 G
# products a second, where one row at a time gave 9.
GROUP = 4
_CALL_POINTS = 2**18  # points in one call of a kernel, the unit of work of a thread; from 2**15 to 2**21: within 5 %


@kernel_part
def read_rows(flat: Array, base: Array, count: int, inner: int, start: int, stop: int, block: Array) -> None:
    """block[i - start, j] = flat[base[j] + i inner], lanes contiguous."""
    # a constant of the compiled code for each type, and no argument: distances between rows are then known
    lanes = LANE_BYTES // block.itemsize
    # lines side by side: rows lie in memory as they are wanted
    if count <= inner and base[count - 1] - base[0] == count - 1:
        for i in range(stop - start):
            first = base[0] + (start + i) * inner
            row, target = flat[first : first + count], block[i * lanes : i * lanes + count]
            for j in range(count):
                target[j] = row[j]
        return
    for i0 in range(start, stop, BLOCK_ROWS):
        part = block[(i0 - start) * lanes :]
        if inner == 1 and i0 + BLOCK_ROWS <= stop:  # a turn in pieces of a length that the compiler knows
            for j in range(count):
                piece, column = flat[base[j] + i0 : base[j] + i0 + BLOCK_ROWS], part[j:]
                for i in range(BLOCK_ROWS):
                    column[i * lanes] = piece[i]
        else:
            for j in range(count):
                first = base[j] + i0 * inner
                for i in range(min(BLOCK_ROWS, stop - i0)):
                    part[i * lanes + j] = flat[first + i * inner]


@kernel_part
def write_rows(flat: Array, base: Array, count: int, inner: int, start: int, stop: int, block: Array) -> None:
    """flat[base[j] + i inner] = block[i - start, j]."""
    lanes = LANE_BYTES // block.itemsize
    if count <= inner and base[count - 1] - base[0] == count - 1:
        for i in range(stop - start):
            first = base[0] + (start + i) * inner
            row, source = flat[first : first + count], block[i * lanes : i * lanes + count]
            for j in range(count):
                row[j] = source[j]
        return
    for i0 in range(start, stop, BLOCK_ROWS):
        part = block[(i0 - start) * lanes :]
        if inner == 1 and i0 + BLOCK_ROWS <= stop:
            for j in range(count):
                piece, column = flat[base[j] + i0 : base[j] + i0 + BLOCK_ROWS], part[j:]
                for i in range(BLOCK_ROWS):
                    piece[i] = column[i * lanes]
        else:
            for j in range(count):
                first = base[j] + i0 * inner
                for i in range(min(BLOCK_ROWS, stop - i0)):
                    flat[first + i * inner] = part[i * lanes + j]


@kernel
def convolve(
    # so many, because kernels take plain numbers and arrays
    read: Array,
    write: Array,
    base: Array,
    inner: int,
    size: int,
    valid: int,
    weights: Array,
    skip: int,
    ghosts: int,
    lower: Array,
    upper: Array,
    sign: Array,
    end: float,
    chord: Array,
    block: Array,
    line: Array,
) -> None:
    """u_i <- sum_k w_k u_{i - m + k} for bundles of lines, relative to the chord if there is one.

    Row p of `weights` is w moved by p, for four rows of the result at a time; the window of the first row begins
    with row `skip` of the continued line. The chord is a_i u_0 + b_i u_{n-1}; its
    columns are a and b as they are taken away, then as they are put back. The end nodes count with the weight `end`.
    """
    lanes = LANE_BYTES // line.itemsize
    # a multiple of four, by the zeros that `weights` is padded with
    taps = weights.shape[1]
    for b in range(base.shape[0]):
        count = min(base.shape[1], valid - b * base.shape[1])
        inside = line[ghosts * lanes : (ghosts + size) * lanes]
        line[(2 * ghosts + size) * lanes :] = 0.0  # the last group reads there, with weights of zero
        read_rows(read, base[b], count, inner, 0, size, inside)
        # the two rows after the block: the end values, kept until the chord is put back
        ends = block[BLOCK_ROWS * lanes :]
        if chord.shape[0] > 0:
            s = inside[(size - 1) * lanes :]
            for j in range(lanes):
                ends[j], ends[j + lanes] = inside[j], s[j]
            for i in range(size):
                p, q, t = chord[i, 0], chord[i, 1], inside[i * lanes : (i + 1) * lanes]
                for j in range(lanes):
                    t[j] -= p * ends[j] + q * ends[j + lanes]
        # ghosts repeat rows inside, in the order from the wall outwards; they are made before the ends get their weight
        for k in range(ghosts):
            t, s = (
                line[(ghosts - 1 - k) * lanes : (ghosts - k) * lanes],
                inside[lower[k] * lanes : (lower[k] + 1) * lanes],
            )
            for j in range(lanes):
                t[j] = sign[0, k] * s[j]
            t, s = line[(ghosts + size + k) * lanes :], inside[upper[k] * lanes : (upper[k] + 1) * lanes]
            for j in range(lanes):
                t[j] = sign[1, k] * s[j]
        if end != 1.0:
            t, s = inside[:lanes], inside[(size - 1) * lanes :]
            for j in range(lanes):
                t[j] *= end
                s[j] *= end
        # results leave block by block, and may be written over the lines that they are made of: `line` is a copy
        for i0 in range(0, size, BLOCK_ROWS):
            i1 = min(i0 + BLOCK_ROWS, size)
            for g in range(i0, i1, GROUP):
                f = block[(g - i0) * lanes : (g - i0 + GROUP) * lanes]
                f[:] = 0.0
                for k in range(0, taps, 4):
                    o = line[(g + skip + k) * lanes : (g + skip + k + 4) * lanes]
                    # four rows of the result by four rows of the line, all sixteen weights in registers
                    w00, w01, w02, w03 = weights[0, k], weights[0, k + 1], weights[0, k + 2], weights[0, k + 3]
                    w10, w11, w12, w13 = weights[1, k], weights[1, k + 1], weights[1, k + 2], weights[1, k + 3]
                    w20, w21, w22, w23 = weights[2, k], weights[2, k + 1], weights[2, k + 2], weights[2, k + 3]
                    w30, w31, w32, w33 = weights[3, k], weights[3, k + 1], weights[3, k + 2], weights[3, k + 3]
                    for j in range(lanes):
                        a0, a1, a2, a3 = o[j], o[j + lanes], o[j + 2 * lanes], o[j + 3 * lanes]
                        f[j] += (w00 * a0 + w01 * a1) + (w02 * a2 + w03 * a3)
                        f[j + lanes] += (w10 * a0 + w11 * a1) + (w12 * a2 + w13 * a3)
                        f[j + 2 * lanes] += (w20 * a0 + w21 * a1) + (w22 * a2 + w23 * a3)
                        f[j + 3 * lanes] += (w30 * a0 + w31 * a1) + (w32 * a2 + w33 * a3)
                if chord.shape[0] > 0:
                    for i in range(g, min(g + GROUP, size)):
                        p, q, t = chord[i, 2], chord[i, 3], block[(i - i0) * lanes : (i - i0 + 1) * lanes]
                        for j in range(lanes):
                            t[j] += p * ends[j] + q * ends[j + lanes]
            write_rows(write, base[b], count, inner, i0, i1, block)


@functools.lru_cache(maxsize=16)
def bundles_of_lines(lines: int, lanes: int, inner: int, *sizes: int) -> list[tuple[int, list[Array]]]:
    """Cut lines into calls of a kernel: the number of lines of each, and where they begin in arrays of these sizes.

    Parameters
    ----------
    lines
        Number of lines.
    lanes
        Lines of a bundle.
    inner
        Distance between neighbouring nodes of a line; lines that lie side by side share a bundle.
    *sizes
        Number of nodes of a line, in each of several arrays.

    Examples
    --------
    >>> from heatpg.solvers.filters import bundles_of_lines
    >>> (number, starts), = bundles_of_lines(6, 4, 3, 10)
    >>> number, starts[0].tolist()
    (6, [[0, 1, 2, 30], [31, 32, 32, 32]])
    """
    # whole bundles only, and the same cut for any number of threads, so that the bits are the same
    chunk = lanes * max(1, _CALL_POINTS // (max(sizes) * lanes))
    calls = []
    for first in range(0, lines, chunk):
        valid = min(chunk, lines - first)
        number = np.minimum(first + np.arange(-(-valid // lanes) * lanes), lines - 1).reshape(-1, lanes)
        outer, place = np.divmod(number, inner)
        calls.append((valid, [outer * (inner * size) + place for size in sizes]))
    return calls
