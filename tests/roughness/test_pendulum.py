"""Lyapunov exponents of the double pendulum against exact ones, and two methods against each other."""

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

from heatpg.errors import HeatpgError, HeatpgWarning, NonFiniteError
from heatpg.roughness.chaos import predicted_holder
from heatpg.roughness.pendulum import Ensemble, TorquePolicy, lyapunov_exponent
from heatpg.tools.parallel import set_threads, threads
from tests.systems.equations import RATES, complex_step

UPRIGHT = (math.pi, 0.0, 0.0, 0.0)


def linearised(model):
    """A and B of (s - upright)' = A (s - upright) + B tau."""
    rate = RATES[model]
    drift = complex_step(lambda y: rate(y, (0.0, 0.0)), UPRIGHT)
    control = complex_step(lambda tau: rate(np.array(UPRIGHT, dtype=complex), tau), (0.0, 0.0))
    return drift, control


@pytest.fixture
def _own_threads() -> Iterator[None]:
    before = threads()
    yield
    set_threads(before)


def exponent(**options):
    """The exponent, from options without their groups."""
    starts = {name: options.pop(name) for name in ("state", "runs", "scatter", "seed") if name in options}
    torque = {name: options.pop(name) for name in ("gains", "torque_limit", "control_step") if name in options}
    policy = TorquePolicy(**{"gains": (0.0,) * 8, **torque}) if torque else None
    return lyapunov_exponent(ensemble=Ensemble(**starts), policy=policy, **options)


def test_upright_equilibrium_has_the_exponents_of_its_linearisation():
    """+-sqrt(g (2 +- sqrt 2)): frames align like exp(-3.39 t), so to 1e-3 after 2 s; Runge-Kutta errs by 1e-7."""
    found = exponent(state=UPRIGHT, runs=1, transient=2.0, duration=2.0)
    fast, slow = math.sqrt(9.81 * (2 + math.sqrt(2))), math.sqrt(9.81 * (2 - math.sqrt(2)))
    assert found.spectrum == pytest.approx((fast, slow, -slow, -fast), abs=2e-3)
    pair = exponent(state=UPRIGHT, runs=1, transient=2.0, duration=1.0, method="two_trajectory")
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
    found = exponent(
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
    found = {name: exponent(method=name, runs=2, duration=100.0) for name in ("tangent", "two_trajectory")}
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
    one, two = (exponent(method=name, **options) for name in ("tangent", "two_trajectory"))
    assert one.motion == "chaotic"
    assert two.runs == pytest.approx(one.runs, rel=0.02)


def test_near_upright_start_is_chaotic():
    """1.0 /s by two independent programs, single runs of minutes from 0.8 to 1.2."""
    found = exponent()
    assert found.motion == "chaotic"
    assert found.exponent == pytest.approx(1.0, abs=0.1)
    assert 0.6 < found.spread[0] < found.exponent < found.spread[1] < 1.3
    assert found.energy_drift < 1e-3
    # a conservative system has pairs +-, two of them zero, within what linear growth leaves: ln(210)/200 and a factor
    assert found.spectrum[0] == pytest.approx(-found.spectrum[3], abs=0.03)
    assert np.allclose(found.spectrum[1:3], 0.0, atol=0.03)


def test_acrobot_is_less_chaotic():
    assert 0.2 < exponent(model="acrobot").exponent < 0.6


def test_phase_volume_is_kept_at_the_order_of_the_integrator():
    """Liouville: the sum of the exponents is the rate of -ln det M exactly, for Runge-Kutta to its fourth order."""
    defects = [
        exponent(state=(2.0, 1.0, 0.5, -0.5), runs=1, transient=0.0, duration=4.0, dt=dt).volume_defect
        for dt in (0.01, 0.005, 0.0025)
    ]
    assert defects[1] < 1e-4
    assert all(coarse / fine > 2**3.5 for coarse, fine in itertools.pairwise(defects))


@pytest.mark.parametrize("method", ["tangent", "two_trajectory"])
@pytest.mark.parametrize("state", [(0.1, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0), (0.5, 0.2, 0.0, 0.0)])
def test_small_oscillations_are_regular(state, method):
    found = exponent(state=state, method=method, runs=2, dt=0.01)
    assert found.motion == "regular" and found.chaotic_runs == 0
    assert abs(found.exponent) < found.resolution == 8.0 / 200.0
    assert "cannot be distinguished from zero" in str(found)
    # separations grow linearly at most: the exponent falls with time
    longer = exponent(state=state, method=method, runs=1, dt=0.01, duration=1000.0)
    assert abs(longer.exponent) < 0.008
    assert predicted_holder(0.99, found, 0.05).regime == "Lipschitz"


def test_history_ends_at_the_result():
    found = exponent(runs=3, duration=150.0, transient=5.0)
    assert found.history.shape == (3, len(found.times)) and len(found.times) == 200
    assert np.allclose(found.history[:, -1], found.runs, rtol=1e-12)
    assert found.times[0] == 0.5 and found.times[-1] == found.duration == 150.0
    assert found.transient == 5.0
    assert found.exponent == pytest.approx(np.mean(found.runs))
    assert found.standard_error == pytest.approx(np.std(found.runs, ddof=1) / math.sqrt(3))


def test_one_run_has_a_standard_error_from_its_parts():
    found = exponent(runs=1, duration=200.0)
    assert 0.01 < found.standard_error < 0.3
    low, high = found.interval
    assert high - found.exponent == pytest.approx(2 * found.standard_error)
    assert found.exponent - low == pytest.approx(2 * found.standard_error)
    short = exponent(runs=1, duration=5.0)
    assert math.isnan(short.standard_error)
    assert short.interval == (short.exponent, short.exponent)


@pytest.mark.usefixtures("_own_threads")
def test_threads_do_not_change_a_bit_and_the_seed_does():
    found = []
    for count in (1, 2):
        set_threads(count)
        found.append(exponent(duration=20.0, seed=3))
    assert found[0].runs == found[1].runs and np.array_equal(found[0].history, found[1].history)
    other = exponent(duration=20.0, seed=4)
    assert other.runs[0] == found[0].runs[0] and other.runs[1] != found[0].runs[1]


def test_loss_of_energy_is_said():
    with pytest.warns(HeatpgWarning, match="changed the energy"):
        found = exponent(dt=0.05, duration=50.0, runs=1)
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
        ({"duration": 10.2}, "use 10"),
        ({"duration": 0.1}, "use 0.5"),
        ({"transient": -1.0}, "transient"),
        ({"transient": 0.2}, "use 0"),
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
        exponent(**options)
    assert isinstance(caught.value, ValueError)
    assert caught.value.given is not None and caught.value.allowed is not None


def test_blow_up_is_an_error():
    for method in ("tangent", "two_trajectory"):
        with pytest.raises(NonFiniteError, match="lower dt") as caught:
            exponent(state=(3.0, 0.0, 80.0, -90.0), dt=0.25, method=method)
        assert "dt=0.25" in str(caught.value)
        with pytest.raises(NonFiniteError, match="lower dt"):  # every number is finite, but none means anything
            tiny = 1e-12
            exponent(
                state=(0.0, 0.0, 2e9, 0.0), dt=tiny, renormalise=tiny, duration=9 * tiny, transient=0.0, method=method
            )


def test_results_read_well():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = exponent(duration=50.0, runs=2)
    content = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert content["motion"] == "chaotic" and content["runs"] == list(found.runs)
    text = str(found)
    for words in ("Lyapunov exponent", "1/s", "single runs", "spectrum", "energy drift", "volume defect", "step 0.005"):
        assert words in text
