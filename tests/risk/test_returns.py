"""The distribution of the return against closed forms, and what holds for every landscape."""

from __future__ import annotations

import itertools
import math
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chi2, ncx2, norm

from heatpg import Axis, Grid, HeatpgError, Landscape, evolve
from heatpg.errors import NonFiniteError, OptionError, SigmaError, UnsupportedError
from heatpg.evolution import solve
from heatpg.risk import distribution
from heatpg.risk.positive import positive_solver

Array = NDArray[np.float64]

SIGMA = 0.5


def line_of(function: object, spacing: float, half: float = 6.0, boundary: str = "clip") -> Landscape:
    count = 2 * round(half / spacing) + 1
    return Landscape.from_function(function, Grid(Axis("x", -half, half, count, boundary=boundary)))  # type: ignore[arg-type]


def quadratic(spacing: float) -> Landscape:
    return line_of(lambda x: -(x**2) / 2.0, spacing)


def quadratic_tail(mu: Array, q: float) -> Array:
    """CVaR of -(mu + sigma Z)^2 / 2: E[X; X >= x] of the noncentral chi^2, by its neighbours of degree 3 and 5."""
    shift = (mu / SIGMA) ** 2
    x = ncx2.isf(q, 1, shift)
    return np.asarray(-(SIGMA**2) / 2.0 * (ncx2.sf(x, 3, shift) + shift * ncx2.sf(x, 5, shift)) / q)


def test_linear() -> None:
    """Normal returns: on a line the interpolant is Q itself, so the kink and the cell of the threshold are left."""
    landscape = line_of(lambda x: 2.0 * x, SIGMA / 16)
    law = distribution(landscape, SIGMA)
    mu = landscape.grid[0].coordinates
    inner = np.abs(mu) <= 1.0  # ten sigmas from the ends
    scale = 2.0 * SIGMA
    assert law.mean()[0][inner] == pytest.approx(2.0 * mu[inner], abs=1e-12)
    assert law.variance()[0][inner] == pytest.approx(scale**2, abs=1e-12)
    assert law.standard_deviation()[0][inner] == pytest.approx(scale, abs=1e-12)
    for c in (-1.3, 0.2, 0.9):
        # a part of one cell weighs as its node does: h^2 |phi'| / 8 = 1.2e-4 at most for 16 nodes a sigma
        assert law.probability(c)[0][inner] == pytest.approx(norm.cdf((c - 2.0 * mu[inner]) / scale), abs=1.2e-4)
    for q in (0.05, 0.1, 0.5):
        z = norm.ppf(q)
        tail = law.tail_mean(q, tolerance=1e-3, most=1000)
        exact = 2.0 * mu[inner] - scale * norm.pdf(z) / q
        # a kink within a cell: h^2 f / 12 of the mean of (c - Q)_+ at most, with f <= .4 / scale per unit of Q and 2 h
        grid = (2.0 * SIGMA / 16) ** 2 * 0.4 / scale / 12.0 / q
        assert (tail.lower[0][inner] <= exact + grid).all()
        assert (tail.upper[0][inner] >= exact - grid).all()
        assert tail.values[0][inner] == pytest.approx(exact, abs=grid + 2e-4)
        assert tail.resolved.all() and tail.gap[0] <= 1e-3 and tail.missing == ""
        # the straight line between two thresholds misses the quantile by less than a tenth of their distance
        found = law.quantile(q, tolerance=0.02)
        assert found.values[0][inner] == pytest.approx(2.0 * mu[inner] + scale * z, abs=4e-3)
        assert (found.lower <= found.values).all() and (found.values <= found.upper).all()


# Errors of P for -x^2 / 2 at sigma = .5 and |mu| <= 1, by sigma / h: for the share of the cell (thresholds from -2 to
# -.03; nearer to the top the interpolant itself, h^2 / 8 too low, decides), and for 0 or 1 at nodes.
TABLE = {4: (0.014, 0.077), 8: (0.0024, 0.038), 16: (0.0009, 0.019), 32: (0.0002, 0.009)}


