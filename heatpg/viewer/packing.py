"""Fields as text: rounded, predicted, compressed, and only as fine as a page of a given size can hold.

The page undoes this in `viewer.js`, where it is written a second time: inflate, join the bytes, undo the zigzag, sum
up, multiply by the step.
"""

from __future__ import annotations

import base64
import dataclasses
import math
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BITS", "Codes", "Packed", "compress", "encode", "expected_size", "fits", "pack", "quantise", "reductions"]

Array = NDArray[Any]

BITS = (16, 14, 12, 10)  # 16: what two bytes hold; 10: a thousand steps, below which contours show steps
_PASSES = (0, 1, 2)  # a taste: each takes an order off a smooth field, and at least doubles the noise of a rough one
_LEVEL = 6  # zlib's own default
_SAMPLE_FRAMES = 9  # a taste: fields change slowly with sigma
_SAMPLE_NODES = 2**17  # a taste: a fraction of a second of packing
_LEAST_BITS_PER_NODE = 0.25  # of the smoothest fields, compressed
_LEAST_NODES = 8  # a taste: along an axis; fewer show no field


@dataclasses.dataclass(frozen=True)
class Codes:
    """A field as whole numbers: value = low + step * code, off by at most step / 2.

    Attributes
    ----------
    codes
        Shape of the field, uint16.
    low, step
        The lowest value, and the distance between two codes; 0 for a constant field.
    """

    codes: NDArray[np.uint16]
    low: float
    step: float


@dataclasses.dataclass(frozen=True)
class Packed:
    """A field as text.

    Attributes
    ----------
    text
        Base64 of raw deflate of all high bytes, then all low bytes, of the residues in zigzag order.
    passes
        How many times differences were taken along every axis.
    low, step
        As in `Codes`.
    """

    text: str
    passes: int
    low: float
    step: float


def quantise(values: Array, bits: int) -> Codes:
    """Round a field to 2^bits values, evenly spaced over its range.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.viewer.packing import quantise
    >>> found = quantise(np.array([0.0, 0.1, 3.0]), bits=2)
    >>> found.codes, found.low, found.step
    (array([0, 0, 3], dtype=uint16), 0.0, 1.0)
    """
    # the largest code
    most = 2**bits - 1
    low, high = float(values.min()), float(values.max())
    # halves, because the range of finite numbers may overflow
    half_width = 0.5 * high - 0.5 * low
    step = half_width / most * 2.0
    # a constant field, or a range below the smallest number
    if not step > 0.0:
        return Codes(np.zeros(values.shape, np.uint16), low, 0.0)
    share = (0.5 * values.astype(np.float64) - 0.5 * low) / half_width
    # rint(share * most) never exceeds the largest code, as share is at most 1
    return Codes(np.rint(share * most).astype(np.uint16), low, step)


def _residues(codes: NDArray[np.uint16], passes: int) -> NDArray[np.uint16]:
    """Differences of neighbours along every axis, modulo 2^16, with small ones of either sign as small numbers."""
    result = codes
    for _ in range(passes):
        for axis in range(codes.ndim):
            # unsigned numbers wrap around, and summing up wraps back
            result = np.diff(result, axis=axis, prepend=np.uint16(0))
    signed = result.view(np.int16)
    # zigzag: 0, -1, 1, -2, ... become 0, 1, 2, 3, so that small differences have a high byte of 0
    return ((signed << 1) ^ (signed >> 15)).view(np.uint16)


def _deflate_planes(residues: NDArray[np.uint16]) -> bytes:
    """High bytes, then low bytes, each with a code of its own."""
    # what is left of rough fields repeats nothing, and chance repetitions cost more than they save
    work = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15, zlib.DEF_MEM_LEVEL, zlib.Z_FILTERED)
    # a flush between: the low bytes begin with tables of their own
    high = work.compress((residues >> 8).astype(np.uint8).tobytes()) + work.flush(zlib.Z_SYNC_FLUSH)
    return high + work.compress((residues & 0xFF).astype(np.uint8).tobytes()) + work.flush()


def compress(content: bytes) -> str:
    """Bytes as base64 of raw deflate."""
    work = zlib.compressobj(9, zlib.DEFLATED, -15)
    return base64.b64encode(work.compress(content) + work.flush()).decode("ascii")


def encode(codes: NDArray[np.uint16]) -> tuple[str, int]:
    """Codes as text, with the number of differences that makes it shortest: smooth fields take two, noise none."""
    # all three are made: which is shortest cannot be told from the numbers
    tried = [(_deflate_planes(_residues(codes, passes)), passes) for passes in _PASSES]
    best, passes = min(tried, key=lambda one: len(one[0]))
    return base64.b64encode(best).decode("ascii"), passes


def pack(values: Array, bits: int) -> Packed:
    """A field as text.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.viewer.packing import pack
    >>> pack(np.linspace(0.0, 1.0, 64), bits=12).step * (2**12 - 1)
    1.0
    """
    rounded = quantise(values, bits)
    text, passes = encode(rounded.codes)
    return Packed(text, passes, rounded.low, rounded.step)


def expected_size(frames: Sequence[Array], stride: int, bits: int) -> float:
    """Length of all frames as text, guessed from a few of them, and from a part of those."""
    # evenly spread over sigma: the first frames are rough, the last smooth
    places = np.unique(np.linspace(0, len(frames) - 1, min(_SAMPLE_FRAMES, len(frames))).round().astype(int))
    total = 0.0
    for k in places:
        shown = frames[k][(slice(None, None, stride),) * frames[k].ndim]
        # whole rows from the middle: differences need neighbours
        rows = max(_LEAST_NODES, _SAMPLE_NODES * shown.shape[0] // shown.size)
        begin = max(0, (shown.shape[0] - rows) // 2)
        part = shown[begin : begin + rows]
        total += len(pack(part, bits).text) * shown.size / part.size
    return total / len(places) * len(frames)


def reductions(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Strides and bits to try, the best first: rounding costs a reader less than nodes that are left out."""
    # bits before nodes: a rounding of 1/1000 is not seen, a node that is missing may be a ridge
    stride = 1
    while stride == 1 or min(math.ceil(size / stride) for size in shape) >= _LEAST_NODES:
        for bits in BITS:
            yield stride, bits
        stride += 1


def fits(frames: Sequence[Array], stride: int, bits: int, room: float) -> bool:
    """Whether the frames will, as far as can be told without packing them all, be no longer than this."""
    # what even the smoothest fields need; 6 bits a letter of base64
    nodes = math.prod(math.ceil(size / stride) for size in frames[0].shape) * len(frames)
    return nodes * _LEAST_BITS_PER_NODE / 6.0 <= room and expected_size(frames, stride, bits) <= room
