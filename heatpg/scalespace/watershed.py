"""Basins of attraction: from how much of the box ascent on the smoothed objective ends at which maximum.

The labels follow the gradient flow x' = grad u, not hops between nodes: a chain of steepest hops keeps to the eight
directions of the grid, and the boundaries that it draws are off by a fraction of the box however fine the grid is.
Here nodes are labelled from the highest down. A node whose higher neighbours agree belongs where they do, because its
path leaves between two of them. From the others, which line the boundaries, the path is integrated until the nodes
around it agree. So an error at one node is not handed on to the next, boundaries are true to a cell or less, and
volumes converge with the spacing.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.extrema import neighbour, neighbourhood
from heatpg.core.grid import Grid
from heatpg.errors import GridError, NonFiniteError, UnsupportedError
from heatpg.evolution import Evolution
from heatpg.tools.kernels import kernel
from heatpg.tools.parallel import for_each, threads
from heatpg.tools.resources import require_memory

__all__ = ["Basins", "Earned", "Overlap", "Partition", "ascent_labels", "basins"]

Array = NDArray[Any]

_STEP = 1.0  # of a path, in cells of the axis along which it moves fastest
_ROUND_OFF_OF_Q = 32.0  # eps max|Q|: some roundings in the evaluation of each of two nodes
_BYTES_PER_NODE = 64  # field, order, labels, components and the bookkeeping of volumes, while one level is labelled


@kernel
def _root(parent, c):  # type: ignore[no-untyped-def]
    """Component that c has been merged into; the way there is shortened."""
    while parent[c] != c:
        parent[c] = parent[parent[c]]
        c = parent[c]
    return c


@kernel
def _slope(u, q, i, n, stride, periodic):  # type: ignore[no-untyped-def]
    """Second-order difference of u at node q along one axis, where its index is i of n: (u[i+1] - u[i-1]) / 2."""
    if 0 < i < n - 1:
        return 0.5 * (u[q + stride] - u[q - stride])
    if periodic:
        after = q + stride if i < n - 1 else q - (n - 1) * stride
        before = q - stride if i > 0 else q + (n - 1) * stride
        return 0.5 * (u[after] - u[before])
    if i == 0:
        return u[q + stride] - u[q]
    return u[q] - u[q - stride]


@kernel
def _look(u, x, labels, parent, shape, strides, periodic, rates, direction, cell, share):  # type: ignore[no-untyped-def]
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
    agreed = -2
    top = -1
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
def _product(x, y):  # type: ignore[no-untyped-def]
    """sum_a x_a y_a."""
    total = 0.0
    for a in range(x.shape[0]):
        total += x[a] * y[a]
    return total


@kernel
def _move(x, direction, step, shape, periodic, out):  # type: ignore[no-untyped-def]
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
def _follow(u, start, labels, parent, shape, strides, periodic, rates, step, limit, work, cell):  # type: ignore[no-untyped-def]
    """Node at which the path from a node has come among nodes that agree, by midpoint steps; -1 if it gets lost."""
    x, middle, direction, ahead, share = work[0], work[1], work[2], work[3], work[4]
    d = x.shape[0]
    for a in range(d):
        x[a] = start // strides[a] % shape[a]
        ahead[a] = 0.0
    top = start
    for number in range(limit):
        agreed, top = _look(u, x, labels, parent, shape, strides, periodic, rates, direction, cell, share)
        if agreed >= 0 or (number > 0 and labels[top] < 0):
            break
        turn = _product(direction, ahead)
        _move(x, direction, 0.5 * step, shape, periodic, middle)
        _look(u, middle, labels, parent, shape, strides, periodic, rates, ahead, cell, share)
        # a path that turns back, or stops, has reached a maximum, a saddle, or what the grid does not resolve
        if turn < 0.0 or _product(direction, ahead) <= 0.0:
            break
        _move(x, ahead, step, shape, periodic, x)
    return top if u[top] > u[start] else -1


@kernel
def _sort_ties(u, order):  # type: ignore[no-untyped-def]
    """Bring nodes of equal value into the order of their indices, whatever the sort has made of them."""
    first = 0
    for k in range(1, order.shape[0] + 1):
        if k == order.shape[0] or u[order[k]] != u[order[first]]:
            if k - first > 1:
                order[first:k] = np.sort(order[first:k])
            first = k


@kernel
def _flood(u, order, shape, strides, periodic, offsets, moves, closeness, rates, step, tolerance):  # type: ignore[no-untyped-def]
    """Component of every node, from the highest down; and of every component its top, its root, and whether flat.

    A node without a higher neighbour begins a component, or joins that of an equal one. Where components meet, those
    whose top is no more than the tolerance above the place are merged into the one with the highest top.
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
    limit = 8
    for a in range(d):
        limit += 2 * shape[a]
    count = 0
    for k in range(n):
        p = order[k]
        v = u[p]
        inside = True
        for a in range(d):
            i = p // strides[a] % shape[a]
            inside = inside and 0 < i < shape[a] - 1
        level = True
        several = False
        steepest = -1
        equal = -1
        highest = -1
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
            found = -1
            if disputed:
                found = _follow(u, p, labels, parent, shape, strides, periodic, rates, step, limit, work, cell)
            if found < 0:
                found = steepest if steepest >= 0 else equal
            labels[p] = labels[found]
        c = labels[p]
        if level and u[tops[c]] - v <= tolerance:
            flat[c] = True
    return labels, tops[:count].copy(), parent[:count].copy(), flat[:count].copy()


