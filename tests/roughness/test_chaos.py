"""What chaos does to a landscape: predicted smoothness, scales that can show it, and both of one landscape."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from heatpg import landscapes
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import HeatpgError, OptionError, UnsupportedError
from heatpg.roughness.chaos import chaos, predicted_holder, scale_window
from heatpg.roughness.exponents import LyapunovEstimate
from tests.systems.equations import complex_step, point_mass_rate


def estimate(exponent=1.0, runs=None, chaotic=None, duration=200.0) -> LyapunovEstimate:
    each = (exponent,) if runs is None else runs
    count = len(each) if chaotic is None else chaotic
    return LyapunovEstimate(
        exponent, 0.1, each, (exponent,), count, np.ones(1), np.ones((len(each), 1)), math.nan, math.nan, duration,
        0.0, 0.01, "tangent", "1/s", "made up",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("gamma", "ratio", "regime"),
    [
        (0.9, 2.10721, "Lipschitz"),
        (0.95, 1.02587, "borderline"),
        (0.99, 0.201007, "fractal"),
        (0.0, math.inf, "Lipschitz"),
        (1.0, 0.0, "fractal"),
    ],
)
def test_predicted_exponent(gamma, ratio, regime):
    found = predicted_holder(gamma, 1.0, 0.05)
    assert found.ratio == pytest.approx(ratio, rel=1e-5)
    assert found.exponent == min(1.0, found.ratio)
    assert found.interval == (found.exponent, found.exponent)
    assert found.regime == regime
    assert found.exponent_per_step == 0.05
    words = "no Hölder exponent" if gamma == 1.0 else regime
    assert str(found).startswith(words)
    json.dumps(found.as_dict(), allow_nan=False)


def test_predicted_exponent_carries_the_interval():
    found = predicted_holder(0.99, 1.0, 0.05, interval=(0.8, 1.25))
    assert found.interval == pytest.approx((0.201007 / 1.25, 0.201007 / 0.8), rel=1e-5)
    assert found.regime == "fractal"
    assert predicted_holder(0.9, 1.0, 0.05, interval=(0.8, 2.2)).regime == "borderline"
    from_runs = predicted_holder(0.99, estimate(1.0, (0.8, 1.25, 0.95)), 0.05)
    assert from_runs == found
    from_one = predicted_holder(0.99, estimate(1.0), 0.05)
    assert from_one.interval == pytest.approx((0.201007 / 1.2, 0.201007 / 0.8), rel=1e-5)


def test_predicted_exponent_of_what_does_not_grow():
    for exponent in (0.0, -0.3):
        found = predicted_holder(0.99, exponent, 0.05)
        assert (found.exponent, found.ratio, found.regime) == (1.0, math.inf, "Lipschitz")
    assert predicted_holder(1.0, -0.3, 0.05).regime == "Lipschitz"
    assert predicted_holder(1.0, 0.0, 0.05).exponent == 0.0
    regular = predicted_holder(0.99, estimate(0.02, (0.019, 0.021), chaotic=0), 0.05)
    assert regular.exponent == 1.0 and regular.exponent_per_step == 0.0
    # up to the resolution of 8/200 per second nothing is known
    assert predicted_holder(0.9999, estimate(0.02, (0.019, 0.021), chaotic=0), 0.05).interval[0] == pytest.approx(
        -math.log(0.9999) / (0.04 * 0.05)
    )
    mixed = predicted_holder(0.99, estimate(1.0, (0.0, 2.0), chaotic=1), 0.05)
    assert mixed.regime == "mixed" and mixed.interval == pytest.approx((0.100503, 1.0), rel=1e-5)
    assert "p down to 0.1" in mixed.sentence


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((1.1, 1.0, 0.05), "gamma"),
        ((math.nan, 1.0, 0.05), "gamma"),
        ((0.9, math.inf, 0.05), "exponent"),
        ((0.9, 1.0, 0.0), "dt"),
    ],
)
def test_bad_predictions_are_refused(arguments, words):
    with pytest.raises(OptionError, match=words):
        predicted_holder(*arguments)
    for interval in ((1.1, 1.2), (1.2, 0.8), (0.5, math.nan), (1.0,)):
        with pytest.raises(OptionError, match="interval"):
            predicted_holder(0.9, 1.0, 0.05, interval=interval)  # type: ignore[arg-type]


def test_scale_window():
    found = scale_window(1.5, 4.0, size=10.0)
    assert found.low == pytest.approx(10.0 * math.exp(-6.0), rel=1e-14) and found.high == 10.0
    assert found.decades == found.visible_decades == pytest.approx(6.0 / math.log(10.0), rel=1e-14)
    assert found.visible and not found.resolved
    fine = scale_window(1.5, 4.0, size=10.0, spacing=0.02)
    assert fine.resolved and fine.visible_decades == fine.decades
    coarse = scale_window(1.5, 4.0, size=10.0, spacing=0.1)
    assert not coarse.resolved and coarse.visible and coarse.visible_decades == pytest.approx(2.0)
    blind = scale_window(1.5, 4.0, size=10.0, spacing=2.0)
    assert not blind.visible and "too few" in str(blind)
    assert scale_window(1.5, 4.0, size=10.0, spacing=20.0).visible_decades == 0.0
    still = scale_window(-0.5, 4.0, size=10.0, spacing=0.1)
    assert (still.low, still.decades, still.visible) == (10.0, 0.0, False)
    assert "no scale" in str(still)
    assert scale_window(1.0, 1e4, size=1.0).low == 0.0  # below the smallest number
    assert scale_window(1.0, 1e4, size=1.0, spacing=0.01).visible_decades == pytest.approx(2.0)
    for window in (found, fine, coarse, blind, still):
        json.dumps(window.as_dict(), allow_nan=False)


@pytest.mark.parametrize(
    "options",
    [{"exponent": math.nan}, {"horizon": 0.0}, {"size": -1.0}, {"size": math.inf}, {"spacing": 0.0}],
)
def test_bad_windows_are_refused(options):
    arguments = {"exponent": 1.0, "horizon": 5.0, "size": 1.0, **options}
    with pytest.raises(OptionError, match=next(iter(options))):
        scale_window(arguments.pop("exponent"), arguments.pop("horizon"), **arguments)


def test_chaos_of_a_landscape():
    q = landscapes.double_pendulum(size=8, horizon=3.0)
    found = chaos(q, duration=100.0, runs=4)
    assert found.estimate.exponent == pytest.approx(1.05, abs=0.3)
    assert found.holder == predicted_holder(0.99, found.estimate, 0.05)
    assert found.within_horizon.duration == pytest.approx(3.0) and found.within_horizon.transient == 0.0
    assert found.windows["torque1"] == scale_window(
        found.within_horizon.exponent, 3.0, size=50.0, spacing=q.grid.spacing[0]
    )
    assert found.estimate.energy_drift < 1e-3
    assert found.verdict == "" and "measured" not in str(found)
    tangent = chaos(q, duration=100.0, runs=4, method="tangent")
    assert tangent.estimate.runs == pytest.approx(found.estimate.runs, rel=1e-3)
    content = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert set(content["windows"]) == {"torque1", "torque2"} and content["measured"] is None
    lines = str(found).splitlines()
    assert any(line.startswith("predicted ") for line in lines) and lines[-1].startswith("scales of torque2")


def test_large_steps_of_a_landscape_are_divided():
    """Gymnasium's single step of 0.2 s would spoil the energy; a landscape with finer steps keeps them."""
    found = chaos(landscapes.double_pendulum(size=4, model="acrobot", horizon=2.0), duration=50.0, runs=2)
    assert found.estimate.step <= 0.005 and found.estimate.duration == pytest.approx(50.0)
    assert found.estimate.energy_drift < 1e-5
    fine = chaos(landscapes.double_pendulum(size=4, horizon=0.5, substeps=25), duration=2.0, runs=2)
    assert fine.estimate.step == pytest.approx(0.002)


