"""Hölder exponents against landscapes of known roughness, mean squares against closed forms, and the refusals."""

from __future__ import annotations

import functools
import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape, landscapes
from heatpg.errors import GridError, OptionError, SigmaError, UnknownNameError, UnsupportedError
from heatpg.evolution import solve
from heatpg.roughness.holder import METHODS, Roughness, holder_exponent
from heatpg.roughness.increments import structure_function

Array = NDArray[Any]


def cube(size: int, dimensions: int, boundary: str) -> Grid:
    return Grid(*(Axis("xyz"[i], 0.0, 2 * math.pi, size, boundary=boundary) for i in range(dimensions)))


def rough_along_axes(size: int, terms: int, dimensions: int, exponent: float) -> Landscape:
    """Sum of one Weierstrass sum along each axis: the exact law of one dimension in several."""
    total: Array = np.zeros((size,) * dimensions)
    for i in range(dimensions):
        line = landscapes.weierstrass(exponent=exponent, size=size, terms=terms, seed=i).values
        total = total + line.reshape([size if k == i else 1 for k in range(dimensions)])
    return Landscape(total, cube(size, dimensions, "periodic"))


def fractional(size: int, dimensions: int, exponent: float, seed: int) -> Landscape:
    """A corner of a Gaussian field of spectral density |k|^-(2p + d): rough on all scales, its edges unrelated."""
    random = np.random.default_rng(seed)
    shape = (2 * size,) * dimensions
    waves = np.meshgrid(*[np.fft.fftfreq(2 * size) * 2 * size] * dimensions, indexing="ij")
    squares = sum(wave**2 for wave in waves)
    squares.flat[0] = 1.0
    coefficients = np.fft.fftn(random.standard_normal(shape)) * squares ** (-0.5 * exponent - 0.25 * dimensions)
    coefficients.flat[0] = 0.0
    field = np.fft.ifftn(coefficients).real[(slice(size),) * dimensions]
    return Landscape(field / field.std(), cube(size, dimensions, "clip"))


def sampled(function: Any, size: int = 256, boundary: str = "clip") -> Landscape:
    grid = Grid(Axis("x", -1.0, 1.0, size, boundary=boundary), Axis("y", -1.0, 1.0, size, boundary=boundary))
    return Landscape.from_function(function, grid)


@functools.cache
def usual() -> tuple[Landscape, Roughness]:
    landscape = landscapes.weierstrass(exponent=0.4, size=4096, terms=11)
    return landscape, holder_exponent(landscape)


# 0.03 is what was asked for. Without its terms B and C no fit would meet it: see the last test of this part.
@pytest.mark.parametrize("exponent", [0.2, 0.35, 0.5, 0.65, 0.8])
def test_every_method_finds_the_exponent_of_a_weierstrass_sum(exponent: float) -> None:
    rough = holder_exponent(landscapes.weierstrass(exponent=exponent, size=8192, terms=12, seed=3))
    print(rough)
    assert {s.method for s in rough.scalings} == set(METHODS)
    assert not rough.refused
    for scaling in rough.scalings:
        assert scaling.exponent == pytest.approx(exponent, abs=0.03)
        assert scaling.interval[0] < exponent < scaling.interval[1]
    assert rough.exponent == pytest.approx(exponent, abs=0.01)
    assert rough.agree and not rough.saturated and rough.noise_floor == 0.0 and rough.smooth_below == 0.0


@pytest.mark.parametrize("exponent", [0.3, 0.6])
def test_a_base_that_shares_nothing_with_the_grid(exponent: float) -> None:
    """Log-periodic oscillation is larger for base 3, and no lag is a multiple of a wavelength."""
    rough = holder_exponent(landscapes.weierstrass(exponent=exponent, base=3, size=10000, terms=8))
    print(rough)
    assert {s.method for s in rough.scalings} == set(METHODS)
    assert [s.exponent for s in rough.scalings] == pytest.approx([exponent] * 4, abs=0.03)


