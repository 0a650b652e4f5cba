"""The gradient flow against SciPy's integrators, and derivatives of mollified functions against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from heatpg import Axis, Grid, Landscape
from heatpg.policy.ascent import ascend
from heatpg.policy.flow import MollifiedFunction
from tests.policy.bumps import JOINT, bump, bumps


def flow(method: str, mu: float, s: float) -> list[float]:
    """(mu', s') in one dimension, written down for s itself and not for log sigma."""
    _, slope, change = bumps(mu, s)
    if method == "variance":
        return [slope, change]
    if method == "log_sigma":  # s' = 2 s (log sigma)', (log sigma)' = 2 s dL/ds
        return [slope, 2 * s * 2 * s * change]
    return [s * slope, 2 * s**2 * change]


@pytest.mark.parametrize("method", JOINT)
@pytest.mark.parametrize("sigma", [0.6, 1.2])
def test_the_path_is_that_of_the_flow(unequal: Landscape, method: str, sigma: float) -> None:
    ascent = ascend(unequal, [-0.7], sigma, method=method)
    shown = (ascent.sigmas > (0.5 if method == "variance" else 0.1) * sigma) & (ascent.times > 0)
    times = ascent.times[shown]
    exact = solve_ivp(
        lambda _, y: flow(method, *y), (0, times[-1]), [-0.7, sigma**2], "DOP853", times, rtol=1e-10, atol=1e-12
    )
    mean, deviation = exact.y[0], np.sqrt(exact.y[1])
    # a local error of 1e-4 sigma a step adds up over tens of steps
    assert np.abs(ascent.means[shown, 0] - mean).max() < 0.01 * sigma
    if method == "variance":  # sigma ends in finite time: an early error of sigma^2 stays as it is
        assert np.abs(ascent.sigmas[shown] ** 2 - deviation**2).max() < 0.01 * sigma**2
    else:
        assert np.abs(np.log(ascent.sigmas[shown] / deviation)).max() < 0.01


def test_the_flow_converges_with_its_local_error(unequal: Landscape, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of order 2 has a local error of order 3 in its length: a thousandth of it is a hundredth in all."""
    errors, steps = [], []
    for local in (1e-3, 1e-6):
        monkeypatch.setattr("heatpg.policy.flow._LOCAL_ERROR", local)
        ascent = ascend(unequal, [-0.7], 1.2, method="log_sigma")
        k = int(np.flatnonzero(ascent.sigmas > 0.8)[-1])
        exact = solve_ivp(
            lambda _, y: flow("log_sigma", *y), (0, ascent.times[k]), [-0.7, 1.44], "DOP853", rtol=1e-11, atol=1e-13
        )
        steps.append(k)
        errors.append(abs(ascent.means[k, 0] - exact.y[0, -1]))
    assert errors[1] < 0.03 * errors[0] and errors[1] < 1e-4
    assert 4 < steps[1] / steps[0] < 14  # and costs ten times the steps, if the estimate of the error is of order 3 too


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("method", JOINT)
def test_how_long_sigma_takes_on_a_bump(method: str, dimensions: int) -> None:
    """s' at the centre of a Gaussian bump, where L = w^d (w^2 + s)^(-d/2) and dL/ds = -d/2 L / (w^2 + s)."""
    d, w = dimensions, 0.5
    ascent = ascend(bump(d, width=w, size=61), [0.0] * d, 0.8, method=method)
    upto = np.flatnonzero(ascent.sigmas > 0.2)[-1]

    def rate(s: float) -> float:
        change = -d / 2 * w**d * (w**2 + s) ** (-d / 2 - 1)
        factor = {"variance": 1.0, "log_sigma": 4 * s**2, "natural": 2 * s**2 / d}[method]
        return float(factor * change)

    exact = solve_ivp(lambda _, y: [rate(y[0])], (0, ascent.times[upto]), [0.64], rtol=1e-10, atol=1e-12)
    # sigma^2 has fallen by up to 16, and with it the error that its first steps made
    assert abs(ascent.sigmas[upto] ** 2 - exact.y[0, -1]) < 0.01 * 0.64


def test_natural_gradient_moves_the_mean_by_its_variance() -> None:
    """On Q = c x - x^2 / 2 both fall out: mu' = s (c - mu), s' = -s^2, so mu - c = (mu_0 - c) s / s_0."""
    grid = Grid(Axis("x", -20.0, 20.0, 801, boundary="clip"))
    quadratic = Landscape.from_function(lambda x: -0.5 * (x - 1.0) ** 2, grid)
    ascent = ascend(quadratic, [-2.0], 1.0, method="natural")
    s = ascent.sigmas**2
    seen = s > 0.05
    # the edges of the box are 19 sigma away
    assert np.abs((ascent.means[seen, 0] - 1.0) / -3.0 - s[seen]).max() < 0.02


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_derivatives_of_a_mollified_function(dimensions: int) -> None:
    k = np.array([1.3, -0.7, 0.4])[:dimensions]
    field = MollifiedFunction(lambda *x: np.sin(sum(a * b for a, b in zip(k, x, strict=True))), dimensions)
    mean, sigma = np.array([0.3, 0.2, -0.5])[:dimensions], np.array([0.5, 0.8, 0.3])[:dimensions]
    found = field.derivatives(mean[None], sigma, 4)[0]
    for index in np.ndindex(*found.shape):
        if sum(index) <= 4:
            exact = math.prod(k ** np.array(index)) * math.exp(-0.5 * ((k * sigma) ** 2).sum())
            exact *= math.sin(k @ mean + 0.5 * math.pi * sum(index))
            # round-off of values of size 1, divided by sigma once per derivative
            assert abs(found[index] - exact) < 1e-13 / math.prod(sigma ** np.array(index))
