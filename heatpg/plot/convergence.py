"""Error of all solvers against processor time and against the spacing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from heatpg.verify.work_precision import PROBLEM, Work

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["convergence"]

# M. Okabe, K. Ito, Color Universal Design, 2008, without the yellow that is lost on white
_COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h", "p", "d", "*")
_DASHES = ("-", "--", ":")
_FLOOR = 1e-17


def _slope_triangle(ax: Axes, order: float, runs: Sequence[Work]) -> None:
    """A triangle of this order below the runs that declare it, in the finer half of their spacings."""
    spacings = sorted({run.spacing for run in runs})
    left, right = spacings[0], spacings[min(2, len(spacings) - 1)]
    if not left < right:
        return
    # clear of every run of this order between the two spacings
    top = min(run.error * (right / run.spacing) ** order for run in runs if left <= run.spacing <= right) / 2.5
    bottom = top * (left / right) ** order
    ax.plot([left, right, right, left], [bottom, top, bottom, bottom], color="0.35", lw=1.0, zorder=1)
    middle = float(np.sqrt(top * bottom))
    ax.annotate(f"{order:g}", (right, middle), (4, 0), textcoords="offset points", va="center", fontsize=10)


def convergence(runs: Sequence[Work]) -> Figure:
    """Error against processor time, and error against the spacing with triangles of the declared orders.

    Parameters
    ----------
    runs
        What `heatpg.verify.work_precision.work_precision` measured.

    Returns
    -------
    figure
        Made without pyplot, so nothing is shown; ``figure.savefig`` writes it.

    Examples
    --------
    >>> from heatpg.plot.convergence import convergence
    >>> from heatpg.verify.work_precision import Work
    >>> run = [Work("exponential", {}, "exponential", 2.0, n, 2 / n, 4 / n**2, 1e-8 * n**2) for n in (16, 32, 64)]
    >>> [ax.get_xlabel() for ax in convergence(run).axes]
    ['processor time of one solve (s)', 'spacing h']
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    figure = Figure(figsize=(12.0, 6.2), layout="constrained")
    figure.suptitle(
        f"Error against work and resolution\n{PROBLEM.replace('^2', '²').replace('sigma', 'σ')}", fontsize=12
    )
    left, right = figure.subplots(1, 2, sharey=True)
    labels = list(dict.fromkeys(run.label for run in runs))
    for i, label in enumerate(labels):
        mine = [run for run in runs if run.label == label]
        errors = [max(run.error, _FLOOR) for run in mine]
        style = {
            "color": _COLOURS[i % len(_COLOURS)],
            "marker": _MARKERS[i % len(_MARKERS)],
            "linestyle": _DASHES[i // len(_COLOURS) % len(_DASHES)],
            "ms": 9.0 - 3.0 * i / len(labels),  # of curves that coincide each is seen behind the next
            "mec": "white",
            "mew": 0.6,
            "lw": 1.5,
        }
        order = mine[0].order
        words = f"{label} ({'spectral' if isinstance(order, str) else f'order {order:g}'})"
        left.plot([run.seconds for run in mine], errors, label=words, **style)
        right.plot([run.spacing for run in mine], errors, **style)
    for order in sorted({run.order for run in runs if not isinstance(run.order, str)}):
        _slope_triangle(right, order, [run for run in runs if run.order == order])
    for ax, words in ((left, "processor time of one solve (s)"), (right, "spacing h")):
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel(words)
        ax.grid(color="0.9", lw=0.6)
        ax.set_axisbelow(True)
    right.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    right.xaxis.set_major_formatter(FuncFormatter(lambda value, position: f"{value:g}"))
    right.xaxis.set_minor_formatter(NullFormatter())
    left.set_ylabel("largest error / largest |u|")
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=10)
    return figure
