"""Tracks that end where they leave a region, see `heatpg.scalespace.region`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.scalespace.events import Event, History, Track

__all__ = ["confine"]

Array = NDArray[Any]


def confine(history: History, events: list[Event], inside: Callable[[Array], NDArray[np.bool_]]) -> list[Event]:
    """Let tracks end where they leave a region, and drop those that never are in it; returns the events that are left.

    Parameters
    ----------
    history
        The tracks, which are changed.
    events
        The events at their ends.
    inside
        Whether places lie in the region.
    """
    kept: list[Track] = []
    rows: list[list[int]] = []
    crossings: list[Event] = []
    for one, row in zip(history.tracks, history.rows, strict=True):
        within = np.flatnonzero(inside(one.positions))
        if not len(within):
            continue
        first, last = int(within[0]), int(within[-1])
        one.number = len(kept)
        for end, beyond in ((first, first - 1), (last, last + 1)):
            if 0 <= beyond < len(one):
                event = _crossing(history, one, end, beyond)
                crossings.append(event)
                if beyond < end:
                    one.birth = event
                else:
                    one.death = event
        part = slice(first, last + 1)
        for name in ("levels", "sigma", "positions", "values", "eigenvalues"):
            setattr(one, name, getattr(one, name)[part])
        kept.append(one)
        rows.append(row[part])
    history.tracks[:], history.rows[:] = kept, rows
    at_event: dict[int, set[int]] = {}
    for one in kept:
        for event in filter(None, (one.birth, one.death)):
            at_event.setdefault(id(event), set()).add(one.number)
    renamed = {
        id(event): dataclasses.replace(event, tracks=tuple(sorted(at_event[id(event)])))
        for event in [*events, *crossings]
        if id(event) in at_event
    }
    for one in kept:
        one.birth = None if one.birth is None else renamed[id(one.birth)]
        one.death = None if one.death is None else renamed[id(one.death)]
    return list(renamed.values())


def _crossing(history: History, one: Track, end: int, beyond: int) -> Event:
    """A track passes the edge of the region between its level `end`, inside, and `beyond`."""
    low, high = sorted((float(one.sigma[end]), float(one.sigma[beyond])))
    sigma = 0.5 * (low + high)
    return Event(
        "enters box" if beyond < end else "leaves box",
        sigma,
        0.5 * (high - low),
        tuple(one.positions[end].tolist()),
        float(one.values[end]),
        (one.number,),
        history.field.resolved(history.sigmas(sigma**2)),
        history.follower.grid,
    )
