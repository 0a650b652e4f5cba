"""Q at any point, given as a function or as samples on a grid, and the exact gradient of what noise makes of it.

L(mu, sigma^2) = E Q(mu + sigma Z). Of a function L is an integral over Gaussian noise, done by quasi-Monte Carlo. Of a
sampled landscape Q is its multilinear interpolant, and L a sum over its nodes in closed form: exactly what samples of
that interpolant average to.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.faces import changed, require_extrapolated
from heatpg.core.field import HeatField
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import GridError, NonFiniteError, OptionError, SigmaError, UnsupportedError
from heatpg.quadrature import mollify
from heatpg.quadrature.seeded import Seeded, is_seeded
from heatpg.tools.arrays import real_array, real_numbers

__all__ = [
    "REFERENCE_BUDGET",
    "ActionValue",
    "Source",
    "expectation",
    "field_gradient",
    "function_gradient",
    "interpolant_gradient",
    "negative",
    "parse_means",
    "parse_sigma",
    "refuse_walls",
    "score",
]

Array = NDArray[np.float64]
Source = Landscape | Callable[..., Any] | Seeded

_REACH = 9.0  # standard deviations after which a Gaussian tail (1e-19) is below rounding
_MOST_IMAGES = 2**22  # on either side: each array over them takes 64 MiB (taste)
# Evaluations of an exact value for each of the estimate that it is compared with: its error is an eighth of that of the
# estimate even if quasi-Monte Carlo were no better than Monte Carlo.
_REFERENCE_SHARE = 64
_LEAST_REFERENCE = 2**13  # taste: costs nothing where Q is vectorised
REFERENCE_BUDGET = 2**17
"""Evaluations of Q for an exact value at most, and for a variance: taste, a second or less where Q is vectorised."""
_MEANS_AT_ONCE = 64  # taste: partial sums over a grid are held for so many means


class ActionValue:
    """Q at any point: a function as it is, or a sampled landscape read between its nodes.

    Between the nodes Q(x) = sum of the 2^d corners of the cell, weighted multilinearly. Beyond the box it is what the
    boundary says: the edge value (``clip``, ``absorb``), 0 (``zero``, a jump at the wall), the mirrored (``reflect``)
    or the wrapped (``periodic``) landscape.

    Parameters
    ----------
    source
        A landscape without batch axes, or a function called as ``Q(x1, ..., xd)`` with one array of coordinates per
        axis, which returns one number per point; or one with ``returns(points)`` of every seed, whose mean is taken.
    gradient
        Gradient of such a function, called in the same way; returns d arrays. A landscape has that of its interpolant.

    Raises
    ------
    OptionError
        For what is neither a landscape nor a function, and a gradient besides a landscape.
    UnsupportedError
        For batch axes.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Landscape
    >>> from heatpg.policy.source import ActionValue
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
                raise OptionError(
                    "gradient= is not allowed for a landscape, which uses the gradient of its interpolant",
                    advice="pass the function itself with its gradient",
                )
            if source.batch_shape:
                raise UnsupportedError(
                    "sampling needs a single landscape",
                    given=f"batch axes {source.batch_shape}",
                    advice="select one: Landscape(landscape.values[0], landscape.grid)",
                )
            require_extrapolated(
                source.stated_faces, "sampling a landscape", "use the exact gradient: HeatField(landscape).gradient"
            )
            self.grid = source.grid
            self._values: Array = np.asarray(source.values, dtype=np.float64)
        elif not callable(source) and not is_seeded(source):
            raise OptionError(
                "Q must be a landscape or a function",
                given=type(source).__name__,
                allowed="a heatpg.Landscape, or a function of d arrays",
            )

    @property
    def dimensions(self) -> int | None:
        """Number of components, if the source has one: a landscape or a sampler."""
        own = self.grid.dimensions if self.grid is not None else getattr(self.source, "dimensions", None)
        return own if isinstance(own, int) else None

    @property
    def differentiable(self) -> bool:
        """Whether a gradient is at hand."""
        return self.grid is not None or self._gradient is not None

    def value(self, points: Array) -> Array:
        """Q at points of shape (N, d), shape (N,)."""
        if isinstance(self.source, Landscape):
            return self._interpolate(points, None)
        # all coordinates at once: a thousand parameters would be as many arguments
        if is_seeded(self.source):
            returned: Any = self.source.returns(points).mean(axis=1)
        else:
            # one contiguous array per axis: rows of the transpose would be strided
            function: Any = self.source
            returned = function(*np.ascontiguousarray(points.T))
        values = real_array("the result of Q", returned, GridError)
        if values.shape != (len(points),):
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
                advice=(
                    "noise reaches every point of space, so Q must be finite everywhere, for example by clipping "
                    "the action"
                ),
            )
        return values.astype(np.float64)

    def slope(self, points: Array) -> Array:
        """Gradient of Q at points of shape (N, d), shape (N, d); of a landscape that of the interpolant."""
        if self.grid is not None:
            return np.stack([self._interpolate(points, i) for i in range(points.shape[1])], axis=1)
        if self._gradient is None:
            raise OptionError(
                "the reparametrised estimator needs the gradient of Q",
                given="gradient=None",
                allowed="a function of d arrays that returns d arrays",
                advice="or use estimator='antithetic', which needs only Q",
            )
        slope = real_array("the result of the gradient", self._gradient(*np.ascontiguousarray(points.T)), GridError)
        if slope.shape != points.T.shape:
            raise GridError(
                "the gradient must return d real arrays",
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
            # the place in units of the spacing, counted from the first node; `share` of the upper corner of its cell
            s = (points[:, i] - axis.coordinates[0]) / axis.spacing
            last = axis.size - 1
            if axis.rule.free_space or axis.rule.holds_ends:
                # beyond the outermost nodes the end value goes on, flat; of `zero` it ends where the box ends
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
        # each corner of the cell with the product of its weights along the axes
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
            "sampling does not support 'absorb': paths that stop at an edge are not Gaussian",
            given=f"boundary='absorb' on {', '.join(held)}",
            allowed="clip, zero, reflect, periodic",
            advice="use the exact gradient: HeatField(landscape).gradient",
        )


