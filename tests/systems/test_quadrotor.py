"""The regulator of the planar quadrotor."""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import solve_continuous_lyapunov

from heatpg.systems.quadrotor import HOVER, lqr_gain
from tests.systems.equations import quadrotor_rate


def test_lqr_gain_solves_the_regulator():
    s0, u0, h = np.zeros(6), np.full(2, HOVER), 1e-6
    a = np.array([(quadrotor_rate(s0 + h * e, u0) - quadrotor_rate(s0 - h * e, u0)) / (2 * h) for e in np.eye(6)]).T
    b = np.array([(quadrotor_rate(s0, u0 + h * e) - quadrotor_rate(s0, u0 - h * e)) / (2 * h) for e in np.eye(2)]).T
    q, r = np.diag([10, 10, 10, 1, 1, 0.25 / 2 / math.pi]), np.array([[0.1, 0.05], [0.05, 0.1]])
    k = lqr_gain()
    closed = a - b @ k
    assert np.linalg.eigvals(closed).real.max() < -0.5
    # cost S of this gain by its own Lyapunov equation; the gain is optimal if R K = B^T S (the Riccati equation)
    cost = solve_continuous_lyapunov(closed.T, -(q + k.T @ r @ k))
    assert np.allclose(r @ k, b.T @ cost, atol=1e-6)
    assert np.linalg.norm(a.T @ cost + cost @ a - cost @ b @ np.linalg.solve(r, b.T @ cost) + q) < 1e-4
