"""Landscapes of the planar quadrotor: their returns, their ridge."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import numpy as np
import pytest

from heatpg.core.grid import Axis, Grid
from heatpg.errors import GridError, HeatpgError
from heatpg.landscapes.quadrotor import lqr_gain
from heatpg.landscapes.quadrotor import quadrotor as sample
from heatpg.tools.parallel import set_threads, threads
from tests.systems.equations import quadrotor_rate

HOVER = 0.486 * 9.81 / 2
HORIZONS = (0.5, 1.0, 2.0)
HOVER_RETURNS = (22.218, 39.499, 63.397)


def reference_return(offset, gain, state, *, steps, dt, gamma, integrator, reward_time, limit):
    """One return in plain Python; the policy is clip(offset - gain s)."""
    s, total, running = np.array(state, dtype=float), 0.0, True

    def reward():
        return math.exp(-(s[0] ** 2) - s[1] ** 2 - s[2] ** 2) if running else 0.0

    for k in range(steps):
        if reward_time == "before":
            total += gamma**k * reward()
        u = np.clip(offset - gain @ s, 0.0, limit)
        if integrator == "rk4":
            k1 = quadrotor_rate(s, u)
            k2 = quadrotor_rate(s + dt / 2 * k1, u)
            k3 = quadrotor_rate(s + dt / 2 * k2, u)
            k4 = quadrotor_rate(s + dt * k3, u)
            s = s + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        else:
            velocity = s[3:] + dt * quadrotor_rate(s, u)[3:]
            s = np.concatenate([s[:3] + dt * velocity, velocity])
        running = running and abs(s[2]) <= math.pi / 2 and abs(s[0]) <= 2 and abs(s[1]) <= 2
        if reward_time == "after":
            total += gamma**k * reward()
    return total


def square(half_width, size, centre=HOVER):
    lower, upper = centre - half_width, centre + half_width
    return Grid(Axis("u1", lower, upper, size, boundary="clip"), Axis("u2", lower, upper, size, boundary="clip"))


def ridge_width(horizon, half_width, **options):
    """Width in u1 - u2 at u1 + u2 = mg where the return exceeds the mean of its extremes over +-1.2 N."""
    wide = sample(square(1.2, 25), horizon=horizon, **options).values
    level = 0.5 * (wide.max() + wide.min())
    near = np.fliplr(sample(square(half_width, 401), horizon=horizon, **options).values).diagonal()
    above = np.flatnonzero(near > level)
    assert above[0] > 0 and above[-1] < 400
    step = 4.0 * half_width / 400
    return (above[-1] - above[0] + 1) * step, wide


@pytest.fixture
def _own_threads() -> Iterator[None]:
    before = threads()
    yield
    set_threads(before)


@pytest.mark.parametrize("integrator", ["rk4", "semi_implicit"])
@pytest.mark.parametrize("reward_time", ["before", "after"])
def test_thrust_returns_against_plain_python(integrator, reward_time):
    grid = square(1.2, 9)
    state = (0.3, -0.2, 0.1, 0.5, -0.4, 0.3)
    q = sample(
        grid, horizon=0.6, dt=0.03, gamma=0.95, integrator=integrator, reward_time=reward_time, state=state,
        thrust_limit=3.0,
    )  # fmt: skip
    for index in np.ndindex(9, 9):
        expected = reference_return(
            np.array(grid.point(index)), np.zeros((2, 6)), state, steps=20, dt=0.03, gamma=0.95,
            integrator=integrator, reward_time=reward_time, limit=3.0,
        )  # fmt: skip
        assert q.values[index] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("integrator", ["rk4", "semi_implicit"])
def test_gain_returns_against_plain_python(integrator):
    q = sample(kind="gains", size=5, horizon=1.0, integrator=integrator)
    assert [axis.name for axis in q.grid] == ["gain_x", "gain_theta"]
    for index in np.ndindex(5, 5):
        gain = lqr_gain()
        gain[:, 0] = np.array([1, -1]) * q.grid.point(index)[0]
        gain[:, 2] = np.array([1, -1]) * q.grid.point(index)[1]
        expected = reference_return(
            HOVER, gain, (1.0, 0, 0, 0, 0, 0), steps=50, dt=0.02, gamma=0.99, integrator=integrator,
            reward_time="after", limit=2 * HOVER,
        )  # fmt: skip
        # bad gains are unstable and magnify the rounding errors, the regulator damps them
        assert q.values[index] == pytest.approx(expected, rel=1e-12 if index == (2, 2) else 1e-6)
    assert np.allclose(q.grid.point((2, 2)), lqr_gain()[0, [0, 2]])


@pytest.mark.parametrize(
    ("horizon", "half_width", "width"), [(0.5, 0.2, 0.556), (1.0, 0.07, 0.186), (2.0, 0.025, 0.058)]
)
def test_ridge_width_with_runge_kutta(horizon, half_width, width):
    measured, wide = ridge_width(horizon, half_width)
    assert measured == pytest.approx(width, rel=0.01)
    assert wide.max() == pytest.approx(HOVER_RETURNS[HORIZONS.index(horizon)], abs=6e-4)
    assert wide.min() == pytest.approx(4.509, abs=6e-4)


@pytest.mark.parametrize(
    ("horizon", "half_width", "width", "on_nodes"),
    [(0.5, 0.2, 0.5418, 0.536), (1.0, 0.07, 0.1825, 0.176), (2.0, 0.025, 0.0575, 0.056)],
)
def test_ridge_width_with_semi_implicit_euler(horizon, half_width, width, on_nodes):
    """The widths of a separate NumPy program, and what they are between the outermost nodes of a grid of 0.004 N."""
    measured, _ = ridge_width(horizon, half_width, integrator="semi_implicit")
    assert measured == pytest.approx(width, rel=0.01)
    assert 0.008 * math.floor(measured / 0.008) == pytest.approx(on_nodes, abs=1e-9)


def test_hover_is_washed_out_by_noise():
    """L/Q at hover, 2 s, semi-implicit: .631, .486, .382, .290 for sigma = .02, .05, .1, .2 N."""
    q = sample(size=801, integrator="semi_implicit")
    u = q.grid[0].coordinates - HOVER
    for sigma, ratio in ((0.02, 0.631), (0.05, 0.486), (0.1, 0.382), (0.2, 0.290)):
        weights = np.exp(-0.5 * (u / sigma) ** 2)
        weights /= weights.sum()
        assert weights @ q.values @ weights / q.values.max() == pytest.approx(ratio, rel=0.005)


def test_reward_before_counts_the_state_of_the_start():
    before, after = (sample(size=9, horizon=1.0, reward_time=when).values for when in ("before", "after"))
    assert before.max() == pytest.approx(after.max(), rel=1e-12)
    # when all episodes end early, the sums differ by the first reward and a shift of the weights
    assert before.min() == pytest.approx(1.0 + 0.99 * after.min(), rel=1e-12)


@pytest.mark.parametrize("horizon", HORIZONS)
def test_hover_is_the_maximum(horizon):
    q = sample(size=65, horizon=horizon)
    assert q.argmax == (32, 32)
    assert np.allclose(q.grid.point(q.argmax), HOVER)
    assert np.allclose(q.values, q.values.T, rtol=1e-9)


@pytest.mark.parametrize("place", [0, 1])
def test_leaving_the_box_ends_the_rewards(place):
    """At constant speed 1 m/s from 1.95 m the states 1.97 and 1.99 count, 2.01 does not."""
    state = np.zeros(6)
    state[place], state[place + 3] = 1.95, 1.0
    value = sample(square(1.2, 3), horizon=1.0, state=tuple(state)).values[1, 1]
    assert value == pytest.approx(math.exp(-(1.97**2)) + 0.99 * math.exp(-(1.99**2)), rel=1e-12)


def test_tipping_over_ends_the_rewards():
    value = sample(square(1e-9, 3), horizon=1.0, gamma=1.0, state=(0.0, 0.0, 1.5, 0.0, 0.0, 4.0)).values[1, 1]
    # theta = 1.58 after one step: ended before anything is counted
    assert value == 0.0
    value = sample(square(1e-9, 3), horizon=0.02, state=(0.0, 0.0, 1.5, 0.0, 0.0, 3.0)).values[1, 1]
    assert value == pytest.approx(math.exp(-(1.56**2)), rel=1e-3)


def test_an_ended_episode_stays_ended():
    """Thrown up at 1 m/s from 1.99 m with idle rotors it is above 2 m soon, and below again within 0.2 s."""
    q = sample(square(1e-9, 3, centre=0.0), horizon=0.6, state=(0.0, 1.99, 0.0, 0.0, 1.0, 0.0))
    assert q.values[1, 1] == 0.0
    inside = sample(square(1e-9, 3, centre=0.0), horizon=0.6, state=(0.0, 1.9, 0.0, 0.0, 1.0, 0.0))
    assert inside.values[1, 1] > 0.5


def test_a_state_beyond_all_numbers_ends_the_episode():
    values = sample(size=3, horizon=0.1, state=(0.0, 0.0, 0.0, 0.0, 0.0, 1e9)).values
    assert np.array_equal(values, np.zeros((3, 3)))


def test_gamma_zero_leaves_the_first_reward():
    one = sample(size=5, horizon=0.02, gamma=0.7).values
    assert np.array_equal(sample(size=5, horizon=1.0, gamma=0.0).values, one)
    assert np.ptp(one) > 0


@pytest.mark.usefixtures("_own_threads")
@pytest.mark.parametrize("kind", ["thrust", "gains"])
def test_threads_do_not_change_a_bit(kind):
    results = []
    for count in (1, 2):
        set_threads(count)
        results.append(sample(kind=kind, size=60).values)
    assert np.array_equal(results[0], results[1])


def test_progress_reaches_the_total():
    calls = []
    sample(size=50, horizon=0.1, progress=lambda done, total: calls.append((done, total)))
    assert len(calls) > 1 and calls == sorted(set(calls))
    assert calls[-1] == (2500, 2500)


@pytest.mark.parametrize("kind", ["thrust", "gains"])
def test_provenance_is_json_and_complete(kind):
    q = sample(size=4, horizon=0.1, kind=kind, integrator="semi_implicit")
    assert json.loads(json.dumps(q.provenance, allow_nan=False)) == q.provenance
    parameters = q.provenance["parameters"]
    assert q.provenance["source"] == "quadrotor"
    assert (parameters["integrator"], parameters["mass"], parameters["steps"]) == ("semi_implicit", 0.486, 5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dt": 0.0}, "dt"),
        ({"horizon": -1.0}, "horizon"),
        ({"horizon": 0.03}, "use horizon"),
        ({"gamma": 1.5}, "gamma"),
        ({"gamma": math.nan}, "gamma"),
        ({"state": (0.0,) * 5}, "state"),
        ({"state": (math.inf,) + (0.0,) * 5}, "state"),
        ({"thrust_limit": -1.0}, "thrust_limit"),
        ({"kind": "thrusts"}, "did you mean 'thrust'"),
        ({"integrator": "rk"}, "did you mean 'rk4'"),
        ({"reward_time": "befor"}, "did you mean 'before'"),
    ],
)
def test_bad_parameters_are_refused(options, words):
    with pytest.raises(HeatpgError, match=words) as caught:
        sample(size=4, **options)
    assert isinstance(caught.value, ValueError)
    assert caught.value.given is not None and caught.value.allowed is not None


def test_a_grid_of_other_dimensions_is_refused():
    with pytest.raises(GridError, match="two axes") as caught:
        sample(Grid(Axis("x", 0, 1, 3, boundary="clip")))
    assert caught.value.given and caught.value.allowed and caught.value.advice
