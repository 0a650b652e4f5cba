"""The checks of an evolution, and how far each is from failing."""

from __future__ import annotations

import dataclasses
import math
import textwrap
from typing import TYPE_CHECKING, Any

from heatpg.core.report import Check, Report, counted
from heatpg.evolution import Evolution
from heatpg.plot.layout import wrapped
from heatpg.plot.style import Width, inches, panel, points, styled
from heatpg.plot.words import name_label, number
from heatpg.tools.calls import checked_call
from heatpg.tools.figures import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["checks"]

# of M. Okabe, K. Ito, Color Universal Design, 2008; the marks and hatches tell them apart in grey
_STYLES: dict[str, dict[str, Any]] = {
    "passed": {"mark": "\N{CHECK MARK}", "word": "passed", "colour": "#0072B2", "hatch": ""},
    "finding": {"mark": "!", "word": "finding", "colour": "#E69F00", "hatch": "...."},
    "failed": {"mark": "\N{BALLOT X}", "word": "FAILED", "colour": "#D55E00", "hatch": "////"},
    "silent": {"mark": "?", "word": "silent", "colour": "#999999", "hatch": ""},
}
_WIDTH = 6.0  # inches
_MARGIN = 0.45  # inches, of the text from the left and from the edges
_LINE = 0.19  # inches, of text of 10 points
_EM_PER_LETTER = 0.5  # of text of 10 points; the lines are set smaller
_LEAST, _MOST = 1e-6, 1e3  # of the bound; what lies beyond is drawn at the end with an arrow


@dataclasses.dataclass(frozen=True)
class _Row:
    """One check with the lines of text below it."""

    check: Check
    text: tuple[str, ...]

    @property
    def fraction(self) -> float | None:
        """The figure over its bound; None without one of them."""
        figure, bound = self.check.figure, self.check.bound
        if figure is None or bound is None:
            return None
        # a check without a number to compare has failed, and is drawn beyond the scale
        if math.isnan(figure) or math.isnan(bound):
            return math.inf
        # an infinite bound is never reached; of a negative figure nothing is used
        if bound > 0:
            return max(figure, 0.0) / bound if math.isfinite(bound) else 0.0
        # a bound of 0 is met or not
        return 0.0 if figure <= bound else math.inf

    @property
    def lines(self) -> float:
        """Height in lines of text."""
        # the headline, a bar, each line below it in smaller letters, and the distance to the next row
        return 1.25 + (0.85 if self.fraction is not None else 0.0) + 0.95 * len(self.text) + 0.35


def _row(check: Check, letters: int) -> _Row:
    words = []
    # a bar says all of a check that passed within its bound
    if check.status != "passed" or check.figure is None or check.bound is None:
        words.append(check.message)
    # a broken promise is a fault of the solver, not of the landscape
    if check.status == "failed" and check.promised:
        words.append("The solver guarantees to pass this check.")
    lines = [line for each in words for line in textwrap.wrap(each, letters)]
    if check.status != "passed" and check.where is not None:
        lines += textwrap.wrap(f"where: {check.where}", letters, subsequent_indent="    ")
    return _Row(check, tuple(lines))


def _comparison(check: Check) -> str:
    """Figure and bound, and how far they are apart."""
    if check.figure is None:
        return ""
    figure = number(check.figure)
    if check.bound is None:
        return figure
    # neither holds where one of them is NaN
    sign = "≤" if check.figure <= check.bound else ">" if check.figure > check.bound else "≰"
    return f"{figure} {sign} {number(check.bound)}"


def _rows(report: Report, width: float) -> list[_Row]:
    """The rows for a panel of this width in inches."""
    # narrower text would be a column of single words
    letters = max(20, int(width * 72.0 / points(10.0 * _EM_PER_LETTER)))
    return [_row(check, letters) for check in report]


def _limits(rows: list[_Row]) -> tuple[float, float]:
    """Ends of the axis of fractions: decades that hold what exists, the bound well inside."""
    # 0 and infinity have no place on a logarithmic axis; they are drawn at its ends
    known = [f for row in rows if (f := row.fraction) is not None and 0 < f < math.inf]
    # from a thousandth of the bound to ten times it at least, so that reports look alike
    low = min([1e-3, *known])
    high = max([10.0, *known])
    return max(_LEAST, 10.0 ** math.floor(math.log10(low))), min(_MOST, 10.0 ** math.ceil(math.log10(high)))


def _draw_row(ax: Axes, row: _Row, top: float, ends: tuple[float, float]) -> None:
    # the place of everything is counted in lines of text from the top of the row
    check, style = row.check, _STYLES[row.check.status]
    # x in shares of the panel, y in lines
    across = ax.get_yaxis_transform()
    middle = top + 0.62
    ax.text(0.0, middle, style["mark"], transform=across, va="center", color=style["colour"], weight="bold")
    # measured from the left edge in points, because the width of the panel is not known
    ax.annotate(
        f"{check.name}: {style['word']}", (0.0, middle), (points(15), 0), xycoords=across,
        textcoords="offset points", va="center", weight="bold" if check.status == "failed" else "normal",
    )  # fmt: skip
    ax.text(1.0, middle, _comparison(check), transform=across, va="center", ha="right")
    below = top + 1.25
    fraction = row.fraction
    if fraction is not None:
        _draw_bar(ax, fraction, below + 0.3, style, ends)
        below += 0.85
    for k, line in enumerate(row.text):
        place = below + 0.95 * (k + 0.5)
        below_row = ax.annotate(
            line, (0.0, place), (points(15), 0), xycoords=across, textcoords="offset points", va="center",
            size="small", color="0.25",
        )  # fmt: skip
        below_row.set_in_layout(False)  # it is broken to fit, and is not to push the axes aside


