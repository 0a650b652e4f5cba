"""Observed orders against declared ones, on exact solutions that are not a single eigenmode."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape
from heatpg.boundaries import boundaries
from heatpg.errors import ResourceError, StabilityError
from heatpg.evolution import solve
from heatpg.landscapes import landscapes
from heatpg.solvers import make
from heatpg.solvers.base import Solver
from heatpg.solvers.explicit import balanced_shares
from tests.references import slope

SIZES = (25, 37, 55, 82)
SIGMA = 0.2


def smooth(boundary: str, nodes: Any, size: int, dimensions: int) -> Landscape:
    """A smooth landscape with its exact evolution on this boundary."""
    axes = []
    for i in range(dimensions):
        axes.append(Axis(f"x{i}", 0.0, 1.0, size + i, boundary=boundary, nodes=nodes))
    grid = Grid(*axes)
    if not grid[0].rule.free_space:
        return landscapes.get("eigenmodes")(grid, modes=2, seed=1)
    # two bumps so far from the edges that what lies beyond them is zero to round-off, before and after
    wide = Grid(*(Axis(axis.name, -4.5, 4.5, 6 * axis.size, boundary=boundary, nodes=nodes) for axis in axes))
    centers = tuple(c for bump in (-0.3, 0.5) for c in [bump] * dimensions)
    return landscapes.get("gaussians")(
        wide, heights=(1.0, -0.6), centers=centers, widths=tuple([0.5] * dimensions + [0.6] * dimensions)
    )


def errors_in_space(make_solver: Any, boundary: str, nodes: str, dimensions: int) -> tuple[list[float], list[float]]:
    steps, errors = [], []
    for size in SIZES:
        landscape = smooth(boundary, nodes, size, dimensions)
        spacing = landscape.grid.spacing[0]
        field = solve(landscape, SIGMA, make_solver(spacing)).values[0]
        steps.append(spacing)
        errors.append(float(np.abs(field - landscape.exact(SIGMA)).max()))
    return steps, errors


CASES: list[tuple[str, Any, float]] = [
    ("explicit", lambda h: make("explicit"), 4.0),
    ("explicit with step 0.9 h^2", lambda h: make("explicit", step=0.9 * h * h), 2.0),
    ("exponential", lambda h: make("exponential"), 2.0),
    ("implicit with step h^2", lambda h: make("implicit", step=h * h), 2.0),
    ("crank_nicolson with step h / 20", lambda h: make("crank_nicolson", step=h / 20), 2.0),
]
KINDS = [(boundary, nodes) for boundary in boundaries.names() for nodes in ("vertex", "cell")]


@pytest.mark.parametrize(("label", "make_solver", "declared"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("dimensions", [1, 2])
def test_order_in_space(
    label: str, make_solver: Any, declared: float, boundary: str, nodes: str, dimensions: int
) -> None:
    observed = slope(*errors_in_space(make_solver, boundary, nodes, dimensions))
    # values on faces are of order 4, and of order 5 for sines, whose even derivatives vanish there
    faces = (boundary, nodes, declared) == ("absorb", "cell", 4.0)
    assert declared - 0.1 <= observed <= (5.1 if faces else declared + 0.1)
    if "with" not in label:
        assert make_solver(0.1).order_space == declared


@pytest.mark.parametrize("name", ["spectral", "direct", "multiresolution"])
@pytest.mark.parametrize("dimensions", [1, 2])
def test_order_between_walls_whose_values_come_from_four_cells(name: str, dimensions: int) -> None:
    """A bump whose value and derivatives do not vanish on the walls."""
    steps, errors = [], []
    for size in SIZES:
        grid = Grid(*(Axis(f"x{i}", 0.0, 1.0, size, boundary="absorb", nodes="cell") for i in range(dimensions)))
        bump = landscapes.get("gaussians")(
            grid, heights=(1.0,), centers=(0.3,) * dimensions, widths=(0.5,) * dimensions
        )
        steps.append(grid.spacing[0])
        errors.append(float(np.abs(solve(bump, SIGMA, name).values[0] - bump.exact(SIGMA)).max()))
    assert 3.8 <= slope(steps, errors) <= 4.5


@pytest.mark.parametrize("name", ["spectral", "direct", "multiresolution", "exponential", "rational", "explicit"])
@pytest.mark.parametrize("boundary", ["clip", "absorb"])
def test_the_walls_of_cells_stand_at_the_bounds(name: str, boundary: str) -> None:
    """At least second order against the evolution between the bounds: it was first order with walls at the centres."""
    steps, errors = [], []
    for size in SIZES:
        grid = Grid(Axis("x", -1.0, 1.0, size, boundary=boundary, nodes="cell"))
        bump = landscapes.get("gaussians")(grid, heights=(1.0,), centers=(0.6,), widths=(0.7,))
        steps.append(grid.spacing[0])
        errors.append(float(np.abs(solve(bump, SIGMA, name).values[0] - bump.exact(SIGMA)).max()))
    assert slope(steps, errors) >= 1.9
    assert errors[-1] < 2e-4


def mirrored(x: NDArray[np.float64], variance: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A bump of width 0.03 between mirrors at 0 and 1 after so much variance, with its images, and its slope.

    Nothing of it is at the walls: of what is there slopes are taken, to order 5, even where they vanish.
    """
    value, gradient = np.zeros_like(x), np.zeros_like(x)
    spread = 0.03**2 + variance
    for image in range(-6, 7):
        for sign in (1.0, -1.0):
            distance = x - 2.0 * image - sign * 0.47
            part = 0.03 / np.sqrt(spread) * np.exp(-(distance**2) / (2.0 * spread))
            value += part
            gradient -= distance / spread * part
    return value, gradient


