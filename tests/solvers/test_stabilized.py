"""Runge-Kutta-Legendre steps against their polynomial, their orders and their limits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.polynomial import legendre
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape
from heatpg.boundaries import boundaries
from heatpg.errors import OptionError, StabilityError
from heatpg.evolution import solve
from heatpg.landscapes import landscapes
from heatpg.solvers import make, stabilized
from heatpg.solvers.explicit import Explicit
from heatpg.solvers.lines import line_along, workspace
from heatpg.solvers.positivity import NEGLIGIBLE, negative_mass
from heatpg.solvers.stabilized import Stabilized, _legendre_below, largest_share, legendre_step
from tests.references import half_laplacian, slope, weights_of_cells_and_walls

Array = NDArray[Any]

KINDS: list[tuple[str, Any]] = [(boundary, nodes) for boundary in boundaries.names() for nodes in ("vertex", "cell")]
SIGMA = 0.2
EPS = float(np.finfo(np.float64).eps)


def smooth(boundary: str, nodes: Any, intervals: int, dimensions: int) -> Landscape:
    """Several modes, or two bumps in a wide box of free space, with their exact evolution; spacing 1 / intervals."""
    free = boundary in ("clip", "zero")
    lower, upper, count = (-4.5, 4.5, 9 * intervals) if free else (0.0, 1.0, intervals)
    count += boundary != "periodic" and nodes == "vertex"
    names = ["x", "y"][:dimensions]
    grid = Grid(*(Axis(name, lower, upper, count, boundary=boundary, nodes=nodes) for name in names))
    assert grid.spacing[0] == pytest.approx(1.0 / intervals, rel=1e-12)
    if not free:
        return landscapes.get("eigenmodes")(grid, modes=2, seed=3)
    centers = tuple(c for bump in (-0.3, 0.5) for c in [bump] * dimensions)
    widths = tuple([0.5] * dimensions + [0.6] * dimensions)
    return landscapes.get("gaussians")(grid, heights=(1.0, -0.6), centers=centers, widths=widths)


def dense(axis: Axis, step: Array, padding: int, continuation: Array) -> Array:
    whole = step @ continuation
    return whole[padding : padding + axis.size] if axis.boundary in ("clip", "zero") else whole[: axis.size]


def polynomial(matrix: Array, share: float, width: float, stages: int) -> Array:
    """1 - share + share P_s(1 + width A), by the recurrence of P_s with a matrix for its argument."""
    argument = np.eye(len(matrix)) + width * matrix
    before, now = np.eye(len(matrix)), argument
    for j in range(1, stages):
        before, now = now, ((2 * j + 1) * argument @ now - j * before) / (j + 1)
    return np.asarray((1.0 - share) * np.eye(len(matrix)) + share * now)


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("stages", [3, 5, 9])
def test_one_step_is_the_published_polynomial(boundary: str, nodes: Any, stages: int) -> None:
    """RKL2 stage by stage, with the coefficients of Meyer, Balsara and Aslam (2014), equations 16 to 18."""
    axis = Axis("x", 0.0, 1.0, 14, boundary=boundary, nodes=nodes)
    total = 0.9 * largest_share(stages, False)
    padding = 2 * stages + 2
    matrix, continuation = half_laplacian(axis, padding)
    b = [1.0 / 3.0] * 3 + [(j * j + j - 2) / (2 * j * (j + 1)) for j in range(3, stages + 1)]
    a = [1.0 - each for each in b]
    w1 = 4.0 / (stages**2 + stages - 2)
    start = np.eye(len(matrix))
    drift = total * matrix
    before, now = start, start + b[1] * w1 * drift @ start
    for j in range(2, stages + 1):
        mu, nu = (2 * j - 1) / j * b[j] / b[j - 1], -(j - 1) / j * b[j] / b[j - 2]
        tilde = mu * w1
        gamma = -a[j - 1] * tilde
        after = mu * now + nu * before + (1 - mu - nu) * start + tilde * drift @ now + gamma * drift @ start
        before, now = now, after
    expected = dense(axis, now, padding, continuation)
    sigma = math.sqrt(total) * axis.spacing
    solver = make("stabilized", step=sigma**2, stages=stages, balanced=False)
    result = solve(Landscape(np.eye(14), Grid(axis)), sigma, solver).values[0].T
    assert np.abs(result - expected).max() <= 200 * EPS


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize(("stages", "count"), [(3, 4), (7, 1), (13, 2)])
def test_balanced_steps_against_dense_matrices(boundary: str, nodes: Any, stages: int, count: int) -> None:
    axis = Axis("x", 0.0, 1.0, 14, boundary=boundary, nodes=nodes)
    total = 0.8 * largest_share(stages, True)
    padding = count * stages + 2
    matrix, continuation = half_laplacian(axis, padding)
    one = polynomial(matrix, *legendre_step(total, stages, True), stages)
    expected = dense(axis, np.linalg.matrix_power(one, count), padding, continuation)
    sigma = math.sqrt(total * count) * axis.spacing
    solver = make("stabilized", step=total * axis.spacing**2, stages=stages)
    result = solve(Landscape(np.eye(14), Grid(axis)), sigma, solver).values[0].T
    assert np.abs(result - expected).max() <= 200 * EPS * count


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("stages", "size", "lines", "position"), [(3, 12, 70, 0), (5, 23, 64, 1), (13, 61, 33, 0)])
def test_stages_that_follow_each_other_through_a_bundle_give_the_same_bits(
    boundary: str,
    nodes: Any,
    dtype: Any,
    stages: int,
    size: int,
    lines: int,
    position: int,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each node has the same sums in the same order; what is beyond the last four rows, or lanes, counts nowhere."""
    line = line_along(Axis("x", 0.0, 1.0, size, boundary=boundary, nodes=nodes), 3 * stages)
    source = rng.standard_normal((size, lines) if position == 0 else (lines, size)).astype(dtype)
    found = []
    for waves in (False, True):
        monkeypatch.setattr(stabilized, "_IN_WAVES", waves)
        operator = stabilized._StabilizedOperator(line, 3, stages, 1.7, True, np.dtype(dtype))
        assert operator.in_waves == waves
        # what is left in the work space of other work has no say
        for number in range(4):
            workspace.take(number, (10**6,), np.dtype(dtype)).fill(np.nan)
        target = np.empty_like(source)
        operator.apply(source, target, position)
        found.append(target.tobytes())
    assert found[0] == found[1]
    assert np.isfinite(target).all()


