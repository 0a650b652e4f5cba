"""How implicit schemes cut an interval of t into equal steps."""

from __future__ import annotations

import math

from heatpg.core.grid import Axis
from heatpg.errors import StabilityError

__all__ = ["check_stepping", "number_of_steps", "pole_of_solve", "solve_rounding"]


def check_stepping(steps: int, step: float | None) -> None:
    """Refuse numbers of steps and lengths of steps that mean nothing."""
    # True is a whole number in Python, and 4.0 one that came through JSON
    if isinstance(steps, bool) or int(steps) != steps or steps < 1:
        raise StabilityError("the number of steps must be a positive whole number", given=steps, allowed="1, 2, ...")
    if step is not None and not (math.isfinite(step) and step > 0):
        raise StabilityError("the time step must be positive", given=step, allowed="step > 0")


def number_of_steps(steps: int, step: float | None, length: float) -> int:
    """Equal steps in an interval of this length, none longer than `step` if that is given.

    Examples
    --------
    >>> from heatpg.solvers.stepping import number_of_steps
    >>> number_of_steps(64, None, 1.0), number_of_steps(64, 0.3, 1.0)
    (64, 4)
    """
    # a step that divides the interval but for its rounding is not to cost one more; the relative 1e-12 is far above
    # rounding, and lengthens a step by as little
    return steps if step is None else max(1, math.ceil(length / step * (1 - 1e-12)))


def pole_of_solve(step: float, axis: Axis) -> float:
    """The y > 0 at which 1 + (step / h^2) (1 - cos(i y)) is zero: a tridiagonal solve decays like exp(-y) a node.

    Examples
    --------
    >>> from heatpg import Axis
    >>> from heatpg.solvers.stepping import pole_of_solve
    >>> round(pole_of_solve(1.0, Axis("x", 0.0, 10.0, 11, boundary="clip")), 6)  # acosh 2
    1.316958
    """
    # cos(i y) = cosh(y) = 1 + h^2 / step
    return math.acosh(1.0 + axis.spacing**2 / step)


def solve_rounding(solves: int, step: float, axis: Axis) -> float:
    """Bound on the round-off of so many tridiagonal solves of this time step, in units of eps max|Q|.

    Rounding an entry 1 + step / h^2 of the matrix moves its eigenvalue 1, which carries the mean, by as much.

    Examples
    --------
    >>> from heatpg import Axis
    >>> from heatpg.solvers.stepping import solve_rounding
    >>> solve_rounding(2, 0.5, Axis("x", 0.0, 10.0, 11, boundary="clip"))
    40.0
    """
    # 8 roundings, generously counted, for the sums and products of one row, and as many for each unit of step / h^2
    return 16.0 + solves * (8.0 + 8.0 * step / axis.spacing**2)
