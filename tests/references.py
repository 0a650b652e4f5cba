"""What several tests hold solvers to, written down once, apart from the solvers."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg import Axis

Array = NDArray[Any]


def processor_seconds() -> float:
    """Of this process and of those that it has waited for: what it takes, however much else the machine does."""
    return sum(os.times()[:4])


def half_laplacian(axis: Axis, padding: int) -> tuple[Array, Array]:
    """A = D2 / 2 on the line (padded in free space), row by row, and the continuation of the nodes onto it."""
    size, free = axis.size, axis.boundary in ("clip", "zero")
    rows = size + 2 * padding * free
    matrix = np.zeros((rows, rows))
    for i in range(rows):
        matrix[i, i] -= 1.0
        for j in (i - 1, i + 1):
            if axis.boundary == "periodic":
                j %= rows
            elif not 0 <= j < rows:
                j = i if free or axis.nodes == "cell" else (1 if j < 0 else rows - 2)
            matrix[i, j] += 0.5
    if axis.boundary == "absorb":
        matrix[[0, -1]] = 0.0
    continuation = np.zeros((rows, size))
    for i in range(rows):
        node = i - padding * free
        if 0 <= node < size or axis.boundary == "clip":
            halved = axis.boundary == "zero" and axis.nodes == "vertex" and node in (0, size - 1)
            continuation[i, min(max(node, 0), size - 1)] = 0.5 if halved else 1.0
    return matrix, continuation


def slope(steps: list[float], errors: list[float]) -> float:
    """Order of convergence by regression in the logarithms; what it rests on is printed for a failing test."""
    fitted = float(np.polyfit(np.log(steps), np.log(errors), 1)[0])
    print("steps", steps, "errors", errors, "order", fitted)
    return fitted
