"""Cost of acting on the smoothed optimum as a function of sigma."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from heatpg.errors import OptionError
from heatpg.evolution import Evolution
from heatpg.plot.counts import critical_counts
from heatpg.plot.layout import legend_below, line_colours, sheet
from heatpg.plot.style import Width, panel, points
from heatpg.plot.tracks import draw_ends, level_axis, space_of
from heatpg.plot.watershed import basin_curve
from heatpg.plot.words import name_label
from heatpg.tools.calls import checked_call
from heatpg.tools.figures import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from heatpg.intervals import Intervals
    from heatpg.scalespace import PriceCurve, ScaleSpace

__all__ = ["price_curve", "price_figure"]

_WIDTH = 13.0  # inches, on the screen
_LEAST = 2.8  # inches that a panel needs beside text of 10 points
_BELOW = 1e-3  # of osc(Q): a price that is seen to be below 0


@checked_call()
def price_curve(
    source: Evolution | ScaleSpace,
    ax: Axes | None = None,
    *,
    curve: PriceCurve | None = None,
    limit: float | None = None,
    intervals: Intervals | None = None,
    width: Width = None,
) -> Axes:
    """Draw the price of acting on the smoothed optimum, Q(mu*_0) - Q(mu*_sigma), and the drop of u.

    The price steps where the optimum jumps, between the levels that were solved. It is below 0 where Q is higher than
    at the best of its nodes. The band is the uncertainty of the price if Q is known only at its nodes. A dashed
    vertical line is the first jump of the optimum, a dotted one the end of its track.

    Parameters
    ----------
    source
        An evolution at two sigmas or more, or its tracks.
    ax
        Where to draw; without it, in a new figure.
    curve
        Result of `heatpg.scalespace.price`, if already computed.
    limit
        A price to mark, in units of Q.
    intervals
        Result of `heatpg.intervals.seed_intervals`: adds a band for the price, and a strip for the sigma of the jump.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    ax
        The axes; ``ax.figure`` is the figure.

    Raises
    ------
    OptionError, SigmaError, UnsupportedError
        For an evolution that `heatpg.scalespace.track` does not accept, a curve of other noise levels, a limit that is
        not positive, an unknown width, or both a width and axes.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> flow = solve(landscapes.unequal_bumps(size=201), np.geomspace(0.1, 2.0, 8))
    >>> plot.price_curve(flow, limit=0.1).get_title()
    'Cost of acting on the smoothed optimum'
    """
    from heatpg.scalespace import price

    if limit is not None and not (math.isfinite(limit) and limit > 0):
        raise OptionError("the cost limit must be positive", given=limit, allowed="numbers > 0, in units of Q")
    space = space_of(source)
    found = price(space) if curve is None else curve
    # a curve that was made of another evolution would be drawn against the wrong levels
    if found.sigma.shape != space.sigma.shape or not np.allclose(found.sigma, space.sigma, atol=0):
        raise OptionError(
            "the curve belongs to other noise levels",
            given=f"{len(found.sigma)} levels",
            allowed=f"the {len(space.sigma)} of the tracks",
        )
    with panel(ax, width) as ax:
        dark, light = line_colours(2)
        # each jump is two points of the price, before and after, with a gap between them, and one point of the drop
        # between two levels, from the right: a jump on a level comes after it
        after = np.searchsorted(space.sigma, found.jump_sigma, side="right")
        thrice = np.repeat(after, 3)
        sigma = np.insert(space.sigma, thrice, np.repeat(found.jump_sigma, 3))
        prices = np.insert(found.price, thrice, _with_gaps(found.jump_price))
        errors = np.insert(found.uncertainty, thrice, _with_gaps(found.jump_uncertainty))
        drops = np.insert(found.drop, after, found.jump_drop)
        lower, upper = prices - errors, prices + errors
        # with a sampler the price is known exactly, and there is no band
        if (upper > lower).any():
            ax.fill_between(sigma, lower, upper, color=dark, alpha=0.2, lw=0)
        if intervals is not None:
            _draw_intervals(ax, intervals, dark)
        width_of_lines = points(1.5)
        sense = space.sense
        best = f"{sense.short} Q"
        words = sense.gain(best, f"Q({sense.place} u)", "$-$")
        ax.plot(sigma, prices, color=dark, lw=width_of_lines, label=f"price: {words}")
        ax.plot(
            np.insert(space.sigma, after, found.jump_sigma),
            drops,
            color=light,
            lw=width_of_lines,
            ls="--",
            label=f"{sense.lost}: {sense.gain(best, f'{sense.short} u', '$-$')}",
        )
        if limit is not None:
            ax.axhline(limit, color="0.65", lw=points(1.0), ls="-.", label="cost limit")
        level_axis(ax, space)
        draw_ends(ax, space, "Cost of acting on the smoothed optimum")
        # below 0 where Q is higher between the nodes than at the best of them
        least = float(np.nanmin(prices))
        if least < -_BELOW * found.oscillation:
            ax.axhline(0.0, color="0.65", lw=points(0.6), zorder=0)
            ax.set_ylim(bottom=1.1 * least)
        else:
            ax.set_ylim(0, None)
        ax.set_ylabel("in units of Q")
        legend_below(ax, _LEAST)
    return ax


def _draw_intervals(ax: Axes, found: Intervals, colour: Any) -> None:
    """Where the price is, as far as the seeds tell, and from which sigma to which the optimum jumps."""
    words = f"{found.share}, {found.seeds} seeds"
    ax.fill_between(found.sigma, *found.price.T, color=colour, alpha=0.12, lw=0, label=words)
    jump = found.jump
    if jump is not None and jump.shown and jump.lower is not None and jump.upper is not None:
        ax.axvspan(jump.lower, jump.upper, color="0.4", alpha=0.08, lw=0, zorder=0)


def _with_gaps(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Before, a gap, after: three numbers for each jump, in one line."""
    return np.insert(pairs, 1, np.nan, axis=1).ravel()


@figures.register("price")
def price_figure(source: Evolution | ScaleSpace, *, width: Width = None) -> Figure:
    """Cost of acting on the smoothed optimum, from where ascent finds it, how many critical points are left, against
    sigma.

    Bands are intervals over the seeds, where Q is a mean over several.

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
    >>> len(plot.figures.get("price")(flow).axes)
    3
    """
    from heatpg.scalespace import price
    from heatpg.studies import intervals_of

    space = space_of(source)
    heading = f"{name_label(space.landscape)}: cost of its smoothed optimum under exploration noise σ"
    curve = price(space)
    intervals = intervals_of(space, curve)
    with sheet(width, 3, heading, screen=_WIDTH, least=_LEAST, height=3.7, besides=0.5) as (figure, axes):
        price_curve(space, axes[0], curve=curve, intervals=intervals)
        basin_curve(space, axes[1])
        critical_counts(space, axes[2])
    return figure
