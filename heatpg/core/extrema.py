"""Local maxima of sampled fields, with plateaus counted once."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Grid
from heatpg.core.sense import MAXIMISE, Sense
from heatpg.tools.kernels import kernel, kernel_part, read_only

__all__ = ["Peak", "climb", "local_maxima", "on_edge", "peak", "turns"]

Array = NDArray[Any]


@kernel_part
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


@kernel_part
def _with_room(numbers: Array, used: int) -> Array:
    """An array of numbers with room for one more than are used: itself, or twice as long a one."""
    if used < numbers.shape[0]:
        return numbers
    longer = np.empty(2 * used, dtype=np.int64)
    for i in range(used):
        longer[i] = numbers[i]
    return longer


@kernel
def _find_maxima(u: Array, shape: Array, periodic: Array, offsets: Array) -> Array:
    """Flat indices of the regional maxima: connected sets of equal value, all neighbours lower."""
    visited = np.zeros(u.shape[0], dtype=np.uint8)
    queue = np.empty(1024, dtype=np.int64)
    found = np.empty(1024, dtype=np.int64)
    count = 0
    d = shape.shape[0]
    last = shape[d - 1]
    # distance of each neighbour in flat indices, where none of them lies beyond the box or around it
    ahead = np.zeros(offsets.shape[0], dtype=np.int64)
    for k in range(offsets.shape[0]):
        for a in range(d):
            ahead[k] = ahead[k] * shape[a] + offsets[k, a]
    simple = False
    j = -1
    for p in range(u.shape[0]):
        j += 1
        if p == 0 or j == last:
            # a new line: whether it lies inside along all other axes, once for all of its nodes
            j = 0
            rest = p // last
            simple = True
            for a in range(d - 2, -1, -1):
                c = rest % shape[a]
                rest //= shape[a]
                if c == 0 or c == shape[a] - 1:
                    simple = False
        v = u[p]
        # most nodes are settled by their two neighbours in memory, before the walk over all of them begins
        if (j > 0 and u[p - 1] > v) or (j < last - 1 and u[p + 1] > v) or visited[p]:
            continue
        if simple and j > 0 and j < last - 1:
            lower, higher = 0, False
            for k in range(ahead.shape[0]):
                x = u[p + ahead[k]]
                if x > v:
                    higher = True
                    break
                lower += x < v
            if higher:
                continue
            if lower == ahead.shape[0]:  # no plateau, so no flood
                found = _with_room(found, count)
                found[count] = p
                count += 1
                continue
        # a flood over all nodes that are equal to v; every node is visited by one flood only
        visited[p] = 1
        queue[0] = p
        head, tail = 0, 1
        highest = True
        bounded = False
        while head < tail:
            q = queue[head]
            head += 1
            for k in range(offsets.shape[0]):
                r = neighbour(q, offsets[k], shape, periodic)
                if r < 0:
                    continue
                x = u[r]
                if x > v:
                    highest = False
                    if tail == 1:
                        # a higher neighbour is seen at the first node already: this is no top, and no flood is needed
                        visited[p] = 0  # the rest of its plateau must meet it again
                        break
                elif x < v:
                    bounded = True
                elif not visited[r]:
                    visited[r] = 1
                    queue = _with_room(queue, tail)
                    queue[tail] = r
                    tail += 1
        # a field that is constant everywhere has no neighbour that is lower, and no maximum
        if highest and bounded:
            found = _with_room(found, count)
            found[count] = p
            count += 1
    return found[:count].copy()


@kernel
def _outstanding(u: Array, tops: Array, shape: Array, periodic: Array, offsets: Array, tolerance: float) -> Array:
    """Which maxima rise by more than the tolerance above every pass to a higher one (their persistence)."""
    # A flood from each over all nodes that are not lower than it by more than the tolerance: where that meets a higher
    # node, the pass on the way there is within the tolerance. Of two of one height the first keeps its place.
    keep = np.zeros(tops.shape[0], dtype=np.bool_)
    seen = np.zeros(u.shape[0], dtype=np.int64)
    queue = np.empty(1024, dtype=np.int64)
    for number in range(tops.shape[0]):
        p = tops[number]
        floor = u[p] - tolerance
        seen[p] = number + 1
        queue[0] = p
        head, tail = 0, 1
        highest = True
        bounded = False
        while head < tail and highest:
            q = queue[head]
            head += 1
            for k in range(offsets.shape[0]):
                r = neighbour(q, offsets[k], shape, periodic)
                if r < 0 or seen[r] == number + 1:
                    continue
                if u[r] > u[p] or (u[r] == u[p] and r < p):
                    highest = False
                    break
                if u[r] < floor:
                    bounded = True
                    continue
                seen[r] = number + 1
                queue = _with_room(queue, tail)
                queue[tail] = r
                tail += 1
        # a field that is flat within the tolerance has no maximum
        keep[number] = highest and bounded
    return keep


@kernel
def _count_turns(line: Array, tolerance: float) -> tuple[int, int, int]:
    """Turns of a line of which each is followed by more than the tolerance, and the first and the last direction."""
    low, high = line[0], line[0]
    count, first, direction = 0, 0, 0
    for i in range(1, line.shape[0]):
        v = line[i]
        low = min(low, v)
        high = max(high, v)
        # risen from the lowest value since the last turn, or fallen from the highest
        if direction <= 0 and v - low > tolerance:
            count += direction < 0
            direction, high = 1, v
        elif direction >= 0 and high - v > tolerance:
            count += direction > 0
            direction, low = -1, v
        first = first if first != 0 else direction
    return count, first, direction


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

    Nodes of one value that touch are one plateau, counted once; a plateau with a higher neighbour is none, and neither
    is a constant field. At an edge of the box the missing neighbours are left out, so that a maximum there is found
    (see `on_edge`).

    Parameters
    ----------
    field
        Shape of the grid.
    grid
        Where it is sampled.
    tolerance
        A maximum that rises no more than this above the pass to a higher one (its persistence) is none: the round-off
        of the difference of two nodes. Slopes that are gentler than it do no harm.

    Returns
    -------
    indices
        Flat indices, ascending.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.core.extrema import local_maxima
    >>> grid = Grid(Axis("x", 0, 7, 8, boundary="clip"))
    >>> field = np.array([0.0, 2, 2, 0, 1, 0, 0, 3])
    >>> local_maxima(field, grid), local_maxima(field, grid, tolerance=1.0)
    (array([1, 4, 7]), array([1, 7]))
    """
    flat = read_only(np.ascontiguousarray(field).reshape(-1))
    around = neighbourhood(grid)
    found = np.asarray(_find_maxima(flat, *around))
    return found[_outstanding(flat, found, *around, tolerance)] if tolerance > 0 else found


