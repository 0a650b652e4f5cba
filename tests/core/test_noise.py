"""Noise whose variance is no normal number, from every door."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, evolve
from heatpg.boundaries import boundaries
from heatpg.core.noise import parse_covariance, parse_sigma
from heatpg.errors import SigmaError
from heatpg.evolution import solve
from heatpg.large import LargeLandscape, evolve_large
from heatpg.solvers import solvers

# length of the box, sigma: variances of 0 and infinity, of the axis and in units of its spacing
OUT_OF_RANGE = [(2e-162, 1e-163), (2e160, 1e159), (1.0, 1e-160), (1.0, 1e160), (1e100, 1e-60), (1e-100, 1e60)]
# squares that are normal, though just so
WITHIN = [(1e-150, 3e-151), (1e150, 3e149), (1.0, 1e-150), (1.0, 1e150)]


def line(length: float, boundary: str = "clip") -> Grid:
    return Grid(Axis("x", 0.0, length, 65, boundary=boundary))


def values(grid: Grid) -> Any:
    return np.exp(-np.square(np.arange(grid.size) / 10.0 - 3.0))


@pytest.mark.parametrize(("length", "sigma"), OUT_OF_RANGE)
def test_a_variance_that_is_no_number_is_refused_at_every_door(length: float, sigma: float, tmp_path: Path) -> None:
    grid = line(length)
    landscape = Landscape(values(grid), grid)
    flow = solve(landscape, length / 10) if 1e-150 < length < 1e150 else None
    doors: list[Callable[[], object]] = [
        lambda: evolve(landscape, sigma),
        lambda: evolve(landscape, {"x": [0.0, sigma]}, checks="full"),
        lambda: solve(landscape, [0.0, sigma], "direct"),
        lambda: parse_sigma([sigma], grid),
        lambda: evolve_large(LargeLandscape(values(grid), grid), sigma, tmp_path / "out.h5"),
    ]
    if flow is not None:
        doors.append(lambda: flow.at(sigma))
    if 0 < sigma * sigma < np.inf:
        doors.append(lambda: parse_covariance([[sigma * sigma]], grid))
    for door in doors:
        with pytest.raises(
            SigmaError, match=r"(?s)'x' .*overflows or underflows double precision.*(change the unit|use sigma=0)"
        ):
            door()
    # an axis without noise may have any unit
    assert np.array_equal(solve(landscape, 0.0).values[0], landscape.values)


@pytest.mark.parametrize("name", solvers.names())
@pytest.mark.parametrize("boundary", boundaries.names())
def test_variances_that_are_numbers_are_solved(name: str, boundary: str) -> None:
    """The same problem in another unit has the same fields; narrow noise leaves Q, wide noise its limit."""
    for length, sigma in WITHIN:
        grid = line(length, boundary)
        flow = evolve(Landscape(values(grid), grid), sigma, solver=name, checks="full")
        assert flow.report.passed
        assert np.isfinite(flow.gradient()).all()
        if length != 1.0:
            usual = line(1.0, boundary)
            same = solve(Landscape(values(usual), usual), sigma / length, name)
            np.testing.assert_allclose(flow.values, same.values, rtol=0, atol=1e-13)
            # spacings and sigmas round differently in another unit, and a gradient divides by the spacing
            np.testing.assert_allclose(flow.gradient() * length, same.gradient(), rtol=0, atol=1e-11)


def test_one_level_is_a_copy_of_what_was_given() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 9, boundary="clip"))
    given = np.array([0.25])
    found = parse_sigma(given, grid)
    assert found.tolist() == [0.25]
    assert not np.shares_memory(found, given)
