"""Confidence intervals for the sigmas of jumps, by inverting paired t tests of the maxima.

A maximum leads where it is significantly higher than each other maximum that exists at that sigma. If all of several
tests have to reject, each may be made at the full level. A jump is shown where one maximum leads and, at a larger
sigma, another one. So in a chain A, C, B in the mean of the seeds C has to lead somewhere in between; where it does
not, only a jump from A to B is shown, by whatever way.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from heatpg.scalespace import Event, ScaleSpace
from heatpg.scalespace.pricing import noise_words, place_words
from heatpg.tools.plain import fields_as_dict

__all__ = ["JumpInterval", "Readings", "destination", "jump_intervals"]

Array = NDArray[Any]
Readings = Mapping[int, Mapping[int, Array]]
"""u of each seed less u of the mean on a track, shape (S,), by the number of the track and by level."""

_LARGEST = 1e9  # of a ratio to its standard error: beyond, a crossing between two levels is at the level itself


@dataclasses.dataclass(frozen=True, eq=False)
class JumpInterval:
    """Confidence interval, over seeds, for the sigma at which the optimum goes from one maximum to another.

    A maximum leads where it is significantly higher than every other one: each difference exceeds t times its standard
    error, computed from the differences seed by seed. The interval contains the sigmas between the lead of the first
    maximum and that of the second.

    Attributes
    ----------
    tracks
        The maximum that leads at small sigma, and the other.
    sigma
        Where the mean over seeds jumps; None if it does not, or not from the one to the other directly.
    lower, upper
        The interval, in the units of sigma; None for an open end.
    shown
        Whether the jump is shown: the first maximum leads at one sigma, the second at a larger one.
    excluded
        If the mean does not jump: the range of sigma in which the first maximum leads, if that holds up to the last
        sigma at which there are others; otherwise None.
    seeds, confidence
        Number of seeds, and confidence level of the interval.
    statement
        The same in one sentence.
    through
        Maxima that lead in the mean between the two, without being shown to lead.
    """

    tracks: tuple[int, int]
    sigma: float | None
    lower: float | None
    upper: float | None
    shown: bool
    excluded: tuple[float, float] | None
    seeds: int
    confidence: float
    statement: str
    through: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The interval as JSON-like values."""
        return fields_as_dict(self)


def _crossing(sigma: Array, ratio: Array, level: int) -> float:
    """Where the ratio passes 1 between a level and the one after it, in the logarithm of sigma."""
    before, after = float(ratio[level]), float(ratio[level + 1])
    share = (before - 1.0) / (before - after)
    low, high = float(sigma[level]), float(sigma[level + 1])
    return low * (high / low) ** share if low > 0 else low + share * (high - low)


def _end(sigma: Array, ratio: Array) -> float | None:
    """Where the first lead ends: the ratio, of a lead to what is significant, is above 1 up to there."""
    above = np.flatnonzero(ratio > 1.0)
    if not len(above):
        return None
    after = np.flatnonzero(ratio[above[0] :] <= 1.0)
    return _crossing(sigma, ratio, int(above[0] + after[0]) - 1) if len(after) else float(sigma[-1])


def _begin(sigma: Array, ratio: Array) -> float | None:
    """Where the last lead begins."""
    above = np.flatnonzero(ratio > 1.0)
    if not len(above):
        return None
    before = np.flatnonzero(ratio[: above[-1]] <= 1.0)
    return _crossing(sigma, ratio, int(before[-1])) if len(before) else float(sigma[0])


