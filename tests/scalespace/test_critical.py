"""Critical points of one field: against closed forms, on every boundary, with everything that has none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from heatpg import Axis, Grid, Landscape, errors
from heatpg.evolution import solve
from heatpg.scalespace import CriticalPoints, critical_points

EPS = float(np.finfo(np.float64).eps)


def rough(grid: Grid, seed: int) -> Landscape:
    return Landscape(np.random.default_rng(seed).standard_normal(grid.shape), grid)


def torus(size: int, dimensions: int, nodes: str = "vertex") -> Grid:
    return Grid(
        *(Axis(f"x{i}", 0.0, float(size), size, boundary="periodic", nodes=nodes) for i in range(dimensions))  # type: ignore[arg-type]
    )


def waves(*coordinates: np.ndarray) -> np.ndarray:
    return np.asarray(sum(np.cos(x + 0.3 * i) for i, x in enumerate(coordinates)))


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_all_points_of_a_sum_of_cosines(dimensions: int) -> None:
    # at x_i = -0.3 i (mod pi): 2^d points, of index k in binomial(d, k) ways; the heat flow leaves them where they are
    size = {1: 40, 2: 32, 3: 20}[dimensions]
    grid = Grid(*(Axis(f"x{i}", 0.0, 2 * math.pi, size, boundary="periodic") for i in range(dimensions)))
    points = critical_points(Landscape.from_function(waves, grid), 0.6)
    assert sorted(points.index.tolist()) == sorted(
        k for k in range(dimensions + 1) for _ in range(math.comb(dimensions, k))
    )
    offset = points.positions + 0.3 * np.arange(dimensions)
    # a position is known to sqrt(eps) in the value, but to eps / curvature in the gradient
    assert np.abs(np.sin(offset)).max() < 1e-12
    expected = math.exp(-0.18) * np.cos(offset).sum(axis=1)
    np.testing.assert_allclose(points.values, expected, rtol=0, atol=64 * EPS)
    # eigenvalues in units of max(sigma, h), here sigma
    curvatures = np.sort(-math.exp(-0.18) * np.cos(offset) * 0.36, axis=1)
    np.testing.assert_allclose(points.eigenvalues, curvatures, rtol=0, atol=1e-10)
    assert not points.on_edge.any()


def test_kinds_select() -> None:
    landscape = Landscape.from_function(
        waves, Grid(*(Axis(n, 0.0, 2 * math.pi, 32, boundary="periodic") for n in "xy"))
    )
    for kind, code, count in (("maximum", 1, 1), ("minimum", -1, 1), ("saddle", 0, 2)):
        points = critical_points(landscape, 0.5, kind)
        assert points.kind.tolist() == [code] * count
        assert points.kinds == [kind] * count
    assert len(critical_points(landscape, 0.5, ["maximum", "saddle"])) == 3


@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("cells", [2.0, 3.0, 6.0])
def test_euler_characteristic_of_the_torus(cells: float, nodes: str) -> None:
    # maxima - saddles + minima = 0 in two dimensions, and 0 in one and three with alternating signs
    for seed in range(6):
        points = critical_points(rough(torus(64, 2, nodes), seed), cells)
        assert (points.kind == 1).any() and (points.kind == -1).any()
        assert ((-1) ** points.index).sum() == 0, seed
        line = critical_points(rough(torus(64, 1, nodes), seed), cells)
        assert (line.kind == 1).sum() == (line.kind == -1).sum() > 0


def test_euler_characteristic_of_the_torus_in_three_dimensions() -> None:
    for seed in range(2):
        points = critical_points(rough(torus(20, 3), seed), 2.5)
        assert {0, 1, 2, 3} == set(points.index.tolist())
        assert ((-1) ** points.index).sum() == 0


@pytest.mark.parametrize("nodes", ["vertex", "cell"])
def test_walls_that_mirror(nodes: str) -> None:
    # unfolded onto the torus a point inside counts four times, one on a wall twice, one in a corner once
    axes = [Axis(name, 0.0, 24.0, 25 if nodes == "vertex" else 24, boundary="reflect", nodes=nodes) for name in "xy"]  # type: ignore[arg-type]
    for seed in range(5):
        points = critical_points(rough(Grid(*axes), seed), 2.0)
        on_wall = (np.abs(points.positions) < 1e-9) | (np.abs(points.positions - 24.0) < 1e-9)
        share = 4.0 / 2 ** on_wall.sum(axis=1)
        assert on_wall.sum() > 4
        assert (share * (-1.0) ** points.index).sum() == 0
        assert points.free.all()


@pytest.mark.parametrize("boundary", ["clip", "zero", "absorb"])
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
def test_every_maximum_of_the_nodes_has_one(boundary: str, nodes: str) -> None:
    # also along the edges of the box: found from there by steepest ascent of the nodes of a finer solution
    axes = [Axis(name, -8.0, 8.0, 48, boundary=boundary, nodes=nodes) for name in "xy"]  # type: ignore[arg-type]
    grid = Grid(*axes)
    landscape = rough(grid, 3)
    points = critical_points(landscape, 0.8)
    low, high = np.array([-8.0, -8.0]), np.array([8.0, 8.0])
    assert ((points.positions >= low - 1e-9) & (points.positions <= high + 1e-9)).all()
    held = points.select(points.on_edge)
    assert len(held) > 4
    at = (held.positions == low) | (held.positions == high)
    assert (at | held.free).all() and (held.kind != 0).all()
    highest = solve(landscape, 0.8, "direct").values[0].max()
    assert points.values[points.kind == 1].max() >= highest - 64 * EPS * landscape.oscillation


def test_edge_of_a_slope() -> None:
    # no maximum inside: the edge holds one, and says so
    grid = Grid(Axis("x", -1.0, 1.0, 101, boundary="clip"))
    points = critical_points(Landscape.from_function(lambda x: x, grid), 0.1)
    assert points.on_edge.all() and len(points) == 2
    top = points.select(points.kind == 1)
    assert top.positions[0, 0] == 1.0 and not top.free.any()
    # E max(-1, min(1, 1 + sigma Z)) = 1 - sigma / sqrt(2 pi)
    assert top.values[0] == pytest.approx(1.0 - 0.1 / math.sqrt(2 * math.pi), abs=0.05**2)


def test_an_edge_that_holds_and_one_that_does_not() -> None:
    # -x^2 - (y + 2)^2 on y >= -1: held at (0, -1)
    grid = Grid(Axis("x", -2.0, 2.0, 81, boundary="clip"), Axis("y", -1.0, 2.0, 61, boundary="clip"))
    points = critical_points(Landscape.from_function(lambda x, y: -(x**2) - (y + 2.0) ** 2, grid), 0.1, "maximum")
    assert len(points) == 1
    assert points.positions[0] == pytest.approx([0.0, -1.0], abs=1e-12)
    assert points.free.tolist() == [[True, False]]
    assert points.index.tolist() == [1]


def test_unequal_bumps_between_the_nodes() -> None:
    # maximum of h1 g1 + h2 g2 by bisection on the closed form
    grid = Grid(Axis("x", -5.0, 5.0, 401, boundary="clip"))
    landscape = Landscape.from_function(
        lambda x: np.exp(-((x - 1.013) ** 2) / 0.18) + 0.6 * np.exp(-((x + 0.987) ** 2) / 0.18), grid
    )
    v = 0.09 + 0.25

    def slope(x: float) -> float:
        return sum(-h * (x - c) / v * math.exp(-((x - c) ** 2) / (2 * v)) for h, c in ((1.0, 1.013), (0.6, -0.987)))

    expected = [brentq(slope, *ends, xtol=1e-15) for ends in ((-1.5, -0.8), (-0.6, 0.4), (0.5, 1.5))]
    points = critical_points(landscape, 0.5)
    inside = np.sort(points.positions[~points.on_edge, 0])
    np.testing.assert_allclose(inside, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_high_offset_and_single_precision(kind: type) -> None:
    grid = torus(48, 2)
    landscape = rough(grid, 2)
    exact = critical_points(Landscape(landscape.values.astype(kind).astype(np.float64), grid), 3.0)
    shifted = critical_points(Landscape(landscape.values.astype(kind) + kind(0.0), grid), 3.0)
    assert len(exact) == len(shifted)
    lifted = critical_points(Landscape(landscape.values + 1e5, grid), 3.0)
    # round-off 1e5 eps over curvatures of 1e-2
    assert ((-1) ** lifted.index).sum() == 0 and len(lifted) == len(critical_points(landscape, 3.0))


def test_nothing_on_a_ridge() -> None:
    # u1 = u2 all along: the Hessian is singular, no point is isolated
    grid = Grid(*(Axis(name, -3.0, 3.0, 61, boundary="periodic") for name in "xy"))
    landscape = Landscape.from_function(lambda x, y: np.cos(2 * math.pi * (x - y) / 6.0), grid)
    assert len(critical_points(landscape, 0.4)) == 0


def test_a_plateau_without_noise_and_with_it() -> None:
    grid = Grid(Axis("x", -3.0, 3.0, 121, boundary="clip"))
    landscape = Landscape.from_function(lambda x: (np.abs(x) < 1.02).astype(float), grid)
    # at sigma = 0 the interpolant overshoots next to the jumps, within its stencil of 4 nodes; the plateau has none
    assert (np.abs(np.abs(critical_points(landscape, 0.0, "maximum").positions) - 1.02) < 4 * 0.05).all()
    points = critical_points(landscape, 0.5, "maximum")
    assert points.positions[:, 0] == pytest.approx([0.0], abs=1e-9)


def test_sigma_zero_takes_the_interpolant() -> None:
    # of order 8 in h: (0.1)^8
    grid = Grid(Axis("x", 0.0, 2 * math.pi, 64, boundary="periodic"))
    points = critical_points(Landscape.from_function(lambda x: np.cos(x - 0.02), grid), 0.0)
    assert np.sort(points.positions[:, 0]) == pytest.approx([0.02, math.pi + 0.02], abs=1e-8)


def test_select_and_join() -> None:
    points = critical_points(rough(torus(32, 2), 0), 3.0)
    parts = points.select(points.kind == 1).joined(points.select(points.kind != 1))
    assert isinstance(parts, CriticalPoints) and len(parts) == len(points)
    assert sorted(parts.kinds) == sorted(points.kinds)


@pytest.mark.parametrize(
    ("make", "sigma", "kinds", "kind"),
    [
        (lambda: Landscape.from_array(np.ones(16), boundary="clip"), 1.0, ["maximum"], errors.UnsupportedError),
        (
            lambda: Landscape.from_array(1e8 + 1e-8 * np.eye(8), boundary="clip"),
            1.0,
            "maximum",
            errors.UnsupportedError,
        ),
        (lambda: Landscape(np.eye(9)[None], torus(9, 2)), 1.0, "maximum", errors.UnsupportedError),
        (lambda: rough(torus(5, 4), 0), 1.0, "maximum", errors.UnsupportedError),
        (lambda: rough(torus(9, 2), 0), -1.0, "maximum", errors.SigmaError),
        (lambda: rough(torus(9, 2), 0), math.nan, "maximum", errors.SigmaError),
        (lambda: rough(torus(9, 2), 0), [1.0, 1.0, 1.0], "maximum", errors.SigmaError),
        (lambda: rough(torus(9, 2), 0), 1.0, "minima", errors.UnknownNameError),
        (lambda: rough(torus(9, 2), 0), 1.0, [], errors.UnknownNameError),
    ],
)
def test_bad_input(make: object, sigma: object, kinds: object, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        critical_points(make(), sigma, kinds)  # type: ignore[operator, arg-type]
