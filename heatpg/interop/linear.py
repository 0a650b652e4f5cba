"""Smoothing as a linear map with its adjoint and its derivative in sigma, which automatic differentiation asks for."""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.core.positions import grid_of_nodes
from heatpg.errors import MissingPackageError, SigmaError
from heatpg.evolution import solve
from heatpg.interop.smoothing import Name, _Axes, _chosen
from heatpg.solvers import Solver, make
from heatpg.solvers.choice import choose
from heatpg.solvers.uncertainty import weights_of_nodes

__all__ = ["Smoothing", "package"]

Array = NDArray[Any]

# f'(x) h = sum c_k (f(x + k h) - f(x - k h)) + h^9 f^(9) / 630, exact for polynomials up to degree 8
_DIFFERENCES = (4 / 5, -1 / 5, 4 / 105, -1 / 280)
# of sigma, so that a change of scheme is felt no farther than 2 % away. The fields are analytic in log sigma: the error
# is below 1e-15 of u, and that of rounding some 1e-13
_STEP = 0.005


@dataclasses.dataclass(frozen=True)
class Smoothing:
    """u = A(sigma) Q for arrays of one shape: what `heatpg.smooth` computes, A^T, and du / dsigma.

    A is the matrix of the solver, its corrections at the walls included, so that A^T is its transpose up to rounding
    and not another approximation of the adjoint. It is made of the weights along each axis, in time and memory of
    n^2 for n nodes. The derivative is a difference of eighth order of the solver's own fields; d/dsigma of the flow
    itself is sigma times the Laplacian.

    Parameters
    ----------
    shape
        Of the array that is smoothed.
    boundary, spacing, nodes, axes, solver
        As of `heatpg.smooth`.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.interop.linear import Smoothing
    >>> smoothing = Smoothing((40,), "clip")
    >>> rng = np.random.default_rng(0)
    >>> q, g = rng.standard_normal((2, 40))
    >>> u, back = smoothing.value(q, 2.0), smoothing.adjoint(g, 2.0)
    >>> bool(abs(u @ g - q @ back) < 1e-13)
    True
    """

    shape: tuple[int, ...]
    boundary: str | Sequence[str] | Mapping[Name, str]
    spacing: float | Sequence[float] | Mapping[Name, float] = 1.0
    nodes: str | Sequence[str] | Mapping[Name, str] = "vertex"
    axes: Name | Sequence[Name] | None = None
    solver: str | Solver = "auto"

    def _grid(self) -> tuple[list[int], Grid]:
        chosen = _chosen(self.axes, None, len(self.shape))
        each = _Axes(None, len(self.shape), chosen)
        spacing = each.named("spacing", self.spacing)
        return chosen, grid_of_nodes(
            tuple(self.shape[i] for i in chosen),
            boundary=each.named("boundary", self.boundary),
            spacing=list(spacing.values()) if isinstance(self.spacing, Mapping) else spacing,
            nodes=each.named("nodes", self.nodes),
        )

    def _levels(self, sigma: Any, grid: Grid) -> tuple[Array, bool]:
        """One row per level, one column per axis, and whether it is a single number."""
        numbers = np.asarray(sigma, dtype=np.float64)
        wanted = numbers.ndim <= 1 or (numbers.ndim == 2 and numbers.shape[1] == grid.dimensions)
        if not wanted or not np.isfinite(numbers).all() or (numbers < 0).any():
            raise SigmaError(
                "sigma must be non-negative numbers",
                given=f"shape {numbers.shape}, smallest {numbers.min(initial=math.inf):g}",
                allowed=f"a number >= 0, an array of T numbers, or an array of shape (T, {grid.dimensions})",
            )
        rows = numbers.reshape(-1, 1) if numbers.ndim < 2 else numbers
        return np.broadcast_to(rows, (len(rows), grid.dimensions)), numbers.ndim == 0

    def _chosen_solver(self, grid: Grid, levels: Array) -> Solver:
        """One solver for all levels and for what is near them, or a difference would be one of solvers."""
        if self.solver != "auto":
            return make(self.solver) if isinstance(self.solver, str) else self.solver
        return choose(grid, [tuple(float(s) ** 2 for s in row) for row in levels])[0]

    def _solved(self, values: Array, chosen: list[int], grid: Grid, solver: Solver, row: Array) -> Array:
        """u at one level, as an array of the shape of the values."""
        last = range(len(self.shape) - len(chosen), len(self.shape))
        landscape = Landscape(np.moveaxis(values, chosen, last), grid, "values")
        return np.moveaxis(solve(landscape, row[None, :], solver).values[0], last, chosen)

    def value(self, values: Array, sigma: Any) -> Array:
        """u, of the shape of the values, or (T, *shape) for T levels."""
        chosen, grid = self._grid()
        levels, single = self._levels(sigma, grid)
        solver = self._chosen_solver(grid, levels)
        fields = [self._solved(values, chosen, grid, solver, row) for row in levels]
        return fields[0] if single else np.stack(fields)

    def adjoint(self, cotangent: Array, sigma: Any) -> Array:
        """A^T g, of the shape of the values, summed over the levels: sum_k A(sigma_k)^T g_k."""
        chosen, grid = self._grid()
        levels, single = self._levels(sigma, grid)
        solver = self._chosen_solver(grid, levels)
        result = np.zeros(self.shape)
        for row, part in zip(levels, cotangent[None] if single else cotangent, strict=True):
            back = np.asarray(part, dtype=np.float64)
            for i, axis, level in zip(chosen, grid, row, strict=True):
                if level > 0:
                    back = _transposed(back, i, axis, solver, float(level))
            result += back
        return result

    def derivative(self, values: Array, sigma: Any) -> Array:
        """du / dsigma, of the shape of u; for rows of sigma with one more axis, the last, for the axes of the grid."""
        chosen, grid = self._grid()
        levels, single = self._levels(sigma, grid)
        solver = self._chosen_solver(grid, levels)
        shared = np.ndim(sigma) < 2
        fields = []
        for row in levels:
            # of all axes together, or of one after the other
            moved = [row] if shared else [np.where(np.arange(len(row)) == i, row, 0.0) for i in range(len(row))]
            parts = [self._difference(values, chosen, grid, solver, row, step) for step in moved]
            fields.append(parts[0] if shared else np.stack(parts, axis=-1))
        return fields[0] if single else np.stack(fields)

    def _difference(
        self, values: Array, chosen: list[int], grid: Grid, solver: Solver, row: Array, moved: Array
    ) -> Array:
        """The derivative along a row of sigmas that grows in one proportion; 0 where there is no noise."""
        slope = np.zeros(self.shape)
        size = float(moved.max())
        if size == 0.0:
            return slope
        for k, weight in enumerate(_DIFFERENCES, start=1):
            above, below = (
                self._solved(values, chosen, grid, solver, row + sign * k * _STEP * moved) for sign in (1.0, -1.0)
            )
            slope += weight * (above.astype(np.float64) - below)
        return slope / (_STEP * size)


def package(name: str) -> Any:
    """The package whose arrays are smoothed, imported when it is needed.

    Raises
    ------
    MissingPackageError
        Where it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as reason:
        raise MissingPackageError(
            f"{name} is not installed", given=str(reason), advice=f"pip install {name}, or use heatpg.smooth for arrays"
        ) from reason


def _transposed(array: Array, position: int, axis: Axis, solver: Solver, sigma: float) -> Array:
    """The transpose of the weights along one axis, which are the answers to unit vectors."""
    lines = np.moveaxis(array, position, -1)
    flat = np.ascontiguousarray(lines).reshape(-1, axis.size)
    result = np.empty(flat.shape)
    for _, nodes, weights in weights_of_nodes(axis, solver, np.array([sigma**2])):
        result[:, nodes] = flat @ weights.T
    return np.moveaxis(result.reshape(lines.shape), -1, position)
