"""What a landscape is given for its values, and what it keeps of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.ownership import HandedOver, owned
from heatpg.core.scatter import checked_error, checked_returns, mean_and_error, require_mean
from heatpg.errors import OptionError
from heatpg.tools.arrays import real_array

__all__ = ["owned_values"]


def _real_floating(values: Any, what: str = "Q") -> NDArray[Any]:
    given = values.array if isinstance(values, HandedOver) else values
    array = real_array(what, given, allowed="float32, float64, integers, bool")
    # these two are kept as they are, and not copied where they lie in C order: a landscape may fill half of the memory
    kind = array.dtype if array.dtype in (np.float32, np.float64) else np.float64
    # not ascontiguousarray, which makes a line of a single number
    return np.asarray(array, dtype=kind, order="C")


def owned_values(
    values: Any, standard_error: Any, returns: Any
) -> tuple[NDArray[Any], NDArray[Any] | None, NDArray[Any] | None]:
    """Values, standard errors and returns, owned, from those that were given.

    Parameters
    ----------
    values
        Of Q; None where there are returns.
    standard_error
        Of each value, or None.
    returns
        Of each seed, of which the values are the mean, or None.

    Examples
    --------
    >>> from heatpg.core.values import owned_values
    >>> owned_values(None, None, [[0.0, 2.0], [2.0, 2.0]])[:2]
    (array([1., 2.]), array([1., 0.]))
    """
    if returns is None:
        array = _real_floating(values)
        if standard_error is None:
            return owned(array, values), None, None
        return owned(array, values), owned(checked_error(standard_error, array.shape), standard_error), None
    if standard_error is not None:
        raise OptionError(
            "returns and standard_error cannot both be given",
            advice="omit standard_error: it is computed from the returns",
        )
    told = None if values is None else _real_floating(values)
    seeds = checked_returns(returns, None if told is None else told.shape)
    mean, error = mean_and_error(seeds)
    if told is not None:
        require_mean(told, mean, seeds)
        mean = owned(told, values)
    for fresh in (mean, error):
        fresh.setflags(write=False)
    return mean, error, owned(seeds, returns)