@pytest.mark.parametrize("stages", [3, 5, 21, 101])
@pytest.mark.parametrize("share", [0.35, 0.7, 1.0])
def test_a_step_has_the_moments_that_it_should(stages: int, share: float) -> None:
    """R(A) = 1 + total A + (total^2 / 2 - c) A^2 + ..., c = 0, or total / 6 where balanced."""
    for balanced in (False, True):
        total = share * largest_share(stages, balanced)
        b, w = legendre_step(total, stages, balanced)
        assert 0.0 < b <= 1.0 + EPS
        series = np.zeros(stages + 1)
        series[-1] = 1.0
        first = float(legendre.legval(1.0, legendre.legder(series)))
        second = float(legendre.legval(1.0, legendre.legder(series, 2)))
        assert b * w * first == pytest.approx(total, rel=1e-12)
        possible = balanced and 3 * total * (stages * (stages + 1) + 2) >= 2 * stages * (stages + 1)
        missing = total / 6.0 if possible else 0.0
        assert b * w * w * second / 2.0 == pytest.approx(total**2 / 2 - missing, rel=1e-12)


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("dimensions", [1, 2])
@pytest.mark.parametrize(("balanced", "declared"), [(True, 4.0), (False, 2.0)])
def test_order_in_space(boundary: str, nodes: Any, dimensions: int, balanced: bool, declared: float) -> None:
    """The number of steps grows with the accuracy in space, so that both errors fall alike."""
    spacings, errors = [], []
    for intervals, count in ((24, 16), (36, 36), (54, 81), (81, 182)):
        landscape = smooth(boundary, nodes, intervals, dimensions)
        steps = count if balanced else 2 * intervals
        solver = make("stabilized", step=SIGMA**2 / steps * (1 + 1e-9), balanced=balanced)
        field = solve(landscape, SIGMA, solver).values[0]
        spacings.append(landscape.grid.spacing[0])
        errors.append(float(np.abs(field - landscape.exact(SIGMA)).max()))
    # values on faces are of order 4, and of order 5 for sines, whose even derivatives vanish there
    most = 5.1 if (boundary, nodes, declared) == ("absorb", "cell", 4.0) else declared + 0.1
    assert declared - 0.1 <= slope(spacings, errors) <= most
    assert make("stabilized", balanced=balanced).order_space == declared


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("dimensions", [1, 2])
def test_order_in_time(boundary: str, nodes: Any, dimensions: int) -> None:
    landscape = smooth(boundary, nodes, 30, dimensions)
    exact = solve(landscape, SIGMA, "exponential").values[0]
    counts = [16, 24, 36, 54]
    errors = []
    for count in counts:
        solver = make("stabilized", step=SIGMA**2 / count * (1 + 1e-9), balanced=False)
        errors.append(float(np.abs(solve(landscape, SIGMA, solver).values[0] - exact).max()))
    assert abs(slope([1.0 / count for count in counts], errors) - 2.0) <= 0.1
    assert make("stabilized").order_time == 2.0


