"""What noise leaves of each band, and of one wave."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape
from heatpg.errors import OptionError, SigmaError, UnsupportedError
from heatpg.evolution import Evolution, solve
from heatpg.roughness.decay import band_decay, half_amplitude, recoverable_band
from heatpg.solvers import make

BOUNDARIES = ("periodic", "reflect", "absorb", "clip", "zero")
CLOSED = ("periodic", "reflect", "absorb")


def axis(name: str, boundary: str, size: int, nodes: str = "vertex", length: float = 1.0) -> Axis:
    return Axis(name, 0.0, length, size, boundary=boundary, nodes=nodes)  # type: ignore[arg-type]


def kinds(names: tuple[str, ...]) -> list[Any]:
    return [pytest.param(b, n, id=f"{b}-{n}") for b, n in itertools.product(names, ("vertex", "cell"))]


@pytest.mark.parametrize(("boundary", "nodes"), kinds(BOUNDARIES))
@pytest.mark.parametrize("shared", [True, False])
def test_decay_is_the_predicted_one(boundary: str, nodes: str, shared: bool, rng: np.random.Generator) -> None:
    """The spectral solver against the factor of every wave: no further off than its own bound on round-off."""
    grid = Grid(axis("x", boundary, 21, nodes), axis("y", "reflect", 24, "cell", 2.0))
    # in free space the interpolant of rough data has no long tails from 3 h on
    sigma: Any = [0.26, 0.3] if shared else [[0.16, 0.0], [0.0, 0.3], [0.17, 0.4]]
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
    assert "hidden by rounding error" in str(double)
    # e^(-k^2 sigma^2 / 2) is 100 eps and more up to k = 75, and thereabouts with the bound in place of eps
    assert 55 < double.edges[np.flatnonzero(double.visible[1])[-1] + 1] < 76
    single = band_decay(solve(Landscape(q.astype(np.float32), grid), [0.0, 0.1, 10.0], "spectral"))
    assert 0 < single.visible[1].sum() < double.visible[1].sum()
    assert single.worst < 0.01
    assert double.measured[0] == pytest.approx(np.ones(100), rel=1e-13)


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


def test_refusals() -> None:
    grid = Grid(axis("x", "reflect", 9))
    q = Landscape(np.arange(9.0), grid)
    with pytest.raises(UnsupportedError, match="one at a time"):
        band_decay(solve(Landscape(np.ones((2, 9)), grid), 0.1))
    with pytest.raises(UnsupportedError, match="constant landscape"):
        band_decay(solve(Landscape(np.full(9, 3.7), grid), 0.1))
    with pytest.raises(UnsupportedError, match="in these bands"):
        band_decay(solve(q, 0.1), bands=[1e3, 2e3])
    square = Grid(axis("x", "periodic", 8), axis("y", "periodic", 8))
    with pytest.raises(UnsupportedError, match="correlated"):
        band_decay(solve(Landscape(np.eye(8), square), covariance=[[0.04, 0.02], [0.02, 0.04]]))
    for sigma in (0.0, -1.0, math.nan, math.inf, None):
        with pytest.raises(SigmaError, match="sigma"):
            half_amplitude(sigma)  # type: ignore[arg-type]
    for numbers in ((-1.0, 1.0, 1.0), (1.0, math.nan, 1.0), (0.1, 1.0, -1.0), (0.1, 1.0, math.inf)):
        with pytest.raises(OptionError, match="out of range"):
            recoverable_band(*numbers)


def test_results_can_be_read_and_written(rng: np.random.Generator) -> None:
    grid = Grid(axis("x", "clip", 12), axis("y", "absorb", 9), axis("z", "reflect", 4))
    q = Landscape(rng.standard_normal(grid.shape), grid)
    before = q.values.copy()
    result = band_decay(solve(q, [[0.3, 0.2, 0.1]]))
    assert np.array_equal(q.values, before)
    entries = result.as_dict()
    assert json.loads(json.dumps(entries, allow_nan=False)) == json.loads(json.dumps(entries))
    assert "exponent" in str(result) and "0.3, 0.2" in str(result)
    assert "halves" in str(half_amplitude(1.0))


@pytest.mark.parametrize(("boundary", "nodes"), kinds(BOUNDARIES))
@pytest.mark.parametrize("exponent", [-1030, -600, 600, 1000, 1020])
def test_decay_of_squares_beyond_the_range_of_numbers(
    boundary: str, nodes: str, exponent: int, rng: np.random.Generator
) -> None:
    """Amplitudes relative to those of Q do not depend on its unit, but for the rounding that is told."""
    grid = Grid(axis("x", boundary, 21, nodes), axis("y", "reflect", 24, "cell", 2.0))
    values = rng.standard_normal(grid.shape) + 1.0
    near, far = (
        band_decay(solve(Landscape(np.ldexp(values, unit), grid), [0.16, 0.26], "spectral")) for unit in (0, exponent)
    )
    assert near.power_exponent == 0 != far.power_exponent
    np.testing.assert_array_equal(near.visible & far.visible, far.visible)
    assert far.visible.any()
    off = np.abs(far.measured - near.measured)[far.visible]
    assert (off <= (near.floor + far.floor)[far.visible]).all()
    np.testing.assert_allclose(far.predicted, near.predicted, rtol=1e-9, atol=1e-9)
    assert np.ldexp(far.power, 2 * (far.power_exponent - exponent)) == pytest.approx(near.power, rel=1e-9)
