"""Figures of landscapes and evolutions; matplotlib is loaded when one is drawn, and nothing is shown by itself.

Functions that draw one panel take axes to draw into (``ax=None`` makes new ones) and return them. Whole figures of an
evolution are registered in `figures`, one kind a file, and return a `matplotlib.figure.Figure`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from heatpg.evolution import Evolution
from heatpg.registry import Registry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["cut", "field", "figures", "fingerprint", "landscape", "maxima", "study", "summary"]

figures: Registry[Callable[[Evolution], Figure]] = Registry("figure", "heatpg.plot")

# the files above register themselves in `figures`, so it has to exist before they are imported
from heatpg.plot.cut import cut  # noqa: E402
from heatpg.plot.field import field, landscape  # noqa: E402
from heatpg.plot.fingerprint import fingerprint  # noqa: E402
from heatpg.plot.maxima import maxima  # noqa: E402
from heatpg.plot.study import study  # noqa: E402
from heatpg.plot.summary import summary  # noqa: E402
