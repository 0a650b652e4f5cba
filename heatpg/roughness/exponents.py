"""Lyapunov exponents, the Hölder exponent that they predict, and the scales on which a finite horizon can show it."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.landscape import Landscape
from heatpg.errors import HeatpgWarning, NonFiniteError, UnsupportedError
from heatpg.landscapes.double_pendulum import _GAINS, _MODELS, _STATE, _policy
from heatpg.tools.arguments import finite_number, finite_numbers, one_of, positive_number, whole_number
from heatpg.tools.kernels import kernel
from heatpg.tools.parallel import for_each

__all__ = [
    "ChaosSummary",
    "HolderPrediction",
    "LyapunovEstimate",
    "ScaleWindow",
    "chaos",
    "lyapunov_exponent",
    "lyapunov_spectrum",
    "predicted_holder",
    "scale_window",
]

Array = NDArray[np.float64]

_METHODS = ("tangent", "two_trajectory")
_MOST_MOMENTS = 200  # of the history of convergence
_BLOCKS = 10  # of a single run, for its standard error
_REGULAR_GROWTH = 4.0  # in the second half of a run; see `LyapunovEstimate`
_MOST_DRIFT = 0.01
_NEAR_ONE = 0.1
_FINEST_STEP = 0.005
_LARGEST = 1e9  # rad and rad/s: what is beyond has blown up
_USUAL_TRANSIENT = 10.0
_SEPARATION = 1e-7  # where rounding, which falls with it, meets curvature, which rises
# Orthonormal directions, none of which is an axis; two trajectories start apart along the first.
_FRAME = 0.5 * np.array([[1.0, 1.0, 1.0, 1.0], [1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0], [1.0, -1.0, -1.0, 1.0]])


@dataclasses.dataclass(frozen=True)
class LyapunovEstimate:
    """Lyapunov exponents, and how well they are known.

    A run counts as chaotic if separations grew by more than exp(4) in its second half: linear growth, as on a torus,
    gives a factor of 2 there whatever the duration, quadratic growth 4, and the rest is room for oscillations. So
    exponents below `resolution` = 8/duration cannot be told from zero.

    Attributes
    ----------
    exponent
        Maximal exponent, mean of the runs, in `unit`.
    standard_error
        Of the mean: from the scatter of the runs, or of 10 parts of a single run; NaN where there are too few.
    runs
        The exponent of each run.
    spectrum
        All exponents that were followed, largest first, means of the runs; only the maximal one for two trajectories.
    chaotic_runs
        How many runs are chaotic.
    times
        Up to 200 moments, counted from the end of the transient.
    history
        Estimate of each run up to each moment, shape (runs, moments).
    energy_drift
        Largest departure of the energy from its start, over the energy between hanging and upright; NaN where energy
        is not conserved or not known.
    volume_defect
        Sum of the exponents plus the rate of ln det M, M the mass matrix: zero for exact motion without torque,
        because (angles, momenta) keep their volume. NaN where this does not hold or not all exponents are known.
    duration
        Time or number of iterations over which each run was averaged.
    transient
        The same, left out before.
    step
        Time step of the integrator; 1 for a map.
    method
        ``tangent`` or ``two_trajectory``.
    unit
        Unit of all exponents.
    system
        What moved.
    """

    exponent: float
    standard_error: float
    runs: tuple[float, ...]
    spectrum: tuple[float, ...]
    chaotic_runs: int
    times: Array
    history: Array
    energy_drift: float
    volume_defect: float
    duration: float
    transient: float
    step: float
    method: str
    unit: str
    system: str

    @property
    def spread(self) -> tuple[float, float]:
        """Smallest and largest exponent of a run."""
        return min(self.runs), max(self.runs)

    @property
    def resolution(self) -> float:
        """Exponents below this cannot be told from zero in this duration."""
        return 2.0 * _REGULAR_GROWTH / self.duration

    @property
    def motion(self) -> str:
        """``chaotic`` or ``regular`` if all runs are, else ``mixed``."""
        if self.chaotic_runs == len(self.runs):
            return "chaotic"
        return "mixed" if self.chaotic_runs else "regular"

    @property
    def interval(self) -> tuple[float, float]:
        """The spread of the runs; for a single run the exponent with two standard errors either side."""
        if len(self.runs) > 1:
            return self.spread
        margin = 0.0 if math.isnan(self.standard_error) else 2.0 * self.standard_error
        return self.exponent - margin, self.exponent + margin

    def __str__(self) -> str:
        error = "" if math.isnan(self.standard_error) else f" +- {self.standard_error:.2g}"
        motion = f"{self.chaotic_runs} of {len(self.runs)} runs chaotic" if self.motion == "mixed" else self.motion
        if self.motion == "regular":
            motion += f": an exponent below {self.resolution:.2g} cannot be told from zero in this duration"
        lines = [
            f"system             {self.system}",
            f"Lyapunov exponent  {self.exponent:.4g}{error} {self.unit}",
            f"motion             {motion}",
        ]
        if len(self.runs) > 1:
            lines.append(f"single runs        {self.spread[0]:.4g} to {self.spread[1]:.4g}, {len(self.runs)} of them")
        if len(self.spectrum) > 1:
            lines.append(f"spectrum           {', '.join(f'{x:.4g}' for x in self.spectrum)}")
        if not math.isnan(self.energy_drift):
            lines.append(f"energy drift       {self.energy_drift:.1e}")
        if not math.isnan(self.volume_defect):
            lines.append(f"volume defect      {self.volume_defect:.1e} {self.unit}")
        lines.append(
            f"method             {self.method}, {self.duration:g} after a transient of {self.transient:g}, "
            f"step {self.step:g}"
        )
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The estimate as JSON-like values."""
        return {
            "system": self.system,
            "exponent": self.exponent,
            "standard_error": _number_or_none(self.standard_error),
            "unit": self.unit,
            "motion": self.motion,
            "chaotic_runs": self.chaotic_runs,
            "resolution": self.resolution,
            "runs": list(self.runs),
            "spread": list(self.spread),
            "spectrum": list(self.spectrum),
            "energy_drift": _number_or_none(self.energy_drift),
            "volume_defect": _number_or_none(self.volume_defect),
            "duration": self.duration,
            "transient": self.transient,
            "step": self.step,
            "method": self.method,
            "times": self.times.tolist(),
            "history": self.history.tolist(),
        }


