"""Estimators of the policy gradient from samples of Q, against the exact gradient of the heat solution.

L(mu, sigma^2) = E Q(mu + sigma Z). Each estimator is a mean of independent units; this file says how far it is from the
exact gradient, in standard errors, and how its noise grows as the exploration noise sigma shrinks.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.field import HeatField
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import GridError, NonFiniteError, ResourceError, SigmaError, UnknownNameError, UnsupportedError
from heatpg.quadrature import mollify
from heatpg.tools.arguments import whole_number

__all__ = [
    "ESTIMATORS",
    "ActionValue",
    "GradientEstimate",
    "NoiseCurve",
    "estimate_gradient",
    "estimator_noise",
    "estimator_variance",
]

Array = NDArray[np.float64]
Source = Landscape | Callable[..., Any]

ESTIMATORS = ("score", "baseline", "antithetic", "reparametrised")
"""Names of the estimators."""

_PARAMETERS = ("mean", "variance")
_REACH = 9.0  # standard deviations after which a Gaussian tail (1e-19) is below rounding
_MOST_NUMBERS = 2**26
_MOST_IMAGES = 2**22
_REFERENCE_SHARE = 64  # evaluations of an exact value for each of the estimate that it is compared with
_LEAST_REFERENCE, _REFERENCE_BUDGET = 2**13, 2**17
_MEANS_AT_ONCE = 64
_SHOWN = 6


# Q at any point -------------------------------------------------------------------------------------------------


class ActionValue:
    """Q at any point: a function as it is, or a sampled landscape read between its nodes.

    Between the nodes Q(x) = sum of the 2^d corners of the cell, weighted multilinearly. Beyond the box it is what the
    boundary says: the edge value (``clip``, ``absorb``), 0 (``zero``, a jump at the wall), the mirrored (``reflect``)
    or the wrapped (``periodic``) landscape.

    Parameters
    ----------
    source
        A landscape without batch axes, or a function called as ``Q(x1, ..., xd)`` with one array of coordinates per
        axis, which returns one number per point.
    gradient
        Gradient of such a function, called in the same way; returns d arrays. A landscape has that of its interpolant.

    Raises
    ------
    UnsupportedError
        For batch axes, and for what is neither a landscape nor a function.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Landscape
    >>> from heatpg.policy.estimators import ActionValue
    >>> q = ActionValue(Landscape.from_array([0.0, 2.0, 6.0], boundary="clip"))
    >>> q.value(np.array([[0.5], [1.5], [9.0]])), q.slope(np.array([[0.5], [9.0]])).ravel()
    (array([1., 4., 6.]), array([2., 0.]))
    """

    def __init__(self, source: Source, gradient: Callable[..., Any] | None = None) -> None:
        self.grid: Grid | None = None
        self.source = source
        self._gradient = gradient
        if isinstance(source, Landscape):
            if gradient is not None:
                raise UnsupportedError(
                    "a landscape has the gradient of its interpolant, and takes no other",
                    given="gradient=...",
                    advice="pass the function itself with its gradient",
                )
            if source.batch_shape:
                raise UnsupportedError(
                    "samples are drawn from one landscape",
                    given=f"batch axes {source.batch_shape}",
                    advice="take one: Landscape(landscape.values[0], landscape.grid)",
                )
            self.grid = source.grid
            self._values: Array = np.asarray(source.values, dtype=np.float64)
        elif not callable(source):
            raise UnsupportedError(
                "Q is neither a landscape nor a function",
                given=type(source).__name__,
                allowed="a heatpg.Landscape, or a function of d arrays",
            )

    @property
    def differentiable(self) -> bool:
        """Whether a gradient is at hand."""
        return self.grid is not None or self._gradient is not None

    def value(self, points: Array) -> Array:
        """Q at points of shape (N, d), shape (N,)."""
        if isinstance(self.source, Landscape):
            return self._interpolate(points, None)
        values = np.asarray(self.source(*np.ascontiguousarray(points.T)))
        if values.shape != (len(points),) or values.dtype.kind not in "fiub":
            raise GridError(
                "Q must return one real number per point",
                given=f"shape {values.shape}, dtype {values.dtype}",
                allowed=f"shape {(len(points),)}",
                advice="it is called with one array of coordinates per axis",
            )
        bad = ~np.isfinite(values)
        if bad.any():
            raise NonFiniteError(
                f"Q is not finite at {points[bad][0].tolist()}",
                given=f"{values[bad][0]}, first of {int(bad.sum())}",
                advice="noise reaches every point of space: give Q a value there, such as that of the clipped action",
            )
        return values.astype(np.float64)

    def slope(self, points: Array) -> Array:
        """Gradient of Q at points of shape (N, d), shape (N, d); of a landscape that of the interpolant."""
        if self.grid is not None:
            return np.stack([self._interpolate(points, i) for i in range(points.shape[1])], axis=1)
        if self._gradient is None:
            raise UnsupportedError(
                "the reparametrised estimator needs the gradient of Q",
                given="gradient=None",
                allowed="a function of d arrays that returns d arrays",
                advice="or take estimator='antithetic', which needs Q alone",
            )
        try:
            slope = np.asarray(self._gradient(*np.ascontiguousarray(points.T)))
        except ValueError as reason:
            raise GridError("the gradient does not return d arrays of one shape", given=reason) from None
        if slope.shape != points.T.shape or slope.dtype.kind not in "fiub":
            raise GridError(
                "the gradient returns something else than d real arrays",
                given=f"shape {slope.shape}, dtype {slope.dtype}",
                allowed=f"shape {points.T.shape}: one row per axis, one column per point",
            )
        bad = ~np.isfinite(slope).all(axis=0)
        if bad.any():
            raise NonFiniteError(f"the gradient of Q is not finite at {points[bad][0].tolist()}", given=slope.T[bad][0])
        return slope.T.astype(np.float64)

    def _interpolate(self, points: Array, along: int | None) -> Array:
        """The interpolant, or its derivative along an axis."""
        assert self.grid is not None
        keep = np.ones(len(points))
        corners = []
        for i, axis in enumerate(self.grid):
            s = (points[:, i] - axis.coordinates[0]) / axis.spacing
            last = axis.size - 1
            if axis.rule.free_space or axis.rule.holds_ends:
                if axis.boundary == "zero":
                    keep *= (points[:, i] >= axis.lower) & (points[:, i] <= axis.upper)
                if i == along:
                    keep *= (s > 0) & (s < last)
                s = np.clip(s, 0.0, last)
                low = np.minimum(s.astype(np.int64), last - 1)
                nodes = low, low + 1
            else:
                # one period of the continued line: n nodes if it closes on itself, else there and back
                there_and_back = 2 * axis.size - (2 if axis.nodes == "vertex" else 0)
                s = np.mod(s, axis.size if axis.rule.periodic else there_and_back)
                low = np.floor(s).astype(np.int64)
                below, _ = axis.rule.fold(low, axis.size, axis.nodes)
                above, _ = axis.rule.fold(low + 1, axis.size, axis.nodes)
                nodes = below, above
            share = s - low
            step = np.full(len(points), 1.0 / axis.spacing)
            weights = (-step, step) if i == along else (1.0 - share, share)
            corners.append(tuple(zip(nodes, weights, strict=True)))
        total = np.zeros(len(points))
        for corner in itertools.product(*corners):
            weight = keep
            for _, factor in corner:
                weight = weight * factor
            total += weight * self._values[tuple(node for node, _ in corner)]
        return total


def refuse_walls(q: ActionValue) -> None:
    """Refuse samples where noise that reaches a wall stays there: the path matters then, not its Gaussian end."""
    held = [axis.name for axis in q.grid or () if axis.rule.holds_ends]
    if held:
        raise UnsupportedError(
            "noise that reaches an absorbing wall stays there: a Gaussian sample is not its law",
            given=f"boundary='absorb' on {', '.join(held)}",
            allowed="clip, zero, reflect, periodic",
            advice="the exact gradient is known all the same: HeatField(landscape).gradient",
        )


# The units that are averaged --------------------------------------------------------------------------------------


def _known(name: str, names: Sequence[str], what: str) -> str:
    if name not in names:
        raise UnknownNameError(f"unknown {what}", given=repr(name), allowed=", ".join(map(repr, names)))
    return name


def check_samples(samples: int, estimator: str, dimensions: int) -> int:
    samples = whole_number("samples", samples, least=4)
    if estimator == "antithetic" and samples % 2:
        raise UnsupportedError(
            "antithetic samples come in pairs", given=f"samples={samples}", allowed="even numbers, at least 4"
        )
    if samples * dimensions > _MOST_NUMBERS:
        raise ResourceError(
            "so many samples do not fit in memory at once",
            given=f"{samples} samples in {dimensions} dimensions",
            allowed=f"{_MOST_NUMBERS // dimensions} samples",
            advice="average several estimates with different seeds",
        )
    return samples


def _score(z: Array, sigma: Array, parameter: str, common: bool) -> Array:
    """Derivative of the log density: z / sigma in the mean, (z^2 - 1) / (2 sigma^2) in the variance."""
    if parameter == "mean":
        return np.asarray(z / sigma)
    score = 0.5 * (z**2 - 1.0) / sigma**2
    return score.sum(axis=1, keepdims=True) if common else np.asarray(score)


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
        if estimator == "baseline":  # Q_n less the mean of all others
            even = odd = (odd - odd.mean()) * (samples / (samples - 1))
    units = []
    for parameter in parameters:
        if slope is None:
            value = odd if parameter == "mean" else even
            assert value is not None
            units.append(value[:, np.newaxis] * _score(z, sigma, parameter, common))
        elif parameter == "mean":
            units.append(slope)
        else:
            part = 0.5 * slope * z / sigma
            units.append(part.sum(axis=1, keepdims=True) if common else part)
    return units


def parse_means(mean: ArrayLike, grid: Grid | None) -> tuple[Array, bool]:
    """Means of shape (P, d), and whether one alone was given."""
    try:
        means = np.asarray(mean, dtype=np.float64)
    except (TypeError, ValueError):
        raise GridError("the mean must be numbers", given=repr(mean)) from None
    single = means.ndim < 2
    means = means.reshape(1, -1) if single else means
    if means.ndim != 2 or means.size == 0 or (grid is not None and means.shape[1] != grid.dimensions):
        d = "d" if grid is None else grid.dimensions
        raise GridError(
            "the mean has the wrong shape",
            given=f"shape {np.shape(mean)}",
            allowed=f"({d},), or (P, {d}) for P means",
        )
    if not np.isfinite(means).all():
        raise NonFiniteError("the mean is not finite", given=means[~np.isfinite(means).all(axis=1)][0])
    for i, axis in enumerate(grid or ()):
        if not (axis.rule.free_space or axis.rule.periodic):
            outside = (means[:, i] < axis.lower) | (means[:, i] > axis.upper)
            if outside.any():
                raise GridError(
                    f"a mean lies beyond the wall of axis {axis.name!r}",
                    given=means[outside][0],
                    allowed=f"{axis.lower:g} to {axis.upper:g}",
                )
    return means, single


def parse_sigma(sigma: ArrayLike, dimensions: int) -> tuple[Array, bool]:
    """Sigma of shape (d,), and whether one number stands for all axes."""
    try:
        values = np.asarray(sigma, dtype=np.float64)
    except (TypeError, ValueError):
        raise SigmaError("sigma must be a number", given=repr(sigma)) from None
    if values.shape not in ((), (dimensions,)):
        raise SigmaError(
            "sigma has the wrong shape",
            given=f"shape {values.shape}",
            allowed=f"one number, or {dimensions}, one per axis",
        )
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise SigmaError(
            "sigma must be finite and positive: without noise there is no gradient",
            given=sigma,
            allowed="numbers > 0",
        )
    return np.broadcast_to(values, (dimensions,)).copy(), values.ndim == 0


# The exact gradient -----------------------------------------------------------------------------------------------


def _ramps(y: Array, sigma: float, order: int) -> Array:
    """Derivatives of the mollified ramp E max(y + sigma Z, 0).

    y Phi + sigma phi, Phi, phi / sigma, -y phi / sigma^3, with Phi and phi at y / sigma.
    """
    from scipy.special import ndtr

    z = y / sigma
    density = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
    if order == 0:
        return np.asarray(y * ndtr(z) + sigma * density)
    if order == 1:
        return np.asarray(ndtr(z))
    return np.asarray(density / sigma if order == 2 else -z * density / sigma**2)


def _interpolant_weights(axis: Axis, x: Array, sigma: float, order: int) -> Array:
    """What each node adds to a derivative of the mollified piecewise-linear interpolant at x, shape (P, size)."""
    h, size = axis.spacing, axis.size
    first = float(axis.coordinates[0])
    if axis.rule.free_space:
        y = x[:, np.newaxis] - (first + h * np.arange(-1, size + 1))
        ramps = _ramps(y, sigma, order) / h
        weights = ramps[:, :-2] - 2.0 * ramps[:, 1:-1] + ramps[:, 2:]
        # the outermost nodes have half a hat, and beyond it a constant that ends where the box ends, or never
        falling, rising = ramps[:, 2] - ramps[:, 1], ramps[:, -3] - ramps[:, -2]
        if axis.boundary == "zero":
            weights[:, 0] = falling + _ramps(x - axis.lower, sigma, order + 1)
            weights[:, -1] = rising - _ramps(x - axis.upper, sigma, order + 1)
        else:
            weights[:, 0] = falling + (1.0 if order == 0 else 0.0)
            weights[:, -1] = rising
        return weights
    # x comes back into one period first, so that few images are enough
    if axis.rule.periodic:
        x = axis.lower + np.mod(x - axis.lower, axis.length)
    images = math.ceil(_REACH * sigma / h) + 2
    if images > _MOST_IMAGES:
        raise SigmaError(
            f"sigma along axis {axis.name!r} is too large for its spacing",
            given=f"{sigma / h:.3g} spacings",
            allowed=f"{_MOST_IMAGES / _REACH:.3g} spacings",
        )
    weights = np.zeros((len(x), size))
    for row, place in zip(weights, x, strict=True):
        middle = math.floor((place - first) / h)
        index = np.arange(middle - images, middle + images + 1, dtype=np.int64)
        ramps = _ramps(place - (first + h * np.arange(index[0] - 1, index[-1] + 2)), sigma, order) / h
        source, _ = axis.rule.fold(index, size, axis.nodes)
        row += np.bincount(source, ramps[:-2] - 2.0 * ramps[1:-1] + ramps[2:], size)
    return weights


def _interpolant_gradient(q: ActionValue, means: Array, sigma: Array, parameter: str, common: bool) -> Array:
    """Exact gradient of the mollified interpolant, shape (P, components): the value that the samples average to."""
    assert q.grid is not None
    result = np.zeros(means.shape)
    for begin in range(0, len(means), _MEANS_AT_ONCE):
        part = means[begin : begin + _MEANS_AT_ONCE]
        wanted = 1 if parameter == "mean" else 2
        tables = [
            {order: _interpolant_weights(axis, part[:, i], float(sigma[i]), order) for order in (0, wanted)}
            for i, axis in enumerate(q.grid)
        ]
        for i in range(q.grid.dimensions):
            weights = [table[wanted if i == j else 0] for j, table in enumerate(tables)]
            total = q._values @ weights[-1].T
            for w in reversed(weights[:-1]):
                total = np.einsum("...ip,pi->...p", total, w)
            result[begin : begin + len(part), i] = total if parameter == "mean" else 0.5 * total
    return result.sum(axis=1, keepdims=True) if parameter == "variance" and common else result


def _field_gradient(landscape: Landscape, means: Array, sigma: Array, parameter: str, common: bool) -> Array:
    """The same derivative of the solution of the heat equation for the sampled landscape."""
    field = HeatField(landscape)
    if parameter == "mean":
        return field.gradient(means, sigma)
    half = 0.5 * np.diagonal(field.hessian(means, sigma), axis1=1, axis2=2)
    return half.sum(axis=1, keepdims=True) if common else np.asarray(half)


def _expectation(function: Callable[[Array], Any], mean: Array, sigma: Array, budget: int) -> tuple[float, float]:
    """E f(mu + sigma Z) with its standard error: quasi-Monte Carlo, which no spike and no jump misleads."""
    result = mollify(function, mean, sigma, "montecarlo", gradient=False, budget=budget)
    assert result.standard_error is not None
    return float(result.value), float(result.standard_error)


def _function_gradient(
    q: ActionValue, means: Array, sigma: Array, parameter: str, common: bool, samples: int
) -> tuple[Array, Array]:
    """Exact gradient of a mollified function by quadrature of Q times the score, with errors: (P, components) each."""
    components = 1 if parameter == "variance" and common else means.shape[1]
    value, error = np.empty((len(means), components)), np.empty((len(means), components))
    budget = min(max(_REFERENCE_SHARE * samples, _LEAST_REFERENCE), _REFERENCE_BUDGET)
    for p, k in np.ndindex(*value.shape):
        # less Q(mu), which changes no expectation and takes away most of the variance
        at_mean = float(q.value(means[p : p + 1])[0])

        def moment(points: Array, p: int = p, k: int = k, at_mean: float = at_mean) -> Array:
            score = _score((points - means[p]) / sigma, sigma, parameter, common)
            return np.asarray((q.value(points) - at_mean) * score[:, k])

        value[p, k], error[p, k] = _expectation(moment, means[p], sigma, budget)
    return value, error


# One noise level --------------------------------------------------------------------------------------------------


def _json(value: Any) -> Any:
    """Arrays as lists of floats, with None for what is not finite."""
    if value is None:
        return None
    if isinstance(value, np.ndarray):
        return [_json(row) for row in value]
    number = float(value)
    return number if math.isfinite(number) else None


@dataclasses.dataclass(frozen=True, eq=False)
class GradientEstimate:
    """An estimate of a gradient of L from samples, beside the exact one.

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
        What the estimator should average to: of a function grad L by quadrature, of a landscape the exact gradient of
        its mollified interpolant, from which the samples are drawn. None if it was not asked for.
    exact_error
        Error of `exact` as far as it is known, 0 for landscapes.
    discretisation
        For landscapes, how far the gradient of the heat solution (`HeatField`) is from `exact`: what the grid leaves
        open, of second order in the spacing. None for functions and beyond three dimensions.
    remark
        What is known of the bias of this estimator here.
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
        lines = [
            f"{what}, {self.estimator} estimator: {self.samples} evaluations, {self.units} independent units",
            "      estimate   standard error" + ("         exact       z" if self.exact is not None else ""),
        ]
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
        arrays = ("value", "standard_error", "mean", "sigma", "exact", "exact_error", "discretisation", "z_scores")
        words = ("samples", "units", "estimator", "with_respect_to", "remark")
        return {name: getattr(self, name) for name in words} | {name: _json(getattr(self, name)) for name in arrays}


