"""Roughness: the Hölder exponent of a landscape, from its increments and from how it answers to smoothing.

A p-Hölder Q with constant K has |Q(x + delta) - Q(x)| <= K delta^p, and under noise |L - Q| <= K E|Z|^p sigma^p and
|grad L| <= K E|Z|^(1+p) sigma^(p-1). Where Q is equally rough at every place and on every scale, mean squares follow
these powers, and four of them can be measured on a grid: of increments (``structure``), of L - Q (``bias``), of the
standard deviation of Q(mu + sigma Z) (``spread``) and of grad L (``gradient``). This is the mean behaviour, not that
of the worst place.

No sampled landscape is rough on all scales. Every mean square is therefore fitted by A s^(2p) + B + C s^2 in the scale
s: B > 0 is noise on the values, B < 0 the part of the structure that is finer than what the landscape holds, C the
smooth part on scales beyond the window, positive for a trend and negative where the structure ends. A straight line in
logarithms, which is B = C = 0, misses p by 0.1 and more where a landscape is rough over two decades. ``bias`` needs no
C, because L - Q does not see a linear trend, and ``gradient`` no B, because L has lost what is finer than sigma.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import GridError, SigmaError, UnknownNameError, UnsupportedError
from heatpg.evolution import Evolution, solve

__all__ = ["METHODS", "Roughness", "Scaling", "StructureFunction", "holder_exponent", "structure_function"]

Array = NDArray[np.float64]

_LAGS_PER_OCTAVE = 6
_SMALLEST_LAG = 4  # below it increments show how the landscape was sampled: a wave of 6 nodes is smooth over 3
_LARGEST_LAG = 0.25  # of the box
_SIGMAS = 14
_SMALLEST_SIGMA = 1.5  # in spacings: from there on the sampled Gaussian is exact
_LARGEST_SIGMA = 0.1  # of the box
_ESCAPE = 0.01  # probability to leave the box from the edge of the part that is used
_LEAST_PART = 0.25  # of the nodes along an axis that must be left by it
_PARTS = 16  # of the box, for the jackknife

_FEWEST_SCALES = 5
_LEAST_RATIO = 4.0
_SMOOTH = 0.95  # local exponent from which increments count as those of a smooth function
_ROUNDED = 0.85  # local exponent from which they are not yet those of a rough one
_LARGER_LAG, _LARGER_SIGMA = 6.0, 2.6  # factors from the last rounded lag to where its rounding has gone
_INDEPENDENT = 2.0  # measurements in an octave of scales: closer ones repeat each other
_LEAST_SCATTER = 0.005
# One over the wavenumber, in units of one over the scale, up to which waves share in a mean square: increments and the
# spread gather finer ones too, the gradient few others. Set so that intervals hold on random fields; see the tests.
_BANDS = {"structure": 0.25, "bias": 1.0, "spread": 0.5, "gradient": 2.0}
_DETECTED = 3.0  # standard errors of a noise floor
_PLAIN_NOISE = 4.0  # standard errors that increments of noise may differ by, over all distances
_WIDEST = 0.25  # standard error of an exponent that is still one
_INTERMITTENT = 0.15


@dataclasses.dataclass(frozen=True)
class _Law:
    """What a method measures, and which terms its mean square has besides A s^(2p)."""

    statement: str
    scale: str
    floor: bool
    trend: bool
    highest: float


_LAWS = {
    "structure": _Law("rms |Q(x + delta) - Q(x)| ~ delta^p", "delta", True, True, 1.0),
    "bias": _Law("rms |L - Q| ~ sigma^p", "sigma", True, False, 2.2),
    "spread": _Law("rms std Q(mu + sigma Z) ~ sigma^p", "sigma", True, True, 1.0),
    "gradient": _Law("rms |grad L| ~ sigma^(p-1)", "sigma", False, True, 1.0),
}

METHODS = tuple(_LAWS)
"""How a Hölder exponent can be measured."""


def _plain(value: Any) -> Any:
    """A value as JSON takes it: NaN and infinity as None."""
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


@dataclasses.dataclass(frozen=True, eq=False)
class StructureFunction:
    """Mean powers of increments, S_q(delta) = mean |Q(x + delta e) - Q(x)|^q.

    Attributes
    ----------
    moments
        The powers q.
    lags
        Distances in nodes, shape (n,).
    scales
        Distances delta in the units of the axes, shape (n,); the geometric mean over the axes where their spacings
        differ.
    values
        S_q, shape (moments, n).
    pairs
        How many pairs of nodes each mean is over, shape (n,).
    axes
        The axes along which increments were taken.
    """

    moments: tuple[float, ...]
    lags: NDArray[np.int64]
    scales: Array
    values: Array
    pairs: NDArray[np.int64]
    axes: tuple[str, ...]

    def exponents(self) -> Array:
        """Local exponents d ln S_q / d ln delta / q between neighbouring lags, shape (moments, n - 1).

        They are p where S_q ~ delta^(q p), and 1 at most for small delta: increments of a smooth function are
        proportional to delta, however smooth it is.

        Raises
        ------
        UnsupportedError
            If all increments over some distance are zero.
        """
        if not (self.values > 0).all():
            raise UnsupportedError(
                "increments that are all zero have no exponent", given=f"distance {self.scales[self._first_zero()]:g}"
            )
        slopes = np.diff(np.log(self.values), axis=1) / np.diff(np.log(self.scales))
        return np.asarray(slopes / np.array(self.moments)[:, None])

    def _first_zero(self) -> int:
        return int(np.argmin((self.values > 0).all(axis=0)))

    def __str__(self) -> str:
        head = " ".join(
            [f"{'lag':>6}", f"{'delta':>11}", *(f"{f'S_{q:g}':>11}" for q in self.moments), f"{'pairs':>10}"]
        )
        rows = [
            " ".join([f"{lag:6d}", f"{scale:11.4g}", *(f"{s:11.4g}" for s in column), f"{pairs:10d}"])
            for lag, scale, column, pairs in zip(self.lags, self.scales, self.values.T, self.pairs, strict=True)
        ]
        return "\n".join([f"increments along {', '.join(self.axes)}", head, *rows])

    def as_dict(self) -> dict[str, Any]:
        """The structure function as JSON-like values."""
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}


@dataclasses.dataclass(frozen=True, eq=False)
class Scaling:
    """One method's exponent.

    Attributes
    ----------
    method
        ``structure``, ``bias``, ``spread`` or ``gradient``.
    exponent
        Hölder exponent p; 1 where `saturated`.
    interval
        Confidence interval of p; up to infinity for a smooth landscape.
    standard_error
        Of p: from leaving out parts of the box, and from what the fit leaves over.
    saturated
        Whether the landscape is smooth at this resolution, so that p is at least 1 and this method sees no more.
    window
        Smallest and largest scale of the fit.
    scales
        All scales at which was measured: distances or sigmas, in the units of the axes.
    values
        What was measured there: root mean squares in the units of Q, for ``gradient`` in those of Q over the scale.
    fitted
        The fit at all scales, of the same kind; NaN outside the window.
    slope
        Mean logarithmic slope of the values in the window.
    residual
        Root mean square of the relative departure of the mean squares from the fit in the window.
    noise_share
        Share of noise in the mean square at the smallest scale of the window.
    """

    method: str
    exponent: float
    interval: tuple[float, float]
    standard_error: float
    saturated: bool
    window: tuple[float, float]
    scales: Array
    values: Array
    fitted: Array
    slope: float
    residual: float
    noise_share: float

    def __str__(self) -> str:
        law = _LAWS[self.method]
        where = f"{law.scale} {self.window[0]:.3g} to {self.window[1]:.3g}"
        if self.saturated:
            return f"{self.method:9}  p >= 1, slope {self.slope:.3f}, {where}, smooth at this resolution"
        low, high = self.interval
        return (
            f"{self.method:9}  p = {self.exponent:.3f} [{low:.3f}, {high:.3f}], {where}, residual {self.residual:.1%}"
        )

    def as_dict(self) -> dict[str, Any]:
        """The scaling as JSON-like values."""
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}


@dataclasses.dataclass(frozen=True, eq=False)
class Roughness:
    """How rough a landscape is, by one or several methods.

    Attributes
    ----------
    exponent
        Hölder exponent p: that of the method, or the mean of the methods weighted by their standard errors.
    interval
        Its confidence interval. All methods look at the same landscape, so several of them make it no narrower than
        the weighted mean of theirs; where they disagree it reaches over all their exponents.
    confidence
        The probability that it is meant to hold with.
    method
        What was asked for.
    saturated
        Whether the landscape is smooth at this resolution.
    window
        Smallest and largest scale on which every fit rests, in the units of the axes.
    scalings
        The fit of each method that has one.
    refused
        Why the other methods have none.
    agree
        Whether the intervals of all methods have a number in common.
    noise_floor
        Standard deviation of the noise on the values, in the units of Q; 0 if none was detected.
    noise_error
        Its standard error; NaN if none was detected.
    smooth_below
        Distance up to which the landscape is smooth; 0 if it is rough down to the resolution of the grid.
    intermittency
        Exponent of mean increments minus that of their root mean square, in the window of ``structure``; above 0.15
        a few places, such as jumps or ridges, make most of the roughness. NaN where ``structure`` has no fit.
    """

    exponent: float
    interval: tuple[float, float]
    confidence: float
    method: str
    saturated: bool
    window: tuple[float, float]
    scalings: tuple[Scaling, ...]
    refused: Mapping[str, str]
    agree: bool
    noise_floor: float
    noise_error: float
    smooth_below: float
    intermittency: float

    def __getitem__(self, method: str) -> Scaling:
        """The fit of one method."""
        for scaling in self.scalings:
            if scaling.method == method:
                return scaling
        reason = self.refused.get(method, "it was not asked for")
        raise UnknownNameError(
            f"no fit by {method!r}: {reason}", allowed=", ".join(scaling.method for scaling in self.scalings)
        )

    @property
    def verdict(self) -> str:
        """What this means, in one sentence."""
        between = f"between {self.window[0]:.3g} and {self.window[1]:.3g}"
        if self.saturated:
            parts = [
                f"smooth at this resolution (Lipschitz) {between}: p is at least 1, where first differences saturate"
            ]
        else:
            low, high = self.interval
            parts = [
                f"rough {between}: p = {self.exponent:.3f}, {self.confidence:.0%} interval {low:.3f} to {high:.3f}"
            ]
            if high >= 1:
                parts.append("which does not exclude a Lipschitz landscape")
            if self.smooth_below:
                parts.append(f"smooth below {self.smooth_below:.3g}")
        if len(self.scalings) < len(self.refused):
            parts.append(f"only {len(self.scalings)} of {len(self.scalings) + len(self.refused)} methods have a fit")
        if len(self.scalings) > 1:
            count = f"the {len(self.scalings)} methods"
            parts.append(f"{count} agree" if self.agree else f"{count} do not agree: see each of them")
        if self.intermittency > _INTERMITTENT:
            parts.append("a few places (jumps, ridges) make most of the roughness")
        return "; ".join(parts)

    def __str__(self) -> str:
        lines = [self.verdict, *map(str, self.scalings)]
        lines += [f"{method:9}  refused: {reason}" for method, reason in self.refused.items()]
        if self.noise_floor:
            lines.append(f"noise      {self.noise_floor:.3g} +- {self.noise_error:.2g} on the values")
        else:
            lines.append("noise      none detected on the values")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON-like values."""
        entries = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        entries["scalings"] = [scaling.as_dict() for scaling in self.scalings]
        return {**_plain(entries), "verdict": self.verdict}


