"""Lyapunov exponents of maps and flows against exact ones, and what makes an estimate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from heatpg.errors import HeatpgError, NonFiniteError
from heatpg.roughness.exponents import LyapunovEstimate, estimate_from, lyapunov_spectrum

HENON_SUM = math.log(0.3)


def henon(x):
    return np.array([1.0 - 1.4 * x[0] ** 2 + x[1], 0.3 * x[0]])


def lorenz(x):
    return np.array([10.0 * (x[1] - x[0]), x[0] * (28.0 - x[2]) - x[1], x[0] * x[1] - 8.0 / 3.0 * x[2]])


def estimate(exponent=1.0, runs=None, chaotic=None, duration=200.0) -> LyapunovEstimate:
    each = (exponent,) if runs is None else runs
    count = len(each) if chaotic is None else chaotic
    return LyapunovEstimate(
        exponent, 0.1, each, (exponent,), count, np.ones(1), np.ones((len(each), 1)), math.nan, math.nan, duration,
        0.0, 0.01, "tangent", "1/s", "made up",
    )  # fmt: skip


def test_growth_in_the_second_half_decides():
    """Separations that grow as from an unstable equilibrium, and then no more, do not make a motion chaotic."""
    rest: dict[str, Any] = dict(
        energy_drift=math.nan, volume_defect=math.nan, step=1.0, method="tangent", unit="", system="made up"
    )
    growth = np.zeros((3, 21, 1))
    growth[:2, :10], growth[2, 11:] = 1.0, 0.45
    found = estimate_from(growth, 1, 0.5, **rest)
    assert found.chaotic_runs == 1 and found.motion == "mixed"
    assert found.runs == pytest.approx((0.9, 0.9, 0.45))
    assert found.duration == 10.0 and found.transient == 0.5


@pytest.mark.parametrize("jacobian", [lambda x: [4.0 - 8.0 * x], None], ids=["given", "by differences"])
def test_logistic_map_telescopes(jacobian):
    """|f'(x)| = 2 sqrt(f(x)(1 - f(x)) / (x (1 - x))), so N iterations give N ln 2 and the two ends."""
    start, count = 0.3, 500
    found = lyapunov_spectrum(
        lambda x: 4.0 * x * (1.0 - x),
        [start],
        kind="map",
        duration=count,
        transient=0,
        jacobian=jacobian,
    )
    end = start
    for _ in range(count):
        end = 4.0 * end * (1.0 - end)
    expected = math.log(2.0) + 0.5 * math.log(end * (1.0 - end) / (start * (1.0 - start))) / count
    # rounding near x = 1/2, where the slope is small, grows to about 1e-14/|slope| in a term; differences of a
    # quadratic function are exact but for rounding, 1e-11/|slope|
    assert found.exponent == pytest.approx(expected, abs=1e-10 if jacobian else 1e-8)
    assert found.unit == "per iteration" and found.motion == "chaotic"


def test_henon_map():
    """0.4192, as published many times; the sum is ln 0.3 at every step."""
    found = lyapunov_spectrum(henon, [0.1, 0.1], kind="map", duration=4000)
    assert found.standard_error < 0.02
    assert found.exponent == pytest.approx(0.4192, abs=4 * found.standard_error)
    assert sum(found.spectrum) == pytest.approx(HENON_SUM, abs=1e-9)
    one = lyapunov_spectrum(henon, [0.1, 0.1], kind="map", duration=500, exponents=1)
    both = lyapunov_spectrum(henon, [0.1, 0.1], kind="map", duration=500)
    assert one.spectrum == pytest.approx(both.spectrum[:1], rel=1e-9)


def test_lorenz_flow():
    """0.9056, 0, -14.572; the sum is -(sigma + 1 + b) at every point, for Runge-Kutta within (14.6 dt)^5/120/dt."""
    found = lyapunov_spectrum(
        lorenz, [1.0, 1.0, 20.0], kind="flow", duration=60.0, dt=0.01, transient=5.0,
        jacobian=lambda x: [[-10.0, 10.0, 0.0], [28.0 - x[2], -1.0, -x[0]], [x[1], x[0], -8.0 / 3.0]],
    )  # fmt: skip
    assert found.exponent == pytest.approx(0.9056, abs=4 * found.standard_error)
    assert found.standard_error < 0.1
    assert abs(found.spectrum[1]) < 0.05
    assert sum(found.spectrum) == pytest.approx(-41.0 / 3.0, abs=0.05)
    assert found.unit == "per unit of time" and found.motion == "chaotic"


def test_linear_map_and_flow_are_exact():
    matrix = np.array([[1.0, 2.0, 0.3], [0.0, -0.5, 1.0], [0.0, 0.0, 0.2]])
    found = lyapunov_spectrum(lambda x: matrix @ x, [0.0, 0.0, 0.0], kind="map", duration=200)
    assert found.spectrum == pytest.approx(np.log([1.0, 0.5, 0.2]), abs=1e-8)
    rates, dt = np.array([0.4, -0.3, -2.0]), 0.1
    basis = np.array([[1.0, 0.2, 0.0], [0.0, 1.0, 0.5], [0.3, 0.0, 1.0]])
    generator = basis @ np.diag(rates) @ np.linalg.inv(basis)
    flow = lyapunov_spectrum(
        lambda x: generator @ x, [0.0, 0.0, 0.0], kind="flow", duration=50.0, dt=dt, transient=40.0
    )
    z = rates * dt
    growth = np.log(1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24) / dt  # of the classical Runge-Kutta method
    assert flow.spectrum == pytest.approx(growth, abs=1e-8)


def test_map_that_forgets_its_start_in_one_step_has_no_exponent():
    with pytest.raises(NonFiniteError, match="minus infinity"):
        lyapunov_spectrum(
            lambda x: 2.0 * x * (1.0 - x), [0.5], kind="map", duration=10, jacobian=lambda x: [2.0 - 4.0 * x]
        )


def test_blow_up_is_an_error():
    with pytest.raises(NonFiniteError, match="diverged"):
        lyapunov_spectrum(lambda x: x * x, [2.0], kind="map", duration=50)
    with pytest.raises(NonFiniteError, match="diverged"):
        lyapunov_spectrum(lambda x: x * x, [2.0], kind="flow", duration=50.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "flows"}, "did you mean 'flow'"),
        ({"state": []}, "state"),
        ({"state": [math.nan]}, "state"),
        ({"state": "much"}, "state"),
        ({"duration": 0}, "duration"),
        ({"duration": 1.5}, "duration"),
        ({"exponents": 2}, "count exceeds the number of"),
        ({"exponents": 0}, "exponents"),
        ({"renormalise": 0.5}, "renormalise"),
        ({"kind": "flow", "dt": 0.0}, "dt"),
        ({"function": lambda x: np.append(x, 1.0)}, "the wrong shape"),
        ({"function": lambda x: ["a"]}, "cannot be evaluated"),
        ({"jacobian": lambda x: np.eye(2)}, "jacobian returns the wrong shape"),
    ],
)
def test_bad_systems_are_refused(options, words):
    arguments = {"function": lambda x: 0.5 * x, "state": [1.0], "kind": "map", "duration": 10, **options}
    with pytest.raises(HeatpgError, match=words) as caught:
        lyapunov_spectrum(**arguments)
    assert isinstance(caught.value, ValueError)


def test_results_read_well():
    mixed = str(estimate(1.0, (0.0, 2.0), chaotic=1))
    assert "1 of 2 runs chaotic" in mixed and "energy" not in mixed
