"""The page of a study: the answer and three numbers, the pictures, and a table."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from heatpg.core.extrema import peak
from heatpg.core.slices import slice_words
from heatpg.evolution import Evolution
from heatpg.plot.counts import critical_counts
from heatpg.plot.field import draw_field, map_ratio, marks_words
from heatpg.plot.fingerprint import fingerprint
from heatpg.plot.layout import (
    HIGHEST,
    caption,
    caption_height,
    fit_labels,
    height_of_maps,
    legend_above,
    legend_below_panels,
    line_colours,
    outer_labels,
    panels_of,
    scale_of_maps,
)
from heatpg.plot.pricing import price_curve
from heatpg.plot.style import Width, columns, inches, letters, points, styled
from heatpg.plot.tracks import draw_ends
from heatpg.plot.watershed import basin_curve
from heatpg.plot.words import axis_label, headline, number, origin_label, sigma_label, slice_label
from heatpg.scalespace.pricing import place_words
from heatpg.tools.figures import figures
from heatpg.tools.lines import one_line, typeset
from heatpg.tools.numbers import settled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase
    from matplotlib.transforms import Transform

    from heatpg.scalespace import ScaleSpace
    from heatpg.studies import Study

__all__ = ["study", "study_about", "study_panels", "study_rows"]

_SUBJECT = "its optimum under exploration noise"
_WIDTH = 13.0  # inches, on the screen
_ANSWER = 1.5  # of the size of the text, for the answer
_NUMBER = 1.9  # the same for the numbers below it
_THIRD = 0.31  # of the width, for the words of a number beside two others
_ANSWER_OF_COLUMN = 1.15  # the size of the answer in a column
_BESIDE_NAME = 0.53  # of the width of a column, left of a number
_LEVELS, _LEVELS_IN_PRINT = 8, 5  # rows of the table; tastes
_MAPS, _CURVES = 2, slice(3, 5)  # of the heights of the page: maps or lines; fingerprints, and all other curves
_SHRUNK_MAPS, _MOST_SHRUNK = 0.85, 0.4  # of the heights on a screen; tastes
_LONGEST = 40  # letters of a location in the table; longer ones are without the names of the axes
_MOST_NOTES = 3  # all of them are in the text of the study
_NARROW = 6.0  # inches beside text of 10 points; a column of a page is narrower: one stack of panels, and no table
_NUMBERS = 3  # steps along the upright axis of a low panel
_LEGEND_LINES = 6  # of all legends of the stack together, at most
_LEAST_STACKED, _MOST_STACKED = 0.62, 1.3  # inches of a panel in the stack; tastes
_LEAST_MAP = 2.0  # inches that a panel needs
_LEAST_CURVE = 2.8  # inches that a panel with curves needs


def _shown(page: Study, *, narrow: bool = False) -> list[int]:
    """Three levels: around the first jump and the end of the optimum if they can be told apart, else evenly spread.

    In a column the first of them is left out, as it is nearest to Q.
    """
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
    return sorted(kept[:3])[1 if narrow and len(kept) > 1 else 0 :]


def _notes(page: Study, most: int, *, only_marks: bool, narrow: bool = False) -> list[str]:
    """What the pictures do not show by themselves, or only what their marks are."""
    lines = [] if only_marks else [f"Note: {typeset(flag)}." for flag in page.space.flags[:_MOST_NOTES]]
    words = slice_words(page.evolution.landscape.provenance, page.evolution.drawn)
    if words and (narrow or not only_marks):
        lines.append(f"This is {words}.")
    flow = page.evolution
    # lines are not hatched
    several = flow.grid.dimensions > 1
    if not only_marks:
        known = [page.price_doubts if page.intervals is not None else "", page.value_doubts]
        lines += [f"{typeset(words[0].upper() + words[1:])}." for words in known if words]
    if not several and flow.known_error is not None:
        lines.append("Bands around u: one standard error to either side.")
    shown = _shown(page, narrow=narrow)
    lines.append(marks_words(flow, shown) if several else f"Crosses: {flow.landscape.sense.place} of Q and of u.")
    return [part for line in lines for part in textwrap.wrap(line, most, subsequent_indent="    ")]


def _answer(page: Study, width: float, size: float) -> list[str]:
    """The lines of the answer, in letters of this size over that of the text."""
    return textwrap.wrap(typeset(one_line(page.verdict.sentence)), max(12, int(letters(width) / (size * 1.1))))


def _draw_answer(part: FigureBase, lines: list[str], heading: str, larger: float) -> None:
    """The answer in one sentence, large, with what it is about in small letters below."""
    from matplotlib import rcParams

    size = float(rcParams["font.size"])
    part.text(0.01, 0.94, "\n".join(lines), va="top", fontsize=larger * size, fontweight="bold", linespacing=1.15)
    part.text(0.01, 0.04, heading, va="bottom", fontsize=size, color="0.35", linespacing=1.25)


def _numbers(page: Study, most: int) -> list[tuple[str, str, str]]:
    """Name, value and detail of each number, in lines of at most so many letters."""
    return [
        (
            textwrap.fill(typeset(one.name), most),
            one.typeset,
            textwrap.fill(typeset(one.detail), most),
        )
        for one in page.verdict.numbers
    ]


def _draw_numbers(part: FigureBase, numbers: list[tuple[str, str, str]]) -> None:
    """Three numbers side by side: what it is, how much, and what happens there."""
    from matplotlib import rcParams
    from matplotlib.lines import Line2D

    size = float(rcParams["font.size"])
    small: dict[str, Any] = {"fontsize": size, "color": "0.35"}
    for i, (name, value, detail) in enumerate(numbers):
        left = 0.01 + i / 3
        part.text(left, 0.92, name, va="top", **small)
        part.text(left, 0.5, value, va="center", fontsize=_NUMBER * size, fontweight="bold")
        part.text(left, 0.08, detail, va="bottom", **small)
        if i:
            ends = [left - 0.015] * 2
            part.add_artist(Line2D(ends, [0.08, 0.92], color="0.8", lw=points(1.0), transform=_shares(part)))


def _lines_of_numbers(page: Study, most: int) -> list[tuple[str, list[str]]]:
    """The three numbers in a column: what it is, and beside it how much, in lines of at most so many letters."""
    lines = []
    for one, (name, value, detail) in zip(page.verdict.numbers, _numbers(page, most), strict=True):
        # what happens at a number is in the answer and in the panels
        words = value if one.is_sigma or not detail else f"{value}, {detail}"
        interval = next((part for part in " ".join(detail.split()).split("; ") if "interval" in part), "")
        if interval and interval not in " ".join(words.split()):
            words += f" ({interval})"
        lines.append((name, textwrap.wrap(words, int((1.0 - _BESIDE_NAME) * most))))
    return lines


def _draw_lines_of_numbers(part: FigureBase, lines: list[tuple[str, list[str]]]) -> None:
    """The three numbers, one below the other."""
    from matplotlib import rcParams

    size = float(rcParams["font.size"])
    step, row = 1.0 / (sum(len(words) for _, words in lines) + 1), 0
    for name, words in lines:
        part.text(0.01, 1.0 - (row + 0.5) * step, name, va="top", fontsize=size, color="0.35")
        for i, line in enumerate(words):
            place = 1.0 - (row + i + 0.5) * step
            part.text(_BESIDE_NAME, place, line, va="top", fontsize=size, fontweight="bold")
        row += len(words)


def _shares(part: FigureBase) -> Transform:
    """Coordinates in shares of a part of a figure."""
    transform: Transform = part.transSubfigure  # type: ignore[attr-defined]
    return transform


def study_rows(page: Study, most: int) -> tuple[list[str], list[list[str]]]:
    """The table: heads of its columns, and levels that are evenly spread with what happens at each."""
    space, sense = page.space, page.space.sense
    share, counts = page.basins.of_optimum(), space.count()
    heads = [
        _head_of_sigma(space), f"{sense.place} u",
        f"{sense.short} u", "price", f"{sense.extrema}", "basin",
    ]  # fmt: skip
    levels = np.unique(np.linspace(0, len(space.sigma) - 1, min(most, len(space.sigma))).round().astype(int))
    rows = [
        [
            number(float(space.sigma[k])),
            _location(space, k) + (", on the edge" if page.curve.on_edge[k] else ""),
            typeset(page.evolution.landscape.value_words(float(space.optimum_values[k])) + page.value_doubt(int(k))),
            number(settled(float(page.curve.price[k]), page.curve.oscillation)) + price_doubt(page, int(k)),
            str(int(counts[k])),
            "" if np.isnan(share[k]) else f"{share[k]:.0%}",
        ]
        for k in levels
    ]
    return heads, rows


def price_doubt(page: Study, level: int) -> str:
    """How well the price is known, in a cell of the table: an interval in brackets, or behind a sign."""
    words = typeset(page.price_doubt(level))
    return words if page.intervals is None else f" ({words.strip()})"


def _location(space: ScaleSpace, level: int) -> str:
    """Where the optimum is, with the names of axes of different units as far as there is room for them."""
    words = typeset(place_words(space, space.optimum_positions[level]))
    if len(words) <= _LONGEST:
        return words
    return f"({', '.join(number(float(x)) for x in space.optimum_positions[level])})"


def _head_of_sigma(space: ScaleSpace) -> str:
    """Sigma with its unit; that of the noisiest axis where they differ."""
    unit = space.grid.unit if np.ptp(space.ratio) == 0 else space.grid[int(np.argmax(space.ratio))].unit
    return f"σ ({unit})" if unit else "σ"


def _draw_table(part: FigureBase, heads: list[str], rows: list[list[str]]) -> None:
    """Plain columns with a line below their heads."""
    from matplotlib import rcParams
    from matplotlib.lines import Line2D

    size = float(rcParams["font.size"])
    # each column as wide as its longest entry
    widths = np.array([max(len(row[i]) for row in [heads, *rows]) + 3 for i in range(len(heads))], dtype=float)
    lefts = 0.01 + 0.98 * np.concatenate(([0.0], np.cumsum(widths)[:-1])) / widths.sum()
    step = 1.0 / (len(rows) + 2)
    for j, row in enumerate([heads, *rows]):
        for left, words in zip(lefts, row, strict=True):
            part.text(
                left, 1.0 - (j + 0.7) * step, words, va="center", fontsize=size, color="0.35" if j == 0 else "black"
            )
    height = 1.0 - 1.2 * step
    part.add_artist(Line2D([0.01, 0.99], [height] * 2, color="0.8", lw=points(1.0), transform=_shares(part)))


def _draw_maps(part: FigureBase, page: Study, shown: list[int], per_row: int, width: float) -> None:
    """Q, and u at these levels, on the colour scale of Q."""
    from matplotlib.colors import Normalize

    flow, grid = page.evolution, page.evolution.grid
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


def _draw_lines(part: FigureBase, page: Study, shown: list[int]) -> Axes:
    """Q, and u at these levels with its optimum, in one dimension; bands are one standard error of u from seeds."""
    flow, grid, space = page.evolution, page.evolution.grid, page.space
    ax = part.subplots()
    # wide and grey, so that it is seen below u of the smallest noise
    ax.plot(grid[0].coordinates, flow.landscape.values, color="0.6", lw=points(2.8), label="Q (σ = 0)")
    cross: dict[str, Any] = {"mec": "black", "ms": points(7), "mew": points(0.8)}
    ax.plot(page.curve.best_position[0], page.curve.best, "X", mfc="0.6", **cross)
    for level, colour in zip(shown, line_colours(len(shown)), strict=True):
        ax.plot(grid[0].coordinates, flow.values[level], color=colour, lw=points(1.5), label=sigma_label(flow, level))
        error = flow.known_error
        if error is not None:
            band = flow.values[level] - error[level], flow.values[level] + error[level]
            ax.fill_between(grid[0].coordinates, *band, color=colour, alpha=0.2, lw=0)
        # where the optimum is between the nodes
        ax.plot(space.optimum_positions[level, 0], space.optimum_values[level], "X", mfc=colour, **cross)
    ax.set_xlabel(axis_label(grid[0]))
    ax.set_ylabel("Q, u")
    ax.set_xlim(grid[0].lower, grid[0].upper)
    return ax


def _draw_fingerprints(part: FigureBase, page: Study, per_row: int, width: float, *, beside: bool) -> None:
    """Critical points along each axis, with a legend at the side where there is room, else below."""
    panels = panels_of(part, min(page.evolution.grid.dimensions, 3), per_row)
    for i, ax in enumerate(panels):
        fingerprint(page.space, ax, axis=i)
        ax.set_ylabel(axis_label(page.evolution.grid[i]))
        ax.set_title("Critical points against σ" if i == 0 else "")
        if i + per_row < len(panels):
            ax.set_xlabel("")
    if beside:
        panels[-1].legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    else:
        legend_below_panels(part, panels[0], width)


@figures.register("study")
def study(source: Evolution | Study, *, width: Width = None) -> Figure:
    """The page of a study: the answer, Q and u around its events, the fingerprint, price, basins, counts, and a table.

    In print it is about 9 in high. In a column the panels are stacked above one axis of sigma, two levels are shown
    beside Q, and there is no table.

    Parameters
    ----------
    source
        Result of `heatpg.study`; or an evolution, which is studied first.
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
    >>> plot.study(flow).texts == [] and len(plot.study(flow).axes)
    5
    """
    from heatpg.studies import Study
    from heatpg.studies import study as make

    total = inches(width, _WIDTH)
    # studied before anything is drawn, as it may refuse
    page = source if isinstance(source, Study) else make(source)
    with styled(width):
        # inside the style, as a line holds as many letters as the text is small
        return _column(page, total) if total < points(_NARROW) else _sheet(page, total, in_print=width is not None)


def study_panels(page: Study) -> Figure:
    """The panels of a study for the screen, without the words and the table, for a page that has them as text."""
    return _sheet(page, _WIDTH, bare=True)


def _sheet(page: Study, total: float, *, bare: bool = False, in_print: bool = False) -> Figure:
    """The page of a screen, or of the width of the text: panels side by side, and a table; bare, panels and notes."""
    from matplotlib.figure import Figure

    grid, shown = page.evolution.grid, _shown(page)
    maps, tracks = 1 + len(shown), min(grid.dimensions, 3)
    notes = _notes(page, letters(total), only_marks=bare)
    answer = _answer(page, total, _ANSWER)
    heading = "\n".join(textwrap.wrap(f"{headline(page.evolution, _SUBJECT)}. {study_about(page)}", letters(total)))
    numbers = _numbers(page, int(letters(total) * _THIRD))
    breaks = [name.count("\n") + detail.count("\n") for name, _, detail in numbers]
    heads, rows = study_rows(page, _LEVELS_IN_PRINT if in_print else _LEVELS)
    maps_per_row = columns(maps, total, _LEAST_MAP)
    per_row, curves_per_row = columns(tracks, total, _LEAST_CURVE), columns(3, total, _LEAST_CURVE)
    beside = total >= points(_LEAST_CURVE) * 3
    # answer, numbers, maps, fingerprints, curves, table, notes, from above
    heights = [
        0.0 if bare else caption_height(1) * (_ANSWER * 0.47 * len(answer) + 0.5 * len(heading.splitlines()) + 0.45),
        # above and below the value, so that the most lines count twice
        0.0 if bare else points(0.95) + (caption_height(2 * max(breaks)) - caption_height(0)),
        points(3.0) if grid.dimensions == 1 else height_of_maps(maps, maps_per_row, total, map_ratio(grid)),
        points(3.4) * -(-tracks // per_row) + (0.0 if beside else points(0.6)),
        # in print, where they are low, their titles and legends need a larger part
        points(4.6 if in_print else 3.5) * -(-3 // curves_per_row),
        0.0 if bare else caption_height(len(rows) + 2) * (1.0 if in_print else 1.15),
        caption_height(len(notes)) if notes else 0.0,
    ]
    if in_print:
        # panels shrink to what a page has room for, as far as they stay readable; text does not
        heights[_MAPS] *= _SHRUNK_MAPS
        curves = sum(heights[_CURVES])
        shrink = min(1.0, max(_MOST_SHRUNK, (HIGHEST - sum(heights) + curves) / curves))
        heights[_CURVES] = [shrink * height for height in heights[_CURVES]]
    figure, parts = _parts(Figure, total, heights)
    if not bare:
        _draw_answer(next(parts), answer, heading, _ANSWER)
        _draw_numbers(next(parts), numbers)
    if grid.dimensions == 1:
        _draw_lines(next(parts), page, shown).legend(fontsize="small")
    else:
        _draw_maps(next(parts), page, shown, maps_per_row, total)
    _draw_fingerprints(next(parts), page, per_row, total, beside=beside)
    first, second, third = panels_of(next(parts), 3, curves_per_row)
    price_curve(page.space, first, curve=page.curve, limit=page.price, intervals=page.intervals)
    basin_curve(page.space, second, basins=page.basins)
    critical_counts(page.space, third)
    if in_print:
        _few_numbers(third)
    if not bare:
        _draw_table(next(parts), heads, rows)
    if notes:
        caption(next(parts), notes)
    fit_labels(figure)
    return figure


def _column(page: Study, total: float) -> Figure:
    """The page of a column: panels in one stack above one axis of sigma, no higher than a printed page."""
    from matplotlib.figure import Figure

    grid, shown = page.evolution.grid, _shown(page, narrow=True)
    maps, panels = 1 + len(shown), min(grid.dimensions, 3) + 3
    notes = _notes(page, letters(total), only_marks=True, narrow=True)
    answer = _answer(page, total, _ANSWER_OF_COLUMN)
    heading = "\n".join(textwrap.wrap(headline(page.evolution, _SUBJECT), letters(total)))
    lines = _lines_of_numbers(page, letters(total))
    heights = [
        caption_height(0) * (_ANSWER_OF_COLUMN * (0.9 * len(answer) + 0.4) + 0.9 * len(heading.splitlines())),
        caption_height(sum(len(words) for _, words in lines)),
        points(2.6) if grid.dimensions == 1 else height_of_maps(maps, maps, total, map_ratio(grid)),
        0.0,
        caption_height(len(notes)) if notes else 0.0,
    ]
    # numbers of the lowest axis with its label, and the legends
    besides = points(0.5) + caption_height(_LEGEND_LINES)
    each = (HIGHEST - sum(heights) - besides) / panels
    heights[3] = besides + panels * min(max(each, _LEAST_STACKED), _MOST_STACKED)
    figure, parts = _parts(Figure, total, heights)
    _draw_answer(next(parts), answer, heading, _ANSWER_OF_COLUMN)
    _draw_lines_of_numbers(next(parts), lines)
    if grid.dimensions == 1:
        legend_above(_draw_lines(next(parts), page, shown), total)
    else:
        _draw_maps(next(parts), page, shown, maps, total)
    _draw_stack(next(parts), page, total)
    if notes:
        caption(next(parts), notes)
    fit_labels(figure)
    return figure


def _parts(make: type[Figure], total: float, heights: list[float]) -> tuple[Figure, Iterator[FigureBase]]:
    """A figure with a part for each height that is not 0, from above."""
    drawn = [height for height in heights if height]
    figure = make(figsize=(total, sum(drawn)), layout="constrained")
    return figure, iter(figure.subfigures(len(drawn), 1, squeeze=False, height_ratios=drawn)[:, 0])


def _draw_stack(part: FigureBase, page: Study, width: float) -> None:
    """Critical points, price, basin and counts, one below the other, with one axis of sigma below all of them."""
    space, grid = page.space, page.evolution.grid
    tracks = min(grid.dimensions, 3)
    panels = list(part.subplots(tracks + 3, 1, sharex=True))
    for i, ax in enumerate(panels[:tracks]):
        fingerprint(space, ax, axis=i)
        ax.set_ylabel(axis_label(grid[i]))
        draw_ends(ax, space, "")
    price_curve(space, panels[tracks], curve=page.curve, limit=page.price, intervals=page.intervals)
    basin_curve(space, panels[tracks + 1], basins=page.basins)
    critical_counts(space, panels[tracks + 2])
    for i, ax in enumerate(panels):
        ax.set_title("")
        if ax is not panels[-1]:
            ax.set_xlabel("")
        if i:
            # the lines of the events go through all panels, so that their words are needed once
            for words in list(ax.texts):
                words.remove()
        if i == len(panels) - 1:
            _few_numbers(ax)
        if i == 0 or i >= tracks:
            legend_above(ax, width, above_words=i == 0 and bool(ax.texts))
    part.align_ylabels(panels)


def _few_numbers(ax: Axes) -> None:
    """Numbers along the upright axis of a low panel of counts; of a logarithmic one 0 and powers of ten alone."""
    from matplotlib.ticker import MaxNLocator

    if ax.get_yscale() == "linear":
        ax.yaxis.set_major_locator(MaxNLocator(_NUMBERS, integer=True))
        return
    kept = [value for value in ax.get_yticks().tolist() if value == 0 or float(np.log10(value)).is_integer()]
    ax.set_yticks(kept, [f"{value:g}" for value in kept])


def study_about(page: Study) -> str:
    """On which grid and how it was studied, in one line."""
    grid, flow = page.evolution.grid, page.evolution
    shape = " × ".join(map(str, grid.shape))
    boundaries = ", ".join(dict.fromkeys(axis.boundary for axis in grid))
    return f"{shape} nodes, boundary {boundaries}, {len(flow)} levels of σ, {origin_label(flow)}."
