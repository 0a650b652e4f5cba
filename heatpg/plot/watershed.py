"""Basin of attraction of the smoothed optimum, and the value reached by ascent, as functions of sigma."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heatpg.errors import OptionError
from heatpg.evolution import Evolution
from heatpg.plot.breaks import alone, broken
from heatpg.plot.layout import legend_below, line_colours
from heatpg.plot.style import Width, panel, points
from heatpg.plot.tracks import draw_ends, level_axis, space_of
from heatpg.tools.calls import checked_call

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from heatpg.scalespace import Basins, ScaleSpace

__all__ = ["basin_curve"]

_LEAST = 2.8  # inches that an entry of the legend needs beside text of 10 points


@checked_call()
def basin_curve(
    source: Evolution | ScaleSpace,
    ax: Axes | None = None,
    *,
    basins: Basins | None = None,
    width: Width = None,
) -> Axes:
    """Draw the part of the box from which gradient ascent on u reaches its optimum, and the mean value that ascent
    reaches.

    Gain is the mean of Q at the endpoints of ascent, over all starting points: 0 is the mean of Q, as good as not
    moving at all, 1 is max Q. A dashed vertical line is the first jump of the optimum, a dotted one the end of its
    track.

    Parameters
    ----------
    source
        An evolution at two sigmas or more, or its tracks.
    ax
        Where to draw; without it, in a new figure.
    basins
        Result of `heatpg.scalespace.basins` for these noise levels, if already computed; Q itself may be the first.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    ax
        The axes; ``ax.figure`` is the figure.

    Raises
    ------
    OptionError, SigmaError, UnsupportedError
        For an evolution that `heatpg.scalespace.track` refuses, for an unknown width, or a width and axes at once.
        Also for basins of other sigmas.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> flow = solve(landscapes.unequal_bumps(size=201), np.geomspace(0.1, 2.0, 8))
    >>> plot.basin_curve(flow).get_title()
    'Where gradient ascent ends'
    """
    from heatpg.scalespace import basins as find

    space = space_of(source)
    found = find(space.evolution, include_initial=False, keep_labels=False) if basins is None else basins
    levels = len(space.sigma)
    # basins of Q itself may stand before those of the levels
    last = found.sigmas[-levels:]
    if len(last) < levels or not np.allclose(last, space.evolution.sigmas, atol=0):
        raise OptionError(
            "the basins belong to other noise levels",
            given=f"{len(found)} levels",
            allowed=f"the {levels} of the tracks",
        )
    initial, weights = space.landscape.values, space.grid.relative_weights
    # what a start that does not move earns, in the mean over all starts
    mean = float((initial * weights).sum() / weights.sum())
    with panel(ax, width) as ax:
        dark, light = line_colours(2)
        share = found.of_optimum()[-levels:]
        # 0 is the mean of Q, 1 its maximum: comparable between landscapes
        earned = (found.earned().original[-levels:] - mean) / (found.best - mean)
        # the optimum of the next level is another one after a jump, with another basin
        gaps = (np.searchsorted(space.sigma, [event.sigma for event in space.jumps], side="right") - 1).tolist()
        gaps = sorted({gap for gap in gaps if 0 <= gap < levels - 1})
        sigma, reached = broken(space.sigma, gaps), broken(share, gaps)
        ax.plot(sigma, reached, color=dark, lw=points(1.5), label="starts that reach the optimum")
        single = alone(reached)
        if single.any():
            ax.plot(sigma[single], reached[single], "o", color=dark, ms=points(3.0))
        sense = space.sense
        words = f"Q reached: 0 is mean Q, 1 is {sense.short} Q"
        ax.plot(space.sigma, earned, color=light, lw=points(1.5), ls="--", label=words)
        level_axis(ax, space)
        draw_ends(ax, space, f"Where gradient {sense.ascent} ends")
        # ascent on u may end where Q is lower than in the mean
        ax.set_ylim(min(0.0, float(np.nanmin(earned))), 1.03)
        ax.set_ylabel("fraction")
        legend_below(ax, _LEAST)
    return ax
