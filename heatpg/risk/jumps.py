"""Jumps of the action that is best by one measure: where two maxima of the measure are equally high.

The best action moves with sigma. It jumps where it leaves one maximum for another one, so both are there at that sigma,
and between them lies a valley. A jump between two levels is enclosed by bisection, which tells it from fast motion, and
then solved for; and the same is done on half the spacing, which tells what the sampling of Q leaves.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from heatpg.core.field import HeatField
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.core.ownership import HandedOver
from heatpg.risk.ladder import TailLadder
from heatpg.risk.positive import PositiveFlow, positive_solver
from heatpg.risk.scatter import Scatter, error_over_seeds
from heatpg.risk.tops import (
    Quadratic,
    around,
    beyond,
    candidates,
    joined,
    place_of,
    read_near,
    settled,
    sharpen,
    sharpen_best,
)
from heatpg.tools.plain import fields_as_dict

__all__ = ["ActionJump", "Measure", "jump_between", "mean_jump_error", "value_errors"]

Array = NDArray[Any]

_COARSE = 0.02  # of osc(Q): the bounds of all nodes, from which the search for the best begins (taste)
_HALVINGS = 6  # of the interval between two levels: what is still two places at its ends may be a jump (taste)
_ENOUGH = 1e-9  # of the interval between two levels, at which the search for a jump ends (taste)
_NEWTON = 8  # steps from the top of the quadratic to that of the mean (taste: each squares the error)
_MOST_NODES = 2**22  # of a finer grid; beyond, the error of the grid is taken from its order
_ORDER = 0.1  # of (h / sigma)^2 osc(Q): error of a tail mean, q = .1 (measured for a quadratic)
_FINER = (2, 3)  # parts of the spacing; the second with one axis only
# The error of order h^2 falls to a quarter on half the spacing, so it is 4/3 of the difference. A kink of (c - Q)_+
# lies anywhere between two nodes: along one axis the difference may by chance be far smaller, but rarely on two grids.
# (Measured on 80 grids of one axis: within this in 78 of them, and beyond by less than a factor of 2.)
_SAFETY = 2.0
_NUDGE = 1e-3  # of sigma, by which the slope of a lead is found (taste: only a spread is divided by it)


@dataclasses.dataclass(frozen=True)
class ActionJump:
    """A change of the best action from one maximum to another.

    Attributes
    ----------
    sigma
        Where, of the noisiest axis, between the levels that were solved.
    uncertainty
        Of that sigma: from the bounds of the values at both maxima, and from the sampling of Q, as the jump on half the
        spacing has it, with Q interpolated.
    before, after
        The best action just before and just after.
    sampling
        Standard error of that sigma over the seeds, of which Q is the mean; 0 without the returns of seeds.
    """

    sigma: float
    uncertainty: float
    before: tuple[float, ...]
    after: tuple[float, ...]
    sampling: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The jump as JSON-like values."""
        return fields_as_dict(self)


@dataclasses.dataclass(eq=False)
class _Field:
    """One measure at one noise level, in pure numbers, whose best value is the largest."""

    measure: Measure
    noise: Array
    nodes: Array
    ladder: TailLadder | None = None

    @property
    def grid(self) -> Grid:
        return self.measure.flow.grid

    @property
    def values(self) -> Array:
        return self.nodes if self.ladder is None else self.ladder.values

    def best(self, *more: int) -> int:
        """The node next to the highest maximum; between the nodes, because the best node may be next to a lower one."""
        nodes = {*candidates(self.values, self.ladder, self.grid), *map(self.settle, more)}
        return self.measure.highest(self.values, self.noise, nodes)

    def settle(self, node: int) -> int:
        """The maximum to which ascent leads from a node."""
        return settled(self.values, self.ladder, self.grid, node)

    def joined(self, one: int, two: int) -> bool:
        """Whether no valley lies between two maxima."""
        bounds = (self.nodes, self.nodes) if self.ladder is None else (self.ladder.lower, self.ladder.upper)
        return joined(bounds, self.ladder, self.grid, (one, two))

    def sharpen(self, node: int) -> None:
        """Bring the bounds around a node together."""
        if self.ladder is not None:
            sharpen(self.ladder, around(self.grid, node))

    def gap(self, node: int) -> float:
        """How far apart the bounds at a node are."""
        return 0.0 if self.ladder is None else float(self.ladder.width.flat[node])

    def top(self, node: int) -> tuple[NDArray[np.float64], float]:
        """Place and height of the maximum next to a node."""
        return self.measure.top(self.values, self.noise, node)

    def changes(self, scatter: Scatter, place: Array) -> Array:
        """By how much each seed changes the measure at a place, shape (S,)."""
        if self.ladder is None:
            return scatter.mean_changes(self.noise, place)
        self.sharpen(_flat(self.grid, place))
        return scatter.tail_changes(self.noise, place, self.ladder.fraction, self.ladder.quantile)

    def lead_error(self, one: Array, two: Array) -> float:
        """Standard error over the seeds of the lead of one place over another; 0 without seeds."""
        scatter = self.measure.scatter
        return 0.0 if scatter is None else error_over_seeds(self.changes(scatter, one) - self.changes(scatter, two))


