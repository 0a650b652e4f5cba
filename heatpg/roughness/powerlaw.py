"""Power laws A s^(2p) + B + C s^2 fitted to mean squares, the window that is fitted, and why a fit says nothing.

B is noise on the values, or structure finer than what the landscape holds; C is a trend, or the end of the structure at
large scales; see `heatpg.roughness.holder`. A fit is linear in A, B and C, so these are eliminated, and only p is
searched for.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from heatpg.roughness.meansquares import FEWEST_SCALES, LEAST_RATIO, MeanSquares, jackknife

__all__ = ["LAWS", "Fit", "Law", "best_fit", "noise_floor", "power_slope", "smooth_reach"]

Array = NDArray[np.float64]
# Measurements in an octave of scales that count as independent: closer ones rest on the same waves. A taste.
_INDEPENDENT = 2.0
# Least relative error of a mean square, or a landscape without noise would have weights without bound. A taste.
_LEAST_SCATTER = 0.005
# Standard errors from which a noise floor counts as found: the usual three.
_DETECTED = 3.0
# Standard errors that increments of noise may differ by; four, because the largest over some 30 distances is taken.
_PLAIN_NOISE = 4.0
# Largest standard error of an exponent that is still one. A taste: two of them either side span all of [0, 1].
_WIDEST = 0.25


@dataclasses.dataclass(frozen=True)
class Law:
    """What a method measures, and which terms its mean square has besides A s^(2p).

    `floor` and `trend` say whether it has B and C s^2; `highest` is the largest p that the method can see: first
    differences, spread and gradient saturate at 1, the bias goes as sigma^2 where Q is smooth, and a little more is
    searched so that a smooth landscape is not held at the border.
    """

    statement: str
    scale: str
    floor: bool
    trend: bool
    highest: float


LAWS = {
    "structure": Law("rms |Q(x + delta) - Q(x)| ~ delta^p", "delta", True, True, 1.0),
    "bias": Law("rms |L - Q| ~ sigma^p", "sigma", True, False, 2.2),
    "spread": Law("rms std Q(mu + sigma Z) ~ sigma^p", "sigma", True, True, 1.0),
    "gradient": Law("rms |grad L| ~ sigma^(p-1)", "sigma", False, True, 1.0),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """A s^(2p) + B + C s^2 between two scales, s in units of the first; `terms` are A, then B and C as far as used."""

    low: int
    high: int
    exponent: float
    terms: Array
    extra: Array
    error: float
    floor: float
    floor_error: float

    def squares(self, scales: Array) -> Array:
        unit = scales / scales[0]
        return np.asarray(self.terms[0] * unit ** (2.0 * self.exponent) + self.extra @ self.terms[1:])


def _terms(law: Law, unit: Array) -> Array:
    """B and C s^2 at scales in units of the first, as far as the law has them, shape (n, 0 to 2)."""
    columns = ([np.ones_like(unit)] if law.floor else []) + ([unit**2] if law.trend else [])
    return np.stack(columns, axis=1) if columns else np.empty((len(unit), 0))


def _misfits(exponents: Array, unit: Array, extra: Array, weights: Array, squares: Array) -> Array:
    """Smallest weighted sum of squares for every exponent: A, B and C are eliminated by projection."""
    # what is left of y and of s^(2p) orthogonal to B and C; then A is one projection
    others, _ = np.linalg.qr(extra * weights[:, None])
    target = squares * weights
    target = target - others @ (others.T @ target)
    powers = unit[:, None] ** (2.0 * exponents) * weights[:, None]
    powers = powers - others @ (others.T @ powers)
    norms = np.maximum((powers**2).sum(axis=0), np.finfo(np.float64).tiny)
    return np.asarray(target @ target - (target @ powers) ** 2 / norms)


def _fit(law: Law, measured: MeanSquares, low: int, high: int) -> Fit:
    """Weighted least squares between two scales, with the standard error of the exponent.

    A relative variance that is the same at all scales is added to that of the measurement until the fit leaves over
    what it should: it stands for log-periodic oscillation, which is no sampling error.
    """
    window = slice(low, high + 1)
    scales, squares, scatter = measured.scales[window], measured.squares[window], measured.scatter[window]
    unit = scales / scales[0]
    extra = _terms(law, unit)
    # each scale counts as the share of the independent measurements that falls into its part of an octave
    octaves = np.gradient(np.log2(unit))
    share = np.minimum(octaves * _INDEPENDENT, 1.0)
    freedom = max(float(share.sum()) - extra.shape[1] - 2.0, 1.0)
    # the misfit may have several minima in p, so the whole range is searched before the best is refined
    coarse = np.linspace(0.02, law.highest - 0.02, 97)
    common = _LEAST_SCATTER**2
    for _ in range(4):
        weights = np.sqrt(share / (common + scatter)) / squares
        misfits = _misfits(coarse, unit, extra, weights, squares)
        misfit = float(misfits.min())
        if misfit <= 1.05 * freedom:
            break
        # a Newton step of misfit = freedom, with every residual taken for as large as expected
        common += (misfit - freedom) / float((share / (common + scatter)).sum())
    exponent, step = float(coarse[int(np.argmin(misfits))]), float(coarse[1] - coarse[0])
    for _ in range(2):
        fine = np.linspace(max(0.01, exponent - step), min(exponent + step, law.highest - 0.01), 21)
        exponent = float(fine[int(np.argmin(_misfits(fine, unit, extra, weights, squares)))])
        step *= 0.1
    power = unit ** (2.0 * exponent)
    design = np.concatenate([power[:, None], extra], axis=1) * weights[:, None]
    terms = np.linalg.lstsq(design, squares * weights, rcond=None)[0]
    # for the errors p enters by its tangent, d/dp A s^(2p) = 2 A ln(s) s^(2p); columns scaled to length 1, or rounding
    # decides in the pseudo-inverse
    tangent = 2.0 * terms[0] * np.log(unit) * power * weights
    design = np.concatenate([design, tangent[:, None]], axis=1)
    norms = np.maximum(np.linalg.norm(design, axis=0), np.finfo(np.float64).tiny)
    response = np.linalg.pinv(design / norms) / norms[:, None]
    # a misfit that four steps have not brought down counts as error of the fit
    inflation = max(1.0, misfit / freedom)
    # leaving out a part shifts the mean squares a little, and what is fitted in proportion
    shifts = ((measured.left_out[:, window] - squares) * weights) @ response.T
    errors = np.sqrt(inflation * (response**2).sum(axis=1) + jackknife(shifts))
    return Fit(
        low,
        high,
        exponent,
        terms,
        extra,
        float(errors[-1]),
        float(terms[1]) if law.floor else 0.0,
        float(errors[1]) if law.floor else math.nan,
    )


def _fault(law: Law, fit: Fit, unit_high: float) -> str:
    """Why a fit says nothing about roughness; empty if it does."""
    amplitude = float(fit.terms[0])
    top = amplitude * unit_high ** (2.0 * fit.exponent)
    # 0.03: next to the lower end of the search, where A s^(2p) cannot be told from B
    if amplitude <= 0 or fit.exponent <= 0.03:
        return "the measured values do not grow as a power of the scale"
    # at the upper end of the window the structure should have overtaken whatever there is besides it
    if fit.floor > top:
        return "the structure is below the noise"
    if law.trend:
        trend = float(fit.terms[-1])
        if trend > amplitude or -trend * unit_high**2 > top:
            return "a smooth trend hides the structure"
    if fit.error > _WIDEST or fit.exponent < fit.error:
        return f"the exponent is not determined: {fit.exponent:.2f} with a standard error of {fit.error:.2g}"
    return ""


def _spread(scales: NDArray[np.float64]) -> str:
    """How many scales there are, and how far apart the ends."""
    if len(scales) < 2:
        return "one is" if len(scales) else "none is"
    return f"{len(scales)} over a factor of {scales[-1] / scales[0]:.3g} are"


def _windows(scales: Array, start: int, stop: int, fewest: int, ratio: float) -> Iterator[tuple[int, int]]:
    """Candidates for the window of a fit: cut by half octaves at either end."""
    half = math.sqrt(2.0)
    lows, highs = [start], [stop]
    for k in range(start + 1, stop):
        if scales[k] >= half * scales[lows[-1]]:
            lows.append(k)
    for k in range(stop - 1, start, -1):
        if scales[k] * half <= scales[highs[-1]]:
            highs.append(k)
    for low in lows:
        for high in highs:
            # 1e-9, because scales that should be a factor of 4 apart are so up to rounding
            if high - low + 1 >= fewest and scales[high] >= ratio * (1.0 - 1e-9) * scales[low]:
                yield low, high


def best_fit(
    law: Law, measured: MeanSquares, start: int, stop: int, ratio: float, *, fixed: bool = False
) -> tuple[Fit | None, str]:
    """The fit with the smallest standard error of its exponent, or why there is none."""
    fewest = max(FEWEST_SCALES, 3 + int(law.floor) + int(law.trend))
    scales = measured.scales
    windows = [(start, stop)] if fixed else list(_windows(scales, start, stop, fewest, ratio))
    if not windows or stop - start + 1 < fewest:
        return None, (
            f"a fit needs {fewest} length scales over a factor of {ratio:g}, and {_spread(scales[start : stop + 1])} "
            "usable, from the grid spacing to the size of the features of Q"
        )
    chosen: Fit | None = None
    fault = ""
    for low, high in windows:
        if not (measured.squares[low : high + 1] > 0).all():
            fault = fault or "the structure is below the noise"
            continue
        fit = _fit(law, measured, low, high)
        found = _fault(law, fit, float(scales[high] / scales[low]))
        if found:
            fault = fault or found
        # among windows that are all valid the most certain, not the widest: a wide one may reach into another regime,
        # which raises its misfit and with it its error
        elif chosen is None or fit.error < chosen.error:
            chosen = fit
    return chosen, "" if chosen else fault


def power_slope(scales: Array, squares: Array) -> float:
    """Half the logarithmic slope of mean squares: p if they were a bare power."""
    return float(np.polyfit(np.log(scales), 0.5 * np.log(squares), 1)[0])


def noise_floor(measured: MeanSquares) -> tuple[float, float, bool]:
    """Variance s^2 of the noise, from S_2 = 2 s^2 + A delta^(2p) + C delta^2, its error, and whether it is all."""
    law = LAWS["structure"]
    # noise is in every part: where one holds all increments over the smallest distance, as a step does, there is none
    if not (measured.left_out[:, 0] > 0).all():
        return 0.0, math.nan, False
    # increments of white noise have the same mean square 2 s^2 over every distance
    growth = measured.squares / measured.squares[0] - 1.0
    variance = jackknife(measured.left_out / measured.left_out[:, :1])
    if float(np.abs(growth / np.sqrt(variance + _LEAST_SCATTER**2)).max()) < _PLAIN_NOISE:
        mean = float(measured.squares.mean())
        return 0.5 * mean, 0.5 * float(np.sqrt(jackknife(measured.left_out.mean(axis=1, keepdims=True))[0])), True
    best: Fit | None = None
    for low, high in _windows(measured.scales, 0, len(measured.scales) - 1, FEWEST_SCALES, LEAST_RATIO):
        if low == 0:  # the floor shows at the smallest distances
            fit = _fit(law, measured, low, high)
            if best is None or fit.floor_error < best.floor_error:
                best = fit
    if best is None or best.floor < _DETECTED * best.floor_error:
        return 0.0, math.nan, False
    return 0.5 * best.floor, 0.5 * best.floor_error, False


def smooth_reach(measured: MeanSquares, threshold: float) -> float:
    """Largest distance up to which all increments have a local exponent, over an octave, of at least a threshold."""
    log = np.log2(measured.scales)
    half = 0.5 * np.log2(np.maximum(measured.squares, np.finfo(np.float64).tiny))
    reach = 0.0
    for k, scale in enumerate(measured.scales):
        # no octave further there is nothing to compare with
        if measured.squares[k] <= 0 or log[-1] < log[k] + 1.0:
            break
        if float(np.interp(log[k] + 1.0, log, half)) - half[k] < threshold:
            break
        reach = float(scale)
    return reach
