"""Error of all solvers against the spacing and against processor time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from heatpg.errors import OptionError
from heatpg.plot.layout import legend_below, legend_height
from heatpg.plot.style import Width, columns, inches, letters, panel, points, styled
from heatpg.tools.calls import checked_call

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from heatpg.measure.work_precision import Work

__all__ = ["convergence", "orders", "work_precision"]

# M. Okabe, K. Ito, Color Universal Design, 2008, without the yellow that is lost on white
_COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h", "p", "d", "*")
_DASHES = ("-", "--", ":")
_FLOOR = 1e-17  # below round-off: an error of exactly 0 still has a place on the axis
_PANEL = 6.0  # inches
_ENTRY = 2.9  # inches of the legend beside text of 10 points


def _draw(runs: Sequence[Work], ax: Axes, against: str) -> None:
    """A curve for each solver, with its order in the legend."""
    if not len(runs):
        raise OptionError("runs is empty", advice="create runs with heatpg.measure.work_precision.work_precision()")
    # in the order of the runs
    labels = list(dict.fromkeys(run.label for run in runs))
    for i, label in enumerate(labels):
        mine = [run for run in runs if run.label == label]
        order = mine[0].order
        ax.plot(
            [getattr(run, against) for run in mine],
            [max(run.error, _FLOOR) for run in mine],
            label=f"{label} ({'exact in space' if isinstance(order, str) else f'order {order:g}'})",
            color=_COLOURS[i % len(_COLOURS)],
            marker=_MARKERS[i % len(_MARKERS)],
            linestyle=_DASHES[i // len(_COLOURS) % len(_DASHES)],
            ms=points(9.0 - 3.0 * i / len(labels)),  # of curves that coincide each is seen behind the next
            mec="white",
            mew=points(0.6),
            lw=points(1.5),
        )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylabel("largest error / largest |u|")
    ax.grid(color="0.9", lw=points(0.6))
    ax.set_axisbelow(True)


def _slope_triangle(ax: Axes, order: float, runs: Sequence[Work]) -> None:
    """A triangle of this order below the runs that declare it, in the finer half of their spacings."""
    spacings = sorted({run.spacing for run in runs})
    # two halvings, or what exists
    left, right = spacings[0], spacings[min(2, len(spacings) - 1)]
    if not left < right:
        return
    # clear of every run of this order between the two spacings
    top = min(max(run.error, _FLOOR) * (right / run.spacing) ** order for run in runs if run.spacing <= right) / 2.5
    # error = C h^order between the two
    bottom = top * (left / right) ** order
    ax.plot([left, right, right, left], [bottom, top, bottom, bottom], color="0.35", lw=points(1.0), zorder=1)
    middle = float(np.sqrt(top * bottom))
    ax.annotate(f"{order:g}", (right, middle), (points(4), 0), textcoords="offset points", va="center")


@checked_call()
def convergence(runs: Sequence[Work], ax: Axes | None = None, *, legend: bool = True, width: Width = None) -> Axes:
    """Draw the error of every solver against the spacing, with a triangle for each order that is declared.

    Parameters
    ----------
    runs
        Result of `heatpg.measure.work_precision.work_precision`.
    ax
        Where to draw; without it, in a new figure.
    legend
        Whether the solvers are named in the axes.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    ax
        The axes; ``ax.figure`` is the figure.

    Raises
    ------
    OptionError
        If runs is empty.

    Examples
    --------
    >>> from heatpg import plot
    >>> from heatpg.measure.work_precision import Work
    >>> runs = [Work("exponential", {}, "exponential", 2.0, n, 2 / n, 4 / n**2, 1e-8 * n**2) for n in (16, 32, 64)]
    >>> ax = plot.convergence(runs)
    >>> ax.get_xlabel(), [text.get_text() for text in ax.texts]
    ('spacing h', ['2'])
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    with panel(ax, width, height=_height(runs, legend, width)) as ax:
        _draw(runs, ax, "spacing")
        # spectral solvers declare no number
        for order in sorted({run.order for run in runs if not isinstance(run.order, str)}):
            _slope_triangle(ax, order, [run for run in runs if run.order == order])
        ax.set_xlabel("spacing h")
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, position: f"{value:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_title("Error against resolution")
        if legend:
            legend_below(ax, _ENTRY)
    return ax


