"""Whole figures of an evolution, found by name; so an evolution can draw itself, and lies below all that draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from heatpg.tools.registry import Registry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from heatpg.evolution import Evolution
    from heatpg.plot.style import Width

__all__ = ["Drawing", "figures"]


class Drawing(Protocol):
    """What is registered: a whole figure of an evolution."""

    def __call__(self, evolution: Evolution, /, *, width: Width = None) -> Figure:
        """Draw it; see `heatpg.plot.style.inches` for the width."""


# the files of heatpg.plot are imported when a figure is first asked for, and register themselves then
figures: Registry[Drawing] = Registry("figure", "heatpg.plot")