class _Negative:
    """The negative of a function that is a mean over seeds."""

    def __init__(self, source: Seeded) -> None:
        self.source = source

    def returns(self, points: Array) -> Array:
        """One number for each point and each seed."""
        return np.asarray(-self.source.returns(points))


def negative(source: Source, slope: Callable[..., Any] | None) -> tuple[Source, Callable[..., Any] | None]:
    """What an ascent climbs in place of a loss: -Q, and its gradient."""
    if isinstance(source, Landscape):
        walls = changed(source.stated_faces, np.negative)
        return Landscape(-source.values, source.grid, source.name, faces=walls), slope
    if is_seeded(source):
        return _Negative(source), slope
    # what is no function is refused where it is used
    function: Any = source
    below: Any = (lambda *x: -np.asarray(function(*x))) if callable(source) else source
    if slope is None:
        return below, None
    given = slope
    return below, lambda *x: [-np.asarray(part) for part in given(*x)]


def parse_means(mean: ArrayLike, grid: Grid | None, dimensions: int | None = None) -> tuple[Array, bool]:
    """Means of shape (P, d), and whether one alone was given; without a grid d may be known from the function."""
    dimensions = dimensions if grid is None else grid.dimensions
    means = real_numbers("the mean", mean, GridError)
    single = means.ndim < 2
    means = means.reshape(1, -1) if single else means
    if means.ndim != 2 or means.size == 0 or (dimensions is not None and means.shape[1] != dimensions):
        d = "d" if dimensions is None else dimensions
        raise GridError(
            "the mean has the wrong shape",
            given=f"shape {means.shape[1:] if single else means.shape}",
            allowed=f"({d},), or (P, {d}) for P means",
        )
    if not np.isfinite(means).all():
        raise NonFiniteError("the mean is not finite", given=means[~np.isfinite(means).all(axis=1)][0])
    # in free space and around a period a mean may be anywhere; beyond a wall that mirrors or holds there is nothing
    for i, axis in enumerate(grid or ()):
        if not (axis.rule.free_space or axis.rule.periodic):
            outside = (means[:, i] < axis.lower) | (means[:, i] > axis.upper)
            if outside.any():
                raise GridError(
                    f"a mean lies outside the box along axis {axis.name!r}",
                    given=means[outside][0],
                    allowed=f"{axis.lower:g} to {axis.upper:g}",
                )
    return means, single


def parse_sigma(sigma: ArrayLike, dimensions: int) -> tuple[Array, bool]:
    """Sigma of shape (d,), and whether one number stands for all axes."""
    values = real_numbers("sigma", sigma, SigmaError)
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


