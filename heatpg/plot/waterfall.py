"""u along one axis at many sigmas: as curves raised above one another, and as an image over (x, sigma)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.extrema import peak
from heatpg.core.grid import Grid, first_of_batch
from heatpg.errors import SigmaError
from heatpg.evolution import Evolution
from heatpg.plot.breaks import broken, jumps_between
from heatpg.plot.choices import chosen_axis, noise_levels, shown_sigmas, through_optimum
from heatpg.plot.layout import COLOURS, line_colours, sheet, sigma_axis, words_below
from heatpg.plot.style import Width, panel, points
from heatpg.plot.words import axis_label, headline, number, place_label, sigma_label
from heatpg.tools.calls import checked_call
from heatpg.tools.figures import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["sigma_image", "waterfall", "waterfall_figure"]

_MOST_CURVES = 24  # a taste: more hide one another
_MOST_LABELS = 13  # a taste: more would run into one another
_RISE = 0.35  # of osc(Q) along the line, for three curves; less for more
_WIDTH = 12.0  # inches, on the screen, for two panels
_LEAST = 3.4  # inches that a panel needs beside text of 10 points


def _title(evolution: Evolution, position: int, words: str) -> str:
    grid = evolution.grid
    center = peak(first_of_batch(evolution.landscape.values, grid), grid, evolution.landscape.sense).index
    place = place_label(grid, center, (position,))
    return headline(evolution, words) + (f"\nat {place}" if place else "")


@checked_call()
def waterfall(evolution: Evolution, axis: int | str = 0, ax: Axes | None = None, *, width: Width = None) -> Axes:
    """Draw Q and u along one axis as curves raised above one another, from Q at the bottom to the largest sigma.

    A dot is the largest value of each curve. The upright bar at the right is the scale of the heights. Above one
    dimension it is the line through the argmax of Q.

    Parameters
    ----------
    evolution
        Evolution to draw, at up to 24 of its noise levels, evenly spread; the first of a batch.
    axis
        Name or number of the axis.
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
    GridError
        For an axis that the grid does not have.
    OptionError
        For an unknown width, or a width and axes at once.

    Examples
    --------
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> ax = plot.waterfall(solve(landscapes.unequal_bumps(size=201), [0.1, 0.3, 0.9]))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['Q', 'σ = 0.1', 'σ = 0.3', 'σ = 0.9']
    """
    grid = evolution.grid
    position = chosen_axis(grid, axis)
    initial = first_of_batch(evolution.landscape.values, grid)
    sense = evolution.landscape.sense
    center = peak(initial, grid, sense).index
    shown = shown_sigmas(evolution, _MOST_CURVES)
    fields = [initial, *(first_of_batch(evolution.values[k], grid) for k in shown)]
    curves = np.stack([through_optimum(values, center, position) for values in fields]).astype(np.float64)
    # a flat Q still has its curves one above the other
    span = float(np.ptp(curves[0])) or 1.0
    # up to twelve curves keep their distance; more share the height of twelve
    rise = span * _RISE * min(1.0, 12.0 / len(curves))
    x = grid[position].coordinates
    with panel(ax, width, height=0.9) as ax:
        colours = [(0.45, 0.45, 0.45, 1.0), *line_colours(len(shown))]
        for i, (curve, colour) in enumerate(zip(curves, colours, strict=True)):
            order = 2.0 + len(curves) - i  # the lower ones are in front
            raised = curve + i * rise
            # white below each curve hides those behind it, as in a mountain range
            ax.fill_between(x, raised, curves.min() - 0.05 * span, color="white", lw=0, zorder=order)
            ax.plot(x, raised, color=colour, lw=points(1.3), zorder=order + 0.3)
            top = int((sense.sign * curve).argmax())
            dot: dict[str, Any] = {"ms": points(4.5), "mec": "black", "mew": points(0.6), "clip_on": False}
            ax.plot(x[top], raised[top], "o", color=colour, zorder=order + 0.6, **dot)
        # the first and the last among them
        named = np.unique(np.linspace(0, len(curves) - 1, min(_MOST_LABELS, len(curves))).round().astype(int))
        labels = ["Q", *(sigma_label(evolution, k) for k in shown)]
        ax.set_yticks([float(curves[i, 0] + i * rise) for i in named], [labels[i] for i in named])
        ax.set_xlim(float(x[0]), float(x[-1]))
        ax.set_ylim(float(curves.min()) - 0.05 * span, None)
        ax.set_xlabel(axis_label(grid[position]))
        for side in ("top", "right", "left"):
            ax.spines[side].set_visible(False)
        _draw_scale(ax, float(curves[0].min()), span)
        ax.set_title(_title(evolution, position, "u raised by σ"))
    return ax


def _draw_scale(ax: Axes, low: float, span: float) -> None:
    """An upright bar of a round length."""
    # the longest of 1, 2 and 5 times a power of ten that fits
    power = 10.0 ** np.floor(np.log10(span))
    length = max(step * power for step in (1.0, 2.0, 5.0) if step * power <= span)
    place = ax.get_yaxis_transform()
    ax.plot([1.03, 1.03], [low, low + length], color="black", lw=points(1.5), transform=place, clip_on=False)
    words = f"{number(length)} in units of Q"
    ax.text(1.05, low + length / 2, words, transform=place, va="center", ha="left", rotation=90, fontsize="small")


def _edges(centers: NDArray[np.float64], *, logarithmic: bool) -> NDArray[np.float64]:
    """Edges of cells around centers, halfway between them."""
    # halfway on the scale of the axis
    places = np.log(centers) if logarithmic else centers
    middles = (places[1:] + places[:-1]) / 2
    # the outer cells reach as far beyond their center as within
    edges = np.concatenate([[2 * places[0] - middles[0]], middles, [2 * places[-1] - middles[-1]]])
    return np.asarray(np.exp(edges) if logarithmic else edges)


@checked_call()
def sigma_image(evolution: Evolution, axis: int | str = 0, ax: Axes | None = None, *, width: Width = None) -> Axes:
    """Draw u over (x, sigma) as an image on the colour scale of Q, with the argmax of each row.

    The line of the argmax is broken where it jumps. Above one dimension u is drawn along the line
    through the argmax of Q.

    Parameters
    ----------
    evolution
        Evolution to draw, with at least two sigmas > 0; the first of a batch.
    axis
        Name or number of the axis.
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
    GridError
        For an axis that the grid does not have.
    SigmaError
        For fewer than two different sigmas > 0.
    OptionError
        For an unknown width, or a width and axes at once.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> flow = solve(landscapes.unequal_bumps(size=201), np.geomspace(0.1, 2.0, 8))
    >>> plot.sigma_image(flow).get_ylabel()
    'σ'
    """
    from matplotlib.colors import Normalize

    grid = evolution.grid
    position = chosen_axis(grid, axis)
    levels, along = noise_levels(evolution)
    rows = _image_rows(levels)
    if len(rows) < 2:
        raise SigmaError(
            "an image over sigma needs at least two different sigmas > 0",
            given=levels.tolist(),
            advice="evolve to more noise levels",
        )
    initial = first_of_batch(evolution.landscape.values, grid)
    sense = evolution.landscape.sense
    center = peak(initial, grid, sense).index
    # one row for a level
    lines = np.stack([through_optimum(first_of_batch(evolution.values[k], grid), center, position) for k in rows])
    line = through_optimum(initial, center, position)
    sigma, x = levels[rows], grid[position].coordinates
    with panel(ax, width, height=0.9) as ax:
        # sets the scale, which says where the edges between two rows are
        sigma_axis(ax, sigma, grid, along, which="y", ends=False)
        edges = np.maximum(_edges(sigma, logarithmic=ax.get_yscale() == "log"), 0.0)
        image = ax.pcolormesh(
            _edges(x, logarithmic=False),
            edges,
            lines,
            cmap=COLOURS,
            norm=Normalize(float(line.min()), float(line.max())),
            rasterized=True,
        )
        tops = x[(sense.sign * lines).argmax(axis=1)]
        gaps = jumps_between(list(lines), Grid(grid[position]), sense)
        places, heights = broken(tops, gaps), broken(sigma, gaps)
        ax.plot(places, heights, color="black", lw=points(2.2))
        ax.plot(places, heights, color="white", lw=points(1.0), marker="o", ms=points(2.5), label=sense.place)
        ax.set_xlim(float(x[0]), float(x[-1]))
        ax.set_ylim(float(edges[0]), float(edges[-1]))
        ax.set_xlabel(axis_label(grid[position]))
        ax.figure.colorbar(image, ax=ax, label="u")
        ax.set_title(_title(evolution, position, "u against σ"))
    return ax


def _image_rows(levels: NDArray[np.float64]) -> list[int]:
    """Levels that rise from one to the next, without 0."""
    rows: list[int] = []
    for k, level in enumerate(levels.tolist()):
        # levels of which another axis has the change repeat this one, and cells cannot have height 0
        if level > (levels[rows[-1]] if rows else 0.0):
            rows.append(k)
    return rows


@figures.register("waterfall")
def waterfall_figure(evolution: Evolution, *, width: Width = None) -> Figure:
    """u along the first axis at many sigmas: curves raised above one another, and an image over (x, sigma).

    Above one dimension it is the line through the argmax of Q. Where fewer than two sigmas > 0 are stored there is no
    image.

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
    >>> import numpy as np
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> flow = solve(landscapes.unequal_bumps(size=201), np.geomspace(0.1, 2.0, 8))
    >>> [ax.get_ylabel() for ax in plot.figures.get("waterfall")(flow).axes]
    ['', 'σ', 'u']
    """
    count = 2 if len(_image_rows(noise_levels(evolution)[0])) > 1 else 1
    heading = _title(evolution, 0, "u under Gaussian exploration noise σ")
    with sheet(width, count, heading, screen=0.5 * _WIDTH * count, least=_LEAST, height=4.6) as (figure, axes):
        waterfall(evolution, 0, axes[0])
        if count > 1:
            sigma_image(evolution, 0, axes[1])
        for ax in axes:
            ax.set_title("")
        if evolution.grid.dimensions > 1:
            place = evolution.landscape.sense.place
            words = f"Along the line through the {place} of Q; the {place} of u over the whole box may lie elsewhere."
            words_below(figure, words, float(figure.get_figwidth()))
    return figure
