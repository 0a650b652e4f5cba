"""Zero: actions outside the box have value 0."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.boundaries import Boundary, Nodes, boundaries

__all__ = ["Zero"]


class Zero(Boundary):
    """Free space, zero outside the box.

    At a vertex end the extended function jumps, so its node takes the mean of both sides: half the end
    value. That keeps the quadrature of the box second order (trapezoid rule); cell centres need nothing.
    """

    name = "zero"
    meaning = "value 0 outside the box (free space, zero extension)"
    elsewhere = "scipy.ndimage and numpy.pad 'constant'"
    free_space = True

    def fold(self, index: NDArray[np.int64], size: int, nodes: Nodes) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        weight = ((index >= 0) & (index < size)).astype(np.float64)
        if nodes == "vertex":
            weight[(index == 0) | (index == size - 1)] = 0.5
        # outside, the weight is 0 and the source only has to be a node
        return np.clip(index, 0, size - 1), weight

    def extremes_outside(self, low: Any, high: Any) -> tuple[Any, Any]:
        # 0 is a value of the line as well, and u may come close to it
        return np.minimum(low, 0.0), np.maximum(high, 0.0)


boundaries.add("zero", Zero())
