"""Lyapunov exponents: an estimate from the growth of separations, and those of maps and flows given as functions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.errors import NonFiniteError, OptionError
from heatpg.systems.lanes import whole_steps
from heatpg.tools.arguments import finite_number, one_of, positive_number, whole_number
from heatpg.tools.calls import checked_call
from heatpg.tools.plain import plain

__all__ = ["LyapunovEstimate", "estimate_from", "lyapunov_spectrum", "transient_count", "whole_multiple"]

Array = NDArray[np.float64]
# A taste: more than a figure shows, and a result stays small.
_MOST_MOMENTS = 200
# Parts of a single run, for its standard error: few enough that parts are longer than correlations, of some seconds.
_BLOCKS = 10
# ln of the growth in the second half of a run. Regular motion grows linearly or quadratically, by a factor of 2 or 4
# there, so by ln 4 = 1.4 at most; the rest is room for oscillations. See `LyapunovEstimate`.
_REGULAR_GROWTH = 4.0


@dataclasses.dataclass(frozen=True)
class LyapunovEstimate:
    """Lyapunov exponents, and how well they are known.

    A run counts as chaotic if separations grew by more than exp(4) in its second half: linear growth, as on a torus,
    gives a factor of 2 there whatever the duration, quadratic growth 4, and the rest is room for oscillations. So
    exponents below `resolution` = 8/duration cannot be distinguished from zero.

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
        """Exponents below this cannot be distinguished from zero in this duration."""
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
        # NaN where there are too few parts: then there is no margin to give
        margin = 0.0 if math.isnan(self.standard_error) else 2.0 * self.standard_error
        return self.exponent - margin, self.exponent + margin

    def __str__(self) -> str:
        error = "" if math.isnan(self.standard_error) else f" +- {self.standard_error:.2g}"
        motion = f"{self.chaotic_runs} of {len(self.runs)} runs chaotic" if self.motion == "mixed" else self.motion
        if self.motion == "regular":
            motion += f": an exponent below {self.resolution:.2g} cannot be distinguished from zero in this duration"
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
        entries = {
            "system": self.system,
            "exponent": self.exponent,
            "standard_error": self.standard_error,
            "unit": self.unit,
            "motion": self.motion,
            "chaotic_runs": self.chaotic_runs,
            "resolution": self.resolution,
            "runs": self.runs,
            "spread": self.spread,
            "spectrum": self.spectrum,
            "energy_drift": self.energy_drift,
            "volume_defect": self.volume_defect,
            "duration": self.duration,
            "transient": self.transient,
            "step": self.step,
            "method": self.method,
            "times": self.times,
            "history": self.history,
        }
        return {name: plain(value) for name, value in entries.items()}


def whole_multiple(what: str, given: float, unit: str, step: float, least: int = 1) -> int:
    """How many steps there are in a duration.

    Raises
    ------
    OptionError
        If the number is not whole, or below the least.
    """
    count, exact = whole_steps(given, step, least)
    if not exact:
        raise OptionError(
            f"{what} must be a whole number of {unit}",
            given=f"{given:g}, {unit} of {step:g}",
            allowed=f"{', '.join(f'{n * step:g}' for n in range(least, least + 3))}, ...",
            advice=f"use {count * step:.12g}",
        )
    return count


def transient_count(transient: float | None, usual: float, interval: float, unit: str) -> int:
    if transient is None:
        return round(usual / interval)
    return whole_multiple("transient", finite_number("transient", transient, lower=0.0), unit, interval, least=0)


