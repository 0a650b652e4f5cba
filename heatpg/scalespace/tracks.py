"""Tracks of critical points through sigma, and their events: creations, annihilations, merges, jumps of the optimum."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.field import HeatField
from heatpg.core.grid import position_words
from heatpg.core.levels import LevelField
from heatpg.core.sense import Sense
from heatpg.errors import SigmaError, UnsupportedError
from heatpg.evolution import Evolution
from heatpg.scalespace.confining import confine
from heatpg.scalespace.critical import (
    KINDS,
    CriticalPoints,
    check_kinds,
    find,
)
from heatpg.scalespace.drawn import SEEN, error_of_q, fold_error, groups_of, jump_error, lead_errors, shows_jump
from heatpg.scalespace.events import Event, History, Track
from heatpg.scalespace.following import Follower
from heatpg.scalespace.jumps import Optimum, choose, jumps
from heatpg.scalespace.linking import Links
from heatpg.scalespace.places import periods
from heatpg.scalespace.units import Problem, Units, require_structure
from heatpg.tools.calls import checked_call
from heatpg.tools.lines import one_line
from heatpg.tools.progress import Progress, progress_of

__all__ = ["Event", "ScaleSpace", "Track", "track"]

Array = NDArray[Any]

_PLURALS = {"maximum": "maxima", "minimum": "minima", "saddle": "saddles"}
_DIFFERENCE = 1e-3  # of t: a central difference is then off by about 1e-6 of the drift, far above rounding (taste)
_ONE_RATIO = 1e-12  # of sigma: rounding in levels that a caller has scaled


class ScaleSpace:
    """Critical points of a landscape as functions of sigma; returned by `track`.

    Attributes
    ----------
    evolution, landscape, grid
        The evolution, its landscape and its grid.
    kinds
        The kinds of critical points that were tracked.
    sigma
        The levels (of the noisiest axis), shape (T,).
    tracks
        All tracks, those of the first sigma first.
    events
        All events, by sigma.
    optimum
        Number of the track that is the global maximum at each level, of a loss the global minimum, shape (T,); -1 where
        the best value lies on no track (a ridge or a plateau: see `flags`).
    optimum_positions, optimum_values
        Its location, shape (T, dimensions), and its value, shape (T,).
    field
        The solution between the nodes and between the levels.
    ratio
        Noise per axis over that of the noisiest, shape (dimensions,).
    pure, ray
        Tracks and events in pure numbers, from which all of the above is put back into the units of Q and the axes; and
        the line of noises that they run along.
    flags
        Remarks: ties, edges, ridges, points that could not be followed.
    """

    def __init__(self, pure: PureTracks, field: HeatField, ray: Ray, kinds: Sequence[str]) -> None:
        units = pure.problem.units
        self.evolution = pure.problem.evolution
        self.landscape = self.evolution.landscape
        self.grid = self.evolution.grid
        self.kinds = tuple(kinds)
        self.sigma = np.ldexp(pure.history.sigma, ray.exponent)
        # of what was drawn, births and deaths without the error of the draws
        self._exact = 0
        measured = {id(event): event.measured(units, ray.exponent) for event in pure.events}
        events = {key: self._with_error_of_fold(event, field, ray.ratio) for key, event in measured.items()}
        self.events = list(events.values())
        self.tracks: list[Track] = [one.measured(units, ray.exponent, events) for one in pure.history.tracks]
        self.optimum = pure.optimum.tracks
        self.optimum_positions = units.places(pure.optimum.positions)
        self.optimum_values = units.values(pure.optimum.values)
        self.field = field
        self.ratio = ray.ratio
        self.pure = pure
        self.flags: list[str] = []
        self.ray = ray
        self._shown: dict[tuple[float, tuple[int, ...]], bool] = {}
        if isinstance(field, LevelField):
            self.events = [self._with_error_of_draws(event, field) for event in self.events]
        self._flag()

    @functools.cached_property
    def _groups(self) -> list[LevelField]:
        return groups_of(self.evolution)

    def _with_error_of_fold(self, event: Event, field: HeatField, ratio: Array) -> Event:
        """Of a birth or a death of what was drawn: the error of its sigma over the draws, where it is known."""
        if not isinstance(field, LevelField) or event.kind not in ("birth", "death"):
            return event
        error = fold_error(self._groups, field, ratio, event.sigma, np.array(event.position))
        # as of jumps
        most = float(np.ptp(self.sigma))
        return (
            event if error is None else dataclasses.replace(event, uncertainty=max(event.uncertainty, min(error, most)))
        )

    def _with_error_of_draws(self, event: Event, field: LevelField) -> Event:
        if event.kind != "jump":
            return event
        # the level next to the jump, where one of the two may end
        around, level = self._places_around(event), int(np.abs(self.sigma - event.sigma).argmin())
        places = around[level]
        for side, number in enumerate(event.tracks):
            with contextlib.suppress(SigmaError):
                places[side] = self.locate(number, event.sigma)[0] if number >= 0 else places[side]
        error = jump_error(self.evolution, field, event.sigma, places)
        # a jump of what was followed from one level to another lies between them
        return dataclasses.replace(event, uncertainty=max(event.uncertainty, min(error, float(np.ptp(self.sigma)))))

    def shows(self, jump: Event) -> bool:
        """Whether a jump is shown: always where u was solved for, and by two standard errors where it was drawn.

        Then the old maximum has to lead significantly at a level below, and the new one at a level above. Where one of
        the two does not exist, the end of its track takes its place.
        """
        if not isinstance(self.field, LevelField):
            return True
        which = (jump.sigma, jump.tracks)
        if which not in self._shown:
            places = self._places_around(jump)
            self._shown[which] = shows_jump(self.evolution, self.field, self.sigma, jump.sigma, places)
        return self._shown[which]

    @functools.cached_property
    def rival(self) -> tuple[float, NDArray[np.float64]] | None:
        """Where draws leave open that another maximum is the optimum: the first such sigma, and its place there.

        Its value is not below that of the optimum by two standard errors of the difference. None where u was solved
        for, and where all others are lower.
        """
        if not isinstance(self.field, LevelField):
            return None
        rows = [
            (level, step, one)
            for one in self.tracks
            if one.kind == self.sense.extremum
            for step, level in enumerate(one.levels.tolist())
            if one.number != self.optimum[level]
        ]
        if not rows:
            return None
        levels = np.array([level for level, _, _ in rows])
        places = np.stack([self.optimum_positions[levels], [one.positions[step] for _, step, one in rows]], axis=1)
        behind = self.sense.sign * (self.optimum_values[levels] - [one.values[step] for _, step, one in rows])
        close = np.flatnonzero(behind <= SEEN * lead_errors(self.evolution, self.sigma[levels], places))
        if not len(close):
            return None
        first = close[np.lexsort((behind[close], levels[close]))[0]]
        return float(self.sigma[levels[first]]), places[first, 1]

    def _places_around(self, jump: Event) -> Array:
        """The maximum that is left and the one that takes its place, at every level; shape (levels, 2, dimensions)."""
        places = np.empty((len(self.sigma), 2, self.grid.dimensions))
        before = max(0, int(np.searchsorted(self.sigma, jump.sigma)) - 1)
        for side, number in enumerate(jump.tracks):
            if number < 0:
                # the best node of a ridge
                places[:, side] = np.asarray(jump.position) if side else self.optimum_positions[before]
            else:
                one = self.tracks[number]
                steps = np.arange(len(self.sigma)) - one.levels[0]
                places[:, side] = one.positions[steps.clip(0, len(one.levels) - 1)]
        return places

    def _flag(self) -> None:
        for sentence, levels in self.pure.optimum.flags:
            first, last = self.sigma[levels[0]], self.sigma[levels[-1]]
            which = "1 level, sigma" if len(levels) == 1 else f"{len(levels)} levels, sigma {first:.4g} to"
            self.flags.append(f"{sentence} ({which} {last:.4g})")
        if self.evolution.drawn is not None:
            words = "uncertainties of jumps, births and deaths are standard errors over the draws"
            if self._exact:
                few = "1 birth or death" if self._exact == 1 else f"{self._exact} births and deaths"
                words += f"; those of {few} do not include them"
            self.flags.append(words)
        unresolved = [event for event in self.events if event.kind in ("lost", "found")]
        if unresolved:
            first, last = unresolved[0].sigma, unresolved[-1].sigma
            several = len(unresolved) > 1
            count = f"{len(unresolved)} ends of tracks have" if several else "1 end of a track has"
            where = f"{first:.4g} to {last:.4g}" if several else f"{first:.4g}"
            self.flags.append(
                f"{count} no identified cause (sigma {where}): below the resolution of the grid, or too close to others"
            )
        flat = [event.sigma for event in self.events if event.kind in ("fades", "emerges")]
        if flat:
            count = f"{len(flat)} ends of tracks are" if len(flat) > 1 else "1 end of a track is"
            self.flags.append(
                f"{count} where u is flat to round-off (sigma {flat[0]:.4g} to {flat[-1]:.4g}): no event, the place of "
                "an extremum on a plateau is not determined"
            )
        noise = self.sigmas(float(self.sigma[0]))
        if not self.field.resolved(noise):
            self.flags.append(
                f"the first sigma is {float((noise / np.array(self.grid.spacing)).min()):.2g} grid spacings; below 1.5 "
                f"the critical points depend on how u is interpolated between its nodes"
            )

    def __repr__(self) -> str:
        return (
            f"<ScaleSpace of {self.landscape.name!r}: {len(self.tracks)} tracks, {len(self.events)} events, sigma "
            f"{self.sigma[0]:g} to {self.sigma[-1]:g}>"
        )

    def sigmas(self, sigma: float) -> NDArray[np.float64]:
        """Noise per axis where that of the noisiest is sigma, shape (dimensions,)."""
        return np.asarray(sigma * self.ratio)

    @property
    def sense(self) -> Sense:
        """Which way is better, with the words for it."""
        return self.landscape.sense

    def count(self, kind: str = "", *, on_edge: bool = True) -> NDArray[np.int64]:
        """Number of critical points of a kind at each level, with or without those on the edge of the box, shape (T,).

        Where the best value lies on a ridge or a plateau, and so on no track, that is counted as one extremum.

        Parameters
        ----------
        kind
            ``maximum``, ``minimum`` or ``saddle``; by default that of the optimum.
        on_edge
            Whether those on the edge of the box count.

        Raises
        ------
        UnknownNameError
            For an unknown kind.
        UnsupportedError
            For a kind that was not tracked.
        """
        (chosen,) = check_kinds(kind or self.sense.extremum)
        if chosen not in self.kinds:
            raise UnsupportedError(
                "this kind of critical point was not tracked", given=chosen, allowed=", ".join(self.kinds)
            )
        flat = self.pure.optimum.flat.get(self.sense.kind(chosen))
        result = np.zeros(len(self.sigma), dtype=np.int64) + (0 if flat is None else flat)
        for one in self.tracks:
            if one.kind == chosen and (on_edge or not one.on_edge):
                result[one.levels] += 1
        return result

    def points(self, level: int) -> CriticalPoints:
        """The critical points at one level."""
        points = self.pure.history.points[level]
        points = points.select(self.pure.problem.inside(points.positions))
        return points.measured(self.pure.problem.units, self.sigmas(float(self.sigma[level])))

    @property
    def jumps(self) -> list[Event]:
        """Every change of the global maximum (of a loss, minimum) from one track to another."""
        return [event for event in self.events if event.kind == "jump"]

    @property
    def sigma_jump(self) -> Event | None:
        """The first jump of the optimum, or None if it stays on its track."""
        return next(iter(self.jumps), None)

    @property
    def clearest_jump(self) -> Event | None:
        """The first jump that is shown, see `shows`; without one the first of all, or None if the optimum has none."""
        return next((event for event in self.jumps if self.shows(event)), self.sigma_jump)

    def price_error(self, jump: Event) -> float | None:
        """Standard error over the draws of Q at the new optimum of a jump; None where groups of draws are not known."""
        if not isinstance(self.field, LevelField):
            return None
        return error_of_q(self.evolution, self.field, jump.sigma, np.asarray(jump.position))

    @property
    def sigma_death(self) -> Event | None:
        """The end of the track that is the optimum at the first level, or None if it still exists at the last.

        If several share the best value at the first level, the first end. The kind of the event tells how it ends: a
        death, a merge, or reaching the edge of the box. What fades into a plateau does not end.
        """
        ends = [self.tracks[number].death for number in self.pure.optimum.equal[0]]
        ended = (event for event in ends if event is not None and event.kind != "fades")
        return min(ended, key=lambda event: event.sigma, default=None)

    def locate(self, number: int, sigma: float) -> tuple[NDArray[np.float64], float]:
        """Position and value of a track at any sigma at which it exists, solved for and not interpolated.

        Raises
        ------
        SigmaError
            If the track does not exist there.
        """
        found = self.pure.history.locate(number, math.ldexp(sigma, -self.ray.exponent))
        if found is None:
            one = self.tracks[number]
            born = one.sigma[0] if one.birth is None else one.birth.sigma
            dies = one.sigma[-1] if one.death is None else one.death.sigma
            raise SigmaError(
                f"track {number} does not exist at this sigma", given=sigma, allowed=f"{born:.7g} to {dies:.7g}"
            )
        units = self.pure.problem.units
        return units.places(found[0]), float(units.values(found[1]))

    def drift(self, number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Drift of a critical point, predicted and observed: dmu*/dsigma^2 = -1/2 H^-1 grad(Laplace u).

        The observed one is the difference of its positions, each solved for, at sigma^2 (1 +- 1e-3), second order;
        where the track ends within that, and at sigma = 0, it is NaN. With different noise per axis sigma^2 is that of
        the noisiest, and u_t takes the place of Laplace(u) / 2.

        Returns
        -------
        predicted, observed
            Shape (levels, dimensions) each, in units of the axes over those of sigma squared.
        """
        history = self.pure.history
        one = history.tracks[number]
        # "observed" means solved for at two neighbouring t by the follower, which uses the drift to predict only
        times = one.sigma**2
        rows = zip(one.levels.tolist(), history.rows[number], strict=True)
        free = np.array([history.points[level].free[row] for level, row in rows])
        predicted = history.follower.drift(one.positions, times, free)[0]
        observed = np.full_like(predicted, np.nan)
        around = periods(history.follower.grid)
        for i, t in enumerate(times):
            ends = [history.place(one, t * (1.0 + sign * _DIFFERENCE)) for sign in (-1.0, 1.0) if t > 0]
            found = [end[0] for end in ends if end is not None]
            if len(found) == 2:
                # the short way around a periodic axis
                move = found[1] - found[0]
                move -= around * np.round(move / np.where(around > 0, around, np.inf))
                observed[i] = move / (2.0 * _DIFFERENCE * t)
        # lengths over squares of sigma
        exponents = self.pure.problem.units.exponents - 2 * self.ray.exponent
        return np.ldexp(predicted, exponents), np.ldexp(observed, exponents)

    def event_as_dict(self, event: Event) -> dict[str, Any]:
        """An event as JSON-like values; of a jump between maxima of drawn fields also whether the draws show it."""
        drawn = isinstance(self.field, LevelField) and event.kind == "jump"
        return event.as_dict() | ({"shown": self.shows(event)} if drawn else {})

    def __str__(self) -> str:
        first, last = self.sigma[0], self.sigma[-1]
        lines = [f"{self.landscape.name}: {len(self.sigma)} levels, sigma = {first:.6g} to {last:.6g}"]
        for kind in self.kinds:
            counts, held = self.count(kind), self.count(kind) - self.count(kind, on_edge=False)
            ends = [
                f"{counts[k]}" + (f" ({held[k]} on the edge)" if held[k] else "") + f" at {word}"
                for k, word in ((0, "the first sigma"), (-1, "the last"))
            ]
            lines.append(f"{_PLURALS[kind]:14} {', '.join(ends)}")
        for k in (0, -1):
            place = ", ".join(position_words(self.grid, self.optimum_positions[k], 6))
            lines.append(
                f"{'optimum':14} ({place}), value {self.landscape.value_words(float(self.optimum_values[k]))}, "
                f"at sigma = {self.sigma[k]:.6g}"
            )
        for label, event in (("sigma_jump", self.sigma_jump), ("sigma_death", self.sigma_death)):
            known = "" if event is None or event.kind != "jump" or self.shows(event) else ", not shown by the draws"
            lines.append(f"{label:14} {event if event is not None else 'none up to the last sigma'}{known}")
        if len(self.jumps) > 1:
            lines.append(f"{'':14} {len(self.jumps)} jumps in all")
        lines.extend(f"{'note':14} {flag}" for flag in self.flags)
        return "\n".join(map(one_line, lines))

    def as_dict(self) -> dict[str, Any]:
        """The tracks and events as JSON-like values."""
        place = {id(event): number for number, event in enumerate(self.events)}

        def of(one: Track) -> dict[str, Any]:
            return {
                "number": one.number,
                "kind": one.kind,
                "on_edge": one.on_edge,
                "index": one.index,
                "sigma": one.sigma.tolist(),
                "positions": one.positions.tolist(),
                "values": one.values.tolist(),
                "birth": None if one.birth is None else place[id(one.birth)],
                "death": None if one.death is None else place[id(one.death)],
            }

        return {
            "landscape": self.landscape.name,
            "sigma": self.sigma.tolist(),
            "ratio": self.ratio.tolist(),
            "counts": {kind: self.count(kind).tolist() for kind in self.kinds},
            "optimum": self.optimum.tolist(),
            "optimum_positions": self.optimum_positions.tolist(),
            "optimum_values": self.optimum_values.tolist(),
            "tracks": [of(one) for one in self.tracks],
            "events": [self.event_as_dict(event) for event in self.events],
            "flags": list(self.flags),
        }


