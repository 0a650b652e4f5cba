"""Extrema of samples around a circle, which has no ends at which one could be lost."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["extrema_around"]


def extrema_around(line: NDArray[Any], least: float) -> int:
    """How often the slope changes sign around a circle; every second change is a maximum.

    Parameters
    ----------
    line
        Samples, the last of which is a neighbour of the first.
    least
        Differences of neighbours up to this are round-off, and left out.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.claims._circles import extrema_around
    >>> extrema_around(np.cos(2.0 * np.pi * np.arange(16) / 8), 1e-12)
    4
    """
    # around the circle: the last sample has the first as its neighbour
    slopes = np.diff(np.append(line, line[0]))
    # plateaus are left out, so that a flat top counts as one maximum
    signs = np.sign(slopes[np.abs(slopes) > least])
    return int((signs != np.roll(signs, 1)).sum())
