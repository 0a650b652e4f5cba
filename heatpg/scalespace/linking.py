"""Which critical point of one level of sigma is which of the next, and how those without a partner end or begin."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.scalespace.critical import (
    KINDS,
    NAMES,
    CriticalPoints,
)
from heatpg.scalespace.following import ARRIVED, FOLD, FORK, LEFT, LOST, RELEASED, Follower
from heatpg.scalespace.places import distinct, nearest, unit_of_length

__all__ = ["Ending", "Links", "Point"]

Array = NDArray[Any]
Point = tuple[int, int]
"""A critical point: its level, and its row among the points of that level."""

# Lengths in units of max(sigma, h)
_MATCH = 1e-3  # the same point, found in two ways: each is known to 1e-9, different ones are rarely so near (taste)
_ONE_FOLD = 0.2  # two that end so near, at one t, end at one fold (taste)
_BESIDE = 1e-6  # of t: how far before an ending a point is followed, where its place is still well defined (taste)
_CAUTION = 8.0  # by so much shorter are the steps that decide in doubt (taste)


@dataclasses.dataclass(frozen=True, eq=False)
class Ending:
    """Where a point cannot be followed any further, and why: see `Journey`."""

    outcome: int
    position: Array
    time: float
    uncertainty: float


class Links:
    """Links between the critical points of neighbouring levels.

    Every point is followed to the next level, and those that nothing led to are followed back. An arrival where no
    point was known adds one, which is followed in turn, and so does the partner of one that meets no known point at a
    fold or at an edge. All levels are worked on at once, because many points cost little more than one.

    Invariants, of points p and q of neighbouring levels:

    - ``back[q] == p`` implies ``ahead[p] == q``, but where p splits: then it does for the first q only;
    - several p may have one q ``ahead`` (they merge), which has one of them ``back``;
    - a point has a link or an ending on each side once that side has been checked, and never both;
    - points are only added, so rows stay valid.

    Attributes
    ----------
    points
        The critical points of each level, those found on the way included.
    ahead, back
        From a point to what it is at the next level, and at the one before.
    ends, begins
        How a point without such a link ends above its level, or begins below it.
    merges, splits
        Points that become one at the next level, with that one; one point with what it becomes, and where it did.
    """

    def __init__(
        self, follower: Follower, times: Array, points: list[CriticalPoints], kinds: Sequence[str] = KINDS
    ) -> None:
        self.follower = follower
        self.times = times
        self.points = points
        self.kinds = kinds
        self.ahead: dict[Point, Point] = {}
        self.back: dict[Point, Point] = {}
        self.ends: dict[Point, Ending] = {}
        self.begins: dict[Point, Ending] = {}
        self.merges: list[tuple[list[Point], Point]] = []
        self.splits: list[tuple[Point, list[Point], Ending]] = []
        self._sure: set[Point] = set()  # followed to the next level by shorter steps already
        self._seen: set[tuple[Point, bool]] = set()  # endings (at the beginning, or at the end) that were completed
        last = len(times) - 1
        # Forward first, because that settles nearly all; backward only what nothing led to. Each round may add points,
        # which are followed in the next one; it ends when there is nothing left to follow and nothing was added.
        while True:
            above = [p for p in self._all() if p[0] < last and p not in self.ahead and p not in self.ends]
            self._forward(above)
            below = [p for p in self._all() if p[0] > 0 and p not in self.back and p not in self.begins]
            self._backward(below)
            if not above and not below and not self._complete():
                break
        self.merges = [(sorted(ps), q) for q, ps in _inverse(self.ahead).items() if len(ps) > 1]

    def _all(self) -> list[Point]:
        """All points of all levels."""
        return [(level, row) for level, points in enumerate(self.points) for row in range(len(points))]

    def _follow(
        self, chosen: list[Point], direction: int, caution: float = 1.0
    ) -> tuple[dict[Point, Point], dict[Point, Ending]]:
        """Where points arrive one level on, and how the others of them end."""
        if not chosen:
            return {}, {}
        # points of all levels are followed at once: `order` is their order in the arrays
        by_level = defaultdict(list)
        for level, row in chosen:
            by_level[level].append(row)
        parts = [self.points[level].select(np.array(rows)) for level, rows in by_level.items()]
        order = [(level, row) for level, rows in by_level.items() for row in rows]
        levels = np.array([level for level, _ in order])
        names = ("positions", "kind", "index", "free")
        positions, kind, index, free = (np.concatenate([getattr(part, name) for part in parts]) for name in names)
        journey = self.follower.follow(
            positions, self.times[levels], self.times[levels + direction], kind, index, free, caution=caution
        )
        columns = (journey.outcome.tolist(), journey.positions, journey.times.tolist(), journey.uncertainty.tolist())
        endings = {p: Ending(*how) for p, *how in zip(order, *columns, strict=True) if how[0] != ARRIVED}
        arrivals: dict[Point, Point] = {}
        begin = 0
        for part, level in zip(parts, by_level, strict=True):
            here = np.flatnonzero(journey.outcome[begin : begin + len(part)] == ARRIVED)
            found = self._match(part.select(here), level + direction, journey.positions[begin + here])
            arrivals.update((order[begin + n], (level + direction, j)) for n, j in zip(here, found, strict=True))
            begin += len(part)
        return arrivals, endings

    def _match(self, here: CriticalPoints, target: int, positions: Array) -> list[int]:
        """Which point of the target level each arrival is; one that is not there yet is put there."""
        grid = self.follower.grid
        unit = unit_of_length(grid, self.points[target].sigma)
        result = np.full(len(here), -1)
        for _ in range(2):  # once more for what the first round has put there
            there = self.points[target]
            left = np.flatnonzero(result < 0)
            if len(there) and len(left):
                distance, index = nearest(grid, unit, there.positions, positions[left])
                same = (distance < _MATCH) & (there.kind[index] == here.kind[left])
                same &= (there.free[index] == here.free[left]).all(axis=1)
                result[left[same]] = index[same]
                left = left[~same]
            if len(left):
                new = left[distinct(grid, unit, positions[left])]
                result[new] = len(there) + np.arange(len(new))
                self._insert(target, here.select(new), positions[new])
        return [int(j) for j in result]

    def _insert(self, target: int, like: CriticalPoints, positions: Array) -> None:
        """Add points to a level, of the kinds of those that arrived there."""
        there = self.points[target]
        mask = np.where(like.free, unit_of_length(self.follower.grid, there.sigma), 0.0)
        field = self.follower.field
        value, _, hessian = field.local(field.derivatives(positions, there.sigma, 2))
        eigenvalues = np.linalg.eigvalsh(hessian * mask[:, :, None] * mask[:, None, :])
        added = CriticalPoints(there.sigma, positions, value, like.kind, like.index, like.free, eigenvalues)
        self.points[target] = there.joined(added)

    def _complete(self) -> bool:
        """See to the partners of those that end at a fold or at an edge; whether that changed anything.

        At a fold two critical points meet, so that one that ends there alone has a partner that was not found. At an
        edge a point passes from one stratum of the box to another, and goes on as another point.
        """
        changed = False
        for beginning in (False, True):
            endings, known = (self.begins, self.back) if beginning else (self.ends, self.ahead)
            new = {p: how for p, how in endings.items() if (p, beginning) not in self._seen and p not in known}
            self._seen |= {(p, beginning) for p in new}
            changed |= self._add_branches([p for p, how in new.items() if how.outcome == FOLD], endings, beginning)
            contacts = [p for p, how in new.items() if how.outcome in (LEFT, RELEASED)]
            changed |= self._add_contacts(contacts, endings, beginning)
        return changed

    def _free(self, chosen: list[Point]) -> Array:
        return np.array([self.points[level].free[row] for level, row in chosen])

    def _place(self, levels: Array, times: Array, points: CriticalPoints, usable: Array) -> dict[int, Point]:
        """Which points of their levels candidates are, put there if they are new; those that do not arrive are not."""
        # all free directions fall: a maximum; none: a minimum. An edge can hold either, and no saddle.
        freedom = points.free.sum(axis=1)
        kind = np.where(points.index == freedom, 1, np.where(points.index == 0, -1, 0))
        usable = usable & np.isin(kind, [code for code, name in NAMES.items() if name in self.kinds])
        usable &= ((kind != 0) | points.free.all(axis=1)) & (freedom > 0) & (levels >= 0) & (levels < len(self.times))
        chosen = np.flatnonzero(usable)
        chosen = chosen[~self.follower.released(*(a[chosen] for a in (points.positions, times, points.free, kind)))]
        part, levels = dataclasses.replace(points, kind=kind).select(chosen), levels[chosen]
        journey = self.follower.follow(
            part.positions, times[chosen], self.times[levels], part.kind, part.index, part.free
        )
        result: dict[int, Point] = {}
        for level in np.unique(levels[journey.outcome == ARRIVED]).tolist():
            here = np.flatnonzero((journey.outcome == ARRIVED) & (levels == level))
            rows = self._match(part.select(here), level, journey.positions[here])
            result.update((int(chosen[n]), (level, row)) for n, row in zip(here, rows, strict=True))
        return result

    def _stop(self, p: Point, beginning: bool, how: Ending) -> bool:
        """Let a point end where it was shown to; what it had been linked to is followed up to there only."""
        endings, links, reverse = (
            (self.begins, self.back, self.ahead) if beginning else (self.ends, self.ahead, self.back)
        )
        if p in endings and p not in links:
            # a branch that was followed from the fold to here has passed all other places where it was thought to end
            margin = _BESIDE * how.time + 2.0 * (how.uncertainty + endings[p].uncertainty)
            differs = abs(endings[p].time - how.time) > margin
            if differs or endings[p].outcome == LOST:
                endings[p] = how
            return differs
        other = links.pop(p, None)
        endings[p] = how
        if other is not None and reverse.get(other) == p:
            del reverse[other]
            self._follow_up_to(other, not beginning, how)
        return True

    def _follow_up_to(self, p: Point, beginning: bool, how: Ending) -> None:
        """Follow a point that has lost its link up to just before where that link was broken, and note how it ends."""
        points = self.points[p[0]].select(np.array([p[1]]))
        target = how.time * (1.0 + (_BESIDE if beginning else -_BESIDE))
        journey = self.follower.follow(
            points.positions, self.times[[p[0]]], np.array([target]), points.kind, points.index, points.free
        )
        outcome, error = int(journey.outcome[0]), float(journey.uncertainty[0])
        # it gets there, but the ending is that of another point: how this one ends is not known
        if outcome == ARRIVED:
            outcome, error = LOST, max(_BESIDE * how.time, how.uncertainty)
        endings = self.begins if beginning else self.ends
        endings[p] = Ending(outcome, journey.positions[0], float(journey.times[0]), error)

    def _candidates(self, positions: Array, index: Array, free: Array) -> CriticalPoints:
        """Places of which position, index and free axes are known, and the rest not yet."""
        count, d = positions.shape
        unknown = np.zeros(count, dtype=np.int64)
        return CriticalPoints(np.zeros(d), positions, np.zeros(count), unknown, index, free, np.zeros((count, d)))

    def _add_branches(self, chosen: list[Point], endings: dict[Point, Ending], beginning: bool) -> bool:
        """Of those that are alone at a fold: the other branch that leads out of it."""
        alone = self._alone(chosen, endings)
        if not alone:
            return False
        place, time = np.array([endings[p].position for p in alone]), np.array([endings[p].time for p in alone])
        levels, free = np.array([level for level, _ in alone]), self._free(alone)
        positions, times, index, found = self.follower.branches(place, time, self.times[levels], free)
        known = np.array([self.points[level].index[row] for level, row in alone])
        changed = False
        # one eigenvalue changes its sign through a fold, so the branch whose index differs by one is the other one
        for side in (0, 1):
            usable = found[side] & (np.abs(index[side] - known) == 1)
            placed = self._place(levels, times, self._candidates(positions[side], index[side], free), usable)
            for n, q in placed.items():
                changed |= self._stop(q, beginning, endings[alone[n]])
        return changed

    def _alone(self, chosen: list[Point], endings: dict[Point, Ending]) -> list[Point]:
        """Those at whose fold no other point of their level ends."""
        folds = defaultdict(list)
        for p, how in endings.items():
            if how.outcome == FOLD:
                folds[p[0]].append(p)
        alone = []
        for level, members in folds.items():
            rows = sorted({row for _, row in members})
            hows = [endings[level, row] for row in rows]
            time, error = np.array([how.time for how in hows]), np.array([how.uncertainty for how in hows])
            place = np.array([how.position for how in hows])
            number = {row: n for n, row in enumerate(rows)}
            for p in (q for q in chosen if q[0] == level):
                n = number[p[1]]
                near = np.abs(time - time[n]) <= _BESIDE * time[n] + 2.0 * (error + error[n])
                near[n] = False
                unit = unit_of_length(self.follower.grid, self.follower.sigmas(time[[n]])[0])
                distance, _ = nearest(self.follower.grid, unit, place[near], place[[n]])
                if not distance[0] < _ONE_FOLD:
                    alone.append(p)
        return alone

    def _add_contacts(self, chosen: list[Point], endings: dict[Point, Ending], beginning: bool) -> bool:
        """At an edge: which point is held there, of one that comes from inside; which goes inside, of one released."""
        if not chosen:
            return False
        place, time = np.array([endings[p].position for p in chosen]), np.array([endings[p].time for p in chosen])
        sigmas = self.follower.sigmas(time)
        unit = unit_of_length(self.follower.grid, sigmas)
        _, gradient, hessian = self.follower.field.local(self.follower.field.derivatives(place, sigmas, 2))
        low, high = (np.array([getattr(axis, end) for axis in self.follower.grid]) for end in ("lower", "upper"))
        stationary = np.abs(gradient * unit) < self.follower.round_off.stationary
        free = self._free(chosen)
        left = np.array([endings[p].outcome == LEFT for p in chosen])
        # one that has left is held by the edges that it is on; one that was released is free where the slope vanishes
        free = np.where(left[:, None], free & (place != low) & (place != high), free | stationary)
        mask = np.where(free, unit, 0.0)
        lam = np.linalg.eigvalsh(hessian * mask[:, :, None] * mask[:, None, :])
        index = (lam < -self.follower.round_off.singular).sum(axis=1)
        # It may live on this side of the contact or beyond it: on this side it ends (or begins) there as the first did,
        # beyond it the other way round.
        here = np.array([level for level, _ in chosen])
        changed = False
        for levels, begins in ((here, beginning), (here + (-1 if beginning else 1), not beginning)):
            placed = self._place(levels, time, self._candidates(place, index, free), np.ones(len(chosen), dtype=bool))
            for n, q in placed.items():
                changed |= self._stop(q, begins, endings[chosen[n]])
        return changed

    def _forward(self, chosen: list[Point]) -> None:
        """Follow points to the next level, and link them with what they are there."""
        arrivals, endings = self._follow(chosen, 1)
        self.ahead.update(arrivals)
        self.ends.update(endings)
        # two that arrive at one place have met, or one of them has strayed: shorter steps decide
        met = [ps for ps in _inverse(self.ahead).values() if len(ps) > 1]
        self._again({p for ps in met for p in ps} - self._sure)
        for p in chosen:
            if p in self.ahead:
                self.back.setdefault(self.ahead[p], p)

    def _again(self, chosen: set[Point]) -> None:
        """Follow to the next level by shorter steps, and drop the links that these do not confirm."""
        self._sure |= chosen
        arrivals, endings = self._follow(sorted(chosen), 1, _CAUTION)
        for p in chosen:
            before, now = self.ahead.pop(p, None), arrivals.get(p)
            self.ends.pop(p, None)
            if before is not None and before != now and self.back.get(before) == p:
                del self.back[before]
            if now is None:
                self.ends[p] = endings[p]
            else:
                self.ahead[p] = now
                self.back.setdefault(now, p)

    def _backward(self, chosen: list[Point]) -> None:
        """Follow points that nothing led to back to the level before.

        Where no point was known one is put, and linked. An arrival at a known point is doubtful, because its own way
        ahead led elsewhere or ended, and so is one of several at one point: shorter steps decide, both ways.
        """
        arrivals, endings = self._follow(chosen, -1)
        claims = _inverse(arrivals)
        # where both ways disagree the shorter steps decide
        doubtful = {q for q, p in arrivals.items() if p in self.ahead or p in self.ends or len(claims[p]) > 1}
        self._again({arrivals[q] for q in doubtful} & set(self.ahead) - self._sure)
        for q in doubtful:
            del arrivals[q]
        again, more = self._follow(sorted(q for q in doubtful if q not in self.back), -1, _CAUTION)
        self.begins.update(endings | more)
        for p, qs in _inverse(arrivals | again).items():
            # A point that several go back to splits, if its own way ahead ended at a fork or was lost; else it is the
            # first of them. What is left over begins between the levels, in a way that was not found.
            taken = p in self.ahead
            splits = not taken and len(qs) > 1 and p in self.ends and self.ends[p].outcome in (FORK, LOST)
            if splits:
                self.splits.append((p, sorted(qs), self.ends[p]))
            kept = [] if taken else qs if splits else qs[:1]
            for q in kept:
                self.back[q] = p
            if kept:
                self.ahead[p] = kept[0]
                self.ends.pop(p, None)
            for q in set(qs) - set(kept):
                low, high = self.times[p[0]], self.times[q[0]]
                place = self.points[q[0]].positions[q[1]]
                self.begins[q] = Ending(LOST, place, 0.5 * (low + high), 0.5 * (high - low))


def _inverse(links: dict[Point, Point]) -> dict[Point, list[Point]]:
    """For each target the points that are linked to it, in the order of the links."""
    groups = defaultdict(list)
    for p, q in links.items():
        groups[q].append(p)
    return groups
