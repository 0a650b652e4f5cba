"""Sampling errors of u against closed forms, against dense matrices of the whole grid, and against drawn noise."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ive, ndtr

from heatpg import Axis, Grid, Landscape
from heatpg.boundaries import boundaries
from heatpg.errors import UnsupportedError
from heatpg.evolution import Evolution, solve
from heatpg.solvers import make, solvers

Array = NDArray[Any]

EPS = float(np.finfo(np.float64).eps)


def known(flow: Evolution) -> Array:
    found = flow.standard_error
    assert found is not None
    return found


def error_of_u(error: Array, grid: Grid, sigma: Any, solver: Any = "direct", **options: Any) -> Array:
    """Through the door: standard errors alone."""
    flow = solve(Landscape(np.zeros(error.shape), grid, standard_error=error), sigma, make(solver, **options))
    return known(flow)


# Closed forms


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.5])
def test_equal_errors_in_the_interior(sigma: float) -> None:
    """h s^2 / sqrt(4 pi sigma^2), times 1 + h^2 / 16 sigma^2 where the rule interpolates."""
    grid = Grid(Axis("x", -40.0, 40.0, 81, boundary="clip"))
    exact = 0.3 / math.sqrt(math.sqrt(4 * math.pi) * sigma)
    gaussian, discrete = (
        float(error_of_u(np.full(81, 0.3), grid, sigma, name)[0, 40]) / exact for name in ("direct", "exponential")
    )
    # samples of the Gaussian: the sum of their squares has an alias 2 exp(-pi^2 sigma^2); what weighs less than 1e-12
    # may be left out
    assert abs(gaussian - 1) < 2 * math.exp(-((math.pi * sigma) ** 2)) + 1e-11
    # I_0(2t) ~ exp(2t) (1 + 1 / 16t + 9 / 512t^2 + ...) / sqrt(4 pi t), of which the root is taken
    t = sigma**2
    assert abs(discrete - math.sqrt(1 + 1 / (16 * t) + 9 / (512 * t**2))) < 0.1 / t**3


@pytest.mark.parametrize("sigma", [1.0, 3.0])
def test_the_discrete_gaussian_is_exact(sigma: float) -> None:
    """Where space is discrete, sum_k T(k; t)^2 = T(0; 2 t) = exp(-2 t) I_0(2 t)."""
    grid = Grid(Axis("x", 0.0, 64.0, 64, boundary="periodic"), Axis("y", 0.0, 64.0, 64, boundary="periodic"))
    found = error_of_u(np.full((64, 64), 0.5), grid, sigma, "exponential")
    # per axis, so the error has the power one half twice; images of 64 nodes away are below round-off
    np.testing.assert_allclose(found, 0.5 * float(ive(0, 2 * sigma**2)), rtol=1e-11)


@pytest.mark.parametrize("sigma", [3.0, 10.0, 1e3])
def test_a_clipped_wall_keeps_half_of_its_node(sigma: float) -> None:
    """The wall stands for all that lies beyond it: Var u -> s_wall^2 / 4, whatever sigma."""
    grid = Grid(Axis("x", 0.0, 60.0, 61, boundary="clip"))
    error = np.zeros(61)
    error[0] = 0.4
    found = float(error_of_u(error, grid, sigma)[0, 0])
    # weight of the node and of all that it continues: Phi(0) + half of its own cell, to the width of a cell
    assert found >= 0.2 * (1 - 1e-12)
    assert found <= 0.4 * (0.5 + 0.5 / sigma)


def test_zero_has_half_a_node_on_its_wall() -> None:
    grid = Grid(Axis("x", 0.0, 60.0, 61, boundary="zero"))
    inside, wall = np.zeros(61), np.zeros(61)
    inside[1], wall[0] = 1.0, 1.0
    # of a node inside sqrt(T(29; t)^2), and of the wall half of T(30; t): its data are half a step. Solvers that
    # correct the ends for kinks take more off the wall and give it to its neighbours
    one, two = (float(error_of_u(each, grid, 8.0, "exponential")[0, 30]) for each in (inside, wall))
    assert two / one == pytest.approx(0.5 * float(ive(30, 64.0) / ive(29, 64.0)), rel=1e-10)


def test_absorbed_noise_of_the_wall_enters_with_the_chance_of_reaching_it() -> None:
    """Rows sum to one, as the end values are held: with one noisy wall at x = 0, u = s P(a walk from x has met it)."""
    grid = Grid(Axis("x", 0.0, 1.0, 201, boundary="absorb"))
    error = np.zeros(201)
    error[0] = 0.7
    sigma, x = 0.2, grid[0].coordinates
    found = error_of_u(error, grid, sigma)[0]
    # reflection principle, the far wall by images
    images = range(-6, 7)
    reached = sum(math.copysign(1, 2 * k + 0.5) * 2 * ndtr(-np.abs(2 * k + x) / sigma) for k in images)
    assert found[0] == 0.7 and found[-1] == 0.0
    # the chord is exact, and its rest is a sine series of a piecewise linear function on 200 cells: O(h^2 / sigma^2)
    assert np.abs(found - 0.7 * reached).max() < 0.7 * (1 / 200 / sigma) ** 2


# Every solver and boundary: the weights of the whole grid, squared


def wave(axis: Axis) -> Array:
    return np.random.default_rng(axis.size).random(axis.size)


@pytest.mark.parametrize("name", solvers.names())
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
def test_it_is_the_square_of_the_weights_of_the_whole_grid(name: str, nodes: Any) -> None:
    solver = make(name)
    for first, second in itertools.product(boundaries.names(), repeat=2):
        grid = Grid(Axis("x", 0.0, 8.0, 9, boundary=first, nodes=nodes), Axis("y", 0.0, 7.0, 8, boundary=second))
        error = np.random.default_rng(3).random(grid.shape)
        for sigma in ([1.2, 2.0], [(0.5, 3.0), (0.9, 40.0)]):
            units = Landscape(np.eye(grid.size).reshape(-1, *grid.shape), grid)
            # unit vectors of the whole grid, one more axis of a batch, by the same solver
            weights = solve(units, sigma, solver).values.reshape(2, grid.size, grid.size)
            dense = np.sqrt(np.einsum("kij,i->kj", weights**2, error.ravel() ** 2)).reshape(2, *grid.shape)
            # sums of 72 products of weights that are at most about one, after steps that are rounded themselves
            np.testing.assert_allclose(error_of_u(error, grid, sigma, name), dense, rtol=0, atol=2e4 * EPS)


def test_a_full_covariance_is_refused_with_the_way_out() -> None:
    grid = Grid(Axis("x", 0.0, 8.0, 9, boundary="clip"), Axis("y", 0.0, 8.0, 9, boundary="clip"))
    covariance = [[1.0, 0.5], [0.5, 2.0]]
    rng = np.random.default_rng(1)
    alone = solve(Landscape(np.zeros((9, 9)), grid, standard_error=np.ones((9, 9))), covariance=covariance)
    with pytest.raises(UnsupportedError, match=r"(?s)correlated noise.*one sigma per axis.*returns="):
        _ = alone.standard_error
    returns = rng.normal(size=(3, 9, 9))
    several = solve(Landscape(None, grid, returns=returns), covariance=covariance)
    each = np.stack([solve(Landscape(one, grid), covariance=covariance).values for one in returns])
    np.testing.assert_allclose(known(several), each.std(axis=0, ddof=1) / math.sqrt(3), rtol=1e-10)


# Returns of every seed


@pytest.mark.parametrize("name", solvers.names())
def test_the_spread_of_seeds_is_that_of_each_evolved_by_itself(name: str) -> None:
    for boundary in boundaries.names():
        grid = Grid(Axis("x", 0.0, 8.0, 17, boundary=boundary), Axis("y", 0.0, 7.0, 12, boundary=boundary))
        returns = np.random.default_rng(4).normal(size=(5, 2, *grid.shape))
        flow = solve(Landscape(None, grid, returns=returns), [0.7, 1.4, 3.0], name)
        each = np.stack([solve(Landscape(one, grid), [0.7, 1.4, 3.0], name).values for one in returns])
        found = flow.standard_error
        assert found is not None and found.shape == (3, 2, *grid.shape) and not found.flags.writeable
        np.testing.assert_allclose(found, each.std(axis=0, ddof=1) / math.sqrt(5), rtol=1e-9, atol=1e-13)
        for level, away in enumerate(flow.deviations()):
            np.testing.assert_allclose(away + flow.values[level], each[:, level], rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(("factor", "offset"), [(1.0, 0.0), (2.0**-100, 0.0), (2.0**90, 0.0), (1.0, 1e4)])
def test_scale_and_offset_change_nothing_else(dtype: Any, factor: float, offset: float) -> None:
    """Integers and powers of two, so that nothing is rounded on the way in."""
    grid = Grid(Axis("x", 0.0, 8.0, 33, boundary="reflect"))
    returns = np.random.default_rng(6).integers(-50, 50, (4, 33)).astype(dtype)
    plain, moved = (
        solve(Landscape(None, grid, returns=each), [0.5, 1.0], "direct")
        for each in (returns, (returns * factor + offset).astype(dtype))
    )
    assert moved.standard_error is not None and plain.standard_error is not None
    assert moved.standard_error.dtype == dtype
    # single precision: a few units of rounding of the sums of the solver
    near: dict[str, Any] = {"rtol": 200 * float(np.finfo(dtype).eps)}
    np.testing.assert_allclose(
        moved.standard_error / moved.standard_error.dtype.type(factor), plain.standard_error, **near
    )
    np.testing.assert_allclose(
        error_of_u(returns[0].astype("f8") ** 2 * factor, grid, 0.5) / factor,
        error_of_u(returns[0].astype("f8") ** 2, grid, 0.5),
        rtol=1e-12,
    )


def test_seeds_that_agree_have_no_error() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 9, boundary="clip"))
    flow = solve(Landscape(None, grid, returns=np.full((3, 9), 0.1)), [0.0, 0.2])
    assert flow.standard_error is not None and not flow.standard_error.any()
    assert solve(Landscape(np.zeros(9), grid), 0.2).standard_error is None
    still = solve(Landscape(np.zeros(9), grid, standard_error=np.arange(9.0)), [0.0])
    np.testing.assert_allclose(known(still)[0], np.arange(9.0, dtype="f8"), rtol=1e-15)


# Drawn noise: a plain sum over a Gaussian in NumPy, which shares nothing with the solvers


def gaussian_weights(x: Array, sigma: float) -> Array:
    """Free space: what lies beyond the ends is that of the end nodes; no solver of heatpg."""
    far = np.arange(-400, x.size + 400)
    step = x[1] - x[0]
    dense = (
        np.exp(-0.5 * ((far - np.arange(x.size)[:, None]) * step / sigma) ** 2) * step / sigma / math.sqrt(2 * math.pi)
    )
    folded = np.zeros((x.size, x.size))
    np.add.at(folded.T, np.clip(far, 0, x.size - 1), dense.T)
    return folded


@pytest.mark.parametrize("common", [False, True], ids=["independent", "common"])
def test_z_scores_of_drawn_noise(common: bool) -> None:
    """Whole experiments drawn again: the scatter of their u is what the standard error says."""
    rng = np.random.default_rng(11 + common)
    grid, sigma, seeds, times = Grid(Axis("x", -4.0, 4.0, 41, boundary="clip")), 0.5, 8, 4000
    x = grid[0].coordinates
    scale = 0.2 + 0.1 * np.cos(x)
    truth = np.exp(-(x**2))

    def draw(*shape: int) -> Array:
        if not common:
            return np.asarray(scale * rng.standard_normal((*shape, 41)))
        shift, slope = rng.standard_normal((2, *shape, 1))
        return np.asarray(0.5 * shift + 0.1 * slope * x + 0.02 * rng.standard_normal((*shape, 41)))

    weights = gaussian_weights(x, sigma)
    means = draw(times, seeds).mean(axis=1) @ weights.T
    drawn = means.std(axis=0, ddof=1)
    squares = [known(solve(Landscape(None, grid, returns=truth + draw(seeds)), sigma)) ** 2 for _ in range(200)]
    expected = np.sqrt(np.mean([each[0] for each in squares], axis=0))
    # relative errors: the standard deviation of 4,000 draws, and of 200 variances with 7 degrees of freedom; 5 of them
    assert np.abs(expected / drawn - 1).max() < 5 * math.hypot(1 / math.sqrt(2 * times), 0.5 * math.sqrt(2 / (7 * 200)))
    if not common:
        found = error_of_u(scale / math.sqrt(seeds), grid, sigma)[0]
        z = (drawn / found - 1) * math.sqrt(2 * times)
        # 41 nodes that are neighbours: the largest of them by a normal law, with a chance of 1e-5
        assert np.abs(z).max() < 5.0


def test_node_errors_say_nothing_of_noise_that_nodes_share() -> None:
    """An offset of .5 a seed is in every error and in no difference."""
    rng = np.random.default_rng(2)
    grid = Grid(Axis("x", -2.0, 2.0, 81, boundary="clip"))
    returns = 0.5 * rng.standard_normal((16, 1)) + 0.02 * rng.standard_normal((16, 1)) * np.sin(grid[0].coordinates)
    flow = solve(Landscape(None, grid, returns=returns), 0.3)
    (away,) = flow.deviations()
    difference = (away[:, 60] - away[:, 20]).std(ddof=1) / 4
    error = flow.standard_error
    assert error is not None and difference < 0.1 * math.hypot(error[0, 60], error[0, 20])


def test_one_of_a_batch_keeps_its_seeds_and_its_errors() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 9, boundary="clip"), Axis("y", 0.0, 1.0, 5, boundary="reflect"))
    returns = np.random.default_rng(5).normal(size=(4, 2, 3, 9, 5))
    both = solve(Landscape(None, grid, returns=returns), [0.2, 0.4])
    assert both.standard_error is not None
    for number in range(6):
        one = both.entry(number)
        assert one.landscape.returns is not None
        np.testing.assert_array_equal(one.landscape.returns, returns.reshape(4, 6, 9, 5)[:, number])
        assert one.standard_error is not None
        np.testing.assert_array_equal(one.standard_error, both.standard_error.reshape(2, 6, 9, 5)[:, number])
        again = solve(Landscape(None, grid, returns=returns.reshape(4, 6, 9, 5)[:, number]), [0.2, 0.4])
        assert again.standard_error is not None
        np.testing.assert_allclose(again.standard_error, one.standard_error, rtol=1e-12)


def test_an_error_belongs_to_its_fields() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 9, boundary="clip"))
    flow = solve(Landscape(None, grid, returns=np.random.default_rng(8).normal(size=(4, 9))), [0.2])
    error = flow.standard_error
    assert flow.standard_error is error and np.shares_memory(known(Evolution.of(flow)), known(flow))
    assert Evolution.of(flow, values=2 * flow.values).known_error is None
    flow.values = flow.values + 1.0
    assert flow.known_error is None