@dataclasses.dataclass(frozen=True, eq=False)
class Measure:
    """The mean (q is None), or the tail mean, at any noise level.

    Attributes
    ----------
    flow
        What is evolved.
    q
        The fraction of the tail.
    most
        Thresholds of one level, but for those next to a maximum.
    """

    flow: PositiveFlow
    q: float | None
    most: int

    @functools.cached_property
    def scatter(self) -> Scatter | None:
        """What the seeds change; None without them."""
        return Scatter.of(self.flow)

    @functools.cached_property
    def _mean(self) -> HeatField:
        """The mean between the nodes, without an offset that would round it away; but 0 outside of the box stays 0."""
        values = self.flow.values if self.flow.outside is None else self.flow.values - self._outside
        return HeatField(Landscape(HandedOver(np.ascontiguousarray(values)), self.flow.grid))

    @property
    def _outside(self) -> float:
        return 0.0 if self.flow.outside is None else self.flow.outside

    def at(self, noise: Array, near: _Field | None = None) -> _Field:
        """The field at a noise level, from the thresholds of one at a similar level."""
        if self.q is None:
            return _Field(self, noise, self.flow.means(lambda s: s[None], noise[None])[0, 0])
        ladder = TailLadder(self.flow, noise[None], self.q, None if near is None else near.ladder)
        ladder.refine(_COARSE, self.most)
        sharpen_best(ladder)
        return _Field(self, noise, ladder.values, ladder)

    def best(self, field: Array, noise: Array) -> int:
        """The node next to the highest maximum of a field whose bounds are close where it is high."""
        return self.highest(field, noise, candidates(field, None, self.flow.grid))

    def highest(self, field: Array, noise: Array, nodes: Iterable[int]) -> int:
        """Which of some nodes is next to the highest maximum; the best node, where two are equal."""
        return max(sorted(nodes), key=lambda node: (self.top(field, noise, node)[1], field.flat[node]))

    def mean_at(self, places: Array, noise: Array) -> Array:
        """The mean at places, shape (places, dimensions)."""
        return np.asarray(self._mean.value(places, noise) + self._outside)

    def between(self, field: Array, noise: Array, places: Array) -> Array:
        """The measure at places, by the quadratic at the nearest node; the mean as it is there."""
        grid = self.flow.grid
        if self.q is None and noise.all():
            return self.mean_at(places, noise)
        return np.array([read_near(field, grid, place) for place in places])

    def top(self, field: Array, noise: Array, node: int) -> tuple[NDArray[np.float64], float]:
        """Place and height of the maximum next to a node: by the quadratic, and for the mean by Newton's method."""
        grid = self.flow.grid
        near = Quadratic.of(field, grid, node)
        step = near.top()
        place = place_of(grid, node, step)
        if self.q is not None or not noise.all():
            return place, near(step)
        return self._climbed(place, noise, np.diag(near.curvature) != 0)

    def _climbed(self, place: NDArray[np.float64], noise: Array, free: Array) -> tuple[NDArray[np.float64], float]:
        """From a place up to the maximum of the mean, along the axes along which it is free."""
        spacing = np.array(self.flow.grid.spacing)
        start, height = place, float(self.mean_at(place[None], noise)[0])
        for _ in range(_NEWTON):
            _, slope, curvature = (
                each[0] for each in self._mean.local(self._mean.derivatives(place[None], noise, 2))[:3]
            )
            inner = np.ix_(free, free)
            if not free.any() or np.linalg.eigvalsh(curvature[inner])[-1] >= 0:
                break
            step = np.zeros_like(place)
            step[free] = -np.linalg.solve(curvature[inner], slope[free])
            moved = place + step
            # farther than the quadratic could err, it is another place
            if (np.abs(moved - start) > spacing).any():
                break
            higher = float(self.mean_at(moved[None], noise)[0])
            if not higher > height:
                break
            place, height = moved, higher
        return place_of(
            self.flow.grid, 0, (place - np.array(self.flow.grid.point((0,) * len(place)))) / spacing
        ), height

    @functools.cached_property
    def _interpolated(self) -> list[Landscape]:
        """Q on finer grids, by the polynomials through the nodes; none where these have too many nodes."""
        grid, landscape = self.flow.grid, self.flow.landscape
        found = []
        for factor in _FINER if grid.dimensions == 1 else _FINER[:1]:
            finer = Grid(*(_finer(axis, factor) for axis in grid))
            if finer.size > _MOST_NODES:
                continue
            nodes = np.stack(np.meshgrid(*(axis.coordinates for axis in finer), indexing="ij"), axis=-1)
            values = HeatField(landscape).value(nodes.reshape(-1, grid.dimensions), 0.0).reshape(finer.shape)
            # between two nodes of rough data a polynomial may be far outside of them
            values = np.clip(values, landscape.values.min(), landscape.values.max())
            found.append(Landscape(HandedOver(values), finer, minimise=landscape.minimise))
        return found

    def finer_fields(self, noise: Array) -> list[_Field]:
        """The field on finer grids, with solvers that have positive weights there."""
        result = []
        for landscape in self._interpolated:
            solver, _ = positive_solver(landscape.grid, noise[None], "auto")
            result.append(Measure(PositiveFlow(landscape, solver, self.flow.sign), self.q, self.most).at(noise))
        return result

    def order_error(self, noise: Array) -> float:
        """The error of the grid by its order, in units of Q; where half the spacing is too many nodes."""
        ratio = float((np.array(self.flow.grid.spacing)[noise > 0] / noise[noise > 0]).max(initial=0.0))
        return float(_ORDER * ratio**2 * self.flow.landscape.oscillation)