@pytest.mark.parametrize("ratio", TABLE)
def test_probabilities_have_the_error_of_the_table(ratio: int) -> None:
    landscape = quadratic(SIGMA / ratio)
    mu = landscape.grid[0].coordinates
    inner = np.abs(mu) <= 1.0
    thresholds = -np.linspace(0.03, 2.0, 64)
    law = distribution(landscape, SIGMA, solver="direct")
    exact = np.array([ncx2.sf(-2.0 * c / SIGMA**2, 1, (mu[inner] / SIGMA) ** 2) for c in thresholds])
    shares, steps = TABLE[ratio]
    error = np.abs(law.probability(thresholds)[:, 0][:, inner] - exact).max()
    # within a factor of 2 above; below, another choice of thresholds may miss the worst of them
    assert shares / 5.0 < error < 2.0 * shares
    nodes = (landscape.values <= thresholds[:, None]).astype(float)
    plain = solve(Landscape(nodes, landscape.grid), SIGMA, "direct").values[0][:, inner]
    assert steps / 2.5 < np.abs(plain - exact).max() < 2.0 * steps


@pytest.mark.parametrize(("ratio", "most"), [(2, 2e-2), (4, 6e-3), (8, 1.5e-3), (16, 3e-4), (32, 8e-5)])
def test_tail_means_have_the_error_of_the_table(ratio: int, most: float) -> None:
    """Errors of (c - Q)_+ at nodes for -x^2 / 2 and q = .05, .1, .5, within a factor of 2."""
    landscape = quadratic(SIGMA / ratio)
    mu = landscape.grid[0].coordinates
    inner = np.abs(mu) <= 1.0
    law = distribution(landscape, SIGMA, solver="direct")
    for q in (0.05, 0.1, 0.5):
        tail = law.tail_mean(q, tolerance=most / 4.0, most=2000)
        exact = quadratic_tail(mu[inner], q)
        assert np.abs(tail.values[0][inner] - exact).max() < 2.0 * most
        # the bounds are those of the sampled Q, which is off by as much
        assert (tail.lower[0][inner] <= exact + 2.0 * most).all() and (tail.upper[0][inner] >= exact - 2.0 * most).all()


def test_step() -> None:
    """Bernoulli(Phi(mu / sigma)): an atom on either side, and the tail mean where q cuts through one of them."""
    landscape = line_of(lambda x: (x > 0).astype(float), SIGMA / 32)
    mu = landscape.grid[0].coordinates
    inner = np.abs(mu) <= 2.0
    law = distribution(landscape, SIGMA)
    high = norm.cdf(mu[inner] / SIGMA)
    # the step is half a spacing to the right of 0: |Phi'| h / 2 sigma = .4 / 64, and half a cell more for shares
    slack = 0.4 / 32
    assert law.probability(0.5)[0][inner] == pytest.approx(1.0 - high, abs=slack)
    assert law.mean()[0][inner] == pytest.approx(high, abs=slack)
    assert law.variance()[0][inner] == pytest.approx(high * (1.0 - high), abs=slack)
    for q in (0.1, 0.3):
        tail = law.tail_mean(q)
        exact = np.maximum(0.0, (q - (1.0 - high)) / q)
        assert tail.values[0][inner] == pytest.approx(exact, abs=slack / q)
        assert tail.resolved.all()


