"""Axes and grids: where the nodes are, what they weigh, how far they can be trusted, and what is refused."""

from __future__ import annotations

import dataclasses
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erf

from heatpg.core.grid import Axis, Grid
from heatpg.errors import BoundaryError, GridError, HeatpgError, SigmaError, UnknownNameError
from tests.pages import page

NAMES = ("absorb", "clip", "periodic", "reflect", "zero")


def axis(**changes: Any) -> Axis:
    given: dict[str, Any] = {"name": "x", "lower": -1.0, "upper": 2.0, "size": 7, "boundary": "clip"}
    return Axis(**(given | changes))


# Nodes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("boundary", NAMES)
def test_vertex_nodes(boundary: str) -> None:
    line = axis(boundary=boundary)
    steps = 7 if boundary == "periodic" else 6
    assert line.spacing == pytest.approx(3 / steps, rel=1e-15)
    np.testing.assert_allclose(line.coordinates, -1 + 3 / steps * np.arange(7), rtol=0, atol=1e-15)
    assert line.coordinates[0] == -1
    assert (line.coordinates[-1] == 2) == (boundary != "periodic")


@pytest.mark.parametrize("boundary", NAMES)
def test_cell_nodes_are_centres_on_every_boundary(boundary: str) -> None:
    line = axis(boundary=boundary, nodes="cell", size=6)
    np.testing.assert_allclose(line.coordinates, [-0.75, -0.25, 0.25, 0.75, 1.25, 1.75], atol=1e-15)
    assert line.spacing == 0.5


@given(
    lower=st.floats(-1e6, 1e6),
    length=st.floats(1e-3, 1e6),
    size=st.integers(3, 200),
    boundary=st.sampled_from(NAMES),
    nodes=st.sampled_from(["vertex", "cell"]),
)
def test_nodes_are_in_the_box_in_order_and_weigh_as_much_as_it(
    lower: float, length: float, size: int, boundary: str, nodes: Any
) -> None:
    line = Axis("x", lower, lower + length, size, boundary=boundary, nodes=nodes)
    x = line.coordinates
    assert x.shape == (size,)
    assert np.all(np.diff(x) > 0)
    assert line.lower <= x[0]
    assert x[-1] <= line.upper
    np.testing.assert_allclose(np.diff(x), line.spacing, rtol=0, atol=1e-15 * (abs(lower) + length) * 4)
    assert line.weights.sum() == pytest.approx(line.length, rel=1e-12)


def test_the_last_vertex_is_the_upper_bound_to_the_last_digit() -> None:
    line = Axis("x", 0.1, 1.0, 8, boundary="clip")
    assert line.lower + 7 * line.spacing != line.upper  # rounding, which the node must not have
    assert line.coordinates[-1] == line.upper


def test_weights_integrate() -> None:
    # exact for straight lines (trapezoid and midpoint rule), to rounding for waves on a period
    for nodes in ("vertex", "cell"):
        line = axis(nodes=nodes, size=6)
        assert line.weights @ (2 + 3 * line.coordinates) == pytest.approx(2 * 3 + 3 * (4 - 1) / 2, rel=1e-14)
    # Gregory's rule with four end nodes from both ends: exact for cubics
    assert axis().integration_weights(4) @ axis().coordinates ** 3 == pytest.approx(
        (axis().upper ** 4 - axis().lower ** 4) / 4, rel=1e-13
    )
    assert axis(size=12).integration_weights(4)[[0, 1, 2, 3, 4]] / axis(size=12).spacing == pytest.approx(
        np.array([251, 897, 633, 739, 720]) / 720, rel=1e-13
    )
    assert axis().integration_weights(0).tolist() == [0.25, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25]
    angle = Axis("angle", 0.0, 2 * math.pi, 16, boundary="periodic")
    assert angle.weights @ np.cos(angle.coordinates) ** 2 == pytest.approx(math.pi, rel=1e-14)


def test_numbers_become_plain_ones() -> None:
    line = Axis("x", np.float32(0), np.int64(1), np.int64(5), boundary="clip")  # type: ignore[arg-type]
    assert [type(value) for value in (line.lower, line.upper, line.size)] == [float, float, int]
    assert axis(size=7.0).size == 7


