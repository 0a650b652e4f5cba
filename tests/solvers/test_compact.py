"""Fourth-order compact differences against dense matrices, their orders, and where they keep the range."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import expm

from heatpg import Axis, Grid, Landscape
from heatpg.boundaries import boundaries
from heatpg.errors import OptionError, StabilityError
from heatpg.evolution import solve
from heatpg.landscapes import landscapes
from heatpg.solvers import make
from heatpg.solvers.base import Solver
from heatpg.solvers.compact import Compact
from heatpg.solvers.positivity import NEGLIGIBLE, negative_mass
from heatpg.tools.parallel import set_threads, threads
from heatpg.verify.crosscheck import crosscheck
from heatpg.verify.edge import added_rows
from heatpg.verify.maximum_principle import maximum_principle
from tests.references import half_laplacian, slope

Array = NDArray[Any]

KINDS: list[tuple[str, Any]] = [(boundary, nodes) for boundary in boundaries.names() for nodes in ("vertex", "cell")]
TIMES = ("exact", "crank_nicolson")
SIGMA = 0.2
EPS = float(np.finfo(np.float64).eps)


def smooth(boundary: str, nodes: Any, size: int, dimensions: int) -> Landscape:
    """Several modes, or two bumps in a wide box of free space, with their exact evolution."""
    free = boundary in ("clip", "zero")
    lower, upper, count = (-4.5, 4.5, 6 * size) if free else (0.0, 1.0, size)
    grid = Grid(*(Axis(n, lower, upper, count, boundary=boundary, nodes=nodes) for n in ["x", "y"][:dimensions]))
    if not free:
        return landscapes.get("eigenmodes")(grid, modes=2, seed=5)
    centers = tuple(c for bump in (-0.3, 0.5) for c in [bump] * dimensions)
    widths = tuple([0.5] * dimensions + [0.6] * dimensions)
    return landscapes.get("gaussians")(grid, heights=(1.0, -0.6), centers=centers, widths=widths)


@dataclasses.dataclass(frozen=True)
class Uncorrected(Compact):
    """The differences without the correction of the ends."""

    def end_nodes(self, axis: Axis, variance: float) -> int:
        return 0


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("total", [0.05, 1.0 / 3.0, 0.9, 7.3])
def test_against_dense_matrices(boundary: str, nodes: Any, total: float) -> None:
    """(1 + D2/12) u' = D2 u / 2 solved exactly, and by trapezoidal steps after halved backward Euler steps."""
    axis = Axis("x", 0.0, 1.0, 16, boundary=boundary, nodes=nodes)
    padding = 60
    half, continuation = half_laplacian(axis, padding)
    second = 2.0 * half
    one = np.eye(len(second))
    mass = one + second / 12.0
    crop = slice(padding, padding + 16) if axis.rule.free_space else slice(16)
    sigma = math.sqrt(total) * axis.spacing

    def compare(solver: Solver, whole: Array, tolerance: float) -> None:
        result = solve(Landscape(np.eye(16), Grid(axis)), sigma, solver).values[0].T
        ends = added_rows(axis, sigma, np.arange(16)) if solver.end_nodes(axis, sigma**2) else 0.0
        assert np.abs(result - (whole @ continuation)[crop] - ends).max() <= tolerance

    compare(make("compact"), expm(total / 2.0 * np.linalg.solve(mass, second)), 1e-13)
    # four steps of total / 4, of which share = 1/12 at total = 4/3, where the matrix is the identity
    for count, damped in ((4, 2), (5, 0), (1, 1)):
        share = total / count / 4.0 * second
        euler = np.linalg.solve(mass - share, mass)
        trapezoid = np.linalg.solve(mass - share, mass + share)
        whole = np.linalg.matrix_power(trapezoid, count - damped) @ np.linalg.matrix_power(euler, 2 * damped)
        compare(make("compact", time="crank_nicolson", steps=count, damping_steps=damped), whole, 1e-13)


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_the_implicit_solve_inverts_its_operator(boundary: str, nodes: Any, rng: np.random.Generator) -> None:
    """One backward Euler step, undone by multiplying with 1 + D2/12 - share D2 and dividing by 1 + D2/12."""
    axis = Axis("x", 0.0, 1.0, 20, boundary=boundary, nodes=nodes)
    values = rng.standard_normal(20)
    total, padding = 2.5, 80
    half, continuation = half_laplacian(axis, padding)
    second = 2.0 * half
    wide = continuation @ values
    held = wide[20:] if axis.boundary == "absorb" else wide[:0]  # the values on faces are rows that stay
    closed = Axis("x", 0.0, 1.0, len(wide), boundary="reflect", nodes="cell") if axis.rule.free_space else axis
    sigma = math.sqrt(total) * closed.spacing
    solver = make("compact", time="crank_nicolson", steps=1, damping_steps=1)
    result = solve(Landscape(wide[: len(wide) - len(held)], Grid(closed)), sigma, solver).values[0]
    result = np.concatenate([result, held])
    mass = np.eye(len(second)) + second / 12.0
    for _ in range(2):
        result = np.linalg.solve(mass, (mass - total / 4.0 * second) @ result)
    assert np.abs(result - wide).max() <= 1e-13 * np.abs(wide).max() * 20


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("dimensions", [1, 2])
@pytest.mark.parametrize("time", TIMES)
def test_order_in_space(boundary: str, nodes: Any, dimensions: int, time: str) -> None:
    # of the differences: slopes at walls, though they vanish here, come to order 5 from the end nodes
    spacings, errors = [], []
    for size in (25, 37, 55, 82):
        landscape = smooth(boundary, nodes, size, dimensions)
        spacing = landscape.grid.spacing[0]
        # fourth order in all needs time steps like the square of the spacing
        solver = Uncorrected(time=time, step=0.1 * spacing**2)
        field = solve(landscape, SIGMA, solver).values[0]
        spacings.append(spacing)
        errors.append(float(np.abs(field - landscape.exact(SIGMA)).max()))
    # values on faces are of order 4, and of order 5 for sines, whose even derivatives vanish there
    assert 3.9 <= slope(spacings, errors) <= (5.1 if (boundary, nodes) == ("absorb", "cell") else 4.1)
    assert make("compact", time=time).order_space == 4.0


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("dimensions", [1, 2])
def test_order_in_time(boundary: str, nodes: Any, dimensions: int) -> None:
    landscape = smooth(boundary, nodes, 30, dimensions)
    # steps leave the ends as they are
    exact = solve(landscape, SIGMA, Uncorrected()).values[0]
    counts = [64, 96, 144, 216]
    errors = []
    for count in counts:
        solver = make("compact", time="crank_nicolson", steps=count)
        errors.append(float(np.abs(solve(landscape, SIGMA, solver).values[0] - exact).max()))
    assert abs(slope([1.0 / count for count in counts], errors) - 2.0) <= 0.1
    assert make("compact", time="crank_nicolson").order_time == 2.0
    assert make("compact").order_time == math.inf
    assert make("compact").exact_in_time
    assert not make("compact", time="crank_nicolson").exact_in_time


