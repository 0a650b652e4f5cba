"""The fingerprint of a landscape: where its critical points are, against sigma."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from heatpg.evolution import Evolution
from heatpg.plot.choices import chosen_axis
from heatpg.plot.layout import legend_below, legend_below_panels, line_colours, sheet, with_gaps_of
from heatpg.plot.style import Width, panel, points
from heatpg.plot.tracks import level_axis, space_of
from heatpg.plot.words import axis_label, name_label
from heatpg.tools.calls import checked_call
from heatpg.tools.figures import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from heatpg.scalespace import ScaleSpace

__all__ = ["fingerprint", "fingerprint_figure"]

_MOST_SADDLES = 400  # a taste: more thin lines are a grey ground on which nothing is seen
_MARGIN = 0.04  # a taste: of the box, beyond its edges
_WIDTH = 13.0  # inches, on the screen
_LEAST = 3.4  # inches that a panel needs
_ENTRY = 1.6  # inches that an entry of the legend needs beside text of 10 points


def _broken(x: np.ndarray, period: float | None) -> np.ndarray:
    """Positions with a gap where a track goes around a periodic axis."""
    if period is None:
        return x
    # no track moves by half a period between two levels; going around, it seems to move by nearly all of it
    gaps = np.flatnonzero(np.abs(np.diff(x)) > period / 2)
    return np.insert(x, gaps + 1, np.nan)


@checked_call()
def fingerprint(
    source: Evolution | ScaleSpace, ax: Axes | None = None, *, axis: int | str = 0, width: Width = None
) -> Axes:
    """Draw the tracks of critical points: their place along one axis against sigma, with the optimum and its events.

    Maxima are dark lines, minima light ones (of a loss the other way round), saddles thin and grey; extrema that the
    edge of the box holds are dotted. The optimum is drawn thick; a diamond marks a jump of the optimum, a cross the
    end of its track, a triangle a birth.

    Parameters
    ----------
    source
        An evolution at two sigmas or more, or its tracks.
    ax
        Where to draw; without it, in a new figure.
    axis
        Along which axis of the grid the places are drawn.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    ax
        The axes; ``ax.figure`` is the figure.

    Raises
    ------
    GridError
        For an axis that the grid does not have.
    OptionError, SigmaError, UnsupportedError
        For an evolution that `heatpg.scalespace.track` refuses, for an unknown width, or a width and axes at once.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> flow = solve(landscapes.unequal_bumps(size=201), np.geomspace(0.1, 2.0, 8))
    >>> plot.fingerprint(flow).get_ylabel()
    'x of the critical points'
    """
    space = space_of(source)
    grid = space.grid
    position = chosen_axis(grid, axis)
    chosen = grid[position]
    alone = ax is None
    with panel(ax, width) as ax:
        _draw_tracks(ax, space, position)
        _draw_events(ax, space, position)
        level_axis(ax, space)
        ax.set_ylabel(f"{axis_label(chosen)} of the critical points")
        # critical points on the edge of the box are seen whole, and the edge beside them
        room = _MARGIN * chosen.length
        ax.set_ylim(chosen.lower - room, chosen.upper + room)
        for edge in (chosen.lower, chosen.upper):
            ax.axhline(edge, color="0.85", lw=points(0.6), zorder=0)
        ax.set_title(f"{name_label(space.landscape)}: critical points against σ")
        if alone:
            legend_below(ax, _ENTRY)
    return ax


def _draw_tracks(ax: Axes, space: ScaleSpace, position: int) -> None:
    chosen = space.grid[position]
    period = chosen.length if chosen.rule.periodic else None
    dark, light = line_colours(2)
    # those that may be the optimum above the opposite ones above saddles, as they matter
    first, second = space.sense.extremum, space.sense.opposite.extremum
    styles: dict[str, dict[str, Any]] = {
        first: {"color": dark, "lw": points(1.0), "zorder": 3, "label": first},
        second: {"color": light, "lw": points(0.8), "zorder": 2, "label": second},
        "saddle": {"color": "0.62", "lw": points(0.7), "zorder": 1, "label": "saddle"},
    }
    # counted first: either all of them are drawn, or none
    saddles = sum(one.kind == "saddle" for one in space.tracks)
    named: set[str] = set()
    dotted = False
    for one in space.tracks:
        if one.kind == "saddle" and saddles > _MOST_SADDLES:
            continue
        style = dict(styles[one.kind])
        # each kind once in the legend, as a line that is not dotted
        label = style.pop("label")
        if one.kind not in named:
            ax.plot([], [], label=label, **style)
        named.add(one.kind)
        dotted |= one.on_edge
        sigma, x = one.sigma, one.positions[:, position]
        # a track runs to where it begins and ends, between the levels
        ends = [(event.sigma, event.position[position]) for event in (one.birth, one.death) if event is not None]
        before = [end for end in ends if end[0] <= sigma[0]]
        after = [end for end in ends if end[0] > sigma[0]]
        line = np.array([*before, *zip(sigma, x, strict=True), *after])
        places = _broken(line[:, 1], period)
        ax.plot(with_gaps_of(line[:, 0], places), places, ls=":" if one.on_edge else "-", **style)
    if dotted:
        ax.plot([], [], ls=":", color="0.4", lw=points(1.0), label="on the edge of the box")


def _draw_events(ax: Axes, space: ScaleSpace, position: int) -> None:
    """The optimum, and where it jumps, its track ends, and others are born."""
    path = space.optimum_positions[:, position]
    ax.plot(space.sigma, path, color="black", lw=0, marker=".", ms=points(4), zorder=5, label="optimum")
    # the end of the track that is the optimum at first, which may be after the optimum has jumped elsewhere
    death = space.sigma_death
    marks = [
        ("D", "jump", space.jumps),
        ("X", "end of the optimum", [death] if death is not None else []),
        ("^", "birth", [event for event in space.events if event.kind == "birth"]),
    ]
    for marker, label, events in marks:
        if events:
            of_optimum = marker != "^"
            ax.plot(
                [event.sigma for event in events],
                [event.position[position] for event in events],
                ls="none",
                clip_on=False,  # also at the edge of the box
                marker=marker,
                ms=points(8 if of_optimum else 5),
                mew=points(1.0),
                mfc="white",
                mec="black",
                zorder=6 if of_optimum else 4,
                label=label,
            )


@figures.register("fingerprint")
def fingerprint_figure(source: Evolution | ScaleSpace, *, width: Width = None) -> Figure:
    """Critical points as functions of sigma, one panel per axis, with creations, annihilations, and jumps of the
    optimum.

    Parameters
    ----------
    source
        An evolution at two sigmas or more, in one to three dimensions, or its tracks.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    figure
        Made without pyplot, so nothing is shown; `heatpg.plot.save` writes it.

    Raises
    ------
    OptionError, SigmaError, UnsupportedError
        For an evolution that `heatpg.scalespace.track` refuses, and for an unknown width.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> flow = solve(landscapes.unequal_bumps(size=201), np.geomspace(0.1, 2.0, 8))
    >>> len(plot.figures.get("fingerprint")(flow).axes)
    1
    """
    space = space_of(source)
    dimensions = space.grid.dimensions
    heading = f"{name_label(space.landscape)}: critical points against σ"
    # a single panel would be wider than it is worth
    screen = _WIDTH if dimensions > 1 else 0.6 * _WIDTH
    with sheet(width, dimensions, heading, screen=screen, least=_LEAST, height=3.6, besides=0.9, sharex=True) as (
        figure,
        axes,
    ):
        total = float(figure.get_figwidth())
        place = axes[0].get_subplotspec()
        per_row = place.get_gridspec().ncols if place is not None else 1
        for i, ax in enumerate(axes):
            fingerprint(space, ax, axis=i)
            ax.set_title("")
            if i + per_row < dimensions:
                ax.set_xlabel("")
            else:
                # also above an empty place of the last row, where a shared axis leaves them out
                ax.tick_params(labelbottom=True)
        legend_below_panels(figure, axes[0], total)
    return figure