@pytest.mark.parametrize(("size", "terms", "dimensions"), [(256, 7, 2), (64, 5, 3)])
@pytest.mark.parametrize("exponent", [0.3, 0.7])
def test_two_and_three_dimensions(size: int, terms: int, dimensions: int, exponent: float) -> None:
    rough = holder_exponent(rough_along_axes(size, terms, dimensions, exponent))
    print(rough)
    assert "bias" in {s.method for s in rough.scalings}
    for scaling in rough.scalings:
        assert scaling.interval[0] < exponent < scaling.interval[1]
        if scaling.method != "structure":  # increments over 4 to 64 nodes, 7 waves: their oscillation shows
            assert scaling.exponent == pytest.approx(exponent, abs=0.03)


def test_the_waves_of_the_registered_landscape_in_two_dimensions() -> None:
    """Few directions per scale make the power of its long waves a matter of chance: the interval knows."""
    for seed in range(2):
        rough = holder_exponent(landscapes.weierstrass(exponent=0.5, size=256, terms=7, dimensions=2, seed=seed))
        assert rough.interval[0] < 0.5 < rough.interval[1]


def test_reference_slope_of_the_gradient() -> None:
    """A bare slope of -0.609 on a Weierstrass sum of p = 0.4, computed apart from this program: -0.6 and the trend."""
    assert usual()[1]["gradient"].slope == pytest.approx(-0.609, abs=0.005)


@pytest.mark.parametrize("terms", [7, 8])
def test_a_fractal_that_ends_far_above_the_grid(terms: int) -> None:
    """Waves of 64 and 128 nodes at the finest: smooth below, rough above."""
    rough = holder_exponent(landscapes.weierstrass(exponent=0.4, size=2**13, terms=terms))
    print(rough)
    finest = 2 * math.pi / 2 ** (terms - 1)
    assert 0 < rough.smooth_below < 0.25 * finest < rough.window[0]
    assert "smooth below" in rough.verdict
    assert rough.exponent == pytest.approx(0.4, abs=0.03)


def test_a_trend_does_not_matter() -> None:
    landscape = fractional(4096, 1, 0.5, 1)
    tilted = Landscape(landscape.values + 0.5 * landscape.grid[0].coordinates, landscape.grid)
    before, after = holder_exponent(landscape), holder_exponent(tilted)
    for scaling in after.scalings:
        # structure, spread and gradient fit the trend, bias does not see it
        assert scaling.exponent == pytest.approx(before[scaling.method].exponent, abs=0.02)


def test_bare_power_laws_would_fail() -> None:
    _, rough = usual()
    slopes = [rough["structure"].slope, rough["bias"].slope, rough["spread"].slope, rough["gradient"].slope + 1]
    assert max(abs(slope - 0.4) for slope in slopes) > 0.03
    assert max(abs(s.exponent - 0.4) for s in rough.scalings) < 0.01


def test_mean_squares_are_those_of_the_waves() -> None:
    """Q = sum a cos(k x): the waves are orthogonal on the circle, so each adds its own mean square."""
    size, terms, exponent = 1024, 9, 0.4
    grid = Grid(Axis("x", 0.0, 6.0, size, boundary="periodic"))
    rough = holder_exponent(landscapes.weierstrass(grid, exponent=exponent, terms=terms))
    waves = 2.0 ** np.arange(terms) * 2 * math.pi / 6.0
    power = 0.5 * 2.0 ** (-2 * exponent * np.arange(terms))
    closed = {
        "structure": lambda s: 2.0 * (1.0 - np.cos(waves * s)),
        "bias": lambda s: (1.0 - np.exp(-0.5 * (waves * s) ** 2)) ** 2,
        "spread": lambda s: 1.0 - np.exp(-((waves * s) ** 2)),
        "gradient": lambda s: waves**2 * np.exp(-((waves * s) ** 2)),
    }
    assert {s.method for s in rough.scalings} == set(METHODS)
    for scaling in rough.scalings:
        expected = [math.sqrt(float((power * closed[scaling.method](s)).sum())) for s in scaling.scales]
        assert scaling.values == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: np.exp(-(x**2 + y**2) / (2 * 0.2**2)),
        lambda x, y: -(x**2) - 2 * y**2,
        lambda x, y: np.hypot(x, y),
        lambda x, y: x + 2 * y,
        lambda x, y: np.sin(5 * x) * np.cos(4 * y),
    ],
    ids=["bump", "quadratic", "cone", "ramp", "waves"],
)
def test_smooth_landscapes_are_recognised(function: Any) -> None:
    rough = holder_exponent(sampled(function))
    print(rough)
    assert rough.saturated and rough.exponent == 1.0 and rough.interval == (1.0, math.inf)
    assert rough.smooth_below > 4 * 2 / 255
    assert "Lipschitz" in rough.verdict and "at least 1" in rough.verdict
    for method, slope in (("structure", 1.0), ("spread", 1.0), ("gradient", 0.0)):
        assert rough[method].slope == pytest.approx(slope, abs=0.15)
    assert rough["bias"].slope > 1.4  # 2 where smooth, 3/2 for the root mean square of a kink on a line


