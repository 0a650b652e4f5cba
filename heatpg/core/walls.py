"""The range of Q with all that its boundaries say of walls and of the outside, which is what bounds u.

Where nodes are in cells and the values on the walls count (`Axis.faced`), u is a mean of the nodes *and* of these.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from heatpg.boundaries import face_values
from heatpg.core.faces import Faces
from heatpg.core.grid import Grid

__all__ = [
    "extremes",
    "magnitude",
    "oscillation",
    "range_with_walls",
    "variation",
    "wall_values",
    "whole_range",
    "with_walls",
]

Array = NDArray[Any]


def wall_values(field: Array, grid: Grid, faces: Faces | None = None) -> Iterator[Array]:
    """The values on all faces where they count, those on edges and corners too, each an array with a node per face.

    Where some are stated, one array holds them together with the field.

    Parameters
    ----------
    field
        Shape (*batch, *grid.shape).
    grid
        Where it is sampled.
    faces
        The stated values of the field.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.core.walls import wall_values
    >>> grid = Grid(Axis("x", 0.0, 5.0, 5, boundary="clip", nodes="cell"))
    >>> [value.round(12).tolist() for value in wall_values(grid[0].coordinates, grid)]
    [[0.0], [5.0]]
    """
    first = field.ndim - grid.dimensions
    stated: tuple[int, ...] = ()
    if faces is not None:
        stated, field = faces.positions, faces.layered(field)
        yield field
    yield from _walls(field, [first + i for i, axis in enumerate(grid) if axis.faced and i not in stated])


def _walls(field: Array, positions: list[int]) -> Iterator[Array]:
    for number, position in enumerate(positions):
        for value in face_values(field, position):
            yield value
            yield from _walls(value, positions[number + 1 :])


def with_walls(field: Array, grid: Grid, faces: Faces | None = None) -> Array:
    """The field with the values on its faces before the first and after the last node, along axes where they count."""
    first = field.ndim - grid.dimensions
    stated: tuple[int, ...] = ()
    if faces is not None:
        stated, field = faces.positions, faces.layered(field)
    for position, axis in enumerate(grid):
        if axis.faced and position not in stated:
            lower, upper = face_values(field, first + position)
            field = np.concatenate((lower, field, upper), axis=first + position)
    return field


def range_with_walls(field: Array, grid: Grid, faces: Faces | None = None) -> tuple[Array, Array]:
    """Smallest and largest value of each entry of the batch, on nodes, on faces where they count, and outside.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.core.walls import range_with_walls
    >>> x = Axis("x", 1.0, 6.0, 5, boundary="clip", nodes="cell")
    >>> [float(end) for end in range_with_walls(x.coordinates, Grid(x))]
    [1.0, 6.0]
    """
    axes = tuple(range(field.ndim - grid.dimensions, field.ndim))
    low, high = field.min(axis=axes), field.max(axis=axes)
    for value in wall_values(field, grid, faces):
        low, high = np.minimum(low, value.min(axis=axes)), np.maximum(high, value.max(axis=axes))
    for axis in grid:
        low, high = axis.rule.extremes_outside(low, high)
    return np.asarray(low), np.asarray(high)


def whole_range(field: Array, grid: Grid, faces: Faces | None = None) -> tuple[float, float]:
    """The same of a whole batch.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.core.walls import whole_range
    >>> whole_range(np.arange(10.0).reshape(2, 5), Grid(Axis("x", 0.0, 4.0, 5, boundary="clip")))
    (0.0, 9.0)
    """
    low, high = range_with_walls(field, grid, faces)
    return float(low.min()), float(high.max())


class Sampled(Protocol):
    """Values on a grid; they do not change."""

    grid: Grid
    values: Array
    stated_faces: Faces | None


# Each check asks for them, and they are two passes over memory. With the values that they are of, which a landscape may
# be given again; forgotten with the landscape.
_known: weakref.WeakKeyDictionary[Sampled, tuple[Array, dict[str, tuple[float, float]]]] = weakref.WeakKeyDictionary()


def _found(landscape: Sampled) -> dict[str, tuple[float, float]]:
    values, found = _known.get(landscape, (None, {}))
    if values is not landscape.values:
        found = {}
        _known[landscape] = landscape.values, found
    return found


def extremes(landscape: Sampled) -> tuple[float, float]:
    """Smallest and largest value of a whole batch, on nodes, on faces where they count, and outside.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.core.walls import extremes
    >>> extremes(Landscape(np.arange(5.0), Grid(Axis("x", 1.0, 6.0, 5, boundary="zero"))))
    (0.0, 4.0)
    """
    found = _found(landscape)
    if "extremes" not in found:
        found["extremes"] = whole_range(landscape.values, landscape.grid, landscape.stated_faces)
    return found["extremes"]


def _of_nodes(landscape: Sampled) -> tuple[float, float]:
    found = _found(landscape)
    if "nodes" not in found:
        found["nodes"] = float(landscape.values.min()), float(landscape.values.max())
    return found["nodes"]


def magnitude(landscape: Sampled) -> float:
    """The largest absolute value of the nodes, and of stated values on walls.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.core.walls import magnitude
    >>> magnitude(Landscape(np.arange(-5.0, 0.0), Grid(Axis("x", 1.0, 6.0, 5, boundary="zero"))))
    5.0
    """
    low, high = _of_nodes(landscape)
    if landscape.stated_faces is not None:
        low, high = min(low, extremes(landscape)[0]), max(high, extremes(landscape)[1])
    return max(-low, high)


def oscillation(landscape: Sampled) -> float:
    """The largest value less the smallest, of nodes alone.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.core.walls import oscillation
    >>> oscillation(Landscape(np.arange(1.0, 6.0), Grid(Axis("x", 1.0, 6.0, 5, boundary="zero"))))
    4.0
    """
    low, high = _of_nodes(landscape)
    return high - low


def variation(landscape: Sampled) -> float:
    """The same with what is stated of walls.

    Examples
    --------
    >>> from heatpg import Axis, Landscape
    >>> from heatpg.core.walls import variation
    >>> cells = Axis("x", 0.0, 4.0, 4, boundary="absorb", nodes="cell")
    >>> variation(Landscape([1.0, 1.0, 1.0, 1.0], cells, faces={"x": (0.0, 3.0)}))
    3.0
    """
    if landscape.stated_faces is None:
        return oscillation(landscape)
    low, high = extremes(landscape)
    return high - low
