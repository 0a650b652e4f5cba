"""Noise in all components against closed forms and plain Monte Carlo, as z-scores; what planted faults do to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from heatpg import Axis, Grid, Landscape
from heatpg.planes import Draws, evolve_plane, split_noise
from heatpg.planes.points import REPEATS, Noise, noise_of
from heatpg.planes.splitting import Split, Splitting

Array = NDArray[np.float64]

COUNT = 48  # draws of a run
RUNS = 12  # of each case, with seeds of their own
CENTER = np.array([0.3, -0.2, 0.4, 0.1])
WIDTH = np.array([[0.5, 0.1, 0.0, 0.05], [0.1, 0.8, -0.1, 0.0], [0.0, -0.1, 0.6, 0.2], [0.05, 0.0, 0.2, 0.9]])
OBLIQUE = np.array([[1.0, 0.5, 0.0, -0.5], [0.0, 1.0, 2.0, 0.0]])
FULL = np.array([[1.0, 0.6, 0.0, 0.3], [0.6, 1.5, -0.4, 0.0], [0.0, -0.4, 0.8, 0.2], [0.3, 0.0, 0.2, 1.2]])
DIAGONAL = np.array([0.25, 1.0, 2.0, 0.5])


def gaussian(covariance: Array) -> Callable[[Array], Array]:
    """exp(-y W^-1 y / 2) and, with noise of this covariance, sqrt(det W / det(W + S)) exp(-y (W + S)^-1 y / 2)."""
    wide = WIDTH + covariance
    height = np.sqrt(np.linalg.det(WIDTH) / np.linalg.det(wide))

    def of(points: Array) -> Array:
        apart = points - CENTER
        return np.asarray(height * np.exp(-0.5 * np.einsum("pi,ij,pj->p", apart, np.linalg.inv(wide), apart)))

    return of


def bump(*x: Array) -> Array:
    return gaussian(np.zeros((4, 4)))(np.stack([np.ravel(c) for c in x], axis=-1)).reshape(np.shape(x[0]))


def line(boundary: str = "clip", size: int = 21) -> Grid:
    return Grid(Axis("x", -2.0, 2.0, size, boundary=boundary))


def plane(size: int = 13) -> Grid:
    return Grid(*(Axis(name, -1.5, 1.5, size, boundary="clip") for name in "xy"))


def z_scores(
    landscape: Landscape, sigma: float, exact: Array, *, beyond: str = "sampled", runs: int = RUNS, **options: Any
) -> Array:
    """One for each run, at a node that differs from run to run: independent of each other."""
    found = []
    for seed in range(runs):
        flow = evolve_plane(
            landscape,
            [sigma],
            Draws(count=COUNT, seed=seed, antithetic=False, budget=10**8),
            beyond=beyond,
            checks="none",
            **options,
        )
        assert flow.standard_error is not None
        node = np.random.default_rng(seed).integers(0, exact.size)
        found.append((flow.values[0].ravel()[node] - exact.ravel()[node]) / flow.standard_error[0].ravel()[node])
    return np.array(found)


def gaussian_cases() -> list[tuple[Landscape, float, Array, dict[str, Any]]]:
    cases = []
    origin = np.array([0.1, 0.0, 0.2, -0.1])
    for grid, directions in (
        (line(), np.eye(4)[:1]),
        (line(), OBLIQUE[:1]),
        (plane(), np.eye(4)[[1, 3]]),
        (plane(), OBLIQUE),
    ):
        landscape = Landscape.from_function(bump, grid, directions=directions, origin=origin)
        nodes = origin + grid.nodes() @ directions
        for covariance in (None, DIAGONAL, FULL):
            matrix = np.eye(4) if covariance is None else np.diag(covariance) if covariance.ndim == 1 else covariance
            # sums over a lattice from 1.1 on in all cases, and drawn whole at .1
            for sigma in (0.1, 0.6, 1.1):
                exact = gaussian(sigma**2 * matrix)(nodes)
                cases.append((landscape, sigma, exact, {"covariance": covariance}))
    return cases


def assert_standard(scores: Array) -> None:
    """Independent scores are distributed as t of COUNT - 1 degrees of freedom: one test in 10,000 may be off by chance.

    Means of 48 bounded draws are normal but for their skewness, / sqrt(48): what the Kolmogorov-Smirnov test of some
    hundred scores does not see.
    """
    assert stats.kstest(scores, stats.t(COUNT - 1).cdf).pvalue > 1e-4
    assert np.abs(scores).max() < stats.t(COUNT - 1).ppf(1 - 1e-5 / len(scores))


def test_gaussians_with_any_covariance_on_any_plane() -> None:
    scores = np.concatenate(
        [z_scores(q, sigma, exact, runs=6, **options) for q, sigma, exact, options in gaussian_cases()]
    )
    assert len(scores) >= 200
    assert_standard(scores)


def step_along_the_axis() -> tuple[Landscape, Array]:
    """1 where x1 > .013, times a wave in another component, whose mean over noise is known."""
    grid = line()
    q = Landscape.from_function(lambda x, y, z: (x > 0.013) * 1.0 + 0.0 * y * z, grid, dimensions=3)
    return q, stats.norm.cdf((grid[0].coordinates - 0.013) / 0.4)


def test_a_step_across_the_plane_leaves_no_bias() -> None:
    q, exact = step_along_the_axis()
    assert_standard(z_scores(q, 0.4, exact, runs=60))


def obvious(self: Splitting, normal: Array, extra: Array) -> Split:
    """Sigma - V V^T Sigma V V^T: the orthogonal rest, and V^T Sigma V in the plane, as if they were independent."""
    split = honest(self, normal, extra)
    whole = split.along @ self._basis + split.across
    along = whole[:1]
    return Split(along, np.asarray(whole - along @ np.eye(2)[:1]), np.zeros(1))


honest = Splitting.draw


def test_the_obvious_split_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ridge along (1, 1), along which the noise is long: across it the noise is sqrt(.2) sigma, and not sqrt(2)."""
    grid, covariance = line(), np.array([[1.0, 0.9], [0.9, 1.0]])
    q = Landscape.from_function(lambda x, y: np.exp(-((x - y) ** 2) / 2), grid, dimensions=2)
    variance = 1 + 0.2 * 1.5**2
    exact = np.exp(-(grid[0].coordinates ** 2) / 2 / variance) / np.sqrt(variance)
    assert_standard(z_scores(q, 1.5, exact, covariance=covariance, runs=30))

    def marginal(basis: Array, covariance: Array | None = None) -> Splitting:
        made = split_noise(basis, covariance)
        made.solved = np.ones(1)
        return made

    monkeypatch.setattr(Splitting, "draw", obvious)
    monkeypatch.setattr("heatpg.planes.evolving.split_noise", marginal)
    wrong = z_scores(q, 1.5, exact, covariance=covariance, runs=30)
    assert np.median(np.abs(wrong)) > 4.5


