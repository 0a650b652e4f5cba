"""The reference and its bound, against sums over images that are written down once more here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from heatpg import Axis, Grid, Landscape, evolve
from heatpg.boundaries import Nodes, boundaries
from heatpg.core.narrow import narrow_weights
from heatpg.errors import UnsupportedError
from heatpg.evolution import solve
from heatpg.solvers import make, solvers
from heatpg.verify.crosscheck import crosscheck, expected_error
from heatpg.verify.reference import reference_rows, reference_weights, rows_of_several
from tests.references import face_rows

KINDS: list[tuple[str, Any]] = [(boundary, nodes) for boundary in boundaries.names() for nodes in ("vertex", "cell")]


def test_a_boundary_that_it_does_not_know_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a wrong field nor a wrong verdict: both know boundaries by name."""

    class Other(type(boundaries.get("clip"))):  # type: ignore[misc]
        name = "other"

    monkeypatch.setitem(boundaries._entries, "other", Other())
    landscape = Landscape(np.arange(9.0), Grid(Axis("x", 0.0, 1.0, 9, boundary="other")))
    flow = evolve(landscape, 0.3, solver="direct", checks="none")
    assert np.isfinite(flow.values).all()
    with pytest.raises(
        UnsupportedError, match=r"(?s)the cross-check does not support .*got: boundary='other' along 'x'"
    ):
        evolve(landscape, 0.3, solver="direct")
    with pytest.raises(UnsupportedError, match=r"(?s)not supported by the coarse lattice.*solver='direct'"):
        evolve(landscape, 0.3, solver="multiresolution", checks="none")


@pytest.mark.parametrize("ratio", [0.05, 0.3, 0.58, 0.6, 0.61, 0.8, 0.99])
def test_weights_below_the_spacing_have_the_moments_of_a_gaussian(ratio: float) -> None:
    weights, nodes = reference_weights(2.0, 2.0 * ratio), np.arange(-3.0, 4.0)
    assert weights.min() >= 0.0
    assert (weights == weights[::-1]).all()
    # E z^4 = 3 sigma^4 from h / sqrt(3) on, E z^6 = 15 sigma^6 from (1 - sqrt(.4))^(1/2) = .606 h on
    for order, moment, least in ((0, 1.0, 0.0), (2, 1.0, 0.0), (4, 3.0, 3**-0.5), (6, 15.0, (1 - 0.4**0.5) ** 0.5)):
        if ratio > least:
            # sums of a few terms, the last of them up to 3^6
            assert weights @ nodes**order == pytest.approx(moment * ratio**order, rel=1e-13, abs=1e-15)
    assert narrow_weights(ratio) == pytest.approx(weights, abs=1e-15)


@pytest.mark.parametrize("ratio", [1e-300, 1e-12, 1e-6, 1e-3])
def test_weights_far_below_the_spacing_are_three(ratio: float) -> None:
    """A neighbour takes half of the variance of the noise."""
    weights = reference_weights(2.0, 2.0 * ratio)
    radius = len(weights) // 2
    assert weights[radius + 1] == weights[radius - 1] == pytest.approx(ratio**2 / 2, rel=1e-14)
    assert np.count_nonzero(weights) == (3 if ratio > 1e-100 else 1)
    assert weights.sum() == pytest.approx(1.0, abs=4e-16)  # a rounding of each of its three terms


@pytest.mark.parametrize("boundary", boundaries.names())
def test_rows_of_wide_noise_are_those_of_the_limit(boundary: str) -> None:
    """Whatever the width, in the memory of one line; the limits are written down here."""
    axis = Axis("x", 0.0, 1.0, 65, boundary=boundary)
    rows = reference_rows(axis, 1e12, np.array([0, 20]))
    expected = np.zeros((2, 65))
    if boundary == "periodic":
        expected[:] = 1 / 65
    elif boundary == "reflect":
        expected[:] = np.r_[0.5, np.ones(63), 0.5] / 64
    elif boundary == "absorb":
        expected[:, 0], expected[:, -1] = [1.0, 44 / 64], [0.0, 20 / 64]
    elif boundary == "clip":
        expected[:, [0, -1]] = 0.5
    # all 65 weights of a Gaussian as wide, at 6e-15 each
    assert np.abs(rows - expected).max() <= 4e-13


