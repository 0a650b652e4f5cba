"""Arguments of figures, checked: an evolution, an axis, some of its noise levels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Grid
from heatpg.errors import GridError, SigmaError
from heatpg.evolution import Evolution

__all__ = [
    "chosen_axis",
    "chosen_level",
    "noise_levels",
    "shown_sigmas",
    "through_optimum",
]

Array = NDArray[Any]


def chosen_axis(grid: Grid, axis: int | str) -> int:
    """Number of an axis that was named, or numbered as in a list."""
    if isinstance(axis, str):
        return grid.index(axis)
    whole = isinstance(axis, int | np.integer) and not isinstance(axis, bool)
    if not whole or not -grid.dimensions <= axis < grid.dimensions:
        raise GridError(
            "axis is out of range" if whole else "an axis is chosen by name or number",
            given=axis,
            allowed=", ".join(f"{i} ({each.name})" for i, each in enumerate(grid)),
        )
    # counted from the end where negative, as in a list
    return axis % grid.dimensions


def chosen_level(evolution: Evolution, index: int) -> int:
    """Number of a stored sigma, counted from the end where negative."""
    if not -len(evolution) <= index < len(evolution):
        raise SigmaError("index of the noise level is out of range", given=index, allowed=f"0 to {len(evolution) - 1}")
    return index % len(evolution)


def through_optimum(values: Array, center: tuple[int, ...], position: int) -> Array:
    """The line of a field along one axis through a node."""
    # all nodes along one axis, one node along the others
    line = tuple(slice(None) if i == position else k for i, k in enumerate(center))
    return np.asarray(values[line])


def shown_sigmas(evolution: Evolution, most: int = 3) -> list[int]:
    """Some of the stored noise levels, the first and the last among them, without sigma = 0."""
    # sigma = 0 is Q itself, which the figures draw anyway
    stored = [k for k, row in enumerate(evolution.sigmas) if row.any()]
    if not stored:
        return [0]
    # evenly over the stored levels and not over sigma: those who chose them put them where they matter
    places = np.linspace(0, len(stored) - 1, min(most, len(stored)))
    return [stored[round(place)] for place in places]


def noise_levels(evolution: Evolution) -> tuple[NDArray[np.float64], int | None]:
    """One number for each stored noise level; where each axis has its own sigma, that of which axis it is.

    It is the first axis whose sigma changes.
    """
    columns = evolution.sigmas
    # an axis whose sigma is held, at 0 for one, tells no two levels apart
    changing = np.flatnonzero(np.ptp(columns, axis=0) > 0)
    column = int(changing[0]) if len(changing) else 0
    return columns[:, column], None if evolution.sigma.ndim == 1 else column
