"""Estimators against exact gradients and exact variances."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import norm

from heatpg import Axis, Grid, Landscape, landscapes
from heatpg.errors import (
    GridError,
    NonFiniteError,
    OptionError,
    ResourceError,
    SigmaError,
    UnknownNameError,
)
from heatpg.policy.estimators import ESTIMATORS, estimate_gradient, estimator_variance
from heatpg.policy.noise_curve import estimator_noise

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
            assert estimate.z_scores[0] < -100 and "misses jumps" in estimate.remark
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


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"source": 1.0}, OptionError, "must be a landscape"),
        ({"source": lambda x: x[:2]}, GridError, "one real number per point"),
        ({"source": lambda x: 1j * x}, GridError, "(?s)real numbers.*complex"),
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
        ({"samples": 3}, OptionError, "samples"),
        ({"samples": 11, "estimator": "antithetic"}, OptionError, "pairs"),
        ({"samples": 10**9}, ResourceError, "memory"),
        ({"seed": -1}, OptionError, "seed"),
        ({"estimator": "reparametrised"}, OptionError, "needs the gradient"),
        ({"estimator": "reparametrised", "gradient": lambda x: x}, GridError, "d real arrays"),
        ({"estimator": "reparametrised", "gradient": lambda x: [x, x[:1]]}, GridError, "rectangular array"),
        ({"estimator": "reparametrised", "gradient": lambda x: [x + math.inf]}, NonFiniteError, "gradient"),
    ],
)
def test_what_cannot_be_estimated(change: dict[str, Any], error: type[Exception], words: str) -> None:
    given: dict[str, Any] = {"source": np.sin, "mean": [0.0], "sigma": 0.1} | change
    source, mean, sigma = (given.pop(name) for name in ("source", "mean", "sigma"))
    with pytest.raises(error, match=words):
        estimate_gradient(source, mean, sigma, **given)


def test_what_an_estimate_is_compared_with_is_named() -> None:
    grid = Grid(Axis("x", -2.0, 2.0, 41, boundary="clip"))
    q = Landscape.from_function(lambda x: np.exp(-(x**2)), grid)
    of_nodes = str(estimate_gradient(q, [0.3], 0.2, samples=64)).splitlines()[1]
    of_function = str(estimate_gradient(lambda x: np.exp(-(x**2)), [0.3], 0.2, samples=64)).splitlines()[1]
    assert of_nodes.split()[-2:] == ["interpolant", "z"] and of_function.split()[-2:] == ["exact", "z"]
