"""Landscapes of the double pendulum, against an independent integrator."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from heatpg.core.grid import Axis, Grid
from heatpg.errors import GridError, HeatpgError, NonFiniteError
from heatpg.landscapes.double_pendulum import double_pendulum as sample
from heatpg.tools.parallel import set_threads, threads
from tests.systems.equations import RATES, acrobot_rate, integrate

STATE = (3.1, 0.1, 0.0, 0.0)


def reference_return(model, torque, gains, *, held, state, steps, dt, gamma, limit, caps=(math.inf, math.inf), power=1):
    """One return by an independent integrator at tight tolerance."""
    y, total = np.array(state, dtype=float), 0.0
    for k in range(steps):
        tau = torque if held and k == 0 else np.reshape(gains, (2, 4)) @ (y - [math.pi, 0, 0, 0])
        tau = np.clip(tau, -limit, limit)
        y = integrate(model, y, tau, dt)
        y[2:] = np.clip(y[2:], [-caps[0], -caps[1]], caps)
        total += gamma**k * ((2 - math.cos(y[0]) - math.cos(y[0] + y[1])) / 4) ** power
    return total


def box(one, two, size=3):
    return Grid(Axis("a", one[0], one[1], size, boundary="clip"), Axis("b", two[0], two[1], size, boundary="clip"))


@pytest.fixture
def _own_threads() -> Iterator[None]:
    before = threads()
    yield
    set_threads(before)


@pytest.mark.parametrize("model", RATES)
@pytest.mark.parametrize("reward", ["height", "upright"])
def test_action_landscape_against_an_independent_integrator(model, reward):
    gains = (1.0, -2.0, 0.5, 0.3, -3.0, 1.0, 0.2, -0.4)
    grid = box((-6.0, 5.0), (-3.0, 4.0))
    q = sample(
        grid, model=model, reward=reward, horizon=0.6, dt=0.1, substeps=50, gamma=0.9, gains=gains, torque_limit=3.5,
        state=(1.0, 0.5, -1.0, 2.0),
    )  # fmt: skip
    for i, j in ((0, 0), (1, 2), (2, 1)):
        expected = reference_return(
            model, grid.point((i, j)), gains, held=True, state=(1.0, 0.5, -1.0, 2.0), steps=6, dt=0.1, gamma=0.9,
            limit=3.5, power=1 if reward == "height" else 8,
        )  # fmt: skip
        assert q.values[i, j] == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("model", RATES)
def test_gains_landscape_against_an_independent_integrator(model):
    grid = box((0.0, 20.0), (-1.0, 3.0))
    fixed = (0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -0.25)
    q = sample(
        grid, kind="gains", model=model, horizon=0.5, dt=0.1, substeps=50, gamma=0.9, gains=fixed, torque_limit=4.0
    )
    for i, j in ((0, 0), (1, 2), (2, 1)):
        position, velocity = grid.point((i, j))
        gains = np.array(fixed) - [position, 0, velocity, 0, 0, position, 0, velocity]
        expected = reference_return(model, None, gains, held=False, state=STATE, steps=5, dt=0.1, gamma=0.9, limit=4.0)
        assert q.values[i, j] == pytest.approx(expected, rel=1e-8)


def test_acrobot_velocities_are_clipped():
    options: dict[str, Any] = dict(state=(1.0, 0.5, 16.0, -40.0), steps=2, dt=0.05, gamma=1.0, limit=1.0)
    grid = box((-1.0, 1.0), (-1.0, 1.0))
    q = sample(
        grid, model="acrobot", horizon=0.1, dt=0.05, substeps=100, gamma=1.0, state=options["state"], torque_limit=1.0
    )
    caps = (4 * math.pi, 9 * math.pi)
    clipped = reference_return("acrobot", (-1, 1), np.zeros(8), held=True, caps=caps, **options)
    free = reference_return("acrobot", (-1, 1), np.zeros(8), held=True, **options)
    assert q.values[0, 2] == pytest.approx(clipped, rel=1e-8)
    assert abs(clipped - free) > 1e-3


def test_one_gymnasium_step():
    """The default acrobot is Gymnasium's: one Runge-Kutta step of 0.2 s, then the limits."""
    y, tau, h = np.array([0.4, -0.7, 11.0, 3.0]), (0.0, 1.0), 0.2
    k1 = acrobot_rate(y, tau)
    k2 = acrobot_rate(y + h / 2 * k1, tau)
    k3 = acrobot_rate(y + h / 2 * k2, tau)
    k4 = acrobot_rate(y + h * k3, tau)
    y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    expected = (2 - math.cos(y[0]) - math.cos(y[0] + y[1])) / 4
    q = sample(model="acrobot", size=3, horizon=0.2, state=(0.4, -0.7, 11.0, 3.0))
    assert q.values[1, 2] == pytest.approx(expected, rel=1e-13)