@pytest.mark.parametrize(("dimensions", "size", "ratio"), [(1, 321, 20.0), (2, 81, 5.0), (3, 25, 2.0)])
def test_on_top_of_a_peak(dimensions: int, size: int, ratio: float) -> None:
    """exp(-|x|^2 / 2 w^2): CVaR_q = k^(-m/2) S_m(k x_q) / q, k = 1 + sigma^2 / w^2, and P from chi^2_m."""
    sigma, width = 0.4, 0.8
    half = sigma / ratio * (size - 1) / 2
    grid = Grid(*(Axis(name, -half, half, size, boundary="clip") for name in "xyz"[:dimensions]))
    landscape = Landscape.from_function(lambda *x: np.exp(-sum(c**2 for c in x) / (2.0 * width**2)), grid)
    law = distribution(landscape, sigma, solver="direct")
    top = tuple(n // 2 for n in grid.shape)
    k = 1.0 + sigma**2 / width**2
    # a second difference of Q over two cells, or of (c - Q)_+ at its kink, in each dimension
    slack = dimensions * (grid.spacing[0] / sigma) ** 2 / 8.0
    for q in (0.1, 0.25):
        x = chi2.isf(q, dimensions)
        exact = k ** (-dimensions / 2.0) * chi2.sf(k * x, dimensions) / q
        tail = law.tail_mean(q, tolerance=2e-3)
        assert tail.values[0][top] == pytest.approx(exact, abs=slack * 0.3 + 3e-4)
        assert tail.lower[0][top] <= exact + slack and tail.upper[0][top] >= exact - slack
        c = math.exp(-(sigma**2) * x / (2.0 * width**2))
        assert law.probability(c)[0][top] == pytest.approx(q, abs=slack)
        assert law.quantile(q, tolerance=5e-3).values[0][top] == pytest.approx(c, abs=2e-3 + slack)


@pytest.mark.parametrize(("boundary", "nodes"), [("absorb", "vertex"), ("absorb", "cell")])
def test_noise_that_the_walls_absorb(boundary: str, nodes: Literal["vertex", "cell"]) -> None:
    """The image sum of the density that has not met a wall, and the chance of each wall, integrated on a fine line."""
    sigma, x = 0.3, np.linspace(-1.0, 1.0, 40_001)
    function = np.cos if nodes == "vertex" else (lambda x: np.cos(2.0 * x) + x)
    grid = Grid(Axis("x", -1.0, 1.0, 200 if nodes == "cell" else 201, boundary=boundary, nodes=nodes))
    law = distribution(Landscape.from_function(function, grid), sigma)
    tail, q = law.tail_mean(0.2, tolerance=1e-4, most=600), 0.2
    for node in (5, 60, 100, 170):
        mu = float(grid[0].coordinates[node])
        density = sum(norm.pdf(x, mu + 4.0 * n, sigma) - norm.pdf(x, 2.0 - mu + 4.0 * n, sigma) for n in range(-3, 4))
        weights = density * np.gradient(x)
        weights[[0, -1]] = 0.0
        # the chance of the upper wall is the harmonic measure: the rest of the drift-free mean
        rest = 1.0 - weights.sum()
        upper = 0.5 * (rest + mu - (weights * x).sum())
        weights[[0, -1]] = rest - upper, upper
        values = function(x)
        order = np.argsort(values)
        cumulated = np.cumsum(weights[order])
        c = values[order][np.searchsorted(cumulated, q)]
        exact = c - (weights * np.maximum(c - values, 0.0)).sum() / q
        # second order in h / sigma = 1 / 30: kinks, and on half the spacing what is interpolated
        assert law.mean()[0][node] == pytest.approx((weights * values).sum(), abs=2e-4)
        assert tail.values[0][node] == pytest.approx(exact, abs=1e-3)
        for threshold in (0.5, 0.8):
            # one cell of the share at the wall, half of which is held by it
            assert law.probability(threshold)[0][node] == pytest.approx(weights[values <= threshold].sum(), abs=5e-3)


def rough(grid: Grid, seed: int = 0) -> Landscape:
    """Rewards with plateaus, cliffs and noise."""
    values = np.random.default_rng(seed).standard_normal(grid.shape)
    return Landscape(np.where(values > 1.0, 1.0, np.where(values < -1.2, -3.0, values)), grid)


def grids() -> list[Grid]:
    result = []
    for boundary, nodes in itertools.product(("clip", "zero", "reflect", "periodic", "absorb"), ("vertex", "cell")):
        x = Axis("x", 0.0, 1.0, 24, boundary=boundary, nodes=nodes)  # type: ignore[arg-type]
        result += [Grid(x), Grid(x, Axis("y", 0.0, 2.0, 9, boundary="clip", nodes="cell"))]
    short = [
        Axis(name, 0.0, 1.0, 7, boundary=boundary)
        for name, boundary in zip("xyz", ("zero", "clip", "absorb"), strict=True)
    ]
    return [*result, Grid(*short)]


@pytest.mark.parametrize("grid", grids(), ids=lambda grid: "-".join(f"{a.boundary}.{a.nodes}" for a in grid))
@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize("minimise", [False, True])
def test_what_always_holds(grid: Grid, kind: str, minimise: bool) -> None:
    """0 <= P <= 1, monotone in c; variance >= 0; CVaR grows with q up to the mean (of a loss it falls to it)."""
    landscape = Landscape(rough(grid).values.astype(kind), grid, minimise=minimise)
    spacing = np.array(grid.spacing)
    law = distribution(landscape, np.array([0.0, 0.7, 1.6, 4.0, 40.0])[:, None] * spacing)
    assert law.mean().dtype == kind
    # a value on a wall between nodes may be well beyond all of Q: weights of up to 35 / 16
    thresholds = np.concatenate([[-40.0], np.linspace(-3.5, 2.0, 21), [40.0]])
    chances = law.probability(thresholds)
    assert chances.shape == (23, 5, *grid.shape) and chances.dtype == kind
    assert (chances >= 0.0).all() and (chances <= 1.0).all()
    assert (np.diff(chances, axis=0) >= 0.0).all()
    # all of Q is within these, and 0 outside of the box; rows sum to one
    assert (chances[0] == 0.0).all() and chances[-1] == pytest.approx(1.0, abs=1e-6)
    assert (law.variance() >= 0.0).all()
    assert law.variance()[0] == pytest.approx(np.zeros(grid.shape), abs=1e-6)
    assert np.array_equal(chances[:, 0], landscape.values <= thresholds.reshape(-1, *[1] * grid.dimensions))
    sign = -1.0 if minimise else 1.0
    rounding = 1e-12 if kind == "float64" else 1e-5
    before = None
    for q in (0.05, 0.3, 0.999, 1.0):
        tail = law.tail_mean(q)
        assert tail.values.dtype == kind
        assert (tail.lower <= tail.values + rounding).all() and (tail.values <= tail.upper + rounding).all()
        assert (sign * tail.values <= sign * law.mean() + rounding).all()
        assert tail.values[0] == pytest.approx(landscape.values)
        if before is not None:
            # bounds of both are 1e-3 of osc(Q) = 4 apart
            assert (sign * tail.values >= sign * before - 4e-3).all()
        before = tail.values
    assert before == pytest.approx(law.mean(), abs=rounding)


def test_bounds_hold_for_the_sampled_landscape() -> None:
    """The tail mean of a sum of weights is known by sorting; the weights are those of unit vectors."""
    grid = Grid(Axis("x", 0.0, 1.0, 60, boundary="reflect"))
    landscape, sigma = rough(grid, 3), 3.0 * grid.spacing[0]
    weights = solve(Landscape(np.eye(60), grid), sigma, "direct").values[0].T
    order = np.argsort(landscape.values)
    values = landscape.values[order]
    for most in (3, 12, 200):
        tail = distribution(landscape, sigma, solver="direct").tail_mean(0.15, most=most)
        for node in range(60):
            cumulated = np.cumsum(weights[node][order])
            part = np.minimum(cumulated, 0.15) - np.minimum(cumulated - weights[node][order], 0.15)
            exact = float(part @ values) / 0.15
            assert tail.lower[0, node] <= exact + 1e-12
            assert tail.upper[0, node] >= exact - 1e-12
            assert tail.values[0, node] == pytest.approx(exact, abs=tail.gap[0])
    assert tail.gap[0] <= 1e-3 * landscape.oscillation


def test_missing_thresholds_are_told() -> None:
    law = distribution(rough(Grid(Axis("x", 0.0, 1.0, 60, boundary="reflect"))), [0.05, 0.1])
    tail, quantile = law.tail_mean(0.1, most=4), law.quantile(0.1, most=4)
    assert not tail.resolved.any() and not quantile.resolved.any()
    assert [len(one) for one in tail.thresholds] == [4, 4]
    assert tail.missing.startswith("thresholds are missing at 2 of 2 noise levels: at sigma = ")
    assert "with 4 thresholds" in quantile.missing
    assert (quantile.upper - quantile.lower).max() == pytest.approx(quantile.gap.max())
    assert law.tail_mean(0.1, most=500).missing == ""


def test_tail_means_of_a_constant_and_of_one_plateau() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 9, boundary="clip"))
    law = distribution(Landscape(np.full(9, 7.5), grid), [0.1, 0.2])
    assert (law.tail_mean(0.1).values == 7.5).all() and (law.quantile(0.5).values == 7.5).all()
    assert (law.probability([7.4, 7.5])[0] == 0.0).all() and (law.probability([7.4, 7.5])[1] == 1.0).all()