@dataclasses.dataclass(frozen=True, eq=False)
class Ray:
    """A line in the space of noises: sigma_i = ratio_i sqrt(t) at every level.

    Attributes
    ----------
    sigma
        Of the noisiest axis at each level, shape (levels,).
    ratio
        Noise per axis over that of the noisiest, shape (dimensions,).
    exponent
        2 to this power is the unit in which sigma is a pure number: that of the noisiest axis.
    """

    sigma: Array
    ratio: Array
    exponent: int


@dataclasses.dataclass(frozen=True, eq=False)
class PureTracks:
    """Tracks and events in the pure numbers of `heatpg.scalespace.units`; `ScaleSpace` has them in units.

    Attributes
    ----------
    problem
        The evolution that they are of, with its units.
    history
        The tracks, and how their points are found at any sigma.
    optimum
        Which of them is the global maximum at each level.
    events
        All of them, by sigma.
    """

    problem: Problem
    history: History
    optimum: Optimum
    events: list[Event]


def _ray(evolution: Evolution, units: Units) -> Ray:
    """The line of noises, whose ratio must be the same at all levels."""
    if evolution.covariance is not None:
        raise UnsupportedError(
            "tracks need sigma, but this evolution has full covariances",
            advice=(
                "rotate the landscape to the principal axes (heatpg.scalespace.principal_axes) and pass one sigma "
                "per axis"
            ),
        )
    if len(evolution) < 2:
        raise SigmaError(
            "tracks need at least two noise levels",
            given=f"{len(evolution)}",
            advice="for a single level use heatpg.scalespace.critical_points",
        )
    # sigma_i = ratio_i sqrt(t) for all levels: a ray in the space of noises, along which t is one parameter
    sigmas = evolution.sigmas
    largest = sigmas.max(axis=1)
    ratio = sigmas[-1] / largest[-1]
    if np.abs(sigmas - largest[:, None] * ratio).max() > _ONE_RATIO * largest[-1]:
        raise SigmaError(
            "tracks need the same ratios between the axes at all noise levels",
            given=f"{sigmas[0].tolist()} and {sigmas[-1].tolist()}",
            advice="pass multiples of one vector of sigmas per axis",
        )
    return Ray(largest, ratio, int(units.exponents[int(ratio.argmax())]))