@dataclasses.dataclass(frozen=True, eq=False)
class _Measured:
    """Mean squares y that are to grow as s^(2p).

    Attributes
    ----------
    scales, squares
        s and y, shape (n,).
    left_out
        y without one part of the box, for every part, shape (parts, n).
    scatter
        Relative variance of y, shape (n,).
    """

    method: str
    scales: Array
    squares: Array
    left_out: Array
    scatter: Array

    @property
    def values(self) -> Array:
        """What users see: root mean squares, of the gradient not multiplied by sigma."""
        roots = np.sqrt(np.maximum(self.squares, 0.0))
        return np.asarray(roots / self.scales if self.method == "gradient" else roots)


@dataclasses.dataclass(frozen=True, eq=False)
class _Fit:
    """A s^(2p) + B + C s^2 between two scales, s in units of the first; `terms` are A, then B and C as far as used."""

    low: int
    high: int
    exponent: float
    terms: Array
    extra: Array
    error: float
    floor: float
    floor_error: float

    def squares(self, scales: Array) -> Array:
        unit = scales / scales[0]
        return np.asarray(self.terms[0] * unit ** (2.0 * self.exponent) + self.extra @ self.terms[1:])


def _deviations(landscape: Landscape) -> tuple[Array, float]:
    """Q without its mean in units of its largest deviation, and that unit."""
    if landscape.batch_shape:
        raise UnsupportedError(
            "the roughness of a batch is that of its members",
            given=f"batch of shape {landscape.batch_shape}",
            advice="take one: Landscape(values[i], grid)",
        )
    values = np.asarray(landscape.values, dtype=np.float64)
    largest = float(np.abs(values).max()) or 1.0
    values = values / largest
    values -= values.mean()
    unit = float(np.abs(values).max())
    # a mean is rounded, so a constant need not be zero without it
    if unit <= 4.0 * np.finfo(landscape.values.dtype).eps:
        raise UnsupportedError(
            "a flat landscape has no roughness", given=f"{landscape.name!r}, osc(Q) = {landscape.oscillation:g}"
        )
    return values / unit, unit * largest


