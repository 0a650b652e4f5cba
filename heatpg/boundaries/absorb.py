"""Absorb: the episode ends at the edge with the value there (Dirichlet)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heatpg.boundaries import Boundary, Nodes, boundaries

__all__ = ["Absorb"]


class Absorb(Boundary):
    """The edge values are fixed; relative to the chord between them the line is continued as an odd function.

    The walls are at the end nodes, or with ``nodes="cell"`` on the outer faces of the end cells.
    """

    name = "absorb"
    meaning = "noise is a Brownian path that stops at the edge (Dirichlet, values of Q on the edge held)"
    holds_ends = True
    uses_walls = True

    def fold(self, index: NDArray[np.int64], size: int, nodes: Nodes) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        # Odd about both walls, so the period is twice their distance: size - 1 from end node to end node, size from
        # face to face. At end nodes the sign does not matter: relative to the chord the line is 0 there.
        period, last = (2 * size - 2, 2 * size - 2) if nodes == "vertex" else (2 * size, 2 * size - 1)
        turned = index % period
        inside = turned < size
        return np.where(inside, turned, last - turned), np.where(inside, 1.0, -1.0)

    def face(self, index: NDArray[np.int64], size: int) -> NDArray[np.float64]:
        source, sign = self.fold(index, size, "cell")
        # the chord goes straight on, and what is folded is without it; the nodes themselves have it already
        rising = ((index + 0.5) - sign * (source + 0.5)) / size
        return np.stack([1.0 - sign - rising, rising], axis=-1)


boundaries.add("absorb", Absorb())
