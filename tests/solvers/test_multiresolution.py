"""The pyramid against the sum that it replaces, over tolerances, boundaries, sizes and sigmas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape
from heatpg.boundaries import boundaries
from heatpg.core.walls import with_walls
from heatpg.errors import OptionError
from heatpg.evolution import solve
from heatpg.solvers import make
from heatpg.solvers.multiresolution import Multiresolution, _gaussian, _pyramid, _radius, _ratio
from heatpg.tools.parallel import set_threads, threads
from heatpg.verify import verify
from heatpg.verify.reference import reference_rows
from tests.references import weights_of_cells_and_walls

Array = NDArray[Any]

KINDS: list[tuple[str, Any]] = [(boundary, nodes) for boundary in boundaries.names() for nodes in ("vertex", "cell")]
TOLERANCES = [1e-14, 1e-12, 1e-10, 1e-7, 1e-5, 1e-3]
EPS = float(np.finfo(np.float64).eps)


def axis_of(boundary: str, nodes: Any, size: int, name: str = "x") -> Axis:
    return Axis(name, 0.0, 1.0, size, boundary=boundary, nodes=nodes)


def advance(solver: Any, values: Array, grid: Grid, sigma: Any) -> Array:
    return np.asarray(solve(Landscape(values, grid), sigma, solver).values[-1])


def matrix(solver: Any, axis: Axis, sigma: float) -> Array:
    """Column j is the evolution of a delta at node j."""
    return advance(solver, np.eye(axis.size), Grid(axis), sigma).T


def exact_matrix(axis: Axis, sigma: float) -> Array:
    return np.asarray(reference_rows(axis, sigma, np.arange(axis.size), corrected=True))


@pytest.mark.parametrize("tolerance", TOLERANCES)
@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("size", [31, 97])
def test_the_error_is_below_the_tolerance_for_all_data(tolerance: float, boundary: str, nodes: str, size: int) -> None:
    """Half the largest sum of |row of the error| is the worst error over all data with osc(Q) = 1."""
    axis = axis_of(boundary, nodes, size)
    solver = Multiresolution(tolerance)
    coarse = 0
    for ratio in (2.0, 4.0, 6.5, 11.0, 40.0, 200.0):
        sigma = ratio * axis.spacing
        # held ends and zeros outside: data between 0 and 1 continue to values between -1 and 2
        share = 1.0 if boundary in ("absorb", "zero") else 0.5
        if axis.faced:  # cells between 0 and 1 have values between -2.5 and 3.5 on the walls
            share /= 6.0
        error = share * np.abs(matrix(solver, axis, sigma) - exact_matrix(axis, sigma)).sum(axis=1).max()
        assert error <= tolerance + 40 * EPS, ratio
        coarse += solver.coarsens(axis, sigma**2)
    assert coarse >= 4


@pytest.mark.parametrize("tolerance", [1e-10, 1e-7, 1e-5, 1e-3])
def test_the_tolerance_is_used(tolerance: float) -> None:
    """The error is not far below what was expected: a lattice that is too fine would be slow."""
    axis = axis_of("periodic", "cell", 97)
    sigma = 12.0 * axis.spacing
    error = np.abs(matrix(make("multiresolution", tolerance=tolerance), axis, sigma) - exact_matrix(axis, sigma))
    assert 0.5 * error.sum(axis=1).max() >= tolerance / 100


@pytest.mark.parametrize("tolerance", [None, 1e-10, 1e-3])
@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_weights_are_positive_and_sum_to_one(tolerance: float | None, boundary: str, nodes: str) -> None:
    axis = axis_of(boundary, nodes, 53)
    for ratio in (6.0, 15.0, 90.0):
        weights = matrix(make("multiresolution", tolerance=tolerance), axis, ratio * axis.spacing)
        if axis.faced:
            # the weights of the values on the walls are differences of numbers near one, cut at the tolerance
            assert weights_of_cells_and_walls(weights).min() >= -2 * (tolerance or 0.0) - 64 * EPS
        else:
            assert weights.min() >= (-8 * EPS if boundary != "absorb" else -(tolerance or 8 * EPS))
        sums = weights.sum(axis=1)
        if boundary == "zero":
            assert sums.max() <= 1.0 + 8 * EPS
        else:
            assert np.abs(sums - 1.0).max() <= 16 * EPS
        if axis.rule.conserves_mass:
            # the trapezoid sum of u is the integral of Q by Gregory's rule, with no correction on a circle
            kept = axis.integration_weights(4)
            lost = np.abs(axis.weights @ weights - kept) / kept
            assert lost.max() <= 2 * (tolerance or 0.0) + 64 * EPS


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("size", [67, 128, 211])
def test_agrees_with_spectral(boundary: str, nodes: Any, size: int, rng: np.random.Generator) -> None:
    """To 1e-12 of osc(Q) from 3 h on, on one axis and on two, values and gradients."""
    grids = Grid(axis_of(boundary, nodes, size)), Grid(*(axis_of(boundary, nodes, size + i, f"x{i}") for i in (0, 1)))
    for grid in grids:
        values = np.where(rng.random(grid.shape) < 0.5, 0.0, 1.0)
        h = np.array(grid.spacing)
        for ratio in (3.0, 7.7, 20.0, 200.0):
            pair = [solve(Landscape(values, grid), [ratio * h], name) for name in ("spectral", "multiresolution")]
            assert np.abs(pair[0].values - pair[1].values).max() <= 1e-12
            for i in range(grid.dimensions):
                assert np.abs(pair[0].gradient(0)[i] - pair[1].gradient(0)[i]).max() * h[i] <= 1e-12


@pytest.mark.parametrize("name", ["multiresolution", "direct"])
@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("shape", [(37, 1), (5, 37), (150, 37), (2, 37, 140), (3, 37, 30), (1, 300, 257)])
def test_every_way_through_memory_gives_the_same(
    name: str, boundary: str, nodes: Any, shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    """Lines side by side or end to end, few or many, on any array axis, bundles that are not full."""
    along = 0 if shape[1] == 1 else 1
    values = rng.standard_normal(shape)
    axis = axis_of(boundary, nodes, shape[along])
    still = [Axis(f"y{i}", 0.0, 1.0, max(3, n), boundary="reflect") for i, n in enumerate(shape)]
    for ratio in (1.7, 9.0):
        moved = np.moveaxis(values, along, -1)
        expected = np.moveaxis(moved @ exact_matrix(axis, ratio * axis.spacing).T, -1, along)
        after = shape[along + 1 :]
        if any(n < 3 for n in after):
            continue
        grid = Grid(axis, *still[along + 1 :])
        sigma = np.array([[ratio * axis.spacing, *[0.0] * len(after)]])
        assert np.abs(advance(name, values, grid, sigma) - expected).max() <= 64 * EPS * np.abs(values).max()
        gradient = solve(Landscape(values, grid), sigma, name).gradient(0)[0]
        alone = solve(Landscape(np.ascontiguousarray(moved), Grid(axis)), ratio * axis.spacing, "spectral").gradient(0)
        if ratio > 3.0:
            assert np.abs(gradient - np.moveaxis(alone[0], -1, along)).max() * axis.spacing <= 1e-13


def test_mixed_axes_are_coarsened_or_convolved(rng: np.random.Generator) -> None:
    grid = Grid(
        axis_of("clip", "vertex", 41, "x"), axis_of("reflect", "cell", 60, "y"), axis_of("absorb", "vertex", 53, "z")
    )
    values = rng.standard_normal((2, *grid.shape))
    for ratios in ([9.0, 1.5, 12.0], [1.5, 9.0, 0.0], [0.0, 0.0, 30.0], [0.3, 2.0, 2.0], [7.0, 8.0, 9.0]):
        sigma = [np.array(ratios) * grid.spacing]
        pair = [solve(Landscape(values, grid), sigma, name) for name in ("direct", "multiresolution")]
        assert np.abs(pair[0].values - pair[1].values).max() <= 1e-13
        for i in range(3):
            assert np.abs(pair[0].gradient(0)[i] - pair[1].gradient(0)[i]).max() * grid.spacing[i] <= 1e-13


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_single_precision_reaches_its_round_off(boundary: str, nodes: Any, rng: np.random.Generator) -> None:
    grid = Grid(axis_of(boundary, nodes, 101, "x"), axis_of(boundary, nodes, 90, "y"))
    values = rng.standard_normal(grid.shape).astype(np.float32)
    for tolerance in (None, 1e-14, 1e-4):
        for sigma in (0.05, 0.2, 2.0):
            solver = make("multiresolution", tolerance=tolerance)
            single = advance(solver, values, grid, sigma)
            assert single.dtype == np.float32
            exact = advance("spectral", values.astype(float), grid, sigma)
            # the range is that of the values on the walls too, where these count
            span = np.ptp(with_walls(values, grid))
            assert np.abs(single - exact).max() <= (max(tolerance or 0.0, 1e-8) + 2e-7) * 2 * span


@pytest.mark.parametrize("name", ["multiresolution", "direct"])
@pytest.mark.parametrize("tolerance", [1e-14, 1e-9, 1e-3])
@pytest.mark.parametrize("boundary", boundaries.names())
def test_the_checks_know_the_tolerance(name: str, tolerance: float, boundary: str, rng: np.random.Generator) -> None:
    grid = Grid(axis_of(boundary, "vertex", 70, "x"), axis_of(boundary, "vertex", 80, "y"))
    values = (rng.random(grid.shape) < 0.5) * 1.0
    flow = solve(Landscape(values, grid), [0.0, 0.03, 0.1, 0.5], make(name, tolerance=tolerance))
    assert verify(flow, "full").passed


def test_the_terms_of_the_bound() -> None:
    """Aliasing and truncation, each against the sum that the docstring bounds."""
    for tolerance in TOLERANCES:
        ratio = _ratio(30.0, tolerance)
        k = np.arange(1, 10)
        assert 2 * np.exp(-((np.pi * k * 30.0 / ratio) ** 2) / 2).sum() <= tolerance / 2 * (1 + 1e-3)
        radius = _radius(ratio, 30.0 / np.sqrt(2), tolerance)
        beyond = radius + np.linspace(0.0, 1.0, 11)[:, None] * ratio + ratio * np.arange(40)
        assert 2 * ratio * _gaussian(beyond, 450.0).sum(axis=1).max() <= tolerance / 4


def test_the_cost_does_not_depend_on_sigma() -> None:
    taps = [
        _pyramid(4096, "reflect", "vertex", 1.0, sigma, 1e-10, "float64", False).up.shape[2]
        for sigma in (8.0, 32.0, 512.0)
    ]
    assert max(taps) == 24
    assert min(taps) >= 20


def test_threads_do_not_change_a_bit(rng: np.random.Generator) -> None:
    grid = Grid(axis_of("reflect", "vertex", 701, "x"), axis_of("clip", "vertex", 900, "y"))
    values = rng.standard_normal(grid.shape)
    before, results = threads(), []
    try:
        for count in (1, 2):
            set_threads(count)
            results += [advance(name, values, grid, 0.02) for name in ("multiresolution", "direct")]
    finally:
        set_threads(before)
    assert np.array_equal(results[0], results[2])
    assert np.array_equal(results[1], results[3])


def test_what_was_left_in_the_work_space_does_no_harm(rng: np.random.Generator) -> None:
    """An overflow in one call leaves infinities behind; a weight of zero times them would be no number."""
    grid = Grid(axis_of("clip", "vertex", 50, "x"), axis_of("clip", "vertex", 50, "y"))
    for name in ("multiresolution", "direct"):
        wild = make(name).start(np.full(grid.shape, np.inf), grid)
        with np.errstate(all="ignore"):
            wild.advance((0.04, 0.04), np.empty(grid.shape))
        for size in (5, 6, 7, 38):  # lines that fill no block, and one that does
            small = Grid(axis_of("clip", "vertex", size, "x"), axis_of("clip", "vertex", 50, "y"))
            values = rng.standard_normal(small.shape)
            sigma = [[6.0 * small.spacing[0], 0.2]]
            expected = advance("spectral", values, small, sigma)
            assert np.abs(advance(name, values, small, sigma) - expected).max() <= 1e-12


@pytest.mark.parametrize("tolerance", [0.0, -1.0, 1e-15, 1e-2, float("nan")])
def test_tolerances_below_round_off_are_refused(tolerance: float) -> None:
    with pytest.raises(OptionError, match="1e-14 to 1e-3"):
        Multiresolution(tolerance)


def test_promises() -> None:
    axis = axis_of("reflect", "vertex", 100)
    h = axis.spacing
    solver = make("multiresolution")
    assert solver.monotone(axis, (0.1 * h) ** 2)
    assert solver.monotone_between(axis, 0.0, (0.1 * h) ** 2)
    assert not solver.monotone_between(axis, (0.5 * h) ** 2, h**2)
    assert solver.order_space == np.inf
    angle = np.linspace(0.0, np.pi, 5)
    assert np.allclose(solver.interval_symbol(angle, axis, 0.0, (8 * h) ** 2), np.exp(-32 * angle**2), atol=1e-16)


@pytest.mark.parametrize("boundary", ["periodic", "reflect", "absorb", "clip", "zero"])
def test_the_end_of_a_long_line_is_as_right_as_its_beginning(boundary: str, rng: np.random.Generator) -> None:
    """Places far along a line have few digits left for a distance: at both ends weights are those of one density."""
    size = 200_000
    line = rng.standard_normal(size)
    grid = Grid(Axis("x", 0.0, 1.0, size, boundary=boundary))
    landscape = Landscape(np.stack([line, line[::-1]]), grid)
    one, mirrored = solve(landscape, 40 / size, "multiresolution").values[0]
    # a few roundings, of the chord between held ends too; of places alone it would be twenty times as much
    assert np.abs(one - mirrored[::-1]).max() <= 1e-15 * np.abs(line).max()