@pytest.mark.parametrize("boundary", ["clip", "periodic", "reflect"])
@pytest.mark.parametrize("minimise", [False, True])
def test_gradient(boundary: str, minimise: bool) -> None:
    """Against differences of the tail mean itself, fourth order, where it is smooth on the scale of the grid."""
    axis = Axis("x", -np.pi, np.pi, 400 if boundary == "periodic" else 401, boundary=boundary)
    landscape = Landscape.from_function(lambda x: np.sin(x) + 0.3 * np.cos(2.0 * x), Grid(axis)).regarded(
        minimise=minimise
    )
    tail = distribution(landscape, 0.4, solver="direct").tail_mean(0.3, tolerance=1e-5, most=2000)
    field, h = tail.values[0], axis.spacing
    expected = (8.0 * (np.roll(field, -1) - np.roll(field, 1)) - (np.roll(field, -2) - np.roll(field, 2))) / (12.0 * h)
    inner = slice(40, -40)
    # the kink of (c - Q)_+ moves through the cells: its error of h^2 / 12 / q varies over a spacing
    assert tail.gradient(0)[0][inner] == pytest.approx(expected[inner], abs=0.02)
    # and on the mean of differences over ten spacings, where that has averaged out
    smooth = np.convolve(tail.gradient(0)[0] - expected, np.full(10, 0.1), mode="same")[inner]
    assert np.abs(smooth).max() < 2e-3