def _positions(grid: Grid, axis: str | int | None) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(grid.dimensions))
    if isinstance(axis, str):
        return (grid.index(axis),)
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer) or not 0 <= axis < grid.dimensions:
        names = ", ".join(repr(a.name) for a in grid)
        raise GridError("no axis of this number", given=repr(axis), allowed=f"0 to {grid.dimensions - 1}, or {names}")
    return (int(axis),)


def _mean_spacing(grid: Grid, positions: Sequence[int]) -> float:
    return math.exp(sum(math.log(grid[i].spacing) for i in positions) / len(positions))


def _increments(values: Array, position: int, lag: int, periodic: bool) -> Array:
    size = values.shape[position]
    if periodic:
        return np.roll(values, -lag, axis=position) - values
    before = (slice(None),) * position
    return np.asarray(values[(*before, slice(lag, None))] - values[(*before, slice(0, size - lag))])


def _lags(grid: Grid, positions: Sequence[int], given: Sequence[int] | None) -> NDArray[np.int64]:
    longest = min(grid[i].size // 2 if grid[i].rule.periodic else grid[i].size - 1 for i in positions)
    if given is None:
        largest = max(1, int(_LARGEST_LAG * min(grid[i].size for i in positions)))
        count = 1 + int(_LAGS_PER_OCTAVE * math.log2(largest))
        return np.unique(np.rint(np.geomspace(1, largest, count)).astype(np.int64))
    try:
        lags = np.unique(np.asarray(given, dtype=np.float64))
        whole = lags.size > 0 and bool(np.isfinite(lags).all() and (lags == np.rint(lags)).all())
    except (TypeError, ValueError):
        whole = False
    if not whole or lags[0] < 1 or lags[-1] > longest:
        raise GridError(
            "lags are whole numbers of nodes that fit into the box", given=repr(given), allowed=f"1 to {longest}"
        )
    return lags.astype(np.int64)


def structure_function(
    landscape: Landscape,
    *,
    moments: Sequence[float] = (1, 2),
    axis: str | int | None = None,
    lags: Sequence[int] | None = None,
) -> StructureFunction:
    """Mean powers of the increments of a landscape over a range of distances.

    S_q(delta) = mean |Q(x + delta e_i) - Q(x)|^q over all pairs of nodes inside the box, across the edge where an axis
    is periodic, and over the axes. For a p-Hölder landscape S_q ~ delta^(q p) with p < 1; for a smooth one
    S_q ~ delta^q, so first differences do not tell p = 1 from smoother.

    Parameters
    ----------
    landscape
        One landscape, no batch.
    moments
        The powers q, above 0.
    axis
        Name or number of the axis along which to take increments; None for the mean over all axes.
    lags
        Distances in nodes; by default about 6 to the octave, from 1 to a quarter of the shortest axis.

    Returns
    -------
    structure
        S_q with the distances. Where the spacings of the axes differ, equal numbers of nodes count as equal distances.

    Raises
    ------
    UnsupportedError
        For a batch, a flat landscape, or moments that are not above 0.
    GridError
        For an unknown axis, or lags that do not fit into the box (half of it on periodic axes).

    References
    ----------
    T. Gneiting, H. Sevcikova, D. B. Percival, Estimators of fractal dimension: assessing the roughness of time series
    and spatial data, Statist. Sci. 27 (2012) 247-277, doi:10.1214/11-STS370.

    Examples
    --------
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.roughness.holder import structure_function
    >>> grid = Grid(Axis("x", 0.0, 1.0, 65, boundary="clip"))
    >>> ramp = Landscape.from_function(lambda x: 3 * x, grid)
    >>> structure_function(ramp, moments=[2], lags=[4, 8]).values.round(12)
    array([[0.03515625, 0.140625  ]])
    """
    orders = tuple(float(q) for q in np.atleast_1d(np.asarray(moments, dtype=np.float64)))
    if not orders or not all(math.isfinite(q) and q > 0 for q in orders):
        raise UnsupportedError("moments must be above 0", given=repr(moments), allowed="such as (1, 2)")
    values, unit = _deviations(landscape)
    grid, positions = landscape.grid, _positions(landscape.grid, axis)
    distances = _lags(grid, positions, lags)
    sums, pairs = np.zeros((len(orders), len(distances))), np.zeros(len(distances), dtype=np.int64)
    for k, lag in enumerate(distances):
        for position in positions:
            increments = np.abs(_increments(values, position, int(lag), grid[position].rule.periodic))
            pairs[k] += increments.size
            for m, order in enumerate(orders):
                sums[m, k] += float((increments if order == 1 else increments**order).sum())
    return StructureFunction(
        orders,
        distances,
        np.asarray(distances * _mean_spacing(grid, positions), dtype=np.float64),
        sums / pairs * unit ** np.array(orders)[:, None],
        pairs,
        tuple(grid[i].name for i in positions),
    )


def _parts_along(dimensions: int) -> int:
    """Into how many parts each axis is cut, for some 16 in all."""
    parts: int = round(_PARTS ** (1.0 / dimensions))
    return max(2, parts)


def _part_sums(field: Array) -> tuple[Array, Array]:
    """Sums and numbers of nodes of the parts of a field, some 16 boxes that tile it."""
    parts = _parts_along(field.ndim)
    counts = np.ones(())
    for position in range(field.ndim - 1, -1, -1):
        size = field.shape[position]
        edges = np.arange(min(parts, size)) * size // min(parts, size)
        field = np.add.reduceat(field, edges, axis=position)
        counts = np.multiply.outer(np.diff([*edges, size]), counts)
    return field.ravel(), counts.ravel()


def _measured(
    method: str, scales: Array, parts: Sequence[tuple[Array, Array]], modes: Array, noise: Array | float = 0.0
) -> _Measured:
    """Mean squares from sums over the parts of the box, less those of the noise.

    The relative variance is that of the jackknife over the parts, a factor common to all scales left aside; and at
    least one over twice the number of waves of the scale that the box holds: parts that share a long wave do not
    scatter.
    """
    sums = np.stack([part[0] for part in parts], axis=1)
    counts = np.stack([part[1] for part in parts], axis=1)
    squares = sums.sum(axis=0) / counts.sum(axis=0)
    left_out = (sums.sum(axis=0) - sums) / (counts.sum(axis=0) - counts)
    shapes = np.log(np.maximum(left_out, np.finfo(np.float64).tiny))
    scatter = _jackknife(shapes - shapes.mean(axis=1, keepdims=True))
    return _Measured(method, scales, squares - noise, left_out - noise, np.maximum(scatter, 0.5 / modes))


def _quantile(confidence: float) -> float:
    """Half width of an interval in standard errors: Student's distribution, because they rest on a few parts."""
    from scipy.special import stdtrit

    return float(stdtrit(_PARTS - 1, 0.5 + 0.5 * confidence))


def _jackknife(left_out: Array) -> Array:
    """Variance of what was computed without each of the parts, shape (parts, n)."""
    number = len(left_out)
    return np.asarray((number - 1) / number * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))


