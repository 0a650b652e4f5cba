"""The track of the global maximum at each sigma, and its jumps between tracks."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from heatpg.scalespace.events import UNPLACED, Event, History, Place, Track
from heatpg.scalespace.places import nearest, unit_of_length
from heatpg.scalespace.tops import Tops, crest
from heatpg.scalespace.units import Problem

__all__ = ["TIE", "Optimum", "choose", "jumps"]

Array = NDArray[np.float64]

TIE = 1e-10
"""Of osc(Q): maxima that differ by less share the top (taste, some orders above round-off)."""
_SAME_PLACE = 1e-2  # in units of max(sigma, h) (taste)
_ELSEWHERE = 1.0  # in that unit: the optimum has moved farther than a drift between two levels explains (taste)
_PARTING = (1e-6, 1e-4, 1e-2)  # of the interval: where two that were equal can be distinguished (taste)
# Relative distance in t from the end of a track at which its value is taken (taste): beside a fork the Hessian is
# singular in proportion to it, and must be seen to be regular.
_BESIDE = 1e-6


@dataclasses.dataclass(eq=False)
class Optimum:
    """The global maximum at each level.

    Attributes
    ----------
    tracks
        Its track, -1 where the largest value lies on none; shape (levels,).
    equal
        All tracks that share the largest value, one list per level.
    positions, values
        Shapes (levels, dimensions) and (levels,).
    flags
        Remarks on the optimum, each with the levels concerned.
    flat
        Of each kind of extremum that was tracked, at which levels the best value lies on no track, shape (levels,):
        there it is taken on a ridge or on a plateau.
    """

    tracks: NDArray[np.int64]
    equal: list[list[int]]
    positions: Array
    values: Array
    flags: list[tuple[str, list[int]]]
    flat: dict[str, NDArray[np.bool_]]


class Ties:
    """By how much one maximum must be above another, so that it is known which of them is the higher one.

    Values are computed to round-off for Q as its nodes are. That the nodes were rounded themselves hides more of a
    difference, unless two maxima change at different rates: then they cross, and the rounding moves the crossing.

    Attributes
    ----------
    least
        For two that change at different rates.
    most
        For any two.
    """

    def __init__(self, history: History) -> None:
        self.history, self.round_off = history, history.follower.round_off
        self.least = TIE * self.round_off.size
        self.most = max(self.least, self.round_off.data)

    def crosses(self, slope: float, time: float) -> bool:
        """Whether a lead that changes by `slope` with t does so beyond what the rounding of the nodes may do."""
        # sigma^2 du/dsigma^2 is half a second derivative in units of sigma
        return abs(slope) * time > self.round_off.flat

    def between(self, places: Array, time: float) -> float:
        """For maxima at two places, shape (2, dimensions)."""
        if self.most > self.least and time > 0:
            rates = self.history.follower.moving(places, np.full(2, time), 0)[1][0]
            if self.crosses(float(rates[1] - rates[0]), time):
                return self.least
        return self.most


def _best_nodes(history: History, problem: Problem, sign: int) -> tuple[Array, Array]:
    """The best node of each level by the sign, shape (levels, dimensions), and u there."""
    grid = history.follower.grid
    places = np.array([grid.point(problem.best_node(level, sign)) for level in range(len(history.times))])
    sigmas = np.sqrt(history.times)[:, None] * history.follower.ratio
    return places, np.asarray(history.field.value(places, sigmas))


def choose(history: History, problem: Problem, kinds: Collection[str]) -> Optimum:
    """The highest maximum at each level; one that was the optimum before stays it in a tie."""
    count, grid = len(history.times), history.follower.grid
    ties = Ties(history)
    # in single precision the nodes are rounded more coarsely than a tie
    coarse = max(ties.most, 64 * problem.rounding * problem.round_off.size)
    present: list[list[tuple[Track, int]]] = [[] for _ in range(count)]
    for one in history.tracks:
        if one.kind == "maximum":
            for step, level in enumerate(one.levels):
                present[level].append((one, step))
    result = Optimum(np.full(count, -1), [], np.zeros((count, grid.dimensions)), np.zeros(count), [], {})
    # A node beyond all extrema that were found: they miss the best value, which is then on a ridge or a plateau.
    nodes: dict[str, tuple[Array, Array]] = {}
    for kind, sign in (("maximum", 1), ("minimum", -1)):
        if kind in kinds:
            nodes[kind] = _best_nodes(history, problem, sign)
            followed = np.full(count, -np.inf)
            for one in history.tracks:
                if one.kind == kind:
                    followed[one.levels] = np.maximum(followed[one.levels], sign * one.values)
            result.flat[kind] = sign * nodes[kind][1] > followed + coarse
    places, tops = nodes.get("maximum") or _best_nodes(history, problem, 1)
    flat = result.flat.get("maximum", np.ones(count, dtype=bool))
    ties_of, ridges, edges = [], [], []
    previous = -1
    for level, entries in enumerate(present):
        if flat[level]:
            result.positions[level], result.values[level] = places[level], tops[level]
            result.equal.append([])
            ridges.append(level)
            previous = -1
            continue
        time = float(history.times[level])
        first, at = max(entries, key=lambda entry: entry[0].values[entry[1]])
        near = [(one, i) for one, i in entries if one.values[i] >= first.values[at] - ties.most]
        equal = [
            (one, i)
            for one, i in near
            if one.values[i] >= first.values[at] - ties.least
            or one.values[i] >= first.values[at] - ties.between(np.stack([first.positions[at], one.positions[i]]), time)
        ]
        chosen, i = next(((one, i) for one, i in equal if one.number == previous), equal[0])
        previous = chosen.number
        result.tracks[level] = chosen.number
        result.equal.append([one.number for one, _ in equal])
        result.positions[level], result.values[level] = chosen.positions[i], chosen.values[i]
        if len(equal) > 1:
            ties_of.append(level)
        if chosen.on_edge:
            edges.append(level)
    words = problem.units.sense
    beside = "" if problem.box is None else ", or on the edge of the box of the data"
    for which, sentence in (
        (
            ties_of,
            f"equal {words.extrema} share the {words.top}: which of them counts as the optimum is arbitrary",
        ),
        (edges, "the optimum lies on the edge of the box, so it depends on the choice of box; enlarge the box"),
        (
            ridges,
            f"the {words.largest} value lies on a {words.ridge} or a plateau (singular Hessian){beside}, so its "
            f"location is that of a node",
        ),
    ):
        if which:
            result.flags.append((sentence, which))
    return result


def jumps(history: History, optimum: Optimum, problem: Problem) -> list[Event]:
    """Every change of the global maximum from one track to another, between the levels as well."""
    found: list[Event] = []
    followed = _Followed(history)
    for level in range(len(history.times) - 1):
        old, new = int(optimum.tracks[level]), int(optimum.tracks[level + 1])
        if old >= 0 and new >= 0:
            events = _Interval(followed, optimum, level, problem).jumps()
        elif "maximum" not in optimum.flat:
            # none were tracked
            continue
        else:
            # one of the two is on no track: there is nothing to solve for, only that the place has changed
            unit = unit_of_length(history.follower.grid, history.sigmas(float(history.times[level + 1])))
            before, after = optimum.positions[[level]], optimum.positions[[level + 1]]
            if not nearest(history.follower.grid, unit, before, after)[0][0] > _ELSEWHERE:
                continue
            low, high = float(history.times[level]), float(history.times[level + 1])
            events = [_event(history, 0.5 * (low + high), 0.5 * (high - low), old, new, after[0])]
        around = [float(history.times[level]), *(event.sigma**2 for event in events), float(history.times[level + 1])]
        for k, event in enumerate(events):
            between = 0.5 * (around[k] + around[k + 1]), 0.5 * (around[k + 1] + around[k + 2])
            if _Leads(history, optimum, level, event).change(*between):
                found.extend(_located(history, problem, event, level) if min(event.tracks) < 0 else [event])
    return found


def _located(history: History, problem: Problem, event: Event, level: int) -> list[Event]:
    """A jump from or to a place on no track, of which only the levels around it are known, where u shows it."""
    if not history.field.solves_heat_equation:
        return [event]
    tops = Tops(history, problem, Ties(history).most)
    found = tops.jumps(float(history.times[level]), float(history.times[level + 1]))
    # what is the optimum between two jumps is on no track that is known
    old, new = [event.tracks[0], *(-1 for _ in found[1:])], [*(-1 for _ in found[1:]), event.tracks[1]]
    return [_event(history, time, error, old[k], new[k], after) for k, (time, error, _, after) in enumerate(found)] or [
        event
    ]


class _Leads:
    """Whether of two places that are the optimum one after the other each is the higher one at its time.

    On a plateau that is flat to round-off, and between several that are equal, the place of the maximum is not
    determined, and which node or track is taken for it may change without an event.
    """

    def __init__(self, history: History, optimum: Optimum, level: int, event: Event) -> None:
        self.history, self.ties, self.level = history, Ties(history), level
        self.tracks = event.tracks
        self.nodes = [optimum.positions[level + side] for side in (0, 1)]

    def change(self, before: float, after: float) -> bool:
        """Whether the old place leads at some level below, or at `before`, and the new one above, or at `after`.

        Where the other one has no track, only the level next to the event counts: farther away its place, which may be
        any on a plateau, is lower for another reason.
        """
        times = self.history.times.tolist()
        old = self.tracks[0]
        death = self.history.tracks[old].death if old >= 0 else None
        # what a hill on a plateau leads by when it fades is lost with it: only the plateau may still lead
        faded = math.inf if death is None or death.kind != "fades" else death.sigma**2
        if faded < times[self.level + 1] and not self._lead(faded, 1.0, UNPLACED * self.ties.round_off.flat):
            return False
        # nearest first: there the answer is, as a rule
        below = [times[level] for level in range(self.level, -1, -1) if level == self.level or self._lives(1, level)]
        above = [
            times[level]
            for level in range(self.level + 1, len(times))
            if level == self.level + 1 or self._lives(0, level)
        ]
        below.append(before)
        above.append(after)
        return any(self._lead(t, 1.0) for t in below) and any(self._lead(t, -1.0) for t in above)

    def _lives(self, side: int, level: int) -> bool:
        number = self.tracks[side]
        return number >= 0 and level in self.history.tracks[number].levels

    def _lead(self, time: float, sign: float, least: float = 0.0) -> bool:
        if not time > 0:
            return False
        places = np.stack([self._place(side, time) for side in (0, 1)])
        values = self.history.field.value(places, self.history.sigmas(time))
        lead = sign * float(values[0] - values[1])
        return lead > max(least, self.ties.least) and lead > self.ties.between(places, time)

    def _place(self, side: int, time: float) -> Array:
        """One of the two at any t; where its track does not live, the nearest end of that."""
        if self.tracks[side] >= 0:
            one = self.history.tracks[self.tracks[side]]
            place = self.history.place(one, time)
            return one.positions[int(np.abs(one.sigma**2 - time).argmin())] if place is None else place[0]
        # A node beside the crest of a ridge is lower than another one nearer to it: compared are the crests.
        return crest(self.history, self.nodes[side], time)[0]


def _event(history: History, time: float, error: float, old: int, new: int, position: NDArray[np.float64]) -> Event:
    sigma = math.sqrt(time)
    sigmas = history.sigmas(time)
    return Event(
        "jump",
        sigma,
        error / (2.0 * sigma) if sigma > 0 else math.sqrt(error),
        tuple(float(x) for x in position),
        float(history.field.value(position[None], sigmas)[0]),
        (old, new),
        history.field.resolved(sigmas),
        history.follower.grid,
    )


class _Followed:
    """Where tracks are at any t, and how fast u changes there, each computed once.

    An optimum is compared with every rival, in an interval and in the next, which has one end in common with it.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self._places: dict[tuple[Track, float], Place] = {}
        self._rates: dict[tuple[Track, float], float] = {}

    def prepare(self, wanted: Sequence[tuple[Track, float]]) -> None:
        """Compute places and rates of many tracks together, so that none is followed by itself."""
        new = [pair for pair in dict.fromkeys(wanted) if pair not in self._places]
        self._places.update(zip(new, self.history.places(new), strict=True))
        alive = [(pair, place) for pair in dict.fromkeys(wanted) if (place := self._places[pair]) is not None]
        alive = [(pair, place) for pair, place in alive if pair not in self._rates]
        if alive:
            positions, times = np.array([place[0] for _, place in alive]), np.array([pair[1] for pair, _ in alive])
            rates = self.history.follower.moving(positions, times, 0)[1][0]
            self._rates.update(zip((pair for pair, _ in alive), rates.tolist(), strict=True))

    def place(self, one: Track, time: float) -> Place:
        """Position and value of a track, as `History.place`."""
        if (one, time) not in self._places:
            self._places[one, time] = self.history.place(one, time)
        return self._places[one, time]

    def rate(self, one: Track, time: float) -> float | None:
        """d/dt of the value of a track, which is u_t, because its point is critical; None where it does not live."""
        if (one, time) not in self._rates:
            self.prepare([(one, time)])
        return self._rates.get((one, time))


