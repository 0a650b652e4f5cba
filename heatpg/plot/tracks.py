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


def draw_ends(ax: Axes, space: ScaleSpace) -> None:
    """A dashed line where the optimum jumps, a dotted one where its track ends, each with a word."""
    jump = space.clearest_jump
    word_of_jump = "jump" if jump is None or space.shows(jump) else "jump?"
    for event, style, word in ((jump, "--", word_of_jump), (space.sigma_death, ":", "end")):
        if event is not None:
            # behind the curves, and of no colour of theirs
            ax.axvline(event.sigma, color="0.4", lw=points(1.0), ls=style, zorder=0)
            ax.annotate(
                word,
                (event.sigma, 0.5),
                xycoords=ax.get_xaxis_transform(),
                xytext=(points(2.0), 0.0),
                textcoords="offset points",
                rotation=90,
                va="center",
                fontsize="small",
                color="0.4",
            )
