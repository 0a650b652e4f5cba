"""The share of each node's cell in which the piecewise linear interpolant of Q is at most c.

A node owns the points nearer to it than to other nodes. Each of the 2^d boxes between it and the corners of its cell is
cut into d! simplices along the diagonal from the node, at whose corners Q is the mean of the nodes around. In a simplex
the interpolant is linear, so its share is known: a polynomial in c between the values at the corners. In one dimension
this is the linear interpolant itself; in two and three it differs from the multilinear one by at most
h_i h_j |d^2 Q / dx_i dx_j| / 16, summed over the pairs of axes, the error of a linear function on half a cell.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis, Grid
from heatpg.errors import UnsupportedError
from heatpg.tools.kernels import kernel
from heatpg.tools.parallel import for_each

__all__ = ["cell_shares"]

Array = NDArray[Any]

_NODES = 4096  # of one piece for a thread: some milliseconds


@kernel
def _below(k: Array, dimensions: int, c: float) -> float:
    """Share of a simplex in which a linear function is at most c, from its sorted values k at the corners."""
    last = k[dimensions]
    if c >= last:
        return 1.0
    if c < k[0]:
        return 0.0
    # from here on k[0] <= c < last, so no denominator below is 0; products of ratios, because squares may underflow
    if dimensions == 1:
        return float((c - k[0]) / (last - k[0]))
    if c < k[1]:
        share = 1.0
        for i in range(1, dimensions + 1):
            share *= (c - k[0]) / (k[i] - k[0])
        return share
    if c >= k[dimensions - 1]:
        share = 1.0
        for i in range(dimensions):
            share *= (last - c) / (last - k[i])
        return 1.0 - share
    # a tetrahedron with two corners on either side: a wedge, the sum of three tetrahedra
    a = (c - k[0]) / (k[2] - k[0])
    b = (c - k[0]) / (k[3] - k[0])
    e = (c - k[1]) / (k[2] - k[1])
    f = (c - k[1]) / (k[3] - k[1])
    return float(a * b + a * (1.0 - b) * f + (1.0 - a) * e * f)


@kernel
def _fill(
    values: Array,
    shape: Array,
    before: Array,
    after: Array,
    first: Array,
    paths: Array,
    thresholds: Array,
    begin: int,
    end: int,
    out: Array,
) -> None:
    """Shares of the nodes from begin to end, for ascending thresholds: out[j, p]."""
    dimensions = shape.shape[0]
    corners = 1 << dimensions
    simplices = paths.shape[0]
    v = np.empty(corners)
    sorted_values = np.empty((corners * simplices, dimensions + 1))
    for p in range(begin, end):
        low = values[p]
        high = low
        row = 0
        for orthant in range(corners):
            # Q at the corners of the box of nodes: bit a of `corner` moves along axis a
            for corner in range(corners):
                rest, q, stride = p, 0, 1
                for a in range(dimensions - 1, -1, -1):
                    c = rest % shape[a]
                    rest = rest // shape[a]
                    if (corner >> a) & 1:
                        c = after[first[a] + c] if (orthant >> a) & 1 else before[first[a] + c]
                    q += c * stride
                    stride *= shape[a]
                v[corner] = values[q]
            # half way to them, axis by axis: equal values stay equal to the bit
            for a in range(dimensions):
                for corner in range(corners):
                    if (corner >> a) & 1:
                        v[corner] = 0.5 * v[corner] + 0.5 * v[corner ^ (1 << a)]
            for s in range(simplices):
                for i in range(dimensions + 1):
                    x = v[paths[s, i]]
                    j = i
                    while j > 0 and sorted_values[row, j - 1] > x:
                        sorted_values[row, j] = sorted_values[row, j - 1]
                        j -= 1
                    sorted_values[row, j] = x
                low = min(low, sorted_values[row, 0])
                high = max(high, sorted_values[row, dimensions])
                row += 1
        for j in range(thresholds.shape[0]):
            c = thresholds[j]
            if c < low:
                out[j, p] = 0.0
            elif c >= high:
                out[j, p] = 1.0
            else:
                total = 0.0
                for r in range(row):
                    total += _below(sorted_values[r], dimensions, c)
                out[j, p] = total / row


def _neighbours(axis: Axis) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The nodes that the cell of each node reaches half way to, on its lower and on its upper side."""
    number = np.arange(axis.size)
    before, after = number - 1, number + 1
    if axis.rule.periodic:
        return before % axis.size, after % axis.size
    if axis.nodes == "vertex" and axis.rule.holds_ends:
        # noise that has reached the wall is on it, and not in half a cell beside it
        before[-1], after[0] = axis.size - 1, 0
        before[0], after[-1] = 0, axis.size - 1
    elif axis.nodes == "vertex" and axis.boundary != "clip":
        # half a cell, seen twice
        before[0], after[-1] = 1, axis.size - 2
    else:
        # beyond the last node the line is constant, up to the wall or for ever
        before[0], after[-1] = 0, axis.size - 1
    return before, after


def cell_shares(values: Array, grid: Grid, thresholds: Array) -> NDArray[np.float64]:
    """The share of each node's cell in which the interpolant of Q is at most c; in [0, 1], and monotone in c.

    Parameters
    ----------
    values
        Q, shape of the grid, in double precision.
    grid
        In one to three dimensions.
    thresholds
        Ascending, shape (C,).

    Returns
    -------
    shares
        Shape (C, *grid.shape). On a wall that ends a cell (``reflect`` and ``zero`` with a node on it) the share is
        that of the half inside; where the wall holds its values (``absorb``) that of the wall.

    Raises
    ------
    UnsupportedError
        In more than three dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.risk.shares import cell_shares
    >>> grid = Grid(Axis("x", 0.0, 3.0, 4, boundary="clip"))
    >>> cell_shares(np.array([0.0, 1.0, 2.0, 3.0]), grid, np.array([1.25]))
    array([[1.  , 0.75, 0.  , 0.  ]])
    """
    dimensions = grid.dimensions
    if dimensions > 3:
        raise UnsupportedError("cell shares are available in one to three dimensions", given=f"{dimensions} axes")
    paths = []
    for order in itertools.permutations(range(dimensions)):
        corner, path = 0, [0]
        for a in order:
            corner |= 1 << a
            path.append(corner)
        paths.append(path)
    sides = [_neighbours(axis) for axis in grid]
    flat = np.ascontiguousarray(values, dtype=np.float64).reshape(-1)
    out = np.empty((len(thresholds), flat.size))
    arguments = (
        flat,
        np.array(grid.shape, dtype=np.int64),
        np.concatenate([before for before, _ in sides]),
        np.concatenate([after for _, after in sides]),
        np.cumsum([0, *grid.shape[:-1]]),
        np.array(paths, dtype=np.int64),
        np.ascontiguousarray(thresholds, dtype=np.float64),
    )
    for_each(lambda begin: _fill(*arguments, begin, min(begin + _NODES, flat.size), out), range(0, flat.size, _NODES))
    return out.reshape(len(thresholds), *grid.shape)