def test_an_axis_is_a_value() -> None:
    assert axis() == axis()
    assert axis() != axis(unit="m")
    assert len({axis(), axis(), axis(size=8)}) == 2
    assert pickle.loads(pickle.dumps(axis())) == axis()
    assert eval(repr(axis())) == axis()
    with pytest.raises(dataclasses.FrozenInstanceError):
        axis().size = 9  # type: ignore[misc]


# Refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "(?s)valid identifier.*got: ''.*a letter followed"),
        ({"name": "1x"}, "(?s)valid identifier.*'1x'"),
        ({"name": "x y"}, "valid identifier"),
        ({"name": "x\n"}, "valid identifier"),
        ({"name": 3}, "(?s)valid identifier.*got: 3"),
        ({"name": "sigma"}, "(?s)reserved by the file format.*'sigma'.*choose another"),
        ({"name": "u"}, "reserved by the file format"),
        ({"lower": math.nan}, "(?s)'x': lower must be finite.*nan"),
        ({"upper": math.inf}, "(?s)'x': upper must be finite.*inf"),
        ({"upper": "wide"}, "(?s)'x': upper must be a number.*'wide'"),
        ({"lower": None}, "(?s)'x': lower must be a number.*None"),
        ({"lower": 2.0}, "(?s)lower must be below upper.*lower=2, upper=2.*swap them"),
        ({"lower": 3.0}, "(?s)lower must be below upper.*lower=3, upper=2"),
        ({"size": 2}, "(?s)whole number of nodes.*size=2.*3, 4"),
        ({"size": -5}, "whole number of nodes"),
        ({"size": 5.5}, "(?s)whole number of nodes.*size=5.5"),
        ({"size": True}, "(?s)whole number of nodes.*True"),
        ({"nodes": "edge"}, "(?s)'x': unknown value of nodes=.*'edge'.*'vertex' or 'cell'"),
        (
            {"lower": 1e17, "upper": 1e17 + 100.0, "size": 50},
            "(?s)neighbouring nodes are equal.*50 nodes.*shift the origin",
        ),
    ],
)
def test_bad_axes_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(GridError, match=message):
        axis(**changes)


@pytest.mark.parametrize("size", ["abc", None, math.nan, math.inf, [5]])
def test_a_size_that_is_no_number_is_refused(size: Any) -> None:
    with pytest.raises(GridError, match="size"):
        axis(size=size)


@pytest.mark.parametrize("missing", ["", None])
def test_there_is_no_default_boundary(missing: Any) -> None:
    with pytest.raises(BoundaryError) as caught:
        Axis("x", 0.0, 1.0, 5, boundary=missing)
    for name in NAMES:
        assert f"'{name}'" in str(caught.value)
    with pytest.raises(BoundaryError):
        Axis("x", 0.0, 1.0, 5)


def test_an_unknown_boundary_is_refused_with_the_near_one() -> None:
    with pytest.raises(UnknownNameError, match=r"got: 'clips'; did you mean 'clip'\?\n  expected: absorb, clip"):
        axis(boundary="clips")


def test_bad_grids_are_refused() -> None:
    with pytest.raises(GridError, match="at least one axis"):
        Grid()
    with pytest.raises(GridError, match=r"(?s)takes Axis objects.*got: 3"):
        Grid(axis(), 3)  # type: ignore[arg-type]
    with pytest.raises(GridError, match=r"(?s)different names.*x, y, x.*rename one"):
        Grid(axis(), axis(name="y"), axis(size=9))


def test_errors_survive_pickling_with_all_their_parts() -> None:
    with pytest.raises(GridError) as caught:
        axis(lower=3.0)
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is GridError
    assert isinstance(again, HeatpgError)
    assert isinstance(again, ValueError)
    assert str(again) == str(caught.value)
    assert (again.problem, again.given, again.advice) == (
        caught.value.problem,
        caught.value.given,
        caught.value.advice,
    )


# Grids ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def grid() -> Grid:
    return Grid(
        axis(size=4),
        Axis("angle", 0.0, 6.0, 3, boundary="periodic"),
        Axis("z", 0.0, 1.0, 5, boundary="reflect", nodes="cell"),
    )


