"""The fingerprint of a landscape: where its critical points are, against sigma."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from heatpg.evolution import Evolution
from heatpg.plot._common import axis_label, line_colours, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from heatpg.scalespace import ScaleSpace

__all__ = ["fingerprint"]

_MOST_SADDLES = 400


def _broken(x: np.ndarray, period: float | None) -> np.ndarray:
    """Positions with a gap where a track goes around a periodic axis."""
    if period is None:
        return x
    gaps = np.flatnonzero(np.abs(np.diff(x)) > period / 2)
    return np.insert(x, gaps + 1, np.nan)


def fingerprint(source: Evolution | ScaleSpace, ax: Axes | None = None, *, axis: int | str = 0) -> Axes:
    """Draw the tracks of critical points: their place along one axis against sigma, with the optimum and its events.

    Maxima are dark lines, minima light ones, saddles thin and grey; extrema that the edge of the box holds are dotted.
    The optimum is drawn thick; a diamond marks a jump of the optimum, a cross the death of its track, a triangle a
    birth.

    Parameters
    ----------
    source
        An evolution at two sigmas or more, or its tracks.
    ax
        Where to draw; without it, in a new figure.
    axis
        Along which axis of the grid the places are drawn.

    Returns
    -------
    ax
        The axes; ``ax.figure`` is the figure.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> flow = solve(landscapes.unequal_bumps(size=201), np.geomspace(0.1, 2.0, 8))
    >>> plot.fingerprint(flow).get_ylabel()
    'x of the critical points'
    """
    from heatpg.scalespace import ScaleSpace, track

    space = source if isinstance(source, ScaleSpace) else track(source)
    ax = new_axes(ax)
    grid = space.grid
    position = grid.index(axis) if isinstance(axis, str) else axis
    chosen = grid[position]
    period = chosen.length if chosen.rule.periodic else None
    dark, light = line_colours(2)
    styles: dict[str, dict[str, Any]] = {
        "maximum": {"color": dark, "lw": 1.0, "zorder": 3, "label": "maximum"},
        "minimum": {"color": light, "lw": 0.8, "zorder": 2, "label": "minimum"},
        "saddle": {"color": "0.75", "lw": 0.5, "zorder": 1, "label": "saddle"},
    }
    saddles = sum(one.kind == "saddle" for one in space.tracks)
    named: set[str] = set()
    for one in space.tracks:
        if one.kind == "saddle" and saddles > _MOST_SADDLES:
            continue
        style = dict(styles[one.kind])
        if one.kind in named:
            style.pop("label")
        named.add(one.kind)
        sigma, x = one.sigma, one.positions[:, position]
        ends = [(event.sigma, event.position[position]) for event in (one.birth, one.death) if event is not None]
        before = [end for end in ends if end[0] <= sigma[0]]
        after = [end for end in ends if end[0] > sigma[0]]
        line = np.array([*before, *zip(sigma, x, strict=True), *after])
        places = _broken(line[:, 1], period)
        levels = line[:, 0]
        if len(places) > len(levels):
            gaps = np.flatnonzero(np.isnan(places))
            levels = np.insert(levels, gaps - np.arange(len(gaps)), np.nan)
        ax.plot(levels, places, ls=":" if one.on_edge else "-", **style)
    ax.plot(
        space.sigma,
        space.optimum_positions[:, position],
        color="black",
        lw=0,
        marker=".",
        ms=4,
        zorder=5,
        label="optimum",
    )
    marks = [("D", "jump", space.jumps)]
    death = space.sigma_death
    marks += [("X", "end of its track", [death] if death is not None else [])]
    marks += [("^", "birth", [event for event in space.events if event.kind == "birth"])]
    for marker, label, events in marks:
        if events:
            ax.plot(
                [event.sigma for event in events],
                [event.position[position] for event in events],
                ls="none",
                marker=marker,
                ms=8 if marker != "^" else 5,
                mfc="white",
                mec="black",
                zorder=6 if marker != "^" else 4,
                label=label,
            )
    if space.sigma[0] > 0 and space.sigma[-1] > 8 * space.sigma[0]:
        ax.set_xscale("log")
    units = {each.unit for each in grid}
    unit = units.pop() if len(units) == 1 else ""
    ax.set_xlabel(f"σ ({unit})" if unit else "σ")
    ax.set_ylabel(f"{axis_label(chosen)} of the critical points")
    ax.set_xlim(space.sigma[0], space.sigma[-1])
    ax.set_ylim(chosen.lower, chosen.upper)
    ax.set_title(f"{space.landscape.name}: critical points against σ")
    return ax
