"""What a page shows over the fields: tracks of maxima with their events, and the basin of the optimum."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.extrema import local_maxima
from heatpg.errors import HeatpgError, UnsupportedError
from heatpg.evolution import Evolution
from heatpg.scalespace import Event, ScaleSpace, Track, basins, track
from heatpg.viewer.packing import compress

__all__ = ["Found", "basins_of", "masks", "tracks_of"]

_RESOLVED = 1.5  # grid spacings; below, critical points are those of an interpolant
_MOST_MAXIMA = {1: 1000, 2: 1000, 3: 200}  # by dimensions: to follow more takes minutes
_MOST_TRACKS = 80  # a taste: more lines cannot be told apart
_DIGITS = 6  # of a place on its axis
_MOST_EVENTS = 400  # a taste: a table that can still be read


@dataclasses.dataclass(frozen=True)
class Found:
    """Something that a page shows, or the reason why it does not.

    Attributes
    ----------
    content
        JSON-like values; None where there is nothing to show.
    sentence
        What a reader must know of it.
    """

    content: dict[str, Any] | None
    sentence: str


def _first_level(evolution: Evolution) -> int:
    """The first level at which the grid resolves the noise, and at which the maxima are few enough to be followed."""
    spacing, centred, sense = np.array(evolution.grid.spacing), evolution.centred(), evolution.landscape.sense
    most = _MOST_MAXIMA[evolution.grid.dimensions]
    # an axis without noise is not smoothed, and asks for no resolution
    noisy = evolution.sigmas > 0
    # every axis with noise must resolve it
    resolved = np.where(noisy, evolution.sigmas, np.inf) >= _RESOLVED * spacing
    for level in np.flatnonzero(resolved.all(axis=1) & noisy.any(axis=1)):
        # smoothing removes maxima, so the first level with few enough is the first to follow from
        if len(local_maxima(sense.sign * centred.values[level], evolution.grid)) <= most:
            return int(level)
    raise UnsupportedError(
        f"no noise level is at least {_RESOLVED:g} grid spacings with at most {most} {sense.extrema}",
        advice="use larger noise levels or a finer grid",
    )


def _importance(space: ScaleSpace, one: Track) -> tuple[bool, int, float]:
    """Optima first, then those that live long, then the high ones, of a loss the low ones."""
    # a tuple: compared entry by entry
    return one.number in space.optimum, len(one), float((space.sense.sign * one.values).max())


def _event_frame(sigma: float, noise: NDArray[np.float64]) -> float:
    """The place of a sigma between the frames, as a number of frames with a fraction."""
    return float(np.interp(sigma, noise, np.arange(len(noise))))


def _end(event: Event | None) -> dict[str, Any] | None:
    return None if event is None else {"sigma": event.sigma, "place": list(event.position)}


def tracks_of(evolution: Evolution, noise: NDArray[np.float64]) -> Found:
    """Tracks of maxima from the first sigma that the grid resolves, the most important of them, and their events.

    Parameters
    ----------
    evolution
        One landscape.
    noise
        Where each frame of the page stands on the axis of sigma, shape (frames,), ascending.
    """
    sense = evolution.landscape.sense
    try:
        # tracks of unresolved levels would be those of an interpolant
        first = _first_level(evolution)
        resolved = Evolution.of(
            evolution,
            sigma=evolution.sigma[first:],
            values=evolution.values[first:],
            paths=evolution.paths[first:],
            covariance=None if evolution.covariance is None else evolution.covariance[first:],
        )
        space = track(resolved, [sense.extremum])
    # whatever is refused, the page is made, and says why
    except HeatpgError as reason:
        return Found(None, f"Tracks of {sense.extrema} are not shown: {reason.one_line}.")
    # frames end with the last level, and begin with Q
    shift = len(noise) - len(evolution) + first
    ranked = sorted(space.tracks, key=lambda one: _importance(space, one), reverse=True)
    # back in their own order, as the page numbers them
    chosen = sorted(ranked[:_MOST_TRACKS], key=lambda one: one.number)
    numbers = {one.number for one in chosen}
    # jumps belong to no track: the optimum changes from one to another
    events = [event for event in space.events if event.kind == "jump" or numbers.intersection(event.tracks)]
    left_out = max(0, len(events) - _MOST_EVENTS)
    if left_out:
        # jumps first, so that none is left out
        events = [e for e in events if e.kind == "jump"] + [e for e in events if e.kind != "jump"]
        events = sorted(events[:_MOST_EVENTS], key=lambda event: event.sigma)
    # of the length of the axis, wherever it begins
    digits = [_DIGITS - math.floor(math.log10(axis.length)) for axis in evolution.grid]
    content = {
        "first": shift,
        "tracks": [
            {
                "begin": int(one.levels[0]) + shift,
                # finer than a pixel, and half as long
                "places": [[round(float(x), d) for x, d in zip(place, digits, strict=True)] for place in one.positions],
                "edge": one.on_edge,
                "birth": _end(one.birth),
                "death": _end(one.death),
            }
            for one in chosen
        ],
        "events": [
            {
                "kind": event.kind,
                "sigma": event.sigma,
                "uncertainty": event.uncertainty,
                "place": list(event.position),
                "value": event.value,
                "frame": _event_frame(event.sigma, noise),
                "resolved": event.resolved,
            }
            for event in events
        ],
    }
    begin = f"Tracks begin at \N{GREEK SMALL LETTER SIGMA} = {space.sigma[0]:.4g}"
    if first:
        most = _MOST_MAXIMA[evolution.grid.dimensions]
        begin += f", the first level that is {_RESOLVED:g} grid spacings and has at most {most} {sense.extrema}"
    sentences = [f"{begin}."]
    if len(chosen) < len(space.tracks):
        sentences.append(
            f"{len(chosen)} of {len(space.tracks)} tracks of {sense.extrema} are shown: every optimum, then the "
            f"longest, then the {sense.highest}."
        )
    if left_out:
        sentences.append(f"{left_out} of their events are not shown.")
    sentences.extend(f"Note on the tracks: {flag}." for flag in space.flags)
    return Found(content, " ".join(sentences))


def basins_of(evolution: Evolution, frames: int) -> tuple[Found, NDArray[np.bool_] | None]:
    """The basin of the optimum at every frame: its part of the box, and where it is, shape (frames, *grid.shape).

    Parameters
    ----------
    evolution
        One landscape.
    frames
        Number of frames of the page.
    """
    try:
        found = basins(evolution)
    except HeatpgError as reason:
        return Found(None, f"Basins are not shown: {reason.one_line}."), None
    assert found.labels is not None
    # of Q first, as the frames are
    partitions = found.partitions[-frames:]
    content = {
        "shares": [float(f"{one.shares[0]:.4g}") for one in partitions],
        "counts": [len(one) for one in partitions],
    }
    # label 0 is the basin of the optimum
    return Found(content, ""), found.labels[-frames:] == 0


def masks(inside: NDArray[np.bool_], stride: int) -> list[str]:
    """One bit for every node that the page shows, as text, frame by frame."""
    # frames stay, nodes are thinned
    shown = inside[(slice(None),) + (slice(None, None, stride),) * (inside.ndim - 1)]
    return [compress(np.packbits(frame.reshape(-1)).tobytes()) for frame in shown]