def _waves(shape: Sequence[int], reach: Array) -> Array:
    """Number of waves with a wavenumber up to 1/reach (reach in nodes) in a box: V (2 pi reach)^-d |unit ball|."""
    d = len(shape)
    ball = math.pi ** (0.5 * d) / math.gamma(0.5 * d + 1.0)
    return np.asarray(ball * math.prod(shape) / (2.0 * math.pi * reach) ** d)


def _measure_structure(values: Array, grid: Grid, positions: Sequence[int]) -> _Measured:
    lags = _lags(grid, positions, None)
    parts = []
    for lag in lags:
        pieces = [
            _part_sums(_increments(values, position, int(lag), grid[position].rule.periodic) ** 2)
            for position in positions
        ]
        parts.append((np.sum([sums for sums, _ in pieces], axis=0), np.sum([counts for _, counts in pieces], axis=0)))
    distances = lags.astype(np.float64)
    modes = _waves(values.shape, _BANDS["structure"] * distances)
    return _measured("structure", distances * _mean_spacing(grid, positions), parts, modes)


@dataclasses.dataclass(frozen=True, eq=False)
class _Smoothed:
    """Q - mean in units of its largest deviation, its evolution and that of its square, on some axes."""

    values: Array
    evolution: Evolution
    square: Array
    positions: tuple[int, ...]
    inside: tuple[slice, ...]
    ratios: Array
    scales: Array


def _levels(grid: Grid, positions: Sequence[int]) -> Array:
    """Sigmas for a landscape, shape (T, dimensions), the same number of spacings along all axes that are smoothed."""
    largest = _LARGEST_SIGMA * min(grid[i].size for i in positions)
    if largest < _LEAST_RATIO * _SMALLEST_SIGMA:
        raise UnsupportedError(
            "the grid leaves no range of sigmas between its resolution and its box",
            given=f"{min(grid[i].size for i in positions)} nodes",
            allowed=f"at least {math.ceil(_LEAST_RATIO * _SMALLEST_SIGMA / _LARGEST_SIGMA)} nodes along every axis",
            advice="sample more nodes",
        )
    levels = np.zeros((_SIGMAS, grid.dimensions))
    for i in positions:
        levels[:, i] = np.geomspace(_SMALLEST_SIGMA, largest, _SIGMAS) * grid[i].spacing
    return levels


def _given_levels(evolution: Evolution, positions: Sequence[int]) -> Array:
    """Those sigmas of an evolution that the grid resolves and the box holds, shape (T, dimensions)."""
    grid = evolution.grid
    if evolution.covariance is not None:
        raise UnsupportedError("correlated noise has no one sigma to scale with", advice="evolve with sigma instead")
    sigmas = evolution.sigmas
    still = [i for i in range(grid.dimensions) if i not in positions]
    if bool((sigmas[:, still] > 0).any()):
        raise UnsupportedError(
            "the roughness along one axis needs noise along this axis alone",
            given=f"axis {grid[positions[0]].name!r}, sigma {sigmas[-1].tolist()}",
            advice="pass the landscape, or evolve with sigma 0 along the others",
        )
    moving = sigmas[:, list(positions)]
    noisy = moving[(moving > 0).all(axis=1)]
    if len(noisy) and not np.allclose(noisy / noisy[:, :1], noisy[0] / noisy[0, 0], rtol=1e-6, atol=0.0):
        raise SigmaError("the ratio between the sigmas of two axes changes", given=moving.tolist(), allowed="one shape")
    spacings = np.array([grid[i].spacing for i in positions])
    widths = np.array([math.inf if grid[i].rule.periodic else grid[i].length for i in positions])
    lengths = np.array([grid[i].length for i in positions])
    quantile = statistics.NormalDist().inv_cdf(1.0 - _ESCAPE)
    used = (moving >= _SMALLEST_SIGMA * (1 - 1e-9) * spacings) & (moving <= 2.0 * _LARGEST_SIGMA * lengths)
    used &= 2.0 * quantile * moving <= (1.0 - _LEAST_PART) * widths
    keep = [int(k) for k in np.flatnonzero(used.all(axis=1))]
    if len(keep) < _FEWEST_SCALES:
        raise SigmaError(
            "too few sigmas that the grid resolves and the box holds",
            given=f"{len(keep)} of {len(sigmas)}",
            allowed=f"at least {_FEWEST_SCALES}, from {_SMALLEST_SIGMA:g} spacings to a fifth of a periodic axis or "
            f"{(1.0 - _LEAST_PART) / (2.0 * quantile):.2g} of another",
            advice="pass the landscape, and the sigmas are chosen for it",
        )
    return np.asarray(sigmas[keep])


