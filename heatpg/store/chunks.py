"""Arrays as chunks of an HDF5 file with their checksums made here, and a file that goes to the disk while it is made.

HDF5 copies a chunk three times and sums it byte by byte before it is written, and a file that is made in memory first
takes its size in fresh memory twice. Here a chunk and its checksum are made in one buffer that stays in cache, and go
to the disk from there. HDF5 is never told of a failure to write, because it would crash: the failure is kept, what HDF5
still writes stays in memory, and the caller raises.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from heatpg.store.record import LIBRARY_VERSIONS
from heatpg.tools.kernels import kernel

__all__ = ["DiskFile", "chunk_shape", "stream", "write_array", "write_block"]

Array = NDArray[Any]

_CHUNK_POINTS = 2**16  # half a mebibyte of doubles: a chunk stays in a cache of the second level while it is summed
_CHUNK_SIDE = 256  # so that a window of any shape touches few chunks
_CHECKSUM_BYTES = 4
_SYNC_BYTES = 2**26  # after so much the disk is set to work, so that little is left for the end
# 64 words of 16 bits: their weighted sum is below 64 * 65 / 2 * 2^16 < 2^28, and fits 32 bits
_WEIGHTS = np.arange(64, 0, -1, dtype=np.uint32)


def chunk_shape(shape: tuple[int, ...], dimensions: int, batch: int = 0) -> tuple[int, ...]:
    """One sigma a chunk; up to 65536 points, 256 or fewer along the last axes, and as many batch entries as have room.

    Each axis is cut into pieces of about the same length, because HDF5 stores the last one as long as the others.

    Parameters
    ----------
    shape
        Of an array (T, *batch, *grid), or (*batch, *grid).
    dimensions
        Number of axes of the grid.
    batch
        Number of axes of the batch that may share a chunk.

    Examples
    --------
    >>> from heatpg.store.chunks import chunk_shape
    >>> chunk_shape((32, 300, 1000), 2), chunk_shape((32, 1000, 4096), 1, batch=1)
    ((1, 150, 250), (1, 16, 4096))
    """
    side = _CHUNK_SIDE if dimensions > 1 else _CHUNK_POINTS
    room = _CHUNK_POINTS
    chunks: list[int] = []
    # from the last axis on, whose nodes lie side by side; what room it leaves goes to the axes before it
    for number, size in enumerate(reversed(shape)):
        longest = max(1, min(side if number < dimensions else room, room)) if number < dimensions + batch else 1
        chunks.insert(0, -(-size // -(-size // longest)))
        room //= chunks[0]
    return tuple(chunks)


@kernel
def _sums(words: Array, weights: Array) -> tuple[np.uint64, np.uint64]:
    """sum_i w_i and sum_i (n - i) w_i over 16-bit words, modulo 2^64; in blocks whose sums fit 32 bits."""
    size, block = words.shape[0], weights.shape[0]
    one = np.uint64(0)
    two = np.uint64(0)
    for first in range(0, size, block):
        w = words[first : first + block]
        a = np.uint32(0)
        b = np.uint32(0)
        after = np.uint64(0)
        if w.shape[0] == block:
            for j in range(block):
                a += np.uint32(w[j])
                b += weights[j] * np.uint32(w[j])
            # all of it counts modulo 65535, so the weight may be reduced here already, and nothing overflows 64 bits
            after = np.uint64((size - first - block) % 65535)
        else:
            for j in range(w.shape[0]):
                a += np.uint32(w[j])
                b += np.uint32(w.shape[0] - j) * np.uint32(w[j])
        one += np.uint64(a)
        two += np.uint64(b) + after * np.uint64(a)
    return one, two


def _checksum(words: NDArray[np.uint16]) -> int:
    """Fletcher's checksum as HDF5 has it: of words read as big-endian, whose bytes swap by a factor 256 mod 65535."""

    def reduced(total: int) -> int:
        return (total * 256 % 65535 or 65535) if total else 0

    one, two = _sums(words, _WEIGHTS)
    return reduced(int(two)) << 16 | reduced(int(one))


def write_array(
    group: h5py.Group,
    name: str,
    values: Array,
    chunks: tuple[int, ...],
    filters: dict[str, Any],
    proceed: Callable[[], object] | None = None,
) -> h5py.Dataset:
    """Make a dataset of an array, in chunks with checksums (fletcher32).

    Parameters
    ----------
    group, name
        Where.
    values
        What.
    chunks
        Shape of a chunk.
    filters
        Further filters, as `h5py.Group.create_dataset` takes them; HDF5 itself then writes.
    proceed
        Called after every chunk; what it raises ends the writing.

    Examples
    --------
    >>> import h5py, numpy as np
    >>> from heatpg.store.chunks import write_array
    >>> with h5py.File("unused", "w", driver="core", backing_store=False) as file:
    ...     dataset = write_array(file, "u", np.arange(10.0), (4,), {})
    ...     dataset.fletcher32, dataset[7:]
    (True, array([7., 8., 9.]))
    """
    # with a filter, a compression say, HDF5 has to make the chunks itself
    if filters or not _is_written_here(values.dtype):
        return group.create_dataset(name, data=values, chunks=chunks, fletcher32=True, **filters)
    dataset = group.create_dataset(name, values.shape, values.dtype, chunks=chunks, fletcher32=True)
    write_block(dataset, values, (0,) * values.ndim, proceed)
    return dataset


def _is_written_here(dtype: np.dtype[Any]) -> bool:
    return dtype.newbyteorder("<") == dtype and sys.byteorder == "little" and dtype.itemsize % 2 == 0