def test_bias_of_a_smooth_landscape_is_quadratic() -> None:
    """|L - Q| = sigma^2/2 |Laplace Q| + O(sigma^4): slope 2 on a quadratic, to the Gaussian tail outside the box."""
    rough = holder_exponent(sampled(lambda x, y: -(x**2) - 2 * y**2), method="bias")
    assert rough.saturated
    assert rough["bias"].slope == pytest.approx(2.0, abs=0.01)
    assert rough["bias"].values == pytest.approx(3.0 * rough["bias"].scales ** 2, rel=0.02)


def test_jumps_are_told_from_roughness() -> None:
    """A jump along a line: root mean squares go as sqrt(delta), means as delta."""
    rough = holder_exponent(sampled(lambda x, y: np.where(x + 0.3 * y > 0.1, 1.0, 0.0)))
    assert rough.exponent == pytest.approx(0.5, abs=0.03)
    assert rough.intermittency == pytest.approx(0.5, abs=0.05)
    assert "jumps" in rough.verdict
    assert abs(usual()[1].intermittency) < 0.05


def test_noise_is_measured() -> None:
    """Standard deviation of added white noise, within three of its standard errors, and not far within all of them."""
    departures = []
    for seed in range(8):
        clean = fractional(128, 2, 0.6, seed)
        noise = np.random.default_rng(100 + seed).standard_normal(clean.values.shape)
        rough = holder_exponent(Landscape(clean.values + 0.3 * noise, clean.grid), method="bias")
        departures.append((rough.noise_floor - 0.3) / rough.noise_error)
        assert rough.noise_error < 0.05
    print(departures)
    assert max(map(abs, departures)) < 3.0
    assert np.sqrt(np.mean(np.square(departures))) < 1.5  # chi-squared with 8 degrees of freedom: p = 0.02


@pytest.mark.parametrize("seed", range(3))
def test_no_noise_is_found_where_there_is_none(seed: int) -> None:
    assert holder_exponent(fractional(128, 2, 0.3, seed), method="bias").noise_floor == 0.0


def test_noise_on_the_values_does_not_move_the_exponent() -> None:
    landscape = landscapes.weierstrass(exponent=0.6, size=8192, terms=12)
    noise = np.random.default_rng(1).standard_normal(8192)
    rough = holder_exponent(Landscape(landscape.values + 0.2 * noise, landscape.grid))
    print(rough)
    # without B and the noise taken off, the bias alone would be flat below sigma of 0.1
    assert rough.noise_floor == pytest.approx(0.2, abs=3 * rough.noise_error)
    for scaling in rough.scalings:
        assert scaling.interval[0] < 0.6 < scaling.interval[1]
    assert rough.exponent == pytest.approx(0.6, abs=0.06)
    assert "+-" in str(rough)


def test_intervals_hold_what_they_promise() -> None:
    """20 fields: at least 16 intervals of 95 % must hold the exponent (fewer has a probability of 0.003).

    Measured apart from this test. 60 fields of 1024 nodes, p = 0.3 and 0.6: structure 100 and 100 %, bias 100 and 92,
    spread 97 and 95, gradient 90 and 95. 40 fields of 256^2 nodes, p = 0.4 and 0.6: structure 100 and 100 % (standard
    errors 2.5 times the scatter), bias 100 and 98, spread 100 and 100, gradient 98 and 100.
    """
    held = dict.fromkeys((*METHODS, "all"), 0)
    widths = []
    for seed in range(20):
        rough = holder_exponent(fractional(1024, 1, 0.5, seed))
        intervals = {s.method: s.interval for s in rough.scalings} | {"all": rough.interval}
        for method, (low, high) in intervals.items():
            held[method] += low < 0.5 < high
        widths.append(rough.interval[1] - rough.interval[0])
    print(held, np.median(widths))
    assert min(held.values()) >= 16
    assert np.median(widths) < 0.4


