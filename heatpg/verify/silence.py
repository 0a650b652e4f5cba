"""What figures and bounds of checks are relative to, and checks that are not conclusive, with the reason.

An error is small or large beside the range of what flows: Q with the values on its faces where they count, and with
what its boundary says of the outside. Where that is 0, a constant that is added to Q is no offset: it changes u.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from heatpg.core.noise import sigma_words
from heatpg.core.report import Check
from heatpg.core.walls import extremes as extremes_of
from heatpg.core.walls import magnitude
from heatpg.store.record import Record

__all__ = ["Scale", "bound_source", "unless_silent"]


@dataclasses.dataclass(frozen=True)
class Scale:
    """What figures and bounds of checks are divided by.

    Attributes
    ----------
    size
        In the units of Q; never 0.
    words
        Its name.
    """

    size: float
    words: str

    @classmethod
    def of(cls, evolution: Record) -> Scale:
        """That of an evolution, whose offset may have been taken out.

        Examples
        --------
        >>> import numpy as np
        >>> from heatpg import Axis, Grid, Landscape
        >>> from heatpg.evolution import solve
        >>> from heatpg.verify.silence import Scale
        >>> grid = Grid(Axis("x", 0.0, 2.0, 3, boundary="zero"))
        >>> Scale.of(solve(Landscape(np.array([5.0, 7.0, 6.0]), grid), 1.0))
        Scale(size=7.0, words='osc(Q) with the outside')
        """
        landscape = evolution.landscape
        return cls.between(*extremes_of(landscape), evolution, landscape.oscillation, magnitude(landscape))

    @classmethod
    def between(cls, low: float, high: float, evolution: Record, nodes: float, largest: float) -> Scale:
        """That of a range.

        Parameters
        ----------
        low, high
            Least and largest value of Q, with faces and the outside.
        evolution
            Where Q is sampled, and what was rounded when an offset was put back.
        nodes
            Range of the nodes alone.
        largest
            Their largest absolute value.
        """
        if high <= low:
            # once it is taken out nothing is left of a constant but half the distance between numbers of its size
            eps = float(np.finfo(evolution.landscape.values.dtype).eps)
            return cls(largest or 2.0 * evolution.rounding / eps or 1.0, "the size of Q, a constant")
        if high - low <= nodes:
            return cls(high - low, "osc(Q)")
        parts = ["faces"] * any(axis.faced for axis in evolution.grid)
        parts += ["the outside"] * any(a.rule.extremes_outside(1.0, 1.0) != (1.0, 1.0) for a in evolution.grid)
        return cls(high - low, f"osc(Q) with {' and '.join(parts)}")


def bound_source(words: str, evolution: Record, scale: Scale | None = None) -> str:
    """Where a bound on values comes from, with what compact storage has left out of them, and what it is relative to.

    That is the scale of the evolution, where no other is given.

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
    return f"{words}{stored}, relative to {(scale or Scale.of(evolution)).words}"


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
        The sigmas that were checked, by their number, each with its bound in the units of Q. Two numbers in the range
        of Q, with the values outside of the box, differ by that range at most, so a bound as large rules nothing out.
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
