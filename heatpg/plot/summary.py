"""The main figure: Q and u at several sigmas on one colour scale, cuts through the optimum, and the checks."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from heatpg.core.extrema import peak
from heatpg.core.grid import first_of_batch
from heatpg.core.report import Status, counted
from heatpg.evolution import Evolution
from heatpg.plot.choices import shown_sigmas
from heatpg.plot.cut import cut
from heatpg.plot.field import draw_field, map_ratio, marks_words
from heatpg.plot.layout import (
    caption,
    caption_height,
    fit_labels,
    height_of_maps,
    legend_below_panels,
    outer_labels,
    panels_of,
    scale_of_maps,
    wrapped,
)
from heatpg.plot.style import Width, columns, inches, letters, points, styled
from heatpg.plot.words import axis_label, headline, origin_label, sigma_label, slice_label
from heatpg.tools.figures import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure, FigureBase

__all__ = ["summary"]

_WIDTH = 13.0  # inches, on the screen
_LEAST_MAP = 2.0  # inches that a panel needs
# inches; tastes: in print a cut may be smaller, as its text is
_LEAST_CUT, _LEAST_CUT_IN_PRINT = 2.8, 2.0
_PAGE = 9.0  # inches: what a page has room for, with a caption
# dark red of ColorBrewer: read on white, and dark in grey
_ALARM = "#b2182b"


def _text(evolution: Evolution, shown: list[int], most: int, *, in_print: bool) -> list[str]:
    """The lines below the panels; in print, where a caption says the rest, only what nobody else would say."""
    # on the screen the figure stands alone, in print it has a caption
    if not in_print:
        return [*_key(evolution, shown, most), *_checks(evolution, most)]
    lines = textwrap.wrap(marks_words(evolution, shown), most) if evolution.grid.dimensions > 1 else []
    failed = [check.name for check in evolution.report if check.status == "failed"]
    if failed:
        lines += textwrap.wrap(f"FAILED: {', '.join(failed)}.", most)
    return lines


def _checks(evolution: Evolution, most: int) -> list[str]:
    report = evolution.report
    if not len(report):
        return ["Checks: none were run."]
    lines = [f"Checks ({report.level}): {counted(report)}."]
    if passed := report.only("passed"):
        lines += textwrap.wrap(f"Passed: {', '.join(check.name for check in passed)}.", most)
    words: tuple[tuple[Status, str], ...] = (("failed", "FAILED"), ("silent", "Silent"), ("finding", "Finding"))
    for status, word in words:
        for check in report.only(status):
            # a check may say more than a figure has room for; two lines of it, as `checks` draws the rest
            lines.append(textwrap.shorten(f"{word}: {check.name}: {check.message}", 2 * most, placeholder=" ..."))
    return [part for line in lines for part in textwrap.wrap(line, most)]


def _key(evolution: Evolution, shown: list[int], most: int) -> list[str]:
    """What the marks in the panels mean, as far as they occur."""
    grid, sense = evolution.grid, evolution.landscape.sense
    left = len(evolution.sigma) - len(shown)
    some = [f"{len(shown)} of {left + len(shown)} noise levels are shown."] if left else []
    if grid.dimensions == 1:
        return textwrap.wrap(" ".join([f"Dots: {sense.place}.", *some]), most)
    parts = [f"Dots: {sense.largest} values along the cuts.", marks_words(evolution, shown), *some]
    return textwrap.wrap(" ".join(parts), most)


def _on_edge(evolution: Evolution, shown: list[int]) -> bool:
    fields = [evolution.landscape.values, *(evolution.values[k] for k in shown)]
    grid, sense = evolution.grid, evolution.landscape.sense
    return any(peak(first_of_batch(values, grid), grid, sense).edges for values in fields)


def _heading(evolution: Evolution, *, in_print: bool) -> str:
    grid = evolution.grid
    shape = " × ".join(map(str, grid.shape))
    kinds = list(dict.fromkeys(axis.boundary for axis in grid))
    about = "Q and its expected value u under Gaussian exploration noise σ"
    if in_print:
        return headline(evolution, about)
    return f"{headline(evolution, about)}\n{shape} nodes, boundary {', '.join(kinds)}, {origin_label(evolution)}"


@figures.register("summary")
def summary(evolution: Evolution, *, width: Width = None) -> Figure:
    """Q and u at up to three sigmas, cuts through the optimum at the same sigmas, and the result of the checks.

    The maps have one colour scale. In one dimension these are lines, at up to four sigmas; above two, slices through
    the argmax of Q; of a batch, the first landscape. With a width, for print, the figure is at most 9 in high, and
    its text says only what the marks mean and which checks failed, as the rest belongs in the caption.

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

    Examples
    --------
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> figure = plot.summary(solve(landscapes.ridge(size=21), [0.1, 0.2, 0.4]))
    >>> [ax.get_title().split(chr(10))[0] for ax in figure.axes[:4]]
    ['Q (σ = 0)', 'σ = 0.1', 'σ = 0.2', 'σ = 0.4']
    """
    from matplotlib.figure import Figure

    grid, in_print = evolution.grid, width is not None
    total = inches(width, _WIDTH)
    with styled(width):
        # lines lie in one panel, so there is room for a fourth
        shown = shown_sigmas(evolution, 4 if grid.dimensions == 1 else 3)
        most = letters(total)
        text = _text(evolution, shown, most, in_print=in_print)
        heading = wrapped(_heading(evolution, in_print=in_print), total)
        # of more axes the first three
        cuts = min(grid.dimensions, 3)
        maps = 0 if grid.dimensions == 1 else 1 + len(shown)
        maps_per_row = columns(maps, total, _LEAST_MAP)
        cuts_per_row = columns(cuts, total, _LEAST_CUT_IN_PRINT if in_print else _LEAST_CUT)
        # names that do not fit side by side are set below one another
        longest = max(len(axis_label(axis)) for axis in grid.axes[:cuts])
        if longest > 0.9 * letters(total / cuts_per_row):
            cuts_per_row = 1
        beside = total >= points(_LEAST_CUT) * 3  # the legend
        heights = [
            height_of_maps(maps, maps_per_row, total, map_ratio(grid)) if maps else 0.0,
            points(5.0 if grid.dimensions == 1 else 3.0) * -(-cuts // cuts_per_row) + (0.0 if beside else points(0.6)),
        ]
        head, foot = caption_height(len(heading.splitlines())), caption_height(len(text)) if text else 0.0
        # panels shrink, text does not
        shrink = min(1.0, (_PAGE - head - foot) / sum(heights)) if in_print else 1.0
        # what has no height is no part of the figure
        heights = [height for height in (*(shrink * height for height in heights), foot) if height]
        figure = Figure(figsize=(total, sum(heights) + head), layout="constrained")
        figure.suptitle(heading)
        parts = list(figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0])
        # popped in the order in which the heights were listed
        if maps:
            _draw_maps(parts.pop(0), evolution, shown, maps_per_row, total, in_print=in_print)
        _draw_cuts(parts.pop(0), evolution, shown, cuts_per_row, total, beside=beside)
        if text:
            caption(parts[0], text, [_ALARM if line.startswith("FAILED") else "black" for line in text])
        fit_labels(figure)
    return figure


def _draw_maps(
    part: FigureBase, evolution: Evolution, shown: list[int], per_row: int, width: float, *, in_print: bool
) -> None:
    """Q and u beside each other in a part of this width, on the colour scale of Q."""
    from matplotlib.colors import Normalize

    grid, sense = evolution.grid, evolution.landscape.sense
    initial = first_of_batch(evolution.landscape.values, grid)
    center = peak(initial, grid, sense).index
    panels = panels_of(part, 1 + len(shown), per_row, sharex=True, sharey=True)
    norm = Normalize(float(initial.min()), float(initial.max()))
    # Q first, then u
    fields = [initial, *(first_of_batch(evolution.values[k], grid) for k in shown)]
    sigmas = [(0.0,) * grid.dimensions, *(tuple(evolution.sigmas[k].tolist()) for k in shown)]
    names = ["Q (σ = 0)", *(sigma_label(evolution, k) for k in shown)]
    place = slice_label(grid, center)
    # titles of neighbours must not touch
    most = int(0.8 * letters(width / per_row))
    for ax, values, sigma, name in zip(panels, fields, sigmas, names, strict=True):
        image = draw_field(ax, values, grid, center, sigma, norm, sense=sense)
        notes = [place] if place else []
        if peak(values, grid, sense).edges:
            notes.append(f"{sense.place} on the edge" + ("" if in_print else " of the box"))
        if not in_print and any(2 * m >= axis.length for m, axis in zip(grid.margin(sigma), grid, strict=True)):
            notes.append("everywhere more than 1 % of the noise leaves the box")
        ax.set_title("\n".join(line for note in (name, *notes) for line in textwrap.wrap(note, most)))
    outer_labels(part, panels, per_row, width)
    scale_of_maps(part, image, panels, width)


def _draw_cuts(
    part: FigureBase, evolution: Evolution, shown: list[int], per_row: int, width: float, *, beside: bool
) -> None:
    """Q and u along each axis, with a legend at the side where there is room, else below."""
    # one scale for all cuts, so that steepness can be compared
    panels = panels_of(part, min(evolution.grid.dimensions, 3), per_row, sharey=True)
    for i, ax in enumerate(panels):
        cut(evolution, i, ax, levels=shown)
        if i % per_row:
            ax.set_ylabel("")
            ax.tick_params(labelleft=False)
        ax.set_title(textwrap.fill(ax.get_title(), letters(width / per_row)))
        if evolution.grid.dimensions == 1:
            place = evolution.landscape.sense.place
            ax.set_title(f"{place} on the edge of the box" if _on_edge(evolution, shown) else "")
    if beside:
        panels[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    else:
        legend_below_panels(part, panels[0], width)
