"""The box of the data where that of the grid is larger: nothing that lies beyond it is an answer.

A landscape along the principal axes of a covariance stands on a turned box that holds the whole of its own one. What is
between the two is made of the values at the edge, for the sake of the solver. Extrema there are of no action that was
asked about: tracks end where they leave the box of the data.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.landscape import Landscape

__all__ = ["Box", "box_of_data"]

Array = NDArray[Any]

_SLACK = 1e-9  # of the box: an edge that is overstepped by rounding


@dataclasses.dataclass(frozen=True, eq=False)
class Box:
    """The box of the data in the coordinates of a grid along other axes.

    Attributes
    ----------
    lower, upper
        Its corners in its own coordinates, shape (dimensions,).
    basis
        What one unit along each axis of the grid is in these coordinates, as columns.
    """

    lower: Array
    upper: Array
    basis: Array

    def holds(self, positions: Array) -> NDArray[np.bool_]:
        """Whether places, shape (..., dimensions), lie in it."""
        places = positions @ self.basis.T
        slack = _SLACK * (self.upper - self.lower)
        return np.asarray(((places >= self.lower - slack) & (places <= self.upper + slack)).all(axis=-1))


def box_of_data(landscape: Landscape) -> Box | None:
    """The box of the data of a landscape along principal axes; None where it is that of the grid.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.scalespace.principal import principal_axes
    >>> from heatpg.scalespace.region import box_of_data
    >>> grid = Grid(Axis("x", -1.0, 1.0, 21, boundary="clip"), Axis("y", -1.0, 1.0, 21, boundary="clip"))
    >>> hill = Landscape.from_function(lambda x, y: -(x**2) - y**2, grid)
    >>> turned = principal_axes(hill, [[1.0, 0.6], [0.6, 1.0]]).landscape
    >>> box = box_of_data(turned)
    >>> box.holds(np.array([[0.0, 0.0], [1.4, 0.0], [1.4, 1.4]])), box_of_data(hill)
    (array([ True,  True, False]), None)
    """
    given = landscape.provenance.get("box")
    if landscape.provenance.get("source") != "principal axes" or given is None:
        return None
    return Box(*(np.array(given[name], dtype=np.float64) for name in ("lower", "upper", "basis")))
