"""What the flow multiplies by a number: the modes of an axis and of a grid, and norms of fields made of them.

y = A u, A the Gaussian convolution by the variance to be undone, t. Along a
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
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from heatpg.core.grid import Axis, Grid
from heatpg.errors import ResourceError, UnsupportedError
from heatpg.roughness.waves import mean_square_weights, mean_weights, outer_sum, wavenumbers
from heatpg.solvers import make
from heatpg.solvers.faces import with_faces
from heatpg.solvers.transforms import basis_along

__all__ = [
    "EPS",
    "Modes",
    "Problem",
    "along",
    "apply",
    "diagonal_of",
    "mean_over",
    "modes_along",
    "quadratic_form",
    "rms_over",
    "sum_of_products",
]

Array = NDArray[Any]
EPS = float(np.finfo(np.float64).eps)
# Nodes of an axis in free space; the singular vectors of more take minutes.
_LARGEST_MATRIX = 2048
# Sigmas. Measured: of slopes, bumps and waves half or twice as much triples the error next to the edge.
_CONTINUED = 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class Modes:
    """What the flow multiplies by a number along one axis.

    Attributes
    ----------
    axis
        The axis.
    variance
        t, the variance to be undone along it; 0 where nothing is.
    exponent
        -ln a of each mode, a the number that the flow multiplies it by; infinite where a mode is lost.
    data, output, noise
        Quadratic forms of coefficients, each a vector (the diagonal) or a matrix: the mean square of the field that
        they give, that of the estimate that they give, and the mean square of the estimate that multipliers give from
        white noise of variance 1.
    gain
        rms of a mode in the estimate over its rms in the field; times the multiplier it is the amplification.
    analysis, synthesis
        Field to coefficients and back, as matrices; None where a fast transform does it.
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
        return along(self.analysis, field, position)

    def inverse(self, coefficients: Array, position: int) -> Array:
        """Coefficients to the estimate; may overwrite its argument."""
        if self.variance == 0.0:
            return coefficients
        if self.synthesis is None:
            return basis_along(self.axis).inverse(np.ascontiguousarray(coefficients), position)
        return along(self.synthesis, coefficients, position)


def along(form: Any, field: Array, position: int) -> Array:
    """A vector times a field, or a matrix applied to it, along one axis."""
    if form.ndim == 1:
        shape = [1] * field.ndim
        shape[position] = field.shape[position]
        return np.asarray(field * form.reshape(shape))
    # one product of matrices, whatever the number of other axes; sparse forms can be applied in no other way
    moved = np.moveaxis(field, position, 0)
    result = form @ moved.reshape(moved.shape[0], -1)
    return np.moveaxis(result.reshape(form.shape[0], *moved.shape[1:]), 0, position)


def quadratic_form(forms: Sequence[Any], array: Array) -> float:
    """array^T (form_1 x form_2 x ...) array."""
    result = array
    for position, form in enumerate(forms):
        result = along(form, result, position)
    # a form is not negative; rounding may be
    return max(0.0, sum_of_products(array, result))


def sum_of_products(*arrays: Array) -> float:
    """sum_i a_i b_i c_i ..., without an array of the products."""
    flat = [array.reshape(-1) for array in arrays]
    return float(np.einsum(",".join("i" * len(flat)) + "->", *flat))


def diagonal_of(form: Any) -> Array:
    """Diagonal of a quadratic form, which is itself one if it is a vector."""
    return np.asarray(form if form.ndim == 1 else form.diagonal())


def mean_over(field: Array, grid: Grid) -> float:
    """Mean over the box by its quadrature."""
    weights = functools.reduce(np.multiply.outer, [mean_weights(axis) for axis in grid])
    return float((weights * field).sum())


def rms_over(field: Array, grid: Grid) -> float:
    """Root of the mean square over the box."""
    return math.sqrt(mean_over(field**2, grid))


def _resting_modes(axis: Axis) -> Modes:
    """The nodes themselves, along an axis where nothing is undone: a transform would only round."""
    weights = mean_weights(axis)
    ones = np.ones(axis.size)
    return Modes(axis, 0.0, np.zeros(axis.size), weights, weights, weights, ones)


def _bordered(diagonal: Array, border: Array, sign: Array, corner: float) -> Any:
    """Symmetric matrix of a diagonal, a border in the first row, the same with signs in the last, and their corner."""
    size = len(diagonal)
    inside, first, last = np.arange(1, size - 1), np.zeros(size - 2, int), np.full(size - 2, size - 1)
    rows = np.concatenate([np.arange(size), inside, first, inside, last, [0, size - 1]])
    columns = np.concatenate([np.arange(size), first, inside, last, inside, [size - 1, 0]])
    values = np.concatenate([diagonal, border, border, sign * border, sign * border, [corner, corner]])
    return scipy.sparse.csr_array((values, (rows, columns)), shape=(size, size))


def _goes_on(axis: Axis) -> bool:
    """Whether a constant goes on outside the box."""
    return bool(axis.rule.extend(axis.size, axis.nodes, 1, 1).of(np.ones(axis.size), 0)[0] == 1.0)


@functools.lru_cache(maxsize=64)  # cheap ones; a sweep over sigmas or seeds asks for the same again and again
def _closed_modes(axis: Axis, variance: float) -> Modes:
    """The waves of the boundary, each multiplied by exp(-k^2 t / 2)."""
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
        return Modes(axis, variance, exponent, data, data, noise, ones)
    # noise is white in the waves too: its variance 1, spread over n of them
    noise = np.full(size, 1.0 / size)
    if not axis.rule.periodic and axis.nodes == "vertex":
        # the end nodes count half in the mean square, but their noise is that of the others
        noise = np.full(size, (size - 2.0) / (size - 1.0) ** 2)
        noise[[0, -1]] = (size - 1.5) / (size - 1.0) ** 2
    return Modes(axis, variance, exponent, data, data, noise, ones)


