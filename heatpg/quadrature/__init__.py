"""Mollifying a function that can be called, in dimensions where no grid fits: one quadrature rule a file.

L(mu, sigma^2) = E f(mu + sigma Z) and its gradient in mu, at chosen centres mu, from evaluations of f alone.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.errors import GridError, NonFiniteError, OptionError, SigmaError
from heatpg.quadrature.automatic import automatic
from heatpg.quadrature.base import Estimate, Integrand, Mollified, Rule, rules
from heatpg.quadrature.seeded import Recorded, Seeded, crossed_error, is_seeded
from heatpg.tools.arguments import real_number, whole_number
from heatpg.tools.arrays import real_numbers
from heatpg.tools.calls import checked_call

__all__ = ["Mollified", "Rule", "Seeded", "mollify", "rules"]

Array = NDArray[np.float64]

_EPS = float(np.finfo(np.float64).eps)
_EVALUATIONS = 2**17  # a taste: a second or less where f is vectorised
_ROLLOUTS = 2**12  # a taste: a rollout of a hundred steps takes milliseconds


@checked_call()
def mollify(
    function: Callable[[Any], Any] | Seeded,
    mu: ArrayLike,
    sigma: ArrayLike,
    rule: str | Rule = "auto",
    *,
    gradient: bool = True,
    vectorized: bool = True,
    budget: int | None = None,
    tolerance: float | None = None,
    seed: int = 0,
    **options: Any,
) -> Mollified:
    """Mollify a function at points: L(mu, Sigma) = E f(mu + F Z) and grad_mu L = F^-T E[f(mu + F Z) Z], Sigma = F F^T.

    Parameters
    ----------
    function
        Takes an array of points, shape (N, d), and returns N real numbers; with ``vectorized=False`` it takes one
        point, shape (d,), and returns one number. What it raises comes through unchanged. One with a method
        ``returns(points)`` of shape (N, seeds), such as a sampler of `heatpg.landscapes.sampler_from_gymnasium`, is the
        mean over its seeds, whose scatter is then part of the standard errors.
    mu
        Centre, shape (d,), or M centres, shape (M, d).
    sigma
        Standard deviation: a number, or one per axis, shape (d,). An array of shape (d, d) is a *covariance* Sigma
        (variances on its diagonal), symmetric and positive definite. Where sigma is 0 there is no noise and no score:
        the value is still given, the gradient is refused.
    rule
        ``hermite``, ``smolyak``, ``montecarlo``, a rule object, or ``auto``: a quarter of the budget goes to random
        points (quasi-Monte Carlo), then a deterministic rule is taken if it agrees with them, also in how the function
        scatters there, and with itself turned and shifted, else quasi-Monte Carlo with the rest. Without a tolerance,
        and beyond four dimensions, and for returns of seeds, it is quasi-Monte Carlo alone.
    gradient
        Whether the gradient is wanted; it costs no evaluation.
    vectorized
        Whether the function takes many points at once.
    budget
        Most evaluations of the function at each centre; by default 2^17, of returns of seeds 2^12.
    tolerance
        Refine until the errors of L and of F^T grad L, in the units of f, are estimated to be smaller: the distance to
        a lower level of a deterministic rule, twice the standard error of a randomised one. With ``auto`` one rule
        after another is tried within the budget. The scatter of
        seeds does not count, as no refinement takes it away.
    seed
        Of a randomised rule.
    **options
        Of the rule: ``points`` per axis (hermite), ``level`` (smolyak), ``samples`` and ``randomizations``
        (montecarlo).

    Returns
    -------
    mollified
        Value, gradient, errors, points used, the reason for the rule, and the width of what may go unseen.

    Raises
    ------
    GridError
        For arrays of the wrong shape, those that the function returns included.
    SigmaError
        For noise that is negative, not finite, below the round-off of mu, or no covariance.
    UnknownNameError
        For an unknown rule.
    OptionError
        For unknown options and options out of range, for what is no real number, mu and the values of the function
        included, and for tolerances below round-off.
    UnsupportedError
        For dimensions beyond the budget of a rule.
    NonFiniteError
        If the function returns NaN or infinity, with the point.
    ResourceError
        If the budget is spent before the tolerance is reached.

    Notes
    -----
    Rules with positive weights (hermite, montecarlo) keep min f <= L <= max f; smolyak does not guarantee it.

    References
    ----------
    T. Wang, S. Herbert, S. Gao, Mollification effects of policy gradient methods, ICML 2024, arXiv:2405.17832.
    Y. Nesterov, V. Spokoiny, Random gradient-free minimization of convex functions, Found. Comput. Math. 17 (2017)
    527-566, doi:10.1007/s10208-015-9296-2.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.quadrature import mollify
    >>> result = mollify(lambda a: np.cos(3 * a[:, 0]), [0.2], 0.5)
    >>> np.round(result.value / np.cos(0.6), 6), np.round(np.exp(-9 * 0.25 / 2), 6)
    (np.float64(0.324652), np.float64(0.324652))
    >>> result.rule, result.gradient.shape
    ('hermite', (1,))
    >>> result.points, float(result.unseen_width[0].round(6))  # a needle that is narrower may lie between the points
    (32894, 8.1e-05)
    >>> ten = mollify(lambda a: np.exp(-0.5 * (a**2).sum(axis=1)), np.full(10, 0.3), 0.5)
    >>> exact = 1.25**-5 * np.exp(-0.5 * 10 * 0.09 / 1.25)
    >>> ten.rule, bool(abs(ten.value - exact) < 4 * ten.standard_error)
    ('montecarlo', True)
    """
    seeded = is_seeded(function)
    if not seeded and not callable(function):
        raise OptionError(
            "function must be callable", given=type(function).__name__, advice="for values on a grid use heatpg.evolve"
        )
    centres, shape = _centres(mu)
    factor = _factor(sigma, centres, gradient)
    budget = (_ROLLOUTS if seeded else _EVALUATIONS) if budget is None else whole_number("budget", budget)
    seed = whole_number("seed", seed, least=0)
    _check_tolerance(tolerance)
    named = _named("montecarlo" if seeded and rule == "auto" else rule, options)
    recorded = Recorded(function) if is_seeded(function) else None
    asked: Callable[[Any], Any] = function if recorded is None else recorded.mean  # type: ignore[assignment]
    integrand = Integrand(asked, centres, factor, gradient=gradient, vectorized=vectorized or seeded)
    name, randomized, width = "hermite" if named is None else named.name, False, 0.0
    of_seeds: tuple[Array | None, Array | None] = None, None
    with np.errstate(over="ignore", invalid="ignore"):  # overflow is found below, and named
        if factor.shape[1] == 0:
            # no direction has noise: every rule would give f(mu), most of them after many evaluations
            at_mu = integrand(np.zeros((1, 0)))[:, 0]
            if recorded is not None and recorded.seeds > 1:
                spread = [recorded.of_seed(number)(centres) for number in range(recorded.seeds)]
                of_seeds = np.std(spread, axis=0, ddof=1) / math.sqrt(recorded.seeds), None
            estimate = Estimate(at_mu, np.zeros_like(at_mu), None, None, None, None, 0.0, 0.0)
            why = "sigma is 0: the value is f(mu)"
        else:
            if named is None:
                answer = automatic(integrand, budget=budget, tolerance=tolerance, seed=seed)
                chosen, size, estimate, why = answer.rule, answer.size, answer.estimate, answer.why
                width = answer.resolution
            else:
                chosen, why = named, f"{named.name} was requested"
                estimate, size = chosen.integrate(integrand, budget=budget, tolerance=tolerance, seed=seed)
                width = chosen.resolution(size, factor.shape[1])
                if recorded is not None:
                    of_seeds = _errors_of_seeds(recorded, chosen, integrand, size, seed, estimate)
            name, randomized = chosen.name, chosen.randomized
            why = (
                f"{why}: {chosen.describe(size, factor.shape[1])}; features narrower than about {width:.2g} sigma may "
                f"be missed between the points"
            )
    numbers = (estimate.value, estimate.value_error, estimate.gradient, estimate.gradient_error, *of_seeds)
    value, value_error, slope, slope_error, *scatter = (
        None if x is None else x.reshape(shape + x.shape[1:]) for x in numbers
    )
    assert value is not None
    # each value of f was finite, so what is not must have overflowed in a sum
    if not all(np.isfinite(x).all() for x in numbers if x is not None):
        raise NonFiniteError(
            "the sum over the points overflows", advice="rescale the function, or change the unit of mu"
        )
    errors = (value_error, slope_error)
    standard, estimated = (errors, (None, None)) if randomized else ((None, None), errors)
    if scatter[0] is not None:
        # of a deterministic rule the seeds alone scatter; of a randomised one this holds the noise as well
        standard = (scatter[0], scatter[1])
    unseen = width * np.hypot.reduce(factor, axis=1)
    return Mollified(value, slope, *standard, *estimated, name, integrand.evaluations, why, unseen)


def _errors_of_seeds(
    recorded: Recorded, rule: Rule, integrand: Integrand, size: int, seed: int, estimate: Estimate
) -> tuple[Array | None, Array | None]:
    """Standard errors of value and gradient over noise and seeds, from what was evaluated already."""
    if recorded.seeds < 2:
        return None, None
    single = [
        rule.apply(
            Integrand(
                recorded.of_seed(number),
                integrand.centres,
                integrand.factor,
                gradient=integrand.gradient,
                vectorized=True,
            ),
            size,
            seed,
        )
        for number in range(recorded.seeds)
    ]

    def error_of(pick: Callable[[Estimate], tuple[Array | None, Array | None]]) -> Array | None:
        error, of_each = pick(estimate)[1], [pick(each) for each in single]
        if error is None or any(value is None for value, _ in of_each):
            return None
        values, errors = (np.array([pair[i] for pair in of_each], dtype=np.float64) for i in (0, 1))
        # the error of a deterministic rule is a distance to another rule, and no scatter
        scatters = 1.0 if rule.randomized else 0.0
        return crossed_error(scatters * error, values, scatters * errors)

    return (
        error_of(lambda each: (each.value, each.value_error)),
        error_of(lambda each: (each.gradient, each.gradient_error)),
    )


def _real(values: ArrayLike, what: str) -> Array:
    # a copy: what the caller does to the array later is not seen
    return np.array(real_numbers(what, values))


def _centres(mu: ArrayLike) -> tuple[Array, tuple[int, ...]]:
    """Centres as an array of shape (M, d), and the shape of the values."""
    centres = _real(mu, "mu")
    if centres.ndim not in (1, 2) or centres.size == 0:
        raise GridError(
            "mu has the wrong shape",
            given=f"shape {centres.shape}",
            allowed="(d,) for one centre, (M, d) for M centres",
            advice="in one dimension pass [mu]" if centres.ndim == 0 else "",
        )
    if not np.isfinite(centres).all():
        raise NonFiniteError("mu is not finite", given=centres[~np.isfinite(centres)][0])
    return np.atleast_2d(centres), centres.shape[:-1]


def _factor(sigma: ArrayLike, centres: Array, gradient: bool) -> Array:
    """F of shape (d, k) with Sigma = F F^T, one column per direction that has noise."""
    d = centres.shape[1]
    noise = _real(sigma, "sigma")
    if noise.shape not in ((), (d,), (d, d)):
        raise SigmaError(
            "sigma has the wrong shape",
            given=f"shape {noise.shape}",
            allowed=f"a number, one per axis ({d},), or a covariance ({d}, {d})",
        )
    if not np.isfinite(noise).all():
        raise SigmaError("sigma must be finite", given=noise[~np.isfinite(noise)][0])
    factor = _cholesky(noise) if noise.ndim == 2 else _diagonal(np.broadcast_to(noise, (d,)), gradient)
    # A point mu + F z is rounded by up to eps |mu| / 2. From 64 eps on that moves it by less than sigma / 128, which is
    # small beside z; below, the score E[f Z] would be taken at other points than those where f was called.
    spread = np.hypot.reduce(factor, axis=1)
    lost = (spread > 0) & (spread < 64 * _EPS * np.abs(centres).max(axis=0))
    if gradient and lost.any():
        axis = int(np.argmax(lost))
        raise SigmaError(
            f"sigma is below the rounding error of mu along axis {axis}",
            given=f"sigma={spread[axis]:.3g}, |mu|={np.abs(centres[:, axis]).max():.3g}",
            allowed="sigma >= 64 eps |mu|",
            advice="shift the origin towards mu",
        )
    return factor


def _diagonal(sigma: Array, gradient: bool) -> Array:
    if (sigma < 0).any():
        raise SigmaError("sigma must not be negative", given=sigma[sigma < 0][0], allowed="numbers >= 0")
    if gradient and not sigma.all():
        raise SigmaError(
            "the gradient needs noise: the score is undefined at sigma = 0",
            given=f"sigma=0 along axis {int(np.argmin(sigma))}",
            allowed="sigma > 0, or gradient=False",
        )
    # an axis without noise has no column, so no rule spends points on it
    return np.asarray(np.diag(sigma)[:, sigma > 0])


def _cholesky(covariance: Array) -> Array:
    # 1e-12 is a taste: what A @ A.T leaves is of the order of eps, and a transposed entry is far beyond
    largest = np.abs(covariance).max()
    skew = np.abs(covariance - covariance.T).max()
    if skew > 1e-12 * largest:
        raise SigmaError(
            "the covariance must be symmetric",
            given=f"|Sigma - Sigma^T| up to {skew:.3g}",
            advice="if A is meant as a factor, pass A @ A.T",
        )
    # eigvalsh errs by about d eps |Sigma|: a smaller eigenvalue may as well be 0 or negative
    eigenvalues = np.linalg.eigvalsh(covariance)
    if eigenvalues[0] <= len(covariance) * _EPS * largest:
        raise SigmaError(
            "the covariance must be positive definite",
            given=f"smallest eigenvalue {eigenvalues[0]:.3g}",
            allowed=f"> {len(covariance) * _EPS * largest:.3g}",
            advice=(
                "add a small variance to the diagonal; an array of shape (d, d) contains variances, not standard "
                "deviations"
            ),
        )
    return np.asarray(np.linalg.cholesky((covariance + covariance.T) / 2))


def _check_tolerance(tolerance: float | None) -> None:
    if tolerance is None:
        return
    number = real_number("the tolerance", tolerance, allowed="a positive number, in the units of the function")
    if not (math.isfinite(number) and number > 0):
        raise OptionError(
            "the tolerance must be a positive number, in the units of the function", given=repr(tolerance)
        )


def _named(rule: str | Rule, options: dict[str, Any]) -> Rule | None:
    """The rule that is asked for, None for ``auto``."""
    if isinstance(rule, Rule):
        if options:
            raise OptionError(
                "options cannot be combined with a rule object",
                given=", ".join(options),
                advice="pass the name of the rule instead",
            )
        return rule
    if rule == "auto":
        if options:
            raise OptionError(
                "rule='auto' has no options of a single rule",
                given=", ".join(options),
                allowed=f"rule={', '.join(map(repr, rules.names()))}",
            )
        return None
    made = rules.get(rule)
    known = [field.name for field in dataclasses.fields(made)]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise OptionError(f"unknown option of the rule {rule!r}", given=unknown[0], allowed=", ".join(known))
    return made(**options)
