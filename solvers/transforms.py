"""Real trigonometric transforms, one per boundary, that diagonalise the Laplacian along a line.

Each maps n real nodes to n real coefficients along one axis, so a field of any dimension and any mixture of
boundaries is transformed axis by axis, and a solver is a list of n multipliers per axis. The axis at work is brought to
the end first: transforms of contiguous lines are two to four times faster than strided ones, which pays for the turn.

=========  ======  =======================================  ==========================
boundary   nodes   coefficients                             wavenumbers
=========  ======  =======================================  ==========================
periodic   both    Fourier, packed (1, cos, sin, ...)       2 pi j / L
reflect    vertex  cosine (DCT-I)                           pi j / L
reflect    cell    cosine (DCT-II)                          pi j / L
absorb     vertex  end values, sine of the rest (DST-I)     pi j / L; 0 for the ends
absorb     cell    sine (DST-II), line by line             pi (j + 1) / L
free       both    padded line, then as reflect and cell
=========  ======  =======================================  ==========================

The transforms themselves are those of `heatpg.solvers.fft`.

A solver that corrects the ends (`heatpg.solvers.edges`) has the map L + D J along a corrected axis: multipliers L C of
the coefficients C Q, and columns D times the jumps J Q of the data. Where the operator is the Gaussian, D is L C M from
sigma = 3 h on, with samples M next to the walls that do not depend on sigma: the data get those times their jumps, and
their coefficients then serve every sigma as they do without. What D has beyond L C M, below 3 h, and all of D where the
operator is no Gaussian, is added afterwards. Along several closed axes, with C + C M J in place of C and D - L C M in
place of D,

    prod_i (L_i C_i + D_i J_i)
        = prod_i L_i C_i + sum_i (prod_{j < i} L_j C_j) D_i J_i (prod_{j > i} (L_j C_j + D_j J_j)),

so that each such correction is a flow of one dimension less.
"""

# One file above 600 lines: the transforms, the flow of their coefficients, and what it takes at the walls from the
# operators of the transforms themselves.

from __future__ import annotations

import dataclasses
import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from heatpg.boundaries import Extension
from heatpg.core.grid import Axis, Grid
from heatpg.core.kinks import jumps_along, period_of
from heatpg.solvers import fft
from heatpg.solvers.base import Flow, LineOperator, Path, Solver
from heatpg.solvers.edges import (
    WIDTH,
    EndCorrection,
    ends_of,
    kink_flow,
    localised_kink,
    mirror_change,
)
from heatpg.solvers.faces import with_faces
from heatpg.solvers.lines import line_along, part, workspace
from heatpg.tools.arrays import type_name
from heatpg.tools.finite import is_finite
from heatpg.tools.kernels import kernel
from heatpg.tools.parallel import for_each

__all__ = ["InterpolantGradient", "TransformFlow", "TransformSolver", "basis_along"]

Array = NDArray[Any]

# Lines that are transformed at once: they stay in a second-level cache. Measured from 128 KiB to 4 MiB: within 10 %.
_BLOCK_BYTES = 1024 * 1024
# Spacings of sigma from which the multiplier is below 5e-20 at Nyquist, so that an operator is a sum of samples.
_ALIKE = 3.0


@kernel
def _scale(source: Array, target: Array, first: int, outer: Array, last: Array) -> None:
    """target[r, j] = source[r, j] * outer[(first + r) mod m] * last[j]."""
    repeat = outer.shape[0]
    for r in range(source.shape[0]):
        # leading batch axes repeat the multipliers of the axes of the grid
        a = outer[(first + r) % repeat]
        s, t = source[r], target[r]
        for j in range(last.shape[0]):
            t[j] = s[j] * (a * last[j])


@kernel
def _turn(source: Array, target: Array, first: int, last: int, start: int, stop: int) -> None:
    """target[a, j, i] = source[a, i, j] for a from first to last and j from start to stop, in tiles."""
    for a in range(first, last):
        s, t = source[a], target[a]
        n = s.shape[0]
        # 16 by 16 numbers: both tiles, 2 KiB each, lie in the first-level cache, and rows of a tile are whole cache
        # lines
        for j0 in range(start, stop, 16):
            j1 = min(j0 + 16, stop)
            for i0 in range(0, n, 16):
                i1 = min(i0 + 16, n)
                for j in range(j0, j1):
                    for i in range(i0, i1):
                        t[j, i] = s[i, j]


