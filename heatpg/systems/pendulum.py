"""The double pendulum with torques at its joints: models, equations of motion, their derivative, integration.

There are two integrators of the same equations. Landscapes roll out lanes: `accelerate` and `runge_kutta_step` advance
`LANES` pendulums together, with sines of their own. `follow` takes one motion with its tangents, or two
motions that start close to each other, as Lyapunov exponents need them.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.systems.lanes import LANES, runge_kutta_sum, shifted, sine_cosine
from heatpg.tools.kernels import kernel

__all__ = [
    "GAINS",
    "MODELS",
    "STATE",
    "Model",
    "Timing",
    "accelerate",
    "affine_gains",
    "clip",
    "energy_drift",
    "follow",
    "mass_determinant",
    "rates",
    "runge_kutta_step",
    "steer",
]

Array = NDArray[np.float64]

_LARGEST = 1e9  # rad and rad/s: what is beyond has blown up


@dataclasses.dataclass(frozen=True)
class Model:
    """Two equal links (`centre`: from the joint to the centre of mass), and what the model has as defaults."""

    mass: float
    length: float
    centre: float
    inertia: float
    gravity: float
    velocity_limits: tuple[float, float]
    dt: float
    substeps: int
    torque_limit: float

    def coefficients(self) -> NDArray[np.float64]:
        """m11, m12, m22 of the mass matrix and g1, g2 of gravity, as `accelerate` takes them."""
        moment = self.mass * self.centre**2 + self.inertia
        coupling = self.mass * self.length * self.centre
        weight = self.mass * self.gravity
        return np.array(
            [
                2.0 * moment + self.mass * self.length**2,
                coupling,
                moment,
                weight * (self.centre + self.length),
                weight * self.centre,
            ]
        )


MODELS = {
    "point_mass": Model(1.0, 1.0, 1.0, 0.0, 9.81, (math.inf, math.inf), 0.05, 8, 25.0),
    "acrobot": Model(1.0, 1.0, 0.5, 1.0, 9.8, (4.0 * math.pi, 9.0 * math.pi), 0.2, 1, 1.0),
}
STATE = ("theta1", "theta2", "velocity1", "velocity2")
GAINS = tuple(f"torque{i} per {name}" for i in (1, 2) for name in STATE)


def affine_gains(kind: str, gains: tuple[float, ...]) -> NDArray[np.float64]:
    """Gains of both torques, shape (3, 8): fixed part, part times the first axis, part times the second."""
    policy = np.zeros((3, 2, 4))
    policy[0] = np.reshape(gains, (2, 4))
    if kind == "gains":
        for joint in (0, 1):
            policy[1, joint, joint] = -1.0
            policy[2, joint, joint + 2] = -1.0
    return policy.reshape(3, 8)


@kernel
def accelerate(
    velocity: NDArray[Any],
    torque: NDArray[Any],
    sine: NDArray[Any],
    cosine: NDArray[Any],
    coefficients: NDArray[Any],
    out: NDArray[Any],
) -> None:
    # M(theta) theta'' = tau + c with M = [[m11 + 2 m12 cos2, m22 + m12 cos2], [m22 + m12 cos2, m22]],
    # c1 = m12 sin2 w2 (w2 + 2 w1) - g1 sin1 - g2 sin12, c2 = -m12 sin2 w1^2 - g2 sin12, sin12 = sin(theta1 + theta2)
    m11, m12, m22 = coefficients[0], coefficients[1], coefficients[2]
    g1, g2 = coefficients[3], coefficients[4]
    for j in range(LANES):
        w1 = velocity[j]
        w2 = velocity[j + LANES]
        s2 = sine[j + LANES]
        c2 = cosine[j + LANES]
        s12 = sine[j] * c2 + cosine[j] * s2
        a11 = m11 + 2.0 * m12 * c2
        a12 = m22 + m12 * c2
        f1 = torque[j] + m12 * s2 * w2 * (w2 + 2.0 * w1) - g1 * sine[j] - g2 * s12
        f2 = torque[j + LANES] - m12 * s2 * w1 * w1 - g2 * s12
        q = 1.0 / (a11 * m22 - a12 * a12)
        out[j] = (m22 * f1 - a12 * f2) * q
        out[j + LANES] = (a11 * f2 - a12 * f1) * q


@kernel
def runge_kutta_step(
    state: NDArray[Any],
    torque: NDArray[Any],
    dt: float,
    coefficients: NDArray[Any],
    sine: NDArray[Any],
    cosine: NDArray[Any],
    scratch: NDArray[Any],
) -> None:
    # q' = v, v' = f(q, v): the classical method with stages (v1, k1) ... (v4, k4), and p the angles between;
    # sine and cosine are those of q, before and after
    q, v1 = state[: 2 * LANES], state[2 * LANES :]
    v2, v3, v4, p = scratch[0], scratch[1], scratch[2], scratch[3]
    k1, k2, k3, k4 = scratch[4], scratch[5], scratch[6], scratch[7]
    accelerate(v1, torque, sine, cosine, coefficients, k1)
    shifted(q, v1, 0.5 * dt, p)
    shifted(v1, k1, 0.5 * dt, v2)
    sine_cosine(p, sine, cosine)
    accelerate(v2, torque, sine, cosine, coefficients, k2)
    shifted(q, v2, 0.5 * dt, p)
    shifted(v1, k2, 0.5 * dt, v3)
    sine_cosine(p, sine, cosine)
    accelerate(v3, torque, sine, cosine, coefficients, k3)
    shifted(q, v3, dt, p)
    shifted(v1, k3, dt, v4)
    sine_cosine(p, sine, cosine)
    accelerate(v4, torque, sine, cosine, coefficients, k4)
    runge_kutta_sum(q, v1, v2, v3, v4, dt)
    runge_kutta_sum(v1, k1, k2, k3, k4, dt)
    sine_cosine(q, sine, cosine)


@kernel
def clip(x: NDArray[Any], limit: float) -> None:
    for j in range(x.size):
        x[j] = min(max(x[j], -limit), limit)


@kernel
def steer(state: NDArray[Any], gains: NDArray[Any], torque: NDArray[Any]) -> None:
    # tau = K (s - upright) with upright = (pi, 0, 0, 0), angles not wrapped
    for j in range(LANES):
        t1 = 0.0
        t2 = 0.0
        for k in range(4):
            s = state[j + k * LANES] - (math.pi if k == 0 else 0.0)
            t1 += gains[j + k * LANES] * s
            t2 += gains[j + (k + 4) * LANES] * s
        torque[j] = t1
        torque[j + LANES] = t2


@kernel
def accelerate_row(
    rows: NDArray[Any], i: int, torque: NDArray[Any], coefficients: NDArray[Any], out: NDArray[Any]
) -> None:
    # (theta, w)' = (w, M^-1 (tau + c)), with M and c as in `accelerate`
    m11, m12, m22 = coefficients[0], coefficients[1], coefficients[2]
    g1, g2 = coefficients[3], coefficients[4]
    w1, w2 = rows[i, 2], rows[i, 3]
    s1, s2, s12 = math.sin(rows[i, 0]), math.sin(rows[i, 1]), math.sin(rows[i, 0] + rows[i, 1])
    c2 = math.cos(rows[i, 1])
    a11 = m11 + 2.0 * m12 * c2
    a12 = m22 + m12 * c2
    f1 = torque[i, 0] + m12 * s2 * w2 * (w2 + 2.0 * w1) - g1 * s1 - g2 * s12
    f2 = torque[i, 1] - m12 * s2 * w1 * w1 - g2 * s12
    q = 1.0 / (a11 * m22 - a12 * a12)
    out[i, 0] = w1
    out[i, 1] = w2
    out[i, 2] = (m22 * f1 - a12 * f2) * q
    out[i, 3] = (a11 * f2 - a12 * f1) * q


@kernel
def linearise_rows(rows: NDArray[Any], torque: NDArray[Any], coefficients: NDArray[Any], out: NDArray[Any]) -> None:
    # row 0 is the state, out[0] its rate; for tangents v in the other rows M a = f gives M da = df - dM a,
    # where dM a = -m12 s2 (2 a1 + a2, a1) v2
    m11, m12, m22 = coefficients[0], coefficients[1], coefficients[2]
    g1, g2 = coefficients[3], coefficients[4]
    w1, w2 = rows[0, 2], rows[0, 3]
    b1, b2 = out[0, 2], out[0, 3]
    s2, c2 = math.sin(rows[0, 1]), math.cos(rows[0, 1])
    c1, c12 = math.cos(rows[0, 0]), math.cos(rows[0, 0] + rows[0, 1])
    a11 = m11 + 2.0 * m12 * c2
    a12 = m22 + m12 * c2
    q = 1.0 / (a11 * m22 - a12 * a12)
    f1_by_1 = -g1 * c1 - g2 * c12
    f2_by_1 = -g2 * c12
    f1_by_2 = m12 * c2 * w2 * (w2 + 2.0 * w1) - g2 * c12 + m12 * s2 * (2.0 * b1 + b2)
    f2_by_2 = -m12 * c2 * w1 * w1 - g2 * c12 + m12 * s2 * b1
    f1_by_3 = 2.0 * m12 * s2 * w2
    f2_by_3 = -2.0 * m12 * s2 * w1
    f1_by_4 = 2.0 * m12 * s2 * (w1 + w2)
    for i in range(1, rows.shape[0]):
        r1 = torque[i, 0] + f1_by_1 * rows[i, 0] + f1_by_2 * rows[i, 1] + f1_by_3 * rows[i, 2] + f1_by_4 * rows[i, 3]
        r2 = torque[i, 1] + f2_by_1 * rows[i, 0] + f2_by_2 * rows[i, 1] + f2_by_3 * rows[i, 2]
        out[i, 0] = rows[i, 2]
        out[i, 1] = rows[i, 3]
        out[i, 2] = (m22 * r1 - a12 * r2) * q
        out[i, 3] = (a11 * r2 - a12 * r1) * q


@kernel
def rates(
    rows: NDArray[Any], torque: NDArray[Any], tangent: bool, coefficients: NDArray[Any], out: NDArray[Any]
) -> None:
    accelerate_row(rows, 0, torque, coefficients, out)
    if tangent:
        linearise_rows(rows, torque, coefficients, out)
    else:
        for i in range(1, rows.shape[0]):
            accelerate_row(rows, i, torque, coefficients, out)


@kernel
def _stage(rows: NDArray[Any], rate: NDArray[Any], h: float, out: NDArray[Any]) -> None:
    for i in range(rows.shape[0]):
        for k in range(4):
            out[i, k] = rows[i, k] + h * rate[i, k]


@kernel
def _step(
    rows: NDArray[Any],
    torque: NDArray[Any],
    tangent: bool,
    dt: float,
    coefficients: NDArray[Any],
    scratch: NDArray[Any],
) -> None:
    # the classical Runge-Kutta method; for tangents it is the derivative of the step of the state
    p, k1, k2, k3, k4 = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4]
    rates(rows, torque, tangent, coefficients, k1)
    _stage(rows, k1, 0.5 * dt, p)
    rates(p, torque, tangent, coefficients, k2)
    _stage(rows, k2, 0.5 * dt, p)
    rates(p, torque, tangent, coefficients, k3)
    _stage(rows, k3, dt, p)
    rates(p, torque, tangent, coefficients, k4)
    for i in range(rows.shape[0]):
        for k in range(4):
            rows[i, k] += dt / 6.0 * (k1[i, k] + 2.0 * (k2[i, k] + k3[i, k]) + k4[i, k])


@kernel
def _torques(rows: NDArray[Any], tangent: bool, gains: NDArray[Any], limit: float, torque: NDArray[Any]) -> None:
    # tau = clip(K (s - upright)), upright = (pi, 0, 0, 0); its tangent is K v, or 0 where it is clipped
    for i in range(rows.shape[0]):
        for joint in range(2):
            t = 0.0
            for k in range(4):
                offset = math.pi if k == 0 and (i == 0 or not tangent) else 0.0
                t += gains[joint * 4 + k] * (rows[i, k] - offset)
            torque[i, joint] = t
    for joint in range(2):
        clipped = abs(torque[0, joint]) > limit
        for i in range(rows.shape[0]):
            if i == 0 or not tangent:
                torque[i, joint] = min(max(torque[i, joint], -limit), limit)
            elif clipped:
                torque[i, joint] = 0.0


@kernel
def _orthonormalise(rows: NDArray[Any], growth: NDArray[Any]) -> bool:
    # modified Gram-Schmidt on rows 1, 2, ...; growth = ln of the lengths; False if one is 0 or not finite
    for i in range(1, rows.shape[0]):
        for j in range(1, i):
            projection = 0.0
            for k in range(4):
                projection += rows[i, k] * rows[j, k]
            for k in range(4):
                rows[i, k] -= projection * rows[j, k]
        length = 0.0
        for k in range(4):
            length += rows[i, k] * rows[i, k]
        length = math.sqrt(length)
        if not 0.0 < length < math.inf:
            return False
        growth[i - 1] = math.log(length)
        for k in range(4):
            rows[i, k] /= length
    return True


@kernel
def _draw_near(rows: NDArray[Any], separation: float, before: float, growth: NDArray[Any]) -> float:
    # the second trajectory back to the separation, along the same direction; growth = ln of the ratio of the lengths
    # that are there, rounding included; returns the new length, or NaN if the old one is 0 or not finite
    length = 0.0
    for k in range(4):
        length += (rows[1, k] - rows[0, k]) ** 2
    length = math.sqrt(length)
    if not 0.0 < length < math.inf:
        return math.nan
    growth[0] = math.log(length / before)
    after = 0.0
    for k in range(4):
        rows[1, k] = rows[0, k] + (rows[1, k] - rows[0, k]) * (separation / length)
        after += (rows[1, k] - rows[0, k]) ** 2
    return math.sqrt(after)


@kernel
def follow(
    start: NDArray[Any],
    frame: NDArray[Any],
    tangent: bool,
    separation: float,
    first_torque: NDArray[Any],
    held: bool,
    gains: NDArray[Any],
    limit: float,
    hold: int,
    per_interval: int,
    dt: float,
    coefficients: NDArray[Any],
    states: NDArray[Any],
    growth: NDArray[Any],
) -> int:
    # a torque is held for `hold` steps, the first one given if `held`; angles are wrapped after each interval, so that
    # their rounding does not drown the separation, unless a policy feels them; returns the number of good intervals
    wrapped = not np.any(gains)
    count = frame.shape[0] if tangent else 1
    rows = np.zeros((count + 1, 4))
    torque = np.zeros((count + 1, 2))
    scratch = np.empty((5, count + 1, 4))
    before = 0.0
    for k in range(4):
        rows[0, k] = states[0, k] = start[k]
        for i in range(count):
            rows[i + 1, k] = frame[i, k] if tangent else start[k] + separation * frame[0, k]
        before += (rows[1, k] - rows[0, k]) ** 2
    before = math.sqrt(before)
    for joint in range(2):
        for i in range(count + 1):
            follows = held and (i == 0 or not tangent)
            torque[i, joint] = min(max(first_torque[joint], -limit), limit) if follows else 0.0
    step = 0
    for n in range(growth.shape[0]):
        for _ in range(per_interval):
            if step % hold == 0 and not (held and step == 0):
                _torques(rows, tangent, gains, limit, torque)
            _step(rows, torque, tangent, dt, coefficients, scratch)
            step += 1
        if wrapped:
            for k in range(2):
                turns = np.floor(rows[0, k] / (2.0 * math.pi) + 0.5)
                for i in range(1 if tangent else 2):
                    rows[i, k] -= 2.0 * math.pi * turns
        for k in range(4):
            states[n + 1, k] = rows[0, k]
            if not abs(rows[0, k]) < _LARGEST:
                return n
        if tangent:
            if not _orthonormalise(rows, growth[n]):
                return n
        else:
            before = _draw_near(rows, separation, before, growth[n])
            if math.isnan(before):
                return n
    return int(growth.shape[0])


@dataclasses.dataclass(frozen=True)
class Timing:
    """Integrator steps per control step and per interval, intervals left out and counted."""

    dt: float
    hold: int
    per_interval: int
    skipped: int
    counted: int

    @property
    def interval(self) -> float:
        return self.dt * self.per_interval


def mass_determinant(second_angle: Array, coefficients: Array) -> Array:
    """Determinant of the mass matrix."""
    m11, m12, m22 = (float(c) for c in coefficients[:3])
    cosine = np.cos(second_angle)
    return np.asarray((m11 + 2.0 * m12 * cosine) * m22 - (m22 + m12 * cosine) ** 2)


def energy_drift(states: Array, coefficients: Array) -> float:
    m11, m12, m22, g1, g2 = (float(c) for c in coefficients)
    theta1, theta2, w1, w2 = np.moveaxis(states, -1, 0)
    cosine = np.cos(theta2)
    kinetic = 0.5 * (m11 + 2.0 * m12 * cosine) * w1**2 + (m22 + m12 * cosine) * w1 * w2 + 0.5 * m22 * w2**2
    energy = kinetic - g1 * np.cos(theta1) - g2 * np.cos(theta1 + theta2)
    return float(np.abs(energy - energy[:, :1]).max()) / (2.0 * (g1 + g2))