def turns(line: Array, periodic: bool, tolerance: float = 0.0) -> int:
    """Number of extrema within a line: turns from rising to falling or back, each by more than a tolerance.

    Parameters
    ----------
    line
        Values, shape (nodes,).
    periodic
        Whether the line is closed.
    tolerance
        Rises and falls up to this are no turns: the round-off of the difference of two nodes.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.core.extrema import turns
    >>> wave = np.cos(2 * np.pi * np.arange(8) / 8)
    >>> turns(wave, periodic=True), turns(wave, periodic=False), turns(wave, periodic=True, tolerance=3.0)
    (2, 1, 0)
    """
    values = np.ascontiguousarray(line)
    if periodic:
        # cut at the top, from where a closed line falls, and comes back to
        values = np.roll(values, -int(np.argmax(values)))
        values = np.append(values, values[0])
    count, first, last = _count_turns(read_only(values), tolerance)
    return int(count + (periodic and first != last))


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
    flat = read_only(np.ascontiguousarray(field).reshape(-1))
    return np.asarray(_climb(flat, np.asarray(start, dtype=np.int64), *neighbourhood(grid)))


def on_edge(index: Sequence[Any], grid: Grid) -> bool:
    """Whether a node lies on an edge of the box that is not periodic."""
    return any(not axis.rule.periodic and int(i) in (0, axis.size - 1) for i, axis in zip(index, grid, strict=True))


@dataclasses.dataclass(frozen=True)
class Peak:
    """The largest value of a field, or of a loss the smallest.

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


def peak(values: Array, grid: Grid, sense: Sense = MAXIMISE) -> Peak:
    """Where a field of the shape of the grid is best.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.core.extrema import peak
    >>> from heatpg.core.sense import MINIMISE
    >>> grid = Grid(Axis("x", 0, 3, 4, boundary="clip"))
    >>> [peak(np.array([2.0, 5, 1, 3]), grid, *sense).coordinates for sense in ((), (MINIMISE,))]
    [(1.0,), (2.0,)]
    """
    best = np.argmin(values) if sense.minimise else np.argmax(values)
    index = tuple(int(i) for i in np.unravel_index(int(best), values.shape))
    edges = tuple(
        axis.name for axis, i in zip(grid, index, strict=True) if not axis.rule.periodic and i in (0, axis.size - 1)
    )
    return Peak(index, float(values[index]), grid.point(index), edges)
