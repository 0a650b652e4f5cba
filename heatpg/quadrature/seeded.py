"""Functions that are means over seeds, such as returns of rollouts: their error has a second source besides the noise.

Every point has the same seeds, so noise z_i and seed s are two factors of a crossed design, and of the mean over both

    Var = V_noise / N + V_seed / S + V_both / (N S).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from heatpg.errors import GridError
from heatpg.tools.arrays import real_array

__all__ = ["Recorded", "Seeded", "crossed_error", "is_seeded"]

Array = NDArray[np.float64]


class Seeded(Protocol):
    """A function of points that also tells what every seed gives."""

    def returns(self, points: Array) -> Array:
        """One number for each of N points, shape (N, d), and each of S seeds: shape (N, S)."""


def is_seeded(function: object) -> TypeGuard[Seeded]:
    """Whether a function tells what every seed gives."""
    return callable(getattr(function, "returns", None))


class Recorded:
    """Remembers what every seed gave, so that the same can be computed for each seed without evaluating anything twice.

    Parameters
    ----------
    function
        Its ``returns(points)`` is called once for each set of points.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.quadrature.seeded import Recorded
    >>> class Noisy:
    ...     def returns(self, points):
    ...         return points + np.array([[-1.0, 1.0]])
    >>> kept = Recorded(Noisy())
    >>> kept.mean(np.array([[3.0]])), kept.of_seed(1)(np.array([[3.0]])), kept.seeds
    (array([3.]), array([4.]), 2)
    """

    def __init__(self, function: Seeded) -> None:
        self._function = function
        self._kept: dict[bytes, Array] = {}
        self.seeds = 1

    def _returns(self, points: Array) -> Array:
        # by content, so that it does not matter who asks, and in which order
        key = hashlib.sha256(np.ascontiguousarray(points).tobytes()).digest()
        if key not in self._kept:
            found: Any = real_array("the result of the function", self._function.returns(points), GridError)
            if found.ndim != 2 or len(found) != len(points) or not found.shape[1]:
                raise GridError(
                    "returns of seeds have the wrong shape",
                    given=f"shape {found.shape}",
                    allowed=f"({len(points)}, seeds)",
                )
            self._kept[key] = found.astype(np.float64)
            self.seeds = found.shape[1]
        return self._kept[key]

    def mean(self, points: Array) -> Array:
        """Mean over the seeds, shape (N,)."""
        return np.asarray(self._returns(points).mean(axis=1))

    def of_seed(self, number: int) -> Callable[[Array], Array]:
        """The function of the seed with this place."""
        return lambda points: self._returns(points)[:, number]


def crossed_error(error: Array, values: Array, errors: Array) -> Array:
    """Standard error of a mean over noise and seeds, from that of the noise and from the estimates of each seed.

    The scatter over the noise holds V_noise / N + V_both / (N S), that over the seeds V_seed / S + V_both / (N S); what
    is in both is counted once.

    Parameters
    ----------
    error
        Standard error over the noise of the mean over the seeds.
    values, errors
        The estimate of every seed and its standard error over the same noise, seeds along the first axis.

    Examples
    --------
    Without noise the scatter of the seeds is left, without seeds that of the noise:

    >>> import numpy as np
    >>> from heatpg.quadrature.seeded import crossed_error
    >>> float(crossed_error(np.array(0.0), np.array([1.0, 3.0]), np.zeros(2)))
    1.0
    >>> float(crossed_error(np.array(0.5), np.array([2.0, 2.0]), np.array([0.5, 0.5])))
    0.5
    """
    count = len(values)
    if count < 2:
        return error
    # the errors of single seeds hold (V_noise + V_both) / N, so that their excess is V_both / N (1 - 1 / S)
    both = (np.mean(errors**2, axis=0) - error**2) / (count - 1)
    total = error**2 + values.var(axis=0, ddof=1) / count - both
    # each of the three is an estimate, and a difference of estimates may be too small, even negative
    return np.asarray(np.sqrt(np.maximum(total, error**2)))
