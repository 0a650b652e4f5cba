"""Whose memory an array is: what comes from outside is copied once, what heatpg has made itself is kept.

A landscape that changed after it was solved would have fields, and a report, that are not its own. That an array cannot
be written to says nothing: it may be a view of memory that somebody else writes to, or be unlocked again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["HandedOver", "handed_over", "owned"]


class HandedOver:
    """An array whose memory heatpg has made, and which nobody else writes to: it is kept without a copy.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.core.ownership import HandedOver, owned
    >>> array = np.zeros(3)
    >>> owned(array, HandedOver(array)) is array, owned(array, array) is array
    (True, False)
    """

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.array, dtype=dtype, copy=copy)


def handed_over(array: NDArray[Any] | None) -> HandedOver | None:
    """An array that nobody else writes to, or nothing where there is none."""
    return None if array is None else HandedOver(array)


def owned(array: NDArray[Any], given: object) -> NDArray[Any]:
    """A read-only copy of an array.

    Parameters
    ----------
    array
        What was made of `given`, which may be the same memory.
    given
        What the caller gave. Only where it was handed over, or the array has been converted from it, there is no copy.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.core.ownership import owned
    >>> a = np.zeros(3)
    >>> a.setflags(write=False)
    >>> np.shares_memory(owned(a, a), a)
    False
    """
    if isinstance(given, np.ndarray):
        kept = not np.may_share_memory(array, given)
    else:
        kept = isinstance(given, HandedOver) or type(given) in (list, tuple)
    chain = [array]
    while isinstance(chain[-1].base, np.ndarray):
        chain.append(chain[-1].base)
    # below the arrays may lie a file or a buffer, which does not obey their flags
    if not kept or chain[-1].base is not None:
        chain = [array.copy()]
    for memory in chain:
        memory.setflags(write=False)
    return chain[0]
