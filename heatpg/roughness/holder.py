"""Roughness: the Hölder exponent of a landscape, from its increments and from how it answers to smoothing.

A p-Hölder Q with constant K has |Q(x + delta) - Q(x)| <= K delta^p, and under noise |L - Q| <= K E|Z|^p sigma^p and
|grad L| <= K E|Z|^(1+p) sigma^(p-1). Where Q is equally rough at every place and on every scale, mean squares follow
these powers, and four of them can be measured on a grid: of increments (``structure``), of L - Q (``bias``), of the
standard deviation of Q(mu + sigma Z) (``spread``) and of grad L (``gradient``). This is the mean behaviour, not that
of the worst place.

No sampled landscape is rough on all scales. Every mean square is therefore fitted by A s^(2p) + B + C s^2 in the scale
s: B > 0 is noise on the values, B < 0 the part of the structure that is finer than what the landscape holds, C the
smooth part on scales beyond the window, positive for a trend and negative where the structure ends. A straight line in
logarithms, which is B = C = 0, misses p by 0.1 and more where a landscape is rough over two decades. ``bias`` needs no
C, because L - Q does not see a linear trend, and ``gradient`` no B, because L has lost what is finer than sigma.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from heatpg.core.landscape import Landscape
from heatpg.errors import OptionError, SigmaError, UnknownNameError, UnsupportedError
from heatpg.evolution import Evolution
from heatpg.roughness.increments import deviations, lags_of, positions_of, structure_function
from heatpg.roughness.meansquares import (
    FEWEST_SCALES,
    LEAST_RATIO,
    MeanSquares,
    Smoothed,
    given_levels,
    levels_for,
    measure_smoothed,
    measure_structure,
    parts_along,
    quantile,
    smooth_at,
)
from heatpg.roughness.powerlaw import LAWS, Fit, best_fit, noise_floor, power_slope, smooth_reach
from heatpg.tools.calls import checked_call
from heatpg.tools.plain import fields_as_dict, plain

__all__ = ["METHODS", "Roughness", "Scaling", "holder_exponent"]

Array = NDArray[np.float64]
# Nodes; below it increments show how the landscape was sampled: a wave of 6 nodes is smooth over 3.
_SMALLEST_LAG = 4
# Local exponent from which increments count as those of a smooth function (1, less what sampling takes off); a taste.
_SMOOTH = 0.95
# Local exponent from which they are not yet those of a rough one.
_ROUNDED = 0.85
# Factors from the last rounded lag to where its rounding has gone, for distances and for sigmas. They and `_ROUNDED`
# say where a fit may begin on a fractal that ends far above the grid; a test holds the exponents that are found there.
_LARGER_LAG, _LARGER_SIGMA = 6.0, 2.6
# Between that of a Gaussian field, 0, and that of jumps, 1/2, whose increments go as delta in the mean and as
# delta^(1/2) in the root mean square.
_INTERMITTENT = 0.15
METHODS = tuple(LAWS)
"""How a Hölder exponent can be measured."""


@dataclasses.dataclass(frozen=True, eq=False)
class Scaling:
    """One method's exponent.

    Attributes
    ----------
    method
        ``structure``, ``bias``, ``spread`` or ``gradient``.
    exponent
        Hölder exponent p; 1 where `saturated`.
    interval
        Confidence interval of p; up to infinity for a smooth landscape.
    standard_error
        Of p: from leaving out parts of the box, and from what the fit leaves over.
    saturated
        Whether the landscape is smooth at this resolution, so that p is at least 1 and this method sees no more.
    window
        Smallest and largest scale of the fit.
    scales
        All scales at which was measured: distances or sigmas, in the units of the axes.
    values
        What was measured there: root mean squares in the units of Q, for ``gradient`` in those of Q over the scale.
    fitted
        The fit at all scales, of the same kind; NaN outside the window.
    slope
        Mean logarithmic slope of the values in the window.
    residual
        Root mean square of the relative departure of the mean squares from the fit in the window.
    noise_share
        Share of noise in the mean square at the smallest scale of the window.
    """

    method: str
    exponent: float
    interval: tuple[float, float]
    standard_error: float
    saturated: bool
    window: tuple[float, float]
    scales: Array
    values: Array
    fitted: Array
    slope: float
    residual: float
    noise_share: float

    def __str__(self) -> str:
        law = LAWS[self.method]
        where = f"{law.scale} {self.window[0]:.3g} to {self.window[1]:.3g}"
        if self.saturated:
            return f"{self.method:9}  p >= 1, slope {self.slope:.3f}, {where}, smooth at this resolution"
        low, high = self.interval
        return (
            f"{self.method:9}  p = {self.exponent:.3f} [{low:.3f}, {high:.3f}], {where}, residual {self.residual:.1%}"
        )

    def as_dict(self) -> dict[str, Any]:
        """The scaling as JSON-like values."""
        return fields_as_dict(self)


@dataclasses.dataclass(frozen=True, eq=False)
class Roughness:
    """How rough a landscape is, by one or several methods.

    Attributes
    ----------
    exponent
        Hölder exponent p: that of the method, or the mean of the methods weighted by their standard errors.
    interval
        Its confidence interval. All methods use the same landscape, so several methods do not narrow it below the
        weighted mean of theirs; if they disagree it covers all their exponents.
    confidence
        Its confidence level.
    method
        The requested method.
    saturated
        Whether the landscape is smooth at this resolution.
    window
        Smallest and largest scale on which every fit rests, in the units of the axes.
    scalings
        The fit of each method that has one.
    refused
        Why the other methods have no fit.
    agree
        Whether the intervals of all methods have a number in common.
    noise_floor
        Standard deviation of the noise on the values, in the units of Q; 0 if none was detected.
    noise_error
        Its standard error; NaN if none was detected.
    smooth_below
        Distance up to which the landscape is smooth; 0 if it is rough down to the resolution of the grid.
    intermittency
        Exponent of mean increments minus that of their root mean square, in the window of ``structure``; above 0.15 a
        few locations, such as jumps or ridges, cause most of the roughness. NaN where ``structure`` has no fit.
    """

    exponent: float
    interval: tuple[float, float]
    confidence: float
    method: str
    saturated: bool
    window: tuple[float, float]
    scalings: tuple[Scaling, ...]
    refused: Mapping[str, str]
    agree: bool
    noise_floor: float
    noise_error: float
    smooth_below: float
    intermittency: float

    def __getitem__(self, method: str) -> Scaling:
        """The fit of one method."""
        for scaling in self.scalings:
            if scaling.method == method:
                return scaling
        reason = self.refused.get(method, "it was not requested")
        raise UnknownNameError(
            f"no fit with {method!r}: {reason}", allowed=", ".join(scaling.method for scaling in self.scalings)
        )

    @property
    def determined(self) -> bool:
        """Whether more than half of the methods have a fit."""
        return len(self.scalings) > len(self.refused)

    @property
    def verdict(self) -> str:
        """Interpretation in one sentence."""
        between = f"between {self.window[0]:.3g} and {self.window[1]:.3g}"
        if self.saturated:
            parts = [
                f"Lipschitz at distances {between}: the Hölder exponent p is at least 1, the largest that these "
                "methods can find"
            ]
        else:
            low, high = self.interval
            # one curved hill can look like a power law to a method or two
            rough = "rough" if self.determined else "of uncertain roughness"
            parts = [
                f"{rough} {between}: p = {self.exponent:.3f}, {self.confidence:.0%} interval {low:.3f} to {high:.3f}"
            ]
            if high >= 1:
                parts.append("which does not exclude a Lipschitz landscape")
            if self.smooth_below:
                parts.append(f"smooth below {self.smooth_below:.3g}")
        if not self.determined:
            parts.append(f"only {len(self.scalings)} of {len(self.scalings) + len(self.refused)} methods have a fit")
        if len(self.scalings) > 1:
            count = f"the {len(self.scalings)} methods"
            parts.append(f"{count} agree" if self.agree else f"{count} disagree: see each of them")
        if self.intermittency > _INTERMITTENT:
            parts.append("a few locations (jumps, ridges) cause most of the roughness")
        return "; ".join(parts)

    def __str__(self) -> str:
        lines = [self.verdict, *map(str, self.scalings)]
        lines += [f"{method:9}  refused: {reason}" for method, reason in self.refused.items()]
        if self.noise_floor:
            lines.append(f"noise      {self.noise_floor:.3g} +- {self.noise_error:.2g} on the values")
        else:
            lines.append("noise      none detected on the values")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON-like values."""
        entries = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        entries["scalings"] = [scaling.as_dict() for scaling in self.scalings]
        return {**plain(entries), "verdict": self.verdict}