def between_mirrors(nodes: Any, size: int, dimensions: int) -> Landscape:
    """Products of mirrored bumps, with their exact evolution."""
    axes = [Axis(f"x{i}", 0.0, 1.0, size, boundary="reflect", nodes=nodes) for i in range(dimensions)]

    def exact(sigmas: Any) -> NDArray[np.float64]:
        lines = [mirrored(axis.coordinates, s**2)[0] for axis, s in zip(axes, sigmas, strict=True)]
        return np.asarray(functools.reduce(np.multiply.outer, lines))

    return Landscape(exact((0.0,) * dimensions), Grid(*axes), exact=exact)


# the values on the walls of cells are known to fourth order, where they do not vanish
EXACT_KINDS = [kind for kind in KINDS if kind != ("absorb", "cell")]


@pytest.mark.parametrize("name", ["spectral", "direct"])
@pytest.mark.parametrize(("boundary", "nodes"), EXACT_KINDS)
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_exact_solvers_reach_round_off(name: str, boundary: str, nodes: str, dimensions: int) -> None:
    size = 60 if dimensions < 3 else 20
    landscape = smooth(boundary, nodes, size, dimensions)
    if boundary == "reflect":
        landscape = between_mirrors(nodes, 110, dimensions)
    for sigma in (SIGMA, 2 * SIGMA):
        field = solve(landscape, sigma, name).values[0]
        # the bumps of free space leave exp(-(4.5 - 0.5)^2 / 2 (0.6^2 + 0.4^2)) = 2e-7 of themselves at the edge for the
        # larger sigma, but outside they were nothing to begin with: exp(-(4 / 0.6)^2 / 2) = 2e-10 of clip's edge value
        tolerance = 1e-13 if not landscape.grid[0].rule.free_space else 5e-10
        assert np.abs(field - landscape.exact(sigma)).max() <= tolerance * landscape.oscillation


def time_errors(options: list[dict[str, Any]], name: str) -> list[float]:
    """Distance from the exact flow of the same semi-discrete system."""
    landscape = smooth("reflect", "vertex", 30, 2)
    exact = solve(landscape, SIGMA, "exponential").values[0]
    return [float(np.abs(solve(landscape, SIGMA, make(name, **each)).values[0] - exact).max()) for each in options]


