"""The walls on which Q is stated, as nodes of their own: ascent may end there, and no start lies there."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Grid
from heatpg.core.linear import piecewise_linear
from heatpg.scalespace.units import Problem

__all__ = ["OuterNodes"]

Array = NDArray[Any]


class OuterNodes:
    """The grid of a problem with one more node on each side whose wall is stated; without any, the grid itself.

    Parameters
    ----------
    problem
        The evolution, in pure numbers.

    Attributes
    ----------
    grid
        In pure numbers. A wall takes the place of the next node, so it seems to be half a spacing farther away than it
        is: that makes a slope towards it too flat, but changes neither which nodes are higher nor a boundary between
        basins by more than a cell.
    coordinates
        Of its nodes along each axis, those of walls where they are.
    own
        Where in it the nodes of the grid are.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        faces, pure = problem.landscape.stated_faces, problem.units.pure
        axes, coordinates, own = [], [], []
        for i, axis in enumerate(pure):
            low, high = (False, False) if faces is None else (side is not None for side in faces.sides[i])
            axes.append(
                dataclasses.replace(
                    axis,
                    lower=axis.lower - axis.spacing * low,
                    upper=axis.upper + axis.spacing * high,
                    size=axis.size + low + high,
                )
                if low or high
                else axis
            )
            coordinates.append(np.concatenate(([axis.lower] * low, axis.coordinates, [axis.upper] * high)))
            own.append(slice(int(low), int(low) + axis.size))
        self.grid = Grid(*axes) if faces is not None else pure
        self.coordinates, self.own = coordinates, tuple(own)
        self._added = self.grid.shape != pure.shape

    @functools.cached_property
    def initial(self) -> NDArray[np.float64]:
        """Q in pure numbers, with that on the walls."""
        return self._with_outer(-1)

    def values(self, level: int) -> NDArray[np.float64]:
        """The field at one level, in pure numbers, -1 for Q; with that on the walls."""
        return self.initial if level < 0 else self._with_outer(level)

    def _with_outer(self, level: int) -> NDArray[np.float64]:
        nodes = self._problem.values(level)
        if not self._added:
            return nodes
        result = np.empty(self.grid.shape)
        result[self.own] = nodes
        outer = self._outer
        places = np.stack([along[i] for along, i in zip(self.coordinates, np.nonzero(outer), strict=True)], axis=-1)
        if level < 0:
            result[outer] = piecewise_linear(self._problem.landscape, places)
        else:
            sigmas = self._problem.units.lengths(self._problem.evolution.sigmas[level])
            result[outer] = self._problem.field.value(places, sigmas)
        return result

    @functools.cached_property
    def _outer(self) -> NDArray[np.bool_]:
        outer = np.ones(self.grid.shape, dtype=bool)
        outer[self.own] = False
        return outer

    def read(self, level: int, flat: NDArray[np.int64], pure: Array) -> NDArray[np.float64]:
        """What is stored of the nodes with a flat index, and of walls what `values` found, in the units of Q."""
        evolution = self._problem.evolution
        stored = evolution.landscape.values if level < 0 else evolution.values[level]
        result = stored[self.index(flat)].astype(np.float64)
        if self._added:
            walls = self._outer.reshape(-1)[flat]
            result[walls] = self._problem.units.values(pure.reshape(-1)[flat[walls]])
        return result

    def with_walls(self, of_nodes: Array) -> Array:
        """What each node of the grid counts for, and 0 for the walls."""
        if not self._added:
            return of_nodes
        result = np.zeros(self.grid.shape, of_nodes.dtype)
        result[self.own] = of_nodes
        return result

    def index(self, flat: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
        """Index in the grid of the problem of the nodes with a flat index, for a wall that of the node next to it."""
        found = np.unravel_index(flat, self.grid.shape)
        return tuple(
            np.clip(i - own.start, 0, own.stop - own.start - 1) for i, own in zip(found, self.own, strict=True)
        )

    def places(self, flat: NDArray[np.int64]) -> NDArray[np.float64]:
        """Positions of the nodes with a flat index, in the units of the axes, shape (nodes, dimensions)."""
        found = np.unravel_index(flat, self.grid.shape)
        units, inner = self._problem.units, self.index(flat)
        result = np.stack([axis.coordinates[i] for axis, i in zip(units.grid, inner, strict=True)], axis=-1)
        for column, axis, i, own in zip(result.T, units.grid, found, self.own, strict=True):
            column[i < own.start] = axis.lower
            column[i >= own.stop] = axis.upper
        return result
