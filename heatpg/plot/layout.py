"""How figures are laid out: axes of sigma, colours, rows of panels, headings, captions, and legends below."""

from __future__ import annotations

import contextlib
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Grid
from heatpg.plot.style import Width, columns, inches, letters, points, styled
from heatpg.plot.words import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase

__all__ = [
    "COLOURS",
    "HIGHEST",
    "caption",
    "caption_height",
    "fit_labels",
    "height_of_maps",
    "in_lines",
    "legend_above",
    "legend_below",
    "legend_below_panels",
    "legend_height",
    "line_colours",
    "logarithmic_numbers",
    "outer_labels",
    "panels_of",
    "scale_of_maps",
    "sheet",
    "sigma_axis",
    "with_gaps_of",
    "wrapped",
]

COLOURS = "viridis"  # rises evenly in lightness, so that it reads in grey and to the colour-blind
HIGHEST = 9.0  # inches: what a printed page has room for
_LOWEST = 0.6  # a taste: of the height that a panel has where there is room for it
_LINE = 1.5  # height of a line over that of its letters
_LOGARITHMIC = 8.0  # a taste: about three doublings; below, a linear axis shows the levels as well
_DECADES = 100.0  # a taste: within two decades powers of ten and their threefold would be four or five numbers
_NARROW = 5.0  # inches, beside text of 10 points
_LEGEND_LINE = 0.21  # inches beside text of 10 points
_LEFT_OF_AXES = 0.6  # inches for the numbers and the label of the upright axis
_BESIDE_ENTRY = 5  # letters: the line of an entry, and the space to the next
_WORDS = 9.0  # points, beside text of 10 points: small words between the axes and a legend above
_LINES = 3  # of the label or title of a panel, at most
_OF_ROOM = 0.8  # of the width or height of a panel with its numbers, for the lines of a label that is broken
_FEWEST_LETTERS = 8  # of a line of a label: fewer say nothing
_NO_BREAK = "\N{NO-BREAK SPACE}"
_BELOW = 42.0  # points from the axes, over their numbers and label


def sigma_axis(
    ax: Axes,
    sigma: NDArray[np.float64],
    grid: Grid,
    along: int | None = None,
    *,
    which: Literal["x", "y"] = "x",
    ends: bool = True,
) -> None:
    """Label and scale of an axis of noise levels: logarithmic where they are positive and span a factor of 8.

    Parameters
    ----------
    ax
        Whose axis it is.
    sigma
        The levels.
    grid
        For the unit.
    along
        Of which axis of the grid these are the levels, where each has its own.
    which
        Whether it is the horizontal or the vertical one.
    ends
        Whether it ends at the first and at the last level.
    """
    unit = grid.unit if along is None else grid[along].unit
    name = "σ" if along is None else f"σ along {grid[along].name}"
    first, last = float(sigma.min()), float(sigma.max())
    ax.set(**{f"{which}label": f"{name} ({unit})" if unit else name})
    if first > 0 and last > _LOGARITHMIC * first:
        # the scale before the limits: a change of scale chooses new ones
        ax.set(**{f"{which}scale": "log"})
        logarithmic_numbers(ax.xaxis if which == "x" else ax.yaxis, first, last)
    if ends and first < last:
        ax.set(**{f"{which}lim": (first, last)})