@pytest.mark.parametrize(("name", "declared"), [("implicit", 1.0), ("crank_nicolson", 2.0)])
def test_order_in_time(name: str, declared: float) -> None:
    counts = [64, 96, 144, 216]
    errors = time_errors([{"steps": count} for count in counts], name)
    assert abs(slope([1.0 / count for count in counts], errors) - declared) <= 0.1
    assert make(name).order_time == declared


def test_order_in_time_of_the_explicit_scheme() -> None:
    limit = (1.0 / 29) ** 2 * (29 / 30) ** 2  # h^2 of the finer axis
    steps = [SIGMA**2 / round(SIGMA**2 / (limit * share)) for share in (0.9, 0.6, 0.4, 0.27)]
    errors = time_errors([{"step": step * (1 + 1e-9)} for step in steps], "explicit")
    assert abs(slope(steps, errors) - 1.0) <= 0.1
    assert make("explicit").order_time == 1.0


def test_rannacher_start_keeps_second_order_after_a_jump() -> None:
    grid = Grid(Axis("x", -1.0, 1.0, 400, boundary="reflect", nodes="cell"))
    jump = Landscape.from_function(lambda x: (x > 0).astype(float), grid)
    exact = solve(jump, SIGMA, "exponential").values[0]

    def error(solver: Solver) -> float:
        return float(np.abs(solve(jump, SIGMA, solver).values[0] - exact).max())

    counts = [20, 40, 80]
    damped = [error(make("crank_nicolson", steps=count)) for count in counts]
    plain = [error(make("crank_nicolson", steps=count, damping_steps=0)) for count in counts]
    assert abs(slope([1.0 / count for count in counts], damped) - 2.0) <= 0.1
    # without it the shortest waves, multiplied by nearly -1 in every step, are still there
    assert plain[0] > 100 * damped[0]
    assert plain[1] > 100 * damped[1]


