"""The double pendulum with torques at its joints: Q over an action, or the return over two gains of a linear policy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis, GridLike
from heatpg.core.landscape import Landscape
from heatpg.core.ownership import HandedOver
from heatpg.landscapes import landscapes
from heatpg.landscapes._rollouts import documented, plane, sampler_of
from heatpg.systems.lanes import LANES, sine_cosine, step_count
from heatpg.systems.pendulum import GAINS, MODELS, STATE, affine_gains, clip, runge_kutta_step, steer
from heatpg.tools.arguments import finite_number, finite_numbers, one_of, positive_number, whole_number
from heatpg.tools.kernels import kernel, kernel_part
from heatpg.tools.progress import Progress, progress_of

__all__ = ["double_pendulum"]

# r = h^(2^squarings). A taste: h^8 falls to one half at h = 0.92, where the tip of straight links leans by 33 degrees.
_SQUARINGS = {"height": 0, "upright": 3}


@kernel_part
def _collect(
    sine: NDArray[Any], cosine: NDArray[Any], squarings: int, weight: float, reward: NDArray[Any], total: NDArray[Any]
) -> None:
    # r = h^(2^squarings), h = (2 - cos(theta1) - cos(theta1 + theta2))/4, from the sines that the last step has left;
    # squared again and again, because a power would be a call that stops vectorisation
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
    # out[i] = sum_k gamma^k r_k of point i, whose gains are policy[0] + first[i] policy[1] + second[i] policy[2]. If
    # `held`, first[i] and second[i] are the torques of the first control step themselves.
    # So many arguments because kernels take arrays and numbers only.
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
            i = min(begin + j, out.size - 1)  # a bundle that is not full repeats the last point
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
                steer(state, gains, torque)
            clip(torque, limit)
            for _ in range(substeps):
                runge_kutta_step(state, torque, dt / substeps, coefficients, sine, cosine, scratch)
            # velocities are limited at the end of a control step only, and not of a substep, as in Gymnasium
            clip(state[2 * LANES : 3 * LANES], speed1)
            clip(state[3 * LANES :], speed2)
            _collect(sine, cosine, squarings, weight, reward, total)
            weight *= gamma
        for j in range(min(LANES, out.size - begin)):
            out[begin + j] = total[j]


def _default_axes(kind: str, limit: float, size: int, boundary: str) -> tuple[Axis, Axis]:
    if kind == "action":
        return (
            Axis("torque1", -limit, limit, size, boundary=boundary, unit="N m"),
            Axis("torque2", -limit, limit, size, boundary=boundary, unit="N m"),
        )
    # A taste: from gains that push the links away from upright to those that pull them there.
    return (
        Axis("gain_position", -10.0, 40.0, size, boundary=boundary, unit="N m/rad"),
        Axis("gain_velocity", -5.0, 15.0, size, boundary=boundary, unit="N m s/rad"),
    )


# More than ten parameters, and flat: they are the keys of [landscape] in batches and of --set on the command line, and
# part of the identity of a task and of the provenance in files.
@landscapes.register("double_pendulum")
@documented("NonFiniteError\n    If an angle grows beyond 1e6 rad.")
def double_pendulum(
    grid: GridLike | None = None,
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
    progress: Progress = None,
) -> Landscape:
    """Q(s, a) of a double pendulum over the torques at its joints, or its return over two gains of a linear policy.

    M(theta) theta'' + c(theta, theta') + g(theta) = tau, and Q = sum_k gamma^k r_k, r_k at the end of control step k.
    theta1 is the angle of the first link from hanging down and theta2 that of the second link from the first, as in
    Gymnasium's Acrobot; upright is (pi, 0). The policy is tau = clip(K (theta1 - pi, theta2, theta1', theta2')) with
    unwrapped angles, so that Q is continuous. The motion is chaotic, so Q is a fractal down to scales of
    about exp(-Lyapunov exponent * horizon).

    With ``kind="action"`` the axes are the torques held during the first control step; the policy with the gains
    `gains` acts from then on. With ``kind="gains"`` the policy acts from the beginning, and the axes are a position
    and a velocity gain that are added at both joints: tau_i = clip(... - gain_position (theta_i - upright_i)
    - gain_velocity theta_i').

    Parameters
    ----------
    grid
        Grid to sample on: torques in N m (``action``), or gains in N m/rad and N m s/rad (``gains``). By default the
        square [-torque_limit, torque_limit]^2, or [-10, 40] x [-5, 15].
    kind
        ``action`` or ``gains``.
    model
        ``point_mass``: m = 1 kg at the end of each link, l = 1 m, g = 9.81 m/s^2. ``acrobot``: links of m = 1 kg,
        l = 1 m, centre of mass at 0.5 m, moment of inertia 1 kg m^2, g = 9.8 m/s^2, and velocities clipped to 4 pi
        and 9 pi rad/s at the end of each control step, as in Gymnasium.
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
    constants = MODELS[one_of("model of the double pendulum", model, MODELS)]
    squarings = _SQUARINGS[one_of("reward of the double pendulum", reward, _SQUARINGS)]
    step = positive_number("dt", constants.dt if dt is None else dt)
    steps = step_count(horizon, step)
    parts = whole_number("substeps", constants.substeps if substeps is None else substeps)
    discount = finite_number("gamma", gamma, lower=0.0, upper=1.0)
    limit = positive_number("torque_limit", constants.torque_limit if torque_limit is None else torque_limit)
    start = finite_numbers("state", state, STATE)
    fixed = finite_numbers("gains", gains, GAINS)
    box = plane(grid, lambda: _default_axes(kind, limit, size, boundary))
    policy = affine_gains(kind, fixed)
    coefficients = constants.coefficients()

    returns = sampler_of(
        lambda first, second, out: _returns(
            first,
            second,
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
            out,
        )
    )
    values = returns(box.nodes(), progress_of(progress, "sampling"))
    capped = math.isfinite(constants.velocity_limits[0])  # infinity has no number in JSON
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
    return Landscape(HandedOver(values.reshape(box.shape)), box, name, provenance, sampler=returns)
