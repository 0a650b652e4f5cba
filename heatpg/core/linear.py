"""Q between its nodes, piecewise linear: what is read of rough data, which a smooth interpolant overshoots."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.landscape import Landscape

__all__ = ["best_place", "piecewise_linear"]

Array = NDArray[Any]


def _lines(landscape: Landscape) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    """Coordinates and Q of the nodes, and of the walls on which Q is stated, of a single landscape."""
    grid, faces = landscape.grid, landscape.stated_faces
    coordinates, values = [axis.coordinates for axis in grid], landscape.values
    if faces is not None:
        values = faces.layered(values)
        for position in faces.positions:
            axis = grid[position]
            coordinates[position] = np.concatenate(([axis.lower], coordinates[position], [axis.upper]))
    return coordinates, np.asarray(values, dtype=np.float64)


def piecewise_linear(landscape: Landscape, points: Array) -> NDArray[np.float64]:
    """Q at points, linear along each axis between the nodes and the walls on which it is stated.

    Between x_i and x_(i+1) it is Q_i + (x - x_i) / h (Q_(i+1) - Q_i), along one axis after the other. Beyond the last
    node, or stated wall, it is the value there; around a period it goes on.

    Parameters
    ----------
    landscape
        Q, without batch axes.
    points
        Shape (points, dimensions), in the units of the axes.

    Returns
    -------
    values
        Shape (points,). Of second order for smooth Q, and never outside the range of the values around a point.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.core.linear import piecewise_linear
    >>> cells = Grid(Axis("x", 0.0, 3.0, 3, boundary="absorb", nodes="cell"))
    >>> walled = Landscape(np.array([1.0, 2.0, 0.0]), cells, faces={"x": (5.0, None)})
    >>> piecewise_linear(walled, np.array([[0.0], [0.25], [1.0]]))
    array([5. , 3. , 1.5])
    """
    from scipy.interpolate import RegularGridInterpolator

    coordinates, values = _lines(landscape)
    places = np.array(points, dtype=np.float64)
    for i, axis in enumerate(landscape.grid):
        nodes = coordinates[i]
        if axis.rule.periodic:
            # the first node once more, one period on
            places[:, i] = nodes[0] + np.mod(places[:, i] - nodes[0], axis.length)
            nodes = coordinates[i] = np.append(nodes, nodes[0] + axis.length)
            values = np.concatenate((values, np.take(values, [0], axis=i)), axis=i)
        places[:, i] = np.clip(places[:, i], nodes[0], nodes[-1])
    return np.asarray(RegularGridInterpolator(coordinates, values)(places))


def best_place(landscape: Landscape, allowed: NDArray[np.bool_] | None = None) -> tuple[NDArray[np.float64], float]:
    """Where Q is largest among its nodes and the walls on which it is stated, and its value there.

    Parameters
    ----------
    landscape
        Q, without batch axes.
    allowed
        Which nodes count, shape of the grid; by default all. Q has no stated walls where some do not.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.core.linear import best_place
    >>> cells = Grid(Axis("x", 0.0, 3.0, 3, boundary="absorb", nodes="cell"))
    >>> [best_place(Landscape(np.array([1.0, 2.0, 1.0]), cells, faces={"x": (wall, None)})) for wall in (0.0, 5.0)]
    [(array([1.5]), 2.0), (array([0.]), 5.0)]
    """
    coordinates, values = _lines(landscape)
    if allowed is not None:
        values = np.where(allowed, values, -np.inf)
    index = np.unravel_index(int(np.argmax(values)), values.shape)
    place = np.array([nodes[i] for nodes, i in zip(coordinates, index, strict=True)])
    return place, float(values[index])
