"""How the noise and the bias of gradient estimators depend on the exploration noise sigma."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.noise import positive_sigmas
from heatpg.errors import GridError, OptionError
from heatpg.policy.estimators import ESTIMATORS, PARAMETERS, check_samples, sampled_gradient
from heatpg.policy.source import (
    ActionValue,
    Source,
    function_gradient,
    interpolant_gradient,
    parse_means,
    refuse_walls,
)
from heatpg.tools.arguments import one_of, whole_number
from heatpg.tools.calls import checked_call
from heatpg.tools.plain import fields_as_dict

__all__ = ["NoiseCurve", "estimator_noise"]

Array = NDArray[np.float64]

_BIASED = 4.0  # times the noise that is expected (taste)


@dataclasses.dataclass(frozen=True, eq=False)
class NoiseCurve:
    """Bias and variance of estimators against sigma.

    Attributes
    ----------
    sigmas
        Noise levels, shape (T,).
    estimators
        Names, E of them.
    with_respect_to
        ``mean`` or ``variance``.
    samples
        Evaluations per estimate, at each of `means` means.
    means
        Number of means that were averaged over.
    gradient
        Root mean square of the exact gradient over the means, shape (T,); NaN without a comparison.
    bias
        Root mean square over the means of estimate - exact, shape (E, T); NaN without a comparison.
    bias_noise
        What `bias` is expected to be by chance alone: the root mean square of the errors of both.
    variance
        Variance that one evaluation of Q is worth: samples times the squared standard error, summed over the
        components and averaged over the means, shape (E, T). Of estimators at equal cost the smaller one is better.
    slopes
        Fitted d log(variance) / d log(sigma), shape (E,); NaN where a variance is 0 or fewer than 3 sigmas are given.
    intervals
        95 % confidence intervals of the slopes from the scatter about the line, shape (E, 2).
    predicted
        Slopes that follow from the Hölder exponent p, if it was given, shape (E,): -2 (score in the mean),
        2 p - 2 (baseline and antithetic); two less in the variance; NaN for the reparametrised estimator.
    """

    sigmas: Array
    estimators: tuple[str, ...]
    with_respect_to: str
    samples: int
    means: int
    gradient: Array
    bias: Array
    bias_noise: Array
    variance: Array
    slopes: Array
    intervals: Array
    predicted: Array

    def __getitem__(self, estimator: str) -> Array:
        """Variance against sigma of one estimator, shape (T,)."""
        return np.asarray(self.variance[self.estimators.index(one_of("estimator", estimator, self.estimators))])

    @property
    def biased(self) -> tuple[str, ...]:
        """Estimators whose bias exceeds at some sigma what chance explains: four times the expected noise."""
        exceeds = np.asarray((self.bias > _BIASED * self.bias_noise).any(axis=1))
        return tuple(name for name, high in zip(self.estimators, exceeds, strict=True) if high)

    def __str__(self) -> str:
        what = "dL/dmu" if self.with_respect_to == "mean" else "dL/dsigma^2"
        lines = [f"{what}: variance per evaluation of Q, over {self.means} means, {self.samples} evaluations each"]
        lines.append("       sigma" + "".join(f"  {name:>14}" for name in self.estimators))
        for t, sigma in enumerate(self.sigmas):
            lines.append(f"{sigma:12.4g}" + "".join(f"  {v:14.4g}" for v in self.variance[:, t]))
        lines.append("       slope" + "".join(f"  {slope:14.3f}" for slope in self.slopes))
        if np.isfinite(self.predicted).any():
            lines.append("   predicted" + "".join(f"  {slope:14.3f}" for slope in self.predicted))
        if np.isfinite(self.bias).all():
            lines.append(f"biased: {', '.join(self.biased) or 'none'}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The curve as JSON-like values."""
        return fields_as_dict(self)


def _fit(sigmas: Array, variance: Array) -> tuple[float, tuple[float, float]]:
    """Slope of log variance against log sigma by least squares, with its 95 % interval from Student's t."""
    if len(sigmas) < 3 or not (variance > 0).all():
        return math.nan, (math.nan, math.nan)
    from scipy.special import stdtrit

    x, y = np.log(sigmas), np.log(variance)
    x = x - x.mean()
    slope = float(x @ y / (x @ x))
    residual = y - y.mean() - slope * x
    freedom = len(x) - 2
    width = float(stdtrit(freedom, 0.975)) * math.sqrt(float(residual @ residual) / freedom / float(x @ x))
    return slope, (slope - width, slope + width)


def _predicted(estimator: str, parameter: str, exponent: float | None) -> float:
    # The variance is that of Q times the score, of order 1 / sigma. The plain score multiplies Q itself, of order 1;
    # estimators that compare samples multiply differences, of order sigma^p. In sigma^2 the score has a 1 / sigma more.
    if exponent is None or estimator == "reparametrised":
        return math.nan
    return (-2.0 if estimator == "score" else 2.0 * exponent - 2.0) - (2.0 if parameter == "variance" else 0.0)


