"""What the rules promise: exactness, positive weights, calibrated errors."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from heatpg.errors import UnsupportedError
from heatpg.quadrature import mollify, rules
from heatpg.quadrature.hermite import gauss_hermite
from heatpg.quadrature.smolyak import sparse_grid

Array = NDArray[Any]


def moment(power: int) -> float:
    """E Z^power."""
    return 0.0 if power % 2 else float(math.prod(range(power - 1, 0, -2)))


def shifted_moment(mu: float, sigma: float, power: int) -> float:
    """E (mu + sigma Z)^power."""
    return sum(math.comb(power, j) * mu ** (power - j) * sigma**j * moment(j) for j in range(power + 1))


def monomial_errors(powers: tuple[int, ...], rule: str, **options: int) -> tuple[float, float]:
    """Relative errors of the value and of the gradient for a product of powers of the coordinates."""
    mu, sigma = np.linspace(0.3, 0.5, len(powers)), 0.6
    result = mollify(lambda a: (a ** np.array(powers)).prod(axis=1), mu, sigma, rule, **options)  # type: ignore[arg-type]
    line = [shifted_moment(m, sigma, p) for m, p in zip(mu, powers, strict=True)]
    slope = [p * shifted_moment(m, sigma, p - 1) if p else 0.0 for m, p in zip(mu, powers, strict=True)]
    exact = [math.prod([*line[:i], slope[i], *line[i + 1 :]]) for i in range(len(powers))]
    assert result.gradient is not None
    scale = math.prod(line)
    return abs(float(result.value) - scale) / scale, float(np.abs(result.gradient - exact).max()) / scale


@pytest.mark.parametrize("points", range(2, 9))
def test_hermite_is_exact_to_its_degree(points: int) -> None:
    value, _ = monomial_errors((2 * points - 1, 2 * points - 1), "hermite", points=points)
    _, gradient = monomial_errors((2 * points - 2, 2 * points - 2), "hermite", points=points)
    assert value < 1e-13 and gradient < 1e-12
    assert monomial_errors((2 * points, 0), "hermite", points=points)[0] > 1e-8
    assert monomial_errors((2 * points - 1, 0), "hermite", points=points)[1] > 1e-8


@pytest.mark.parametrize(("level", "dimensions"), [(1, 1), (2, 1), (5, 1), (1, 3), (2, 3), (3, 3), (4, 3), (7, 2)])
def test_smolyak_is_exact_to_its_total_degree(level: int, dimensions: int) -> None:
    powers = [p for p in itertools.product(range(2 * level + 3), repeat=dimensions) if sum(p) <= 2 * level + 2]
    errors = {p: monomial_errors(p, "smolyak", level=level) for p in powers}
    assert max(value for p, (value, _) in errors.items() if sum(p) <= 2 * level + 1) < 1e-12
    assert max(slope for p, (_, slope) in errors.items() if sum(p) <= 2 * level) < 1e-11
    if level % 2 == 0 or dimensions > 1:  # on a line an odd level has a point more than it needs
        assert max(value for p, (value, _) in errors.items() if sum(p) == 2 * level + 2) > 1e-8


def combined(level: int, dimensions: int) -> dict[tuple[float, ...], float]:
    """The combination technique as it is written, point by point."""
    sizes = [1, *(2 * ((i + 1) // 2) + 1 for i in range(1, level + 1))]
    total: dict[tuple[float, ...], float] = {}
    for index in itertools.product(range(level + 1), repeat=dimensions):
        missing = level - sum(index)
        if not 0 <= missing <= dimensions - 1:
            continue
        factor = (-1) ** missing * math.comb(dimensions - 1, missing)
        grids = [list(zip(*(x.tolist() for x in gauss_hermite(sizes[i])), strict=True)) for i in index]
        for corner in itertools.product(*grids):
            point = tuple(node for node, _ in corner)
            total[point] = total.get(point, 0.0) + factor * math.prod(weight for _, weight in corner)
    return total


@pytest.mark.parametrize(("level", "dimensions"), [(1, 1), (4, 1), (1, 2), (2, 2), (5, 2), (3, 3), (4, 3), (3, 5)])
def test_sparse_grid_is_the_combination_of_its_grids(level: int, dimensions: int) -> None:
    nodes, weights = sparse_grid(level, dimensions)
    points = [tuple(node) for node in nodes.tolist()]
    assert len(set(points)) == len(points) <= rules.get("smolyak")().cost(level, dimensions)
    for column, at in ((0, level), (1, max(level - 2, 0))):
        expected = combined(at, dimensions)
        assert {p for p, w in expected.items() if abs(w) > 1e-15} <= set(points)
        for point, weight in zip(points, weights[:, column], strict=True):
            assert abs(weight - expected.get(point, 0.0)) < 1e-14


@pytest.mark.parametrize(("dimensions", "level", "points"), [(20, 1, 41), (20, 2, 801), (10, 2, 201), (20, 4, 90561)])
def test_sparse_grid_is_small(dimensions: int, level: int, points: int) -> None:
    assert len(sparse_grid(level, dimensions)[0]) == points == rules.get("smolyak")().cost(level, dimensions)


def test_sobol_points_end() -> None:
    with pytest.raises(UnsupportedError, match=r"(?s)21202.*21201"):
        rules.get("montecarlo")().require(2, 21202, 1000)


def ragged(seed: int) -> Any:
    """A function with values in [0, 1] that jumps everywhere."""
    return lambda a: np.floor(7919 * np.abs(np.sin(1e3 * a.sum(axis=1) + seed))) % 2


@given(seed=st.integers(0, 1000), dimensions=st.integers(1, 4))
@pytest.mark.parametrize("rule", [name for name in rules.names() if rules.get(name).positive])
def test_positive_rules_keep_the_range(rule: str, seed: int, dimensions: int) -> None:
    result = mollify(ragged(seed), np.zeros(dimensions), 0.5, rule, budget=512)
    assert -1e-14 <= result.value <= 1 + 1e-14


def test_smolyak_may_leave_the_range_and_says_so() -> None:
    result = mollify(lambda a: (np.abs(a).max(axis=1) < 0.1) * 1.0, np.zeros(6), 0.5, "smolyak", level=1)
    assert result.value < 0
    assert "maximum principle is not guaranteed" in result.reason


@pytest.mark.parametrize("rule", rules.names())
def test_a_constant_is_kept(rule: str) -> None:
    result = mollify(lambda a: np.full(len(a), 3.0), [0.5, 0.5, 0.5], 0.4, rule, budget=2000)
    assert result.gradient is not None
    assert abs(result.value - 3.0) < 1e-13 and np.abs(result.gradient).max() < 1e-12


def test_seeds_repeat_and_differ() -> None:
    def run(seed: int) -> float:
        return float(
            mollify(lambda a: np.abs(a).sum(axis=1), [0.1, 0.2], 0.5, "montecarlo", samples=32, seed=seed).value
        )

    assert run(1) == run(1) != run(2)


def cosine(a: Array) -> Array:
    return np.asarray(np.cos(a.sum(axis=1)))


def step(a: Array) -> Array:
    return np.asarray(a.sum(axis=1) > 0.0)


@pytest.mark.parametrize("function", [cosine, step])
def test_standard_errors_are_calibrated(function: Any) -> None:
    """Over 200 seeds the interval of 1.96 standard errors holds the truth in 90 to 99 % of the cases."""
    mu, sigma, d, seeds = np.full(5, 0.1), 0.4, 5, 200
    spread = sigma * math.sqrt(d)
    if function is cosine:
        value, slope = math.exp(-(spread**2) / 2) * math.cos(0.5), -math.exp(-(spread**2) / 2) * math.sin(0.5)
    else:
        value = 0.5 * math.erfc(-0.5 / spread / math.sqrt(2))
        slope = math.exp(-0.5 * (0.5 / spread) ** 2) / math.sqrt(2 * math.pi) / spread
    held, held_slopes = [], []
    for seed in range(seeds):
        result = mollify(function, mu, sigma, "montecarlo", samples=64, seed=seed)
        assert result.gradient is not None
        assert result.standard_error is not None and result.gradient_standard_error is not None
        held.append(abs(result.value - value) <= 1.96 * result.standard_error)
        held_slopes.append(np.abs(result.gradient - slope) <= 1.96 * result.gradient_standard_error)
    print("coverage", np.mean(held), np.mean(held_slopes))
    assert 0.90 <= np.mean(held) <= 0.99
    assert 0.90 <= np.mean(held_slopes) <= 0.99


def test_quasi_montecarlo_beats_plain_sampling() -> None:
    result = mollify(cosine, np.full(5, 0.1), 0.4, "montecarlo", samples=2048)
    draws = cosine(0.1 + 0.4 * np.random.default_rng(0).normal(size=(result.points, 5)))
    assert result.standard_error is not None
    assert result.standard_error < 0.2 * draws.std() / math.sqrt(len(draws))


def test_standard_errors_shrink_with_samples() -> None:
    few, many = (mollify(step, np.zeros(3) + 0.1, 0.4, "montecarlo", samples=n) for n in (64, 4096))
    assert few.standard_error is not None and many.standard_error is not None
    assert many.standard_error < few.standard_error / 8
