"""Absorb: the episode ends at the wall with the value found there (Dirichlet)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heatpg.boundaries import Boundary, Nodes, boundaries

__all__ = ["Absorb"]


class Absorb(Boundary):
    """The end values are held; relative to the chord between them the line continues as an odd function.

    With ``nodes="cell"`` the two outermost cell values are held, and the walls stand at their centres.
    """

    name = "absorb"
    meaning = "noise that reaches the wall stays there with the value of the wall (Dirichlet)"
    holds_ends = True

    def fold(self, index: NDArray[np.int64], size: int, nodes: Nodes) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        # Odd about both end nodes, which are size - 1 apart, so its period is twice that. At the ends the sign does not
        # matter: relative to the chord the line is 0 there.
        turned = index % (2 * size - 2)
        inside = turned < size
        return np.where(inside, turned, 2 * size - 2 - turned), np.where(inside, 1.0, -1.0)


boundaries.add("absorb", Absorb())