@pytest.mark.parametrize("ratio", [1.0, 2.5, 40.0])
def test_weights_above_the_spacing_are_samples_of_the_density(ratio: float) -> None:
    weights = reference_weights(0.1, 0.1 * ratio)
    radius = len(weights) // 2
    offsets = np.arange(-radius, radius + 1)
    # the sum of the samples is one up to 2 exp(-2 pi^2 ratio^2), by Poisson's formula
    assert np.abs(weights - norm.pdf(offsets / ratio) / ratio).max() <= 2 * np.exp(-2 * np.pi**2 * ratio**2) + 1e-15
    assert (weights * offsets**2).sum() == pytest.approx(ratio**2, rel=1e-6)


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("sigma", [0.02, 0.13, 1.1, 3.5, 12.0])
def test_rows_against_sums_over_images(boundary: str, nodes: Any, sigma: float, rng: np.random.Generator) -> None:
    """Every node beyond the ends, one by one, by the meaning of the boundary."""
    axis = Axis("x", 0.0, 1.0, 12, boundary=boundary, nodes=nodes)
    values = rng.standard_normal(12)
    weights = reference_weights(axis.spacing, sigma)
    radius = len(weights) // 2

    def beyond(i: int) -> float:
        if boundary == "periodic":
            return float(values[i % 12])
        if axis.faced:
            low, high = face_rows(12) @ values
            if boundary == "clip":
                return float(values[i] if 0 <= i < 12 else low if i < 0 else high)
            turned, sign = i % 24, 1.0
            if turned >= 12:
                turned, sign = 23 - turned, -1.0
            chord = low + (high - low) * (np.array([i, turned]) + 0.5) / 12
            return float(chord[0] + sign * (values[turned] - chord[1]))
        if boundary == "clip":
            return float(values[min(max(i, 0), 11)])
        if boundary == "zero":
            half = 0.5 if nodes == "vertex" and i in (0, 11) else 1.0
            return half * float(values[i]) if 0 <= i < 12 else 0.0
        if 0 <= i < 12:
            return float(values[i])
        if boundary == "reflect":
            low, high = (0, 22) if nodes == "vertex" else (-1, 23)
            return beyond(low - i if i < 0 else high - i)
        end = 0 if i < 0 else 11
        return 2 * float(values[end]) - beyond(2 * end - i)

    rows = np.array([0, 1, 5, 11])
    matrix = reference_rows(axis, sigma, rows)
    for row, weighted in zip(rows, matrix, strict=True):
        expected = sum(weights[radius + k] * beyond(int(row) + k) for k in range(-radius, radius + 1))
        assert weighted @ values == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", solvers.names())
@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_the_bound_holds_and_is_not_idle(name: str, boundary: str, nodes: Any, rng: np.random.Generator) -> None:
    """Over rough and smooth data the error is below the bound, and somewhere within a factor of three of it."""
    axes = [Axis(label, 0.0, 1.0, 48, boundary=boundary, nodes=nodes) for label in ("x", "y")]
    grid = Grid(*axes)
    x, y = grid.mesh()
    tightest = 0.0
    for values in (
        rng.standard_normal(grid.shape),
        (x > 0.5) * 1.0,
        (-1.0) ** np.indices(grid.shape)[0],
        np.cos(2 * np.pi * x) * np.sin(np.pi * y),
        1e5 + np.cos(2 * np.pi * x),
    ):
        for sigma in (0.01, 0.025, 0.05, 0.2):
            evolution = solve(Landscape(values, grid), sigma, name)
            check = crosscheck(evolution, "full")[0]
            assert check.status == "passed", (check.message, check.figure, check.bound)
            assert check.figure is not None
            tightest = max(tightest, check.figure * np.ptp(values) / expected_error(evolution, 0))
    if np.isinf(make(name).order_space):
        assert tightest > 1e-3  # round-off against the bound on round-off
    else:
        assert tightest > 1 / 3


def test_standard_and_full_agree_and_name_the_place(rng: np.random.Generator) -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 30, boundary="clip"), Axis("y", 0.0, 1.0, 31, boundary="reflect"))
    evolution = solve(Landscape(rng.standard_normal((2, *grid.shape)), grid), [0.03, 0.1], "exponential")
    full = crosscheck(evolution, "full")[0]
    some = crosscheck(evolution, "standard")[0]
    assert full.figure is not None
    assert some.figure is not None
    assert some.figure <= full.figure
    assert some.figure > 0.3 * full.figure
    assert full.where is not None
    assert len(full.where.index) == 3
    assert len(full.where.coordinates) == 2


