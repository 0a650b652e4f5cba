"""The double pendulum: both kernels of its equations, its integrator, and its tangents."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heatpg.systems.lanes import LANES, sine_cosine
from heatpg.systems.pendulum import MODELS, accelerate, rates, runge_kutta_step
from tests.systems.equations import RATES, complex_step, integrate


def accelerations(model, states, torques):
    """What the kernel says, shape (n, 2)."""
    n = len(states)
    rows = np.zeros((6, LANES))
    rows[:4, :n], rows[4:, :n] = states.T, torques.T
    sine, cosine, out = np.empty(2 * LANES), np.empty(2 * LANES), np.empty(2 * LANES)
    sine_cosine(rows[:2].ravel(), sine, cosine)
    accelerate(rows[2:4].ravel(), rows[4:].ravel(), sine, cosine, MODELS[model].coefficients(), out)
    return out.reshape(2, LANES)[:, :n].T


def drift(model, start, duration, steps):
    """Final state of an unforced pendulum after some steps of the kernel."""
    state = np.repeat(np.asarray(start, dtype=float), LANES)
    sine, cosine, scratch = np.empty(2 * LANES), np.empty(2 * LANES), np.empty((8, 2 * LANES))
    sine_cosine(state[: 2 * LANES], sine, cosine)
    for _ in range(steps):
        runge_kutta_step(
            state, np.zeros(2 * LANES), duration / steps, MODELS[model].coefficients(), sine, cosine, scratch
        )
    rows = state.reshape(4, LANES)
    assert (rows == rows[:, :1]).all()
    return rows[:, 0]


def energy(y):
    """Energy of two unit point masses on unit links."""
    phi2, w2 = y[0] + y[1], y[2] + y[3]
    kinetic = y[2] ** 2 + 0.5 * w2**2 + y[2] * w2 * math.cos(y[1])
    return kinetic - 9.81 * (2 * math.cos(y[0]) + math.cos(phi2))


@pytest.mark.parametrize("model", RATES)
def test_equations_of_motion(model, rng):
    states, torques = rng.uniform(-6, 6, (100, 4)), rng.uniform(-20, 20, (100, 2))
    expected = [RATES[model](y, tau)[2:] for y, tau in zip(states, torques, strict=True)]
    assert np.allclose(accelerations(model, states, torques), expected, rtol=1e-12, atol=1e-11)


def test_runge_kutta_is_of_fourth_order_and_keeps_the_energy():
    start, duration, counts = (2.0, 1.0, 0.5, -0.5), 1.0, np.array([50, 100, 200, 400])
    exact = integrate("point_mass", start, (0.0, 0.0), duration)
    ends = [drift("point_mass", start, duration, int(n)) for n in counts]
    errors = [np.linalg.norm(end - exact) for end in ends]
    order = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert 3.8 < order < 4.2
    drifts = [abs(energy(end) - energy(start)) for end in ends]
    assert -np.polyfit(np.log(counts), np.log(drifts), 1)[0] > 3.8
    assert drifts[-1] < 1e-6


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
