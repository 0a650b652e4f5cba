"""Tracks of critical points through sigma, and the events on them: births, deaths, merges, jumps of the optimum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.field import HeatField
from heatpg.errors import SigmaError, UnsupportedError
from heatpg.evolution import Evolution
from heatpg.scalespace.critical import (
    KINDS,
    CriticalPoints,
    check_kinds,
    find,
    periods,
    require_structure,
    round_off_scale,
)
from heatpg.scalespace.events import Event, History, Track
from heatpg.scalespace.following import Follower
from heatpg.scalespace.jumps import Optimum, choose, jumps
from heatpg.scalespace.linking import Links

__all__ = ["Event", "ScaleSpace", "Track", "track"]

Array = NDArray[Any]

_PLURALS = {"maximum": "maxima", "minimum": "minima", "saddle": "saddles"}
_DIFFERENCE = 1e-3  # of t: a central difference is then off by about 1e-6 of the drift, far above rounding (taste)
_ONE_RATIO = 1e-12  # of sigma: rounding in levels that a caller has scaled


class ScaleSpace:
    """Critical points of a landscape against sigma; made by `track`.

    Attributes
    ----------
    evolution, landscape, grid
        The fields that the tracks run through, and what they are of.
    kinds
        The kinds of critical points that were followed.
    sigma
        The levels (of the noisiest axis), shape (T,).
    tracks
        All of them, those of the first sigma first.
    events
        All of them, by sigma.
    optimum
        Number of the track that is the global maximum at each level, shape (T,); -1 where the largest value lies on no
        track (a ridge or a plateau: see `flags`).
    optimum_positions, optimum_values
        Its place, shape (T, dimensions), and its value, shape (T,).
    flags
        What a reader must know: ties, edges, ridges, what could not be followed.
    """

    def __init__(
        self, evolution: Evolution, history: History, optimum: Optimum, events: list[Event], kinds: Sequence[str]
    ) -> None:
        self.evolution = evolution
        self.landscape = evolution.landscape
        self.grid = evolution.grid
        self.kinds = tuple(kinds)
        self.sigma = history.sigma
        self.tracks: list[Track] = history.tracks
        self.events = events
        self.optimum = optimum.tracks
        self.optimum_positions = optimum.positions
        self.optimum_values = optimum.values
        self.flags = list(optimum.flags)
        self._equal = optimum.equal
        self._history = history
        self._flag()

    def _flag(self) -> None:
        unresolved = [event for event in self.events if event.kind in ("lost", "found")]
        if unresolved:
            first, last = unresolved[0].sigma, unresolved[-1].sigma
            count = f"{len(unresolved)} ends of tracks" if len(unresolved) > 1 else "1 end of a track"
            self.flags.append(
                f"{count} could not be explained (sigma {first:.4g} to {last:.4g}): flat to "
                "round-off, or below the resolution of the grid"
            )
        spacing = np.array(self.grid.spacing)
        noise = self.sigmas(float(self.sigma[0]))
        if not self.field.resolved(noise):
            self.flags.append(
                f"the first sigma is {float((noise / spacing).min()):.2g} grid spacings: below 1.5 the critical points "
                "are those of an interpolant"
            )

    def __repr__(self) -> str:
        return (
            f"<ScaleSpace of {self.landscape.name!r}: {len(self.tracks)} tracks, {len(self.events)} events, sigma "
            f"{self.sigma[0]:g} to {self.sigma[-1]:g}>"
        )

    @property
    def field(self) -> HeatField:
        """The solution between the nodes and between the levels."""
        return self._history.field

    @property
    def ratio(self) -> NDArray[np.float64]:
        """Noise per axis over that of the noisiest, shape (dimensions,)."""
        return self._history.follower.ratio

    def sigmas(self, sigma: float) -> NDArray[np.float64]:
        """Noise per axis where that of the noisiest is sigma, shape (dimensions,)."""
        return np.asarray(sigma * self.ratio)

    def count(self, kind: str = "maximum", *, on_edge: bool = True) -> NDArray[np.int64]:
        """Number of critical points of a kind at each level, with or without those on the edge of the box, shape (T,).

        Raises
        ------
        UnknownNameError
            For an unknown kind.
        UnsupportedError
            For a kind that was not followed.
        """
        (chosen,) = check_kinds(kind)
        if chosen not in self.kinds:
            raise UnsupportedError("this kind was not followed", given=chosen, allowed=", ".join(self.kinds))
        result = np.zeros(len(self.sigma), dtype=np.int64)
        for one in self.tracks:
            if one.kind == chosen and (on_edge or not one.on_edge):
                result[one.levels] += 1
        return result

    def points(self, level: int) -> CriticalPoints:
        """The critical points at one level."""
        return self._history.points[level]

    @property
    def jumps(self) -> list[Event]:
        """Every change of the global maximum from one track to another."""
        return [event for event in self.events if event.kind == "jump"]

    @property
    def sigma_jump(self) -> Event | None:
        """The first jump of the global maximum, or None if it stays on its track."""
        return next(iter(self.jumps), None)

    @property
    def sigma_death(self) -> Event | None:
        """The end of the track that is the global maximum at the first level, or None if it is there at the last.

        Of several that share the largest value at the first level it is the first end. The kind of the event tells
        how it ends: a death, a merge, or that the edge of the box comes to hold it.
        """
        ends = [self.tracks[number].death for number in self._equal[0]]
        return min((event for event in ends if event is not None), key=lambda event: event.sigma, default=None)

    def locate(self, number: int, sigma: float) -> tuple[NDArray[np.float64], float]:
        """Position and value of a track at any sigma at which it lives, solved for and not interpolated.

        Raises
        ------
        SigmaError
            Where the track does not live.
        """
        one = self.tracks[number]
        born = one.sigma[0] if one.birth is None else one.birth.sigma
        dies = one.sigma[-1] if one.death is None else one.death.sigma
        place = self._history.place(one, sigma**2) if born <= sigma <= dies else None
        if place is None:
            raise SigmaError(
                f"track {number} does not live at this sigma", given=sigma, allowed=f"{born:.7g} to {dies:.7g}"
            )
        return place

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
        one = self.tracks[number]
        # "observed" means solved for at two neighbouring t by the follower, which uses the drift to predict only
        times = one.sigma**2
        rows = zip(one.levels.tolist(), self._history.rows[number], strict=True)
        free = np.array([self.points(level).free[row] for level, row in rows])
        predicted = self._history.follower.drift(one.positions, times, free)[0]
        observed = np.full_like(predicted, np.nan)
        around = periods(self.grid)
        for i, t in enumerate(times):
            ends = [self._history.place(one, t * (1.0 + sign * _DIFFERENCE)) for sign in (-1.0, 1.0) if t > 0]
            found = [end[0] for end in ends if end is not None]
            if len(found) == 2:
                # the short way around a periodic axis
                move = found[1] - found[0]
                move -= around * np.round(move / np.where(around > 0, around, np.inf))
                observed[i] = move / (2.0 * _DIFFERENCE * t)
        return predicted, observed

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
            place = ", ".join(f"{x:.6g}" for x in self.optimum_positions[k])
            lines.append(
                f"{'optimum':14} ({place}), value {self.optimum_values[k]:.6g}, at sigma = {self.sigma[k]:.6g}"
            )
        for label, event in (("sigma_jump", self.sigma_jump), ("sigma_death", self.sigma_death)):
            lines.append(f"{label:14} {event if event is not None else 'none up to the last sigma'}")
        if len(self.jumps) > 1:
            lines.append(f"{'':14} {len(self.jumps)} jumps in all")
        lines.extend(f"{'note':14} {flag}" for flag in self.flags)
        return "\n".join(lines)

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
            "events": [event.as_dict() for event in self.events],
            "flags": list(self.flags),
        }


def _ray(evolution: Evolution) -> tuple[Array, Array]:
    """t of the noisiest axis at each level, and the ratio of the noise per axis, which must be the same at all."""
    if evolution.covariance is not None:
        raise UnsupportedError(
            "tracks run along sigma, and this evolution has full covariances",
            advice="rotate the axes to the principal ones, and give one sigma per axis",
        )
    if len(evolution) < 2:
        raise SigmaError(
            "a track needs at least two sigmas", given=f"{len(evolution)}", advice="for one use critical_points"
        )
    # sigma_i = ratio_i sqrt(t) for all levels: a ray in the space of noises, along which t is one parameter
    sigmas = evolution.sigmas
    largest = sigmas.max(axis=1)
    ratio = sigmas[-1] / largest[-1]
    if np.abs(sigmas - largest[:, None] * ratio).max() > _ONE_RATIO * largest[-1]:
        raise SigmaError(
            "tracks need sigmas in one proportion between the axes",
            given=f"{sigmas[0].tolist()} and {sigmas[-1].tolist()}",
            advice="scale one vector of sigmas, one per axis, up and down",
        )
    return largest**2, ratio


def track(
    evolution: Evolution,
    kinds: Sequence[str] = KINDS,
    *,
    progress: Callable[[int, int], object] | None = None,
) -> ScaleSpace:
    """Follow the critical points of an evolution through sigma: where do they move, meet, die, and come from?

    Each critical point is followed by dmu*/dt = -H^-1 grad(u_t), corrected by Newton's method on the exact field, from
    every level to the next and, for those that nothing led to, back. Where two meet, grad u = 0 and det H = 0 are
    solved for (mu, t), and the square-root law abs(mu* - mu_c) ~ sqrt(abs(t - t_c)) tells whose meeting it is.

    Parameters
    ----------
    evolution
        At two sigmas or more, in one proportion between the axes. Tracks are solved for between them, so their number
        does not decide where the events are, only how fine the tracks are drawn, and whether short-lived ones are seen.
    kinds
        Any of ``maximum``, ``minimum`` and ``saddle``. Without saddles a death is found just as well, but is not
        attributed to the saddle.
    progress
        Called as ``progress(done, total)``: after each level, and once more when all are linked.

    Returns
    -------
    space
        Tracks, events, and the optimum at each sigma.

    Raises
    ------
    SigmaError
        For fewer than two sigmas, or sigmas in changing proportions.
    UnsupportedError
        For a flat landscape, batch axes, full covariances, or more than three dimensions.

    Notes
    -----
    In one dimension maxima only die; from two on they are also born (and the smoothing of a correct solution does
    that: it is a finding). Events below 1.5 grid spacings are marked as not resolved. Extrema on an edge of the box are
    tracks of their own, marked `Track.on_edge`. Of an event the partner is left out where it has no track: a critical
    point that is born and dies between two neighbouring levels, one of a kind that is not followed, and one along an
    edge of the box that is no extremum.

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
    chosen = check_kinds(kinds)
    landscape = evolution.landscape
    times, ratio = _ray(evolution)
    field = HeatField(landscape)
    oscillation = require_structure(landscape)
    scale = round_off_scale(landscape)
    points = []
    for level, values in enumerate(evolution.values):
        # A thorough search at the first level only: what is missed at a later one is found by following the points of
        # its neighbours.
        points.append(find(field, np.sqrt(times[level]) * ratio, values, chosen, scale, thorough=level == 0))
        if progress is not None:
            progress(level + 1, len(times) + 1)
    # Points of each level; which is which from level to level; chains of these as tracks; what happens at their ends;
    # and at last the optimum, which takes all maxima at once.
    links = Links(Follower(field, ratio, scale), times, points, chosen)
    history = History(links)
    events = history.events(links)
    optimum = choose(history, evolution)
    events.extend(jumps(history, optimum, oscillation))
    events.sort(key=lambda event: event.sigma)
    if progress is not None:
        progress(len(times) + 1, len(times) + 1)
    return ScaleSpace(evolution, history, optimum, events, chosen)
