"""Chunks are those that HDF5 itself would write, and a disk that fails is an error and never a crash."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from heatpg.store.chunks import DiskFile, chunk_shape, stream, write_array

SHAPES = [((10,), (10,)), ((10,), (4,)), ((3, 70, 65), (1, 32, 65)), ((2, 5, 129), (1, 3, 129)), ((1000,), (1000,))]


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f8", "i2", "u1"])
@pytest.mark.parametrize(("shape", "chunks"), SHAPES)
def test_bytes_of_chunks_are_those_of_hdf5(shape: tuple[int, ...], chunks: tuple[int, ...], dtype: str) -> None:
    values = (30.0 * np.random.default_rng(5).normal(size=shape)).clip(0 if dtype == "u1" else None, 250).astype(dtype)
    with h5py.File(io.BytesIO(), "w") as file:
        ours = write_array(file, "ours", values, chunks, {})
        theirs = file.create_dataset("theirs", data=values, chunks=chunks, fletcher32=True)
        np.testing.assert_array_equal(ours[()], values)
        assert ours.dtype == theirs.dtype
        places = [tuple(theirs.id.get_chunk_info(i).chunk_offset) for i in range(theirs.id.get_num_chunks())]
        assert ours.id.get_num_chunks() == len(places)
        for place in places:
            assert ours.id.read_direct_chunk(place) == theirs.id.read_direct_chunk(place)


@pytest.mark.parametrize("pattern", [0, 1, 0xFFFF, 0xFF00, 0x00FF, 0xFFFE])
@pytest.mark.parametrize("count", [1, 63, 64, 65, 359, 65535, 65536])
def test_checksums_where_sums_wrap(pattern: int, count: int) -> None:
    values = np.full(count, pattern, np.uint16)
    with h5py.File(io.BytesIO(), "w") as file:
        ours = write_array(file, "ours", values, (count,), {})
        theirs = file.create_dataset("theirs", data=values, chunks=(count,), fletcher32=True)
        assert ours.id.read_direct_chunk((0,)) == theirs.id.read_direct_chunk((0,))


def test_filters_are_passed_on() -> None:
    with h5py.File(io.BytesIO(), "w") as file:
        dataset = write_array(file, "u", np.zeros(100), (50,), {"compression": "gzip"})
        assert (dataset.compression, dataset.fletcher32, dataset.chunks) == ("gzip", True, (50,))


def test_writing_ends_when_it_is_told_to() -> None:
    done = []

    def proceed() -> None:
        done.append(1)
        if len(done) == 2:
            raise InterruptedError

    with h5py.File(io.BytesIO(), "w") as file:
        with pytest.raises(InterruptedError):
            write_array(file, "u", np.zeros(10), (2,), {}, proceed)
        assert file["u"].id.get_num_chunks() == 2


@pytest.mark.parametrize(
    ("shape", "dimensions", "batch", "expected"),
    [
        ((32, 1000, 4096), 1, 1, (1, 16, 4096)),
        ((32, 17, 4096), 1, 1, (1, 9, 4096)),
        ((32, 17, 4096), 1, 0, (1, 1, 4096)),
        ((3, 2, 5, 7, 6), 2, 2, (1, 2, 5, 7, 6)),
        ((4, 512, 512), 2, 0, (1, 256, 256)),
        ((4, 512, 512, 512), 3, 0, (1, 1, 256, 256)),
        ((1000, 24), 1, 1, (1000, 24)),
    ],
)
def test_chunk_shape(shape: tuple[int, ...], dimensions: int, batch: int, expected: tuple[int, ...]) -> None:
    assert chunk_shape(shape, dimensions, batch) == expected
    assert np.prod(expected) <= 2**16


def make(path: Path, values: Any) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        with stream(descriptor) as (file, disk):
            file.attrs["text"] = "x" * 1000
            write_array(file, "u", values, (1, *values.shape[1:]), {}, disk.raise_failure)
            for k in range(20):
                file.create_group(f"group{k}").create_dataset("v", data=np.arange(k + 1))
    finally:
        os.close(descriptor)


def test_stream(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(30, 50, 60))
    make(tmp_path / "a.h5", values)
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["u"][()], values)
        np.testing.assert_array_equal(file["group19/v"][()], np.arange(20))


def test_it_is_brought_to_the_disk_while_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr("heatpg.store.chunks._SYNC_BYTES", 2**17)
    monkeypatch.setattr(os, "fdatasync", calls.append)
    make(tmp_path / "a.h5", np.zeros((30, 50, 60)))
    assert len(calls) == 5  # each after six chunks of 24 kB, the first that reach 128 KiB

    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, "broken disk")

    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(OSError, match="broken disk"):
        make(tmp_path / "b.h5", np.zeros((30, 50, 60)))


@pytest.mark.parametrize("call", range(0, 40, 3))
@pytest.mark.parametrize(
    "reason", [OSError(errno.ENOSPC, "no space left"), KeyboardInterrupt()], ids=["full", "interrupt"]
)
def test_a_failing_write_is_raised_and_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: BaseException, call: int
) -> None:
    real: Callable[..., int] = os.write
    calls = 0

    def failing(descriptor: int, data: Any) -> int:
        nonlocal calls
        calls += 1
        if calls > call:
            raise reason
        return real(descriptor, bytes(data)[: 1 + len(data) // 2])  # a system may write a part only

    monkeypatch.setattr(os, "write", failing)
    with pytest.raises(type(reason)):
        make(tmp_path / "a.h5", np.ones((30, 50, 60)))
    assert calls == call + 1  # nothing was written since


def test_a_failed_file_gives_back_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HDF5 may read what it wrote, and must not be led astray after a failure."""
    descriptor = os.open(tmp_path / "a", os.O_RDWR | os.O_CREAT)
    disk = DiskFile(descriptor)
    disk.write(b"0123456789")

    def broken(*arguments: Any) -> int:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "write", broken)
    disk.seek(8)
    assert disk.write(b"abcd") == 4
    disk.seek(0)
    assert disk.read(14) == b"01234567abcd\0\0"
    assert disk.seek(0, os.SEEK_END) == 12
    with pytest.raises(OSError, match="broken"):
        disk.finish()
    os.close(descriptor)
