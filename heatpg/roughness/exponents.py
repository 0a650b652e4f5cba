"""Lyapunov exponents: of the double pendulum, and of maps and flows given as Python functions."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.errors import HeatpgWarning, NonFiniteError, UnsupportedError
from heatpg.systems.pendulum import GAINS, MODELS, STATE, Timing, energy_drift, follow, mass_determinant
from heatpg.tools.arguments import finite_number, finite_numbers, one_of, positive_number, whole_number
from heatpg.tools.parallel import for_each

__all__ = [
    "METHODS",
    "SEPARATION",
    "LyapunovEstimate",
    "follow_runs",
    "lyapunov_exponent",
    "lyapunov_spectrum",
    "whole_multiple",
]

Array = NDArray[np.float64]
METHODS = ("tangent", "two_trajectory")
_MOST_MOMENTS = 200  # of the history of convergence
_BLOCKS = 10  # of a single run, for its standard error
_REGULAR_GROWTH = 4.0  # in the second half of a run; see `LyapunovEstimate`
_MOST_DRIFT = 0.01
_USUAL_TRANSIENT = 10.0
SEPARATION = 1e-7  # where rounding, which falls with it, meets curvature, which rises
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


def _number_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def whole_multiple(what: str, given: float, unit: str, step: float, least: int = 1) -> int:
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
    return whole_multiple("transient", finite_number("transient", transient, lower=0.0), unit, interval, least=0)


def follow_runs(
    model: str,
    starts: Array,
    torques: Array | None,
    gains: Array,
    limit: float,
    timing: Timing,
    tangent: bool,
    separation: float,
) -> LyapunovEstimate:
    """Follow every run; `torques` are held during the first control step, or the policy acts from the beginning."""
    runs, intervals = len(starts), timing.skipped + timing.counted
    coefficients = MODELS[model].coefficients()
    states = np.empty((runs, intervals + 1, 4))
    growth = np.empty((runs, intervals, 4 if tangent else 1))
    good = np.zeros(runs, dtype=np.int64)
    first = np.zeros((runs, 2)) if torques is None else torques

    def one(run: int) -> None:
        good[run] = follow(
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
    drift = energy_drift(states[:, int(torques is not None) :], coefficients) if free else math.nan
    if drift > _MOST_DRIFT:
        warnings.warn(
            f"the integrator changed the energy by {drift:.1%} of that between hanging and upright; lower dt",
            HeatpgWarning,
            stacklevel=3,
        )
    defect = math.nan
    if free and tangent:
        volume = np.log(mass_determinant(states[:, [timing.skipped, -1], 1], coefficients))
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
    separation: float = SEPARATION,
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
    constants = MODELS[one_of("model of the double pendulum", model, MODELS)]
    one_of("method", method, METHODS)
    start = np.array(finite_numbers("state", state, STATE))
    fixed = np.zeros(8) if gains is None else np.array(finite_numbers("gains", gains, GAINS))
    limit = positive_number("torque_limit", constants.torque_limit if torque_limit is None else torque_limit)
    apart = positive_number("separation", separation)
    number = whole_number("runs", runs)
    width = finite_number("scatter", scatter, lower=0.0)
    step = positive_number("dt", dt)
    interval = positive_number("renormalise", renormalise)
    per_interval = whole_multiple("renormalise", interval, "steps", step)
    hold = per_interval
    if gains is not None:
        control = positive_number("control_step", constants.dt if control_step is None else control_step)
        hold = whole_multiple("control_step", control, "steps", step)
        whole_multiple("renormalise", interval, "control steps", control)
    counted = whole_multiple("duration", positive_number("duration", duration), "intervals", interval)
    skipped = _transient_count(transient, _USUAL_TRANSIENT, interval, "intervals")
    starts = np.repeat(start[None], number, axis=0)
    starts[1:] += width * np.random.default_rng(seed).standard_normal((number - 1, 4))
    timing = Timing(interval / per_interval, hold, per_interval, skipped, counted)
    policies = np.repeat(fixed[None], number, axis=0)
    return follow_runs(model, starts, None, policies, limit, timing, method == "tangent", apart)


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
    per_interval = whole_multiple("renormalise", interval, unit, step)
    length = positive_number("duration", duration)
    counted = whole_multiple("duration", length, "intervals", interval)
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
