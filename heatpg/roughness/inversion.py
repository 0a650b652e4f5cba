"""Undoing exploration noise: the backward heat equation, which is unstable, and what regularisation makes of it.

The field at the larger sigma is y = A u + noise, A the Gaussian convolution by the variance to be undone, t. Along a
closed axis A multiplies the wave k by exp(-k^2 t / 2), and the waves are those of the boundary. In free space A is the
matrix that takes the values of Q in the box to those of u in the box, with Q continued outside as the boundary says
(``clip``, ``zero``). Its singular vectors stand for the waves, and its singular values s for exp(-k^2 t / 2), so that k
is sqrt(-2 ln s / t). Nothing is assumed beyond what the forward solve assumed; a mirrored or periodic continuation of y
instead has kinks at the edges, which no smoothed field has, and which would be amplified beyond all else. But where the
assumption is wrong, its error acts as noise of size osc(Q) P(noise leaves the box): see `heatpg.Grid.trust`.

Norms are means over the box by its quadrature, so that white noise of standard deviation eps has the expected norm eps.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.optimize import brentq

from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import NonFiniteError, ResourceError, SigmaError, UnknownNameError, UnsupportedError
from heatpg.evolution import Evolution, solve
from heatpg.roughness.spectrum import (
    _dictionary,
    _outer_sum,
    _positive,
    _require_single,
    mean_square_weights,
    mean_weights,
    recoverable_band,
    wavenumbers,
)
from heatpg.solvers.transforms import basis_along

__all__ = ["Amplification", "Backward", "backward", "noise_amplification"]

Array = NDArray[Any]
Method = Literal["cutoff", "tikhonov"]

_EPS = float(np.finfo(np.float64).eps)
_LARGEST_EXPONENT = 700.0  # exp(709) is the largest double
_LARGEST_MATRIX = 2048  # nodes of an axis in free space; the singular vectors of more take minutes
_ALPHAS = (1e-32, 1e8)  # below eps^2 nothing is damped that a double can hold; above, everything is
_TINY = float(np.finfo(np.float64).tiny)
_CONTINUED = 1.0  # sigmas; of slopes, bumps and waves half or twice as much triples the error next to the edge
_SLOWEST = 0.9  # ratio of the powers of half octaves that a spectrum is taken to fall off with at least
_SCATTER = 3.0  # standard deviations of the squared norm of the noise that the residual is left above it


def noise_amplification(wavenumber: float, variance_step: float) -> float:
    """Factor exp(k^2 dsigma^2 / 2) by which undoing a variance multiplies noise of a wavenumber.

    Parameters
    ----------
    wavenumber
        Angular; the finest wave of a grid of spacing h has pi / h.
    variance_step
        dsigma^2, >= 0.

    Returns
    -------
    factor
        Infinite where it exceeds the largest double.

    Raises
    ------
    SigmaError
        For a negative number, NaN or infinity.

    Examples
    --------
    >>> import math
    >>> from heatpg.roughness.inversion import noise_amplification
    >>> [f"{noise_amplification(math.pi / 0.01, step):.3g}" for step in (1e-4, 1e-3)]
    ['139', '2.7e+21']
    """
    k = _positive(wavenumber, "the wavenumber", zero=True)
    exponent = 0.5 * k * k * _positive(variance_step, "the variance to be undone", zero=True)
    return math.exp(exponent) if exponent <= _LARGEST_EXPONENT else math.inf


# Modes of one axis -------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False)
class _Modes:
    """What the flow multiplies by a number along one axis.

    `data`, `output` and `noise` are quadratic forms of coefficients, each a vector (the diagonal) or a matrix:
    the mean square of the field that they give, that of the estimate that they give, and the mean square of the
    estimate that multipliers give from white noise of variance 1.
    """

    axis: Axis
    variance: float
    exponent: NDArray[np.float64]
    data: Any
    output: Any
    noise: Any
    gain: NDArray[np.float64]
    analysis: Array | None = None
    synthesis: Array | None = None

    def forward(self, field: Array, position: int) -> Array:
        """Field to coefficients; may overwrite its argument."""
        if self.variance == 0.0:
            return field
        if self.analysis is None:
            return basis_along(self.axis).forward(np.ascontiguousarray(field), position)
        return _along(self.analysis, field, position)

    def inverse(self, coefficients: Array, position: int) -> Array:
        """Coefficients to the estimate; may overwrite its argument."""
        if self.variance == 0.0:
            return coefficients
        if self.synthesis is None:
            return basis_along(self.axis).inverse(np.ascontiguousarray(coefficients), position)
        return _along(self.synthesis, coefficients, position)


def _along(form: Any, field: Array, position: int) -> Array:
    """A vector times a field, or a matrix applied to it, along one axis."""
    if form.ndim == 1:
        shape = [1] * field.ndim
        shape[position] = field.shape[position]
        return np.asarray(field * form.reshape(shape))
    moved = np.moveaxis(field, position, 0)
    result = form @ moved.reshape(moved.shape[0], -1)
    return np.moveaxis(result.reshape(form.shape[0], *moved.shape[1:]), 0, position)


def _value(forms: Sequence[Any], array: Array) -> float:
    """array^T (form_1 x form_2 x ...) array."""
    result = array
    for position, form in enumerate(forms):
        result = _along(form, result, position)
    return max(0.0, _sum_of_products(array, result))


def _sum_of_products(*arrays: Array) -> float:
    flat = [array.reshape(-1) for array in arrays]
    return float(np.einsum(",".join("i" * len(flat)) + "->", *flat))


def _diagonal(form: Any) -> Array:
    return np.asarray(form if form.ndim == 1 else form.diagonal())


def _resting_modes(axis: Axis) -> _Modes:
    """The nodes themselves, along an axis where nothing is undone."""
    weights = mean_weights(axis)
    ones = np.ones(axis.size)
    return _Modes(axis, 0.0, np.zeros(axis.size), weights, weights, weights, ones)


def _bordered(diagonal: Array, border: Array, sign: Array, corner: float) -> Any:
    """Symmetric matrix of a diagonal, a border in the first row, the same with signs in the last, and their corner."""
    size = len(diagonal)
    inside, first, last = np.arange(1, size - 1), np.zeros(size - 2, int), np.full(size - 2, size - 1)
    rows = np.concatenate([np.arange(size), inside, first, inside, last, [0, size - 1]])
    columns = np.concatenate([np.arange(size), first, inside, last, inside, [size - 1, 0]])
    values = np.concatenate([diagonal, border, border, sign * border, sign * border, [corner, corner]])
    return scipy.sparse.csr_array((values, (rows, columns)), shape=(size, size))


@functools.lru_cache(maxsize=64)
def _closed_modes(axis: Axis, variance: float) -> _Modes:
    size = axis.size
    exponent = 0.5 * variance * wavenumbers(axis) ** 2
    ones = np.ones(size)
    data: Any = mean_square_weights(axis)
    if axis.rule.holds_ends:
        # The chord is not orthogonal to the sines: the mean of (1 - s) sin(pi j s) is p_j / 2, that of s sin(pi j s) is
        # (-1)^(j+1) p_j / 2, with p_j = cot(pi j / 2 m) / m, m = n - 1. Noise of the ends enters the sines as -p_j.
        m = size - 1
        number = np.arange(1, m)
        sign = np.where(number % 2 == 1, 1.0, -1.0)
        p = 1.0 / (m * np.tan(0.5 * math.pi * number / m))
        square = (2.0 * m * m + 1.0) / (6.0 * m * m)
        diagonal = np.concatenate([[square], np.full(m - 1, 0.5 / m**2), [square]])
        data = _bordered(diagonal, 0.5 * p / m, sign, 0.5 - square)
        diagonal = np.concatenate([[square], 1.0 / m + p**2, [square]])
        noise: Any = _bordered(diagonal, -0.5 * p**2, np.ones(m - 1), 0.0)
        return _Modes(axis, variance, exponent, data, data, noise, ones)
    noise = np.full(size, 1.0 / size)
    if not axis.rule.periodic and axis.nodes == "vertex":
        # the end nodes count half in the mean square, but their noise is that of the others
        noise = np.full(size, (size - 2.0) / (size - 1.0) ** 2)
        noise[[0, -1]] = (size - 1.5) / (size - 1.0) ** 2
    return _Modes(axis, variance, exponent, data, data, noise, ones)


def _matrix(axis: Axis, variance: float) -> Array:
    """The Gaussian convolution as a matrix from the box to the box."""
    if variance == 0.0:
        return np.eye(axis.size)
    return np.asarray(solve(Landscape(np.eye(axis.size), Grid(axis)), math.sqrt(variance), "direct").values[0].T)


@functools.lru_cache(maxsize=16)
def _free_modes(axis: Axis, start: float, stop: float) -> _Modes:
    """Singular vectors of Q to u(stop) in the box; the estimate is u(start) of what they give for Q."""
    size = axis.size
    if size > _LARGEST_MATRIX:
        raise ResourceError(
            f"axis {axis.name!r} in free space has too many nodes for a backward solve",
            given=size,
            allowed=f"at most {_LARGEST_MATRIX}",
            advice="a smoothed field is held by a coarser grid as well: a spacing of sigma / 2 is enough",
        )
    weights = mean_weights(axis)
    root = np.sqrt(weights)
    # |Q|^2 is that of a line continued by sigma: else an end node, which stands for all that is outside, is as good as
    # free to leave its neighbours
    beyond = math.ceil(_CONTINUED * math.sqrt(stop) / axis.spacing)
    extension = axis.rule.extend(size, axis.nodes, beyond, beyond)
    outside = np.ones(size + 2 * beyond)
    outside[beyond : beyond + size] = 0.0
    held = np.bincount(extension.source, weights=outside * extension.weight**2, minlength=size)
    norm = np.sqrt(weights + held * (axis.spacing / axis.weights.sum()))
    left, values, right = np.linalg.svd(root[:, None] * _matrix(axis, stop) / norm)
    lost = values <= size * _EPS * values[0]
    exponent = np.where(lost, np.inf, -np.log(np.where(lost, 1.0, values)))
    synthesis = _matrix(axis, start) @ (right.T / norm[:, None])
    output = (synthesis.T * weights) @ synthesis
    noise = ((left.T * weights) @ left) * output
    gain = np.sqrt(np.diagonal(output))
    return _Modes(axis, stop, exponent, np.ones(size), output, noise, gain, left.T * root, synthesis)


def _modes(axis: Axis, start: float, stop: float) -> _Modes:
    if stop == start:
        return _resting_modes(axis)
    if axis.rule.free_space:
        return _free_modes(axis, start, stop)
    return _closed_modes(axis, stop - start)


# The inverse -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False)
class _Problem:
    """y = A u on one grid: the exponents of all modes, and their effective wavenumbers."""

    grid: Grid
    modes: tuple[_Modes, ...]
    variance: float
    exponent: Array
    wavenumber: Array

    @classmethod
    def of(cls, grid: Grid, start: Sequence[float], stop: Sequence[float]) -> _Problem:
        modes = tuple(_modes(axis, a, b) for axis, a, b in zip(grid, start, stop, strict=True))
        exponent = _outer_sum([mode.exponent for mode in modes])
        variance = max(mode.variance for mode in modes)
        wavenumber = np.sqrt(np.maximum(exponent, 0.0) * (2.0 / variance))
        return cls(grid, modes, variance, exponent, wavenumber)

    @property
    def data(self) -> list[Any]:
        return [mode.data for mode in self.modes]

    @property
    def output(self) -> list[Any]:
        return [mode.output for mode in self.modes]

    @property
    def noise(self) -> list[Any]:
        return [mode.noise for mode in self.modes]

    @property
    def levels(self) -> bool:
        """Whether the mean is taken off before and put back after.

        Where ends continue, the flow leaves a constant alone, but no mode stands for it. Constants are modes of closed
        axes, and beyond ``zero`` they end.
        """
        free = [mode.axis for mode in self.modes if mode.variance > 0 and mode.axis.rule.free_space]
        return bool(free) and all(axis.rule.extend(axis.size, axis.nodes, 1, 1).weight[0] == 1.0 for axis in free)

    def level(self, field: Array) -> float:
        return float(field.mean()) if self.levels else 0.0

    def amplification(self, multiplier: Array) -> float:
        """Root of the mean square of what the regularised inverse makes of white noise of variance 1."""
        square = _value(self.noise, multiplier)
        if self.levels:
            # M (1 - P) + P, P the projection on the mean, in place of M: the trace of its square by M 1 = `constant`
            constant = self.inverse(self.forward(np.ones(self.grid.shape)) * multiplier)
            rest = 1.0 - constant
            square += _mean(2.0 * constant * rest + rest**2, self.grid) / self.grid.size
        return math.sqrt(max(0.0, square))

    def forward(self, field: Array) -> Array:
        """Coefficients; may overwrite its argument."""
        for position, mode in enumerate(self.modes):
            field = mode.forward(field, position)
        return np.ascontiguousarray(field)

    def inverse(self, coefficients: Array) -> Array:
        """The estimate; may overwrite its argument."""
        for position, mode in enumerate(self.modes):
            coefficients = mode.inverse(coefficients, position)
        return np.ascontiguousarray(coefficients)


class _Cutoff:
    """exp(k^2 t / 2) for |k| <= k_c, and 0 beyond."""

    def __init__(self, problem: _Problem) -> None:
        self.problem = problem

    def cutoff(self, parameter: float) -> float:
        return parameter

    def multiplier(self, parameter: float) -> Array:
        problem = self.problem
        kept = (problem.wavenumber <= parameter) & np.isfinite(problem.exponent)
        largest = float(problem.exponent[kept].max(initial=0.0))
        if largest > _LARGEST_EXPONENT:
            raise NonFiniteError(
                "this cut-off keeps waves whose noise grows beyond the largest number",
                given=f"k_c={parameter:g}, amplification e^{largest:.0f}",
                allowed=f"k_c <= {math.sqrt(2.0 * _LARGEST_EXPONENT / problem.variance):.4g}",
                advice="take a smaller cut-off, or give the noise and leave the parameter out",
            )
        return np.exp(np.where(kept, problem.exponent, -np.inf))

    def loss(self, parameter: float) -> Array:
        """1 - a m: what the residual keeps of the data."""
        return ~((self.problem.wavenumber <= parameter) & np.isfinite(self.problem.exponent))

    def search(self, excess: Callable[[float], float]) -> float:
        """The smallest k_c without excess, to a thousandth of the distance between wavenumbers."""
        problem = self.problem
        if excess(0.0) <= 0.0:
            return 0.0
        finite = problem.wavenumber[np.isfinite(problem.wavenumber)]
        high = min(float(finite.max()), math.sqrt(-2.0 * math.log(_EPS) / problem.variance))
        if excess(high) > 0.0:
            return math.nan
        low, step = 0.0, 1e-3 * min(math.pi / axis.length for axis in problem.grid)
        while high - low > step:
            middle = 0.5 * (low + high)
            if excess(middle) > 0.0:
                low = middle
            else:
                high = middle
        return high


class _Tikhonov:
    """a / (a^2 + alpha), a = exp(-k^2 t / 2); modes that were not smoothed stay as they are."""

    def __init__(self, problem: _Problem) -> None:
        self.problem = problem
        self.factor = np.exp(-problem.exponent)
        self.square = self.factor**2
        self.unchanged = problem.exponent == 0.0

    def cutoff(self, parameter: float) -> float:
        return math.sqrt(max(0.0, -math.log(parameter)) / self.problem.variance)

    def multiplier(self, parameter: float) -> Array:
        return np.where(self.unchanged, 1.0, self.factor / (self.square + parameter))

    def loss(self, parameter: float) -> Array:
        result = self.square + parameter
        np.divide(parameter, result, out=result)
        result[self.unchanged] = 0.0
        return result

    def search(self, excess: Callable[[float], float]) -> float:
        """The alpha without excess, to a millionth."""
        least, most = _ALPHAS
        if excess(most) <= 0.0:
            return most
        if excess(least) > 0.0:
            return math.nan
        return math.exp(brentq(lambda s: excess(math.exp(s)), math.log(least), math.log(most), xtol=1e-6))


_METHODS: dict[str, type[_Cutoff] | type[_Tikhonov]] = {"cutoff": _Cutoff, "tikhonov": _Tikhonov}


@dataclasses.dataclass(frozen=True)
class Amplification:
    """What a backward solve made of pure white noise.

    Attributes
    ----------
    observed
        Root of the mean square of what came out, over the standard deviation that went in.
    predicted
        The same from the multipliers.
    standard_error
        Of the observed figure, for modes that do not mix.
    seed
        Of the noise.
    samples
        Number of fields of noise.
    """

    observed: float
    predicted: float
    standard_error: float
    seed: int
    samples: int

    def __str__(self) -> str:
        return (
            f"noise x {self.observed:.5g} observed, x {self.predicted:.5g} predicted "
            f"(standard error {self.standard_error:.2g}, seed {self.seed}, {self.samples} samples)"
        )

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON-like values."""
        return _dictionary(self)


