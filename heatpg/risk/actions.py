"""The safest action and the action with the best mean: each with its track, jumps and price."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from heatpg.core.extrema import climb, on_edge
from heatpg.core.grid import Grid, position_words
from heatpg.core.landscape import Landscape
from heatpg.core.linear import piecewise_linear
from heatpg.core.noise import Sigma, sigma_words
from heatpg.errors import UnsupportedError
from heatpg.evolution import Evolution
from heatpg.risk.ladder import TailLadder
from heatpg.risk.positive import PositiveFlow
from heatpg.risk.returns import MOST_THRESHOLDS, Distribution, TailMean, distribution, fraction_of
from heatpg.solvers import Solver
from heatpg.tools.calls import checked_call
from heatpg.tools.lines import one_line
from heatpg.tools.plain import fields_as_dict, plain

__all__ = ["ActionJump", "Actions", "Parting", "SafestAction", "safest_action"]

Array = NDArray[Any]

_LOCAL = 1e-7  # of osc(Q): to which the tail means of the two actions at a jump are bounded (taste)
_LOCAL_MOST = 96  # thresholds more for that; some ten nodes take a handful each
_NOUGHT = 1e-9  # of a spacing (taste)
_ENOUGH = 1e-9  # of the interval between two levels, at which the search for a jump ends (taste)


@dataclasses.dataclass(frozen=True)
class ActionJump:
    """A change of the best action from one maximum to another.

    Attributes
    ----------
    sigma
        Where, of the noisiest axis, between the levels that were solved.
    uncertainty
        Of that sigma, from the bounds of the values at both maxima; what the sampling of Q leaves is not in it.
    before, after
        The best action just before and just after.
    """

    sigma: float
    uncertainty: float
    before: tuple[float, ...]
    after: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        """The jump as JSON-like values."""
        return fields_as_dict(self)


@dataclasses.dataclass(frozen=True)
class Parting:
    """A noise level at which the safest action and the action with the best mean start to differ, or agree again.

    Attributes
    ----------
    sigma, uncertainty
        Where, of the noisiest axis: at a jump of either, or half way between two levels if they drift apart.
    safest, best_mean
        Both actions at the next level.
    apart
        Whether they are apart from there on, or together.
    """

    sigma: float
    uncertainty: float
    safest: tuple[float, ...]
    best_mean: tuple[float, ...]
    apart: bool

    def as_dict(self) -> dict[str, Any]:
        """The parting as JSON-like values."""
        return fields_as_dict(self)


@dataclasses.dataclass(frozen=True, eq=False)
class Actions:
    """The action that is best by one measure, against sigma.

    Attributes
    ----------
    positions
        Shape (T, dimensions); between the nodes by a quadratic through its neighbours.
    values
        The measure there, shape (T,).
    price
        Loss in Q, without noise, compared with the best node of Q, shape (T,).
    on_edge
        Whether it lies on the edge of the box, shape (T,).
    jumps
        Every jump to another maximum.
    """

    positions: NDArray[np.float64]
    values: NDArray[np.float64]
    price: NDArray[np.float64]
    on_edge: NDArray[np.bool_]
    jumps: list[ActionJump]

    @property
    def sigma_jump(self) -> ActionJump | None:
        """The first jump, or None if the action moves without one."""
        return next(iter(self.jumps), None)

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON-like values."""
        return fields_as_dict(self, ["jumps"]) | {"jumps": [jump.as_dict() for jump in self.jumps]}


