"""Q and u along one axis, through the optimum of Q."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatpg.evolution import Evolution
from heatpg.plot._common import axis_label, line_colours, new_axes, number, optimum, shown_sigmas, sigma_label, single

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["cut"]


def cut(evolution: Evolution, axis: int | str = 0, ax: Axes | None = None) -> Axes:
    """Draw Q and u along one axis, through the argmax of Q, at up to four of the stored sigmas.

    Dots mark the largest value along the cut, which in two dimensions and more need not be that of the field.

    Parameters
    ----------
    evolution
        What to draw; of a batch the first.
    axis
        Name or number of the axis.
    ax
        Where to draw; without it, in a new figure.

    Returns
    -------
    ax
        The axes; ``ax.figure`` is the figure.

    Examples
    --------
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> plot.cut(solve(landscapes.ridge(size=21), [0.2, 0.4]), "x2").get_xlabel()
    'x2'
    """
    ax = new_axes(ax)
    grid = evolution.grid
    position = grid.index(axis) if isinstance(axis, str) else range(grid.dimensions)[axis]
    initial = single(evolution.landscape.values, grid)
    center = optimum(initial, grid).index
    line = tuple(slice(None) if i == position else k for i, k in enumerate(center))
    nodes = grid[position].coordinates
    ax.plot(nodes, initial[line], color="0.55", lw=1.1, label="Q")
    shown = shown_sigmas(evolution, 4)
    for k, colour in zip(shown, line_colours(len(shown)), strict=True):
        values = single(evolution.values[k], grid)[line]
        ax.plot(nodes, values, color=colour, lw=1.8, label=sigma_label(evolution, k))
        top = int(values.argmax())
        ax.plot(nodes[top], values[top], "o", ms=7, color=colour, mec="black", mew=0.8, clip_on=False, zorder=5)
    ax.set_xlim(float(nodes[0]), float(nodes[-1]))
    ax.set_xlabel(axis_label(grid[position]))
    ax.set_ylabel("Q, u")
    others = [
        f"{other.name} = {number(x)} {other.unit}".rstrip()
        for i, (other, x) in enumerate(zip(grid, grid.point(center), strict=True))
        if i != position
    ]
    ax.set_title(f"cut at {', '.join(others)}" if others else f"{evolution.landscape.name}: Q and u")
    return ax