@pytest.mark.parametrize("tolerance", [1e-2, 4e-5, 1e-7])
@pytest.mark.parametrize("ratio", [0.5, 4.0, 30.0])
def test_the_tolerance_is_met_on_rough_data(tolerance: float, ratio: float, rng: np.random.Generator) -> None:
    """The norm of the error is at most the tolerance times that of the data."""
    grid = Grid(Axis("x", 0.0, 1.0, 64, boundary="periodic"))
    sigma = ratio * grid.spacing[0]
    index = np.arange(64)
    for values in (np.eye(64)[20], (-1.0) ** index, (index > 30) * 1.0, rng.standard_normal(64)):
        landscape = Landscape(values, grid)
        exact = solve(landscape, sigma, "exponential").values[0]
        field = solve(landscape, sigma, make("stabilized", tolerance=tolerance, balanced=False)).values[0]
        assert np.linalg.norm(field - exact) <= tolerance * np.linalg.norm(values) + 1e-13


def test_stages_are_few() -> None:
    """About sqrt(4 n) for each root of the number of steps, where the explicit scheme takes n."""
    axis = Axis("x", 0.0, 1000.0, 1001, boundary="reflect")
    stabilized, explicit = Stabilized(tolerance=1e-3), Explicit()
    work = stabilized.work_steps(axis, 0.0, 1e4)
    steps = 10
    assert work <= 1.5 * 2.0 * math.sqrt(1e4 * steps)
    assert work < 0.04 * explicit.work_steps(axis, 0.0, 1e4)


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_promise_of_the_kernel_is_that_of_the_matrix(boundary: str, nodes: Any) -> None:
    """What the kernel says is what the entries of the matrix are, for fine and for coarse steps."""
    grid = Grid(Axis("x", 0.0, 1.0, 24, boundary=boundary, nodes=nodes))
    for options in ({}, {"tolerance": 1e-1}, {"tolerance": 1e-2, "balanced": False}, {"stages": 9, "tolerance": 1e-1}):
        for ratio in (0.4, 0.9, 2.0, 6.0, 20.0):
            solver, sigma = make("stabilized", **options), ratio * grid.spacing[0]
            weights = solve(Landscape(np.eye(24), grid), sigma, solver).values[0].T
            if grid[0].faced:
                weights = weights_of_cells_and_walls(weights)
            negative = float(-np.minimum(weights, 0.0).sum(axis=1).min())
            assert negative <= negative_mass(solver, grid[0], 0.0, sigma**2) + 1e-13
            if boundary != "absorb":
                assert solver.monotone(grid[0], sigma**2)


def test_held_ends_need_more_than_one_step() -> None:
    """The kernel of a single long step is largest at its ends: turned over at a wall it leaves negative weights."""
    grid = Grid(Axis("x", 0.0, 1.0, 24, boundary="absorb"))
    solver, sigma = make("stabilized", tolerance=1e-1), 20.0 * grid.spacing[0]
    assert not solver.monotone(grid[0], sigma**2)
    assert negative_mass(solver, grid[0], 0.0, sigma**2) > 1e6 * NEGLIGIBLE
    assert solve(Landscape(np.eye(24), grid), sigma, solver).values.min() < -1e-3


