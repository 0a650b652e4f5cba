"""Small multiples: the same landscape at many sigmas, side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from heatpg.core.extrema import peak
from heatpg.core.grid import Grid, first_of_batch
from heatpg.errors import SigmaError
from heatpg.evolution import Evolution
from heatpg.plot.choices import chosen_level, shown_sigmas
from heatpg.plot.field import draw_field, map_ratio, marks_words
from heatpg.plot.layout import (
    HIGHEST,
    caption_height,
    fit_labels,
    height_of_maps,
    outer_labels,
    panels_of,
    scale_of_maps,
    words_below,
    wrapped,
)
from heatpg.plot.style import Width, columns, inches, letters, points, styled
from heatpg.plot.words import headline, number, sigma_label, slice_label
from heatpg.tools.figures import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["multiples"]

_MOST = 11  # and Q: three rows of four; fewer where these rows would be higher than a page
_MOST_IN_A_ROW = 4  # a taste: five maps on a page are too small to read their axes
_WIDTH = 10.0  # inches, on the screen
_LEAST = 2.0  # inches that a panel needs beside text of 10 points
_ROOM = 0.08  # inches above and below what has titles


def _per_row(total: float) -> int:
    """How many panels a row has: in print as many as fit, on the screen up to four."""
    return columns(_MOST_IN_A_ROW, total, _LEAST)


def _most(grid: Grid, width: Width) -> int:
    """How many noise levels are shown beside Q if none are chosen: in print no more than a page has room for."""
    total = inches(width, _WIDTH)
    with styled(width):
        per_row = _per_row(total)
        # with four lines of heading and five of words below
        free = HIGHEST - caption_height(4) - caption_height(5)
        row = height_of_maps(2 * per_row, per_row, total, map_ratio(grid)) - height_of_maps(
            per_row, per_row, total, map_ratio(grid)
        )
        fitting = max(1, int(free / (row + 2.0 * points(_ROOM)))) * per_row - 1
    return _MOST if width is None else min(_MOST, fitting)


@figures.register("multiples")
def multiples(
    evolution: Evolution, levels: Sequence[int] | None = None, *, shared: bool = True, width: Width = None
) -> Figure:
    """Q and u at many sigmas side by side, each with its argmax, on one scale or each on its own.

    Where more than 1 % of the noise leaves the box along an axis it is hatched. In one dimension these are lines over
    Q; above two, slices through the argmax of Q, with an open cross where the argmax lies elsewhere.

    Parameters
    ----------
    evolution
        Evolution to draw; the first of a batch.
    levels
        Which of the stored sigmas; by default up to 11, evenly spread, and in print as many as fit a page.
    shared
        Whether all have the scale of Q; otherwise each has its own, which is written above it.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    figure
        Made without pyplot, so nothing is shown; `heatpg.plot.save` writes it.

    Raises
    ------
    SigmaError
        For no levels, or one that is not stored.
    OptionError
        For an argument that is not an evolution, and for an unknown width.

    Examples
    --------
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> figure = plot.multiples(solve(landscapes.ridge(size=21), [0.1, 0.2, 0.4, 0.8]))
    >>> [ax.get_title() for ax in figure.axes[:5]]
    ['Q (σ = 0)', 'σ = 0.1', 'σ = 0.2', 'σ = 0.4', 'σ = 0.8']
    """
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    grid = evolution.grid
    shown = (
        shown_sigmas(evolution, _most(grid, width)) if levels is None else [chosen_level(evolution, k) for k in levels]
    )
    if not shown:
        raise SigmaError("no noise levels to draw", given="no levels", allowed=f"0 to {len(evolution) - 1}")
    initial = first_of_batch(evolution.landscape.values, grid)
    sense = evolution.landscape.sense
    center = peak(initial, grid, sense).index
    # the plane, or the line, through the argmax of Q
    through: tuple[slice | int, ...] = (slice(None),) * min(grid.dimensions, 2) + center[2:]
    fields = [initial, *(first_of_batch(evolution.values[k], grid) for k in shown)]
    sigmas = [np.zeros(grid.dimensions), *(evolution.sigmas[k] for k in shown)]
    names = ["Q (σ = 0)", *(sigma_label(evolution, k) for k in shown)]
    # the range of Q holds that of every u: the maximum principle
    everywhere = Normalize(float(initial.min()), float(initial.max()))
    count, total = len(fields), inches(width, _WIDTH)
    with styled(width):
        per_row = min(count, _per_row(total))
        about = "Q and its expected value u under Gaussian exploration noise σ"
        place = slice_label(grid, center)
        heading = wrapped(f"{headline(evolution, about)}{', at ' + place if place else ''}", total)
        # above and below every row
        room = 2.0 * points(_ROOM) * -(-count // per_row)
        height = (
            height_of_maps(count, per_row, total, map_ratio(grid)) + room + caption_height(len(heading.splitlines()))
        )
        figure = Figure(figsize=(total, height), layout=ConstrainedLayoutEngine(h_pad=points(_ROOM)))
        figure.suptitle(heading)
        lines = grid.dimensions == 1
        axes = panels_of(figure, count, per_row, sharex=True, sharey=not lines or shared)
        most = int(0.8 * letters(total / per_row))
        for ax, values, sigma, name in zip(axes, fields, sigmas, names, strict=True):
            own = values[through]
            norm = everywhere if shared else Normalize(float(own.min()), float(own.max()))
            image = draw_field(ax, values, grid, center, tuple(sigma.tolist()), norm, sense=sense)
            if lines and shared and values is not initial:
                ax.plot(grid[0].coordinates, initial, color="0.7", lw=points(0.9), zorder=1)
            if lines:
                ax.set_ylabel("Q, u")
            title = textwrap.wrap(name, most)
            if not shared:
                title.append(f"{number(float(own.min()))} to {number(float(own.max()))}")
            ax.set_title("\n".join(title))
        if shared or not lines:
            outer_labels(figure, axes, per_row, total)
        if shared and not lines:
            scale_of_maps(figure, image, axes, total)
        words = [marks_words(evolution, shown)]
        if lines and shared:
            words.append("Grey: Q.")
        if len(shown) < len(evolution):
            words.append(f"{len(shown)} of {len(evolution)} noise levels are shown.")
        words_below(figure, " ".join(words), total)
        fit_labels(figure)
    return figure