@checked_call()
def estimator_noise(
    source: Source,
    means: ArrayLike,
    sigmas: ArrayLike,
    *,
    estimators: Sequence[str] = ("score", "baseline", "antithetic"),
    with_respect_to: str = "mean",
    samples: int = 1000,
    seed: int = 0,
    gradient: Callable[..., Any] | None = None,
    reference: Callable[[Array, float], ArrayLike] | bool = True,
    exponent: float | None = None,
) -> NoiseCurve:
    """Bias and variance of estimators of the policy gradient against the exploration noise.

    variance(sigma) = samples * mean over mu of the summed squared standard errors, fitted by c sigma^slope. On a
    p-Hölder Q estimators that compare samples with one another have slope 2 p - 2: the rougher the landscape, the more
    samples a small sigma costs. The plain score estimator has slope -2 whatever p is, because of the level of Q.

    Parameters
    ----------
    source, with_respect_to, seed, gradient
        As for `estimate_gradient`.
    means
        Where, shape (d,) or (P, d); the law holds for the mean over many places.
    sigmas
        Noise levels, the same along all axes; at least 3 of them for a slope.
    estimators
        Names of the estimators.
    samples
        Evaluations of Q at each mean for each sigma and estimator.
    reference
        The exact gradient, called as ``reference(means, sigma)`` with means of shape (P, d), to return (P, components);
        True to compute it as `estimate_gradient` does, False for none.
    exponent
        Hölder exponent p of Q, if it is known: adds the slopes that it predicts.

    Returns
    -------
    curve
        With fitted slopes and their 95 % intervals.

    Raises
    ------
    GridError, SigmaError, UnknownNameError, OptionError, UnsupportedError, NonFiniteError, ResourceError
        As `estimate_gradient`.

    References
    ----------
    T. Wang, S. Herbert, S. Gao, Mollification effects of policy gradient methods, ICML 2024, arXiv:2405.17832.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.policy.noise_curve import estimator_noise
    >>> places = np.linspace(-1, 1, 20)[:, None]
    >>> curve = estimator_noise(lambda x: 2 + np.sin(x), places, [0.01, 0.02, 0.04], samples=400, exponent=1.0)
    >>> curve.slopes.round(1) + 0.0, curve.predicted + 0.0, curve.biased
    (array([-2.,  0.,  0.]), array([-2.,  0.,  0.]), ())
    """
    if not isinstance(estimators, Iterable):
        raise OptionError("estimators must be one or more different names", given=repr(estimators))
    if not isinstance(reference, bool) and not callable(reference):
        raise OptionError("reference must be a function of (means, sigma), True or False", given=repr(reference))
    names = tuple(estimators) if not isinstance(estimators, str) else (estimators,)
    for name in names:
        one_of("estimator", name, ESTIMATORS)
    if not names or len(set(names)) < len(names):
        raise OptionError("estimators must be one or more different names", given=repr(estimators))
    one_of("parameter", with_respect_to, PARAMETERS)
    if exponent is not None and not 0 < exponent <= 1:
        raise OptionError("a Hölder exponent is out of range", given=exponent, allowed="above 0, at most 1")
    q = ActionValue(source, gradient)
    refuse_walls(q)
    places, _ = parse_means(means, q.grid, q.dimensions)
    levels = positive_sigmas(sigmas)
    seed = whole_number("seed", seed, least=0)
    d = places.shape[1]
    for name in names:
        samples = check_samples(samples, name, d)
    # Every estimator draws the same noise at every sigma and place (one seed), so that curves differ by what they are
    # and not by luck.
    shape = (len(names), len(levels))
    bias, noise, variance = np.full(shape, np.nan), np.full(shape, np.nan), np.empty(shape)
    size = np.full(len(levels), np.nan)
    for t, level in enumerate(levels):
        deviations = np.full(d, level)
        found = [sampled_gradient(q, places, deviations, name, with_respect_to, True, samples, seed) for name in names]
        errors = np.stack([error for _, error, _ in found])
        # per evaluation and not per unit: what a pair saves must be worth two evaluations
        variance[:, t] = samples * (errors**2).sum(axis=2).mean(axis=1)
        if reference is False:
            continue
        uncertain = np.zeros(errors.shape[1:])  # of the exact gradient: none, but where it comes from quadrature
        if reference is not True:
            exact = np.asarray(reference(places, float(level)), dtype=np.float64)
            if exact.shape != uncertain.shape:
                raise GridError(
                    "the reference returns the wrong shape", given=f"shape {exact.shape}", allowed=f"{uncertain.shape}"
                )
        elif q.grid is not None:
            exact = interpolant_gradient(q, places, deviations, with_respect_to, True)
        else:
            exact, uncertain = function_gradient(q, places, deviations, with_respect_to, True, samples)
        size[t] = math.sqrt(float((exact**2).sum(axis=1).mean()))
        # of an unbiased estimator the bias is the noise, in the mean over the places
        for e, (value, error, _) in enumerate(found):
            bias[e, t] = math.sqrt(float(((value - exact) ** 2).sum(axis=1).mean()))
            noise[e, t] = math.sqrt(float((error**2 + uncertain**2).sum(axis=1).mean()))
    fits = [_fit(levels, row) for row in variance]
    return NoiseCurve(
        sigmas=levels,
        estimators=names,
        with_respect_to=with_respect_to,
        samples=samples,
        means=len(places),
        gradient=size,
        bias=bias,
        bias_noise=noise,
        variance=variance,
        slopes=np.array([slope for slope, _ in fits]),
        intervals=np.array([interval for _, interval in fits]),
        predicted=np.array([_predicted(name, with_respect_to, exponent) for name in names]),
    )
