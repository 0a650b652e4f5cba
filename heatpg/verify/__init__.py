"""Checks of an evolution: one family a file, each returning the entries of a report.

A check says what was measured, what it may be at most, and where that bound comes from. A solver is never its own
reference.
"""

from __future__ import annotations

from collections.abc import Callable

from heatpg.core.report import Check, Report
from heatpg.errors import CheckError, UnsupportedError
from heatpg.evolution import Evolution
from heatpg.tools.registry import Registry

__all__ = ["LEVELS", "checks", "require_promises", "verify"]

LEVELS = ("none", "standard", "full")
_FIRST = ("maximum_principle", "crosscheck", "conservation", "resolution")  # the order of a report

checks: Registry[Callable[[Evolution, str], list[Check]]] = Registry("check", "heatpg.verify")


def verify(evolution: Evolution, level: str = "standard") -> Report:
    """Check an evolution.

    Parameters
    ----------
    evolution
        What to check; nothing in it is changed.
    level
        ``none``; ``standard``: range, joint maxima, conservation, resolution, and the independent convolution at a few
        hundred points; ``full``: the independent convolution on the whole grid.

    Returns
    -------
    report
        One entry per check.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape, evolve
    >>> from heatpg.verify import verify
    >>> grid = Grid(Axis("x", -4.0, 4.0, 81, boundary="clip"))
    >>> flow = evolve(Landscape.from_function(lambda x: np.exp(-x**2), grid), [0.5, 1.0])
    >>> verify(flow, "full").passed
    True
    """
    if level not in LEVELS:
        raise UnsupportedError("unknown level of checks", given=repr(level), allowed=", ".join(LEVELS))
    if level == "none":
        return Report([], level)
    others = [name for name in checks.names() if name not in _FIRST]
    return Report([entry for name in (*_FIRST, *others) for entry in checks.get(name)(evolution, level)], level)


def require_promises(evolution: Evolution, report: Report) -> None:
    """Raise if a check failed that the solver had promised to pass.

    Raises
    ------
    CheckError
        Its attribute `evolution` holds the result, so that nothing is lost.
    """
    broken = [check for check in report.failures if check.promised]
    if broken:
        error = CheckError(
            f"the solver {evolution.solver.name!r} broke its promise",
            given="; ".join(f"{check.name}: {check.message}" for check in broken),
            advice="this is a fault of heatpg: please report it with the landscape and the sigmas; "
            "the fields are in the attribute 'evolution' of this error",
        )
        error.evolution = evolution
        raise error
