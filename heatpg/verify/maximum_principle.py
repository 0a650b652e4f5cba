"""Checks of the strong maximum principle, as far as it applies.

For t > 0 and a solution of u_t = 1/2 Laplace(u): over all of space the supremum never rises and the infimum never falls
with sigma; inside the box there is no local maximum jointly in (mu, sigma^2) with sigma^2 > 0; along its track there
the value at a spatial maximum never rises; in one dimension (only there) the number of extrema of the line never grows.
At a fixed sigma there may well be several local maxima, and in two dimensions and more smoothing can create them: their
numbers are findings.

On a grid the fields at two sigmas are related exactly by u_later = W u_earlier. Where W has no negative weights and
reaches r nodes, a value of u_later lies in the range of u_earlier within r nodes: that is what is checked, up to
round-off. Where a solver does not promise such a W, a sampled maximum may also seem to rise because the nodes miss its
top, by at most an eighth of its second difference; more than that is reported as a finding. Fields under correlated
noise are compared with Q alone.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.extrema import climb, local_maxima, on_edge, turns
from heatpg.core.faces import Faces, changed
from heatpg.core.grid import Grid
from heatpg.core.landscape import Landscape
from heatpg.core.noise import sigma_words
from heatpg.core.ownership import HandedOver
from heatpg.core.report import Check, Place, Status
from heatpg.core.sense import Sense
from heatpg.core.walls import magnitude, wall_values, with_walls
from heatpg.evolution import Evolution
from heatpg.solvers import wide
from heatpg.solvers.covariance import monotone
from heatpg.solvers.stated import keeps_promise
from heatpg.verify import checks
from heatpg.verify.range_words import range_kept, words_on_walls
from heatpg.verify.silence import Scale, bound_source, unless_silent

__all__ = ["maximum_principle"]

Array = NDArray[Any]

_SHORT = 8  # numbers in a row that are told one by one


@dataclasses.dataclass(frozen=True, eq=False)
class _Link:
    """A field and an earlier one that it is compared with: Q, or the field at the previous sigma.

    Attributes
    ----------
    k
        Index of the later sigma.
    earlier, later
        The fields, shape (batch, *grid.shape).
    reach
        Nodes along each axis within which `later` is a mean of `earlier`.
    promised
        Whether the solver promises that it is.
    keeps_extrema
        Whether the solver promises that extrema of a line are not created.
    tolerance
        Round-off.
    from_initial
        Whether `earlier` is Q.
    open_box
        Whether what lay outside the box, or on its faces, at the earlier sigma matters and is not stored (not from Q).
    faces
        What is stated of the walls of `earlier`, which is then Q, as one batch axis.
    """

    k: int
    earlier: Array
    later: Array
    reach: tuple[int, ...]
    promised: bool
    keeps_extrema: bool
    tolerance: float
    from_initial: bool
    open_box: bool
    faces: Faces | None = None

    def walls(self, number: int) -> Faces | None:
        """What is stated of the walls of one landscape of the batch."""
        return None if self.faces is None else self.faces.entry(number)


def _links(evolution: Evolution) -> list[_Link]:
    grid, solver = evolution.grid, evolution.solver
    initial = evolution.landscape.values.reshape(-1, *grid.shape)
    fields = evolution.values.reshape(len(evolution), -1, *grid.shape)
    faces = evolution.landscape.stated_faces
    stated = () if faces is None else faces.positions
    if faces is not None:
        faces = faces.entries()
    # the unit of all bounds here: one rounding of the largest number that there is
    unit = float(np.finfo(initial.dtype).eps) * magnitude(evolution.landscape)
    variances = [tuple(float(t) for t in row) for row in evolution.variances]
    links = []
    for k, stop in enumerate(variances):
        paths = evolution.paths[k]
        rounding = 2.0 * unit * (1.0 + sum(wide.rounding(solver, grid[i], p) for i, p in enumerate(paths) if p[-1] > 0))
        rounding += 2.0 * evolution.value_error  # of this field and of the one that it is compared with
        zero = (0.0,) * grid.dimensions
        # every field is compared with Q, and with the field before it where the noise grew along every axis
        starts = [(zero, initial, paths)]
        if evolution.covariance is None and k > 0 and all(a <= b for a, b in zip(variances[k - 1], stop, strict=True)):
            starts.append((variances[k - 1], fields[k - 1], evolution.paths[k - 1]))
        for number, (start, earlier, before) in enumerate(starts):
            moving = [i for i in range(grid.dimensions) if stop[i] > start[i]]
            if not moving:
                continue
            # a march that began anew from Q is no continuation of the field at the previous sigma
            continues = all(
                number == 0 or solver.exact_in_time or paths[i][: len(before[i])] == before[i] for i in moving
            )
            # a marching solver keeps its promise step by step, and has to keep it in each of them
            if number == 0 and not solver.exact_in_time:
                steps = [(i, a, b) for i in moving for a, b in zip(paths[i], paths[i][1:], strict=False)]
            else:
                steps = [(i, start[i], stop[i]) for i in moving]
            if evolution.covariance is None:
                promised = all(wide.monotone_between(solver, grid[i], a, b) for i, a, b in steps)
                promised = promised and all(keeps_promise(solver, grid[i], stop[i]) for i in moving if i in stated)
            else:
                promised = monotone(grid, evolution.covariance[k])
            links.append(
                _Link(
                    k,
                    earlier,
                    fields[k],
                    tuple(
                        wide.reach(solver, axis, a, b) if b > a else 0
                        for axis, a, b in zip(grid, start, stop, strict=True)
                    ),
                    continues and promised,
                    continues and not stated and all(wide.keeps_extrema(solver, grid[i], a, b) for i, a, b in steps),
                    rounding,
                    number == 0,
                    number > 0 and (faces is not None or any(grid[i].starts_anew for i in moving)),
                    faces if number == 0 else None,
                )
            )
    return links


def _place(evolution: Evolution, k: int, flat: int) -> Place:
    index = tuple(int(i) for i in np.unravel_index(flat, evolution.landscape.values.shape))
    inside = index[len(index) - evolution.grid.dimensions :]
    return Place(k, index, evolution.grid.point(inside))


def _range(evolution: Evolution, links: list[_Link], scale: Scale) -> Check:
    """Supremum and infimum against those of the earlier field, the outside of the box included."""
    worst, broken, hidden = 0.0, None, None
    bound = max((link.tolerance for link in links), default=0.0) / scale.size
    known: dict[int, tuple[Array, Array]] = {}

    def extent(field: Array, number: int) -> tuple[Array, Array]:
        """Smallest and largest value of each landscape of a batch, once for Q (-1) and for the field of each sigma."""
        if number not in known:
            axes = tuple(range(1, field.ndim))
            known[number] = field.min(axis=axes), field.max(axis=axes)
        return known[number]

    for link in links:
        # what lay outside at the earlier sigma was not stored; only Q, whose outside the boundary tells, can bound the
        # field
        if link.open_box:
            continue
        axes = tuple(range(1, link.later.ndim))
        low, high = extent(link.earlier, -1 if link.from_initial else link.k - 1)
        # with nodes in cells u is a mean of the values on the walls too
        for value in wall_values(link.earlier, evolution.grid, link.faces):
            low, high = np.minimum(low, value.min(axis=axes)), np.maximum(high, value.max(axis=axes))
        allowance = np.zeros_like(low, dtype=np.float64)
        if not link.promised and not link.from_initial:
            # the top of a field may lie between its nodes, and come to light at a later sigma: an eighth of the second
            # difference, as of a parabola
            for i in range(len(axes)):
                allowance = allowance + _second_difference(link.earlier, i + 1) / 8.0
        nodes = low, high
        low, high = low - allowance, high + allowance
        # values from outside the box come in with the noise, and may widen the range
        for axis in evolution.grid:
            low, high = axis.rule.extremes_outside(low, high)
            nodes = axis.rule.extremes_outside(*nodes)
        # rounding keeps the order, so the largest excess is that of the extremes
        least, largest = extent(link.later, link.k)
        most = float(np.maximum(largest - high, low - least).max())
        worst = max(worst, most / scale.size)
        seen = np.maximum(largest - nodes[1], nodes[0] - least)
        number = int(np.argmax(seen))
        if link.tolerance < seen[number] and most <= link.tolerance and (hidden is None or hidden[1] < seen[number]):
            hidden = (link, float(seen[number]), float(allowance[number]) + link.tolerance)
        # a broken promise is told before a finding, however small
        if most > link.tolerance and (broken is None or (link.promised and not broken[0].promised)):
            shape = (-1,) + (1,) * len(axes)
            excess = np.maximum(link.later - high.reshape(shape), low.reshape(shape) - link.later)
            broken = (link, most, int(np.argmax(excess)))
    if broken is None and hidden is not None:
        link, rise, missed = hidden
        kept = (
            f"u leaves the range of the earlier nodes by {rise / scale.size:.3g} of {scale.words} at "
            f"sigma={sigma_words(evolution.sigma[link.k])}, no more than they can miss of an extremum between them"
        )
        check = Check(
            "range", "passed", kept, rise / scale.size, missed / scale.size, "an eighth of their second difference"
        )
        return unless_silent(check, evolution, [(link.k, missed)])
    if broken is None:
        kept = range_kept(any(link.open_box for link in links)) + words_on_walls(evolution)
        check = Check("range", "passed", kept, worst, bound, bound_source("round-off", evolution))
        return unless_silent(check, evolution, [(link.k, link.tolerance) for link in links])
    link, most, flat = broken
    sigma = evolution.sigma[link.k]
    status: Status = "failed" if link.promised else "finding"
    because = "although its weights are guaranteed to be positive" if link.promised else _WHY_NOT_PROMISED
    return Check(
        "range",
        status,
        f"u leaves the range of the earlier field by {most / scale.size:.3g} of {scale.words} at "
        f"sigma={sigma_words(sigma)}, {because}",
        most / scale.size,
        bound,
        bound_source("round-off", evolution),
        _place(evolution, link.k, flat),
        link.promised,
    )


_WHY_NOT_PROMISED = "where the solver does not guarantee positive weights (Gibbs overshoot of unresolved data)"


def _second_difference(field: Array, along: int) -> Array:
    """Largest second difference of each landscape of the batch along one axis."""
    differences = np.abs(np.diff(field, n=2, axis=along))
    return np.asarray(differences.max(axis=tuple(range(1, field.ndim))))


def _window_maximum(
    field: Array, grid: Grid, index: tuple[int, ...], reach: tuple[int, ...], faces: Faces | None
) -> tuple[float, bool]:
    """Largest value within so many nodes along each axis, and whether the window leaves a box in free space."""
    window = with_walls(field, grid, faces)
    leaves = False
    for position, (axis, i, r) in enumerate(zip(grid, index, reach, strict=True)):
        if axis.rule.periodic and 2 * r + 1 < axis.size:
            window = np.take(window, np.arange(i - r, i + r + 1), axis=position, mode="wrap")
        # a periodic window as long as the axis is the whole axis, and nothing is to be cut
        elif not axis.rule.periodic:
            leaves |= axis.starts_anew and (i - r < 0 or i + r >= axis.size)
            place = i + int(axis.faced)  # the value on the lower face stands before the first node
            window = window[(slice(None),) * position + (slice(max(0, place - r), place + r + 1),)]
    highest = float(window.max())
    # what lies outside is bounded by the rule of each axis from the values inside
    if leaves:
        for axis in grid:
            highest = float(axis.rule.extremes_outside(highest, highest)[1])
    return highest, leaves


def _sampling_allowance(field: Array, grid: Grid, flat: NDArray[np.int64]) -> NDArray[np.float64]:
    """An eighth of the second differences at given nodes: how far the top of a parabola rises above its nodes."""
    index = np.unravel_index(flat, grid.shape)
    total = np.zeros(len(flat))
    for position, axis in enumerate(grid):
        i = index[position]
        low, high = i - 1, i + 1
        if axis.rule.periodic:
            low, high = low % axis.size, high % axis.size
        else:
            low, high = np.clip(low, 0, axis.size - 1), np.clip(high, 0, axis.size - 1)
        below = (*index[:position], low, *index[position + 1 :])
        above = (*index[:position], high, *index[position + 1 :])
        total += np.abs(field[below] - 2.0 * field[index] + field[above]) / 8.0
    return total


@dataclasses.dataclass
class _Maxima:
    """What was found at the spatial maxima of all links."""

    spurious: list[tuple[_Link, int, float]] = dataclasses.field(default_factory=list)
    rising: list[tuple[_Link, int, float]] = dataclasses.field(default_factory=list)
    followed: int = 0


def _follow_maxima(evolution: Evolution, links: list[_Link], numbers: dict[int, list[NDArray[np.int64]]]) -> _Maxima:
    """Compare every spatial maximum with the earlier field: within reach of it, and along its track."""
    grid = evolution.grid
    result = _Maxima()
    latest = {link.k: link for link in links}
    from_initial = {link.k: link for link in links if link.from_initial}
    for link in latest.values():
        origin = from_initial[link.k]
        for b, (earlier, later) in enumerate(zip(link.earlier, link.later, strict=True)):
            places = numbers[link.k][b]
            if not len(places):
                continue
            # the maximum climbs on the earlier field to the one that it came of; where that one climbs back to it, the
            # two are one track
            tops = climb(earlier, grid, places)
            back = climb(later, grid, tops)
            rise = later.reshape(-1)[places] - earlier.reshape(-1)[tops]
            result.followed += int((back == places).sum())
            sampling = _sampling_allowance(earlier, grid, tops)
            for i in np.flatnonzero(rise > link.tolerance):
                flat = int(places[i])
                index = tuple(int(j) for j in np.unravel_index(flat, grid.shape))
                value = float(later[index])
                highest, leaves = _window_maximum(earlier, grid, index, link.reach, link.walls(b))
                against = link
                # noise from outside may have made this maximum: Q alone, whose outside is known, can be held against it
                if leaves and link.open_box:
                    against = origin
                    highest, _ = _window_maximum(origin.earlier[b], grid, index, origin.reach, origin.walls(b))
                if value - highest > against.tolerance + (0.0 if against.promised else sampling[i]):
                    result.spurious.append((against, b * grid.size + flat, value - highest))
                # within reach there was a higher value, so nothing is wrong; but along its own track a maximum should
                # not rise
                elif back[i] == flat and rise[i] > link.tolerance + sampling[i] and against is link:
                    result.rising.append((link, b * grid.size + flat, float(rise[i])))
    return result


def _joint_maxima(evolution: Evolution, found: _Maxima, links: list[_Link], scale: Scale) -> Check:
    bound = max((link.tolerance for link in links), default=0.0) / scale.size
    sense = evolution.landscape.sense
    name, source = f"joint {sense.extrema}", bound_source("round-off", evolution)
    if not found.spurious:
        words = f"no joint local {sense.extremum} in (mu, sigma^2) at sigma^2 > 0 on the grid"
        check = Check(name, "passed", words, 0.0, bound, source)
        return unless_silent(check, evolution, [(link.k, link.tolerance) for link in links])
    # a broken promise before all findings
    promised = [entry for entry in found.spurious if entry[0].promised]
    link, flat, excess = max(promised or found.spurious, key=lambda entry: entry[2])
    return Check(
        name,
        "failed" if promised else "finding",
        f"{len(found.spurious)} spurious joint local {sense.extrema} at sigma^2 > 0, the largest by "
        f"{excess / scale.size:.3g} of {scale.words} at sigma={sigma_words(evolution.sigma[link.k])}"
        + ("" if promised else f", {_WHY_NOT_PROMISED}"),
        excess / scale.size,
        bound,
        source,
        _place(evolution, link.k, flat),
        bool(promised),
    )


def _non_enhancement(evolution: Evolution, found: _Maxima, scale: Scale) -> Check:
    sense = evolution.landscape.sense
    name = f"values along {sense.extrema}"
    if not found.followed:
        words = f"not conclusive: no {sense.extremum} could be followed from one sigma to the next"
        return Check(name, "silent", words)
    if not found.rising:
        words = f"no {sense.extremum} {sense.improves} from one sigma to the next ({found.followed} pairs matched)"
        return Check(name, "passed", words)
    link, flat, rise = max(found.rising, key=lambda entry: entry[2])
    return Check(
        name,
        "finding",
        f"{len(found.rising)} of {found.followed} {sense.extrema} seem to {sense.improve}, by at most "
        f"{rise / scale.size:.3g} of {scale.words}: the stored noise levels are too far apart to track them (another "
        f"{sense.extremum} has moved there)",
        rise / scale.size,
        where=_place(evolution, link.k, flat),
    )


def _extrema_of_lines(evolution: Evolution, links: list[_Link]) -> Iterator[Check]:
    """In one dimension the number of extrema never grows."""
    if evolution.grid.dimensions > 1:
        return
    axis = evolution.grid[0]
    periodic = axis.rule.periodic
    worst = None
    # only the whole line, the outside and the values on the walls included, is sure not to gain extrema
    seen = [link for link in links if link.from_initial or not axis.starts_anew]
    for link in seen:
        for b, (earlier, later) in enumerate(zip(link.earlier, link.later, strict=True)):
            walls = link.walls(b)
            if walls is not None:
                earlier = walls.layered(earlier)
            elif axis.starts_anew:
                earlier = axis.rule.extend(axis.size, axis.nodes, 1, 1).of(earlier, 0)
            # a difference of two nodes carries the round-off of both: what turns by less has not turned
            before = turns(earlier, periodic, 2.0 * link.tolerance)
            after = turns(later, periodic, 2.0 * link.tolerance)
            if after > before and (worst is None or (link.keeps_extrema and not worst[0].keeps_extrema)):
                worst = (link, b, before, after)
    # of several lines one whose solver had promised to keep the number is told first
    name = "number of extrema"
    if worst is None:
        check = Check(name, "passed", "in one dimension the number of extrema does not grow with sigma")
        yield unless_silent(check, evolution, [(link.k, 2.0 * link.tolerance) for link in seen])
        return
    link, b, before, after = worst
    yield Check(
        name,
        "failed" if link.keeps_extrema else "finding",
        f"{after} extrema at sigma={sigma_words(evolution.sigma[link.k])}, after {before}",
        float(after),
        float(before),
        "Sturm's theorem in one dimension",
        _place(evolution, link.k, b * evolution.grid.size),
        link.keeps_extrema,
    )


def _told(counts: list[int]) -> str:
    """Numbers in a row, those of a long row that repeat once only: 3 -> 2 -> 1 (x63)."""
    # a long row of equal numbers would fill the line of a report
    if len(counts) <= _SHORT:
        return " -> ".join(map(str, counts))
    runs = [(count, len(list(same))) for count, same in itertools.groupby(counts)]
    return " -> ".join(f"{count} (x{length})" if length > 1 else f"{count}" for count, length in runs)


def _census(evolution: Evolution, numbers: dict[int, list[NDArray[np.int64]]], start: int) -> Check:
    """How many spatial maxima there are at each sigma: a finding where the number changes, never a fault."""
    counts = [sum(len(found) for found in numbers[k]) for k in range(len(evolution))]
    story = _told([start, *counts])
    name, sense = f"spatial {evolution.landscape.sense.extrema}", evolution.landscape.sense
    if set(counts) == {start}:
        return Check(
            name, "passed", f"{start} {sense.extremum if start == 1 else sense.extrema} in Q and at each sigma"
        )
    grows = any(b > a for a, b in zip([start, *counts], counts, strict=False))
    message = f"in Q and at each sigma: {story}"
    if grows:
        message += f"; smoothing can create {sense.extrema} in two or more dimensions"
        if evolution.grid.dimensions == 1:
            message = f"in Q and at each sigma: {story}"
    return Check(name, "finding", message)


def _edge(evolution: Evolution, tolerance: dict[int, float]) -> Check:
    grid, sense = evolution.grid, evolution.landscape.sense
    fields = evolution.values.reshape(len(evolution), -1, grid.size)
    tops = fields.argmin(axis=-1) if sense.minimise else fields.argmax(axis=-1)
    found = [
        (k, b)
        for k, row in enumerate(tops)
        for b, top in enumerate(row)
        if on_edge(np.unravel_index(int(top), grid.shape), grid)
    ]
    # where u is flat but for round-off, the first node is no better than the others
    edge = [(k, b) for k, b in found if np.ptp(fields[k, b]) > tolerance.get(k, 0.0)]
    where = None
    if edge:
        k, b = edge[0]
        where = _place(evolution, k, b * grid.size + int(tops[k, b]))
    flat = len(found) - len(edge)
    return edge_entry(sense, len({k for k, _ in edge}), len(evolution), where, flat=flat, all_flat=flat == tops.size)


def edge_entry(sense: Sense, count: int, total: int, where: Place | None, *, flat: int, all_flat: bool) -> Check:
    """What is said of optima on the edge of the box.

    Parameters
    ----------
    sense
        Whether the largest or the smallest value is the optimum.
    count, total
        At how many sigmas it lies there, and of how many.
    where
        The first of them.
    flat
        Fields whose first node is an optimum on the edge only because they are flat but for round-off.
    all_flat
        Whether those are all fields.
    """
    name = "optimum on the edge"
    if all_flat:
        return Check(name, "silent", "not conclusive: u is constant at every sigma")
    if not count:
        only = " where u is not constant" if flat else ""
        return Check(name, "passed", f"the {sense.largest} value lies inside the box at every sigma{only}")
    return Check(
        name,
        "finding",
        f"the {sense.largest} value lies on the edge of the box at {count} of {total} noise levels: the optimum "
        "may lie outside, and the result depends on the boundary condition",
        where=where,
    )


def _mirrored(evolution: Evolution) -> Evolution:
    """The evolution of -Q."""
    landscape = evolution.landscape
    faces = changed(landscape.stated_faces, np.negative)
    return Evolution(
        Landscape(HandedOver(-landscape.values), landscape.grid, landscape.name, faces=faces),
        evolution.sigma,
        -evolution.values,
        evolution.solver,
        paths=evolution.paths,
        covariance=evolution.covariance,
        stored_tolerance=evolution.stored_tolerance,
        rounding=evolution.rounding,
    )


@checks.register("maximum_principle")
def maximum_principle(evolution: Evolution, level: str = "standard") -> list[Check]:
    """Check the valid parts of the strong maximum principle; see the top of this file.

    Parameters
    ----------
    evolution
        Evolution to check.
    level
        The same checks are made at every level.

    Returns
    -------
    entries
        range, joint maxima, values along maxima, number of extrema (one dimension only), spatial maxima, optimum on
        the edge; of a loss those of its minima.

    References
    ----------
    L. C. Evans, *Partial Differential Equations*, 2nd ed., 2010, doi:10.1090/gsm/019, section 2.3.3.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.evolution import solve
    >>> from heatpg.verify.maximum_principle import maximum_principle
    >>> grid = Grid(Axis("x", -3.0, 3.0, 61, boundary="clip"))
    >>> two = Landscape.from_function(lambda x: np.exp(-((x - 1) ** 2) / 0.18) + np.exp(-((x + 1) ** 2) / 0.18), grid)
    >>> for check in maximum_principle(solve(two, [0.5, 1.5])):
    ...     print(check.status, check.name)
    passed range
    passed joint maxima
    passed values along maxima
    passed number of extrema
    finding spatial maxima
    passed optimum on the edge
    """
    grid, landscape = evolution.grid, evolution.landscape
    scale = Scale.of(evolution)
    links = _links(evolution)
    # what is true of maxima is true of the minima of a loss, which are the maxima of its negative
    mirrored = _mirrored(evolution) if landscape.minimise else evolution
    signed = _links(mirrored) if landscape.minimise else links
    # levels without noise along any axis have no link, and no round-off
    tolerance = {link.k: link.tolerance for link in links}
    fields = mirrored.values.reshape(len(evolution), -1, *grid.shape)
    numbers = {k: [local_maxima(field, grid, tolerance.get(k, 0.0)) for field in row] for k, row in enumerate(fields)}
    # an offset that was taken out of Q has rounded its nodes
    initial, data = mirrored.landscape.values.reshape(-1, *grid.shape), 2.0 * evolution.rounding
    start = sum(len(local_maxima(field, grid, data)) for field in initial)
    found = _follow_maxima(mirrored, signed, numbers)
    return [
        _range(evolution, links, scale),
        _joint_maxima(evolution, found, links, scale),
        _non_enhancement(evolution, found, scale),
        *_extrema_of_lines(evolution, links),
        _census(evolution, numbers, start),
        _edge(evolution, tolerance),
    ]