@dataclasses.dataclass(frozen=True, eq=False)
class SafestAction:
    """The safest action compared with the action with the best mean, as functions of sigma; returned by
    `safest_action`.

    Attributes
    ----------
    q
        The fraction of the worst returns (of a loss: the largest losses) whose mean is made as good as possible.
    sigma
        Noise levels (of the noisiest axis), shape (T,).
    safest
        The action with the best tail mean; `values` are tail means.
    best_mean
        The action of the best mean; `values` are means.
    partings
        Where the two start to differ and agree again: differing along an axis by more than the noise, or than two
        spacings.
    mean_lost
        Loss of the mean at the safest action compared with the best mean, shape (T,).
    tail_gained
        Gain of the tail mean at the safest action compared with the action with the best mean, shape (T,).
    distribution, tail
        All fields.
    """

    q: float
    sigma: NDArray[np.float64]
    safest: Actions
    best_mean: Actions
    partings: list[Parting]
    mean_lost: NDArray[np.float64]
    tail_gained: NDArray[np.float64]
    distribution: Distribution
    tail: TailMean

    @property
    def parting(self) -> Parting | None:
        """Where they first differ, or None if they never do."""
        return next((one for one in self.partings if one.apart), None)

    @property
    def sentences(self) -> dict[str, str]:
        """One finding each, by topic."""
        landscape = self.distribution.landscape
        last = len(self.sigma) - 1
        what = "losses" if landscape.minimise else "returns"
        point = landscape.point_word
        tail = f"the mean of the worst {self.q:.4g} of all {what}"
        first_noise, last_noise = (self._noise(level) for level in (0, last))
        result = {
            "safest": (
                f"The safest {point}, by {tail} (CVaR), is {self._place(self.safest.positions[0])} at sigma = "
                f"{first_noise}, with {self._value(self.safest.values[0])}, and "
                f"{self._place(self.safest.positions[last])} at sigma = {last_noise}, with "
                f"{self._value(self.safest.values[last])}.{_mean_words(landscape)}"
            )
        }
        jump, other = self.safest.sigma_jump, self.best_mean.sigma_jump
        if jump is None:
            words = f"From sigma = {first_noise} to {last_noise} it moves without a jump"
        else:
            words = (
                f"At sigma = {jump.sigma:.5g} (+- {jump.uncertainty:.1g}) it jumps from {self._place(jump.before)} to "
                f"{self._place(jump.after)}"
            )
        mean = "does not jump" if other is None else f"jumps at {other.sigma:.5g} (+- {other.uncertainty:.1g})"
        result["safest jump"] = f"{words}; the {point} with the best mean {mean}."
        result["parting"] = self._parting_words()
        if self.tail.missing:
            result["thresholds"] = f"{self.tail.missing[0].upper()}{self.tail.missing[1:]}."
        return {topic: one_line(sentence) for topic, sentence in result.items()}

    def _parting_words(self) -> str:
        parting, point = self.parting, self.distribution.landscape.point_word
        if parting is None:
            return (
                f"At every sigma the safest {point} differs from the {point} with the best mean by less than the noise."
            )
        again = next((one for one in self.partings if not one.apart and one.sigma > parting.sigma), None)
        level = int(np.searchsorted(self.sigma, parting.sigma))
        until = "" if again is None else f" until sigma = {again.sigma:.5g}"
        begin = (
            f"Already at the smallest noise level, sigma = {self._noise(0)},"
            if parting.sigma <= self.sigma[0]
            else f"For sigma >= {parting.sigma:.5g} (+- {parting.uncertainty:.1g})"
        )
        return (
            f"{begin}{until} the safest {point} differs from the {point} with the best mean: at sigma = "
            f"{self._noise(level)} "
            f"it is {self._place(parting.safest)} instead of {self._place(parting.best_mean)}. This worsens the mean "
            f"by "
            f"{self.mean_lost[level]:.4g} and improves the tail mean by {self.tail_gained[level]:.4g}."
        )

    def _noise(self, level: int) -> str:
        rows = self.distribution.noise[level]
        if np.ptp(rows) == 0:
            return sigma_words(rows[0], digits=4)
        return sigma_words(rows, digits=4, unit=[axis.unit or "" for axis in self.distribution.grid])

    def _place(self, position: Any) -> str:
        words = position_words(self.distribution.grid, position)
        return f"({', '.join(words)})" if len(words) > 1 else words[0]

    def _value(self, value: float) -> str:
        return self.distribution.landscape.value_words(float(value))

    def __str__(self) -> str:
        return "\n".join(self.sentences.values())

    def __repr__(self) -> str:
        parting = "stays with" if self.parting is None else f"differs from sigma {self.parting.sigma:.5g} on from"
        return f"<SafestAction of {self.distribution.landscape.name!r}, q = {self.q:g}: {parting} the best mean>"

    def as_dict(self) -> dict[str, Any]:
        """Everything but the fields as JSON-like values."""
        return {
            "q": self.q,
            "sigma": plain(self.sigma),
            "sentences": self.sentences,
            "safest": self.safest.as_dict(),
            "best_mean": self.best_mean.as_dict(),
            "partings": [one.as_dict() for one in self.partings],
            "mean_lost": plain(self.mean_lost),
            "tail_gained": plain(self.tail_gained),
            "solver": self.distribution.solver.describe(),
            "reason": self.distribution.reason,
            "gap": plain(self.tail.gap),
            "thresholds": [len(one) for one in self.tail.thresholds],
            "missing": self.tail.missing,
        }