def test_confidence_scales_the_interval() -> None:
    landscape, rough = usual()
    narrow = holder_exponent(landscape, confidence=0.5)
    for scaling in rough.scalings:
        other = narrow[scaling.method]
        assert other.exponent == scaling.exponent
        # quantiles of Student's distribution with 15 degrees of freedom
        assert (other.interval[1] - other.exponent) / (scaling.interval[1] - scaling.exponent) == pytest.approx(
            0.6912 / 2.13145, rel=1e-4
        )


def test_units_do_not_matter() -> None:
    landscape, rough = usual()
    axis = Axis("torque", -3.0, 3.0, 4096, boundary="periodic")
    scaled = holder_exponent(Landscape(1e6 * landscape.values + 1e7, Grid(axis)))
    for scaling in rough.scalings:
        other = scaled[scaling.method]
        assert other.exponent == pytest.approx(scaling.exponent, abs=1e-6)
        assert other.scales == pytest.approx(scaling.scales * 6.0 / (2 * math.pi))
        unit = 1e6 * (2 * math.pi / 6.0 if scaling.method == "gradient" else 1.0)
        assert other.values == pytest.approx(unit * scaling.values, rel=1e-6)
        assert other.fitted == pytest.approx(unit * scaling.fitted, rel=1e-5, nan_ok=True)
    single = holder_exponent(Landscape(landscape.values.astype(np.float32), landscape.grid))
    assert single.exponent == pytest.approx(rough.exponent, abs=1e-4)


def test_fit_is_close_to_what_was_measured() -> None:
    for scaling in usual()[1].scalings:
        inside = ~np.isnan(scaling.fitted)
        assert scaling.scales[inside][[0, -1]].tolist() == list(scaling.window)
        departure = (scaling.fitted[inside] / scaling.values[inside]) ** 2 - 1.0
        assert np.sqrt((departure**2).mean()) == pytest.approx(scaling.residual, rel=1e-6)


def test_one_axis_alone() -> None:
    """Rough along x, smooth along y."""
    line = landscapes.weierstrass(exponent=0.4, size=256, terms=7).values
    grid = cube(256, 2, "periodic")
    landscape = Landscape(line[:, None] + np.sin(grid.mesh()[1]), grid)
    for axis in ("x", 0):
        along = holder_exponent(landscape, axis=axis, method="gradient")
        assert along.exponent == pytest.approx(0.4, abs=0.03)
    across = holder_exponent(landscape, axis="y")
    assert across.saturated
    with pytest.raises(GridError, match="axis is out of range"):
        holder_exponent(landscape, axis=2)
    with pytest.raises(GridError, match="no axis with this name"):
        holder_exponent(landscape, axis="z")


def test_axes_of_different_spacing_count_in_nodes() -> None:
    landscape = rough_along_axes(128, 6, 2, 0.4)
    grid = Grid(Axis("x", 0.0, 1.0, 128, boundary="periodic"), Axis("y", 0.0, 100.0, 128, boundary="periodic"))
    even, uneven = holder_exponent(landscape), holder_exponent(Landscape(landscape.values, grid))
    for scaling in even.scalings:
        assert uneven[scaling.method].exponent == pytest.approx(scaling.exponent, abs=1e-6)
        assert uneven[scaling.method].scales == pytest.approx(scaling.scales * 10.0 / (2 * math.pi))


