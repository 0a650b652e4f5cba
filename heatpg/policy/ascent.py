"""Ascent on the mollified objective L(mu, sigma^2) from any start: where a policy gradient goes, and where it stops.

L solves the heat equation, so dL/dmu = grad u and dL/dsigma^2 = 1/2 Laplace(u). Jointly in (mu, sigma^2) there is no
local maximum with sigma^2 > 0, yet an ascent may end at a poor one with sigma -> 0.
"""

# One file, because ascent along one path and along many share their steps and their rules for an end.

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.field import RESOLVED, HeatField
from heatpg.core.grid import Grid
from heatpg.core.landscape import Landscape
from heatpg.core.sense import MAXIMISE, Sense, sense_of
from heatpg.errors import GridError, OptionError, SigmaError, UnsupportedError
from heatpg.evolution import solve
from heatpg.policy.estimators import ESTIMATORS, check_samples
from heatpg.policy.flow import AscentPath, Objective, SampledGradient, Setting, follow_flow, plain_steps
from heatpg.policy.source import ActionValue, Source, negative, parse_means, parse_sigma, refuse_walls
from heatpg.quadrature.seeded import is_seeded
from heatpg.tools.arguments import finite_number, one_of, positive_number, whole_number
from heatpg.tools.arrays import real_numbers
from heatpg.tools.calls import checked_call, checked_class
from heatpg.tools.plain import fields_as_dict

__all__ = ["METHODS", "Ascent", "Stepping", "ascend", "ascend_all"]

Array = NDArray[np.float64]

METHODS = ("fixed", "variance", "log_sigma", "natural", "annealed")
"""Names of the methods."""

_JOINT = ("variance", "log_sigma", "natural")  # methods that move sigma too
_VANISHED = 0.1  # of a spacing (taste): far below the 1.5 spacings that the grid resolves
_VANISHED_FUNCTION = 1e-3  # of the sigma at the start, where there is no grid (taste)
_GROWN = 4.0  # longest sides of the box (taste): under so much noise the landscape is one hill
_GROWN_FUNCTION = 1e3  # sigmas at the start, where there is no box (taste)
_COOLING = 0.85  # of sigma from stage to stage (taste): fourteen stages a decade
_LAST_STAGE = 0.02  # of the sigma at the start, where there is no grid (taste)
_DECADES = 260.0  # of sigma^4, and of the oscillation over it; 48 less than double precision has, for what is squared
_DECADES_FIXED = 304.0  # of the oscillation over sigma^2, and of the time of the flow, its inverse: three less (taste)
_SAME_HEIGHT = 1e-6  # of the oscillation (taste): above what interpolation and rounding leave, below what matters
# Of the oscillation: what rounding leaves of slopes and curvatures in units of `Setting.length` (taste: some thousand
# roundings in the sum over the nodes of a box, or of a lattice).
_ROUND_OFF = 4096 * float(np.finfo(np.float64).eps)
_PROBES = 1000  # samples that tell how far the values of a function lie apart (taste)
_PROBES_OF_ROLLOUTS = 32  # the same where each is a rollout: an order of magnitude is enough


