"""The exact evolutions against quadrature, against the heat equation, and against the numbers of the literature."""

from __future__ import annotations

import inspect
import itertools
import json
import math
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ive, ndtr

from heatpg.boundaries import Boundary, boundaries
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import GridError, HeatpgError, OptionError, UnsupportedError
from heatpg.landscapes import analytic, landscapes
from heatpg.landscapes.lines import integer_directions

Array = NDArray[np.float64]

BOUNDARIES = ("absorb", "clip", "periodic", "reflect", "zero")
BOX = ((-1.2, 1.6), (-0.9, 1.1))  # of all plane grids here: no symmetry that could hide a sign


def bump(x: Array, center: float, width: float) -> Array:
    return np.exp(-((x - center) ** 2) / (2 * width**2))


# Parameters, Q as a function of the plane, and where it is not smooth along each axis.
CASES: dict[str, tuple[dict[str, Any], Callable[[Array, Array], Array], tuple[tuple[float, ...], ...]]] = {
    "cosine": (
        {"wavenumbers": (1.3, -2.7), "phase": 0.4},
        lambda x, y: np.cos(1.3 * x - 2.7 * y + 0.4),
        ((), ()),
    ),
    "quadratic": (
        {"curvature": (2.0, 0.5, 0.5, 1.0), "center": (0.2, -0.1)},
        lambda x, y: -0.5 * (2 * (x - 0.2) ** 2 + (x - 0.2) * (y + 0.1) + (y + 0.1) ** 2),
        ((), ()),
    ),
    "ramp": ({"slopes": (1.5, -0.5)}, lambda x, y: 1.5 * x - 0.5 * y, ((), ())),
    "plateau": ({"height": -2.0}, lambda x, y: np.full_like(x + y, -2.0), ((), ())),
    "step": (
        {"position": 0.3, "height": 2.0},
        lambda x, y: np.where(x > 0.3, 2.0, 0.0) + 0 * y,
        ((0.3,), ()),
    ),
    "absolute_value": (
        {"center": (0.2, -0.3)},
        lambda x, y: abs(x - 0.2) + abs(y + 0.3),
        ((0.2,), (-0.3,)),
    ),
    "box": (
        {"half_widths": (0.57, 0.4), "center": (0.1, 0.2)},
        lambda x, y: np.where((abs(x - 0.1) < 0.57) & (abs(y - 0.2) < 0.4), 1.0, 0.0),
        ((-0.47, 0.67), (-0.2, 0.6)),
    ),
    "gaussians": (
        {"heights": (1.0, -0.5), "centers": (0.3, -0.2, 1.0, 0.9), "widths": (0.4, 0.3, 0.6, 0.5)},
        lambda x, y: bump(x, 0.3, 0.4) * bump(y, -0.2, 0.3) - 0.5 * bump(x, 1.0, 0.6) * bump(y, 0.9, 0.5),
        ((), ()),
    ),
    "two_bumps": (
        {"half_distance": 0.8, "width": 0.4},
        lambda x, y: (bump(x, -0.8, 0.4) + bump(x, 0.8, 0.4)) * bump(y, 0, 0.4),
        ((), ()),
    ),
    "unequal_bumps": (
        {"heights": (0.6, 1.0), "half_distance": 0.8, "width": 0.4},
        lambda x, y: (0.6 * bump(x, -0.8, 0.4) + bump(x, 0.8, 0.4)) * bump(y, 0, 0.4),
        ((), ()),
    ),
    "peak_and_hill": (
        {"heights": (1.0, 0.8), "widths": (0.3, 0.7), "half_distance": 0.7},
        lambda x, y: bump(x, -0.7, 0.3) * bump(y, 0, 0.3) + 0.8 * bump(x, 0.7, 0.7) * bump(y, 0, 0.7),
        ((), ()),
    ),
    "creation": (
        {},
        lambda x, y: (
            bump(x, 0, 1) * bump(y, 0, 1)
            + 0.6 * bump(x, 3, 0.7) * bump(y, 0, 0.7)
            + 0.9 * bump(x, 1.3, 0.9) * bump(y, 0, 0.05)
        ),
        ((), (-0.2, -0.1, 0.0, 0.1, 0.2)),
    ),
    "ridge": ({"width": 0.35}, lambda x, y: bump(x - y, 0, 0.35), ((), ())),
}


def plane(first: str, second: str, size: int = 9) -> Grid:
    """Vertices along the first axis, cells along the second."""
    (a, b), (c, d) = BOX
    return Grid(Axis("x", a, b, size, boundary=first), Axis("y", c, d, size - 2, boundary=second, nodes="cell"))