def _smooth(source: Landscape | Evolution, values: Array, positions: Sequence[int], levels: Array) -> _Smoothed:
    grid = source.grid
    solver = source.solver if isinstance(source, Evolution) else "auto"
    evolution = solve(Landscape(values, grid), levels, solver)
    square = solve(Landscape(values**2, grid), levels, solver).values
    spacings = np.array([grid[i].spacing for i in positions])
    ratios = levels[:, list(positions)] / spacings
    inside = [slice(None)] * grid.dimensions
    quantile = statistics.NormalDist().inv_cdf(1.0 - _ESCAPE)
    for i, widest in zip(positions, ratios.max(axis=0), strict=True):
        # what lies beyond an edge is not Q, a mirror image as little as a constant
        if not grid[i].rule.periodic:
            margin = math.ceil(quantile * float(widest))
            inside[i] = slice(margin, grid[i].size - margin)
    scales = np.exp(np.log(levels[:, list(positions)]).mean(axis=1))
    return _Smoothed(values, evolution, square, tuple(positions), tuple(inside), ratios, scales)


def _measure_smoothed(method: str, smoothed: _Smoothed, noise: float) -> _Measured:
    """Mean squares of one method at every sigma; the gradient along each axis is multiplied by its sigma.

    White noise of variance s^2 on the values adds s^2 (1 - 2 w_0 + sum w^2) to the bias, s^2 (1 - sum w^2) to the
    spread and, multiplied by sigma^2, s^2 (d/2) sum w^2 to the gradient, with the weights w of the sampled Gaussian.
    """
    inside, evolution = smoothed.inside, smoothed.evolution
    parts = []
    for k in range(len(smoothed.scales)):
        field = evolution.values[k][inside]
        if method == "bias":
            squares = (field - smoothed.values[inside]) ** 2
        elif method == "spread":
            squares = np.maximum(smoothed.square[k][inside] - field**2, 0.0)
        else:
            gradient, sigmas = evolution.gradient(k), evolution.sigmas[k]
            squares = sum((sigmas[i] * gradient[i][inside]) ** 2 for i in smoothed.positions)
        parts.append(_part_sums(np.asarray(squares)))
    centre = np.prod(1.0 / (math.sqrt(2.0 * math.pi) * smoothed.ratios), axis=1)
    total = np.prod(1.0 / (2.0 * math.sqrt(math.pi) * smoothed.ratios), axis=1)
    added = {
        "bias": 1.0 - 2.0 * centre + total,
        "spread": 1.0 - total,
        "gradient": 0.5 * len(smoothed.positions) * total,
    }[method]
    reach = _BANDS[method] * np.exp(np.log(smoothed.ratios).mean(axis=1))
    return _measured(method, smoothed.scales, parts, _waves(smoothed.values.shape, reach), noise**2 * added)


def _terms(law: _Law, unit: Array) -> Array:
    """B and C s^2 at scales in units of the first, as far as the law has them, shape (n, 0 to 2)."""
    columns = ([np.ones_like(unit)] if law.floor else []) + ([unit**2] if law.trend else [])
    return np.stack(columns, axis=1) if columns else np.empty((len(unit), 0))


def _misfits(exponents: Array, unit: Array, extra: Array, weights: Array, squares: Array) -> Array:
    """Smallest weighted sum of squares for every exponent: A, B and C are eliminated by projection."""
    others, _ = np.linalg.qr(extra * weights[:, None])
    target = squares * weights
    target = target - others @ (others.T @ target)
    powers = unit[:, None] ** (2.0 * exponents) * weights[:, None]
    powers = powers - others @ (others.T @ powers)
    norms = np.maximum((powers**2).sum(axis=0), np.finfo(np.float64).tiny)
    return np.asarray(target @ target - (target @ powers) ** 2 / norms)


def _fit(law: _Law, measured: _Measured, low: int, high: int) -> _Fit:
    """Weighted least squares between two scales, with the standard error of the exponent.

    A relative variance that is the same at all scales is added to that of the measurement until the fit leaves over
    what it should: it stands for log-periodic oscillation, which is no sampling error.
    """
    window = slice(low, high + 1)
    scales, squares, scatter = measured.scales[window], measured.squares[window], measured.scatter[window]
    unit = scales / scales[0]
    extra = _terms(law, unit)
    octaves = np.gradient(np.log2(unit))
    share = np.minimum(octaves * _INDEPENDENT, 1.0)
    freedom = max(float(share.sum()) - extra.shape[1] - 2.0, 1.0)
    coarse = np.linspace(0.02, law.highest - 0.02, 97)
    common = _LEAST_SCATTER**2
    for _ in range(4):
        weights = np.sqrt(share / (common + scatter)) / squares
        misfits = _misfits(coarse, unit, extra, weights, squares)
        misfit = float(misfits.min())
        if misfit <= 1.05 * freedom:
            break
        common += (misfit - freedom) / float((share / (common + scatter)).sum())
    exponent, step = float(coarse[int(np.argmin(misfits))]), float(coarse[1] - coarse[0])
    for _ in range(2):
        fine = np.linspace(max(0.01, exponent - step), min(exponent + step, law.highest - 0.01), 21)
        exponent = float(fine[int(np.argmin(_misfits(fine, unit, extra, weights, squares)))])
        step *= 0.1
    power = unit ** (2.0 * exponent)
    design = np.concatenate([power[:, None], extra], axis=1) * weights[:, None]
    terms = np.linalg.lstsq(design, squares * weights, rcond=None)[0]
    tangent = 2.0 * terms[0] * np.log(unit) * power * weights
    design = np.concatenate([design, tangent[:, None]], axis=1)
    norms = np.maximum(np.linalg.norm(design, axis=0), np.finfo(np.float64).tiny)
    response = np.linalg.pinv(design / norms) / norms[:, None]
    inflation = max(1.0, misfit / freedom)
    # leaving out a part shifts the mean squares a little, and what is fitted in proportion
    shifts = ((measured.left_out[:, window] - squares) * weights) @ response.T
    errors = np.sqrt(inflation * (response**2).sum(axis=1) + _jackknife(shifts))
    return _Fit(
        low,
        high,
        exponent,
        terms,
        extra,
        float(errors[-1]),
        float(terms[1]) if law.floor else 0.0,
        float(errors[1]) if law.floor else math.nan,
    )


