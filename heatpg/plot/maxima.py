"""How the largest value of u, and its place, move with sigma."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heatpg.core.extrema import peak
from heatpg.core.grid import first_of_batch
from heatpg.evolution import Evolution
from heatpg.plot.breaks import broken, jumps_between
from heatpg.plot.choices import noise_levels
from heatpg.plot.layout import fit_labels, in_lines, legend_below, line_colours, sigma_axis, wrapped
from heatpg.plot.style import Width, columns, inches, letters, points, styled
from heatpg.plot.words import axis_label, drawable, headline
from heatpg.tools.figures import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["maxima"]


_WIDTH = 7.0  # inches, on the screen
_ENTRY = 1.6  # inches that an entry of a legend needs beside text of 10 points


@figures.register("maxima")
def maxima(evolution: Evolution, *, width: Width = None) -> Figure:
    """Largest value of u against sigma (of a loss the smallest), the value of Q there, and the place.

    The middle curve is the value of acting on the smoothed optimum without noise: Q at the argmax of u. The location
    is a fraction of the box where there are several axes. Lines are broken where the optimum jumps. Where each axis
    has its own sigma, the horizontal axis is that of the first axis whose sigma changes.

    Parameters
    ----------
    evolution
        Evolution to draw; the first of a batch.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    figure
        Made without pyplot, so nothing is shown; `heatpg.plot.save` writes it.

    Raises
    ------
    OptionError
        For an unknown width.

    Examples
    --------
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> len(plot.maxima(solve(landscapes.ridge(size=21), [0.1, 0.2, 0.4])).axes)
    2
    """
    from matplotlib.figure import Figure

    grid, sense = evolution.grid, evolution.landscape.sense
    initial = first_of_batch(evolution.landscape.values, grid)
    levels, along = noise_levels(evolution)
    fields = [first_of_batch(values, grid) for values in evolution.values]
    tops = [peak(values, grid, sense) for values in fields]
    gaps = jumps_between(fields, grid, sense)
    sigma = broken(levels, gaps)
    total = inches(width, _WIDTH)
    with styled(width):
        figure = Figure(figsize=(total, 0.35 * total + points(3.5)), layout="constrained")
        # one below the other, as both are read against sigma
        value, place = figure.subplots(2, 1, sharex=True)
        dark, light = line_colours(2)
        marks = {"lw": points(1.5), "ms": points(6)}
        best, short = peak(initial, grid, sense).value, sense.short
        value.axhline(best, color="0.65", lw=points(1.0), label=f"{short} Q")
        # max u is continuous; where it is reached is not
        value.plot(levels, [top.value for top in tops], "o-", color=dark, label=f"{short} u", **marks)
        # what the learner has when it stops exploring, which the drop of max u does not tell
        there = [float(initial[top.index]) for top in tops]
        value.plot(sigma, broken(there, gaps), "s--", color=light, label=f"Q at the {sense.place} of u", **marks)
        value.set_ylabel("value")
        # between the panels, where no curve is
        entries = columns(3, total, _ENTRY)
        value.legend(loc="upper center", bbox_to_anchor=(0.5, -0.03), ncols=entries, frameon=False)
        value.set_title(wrapped(headline(evolution, f"the {sense.largest} u against σ"), total))
        beside = columns(grid.dimensions, total, _ENTRY)
        for i, (axis, colour) in enumerate(zip(grid, line_colours(grid.dimensions), strict=True)):
            # in shares, so that axes of different units fit into one panel
            alone = grid.dimensions == 1
            fractions = [
                top.coordinates[i] if alone else (top.coordinates[i] - axis.lower) / axis.length for top in tops
            ]
            # around a periodic axis the place goes from one end to the other, which is no move
            half = axis.length / 2 if alone else 0.5
            turns = np.flatnonzero(np.abs(np.diff(fractions)) > half).tolist() if axis.rule.periodic else []
            here = sorted({*gaps, *turns})
            style = "o^sDvP*X"[i % 8] + "-"
            # in small letters, beside the line of the entry
            name = drawable(axis.title)
            name = name if "$" in name else in_lines(name, int(1.15 * letters(total / beside)) - 6, 1)
            place.plot(broken(levels, here), broken(fractions, here), style, color=colour, label=name, **marks)
        # marks on the edge of the box are seen whole
        lower, length = (grid[0].lower, grid[0].length) if grid.dimensions == 1 else (0.0, 1.0)
        place.set_ylim(lower - 0.04 * length, lower + 1.04 * length)
        sigma_axis(place, levels, grid, along, ends=False)
        if grid.dimensions == 1:
            place.set_ylabel(f"{sense.place}, {axis_label(grid[0])}")
        else:
            place.set_ylabel(f"{sense.place}, fraction of the box")
            legend_below(place, _ENTRY)
        fit_labels(figure)
    return figure