def test_a_lattice_that_stands_still_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    q, exact = step_along_the_axis()
    noise = Noise.__call__

    def still(self: Noise, number: int) -> tuple[Array, Array, Array]:
        normal, extra, shift = noise(self, number)
        return normal, extra, np.zeros_like(shift)

    monkeypatch.setattr(Noise, "__call__", still)
    with np.errstate(divide="ignore"):
        scores = z_scores(q, 0.4, exact)
    # an error of the sum that is the same in every draw
    assert np.abs(scores).min() > 100


def test_noise_that_is_not_scaled_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    q, sigma, exact, options = gaussian_cases()[2]
    assert sigma == 1.1

    def unscaled(self: Splitting, normal: Array, extra: Array) -> Split:
        split = honest(self, normal, extra)
        return Split(split.along, split.across / sigma, split.left)

    right = z_scores(q, sigma, exact, runs=30, **options)
    monkeypatch.setattr(Splitting, "draw", unscaled)
    wrong = z_scores(q, sigma, exact, runs=30, **options)
    assert abs(right.mean()) * np.sqrt(30) < 4.5
    assert abs(wrong.mean()) * np.sqrt(30) > 4.5


def joint(*x: Array) -> Array:
    a, b = x
    return np.asarray(np.exp(-(a**2) / 2) * (np.exp(-(b**2) / 2) - np.exp(-101 * b**2 / 2)))


def test_a_joint_maximum_at_positive_noise_is_a_finding() -> None:
    """L = [(1+t)^-1/2 - (1+101 t)^-1/2] (1+t)^-1/2 exp(-x^2/2(1+t)) has its largest value at t = .162549383455747."""
    grid = Grid(Axis("x", -2.0, 2.0, 41, boundary="clip"))
    q = Landscape.from_function(joint, grid, dimensions=2)
    t = np.array([0.02, 0.06, 0.162549383455747, 0.4, 0.8])
    flow = evolve_plane(q, np.sqrt(t), Draws(error=0.01, budget=10**7), beyond="sampled")
    x = grid[0].coordinates
    exact = (
        ((1 + t) ** -0.5 - (1 + 101 * t) ** -0.5)[:, None]
        * (1 + t[:, None]) ** -0.5
        * np.exp(-(x**2) / 2 / (1 + t[:, None]))
    )
    assert flow.standard_error is not None and flow.standard_error.max() <= 0.0105
    # one draw is common to all nodes and sigmas: a dozen independent numbers at most
    assert np.abs((flow.values - exact) / flow.standard_error).max() < 4.5
    found = flow.report["joint maxima"]
    assert found.status == "finding" and found.where is not None
    assert found.where.sigma == 2 and abs(found.where.coordinates[0]) < 0.11
    assert flow.report.passed and "number of extrema" not in {check.name for check in flow.report}


