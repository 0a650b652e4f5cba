"""Clip: a Gaussian policy whose actions are clipped to the box, as Gymnasium's ClipAction does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heatpg.boundaries import Boundary, Nodes, boundaries

__all__ = ["Clip"]


class Clip(Boundary):
    """Free space, where the edge values continue for ever."""

    name = "clip"
    meaning = "Gaussian policy, actions clipped to the box (free space, edge values continue)"
    free_space = True

    def fold(self, index: NDArray[np.int64], size: int, nodes: Nodes) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        # every action outside the box is played as the action at its edge, and earns the same
        return np.clip(index, 0, size - 1), np.ones(index.shape)


boundaries.add("clip", Clip())
