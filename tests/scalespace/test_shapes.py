"""Survival and shape of an optimum, against closed forms of Gaussian sums."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, errors
from heatpg.evolution import solve
from heatpg.scalespace import (
    Shape,
    optimum_shape,
    sigma_of_survival,
    sparing_covariance,
    sparing_sigmas,
    survival,
    track,
)


def test_survival_is_what_a_peak_and_a_ridge_keep() -> None:
    grid = Grid(*(Axis(name, -4.0, 4.0, 161, boundary="clip") for name in "xy"))
    width, sigma = 0.4, 0.5
    peak = Landscape.from_function(lambda x, y: np.exp(-(x**2 + y**2) / (2 * width**2)), grid)
    ridge = Landscape.from_function(lambda x, y: np.exp(-(x**2) / (2 * width**2)) + 0 * y, grid)
    for landscape, codimension in ((peak, 2), (ridge, 1)):
        # both are resolved, so what is left is round-off
        assert solve(landscape, sigma).values[0].max() == pytest.approx(survival(sigma, width, codimension), abs=1e-13)


def test_survival_of_the_ridge_of_two_thrusts() -> None:
    # exp(-(u1 - u2)^2 / 2 w^2): the ridge is w / sqrt(2) wide across, and keeps sqrt(w^2 / (w^2 + 2 sigma^2))
    w, sigma = 0.3, 0.2
    assert survival(sigma, w / math.sqrt(2)) == pytest.approx(math.sqrt(w**2 / (w**2 + 2 * sigma**2)), rel=1e-15)


@pytest.mark.parametrize("codimension", [1, 2, 3])
def test_sigma_of_survival_is_the_inverse(codimension: int) -> None:
    sigma = sigma_of_survival(0.3, 0.7, codimension)
    assert survival(sigma, 0.7, codimension) == pytest.approx(0.3, rel=1e-14)


def rotated(angle: float, widths: tuple[float, float]) -> tuple[Landscape, np.ndarray]:
    grid = Grid(*(Axis(name, -5.0, 5.0, 201, boundary="clip") for name in "xy"))
    across, along = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])

    def peak(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        a, b = across[0] * x + across[1] * y, along[0] * x + along[1] * y
        return np.asarray(2.0 * np.exp(-(a**2) / (2 * widths[0] ** 2) - b**2 / (2 * widths[1] ** 2)))

    return Landscape.from_function(peak, grid), np.stack([across, along])


@pytest.mark.parametrize("angle", [0.0, 0.3, 1.2])
def test_shape_of_a_rotated_peak(angle: float) -> None:
    landscape, directions = rotated(angle, (0.3, 1.1))
    sigma = 0.2
    space = track(solve(landscape, [sigma, 0.5]), "maximum")
    shape = optimum_shape(space, base=0.0)
    # under noise the widths are sqrt(w^2 + sigma^2)
    np.testing.assert_allclose(shape.widths, np.sqrt(np.array([0.3, 1.1]) ** 2 + sigma**2), rtol=1e-9)
    np.testing.assert_allclose(np.abs((shape.directions * directions).sum(axis=1)), 1.0, rtol=1e-9)
    more = 0.25
    expected = 1 / math.sqrt(math.prod((w**2 + more) / w**2 for w in shape.widths))
    assert shape.survival(more) == pytest.approx(expected, rel=1e-12)


def test_noise_of_the_shape_of_a_ridge_spares_it() -> None:
    landscape, _ = rotated(0.6, (0.25, 1.0))
    shape = optimum_shape(track(solve(landscape, [0.0, 0.3]), "maximum"), base=0.0)
    sigma = 0.4
    spared, plain = sparing_covariance(shape, sigma), sigma**2 * np.eye(2)
    assert np.linalg.det(spared) == pytest.approx(sigma**4, rel=1e-12)
    for covariance in (spared, plain):
        # what the closed form says is what the solver finds; the curvature of Q is that of a polynomial of degree 7
        # through nodes h / w = 0.2 apart: an error of about (h / w)^6 = 6e-5
        top = solve(landscape, covariance=covariance).values[0].max() / 2.0
        assert top == pytest.approx(shape.survival(covariance), rel=6e-5)
    assert shape.survival(spared) > 1.2 * shape.survival(plain)
    # no other covariance of this determinant does better
    generator = np.random.default_rng(2)
    for _ in range(200):
        factor = generator.standard_normal((2, 2))
        other = factor @ factor.T
        other *= sigma**2 / math.sqrt(np.linalg.det(other))
        assert shape.survival(other) <= shape.survival(spared) * (1 + 1e-12)


def test_independent_noise_that_spares_a_tilted_ridge() -> None:
    landscape, _ = rotated(0.4, (0.25, 1.0))
    shape = optimum_shape(track(solve(landscape, [0.0, 0.3]), "maximum"), base=0.0)
    sigmas = sparing_sigmas(shape, 0.4)
    assert math.prod(sigmas) == pytest.approx(0.16, rel=1e-10)
    best = shape.survival(sigmas**2)
    ratios = np.geomspace(0.1, 10.0, 401)
    scan = max(shape.survival([0.16 * r, 0.16 / r]) for r in ratios)
    # the scan is within (0.0115 / 2)^2 of the optimum in log r
    assert scan <= best * (1 + 1e-12) and scan == pytest.approx(best, rel=1e-4)


def test_shapes_that_are_none() -> None:
    grid = Grid(*(Axis(name, -1.0, 1.0, 41, boundary="clip") for name in "xy"))
    slope = Landscape.from_function(lambda x, y: x + 0 * y, grid)
    with pytest.raises(errors.UnsupportedError, match="no width"):
        optimum_shape(track(solve(slope, [0.1, 0.2]), "maximum"))
    landscape, _ = rotated(0.0, (0.3, 0.5))
    space = track(solve(landscape, [0.1, 0.2]), "maximum")
    with pytest.raises(errors.UnsupportedError, match="is not above its base"):
        optimum_shape(space, base=5.0)
    shape = Shape(np.zeros(2), 1.0, 0.0, np.ones(2), np.eye(2), np.ones(2))
    for sigma in (0.0, -1.0, math.nan):
        with pytest.raises(errors.SigmaError):
            sparing_covariance(shape, sigma)
        with pytest.raises(errors.SigmaError):
            sparing_sigmas(shape, sigma)
    with pytest.raises(errors.SigmaError):
        shape.survival(np.eye(3))
    for bad in (-0.1, math.inf):
        with pytest.raises(errors.SigmaError):
            survival(bad, 1.0)
    with pytest.raises(errors.OptionError):
        survival(0.1, 0.0)
    with pytest.raises(errors.OptionError):
        survival(0.1, 1.0, 0)
    with pytest.raises(errors.OptionError):
        sigma_of_survival(1.5, 1.0)
