"""Basins of attraction of ascent on the smoothed objective."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Grid, position_words
from heatpg.core.sense import MAXIMISE, Sense
from heatpg.errors import UnsupportedError
from heatpg.evolution import Evolution
from heatpg.scalespace.flooding import BYTES_PER_NODE, Flooding, flood
from heatpg.scalespace.outer_nodes import OuterNodes
from heatpg.scalespace.units import Problem
from heatpg.solvers import wide
from heatpg.tools.arguments import finite_number
from heatpg.tools.calls import checked_call
from heatpg.tools.parallel import for_each, threads
from heatpg.tools.plain import fields_as_dict, plain
from heatpg.tools.resources import require_memory
from heatpg.tools.sums import dot

__all__ = ["Basins", "Earned", "Overlap", "Partition", "basins"]

Array = NDArray[Any]

_ROUND_OFF_OF_Q = 32.0  # eps max|Q| (taste), without the offset: some roundings in the evaluation of each of two nodes
_DENSE = 4  # entries of a table of pairs for each node, up to which counting is faster than sorting pairs (measured)


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
        Coordinates of these nodes, shape (basins, dimensions), in the units of the axes; or of the wall next to them,
        if Q is stated there (`Landscape(faces=)`) and u is higher on it.
    values
        u there.
    initial_values
        Q there: the value of Q that ascent on u reaches.
    on_edge
        Whether the maximum lies on an edge of the box that is not periodic.
    shares
        Part of the box that each basin covers.
    margins
        Part of the box covered by the nodes of each basin next to another basin: about the change of a share when a
        boundary moves by a cell.
    stalled
        Part of the box from which ascent stalls on a plateau (label -1).
    stalled_value, stalled_initial_value
        Mean of u, and of Q, where it stalls; NaN where it does not.
    parts
        Part of the box in basin i of this sigma and in basin j of the first one: rows (i, j), with -1 for stalled.
    part_shares
        Its size, for each row of `parts`.
    contains_first_optimum
        Whether the basin of the optimum contains the location of the optimum at the first sigma.
    tolerance
        Rounding error below which maxima were not distinguished.
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
        return fields_as_dict(self)


@dataclasses.dataclass(frozen=True)
class Overlap:
    """The basin of the optimum A at each sigma, against the basin B of the optimum at the first sigma.

    Attributes
    ----------
    kept
        |A and B| / |B|: the part of the first basin that still leads to the optimum.
    jaccard
        |A and B| / |A or B|: 1 if and only if they are the same region.
    same
        Whether A contains the location of the first optimum: False once the optimum has jumped out of its first basin.
    """

    kept: NDArray[np.float64]
    jaccard: NDArray[np.float64]
    same: NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Earned:
    """Mean result of ascent from uniformly distributed starting points, at each sigma.

    Attributes
    ----------
    smoothed
        Mean of u at the endpoints of ascent on u.
    original
        Mean of Q there: the return of the noiseless policy.
    """

    smoothed: NDArray[np.float64]
    original: NDArray[np.float64]


def _sigma_text(sigma: tuple[float, ...]) -> str:
    # in a column of a table, where `sigma_words` would be too wide
    return f"{sigma[0]:.4g}" if len(set(sigma)) == 1 else "/".join(f"{s:.3g}" for s in sigma)


@dataclasses.dataclass(frozen=True)
class Basins:
    """Basins of attraction of an evolution, sigma by sigma.

    Attributes
    ----------
    grid
        Where the fields are sampled.
    partitions
        One `Partition` per sigma; the first is that of Q itself, unless omitted.
    labels
        Basin of every node, shape (levels, *grid.shape), int32, -1 where ascent stalls; None if not kept.
    best
        max Q, of a loss min Q.
    sense
        Which way is better, with the words for it.
    """

    grid: Grid
    partitions: tuple[Partition, ...]
    labels: NDArray[np.int32] | None
    best: float
    sense: Sense = MAXIMISE

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
        """Part of the box from which ascent ends at the largest maximum, at each sigma; NaN where u is constant."""
        return np.array([partition.shares[0] if len(partition) else math.nan for partition in self.partitions])

    def overlap(self) -> Overlap:
        """The basin of the optimum at each sigma compared with that at the first one."""
        # |A and B| from the table of parts, row (0, 0); |A or B| = |A| + |B| - |A and B|
        first = self.partitions[0].shares[0]
        both = np.array([p.part_shares[(p.parts == 0).all(axis=1)].sum() for p in self.partitions])
        union = np.array([p.shares[0] if len(p) else 0.0 for p in self.partitions]) + first - both
        same = np.array([p.contains_first_optimum for p in self.partitions])
        return Overlap(both / first, both / union, same)

    def heirs(self, level: int) -> NDArray[np.int64]:
        """For each basin of the first sigma the basin at this level that contains most of it; -1: most of it stalls.

        Parameters
        ----------
        level
            Which partition.
        """
        part = self.partitions[level]
        # of all parts (now, before) the largest for each `before`
        result = np.full(len(self.partitions[0]), -1, dtype=np.int64)
        # ascending, the largest is written last; of equal parts the basin of the higher maximum
        order = np.lexsort((-part.parts[:, 0], part.part_shares))
        rows = part.parts[order]
        rows = rows[rows[:, 1] >= 0]
        result[rows[:, 1]] = rows[:, 0]
        return result

    def matching(self, level: int) -> tuple[tuple[int, ...], ...]:
        """For each basin at a level the basins of the first sigma that it has absorbed, the largest part first.

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
        successors = self.heirs(level)
        swallowed: list[list[int]] = [[] for _ in range(len(part))]
        for row in np.argsort(-part.part_shares, kind="stable"):
            now, before = (int(i) for i in part.parts[row])
            if now >= 0 and before >= 0 and successors[before] == now:
                swallowed[now].append(before)
        return tuple(tuple(entry) for entry in swallowed)

    def earned(self) -> Earned:
        """Mean of u, and of Q, at the endpoints of ascent on u from uniformly distributed starting points.

        Where ascent stalls, u and Q of the flat stretch count; where u is flat as a whole, their means over the box.
        """
        # shares are probabilities of a uniform start, so that both are plain sums over basins
        smoothed, original = [], []
        # below the optimum: shares add up to one only to round-off, which an offset would make large
        best = self.best
        for partition in self.partitions:
            held = partition.stalled > 0
            still = partition.stalled * (partition.stalled_value - best) if held else 0.0
            still_original = partition.stalled * (partition.stalled_initial_value - best) if held else 0.0
            smoothed.append(best + (dot(partition.shares, partition.values - best) + still))
            original.append(best + (dot(partition.shares, partition.initial_values - best) + still_original))
        return Earned(np.array(smoothed), np.array(original))

    def __str__(self) -> str:
        overlap, earned = self.overlap(), self.earned()
        lines = [
            f"basins of gradient {self.sense.ascent} on {' x '.join(map(str, self.grid.shape))} nodes, "
            f"{self.sense.short} Q = {self.best:.6g}",
            "sigma         basins  to optimum  (+- a cell)  stalled  kept    Jaccard  "
            f"{'Q reached' if self.sense.minimise else 'Q earned':<11}  optimum at",
        ]
        for k, partition in enumerate(self.partitions):
            sigma = _sigma_text(partition.sigma)
            if not len(partition):
                lines.append(f"{sigma:<12}  {0:>6}  constant to rounding error")
                continue
            edge = " on the edge" if partition.on_edge[0] else ""
            place = ", ".join(position_words(self.grid, partition.positions[0])) + edge
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
        entries = {
            "best": self.best,
            "counts": self.counts,
            "of_optimum": self.of_optimum(),
            "kept": overlap.kept,
            "jaccard": overlap.jaccard,
            "same": overlap.same,
            "earned_smoothed": earned.smoothed,
            "earned_original": earned.original,
            "partitions": [partition.as_dict() for partition in self.partitions],
        }
        return {name: plain(value) for name, value in entries.items()}


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


