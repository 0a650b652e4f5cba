"""How the noise of estimators grows as sigma shrinks, against the laws of Hölder landscapes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import landscapes
from heatpg.errors import (
    GridError,
    OptionError,
    SigmaError,
    UnknownNameError,
)
from heatpg.policy.estimators import ESTIMATORS
from heatpg.policy.noise_curve import estimator_noise

Array = NDArray[Any]


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


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"sigmas": []}, SigmaError, "positive"),
        ({"sigmas": [0.1, 0.0]}, SigmaError, "positive"),
        ({"sigmas": [0.1, 0.1]}, SigmaError, "must be different"),
        ({"sigmas": "all"}, SigmaError, "numbers"),
        ({"estimators": ()}, OptionError, "estimators must be one or more different names"),
        ({"estimators": ("score", "score")}, OptionError, "estimators must be one or more different names"),
        ({"estimators": ("scores",)}, UnknownNameError, "score"),
        ({"exponent": 1.5}, OptionError, "exponent"),
        ({"reference": lambda means, s: means[0]}, GridError, "reference"),
    ],
)
def test_curves_that_cannot_be_drawn(change: dict[str, Any], error: type[Exception], words: str) -> None:
    given: dict[str, Any] = {"sigmas": [0.1, 0.2], "samples": 10} | change
    with pytest.raises(error, match=words):
        estimator_noise(np.sin, np.zeros((3, 1)), given.pop("sigmas"), **given)