def _joined(reasons: Iterable[str]) -> str:
    """The reasons of all methods, each once; exponents that are not determined as one, with their standard errors.

    Examples
    --------
    >>> from heatpg.roughness.holder import _joined
    >>> _joined(f"the exponent is not determined: 0.4 with a standard error of {error}" for error in (1.3, 0.28, 0.5))
    'none of 3 methods determines an exponent (standard errors 0.28 to 1.3)'
    """
    told = list(dict.fromkeys(reasons))
    vague = {reason: found[1] for reason in told if (found := re.search(r"not determined: .* error of (\S+)$", reason))}
    if len(vague) > 1:
        low, high = sorted(vague.values(), key=float)[0], sorted(vague.values(), key=float)[-1]
        told = [reason for reason in told if reason not in vague]
        told.append(f"none of {len(vague)} methods determines an exponent (standard errors {low} to {high})")
    # the methods count scales by different distances: one of them says what is lacking
    few = [reason for reason in told if "length scale" in reason]
    return "; ".join(reason for reason in told if reason not in few[1:])


def _refuse(reason: str, name: str) -> NoReturn:
    raise UnsupportedError(
        f"no Hölder exponent: {reason}",
        given=repr(name),
        advice="sample more nodes, reduce the noise by averaging, or pass a window of scales with visible structure",
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Study:
    """What all methods share.

    `smooth` tells whether increments are those of a smooth function over the first distances, up to `reach`; up to
    `rounded` they are not yet those of a rough one.
    """

    unit: float
    confidence: float
    window: tuple[float, float] | None
    smooth: bool
    rounded: float
    reach: float

    def scaling(self, measured: MeanSquares) -> Scaling | str:
        """The fit of one method, or why there is none."""
        law, scales = LAWS[measured.method], measured.scales
        last = len(scales) - 1
        if self.window is not None:
            inside = np.flatnonzero((scales >= self.window[0] * (1 - 1e-9)) & (scales <= self.window[1] * (1 + 1e-9)))
            if len(inside) < FEWEST_SCALES:
                return f"the window holds {len(inside)} length scales; a fit needs {FEWEST_SCALES}"
            low, high = int(inside[0]), int(inside[-1])
            fit, reason = best_fit(law, measured, low, high, 1.0, fixed=True)
            if fit is not None:
                return self._rough(measured, fit)
            # no rough fit in the window that was asked for: perhaps it lies in a smooth range, which is an answer too
            return self._saturated(measured, low, high) or reason
        increments = measured.method == "structure"
        rounded = self.rounded * (_LARGER_LAG if increments else _LARGER_SIGMA)
        resolved = scales[0] * (_SMALLEST_LAG if increments else 1.0)
        # Above a smooth range, a bend between two regimes passes for a power over two octaves, so three are asked for.
        ratio = 2.0 * LEAST_RATIO if self.smooth else LEAST_RATIO
        fit, reason = None, ""
        # Without a smooth range a second try may start at the resolution: beyond the rounded distances few may be left.
        for lowest in (max(resolved, rounded),) if self.reach else (max(resolved, rounded), resolved):
            start = int(np.searchsorted(scales, lowest * (1 - 1e-9)))
            fit, reason = best_fit(law, measured, start, last, ratio)
            if fit is not None:
                return self._rough(measured, fit)
        if self.smooth:
            high = max(FEWEST_SCALES, int(np.searchsorted(scales, self.reach * (1 + 1e-9)))) - 1
            return (
                self._saturated(measured, 0, high) or "the measured increments do not scale as for a smooth landscape"
            )
        return reason

    def _rough(self, measured: MeanSquares, fit: Fit) -> Scaling:
        # the bias alone can find p above 1; for the landscape that is smooth
        if fit.exponent >= 1.0:
            return self._result(measured, fit.low, fit.high, fit, (1.0, math.inf), fit.error)
        half = quantile(self.confidence) * fit.error
        interval = (max(0.0, fit.exponent - half), fit.exponent + half)
        return self._result(measured, fit.low, fit.high, fit, interval, fit.error)

    def _saturated(self, measured: MeanSquares, low: int, high: int) -> Scaling | None:
        """A bare power law, if it is one of a smooth landscape."""
        window = slice(low, high + 1)
        scales, squares = measured.scales[window], measured.squares[window]
        if not (squares > 0).all() or power_slope(scales, squares) < _ROUNDED:
            return None
        return self._result(measured, low, high, None, (1.0, math.inf), math.nan)

    def _result(
        self,
        measured: MeanSquares,
        low: int,
        high: int,
        fit: Fit | None,
        interval: tuple[float, float],
        error: float,
    ) -> Scaling:
        window = slice(low, high + 1)
        scales, squares = measured.scales, measured.squares
        fitted = np.full(len(scales), np.nan)
        if fit is None:
            slope = power_slope(scales[window], squares[window])
            middle = float(np.log(squares[window]).mean())
            log = np.log(scales[window])
            fitted[window] = np.exp(middle + 2.0 * slope * (log - log.mean()))
        else:
            fitted[window] = fit.squares(scales[window])
        residual = float(np.sqrt(((fitted[window] / squares[window] - 1.0) ** 2).mean()))
        share = max(0.0, fit.floor) / float(squares[low]) if fit is not None else 0.0
        # users see the gradient itself, the fit is of sigma times the gradient
        divisor = scales if measured.method == "gradient" else np.ones_like(scales)
        values = measured.values * self.unit
        return Scaling(
            measured.method,
            1.0 if fit is None else min(1.0, fit.exponent),
            interval,
            error,
            math.isinf(interval[1]),
            (float(scales[low]), float(scales[high])),
            scales,
            values,
            np.sqrt(fitted) / divisor * self.unit,
            # in units of their largest, whose squares are numbers whatever the unit of Q
            power_slope(scales[window], (values[window] / values[window].max()) ** 2),
            residual,
            share,
        )


def _combine(scalings: Sequence[Scaling], confidence: float) -> tuple[float, tuple[float, float], bool]:
    """Exponent and interval of several methods, and whether their intervals have a number in common."""
    agree = max(s.interval[0] for s in scalings) <= min(s.interval[1] for s in scalings)
    if scalings[0].saturated:
        return 1.0, (1.0, math.inf), agree
    # all methods see the same field, so their errors are not independent: the weighted mean has the weighted mean of
    # their errors, and none that is smaller
    weights = np.array([1.0 / s.standard_error**2 for s in scalings])
    weights /= weights.sum()
    exponent = float(sum(w * s.exponent for w, s in zip(weights, scalings, strict=True)))
    half = quantile(confidence) * float(sum(w * s.standard_error for w, s in zip(weights, scalings, strict=True)))
    low, high = exponent - half, exponent + half
    # methods that disagree beyond their errors show that one law does not hold: the interval says so
    if not agree:
        low, high = min(low, *(s.exponent for s in scalings)), max(high, *(s.exponent for s in scalings))
    return exponent, (max(0.0, low), high), agree


def _intermittency(landscape: Landscape, axis: str | int | None, scaling: Scaling) -> float:
    """Exponent of the mean increment minus that of its root mean square, in the window of a fit."""
    inside = (scaling.scales >= scaling.window[0]) & (scaling.scales <= scaling.window[1])
    lags = np.flatnonzero(inside)
    every = lags_of(landscape.grid, positions_of(landscape.grid, axis), None)
    measured = structure_function(landscape, moments=(1,), axis=axis, lags=[int(n) for n in every[lags]])
    return power_slope(measured.scales, (measured.values[0] / measured.values[0].max()) ** 2) - scaling.slope


def _check(method: str, window: tuple[float, float] | None, confidence: float) -> tuple[str, ...]:
    if method != "all" and method not in METHODS:
        raise UnknownNameError("unknown method", given=repr(method), allowed=", ".join((*METHODS, "all")))
    if not 0 < confidence < 1:
        raise OptionError("confidence is out of range", given=confidence, allowed="between 0 and 1")
    if window is not None and not (len(window) == 2 and 0 < window[0] < window[1] < math.inf):
        raise OptionError("window must be a smaller and a larger scale", given=repr(window), allowed="0 < low < high")
    return METHODS if method == "all" else (method,)


@checked_call()
def holder_exponent(
    source: Landscape | Evolution,
    *,
    method: str = "all",
    window: tuple[float, float] | None = None,
    axis: str | int | None = None,
    confidence: float = 0.95,
) -> Roughness:
    """Hölder exponent p of a landscape, with the range of scales and a confidence interval.

    Mean squares y(s) at distances or sigmas s are fitted by y = A s^(2p) + B + C s^2 with relative weights:
    ``structure`` y = S_2(delta); ``bias`` y = mean (L - Q)^2, C = 0; ``spread`` y = mean (E Q^2 - L^2); ``gradient``
    y = sigma^2 mean |grad L|^2, B = 0.

    Parameters
    ----------
    source
        A landscape (no batch); or an evolution, whose landscape, sigmas and solver are used.
    method
        ``structure``, ``bias``, ``spread``, ``gradient``, or ``all`` of them.
    window
        Smallest and largest scale to fit, in the units of the axes. By default the window with the smallest standard
        error of p among those with 5 scales and more over a factor of 4 and more: from 4 spacings (distances) or 1.5
        (sigmas), and from where waves that the grid resolves well no longer matter, to a quarter (distances) or a
        tenth (sigmas) of the shortest axis.
    axis
        Roughness along this axis only (name or number); None for all axes at once. Sigma is then the same number of
        spacings along every axis, and scales are geometric means over the axes where spacings differ.
    confidence
        Probability of the intervals. The standard error of p joins the jackknife over some 16 parts of the box, the
        sampling error of the few long waves that a box holds, and what the fit leaves over. On Gaussian fields of
        known p, from 1024 to 256^2 nodes, intervals of 95 % held it in 90 to 100 % of 40 to 60 cases each: least by
        ``gradient`` on 1024 nodes, too often by ``structure`` in two dimensions.

    Returns
    -------
    roughness
        The exponent, the fit of every method, the noise floor and a verdict.

    Raises
    ------
    UnsupportedError
        If no method has a fit, with the reason: flat, noise above the structure, too few scales, no power law; for a
        batch or correlated noise.
    OptionError
        For options out of range.
    SigmaError
        For an evolution with too few sigmas between the resolution of the grid and the size of the box; with ``all``
        this is a reason why three methods have no fit.
    UnknownNameError, GridError
        For an unknown method or axis.

    Notes
    -----
    What is estimated is the exponent of root mean squares over the box, which is the Hölder exponent where Q is equally
    rough everywhere; jumps on a few lines give 1/2. First differences, the spread and the gradient cannot exceed 1, the
    bias of a smooth Q goes as sigma^2: such landscapes are reported as smooth, with p at least 1. Along axes that are
    not periodic, nodes from which noise crosses an edge with more than 1 % probability are excluded.

    References
    ----------
    T. Wang, S. Herbert, S. Gao, arXiv:2310.15418 (NeurIPS 2023) and arXiv:2405.17832 (ICML 2024). T. Gneiting,
    H. Sevcikova, D. B. Percival, Statist. Sci. 27 (2012) 247-277, doi:10.1214/11-STS370, on structure functions.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> from heatpg.roughness.holder import holder_exponent
    >>> q = landscapes.weierstrass(exponent=0.4, size=4096, terms=11)
    >>> rough = holder_exponent(q)
    >>> [f"{scaling.method} {scaling.exponent:.1f}" for scaling in rough.scalings]
    ['structure 0.4', 'bias 0.4', 'spread 0.4', 'gradient 0.4']
    >>> rough.agree, rough.noise_floor
    (True, 0.0)
    """
    methods = _check(method, window, confidence)
    if not isinstance(source, Landscape | Evolution):
        raise OptionError("roughness needs a landscape or an evolution", given=type(source).__name__)
    if isinstance(source, Evolution):
        source.require_solved("roughness of an evolution")
    landscape = source.landscape if isinstance(source, Evolution) else source
    values, unit = deviations(landscape)
    grid, positions = landscape.grid, positions_of(landscape.grid, axis)
    # axes without noise do not count, unless there is none anywhere
    if isinstance(source, Evolution) and axis is None:
        positions = tuple(i for i in positions if bool((source.sigmas[:, i] > 0).any())) or positions
    # with fewer, a part of the jackknife would be a single node wide
    least = 2 * parts_along(grid.dimensions)
    if min(grid.shape) < least:
        _refuse(f"{min(grid.shape)} nodes along an axis are too few; at least {least} are needed", landscape.name)
    # increments first: they tell noise and the smooth range, which the windows of all methods depend on
    increments = measure_structure(values, grid, positions)
    variance, error, all_noise = noise_floor(increments)
    if all_noise:
        _refuse(f"the structure does not rise above noise of {math.sqrt(variance) * unit:.3g}", landscape.name)
    noise = math.sqrt(variance)
    # noise of variance s^2 adds 2 s^2 to every mean square of increments
    above = dataclasses.replace(increments, squares=increments.squares - 2.0 * variance)
    reach = smooth_reach(above, _SMOOTH)
    smooth = reach >= _SMALLEST_LAG * increments.scales[0]
    study = _Study(unit, confidence, window, smooth, smooth_reach(above, _ROUNDED), reach)
    found: list[Scaling] = []
    refused: dict[str, str] = {}
    smoothed: Smoothed | None = None
    for name in methods:
        if name == "structure":
            result = study.scaling(increments)
        else:
            if smoothed is None:  # one evolution for all three methods that need it
                try:
                    if isinstance(source, Evolution):
                        smoothed = smooth_at(source, values, positions, given_levels(source, positions))
                    else:
                        smoothed = smooth_at(source, values, positions, levels_for(grid, positions))
                except (SigmaError, OptionError, UnsupportedError) as reason:
                    if method != "all":
                        raise
                    refused |= {other: reason.problem for other in METHODS[1:]}
                    break
            result = study.scaling(measure_smoothed(name, smoothed, noise))
        if isinstance(result, str):
            refused[name] = result
        else:
            found.append(result)
    # a method whose window ends within the smooth range has not seen the rough one that another method found
    if any(not scaling.saturated for scaling in found):
        for scaling in [scaling for scaling in found if scaling.saturated]:
            refused[scaling.method] = f"no rough range, but a smooth one up to {scaling.window[1]:.3g}"
            found.remove(scaling)
    if not found:
        _refuse(_joined(refused.values()), landscape.name)
    exponent, interval, agree = _combine(found, confidence)
    first = found[0]
    return Roughness(
        exponent,
        interval,
        confidence,
        method,
        first.saturated,
        (min(s.window[0] for s in found), max(s.window[1] for s in found)),
        tuple(found),
        refused,
        agree,
        noise * unit,
        0.5 * error / noise * unit if noise else math.nan,  # d s = d(s^2) / (2 s)
        reach if smooth else 0.0,
        _intermittency(landscape, axis, first) if first.method == "structure" else math.nan,
    )
