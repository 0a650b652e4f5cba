"""Sizes: figures for the screen, for a column and for the text width of a page; files that come out the same."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from heatpg.errors import OptionError
from heatpg.tools.calls import checked_call
from heatpg.tools.lines import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["WIDTHS", "Width", "columns", "inches", "letters", "panel", "points", "save", "settings", "styled"]

Width = Literal["column", "text"] | float | None

WIDTHS = {"column": 3.5, "text": 7.2}  # inches; of two columns on a page each is 3.5 in wide, with 0.2 in between
_WIDEST = 60.0  # inches; a taste: a poster. More is a slip of units, and would take gigabytes of pixels
_PANEL = 6.0  # inches; a taste, for the screen
_SCREEN_TEXT = 10.0  # points that the sizes in the figures are meant for
# a bound from above for DejaVu Sans: its mean letter is narrower, and names are wrapped rather than cut
_EM_PER_LETTER = 0.6
# the keys of matplotlib's settings are a closed type in some of its versions, and plain strings in others
# TrueType, as journals refuse Type 3; text in SVG stays text; a fixed salt gives the same identifiers every time
_VECTOR: dict[Any, Any] = {"pdf.fonttype": 42, "ps.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "heatpg"}
# 7 to 9 points, what journals ask for at the printed size; lines to go with them
_PRINT = {
    "font.size": 8.0,
    "figure.titlesize": 9.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "axes.linewidth": 0.6,
    "axes.titlepad": 4.0,
    "axes.labelpad": 2.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.5,
    "patch.linewidth": 0.6,
    "grid.linewidth": 0.5,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.45,
    "ytick.minor.width": 0.45,
    "xtick.major.pad": 2.5,
    "ytick.major.pad": 2.5,
    "legend.handlelength": 1.6,
    "legend.borderpad": 0.3,
    "legend.labelspacing": 0.3,
    "savefig.dpi": 300.0,
}


def inches(width: Width, default: float) -> float:
    """A width in inches.

    Parameters
    ----------
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in), or a number of inches from 1 to 60.
    default
        Width used for None.

    Raises
    ------
    OptionError
        For another word, or a number out of range.

    Examples
    --------
    >>> from heatpg.plot.style import inches
    >>> inches("column", 6.0), inches(5, 6.0), inches(None, 6.0)
    (3.5, 5.0, 6.0)
    """
    if width is None:
        return default
    if isinstance(width, str) and width in WIDTHS:
        return WIDTHS[width]
    # True is 1 to float(), and a word that is no width is none
    if isinstance(width, bool | str):
        number = math.nan
    else:
        try:
            number = float(width)
        except (TypeError, ValueError):
            number = math.nan
    if not 1.0 <= number <= _WIDEST:
        words = ", ".join(f"{name!r} ({size} in)" for name, size in WIDTHS.items())
        raise OptionError(
            "unknown width of a figure", given=repr(width), allowed=f"{words}, or inches from 1 to {_WIDEST:g}"
        )
    return number


def settings(width: Width) -> dict[Any, Any]:
    """What matplotlib is told for a width: text of 8 points, thin lines, fonts that stay text; nothing for None.

    Parameters
    ----------
    width
        As for `inches`.

    Examples
    --------
    >>> from heatpg.plot.style import settings
    >>> settings("column")["font.size"], settings("column")["figure.figsize"], settings(None)
    (8.0, (3.5, 2.625), {})
    """
    if width is None:
        return {}
    size = inches(width, _PANEL)
    return {**_PRINT, **_VECTOR, "figure.figsize": (size, 0.75 * size)}


@checked_call()
@contextlib.contextmanager
def styled(width: Width) -> Iterator[None]:
    """Within it matplotlib draws for a width, your own figures too.

    Parameters
    ----------
    width
        As for `inches`; for None nothing changes.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from heatpg import landscapes, plot
    >>> with plot.styled("text"):
    ...     figure, axes = plt.subplots(1, 2, layout="constrained")
    ...     left = plot.landscape(landscapes.ridge(size=21), axes[0])
    >>> left.title.get_fontsize(), float(figure.get_figwidth())
    (8.0, 7.2)
    >>> plt.close(figure)
    """
    from matplotlib import rc_context

    with rc_context(settings(width)):
        yield


@contextlib.contextmanager
def panel(ax: Axes | None, width: Width, *, height: float = 0.75, solid: bool = False) -> Iterator[Axes]:
    """The axes given, or those of a new figure that belongs to no window.

    Parameters
    ----------
    ax
        Where to draw; None for a new figure.
    width
        Of the new figure; see `inches`.
    height
        Of the new figure, over its width.
    solid
        Whether the new axes are three-dimensional.

    Raises
    ------
    OptionError
        For axes and a width at once, and for an unknown width.
    """
    if ax is not None:
        if width is not None:
            raise OptionError(
                "width applies only to a new figure, but ax was given",
                given=f"ax and width={width!r}",
                advice="remove one of them; use heatpg.plot.styled for the text of your own figure",
            )
        yield ax
        return
    from matplotlib.figure import Figure

    size = inches(width, _PANEL)
    with styled(width):
        # no pyplot: nothing is kept in a global list, and nothing is shown by itself
        figure = Figure(figsize=(size, height * size), layout=None if solid else "constrained")
        # labels in space have no place before they are drawn, so that no layout can make room for them
        yield figure.add_axes((0.0, 0.06, 0.88, 0.8), projection="3d") if solid else figure.subplots()


def points(size: float) -> float:
    """A size that is right beside text of 10 points, for the text that is set now.

    Parameters
    ----------
    size
        Width of a line or size of a mark, in points.
    """
    from matplotlib import rcParams

    return size * float(rcParams["font.size"]) / _SCREEN_TEXT


def columns(count: int, width: float, least: float) -> int:
    """How many of `count` panels go into a row.

    Parameters
    ----------
    count
        Number of panels.
    width
        Of the row, in inches.
    least
        Width that a panel needs beside text of 10 points, in inches.

    Examples
    --------
    >>> from heatpg.plot.style import columns, styled
    >>> with styled("column"):
    ...     columns(4, 3.5, 2.0)
    2
    """
    # at least one, however narrow
    return max(1, min(count, int(width / points(least))))


def letters(width: float) -> int:
    """How many letters of the text that is set now fit into so many inches.

    Parameters
    ----------
    width
        In inches.
    """
    # twelve: a heading of fewer letters would be a column of single words
    return max(12, int(width * 72.0 / points(_EM_PER_LETTER * _SCREEN_TEXT)))


def _figure_of(drawn: object) -> Figure:
    """The whole figure that a figure, a part of one, or axes belong to."""
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase

    # axes may lie in a part of a figure, and that in another
    while isinstance(drawn, Axes | FigureBase) and not isinstance(drawn, Figure):
        drawn = drawn.figure
    if not isinstance(drawn, Figure):
        raise OptionError(
            "save() needs a matplotlib figure",
            given=type(drawn).__name__,
            allowed="a matplotlib figure, or axes in one, as returned by the functions of heatpg.plot",
        )
    return drawn


@checked_call()
def save(
    figure: Figure | Axes, target: str | os.PathLike[str] | IO[bytes], *, format: str = "", dpi: float | None = None
) -> None:
    """Write a figure: fonts as TrueType in PDF, text as text in SVG, no dates, so the same figure gives the same bytes.

    Parameters
    ----------
    figure
        Figure to write; for axes the whole figure that contains them.
    target
        A path, or something open for writing bytes.
    format
        ``png``, ``pdf``, ``svg``, or another that matplotlib writes; by default the ending of the path.
    dpi
        Of a PNG, and of the maps inside PDF and SVG; by default 300 up to the text width of a page, else 150.

    Raises
    ------
    OptionError
        For an unknown or missing format, and for an argument that is neither a figure nor axes.

    Examples
    --------
    >>> import io
    >>> from heatpg import landscapes, plot
    >>> def drawing():
    ...     content = io.BytesIO()
    ...     plot.save(plot.landscape(landscapes.ridge(size=21), width="column"), content, format="pdf")
    ...     return content.getvalue()
    >>> drawing() == drawing()
    True
    """
    from matplotlib import rc_context
    from matplotlib.text import Text

    whole = _figure_of(figure)
    if not format and isinstance(target, str | os.PathLike):
        format = Path(target).suffix[1:].lower()
    known = whole.canvas.get_supported_filetypes()
    if format not in known:
        raise OptionError("unknown figure format", given=repr(format), allowed=", ".join(sorted(known)))
    if dpi is None:
        # 300 is what print asks for; a figure for the screen would become needlessly large
        dpi = 300.0 if whole.get_figwidth() <= WIDTHS["text"] else 150.0
    # each format has its own name for the date that would make two files differ
    undated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
    # names come from files: in SVG and PDF text stays text, and viewers obey what is no letter
    for words in whole.findobj(Text):
        if not words.get_text().isprintable():
            words.set_text(visible(words.get_text()))
    with rc_context(_VECTOR):
        whole.savefig(target, format=format, dpi=dpi, metadata=undated.get(format))
