"""Confidence interval for the width of the optimum: what each seed changes of it, to first order."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.field import HeatField
from heatpg.core.landscape import Landscape
from heatpg.core.ownership import HandedOver
from heatpg.errors import UnsupportedError
from heatpg.scalespace import ScaleSpace, optimum_shape
from heatpg.tools.plain import fields_as_dict

__all__ = ["WidthInterval", "width_interval"]

Array = NDArray[Any]


@dataclasses.dataclass(frozen=True)
class WidthInterval:
    """Confidence interval, over seeds, for the width of the optimum at the first noise level, of one axis.

    Attributes
    ----------
    width
        That of the optimum of the mean, as `heatpg.scalespace.optimum_shape` has it.
    lower, upper
        The t interval of its logarithm.
    """

    width: float
    lower: float
    upper: float

    def as_dict(self) -> dict[str, Any]:
        """The interval as JSON-like values."""
        return fields_as_dict(self)


def width_interval(space: ScaleSpace, away: Array, quantile: float) -> WidthInterval | None:
    """The t interval of log w, w^2 = (u - mean of Q) / -u'' at the optimum of the first noise level.

    A seed that changes u by v moves the optimum by -v' / u'', and so changes u'' by v'' - u''' v' / u''.

    Parameters
    ----------
    space
        The tracks of the mean.
    away
        Returns of each seed less the mean over seeds, shape (S, nodes).
    quantile
        Of Student, for S - 1 degrees of freedom.

    Returns
    -------
    interval
        None of several axes, where widths that are nearly equal are no smooth functions of the seeds, and where the
        optimum has no width.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape, evolve
    >>> from heatpg.intervals.widths import width_interval
    >>> from heatpg.scalespace import track
    >>> grid = Grid(Axis("x", -3.0, 3.0, 121, boundary="clip"))
    >>> heights = np.array([0.9, 1.0, 1.1])[:, None]
    >>> returns = heights * np.exp(-grid[0].coordinates**2 / 0.18)
    >>> space = track(evolve(Landscape(None, grid, returns=returns), [0.2, 0.4]), "maximum")
    >>> # the height of the optimum alone does not change its width
    >>> found = width_interval(space, returns - returns.mean(axis=0), 4.3)
    >>> bool(found.upper - found.lower < 1e-9 * found.width)
    True
    """
    grid, sigma = space.grid, float(space.sigma[0])
    if grid.dimensions > 1:
        return None
    try:
        shape = optimum_shape(space)
    except UnsupportedError:
        return None
    place = shape.position[None]
    _, _, second, third = _local(space.field, place, sigma)
    weights = grid.relative_weights / grid.relative_weights.sum()
    changes = []
    for row in away:
        value, slope, curvature, _ = _local(HeatField(Landscape(HandedOver(row), grid)), place, sigma)
        height = (value - float(weights @ row)) / (shape.value - shape.base)
        changes.append(0.5 * (height - curvature / second + (third / second) * (slope / second)))
    half = quantile * float(np.std(changes, ddof=1)) / math.sqrt(len(changes))
    width = float(shape.widths[0])
    return WidthInterval(width, width * math.exp(-half), width * math.exp(half))


def _local(field: HeatField, place: Array, sigma: float) -> list[float]:
    """u and its first three derivatives at a place, along the one axis."""
    return [float(each.item()) for each in field.local(field.derivatives(place, sigma, 3))]
