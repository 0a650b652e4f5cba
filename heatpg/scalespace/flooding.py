"""Basins of attraction of one field: the maximum at which gradient ascent from each node ends.

The labels follow the gradient flow x' = grad u, not hops between nodes: a chain of steepest hops keeps to the eight
directions of the grid, and the boundaries that it draws are off by a fraction of the box however fine the grid is.
Here nodes are labelled from the highest down. A node whose higher neighbours agree belongs where they do, because its
path leaves between two of them. From the others, which line the boundaries, the path is integrated until the nodes
around it agree. So an error at one node does not propagate, boundaries are accurate to a cell or less, and volumes
converge with the spacing.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.extrema import neighbour, neighbourhood
from heatpg.core.grid import Grid, GridLike, as_grid
from heatpg.errors import GridError, NonFiniteError
from heatpg.tools.arguments import finite_number
from heatpg.tools.arrays import real_array
from heatpg.tools.calls import checked_call
from heatpg.tools.kernels import kernel
from heatpg.tools.resources import require_memory

__all__ = ["BYTES_PER_NODE", "Flooding", "ascent_labels", "flood"]

Array = NDArray[Any]

# The kernels take up to twelve arguments, because they take no classes: the field with its grid (shape, strides,
# periodic, rates), the components so far (labels, parent), and scratch, which is allocated once and not at every node.

_STEP = 1.0  # of a path, in cells of the axis along which it moves fastest (taste)
BYTES_PER_NODE = 64
"""Of memory while one field is labelled: the field, its order, labels, components and the bookkeeping of volumes."""


@kernel
def _root(parent: Array, c: int) -> int:
    """Component that c has been merged into; the way there is shortened."""
    # union-find with halving of paths: each component on the way skips its next one
    while parent[c] != c:
        parent[c] = parent[parent[c]]
        c = parent[c]
    return c


@kernel
def _slope(u: Array, q: int, i: int, n: int, stride: int, periodic: bool) -> float:
    """Difference of u at node q along one axis, where its index is i of n: (u[i+1] - u[i-1]) / 2; one-sided at an edge.

    Of second order inside, of first at an edge that is not periodic.
    """
    difference: float
    if 0 < i < n - 1:
        difference = 0.5 * (u[q + stride] - u[q - stride])
    elif periodic:
        after = q + stride if i < n - 1 else q - (n - 1) * stride
        before = q - stride if i > 0 else q + (n - 1) * stride
        difference = 0.5 * (u[after] - u[before])
    elif i == 0:
        difference = u[q + stride] - u[q]
    else:
        difference = u[q] - u[q - stride]
    return difference


@kernel
def _look(
    u: Array,
    x: Array,
    labels: Array,
    parent: Array,
    shape: Array,
    strides: Array,
    periodic: Array,
    rates: Array,
    direction: Array,
    cell: Array,
    share: Array,
) -> tuple[int, int]:
    """The direction of ascent at a point between the nodes, and what the nodes around it say.

    In index units x_i' = (1 / h_i^2) D_i u, the differences D_i u of the corners of the cell interpolated linearly,
    scaled to max |x_i'| = 1; at an edge the part that leads out is left away. Returns the component that all corners
    are in (-1 if they differ or one has none yet) and the highest corner.
    """
    d = x.shape[0]
    for a in range(d):
        direction[a] = 0.0
        cell[a] = min(math.floor(x[a]), shape[a] - 1)
        share[a] = x[a] - cell[a]
    agreed = -2  # no corner yet
    top = -1
    # bit a of `corner`: whether it is the lower or the upper one along axis a
    for corner in range(1 << d):
        weight = 1.0
        q = 0
        for a in range(d):
            if corner >> a & 1:
                weight *= share[a]
                i = cell[a] + 1
                if i == shape[a]:
                    i = 0
            else:
                weight *= 1.0 - share[a]
                i = cell[a]
            q += i * strides[a]
        # on a face of the cell the corners off it have no part in the place, and no say
        if weight <= 0.0:
            continue
        for a in range(d):
            i = q // strides[a] % shape[a]
            direction[a] += weight * _slope(u, q, i, shape[a], strides[a], periodic[a])
        c = labels[q]
        if c >= 0:
            c = _root(parent, c)
        if agreed == -2:
            agreed = c
        elif agreed != c:
            agreed = -1
        if top < 0 or u[q] > u[top]:
            top = q
    most = 0.0
    for a in range(d):
        direction[a] *= rates[a]
        if not periodic[a] and ((x[a] <= 0.0 and direction[a] < 0.0) or (x[a] >= shape[a] - 1 and direction[a] > 0.0)):
            direction[a] = 0.0
        most = max(most, abs(direction[a]))
    if most > 0.0:
        for a in range(d):
            direction[a] /= most
    return agreed, top


@kernel
def _product(x: Array, y: Array) -> float:
    """sum_a x_a y_a."""
    total = 0.0
    for a in range(x.shape[0]):
        total += x[a] * y[a]
    return total


@kernel
def _move(x: Array, direction: Array, step: float, shape: Array, periodic: Array, out: Array) -> None:
    """A point moved along a direction, held in the box or wrapped around it."""
    for a in range(x.shape[0]):
        y = x[a] + step * direction[a]
        if periodic[a]:
            y %= shape[a]
            if y >= shape[a]:  # the remainder of a tiny negative number rounds to the divisor
                y = 0.0
        else:
            y = min(max(y, 0.0), shape[a] - 1.0)
        out[a] = y


@kernel
def _follow(
    u: Array,
    start: int,
    labels: Array,
    parent: Array,
    shape: Array,
    strides: Array,
    periodic: Array,
    rates: Array,
    step: float,
    limit: int,
    work: Array,
    cell: Array,
) -> int:
    """Node at which the path from a node has come among nodes that agree, by midpoint steps; -1 if it gets lost."""
    x, middle, direction, ahead, share = work[0], work[1], work[2], work[3], work[4]
    d = x.shape[0]
    for a in range(d):
        x[a] = start // strides[a] % shape[a]
        ahead[a] = 0.0
    top = start
    for number in range(limit):
        agreed, top = _look(u, x, labels, parent, shape, strides, periodic, rates, direction, cell, share)
        # among nodes that agree; or among nodes lower than the start, which have no label yet: it does not climb
        if agreed >= 0 or (number > 0 and labels[top] < 0):
            break
        turn = _product(direction, ahead)
        _move(x, direction, 0.5 * step, shape, periodic, middle)
        _look(u, middle, labels, parent, shape, strides, periodic, rates, ahead, cell, share)
        # a path that turns back, or stops, has reached a maximum, a saddle, or what the grid does not resolve
        if turn < 0.0 or _product(direction, ahead) <= 0.0:
            break
        _move(x, ahead, step, shape, periodic, x)
    # only a node above the start has been labelled for good
    return top if u[top] > u[start] else -1


@kernel
def _sort_ties(u: Array, order: Array) -> None:
    """Bring nodes of equal value into the order of their indices: the sort is faster where it need not keep it."""
    first = 0
    for k in range(1, order.shape[0] + 1):
        if k == order.shape[0] or u[order[k]] != u[order[first]]:
            if k - first > 1:
                tied = np.sort(order[first:k])
                for i in range(k - first):
                    order[first + i] = tied[i]
            first = k


@kernel
def _label_nodes(
    u: Array,
    order: Array,
    shape: Array,
    strides: Array,
    periodic: Array,
    offsets: Array,
    moves: Array,
    closeness: Array,
    rates: Array,
    step: float,
    tolerance: float,
) -> tuple[Array, Array, Array, Array]:
    """Component of every node, from the highest down; and of every component its top, its root, and whether flat.

    A node without a higher neighbour begins a component, or joins that of an equal one. Where components meet, those
    whose top is no more than the tolerance above the place are merged into the one with the highest top.

    Invariant: all nodes before `order[k]` have a label, and so do those through which ascent from `order[k]` leads.
    """
    d = shape.shape[0]
    n = u.shape[0]
    labels = np.full(n, -1, dtype=np.int32)
    parent = np.empty(n, dtype=np.int32)
    tops = np.empty(n, dtype=np.int64)
    flat = np.zeros(n, dtype=np.bool_)
    near = np.empty(offsets.shape[0], dtype=np.int64)
    work = np.empty((5, d))
    cell = np.empty(d, dtype=np.int64)
    # of steps of a path: enough to cross the box twice along every axis
    limit = 8
    for a in range(d):
        limit += 2 * shape[a]
    count = 0
    for k in range(n):
        p = order[k]
        v = u[p]
        # Of a node that is on no face the neighbours are found by adding offsets; -1 stands for beyond the box.
        inside = True
        for a in range(d):
            i = p // strides[a] % shape[a]
            inside = inside and 0 < i < shape[a] - 1
        level = True  # whether all neighbours agree with it within the tolerance
        several = False  # whether its labelled neighbours are of more than one component
        steepest = -1  # the higher neighbour in the direction of the steepest slope
        equal = -1  # a neighbour on the top of its component, at the same height: a plateau
        highest = -1  # of the components around it the one with the highest top
        best = 0.0
        for j in range(offsets.shape[0]):
            r = p + moves[j] if inside else neighbour(p, offsets[j], shape, periodic)
            near[j] = r
            if r < 0:
                continue
            x = u[r]
            level = level and abs(x - v) <= tolerance
            if labels[r] < 0:
                continue
            if x > v:
                slope = (x - v) * closeness[j]
                if steepest < 0 or slope > best:
                    best = slope
                    steepest = r
            elif equal < 0 and u[tops[labels[r]]] == v:
                equal = r
            c = _root(parent, labels[r])
            if highest < 0:
                highest = c
            elif c != highest:
                several = True
                if u[tops[c]] > u[tops[highest]] or (u[tops[c]] == u[tops[highest]] and c < highest):
                    highest = c
        if steepest < 0 and equal < 0:
            parent[count] = count
            tops[count] = p
            labels[p] = count
            if highest >= 0:  # next to an equal node that has a higher neighbour: a shelf
                parent[count] = highest
            count += 1
        else:
            disputed = False
            if several:
                # Persistence: this is the pass between the components around the node. A maximum that rises no more
                # than the tolerance above it is round-off, and goes to the one with the highest top.
                agreed = -1
                for j in range(offsets.shape[0]):
                    r = near[j]
                    if r < 0 or labels[r] < 0:
                        continue
                    c = _root(parent, labels[r])
                    if c != highest and u[tops[c]] - v <= tolerance:
                        parent[c] = highest
                        c = highest
                    if u[r] > v:
                        disputed = disputed or (agreed >= 0 and c != agreed)
                        agreed = c
            # Higher neighbours that agree settle it; only at a boundary is the path followed, and where that fails
            # (values that jump from node to node) the steepest slope decides.
            found = -1
            if disputed:
                found = _follow(u, p, labels, parent, shape, strides, periodic, rates, step, limit, work, cell)
            if found < 0:
                found = steepest if steepest >= 0 else equal
            labels[p] = labels[found]
        # a level stretch at the top of its component: if that is no maximum in the end, ascent stalls on it
        c = labels[p]
        if level and u[tops[c]] - v <= tolerance:
            flat[c] = True
    return labels, tops[:count].copy(), parent[:count].copy(), flat[:count].copy()


@kernel
def _precedes(u: Array, q: int, p: int) -> bool:
    """Whether node q is labelled before node p: from the highest down, and equal ones in the order of their indices."""
    earlier: bool = u[q] > u[p] or (u[q] == u[p] and q < p)
    return earlier


@kernel
def _agreement(u: Array, start: int, x: Array, labels: Array, shape: Array, strides: Array) -> tuple[int, int]:
    """What the nodes around a point say that precede a start, as `_look`; and one of them that has no label yet, or -1.

    Where one does not precede the start they do not agree, whatever the labels of the others will be.
    """
    d = x.shape[0]
    agreed, missing = -2, -1
    for number in range(2):
        for corner in range(1 << d):
            weight = 1.0
            q = 0
            for a in range(d):
                low = min(math.floor(x[a]), shape[a] - 1)
                share = x[a] - low
                if corner >> a & 1:
                    weight *= share
                    i = low + 1
                    if i == shape[a]:
                        i = 0
                else:
                    weight *= 1.0 - share
                    i = low
                q += i * strides[a]
            if weight <= 0.0:
                continue
            if number == 0:
                if not _precedes(u, q, start):
                    return -1, -1
            elif labels[q] < 0:
                missing = q
            elif agreed == -2:
                agreed = labels[q]
            elif agreed != labels[q]:
                agreed = -1
    return agreed, missing


@kernel
def _follow_among(
    u: Array,
    start: int,
    labels: Array,
    shape: Array,
    strides: Array,
    periodic: Array,
    rates: Array,
    step: float,
    limit: int,
    work: Array,
    cell: Array,
    none: Array,
) -> tuple[int, int]:
    """As `_follow`, where labels are made in any order; and a node whose label has to be made first, or -1."""
    x, middle, direction, ahead, share = work[0], work[1], work[2], work[3], work[4]
    d = x.shape[0]
    for a in range(d):
        x[a] = start // strides[a] % shape[a]
        ahead[a] = 0.0
    top = start
    for number in range(limit):
        # the direction alone: labels are looked at beside it
        _, top = _look(u, x, none, none, shape, strides, periodic, rates, direction, cell, share)
        agreed, missing = _agreement(u, start, x, labels, shape, strides)
        if missing >= 0:
            return -1, missing
        if agreed >= 0 or (number > 0 and not _precedes(u, top, start)):
            break
        turn = _product(direction, ahead)
        _move(x, direction, 0.5 * step, shape, periodic, middle)
        _look(u, middle, none, none, shape, strides, periodic, rates, ahead, cell, share)
        if turn < 0.0 or _product(direction, ahead) <= 0.0:
            break
        _move(x, ahead, step, shape, periodic, x)
    return (top if u[top] > u[start] else -1), -1


@kernel
def _label_in_place(
    u: Array,
    inside: Array,
    shape: Array,
    strides: Array,
    periodic: Array,
    offsets: Array,
    moves: Array,
    closeness: Array,
    rates: Array,
    step: float,
    tolerance: float,
) -> tuple[bool, Array, Array]:
    """Labels and tops as `_label_nodes` makes them, but for the order of the tops, where none are merged.

    A node needs the labels of nodes that precede it, its neighbours and those along its path, and no others. So nodes
    are taken as they lie in memory, each after those that it waits for, and nothing is sorted. False where components
    are merged, which depends on the order from the highest down: then nothing of this counts. `inside` tells which
    nodes are on no face, so that their neighbours are found by adding offsets.
    """
    d = shape.shape[0]
    n = u.shape[0]
    labels = np.full(n, -1, dtype=np.int32)
    none = np.full(n, -1, dtype=np.int32)  # as long as no node has one
    tops = np.empty(n, dtype=np.int64)
    waiting = np.empty(n, dtype=np.int64)  # each for the next one, which precedes it
    work = np.empty((5, d))
    cell = np.empty(d, dtype=np.int64)
    limit = 8
    for a in range(d):
        limit += 2 * shape[a]
    count = 0
    for first in range(n):
        if labels[first] >= 0:
            continue
        waiting[0] = first
        depth = 1
        while depth > 0:
            p = waiting[depth - 1]
            v = u[p]
            missing = -1
            steepest = -1
            best = 0.0
            one = -1
            several = False
            disputed = False
            agreed = -1
            tied = False
            lowest = np.inf  # of the tops around it
            for j in range(offsets.shape[0]):
                r = p + moves[j] if inside[p] else neighbour(p, offsets[j], shape, periodic)
                if r < 0:
                    continue
                x = u[r]
                if x < v or (x == v and r > p):
                    continue
                c = labels[r]
                if c < 0:
                    missing = r
                    break
                if x > v:
                    slope = (x - v) * closeness[j]
                    if steepest < 0 or slope > best:
                        best = slope
                        steepest = r
                    disputed = disputed or (agreed >= 0 and c != agreed)
                    agreed = c
                else:
                    tied = True
                several = several or (one >= 0 and c != one)
                one = c
                lowest = min(lowest, u[tops[c]])
            if missing >= 0:
                waiting[depth] = missing
                depth += 1
                continue
            # a plateau or a shelf, or a pass at which a maximum counts as round-off of a higher one
            if (tied and steepest < 0) or (several and lowest - v <= tolerance):
                return False, labels, tops
            if steepest < 0:
                tops[count] = p
                labels[p] = count
                count += 1
            else:
                found = -1
                if disputed:
                    found, missing = _follow_among(
                        u, p, labels, shape, strides, periodic, rates, step, limit, work, cell, none
                    )
                if found < 0:
                    found = steepest
                if missing < 0 and labels[found] < 0:
                    missing = found
                if missing >= 0:
                    waiting[depth] = missing
                    depth += 1
                    continue
                labels[p] = labels[found]
            depth -= 1
    return True, labels, tops[:count].copy()


@dataclasses.dataclass(frozen=True)
class Flooding:
    """Labels of one field, and where the ascent from the nodes without one stalls.

    Attributes
    ----------
    labels
        Shape of the grid; -1 where ascent stalls.
    maxima
        Flat index of the maximum of each basin, in the order of the labels.
    stalls
        Flat index of a node of the flat stretch where ascent from each unlabelled node stalls, in their order.
    """

    labels: NDArray[np.int32]
    maxima: NDArray[np.int64]
    stalls: NDArray[np.int64]


def flood(field: Array, grid: Grid, tolerance: float) -> Flooding:
    """Labels of the nodes of a field; see `ascent_labels`."""
    u = np.ascontiguousarray(field, dtype=np.float64).reshape(-1)
    if float(u.max()) - float(u.min()) <= tolerance:
        return Flooding(np.full(grid.shape, -1, np.int32), np.empty(0, np.int64), np.arange(u.size, dtype=np.int64))
    shape, periodic, offsets = neighbourhood(grid)
    strides = np.array([math.prod(grid.shape[a + 1 :]) for a in range(grid.dimensions)], dtype=np.int64)
    spacing = np.array(grid.spacing)
    # In index units x_i' = D_i u / h_i^2: one h_i from the difference, one from the unit. Relative to the smallest
    # spacing, whose square may under- or overflow.
    rates = (spacing.min() / spacing) ** 2
    closeness = 1.0 / np.sqrt(((offsets * (spacing / spacing.min())) ** 2).sum(axis=1))
    arguments = (shape, strides, periodic, offsets, offsets @ strides, closeness, rates, _STEP, tolerance)
    inside = np.zeros(grid.shape, dtype=bool)
    inside[(slice(1, -1),) * grid.dimensions] = True
    done, labels, tops = _label_in_place(u, inside.reshape(-1), *arguments)
    if done:
        # numbered from the highest down
        order = np.lexsort((tops, -u[tops]))
        rank = np.empty(order.size, np.int32)
        rank[order] = parent = np.arange(order.size, dtype=np.int32)
        labels, tops, flat = rank[labels], tops[order], np.zeros(order.size, dtype=bool)
    else:
        order = np.argsort(-u)
        # so that labels depend neither on the sort nor on the machine
        _sort_ties(u, order)
        labels, tops, parent, flat = _label_nodes(u, order, *arguments)
    # every component's last root, by pointer jumping: each round doubles the distance that is seen
    roots = parent
    while not np.array_equal(roots, parent[roots]):
        roots = parent[roots]
    height = u[tops]
    # a flat component that was merged into a higher one, farther away than round-off, is a shelf on a slope
    stalled = flat & (height[roots] - height > tolerance)
    own = np.flatnonzero(roots == np.arange(roots.size))
    # the optimum first, the others by value; of several that share the top the first one along the axes
    best = height[own].max()
    key = np.where(height[own] >= best - tolerance, np.inf, height[own])
    own = own[np.lexsort((tops[own], -key))]
    rank = np.empty(roots.size, np.int32)
    rank[own] = np.arange(own.size, dtype=np.int32)
    rank = rank[roots]
    rank[stalled] = -1
    ranked = rank[labels]
    return Flooding(ranked.reshape(grid.shape), tops[own], tops[labels[ranked < 0]])


def _check_field(field: ArrayLike, grid: Grid, tolerance: float) -> Array:
    array = real_array("the field", field)
    if array.shape != grid.shape:
        raise GridError(
            "the field has the wrong shape for the grid", given=f"shape {array.shape}", allowed=f"shape {grid.shape}"
        )
    if not np.isfinite(array).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise NonFiniteError(f"the field is not finite at index {first}", given=f"{array[first]}")
    finite_number("the tolerance", tolerance, lower=0.0)
    return array


@checked_call()
def ascent_labels(
    field: ArrayLike, grid: GridLike, *, tolerance: float = 0.0
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Label every node with the maximum that gradient ascent from it ends at.

    Nodes are taken from the highest down. One whose higher neighbours (of 3^d - 1) agree has their label; from any
    other the path x' = grad u, differences interpolated linearly, is followed by the midpoint rule until the corners
    of a cell agree. The spacing of each axis counts; at an edge of the box ascent continues along it, as that of
    clipped actions does.

    Parameters
    ----------
    field
        u, shape of the grid.
    grid
        Where it is sampled.
    tolerance
        A maximum that rises no more than this above the pass to a higher one is round-off, and belongs to the higher
        one (persistence).

    Returns
    -------
    labels
        Shape of the grid, int32. 0 is the basin of the largest value, the others follow by value; of several that
        agree with the largest within the tolerance, the one of lowest flat index is first. -1 where ascent stalls:
        on a plateau that is not a maximum, with a node whose neighbours all agree with it within the tolerance, and
        where ascent leads up to such a stretch. A field that is flat within the tolerance is -1 throughout.
    maxima
        Flat index of the highest node of each basin, in the order of the labels; a plateau has that of its first
        node.

    Raises
    ------
    GridError, NonFiniteError, OptionError
        For a field of another shape, not finite, or not real; for a tolerance that is negative or not finite.

    Notes
    -----
    Boundaries are off by less than a cell where the field is smooth on the grid (a tenth between round peaks, more
    where peaks are a cell or two wide), so that volumes converge like the spacing. A node on a boundary goes to one
    of its sides. Where values jump from node to node (sigma below the spacing) the path turns back at once, and the
    node goes where the steepest slope leads.
    N log N operations for N nodes, and the paths from the boundary nodes.

    References
    ----------
    L. Vincent, P. Soille, Watersheds in digital spaces, IEEE Trans. Pattern Anal. Mach. Intell. 13 (1991) 583,
    doi:10.1109/34.87344. On the bias of hops between nodes: W. Tang, E. Sanville, G. Henkelman, A grid-based Bader
    analysis algorithm without lattice bias, J. Phys.: Condens. Matter 21 (2009) 084204,
    doi:10.1088/0953-8984/21/8/084204.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.scalespace.flooding import ascent_labels
    >>> grid = Grid(Axis("x", 0, 7, 8, boundary="clip"))
    >>> labels, maxima = ascent_labels([0.0, 2, 1, 0.5, 4, 3, 3.5, 2], grid)
    >>> labels, maxima
    (array([2, 2, 2, 0, 0, 0, 1, 1], dtype=int32), array([4, 6, 1]))
    """
    grid = as_grid(grid)
    array = _check_field(field, grid, tolerance)
    require_memory(BYTES_PER_NODE * grid.size, f"labels of {grid.size:,} nodes", "use a coarser grid")
    found = flood(array, grid, tolerance)
    return found.labels, found.maxima
