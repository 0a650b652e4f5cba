"""Reflect: actions reflected at the bounds (Neumann)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heatpg.boundaries import Boundary, Nodes, boundaries

__all__ = ["Reflect"]


class Reflect(Boundary):
    """Even continuation about the wall: about the end node (vertex), or half a cell beyond it (cell)."""

    name = "reflect"
    meaning = "actions reflected at the bounds (Neumann, zero flux)"
    elsewhere = (
        "scipy.ndimage 'mirror', numpy.pad 'reflect'; with nodes='cell': scipy.ndimage 'reflect', numpy.pad 'symmetric'"
    )
    conserves_mass = True

    def fold(self, index: NDArray[np.int64], size: int, nodes: Nodes) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        # Even about both walls, so the period is twice their distance: size - 1 from end node to end node, size between
        # walls that are half a cell beyond them. `last` is where index 0 comes back in the reflected half.
        period, last = (2 * size - 2, 2 * size - 2) if nodes == "vertex" else (2 * size, 2 * size - 1)
        turned = index % period
        return np.where(turned < size, turned, last - turned), np.ones(index.shape)


boundaries.add("reflect", Reflect())
