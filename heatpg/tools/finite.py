"""Whether all numbers of an array are finite, at the speed at which it is read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.tools.kernels import kernel
from heatpg.tools.parallel import for_each

__all__ = ["all_finite", "is_finite"]

# Of infinities and of what is no number, and of nothing else, all bits of the exponent are set: with the lowest of them
# added, the sign is set as well.
_EXPONENTS: dict[np.dtype[Any], tuple[Any, Any]] = {
    np.dtype(np.float64): (np.int64(0x7FF << 52), np.int64(1 << 52)),
    # sums are of 64 bits all the same
    np.dtype(np.float32): (np.int32(0xFF << 23), np.int32(1 << 23)),
}
_PIECE = 2**18  # numbers for a thread at a time: two mebibytes, a fraction of a millisecond


@kernel
def _signs(bits: NDArray[Any], exponent: Any, lowest: Any) -> Any:
    """A number with the bit of the sign set if all bits of the exponent of some number are."""
    result = exponent & ~exponent
    # no way out and no comparison, so that a whole vector is looked at in three steps
    for i in range(bits.shape[0]):
        result |= (bits[i] & exponent) + lowest
    return result


def is_finite(block: NDArray[Any]) -> bool:
    """Whether all numbers of a block in C order are finite, by one thread; for a block that is in cache.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.tools.finite import is_finite
    >>> is_finite(np.array([1e308, -0.0, 5e-324])), is_finite(np.array([0.0, -np.inf])), is_finite(np.array([np.nan]))
    (True, False, False)
    """
    exponent, lowest = _EXPONENTS[block.dtype]
    signs = int(_signs(block.reshape(-1).view(exponent.dtype), exponent, lowest))
    return not signs >> (8 * block.itemsize - 1) & 1


def all_finite(values: NDArray[Any]) -> bool:
    """Whether all numbers of an array in C order are finite, on all threads.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.tools.finite import all_finite
    >>> all_finite(np.ones((2, 3), np.float32))
    True
    """
    flat = values.reshape(-1)
    found: list[bool] = []
    for_each(lambda begin: found.append(is_finite(flat[begin : begin + _PIECE])), range(0, flat.size, _PIECE))
    return all(found)