@pytest.mark.parametrize("balanced", [True, False])
def test_an_unstable_pair_is_refused_with_the_largest_stable_step(balanced: bool) -> None:
    landscape = smooth("reflect", "vertex", 30, 2)
    stages = 5
    limit = min(landscape.grid.spacing) ** 2 * ((stages**2 + stages - 2) / 4 + balanced / 3)
    solve(landscape, SIGMA, make("stabilized", stages=stages, step=limit, balanced=balanced))
    with pytest.raises(StabilityError, match="at most") as caught:
        solve(landscape, SIGMA, make("stabilized", stages=stages, step=1.01 * limit, balanced=balanced))
    assert repr(limit)[:10] in str(caught.value)
    # and it is the limit: a step of 1.2 times the length would amplify the shortest wave
    b, w = legendre_step(1.2 * largest_share(stages, balanced), stages, balanced)
    assert abs(1 - b + b * float(legendre.legval(1 - 2 * w, [0.0] * stages + [1.0]))) > 1.0


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"tolerance": 0.0}, OptionError),
        ({"tolerance": 0.5}, OptionError),
        ({"tolerance": float("nan")}, OptionError),
        ({"step": -1.0}, StabilityError),
        ({"step": float("inf")}, StabilityError),
        ({"stages": 4}, StabilityError),
        ({"stages": 1}, StabilityError),
        ({"stages": True}, StabilityError),
    ],
)
def test_meaningless_options_are_refused(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=r"(?s)got: .*expected: "):
        make("stabilized", **options)


def test_what_an_earlier_call_left_in_the_scratch_does_not_matter() -> None:
    """The arrays of the stages are kept between calls: infinities of one must not reach the next."""
    grid = Grid(Axis("x", 0.0, 1.0, 40, boundary="reflect"))
    landscape = Landscape.from_function(lambda x: x**2, grid)
    solver = make("stabilized", stages=3, tolerance=1e-2)
    before = solve(landscape, 0.05, solver).values
    out = np.empty(grid.shape)
    with np.errstate(all="ignore"):
        solver.start(np.full(grid.shape, np.inf), grid).advance((0.0025,), out)
    assert np.array_equal(solve(landscape, 0.05, solver).values, before)


@pytest.mark.parametrize("degree", [255, 256, 257, 999, 5001, 10001])
def test_polynomials_of_high_degree(degree: int, rng: np.random.Generator) -> None:
    """Against the recursion in longer arithmetic, near both ends and between them."""
    ends = np.geomspace(1e-15, 1.0, 300)
    fall = np.concatenate([[0.0, 1.0, 2.0], ends, 2.0 - ends, rng.uniform(0.0, 2.0, 1000)])
    x: NDArray[Any] = 1 - fall.astype(np.longdouble)
    before, now = np.ones_like(x), x
    for j in range(1, degree):
        before, now = now, ((2 * j + 1) * x * now - j * before) / (j + 1)
    # a cosine of n a is known to n times the rounding of a; below, the plain recursion loses n times that of 1 - fall
    bound = 8 * degree * float(np.finfo(float).eps) * (1 if degree >= 256 else degree)
    assert float(np.abs(_legendre_below(degree, fall) - now).max()) < bound


def test_symbols_of_much_noise_take_no_recursion_at_every_angle(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many angles as nodes within sigma, times as many stages, would be the square of sigma / h."""
    sizes = []

    def counted(degree: int, fall: NDArray[Any]) -> NDArray[Any]:
        sizes.append(fall.size)
        return original(degree, fall)

    original = stabilized._legendre_near_one
    monkeypatch.setattr(stabilized, "_legendre_near_one", counted)
    axis = Axis("x", 0.0, 1.0, 100_001, boundary="reflect")
    for wide in (1000, 3000, 9000):
        make("stabilized").symbol(np.linspace(0.0, math.pi, 32 * wide), axis, (0.0, (wide * axis.spacing) ** 2))
    # those within 30 / s of the ends: as many for all
    assert max(sizes) < 1.5 * min(sizes) and max(sizes) < 3000
