"""The linear map behind automatic differentiation: its transpose, and its derivative in sigma."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heatpg import HeatpgError, smooth
from heatpg.interop.linear import Smoothing

BOUNDARIES = ["clip", "reflect", "periodic", "zero", "absorb"]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("solver", ["auto", "spectral", "compact", "implicit"])
def test_the_adjoint_is_the_transpose(boundary: str, nodes: str, solver: str, rng: np.random.Generator) -> None:
    smoothing = Smoothing((23, 18), boundary, 0.5, nodes, None, solver)
    q, g = rng.standard_normal((2, 23, 18))
    for sigma in (0.2, 0.9, 3.0):
        forward = float((smoothing.value(q, sigma) * g).sum())
        back = float((q * smoothing.adjoint(g, sigma)).sum())
        # 414 products of numbers of size 3, each of which passed two sums of some twenty terms
        assert abs(forward - back) < 414 * 9 * 40 * 2.3e-16


def test_axes_and_levels(rng: np.random.Generator) -> None:
    smoothing = Smoothing((4, 20, 3, 16), ["periodic", "clip"], [0.5, 0.25], axes=(3, 1))
    q = rng.standard_normal(smoothing.shape)
    levels = np.array([[0.9, 1.5], [0.7, 0.0]])
    u = smoothing.value(q, levels)
    for k, (first, second) in enumerate(levels):
        for i, j in np.ndindex(4, 3):
            one = smooth(q[i, :, j], {1: first, 0: second}, {1: "periodic", 0: "clip"}, spacing={1: 0.5, 0: 0.25})
            np.testing.assert_allclose(u[k, i, :, j], one, rtol=0, atol=1e-13)
    g = rng.standard_normal(u.shape)
    assert abs((u * g).sum() - (q * smoothing.adjoint(g, levels)).sum()) < 1e-10
    assert smoothing.derivative(q, levels).shape == (*u.shape, 2)
    # no noise along an axis: sigma times the Laplacian is 0
    assert (smoothing.derivative(q, levels)[1, ..., 1] == 0).all()


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("sigma", [1.3, 2.4])
def test_the_derivative_in_sigma_is_sigma_times_the_laplacian(boundary: str, sigma: float) -> None:
    """On a Gaussian hill of width 2, e^-32 at the walls: u = (4 / k)^(1/2) exp(-x^2 / 2k) with k = 4 + sigma^2."""
    x = np.linspace(-16.0, 16.0, 65)
    k = 4.0 + sigma**2
    u = np.sqrt(4.0 / k) * np.exp(-(x**2) / (2 * k))
    found = Smoothing(x.shape, boundary, 0.5).derivative(np.exp(-(x**2) / 8), sigma)
    # the eighth order: (sigma / 50)^8 of the ninth derivative of a field that varies over 2, and what the walls reflect
    assert np.abs(found - sigma * (x**2 / k**2 - 1 / k) * u)[8:-8].max() < 1e-8
    rows = Smoothing(x.shape, boundary, 0.5).derivative(np.exp(-(x**2) / 8), [[sigma]])
    np.testing.assert_allclose(rows[0, :, 0], found, rtol=0, atol=1e-15)


@pytest.mark.parametrize("sigma", [-1.0, np.nan, [[[1.0]]], [[1.0, 2.0, 3.0]]])
def test_wrong_noise_is_refused(sigma: Any) -> None:
    with pytest.raises(HeatpgError, match="sigma must be non-negative numbers"):
        Smoothing((8, 9), "clip").value(np.zeros((8, 9)), sigma)


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from heatpg.interop import jax, torch

    for name, door in (("torch", torch), ("jax", jax)):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(HeatpgError, match=f"pip install {name}"):
            door.smooth(np.zeros(8), 1.0, "clip")


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("sigma", [0.8, 1.3])
def test_the_derivative_is_that_of_the_fields_that_are_solved(
    boundary: str, nodes: str, sigma: float, rng: np.random.Generator
) -> None:
    """Also at 1.6 spacings, beside the 1.5 at which ends of cells change their scheme."""
    smoothing = Smoothing((6, 5), boundary, 0.5, nodes)
    q, step = rng.standard_normal((6, 5)), 2e-4
    one, two = (smoothing.value(q, sigma + k * step) - smoothing.value(q, sigma - k * step) for k in (1, 2))
    # a central difference of five points: step^4 / 30 of a fifth derivative of some hundreds, and the rounding of what
    # is added at the ends, which spectral says to be 256 eps |Q| below three spacings, over the step
    difference = (8.0 * one - two) / (12.0 * step)
    assert np.abs(smoothing.derivative(q, sigma) - difference).max() < 1e-9
