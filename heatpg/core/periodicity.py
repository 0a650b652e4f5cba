"""Periodic axes whose end was stored twice: the last node of the data is the first one again.

Equal ends alone prove nothing: a function that is even about the ends has them too. They count where the line is
smoother without the second one, or has no such symmetry. Where values do not change next to an end, as where data are
cut off at 0 there, or in a quarter of all places, one more equal value is no evidence either way, and nothing is told.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis, Grid

__all__ = ["repeated_ends", "repeated_ends_words"]

Array = NDArray[Any]

_FEWEST = 6  # nodes: with one less, three nodes at one end still are not those at the other
_ROUNDINGS = 32.0  # of the largest value: a handful of operations for the value at one end and at the other
_CLOSER = 2.0  # a taste: of a smooth line one way fits to h^2 and the other not at all, of noise none does
_COMMON = 0.25  # of neighbours that are equal: steps, counts and flat stretches, where equal ends are no surprise


def repeated_ends(values: Array, grid: Grid) -> list[Axis]:
    """The periodic axes along which the first hyperplane of the values comes once more as the last one.

    Parameters
    ----------
    values
        Shape (*batch, *grid.shape).
    grid
        Where they are sampled.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.core.periodicity import repeated_ends
    >>> grid = Grid(Axis("theta", 0.0, 2 * np.pi, 37, boundary="periodic"))
    >>> [axis.name for axis in repeated_ends(np.cos(3 * np.linspace(0.0, 2 * np.pi, 37)), grid)]
    ['theta']
    >>> repeated_ends(np.cos(3 * grid[0].coordinates), grid)
    []
    """
    first = values.ndim - grid.dimensions
    return [
        axis
        for position, axis in enumerate(grid)
        if axis.rule.periodic and axis.size >= _FEWEST and _repeats(np.moveaxis(values, first + position, 0), axis)
    ]


def _repeats(planes: Array, axis: Axis) -> bool:
    size = axis.size
    eps = float(np.finfo(planes.dtype).eps)
    # half of the difference, because that of two large numbers may overflow
    largest = max(float(np.abs(planes[i]).max()) for i in (0, 1, -1))
    step = 2.0 * float(np.abs(0.5 * planes[1] - 0.5 * planes[0]).max())
    # the position of the end is rounded as well, which moves a value by its slope
    where = max(abs(axis.lower), abs(axis.upper)) / axis.spacing
    allowed = eps * (_ROUNDINGS * largest + 4.0 * where * step)
    if 2.0 * float(np.abs(0.5 * planes[-1] - 0.5 * planes[0]).max()) > allowed:
        return False
    # flat at the ends, or in many places: nothing to be told by
    between = [float(np.abs(planes[i + 1] - planes[i]).max()) for i in range(size - 1)]
    equal = [change <= allowed for change in between]
    if equal[0] or equal[-1] or sum(equal) > _COMMON * len(equal):
        return False
    scale = max(float(np.abs(planes).max()), float(np.finfo(planes.dtype).tiny))
    even = math.sqrt(eps) * max(between)
    if any(float(np.abs(planes[i] - planes[size - 1 - i]).max()) > even for i in range(size // 2)):
        return True
    # Even about the ends, so that their values agree either way. With x counted from the line of symmetry these nodes
    # stand at h/2, 3h/2, 5h/2, or at 0, h, 2h if the end is stored twice; the second differences tell.
    first, second, third = (planes[i].astype(np.float64) / scale for i in range(3))
    change, next_one = second - first, third - 2.0 * second + first
    once, twice = (float(np.linalg.norm(factor * change - next_one)) for factor in (1.0, 2.0))
    return _CLOSER * twice < once


def repeated_ends_words(axis: Axis) -> str:
    """What is wrong with such an axis, and what it should be."""
    last = axis.upper - axis.spacing
    return (
        f"the first and last values along the periodic axis {axis.name!r} are equal, so the end of the period is "
        f"probably stored twice; omit the last values, as np.linspace(..., {axis.size - 1}, endpoint=False) does: "
        f"{axis.size - 1} nodes, "
        f"upper={axis.upper:.10g} if the period ends there, or {last:.10g} if it ends at the last node"
    )
