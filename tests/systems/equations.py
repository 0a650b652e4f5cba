"""Equations of motion in other forms than those of heatpg, for real and for complex states."""

from __future__ import annotations

import math

import numpy as np
from scipy.integrate import solve_ivp


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


def quadrotor_rate(s, u):
    """Planar quadrotor: state (x, z, theta, x', z', theta'), thrusts u."""
    m, inertia, arm, g = 0.486, 0.00383, 0.25, 9.81
    lift = (u[0] + u[1]) / m
    return np.array(
        [s[3], s[4], s[5], -math.sin(s[2]) * lift, math.cos(s[2]) * lift - g, arm / inertia * (u[0] - u[1])]
    )


def integrate(model, start, tau, duration):
    """State of a double pendulum after a duration under constant torques, of order 8 at tight tolerance."""
    flow = solve_ivp(lambda _, y: RATES[model](y, tau), (0.0, duration), start, method="DOP853", rtol=1e-13, atol=1e-13)
    return flow.y[:, -1]