@pytest.mark.parametrize("boundary", ["clip", "reflect", "periodic", "zero"])
@pytest.mark.parametrize("sigma", [0.1, 0.3, 2.5])
def test_boundaries_against_plain_monte_carlo(boundary: str, sigma: float) -> None:
    """Written apart: the whole noise is drawn, its part along the axis meets the boundary, and Q is asked there."""
    grid = Grid(Axis("x", -1.0, 1.5, 11, boundary=boundary))

    def q(x: Array, y: Array) -> Array:
        return np.asarray(
            np.sin(2 * np.pi * x / 2.5 + 0.4) + 0.3 * x * (boundary != "periodic") + 0.5 * np.cos(3 * y) * x
        )

    landscape = Landscape.from_function(q, grid, dimensions=2)
    scores = []
    for seed in range(6):
        flow = evolve_plane(landscape, [sigma], Draws(count=400, seed=seed), checks="none")
        random = np.random.default_rng(100 + seed)
        noise = sigma * random.standard_normal((2, 20_000))
        node = int(random.integers(0, 11))
        x = grid[0].coordinates[node] + noise[0]
        inside = np.ones(len(x))
        if boundary == "clip":
            x = np.clip(x, -1.0, 1.5)
        elif boundary == "zero":
            inside = (x >= -1.0) & (x <= 1.5)
        elif boundary == "periodic":
            x = -1.0 + (x + 1.0) % 2.5
        else:
            x = np.abs((x + 1.0 + 2.5) % 5.0 - 2.5) - 1.0
        samples = q(x, noise[1]) * inside
        assert flow.standard_error is not None
        error = np.hypot(flow.standard_error[0, node], samples.std() / np.sqrt(len(samples)))
        scores.append((flow.values[0, node] - samples.mean()) / error)
    # of 72 scores in all cases none beyond 4.5 but with a chance of 5e-4
    assert np.abs(scores).max() < 4.5


def sobol_scores(runs: int = 3) -> Array:
    """z-scores of u from Sobol' points, whose standard errors come from sixteen repeats."""
    found = []
    for q, sigma, exact, options in gaussian_cases():
        for seed in range(runs):
            flow = evolve_plane(
                q,
                [sigma],
                Draws(count=256, seed=seed, points="sobol", budget=10**8),
                beyond="sampled",
                checks="none",
                **options,
            )
            assert flow.standard_error is not None and flow.drawn is not None and flow.drawn["points"] == "sobol"
            node = np.random.default_rng(seed).integers(0, exact.size)
            error = flow.standard_error[0].ravel()[node]
            found.append((flow.values[0].ravel()[node] - exact.ravel()[node]) / error)
    return np.array(found)


def assert_standard_of_repeats(scores: Array) -> None:
    """t of 15 degrees of freedom: means of sixteen scramblings are normal but for the tails of a few of them."""
    assert stats.kstest(scores, stats.t(REPEATS - 1).cdf).pvalue > 1e-4
    assert np.abs(scores).max() < stats.t(REPEATS - 1).ppf(1 - 1e-5 / len(scores))


def test_sobol_points_agree_with_closed_forms() -> None:
    scores = sobol_scores()
    assert len(scores) >= 100
    assert_standard_of_repeats(scores)


def test_a_repeat_of_sobol_points_that_is_not_independent_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """One scrambling for all repeats: their scatter tells nothing of the error."""
    from heatpg.planes import points

    own = points.Noise._generator

    def common(self: Any, *key: int) -> np.random.Generator:
        return own(self, 0, 2) if len(key) == 2 else own(self, *key)

    monkeypatch.setattr(points.Noise, "_generator", common)
    with pytest.raises((AssertionError, FloatingPointError, RuntimeWarning)):
        assert_standard_of_repeats(sobol_scores(1))


