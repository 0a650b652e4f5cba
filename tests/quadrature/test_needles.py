"""`auto` beside needles: what few of many random points see is not integrated as if it were not there."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg.errors import ResourceError
from heatpg.quadrature import Mollified, mollify, rules
from heatpg.quadrature.base import Integrand
from heatpg.quadrature.residuals import Residuals, tensor_degrees

Array = NDArray[Any]
Function = Callable[[Array], Array]

BUDGET = 2**17


def needle(dimensions: int, height: float, width: float, distance: float) -> tuple[Function, float]:
    """cos(x_1) with a Gaussian needle, and its mean under standard normal noise."""
    place = np.full(dimensions, distance / math.sqrt(dimensions))

    def function(a: Array) -> Array:
        return np.asarray(np.cos(a[:, 0]) + height * np.exp(-0.5 * ((a - place) ** 2).sum(axis=1) / width**2))

    spread = 1.0 + width**2
    mean = height * (width**2 / spread) ** (dimensions / 2) * math.exp(-0.5 * distance**2 / spread)
    return function, math.exp(-0.5) + mean


def honest(result: Mollified, exact: float, width: float) -> None:
    """The error covers the truth, or the needle is one that is said to be too narrow to be seen.

    Four standard errors of 32 repeats miss with a chance of 4e-4; a deterministic estimate is held to a few times its
    error, and to round-off of a sum.
    """
    assert result.unseen_width.shape
    if width <= result.unseen_width.max():
        return
    error = result.error_estimate if result.standard_error is None else result.standard_error
    assert error is not None
    assert abs(float(result.value) - exact) <= 4.0 * float(error) + 1e-13


LADDER = [
    (1, 0.1, 1.0, 2.0),
    (1, 0.01, 1.0, 2.0),
    (1, 0.01, 1e3, 0.5),
    (1, 0.003, 30.0, 0.5),
    (1, 0.001, 1.0, 0.5),
    (1, 0.001, 1e4, 2.0),
    (1, 1e-4, 1e6, 0.5),
    (2, 0.1, 1.0, 0.5),
    (2, 0.03, 1.0, 2.0),
    (2, 0.03, 30.0, 2.0),
    (2, 0.01, 1e4, 0.5),
    (3, 0.1, 30.0, 0.5),
    (3, 0.03, 1e6, 0.5),
    (4, 0.2, 30.0, 0.5),
    (4, 0.1, 1e6, 0.5),
]


@pytest.mark.parametrize(("dimensions", "width", "height", "distance"), LADDER)
@pytest.mark.parametrize("tolerance", [None, 1e-4])
def test_a_needle_is_seen_or_said_to_be_too_narrow(
    dimensions: int, width: float, height: float, distance: float, tolerance: float | None
) -> None:
    function, exact = needle(dimensions, height, width, distance)
    try:
        result = mollify(function, np.zeros(dimensions), 1.0, tolerance=tolerance, budget=BUDGET)
    except ResourceError:
        assert tolerance is not None
        return
    honest(result, exact, width)


def test_the_reason_names_what_random_points_see() -> None:
    function, exact = needle(1, 1e4, 0.001, 2.0)
    result = mollify(function, [0.0], 1.0)
    assert result.rule == "montecarlo" and "vary far more" in result.reason
    assert exact == pytest.approx(1.9598855)
    honest(result, exact, 0.001)


def test_what_cannot_be_seen_is_bounded_by_what_the_points_tell() -> None:
    # one point in 10^6 lies on it
    function, _ = needle(1, 1.0, 1e-7, 0.5)
    result = mollify(function, [0.0], 1.0)
    assert result.rule == "hermite" and "random points to within" in result.reason
    assert result.unseen_width[0] > 1e-7


SMOOTH: dict[str, tuple[Function, float]] = {
    "cosine": (lambda a: np.cos(a[:, 0]), math.exp(-0.5)),
    "exponential": (lambda a: np.exp(2.0 * a[:, 0]), math.exp(2.0)),
    "polynomial": (lambda a: a[:, 0] ** 8, 105.0),
    "hill": (lambda a: np.exp(-0.5 * a[:, 0] ** 2), math.sqrt(0.5)),
    "waves": (lambda a: np.cos(3.0 * a[:, 0]), math.exp(-4.5)),
    "high": (lambda a: 1e9 + np.cos(a[:, 0]), 1e9 + math.exp(-0.5)),
    "large": (lambda a: 1e200 * np.cos(a[:, 0]), 1e200 * math.exp(-0.5)),
    "small": (lambda a: 1e-200 * np.cos(a[:, 0]), 1e-200 * math.exp(-0.5)),
    "single": (lambda a: np.cos(a[:, 0]).astype(np.float32), math.exp(-0.5)),
    "constant": (lambda a: np.full(len(a), 3.0), 3.0),
}


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("name", SMOOTH)
def test_a_smooth_function_costs_no_more(name: str, dimensions: int, monkeypatch: pytest.MonkeyPatch) -> None:
    function, exact = SMOOTH[name]
    scale = max(abs(exact), 1e-300)
    result = mollify(function, np.zeros(dimensions), 1.0, budget=BUDGET)
    # a constant is as well integrated by any rule
    assert result.rule == "hermite" or name == "constant"
    # exp(2 x) is told to few digits by 32 points, in what lies beyond them; single precision has 7
    assert abs(float(result.value) - exact) <= (1e-6 if name == "single" else 1e-9) * scale
    result = mollify(function, np.zeros(dimensions), 1.0, tolerance=1e-5 * scale, budget=BUDGET)
    # without a look at the residuals
    monkeypatch.setattr(Residuals, "seen", lambda *given: 0.0)
    monkeypatch.setattr(importlib.import_module("heatpg.quadrature.automatic"), "_CLOSER", 10**9)
    plain = mollify(function, np.zeros(dimensions), 1.0, tolerance=1e-5 * scale, budget=BUDGET)
    assert result.rule == plain.rule and result.points <= 1.2 * plain.points


def test_a_polynomial_leaves_nothing_and_a_needle_is_seen() -> None:
    rng = np.random.default_rng(3)
    nodes = rng.normal(size=(4000, 2))

    def seen(height: float) -> float:
        def function(a: Array) -> Array:
            near = ((a - nodes[7]) ** 2).sum(axis=1) < 1e-12
            return np.asarray(1.0 + a[:, 0] ** 2 * a[:, 1] - a[:, 1] ** 3 + height * near)

        integrand = Integrand(function, np.zeros((1, 2)), np.eye(2), gradient=False, vectorized=True)
        residuals = Residuals(integrand)
        residuals.keep(lambda: integrand(nodes))
        grid, weights = rules.get("hermite")().grid(9, 2)
        return residuals.seen(grid, weights, integrand(grid), tensor_degrees(9, 2), 1e-6)

    # degree 3 is among those up to 6 that nine points tell; one point of 4000 that is off by 1e-3 has a mean square of
    # 2.5e-10, above 1e-12
    assert seen(0.0) < 1e-3
    assert seen(1e-3) > 100.0