def _draw_bar(ax: Axes, fraction: float, y: float, style: dict[str, Any], ends: tuple[float, float]) -> None:
    low, high = ends
    # the whole bar in grey: what is allowed
    ax.barh(y, 1.0 - low, 0.5, left=low, color="0.93", lw=0, zorder=1)
    if fraction > low:
        stop = min(fraction, high)
        # the hatch is drawn in the edge's colour, so the bar has it twice: filled, and hatched in black
        ax.barh(y, stop - low, 0.5, left=low, color=style["colour"], lw=0, zorder=2)
        if style["hatch"]:
            ax.barh(y, stop - low, 0.5, left=low, color="none", edgecolor="black", hatch=style["hatch"], lw=0, zorder=3)
    # an arrow where the bar would leave the scale
    if not low <= fraction <= high:
        end, mark = (low, "<") if fraction < low else (high, ">")
        ax.plot(end, y, marker=mark, ms=points(7), color=style["colour"], mec="black", mew=points(0.7), zorder=6,
                clip_on=False)  # fmt: skip


def _draw_bound(ax: Axes, ends: tuple[float, float], bars: list[tuple[float, float]]) -> None:
    """Mark the bound through all bars, and shade what lies beyond it."""
    # bar by bar, as a line through the text would be read as part of it
    for y, height in bars:
        ax.plot([1.0, 1.0], [y - height, y + height], color="black", lw=points(1.6), zorder=5)
        ax.plot([ends[0], ends[1]], [y + 0.25] * 2, color="0.7", lw=points(0.6), zorder=1)


def _heading(report: Report, name: str) -> str:
    who = f"{name}: " if name else ""
    return f"{who}checks ({report.level}): {counted(report)}"


def _draw(report: Report, name: str, across: float, ax: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    rows = _rows(report, across - _MARGIN)
    ax.set_yticks([])
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    if not rows:
        ax.set_xticks([])
        ax.spines["bottom"].set_visible(False)
        ax.text(0.5, 0.5, "No checks were run.", transform=ax.transAxes, ha="center", va="center")
        ax.set_title(f"{name}: checks" if name else "checks", loc="left")
        return
    total = sum(row.lines for row in rows)
    ends = _limits(rows)
    ax.set_xscale("log")
    ax.set_xlim(*ends)
    # downwards, as text runs
    ax.set_ylim(total, 0.0)
    top = 0.0
    bars = []
    for row in rows:
        _draw_row(ax, row, top, ends)
        if row.fraction is not None:
            # where `_draw_row` has put the bar
            bars.append((top + 1.55, 0.4))
        top += row.lines
    if bars:
        _draw_bound(ax, ends, bars)
        # nine decades have ten ticks; without a number matplotlib leaves some out
        ax.xaxis.set_major_locator(LogLocator(numticks=12))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, place: "bound" if value == 1.0 else f"{value:g}"))
        ax.set_xlabel("measured value relative to its bound")
    else:
        ax.set_xticks([])
        ax.spines["bottom"].set_visible(False)
    ax.set_title(wrapped(_heading(report, name), across), loc="left")


@checked_call()
def checks(source: Evolution | Report, ax: Axes | None = None, *, width: Width = None) -> Axes:
    """Draw a row for each check: whether it passed, and how much of its bound was used, on a logarithmic scale.

    A bar that ends left of the black mark is within the bound; an arrow marks values beyond the scale. Findings
    and failures are described below their row, with their place, and so is a check without a number.

    Parameters
    ----------
    source
        A report, or the evolution that has it.
    ax
        Where to draw; without it, in a new figure as high as the report is long.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    ax
        The axes; ``ax.figure`` is the figure.

    Examples
    --------
    >>> from heatpg import plot
    >>> from heatpg.core.report import Check, Report, counted
    >>> report = Report([Check("range", "passed", "inside the range of Q", 1e-16, 1e-14, "round-off")])
    >>> plot.checks(report).get_title(loc="left")
    'checks (standard): 1 passed'
    """
    report, name = (source, "") if isinstance(source, Report) else (source.report, name_label(source.landscape))
    with styled(width):
        size = inches(width, _WIDTH)
        # a figure as high as its text; at least three lines, or the axes vanish
        lines = sum(row.lines for row in _rows(report, size - _MARGIN))
        height = points(_LINE) * (max(lines, 3.0) + 5.0)
    new = ax is None
    with panel(ax, width, height=height / size) as ax:
        # axes of another figure have been laid out, and know their width
        across = size if new else ax.bbox.width / float(ax.figure.dpi)
        _draw(report, name, across, ax)
    return ax


@figures.register("checks")
def whole(evolution: Evolution, *, width: Width = None) -> Figure:
    """Every check of the report: whether it passed, and how far it is from failing.

    Parameters
    ----------
    evolution
        Evolution whose report to draw; without checks, the figure says so.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    figure
        Made without pyplot, so nothing is shown; `heatpg.plot.save` writes it.

    Examples
    --------
    >>> from heatpg import evolve, landscapes
    >>> from heatpg.plot.checks import whole
    >>> whole(evolve(landscapes.ridge(size=21), [0.2, 0.4], checks="none")).axes[0].texts[0].get_text()
    'No checks were run.'
    """
    figure = checks(evolution, width=width).get_figure(root=True)
    assert figure is not None
    return figure
