"""Lyapunov exponents against exact ones, two methods against each other, and what follows from them for a landscape."""

from __future__ import annotations

import itertools
import json
import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm

from heatpg import landscapes
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import HeatpgError, HeatpgWarning, NonFiniteError, UnsupportedError
from heatpg.roughness import exponents as module
from heatpg.roughness.chaos import chaos, predicted_holder, scale_window
from heatpg.roughness.exponents import LyapunovEstimate, lyapunov_exponent, lyapunov_spectrum
from heatpg.systems.pendulum import MODELS, rates
from heatpg.tools.parallel import set_threads, threads

UPRIGHT = (math.pi, 0.0, 0.0, 0.0)
HENON_SUM = math.log(0.3)


def point_mass_rate(y, tau):
    """Unit point masses in absolute angles: [[2, c], [c, 1]] phi'' = forces, c = cos(phi1 - phi2)."""
    g = 9.81
    phi1, phi2, w1, w2 = y[0], y[0] + y[1], y[2], y[2] + y[3]
    c, s = np.cos(phi1 - phi2), np.sin(phi1 - phi2)
    forces = [tau[0] - tau[1] - s * w2**2 - 2 * g * np.sin(phi1), tau[1] + s * w1**2 - g * np.sin(phi2)]
    a1, a2 = np.linalg.solve(np.array([[2.0, c], [c, 1.0]]), np.array(forces))
    return np.array([y[2], y[3], a1, a2 - a1])


def acrobot_rate(y, tau):
    """Gymnasium's Acrobot ("book" equations), with a torque at the first joint added."""
    lc, g = 0.5, 9.8
    theta1, theta2, w1, w2 = y
    d1 = 2 * lc**2 + 1 + 2 * lc * np.cos(theta2) + 2
    d2 = lc**2 + lc * np.cos(theta2) + 1
    phi2 = lc * g * np.sin(theta1 + theta2)
    phi1 = -lc * w2**2 * np.sin(theta2) - 2 * lc * w2 * w1 * np.sin(theta2) + (lc + 1) * g * np.sin(theta1) + phi2
    phi1 -= tau[0]
    a2 = (tau[1] + d2 / d1 * phi1 - lc * w1**2 * np.sin(theta2) - phi2) / (lc**2 + 1 - d2**2 / d1)
    return np.array([w1, w2, -(d2 * a2 + phi1) / d1, a2])


RATES = {"point_mass": point_mass_rate, "acrobot": acrobot_rate}


def complex_step(function, x):
    """Jacobian without cancellation: Im f(x + i h) / h."""
    columns = []
    for i in range(len(x)):
        z = np.array(x, dtype=complex)
        z[i] += 1e-30j
        columns.append(np.imag(function(z)) / 1e-30)
    return np.array(columns).T


def linearised(model):
    """A and B of (s - upright)' = A (s - upright) + B tau."""
    rate = RATES[model]
    drift = complex_step(lambda y: rate(y, (0.0, 0.0)), UPRIGHT)
    control = complex_step(lambda tau: rate(np.array(UPRIGHT, dtype=complex), tau), (0.0, 0.0))
    return drift, control


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


@pytest.fixture
def _own_threads() -> Iterator[None]:
    before = threads()
    yield
    set_threads(before)


@pytest.mark.parametrize("model", RATES)
def test_rates_and_their_derivatives(model, rng):
    """Against equations of another form, differentiated by complex steps; round-off times terms up to some 1e3."""
    coefficients = MODELS[model].coefficients()
    for _ in range(50):
        x, tau = rng.uniform(-6, 6, 4), rng.uniform(-20, 20, 2)
        rows, torque, out = np.vstack([x, np.eye(4)]), np.zeros((5, 2)), np.empty((5, 4))
        torque[0] = tau
        rates(rows, torque, True, coefficients, out)
        assert np.allclose(out[0], RATES[model](x, tau), rtol=1e-12, atol=1e-11)
        assert np.allclose(out[1:].T, complex_step(lambda y, t=tau: RATES[model](y, t), x), rtol=1e-11, atol=1e-10)
        rows, torque = np.vstack([x, np.zeros((2, 4))]), np.vstack([tau, np.eye(2)])
        rates(rows, torque, True, coefficients, out[:3])
        by_torque = complex_step(lambda t, y=x: RATES[model](y.astype(complex), t), tau)
        assert np.allclose(out[1:3].T, by_torque, rtol=1e-11, atol=1e-11)


