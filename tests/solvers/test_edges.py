"""The edge of the box: order, range, sums of rows and corners, against quadrature that knows nothing of nodes."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.special import ndtr

from heatpg import Axis, Grid, Landscape
from heatpg.core.field import HeatField
from heatpg.core.kinks import jumps_along
from heatpg.evolution import solve
from heatpg.solvers import edges, make
from heatpg.solvers.edges import kink_waves, mirror_change
from heatpg.solvers.transforms import basis_along
from heatpg.verify.conservation import conservation
from heatpg.verify.crosscheck import crosscheck
from tests.references import face_rows, slope

Array = NDArray[Any]

BOUNDARIES = ("clip", "zero", "reflect")
EVERY = ("clip", "reflect", "zero", "absorb", "periodic")
SOLVERS = ("direct", "multiresolution", "spectral", "compact")
# a solver of its own for each fault, for which no operator is kept
TOLERANCES = {"left out": 1.1e-17, "one side": 1.2e-17, "a thousandth": 1.3e-17, "moved by a node": 1.4e-17}
SUMS = ("direct", "multiresolution", "spectral")


def smooth(x: Array) -> Array:
    """With a slope, a value and a curvature at both ends of [-1, 1]."""
    return np.asarray(np.exp(0.7 * x) + 0.3 * np.sin(2.0 * x))


def expected(x: float, sigma: float, boundary: str, derivative: bool = False) -> float:
    """The convolution of the continued function, or its derivative, by Gauss-Legendre in pieces of sigma / 2."""
    nodes, masses = np.polynomial.legendre.leggauss(16)
    slope_ = 0.5 * (float(smooth(np.array(1.0))) - float(smooth(np.array(-1.0))))

    def chord(y: Array) -> Array:
        return np.asarray(float(smooth(np.array(-1.0))) + slope_ * (y + 1.0))

    def integral(low: float, high: float, function: Callable[[Array], Array]) -> float:
        low, high = max(low, x - 10.0 * sigma), min(high, x + 10.0 * sigma)
        if low >= high:
            return 0.0
        pieces = max(1, math.ceil((high - low) / (0.5 * sigma)))
        edges = np.linspace(low, high, pieces + 1)
        half = 0.5 * (high - low) / pieces
        y = (edges[:-1, None] + half * (nodes + 1.0)).ravel()
        z = (x - y) / sigma
        kernel = np.exp(-0.5 * z * z) / (sigma * math.sqrt(2.0 * math.pi))
        if derivative:
            kernel = -z / sigma * kernel
        return math.fsum(np.tile(half * masses, pieces) * kernel * function(y))

    if boundary in ("clip", "zero"):
        total = integral(-1.0, 1.0, smooth)
        if boundary == "clip":
            low, high = float(smooth(np.array(-1.0))), float(smooth(np.array(1.0)))
            below, above = (-1.0 - x) / sigma, (x - 1.0) / sigma
            density = [math.exp(-0.5 * z * z) / (sigma * math.sqrt(2.0 * math.pi)) for z in (below, above)]
            total += high * density[1] - low * density[0] if derivative else low * ndtr(below) + high * ndtr(above)
        return float(total)
    total = 0.0
    for image in range(-math.ceil(5.0 * sigma) - 1, math.ceil(5.0 * sigma) + 2):
        sign = 1.0 if image % 2 == 0 else -1.0

        def mirrored(y: Array, image: int = image, sign: float = sign) -> Array:
            inside = sign * (y - 2.0 * image)
            return smooth(inside) if boundary == "reflect" else sign * (smooth(inside) - chord(inside))

        total += integral(2.0 * image - 1.0, 2.0 * image + 1.0, mirrored)
    if boundary == "absorb":
        total += slope_ if derivative else float(chord(np.array(x)))
    return total


def errors(
    solver: str, boundary: str, size: int, sigma: float, nodes: Any = "vertex", offset: float = 0.0, factor: float = 1.0
) -> tuple[float, float]:
    """Largest error of u and du/dx over the ends, the nodes next to them and some inside."""
    axis = Axis("x", -1.0, 1.0, size, boundary=boundary, nodes=nodes)
    flow = solve(Landscape(offset + factor * smooth(axis.coordinates), Grid(axis)), sigma, solver)
    places = sorted({0, 1, 2, 3, size // 4, size // 2, size - 4, size - 3, size - 2, size - 1})
    found = ((flow.values[0] - offset) / factor, flow.gradient(0)[0] / factor)
    result = []
    for field, derivative in zip(found, (False, True), strict=True):
        wanted = [expected(float(axis.coordinates[i]), sigma, boundary, derivative) for i in places]
        result.append(float(np.abs(field[places] - wanted).max()))
    return result[0], result[1]


def test_the_reference_itself() -> None:
    """Two values of 30 digits: u and du/dx at the right end, clip, sigma .15."""
    assert abs(expected(1.0, 0.15, "clip") - 2.215942697501633) < 1e-14
    assert abs(expected(1.0, 0.15, "clip", True) - 0.5934658228090334) < 1e-13


# What theory leaves at n = 41: E(4, 3) has errors of J_4 D_4 and of the derivatives, each a few h^5; a value on a wall
# of cells has one of h^4.
AT_41 = {
    ("clip", "vertex"): (1e-7, 4e-7),
    ("zero", "vertex"): (1e-7, 4e-7),
    ("reflect", "vertex"): (2e-7, 8e-7),
    ("clip", "cell"): (5e-6, 3e-5),
    ("zero", "cell"): (2e-7, 8e-7),
    ("reflect", "cell"): (4e-7, 1.6e-6),
}


@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("solver", [*SUMS, "auto"])
def test_the_end_node_is_as_good_as_promised(solver: str, boundary: str, nodes: Any) -> None:
    # none but zero outside, which is no offset, knows of a constant; a factor is exact
    for offset, factor in ((0.0, 1.0), (0.0 if boundary == "zero" else 1e3, 1e-8), (0.0, 2.0**60)):
        found = errors(solver, boundary, 41, 0.15, nodes, offset * factor, factor)
        # numbers of a thousand, which the data had to begin with
        rounding = 1e-12 if offset else 0.0
        assert found[0] < AT_41[boundary, nodes][0] + rounding
        assert found[1] < AT_41[boundary, nodes][1] + 20.0 * rounding


@pytest.mark.parametrize("sigma", [0.15, 0.5, 2.0])
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("boundary", [*BOUNDARIES, "absorb"])
@pytest.mark.parametrize("solver", [*SOLVERS, "auto"])
def test_order_at_the_edge_at_fixed_sigma(solver: str, boundary: str, nodes: Any, sigma: float) -> None:
    sizes = [41, 81, 161, 321]
    found = np.array([errors(solver, boundary, size, sigma, nodes) for size in sizes])
    order = 3.8 if solver == "compact" or (boundary, nodes) == ("clip", "cell") or boundary == "absorb" else 4.8
    for errors_ in found.T:
        # what has come to rounding, 1e-13 of values of 2.3 and of slopes divided by h, has no order
        above = [(2.0 / (n - 1), e) for n, e in zip(sizes, errors_.tolist(), strict=True) if e > 1e-13 * n]
        if len(above) > 2:
            steps, left = zip(*above[-3:], strict=True)
            assert slope(list(steps), list(left)) > order - (0.3 if solver == "compact" else 0.0)


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.7])
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("solver", ["direct", "spectral"])
def test_order_where_sigma_shrinks_with_the_spacing(solver: str, boundary: str, ratio: float) -> None:
    """Of order 4 in u and 3 in du/dx: each derivative of the Gaussian costs one power of h."""
    # at sigma = h the sampled Gaussian leaves 5e-9 of a jump of the slope, 3e-7 in du/dx: coarser grids show the order
    sizes = [41, 81, 161] if ratio > 1.0 else [21, 41, 81]
    found = np.array([errors(solver, boundary, size, ratio * 2.0 / (size - 1)) for size in sizes])
    steps = [2.0 / (size - 1) for size in sizes]
    assert slope(steps, found[:, 0].tolist()) > 3.8
    if ratio > 1.0:
        assert slope(steps, found[:, 1].tolist()) > 2.7
    else:
        assert found[-1, 1] < 1e-6


@pytest.mark.parametrize("ratio", [0.01, 0.3, 0.8])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_spectral_is_exact_on_kinks_below_the_spacing(boundary: str, ratio: float) -> None:
    """The Gibbs tail of the edge is gone: order 4, where it was 1."""
    sizes = [41, 81]
    found = [errors("spectral", boundary, size, ratio * 2.0 / (size - 1))[0] for size in sizes]
    assert found[0] < 1e-6
    assert slope([2.0 / (size - 1) for size in sizes], found) > 3.5


@pytest.mark.parametrize("ratio", [0.01, 0.3, 0.59, 0.8, 0.95])
@pytest.mark.parametrize("boundary", [*BOUNDARIES, "reflect", "absorb"])
def test_direct_below_the_spacing_is_of_order_2_at_the_walls_and_3_in_its_gradient(boundary: str, ratio: float) -> None:
    sizes = [41, 81]
    steps = [2.0 / (size - 1) for size in sizes]
    found = np.array([errors("direct", boundary, size, ratio * 2.0 / (size - 1)) for size in sizes])
    # of a jump 4e-4 is left away, where a weight would be negative for it, and that is of no order
    assert found[0, 0] < 5e-4
    if boundary != "zero" or ratio < 0.5:
        assert slope(steps, found[:, 0].tolist()) > 1.9
    assert found[0, 1] < 2e-4
    assert slope(steps, found[:, 1].tolist()) > 2.8


@pytest.mark.parametrize("boundary", [*BOUNDARIES, "reflect"])
def test_weights_below_the_spacing_are_positive_at_every_ratio(boundary: str) -> None:
    for size in (3, 4, 5, 9):
        axis = Axis("x", 0.0, size - 1.0, size, boundary=boundary)
        for ratio in np.linspace(0.001, 0.999, 60):
            matrix = _matrix("direct", axis, float(ratio))
            assert matrix.min() >= 0.0, (size, ratio)
            sums = matrix.sum(axis=1)
            assert np.abs(sums - 1.0).max() <= 1e-15 if boundary != "zero" else sums.max() <= 1.0 + 1e-15


def _matrix(solver: str, axis: Axis, sigma: float) -> Array:
    return np.asarray(solve(Landscape(np.eye(axis.size), Grid(axis)), sigma, solver).values[0].T)


def least_weight_of_cells_and_walls(matrix: Array) -> float:
    """The least weight where each row is written as a mean of cells and values on walls so that it is largest."""
    faces = face_rows(len(matrix))
    least = 0.0
    for row in matrix:
        # row - a lower - b upper >= t with a, b >= 0 and t <= 0, the largest t
        columns = np.column_stack([*faces, np.ones(len(row))])
        found = linprog([0.0, 0.0, -1.0], A_ub=columns, b_ub=row, bounds=[(0, None), (0, None), (None, 0)])
        assert found.x is not None
        least = min(least, float(found.x[2]))
    return least


@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("size", [3, 4, 5, 8, 33])
@pytest.mark.parametrize("solver", ["direct", "multiresolution"])
def test_weights_are_positive_and_rows_keep_their_sum(solver: str, size: int, boundary: str, nodes: Any) -> None:
    axis = Axis("x", 0.0, float(size - (nodes == "vertex")), size, boundary=boundary, nodes=nodes)
    for ratio in (0.5, 1.0, 1.2, 1.5, 2.0, 3.0, 5.5, 8.0, 20.0, 100.0, 2.0 * size):
        matrix = _matrix(solver, axis, ratio)
        if axis.faced:
            assert least_weight_of_cells_and_walls(matrix) >= -1e-15, ratio
        else:
            # below what 1e-18 of a weight would be; half a weight may be rounded where images are added up
            assert matrix.min() >= -1e-18, ratio
        sums = matrix.sum(axis=1)
        if boundary == "zero":
            assert sums.max() <= 1.0 + 4e-15
        else:
            np.testing.assert_allclose(sums, 1.0, rtol=0, atol=4e-15)


@pytest.mark.parametrize("solver", SUMS)
@pytest.mark.parametrize("boundary", ["clip", "reflect"])
def test_monotone_data_stay_monotone(solver: str, boundary: str) -> None:
    generator = np.random.default_rng(3)
    values = np.sort(generator.standard_normal((50, 17)) ** 3, axis=1)
    axis = Axis("x", 0.0, 16.0, 17, boundary=boundary)
    for sigma in (3.0, 4.5, 6.0, 20.0):
        field = solve(Landscape(values, Grid(axis)), sigma, solver).values[0]
        assert np.diff(field, axis=1).min() >= -1e-14 * np.abs(values).max()


@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("sigmas", [(1.2, 7.0, 4.0), (6.5, 2.2, 9.0), (0.5, 3.3, 1.7)])
def test_corners_are_products_of_lines(solver: str, sigmas: tuple[float, float, float], nodes: Any) -> None:
    """Every pair of boundaries, and triples, with batch axes: the tensor product of the matrices of the lines."""
    generator = np.random.default_rng(5)
    names = EVERY
    triples = [("reflect", "clip", "zero"), ("reflect", "reflect", "reflect"), ("reflect", "absorb", "reflect")]
    for boundaries in [*itertools.product(names, repeat=2), *triples, ("absorb", "zero", "reflect")]:
        axes = [
            Axis(f"x{i}", 0.0, n - (b != "periodic" and nodes == "vertex"), n, boundary=b, nodes=nodes)
            for i, (n, b) in enumerate(zip((9, 12, 7), boundaries, strict=False))
        ]
        values = generator.standard_normal((2, *(axis.size for axis in axes)))
        found = solve(Landscape(values, Grid(*axes)), [sigmas[: len(axes)]], solver).values[0]
        wanted = values
        for i, (axis, sigma) in enumerate(zip(axes, sigmas, strict=False)):
            wanted = np.moveaxis(np.tensordot(_matrix(solver, axis, sigma), wanted, (1, 1 + i)), 0, 1 + i)
        # a hundred roundings of values of 4
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-14)


CORNERS = [("clip", "reflect"), ("zero", "clip"), ("zero", "zero"), ("reflect", "reflect")]


@pytest.mark.parametrize("boundaries", CORNERS)
@pytest.mark.parametrize("solver", SUMS)
def test_order_in_a_corner(solver: str, boundaries: tuple[str, str]) -> None:
    """exp is a product, so its convolution is one of two lines."""
    sizes = [21, 41, 81]
    sigmas = (0.3, 0.45)
    found = []
    for size in sizes:
        axes = [Axis(n, -1.0, 1.0, size, boundary=b) for n, b in zip("xy", boundaries, strict=True)]
        values = np.multiply.outer(*(smooth(axis.coordinates) for axis in axes))
        flow = solve(Landscape(values, Grid(*axes)), [sigmas], solver)
        ends = [[expected(x, s, b) for x in (-1.0, 1.0)] for s, b in zip(sigmas, boundaries, strict=True)]
        slopes = [expected(x, sigmas[0], boundaries[0], True) for x in (-1.0, 1.0)]
        corners = np.ix_([0, -1], [0, -1])
        error = np.abs(flow.values[0][corners] - np.multiply.outer(*ends)).max()
        slope_error = np.abs(flow.gradient(0)[0][corners] - np.multiply.outer(slopes, ends[1])).max()
        found.append((float(error), float(slope_error)))
    steps = [2.0 / (size - 1) for size in sizes]
    for errors_ in zip(*found, strict=True):
        # a held end is exact, and stays what it was
        if errors_[0] > 1e-14:
            assert slope(steps, list(errors_)) > 4.7


@functools.cache
def flowed(boundary: str, nodes: Any, size: int, sigma: float, derivative: bool = False) -> tuple[Array, Array]:
    """A line and its flow, or the slope of that, by quadrature; on a circle of a wave."""
    x = Axis("x", -1.0, 1.0, size, boundary=boundary, nodes=nodes).coordinates
    if boundary == "periodic":
        left = math.exp(-0.5 * (math.pi * sigma) ** 2)
        wave = -math.pi * left * np.sin(math.pi * x) if derivative else 1.5 + left * np.cos(math.pi * x)
        return 1.5 + np.cos(math.pi * x), wave
    return smooth(x), np.array([expected(float(place), sigma, boundary, derivative) for place in x])


TRIPLES = [
    ("clip", "zero", "reflect"),
    ("reflect", "absorb", "clip"),
    ("zero", "reflect", "periodic"),
    ("absorb", "periodic", "zero"),
    ("periodic", "clip", "absorb"),
]


@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("boundaries", TRIPLES)
@pytest.mark.parametrize("solver", [*SOLVERS, "auto"])
def test_order_in_three_dimensions(solver: str, boundaries: tuple[str, ...], nodes: Any) -> None:
    """On all faces, edges and corners, of u and of its slope along the first axis, for products of lines."""
    # the slope of `compact` at a wall falls as h^4 from sigma = 9 h on: finer grids, the finest of 14 MiB
    sizes = (61, 85, 121) if solver == "compact" else (21, 29, 41)
    sigmas, found = (0.3, 0.35, 0.4), []
    for size in sizes:
        axes = [Axis("xyz"[i], -1.0, 1.0, size, boundary=b, nodes=nodes) for i, b in enumerate(boundaries)]
        lines = [flowed(b, nodes, size, sigma) for b, sigma in zip(boundaries, sigmas, strict=True)]
        values, wanted = (functools.reduce(np.multiply.outer, part) for part in zip(*lines, strict=True))
        slopes = [flowed(boundaries[0], nodes, size, sigmas[0], True)[1], *(line[1] for line in lines[1:])]
        flow = solve(Landscape(values, Grid(*axes)), [sigmas], solver)
        apart = (flow.values[0] - wanted, flow.gradient(0)[0] - functools.reduce(np.multiply.outer, slopes))
        found.append([float(np.abs(each).max()) for each in apart])
    chosen = make("direct" if solver == "auto" else solver)
    order = min(chosen.order_at_edge(b, nodes) for b in boundaries if b != "periodic")
    steps = [2.0 / size for size in sizes]
    assert order >= 4.0
    for errors_ in np.array(found).T:
        # a higher order counts as well; the next term of the error is some 3 h of the first
        assert slope(steps, errors_.tolist()) > order - 0.4


@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("solver", SOLVERS)
def test_single_precision_is_the_double_one_rounded(solver: str, boundary: str, nodes: Any) -> None:
    generator = np.random.default_rng(7)
    values = generator.standard_normal((3, 41)).astype(np.float32)
    grid = Grid(Axis("x", 0.0, 40.0 + (nodes == "cell"), 41, boundary=boundary, nodes=nodes))
    for sigma in (0.4, 1.0, 2.0, 7.0, 40.0):
        single = solve(Landscape(values, grid), sigma, solver)
        double = solve(Landscape(values.astype(np.float64), grid), sigma, solver)
        assert single.values.dtype == np.float32
        # kinks below 3 h weigh third differences of up to 16 |Q|; else some ten roundings of values of 3
        assert np.abs(single.values - double.values).max() < (3e-5 if sigma < 3.0 else 5e-6)


@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("boundary", EVERY)
@pytest.mark.parametrize("solver", SOLVERS)
def test_the_cross_check_agrees_for_any_data(solver: str, boundary: str, nodes: Any) -> None:
    generator = np.random.default_rng(11)
    for size in (3, 4, 5, 41):
        axis = Axis("x", 0.0, float(size), size, boundary=boundary, nodes=nodes)
        rough = generator.standard_normal((2, size))
        lines = np.stack([np.exp(1.4 * np.arange(size) / size), np.arange(size) ** 2.0])
        for values in (rough, lines):
            for ratio in (0.3, 1.0, 1.3, 2.0, 2.9, 3.1, 5.6, 60.0):
                flow = solve(Landscape(values, Grid(axis)), ratio * axis.spacing, solver)
                checks = [*crosscheck(flow, "standard"), *crosscheck(flow, "full"), *conservation(flow)]
                assert [check.status for check in checks] == ["passed"] * len(checks), (size, ratio, checks)


@pytest.mark.parametrize("fault", ["left out", "one side", "a thousandth", "moved by a node"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_fault_at_the_ends_is_found(boundary: str, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cross-check does not share what it checks."""

    def faulty(*arguments: Any) -> edges.EndCorrection | None:
        right = edges.end_correction(*arguments)
        if right is None or fault == "left out":
            return None
        columns = right.columns.copy()
        if fault == "one side":
            columns[1] = 0.0
        elif fault == "a thousandth":
            columns *= 1.001
        else:
            columns = np.roll(columns, 1, axis=2)
        return edges.EndCorrection(right.weights, columns)

    monkeypatch.setattr("heatpg.solvers.direct.end_correction", faulty)
    axis = Axis("fault", -1.0, 1.0, 43, boundary=boundary)
    landscape = Landscape(smooth(axis.coordinates), Grid(axis))
    flow = solve(landscape, 3.1 * axis.spacing, make("direct", tolerance=TOLERANCES[fault]))
    assert [check.status for check in crosscheck(flow)] == ["failed"]


