"""Correlated noise: closed forms, sums written out, what is refused, what the checks catch, and the file."""

from __future__ import annotations

import itertools
import json
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.fft
from numpy.typing import NDArray

import heatpg.solvers.covariance as module
import heatpg.tools.resources
import heatpg.verify.correlated as reference
from heatpg import Axis, Grid, Landscape, evolve, load, plot, save
from heatpg.cli import main
from heatpg.core.noise import parse_covariance
from heatpg.errors import CheckError, HeatpgWarning, ResourceError, SigmaError, StoreError, UnsupportedError
from heatpg.evolution import Evolution, solve
from heatpg.plot.words import sigma_label
from heatpg.solvers import solvers
from heatpg.solvers.covariance import CovarianceFlow, conditional_deviations, padded_shape
from heatpg.verify.correlated import density_sums, kernel_distance, window_points
from heatpg.verify.crosscheck import crosscheck, expected_error
from tests.references import face_rows

Array = NDArray[Any]

TILTED = np.array([[0.5, 0.3], [0.3, 0.4]])


def turned(angle: float, first: float, second: float) -> Array:
    """Covariance of standard deviations `first` and `second` along axes that are turned by an angle."""
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return np.asarray(rotation @ np.diag([first**2, second**2]) @ rotation.T)


def random_covariance(rng: np.random.Generator, dimensions: int, deviation: float) -> Array:
    factor = rng.standard_normal((dimensions, dimensions)) + 1.5 * np.eye(dimensions)
    covariance = factor @ factor.T
    covariance *= deviation**2 / conditional_deviations(covariance).min() ** 2
    return 0.5 * (covariance + covariance.T)


def box(boundary: str, sizes: tuple[int, ...], half: float = 8.0, **options: Any) -> Grid:
    return Grid(*(Axis(f"x{i}", -half, half, n, boundary=boundary, **options) for i, n in enumerate(sizes)))


def bump(grid: Grid, width: Array, center: Array) -> tuple[Array, Array]:
    """A Gaussian of this covariance and height one, and the distances from its centre."""
    distance = np.stack(grid.mesh()) - center.reshape(-1, *[1] * grid.dimensions)
    return np.exp(-0.5 * np.einsum("i...,ij,j...->...", distance, np.linalg.inv(width), distance)), distance


def spread(grid: Grid, width: Array, center: Array, covariance: Array) -> tuple[Array, Array]:
    """The bump after noise, and its gradient: the covariances add."""
    total = width + covariance
    shape, distance = bump(grid, total, center)
    u = shape * math.sqrt(np.linalg.det(width) / np.linalg.det(total))
    return u, -np.einsum("ij,j...->i...", np.linalg.inv(total), distance) * u


def summed(values: Array, grid: Grid, covariance: Array) -> Array:
    """The convolution with samples of the density, written out: pad, sum, crop."""
    reach = [math.ceil(9 * math.sqrt(covariance[i, i]) / axis.spacing) for i, axis in enumerate(grid)]
    for i, (axis, r) in enumerate(zip(grid, reach, strict=True)):
        if axis.boundary == "zero" and axis.nodes == "vertex":
            values = np.moveaxis(values.copy(), i, 0)
            values[[0, -1]] *= 0.5
            values = np.moveaxis(values, 0, i)
        if axis.faced:  # the values on the walls go on
            lower, upper = (np.tensordot(row, np.moveaxis(values, i, 0), axes=1) for row in face_rows(axis.size))
            shape = [r if j == i else n for j, n in enumerate(values.shape)]
            sides = [np.broadcast_to(np.expand_dims(value, i), shape) for value in (lower, upper)]
            values = np.concatenate((sides[0], values, sides[1]), axis=i)
            continue
        mode: Any = {"periodic": "wrap", "clip": "edge", "zero": "constant"}[axis.boundary]
        values = np.pad(values, [(r, r) if j == i else (0, 0) for j in range(grid.dimensions)], mode=mode)
    offsets = np.meshgrid(*(np.arange(-r, r + 1) * a.spacing for a, r in zip(grid, reach, strict=True)), indexing="ij")
    x = np.stack(offsets)
    density = np.exp(-0.5 * np.einsum("i...,ij,j...->...", x, np.linalg.inv(covariance), x))
    density /= density.sum()
    result = np.empty(grid.shape)
    for node in np.ndindex(grid.shape):
        result[node] = (
            values[tuple(slice(i, i + n) for i, n in zip(node, density.shape, strict=True))] * density
        ).sum()
    return result


@pytest.fixture
def grid() -> Grid:
    return Grid(Axis("x", 0.0, 1.0, 30, boundary="periodic"), Axis("y", 0.0, 2.0, 41, boundary="clip"))


@pytest.fixture
def landscape(grid: Grid, rng: np.random.Generator) -> Landscape:
    return Landscape(rng.standard_normal(grid.shape), grid, "noise")


@pytest.fixture
def covariances() -> Array:
    return np.array([[[0.02, 0.02], [0.02, 0.09]], [[0.03, -0.03], [-0.03, 0.12]]])


# Against closed forms


@pytest.mark.parametrize("boundary", ["periodic", "clip", "zero"])
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("angle", [0.0, 0.3, math.pi / 4, 2.0])
def test_the_covariance_of_a_bump_and_that_of_the_noise_add(boundary: str, nodes: Any, angle: float) -> None:
    plane = box(boundary, (128, 121), 16.0, nodes=nodes)
    width, center = turned(1.1, 0.9, 1.3), np.array([0.4, -0.3])
    covariance = turned(angle, 1.2, 0.6)
    flow = solve(Landscape(bump(plane, width, center)[0], plane), covariance=covariance)
    u, gradient = spread(plane, width, center, covariance)
    assert np.abs(flow.values[0] - u).max() <= 1e-14
    assert np.abs(flow.gradient(0) - gradient).max() <= 1e-13