def _mean_words(landscape: Landscape) -> str:
    """What the tail of a mean over rollouts leaves out; empty where Q is no mean."""
    error = landscape.standard_error
    if landscape.returns is None and (error is None or not error.any()):
        return ""
    over = "rollouts" if landscape.returns is None else f"{len(landscape.returns)} seeds"
    return (
        f" Q is the mean over {over}: the worst {'losses' if landscape.minimise else 'returns'} are those of this mean "
        f"under the noise in the {landscape.point_word}, and the spread of single episodes is not part of them."
    )


@dataclasses.dataclass(eq=False)
class _Field:
    """One measure at one noise level, in pure numbers, whose best value is the largest."""

    values: Array
    ladder: TailLadder | None = None

    def sharpen(self, nodes: list[int], grid: Grid) -> float:
        """Bound the values around nodes more closely; the largest difference of bounds that is left there."""
        if self.ladder is None:
            return 0.0
        where = np.zeros(grid.shape, dtype=bool)
        for node in nodes:
            where[
                np.ix_(*(_around(axis, i) for axis, i in zip(grid, np.unravel_index(node, grid.shape), strict=True)))
            ] = True
        self.ladder.refine(_LOCAL, len(self.ladder.thresholds) + _LOCAL_MOST, where)
        self.values = self.ladder.values
        return float(self.ladder.width[where].max())


@dataclasses.dataclass(frozen=True, eq=False)
class _Measure:
    """The mean (q is None), or the tail mean, at any noise level."""

    flow: PositiveFlow
    q: float | None
    tolerance: float
    most: int

    def at(self, noise: Array, near: _Field | None) -> _Field:
        """The field at a noise level, from the thresholds of one at a similar level."""
        if self.q is None:
            return _Field(self.flow.means(lambda s: s[None], noise)[0, 0])
        ladder = TailLadder(self.flow, noise, self.q, None if near is None else near.ladder)
        ladder.refine(self.tolerance, self.most)
        return _Field(ladder.values, ladder)


def _around(axis: Any, index: Any) -> list[int]:
    """A node and its two neighbours along an axis, those that there are."""
    near = [int(index) + step for step in (-1, 0, 1)]
    return [i % axis.size for i in near] if axis.rule.periodic else [i for i in near if 0 <= i < axis.size]


@dataclasses.dataclass(frozen=True, eq=False)
class _Quadratic:
    """The quadratic through a node and its neighbours, in spacings; flat along axes where the box ends."""

    value: float
    slope: Array
    curvature: Array

    @classmethod
    def of(cls, field: Array, grid: Grid, node: int) -> _Quadratic:
        index = np.array(np.unravel_index(node, grid.shape))
        free = [axis.rule.periodic or 0 < i < axis.size - 1 for axis, i in zip(grid, index.tolist(), strict=True)]

        def at(*moves: tuple[int, int]) -> float:
            moved = index.copy()
            for a, step in moves:
                moved[a] += step
            return float(field[tuple(moved % np.array(grid.shape))])

        count, middle = grid.dimensions, at()
        slope, curvature = np.zeros(count), np.zeros((count, count))
        for a in range(count):
            if not free[a]:
                continue
            slope[a] = 0.5 * at((a, 1)) - 0.5 * at((a, -1))
            curvature[a, a] = (at((a, 1)) - middle) + (at((a, -1)) - middle)
            for b in range(a):
                if free[b]:
                    twist = (at((a, 1), (b, 1)) - at((a, 1), (b, -1))) - (at((a, -1), (b, 1)) - at((a, -1), (b, -1)))
                    curvature[a, b] = curvature[b, a] = 0.25 * twist
        return cls(middle, slope, curvature)

    def top(self) -> Array:
        """Where it is largest, within a spacing; the node itself where it has no maximum there."""
        free = np.diag(self.curvature) < 0
        step = np.zeros(len(self.slope))
        if not free.any():
            return step
        inner = self.curvature[np.ix_(free, free)]
        if np.linalg.eigvalsh(inner)[-1] < 0:
            step[free] = -np.linalg.solve(inner, self.slope[free])
        # a node that is the highest has the maximum within half a spacing, but for rough data
        return step if np.abs(step).max() <= 1.0 else np.zeros_like(step)

    def __call__(self, step: Array) -> float:
        return float(self.value + self.slope @ step + 0.5 * step @ self.curvature @ step)


def _place(grid: Grid, node: int, step: Array) -> NDArray[np.float64]:
    """Coordinates of a place beside a node."""
    place = np.array(grid.point(np.unravel_index(node, grid.shape))) + step * np.array(grid.spacing)
    for i, axis in enumerate(grid):
        if axis.rule.periodic:
            place[i] = axis.lower + np.mod(place[i] - axis.lower, axis.length)
    # what is left of 0 by rounding would be read as a place
    return np.where(np.abs(place) < _NOUGHT * np.array(grid.spacing), 0.0, place)


