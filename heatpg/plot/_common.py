"""What the figures share: words for sigma and for places, colours, rows of panels, and where the maximum is."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import GridError, SigmaError, UnsupportedError
from heatpg.evolution import Evolution
from heatpg.plot.style import Width, columns, inches, letters, points, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase

__all__ = [
    "COLOURS",
    "axis_label",
    "caption",
    "caption_height",
    "chosen_axis",
    "chosen_level",
    "headline",
    "height_of_maps",
    "legend_below",
    "line_colours",
    "logarithmic_numbers",
    "noise_levels",
    "number",
    "outer_labels",
    "panels_of",
    "require_evolution",
    "require_landscape",
    "scale_of_maps",
    "sheet",
    "shown_sigmas",
    "sigma_axis",
    "sigma_label",
    "single",
    "through_optimum",
    "wrapped",
]

Array = NDArray[Any]

COLOURS = "viridis"
_LINE = 1.5  # height of a line over that of its letters
_LOGARITHMIC = 8.0
_DECADES = 100.0
_NARROW = 5.0  # inches, beside text of 10 points


# What is asked for -------------------------------------------------------------------------------------------------


_ADVICE = {
    "Landscape": "plot.landscape draws it; or evolve it first: heatpg.evolve(landscape, sigma)",
    "ScaleSpace": "its attribute evolution is one",
    "Evolution": "plot.field draws one of its sigmas, plot.summary several; its attribute landscape is one",
}


def _refuse(name: str, wanted: str, given: object, otherwise: str) -> NoReturn:
    kind = type(given).__name__
    raise UnsupportedError(
        f"{f'plot.{name}' if name else 'this figure'} draws another kind of thing",
        given=kind,
        allowed=wanted,
        advice=_ADVICE.get(kind, otherwise),
    )


def require_evolution(name: str, given: object) -> None:
    """Refuse what is no evolution, and say what draws it."""
    if not isinstance(given, Evolution):
        _refuse(name, "an Evolution", given, "heatpg.evolve(landscape, sigma) makes one")


def require_landscape(name: str, given: object) -> None:
    """Refuse what is no landscape, and say what draws it."""
    if not isinstance(given, Landscape):
        _refuse(name, "a Landscape", given, "heatpg.Landscape(values, grid) makes one")


# What is drawn -----------------------------------------------------------------------------------------------------


def chosen_axis(grid: Grid, axis: int | str) -> int:
    """Number of an axis that was named, or numbered as in a list."""
    if isinstance(axis, str):
        return grid.index(axis)
    if not -grid.dimensions <= axis < grid.dimensions:
        raise GridError(
            "no axis of this number", given=axis, allowed=", ".join(f"{i} ({each.name})" for i, each in enumerate(grid))
        )
    return axis % grid.dimensions


def chosen_level(evolution: Evolution, index: int) -> int:
    """Number of a stored sigma, counted from the end where negative."""
    if not -len(evolution) <= index < len(evolution):
        raise SigmaError("no sigma of this number is stored", given=index, allowed=f"0 to {len(evolution) - 1}")
    return index % len(evolution)


def single(values: Array, grid: Grid) -> Array:
    """The first landscape of a batch."""
    return np.asarray(values[(0,) * (values.ndim - grid.dimensions)])


def through_optimum(values: Array, center: tuple[int, ...], position: int) -> Array:
    """The line of a field along one axis through a node."""
    line = tuple(slice(None) if i == position else k for i, k in enumerate(center))
    return np.asarray(values[line])


def shown_sigmas(evolution: Evolution, most: int = 3) -> list[int]:
    """Some of the stored noise levels, the first and the last among them, without sigma = 0."""
    stored = [k for k, row in enumerate(evolution.sigmas) if row.any()]
    if not stored:
        return [0]
    places = np.linspace(0, len(stored) - 1, min(most, len(stored)))
    return [stored[round(place)] for place in places]


def noise_levels(evolution: Evolution) -> tuple[NDArray[np.float64], int | None]:
    """One number for each stored noise level; where each axis has its own sigma, that of which axis it is.

    It is the first axis whose sigma changes.
    """
    columns = evolution.sigmas
    changing = np.flatnonzero(np.ptp(columns, axis=0) > 0)
    column = int(changing[0]) if len(changing) else 0
    return columns[:, column], None if evolution.sigma.ndim == 1 else column


# Words -------------------------------------------------------------------------------------------------------------


def number(value: float) -> str:
    """A number in three digits, with a minus sign of full width."""
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")


def axis_label(axis: Axis) -> str:
    """Name and unit of an axis."""
    return f"{axis.name} ({axis.unit})" if axis.unit else axis.name


def _correlation_label(evolution: Evolution, index: int) -> str:
    """What sigma does not say of correlated noise: its correlation, of more than two axes the strongest."""
    if evolution.covariance is None or evolution.grid.dimensions == 1:
        return ""
    deviations = evolution.sigma[index]
    correlations = (evolution.covariance[index] / np.multiply.outer(deviations, deviations))[
        np.triu_indices(len(deviations), 1)
    ]
    strongest = float(correlations[np.abs(correlations).argmax()])
    return f", ρ = {number(strongest)}" if len(correlations) == 1 else f", ρ up to {number(strongest)}"


def sigma_label(evolution: Evolution, index: int) -> str:
    """One noise level with its unit, as ``σ = 0.05 N``; of correlated noise ``σ = (0.1, 0.2) N, ρ = 0.5``."""
    row = [float(value) for value in np.atleast_1d(evolution.sigma[index])]
    correlation = _correlation_label(evolution, index)
    unit = evolution.grid.unit
    if unit is not None:
        text = number(row[0]) if len(row) == 1 else f"({', '.join(map(number, row))})"
        return f"σ = {text} {unit}".rstrip() + correlation
    if len(row) == 1:
        return f"σ = {number(row[0])}"
    parts = [f"{number(value)} {axis.unit}".rstrip() for value, axis in zip(row, evolution.grid, strict=True)]
    return f"σ = ({', '.join(parts)}){correlation}"


def headline(evolution: Evolution, words: str) -> str:
    """The name of the landscape, which one of a batch is drawn, and words."""
    count = int(np.prod(evolution.landscape.batch_shape, dtype=int))
    first = f", first of {count} landscapes" if evolution.landscape.batch_shape else ""
    return f"{evolution.landscape.name}{first}: {words}"


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
        ax.set(**{f"{which}scale": "log"})
        logarithmic_numbers(ax.xaxis if which == "x" else ax.yaxis, first, last)
    if ends and first < last:
        ax.set(**{f"{which}lim": (first, last)})


def logarithmic_numbers(axis: Any, first: float, last: float) -> None:
    """Plain numbers along a logarithmic axis; within two decades 1, 2 and 5, for powers of ten are too few to read."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if last < _DECADES * first else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, position: number(value)))
    axis.set_minor_formatter(NullFormatter())