def test_gamma_zero_leaves_the_first_reward():
    one = sample(size=5, horizon=0.05, gamma=0.7).values
    assert np.array_equal(sample(size=5, horizon=1.0, gamma=0.0).values, one)
    assert np.ptp(one) > 0


def test_a_point_does_not_depend_on_its_neighbours():
    """289 points end in the middle of a bundle; each has the value that it has on a grid of 9 points."""
    grid = box((-25.0, 25.0), (-25.0, 25.0), 17)
    corner = box((-25.0, -18.75), (-25.0, -18.75), 3)
    assert np.array_equal(sample(grid, horizon=1.0).values[:3, :3], sample(corner, horizon=1.0).values)


def test_torques_beyond_the_limit_are_clipped():
    grid = box((-40.0, 40.0), (-40.0, 40.0), 5)
    inside = box((-20.0, 20.0), (-20.0, 20.0), 3)
    values = sample(grid, horizon=1.0, torque_limit=20.0).values
    assert np.array_equal(values[::2, ::2][[0, 2]][:, [0, 2]], sample(inside, horizon=1.0).values[[0, 2]][:, [0, 2]])


def test_default_landscape_is_rough_and_has_its_maximum_inside():
    q = sample(size=128)
    assert q.values.shape == (128, 128)
    assert [axis.unit for axis in q.grid] == ["N m", "N m"]
    assert all(2 < i < 125 for i in q.argmax)
    # halving the distance of neighbours lowers their difference by far less than half: not differentiable at this scale
    near = np.abs(np.diff(q.values, axis=0)).mean()
    far = np.abs(q.values[2:] - q.values[:-2]).mean()
    assert far < 1.6 * near


@pytest.mark.usefixtures("_own_threads")
def test_threads_do_not_change_a_bit():
    results = []
    for count in (1, 2):
        set_threads(count)
        results.append(sample(size=50, horizon=2.0).values)
    assert np.array_equal(results[0], results[1])


def test_progress_reaches_the_total():
    calls = []
    sample(size=50, horizon=0.1, progress=lambda done, total: calls.append((done, total)))
    assert len(calls) > 1 and calls == sorted(set(calls))
    assert calls[-1] == (2500, 2500)


def test_provenance_is_json_and_complete():
    q = sample(size=4, horizon=0.4, model="acrobot", kind="gains")
    assert json.loads(json.dumps(q.provenance, allow_nan=False)) == q.provenance
    parameters = q.provenance["parameters"]
    assert q.provenance["source"] == "double_pendulum"
    assert (parameters["dt"], parameters["substeps"], parameters["steps"]) == (0.2, 1, 2)
    assert parameters["velocity_limits"] == [4 * math.pi, 9 * math.pi]
    assert [axis.name for axis in q.grid] == ["gain_position", "gain_velocity"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dt": 0.0}, "dt"),
        ({"dt": -0.1}, "dt"),
        ({"horizon": 0.0}, "horizon"),
        ({"horizon": 1.02}, "use horizon=1"),
        ({"horizon": math.inf}, "horizon"),
        ({"gamma": 1.01}, "gamma"),
        ({"gamma": -0.01}, "gamma"),
        ({"gamma": math.nan}, "gamma"),
        ({"substeps": 0}, "substeps"),
        ({"substeps": 1.5}, "substeps"),
        ({"state": (math.nan, 0.0, 0.0, 0.0)}, "state"),
        ({"state": (0.0, 0.0, 0.0)}, "theta1, theta2"),
        ({"state": 1.0}, "state"),
        ({"gains": (1.0, 2.0)}, "gains"),
        ({"torque_limit": 0.0}, "torque_limit"),
        ({"torque_limit": "much"}, "torque_limit"),
        ({"kind": "actoin"}, "did you mean 'action'"),
        ({"model": "point-mass"}, "did you mean 'point_mass'"),
        ({"reward": "hight"}, "did you mean 'height'"),
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
    with pytest.raises(GridError, match="takes Axis objects") as caught:
        sample((3, 3))  # type: ignore[arg-type]
    assert caught.value.given and caught.value.advice


def test_a_runaway_is_no_silent_number():
    with pytest.raises(NonFiniteError):
        sample(size=3, horizon=0.1, state=(0.0, 0.0, 1e9, 0.0))
