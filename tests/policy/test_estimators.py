"""Estimators against exact gradients and exact variances, and the interpolant that they sample against itself."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import norm

from heatpg import Axis, Grid, Landscape, landscapes
from heatpg.core.field import HeatField
from heatpg.errors import GridError, NonFiniteError, ResourceError, SigmaError, UnknownNameError, UnsupportedError
from heatpg.policy.estimators import (
    ESTIMATORS,
    ActionValue,
    estimate_gradient,
    estimator_noise,
    estimator_variance,
)

Array = NDArray[Any]

K = np.array([1.5, -0.8])


def wave(x: Array, y: Array) -> Array:
    return np.asarray(0.7 + np.cos(K[0] * x + K[1] * y + 0.3))


def wave_gradient(x: Array, y: Array) -> list[Array]:
    sine = -np.sin(K[0] * x + K[1] * y + 0.3)
    return [K[0] * sine, K[1] * sine]


def wave_exact(mean: Array, sigma: Array) -> tuple[Array, Array]:
    """dL/dmu and dL/dsigma_i^2 in closed form."""
    damping = math.exp(-0.5 * ((K * sigma) ** 2).sum())
    phase = float(K @ mean) + 0.3
    return -K * damping * math.sin(phase), -0.5 * K**2 * damping * math.cos(phase)


def weierstrass(exponent: float, terms: int = 16) -> tuple[Callable[[Array], Array], Callable[[Array, float], Array]]:
    """A Weierstrass sum with its exact gradient."""
    frequencies = 2.0 ** np.arange(terms)
    phases = np.random.default_rng(5).uniform(0, 2 * math.pi, terms)

    def q(x: Array) -> Array:
        return np.asarray(sum(k**-exponent * np.cos(k * x + a) for k, a in zip(frequencies, phases, strict=True)))

    def exact(means: Array, sigma: float) -> Array:
        damping = frequencies ** (1 - exponent) * np.exp(-0.5 * (frequencies * sigma) ** 2)
        return np.asarray(-(np.sin(frequencies * means + phases) * damping).sum(axis=1, keepdims=True))

    return q, exact


# Against the exact gradient ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("sigma", [0.4, [0.3, 0.7]])
@pytest.mark.parametrize("parameter", ["mean", "variance"])
def test_estimates_are_unbiased_and_their_errors_calibrated(estimator: str, sigma: Any, parameter: str) -> None:
    """z-scores of many independent estimates: mean 0, variance 1."""
    means = np.random.default_rng(1).uniform(-2, 2, (400, 2))
    # in the variance the units are like z^4, and few of them make a skew estimate
    samples = 200 if parameter == "mean" else 2000
    estimate = estimate_gradient(
        wave,
        means,
        sigma,
        estimator=estimator,
        with_respect_to=parameter,
        samples=samples,
        gradient=wave_gradient,
        compare=False,
    )
    deviations = np.broadcast_to(sigma, (2,)).astype(float)
    exact = np.stack([wave_exact(mean, deviations)[parameter == "variance"] for mean in means])
    if parameter == "variance" and np.ndim(sigma) == 0:
        exact = exact.sum(axis=1, keepdims=True)
    assert estimate.value.shape == estimate.standard_error.shape == exact.shape
    z = ((estimate.value - exact) / estimate.standard_error).ravel()
    # 400 independent places (components of one place are dependent): 4.5 standard errors of mean and variance of a
    # t distribution; heavy tails of squared normals add to the variance
    assert abs(z.mean()) < 4.5 / math.sqrt(400)
    assert abs(z.var() - 1.0) < 4.5 * math.sqrt(2.5 / 400)
    assert estimate.units == (samples // 2 if estimator == "antithetic" else samples)
    # and as a whole they find the gradient: the error of the mean over all places is sqrt(400) smaller
    pooled = ((estimate.value - exact).mean(axis=0)) / np.sqrt((estimate.standard_error**2).sum(axis=0) / 400**2)
    assert np.abs(pooled).max() < 4.5


@pytest.mark.parametrize("parameter", ["mean", "variance"])
def test_the_exact_gradient_of_a_function_comes_from_quadrature(parameter: str) -> None:
    estimate = estimate_gradient(wave, [0.4, -0.2], [0.5, 0.3], with_respect_to=parameter, samples=2000)
    exact = wave_exact(np.array([0.4, -0.2]), np.array([0.5, 0.3]))[parameter == "variance"]
    assert estimate.exact is not None and estimate.exact_error is not None and estimate.z_scores is not None
    assert (np.abs(estimate.exact - exact) < 5 * estimate.exact_error).all()
    assert (estimate.exact_error < 0.05 * estimate.standard_error).all()
    assert (np.abs(estimate.z_scores) < 4).all()


def test_a_step_is_not_seen_by_its_gradient() -> None:
    """Heaviside: the truth is phi(x / sigma) / sigma; the reparametrised estimator says 0, and is sure of it."""
    mean, sigma = 0.2, 0.5
    truth = norm.pdf(mean / sigma) / sigma

    def step(x: Array) -> Array:
        return np.where(x > 0, 1.0, 0.0)

    for estimator in ESTIMATORS:
        estimate = estimate_gradient(
            step, [mean], sigma, estimator=estimator, samples=4000, gradient=lambda x: [0.0 * x]
        )
        assert estimate.exact is not None and estimate.exact_error is not None and estimate.z_scores is not None
        assert abs(estimate.exact[0] - truth) < 5 * estimate.exact_error[0] < 0.01
        if estimator == "reparametrised":
            assert estimate.value[0] == 0.0 == estimate.standard_error[0]
            assert estimate.z_scores[0] < -100 and "does not see a jump" in estimate.remark
        else:
            assert abs(estimate.value[0] - truth) < 4.5 * estimate.standard_error[0] < 0.3
    curve = estimator_noise(
        step,
        [mean],
        [0.1, 0.3, 1.0],
        estimators=ESTIMATORS,
        samples=4000,
        gradient=lambda x: [0.0 * x],
        reference=lambda means, s: norm.pdf(means / s) / s,
    )
    assert curve.biased == ("reparametrised",)
    assert curve.bias[3] == pytest.approx(norm.pdf(mean / curve.sigmas) / curve.sigmas, rel=1e-12)
    assert np.isnan(curve.slopes[3]) and (curve["reparametrised"] == 0).all()
    # sampled on a grid the jump is a steep cell, and the estimator is unbiased again
    q = landscapes.step(size=257)
    estimate = estimate_gradient(q, [0.1], 0.3, estimator="reparametrised", samples=40000)
    assert estimate.z_scores is not None and abs(estimate.z_scores[0]) < 4 and estimate.value[0] > 0.5


# Sampled landscapes -----------------------------------------------------------------------------------------------


def line(boundary: str, nodes: Any, size: int = 9) -> Landscape:
    values = np.random.default_rng(2).normal(size=size)
    return Landscape(values, Grid(Axis("x", -1.0, 1.0, size, boundary=boundary, nodes=nodes)))


@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("boundary", ["clip", "zero", "reflect", "periodic"])
@pytest.mark.parametrize("sigma", [0.1, 0.5, 2.0])
def test_the_exact_gradient_is_that_of_the_interpolant_which_is_sampled(
    boundary: str, nodes: str, sigma: float
) -> None:
    """Against adaptive integration of interpolant times score, cell by cell."""
    q = line(boundary, nodes)
    mean = 0.37
    reach = 9 * sigma
    h = q.grid.spacing[0]
    first = q.grid[0].coordinates[0]
    # between the nodes and walls, of which the mirror images are some too
    breaks = np.unique(
        np.round(np.concatenate([first + h * np.arange(-200, 200), [-1, 1], [mean - reach, mean + reach]]), 12)
    )
    breaks = breaks[(breaks >= mean - reach) & (breaks <= mean + reach)]
    nodes8, weights8 = np.polynomial.legendre.leggauss(20)
    a, b = breaks[:-1, None], breaks[1:, None]
    x = (0.5 * (a + b) + 0.5 * (b - a) * nodes8).ravel()
    w = (0.5 * (b - a) * weights8).ravel()
    z = (x - mean) / sigma
    density = norm.pdf(z) / sigma * w
    value = ActionValue(q).value(x[:, None])
    for parameter, score in (("mean", z / sigma), ("variance", 0.5 * (z**2 - 1) / sigma**2)):
        estimate = estimate_gradient(q, [mean], sigma, with_respect_to=parameter, samples=4)
        assert estimate.exact is not None
        # cells may be 2.5 sigma wide, where 20 Gauss points leave 1e-10
        assert abs(estimate.exact[0] - (density * score * value).sum()) < 1e-9 / sigma**2


@pytest.mark.parametrize("boundary", ["clip", "reflect", "periodic"])
@pytest.mark.parametrize("parameter", ["mean", "variance"])
def test_an_axis_along_which_nothing_happens_changes_nothing(boundary: str, parameter: str) -> None:
    """The mean 0.9 is near a wall of the idle axis: all noise counts, that beyond the wall too."""
    q = line("clip", "vertex")
    idle = Grid(q.grid[0], Axis("y", -1.0, 1.0, 7, boundary=boundary))
    wide = Landscape(np.repeat(q.values[:, np.newaxis], 7, axis=1), idle)
    options: dict[str, Any] = {"with_respect_to": parameter, "samples": 4}
    one, two = (
        estimate_gradient(q, [0.37], [0.6], **options),
        estimate_gradient(wide, [0.37, 0.9], [0.6, 0.8], **options),
    )
    assert one.exact is not None and two.exact is not None
    assert two.exact == pytest.approx([one.exact[0], 0.0], abs=1e-12)


def test_the_interpolant_meets_the_nodes_and_the_boundary() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 6, boundary="reflect"), Axis("y", 0.0, 1.0, 5, boundary="periodic"))
    values = np.random.default_rng(3).normal(size=grid.shape)
    q = ActionValue(Landscape(values, grid))
    points = np.stack([axis.ravel() for axis in grid.mesh()], axis=1)
    assert np.abs(q.value(points) - values.ravel()).max() < 1e-14
    inside = np.random.default_rng(4).uniform(0, 1, (50, 2))
    mirrored = inside * [-1, 1] + [0, 3]
    assert np.abs(q.value(mirrored) - q.value(inside)).max() < 1e-13
    assert np.abs(q.slope(mirrored) - q.slope(inside) * [-1, 1]).max() < 1e-12
    # multilinear: exact between nodes, and its slope is that of differences
    step = 1e-6
    for i in range(2):
        shift = step * np.eye(2)[i]
        difference = (q.value(inside + shift) - q.value(inside - shift)) / (2 * step)
        assert np.median(np.abs(difference - q.slope(inside)[:, i])) < 1e-8
    for boundary, outside in (("clip", 3.0), ("absorb", 3.0), ("zero", 0.0)):
        ends = ActionValue(Landscape([1.0, 2.0, 3.0], Grid(Axis("x", 0, 2, 3, boundary=boundary))))
        assert ends.value(np.array([[1.5], [2.5]])) == pytest.approx([2.5, outside])
        assert ends.slope(np.array([[1.5], [2.5]])).ravel() == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("parameter", ["mean", "variance"])
def test_samples_of_a_landscape_average_to_its_exact_gradient(estimator: str, parameter: str) -> None:
    grid = Grid(Axis("x", -2.0, 2.0, 33, boundary="clip"), Axis("y", -2.0, 2.0, 32, boundary="periodic"))
    q = Landscape.from_function(lambda x, y: np.exp(-(x**2)) * np.cos(math.pi * y / 2) + 0.2 * x, grid)
    means = np.random.default_rng(6).uniform(-1.8, 1.8, (60, 2))
    estimate = estimate_gradient(q, means, 0.5, estimator=estimator, with_respect_to=parameter, samples=1000, seed=4)
    assert estimate.z_scores is not None
    assert abs(estimate.z_scores.mean()) < 4.5 / math.sqrt(60)
    assert 0.5 < estimate.z_scores.std() < 1.5


def test_the_discretisation_is_of_second_order() -> None:
    left = []
    for size in (41, 81):
        q = landscapes.gaussians(
            Grid(Axis("x", -4.0, 4.0, size, boundary="clip")), heights=(1.0,), centers=(0.2,), widths=(0.5,)
        )
        estimate = estimate_gradient(q, [0.6], 0.4, samples=4)
        assert estimate.exact is not None and estimate.discretisation is not None
        field = HeatField(q).gradient([[0.6]], 0.4)[0]
        assert estimate.discretisation == pytest.approx(np.abs(field - estimate.exact), rel=1e-9)
        left.append(float(estimate.discretisation[0]))
    # the hat adds h^2 / 6 to the variance of the noise: u_x changes by h^2 / 12 u_xxx
    third = HeatField(q).derivatives([[0.6]], 0.4, 3)[0, 3]
    assert left[1] == pytest.approx(abs(0.1**2 / 12 * third), rel=0.05)
    assert 3.5 < left[0] / left[1] < 4.5


# Variance ---------------------------------------------------------------------------------------------------------


def test_the_variance_of_one_unit() -> None:
    """Q = cos(k x): E[Q^2 z^2] and the like from E[z^2 exp(i q z)] = (1 - q^2) exp(-q^2 / 2)."""
    k, mu, sigma = 2.0, 0.3, 0.4
    q, level = k * sigma, math.exp(-0.5 * (k * sigma) ** 2) * math.cos(k * mu)
    slope = -k * math.exp(-(q**2) / 2) * math.sin(k * mu)
    second = 0.5 + 0.5 * math.cos(2 * k * mu) * (1 - 4 * q**2) * math.exp(-2 * q**2)
    cross = math.cos(k * mu) * (1 - q**2) * math.exp(-(q**2) / 2)
    exact = {
        "score": second / sigma**2 - slope**2,
        "baseline": (second - 2 * level * cross + level**2) / sigma**2 - slope**2,
        "antithetic": (math.sin(k * mu) / sigma) ** 2 * (0.5 - 0.5 * (1 - 4 * q**2) * math.exp(-2 * q**2)) - slope**2,
        "reparametrised": k**2 * (0.5 - 0.5 * math.cos(2 * k * mu) * math.exp(-2 * q**2)) - slope**2,
    }
    for estimator, expected in exact.items():
        options: dict[str, Any] = {"estimator": estimator, "gradient": lambda x: [-k * np.sin(k * x)]}
        variance, error = estimator_variance(lambda x: np.cos(k * x), [mu], sigma, **options)
        assert abs(variance[0] - expected) < 5 * error[0] + 1e-12 and error[0] < 2e-3 * expected
        estimate = estimate_gradient(lambda x: np.cos(k * x), [mu], sigma, samples=40000, compare=False, **options)
        # the relative error of a variance from n units is sqrt((kurtosis - 1) / n), kurtosis up to 9 for products
        assert abs(estimate.variance[0] / expected - 1) < 4.5 * math.sqrt(8 / 20000)


@pytest.mark.parametrize("parameter", ["mean", "variance"])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_variance_of_one_unit_in_two_dimensions(parameter: str, estimator: str) -> None:
    options: dict[str, Any] = {"estimator": estimator, "with_respect_to": parameter, "gradient": wave_gradient}
    variance, error = estimator_variance(wave, [0.4, 0.1], 0.3, **options)
    estimate = estimate_gradient(wave, [0.4, 0.1], 0.3, samples=20000, compare=False, **options)
    assert variance.shape == estimate.value.shape and (error < 0.05 * variance).all()
    # squares of (z^2 - 1) have a kurtosis of 15 and more
    assert np.abs(estimate.variance / variance - 1).max() < 4.5 * math.sqrt(40 / 10000)


def test_the_noise_of_a_rough_landscape_grows_as_sigma_shrinks() -> None:
    """p = 0.4: slopes 2 p - 2 = -1.2 with a baseline or in pairs, -2 for the plain score."""
    exponent = 0.4
    q, exact = weierstrass(exponent)
    places = np.random.default_rng(7).uniform(0, 2 * math.pi, (300, 1))
    sigmas = 2.0 ** np.arange(-10, -3)
    curve = estimator_noise(q, places, sigmas, samples=100, reference=exact, exponent=exponent)
    assert curve.predicted == pytest.approx([-2.0, -1.2, -1.2])
    # the level of Q varies less than the law says where sigma nears the longest waves, so the score's slope is not
    # asymptotic everywhere; the scatter over places is about 1 / sqrt(300) per sigma
    assert np.abs(curve.slopes - curve.predicted).max() < 0.08
    assert (curve.intervals[:, 0] < curve.slopes).all() and (curve.slopes < curve.intervals[:, 1]).all()
    assert curve.biased == ()
    # 300 estimates: the root mean square of their errors is known to 4 %
    assert np.abs(curve.bias / curve.bias_noise - 1).max() < 0.25
    # science.md: rms |grad L| has slope p - 1
    assert np.polyfit(np.log(sigmas), np.log(curve.gradient), 1)[0] == pytest.approx(-0.6, abs=0.05)
    assert (curve["baseline"] < curve["score"]).all()


def test_the_noise_in_the_variance_grows_faster_by_two_powers() -> None:
    q, _ = weierstrass(0.6)
    places = np.random.default_rng(8).uniform(0, 2 * math.pi, (200, 1))
    curve = estimator_noise(
        q, places, 2.0 ** np.arange(-9, -3), samples=100, with_respect_to="variance", reference=False, exponent=0.6
    )
    assert curve.predicted == pytest.approx([-4.0, -2.8, -2.8])
    assert np.abs(curve.slopes - curve.predicted).max() < 0.12
    assert np.isnan(curve.bias).all() and curve.biased == ()


def test_a_smooth_landscape_costs_nothing_more_at_small_sigma() -> None:
    places = np.linspace(-1, 1, 30)[:, None]
    curve = estimator_noise(
        lambda x: np.sin(x) + 3,
        places,
        [0.01, 0.03, 0.1],
        estimators=ESTIMATORS,
        samples=400,
        gradient=lambda x: [np.cos(x)],
        exponent=1.0,
    )
    assert curve.slopes[:3] == pytest.approx([-2.0, 0.0, 0.0], abs=0.05)
    assert curve.slopes[3] > 1.5  # the gradient of a smooth Q scatters by sigma
    assert curve.biased == ()


def test_a_curve_of_a_landscape_knows_its_exact_gradient() -> None:
    q = landscapes.weierstrass(size=512, exponent=0.5, terms=8)
    places = np.random.default_rng(9).uniform(0, 6, (50, 1))
    curve = estimator_noise(q, places, [0.1, 0.2, 0.4, 0.8], estimators=ESTIMATORS, samples=400)
    assert curve.biased == () and (curve.bias < 2 * curve.bias_noise).all()


def test_a_constant_is_noise_for_the_score_alone() -> None:
    def shifted(x: Array) -> Array:
        return np.asarray(np.sin(x) + 100)

    for estimator in ("baseline", "antithetic"):
        found = [estimate_gradient(q, [0.2], 0.3, estimator=estimator, compare=False) for q in (np.sin, shifted)]
        assert found[0].value == pytest.approx(found[1].value, abs=1e-11)
    score = estimate_gradient(shifted, [0.2], 0.3, compare=False)
    assert score.standard_error[0] > 50 * found[0].standard_error[0]


def test_the_baseline_leaves_its_own_sample_out() -> None:
    """With a baseline that holds its own sample, 4 samples would shrink the gradient by 3 / 4."""
    means = np.zeros((4000, 1))
    estimate = estimate_gradient(lambda x: 2.0 * x, means, 1.0, estimator="baseline", samples=4, compare=False)
    # the scatter of one estimate is about 2, of their mean 0.04
    assert estimate.value.mean() == pytest.approx(2.0, abs=4.5 * estimate.value.std() / math.sqrt(4000))
    assert abs(estimate.value.mean() - 1.5) > 0.2


# Form -------------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits() -> None:
    means = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    all_of_them = estimate_gradient(wave, means, 0.3, compare=False, seed=9)
    first_two = estimate_gradient(wave, means[:2], 0.3, compare=False, seed=9)
    assert (all_of_them.value[:2] == first_two.value).all()
    single = estimate_gradient(wave, means[0], 0.3, compare=False, seed=9)
    assert single.value.shape == (2,) and (single.value == first_two.value[0]).all()
    assert (estimate_gradient(wave, means, 0.3, compare=False, seed=10).value != all_of_them.value).all()


def test_what_is_shown_and_stored() -> None:
    estimate = estimate_gradient(np.sin, 0.2, 0.3, estimator="antithetic")
    assert "antithetic" in str(estimate) and "500 independent units" in str(estimate)
    content = json.loads(json.dumps(estimate.as_dict(), allow_nan=False))
    assert content["samples"] == 1000 and content["value"] == pytest.approx(estimate.value.tolist())
    many = estimate_gradient(np.sin, np.zeros((9, 1)), 0.3, compare=False)
    assert "and 3 more" in str(many) and many.z_scores is None and many.as_dict()["exact"] is None
    curve = estimator_noise(np.sin, [[0.1]], [0.1, 0.2], estimators="score", samples=10, reference=False)
    content = json.loads(json.dumps(curve.as_dict(), allow_nan=False))
    assert content["slopes"] == [None] and len(content["variance"][0]) == 2
    assert "sigma" in str(curve) and "slope" in str(curve)
    # a z-score of infinity is no JSON
    flat = estimate_gradient(lambda x: 0 * x + 1.0, [0.0], 1.0, estimator="antithetic", samples=4)
    assert flat.value[0] == 0.0 and flat.z_scores is not None and flat.z_scores[0] == 0.0


def test_the_moments_are_those_of_a_gaussian() -> None:
    """The variance derivative is d/ds of E Q: against a difference of integrals."""

    def mean_of(s: float) -> float:
        return quad(lambda z: math.tanh(0.5 + math.sqrt(s) * z) * norm.pdf(z), -9, 9, epsabs=1e-12)[0]

    estimate = estimate_gradient(np.tanh, [0.5], 0.8, with_respect_to="variance", samples=2000)
    slope = (mean_of(0.64 + 1e-4) - mean_of(0.64 - 1e-4)) / 2e-4
    assert estimate.exact is not None and estimate.exact_error is not None
    assert abs(estimate.exact[0] - slope) < 5 * estimate.exact_error[0]


# What is refused --------------------------------------------------------------------------------------------------


def test_landscapes_that_cannot_be_sampled() -> None:
    q = line("absorb", "vertex")
    with pytest.raises(UnsupportedError, match="absorbing wall"):
        estimate_gradient(q, [0.0], 0.1)
    with pytest.raises(UnsupportedError, match="batch"):
        estimate_gradient(Landscape(np.ones((2, 9)), q.grid), [0.0], 0.1)
    with pytest.raises(UnsupportedError, match="takes no other"):
        estimate_gradient(line("clip", "vertex"), [0.0], 0.1, gradient=lambda x: [x])
    with pytest.raises(GridError, match="beyond the wall"):
        estimate_gradient(line("reflect", "vertex"), [1.5], 0.1)
    with pytest.raises(SigmaError, match="too large"):
        estimate_gradient(line("reflect", "vertex"), [0.5], 1e6)
    free = estimate_gradient(line("clip", "vertex"), [1.5], 0.1)  # in free space the mean may be anywhere
    assert free.z_scores is not None and abs(free.z_scores[0]) < 4


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"source": 1.0}, UnsupportedError, "neither"),
        ({"source": lambda x: x[:2]}, GridError, "one real number per point"),
        ({"source": lambda x: 1j * x}, GridError, "one real number per point"),
        ({"source": lambda x: np.where(x > 0, np.nan, x)}, NonFiniteError, "Q is not finite"),
        ({"mean": [math.nan]}, NonFiniteError, "mean"),
        ({"mean": np.zeros((0, 1))}, GridError, "wrong shape"),
        ({"mean": np.zeros((1, 1, 1))}, GridError, "wrong shape"),
        ({"mean": "here"}, GridError, "numbers"),
        ({"sigma": 0.0}, SigmaError, "positive"),
        ({"sigma": [0.1, 0.2]}, SigmaError, "wrong shape"),
        ({"sigma": math.nan}, SigmaError, "finite"),
        ({"sigma": "much"}, SigmaError, "number"),
        ({"estimator": "reinforce"}, UnknownNameError, "score"),
        ({"with_respect_to": "sigma"}, UnknownNameError, "variance"),
        ({"samples": 3}, UnsupportedError, "samples"),
        ({"samples": 11, "estimator": "antithetic"}, UnsupportedError, "pairs"),
        ({"samples": 10**9}, ResourceError, "memory"),
        ({"seed": -1}, UnsupportedError, "seed"),
        ({"estimator": "reparametrised"}, UnsupportedError, "needs the gradient"),
        ({"estimator": "reparametrised", "gradient": lambda x: x}, GridError, "d real arrays"),
        ({"estimator": "reparametrised", "gradient": lambda x: [x, x[:1]]}, GridError, "arrays"),
        ({"estimator": "reparametrised", "gradient": lambda x: [x + math.inf]}, NonFiniteError, "gradient"),
    ],
)
def test_what_cannot_be_estimated(change: dict[str, Any], error: type[Exception], words: str) -> None:
    given: dict[str, Any] = {"source": np.sin, "mean": [0.0], "sigma": 0.1} | change
    source, mean, sigma = (given.pop(name) for name in ("source", "mean", "sigma"))
    with pytest.raises(error, match=words):
        estimate_gradient(source, mean, sigma, **given)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"sigmas": []}, SigmaError, "positive"),
        ({"sigmas": [0.1, 0.0]}, SigmaError, "positive"),
        ({"sigmas": [0.1, 0.1]}, SigmaError, "twice"),
        ({"sigmas": "all"}, SigmaError, "numbers"),
        ({"estimators": ()}, UnsupportedError, "each once"),
        ({"estimators": ("score", "score")}, UnsupportedError, "each once"),
        ({"estimators": ("scores",)}, UnknownNameError, "score"),
        ({"exponent": 1.5}, UnsupportedError, "exponent"),
        ({"reference": lambda means, s: means[0]}, GridError, "reference"),
    ],
)
def test_curves_that_cannot_be_drawn(change: dict[str, Any], error: type[Exception], words: str) -> None:
    given: dict[str, Any] = {"sigmas": [0.1, 0.2], "samples": 10} | change
    with pytest.raises(error, match=words):
        estimator_noise(np.sin, np.zeros((3, 1)), given.pop("sigmas"), **given)
