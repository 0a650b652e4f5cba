"""Figures of landscapes and evolutions; matplotlib is loaded when one is drawn, and nothing is shown by itself.

Functions that draw one panel take axes to draw into (``ax=None`` makes new ones) and return them. Whole figures of an
evolution are registered in `figures`, one kind a file, and return a `matplotlib.figure.Figure`. All of them take
``width="column"`` or ``"text"`` for print; `save` writes them, the same bytes every time.
"""

from __future__ import annotations

from heatpg.plot.animation import animate
from heatpg.plot.ascent import ascent_paths
from heatpg.plot.checks import checks
from heatpg.plot.convergence import convergence, orders, work_precision
from heatpg.plot.counts import critical_counts
from heatpg.plot.cut import cut
from heatpg.plot.field import field, landscape
from heatpg.plot.fingerprint import fingerprint
from heatpg.plot.maxima import maxima
from heatpg.plot.multiples import multiples
from heatpg.plot.pricing import price_curve
from heatpg.plot.risk import risk
from heatpg.plot.spectrum import decay, spectrum
from heatpg.plot.study import study
from heatpg.plot.style import Width, save, styled
from heatpg.plot.summary import summary
from heatpg.plot.surface import surface
from heatpg.plot.unlearning import unlearning_curves
from heatpg.plot.waterfall import sigma_image, waterfall
from heatpg.plot.watershed import basin_curve
from heatpg.tools.figures import Drawing, figures

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
    "risk",
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
