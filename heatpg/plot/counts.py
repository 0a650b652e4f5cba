"""Number of critical points as a function of sigma."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heatpg.evolution import Evolution
from heatpg.plot.layout import legend_below, line_colours
from heatpg.plot.style import Width, panel, points
from heatpg.plot.tracks import draw_ends, level_axis, space_of
from heatpg.tools.calls import checked_call

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from heatpg.scalespace import ScaleSpace

__all__ = ["critical_counts"]

_LEAST = 1.0  # inches that an entry of the legend needs beside text of 10 points
_MANY = 20  # a taste: up to so many, single steps are seen on a linear axis


def _steps(space: ScaleSpace, kind: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Where the number changes, and to what: at the events, with the first and the last level at the ends."""
    from heatpg.scalespace.pricing import count_changes

    counts, changes = space.count(kind), count_changes(space, kind)
    sigma = np.array([event.sigma for event, _ in changes])
    # from the first level on, the events are added up
    numbers = counts[0] + np.concatenate(([0], np.cumsum([change for _, change in changes], dtype=np.int64)))
    if not np.array_equal(numbers[np.searchsorted(sigma, space.sigma)], counts):
        return space.sigma, counts  # at an event on a level both numbers are right: the stored ones are drawn
    return np.concatenate((space.sigma[:1], sigma, space.sigma[-1:])), np.append(numbers, numbers[-1])


@checked_call()
def critical_counts(source: Evolution | ScaleSpace, ax: Axes | None = None, *, width: Width = None) -> Axes:
    """Draw the number of maxima and of minima as a function of sigma, including those on the edge of the box.

    Each steps where the event is, between the levels that were solved. A dashed vertical line is the first jump of the
    optimum, a dotted one the end of its track.

    Parameters
    ----------
    source
        An evolution at two sigmas or more, or its tracks, with maxima or minima among them.
    ax
        Where to draw; without it, in a new figure.
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

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> flow = solve(landscapes.unequal_bumps(size=201), np.geomspace(0.1, 2.0, 8))
    >>> [line.get_label() for line in plot.critical_counts(flow).get_lines()[:2]]
    ['maxima', 'minima']
    """
    from matplotlib.ticker import MaxNLocator

    space = space_of(source)
    with panel(ax, width) as ax:
        most = 0
        sense, other = space.sense, space.sense.opposite
        names = {sense.extremum: (sense.extrema, "-"), other.extremum: (other.extrema, "--")}
        for (kind, (name, style)), colour in zip(names.items(), line_colours(2), strict=True):
            # tracks may be of maxima alone
            if kind in space.kinds:
                sigma, counts = _steps(space, kind)
                most = max(most, int(counts.max()))
                ax.step(sigma, counts, where="post", color=colour, lw=points(1.5), ls=style, label=name)
        level_axis(ax, space)
        draw_ends(ax, space, "Critical points")
        if most > _MANY:
            # logarithmic, and 0 is on it
            ax.set_yscale("symlog", linthresh=1)
            steps = [step * 10**power for power in range(len(str(most))) for step in (1, 2, 5)]
            ax.set_yticks([0, *steps], [f"{step:g}" for step in [0, *steps]], minor=False)
            ax.minorticks_off()
        else:
            ax.yaxis.set_major_locator(MaxNLocator(integer=True))
        # the highest step does not lie on the frame
        ax.set_ylim(0, 1.08 * most if most else None)
        ax.set_ylabel("number")
        legend_below(ax, _LEAST)
    return ax
