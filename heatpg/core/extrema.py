"""Local maxima of sampled fields, with plateaus counted once."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Grid
from heatpg.tools.kernels import kernel

__all__ = ["Peak", "climb", "local_maxima", "on_edge", "peak"]

Array = NDArray[Any]


@kernel
def neighbour(p: int, offset: Array, shape: Array, periodic: Array) -> int:
    """Flat index of node p moved by an offset per axis, or -1 outside the box."""
    # p is taken apart from the last axis on, as C order has it, and put together again with each coordinate moved
    q = 0
    stride = 1
    for a in range(shape.shape[0] - 1, -1, -1):
        n = shape[a]
        c = p % n + offset[a]
        p = p // n
        if c < 0 or c >= n:
            if not periodic[a]:
                return -1
            c = c % n
        q += c * stride
        stride *= n
    return q


@kernel
def _find_maxima(u: Array, shape: Array, periodic: Array, offsets: Array, tolerance: float) -> Array:
    """Flat indices of the regional maxima: connected sets of equal value (within tolerance), all neighbours lower."""
    visited = np.zeros(u.shape[0], dtype=np.uint8)
    queue = np.empty(1024, dtype=np.int64)
    found = np.empty(1024, dtype=np.int64)
    count = 0
    last = shape[shape.shape[0] - 1]
    for p in range(u.shape[0]):
        v = u[p]
        j = p % last
        # most nodes are settled by their two neighbours in memory, before the walk over all of them begins
        if (j > 0 and u[p - 1] > v + tolerance) or (j < last - 1 and u[p + 1] > v + tolerance) or visited[p]:
            continue
        # a flood over all nodes that are equal to v; every node is visited by one flood only
        visited[p] = 1
        queue[0] = p
        head, tail = 0, 1
        top = p
        highest = True
        bounded = False
        while head < tail:
            q = queue[head]
            head += 1
            if u[q] > u[top]:
                top = q
            for k in range(offsets.shape[0]):
                r = neighbour(q, offsets[k], shape, periodic)
                if r < 0:
                    continue
                x = u[r]
                if x > v + tolerance:
                    highest = False
                    if tail == 1:
                        # a higher neighbour is seen at the first node already: this is no top, and no flood is needed
                        visited[p] = 0  # the rest of its plateau must meet it again
                        break
                elif x < v - tolerance:
                    bounded = True
                elif not visited[r]:
                    visited[r] = 1
                    if tail == queue.shape[0]:
                        longer = np.empty(2 * tail, dtype=np.int64)
                        longer[:tail] = queue
                        queue = longer
                    queue[tail] = r
                    tail += 1
        # a field that is constant everywhere has no neighbour that is lower, and no maximum
        if highest and bounded:
            if count == found.shape[0]:
                more = np.empty(2 * count, dtype=np.int64)
                more[:count] = found
                found = more
            found[count] = top
            count += 1
    return found[:count].copy()


@kernel
def _climb(u: Array, start: Array, shape: Array, periodic: Array, offsets: Array) -> Array:
    """From every start to the highest neighbour, again and again, until there is none."""
    result = start.copy()
    for i in range(start.shape[0]):
        p = start[i]
        while True:
            best = p
            for k in range(offsets.shape[0]):
                r = neighbour(p, offsets[k], shape, periodic)
                # strictly higher, so that a walk on a plateau ends
                if r >= 0 and u[r] > u[best]:
                    best = r
            if best == p:
                break
            p = best
        result[i] = p
    return result


def neighbourhood(grid: Grid) -> tuple[Array, Array, Array]:
    offsets = [o for o in itertools.product((-1, 0, 1), repeat=grid.dimensions) if any(o)]
    return (
        np.array(grid.shape, dtype=np.int64),
        np.array([axis.rule.periodic for axis in grid]),
        np.array(offsets, dtype=np.int64),
    )


def local_maxima(field: Array, grid: Grid, tolerance: float = 0.0) -> NDArray[np.int64]:
    """Local maxima of a field over its 3^d - 1 neighbours.

    Nodes whose values agree within the tolerance and that touch are one plateau, counted once, at its highest node;
    a plateau with a higher neighbour is none, and neither is a constant field. At an edge of the box the missing
    neighbours are left out, so that a maximum there is found (see `on_edge`).

    Parameters
    ----------
    field
        Shape of the grid.
    grid
        Where it is sampled.
    tolerance
        Differences up to this are taken for equality: the round-off of the field.

    Returns
    -------
    indices
        Flat indices, ascending in the order in which plateaus are met.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.core.extrema import local_maxima
    >>> grid = Grid(Axis("x", 0, 7, 8, boundary="clip"))
    >>> local_maxima(np.array([0.0, 2, 2, 0, 1, 0, 0, 3]), grid)
    array([1, 4, 7])
    """
    return np.asarray(_find_maxima(np.ascontiguousarray(field).reshape(-1), *neighbourhood(grid), tolerance))


def climb(field: Array, grid: Grid, start: NDArray[np.int64]) -> NDArray[np.int64]:
    """Node-by-node steepest ascent from every starting node (flat indices) to a local maximum.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.core.extrema import climb
    >>> grid = Grid(Axis("x", 0, 4, 5, boundary="clip"))
    >>> climb(np.array([0.0, 1, 4, 2, 1]), grid, np.array([0, 4]))
    array([2, 2])
    """
    flat = np.ascontiguousarray(field).reshape(-1)
    return np.asarray(_climb(flat, np.asarray(start, dtype=np.int64), *neighbourhood(grid)))


def on_edge(index: Sequence[Any], grid: Grid) -> bool:
    """Whether a node lies on an edge of the box that is not periodic."""
    return any(not axis.rule.periodic and int(i) in (0, axis.size - 1) for i, axis in zip(index, grid, strict=True))


@dataclasses.dataclass(frozen=True)
class Peak:
    """The largest value of a field.

    Attributes
    ----------
    index
        Index of its node.
    value
        The value.
    coordinates
        Position of the node.
    edges
        Names of the axes at whose end the node lies, where there is an end.
    """

    index: tuple[int, ...]
    value: float
    coordinates: tuple[float, ...]
    edges: tuple[str, ...]


def peak(values: Array, grid: Grid) -> Peak:
    """Where a field of the shape of the grid is largest."""
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(values)), values.shape))
    edges = tuple(
        axis.name for axis, i in zip(grid, index, strict=True) if not axis.rule.periodic and i in (0, axis.size - 1)
    )
    return Peak(index, float(values[index]), grid.point(index), edges)
