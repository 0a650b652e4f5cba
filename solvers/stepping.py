"""How implicit schemes cut an interval of t into equal steps."""

from __future__ import annotations

import math

from heatpg.errors import StabilityError

__all__ = ["check_stepping", "number_of_steps"]


def check_stepping(steps: int, step: float | None) -> None:
    """Refuse numbers of steps and lengths of steps that mean nothing."""
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
    return steps if step is None else max(1, math.ceil(length / step * (1 - 1e-12)))