def line_colours(count: int) -> list[tuple[float, float, float, float]]:
    """Colours from dark to light, told apart in grey as well; the lightest, unseen on white, are left out."""
    from matplotlib import colormaps

    return (
        [colormaps[COLOURS](place) for place in np.linspace(0.1, 0.82, count)]
        if count > 1
        else [colormaps[COLOURS](0.35)]
    )


# Panels and text of whole figures ----------------------------------------------------------------------------------


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
    most = int(0.75 * letters(width / per_row))
    across, up = axes[0].get_xlabel(), axes[0].get_ylabel()
    for i, ax in enumerate(axes):
        if i % per_row or len(up) > most:
            ax.set_ylabel("")
        if i + per_row < len(axes) or len(across) > most:
            ax.set_xlabel("")
        ax.tick_params(labelleft=i % per_row == 0, labelbottom=i + per_row >= len(axes))
    size = axes[0].xaxis.label.get_fontsize()
    if len(across) > most:
        part.supxlabel(across, fontsize=size)
    if len(up) > most:
        part.supylabel(up, fontsize=size)


def scale_of_maps(part: FigureBase, image: Any, axes: Sequence[Axes], width: float) -> None:
    """The colour bar of maps: at the right, or below where a part of this width in inches is narrow."""
    if width < points(_NARROW):
        part.colorbar(image, ax=list(axes), label="Q, u", location="bottom", shrink=0.9, aspect=35)
    else:
        part.colorbar(image, ax=list(axes), label="Q, u", shrink=0.9)


def height_of_maps(count: int, per_row: int, width: float) -> float:
    """Inches that so many maps need, with their titles and their colour bar."""
    bar = points(0.6) if width < points(_NARROW) else 0.0
    return -(-count // per_row) * (min(0.85 * width / per_row, points(3.1)) + points(0.6)) + bar


def legend_below(part: FigureBase, ax: Axes, width: float) -> None:
    """The legend of one of the panels below all of them, in as many columns as there is room for."""
    lines, labels = ax.get_legend_handles_labels()
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
    **options
        For ``subplots``.
    """
    from matplotlib.figure import Figure

    total = inches(width, screen)
    with styled(width):
        words, per_row = wrapped(heading, total), columns(count, total, least)
        rest = points(0.25) * len(words.splitlines()) if besides is None else points(besides)
        figure = Figure(figsize=(total, points(height) * -(-count // per_row) + rest), layout="constrained")
        figure.suptitle(words)
        yield figure, panels_of(figure, count, per_row, **options)


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
    axes = list(part.subplots(rows, per_row, squeeze=False, **options).ravel())
    for ax in axes[count:]:
        ax.remove()
    return axes[:count]


def wrapped(text: str, width: float) -> str:
    """A heading, broken where it is longer than the figure is wide."""
    most = int(letters(width) / 1.2)  # headings are set larger
    return "\n".join(part for line in text.splitlines() for part in textwrap.wrap(line, most))


def caption_height(lines: int) -> float:
    """Inches that so many lines need, with one to spare."""
    from matplotlib import rcParams

    return _LINE * float(rcParams["font.size"]) / 72.0 * (lines + 1)


def caption(part: FigureBase, lines: Sequence[str], colours: Sequence[str] | None = None) -> None:
    """Lines of text in a part of a figure that is `caption_height` high."""
    from matplotlib import rcParams

    for i, line in enumerate(lines):
        part.text(
            0.01,
            1.0 - (i + 0.5) / (len(lines) + 1),
            line,
            va="top",
            fontsize=rcParams["font.size"],
            color="black" if colours is None else colours[i],
        )