@dataclasses.dataclass(frozen=True, eq=False)
class Ascent:
    """The path of one ascent, and where and why it ended.

    Attributes
    ----------
    means
        mu along the path, shape (n, d), the start first. On a periodic axis the path is not wrapped.
    sigmas
        Noise level along the path, shape (n,); with one sigma per axis shape (n, d).
    times
        Flow time, shape (n,); for steps of a given rate the rate times their number.
    values
        L along the path, shape (n,); NaN where only samples were drawn.
    at_means
        Q at the means, shape (n,): the return of the policy without noise.
    at_means_error
        Standard errors of these for a sampler with at least two seeds, shape (n,); otherwise None.
    gain, gain_error
        Q at the last mean less that at the first, seed by seed: its mean and standard error, where there are seeds.
    method
        Name of the method.
    gradient
        ``exact``, or the name of the estimator.
    status
        ``converged``: at a maximum, the highest known one at its sigma. ``stalled at a maximum``: at one
        that is not the highest. ``at the floor``: at a maximum with sigma on its floor. ``sigma went to zero``: at a
        maximum, with sigma below anything that the grid resolves. ``sigma outgrew the box``: the entropy bonus won.
        ``left the box``: mu crossed the box's edge. ``at a saddle``: stationary, and no maximum. ``on a plateau``: no
        slope to follow above round-off. ``budget spent``: still moving after the last step.
    sentence
        The end in words.
    sense
        Direction of optimisation; for a loss it is a descent, and texts say ``minimum``.
    """

    means: Array
    sigmas: Array
    times: Array
    values: Array
    at_means: Array
    method: str
    gradient: str
    status: str
    sentence: str
    sense: Sense = MAXIMISE
    at_means_error: Array | None = None
    gain: float | None = None
    gain_error: float | None = None

    @property
    def mean(self) -> Array:
        """Last mean, shape (d,)."""
        return np.asarray(self.means[-1])

    @property
    def sigma(self) -> Array:
        """Last sigma, a number or one per axis."""
        return np.asarray(self.sigmas[-1])

    def __len__(self) -> int:
        return len(self.means)

    def __str__(self) -> str:
        lines = [f"{self.method} {self.sense.ascent}, {self.gradient} gradient, {len(self) - 1} steps: {self.status}"]
        for name, k in (("start", 0), ("end", -1)):
            value = f"  L {self.values[k]:.6g}" if math.isfinite(self.values[k]) else ""
            lines.append(
                f"  {name:5}  mu {_place(self.means[k])}  sigma {_place(np.atleast_1d(self.sigmas[k]))}{value}"
                f"  Q(mu) {self.at_means[k]:.6g}"
            )
        return "\n".join([*lines, self.sentence])

    def as_dict(self) -> dict[str, Any]:
        """The ascent as JSON-like values."""
        return fields_as_dict(self, ["sense"]) | ({"minimise": True} if self.sense.minimise else {})


@checked_class()
@dataclasses.dataclass(frozen=True)
class Stepping:
    """How an ascent steps: along the flow, or by plain steps of a given rate with an exact or a sampled gradient.

    Parameters
    ----------
    rate
        None: the gradient flow is integrated with adaptive steps (exact gradients only). A number:
        plain steps of this rate; for ``variance`` in (mu, s), else in (mu, log sigma).
    steps
        Most steps; of the flow at each stage of a schedule, of plain steps in all.
    tolerance
        Accuracy of a maximum that the flow ends at, in spacings of the finest axis (for a function, in sigmas). Plain
        steps end when they are so near.
    samples, seed
        Of a sampled gradient: evaluations per step, and the seed of the noise.

    Raises
    ------
    OptionError
        For a value out of its range.
    """

    rate: float | None = None
    steps: int = 2000
    tolerance: float = 1e-6
    samples: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        checked: dict[str, Any] = {
            "steps": whole_number("steps", self.steps),
            "tolerance": positive_number("the tolerance", self.tolerance),
            "samples": whole_number("samples", self.samples),
            "seed": whole_number("seed", self.seed, least=0),
        }
        if self.rate is not None:
            checked["rate"] = positive_number("the rate", self.rate)
        for name, value in checked.items():
            object.__setattr__(self, name, value)


def _place(point: Array) -> str:
    return "(" + ", ".join(f"{x:.6g}" for x in point) + ")"


