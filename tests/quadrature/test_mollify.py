"""`mollify` against closed forms, against evolve, and against what callers get wrong."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr

from heatpg import Axis, Grid, Landscape, evolve
from heatpg.errors import (
    GridError,
    NonFiniteError,
    OptionError,
    ResourceError,
    SigmaError,
    UnknownNameError,
    UnsupportedError,
)
from heatpg.quadrature import Mollified, mollify, rules
from heatpg.quadrature.hermite import Hermite

Array = NDArray[Any]


def bowl(points: Array) -> Array:
    return np.asarray(np.exp(-0.5 * (points**2).sum(axis=-1)))


def gaussian_case(dimensions: int, noise: float = 0.15) -> tuple[Any, Array, Array, float, Array]:
    """A Gaussian of full width matrix W, a centre and a full covariance S; L and its gradient in closed form."""
    rng = np.random.default_rng(dimensions)
    a, b = rng.normal(size=(2, dimensions, dimensions))
    covariance = noise * (a @ a.T) / dimensions + 0.1 * noise * np.eye(dimensions)
    width = b @ b.T / dimensions + np.eye(dimensions)
    mu, inverse = 0.3 * rng.normal(size=dimensions), np.linalg.inv(width)
    total = np.linalg.inv(width + covariance)
    value = math.sqrt(np.linalg.det(width) * np.linalg.det(total)) * math.exp(-0.5 * mu @ total @ mu)

    def function(points: Array) -> Array:
        return np.asarray(np.exp(-0.5 * np.einsum("ni,ij,nj->n", points, inverse, points)))

    return function, mu, covariance, value, -value * total @ mu


def within(result: Mollified, value: Any, gradient: Any, errors: float = 4.5) -> None:
    assert result.standard_error is not None and result.gradient_standard_error is not None
    assert result.gradient is not None
    assert (np.abs(result.value - value) <= errors * result.standard_error).all()
    assert (np.abs(result.gradient - gradient) <= errors * result.gradient_standard_error).all()


@pytest.mark.parametrize(("rule", "tolerance"), [("hermite", 1e-14), ("smolyak", 1e-14), ("montecarlo", 2e-5)])
def test_a_cosine_is_damped_by_its_wavenumber(rule: str, tolerance: float) -> None:
    k, sigma, mu = np.array([1.0, -2.0]), np.array([0.5, 0.4]), np.array([0.3, 0.7])
    damping = math.exp(-((k * sigma) ** 2).sum() / 2)
    result = mollify(lambda a: np.cos(a @ k), mu, sigma, rule)
    assert abs(result.value - damping * math.cos(k @ mu)) < tolerance
    assert result.gradient is not None
    assert np.abs(result.gradient + damping * math.sin(k @ mu) * k).max() < 50 * tolerance


@pytest.mark.parametrize("rule", ["hermite", "smolyak", "montecarlo"])
def test_a_quadratic_loses_half_the_trace(rule: str) -> None:
    a = np.array([[2.0, 0.5], [0.5, 1.0]])
    covariance, mu = np.array([[0.3, 0.1], [0.1, 0.2]]), np.array([0.4, -0.2])
    result = mollify(lambda x: -0.5 * np.einsum("ni,ij,nj->n", x, a, x), mu, covariance, rule)
    exact = -0.5 * mu @ a @ mu - 0.5 * np.trace(a @ covariance)
    if rule == "montecarlo":
        within(result, exact, -a @ mu)
    else:
        assert result.gradient is not None
        assert abs(result.value - exact) < 1e-14
        assert np.abs(result.gradient + a @ mu).max() < 1e-13


@pytest.mark.parametrize(
    ("dimensions", "rule", "bound"),
    [
        *((d, "hermite", b) for d, b in [(1, 1e-14), (2, 1e-14), (5, 1e-10)]),
        *((d, "smolyak", b) for d, b in [(1, 1e-14), (2, 1e-14), (5, 1e-12), (10, 1e-5), (20, 2e-2)]),
    ],
)
def test_gaussians_with_full_covariance(dimensions: int, rule: str, bound: float) -> None:
    function, mu, covariance, value, gradient = gaussian_case(dimensions)
    result = mollify(function, mu, covariance, rule)
    assert result.gradient is not None
    assert result.error_estimate is not None and result.gradient_error_estimate is not None
    assert result.standard_error is None and result.gradient_standard_error is None
    assert abs(result.value - value) < bound * value
    assert np.abs(result.gradient - gradient).max() < 20 * bound * np.abs(gradient).max()
    # the estimates are of a coarser rule, so here, where the rules converge, they cover the errors
    assert abs(result.value - value) < result.error_estimate + 1e-14
    assert np.linalg.norm(result.gradient - gradient) < np.linalg.norm(result.gradient_error_estimate) + 1e-13


@pytest.mark.parametrize("dimensions", [1, 2, 5, 10, 20])
def test_gaussians_by_montecarlo(dimensions: int) -> None:
    function, mu, covariance, value, gradient = gaussian_case(dimensions)
    result = mollify(function, mu, covariance, "montecarlo", samples=1024)
    within(result, value, gradient)
    assert result.error_estimate is None and result.gradient_error_estimate is None
    assert result.standard_error is not None and result.standard_error < 1e-3 * value


@pytest.mark.parametrize("dimensions", [1, 3, 20])
def test_a_step_by_montecarlo(dimensions: int) -> None:
    mu, sigma = np.full(dimensions, 0.3), 0.5
    result = mollify(lambda a: a[:, 0] > 0, mu, sigma, "montecarlo", samples=1024)
    slope = np.zeros(dimensions)
    slope[0] = math.exp(-0.5 * 0.36) / math.sqrt(2 * math.pi) / sigma
    within(result, ndtr(0.6), slope)
    assert result.standard_error is not None and 0 < result.standard_error < 2e-3


def test_the_gradient_is_that_of_the_value() -> None:
    def function(a: Array) -> Array:
        return np.asarray(np.sin(a[:, 0] * a[:, 1]) + a[:, 1] ** 3)

    mu, covariance, h = np.array([0.4, -0.6]), np.array([[0.2, 0.05], [0.05, 0.1]]), 1e-4
    shifts = h * np.concatenate([np.eye(2), -np.eye(2)])
    gradient = mollify(function, mu, covariance, "hermite", points=40).gradient
    ends = mollify(function, mu + shifts, covariance, "hermite", points=40).value
    assert gradient is not None
    assert np.abs(gradient - (ends[:2] - ends[2:]) / (2 * h)).max() < 1e-7


def test_agrees_with_evolve_at_a_node() -> None:
    def function(x: Array, y: Array) -> Array:
        return np.asarray(np.exp(np.sin(x) + 0.5 * np.cos(2 * y) + 0.3 * np.sin(x + y)))

    grid = Grid(*(Axis(name, 0.0, 2 * np.pi, 96, boundary="periodic") for name in ("x", "y")))
    flow = evolve(Landscape.from_function(function, grid), [[0.4, 0.3]], solver="spectral", checks="none")
    nodes = [(5, 17), (40, 60), (95, 0)]
    mu = [[grid[0].coordinates[i], grid[1].coordinates[j]] for i, j in nodes]
    result = mollify(lambda a: function(a[:, 0], a[:, 1]), mu, [0.4, 0.3], "hermite", points=40)
    assert result.gradient is not None
    assert np.abs(result.value - [flow.values[0][node] for node in nodes]).max() < 1e-10
    slopes = np.stack([[part[node] for node in nodes] for part in flow.gradient(0)], axis=-1)
    assert np.abs(result.gradient - slopes).max() < 1e-10


def test_rules_agree() -> None:
    def function(a: Array) -> Array:
        return np.asarray(np.cos(a.sum(axis=1)) + np.exp(-(a[:, 0] ** 2)) * a[:, 1])

    mu, covariance = np.array([0.1, 0.2, -0.3]), 0.1 * np.array([[1.0, 0.3, 0.0], [0.3, 1.0, 0.2], [0.0, 0.2, 0.5]])
    tensor, sparse, sampled = (mollify(function, mu, covariance, rule) for rule in ("hermite", "smolyak", "montecarlo"))
    assert tensor.gradient is not None and sparse.gradient is not None
    assert abs(tensor.value - sparse.value) < 1e-12
    assert np.abs(tensor.gradient - sparse.gradient).max() < 1e-11
    within(sampled, tensor.value, tensor.gradient)


@pytest.mark.parametrize("rule", ["hermite", "smolyak", "montecarlo"])
def test_sigma_as_number_vector_and_covariance(rule: str) -> None:
    mu = [[0.1, 0.2], [0.5, -0.5]]
    results = [mollify(bowl, mu, s, rule, budget=4096) for s in (0.3, [0.3, 0.3], np.diag([0.09, 0.09]))]
    for one, other in itertools.pairwise(results):
        assert one.gradient is not None and other.gradient is not None
        assert np.allclose(one.value, other.value, rtol=1e-14, atol=0)
        assert np.allclose(one.gradient, other.gradient, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("rule", ["hermite", "smolyak", "montecarlo"])
def test_many_centres_are_single_ones(rule: str) -> None:
    mu = np.random.default_rng(0).normal(size=(7, 2))
    together = mollify(bowl, mu, [0.3, 0.6], rule, budget=4096)
    assert together.value.shape == (7,) and together.gradient is not None and together.gradient.shape == (7, 2)
    for i, centre in enumerate(mu):
        alone = mollify(bowl, centre, [0.3, 0.6], rule, budget=4096)
        assert alone.value.shape == () and alone.gradient is not None and alone.gradient.shape == (2,)
        assert alone.points == together.points <= 4096
        assert abs(alone.value - together.value[i]) < 1e-14
        assert np.abs(alone.gradient - together.gradient[i]).max() < 1e-13


@pytest.mark.parametrize("rule", ["hermite", "smolyak", "montecarlo"])
def test_more_centres_than_points_fit_one_call(rule: str) -> None:
    mu = np.linspace(-1, 1, 40000)[:, np.newaxis]
    result = mollify(bowl, mu, 0.5, rule, budget=256)
    assert np.abs(result.value - np.exp(-(mu[:, 0] ** 2) / 2.5) / math.sqrt(1.25)).max() < (
        0.05 if rule == "montecarlo" else 1e-10
    )


@pytest.mark.parametrize("rule", ["hermite", "smolyak", "montecarlo"])
def test_points_are_the_evaluations_and_within_the_budget(rule: str) -> None:
    seen = 0

    def counting(a: Array) -> Array:
        nonlocal seen
        seen += len(a)
        return bowl(a)

    result = mollify(counting, [0.0, 0.1, 0.2], 0.3, rule, budget=2000)
    assert seen == result.points <= 2000


@pytest.mark.parametrize("rule", ["hermite", "smolyak", "montecarlo"])
def test_one_point_at_a_time(rule: str) -> None:
    def one(point: Array) -> float:
        assert point.shape == (2,)
        point *= 1.0
        return float(np.exp(-0.5 * point @ point))

    single = mollify(one, [0.1, 0.2], 0.4, rule, vectorized=False, budget=500)
    many = mollify(bowl, [0.1, 0.2], 0.4, rule, budget=500)
    assert single.gradient is not None and many.gradient is not None
    assert abs(single.value - many.value) < 1e-15
    assert np.abs(single.gradient - many.gradient).max() < 1e-14


@pytest.mark.parametrize("rule", ["hermite", "smolyak", "montecarlo"])
@pytest.mark.parametrize("vectorized", [True, False])
def test_a_function_may_write_into_its_argument(rule: str, vectorized: bool) -> None:
    def vandal(a: Array) -> Array:
        result = bowl(a)
        a[...] = np.nan
        return result

    mu = np.array([0.1, 0.2])
    result = mollify(vandal, mu, 0.4, rule, budget=500, vectorized=vectorized)
    clean = mollify(bowl, mu, 0.4, rule, budget=500, vectorized=vectorized)
    assert result.value == clean.value and mu.tolist() == [0.1, 0.2]
    assert np.array_equal(result.gradient, clean.gradient)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["bool", "int8", "uint8", "float32"])
def test_all_real_types_are_taken(kind: str) -> None:
    result = mollify(lambda a: (a[:, 0] > 0).astype(kind), [0.0], 0.3, "montecarlo", samples=64)
    assert result.value == pytest.approx(0.5) and result.value.dtype == np.float64


@pytest.mark.parametrize("rule", ["hermite", "smolyak", "montecarlo"])
def test_without_gradient(rule: str) -> None:
    result = mollify(bowl, [0.1, 0.2], 0.4, rule, gradient=False, budget=500)
    full = mollify(bowl, [0.1, 0.2], 0.4, rule, budget=500)
    assert result.gradient is result.gradient_standard_error is result.gradient_error_estimate is None
    assert result.value == full.value


@pytest.mark.parametrize("rule", ["auto", "hermite", "smolyak", "montecarlo"])
def test_no_noise_gives_the_function_back(rule: str) -> None:
    mu = np.array([[0.1, 0.2], [0.3, 0.4]])
    result = mollify(bowl, mu, 0.0, rule, gradient=False)
    assert np.array_equal(result.value, bowl(mu))
    assert result.points == 1 and "f(mu)" in result.reason


@pytest.mark.parametrize("rule", ["hermite", "smolyak", "montecarlo"])
def test_noise_along_some_axes_only(rule: str) -> None:
    result = mollify(lambda a: a[:, 0] ** 2 + 10 * a[:, 1], [1.0, 2.0, 3.0], [0.5, 0.0, 0.0], rule, gradient=False)
    assert abs(result.value - 21.25) < (1e-3 if rule == "montecarlo" else 1e-13)


def test_small_noise_keeps_the_gradient_by_montecarlo() -> None:
    """Without the pairs, or a baseline, the standard error grows like f / sigma: 1e6 and more here."""
    for sigma in (1e-2, 1e-4, 1e-6):
        result = mollify(lambda a: 5.0 + np.sin(a).sum(axis=1), [0.3, 0.4], sigma, "montecarlo", samples=256)
        assert result.gradient is not None and result.gradient_standard_error is not None
        assert result.gradient_standard_error.max() < 1e-2
        assert np.abs(result.gradient - np.cos([0.3, 0.4])).max() < 2e-2


def test_auto_says_what_it_picked_and_why() -> None:
    small, large = (mollify(bowl, np.zeros(d), 0.3) for d in (4, 5))
    assert small.rule == "hermite" and "agrees with 32768 random points" in small.reason
    assert large.rule == "montecarlo" and "more than half of budget" in large.reason and "smoothness" in large.reason
    assert mollify(bowl, np.zeros(4), 0.3, budget=4096).rule == "montecarlo"
    assert "too small to compare" in mollify(bowl, [0.0], 0.3, budget=100).reason
    assert "requested" in mollify(bowl, [0.0], 0.3, "hermite").reason


def test_a_rule_object_is_taken() -> None:
    assert mollify(bowl, [0.0], 0.3, Hermite(points=5)).points == 9


@pytest.mark.parametrize(("rule", "tolerance"), [("hermite", 1e-10), ("smolyak", 1e-8), ("montecarlo", 1e-4)])
def test_a_tolerance_is_met_with_few_points(rule: str, tolerance: float) -> None:
    function, mu, covariance, value, gradient = gaussian_case(3)
    result = mollify(function, mu, covariance, rule, tolerance=tolerance)
    full = mollify(function, mu, covariance, rule)
    assert abs(result.value - value) < 2 * tolerance
    assert result.gradient is not None
    assert np.abs(np.linalg.cholesky(covariance).T @ (result.gradient - gradient)).max() < 2 * tolerance
    assert result.points < full.points


@pytest.mark.parametrize("rule", ["hermite", "smolyak", "montecarlo"])
def test_a_tolerance_out_of_reach(rule: str) -> None:
    seen = 0

    def jump(a: Array) -> Array:
        nonlocal seen
        seen += len(a)
        return np.sign(a[:, 0] - 0.1)

    with pytest.raises(ResourceError, match=r"(?s)did not reach tolerance=.* within budget=.*estimated error"):
        mollify(jump, [0.0, 0.0], 0.5, rule, tolerance=1e-9, budget=5000)
    assert 0 < seen <= 5000


def returning(value: Any) -> Any:
    return lambda a: value


def broken_at_the_right(a: Array) -> Array:
    return np.where(a[:, 0] > 0.5, np.nan, 1.0)


BAD: list[tuple[str, type[Exception], str, dict[str, Any]]] = [
    ("not callable", OptionError, "(?s)must be callable.*evolve", {"function": np.zeros(3)}),
    ("mu a number", GridError, r"(?s)shape \(\).*in one dimension pass \[mu\]", {"mu": 0.0}),
    ("mu of three axes", GridError, "wrong shape", {"mu": np.zeros((2, 2, 2))}),
    ("mu empty", GridError, r"shape \(0,\)", {"mu": []}),
    ("no centres", GridError, r"shape \(0, 2\)", {"mu": np.zeros((0, 2))}),
    ("mu ragged", OptionError, "(?s)rectangular array.*different lengths", {"mu": [[0.0], [0.0, 1.0]]}),
    ("mu complex", OptionError, "(?s)real numbers.*complex", {"mu": [1j, 0.0]}),
    ("mu text", OptionError, "real numbers", {"mu": ["a", "b"]}),
    ("mu NaN", NonFiniteError, "(?s)mu is not finite.*nan", {"mu": [np.nan, 0.0]}),
    ("sigma negative", SigmaError, "(?s)not be negative.*-0.3", {"sigma": [0.3, -0.3]}),
    ("sigma NaN", SigmaError, "(?s)finite.*nan", {"sigma": np.nan}),
    ("sigma infinite", SigmaError, "(?s)finite.*inf", {"sigma": [np.inf, 1.0]}),
    ("sigma of three axes", SigmaError, r"(?s)\(3,\).*\(2,\)", {"sigma": [0.1, 0.2, 0.3]}),
    ("sigma a rectangle", SigmaError, r"(?s)\(1, 2\).*\(2, 2\)", {"sigma": [[0.1, 0.2]]}),
    ("sigma complex", OptionError, "real", {"sigma": 1j}),
    ("sigma none", OptionError, "real", {"sigma": None}),
    ("sigma zero", SigmaError, "gradient=False", {"sigma": 0.0}),
    ("sigma zero on an axis", SigmaError, "(?s)axis 1.*gradient=False", {"sigma": [0.1, 0.0]}),
    ("sigma lost", SigmaError, "rounding error of mu along axis 1", {"mu": [0.0, 1e8], "sigma": 1e-8}),
    ("covariance skew", SigmaError, "must be symmetric", {"sigma": [[1.0, 0.5], [0.4, 1.0]]}),
    ("covariance indefinite", SigmaError, "(?s)positive definite.*-1", {"sigma": [[1.0, 2.0], [2.0, 1.0]]}),
    ("covariance singular", SigmaError, "positive definite", {"sigma": [[1.0, 1.0], [1.0, 1.0]]}),
    ("covariance zero", SigmaError, "positive definite", {"sigma": np.zeros((2, 2))}),
    ("rule unknown", UnknownNameError, "did you mean 'hermite'", {"rule": "hermit"}),
    ("option unknown", OptionError, "(?s)unknown option.*level.*expected: points", {"rule": "hermite", "level": 3}),
    ("option of auto", OptionError, "(?s)auto.*points.*'hermite'", {"points": 3}),
    ("option of an object", OptionError, "cannot be combined", {"rule": Hermite(), "points": 3}),
    ("points one", OptionError, "2 to 150", {"rule": "hermite", "points": 1}),
    ("points many", OptionError, "2 to 150", {"rule": "hermite", "points": 151}),
    ("points a fraction", OptionError, "(?s)whole number.*2.5", {"rule": "hermite", "points": 2.5}),
    ("level true", OptionError, "True", {"rule": "smolyak", "level": True}),
    ("level zero", OptionError, "1 to 64", {"rule": "smolyak", "level": 0}),
    (
        "samples odd",
        OptionError,
        "(?s)must be a power of two.*1000.*512, 1024",
        {"rule": "montecarlo", "samples": 1000},
    ),
    ("samples one", OptionError, "from 2 to", {"rule": "montecarlo", "samples": 1}),
    ("one randomisation", OptionError, ">= 2", {"rule": "montecarlo", "randomizations": 1}),
    ("seed negative", OptionError, "(?s)seed.*-1", {"seed": -1}),
    ("seed text", OptionError, "seed", {"seed": "a"}),
    ("budget zero", OptionError, "budget", {"budget": 0}),
    ("budget too small", UnsupportedError, "(?s)samples=2.*budget=10\n", {"rule": "montecarlo", "budget": 10}),
    ("tensor too large", UnsupportedError, "(?s)budget.*smolyak", {"rule": "hermite", "points": 99, "budget": 9999}),
    ("beyond hermite", UnsupportedError, "(?s)20 dimensions.*montecarlo", {"rule": "hermite", "mu": np.zeros(20)}),
    (
        "beyond smolyak",
        UnsupportedError,
        "(?s)level=7.*montecarlo",
        {"rule": "smolyak", "mu": np.zeros(20), "level": 7},
    ),
    ("tolerance zero", OptionError, "positive", {"tolerance": 0.0}),
    ("tolerance NaN", OptionError, "positive", {"tolerance": np.nan}),
    ("tolerance text", OptionError, "positive", {"tolerance": "small"}),
    ("tolerance below round-off", OptionError, "(?s)below rounding error.*>= ", {"tolerance": 1e-17}),
    ("returns NaN", NonFiniteError, r"(?s)not finite at \[0\.[5-9].*nan", {"function": broken_at_the_right}),
    ("returns infinity", NonFiniteError, "inf", {"function": lambda a: np.full(len(a), np.inf)}),
    ("returns a number", GridError, r"(?s)shape \(\).*vectorized=False", {"function": returning(1.0)}),
    ("returns a column", GridError, r"(?s), 1\).*one value per point", {"function": lambda a: a[:, :1]}),
    ("returns points", GridError, "wrong shape", {"function": lambda a: a}),
    ("returns None", OptionError, "(?s)real numbers.*NoneType", {"function": returning(None)}),
    ("returns complex", OptionError, "(?s)complex.*imaginary", {"function": lambda a: a[:, 0] * 1j}),
    ("returns objects", OptionError, "object", {"function": lambda a: np.full(len(a), None)}),
    ("returns masked", OptionError, "masked", {"function": lambda a: np.ma.masked_greater(a[:, 0], 0.1)}),
    (
        "returns the largest",
        NonFiniteError,
        "overflow",
        {"function": lambda a: 1.7e308 * np.sign(a[:, 0]), "mu": [0.0, 0.0], "sigma": 0.01},
    ),
    ("one point, array", GridError, "one number", {"function": lambda a: a, "vectorized": False}),
    ("one point, complex", OptionError, "complex", {"function": lambda a: 1j, "vectorized": False}),
    ("one point, NaN", NonFiniteError, "not finite at", {"function": lambda a: math.nan, "vectorized": False}),
]


@pytest.mark.parametrize(("kind", "match", "given"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_input(kind: type[Exception], match: str, given: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"function": bowl, "mu": [0.1, 0.2], "sigma": 0.3} | given
    with pytest.raises(kind, match=match) as caught:
        mollify(**arguments)
    assert type(caught.value) is kind


@pytest.mark.parametrize("rule", ["hermite", "smolyak", "montecarlo"])
@pytest.mark.parametrize("vectorized", [True, False])
def test_the_point_of_a_nan_is_where_the_function_was_called(rule: str, vectorized: bool) -> None:
    called = []

    def function(a: Array) -> Any:
        called.extend(np.atleast_2d(a).tolist())
        bad = np.atleast_2d(a)[:, 0] > 0.8
        values = np.where(bad, np.nan, 1.0)
        return values if vectorized else values[0]

    with pytest.raises(NonFiniteError) as caught:
        mollify(function, [[0.1, 0.2], [0.5, 0.1]], [[0.1, 0.05], [0.05, 0.2]], rule, vectorized=vectorized)
    assert str(next(point for point in called if point[0] > 0.8)) in str(caught.value)


@pytest.mark.parametrize("vectorized", [True, False])
def test_errors_of_the_function_come_through(vectorized: bool) -> None:
    error = KeyError("mine")

    def function(a: Array) -> Array:
        raise error

    with pytest.raises(KeyError) as caught:
        mollify(function, [0.0], 0.3, vectorized=vectorized)
    assert caught.value is error


def test_all_rules_are_tested_here() -> None:
    assert rules.names() == ["hermite", "montecarlo", "smolyak"]
