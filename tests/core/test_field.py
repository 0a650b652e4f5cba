"""u between the nodes: against exact evolutions, against the solvers, on every boundary."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, errors, study
from heatpg.boundaries import boundaries
from heatpg.core.field import RESOLVED, HeatField
from heatpg.evolution import solve
from heatpg.solvers import make

EPS = np.finfo(np.float64).eps


def rough(grid: Grid, seed: int = 5) -> Landscape:
    return Landscape(np.random.default_rng(seed).standard_normal(grid.shape), grid)


def nodes_of(grid: Grid, count: int = 40, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    index = np.random.default_rng(seed).integers(0, grid.shape, (count, grid.dimensions))
    index[0], index[1] = 0, np.array(grid.shape) - 1
    return index, np.stack([axis.coordinates[i] for axis, i in zip(grid, index.T, strict=True)], axis=1)


@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("boundary", boundaries.names())
@pytest.mark.parametrize("cells", [0.0, 0.3, 1.0, 1.49, 1.5, 4.0, 60.0])
def test_agrees_with_direct_at_the_nodes(boundary: str, nodes: str, cells: float) -> None:
    # the same weights, hence round-off: a sum of 2 * 9 * 60 products of size osc(Q)
    axis = Axis("x", -1.0, 2.0, 37, boundary=boundary, nodes=nodes)  # type: ignore[arg-type]
    landscape = rough(Grid(axis))
    sigma = cells * axis.spacing
    expected = solve(landscape, sigma, "direct").values[0]
    found = HeatField(landscape).value(axis.coordinates[:, None], sigma)
    # at sigma = h samples alias by exp(-2 pi^2), a cubic kink by (2 pi)^3 / 3! = 41 as much, with jumps of 8 osc(Q)
    series = 8 * 41 * np.exp(-2 * np.pi**2) if cells == 1.0 else 0.0
    np.testing.assert_allclose(found, expected, rtol=0, atol=(64 * EPS + series) * landscape.oscillation)


@pytest.mark.parametrize("boundaries_of_axes", list(itertools.combinations(boundaries.names(), 3))[:6])
def test_agrees_with_direct_in_three_dimensions(boundaries_of_axes: tuple[str, ...]) -> None:
    grid = Grid(*(Axis(f"x{i}", 0.0, 1.0 + i, 11 + i, boundary=b) for i, b in enumerate(boundaries_of_axes)))
    landscape = rough(grid)
    sigma = [0.2, 0.35, 0.5]
    index, points = nodes_of(grid)
    flow = solve(landscape, [sigma], "direct")
    found = HeatField(landscape).value(points, sigma)
    np.testing.assert_allclose(found, flow.values[0][tuple(index.T)], rtol=0, atol=256 * EPS * landscape.oscillation)


@pytest.mark.parametrize("boundary", ["periodic", "reflect", "absorb", "clip"])
def test_gradient_agrees_with_that_of_the_transform(boundary: str) -> None:
    # from sigma = 3 h on both are the derivative of the same smooth function
    axis = Axis("x", -1.0, 2.0, 64, boundary=boundary)
    landscape = rough(Grid(axis))
    flow = solve(landscape, 4 * axis.spacing, make("spectral"))
    found = HeatField(landscape).gradient(axis.coordinates[:, None], 4 * axis.spacing)[:, 0]
    np.testing.assert_allclose(found, flow.gradient(0)[0], rtol=0, atol=1e-12 * landscape.oscillation / axis.spacing)


def bump(x: np.ndarray, y: np.ndarray, tx: float, ty: float) -> np.ndarray:
    """Gaussian of widths 0.5 and 0.8 after variances tx, ty."""
    a, b = 0.25 + tx, 0.64 + ty
    return np.asarray(math.sqrt(0.25 / a * 0.64 / b) * np.exp(-(x**2) / (2 * a) - y**2 / (2 * b)))


@pytest.mark.parametrize("sigma", [0.0, 0.05, 0.14, 0.151, 0.4, 2.0])
def test_all_derivatives_of_a_gaussian(sigma: float) -> None:
    spacing = 0.1
    grid = Grid(*(Axis(name, -6.0, 6.0, 121, boundary="clip") for name in "xy"))
    landscape = Landscape.from_function(lambda x, y: bump(x, y, 0.0, 0.0), grid)
    points = np.random.default_rng(3).uniform(-1.5, 1.5, (50, 2))
    found = HeatField(landscape).derivatives(points, sigma, 4)
    x, y = points.T
    a, b = 0.25 + sigma**2, 0.64 + sigma**2
    for m, n in itertools.product(range(5), repeat=2):
        if m + n > 4:
            assert not found[:, m, n].any()
            continue
        polynomials = [
            np.polynomial.hermite_e.hermeval(z / math.sqrt(v), [0] * k + [1]) * (-1 / math.sqrt(v)) ** k
            for z, v, k in ((x, a, m), (y, b, n))
        ]
        expected = polynomials[0] * polynomials[1] * bump(x, y, sigma**2, sigma**2)
        scale = (1 / math.sqrt(a)) ** m * (1 / math.sqrt(b)) ** n * math.sqrt(math.factorial(m) * math.factorial(n))
        if sigma >= RESOLVED * spacing:
            # the alias is 2 exp(-2 pi^2 25); what is left is round-off, with weights of size sigma^-(m + n)
            tolerance = float(640 * EPS * sigma ** -(m + n))
        else:
            # degree 7: h^(8 - m) |u^(8)| / 8 * distance of the nodes; piecewise linear taps err by h^2 sigma^0 / 8 u''
            width = 0.5
            order = (spacing / width) ** (8 - max(m, n)) * 105 / 8
            linear = 0.0 if sigma in (0.0, 0.14) else (spacing / width) ** 2 / 4 * 6
            tolerance = scale * (order + linear) + 1e-10
        assert np.abs(found[:, m, n] - expected).max() < tolerance, (m, n)


def test_solves_the_heat_equation_between_the_nodes() -> None:
    # u_t = 1/2 (u_xx + u_yy): the flow of the sampled comb is exact, so only the differences in t err
    grid = Grid(*(Axis(name, 0.0, 2.0, 40, boundary="reflect") for name in "xy"))
    field = HeatField(rough(grid))
    points = np.random.default_rng(0).uniform(0.0, 2.0, (20, 2))
    t, step = 0.04, 1e-4

    def at(variance: float) -> np.ndarray:
        return field.value(points, math.sqrt(variance))

    rate = (8 * (at(t + step) - at(t - step)) - (at(t + 2 * step) - at(t - 2 * step))) / (12 * step)
    _, _, hessian = field.local(field.derivatives(points, math.sqrt(t)))
    laplacian = np.trace(hessian, axis1=1, axis2=2)
    # step^4 u^(5) / 30 with u^(5) ~ (1/2 k^2)^5, k ~ 2 / sigma = 10; and round-off over the step
    assert np.abs(rate - 0.5 * laplacian).max() < 1e-16 * 50**5 / 30 + 32 * EPS / step
    assert np.abs(rate - laplacian).max() > 0.1


def test_a_sigma_for_each_point() -> None:
    grid = Grid(*(Axis(name, -1.0, 1.0, 21, boundary="clip") for name in "xy"))
    field = HeatField(rough(grid))
    points = np.array([[0.1, 0.2], [-0.5, 0.9]])
    both = field.gradient(points, [[0.2], [0.4]])
    np.testing.assert_array_equal(both[0], field.gradient(points[:1], 0.2)[0])
    np.testing.assert_array_equal(both[1], field.gradient(points[1:], 0.4)[0])
    assert not np.array_equal(field.value(points, [0.2, 0.4]), field.value(points, [0.4, 0.2]))


def test_outside_the_box_in_free_space() -> None:
    for boundary, far in (("clip", 3.0), ("zero", 0.0)):
        grid = Grid(Axis("x", 0.0, 1.0, 21, boundary=boundary))
        field = HeatField(Landscape(np.linspace(1.0, 3.0, 21), grid))
        for sigma in (0.0, 0.02, 0.3):
            assert field.value([[50.0]], sigma)[0] == pytest.approx(far, abs=1e-12)  # places 50 away are known to 7e-15
            assert field.gradient([[50.0]], sigma)[0, 0] == pytest.approx(0.0, abs=1e-10)


def test_periodic_points_wrap() -> None:
    field = HeatField(rough(Grid(Axis("x", 0.0, 1.0, 16, boundary="periodic"))))
    np.testing.assert_allclose(field.value([[0.3]], 0.1), field.value([[5.3]], 0.1), rtol=0, atol=1e-13)


def test_refusals() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 16, boundary="reflect"))
    field = HeatField(rough(grid))
    with pytest.raises(errors.GridError, match="wrong shape"):
        field.value([0.1, 0.2], 0.1)
    with pytest.raises(errors.GridError, match="outside the box"):
        field.value([[9.0]], 0.1)
    with pytest.raises(errors.GridError, match="must be real numbers"):
        field.value([["a"]], 0.1)
    with pytest.raises(errors.NonFiniteError):
        field.value([[math.nan]], 0.1)
    for sigma in (-0.1, math.inf, math.nan, [0.1, 0.2]):
        with pytest.raises(errors.SigmaError):
            field.value([[0.1]], sigma)
    with pytest.raises(errors.OptionError, match="order"):
        field.derivatives([[0.1]], 0.1, 5)
    with pytest.raises(errors.UnsupportedError, match="batch"):
        HeatField(Landscape(np.zeros((2, 16)), grid))
    with pytest.raises(errors.UnsupportedError, match="at most 3"):
        HeatField(Landscape(np.zeros((3,) * 4), Grid(*(Axis(f"x{i}", 0, 1, 3, boundary="clip") for i in range(4)))))
    assert field.value(np.zeros((0, 1)), 0.1).shape == (0,)
    assert field.hessian(np.zeros((0, 1)), 0.1).shape == (0, 1, 1)


@pytest.mark.parametrize("boundary", ["periodic", "reflect", "absorb", "clip"])
def test_an_offset_and_a_scale_do_not_matter(boundary: str) -> None:
    grid = Grid(*(Axis(name, -2.0, 2.0, 33, boundary=boundary) for name in "xy"))
    x, y = grid.mesh()
    values = np.exp(-2.0 * x**2) * np.cos(y) + 0.5 * np.sin(x + y)
    points = [[0.3, -0.7], [1.1, 0.2], [-1.9, 1.95]]
    far = np.ldexp(values + 1e10, 60)
    expected = HeatField(Landscape(np.ldexp(far, -60) - 1e10, grid)).derivatives(points, 0.3, 4)
    found = np.ldexp(HeatField(Landscape(far, grid)).derivatives(points, 0.3, 4), -60)
    found[:, 0, 0] -= 1e10
    unit = np.spacing(1e10)  # which the value is rounded to; derivatives have no offset
    assert np.abs(found[:, 0, 0] - expected[:, 0, 0]).max() <= 0.51 * unit
    found[:, 0, 0] = expected[:, 0, 0] = 0.0
    # some hundred roundings of the range, over sigma for every order
    np.testing.assert_allclose(found, expected, rtol=0, atol=200 * 2.3e-16 * 1.5 / 0.3**4)


@pytest.mark.parametrize("boundary", ["clip", "zero", "reflect", "absorb"])
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
def test_without_noise_q_goes_on_up_to_the_walls(boundary: str, nodes: str) -> None:
    """A cubic with a slope at its walls: known to round-off, with its derivatives, and not mirrored or cut off."""
    x = Axis("x", 0.0, 1.0, 20, boundary=boundary, nodes=nodes)  # type: ignore[arg-type]
    y = Axis("y", -1.0, 1.0, 14, boundary=boundary, nodes=nodes)  # type: ignore[arg-type]
    grid = Grid(x, y)
    field = HeatField(Landscape.from_function(lambda x, y: x**3 * y**2 + x - y**3, grid))
    places = np.random.default_rng(0).uniform([0, -1], [1, 1], (400, 2))
    places[:40, 0], places[40:80, 1], places[80:90] = 1.0, -1.0, (0.0, 1.0)
    found, (a, b) = field.derivatives(places, 0.0, 2), places.T
    # roundings of the largest value, 3, by the sums of the weights: 11 along each axis for 8 nodes (their Lebesgue
    # constant), 20 times that for a slope in units of h, 100 times for a curvature
    unit = 2 * 11**2 * 3 * np.finfo(np.float64).eps
    np.testing.assert_allclose(found[:, 0, 0], a**3 * b**2 + a - b**3, rtol=0, atol=unit)
    np.testing.assert_allclose(found[:, 1, 0], 3 * a**2 * b**2 + 1, rtol=0, atol=20 * unit / x.spacing)
    np.testing.assert_allclose(found[:, 0, 2], 2 * a**3 - 6 * b, rtol=0, atol=100 * unit / y.spacing**2)


def test_the_price_of_an_optimum_on_a_wall_between_cells() -> None:
    """A needle, and a hill that rises up to the wall at 1: what u has there at small sigma is what Q is there."""
    needle, hill = 0.3, 5.0
    for boundary in ("clip", "reflect", "absorb"):
        for nodes in ("vertex", "cell"):
            axis = Axis("x", 0.0, 1.0, 81, boundary=boundary, nodes=nodes)
            x = axis.coordinates
            q = 1.2 * np.exp(-0.5 * ((x - needle) / 0.03) ** 2) + np.exp((x - 1) * hill)
            curve = study(Landscape(q, Grid(axis)), [0.04, 0.15, 0.2]).curve
            assert curve.positions[:, 0].tolist() == [1.0, 1.0, 1.0]
            # the top of Q less 1; half a cell on, four cells miss h^4 35 / 128 of the fourth derivative
            assert curve.best == pytest.approx(1.2 + math.exp((needle - 1) * hill), abs=1e-4)
            right = curve.best - 1.0
            missed = 35 / 128 * axis.spacing**4 * hill**4
            assert abs(curve.price - right).max() <= 1.1 * missed
            assert (curve.uncertainty > missed).all() == (nodes == "cell")
