"""Transforms of fields axis by axis: whatever pieces they are cut into, and in how little memory."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
import scipy.fft

from heatpg import Axis, Grid, Landscape
from heatpg.evolution import solve
from heatpg.solvers import transforms
from heatpg.tools.parallel import set_threads, threads


def landscape(shape: tuple[int, ...], batch: tuple[int, ...] = (), dtype: str = "float64") -> Landscape:
    axes = [Axis(f"x{i}", 0.0, float(size), size, boundary="periodic") for i, size in enumerate(shape)]
    return Landscape(np.random.default_rng(4).normal(size=(*batch, *shape)).astype(dtype), Grid(*axes))


def by_hand(given: Landscape, sigma: float) -> Any:
    """The Gaussian multiplier on all axes at once."""
    axes = tuple(range(-given.grid.dimensions, 0))
    coefficients = scipy.fft.fftn(given.values.astype(float), axes=axes)
    for axis, size in zip(axes, given.grid.shape, strict=True):
        multiplier = np.exp(-0.5 * np.square(sigma * 2.0 * math.pi * scipy.fft.fftfreq(size)))
        coefficients *= multiplier.reshape(-1, *(1,) * (-axis - 1))
    return scipy.fft.ifftn(coefficients, axes=axes).real


# blocks of several whole matrices, parts of one that end with a tile and that do not, single lines
@pytest.mark.parametrize("block", [1, 3_000, 40_000, 10**9])
@pytest.mark.parametrize(
    ("shape", "batch"),
    [
        ((40, 50), ()),
        ((16, 90), (7,)),
        ((90, 7), (2, 3)),
        ((5, 11, 34), ()),
        ((33, 18, 8), (2,)),
        ((6, 5, 7, 9), ()),
        ((64,), (9,)),
    ],
)
def test_pieces_do_not_matter(
    shape: tuple[int, ...], batch: tuple[int, ...], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, before = landscape(shape, batch), threads()
    monkeypatch.setattr(transforms, "_BLOCK_BYTES", block)
    try:
        found = []
        for count in (1, 3):
            set_threads(count)
            found.append(solve(given, [1.5, 4.0], "spectral").values)
    finally:
        set_threads(before)
    assert found[0].tobytes() == found[1].tobytes()
    for field, sigma in zip(found[0], (1.5, 4.0), strict=True):
        # a transform of n points rounds by about eps log2(n) of the largest value
        np.testing.assert_allclose(field, by_hand(given, sigma), rtol=0, atol=20 * np.finfo(float).eps * 5.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("boundary", ["periodic", "reflect"])
@pytest.mark.parametrize(
    ("shape", "kept"), [((1100, 1000), 1.0), ((100, 110, 105), 2.0), ((32, 30, 34, 33), 3.0)], ids=["2-D", "3-D", "4-D"]
)
def test_no_more_is_held_than_the_coefficients_and_what_is_turned(
    shape: tuple[int, ...], kept: float, boundary: str, dtype: str
) -> None:
    axes = [Axis(f"x{i}", 0.0, float(n), n, boundary=boundary, nodes="cell") for i, n in enumerate(shape)]
    given = Landscape(np.random.default_rng(1).standard_normal(shape).astype(dtype), Grid(*axes))
    small = Grid(*(Axis(axis.name, 0.0, 40.0, 40, boundary=boundary, nodes="cell") for axis in axes[:2]))
    sigma = [4.0, 6.0, 9.0]
    # kernels and tables of a first call are no fields
    solve(Landscape(np.zeros(small.shape, dtype) + np.arange(40, dtype=dtype), small), sigma, "spectral")
    solve(given, sigma[:1], "spectral")
    tracemalloc.start()
    try:
        solve(given, sigma, "spectral")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # results, and what is held beside them; and half a field for blocks in cache, which larger fields do not notice
    assert peak <= (len(sigma) + kept + 0.5) * given.values.nbytes