def _apart(grid: Grid, noise: Array, one: Array, other: Array) -> bool:
    """Whether two places are farther apart, along an axis, than the noise along it and than two spacings."""
    move = np.abs(np.asarray(one) - np.asarray(other))
    for i, axis in enumerate(grid):
        if axis.rule.periodic:
            move[i] = min(move[i], axis.length - move[i])
    return bool((move > np.maximum(noise, 2.0 * np.array(grid.spacing))).any())


class _Search:
    """Where the best action of one measure jumps, between one level and the next."""

    def __init__(self, measure: _Measure, noise: Array) -> None:
        self.measure = measure
        self.noise = noise
        self.grid = measure.flow.grid

    def _climbed(self, field: Array, node: int) -> int:
        return int(climb(field, self.grid, np.array([node]))[0])

    def _point(self, node: int) -> Array:
        return np.array(self.grid.point(np.unravel_index(node, self.grid.shape)))

    def jump(self, level: int, fields: Array, tops: list[int]) -> ActionJump | None:
        """The jump between a level and the next, if there is one: neither optimum leads to the other by ascent."""
        old, new = tops[level], tops[level + 1]
        if not _apart(self.grid, self.noise[level + 1], self._point(old), self._point(new)):
            return None
        if self._climbed(fields[level + 1], old) == new and self._climbed(fields[level], new) == old:
            return None
        rows = self.noise[level], self.noise[level + 1]
        gaps: list[float] = []
        last_field: _Field | None = None

        def lead(share: float) -> float:
            """By how much the old optimum is above the new one."""
            nonlocal last_field
            field = last_field = self.measure.at(((1.0 - share) * rows[0] + share * rows[1])[None], last_field)
            one, two = self._climbed(field.values, old), self._climbed(field.values, new)
            gaps.append(field.sharpen([one, two], self.grid))
            if one == two:
                # only one of them is there; the other has not come yet, or has gone
                return 1.0 if one == old or share == 0.0 else -1.0
            heights = []
            for node in (one, two):
                near = _Quadratic.of(field.values, self.grid, node)
                heights.append(near(near.top()))
            return heights[0] - heights[1]

        first, last = lead(0.0), lead(1.0)
        begin, end = float(rows[0].max()), float(rows[1].max())
        if first > 0 > last:
            share = float(brentq(lead, 0.0, 1.0, xtol=_ENOUGH))
            error = max(_ENOUGH, gaps[-1] / (first - last))
        else:
            # equal to within their bounds at one of the two levels
            share, error = 0.5, 0.5
        places = [
            tuple(_place(self.grid, node, _Quadratic.of(fields[k], self.grid, node).top()).tolist())
            for k, node in ((level, old), (level + 1, new))
        ]
        return ActionJump(begin + share * (end - begin), error * (end - begin), *places)


def _read(landscape: Landscape, places: Array) -> NDArray[np.float64]:
    """Q at places: from its source if that is known, else linear between the nodes."""
    if landscape.has_sampler:
        return landscape.sample(places)
    return piecewise_linear(landscape, places)


def _actions(measure: _Measure, fields: Array, noise: Array, law: Distribution) -> tuple[Actions, list[int]]:
    """Where one measure is best at every level, in the units of Q, and at which nodes."""
    grid, flow, landscape = law.grid, measure.flow, law.landscape
    tops = [int(np.argmax(field)) for field in fields]
    near = [_Quadratic.of(field, grid, node) for field, node in zip(fields, tops, strict=True)]
    places = np.array([_place(grid, node, one.top()) for node, one in zip(tops, near, strict=True)])
    heights = np.array([one(one.top()) for one in near])
    search = _Search(measure, noise)
    found = (search.jump(level, fields, tops) for level in range(len(tops) - 1))
    jumps = [jump for jump in found if jump is not None]
    sign = landscape.sense.sign
    best = float((sign * landscape.values).max())
    edge = np.array([on_edge(np.unravel_index(node, grid.shape), grid) for node in tops])
    price = best - sign * _read(landscape, places)
    return Actions(places, np.asarray(flow.measured(heights), np.float64), price, edge, jumps), tops


