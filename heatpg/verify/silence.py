"""Checks that are not conclusive, with the reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from heatpg.core.noise import sigma_words
from heatpg.core.report import Check
from heatpg.core.walls import extremes as extremes_of
from heatpg.store.record import Record

__all__ = ["bound_source", "unless_silent"]


def bound_source(words: str, evolution: Record) -> str:
    """Where a bound on values comes from, with what compact storage has left out of them, and what it is relative to.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> from heatpg.evolution import Evolution, solve
    >>> from heatpg.verify.silence import bound_source
    >>> flow = solve(landscapes.ridge(size=21), 0.2)
    >>> bound_source("round-off", flow)
    'round-off, relative to osc(Q)'
    >>> bound_source("round-off", Evolution.of(flow, stored_tolerance=1e-8))
    'round-off and 1e-08 of compact storage, relative to osc(Q)'
    """
    stored = f" and {evolution.stored_tolerance:g} of compact storage" if evolution.stored_tolerance else ""
    return f"{words}{stored}, relative to osc(Q)"


def unless_silent(
    check: Check, evolution: Record, bounds: Sequence[tuple[int, float]], extremes: tuple[float, float] | None = None
) -> Check:
    """A check that has passed, or ``silent`` in its place if at some sigma it could not have failed.

    Parameters
    ----------
    check
        What was found. What has not passed is left as it is.
    evolution
        What was checked.
    bounds
        The sigmas that were looked at, by their number, each with its bound in the units of Q. Two numbers in the range
        of Q, with what lies outside of the box, differ by that range at most, so a bound as large rules nothing out.
    extremes
        Least and largest value of Q, with faces and the outside, where they are not to be looked for.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> from heatpg.core.report import Check
    >>> from heatpg.evolution import solve
    >>> from heatpg.verify.silence import unless_silent
    >>> flow, check = solve(landscapes.ridge(size=21), [0.2, 0.4]), Check("range", "passed", "as it should be")
    >>> unless_silent(check, flow, [(0, 1e-14), (1, 300.0)]).message
    'not conclusive at sigma=0.4: even an error as large as the range of Q would be within the bound'
    """
    if check.status != "passed":
        return check
    if not bounds:
        return dataclasses.replace(
            check, status="silent", message="not conclusive: there is no noise level above 0 to compare"
        )
    if extremes is None:
        extremes = extremes_of(evolution.landscape)
    low, high = extremes
    # a constant has no range, and then any bound is one on its rounding
    wide = sorted({k for k, bound in bounds if bound >= high - low > 0.0})
    if not wide:
        return check
    where = f"sigma={sigma_words(evolution.sigma[wide[0]])}"
    if len(wide) > 1:
        where = f"{len(wide)} of {len(evolution)} sigmas, the first {where}"
    if evolution.rounding >= (high - low) / 8.0:
        kind = evolution.landscape.values.dtype
        reason = f"the range of Q is too small for the precision of {kind} because of its offset; subtract the offset"
    else:
        reason = "even an error as large as the range of Q would be within the bound"
    return dataclasses.replace(check, status="silent", message=f"not conclusive at {where}: {reason}")
