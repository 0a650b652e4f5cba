"""Checks of an evolution: one family a file, each returning the entries of a report.

A check says what was measured, what it may be at most, and where that bound comes from. A solver is never its own
reference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from heatpg.core.landscape import Landscape
from heatpg.core.report import Check, Report
from heatpg.errors import CheckError, OptionError
from heatpg.evolution import Evolution
from heatpg.solvers import Solver
from heatpg.tools.calls import checked_call
from heatpg.tools.registry import Registry
from heatpg.tools.resources import require_memory, within_memory
from heatpg.tools.warn import warn_caller

__all__ = ["LEVELS", "Judged", "checks", "fields_of_checks", "judge", "require_memory_for_checks", "verify"]

LEVELS = ("none", "standard", "full")
# fields in double precision that the checks hold at once; measured in the tests
_FIELDS_OF_CHECKS = {"none": 0, "standard": 4, "full": 9}
_FIELDS_OF_LINES = {
    "none": 0,
    "standard": 9,
    "full": 9,
}  # what is taken a piece at a time is a part of a line, not a row
_FIRST = ("maximum_principle", "crosscheck", "edge", "conservation", "resolution")  # the order of a report

_DRAWN = ("drawn", "slice")  # of fields that no solver makes from Q on the grid

checks: Registry[Callable[[Evolution, str], list[Check]]] = Registry("check", "heatpg.verify")


@checked_call()
def verify(evolution: Evolution, level: str = "standard") -> Report:
    """Check an evolution.

    Parameters
    ----------
    evolution
        Evolution to check; it is not changed.
    level
        ``none``; ``standard``: range, joint maxima, conservation, resolution, and the independent convolution at a few
        hundred points; ``full``: the independent convolution on the whole grid, and an estimate of the error at the
        edge of the box.

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
        raise OptionError("unknown value of checks=", given=repr(level), allowed=", ".join(LEVELS))
    if level == "none":
        return Report([], level)
    if evolution.drawn is not None:
        # no heat equation in the plane, and no solver whose promises could be held
        return Report([entry for name in _DRAWN for entry in checks.get(name)(evolution, level)], level)
    # a bound on round-off relative to an offset would hide what is wrong with the rest
    evolution = evolution.without_offset()
    # checks that a plug-in or a user has registered come after the own ones
    others = [name for name in checks.names() if name not in _FIRST]
    with within_memory(f"a check of {evolution.landscape.values.size:,} points", "use checks='standard' or 'none'"):
        return Report([entry for name in (*_FIRST, *others) for entry in checks.get(name)(evolution, level)], level)


def fields_of_checks(level: str, dimensions: int) -> int:
    """How many fields in double precision the checks hold at once, at most."""
    return (_FIELDS_OF_LINES if dimensions == 1 else _FIELDS_OF_CHECKS)[level]


def require_memory_for_checks(landscape: Landscape, count: int, level: str) -> None:
    """Refuse checks that exceed the memory next to the fields; before these are solved.

    Parameters
    ----------
    landscape
        What is to be evolved.
    count
        Number of sigmas.
    level
        As of `verify`.

    Raises
    ------
    ResourceError
        With the estimate.
    """
    size = landscape.values.size
    require_memory(
        count * landscape.values.nbytes + fields_of_checks(level, landscape.grid.dimensions) * 8.0 * size,
        f"checking {size:,} points at {count} sigmas with checks={level!r}",
        "use checks='standard' or 'none', fewer noise levels at a time, a coarser grid, or float32 values",
    )


class Judged(Protocol):
    """What there is a report on: an evolution, in memory or not."""

    @property
    def solver(self) -> Solver:
        """The solver that it came of."""
        ...

    @property
    def report(self) -> Report:
        """The report."""
        ...


def judge(result: Judged, *, fields: object = "the attribute 'evolution' of this error", warns: bool = True) -> None:
    """Raise if a check failed that the solver guarantees to pass, and warn of every other failed check.

    Parameters
    ----------
    result
        What was checked.
    fields
        Where the fields are, so that nothing is lost.
    warns
        Whether there are warnings; of several processes one is enough.

    Raises
    ------
    CheckError
        Its attribute `evolution` holds the result.

    Warns
    -----
    HeatpgWarning
        If another check failed.
    """
    # an error ends the call, so all broken promises are told in one; the result goes with it
    broken = [check for check in result.report.failures if check.promised]
    if broken:
        own = type(result.solver).__module__.split(".")[0] == "heatpg"
        what = (
            "this is a bug in heatpg; please report it with the landscape and the noise levels"
            if own
            else f"correct the solver, or what {type(result.solver).__name__} declares (see the page about new solvers)"
        )
        error = CheckError(
            f"the solver {result.solver.name!r} violates a property that it guarantees",
            given="; ".join(f"{check.name}: {check.message}" for check in broken),
            advice=f"{what}. The fields are in {fields}",
        )
        error.evolution = result
        raise error
    for failure in result.report.failures if warns else ():
        warn_caller(
            f"{failure.name}: {failure.message}; print the report for the location, and try solver='auto' with "
            f"prefer='monotone'"
        )