def test_upright_equilibrium_has_the_exponents_of_its_linearisation():
    """+-sqrt(g (2 +- sqrt 2)): frames align like exp(-3.39 t), so to 1e-3 after 2 s; Runge-Kutta errs by 1e-7."""
    found = lyapunov_exponent(state=UPRIGHT, runs=1, transient=2.0, duration=2.0)
    fast, slow = math.sqrt(9.81 * (2 + math.sqrt(2))), math.sqrt(9.81 * (2 - math.sqrt(2)))
    assert found.spectrum == pytest.approx((fast, slow, -slow, -fast), abs=2e-3)
    pair = lyapunov_exponent(state=UPRIGHT, runs=1, transient=2.0, duration=1.0, method="two_trajectory")
    assert pair.exponent == pytest.approx(fast, abs=2e-3)


@pytest.mark.parametrize("model", RATES)
def test_linear_policy_has_the_exponents_of_its_closed_loop(model):
    """Torque held during the control step: ln |eigenvalue| / step of exp(A dt) + integral exp(A s) B ds K."""
    gains = np.array([-90.0, -20.0, -12.0, -3.0, -15.0, -60.0, -2.0, -7.0])
    control = 0.05
    drift, push = linearised(model)
    block = expm(np.block([[drift, push], [np.zeros((2, 6))]]) * control)
    eigenvalues = np.linalg.eigvals(block[:4, :4] + block[:4, 4:] @ gains.reshape(2, 4))
    expected = np.sort(np.log(np.abs(eigenvalues)) / control)[::-1]
    found = lyapunov_exponent(
        model=model, state=UPRIGHT, gains=gains.tolist(), control_step=control, runs=1, duration=40.0, torque_limit=50.0
    )
    # a complex pair turns the frame: its two exponents come within (ln of the condition)/duration
    assert np.allclose(found.spectrum, expected, atol=0.1)
    assert found.spectrum[0] + found.spectrum[1] == pytest.approx(expected[:2].sum(), abs=0.1)
    assert sum(found.spectrum) == pytest.approx(expected.sum(), abs=1e-4)
    assert math.isnan(found.energy_drift) and math.isnan(found.volume_defect)
    assert found.motion == "regular" and expected[0] < 0.0


def test_both_methods_on_one_trajectory():
    """The motion is the same to the bit; a separation of 1e-7 costs its curvature and its rounding, each below 1e-5."""
    found = {name: lyapunov_exponent(method=name, runs=2, duration=100.0) for name in ("tangent", "two_trajectory")}
    one, two = found["tangent"], found["two_trajectory"]
    assert two.runs == pytest.approx(one.runs, rel=1e-4)
    assert np.allclose(two.history, one.history, rtol=0.0, atol=1e-3)
    assert one.energy_drift == two.energy_drift
    assert len(one.spectrum) == 4 and len(two.spectrum) == 1


def test_both_methods_with_a_clipped_policy():
    """The derivative of the clipped torque; a few of the 2,000 control steps have the two motions either side of it."""
    options: dict[str, Any] = dict(
        gains=(-9.0, 0.0, 1.0, 0.0, 0.0, 4.0, 0.0, 0.5), torque_limit=2.0, runs=2, duration=100.0
    )
    one, two = (lyapunov_exponent(method=name, **options) for name in ("tangent", "two_trajectory"))
    assert one.motion == "chaotic"
    assert two.runs == pytest.approx(one.runs, rel=0.02)


def test_near_upright_start_is_chaotic():
    """1.0 /s by two independent programs, single runs of minutes from 0.8 to 1.15."""
    found = lyapunov_exponent()
    assert found.motion == "chaotic"
    assert found.exponent == pytest.approx(1.0, abs=0.1)
    assert 0.6 < found.spread[0] < found.exponent < found.spread[1] < 1.3
    assert found.energy_drift < 1e-3
    # a conservative system has pairs +-, two of them zero, within what linear growth leaves: ln(210)/200 and a factor
    assert found.spectrum[0] == pytest.approx(-found.spectrum[3], abs=0.03)
    assert np.allclose(found.spectrum[1:3], 0.0, atol=0.03)