def _ratio(difference: Array, error: Array) -> Array:
    """difference / error, with 0 / 0 = 0."""
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
        return "unbiased only where Q is continuous: the gradient of Q does not see a jump"
    if any(axis.boundary == "zero" for axis in q.grid):
        return "biased near the box's edges: the gradient of the interpolant does not see the jump to 0 there"
    return "unbiased for the interpolant, which is continuous: a jump of Q is a steep cell"


def _sampled(
    q: ActionValue,
    means: Array,
    sigma: Array,
    estimator: str,
    parameter: str,
    common: bool,
    samples: int,
    seed: int,
) -> tuple[Array, Array, int]:
    """Estimates, standard errors, shapes (P, components), and independent units at each mean."""
    components = 1 if parameter == "variance" and common else means.shape[1]
    value, error = np.empty((len(means), components)), np.empty((len(means), components))
    count = 0
    for p, mean in enumerate(means):
        options = {"common": common, "samples": samples}
        generator = np.random.default_rng([seed, p])
        (units,) = draw_units(q, mean, sigma, estimator, (parameter,), generator=generator, **options)  # type: ignore[arg-type]
        count = len(units)
        value[p] = units.mean(axis=0)
        error[p] = units.std(axis=0, ddof=1) / math.sqrt(count)
    return value, error, count


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
    compare: bool = True,
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
        function called as ``Q(x1, ..., xd)`` on arrays. See `ActionValue`.
    mean
        mu, shape (d,), or P means, shape (P, d). Each has noise of its own.
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
        Of the noise; a mean draws the same noise whatever the other means are.
    gradient
        Gradient of a function, for ``reparametrised`` alone: called as ``gradient(x1, ..., xd)``, returns d arrays.
    compare
        Whether the exact gradient is computed beside the estimate. Of a function that costs 64 times the samples for
        each component, between 2^13 and 2^17 evaluations.

    Returns
    -------
    estimate
        With standard errors, and z-scores against the exact gradient.

    Raises
    ------
    GridError, SigmaError, UnknownNameError
        For means, noise and names that do not fit.
    UnsupportedError
        For an absorbing boundary, batch axes, odd numbers of antithetic samples, and a gradient that is missing.
    NonFiniteError
        Where Q or its gradient is NaN or infinite, with the place.
    ResourceError
        For samples that do not fit in memory.

    Notes
    -----
    Standard errors are those of the mean of independent units. With the leave-one-out baseline the units share their
    baseline: the error is right to leading order in 1 / samples. **The reparametrised estimator does not see jumps**:
    for a step of height 1 at 0 it returns 0 with standard error 0, where the truth is phi(mu / sigma) / sigma.

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
    _known(estimator, ESTIMATORS, "estimator")
    _known(with_respect_to, _PARAMETERS, "parameter")
    q = ActionValue(source, gradient)
    refuse_walls(q)
    means, single = parse_means(mean, q.grid)
    deviations, common = parse_sigma(sigma, means.shape[1])
    samples = check_samples(samples, estimator, means.shape[1])
    seed = whole_number("seed", seed, least=0)
    value, error, units = _sampled(q, means, deviations, estimator, with_respect_to, common, samples, seed)
    exact = exact_error = discretisation = None
    if compare and isinstance(source, Landscape):
        exact = _interpolant_gradient(q, means, deviations, with_respect_to, common)
        exact_error = np.zeros(exact.shape)
        if means.shape[1] <= 3:
            solved = _field_gradient(source, means, deviations, with_respect_to, common)
            discretisation = np.abs(solved - exact)
    elif compare:
        exact, exact_error = _function_gradient(q, means, deviations, with_respect_to, common, samples)

    def shaped(array: Array | None) -> Any:
        return array[0] if single and array is not None else array

    return GradientEstimate(
        shaped(value),
        shaped(error),
        samples,
        units,
        estimator,
        with_respect_to,
        shaped(means),
        deviations,
        shaped(exact),
        shaped(exact_error),
        shaped(discretisation),
        _remark(q, estimator),
    )


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
        Shape (components,), or (P, components): of one sample, or of one antithetic pair; and how uncertain it is.
        The standard error of an estimate from n units is sqrt(variance / n).

    Raises
    ------
    GridError, SigmaError, UnknownNameError, UnsupportedError, NonFiniteError
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
    _known(estimator, ESTIMATORS, "estimator")
    _known(with_respect_to, _PARAMETERS, "parameter")
    q = ActionValue(source, gradient)
    refuse_walls(q)
    means, single = parse_means(mean, q.grid)
    deviations, common = parse_sigma(sigma, means.shape[1])
    components = 1 if with_respect_to == "variance" and common else means.shape[1]
    variance, error = np.empty((len(means), components)), np.empty((len(means), components))
    for p, centre in enumerate(means):
        baseline = 0.0
        if estimator == "baseline":
            baseline = _expectation(q.value, centre, deviations, _REFERENCE_BUDGET)[0]
        elif estimator == "antithetic":
            baseline = float(q.value(centre[np.newaxis])[0])

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
            return np.asarray(value[:, np.newaxis] * _score(z, deviations, with_respect_to, common))

        for k in range(components):

            def moment(points: Array, power: int, k: int = k, unit: Callable[[Array], Array] = unit) -> Array:
                return np.asarray(unit(points)[:, k] ** power)

            first, first_error = _expectation(functools.partial(moment, power=1), centre, deviations, _REFERENCE_BUDGET)
            second, second_error = _expectation(
                functools.partial(moment, power=2), centre, deviations, _REFERENCE_BUDGET
            )
            variance[p, k] = second - first**2
            error[p, k] = math.hypot(second_error, 2.0 * first * first_error)
    return (variance[0], error[0]) if single else (variance, error)


