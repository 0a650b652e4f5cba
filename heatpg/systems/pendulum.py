"""The double pendulum with torques at its joints: models, equations of motion, their derivative, integration.

Two equal links in a vertical plane. theta1 is the angle of the first link from hanging straight down, theta2 that of
the second link relative to the first, both counted anticlockwise; (0, 0) hangs, (pi, 0) is upright. w1, w2 are their
rates.
A torque acts at each joint, positive with its angle. With m = (m11, m12, m22) and g = (g1, g2) of a `Model`,

    M(theta) theta'' = tau + c,   M = [[m11 + 2 m12 cos(theta2), m22 + m12 cos(theta2)], [same, m22]],
    c1 = m12 sin(theta2) w2 (w2 + 2 w1) - g1 sin(theta1) - g2 sin(theta1 + theta2),
    c2 = -m12 sin(theta2) w1^2 - g2 sin(theta1 + theta2).

Without torque the energy, 1/2 w^T M w - g1 cos(theta1) - g2 cos(theta1 + theta2), is conserved, and so is the volume of
(angles, momenta M w).

There are two integrators of these equations, both the classical Runge-Kutta method: landscapes roll out lanes
(`accelerate`, `runge_kutta_step`), which advance `LANES` pendulums together; `follow` takes one motion with its
tangents, or two motions that start close to each other, as Lyapunov exponents need them. Runge-Kutta and no symplectic
method, because torques do work, the step of Gymnasium's Acrobot is one of Runge-Kutta, and the derivative of a step is
taken as easily as the step; how far the energy drifts is measured (`energy_drift`).
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.systems.lanes import LANES, runge_kutta_sum, shifted, sine_cosine
from heatpg.tools.kernels import kernel, kernel_part

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

# rad and rad/s. No motion of a pendulum comes near; what is beyond has blown up, and its squares are still finite.
_LARGEST = 1e9


@dataclasses.dataclass(frozen=True)
class Model:
    """Two equal links, and what a landscape of them has as defaults.

    Attributes
    ----------
    mass, length, centre, inertia
        Of each link, in kg, m, m, kg m^2: `centre` is the distance from its joint to its centre of mass, `inertia` the
        moment of inertia about that centre.
    gravity
        In m/s^2.
    velocity_limits
        Largest |w1| and |w2| in rad/s, to which landscapes clip; infinite where there are none.
    dt, substeps
        Control step in seconds, and integrator steps in it.
    torque_limit
        Largest torque in N m.
    """

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
        # kinetic energy: 1/2 (m11 + 2 m12 cos2) w1^2 + (m22 + m12 cos2) w1 w2 + 1/2 m22 w2^2, since the second link
        # turns with w1 + w2; potential energy: -g1 cos(theta1) - g2 cos(theta1 + theta2)
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
    # A taste: 25 N m cannot hold both links out horizontally (29.4 N m), so getting up takes a swing. 8 substeps of
    # 6.25 ms, because one of 50 ms shows the integrator rather than the pendulum.
    "point_mass": Model(1.0, 1.0, 1.0, 0.0, 9.81, (math.inf, math.inf), 0.05, 8, 25.0),
    # all numbers as in Gymnasium, whose step is one Runge-Kutta step
    "acrobot": Model(1.0, 1.0, 0.5, 1.0, 9.8, (4.0 * math.pi, 9.0 * math.pi), 0.2, 1, 1.0),
}
STATE = ("theta1", "theta2", "velocity1", "velocity2")
# of a linear policy tau = K (s - upright), row by row
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


@kernel_part
def accelerate(
    velocity: NDArray[Any],
    torque: NDArray[Any],
    sine: NDArray[Any],
    cosine: NDArray[Any],
    coefficients: NDArray[Any],
    out: NDArray[Any],
) -> None:
    # M theta'' = tau + c of the module, by Cramer's rule; LANES numbers of the first joint, then those of the second
    m11, m12, m22 = coefficients[0], coefficients[1], coefficients[2]
    g1, g2 = coefficients[3], coefficients[4]
    for j in range(LANES):
        w1 = velocity[j]
        w2 = velocity[j + LANES]
        s2 = sine[j + LANES]
        c2 = cosine[j + LANES]
        # sin(theta1 + theta2) from what is there: a third sine would cost as much as all of this
        s12 = sine[j] * c2 + cosine[j] * s2
        a11 = m11 + 2.0 * m12 * c2
        a12 = m22 + m12 * c2
        f1 = torque[j] + m12 * s2 * w2 * (w2 + 2.0 * w1) - g1 * sine[j] - g2 * s12
        f2 = torque[j + LANES] - m12 * s2 * w1 * w1 - g2 * s12
        # det M > 0 at every angle, because kinetic energy is positive
        q = 1.0 / (a11 * m22 - a12 * a12)
        out[j] = (m22 * f1 - a12 * f2) * q
        out[j + LANES] = (a11 * f2 - a12 * f1) * q


@kernel_part
def runge_kutta_step(
    state: NDArray[Any],
    torque: NDArray[Any],
    dt: float,
    coefficients: NDArray[Any],
    sine: NDArray[Any],
    cosine: NDArray[Any],
    scratch: NDArray[Any],
) -> None:
    # q' = v, v' = f(q, v): the classical method with stages (v1, k1) ... (v4, k4), and p the angles between. Sine and
    # cosine are those of q, before and after, so that the reward takes them over and the next step begins without.
    # A loop, so that what the stages share is compiled once; rows of scratch: v2, v3, v4, p, k1, ..., k4.
    q, v1, p = state[: 2 * LANES], state[2 * LANES :], scratch[3]
    for stage in range(4):
        v, k = (v1 if stage == 0 else scratch[stage - 1]), scratch[4 + stage]
        accelerate(v, torque, sine, cosine, coefficients, k)
        if stage < 3:
            h = dt if stage == 2 else 0.5 * dt
            shifted(q, v, h, p)
            shifted(v1, k, h, scratch[stage])
        else:
            runge_kutta_sum(q, v1, scratch[0], scratch[1], scratch[2], dt)
            runge_kutta_sum(v1, scratch[4], scratch[5], scratch[6], k, dt)
        sine_cosine(p if stage < 3 else q, sine, cosine)


@kernel_part
def clip(x: NDArray[Any], limit: float) -> None:
    for j in range(x.size):
        x[j] = min(max(x[j], -limit), limit)


@kernel_part
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
    # (theta, w)' = (w, M^-1 (tau + c)), as `accelerate` has it, for one row (theta1, theta2, w1, w2)
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
    # Row 0 is the state, out[0] its rate, of which a = out[0, 2:] are the accelerations. For a tangent v in each other
    # row, M a = f gives M da = df - dM a with dM a = -m12 s2 (2 a1 + a2, a1) v2, so one matrix serves all tangents.
    # fi_by_k is the derivative of the i-th right-hand side by the k-th entry of the state, minus that of M a.
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
    # rows of tangents need the accelerations of the state, so that comes first
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
    # The classical Runge-Kutta method. State and tangents share the stages, so the tangents are the derivative of the
    # discrete step itself, and not another approximation of the flow.
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
    # tau = clip(K (s - upright)), upright = (pi, 0, 0, 0); its tangent is K v, or 0 where it is clipped. Only row 0 of
    # tangents is a state with an upright to subtract; of two trajectories, both are.
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
    # Modified Gram-Schmidt on rows 1, 2, ...; growth = ln of the lengths; False if one is 0 or not finite. "Modified",
    # because each projection is taken from what the one before has left: the classical form loses orthogonality.
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
    # The second trajectory back to the separation, along the same direction. growth = ln of the ratio of the lengths
    # that the numbers really have: x + 1e-7 rounds, and with the nominal length every interval would carry that error.
    # Returns the new length, or NaN if the old one is 0 or not finite.
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
    # One motion from `start` over growth.shape[0] intervals of `per_interval` steps; states gets its points, growth the
    # logarithms by which tangents or the separation grew in each. A torque is held for `hold` steps, the first one
    # given if `held`. Returns the number of intervals in which all stayed finite.
    # So many arguments because kernels take arrays and numbers only.
    # Angles are wrapped after each interval, so that the rounding of a large angle does not exceed the separation; not
    # under a policy, whose torque depends on how often a link has turned.
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
        before += (rows[1, k] - rows[0, k]) ** 2  # of two trajectories; of tangents it is not used
    before = math.sqrt(before)
    for joint in range(2):
        for i in range(count + 1):
            # a given torque is the same whatever the state: its tangent is 0
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
                # both trajectories by the turns of the first, or their difference would jump
                turns = np.floor(rows[0, k] / (2.0 * math.pi) + 0.5)
                for i in range(1 if tangent else 2):
                    rows[i, k] -= 2.0 * math.pi * turns
        for k in range(4):
            states[n + 1, k] = rows[0, k]
            if not abs(rows[0, k]) < _LARGEST:  # NaN too
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
    """When `follow` steps, steers and measures.

    Attributes
    ----------
    dt
        Step of the integrator in seconds.
    hold
        Steps for which a torque is held.
    per_interval
        Steps after which growth is measured and tangents are orthonormalised.
    skipped, counted
        Intervals left out at the beginning, and those of the averages.
    """

    dt: float
    hold: int
    per_interval: int
    skipped: int
    counted: int

    @property
    def interval(self) -> float:
        """Length of an interval in seconds."""
        return self.dt * self.per_interval


def mass_determinant(second_angle: Array, coefficients: Array) -> Array:
    """Determinant of the mass matrix, by which (angles, momenta) differ in volume from (angles, velocities)."""
    m11, m12, m22 = (float(c) for c in coefficients[:3])
    cosine = np.cos(second_angle)
    return np.asarray((m11 + 2.0 * m12 * cosine) * m22 - (m22 + m12 * cosine) ** 2)


def energy_drift(states: Array, coefficients: Array) -> float:
    """Largest departure of the energy from its start, over the energy between hanging and upright, 2 (g1 + g2).

    `states` are motions without torque, shape (runs, moments, 4).
    """
    m11, m12, m22, g1, g2 = (float(c) for c in coefficients)
    theta1, theta2, w1, w2 = np.moveaxis(states, -1, 0)
    cosine = np.cos(theta2)
    kinetic = 0.5 * (m11 + 2.0 * m12 * cosine) * w1**2 + (m22 + m12 * cosine) * w1 * w2 + 0.5 * m22 * w2**2
    energy = kinetic - g1 * np.cos(theta1) - g2 * np.cos(theta1 + theta2)
    return float(np.abs(energy - energy[:, :1]).max()) / (2.0 * (g1 + g2))
