"""Both libraries of transforms give the same coefficients, and the same solutions."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape
from heatpg.boundaries import boundaries
from heatpg.errors import MissingPackageError, OptionError
from heatpg.evolution import solve
from heatpg.solvers import fft
from heatpg.tools.parallel import set_threads, threads

EPS = float(np.finfo(np.float64).eps)


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    before = fft.library()
    yield
    fft.set_library(before)


@pytest.fixture
def both() -> tuple[str, str]:
    pytest.importorskip("ducc0", reason="the extra 'fast' is not installed")
    return "scipy", "ducc0"


PAIRS: list[tuple[Any, Any]] = [
    (fft.fourier, fft.inverse_fourier),
    (lambda x, axis: fft.cosine(x, 1, axis), lambda x, axis: fft.inverse_cosine(x, 1, axis)),
    (lambda x, axis: fft.cosine(x, 2, axis), lambda x, axis: fft.inverse_cosine(x, 2, axis)),
    (lambda x, axis: fft.sine(x, 1, axis), lambda x, axis: fft.inverse_sine(x, 1, axis)),
    (lambda x, axis: fft.sine(x, 2, axis), lambda x, axis: fft.inverse_sine(x, 2, axis)),
]


@pytest.mark.parametrize("pair", PAIRS, ids=["fourier", "cosine 1", "cosine 2", "sine 1", "sine 2"])
@pytest.mark.parametrize("shape", [(30, 7), (31, 8), (5, 97)])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_coefficients_and_inverses_agree(
    pair: Any, shape: tuple[int, int], axis: int, dtype: Any, both: tuple[str, str], rng: np.random.Generator
) -> None:
    field = rng.standard_normal(shape).astype(dtype)
    coefficients = []
    for name in both:
        fft.set_library(name)
        coefficients.append(pair[0](field.copy(), axis))
        assert coefficients[-1].dtype == dtype
        back = pair[1](coefficients[-1].copy(), axis)
        assert np.abs(back - field).max() <= 64 * float(np.finfo(dtype).eps)
    scale = np.abs(coefficients[0]).max()
    assert np.abs(coefficients[0] - coefficients[1]).max() <= 64 * float(np.finfo(dtype).eps) * scale


@pytest.mark.parametrize("name", ["spectral", "exponential"])
@pytest.mark.parametrize("boundary", boundaries.names())
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
def test_solutions_agree_and_threads_change_no_bit(
    name: str, boundary: str, nodes: Any, both: tuple[str, str], rng: np.random.Generator
) -> None:
    grid = Grid(
        *(Axis(label, 0.0, 1.0, n, boundary=boundary, nodes=nodes) for label, n in (("x", 33), ("y", 60), ("z", 47)))
    )
    landscape = Landscape(rng.standard_normal(grid.shape), grid)
    flows = []
    before = threads()
    for library in both:
        fft.set_library(library)
        try:
            set_threads(1)
            one = solve(landscape, [0.05, 0.2], name)
            set_threads(2)
            assert np.array_equal(one.values, solve(landscape, [0.05, 0.2], name).values)
        finally:
            set_threads(before)
        flows.append(one)
    assert np.abs(flows[0].values - flows[1].values).max() <= 128 * EPS * np.abs(landscape.values).max()
    gradients = [flow.gradient(0) for flow in flows]
    assert np.abs(gradients[0] - gradients[1]).max() <= 1e4 * EPS * np.abs(gradients[0]).max()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [8, 45, 97, 256, 1001])
@pytest.mark.parametrize("pair", PAIRS, ids=["fourier", "cosine 1", "cosine 2", "sine 1", "sine 2"])
def test_a_row_is_rounded_alike_beside_any_number_of_others(
    pair: Any, size: int, dtype: Any, both: tuple[str, str], rng: np.random.Generator
) -> None:
    # The widest vector of any processor holds 64 bytes, so that many rows are in whole vectors however wide they are.
    field = rng.standard_normal((64 // np.dtype(dtype).itemsize, size)).astype(dtype)
    for name in both:
        fft.set_library(name)
        for transform in pair:
            together = transform(field.copy(), 1)
            for rows in range(1, len(field)):
                assert np.array_equal(transform(field[:rows].copy(), 1), together[:rows])


def test_the_choice_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match="unknown transform library"):
        fft.set_library("fftw")
    monkeypatch.setitem(sys.modules, "ducc0", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"(?s)pip install .*ducc0"):
        fft.set_library("ducc0")
    fft.set_library("auto")
    assert fft.library() == "scipy"
