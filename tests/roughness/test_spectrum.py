"""Power per band, what noise leaves of it, and the widths of a landscape in place and in wavenumber."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape
from heatpg.errors import GridError, NonFiniteError, SigmaError, UnsupportedError
from heatpg.evolution import Evolution, solve
from heatpg.roughness.decay import band_decay, half_amplitude, recoverable_band
from heatpg.roughness.spectrum import power_spectrum
from heatpg.roughness.uncertainty import uncertainty_product
from heatpg.roughness.waves import mean_square_weights, mean_weights, wavenumbers
from heatpg.solvers import make

EPS = float(np.finfo(np.float64).eps)
BOUNDARIES = ("periodic", "reflect", "absorb", "clip", "zero")
CLOSED = ("periodic", "reflect", "absorb")


def axis(name: str, boundary: str, size: int, nodes: str = "vertex", length: float = 1.0) -> Axis:
    return Axis(name, 0.0, length, size, boundary=boundary, nodes=nodes)  # type: ignore[arg-type]


def kinds(names: tuple[str, ...]) -> list[Any]:
    return [pytest.param(b, n, id=f"{b}-{n}") for b, n in itertools.product(names, ("vertex", "cell"))]


# Power -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("boundary", "nodes"), kinds(BOUNDARIES))
@pytest.mark.parametrize("sizes", [(15,), (16,), (3,), (9, 12), (6, 5, 4)])
def test_parseval(boundary: str, nodes: str, sizes: tuple[int, ...], rng: np.random.Generator) -> None:
    grid = Grid(*(axis(f"x{i}", boundary, n, nodes, 1.0 + i) for i, n in enumerate(sizes)))
    spectrum = power_spectrum(rng.standard_normal(grid.shape) + 0.5, grid)
    assert spectrum.constant + spectrum.power.sum() + spectrum.outside == pytest.approx(spectrum.total, rel=1e-13)
    assert spectrum.outside == 0.0
    assert spectrum.total > 0
    some = power_spectrum(rng.standard_normal(grid.shape) + 0.5, grid, bands=[1.0, 4.0])
    assert some.constant + some.power.sum() + some.outside == pytest.approx(some.total, rel=1e-13)


@pytest.mark.parametrize(("boundary", "nodes"), kinds(("periodic", "reflect")))
def test_total_is_the_mean_square_over_the_box(boundary: str, nodes: str, rng: np.random.Generator) -> None:
    grid = Grid(axis("x", boundary, 11, nodes), axis("y", boundary, 8, nodes))
    values = rng.standard_normal(grid.shape)
    expected = (grid.weights * values**2).sum() / grid.weights.sum()
    spectrum = power_spectrum(values, grid)
    assert spectrum.total == pytest.approx(expected, rel=1e-13)
    mean = (grid.weights * values).sum() / grid.weights.sum()
    assert spectrum.constant == pytest.approx(mean**2, rel=1e-12)


@pytest.mark.parametrize(("boundary", "nodes"), kinds(CLOSED))
def test_a_wave_is_in_its_band(boundary: str, nodes: str) -> None:
    """a cos(k x) cos(l y) has the power a^2 / 4 at |k| = sqrt(k^2 + l^2); of held ends the chord is taken off."""
    grid = Grid(axis("x", boundary, 33, nodes, 2.0), axis("y", "periodic", 24))
    x, y = grid.mesh()
    k, along = 3 * math.pi / 2 * (2 if boundary == "periodic" else 1), 4 * math.pi
    if boundary == "absorb":
        ends = grid[0].coordinates
        x = (x - ends[0]) * 2.0 / (ends[-1] - ends[0])
        k = wavenumbers(grid[0])[3]
        field = 3.0 * np.sin(1.5 * math.pi * x) * np.cos(along * y) + 7.0 - 2.0 * x
    else:
        field = 3.0 * np.cos(k * x) * np.cos(along * y)
    spectrum = power_spectrum(field, grid)
    band = int(np.argmax(spectrum.power))
    assert spectrum.edges[band] <= math.hypot(k, along) < spectrum.edges[band + 1]
    assert spectrum.power[band] == pytest.approx(9.0 / 4.0, rel=1e-12)
    assert np.delete(spectrum.power, band).max() < 1e-24
    assert spectrum.peak == spectrum.wavenumber[band]
    assert spectrum.density[band] == pytest.approx(spectrum.power[band] / np.diff(spectrum.edges)[band])


@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize(("boundary", "nodes"), kinds(CLOSED))
def test_weights_are_those_of_the_finest_wave_too(boundary: str, nodes: str, size: int) -> None:
    """Coefficient by coefficient: the field of each alone has its weight as mean square."""
    from heatpg.solvers.transforms import basis_along

    line = axis("x", boundary, size, nodes)
    for j in range(size):
        unit = np.zeros(size)
        unit[j] = 1.0
        field = basis_along(line).inverse(unit, 0)
        if boundary == "absorb" and j in (0, size - 1):
            assert mean_square_weights(line)[j] == wavenumbers(line)[j] == 0.0
        else:
            assert mean_square_weights(line)[j] == pytest.approx(mean_weights(line) @ field**2, rel=1e-12)


@pytest.mark.parametrize("boundary", ["clip", "zero"])
def test_the_taper_keeps_the_power_of_noise(boundary: str, rng: np.random.Generator) -> None:
    grid = Grid(axis("x", boundary, 200), axis("y", boundary, 150))
    spectrum = power_spectrum(rng.standard_normal(grid.shape), grid)
    # mean square of 30000 numbers of variance 1, whose weights w have mean w^4 = (35/128) / (3/8)^2 per axis
    spread = math.sqrt(2.0 * ((35 / 128) / 0.375**2) ** 2 / 30000)
    assert abs(spectrum.total - 1.0) < 4 * spread
    # no band has more than its share
    share = spectrum.modes / grid.size
    assert np.abs(spectrum.power - share)[20:80].max() < 0.5 * share[20:80].max()


@pytest.mark.parametrize("boundary", ["clip", "zero"])
def test_free_space_knows_no_plane_and_finds_a_wave(boundary: str) -> None:
    grid = Grid(axis("x", boundary, 64), axis("y", boundary, 80, "cell", 2.0))
    x, y = grid.mesh()
    assert power_spectrum(5.0 + 3.0 * x - 2.0 * y, grid).power.sum() < 1e-26
    k = 2 * math.pi * np.array([9.3, 7.2])
    spectrum = power_spectrum(x + 2.0 * np.cos(k[0] * x + k[1] * y), grid)
    assert abs(spectrum.peak - math.hypot(*k)) < 2 * math.pi
    near = np.abs(spectrum.wavenumber - math.hypot(*k)) < 2 * 2 * math.pi + 2 * math.pi
    # a wave of amplitude 2 has the power 2
    assert spectrum.power[near].sum() == pytest.approx(2.0, rel=0.02)


def test_bands() -> None:
    grid = Grid(axis("x", "periodic", 16), axis("y", "reflect", 9))
    values = np.arange(144.0).reshape(16, 9)
    default, four = power_spectrum(values, grid), power_spectrum(values, grid, bands=4)
    largest = math.hypot(16 * math.pi, 8 * math.pi)
    assert default.edges[:3] == pytest.approx([0.0, 3 * math.pi, 5 * math.pi])
    assert default.edges[-1] >= largest > default.edges[-2]
    assert four.edges == pytest.approx(largest * np.arange(5) / 4)
    assert default.modes.sum() == four.modes.sum() == 143
    assert default.power.sum() == pytest.approx(four.power.sum())
    edges = [2 * math.pi, 10.0, 20.0]
    given = power_spectrum(values, grid, bands=edges)
    assert given.edges.tolist() == edges
    assert given.outside > 0
    # lower edges belong to a band, and so does the last upper one
    line = Grid(axis("x", "reflect", 5, length=math.pi))
    assert power_spectrum(np.arange(5.0), line, bands=[1.0, 2.0, 3.0]).modes.tolist() == [1, 2]
    empty = power_spectrum(np.arange(5.0), line, bands=[1.2, 1.5, 3.0])
    assert math.isnan(empty.wavenumber[0]) and empty.power[0] == 0.0
    assert empty.as_dict()["wavenumber"][0] is None


# Decay -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("boundary", "nodes"), kinds(BOUNDARIES))
@pytest.mark.parametrize("shared", [True, False])
def test_decay_is_the_predicted_one(boundary: str, nodes: str, shared: bool, rng: np.random.Generator) -> None:
    """The spectral solver against the factor of every wave: no further off than its own bound on round-off."""
    grid = Grid(axis("x", boundary, 21, nodes), axis("y", "reflect", 24, "cell", 2.0))
    # in free space the interpolant of rough data has no long tails from 3 h on
    sigma: Any = [0.26, 0.3] if shared else [[0.0, 0.3], [0.16, 0.0], [0.17, 0.4]]
    flow = solve(Landscape(rng.standard_normal(grid.shape) + 1.0, grid), sigma, "spectral")
    decay = band_decay(flow)
    assert decay.measured.shape == decay.predicted.shape == (len(flow), len(decay.power))
    assert decay.visible.any(axis=1).all()
    seen = np.isfinite(decay.floor)
    assert (np.abs(decay.measured - decay.predicted)[seen] <= decay.floor[seen]).all()
    assert decay.exponent == pytest.approx(1.0, abs=1e-4)
    assert decay.worst < 0.01


def test_decay_of_one_wave_is_the_formula() -> None:
    """cos(k x) at k = 3, sigma^2 = 0.4: 0.1653, as Monte Carlo says, and not the 0.027 of exp(-k^2 sigma^2)."""
    grid = Grid(axis("x", "periodic", 32, length=2 * math.pi))
    decay = band_decay(solve(Landscape(np.cos(3 * grid[0].coordinates), grid), math.sqrt(0.4), "spectral"))
    assert decay.measured[0, 2] == pytest.approx(math.exp(-1.8), rel=1e-12)
    assert decay.predicted[0, 2] == pytest.approx(0.1653, abs=5e-5)
    assert decay.visible.tolist() == [[False, False, True] + [False] * (len(decay.power) - 3)]
    assert math.isnan(decay.ratio[0, 0])
    assert "visible up to" in str(decay)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_slip_in_the_symbol_is_seen(boundary: str, rng: np.random.Generator) -> None:
    """exp(-|k|^2 t) in place of exp(-|k|^2 t / 2): a field that has had twice the variance."""
    grid = Grid(axis("x", boundary, 40), axis("y", "periodic", 32))
    q = Landscape(rng.standard_normal(grid.shape), grid)
    sigma = 0.09
    right = solve(q, sigma, "spectral")
    slipped = solve(q, math.sqrt(2) * sigma, "spectral").values
    wrong = Evolution(q, right.sigma, slipped, right.solver, paths=right.paths)
    assert band_decay(right).exponent == pytest.approx(1.0, abs=1e-3)
    # the mean of a square is not the square of a mean, so wide bands and mixed waves give somewhat less than 2
    assert band_decay(wrong).exponent == pytest.approx(2.0, abs=0.1 if boundary in CLOSED else 0.35)
    assert band_decay(wrong).worst > 0.5


def test_a_solver_of_the_discrete_flow_shows_its_symbol() -> None:
    grid = Grid(axis("x", "periodic", 32))
    k = 2 * math.pi * 8
    flow = solve(Landscape(np.cos(k * grid[0].coordinates), grid), 0.04, "exponential")
    decay = band_decay(flow)
    symbol = make("exponential").interval_symbol(np.array([k / 32]), grid[0], 0.0, 0.04**2)[0]
    assert decay.measured[0, 7] == pytest.approx(symbol, rel=1e-12)
    assert decay.ratio[0, 7] == pytest.approx(symbol * math.exp(0.5 * (k * 0.04) ** 2), rel=1e-12)
    assert decay.ratio[0, 7] > 1.1


def test_round_off_hides_what_noise_has_removed(rng: np.random.Generator) -> None:
    grid = Grid(axis("x", "reflect", 101))
    q = rng.standard_normal(101)
    double = band_decay(solve(Landscape(q, grid), [0.0, 0.1, 10.0], "spectral"))
    assert double.visible.sum(axis=1).tolist()[0] == 100
    assert double.visible[2].sum() == 0
    assert "hidden by round-off" in str(double)
    # e^(-k^2 sigma^2 / 2) is 100 eps and more up to k = 75, and thereabouts with the bound in place of eps
    assert 55 < double.edges[np.flatnonzero(double.visible[1])[-1] + 1] < 76
    single = band_decay(solve(Landscape(q.astype(np.float32), grid), [0.0, 0.1, 10.0], "spectral"))
    assert 0 < single.visible[1].sum() < double.visible[1].sum()
    assert single.worst < 0.01
    assert double.measured[0] == pytest.approx(np.ones(100), rel=1e-13)


# Formulas ----------------------------------------------------------------------------------------------------------


def test_half_amplitude() -> None:
    half = half_amplitude(0.25)
    assert half.wavenumber * 0.25 == pytest.approx(1.1774, abs=5e-5)
    assert half.wavelength / 0.25 == pytest.approx(5.34, abs=5e-3)
    grid = Grid(axis("x", "periodic", 64, length=half.wavelength))
    flow = solve(Landscape(np.cos(half.wavenumber * grid[0].coordinates), grid), 0.25, "spectral")
    assert flow.values.max() == pytest.approx(0.5, rel=1e-13)
    assert half.as_dict() == {"sigma": 0.25, "wavenumber": half.wavenumber, "wavelength": half.wavelength}


def test_recoverable_band() -> None:
    k = recoverable_band(1e-3, 2.0, 0.04)
    assert 2.0 * math.exp(-(k**2) * 0.04 / 2) == pytest.approx(1e-3, rel=1e-12)
    assert k == pytest.approx(math.sqrt(2 * math.log(2000.0) / 0.04))
    assert recoverable_band(2.0, 1.0, 0.1) == recoverable_band(1.0, 1.0, 0.1) == recoverable_band(0.0, 0.0, 0.1) == 0.0
    assert recoverable_band(0.0, 1.0, 0.1) == recoverable_band(0.5, 1.0, 0.0) == math.inf
    # B / eps overflows, its logarithm does not
    assert recoverable_band(1e-300, 1e300, 1.0) == pytest.approx(math.sqrt(1200 * math.log(10)))


# Uncertainty -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_gaussians_are_the_least(boundary: str, dimensions: int) -> None:
    grid = Grid(*(axis(f"x{i}", boundary, 48, length=16.0) for i in range(dimensions)))
    square = sum((x - 7.9 + 0.1 * i) ** 2 for i, x in enumerate(grid.mesh()))
    result = uncertainty_product(Landscape(-3.0 * np.exp(-np.asarray(square) / 2), grid))
    assert result.bound == dimensions**2 / 4
    assert result.product == pytest.approx(result.bound, rel=1e-10)
    assert result.per_axis == pytest.approx([0.25] * dimensions, rel=1e-10)
    assert result.position_variance == pytest.approx([0.5] * dimensions, rel=1e-10)
    assert result.wavenumber_variance == pytest.approx([0.5] * dimensions, rel=1e-10)
    assert result.edge < 1e-10 and result.nyquist < 1e-10


def test_unequal_widths_are_more_than_the_least() -> None:
    """Per axis 1/4; in total sum(w_i^2 / 2) sum(1 / 2 w_i^2)."""
    grid = Grid(axis("x", "clip", 65, length=16.0), axis("y", "clip", 65, length=40.0))
    x, y = grid.mesh()
    result = uncertainty_product(Landscape(np.exp(-((x - 8) ** 2) / 2 - (y - 20) ** 2 / (2 * 9)), grid))
    assert result.per_axis == pytest.approx([0.25, 0.25], rel=1e-10)
    assert result.product == pytest.approx((1 + 9) / 2 * (1 + 1 / 9) / 2, rel=1e-10)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_hermite_functions(order: int) -> None:
    grid = Grid(axis("x", "zero", 128, length=24.0))
    x = grid[0].coordinates - 12.0
    values = np.polynomial.hermite.hermval(x, [0.0] * order + [1.0]) * np.exp(-(x**2) / 2)
    result = uncertainty_product(Landscape(1e200 * values / np.abs(values).max(), grid))
    assert result.product == pytest.approx((order + 0.5) ** 2, rel=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_others_are_above(seed: int) -> None:
    generator = np.random.default_rng(seed)
    grid = Grid(axis("x", "clip", 80, length=40.0), axis("y", "clip", 80, length=40.0))
    x, y = grid.mesh()
    values = np.zeros(grid.shape)
    for a, b, width, height in generator.uniform([14, 14, 1, -1], [26, 26, 2, 1], (5, 4)):
        values += height * np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * width**2))
    result = uncertainty_product(Landscape(values, grid))
    assert result.edge < 1e-8 and result.nyquist < 1e-8
    assert min(result.per_axis) > 0.25 * (1 + 1e-6)
    assert result.product > 1.0 + 1e-6


def test_a_circle_has_no_edge() -> None:
    """A bump across the seam is the bump in the middle."""
    grid = Grid(axis("x", "periodic", 64, length=20.0))
    x = grid[0].coordinates
    bump = np.exp(-((x - 10.0) ** 2) / 2)
    for shift in (0, 17, 32, 50):
        result = uncertainty_product(Landscape(np.roll(bump, shift), grid))
        assert result.product == pytest.approx(0.25, rel=1e-10)


def test_jumps_and_needles_are_told() -> None:
    grid = Grid(axis("x", "reflect", 101))
    box = uncertainty_product(Landscape(np.ones(101), grid))
    assert box.edge == 1.0 and box.product > 0.25
    assert "jump" in str(box)
    needle = np.zeros(101)
    needle[40] = 2.0
    result = uncertainty_product(Landscape(needle, grid))
    assert result.nyquist == pytest.approx(1.0)
    assert result.position_variance == (0.0,)
    assert "does not resolve" in str(result)


# Input and output --------------------------------------------------------------------------------------------------


def test_refusals() -> None:
    grid = Grid(axis("x", "reflect", 9))
    values = np.arange(9.0)
    q = Landscape(values, grid)
    bad_bands: list[Any] = [
        0,
        -2,
        True,
        2.5,
        [1.0],
        [1.0, 1.0],
        [2.0, 1.0],
        [-1.0, 1.0],
        [0.0, math.nan],
        "fine",
        [[0, 1]],
    ]
    for bands in bad_bands:
        with pytest.raises(UnsupportedError, match="band"):
            power_spectrum(q, bands=bands)
    with pytest.raises(GridError, match="needs a grid"):
        power_spectrum(values)
    with pytest.raises(GridError, match="its own grid"):
        power_spectrum(q, Grid(axis("x", "reflect", 10)))
    with pytest.raises(GridError, match="do not fit"):
        power_spectrum(values[:5], grid)
    with pytest.raises(NonFiniteError):
        power_spectrum(np.where(values == 3, np.nan, values), grid)
    batch = Landscape(np.ones((2, 9)), grid)
    for refused in (power_spectrum, uncertainty_product):
        with pytest.raises(UnsupportedError, match="one by one"):
            refused(batch)
    with pytest.raises(UnsupportedError, match="one by one"):
        band_decay(solve(batch, 0.1))
    with pytest.raises(UnsupportedError, match="flat landscape"):
        band_decay(solve(Landscape(np.full(9, 3.7), grid), 0.1))
    with pytest.raises(UnsupportedError, match="in these bands"):
        band_decay(solve(q, 0.1), bands=[1e3, 2e3])
    with pytest.raises(UnsupportedError, match="f = 0"):
        uncertainty_product(Landscape(np.zeros(9), grid))
    square = Grid(axis("x", "periodic", 8), axis("y", "periodic", 8))
    with pytest.raises(UnsupportedError, match="correlated"):
        band_decay(solve(Landscape(np.eye(8), square), covariance=[[0.04, 0.02], [0.02, 0.04]]))
    for sigma in (0.0, -1.0, math.nan, math.inf, None):
        with pytest.raises(SigmaError, match="sigma"):
            half_amplitude(sigma)  # type: ignore[arg-type]
    for numbers in ((-1.0, 1.0, 1.0), (1.0, math.nan, 1.0), (0.1, 1.0, -1.0), (0.1, 1.0, math.inf)):
        with pytest.raises(SigmaError, match="out of range"):
            recoverable_band(*numbers)


def test_a_flat_landscape_has_no_power() -> None:
    for boundary in BOUNDARIES:
        spectrum = power_spectrum(np.full(9, 3.0), Grid(axis("x", boundary, 9)))
        assert spectrum.power.sum() < 1e-28
        assert spectrum.constant == pytest.approx(9.0 if boundary in ("periodic", "reflect") else 0.0)
    assert math.isnan(power_spectrum(np.zeros(9), Grid(axis("x", "clip", 9))).peak)
    assert "peak" not in str(power_spectrum(np.zeros(9), Grid(axis("x", "clip", 9))))


def test_results_can_be_read_and_written(rng: np.random.Generator) -> None:
    grid = Grid(axis("x", "clip", 12), axis("y", "absorb", 9), axis("z", "reflect", 4))
    q = Landscape(rng.standard_normal(grid.shape), grid)
    before = q.values.copy()
    results: tuple[Any, ...] = (power_spectrum(q), band_decay(solve(q, [[0.3, 0.2, 0.1]])), uncertainty_product(q))
    assert np.array_equal(q.values, before)
    for result, words in zip(
        results, (("rms", "tapered", "chord"), ("exponent", "0.3, 0.2"), ("axis 3",)), strict=True
    ):
        entries = result.as_dict()
        assert json.loads(json.dumps(entries, allow_nan=False)) == json.loads(json.dumps(entries))
        for word in words:
            assert word in str(result)
    assert "halves" in str(half_amplitude(1.0))