@dataclasses.dataclass(frozen=True)
class _Flooding:
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


def _flooding(field: Array, grid: Grid, tolerance: float) -> _Flooding:
    u = np.ascontiguousarray(field, dtype=np.float64).reshape(-1)
    if float(u.max()) - float(u.min()) <= tolerance:
        return _Flooding(np.full(grid.shape, -1, np.int32), np.empty(0, np.int64), np.arange(u.size, dtype=np.int64))
    order = np.argsort(-u)
    _sort_ties(u, order)
    shape, periodic, offsets = neighbourhood(grid)
    strides = np.array([math.prod(grid.shape[a + 1 :]) for a in range(grid.dimensions)], dtype=np.int64)
    spacing = np.array(grid.spacing)
    # in units of the smallest spacing, whose square may under- or overflow
    rates = (spacing.min() / spacing) ** 2
    closeness = 1.0 / np.sqrt(((offsets * (spacing / spacing.min())) ** 2).sum(axis=1))
    labels, tops, parent, flat = _flood(
        u, order, shape, strides, periodic, offsets, offsets @ strides, closeness, rates, _STEP, tolerance
    )
    roots = parent
    while not np.array_equal(roots, parent[roots]):
        roots = parent[roots]
    height = u[tops]
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
    return _Flooding(ranked.reshape(grid.shape), tops[own], tops[labels[ranked < 0]])


def _check_field(field: ArrayLike, grid: Grid, tolerance: float) -> Array:
    array = np.asarray(field)
    if array.shape != grid.shape:
        raise GridError("the field does not fit the grid", given=f"shape {array.shape}", allowed=f"shape {grid.shape}")
    if array.dtype.kind not in "fiub":
        raise UnsupportedError("a field must be real numbers", given=f"type {array.dtype}")
    if not np.isfinite(array).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise NonFiniteError(f"the field is not finite at index {first}", given=f"{array[first]}")
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise UnsupportedError("the tolerance must be finite and not negative", given=tolerance, allowed="numbers >= 0")
    return array


