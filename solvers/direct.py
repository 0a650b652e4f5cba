"""Gaussian convolution by quadrature."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri_exp

from heatpg.core.grid import Axis
from heatpg.core.narrow import narrow_jumps, narrow_weights
from heatpg.errors import OptionError
from heatpg.solvers import solvers
from heatpg.solvers.base import LineOperator, LineSolver, Path, Solver
from heatpg.solvers.edges import CorrectedOperator, EndCorrection, end_correction, nodes_taken
from heatpg.solvers.faces import with_faces
from heatpg.solvers.filters import (
    BLOCK_ROWS,
    GROUP,
    LANE_BYTES,
    bundles_of_lines,
    convolve,
    convolve_along,
    multiply,
    multiply_along,
    pieces_of_lines,
)
from heatpg.solvers.lines import Closure, Line, SweepOperator, fill_ghosts, filter_bundle, workspace
from heatpg.solvers.narrow import narrow_correction, narrow_slopes
from heatpg.solvers.wide import wide_weights
from heatpg.tools.arguments import real_number
from heatpg.tools.arrays import type_name
from heatpg.tools.kernels import kernel, read_only
from heatpg.tools.parallel import for_each
from heatpg.tools.sums import product

__all__ = ["Direct", "SampledGaussian"]

Array = NDArray[Any]

_LARGEST_MATRIX = 2048  # nodes: 32 MiB in double precision; longer lines are filtered with folded weights
# Nodes up to which a matrix is taken already where a window is wider than the line: then it has fewer products than the
# filter, those at the ends among them. Measured: at 256 a line alone takes as long either way, a field of 256^2 a
# third less.
_SMALL_MATRIX = 256
_FEW_LINES = 8  # that are multiplied one by one; measured, at 64 to 256 nodes: from there on a bundle does better
_WIDEST_BUNDLE = 8 * 1024 * 1024  # bytes of a bundle of whole lines, a share of a third-level cache: a taste


@kernel
def _filter_bundles(
    bundle: Array, scratch: Array, first: int, rows: int, weights: Array, lower: Array, upper: Array, sign: Array
) -> None:
    """v_i = sum_k weights[k] u_{i - m + k}, with ghost rows beyond both ends."""
    for b in range(bundle.shape[0]):
        fill_ghosts(bundle[b], first, rows, lower, upper, sign)
        filter_bundle(bundle[b], scratch[b], first, rows, weights)


class _FilterOperator(SweepOperator):
    """Convolution of every line with given weights; the ghost rows are the continuation of the axis itself."""

    def __init__(self, line: Line, weights: Array, derivative: bool, spacing: float) -> None:
        self.line = line
        self.weights = weights
        self.ghosts = (len(weights) - 1) // 2
        self.derivative = derivative
        self.spacing = spacing
        closure = Closure.of(line, self.ghosts)
        self.closure = (closure.lower, closure.upper, closure.sign.astype(weights.dtype))
        # weights are padded for the sweep; without it they need no zeros in front
        self.skip = int(np.flatnonzero(weights)[0])
        taken = weights[self.skip : len(weights) - self.skip]
        self.taken = np.pad(taken, (0, -len(taken) % 4))
        # room for three moves in front and behind
        self.moved = np.pad(taken, (GROUP - 1, GROUP - 1 + (len(taken) - 1) % 4))
        self.end = weights.dtype.type(line.weight[0])
        self.chord = np.zeros((0, 4), weights.dtype)
        if line.holds_nodes:
            # the chord between held ends is steady, and stays out of the convolution; its derivative is its slope
            share = np.arange(line.size) / (line.size - 1)
            slope = np.full(line.size, 1.0 / ((line.size - 1) * spacing))
            back = (-slope, slope) if derivative else (1.0 - share, share)
            self.chord = np.stack([1.0 - share, share, *back], axis=1).astype(weights.dtype)

    def apply(self, source: Array, target: Array, position: int) -> None:
        size, inner = self.line.size, math.prod(source.shape[position + 1 :])
        lines, lanes = source.size // size, LANE_BYTES // source.itemsize
        rows = size + 2 * self.ghosts + 2 * GROUP
        read, write = read_only(source.reshape(-1)), target.reshape(-1)
        if inner == 1:

            def along(piece: tuple[int, int]) -> None:
                line = workspace.take(1, (rows,), source.dtype)
                line[size + 2 * self.ghosts :] = 0.0  # the last weights, which are zeros, reach there
                options = (self.taken, self.skip, self.ghosts, *self.closure, self.end, self.chord, line)
                convolve_along(read, write, *piece, size, *options)

            for_each(along, pieces_of_lines(lines, size))
            return
        # fewer lines than an eighth of a bundle, or too long for its width: narrower bundles do better
        if 8 * lines < lanes or rows * LANE_BYTES > _WIDEST_BUNDLE:
            super().apply(source, target, position)
            return

        def work(call: tuple[int, list[Array]]) -> None:
            valid, (base,) = call
            block = workspace.take(0, ((BLOCK_ROWS + 2) * lanes,), source.dtype)
            line = workspace.take(1, (rows * lanes,), source.dtype)
            convolve(
                *(read, write, base, inner, size, valid, self.moved, self.skip, self.ghosts, *self.closure),
                *(self.end, self.chord, block, line),
            )

        for_each(work, bundles_of_lines(lines, lanes, inner, size))

    def work(self, bundle: Array, scratch: Array) -> Array:
        _filter_bundles(bundle, scratch, self.ghosts, self.line.rows, self.weights, *self.closure)
        return scratch


class _MatrixOperator:
    """The same map as a dense matrix, where the Gaussian is as wide as the box."""

    def __init__(self, matrix: Array) -> None:
        self.size = len(matrix)
        missing = -self.size % GROUP
        self.matrix = np.pad(matrix, ((0, missing), (0, missing)))

    @functools.cached_property
    def _turned(self) -> Array:
        return np.ascontiguousarray(self.matrix.T)

    def apply(self, source: Array, target: Array, position: int) -> None:
        inner, lanes = math.prod(source.shape[position + 1 :]), LANE_BYTES // source.itemsize
        lines = source.size // self.size
        read, write = read_only(source.reshape(-1)), target.reshape(-1)
        if inner == 1 and lines <= _FEW_LINES:
            line = workspace.take(1, (len(self.matrix),), source.dtype)
            multiply_along(read, write, lines, self.size, self._turned, line)
            return

        def work(call: tuple[int, list[Array]]) -> None:
            valid, (base,) = call
            block = workspace.take(0, (BLOCK_ROWS * lanes,), source.dtype)
            line = workspace.take(1, (len(self.matrix) * lanes,), source.dtype)
            multiply(read, write, base, inner, self.size, valid, self.matrix, block, line)

        for_each(work, bundles_of_lines(lines, lanes, inner, self.size))


@dataclasses.dataclass(frozen=True)
class SampledGaussian(Solver):
    """Common base of convolutions with a sampled Gaussian truncated at a tolerance.

    Parameters
    ----------
    tolerance
        Truncation tolerance, within `tolerances`. None: the precision of the type of the field.

    Raises
    ------
    OptionError
        For a tolerance out of range.
    """

    tolerance: float | None = None

    target = "continuous"
    exact_in_time = True
    order_time = math.inf
    order_space = math.inf
    tolerances: ClassVar[tuple[str, str]]
    """Smallest and largest tolerance, as they are written in messages."""

    def __post_init__(self) -> None:
        smallest, largest = self.tolerances
        allowed = f"{smallest} to {largest}, or None"
        given = 0.0 if self.tolerance is None else real_number("tolerance", self.tolerance, allowed=allowed)
        if self.tolerance is not None and not float(smallest) <= given <= float(largest):
            raise OptionError("tolerance out of range", given=self.tolerance, allowed=allowed)

    def monotone(self, axis: Axis, variance: float) -> bool:
        return True  # every weight is a value of the Gaussian

    def monotone_between(self, axis: Axis, start: float, stop: float) -> bool:
        # sampled Gaussians compose to round-off from 1.5 h on; below, each sigma is a mean of Q but not of the last one
        return start == 0.0 or math.sqrt(min(start, stop - start)) >= 1.5 * axis.spacing

    def end_nodes(self, axis: Axis, variance: float) -> int:
        sigma = math.sqrt(variance)
        return nodes_taken(axis, sigma) if sigma >= axis.spacing else 0

    def holds_slopes(self, axis: Axis, variance: float) -> bool:
        return 0.0 < math.sqrt(variance) < axis.spacing and narrow_jumps(axis)[1] > 0.0

    def ends(self, axis: Axis, variance: float, dtype: str, slope: bool = False) -> EndCorrection | None:
        if 0.0 < math.sqrt(variance) < axis.spacing:
            return narrow_correction(axis, math.sqrt(variance), dtype, slope)
        return super().ends(axis, variance, dtype, slope)

    def _cut(self) -> float:
        """The tolerance in units of eps; it bounds a change in units of osc(Q), at most twice the largest value."""
        return (self.tolerance or 0.0) / float(np.finfo(np.float64).eps)


@solvers.register("direct")
@dataclasses.dataclass(frozen=True)
class Direct(SampledGaussian, LineSolver):
    """Convolution with the Gaussian by quadrature: u_i = sum_j w_j Q_{i+j}.

    For sigma >= h the trapezoid rule, w_j ~ exp(-j^2 h^2 / 2 sigma^2), normalised and cut where the tail is below
    the tolerance. For 0 < sigma < h, where a Gaussian falls between the nodes, three to seven weights with its variance
    and as many of its moments as they can have, and the flow of a slope that ends at a wall (`heatpg.core.narrow`).

    Parameters
    ----------
    tolerance
        Probability of the truncated tail, from 1e-17 to 1e-2. None: the precision of the type of the field.

    Raises
    ------
    OptionError
        For a tolerance out of range.

    Notes
    -----
    Exact in time. In space the trapezoid rule is spectral, error 2 exp(-2 pi^2 sigma^2 / h^2) at most, which is
    5e-9 at sigma = h and round-off from 1.5 h on. Below h it is of order 6 in h down to 0.61 h, of order 4 down to
    0.58 h, and off by sigma^2 h^2 Q'''' / 24 from there on, so that u goes over into Q. All weights are
    positive: keeps the maximum principle for every sigma. The gradient is the convolution with the derivative, below h
    with differences of fourth order. At the walls of order 5 from sigma = h on (`heatpg.solvers.edges`), and of the
    second below.
    Work grows as sigma / h, up to the width of the box.

    References
    ----------
    L. N. Trefethen, J. A. C. Weideman, The exponentially convergent trapezoidal rule, *SIAM Rev.* 56, 2014,
    doi:10.1137/130932132.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape, evolve
    >>> grid = Grid(Axis("x", 0.0, 2 * np.pi, 64, boundary="periodic"))
    >>> flow = evolve(Landscape.from_function(np.cos, grid), 0.5, solver="direct")
    >>> bool(np.abs(flow.values[0] - np.exp(-0.125) * np.cos(grid[0].coordinates)).max() < 1e-14)
    True
    """

    name = "direct"
    summary = "Gaussian convolution by quadrature, positive weights"
    tolerances = ("1e-17", "1e-2")
    padded = False  # in free space the ghosts of one convolution are the continuation of the axis

    def _radius(self, spacing: float, sigma: float, tolerance: float) -> int:
        """Smallest number of nodes beyond which the Gaussian has less than this probability."""
        # both tails together have the tolerance; half a node more, because a node stands for its cell. By the
        # logarithm, since 1 - 1e-17 would round to 1.
        return max(1, math.ceil(-float(ndtri_exp(math.log(tolerance / 2))) * sigma / spacing + 0.5))

    def _tolerance(self, dtype: np.dtype[Any]) -> float:
        # a tail that cannot be seen: a twentieth of the rounding in double, a hundredth in single precision
        return self.tolerance or (1e-17 if dtype == np.float64 else 1e-9)

    def reach(self, axis: Axis, path: Path) -> int:
        return self._radius(axis.spacing, math.sqrt(path[-1]), 1e-17) if path[-1] > 0 else 0

    def rounding(self, axis: Axis, path: Path) -> float:
        return LineSolver.rounding(self, axis, path) + self._cut()

    def least_updates(self, axis: Axis, start: float, stop: float) -> float:
        # one product for each weight, and folded weights for a line and its images
        return 2.0 * min(self._radius(axis.spacing, math.sqrt(stop - start), 1e-9), axis.size)

    def interval_symbol(self, angle: Array, axis: Axis, start: float, stop: float) -> Array:
        ratio = math.sqrt(stop - start) / axis.spacing
        if ratio >= 1.0:
            # by Poisson's formula: the symbols of the Gaussian and its aliases, of which those after the second are
            # below exp(-12 pi^2)
            turns = 2.0 * math.pi * np.arange(-2, 3)
            aliases = np.exp(-0.5 * np.square(ratio * np.add.outer(angle, turns))).sum(axis=-1)
            return np.asarray(aliases / np.exp(-0.5 * np.square(ratio * turns)).sum())
        weights = narrow_weights(ratio)
        number = np.arange(len(weights)) - len(weights) // 2
        return np.asarray((np.exp(1j * np.multiply.outer(angle, number)) * weights).sum(axis=-1))

    def build(self, line: Line, axis: Axis, start: float, stop: float, dtype: np.dtype[Any]) -> LineOperator:
        return self.convolution(axis, stop - start, dtype, False)

    def gradient_operator(self, axis: Axis, variance: float, dtype: np.dtype[Any]) -> LineOperator | None:
        return _gradient_operator(self, axis, variance, dtype) if variance > 0 else None

    def convolution(
        self, axis: Axis, variance: float, dtype: np.dtype[Any], derivative: bool, *, corrected: bool = True
    ) -> LineOperator:
        """The map from Q to u or to du/dx, with the ends corrected or not."""
        sigma = math.sqrt(variance)
        # sigma of six periods of the mirrored line is as uniform as any larger one, to round-off
        widest = 6.0 * 2 * axis.size * axis.spacing
        if sigma > widest and not axis.rule.free_space:
            sigma = widest
        if axis.rule.free_space and self.at_limit(axis, variance):
            radius = axis.size + 1
            weights = wide_weights(axis.size, axis.spacing, sigma, derivative)
        elif sigma < axis.spacing:
            weights = narrow_weights(sigma / axis.spacing)
            if derivative:
                weights = narrow_slopes(sigma / axis.spacing) / axis.spacing
            radius = len(weights) // 2
            weights = _fold_weights(axis, weights)
        else:
            radius = self._radius(axis.spacing, sigma, self._tolerance(dtype))
            weights = _fold_weights(axis, (_slopes if derivative else _weights)(axis.spacing, sigma, radius))

        def correction(kind: str) -> EndCorrection | None:
            if sigma < axis.spacing:
                return narrow_correction(axis, sigma, kind, derivative)
            return end_correction(axis, sigma, kind, derivative, radius)

        if (2 * radius if axis.size <= _SMALL_MATRIX else radius) > axis.size <= _LARGEST_MATRIX:
            matrix = _matrix(axis, weights, derivative)
            ends = correction("float64") if corrected else None
            return _MatrixOperator((matrix + ends.matrix() if ends else matrix).astype(dtype))
        missing = -(len(weights) // 2) % 4  # the filter takes 8 k + 1 weights
        inside = _FilterOperator(_own_line(axis), np.pad(weights, missing).astype(dtype), derivative, axis.spacing)
        ends = correction(type_name(dtype)) if corrected else None
        return CorrectedOperator(inside, ends) if ends else inside


@functools.lru_cache(maxsize=64)  # as the operators of the field are kept by their base
def _gradient_operator(solver: Direct, axis: Axis, variance: float, dtype: np.dtype[Any]) -> LineOperator:
    return with_faces(axis, lambda place, kind: solver.convolution(place, variance, kind, True), dtype, True)


def _weights(spacing: float, sigma: float, radius: int) -> NDArray[np.float64]:
    """w_j for j = -radius ... radius."""
    # one side only and mirrored below: the weights are symmetric to the bit
    side = np.exp(-0.5 * (np.arange(radius + 1) * spacing / sigma) ** 2)
    side /= side[0] + 2.0 * side[1:].sum()
    return np.concatenate([side[:0:-1], side])


def _slopes(spacing: float, sigma: float, radius: int) -> NDArray[np.float64]:
    """Weights of du/dx: those of the derivative of the Gaussian, j h w_j / t."""
    return np.arange(-radius, radius + 1) * (spacing / sigma**2) * _weights(spacing, sigma, radius)


def _fold_weights(axis: Axis, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights that reach beyond the line, folded to one period, or in free space gathered just outside the box."""
    size, radius = axis.size, len(weights) // 2
    # ghosts can repeat every node of the line once
    if radius <= size:
        return weights
    number = np.arange(-radius, radius + 1)
    if axis.rule.free_space:
        # beyond the box the continuation is constant, so all weights out there may stand next to it
        number, half = np.clip(number, -size, size), size
    else:
        # mirrored lines repeat after twice their length, and with mirrors in nodes these two count once
        period = size if axis.rule.periodic else 2 * size - (axis.nodes == "vertex") * 2
        half = period // 2
        number = (number + half) % period - half
    return np.asarray(np.bincount(number + half, weights=weights, minlength=2 * half + 1), dtype=np.float64)


def _matrix(axis: Axis, weights: NDArray[np.float64], derivative: bool) -> NDArray[np.float64]:
    """Dense map of a line onto itself.

    Where ends are held the chord between them is carried over exactly: M (1 - C) + C, for the derivative
    M (1 - C) + C', with C the chord of a line and C' its slope.
    """
    size, radius = axis.size, len(weights) // 2
    matrix = np.zeros((size, size))
    extension = axis.rule.extend(size, axis.nodes, radius, radius)
    # row i: the weights laid around node i, summed over the images of each node
    for i in range(size):
        window = slice(i, i + len(weights))
        matrix[i] = np.bincount(extension.source[window], weights=weights * extension.weight[window], minlength=size)
    if not axis.rule.holds_ends or axis.faced:
        return matrix
    share = np.arange(size) / (size - 1)
    chord = np.zeros((size, size))
    chord[:, 0], chord[:, -1] = 1.0 - share, share
    carried = np.gradient(chord, axis.spacing, axis=0) if derivative else chord
    return np.asarray(product(matrix, np.eye(size) - chord) + carried)


def _own_line(axis: Axis) -> Line:
    """The axis without padding: the ghosts of one convolution are its continuation, in free space too."""
    extension = axis.rule.extend(axis.size, axis.nodes, 0, 0)
    return Line(axis.size, 0, axis.rule, axis.nodes, extension.source, extension.weight)
