"""The flow where values on the walls between cells are stated: u = S Q + sum over the walls of v F.

S and v are those of `heatpg.solvers.faces`, F what is stated in place of the values f that come from the cells. A
solver gives S Q + v f, so along an axis

    u = (S Q + v f) + v (F - f),

and nothing in a solver changes. The axes with stated walls are done one after the other, on a field that carries the
walls of those that are still to come as layers of its own: so what is said of an edge or a corner has its place.

For noise of a spacing and more, a solver that is exact in time and aims at the Gaussian convolution takes the column v
of the continuous flow (`heatpg.core.wall_flow`): a jump between the cells and the wall is then exact, and the weights
of the cells stay positive where they were. The others take the column of their own scheme, with which they keep their
promise.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.boundaries import face_values
from heatpg.core.faces import Faces
from heatpg.core.grid import Axis, Grid
from heatpg.core.wall_flow import wall_flow
from heatpg.solvers import wide
from heatpg.solvers.base import Flow, Path, Solver
from heatpg.solvers.faces import chords

__all__ = ["StatedFlow", "exact_columns", "keeps_promise", "takes_exact_columns"]

Array = NDArray[Any]


def takes_exact_columns(solver: Solver, axis: Axis, variance: float) -> bool:
    """Whether what a wall adds is that of the continuous flow, and not what the scheme makes of a jump."""
    # at their limit all solvers are exact, see `heatpg.solvers.wide`
    exact = solver.exact_in_time and solver.target == "continuous" and math.sqrt(variance) >= axis.spacing
    return exact or solver.at_limit(axis, variance)


def keeps_promise(solver: Solver, axis: Axis, variance: float) -> bool:
    """Whether cells and stated walls have positive weights wherever the solver promises it of cells.

    Below a spacing the folded weights of a solver that is exact in time fall below zero next to an absorbing wall:
    together with walls that come from the cells this leaves no trace, with others it may.
    """
    return not solver.exact_in_time or solver.target == "discrete" or takes_exact_columns(solver, axis, variance)


def exact_columns(axis: Axis, sigma: float, derivative: bool = False) -> NDArray[np.float64]:
    """What 1 on the lower and on the upper wall adds to u at the cells, or to du/dx; shape (2, size).

    Parameters
    ----------
    axis
        An axis of cells on whose walls the values count.
    sigma
        Noise along it, positive.
    derivative
        Whether du/dx is wanted.

    Examples
    --------
    >>> from heatpg import Axis
    >>> from heatpg.solvers.stated import exact_columns
    >>> exact_columns(Axis("x", 0.0, 4.0, 4, boundary="absorb", nodes="cell"), 1e3).tolist()
    [[0.875, 0.625, 0.375, 0.125], [0.125, 0.375, 0.625, 0.875]]
    """
    x = axis.length * (np.arange(axis.size) + 0.5) / axis.size
    lower = wall_flow(axis, x, np.full(axis.size, sigma), int(derivative))[0, :, -1]
    # mirrored to the bit
    return np.stack([lower, (-1.0 if derivative else 1.0) * lower[::-1]])


@functools.lru_cache(maxsize=128)
def _columns(solver: Solver, axis: Axis, variance: float, derivative: bool) -> NDArray[np.float64]:
    """What the walls add along an axis, shape (2, size): that of the continuous flow, or of the scheme."""
    if takes_exact_columns(solver, axis, variance):
        return exact_columns(axis, math.sqrt(variance), derivative)
    size = axis.size
    if axis.rule.holds_ends:
        # odd about the walls is periodic over twice the length
        chord = chords(size)
        line = Axis("x", 0.0, 2.0 * axis.length, 2 * size, boundary="periodic", nodes="cell")
        inside = _solved(solver, np.concatenate((chord, -chord[:, ::-1]), axis=1), line, variance, derivative)
        kept = np.array([[-1.0], [1.0]]) / axis.length if derivative else chord
        return np.asarray(kept - inside[:, :size])
    # a line twice as long has the wall in its middle
    half = max(size, 4)
    line = Axis("x", 0.0, (2 * half - 1) * axis.spacing, 2 * half, boundary=axis.boundary, nodes="vertex")
    step = (np.arange(2 * half) < half).astype(np.float64)
    lower = _solved(solver, step, line, variance, derivative)[half : half + size]
    return np.stack([lower, (-1.0 if derivative else 1.0) * lower[::-1]])


def _solved(solver: Solver, values: Array, axis: Axis, variance: float, derivative: bool) -> Array:
    """u, or du/dx, of lines along their last axis."""
    grid, field = Grid(axis), np.empty_like(values)
    wide.begin(solver, values, grid).advance((variance,), field)
    if not derivative:
        return field
    result = np.empty_like(values)
    wide.gradient(solver, values, field, grid, (variance,), 0, result)
    return result


class StatedFlow(Flow):
    """The flow of a solver from Q and the values that are stated on its walls.

    Parameters
    ----------
    solver
        The solver.
    values
        Q, shape (*batch, *grid.shape).
    grid
        Where it is sampled.
    faces
        What is stated of it.
    """

    def __init__(self, solver: Solver, values: Array, grid: Grid, faces: Faces) -> None:
        self.solver = solver
        self.grid = grid
        self._layered = faces.layered(values)
        self._stated = faces.positions
        self._reached = (0.0,) * grid.dimensions

    @property
    def paths(self) -> tuple[Path, ...]:
        # every sigma starts anew from Q, as it does on every axis with walls between nodes
        return tuple((0.0, reached) for reached in self._reached)

    def advance(self, variances: tuple[float, ...], out: Array) -> None:
        self._reached = variances
        out[...] = self._along_all(variances, None)

    def gradient(self, variances: tuple[float, ...], position: int, out: Array) -> None:
        """Write du/dx_i into `out`."""
        out[...] = self._along_all(variances, position)

    def _along_all(self, variances: tuple[float, ...], slope: int | None) -> Array:
        field = self._layered
        first = field.ndim - self.grid.dimensions
        others = [i for i in range(self.grid.dimensions) if i not in self._stated]
        if others:
            # the axes with stated walls are a batch to the others, with their layers
            order = [*range(first), *(first + i for i in self._stated), *(first + i for i in others)]
            grid, moved = Grid(*(self.grid[i] for i in others)), np.ascontiguousarray(field.transpose(order))
            solved = np.empty_like(moved)
            reduced = tuple(variances[i] for i in others)
            wide.begin(self.solver, moved, grid).advance(reduced, solved)
            if slope in others:
                inner = solved
                solved = np.empty_like(moved)
                wide.gradient(self.solver, moved, inner, grid, reduced, others.index(slope), solved)
            field = solved.transpose(np.argsort(order))
        for position in self._stated:
            lines = np.ascontiguousarray(np.moveaxis(field, first + position, -1))
            done = self._along_stated(lines, self.grid[position], variances[position], position == slope)
            field = np.moveaxis(done, -1, first + position)
        return field

    def _along_stated(self, lines: Array, axis: Axis, variance: float, derivative: bool) -> Array:
        """Lines of a wall, the cells and a wall, taken along themselves; the cells are left."""
        cells = np.ascontiguousarray(lines[..., 1:-1])
        if variance == 0.0 and not derivative:
            return cells
        result = _solved(self.solver, cells, axis, variance, derivative)
        if variance == 0.0:
            return result
        columns = _columns(self.solver, axis, variance, derivative).astype(lines.dtype)
        told = (lines[..., :1], lines[..., -1:])
        for column, wall, found in zip(columns, told, face_values(cells, cells.ndim - 1), strict=True):
            result += column * (wall - found)
        return result
