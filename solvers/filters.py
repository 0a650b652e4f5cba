"""Wide bundles of lines, and convolution along them: what `direct` and `multiresolution` share.

A bundle has so many lanes that its rows are worth a loop, and the number is known to the compiler: all rows are then at
known distances from each other, so loops over four of them at once vectorise without a test for overlap. Lines whose
nodes lie side by side are convolved as they lie, without being turned into lanes and back.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.tools.kernels import kernel, kernel_part, multiply_add, number_bytes

__all__ = [
    "BLOCK_ROWS",
    "GROUP",
    "LANE_BYTES",
    "add_products",
    "bundles_of_lines",
    "convolve",
    "convolve_along",
    "multiply",
    "multiply_along",
    "pieces_of_lines",
    "read_rows",
    "write_rows",
]

Array = NDArray[Any]

# 128 numbers in double precision: a row of a bundle is worth a loop. Measured, 512 and 2048 are the same within noise.
LANE_BYTES = 1024
BLOCK_ROWS = 16  # rows that are read or written at once, a multiple of GROUP; measured from 8 to 32: within noise
# Rows of the result at a time: 16 products for every 4 rows of the line that are loaded. Measured at 4096^2: 20 to 26 G
# products a second, where one row at a time gave 9.
GROUP = 4
# Nodes of a line whose results stay in the first-level cache while all weights pass over them. Measured from 128 to 512
# at 1024^2, in either precision: within noise, a whole line of 1024 is a fifth slower.
_STRETCH = 256
_CALL_POINTS = 2**18  # points in one call of a kernel, the unit of work of a thread; from 2**15 to 2**21: within 5 %


@kernel_part
def read_rows(flat: Array, base: Array, count: int, inner: int, start: int, stop: int, block: Array) -> None:
    """block[i - start, j] = flat[base[j] + i inner], lanes contiguous."""
    # a constant of the compiled code for each type, and no argument: distances between rows are then known
    lanes = LANE_BYTES // number_bytes(block)
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
    lanes = LANE_BYTES // number_bytes(block)
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


@kernel_part
def add_products(
    # so many, because only plain numbers stay in registers
    target: Array,
    source: Array,
    lanes: int,
    w00: float,
    w01: float,
    w02: float,
    w03: float,
    w10: float,
    w11: float,
    w12: float,
    w13: float,
    w20: float,
    w21: float,
    w22: float,
    w23: float,
    w30: float,
    w31: float,
    w32: float,
    w33: float,
) -> None:
    """target_i <- target_i + sum_k w_ik source_k for four rows by four rows, in the order of k.

    Sixteen products for eight loads; where a weight occurs several times, it is in one register.
    """
    for j in range(lanes):
        a, b, c, d = source[j], source[j + lanes], source[j + 2 * lanes], source[j + 3 * lanes]
        s0, s1, s2, s3 = target[j], target[j + lanes], target[j + 2 * lanes], target[j + 3 * lanes]
        s0, s1 = multiply_add(w00, a, s0), multiply_add(w10, a, s1)
        s2, s3 = multiply_add(w20, a, s2), multiply_add(w30, a, s3)
        s0, s1 = multiply_add(w01, b, s0), multiply_add(w11, b, s1)
        s2, s3 = multiply_add(w21, b, s2), multiply_add(w31, b, s3)
        s0, s1 = multiply_add(w02, c, s0), multiply_add(w12, c, s1)
        s2, s3 = multiply_add(w22, c, s2), multiply_add(w32, c, s3)
        s0, s1 = multiply_add(w03, d, s0), multiply_add(w13, d, s1)
        s2, s3 = multiply_add(w23, d, s2), multiply_add(w33, d, s3)
        target[j], target[j + lanes], target[j + 2 * lanes], target[j + 3 * lanes] = s0, s1, s2, s3


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

    `weights` are w with three zeros in front, and behind them as many as make the rest a multiple of four and leave
    room for three moves; the window of the first row begins with row `skip` of the continued line. The chord is
    a_i u_0 + b_i u_{n-1}; its columns are a and b as they are taken away, then as they are put back. The end nodes
    count with the weight `end`.
    """
    lanes = LANE_BYTES // number_bytes(line)
    taps = weights.shape[0] - 3
    for bundle in range(base.shape[0]):
        count = min(base.shape[1], valid - bundle * base.shape[1])
        inside = line[ghosts * lanes : (ghosts + size) * lanes]
        line[(2 * ghosts + size) * lanes :] = 0.0  # the last group reads there, with weights of zero
        read_rows(read, base[bundle], count, inner, 0, size, inside)
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
                    # Four rows of the result by four rows of the line: sixteen products of seven weights, so that these
                    # and what they meet fit into the sixteen registers of AVX2.
                    w0, w1, w2, w3 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
                    w4, w5, w6 = weights[k + 4], weights[k + 5], weights[k + 6]
                    add_products(f, o, lanes, w3, w4, w5, w6, w2, w3, w4, w5, w1, w2, w3, w4, w0, w1, w2, w3)
                if chord.shape[0] > 0:
                    for i in range(g, min(g + GROUP, size)):
                        p, q, t = chord[i, 2], chord[i, 3], block[(i - i0) * lanes : (i - i0 + 1) * lanes]
                        for j in range(lanes):
                            t[j] += p * ends[j] + q * ends[j + lanes]
            write_rows(write, base[bundle], count, inner, i0, i1, block)