def write_block(
    dataset: h5py.Dataset, values: Array, origin: tuple[int, ...], proceed: Callable[[], object] | None = None
) -> None:
    """Write whole chunks of a dataset that has checksums (fletcher32) and no other filter.

    Parameters
    ----------
    dataset
        Where.
    values
        A block of it, of its type.
    origin
        First index of the block, a multiple of the chunks; the block ends with a chunk or with the dataset.
    proceed
        As in `write_array`.

    Examples
    --------
    >>> import h5py, numpy as np
    >>> from heatpg.store.chunks import write_block
    >>> with h5py.File("unused", "w", driver="core", backing_store=False) as file:
    ...     dataset = file.create_dataset("u", (6,), "f8", chunks=(2,), fletcher32=True)
    ...     write_block(dataset, np.arange(4.0), (2,))
    ...     dataset[:]
    array([0., 0., 0., 1., 2., 3.])
    """
    chunks = dataset.chunks
    if not _is_written_here(values.dtype):
        dataset[tuple(slice(a, a + size) for a, size in zip(origin, values.shape, strict=True))] = values
        return
    points = int(np.prod(chunks))
    # one buffer for all chunks, the checksum behind the numbers: it stays in cache
    buffer = np.zeros(points * values.dtype.itemsize + _CHECKSUM_BYTES, np.uint8)
    content = buffer[:-_CHECKSUM_BYTES]
    block, words = content.view(values.dtype).reshape(chunks), content.view(np.uint16)
    for start in itertools.product(*(range(0, size, step) for size, step in zip(values.shape, chunks, strict=True))):
        piece = values[tuple(slice(a, a + step) for a, step in zip(start, chunks, strict=True))]
        if piece.shape == chunks:
            block[...] = piece
        else:  # HDF5 stores whole chunks, zero where nothing is written
            block[...] = 0
            block[tuple(slice(0, size) for size in piece.shape)] = piece
        buffer[-_CHECKSUM_BYTES:].view(np.dtype("<u4"))[0] = _checksum(words)
        dataset.id.write_direct_chunk(tuple(a + b for a, b in zip(origin, start, strict=True)), buffer)
        if proceed is not None:
            proceed()


class DiskFile(io.RawIOBase):
    """A file for HDF5 to write to, which never fails it.

    Parameters
    ----------
    descriptor
        Of a file that is open for reading and writing.

    Attributes
    ----------
    failure
        What went wrong first, if anything did; nothing has been written to the disk since.
    """

    def __init__(self, descriptor: int) -> None:
        self.failure: BaseException | None = None
        self._descriptor = descriptor
        self._position = 0
        self._end = 0
        self._since = 0
        self._kept: list[tuple[int, bytes]] = []
        self._syncs: list[Future[None]] = []
        self._helper = ThreadPoolExecutor(1, thread_name_prefix="heatpg-sync")

    def raise_failure(self) -> None:
        """Raise what went wrong, if anything did."""
        if self.failure is not None:
            raise self.failure

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._end}[whence]
        self._position = start + offset
        return self._position

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        count = len(view)
        if self.failure is None:
            try:
                # seek and write, because os.pwrite is not on every system
                os.lseek(self._descriptor, self._position, os.SEEK_SET)
                rest = view
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
                self._since += count
                if self._since >= _SYNC_BYTES:
                    self._since = 0
                    # the disk works while the next chunks are made
                    self._syncs.append(self._helper.submit(self._sync))
            except BaseException as reason:
                self.failure = reason
        if self.failure is not None:
            # what HDF5 wrote it may read again, and it crashes if that fails: after a failure memory answers in place
            # of the disk
            self._kept.append((self._position, bytes(view)))
        self._position += count
        self._end = max(self._end, self._position)
        return count

    def _sync(self) -> None:
        getattr(os, "fdatasync", os.fsync)(self._descriptor)

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        begin, count = self._position, len(view)
        # what was never written reads as zeros, as in a file with holes
        view[:] = bytes(count)
        try:
            os.lseek(self._descriptor, begin, os.SEEK_SET)
            found = os.read(self._descriptor, count)
            view[: len(found)] = found
        except BaseException as reason:
            self.failure = self.failure or reason
        for place, data in self._kept:
            low, high = max(place, begin), min(place + len(data), begin + count)
            if low < high:
                view[low - begin : high - begin] = data[low - place : high - place]
        self._position += count
        return count

    def truncate(self, size: int | None = None) -> int:
        self._end = self._position if size is None else size
        if self.failure is None:
            try:
                os.ftruncate(self._descriptor, self._end)
            except BaseException as reason:
                self.failure = reason
        return self._end

    def flush(self) -> None:
        """Nothing: what is written is with the system already."""

    def finish(self) -> None:
        """Wait until nothing is under way, and raise what went wrong; the descriptor stays open."""
        self._helper.shutdown(wait=True)
        for sync in self._syncs:
            self.failure = self.failure or sync.exception()
        self.raise_failure()


@contextlib.contextmanager
def stream(descriptor: int) -> Iterator[tuple[h5py.File, DiskFile]]:
    """An HDF5 file that is written to a descriptor as it is made.

    Parameters
    ----------
    descriptor
        Of an empty file that is open for reading and writing; it stays open, and is not brought to the disk.

    Raises
    ------
    OSError
        What went wrong in writing, once HDF5 has closed its file.
    """
    disk = DiskFile(descriptor)
    try:
        with h5py.File(disk, "w", libver=LIBRARY_VERSIONS) as file:
            yield file, disk
    except BaseException:
        disk._helper.shutdown(wait=True)
        disk.raise_failure()
        raise
    disk.finish()