def test_growth_within_the_horizon_is_that_of_the_landscape():
    """A torque held for one step and then none: the end of a run is that of an independent Runge-Kutta loop."""
    grid = Grid(Axis("a", 3.0, 3.1, 3, boundary="clip"), Axis("b", -7.0, -6.9, 3, boundary="clip"))
    q = landscapes.double_pendulum(grid, horizon=0.5, state=(1.0, 0.5, -1.0, 2.0), substeps=10, torque_limit=5.0)
    found = chaos(q, duration=1.0, runs=1, seed=5)
    first = np.random.default_rng(5)
    torque = (first.uniform(3.0, 3.1), -5.0)

    def end(start):
        y, h = np.array(start, dtype=complex), 0.005
        for n in range(100):
            tau = torque if n < 10 else (0.0, 0.0)
            k1 = point_mass_rate(y, tau)
            k2 = point_mass_rate(y + h / 2 * k1, tau)
            k3 = point_mass_rate(y + h / 2 * k2, tau)
            k4 = point_mass_rate(y + h * k3, tau)
            y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return y

    growth = complex_step(end, (1.0, 0.5, -1.0, 2.0)) @ np.full(4, 0.5)
    assert found.within_horizon.exponent == pytest.approx(math.log(np.linalg.norm(growth)) / 0.5, abs=1e-5)


