"""Noise far narrower than a spacing and far wider than the box, against limits and sums that are written down here."""

from __future__ import annotations

import math
import resource
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr

from heatpg import Axis, Grid, Landscape, evolve, load
from heatpg.boundaries import boundaries
from heatpg.evolution import solve
from heatpg.large import LargeLandscape, evolve_large
from heatpg.solvers import make, solvers
from heatpg.solvers.wide import wide_weights

Array = NDArray[Any]

KINDS: list[tuple[str, Any]] = [(boundary, nodes) for boundary in boundaries.names() for nodes in ("vertex", "cell")]
SIZE, FLAT = 48, 9
NARROW = (1e-12, 1e-9, 1e-6)  # spacings
WIDE = (10.0, 25.0, 100.0, 1e4, 1e6)  # lengths of the box


@pytest.fixture(autouse=True)
def one_more_gigabyte() -> Iterator[None]:
    """No noise takes memory like sigma / h or h / sigma: what is asked for beyond a gigabyte is not there."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**30, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def line_of_noise(boundary: str, nodes: str, rng: np.random.Generator) -> Array:
    """Rough in the middle and flat at either end, so that rules for the edge, of whatever order, agree."""
    line = rng.standard_normal(SIZE)
    # a chord has its ends at the walls, which are no cell centres
    step = boundary == "clip" or (boundary == "absorb" and nodes == "vertex")
    line[:FLAT], line[-FLAT:] = 0.75, -0.5 if step else 0.75
    if boundary == "zero":
        line[:FLAT] = line[-FLAT:] = 0.0
    return line


def axis_of(boundary: str, nodes: Any, length: float = 2.0, name: str = "x") -> Axis:
    return Axis(name, 0.0, length, SIZE, boundary=boundary, nodes=nodes)


def beyond(count: int, step: float) -> float:
    """Sum of step g(step j) over j >= count, g the normal density: an integral by the midpoint rule, and its error."""
    z = (count - 0.5) * step
    return float(ndtr(-z)) - step**2 * z * math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) / 24


def limit(line: Array, axis: Axis, sigma: float) -> Array:
    """u along one line: mean, chord, or the sum over the box in extended precision with both ends continued."""
    line = line.astype(np.longdouble)
    if axis.boundary == "periodic" or (axis.boundary == "reflect" and axis.nodes == "cell"):
        return np.full(SIZE, line.mean(), np.float64)
    if axis.boundary == "reflect":
        return np.full(SIZE, (line.sum() - (line[0] + line[-1]) / 2) / (SIZE - 1), np.float64)
    if axis.boundary == "absorb":
        where = (axis.coordinates - axis.lower) / axis.length
        return np.asarray(line[0] + (line[-1] - line[0]) * where, dtype=np.float64)
    step = axis.spacing / sigma
    place = np.arange(SIZE)
    density = np.exp(-np.square((place[:, None] - place) * np.longdouble(step)) / 2) * np.longdouble(step)
    u = (density / np.sqrt(2 * np.longdouble(np.pi))) @ line
    if axis.boundary == "clip":
        u += line[0] * np.array([beyond(i + 1, step) for i in range(SIZE)])
        u += line[-1] * np.array([beyond(SIZE - i, step) for i in range(SIZE)])
    return np.asarray(u, dtype=np.float64)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", solvers.names())
@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_narrow_noise_leaves_q_and_wide_noise_its_limit(
    name: str, boundary: str, nodes: Any, dtype: Any, rng: np.random.Generator
) -> None:
    axis = axis_of(boundary, nodes)
    line = line_of_noise(boundary, nodes, rng).astype(dtype)
    sigmas = [*(ratio * axis.spacing for ratio in NARROW), *(ratio * axis.length for ratio in WIDE)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flow = evolve(Landscape(line, Grid(axis)), sigmas, solver=name, checks="full")
        gradients = flow.gradient()[:, 0]
    assert flow.report.passed, str(flow.report)
    # sums of 48 terms, and what `rational` says of its residues
    unit = float(np.finfo(dtype).eps) * max(64.0, make(name).rounding(axis, (0.0, axis.spacing**2)))
    for sigma, u, slope in zip(sigmas, flow.values, gradients, strict=True):
        if sigma < axis.spacing:
            # the mean distance of noise to one side, .4 sigma, is what an interpolant may make of a kink
            assert np.abs(u - line).max() <= 0.4 * sigma / axis.spacing * np.abs(np.diff(line, 2)).max() + unit
            continue
        assert np.abs(u - limit(line, axis, sigma)).max() <= unit
        ends = float(line[-1]) - float(line[0])
        if axis.rule.free_space:
            # the step between the ends as a whole, from sigma on as wide as the box to second order
            expected = ends / (math.sqrt(2 * math.pi) * sigma)
            assert np.abs(slope - expected).max() <= (4 * axis.length / sigma**2 + unit / sigma)
        else:
            assert np.abs(slope - (ends / axis.length if boundary == "absorb" else 0.0)).max() <= unit
    if axis.rule.free_space:
        both = 0.5 * (line[0] + line[-1]) if boundary == "clip" else 0.0
        assert np.abs(flow.values[-1] - both).max() <= axis.length / sigmas[-1] * np.abs(line).sum() + unit


@pytest.mark.parametrize("name", solvers.names())
def test_axes_at_their_limit_beside_others(name: str, rng: np.random.Generator) -> None:
    """Boxes of 0.0018 and 51, sigma from inside the one to far beyond the other; a batch; one sigma for each axis."""
    small, large = Axis("a", 0.0, 0.0018, 17, boundary="clip"), Axis("b", -1.0, 50.0, 40, boundary="reflect")
    grid = Grid(small, large)
    values = rng.standard_normal((2, *grid.shape))
    levels = [2e-4, 0.3, 3.0, 40.9, 500.0]
    flow = evolve(Landscape(values, grid), levels, solver=name, checks="full")
    assert flow.report.passed, str(flow.report)
    flow.gradient()
    assert np.ptp(flow.values[-1], axis=2).max() <= 1e-13  # the mean along b; what is left along a is L / sigma
    each = np.array([[2e-5, 0.7], [0.0, 3.0], [40.9, 1.1], [2e-4, 500.0], [1e9, 0.0]])
    apart = evolve(Landscape(values, grid), each, solver=name, checks="full")
    assert apart.report.passed, str(apart.report)
    alone = solve(Landscape(values, grid), {"a": 0.0, "b": 3.0}, name).values[0]
    # a march takes other steps where it stops on its way
    tolerance = 1e-12 if make(name).exact_in_time else 2e-2
    one = [tuple(s) for s in apart.sigma].index((0.0, 3.0))
    np.testing.assert_allclose(apart.values[one], alone, rtol=0, atol=tolerance)
    # the limit along one axis of the field that the other leaves, in either order
    both = [tuple(s) for s in apart.sigma].index((40.9, 1.1))
    first = solve(Landscape(values, grid), {"a": 0.0, "b": 1.1}, name).values[0]
    second = solve(Landscape(first, grid), {"a": 40.9, "b": 0.0}, name).values[0]
    assert np.abs(apart.values[both] - second).max() <= tolerance


@pytest.mark.parametrize("name", ["direct", "spectral", "multiresolution", "exponential", "implicit", "stabilized"])
@pytest.mark.parametrize("kinds", [("periodic", "clip", "absorb"), ("reflect", "zero", "clip")])
def test_three_dimensions_are_a_product_of_lines(name: str, kinds: tuple[str, ...], rng: np.random.Generator) -> None:
    axes = [axis_of(boundary, "vertex", 10.0**i, "xyz"[i]) for i, boundary in enumerate(kinds)]
    lines = [line_of_noise(boundary, "vertex", rng) for boundary in kinds]
    values = np.einsum("i,j,k->ijk", *lines)
    flow = evolve(Landscape(values, Grid(*axes)), [900.0, 1e5], solver=name)
    assert flow.report.passed, str(flow.report)
    for sigma, u in zip(flow.sigma, flow.values, strict=True):
        expected = np.einsum("i,j,k->ijk", *(limit(q, axis, sigma) for q, axis in zip(lines, axes, strict=True)))
        assert np.abs(u - expected).max() <= 1e-13 * np.abs(values).max()
    flow.gradient()


@pytest.mark.parametrize("boundary", boundaries.names())
def test_one_line_meets_the_next_where_it_is_taken_from_its_limit(boundary: str, rng: np.random.Generator) -> None:
    """Just below and just above the width from which on a line is at its limit, u is the same to round-off."""
    axis = axis_of(boundary, "vertex")
    landscape = Landscape(line_of_noise(boundary, "vertex", rng), Grid(axis))
    direct = make("direct")
    low, high = 1.0, 20.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if direct.at_limit(axis, middle**2) else (middle, high)
    assert 2.5 < high / axis.length < 10.0 or boundary == "periodic"
    for name in ("direct", "spectral", "multiresolution"):
        below, above = solve(landscape, [low, high], name).values
        assert np.abs(below - above).max() <= 1e-14
        slopes = solve(landscape, [low, high], name).gradient()
        assert np.abs(slopes[0] - slopes[1]).max() <= 1e-13


def test_weights_of_wide_noise_are_those_of_the_sum() -> None:
    for sigma in (50.0, 400.0):
        number = np.arange(-round(12 * sigma), round(12 * sigma) + 1)
        weights = np.exp(-0.5 * np.square(number.astype(np.longdouble) / sigma))
        weights /= weights.sum()
        place = np.clip(number, -4, 4) + 4
        for derivative, samples in ((False, weights), (True, weights * number / np.longdouble(sigma) ** 2)):
            expected = np.array([samples[place == k].sum() for k in range(9)], dtype=np.float64)
            found = wide_weights(4, 0.5, 0.5 * sigma, derivative) * (0.5 if derivative else 1.0)
            assert np.abs(found - expected).max() <= 4e-16 / (sigma if derivative else 1.0)


def test_few_steps_of_backward_euler_stay_a_noise_of_their_own() -> None:
    """One step is the noise of Laplace: of its density exp(-s |x|) s / 2, s = sqrt(2) / sigma, wide as it may be."""
    axis = Axis("x", 0.0, 1.0, 33, boundary="clip")
    step = Landscape((axis.coordinates > 0.5).astype(float), Grid(axis))
    u = solve(step, 30.0, make("implicit", steps=1)).values[0]
    place = 0.5 + 0.5 * axis.spacing - axis.coordinates
    expected = np.where(place > 0, 0.5 * np.exp(-np.sqrt(2) * place / 30), 1 - 0.5 * np.exp(np.sqrt(2) * place / 30))
    # the grid is a thousandth of sigma, and the error of second order
    assert np.abs(u - expected).max() <= 1e-5
    closed = Landscape(np.cos(np.pi * axis.coordinates), Grid(Axis("x", 0.0, 1.0, 33, boundary="reflect")))
    # 1 / (1 + pi^2 30^2 / 2) of the slowest wave is left, with the eigenvalue of the grid
    wave = 2 * (30 * 32 * np.sin(np.pi / 64)) ** 2
    found = solve(closed, 30.0, make("implicit", steps=1)).values[0]
    assert np.abs(found - closed.values / (1 + wave)).max() <= 1e-10


@pytest.mark.parametrize("name", ["direct", "implicit", "spectral"])
def test_fields_on_the_disk_are_taken_from_their_limits_too(
    name: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    grid = Grid(axis_of("clip", "vertex", 2.0, "x"), axis_of("absorb", "vertex", 0.01, "y"))
    values = rng.standard_normal(grid.shape)
    levels = [1e-9, 0.05, 3.0, 1e4]
    summary = evolve_large(LargeLandscape(values, grid), levels, tmp_path / "out.h5", solver=name)
    assert summary.report.passed, str(summary.report)
    whole = solve(Landscape(values, grid), levels, name)
    np.testing.assert_allclose(load(tmp_path / "out.h5").values, whole.values, rtol=0, atol=1e-12)


def test_a_limit_has_the_rounding_of_the_march_before_it() -> None:
    """Nine thousand steps to the first sigma; the second is the mean of the field that they lead to."""
    axis = Axis("x", 0.0, 1.0, 54, boundary="periodic", nodes="cell")
    line = np.linspace(-1.0, 2.0, 54)
    flow = evolve(Landscape(line, Grid(axis)), [1.0, 8.2], solver="explicit", checks="full")
    assert flow.report.passed
    assert flow.paths[1][0] == (0.0, 1.0, flow.variances[1][0])
    # a rounding for each step at most
    assert np.abs(flow.values[1] - 0.5).max() <= 9000 * np.finfo(float).eps