def test_what_lies_beyond_the_box_is_left_out() -> None:
    """On a ramp under clip, L - Q is sigma E(Z - d)+ at d sigma from an edge: 0.0034 sigma at the 1 % margin."""
    rough = holder_exponent(sampled(lambda x, y: x), method="bias")
    assert (rough["bias"].values <= 0.0034 * rough["bias"].scales).all()
    landscape = fractional(512, 1, 0.4, 0)
    for boundary in ("reflect", "zero"):
        other = Landscape(landscape.values, cube(512, 1, boundary))
        for method in ("bias", "spread", "gradient"):
            assert holder_exponent(other, method=method).exponent == pytest.approx(
                holder_exponent(landscape, method=method).exponent, abs=0.01
            )


def test_an_evolution_brings_its_sigmas() -> None:
    landscape, rough = usual()
    sigma = np.geomspace(0.004, 0.3, 9)
    given = holder_exponent(solve(landscape, [0.0, 1e-4, *sigma, 3.0]))
    assert {s.method for s in given.scalings} == set(METHODS)
    assert given["bias"].scales == pytest.approx(sigma)
    assert given["structure"].exponent == rough["structure"].exponent
    for scaling in given.scalings:
        assert scaling.exponent == pytest.approx(0.4, abs=0.03)
    fields = solve(landscape, sigma)
    expected = np.sqrt(((fields.values - landscape.values) ** 2).mean(axis=1))
    assert given["bias"].values == pytest.approx(expected, rel=1e-10)
    expected = np.sqrt((fields.gradient() ** 2).mean(axis=(1, 2)))
    assert given["gradient"].values == pytest.approx(expected, rel=1e-10)


def test_an_evolution_along_one_axis() -> None:
    landscape = rough_along_axes(256, 7, 2, 0.4)
    sigma = np.geomspace(0.04, 0.5, 8)
    flow = solve(landscape, {"x": sigma.tolist(), "y": 0.0})
    for axis in (None, "x"):
        along = holder_exponent(flow, axis=axis, method="gradient")
        assert along.exponent == pytest.approx(0.4, abs=0.03)
    with pytest.raises(UnsupportedError, match="along this axis only"):
        holder_exponent(flow, axis="y", method="bias")
    with pytest.raises(SigmaError, match="ratio"):
        holder_exponent(solve(landscape, np.stack([sigma, sigma**2], axis=1)), method="bias")
    with pytest.raises(UnsupportedError, match="correlated"):
        holder_exponent(solve(landscape, covariance=0.01 * np.array([[2.0, 1.0], [1.0, 2.0]])), method="spread")


def test_too_few_sigmas_are_refused() -> None:
    landscape, _ = usual()
    flow = solve(landscape, [0.01, 0.02, 0.05, 0.1])
    with pytest.raises(SigmaError, match="too few noise levels"):
        holder_exponent(flow, method="spread")
    rough = holder_exponent(flow)
    assert [s.method for s in rough.scalings] == ["structure"]
    assert set(rough.refused) == {"bias", "spread", "gradient"}
    assert "only 1 of 4" in rough.verdict
    # sigmas that a box in free space does not hold do not count
    clipped = solve(fractional(512, 1, 0.5, 0), np.linspace(1.2, 2.0, 8))
    with pytest.raises(SigmaError, match="0 of 8"):
        holder_exponent(clipped, method="bias")


def test_too_few_scales_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="no noise levels lie") as refusal:
        holder_exponent(fractional(48, 2, 0.5, 0), method="bias")
    assert "at least 60" in str(refusal.value)
    with pytest.raises(UnsupportedError, match="a fit needs"):
        holder_exponent(fractional(24, 2, 0.5, 0))
    landscape, rough = usual()
    low = rough["bias"].window[0]
    with pytest.raises(UnsupportedError, match="the window holds"):
        holder_exponent(landscape, method="bias", window=(low, 1.5 * low))


@pytest.mark.parametrize("method", ["structure", "bias", "all"])
def test_noise_above_the_structure_is_refused(method: str) -> None:
    clean = fractional(128, 2, 0.5, 0)
    noise = np.random.default_rng(0).standard_normal(clean.values.shape)
    for values in (noise, 0.02 * clean.values + noise):
        with pytest.raises(UnsupportedError, match="does not rise above"):
            holder_exponent(Landscape(values, clean.grid), method=method)