def test_acrobot_is_less_chaotic():
    assert 0.2 < lyapunov_exponent(model="acrobot").exponent < 0.6


def test_phase_volume_is_kept_at_the_order_of_the_integrator():
    """Liouville: the sum of the exponents is the rate of -ln det M exactly, for Runge-Kutta to its fourth order."""
    defects = [
        lyapunov_exponent(state=(2.0, 1.0, 0.5, -0.5), runs=1, transient=0.0, duration=4.0, dt=dt).volume_defect
        for dt in (0.01, 0.005, 0.0025)
    ]
    assert defects[1] < 1e-4
    assert all(coarse / fine > 2**3.5 for coarse, fine in itertools.pairwise(defects))


@pytest.mark.parametrize("method", ["tangent", "two_trajectory"])
@pytest.mark.parametrize("state", [(0.1, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0), (0.5, 0.2, 0.0, 0.0)])
def test_small_oscillations_are_regular(state, method):
    found = lyapunov_exponent(state=state, method=method, runs=2, dt=0.01)
    assert found.motion == "regular" and found.chaotic_runs == 0
    assert abs(found.exponent) < found.resolution == 8.0 / 200.0
    assert "cannot be told from zero" in str(found)
    # separations grow linearly at most: the exponent falls with time
    longer = lyapunov_exponent(state=state, method=method, runs=1, dt=0.01, duration=1000.0)
    assert abs(longer.exponent) < 0.008
    assert predicted_holder(0.99, found, 0.05).regime == "Lipschitz"


def test_history_ends_at_the_result():
    found = lyapunov_exponent(runs=3, duration=150.0, transient=5.0)
    assert found.history.shape == (3, len(found.times)) and len(found.times) == 200
    assert np.allclose(found.history[:, -1], found.runs, rtol=1e-12)
    assert found.times[0] == 0.5 and found.times[-1] == found.duration == 150.0
    assert found.transient == 5.0
    assert found.exponent == pytest.approx(np.mean(found.runs))
    assert found.standard_error == pytest.approx(np.std(found.runs, ddof=1) / math.sqrt(3))


def test_one_run_has_a_standard_error_from_its_parts():
    found = lyapunov_exponent(runs=1, duration=200.0)
    assert 0.01 < found.standard_error < 0.3
    low, high = found.interval
    assert high - found.exponent == pytest.approx(2 * found.standard_error)
    assert found.exponent - low == pytest.approx(2 * found.standard_error)
    short = lyapunov_exponent(runs=1, duration=5.0)
    assert math.isnan(short.standard_error)
    assert short.interval == (short.exponent, short.exponent)


@pytest.mark.usefixtures("_own_threads")
def test_threads_do_not_change_a_bit_and_the_seed_does():
    found = []
    for count in (1, 2):
        set_threads(count)
        found.append(lyapunov_exponent(duration=20.0, seed=3))
    assert found[0].runs == found[1].runs and np.array_equal(found[0].history, found[1].history)
    other = lyapunov_exponent(duration=20.0, seed=4)
    assert other.runs[0] == found[0].runs[0] and other.runs[1] != found[0].runs[1]


def test_growth_in_the_second_half_decides():
    """Separations that grow as from an unstable equilibrium, and then no more, do not make a motion chaotic."""
    rest: dict[str, Any] = dict(
        energy_drift=math.nan, volume_defect=math.nan, step=1.0, method="tangent", unit="", system="made up"
    )
    growth = np.zeros((3, 21, 1))
    growth[:2, :10], growth[2, 11:] = 1.0, 0.45
    found = module._estimate(growth, 1, 0.5, **rest)
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
    with pytest.raises(NonFiniteError, match="ceased to be finite"):
        lyapunov_spectrum(lambda x: x * x, [2.0], kind="map", duration=50)
    with pytest.raises(NonFiniteError, match="ceased to be finite"):
        lyapunov_spectrum(lambda x: x * x, [2.0], kind="flow", duration=50.0)
    for method in ("tangent", "two_trajectory"):
        with pytest.raises(NonFiniteError, match="lower dt") as caught:
            lyapunov_exponent(state=(3.0, 0.0, 80.0, -90.0), dt=0.25, method=method)
        assert "dt=0.25" in str(caught.value)
        with pytest.raises(NonFiniteError, match="lower dt"):  # every number is finite, but none means anything
            tiny = 1e-12
            lyapunov_exponent(
                state=(0.0, 0.0, 2e9, 0.0), dt=tiny, renormalise=tiny, duration=9 * tiny, transient=0.0, method=method
            )


