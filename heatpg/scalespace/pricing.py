"""The cost of acting on a smoothed optimum, and the noise levels that limit it or the number of maxima."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.field import HeatField
from heatpg.core.grid import position_words
from heatpg.core.landscape import Landscape
from heatpg.core.linear import piecewise_linear
from heatpg.core.noise import sigma_words
from heatpg.core.walls import variation
from heatpg.errors import OptionError
from heatpg.scalespace.refining import refine
from heatpg.scalespace.tracks import Event, PureTracks, ScaleSpace
from heatpg.scalespace.units import Problem
from heatpg.tools.calls import checked_call
from heatpg.tools.numbers import settled
from heatpg.tools.plain import fields_as_dict

__all__ = ["Limit", "PriceCurve", "count_changes", "noise_words", "place_words", "price", "single_maximum"]

Array = NDArray[Any]

_BISECTIONS = 60  # an end: about 50 exhaust a double
_ENOUGH = 1e-9  # relative, of sigma, at which bisection ends (taste)
_JUMPY = 0.05  # of osc(Q): two interpolants that differ by more do not read a smooth Q (taste)
_DOUBTFUL = 0.1  # of a price: a difference of interpolants above it is told beside the price (taste)
_TOGETHER = 1e-5  # of sigma: the ends of one maximum that changes its number, as at an edge; as for events
_LITTLE = 1e-3  # of the cost limit (taste): less is told as nothing
_NO_CHANGE = ("lost", "found", "fades", "emerges")  # of the number of critical points, in the kinds of `Event`
_HIGHER = 1e-3  # of osc(Q) (taste): a smooth optimum on a usual grid is missed by less
_ON_WALL = 1e-9  # of a spacing: a point on a wall is found there up to rounding errors
_BESIDE = 1e-9  # of sigma: just inside an interval, and not on its end, where a track may not be found


@dataclasses.dataclass(frozen=True)
class Limit:
    """A noise level at which a condition changes.

    Attributes
    ----------
    sigma
        The value, in the units of the axes; None if it lies outside the stored noise levels.
    uncertainty
        Uncertainty of that sigma.
    statement
        One sentence with its meaning, or the reason why there is none.
    """

    sigma: float | None
    uncertainty: float
    statement: str

    def as_dict(self) -> dict[str, Any]:
        """The limit as JSON-like values."""
        return fields_as_dict(self)


def noise_words(space: ScaleSpace, sigma: float, digits: int = 5) -> str:
    """A noise level as text: one number if all axes share it, otherwise one per axis with its unit.

    Examples
    --------
    >>> from heatpg import evolve, landscapes
    >>> from heatpg.scalespace import track
    >>> from heatpg.scalespace.pricing import noise_words
    >>> hill = landscapes.ridge(size=41)
    >>> [noise_words(track(evolve(hill, sigma)), 0.5) for sigma in ([0.4, 0.8], [[0.4, 0.2], [0.8, 0.4]])]
    ['0.5', '(0.5, 0.25)']
    """
    if np.ptp(space.ratio) == 0:
        return sigma_words(sigma, digits=digits)
    return sigma_words(space.sigmas(sigma), digits=digits, unit=[axis.unit for axis in space.grid])


def vanishing_words(space: ScaleSpace) -> str:
    """How an extremum ends in a fold: with a saddle, and in one dimension, where there are none, with its opposite."""
    if space.grid.dimensions > 1:
        return "annihilates with a saddle"
    return f"annihilates with a {'maximum' if space.sense.minimise else 'minimum'}"


def place_words(space: ScaleSpace, position: ArrayLike) -> str:
    """A location in a sentence: coordinates if all axes share unit and sigma, else each by name with its unit.

    On one axis it is the number alone.

    Examples
    --------
    >>> from heatpg import evolve, landscapes
    >>> from heatpg.scalespace import track
    >>> from heatpg.scalespace.pricing import place_words
    >>> hill = landscapes.ridge(size=41)
    >>> place_words(track(evolve(hill, [0.4, 0.8])), [0.5, -1.0])
    '(0.5, -1)'
    >>> place_words(track(evolve(hill, [[0.4, 0.2], [0.8, 0.4]])), [0.5, -1.0])
    'x1 = 0.5, x2 = -1'
    """
    places = position_words(space.grid, position)
    if np.ptp(space.ratio) == 0 and space.grid.unit is not None:
        return f"({', '.join(places)})" if len(places) > 1 else places[0]
    named = zip(places, space.grid, strict=True)
    return ", ".join(f"{axis.name} = {x} {axis.unit}".rstrip() for x, axis in named)


@dataclasses.dataclass(frozen=True, eq=False)
class PriceCurve:
    """The price (suboptimality gap) of acting on the smoothed optimum, as a function of sigma.

    Attributes
    ----------
    sigma
        The levels, shape (T,).
    positions
        mu*_sigma, the optimum of u(., sigma), shape (T, dimensions).
    best_position, best
        The optimum mu*_0 of Q itself and Q there.
    price
        Q(mu*_0) - Q(mu*_sigma), shape (T,): the loss from acting on the smoothed optimum without noise.
    uncertainty
        Uncertainty of the price, shape (T,): 0 if Q can be evaluated between its nodes (`Landscape.has_sampler`),
        otherwise the difference of two interpolants.
    drop
        Q(mu*_0) - u(mu*_sigma, sigma), shape (T,): the decrease of the optimum value under noise.
    on_edge
        Whether that optimum lies on the edge of the box, shape (T,).
    oscillation
        osc(Q) = max Q - min Q, the scale for prices.
    above_mean
        Q(mu*_0) minus the mean of Q over the box: the gain of the optimum over uniformly random actions.
    jump_sigma
        Where the optimum jumps, shape (J,).
    jump_price, jump_uncertainty
        The price just before and just after each jump, and its uncertainty, shape (J, 2).
    jump_drop
        The drop at each jump, shape (J,); u is equal before and after it.
    """

    sigma: NDArray[np.float64]
    positions: NDArray[np.float64]
    best_position: NDArray[np.float64]
    best: float
    price: NDArray[np.float64]
    uncertainty: NDArray[np.float64]
    drop: NDArray[np.float64]
    on_edge: NDArray[np.bool_]
    oscillation: float
    above_mean: float
    jump_sigma: NDArray[np.float64]
    jump_price: NDArray[np.float64]
    jump_uncertainty: NDArray[np.float64]
    jump_drop: NDArray[np.float64]
    _space: ScaleSpace = dataclasses.field(repr=False)
    _best: float = dataclasses.field(repr=False)  # Q at its optimum, in pure numbers

    @property
    def missed(self) -> tuple[NDArray[np.float64], float] | None:
        """A location where Q is better than at `best_position`, and Q there; None if there is none within 1e-3 of
        osc(Q).

        Only the optima of u are searched, so Q may be even higher elsewhere.
        """
        level = int(np.argmin(self.price))
        if self.price[level] >= -_HIGHER * self.oscillation:
            return None
        return self.positions[level], self.best - self._space.sense.sign * float(self.price[level])

    def doubt_words(self, price: float, uncertainty: float) -> str:
        """How far interpolants of rough data differ in a price, as " +- 13"; empty where that is small.

        Examples
        --------
        >>> import numpy as np
        >>> from heatpg import Landscape, evolve, landscapes
        >>> from heatpg.scalespace import price, track
        >>> curve = price(track(evolve(landscapes.ridge(size=41), [0.4, 0.8])))
        >>> curve.doubt_words(5.0, 13.0), curve.doubt_words(5.0, 0.01)
        (' +- 13', '')
        """
        if uncertainty <= max(_DOUBTFUL * abs(price), _HIGHER * self.oscillation):
            return ""
        return f" +- {uncertainty:.2g}"

    def largest_sigma(self, price: float) -> Limit:
        """The largest sigma up to which the price does not exceed a limit in units of Q, located between the stored
        levels.

        Raises
        ------
        OptionError
            For a limit that is not positive.
        """
        if not (math.isfinite(price) and price > 0):
            raise OptionError("the cost limit must be positive", given=price, allowed="a number > 0, in units of Q")
        above = np.flatnonzero(self.price > price)
        if not len(above):
            last = float(self.sigma[-1])
            return Limit(
                None,
                0.0,
                f"up to the largest noise level, sigma = {noise_words(self._space, last, 4)}, acting on the smoothed "
                f"optimum costs {self.most_words(last)}, within the limit of {price:.4g}",
            )
        level = int(above[0])
        if level == 0:
            begin = noise_words(self._space, float(self.sigma[0]), 4)
            return Limit(
                None,
                0.0,
                f"already at the smallest noise level, sigma = {begin}, acting on the smoothed optimum costs "
                f"{self.price[0]:.4g}",
            )
        # Between these two levels the optimum is on one track after the other. On each the price is continuous, so the
        # limit is passed either within a track, where bisection finds it, or by the jump onto one.
        low, high = float(self.sigma[level - 1]), float(self.sigma[level])
        jumps = [event for event in self._space.jumps if low < event.sigma <= high]
        numbers = [int(self._space.optimum[level - 1]), *(event.tracks[1] for event in jumps)]
        edges = [low, *(event.sigma for event in jumps), high]
        landings = {event.sigma: event.uncertainty for event in jumps}
        for number, first, last in zip(numbers, edges[:-1], edges[1:], strict=True):
            if first in landings and (self.jump_price[self.jump_sigma == first, 1] > price).any():
                # where it lands may be on no track yet
                return Limit(first, landings[first], self._stays(first, price))
            found = self._crossing(number, first, last, price)
            if found is not None:
                sigma, error = found
                return Limit(sigma, error, self._stays(sigma, price))
        return Limit(low, high - low, self._stays(low, price))

    def most(self, sigma: float) -> float:
        """The largest price at the levels, and on either side of the jumps, up to a noise level; at least 0.

        A jump at that noise level itself counts with the price before it.
        """
        before = self.jump_sigma <= sigma * (1.0 + _TOGETHER)
        after = self.jump_sigma < sigma * (1.0 - _TOGETHER)
        prices = (self.price[self.sigma <= sigma], self.jump_price[before, 0], self.jump_price[after, 1])
        return float(settled(float(np.concatenate(prices).max(initial=0.0)), self.oscillation))

    def most_words(self, sigma: float, digits: int = 4) -> str:
        """The largest price up to a noise level, as "at most 0.2" or "nothing"."""
        most = self.most(sigma)
        return f"at most {most:.{digits}g}" if most > 0 else "nothing"

    def cost_words(self, sigma: float, price: float) -> str:
        """What acting on the smoothed optimum costs up to the noise level at which the price passes a limit."""
        here = np.abs(self.jump_sigma - sigma) <= _TOGETHER * sigma
        # before a jump past the limit the price may be far below it
        if (self.jump_price[here, 1] > price).any():
            most = self.most(sigma)
            little = "next to nothing" if most < _LITTLE * price else f"at most {most:.2g}"
            return f"{little}, and above it more than the limit of {price:.4g}"
        return f"at most {price:.4g}"

    def _stays(self, sigma: float, price: float) -> str:
        return (
            f"up to sigma = {noise_words(self._space, sigma)} acting on the smoothed optimum costs "
            f"{self.cost_words(sigma, price)}"
        )

    def _crossing(self, number: int, low: float, high: float, price: float) -> tuple[float, float] | None:
        """Where, on one track, the price passes the limit; at once, if it does so by the jump onto the track."""
        if number < 0:
            return None
        pure, exponent = self._space.pure, self._space.ray.exponent

        def excess(sigma: float) -> float | None:
            found = pure.history.locate(number, math.ldexp(sigma, -exponent))
            if found is None:
                return None
            read = float(_read(pure.problem.field, found[0][None])[0][0])
            return float(pure.problem.units.differences(self._best - read)) - price

        first = excess(low * (1.0 + _BESIDE))
        if first is not None and first > 0:
            return low, low * _BESIDE
        last = excess(high * (1.0 - _BESIDE))
        if last is None or last <= 0:
            return None
        # bisection, not a faster method: where Q is rough the price has kinks and jumps, and any crossing will do
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            if high - low <= _ENOUGH * middle:
                break
            value = excess(middle)
            # a track that has not begun there costs nothing that is known
            low, high = (middle, high) if value is None or value <= 0 else (low, middle)
        return 0.5 * (low + high), 0.5 * (high - low)

    def __str__(self) -> str:
        place = place_words(self._space, self.best_position)
        rows = [
            f"optimum of Q: {self._space.landscape.value_words(self.best)} at {place}",
            f"{'sigma':>12} {'price':>12} {f'{self._space.sense.lost} of u':>12}",
        ]
        for i in np.unique(np.linspace(0, len(self.sigma) - 1, min(12, len(self.sigma))).astype(int)):
            edge = "  on the edge" if self.on_edge[i] else ""
            doubt = self.doubt_words(self.price[i], self.uncertainty[i])
            rows.append(
                f"{self.sigma[i]:12.4g} {settled(self.price[i], self.oscillation):12.4g} "
                f"{settled(self.drop[i], self.oscillation):12.4g}{edge}"
                + (f"  price{doubt}, interpolated" if doubt else "")
            )
        return "\n".join(rows)

    def as_dict(self) -> dict[str, Any]:
        """The curve as JSON-like values."""
        return fields_as_dict(self)


def _read(field: HeatField, points: Array) -> tuple[Array, Array]:
    """Q at points, exactly if its origin is known; else between its nodes, and how far two interpolants differ."""
    landscape = field.landscape
    stated = _on_stated_wall(landscape, points)
    if landscape.has_sampler:
        values = np.array(landscape.sample(points))
        values[stated] = piecewise_linear(landscape, points[stated])
        return values, np.zeros(len(points))
    smooth, rough = field.value(points, 0.0), piecewise_linear(landscape, points)
    apart = np.where(stated, 0.0, np.abs(smooth - rough))
    # where Q is not smooth, the piecewise linear one does not overshoot
    return np.where(stated | (apart > _JUMPY * landscape.oscillation), rough, smooth), apart


def _on_stated_wall(landscape: Landscape, points: Array) -> NDArray[np.bool_]:
    """Which points lie on a wall where Q is stated."""
    found = np.zeros(len(points), dtype=bool)
    faces = landscape.stated_faces
    if faces is not None:
        for position in faces.positions:
            axis = landscape.grid[position]
            for wall, side in zip((axis.lower, axis.upper), faces.sides[position], strict=True):
                if side is not None:
                    found |= np.abs(points[:, position] - wall) <= _ON_WALL * axis.spacing
    return found


@checked_call()
def price(space: ScaleSpace) -> PriceCurve:
    """The price of acting on the smoothed optimum, Q(mu*_0) - Q(mu*_sigma), and the drop of u.

    For a loss it is Q(mu*_sigma) - Q(mu*_0), with the rise of u: a positive price is a disadvantage.

    Parameters
    ----------
    space
        Result of `track`.

    Returns
    -------
    curve
        One entry per level; `PriceCurve.largest_sigma` finds the largest sigma within a cost limit.

    Notes
    -----
    mu*_0 is the largest node of Q, or a wall with a larger stated value (`Landscape(faces=)`), or the nearby maximum of
    the interpolant of Q if Q is higher there. Q(mu*_sigma) is
    evaluated with the sampler of the landscape. If only the nodes are known and Q is rough, it depends on the
    interpolation; see `PriceCurve.uncertainty`.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape, evolve
    >>> from heatpg.scalespace import price, track
    >>> grid = Grid(Axis("x", -6.0, 6.0, 601, boundary="clip"))
    >>> peaks = lambda x: np.exp(-((x - 2) ** 2) / 0.02) + 0.8 * np.exp(-((x + 2) ** 2) / 0.5)
    >>> space = track(evolve(Landscape.from_function(peaks, grid), np.geomspace(0.04, 1.0, 12)), "maximum")
    >>> curve = price(space)
    >>> curve.price[[0, -1]].round(3), round(curve.largest_sigma(0.1).sigma, 4)
    (array([0. , 0.2]), 0.0775)
    """
    pure, units = space.pure, space.pure.problem.units
    field, grid = pure.problem.field, pure.problem.field.grid
    # The best of Q: its largest node, or stated wall, unless the interpolant has a smooth maximum within a cell that is
    # higher.
    best_position, best = pure.problem.best_place
    near = _refined_top(pure.problem, best_position)
    if near is not None and near[1] > best:
        best_position, best = near
    jumps = [event for event in pure.events if event.kind == "jump"]
    sides = [place for event in jumps for place in (_before(pure, event), np.array(event.position))]
    # at each jump the place before and the place after it, one after the other
    places = np.concatenate((pure.optimum.positions, np.reshape(sides, (len(sides), grid.dimensions))))
    # one call, as each point may be a rollout
    all_reads, all_apart = _read(field, places)
    levels = len(space.sigma)
    reads, apart = all_reads[:levels], all_apart[:levels]
    edge = np.array([n >= 0 and space.tracks[n].on_edge for n in space.optimum.tolist()])
    return PriceCurve(
        sigma=space.sigma,
        positions=space.optimum_positions,
        best_position=units.places(best_position),
        best=float(units.values(best)),
        price=units.differences(best - reads),
        uncertainty=units.differences(apart),
        drop=units.differences(best - pure.optimum.values),
        on_edge=edge,
        oscillation=variation(space.landscape),
        above_mean=float(units.differences(best - pure.problem.mean)),
        jump_sigma=np.array([event.sigma for event in space.jumps]),
        jump_price=units.differences(best - all_reads[levels:].reshape(-1, 2)),
        jump_uncertainty=units.differences(all_apart[levels:].reshape(-1, 2)),
        jump_drop=units.differences(best - np.array([event.value for event in jumps])),
        _space=space,
        _best=best,
    )


def _before(pure: PureTracks, jump: Event) -> Array:
    """Where the optimum is just before it jumps."""
    number, history = jump.tracks[0], pure.history
    if number < 0:
        return np.asarray(pure.optimum.positions[max(0, int(np.searchsorted(history.sigma, jump.sigma)) - 1)])
    found = history.locate(number, jump.sigma * (1.0 - _BESIDE))
    if found is None:  # its track ends there
        old = history.tracks[number]
        return np.asarray(old.positions[int(np.abs(old.sigma - jump.sigma).argmin())])
    return found[0]


def _refined_top(problem: Problem, start: Array) -> tuple[Array, float] | None:
    """The maximum of the interpolant of Q beside its largest node, if it is a smooth one within a cell."""
    field, d = problem.field, problem.field.grid.dimensions
    everywhere, still = np.ones((1, d), dtype=bool), np.zeros((1, d))
    found = refine(field, start[None], still, everywhere, leash=1.0, round_off=problem.round_off)
    # a maximum with a regular Hessian within a cell of the node, or none
    if not found.converged[0] or found.index[0] != d:
        return None
    value, apart = _read(field, found.positions)
    if apart[0] > _JUMPY * field.landscape.oscillation:
        return None
    return found.positions[0], float(value[0])


def count_changes(space: ScaleSpace, kind: str = "") -> list[tuple[Event, int]]:
    """The events that change the number of critical points of a kind, by sigma, and the changes.

    An event changes it by the tracks of that kind that begin at it, less those that end at it. So a death and a merge
    do, also that of a point on the edge; a maximum that reaches the edge, and is held there from then on, or
    leaves it, ends on one track and begins on another: the number stays.

    Parameters
    ----------
    space
        What `track` returned.
    kind
        ``maximum``, ``minimum`` or ``saddle``, by default that of the optimum; those on the edge of the box count, as
        in `ScaleSpace.count`.

    Returns
    -------
    changes
        Events and differences, none of them 0. What happens within 1e-5 of sigma counts as one, under its last event.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import evolve, landscapes
    >>> from heatpg.scalespace import track
    >>> from heatpg.scalespace.pricing import count_changes
    >>> space = track(evolve(landscapes.unequal_bumps(size=401), np.geomspace(0.1, 2.0, 8)))
    >>> [(event.kind, change) for event, change in count_changes(space)], space.count().tolist()
    ([('death', -1)], [2, 2, 2, 2, 2, 1, 1, 1])
    """
    kind = kind or space.sense.extremum
    # by identity: two events may agree in all that they say
    differences: dict[int, int] = {}
    events: dict[int, Event] = {}
    for one in space.tracks:
        for event, change in ((one.birth, 1), (one.death, -1)):
            if one.kind == kind and event is not None:
                events[id(event)] = event
                differences[id(event)] = differences.get(id(event), 0) + change
    # An extremum that the edge takes over ends on one track and begins on another, at sigmas that differ by rounding:
    # as one change they are none.
    together: list[tuple[Event, int]] = []
    for event in sorted(events.values(), key=lambda each: each.sigma):
        change = differences[id(event)]
        if together and event.sigma - together[-1][0].sigma <= _TOGETHER * event.sigma:
            change += together.pop()[1]
        together.append((event, change))
    return [(event, change) for event, change in together if change]


@checked_call()
def single_maximum(space: ScaleSpace) -> Limit:
    """The smallest sigma from which on one maximum (of a loss, one minimum) is left, up to the last level.

    Extrema on an edge of the box count: ascent can end there. So a maximum that reaches the edge is not gone.
    """
    counts, words = space.count(), space.sense
    last = int(counts[-1])
    if last != 1:
        end = f"at the largest noise level, sigma = {noise_words(space, float(space.sigma[-1]), 4)}"
        word = f"no {words.extremum} remains" if last == 0 else f"{last} {words.extrema} remain"
        return Limit(None, 0.0, f"{word} {end}")
    # The last level that has not one maximum, and the next one: what ends in between is looked up among the events.
    several = np.flatnonzero(counts != 1)
    low = float(space.sigma[several[-1]]) if len(several) else 0.0
    # ends that could not be explained, or are those of round-off, say nothing of the number where the levels on both
    # sides have one maximum
    high = float(space.sigma[several[-1] + 1]) if len(several) else 0.0
    changes = [
        event
        for event, _ in count_changes(space)
        if event.sigma >= low and (event.sigma <= high or event.kind not in _NO_CHANGE)
    ]
    if changes:
        event = changes[-1]
        return Limit(event.sigma, event.uncertainty, _single(space, event.sigma))
    if not len(several):
        first = noise_words(space, float(space.sigma[0]), 4)
        return Limit(None, 0.0, f"there is a single {words.extremum} at every noise level from sigma = {first} on")
    return Limit(high, high - low, _single(space, high))


def _single(space: ScaleSpace, sigma: float) -> str:
    return f"for sigma >= {noise_words(space, sigma)} a single {space.sense.extremum} remains"