def test_waves_of_one_length_have_no_exponent() -> None:
    with pytest.raises(UnsupportedError, match="no Hölder exponent"):
        holder_exponent(sampled(lambda x, y: np.sin(25 * x) * np.cos(25 * y)))


def test_flat_landscapes_are_refused() -> None:
    grid = cube(64, 1, "periodic")
    for values in (np.zeros(64), np.full(64, 0.1), np.full(64, -3.3, np.float32)):
        with pytest.raises(UnsupportedError, match="constant"):
            holder_exponent(Landscape(values, grid))
        with pytest.raises(UnsupportedError, match="constant"):
            structure_function(Landscape(values, grid))


def test_bad_input_is_refused() -> None:
    landscape, _ = usual()
    batch = Landscape(np.stack([landscape.values] * 2), landscape.grid)
    with pytest.raises(UnsupportedError, match="batch"):
        holder_exponent(batch)
    with pytest.raises(UnsupportedError, match="batch"):
        structure_function(batch)
    with pytest.raises(UnknownNameError, match="unknown method"):
        holder_exponent(landscape, method="wavelet")
    for window in ((0.1, 0.01), (-1.0, 1.0), (0.1, math.nan), (0.1,)):
        with pytest.raises(OptionError, match="window"):
            holder_exponent(landscape, window=window)  # type: ignore[arg-type]
    for confidence in (0.0, 1.0, math.nan):
        with pytest.raises(OptionError, match="confidence"):
            holder_exponent(landscape, confidence=confidence)
    for moments in ([], [0.0], [1.0, math.inf]):
        with pytest.raises(OptionError, match="moments"):
            structure_function(landscape, moments=moments)
    bad_lags: list[Any] = [[], [0], [2.5], [2049], ["a"], [math.nan]]
    for lags in bad_lags:
        with pytest.raises(GridError, match="lags"):
            structure_function(landscape, lags=lags)
    with pytest.raises(OptionError, match=r"Landscape.*or an Evolution"):
        holder_exponent(landscape.values)  # type: ignore[arg-type]


def test_a_window_is_kept() -> None:
    landscape, _ = usual()
    rough = holder_exponent(landscape, window=(0.01, 0.3))
    for scaling in rough.scalings:
        inside = scaling.scales[(scaling.scales >= 0.01) & (scaling.scales <= 0.3)]
        assert scaling.window == (inside[0], inside[-1])
        assert scaling.interval[0] < 0.4 < scaling.interval[1]
    smooth = holder_exponent(sampled(lambda x, y: x**2 + y), method="structure", window=(0.02, 0.2))
    assert smooth.saturated and smooth.window[0] >= 0.02


def test_results_can_be_read_and_stored() -> None:
    _, rough = usual()
    text = str(rough)
    assert text.startswith("rough between") and text.count("\n") == 5
    assert all(method in text for method in METHODS) and "noise" in text
    stored = json.loads(json.dumps(rough.as_dict(), allow_nan=False))
    assert stored["exponent"] == rough.exponent and stored["noise_error"] is None
    assert [s["method"] for s in stored["scalings"]] == list(METHODS)
    assert stored["verdict"] == rough.verdict
    with pytest.raises(UnknownNameError, match="no fit with 'wavelet'"):
        rough["wavelet"]
    smooth = holder_exponent(sampled(lambda x, y: x**2 + y), method="structure")
    assert json.loads(json.dumps(smooth.as_dict(), allow_nan=False))["interval"] == [1.0, None]
    assert "p >= 1" in str(smooth)
    measured = structure_function(usual()[0], lags=[1, 2])
    assert json.loads(json.dumps(measured.as_dict(), allow_nan=False))["lags"] == [1, 2]
    assert str(measured).count("\n") == 3


@pytest.mark.parametrize("shape", [(12,), (31,), (7, 40), (5, 9, 9)])
def test_grids_with_too_few_nodes_are_refused(shape: tuple[int, ...]) -> None:
    grid = Grid(*(Axis(f"x{i}", 0.0, 1.0, n, boundary="clip") for i, n in enumerate(shape)))
    landscape = Landscape(np.random.default_rng(0).standard_normal(shape), grid)
    with pytest.raises(UnsupportedError, match="too few"):
        holder_exponent(landscape)