@kernel
def _turn_back(source: Array, target: Array, first: int, start: int) -> None:
    """target[first + a, i, start + j] = source[a, j, i] for all of the source, in tiles likewise."""
    for a in range(source.shape[0]):
        s, t = source[a], target[first + a]
        n, m = s.shape
        for i0 in range(0, m, 16):
            i1 = min(i0 + 16, m)
            for j0 in range(0, n, 16):
                j1 = min(j0 + 16, n)
                for i in range(i0, i1):
                    for j in range(j0, j1):
                        t[i, start + j] = s[j, i]


def _pieces(stack: int, rows: int, columns: int, itemsize: int) -> list[tuple[slice, slice]]:
    """Cut a stack of matrices of lines into blocks that stay in cache: which matrices, and which lines of each."""
    lines = max(1, _BLOCK_BYTES // (rows * itemsize))
    if lines >= columns:
        step = max(1, lines // columns)
        return [(slice(a, min(a + step, stack)), slice(0, columns)) for a in range(0, stack, step)]
    # lines are shared out in whole tiles of the turn
    step = max(16, lines // 16 * 16)
    return [(slice(a, a + 1), slice(j, min(j + step, columns))) for a in range(stack) for j in range(0, columns, step)]


def _turn_and_transform(
    transform: Callable[[Array, int], Array],
    source: Array,
    target: Array,
    rows: int,
    columns: int,
    ends: EndCorrection | None = None,
) -> None:
    """(..., rows, columns) to (..., columns, rows), and the rows of this transformed while they are in cache."""
    read, write = source.reshape(-1, rows, columns), target.reshape(-1, columns, rows)

    def work(piece: tuple[slice, slice]) -> None:
        matrices, lines = piece
        _turn(read, write, matrices.start, matrices.stop, lines.start, lines.stop)
        # whole matrices, or neighbouring lines of one: they lie in one piece
        flat = write[matrices, lines].reshape(-1, rows)
        if ends:
            ends.change_rows(flat)
        result = transform(flat, 1)
        # a library may work in place or not, and both are right
        if result.ctypes.data != flat.ctypes.data:
            flat[...] = result

    for_each(work, _pieces(len(read), rows, columns, source.itemsize))


def _transform_and_turn(
    transform: Callable[[Array, int], Array],
    source: Array,
    target: Array,
    rows: int,
    columns: int,
    factors: tuple[Array, Array] | None = None,
) -> None:
    """The inverse of `_turn_and_transform`, which leaves the source as it is.

    With factors, of source[r, j] * factors[0][r mod m] * factors[1][j].
    """
    read, write = source.reshape(-1, columns, rows), target.reshape(-1, rows, columns)

    def work(piece: tuple[slice, slice]) -> None:
        matrices, lines = piece
        block = read[matrices, lines].reshape(-1, rows)
        scratch = workspace.take(0, block.shape, block.dtype)
        if factors is None:
            scratch[...] = block
        else:
            _scale(block, scratch, matrices.start * columns + lines.start, *factors)
        count = lines.stop - lines.start
        _turn_back(transform(scratch, 1).reshape(-1, count, rows), write, matrices.start, lines.start)

    for_each(work, _pieces(len(read), rows, columns, source.itemsize))


def _transform_rows(
    transform: Callable[[Array, int], Array], source: Array, target: Array, ends: EndCorrection | None = None
) -> bool:
    """Transform all lines along the last axis, a block that stays in cache at a time; source and target may be one.

    Before that, their nodes are changed as the ends ask for. Returns whether all that comes out is finite.
    """
    found: list[bool] = []
    size = source.shape[-1]
    read, write = source.reshape(-1, size), target.reshape(-1, size)
    chunk = max(1, _BLOCK_BYTES // (size * source.itemsize))

    def work(first: int) -> None:
        block = write[first : first + chunk]
        if source is not target:
            block[...] = read[first : first + chunk]
        if ends:
            ends.change_rows(block)
        result = transform(block, 1)
        # a library may work in place or not, and both are right
        if result.ctypes.data != block.ctypes.data:
            block[...] = result
        found.append(is_finite(block))

    for_each(work, range(0, len(read), chunk))
    return all(found)


def _multiply_and_transform_rows(
    transform: Callable[[Array, int], Array], source: Array, target: Array, outer: Array, last: Array
) -> bool:
    """As `_transform_rows`, of source[r, j] * outer[r mod m] * last[j], multiplied while the block is in cache."""
    found: list[bool] = []
    size = source.shape[-1]
    read, write = source.reshape(-1, size), target.reshape(-1, size)
    chunk = max(1, _BLOCK_BYTES // (size * source.itemsize))

    def work(first: int) -> None:
        block = write[first : first + chunk]
        _scale(read[first : first + chunk], block, first, outer, last)
        result = transform(block, 1)
        if result.ctypes.data != block.ctypes.data:
            block[...] = result
        found.append(is_finite(block))

    for_each(work, range(0, len(read), chunk))
    return all(found)


class _Basis(ABC):
    """The transform of one kind of line of n nodes."""

    def __init__(self, size: int, spacing: float) -> None:
        self.size = size
        self.spacing = spacing

    @property
    @abstractmethod
    def angle(self) -> NDArray[np.float64]:
        """k h of every coefficient, shape (n,)."""

    @abstractmethod
    def forward(self, field: Array, position: int) -> Array:
        """Nodes to coefficients; may overwrite the field."""

    @abstractmethod
    def inverse(self, coefficients: Array, position: int) -> Array:
        """Coefficients to nodes; may overwrite the coefficients."""

    @abstractmethod
    def derivative(self, coefficients: Array, position: int) -> Array:
        """Coefficients to the derivative of the interpolant at the nodes; may overwrite the coefficients."""

    def _wavenumber(self, ndim: int, position: int, dtype: Any) -> Array:
        shape = [1] * ndim
        shape[position] = self.size
        return (self.angle / self.spacing).astype(dtype).reshape(shape)


class _Fourier(_Basis):
    @functools.cached_property
    def angle(self) -> NDArray[np.float64]:
        # packed: 1, cos, sin, cos, sin, ... and a last cosine if the size is even
        number = (np.arange(self.size) + 1) // 2
        return np.asarray(2.0 * math.pi * number / self.size)

    def forward(self, field: Array, position: int) -> Array:
        return fft.fourier(field, position)

    def inverse(self, coefficients: Array, position: int) -> Array:
        return fft.inverse_fourier(coefficients, position)

    def derivative(self, coefficients: Array, position: int) -> Array:
        wavenumber = self._wavenumber(coefficients.ndim, position, coefficients.dtype)
        scaled = coefficients * wavenumber
        turned = np.zeros_like(coefficients)
        pairs = (self.size - 1) // 2  # an even size ends with a cosine at Nyquist, whose derivative is 0 at the nodes
        part(turned, position, 1, 2 * pairs, 2)[...] = -part(scaled, position, 2, 2 * pairs + 1, 2)
        part(turned, position, 2, 2 * pairs + 1, 2)[...] = part(scaled, position, 1, 2 * pairs, 2)
        return self.inverse(turned, position)


class _CellCosine(_Basis):
    @functools.cached_property
    def angle(self) -> NDArray[np.float64]:
        return np.asarray(math.pi * np.arange(self.size) / self.size)

    def forward(self, field: Array, position: int) -> Array:
        return fft.cosine(field, 2, position)

    def inverse(self, coefficients: Array, position: int) -> Array:
        return fft.inverse_cosine(coefficients, 2, position)

    def derivative(self, coefficients: Array, position: int) -> Array:
        scaled = coefficients * -self._wavenumber(coefficients.ndim, position, coefficients.dtype)
        sines = np.zeros_like(coefficients)
        # sine coefficients begin with wave 1, where cosines have the constant: all move down by one
        part(sines, position, 0, -1)[...] = part(scaled, position, 1, None)
        return fft.inverse_sine(sines, 2, position)


class _VertexCosine(_Basis):
    @functools.cached_property
    def angle(self) -> NDArray[np.float64]:
        return np.asarray(math.pi * np.arange(self.size) / (self.size - 1))

    def forward(self, field: Array, position: int) -> Array:
        return fft.cosine(field, 1, position)

    def inverse(self, coefficients: Array, position: int) -> Array:
        return fft.inverse_cosine(coefficients, 1, position)

    def derivative(self, coefficients: Array, position: int) -> Array:
        scaled = coefficients * -self._wavenumber(coefficients.ndim, position, coefficients.dtype)
        result = np.zeros_like(coefficients)
        inside = np.ascontiguousarray(part(scaled, position, 1, -1))
        part(result, position, 1, -1)[...] = fft.inverse_sine(inside, 1, position)
        return result


class _HeldSine(_Basis):
    """First and last coefficient: the end values; between them the sine coefficients of the rest."""

    @functools.cached_property
    def angle(self) -> NDArray[np.float64]:
        angle = math.pi * np.arange(self.size) / (self.size - 1)
        # the last place holds the other end value, which does not decay; the first has the angle 0 already
        angle[-1] = 0.0
        return np.asarray(angle)

    def _chord(self, field: Array, position: int) -> Array:
        shape = [1] * field.ndim
        shape[position] = self.size - 2
        share = (np.arange(1, self.size - 1) / (self.size - 1)).astype(field.dtype).reshape(shape)
        low, high = part(field, position, 0, 1), part(field, position, -1, None)
        return np.asarray(low + share * (high - low))

    def forward(self, field: Array, position: int) -> Array:
        inside = part(field, position, 1, -1)
        inside[...] = fft.sine(inside - self._chord(field, position), 1, position)
        return field

    def inverse(self, coefficients: Array, position: int) -> Array:
        inside = part(coefficients, position, 1, -1)
        rest = fft.inverse_sine(np.ascontiguousarray(inside), 1, position)
        np.add(rest, self._chord(coefficients, position), out=inside)
        return coefficients

    def derivative(self, coefficients: Array, position: int) -> Array:
        low, high = part(coefficients, position, 0, 1), part(coefficients, position, -1, None)
        slope = (high - low) / ((self.size - 1) * self.spacing)
        # the derivative of a sine is a cosine; that of the chord, its slope, is added after the transform
        cosines = coefficients * self._wavenumber(coefficients.ndim, position, coefficients.dtype)
        # these two places hold end values and no coefficients of cosines
        part(cosines, position, 0, 1)[...] = 0.0
        part(cosines, position, -1, None)[...] = 0.0
        result = fft.inverse_cosine(cosines, 1, position)
        result += slope.astype(result.dtype)
        return np.asarray(result)


class _CellSine(_Basis):
    """Sines that vanish on both walls, at cell centres."""

    @functools.cached_property
    def angle(self) -> NDArray[np.float64]:
        return np.asarray(math.pi * np.arange(1, self.size + 1) / self.size)

    def forward(self, field: Array, position: int) -> Array:
        return fft.sine(field, 2, position)

    def inverse(self, coefficients: Array, position: int) -> Array:
        return fft.inverse_sine(coefficients, 2, position)

    def derivative(self, coefficients: Array, position: int) -> Array:
        scaled = coefficients * self._wavenumber(coefficients.ndim, position, coefficients.dtype)
        cosines = np.zeros_like(coefficients)
        # cosine coefficients begin with the constant: all move up by one, and the finest has no slope at the centres
        part(cosines, position, 1, None)[...] = part(scaled, position, 0, -1)
        return fft.inverse_cosine(cosines, 2, position)


@functools.lru_cache(maxsize=256)
def basis_along(axis: Axis) -> _Basis:
    """The transform that diagonalises the Laplacian along a closed axis: its angles, forward and inverse."""
    if axis.rule.periodic:
        return _Fourier(axis.size, axis.spacing)
    if axis.rule.holds_ends:
        return (_HeldSine if axis.nodes == "vertex" else _CellSine)(axis.size, axis.spacing)
    kind = _VertexCosine if axis.nodes == "vertex" else _CellCosine
    return kind(axis.size, axis.spacing)


def _resolved(axis: Axis, variance: float) -> bool:
    """Whether what the Gaussian as a multiplier makes of a kink is what the sum of samples makes of it."""
    return variance >= (_ALIKE * axis.spacing) ** 2


@functools.lru_cache(maxsize=256)
def _multiplier(solver: TransformSolver, axis: Axis, variance: float) -> Array:
    multiplier = solver.multiplier(basis_along(axis).angle, axis.spacing, variance)
    multiplier.setflags(write=False)  # it is kept
    return multiplier


class TransformSolver(Solver):
    """A solver given by one multiplier per coefficient: exact in time for its own spatial operator."""

    exact_in_time = True

    @property
    def order_time(self) -> float:
        return math.inf

    @abstractmethod
    def multiplier(self, angle: Array, spacing: float, variance: float) -> Array:
        """Factor of the wave exp(i j angle) after this variance; any shape, real or complex angle."""

    def interval_symbol(self, angle: Array, axis: Axis, start: float, stop: float) -> Array:
        return self.multiplier(angle, axis.spacing, stop - start)

    def ends(self, axis: Axis, variance: float, dtype: str, slope: bool = False) -> EndCorrection | None:
        # wide enough, what the operator makes of a kink is what the sum of samples makes of it, to round-off
        if self.exact_kinks and not _resolved(axis, variance) and self.end_nodes(axis, variance):
            return _own_ends(self, axis, variance, dtype, slope)
        return super().ends(axis, variance, dtype, slope)

    def start(self, values: Array, grid: Grid) -> Flow:
        return TransformFlow(self, values, grid)


class InterpolantGradient(TransformSolver):
    """A transform solver whose gradient is that of the trigonometric interpolant."""

    def gradient(
        self, initial: Array, field: Array, grid: Grid, variances: tuple[float, ...], position: int, out: Array
    ) -> None:
        axis = grid[position]
        along = initial.ndim - grid.dimensions + position
        if not axis.starts_anew:
            basis = basis_along(axis)
            np.copyto(out, basis.derivative(basis.forward(field.copy(), along), along))
            variance, dtype = variances[position], type_name(initial.dtype)
            if 0.0 < variance < (_ALIKE * axis.spacing) ** 2:
                # the interpolant does not know the flow of a kink that it is still too coarse for
                ends = _unresolved_slope(self, axis, variance, dtype)
                if ends is not None:
                    others = variances[:position] + variances[position + 1 :]
                    names = frozenset(other.name for other in grid)
                    ends.add(_flow_of_jumps(self, ends, initial, grid, position, names).at(others), out, along)
            return
        # the field outside the box, or on its faces, is not stored: this axis is taken from Q again
        others = tuple(0.0 if i == position else t for i, t in enumerate(variances))
        self.start(initial, grid).advance(others, out)
        _by_lines(self, axis, variances[position], True, out.dtype).apply(out, out, along)


@dataclasses.dataclass(frozen=True, eq=False)
class _SingleLine:
    """Lines by themselves: pad in free space, transform, multiply, transform back, crop; a block of lines at a time."""

    continuation: Extension
    basis: _Basis
    multiplier: NDArray[np.float64]
    derivative: bool
    ends: EndCorrection | None

    def apply(self, source: Array, target: Array, position: int) -> None:
        # before, because both may be one array
        jumps = self.ends.jumps(source, position) if self.ends else None
        self._transform(source, target, position)
        if self.ends and jumps is not None:
            self.ends.add(jumps, target, position)

    def _transform(self, source: Array, target: Array, position: int) -> None:
        before = self.continuation.before
        size = len(self.continuation.source) - 2 * before
        inner = int(np.prod(source.shape[position + 1 :], dtype=np.int64))
        read, write = source.reshape(-1, size, inner), target.reshape(-1, size, inner)
        if inner == 1:  # lines are rows already
            read, write = read.transpose(2, 1, 0), write.transpose(2, 1, 0)
        outer, _, count = read.shape
        rows = self.basis.size
        chunk = max(1, _BLOCK_BYTES // (rows * source.itemsize))
        multiplier = self.multiplier.astype(source.dtype)

        def work(place: tuple[int, int]) -> None:
            o, first = place
            lines = read[o, :, first : first + chunk].T
            coefficients = self.basis.forward(self.continuation.of(lines, 1), 1)
            coefficients *= multiplier
            result = (self.basis.derivative if self.derivative else self.basis.inverse)(coefficients, 1)
            write[o, :, first : first + chunk] = result[:, before : before + size].T

        for_each(work, [(o, first) for o in range(outer) for first in range(0, count, chunk)])


def _by_lines(
    solver: TransformSolver, axis: Axis, variance: float, derivative: bool, dtype: np.dtype[Any]
) -> LineOperator:
    """What takes an axis line by line that is not transformed with the others."""
    if axis.rule.free_space:
        return _free_line(solver, axis, variance, derivative, type_name(dtype))

    def odd(place: Axis, _: np.dtype[Any]) -> _SingleLine:
        basis = basis_along(place)
        multiplier = solver.multiplier(basis.angle, place.spacing, variance)
        # only what is folded, without the values on the faces
        inside = dataclasses.replace(place.rule.extend(place.size, place.nodes, 0, 0), face=np.zeros((place.size, 0)))
        return _SingleLine(inside, basis, multiplier, derivative, None)

    return with_faces(axis, odd, dtype, derivative)


@functools.lru_cache(maxsize=64)  # as the operators of the field are kept by their base
def _free_line(solver: TransformSolver, axis: Axis, variance: float, derivative: bool, dtype: str) -> _SingleLine:
    padding, rows = _padded(solver, axis, variance)
    continuation = axis.rule.extend(axis.size, axis.nodes, padding, padding)
    basis = _CellCosine(rows, axis.spacing)
    multiplier = solver.multiplier(basis.angle, axis.spacing, variance)
    return _SingleLine(continuation, basis, multiplier, derivative, solver.ends(axis, variance, dtype, derivative))


def _padded(solver: TransformSolver, axis: Axis, variance: float) -> tuple[int, int]:
    """Nodes in front of and behind a line in free space, and of the whole."""
    # mirrored far out, the nearest image of the box stands at twice the padding
    padding = -(-solver.reach(axis, (0.0, variance)) // 2) if variance > 0 else axis.size
    if solver.exact_kinks and variance < (_ALIKE * axis.spacing) ** 2:
        padding = max(padding, math.ceil(9.0 * WIDTH))  # as far as a kink of the own operator reaches
    line = line_along(axis, padding)
    # a padding that is longer than needed is as right, and the transform of a good length is several times faster
    rows = _fast_rows(line.rows)
    return padding + (rows - line.rows) // 2, rows


@functools.lru_cache(maxsize=256)
def _own_kinks(solver: TransformSolver, axis: Axis, variance: float) -> tuple[Array, Array, Array, Array]:
    """Flow of the kinks of the lower wall at the nodes and its slope, and what the operator makes of both."""
    orders, _ = jumps_along(axis, math.sqrt(variance))
    free = axis.rule.free_space
    padding, rows = _padded(solver, axis, variance) if free else (0, axis.size)
    basis = _CellCosine(rows, axis.spacing) if free else basis_along(axis)
    ratio, period = math.sqrt(variance) / axis.spacing, period_of(axis)
    place = np.arange(rows) - padding + (0.5 if axis.nodes == "cell" else 0.0)
    # beyond nine widths nothing is left of a kink, nor of its flow
    reach = 9.0 * math.hypot(ratio, WIDTH)
    most = math.ceil((reach + rows) / period) if period else 0
    samples, flow, slope = (np.zeros((len(orders), rows)) for _ in range(3))
    for image in range(-most, most + 1):
        near = np.flatnonzero(np.abs(place + image * period) <= reach)
        where = (place + image * period)[near]
        samples[:, near] += localised_kink(orders, where)
        flow[:, near] += kink_flow(orders, where, ratio)
        slope[:, near] += kink_flow(orders, where, ratio, True)
    inside = slice(padding, padding + axis.size)
    coefficients = basis.forward(samples, 1) * solver.multiplier(basis.angle, axis.spacing, variance)
    made = basis.inverse(coefficients.copy(), 1)[:, inside]
    made_slope = basis.derivative(coefficients, 1)[:, inside] * axis.spacing
    return flow[:, inside], slope[:, inside], made, made_slope


@functools.lru_cache(maxsize=256)
def _own_ends(solver: TransformSolver, axis: Axis, variance: float, dtype: str, slope: bool) -> EndCorrection:
    """The flow of the kinks of a wall less what the operator makes of them."""
    _, weights = jumps_along(axis, math.sqrt(variance))
    flow, flow_slope, made, made_slope = _own_kinks(solver, axis, variance)
    return ends_of(axis, weights, flow_slope - made_slope if slope else flow - made, dtype, slope)


@functools.lru_cache(maxsize=256)
def _unresolved_ends(solver: TransformSolver, axis: Axis, variance: float, dtype: str) -> EndCorrection:
    """D - L C M of a mirrored line; the two may take their jumps from unlike numbers of nodes."""
    own, change = _own_ends(solver, axis, variance, "float64", False), mirror_change(axis, "float64")
    basis = basis_along(axis)
    multiplier = solver.multiplier(basis.angle, axis.spacing, variance)
    made = np.stack([basis.inverse(basis.forward(each.copy(), 1) * multiplier, 1) for each in change.columns])
    more = change.weights.shape[1] - own.weights.shape[1]
    if not more:
        return EndCorrection(own.weights.astype(dtype), (own.columns - made).astype(dtype))
    weights = np.concatenate([np.pad(own.weights, ((0, 0), (0, more))), change.weights])
    return EndCorrection(weights.astype(dtype), np.concatenate([own.columns, -made], axis=1).astype(dtype))


@functools.lru_cache(maxsize=256)
def _unresolved_slope(solver: TransformSolver, axis: Axis, variance: float, dtype: str) -> EndCorrection | None:
    """What the derivative of the interpolant of u lacks along a closed axis: D' less the derivative of D."""
    if not solver.end_nodes(axis, variance):
        return None
    _, weights = jumps_along(axis, math.sqrt(variance))
    flow, flow_slope, made, made_slope = _own_kinks(solver, axis, variance)
    basis = basis_along(axis)
    seen = basis.derivative(basis.forward(flow - made, 1), 1) * axis.spacing
    return ends_of(axis, weights, flow_slope - made_slope - seen, dtype, True)


class _JumpFlow:
    """The jumps of a field at the walls of one axis, evolved along the others."""

    def __init__(self, solver: TransformSolver, jumps: Array, axes: list[Axis], corrected: frozenset[str]) -> None:
        self.jumps = jumps
        self._flow = TransformFlow(solver, jumps, Grid(*axes), corrected) if axes else None

    def at(self, variances: tuple[float, ...]) -> Array:
        if self._flow is None or not any(variances):
            return self.jumps
        out = np.empty_like(self.jumps)
        self._flow.advance(variances, out)
        return out


def _flow_of_jumps(
    solver: TransformSolver, ends: EndCorrection, initial: Array, grid: Grid, position: int, corrected: frozenset[str]
) -> _JumpFlow:
    batch = initial.ndim - grid.dimensions
    axes = [axis for i, axis in enumerate(grid) if i != position]
    return _JumpFlow(solver, ends.jumps(initial, batch + position), axes, corrected)


def _fast_rows(rows: int) -> int:
    """A length with small factors that is longer by an even number, so that a line stays in the middle."""
    length = next_fast_len(rows, real=True)
    while (length - rows) % 2:
        length = next_fast_len(length + 1, real=True)
    return int(length)


class TransformFlow(Flow):
    """Evolution by multipliers: one forward transform of Q, one inverse transform per sigma.

    Axes in free space are done line by line, because their padding grows with sigma, and so are cells between faces
    whose values are held; they commute with the others.
    """

    def __init__(
        self, solver: TransformSolver, values: Array, grid: Grid, corrected: frozenset[str] | None = None
    ) -> None:
        self.solver = solver
        self.grid = grid
        self.initial = values
        # names of the closed axes that get what their coefficients do not hold of the ends; by default all
        self._corrected = frozenset(axis.name for axis in grid) if corrected is None else corrected
        self._jumps: dict[tuple[int, int, frozenset[str]], _JumpFlow] = {}
        self._first = values.ndim - grid.dimensions
        self._reached = (0.0,) * grid.dimensions
        self._closed = [i for i, axis in enumerate(grid) if not axis.starts_anew]
        self._coefficients: Array | None = None
        self._changed: list[int] = []  # axes whose nodes next to the walls were changed before
        self._turns: list[tuple[int, tuple[int, ...], int, int]] = []
        self._order: list[int] = []

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple((0.0, t) for t in self._reached)

    def _forward(self, changed: list[int], scratch: Array) -> Array:
        """Coefficients of Q, each closed axis brought to the end in turn; the shapes on the way are kept.

        What is in `scratch`, of the shape of Q, is lost.
        """
        if self._coefficients is not None and self._changed == changed:
            return self._coefficients
        # one at a time: no more than these, Q, and the field that is asked for, lie in memory
        self._coefficients = None
        self._turns, self._changed = [], changed
        field, last = self.initial, self.initial.ndim - 1
        turning = any(self._first + i < last for i in self._closed)
        # From the last axis to the first: each turn brings its axis to the end and puts those behind it before it,
        # so that the next one stands where the shape of `field` says. Undone in the opposite order.
        for i in reversed(self._closed):
            position = self._first + i
            basis = basis_along(self.grid[i])
            ends = mirror_change(self.grid[i], type_name(field.dtype)) if i in changed else None
            if position < last or self._turns:
                rows, columns = self.grid[i].size, math.prod(field.shape[position + 1 :])
                turned = np.empty((*field.shape[:position], *field.shape[position + 1 :], rows), field.dtype)
                _turn_and_transform(basis.forward, field, turned, rows, columns, ends)
                self._turns.append((i, field.shape, rows, columns))
            else:
                turned = scratch if turning else np.empty_like(field)
                _transform_rows(basis.forward, field, turned, ends)
            field = turned
        self._coefficients = field
        turned_axes = [turn[0] for turn in self._turns]
        # in which order the axes lie in memory now: multipliers are laid out alike
        self._order = [i for i in range(self.grid.dimensions) if i not in turned_axes] + turned_axes
        return field

    def _multipliers(self, variances: tuple[float, ...]) -> list[Array]:
        return [
            np.ones(axis.size) if axis.starts_anew else _multiplier(self.solver, axis, t)
            for axis, t in zip(self.grid, variances, strict=True)
        ]

    def _inverse(self, variances: tuple[float, ...], changed: list[int], out: Array) -> bool | None:
        """Multiply the coefficients of Q for these variances, and undo `_forward` into `out`; as `finite`."""
        dtype = self.initial.dtype
        field = self._forward(changed, out)
        # the product over all axes but the last is one number per row; the last is multiplied in the same pass over
        # memory
        multipliers = self._multipliers(variances)
        *others, last = [multipliers[i] for i in self._order]
        outer = functools.reduce(np.multiply.outer, others, np.ones(()))
        factors = np.ascontiguousarray(outer.reshape(-1), dtype=dtype), np.ascontiguousarray(last, dtype=dtype)
        if not self._turns:
            return _multiply_and_transform_rows(basis_along(self.grid[self._order[-1]]).inverse, field, out, *factors)
        for number, (i, shape, rows, columns) in enumerate(reversed(self._turns)):
            back = out if i == self._turns[0][0] else np.empty(shape, field.dtype)
            inverse = basis_along(self.grid[i]).inverse
            _transform_and_turn(inverse, field, back, rows, columns, None if number else factors)
            field = back
        first = self._closed[-1]
        if first == self._turns[0][0]:
            return None
        return _transform_rows(basis_along(self.grid[first]).inverse, field, out)

    def advance(self, variances: tuple[float, ...], out: Array) -> None:
        self._reached = variances
        moving = [i for i in self._closed if variances[i] > 0]
        if moving:
            corrected = [i for i in moving if self.solver.end_nodes(self.grid[i], variances[i])]
            self.finite = self._inverse(variances, corrected if self.solver.exact_kinks else [], out)
            self._correct([i for i in corrected if self.grid[i].name in self._corrected], variances, out)
        else:
            self.finite = None
            np.copyto(out, self.initial)
        for i, axis in enumerate(self.grid):
            # one after the other, in place: they commute with the closed axes and with each other
            if axis.starts_anew and variances[i] > 0:
                operator = _by_lines(self.solver, axis, variances[i], False, out.dtype)
                operator.apply(out, out, self._first + i)
                self.finite = None

    def _missing(self, i: int, variance: float) -> EndCorrection | None:
        """What the coefficients of a closed axis do not hold of its ends."""
        axis, dtype = self.grid[i], type_name(self.initial.dtype)
        if not self.solver.exact_kinks:
            return self.solver.ends(axis, variance, dtype)
        return None if _resolved(axis, variance) else _unresolved_ends(self.solver, axis, variance, dtype)

    def _correct(self, corrected: list[int], variances: tuple[float, ...], out: Array) -> None:
        """Add the sum at the top of this file over these axes."""
        # free axes are done afterwards, on the field with its correction
        moved = tuple(t if j in self._closed else 0.0 for j, t in enumerate(variances))
        after = self._corrected
        for i in corrected:
            after = after - {self.grid[i].name}
            ends = self._missing(i, variances[i])
            if ends is None:
                continue
            # the weights may change with sigma: as many flows as there are sets of them
            key = (i, len(ends.weights), after)
            if key not in self._jumps:
                self._jumps[key] = _flow_of_jumps(self.solver, ends, self.initial, self.grid, i, after)
            self.finite = None
            ends.add(self._jumps[key].at(moved[:i] + moved[i + 1 :]), out, self._first + i)