@pytest.mark.parametrize("kind", ["random", "sobol"])
def test_numbers_of_a_draw_are_standard_and_depend_on_its_number_alone(kind: str) -> None:
    noise = noise_of(kind, 7, 5, 2)
    count = 4096
    normal, extra, shift = (np.array(column) for column in zip(*(noise(j) for j in range(count)), strict=True))
    for column in (*normal.T, *extra.T):
        assert stats.kstest(column, stats.norm.cdf).pvalue > 1e-5
    for column in shift.T:
        assert stats.kstest(column, stats.uniform.cdf).pvalue > 1e-5
    apart = np.corrcoef(np.hstack([normal, extra, shift]).T) - np.eye(9)
    # standard deviation 1 / sqrt(count), 36 pairs
    assert np.abs(apart).max() < 5.0 / np.sqrt(count)
    # in another order, as after a pause
    again = noise_of(kind, 7, 5, 2)
    for number in (100, 3, 101, 4095):
        assert np.array_equal(again(number)[0], normal[number]) and np.array_equal(again(number)[2], shift[number])


@pytest.mark.parametrize("boundary", ["clip", "reflect", "zero", "periodic"])
@pytest.mark.parametrize("points", ["random", "sobol"])
def test_boundaries_act_on_all_of_the_noise_along_an_axis(boundary: str, points: str) -> None:
    """Correlated noise: the rest that is drawn has a part along the axis, too, and the box bounds their sum."""
    covariance = np.array([[1.0, 0.8], [0.8, 1.0]])
    grid = Grid(Axis("x", -1.0, 1.0, 41, boundary=boundary))
    asked: list[float] = []

    def linear(x: Array, y: Array) -> Array:
        asked.append(float(np.abs(x).max()))
        return np.asarray(x + 0.0 * y)

    q = Landscape.from_function(linear, grid, dimensions=2)
    flow = evolve_plane(q, [0.5], Draws(count=512, points=points, budget=10**8), covariance=covariance)
    assert max(asked) <= 1.0 + 1e-12
    # the marginal of x is N(0, 1), whatever it is correlated with: by quadrature over one number, and no split
    z = np.linspace(-9.0, 9.0, 20_001)
    weights = np.exp(-(z**2) / 2)
    places = grid[0].coordinates[:, None] + 0.5 * z
    folded = {
        "clip": np.clip(places, -1, 1),
        "reflect": 1 - np.abs((places + 1) % 4 - 2),
        "zero": np.where(np.abs(places) <= 1, places, 0.0),
        "periodic": (places + 1) % 2 - 1,
    }[boundary]
    exact = folded @ weights / weights.sum()
    assert flow.standard_error is not None
    # 5 standard errors of t_15 are a chance of 1.6e-4; steps and kinks are summed to a part of the spacing of z
    step = 1e-3
    assert (np.abs(flow.values[0] - exact) <= 5 * flow.standard_error[0] + step).all()
    assert flow.report["cross-check"].status == "passed"


@pytest.mark.parametrize("boundary", ["clip", "reflect", "zero", "periodic"])
@pytest.mark.parametrize("sigma", [20.0, 1e5, 1e12])
def test_noise_far_wider_than_the_box(boundary: str, sigma: float) -> None:
    grid = Grid(Axis("x", -2.0, 2.0, 17, boundary=boundary))
    q = Landscape.from_function(lambda x, y: np.cos(np.pi * x / 2) + 2.0 + 0.0 * y, grid, dimensions=2)
    flow = evolve_plane(q, [sigma], Draws(count=64, budget=10**7), checks="none")
    # the mean of the box, half of the mass at either end, or nothing within it
    inside = 4.0 / (sigma * np.sqrt(2 * np.pi))
    exact = {"clip": 1.0 * (1 - inside) + 2.0 * inside, "reflect": 2.0, "periodic": 2.0, "zero": 2.0 * inside}[boundary]
    assert flow.standard_error is not None
    assert np.abs(flow.values[0] - exact).max() <= 6 * flow.standard_error.max() + 1e-3
    assert flow.drawn is not None and flow.drawn["rollouts"] < 100_000


