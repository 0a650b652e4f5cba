"""Fields between their nodes, by the quadratic through three nodes an axis; and the top of a field, likewise."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Grid

__all__ = ["read_at", "stencil", "wrapped_distance"]

Array = NDArray[Any]


def stencil(grid: Grid, positions: Array) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Nodes of a flattened field and their weights, shape (P, 3^d) each, for the value at positions (P, dimensions).

    A quadratic is off by h^3 u''' / 16: of a wave exp(-x^2 / 2 sigma^2) at sigma = 2 h by 1 % of its height. What is
    read here is what tells seeds apart, whose spread need not be known better.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.intervals.reading import read_at, stencil
    >>> grid = Grid(Axis("x", 0.0, 4.0, 5, boundary="clip"))
    >>> nodes, weights = stencil(grid, np.array([[1.25]]))
    >>> nodes.tolist(), read_at(grid[0].coordinates[None] ** 2, nodes, weights).tolist()
    ([[0, 1, 2]], [[1.5625]])
    """
    index, weight = [], []
    for axis, places in zip(grid, np.asarray(positions, dtype=np.float64).T, strict=True):
        steps = (places - axis.coordinates[0]) / axis.spacing
        if axis.rule.periodic:
            middle = np.rint(steps).astype(np.intp)
            nodes = np.mod(middle[:, None] + np.arange(-1, 2), axis.size)
        else:
            # at the edge the quadratic of the last three nodes goes on, and beyond the box the value on its wall
            steps = np.clip(steps, -0.5, axis.size - 0.5)
            middle = np.clip(np.rint(steps).astype(np.intp), 1, axis.size - 2)
            nodes = middle[:, None] + np.arange(-1, 2)
        s = steps - middle
        index.append(nodes)
        weight.append(np.stack([(s * s - s) / 2, 1 - s * s, (s * s + s) / 2], axis=1))
    flat, product = [], []
    for choice in itertools.product(range(3), repeat=grid.dimensions):
        flat.append(np.ravel_multi_index(tuple(i[:, c] for i, c in zip(index, choice, strict=True)), grid.shape))
        product.append(math.prod(w[:, c] for w, c in zip(weight, choice, strict=True)))
    return np.stack(flat, axis=1), np.stack(product, axis=1)


def read_at(fields: Array, nodes: Array, weights: Array) -> NDArray[np.float64]:
    """Flattened fields, shape (S, N), at P places of `stencil`: shape (S, P)."""
    return np.asarray(np.einsum("spq,pq->sp", fields[:, nodes], weights))


def wrapped_distance(grid: Grid, positions: Array, origin: Array) -> NDArray[np.float64]:
    """Positions less an origin, the short way around a periodic axis.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.intervals.reading import wrapped_distance
    >>> circle = Grid(Axis("angle", 0.0, 6.0, 6, boundary="periodic"))
    >>> wrapped_distance(circle, np.array([[5.5]]), np.array([0.5])).tolist()
    [[-1.0]]
    """
    apart = np.asarray(positions - origin, dtype=np.float64)
    for i, axis in enumerate(grid):
        if axis.rule.periodic:
            apart[..., i] -= axis.length * np.round(apart[..., i] / axis.length)
    return apart
