"""The rational approximation: its poles, its recursions, and the flow that it stands for."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import expm, hankel, svdvals

from heatpg import Axis, Grid, Landscape
from heatpg.boundaries import boundaries
from heatpg.errors import OptionError
from heatpg.evolution import solve
from heatpg.landscapes import landscapes
from heatpg.solvers import make
from heatpg.solvers.faces import with_faces
from heatpg.solvers.lines import line_along
from heatpg.solvers.poles import POLES, approximation, largest_error
from heatpg.solvers.rational import _ResolventOperator, _roots
from tests.references import half_laplacian

Array = NDArray[Any]

KINDS: list[tuple[str, Any]] = [(boundary, nodes) for boundary in boundaries.names() for nodes in ("vertex", "cell")]
EPS = float(np.finfo(np.float64).eps)
SIGMA = 0.2


def value(z: Array, poles: int) -> Array:
    pole, residue, limit = approximation(poles)
    return np.asarray(limit + 2.0 * (residue / (z[:, None] - pole)).sum(axis=1).real)


@pytest.mark.parametrize("poles", list(POLES))
def test_the_error_is_that_of_the_best_approximation(poles: int) -> None:
    z = -np.concatenate([[0.0], np.geomspace(1e-6, 1e8, 4001)])
    error = value(z, poles) - np.exp(z)
    rounding = 100 * EPS
    assert error[0] == pytest.approx(0.0, abs=rounding)
    assert np.abs(error).max() <= 1.01 * largest_error(poles) + rounding
    # and no better one is possible: the error has its extremes with 2 n + 2 alternating signs before it is scaled
    if poles <= 10:
        unscaled = (error + np.exp(z)) * (1.0 - 0.25 * largest_error(poles) * 2.0) - np.exp(z)
        extremes = np.abs(unscaled) > 0.9 * np.abs(unscaled).max()
        signs = np.sign(unscaled[extremes])
        assert int((signs[1:] != signs[:-1]).sum()) + 1 == 2 * poles + 2


def test_the_poles_are_those_of_the_caratheodory_fejer_method() -> None:
    """The method once more in double precision, which holds a few digits: singular values, and roots of a vector."""
    count, scale = 75, 9.0
    s = np.cos(2 * np.pi * np.arange(1024) / 1024)
    data = np.exp(scale * (s - 1) / (s + 1 + 1e-16))
    coefficients = np.real(np.fft.fft(data))[: count + 1] / 1024
    matrix = hankel(coefficients[1:])
    singular = svdvals(matrix)
    eigenvalues, vectors = np.linalg.eigh(matrix)
    order = np.argsort(-np.abs(eigenvalues))
    for poles in (2, 4, 6, 8):
        # twice the singular value is the error of the best approximation, four times that of the scaled one
        assert 4.0 * singular[poles] == pytest.approx(largest_error(poles), rel=0.1)
        roots = np.roots(vectors[::-1, order[poles]])
        inside = roots[np.abs(roots) < 1.0]
        found = scale * ((inside - 1) / (inside + 1)) ** 2
        found = np.sort_complex(found[found.imag > 0])
        table = np.sort_complex(approximation(poles)[0])
        assert np.abs(found - table).max() <= 1e-5 * np.abs(table).max()


@pytest.mark.parametrize("total", [1e-8, 0.3, 12.0, 1e5, 1e12])
def test_ratio_and_gap_of_the_recursions(total: float) -> None:
    pole = approximation(14)[0]
    ratio, gap = _roots(total, pole)
    assert np.abs(ratio).max() < 1.0
    assert np.abs(gap - (1.0 - ratio)).max() <= 4 * EPS
    # (1 - q)^2 / q = 2 pole / total, whatever cancels in 1 - q
    assert np.abs(gap**2 / ratio / (2.0 * pole / total) - 1.0).max() <= 1e-13


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("total", [1e-4, 0.2, 3.0, 40.0, 700.0])
@pytest.mark.parametrize("size", [3, 16])
def test_against_the_matrix_exponential(boundary: str, nodes: Any, total: float, size: int) -> None:
    """Any t in one step: the error is that of the approximation and of rounding."""
    axis = Axis("x", 0.0, 1.0, size, boundary=boundary, nodes=nodes)
    padding = math.ceil(9.0 * math.sqrt(total)) + 12
    matrix, continuation = half_laplacian(axis, padding)
    expected = expm(total * matrix) @ continuation
    first = padding if axis.rule.free_space else 0
    expected = expected[first : first + size]
    sigma = math.sqrt(total) * axis.spacing
    result = solve(Landscape(np.eye(size), Grid(axis)), sigma, "rational").values[0].T
    if axis.rule.free_space and make("rational").at_limit(axis, sigma**2):
        # noise far wider than the box is summed from its nodes, by the Gaussian itself: as `direct` has it, without the
        # correction of the ends, which the order of the scheme would not show
        direct: Any = make("direct")
        samples = with_faces(
            axis, lambda place, kind: direct.convolution(place, sigma**2, kind, False, corrected=False), np.dtype(float)
        )
        summed = np.empty((size, size))
        samples.apply(np.eye(size), summed, 1)
        np.testing.assert_array_equal(result, summed.T)
        # The flow of the 3-point Laplacian has the fourth cumulant t h^4, which moves sums of weights by t / 24 times
        # the third derivative of the density (Edgeworth), at most 0.55 / t^2 for the variance t.
        assert np.abs(result - expected).max() <= 0.55 / 24.0 / total * (5.75 if axis.faced else 1.0)
        return
    # where the edge value stands for all of the outside, its weight of one half is rounded on that scale; a value on a
    # face takes weights whose sizes sum to 5.75
    tolerance = 2e-13 if boundary == "clip" else 1e-13
    assert np.abs(result - expected).max() <= tolerance * (5.75 if axis.faced else 1.0)


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("total", [0.2, 3.0, 60.0])
def test_the_implicit_solves_invert_their_operator(
    boundary: str, nodes: Any, total: float, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    """One pole at a time: (A - pole) applied to the solution gives back what was solved for."""
    axis = Axis("x", 0.0, 1.0, 20, boundary=boundary, nodes=nodes)
    values = rng.standard_normal(20)
    padding = 130
    # of cells between walls whose values count, the operator is what is left without those values
    inside = axis if axis.boundary == "absorb" or not axis.faced else dataclasses.replace(axis, boundary="zero")
    matrix, continuation = half_laplacian(inside, padding)
    if axis.faced and not axis.rule.free_space:
        matrix, continuation = matrix[:20, :20], np.eye(20)
    pole = approximation(14)[0]
    for k in range(len(pole)):
        parts = []
        for factor in (1.0, -1j):  # real and imaginary part of factor / (z - pole)
            with monkeypatch.context() as patch:
                only = pole[k : k + 1], np.array([0.5 * factor]), 0.0
                patch.setattr("heatpg.solvers.rational.approximation", lambda poles, only=only: only)
                operator = _ResolventOperator(line_along(axis, 0), axis, total, 14, np.dtype(np.float64))
            part = np.empty(20)
            operator.apply(values, part, 0)
            parts.append(part)
        solution = parts[0] + 1j * parts[1]
        whole = continuation @ values.astype(complex)
        if boundary == "absorb" and not axis.faced:  # the chord between the ends is carried over, not solved for
            chord = np.linspace(values[0], values[-1], 20)
            solution, whole = solution - (1.0 + 1j) * chord, whole - chord
        if axis.rule.free_space:
            whole = np.linalg.solve(total * matrix - pole[k] * np.eye(len(matrix)), whole)
            assert np.abs(solution - whole[padding:-padding]).max() <= 1e-12 * np.abs(whole).max()
            continue
        back = total * matrix @ solution - pole[k] * solution
        assert np.abs(back - whole).max() <= 1e-12 * np.abs(pole[k]) * max(1.0, total)


@pytest.mark.parametrize("poles", [4, 8, 12, 14])
def test_fewer_poles_are_cheaper_and_worse_by_the_known_rate(poles: int, rng: np.random.Generator) -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 400, boundary="reflect"))
    values = np.sign(rng.standard_normal(400))
    sigma = 3.0 * grid.spacing[0]
    exact = solve(Landscape(values, grid), sigma, "exponential").values[0]
    error = float(
        np.linalg.norm(solve(Landscape(values, grid), sigma, make("rational", poles=poles)).values[0] - exact)
    )
    norm = float(np.linalg.norm(values))
    assert error <= largest_error(poles) * norm + 300 * EPS * norm
    if poles < 14:
        assert error >= 0.02 * largest_error(poles) * norm
    assert make("rational", poles=poles).monotone(grid[0], sigma**2) == (poles == 14)


@pytest.mark.parametrize("boundary", boundaries.names())
@pytest.mark.parametrize("ratio", [0.3, 5.0, 80.0, 900.0])
def test_rounding_bound(boundary: str, ratio: float, rng: np.random.Generator) -> None:
    """Distance from the exact flow of the same system, in both precisions, below the bound that is declared."""
    grid = Grid(Axis("x", 0.0, 1.0, 700, boundary=boundary))
    solver, sigma = make("rational"), ratio * grid.spacing[0]
    unit = solver.rounding(grid[0], (0.0, sigma**2))
    for values in (np.ones(700), np.sign(rng.standard_normal(700)), (np.arange(700) > 200) * 1.0):
        exact = solve(Landscape(values, grid), sigma, "exponential").values[0]
        for dtype in (np.float64, np.float32):
            field = solve(Landscape(values.astype(dtype), grid), sigma, solver).values[0]
            assert np.abs(field - exact).max() <= unit * float(np.finfo(dtype).eps)


def test_reach_holds_every_weight() -> None:
    axis = Axis("x", 0.0, 6000.0, 6001, boundary="reflect")
    for ratio in (0.1, 1.0, 9.0, 60.0):
        solver = make("rational")
        reach = solver.reach(axis, (0.0, ratio**2))
        delta = np.zeros(6001)
        delta[3000] = 1.0
        kernel = solve(Landscape(delta, Grid(axis)), ratio, solver).values[0]
        offset = np.abs(np.arange(6001) - 3000)
        assert np.abs(kernel[offset > reach]).sum() <= 1e-17
        assert reach <= 15.0 * ratio + 12.0


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("dimensions", [1, 2])
def test_order_in_space(boundary: str, nodes: Any, dimensions: int) -> None:
    spacings, errors = [], []
    for size in (25, 37, 55, 82):
        free = boundary in ("clip", "zero")
        lower, upper, count = (-4.5, 4.5, 6 * size) if free else (0.0, 1.0, size)
        grid = Grid(*(Axis(n, lower, upper, count, boundary=boundary, nodes=nodes) for n in ["x", "y"][:dimensions]))
        if free:
            centers = tuple(c for bump in (-0.3, 0.5) for c in [bump] * dimensions)
            widths = tuple([0.5] * dimensions + [0.6] * dimensions)
            landscape = landscapes.get("gaussians")(grid, heights=(1.0, -0.6), centers=centers, widths=widths)
        else:
            landscape = landscapes.get("eigenmodes")(grid, modes=2, seed=4)
        spacings.append(grid.spacing[0])
        field = solve(landscape, SIGMA, "rational").values[0]
        errors.append(float(np.abs(field - landscape.exact(SIGMA)).max()))
    observed = float(np.polyfit(np.log(spacings), np.log(errors), 1)[0])
    print("spacings", spacings, "errors", errors, "order", observed)
    assert abs(observed - 2.0) <= 0.1
    assert make("rational").order_space == 2.0


@pytest.mark.parametrize("poles", [0, 13, 16, True, 14.5])
def test_meaningless_options_are_refused(poles: Any) -> None:
    with pytest.raises(OptionError, match=r"(?s)got: .*expected: .*14"):
        make("rational", poles=poles)
