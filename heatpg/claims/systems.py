"""Claims on the systems whose returns are sampled: the planar quadrotor and the double pendulum."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np

from heatpg import landscapes
from heatpg.claims import Evidence, claim
from heatpg.core.grid import Axis, Grid
from heatpg.evolution import solve
from heatpg.scalespace import Ensemble, lyapunov_exponent
from heatpg.systems.quadrotor import HOVER

__all__: list[str] = []

_claim = functools.partial(claim, part="systems")


def _thrusts(half_width: float, size: int) -> Grid:
    """Both thrusts about hover."""
    return Grid(*(Axis(name, HOVER - half_width, HOVER + half_width, size, boundary="clip") for name in ("u1", "u2")))


def _ridge_width(horizon: float, half_width: float, gamma: float) -> float:
    """Width in u1 - u2 at u1 + u2 = mg, where the return exceeds the mean of its extremes over +-1.2 N."""
    # the level from the wide box, the width from the fine one
    wide, near = (
        landscapes.quadrotor(_thrusts(width, size), horizon=horizon, gamma=gamma).values
        for width, size in ((1.2, 25), (half_width, 201))
    )
    level = 0.5 * (float(wide.max()) + float(wide.min()))
    # the diagonal across the ridge: u1 - u2 varies, their sum does not
    above = np.flatnonzero(np.fliplr(near).diagonal() > level)
    return float(above[-1] - above[0] + 1) * 4.0 * half_width / 200


@_claim(
    "ridge-narrows-with-the-horizon",
    "The ridge of a quadrotor's return in u1 - u2 narrows with the horizon T like 1 / T^2.",
    corrected=(
        "As a rule of thumb up to about 2 s, from the time to flip, (1/2)(l/I)|du| T^2 = pi/2: a discount makes "
        "it slower; without discount it becomes steeper beyond 2 s, when the sideways drift, like T^4, ends episodes "
        "first."
    ),
    source="kinematics of a constant torque",
)
def ridge_narrows() -> Evidence:
    """Widths at several horizons with and without discount, and the exponents between them."""
    horizons = (0.5, 1.0, 2.0, 4.0)
    widths = {
        0.99: [_ridge_width(*pair, 0.99) for pair in zip(horizons[:3], (0.2, 0.07, 0.025), strict=True)],
        1.0: [_ridge_width(*pair, 1.0) for pair in zip(horizons, (0.2, 0.07, 0.015, 0.002), strict=True)],
    }
    # horizons double, so a slope of -2 is a factor of 4
    slopes = {gamma: np.diff(np.log(w)) / math.log(2.0) for gamma, w in widths.items()}
    texts = {
        gamma: f"{', '.join(f'{w:.3g}' for w in widths[gamma])} N (exponents "
        f"{', '.join(f'{s:.2f}' for s in slopes[gamma])})"
        for gamma in widths
    }
    short = np.concatenate([slopes[0.99], slopes[1.0][:2]])
    # a rule of thumb: exponents within 1/2 of -2
    rule = bool(np.abs(short + 2.0).max() < 0.5)
    return Evidence(
        f"it is {texts[0.99]} wide at 0.5, 1, 2 s with gamma = 0.99 per 0.02 s, and {texts[1.0]} at 0.5, 1, 2, 4 s "
        "without discount",
        {f"width_at_{horizon:g}": w for horizon, w in zip(horizons, widths[0.99], strict=False)}
        | {"steepest_to_2": float(short.min()), "flattest_to_2": float(short.max()), "beyond": float(slopes[1.0][2])},
        rule and bool(np.abs(slopes[1.0] + 2.0).max() < 0.5),
        rule,
        rule and bool(slopes[1.0][2] < -2.5) and bool((slopes[0.99] > slopes[1.0][:2]).all()),
    )


@_claim(
    "little-noise-is-harmless",
    "Exploration noise of a few per cent of the thrust does little to a hovering quadrotor's objective.",
    corrected=(
        "Over two constant thrusts for 2 s, half of the return at hover is lost at 0.05 N, 2 % of the thrust, "
        "because the ridge is only 0.06 N wide."
    ),
    source="survival of a narrow ridge under noise",
)
def little_noise() -> Evidence:
    """The objective at hover over the return there, at four sigmas."""
    q = landscapes.quadrotor(_thrusts(1.2, 481), horizon=2.0, integrator="semi_implicit")
    sigmas = [0.02, 0.05, 0.1, 0.2]
    # the middle node is hover
    left = solve(q, sigmas).values[:, 240, 240] / q.values[240, 240]
    listed = ", ".join(f"{x:.3f} at {s:g} N" for x, s in zip(left, sigmas, strict=True))
    return Evidence(
        f"of the return at hover the objective keeps {listed}, which is {100 * sigmas[1] / HOVER:.1f} % of the "
        "thrust of a rotor at the second of them",
        {f"left_at_{s:g}": x for x, s in zip(left, sigmas, strict=True)},
        bool(left[1] > 0.9),
        corrected=bool(left[1] < 0.55 and (np.diff(left) < 0.0).all()),
    )


@_claim(
    "double-pendulum-exponent",
    "The double pendulum, started near upright at rest, has a maximal Lyapunov exponent of 1.0 /s.",
    corrected="About 1.0 /s: single runs of minutes scatter over 0.8 to 1.2, so quote it with its spread.",
    source="G. Benettin, L. Galgani, A. Giorgilli, J.-M. Strelcyn, Meccanica 15 (1980), doi:10.1007/BF02128236",
)
def double_pendulum_exponent() -> Evidence:
    """Runs of 300 s from eight starts near upright."""
    # runs of minutes: the exponent of a finite time scatters
    estimate = lyapunov_exponent(duration=300.0)
    low, high = estimate.spread
    # what runs of two independent programs span, and 32 of 150 s from other starts: 0.80 to 1.18
    about = 0.8 <= low <= high <= 1.2 and abs(estimate.exponent - 1.0) < 0.1
    exact = max(abs(low - 1.0), abs(high - 1.0)) < 0.05
    return Evidence(
        f"{len(estimate.runs)} runs of {estimate.duration:g} s give {estimate.exponent:.3f} +- "
        f"{estimate.standard_error:.3f} /s, single ones {low:.3f} to {high:.3f}, all of them {estimate.motion}",
        {"exponent": estimate.exponent, "lowest": low, "highest": high, "energy_drift": estimate.energy_drift},
        about and exact,
        about,
        about and estimate.energy_drift < 1e-3,
    )


@_claim(
    "one-exponent-for-all-energies",
    "A double pendulum has one Lyapunov exponent, whatever its constants and its energy.",
    corrected="It depends on both: with the constants of the Acrobot, unforced, it goes from 0, where the motion is "
    "regular, to about 1 /s with the energy; for point masses near upright it is 1.0 /s.",
    source="invariant sets of a Hamiltonian system lie on surfaces of constant energy",
)
def one_exponent_for_all_energies() -> Evidence:
    """The Acrobot from five energies, and point masses near upright."""
    still, upright, lower, fast, whirling = (
        lyapunov_exponent(model="acrobot", ensemble=Ensemble(state, runs=4), duration=200.0)
        for state in (
            (0.2, 0.0, 0.0, 0.0),
            (3.1, 0.0, 0.0, 0.0),
            (2.0, 0.5, 0.0, 0.0),
            (3.1, 0.0, 4.2, 0.0),
            (3.1, 0.0, 4.7, 0.0),
        )
    )
    masses = lyapunov_exponent(ensemble=Ensemble(runs=4), duration=200.0)
    values = [upright.exponent, lower.exponent, masses.exponent]
    errors = [estimate.standard_error for estimate in (upright, lower, masses)]
    # any two of them
    apart = min(abs(a - b) for a, b in itertools.combinations(values, 2)) > 2.0 * max(errors)
    # single runs of this length scatter by a tenth and more
    known = all(0.2 < value < 0.7 for value in values[:2]) and 0.8 < values[2] < 1.15
    # ln(t) / t of a regular motion of 200 s is 0.03
    regular = max(still.exponent, whirling.exponent) < 0.05 and still.motion == whirling.motion == "regular"
    return Evidence(
        f"the Acrobot near upright has {values[0]:.3f} +- {errors[0]:.3f} /s, from 2 rad {values[1]:.3f} +- "
        f"{errors[1]:.3f} /s, from upright at 4.2 rad/s {fast.exponent:.3f} +- {fast.standard_error:.3f} /s, at "
        f"4.7 rad/s {whirling.exponent:.3f} /s and near rest {still.exponent:.3f} /s, both regular; point masses near "
        f"upright have {values[2]:.3f} +- {errors[2]:.3f} /s",
        {
            "acrobot_upright": values[0],
            "acrobot_lower": values[1],
            "acrobot_fast": fast.exponent,
            "acrobot_whirling": whirling.exponent,
            "acrobot_still": still.exponent,
            "point_masses": values[2],
        },
        not apart,
        # single runs of this length scatter by a tenth and more
        corrected=apart and known and regular and 0.6 < fast.exponent < 1.1,
    )
