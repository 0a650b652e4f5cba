"""Unlearning: whether policy-gradient epochs leave an optimal controller, by noise level."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from heatpg.plot.layout import legend_below, legend_height, line_colours
from heatpg.plot.style import Width, inches, panel, points, styled
from heatpg.plot.words import number
from heatpg.tools.arguments import one_of
from heatpg.tools.calls import checked_call

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from heatpg.policy.unlearning import Unlearning

__all__ = ["unlearning_curves"]

_QUANTITIES = ("return", "noisy return", "distance")
_LABELS = {
    "return": "return without noise",
    "noisy return": "return with noise",
    "distance": "|K − K₀|",
}
_STARTS = {"lqr": "the LQR gain", "optimal": "the optimum of the return", "given": "the given gain"}
_DASHES = {"kept": "-", "undecided": "-.", "left": "--"}
_MARKERS = "os^DvPX*"
# standard errors of the mean: a band of 95 %
_CONFIDENCE = 2.0  # standard errors of the mean
_PANEL = 6.0  # inches
_ENTRY = 2.15  # inches of the legend beside text of 10 points


@checked_call()
def unlearning_curves(
    result: Unlearning, ax: Axes | None = None, *, quantity: str = "return", width: Width = None
) -> Axes:
    """Draw the return, or the distance from the controller at the start, after every epoch for each noise level.

    Lines are means over the seeds, bands two standard errors of the mean. A line is solid where the controller was
    kept after the first epoch, dashed where it was left, dash-dotted where the seeds are inconclusive. Below the grey
    line more of the return at the start is lost than was tolerated.

    Parameters
    ----------
    result
        Result of `heatpg.policy.unlearn`.
    ax
        Where to draw; without it, in a new figure.
    quantity
        ``return``: without noise, at the gains that were learnt. ``noisy return``: of the episodes, with the noise.
        ``distance``: Frobenius norm of the change of the gain, whose entries have different units, on a logarithmic
        axis; the first epoch starts at zero and is omitted.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    ax
        The axes; ``ax.figure`` is the figure.

    Raises
    ------
    UnknownNameError
        For an unknown quantity.

    Examples
    --------
    >>> from heatpg import plot
    >>> from heatpg.policy import Learning, HoverTask, unlearn
    >>> learning = Learning(epochs=1, episodes=128, seeds=8)
    >>> result = unlearn([0.1, 1.0], noise="parameter", task=HoverTask(horizon=1.0), learning=learning)
    >>> [line.get_label() for line in plot.unlearning_curves(result).get_lines()[:2]]
    ['σ = 0.1: kept', 'σ = 1: left (drift)']
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    one_of("quantity of unlearning", quantity, _QUANTITIES)
    values = {"return": result.returns, "noisy return": result.noisy_returns, "distance": result.distance}[quantity]
    # it begins at 0, which a logarithmic axis does not have
    first = 1 if quantity == "distance" else 0
    epochs = np.arange(first, result.epochs + 1)
    unit = " N" if result.noise == "action" else ""
    with styled(width):
        size = inches(width, _PANEL)
        height = 0.62 + legend_height(len(result.sigmas) + 1, size, _ENTRY) / size
    with panel(ax, width, height=height) as ax:
        for k, colour in enumerate(line_colours(len(result.sigmas))):
            verdict, cause = result.verdicts[k], result.causes[k]
            mean = values[k, :, first:].mean(axis=0)
            # of the mean over the seeds
            error = values[k, :, first:].std(axis=0, ddof=1) / math.sqrt(values.shape[1])
            ax.plot(
                epochs, mean, color=colour, ls=_DASHES[verdict], marker=_MARKERS[k % len(_MARKERS)], ms=points(6),
                lw=points(1.5), mec="white", mew=points(0.6),
                label=f"σ = {number(result.sigmas[k])}{unit}: {verdict}" + (f" ({cause})" if cause else ""),
            )  # fmt: skip
            low, high = mean - _CONFIDENCE * error, mean + _CONFIDENCE * error
            if quantity == "distance":
                low = np.maximum(low, mean / 10.0)  # a band down to zero has no end on a logarithmic axis
            ax.fill_between(epochs, low, high, color=colour, alpha=0.2, lw=0)
        if quantity == "return":
            # without noise and before the first epoch: the same for all levels and seeds
            start = float(result.returns[0, 0, 0])
            words = f"{100.0 * result.loss:.3g} % of the return lost"
            ax.axhline(start * (1.0 - result.loss), color="0.5", lw=points(1.0), zorder=1, label=words)
        if quantity == "distance" and (values[..., 1:] > 0).any():
            ax.set_yscale("log")
            # within a decade or two the powers of ten alone would be too few
            ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            ax.yaxis.set_major_formatter(FuncFormatter(lambda value, position: number(value)))
            ax.yaxis.set_minor_formatter(NullFormatter())
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel("epochs")
        ax.set_ylabel(_LABELS[quantity])
        ax.grid(color="0.92", lw=points(0.6))
        ax.set_axisbelow(True)
        ax.set_title(f"Unlearning of {_STARTS[result.start]}\nunder {result.noise} noise")
        legend_below(ax, _ENTRY)
    return ax