def _levels(schedule: ArrayLike | None, sigma: float, last: float) -> list[float]:
    """Noise levels of an annealed ascent, from sigma on, none above the one before it."""
    if schedule is None:
        # as many stages as keep the ratio of neighbours at `_COOLING` or above, of equal ratios
        count = max(0, math.ceil(math.log(last / sigma) / math.log(_COOLING)))
        return [sigma] if count == 0 else np.geomspace(sigma, last, count + 1).tolist()
    levels = real_numbers("the schedule", schedule, SigmaError)
    if levels.ndim != 1 or levels.size == 0 or not np.isfinite(levels).all() or not (levels > 0).all():
        raise SigmaError("the schedule must consist of positive numbers", given=repr(schedule))
    levels = np.concatenate(([sigma], levels))
    if (np.diff(levels) > 0).any():
        raise SigmaError(
            "the schedule must not increase", given=repr(schedule), allowed=f"decreasing from at most sigma={sigma:g}"
        )
    return [float(level) for level in levels]


def _check_options(
    method: str, gradient: str, rate: float | None, floor: float, entropy: float, schedule: ArrayLike | None
) -> None:
    """Refuse options that this method would ignore."""
    one_of("method of ascent", method, METHODS)
    one_of("gradient", gradient, ("exact", *ESTIMATORS))
    if gradient != "exact" and rate is None:
        raise OptionError(
            "a sampled gradient needs a step size (rate)",
            given=f"gradient={gradient!r}, rate=None",
            allowed="rate > 0, or gradient='exact'",
            advice="pass stepping=Stepping(rate=...)",
        )
    if entropy and method not in _JOINT:
        raise OptionError(
            "an entropy bonus has no effect while sigma is prescribed",
            given=f"method={method!r}, entropy={entropy}",
            allowed=", ".join(_JOINT),
        )
    if floor and method == "fixed":
        raise OptionError("sigma_floor has no effect with a fixed sigma", given=f"sigma_floor={floor}")
    if schedule is not None and method != "annealed":
        raise OptionError("a schedule needs method='annealed'", given=f"method={method!r}")


def _parse_starts(starts: ArrayLike, grid: Grid | None, dimensions: int | None = None) -> tuple[Array, bool]:
    # stricter than for means in general: ascents leave the box, but do not begin outside
    places, single = parse_means(starts, grid, dimensions)
    for i, axis in enumerate(grid or ()):
        outside = (places[:, i] < axis.lower) | (places[:, i] > axis.upper)
        if outside.any() and not axis.rule.periodic:
            raise GridError(
                f"a starting point lies outside the box along axis {axis.name!r}",
                given=_place(places[outside][0]),
                allowed=f"{axis.lower:g} to {axis.upper:g}",
            )
    return places, single


def _oscillation(source: Source, places: Array, sigma: Array) -> float:
    """Size of the differences of Q, over the box or over what the noise reaches; a flat Q is refused."""
    if isinstance(source, Landscape):
        size = source.oscillation
    else:
        q = ActionValue(source)
        count = _PROBES_OF_ROLLOUTS if is_seeded(source) else _PROBES
        noise = np.random.default_rng(0).standard_normal((count, places.shape[1]))
        values = [q.value(np.concatenate((place[np.newaxis], place + sigma * noise))) for place in places]
        size = max(float(np.ptp(row)) for row in values)
    if not size > 0:
        raise UnsupportedError(
            "the landscape is constant, so there is nothing to ascend",
            given="the same value everywhere"
            if isinstance(source, Landscape)
            else f"the same value at {count} samples",
        )
    return size


