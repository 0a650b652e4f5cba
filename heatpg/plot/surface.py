"""A landscape as a surface over two of its axes."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.extrema import peak
from heatpg.core.grid import Axis, first_of_batch
from heatpg.errors import OptionError, UnsupportedError
from heatpg.evolution import Evolution
from heatpg.plot.choices import chosen_level, shown_sigmas
from heatpg.plot.field import marks_words
from heatpg.plot.layout import COLOURS, wrapped
from heatpg.plot.style import Width, columns, inches, letters, panel, points, styled
from heatpg.plot.words import axis_label, headline, sigma_label, slice_label
from heatpg.tools.calls import checked_call
from heatpg.tools.figures import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["surface", "surface_figure"]

_MOST_LINES = 320  # each way; 320 by 320 facets take about a second
_MOST_FACETS = 15_000  # of which a vector file is made; more become an image in it
_WIDTH = 13.0  # inches, on the screen
_LEAST = 2.1  # inches that a panel needs beside text of 10 points


def _require_two_axes(evolution: Evolution) -> None:
    if evolution.grid.dimensions < 2:
        raise UnsupportedError(
            "a surface needs at least two axes",
            given=f"one axis, {evolution.grid[0].name}",
            advice="in one dimension use the waterfall figure",
        )


def _lines(axis: Axis, through: int) -> NDArray[np.int64]:
    """Numbers of the nodes that are drawn: evenly spaced, the ends and the optimum among them."""
    # the step counts from the optimum, so that its node is drawn however coarse the rest
    step = -(-axis.size // _MOST_LINES)
    return np.unique([0, *range(through % step, axis.size, step), axis.size - 1])


@checked_call()
def surface(evolution: Evolution, index: int | None = None, ax: Axes | None = None, *, width: Width = None) -> Axes:
    """Draw Q, or u at one stored sigma, as a surface with its argmax, on the scale of heights and colours of Q.

    Above two dimensions it is the slice through the argmax of Q; the cross is left open if the argmax lies in another
    slice. Up to 320 nodes along an axis all are drawn; of a finer grid every second, or third, and so on, the argmax
    among them: there a ridge of one node becomes a row of teeth.

    Parameters
    ----------
    evolution
        Evolution to draw, with at least two axes; the first of a batch.
    index
        Which sigma; None for Q.
    ax
        Where to draw, three-dimensional (``projection="3d"``); without it, in a new figure.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    ax
        The axes; ``ax.figure`` is the figure.

    Raises
    ------
    SigmaError
        For an index that no sigma has.
    OptionError
        For an argument that is not an evolution, two-dimensional axes, an unknown width, or both a width and axes.
    UnsupportedError
        For a landscape over one axis.

    Examples
    --------
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> plot.surface(solve(landscapes.ridge(size=21), [0.2]), 0).get_title()
    'ridge: u at σ = 0.2'
    """
    _require_two_axes(evolution)
    if ax is not None and ax.name != "3d":
        raise OptionError(
            "a surface needs three-dimensional axes",
            given=f"axes of the projection {ax.name!r}",
            advice='create them with subplot_kw={"projection": "3d"}',
        )
    level = None if index is None else chosen_level(evolution, index)
    with panel(ax, width, height=0.85, solid=True) as ax:
        _draw(ax, evolution, level)
        what = "Q" if level is None else f"u at {sigma_label(evolution, level)}"
        place = slice_label(evolution.grid, _center(evolution))
        ax.set_title("\n".join(filter(None, [headline(evolution, what), place])))
    return ax


def _center(evolution: Evolution) -> tuple[int, ...]:
    """The argmax of Q, of a loss its argmin, through which slices go."""
    landscape = evolution.landscape
    return peak(first_of_batch(landscape.values, evolution.grid), evolution.grid, landscape.sense).index


def _draw(ax: Any, evolution: Evolution, level: int | None) -> None:
    from matplotlib.colors import Normalize

    grid = evolution.grid
    initial = first_of_batch(evolution.landscape.values, grid)
    values = initial if level is None else first_of_batch(evolution.values[level], grid)
    best, center = peak(values, grid, evolution.landscape.sense), _center(evolution)
    # through the argmax of what is drawn, which need not be that of Q
    rows, places = _lines(grid[0], best.index[0]), _lines(grid[1], best.index[1])
    x, y = np.meshgrid(grid[0].coordinates[rows], grid[1].coordinates[places], indexing="ij")
    through: tuple[slice | int, ...] = (slice(None), slice(None), *center[2:])
    heights = values[through][np.ix_(rows, places)]
    low, high = float(initial.min()), float(initial.max())
    # the order by depth, which matplotlib takes from whole artists, would hide the cross
    ax.computed_zorder = False
    drawn = ax.plot_surface(
        x,
        y,
        heights,
        rcount=len(rows),
        ccount=len(places),
        cmap=COLOURS,
        norm=Normalize(low, high),
        linewidth=points(0.15),
        zorder=1,
    )
    # a vector file of more facets is slow to show
    drawn.set_rasterized(heights.size > _MOST_FACETS)
    drawn.set_edgecolor("face")  # no light seams between the facets in vector files
    ax.plot(
        [best.coordinates[0]],
        [best.coordinates[1]],
        [best.value],
        marker="X",
        ms=points(9),
        mec="black",
        mew=points(1.0),
        mfc="white" if best.index[2:] == center[2:] else "none",
        ls="none",
        zorder=5,
    )
    if low < high:
        ax.set_zlim(low, high)
    # the layout leaves surfaces alone, so the room for labels is reckoned
    side = ax.get_figure().get_figwidth() * ax.get_position(original=True).width
    most = int(0.45 * letters(side))  # of an edge, seen at an angle
    for name, label in (("x", axis_label(grid[0])), ("y", axis_label(grid[1])), ("z", "Q" if level is None else "u")):
        ax.set(**{f"{name}label": label if len(label) <= most else f"{label[: most - 1]}…"})
        ax.tick_params(axis=name, pad=-points(2.0))
        ax.locator_params(axis=name, nbins=5 if side > points(3.0) else 3)
        getattr(ax, f"{name}axis").labelpad = -points(2.0)
    # room for the labels, which lie outside the box
    ax.set_box_aspect(None, zoom=0.95)
    ax.title.set_position((0.5, 0.98))


@figures.register("surface")
def surface_figure(evolution: Evolution, *, width: Width = None) -> Figure:
    """Q and u at up to three sigmas as surfaces on one scale, for landscapes over two axes or more.

    Above two dimensions, slices through the argmax of Q; of a batch, the first landscape.

    Parameters
    ----------
    evolution
        Evolution to draw.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    figure
        Made without pyplot, so nothing is shown; `heatpg.plot.save` writes it.

    Raises
    ------
    OptionError
        For an argument that is not an evolution, and for an unknown width.
    UnsupportedError
        For a landscape over one axis.

    Examples
    --------
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> figure = plot.figures.get("surface")(solve(landscapes.ridge(size=21), [0.1, 0.2]))
    >>> [ax.get_title() for ax in figure.axes]
    ['Q (σ = 0)', 'σ = 0.1', 'σ = 0.2']
    """
    from matplotlib.figure import Figure

    _require_two_axes(evolution)
    shown: list[int | None] = [None, *shown_sigmas(evolution)]
    total = inches(width, _WIDTH)
    with styled(width):
        per_row = columns(len(shown), total, _LEAST)
        place = slice_label(evolution.grid, _center(evolution))
        heading = headline(evolution, "Q and its expected value u under Gaussian exploration noise σ")
        heading = wrapped(f"{heading}, at {place}" if place else heading, total)
        rows = -(-len(shown) // per_row)
        side = min(total / per_row, points(5.0))
        head = points(0.25) * len(heading.splitlines())
        words = (
            f"Upright: Q, u. {marks_words(evolution, [level for level in shown if level is not None], hatching=False)}"
        )
        # small letters, as below other figures
        lines = textwrap.wrap(words, int(1.15 * letters(total)))
        foot = points(0.2) * len(lines)
        high = side * rows + head + foot
        figure = Figure(figsize=(total, high))
        figure.suptitle(heading, y=1.0 - 0.1 / high)
        cells = [(i % per_row, rows - 1 - i // per_row) for i in range(len(shown))]
        # set by hand in shares of the figure: labels in space have no place before they are drawn
        places = [(c / per_row, (foot + (r + 0.13) * side) / high, 0.9 / per_row, 0.76 * side / high) for c, r in cells]
        axes = [figure.add_axes(place, projection="3d") for place in places]
        for ax, level in zip(axes, shown, strict=True):
            _draw(ax, evolution, level)
            ax.set_title("Q (σ = 0)" if level is None else sigma_label(evolution, level))
            ax.set(zlabel="")  # the words below say what the heights are, and the next panel is near
        figure.text(0.01, 0.05 / high, "\n".join(lines), fontsize="small")
    return figure