def score(z: Array, sigma: Array, parameter: str, common: bool) -> Array:
    """Derivative of the log density: z / sigma in the mean, (z^2 - 1) / (2 sigma^2) in the variance."""
    if parameter == "mean":
        return np.asarray(z / sigma)
    score = 0.5 * (z**2 - 1.0) / sigma**2
    return score.sum(axis=1, keepdims=True) if common else np.asarray(score)


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
    """What each node adds to a derivative of the mollified piecewise-linear interpolant at x, shape (P, size).

    Node j adds its hat function, which is a second difference of ramps r(y) = max(y, 0): with y = x - x_j it is
    (r(y + h) - 2 r(y) + r(y - h)) / h, and mollified ramps are known in closed form.
    """
    h, size = axis.spacing, axis.size
    first = float(axis.coordinates[0])
    if axis.rule.free_space:
        # one ramp more on either side than nodes, for the differences of the outermost
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
    # On closed axes the line goes on as its images, periodic or mirrored. Each image of a node is a hat of its own
    # within reach of the noise, and what it weighs is added to the node that it is an image of.
    weights = np.zeros((len(x), size))
    for row, place in zip(weights, x, strict=True):
        middle = math.floor((place - first) / h)
        index = np.arange(middle - images, middle + images + 1, dtype=np.int64)
        ramps = _ramps(place - (first + h * np.arange(index[0] - 1, index[-1] + 2)), sigma, order) / h
        source, _ = axis.rule.fold(index, size, axis.nodes)
        row += np.bincount(source, ramps[:-2] - 2.0 * ramps[1:-1] + ramps[2:], size)
    return weights


def interpolant_gradient(q: ActionValue, means: Array, sigma: Array, parameter: str, common: bool) -> Array:
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
        # The sum over the nodes factors over the axes: contracted from the last axis to the first, one derivative (of
        # first order in mu_i, half of the second in sigma_i^2) along axis i, plain weights along the others.
        for i in range(q.grid.dimensions):
            weights = [table[wanted if i == j else 0] for j, table in enumerate(tables)]
            total = q._values @ weights[-1].T
            for w in reversed(weights[:-1]):
                total = np.einsum("...ip,pi->...p", total, w)
            result[begin : begin + len(part), i] = total if parameter == "mean" else 0.5 * total
    return result.sum(axis=1, keepdims=True) if parameter == "variance" and common else result


def field_gradient(landscape: Landscape, means: Array, sigma: Array, parameter: str, common: bool) -> Array:
    """The same derivative of the solution of the heat equation for the sampled landscape."""
    field = HeatField(landscape)
    if parameter == "mean":
        return field.gradient(means, sigma)
    half = 0.5 * np.diagonal(field.hessian(means, sigma), axis1=1, axis2=2)
    return half.sum(axis=1, keepdims=True) if common else np.asarray(half)


def expectation(function: Callable[[Array], Any], mean: Array, sigma: Array, budget: int) -> tuple[float, float]:
    """E f(mu + sigma Z) with its standard error: quasi-Monte Carlo, which no spike and no jump misleads."""
    result = mollify(function, mean, sigma, "montecarlo", gradient=False, budget=budget)
    assert result.standard_error is not None
    return float(result.value), float(result.standard_error)


def function_gradient(
    q: ActionValue, means: Array, sigma: Array, parameter: str, common: bool, samples: int
) -> tuple[Array, Array]:
    """Exact gradient of a mollified function by quadrature of Q times the score, with errors: (P, components) each."""
    components = 1 if parameter == "variance" and common else means.shape[1]
    value, error = np.empty((len(means), components)), np.empty((len(means), components))
    budget = min(max(_REFERENCE_SHARE * samples, _LEAST_REFERENCE), REFERENCE_BUDGET)
    for p, k in np.ndindex(*value.shape):
        # less Q(mu), which changes no expectation and takes away most of the variance
        at_mean = float(q.value(means[p : p + 1])[0])

        def moment(points: Array, p: int = p, k: int = k, at_mean: float = at_mean) -> Array:
            scores = score((points - means[p]) / sigma, sigma, parameter, common)
            return np.asarray((q.value(points) - at_mean) * scores[:, k])

        value[p, k], error[p, k] = expectation(moment, means[p], sigma, budget)
    return value, error