@checked_call()
def ascend_all(
    source: Source,
    starts: ArrayLike,
    sigma: ArrayLike,
    *,
    method: str = "fixed",
    gradient: str = "exact",
    sigma_floor: float = 0.0,
    entropy: float = 0.0,
    schedule: ArrayLike | None = None,
    slope: Callable[..., Any] | None = None,
    stepping: Stepping | None = None,
    minimise: bool | None = None,
) -> list[Ascent]:
    """Ascend from many starting points at once; see `ascend`.

    Parameters
    ----------
    starts
        Means to start from, shape (P, d).
    source, sigma, method, gradient, sigma_floor, entropy, schedule, slope, stepping, minimise
        As for `ascend`, the same for all starts. Each starting point has its own steps and, if its gradient is sampled,
        its own noise, so its result does not depend on the others.

    Returns
    -------
    ascents
        One per start, in their order.

    Raises
    ------
    GridError, SigmaError, UnknownNameError, OptionError, UnsupportedError, NonFiniteError
        As `ascend`.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> from heatpg.policy.ascent import ascend_all
    >>> q = landscapes.two_bumps(width=0.5)  # bumps at -1 and 1, which merge at sigma^2 = 0.75
    >>> [ascent.status for ascent in ascend_all(q, [[-0.5], [0.0], [0.5]], 0.3)]
    ['converged', 'at a saddle', 'converged']
    """
    how = stepping if stepping is not None else Stepping()
    usual = source.sense if isinstance(source, Landscape) else MAXIMISE
    sense = usual if minimise is None else sense_of(minimise)
    if sense.minimise:
        source, slope = negative(source, slope)
    entropy = finite_number("the entropy bonus", entropy, lower=0.0)
    floor = finite_number("the floor of sigma", sigma_floor, lower=0.0)
    if gradient == "exact" and is_seeded(source):
        raise UnsupportedError(
            "the exact gradient needs thousands of points, each of which would be a rollout",
            given="gradient='exact', and a sampler of rollouts",
            allowed=", ".join(ESTIMATORS[:3]),
            advice="pass gradient='antithetic', stepping=Stepping(rate=..., steps=..., samples=...)",
        )
    _check_options(method, gradient, how.rate, floor, entropy, schedule)
    q = ActionValue(source, slope)
    places, _ = _parse_starts(starts, q.grid, q.dimensions)
    count, d = places.shape
    deviations, common = parse_sigma(sigma, d)
    if not common and method != "fixed":
        raise SigmaError(
            "one sigma per axis needs method='fixed'", given=repr(sigma), allowed=f"one number for method={method!r}"
        )
    if gradient != "exact":
        refuse_walls(q)
        check_samples(how.samples, gradient, d)
    setting = _setting(method, source, places, deviations, floor, how.tolerance)
    first = float(deviations.min())
    exact_or_sampled: Objective | SampledGradient
    if gradient == "exact":
        exact_or_sampled = Objective(source, d, setting.ratio, entropy)
    else:
        exact_or_sampled = SampledGradient(q, gradient, how.samples, entropy)
    generators = [np.random.default_rng([how.seed, p]) for p in range(count)]
    # An annealed ascent is one at a fixed sigma after the other, down to where the grid no longer resolves u.
    last = floor or (_LAST_STAGE * first if q.grid is None else RESOLVED * max(q.grid.spacing))
    levels = _levels(schedule, first, last) if method == "annealed" else [first]
    # log sigma is that of the axis with the least noise; `Setting.ratio` gives the others
    y = np.concatenate((places, np.full((count, 1), math.log(first))), axis=1)
    paths = [AscentPath([], [], []) for _ in range(count)]
    for level in levels:
        inside = [p for p in range(count) if paths[p].status != "left the box"]
        if not inside:
            break
        y[:, d] = math.log(level)
        if isinstance(exact_or_sampled, Objective) and how.rate is None:
            found = follow_flow(exact_or_sampled, y[inside], setting, how.steps)
        else:
            assert how.rate is not None
            # plain steps are so many in all, because each may cost samples; the flow ends each stage by itself
            share, own = max(1, how.steps // len(levels)), [generators[p] for p in inside]
            found = plain_steps(exact_or_sampled, y[inside], setting, share, how.rate, own)
        for p, path in zip(inside, found, strict=True):
            paths[p].append(path)
            y[p] = path.y[-1]
    highest: dict[float, float] = {}
    return [_ascent(path, q, setting, gradient, highest, sense) for path in paths]


def _setting(method: str, source: Source, places: Array, deviations: Array, floor: float, tolerance: float) -> Setting:
    """What stays the same in all steps from all starts."""
    first = float(deviations.min())
    if floor >= first:
        raise SigmaError("sigma_floor must be below the initial sigma", given=f"{floor:g}", allowed=f"< {first:g}")
    size = _oscillation(source, places, deviations)
    grid = source.grid if isinstance(source, Landscape) else None
    spacing = 0.0 if grid is None else min(grid.spacing)
    longest = _GROWN_FUNCTION * first if grid is None else _GROWN * max(axis.length for axis in grid)
    # Every threshold is in units of the landscape (its spacing, box and oscillation) or of the first sigma, so that
    # neither the units of Q nor those of the axes change where an ascent ends.
    setting = Setting(
        method=method,
        joint=method in _JOINT,
        floor=floor,
        vanished=_VANISHED_FUNCTION * first if grid is None else _VANISHED * spacing,
        grown=max(longest, 2.0 * first),
        spacing=spacing,
        tolerance=tolerance * (spacing or first),
        round_off=_ROUND_OFF * size,
        grid=grid,
        ratio=deviations / first,
    )
    # the slope in log sigma takes derivatives of fourth order, J / sigma^4
    decades = [math.log10(first), math.log10(spacing or first)]
    height = math.log10(size) if size > 0.0 else 0.0
    if setting.joint and max(max(abs(4.0 * d), abs(height - 4.0 * d)) for d in decades) > _DECADES:
        raise SigmaError(
            f"sigma^4, which {method!r} uses, overflows or underflows double precision",
            given=f"sigma={first:g}",
            allowed=f"{10.0 ** (-_DECADES / 4):.0e} to {10.0 ** (_DECADES / 4):.0e}, for Q near 1",
            advice="change the units of the axes, so that their lengths are near 1",
        )
    if max(abs(height - 2.0 * d) for d in decades) > _DECADES_FIXED:
        raise UnsupportedError(
            "slopes of Q, or their inverses, are no doubles", given=f"max - min {size:g}", advice="change the unit of Q"
        )
    if setting.joint and first <= math.exp(setting.lowest):
        raise SigmaError(
            "the initial sigma is below the resolution of the grid",
            given=f"{first:g}",
            allowed=f"> {math.exp(setting.lowest):g}, a tenth of the grid spacing",
        )
    return setting


@checked_call()
def ascend(
    source: Source,
    start: ArrayLike,
    sigma: ArrayLike,
    *,
    method: str = "fixed",
    gradient: str = "exact",
    sigma_floor: float = 0.0,
    entropy: float = 0.0,
    schedule: ArrayLike | None = None,
    slope: Callable[..., Any] | None = None,
    stepping: Stepping | None = None,
    minimise: bool | None = None,
) -> Ascent:
    """Follow the gradient of J = L(mu, sigma^2) + tau d log(sigma) from a starting point to its end.

    With s = sigma^2, u = L, J_mu = grad u and J_s = 1/2 Laplace(u) + tau d / (2 s):

    - ``fixed``: mu' = J_mu at a fixed sigma;
    - ``variance``: mu' = J_mu, s' = J_s;
    - ``log_sigma``: mu' = J_mu, (log sigma)' = 2 s J_s;
    - ``natural``: mu' = s J_mu, s' = (2 s^2 / d) J_s, by the Fisher matrix of N(mu, s I): 1 / s and d / (2 s^2);
    - ``annealed``: as fixed, at one sigma after the other, each from where the last one ended.

    Parameters
    ----------
    source
        A landscape of up to 3 dimensions (`HeatField`), or a function called as ``Q(x1, ..., xd)`` on arrays
        (`MollifiedFunction`), or a sampler of rollouts, such as `heatpg.landscapes.sampler_from_gymnasium`. A
        sampled gradient works in any number of dimensions, and is the only choice for a sampler.
    start
        mu to start from, shape (d,), inside the box; along a periodic axis anywhere.
    sigma
        Noise to start with, one number; for ``fixed`` also one per axis, shape (d,).
    method
        One of the above.
    gradient
        ``exact``, or the name of an estimator: see `heatpg.policy.estimators.estimate_gradient`.
    sigma_floor
        Lower bound of sigma; for ``annealed`` the last sigma.
    entropy
        tau, weight of the entropy bonus, in the units of Q.
    schedule
        Noise levels after the first, falling. By default steps of about 0.85 down to the floor, or to 1.5 spacings.
    slope
        Gradient of a function, for the estimator ``reparametrised``.
    stepping
        Step size and accuracy; by default `Stepping()`, which integrates the gradient flow.
    minimise
        Whether to descend; by default that of the landscape, and False for a function. The entropy bonus is then
        taken from the loss, and values keep their sign.

    Returns
    -------
    ascent
        The path, and its end in a word and in a sentence.

    Raises
    ------
    GridError
        For starts of the wrong shape or outside the box.
    SigmaError
        For noise that is not positive, a floor above it, a schedule that rises.
    UnknownNameError
        For unknown methods and gradients.
    OptionError
        For options that a method would ignore, and sampled gradients without a rate.
    UnsupportedError
        For constant landscapes, batch axes, sampled gradients with ``absorb``, and exact gradients of a sampler.
    NonFiniteError
        For a start that is not finite, a Q that is not, or a rate so large that a step leads to infinity.

    Notes
    -----
    The flow is integrated in (mu, log sigma) with a local error of 1e-4 sigma per step by an L-stable Rosenbrock
    method; a maximum that comes near is then found by Newton's method. Below 1.5 spacings the field is interpolated.
    At a tenth of the grid spacing (for a function at a thousandth of the first sigma) sigma counts as 0: it is fixed
    there, and mu continues to a maximum. In (mu, sigma^2) sigma gets there in finite time, before mu has settled; in
    (mu, log sigma) and by natural gradient it decays like the inverse square root of time. Sampled ascents end there.

    Without an entropy bonus no joint ascent can end at a maximum with sigma > 0: inside the box, with noise in every
    component, there is none (strong maximum principle). It may yet end at a poor one, with sigma -> 0. With a bonus on
    a Gaussian bump of height h and width w in d dimensions, sigma comes to rest where
    h w^d s = tau (w^2 + s)^(d/2 + 1), at the smaller of the two roots.

    References
    ----------
    L. F. Shampine, M. W. Reichelt, The MATLAB ODE suite, SIAM J. Sci. Comput. 18 (1997) 1-22,
    doi:10.1137/S1064827594276424. S. Amari, Natural gradient works efficiently in learning, Neural Comput. 10 (1998)
    251-276, doi:10.1162/089976698300017746.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> from heatpg.policy.ascent import ascend
    >>> q = landscapes.unequal_bumps(size=321)  # heights 0.6 at -1 and 1 at +1
    >>> for sigma in (0.9, 1.2):
    ...     end = ascend(q, [-1.0], sigma, method="natural")
    ...     print(end.mean.round(2), end.status)
    [-1.] sigma went to zero
    [1.] sigma went to zero
    """
    places, single = _parse_starts(start, source.grid if isinstance(source, Landscape) else None)
    if not single:
        raise GridError(
            "start must be a single point", given=f"shape {places.shape}", allowed="shape (d,)", advice="use ascend_all"
        )
    return ascend_all(
        source,
        places,
        sigma,
        method=method,
        gradient=gradient,
        sigma_floor=sigma_floor,
        entropy=entropy,
        schedule=schedule,
        slope=slope,
        stepping=stepping,
        minimise=minimise,
    )[0]


def _ascent(
    path: AscentPath, q: ActionValue, setting: Setting, gradient: str, highest: dict[float, float], sense: Sense
) -> Ascent:
    """The result, with the end put into words; of a loss what was climbed is its negative."""
    kind, sign = sense.extremum, sense.sign
    y, d = np.stack(path.y), len(path.y[0]) - 1
    # The path knows that it has come to rest at a maximum. Whether that is a good one, and whether sigma is then at its
    # floor, vanished or free, is decided here, because it takes the landscape as a whole.
    means, sigmas = y[:, :d], np.exp(y[:, d:]) * setting.ratio
    landscape = q.source if isinstance(q.source, Landscape) else None
    values = np.array(path.values)
    # a learner does not know L along its path; where the landscape is known, so is L
    if landscape is not None and gradient != "exact" and d <= 3:
        values = HeatField(landscape).value(means, sigmas)
    returns = sign * q.source.returns(means) if is_seeded(q.source) else None
    at_means = q.value(means) if returns is None else sign * returns.mean(axis=1)
    level, place = float(np.exp(y[-1, d])), f"mu = {_place(means[-1])}"
    top = None if landscape is None else float(landscape.values.max())
    status, sentence = path.status, ""
    if status == "maximum" and setting.joint and y[-1, d] <= setting.lowest:
        if setting.floor == 0:
            status = "sigma went to zero"
        else:
            status, sentence = "at the floor", f"a {kind} at {place} with sigma on its floor {level:.4g}"
    elif status == "maximum":
        status, sentence = "converged", f"a {kind} at {place}, sigma = {level:.4g}"
        if landscape is not None and not setting.joint:
            # Which maximum is the highest is read from the nodes of the solved field, once for every sigma that
            # ascents end at: `highest` is shared by all starts.
            if level not in highest:
                sigma = sigmas[-1].tolist()
                highest[level] = float(solve(landscape, [sigma] if d > 1 else sigma).values.max())
            if values[-1] < highest[level] - _SAME_HEIGHT * landscape.oscillation:
                status = f"stalled at a {kind}"
                sentence += f": L = {sign * values[-1]:.6g}, but L = {sign * highest[level]:.6g} elsewhere"
            else:
                sentence += f", the {sense.highest} at this sigma"
    elif status == "sigma outgrew the box":
        sentence = f"sigma grew to {level:.4g} at {place}: the entropy bonus outweighs the landscape"
    elif status == "left the box":
        sentence = f"the mean crossed the edge of the box at {place}, sigma = {level:.4g}"
    elif status == "at a saddle":
        sentence = f"stationary but no {kind} at {place}, sigma = {level:.4g}: any noise leads away from here"
    elif status == "on a plateau":
        sentence = f"the gradient is rounding error at {place}, sigma = {level:.4g}"
    elif status == "budget spent":
        sentence = f"still moving at {place}, sigma = {level:.4g}, after {len(y) - 1} steps"
    if status == "sigma went to zero":
        sentence = f"sigma fell to {level:.3g} and below at {place}: the policy became deterministic"
    scatter: dict[str, Any] = {}
    if returns is not None and returns.shape[1] > 1:
        root = math.sqrt(returns.shape[1])
        apart = returns[-1] - returns[0]
        scatter = {
            "at_means_error": returns.std(axis=1, ddof=1) / root,
            "gain": float(apart.mean()),
            "gain_error": float(apart.std(ddof=1) / root),
        }
        change = f"{scatter['gain']:+.6g} (standard error {scatter['gain_error']:.2g}, paired over {len(apart)} seeds)"
        sentence += f"; Q has changed by {change} since the start"
    if top is not None:
        sentence += f"; Q is {sign * at_means[-1]:.6g} there, compared with the optimum {sign * top:.6g}"
    if setting.spacing and status != "sigma went to zero" and level < (1.0 - 1e-9) * RESOLVED * setting.spacing:
        sentence += "; sigma is below 1.5 grid spacings, where the field is interpolated"
    return Ascent(
        means=means,
        sigmas=sigmas if (setting.ratio != 1.0).any() else sigmas[:, 0],
        times=np.array(path.times),
        values=sign * values,
        at_means=sign * at_means,
        method=setting.method,
        gradient=gradient,
        status=status,
        sentence=sentence + ".",
        sense=sense,
        **scatter,
    )
