"""Where a line through the optimum is broken: it jumps there, and nothing lies between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.extrema import climb
from heatpg.core.grid import Grid
from heatpg.core.sense import Sense

__all__ = ["alone", "broken", "jumps_between"]


def jumps_between(fields: Sequence[NDArray[np.float64]], grid: Grid, sense: Sense) -> list[int]:
    """After which of the fields the optimum jumps: ascent from its node on the next field ends somewhere else.

    Parameters
    ----------
    fields
        u at one sigma after the other, each of the shape of the grid.
    grid
        Where the values are.
    sense
        Which way is better: of a loss descent is followed.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.core.sense import MAXIMISE
    >>> from heatpg.plot.breaks import jumps_between
    >>> grid = Grid(Axis("x", 0, 5, 6, boundary="clip"))
    >>> drifts, jumps = np.array([0.0, 1, 3, 0, 0, 0]), np.array([0.0, 1, 3, 0, 4, 0])
    >>> jumps_between([np.array([0.0, 2, 1, 0, 0, 0]), drifts, jumps], grid, MAXIMISE)
    [1]
    """
    heights = [sense.sign * np.asarray(values) for values in fields]
    tops = [int(height.argmax()) for height in heights]
    return [
        k
        for k in range(len(fields) - 1)
        if int(climb(heights[k + 1], grid, np.array([tops[k]]))[0]) != tops[k + 1]
        # equal heights, as on a plateau, are no jump
        and heights[k + 1].flat[tops[k]] < heights[k + 1].flat[tops[k + 1]]
    ]


def broken(values: ArrayLike, after: Sequence[int]) -> NDArray[np.float64]:
    """Values with a gap (NaN) after each of these positions.

    Examples
    --------
    >>> from heatpg.plot.breaks import broken
    >>> broken([1.0, 2.0, 3.0], [1]).tolist()
    [1.0, 2.0, nan, 3.0]
    """
    return np.insert(np.asarray(values, dtype=np.float64), np.asarray(after, dtype=np.intp) + 1, np.nan)


def alone(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which values have a gap or an end on both sides: no line leads to them, so that they need a mark.

    Examples
    --------
    >>> from heatpg.plot.breaks import alone, broken
    >>> alone(broken([1.0, 2.0, 3.0], [1])).tolist()
    [False, False, False, True]
    """
    there = np.pad(np.isfinite(values), 1)
    return np.asarray(there[1:-1] & ~there[:-2] & ~there[2:])
