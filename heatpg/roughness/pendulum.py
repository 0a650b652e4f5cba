"""Lyapunov exponents of the double pendulum, followed by compiled code on all threads."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from heatpg.errors import NonFiniteError
from heatpg.roughness.exponents import LyapunovEstimate, estimate_from, transient_count, whole_multiple
from heatpg.systems.pendulum import GAINS, MODELS, STATE, Timing, energy_drift, follow, mass_determinant
from heatpg.tools.arguments import finite_number, finite_numbers, one_of, positive_number, whole_number
from heatpg.tools.calls import checked_call, checked_class
from heatpg.tools.parallel import for_each
from heatpg.tools.warn import warn_caller

__all__ = ["METHODS", "SEPARATION", "Ensemble", "TorquePolicy", "follow_runs", "lyapunov_exponent"]

Array = NDArray[np.float64]
METHODS = ("tangent", "two_trajectory")
# A taste: with more, the motion that is followed belongs to another energy, and so to another exponent.
_MOST_DRIFT = 0.01
# Seconds: some ten e-folds of the exponent near upright (1/s), after which the tangent points along the fastest growth.
_USUAL_TRANSIENT = 10.0
# The error of a two-trajectory exponent has a part from rounding, eps / separation, and one from curvature, which grows
# with the separation. At 1e-7 both are far below the scatter of the runs.
SEPARATION = 1e-7
# Orthonormal directions, none of which is an axis; two trajectories start apart along the first. Fixed and not drawn,
# so that the result depends on nothing but the arguments.
_FRAME = 0.5 * np.array([[1.0, 1.0, 1.0, 1.0], [1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0], [1.0, -1.0, -1.0, 1.0]])


@checked_class()
@dataclasses.dataclass(frozen=True)
class Ensemble:
    """Where runs of the double pendulum start.

    Attributes
    ----------
    state
        Initial (theta1, theta2, theta1', theta2') in rad and rad/s of the first run.
    runs
        Number of runs; the others start near it.
    scatter
        Standard deviation of the starts of the other runs, in rad and rad/s.
    seed
        Of the random starts.

    Raises
    ------
    OptionError
        For a state of other than four numbers, or a number out of its range.

    Examples
    --------
    >>> from heatpg.roughness.pendulum import Ensemble
    >>> Ensemble((0.1, 0.0, 0.0, 0.0), runs=3).starts().shape
    (3, 4)
    """

    state: Sequence[float] = (3.1, 0.1, 0.0, 0.0)
    runs: int = 8
    scatter: float = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", finite_numbers("state", self.state, STATE))
        object.__setattr__(self, "runs", whole_number("runs", self.runs))
        finite_number("scatter", self.scatter, lower=0.0)

    def starts(self) -> Array:
        """Initial states, shape (runs, 4)."""
        starts = np.repeat(np.array(self.state)[None], self.runs, axis=0)
        starts[1:] += self.scatter * np.random.default_rng(self.seed).standard_normal((self.runs - 1, 4))
        return starts


@checked_class()
@dataclasses.dataclass(frozen=True)
class TorquePolicy:
    """A linear policy of the double pendulum, tau = clip(K (s - upright)), with angles that are not wrapped.

    Attributes
    ----------
    gains
        K row by row, 8 numbers: torque1 then torque2, each per theta1, theta2, theta1', theta2'.
    torque_limit
        Largest torque in N m; None for that of the landscape of the model.
    control_step
        How long a torque is held, in seconds; None as in the landscape of the model.

    Raises
    ------
    OptionError
        For other than eight numbers, or a limit or a step that is not positive.
    """

    gains: Sequence[float]
    torque_limit: float | None = None
    control_step: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "gains", finite_numbers("gains", self.gains, GAINS))
        for name in ("torque_limit", "control_step"):
            if getattr(self, name) is not None:
                positive_number(name, getattr(self, name))


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
    """Exponents of runs of the double pendulum from given states, followed on all threads.

    Parameters
    ----------
    model
        Name of a model of `heatpg.systems.pendulum`.
    starts
        Initial states, shape (runs, 4).
    torques
        Held during the first control step, shape (runs, 2); None if the policy acts from the beginning.
    gains
        Of the linear policy of each run, shape (runs, 8); zeros for no torque.
    limit
        Largest torque in N m.
    timing
        Steps, intervals, and which of them count.
    tangent
        Whether to follow four tangents, or else a second trajectory.
    separation
        Distance of the second trajectory.

    Raises
    ------
    NonFiniteError
        If a motion blows up, or a separation vanishes.
    """
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
            f"the motion or the separation of run {run + 1} of {runs} became zero or not finite",
            given=f"dt={timing.dt:g}, within {(int(good[run]) + 1) * timing.interval:g} s",
            advice="lower dt, or renormalise more often",
        )
    free = not gains.any()
    # a torque held in the first interval does work, so the energy is compared from the end of that
    drift = energy_drift(states[:, int(torques is not None) :], coefficients) if free else math.nan
    if drift > _MOST_DRIFT:
        warn_caller(
            f"the integrator changed the energy by {drift:.1%} of the difference between hanging and upright; lower dt"
        )
    defect = math.nan
    if free and tangent:
        # Liouville: (angles, momenta M w) keep their volume, so in (angles, velocities), in which the tangents are
        # measured, the sum of the logarithms makes up for the change of ln det M
        volume = np.log(mass_determinant(states[:, [timing.skipped, -1], 1], coefficients))
        logs = growth[:, timing.skipped :].sum(axis=(1, 2)) + volume[:, 1] - volume[:, 0]
        defect = float(np.abs(logs).max()) / (timing.counted * timing.interval)
    name = f"double pendulum ({model})" if free else f"double pendulum ({model}) with a linear policy"
    return estimate_from(
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


@checked_call()
def lyapunov_exponent(
    system: str = "double_pendulum",
    *,
    model: str = "point_mass",
    ensemble: Ensemble | None = None,
    policy: TorquePolicy | None = None,
    duration: float = 200.0,
    transient: float | None = None,
    dt: float = 0.005,
    renormalise: float = 0.5,
    method: str = "tangent",
    separation: float = SEPARATION,
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
        ``double_pendulum``; see `lyapunov_spectrum` for other systems.
    model
        ``point_mass`` or ``acrobot``, as in `heatpg.landscapes.double_pendulum`. The velocity limits of the acrobot are
        ignored.
    ensemble
        Initial states of the runs; by default 8 runs near (3.1, 0.1, 0, 0), almost upright.
    policy
        A linear policy at the joints; by default no torque.
    duration
        Seconds over which each run is averaged, a whole number of intervals.
    transient
        Initial transient in seconds to discard; by default about 10.
    dt
        Step of the integrator in seconds.
    renormalise
        Length of an interval in seconds, a whole number of steps (of control steps, with a policy).
    method
        ``tangent`` or ``two_trajectory``.
    separation
        Distance of two trajectories after each interval.

    Returns
    -------
    LyapunovEstimate
        In 1/s. Near upright, single runs of minutes scatter by 10 to 20 %, because the motion sticks to regular
        islands for a while; check `LyapunovEstimate.spread` and `LyapunovEstimate.energy_drift`, which should
        be far below 1.

    Raises
    ------
    UnknownNameError
        For an unknown system, model or method.
    OptionError
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
    >>> from heatpg.roughness.pendulum import Ensemble, lyapunov_exponent
    >>> upright = lyapunov_exponent(ensemble=Ensemble(runs=2), duration=100.0)
    >>> upright.motion, 0.6 < upright.exponent < 1.4
    ('chaotic', True)
    >>> lyapunov_exponent(ensemble=Ensemble((0.1, 0.0, 0.0, 0.0), runs=1), duration=100.0).motion
    'regular'
    """
    one_of("system", system, ("double_pendulum",))
    constants = MODELS[one_of("model of the double pendulum", model, MODELS)]
    one_of("method", method, METHODS)
    runs = Ensemble() if ensemble is None else ensemble
    # without a policy the torque is that of no gains
    law = TorquePolicy((0.0,) * len(GAINS)) if policy is None else policy
    limit = constants.torque_limit if law.torque_limit is None else float(law.torque_limit)
    apart = positive_number("separation", separation)
    step = positive_number("dt", dt)
    interval = positive_number("renormalise", renormalise)
    per_interval = whole_multiple("renormalise", interval, "steps", step)
    hold = per_interval
    if policy is not None:
        control = constants.dt if law.control_step is None else float(law.control_step)
        hold = whole_multiple("control_step", control, "steps", step)
        whole_multiple("renormalise", interval, "control steps", control)
    counted = whole_multiple("duration", positive_number("duration", duration), "intervals", interval)
    skipped = transient_count(transient, _USUAL_TRANSIENT, interval, "intervals")
    # interval / per_interval and not dt: the intervals are exact, the step is what gives way within rounding
    timing = Timing(interval / per_interval, hold, per_interval, skipped, counted)
    gains = np.repeat(np.array(law.gains)[None], runs.runs, axis=0)
    return follow_runs(model, runs.starts(), None, gains, limit, timing, method == "tangent", apart)