@pytest.mark.parametrize("options", [{"antithetic": False}, {"antithetic": True}, {"points": "sobol"}])
def test_the_error_beside_an_edge_where_draws_may_not_cross_it(options: dict[str, Any]) -> None:
    """A constant Q under `zero`, sigma below a spacing: u = P(inside), and of few draws none may cross an edge."""
    grid = Grid(Axis("x", 0.0, 1.0, 11, boundary="zero"))
    q = Landscape.from_function(lambda x, y: 1.0 + 0.0 * x * y, grid, dimensions=2)
    sigma = np.array([0.05, 0.08])
    exact = np.array(
        [stats.norm.cdf((1 - grid[0].coordinates) / s) - stats.norm.cdf(-grid[0].coordinates / s) for s in sigma]
    )
    scores, still = [], 0
    runs = 40
    for seed in range(runs):
        count = 256 if "points" in options else 64
        flow = evolve_plane(q, sigma, Draws(count=count, seed=seed, budget=10**8, **options), checks="none")
        assert flow.standard_error is not None and flow.draw_groups is not None and flow.draws_error is not None
        off = np.where(np.abs(flow.values - exact) < 1e-12, 0.0, flow.values - exact)
        still += int(((flow.draw_groups.std(axis=0) == 0.0) & (np.abs(off) > 1e-3)).sum())
        with np.errstate(invalid="ignore"):
            scores.append(np.where(off == 0.0, 0.0, off / flow.standard_error))
    # what the scatter of the draws does not see is what is asked about here
    assert still >= 5
    found = np.array(scores)
    # where N p crossings are expected and none is seen, the score is sqrt(N p); in 40 runs N p is below 20 then
    assert np.abs(found).max() < 4.5
    # the variance of a score is 1 at most, known to sqrt(2 / 40) for a node, but for the skewness of rare crossings
    assert (np.mean(found**2, axis=0) < 1.0 + 4.5 * np.sqrt(2 / runs)).all()
    # osc(Q) has the 0 outside in it, so that the report does not take the error for 0
    checked = evolve_plane(q, sigma, Draws(count=64), checks="standard")
    assert checked.drawn is not None and checked.drawn["oscillation"] == 1.0 and checked.report.passed
    assert "also where no draw crossed" in checked.report["sampling error"].message
    assert checked.report["sampling error"].status == "finding"


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("options", [{"antithetic": False}, {"antithetic": True}, {"points": "sobol"}])
def test_the_error_beside_an_edge_under_correlated_noise(options: dict[str, Any], axes: int) -> None:
    """A constant Q in a box: u is the chance that correlated normal numbers stay in it, by `multivariate_normal.cdf`.

    All noise is drawn below sigma = .23 and .53; above, lattices sum a fifth or a tenth of the variance along them.
    """
    grid = Grid(*(Axis(name, 0.0, 1.0, (11, 5)[axes - 1], boundary="zero") for name in "xy"[:axes]))
    covariance = np.full((axes + 1, axes + 1), 0.9) + 0.1 * np.eye(axes + 1)
    q = Landscape.from_function(lambda *x: 1.0 + 0.0 * sum(x), grid, dimensions=axes + 1)
    sigma = np.array([0.05, 0.08, 0.3] if axes == 1 else [0.1, 0.6])
    exact = np.empty((len(sigma), grid.size))
    for level, s in enumerate(sigma):
        noise = stats.multivariate_normal(np.zeros(axes), s**2 * covariance[:axes, :axes])
        exact[level] = [noise.cdf(1.0 - node, lower_limit=-node) for node in grid.nodes()]
    exact = exact.reshape(len(sigma), *grid.shape)
    scores = []
    runs = 24
    for seed in range(runs):
        flow = evolve_plane(
            q, sigma, Draws(count=96, seed=seed, budget=10**9, **options), covariance=covariance, checks="none"
        )
        assert flow.standard_error is not None and flow.drawn is not None
        # 1e-7: what lattices lose, and the quadrature of SciPy
        off = np.where(np.abs(flow.values - exact) < 1e-7, 0.0, flow.values - exact)
        with np.errstate(invalid="ignore"):
            scores.append(np.where(off == 0.0, 0.0, off / flow.standard_error))
    found = np.array(scores)
    # Without the chances of crossing scores are infinite, as no draw crosses. N p crossings expected and none seen are
    # a score of sqrt(N p), and exp(-N p) is their probability; what is seen is t of 15 degrees of freedom at worst,
    # beyond 5.5 with 6e-5, over some dozen independent numbers of 24 runs.
    assert np.abs(found).max() < 5.5
    # the variance of a score is 1 at most, 1.15 with errors from sixteen repeats, known to sqrt(2 / 24)
    assert (np.mean(found**2, axis=0) < 1.15 * (1.0 + 4.5 * np.sqrt(2 / runs))).all()
    edges = (flow.drawn or {})["edges"]
    assert edges["deviations"] == pytest.approx([1.0] * axes)
    assert edges["left"] == pytest.approx([0.81, 0.9][axes - 1 : axes] * axes)
