"""Widths of a landscape in place and in wavenumber, against closed forms."""

from __future__ import annotations

import json

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape
from heatpg.errors import UnsupportedError
from heatpg.roughness.uncertainty import uncertainty_product

BOUNDARIES = ("periodic", "reflect", "absorb", "clip", "zero")


def axis(name: str, boundary: str, size: int, nodes: str = "vertex", length: float = 1.0) -> Axis:
    return Axis(name, 0.0, length, size, boundary=boundary, nodes=nodes)  # type: ignore[arg-type]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_gaussians_are_the_least(boundary: str, dimensions: int) -> None:
    grid = Grid(*(axis(f"x{i}", boundary, 48, length=16.0) for i in range(dimensions)))
    square = sum((x - 7.9 + 0.1 * i) ** 2 for i, x in enumerate(grid.mesh()))
    result = uncertainty_product(Landscape(-3.0 * np.exp(-np.asarray(square) / 2), grid))
    assert result.bound == dimensions**2 / 4
    assert result.product == pytest.approx(result.bound, rel=1e-10)
    assert result.per_axis == pytest.approx([0.25] * dimensions, rel=1e-10)
    assert result.position_variance == pytest.approx([0.5] * dimensions, rel=1e-10)
    assert result.wavenumber_variance == pytest.approx([0.5] * dimensions, rel=1e-10)
    assert result.edge < 1e-10 and result.nyquist < 1e-10


def test_unequal_widths_are_more_than_the_least() -> None:
    """Per axis 1/4; in total sum(w_i^2 / 2) sum(1 / 2 w_i^2)."""
    grid = Grid(axis("x", "clip", 65, length=16.0), axis("y", "clip", 65, length=40.0))
    x, y = grid.mesh()
    result = uncertainty_product(Landscape(np.exp(-((x - 8) ** 2) / 2 - (y - 20) ** 2 / (2 * 9)), grid))
    assert result.per_axis == pytest.approx([0.25, 0.25], rel=1e-10)
    assert result.product == pytest.approx((1 + 9) / 2 * (1 + 1 / 9) / 2, rel=1e-10)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_hermite_functions(order: int) -> None:
    grid = Grid(axis("x", "zero", 128, length=24.0))
    x = grid[0].coordinates - 12.0
    values = np.polynomial.hermite.hermval(x, [0.0] * order + [1.0]) * np.exp(-(x**2) / 2)
    result = uncertainty_product(Landscape(1e200 * values / np.abs(values).max(), grid))
    assert result.product == pytest.approx((order + 0.5) ** 2, rel=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_others_are_above(seed: int) -> None:
    generator = np.random.default_rng(seed)
    grid = Grid(axis("x", "clip", 80, length=40.0), axis("y", "clip", 80, length=40.0))
    x, y = grid.mesh()
    values = np.zeros(grid.shape)
    for a, b, width, height in generator.uniform([14, 14, 1, -1], [26, 26, 2, 1], (5, 4)):
        values += height * np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * width**2))
    result = uncertainty_product(Landscape(values, grid))
    assert result.edge < 1e-8 and result.nyquist < 1e-8
    assert min(result.per_axis) > 0.25 * (1 + 1e-6)
    assert result.product > 1.0 + 1e-6


def test_a_circle_has_no_edge() -> None:
    """A bump across the seam is the bump in the middle."""
    grid = Grid(axis("x", "periodic", 64, length=20.0))
    x = grid[0].coordinates
    bump = np.exp(-((x - 10.0) ** 2) / 2)
    for shift in (0, 17, 32, 50):
        result = uncertainty_product(Landscape(np.roll(bump, shift), grid))
        assert result.product == pytest.approx(0.25, rel=1e-10)


def test_jumps_and_needles_are_told() -> None:
    grid = Grid(axis("x", "reflect", 101))
    box = uncertainty_product(Landscape(np.ones(101), grid))
    assert box.edge == 1.0 and box.product > 0.25
    assert "jump" in str(box)
    needle = np.zeros(101)
    needle[40] = 2.0
    result = uncertainty_product(Landscape(needle, grid))
    assert result.nyquist == pytest.approx(1.0)
    assert result.position_variance == (0.0,)
    assert "does not resolve" in str(result)


def test_refusals() -> None:
    grid = Grid(axis("x", "reflect", 9))
    with pytest.raises(UnsupportedError, match="one at a time"):
        uncertainty_product(Landscape(np.ones((2, 9)), grid))
    with pytest.raises(UnsupportedError, match="f = 0"):
        uncertainty_product(Landscape(np.zeros(9), grid))


def test_results_can_be_read_and_written(rng: np.random.Generator) -> None:
    grid = Grid(axis("x", "clip", 12), axis("y", "absorb", 9), axis("z", "reflect", 4))
    q = Landscape(rng.standard_normal(grid.shape), grid)
    before = q.values.copy()
    result = uncertainty_product(q)
    assert np.array_equal(q.values, before)
    entries = result.as_dict()
    assert json.loads(json.dumps(entries, allow_nan=False)) == json.loads(json.dumps(entries))
    assert "axis 3" in str(result)
