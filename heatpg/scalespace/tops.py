"""Jumps of the global maximum between two levels, from its place at any t: also onto what is on no track.

A maximum that is born and dies between two levels of an evolution is on no track, and it may be the optimum in between.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from heatpg.core.extrema import local_maxima
from heatpg.evolution import solve
from heatpg.scalespace.events import History
from heatpg.scalespace.places import held_axes, nearest, unit_of_length
from heatpg.scalespace.refining import refine
from heatpg.scalespace.units import Problem

__all__ = ["Tops", "crest"]

Array = NDArray[np.float64]
_Jump = tuple[float, float, Array, Array]

# In units of max(sigma, h)
_LEASH = 1.0  # how far a top is looked for beside a place (taste)
_SAME = 1e-3  # the same top, found in two ways (taste)
_APART = 1e-2  # two places that are nearer are one, that moves (taste)
_SHORTEST = 1e-9  # of t: an interval that is not halved any more; its ends are on the two sides of a jump
_HIGHEST = 4  # nodes that are higher than their neighbours, of which the top beside one is the highest (taste)
_MOST = 400  # fields that are solved for, between two levels


def crest(history: History, start: Array, time: float) -> tuple[Array, float]:
    """The top beside a place, and u there."""
    grid, node = history.follower.grid, start[None]
    ends = np.array([[axis.lower, axis.upper] for axis in grid]).T
    free = ~(held_axes(grid) & ((node == ends[0]) | (node == ends[1])))
    sigmas = history.sigmas(time)
    found = refine(history.field, node, sigmas[None], free, leash=_LEASH, round_off=history.follower.round_off)
    places = np.concatenate((node, np.clip(found.positions, *ends)))
    values = history.field.value(places, sigmas)
    higher = int(values[1] > values[0])
    return places[higher], float(values[higher])


class Tops:
    """The largest value of u and its place, as a function of t.

    Parameters
    ----------
    history
        The tracks, of which none is needed.
    problem
        What is solved again at any t.
    tie
        By how much one value must be above another.
    """

    def __init__(self, history: History, problem: Problem, tie: float) -> None:
        self.history, self.problem, self.tie = history, problem, tie
        self._left = _MOST

    def jumps(self, begin: float, end: float) -> list[_Jump]:
        """Of each jump in an interval of t: where it is, how well that is known, the places before and after it."""
        if not begin < end:
            return []
        found = self._between(begin, self.top(begin), end, self.top(end))
        around = [begin, *(each[0] for each in found), end]
        # among equal tops, which of them is the largest is round-off
        return [
            each
            for k, each in enumerate(found)
            if self._leads(each[2], each[3], 0.5 * (around[k] + around[k + 1]))
            and self._leads(each[3], each[2], 0.5 * (around[k + 1] + around[k + 2]))
        ]

    def top(self, time: float) -> tuple[Array, float]:
        """The highest place at any t, and u there."""
        self._left -= 1
        problem, grid = self.problem, self.history.follower.grid
        flow = solve(problem.landscape, self.history.sigmas(time)[None], problem.evolution.solver)
        values = np.where(problem.nodes_inside, flow.values[0], -np.inf)
        # two tops may be equal where their nodes are not
        nodes = local_maxima(values, grid)
        if not len(nodes):
            nodes = np.array([int(np.argmax(values))])
        highest = nodes[np.argsort(-values.reshape(-1)[nodes], kind="stable")[:_HIGHEST]]
        places = (np.array(grid.point(np.unravel_index(int(node), grid.shape))) for node in highest)
        return max((crest(self.history, place, time) for place in places), key=lambda found: found[1])

    def _between(self, low: float, old: tuple[Array, float], high: float, new: tuple[Array, float]) -> list[_Jump]:
        before, after = old[0], new[0]
        if self._distance(crest(self.history, before, high)[0], after, high) <= _SAME:
            return []
        if high - low <= _SHORTEST * high or self._left <= 0:
            if self._distance(before, after, high) <= _APART:
                return []
            time, error = self._equal(before, after, low, high)
            return [(time, error, before, after)]
        middle = 0.5 * (low + high)
        top = self.top(middle)
        return self._between(low, old, middle, top) + self._between(middle, top, high, new)

    def _equal(self, before: Array, after: Array, low: float, high: float) -> tuple[float, float]:
        """Where two tops are equal, to round-off if both can be followed through the interval."""

        def lead(time: float) -> float:
            return crest(self.history, after, time)[1] - crest(self.history, before, time)[1]

        half = 0.5 * (high - low)
        rise = lead(high) - lead(low)
        if not lead(low) < 0 < lead(high):
            return low + half, half
        time = float(brentq(lead, low, high, xtol=1e-15 * high, rtol=4.0 * float(np.finfo(float).eps)))
        return time, min(half, self.history.follower.round_off.slope * 2.0 * half / rise)

    def _distance(self, one: Array, other: Array, time: float) -> float:
        grid, unit = self.history.follower.grid, unit_of_length(self.history.follower.grid, self.history.sigmas(time))
        return float(nearest(grid, unit, one[None], other[None])[0][0])

    def _leads(self, first: Array, second: Array, time: float) -> bool:
        """Whether the top beside one place is the higher one at some t."""
        return crest(self.history, first, time)[1] - crest(self.history, second, time)[1] > self.tie
