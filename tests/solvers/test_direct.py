"""The quadrature filter: its tolerance, its cost, and its two ways through memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape
from heatpg.boundaries import boundaries
from heatpg.core.narrow import narrow_weights
from heatpg.evolution import solve
from heatpg.solvers import direct, make
from heatpg.solvers.filters import bundles_of_lines
from heatpg.solvers.lines import SweepOperator
from heatpg.verify.reference import reference_rows
from tests.references import weights_of_cells_and_walls

Array = NDArray[Any]

KINDS: list[tuple[str, Any]] = [(boundary, nodes) for boundary in boundaries.names() for nodes in ("vertex", "cell")]
EPS = float(np.finfo(np.float64).eps)


def advance(solver: Any, values: Array, grid: Grid, sigma: Any) -> Array:
    return np.asarray(solve(Landscape(values, grid), sigma, solver).values[-1])


@pytest.mark.parametrize("tolerance", [1e-14, 1e-10, 1e-6, 1e-3, 1e-2])
@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_the_error_is_below_the_tolerance_for_all_data(tolerance: float, boundary: str, nodes: Any) -> None:
    axis = Axis("x", 0.0, 1.0, 61, boundary=boundary, nodes=nodes)
    solver = make("direct", tolerance=tolerance)
    for ratio in (0.4, 1.0, 3.0, 14.0, 70.0):
        sigma = ratio * axis.spacing
        weights = advance(solver, np.eye(61), Grid(axis), sigma).T
        # worst error over data with osc = 1 when continued: rows of the error sum to zero, but not with zeros outside;
        # data between 0 and 1 that are turned over about a chord between 0 and 1 have osc = 2
        share = {"absorb": 0.25, "zero": 1.0}.get(boundary, 0.5)
        if axis.faced:  # cells between 0 and 1 have values between -2.5 and 3.5 on the walls
            share /= 6.0
        error = weights - reference_rows(axis, sigma, np.arange(61), corrected=True)
        assert share * np.abs(error).sum(axis=1).max() <= tolerance + 40 * EPS, ratio
        if axis.faced:
            # the weights of the values on the walls are differences of numbers near one, cut at the tolerance
            assert weights_of_cells_and_walls(weights).min() >= -2 * tolerance - 64 * EPS
        elif boundary != "absorb":
            assert weights.min() >= -1e-18  # far out only rounding is left of a difference of two Gaussians
        if boundary != "zero":
            assert np.abs(weights.sum(axis=1) - 1.0).max() <= 16 * EPS


def test_a_tolerance_saves_taps() -> None:
    axis = Axis("x", 0.0, 1.0, 1000, boundary="periodic")
    taps = []
    for tolerance in (None, 1e-12, 1e-4):
        operator: Any = make("direct", tolerance=tolerance).operator(  # type: ignore[attr-defined]
            axis, 0.0, (2 * axis.spacing) ** 2, np.dtype(float)
        )
        taps.append((len(operator.moved) - 3, len(operator.taken)))
    assert taps == [(40, 40), (36, 32), (24, 20)]


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("size", [9, 33, 50, 131])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_wide_bundles_give_what_the_engine_gives(
    boundary: str, nodes: Any, size: int, dtype: Any, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    grid = Grid(
        Axis("x", 0.0, 1.0, size, boundary=boundary, nodes=nodes),
        Axis("y", 0.0, 1.0, 43, boundary=boundary, nodes=nodes),
    )
    values = rng.standard_normal((7, *grid.shape)).astype(dtype)
    for ratio in (0.3, 1.0, 2.3, 4.0):
        sigma = [ratio * np.array(grid.spacing)]
        wide = solve(Landscape(values, grid), sigma, "direct")
        with monkeypatch.context() as patch:
            patch.setattr(direct._FilterOperator, "apply", SweepOperator.apply)
            narrow = solve(Landscape(values, grid), sigma, "direct")
            slope = narrow.gradient(0)
        unit = 32 * float(np.finfo(dtype).eps)
        assert wide.values.dtype == dtype
        assert np.abs(wide.values - narrow.values).max() <= unit * np.abs(values).max()
        scale = np.abs(values).max() / min(grid.spacing) / min(1.0, ratio)
        assert np.abs(wide.gradient(0) - slope).max() <= 4 * unit * scale


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [255, 256, 257, 700])
def test_lines_in_one_piece_are_sums_of_neighbours(size: int, dtype: Any, rng: np.random.Generator) -> None:
    """Longer and shorter than a stretch; 3 to 37 weights, so that what is left of eights is four or nothing.

    Those of 1.3 are cut at four nodes, the last of which has a hundredth: a tail that is left out would not be seen.
    """
    axis = Axis("x", 0.0, float(size), size, boundary="periodic")
    values = rng.standard_normal((3, size)).astype(dtype)
    for sigma, tolerance, radius in ((0.3, None, 3), (0.7, None, 3), (1.0, None, 40), (1.3, 1e-2, 4), (2.0, None, 40)):
        solver = make("direct", tolerance=tolerance)
        found = advance(solver, values, Grid(axis), sigma)
        number = np.arange(-radius, radius + 1)
        weights = narrow_weights(sigma) if sigma < 1.0 else np.exp(-0.5 * np.square(number / sigma))
        assert len(weights) == len(number)
        weights = weights / weights.sum()
        for line, u in zip(values.astype(float), found, strict=True):
            wanted = np.convolve(np.pad(line, radius, mode="wrap"), weights, mode="valid")
            # half a unit in the last place for each of the weights that are not seen to be zero
            assert np.abs(u - wanted).max() <= 20 * float(np.finfo(dtype).eps) * np.abs(line).max()
        assert np.array_equal(found[1], advance(solver, values[1], Grid(axis), sigma))


@pytest.mark.parametrize("name", ["direct", "multiresolution"])
def test_work_that_is_cut_into_several_calls_is_whole(name: str, rng: np.random.Generator) -> None:
    """Long lines, more than one call of the kernel: every line against itself alone."""
    grid = Grid(Axis("x", 0.0, 1.0, 1500, boundary="reflect"))
    values = rng.standard_normal((300, 1500))
    lines, lanes = bundles_of_lines(300, 128, 1, 1500), 128
    assert [number for number, _ in lines] == [lanes, lanes, 300 - 2 * lanes]
    whole = advance(name, values, grid, 8.0 * grid.spacing[0])
    for i in (0, 127, 128, 255, 256, 299):
        assert np.abs(whole[i] - advance(name, values[i], grid, 8.0 * grid.spacing[0])).max() <= 64 * EPS


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("size", [3, 33, 130])
@pytest.mark.parametrize("shape", [(1, -1), (9, -1), (-1, 7), (2, -1, 150)])
def test_a_matrix_gives_its_sums(size: int, dtype: Any, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    """A line alone, several, lines side by side, and more of these than one bundle holds; also in place."""
    position = shape.index(-1)
    values = rng.standard_normal([size if n < 0 else n for n in shape]).astype(dtype)
    matrix = rng.standard_normal((size, size)).astype(dtype)
    operator = direct._MatrixOperator(matrix)
    result = np.full_like(values, np.nan)
    operator.apply(values, result, position)

    def exact(left: Array, right: Array) -> Array:
        moved = np.moveaxis(right.astype(np.longdouble), position, 0)
        return np.moveaxis(np.tensordot(left.astype(np.longdouble), moved, 1), 0, position)

    # each of n sums rounds its product with the sum before once, relative to what the absolute values sum to
    bound = size * np.finfo(dtype).eps * exact(np.abs(matrix), np.abs(values))
    assert (np.abs(result - exact(matrix, values)) <= bound).all()
    operator.apply(values, values, position)
    assert np.array_equal(values, result)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_line_has_the_same_bits_alone_and_among_others(dtype: Any, rng: np.random.Generator) -> None:
    operator = direct._MatrixOperator(rng.standard_normal((45, 45)).astype(dtype))
    values = rng.standard_normal((150, 45)).astype(dtype)
    together, across = np.empty((150, 45), dtype), np.empty((45, 150), dtype)
    operator.apply(values, together, 1)
    operator.apply(np.ascontiguousarray(values.T), across, 0)
    assert np.array_equal(together, across.T)
    for number in (0, 149):
        alone = np.empty((1, 45), dtype)
        operator.apply(values[number : number + 1], alone, 1)
        assert np.array_equal(alone[0], together[number])


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_matrix_and_filter_are_one_map(
    boundary: str, nodes: Any, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    """Where a window is wider than a short line the one is taken for speed; both are sums of the same weights."""
    axis = Axis("x", 0.0, 1.0, 41, boundary=boundary, nodes=nodes)
    solver: Any = make("direct")
    values = rng.standard_normal((60, 41))
    for ratio in (2.5, 3.0, 4.5):
        results = []
        for most in (256, 0):
            monkeypatch.setattr(direct, "_SMALL_MATRIX", most)
            operator: Any = solver.convolution(axis, (ratio * axis.spacing) ** 2, np.dtype(float), False)
            assert isinstance(operator, direct._MatrixOperator) == (most > 0)
            result = np.empty_like(values)
            operator.apply(values, result, 1)
            results.append(result)
        # 2 x 78 weights whose absolute values sum to 2 at most, chord and ends included, and twice as many at both ends
        assert np.abs(results[0] - results[1]).max() <= 4 * 78 * EPS * np.abs(values).max()