def _matrix(axis: Axis, variance: float) -> Array:
    """The Gaussian convolution as a matrix from the box to the box.

    As a sum over the nodes, without the correction of its ends: that takes slopes from four end nodes, and would leave
    them as good as free to move together. Measured: edges come back ten times worse with it, whatever y was made by.
    """
    matrix = np.eye(axis.size)
    if variance > 0.0:
        direct: Any = make("direct")
        operator = with_faces(
            axis, lambda place, kind: direct.convolution(place, variance, kind, False, corrected=False), matrix.dtype
        )
        operator.apply(matrix, matrix, 0)
    return matrix


@functools.lru_cache(maxsize=16)  # of four matrices each, 134 MB at the largest size
def _free_modes(axis: Axis, start: float, stop: float) -> Modes:
    """Singular vectors of Q to u(stop) in the box; the estimate is u(start) of what they give for Q."""
    size = axis.size
    if size > _LARGEST_MATRIX:
        raise ResourceError(
            f"axis {axis.name!r} in free space has too many nodes for a backward solve",
            given=size,
            allowed=f"at most {_LARGEST_MATRIX}",
            advice="use a coarser grid: for a smoothed field a spacing of sigma / 2 suffices",
        )
    weights = mean_weights(axis)
    root = np.sqrt(weights)
    # |Q|^2 is that of a line continued by sigma: else an end node, which stands for all that is outside, is as good as
    # free to leave its neighbours
    beyond = math.ceil(_CONTINUED * math.sqrt(stop) / axis.spacing)
    extension = axis.rule.extend(size, axis.nodes, beyond, beyond)
    outside = np.ones(size + 2 * beyond)
    outside[beyond : beyond + size] = 0.0
    share = axis.spacing / axis.weights.sum()
    if axis.faced:
        # outside are the values on the walls, of several cells each: the norm is that of a matrix
        continued = extension.of(np.eye(size), 0) * np.sqrt(share * outside)[:, None]
        upper = np.linalg.cholesky(np.diag(weights) + continued.T @ continued).T
        back = np.linalg.inv(upper)
    else:
        held = np.bincount(extension.source, weights=outside * extension.weight**2, minlength=size)
        back = np.diag(1.0 / np.sqrt(weights + held * share))
    # of A between the norms of the two sides: data count by the mean square over the box, Q by that of the longer line
    left, values, right = np.linalg.svd(root[:, None] * _matrix(axis, stop) @ back)
    # singular values below the rounding of the decomposition are rounding; their modes are lost for good, k = infinity
    lost = values <= size * EPS * values[0]
    exponent = np.where(lost, np.inf, -np.log(np.where(lost, 1.0, values)))
    synthesis = _matrix(axis, start) @ (back @ right.T)
    output = (synthesis.T * weights) @ synthesis
    noise = ((left.T * weights) @ left) * output
    gain = np.sqrt(np.diagonal(output))
    return Modes(axis, stop, exponent, np.ones(size), output, noise, gain, left.T * root, synthesis)


def modes_along(axis: Axis, start: float, stop: float) -> Modes:
    """Modes of the flow along one axis from the variance of the estimate to that of the field."""
    if stop == start:
        return _resting_modes(axis)
    if axis.faced and axis.rule.holds_ends:
        # noise in the end cells reaches the whole line by way of the chord, and hides what was smooth there
        raise UnsupportedError(
            "inversion does not support 'absorb' or 'clip' with nodes='cell'",
            given=f"axis {axis.name!r}: boundary={axis.boundary!r}, nodes='cell'",
            advice="sample the axis with nodes='vertex'",
        )
    if axis.rule.free_space:
        return _free_modes(axis, start, stop)
    return _closed_modes(axis, stop - start)


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """y = A u on one grid: the exponents of all modes, and their effective wavenumbers."""

    grid: Grid
    modes: tuple[Modes, ...]
    variance: float
    exponent: Array
    wavenumber: Array

    @classmethod
    def of(cls, grid: Grid, start: Sequence[float], stop: Sequence[float]) -> Problem:
        """The problem of going from the variances `stop` of the field back to those of the estimate, `start`."""
        modes = tuple(modes_along(axis, a, b) for axis, a, b in zip(grid, start, stop, strict=True))
        # factors multiply over the axes, so exponents add; with the largest variance, |k| is never overstated
        exponent = outer_sum([mode.exponent for mode in modes])
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
        return bool(free) and all(_goes_on(axis) for axis in free)

    def level(self, field: Array) -> float:
        """What is taken off before and put back after; 0 where nothing is."""
        # the plain mean: any constant would do that is near the field and linear in it
        return float(field.mean()) if self.levels else 0.0

    def amplification(self, multiplier: Array) -> float:
        """Root of the mean square of what the regularised inverse makes of white noise of variance 1."""
        square = quadratic_form(self.noise, multiplier)
        if self.levels:
            # M (1 - P) + P, P the projection on the mean, in place of M: the trace of its square by M 1 = `constant`
            constant = self.inverse(self.forward(np.ones(self.grid.shape)) * multiplier)
            rest = 1.0 - constant
            square += mean_over(2.0 * constant * rest + rest**2, self.grid) / self.grid.size
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


def apply(problem: Problem, multiplier: Array, field: Array) -> Array:
    """The regularised inverse of a field; may overwrite its argument."""
    level = problem.level(field)
    return problem.inverse(problem.forward(field - level) * multiplier) + level
