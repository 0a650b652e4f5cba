"""Matrix products whose bits depend on their operands alone.

The products of NumPy go through BLAS, which cuts them up by the number of its threads, by the processor and by
variables of the environment, and rounds differently each time. What is stored must be the same to the bit for any
number of workers and threads, so it is summed here: eight terms from the left, then the next eight, one compiled loop
for every product. LLVM fuses and reorders nothing of it. Small matrices of a grid's dimensions (`numpy.linalg.eigh` of
a Hessian) stay with LAPACK, which works on one thread below some hundred rows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.tools.kernels import kernel, read_only
from heatpg.tools.parallel import for_each

__all__ = ["along_axis", "dot", "product", "sums_over_windows"]

Array = NDArray[Any]

_LANES = 256  # columns that are worked on at once: with _DEPTH rows they fill half of a first-level cache
_DEPTH = 8
_PIECE = 2**22  # products that are worth a thread of their own
_BLOCK = 32  # results of a line that are summed at once: enough columns of a product, few zeros beside the weights
_STRETCHES = 2**18  # numbers of these at once: 2 MB, some of which the products hold twice


@kernel
def _add_products(left: Array, right: Array, target: Array, start: int, stop: int) -> None:
    """target[i, j] += sum_k left[i, k] right[k, j] for j from start to stop; left has a multiple of eight columns."""
    rows, depth = left.shape
    for j0 in range(start, stop, _LANES):
        j1 = min(j0 + _LANES, stop)
        for k in range(0, depth, _DEPTH):
            r0, r1, r2, r3 = right[k, j0:j1], right[k + 1, j0:j1], right[k + 2, j0:j1], right[k + 3, j0:j1]
            r4, r5, r6, r7 = right[k + 4, j0:j1], right[k + 5, j0:j1], right[k + 6, j0:j1], right[k + 7, j0:j1]
            for i in range(rows):
                a, b, c, d = left[i, k], left[i, k + 1], left[i, k + 2], left[i, k + 3]
                e, f, g, h = left[i, k + 4], left[i, k + 5], left[i, k + 6], left[i, k + 7]
                # the rows of a narrow Gaussian are mostly zeros
                if a == 0 and b == 0 and c == 0 and d == 0 and e == 0 and f == 0 and g == 0 and h == 0:
                    continue
                t = target[i, j0:j1]
                for j in range(j1 - j0):
                    t[j] += (
                        a * r0[j] + b * r1[j] + c * r2[j] + d * r3[j] + e * r4[j] + f * r5[j] + g * r6[j] + h * r7[j]
                    )


def product(left: Array, right: Array) -> Array:
    """Product of two real matrices of one type, summed in a fixed order, on all threads.

    Parameters
    ----------
    left
        Shape (m, n).
    right
        Shape (n, p).

    Returns
    -------
    product
        Shape (m, p).

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.tools.sums import product
    >>> product(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0], [10.0]]))
    array([[21.],
           [43.]])
    """
    kind = np.result_type(left, right)
    (rows, depth), columns = left.shape, right.shape[1]
    missing = -depth % _DEPTH
    # by hand, because np.pad takes longer than the product of small matrices
    if missing:
        wider, longer = np.zeros((rows, depth + missing), kind), np.zeros((depth + missing, columns), kind)
        wider[:, :depth], longer[:depth] = left, right
        left, right = wider, longer
    left, right = np.ascontiguousarray(left, dtype=kind), np.ascontiguousarray(right, dtype=kind)
    target = np.zeros((rows, columns), kind)
    # no column is summed in two pieces, so it does not matter where they are cut
    step = max(1, math.ceil(_PIECE / max(1, rows * depth) / _LANES)) * _LANES
    for_each(
        lambda start: _add_products(read_only(left), read_only(right), target, start, min(start + step, columns)),
        range(0, columns, step),
    )
    return target


def along_axis(matrix: Array, values: Array, position: int) -> Array:
    """A real matrix applied to every line of an array along one axis, as `product`.

    Parameters
    ----------
    matrix
        Shape (m, n).
    values
        Array with n entries along the axis.
    position
        The axis.

    Returns
    -------
    result
        The array with m entries along this axis.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.tools.sums import along_axis
    >>> along_axis(np.array([[1.0, 1.0]]), np.arange(6.0).reshape(3, 2), 1)
    array([[1.],
           [5.],
           [9.]])
    """
    moved = np.moveaxis(values, position, 0)
    result = product(matrix, moved.reshape(len(moved), -1))
    return np.moveaxis(result.reshape(len(matrix), *moved.shape[1:]), 0, position)


def sums_over_windows(lines: Array, weights: Array) -> Array:
    """sum_k weights[k] lines[..., i + k] for every window that lies within a line, summed in a fixed order.

    Parameters
    ----------
    lines
        Shape (..., n), in double precision.
    weights
        Shape (m,), m at most n.

    Returns
    -------
    sums
        Shape (..., n - m + 1).

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.tools.sums import sums_over_windows
    >>> sums_over_windows(np.arange(5.0), np.array([1.0, 1.0]))
    array([1., 3., 5., 7.])
    """
    # As products of matrices: each row of the left one has the weights one place further to the right, and the columns
    # of the right one are stretches of the lines, a block of results each, and a window less one number longer than it.
    size = lines.shape[-1] - len(weights) + 1
    blocks = -(-size // _BLOCK)
    # a stretch is a whole number of blocks of the line
    length = 1 + -(-(len(weights) - 1) // _BLOCK)
    rows = np.zeros((_BLOCK, length * _BLOCK))
    for i, row in enumerate(rows):
        row[i : i + len(weights)] = weights
    flat = lines.reshape(-1, lines.shape[-1])
    result = np.empty((len(flat), blocks * _BLOCK))
    # some blocks and lines at a time, because neighbouring stretches have most numbers in common
    most = max(1, _STRETCHES // rows.shape[1])
    step = max(1, most // blocks)
    for start in range(0, len(flat), step):
        for first in range(0, blocks, most):
            count = min(most, blocks - first)
            begin, end = first * _BLOCK, (first + count + length - 1) * _BLOCK
            part = np.zeros((len(flat[start : start + step]), end - begin))
            whole = flat[start : start + step, begin:end]
            part[:, : whole.shape[1]] = whole
            # place in a block, line, block: there the same place of all stretches lies side by side
            turned = np.ascontiguousarray(part.reshape(len(part), -1, _BLOCK).transpose(2, 0, 1))
            stretches = np.lib.stride_tricks.sliding_window_view(turned, count, axis=-1).transpose(2, 0, 1, 3)
            sums = product(rows, stretches.reshape(rows.shape[1], -1)).reshape(_BLOCK, len(part), count)
            places = slice(begin, begin + count * _BLOCK)
            result[start : start + step, places] = sums.transpose(1, 2, 0).reshape(len(part), -1)
    return result[:, :size].reshape(*lines.shape[:-1], size)


def dot(left: Array, right: Array) -> float:
    """Sum of the products of two vectors, pair by pair as NumPy sums.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.tools.sums import dot
    >>> dot(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    11.0
    """
    return float(np.multiply(left, right).sum())
