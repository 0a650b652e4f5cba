"""Figures of landscapes and evolutions; matplotlib is loaded when one is drawn, and nothing is shown by itself.

Functions that draw one panel take axes to draw into (``ax=None`` makes new ones) and return them. Whole figures of an
evolution are registered in `figures`, one kind a file, and return a `matplotlib.figure.Figure`. All of them take
``width="column"`` or ``"text"`` for print; `save` writes them, the same bytes every time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from heatpg.evolution import Evolution
from heatpg.plot.style import Width, save, styled
from heatpg.tools.registry import Registry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "Drawing",
    "Width",
    "animate",
    "ascent_paths",
    "basin_curve",
    "checks",
    "convergence",
    "critical_counts",
    "cut",
    "decay",
    "field",
    "figures",
    "fingerprint",
    "landscape",
    "maxima",
    "multiples",
    "orders",
    "price_curve",
    "save",
    "sigma_image",
    "spectrum",
    "study",
    "styled",
    "summary",
    "surface",
    "unlearning_curves",
    "waterfall",
    "work_precision",
]


class Drawing(Protocol):
    """What is registered: a whole figure of an evolution."""

    def __call__(self, evolution: Evolution, /, *, width: Width = None) -> Figure:
        """Draw it; see `heatpg.plot.style.inches` for the width."""


figures: Registry[Drawing] = Registry("figure", "heatpg.plot")

# the files above register themselves in `figures`, so it has to exist before they are imported
from heatpg.plot.animation import animate  # noqa: E402
from heatpg.plot.ascent import ascent_paths  # noqa: E402
from heatpg.plot.checks import checks  # noqa: E402
from heatpg.plot.convergence import convergence, orders, work_precision  # noqa: E402
from heatpg.plot.counts import critical_counts  # noqa: E402
from heatpg.plot.cut import cut  # noqa: E402
from heatpg.plot.field import field, landscape  # noqa: E402
from heatpg.plot.fingerprint import fingerprint  # noqa: E402
from heatpg.plot.maxima import maxima  # noqa: E402
from heatpg.plot.multiples import multiples  # noqa: E402
from heatpg.plot.pricing import price_curve  # noqa: E402
from heatpg.plot.spectrum import decay, spectrum  # noqa: E402
from heatpg.plot.study import study  # noqa: E402
from heatpg.plot.summary import summary  # noqa: E402
from heatpg.plot.surface import surface  # noqa: E402
from heatpg.plot.unlearning import unlearning_curves  # noqa: E402
from heatpg.plot.waterfall import sigma_image, waterfall  # noqa: E402
from heatpg.plot.watershed import basin_curve  # noqa: E402
