"""The planar quadrotor: the return over two constant thrusts, or over two gains of its linear controller."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis, GridLike
from heatpg.core.landscape import Landscape
from heatpg.core.ownership import HandedOver
from heatpg.landscapes import landscapes
from heatpg.landscapes._rollouts import documented, plane, sampler_of
from heatpg.systems.lanes import LANES, exponential, step_count
from heatpg.systems.quadrotor import (
    ARM,
    GRAVITY,
    HOVER,
    INERTIA,
    MASS,
    STATE,
    end_episodes,
    lqr_gain,
    runge_kutta_step,
    semi_implicit_step,
    steer,
)
from heatpg.tools.arguments import finite_number, finite_numbers, one_of, positive_number
from heatpg.tools.kernels import kernel
from heatpg.tools.progress import Progress, progress_of

__all__ = ["HOVER", "lqr_gain", "quadrotor"]

# At rest at the origin, where thrusts should keep it, or 1 m beside, so that gains have something to do.
_START = {"thrust": (0.0,) * 6, "gains": (1.0, 0.0, 0.0, 0.0, 0.0, 0.0)}
_SWEPT = (("gain_x", 0, "N/m"), ("gain_theta", 2, "N/rad"))  # name, column of K, unit


def _policy(kind: str) -> NDArray[np.float64]:
    """Rows of the affine policy, shape (3, 14): fixed part, part times the first axis, part times the second."""
    policy = np.zeros((3, 2, 7))
    # each rotor has the row (constant part, gains of the six states) of u = clip(row . (1, s))
    if kind == "thrust":
        policy[1, 0, 0] = policy[2, 1, 0] = 1.0
    else:
        policy[0, :, 0] = HOVER
        policy[0, :, 1:] = -lqr_gain()
        # x and theta act on both rotors with opposite signs, as in the regulator itself
        for axis, (_, column, _) in enumerate(_SWEPT, 1):
            policy[0, :, 1 + column] = 0.0
            policy[axis, :, 1 + column] = -1.0, 1.0
    return policy.reshape(3, 14)


def _default_axes(kind: str, size: int, boundary: str) -> tuple[Axis, Axis]:
    # A taste: with 1.2 N (half of hover) more on one rotor and less on the other it tips over within 0.15 s.
    if kind == "thrust":
        lower, upper = HOVER - 1.2, HOVER + 1.2
        return (
            Axis("u1", lower, upper, size, boundary=boundary, unit="N"),
            Axis("u2", lower, upper, size, boundary=boundary, unit="N"),
        )
    gain = lqr_gain()[0]
    one, two = (
        Axis(name, gain[k] - 2.0 * abs(gain[k]), gain[k] + 2.0 * abs(gain[k]), size, boundary=boundary, unit=unit)
        for name, k, unit in _SWEPT
    )
    return one, two


@kernel
def _collect(running: NDArray[Any], reward: NDArray[Any], weight: float, total: NDArray[Any]) -> None:
    for j in range(LANES):
        total[j] += weight * running[j] * reward[j]


@kernel
def _returns(
    first: NDArray[Any],
    second: NDArray[Any],
    policy: NDArray[Any],
    feedback: bool,
    start: NDArray[Any],
    limit: float,
    steps: int,
    dt: float,
    gamma: float,
    runge_kutta: bool,
    reward_first: bool,
    out: NDArray[Any],
) -> None:
    # out[i] = sum_k gamma^k r_k of point i with the policy policy[0] + first[i] policy[1] + second[i] policy[2]
    # So many arguments because kernels take arrays and numbers only.
    own = np.empty(14 * LANES)
    state = np.empty(6 * LANES)
    rows = np.empty((8, LANES))
    waves, push, turn = rows[:2], rows[2], rows[3]
    running, exponent, reward, total = rows[4], rows[5], rows[6], rows[7]
    power = np.empty(LANES, dtype=np.int64)
    scratch = np.empty((8, 3 * LANES))
    for begin in range(0, out.size, LANES):
        for j in range(LANES):
            i = min(begin + j, out.size - 1)  # a bundle that is not full repeats the last point
            for k in range(14):
                own[j + k * LANES] = policy[0, k] + first[i] * policy[1, k] + second[i] * policy[2, k]
            for k in range(6):
                state[j + k * LANES] = start[k]
            running[j] = 1.0
            total[j] = 0.0
        # without feedback these are the thrusts of the whole episode; the first check is for `reward_first`, and for
        # starts outside of the bounds
        steer(state, own, limit, push, turn)
        count = end_episodes(state, running, exponent)
        weight = 1.0
        for step in range(steps):
            if count == 0:  # nothing is earned any more in this bundle
                break
            if reward_first:
                exponential(exponent, reward, power)
                _collect(running, reward, weight, total)
            if feedback and step > 0:
                steer(state, own, limit, push, turn)
            if runge_kutta:
                runge_kutta_step(state, push, turn, dt, waves, scratch)
            else:
                semi_implicit_step(state, push, turn, dt, waves, scratch)
            count = end_episodes(state, running, exponent)
            if not reward_first:
                exponential(exponent, reward, power)
                _collect(running, reward, weight, total)
            weight *= gamma
        for j in range(min(LANES, out.size - begin)):
            out[begin + j] = total[j]


# More than ten parameters, and flat: they are the keys of [landscape] in batches and of --set on the command line, and
# part of the identity of a task and of the provenance in files.
@landscapes.register("quadrotor")
@documented()
def quadrotor(
    grid: GridLike | None = None,
    *,
    size: int = 257,
    boundary: str = "clip",
    kind: str = "thrust",
    horizon: float = 2.0,
    gamma: float = 0.99,
    dt: float = 0.02,
    integrator: str = "rk4",
    reward_time: str = "after",
    state: tuple[float, ...] | None = None,
    thrust_limit: float = 2.0 * HOVER,
    progress: Progress = None,
) -> Landscape:
    """Return of the planar quadrotor over two constant thrusts, or over two gains of its linear controller.

    x'' = -sin(theta) (u1 + u2)/m,  z'' = cos(theta) (u1 + u2)/m - g,  theta'' = (l/I) (u1 - u2), with m = 0.486 kg,
    I = 0.00383 kg m^2, l = 0.25 m, g = 9.81 m/s^2; at hover u1 = u2 = mg/2 = 2.38383 N.
    Q = sum_k gamma^k r_k with r = exp(-x^2 - z^2 - theta^2), and r = 0 from the moment on when abs(theta) > pi/2
    or abs(x) > 2 m or abs(z) > 2 m, seen at the end of a control step.

    With ``kind="thrust"`` both thrusts are held for the whole horizon, so the landscape is a ridge along u1 = u2 that
    narrows like 1/horizon^2. With ``kind="gains"`` the policy is u = clip(mg/2 - K s, 0, thrust_limit), where K is
    `lqr_gain` except for its entries for x and theta, which are the two axes: K[0, x] = -K[1, x] = gain_x and
    K[0, theta] = -K[1, theta] = gain_theta.

    Parameters
    ----------
    grid
        Grid to sample on: thrusts in N (``thrust``), or gains in N/m and N/rad (``gains``). By default a square of
        half-width 1.2 N about hover, or a box centred at the gains of `lqr_gain`.
    kind
        ``thrust`` or ``gains``.
    dt
        Control step in seconds; the thrust is held during it.
    integrator
        ``rk4``, the classical Runge-Kutta method, or ``semi_implicit``, Euler's with the new velocity.
    reward_time
        ``after``: r_k is taken at the end of control step k; ``before``: at its start.
    state
        Initial (x, z, theta, x', z', theta') in m, rad and seconds. By default at rest at the origin (``thrust``) or
        1 m away from it (``gains``).
    thrust_limit
        Largest thrust of a rotor in N; thrusts are clipped to [0, thrust_limit].

    References
    ----------
    R. Tedrake, *Underactuated Robotics*, the example of the planar quadrotor (dynamics, constants, regulator).
    T. Wang, S. Herbert, S. Gao, *Mollification Effects of Policy Gradient Methods*, ICML 2024, arXiv 2405.17832.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> q = landscapes.quadrotor(size=25, horizon=1.0)
    >>> q.argmax, round(float(q.values.max()), 3)
    ((12, 12), 39.499)
    """
    one_of("kind of quadrotor landscape", kind, ("thrust", "gains"))
    one_of("integrator", integrator, ("rk4", "semi_implicit"))
    one_of("reward time", reward_time, ("before", "after"))
    steps = step_count(horizon, dt)
    discount = finite_number("gamma", gamma, lower=0.0, upper=1.0)
    limit = positive_number("thrust_limit", thrust_limit)
    start = finite_numbers("state", _START[kind] if state is None else state, STATE)
    box = plane(grid, lambda: _default_axes(kind, size, boundary))
    policy = _policy(kind)

    returns = sampler_of(
        lambda first, second, out: _returns(
            first,
            second,
            policy,
            kind == "gains",
            np.array(start),
            limit,
            steps,
            float(dt),
            discount,
            integrator == "rk4",
            reward_time == "before",
            out,
        )
    )
    values = returns(box.nodes(), progress_of(progress, "sampling"))
    parameters = {
        "kind": kind,
        "horizon": float(horizon),
        "steps": steps,
        "gamma": discount,
        "dt": float(dt),
        "integrator": integrator,
        "reward_time": reward_time,
        "state": list(start),
        "thrust_limit": limit,
        "mass": MASS,
        "inertia": INERTIA,
        "arm": ARM,
        "gravity": GRAVITY,
    }
    if kind == "gains":
        parameters["gain"] = lqr_gain().tolist()
    name = "quadrotor" if kind == "thrust" else "quadrotor gains"
    provenance = {"source": "quadrotor", "parameters": parameters}
    return Landscape(HandedOver(values.reshape(box.shape)), box, name, provenance, sampler=returns)
