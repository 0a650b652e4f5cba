"""How well the sigma of a jump is known where u was drawn: from the scatter of groups of draws."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from heatpg.core.levels import LevelField
from heatpg.evolution import Evolution

__all__ = ["jump_error"]

Array = NDArray[np.float64]


def jump_error(evolution: Evolution, field: LevelField, sigma: float, places: Array) -> float:
    """Standard error over the draws of the sigma at which two maxima are equal: that of their lead, over its slope.

    Parameters
    ----------
    evolution
        What was drawn.
    field
        Its u between the nodes and levels.
    sigma
        Of the jump.
    places
        The two maxima there, shape (2, dimensions).

    Returns
    -------
    error
        From groups of draws, which are common to both maxima; where they are not known, as after loading, the sum of
        both standard errors, which is more.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.planes import Draws, evolve_plane
    >>> from heatpg.scalespace import track
    >>> line = Grid(Axis("x", -1.0, 5.0, 61, boundary="clip"))
    >>> def two(x, y):
    ...     return np.exp(-(x**2 + y**2) / 0.18) + 0.8 * np.exp(-((x - 4) ** 2 + y**2) / 2)
    >>> q = Landscape.from_function(two, line, dimensions=2)
    >>> space = track(evolve_plane(q, np.geomspace(0.08, 0.4, 8), Draws(count=200)), "maximum")
    >>> exact = np.sqrt(0.09 * 0.25 / (1 - 1.25 * 0.09))
    >>> bool(abs(space.sigma_jump.sigma - exact) < 4 * space.sigma_jump.uncertainty < 0.1)
    True
    """
    slope = float(np.diff(field.rates(places, sigma)[0])[0]) / sigma
    if evolution.draw_groups is not None:
        apart = [LevelField(evolution.landscape, evolution.sigmas[:, 0], group) for group in evolution.draw_groups]
        leads = np.array([float(np.diff(group.value(places, sigma))[0]) for group in apart])
        error = float(leads.std(ddof=1)) / math.sqrt(len(leads))
    elif evolution.known_error is not None:
        each = LevelField(evolution.landscape, evolution.sigmas[:, 0], np.asarray(evolution.known_error))
        error = float(np.abs(each.value(places, sigma)).sum())
    else:
        return math.inf
    return error / abs(slope) if slope else math.inf