# Against the noise level ------------------------------------------------------------------------------------------


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
        return np.asarray(self.variance[self.estimators.index(_known(estimator, self.estimators, "estimator"))])

    @property
    def biased(self) -> tuple[str, ...]:
        """Estimators whose bias exceeds at some sigma what chance explains: four times the expected noise."""
        exceeds = np.asarray((self.bias > 4.0 * self.bias_noise).any(axis=1))
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
        arrays = ("sigmas", "gradient", "bias", "bias_noise", "variance", "slopes", "intervals", "predicted")
        return {
            "estimators": list(self.estimators),
            "with_respect_to": self.with_respect_to,
            "samples": self.samples,
            "means": self.means,
        } | {name: _json(getattr(self, name)) for name in arrays}


def _fit(sigmas: Array, variance: Array) -> tuple[float, tuple[float, float]]:
    """Slope of log variance against log sigma, with its 95 % interval."""
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
    if exponent is None or estimator == "reparametrised":
        return math.nan
    return (-2.0 if estimator == "score" else 2.0 * exponent - 2.0) - (2.0 if parameter == "variance" else 0.0)


def _check_sigmas(sigmas: ArrayLike) -> Array:
    try:
        levels = np.asarray(sigmas, dtype=np.float64)
    except (TypeError, ValueError):
        raise SigmaError("the sigmas must be numbers", given=repr(sigmas)) from None
    if levels.ndim != 1 or levels.size == 0 or not np.isfinite(levels).all() or not (levels > 0).all():
        raise SigmaError(
            "a noise curve needs positive noise levels", given=repr(sigmas), allowed="a list of numbers > 0"
        )
    if len(np.unique(levels)) < len(levels):
        raise SigmaError("a noise level is given twice", given=repr(sigmas), allowed="different numbers > 0")
    return levels


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
    GridError, SigmaError, UnknownNameError, UnsupportedError, NonFiniteError, ResourceError
        As `estimate_gradient`.

    References
    ----------
    T. Wang, S. Herbert, S. Gao, Mollification effects of policy gradient methods, ICML 2024, arXiv:2405.17832.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.policy.estimators import estimator_noise
    >>> places = np.linspace(-1, 1, 20)[:, None]
    >>> curve = estimator_noise(lambda x: 2 + np.sin(x), places, [0.01, 0.02, 0.04], samples=400, exponent=1.0)
    >>> curve.slopes.round(1) + 0.0, curve.predicted + 0.0, curve.biased
    (array([-2.,  0.,  0.]), array([-2.,  0.,  0.]), ())
    """
    names = tuple(estimators) if not isinstance(estimators, str) else (estimators,)
    for name in names:
        _known(name, ESTIMATORS, "estimator")
    if not names or len(set(names)) < len(names):
        raise UnsupportedError("a noise curve needs estimators, each once", given=repr(estimators))
    _known(with_respect_to, _PARAMETERS, "parameter")
    if exponent is not None and not 0 < exponent <= 1:
        raise UnsupportedError("a Hölder exponent is out of range", given=exponent, allowed="above 0, at most 1")
    q = ActionValue(source, gradient)
    refuse_walls(q)
    places, _ = parse_means(means, q.grid)
    levels = _check_sigmas(sigmas)
    seed = whole_number("seed", seed, least=0)
    d = places.shape[1]
    for name in names:
        samples = check_samples(samples, name, d)
    shape = (len(names), len(levels))
    bias, noise, variance = np.full(shape, np.nan), np.full(shape, np.nan), np.empty(shape)
    size = np.full(len(levels), np.nan)
    for t, level in enumerate(levels):
        deviations = np.full(d, level)
        found = [_sampled(q, places, deviations, name, with_respect_to, True, samples, seed) for name in names]
        errors = np.stack([error for _, error, _ in found])
        variance[:, t] = samples * (errors**2).sum(axis=2).mean(axis=1)
        if reference is False:
            continue
        uncertain = np.zeros(errors.shape[1:])
        if reference is not True:
            exact = np.asarray(reference(places, float(level)), dtype=np.float64)
            if exact.shape != uncertain.shape:
                raise GridError(
                    "the reference returns the wrong shape", given=f"shape {exact.shape}", allowed=f"{uncertain.shape}"
                )
        elif q.grid is not None:
            exact = _interpolant_gradient(q, places, deviations, with_respect_to, True)
        else:
            exact, uncertain = _function_gradient(q, places, deviations, with_respect_to, True, samples)
        size[t] = math.sqrt(float((exact**2).sum(axis=1).mean()))
        for e, (value, error, _) in enumerate(found):
            bias[e, t] = math.sqrt(float(((value - exact) ** 2).sum(axis=1).mean()))
            noise[e, t] = math.sqrt(float((error**2 + uncertain**2).sum(axis=1).mean()))
    fits = [_fit(levels, row) for row in variance]
    return NoiseCurve(
        levels,
        names,
        with_respect_to,
        samples,
        len(places),
        size,
        bias,
        noise,
        variance,
        np.array([slope for slope, _ in fits]),
        np.array([interval for _, interval in fits]),
        np.array([_predicted(name, with_respect_to, exponent) for name in names]),
    )