@dataclasses.dataclass(frozen=True, eq=False)
class Backward:
    """An estimate of u at a smaller sigma, and what noise and regularisation have made of it.

    Attributes
    ----------
    estimate
        u at the smaller sigma, as a landscape in double precision.
    method
        ``cutoff`` or ``tikhonov``.
    parameter
        k_c, or alpha.
    chosen
        Whether the discrepancy principle chose the parameter.
    cutoff
        Wavenumber from which on waves are lost: k_c, or where exp(-k^2 t) = alpha.
    variance_step
        Variance undone along each axis.
    noise
        Standard deviation of the noise per node, if it was given.
    tau
        The residual aimed at, in units of the noise; None where the parameter was given.
    residual
        Root of the mean square of A u - y over the box.
    amplification
        Predicted factor from the standard deviation of white noise per node to the rms of what it becomes.
    largest_amplification
        The same for the worst mode.
    observed_amplification
        What became of the noise that was added by seed, over its standard deviation; None without a seed.
    recoverable
        `recoverable_band` of the noise and of a wave with the rms of the data; None without noise.
    bias
        Estimate of what the regularisation takes off: its own damping of what was found, and what lies beyond the
        cut-off if the power there goes on to fall as it does in the octave below. Nothing in the data tells whether it
        does: a feature finer than the cut-off is not in this estimate.
    error
        rms of the estimate against the truth, where an evolution knows it; otherwise None.
    assumption
        What is assumed about the field outside of the box.
    """

    estimate: Landscape
    method: str
    parameter: float
    chosen: bool
    cutoff: float
    variance_step: tuple[float, ...]
    noise: float | None
    tau: float | None
    residual: float
    amplification: float
    largest_amplification: float
    observed_amplification: float | None
    recoverable: float | None
    bias: float
    error: float | None
    assumption: str
    _problem: _Problem = dataclasses.field(repr=False)
    _multiplier: Array = dataclasses.field(repr=False)

    @property
    def values(self) -> Array:
        """Values of the estimate, shape of the grid."""
        return self.estimate.values

    @property
    def noise_error(self) -> float | None:
        """Predicted rms of what the noise has become, eps times the amplification; None without noise."""
        return None if self.noise is None else self.noise * self.amplification

    def measure_amplification(self, seed: int, *, samples: int = 1) -> Amplification:
        """Push white noise through the same linear map.

        Parameters
        ----------
        seed
            Of `numpy.random.default_rng`.
        samples
            Number of fields of noise.

        Raises
        ------
        UnsupportedError
            For less than one sample, or a seed that is none.
        """
        _require_seed(seed)
        if samples < 1:
            raise UnsupportedError("there is nothing to measure", given=f"samples={samples}", allowed="1, 2, ...")
        problem = self._problem
        generator = np.random.default_rng(seed)
        squares = [
            _rms(_apply(problem, self._multiplier, generator.standard_normal(problem.grid.shape)), problem.grid) ** 2
            for _ in range(samples)
        ]
        # a sum of independent squares with expectations v has the variance 2 sum v^2
        share = self._multiplier**2
        for position, form in enumerate(problem.noise):
            share = _along(_diagonal(form), share, position)
        scatter = math.sqrt(2.0 * float((share**2).sum())) / float(share.sum())
        return Amplification(
            math.sqrt(sum(squares) / samples),
            self.amplification,
            0.5 * self.amplification * scatter / math.sqrt(samples),
            seed,
            samples,
        )

    def __str__(self) -> str:
        steps = self.variance_step
        same = all(step == steps[0] for step in steps)
        undone = f"{steps[0]:.4g}" if same else ", ".join(f"{step:.4g}" for step in steps)
        how = f"by the discrepancy principle, tau = {self.tau:.4g}" if self.chosen else "as given"
        name = "k_c" if self.method == "cutoff" else "alpha"
        lines = [
            f"undone        sigma^2 = {undone} by {self.method}, {name} = {self.parameter:.4g} {how}",
            f"band          |k| <= {self.cutoff:.4g}"
            + ("" if self.recoverable is None else f"; recoverable {self.recoverable:.4g}"),
        ]
        observed = "" if self.observed_amplification is None else f", {self.observed_amplification:.4g} observed"
        lines.append(
            f"noise         times {self.amplification:.4g} predicted{observed}; the worst wave times "
            f"{self.largest_amplification:.4g}"
        )
        level = "" if self.noise is None else f"; noise {self.noise:.4g}, amplified {self.noise_error:.4g}"
        lines.append(f"residual      {self.residual:.4g}{level}")
        lines.append(f"bias          {self.bias:.4g} estimated")
        if self.error is not None:
            lines.append(f"error         {self.error:.4g} rms against the truth")
        lines.append(f"outside       {self.assumption}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """All but the field, as JSON-like values."""
        entries = _dictionary(self, leave_out=("estimate", "_problem", "_multiplier"))
        return {**entries, "noise_error": self.noise_error}


def _require_seed(seed: int) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise UnsupportedError("this is no seed", given=repr(seed), allowed="whole numbers >= 0")


def _mean(field: Array, grid: Grid) -> float:
    weights = functools.reduce(np.multiply.outer, [mean_weights(axis) for axis in grid])
    return float((weights * field).sum())


def _rms(field: Array, grid: Grid) -> float:
    return math.sqrt(_mean(field**2, grid))


def _apply(problem: _Problem, multiplier: Array, field: Array) -> Array:
    """The regularised inverse of a field; may overwrite its argument."""
    level = problem.level(field)
    return problem.inverse(problem.forward(field - level) * multiplier) + level


def _assumption(grid: Grid) -> str:
    free = [axis for axis in grid if axis.rule.free_space]
    if not free:
        return "nothing: every boundary is closed"
    words = {"clip": "the estimate continues by its edge values", "zero": "the estimate is 0"}
    return "; ".join(f"beyond {axis.name!r} {words.get(axis.boundary, axis.rule.meaning)}" for axis in free)


def _interval(
    source: Evolution | Landscape,
    to: float | Sequence[float] | None,
    variance_step: float | Sequence[float] | None,
    index: int,
) -> tuple[Array, tuple[float, ...], tuple[float, ...]]:
    """The field to start from, the variances of the estimate and those of the field."""
    grid = source.grid
    if to is not None and variance_step is not None:
        raise SigmaError("what is undone is given by `to` or by `variance_step`", given="both", allowed="one of them")
    # `sigmas` refuses what is negative, not finite, or of the wrong length
    step = None if variance_step is None else grid.sigmas(variance_step)
    if isinstance(source, Landscape):
        if step is None:
            raise SigmaError(
                "the variance to be undone is not known of a landscape",
                given="no variance_step",
                allowed="variance_step=dsigma^2, one number or one per axis",
                advice="an evolution knows its sigma, and is solved back with `to`",
            )
        field, start, stop = source.values, (0.0,) * grid.dimensions, step
    else:
        if source.covariance is not None:
            raise UnsupportedError(
                "correlated noise does not factor over the axes, and is not undone",
                given="an evolution with a covariance",
                allowed="one sigma, or one per axis",
                advice="sample Q along the principal axes of the covariance",
            )
        if not -len(source) <= index < len(source):
            raise SigmaError("no sigma of this index", given=index, allowed=f"{-len(source)} to {len(source) - 1}")
        field, stop = source.values[index], tuple(float(t) for t in source.variances[index])
        levels = tuple(float(s) for s in source.sigmas[index])
        if step is None:
            aims = grid.sigmas(0.0 if to is None else to)
            start = tuple(aim**2 for aim in aims)
            short = any(aim > level for aim, level in zip(aims, levels, strict=True))
        else:
            # a step that is the whole variance up to rounding undoes all of it
            start = tuple(0.0 if abs(b - s) <= 4.0 * _EPS * b else b - s for b, s in zip(stop, step, strict=True))
            short = any(a < 0.0 for a in start)
        if short:
            raise SigmaError(
                "a backward solve ends at a smaller sigma",
                given=f"to={to}" if step is None else f"variance_step={variance_step}",
                allowed=f"sigmas up to {levels}, variances up to {stop}",
                advice="forward is heatpg.evolve",
            )
    if all(b == a for a, b in zip(start, stop, strict=True)):
        raise SigmaError("there is nothing to undo", given=f"variances {stop} to {start}", allowed="a smaller sigma")
    return field, start, stop


def _truth(evolution: Evolution, start: tuple[float, ...]) -> Array:
    if not any(start):
        return evolution.landscape.values
    stored = np.flatnonzero((evolution.variances == np.array(start)).all(axis=1))
    return evolution.values[stored[0]] if len(stored) else evolution.at([math.sqrt(t) for t in start])


def backward(
    source: Evolution | Landscape,
    *,
    to: float | Sequence[float] | None = None,
    variance_step: float | Sequence[float] | None = None,
    index: int = -1,
    noise: float | None = None,
    method: str = "tikhonov",
    parameter: float | None = None,
    tau: float | None = None,
    seed: int | None = None,
) -> Backward:
    """Estimate u at a smaller sigma from a noisy field at a larger one.

    y = A u + noise, A = exp(-|k|^2 t / 2). ``cutoff``: u^ = exp(|k|^2 t / 2) y^ for |k| <= k_c and 0 beyond;
    ``tikhonov``: u^ = a / (a^2 + alpha) y^ with a = exp(-|k|^2 t / 2), the u of least |A u - y|^2 + alpha |u|^2, where
    what was not smoothed (mean, held ends) is not damped.

    Parameters
    ----------
    source
        An evolution, or a landscape that is taken for a smoothed one; without batch axes.
    to
        Of an evolution: the sigma to go back to, one or one per axis; 0 if neither this nor `variance_step` is given.
    variance_step
        dsigma^2 to be undone, one or one per axis. A landscape needs it, and is solved back to sigma = 0.
    index
        Which sigma of an evolution to start from; the last by default.
    noise
        eps, standard deviation of the noise per node, positive. Of data without noise their rounding: about
        1e-16 max|u| in double precision, 6e-8 max|u| in single.
    method
        ``cutoff`` or ``tikhonov``.
    parameter
        k_c (an angular wavenumber, >= 0) or alpha (> 0). None lets the discrepancy principle (Morozov) choose it: the
        strongest regularisation whose residual is no more than tau eps.
    tau
        About 1; sqrt(1 + 3 sqrt(2 / N)) by default, N the number of nodes: three standard deviations of the squared
        norm of the noise above its mean, because below the noise every residual can be had, at the price of fitting it.
    seed
        Add white noise of level `noise` to the field first, by this seed: an experiment whose truth is known.

    Returns
    -------
    backward
        The estimate, with the parameter, the predicted amplification of noise, and the residual.

    Raises
    ------
    SigmaError
        For a sigma above that of the field, nothing to undo, numbers that are negative or not finite.
    UnsupportedError
        Without noise and without parameter; for correlated noise, batch axes, a parameter out of range, or noise below
        what any regularised solution leaves of the data.
    UnknownNameError
        For an unknown method.
    NonFiniteError
        For a cut-off beyond which multipliers overflow.
    ResourceError
        For an axis in free space of more than 2048 nodes.

    Notes
    -----
    Undone is the Gaussian convolution itself: a field of a solver of the semi-discrete flow differs from it by the
    error of that solver, which is amplified as noise is. With unequal variances |k| stands for
    sqrt(sum_i k_i^2 t_i / max t), so that a cut-off bounds the amplification along all axes. For free space see the
    module.

    Information that is lost is not had back: outside of the band the estimate is 0 or nearly so, whatever u is. A
    policy gradient does not solve backward either; it samples Q again at each sigma.

    References
    ----------
    H. W. Engl, M. Hanke, A. Neubauer, *Regularization of Inverse Problems*, 1996, chapters 4 and 5.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.evolution import solve
    >>> from heatpg.roughness.inversion import backward
    >>> grid = Grid(Axis("x", 0.0, 2 * np.pi, 256, boundary="periodic"))
    >>> q = Landscape.from_function(lambda x: np.cos(x) + np.cos(3 * x), grid)
    >>> result = backward(solve(q, 0.5), noise=1e-3, seed=0, method="cutoff")
    >>> bool(3.0 <= result.cutoff < 4.0), bool(result.error < 3 * result.noise_error)
    (True, True)
    """
    grid = source.grid
    if method not in _METHODS:
        raise UnknownNameError("unknown way to regularise", given=repr(method), allowed="'cutoff', 'tikhonov'")
    eps = None if noise is None else _positive(noise, "the noise", zero=False)
    aim = None if tau is None else _positive(tau, "tau", zero=False)
    if eps is None and parameter is None:
        raise UnsupportedError(
            "a backward solve is unstable: whatever noise there is grows as exp(k^2 dsigma^2 / 2)",
            given="neither noise nor parameter",
            allowed="noise=eps, the standard deviation per node, or parameter=k_c or alpha",
            advice="without better knowledge the noise is the rounding of the data, about 1e-16 max|u|",
        )
    if seed is not None:
        _require_seed(seed)
    if eps is None and seed is not None:
        raise UnsupportedError("a seed adds noise of the given level", given="no noise", allowed="noise > 0")
    if parameter is not None and not (0 < parameter < math.inf or (parameter == 0 and method == "cutoff")):
        raise UnsupportedError(
            "the parameter is out of range",
            given=parameter,
            allowed="a wavenumber k_c >= 0" if method == "cutoff" else "alpha > 0",
        )
    landscape = source if isinstance(source, Landscape) else source.landscape
    _require_single(landscape, "a backward solve")
    field, start, stop = _interval(source, to, variance_step, index)
    field = np.array(field, dtype=np.float64)
    added = None
    if seed is not None:
        assert eps is not None
        added = eps * np.random.default_rng(seed).standard_normal(grid.shape)
        field += added

    problem = _Problem.of(grid, start, stop)
    filters = _METHODS[method](problem)
    level = problem.level(field)
    coefficients = problem.forward(field - level)
    if parameter is None:
        assert eps is not None
        aim = aim or math.sqrt(1.0 + _SCATTER * math.sqrt(2.0 / grid.size))
        number = _by_discrepancy(problem, filters, coefficients, aim * eps)
    else:
        number, aim = float(parameter), None
    multiplier, loss = filters.multiplier(number), filters.loss(number)
    found = coefficients * multiplier
    amplification = problem.amplification(multiplier)
    gain = functools.reduce(np.multiply.outer, [mode.gain for mode in problem.modes])
    cutoff = filters.cutoff(number)
    beyond = _power_beyond(problem, cutoff, found, multiplier, eps or 0.0)
    bias = math.sqrt(_value(problem.output, found * loss) + beyond)
    residual = math.sqrt(_value(problem.data, coefficients * loss))
    wave = math.sqrt(2.0) * _rms(field - _mean(field, grid), grid)
    values = problem.inverse(found) + level
    observed = None
    if added is not None:
        assert eps is not None
        observed = _rms(_apply(problem, multiplier, added), grid) / eps
    error = None
    if isinstance(source, Evolution):
        error = _rms(values - _truth(source, start), grid)
    provenance = {"source": "backward", "of": landscape.name, "method": method, "parameter": number}
    return Backward(
        Landscape(values, grid, f"{landscape.name}, solved back", provenance),
        method,
        number,
        parameter is None,
        cutoff,
        tuple(b - a for a, b in zip(start, stop, strict=True)),
        eps,
        aim,
        residual,
        amplification,
        float((multiplier * gain).max()),
        observed,
        None if eps is None else recoverable_band(eps, wave, problem.variance),
        bias,
        error,
        _assumption(grid),
        problem,
        multiplier,
    )


def _power_beyond(problem: _Problem, cutoff: float, found: Array, multiplier: Array, noise: float) -> float:
    """Power beyond the cut-off, if it falls off there by half octaves as it does in the two below: p r + p r^2 + ..."""
    own, loud = found**2, multiplier**2
    for position, mode in enumerate(problem.modes):
        own, loud = _along(_diagonal(mode.output), own, position), _along(_diagonal(mode.noise), loud, position)
    power = own - noise**2 * loud
    edges = cutoff / math.sqrt(2.0) ** np.arange(3)
    powers = [
        max(0.0, _sum_of_products(power, (problem.wavenumber <= upper) & (problem.wavenumber > lower)))
        for upper, lower in itertools.pairwise(edges)
    ]
    last, before = powers
    ratio = min(last / before, _SLOWEST) if before > 0.0 else _SLOWEST
    return last * ratio / (1.0 - ratio)


def _by_discrepancy(problem: _Problem, filters: _Cutoff | _Tikhonov, coefficients: Array, target: float) -> float:
    """The parameter whose residual is the target; the strongest there is, if the target is above the whole signal."""

    separate = all(form.ndim == 1 for form in problem.data)
    energy = coefficients**2
    for position, form in enumerate(problem.data):
        energy = _along(form, energy, position) if separate else energy

    def excess(parameter: float) -> float:
        loss = filters.loss(parameter)
        square = _sum_of_products(energy, loss, loss) if separate else _value(problem.data, coefficients * loss)
        return 0.5 * math.log(max(square, _TINY)) - math.log(target)

    parameter = filters.search(excess)
    if math.isnan(parameter):
        raise UnsupportedError(
            "no regularised solution comes as close to the data as the noise allows",
            given=f"tau eps = {target:.3g}",
            advice="these data are no smoothed field to within this noise: give more noise (rounding and the error of "
            "the solver are noise too), a smaller variance, or a parameter",
        )
    return parameter