@checked_call()
def track(
    evolution: Evolution,
    kinds: Sequence[str] = KINDS,
    *,
    progress: Progress = None,
) -> ScaleSpace:
    """Track the critical points of an evolution through sigma: how they move, annihilate and are created.

    Each critical point is followed by dmu*/dt = -H^-1 grad(u_t), corrected by Newton's method on the exact field, from
    every level to the next and, for unmatched points, back. Where two annihilate, grad u = 0 and det H = 0 are solved
    for (mu, t), and the square-root law abs(mu* - mu_c) ~ sqrt(abs(t - t_c)) identifies the pair.

    Parameters
    ----------
    evolution
        Evolution at two or more sigmas with constant ratios between the axes. Events are located between them, so their
        number affects only the resolution of the drawn tracks and whether short-lived tracks are found.
    kinds
        Any of ``maximum``, ``minimum`` and ``saddle``. Without saddles annihilations are still found, but not
        attributed to a saddle.
    progress
        A function that is called as ``progress(done, total)``, or True for a bar: after each
        level, and once more when all are linked.

    Returns
    -------
    space
        Tracks, events, and the optimum at each sigma.

    Raises
    ------
    SigmaError
        For fewer than two sigmas, or changing ratios between the axes.
    UnsupportedError
        For a flat landscape, batch axes, full covariances, or more than three dimensions.

    Notes
    -----
    In one dimension no maximum is created inside the box: each vanishes, merges with an equal one, reaches the edge of
    the box, or is there to the last level. In two or more dimensions maxima can also be created (by a correct solution,
    so it is a finding). Events below 1.5 grid spacings are marked as not resolved. Extrema on an edge of the box are
    tracks of their own, marked `Track.on_edge`. The partner of an event is missing if it was not tracked: it is created
    and vanishes between two neighbouring levels, is of a kind that is not tracked, or lies on an edge of the box and
    is no extremum.

    References
    ----------
    T. Lindeberg, *Scale-Space Theory in Computer Vision*, 1994, doi:10.1007/978-1-4757-6465-9 (drift velocity,
    bifurcations).
    J. Damon, Local Morse theory for solutions to the heat equation and Gaussian blurring, J. Differential Equations
    115 (1995), doi:10.1006/jdeq.1995.1019.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape, evolve
    >>> from heatpg.scalespace import track
    >>> grid = Grid(Axis("x", -5.0, 5.0, 501, boundary="clip"))
    >>> peaks = lambda x: np.exp(-((x - 1) ** 2) / 0.02) + 0.9 * np.exp(-((x + 1) ** 2) / 0.5)
    >>> space = track(evolve(Landscape.from_function(peaks, grid), np.geomspace(0.04, 2.0, 20)), "maximum")
    >>> space.sigma_jump.kind, round(space.sigma_jump.sigma, 6)
    ('jump', 0.04977)
    >>> space.sigma_death.kind, round(space.sigma_death.sigma, 6)
    ('death', 0.562704)
    """
    chosen, tell = check_kinds(kinds), progress_of(progress, "following")
    within = tuple(evolution.landscape.sense.kind(kind) for kind in chosen)  # in pure numbers the optimum is a maximum
    ray = _ray(evolution, Units(evolution.grid))
    field = (
        HeatField(evolution.landscape)
        if evolution.drawn is None
        else LevelField(evolution.landscape, evolution.sigmas[:, 0], np.asarray(evolution.values))
    )
    require_structure(evolution.landscape)
    problem = Problem(evolution)
    times = np.ldexp(ray.sigma, -ray.exponent) ** 2
    ratio = np.ldexp(ray.ratio, ray.exponent - problem.units.exponents)
    points = []
    for level in range(len(times)):
        # A thorough search at the first level only: what is missed at a later one is found by following the points of
        # its neighbours.
        noise, thorough = np.sqrt(times[level]) * ratio, level == 0
        points.append(find(problem.field, noise, problem.values(level), within, problem.round_off, thorough=thorough))
        if tell is not None:
            tell(level + 1, len(times) + 1)
    # Points of each level; which is which from level to level; chains of these as tracks; what happens at their ends;
    # and at last the optimum, which takes all maxima at once.
    links = Links(Follower(problem.field, ratio, problem.round_off), times, points, within)
    history = History(links)
    events = history.events(links)
    if problem.box is not None:
        events = confine(history, events, problem.inside)
    optimum = choose(history, problem, within)
    events.extend(jumps(history, optimum, problem))
    events.sort(key=lambda event: event.sigma)
    if tell is not None:
        tell(len(times) + 1, len(times) + 1)
    return ScaleSpace(PureTracks(problem, history, optimum, events), field, ray, chosen)
