"""Confidence interval for the sigma of a jump, by inverting the paired t test of the two maxima."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from heatpg.scalespace import Event, ScaleSpace
from heatpg.scalespace.pricing import noise_words
from heatpg.tools.plain import fields_as_dict

__all__ = ["JumpInterval", "Readings", "jump_intervals"]

Array = NDArray[Any]
Readings = Mapping[int, Mapping[int, Array]]
"""u of each seed less u of the mean on a track, shape (S,), by the number of the track and by level."""

_LARGEST = 1e9  # of a ratio to its standard error: beyond, a crossing between two levels is at the level itself


@dataclasses.dataclass(frozen=True, eq=False)
class JumpInterval:
    """Confidence interval, over seeds, for the sigma at which one maximum becomes higher than another.

    The difference of u between the two maxima is significant if it exceeds t times its standard error, computed from
    the differences seed by seed. The interval contains the sigmas without a significant difference, between those with
    one.

    Attributes
    ----------
    tracks
        The maximum that leads at small sigma, and the other.
    sigma
        Where the mean over seeds jumps; None if it does not.
    lower, upper
        The interval, in the units of sigma; None for an open end.
    shown
        Whether the jump is shown: the first maximum is significantly higher at one sigma, the second at a larger one.
    excluded
        If the mean does not jump: the range of sigma in which the first maximum is significantly higher, if that holds
        up to the last sigma at which both exist; otherwise None.
    seeds, confidence
        Number of seeds, and confidence level of the interval.
    statement
        The same in one sentence.
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

    def as_dict(self) -> dict[str, Any]:
        """The interval as JSON-like values."""
        return fields_as_dict(self)


def _crossing(sigma: Array, ratio: Array, level: int, bound: float) -> float:
    """Where the ratio passes the bound between a level and the one after it, in the logarithm of sigma."""
    before, after = float(ratio[level]), float(ratio[level + 1])
    share = (before - bound) / (before - after)
    low, high = float(sigma[level]), float(sigma[level + 1])
    return low * (high / low) ** share if low > 0 else low + share * (high - low)


def _bounds(sigma: Array, ratio: Array) -> tuple[float | None, float | None, bool]:
    """Ends of the interval in which the ratio, of a lead to what is significant, lies between -1 and 1; if both."""
    above, below = np.flatnonzero(ratio > 1.0), np.flatnonzero(ratio < -1.0)
    first = int(above[0]) if len(above) else None
    last = int(below[-1]) if len(below) else None
    shown = first is not None and last is not None and first < last
    if first is not None and last is not None and not shown:
        # the second maximum leads at first: no jump from the first to it, and nothing is said of one
        return None, None, False
    lower = upper = None
    if first is not None:
        after = np.flatnonzero(ratio[first:] <= 1.0)
        lower = _crossing(sigma, ratio, first + int(after[0]) - 1, 1.0) if len(after) else float(sigma[-1])
    if last is not None:
        before = np.flatnonzero(ratio[:last] >= -1.0)
        upper = _crossing(sigma, ratio, int(before[-1]), -1.0) if len(before) else float(sigma[0])
    return lower, upper, shown


def _of_pair(
    space: ScaleSpace, readings: Readings, pair: tuple[int, int], event: Event | None, confidence: float
) -> tuple[JumpInterval, float] | None:
    """The interval of two tracks, and the least ratio of their difference; None where they share no level."""
    one, two = (space.tracks[number] for number in pair)
    levels, here, there = np.intersect1d(one.levels, two.levels, return_indices=True)
    if not len(levels):
        return None
    lead = space.sense.sign * (one.values[here] - two.values[there])
    away = np.array([readings[pair[0]][level] - readings[pair[1]][level] for level in levels.tolist()])
    seeds = away.shape[1]
    needed = float(stdtrit(seeds - 1, 0.5 + 0.5 * confidence)) * away.std(axis=1, ddof=1) / math.sqrt(seeds)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(lead == 0, 0.0, lead / needed).clip(-_LARGEST, _LARGEST)
    sigma = space.sigma[levels]
    place = 0 if event is None else int(np.searchsorted(sigma, event.sigma))
    # where the first one ends as the higher one, the two are never equal
    if event is not None and 0 < place < len(sigma):
        # there they are, as solved for between the levels
        sigma, ratio = np.insert(sigma, place, event.sigma), np.insert(ratio, place, 0.0)
    lower, upper, shown = _bounds(sigma, ratio)
    excluded = None
    if event is None and ratio[-1] > 1.0:
        # after the last level at which it is not
        since = int(np.flatnonzero(np.append(True, ratio <= 1.0))[-1])
        excluded, lower, upper, shown = (float(sigma[since]), float(sigma[-1])), None, None, False
    known = JumpInterval(
        pair, None if event is None else event.sigma, lower, upper, shown, excluded, seeds, confidence, ""
    )
    return dataclasses.replace(known, statement=_statement(space, known)), float(ratio.min())


def _statement(space: ScaleSpace, jump: JumpInterval) -> str:
    many, share = f"{jump.seeds} seeds", f"{100 * jump.confidence:g} % interval"
    low = None if jump.lower is None else noise_words(space, jump.lower, 4)
    high = None if jump.upper is None else noise_words(space, jump.upper, 4)
    if jump.shown:
        return f"{many} show that it jumps, at sigma from {low} to {high} ({share})"
    if jump.excluded is not None:
        begin, end = (noise_words(space, sigma, 4) for sigma in jump.excluded)
        return f"{many} show no jump " + (
            f"up to sigma = {end}" if jump.excluded[0] == space.sigma[0] else f"at sigma from {begin} to {end}"
        )
    if low is not None:
        return f"{many} do not show whether it jumps: at sigma above {low}, if at all ({share})"
    if high is not None:
        return f"{many} do not show whether it jumps: at sigma below {high}, if at all ({share})"
    return f"{many} do not show whether it jumps"


def jump_intervals(space: ScaleSpace, readings: Readings, confidence: float) -> list[JumpInterval]:
    """An interval for every jump of the mean; without one, for the maximum that comes closest to a jump.

    Parameters
    ----------
    space
        The tracks of the mean.
    readings
        What tells the seeds apart on each track of a maximum (of a loss, minimum).
    confidence
        Of each interval.
    """
    found = []
    for event in space.jumps:
        pair = (event.tracks[0], event.tracks[1])
        if min(pair) >= 0 and (known := _of_pair(space, readings, pair, event, confidence)) is not None:
            found.append(known[0])
    if space.jumps or int(space.optimum[0]) < 0:
        return found
    first = int(space.optimum[0])
    rivals = [
        known
        for one in space.tracks
        if one.number in readings and one.number != first
        if (known := _of_pair(space, readings, (first, one.number), None, confidence)) is not None
    ]
    # the one with the smallest lead over it
    return [min(rivals, key=lambda rival: rival[1])[0]] if rivals else []
