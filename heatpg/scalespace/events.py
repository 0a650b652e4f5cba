"""Tracks of critical points, and the events at their ends: creations, annihilations, merges, edges of the box."""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.field import HeatField
from heatpg.core.grid import Grid, position_words
from heatpg.scalespace.critical import NAMES
from heatpg.scalespace.following import ARRIVED, FOLD, FORK, LEFT, LOST, RELEASED, Follower
from heatpg.scalespace.linking import Ending, Links, Point
from heatpg.scalespace.places import nearest, unit_of_length
from heatpg.scalespace.units import Units
from heatpg.tools.plain import fields_as_dict

__all__ = ["UNPLACED", "Event", "History", "Track"]

Array = NDArray[Any]
Place = tuple[NDArray[np.float64], float] | None  # position and value of a track; None where it does not live

# Ends that are one event: relative in t, and in units of max(sigma, h). Taste: ends at one fold agree to many more
# digits, different events rarely to as many, and those that do (by symmetry) are apart in place.
_TOGETHER = (1e-5, 0.2)
UNPLACED = 1e3
"""Of the eigenvalues that are round-off: so flat, round-off of the slope moves a point farther than the steps at which
Newton's method stops (1e-9: 64 eps over 1e3 times 1e-11 of osc(Q) are 1e-6)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Event:
    """An event in scale space, located between the stored noise levels.

    Attributes
    ----------
    kind
        ``death`` or ``birth``: two critical points annihilate, or are created, where the Hessian is singular (or one of
        them lies on the edge of the box). ``merge``, ``split``: several become one by symmetry, or one becomes several.
        ``jump``: the global maximum changes track. ``reaches edge``, ``leaves edge``: an extremum moves onto the edge
        of the box, or off it. ``leaves box``, ``enters box``: a saddle crosses the edge, or
        any point that of the data in a study of correlated noise. ``fades``, ``emerges``: no
        event of u, but the track ends or begins where u is flat to round-off, so that its place is not determined.
        ``lost``, ``found``: none of these could be shown; usually the sigma is not resolved.
    sigma
        Where, in the units of the axes (of the noisiest axis, if they differ).
    uncertainty
        Uncertainty of that sigma: the last step of the root finder plus rounding errors, including those of Q, or half
        of the bracket.
    position, value
        Location, shape (dimensions,), and u there; for a jump those of the new optimum.
    tracks
        Numbers of the tracks involved; for a jump (from, to), -1 for none.
    resolved
        False below 1.5 grid spacings, where the grid does not resolve u between its nodes.
    """

    kind: str
    sigma: float
    uncertainty: float
    position: tuple[float, ...]
    value: float
    tracks: tuple[int, ...]
    resolved: bool
    _grid: Grid = dataclasses.field(repr=False)

    def __str__(self) -> str:
        place = ", ".join(position_words(self._grid, self.position))
        coarse = "" if self.resolved else ", below the resolution of the grid"
        return f"{self.kind} at sigma = {self.sigma:.7g} +- {self.uncertainty:.1g}, ({place}){coarse}"

    def as_dict(self) -> dict[str, Any]:
        """The event as JSON-like values."""
        return fields_as_dict(self)

    def measured(self, units: Units, noise: int) -> Event:
        """This event out of pure numbers; 2 to the power of `noise` is the unit of its sigma."""
        return dataclasses.replace(
            self,
            sigma=math.ldexp(self.sigma, noise),
            uncertainty=math.ldexp(self.uncertainty, noise),
            position=tuple(units.places(np.array(self.position)).tolist()),
            value=float(units.values(self.value)),
            _grid=units.grid,
        )


@dataclasses.dataclass(eq=False)
class Track:
    """One critical point through consecutive levels of sigma.

    Attributes
    ----------
    number
        Its index in `ScaleSpace.tracks`.
    kind
        ``maximum``, ``minimum`` or ``saddle``.
    levels
        Indices of the noise levels at which it exists, consecutive.
    sigma
        These sigmas (of the noisiest axis), shape (levels,).
    positions, values
        Shapes (levels, dimensions) and (levels,).
    eigenvalues
        Of the Hessian in units of max(sigma, h), shape (levels, dimensions).
    index
        Number of directions in which u decreases, including those across the edge on which it lies.
    on_edge
        Whether it lies on the edge of the box, so that it depends on the choice of box.
    birth, death
        The events at its ends; None if it exists at the first, or at the last, noise level.
    """

    number: int
    kind: str
    levels: NDArray[np.int64]
    sigma: NDArray[np.float64]
    positions: NDArray[np.float64]
    values: NDArray[np.float64]
    eigenvalues: NDArray[np.float64]
    index: int
    on_edge: bool
    birth: Event | None = None
    death: Event | None = None

    def __len__(self) -> int:
        return len(self.levels)

    def __repr__(self) -> str:
        edge = " on the edge" if self.on_edge else ""
        return f"<Track {self.number}: {self.kind}{edge}, sigma {self.sigma[0]:g} to {self.sigma[-1]:g}>"

    def measured(self, units: Units, noise: int, events: Mapping[int, Event]) -> Track:
        """This track out of pure numbers, as `Event.measured`; `events` are those that were, by identity."""
        return dataclasses.replace(
            self,
            kind=units.sense.kind(self.kind),
            sigma=np.ldexp(self.sigma, noise),
            positions=units.places(self.positions),
            values=units.values(self.values),
            eigenvalues=units.eigenvalues(self.eigenvalues),
            # a direction in which u falls is one in which -u rises
            index=units.grid.dimensions - self.index if units.sense.minimise else self.index,
            birth=None if self.birth is None else events[id(self.birth)],
            death=None if self.death is None else events[id(self.death)],
        )


@dataclasses.dataclass(frozen=True, eq=False)
class _End:
    """One end of a track before it is part of an event."""

    track: Track
    beginning: bool
    how: Ending


class History:
    """All tracks of a landscape, with what is needed to find their points at any sigma.

    Attributes
    ----------
    tracks
        All of them, those of the first level first.
    rows
        Of each track, its row among the points of each of its levels.
    """

    def __init__(self, links: Links) -> None:
        self.follower: Follower = links.follower
        self.points = links.points
        self.times = links.times
        self.sigma = np.sqrt(links.times)
        self.tracks: list[Track] = []
        self.rows: list[list[int]] = []
        self._owner: dict[Point, Track] = {}
        for chain in _chains(links):
            self._add(chain)

    @property
    def field(self) -> HeatField:
        """The solution between the nodes and between the levels."""
        return self.follower.field

    def _add(self, chain: list[Point]) -> None:
        picked = [(self.points[level], row) for level, row in chain]
        # kind, index and axes that hold it are the same all along a track: where they change, another one begins
        points, row = picked[0]
        levels = np.array([level for level, _ in chain])
        one = Track(
            len(self.tracks),
            NAMES[int(points.kind[row])],
            levels,
            self.sigma[levels],
            np.array([p.positions[i] for p, i in picked]),
            np.array([p.values[i] for p, i in picked]),
            np.array([p.eigenvalues[i] for p, i in picked]),
            int(points.index[row]) + int((~points.free[row]).sum()) * int(points.kind[row] == 1),
            bool(points.on_edge[row]),
        )
        self.tracks.append(one)
        self.rows.append([row for _, row in chain])
        self._owner.update({chain[0]: one, chain[-1]: one})

    def sigmas(self, time: float) -> Array:
        """Noise per axis where that of the noisiest is the root of t."""
        return np.asarray(math.sqrt(time) * self.follower.ratio)

    def place(self, one: Track, time: float) -> Place:
        """Position and value of a track at any t; None where it does not live."""
        return self.places([(one, time)])[0]

    def places(self, wanted: Sequence[tuple[Track, float]]) -> list[Place]:
        """Position and value of tracks, each at a t of its own, followed together: a step of many costs little more."""
        result: list[Place] = [None] * len(wanted)
        # Followed from the nearest level, so that a place between two levels costs a few steps. A fork may bar the way,
        # through which one of several goes on: then from the level on the other side.
        near = [np.argsort(np.abs(self.times[one.levels] - time), kind="stable")[:2].tolist() for one, time in wanted]
        for attempt in (0, 1):
            begin: list[tuple[int, int, int]] = []  # which is wanted, its level, its row there
            for n, (one, time) in enumerate(wanted):
                if result[n] is None and attempt < len(near[n]):
                    level, row = int(one.levels[near[n][attempt]]), self.rows[one.number][near[n][attempt]]
                    if time == self.times[level]:
                        result[n] = self.points[level].positions[row], float(self.points[level].values[row])
                    else:
                        begin.append((n, level, row))
            for n, place in zip((n for n, _, _ in begin), self._followed(begin, wanted), strict=True):
                result[n] = place
        return result

    def _followed(self, begin: list[tuple[int, int, int]], wanted: Sequence[tuple[Track, float]]) -> list[Place]:
        """Where points of levels get to, given by which is wanted, level and row; None where they do not arrive."""
        if not begin:
            return []
        positions, kind, index, free = (
            np.array([getattr(self.points[level], name)[row] for _, level, row in begin])
            for name in ("positions", "kind", "index", "free")
        )
        targets = np.array([wanted[n][1] for n, _, _ in begin])
        times = self.times[[level for _, level, _ in begin]]
        journey = self.follower.follow(positions, times, targets, kind, index, free)
        result: list[Place] = [None] * len(begin)
        arrived = np.flatnonzero(journey.outcome == ARRIVED)
        if len(arrived):
            values = self.field.value(journey.positions[arrived], self.follower.sigmas(targets[arrived]))
            for k, value in zip(arrived.tolist(), values.tolist(), strict=True):
                result[k] = journey.positions[k], value
        return result

    def locate(self, number: int, sigma: float) -> tuple[NDArray[np.float64], float] | None:
        """Position and value of a track at any sigma from its birth to its death; None where it does not live."""
        one = self.tracks[number]
        born = one.sigma[0] if one.birth is None else one.birth.sigma
        dies = one.sigma[-1] if one.death is None else one.death.sigma
        return self.place(one, sigma**2) if born <= sigma <= dies else None

    def events(self, links: Links) -> list[Event]:
        """What happens at the ends of all tracks; it becomes the birth or the death of each of them."""
        made = []
        groups = [part for whole in self._together(self._loose_ends(links)) for part in self._parted(whole)]
        if not groups:
            return []
        positions, times = (
            np.array([getattr(group[0].how, name) for group in groups]) for name in ("position", "time")
        )
        values = self.field.value(positions, self.follower.sigmas(times)).tolist()
        for group, value in zip(groups, values, strict=True):
            event = self._event(group, value)
            made.append(event)
            for end in group:
                if end.beginning:
                    end.track.birth = event
                else:
                    end.track.death = event
        return made

    def _loose_ends(self, links: Links) -> list[_End]:
        """Ends of tracks between the first and the last level, with how they end; at a fork one for each track."""
        # a track that reaches the first or the last level has no ending there, and no event
        loose = []
        for one in self.tracks:
            first, last = ((int(one.levels[k]), self.rows[one.number][k]) for k in (0, -1))
            if first in links.begins and first not in links.back:
                loose.append(_End(one, True, links.begins[first]))
            if last in links.ends and last not in links.ahead:
                loose.append(_End(one, False, links.ends[last]))
        for members, q in links.merges:
            how = self._fork(q, members[0][0])
            loose.extend(_End(self._owner[p], False, how) for p in members)
            loose.append(_End(self._owner[q], True, how))
        for p, members, ending in links.splits:
            how = dataclasses.replace(ending, outcome=FORK)
            loose.extend(_End(self._owner[q], True, how) for q in members)
            loose.append(_End(self._owner[p], False, how))
        return loose

    def _fork(self, q: Point, below: int) -> Ending:
        """Where, between the level below and that of q, several points became q."""
        points, row = self.points[q[0]], q[1]
        place, time, error = self.follower.fork(points.positions[row], float(self.times[q[0]]), points.free[row])
        low, high = float(self.times[below]), float(self.times[q[0]])
        if low <= time <= high and math.isfinite(error):
            return Ending(FORK, place, time, error)
        return Ending(FORK, points.positions[row], 0.5 * (low + high), 0.5 * (high - low))

    def _together(self, loose: list[_End]) -> list[list[_End]]:
        """Ends of tracks that meet at one place and one t, within what is known of them."""
        grid = self.follower.grid
        groups: list[list[_End]] = []
        by_time: list[tuple[float, int]] = []
        # the best known first, so that a group is never known worse than what may still join it
        for end in sorted(loose, key=lambda one: one.how.uncertainty):
            time, width = end.how.time, _TOGETHER[0] * end.how.time + 4.0 * end.how.uncertainty
            unit = unit_of_length(grid, self.sigmas(time))
            first = bisect.bisect_left(by_time, (time - width, -1))
            last = bisect.bisect_right(by_time, (time + width, len(groups)))
            for _, number in by_time[first:last]:
                group = groups[number]
                if any(other.track is end.track and other.beginning == end.beginning for other in group):
                    continue
                # at a fold two meet and no third, unless it is a fork
                complete = sum(other.how.outcome == FOLD for other in group) > 1
                complete &= not any(other.how.outcome == FORK for other in group)
                where = group[0].how.position[None], end.how.position[None]
                if not complete and nearest(grid, unit, *where)[0][0] <= _TOGETHER[1]:
                    group.append(end)
                    break
            else:
                bisect.insort(by_time, (time, len(groups)))
                groups.append([end])
        return groups

    def _parted(self, group: list[_End]) -> list[list[_End]]:
        """The ends of a group; those before and those after it apart on a plateau, where they are no event of u."""
        lost = all(end.how.outcome == LOST for end in group) and len({end.beginning for end in group}) > 1
        if not any((lost or end.how.outcome == FORK) and self._on_plateau(end) for end in group):
            return [group]
        ends = [dataclasses.replace(end, how=dataclasses.replace(end.how, outcome=LOST)) for end in group]
        parts = [end for end in ends if not end.beginning], [end for end in ends if end.beginning]
        return [part for part in parts if part]

    def _event(self, group: list[_End], value: float) -> Event:
        best = group[0].how
        solved = [end.how.time for end in group if end.how.outcome in (FOLD, LEFT, RELEASED)]
        error = max(best.uncertainty, 0.5 * (max(solved) - min(solved)) if solved else 0.0)
        # d sigma = dt / (2 sigma)
        sigma = math.sqrt(best.time)
        return Event(
            self._kind(group),
            sigma,
            error / (2.0 * sigma) if sigma > 0 else math.sqrt(error),
            tuple(float(x) for x in best.position),
            value,
            tuple(sorted({end.track.number for end in group})),
            self.field.resolved(self.sigmas(best.time)),
            self.follower.grid,
        )

    def _kind(self, group: list[_End]) -> str:
        """What the ends that come together at one place are, in the words of `Event.kind`."""
        ends = [end for end in group if not end.beginning]
        begins = [end for end in group if end.beginning]
        if any(end.how.outcome == FORK for end in group):
            return "merge" if len(ends) >= len(begins) else "split"
        # the same kind inside and on the edge: one extremum, which the edge begins or ceases to hold
        touching = {(end.track.kind, end.track.on_edge) for end in ends}
        if any((end.track.kind, not end.track.on_edge) in touching for end in begins):
            held = any(end.track.on_edge and end.track.kind != "saddle" for end in begins)
            return "reaches edge" if held else "leaves edge"
        # on a plateau none of several is another's partner
        if not (ends and begins) and all(end.how.outcome == LOST for end in group):
            flat = self._fades if len(group) == 1 else self._on_plateau
            if all(flat(end) for end in group):
                return "fades" if ends else "emerges"
        if len(group) > 1:
            return "merge" if ends and begins else "death" if ends else "birth"
        # One end by itself: its partner has no track, because it is of a kind that is not followed or was not found.
        (end,) = group
        if end.how.outcome == FOLD or (end.how.outcome == RELEASED and not self._passes(end)):
            return "birth" if end.beginning else "death"
        words = {LEFT: ("leaves box", "enters box"), LOST: ("lost", "found")}
        if end.how.outcome == RELEASED or (end.how.outcome == LEFT and end.track.kind != "saddle"):
            return "reaches edge" if end.beginning == (end.how.outcome == RELEASED) else "leaves edge"
        return words[end.how.outcome][end.beginning]

    def _there(self, end: _End, order: int) -> tuple[Array, tuple[Array, ...]]:
        """The unit of length along each axis where a track ends, and the derivatives of u there up to an order."""
        sigmas = self.sigmas(end.how.time)
        local = self.field.local(self.field.derivatives(end.how.position[None], sigmas, order))
        return unit_of_length(self.follower.grid, sigmas), tuple(part[0] for part in local)

    def _fades(self, end: _End) -> bool:
        """Whether u is flat to round-off where a track ends: no curvature where it is free, or no slope where held."""
        unit, (_, slope, hessian) = self._there(end, 2)
        points, row = self.points[int(end.track.levels[0])], self.rows[end.track.number][0]
        free, round_off = points.free[row], self.follower.round_off
        curvature = np.linalg.eigvalsh((hessian * unit[:, None] * unit)[np.ix_(free, free)])
        held = np.abs(slope * unit)[~free]
        return bool((np.abs(curvature) <= UNPLACED * round_off.flat).any() or (held <= round_off.slope).any())

    def _on_plateau(self, end: _End) -> bool:
        """Whether u is flat to round-off up to its fourth derivative; a fold has a third one, a fork a fourth."""
        unit, (_, _, hessian, third, fourth) = self._there(end, 4)
        curvature, basis = np.linalg.eigh(hessian * unit[:, None] * unit)
        # rounding of the nodes weighs up to four times as much in a fourth derivative as in a second one
        round_off = self.follower.round_off
        least = max(UNPLACED * round_off.singular, 4.0 * round_off.flat)
        flat = (basis * unit[:, None])[:, np.abs(curvature) <= least].T
        along = [
            (np.einsum("ijk,i,j,k->", third, v, v, v), np.einsum("ijkl,i,j,k,l->", fourth, v, v, v, v)) for v in flat
        ]
        return len(along) > 0 and float(np.abs(along).max()) <= least

    def _passes(self, end: _End) -> bool:
        """Whether an extremum that an edge no longer holds goes on inside, rather than meet a saddle there."""
        unit, (_, slope, hessian, third) = self._there(end, 3)
        points, row = self.points[int(end.track.levels[0])], self.rows[end.track.number][0]
        touched = points.free[row] | (np.abs(slope * unit) < self.follower.round_off.stationary)
        curvature, basis = np.linalg.eigh((hessian * unit[:, None] * unit)[np.ix_(touched, touched)])
        # across a wall that is held the second derivative is zero, because the field is odd about it: there the third
        # tells, inwards
        middle = np.array([0.5 * axis.lower + 0.5 * axis.upper for axis in self.follower.grid])
        inwards = np.where(points.free[row], 0.0, np.where(end.how.position < middle, 1.0, -1.0))
        for i in np.flatnonzero(np.abs(curvature) <= self.follower.round_off.singular):
            v = np.zeros(len(unit))
            v[touched] = basis[:, i]
            v *= np.sign(v @ inwards) * unit
            curvature[i] = np.einsum("ijk,i,j,k->", third, v, v, v)
        return bool((curvature * (1 if end.track.kind == "minimum" else -1) > 0).all())


def _chains(links: Links) -> list[list[Point]]:
    """The points of every track: links from level to level, cut where several merge into one or one splits."""
    cut = {q for _, q in links.merges} | {q for _, members, _ in links.splits for q in members}
    chains = []
    # a track begins at a point without a link back, and at every cut
    for level, points in enumerate(links.points):
        for row in range(len(points)):
            if (level, row) not in links.back or (level, row) in cut:
                chain = [(level, row)]
                while (following := links.ahead.get(chain[-1])) is not None and following not in cut:
                    chain.append(following)
                chains.append(chain)
    return chains