def test_long_axes_take_another_way_to_the_same_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    import heatpg.verify.crosscheck as module

    rng = np.random.default_rng(5)
    for boundary, nodes in KINDS:
        grid = Grid(Axis("x", 0.0, 1.0, 60, boundary=boundary, nodes=nodes))
        evolution = solve(Landscape(rng.standard_normal((2, 60)), grid), 0.3, make("direct"))
        with monkeypatch.context() as patch:
            patch.setattr(module, "_WIDEST_MATRIX", 10)
            long = module._reference_field(evolution, 0)
        assert np.abs(long - module._reference_field(evolution, 0)).max() <= 1e-13


@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9, 0.967, 1.3, 2.9])
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("size", [3, 4, 5, 6])
def test_two_walls_a_few_nodes_apart(size: int, nodes: Any, ratio: float) -> None:
    """What the kinks of both add up to at a node is within the bound, and u is the integral in closed form."""
    axis = Axis("x", 0.0, 3.0, size, boundary="zero", nodes=nodes)
    x, sigma = axis.coordinates, ratio * axis.spacing
    below, above = x / sigma, (x - 3.0) / sigma
    share = norm.cdf(below) - norm.cdf(above)
    density = norm.pdf(below) - norm.pdf(above)
    # of a constant, and of a straight line, between the walls; nothing outside
    for values, expected in ((np.ones(size), share), (2.0 - x, (2.0 - x) * share - sigma * density)):
        flow = solve(Landscape(values, Grid(axis)), sigma, "spectral")
        # to round-off of the flow of a kink, see `heatpg.solvers.spectral`
        assert np.abs(flow.values[0] - expected).max() <= 1e-13
        check = crosscheck(flow, "full")[0]
        assert check.status == "passed", check.details


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_kinks_of_near_walls_and_their_images(boundary: str, nodes: Any, rng: np.random.Generator) -> None:
    """On short lines every node has both walls near it, and between mirrors images of both."""
    for size in (3, 4, 5, 8, 30):
        grid = Grid(Axis("x", 0.0, 1.0, size, boundary=boundary, nodes=nodes))
        for values in (np.ones(size), np.arange(size) * 1.0, (-1.0) ** np.arange(size), rng.standard_normal(size)):
            for ratio in (0.03, 0.3, 0.6, 0.97, 1.0, 1.6, 2.9):
                check = crosscheck(solve(Landscape(values, grid), ratio * grid.spacing[0], "spectral"), "full")[0]
                assert check.status == "passed", (size, ratio, check.details)


def test_a_fault_between_two_near_walls_is_seen() -> None:
    grid = Grid(Axis("x", 0.0, 2.0, 3, boundary="zero"))
    flow = solve(Landscape(np.ones(3), grid), 0.9, "spectral")
    flow.values = flow.values + np.array([0.0, 2.1 * expected_error(flow, 0), 0.0])
    assert crosscheck(flow, "full")[0].status == "failed"


@pytest.mark.parametrize("boundary", ["periodic", "reflect", "absorb", "clip", "zero"])
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
def test_rows_of_equal_axes_are_those_of_each_axis(boundary: str, nodes: Nodes, rng: np.random.Generator) -> None:
    """Axes that are alike but for their place, one of another length, and one that is short."""
    axes = [Axis(name, low, low + 4.0, 90, boundary=boundary, nodes=nodes) for name, low in (("x", 0.0), ("y", 7.0))]
    axes += [Axis("z", 0.0, 5.0, 90, boundary=boundary, nodes=nodes)]
    axes += [Axis(name, 0.0, 1.0, 20, boundary=boundary, nodes=nodes) for name in ("v", "w")]
    asked = [(axis, 0.2, np.sort(rng.choice(axis.size, 7, replace=False)), True) for axis in axes]
    for found, one in zip(rows_of_several(asked), asked, strict=True):
        # of the same length and spacing, to the bit
        np.testing.assert_array_equal(found, reference_rows(*one))