def _finer(axis: Axis, factor: int) -> Axis:
    """The axis with a part of the spacing."""
    both_ends = axis.nodes == "vertex" and not axis.rule.periodic
    return dataclasses.replace(axis, size=factor * (axis.size - 1) + 1 if both_ends else factor * axis.size)


def _flat(grid: Grid, place: Array) -> int:
    """Flat index of the node nearest to a place."""
    return int(np.ravel_multi_index(grid.nearest_node(place), grid.shape))


def value_errors(measure: Measure, noise: Array, places: Array, values: Array, gaps: Array) -> NDArray[np.float64]:
    """How uncertain a tail mean at some places is, in units of Q: by its bounds, and by half the spacing.

    Parameters
    ----------
    measure, noise
        Of what, at which level.
    places, values, gaps
        Where, what was found there, and how far apart the bounds are; in units of Q.
    """
    if not noise.any():
        return np.zeros(len(places))
    errors = []
    for fine in measure.finer_fields(noise):
        for place in places:
            fine.sharpen(_flat(fine.grid, place))
        others = fine.measure.flow.measured(fine.measure.between(fine.values, noise, places))
        errors.append(_SAFETY * np.abs(np.asarray(others, np.float64) - values))
    return np.asarray(gaps + (np.max(errors, axis=0) if errors else measure.order_error(noise)), np.float64)


def mean_jump_error(measure: Measure, noise: Array, places: Array) -> float:
    """Standard error over the seeds of the sigma of a jump of the mean, relative to it; 0 without seeds.

    Parameters
    ----------
    measure
        The mean.
    noise
        Where it jumps, one sigma per axis.
    places
        Both maxima there, shape (2, dimensions).
    """
    if measure.scatter is None:
        return 0.0
    field = measure.at(noise)
    error = field.lead_error(places[0], places[1])
    leads = [float(np.subtract(*measure.mean_at(places, noise * (1.0 + by)))) for by in (-_NUDGE, _NUDGE)]
    slope = abs(leads[1] - leads[0]) / (2.0 * _NUDGE)
    return error / slope if slope else math.inf


