"""Backward Euler with the 3-point Laplacian."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis
from heatpg.solvers import solvers
from heatpg.solvers.base import LineOperator, LineSolver, Path
from heatpg.solvers.lines import Line
from heatpg.solvers.stepping import check_stepping, number_of_steps, pole_of_solve, solve_rounding
from heatpg.solvers.tridiagonal import ThetaOperator

__all__ = ["Implicit"]

Array = NDArray[Any]

# Steps from which on wide noise in free space is taken for Gaussian: its density in the middle differs by 3 / 8 of the
# inverse of their number, relatively; a matter of taste.
_GAUSSIAN_STEPS = 32


@solvers.register("implicit")
@dataclasses.dataclass(frozen=True)
class Implicit(LineSolver):
    """Backward Euler along each axis: (1 - (dt / 2 h^2) D2) u_new = u, D2 u_i = u_{i-1} - 2 u_i + u_{i+1}.

    Parameters
    ----------
    steps
        Number of equal time steps from one sigma to the next.
    step
        Largest time step, in the units of sigma squared; if given, it decides instead of `steps`.

    Raises
    ------
    StabilityError
        For a step or a number of steps that is not positive.

    Notes
    -----
    Order 1 in time, 2 in space. Stable, keeps the maximum principle and creates no extrema in one dimension for
    steps of any length. One step of length v is what a Laplace policy of variance v does, on the grid.

    References
    ----------
    K. W. Morton, D. F. Mayers, *Numerical Solution of Partial Differential Equations*, 2nd ed., 2005,
    doi:10.1017/CBO9780511812248, section 2.8.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape, evolve
    >>> grid = Grid(Axis("x", 0.0, 2 * np.pi, 64, boundary="periodic"))
    >>> flow = evolve(Landscape.from_function(np.cos, grid), 0.5, solver="implicit")
    >>> bool(np.abs(flow.values[0] - np.exp(-0.125) * np.cos(grid[0].coordinates)).max() < 3e-4)
    True
    """

    steps: int = 64
    step: float | None = None

    name = "implicit"
    summary = "backward Euler, 3-point Laplacian, tridiagonal solves"
    target = "discrete"
    exact_in_time = False
    order_time = 1.0
    order_space = 2.0

    def __post_init__(self) -> None:
        check_stepping(self.steps, self.step)

    def monotone(self, axis: Axis, variance: float) -> bool:
        return True

    def keeps_extrema(self, axis: Axis, variance: float) -> bool:
        return True

    def work_steps(self, axis: Axis, start: float, stop: float) -> int:
        return number_of_steps(self.steps, self.step, stop - start)

    def at_limit(self, axis: Axis, variance: float) -> bool:
        # few steps are a noise of their own, of which one is that of Laplace: it stays what it is
        count = number_of_steps(self.steps, self.step, variance)
        if axis.rule.free_space:
            return count >= _GAUSSIAN_STEPS and super().at_limit(axis, variance)
        ratio = math.sqrt(variance / count) / axis.spacing * math.sin(0.5 * self.slowest_angle(axis))
        # 1e-17 is left of the slowest wave
        return count * math.log1p(2.0 * ratio * ratio) > -math.log(1e-17)

    def nearest_pole(self, axis: Axis, path: Path) -> float:
        return min(pole_of_solve((b - a) / self.work_steps(axis, a, b), axis) for a, b in itertools.pairwise(path))

    def rounding(self, axis: Axis, path: Path) -> float:
        return sum(
            solve_rounding(self.work_steps(axis, a, b), (b - a) / self.work_steps(axis, a, b), axis)
            for a, b in itertools.pairwise(path)
        )

    def interval_symbol(self, angle: Array, axis: Axis, start: float, stop: float) -> Array:
        count = self.work_steps(axis, start, stop)
        share = (stop - start) / count / axis.spacing**2
        # by the logarithm: a complex power whose inverse overflows would be NaN, where it is 0
        return np.asarray(np.exp(-float(count) * np.log(1.0 + share * (1.0 - np.cos(angle)))))

    def build(self, line: Line, axis: Axis, start: float, stop: float, dtype: np.dtype[Any]) -> LineOperator:
        count = self.work_steps(axis, start, stop)
        share = (stop - start) / count / axis.spacing**2 / 2.0
        return ThetaOperator(line, starts=count, start_share=share, steps=0, share=share, dtype=dtype)