def test_chaos_over_gains_is_mixed():
    """Some gains hold the pendulum and some do not; each run has its own."""
    q = landscapes.double_pendulum(size=8, kind="gains", horizon=2.0)
    found = chaos(q, duration=50.0, runs=12)
    assert found.estimate.motion == "mixed" and found.holder.regime == "mixed"
    assert found.estimate.spread[0] < 0.05 and found.estimate.spread[1] > 1.0
    assert "linear policy" in found.estimate.system
    steady = Grid(
        Axis("gain_position", 39.0, 40.0, 3, boundary="clip"), Axis("gain_velocity", 2.0, 3.0, 3, boundary="clip")
    )
    still = chaos(landscapes.double_pendulum(steady, kind="gains", horizon=2.0), runs=2)
    assert still.estimate.motion == "regular" and still.estimate.exponent < -0.05
    assert still.holder.regime == "Lipschitz"


def test_measured_beside_predicted():
    q = landscapes.double_pendulum(size=8, horizon=3.0)
    above = chaos(q, duration=20.0, runs=2, measured=0.6)
    assert "not below the prediction" in above.verdict and "too few scales" in above.verdict
    below = chaos(q, duration=20.0, runs=2, measured=0.01)
    assert "is below the prediction" in below.verdict and "too few scales" in below.verdict
    assert below.as_dict()["measured"] == 0.01
    fine = chaos(landscapes.double_pendulum(size=32, horizon=3.0), duration=20.0, runs=2, measured=0.6)
    assert fine.verdict.startswith("measured p = 0.6, not below") and "too few" not in fine.verdict


def test_landscapes_of_unknown_systems_are_refused():
    q = landscapes.double_pendulum(size=4, horizon=0.5)
    array = Landscape.from_array(np.eye(4), boundary="clip")
    incomplete = Landscape(q.values, q.grid, provenance={"source": "double_pendulum"})
    for landscape in (array, landscapes.quadrotor(size=5, horizon=0.2), incomplete):
        with pytest.raises(UnsupportedError, match="lyapunov_spectrum"):
            chaos(landscape)
    for options, words in (
        ({"duration": 0.07}, "duration"),
        ({"runs": 0}, "runs"),
        ({"measured": math.nan}, "measured"),
        ({"method": "guess"}, "method"),
    ):
        with pytest.raises(HeatpgError, match=words):
            chaos(q, **options)
