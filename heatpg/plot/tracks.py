"""What the figures of a scale space share: its axis of sigma, and where its optimum jumps and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heatpg.evolution import Evolution
from heatpg.plot.layout import sigma_axis
from heatpg.plot.style import points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from heatpg.scalespace import ScaleSpace

__all__ = ["draw_ends", "level_axis", "space_of"]

_WORD = 9.0  # points, beside text of 10 points: a small word below a title


def space_of(source: Evolution | ScaleSpace) -> ScaleSpace:
    """The tracks of an evolution, unless they are what is given."""
    from heatpg.scalespace import ScaleSpace, track

    if isinstance(source, ScaleSpace):
        return source
    return track(source)


def level_axis(ax: Axes, space: ScaleSpace) -> None:
    """The horizontal axis: sigma, or where the axes differ that of the noisiest."""
    # levels of axes that differ are told by the largest of them, to which the others stand in one proportion
    along = None if np.ptp(space.ratio) == 0 else int(np.argmax(space.ratio))
    sigma_axis(ax, space.sigma, space.grid, along)


def draw_ends(ax: Axes, space: ScaleSpace, title: str) -> None:
    """A dashed line where the optimum jumps, a dotted one where its track ends, and above them their words and a title.

    Parameters
    ----------
    ax
        Where to draw; its axis of sigma must be set.
    space
        Whose optimum it is.
    title
        Of the panel.
    """
    from matplotlib import rcParams

    jump = space.clearest_jump
    word_of_jump = "jump" if jump is None or space.shows(jump) else "jump?"
    marked = [(jump, "--", word_of_jump), (space.sigma_death, ":", "end")]
    events = sorted(((event.sigma, style, word) for event, style, word in marked if event), key=lambda one: one[0])
    for i, (sigma, style, word) in enumerate(events):
        # behind the curves, and of no colour of theirs
        ax.axvline(sigma, color="0.4", lw=points(1.0), ls=style, zorder=0)
        # above the frame, where no curve is; of two the words go apart, so that they never meet
        side = "center" if len(events) == 1 else "right" if i == 0 else "left"
        shift = {"center": 0.0, "right": -1.0, "left": 1.0}[side]
        ax.annotate(
            word,
            (sigma, 1.0),
            xycoords=ax.get_xaxis_transform(),
            xytext=(points(shift), points(2.0)),
            textcoords="offset points",
            ha=side,
            va="bottom",
            fontsize="small",
            color="0.4",
        )
    ax.set_title(title, pad=float(rcParams["axes.titlepad"]) + (points(_WORD) if events else 0.0))