def test_a_bump_in_three_dimensions() -> None:
    space = box("clip", (60, 65, 64), 10.0)
    wide = np.array([[1.0, 0.2, -0.1], [0.2, 1.1, 0.2], [-0.1, 0.2, 0.9]])
    covariance = np.array([[0.8, 0.5, -0.3], [0.5, 0.9, 0.1], [-0.3, 0.1, 0.6]])
    center = np.array([0.1, -0.2, 0.3])
    flow = solve(Landscape(bump(space, wide, center)[0], space), covariance=covariance)
    u, gradient = spread(space, wide, center, covariance)
    assert np.abs(flow.values[0] - u).max() <= 1e-13
    assert np.abs(flow.gradient(0) - gradient).max() <= 1e-12


@pytest.mark.parametrize("sizes", [(16, 16), (15, 17), (15, 16), (16, 15), (11, 12, 13), (12, 9, 10), (8, 9, 6, 7)])
def test_a_wave_keeps_its_shape(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(len(sizes))
    torus = Grid(*(Axis(f"x{i}", 0.0, 2 * np.pi, n, boundary="periodic") for i, n in enumerate(sizes)))
    covariance = random_covariance(rng, len(sizes), 0.3)
    for wave in ((1, -2, 1, 2), (2, 1, 0, -1), (0, 3, -1, 1)):
        k = np.array(wave[: len(sizes)], dtype=float)
        phase = np.tensordot(k, np.stack(torus.mesh()), 1) + 0.3
        flow = solve(Landscape(np.cos(phase), torus), covariance=covariance)
        damping = math.exp(-0.5 * k @ covariance @ k)
        assert np.abs(flow.values[0] - damping * np.cos(phase)).max() <= 1e-14
        assert np.abs(flow.gradient(0) + damping * np.multiply.outer(k, np.sin(phase))).max() <= 1e-13


def test_a_ridge_along_the_noise_is_spared() -> None:
    """Noise along the ridge u1 = u2 does not lower it, noise across it does: sqrt(w^2 / (w^2 + var(u1 - u2)))."""
    plane = Grid(Axis("u1", 0.0, 8.0, 128, boundary="periodic"), Axis("u2", 0.0, 8.0, 128, boundary="periodic"))
    u1, u2 = plane.mesh()
    difference = (u1 - u2 + 4.0) % 8.0 - 4.0
    ridge = Landscape(np.exp(-(difference**2) / (2 * 0.3**2)), plane)
    along, across = (0.25 * np.array([[1.0, s], [s, 1.0]]) for s in (0.9, -0.9))
    flow = solve(ridge, covariance=[along, across])
    for values, covariance in zip(flow.values, flow.covariance if flow.covariance is not None else [], strict=True):
        variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
        assert values.max() == pytest.approx(math.sqrt(0.3**2 / (0.3**2 + variance)), abs=1e-12)


# Against sums


@pytest.mark.parametrize(("first", "second"), [*itertools.product(["periodic", "clip", "zero"], repeat=2)])
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("deviation", [3.0, 4.5])
def test_edges_against_sums(first: str, second: str, nodes: Any, deviation: float, rng: np.random.Generator) -> None:
    """Rough data up to the edges, which the noise reaches from everywhere."""
    plane = Grid(
        Axis("x", 0.0, 1.0, 20, boundary=first, nodes=nodes), Axis("y", 0.0, 3.0, 17, boundary=second, nodes=nodes)
    )
    values = rng.standard_normal(plane.shape)
    spacing = np.array(plane.spacing)
    covariance = turned(0.7, deviation + 2, deviation) * np.multiply.outer(spacing, spacing)
    flow = solve(Landscape(values, plane), covariance=covariance)
    # face values of noise are larger than the cells, up to 5.75 times as large along each axis
    scale = 5.75 if any(axis.faced for axis in plane) else 1.0
    assert np.abs(flow.values[0] - summed(values, plane, covariance)).max() <= 3e-14 * scale


def test_edges_against_sums_in_three_dimensions(rng: np.random.Generator) -> None:
    space = Grid(*(Axis(b, 0.0, 8.0, 9, boundary=b) for b in ("periodic", "clip", "zero")))
    values = rng.standard_normal(space.shape)
    h = np.array(space.spacing)
    covariance = np.array([[5.0, 1.5, -1.0], [1.5, 5.5, 0.8], [-1.0, 0.8, 4.5]])
    covariance *= np.multiply.outer(h, h)
    flow = solve(Landscape(values, space), covariance=covariance)
    error = np.abs(flow.values[0] - summed(values, space, covariance)).max()
    assert error <= kernel_distance(space, covariance) * np.ptp(values) + 1e-14
    assert error <= 1e-8  # c = 2 h: the aliases of the samples


@pytest.mark.parametrize("boundary", ["periodic", "clip", "zero"])
def test_a_diagonal_covariance_is_one_sigma_per_axis(boundary: str, rng: np.random.Generator) -> None:
    plane = box(boundary, (40, 33), 1.0)
    values = rng.standard_normal(plane.shape)
    # flat up to the ends, and 0 there: in free space only `spectral` corrects what is not
    values[:4] = values[-4:] = values[:, :4] = values[:, -4:] = 0.0
    landscape = Landscape(values, plane)
    sigma = np.array([[0.3, 0.2], [0.15, 0.4]])
    each = solve(landscape, sigma, "spectral")
    full = solve(landscape, covariance=[np.diag(s**2) for s in each.sigma])
    assert np.abs(full.sigma - each.sigma).max() <= 1e-16
    assert np.abs(full.values - each.values).max() <= 1e-12
    assert np.abs(full.gradient() - each.gradient()).max() <= 1e-12


def test_below_the_resolution_of_a_periodic_grid_too(rng: np.random.Generator) -> None:
    """Waves at Nyquist included, of which a diagonal covariance damps both signs alike."""
    plane = box("periodic", (16, 12), 1.0)
    landscape = Landscape(rng.standard_normal(plane.shape), plane)
    each = solve(landscape, [[0.02, 0.03]], "spectral")
    full = solve(landscape, covariance=np.diag([0.02**2, 0.03**2]))
    assert np.abs(full.values - each.values).max() <= 1e-13
    assert np.abs(full.gradient() - each.gradient()).max() <= 1e-11


@pytest.mark.parametrize("sizes", [(8, 8), (8, 7), (7, 8), (6, 4, 5), (4, 6, 8)])
def test_reflections_of_unresolved_data(sizes: tuple[int, ...], rng: np.random.Generator) -> None:
    """Turning an axis over turns its covariances over, at Nyquist too; and so does naming the axes in another order."""
    torus = box("periodic", sizes, 1.0)
    values = rng.standard_normal(sizes)
    covariance = random_covariance(rng, len(sizes), 0.3 * max(torus.spacing))
    u = solve(Landscape(values, torus), covariance=covariance).values[0]
    assert abs(u.mean() - values.mean()) <= 1e-15
    for axis in range(len(sizes)):
        sign = np.where(np.arange(len(sizes)) == axis, -1.0, 1.0)
        mirrored = covariance * np.multiply.outer(sign, sign)
        other = solve(Landscape(np.flip(values, axis), torus), covariance=mirrored).values[0]
        assert np.abs(np.flip(other, axis) - u).max() <= 1e-14
    order = np.roll(np.arange(len(sizes)), 1)
    swapped = Grid(*(torus[int(i)] for i in order))
    other = solve(Landscape(values.transpose(order), swapped), covariance=covariance[np.ix_(order, order)]).values[0]
    assert np.abs(other - u.transpose(order)).max() <= 1e-14


@pytest.mark.parametrize("position", [0, 1, 2])
def test_the_gradient_is_that_of_the_field(position: int, rng: np.random.Generator) -> None:
    """Against differences of the field moved by a fraction of a cell, on even and odd sizes."""
    torus = Grid(*(Axis(f"x{i}", 0.0, 2 * np.pi, n, boundary="periodic") for i, n in enumerate((16, 15, 14))))
    covariance = random_covariance(rng, 3, 0.6)
    x = torus.mesh()
    shift = 1e-4

    def field(move: float) -> Array:
        y = [a + move if i == position else a for i, a in enumerate(x)]
        values = np.cos(y[0] - 2 * y[1]) + np.sin(2 * y[2] + y[0]) * np.cos(y[1])
        return np.asarray(solve(Landscape(values, torus), covariance=covariance).values[0])

    flow = solve(
        Landscape(np.cos(x[0] - 2 * x[1]) + np.sin(2 * x[2] + x[0]) * np.cos(x[1]), torus), covariance=covariance
    )
    expected = (field(shift) - field(-shift)) / (2 * shift)
    assert np.abs(flow.gradient(0)[position] - expected).max() <= 1e-7


# Shapes, types, lists


def test_one_or_several_in_order_of_their_trace(landscape: Landscape, covariances: Array) -> None:
    one = solve(landscape, covariance=covariances[0])
    assert one.values.shape == (1, 30, 41)
    with pytest.warns(HeatpgWarning, match="covariances are sorted"):
        several = solve(landscape, covariance=covariances[::-1])
    assert several.covariance is not None
    assert np.array_equal(several.covariance, covariances)
    assert np.array_equal(several.sigma, np.sqrt(np.diagonal(covariances, axis1=1, axis2=2)))
    assert len(several) == 2
    # what else was asked for does not change a result
    assert np.array_equal(several.values[0], one.values[0])
    assert np.array_equal(several.values[1], solve(landscape, covariance=covariances[1]).values[0])
    assert "covariances" in repr(several)
    assert solve(landscape, 0.1).covariance is None


def test_one_transform_forward_where_the_padding_is_the_same(
    landscape: Landscape, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    calls: list[tuple[int, ...]] = []
    real = module._transform_all

    def counted(field: Array, coefficients: Array) -> None:
        calls.append(field.shape)
        real(field, coefficients)

    monkeypatch.setattr(module, "_transform_all", counted)
    torus = box("periodic", (16, 16), 1.0)
    solve(Landscape(rng.standard_normal((2, 16, 16)), torus), covariance=[c * TILTED for c in (0.1, 0.2, 0.3)])
    assert len(calls) == 2  # one for each of the batch


def test_one_dimension_is_one_sigma(rng: np.random.Generator) -> None:
    for boundary in ("periodic", "clip"):
        line = Grid(Axis("x", 0.0, 1.0, 50, boundary=boundary))
        values = rng.standard_normal(50)
        values[:4] = values[-4:] = 0.0  # flat up to the ends, which only `spectral` corrects
        landscape = Landscape(values, line)
        flow = evolve(landscape, covariance=[[[0.01]], [[0.04]]])
        assert flow.report.passed
        assert np.abs(flow.values - solve(landscape, [0.1, 0.2], "spectral").values).max() <= 1e-13


def test_batches_are_carried_along(grid: Grid, covariances: Array, rng: np.random.Generator) -> None:
    batch = rng.standard_normal((2, 3, *grid.shape))
    flow = evolve(Landscape(batch, grid), covariance=covariances, checks="full")
    assert flow.report.passed
    assert flow.values.shape == (2, 2, 3, 30, 41)
    assert flow.gradient().shape == (2, 2, 2, 3, 30, 41)
    alone = solve(Landscape(batch[1, 2], grid), covariance=covariances)
    assert np.array_equal(flow.values[:, 1, 2], alone.values)
    assert np.array_equal(flow.gradient()[:, :, 1, 2], alone.gradient())


def test_single_precision_in_and_out(landscape: Landscape, covariances: Array) -> None:
    single = evolve(Landscape(landscape.values.astype(np.float32), landscape.grid), covariance=covariances)
    assert single.values.dtype == np.float32
    assert single.gradient(0).dtype == np.float32
    assert single.report.passed
    double = solve(landscape, covariance=covariances)
    assert np.abs(single.values - double.values).max() <= 1e-6
    assert np.abs(single.gradient() - double.gradient()).max() <= 1e-5


def test_at_stays_for_sigma(landscape: Landscape, covariances: Array) -> None:
    flow = solve(landscape, covariance=covariances)
    assert np.array_equal(flow.at(0.2), solve(landscape, 0.2, "spectral").values[0])


def test_noise_in_turn_is_noise_of_the_sum(rng: np.random.Generator) -> None:
    torus = box("periodic", (21, 19, 15), 1.0)
    first, second = (random_covariance(rng, 3, 0.1) for _ in range(2))
    landscape = Landscape(rng.standard_normal(torus.shape), torus)
    between = solve(landscape, covariance=first).values[0]
    then = solve(Landscape(between, torus), covariance=second).values[0]
    at_once = solve(landscape, covariance=first + second).values[0]
    assert np.abs(then - at_once).max() <= 1e-14


def test_strong_correlation_keeps_its_digits() -> None:
    """A wave along the narrow direction, where the terms of k^T Sigma k cancel from 1e5 to one."""
    torus = Grid(*(Axis(name, 0.0, 2 * np.pi, 256, boundary="periodic") for name in "xy"))
    x, y = torus.mesh()
    covariance = np.array([[10.0, 10.0 - 2e-4], [10.0 - 2e-4, 10.0]])
    k = np.array([50.0, -50.0])
    flow = solve(Landscape(np.cos(50 * (x - y)), torus), covariance=covariance)
    exact = math.exp(-0.5 * 50.0**2 * 2 * 2e-4)
    assert k @ covariance @ k == pytest.approx(1.0, rel=1e-9)
    assert np.abs(flow.values[0] - exact * np.cos(50 * (x - y))).max() <= 3e-12  # as much as the digits of Sigma allow


@pytest.mark.parametrize("boundary", ["clip", "zero"])
def test_the_wrap_lies_beyond_the_reach(boundary: str) -> None:
    """A spike at one end is not seen from the other."""
    plane = box(boundary, (12, 11), 1.0)
    covariance = turned(0.5, 0.9, 0.6)
    for i, (axis, n) in enumerate(zip(plane, padded_shape(plane, covariance), strict=True)):
        outside = (n - axis.size) * axis.spacing
        ends = 1 if boundary == "zero" else 2
        assert outside >= ends * 8.5 * math.sqrt(covariance[i, i])
    values = np.zeros(plane.shape)
    values[-1] = 1e12
    u = solve(Landscape(values, plane), covariance=covariance).values[0]
    assert np.abs(u - summed(values, plane, covariance)).max() <= 1e-15 * 1e12


# What is refused


@pytest.mark.parametrize(
    ("covariance", "words"),
    [
        ([[1.0, 0.2], [0.3, 1.0]], r"not symmetric between axes 'x' and 'y'\W+got: 0.2 and 0.3"),
        ([[1.0, 0.5], [0.5 + 1e-9, 1.0]], "not symmetric"),
        ([[1.0, 2.0], [2.0, 1.0]], "smallest eigenvalue -1 "),
        ([[1.0, 1.0], [1.0, 1.0]], "(?s)not positive definite.*0.707 along 'y'"),
        ([[0.1, 0.0], [0.0, 0.0]], "(?s)variance along axis 'y' is not positive.*one number per axis"),
        ([[-0.1, 0.0], [0.0, 1.0]], "(?s)variance along axis 'x' is not positive.*eigenvalue -0.1"),
        ([np.eye(2), [[1.0, 2.0], [2.0, 1.0]]], "covariance 1 of 2 is not positive definite"),
        ([[np.nan, 0.0], [0.0, 1.0]], r"not finite\W+got: nan between axes 'x' and 'x'"),
        ([[1.0, np.inf], [np.inf, 1.0]], "not finite"),
        (np.eye(3), r"wrong shape\W+got: shape \(3, 3\)"),
        (np.eye(2)[:1], "wrong shape"),
        (1.0, "wrong shape"),
        ([1.0, 2.0], "(?s)wrong shape.*pass sigma"),
        (np.zeros((0, 2, 2)), "wrong shape"),
        (np.zeros((1, 1, 2, 2)), "wrong shape"),
        ("wide", "must be real numbers"),
        ([[1.0], [1.0, 2.0]], "must be real numbers"),
        (1j * np.eye(2), "must be real numbers"),
        ([np.eye(2), np.eye(2)], "must be different"),
    ],
)
def test_bad_covariances_are_refused(landscape: Landscape, covariance: Any, words: str) -> None:
    with pytest.raises(SigmaError, match=words) as caught:
        evolve(landscape, covariance=covariance)
    assert "got: " in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_round_off_and_units_are_no_fault(grid: Grid) -> None:
    nearly = parse_covariance([[1.0, 0.5], [0.5 * (1 + 1e-14), 1.0]], grid)
    assert np.array_equal(nearly, nearly.swapaxes(1, 2))
    assert parse_covariance([[1e-20, 5e-11], [5e-11, 1e4]], grid).shape == (1, 2, 2)  # correlation 0.005
    assert np.array_equal(parse_covariance(nearly, grid), nearly)


def test_sigma_or_covariance_and_one_of_them(landscape: Landscape) -> None:
    with pytest.raises(SigmaError, match="sigma or covariance, not both"):
        evolve(landscape, 0.1, covariance=np.eye(2))
    with pytest.raises(SigmaError, match="got: neither"):
        evolve(landscape)


@pytest.mark.parametrize("boundary", ["reflect", "absorb"])
def test_walls_are_refused(boundary: str) -> None:
    plane = Grid(Axis("x", 0.0, 1.0, 8, boundary="clip"), Axis("y", 0.0, 1.0, 8, boundary=boundary))
    with pytest.raises(UnsupportedError, match=r"(?s)axis 'y'.*one sigma per axis.*reflected noise") as caught:
        evolve(Landscape(np.eye(8), plane), covariance=np.eye(2))
    assert "periodic, clip, zero" in str(caught.value)
    with pytest.raises(UnsupportedError):
        CovarianceFlow(np.eye(8), plane)


@pytest.mark.parametrize("name", [name for name in solvers.names() if name != "spectral"])
def test_other_solvers_are_refused(name: str, landscape: Landscape) -> None:
    with pytest.raises(UnsupportedError, match=r"(?s)does not factor over the axes.*principal axes"):
        evolve(landscape, covariance=np.eye(2), solver=name)


def test_auto_says_why(landscape: Landscape, covariances: Array) -> None:
    wide = solve(landscape, covariance=covariances)
    assert wide.solver.name == "spectral"
    assert "couples the axes" in wide.reason
    assert "overshoots" not in wide.reason
    assert "overshoots" in solve(landscape, covariance=covariances / 100).reason
    assert solve(landscape, covariance=covariances, solver="spectral").reason == ""


@pytest.mark.parametrize("variance", [1e20, 1e200])
def test_a_covariance_that_no_memory_holds_is_refused(variance: float, landscape: Landscape) -> None:
    """Without an overflow on the way to the estimate."""
    assert any(axis.rule.free_space for axis in landscape.grid)
    with pytest.raises(ResourceError, match="does not fit in memory"):
        evolve(landscape, covariance=variance * np.eye(2))


def test_memory_is_asked_for_beforehand(landscape: Landscape, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ResourceError, match=r"(?s)padded to .* nodes.*smaller covariance"):
        solve(landscape, covariance=1e12 * np.array([[1.0, 0.5], [0.5, 1.0]]))
    wide = 30.0 * TILTED  # padded to more than is worth asking for
    flow = solve(landscape, covariance=wide)
    monkeypatch.setattr(heatpg.tools.resources, "available_memory", lambda: 60_000.0)
    with pytest.raises(ResourceError, match="does not fit in memory"):
        solve(landscape, covariance=wide)
    with pytest.raises(ResourceError, match="padded to"):
        flow.gradient(0)


# The checks


KINDS = ("noise", "step", "checkerboard", "delta", "offset")


def rough(kind: str, grid: Grid) -> Array:
    index = np.indices(grid.shape).sum(axis=0)
    mesh = grid.mesh()
    values: dict[str, Array] = {
        "noise": np.random.default_rng(3).standard_normal(grid.shape),
        "step": (mesh[0] > 0.4).astype(float) - (mesh[1] > 0.7),
        "checkerboard": (-1.0) ** index,
        "delta": (index == 20) * 1.0,
        "offset": 1e6 + np.random.default_rng(3).standard_normal(grid.shape),
    }
    return values[kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("boundary", ["periodic", "clip", "zero"])
def test_correct_solutions_never_fail(kind: str, boundary: str) -> None:
    """From far below to far above the resolution, weakly and strongly correlated."""
    plane = Grid(Axis("x", 0.0, 1.0, 33, boundary=boundary), Axis("y", 0.0, 1.0, 40, boundary=boundary))
    covariances = [
        turned(angle, deviation, ratio * deviation)
        for angle, deviation, ratio in (
            (0.3, 0.004, 0.5),
            (1.0, 0.02, 0.3),
            (2.5, 0.1, 0.8),
            (0.8, 0.3, 0.2),
            (0.7, 2.0, 0.01),
        )
    ]
    landscape = Landscape(rough(kind, plane), plane)
    for number, covariance in enumerate(covariances):
        flow = evolve(landscape, covariance=covariance, checks="full")
        assert flow.report.passed, flow.report
        # at 0.006 = 0.2 h across, sampled density and transform of rough data may differ by more than its range
        assert flow.report["cross-check"].status == ("silent" if number == 1 else "passed"), flow.report


def test_single_precision_never_fails() -> None:
    space = Grid(Axis("x", 0.0, 1.0, 12, boundary="clip"), *(Axis(n, 0.0, 1.0, 12, boundary="periodic") for n in "yz"))
    values = rough("noise", space).astype(np.float32)
    covariance = 0.06 * np.array([[1.0, 0.3, -0.2], [0.3, 0.8, 0.1], [-0.2, 0.1, 1.2]])
    assert evolve(Landscape(values, space), covariance=[0.1 * covariance, covariance]).report.passed


def test_what_the_report_says(landscape: Landscape, covariances: Array) -> None:
    standard, full = (evolve(landscape, covariance=covariances, checks=level).report for level in ("standard", "full"))
    # the error at the edge is measured at full depth alone
    assert {check.name for check in standard} | {"edge"} == {check.name for check in full}
    assert "sum of the density at 36 nodes" in standard["cross-check"].message
    assert "at 400 nodes" in full["cross-check"].message
    for report in (standard, full):
        assert report["range"].status == "passed"
        figure, bound = report["cross-check"].figure, report["cross-check"].bound
        assert figure is not None
        assert bound is not None
        assert figure <= bound < 1e-12


def test_the_maximum_principle_is_promised_where_the_conditional_deviation_is_resolved(
    rng: np.random.Generator,
) -> None:
    torus = Grid(*(Axis(name, 0.0, 64.0, 64, boundary="periodic") for name in "xy"))
    landscape = Landscape((torus.mesh()[0] > torus.mesh()[1]) * 1.0, torus)
    resolved = evolve(landscape, covariance=25.0 * np.array([[1.0, 0.6], [0.6, 1.0]]))  # c = 4
    assert resolved.report["range"].status == "passed"
    assert resolved.report["resolution"].figure == pytest.approx(4.0)
    narrow = evolve(landscape, covariance=25.0 * np.array([[1.0, 0.999], [0.999, 1.0]]))  # c = 0.22, sigma = 5
    assert narrow.report["resolution"].status == "finding"
    assert "the other axes fixed" in narrow.report["resolution"].message
    assert narrow.report.passed


def test_noise_that_leaves_the_box_is_named() -> None:
    plane = box("clip", (41, 41), 1.0)
    landscape = Landscape(bump(plane, 0.05 * np.eye(2), np.zeros(2))[0], plane)
    check = evolve(landscape, covariance=0.3 * TILTED / 0.5).report["box"]
    assert check.status == "finding"
    assert check.figure is not None
    draws = np.random.default_rng(1).multivariate_normal([0, 0], 0.3 * TILTED / 0.5, 100_000)
    assert (np.abs(draws) > 1).any(axis=1).mean() <= check.figure
    assert evolve(landscape, covariance=0.02 * TILTED).report["box"].status == "passed"


def test_mass_is_conserved_on_a_torus(rng: np.random.Generator) -> None:
    torus = box("periodic", (24, 25), 1.0)
    landscape = Landscape(rng.standard_normal(torus.shape), torus)
    assert evolve(landscape, covariance=0.1 * TILTED).report["conservation"].status == "passed"


def swap_sign(factor: Array) -> Array:
    covariance = factor @ factor.T
    return np.linalg.cholesky((2 * np.diag(np.diag(covariance)) - covariance)[::-1, ::-1])[::-1, ::-1]


FAULTS: dict[str, Callable[[Array], Array]] = {
    "sign of the correlation": swap_sign,
    "factor one half": lambda factor: math.sqrt(2.0) * factor,
    "transposed factor": lambda factor: factor.T,
    "no correlation": lambda factor: np.diag(np.sqrt(np.diag(factor @ factor.T))),
    "one per mille": lambda factor: 1.001 * factor,
}


@pytest.mark.parametrize("boundary", ["periodic", "clip", "zero"])
@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_caught(fault: str, boundary: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plane = box(boundary, (48, 48), 1.0)
    landscape = Landscape(rough("noise", plane), plane)
    covariance = turned(0.5, 0.3, 0.16)
    real = module._upper_factor
    with monkeypatch.context() as patch:
        patch.setattr(module, "_upper_factor", lambda covariance: FAULTS[fault](real(covariance)))
        flow = solve(landscape, covariance=covariance)
    for level in ("standard", "full"):
        assert crosscheck(flow, level)[0].status == "failed"
    assert crosscheck(solve(landscape, covariance=covariance))[0].status == "passed"


@pytest.mark.parametrize("boundary", ["clip", "zero"])
def test_too_little_padding_is_caught(boundary: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plane = box(boundary, (24, 24), 1.0)
    landscape = Landscape(plane.mesh()[0] + 2.0 * plane.mesh()[1], plane)
    monkeypatch.setattr(module, "_REACH", 2.0)
    with pytest.warns(HeatpgWarning, match="cross-check"):
        flow = evolve(landscape, covariance=turned(0.5, 0.5, 0.3))
    assert flow.report["cross-check"].status == "failed"
    assert "covariance [[" in flow.report["cross-check"].message


def test_other_faults_are_caught_by_the_other_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    torus = box("periodic", (32, 32), 1.0)
    landscape = Landscape(rough("noise", torus), torus)
    real = CovarianceFlow.advance

    def grows(self: CovarianceFlow, covariance: Array, out: Array) -> None:
        real(self, covariance, out)
        out += 10.0

    monkeypatch.setattr(CovarianceFlow, "advance", grows)
    with pytest.raises(CheckError, match="violates a property that it guarantees") as caught:
        evolve(landscape, covariance=turned(0.4, 0.4, 0.3))
    assert isinstance(caught.value.evolution, Evolution)
    failed = {check.name for check in caught.value.evolution.report.failures}
    assert {"range", "conservation", "cross-check"} <= failed


# The reference


@pytest.mark.parametrize("boundary", ["periodic", "clip", "zero"])
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("slab", [1, 100, 10**6])
def test_the_reference_is_the_sum(
    boundary: str, nodes: Any, slab: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "_SLAB_POINTS", slab)
    plane = box(boundary, (9, 11), 1.0, nodes=nodes)
    values = rng.standard_normal((2, *plane.shape))
    covariance = turned(0.6, 0.7, 0.3)
    places = np.array([[0, 0, 0], [1, 8, 10], [1, 4, 0], [0, 3, 7]])
    got = density_sums(values, plane, covariance, places)
    for place, value in zip(places, got, strict=True):
        assert value == pytest.approx(summed(values[place[0]], plane, covariance)[tuple(place[1:])], abs=1e-14)


@pytest.mark.parametrize("boundary", ["periodic", "clip", "zero"])
@pytest.mark.parametrize("ratio", [0.3, 0.7, 1.0, 1.5])
def test_the_bound_holds_and_is_not_idle(boundary: str, ratio: float) -> None:
    """Below the resolution samples of the density and the symbol differ, by at most the bound and not much less."""
    plane = box(boundary, (24, 21), 10.0)
    covariance = turned(0.5, 1.6 * ratio, ratio) * plane.spacing[0] * plane.spacing[1]
    tightest = 0.0
    for kind in KINDS[:4]:
        flow = solve(Landscape(rough(kind, plane), plane), covariance=covariance)
        error = np.abs(flow.values[0] - summed(rough(kind, plane), plane, covariance)).max()
        tightest = max(tightest, error / expected_error(flow, 0))
    assert 0.05 < tightest <= 1.0


def test_the_reference_takes_both_signs_at_nyquist() -> None:
    """Exactly the kernel of the solver, on sizes where one sign alone would be another kernel."""
    torus = box("periodic", (8, 6), 1.0)
    covariance = turned(0.5, 0.15, 0.07)
    delta = Landscape((np.arange(48) == 0).reshape(8, 6) * 1.0, torus)
    kernel = solve(delta, covariance=covariance).values[0]
    symbol = reference._symbol_on(torus.shape, torus, covariance)
    assert np.abs(scipy.fft.irfftn(symbol, s=torus.shape) - kernel).max() <= 1e-15


def test_the_worst_of_all_covariances_is_named(landscape: Landscape, covariances: Array) -> None:
    flow = solve(landscape, covariance=covariances)
    flow.values = flow.values + np.array([0.0, 1e-3, *[0.0] * (len(flow) - 2)]).reshape(-1, *[1] * flow.grid.dimensions)
    check = crosscheck(flow)[0]
    assert check.status == "failed"
    assert check.where is not None
    assert check.where.sigma == 1


def test_what_is_too_large_is_said(landscape: Landscape, covariances: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = solve(landscape, covariance=covariances)
    windows = [window_points(landscape.grid, covariance) for covariance in covariances]
    monkeypatch.setattr("heatpg.verify.crosscheck.LARGEST_WINDOW", max(windows) - 1)
    some = crosscheck(flow)[0]
    assert some.status == "finding"
    assert "agrees" in some.message
    assert "not compared at 1 of 2 covariances" in some.message
    monkeypatch.setattr("heatpg.verify.crosscheck.LARGEST_WINDOW", 1)
    none = crosscheck(flow)[0]
    assert none.status == "finding"
    assert "not compared at 2 of 2" in none.message
    flow.values = flow.values + 1.0
    monkeypatch.setattr("heatpg.verify.crosscheck.LARGEST_WINDOW", max(windows) - 1)
    assert crosscheck(flow)[0].status == "failed"


def test_lattices_that_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    plane = box("clip", (200, 200), 100.0)
    wide, narrow = turned(0.4, 6.0, 4.0), turned(0.4, 2.0, 0.8)
    monkeypatch.setattr(reference, "_LARGEST_LATTICE", 200 * 200)
    assert kernel_distance(plane, wide) < 1e-13  # on a box for the window alone
    assert kernel_distance(plane, narrow) == math.inf
    monkeypatch.setattr(reference, "_LARGEST_LATTICE", 100)
    assert kernel_distance(plane, wide) < 1e-20  # from the aliases
    landscape = Landscape(rough("noise", plane), plane)
    assert crosscheck(solve(landscape, covariance=wide))[0].status == "passed"
    assert crosscheck(solve(landscape, covariance=narrow))[0].status == "finding"


def test_fields_are_compared_with_the_landscape_alone() -> None:
    """More noise along both axes, and yet a higher ridge: the second covariance is not the first one and more noise."""
    torus = Grid(*(Axis(name, 0.0, 8.0, 128, boundary="periodic") for name in "xy"))
    x, y = torus.mesh()
    ridge = Landscape(np.exp(-(((x - y + 4.0) % 8.0 - 4.0) ** 2) / 0.18), torus)
    flow = evolve(
        ridge, covariance=[0.25 * np.array([[1.0, -0.8], [-0.8, 1.0]]), 0.26 * np.array([[1, 0.8], [0.8, 1]])]
    )
    assert flow.values[1].max() > 1.5 * flow.values[0].max()
    assert flow.report.passed


# The file, the command line, the figures


@pytest.fixture
def flow(landscape: Landscape, covariances: Array) -> Evolution:
    return evolve(landscape, covariance=covariances)


def test_round_trip(tmp_path: Path, flow: Evolution) -> None:
    save(flow, tmp_path / "a.h5")
    copy = load(tmp_path / "a.h5")
    assert copy.covariance is not None
    assert flow.covariance is not None
    assert copy.covariance.tobytes() == flow.covariance.tobytes()
    assert copy.sigma.tobytes() == flow.sigma.tobytes()
    assert copy.values.tobytes() == flow.values.tobytes()
    assert copy.paths == flow.paths
    assert copy.reason == flow.reason
    assert np.array_equal(copy.gradient(1), flow.gradient(1))
    assert np.array_equal(copy.again().values, flow.values)


def test_without_a_covariance_the_file_has_none(tmp_path: Path, landscape: Landscape) -> None:
    flow = solve(landscape, [[0.1, 0.2]])
    save(flow, tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert "covariance" not in file
        assert "axis2" not in file
        assert "covariance" not in json.loads(file.attrs["heatpg_spec"])
        assert file.attrs["heatpg_schema"] == "1"
    assert load(tmp_path / "a.h5").covariance is None
    assert np.array_equal(flow.again().values, flow.values)


def test_xarray_opens_it(tmp_path: Path, covariances: Array, rng: np.random.Generator) -> None:
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    plane = Grid(*(Axis(name, 0.0, 1.0, 9, boundary="clip", unit="N") for name in ("left", "right")))
    flow = solve(Landscape(rng.standard_normal((9, 9)), plane), covariance=covariances)
    save(flow, tmp_path / "a.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with xarray.open_dataset(tmp_path / "a.h5", engine="h5netcdf") as data:
            assert data.u.dims == ("level", "left", "right")
            assert data.covariance.dims == ("level", "axis", "axis2")
            assert data.covariance.attrs["units"] == "(N)2"
            np.testing.assert_array_equal(data.covariance.values, covariances)
            assert data.covariance.sel(axis="left", axis2="right").values.tolist() == covariances[:, 0, 1].tolist()
            assert not [name for name in data.dims if str(name).startswith("phony")]


def rewritten(file: h5py.File, covariance: Any) -> None:
    from heatpg.store.record import text_digest
    from heatpg.tools.plain import canonical

    spec = json.loads(file.attrs["heatpg_spec"])
    spec["covariance"] = np.asarray(covariance).tolist()
    text = canonical(spec)
    file.attrs["heatpg_spec"] = text
    file.attrs["heatpg_spec_sha256"] = text_digest(text)
    del file["covariance"]
    file["covariance"] = np.asarray(covariance)


CHANGES: dict[str, tuple[Callable[[h5py.File], Any], str]] = {
    "other number": (lambda f: f["covariance"].__setitem__((0, 0, 1), 0.01), "covariance contradicts the spec"),
    "none": (lambda f: f.__delitem__("covariance"), "no dataset covariance"),
    "other shape": (lambda f: rewritten(f, np.ones((2, 3, 3))), "covariance has the shape"),
    "indefinite": (lambda f: rewritten(f, [[[0.02, 9], [9, 0.09]]] * 2), "not positive definite"),
    "other order": (lambda f: rewritten(f, f["covariance"][()][::-1]), "not in order"),
    "other variances": (lambda f: rewritten(f, 2 * f["covariance"][()]), "sigma contradicts the covariance"),
    "skew": (lambda f: rewritten(f, f["covariance"][()] + [[0, 1e-15], [0, 0]]), "not symmetric"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_covariance_is_refused(tmp_path: Path, flow: Evolution, change: str) -> None:
    save(flow, tmp_path / "a.h5")
    act, words = CHANGES[change]
    with h5py.File(tmp_path / "a.h5", "a") as file:
        act(file)
    with pytest.raises(StoreError, match=words):
        load(tmp_path / "a.h5")


def test_names_of_the_file_are_refused(tmp_path: Path) -> None:
    plane = Grid(Axis("covariance", 0.0, 1.0, 5, boundary="clip"), Axis("y", 0.0, 1.0, 5, boundary="clip"))
    landscape = Landscape(np.eye(5), plane)
    with pytest.raises(StoreError, match="axis name is reserved"):
        save(solve(landscape, covariance=TILTED), tmp_path / "a.h5")
    save(solve(landscape, 0.3), tmp_path / "b.h5")
    assert load(tmp_path / "b.h5").grid == plane


def test_the_command_line_checks_it(tmp_path: Path, flow: Evolution, capsys: pytest.CaptureFixture[str]) -> None:
    save(flow, tmp_path / "a.h5")
    assert main(["check", str(tmp_path / "a.h5")]) == 0
    output = capsys.readouterr().out
    assert "identical to the last bit" in output
    assert "independent sum of the density" in output


def test_titles_name_the_correlation(flow: Evolution) -> None:
    assert sigma_label(flow, 0) == "σ = (0.141, 0.3), ρ = 0.471"
    assert plot.summary(flow).axes[1].get_title().startswith("σ = (0.141, 0.3), ρ = 0.471")
    space = Grid(*(Axis(name, 0.0, 1.0, 5, boundary="clip") for name in "xyz"))
    covariance = np.array([[1.0, 0.1, -0.5], [0.1, 1.0, 0.2], [-0.5, 0.2, 1.0]])
    assert sigma_label(solve(Landscape(np.zeros((5, 5, 5)), space), covariance=covariance), 0).endswith("ρ up to −0.5")