def _partings(grid: Grid, noise: Array, sigma: Array, safest: Actions, best_mean: Actions) -> list[Parting]:
    """Every level from which on the two actions are apart, or together again, with the sigma in between."""
    pairs = list(zip(safest.positions, best_mean.positions, strict=True))
    apart = [_apart(grid, row, *pair) for row, pair in zip(noise, pairs, strict=True)]
    found = []
    before = False
    for level, now in enumerate(apart):
        if now != before:
            low, high = float(sigma[max(0, level - 1)]), float(sigma[level])
            jumps = [jump for jump in [*safest.jumps, *best_mean.jumps] if level and low <= jump.sigma <= high]
            # a jump parts them, or brings them together; without one they drift
            sigmas = [(jump.sigma, jump.uncertainty) for jump in jumps] or [(0.5 * (low + high), 0.5 * (high - low))]
            where, error = min(sigmas) if now else max(sigmas)
            places = [tuple(place.tolist()) for place in pairs[level]]
            found.append(Parting(where, error, places[0], places[1], now))
        before = now
    return found


@checked_call()
def safest_action(
    source: Distribution | Landscape | Evolution,
    q: float = 0.1,
    *,
    sigma: Sigma | None = None,
    solver: str | Solver = "auto",
    tolerance: float | None = None,
    most: int = MOST_THRESHOLDS,
    progress: Callable[[int, int], object] | None = None,
) -> SafestAction:
    """Which action is safest at each exploration noise, and when does it differ from the action with the best mean?

    Safest is the action with the best tail mean (CVaR): the mean of the worst q of all returns Q(mu + sigma Z).

    Parameters
    ----------
    source
        A landscape or an evolution, see `distribution`; or a distribution.
    q
        The fraction of the worst returns, 1e-9 to 1.
    sigma, solver
        As of `distribution`; not where that is given.
    tolerance, most, progress
        As of `Distribution.tail_mean`.

    Returns
    -------
    found
        Print it for the findings.

    Raises
    ------
    UnsupportedError
        For correlated noise, for a flat landscape, and for all that `distribution` refuses.

    Notes
    -----
    A jump is located between the levels by solving there, with thresholds near the quantiles of the two actions. What
    the sampling of Q leaves in it is of second order in h / sigma: (c - Q)_+ has a kink between nodes. Two jumps
    between neighbouring levels are seen as one.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.risk import safest_action
    >>> grid = Grid(Axis("x", -4.0, 4.0, 2001, boundary="clip"))
    >>> peaks = lambda x: np.exp(-((x + 1) ** 2) / 0.02) + 0.8 * np.exp(-((x - 0.8) ** 2) / 0.32)
    >>> found = safest_action(Landscape.from_function(peaks, grid), q=0.1, sigma=[0.02, 0.05, 0.1])
    >>> [round(each.sigma_jump.sigma, 3) for each in (found.safest, found.best_mean)], len(found.partings)
    ([0.033, 0.079], 2)
    """
    fraction = fraction_of(q)
    law = source if isinstance(source, Distribution) else distribution(source, sigma, solver=solver)
    if law.covariance is not None:
        raise UnsupportedError(
            "the safest action is tracked along sigma, but this noise is correlated",
            advice="use Distribution.tail_mean, or pass one sigma per axis",
        )
    if law.landscape.oscillation == 0:
        raise UnsupportedError("the landscape is constant, so no action is safer than another")
    tail = law.tail_mean(fraction, tolerance=tolerance, most=most, progress=progress)
    sign = law.landscape.sense.sign
    flow = PositiveFlow(law.landscape, law.solver, sign)
    wanted = float(np.ldexp(tail.tolerance, -flow.exponent))
    noise = law.noise
    levels = noise.max(axis=1)
    means, tails = flow.means(lambda s: s[None], noise)[:, 0], flow.pure(tail.values)
    safest, safe_nodes = _actions(_Measure(flow, fraction, wanted, most), tails, noise, law)
    best_mean, mean_nodes = _actions(_Measure(flow, None, wanted, most), means, noise, law)

    def loss(fields: Array, better: list[int], worse: list[int]) -> NDArray[np.float64]:
        heights = []
        for nodes in (better, worse):
            near = [_Quadratic.of(field, law.grid, node) for field, node in zip(fields, nodes, strict=True)]
            heights.append(np.array([one(one.top()) for one in near]))
        return np.asarray(flow.difference(heights[0] - heights[1]), np.float64)

    return SafestAction(
        *(fraction, levels, safest, best_mean, _partings(law.grid, noise, levels, safest, best_mean)),
        *(loss(means, mean_nodes, safe_nodes), loss(tails, safe_nodes, mean_nodes), law, tail),
    )