@kernel
def convolve_along(
    # so many, because kernels take plain numbers and arrays
    read: Array,
    write: Array,
    first: int,
    last: int,
    size: int,
    weights: Array,
    skip: int,
    ghosts: int,
    lower: Array,
    upper: Array,
    sign: Array,
    end: float,
    chord: Array,
    line: Array,
) -> None:
    """The same as `convolve` for lines first ... last - 1 of an array of lines, each in one piece.

    `weights` are w with zeros behind it up to a multiple of four. Eight pass over a stretch of the line at a time: as
    many as fit into registers, and a load for every product but none for the weights.
    """
    taps = weights.shape[0]
    inside = line[ghosts : ghosts + size]
    for number in range(first, last):
        s = read[number * size : (number + 1) * size]
        for i in range(size):
            inside[i] = s[i]
        low, high = inside[0], inside[size - 1]
        if chord.shape[0] > 0:
            for i in range(size):
                inside[i] -= chord[i, 0] * low + chord[i, 1] * high
        # before the ends get their weight, as in `convolve`
        for k in range(ghosts):
            line[ghosts - 1 - k] = sign[0, k] * inside[lower[k]]
            line[ghosts + size + k] = sign[1, k] * inside[upper[k]]
        if end != 1.0:
            inside[0] *= end
            inside[size - 1] *= end
        # the result may lie where the line came from: `line` is a copy
        t = write[number * size : (number + 1) * size]
        for i0 in range(0, size, _STRETCH):
            f = t[i0 : i0 + _STRETCH]
            count = f.shape[0]
            for i in range(count):
                f[i] = 0.0
            for k in range(0, taps - 4, 8):
                w0, w1, w2, w3 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
                w4, w5, w6, w7 = weights[k + 4], weights[k + 5], weights[k + 6], weights[k + 7]
                a = line[skip + i0 + k : skip + i0 + k + count + 7]
                for i in range(count):
                    u = multiply_add(w1, a[i + 1], multiply_add(w0, a[i], f[i]))
                    u = multiply_add(w3, a[i + 3], multiply_add(w2, a[i + 2], u))
                    u = multiply_add(w5, a[i + 5], multiply_add(w4, a[i + 4], u))
                    f[i] = multiply_add(w7, a[i + 7], multiply_add(w6, a[i + 6], u))
            if taps % 8 > 0:
                k = taps - 4
                w0, w1, w2, w3 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
                a = line[skip + i0 + k : skip + i0 + k + count + 3]
                for i in range(count):
                    u = multiply_add(w1, a[i + 1], multiply_add(w0, a[i], f[i]))
                    f[i] = multiply_add(w3, a[i + 3], multiply_add(w2, a[i + 2], u))
        if chord.shape[0] > 0:
            for i in range(size):
                t[i] += chord[i, 2] * low + chord[i, 3] * high