def test_a_grid_is_the_product_of_its_axes(grid: Grid) -> None:
    assert (grid.dimensions, grid.shape, grid.size) == (3, (4, 3, 5), 60)
    assert grid.spacing == pytest.approx((1.0, 2.0, 0.2))
    assert [line.name for line in grid] == ["x", "angle", "z"]
    assert grid["angle"] is grid[1] is grid.axes[1]
    assert grid[-1].name == "z"
    assert grid.index("z") == 2
    mesh = grid.mesh()
    assert [array.shape for array in mesh] == [grid.shape] * 3
    assert tuple(array[2, 1, 4] for array in mesh) == pytest.approx((1.0, 2.0, 0.9))
    assert grid.point((2, 1, 4)) == pytest.approx((1.0, 2.0, 0.9))
    with pytest.raises(GridError, match=r"(?s)no axis with this name.*'y'.*x, angle, z"):
        grid["y"]


def test_grid_weights(grid: Grid) -> None:
    assert grid.weights.shape == grid.shape
    assert grid.weights.sum() == pytest.approx(3 * 6 * 1, rel=1e-14)
    assert grid.weights[0, 0, 0] == pytest.approx(math.prod(float(line.weights[0]) for line in grid))
    x, _, z = grid.mesh()
    assert (grid.weights * x * z).sum() == pytest.approx(1.5 * 6 * 0.5, rel=1e-14)  # products of straight lines


def test_a_grid_is_a_value(grid: Grid) -> None:
    assert grid == Grid(*grid.axes)
    assert grid != Grid(*grid.axes[:2])
    assert grid != grid.axes
    assert hash(grid) == hash(Grid(*grid.axes))
    assert pickle.loads(pickle.dumps(grid)) == grid
    assert eval(repr(grid)) == grid


def test_sigmas(grid: Grid) -> None:
    assert grid.sigmas(0.5) == (0.5, 0.5, 0.5)
    assert grid.sigmas([0.1, 0, 2]) == (0.1, 0.0, 2.0)
    assert grid.sigmas(np.float64(0.5)) == (0.5, 0.5, 0.5)
    assert all(type(value) is float for value in grid.sigmas([0, 1, 2]))


@pytest.mark.parametrize("sigma", [-0.1, math.nan, math.inf, (0.1, -0.1, 0.1)])
def test_bad_sigmas_are_refused(grid: Grid, sigma: Any) -> None:
    with pytest.raises(SigmaError, match="finite and not negative"):
        grid.sigmas(sigma)


@pytest.mark.parametrize("sigma", [(0.1, 0.2), (), ((0.1, 0.1, 0.1),), "wide", 1j, None, True])
def test_sigmas_of_a_wrong_shape_or_kind_are_refused_in_our_words(grid: Grid, sigma: Any) -> None:
    with pytest.raises(SigmaError):
        grid.sigmas(sigma)


# Trust ----------------------------------------------------------------------------------------------------------


def test_escape_is_the_chance_that_the_noise_leaves_the_box(rng: np.random.Generator) -> None:
    line, sigma = axis(), 0.8
    x = line.coordinates
    root = sigma * math.sqrt(2)
    expected = 1 - (erf((x - line.lower) / root) + erf((line.upper - x) / root)) / 2
    np.testing.assert_allclose(line.escape(sigma), expected, rtol=0, atol=1e-15)
    landed = x[:, np.newaxis] + sigma * rng.standard_normal(200_000)
    share = ((landed < line.lower) | (landed > line.upper)).mean(axis=1)
    assert abs(share - line.escape(sigma)).max() < 4 * 0.5 / math.sqrt(200_000)


@pytest.mark.parametrize("boundary", ["absorb", "periodic", "reflect"])
def test_nothing_leaves_a_box_that_has_no_outside(boundary: str) -> None:
    line = axis(boundary=boundary)
    assert not line.escape(5.0).any()
    assert line.margin(5.0) == 0
    assert not Grid(line).trust(5.0).any()


@pytest.mark.parametrize("boundary", ["clip", "zero"])
def test_no_noise_leaves_nowhere(boundary: str) -> None:
    line = axis(boundary=boundary)
    assert not line.escape(0.0).any()
    assert line.margin(0.0) == 0