def test_gradient_of_a_line_of_actions() -> None:
    """CVaR of b . x under independent noise is b . mu - |b sigma| phi(z) / q, whose gradient is b."""
    grid = Grid(Axis("x", -5.0, 5.0, 81, boundary="clip"), Axis("y", -5.0, 5.0, 61, boundary="clip"))
    landscape = Landscape.from_function(lambda x, y: 2.0 * x - y, grid)
    tail = distribution(landscape, [[0.5, 0.6]]).tail_mean(0.2)
    middle = tail.gradient(0)[:, 40, 30]
    # P at the quantile is off by up to h^2 |phi'| / 8 sigma^2 = .002 for 4 nodes a sigma, of q = .2
    assert middle == pytest.approx([2.0, -1.0], rel=0.01)
    assert tail.values[0, 40, 30] == pytest.approx(-math.hypot(1.0, 0.6) * norm.pdf(norm.ppf(0.2)) / 0.2, abs=0.02)


@settings(max_examples=25, deadline=None)
@given(
    exponent=st.sampled_from([-300, -150, 0, 150, 290]),
    offset=st.sampled_from([0.0, 1e12]),
    moved=st.sampled_from([0.0, 1e3]),
    scale=st.sampled_from([2.0**-10, 1.0, 2.0**20]),
    boundary=st.sampled_from(["clip", "periodic", "reflect", "absorb"]),
    seed=st.integers(0, 5),
)
def test_units_do_not_matter(
    exponent: int, offset: float, moved: float, scale: float, boundary: str, seed: int
) -> None:
    plain = rough(Grid(Axis("x", 0.0, 1.0, 33, boundary=boundary)), seed)
    factor = 10.0**exponent
    # an offset of 1e12 rounds Q to 1e-4 of its unit
    values = factor * (np.round(plain.values, 3) + offset)
    rounded = values / factor - offset
    axis = Axis("x", moved, moved + scale, 33, boundary=boundary)
    first = distribution(Landscape(rounded, plain.grid), [0.1, 0.3])
    other = distribution(Landscape(values, Grid(axis)), [0.1 * scale, 0.3 * scale])
    slack = 1e-9 if offset == 0.0 else 1e-3
    back = [(field / factor - offset) for field in (other.mean(), other.tail_mean(0.2).values)]
    assert back[0] == pytest.approx(first.mean(), abs=slack)
    assert back[1] == pytest.approx(first.tail_mean(0.2).values, abs=slack)
    deviations = other.standard_deviation() / factor
    assert deviations == pytest.approx(first.standard_deviation(), abs=slack)
    c = 0.25
    assert other.probability(factor * (c + offset)) == pytest.approx(first.probability(c), abs=slack)


