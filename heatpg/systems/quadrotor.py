"""The planar quadrotor: constants, equations of motion, the affine policy, the linear-quadratic regulator at hover.

A rigid bar in a vertical plane with a rotor at each end. The state is (x, z, theta, x', z', theta') in a frame fixed to
the ground, x to the right, z up, theta anticlockwise from level; the thrusts u1 (right rotor) and u2 (left) push along
the bar's own normal:

    x'' = -sin(theta) (u1 + u2)/m,   z'' = cos(theta) (u1 + u2)/m - g,   theta'' = (l/I) (u1 - u2).

All kernels work on bundles of `LANES` episodes, one row of `LANES` numbers for each entry of the state.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.systems.lanes import LANES, runge_kutta_sum, shifted, sine_cosine
from heatpg.tools.kernels import kernel

__all__ = [
    "ARM",
    "GRAVITY",
    "HOVER",
    "INERTIA",
    "MASS",
    "STATE",
    "end_episodes",
    "lqr_gain",
    "runge_kutta_step",
    "semi_implicit_step",
    "steer",
]

# Of Tedrake's example, in kg, kg m^2, m (from the middle to a rotor) and m/s^2.
MASS = 0.486
INERTIA = 0.00383
ARM = 0.25
GRAVITY = 9.81
HOVER = 0.5 * MASS * GRAVITY  # N; two thrusts of it carry the weight
STATE = ("x", "z", "theta", "x velocity", "z velocity", "theta velocity")


def lqr_gain() -> NDArray[np.float64]:
    """Gain of the linear-quadratic regulator of the planar quadrotor at hover.

    The policy is u = mg/2 - K s with s = (x, z, theta, x', z', theta'), K = R^-1 B^T S, where S solves
    A^T S + S A - S B R^-1 B^T S + Q = 0 for the dynamics s' = A s + B (u - mg/2) linearised at hover,
    Q = diag(10, 10, 10, 1, 1, l / 2 pi) and R = [[0.1, 0.05], [0.05, 0.1]].

    Returns
    -------
    gain
        K, shape (2, 6): rows are the rotors, columns the state; N/m, N/rad, N s/m, N s/rad.

    References
    ----------
    R. Tedrake, *Underactuated Robotics*, the example of the planar quadrotor (the constants, Q and R).

    Examples
    --------
    >>> from heatpg.systems.quadrotor import lqr_gain
    >>> lqr_gain().shape
    (2, 6)
    """
    from scipy.linalg import solve_continuous_are  # loads SciPy's linear algebra, which only gains need

    drift, control, state_cost, control_cost = _linear_quadratic_problem()
    cost = solve_continuous_are(drift, control, state_cost, control_cost)
    return np.asarray(np.linalg.solve(control_cost, control.T @ cost))


def _linear_quadratic_problem() -> tuple[NDArray[np.float64], ...]:
    """A, B of the dynamics linearised at hover, and the costs Q, R of state and control; see `lqr_gain`."""
    drift = np.zeros((6, 6))
    drift[:3, 3:] = np.eye(3)
    drift[3, 2] = -GRAVITY  # of x'' = -sin(theta) (u1 + u2)/m, where (u1 + u2)/m = g at hover
    control = np.zeros((6, 2))
    control[4] = 1.0 / MASS
    control[5] = ARM / INERTIA, -ARM / INERTIA
    state_cost = np.diag([10.0, 10.0, 10.0, 1.0, 1.0, ARM / (2.0 * math.pi)])
    control_cost = np.array([[0.1, 0.05], [0.05, 0.1]])
    return drift, control, state_cost, control_cost


@kernel
def accelerate(
    sine: NDArray[Any], cosine: NDArray[Any], push: NDArray[Any], turn: NDArray[Any], out: NDArray[Any]
) -> None:
    # x'' = -push sin(theta), z'' = push cos(theta) - g, theta'' = turn; push = (u1 + u2)/m, turn = (l/I)(u1 - u2)
    for j in range(LANES):
        out[j] = -sine[j] * push[j]
        out[j + LANES] = cosine[j] * push[j] - GRAVITY
        out[j + 2 * LANES] = turn[j]


@kernel
def steer(state: NDArray[Any], policy: NDArray[Any], limit: float, push: NDArray[Any], turn: NDArray[Any]) -> None:
    # u_i = clip(c_i + sum_k K_ik s_k, 0, limit); rows of the policy: c_1, K_11 ... K_16, c_2, K_21 ... K_26
    for j in range(LANES):
        u1 = policy[j]
        u2 = policy[j + 7 * LANES]
        for k in range(6):
            s = state[j + k * LANES]
            u1 += policy[j + (k + 1) * LANES] * s
            u2 += policy[j + (k + 8) * LANES] * s
        u1 = min(max(u1, 0.0), limit)
        u2 = min(max(u2, 0.0), limit)
        push[j] = (u1 + u2) / MASS
        turn[j] = (u1 - u2) * (ARM / INERTIA)


@kernel
def end_episodes(state: NDArray[Any], running: NDArray[Any], exponent: NDArray[Any]) -> int:
    # An episode runs while abs(theta) <= pi/2, abs(x) <= 2, abs(z) <= 2; once ended it stays so, and its state goes on
    # uncounted, because lanes cannot stop one by one. `exponent` is that of the reward, r = exp(-x^2 - z^2 - theta^2);
    # 0 outside, so that a state that overflowed gives no NaN. Returns how many run.
    count = 0
    for j in range(LANES):
        x = state[j]
        z = state[j + LANES]
        a = state[j + 2 * LANES]
        inside = (abs(a) <= 0.5 * math.pi) & (abs(x) <= 2.0) & (abs(z) <= 2.0)
        running[j] = running[j] if inside else 0.0
        exponent[j] = -(x * x + z * z + a * a) if inside else 0.0
        count += 1 if running[j] > 0.0 else 0
    return count


@kernel
def semi_implicit_step(
    state: NDArray[Any], push: NDArray[Any], turn: NDArray[Any], dt: float, waves: NDArray[Any], scratch: NDArray[Any]
) -> None:
    # v = v + dt f(q), then q = q + dt v with the new v: of order 1, as physics engines step
    q, v = state[: 3 * LANES], state[3 * LANES :]
    sine, cosine, rate = waves[0], waves[1], scratch[0]
    sine_cosine(q[2 * LANES :], sine, cosine)
    accelerate(sine, cosine, push, turn, rate)
    shifted(v, rate, dt, v)
    shifted(q, v, dt, q)


@kernel
def runge_kutta_step(
    state: NDArray[Any], push: NDArray[Any], turn: NDArray[Any], dt: float, waves: NDArray[Any], scratch: NDArray[Any]
) -> None:
    # q' = v, v' = f(q): the classical method with stages (v1, k1) ... (v4, k4), and p the positions between;
    # the thrusts are held during the step, so of the stages only theta is needed
    q, v1 = state[: 3 * LANES], state[3 * LANES :]
    v2, v3, v4, p = scratch[0], scratch[1], scratch[2], scratch[3]
    k1, k2, k3, k4 = scratch[4], scratch[5], scratch[6], scratch[7]
    sine, cosine, theta = waves[0], waves[1], p[2 * LANES :]
    sine_cosine(q[2 * LANES :], sine, cosine)
    accelerate(sine, cosine, push, turn, k1)
    shifted(q, v1, 0.5 * dt, p)
    shifted(v1, k1, 0.5 * dt, v2)
    sine_cosine(theta, sine, cosine)
    accelerate(sine, cosine, push, turn, k2)
    shifted(q, v2, 0.5 * dt, p)
    shifted(v1, k2, 0.5 * dt, v3)
    sine_cosine(theta, sine, cosine)
    accelerate(sine, cosine, push, turn, k3)
    shifted(q, v3, dt, p)
    shifted(v1, k3, dt, v4)
    sine_cosine(theta, sine, cosine)
    accelerate(sine, cosine, push, turn, k4)
    runge_kutta_sum(q, v1, v2, v3, v4, dt)
    runge_kutta_sum(v1, k1, k2, k3, k4, dt)
