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


def face_rows(size: int) -> Array:
    """The values on both walls of a line of cells, by Lagrange's polynomial through the four (three) next to it."""
    count = min(4, size)
    places = np.arange(count) + 0.5
    near = [np.prod([-b / (a - b) for b in places if b != a]) for a in places]
    rows = np.zeros((2, size))
    rows[0, :count], rows[1, size - count :] = near, near[::-1]
    return rows


def weights_of_cells_and_walls(matrix: Array) -> Array:
    """Weights of the cells, and of the values on both walls in two more columns, that give the rows of a matrix.

    As much as possible is put down to the walls: the rest of the cells whose weight there is positive stays so.
    """
    cells = matrix.copy()
    columns = []
    for row in face_rows(len(matrix)):
        wall = np.clip((cells[:, row > 0] / row[row > 0]).min(axis=1), 0.0, None)
        cells = cells - np.outer(wall, row)
        columns.append(wall)
    return np.column_stack([cells, *columns])


def half_laplacian(axis: Axis, padding: int) -> tuple[Array, Array]:
    """A = D2 / 2 on the line (padded in free space), row by row, and the continuation of the nodes onto it.

    Where cells are held between walls, the two values on them are two more rows, which do not change.
    """
    if axis.boundary == "absorb" and axis.nodes == "cell":
        size = axis.size
        matrix = np.zeros((size + 2, size + 2))
        for i in range(size):
            for j in (i - 1, i + 1):
                matrix[i, i] -= 0.5
                if 0 <= j < size:
                    matrix[i, j] += 0.5
                else:  # beyond a wall the value is 2 f - u
                    matrix[i, i] -= 0.5
                    matrix[i, size if j < 0 else size + 1] += 1.0
        return matrix, np.concatenate([np.eye(size), face_rows(size)])
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
        if axis.boundary == "clip" and axis.nodes == "cell" and not 0 <= node < size:
            continuation[i] = face_rows(size)[0 if node < 0 else 1]
        elif 0 <= node < size or axis.boundary == "clip":
            halved = axis.boundary == "zero" and axis.nodes == "vertex" and node in (0, size - 1)
            continuation[i, min(max(node, 0), size - 1)] = 0.5 if halved else 1.0
    return matrix, continuation


def slope(steps: list[float], errors: list[float]) -> float:
    """Order of convergence by regression in the logarithms; what it rests on is printed for a failing test."""
    fitted = float(np.polyfit(np.log(steps), np.log(errors), 1)[0])
    print("steps", steps, "errors", errors, "order", fitted)
    return fitted