@dataclasses.dataclass(frozen=True)
class HolderPrediction:
    """How smooth a discounted return is at least, as chaos and discount have it.

    Attributes
    ----------
    exponent
        Hölder exponent p, from 0 to 1.
    interval
        p at the upper and at the lower end of the interval of the Lyapunov exponent.
    ratio
        -ln gamma / (Lambda dt), not cut at 1; infinite where nothing grows.
    regime
        ``Lipschitz``, ``fractal``, or ``borderline`` where the ratio is within a tenth of 1 or its interval holds 1;
        ``mixed`` where it holds 1 because some runs are regular and some chaotic.
    gamma
        Discount per control step.
    exponent_per_step
        Lambda dt.
    """

    exponent: float
    interval: tuple[float, float]
    ratio: float
    regime: str
    gamma: float
    exponent_per_step: float

    @property
    def sentence(self) -> str:
        """What this means."""
        guarantee = "a bound from below: the landscape may be smoother"
        numbers = f"-ln gamma = {_decay(self.gamma):.3g} against Lambda dt = {self.exponent_per_step:.3g} per step"
        if self.regime == "Lipschitz":
            return f"Lipschitz: the discount outruns the chaos, {numbers}"
        p = f"p = {self.exponent:.2g} ({self.interval[0]:.2g} to {self.interval[1]:.2g})"
        if self.regime == "mixed":
            return (
                f"mixed: Lipschitz where the motion is regular, p down to {self.interval[0]:.2g} where it is chaotic; "
                f"on average {numbers}"
            )
        if self.regime == "borderline":
            return f"borderline, ratio {self.ratio:.3g}, {p}: {numbers}; {guarantee}"
        if self.exponent == 0.0:
            return f"no Hölder exponent is guaranteed: {numbers}"
        return f"fractal, {p}: {numbers}; {guarantee}"

    def __str__(self) -> str:
        return self.sentence

    def as_dict(self) -> dict[str, Any]:
        """The prediction as JSON-like values; an infinite ratio is None."""
        return {
            "exponent": self.exponent,
            "interval": list(self.interval),
            "ratio": _number_or_none(self.ratio),
            "regime": self.regime,
            "gamma": self.gamma,
            "exponent_per_step": self.exponent_per_step,
            "sentence": self.sentence,
        }


@dataclasses.dataclass(frozen=True)
class ScaleWindow:
    """The scales on which a landscape of finite horizon can be fractal.

    Attributes
    ----------
    low
        D exp(-Lambda H): below, the landscape is smooth.
    high
        The outer scale D.
    decades
        log10(high / low).
    spacing
        Distance of the nodes, NaN if none was given.
    visible_decades
        log10(high / max(low, spacing)): what of it the grid can show; the same as `decades` without a spacing.
    """

    low: float
    high: float
    decades: float
    spacing: float
    visible_decades: float

    @property
    def visible(self) -> bool:
        """Whether at least one decade can be seen, the least from which a slope can be read."""
        return self.visible_decades >= 1.0

    @property
    def resolved(self) -> bool:
        """Whether the grid reaches down to where the landscape is smooth; False if no spacing was given."""
        return self.spacing <= self.low

    @property
    def sentence(self) -> str:
        """What this means."""
        if self.decades == 0.0:
            return f"no scale below {self.high:.3g} is fractal: separations do not grow within the horizon"
        text = f"fractal from {self.low:.3g} to {self.high:.3g} ({self.decades:.2g} decades), smooth below"
        if math.isnan(self.spacing):
            return text
        if self.resolved:
            text += f"; a spacing of {self.spacing:.3g} resolves all of it"
        else:
            text += f"; a spacing of {self.spacing:.3g} leaves {self.visible_decades:.2g} decades"
        return text if self.visible else text + ", too few to read a slope from"

    def __str__(self) -> str:
        return self.sentence

    def as_dict(self) -> dict[str, Any]:
        """The window as JSON-like values."""
        return {
            "low": self.low,
            "high": self.high,
            "decades": self.decades,
            "spacing": _number_or_none(self.spacing),
            "visible_decades": self.visible_decades,
            "visible": self.visible,
            "resolved": self.resolved,
            "sentence": self.sentence,
        }