def jump_between(measure: Measure, rows: tuple[Array, Array], tops: tuple[int, int]) -> ActionJump | None:
    """The jump between two levels, if there is one.

    Parameters
    ----------
    measure
        Of what the best action is.
    rows
        Both noise levels.
    tops
        The best node at each.
    """
    grid = measure.flow.grid
    least = 2.0 * np.array(grid.spacing)

    def far(one: int, two: int) -> bool:
        places = [np.array(grid.point(np.unravel_index(node, grid.shape))) for node in (one, two)]
        return beyond(grid, places[0], places[1], least)

    def noise(share: float) -> Array:
        return np.asarray((1.0 - share) * rows[0] + share * rows[1])

    old, new = tops
    begin, end = 0.0, 1.0
    field: _Field | None = None
    for _ in range(_HALVINGS):
        if not far(old, new):
            return None
        middle = 0.5 * (begin + end)
        field = measure.at(noise(middle), field)
        top = field.best(old, new)
        if _distance(grid, top, old) <= _distance(grid, top, new):
            begin, old = middle, top
        else:
            end, new = middle, top
    if not far(old, new):
        return None
    last: list[_Field] = [] if field is None else [field]
    gaps: list[float] = []

    def lead(share: float) -> float:
        """By how much the old optimum is above the new one."""
        now = measure.at(noise(share), last[-1] if last else None)
        last.append(now)
        one, two = now.settle(old), now.settle(new)
        gaps.append(now.gap(one) + now.gap(two))
        return now.top(one)[1] - now.top(two)[1]

    ends = lead(begin), lead(end)
    tied = 4.0 * max(gaps) + (1e-12 if measure.q is None else 0.0)
    if max(map(abs, ends)) <= tied:
        return None  # two that are equal: which of them counts is arbitrary
    slope = (ends[0] - ends[1]) / (end - begin)
    if ends[0] > 0 > ends[1]:
        share = float(brentq(lead, begin, end, xtol=_ENOUGH if measure.q is None else 1e-3 * (end - begin)))
        error = max(_ENOUGH, gaps[-1] / slope)
    else:
        # equal to within their bounds at one of the two ends
        share, error = 0.5 * (begin + end), 0.5 * (end - begin)
    rest = lead(share)
    if measure.q is not None and ends[0] > 0 > ends[1]:
        share = min(max(share + rest / slope, begin), end)
    now = last[-1]
    one, two = now.settle(old), now.settle(new)
    if one == two or now.joined(one, two):
        return None
    rate = float(np.abs(measure.flow.difference(abs(slope)))) if slope else 0.0
    shifts = []
    for fine in measure.finer_fields(noise(share)):
        others = [fine.settle(_flat(fine.grid, now.top(node)[0])) for node in (one, two)]
        if others[0] == others[1] or fine.joined(others[0], others[1]):
            return None  # of this grid alone
        ahead = fine.measure.flow.difference(fine.top(others[0])[1] - fine.top(others[1])[1])
        shifts.append(_SAFETY * abs(float(ahead)))
    error += (max(shifts) if shifts else measure.order_error(noise(share))) / rate if rate else 1.0
    first, other = float(rows[0].max()), float(rows[1].max())
    tops_there = [now.top(node)[0] for node in (one, two)]
    sampled = now.lead_error(*tops_there) / abs(slope) if slope else 0.0
    before, after = (tuple(place.tolist()) for place in tops_there)
    width = other - first
    return ActionJump(first + share * width, error * width, before, after, sampled * width)


def _distance(grid: Grid, one: int, two: int) -> float:
    """How far apart two nodes are, in spacings."""
    move = np.abs(np.subtract(np.unravel_index(one, grid.shape), np.unravel_index(two, grid.shape)))
    around = np.array([axis.size if axis.rule.periodic else 2 * axis.size for axis in grid])
    return float(np.linalg.norm(np.minimum(move, around - move)))