def test_rannacher_start_keeps_second_order_after_a_jump() -> None:
    # flat at the walls, where the exact solution is corrected and steps are not
    grid = Grid(Axis("x", -1.0, 1.0, 400, boundary="reflect", nodes="cell"))
    jump = Landscape.from_function(lambda x: (x > 0).astype(float), grid)
    exact = solve(jump, SIGMA, "compact").values[0]
    counts = [20, 30, 45, 68]
    damped, plain = (
        [
            float(
                np.abs(
                    solve(jump, SIGMA, make("compact", time="crank_nicolson", steps=n, **options)).values[0] - exact
                ).max()
            )
            for n in counts
        ]
        for options in ({}, {"damping_steps": 0})
    )
    assert abs(slope([1.0 / count for count in counts], damped) - 2.0) <= 0.1
    assert plain[0] > 100 * damped[0]


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_symbol_reach_and_promise(time: str, boundary: str, nodes: Any) -> None:
    """Both time steps: the kernel has its symbol, its reach, and no more negative weight than is said."""
    axis = Axis("x", 0.0, 1.0, 401, boundary=boundary, nodes=nodes)
    solver = make("compact", time=time, steps=9)
    offset = np.arange(401) - 200
    angle = np.linspace(0.0, np.pi, 9)
    for ratio in (0.3, 1.0, 3.5, 9.0):
        sigma = ratio * axis.spacing
        flow = solve(Landscape(np.eye(401)[200], Grid(axis)), [0.7 * sigma, sigma], solver)
        kernel, path = flow.values[1], flow.paths[1][0]
        expected = solver.symbol(angle, axis, path)
        assert np.abs(np.exp(1j * np.multiply.outer(angle, offset)) @ kernel - expected).max() <= 1e3 * EPS
        reach = solver.reach(axis, path)
        assert np.abs(kernel[np.abs(offset) >= reach]).sum() <= 64 * EPS
        assert reach <= 20 + 20 * ratio
        if solver.exact_in_time:
            negative = float(-np.minimum(kernel, 0.0).sum())
            assert negative <= negative_mass(solver, axis, 0.0, sigma**2) + 1e-13
            assert solver.monotone(axis, sigma**2) == (ratio > 3.1)


