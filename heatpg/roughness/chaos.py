"""What chaos does to a landscape: the Hölder exponent that it predicts, and the scales that a finite horizon shows."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from heatpg.core.landscape import Landscape
from heatpg.errors import OptionError, UnsupportedError
from heatpg.roughness.exponents import LyapunovEstimate, whole_multiple
from heatpg.roughness.pendulum import METHODS, SEPARATION, follow_runs
from heatpg.systems.pendulum import STATE, Timing, affine_gains
from heatpg.tools.arguments import finite_number, finite_numbers, one_of, positive_number, whole_number
from heatpg.tools.calls import checked_call
from heatpg.tools.plain import fields_as_dict, plain

__all__ = ["ChaosSummary", "HolderPrediction", "ScaleWindow", "chaos", "predicted_holder", "scale_window"]

# A taste: within this of 1 the error of an exponent decides on which side a ratio falls.
_NEAR_ONE = 0.1
# Seconds. A landscape may take large steps over some seconds; over minutes they would damp the motion.
_FINEST_STEP = 0.005


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
        # a bound from below only if Lambda bounds the growth of every difference, which a mean over minutes does not
        beyond = "smoother where rewards cancel, rougher where trajectories diverge faster than the mean"
        numbers = (
            f"-ln gamma = {_decay(self.gamma):.3g} compared with Lambda dt = {self.exponent_per_step:.3g} per step"
        )
        if self.regime == "Lipschitz":
            return (
                f"Lipschitz where trajectories diverge no faster than the mean, because the discount dominates: "
                f"{numbers}"
            )
        p = f"p = {self.exponent:.2g} ({self.interval[0]:.2g} to {self.interval[1]:.2g})"
        if self.regime == "mixed":
            return (
                f"mixed: Lipschitz where the motion is regular, with p down to {self.interval[0]:.2g} where it is "
                f"chaotic; "
                f"on average {numbers}"
            )
        if self.regime == "borderline":
            return f"borderline, ratio {self.ratio:.3g}, {p}: {numbers}; {beyond}"
        if self.exponent == 0.0:
            return f"no Hölder exponent is predicted: {numbers}"
        return f"fractal, {p}: {numbers}; {beyond}"

    def __str__(self) -> str:
        return self.sentence

    def as_dict(self) -> dict[str, Any]:
        """The prediction as JSON-like values; an infinite ratio is None."""
        return {**fields_as_dict(self), "sentence": self.sentence}


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
            return f"no scale below {self.high:.3g} is fractal, because separations do not grow within the horizon"
        text = f"fractal from {self.low:.3g} to {self.high:.3g} ({self.decades:.2g} decades), smooth below"
        if math.isnan(self.spacing):
            return text
        if self.resolved:
            text += f"; a spacing of {self.spacing:.3g} resolves all of it"
        else:
            text += f"; a spacing of {self.spacing:.3g} resolves {self.visible_decades:.2g} decades"
        return text if self.visible else text + ", too few to fit a slope"

    def __str__(self) -> str:
        return self.sentence

    def as_dict(self) -> dict[str, Any]:
        """The window as JSON-like values."""
        derived = {"visible": self.visible, "resolved": self.resolved, "sentence": self.sentence}
        return {**fields_as_dict(self), **derived}


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
        # the smallest exponent that the interval of the rate allows
        if self.measured >= self.holder.interval[0]:
            text = (
                f"measured p = {self.measured:.2g}, not below the prediction of at least {self.holder.interval[0]:.2g}"
            )
        else:
            text = f"measured p = {self.measured:.2g} is below the prediction of at least {self.holder.interval[0]:.2g}"
        return text if visible else text + ", but this grid has too few scales to decide"

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
            "measured": plain(self.measured),
            "verdict": self.verdict,
            "windows": {name: window.as_dict() for name, window in self.windows.items()},
        }


def _decay(gamma: float) -> float:
    """-ln gamma, infinite for gamma = 0."""
    return -math.log(gamma) if gamma > 0.0 else math.inf


def _ratio(gamma: float, exponent: float, dt: float) -> float:
    """-ln gamma / (Lambda dt), infinite where the discount outruns whatever grows."""
    decay, growth = _decay(gamma), exponent * dt
    # without growth any discount outruns it; without discount and without growth nothing is predicted: 0
    if growth > 0.0:
        return decay / growth
    return math.inf if growth < 0.0 or decay > 0.0 else 0.0


@checked_call()
def predicted_holder(
    gamma: float,
    exponent: float | LyapunovEstimate,
    dt: float,
    *,
    interval: tuple[float, float] | None = None,
) -> HolderPrediction:
    """Hölder exponent of a discounted return as the rate of chaos and the discount predict it.

    p = min(1, -ln gamma / (Lambda dt)): the difference of two returns is cut at the moment when the motions have
    parted, and gamma^k = (delta / D)^p for exp(Lambda dt k) = D / delta. If Lambda dt < -ln gamma the return is
    Lipschitz. p is a bound from below, and the return Lipschitz, only if Lambda bounds the growth of every small
    difference. A mean over minutes does not: near an unstable state growth is faster (1.5 against 1.0 /s near the top
    of a double pendulum), and p is less there. That the return is nowhere differentiable does not follow either.

    Parameters
    ----------
    gamma
        Discount per control step, from 0 to 1. Without discount (1) chaos leaves nothing to predict, p = 0.
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
    OptionError
        For a parameter out of its range.

    References
    ----------
    T. Wang, S. Herbert, S. Gao, *Fractal Landscapes in Policy Optimization*, NeurIPS 2023, arXiv 2310.15418.

    Examples
    --------
    >>> from heatpg.roughness.chaos import predicted_holder
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
        # regular motion grows ever more slowly: of its exponent a finite run tells no more than the resolution
        if exponent.motion == "regular":
            value, ends = min(value, 0.0), (min(ends[0], 0.0), exponent.resolution)
    else:
        value = finite_number("exponent", exponent)
        ends = (value, value)
    if interval is not None:
        lower, upper = finite_numbers("interval", interval, ("lower end", "upper end"))
        if not lower <= value <= upper:
            raise OptionError(
                "the interval does not contain the exponent",
                given=f"{lower:g} to {upper:g}, exponent={value:g}",
                allowed="lower end <= exponent <= upper end",
            )
        ends = (lower, upper)
    # the ratio falls as Lambda rises, so the ends change places
    ratio = _ratio(discount, value, step)
    least, most = _ratio(discount, ends[1], step), _ratio(discount, ends[0], step)
    # runs that are part regular, part chaotic make an interval across 1, but not because the exponent is badly known
    if isinstance(exponent, LyapunovEstimate) and exponent.motion == "mixed" and least < 1.0 < most:
        regime = "mixed"
    elif abs(ratio - 1.0) < _NEAR_ONE or least < 1.0 < most:
        regime = "borderline"
    else:
        regime = "fractal" if ratio < 1.0 else "Lipschitz"
    return HolderPrediction(min(1.0, ratio), (min(1.0, least), min(1.0, most)), ratio, regime, discount, value * step)