def estimate_from(growth: Array, skipped: int, interval: float, **rest: Any) -> LyapunovEstimate:
    """From the logarithms of the growth in every interval, shape (runs, intervals, exponents)."""
    counted = growth[:, skipped:]
    number, count = counted.shape[:2]
    duration = count * interval
    runs = counted[:, :, 0].sum(axis=1) / duration
    if number > 1:
        error = float(runs.std(ddof=1)) / math.sqrt(number)
    elif count >= 2 * _BLOCKS:
        # means of consecutive parts, which are nearly independent, unlike consecutive intervals
        size = count // _BLOCKS
        blocks = counted[0, : size * _BLOCKS, 0].reshape(_BLOCKS, size).mean(axis=1) / interval
        error = float(blocks.std(ddof=1)) / math.sqrt(_BLOCKS)
    else:
        error = math.nan
    # evenly spaced moments, each once, the last of them the end: the history ends at the result
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


@checked_call()
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
    OptionError
        For a parameter out of its range, or a function that returns the wrong shape.
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
        raise OptionError("state must be a sequence of numbers", given=repr(state), allowed="n finite numbers")
    n = x.size
    kept = n if exponents is None else whole_number("exponents", exponents)
    if kept > n:
        raise OptionError("count exceeds the number of exponents", given=kept, allowed=f"1 to {n}")
    flow = kind == "flow"
    step = positive_number("dt", dt) if flow else 1.0
    unit = "time steps" if flow else "iterations"
    # a map may stretch by any factor in one step, a flow hardly within ten
    usual = 10 * step if flow else 1.0
    interval = usual if renormalise is None else positive_number("renormalise", renormalise)
    per_interval = whole_multiple("renormalise", interval, unit, step)
    length = positive_number("duration", duration)
    counted = whole_multiple("duration", length, "intervals", interval)
    skipped = transient_count(transient, 0.1 * length, interval, "intervals")
    advance = _flow_step(function, jacobian, step, n) if flow else _map_step(function, jacobian, n)
    # any orthonormal start will do that has a part along every direction; this one is fixed and has no symmetry
    tangents = np.linalg.qr(np.cos(np.outer(np.arange(n), np.arange(n)) + 1.0) + np.eye(n))[0][:, :kept]
    growth = np.empty((1, skipped + counted, kept))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # what is not finite is met below
        for k in range(skipped + counted):
            for _ in range(per_interval):
                x, tangents = advance(x, tangents)
            if not (np.isfinite(x).all() and np.isfinite(tangents).all()):
                raise NonFiniteError(
                    "the motion or its tangents diverged",
                    given=f"within {(k + 1) * interval:g} of {(skipped + counted) * interval:g}",
                    advice="lower dt or renormalise more often" if flow else "start inside the basin of an attractor",
                )
            # all tangents turn into the fastest direction; Q keeps them apart, and R has by how much each has grown in
            # what the ones before leave to it
            tangents, triangle = np.linalg.qr(tangents)
            # QR leaves the signs of R open
            lengths = np.abs(np.diagonal(triangle))
            if not lengths.all():
                raise NonFiniteError(
                    "a tangent vanished: its exponent is minus infinity",
                    given=f"at x = {x}",
                    advice=f"request fewer exponents than {kept}",
                )
            growth[0, k] = np.log(lengths)
    return estimate_from(
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
            raise OptionError(f"the {what} cannot be evaluated", given=f"x = {x}: {reason}") from reason
        if value.shape != shape:
            raise OptionError(f"the {what} returns the wrong shape", given=value.shape, allowed=shape)
        return value

    return checked


def _derivative(
    function: Callable[[Array], Array], jacobian: Callable[[Array], ArrayLike] | None, n: int
) -> Callable[[Array], Array]:
    if jacobian is not None:
        return _checked(jacobian, "jacobian", (n, n))
    # of central differences: truncation h^2 and rounding eps / h balance at h = eps^(1/3)
    root = float(np.finfo(np.float64).eps) ** (1.0 / 3.0)

    def central(x: Array) -> Array:
        columns = np.empty((n, n))
        for i in range(n):
            upper, lower = x.copy(), x.copy()
            h = root * max(1.0, abs(float(x[i])))
            upper[i] += h
            lower[i] -= h
            # the distance that the numbers really have, not 2 h, which rounds
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
        # classical Runge-Kutta; tangents are taken through the same stages, so they follow the discrete motion
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
