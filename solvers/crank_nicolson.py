"""Crank-Nicolson with the 3-point Laplacian and a Rannacher start."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis
from heatpg.errors import StabilityError
from heatpg.solvers import solvers
from heatpg.solvers.base import LineOperator, LineSolver, Path
from heatpg.solvers.lines import Line
from heatpg.solvers.stepping import check_stepping, number_of_steps, pole_of_solve, solve_rounding
from heatpg.solvers.tridiagonal import ThetaOperator

__all__ = ["CrankNicolson"]

Array = NDArray[Any]


@solvers.register("crank_nicolson")
@dataclasses.dataclass(frozen=True)
class CrankNicolson(LineSolver):
    """Trapezoidal rule along each axis: (1 - (dt / 4 h^2) D2) u_new = (1 + (dt / 4 h^2) D2) u.

    The scheme damps the shortest waves hardly at all, so jumps in Q would ring. The first `damping_steps` steps
    from t = 0 are therefore replaced by two backward Euler steps of half the length each (Rannacher start).

    Parameters
    ----------
    steps
        Number of equal time steps from one sigma to the next.
    step
        Largest time step, in the units of sigma squared; overrides `steps`.
    damping_steps
        Number of replaced steps in the first interval; 0 disables the start.

    Raises
    ------
    StabilityError
        For a step or a number of steps that is not positive, or a negative number of damping steps.

    Notes
    -----
    Order 2 in time (on rough data due to the start), 2 in space. Unconditionally stable; satisfies the maximum
    principle only for dt <= 2 h^2.

    References
    ----------
    R. Rannacher, Finite element solution of diffusion problems with irregular data, *Numer. Math.* 43, 1984,
    doi:10.1007/BF01390130.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape, evolve
    >>> grid = Grid(Axis("x", 0.0, 2 * np.pi, 64, boundary="periodic"))
    >>> flow = evolve(Landscape.from_function(np.cos, grid), 0.5, solver="crank_nicolson")
    >>> bool(np.abs(flow.values[0] - np.exp(-0.125) * np.cos(grid[0].coordinates)).max() < 1e-4)
    True
    """

    steps: int = 64
    step: float | None = None
    damping_steps: int = 2

    name = "crank_nicolson"
    summary = "trapezoidal rule, 3-point Laplacian, Rannacher start"
    target = "discrete"
    exact_in_time = False
    order_time = 2.0
    order_space = 2.0

    def __post_init__(self) -> None:
        check_stepping(self.steps, self.step)
        if self.damping_steps < 0:
            raise StabilityError("damping_steps must not be negative", given=self.damping_steps, allowed="0, 1, ...")

    def monotone(self, axis: Axis, variance: float) -> bool:
        count = number_of_steps(self.steps, self.step, variance)
        return variance / count <= 2.0 * axis.spacing**2

    def work_steps(self, axis: Axis, start: float, stop: float) -> int:
        return number_of_steps(self.steps, self.step, stop - start) + self._damped(start, stop)

    def _damped(self, start: float, stop: float) -> int:
        count = number_of_steps(self.steps, self.step, stop - start)
        return min(self.damping_steps, count) if start == 0.0 else 0

    def nearest_pole(self, axis: Axis, path: Path) -> float:
        steps = [(b - a) / number_of_steps(self.steps, self.step, b - a) for a, b in itertools.pairwise(path)]
        return min(pole_of_solve(step / 2.0, axis) for step in steps)

    def rounding(self, axis: Axis, path: Path) -> float:
        return sum(
            solve_rounding(self.work_steps(axis, a, b), (b - a) / number_of_steps(self.steps, self.step, b - a), axis)
            for a, b in itertools.pairwise(path)
        )

    def interval_symbol(self, angle: Array, axis: Axis, start: float, stop: float) -> Array:
        count, damped = number_of_steps(self.steps, self.step, stop - start), self._damped(start, stop)
        half = (stop - start) / count / axis.spacing**2 / 2.0 * (1.0 - np.cos(angle))
        return np.asarray((1.0 + half) ** (-2.0 * damped) * ((1.0 - half) / (1.0 + half)) ** (count - damped))

    def build(self, line: Line, axis: Axis, start: float, stop: float, dtype: np.dtype[Any]) -> LineOperator:
        count, damped = number_of_steps(self.steps, self.step, stop - start), self._damped(start, stop)
        share = (stop - start) / count / axis.spacing**2 / 4.0
        # a backward Euler step of half the length has the same matrix as a Crank-Nicolson step of the whole
        return ThetaOperator(line, starts=2 * damped, start_share=share, steps=count - damped, share=share, dtype=dtype)
