"""Q and u along one axis, through the optimum of Q."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from heatpg.core.extrema import peak
from heatpg.core.grid import first_of_batch
from heatpg.evolution import Evolution
from heatpg.plot.choices import chosen_axis, chosen_level, shown_sigmas, through_optimum
from heatpg.plot.layout import line_colours
from heatpg.plot.style import Width, panel, points
from heatpg.plot.words import axis_label, name_label, place_label, sigma_label
from heatpg.tools.calls import checked_call

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["cut"]


@checked_call()
def cut(
    evolution: Evolution,
    axis: int | str = 0,
    ax: Axes | None = None,
    *,
    levels: Sequence[int] | None = None,
    width: Width = None,
) -> Axes:
    """Draw Q and u along one axis, through the argmax of Q, at some of the stored sigmas.

    Dots mark the largest value along the cut, which in two or more dimensions need not be that of the field.

    Parameters
    ----------
    evolution
        Evolution to draw; the first of a batch.
    axis
        Name or number of the axis.
    ax
        Where to draw; without it, in a new figure, with a legend.
    levels
        Which of the stored sigmas; by default up to four, evenly spread.
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
    SigmaError
        For a level that is not stored.
    OptionError
        For an argument that is not an evolution, an unknown width, or both a width and axes.

    Examples
    --------
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> plot.cut(solve(landscapes.ridge(size=21), [0.2, 0.4]), "x2").get_xlabel()
    'x2'
    """
    grid = evolution.grid
    position = chosen_axis(grid, axis)
    initial = first_of_batch(evolution.landscape.values, grid)
    sense = evolution.landscape.sense
    center = peak(initial, grid, sense).index
    nodes = grid[position].coordinates
    others = place_label(grid, center, (position,))
    shown = shown_sigmas(evolution, 4) if levels is None else [chosen_level(evolution, k) for k in levels]
    # whoever draws several cuts makes one legend for all
    own = ax is None
    with panel(ax, width) as ax:
        ax.plot(nodes, through_optimum(initial, center, position), color="0.55", lw=points(1.1), label="Q")
        for k, colour in zip(shown, line_colours(len(shown)), strict=True):
            values = through_optimum(first_of_batch(evolution.values[k], grid), center, position)
            ax.plot(nodes, values, color=colour, lw=points(1.8), label=sigma_label(evolution, k))
            # along this line, as u elsewhere is not drawn
            top = int((sense.sign * values).argmax())
            dot: dict[str, Any] = {
                "ms": points(7),
                "color": colour,
                "mec": "black",
                "mew": points(0.8),
                "clip_on": False,
                "zorder": 5,
            }
            ax.plot(nodes[top], values[top], "o", **dot)
        ax.set_xlim(float(nodes[0]), float(nodes[-1]))
        ax.set_xlabel(axis_label(grid[position]))
        # both have the unit of the return
        ax.set_ylabel("Q, u")
        ax.set_title(f"cut at {others}" if others else f"{name_label(evolution.landscape)}: Q and u")
        if own:
            ax.legend(frameon=False)
    return ax