def _fault(law: _Law, fit: _Fit, unit_high: float) -> str:
    """Why a fit says nothing about roughness; empty if it does."""
    amplitude = float(fit.terms[0])
    top = amplitude * unit_high ** (2.0 * fit.exponent)
    if amplitude <= 0 or fit.exponent <= 0.03:
        return "what was measured does not grow as a power of the scale"
    if fit.floor > top:
        return "the structure does not rise above the noise"
    if law.trend:
        trend = float(fit.terms[-1])
        if trend > amplitude or -trend * unit_high**2 > top:
            return "a smooth trend hides the structure"
    if fit.error > _WIDEST or fit.exponent < fit.error:
        return f"the exponent is not determined: {fit.exponent:.2f} with a standard error of {fit.error:.2g}"
    return ""


def _spread(scales: NDArray[np.float64]) -> str:
    """How many scales there are, and how far apart the ends."""
    over = f" over a factor of {scales[-1] / scales[0]:.3g}" if len(scales) > 1 else ""
    return f"{len(scales)} scale{'' if len(scales) == 1 else 's'}{over}"


def _windows(scales: Array, start: int, stop: int, fewest: int, ratio: float) -> Iterator[tuple[int, int]]:
    """Candidates for the window of a fit: cut by half octaves at either end."""
    half = math.sqrt(2.0)
    lows, highs = [start], [stop]
    for k in range(start + 1, stop):
        if scales[k] >= half * scales[lows[-1]]:
            lows.append(k)
    for k in range(stop - 1, start, -1):
        if scales[k] * half <= scales[highs[-1]]:
            highs.append(k)
    for low in lows:
        for high in highs:
            if high - low + 1 >= fewest and scales[high] >= ratio * (1.0 - 1e-9) * scales[low]:
                yield low, high


def _best(
    law: _Law, measured: _Measured, start: int, stop: int, ratio: float, *, fixed: bool = False
) -> tuple[_Fit | None, str]:
    """The fit with the smallest standard error of its exponent, or why there is none."""
    fewest = max(_FEWEST_SCALES, 3 + int(law.floor) + int(law.trend))
    scales = measured.scales
    windows = [(start, stop)] if fixed else list(_windows(scales, start, stop, fewest, ratio))
    if not windows or stop - start + 1 < fewest:
        return None, (
            f"there are {_spread(scales[start : stop + 1])} between the resolution and the box; "
            f"a fit needs {fewest} over a factor of {ratio:g} or more"
        )
    chosen: _Fit | None = None
    fault = ""
    for low, high in windows:
        if not (measured.squares[low : high + 1] > 0).all():
            fault = fault or "the structure does not rise above the noise"
            continue
        fit = _fit(law, measured, low, high)
        found = _fault(law, fit, float(scales[high] / scales[low]))
        if found:
            fault = fault or found
        elif chosen is None or fit.error < chosen.error:
            chosen = fit
    return chosen, "" if chosen else fault


def _power_slope(scales: Array, squares: Array) -> float:
    """Half the logarithmic slope of mean squares: p if they were a bare power."""
    return float(np.polyfit(np.log(scales), 0.5 * np.log(squares), 1)[0])


def _noise(measured: _Measured) -> tuple[float, float, bool]:
    """Variance s^2 of the noise, from S_2 = 2 s^2 + A delta^(2p) + C delta^2, its error, and whether it is all."""
    law = _LAWS["structure"]
    growth = measured.squares / measured.squares[0] - 1.0
    variance = _jackknife(measured.left_out / measured.left_out[:, :1])
    if float(np.abs(growth / np.sqrt(variance + _LEAST_SCATTER**2)).max()) < _PLAIN_NOISE:
        mean = float(measured.squares.mean())
        return 0.5 * mean, 0.5 * float(np.sqrt(_jackknife(measured.left_out.mean(axis=1, keepdims=True))[0])), True
    best: _Fit | None = None
    for low, high in _windows(measured.scales, 0, len(measured.scales) - 1, _FEWEST_SCALES, _LEAST_RATIO):
        if low == 0:
            fit = _fit(law, measured, low, high)
            if best is None or fit.floor_error < best.floor_error:
                best = fit
    if best is None or best.floor < _DETECTED * best.floor_error:
        return 0.0, math.nan, False
    return 0.5 * best.floor, 0.5 * best.floor_error, False


def _reach(measured: _Measured, threshold: float) -> float:
    """Largest distance up to which all increments have a local exponent, over an octave, of at least a threshold."""
    log = np.log2(measured.scales)
    half = 0.5 * np.log2(np.maximum(measured.squares, np.finfo(np.float64).tiny))
    reach = 0.0
    for k, scale in enumerate(measured.scales):
        if measured.squares[k] <= 0 or log[-1] < log[k] + 1.0:
            break
        if float(np.interp(log[k] + 1.0, log, half)) - half[k] < threshold:
            break
        reach = float(scale)
    return reach


