"""Clip: a Gaussian policy whose actions are clipped to the box, as Gymnasium's ClipAction does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heatpg.boundaries import Boundary, Nodes, boundaries

__all__ = ["Clip"]


class Clip(Boundary):
    """Free space, continued by the constant edge values: of the end nodes, or of the faces of the end cells."""

    name = "clip"
    meaning = "Gaussian policy, actions clipped to the box (free space, edge values continue)"
    elsewhere = "scipy.ndimage 'nearest', numpy.pad 'edge'"
    free_space = True
    uses_walls = True

    def fold(self, index: NDArray[np.int64], size: int, nodes: Nodes) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        # every action outside the box is played as the action at its edge, and earns the same
        source = np.clip(index, 0, size - 1)
        return source, np.ones(index.shape) if nodes == "vertex" else (source == index).astype(np.float64)

    def face(self, index: NDArray[np.int64], size: int) -> NDArray[np.float64]:
        return np.stack([index < 0, index >= size], axis=-1).astype(np.float64)


boundaries.add("clip", Clip())