def test_negative_weights_at_small_sigma_are_found_and_not_promised() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 100, boundary="reflect"))
    step = Landscape.from_function(lambda x: (x > 0.5).astype(float), grid)
    for ratio, least in ((0.4, 3e-3), (1.0, 1e-4), (2.0, 1e-8)):
        flow = solve(step, ratio * grid.spacing[0], "compact")
        overshoot = float(flow.values.max()) - 1.0
        assert least <= overshoot <= negative_mass(make("compact"), grid[0], 0.0, (ratio * grid.spacing[0]) ** 2)
        assert maximum_principle(flow)[0].status == "finding"
    assert negative_mass(make("compact"), grid[0], 0.0, (3.2 * grid.spacing[0]) ** 2) <= NEGLIGIBLE


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_crosscheck_holds_for_trapezoidal_steps(boundary: str, nodes: Any, rng: np.random.Generator) -> None:
    grid = Grid(*(Axis(label, 0.0, 1.0, 48, boundary=boundary, nodes=nodes) for label in ("x", "y")))
    solver = make("compact", time="crank_nicolson")
    for values in (rng.standard_normal(grid.shape), (grid.mesh()[0] > 0.5) * 1.0):
        check = crosscheck(solve(Landscape(values, grid), [0.01, 0.05, 0.2], solver), "full")[0]
        assert check.status == "passed", (check.message, check.figure, check.bound)


@pytest.mark.parametrize("boundary", boundaries.names())
def test_trapezoidal_steps_in_single_precision_batches_and_threads(boundary: str, rng: np.random.Generator) -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 61, boundary=boundary), Axis("y", 0.0, 1.0, 90, boundary=boundary))
    solver = make("compact", time="crank_nicolson", steps=11)
    batch = rng.standard_normal((2, 3, *grid.shape))
    before = threads()
    try:
        set_threads(1)
        whole = solve(Landscape(batch, grid), 0.1, solver).values[0]
        set_threads(2)
        assert np.array_equal(whole, solve(Landscape(batch, grid), 0.1, solver).values[0])
    finally:
        set_threads(before)
    one = np.stack([[solve(Landscape(field, grid), 0.1, solver).values[0] for field in row] for row in batch])
    assert np.allclose(whole, one, rtol=0, atol=64 * EPS * np.abs(batch).max())
    single = solve(Landscape(batch.astype(np.float32), grid), 0.1, solver).values[0]
    assert single.dtype == np.float32
    assert np.abs(single - whole).max() <= 2e-5


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"time": "euler"}, OptionError),
        ({"steps": 0}, StabilityError),
        ({"step": -1.0}, StabilityError),
        ({"damping_steps": -1}, StabilityError),
    ],
)
def test_meaningless_options_are_refused(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=r"(?s)got: .*expected: "):
        make("compact", **options)