@pytest.mark.parametrize("boundary", ["clip", "zero"])
@pytest.mark.parametrize("probability", [0.001, 0.01, 0.2])
def test_margin_is_where_the_noise_leaves_with_that_probability(boundary: str, probability: float) -> None:
    line, sigma = axis(boundary=boundary, size=3001), 0.1
    margin = line.margin(sigma, probability)
    x, escape = line.coordinates, line.escape(sigma)
    beyond = (x > line.lower + margin + 1e-9) & (x < line.upper - margin - 1e-9)
    assert escape[beyond].max() < probability
    assert escape[~beyond].min() > probability * 0.97  # one node of 0.001 = sigma / 100 further
    assert 0 < margin < 0.4


def test_margin_stays_in_the_box() -> None:
    assert axis().margin(100.0) == 3.0
    assert axis().margin(0.1, probability=0.9) == 0.0
    grid = Grid(axis(), axis(name="y", boundary="reflect"), axis(name="z"))
    assert grid.margin((0.1, 0.1, 0.2), 0.001) == pytest.approx((0.30902, 0.0, 0.61805), abs=1e-5)


def test_trust_is_the_chance_to_leave_by_any_axis(rng: np.random.Generator) -> None:
    grid = Grid(axis(size=4), axis(name="y", boundary="zero", size=5), axis(name="z", boundary="periodic", size=3))
    sigmas = (0.7, 0.4, 9.0)
    bound = grid.trust(sigmas, oscillation=2.5)
    assert bound.shape == grid.shape
    index = (1, 3, 2)
    landed = np.array(grid.point(index)) + np.array(sigmas) * rng.standard_normal((200_000, 3))
    outside = ((landed < -1) | (landed > 2))[:, :2].any(axis=1)
    assert abs(2.5 * outside.mean() - bound[index]) < 4 * 2.5 * 0.5 / math.sqrt(200_000)
    assert not grid.trust(0.0).any()
    assert grid.trust(1e6).max() == pytest.approx(1.0, abs=1e-4)


def test_trust_bounds_the_error_of_what_was_assumed_outside() -> None:
    # truth: Q(x) = sign(x - 2) on the whole line; known on the box, where it is -1, and continued as -1
    line, sigma = axis(upper=1.9), 0.6
    x = line.coordinates
    truth = -erf((2 - x) / (sigma * math.sqrt(2)))
    error = abs(-1 - truth)
    bound = Grid(line).trust(sigma, oscillation=2.0)
    assert np.all(error <= bound)
    assert error[-1] > 0.8 * bound[-1]  # and it is not idle


def test_a_notebook_shows_the_axes() -> None:
    found = page(
        Grid(
            axis(name="u1", lower=0.0, upper=2.0, size=21, unit="N"),
            axis(name="u2", lower=0.0, upper=1.0, size=11, boundary="reflect"),
        )
    )
    assert "21 × 11 nodes = 231" in found.text
    assert "u1 0 2 N 21 0.1 clip Gaussian policy, actions clipped to the box" in found.text
    assert "u2 0 1 11 0.1 reflect" in found.text
    cells = page(Grid(Axis("x", -1.0, 1.0, 4, boundary="periodic", nodes="cell")))
    assert "x −1 1 4 cells 0.5 periodic" in cells.text


def test_relative_weights_are_the_weights_over_a_power_of_two() -> None:
    near = Grid(Axis("x", 0.0, 3.0, 9, boundary="reflect"), Axis("y", -1.0, 6.0, 8, boundary="periodic"))
    ratio = near.weights / near.relative_weights
    assert np.ptp(ratio) == 0.0 and np.frexp(ratio.flat[0])[0] == 0.5
    assert (near.weights / near.weights.sum()).tobytes() == (
        near.relative_weights / near.relative_weights.sum()
    ).tobytes()
    # volumes that are no numbers
    for scale in (1e300, 1e-300):
        far = Grid(*(Axis(name, 0.0, 3.0 * scale, 9, boundary="reflect") for name in "xyz"))
        share = far.relative_weights / far.relative_weights.sum()
        assert share.sum() == pytest.approx(1.0, rel=1e-14) and share.min() > 0.0