def _refuse(reason: str, name: str) -> NoReturn:
    raise UnsupportedError(
        f"no Hölder exponent: {reason}",
        given=repr(name),
        advice="sample more nodes, average the noise down, or give a window of scales where the structure shows",
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Study:
    """What all methods share."""

    unit: float
    confidence: float
    window: tuple[float, float] | None
    smooth: bool
    rounded: float
    reach: float

    def scaling(self, measured: _Measured) -> Scaling | str:
        """The fit of one method, or why there is none."""
        law, scales = _LAWS[measured.method], measured.scales
        last = len(scales) - 1
        if self.window is not None:
            inside = np.flatnonzero((scales >= self.window[0] * (1 - 1e-9)) & (scales <= self.window[1] * (1 + 1e-9)))
            if len(inside) < _FEWEST_SCALES:
                return f"there are {len(inside)} scales in the window; a fit needs {_FEWEST_SCALES}"
            low, high = int(inside[0]), int(inside[-1])
            fit, reason = _best(law, measured, low, high, 1.0, fixed=True)
            if fit is not None:
                return self._rough(measured, fit)
            return self._saturated(measured, low, high) or reason
        increments = measured.method == "structure"
        rounded = self.rounded * (_LARGER_LAG if increments else _LARGER_SIGMA)
        resolved = scales[0] * (_SMALLEST_LAG if increments else 1.0)
        # below a smooth range only a long rough one is believed
        ratio = 2.0 * _LEAST_RATIO if self.smooth else _LEAST_RATIO
        fit, reason = None, ""
        for lowest in (max(resolved, rounded),) if self.reach else (max(resolved, rounded), resolved):
            start = int(np.searchsorted(scales, lowest * (1 - 1e-9)))
            fit, reason = _best(law, measured, start, last, ratio)
            if fit is not None:
                return self._rough(measured, fit)
        if self.smooth:
            high = max(_FEWEST_SCALES, int(np.searchsorted(scales, self.reach * (1 + 1e-9)))) - 1
            return self._saturated(measured, 0, high) or "what was measured does not grow as that of a smooth landscape"
        return reason

    def _rough(self, measured: _Measured, fit: _Fit) -> Scaling:
        if fit.exponent >= 1.0:
            return self._result(measured, fit.low, fit.high, fit, (1.0, math.inf), fit.error)
        half = _quantile(self.confidence) * fit.error
        interval = (max(0.0, fit.exponent - half), fit.exponent + half)
        return self._result(measured, fit.low, fit.high, fit, interval, fit.error)

    def _saturated(self, measured: _Measured, low: int, high: int) -> Scaling | None:
        """A bare power law, if it is one of a smooth landscape."""
        window = slice(low, high + 1)
        scales, squares = measured.scales[window], measured.squares[window]
        if not (squares > 0).all() or _power_slope(scales, squares) < _ROUNDED:
            return None
        return self._result(measured, low, high, None, (1.0, math.inf), math.nan)

    def _result(
        self,
        measured: _Measured,
        low: int,
        high: int,
        fit: _Fit | None,
        interval: tuple[float, float],
        error: float,
    ) -> Scaling:
        window = slice(low, high + 1)
        scales, squares = measured.scales, measured.squares
        fitted = np.full(len(scales), np.nan)
        if fit is None:
            slope = _power_slope(scales[window], squares[window])
            middle = float(np.log(squares[window]).mean())
            log = np.log(scales[window])
            fitted[window] = np.exp(middle + 2.0 * slope * (log - log.mean()))
        else:
            fitted[window] = fit.squares(scales[window])
        residual = float(np.sqrt(((fitted[window] / squares[window] - 1.0) ** 2).mean()))
        share = max(0.0, fit.floor) / float(squares[low]) if fit is not None else 0.0
        divisor = scales if measured.method == "gradient" else np.ones_like(scales)
        values = measured.values * self.unit
        return Scaling(
            measured.method,
            1.0 if fit is None else min(1.0, fit.exponent),
            interval,
            error,
            math.isinf(interval[1]),
            (float(scales[low]), float(scales[high])),
            scales,
            values,
            np.sqrt(fitted) / divisor * self.unit,
            _power_slope(scales[window], values[window] ** 2),
            residual,
            share,
        )


def _combine(scalings: Sequence[Scaling], confidence: float) -> tuple[float, tuple[float, float], bool]:
    """Exponent and interval of several methods, and whether their intervals have a number in common."""
    agree = max(s.interval[0] for s in scalings) <= min(s.interval[1] for s in scalings)
    if scalings[0].saturated:
        return 1.0, (1.0, math.inf), agree
    weights = np.array([1.0 / s.standard_error**2 for s in scalings])
    weights /= weights.sum()
    exponent = float(sum(w * s.exponent for w, s in zip(weights, scalings, strict=True)))
    half = _quantile(confidence) * float(sum(w * s.standard_error for w, s in zip(weights, scalings, strict=True)))
    low, high = exponent - half, exponent + half
    if not agree:
        low, high = min(low, *(s.exponent for s in scalings)), max(high, *(s.exponent for s in scalings))
    return exponent, (max(0.0, low), high), agree


def _intermittency(landscape: Landscape, axis: str | int | None, scaling: Scaling) -> float:
    """Exponent of the mean increment minus that of its root mean square, in the window of a fit."""
    inside = (scaling.scales >= scaling.window[0]) & (scaling.scales <= scaling.window[1])
    lags = np.flatnonzero(inside)
    every = _lags(landscape.grid, _positions(landscape.grid, axis), None)
    measured = structure_function(landscape, moments=(1,), axis=axis, lags=[int(n) for n in every[lags]])
    return _power_slope(measured.scales, measured.values[0] ** 2) - scaling.slope


def _check(method: str, window: tuple[float, float] | None, confidence: float) -> tuple[str, ...]:
    if method != "all" and method not in METHODS:
        raise UnknownNameError("unknown method", given=repr(method), allowed=", ".join((*METHODS, "all")))
    if not 0 < confidence < 1:
        raise UnsupportedError("confidence is a probability", given=confidence, allowed="between 0 and 1")
    if window is not None and not (len(window) == 2 and 0 < window[0] < window[1] < math.inf):
        raise UnsupportedError("a window is a smaller and a larger scale", given=repr(window), allowed="0 < low < high")
    return METHODS if method == "all" else (method,)


def holder_exponent(
    source: Landscape | Evolution,
    *,
    method: str = "all",
    window: tuple[float, float] | None = None,
    axis: str | int | None = None,
    confidence: float = 0.95,
) -> Roughness:
    """Hölder exponent p of a landscape, with the scales that it holds on and a confidence interval.

    Mean squares y(s) at distances or sigmas s are fitted by y = A s^(2p) + B + C s^2 with relative weights:
    ``structure`` y = S_2(delta); ``bias`` y = mean (L - Q)^2, C = 0; ``spread`` y = mean (E Q^2 - L^2); ``gradient``
    y = sigma^2 mean |grad L|^2, B = 0.

    Parameters
    ----------
    source
        A landscape (no batch); or an evolution, whose landscape, sigmas and solver are used.
    method
        ``structure``, ``bias``, ``spread``, ``gradient``, or ``all`` of them.
    window
        Smallest and largest scale to fit, in the units of the axes. By default the window with the smallest standard
        error of p among those with 5 scales and more over a factor of 4 and more: from 4 spacings (distances) or 1.5
        (sigmas), and from where waves that the grid resolves well no longer matter, to a quarter (distances) or a
        tenth (sigmas) of the shortest axis.
    axis
        Roughness along this axis alone (name or number); None for all axes at once. Sigma is then the same number of
        spacings along every axis, and scales are geometric means over the axes where spacings differ.
    confidence
        Probability of the intervals. The standard error of p joins the jackknife over some 16 parts of the box, the
        sampling error of the few long waves that a box holds, and what the fit leaves over. On Gaussian fields of
        known p, from 1024 to 256^2 nodes, intervals of 95 % held it in 90 to 100 % of 40 to 60 cases each: least by
        ``gradient`` on 1024 nodes, too often by ``structure`` in two dimensions.

    Returns
    -------
    roughness
        The exponent, the fit of every method, the noise floor and a verdict.

    Raises
    ------
    UnsupportedError
        If no method has a fit, with the reason: flat, noise above the structure, too few scales, no power law; for a
        batch, correlated noise, or options out of range.
    SigmaError
        For an evolution with too few sigmas between the resolution of the grid and the size of the box; with ``all``
        this is a reason why three methods have no fit.
    UnknownNameError, GridError
        For an unknown method or axis.

    Notes
    -----
    What is estimated is the exponent of root mean squares over the box, which is the Hölder exponent where Q is equally
    rough everywhere; jumps on a few lines give 1/2. First differences, the spread and the gradient cannot exceed 1, the
    bias of a smooth Q goes as sigma^2: such landscapes are reported as smooth, with p at least 1. Along axes that are
    not periodic, nodes from which noise leaves the box with more than 1 % probability across one edge are left out.

    References
    ----------
    T. Wang, S. Herbert, S. Gao, arXiv:2310.15418 (NeurIPS 2023) and arXiv:2405.17832 (ICML 2024). T. Gneiting,
    H. Sevcikova, D. B. Percival, Statist. Sci. 27 (2012) 247-277, doi:10.1214/11-STS370, on structure functions.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> from heatpg.roughness.holder import holder_exponent
    >>> q = landscapes.weierstrass(exponent=0.4, size=4096, terms=11)
    >>> rough = holder_exponent(q)
    >>> [f"{scaling.method} {scaling.exponent:.1f}" for scaling in rough.scalings]
    ['structure 0.4', 'bias 0.4', 'spread 0.4', 'gradient 0.4']
    >>> rough.agree, rough.noise_floor
    (True, 0.0)
    """
    methods = _check(method, window, confidence)
    if not isinstance(source, Landscape | Evolution):
        raise UnsupportedError("roughness is that of a landscape or an evolution", given=type(source).__name__)
    landscape = source.landscape if isinstance(source, Evolution) else source
    values, unit = _deviations(landscape)
    grid, positions = landscape.grid, _positions(landscape.grid, axis)
    if isinstance(source, Evolution) and axis is None:
        positions = tuple(i for i in positions if bool((source.sigmas[:, i] > 0).any())) or positions
    least = 2 * _parts_along(grid.dimensions)
    if min(grid.shape) < least:
        _refuse(f"{min(grid.shape)} nodes along an axis are too few, the least are {least}", landscape.name)
    increments = _measure_structure(values, grid, positions)
    variance, error, all_noise = _noise(increments)
    if all_noise:
        _refuse(f"the structure does not rise above noise of {math.sqrt(variance) * unit:.3g}", landscape.name)
    noise = math.sqrt(variance)
    above = dataclasses.replace(increments, squares=increments.squares - 2.0 * variance)
    reach = _reach(above, _SMOOTH)
    smooth = reach >= _SMALLEST_LAG * increments.scales[0]
    study = _Study(unit, confidence, window, smooth, _reach(above, _ROUNDED), reach)
    found: list[Scaling] = []
    refused: dict[str, str] = {}
    smoothed: _Smoothed | None = None
    for name in methods:
        if name == "structure":
            result = study.scaling(increments)
        else:
            if smoothed is None:
                try:
                    if isinstance(source, Evolution):
                        smoothed = _smooth(source, values, positions, _given_levels(source, positions))
                    else:
                        smoothed = _smooth(source, values, positions, _levels(grid, positions))
                except (SigmaError, UnsupportedError) as reason:
                    if method != "all":
                        raise
                    refused |= {other: reason.problem for other in METHODS[1:]}
                    break
            result = study.scaling(_measure_smoothed(name, smoothed, noise))
        if isinstance(result, str):
            refused[name] = result
        else:
            found.append(result)
    if any(not scaling.saturated for scaling in found):
        for scaling in [scaling for scaling in found if scaling.saturated]:
            refused[scaling.method] = f"it sees no rough range, but a smooth one up to {scaling.window[1]:.3g}"
            found.remove(scaling)
    if not found:
        reasons = dict.fromkeys(refused.values())
        _refuse("; ".join(dict.fromkeys(reasons)), landscape.name)
    exponent, interval, agree = _combine(found, confidence)
    first = found[0]
    return Roughness(
        exponent,
        interval,
        confidence,
        method,
        first.saturated,
        (min(s.window[0] for s in found), max(s.window[1] for s in found)),
        tuple(found),
        refused,
        agree,
        noise * unit,
        0.5 * error / noise * unit if noise else math.nan,
        reach if smooth else 0.0,
        _intermittency(landscape, axis, first) if first.method == "structure" else math.nan,
    )
