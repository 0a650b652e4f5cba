"""How far samples are from what they should average to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["MOST_ERRORS", "standard_errors"]

MOST_ERRORS = 4.5
"""Standard errors that a mean of samples may be off: one in 150,000 by chance."""


def standard_errors(samples: NDArray[Any], expected: ArrayLike) -> float:
    """Largest distance of the means of samples, along the first axis, from what is expected, in standard errors.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.claims._statistics import standard_errors
    >>> round(standard_errors(np.array([0.0, 1.0, 2.0, 1.0]), 1.5), 3)
    1.225
    """
    # of the mean: the deviation of one sample over the root of their number
    errors = samples.std(axis=0, ddof=1) / math.sqrt(len(samples))
    return float((np.abs(samples.mean(axis=0) - expected) / errors).max())
