"""How the largest value of u, and its place, move with sigma."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heatpg.evolution import Evolution
from heatpg.plot import figures
from heatpg.plot._common import line_colours, optimum, single

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["maxima"]


@figures.register("maxima")
def maxima(evolution: Evolution) -> Figure:
    """Largest value of u against sigma, the value of Q there, and the place.

    The middle curve is what acting on the smoothed optimum gives without noise: Q at the argmax of u. The place is
    given in fractions of the box. Where each axis has its own sigma, the horizontal axis is that of the first axis
    whose sigma changes.

    Parameters
    ----------
    evolution
        What to draw; of a batch the first.

    Examples
    --------
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> len(plot.maxima(solve(landscapes.ridge(size=21), [0.1, 0.2, 0.4])).axes)
    2
    """
    from matplotlib.figure import Figure

    grid = evolution.grid
    initial = single(evolution.landscape.values, grid)
    columns = evolution.sigmas
    changing = [i for i in range(grid.dimensions) if np.ptp(columns[:, i]) > 0]
    column = changing[0] if changing else 0
    levels = columns[:, column]
    tops = [optimum(single(values, grid), grid) for values in evolution.values]
    figure = Figure(figsize=(7.0, 6.0), layout="constrained")
    value, place = figure.subplots(2, 1, sharex=True)
    dark, light = line_colours(2)
    value.axhline(float(initial.max()), color="0.65", lw=1.0, label="max Q")
    value.plot(levels, [top.value for top in tops], "o-", color=dark, label="max u")
    value.plot(levels, [float(initial[top.index]) for top in tops], "s--", color=light, label="Q at the argmax of u")
    value.set_ylabel("value")
    value.legend()
    batch = " (first of the batch)" if evolution.landscape.batch_shape else ""
    value.set_title(f"{evolution.landscape.name}: the largest u against σ{batch}")
    for i, (axis, colour) in enumerate(zip(grid, line_colours(grid.dimensions), strict=True)):
        fractions = [(top.coordinates[i] - axis.lower) / axis.length for top in tops]
        place.plot(levels, fractions, "o^sDvP*X"[i % 8] + "-", color=colour, label=axis.name)
    place.set_ylim(-0.04, 1.04)
    place.set_ylabel("argmax of u, in fractions of the box")
    place.legend()
    unit = grid[column].unit
    name = "σ" if evolution.sigma.ndim == 1 else f"σ along {grid[column].name}"
    place.set_xlabel(f"{name} ({unit})" if unit else name)
    positive = levels[levels > 0]
    if len(positive) == len(levels) and positive.max() > 8 * positive.min():
        place.set_xscale("log")
    return figure
