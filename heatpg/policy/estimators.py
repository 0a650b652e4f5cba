"""Estimators of the policy gradient from samples of Q, against the exact gradient of the heat solution.

L(mu, sigma^2) = E Q(mu + sigma Z). Each estimator is a mean of independent units; this file says how far it is from the
exact gradient, in standard errors, and how large its variance is.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.landscape import Landscape
from heatpg.errors import OptionError, ResourceError
from heatpg.policy.source import (
    REFERENCE_BUDGET,
    ActionValue,
    Source,
    expectation,
    field_gradient,
    function_gradient,
    interpolant_gradient,
    parse_means,
    parse_sigma,
    refuse_walls,
    score,
)
from heatpg.quadrature.seeded import Recorded, crossed_error, is_seeded
from heatpg.tools.arguments import one_of, whole_number
from heatpg.tools.calls import checked_call
from heatpg.tools.plain import fields_as_dict, plain

__all__ = [
    "ESTIMATORS",
    "PARAMETERS",
    "GradientEstimate",
    "check_samples",
    "draw_units",
    "estimate_gradient",
    "estimator_variance",
    "sampled_gradient",
]

Array = NDArray[np.float64]

ESTIMATORS = ("score", "baseline", "antithetic", "reparametrised")
"""Names of the estimators."""
PARAMETERS = ("mean", "variance")
"""Names of the parameters of the Gaussian in which a gradient is taken."""

_MOST_NUMBERS = 2**26  # of noise at once: 512 MiB (taste)
_SHOWN = 6  # components in print (taste)


def check_samples(samples: int, estimator: str, dimensions: int) -> int:
    """The number of samples, if it is one that the estimator can be made of and that fits in memory."""
    samples = whole_number("samples", samples, least=4)
    if estimator == "antithetic" and samples % 2:
        raise OptionError(
            "antithetic samples must come in pairs", given=f"samples={samples}", allowed="even numbers, at least 4"
        )
    if samples * dimensions > _MOST_NUMBERS:
        raise ResourceError(
            "this number of samples does not fit in memory",
            given=f"{samples} samples in {dimensions} dimensions",
            allowed=f"{_MOST_NUMBERS // dimensions} samples",
            advice="average several estimates with different seeds",
        )
    return samples


def draw_units(
    q: ActionValue,
    mean: Array,
    sigma: Array,
    estimator: str,
    parameters: Sequence[str],
    *,
    common: bool,
    samples: int,
    generator: np.random.Generator,
) -> list[Array]:
    """Independent units whose mean is the estimate, for each parameter, all from the same noise.

    Parameters
    ----------
    q
        What is sampled.
    mean, sigma
        Shape (d,) each.
    estimator
        One of `ESTIMATORS`.
    parameters
        ``mean`` and ``variance``.
    common
        Whether all axes have one variance, with one derivative.
    samples
        Evaluations of Q, or of its gradient.
    generator
        Of the noise.

    Returns
    -------
    units
        One array of shape (units, components) per parameter.
    """
    # All parameters from the same noise: a step in (mu, sigma) costs the samples of one gradient.
    z = generator.standard_normal((samples // 2 if estimator == "antithetic" else samples, len(mean)))
    slope = even = odd = None
    if estimator == "reparametrised":
        slope = q.slope(mean + sigma * z)
    elif estimator == "antithetic":
        plus, minus = np.split(q.value(mean + sigma * np.concatenate((z, -z))), 2)
        odd = 0.5 * (plus - minus)
        if "variance" in parameters:  # the second difference: Q(mu) is a baseline that no sample moves
            even = 0.5 * (plus + minus) - q.value(mean[np.newaxis])
    else:
        even = odd = q.value(mean + sigma * z)
        if estimator == "baseline":
            # Q_n less the mean of all others, (N Q_mean - Q_n) / (N - 1). Less the mean of all, its own included, it
            # would be smaller by (N - 1) / N, and so would the gradient.
            even = odd = (odd - odd.mean()) * (samples / (samples - 1))
    # Q(mu + sigma z) s(z): s is odd in z for the mean, so that of a pair the odd part of Q counts, and even for the
    # variance. Of the reparametrised estimator dQ/dmu = grad Q, dQ/dsigma^2 = grad Q . z / (2 sigma).
    units = []
    for parameter in parameters:
        if slope is None:
            value = odd if parameter == "mean" else even
            assert value is not None
            units.append(value[:, np.newaxis] * score(z, sigma, parameter, common))
        elif parameter == "mean":
            units.append(slope)
        else:
            part = 0.5 * slope * z / sigma
            units.append(part.sum(axis=1, keepdims=True) if common else part)
    return units


@dataclasses.dataclass(frozen=True, eq=False)
class GradientEstimate:
    """A sampled estimate of a gradient of L, with the exact one for comparison.

    Attributes
    ----------
    value
        The estimate, shape (components,), or (P, components) for P means: d components in the mean; in the variance
        one if sigma is one number, else one per axis.
    standard_error
        Standard error of each component, from the scatter of the independent units.
    samples
        Evaluations of Q (reparametrised: of its gradient) at each mean; of the antithetic estimator in the variance
        one more, at the mean itself.
    units
        Independent units among them: pairs for the antithetic estimator, single samples for the others.
    estimator
        Name of the estimator.
    with_respect_to
        ``mean`` or ``variance``.
    mean, sigma
        Where, shapes (d,) or (P, d), and (d,).
    exact
        The expected value of the estimator: for a function grad L by quadrature, for a landscape the exact gradient of
        its smoothed interpolant, from which the samples are drawn. None if not requested.
    exact_error
        Error of `exact` if known, 0 for landscapes.
    discretisation
        For landscapes, how far the gradient of the heat solution (`HeatField`) is from `exact`: the discretisation
        error, of second order in the spacing. None for functions and beyond three dimensions.
    remark
        Remark on the bias of this estimator here.
    """

    value: Array
    standard_error: Array
    samples: int
    units: int
    estimator: str
    with_respect_to: str
    mean: Array
    sigma: Array
    exact: Array | None
    exact_error: Array | None
    discretisation: Array | None
    remark: str

    @property
    def variance(self) -> Array:
        """Variance of one unit."""
        # the standard error is that of the mean of the units
        return np.asarray(self.units * self.standard_error**2)

    @property
    def z_scores(self) -> Array | None:
        """(estimate - exact) / error, the error of `exact` included; about +-2 if the estimator is unbiased."""
        if self.exact is None or self.exact_error is None:
            return None
        return _ratio(self.value - self.exact, np.hypot(self.standard_error, self.exact_error))

    def __str__(self) -> str:
        what = "dL/dmu" if self.with_respect_to == "mean" else "dL/dsigma^2"
        rows = [np.atleast_2d(x) for x in (self.value, self.standard_error)]
        # of a landscape the samples are drawn from its interpolant, whose gradient is known without error
        interpolated = self.exact_error is not None and not np.any(self.exact_error)
        of_what = "interpolant" if interpolated else "exact"
        lines = [
            f"{what}, {self.estimator} estimator: {self.samples} evaluations, {self.units} independent units",
            "      estimate   standard error" + (f"  {of_what:>12}       z" if self.exact is not None else ""),
        ]
        # all means and components in one column, in the order of the arrays
        flat = list(zip(*(x.ravel() for x in rows), strict=True))
        for i, (value, error) in enumerate(flat[:_SHOWN]):
            line = f"  {value:12.5g}   {error:14.3g}"
            if self.exact is not None and self.z_scores is not None:
                line += f"  {self.exact.ravel()[i]:12.5g}  {self.z_scores.ravel()[i]:6.2f}"
            lines.append(line)
        if len(flat) > _SHOWN:
            lines.append(f"  and {len(flat) - _SHOWN} more")
        return "\n".join([*lines, self.remark])

    def as_dict(self) -> dict[str, Any]:
        """The estimate as JSON-like values."""
        return fields_as_dict(self) | {"z_scores": plain(self.z_scores)}


def _ratio(difference: Array, error: Array) -> Array:
    """difference / error, with 0 / 0 = 0."""
    # an error of 0 is that of an estimate that does not scatter: right, or infinitely wrong
    result = np.where(difference == 0.0, 0.0, np.copysign(np.inf, difference))
    return np.asarray(np.divide(difference, error, out=result, where=error > 0))


def _remark(q: ActionValue, estimator: str) -> str:
    if estimator == "baseline":
        return "unbiased: each sample is compared with the mean of all others"
    if estimator == "antithetic":
        return "unbiased: each pair cancels every constant baseline"
    if estimator == "score":
        return "unbiased: no baseline, so that a constant added to Q adds noise"
    if q.grid is None:
        return "unbiased only if Q is continuous: the gradient of Q misses jumps"
    if any(axis.boundary == "zero" for axis in q.grid):
        return "biased near the edges of the box: the gradient of the interpolant misses the jump to 0 there"
    return "unbiased for the interpolant, which is continuous: a jump of Q becomes a steep cell"


def sampled_gradient(
    q: ActionValue,
    means: Array,
    sigma: Array,
    estimator: str,
    parameter: str,
    common: bool,
    samples: int,
    seed: int,
) -> tuple[Array, Array, int]:
    """Estimates, standard errors, shapes (P, components), and independent units at each mean.

    Each mean has its own stream of random numbers, which does not depend on the other means.
    """
    components = 1 if parameter == "variance" and common else means.shape[1]
    value, error = np.empty((len(means), components)), np.empty((len(means), components))
    count = 0
    for p, mean in enumerate(means):

        def estimate(of: ActionValue, p: int = p, mean: Array = mean) -> tuple[Array, Array, int]:
            # the same stream for every seed: noise and seeds are two factors of a crossed design
            generator = np.random.default_rng([seed, p])
            (units,) = draw_units(
                of, mean, sigma, estimator, (parameter,), common=common, samples=samples, generator=generator
            )
            return units.mean(axis=0), units.std(axis=0, ddof=1) / math.sqrt(len(units)), len(units)

        if not is_seeded(q.source):
            value[p], error[p], count = estimate(q)
            continue
        recorded = Recorded(q.source)
        value[p], error[p], count = estimate(_of_points(recorded.mean))
        each = [estimate(_of_points(recorded.of_seed(number)))[:2] for number in range(recorded.seeds)]
        error[p] = crossed_error(error[p], *(np.array(part) for part in zip(*each, strict=True)))
    return value, error, count


def _of_points(function: Callable[[Array], Array]) -> ActionValue:
    """Q of a function of points, called with one array of coordinates per axis as any other."""
    return ActionValue(lambda *x: function(np.stack(x, axis=-1)))


@checked_call()
def estimate_gradient(
    source: Source,
    mean: ArrayLike,
    sigma: ArrayLike,
    *,
    estimator: str = "score",
    with_respect_to: str = "mean",
    samples: int = 1000,
    seed: int = 0,
    gradient: Callable[..., Any] | None = None,
    compare: bool | None = None,
) -> GradientEstimate:
    """Estimate the gradient of L = E Q(mu + sigma Z) in the mean or the variance from samples, as a learner does.

    With a = mu + sigma z and the score s = z / sigma in the mean, s = (z^2 - 1) / (2 sigma^2) in the variance:

    - ``score``: mean of Q(a) s;
    - ``baseline``: mean of (Q(a_n) - mean of all other Q) s_n, unbiased;
    - ``antithetic``: mean over pairs of (Q(mu + sigma z) - Q(mu - sigma z)) s / 2 in the mean, and of
      (Q(mu + sigma z) - 2 Q(mu) + Q(mu - sigma z)) s / 2 in the variance;
    - ``reparametrised``: mean of grad Q(a) in the mean, of grad Q(a) z / (2 sigma) in the variance.

    Parameters
    ----------
    source
        A landscape, read between its nodes by multilinear interpolation and beyond the box by its boundary; or a
        function called as ``Q(x1, ..., xd)`` on arrays; or a sampler of rollouts, such as from
        `heatpg.landscapes.sampler_from_gymnasium`. See `ActionValue`.
    mean
        mu, shape (d,), or P means, shape (P, d). Each has its own noise.
    sigma
        Standard deviation, a number or one per axis, in the units of the axes.
    estimator
        One of the above.
    with_respect_to
        ``mean``: dL/dmu. ``variance``: dL/dsigma^2, of the one variance of all axes if sigma is a number, else per
        axis.
    samples
        Evaluations of Q (reparametrised: of its gradient) at each mean, at least 4; an even number for pairs.
    seed
        Seed of the noise. Each mean uses the same noise, whatever other means are passed.
    gradient
        Gradient of a function, only for ``reparametrised``: called as ``gradient(x1, ..., xd)``, returns d arrays.
    compare
        Whether the exact gradient is computed as well; for a landscape that of its interpolant, from which the
        samples are drawn, also where it has a sampler. For a function this costs 64 times the samples for
        each component, between 2^13 and 2^17 evaluations. By default wherever Q is no sampler of rollouts.

    Returns
    -------
    estimate
        With standard errors, and z-scores against the exact gradient (for a landscape, that of its interpolant).

    Raises
    ------
    GridError, SigmaError, UnknownNameError
        For invalid means, noise and names.
    OptionError
        For odd numbers of antithetic samples, a missing gradient, and an invalid source.
    UnsupportedError
        For an absorbing boundary and batch axes.
    NonFiniteError
        Where Q or its gradient is NaN or infinite, with the place.
    ResourceError
        For samples that do not fit in memory.

    Notes
    -----
    Standard errors are those of the mean of independent units. Of a sampler with two seeds or more they also hold the
    scatter of the seeds, which are the same at every point. With the leave-one-out baseline the units share their
    baseline: the error is right to leading order in 1 / samples. **The reparametrised estimator misses jumps**:
    for a step of height 1 at 0 it returns 0 with standard error 0, where the truth is phi(mu / sigma) / sigma.

    Standard errors come from the same samples, and those of z^2 Q, for the variance, are skewed. Of the derivative of a
    cosine in the variance the deviations over the stated errors have an rms of 1.0 to 1.2 from 1,000 samples
    on; at 50 it is 1.0 (score), 1.2 (baseline) and 3.5 (antithetic), and at 10 single errors of the antithetic estimate
    are 60 times the stated ones.

    References
    ----------
    R. J. Williams, Simple statistical gradient-following algorithms for connectionist reinforcement learning, Mach.
    Learn. 8 (1992) 229-256, doi:10.1007/BF00992696. S. Mohamed, M. Rosca, M. Figurnov, A. Mnih, Monte Carlo gradient
    estimation in machine learning, J. Mach. Learn. Res. 21 (2020) 1-62, arXiv:1906.10652.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.policy.estimators import estimate_gradient
    >>> wave = estimate_gradient(lambda x: np.cos(3 * x), [0.2], 0.5, estimator="antithetic", samples=4000)
    >>> bool(abs(wave.value[0] + 3 * np.exp(-9 * 0.25 / 2) * np.sin(0.6)) < 3 * wave.standard_error[0])
    True
    >>> wave.units, bool(abs(wave.z_scores[0]) < 3)
    (2000, True)
    """
    one_of("estimator", estimator, ESTIMATORS)
    one_of("parameter", with_respect_to, PARAMETERS)
    q = ActionValue(source, gradient)
    refuse_walls(q)
    means, single = parse_means(mean, q.grid, q.dimensions)
    deviations, common = parse_sigma(sigma, means.shape[1])
    samples = check_samples(samples, estimator, means.shape[1])
    seed = whole_number("seed", seed, least=0)
    value, error, units = sampled_gradient(q, means, deviations, estimator, with_respect_to, common, samples, seed)
    # Against what the samples average to, not against the solution of the heat equation: a landscape is sampled as its
    # interpolant, so any other reference would look like a bias of the estimator. How far that solution is from the
    # interpolant is reported as well.
    exact = exact_error = discretisation = None
    compare = not is_seeded(source) if compare is None else compare
    if compare and isinstance(source, Landscape):
        exact = interpolant_gradient(q, means, deviations, with_respect_to, common)
        exact_error = np.zeros(exact.shape)
        if means.shape[1] <= 3:
            solved = field_gradient(source, means, deviations, with_respect_to, common)
            discretisation = np.abs(solved - exact)
    elif compare:
        exact, exact_error = function_gradient(q, means, deviations, with_respect_to, common, samples)

    def shaped(array: Array | None) -> Any:
        return array[0] if single and array is not None else array

    return GradientEstimate(
        value=shaped(value),
        standard_error=shaped(error),
        samples=samples,
        units=units,
        estimator=estimator,
        with_respect_to=with_respect_to,
        mean=shaped(means),
        sigma=deviations,
        exact=shaped(exact),
        exact_error=shaped(exact_error),
        discretisation=shaped(discretisation),
        remark=_remark(q, estimator),
    )


@checked_call()
def estimator_variance(
    source: Source,
    mean: ArrayLike,
    sigma: ArrayLike,
    *,
    estimator: str = "score",
    with_respect_to: str = "mean",
    gradient: Callable[..., Any] | None = None,
) -> tuple[Array, Array]:
    """Variance of one unit of an estimator by quadrature, not by sampling: E[g^2] - (E g)^2.

    Parameters
    ----------
    source, mean, sigma, estimator, with_respect_to, gradient
        As for `estimate_gradient`; the baseline is taken at its limit for many samples, L itself.

    Returns
    -------
    variance, error
        Shape (components,), or (P, components): variance of one sample, or of one antithetic pair; and its uncertainty.
        The standard error of an estimate from n units is sqrt(variance / n).

    Raises
    ------
    GridError, SigmaError, UnknownNameError, OptionError, UnsupportedError, NonFiniteError
        As `estimate_gradient`.

    Notes
    -----
    From 2^17 quasi-random points for each moment, component and mean.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.policy.estimators import estimator_variance
    >>> variance, error = estimator_variance(lambda x: 3 * x, [1.0], 0.5, estimator="antithetic")
    >>> bool(abs(variance[0] - 18) < 4 * error[0] < 1)  # Var[3 z^2]
    True
    """
    one_of("estimator", estimator, ESTIMATORS)
    one_of("parameter", with_respect_to, PARAMETERS)
    q = ActionValue(source, gradient)
    refuse_walls(q)
    means, single = parse_means(mean, q.grid, q.dimensions)
    deviations, common = parse_sigma(sigma, means.shape[1])
    components = 1 if with_respect_to == "variance" and common else means.shape[1]
    variance, error = np.empty((len(means), components)), np.empty((len(means), components))
    for p, centre in enumerate(means):
        # with many samples the mean of the others is L; a pair has Q(mu) for a baseline, in the variance only
        baseline = 0.0
        if estimator == "baseline":
            baseline = expectation(q.value, centre, deviations, REFERENCE_BUDGET)[0]
        elif estimator == "antithetic":
            baseline = float(q.value(centre[np.newaxis])[0])

        # one unit as a function of its sample, so that moments of units are expectations like any other
        def unit(points: Array, centre: Array = centre, baseline: float = baseline) -> Array:
            z = (points - centre) / deviations
            if estimator == "reparametrised":
                slope = q.slope(points)
                if with_respect_to == "mean":
                    return slope
                part = 0.5 * slope * z / deviations
                return part.sum(axis=1, keepdims=True) if common else np.asarray(part)
            value = q.value(points)
            if estimator == "antithetic":
                mirrored = q.value(2.0 * centre - points)
                value = 0.5 * (value - mirrored) if with_respect_to == "mean" else 0.5 * (value + mirrored) - baseline
            else:
                value = value - baseline
            return np.asarray(value[:, np.newaxis] * score(z, deviations, with_respect_to, common))

        for k in range(components):

            def moment(points: Array, power: int, k: int = k, unit: Callable[[Array], Array] = unit) -> Array:
                return np.asarray(unit(points)[:, k] ** power)

            first, first_error = expectation(functools.partial(moment, power=1), centre, deviations, REFERENCE_BUDGET)
            second, second_error = expectation(functools.partial(moment, power=2), centre, deviations, REFERENCE_BUDGET)
            # by propagation of the errors of both moments
            variance[p, k] = second - first**2
            error[p, k] = math.hypot(second_error, 2.0 * first * first_error)
    return (variance[0], error[0]) if single else (variance, error)