class _Chain:
    """The maxima that are the optimum of the mean, one after the other, and where each of them leads."""

    def __init__(self, space: ScaleSpace, readings: Readings, confidence: float) -> None:
        self.space, self.readings, self.confidence = space, readings, confidence
        self.seeds = len(next(iter(next(iter(readings.values())).values())))
        self._quantile = float(stdtrit(self.seeds - 1, 0.5 + 0.5 * confidence))
        # what lies on a ridge is on no track
        self.events = [event for event in space.jumps if min(event.tracks) >= 0]
        self._known: dict[int, dict[int, float]] = {}

    def over(self, number: int, others: list[int]) -> dict[int, Array]:
        """By level: the ratio of the lead over each other maximum that exists there to what is significant."""
        space, readings = self.space, self.readings
        found = {}
        for level, own in readings[number].items():
            there = [k for k in others if k != number and level in readings[k]]
            if not there:
                continue
            values = [_value(space, k, level) for k in there]
            lead = space.sense.sign * (_value(space, number, level) - np.array(values))
            away = own - np.array([readings[k][level] for k in there])
            error = away.std(axis=1, ddof=1) / math.sqrt(self.seeds)
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = np.where(lead == 0, 0.0, lead / (self._quantile * error))
            found[level] = ratio.clip(-_LARGEST, _LARGEST)
        return found

    def ratios(self, number: int) -> dict[int, float]:
        """By level: the least of these ratios over all other maxima; none where there is no other."""
        if number not in self._known:
            each = self.over(number, list(self.readings))
            self._known[number] = {level: float(ratio.min()) for level, ratio in each.items()}
        return self._known[number]

    def lead(self, window: int, other: int) -> tuple[Array, Array]:
        """Sigmas and ratios of the optimum between two jumps, where another track exists too.

        Parameters
        ----------
        window
            Number of the event that ends it; that of the last one is the number of events.
        other
            The track.
        """
        before = self.events[window - 1] if window else None
        after = self.events[window] if window < len(self.events) else None
        number = after.tracks[0] if after is not None else self.events[-1].tracks[1]
        own, its = self.ratios(number), set(self.space.tracks[other].levels.tolist())
        low = -math.inf if before is None else before.sigma
        high = math.inf if after is None else after.sigma
        levels = [k for k in own if k in its and low <= float(self.space.sigma[k]) <= high]
        sigma, ratio = self.space.sigma[levels], np.array([own[k] for k in levels])
        # at the jumps they are equal, as solved for between the levels; but not where one ends as the higher one
        for event, at_end in ((before, False), (after, True)):
            if event is not None and self._equal(event):
                ends = ([*sigma, event.sigma], [*ratio, 0.0]) if at_end else ([event.sigma, *sigma], [0.0, *ratio])
                sigma, ratio = np.array(ends[0]), np.array(ends[1])
        return sigma, ratio

    def _equal(self, event: Event) -> bool:
        """Whether both tracks of a jump exist on both sides of it."""
        one, two = (self.space.tracks[number].sigma for number in event.tracks)
        return bool(max(one[0], two[0]) < event.sigma < min(one[-1], two[-1]))

    def track(self, window: int) -> int:
        """The optimum of the mean between two jumps."""
        return self.events[window].tracks[0] if window < len(self.events) else self.events[-1].tracks[1]

    def links(self) -> list[JumpInterval]:
        """An interval for each jump of the mean, and for jumps that are shown without the way."""
        found, count = [], len(self.events)
        for k, event in enumerate(self.events):
            # the optimum is at an earlier one before, and at a later one after it
            ends = [_end(*self.lead(j, self.track(j + 1))) for j in range(k, -1, -1)]
            begins = [_begin(*self.lead(j, self.track(j - 1))) for j in range(k + 1, count + 1)]
            lower, upper = (next((each for each in row if each is not None), None) for row in (ends, begins))
            shown = ends[0] is not None and begins[0] is not None
            found.append(self._interval((event.tracks[0], event.tracks[1]), event.sigma, lower, upper, shown))
            if shown or ends[0] is None:
                continue
            # the next maximum that leads, other than by the way of the mean
            for j in range(k + 2, count + 1):
                first, last = event.tracks[0], self.track(j)
                if begins[j - k - 1] is None:
                    continue
                bounds = _end(*self.lead(k, last)), _begin(*self.lead(j, first))
                if first != last and bounds[0] is not None and bounds[1] is not None:
                    way = tuple(self.track(i) for i in range(k + 1, j))
                    found.append(self._interval((first, last), None, *bounds, True, way))
                break
        return found

    def _interval(
        self,
        pair: tuple[int, int],
        sigma: float | None,
        lower: float | None,
        upper: float | None,
        shown: bool,
        through: tuple[int, ...] = (),
    ) -> JumpInterval:
        known = JumpInterval(pair, sigma, lower, upper, shown, None, self.seeds, self.confidence, "", through)
        return dataclasses.replace(known, statement=_statement(self.space, known, several=len(self.events) > 1))

    def stays(self, first: int) -> JumpInterval | None:
        """Of a mean that does not jump: whether its optimum leads, and which other one comes closest to it."""
        closest = {
            number: min(float(ratio[0]) for ratio in found.values())
            for number in self.readings
            if number != first and (found := self.over(first, [number]))
        }
        if not closest:
            return None
        own = self.ratios(first)
        sigma, ratio = self.space.sigma[list(own)], np.array(list(own.values()))
        excluded, lower = None, _end(sigma, ratio)
        if ratio[-1] > 1.0:
            # after the last level at which it is not
            since = int(np.flatnonzero(np.append(True, ratio <= 1.0))[-1])
            excluded, lower = (float(sigma[since]), float(sigma[-1])), None
        pair = (first, min(closest, key=lambda number: closest[number]))
        known = JumpInterval(pair, None, lower, None, False, excluded, self.seeds, self.confidence, "")
        return dataclasses.replace(known, statement=_statement(self.space, known))