def noise_rule(axis: Axis, x: float, sigma: float, breaks: Sequence[float]) -> tuple[Array, Array]:
    """Points of the box and weights, so that E[f(x + sigma Z)] = sum of weights * f(points), f continued step by step.

    Gauss-Legendre panels; every wall and every break is between two of them, in the box and in its images.
    """
    if sigma == 0:
        return np.array([x]), np.ones(1)
    lower, upper = axis.lower, axis.upper
    length = upper - lower
    start, stop = x - 9 * sigma, x + 9 * sigma
    images = range(math.floor((start - lower) / (2 * length)) - 1, math.ceil((stop - lower) / (2 * length)) + 2)
    special = {start, stop}
    for place, n in itertools.product((lower, upper, *breaks), images):
        copies = (place + 2 * n * length, place + (2 * n + 1) * length, 2 * lower - place + 2 * n * length)
        special |= {copy for copy in copies if start < copy < stop}
    edges = np.array(sorted(special))
    pieces = [np.linspace(p, q, 2 + int((q - p) / min(0.5 * sigma, 0.3)))[:-1] for p, q in itertools.pairwise(edges)]
    panels = np.append(np.concatenate(pieces), stop)
    points, weights = np.polynomial.legendre.leggauss(9)
    half = np.diff(panels)[:, np.newaxis] / 2
    y = (panels[:-1, np.newaxis] + half * (1 + points)).ravel()
    weight = (half * weights).ravel() * np.exp(-0.5 * ((y - x) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
    if axis.boundary == "zero":
        return np.clip(y, lower, upper), np.where((y > lower) & (y < upper), weight, 0.0)
    if axis.boundary == "clip":
        return np.clip(y, lower, upper), weight
    folded, sign = y.copy(), np.ones_like(y)
    while (outside := (folded < lower) | (folded > upper)).any():
        if axis.boundary == "periodic":
            folded += length * ((folded < lower).astype(float) - (folded > upper))
        else:
            wall = np.where(folded < lower, lower, upper)
            folded, sign = np.where(outside, 2 * wall - folded, folded), np.where(outside, -sign, sign)
    if axis.boundary != "absorb":
        return folded, weight
    # sign * (f - chord) at the folded place, plus the chord where the noise really is
    share, folded_share = (y - lower) / length, (folded - lower) / length
    high = float((weight * (share - sign * folded_share)).sum())
    low = float((weight * ((1 - share) - sign * (1 - folded_share))).sum())
    return np.append(folded, (lower, upper)), np.append(weight * sign, (low, high))


def mean_under_noise(
    function: Callable[[Array, Array], Array],
    grid: Grid,
    index: Sequence[int],
    sigmas: Sequence[float],
    breaks: Sequence[Sequence[float]] = ((), ()),
) -> float:
    places = grid.point(index)
    (x, a), (y, b) = (noise_rule(*arguments) for arguments in zip(grid, places, sigmas, breaks, strict=True))
    return float(a @ function(x[:, np.newaxis], y[np.newaxis, :]) @ b)


def assert_exact_by_quadrature(
    landscape: Landscape,
    function: Callable[[Array, Array], Array],
    breaks: Sequence[Sequence[float]] = ((), ()),
) -> None:
    last = tuple(n - 1 for n in landscape.grid.shape)
    for sigmas in ((0.3, 0.2), (0.0, 0.45), (1.7, 0.6)):
        u = landscape.exact(sigmas)
        for index in ((0, 0), (last[0], 3), (4, last[1]), (5, 2)):
            expected = mean_under_noise(function, landscape.grid, index, sigmas, breaks)
            if 0.0 in sigmas and landscape.grid[0].boundary == "zero" and index[0] in (0, last[0]):
                continue  # sigma = 0 gives Q itself, on the edge too
            assert u[index] == pytest.approx(expected, abs=2e-10), (sigmas, index)


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("name", CASES)
def test_exact_evolution_is_the_mean_under_noise_on_every_boundary(name: str, number: int) -> None:
    parameters, function, breaks = CASES[name]
    grid = plane(BOUNDARIES[number], BOUNDARIES[(number + 2) % 5])
    landscape = landscapes.get(name)(grid, **parameters)
    np.testing.assert_allclose(landscape.values, function(*grid.mesh()), rtol=0, atol=4e-14)
    assert np.array_equal(landscape.exact(0.0), landscape.values)
    assert_exact_by_quadrature(landscape, function, breaks)


def test_the_cases_and_the_two_that_follow_are_all_landscapes_of_the_file() -> None:
    assert set(CASES) | {"eigenmodes", "weierstrass"} == set(analytic.__all__)
    assert set(analytic.__all__) <= set(landscapes.names())


def eigenbasis(axis: Axis, x: Array, count: int) -> Array:
    """Constant (and straight line) and the first modes at x, one column each."""
    lower, upper = axis.lower, axis.upper
    s = (x - lower) / (upper - lower)
    n = np.arange(1, count + 1)
    angle = np.pi * np.multiply.outer(s, n)
    if axis.boundary == "reflect":
        return np.column_stack([np.ones_like(s), np.cos(angle)])
    if axis.boundary == "absorb":
        return np.column_stack([np.ones_like(s), s, np.sin(angle)])
    return np.column_stack([np.ones_like(s), np.cos(2 * angle), np.sin(2 * angle)])


@pytest.mark.parametrize(
    ("first", "second"), [("absorb", "absorb"), ("periodic", "absorb"), ("reflect", "reflect"), ("reflect", "periodic")]
)
def test_eigenmodes_evolve_exactly(first: str, second: str) -> None:
    grid = plane(first, second, size=13)
    landscape = analytic.eigenmodes(grid, modes=3, seed=5)
    # Q lies in the span of the first modes, which tells it everywhere
    matrices = [eigenbasis(axis, axis.coordinates, 3) for axis in grid]
    inverse = [np.linalg.pinv(matrix) for matrix in matrices]
    coefficients = inverse[0] @ landscape.values @ inverse[1].T
    np.testing.assert_allclose(matrices[0] @ coefficients @ matrices[1].T, landscape.values, atol=1e-13)
    assert (abs(coefficients) > 1e-3).sum() >= 4  # several modes, and what does not decay

    def function(x: Array, y: Array) -> Array:
        return np.asarray(eigenbasis(grid[0], x[:, 0], 3) @ coefficients @ eigenbasis(grid[1], y[0], 3).T)

    assert_exact_by_quadrature(landscape, function)


def test_eigenmodes_on_an_absorbing_axis_hold_ends_that_are_not_zero() -> None:
    landscape = analytic.eigenmodes(dimensions=1, boundary="absorb", seed=3)
    ends = landscape.values[[0, -1]]
    assert abs(ends).min() > 0.1
    assert abs(ends[1] - ends[0]) > 0.1
    np.testing.assert_allclose(landscape.exact(0.7)[[0, -1]], ends, atol=1e-14)


@pytest.mark.parametrize("boundary", ["clip", "zero"])
def test_eigenmodes_refuse_free_space(boundary: str) -> None:
    with pytest.raises(
        UnsupportedError, match=f"(?s)eigenmodes need another.*got: '{boundary}'.*expected: 'absorb'.*ramp, plateau"
    ):
        analytic.eigenmodes(boundary=boundary)


def residual(landscape: Landscape, sigmas: Sequence[float], step: float) -> float:
    """max |u_t_i - 1/2 u_ii| / max |u_t_i| over inner nodes and axes, both sides by central differences."""
    worst = []
    for i, (sigma, h) in enumerate(zip(sigmas, landscape.grid.spacing, strict=True)):
        t = sigma**2
        later, earlier = (
            landscape.exact([math.sqrt(t * (1 + sign * step)) if j == i else s for j, s in enumerate(sigmas)])
            for sign in (1, -1)
        )
        rate = np.moveaxis((later - earlier) / (2 * t * step), i, 0)[1:-1]
        u = np.moveaxis(landscape.exact(sigmas), i, 0)
        bending = 0.5 * (u[2:] - 2 * u[1:-1] + u[:-2]) / h**2
        worst.append(abs(rate - bending).max() / max(abs(rate).max(), 1e-3))
    return float(max(worst))


@pytest.mark.parametrize(
    ("name", "boundary"),
    [
        (name, boundary)
        for name, boundary in itertools.product(analytic.__all__, BOUNDARIES)
        if name != "eigenmodes" or boundary not in ("clip", "zero")
    ],
)
def test_exact_evolution_solves_the_heat_equation(name: str, boundary: str) -> None:
    parameters = CASES[name][0] if name in CASES else {}
    if name == "weierstrass":
        parameters = {"terms": 3}
    sigmas = (0.5, 0.4)
    (a, b), (c, d) = BOX

    def sampled(size: int) -> Landscape:
        grid = Grid(Axis("x", a, b, size, boundary=boundary), Axis("y", c, d, size, boundary=boundary))
        return landscapes.get(name)(grid, **parameters)

    # halving both steps must leave a quarter of the difference: second order, so the limit is zero
    coarse, fine = residual(sampled(65), sigmas, 0.02), residual(sampled(129), sigmas, 0.01)
    assert coarse < 0.05
    assert fine < 0.3 * coarse or fine < 1e-8  # the steady ones: rounding over the square of the spacing


def test_three_dimensions_are_a_product_of_three_means() -> None:
    grid = Grid(*(Axis(name, -1.0, 1.5, 5, boundary="clip") for name in ("x", "y", "z")))
    landscape = analytic.gaussians(grid, heights=(2.0,), centers=(0.1, 0.2, 0.3), widths=(0.5,))
    lines = [
        analytic.gaussians(Grid(axis), heights=(1.0,), centers=(center,), widths=(0.5,)).exact(sigma)
        for axis, center, sigma in zip(grid, (0.1, 0.2, 0.3), (0.4, 0.0, 0.9), strict=True)
    ]
    expected = 2 * np.einsum("i,j,k->ijk", *lines)
    np.testing.assert_allclose(landscape.exact((0.4, 0.0, 0.9)), expected, atol=1e-15)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_no_noise_is_too_small_and_none_too_large(boundary: str) -> None:
    landscape = analytic.absolute_value(Grid(Axis("x", -1.0, 2.0, 7, boundary=boundary)))
    # where the continuation jumps, no noise gives Q and a little noise the mean of both sides
    inside = slice(1, -1) if boundary in ("zero", "periodic") else slice(None)
    for sigma in (5e-324, 1e-200, 1e-140, 1e-12):
        np.testing.assert_allclose(landscape.exact(sigma)[inside], landscape.values[inside], atol=1e-10)
    bumps = analytic.gaussians(landscape.grid, centers=(0.0, 1.0), widths=(3.0,))
    for other in (bumps, analytic.cosine(landscape.grid)):
        np.testing.assert_allclose(other.exact(5e-324)[inside], other.values[inside], atol=1e-10)
    mean = (0.5 * 1 + 0.5 * 4) / 3
    limit = {
        "absorb": 1 + (landscape.grid["x"].coordinates + 1) / 3,
        "clip": np.full(7, 1.5),
        "periodic": np.full(7, mean),
        "reflect": np.full(7, mean),
        "zero": np.zeros(7),
    }
    np.testing.assert_allclose(landscape.exact(1e12)[inside], limit[boundary][inside], atol=1e-10)


def count_maxima(u: Array) -> int:
    """Strict local maxima among inner nodes, against all neighbours, diagonal ones too."""
    inner = tuple(slice(1, -1) for _ in u.shape)
    higher = np.ones(u[inner].shape, dtype=bool)
    for shift in itertools.product((-1, 0, 1), repeat=u.ndim):
        if any(shift):
            higher &= u[inner] > u[tuple(slice(1 + s, n - 1 + s) for s, n in zip(shift, u.shape, strict=True))]
    return int(higher.sum())


def test_cosine_decays_with_half_of_k_squared() -> None:
    # Monte Carlo of the project: 0.166; exp(-k^2 sigma^2), a slip that one finds, would give 0.027
    landscape = analytic.cosine(dimensions=1, wavenumbers=(3.0,))
    assert landscape.exact(math.sqrt(0.4))[0] == pytest.approx(0.1653, abs=5e-5)


@pytest.mark.parametrize(("boundary", "phase"), [("reflect", 0.0), ("absorb", -math.pi / 2)])
def test_cosine_is_an_eigenfunction_where_its_docstring_says(boundary: str, phase: float) -> None:
    landscape = analytic.cosine(
        Grid(Axis("x", 0.0, 2.0, 33, boundary=boundary)), wavenumbers=(3 * math.pi / 2,), phase=phase
    )
    expected = landscape.values * math.exp(-0.5 * (3 * math.pi / 2 * 0.3) ** 2)
    np.testing.assert_allclose(landscape.exact(0.3), expected, atol=1e-14)


def test_free_space_formulas_hold_away_from_the_edges() -> None:
    sigma = 0.4
    step = analytic.step()
    x = step.grid["x"].coordinates
    np.testing.assert_allclose(step.exact(sigma), ndtr(x / sigma), atol=1e-15)
    kink = analytic.absolute_value()
    assert kink.exact(sigma)[128] == pytest.approx(math.sqrt(2 / math.pi) * sigma, abs=1e-14)
    table = analytic.box(dimensions=2, size=9)
    assert table.exact((0.8, 0.5))[4, 4] == pytest.approx((2 * ndtr(1 / 0.8) - 1) * (2 * ndtr(1 / 0.5) - 1), abs=1e-14)
    bowl = analytic.quadratic(curvature=(2.0, 0.5, 0.5, 1.0), size=65)
    middle = (slice(24, 41), slice(24, 41))
    expected = bowl.values - 0.5 * (2.0 * 0.3**2 + 1.0 * 0.2**2)
    np.testing.assert_allclose(bowl.exact((0.3, 0.2))[middle], expected[middle], atol=1e-12)
    for s in (0.1, 0.5, 1.0, 2.0):
        assert bowl.exact(s).argmax() == np.ravel_multi_index((32, 32), bowl.grid.shape)


def test_free_gaussians_widen_and_sink() -> None:
    landscape = analytic.gaussians(boundary="zero")
    x, y = landscape.grid.mesh()
    s, r = 0.3, 0.6
    expected = np.zeros(landscape.grid.shape)
    for height, a, b, v, w in ((1.0, -1.0, 0.5, 0.4, 0.8), (0.7, 1.5, -0.5, 0.7, 0.5)):
        wide, tall = math.hypot(v, s), math.hypot(w, r)
        expected += height * v * w / (wide * tall) * bump(x, a, wide) * bump(y, b, tall)
    middle = (slice(32, 97), slice(32, 97))
    np.testing.assert_allclose(landscape.exact((s, r))[middle], expected[middle], atol=1e-5)
    np.testing.assert_allclose(landscape.exact((s, r))[64, 64], expected[64, 64], atol=1e-13)


def test_ramp_and_plateau_have_their_closed_forms() -> None:
    sigma, lower, upper = 0.7, -1.0, 1.0
    ramp, plateau = analytic.ramp(dimensions=1), analytic.plateau(dimensions=1)
    x = ramp.grid["x"].coordinates
    a, b = (lower - x) / sigma, (upper - x) / sigma

    def phi(z: Array) -> Array:
        return np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)

    clipped = lower * ndtr(a) + upper * ndtr(-b) + x * (ndtr(b) - ndtr(a)) + sigma * (phi(a) - phi(b))
    np.testing.assert_allclose(ramp.exact(sigma), clipped, atol=1e-15)
    np.testing.assert_allclose(plateau.exact(sigma), ndtr(b) - ndtr(a), atol=1e-15)
    sampled = np.clip(x[5] + sigma * np.random.default_rng(1).standard_normal(400_000), lower, upper)
    assert abs(sampled.mean() - clipped[5]) < 4 * sampled.std() / math.sqrt(sampled.size)


@pytest.mark.parametrize(("half_distance", "width"), [(1.0, 0.5), (0.8, 0.3)])
def test_two_bumps_die_at_a_squared_minus_w_squared(half_distance: float, width: float) -> None:
    landscape = analytic.two_bumps(size=2001, half_distance=half_distance, width=width)
    death = half_distance**2 - width**2
    assert count_maxima(landscape.exact(math.sqrt(0.998 * death))) == 2
    assert count_maxima(landscape.exact(math.sqrt(1.002 * death))) == 1


def test_unequal_bumps_have_the_higher_one_at_plus_one() -> None:
    landscape = analytic.unequal_bumps()
    assert landscape.grid.point(landscape.argmax) == pytest.approx((1.0,))
    assert count_maxima(landscape.exact(0.3)) == 2


@pytest.mark.parametrize(("dimensions", "expected"), [(1, 0.03757), (2, 0.02504)])
def test_argmax_jumps_from_the_peak_to_the_hill(dimensions: int, expected: float) -> None:
    # nodes at -3 and 3 on the first axis, at 0 on the others: the tops, up to the other one's tail
    axes = [Axis(f"x{i}", -6.0, 6.0, 5, boundary="clip") for i in range(dimensions)]
    landscape = analytic.peak_and_hill(Grid(*axes))
    rest = (2,) * (dimensions - 1)

    def lead(sigma: float) -> float:
        u = landscape.exact(sigma)
        return float(u[(1, *rest)] - u[(3, *rest)])

    assert brentq(lead, 0.001, 0.2) == pytest.approx(expected, abs=5e-6)
    r = 1.25 ** (2 / dimensions)
    assert math.sqrt(0.05**2 * (r - 1) / (1 - r * 0.05**2)) == pytest.approx(expected, abs=5e-6)


def test_creation_has_one_maximum_then_two_then_one() -> None:
    landscape = analytic.creation()
    counts = [count_maxima(landscape.exact(math.sqrt(t))) for t in (0.002, 0.005, 0.01, 0.3, 0.45)]
    assert counts == [1, 2, 2, 2, 1]
    # all of them are on y = 0, where the profile tells the two events to their digits
    profile = analytic.creation(
        Grid(Axis("x", -4.0, 6.0, 20_001, boundary="clip"), Axis("y", -3.0, 3.0, 3, boundary="clip"))
    )
    for birth_or_death, before, after in ((0.0033125, 1, 2), (0.38048, 2, 1)):
        for factor, expected in ((0.999, before), (1.001, after)):
            assert count_maxima(profile.exact(math.sqrt(factor * birth_or_death))[:, 1]) == expected
    line = profile.exact(0.1)[:, 1]
    x = profile.grid["x"].coordinates
    tops = np.flatnonzero((line[1:-1] > line[:-2]) & (line[1:-1] > line[2:])) + 1
    np.testing.assert_allclose(x[tops], [0.28, 2.78], atol=5e-3)
    np.testing.assert_allclose(line[tops], [1.1649, 0.6870], atol=5e-5)


@pytest.mark.parametrize("width", [0.186, 0.556])
def test_ridge_height(width: float) -> None:
    axes = (Axis("u1", -4.0, 4.0, 5, boundary="clip"), Axis("u2", -4.0, 4.0, 5, boundary="clip"))
    landscape = analytic.ridge(Grid(*axes), width=width)
    for sigma in (0.02, 0.1, 0.2):
        expected = math.sqrt(width**2 / (width**2 + 2 * sigma**2))
        assert landscape.exact(sigma)[2, 2] == pytest.approx(expected, abs=1e-13)
    assert landscape.exact((0.3, 0.1))[2, 2] == pytest.approx(width / math.sqrt(width**2 + 0.1), abs=1e-13)
    cube = analytic.ridge(Grid(*axes, Axis("u3", 0.0, 1.0, 3, boundary="reflect")), width=width)
    np.testing.assert_allclose(cube.exact(0.1), np.repeat(landscape.exact(0.1)[..., np.newaxis], 3, axis=2), atol=1e-13)


def test_weierstrass_has_its_waves_and_no_others() -> None:
    landscape = analytic.weierstrass(exponent=0.4, base=2, terms=9, seed=3)
    spectrum = np.fft.rfft(landscape.values) / (landscape.grid.size / 2)
    expected = np.zeros(spectrum.size)
    expected[2 ** np.arange(9)] = 2.0 ** (-0.4 * np.arange(9))
    np.testing.assert_allclose(abs(spectrum), expected, atol=1e-13)
    assert np.ptp(np.angle(spectrum[2 ** np.arange(9)])) > 1  # phases differ


@pytest.mark.parametrize("dimensions", [1, 2])
def test_weierstrass_evolves_as_its_fourier_series(dimensions: int) -> None:
    landscape = analytic.weierstrass(size=128, terms=6, dimensions=dimensions)
    sigmas = (0.07, 0.2)[:dimensions]
    wavenumbers = np.meshgrid(*[np.fft.fftfreq(128, 1 / 128)] * dimensions, indexing="ij")
    symbol = np.exp(-0.5 * sum((k * s) ** 2 for k, s in zip(wavenumbers, sigmas, strict=True)))
    expected = np.fft.ifftn(np.fft.fftn(landscape.values) * symbol).real
    np.testing.assert_allclose(landscape.exact(sigmas), expected, atol=2e-14)
    assert landscape.exact(20.0).max() < 1e-80  # each wave decays as it should, even far below rounding


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_weierstrass_keeps_to_its_boundary(boundary: str) -> None:
    # the waves of the periodic twin tell Q everywhere in the box
    (a, b), (c, d) = BOX
    twin = analytic.weierstrass(
        Grid(Axis("x", a, b, 32, boundary="periodic"), Axis("y", c, d, 32, boundary="periodic")), terms=3, directions=3
    )
    spectrum = np.fft.fft2(twin.values) / twin.grid.size
    wavenumbers = np.fft.fftfreq(32, 1 / 32)

    def function(x: Array, y: Array) -> Array:
        along_x = np.exp(2j * np.pi * np.multiply.outer((x[:, 0] - a) / (b - a), wavenumbers))
        along_y = np.exp(2j * np.pi * np.multiply.outer((y[0] - c) / (d - c), wavenumbers))
        return np.asarray((along_x @ spectrum @ along_y.T).real)

    landscape = analytic.weierstrass(plane(boundary, boundary, size=12), terms=3, directions=3)
    np.testing.assert_allclose(landscape.values, function(*landscape.grid.mesh()), atol=1e-12)
    assert_exact_by_quadrature(landscape, function)


@pytest.mark.parametrize("exponent", [0.4, 0.5])
def test_weierstrass_has_its_exponent(exponent: float) -> None:
    landscape = analytic.weierstrass(size=2**15, terms=14, exponent=exponent)
    q = landscape.values
    lags = 2 ** np.arange(4, 11)  # scales that the sum resolves, whole octaves
    structure = [np.sqrt(np.mean((np.roll(q, -lag) - q) ** 2)) for lag in lags]
    assert np.polyfit(np.log(lags), np.log(structure), 1)[0] == pytest.approx(exponent, abs=0.03)
    sigmas = 2 * math.pi / 2**15 * lags
    fields = [landscape.exact(sigma) for sigma in sigmas]
    bias = [np.sqrt(np.mean((u - q) ** 2)) for u in fields]
    assert np.polyfit(np.log(sigmas), np.log(bias), 1)[0] == pytest.approx(exponent, abs=0.03)
    slope = [np.sqrt(np.mean(np.gradient(u) ** 2)) for u in fields]
    assert np.polyfit(np.log(sigmas), np.log(slope), 1)[0] == pytest.approx(exponent - 1, abs=0.03)


def test_weierstrass_waves_point_everywhere_and_none_is_lost() -> None:
    landscape = analytic.weierstrass(size=64, terms=5, dimensions=2, directions=4)
    strength = abs(np.fft.fft2(landscape.values)) / landscape.grid.size
    k = np.fft.fftfreq(64, 1 / 64)
    radius = np.hypot(*np.meshgrid(k, k, indexing="ij"))
    finest = strength * (abs(radius - 16) <= 1)
    assert (finest > 1e-10).sum() == 8  # 4 directions, and their opposites
    assert strength[0, 0] < 1e-15
    # a scale has the mean square of one wave, whatever the number of directions (as long as they differ)
    assert (finest**2).sum() == pytest.approx(0.5 * 2 ** (-0.8 * 4), rel=1e-12)
    # in twelve dimensions a random unit vector often rounds to zero, which would be a constant
    vectors = integer_directions(np.random.default_rng(0), 12, 200, 1)
    assert all(any(vector) for vector in vectors)


def test_discrete_gaussian_numbers() -> None:
    # the flow of a delta on a grid of spacing 1: T(n; t) = exp(-t) I_n(t)
    n = np.arange(-60, 61)

    def flow(t: float) -> Array:
        return np.asarray(ive(abs(n), t))

    assert flow(0.8).sum() == pytest.approx(1, abs=1e-14)
    assert (n**2 * flow(0.8)).sum() == pytest.approx(0.8, abs=1e-13)
    np.testing.assert_allclose(np.convolve(flow(0.8), flow(1.3), "same"), flow(2.1), atol=1e-15)
    sampled = np.exp(-(n**2) / (2 * 0.05)) / math.sqrt(2 * math.pi * 0.05)
    assert sampled.sum() == pytest.approx(1.78, abs=0.005)


@pytest.mark.parametrize("name", analytic.__all__)
def test_provenance_is_json_and_gives_the_same_landscape_again(name: str) -> None:
    family = landscapes.get(name)
    landscape = family(size=33, **({"terms": 3} if name == "weierstrass" else {}))
    record = json.loads(json.dumps(landscape.provenance))
    assert record == landscape.provenance
    assert record["source"] == f"heatpg.landscapes.analytic.{name}"
    assert landscape.name == name
    own = set(inspect.signature(family).parameters) - {"grid", "size", "boundary", "dimensions"}
    assert set(record["parameters"]) == own
    again = family(landscape.grid, **record["parameters"])
    assert np.array_equal(again.values, landscape.values)
    assert np.array_equal(again.exact(0.3), landscape.exact(0.3))


@pytest.mark.parametrize("name", analytic.__all__)
def test_a_landscape_with_its_exact_evolution_can_be_sent_to_another_process(name: str) -> None:
    landscape = landscapes.get(name)(size=17, **({"terms": 3} if name == "weierstrass" else {}))
    copy = pickle.loads(pickle.dumps(landscape))
    assert np.array_equal(copy.exact(0.3), landscape.exact(0.3))


@pytest.mark.parametrize("name", analytic.__all__)
def test_signature_can_be_filled_in_from_text(name: str) -> None:
    parameters = inspect.signature(landscapes.get(name)).parameters
    assert next(iter(parameters)) == "grid"
    for parameter in list(parameters.values())[1:]:
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.default is not parameter.empty
        assert parameter.annotation in ("int", "float", "str", "tuple[float, ...]")


@pytest.mark.parametrize("name", sorted(set(analytic.__all__) - {"creation", "gaussians", "ridge"}))
def test_dimensions_are_as_asked(name: str) -> None:
    family = landscapes.get(name)
    for dimensions in (1, 3):
        landscape = family(size=7, dimensions=dimensions, **({"terms": 2} if name == "weierstrass" else {}))
        assert landscape.grid.shape == (7,) * dimensions
        assert landscape.exact(0.2).shape == landscape.grid.shape


@pytest.mark.parametrize(("lower", "size"), [(0.0, 11), (-0.7, 18), (-1.0, 21)])
def test_a_node_on_a_jump_has_the_mean_of_both_sides_even_if_it_misses_by_rounding(lower: float, size: int) -> None:
    # multiples of 0.1, of which 0.3 is one that is missed by the last digit on some grids
    grid = Grid(Axis("x", lower, 1.0, size, boundary="clip"))
    x = grid["x"].coordinates
    expected = np.where(abs(x - 0.3) < 0.01, 0.5, np.where(x > 0.3, 1.0, 0.0))
    assert np.array_equal(analytic.step(grid, position=0.3).values, expected)


def test_seeds_matter() -> None:
    for family in (analytic.eigenmodes, analytic.weierstrass):
        values = [family(seed=seed).values for seed in (0, 0, 1)]
        assert np.array_equal(values[0], values[1])
        assert abs(values[0] - values[2]).max() > 0.1


def test_a_boundary_of_someone_else_gets_no_exact_evolution(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mirror(Boundary):
        name = "mirror"
        meaning = "of someone else"

        def fold(self, index: Any, size: int, nodes: Any) -> Any:
            raise NotImplementedError

    monkeypatch.setitem(boundaries._entries, "mirror", Mirror())
    landscape = analytic.box(size=9, boundary="mirror")
    assert not landscape.has_exact
    assert landscape.values[4] == 1
    with pytest.raises(UnsupportedError, match="the exact evolution is unknown for 'box'"):
        landscape.exact(0.1)


LINE = Grid(Axis("x", -1.0, 1.0, 9, boundary="clip"))


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("cosine", dict(wavenumbers=(1.0, 2.0, 3.0)), "(?s)wavenumbers.*3 numbers.*1 number, or 2.*row by row"),
        ("cosine", dict(phase=math.nan), "(?s)phase is out of range.*nan.*finite"),
        ("cosine", dict(wavenumbers="fast"), "(?s)wavenumbers must be real numbers.*'fast'"),
        ("cosine", dict(phase=(1.0, 2.0)), r"(?s)phase must be a number.*\(1\.0, 2\.0\).*expected: a finite number$"),
        ("eigenmodes", dict(modes=0), "(?s)modes is out of range.*got: 0.*>= 1"),
        ("eigenmodes", dict(modes=True), "(?s)modes.*True"),
        ("eigenmodes", dict(modes=2.5), "(?s)modes.*2.5"),
        ("eigenmodes", dict(seed=-1), "(?s)seed.*-1.*>= 0"),
        ("quadratic", dict(curvature=(1.0, 0.2, 0.1, 1.0)), r"(?s)symmetric.*\(A \+ A\^T\) / 2"),
        ("quadratic", dict(curvature=(1.0, 2.0, 3.0)), "(?s)curvature.*3 numbers.*or 4"),
        ("box", dict(half_widths=(0.0,)), "(?s)half_widths.*above 0"),
        ("gaussians", dict(widths=(-1.0,)), "(?s)widths.*above 0"),
        ("gaussians", dict(widths=(1.0, 1.0, 1.0)), "(?s)widths.*3 numbers"),
        ("gaussians", dict(centers=(1.0, 2.0, 3.0)), "(?s)centers and heights differ.*3 coordinates for 2"),
        ("gaussians", dict(heights=()), "centers and heights differ"),
        ("gaussians", dict(grid=LINE), "(?s)wrong number of coordinates.*4 coordinates.*expected: 2: 2 Gaussians, 1"),
        ("two_bumps", dict(width=0.0), "(?s)width.*width > 0"),
        ("unequal_bumps", dict(heights=(1.0, 2.0, 3.0)), "(?s)heights.*3 numbers"),
        ("peak_and_hill", dict(half_distance=-1.0), "(?s)half_distance.*half_distance > 0"),
        ("ridge", dict(width=math.inf), "(?s)width.*finite"),
        ("weierstrass", dict(exponent=1.5), "(?s)exponent.*1.5.*at most 1"),
        ("weierstrass", dict(exponent=0.0), "(?s)exponent.*exponent > 0"),
        ("weierstrass", dict(base=1), "(?s)base.*>= 2"),
        ("weierstrass", dict(terms=10), r"(?s)too coarse.*2\^9 = 512 waves on 1024.*at most 511.*fewer terms"),
    ],
)
def test_bad_parameters_are_refused(name: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        landscapes.get(name)(**given)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("ridge", dict(grid=LINE), "(?s)too few axes.*got: 1.*at least 2"),
        ("creation", dict(grid=LINE), "too few axes"),
        ("creation", dict(grid=Grid(*(Axis(n, 0, 1, 3, boundary="clip") for n in "abc"))), "(?s)3 axes.*expected: 2"),
        ("box", dict(grid=64), r"(?s)must be a heatpg.Grid.*got: int.*Grid\(Axis"),
    ],
)
def test_grids_that_do_not_fit_are_refused(name: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(GridError, match=message):
        landscapes.get(name)(**given)


@pytest.mark.parametrize("dimensions", [0, -1, 1.5])
def test_dimensions_out_of_range_are_refused(dimensions: Any) -> None:
    with pytest.raises(HeatpgError, match=r"dimensions (is out of range|must be a whole number)"):
        analytic.box(dimensions=dimensions)


def test_numbers_of_numpy_are_welcome() -> None:
    family = landscapes.get("gaussians")
    given = family(heights=np.array([1.0, 2.0]), centers=np.zeros((2, 2)), widths=np.float32(0.5), size=5)
    assert json.dumps(given.provenance["parameters"])
    assert given.provenance["parameters"]["widths"] == [0.5] * 4
    each = analytic.gaussians(heights=(1.0, 2.0), centers=(0.0,) * 4, widths=(0.5, 0.7), size=5)
    assert each.provenance["parameters"]["widths"] == [0.5, 0.5, 0.7, 0.7]
    assert landscapes.get("weierstrass")(terms=np.int64(3), size=64).provenance["parameters"]["terms"] == 3
