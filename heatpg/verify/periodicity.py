"""Whether a periodic axis holds its end twice."""

from __future__ import annotations

from heatpg.core.periodicity import repeated_ends, repeated_ends_words
from heatpg.core.report import Check
from heatpg.evolution import Evolution
from heatpg.verify import checks

__all__ = ["periodicity"]


@checks.register("periodicity")
def periodicity(evolution: Evolution, level: str = "standard") -> list[Check]:
    """Look for periodic axes whose last values are the first ones again.

    Where values stay the same next to an end (cut off at 0, or at a limit), or in a quarter of all places (steps,
    counts), equal ends are no evidence: no entry does not mean that the end is not stored twice.

    Parameters
    ----------
    evolution
        Evolution to check.
    level
        The same check is made at every level.

    Returns
    -------
    entries
        A finding for each such axis, and otherwise nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.evolution import solve
    >>> from heatpg.verify.periodicity import periodicity
    >>> grid = Grid(Axis("theta", 0.0, 2 * np.pi, 37, boundary="periodic"))
    >>> twice = Landscape(np.cos(3 * np.linspace(0.0, 2 * np.pi, 37)), grid)
    >>> [check.status for check in periodicity(solve(twice, 0.3))]
    ['finding']
    """
    landscape = evolution.landscape
    return [
        Check("periodicity", "finding", repeated_ends_words(axis))
        for axis in repeated_ends(landscape.values, landscape.grid)
    ]