def ascent_labels(
    field: ArrayLike, grid: Grid, *, tolerance: float = 0.0
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Label every node with the maximum that gradient ascent from it ends at.

    Nodes are taken from the highest down. One whose higher neighbours (of 3^d - 1) agree has their label; from any
    other the path x' = grad u, differences interpolated linearly, is followed by the midpoint rule until the corners
    of a cell agree. The spacing of each axis counts; at an edge of the box ascent goes on along it, as that of
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
        on a flat stretch that is no maximum, with a node whose neighbours all agree with it within the tolerance, and
        where ascent leads up to such a stretch. A field that is flat within the tolerance is -1 throughout.
    maxima
        Flat index of the highest node of each basin, in the order of the labels; a plateau has that of its first
        node.

    Raises
    ------
    GridError, NonFiniteError, UnsupportedError
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
    >>> from heatpg.scalespace.watershed import ascent_labels
    >>> grid = Grid(Axis("x", 0, 7, 8, boundary="clip"))
    >>> labels, maxima = ascent_labels([0.0, 2, 1, 0.5, 4, 3, 3.5, 2], grid)
    >>> labels, maxima
    (array([2, 2, 2, 0, 0, 0, 1, 1], dtype=int32), array([4, 6, 1]))
    """
    array = _check_field(field, grid, tolerance)
    require_memory(_BYTES_PER_NODE * grid.size, f"labels of {grid.size:,} nodes", "use a coarser grid")
    found = _flooding(array, grid, tolerance)
    return found.labels, found.maxima


@dataclasses.dataclass(frozen=True)
class Partition:
    """The basins at one sigma, that of the optimum first, the others by the value of their maximum.

    Attributes
    ----------
    sigma
        One per axis; zeros for Q itself.
    indices
        Flat index of the maximum of each basin.
    positions
        Coordinates of these nodes, shape (basins, dimensions), in the units of the axes.
    values
        u there.
    initial_values
        Q there: what ascent on u earns.
    on_edge
        Whether the maximum lies on an edge of the box that is not periodic.
    shares
        Part of the box that each basin covers.
    margins
        Part of the box that each basin's nodes next to another basin cover: by about so much a share changes when
        a boundary moves by a cell.
    stalled
        Part of the box from where ascent stalls on a flat stretch (label -1).
    stalled_value, stalled_initial_value
        Mean of u, and of Q, where it stalls; NaN where it does not.
    parts
        Part of the box in basin i of this sigma and in basin j of the first one: rows (i, j), with -1 for stalled.
    part_shares
        Its size, for each row of `parts`.
    contains_first_optimum
        Whether the basin of the optimum holds the place of the optimum at the first sigma.
    tolerance
        Round-off below which maxima were not told apart.
    """

    sigma: tuple[float, ...]
    indices: NDArray[np.int64]
    positions: NDArray[np.float64]
    values: NDArray[np.float64]
    initial_values: NDArray[np.float64]
    on_edge: NDArray[np.bool_]
    shares: NDArray[np.float64]
    margins: NDArray[np.float64]
    stalled: float
    stalled_value: float
    stalled_initial_value: float
    parts: NDArray[np.int64]
    part_shares: NDArray[np.float64]
    contains_first_optimum: bool
    tolerance: float

    def __len__(self) -> int:
        return len(self.indices)

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON-like values; NaN as None."""
        result: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value = value.tolist()
            elif isinstance(value, tuple):
                value = list(value)
            elif isinstance(value, float) and math.isnan(value):
                value = None
            result[field.name] = value
        return result


@dataclasses.dataclass(frozen=True)
class Overlap:
    """The basin of the optimum A at each sigma, against the basin B of the optimum at the first sigma.

    Attributes
    ----------
    kept
        |A and B| / |B|: how much of the first basin still leads to the optimum.
    jaccard
        |A and B| / |A or B|: 1 if and only if they are the same region.
    same
        Whether A holds the place of the first optimum: False once the optimum has jumped out of its first basin.
    """

    kept: NDArray[np.float64]
    jaccard: NDArray[np.float64]
    same: NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Earned:
    """What ascent from a start drawn uniformly from the box ends with, in the mean, at each sigma.

    Attributes
    ----------
    smoothed
        Mean of u where ascent on u ends.
    original
        Mean of Q there: the return of the noiseless policy.
    """

    smoothed: NDArray[np.float64]
    original: NDArray[np.float64]


def _sigma_text(sigma: tuple[float, ...]) -> str:
    return f"{sigma[0]:.4g}" if len(set(sigma)) == 1 else "/".join(f"{s:.3g}" for s in sigma)


@dataclasses.dataclass(frozen=True)
class Basins:
    """Basins of attraction of an evolution, sigma by sigma.

    Attributes
    ----------
    grid
        Where the fields are sampled.
    partitions
        One `Partition` per sigma; the first is that of Q itself, unless it was left out.
    labels
        Basin of every node, shape (levels, *grid.shape), int32, -1 where ascent stalls; None if not kept.
    best
        max Q.
    """

    grid: Grid
    partitions: tuple[Partition, ...]
    labels: NDArray[np.int32] | None
    best: float

    def __len__(self) -> int:
        return len(self.partitions)

    def __getitem__(self, level: int) -> Partition:
        return self.partitions[level]

    @property
    def sigmas(self) -> NDArray[np.float64]:
        """One sigma per axis, shape (levels, dimensions); zeros for Q itself."""
        return np.array([partition.sigma for partition in self.partitions])

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of basins at each sigma."""
        return np.array([len(partition) for partition in self.partitions])

    @property
    def volumes(self) -> tuple[NDArray[np.float64], ...]:
        """Volume of each basin at each sigma, in the units of the axes."""
        box = math.prod(axis.length for axis in self.grid)
        return tuple(partition.shares * box for partition in self.partitions)

    def of_optimum(self) -> NDArray[np.float64]:
        """Part of the box from where ascent ends at the largest maximum, at each sigma; NaN where u is flat."""
        return np.array([partition.shares[0] if len(partition) else math.nan for partition in self.partitions])

    def overlap(self) -> Overlap:
        """The basin of the optimum at each sigma against that at the first one."""
        first = self.partitions[0].shares[0]
        both = np.array([p.part_shares[(p.parts == 0).all(axis=1)].sum() for p in self.partitions])
        union = np.array([p.shares[0] if len(p) else 0.0 for p in self.partitions]) + first - both
        same = np.array([p.contains_first_optimum for p in self.partitions])
        return Overlap(both / first, both / union, same)

    def heirs(self, level: int) -> NDArray[np.int64]:
        """For each basin of the first sigma the basin at this level that holds most of it; -1: most of it stalls.

        Parameters
        ----------
        level
            Which partition.
        """
        part = self.partitions[level]
        result = np.full(len(self.partitions[0]), -1, dtype=np.int64)
        # ascending, the largest is written last; of equal parts the basin of the higher maximum
        order = np.lexsort((-part.parts[:, 0], part.part_shares))
        rows = part.parts[order]
        rows = rows[rows[:, 1] >= 0]
        result[rows[:, 1]] = rows[:, 0]
        return result

    def matching(self, level: int) -> tuple[tuple[int, ...], ...]:
        """For each basin at a level the basins of the first sigma that it has swallowed, the largest part first.

        Parameters
        ----------
        level
            Which partition.

        Returns
        -------
        swallowed
            A basin of the first sigma is listed once, where most of it is; a basin that no other has most of
            itself in (it was created, or has taken parts of several) has none.

        Examples
        --------
        >>> from heatpg import landscapes
        >>> from heatpg.evolution import solve
        >>> from heatpg.scalespace.watershed import basins
        >>> found = basins(solve(landscapes.two_bumps(size=161), [0.5, 1.0]))
        >>> found.matching(1), found.matching(2)  # two bumps at +-1 of width 0.5 become one at sigma = 0.866
        (((0,), (1,)), ((0, 1),))
        """
        part = self.partitions[level]
        heirs = self.heirs(level)
        swallowed: list[list[int]] = [[] for _ in range(len(part))]
        for row in np.argsort(-part.part_shares, kind="stable"):
            now, before = (int(i) for i in part.parts[row])
            if now >= 0 and before >= 0 and heirs[before] == now:
                swallowed[now].append(before)
        return tuple(tuple(entry) for entry in swallowed)

    def earned(self) -> Earned:
        """What ascent on u from a uniform start ends with: the mean of u, and of Q, at the places reached.

        Where ascent stalls, u and Q of the flat stretch count; where u is flat as a whole, their means over the box.
        """
        smoothed, original = [], []
        for partition in self.partitions:
            held = partition.stalled > 0
            still = partition.stalled * partition.stalled_value if held else 0.0
            still_original = partition.stalled * partition.stalled_initial_value if held else 0.0
            smoothed.append(float(partition.shares @ partition.values) + still)
            original.append(float(partition.shares @ partition.initial_values) + still_original)
        return Earned(np.array(smoothed), np.array(original))

    def __str__(self) -> str:
        overlap, earned = self.overlap(), self.earned()
        lines = [
            f"basins of gradient ascent on {' x '.join(map(str, self.grid.shape))} nodes, max Q = {self.best:.6g}",
            "sigma         basins  to optimum  (+- a cell)  stalled  kept    Jaccard  Q earned     optimum at",
        ]
        for k, partition in enumerate(self.partitions):
            sigma = _sigma_text(partition.sigma)
            if not len(partition):
                lines.append(f"{sigma:<12}  {0:>6}  flat within round-off")
                continue
            place = ", ".join(f"{x:.4g}" for x in partition.positions[0]) + (
                " on the edge" if partition.on_edge[0] else ""
            )
            lines.append(
                f"{sigma:<12}  {len(partition):>6}  {partition.shares[0]:>9.2%}   {partition.margins[0]:>10.2%}  "
                f"{partition.stalled:>7.1%}  {overlap.kept[k]:<6.3f}  {overlap.jaccard[k]:<7.3f}  "
                f"{earned.original[k]:<11.6g}  ({place})"
            )
        jumped = np.flatnonzero(~overlap.same & (self.counts > 0))
        if len(jumped):
            sigma = _sigma_text(self.partitions[int(jumped[0])].sigma)
            lines.append(f"at sigma = {sigma} the optimum has left its first basin")
        return "\n".join(line.rstrip() for line in lines)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the labels as JSON-like values; NaN as None."""
        overlap, earned = self.overlap(), self.earned()
        return {
            "best": self.best,
            "counts": self.counts.tolist(),
            "of_optimum": [None if math.isnan(share) else float(share) for share in self.of_optimum()],
            "kept": overlap.kept.tolist(),
            "jaccard": overlap.jaccard.tolist(),
            "same": overlap.same.tolist(),
            "earned_smoothed": earned.smoothed.tolist(),
            "earned_original": earned.original.tolist(),
            "partitions": [partition.as_dict() for partition in self.partitions],
        }


def _boundary_nodes(labels: NDArray[np.int32], grid: Grid) -> NDArray[np.bool_]:
    """Nodes with a neighbour along an axis that is in another basin."""
    result = np.zeros(labels.shape, dtype=bool)
    for position, axis in enumerate(grid):
        here, there = (slice(None),) * position + (slice(1, None),), (slice(None),) * position + (slice(None, -1),)
        differ = labels[here] != labels[there]
        result[here] |= differ
        result[there] |= differ
        if axis.rule.periodic:
            first, last = (slice(None),) * position + (0,), (slice(None),) * position + (-1,)
            differ = labels[first] != labels[last]
            result[first] |= differ
            result[last] |= differ
    return result


def _partition(
    field: Array,
    initial: Array,
    grid: Grid,
    sigma: tuple[float, ...],
    tolerance: float,
    weights: NDArray[np.float64],
    first: _Flooding | None,
) -> tuple[Partition, _Flooding]:
    from scipy.sparse import coo_array

    found = _flooding(field, grid, tolerance)
    reference = found if first is None else first
    labels, maxima = found.labels, found.maxima
    flat = labels.reshape(-1)
    # one row and column for the stalled nodes
    joint = coo_array(
        (weights.reshape(-1), (flat + 1, reference.labels.reshape(-1) + 1)),
        shape=(len(maxima) + 1, len(reference.maxima) + 1),
    ).tocsr()
    totals = np.asarray(np.bincount(flat + 1, weights.reshape(-1), len(maxima) + 1), dtype=np.float64)
    lining = np.where(_boundary_nodes(labels, grid), weights, 0.0).reshape(-1)
    margins = np.asarray(np.bincount(flat + 1, lining, len(maxima) + 1), dtype=np.float64)
    entries = joint.tocoo()
    index = np.unravel_index(maxima, grid.shape)
    at_edge = np.zeros(len(maxima), dtype=bool)
    for axis, i in zip(grid, index, strict=True):
        at_edge |= ((i == 0) | (i == axis.size - 1)) & (not axis.rule.periodic)
    resting = weights.reshape(-1)[flat < 0]
    still = float(totals[0]) > 0

    def mean(values: Array) -> float:
        return float(resting @ values.reshape(-1)[found.stalls]) / float(totals[0]) if still else math.nan

    partition = Partition(
        sigma=sigma,
        indices=maxima,
        positions=np.stack([axis.coordinates[i] for axis, i in zip(grid, index, strict=True)], axis=-1),
        values=field.reshape(-1)[maxima].astype(np.float64),
        initial_values=initial.reshape(-1)[maxima].astype(np.float64),
        on_edge=at_edge,
        shares=totals[1:],
        margins=margins[1:],
        stalled=float(totals[0]),
        stalled_value=mean(field),
        stalled_initial_value=mean(initial),
        parts=np.stack([entries.row, entries.col], axis=-1).astype(np.int64) - 1,
        part_shares=np.asarray(entries.data, dtype=np.float64),
        contains_first_optimum=bool(flat[reference.maxima[0]] == 0),
        tolerance=tolerance,
    )
    return partition, found


def _round_off(evolution: Evolution, k: int) -> float:
    """Bound on the round-off of the field at one sigma, -1 for Q: twice, because two nodes are compared."""
    initial = evolution.landscape.values
    unit = float(np.finfo(initial.dtype).eps) * float(np.abs(initial).max())
    if k < 0:
        return _ROUND_OFF_OF_Q * unit
    paths = zip(evolution.grid, evolution.paths[k], strict=True)
    return 2.0 * unit * (1.0 + sum(evolution.solver.rounding(axis, path) for axis, path in paths if path[-1] > 0))


def basins(
    evolution: Evolution, *, include_initial: bool = True, keep_labels: bool = True, tolerance: float | None = None
) -> Basins:
    """Basins of gradient ascent on u(., sigma), at sigma = 0 and at every stored sigma.

    A start x belongs to the maximum that x' = grad u(x, sigma) ends at, sigma held; see `ascent_labels`. Volumes are
    integrals with `Grid.weights`.

    Parameters
    ----------
    evolution
        The fields, of one landscape.
    include_initial
        Whether to begin with Q itself. Without it the first stored sigma is what the others are compared with: the
        better choice where Q is so rough that its basins are those of single nodes.
    keep_labels
        Whether to keep the basin of every node at every sigma (4 bytes each).
    tolerance
        Maxima that rise no more than this above the pass to a higher one count as its round-off. None: the bound that
        the solver gives, at every sigma of its own; for Q 32 eps max|Q|.

    Returns
    -------
    basins
        Per sigma the number of basins, their maxima, volumes and margins, and their overlap with the first ones.

    Raises
    ------
    UnsupportedError
        For a batch of landscapes, for a landscape or a first field that is flat, or for a bad tolerance.
    ResourceError
        If the labels would not fit in memory.

    Notes
    -----
    On a flat stretch of Q, such as beyond the reach of a reward, ascent stalls at sigma = 0: that part of the box
    is `Partition.stalled`. For sigma > 0 there are no flat stretches, except within round-off; where the slopes of u
    are below it, the labels follow the round-off or are -1.
    In two dimensions and up a maximum may be created by noise, and the number of basins may grow.

    References
    ----------
    H. Edelsbrunner, D. Letscher, A. Zomorodian, Topological persistence and simplification, Discrete Comput. Geom. 28
    (2002) 511, doi:10.1007/s00454-002-2885-2.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> from heatpg.evolution import solve
    >>> from heatpg.scalespace.watershed import basins
    >>> found = basins(solve(landscapes.unequal_bumps(size=401), [0.3, 0.6, 0.9]))
    >>> found.counts
    array([2, 2, 2, 1])
    >>> found.of_optimum().round(2)
    array([0.5 , 0.51, 0.53, 1.  ])
    >>> found.overlap().jaccard.round(2)
    array([1.  , 1.  , 0.96, 0.5 ])
    """
    grid, landscape = evolution.grid, evolution.landscape
    if landscape.batch_shape:
        raise UnsupportedError(
            "basins are those of one landscape",
            given=f"a batch of shape {landscape.batch_shape}",
            advice="evolve one landscape of the batch at a time: Landscape(values[i], grid)",
        )
    if tolerance is not None and not (math.isfinite(tolerance) and tolerance >= 0):
        raise UnsupportedError("the tolerance must be finite and not negative", given=tolerance, allowed="numbers >= 0")
    initial = landscape.values
    levels: list[tuple[tuple[float, ...], Array, float]] = []
    for k in range(-1, len(evolution)):
        allowed = _round_off(evolution, k) if tolerance is None else tolerance
        if k >= 0:
            levels.append((tuple(float(s) for s in evolution.sigmas[k]), evolution.values[k], allowed))
        elif include_initial and (evolution.sigmas[0] > 0).any():
            levels.append(((0.0,) * grid.dimensions, initial, allowed))
    first_sigma, first_field, allowed = levels[0]
    oscillation = float(first_field.max()) - float(first_field.min())
    if oscillation <= allowed:
        raise UnsupportedError(
            "a flat field has no maximum, and no basins",
            given=f"osc(u) = {oscillation:g} at sigma = {first_sigma}, round-off {allowed:g}",
            advice="look at a landscape, and at sigmas, where there is something to ascend",
        )
    kept = 4.0 * grid.size * len(levels) if keep_labels else 0.0
    require_memory(
        kept + 8.0 * grid.size + _BYTES_PER_NODE * grid.size * min(threads(), len(levels)),
        f"basins of {grid.size:,} nodes at {len(levels)} sigmas",
        "three ways out: keep_labels=False, fewer threads (HEATPG_THREADS=1), or a coarser grid",
    )
    weights = grid.weights / grid.weights.sum()
    labels = np.empty((len(levels), *grid.shape), np.int32) if keep_labels else None
    first_partition, first = _partition(first_field, initial, grid, first_sigma, allowed, weights, None)
    partitions = [first_partition] * len(levels)
    if labels is not None:
        labels[0] = first.labels

    def work(k: int) -> None:
        sigma, field, bound = levels[k]
        partitions[k], found = _partition(field, initial, grid, sigma, bound, weights, first)
        if labels is not None:
            labels[k] = found.labels

    for_each(work, range(1, len(levels)))
    return Basins(grid, tuple(partitions), labels, float(initial.max()))
