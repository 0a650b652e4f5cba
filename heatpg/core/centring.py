"""Offset and scale of Q, which are taken out before anything is solved or differentiated, and put back once.

The flow commutes with adding a constant, wherever constants are kept, and with scaling. In the arithmetic of a computer
it does so only if what is solved is free of them: a constant of 1e9 takes nine digits from every sum of weights, and
numbers near the ends of the range of their type lose digits or overflow.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Grid

__all__ = ["Centring", "centring", "usual_sizes"]

Array = NDArray[Any]

# Up to four times the range, round-off relative to the values is round-off relative to the range, within two bits. From
# there on a number and the offset differ by less than a factor of two, so their difference is exact (Sterbenz).
_FAR = 4.0


@functools.cache
def usual_sizes(kind: np.dtype[Any]) -> tuple[float, float]:
    """Sizes between which weights down to eps^2 of the largest still count, and sums of weighted values are finite.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.core.centring import usual_sizes
    >>> [f"{size:.1e}" for size in usual_sizes(np.dtype(np.float32))]
    ['8.3e-25', '4.8e+24']
    """
    info = np.finfo(kind)
    return float(info.tiny / info.eps**2), float(info.max * info.eps**2)


@dataclasses.dataclass(frozen=True, eq=False)
class Centring:
    """What was taken out of Q: Q = offset + scale * centred.

    Attributes
    ----------
    offset
        The middle of the range of each entry of the batch, where that is far from zero; otherwise 0. Shape of the
        batch, followed by ones in place of the axes of the grid.
    exponent
        The power of two that is the scale, same shape.
    """

    offset: Array
    exponent: NDArray[np.intc]

    @classmethod
    def of(cls, low: Array, high: Array, grid: Grid, walls: tuple[Array, Array] | None = None) -> Centring:
        """What has to be taken out of values from `low` to `high`, of the shape of the offset; see `centring`."""
        if walls is not None:
            low, high = np.minimum(low, walls[0]), np.maximum(high, walls[1])
        half = high / 2 - low / 2  # their difference may overflow
        size = np.maximum(high, -low)
        far = size / (2 * _FAR) > half
        smallest, largest = usual_sizes(low.dtype)
        usual = ((size >= smallest) & (size <= largest)) | (size == 0)
        if usual.all() and not far.any():
            return _nothing(low.shape, low.dtype)
        if not all(axis.rule.extremes_outside(1.0, 1.0) == (1.0, 1.0) for axis in grid):
            far = np.zeros_like(far)
        offset = np.where(far, low + half, 0).astype(low.dtype)
        # what is left is at most this large
        with np.errstate(over="ignore"):
            left = np.where(far, np.maximum(high - offset, offset - low), size)
        exponent = np.where(left > 0, np.frexp(left)[1] - 1, 0).astype(np.intc)
        exponent = np.where((left < smallest) | (left > largest), exponent, 0).astype(np.intc)
        return cls(offset, exponent)

    def part(self, box: tuple[slice, ...]) -> Centring:
        """For a part of the batch."""
        return Centring(self.offset[box], self.exponent[box])

    @functools.cached_property
    def trivial(self) -> bool:
        """Whether nothing was taken out."""
        return not self.offset.any() and not self.exponent.any()

    def remove(self, values: Array) -> Array:
        """(values - offset) / scale: a new array, or the given one where there is nothing to take out."""
        if self.trivial:
            return values
        result = values - self.offset
        return np.asarray(np.ldexp(result, -self.exponent, out=result))

    def restore(self, values: Array, out: Array) -> None:
        """Write offset + scale * values into `out`, which may be the same array."""
        np.ldexp(values, self.exponent, out=out)
        out += self.offset

    def rounding(self, values: Array) -> float:
        """Half the distance between neighbouring numbers as large as the values, over the scale.

        By so much `restore` may round each number, and not more. Where both are put back, the scale comes first, and
        may round to the distance of subnormal numbers, which are smaller than the offset.
        """
        if self.trivial:
            return 0.0
        axes = tuple(i for i, n in enumerate(self.offset.shape) if n == 1)
        largest = np.abs(values).max(axis=axes, keepdims=True)
        twice = (self.offset != 0) & (self.exponent != 0)
        first = np.where(twice, float(np.finfo(values.dtype).smallest_subnormal), 0.0)
        with np.errstate(over="ignore"):  # the distance beyond the largest number
            step = np.ldexp(np.asarray(np.spacing(largest), np.float64) + first, -self.exponent)
        return 0.5 * float(step.max())


@functools.lru_cache(maxsize=64)
def _nothing(shape: tuple[int, ...], kind: np.dtype[Any]) -> Centring:
    """Where nothing is taken out, one and the same object for all values of a shape."""
    offset, exponent = np.zeros(shape, kind), np.zeros(shape, np.intc)
    offset.setflags(write=False)
    exponent.setflags(write=False)
    return Centring(offset, exponent)


def centring(values: Array, grid: Grid, walls: tuple[Array, Array] | None = None) -> Centring:
    """What has to be taken out of Q before it is solved.

    Parameters
    ----------
    values
        Q, shape (*batch, *grid.shape), floating.
    grid
        Where it is sampled; of its boundaries that which keeps no constants leaves the offset in.
    walls
        Least and largest value that is stated on walls, of the shape of the offset.

    Notes
    -----
    The scale is taken out where products with small weights would leave the range of normal numbers, or sums overflow.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.core.centring import centring
    >>> grid = Grid(Axis("x", 0.0, 1.0, 3, boundary="reflect"))
    >>> taken = centring(np.array([1e9, 1e9 + 2, 1e9 + 1]), grid)
    >>> taken.offset.tolist(), taken.remove(np.array([1e9, 1e9 + 2, 1e9 + 1])).tolist()
    ([1000000001.0], [-1.0, 1.0, 0.0])
    >>> centring(np.array([0.0, 2.0, 1.0]), grid).trivial
    True
    """
    shape = (*values.shape[: values.ndim - grid.dimensions], *[1] * grid.dimensions)
    if values.size == grid.size and walls is None:
        # The usual case in numbers instead of arrays of one number, on which each operation takes ten times as long.
        # They are of the type of the values, so that a batch of one and its only entry are treated alike to the bit.
        low, high = values.min(), values.max()
        size, (smallest, largest) = max(high, -low), usual_sizes(values.dtype)
        if (size == 0 or smallest <= size <= largest) and size / (2 * _FAR) <= high / 2 - low / 2:
            return _nothing(shape, values.dtype)
    entries = values.reshape(-1, grid.size)
    return Centring.of(entries.min(axis=1).reshape(shape), entries.max(axis=1).reshape(shape), grid, walls)