def logarithmic_numbers(axis: Any, first: float, last: float) -> None:
    """Plain numbers along a logarithmic axis: within four decades powers of ten alone are too few to read."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    reach = last / first
    subs = (1.0, 2.0, 5.0) if reach < _DECADES else (1.0, 3.0) if reach < _DECADES**2 else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, position: number(value)))
    # minor ticks would be numbered as well where there are few major ones
    axis.set_minor_formatter(NullFormatter())


def line_colours(count: int) -> list[tuple[float, float, float, float]]:
    """Colours from dark to light, told apart in grey as well; the lightest, unseen on white, are left out."""
    from matplotlib import colormaps

    return (
        # 0.82 and not 1: the yellow end is unseen on white paper
        [colormaps[COLOURS](place) for place in np.linspace(0.1, 0.82, count)]
        if count > 1
        else [colormaps[COLOURS](0.35)]
    )


def outer_labels(part: FigureBase, axes: Sequence[Axes], per_row: int, width: float) -> None:
    """Labels and numbers only at the left, and below the last panel of each column.

    Parameters
    ----------
    part
        Where the axes are; a label that is longer than a panel is set once, beside all of them.
    axes, per_row
        All of them, row by row.
    width
        Of the part, in inches.
    """
    # three quarters of a panel: a label that is as long as its axis runs into the next
    most = int(0.75 * letters(width / per_row))
    name, up = axes[0].get_xlabel(), axes[0].get_ylabel()
    # in lines, if each of them is short enough: between words, and after the marks that stand for spaces
    lines = textwrap.wrap(name.replace("_", "_ "), most, break_long_words=False)
    across = "\n".join(line.replace("_ ", "_") for line in lines)
    # a label of many lines is set once, too
    longest = max(map(len, lines), default=0) if len(lines) <= _LINES else most + 1
    for i, ax in enumerate(axes):
        # labels that are too long are set once beside all panels, below
        if i % per_row or len(up) > most:
            ax.set_ylabel("")
        ax.set_xlabel("" if i + per_row < len(axes) or longest > most else across)
        # panels share their axes, so the numbers of the outer ones serve all
        ax.tick_params(labelleft=i % per_row == 0, labelbottom=i + per_row >= len(axes))
    size = axes[0].xaxis.label.get_fontsize()
    if longest > most:
        part.supxlabel(in_lines(name, letters(0.9 * width), 2), fontsize=size)
    if len(up) > most:
        height = part.bbox.height / part.dpi  # type: ignore[attr-defined]
        part.supylabel(in_lines(up, letters(0.9 * height), 2), fontsize=size)


def scale_of_maps(part: FigureBase, image: Any, axes: Sequence[Axes], width: float) -> None:
    """The colour bar of maps: at the right, or below where a part of this width in inches is narrow."""
    # beside the maps it would leave too little of a column
    if width < points(_NARROW):
        part.colorbar(image, ax=list(axes), label="Q, u", location="bottom", shrink=0.9, aspect=35)
    else:
        part.colorbar(image, ax=list(axes), label="Q, u", shrink=0.9)


def height_of_maps(count: int, per_row: int, width: float, ratio: float = 1.0) -> float:
    """Inches that so many maps of this width over their height need, with their titles and their colour bar."""
    # only the bar below needs height of its own
    bar = points(0.6) if width < points(_NARROW) else 0.0
    # tastes: maps about as high as wide beside their bar, and two rows of them on a page
    return -(-count // per_row) * (min(0.85 * width / per_row / max(1.0, ratio), points(3.1)) + points(0.6)) + bar


def legend_below_panels(part: FigureBase, ax: Axes, width: float) -> None:
    """The legend of one of the panels below all of them, in as many columns as there is room for."""
    lines, labels = ax.get_legend_handles_labels()
    # seven letters for the line, and the space between two entries
    per_row = min(4, len(labels), letters(width) // (max(map(len, labels)) + 7))
    part.legend(lines, labels, loc="outside lower center", ncols=max(1, per_row), frameon=False)


@contextlib.contextmanager
def sheet(
    width: Width,
    count: int,
    heading: str,
    *,
    screen: float,
    least: float,
    height: float,
    besides: float | None = None,
    stacked: Sequence[float] = (),
    **options: Any,
) -> Iterator[tuple[Figure, list[Axes]]]:
    """A new figure that belongs to no window, with a heading and as many panels in a row as there is room for.

    Parameters
    ----------
    width
        As for `heatpg.plot.style.inches`.
    count
        Number of panels.
    heading
        What stands above them; it is wrapped.
    screen
        Width on the screen, in inches.
    least, height
        Width that a panel needs, and height that it has, beside text of 10 points, in inches.
    besides
        Height of all the rest; by default that of the heading.
    stacked
        Heights of the panels over `height` where all are in one column; by default 1.
    **options
        For ``subplots``.
    """
    from matplotlib.figure import Figure

    total = inches(width, screen)
    with styled(width):
        words, per_row = wrapped(heading, total), columns(count, total, least)
        # a quarter of an inch for a line of heading beside text of 10 points
        rest = points(0.25) * len(words.splitlines()) if besides is None else points(besides)
        rows = -(-count // per_row)
        # as many in every row as can be: two and two rather than three and one
        per_row = -(-count // rows)
        shares = list(stacked) if stacked and per_row == 1 else [1.0] * rows
        each = points(height)
        # a column of several panels is to fit a page, as far as they stay readable
        each = max(min(each, (HIGHEST - rest) / sum(shares)), _LOWEST * each)
        figure = Figure(figsize=(total, each * sum(shares) + rest), layout="constrained")
        figure.suptitle(words)
        yield figure, panels_of(figure, count, per_row, height_ratios=shares, **options)
        fit_labels(figure)


def words_below(figure: Figure, words: str, width: float) -> None:
    """A sentence below all panels, from the left; the layout makes room for it."""
    # a label that all panels share stands in its place, and goes to the panels of the last row
    shared = figure.get_supxlabel()
    for ax in figure.axes if shared else ():
        place = ax.get_subplotspec()
        if place is not None and place.is_last_row():
            ax.set_xlabel(shared)
    # small letters: 1.2 times as many in a line
    figure.supxlabel("\n".join(textwrap.wrap(words, int(1.15 * letters(width)))), fontsize="small", x=0.01, ha="left")


def panels_of(part: FigureBase, count: int, per_row: int, **options: Any) -> list[Axes]:
    """Axes row by row; the places that are left over stay empty.

    Parameters
    ----------
    part
        Where to make them.
    count, per_row
        How many in all, and in a row.
    **options
        For ``subplots``.
    """
    rows = -(-count // per_row)
    # by rows; those beyond the last panel are taken away, so that the others keep their size
    axes = list(part.subplots(rows, per_row, squeeze=False, **options).ravel())
    for ax in axes[count:]:
        ax.remove()
    return axes[:count]


def with_gaps_of(numbers: NDArray[Any], places: NDArray[Any]) -> NDArray[Any]:
    """Numbers along a line whose places have gaps (NaN) where it goes around a periodic axis, with the same gaps."""
    gaps = np.flatnonzero(np.isnan(places).reshape(len(places), -1).any(axis=1))
    # `insert` counts in the numbers as they are, in which the gaps before are not yet
    return np.insert(numbers, gaps - np.arange(len(gaps)), np.nan)


def wrapped(text: str, width: float) -> str:
    """A heading, broken where it is longer than the figure is wide."""
    most = int(letters(width) / 1.2)  # headings are set larger
    # no line begins with the sign of the noise level
    kept = text.replace(" σ", f"{_NO_BREAK}σ")
    lines = (part for line in kept.splitlines() for part in textwrap.wrap(line, most))
    return "\n".join(lines).replace(_NO_BREAK, " ")


def _broken(text: str, most: int) -> list[str]:
    """A text in lines of at most so many letters, which end at a space, after an underscore, or where they are full."""
    lines = [""]
    for word in re.findall(r"\s*[^\s_]*_*", text):
        if len(lines[-1]) + len(word) > most and lines[-1]:
            lines.append("")
        kept = lines[-1] + (word if lines[-1] else word.lstrip())
        lines[-1:] = [kept[i : i + most] for i in range(0, len(kept), most)] or [""]
    return [line for line in lines if line]


def in_lines(text: str, most: int, lines: int) -> str:
    """A label in lines of at most so many letters: broken at spaces and underscores, and cut in its middle.

    Its end stays, as the unit is there.

    Parameters
    ----------
    text
        The label.
    most
        Letters of a line; at least 8, as fewer say nothing.
    lines
        How many lines there may be.

    Examples
    --------
    >>> from heatpg.plot.layout import in_lines
    >>> print(in_lines("angular_velocity_of_the_left_shoulder (rad/s)", 16, 2))
    angular_velo…der
    (rad/s)
    """
    most = max(most, _FEWEST_LETTERS)
    shown, kept = text, len(text)
    while True:
        parts = _broken(shown, most)
        if len(parts) <= lines or kept <= _FEWEST_LETTERS:
            return "\n".join(parts[:lines])
        kept -= 1
        tail = kept // 2
        shown = f"{text[: kept - tail].rstrip()}…{text[len(text) - tail :].lstrip()}"


def fit_labels(figure: Figure) -> None:
    """Break the labels and titles of panels that are longer than their panel, and cut those of too many lines.

    Parameters
    ----------
    figure
        Whose panels they are; where they lie must be set, as rows and columns of the figure or of parts of it.
    """
    for ax in figure.axes:
        place, part = ax.get_subplotspec(), ax.get_figure()
        if place is None or part is None:
            continue
        grid = place.get_gridspec()
        ratios = np.asarray(grid.get_height_ratios(), dtype=float)
        width = part.bbox.width / grid.ncols
        height = part.bbox.height * float(ratios[place.rowspan.start] / ratios.sum())
        for text, room, upright, lines in (
            (ax.xaxis.label, width, False, 2),
            # beside the legend and the numbers of the row
            (ax.yaxis.label, 0.9 * height, True, 2),
            (ax.title, width, False, _LINES),
        ):
            words = text.get_text()
            # what is set as mathematics cannot be broken
            if not words or "$" in words or not text.get_visible():
                continue
            box = text.get_window_extent()
            length = box.height if upright else box.width
            if length > room:
                longest = max(map(len, words.splitlines()))
                most = int(_OF_ROOM * longest * room / length)
                text.set_text(in_lines(" ".join(words.split()), most, lines))


def caption_height(lines: int) -> float:
    """Inches that so many lines need, with one to spare."""
    from matplotlib import rcParams

    # the layout knows nothing of text in a part of a figure, so its height is reckoned beforehand
    return _LINE * float(rcParams["font.size"]) / 72.0 * (lines + 1)


def caption(part: FigureBase, lines: Sequence[str], colours: Sequence[str] | None = None) -> None:
    """Lines of text in a part of a figure that is `caption_height` high."""
    from matplotlib import rcParams

    for i, line in enumerate(lines):
        part.text(
            0.01,
            # evenly down the part, half a line from either end
            1.0 - (i + 0.5) / (len(lines) + 1),
            line,
            va="top",
            fontsize=rcParams["font.size"],
            color="black" if colours is None else colours[i],
        )


def legend_height(entries: int, width: float, least: float) -> float:
    """Inches that a legend below axes needs.

    Parameters
    ----------
    entries
        Number of entries.
    width
        Of the figure, in inches.
    least
        Width that an entry needs beside text of 10 points, in inches.
    """
    return points(_LEGEND_LINE) * -(-entries // columns(entries, width, least))


def legend_below(ax: Axes, least: float) -> None:
    """Name what is drawn below the axes, in as many columns as fit.

    Parameters
    ----------
    ax
        Whose legend it is.
    least
        Width that an entry needs beside text of 10 points, in inches.
    """
    from matplotlib.transforms import ScaledTranslation

    figure = ax.get_figure(root=True)
    assert figure is not None
    handles, words = ax.get_legend_handles_labels()
    # axes of their own figure are not laid out yet, and will be about as wide as it
    # two: the axes and their colour bar
    width = figure.get_figwidth() if len(figure.axes) <= 2 else ax.bbox.width / figure.dpi
    # a shift in points: a legend that is placed in shares of the axes would meet their label where they are low
    shift = ScaledTranslation(0.0, -points(_BELOW) / 72.0, figure.dpi_scale_trans)
    ax.legend(
        handles, words, loc="upper center", bbox_to_anchor=(0.5, 0.0), bbox_transform=ax.transAxes + shift,
        ncols=columns(len(words), width, least), frameon=False, borderaxespad=0.0,
    )  # fmt: skip


def legend_above(ax: Axes, width: float, *, above_words: bool = False) -> None:
    """Name what is drawn above the axes, from the left, in as few lines as there is room for.

    Parameters
    ----------
    ax
        Whose legend it is.
    width
        Of the figure in inches, which the axes fill.
    above_words
        Whether there are small words just above the axes, over which the legend stands.
    """
    from matplotlib import rcParams
    from matplotlib.transforms import ScaledTranslation

    figure = ax.get_figure(root=True)
    assert figure is not None
    handles, words = ax.get_legend_handles_labels()
    room = letters(width - points(_LEFT_OF_AXES)) * float(rcParams["font.size"]) / _legend_size()
    lengths = [len(word) + _BESIDE_ENTRY for word in words]
    # matplotlib fills column by column, and so does this
    fitting = (
        count
        for count in range(len(words), 1, -1)
        if sum(max(lengths[i] for i in part) for part in np.array_split(np.arange(len(words)), count)) <= room
    )
    shift = ScaledTranslation(0.0, points(_WORDS if above_words else 0.0) / 72.0, figure.dpi_scale_trans)
    ax.legend(
        handles, words, loc="lower left", bbox_to_anchor=(0.0, 1.0), bbox_transform=ax.transAxes + shift,
        ncols=next(fitting, 1), frameon=False, borderaxespad=0.0, columnspacing=1.0,
    )  # fmt: skip


def _legend_size() -> float:
    """Size of the text of a legend, in points."""
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties

    return float(FontProperties(size=rcParams["legend.fontsize"]).get_size_in_points())