@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_between_the_nodes_the_edge_is_the_same(boundary: str, nodes: Any) -> None:
    """The field that tracks follow agrees with the solver at the nodes, slopes too."""
    axis = Axis("x", -1.0, 1.0, 41, boundary=boundary, nodes=nodes)
    landscape = Landscape(smooth(axis.coordinates), Grid(axis))
    field = HeatField(landscape)
    for ratio in (1.5, 3.0, 8.0, 60.0):
        sigma = ratio * axis.spacing
        flow = solve(landscape, sigma, "direct")
        found = field.derivatives(axis.coordinates[:, None], sigma, 1)
        np.testing.assert_allclose(found[:, 0], flow.values[0], rtol=0, atol=1e-14)
        # slopes are divided by h = 1 / 20
        np.testing.assert_allclose(found[:, 1], flow.gradient(0)[0], rtol=0, atol=1e-12)


def test_gregory_integrates_cubics_exactly() -> None:
    for size in (4, 5, 6, 7, 8, 20):
        axis = Axis("x", 0.0, 2.0, size, boundary="clip")
        for power in range(4):
            integral = float(axis.integration_weights(4) @ axis.coordinates**power)
            assert abs(integral - 2.0 ** (power + 1) / (power + 1)) < 1e-13


@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("boundary", ["clip", "zero"])
def test_central_differences_at_ends_meet_the_values_on_walls(boundary: str, nodes: Any) -> None:
    """Schemes of 3 points: the gradient at an end is off by what u is, some h^2, wherever the axis lies."""
    size, sigma = 81, 0.15
    axis = Axis("x", -1.0, 1.0, size, boundary=boundary, nodes=nodes)
    slopes = []
    for lower, upper in ((-1.0, 1.0), (1e9, 1e9 + 2.0)):
        moved = Axis("x", lower, upper, size, boundary=boundary, nodes=nodes)
        slopes.append(solve(Landscape(smooth(axis.coordinates), Grid(moved)), sigma, "exponential").gradient(0)[0])
    wanted = [expected(float(axis.coordinates[i]), sigma, boundary, True) for i in (0, 1, size - 2, size - 1)]
    # u is off by h^2 / 24 of its fourth derivative in time, and by h^2 / 12 of its kinks; outside cells stands 0 or the
    # value on the wall, and not 0 for both, which would be off by 1 / h
    allowed = 0.05 if boundary == "zero" else 5e-3
    for found in slopes:
        assert np.abs(found[[0, 1, -2, -1]] - wanted).max() < allowed
    # the spacing itself is rounded in 1e9
    np.testing.assert_allclose(slopes[1], slopes[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("sigma", [3.2, 4.0, 40.0])
@pytest.mark.parametrize("size", [3, 4, 31])
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_waves_of_the_ends_are_those_of_the_columns(boundary: str, nodes: Any, size: int, sigma: float) -> None:
    """A cosine transform of the continued line with the waves of the ends, damped, is the corrected solution."""
    generator = np.random.default_rng(2)
    both_ends = nodes == "vertex"
    axis = Axis("x", 0.0, float(size - both_ends), size, boundary=boundary, nodes=nodes)
    values = generator.standard_normal(size)
    # a line between mirrors is what its transform takes; in free space mirrors stand far outside
    beyond = math.ceil(9.0 * sigma) if axis.rule.free_space else 0
    line = basis_along(Axis("x", 0.0, float(size + 2 * beyond), size + 2 * beyond, boundary="reflect", nodes="cell"))
    if not beyond:
        line = basis_along(axis)
    orders, weights = jumps_along(axis, sigma)
    unit = np.zeros((1, line.size))
    unit[0, 0] = 1.0
    waves = kink_waves(axis, orders, beyond, line.forward(unit, 1)[0])
    coefficients = line.forward(axis.rule.extend(size, nodes, beyond, beyond).of(values, 0)[None], 1)[0]
    for ends, columns in zip((values, values[::-1]), waves, strict=True):
        coefficients = coefficients + (weights @ ends[: weights.shape[1]]) @ columns
    damped = coefficients * np.exp(-0.5 * (sigma * line.angle) ** 2)
    found = line.inverse(damped[None], 1)[0, beyond : beyond + size]
    # rounding of sums of some hundred waves
    np.testing.assert_allclose(
        found, solve(Landscape(values, Grid(axis)), sigma, "direct").values[0], rtol=0, atol=1e-13
    )


@pytest.mark.parametrize("sigma", [3.0, 4.7, 40.0])
@pytest.mark.parametrize("size", [3, 4, 23, 24, 31, 60])
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
def test_changed_nodes_between_mirrors_flow_as_corrected_ends(nodes: Any, size: int, sigma: float) -> None:
    """The plain mirrored sum of the changed nodes is the corrected one of those that were given."""
    axis = Axis("x", 0.0, float(size - (nodes == "vertex")), size, boundary="reflect", nodes=nodes)
    values = np.random.default_rng(3).standard_normal((5, size))
    changed = values.copy()
    mirror_change(axis, "float64").change_rows(changed)
    far = slice(24, size - 24)
    assert (changed[:, far] == values[:, far]).all()
    line = basis_along(axis)
    found = line.inverse(line.forward(changed, 1) * np.exp(-0.5 * (sigma * line.angle) ** 2), 1)
    # a jump of the slope by 20 has 2e-16 of it left, and sums are rounded
    np.testing.assert_allclose(
        found, solve(Landscape(values, Grid(axis)), sigma, "direct").values[0], rtol=0, atol=2e-14
    )