def test_a_variance_beyond_its_numbers_is_told() -> None:
    landscape = line_of(lambda x: 1e200 * np.tanh(x), 0.1)
    law = distribution(landscape, 0.5)
    with pytest.raises(NonFiniteError, match="standard_deviation"):
        law.variance()
    assert np.isfinite(law.standard_deviation()).all()


def test_correlated_noise() -> None:
    """The line x - y sees the variance of the difference alone."""
    grid = Grid(*(Axis(name, -8.0, 8.0, 129, boundary="clip") for name in "xy"))
    landscape = Landscape.from_function(lambda x, y: x - y, grid)
    law = distribution(landscape, covariance=[[1.0, 0.5], [0.5, 1.0]])
    assert law.standard_deviation()[0, 64, 64] == pytest.approx(1.0, abs=1e-9)
    assert law.probability(-1.0)[0, 64, 64] == pytest.approx(norm.cdf(-1.0), abs=2e-3)
    with pytest.raises(UnsupportedError, match="non-negative"):
        distribution(landscape, covariance=[[1.0, 0.99], [0.99, 1.0]])


def test_solvers_with_negative_weights_are_refused_or_replaced() -> None:
    landscape = quadratic(0.1)
    with pytest.raises(UnsupportedError, match="non-negative weights"):
        distribution(landscape, 0.1, solver="spectral")
    law = distribution(evolve(landscape, [0.1, 0.3], solver="spectral", checks="none"))
    assert law.solver.name == "direct" and law.reason.startswith("instead of spectral: spectral has negative")
    kept = distribution(evolve(landscape, [0.1, 0.3], solver="direct", checks="none"))
    assert kept.solver.name == "direct" and kept.reason == ""
    assert positive_solver(landscape.grid, np.array([[2.0]]), "auto")[0].name == "multiresolution"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda law: law.tail_mean(0.0), OptionError),
        (lambda law: law.tail_mean(1.5), OptionError),
        (lambda law: law.tail_mean(float("nan")), OptionError),
        (lambda law: law.quantile("a half"), OptionError),
        (lambda law: law.tail_mean(0.1, most=0), OptionError),
        (lambda law: law.tail_mean(0.1, tolerance=-1.0), OptionError),
        (lambda law: law.probability(float("nan")), NonFiniteError),
        (lambda law: law.tail_mean(0.1).gradient(7), OptionError),
        (lambda law: distribution(law.landscape, 0.2, covariance=[[1.0]]), SigmaError),
        (lambda law: distribution("ridge"), OptionError),  # type: ignore[arg-type]
        (lambda law: distribution(Landscape(np.zeros((2, *law.grid.shape)), law.grid), 0.2), UnsupportedError),
    ],
)
def test_refusals(call: object, error: type[HeatpgError]) -> None:
    law = distribution(quadratic(0.25), [0.5])
    with pytest.raises(error) as caught:
        call(law)  # type: ignore[operator]
    assert caught.value.problem
