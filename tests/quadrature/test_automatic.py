"""`auto` believes no rule by itself: needles, ridges, jumps and kinks against closed forms, and what it cannot see."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr

from heatpg.errors import OptionError, ResourceError
from heatpg.quadrature import Mollified, mollify, rules
from heatpg.quadrature.automatic import _Turned
from heatpg.quadrature.base import Integrand

Array = NDArray[Any]
Function = Callable[[Array], Array]


@dataclasses.dataclass
class Problem:
    """A function with E f(mu + sigma Z) and its gradient in closed form, and the width of its narrowest feature."""

    function: Function
    mu: Array
    sigma: float
    value: float
    gradient: Array
    width: float = math.inf

    def times(self, factor: float, offset: float = 0.0) -> Problem:
        return dataclasses.replace(
            self,
            function=lambda a: (self.function(a) + offset) * factor,
            value=(self.value + offset) * factor,
            gradient=self.gradient * factor,
        )


def density(z: Any) -> float:
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def wave(mu: Array, sigma: float, k: Array) -> Problem:
    damping = math.exp(-(k @ k) * sigma**2 / 2)
    gradient = -damping * math.sin(k @ mu) * k
    return Problem(lambda a: np.cos(a @ k), mu, sigma, damping * math.cos(k @ mu), gradient)


def bump(mu: Array, sigma: float, centre: Array, width: float, height: float) -> Problem:
    total = width**2 + sigma**2
    value = height * (width**2 / total) ** (len(mu) / 2) * math.exp(-((mu - centre) ** 2).sum() / 2 / total)

    def function(a: Array) -> Array:
        return np.asarray(height * np.exp(-((a - centre) ** 2).sum(axis=1) / 2 / width**2))

    return Problem(function, mu, sigma, value, -value * (mu - centre) / total, width)


def ridge(mu: Array, sigma: float, normal: Array, place: Any, width: float, height: float) -> Problem:
    """A bump along one direction, whose Gaussian integral is that of a line."""
    line = bump(np.array([mu @ normal]), sigma, np.array([place]), width, height)
    return dataclasses.replace(
        line, function=lambda a: line.function((a @ normal)[:, np.newaxis]), mu=mu, gradient=line.gradient[0] * normal
    )


def step(mu: Array, sigma: float, normal: Array, place: Any) -> Problem:
    z = (mu @ normal - place) / sigma
    return Problem(lambda a: (a @ normal > place) * 1.0, mu, sigma, float(ndtr(z)), density(z) / sigma * normal)


def kink(mu: Array, sigma: float, normal: Array, place: Any) -> Problem:
    z = (mu @ normal - place) / sigma
    inside = 2 * float(ndtr(z)) - 1
    value = sigma * (z * inside + 2 * density(z))
    return Problem(lambda a: np.abs(a @ normal - place), mu, sigma, value, inside * normal)


def plus(*parts: Problem) -> Problem:
    first = parts[0]
    return Problem(
        lambda a: np.asarray(sum(part.function(a) for part in parts)),
        first.mu,
        first.sigma,
        sum(part.value for part in parts),
        np.sum([part.gradient for part in parts], axis=0),
        min(part.width for part in parts),
    )


def direction(rng: np.random.Generator, dimensions: int) -> Array:
    normal = rng.normal(size=dimensions)
    return np.asarray(normal / np.linalg.norm(normal))


def random_problem(seed: int) -> Problem:
    rng = np.random.default_rng(seed)
    d = int(rng.choice([1, 1, 1, 2, 2, 3, 4, 5, 10]))
    mu, sigma, normal = rng.normal(size=d) / 2, 10 ** rng.uniform(-1, 0.3), direction(rng, d)
    background = wave(mu, sigma, rng.normal(size=d) / 2 / sigma)
    narrow, height = sigma * 10 ** rng.uniform(-2.5, -0.5), float(rng.choice([1, 5, 50]))
    place = mu @ normal + sigma * rng.normal()
    kind = rng.choice(["needle", "ridge", "step", "kink", "wave", "bumps", "constant"])
    if kind == "needle":
        return plus(background, bump(mu, sigma, mu + 0.8 * sigma * rng.normal(size=d), narrow, height))
    if kind == "ridge":
        return plus(background, ridge(mu, sigma, normal, place, narrow, height))
    if kind == "step":
        return step(mu, sigma, normal, place)
    if kind == "kink":
        return kink(mu, sigma, normal, place)
    if kind == "wave":
        return wave(mu, sigma, rng.normal(size=d) / sigma * rng.choice([0.5, 2, 6]))
    if kind == "bumps":
        widths = sigma * 10 ** rng.uniform(-0.5, 0.7, size=4)
        return plus(*(bump(mu, sigma, mu + sigma * rng.normal(size=d), float(w), rng.normal()) for w in widths))
    constant = float(rng.normal() * 10 ** rng.uniform(-3, 9))
    return Problem(lambda a: np.full(len(a), constant), mu, sigma, constant, np.zeros(d))


def stated(result: Mollified) -> tuple[Any, Any]:
    """Error of value and gradient as a tolerance is held against them: two standard errors of a randomised rule."""
    if result.error_estimate is not None and result.gradient_error_estimate is not None:
        return result.error_estimate, result.gradient_error_estimate
    assert result.standard_error is not None and result.gradient_standard_error is not None
    return 2 * result.standard_error, 2 * result.gradient_standard_error


def solved(problem: Problem, **options: Any) -> Mollified:
    return mollify(problem.function, problem.mu, problem.sigma, **options)


NEEDLE = plus(
    wave(np.array([0.2]), 0.3, np.array([1.0])), bump(np.array([0.2]), 0.3, np.array([0.5]), 0.01, 5.0)
)  # cos x + 5 exp(-((x - .5) / .01)^2 / 2)


@pytest.mark.parametrize("tolerance", [None, 1e-2, 1e-3, 2e-4])
def test_a_needle_between_the_nodes_is_found(tolerance: float | None) -> None:
    """Gauss-Hermite rules of up to 8 points do not see it, and are off by .101 with an estimate of 6e-6."""
    result = solved(NEEDLE, tolerance=tolerance)
    # a standard error of 32 repeats: Student's 99.9 % quantile is 3.6
    assert abs(result.value - NEEDLE.value) < 1.8 * stated(result)[0]
    assert stated(result)[0] <= (tolerance or 1e-4)
    assert result.unseen_width[0] < 1e-4 and "features narrower than" in result.reason
    blind = solved(NEEDLE, rule="hermite", points=8)
    assert abs(blind.value - NEEDLE.value) > 0.1 and stated(blind)[0] < 1e-4 and blind.unseen_width[0] > 0.1


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("make", [step, kink])
def test_a_jump_or_a_kink_is_left_to_random_points(make: Any, dimensions: int) -> None:
    rng = np.random.default_rng(dimensions)
    problem = make(np.full(dimensions, 0.3), 0.5, direction(rng, dimensions), 0.1)
    result = solved(problem, tolerance=2e-3, budget=2**17)
    assert result.rule == "montecarlo" and result.points <= 2**17
    assert abs(result.value - problem.value) < 2e-3
    assert np.abs(result.gradient - problem.gradient).max() < 2e-3 / 0.5 * 1.8
    # without a tolerance the tensor rule is not taken either where it errs more
    free = solved(problem)
    assert abs(free.value - problem.value) < 1.8 * stated(free)[0] < 4e-3


@pytest.mark.parametrize("dimensions", [2, 5, 10])
def test_a_narrow_ridge_across_all_axes_is_found(dimensions: int) -> None:
    """Codimension one: random points see 1/100 of sigma in every dimension, nodes on the axes do not."""
    rng = np.random.default_rng(dimensions)
    mu, normal = np.full(dimensions, 0.1), direction(rng, dimensions)
    problem = plus(
        wave(mu, 0.3, 0.5 * normal), ridge(mu, 0.3, normal, float(mu @ normal) + 0.2, width=0.003, height=20.0)
    )
    result = solved(problem, tolerance=0.03)
    assert abs(result.value - problem.value) < 1.8 * stated(result)[0] <= 0.03 * 1.8
    with pytest.raises(ResourceError, match=r"(?s)no rule reached.*the error after "):
        solved(problem, tolerance=1e-8)


@pytest.mark.parametrize("tolerance", [None, 1e-3, 1e-6])
def test_stated_errors_are_honest(tolerance: float | None) -> None:
    """Of 60 random problems: an interval of two standard errors is missed by 5 %, by 9 of 60 with a chance of 1e-3.

    A rule that asks only itself misses 14, 8 and 7 of 60, by up to fourteen powers of ten.
    """
    beyond, answered = [], 0
    for seed in range(60):
        problem = random_problem(seed)
        try:
            result = solved(problem, tolerance=tolerance)
        except ResourceError:
            continue
        except OptionError as refused:  # constants near 1e9
            assert "below rounding error" in str(refused)
            continue
        answered += 1
        error, errors = stated(result)
        ratio = abs(result.value - problem.value) / error
        assert result.gradient is not None
        ratio = max(ratio, (np.linalg.norm(result.gradient - problem.gradient) / np.linalg.norm(errors)))
        # what is narrower than the result says may be missed
        if ratio > 1.0 and problem.width > 2.0 * result.unseen_width.max():
            beyond.append(float(ratio))
    print(f"{answered} answered, {len(beyond)} beyond what is stated:", np.round(beyond, 2))
    assert answered >= 20 and len(beyond) <= 8
    assert max(beyond, default=0.0) < 3.0


@pytest.mark.parametrize(
    ("rule", "dimensions", "options"),
    [
        *(("montecarlo", d, {"samples": 128}) for d in (1, 2, 5, 10)),
        *(("hermite", d, {"points": n}) for d, n in ((1, 32), (2, 16), (3, 8))),
        *(("smolyak", d, {"level": n}) for d, n in ((1, 7), (3, 6), (10, 3))),
    ],
)
def test_the_unseen_width_is_the_distance_to_the_points(rule: str, dimensions: int, options: dict[str, int]) -> None:
    """Places at the distance sqrt(d) from the centre: how far the nearest point is, in units of sqrt(d) widths."""
    seen: list[Array] = []

    def recording(a: Array) -> Array:
        seen.append(a.copy())
        return np.zeros(len(a))

    result = mollify(recording, np.zeros(dimensions), 1.0, rule, **options)  # type: ignore[arg-type]
    points, rng = np.concatenate(seen), np.random.default_rng(0)
    # the radius of the noise, and a fifth to either side
    places = [math.sqrt(dimensions) * rng.uniform(0.8, 1.2) * direction(rng, dimensions) for _ in range(200)]
    away = np.array([np.sqrt(((points - place) ** 2).sum(axis=1).min() / dimensions) for place in places])
    width = float(result.unseen_width[0])
    # 5 % for random points of one density, which changes over a ball; nodes are further apart there than in the middle
    assert (away > width).mean() < (0.25 if rule == "montecarlo" else 0.5)
    assert (away > 1.6 * width).mean() < 0.05
    assert (away > 0.1 * width).mean() > 0.3


def test_the_unseen_width_has_the_units_of_each_axis() -> None:
    result = mollify(lambda a: a.sum(axis=1), [0.0, 0.0], [0.1, 2.0])
    assert result.unseen_width[1] == pytest.approx(20 * result.unseen_width[0])
    turned = mollify(lambda a: a.sum(axis=1), [0.0, 0.0], [[0.02, 0.01], [0.01, 0.08]])
    assert turned.unseen_width[1] == pytest.approx(2 * turned.unseen_width[0])
    assert mollify(lambda a: a.sum(axis=1), [0.0, 0.0], 0.0, gradient=False).unseen_width.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("rule", ["auto", *rules.names()])
@pytest.mark.parametrize("exponent", [-664, 664, -900])  # about 1e-200, 1e200 and 1e-271
@pytest.mark.parametrize("tolerance", [None, 1e-2])
def test_the_unit_of_the_function_does_not_matter(rule: str, exponent: int, tolerance: float | None) -> None:
    factor = 2.0**exponent
    scaled = None if tolerance is None else tolerance * factor
    one = solved(NEEDLE, rule=rule, tolerance=tolerance, budget=2**14) if rule != "smolyak" else None
    problem = NEEDLE if rule != "smolyak" else wave(np.array([0.2]), 0.3, np.array([1.0]))
    one = one or solved(problem, rule=rule, tolerance=tolerance, budget=2**14)
    other = solved(problem.times(factor), rule=rule, tolerance=scaled, budget=2**14)
    assert other.points == one.points and other.rule == one.rule
    assert other.value == one.value * factor
    assert np.array_equal(other.gradient, one.gradient * factor)  # type: ignore[operator, arg-type]
    for error, expected in zip(stated(other), stated(one), strict=True):
        np.testing.assert_allclose(error, expected * factor, rtol=1e-14)


@pytest.mark.parametrize("factor", [2.0**-664, 2.0**332])
def test_the_unit_of_the_axes_does_not_matter(factor: float) -> None:
    def function(a: Array) -> Array:
        return np.asarray(np.cos(a[:, 0]))

    one = mollify(function, [0.2], 0.3, tolerance=1e-9)
    other = mollify(lambda a: function(a / factor), [0.2 * factor], 0.3 * factor, tolerance=1e-9)
    assert other.value == one.value and other.points == one.points
    assert other.gradient == one.gradient / factor  # type: ignore[operator]
    assert other.unseen_width == one.unseen_width * factor


@pytest.mark.parametrize("tolerance", [None, 1e-4])
def test_an_offset_costs_its_round_off_only(tolerance: float | None) -> None:
    for problem in (NEEDLE, step(np.array([0.3, 0.1]), 0.5, np.array([0.6, 0.8]), 0.1), random_problem(4)):
        try:
            plain = solved(problem, tolerance=tolerance)
        except ResourceError:
            with pytest.raises(ResourceError):
                solved(problem.times(1.0, 1e9), tolerance=tolerance)
            continue
        moved = solved(problem.times(1.0, 1e9), tolerance=tolerance)
        assert moved.rule == plain.rule
        # 18 eps of the mean of |f|, as no tolerance may be below
        assert abs(moved.value - 1e9 - plain.value) < 18 * 2.3e-16 * 1e9
        assert stated(moved)[0] >= abs(moved.value - problem.value - 1e9) / 1.8


def test_single_precision_bounds_what_can_be_stated() -> None:
    problem = plus(wave(np.array([0.3]), 0.4, np.array([2.0])), Problem(*constant(100.0)))

    def single(a: Array) -> Array:
        return np.asarray(problem.function(a).astype(np.float32))

    result = mollify(single, problem.mu, problem.sigma)
    assert result.error_estimate is not None
    # 100 is rounded to 2^-18: half a unit in the last place of each value
    assert abs(result.value - problem.value) <= 2.0**-18 < result.error_estimate < 1e-4
    with pytest.raises(OptionError, match=r"(?s)below rounding error.*precision of its values.*float64"):
        mollify(single, problem.mu, problem.sigma, tolerance=1e-8)
    assert mollify(single, problem.mu, problem.sigma, tolerance=1e-3).value == pytest.approx(problem.value, abs=1e-3)


def constant(value: float) -> tuple[Function, Array, float, float, Array]:
    return lambda a: np.full(len(a), value), np.array([0.3]), 0.4, value, np.zeros(1)


@pytest.mark.parametrize("dimensions", [1, 2, 4, 5, 20])
@pytest.mark.parametrize("budget", [40, 100, 256, 1000, 2**15])
@pytest.mark.parametrize("tolerance", [None, 1e-2, 1e-9])
def test_the_budget_is_kept(dimensions: int, budget: int, tolerance: float | None) -> None:
    seen = 0

    def counting(a: Array) -> Array:
        nonlocal seen
        seen += len(a)
        return np.asarray(np.abs(a).sum(axis=1) / dimensions)

    try:
        result = mollify(counting, np.full(dimensions, 0.1), 0.5, budget=budget, tolerance=tolerance)
    except (ResourceError, OptionError, ValueError):
        assert seen <= budget
    else:
        assert seen == result.points <= budget
        if tolerance is not None:  # a fair share: a quarter, rounded down to a power of two
            assert seen > budget // 8 or budget < 256


@pytest.mark.parametrize("after", [0, 10, 64, 65, 66, 67, 68, 70])  # random points take 64 calls
@pytest.mark.parametrize("tolerance", [None, 1e-9])
def test_errors_of_the_function_come_through_at_every_stage(after: int, tolerance: float | None) -> None:
    class Mine(Exception):
        pass

    calls = 0

    def failing(a: Array) -> Array:
        nonlocal calls
        calls += 1
        if calls > after:
            raise Mine
        return np.abs(a[:, 0] - 0.1)

    with pytest.raises(Mine):
        mollify(failing, [0.0], 0.3, tolerance=tolerance, budget=2**17)


def test_smooth_functions_of_more_variables_go_to_a_sparse_grid() -> None:
    """Random points alone do not come near such a tolerance."""
    for dimensions in (4, 5, 6):
        mu = np.full(dimensions, 0.1)
        problem = bump(mu, 0.2, np.zeros(dimensions), 1.0, 1.0)
        result = solved(problem, tolerance=1e-8)
        assert result.rule == "smolyak" and abs(result.value - problem.value) < 1e-8
        with pytest.raises(ResourceError):
            solved(problem, rule="montecarlo", tolerance=1e-8)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_mean_is_the_same_in_turned_coordinates(dimensions: int) -> None:
    """What confirms a rule integrates the same, value and score moments."""
    rng = np.random.default_rng(dimensions)
    problem = bump(np.full(dimensions, 0.2), 0.3, np.zeros(dimensions), 0.7, 2.0)
    inner = Integrand(
        problem.function, problem.mu[np.newaxis], 0.3 * np.eye(dimensions), gradient=True, vectorized=True
    )
    turn = np.linalg.qr(rng.normal(size=(dimensions, dimensions)))[0]
    turned = _Turned(inner, turn, 0.4 * direction(rng, dimensions), np.array([0.7]))
    estimate = rules.get("hermite")().apply(turned, 24, 0)
    value, score = turned.back(estimate)
    assert score is not None
    assert abs(value[0] - problem.value) < 1e-12
    assert np.abs(score[0] - 0.3 * problem.gradient).max() < 1e-12
    assert inner.evaluations == 24**dimensions + 23**dimensions
