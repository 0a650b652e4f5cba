"""The page of a study: landscape, fingerprint, price, basin, and a sentence for each finding."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from heatpg.core.extrema import peak
from heatpg.evolution import Evolution
from heatpg.plot.counts import critical_counts
from heatpg.plot.field import draw_field
from heatpg.plot.fingerprint import fingerprint
from heatpg.plot.layout import (
    caption,
    caption_height,
    height_of_maps,
    legend_below_panels,
    line_colours,
    outer_labels,
    panels_of,
    scale_of_maps,
    wrapped,
)
from heatpg.plot.pricing import price_curve
from heatpg.plot.style import Width, columns, inches, letters, points, styled
from heatpg.plot.watershed import basin_curve
from heatpg.plot.words import axis_label, headline, sigma_label, slice_label
from heatpg.tools.figures import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure, FigureBase

    from heatpg.studies import Study

__all__ = ["study"]

_WIDTH = 13.0  # inches, on the screen
_LEAST_MAP = 2.0  # inches that a panel needs
_LEAST_CURVE = 2.8  # inches that a panel with curves needs


def _shown(page: Study) -> list[int]:
    """Three levels: around the first jump and the end of the optimum if they can be told apart, else evenly spread."""
    sigma = page.space.sigma
    last = len(sigma) - 1
    # a tenth of the levels: two maps nearer than that look the same
    apart = max(1, len(sigma) // 10)
    events = [event.sigma for event in (page.space.sigma_jump, page.space.sigma_death) if event is not None]
    # the first level after each event, where what it did is seen
    after = [min(int(np.searchsorted(sigma, event)), last) for event in events]
    kept: list[int] = []
    # in the order of their worth; the first three that are apart are shown
    for level in (0, *after, last, last // 2, last // 4, 3 * last // 4):
        if all(abs(level - other) >= apart for other in kept):
            kept.append(level)
    return sorted(kept[:3])


def _findings(page: Study, most: int) -> list[str]:
    # notes of the tracks say what the sentences rest on
    lines = list(page.sentences.values()) + [f"Note: {flag}." for flag in page.space.flags]
    grid = page.evolution.grid
    if any(any(grid.margin(page.evolution.sigmas[level].tolist())) for level in _shown(page)):
        lines.append("Hatched: more than 1 % of the noise along an axis leaves the sampled box.")
    return [part for line in lines for part in textwrap.wrap(line, most, subsequent_indent="    ")]


def _draw_maps(part: FigureBase, page: Study, per_row: int, width: float) -> None:
    """Q, and u at three levels, on the colour scale of Q."""
    from matplotlib.colors import Normalize

    flow, grid, shown = page.evolution, page.evolution.grid, _shown(page)
    # a study is of one landscape: there are no batch axes
    initial = flow.landscape.values
    sense = flow.landscape.sense
    center = peak(initial, grid, sense).index
    panels = panels_of(part, 1 + len(shown), per_row, sharex=True, sharey=True)
    norm = Normalize(float(initial.min()), float(initial.max()))
    image = draw_field(panels[0], initial, grid, center, (0.0,) * grid.dimensions, norm, sense=sense)
    panels[0].set_title("\n".join(filter(None, ["Q (σ = 0)", slice_label(grid, center)])))
    for level, ax in zip(shown, panels[1:], strict=True):
        sigma = tuple(float(s) for s in flow.sigmas[level])
        draw_field(ax, flow.values[level], grid, center, sigma, norm, sense=sense)
        ax.set_title(sigma_label(flow, level))
    outer_labels(part, panels, per_row, width)
    scale_of_maps(part, image, panels, width)


def _draw_lines(part: FigureBase, page: Study) -> None:
    """Q, and u at three levels with its optimum, in one dimension."""
    flow, grid, space, shown = page.evolution, page.evolution.grid, page.space, _shown(page)
    ax = part.subplots()
    ax.plot(grid[0].coordinates, flow.landscape.values, color="0.2", lw=points(1.2), label="Q (σ = 0)")
    for level, colour in zip(shown, line_colours(len(shown)), strict=True):
        ax.plot(grid[0].coordinates, flow.values[level], color=colour, lw=points(1.5), label=sigma_label(flow, level))
        cross: dict[str, Any] = {"mec": "black", "mfc": colour, "ms": points(7), "mew": points(0.8)}
        # where the optimum is between the nodes
        ax.plot(space.optimum_positions[level, 0], space.optimum_values[level], "X", **cross)
    ax.legend(fontsize="small")
    ax.set_xlabel(axis_label(grid[0]))
    ax.set_ylabel("Q, u")
    ax.set_xlim(grid[0].lower, grid[0].upper)


def _draw_fingerprints(part: FigureBase, page: Study, per_row: int, width: float, *, beside: bool) -> None:
    """Critical points along each axis, with a legend at the side where there is room, else below."""
    panels = panels_of(part, min(page.evolution.grid.dimensions, 3), per_row)
    for i, ax in enumerate(panels):
        fingerprint(page.space, ax, axis=i)
        ax.set_title("Critical points against σ" if i == 0 else "")
        if i + per_row < len(panels):
            ax.set_xlabel("")
    if beside:
        panels[-1].legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    else:
        legend_below_panels(part, panels[0], width)


@figures.register("study")
def study(source: Evolution | Study, *, width: Width = None) -> Figure:
    """The page of a study: Q and u around its events, the fingerprint, price, basins and counts, and the findings.

    Parameters
    ----------
    source
        What `heatpg.study` returned; or an evolution, which is studied first.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    figure
        Made without pyplot, so nothing is shown; `heatpg.plot.save` writes it.

    Raises
    ------
    OptionError, SigmaError, UnsupportedError
        For an evolution that `heatpg.study` refuses, and for an unknown width.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> flow = solve(landscapes.unequal_bumps(size=201), np.geomspace(0.1, 2.0, 8))
    >>> plot.study(flow).get_suptitle().splitlines()[0]
    'unequal_bumps: what exploration noise does to its optimum'
    """
    from matplotlib.figure import Figure

    from heatpg.studies import Study
    from heatpg.studies import study as make

    total = inches(width, _WIDTH)
    # studied before anything is drawn, as it may refuse
    page = source if isinstance(source, Study) else make(source)
    grid, flow = page.evolution.grid, page.evolution
    shape = " × ".join(map(str, grid.shape))
    maps, tracks = 1 + len(_shown(page)), min(grid.dimensions, 3)
    with styled(width):
        # inside the style, as a line holds as many letters as the text is small
        text = _findings(page, letters(total))
        heading = wrapped(
            f"{headline(flow, 'what exploration noise does to its optimum')}\n"
            f"{shape} nodes, boundary {', '.join(dict.fromkeys(axis.boundary for axis in grid))}, "
            f"{len(flow)} levels of σ, solver {flow.solver.name}",
            total,
        )
        maps_per_row = columns(maps, total, _LEAST_MAP)
        per_row, curves_per_row = columns(tracks, total, _LEAST_CURVE), columns(3, total, _LEAST_CURVE)
        beside = total >= points(_LEAST_CURVE) * 3
        # maps, fingerprints, curves, words, from above
        heights = [
            points(3.0) if grid.dimensions == 1 else height_of_maps(maps, maps_per_row, total),
            points(3.4) * -(-tracks // per_row) + (0.0 if beside else points(0.6)),
            points(2.9) * -(-3 // curves_per_row),
            caption_height(len(text)),
        ]
        head = caption_height(len(heading.splitlines()))
        figure = Figure(figsize=(total, sum(heights) + head), layout="constrained")
        figure.suptitle(heading)
        top, middle, curves, words = figure.subfigures(4, 1, squeeze=False, height_ratios=heights)[:, 0]
        if grid.dimensions == 1:
            _draw_lines(top, page)
        else:
            _draw_maps(top, page, maps_per_row, total)
        _draw_fingerprints(middle, page, per_row, total, beside=beside)
        first, second, third = panels_of(curves, 3, curves_per_row)
        price_curve(page.space, first, curve=page.curve, limit=page.price)
        basin_curve(page.space, second, basins=page.basins)
        critical_counts(page.space, third)
        caption(words, text)
    return figure
