"""What every registered solver promises, on every boundary: the tests find new ones by themselves."""

from __future__ import annotations

import functools
import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import expm

from heatpg import Axis, Grid, Landscape
from heatpg.boundaries import boundaries
from heatpg.errors import HeatpgError, OptionError
from heatpg.evolution import solve
from heatpg.solvers import make, solvers
from heatpg.solvers.base import Solver
from heatpg.tools.parallel import set_threads, threads
from heatpg.verify.edge import kept_weights
from tests.references import face_rows, flat_at_mirrors, half_laplacian, on_circles, weights_of_cells_and_walls

Array = NDArray[Any]

SOLVERS = solvers.names()
EXACT = [name for name in SOLVERS if make(name).exact_in_time]
KINDS = [(boundary, nodes) for boundary in boundaries.names() for nodes in ("vertex", "cell")]
EPS = float(np.finfo(np.float64).eps)


def advance(solver: str | Solver, values: Array, grid: Grid, *sigmas: float) -> Array:
    return np.asarray(solve(Landscape(values, grid), list(sigmas), solver).values[-1])


def line(boundary: str, nodes: Any, size: int = 24) -> Grid:
    return Grid(Axis("x", 0.0, 1.0, size, boundary=boundary, nodes=nodes))


def rough_inputs(shape: tuple[int, ...], rng: np.random.Generator) -> dict[str, Array]:
    """Deltas, steps, checkerboards and chaotic signs: noise alone never violates the maximum principle."""
    delta = np.zeros(shape)
    delta[tuple(n // 3 for n in shape)] = 1.0
    index = np.indices(shape).sum(axis=0)
    return {
        "delta": delta,
        "step": (np.indices(shape)[0] > shape[0] // 2).astype(float),
        "checkerboard": (-1.0) ** index,
        "signs": np.sign(np.sin(1e3 * np.sin(1.0 + index**2))),
        "noise": rng.standard_normal(shape),
    }


def matrix(solver: str | Solver, grid: Grid, *sigmas: float) -> Array:
    """The map of a line onto itself: column j is the evolution of a delta at node j."""
    size = grid.shape[0]
    return np.asarray(solve(Landscape(np.eye(size), grid), list(sigmas), solver).values[-1].T)


def second_difference(grid: Grid) -> Array:
    """D2 u_i = u_{i-1} - 2 u_i + u_{i+1} on a closed line, written down row by row."""
    axis = grid[0]
    size = axis.size
    rows = np.zeros((size, size))
    for i in range(size):
        for j in (i - 1, i + 1):
            if axis.boundary == "periodic":
                rows[i, j % size] += 1.0
            elif 0 <= j < size:
                rows[i, j] += 1.0
            else:
                mirrored = (1 if j < 0 else size - 2) if axis.nodes == "vertex" else i
                rows[i, mirrored] += 1.0
        rows[i, i] -= 2.0
    if axis.boundary == "absorb":
        rows[[0, -1]] = 0.0
    return rows


def free_line(grid: Grid, padding: int) -> tuple[Grid, Array]:
    """A line in free space as a closed one that is much longer, and the continuation of the nodes onto it."""
    axis = grid[0]
    h = axis.spacing
    size = axis.size
    wide = Grid(
        Axis(
            "x",
            axis.lower - padding * h,
            axis.upper + padding * h,
            size + 2 * padding,
            boundary="reflect",
            nodes="cell",
        )
    )
    continuation = np.zeros((size + 2 * padding, size))
    for i in range(-padding, size + padding):
        if axis.faced and not 0 <= i < size:
            continuation[i + padding] = face_rows(size)[0 if i < 0 else 1]
        elif axis.boundary == "clip":
            continuation[i + padding, min(max(i, 0), size - 1)] = 1.0
        elif 0 <= i < size:
            end = axis.nodes == "vertex" and i in (0, size - 1)
            continuation[i + padding, i] = 0.5 if end else 1.0
    return wide, continuation


@pytest.mark.parametrize("name", SOLVERS)
def test_a_solver_is_a_value(name: str) -> None:
    solver = make(name)
    assert pickle.loads(pickle.dumps(solver)) == solver
    assert hash(solver) == hash(make(name))
    assert solver.describe()["name"] == name
    assert make(name, **solver.options()) == solver


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_sigma_zero_gives_the_landscape_back_and_leaves_it_alone(
    name: str, boundary: str, nodes: str, rng: np.random.Generator
) -> None:
    grid = line(boundary, nodes)
    values = rng.standard_normal(grid.shape)
    landscape = Landscape(values, grid)
    before = values.copy()
    flow = solve(landscape, [0.0, 0.1, 0.3], name)
    assert np.array_equal(flow.values[0], before)
    assert np.array_equal(landscape.values, before)
    flow.gradient()
    assert np.array_equal(landscape.values, before)
    assert np.array_equal(flow.values[0], before)


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_linear_and_batched(name: str, boundary: str, nodes: Any, rng: np.random.Generator) -> None:
    grid = Grid(
        Axis("x", 0.0, 1.0, 17, boundary=boundary, nodes=nodes), Axis("y", 0.0, 2.0, 20, boundary=boundary, nodes=nodes)
    )
    batch = rng.standard_normal((2, 3, *grid.shape))
    whole = advance(name, batch, grid, 0.05, 0.2)
    one = np.stack([[advance(name, field, grid, 0.05, 0.2) for field in row] for row in batch])
    # lanes are grouped differently, and a transform may take its lines in other vectors
    assert np.allclose(whole, one, rtol=0, atol=64 * EPS * np.abs(batch).max())
    combined = advance(name, 2.0 * batch[0] - 3.0 * batch[1], grid, 0.05, 0.2)
    assert np.allclose(combined, 2.0 * whole[0] - 3.0 * whole[1], rtol=0, atol=1e4 * EPS)


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_constants_stay_constant(name: str, boundary: str, nodes: str) -> None:
    grid = line(boundary, nodes)
    result = advance(name, np.full(grid.shape, 3.0), grid, 0.1, 0.4)
    if boundary == "zero":
        assert result.max() < 3.0
    else:
        assert np.abs(result - 3.0).max() <= 1e4 * EPS


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("ratio", [0.4, 1.0, 4.0])
def test_matrix_has_the_signs_sums_and_spectrum_that_were_promised(
    name: str, boundary: str, nodes: str, ratio: float
) -> None:
    grid = line(boundary, nodes)
    solver = make(name)
    sigma = ratio * grid.spacing[0]
    weights = matrix(solver, grid, sigma)
    if solver.monotone(grid[0], sigma**2):
        # entries that are not negative and rows that sum to one prove the maximum principle, for nodes and values on
        # walls that are no nodes
        if grid[0].faced:  # the values on the walls have weights that are differences of numbers near one
            assert weights_of_cells_and_walls(weights).min() >= -2 * solver.rounding(grid[0], (0.0, sigma**2)) * EPS
        else:
            assert weights.min() >= -64 * EPS
    sums = weights.sum(axis=1)
    # at the jump to the outside a trigonometric interpolant overshoots by 8.95 % of the jump at most (Gibbs)
    gibbs = 0.0 if solver.monotone(grid[0], sigma**2) or boundary != "zero" else 0.0895
    if boundary == "zero":
        assert sums.max() <= 1.0 + gibbs + 1e3 * EPS
    else:
        assert np.abs(sums - 1.0).max() <= 1e3 * EPS
    assert np.abs(np.linalg.eigvals(weights)).max() <= 1.0 + gibbs + 1e3 * EPS
    if grid[0].rule.conserves_mass:
        # u has no kink at a wall: its trapezoid sum is the integral of Q by the rule that the ends are corrected for
        quadrature = grid[0].integration_weights(0)
        assert np.abs(quadrature @ weights - kept_weights(solver, grid[0], sigma**2)).max() <= 1e3 * EPS
        # but for the columns of the ends self-adjoint in the inner product of the quadrature
        ends = solver.ends(grid[0], sigma**2, "float64")
        gram = quadrature[:, None] * (weights - (0.0 if ends is None else ends.matrix()))
        assert np.abs(gram - gram.T).max() <= 1e3 * EPS


def test_a_negative_weight_would_be_seen() -> None:
    grid = line("periodic", "vertex")
    one_step = make("crank_nicolson", steps=1, damping_steps=0)
    sigma = 3.0 * grid.spacing[0]
    assert not one_step.monotone(grid[0], sigma**2)
    assert matrix(one_step, grid, sigma).min() < -0.3


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("total", [0.2, 0.9, 7.3])
def test_finite_differences_against_dense_matrices(boundary: str, nodes: str, total: float) -> None:
    """Every scheme against its own definition, written down as a dense matrix."""
    grid = line(boundary, nodes, 16)
    h = grid.spacing[0]
    sigma = h * total**0.5
    closed, continuation, crop = grid, np.eye(16), slice(16)
    if grid[0].rule.free_space:
        padding = 60
        closed, continuation = free_line(grid, padding)
        crop = slice(padding, padding + 16)
    operator = second_difference(closed)
    if grid[0].faced and not grid[0].rule.free_space:
        half, continuation = half_laplacian(grid[0], 0)
        operator = 2.0 * half
    one = np.eye(len(operator))

    def compare(solver: Solver, whole: Array, tolerance: float) -> None:
        expected = (whole @ continuation)[crop]
        assert np.abs(matrix(solver, grid, sigma) - expected).max() <= tolerance

    step = 0.4 * h * h
    count = int(np.ceil(total * h * h / step * (1 - 1e-12)))
    euler = np.linalg.matrix_power(one + total / count / 2 * operator, count)
    compare(make("explicit", step=step), euler, 1e-14)
    backward = np.linalg.inv(one - total / 5 / 2 * operator)
    compare(make("implicit", steps=5), np.linalg.matrix_power(backward, 5), 1e-14)
    half = total / 5 / 4 * operator
    start = np.linalg.inv(one - half)
    trapezoid = start @ (one + half)
    whole = np.linalg.matrix_power(trapezoid, 3) @ np.linalg.matrix_power(start, 4)
    compare(make("crank_nicolson", steps=5), whole, 1e-13)
    compare(make("exponential"), expm(total / 2 * operator), 1e-13)


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_symbol_describes_the_solver(name: str, boundary: str, nodes: str) -> None:
    """The row of a node far from the ends has the Fourier transform that the solver states, and its reach."""
    grid = line(boundary, nodes, 401)
    solver = make(name)
    axis = grid[0]
    sigma = 3.5 * axis.spacing
    delta = np.zeros(401)
    delta[200] = 1.0
    flow = solve(Landscape(delta, grid), [0.7 * sigma, sigma], solver)
    kernel = flow.values[1]
    angle = np.linspace(0.0, np.pi, 9)
    offset = np.arange(401) - 200
    expected = solver.symbol(angle, axis, flow.paths[1][0])
    # beyond pi the interpolant of `spectral` ends: its symbol there is exp(-pi^2 3.5^2 / 2) = 6e-27
    assert np.abs(np.exp(1j * np.multiply.outer(angle, offset)) @ kernel - expected).max() <= 1e3 * EPS
    reach = solver.reach(axis, flow.paths[1][0])
    assert np.abs(kernel[np.abs(offset) >= reach]).sum() <= 64 * EPS
    assert reach <= 200


# where cells are held between walls the values on these would be taken anew
CLOSED = [kind for kind in KINDS if not boundaries.get(kind[0]).free_space and kind != ("absorb", "cell")]


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize(("boundary", "nodes"), CLOSED)
def test_semigroup(name: str, boundary: str, nodes: str, rng: np.random.Generator) -> None:
    grid = line(boundary, nodes, 40)
    values = rng.standard_normal(grid.shape)
    if name == "compact":
        values = flat_at_mirrors(values, grid)  # of a kink it adds the flow of the Gaussian, and not its own
    first, second = 3.0 * grid.spacing[0], 4.0 * grid.spacing[0]
    # u is flat between mirrors, but found so to some order only: nothing is corrected again on the circle
    field, circle = on_circles(advance(name, values, grid, first), grid)
    twice = advance(name, field, circle, second)[: grid[0].size]
    assert np.abs(twice - advance(name, values, grid, float(np.hypot(first, second)))).max() <= 1e3 * EPS


@pytest.mark.parametrize("name", SOLVERS)
def test_axes_are_independent(name: str, rng: np.random.Generator) -> None:
    """Separability, per-axis sigma and axis order: u(f g) = u1(f) u2(g), and transposing commutes."""
    x = Axis("x", 0.0, 1.0, 21, boundary="clip")
    y = Axis("y", 0.0, 3.0, 26, boundary="periodic")
    z = Axis("z", -1.0, 1.0, 18, boundary="absorb")
    f, g, e = rng.standard_normal(21), rng.standard_normal(26), rng.standard_normal(18)
    whole = solve(Landscape(np.einsum("i,j,k->ijk", f, g, e), Grid(x, y, z)), np.array([[0.1, 0.3, 0.0]]), name)
    parts = advance(name, f, Grid(x), 0.1), advance(name, g, Grid(y), 0.3), e
    assert np.abs(whole.values[0] - np.einsum("i,j,k->ijk", *parts)).max() <= 1e4 * EPS
    values = rng.standard_normal((21, 26, 18))
    turned = advance(name, values.transpose(2, 0, 1), Grid(z, x, y), 0.2)
    assert np.abs(turned - advance(name, values, Grid(x, y, z), 0.2).transpose(2, 0, 1)).max() <= 1e4 * EPS


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_reflection(name: str, boundary: str, nodes: str, rng: np.random.Generator) -> None:
    grid = line(boundary, nodes)
    values = rng.standard_normal(grid.shape)
    # on a periodic line any turn will do: it differs from that of the box by a shift along the line
    turned = advance(name, values[::-1], grid, 0.1)[::-1]
    assert np.abs(turned - advance(name, values, grid, 0.1)).max() <= 1e3 * EPS


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
def test_walls_are_odd_and_even_periodic_lines(name: str, nodes: Any, rng: np.random.Generator) -> None:
    """A reflecting (absorbing) line is an even (odd) periodic line of twice the length."""
    size = 20
    values = rng.standard_normal(size)
    grid = line("reflect", nodes, size)
    if make(name).end_nodes(grid[0], 0.11**2):
        values = flat_at_mirrors(values, grid)  # for others there is no end on the circle
    mirrored, twice = on_circles(values, grid)
    assert np.abs(advance(name, values, grid, 0.11) - advance(name, mirrored, twice, 0.11)[:size]).max() <= 1e3 * EPS
    values[[0, -1]] = 0.0
    held = line("absorb", "vertex", size)
    odd = np.concatenate([values, -values[-2:0:-1]])
    twice = Grid(Axis("x", 0.0, 2.0, 2 * size - 2, boundary="periodic"))
    assert np.abs(advance(name, values, held, 0.11) - advance(name, odd, twice, 0.11)[:size]).max() <= 1e3 * EPS


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_comparison_and_contraction(name: str, boundary: str, nodes: str, rng: np.random.Generator) -> None:
    """u <= v is kept, and no norm grows, where the maximum principle is promised."""
    grid = line(boundary, nodes, 40)
    sigma = 3.2 * grid.spacing[0]
    solver = make(name)
    assert solver.monotone(grid[0], sigma**2)  # as every solver does from three grid spacings on
    for label, low in rough_inputs(grid.shape, rng).items():
        high = low + rng.uniform(0.0, 1.0, grid.shape) ** 8
        below, above = (advance(solver, field, grid, sigma) for field in (low, high))
        largest = np.abs(low).max()
        if grid[
            0
        ].faced:  # some cells weigh less than zero in the values on the walls, which may be larger than all of them
            largest = max(largest, np.abs(face_rows(40) @ low).max())
        else:
            assert (above - below).min() >= -1e3 * EPS, label
        assert np.abs(below).max() <= largest * (1 + 1e3 * EPS), label
        if grid[0].rule.conserves_mass:
            weights = grid.weights
            # sum_i w_i |sum_j A_ij Q_j|^p is at most sum_j (sum_i w_i A_ij) |Q_j|^p, by convexity
            kept = kept_weights(solver, grid[0], sigma**2)
            for power in (1, 2):
                before = (kept * np.abs(low) ** power).sum()
                assert (weights * np.abs(below) ** power).sum() <= before * (1 + 1e3 * EPS), label


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("boundary", boundaries.names())
def test_single_precision(name: str, boundary: str, rng: np.random.Generator) -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 33, boundary=boundary), Axis("y", 0.0, 1.0, 40, boundary=boundary))
    values = rng.standard_normal(grid.shape)
    single = solve(Landscape(values.astype(np.float32), grid), [0.02, 0.1], name)
    assert single.values.dtype == np.float32
    assert single.gradient(1).dtype == np.float32
    double = solve(Landscape(values.astype(np.float32).astype(float), grid), [0.02, 0.1], name)
    rounding = sum(double.solver.rounding(axis, path) for axis, path in zip(grid, double.paths[1], strict=True))
    bound = 2.0 * rounding * float(np.finfo(np.float32).eps) * np.abs(values).max()
    assert np.abs(single.values - double.values).max() <= bound
    assert np.abs(single.values - double.values).max() <= 1e-4


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("boundary", boundaries.names())
def test_threads_and_memory_order_do_not_change_a_bit(name: str, boundary: str, rng: np.random.Generator) -> None:
    grid = Grid(*(Axis(label, 0.0, 1.0, n, boundary=boundary) for label, n in (("x", 61), ("y", 90), ("z", 47))))
    values = rng.standard_normal(grid.shape)
    before = threads()
    try:
        set_threads(1)
        one = advance(name, values, grid, 0.03, 0.05)
        set_threads(2)
        two = advance(name, values, grid, 0.03, 0.05)
        fortran = advance(name, np.asfortranarray(values), grid, 0.03, 0.05)
        strided = np.zeros((61, 90, 94))[:, :, ::2]
        strided[...] = values
        spread = advance(name, strided, grid, 0.03, 0.05)
    finally:
        set_threads(before)
    assert np.array_equal(one, two)
    assert np.array_equal(one, fortran)
    assert np.array_equal(one, spread)


@pytest.mark.parametrize("name", SOLVERS)
def test_dimensions_one_to_five(name: str, rng: np.random.Generator) -> None:
    for dimensions in range(1, 6):
        grid = Grid(*(Axis(f"x{i}", 0.0, 1.0, 5 + i, boundary="reflect") for i in range(dimensions)))
        values = rng.standard_normal(grid.shape)
        result = advance(name, values, grid, 0.3)
        # by Gregory's rule where the ends are corrected, as they are from sigma = 1.5 h on
        lines = [axis.integration_weights(make(name).end_nodes(axis, 0.3**2)) for axis in grid]
        kept = functools.reduce(np.multiply.outer, lines)
        assert abs((result * grid.weights).sum() - (values * kept).sum()) <= 1e3 * EPS


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_smallest_lines_and_widest_noise(name: str, boundary: str, nodes: str) -> None:
    """Three nodes, and sigma of many box lengths: the limits that theory gives."""
    for size in (3, 4, 5):
        grid = line(boundary, nodes, size)
        values = np.arange(float(size)) ** 2
        options = {"steps": 400} if name in ("implicit", "crank_nicolson") else {}
        result = advance(make(name, **options), values, grid, 8.0)
        # on the walls, from x^2 at the centres of cells too
        low, high, share = values[0], values[-1], np.linspace(0.0, 1.0, size)
        if grid[0].faced:
            low, high, share = 0.25, (size - 0.5) ** 2, (np.arange(size) + 0.5) / size
        if boundary in ("periodic", "reflect"):
            weights = grid[0].integration_weights(make(name).end_nodes(grid[0], 64.0))
            mean = (values * weights).sum() / weights.sum()
            assert np.abs(result - mean).max() <= 1e-6 * values.max()
        elif boundary == "absorb":
            assert np.abs(result - (low + share * (high - low))).max() <= 1e-6 * high
        elif boundary == "clip":
            # half of the noise ends at either edge, but for what stays inside: at most 1 / (8 sqrt(2 pi)) of it
            assert np.abs(result - (low + high) / 2).max() <= 0.13 * high
        else:
            assert np.abs(result).max() <= 0.07 * values.max()


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_spectral_and_direct_agree(boundary: str, nodes: Any, rng: np.random.Generator) -> None:
    """To 1e-12 of osc(Q) from sigma = 3 h on, in one, two and three dimensions, and so do their gradients."""
    for dimensions, size in ((1, 200), (2, 48), (3, 21)):
        grid = Grid(*(Axis(f"x{i}", 0.0, 1.0, size + i, boundary=boundary, nodes=nodes) for i in range(dimensions)))
        for label, values in rough_inputs(grid.shape, rng).items():
            for ratio in (3.0, 5.5, 40.0):
                levels = np.array([[ratio * h for h in grid.spacing]])
                pair = [solve(Landscape(values, grid), levels, each) for each in ("spectral", "direct")]
                oscillation = np.ptp(values)
                error = np.abs(pair[0].values - pair[1].values).max()
                assert error <= 1e-12 * oscillation, (label, dimensions, ratio)
                slope = np.abs(pair[0].gradient(0) - pair[1].gradient(0)).max() * min(grid.spacing)
                assert slope <= 1e-12 * oscillation, (label, dimensions, ratio)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("explicit", {"step": -1.0}),
        ("explicit", {"step": float("nan")}),
        ("implicit", {"steps": 0}),
        ("implicit", {"step": 0.0}),
        ("crank_nicolson", {"steps": 1.5}),
        ("crank_nicolson", {"damping_steps": -1}),
        ("direct", {"tolerance": 0.5}),
    ],
)
def test_meaningless_options_are_refused(name: str, options: dict[str, float]) -> None:
    with pytest.raises(HeatpgError) as caught:
        make(name, **options)
    assert isinstance(caught.value, ValueError)
    assert "got: " in str(caught.value)
    assert "expected: " in str(caught.value)


@pytest.mark.parametrize("name", ["implicit", "crank_nicolson", "compact"])
def test_a_length_and_a_number_of_steps_contradict_each_other(name: str) -> None:
    with pytest.raises(OptionError, match=r"give either step or steps.*\n.*step=0.1, steps=4"):
        make(name, step=0.1, steps=4)
    assert make(name, step=0.1).describe()["options"]["step"] == 0.1
    # as an older file may have them: there the length decides
    assert make(name, step=None, steps=4).describe()["options"]["steps"] == 4
