"""Regularised inverses of the flow: multipliers of its modes, and the parameter that the noise allows.

The inverse multiplies a mode by 1 / a, a = exp(-k^2 t / 2), and its noise too. A regularised one multiplies it by m,
near 1 / a where the signal is and small where it is not; 1 - a m is what the residual keeps of the data. Either kind
has one parameter, and its residual shrinks as the regularisation gets weaker, so there is one parameter at which the
residual equals the noise (Morozov's discrepancy principle).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from heatpg.errors import NonFiniteError, UnsupportedError
from heatpg.roughness.modes import EPS, Problem, along, diagonal_of, quadratic_form, sum_of_products

__all__ = ["LARGEST_EXPONENT", "METHODS", "Cutoff", "Tikhonov", "by_discrepancy", "power_beyond"]

Array = NDArray[Any]
# exp(709) is the largest double; the rest is room for the coefficients that are multiplied.
LARGEST_EXPONENT = 700.0
# Of alpha: below eps^2 = 5e-32 nothing is damped that a double can hold; above 1e8 everything is, since a^2 <= 1.
_ALPHAS = (1e-32, 1e8)
_TINY = float(np.finfo(np.float64).tiny)
# Ratio of the powers of half octaves that a spectrum is taken to fall off with at least. A taste; with 1 the sum of
# what lies beyond would not end.
_SLOWEST = 0.9


class Cutoff:
    """exp(k^2 t / 2) for |k| <= k_c, and 0 beyond."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    def cutoff(self, parameter: float) -> float:
        """Wavenumber from which on waves are lost: the parameter itself."""
        return parameter

    def multiplier(self, parameter: float) -> Array:
        """m of every mode."""
        problem = self.problem
        kept = (problem.wavenumber <= parameter) & np.isfinite(problem.exponent)
        largest = float(problem.exponent[kept].max(initial=0.0))
        if largest > LARGEST_EXPONENT:
            raise NonFiniteError(
                "this cut-off keeps waves whose amplified noise overflows",
                given=f"k_c={parameter:g}, amplification e^{largest:.0f}",
                allowed=f"k_c <= {math.sqrt(2.0 * LARGEST_EXPONENT / problem.variance):.4g}",
                advice="use a smaller cut-off, or pass noise= instead of parameter=",
            )
        return np.exp(np.where(kept, problem.exponent, -np.inf))

    def loss(self, parameter: float) -> Array:
        """1 - a m: what the residual keeps of the data."""
        return ~((self.problem.wavenumber <= parameter) & np.isfinite(self.problem.exponent))

    def search(self, excess: Callable[[float], float]) -> float:
        """The smallest k_c without excess, to a thousandth of the distance between wavenumbers."""
        problem = self.problem
        if excess(0.0) <= 0.0:
            return 0.0
        finite = problem.wavenumber[np.isfinite(problem.wavenumber)]
        # beyond the k where a = eps the data are rounding, whatever the noise
        high = min(float(finite.max()), math.sqrt(-2.0 * math.log(EPS) / problem.variance))
        if excess(high) > 0.0:
            return math.nan
        # halving, and no root finder: the residual is a staircase in k_c
        low, step = 0.0, 1e-3 * min(math.pi / axis.length for axis in problem.grid)
        while high - low > step:
            middle = 0.5 * (low + high)
            if excess(middle) > 0.0:
                low = middle
            else:
                high = middle
        return high


class Tikhonov:
    """a / (a^2 + alpha), a = exp(-k^2 t / 2); modes that were not smoothed stay as they are."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.factor = np.exp(-problem.exponent)
        self.square = self.factor**2
        # else a constant would be damped by 1 / (1 + alpha), though no noise of it was amplified
        self.unchanged = problem.exponent == 0.0

    def cutoff(self, parameter: float) -> float:
        """Wavenumber from which on waves are lost: where a^2 = alpha; 0 from alpha = 1 on."""
        return math.sqrt(max(0.0, -math.log(parameter)) / self.problem.variance)

    def multiplier(self, parameter: float) -> Array:
        """m of every mode."""
        return np.where(self.unchanged, 1.0, self.factor / (self.square + parameter))

    def loss(self, parameter: float) -> Array:
        """1 - a m = alpha / (a^2 + alpha)."""
        result = self.square + parameter
        np.divide(parameter, result, out=result)
        result[self.unchanged] = 0.0
        return result

    def search(self, excess: Callable[[float], float]) -> float:
        """The alpha without excess, to a millionth."""
        least, most = _ALPHAS
        if excess(most) <= 0.0:
            return most
        if excess(least) > 0.0:
            return math.nan
        # in ln alpha, because the residual rises smoothly over 40 decades of alpha
        return math.exp(brentq(lambda s: excess(math.exp(s)), math.log(least), math.log(most), xtol=1e-6))


METHODS: dict[str, type[Cutoff] | type[Tikhonov]] = {"cutoff": Cutoff, "tikhonov": Tikhonov}


def power_beyond(problem: Problem, cutoff: float, found: Array, multiplier: Array, noise: float) -> float:
    """Power beyond the cut-off, if it falls off there by half octaves as it does in the two below: p r + p r^2 + ..."""
    # the noise that is in what was found is taken off by its expectation, or it would pass for signal that falls slowly
    own, noisy = found**2, multiplier**2
    for position, mode in enumerate(problem.modes):
        own, noisy = along(diagonal_of(mode.output), own, position), along(diagonal_of(mode.noise), noisy, position)
    power = own - noise**2 * noisy
    edges = cutoff / math.sqrt(2.0) ** np.arange(3)
    powers = [
        max(0.0, sum_of_products(power, (problem.wavenumber <= upper) & (problem.wavenumber > lower)))
        for upper, lower in itertools.pairwise(edges)
    ]
    last, before = powers
    # of the geometric series; nothing in the lower half octave tells nothing, and the slowest fall is assumed
    ratio = min(last / before, _SLOWEST) if before > 0.0 else _SLOWEST
    return last * ratio / (1.0 - ratio)


def by_discrepancy(problem: Problem, filters: Cutoff | Tikhonov, coefficients: Array, target: float) -> float:
    """The parameter whose residual is the target; the strongest there is, if the target is above the whole signal."""

    # without held ends the form is diagonal: the energies are computed once, and each trial is one sum
    separate = all(form.ndim == 1 for form in problem.data)
    energy = coefficients**2
    for position, form in enumerate(problem.data):
        energy = along(form, energy, position) if separate else energy

    def excess(parameter: float) -> float:
        loss = filters.loss(parameter)
        square = sum_of_products(energy, loss, loss) if separate else quadratic_form(problem.data, coefficients * loss)
        # logarithms, because the residual falls over many decades, and only the sign and the zero matter
        return 0.5 * math.log(max(square, _TINY)) - math.log(target)

    parameter = filters.search(excess)
    if math.isnan(parameter):
        raise UnsupportedError(
            "no regularised solution fits the data within the noise",
            given=f"tau eps = {target:.3g}",
            advice=(
                "the data are not a smoothed field within this noise: pass a larger noise (including rounding and "
                "solver errors), a smaller variance, or parameter="
            ),
        )
    return parameter
