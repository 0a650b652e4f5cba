"""Landscapes own their values: nothing that is written outside of them, by whatever way, changes one."""

from __future__ import annotations

import importlib
import importlib.util
import mmap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Evolution, Grid, Landscape, load
from heatpg.core.ownership import HandedOver, owned
from heatpg.evolution import solve

GRID = Grid(Axis("x", 0.0, 4.0, 5, boundary="clip"))
START = np.arange(5.0)
Views = Iterator[tuple[Any, Callable[[], None]]]


def views(folder: Path, dtype: str) -> Views:
    """Read-only views of memory that is written to afterwards."""
    start = START.astype(dtype)

    frozen = start.copy()
    frozen.setflags(write=False)

    def unlock() -> None:
        frozen.setflags(write=True)
        frozen[:] = 7.0

    yield frozen, unlock

    below = start.copy()
    buffer: Any = below
    yield np.frombuffer(memoryview(buffer).toreadonly(), dtype), lambda: below.fill(7.0)

    other = start.copy()
    locked = other[:]
    locked.setflags(write=False)
    yield locked, lambda: other.fill(7.0)

    np.save(folder / "q.npy", start)
    mapped = np.load(folder / "q.npy", mmap_mode="r")

    def rewrite() -> None:
        again = np.load(folder / "q.npy", mmap_mode="r+")
        again[:] = 7.0
        again.flush()

    yield mapped, rewrite
    np.save(folder / "q.npy", start)
    yield np.asarray(np.load(folder / "q.npy", mmap_mode="r")), rewrite

    pages = mmap.mmap(-1, start.nbytes)
    pages[:] = start.tobytes()
    yield np.frombuffer(pages, dtype), lambda: pages.__setitem__(slice(None), np.full(5, 7.0, dtype).tobytes())

    class Other:
        """An array of another package, which hands out a view that cannot be written to."""

        held = start.copy()

        def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
            view = self.held[:]
            view.setflags(write=False)
            return view

    yield Other(), lambda: Other.held.fill(7.0)
    masked = np.ma.array(start.copy())
    yield masked, lambda: masked.data.fill(7.0)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_memory_that_is_only_viewed_is_copied(tmp_path: Path, dtype: str) -> None:
    for view, write in views(tmp_path, dtype):
        one = Landscape(view, GRID, standard_error=view)
        other = Landscape.from_array(view, boundary="clip")
        write()
        assert np.array_equal(one.values, START) and np.array_equal(other.values, START)
        assert one.standard_error is not None and np.array_equal(one.standard_error, START)


def test_returns_that_are_only_viewed_are_copied() -> None:
    below: Any = np.stack([START, START + 2])
    q = Landscape(None, GRID, returns=np.frombuffer(memoryview(below).toreadonly()).reshape(2, 5))
    below.fill(7.0)
    assert q.returns is not None and np.array_equal(q.returns, [START, START + 2])


def test_tensors_are_copied() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.arange(5.0)
    landscapes = [Landscape.from_array(tensor, boundary="clip"), Landscape.from_array(tensor.numpy(), boundary="clip")]
    if importlib.util.find_spec("jax"):
        of_jax = importlib.import_module("jax.dlpack").from_dlpack(tensor)
        landscapes.append(Landscape.from_array(of_jax, boundary="clip"))
    tensor.fill_(7)
    for q in landscapes:
        assert np.array_equal(q.values, START)


def test_the_array_of_a_caller_stays_writable() -> None:
    mine = START.copy()
    Landscape(mine, GRID)
    mine[0] = 1.0


def test_what_heatpg_has_made_is_not_copied(tmp_path: Path) -> None:
    array = np.arange(10.0)
    assert owned(array[5:], HandedOver(array[5:])).base is array and not array.flags.writeable
    q = Landscape(START, GRID, standard_error=START)
    again = q.regarded(minimise=True)
    assert again.values is q.values and again.standard_error is q.standard_error
    flow: Evolution = solve(Landscape([START, START + 1], GRID), 0.5)
    assert np.shares_memory(flow.entry(1).landscape.values, flow.landscape.values)
    flow.save(tmp_path / "a.h5")
    assert not load(tmp_path / "a.h5").landscape.values.flags.writeable
