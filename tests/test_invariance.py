"""The flow commutes with adding a constant, and with scaling Q: for every solver, boundary, type and number of axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Evolution, Grid, Landscape, evolve, load
from heatpg.errors import HeatpgError
from heatpg.evolution import solve
from heatpg.solvers import solvers
from heatpg.verify import verify

LEVELS = [0.3, 0.6]
BOUNDARIES = ["periodic", "reflect", "absorb", "clip"]
Array = np.ndarray[Any, Any]


def line(boundary: str, nodes: Any = "vertex", size: int = 65) -> Grid:
    return Grid(Axis("x", -2.0, 2.0, size, boundary=boundary, nodes="vertex" if boundary == "periodic" else nodes))


def shape(grid: Grid) -> Array:
    x = sum(
        axis.coordinates.reshape([-1 if i == j else 1 for j in range(grid.dimensions)]) * (1.0 - 0.4 * i)
        for i, axis in enumerate(grid)
    )
    return np.asarray(np.exp(-2.0 * np.square(x)) + 0.5 * np.cos(3.0 * x))


def solved(values: Array, grid: Grid, solver: str) -> Evolution:
    try:
        return solve(Landscape(values, grid), LEVELS, solver)
    except HeatpgError:
        pytest.skip(f"{solver} does not take this boundary")


@pytest.mark.parametrize("solver", solvers.names())
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(("dtype", "offset"), [(np.float32, 101325.0), (np.float64, -1e9), (np.float64, 1e12)])
def test_an_offset_does_not_matter(solver: str, boundary: str, dtype: Any, offset: float) -> None:
    for nodes in ("vertex", "cell"):
        grid = line(boundary, nodes)
        values = (shape(grid) + offset).astype(dtype)
        moved = solved(values, grid, solver)
        # exact, because the two numbers differ by less than a factor of two
        plain = solved(values.astype(np.float64) - offset, grid, solver)
        # half a unit in the last place where the offset is put back; in single precision the solution itself too, whose
        # rounding is at most a few hundred of its own units, and here a thousandth of those of the offset
        unit = float(np.spacing(np.abs(values).max()))
        difference = moved.values.astype(np.longdouble) - (plain.values.astype(np.longdouble) + offset)
        assert np.abs(difference).max() <= 0.51 * unit
        # two solutions in double precision differ by some hundred roundings of the range, and their differences by that
        # over the spacing; in the end they are rounded to the type
        slope, rounding = np.abs(plain.gradient()).max(), 100 * np.finfo(np.float64).eps * np.ptp(shape(grid))
        allowed = rounding / grid[0].spacing + slope * np.finfo(dtype).eps
        assert np.abs(moved.gradient() - plain.gradient()).max() <= allowed
        report = verify(moved, "full")
        assert report.passed, str(report)
        # the bound says that single numbers were put back, and not that sums of them were rounded: half a unit,
        # beside what the solver may be off by without any offset
        bound, without = report["cross-check"].bound, verify(plain, "full")["cross-check"].bound
        assert bound is not None and without is not None
        assert bound <= 1.01 * without + (unit + 300 * np.finfo(dtype).eps) / np.ptp(shape(grid))


@pytest.mark.parametrize("solver", solvers.names())
@pytest.mark.parametrize("boundary", [*BOUNDARIES, "zero"])
@pytest.mark.parametrize(
    ("dtype", "exponent"),
    [(np.float32, -140), (np.float32, 120), (np.float64, -1040), (np.float64, -990), (np.float64, 1020)],
)
def test_a_factor_does_not_matter(solver: str, boundary: str, dtype: Any, exponent: int) -> None:
    grid = line(boundary)
    # of few digits, so that subnormal numbers hold them too
    values = np.ldexp(np.rint(32.0 * shape(grid)), -5)
    plain = solved(values.astype(dtype), grid, solver)
    scaled = solved(np.ldexp(values, exponent).astype(dtype), grid, solver)
    expected = np.ldexp(plain.values, exponent)
    # by a power of two, so to the bit; where numbers are subnormal to their spacing
    np.testing.assert_allclose(scaled.values, expected, rtol=0, atol=float(np.finfo(dtype).smallest_subnormal))
    report = verify(scaled, "full")
    assert report.passed, str(report)
    assert report["cross-check"].status == verify(plain, "full")["cross-check"].status


@pytest.mark.parametrize("solver", solvers.names())
@pytest.mark.parametrize("boundary", [*BOUNDARIES, "zero"])
def test_origin_and_unit_of_an_axis_do_not_matter(solver: str, boundary: str) -> None:
    values = np.random.default_rng(0).standard_normal(65)
    plain = solved(values, line(boundary), solver)
    # Unix seconds, a million millions of lengths away, and units that are far too large and too small
    for lower, length in ((1.7e9, 4.0), (-4e12, 4.0), (0.0, 4e-140), (0.0, 4e140), (-4e62, 4e50)):
        axis = Axis("x", lower, lower + length, 65, boundary=boundary)
        scale = axis.spacing / plain.grid[0].spacing
        moved = solve(Landscape(values, Grid(axis)), [scale * sigma for sigma in LEVELS], solver)
        # sigma over the spacing is rounded once more, which moves u by as much times its slope; slopes go with 1 / h
        np.testing.assert_allclose(moved.values, plain.values, rtol=0, atol=1e-13)
        slope = np.abs(plain.gradient()).max()
        np.testing.assert_allclose(moved.gradient() * scale, plain.gradient(), rtol=0, atol=1e-12 * slope)
        assert verify(moved, "full")["cross-check"].status == verify(plain, "full")["cross-check"].status == "passed"


@pytest.mark.parametrize("offset", [1e9, 1e12])
def test_correlated_noise(offset: float) -> None:
    grid = Grid(Axis("x", -2.0, 2.0, 24, boundary="periodic"), Axis("y", -2.0, 2.0, 25, boundary="clip"))
    values = shape(grid) + offset
    covariance = [[0.09, 0.05], [0.05, 0.16]]
    moved = evolve(Landscape(values, grid), covariance=covariance)
    plain = evolve(Landscape(values - offset, grid), covariance=covariance)
    assert moved.report.passed
    assert np.abs(moved.values - offset - plain.values).max() <= 0.51 * np.spacing(offset)
    assert np.abs(moved.gradient() - plain.gradient()).max() <= 1e-12 * np.abs(plain.gradient()).max()


def test_planes_and_batches_with_an_offset_each() -> None:
    grid = Grid(Axis("x", -2.0, 2.0, 21, boundary="reflect"), Axis("y", -2.0, 2.0, 22, boundary="clip"))
    offsets = np.array([0.0, 1e6, -1e11]).reshape(3, 1, 1)
    values = shape(grid) + offsets
    moved, plain = (evolve(Landscape(q, grid), LEVELS) for q in (values, values - offsets))
    assert moved.report.passed
    error = np.abs(moved.values - offsets - plain.values).max(axis=(0, 2, 3))
    assert (error <= 0.51 * np.spacing(np.abs(values).max(axis=(1, 2)))).all()
    np.testing.assert_allclose(moved.gradient(), plain.gradient(), rtol=0, atol=1e-11)


def test_a_constant_stays_what_it_is() -> None:
    for boundary in BOUNDARIES:
        for constant in (0.1, 1e300, 1e-320, -7e11):
            flow = evolve(Landscape(np.full(40, constant), line(boundary, size=40)), [0.01, 0.3, 5.0])
            assert (flow.values == constant).all()
            assert (flow.gradient() == 0.0).all()
            assert flow.report.passed


def test_a_fault_is_not_hidden_by_an_offset() -> None:
    """A millionth of the range is seen beside an offset of 1e9 times the range, which leaves 1e-7 of it."""
    grid = line("reflect")
    flow = evolve(Landscape(shape(grid) + 1e9, grid), LEVELS)
    assert flow.report.passed
    values = flow.values.copy()
    values[1, 30] += 1e-5
    flow.values = values
    assert len(flow.report) == 0  # a report belongs to its values
    assert not verify(flow, "full").passed


def test_the_values_of_a_result_cannot_be_written_to(tmp_path: Path) -> None:
    grid = line("reflect")
    given = shape(grid)
    landscape = Landscape(given, grid)
    given[3] = 7.0
    assert landscape.values[3] != 7.0
    flow = evolve(landscape, LEVELS)
    flow.save(tmp_path / "flow.h5")
    for one in (flow, load(tmp_path / "flow.h5"), flow.centred()):
        with pytest.raises(ValueError, match="read-only"):
            one.values[0] = 0.0
        with pytest.raises(ValueError, match="read-only"):
            one.landscape.values[0] = 0.0
    frozen = shape(grid)
    frozen.setflags(write=False)
    kept = Landscape(frozen, grid)
    frozen.setflags(write=True)
    frozen[3] = 7.0
    assert kept.values[3] != 7.0