@checked_call()
def work_precision(runs: Sequence[Work], ax: Axes | None = None, *, legend: bool = True, width: Width = None) -> Axes:
    """Draw the error of every solver against the processor time that it takes.

    Parameters
    ----------
    runs
        Result of `heatpg.measure.work_precision.work_precision`.
    ax
        Where to draw; without it, in a new figure.
    legend
        Whether the solvers are named in the axes.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    ax
        The axes; ``ax.figure`` is the figure.

    Raises
    ------
    OptionError
        If runs is empty.

    Examples
    --------
    >>> from heatpg import plot
    >>> from heatpg.measure.work_precision import Work
    >>> runs = [Work("exponential", {}, "exponential", 2.0, n, 2 / n, 4 / n**2, 1e-8 * n**2) for n in (16, 32, 64)]
    >>> plot.work_precision(runs).get_xlabel()
    'processor time of one solve (s)'
    """
    with panel(ax, width, height=_height(runs, legend, width)) as ax:
        _draw(runs, ax, "seconds")
        ax.set_xlabel("processor time of one solve (s)")
        ax.set_title("Error against work")
        if legend:
            legend_below(ax, _ENTRY)
    return ax


def _height(runs: Sequence[Work], legend: bool, width: Width) -> float:
    """Of a new figure, over its width: nearly square axes, and the legend below."""
    with styled(width):
        size = inches(width, _PANEL)
        return 0.8 + (legend_height(len({run.label for run in runs}), size, _ENTRY) / size if legend else 0.0)


@checked_call()
def orders(runs: Sequence[Work], *, width: Width = None) -> Figure:
    """Error against processor time, and error against the spacing with triangles of the declared orders.

    Parameters
    ----------
    runs
        Result of `heatpg.measure.work_precision.work_precision`.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    figure
        Made without pyplot, so nothing is shown; `heatpg.plot.save` writes it.

    Raises
    ------
    OptionError
        If runs is empty.

    Examples
    --------
    >>> from heatpg.plot.convergence import orders
    >>> from heatpg.measure.work_precision import Work
    >>> runs = [Work("exponential", {}, "exponential", 2.0, n, 2 / n, 4 / n**2, 1e-8 * n**2) for n in (16, 32, 64)]
    >>> [ax.get_xlabel() for ax in orders(runs).axes]
    ['processor time of one solve (s)', 'spacing h']
    """
    import textwrap

    from matplotlib.figure import Figure

    from heatpg.measure.work_precision import PROBLEM

    with styled(width):
        size = inches(width, 12.0)
        # two panels where there is room, else one below the other
        beside = columns(2, size, 3.4)
        labels = len({run.label for run in runs})
        names = columns(labels, size, _ENTRY)
        foot = legend_height(labels, size, _ENTRY)
        height = (0.4 * size if beside == 2 else 1.5 * size) + foot + points(0.6)
        figure = Figure(figsize=(size, height), layout="constrained")
        problem = PROBLEM.replace("^2", "²").replace("sigma", "σ")
        figure.suptitle("\n".join(["Error against work and resolution", *textwrap.wrap(problem, letters(size))]))
        left, right = figure.subplots(2 // beside, beside, sharey=True)
        work_precision(runs, left, legend=False)
        convergence(runs, right, legend=False)
        for ax in (left, right):
            ax.set_title("")
        if beside == 2:
            right.set_ylabel("")
        handles, words = left.get_legend_handles_labels()
        figure.legend(handles, words, loc="outside lower center", ncols=names, frameon=False)
        return figure
