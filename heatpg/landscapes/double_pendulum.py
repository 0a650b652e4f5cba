"""The double pendulum with torques at its joints: Q over an action, or the return over two gains of a linear policy."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.landscapes import landscapes
from heatpg.systems.lanes import LANES, in_pieces, plane, runge_kutta_sum, shifted, sine_cosine, step_count
from heatpg.tools.arguments import finite_number, finite_numbers, one_of, positive_number, whole_number
from heatpg.tools.kernels import kernel

__all__ = ["double_pendulum"]


@dataclasses.dataclass(frozen=True)
class _Model:
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
        """m11, m12, m22 of the mass matrix and g1, g2 of gravity, as `_accelerate` takes them."""
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


_MODELS = {
    "point_mass": _Model(1.0, 1.0, 1.0, 0.0, 9.81, (math.inf, math.inf), 0.05, 8, 25.0),
    "acrobot": _Model(1.0, 1.0, 0.5, 1.0, 9.8, (4.0 * math.pi, 9.0 * math.pi), 0.2, 1, 1.0),
}
_SQUARINGS = {"height": 0, "upright": 3}
_STATE = ("theta1", "theta2", "velocity1", "velocity2")
_GAINS = tuple(f"torque{i} per {name}" for i in (1, 2) for name in _STATE)


@kernel
def _accelerate(
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
def _runge_kutta_step(
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
    _accelerate(v1, torque, sine, cosine, coefficients, k1)
    shifted(q, v1, 0.5 * dt, p)
    shifted(v1, k1, 0.5 * dt, v2)
    sine_cosine(p, sine, cosine)
    _accelerate(v2, torque, sine, cosine, coefficients, k2)
    shifted(q, v2, 0.5 * dt, p)
    shifted(v1, k2, 0.5 * dt, v3)
    sine_cosine(p, sine, cosine)
    _accelerate(v3, torque, sine, cosine, coefficients, k3)
    shifted(q, v3, dt, p)
    shifted(v1, k3, dt, v4)
    sine_cosine(p, sine, cosine)
    _accelerate(v4, torque, sine, cosine, coefficients, k4)
    runge_kutta_sum(q, v1, v2, v3, v4, dt)
    runge_kutta_sum(v1, k1, k2, k3, k4, dt)
    sine_cosine(q, sine, cosine)


@kernel
def _clip(x: NDArray[Any], limit: float) -> None:
    for j in range(x.size):
        x[j] = min(max(x[j], -limit), limit)


@kernel
def _steer(state: NDArray[Any], gains: NDArray[Any], torque: NDArray[Any]) -> None:
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
def _collect(
    sine: NDArray[Any], cosine: NDArray[Any], squarings: int, weight: float, reward: NDArray[Any], total: NDArray[Any]
) -> None:
    # r = h^(2^squarings), h = (2 - cos(theta1) - cos(theta1 + theta2))/4
    for j in range(LANES):
        reward[j] = 0.25 * (2.0 - cosine[j] - (cosine[j] * cosine[j + LANES] - sine[j] * sine[j + LANES]))
    for _ in range(squarings):
        for j in range(LANES):
            reward[j] *= reward[j]
    for j in range(LANES):
        total[j] += weight * reward[j]


@kernel
def _returns(
    first: NDArray[Any],
    second: NDArray[Any],
    policy: NDArray[Any],
    held: bool,
    start: NDArray[Any],
    limit: float,
    speed1: float,
    speed2: float,
    steps: int,
    substeps: int,
    dt: float,
    gamma: float,
    squarings: int,
    coefficients: NDArray[Any],
    out: NDArray[Any],
) -> None:
    # the gains of point i are policy[0] + first[i] policy[1] + second[i] policy[2]
    gains = np.empty(8 * LANES)
    state = np.empty(4 * LANES)
    torque = np.empty(2 * LANES)
    sine = np.empty(2 * LANES)
    cosine = np.empty(2 * LANES)
    reward = np.empty(LANES)
    total = np.empty(LANES)
    scratch = np.empty((8, 2 * LANES))
    for begin in range(0, out.size, LANES):
        for j in range(LANES):
            i = min(begin + j, out.size - 1)
            for k in range(8):
                gains[j + k * LANES] = policy[0, k] + first[i] * policy[1, k] + second[i] * policy[2, k]
            for k in range(4):
                state[j + k * LANES] = start[k]
            torque[j] = first[i]
            torque[j + LANES] = second[i]
            total[j] = 0.0
        sine_cosine(state[: 2 * LANES], sine, cosine)
        weight = 1.0
        for step in range(steps):
            if step > 0 or not held:
                _steer(state, gains, torque)
            _clip(torque, limit)
            for _ in range(substeps):
                _runge_kutta_step(state, torque, dt / substeps, coefficients, sine, cosine, scratch)
            _clip(state[2 * LANES : 3 * LANES], speed1)
            _clip(state[3 * LANES :], speed2)
            _collect(sine, cosine, squarings, weight, reward, total)
            weight *= gamma
        for j in range(min(LANES, out.size - begin)):
            out[begin + j] = total[j]


def _policy(kind: str, gains: tuple[float, ...]) -> NDArray[np.float64]:
    """Gains of both torques, shape (3, 8): fixed part, part times the first axis, part times the second."""
    policy = np.zeros((3, 2, 4))
    policy[0] = np.reshape(gains, (2, 4))
    if kind == "gains":
        for joint in (0, 1):
            policy[1, joint, joint] = -1.0
            policy[2, joint, joint + 2] = -1.0
    return policy.reshape(3, 8)


def _default_axes(kind: str, limit: float, size: int, boundary: str) -> tuple[Axis, Axis]:
    if kind == "action":
        return (
            Axis("torque1", -limit, limit, size, boundary=boundary, unit="N m"),
            Axis("torque2", -limit, limit, size, boundary=boundary, unit="N m"),
        )
    return (
        Axis("gain_position", -10.0, 40.0, size, boundary=boundary, unit="N m/rad"),
        Axis("gain_velocity", -5.0, 15.0, size, boundary=boundary, unit="N m s/rad"),
    )


@landscapes.register("double_pendulum")
def double_pendulum(
    grid: Grid | None = None,
    *,
    size: int = 256,
    boundary: str = "clip",
    kind: str = "action",
    model: str = "point_mass",
    horizon: float = 5.0,
    gamma: float = 0.99,
    dt: float | None = None,
    substeps: int | None = None,
    state: tuple[float, ...] = (3.1, 0.1, 0.0, 0.0),
    gains: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    torque_limit: float | None = None,
    reward: str = "height",
    progress: Callable[[int, int], object] | None = None,
) -> Landscape:
    """Q(s, a) of a double pendulum over the torques at its joints, or its return over two gains of a linear policy.

    M(theta) theta'' + c(theta, theta') + g(theta) = tau, and Q = sum_k gamma^k r_k, r_k at the end of control step k.
    theta1 is the angle of the first link from hanging down and theta2 that of the second link from the first, as in
    Gymnasium's Acrobot; upright is (pi, 0). The policy is tau = clip(K (theta1 - pi, theta2, theta1', theta2')) with
    angles that are not wrapped, so that Q is continuous. The motion is chaotic, so Q is a fractal down to scales of
    about exp(-Lyapunov exponent * horizon).

    With ``kind="action"`` the axes are the torques held during the first control step; the policy with the gains
    `gains` acts from then on. With ``kind="gains"`` the policy acts from the beginning, and the axes are a position
    and a velocity gain that are added at both joints: tau_i = clip(... - gain_position (theta_i - upright_i)
    - gain_velocity theta_i').

    Parameters
    ----------
    grid
        Where to sample: torques in N m (``action``), or gains in N m/rad and N m s/rad (``gains``). By default the
        square [-torque_limit, torque_limit]^2, or [-10, 40] x [-5, 15].
    size
        Nodes along each axis of the default grid.
    boundary
        Boundary of the default grid.
    kind
        ``action`` or ``gains``.
    model
        ``point_mass``: m = 1 kg at the end of each link, l = 1 m, g = 9.81 m/s^2. ``acrobot``: links of m = 1 kg,
        l = 1 m, centre of mass at 0.5 m, moment of inertia 1 kg m^2, g = 9.8 m/s^2, and velocities clipped to 4 pi
        and 9 pi rad/s at the end of each control step, as in Gymnasium.
    horizon
        Duration in seconds, a whole number of control steps.
    gamma
        Discount per control step, from 0 to 1.
    dt
        Control step in seconds; the torque is held during it. By default 0.05 (point_mass) or 0.2 (acrobot).
    substeps
        Steps of the classical Runge-Kutta method per control step. By default 8 (point_mass) or 1 (acrobot, as in
        Gymnasium). With dt = 0.05 s and 1 substep the landscape shows the integrator rather than the pendulum.
    state
        Initial (theta1, theta2, theta1', theta2') in rad and rad/s.
    gains
        K row by row, 8 numbers: torque1 then torque2, each per theta1, theta2, theta1', theta2'.
    torque_limit
        Largest torque in N m; torques are clipped to [-torque_limit, torque_limit]. By default 25 (point_mass) or 1
        (acrobot).
    reward
        ``height``: r = h = (2 - cos theta1 - cos(theta1 + theta2))/4, the height of the tip scaled to [0, 1].
        ``upright``: r = h^8.
    progress
        Called as ``progress(done, total)`` with numbers of points.

    Returns
    -------
    Landscape
        Values of shape (size, size), with every parameter and constant in its provenance.

    Raises
    ------
    GridError
        If the grid has not two axes.
    UnknownNameError
        For an unknown kind, model or reward.
    UnsupportedError
        For a parameter out of its range.
    NonFiniteError
        If an angle grows beyond 1e6 rad.

    References
    ----------
    R. Tedrake, *Underactuated Robotics*, on the Acrobot (equations of motion).
    Gymnasium, Acrobot-v1 (constants, velocity limits).
    T. Wang, S. Herbert, S. Gao, *Mollification Effects of Policy Gradient Methods*, ICML 2024, arXiv 2405.17832.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> q = landscapes.double_pendulum(size=8, horizon=1.0)
    >>> q.values.shape, q.provenance["parameters"]["steps"]
    ((8, 8), 20)
    """
    one_of("kind of double-pendulum landscape", kind, ("action", "gains"))
    constants = _MODELS[one_of("model of the double pendulum", model, _MODELS)]
    squarings = _SQUARINGS[one_of("reward of the double pendulum", reward, _SQUARINGS)]
    step = positive_number("dt", constants.dt if dt is None else dt)
    steps = step_count(horizon, step)
    parts = whole_number("substeps", constants.substeps if substeps is None else substeps)
    discount = finite_number("gamma", gamma, lower=0.0, upper=1.0)
    limit = positive_number("torque_limit", constants.torque_limit if torque_limit is None else torque_limit)
    start = finite_numbers("state", state, _STATE)
    fixed = finite_numbers("gains", gains, _GAINS)
    box = plane(grid, lambda: _default_axes(kind, limit, size, boundary))
    policy = _policy(kind, fixed)
    coefficients = constants.coefficients()

    def returns(
        points: NDArray[np.float64], progress: Callable[[int, int], object] | None = None
    ) -> NDArray[np.float64]:
        first, second = (np.ascontiguousarray(column) for column in points.T)
        values = np.empty(len(points))

        def sample(begin: int, end: int) -> None:
            _returns(
                first[begin:end],
                second[begin:end],
                policy,
                kind == "action",
                np.array(start),
                limit,
                *constants.velocity_limits,
                steps,
                parts,
                step,
                discount,
                squarings,
                coefficients,
                values[begin:end],
            )

        in_pieces(sample, len(points), progress)
        return values

    values = returns(box.nodes(), progress)
    capped = math.isfinite(constants.velocity_limits[0])
    parameters = {
        "kind": kind,
        "model": model,
        "integrator": "rk4",
        "horizon": float(horizon),
        "steps": steps,
        "gamma": discount,
        "dt": step,
        "substeps": parts,
        "state": list(start),
        "gains": list(fixed),
        "torque_limit": limit,
        "reward": reward,
        "mass": constants.mass,
        "length": constants.length,
        "centre": constants.centre,
        "inertia": constants.inertia,
        "gravity": constants.gravity,
        "velocity_limits": list(constants.velocity_limits) if capped else None,
    }
    name = "double pendulum" if kind == "action" else "double pendulum gains"
    provenance = {"source": "double_pendulum", "parameters": parameters}
    return Landscape(values.reshape(box.shape), box, name, provenance, sampler=returns)