class _Interval:
    """The maxima between one level and the next, of which the highest is the optimum.

    The optimum is followed from the lower level on. It changes where another maximum becomes higher, and where its own
    track ends; from there the new one is followed, until the upper level is reached. A maximum that lives between the
    two levels alone is on no track: that it leads is seen from a track that leads when it begins, and the jumps are
    looked for among the largest values of u, see `heatpg.scalespace.tops`.
    """

    def __init__(self, followed: _Followed, optimum: Optimum, level: int, problem: Problem) -> None:
        history = followed.history
        self.history, self.followed, self.problem = history, followed, problem
        self.low, self.high = float(history.times[level]), float(history.times[level + 1])
        self.first, self.last = int(optimum.tracks[level]), int(optimum.tracks[level + 1])
        # of what solves no heat equation a maximum may rise
        self.floor = float(optimum.values[level + 1]) if history.field.solves_heat_equation else -math.inf
        self.ties, self.noise = Ties(history), history.follower.round_off.slope
        # No maximum rises with sigma, because u_t = 1/2 Laplace u <= 0 there. So one that is lower at first than the
        # optimum of the next level is in the end never leads. One that the edge of the box holds may rise: u is not
        # curved downwards across the edge.
        self.rivals = [
            one
            for one in history.tracks
            if one.kind == "maximum"
            and one.levels[-1] >= level
            and one.levels[0] <= level + 1
            and (one.birth is None or one.birth.sigma**2 < self.high)
            and (one.death is None or one.death.sigma**2 > self.low)
            and (
                one.on_edge
                or one.values[max(0, level - int(one.levels[0]))] >= self.floor - self.ties.most - self.noise
            )
        ]

    def _span(self, one: Track) -> tuple[float, float]:
        """From which t to which a track can be followed between the two levels."""
        low = self.low if one.birth is None else max(self.low, one.birth.sigma**2 * (1.0 + _BESIDE))
        high = self.high if one.death is None else min(self.high, one.death.sigma**2 * (1.0 - _BESIDE))
        return low, high

    def jumps(self) -> list[Event]:
        """Every jump, in order."""
        if len(self.rivals) < 2 and self.first == self.last:
            return []
        found: list[Event] = []
        current, time = self.history.tracks[self.first], self.low
        # a cap, lest rounding lets two change places for ever
        for _ in range(2 * len(self.rivals) + 2):
            end = self._span(current)[1]
            crossed = self._first_crossing(current, time, end)
            if crossed is not None:
                begin = time
                time, error, other = crossed
                if begin < time == self._span(other)[0]:
                    # it leads as soon as it begins, so what became of it has led before
                    return found + self._unseen(current, other, begin, time)
            elif end < self.high and current.death is not None:
                death = current.death
                time, error = death.sigma**2, 2.0 * death.sigma * death.uncertainty
                successors = [self.history.tracks[n] for n in death.tracks if self.history.tracks[n].birth is death]
                successor = next((one for one in successors if one.kind == "maximum"), None)
                if successor is not None:  # the same maximum under another number
                    current = successor
                    continue
                highest = self._highest(current, time)
                if highest is None:
                    break
                other = highest
                if self._beside(other, death):  # a merge that round-off has made a fold
                    current = other
                    continue
            else:
                break
            found.append(self._jump(time, error, current, other))
            current = other
        # something was missed, such as a track that begins and ends in between
        if current.number != self.last and not self._same_height(current, self.history.tracks[self.last]):
            found += self._unseen(current, self.history.tracks[self.last], time, self.high)
        return found

    def _unseen(self, old: Track, new: Track, begin: float, end: float) -> list[Event]:
        """The jumps in [begin, end] among maxima of which some are on no track, from the largest values of u.

        Of what is known at the levels alone, a jump is known to the interval only.
        """
        if not self.history.field.solves_heat_equation:
            return [self._jump(0.5 * (begin + end), 0.5 * (end - begin), old, new)]
        tops = Tops(self.history, self.problem, self.ties.most)
        found = tops.jumps(min(begin, self.high), self.high)
        events = []
        for time, error, before, after in found:
            one, other = self._at(before, time, old), self._at(after, time, new)
            events.append(_event(self.history, time, error, one, other, after))
        return events

    def _at(self, place: Array, time: float, likely: Track) -> int:
        """The track on which a place is, or on which it ends up; -1 if on none."""
        grid, unit = self.history.follower.grid, unit_of_length(self.history.follower.grid, self.history.sigmas(time))
        for one in (likely, *self.rivals):
            found = self.followed.place(one, time)
            if found is not None and nearest(grid, unit, found[0][None], place[None])[0][0] < _SAME_PLACE:
                return one.number
        return likely.number if self.followed.place(likely, time) is None else -1

    def _same_height(self, one: Track, other: Track) -> bool:
        lead = self._lead(one, other, self.high)
        return lead is not None and abs(lead) <= 2.0 * self._tolerances(one, other, self.high)[0]

    def _jump(self, time: float, error: float, old: Track, new: Track) -> Event:
        place = self.followed.place(new, time)
        # at the very end of its track it may not be found
        position = new.positions[int(np.abs(new.sigma**2 - time).argmin())] if place is None else place[0]
        return _event(self.history, time, error, old.number, new.number, position)

    def _highest(self, ending: Track, time: float) -> Track | None:
        """The highest maximum that is left when the track of one ends."""
        after = min(time * (1.0 + _BESIDE), self.high)
        best: tuple[float, Track] | None = None
        for one in self.rivals:
            place = None if one is ending else self.followed.place(one, after)
            if place is not None and (best is None or place[1] > best[0]):
                best = place[1], one
        return None if best is None else best[1]

    def _beside(self, one: Track, death: Event) -> bool:
        """Whether a track passes where another one ends, so that the optimum does not move."""
        time = min(death.sigma**2 * (1.0 + _BESIDE), self.high)
        place = self.followed.place(one, time)
        if place is None:
            return False
        grid, unit = self.history.follower.grid, unit_of_length(self.history.follower.grid, self.history.sigmas(time))
        return bool(nearest(grid, unit, place[0][None], np.array([death.position]))[0][0] < _SAME_PLACE)

    def _lead(self, current: Track, other: Track, time: float) -> float | None:
        """By how much the other maximum is higher than the current one."""
        one, two = self.followed.place(current, time), self.followed.place(other, time)
        return None if one is None or two is None else two[1] - one[1]

    def _slope(self, current: Track, other: Track, time: float) -> float | None:
        """d/dt of the lead."""
        one, two = self.followed.rate(current, time), self.followed.rate(other, time)
        return None if one is None or two is None else two - one

    def _first_crossing(self, current: Track, begin: float, end: float) -> tuple[float, float, Track] | None:
        """Where first another maximum becomes the higher one: t, its uncertainty, and that maximum."""
        best: tuple[float, float, Track] | None = None
        spans = [(other, *self._span(other)) for other in self.rivals if other is not current]
        meetings = [(other, max(begin, low), min(end, high)) for other, low, high in spans]
        meetings = [(other, low, high) for other, low, high in meetings if low < high]
        times = [(other, time) for other, low, high in meetings for time in (low, high)]
        self.followed.prepare(times + [(current, time) for _, time in times])
        for other, low, high in meetings:
            crossed = self._crossing(current, other, low, high)
            if crossed is not None and (best is None or crossed[0] < best[0]):
                best = (*crossed, other)
        return best

    def _crossing(self, current: Track, other: Track, low: float, high: float) -> tuple[float, float] | None:
        """First t in [low, high] from which the other maximum is the higher one, with its uncertainty."""
        first, last = self._lead(current, other, low), self._lead(current, other, high)
        if first is None or last is None:
            return None
        tie, noise = self._tolerances(current, other, low, high)
        if first >= -noise:
            # a tie, as after a jump from it to the current one: it leads from here on, or falls behind first; which of
            # both is seen where they have parted, because in a tie by symmetry the sign of the slope is round-off too
            later = (low + share * (high - low) for share in _PARTING)
            leads = [(low, first), *((t, self._lead(current, other, t) or 0.0) for t in later)]
            parted = next((lead for _, lead in leads if abs(lead) > noise), last)
            if parted > 0 and last > tie:
                return low, self._error(current, other, low, first)
            behind = next((t for t, lead in leads if lead < -noise), None)
            if behind is None:
                return None
            low = behind
        if last <= tie:
            # it may have led in between
            slopes = self._slope(current, other, low), self._slope(current, other, high)
            if slopes[0] is None or slopes[1] is None or not slopes[0] > 0 > slopes[1]:
                return None
            middle = self._root(lambda time: self._slope(current, other, time), low, high)
            most = None if middle is None else self._lead(current, other, middle)
            if middle is None or most is None or most <= tie:
                return None
            high = middle
        root = self._root(lambda time: self._lead(current, other, time), low, high)
        return None if root is None else (root, self._error(current, other, root, 0.0))

    def _tolerances(self, one: Track, other: Track, *times: float) -> tuple[float, float]:
        """By how much two differ that are not equal, and the round-off of their difference."""
        slopes = [(self._slope(one, other, time) or 0.0, time) for time in times]
        if all(self.ties.crosses(*each) and each[0] * slopes[0][0] > 0 for each in slopes):
            return self.ties.least, self.ties.round_off.computed
        return self.ties.most, self.noise

    def _error(self, current: Track, other: Track, time: float, lead: float) -> float:
        """The values are known to round-off, and the crossing as far as they differ in slope."""
        slope = self._slope(current, other, time)
        if slope is None or slope == 0:
            return 0.5 * (self.high - self.low)
        return min((self.noise + abs(lead)) / abs(slope), 0.5 * (self.high - self.low))

    @staticmethod
    def _root(function: Callable[[float], float | None], low: float, high: float) -> float | None:
        def inside(time: float) -> float:
            value = function(time)
            if value is None:
                raise ArithmeticError
            return value

        try:
            return float(brentq(inside, low, high, xtol=1e-15 * high, rtol=4.0 * float(np.finfo(float).eps)))
        except ArithmeticError:
            return None