def _value(space: ScaleSpace, number: int, level: int) -> float:
    one = space.tracks[number]
    return float(one.values[level - int(one.levels[0])])


def _statement(space: ScaleSpace, jump: JumpInterval, *, several: bool = False) -> str:
    many, share = f"{jump.seeds} seeds", f"{100 * jump.confidence:g} % interval"
    low = None if jump.lower is None else noise_words(space, jump.lower, 4)
    high = None if jump.upper is None else noise_words(space, jump.upper, 4)
    # of several jumps it is said which one it is
    whither = f" to {destination(space, jump)}" if several else ""
    if jump.shown:
        way = ", but not by way of which others" if jump.through else ""
        return f"{many} show that it jumps{whither}, at sigma from {low} to {high} ({share}){way}"
    if jump.excluded is not None:
        begin, end = (noise_words(space, sigma, 4) for sigma in jump.excluded)
        return f"{many} show no jump " + (
            f"up to sigma = {end}" if jump.excluded[0] == space.sigma[0] else f"at sigma from {begin} to {end}"
        )
    unknown = f"{many} do not show whether it jumps{whither}"
    if low is not None and high is not None:
        return f"{unknown}: at sigma from {low} to {high}, if at all ({share})"
    if low is not None:
        return f"{unknown}: at sigma above {low}, if at all ({share})"
    if high is not None:
        return f"{unknown}: at sigma below {high}, if at all ({share})"
    return unknown


def destination(space: ScaleSpace, jump: JumpInterval) -> str:
    """Where the second maximum of a jump is when it becomes the optimum of the mean, in words."""
    position = next(event.position for event in space.jumps if event.tracks[1] == jump.tracks[1])
    return place_words(space, np.asarray(position))


def jump_intervals(space: ScaleSpace, readings: Readings, confidence: float) -> list[JumpInterval]:
    """An interval for every jump of the mean; without one, for the maximum that comes closest to a jump.

    Where the mean goes from one maximum to another by way of a third one that is not shown to lead, there is one more
    interval, for the jump from the first to the last.

    Parameters
    ----------
    space
        The tracks of the mean.
    readings
        What tells the seeds apart on each track of a maximum (of a loss, minimum).
    confidence
        Of each interval.
    """
    known = {number: levels for number, levels in readings.items() if levels}
    if not known:
        return []
    chain = _Chain(space, known, confidence)
    if space.jumps or int(space.optimum[0]) < 0:
        return chain.links()
    closest = chain.stays(int(space.optimum[0]))
    return [] if closest is None else [closest]
