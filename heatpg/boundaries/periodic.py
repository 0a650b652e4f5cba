"""Periodic: angles, wrapped."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heatpg.boundaries import Boundary, Nodes, boundaries

__all__ = ["Periodic"]


class Periodic(Boundary):
    """The line closes on itself: extended[i] = line[i mod n]."""

    name = "periodic"
    meaning = "angles, wrapped"
    elsewhere = "scipy.ndimage and numpy.pad 'wrap'"
    conserves_mass = True
    periodic = True

    def fold(self, index: NDArray[np.int64], size: int, nodes: Nodes) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        # the remainder has the sign of the divisor, so indices below 0 wrap as well
        return index % size, np.ones(index.shape)


boundaries.add("periodic", Periodic())
