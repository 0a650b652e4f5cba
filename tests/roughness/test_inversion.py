"""Undoing noise: what comes back, what does not, and how much louder the noise has become."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape
from heatpg.errors import NonFiniteError, OptionError, ResourceError, SigmaError, UnknownNameError, UnsupportedError
from heatpg.evolution import Evolution, solve
from heatpg.roughness.inversion import Backward, backward, noise_amplification
from heatpg.roughness.modes import apply
from heatpg.roughness.waves import mean_weights
from heatpg.solvers.spectral import Spectral

EPS = float(np.finfo(np.float64).eps)
BOUNDARIES = ("periodic", "reflect", "absorb", "clip", "zero")
METHODS = ("cutoff", "tikhonov")
KINDS = [
    pytest.param(b, n, id=f"{b}-{n}")
    for b, n in itertools.product(BOUNDARIES, ("vertex", "cell"))
    if (b, n) != ("absorb", "cell")
]


def line(boundary: str, nodes: str = "vertex", size: int = 81) -> Grid:
    return Grid(Axis("x", 0.0, 1.0, size, boundary=boundary, nodes=nodes))  # type: ignore[arg-type]


def plane(boundary: str, nodes: str = "vertex") -> Grid:
    return Grid(
        Axis("x", 0.0, 1.0, 25, boundary=boundary, nodes=nodes),  # type: ignore[arg-type]
        Axis("y", -1.0, 1.0, 40, boundary="reflect"),
    )


def smooth(grid: Grid) -> Landscape:
    """A bump, inside the box and small at its edges, on an offset where the boundary keeps one."""
    offset = 0.0 if any(axis.boundary == "zero" for axis in grid) else 2.0
    values = np.full(grid.shape, 1.0)
    for axis, x in zip(grid, grid.mesh(), strict=True):
        middle = axis.lower + 0.45 * axis.length
        values = values * np.exp(-((x - middle) ** 2) / (2 * (0.07 * axis.length) ** 2))
    return Landscape(values + offset, grid, "bump")


def mean_square(field: Any, grid: Grid) -> float:
    for axis in reversed(grid.axes):
        field = field @ mean_weights(axis)
    return float(field)


def rms(field: Any, grid: Grid) -> float:
    return math.sqrt(mean_square(np.asarray(field) ** 2, grid))


@pytest.mark.parametrize(("step", "factor"), [(1e-4, 139.0), (1e-3, 2.7e21)])
def test_amplification_at_nyquist(step: float, factor: float) -> None:
    """h = 0.01: the wave k = pi / h, alternating from node to node, grows by exp(k^2 dsigma^2 / 2)."""
    # the figures have two and three digits
    assert noise_amplification(math.pi / 0.01, step) == pytest.approx(factor, rel=0.01)
    grid = line("reflect", size=101)
    wave = Landscape((-1.0) ** np.arange(101), grid)
    result = backward(wave, variance_step=step, method="cutoff", parameter=math.pi / 0.01 * (1 + 1e-12))
    assert result.largest_amplification == pytest.approx(noise_amplification(math.pi / 0.01, step), rel=1e-11)
    assert np.abs(result.values).max() == pytest.approx(result.largest_amplification, rel=1e-11)


def test_amplification_beyond_doubles_is_infinite() -> None:
    assert noise_amplification(1000.0, 1.0) == math.inf
    assert noise_amplification(0.0, 1.0) == noise_amplification(5.0, 0.0) == 1.0


@pytest.mark.parametrize("method", METHODS)
def test_multipliers(method: str) -> None:
    """On a single cosine the whole map is one number, given by the formula."""
    grid = line("reflect", size=65)
    k, step = 5 * math.pi, 0.01
    wave = Landscape(np.cos(k * grid[0].coordinates), grid)
    factor = math.exp(-(k**2) * step / 2)
    if method == "cutoff":
        inside = backward(wave, variance_step=step, method=method, parameter=k + 1.0)
        outside = backward(wave, variance_step=step, method=method, parameter=k - 1.0)
        # the waves that are kept round at 1 eps of the field times their factor
        assert np.abs(inside.values - wave.values / factor).max() < 1e-13 / factor
        assert np.abs(outside.values).max() < 1e-12
        assert outside.residual == pytest.approx(rms(wave.values, grid), rel=1e-12)
    else:
        for alpha in (1e-3, 0.1, 3.0):
            result = backward(wave, variance_step=step, method=method, parameter=alpha)
            expected = factor / (factor**2 + alpha)
            assert np.abs(result.values - expected * wave.values).max() < 1e-13 / math.sqrt(alpha)
            left = alpha / (factor**2 + alpha)
            assert result.residual == pytest.approx(left * rms(wave.values, grid), rel=1e-9)
            assert result.cutoff == pytest.approx(math.sqrt(max(0.0, -math.log(alpha)) / step))


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("to", [0.0, 0.06])
def test_predicted_amplification_is_that_of_the_matrix(boundary: str, nodes: str, method: str, to: float) -> None:
    """Every unit field through the map gives its matrix M, and E |M n|^2 = sum of w_i M_ij^2 for white noise n."""
    grid = Grid(
        Axis("x", 0.0, 1.0, 9, boundary=boundary, nodes=nodes),  # type: ignore[arg-type]
        Axis("y", 0.0, 1.0, 8, boundary="absorb"),
    )
    flow = solve(smooth(grid), 0.15)
    result = backward(flow, to=to, method=method, parameter=12.0 if method == "cutoff" else 1e-2)
    units = np.eye(grid.size).reshape(-1, *grid.shape)
    columns = [apply(result._problem, result._multiplier, unit.copy()) for unit in units]
    expected = math.sqrt(sum(rms(column, grid) ** 2 for column in columns))
    assert result.amplification == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_observed_amplification_is_the_predicted(boundary: str, nodes: str, method: str) -> None:
    grid = line(boundary, nodes, 48)
    result = backward(solve(smooth(grid), 0.06), method=method, parameter=40.0 if method == "cutoff" else 1e-3)
    measured = result.measure_amplification(seed=5, samples=200)
    assert abs(measured.observed - measured.predicted) < 4 * measured.standard_error
    assert 0 < measured.standard_error < 0.2 * measured.predicted
    assert measured.predicted == result.amplification > 1
    assert result.measure_amplification(seed=5, samples=200).observed == measured.observed
    assert result.measure_amplification(seed=6, samples=200).observed != measured.observed


def test_the_added_noise_is_followed() -> None:
    grid = plane("reflect")
    flow = solve(smooth(grid), 0.1, "spectral")
    result = backward(flow, noise=1e-3, seed=4)
    noise = 1e-3 * np.random.default_rng(4).standard_normal(grid.shape)
    quiet = backward(flow, parameter=result.parameter)
    noisy = backward(Landscape(flow.values[0] + noise, grid), variance_step=0.01, parameter=result.parameter)
    assert np.abs(noisy.values - result.values).max() < 1e-12
    assert result.observed_amplification == pytest.approx(rms(noisy.values - quiet.values, grid) / 1e-3, rel=1e-9)
    # one field of noise: a handful of waves carry most of it
    assert result.observed_amplification == pytest.approx(result.amplification, rel=0.5)
    assert quiet.observed_amplification is None


@dataclasses.dataclass(frozen=True)
class Uncorrected(Spectral):
    """Leaves the ends in free space as they are, as the backward solve does."""

    def end_nodes(self, axis: Axis, variance: float) -> int:
        return 0


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_residual_is_the_noise(boundary: str, nodes: str, method: str) -> None:
    """A u - y, with A u by a forward solver, against the residual that is reported and the noise that is given."""
    grid = plane(boundary, nodes)
    # at 3 h and more every solver of the Gaussian convolution agrees to round-off
    flow = solve(smooth(grid), [[0.13, 0.16]], "spectral")
    result = backward(flow, noise=1e-3, seed=1, method=method)
    noisy = flow.values[0] + 1e-3 * np.random.default_rng(1).standard_normal(grid.shape)
    again = solve(result.estimate, [[0.13, 0.16]], Uncorrected()).values[0]
    # round-off of the estimate is damped again by the forward solve
    assert rms(again - noisy, grid) == pytest.approx(result.residual, abs=1e-11)
    assert result.tau == pytest.approx(math.sqrt(1 + 3 * math.sqrt(2 / grid.size)))
    target = float(result.tau or 0.0) * 1e-3
    if method == "tikhonov":
        assert result.residual == pytest.approx(target, rel=1e-5)
    else:
        assert result.residual <= target
        field = Landscape(noisy, grid)
        steps = tuple(float(t) for t in flow.variances[0])
        # one step of the search below the cut-off the residual is too large
        below = result.parameter - 2e-3 * math.pi / 2.0
        assert backward(field, variance_step=steps, method=method, parameter=below).residual > target
    assert result.chosen


@pytest.mark.parametrize("method", METHODS)
def test_tau_is_kept(method: str) -> None:
    flow = solve(smooth(plane("periodic")), 0.1, "spectral")
    results = [backward(flow, noise=1e-3, seed=1, method=method, tau=tau) for tau in (1.1, 1.5, 3.0)]
    assert [result.tau for result in results] == [1.1, 1.5, 3.0]
    assert all(result.residual <= (result.tau or 0.0) * 1e-3 * (1 + 1e-5) for result in results)
    amplifications = [result.amplification for result in results]
    assert amplifications == sorted(amplifications, reverse=True)


@pytest.mark.parametrize("method", METHODS)
def test_noise_louder_than_the_signal_leaves_the_mean(method: str) -> None:
    grid = plane("reflect")
    flow = solve(smooth(grid), 0.1)
    result = backward(flow, noise=100.0, method=method)
    # alpha ends at 1e8
    assert np.abs(result.values - mean_square(flow.values[0], grid)).max() < 1e-7
    assert result.cutoff == result.recoverable == 0.0
    assert result.amplification < 1.0


@pytest.mark.parametrize("method", METHODS)
def test_noise_below_the_rounding_is_refused(method: str) -> None:
    grid = line("reflect")
    flow = solve(Landscape(smooth(grid).values.astype(np.float32), grid), 0.2)
    with pytest.raises(UnsupportedError, match="pass a larger noise"):
        backward(flow, noise=1e-17, method=method)


@pytest.mark.parametrize("boundary", ["periodic", "reflect", "absorb"])
def test_truth_inside_the_band_comes_back_with_the_predicted_error(boundary: str) -> None:
    grid = line(boundary, size=257)
    x = grid[0].coordinates
    wave = np.sin if boundary == "absorb" else np.cos
    q = Landscape(wave(2 * np.pi * x) + 0.5 * wave(6 * np.pi * x), grid)
    noise, sigma = 1e-4, 0.08
    flow = solve(q, sigma, "spectral")
    result = backward(flow, noise=noise, seed=2, method="cutoff", parameter=7 * math.pi)
    assert result.recoverable is not None and result.noise_error is not None
    assert result.recoverable > 7 * math.pi
    # all of Q is kept, so the whole error is noise: a few waves, of which one is 3 standard deviations at most
    assert 0.3 * result.noise_error < float(result.error or 0.0) < 3 * result.noise_error
    chosen = backward(flow, noise=noise, seed=2, method="cutoff")
    assert 6 * math.pi <= chosen.cutoff < result.recoverable
    assert float(chosen.error or 1.0) < 3 * float(chosen.noise_error or 0.0)


def test_nothing_outside_the_band_comes_back() -> None:
    grid = line("periodic", size=256)
    x = grid[0].coordinates
    q = Landscape(np.cos(2 * np.pi * x) + 0.1 * np.cos(2 * np.pi * 20 * x), grid)
    for method in METHODS:
        result = backward(solve(q, 0.1, "spectral"), noise=1e-6, seed=2, method=method)
        assert result.recoverable is not None and result.recoverable < 2 * np.pi * 20
        assert rms(result.values - q.values, grid) == pytest.approx(0.1 / math.sqrt(2), rel=0.01)
        assert result.error == pytest.approx(rms(result.values - q.values, grid))


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_round_trip_with_little_noise(boundary: str, nodes: str, method: str) -> None:
    grid = line(boundary, nodes)
    q = smooth(grid)
    flow = solve(q, 0.05, "spectral")
    result = backward(flow, noise=1e-12, seed=0, method=method)
    # of a bump of width w, smoothed by sigma, what has sunk to 1e-12 was (1e-12)^(w^2 / (w^2 + sigma^2)) = 1e-8 of it
    error = rms(result.values - q.values, grid)
    assert error == pytest.approx(result.error, rel=1e-9)
    # beyond clipped ends Q may have kinks, so that the modes come near it less fast there
    assert error < (1e-4 if boundary == "clip" else 1e-6)
    louder = backward(flow, noise=1e-5, seed=0, method=method)
    assert error < 0.05 * rms(louder.values - q.values, grid)


def test_cells_between_held_walls_are_refused() -> None:
    flow = solve(smooth(line("absorb", "cell")), 0.05, "spectral")
    with pytest.raises(UnsupportedError, match=r"(?s)inversion does not support 'absorb'.*axis 'x'.*vertex"):
        backward(flow, noise=1e-5)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_three_dimensions(boundary: str) -> None:
    grid = Grid(
        Axis("x", 0.0, 1.0, 16, boundary=boundary),
        Axis("y", 0.0, 2.0, 15, boundary="periodic"),
        Axis("z", 0.0, 1.0, 14, boundary="clip", nodes="cell"),
    )
    q = smooth(grid)
    flow = solve(q, [[0.1, 0.2, 0.1]], "spectral")
    result = backward(flow, noise=1e-9, seed=0)
    assert float(result.error or 1.0) < 0.1 * rms(flow.values[0] - q.values, grid)
    assert result.values.shape == grid.shape


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("noise", [1e-3, 1e-6])
def test_clipped_edges_come_back_too(method: str, noise: float) -> None:
    """A slope that ends at the edge: y continued as an even function has a kink there, and its inverse is all noise."""
    grid = line("clip", size=121)
    x = grid[0].coordinates
    q = Landscape(3.0 + 2.0 * x + 0.3 * np.cos(3 * x), grid)
    flow = solve(q, 0.1, "direct")
    result = backward(flow, noise=noise, seed=0, method=method)
    # the truth has a kink at the edge: of slope 2, and waves up to k_c, it keeps 2 / (pi k_c) = 0.02 and less
    error = np.abs(result.values - q.values)
    assert error.max() < 0.07
    assert np.abs(flow.values[0] - q.values).max() > 0.07
    assert result.recoverable is not None and result.cutoff < result.recoverable
    assert result.amplification < noise_amplification(result.cutoff, 0.01)
    assert "edge values" in result.assumption
    even = Landscape(flow.values[0], line("reflect", size=121))
    with pytest.raises(UnsupportedError, match="pass a larger noise"):
        backward(even, variance_step=0.01, noise=1e-6, method=method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_part_of_the_way(method: str, boundary: str) -> None:
    """Back to a sigma between: by `to` or by the variance, and nearer to the truth there than the whole way at 0."""
    grid = line(boundary)
    flow = solve(smooth(grid), [0.06, 0.08, 0.1], "spectral")
    some = backward(flow, to=0.06, noise=1e-6, seed=0, method=method)
    same = backward(flow, variance_step=0.1**2 - 0.06**2, noise=1e-6, seed=0, method=method)
    assert np.abs(some.values - same.values).max() < 1e-9
    assert some.variance_step == pytest.approx((0.0064,))
    assert some.error == pytest.approx(rms(some.values - flow.values[0], grid), rel=1e-12)
    assert float(some.error or 1.0) < 0.1 * rms(flow.values[2] - flow.values[0], grid)
    every = backward(flow, noise=1e-6, seed=0, method=method)
    assert some.amplification < every.amplification
    assert float(some.error or 1.0) < float(every.error or 0.0)
    unstored = backward(flow, to=0.07, noise=1e-6, seed=0, method=method)
    assert unstored.error == pytest.approx(rms(unstored.values - flow.at(0.07), grid), rel=1e-9)
    assert backward(flow, index=0, to=0.05, parameter=1.0, method=method).variance_step == pytest.approx((0.0011,))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_an_axis_at_rest_is_left_alone(method: str, boundary: str, rng: np.random.Generator) -> None:
    grid = plane(boundary)
    values = rng.standard_normal(grid.shape)
    parameter = 15.0 if method == "cutoff" else 1e-3
    result = backward(Landscape(values, grid), variance_step=(0.0, 0.01), method=method, parameter=parameter)
    other = Grid(grid[1])
    for i in (0, 7):
        alone = backward(Landscape(values[i], other), variance_step=0.01, method=method, parameter=parameter)
        assert np.abs(result.values[i] - alone.values).max() < 1e-11


def test_unequal_variances_cut_by_what_they_amplify() -> None:
    grid = plane("reflect")
    result = backward(smooth(grid), variance_step=(0.01, 0.04), method="cutoff", parameter=6.0)
    assert result.largest_amplification <= noise_amplification(6.0, 0.04)
    kept = np.argwhere(result._multiplier > 0)
    # k_y = 3 pi / 2 = 4.7 is kept, 2 pi is not; along x twice as many, since sqrt(t) is one half
    assert kept[:, 1].max() == 3
    assert kept[:, 0].max() == 3
    assert backward(smooth(grid), variance_step=(0.01, 0.01), method="cutoff", parameter=6.0)._multiplier[2, 0] == 0


@pytest.mark.parametrize("method", METHODS)
def test_figures_are_monotone_in_the_parameter(method: str) -> None:
    flow = solve(smooth(plane("absorb")), 0.1, "spectral")
    noisy = Landscape(flow.values[0] + 1e-3 * np.random.default_rng(0).standard_normal(flow.grid.shape), flow.grid)
    parameters = [5.0, 10.0, 20.0, 30.0] if method == "cutoff" else [10.0, 1e-1, 1e-3, 1e-5]
    results = [backward(noisy, variance_step=0.01, method=method, parameter=p) for p in parameters]
    for key in ("amplification", "largest_amplification"):
        figures = [getattr(result, key) for result in results]
        assert figures == sorted(figures) and figures[0] < figures[-1]
    residuals = [result.residual for result in results]
    assert residuals == sorted(residuals, reverse=True) and residuals[0] > residuals[-1]


def test_bias_estimate_follows_the_bias() -> None:
    """Without noise the error is the bias; the estimate of it, made from the data alone, is of its size."""
    grid = line("reflect", size=129)
    q = smooth(grid)
    flow = solve(q, 0.05, "spectral")
    for method, parameters in (("cutoff", [20.0, 30.0, 40.0]), ("tikhonov", [1e-1, 1e-3, 1e-5])):
        for parameter in parameters:
            result = backward(flow, method=method, parameter=parameter)
            assert result.error is not None
            assert 0.3 * result.error < result.bias < 10 * result.error


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("boundary", ["periodic", "reflect", "absorb", "clip"])
def test_a_flat_field_and_an_offset_stay(method: str, boundary: str) -> None:
    grid = plane(boundary)
    flat = Landscape(np.full(grid.shape, 1e6), grid)
    result = backward(flat, variance_step=0.01, noise=1e-3, method=method)
    assert np.abs(result.values - 1e6).max() < 1e-6
    bump = smooth(grid).values
    low = backward(Landscape(bump, grid), variance_step=0.01, method=method, parameter=1e-2)
    high = backward(Landscape(bump + 1e6, grid), variance_step=0.01, method=method, parameter=1e-2)
    # round-off of 1e6, amplified by 1 / (2 sqrt(alpha)) at most
    assert np.abs(high.values - low.values - 1e6).max() < 5 * 256 * EPS * 1e6


def test_single_precision_is_solved_in_double() -> None:
    grid = line("reflect")
    q = smooth(grid)
    flow = solve(Landscape(q.values.astype(np.float32), grid), 0.05, "spectral")
    result = backward(flow, noise=2e-7)
    assert result.values.dtype == np.float64
    assert float(result.error or 1.0) < 1e-4


def test_sources_are_not_changed() -> None:
    grid = plane("absorb")
    flow = solve(smooth(grid), 0.1)
    before = flow.values.copy()
    backward(flow, noise=1e-3, seed=0)
    backward(Landscape(flow.values[0], grid), variance_step=0.01, noise=1e-3, seed=0)
    assert np.array_equal(flow.values, before)


def example() -> Evolution:
    return solve(smooth(line("reflect", size=17)), [0.1, 0.2], "spectral")


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({}, OptionError, "amplifies noise"),
        ({"seed": 1, "parameter": 1.0}, OptionError, "no noise"),
        ({"noise": 0.0}, OptionError, "noise"),
        ({"noise": -1.0}, OptionError, "noise"),
        ({"noise": math.nan}, OptionError, "noise"),
        ({"noise": math.inf}, OptionError, "noise"),
        ({"noise": "loud"}, OptionError, "noise"),
        ({"noise": 1e-3, "tau": 0.0}, OptionError, "tau"),
        ({"noise": 1e-3, "seed": -1}, OptionError, "seed"),
        ({"noise": 1e-3, "seed": 0.5}, OptionError, "seed"),
        ({"noise": 1e-3, "method": "magic"}, UnknownNameError, "cutoff"),
        ({"noise": 1e-3, "to": 0.3}, SigmaError, "smaller sigma"),
        ({"noise": 1e-3, "to": 0.2}, SigmaError, "nothing to undo"),
        ({"noise": 1e-3, "to": -0.1}, SigmaError, "not negative"),
        ({"noise": 1e-3, "to": math.nan}, SigmaError, "finite"),
        ({"noise": 1e-3, "to": (0.1, 0.1)}, SigmaError, "wrong shape for the grid"),
        ({"noise": 1e-3, "to": 0.1, "variance_step": 0.01}, SigmaError, "both"),
        ({"noise": 1e-3, "variance_step": 0.05}, SigmaError, "smaller sigma"),
        ({"noise": 1e-3, "variance_step": -0.01}, SigmaError, "not negative"),
        ({"noise": 1e-3, "variance_step": 0.0}, SigmaError, "nothing to undo"),
        ({"noise": 1e-3, "index": 2}, SigmaError, "index"),
        ({"parameter": 0.0}, OptionError, "alpha > 0"),
        ({"parameter": -1.0}, OptionError, "alpha > 0"),
        ({"parameter": math.nan}, OptionError, "alpha > 0"),
        ({"parameter": math.inf, "method": "cutoff"}, OptionError, "k_c >= 0"),
        ({"parameter": -1.0, "method": "cutoff"}, OptionError, "k_c >= 0"),
    ],
)
def test_refusals(options: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        backward(example(), **options)


def test_other_refusals() -> None:
    grid = line("reflect", size=201)
    with pytest.raises(SigmaError, match="variance_step"):
        backward(smooth(grid), noise=1e-3)
    with pytest.raises(SigmaError, match="variance_step"):
        backward(smooth(grid), noise=1e-3, to=0.1)
    with pytest.raises(UnsupportedError, match="needs a single landscape"):
        backward(Landscape(np.zeros((2, 201)), grid), variance_step=0.01, noise=1e-3)
    with pytest.raises(NonFiniteError, match="amplification e"):
        backward(smooth(grid), variance_step=0.01, method="cutoff", parameter=600.0)
    with pytest.raises(ResourceError, match="2048"):
        backward(smooth(line("clip", size=2049)), variance_step=0.01, noise=1e-3)
    with pytest.raises(UnsupportedError, match="correlated"):
        square = Grid(*(Axis(name, 0.0, 1.0, 9, boundary="clip") for name in "xy"))
        backward(solve(smooth(square), covariance=[[0.04, 0.02], [0.02, 0.04]]), noise=1e-3)
    result = backward(smooth(grid), variance_step=0.01, parameter=1e-2)
    with pytest.raises(OptionError, match=r"(?s)samples.*got: 0"):
        result.measure_amplification(1, samples=0)
    with pytest.raises(OptionError, match="seed"):
        result.measure_amplification(-1)


@pytest.mark.parametrize("k", [0, 1])
def test_results_can_be_read_and_written(k: int) -> None:
    given: list[dict[str, Any]] = [{"noise": 1e-3, "seed": 1}, {"parameter": 5.0, "method": "cutoff"}]
    result = backward(example(), **given[k])
    entries = result.as_dict()
    assert json.loads(json.dumps(entries, allow_nan=False)) == entries
    assert set(entries) >= {"method", "parameter", "residual", "amplification", "recoverable", "bias", "error"}
    assert "estimate" not in entries
    text = str(result)
    assert ("discrepancy" in text) is (k == 0)
    for word in ("undone", "band", "noise", "residual", "bias", "error", "outside"):
        assert word in text
    measured = result.measure_amplification(3)
    assert json.loads(json.dumps(measured.as_dict())) == measured.as_dict()
    assert "predicted" in str(measured)
    assert isinstance(result, Backward)
    assert result.estimate.provenance["source"] == "backward"