@kernel
def multiply(
    # so many, because kernels take plain numbers and arrays
    read: Array,
    write: Array,
    base: Array,
    inner: int,
    size: int,
    valid: int,
    matrix: Array,
    block: Array,
    line: Array,
) -> None:
    """u_i <- sum_k matrix_ik u_k for bundles of lines, in the order of k.

    Rows and columns of the matrix are as many as make a multiple of four, with zeros in them.
    """
    stride = LANE_BYTES // number_bytes(line)
    depth = matrix.shape[1]
    for bundle in range(base.shape[0]):
        count = min(base.shape[1], valid - bundle * base.shape[1])
        read_rows(read, base[bundle], count, inner, 0, size, line)
        line[size * stride : depth * stride] = 0.0
        # results leave block by block, and may be written over the lines that they are made of: `line` is a copy
        for i0 in range(0, size, BLOCK_ROWS):
            i1 = min(i0 + BLOCK_ROWS, size)
            for g in range(i0, i1, GROUP):
                f = block[(g - i0) * stride : (g - i0 + GROUP) * stride]
                f[:] = 0.0
                w0, w1, w2, w3 = matrix[g], matrix[g + 1], matrix[g + 2], matrix[g + 3]
                for k in range(0, depth, 4):
                    o = line[k * stride : (k + 4) * stride]
                    a0, a1, a2, a3 = w0[k], w0[k + 1], w0[k + 2], w0[k + 3]
                    b0, b1, b2, b3 = w1[k], w1[k + 1], w1[k + 2], w1[k + 3]
                    c0, c1, c2, c3 = w2[k], w2[k + 1], w2[k + 2], w2[k + 3]
                    d0, d1, d2, d3 = w3[k], w3[k + 1], w3[k + 2], w3[k + 3]
                    for j in range(count):
                        a, b, c, d = o[j], o[j + stride], o[j + 2 * stride], o[j + 3 * stride]
                        s0, s1, s2, s3 = f[j], f[j + stride], f[j + 2 * stride], f[j + 3 * stride]
                        s0, s1 = multiply_add(a0, a, s0), multiply_add(b0, a, s1)
                        s2, s3 = multiply_add(c0, a, s2), multiply_add(d0, a, s3)
                        s0, s1 = multiply_add(a1, b, s0), multiply_add(b1, b, s1)
                        s2, s3 = multiply_add(c1, b, s2), multiply_add(d1, b, s3)
                        s0, s1 = multiply_add(a2, c, s0), multiply_add(b2, c, s1)
                        s2, s3 = multiply_add(c2, c, s2), multiply_add(d2, c, s3)
                        s0, s1 = multiply_add(a3, d, s0), multiply_add(b3, d, s1)
                        s2, s3 = multiply_add(c3, d, s2), multiply_add(d3, d, s3)
                        f[j], f[j + stride], f[j + 2 * stride], f[j + 3 * stride] = s0, s1, s2, s3
            write_rows(write, base[bundle], count, inner, i0, i1, block)


@kernel
def multiply_along(read: Array, write: Array, lines: int, size: int, turned: Array, line: Array) -> None:
    """The same as `multiply`, to the bit, for a few lines in one piece each; `turned` is the matrix, transposed."""
    depth = turned.shape[0]
    for number in range(lines):
        s = read[number * size : (number + 1) * size]
        for i in range(size):
            line[i] = s[i]
        for i in range(size, depth):
            line[i] = 0.0
        # the result may lie where the line came from: `line` is a copy
        t = write[number * size : (number + 1) * size]
        for i in range(size):
            t[i] = 0.0
        for k in range(0, depth, 4):
            a, b, c, d = line[k], line[k + 1], line[k + 2], line[k + 3]
            p, q, r, v = turned[k, :size], turned[k + 1, :size], turned[k + 2, :size], turned[k + 3, :size]
            for i in range(size):
                u = multiply_add(q[i], b, multiply_add(p[i], a, t[i]))
                t[i] = multiply_add(v[i], d, multiply_add(r[i], c, u))


def pieces_of_lines(lines: int, size: int) -> list[tuple[int, int]]:
    """Cut lines of so many nodes into calls of a kernel, the same for any number of threads: first and past the last.

    Examples
    --------
    >>> from heatpg.solvers.filters import pieces_of_lines
    >>> pieces_of_lines(600, 1024)
    [(0, 256), (256, 512), (512, 600)]
    """
    step = max(1, _CALL_POINTS // size)
    return [(first, min(first + step, lines)) for first in range(0, lines, step)]


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
