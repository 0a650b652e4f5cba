"""The file of a field that is never in memory: the layout of `heatpg.store.writing`, filled block by block."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from heatpg.core.report import Report
from heatpg.large.blocks import Box
from heatpg.large.sources import reserve
from heatpg.store.chunks import chunk_shape, stream, write_block
from heatpg.store.record import FIELDS, LANDSCAPE, Record
from heatpg.store.writing import begin_file, file_environment, file_records, finish_file, label_fields, label_landscape
from heatpg.tools.plain import json_like
from heatpg.tools.processes import host, leftovers
from heatpg.tools.publishing import publish_stream

__all__ = ["FieldWriter", "chunks_of", "clean", "file_bytes", "write_file"]

Array = NDArray[Any]

_PREFIX = ".heatpg-large-"
_OVERHEAD = 2**20  # bytes; attributes and scales
_INDEX_BYTES = 256  # of one chunk, in the index of HDF5, with room to spare


def clean(folder: Path) -> list[Path]:
    """Remove what dead processes of this machine have left of unfinished files; those of others may be in use.

    Returns
    -------
    removed
        The files that were removed.
    """
    removed = []
    for path in leftovers(sorted(folder.glob(f"{_PREFIX}*.tmp")), _PREFIX):
        with contextlib.suppress(OSError):
            path.unlink()
            removed.append(path)
    return removed


def chunks_of(shape: tuple[int, ...], dimensions: int, extent: tuple[int, ...] | None = None) -> tuple[int, ...]:
    """Chunks of one field: those of `heatpg.store.chunks.chunk_shape`, cut to what a block of it holds whole."""
    chunks = chunk_shape((1, *shape), dimensions, len(shape) - dimensions)[1:]
    if extent is None:
        return chunks
    return tuple(
        chunk if whole == size or whole % chunk == 0 else min(chunk, whole)
        for chunk, whole, size in zip(chunks, extent, shape, strict=True)
    )


def file_bytes(shape: tuple[int, ...], count: int, chunks: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Bytes of the file of so many fields and of Q."""
    # whole chunks, also at the ends, where they reach beyond the array
    number = math.prod(-(-size // chunk) for size, chunk in zip(shape, chunks, strict=True))
    return (count + 1) * number * (math.prod(chunks) * dtype.itemsize + _INDEX_BYTES) + _OVERHEAD


class FieldWriter:
    """Takes Q and the fields in blocks that follow each other in C order.

    Parameters
    ----------
    file
        The file, with its scales.
    known
        The evolution that it is to hold, without the values.
    chunks
        Of one field.
    proceed
        Called after every chunk; what it raises ends the writing.
    """

    def __init__(self, file: h5py.File, known: Record, chunks: tuple[int, ...], proceed: Callable[[], object]) -> None:
        self._file = file
        self._proceed = proceed
        values = known.landscape.values
        # fletcher32 and no other filter, as write_block makes the chunks
        self._landscape = file.create_dataset(LANDSCAPE, values.shape, values.dtype, chunks=chunks, fletcher32=True)
        label_landscape(file, known)
        count = len(known.sigma)
        self._fields = file.create_dataset(
            FIELDS, (count, *values.shape), values.dtype, chunks=(1, *chunks), fletcher32=True
        )
        label_fields(file, known)
        self._little = values.dtype.newbyteorder("<")
        self.landscape_digest = hashlib.sha256()
        self.fields_digest = hashlib.sha256()

    def put_landscape(self, box: Box, block: Array) -> None:
        """Write the next block of Q, which is whole chunks."""
        # blocks follow each other in C order, in which the digest of the whole is defined
        self.landscape_digest.update(np.ascontiguousarray(block, self._little).reshape(-1).data)
        write_block(self._landscape, block, tuple(part.start for part in box), self._proceed)

    def put_field(self, level: int, box: Box, block: Array) -> None:
        """Write the next block of u; sigma after sigma."""
        self.fields_digest.update(np.ascontiguousarray(block, self._little).reshape(-1).data)
        write_block(self._fields, block[None], (level, *(part.start for part in box)), self._proceed)


def write_file(
    target: Path,
    known: Record,
    chunks: tuple[int, ...],
    fill: Callable[[FieldWriter], tuple[Report, Mapping[str, float]]],
    *,
    force: bool,
) -> Path:
    """Write a file as `heatpg.save` does, complete under its name or not there, its fields made on the way.

    Parameters
    ----------
    target
        The file.
    known
        What it holds, without the values; report and timing come later.
    chunks
        Of one field.
    fill
        Called with a `FieldWriter`; returns the report, and the seconds by stage.
    force
        Whether an existing file may be replaced.

    Raises
    ------
    ResourceError
        If the disk is full, found out before anything is written where the system can reserve room.
    StoreError
        If the file cannot be written.
    """
    values = known.landscape.values
    size = file_bytes(values.shape, len(known.sigma), chunks, values.dtype)
    json_like(known.landscape.provenance)  # refused before the work, not after it

    def write(descriptor: int) -> None:
        # HDF5 is given room that it cannot run out of
        reserve(descriptor, size)
        environment = file_environment()
        begin = time.perf_counter()
        with stream(descriptor) as (file, disk):
            begin_file(file, known, environment)
            writer = FieldWriter(file, known, chunks, disk.raise_failure)
            known.report, timing = fill(writer)
            known.timing = dict(timing) or {"solve": time.perf_counter() - begin}
            records = file_records(known, writer.landscape_digest.hexdigest(), environment)
            finish_file(file, records, writer.fields_digest.hexdigest())

    name = f"{_PREFIX}{host()}-{os.getpid()}-{secrets.token_hex(6)}.tmp"
    return publish_stream(write, size, target, force=force, temporary=name)


def aligned(shape: tuple[int, ...], rows: int) -> Iterator[Box]:
    """Blocks of so many rows of the first axis, in C order."""
    for start in range(0, shape[0], rows):
        yield (slice(start, min(start + rows, shape[0])), *(slice(0, size) for size in shape[1:]))
