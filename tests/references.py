"""What several tests hold solvers to, written down once, apart from the solvers."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg import Axis, Grid

Array = NDArray[Any]


def processor_seconds() -> float:
    """Of this process and of those that it has waited for: what it takes, however much else the machine does."""
    return sum(os.times()[:4])


def end_error_of_waves(angle: float, ratio: float, size: int, nodes: str) -> float:
    """Bound on what corrected ends leave of cos(k x) between mirrors, in units of it; `angle` is k h, below one.

    The slope and the third derivative on a wall are those of the cubic through four nodes, at distances x_i from it in
    spacings. With w(x) the product of x - x_i these miss w'(0) / 4! and w'''(0) / 4! of (k h)^4, and k h times that in
    the next term. Each counts twice, with the leading terms of D_1 and D_3 of `heatpg.core.kinks`, times the Gaussian
    about two walls and their images, `ratio` = sigma / h wide: one of them is felt, and one image in two boxes.
    """
    cell = nodes == "cell"
    product = np.polynomial.Polynomial.fromroots(np.arange(4) + 0.5 * cell)
    first, third = (abs(float(product.deriv(k)(0.0))) / 24.0 for k in (1, 3))
    columns = (1 / 24, 7 / 5760) if cell else (1 / 12, 1 / 720)
    each = 2.0 * (first * columns[0] + third * columns[1]) * angle**4 * (1.0 + angle)
    return float(each * 2.0 * (1.0 / (np.sqrt(2.0 * np.pi) * ratio) + 0.5 / (size - 1)))


def on_circles(values: Array, grid: Grid) -> tuple[Array, Grid]:
    """A field between mirrors as an even one on circles of twice the length, where no end is corrected.

    Batch axes and axes of other boundaries stay as they are.
    """
    axes = []
    for position, axis in enumerate(grid, values.ndim - grid.dimensions):
        if axis.boundary == "reflect":
            turned = np.flip(values, position)
            if axis.nodes == "vertex":  # nodes on the mirrors are there once
                turned = np.take(turned, range(1, axis.size - 1), axis=position)
            values = np.concatenate([values, turned], axis=position)
            size = values.shape[position]
            axis = Axis(axis.name, 0.0, size * axis.spacing, size, boundary="periodic")
        axes.append(axis)
    return values, Grid(*axes)


def flat_at_mirrors(values: Array, grid: Grid) -> Array:
    """A field whose four end nodes are equal along each axis between mirrors: no slope is found there."""
    values = values.copy()
    for position, axis in enumerate(grid, values.ndim - grid.dimensions):
        if axis.boundary == "reflect":
            lines = np.moveaxis(values, position, 0)
            count = min(4, axis.size)
            lines[:count] = lines[count - 1]
            lines[axis.size - count :] = lines[axis.size - count]
    return values


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
