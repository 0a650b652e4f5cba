"""Places on a grid: in the box, around periodic axes and across mirrors; distances between them and which are one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from heatpg.core.grid import Grid

__all__ = ["distinct", "held_axes", "nearest", "periods", "unit_of_length", "within_reach", "wrap"]

Array = NDArray[Any]

# distance of two that are one: far above the last step of Newton's method, far below what u can show (taste)
_SAME = 1e-4


def unit_of_length(grid: Grid, sigma: ArrayLike) -> NDArray[np.float64]:
    """max(sigma, h) per axis: the length over which u(., sigma) can change, shape as that of sigma."""
    return np.asarray(np.maximum(np.asarray(sigma, dtype=np.float64), np.array(grid.spacing)))


def wrap(grid: Grid, points: Array) -> Array:
    """Points brought back into the box: around a periodic axis, and mirrored at a reflecting wall."""
    result = points.copy()
    for i, axis in enumerate(grid):
        if axis.rule.periodic:
            result[:, i] = axis.lower + np.mod(points[:, i] - axis.lower, axis.length)
        elif axis.rule.conserves_mass:
            result[:, i] = np.where(points[:, i] < axis.lower, 2 * axis.lower - points[:, i], result[:, i])
            result[:, i] = np.where(points[:, i] > axis.upper, 2 * axis.upper - points[:, i], result[:, i])
    return result


def within_reach(grid: Grid, points: Array) -> Array:
    """Points, held within a box length of a closed axis, where its field ends; those that stray there are lost."""
    low, length = (np.array([getattr(axis, name) for axis in grid]) for name in ("lower", "length"))
    ends = np.array([axis.rule.free_space or axis.rule.periodic for axis in grid])
    return np.asarray(np.where(ends, points, np.clip(points, low - 0.9 * length, low + 1.9 * length)))


def held_axes(grid: Grid) -> NDArray[np.bool_]:
    """Axes whose edges can hold an extremum: those that neither close on themselves nor mirror."""
    return np.array([not (axis.rule.periodic or axis.rule.conserves_mass) for axis in grid])


def periods(grid: Grid) -> NDArray[np.float64]:
    """Length of each periodic axis, 0 for the others."""
    return np.array([axis.length if axis.rule.periodic else 0.0 for axis in grid])


def _on_torus(grid: Grid, unit: Array, points: Array) -> tuple[Array, Array]:
    """Points in the unit, counted from the lower corner, and the periods in it."""
    around = periods(grid) / unit
    places = (wrap(grid, points) - np.array([axis.lower for axis in grid])) / unit
    # round-off may put a place onto the period itself
    return np.where((around > 0) & ((places >= around) | (places < 0)), 0.0, places), around


def nearest(grid: Grid, unit: Array, known: Array, asked: Array) -> tuple[Array, Array]:
    """Distance (in the unit, around periodic axes) and index of the nearest known point for each that is asked."""
    if not len(known) or not len(asked):
        return np.full(len(asked), np.inf), np.zeros(len(asked), dtype=np.int64)
    (places, around), (wanted, _) = _on_torus(grid, unit, known), _on_torus(grid, unit, asked)
    distance, index = cKDTree(places, boxsize=around if around.any() else None).query(wanted)
    return np.asarray(distance), np.asarray(index, dtype=np.int64)


def distinct(grid: Grid, unit: Array, points: Array) -> NDArray[np.int64]:
    """Indices of points that are not the same as an earlier one."""
    if len(points) < 2:
        return np.arange(len(points))
    places, around = _on_torus(grid, unit, points)
    pairs = cKDTree(places, boxsize=around if around.any() else None).query_pairs(_SAME, output_type="ndarray")
    keep = np.ones(len(points), dtype=bool)
    if len(pairs):
        keep[pairs.max(axis=1)] = False
    return np.flatnonzero(keep)