def test_loss_of_energy_is_said():
    with pytest.warns(HeatpgWarning, match="changed the energy"):
        found = lyapunov_exponent(dt=0.05, duration=50.0, runs=1)
    assert found.energy_drift > 0.01


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"system": "double_pendulun"}, "did you mean 'double_pendulum'"),
        ({"model": "acrobat"}, "did you mean 'acrobot'"),
        ({"method": "tangents"}, "did you mean 'tangent'"),
        ({"state": (math.nan, 0.0, 0.0, 0.0)}, "state"),
        ({"state": (0.0, 0.0)}, "theta1, theta2"),
        ({"gains": (1.0, 2.0)}, "gains"),
        ({"duration": 0.0}, "duration"),
        ({"duration": math.inf}, "duration"),
        ({"duration": 10.2}, "nearest is 10"),
        ({"duration": 0.1}, "nearest is 0.5"),
        ({"transient": -1.0}, "transient"),
        ({"transient": 0.2}, "nearest is 0"),
        ({"dt": 0.0}, "dt"),
        ({"dt": math.nan}, "dt"),
        ({"dt": 0.003}, "renormalise"),
        ({"renormalise": 0.0}, "renormalise"),
        ({"runs": 0}, "runs"),
        ({"runs": 1.5}, "runs"),
        ({"separation": 0.0}, "separation"),
        ({"scatter": -1.0}, "scatter"),
        ({"torque_limit": 0.0}, "torque_limit"),
        ({"gains": (0.0,) * 8, "control_step": 0.0072}, "control_step"),
        ({"gains": (0.0,) * 8, "control_step": 0.2}, "renormalise"),
    ],
)
def test_bad_parameters_are_refused(options, words):
    with pytest.raises(HeatpgError, match=words) as caught:
        lyapunov_exponent(**options)
    assert isinstance(caught.value, ValueError)
    assert caught.value.given is not None and caught.value.allowed is not None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "flows"}, "did you mean 'flow'"),
        ({"state": []}, "state"),
        ({"state": [math.nan]}, "state"),
        ({"state": "much"}, "state"),
        ({"duration": 0}, "duration"),
        ({"duration": 1.5}, "duration"),
        ({"exponents": 2}, "not so many"),
        ({"exponents": 0}, "exponents"),
        ({"renormalise": 0.5}, "renormalise"),
        ({"kind": "flow", "dt": 0.0}, "dt"),
        ({"function": lambda x: np.append(x, 1.0)}, "another shape"),
        ({"function": lambda x: ["a"]}, "cannot be evaluated"),
        ({"jacobian": lambda x: np.eye(2)}, "jacobian returns another shape"),
    ],
)
def test_bad_systems_are_refused(options, words):
    arguments = {"function": lambda x: 0.5 * x, "state": [1.0], "kind": "map", "duration": 10, **options}
    with pytest.raises(HeatpgError, match=words) as caught:
        lyapunov_spectrum(**arguments)
    assert isinstance(caught.value, ValueError)


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
    with pytest.raises(UnsupportedError, match=words):
        predicted_holder(*arguments)
    for interval in ((1.1, 1.2), (1.2, 0.8), (0.5, math.nan), (1.0,)):
        with pytest.raises(UnsupportedError, match="interval"):
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
    with pytest.raises(UnsupportedError, match=next(iter(options))):
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


def test_results_read_well():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = lyapunov_exponent(duration=50.0, runs=2)
    content = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert content["motion"] == "chaotic" and content["runs"] == list(found.runs)
    text = str(found)
    for words in ("Lyapunov exponent", "1/s", "single runs", "spectrum", "energy drift", "volume defect", "step 0.005"):
        assert words in text
    mixed = str(estimate(1.0, (0.0, 2.0), chaotic=1))
    assert "1 of 2 runs chaotic" in mixed and "energy" not in mixed
