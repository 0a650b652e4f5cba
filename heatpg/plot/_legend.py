"""Legends below their axes, where they cover no curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatpg.plot.style import columns, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["legend_below", "legend_height"]

_LINE = 0.21  # inches beside text of 10 points
_BELOW = 42.0  # points from the axes, over their numbers and label


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
    return points(_LINE) * -(-entries // columns(entries, width, least))


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
    width = figure.get_figwidth() if len(figure.axes) <= 2 else ax.bbox.width / figure.dpi
    shift = ScaledTranslation(0.0, -points(_BELOW) / 72.0, figure.dpi_scale_trans)
    ax.legend(
        handles, words, loc="upper center", bbox_to_anchor=(0.5, 0.0), bbox_transform=ax.transAxes + shift,
        ncols=columns(len(words), width, least), frameon=False, borderaxespad=0.0,
    )  # fmt: skip
