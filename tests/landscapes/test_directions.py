"""Directions through parameters: orthonormal, filter by filter of the right norm, along the path of training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heatpg.errors import GridError, NonFiniteError, OptionError
from heatpg.landscapes.directions import (
    Directions,
    filter_normalised,
    flatten,
    gradient_direction,
    principal_directions,
    project_covariance,
    random_directions,
    unflatten,
)

SHAPES = {"first": (4, 3), "bias": (4,), "kernel": (2, 3, 2, 2), "scale": ()}
SIZE = 12 + 4 + 24 + 1
DIFFERENT: list[Any] = [np.ones(2), np.ones(1)]


def test_flatten_and_back(rng: np.random.Generator) -> None:
    arrays = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
    vector, shapes = flatten(arrays)
    assert shapes == SHAPES
    assert vector.shape == (SIZE,)
    again = unflatten(vector, shapes)
    assert isinstance(again, dict)
    assert list(again) == list(SHAPES)
    assert all(np.array_equal(again[name], arrays[name]) for name in SHAPES)
    listed = unflatten(*flatten(list(arrays.values())))
    assert isinstance(listed, list)
    assert all(np.array_equal(a, b) for a, b in zip(listed, arrays.values(), strict=True))
    vector[0] = 99.0
    assert arrays["first"].ravel()[0] != 99.0


def test_random_directions_are_orthonormal_and_repeatable() -> None:
    found = random_directions(50, 3, seed=4)
    np.testing.assert_allclose(found.vectors @ found.vectors.T, np.eye(3), atol=1e-15)
    assert np.array_equal(found.vectors, random_directions(np.zeros(50), 3, seed=4).vectors)
    assert not np.array_equal(found.vectors, random_directions(50, 3, seed=5).vectors)
    assert (found.kind, found.seed, len(found)) == ("random", 4, 3)
    # the first is the Gaussian vector itself, made short
    first = np.random.default_rng(4).standard_normal((3, 50))[0]
    np.testing.assert_allclose(found.vectors[0], first / np.linalg.norm(first), rtol=1e-14)


def test_every_filter_has_the_norm_of_the_parameters(rng: np.random.Generator) -> None:
    theta = rng.normal(size=SIZE)
    theta[3:6] = 0.0
    given = random_directions(theta, 2, seed=0)
    scaled = filter_normalised(given, theta, SHAPES)
    assert (scaled.kind, scaled.seed) == ("filter-normalised", 0)
    for vector, before in zip(scaled.vectors, given.vectors, strict=True):
        new, old, parameters = unflatten(vector, SHAPES), unflatten(before, SHAPES), unflatten(theta, SHAPES)
        assert isinstance(new, dict) and isinstance(old, dict) and isinstance(parameters, dict)
        for name in ("first", "kernel"):
            for filter_new, filter_old, filter_theta in zip(new[name], old[name], parameters[name], strict=True):
                assert np.linalg.norm(filter_new) == pytest.approx(np.linalg.norm(filter_theta), rel=1e-14)
                if np.linalg.norm(filter_theta) > 0:  # longer or shorter, never turned
                    factor = np.linalg.norm(filter_theta) / np.linalg.norm(filter_old)
                    np.testing.assert_allclose(filter_new, factor * filter_old, rtol=1e-14)
        assert np.linalg.norm(new["bias"]) == pytest.approx(np.linalg.norm(parameters["bias"]), rel=1e-14)
        assert abs(new["scale"]) == pytest.approx(abs(parameters["scale"]), rel=1e-14)
    still = filter_normalised(given, theta, SHAPES, vectors="zero").vectors
    assert not still[:, 12:16].any() and not still[:, -1].any()
    assert np.array_equal(still[:, :12], scaled.vectors[:, :12])


def test_filters_that_are_zero_in_a_direction_stay_zero() -> None:
    scaled = filter_normalised([[0.0, 0.0, 1.0, 1.0]], [1.0, 2.0, 3.0, 4.0], [(2, 2)]).vectors
    np.testing.assert_allclose(scaled, [[0.0, 0.0, 5 / np.sqrt(2), 5 / np.sqrt(2)]], rtol=1e-15)


def test_principal_directions_hold_a_plane_path(rng: np.random.Generator) -> None:
    plane = random_directions(30, 2, seed=2).vectors
    places = np.column_stack([np.linspace(-5.0, 3.0, 12), rng.normal(size=12)])
    checkpoints = rng.normal(size=30) + places @ plane
    found = principal_directions(checkpoints, 2)
    assert found.coordinates is not None and found.explained is not None
    np.testing.assert_allclose(found.vectors @ found.vectors.T, np.eye(2), atol=1e-14)
    np.testing.assert_allclose(checkpoints[-1] + found.coordinates @ found.vectors, checkpoints, atol=1e-12)
    np.testing.assert_allclose(found.explained.sum(), 1.0, rtol=1e-12)
    assert found.explained[0] > found.explained[1]
    assert not found.coordinates[-1].any()
    assert (found.coordinates[0] >= 0).all()


def test_explained_is_a_share_of_squared_distances_from_the_last() -> None:
    found = principal_directions([[3.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]], 2)
    assert found.explained is not None
    np.testing.assert_allclose(found.explained, [9 / 14, 4 / 14], rtol=1e-14)
    np.testing.assert_allclose(found.vectors, [[1, 0, 0], [0, 1, 0]], atol=1e-15)


def test_the_gradient_comes_first(rng: np.random.Generator) -> None:
    gradient = 1e200 * rng.normal(size=20)
    found = gradient_direction(gradient, 3, seed=1)
    np.testing.assert_allclose(found.vectors @ found.vectors.T, np.eye(3), atol=1e-15)
    assert found.vectors[0] @ (gradient / 1e200) == pytest.approx(np.linalg.norm(gradient / 1e200), rel=1e-14)
    assert (found.kind, found.seed) == ("gradient", 1)
    assert gradient_direction(gradient, 1).seed is None


def test_lengths_and_cosines() -> None:
    found = Directions(np.array([[3.0, 4.0], [1.0, 0.0]]))
    np.testing.assert_allclose(found.lengths, [5.0, 1.0])
    np.testing.assert_allclose(found.cosines, [[1.0, 0.6], [0.6, 1.0]])


def test_torch_parameters_are_flattened() -> None:
    torch: Any = pytest.importorskip("torch")
    layer = torch.nn.Linear(3, 2)
    vector, shapes = flatten(layer.state_dict())
    assert shapes == {"weight": (2, 3), "bias": (2,)}
    expected = torch.nn.utils.parameters_to_vector(layer.parameters()).detach().numpy()
    assert np.array_equal(vector, expected.astype(float))
    assert np.array_equal(flatten(list(layer.parameters()))[0], vector)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: flatten({}), OptionError, "parameters is empty"),
        (lambda: flatten({"a": ["x"]}), OptionError, "'a' must be real numbers"),
        (lambda: flatten([np.array([1.0, np.nan])]), NonFiniteError, "index"),
        (lambda: unflatten([1.0, 2.0], [(3,)]), GridError, "3 numbers"),
        (lambda: random_directions(3, 4), OptionError, "1 to 3"),
        (lambda: random_directions(3, 0), OptionError, "1 to 3"),
        (lambda: random_directions(3, True), OptionError, "1 to 3"),
        (lambda: random_directions(3, 1, seed=-1), OptionError, ">= 0"),
        (lambda: random_directions([[1.0]], 1), GridError, "(parameters,)"),
        (lambda: random_directions([], 1), GridError, "(parameters,)"),
        (lambda: filter_normalised([[1.0, 2.0]], [1.0], [(1,)]), GridError, "differ in size"),
        (lambda: filter_normalised([[1.0, 2.0]], [1.0, 1.0], [(3,)]), GridError, "differ in size"),
        (lambda: filter_normalised([[1.0]], [0.0], [(1,)]), OptionError, "not be zero"),
        (lambda: filter_normalised([[1.0]], [1.0], [(1,)], vectors="other"), OptionError, "'scale' or 'zero'"),
        (lambda: principal_directions([[1.0, 2.0]]), OptionError, "at least 2 checkpoints"),
        (lambda: principal_directions(DIFFERENT), GridError, "differ in size"),
        (lambda: principal_directions([[1.0, 2.0], [1.0, 2.0]], 1), OptionError, "0\n  expected: checkpoints"),
        (lambda: principal_directions([[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]], 2), OptionError, "2 of 1"),
        (lambda: gradient_direction([0.0, 0.0]), OptionError, "gradient is zero"),
        (lambda: gradient_direction([np.inf, 0.0]), NonFiniteError, "not finite"),
        (lambda: Directions(np.zeros((1, 3))), OptionError, "direction 1 of 1"),
        (lambda: Directions(np.eye(3)[:, :2]), OptionError, "(3, 2) looks transposed"),
        (lambda: filter_normalised(np.ones((3, 1)), np.ones(3), [(3,)]), GridError, "(3, 1) looks transposed"),
        (lambda: Directions(np.ones(3)), GridError, "(count, parameters)"),
        (lambda: Directions("text"), OptionError, "must be real numbers"),  # type: ignore[arg-type]
    ],
)
def test_what_does_not_fit_is_refused(call: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert words in str(caught.value)


def random_covariance(size: int, seed: int) -> Any:
    factor = np.random.default_rng(seed).standard_normal((size, size))
    return factor @ factor.T + 0.1 * np.eye(size)


def test_a_projected_covariance_is_what_the_other_parameters_do_not_tell() -> None:
    """Along components it is the Schur complement; otherwise, the same after a turn of the whole space."""
    sigma = random_covariance(7, 0)
    kept, others = [4, 1], [0, 2, 3, 5, 6]
    schur = sigma[np.ix_(kept, kept)] - sigma[np.ix_(kept, others)] @ np.linalg.solve(
        sigma[np.ix_(others, others)], sigma[np.ix_(others, kept)]
    )
    axes = np.eye(7)[kept]
    np.testing.assert_allclose(project_covariance(sigma, axes), schur, rtol=1e-12)
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((7, 7)))[0]
    np.testing.assert_allclose(project_covariance(turn @ sigma @ turn.T, axes @ turn.T), schur, rtol=1e-12)
    # larger than along a plane that the covariance does not leave as it is
    assert (np.linalg.eigvalsh(axes @ sigma @ axes.T - schur) > 0).all()
    # in other units of the directions, oblique ones too: x = T y
    oblique = np.array([[2.0, 0.0], [3.0, 0.5]])
    back = np.linalg.inv(oblique.T)
    np.testing.assert_allclose(project_covariance(sigma, oblique @ axes), back @ schur @ back.T, rtol=1e-12)


def test_the_two_parts_of_a_noise_are_independent_and_make_the_whole() -> None:
    sigma, rows = random_covariance(6, 2), np.random.default_rng(3).standard_normal((2, 6))
    a = project_covariance(sigma, rows)
    rest = sigma - rows.T @ a @ rows
    # a = A V^T Sigma^-1 n and b = n - V a: Cov(a, b) = A V^T - A V^T Sigma^-1 V A V^T
    take = a @ rows @ np.linalg.inv(sigma)
    np.testing.assert_allclose(take @ sigma @ (np.eye(6) - rows.T @ take).T, np.zeros((2, 6)), atol=1e-12)
    eigenvalues = np.linalg.eigvalsh(rest)
    # of rank 6 - 2, and a covariance
    assert np.abs(eigenvalues[:2]).max() < 1e-12 * eigenvalues[-1] and eigenvalues[2] > 0


def test_variances_alone_and_bad_covariances() -> None:
    rows, variances = np.random.default_rng(3).standard_normal((2, 5)), np.array([1.0, 4.0, 0.25, 2.0, 9.0])
    expected = np.linalg.inv((rows / variances) @ rows.T)
    np.testing.assert_allclose(project_covariance(variances, rows), expected, rtol=1e-12)
    np.testing.assert_allclose(project_covariance(np.diag(variances), rows), expected, rtol=1e-12)
    unit = random_directions(1000, 2, seed=0)
    np.testing.assert_allclose(project_covariance(0.3, unit), 0.3 * np.eye(2), atol=1e-15)
    with pytest.raises(GridError, match="wrong shape"):
        project_covariance(np.eye(4), rows)
    for bad in (-1.0, np.diag([1.0, 1.0, 1.0, 1.0, -1.0]), np.triu(np.ones((5, 5)))):
        with pytest.raises(OptionError, match="symmetric positive definite"):
            project_covariance(bad, rows)
    with pytest.raises(OptionError, match="linearly independent"):
        project_covariance(1.0, np.array([[1.0, 2.0], [2.0, 4.0]]))
    with pytest.raises(NonFiniteError):
        project_covariance(np.full(5, np.nan), rows)