@checked_call()
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
    OptionError
        For a parameter out of its range.

    Examples
    --------
    >>> from heatpg.roughness.chaos import scale_window
    >>> print(scale_window(1.0, 5.0, size=50.0, spacing=0.2))
    fractal from 0.337 to 50 (2.2 decades), smooth below; a spacing of 0.2 resolves all of it
    """
    rate = finite_number("exponent", exponent)
    duration = positive_number("horizon", horizon)
    high = positive_number("size", size)
    distance = math.nan if spacing is None else positive_number("spacing", spacing)
    # separations that shrink leave no scale below D: the window is empty, not inverted
    logs = max(0.0, rate * duration)
    low = high * math.exp(-logs)
    decades = logs / math.log(10.0)
    # NaN compares as False: without a spacing all of the window counts as visible
    visible = decades
    if distance > low:
        visible = max(0.0, math.log10(high / distance))
    return ScaleWindow(low, high, decades, distance, visible)


@checked_call()
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
        Hölder exponent read off from the landscape, for comparison with the predicted one.

    Returns
    -------
    ChaosSummary

    Raises
    ------
    UnsupportedError
        For a landscape of another origin.
    OptionError
        For a parameter out of its range.
    UnknownNameError
        For an unknown method.
    NonFiniteError
        If a motion blows up.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> from heatpg.roughness.chaos import chaos
    >>> summary = chaos(landscapes.double_pendulum(size=8), duration=50.0, runs=2)
    >>> summary.holder.regime, sorted(summary.windows)
    ('fractal', ['torque1', 'torque2'])
    """
    one_of("method", method, METHODS)
    source = landscape.provenance.get("source")
    parameters: dict[str, Any] = landscape.provenance.get("parameters", {})
    needed = ("kind", "model", "horizon", "gamma", "dt", "substeps", "state", "gains", "torque_limit")
    if source != "double_pendulum" or any(name not in parameters for name in needed):
        raise UnsupportedError(
            f"the system of {landscape.name!r} is unknown",
            given=f"source {source!r}",
            allowed="landscapes of heatpg.landscapes.double_pendulum",
            advice="use lyapunov_spectrum on your own system, then predicted_holder and scale_window",
        )
    model, kind = str(parameters["model"]), str(parameters["kind"])
    control, horizon = float(parameters["dt"]), float(parameters["horizon"])
    start = finite_numbers("state", parameters["state"], STATE)
    number = whole_number("runs", runs)
    share = None if measured is None else finite_number("measured", measured)
    # at least the landscape's own steps; 1e-9 forgives a quotient such as 0.05 / 0.005 = 10.000000000000002
    hold = max(int(parameters["substeps"]), math.ceil(control / _FINEST_STEP - 1e-9))
    counted = whole_multiple("duration", positive_number("duration", duration), "control steps", control)
    # the runs are those of points of the landscape, uniformly from its box, and not copies of one of them
    generator = np.random.default_rng(seed)
    points = np.stack([generator.uniform(axis.lower, axis.upper, number) for axis in landscape.grid], axis=1)
    policy = affine_gains(kind, tuple(float(x) for x in parameters["gains"]))
    gains = policy[0] + points @ policy[1:]
    starts = np.repeat(np.array(start)[None], number, axis=0)

    def follow(skipped: int, intervals: int) -> LyapunovEstimate:
        return follow_runs(
            model,
            starts,
            points if kind == "action" else None,
            gains,
            float(parameters["torque_limit"]),
            Timing(control / hold, hold, hold, skipped, intervals),
            method == "tangent",
            SEPARATION,
        )

    # the exponent is that of a long motion without its beginning; what parts two returns within the
    # horizon is the growth from the very start, which near upright is faster
    estimate = follow(round(0.1 * counted), counted)
    within = follow(0, whole_multiple("horizon", horizon, "control steps", control))
    windows = {
        axis.name: scale_window(within.exponent, horizon, size=axis.upper - axis.lower, spacing=axis.spacing)
        for axis in landscape.grid
    }
    holder = predicted_holder(float(parameters["gamma"]), estimate, control)
    return ChaosSummary(estimate, within, holder, math.nan if share is None else share, windows)