def bump(x: NDArray[np.float64], variance: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A Gaussian of width 0.5 after so much variance, and its slope."""
    spread = 0.25 + variance
    value = 0.5 / np.sqrt(spread) * np.exp(-(x**2) / (2 * spread))
    return value, -x / spread * value


def wave(x: NDArray[np.float64], variance: float, odd: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """cos(2 pi x) + cos(4 pi x) / 2, or with sines and a chord of slope 3, and the slope of it."""
    value, gradient = 3.0 * x * odd, np.full(x.shape, 3.0 * odd)
    for height, number in ((1.0, 2 * np.pi), (0.5, 4 * np.pi)):
        damped = height * np.exp(-(number**2) * variance / 2)
        value = value + damped * (np.sin(number * x) if odd else np.cos(number * x))
        gradient = gradient + damped * number * (np.cos(number * x) if odd else -np.sin(number * x))
    return value, gradient


def gradient_error(
    solver: Any, boundary: str, nodes: Any, size: int, sigma: float = 0.15, narrow: bool = False
) -> float:
    """Largest error of du/dx, in units of the largest slope; of waves, or between mirrors of a narrow bump."""
    free = boundary in ("clip", "zero")
    bounds = (-5.0, 5.0) if free else (0.0, 1.0)
    grid = Grid(Axis("x", *bounds, size * (8 if free else 1), boundary=boundary, nodes=nodes))
    x = grid[0].coordinates

    def exact(variance: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if narrow:
            return mirrored(x, variance)
        return bump(x, variance) if free else wave(x, variance, boundary == "absorb")

    flow = solve(Landscape(exact(0.0)[0], grid), sigma, solver(grid[0].spacing))
    expected = exact(sigma**2)[1]
    return float(np.abs(flow.gradient(0)[0] - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize(("boundary", "nodes"), EXACT_KINDS)
@pytest.mark.parametrize("name", ["spectral", "direct"])
def test_gradient_of_exact_solvers_reaches_round_off(name: str, boundary: str, nodes: str) -> None:
    narrow = boundary == "reflect"
    for size in (110, 111) if narrow else (60, 61):
        assert gradient_error(lambda h: name, boundary, nodes, size, narrow=narrow) <= 1e-12


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize(
    "solver",
    [
        lambda h: make("explicit"),
        lambda h: make("exponential"),
        lambda h: make("implicit", step=h * h),
        lambda h: make("crank_nicolson", step=h / 20),
    ],
    ids=["explicit", "exponential", "implicit", "crank_nicolson"],
)
def test_gradient_of_finite_differences_has_the_order_of_the_solver(solver: Any, boundary: str, nodes: str) -> None:
    sizes = [40, 57, 80]
    observed = slope([1.0 / size for size in sizes], [gradient_error(solver, boundary, nodes, size) for size in sizes])
    declared = solver(0.1).order_space
    # one-sided differences at the edges of free space and the walls can only add to the order that is seen
    assert observed >= declared - 0.2


@pytest.mark.parametrize("name", ["spectral", "direct"])
@pytest.mark.parametrize("boundary", ["periodic", "reflect", "absorb", "clip", "zero"])
def test_gradient_at_small_sigma_and_zero(name: str, boundary: str) -> None:
    """Below the spacing the interpolant is differentiated; at sigma = 0 that of Q."""
    assert gradient_error(lambda h: name, boundary, "vertex", 400, sigma=0.0) <= 2e-3
    assert gradient_error(lambda h: name, boundary, "vertex", 400, sigma=1e-3) <= 2e-3


@pytest.mark.parametrize("total", [1e-3, 0.33, 1 / 3, 0.34, 0.5, 2 / 3, 0.67, 1.0, 5.77, 1234.5])
def test_balanced_steps_have_the_right_variance_and_no_fourth_cumulant(total: float) -> None:
    count, first, second = balanced_shares(total)
    shares = np.array([1 / 6] * count + [first, second])
    assert abs(2 * shares.sum() - total) <= 1e-12 * total
    assert shares.min() >= 0.0
    assert shares.max() <= 0.25  # below a half step of h^2, so no extrema are created either
    cumulant = (2 * shares - 12 * shares**2).sum()
    # a total below a third is one step, whose error is of higher order because it is so short
    assert abs(cumulant) <= (1e-10 * total if total >= 1 / 3 else 2 * total)


def test_an_unstable_step_is_refused_with_the_largest_stable_one() -> None:
    landscape = smooth("reflect", "vertex", 30, 2)
    limit = min(landscape.grid.spacing) ** 2
    solve(landscape, SIGMA, make("explicit", step=limit))
    with pytest.raises(StabilityError, match="at most h\\^2") as caught:
        solve(landscape, SIGMA, make("explicit", step=1.01 * limit))
    assert isinstance(caught.value, ValueError)
    assert repr(float(f"{limit!r}"))[:10] in str(caught.value)


def test_endless_work_is_refused() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 2000, boundary="reflect"), Axis("y", 0.0, 1.0, 2000, boundary="reflect"))
    landscape = Landscape(np.zeros(grid.shape, dtype=np.float32), grid)
    solved: list[int] = []
    with pytest.raises(ResourceError, match="hours at sigma=2"):
        solve(landscape, [0.01, 2.0], "explicit", progress=lambda done, total: solved.append(done))
    assert not solved  # before the first level


@pytest.mark.parametrize("name", ["stabilized", "implicit", "crank_nicolson", "explicit"])
def test_a_refusal_takes_no_part_of_the_work(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sigma of a million spacings: neither steps are looked for nor a padding, and no level is begun."""
    grid = Grid(Axis("x", 0.0, 1.0, 1_000_001, boundary="clip"))
    landscape = Landscape(np.zeros((64, *grid.shape), dtype=np.float32), grid)

    def never(*arguments: object) -> None:
        raise AssertionError("the estimate looks at the operator itself")

    monkeypatch.setattr("heatpg.solvers.base._reach", never)
    monkeypatch.setattr("heatpg.solvers.stabilized._plan", never)
    monkeypatch.setattr(type(make(name)), "build", never)
    with pytest.raises(ResourceError, match=r"hours at|does not fit in memory"):
        solve(landscape, [1e-5, 4.0], make(name, step=1e-9) if name in ("implicit", "crank_nicolson") else name)