def _joint(
    now: NDArray[np.int32], before: NDArray[np.int32], weights: NDArray[np.float64], count: int, count_before: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Pairs of basins, now and before, that have nodes in common, -1 for no basin; and the weights of these nodes.

    A histogram in two labels. Of thousands of basins nearly all pairs have no node in common: then it is sparse.
    """
    flat, columns = weights.reshape(-1), count_before + 1
    if (count + 1) * columns <= _DENSE * len(now):
        pair = (now + np.int64(1)) * columns + (before + np.int64(1))
        found = np.flatnonzero(np.bincount(pair))
        shares = np.asarray(np.bincount(pair, flat)[found], dtype=np.float64)
        return np.stack((found // columns - 1, found % columns - 1), axis=-1), shares
    from scipy.sparse import coo_array

    entries = coo_array((flat, (now + 1, before + 1)), shape=(count + 1, columns)).tocsr().tocoo()
    return np.stack([entries.row, entries.col], axis=-1).astype(np.int64) - 1, np.asarray(entries.data)


def _partition(
    problem: Problem,
    outer: OuterNodes,
    level: int,
    tolerance: float,
    weights: NDArray[np.float64],
    first: Flooding | None,
) -> tuple[Partition, Flooding]:
    evolution, grid, units = problem.evolution, problem.evolution.grid, problem.units
    pure = outer.values(level)
    sigma = (0.0,) * grid.dimensions if level < 0 else tuple(float(s) for s in evolution.sigmas[level])

    # in pure numbers, whose round-off is not that of an offset; labels have no units
    found = flood(pure, outer.grid, tolerance)
    reference = found if first is None else first
    labels, maxima = found.labels, found.maxima
    flat = labels.reshape(-1)
    parts, part_shares = _joint(flat, reference.labels.reshape(-1), weights, len(maxima), len(reference.maxima))
    totals = np.asarray(np.bincount(flat + 1, weights.reshape(-1), len(maxima) + 1), dtype=np.float64)
    # nodes next to another basin: what a shift of the boundary by a cell would give to it
    lining = np.where(_boundary_nodes(labels, outer.grid), weights, 0.0).reshape(-1)
    margins = np.asarray(np.bincount(flat + 1, lining, len(maxima) + 1), dtype=np.float64)
    index = outer.index(maxima)
    at_edge = np.zeros(len(maxima), dtype=bool)
    for axis, i in zip(grid, index, strict=True):
        at_edge |= ((i == 0) | (i == axis.size - 1)) & (not axis.rule.periodic)
    # of starts from which ascent stalls the values are those of the stretch on which they come to rest
    resting = weights.reshape(-1)[flat < 0]
    still = float(totals[0]) > 0

    def mean(of: int, values: Array) -> float:
        return dot(resting, outer.read(of, found.stalls, values)) / float(totals[0]) if still else math.nan

    partition = Partition(
        sigma=sigma,
        indices=np.asarray(np.ravel_multi_index(index, grid.shape)),
        positions=outer.places(maxima),
        values=outer.read(level, maxima, pure),
        initial_values=outer.read(-1, maxima, outer.initial),
        on_edge=at_edge,
        shares=totals[1:],
        margins=margins[1:],
        stalled=float(totals[0]),
        stalled_value=mean(level, pure),
        stalled_initial_value=mean(-1, outer.initial),
        parts=parts,
        part_shares=part_shares,
        contains_first_optimum=bool(flat[reference.maxima[0]] == 0),
        tolerance=float(units.differences(tolerance)),
    )
    return partition, found


def _round_off(problem: Problem, k: int) -> float:
    """Bound on what is wrong with the field at one sigma, -1 for Q: twice, because two nodes are compared."""
    evolution = problem.evolution
    unit = problem.rounding * float(np.abs(problem.landscape.values).max())
    # what an offset has taken from the nodes of Q is an error of Q, and of each mean of them
    data = problem.round_off.data if problem.units.offset else 0.0
    if k < 0:
        return _ROUND_OFF_OF_Q * unit + data
    # the axes add up, each with what the solver may round along the path of variances that it took there
    paths = zip(evolution.grid, evolution.paths[k], strict=True)
    rounding = sum(wide.rounding(evolution.solver, axis, path) for axis, path in paths if path[-1] > 0)
    return 2.0 * unit * (1.0 + rounding) + 2.0 * problem.value_error + data


@checked_call()
def basins(
    evolution: Evolution, *, include_initial: bool = True, keep_labels: bool = True, tolerance: float | None = None
) -> Basins:
    """Basins of gradient ascent on u(., sigma), at sigma = 0 and at every stored sigma.

    A start x belongs to the maximum that x' = grad u(x, sigma) ends at, at fixed sigma; see `ascent_labels`. Volumes
    are integrals with `Grid.weights`.

    Parameters
    ----------
    evolution
        The fields, of one landscape.
    include_initial
        Whether to include Q itself first. Without it the others are compared with the first stored sigma, which is
        better if Q is so rough that its basins are single nodes.
    keep_labels
        Whether to keep the basin of every node at every sigma (4 bytes each).
    tolerance
        Maxima that rise no more than this above the pass to a higher one count as its round-off. None: the bound that
        the solver gives, at every sigma of its own; for Q 32 eps max|Q|, without an offset; and the rounding of Q
        that the offset has caused.

    Returns
    -------
    basins
        Per sigma the number of basins, their maxima, volumes and margins, and their overlap with the first ones.

    Raises
    ------
    UnsupportedError
        For a batch of landscapes, and for a constant landscape or first field.
    OptionError
        For a tolerance that is negative or not finite.
    ResourceError
        If the labels exceed the available memory.

    Notes
    -----
    On a plateau of Q, such as beyond the reach of a reward, ascent stalls at sigma = 0: that part of the box
    is `Partition.stalled`. For sigma > 0 there are no flat stretches, except within round-off; where the slopes of u
    are below it, the labels follow the round-off or are -1.
    In two or more dimensions noise may create a maximum, and the number of basins may grow.

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
            "basins() needs a single landscape",
            given=f"a batch of shape {landscape.batch_shape}",
            advice="evolve the landscapes of a batch one at a time: Landscape(values[i], grid)",
        )
    if tolerance is not None:
        tolerance = finite_number("the tolerance", tolerance, lower=0.0)
    problem = Problem(evolution)
    # -1 stands for Q itself, which is not put before a first sigma of 0: that is the same field
    levels = list(range(-1 if include_initial and (evolution.sigmas[0] > 0).any() else 0, len(evolution)))
    if tolerance is None:
        allowed = [_round_off(problem, k) for k in levels]
    else:
        allowed = [math.ldexp(tolerance, -problem.units.exponent)] * len(levels)
    oscillation = float(np.ptp(problem.values(levels[0])))
    if oscillation <= allowed[0]:
        osc, bound = problem.units.differences([oscillation, allowed[0]])
        sigma = tuple(evolution.sigmas[0].tolist()) if levels[0] == 0 else (0.0,) * grid.dimensions
        raise UnsupportedError(
            f"a constant field has no {landscape.sense.extremum} and no basins",
            given=f"osc(u) = {osc:g} at sigma = {sigma}, round-off {bound:g}",
            advice="use a landscape and noise levels at which u is not constant",
        )
    # labels of all levels (int32), normalised weights, and what each thread works with
    kept = 4.0 * grid.size * len(levels) if keep_labels else 0.0
    require_memory(
        kept + 8.0 * grid.size + BYTES_PER_NODE * grid.size * min(threads(), len(levels)),
        f"basins of {grid.size:,} nodes at {len(levels)} sigmas",
        "use keep_labels=False, fewer threads (HEATPG_THREADS=1), or a coarser grid",
    )
    outer = OuterNodes(problem)
    weights = outer.with_walls(problem.weights)
    labels = np.empty((len(levels), *grid.shape), np.int32) if keep_labels else None
    first_partition, first = _partition(problem, outer, levels[0], allowed[0], weights, None)
    # the first is needed by all others, which are then independent of one another
    partitions = [first_partition] * len(levels)
    if labels is not None:
        labels[0] = first.labels[outer.own]

    def work(k: int) -> None:
        partitions[k], found = _partition(problem, outer, levels[k], allowed[k], weights, first)
        if labels is not None:
            labels[k] = found.labels[outer.own]

    for_each(work, range(1, len(levels)))
    best = landscape.values.min() if landscape.minimise else landscape.values.max()
    if landscape.stated_faces is not None:
        best = problem.units.values(problem.best_place[1])
    return Basins(grid, tuple(partitions), labels, float(best), landscape.sense)