@dataclasses.dataclass(frozen=True)
class ChaosSummary:
    """What chaos does to one landscape.

    Attributes
    ----------
    estimate
        Exponent over a long time, of runs that start at points of the landscape.
    within_horizon
        The same over the horizon of the landscape alone, with nothing left out before.
    holder
        Predicted Hölder exponent.
    measured
        Measured Hölder exponent, NaN if none was given.
    windows
        Window of fractal scales along each axis, by its name, from the growth within the horizon.
    """

    estimate: LyapunovEstimate
    within_horizon: LyapunovEstimate
    holder: HolderPrediction
    measured: float
    windows: dict[str, ScaleWindow]

    @property
    def verdict(self) -> str:
        """Measured against predicted smoothness; empty if nothing was measured."""
        if math.isnan(self.measured):
            return ""
        visible = any(window.visible for window in self.windows.values())
        if self.measured >= self.holder.interval[0]:
            text = (
                f"measured p = {self.measured:.2g}, not below the prediction of at least {self.holder.interval[0]:.2g}"
            )
        else:
            text = f"measured p = {self.measured:.2g} is below the prediction of at least {self.holder.interval[0]:.2g}"
        return text if visible else text + "; but this grid shows too few scales to tell"

    def __str__(self) -> str:
        low, high = self.within_horizon.spread
        lines = [
            str(self.estimate),
            f"within the horizon {self.within_horizon.exponent:.4g} {self.estimate.unit} ({low:.3g} to {high:.3g}), "
            f"{self.within_horizon.duration:g} s from the start",
            f"predicted          {self.holder.sentence}",
        ]
        if self.verdict:
            lines.append(f"measured           {self.verdict}")
        lines += [f"scales of {name}: {window.sentence}" for name, window in self.windows.items()]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The summary as JSON-like values."""
        return {
            "estimate": self.estimate.as_dict(),
            "within_horizon": self.within_horizon.as_dict(),
            "holder": self.holder.as_dict(),
            "measured": _number_or_none(self.measured),
            "verdict": self.verdict,
            "windows": {name: window.as_dict() for name, window in self.windows.items()},
        }


@kernel
def _accelerate_row(
    rows: NDArray[Any], i: int, torque: NDArray[Any], coefficients: NDArray[Any], out: NDArray[Any]
) -> None:
    # (theta, w)' = (w, M^-1 (tau + c)), with M and c as in heatpg.landscapes.double_pendulum
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
def _linearise_rows(rows: NDArray[Any], torque: NDArray[Any], coefficients: NDArray[Any], out: NDArray[Any]) -> None:
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
def _rates(
    rows: NDArray[Any], torque: NDArray[Any], tangent: bool, coefficients: NDArray[Any], out: NDArray[Any]
) -> None:
    _accelerate_row(rows, 0, torque, coefficients, out)
    if tangent:
        _linearise_rows(rows, torque, coefficients, out)
    else:
        for i in range(1, rows.shape[0]):
            _accelerate_row(rows, i, torque, coefficients, out)


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
    _rates(rows, torque, tangent, coefficients, k1)
    _stage(rows, k1, 0.5 * dt, p)
    _rates(p, torque, tangent, coefficients, k2)
    _stage(rows, k2, 0.5 * dt, p)
    _rates(p, torque, tangent, coefficients, k3)
    _stage(rows, k3, dt, p)
    _rates(p, torque, tangent, coefficients, k4)
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
def _follow(
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
class _Timing:
    """Integrator steps per control step and per interval, intervals left out and counted."""

    dt: float
    hold: int
    per_interval: int
    skipped: int
    counted: int

    @property
    def interval(self) -> float:
        return self.dt * self.per_interval


def _number_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _decay(gamma: float) -> float:
    """-ln gamma, infinite for gamma = 0."""
    return -math.log(gamma) if gamma > 0.0 else math.inf


def _multiple(what: str, given: float, unit: str, step: float, least: int = 1) -> int:
    """How many steps there are in a duration, if the number is whole within 1e-9."""
    count = round(given / step)
    if count < least or abs(count * step - given) > 1e-9 * max(given, step):
        raise UnsupportedError(
            f"{what} is not a whole number of {unit}",
            given=f"{given:g}, {unit} of {step:g}",
            allowed=f"{', '.join(f'{n * step:g}' for n in range(least, least + 3))}, ...",
            advice=f"the nearest is {max(least, count) * step:.12g}",
        )
    return count


def _transient_count(transient: float | None, usual: float, interval: float, unit: str) -> int:
    if transient is None:
        return round(usual / interval)
    return _multiple("transient", finite_number("transient", transient, lower=0.0), unit, interval, least=0)


def _pendulum(
    model: str,
    starts: Array,
    torques: Array | None,
    gains: Array,
    limit: float,
    timing: _Timing,
    tangent: bool,
    separation: float,
) -> LyapunovEstimate:
    """Follow every run; `torques` are held during the first control step, or the policy acts from the beginning."""
    runs, intervals = len(starts), timing.skipped + timing.counted
    coefficients = _MODELS[model].coefficients()
    states = np.empty((runs, intervals + 1, 4))
    growth = np.empty((runs, intervals, 4 if tangent else 1))
    good = np.zeros(runs, dtype=np.int64)
    first = np.zeros((runs, 2)) if torques is None else torques

    def one(run: int) -> None:
        good[run] = _follow(
            starts[run],
            _FRAME,
            tangent,
            separation,
            first[run],
            torques is not None,
            gains[run],
            limit,
            timing.hold,
            timing.per_interval,
            timing.dt,
            coefficients,
            states[run],
            growth[run],
        )

    for_each(one, range(runs))
    if good.min() < intervals:
        run = int(good.argmin())
        raise NonFiniteError(
            f"the motion or the separation of run {run + 1} of {runs} ceased to be a number other than zero",
            given=f"dt={timing.dt:g}, within {(int(good[run]) + 1) * timing.interval:g} s",
            advice="lower dt, or renormalise more often",
        )
    free = not gains.any()
    drift = _energy_drift(states[:, int(torques is not None) :], coefficients) if free else math.nan
    if drift > _MOST_DRIFT:
        warnings.warn(
            f"the integrator changed the energy by {drift:.1%} of that between hanging and upright; lower dt",
            HeatpgWarning,
            stacklevel=3,
        )
    defect = math.nan
    if free and tangent:
        volume = np.log(_determinant(states[:, [timing.skipped, -1], 1], coefficients))
        logs = growth[:, timing.skipped :].sum(axis=(1, 2)) + volume[:, 1] - volume[:, 0]
        defect = float(np.abs(logs).max()) / (timing.counted * timing.interval)
    name = f"double pendulum ({model})" if free else f"double pendulum ({model}) with a linear policy"
    return _estimate(
        growth,
        timing.skipped,
        timing.interval,
        energy_drift=drift,
        volume_defect=defect,
        step=timing.dt,
        method="tangent" if tangent else "two_trajectory",
        unit="1/s",
        system=name,
    )


def _determinant(second_angle: Array, coefficients: Array) -> Array:
    """Determinant of the mass matrix."""
    m11, m12, m22 = (float(c) for c in coefficients[:3])
    cosine = np.cos(second_angle)
    return np.asarray((m11 + 2.0 * m12 * cosine) * m22 - (m22 + m12 * cosine) ** 2)


def _energy_drift(states: Array, coefficients: Array) -> float:
    m11, m12, m22, g1, g2 = (float(c) for c in coefficients)
    theta1, theta2, w1, w2 = np.moveaxis(states, -1, 0)
    cosine = np.cos(theta2)
    kinetic = 0.5 * (m11 + 2.0 * m12 * cosine) * w1**2 + (m22 + m12 * cosine) * w1 * w2 + 0.5 * m22 * w2**2
    energy = kinetic - g1 * np.cos(theta1) - g2 * np.cos(theta1 + theta2)
    return float(np.abs(energy - energy[:, :1]).max()) / (2.0 * (g1 + g2))


def _estimate(growth: Array, skipped: int, interval: float, **rest: Any) -> LyapunovEstimate:
    """From the logarithms of the growth in every interval, shape (runs, intervals, exponents)."""
    counted = growth[:, skipped:]
    number, count = counted.shape[:2]
    duration = count * interval
    runs = counted[:, :, 0].sum(axis=1) / duration
    if number > 1:
        error = float(runs.std(ddof=1)) / math.sqrt(number)
    elif count >= 2 * _BLOCKS:
        size = count // _BLOCKS
        blocks = counted[0, : size * _BLOCKS, 0].reshape(_BLOCKS, size).mean(axis=1) / interval
        error = float(blocks.std(ddof=1)) / math.sqrt(_BLOCKS)
    else:
        error = math.nan
    moments = np.unique(np.linspace(1, count, min(count, _MOST_MOMENTS)).round().astype(np.int64))
    times = np.asarray(moments * interval, dtype=np.float64)
    return LyapunovEstimate(
        exponent=float(runs.mean()),
        standard_error=error,
        runs=tuple(float(x) for x in runs),
        spectrum=tuple(float(x) for x in counted.sum(axis=1).mean(axis=0) / duration),
        chaotic_runs=int((counted[:, count // 2 :, 0].sum(axis=1) > _REGULAR_GROWTH).sum()),
        times=times,
        history=np.cumsum(counted[:, :, 0], axis=1)[:, moments - 1] / times,
        duration=duration,
        transient=skipped * interval,
        **rest,
    )


def lyapunov_exponent(
    system: str = "double_pendulum",
    *,
    model: str = "point_mass",
    state: Sequence[float] = (3.1, 0.1, 0.0, 0.0),
    gains: Sequence[float] | None = None,
    torque_limit: float | None = None,
    control_step: float | None = None,
    duration: float = 200.0,
    transient: float | None = None,
    dt: float = 0.005,
    renormalise: float = 0.5,
    method: str = "tangent",
    separation: float = _SEPARATION,
    runs: int = 8,
    scatter: float = 1e-3,
    seed: int = 0,
) -> LyapunovEstimate:
    """Maximal Lyapunov exponent of the double pendulum, with its spread over runs, and with tangents the spectrum.

    Lambda = lim (1/T) ln(|v(T)| / |v(0)|) in the Euclidean norm of (theta1, theta2, theta1', theta2'), in rad and
    rad/s. ``tangent``: v' = J v for four orthonormal v along the motion, orthonormalised by modified Gram-Schmidt
    after each interval; the classical Runge-Kutta method takes state and tangents together, so that these are the
    derivative of the discrete motion. ``two_trajectory``: v is the difference of two motions, set back to
    `separation` after each interval. On one motion both give the same exponent.

    Parameters
    ----------
    system
        ``double_pendulum``; see `lyapunov_spectrum` for a system of your own.
    model
        ``point_mass`` or ``acrobot``, as in `heatpg.landscapes.double_pendulum`. The velocity limits of the acrobot
        are left out.
    state
        Initial (theta1, theta2, theta1', theta2') in rad and rad/s.
    gains
        K of a linear policy tau = clip(K (s - upright)), 8 numbers row by row; by default there is no torque.
    torque_limit
        Largest torque in N m, by default that of the landscape.
    control_step
        How long a torque is held, in seconds, by default as in the landscape.
    duration
        Seconds over which each run is averaged, a whole number of intervals.
    transient
        Seconds left out before; by default about 10, in which the direction of growth is found and the start
        forgotten.
    dt
        Step of the integrator in seconds.
    renormalise
        Length of an interval in seconds, a whole number of steps (of control steps, with gains).
    method
        ``tangent`` or ``two_trajectory``.
    separation
        Distance of two trajectories after each interval.
    runs
        Number of runs. The first starts at `state`, the others near it.
    scatter
        Standard deviation of the starts of the other runs, in rad and rad/s.
    seed
        Of the random starts.

    Returns
    -------
    LyapunovEstimate
        In 1/s. Near upright, single runs of minutes scatter by 10 to 20 %, because the motion sticks to regular
        islands for a while; look at `LyapunovEstimate.spread`, and at `LyapunovEstimate.energy_drift`, which should
        be far below 1.

    Raises
    ------
    UnknownNameError
        For an unknown system, model or method.
    UnsupportedError
        For a parameter out of its range.
    NonFiniteError
        If the motion blows up, as with a step that is too large.

    Warns
    -----
    HeatpgWarning
        If the integrator changed the energy by more than 1 %.

    References
    ----------
    G. Benettin, L. Galgani, A. Giorgilli, J.-M. Strelcyn, Lyapunov characteristic exponents for smooth dynamical
    systems and for Hamiltonian systems, Meccanica 15 (1980) 9-20, doi:10.1007/BF02128236.

    Examples
    --------
    >>> from heatpg.roughness.exponents import lyapunov_exponent
    >>> upright = lyapunov_exponent(duration=100.0, runs=2)
    >>> upright.motion, 0.6 < upright.exponent < 1.4
    ('chaotic', True)
    >>> lyapunov_exponent(state=(0.1, 0.0, 0.0, 0.0), duration=100.0, runs=1).motion
    'regular'
    """
    one_of("system", system, ("double_pendulum",))
    constants = _MODELS[one_of("model of the double pendulum", model, _MODELS)]
    one_of("method", method, _METHODS)
    start = np.array(finite_numbers("state", state, _STATE))
    fixed = np.zeros(8) if gains is None else np.array(finite_numbers("gains", gains, _GAINS))
    limit = positive_number("torque_limit", constants.torque_limit if torque_limit is None else torque_limit)
    apart = positive_number("separation", separation)
    number = whole_number("runs", runs)
    width = finite_number("scatter", scatter, lower=0.0)
    step = positive_number("dt", dt)
    interval = positive_number("renormalise", renormalise)
    per_interval = _multiple("renormalise", interval, "steps", step)
    hold = per_interval
    if gains is not None:
        control = positive_number("control_step", constants.dt if control_step is None else control_step)
        hold = _multiple("control_step", control, "steps", step)
        _multiple("renormalise", interval, "control steps", control)
    counted = _multiple("duration", positive_number("duration", duration), "intervals", interval)
    skipped = _transient_count(transient, _USUAL_TRANSIENT, interval, "intervals")
    starts = np.repeat(start[None], number, axis=0)
    starts[1:] += width * np.random.default_rng(seed).standard_normal((number - 1, 4))
    timing = _Timing(interval / per_interval, hold, per_interval, skipped, counted)
    policies = np.repeat(fixed[None], number, axis=0)
    return _pendulum(model, starts, None, policies, limit, timing, method == "tangent", apart)


def lyapunov_spectrum(
    function: Callable[[Array], ArrayLike],
    state: Sequence[float],
    *,
    kind: str,
    duration: float,
    dt: float = 0.01,
    jacobian: Callable[[Array], ArrayLike] | None = None,
    transient: float | None = None,
    renormalise: float | None = None,
    exponents: int | None = None,
) -> LyapunovEstimate:
    """Lyapunov exponents of a system given as a Python function: a map x -> f(x), or a flow dx/dt = f(x).

    Tangents follow the motion, v -> J v or dv/dt = J v, and a QR factorisation after each interval separates them;
    the exponents are the means of ln |R_ii|. A flow is taken by the classical Runge-Kutta method, order 4 in dt.
    This calls a Python function at every step: some 10^4 iterations of a map, and 10^3 of a flow, a second.

    Parameters
    ----------
    function
        f: takes and returns n numbers, shape (n,).
    state
        Where to start, n numbers.
    kind
        ``map`` or ``flow``.
    duration
        Time, or number of iterations of a map, over which the exponents are averaged.
    dt
        Time step of a flow; a map has none.
    jacobian
        J: takes x, returns shape (n, n). By default central differences of f with steps of
        eps^(1/3) max(1, abs(x_i)), which is good to about 1e-10 where f is smooth.
    transient
        Time or iterations left out before; by default about a tenth of the duration.
    renormalise
        Time or iterations between factorisations; by default 1 iteration, or 10 time steps.
    exponents
        How many of the largest exponents; by default all n.

    Returns
    -------
    LyapunovEstimate
        Per unit of time, or per iteration.

    Raises
    ------
    UnknownNameError
        For an unknown kind.
    UnsupportedError
        For a parameter out of its range, or a function that returns another shape.
    NonFiniteError
        If the motion blows up, or a tangent vanishes: then the exponent is minus infinity.

    References
    ----------
    G. Benettin, L. Galgani, A. Giorgilli, J.-M. Strelcyn, Lyapunov characteristic exponents for smooth dynamical
    systems and for Hamiltonian systems, Meccanica 15 (1980) 9-20, doi:10.1007/BF02128236.

    Examples
    --------
    >>> from heatpg.roughness.exponents import lyapunov_spectrum
    >>> logistic = lyapunov_spectrum(lambda x: 4.0 * x * (1.0 - x), [0.3], kind="map", duration=1000)
    >>> abs(logistic.exponent - 0.6931) < 0.01  # ln 2
    True
    """
    one_of("kind of system", kind, ("map", "flow"))
    try:
        x = np.array(state, dtype=np.float64)
    except (TypeError, ValueError):
        x = np.empty(0)
    if x.ndim != 1 or x.size == 0 or not np.isfinite(x).all():
        raise UnsupportedError("state must be a sequence of numbers", given=repr(state), allowed="n finite numbers")
    n = x.size
    kept = n if exponents is None else whole_number("exponents", exponents)
    if kept > n:
        raise UnsupportedError("there are not so many exponents", given=kept, allowed=f"1 to {n}")
    flow = kind == "flow"
    step = positive_number("dt", dt) if flow else 1.0
    unit = "time steps" if flow else "iterations"
    usual = 10 * step if flow else 1.0
    interval = usual if renormalise is None else positive_number("renormalise", renormalise)
    per_interval = _multiple("renormalise", interval, unit, step)
    length = positive_number("duration", duration)
    counted = _multiple("duration", length, "intervals", interval)
    skipped = _transient_count(transient, 0.1 * length, interval, "intervals")
    advance = _flow_step(function, jacobian, step, n) if flow else _map_step(function, jacobian, n)
    tangents = np.linalg.qr(np.cos(np.outer(np.arange(n), np.arange(n)) + 1.0) + np.eye(n))[0][:, :kept]
    growth = np.empty((1, skipped + counted, kept))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # what is not finite is met below
        for k in range(skipped + counted):
            for _ in range(per_interval):
                x, tangents = advance(x, tangents)
            if not (np.isfinite(x).all() and np.isfinite(tangents).all()):
                raise NonFiniteError(
                    "the motion or its tangents ceased to be finite",
                    given=f"within {(k + 1) * interval:g} of {(skipped + counted) * interval:g}",
                    advice="lower dt or renormalise more often" if flow else "start inside the basin of an attractor",
                )
            tangents, triangle = np.linalg.qr(tangents)
            lengths = np.abs(np.diagonal(triangle))
            if not lengths.all():
                raise NonFiniteError(
                    "a tangent vanished: its exponent is minus infinity",
                    given=f"at x = {x}",
                    advice=f"ask for fewer exponents than {kept}, if there are others",
                )
            growth[0, k] = np.log(lengths)
    return _estimate(
        growth,
        skipped,
        interval,
        energy_drift=math.nan,
        volume_defect=math.nan,
        step=step,
        method="tangent",
        unit="per unit of time" if flow else "per iteration",
        system=f"{kind} {str(getattr(function, '__name__', 'function')).strip('<>')}",
    )


Advance = Callable[[Array, Array], tuple[Array, Array]]


def _checked(function: Callable[[Array], ArrayLike], what: str, shape: tuple[int, ...]) -> Callable[[Array], Array]:
    def checked(x: Array) -> Array:
        try:
            value = np.asarray(function(x), dtype=np.float64)
        except (TypeError, ValueError) as reason:
            raise UnsupportedError(f"the {what} cannot be evaluated", given=f"x = {x}: {reason}") from reason
        if value.shape != shape:
            raise UnsupportedError(f"the {what} returns another shape", given=value.shape, allowed=shape)
        return value

    return checked


def _derivative(
    function: Callable[[Array], Array], jacobian: Callable[[Array], ArrayLike] | None, n: int
) -> Callable[[Array], Array]:
    if jacobian is not None:
        return _checked(jacobian, "jacobian", (n, n))
    root = float(np.finfo(np.float64).eps) ** (1.0 / 3.0)

    def central(x: Array) -> Array:
        columns = np.empty((n, n))
        for i in range(n):
            upper, lower = x.copy(), x.copy()
            h = root * max(1.0, abs(float(x[i])))
            upper[i] += h
            lower[i] -= h
            columns[:, i] = (function(upper) - function(lower)) / (upper[i] - lower[i])
        return columns

    return central


def _map_step(function: Callable[[Array], ArrayLike], jacobian: Callable[[Array], ArrayLike] | None, n: int) -> Advance:
    image = _checked(function, "function", (n,))
    derivative = _derivative(image, jacobian, n)

    def advance(x: Array, tangents: Array) -> tuple[Array, Array]:
        return image(x), derivative(x) @ tangents

    return advance


def _flow_step(
    function: Callable[[Array], ArrayLike], jacobian: Callable[[Array], ArrayLike] | None, dt: float, n: int
) -> Advance:
    rate = _checked(function, "function", (n,))
    derivative = _derivative(rate, jacobian, n)

    def advance(x: Array, tangents: Array) -> tuple[Array, Array]:
        rates, slopes = [rate(x)], [derivative(x) @ tangents]
        for part in (0.5, 0.5, 1.0):
            between = x + part * dt * rates[-1]
            rates.append(rate(between))
            slopes.append(derivative(between) @ (tangents + part * dt * slopes[-1]))
        return (
            x + dt / 6.0 * (rates[0] + 2.0 * (rates[1] + rates[2]) + rates[3]),
            tangents + dt / 6.0 * (slopes[0] + 2.0 * (slopes[1] + slopes[2]) + slopes[3]),
        )

    return advance


def _ratio(gamma: float, exponent: float, dt: float) -> float:
    """-ln gamma / (Lambda dt), infinite where the discount outruns whatever grows."""
    decay, growth = _decay(gamma), exponent * dt
    if growth > 0.0:
        return decay / growth
    return math.inf if growth < 0.0 or decay > 0.0 else 0.0


def predicted_holder(
    gamma: float,
    exponent: float | LyapunovEstimate,
    dt: float,
    *,
    interval: tuple[float, float] | None = None,
) -> HolderPrediction:
    """Hölder exponent of a discounted return that chaos and discount guarantee.

    p = min(1, -ln gamma / (Lambda dt)): the difference of two returns is cut at the moment when the motions have
    parted, and gamma^k = (delta / D)^p for exp(Lambda dt k) = D / delta. If Lambda dt < -ln gamma the return is
    Lipschitz. p is a bound from below, as far as Lambda bounds the growth within the horizon: near an unstable state
    that is faster than the mean over minutes (1.5 against 1.0 /s near the top of a double pendulum), and p is less.
    That the return is nowhere differentiable does not follow.

    Parameters
    ----------
    gamma
        Discount per control step, from 0 to 1. Without discount (1) chaos leaves no guarantee, p = 0.
    exponent
        Maximal Lyapunov exponent Lambda per unit of time, or an estimate of it. A regular motion counts as Lambda = 0
        with the interval up to `LyapunovEstimate.resolution`.
    dt
        Control step, in the same unit of time.
    interval
        Lower and upper end for Lambda; by default `LyapunovEstimate.interval`, or the number alone.

    Returns
    -------
    HolderPrediction
        p with its interval, and whether the landscape is Lipschitz, fractal or on the border.

    Raises
    ------
    UnsupportedError
        For a parameter out of its range.

    References
    ----------
    T. Wang, S. Herbert, S. Gao, *Fractal Landscapes in Policy Optimization*, NeurIPS 2023, arXiv 2310.15418.

    Examples
    --------
    >>> from heatpg.roughness.exponents import predicted_holder
    >>> for gamma in (0.9, 0.95, 0.99):
    ...     prediction = predicted_holder(gamma, 1.0, 0.05)
    ...     print(prediction.regime, round(prediction.ratio, 3))
    Lipschitz 2.107
    borderline 1.026
    fractal 0.201
    """
    discount = finite_number("gamma", gamma, lower=0.0, upper=1.0)
    step = positive_number("dt", dt)
    if isinstance(exponent, LyapunovEstimate):
        value, ends = exponent.exponent, exponent.interval
        if exponent.motion == "regular":
            value, ends = min(value, 0.0), (min(ends[0], 0.0), exponent.resolution)
    else:
        value = finite_number("exponent", exponent)
        ends = (value, value)
    if interval is not None:
        lower, upper = finite_numbers("interval", interval, ("lower end", "upper end"))
        if not lower <= value <= upper:
            raise UnsupportedError(
                "the interval does not hold the exponent",
                given=f"{lower:g} to {upper:g}, exponent={value:g}",
                allowed="lower end <= exponent <= upper end",
            )
        ends = (lower, upper)
    ratio = _ratio(discount, value, step)
    least, most = _ratio(discount, ends[1], step), _ratio(discount, ends[0], step)
    if isinstance(exponent, LyapunovEstimate) and exponent.motion == "mixed" and least < 1.0 < most:
        regime = "mixed"
    elif abs(ratio - 1.0) < _NEAR_ONE or least < 1.0 < most:
        regime = "borderline"
    else:
        regime = "fractal" if ratio < 1.0 else "Lipschitz"
    return HolderPrediction(min(1.0, ratio), (min(1.0, least), min(1.0, most)), ratio, regime, discount, value * step)


def scale_window(exponent: float, horizon: float, *, size: float, spacing: float | None = None) -> ScaleWindow:
    """The scales on which a landscape of finite horizon can be fractal.

    Two points at a distance delta part after ln(D / delta) / Lambda; below delta = D exp(-Lambda H) they do not part
    within the horizon H, so the landscape is smooth there.

    Parameters
    ----------
    exponent
        Maximal Lyapunov exponent Lambda, or the rate at which separations grow within the horizon.
    horizon
        H, in the same unit of time.
    size
        The outer scale D, at which motions count as parted: the length of the axis, if nothing better is known.
    spacing
        Distance of the nodes of the grid.

    Returns
    -------
    ScaleWindow

    Raises
    ------
    UnsupportedError
        For a parameter out of its range.

    Examples
    --------
    >>> from heatpg.roughness.exponents import scale_window
    >>> print(scale_window(1.0, 5.0, size=50.0, spacing=0.2))
    fractal from 0.337 to 50 (2.2 decades), smooth below; a spacing of 0.2 resolves all of it
    """
    rate = finite_number("exponent", exponent)
    duration = positive_number("horizon", horizon)
    high = positive_number("size", size)
    distance = math.nan if spacing is None else positive_number("spacing", spacing)
    logs = max(0.0, rate * duration)
    low = high * math.exp(-logs)
    decades = logs / math.log(10.0)
    visible = decades
    if distance > low:
        visible = max(0.0, math.log10(high / distance))
    return ScaleWindow(low, high, decades, distance, visible)


def chaos(
    landscape: Landscape,
    *,
    duration: float = 200.0,
    runs: int = 8,
    method: str = "two_trajectory",
    seed: int = 0,
    measured: float | None = None,
) -> ChaosSummary:
    """Chaos behind a landscape of the double pendulum: exponent, predicted smoothness, scales that can show it.

    The runs start at points of the landscape drawn uniformly from its box: with ``kind="action"`` the drawn torque is
    held for the first control step, with ``kind="gains"`` the drawn gains act all the time. p comes from the exponent
    over a long time, `predicted_holder`; the window of scales, `scale_window`, from the growth within the horizon,
    which near an unstable equilibrium is faster, with the length of each axis as the outer scale.

    Parameters
    ----------
    landscape
        Made by `heatpg.landscapes.double_pendulum`; its parameters are read from its provenance. The motion is
        taken in steps of at most 5 ms and without the velocity limits of the acrobot, because the errors of large
        steps damp a motion of minutes.
    duration
        Seconds over which each run is averaged, a whole number of control steps; a tenth is added before.
    runs
        Number of points.
    method
        ``tangent`` or ``two_trajectory``, as in `lyapunov_exponent`.
    seed
        Of the points.
    measured
        Hölder exponent read off from the landscape, to be set beside the predicted one.

    Returns
    -------
    ChaosSummary

    Raises
    ------
    UnsupportedError
        For a landscape of another origin, or a parameter out of its range.
    UnknownNameError
        For an unknown method.
    NonFiniteError
        If a motion blows up.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> from heatpg.roughness.exponents import chaos
    >>> summary = chaos(landscapes.double_pendulum(size=8), duration=50.0, runs=2)
    >>> summary.holder.regime, sorted(summary.windows)
    ('fractal', ['torque1', 'torque2'])
    """
    one_of("method", method, _METHODS)
    source = landscape.provenance.get("source")
    parameters: dict[str, Any] = landscape.provenance.get("parameters", {})
    needed = ("kind", "model", "horizon", "gamma", "dt", "substeps", "state", "gains", "torque_limit")
    if source != "double_pendulum" or any(name not in parameters for name in needed):
        raise UnsupportedError(
            f"the system behind {landscape.name!r} is not known",
            given=f"source {source!r}",
            allowed="landscapes of heatpg.landscapes.double_pendulum",
            advice="use lyapunov_spectrum on your own system, then predicted_holder and scale_window",
        )
    model, kind = str(parameters["model"]), str(parameters["kind"])
    control, horizon = float(parameters["dt"]), float(parameters["horizon"])
    start = finite_numbers("state", parameters["state"], _STATE)
    number = whole_number("runs", runs)
    share = None if measured is None else finite_number("measured", measured)
    hold = max(int(parameters["substeps"]), math.ceil(control / _FINEST_STEP - 1e-9))
    counted = _multiple("duration", positive_number("duration", duration), "control steps", control)
    generator = np.random.default_rng(seed)
    points = np.stack([generator.uniform(axis.lower, axis.upper, number) for axis in landscape.grid], axis=1)
    policy = _policy(kind, tuple(float(x) for x in parameters["gains"]))
    gains = policy[0] + points @ policy[1:]
    starts = np.repeat(np.array(start)[None], number, axis=0)

    def follow(skipped: int, intervals: int) -> LyapunovEstimate:
        return _pendulum(
            model,
            starts,
            points if kind == "action" else None,
            gains,
            float(parameters["torque_limit"]),
            _Timing(control / hold, hold, hold, skipped, intervals),
            method == "tangent",
            _SEPARATION,
        )

    estimate = follow(round(0.1 * counted), counted)
    within = follow(0, _multiple("horizon", horizon, "control steps", control))
    windows = {
        axis.name: scale_window(within.exponent, horizon, size=axis.upper - axis.lower, spacing=axis.spacing)
        for axis in landscape.grid
    }
    holder = predicted_holder(float(parameters["gamma"]), estimate, control)
    return ChaosSummary(estimate, within, holder, math.nan if share is None else share, windows)
