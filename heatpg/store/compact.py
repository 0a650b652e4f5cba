"""Fields on the coarsest lattices that hold them: what ``storage="compact"`` writes, and how it is read back.

After smoothing with sigma, the waves of a field beyond k = sqrt(2 log(1 / tolerance)) / sigma are lost in the
tolerance, so values pi / k apart hold all of it: 0.46 sigma at 1e-10, 0.39 sigma at 1e-14, and more where the field is
smoother than it must be. What is kept are *values of u on a coarse lattice*, one lattice for each sigma and axis:
another program that reads the file sees u, with its coordinates. They are read back by trigonometric interpolation: the
transform of the axis, zeros for the waves that were left out, and the inverse transform on the nodes of the grid.
These maps are orthogonal up to their scale, so they hand rounding on and do not enlarge it.

=============  =======================================  ==================================================
axis           transform                                coarse nodes
=============  =======================================  ==================================================
periodic       Fourier                                  the first node, then L / m apart
reflect, cell  cosine (DCT-II)                          centres of m cells
reflect        cosine (DCT-I)                           m nodes, both ends among them
absorb         chord, and sine of the rest (DST-I)      m nodes, both ends among them
clip, zero     cosine (DCT-II) of the continued line    centres of m cells of the continued line
=============  =======================================  ==================================================

In free space a field does not end smoothly at the box. Its line is continued by z sigma / 2 nodes on either side, where
a normal variable exceeds z with probability tolerance / 8, and closed by reflection there, so that no image of the box
is felt in it. The values outside the box are part of what is stored; near their outer end they are not those of u.

Where the values come from. A solver that goes to the Gaussian convolution itself (`Solver.target` is "continuous")
gives the same field as the transform of Q times exp(-k^2 t / 2), with the waves of what it adds for the kinks at the
ends (`heatpg.solvers.edges`), so the coarse values are made from Q, whose transform serves all sigmas. For any other
solver they are made from its own field; then an axis in free space keeps all of its nodes, because nothing is known of
that field outside. Correlated noise is treated like that too.

How coarse. With c_k the largest amplitude of wave k over all lines, in units of osc(Q), the m with
sum_{k >= m} c_k <= tolerance / d is taken on each of the d axes: leaving these waves out changes u by no more than the
tolerance. That is a bound for the mathematics; what counts is what is measured. Every level is read back before it is
accepted, by the code that reads files, and compared with the field at every node. If it is off by more than the
tolerance allows, a finer lattice is taken, then the field itself in place of Q, then all nodes, whose values are
those of the field to the last bit. So ``tolerance`` in units of osc(Q), for each batch entry by itself, is a promise.
A batch entry that does not vary has no osc(Q), and is held to a few units of rounding.

In the file each sigma has a group of its own, ``/levels/0`` and so on: the dataset ``u``, and for each axis its
coordinates ``coarse_<axis>``, which are the dimension scales of ``u``; attributes ``sigma``, ``time`` and ``error``.
The sizes and the nodes beyond the box are in the record ``heatpg_run`` at the root, which a checksum covers;
``heatpg_u_sha256`` is the SHA-256 of the digests of all levels in turn. There is no ``/u``.
"""

# One file, because what writes a level calls what reads it, to measure the error before the level is accepted.

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis, Grid
from heatpg.core.kinks import jumps_along
from heatpg.errors import OptionError, StoreError
from heatpg.solvers.edges import kink_waves
from heatpg.solvers.transforms import basis_along
from heatpg.store.chunks import chunk_shape, write_array
from heatpg.store.quarantine import Contents
from heatpg.store.record import (
    COMPACT_ROUNDING,
    FIELDS,
    LEVELS,
    Record,
    coarse_name,
    data_digest,
    entry_ranges,
    promised_errors,
)
from heatpg.tools.kernels import kernel
from heatpg.tools.parallel import for_each
from heatpg.tools.resources import require_memory
from heatpg.tools.sums import product

__all__ = ["Lattice", "Level", "levels", "read_levels", "require_tolerance", "write_levels"]

Array = NDArray[Any]
_Run = Callable[[Callable[[int], object], Iterable[int]], None]

_FINEST, _COARSEST = 1e-14, 1e-3  # rounding of a transform; what a picture would show
_LEAST_SIZE = 3  # of an axis
_MOST_BEYOND = 32  # sizes of the axis: noise of ten times the box, and what a reader agrees to transform
_TRIALS = 4  # each with a target that is 8 times smaller than the one before; a matter of taste
_SHRINK = 8.0
_BLOCK_POINTS = 2**16  # of lines that are transformed together: half a mebibyte, which stays in cache
_ENTRY_POINTS = 2**17  # of batch entries that one thread takes at a time


def require_tolerance(tolerance: float) -> float:
    """A tolerance of compact storage, in units of osc(Q).

    Raises
    ------
    OptionError
        For what is not between 1e-14 and 1e-3.

    Examples
    --------
    >>> from heatpg.store.compact import require_tolerance
    >>> require_tolerance(1e-10)
    1e-10
    """
    allowed = f"{_FINEST:g} to {_COARSEST:g}"
    try:
        number = float(tolerance)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(tolerance, bool) or not _FINEST <= number <= _COARSEST:
        raise OptionError(
            "the tolerance of compact storage is out of range",
            given=repr(tolerance),
            allowed=allowed,
            advice="for every bit choose storage='full'",
        )
    return number


@dataclasses.dataclass(frozen=True)
class Lattice:
    """The nodes along one axis on which a field is kept.

    Attributes
    ----------
    axis
        The axis of the grid.
    size
        Number of nodes kept.
    beyond
        Number of nodes of the axis by which its line is continued at each end; 0 unless it lies in free space
        or between faces whose values are held.

    Examples
    --------
    >>> from heatpg import Axis
    >>> from heatpg.store.compact import Lattice
    >>> Lattice(Axis("angle", 0.0, 6.0, 12, boundary="periodic"), 4).coordinates
    array([0. , 1.5, 3. , 4.5])
    >>> Lattice(Axis("torque", -1.0, 1.0, 9, boundary="reflect"), 5).coordinates
    array([-1. , -0.5,  0. ,  0.5,  1. ])
    >>> Lattice(Axis("gain", 0.0, 1.0, 11, boundary="clip"), 4, beyond=4).coordinates
    array([-0.2125,  0.2625,  0.7375,  1.2125])
    """

    axis: Axis
    size: int
    beyond: int = 0

    @property
    def whole(self) -> bool:
        """Whether the nodes are those of the axis."""
        return self.size == self.axis.size and not self.beyond

    @property
    def rows(self) -> int:
        """Number of nodes of the continued line."""
        return self.axis.size + 2 * self.beyond

    @property
    def coordinates(self) -> NDArray[np.float64]:
        """Positions of the nodes, shape (size,)."""
        axis = self.axis
        if self.whole:
            return axis.coordinates
        first, last = float(axis.coordinates[0]), float(axis.coordinates[-1])
        number = np.arange(self.size)
        if axis.rule.periodic:
            return np.asarray(first + number * (axis.length / self.size))
        if self._closure == ("reflect", "cell"):
            # the continued line begins half a cell before its first centre
            first -= (self.beyond + 0.5) * axis.spacing
            return np.asarray(first + (number + 0.5) * (self.rows * axis.spacing / self.size))
        return np.asarray(first + number * ((last - first) / (self.size - 1)))

    @functools.cached_property
    def _closure(self) -> tuple[str, str]:
        """Boundary and nodes that the transform of the line stands for."""
        axis = self.axis
        # where the values on faces are held, the line goes on beyond them too, but not in files of earlier versions
        if axis.rule.free_space or self.beyond > 0:
            return "reflect", "cell"
        return axis.boundary, axis.nodes if axis.boundary == "reflect" else "vertex"

    @property
    def _intervals(self) -> bool:
        """Whether both ends of the line are nodes, so that intervals between them are what is counted."""
        return self._closure in (("reflect", "vertex"), ("absorb", "vertex"))

    def _fine(self) -> Any:
        return _basis(*self._closure, self.rows)

    def _coarse(self) -> Any:
        return _basis(*self._closure, self.size)

    def _factor(self) -> float:
        """Coefficients of the coarse line by those of the fine line."""
        less = 1 if self._intervals else 0
        return (self.size - less) / (self.rows - less)

    def _move(self, source: Array, target: Array, factor: float) -> None:
        """Coefficients of one line as those of the other, in place of all of `target`; shape (lines, coefficients)."""
        size = self.size
        if self._closure[0] == "absorb":
            np.multiply(source[:, : size - 1], factor, out=target[:, : size - 1])
            target[:, size - 1 :] = 0.0
            # the two coefficients of the chord are values at its ends, which do not scale
            target[:, 0], target[:, -1] = source[:, 0], source[:, -1]
            return
        # the shortest wave of the coarse lattice has no phase of its own on it, except between cell centres
        kept = size if self._closure == ("reflect", "cell") else size - 1 + (size % 2 if self.axis.rule.periodic else 0)
        np.multiply(source[:, :kept], factor, out=target[:, :kept])
        target[:, kept:] = 0.0

    def prolong(self, lines: Array) -> Array:
        """Values on the axis from those on the lattice: shape (lines, size) to (lines, axis.size); uses up `lines`."""
        coefficients = self._coarse().forward(lines, 1)
        moved = np.empty((len(lines), self.rows))
        self._move(coefficients, moved, 1.0 / self._factor())
        return np.asarray(self._fine().inverse(moved, 1)[:, self.beyond : self.beyond + self.axis.size])

    def restrict(self, coefficients: Array, multiplier: Array) -> Array:
        """Values on the lattice from coefficients of the fine line; shape (lines, rows) to (lines, size)."""
        moved = np.empty((len(coefficients), self.size))
        self._move(coefficients, moved, self._factor())
        # the end values of a held line come last, and are not multiplied
        factors = multiplier[: self.size].copy()
        if self._closure[0] == "absorb":
            factors[-1] = 1.0
        moved *= factors
        return np.asarray(self._coarse().inverse(moved, 1))


@functools.lru_cache(maxsize=1024)
def _basis(boundary: str, nodes: Any, size: int) -> Any:
    return basis_along(Axis("line", 0.0, float(size), size, boundary=boundary, nodes=nodes))


def _serially(function: Callable[[int], object], items: Iterable[int]) -> None:
    for item in items:
        function(item)


def _by_lines(field: Array, position: int) -> Array:
    """All lines along one axis as rows, as a view where that is possible."""
    # along the last axis the lines are rows already, and nothing is copied
    if position < field.ndim - 1:
        field = np.moveaxis(field, position, -1)
    return field.reshape(-1, field.shape[-1])


def _from_lines(lines: Array, shape: tuple[int, ...], position: int) -> Array:
    """The inverse of `_by_lines`, for lines of another length than that in `shape`."""
    others = shape[:position] + shape[position + 1 :]
    if position == len(others):
        return lines.reshape(*others, lines.shape[1])
    return np.ascontiguousarray(np.moveaxis(lines.reshape(*others, lines.shape[1]), -1, position))


def _expand(field: Array, lattices: tuple[Lattice, ...], each: _Run) -> Array:
    """Read back a field of any number of leading axes, in double precision."""
    first = field.ndim - len(lattices)
    for i, lattice in enumerate(lattices):
        if lattice.whole:
            continue
        lines = _by_lines(field, first + i)
        result = np.empty((len(lines), lattice.axis.size))
        chunk = max(1, _BLOCK_POINTS // lattice.rows)

        def work(
            begin: int, lattice: Lattice = lattice, lines: Array = lines, result: Array = result, chunk: int = chunk
        ) -> None:
            piece = lines[begin : begin + chunk].astype(np.float64)  # a copy, which is used up
            result[begin : begin + chunk] = lattice.prolong(piece)

        each(work, range(0, len(lines), chunk))
        field = _from_lines(result, field.shape, first + i)
    return field


def _entries(values: Array, lattices: tuple[Lattice, ...]) -> tuple[Array, int, _Run, _Run]:
    """Values with one batch axis; entries of a piece of work; how to run over pieces, and over lines within them."""
    flat = values.reshape(-1, *values.shape[values.ndim - len(lattices) :])
    points = math.prod(lattice.axis.size for lattice in lattices)
    piece = max(1, _ENTRY_POINTS // points)
    # one pool of threads: it works either on the pieces or inside of one
    return (flat, piece, for_each, _serially) if len(flat) > piece else (flat, piece, _serially, for_each)


@dataclasses.dataclass(frozen=True, eq=False)
class Level:
    """One field on its lattices.

    Attributes
    ----------
    lattices
        One for each axis of the grid.
    values
        u on their nodes, shape (*batch, *(lattice.size)), of the type of the field.
    error
        Largest error of what is read back from it, in units of osc(Q); measured.
    """

    lattices: tuple[Lattice, ...]
    values: Array
    error: float = 0.0

    def read_back(self, out: Array) -> None:
        """The field at the nodes of the grid, into `out`, shape (*batch, *grid.shape)."""
        if all(lattice.whole for lattice in self.lattices):
            np.copyto(out, self.values)
            return
        coarse, piece, over_pieces, over_lines = _entries(self.values, self.lattices)
        fine = out.reshape(len(coarse), *(lattice.axis.size for lattice in self.lattices))

        def work(begin: int) -> None:
            fine[begin : begin + piece] = _expand(coarse[begin : begin + piece], self.lattices, over_lines)

        over_pieces(work, range(0, len(coarse), piece))

    def deviation(self, field: Array) -> NDArray[np.float64]:
        """Largest difference of each batch entry, read back, from that of a field; shape (entries,)."""
        coarse, piece, over_pieces, over_lines = _entries(self.values, self.lattices)
        fine = field.reshape(len(coarse), *(lattice.axis.size for lattice in self.lattices))
        result = np.empty(len(coarse))

        def work(begin: int) -> None:
            back = _expand(coarse[begin : begin + piece], self.lattices, over_lines)
            if field.dtype != back.dtype:
                back = back.astype(field.dtype).astype(np.float64)  # as a reader has it
            back -= fine[begin : begin + piece]
            np.abs(back, out=back)
            result[begin : begin + piece] = back.reshape(len(back), -1).max(axis=1)

        over_pieces(work, range(0, len(coarse), piece))
        return result


@kernel
def _amplitudes(coefficients: Array, unit: Array, result: Array) -> None:
    """result[k] = max_r |coefficients[r, k]| unit[r]."""
    result[:] = 0.0
    for r in range(coefficients.shape[0]):
        c, a = coefficients[r], unit[r]
        for k in range(c.shape[0]):
            result[k] = max(result[k], abs(c[k]) * a)


@dataclasses.dataclass(frozen=True, eq=False)
class _Lines:
    """Lines along one axis, transformed.

    Attributes
    ----------
    shape, position
        Shape of the field, and which of its axes the lines run along.
    axis, beyond
        As in `Lattice`.
    coefficients
        Shape (lines, rows).
    amplitudes
        Of the waves, the largest over all lines, in units of osc(Q); shape (rows,).
    """

    shape: tuple[int, ...]
    position: int
    axis: Axis
    beyond: int
    coefficients: Array
    amplitudes: NDArray[np.float64]

    def multiplier(self, variance: float) -> NDArray[np.float64]:
        angle = self._line()._fine().angle / self.axis.spacing
        return np.asarray(np.exp(-0.5 * variance * np.square(angle)))

    def _line(self) -> Lattice:
        return Lattice(self.axis, self.axis.size + 2 * self.beyond, self.beyond)

    def lattice(self, multiplier: Array, target: float) -> Lattice:
        """The coarsest lattice whose missing waves have amplitudes that sum to no more than the target."""
        from scipy.fft import next_fast_len

        line = self._line()
        waves = self.amplitudes * multiplier
        if line._closure[0] == "absorb":
            waves[-1] = 0.0
        # what would be left out from each wave on
        rest = np.cumsum(waves[::-1])[::-1]
        kept = int(np.count_nonzero(rest > target))  # rest falls with k
        less = 1 if line._intervals else 0
        needed = kept + 1 - kept % 2 if self.axis.rule.periodic else kept + less
        size = max(_LEAST_SIZE, next_fast_len(max(1, needed - less)) + less)
        if size >= self.axis.size:
            return Lattice(self.axis, self.axis.size)
        return Lattice(self.axis, size, self.beyond)

    def values(self, lattice: Lattice, multiplier: Array) -> Array:
        """The field with this axis on a lattice."""
        # to all nodes of the axis: the whole line back, and what lies outside cut off
        onto = self._line() if lattice.whole else lattice
        inside = slice(self.beyond, self.beyond + self.axis.size) if lattice.whole else slice(None)
        result = np.empty((len(self.coefficients), lattice.size))
        chunk = max(1, _BLOCK_POINTS // max(onto.size, lattice.rows))

        def work(begin: int) -> None:
            piece = self.coefficients[begin : begin + chunk]
            whole = lattice.whole
            block = onto._fine().inverse(piece * multiplier, 1) if whole else onto.restrict(piece, multiplier)
            result[begin : begin + chunk] = block[:, inside]

        for_each(work, range(0, len(result), chunk))
        return _from_lines(result, self.shape, self.position)


def _transformed(
    field: Array, position: int, axis: Axis, beyond: int, unit: NDArray[np.float64], sigma: float = 0.0
) -> _Lines:
    """Transform all lines along an axis of a field; `unit` is 1 / osc(Q) of each batch entry.

    With a sigma, what the solver adds for the kinks at the ends is among the waves.
    """
    read = _by_lines(field, position)
    lattice = Lattice(axis, axis.size + 2 * beyond, beyond)
    continuation, basis = axis.rule.extend(axis.size, axis.nodes, beyond, beyond), lattice._fine()
    coefficients = np.empty((len(read), lattice.rows))
    chunk = max(1, _BLOCK_POINTS // lattice.rows)
    starts = range(0, len(read), chunk)
    units = np.repeat(unit, len(read) // len(unit))
    largest = np.empty((len(starts), lattice.rows))
    orders, weights = jumps_along(axis, sigma) if sigma > 0.0 else ((), np.zeros((0, 0)))
    if orders:
        first = np.zeros((1, lattice.rows))
        first[0, 0] = 1.0
        waves_of_ends = kink_waves(axis, orders, beyond, basis.forward(first, 1)[0])

    def work(begin: int) -> None:
        block = coefficients[begin : begin + chunk]
        if beyond:
            block[...] = continuation.of(read[begin : begin + chunk].astype(np.float64, copy=False), 1)
        else:
            block[...] = read[begin : begin + chunk]
            if axis.rule.free_space:
                block *= continuation.weight
        # some transforms work in place and some do not
        result = basis.forward(block, 1)
        if result.ctypes.data != block.ctypes.data:
            block[...] = result
        if orders:
            lines = read[begin : begin + chunk].astype(np.float64, copy=False)
            for ends, waves in zip((lines, lines[:, ::-1]), waves_of_ends, strict=True):
                near = np.ascontiguousarray(ends[:, : weights.shape[1]])
                block += product(product(near, np.ascontiguousarray(weights.T)), waves)
        _amplitudes(block, units[begin : begin + chunk], largest[begin // chunk])

    for_each(work, starts)
    waves = largest.max(axis=0)
    waves *= (2.0 if axis.rule.periodic else 1.0) / (lattice.rows - (1 if lattice._intervals else 0))
    return _Lines(field.shape, position, axis, beyond, coefficients, waves)


class _Compactor:
    """Levels of one record."""

    def __init__(self, record: Record, tolerance: float) -> None:
        self.record = record
        self.tolerance = tolerance
        self.grid = record.grid
        landscape = record.landscape
        self.first = len(landscape.batch_shape)
        oscillation, largest = entry_ranges(landscape)
        # what is measured has rounding of its own on top, which is taken off the promise beforehand
        rounding = COMPACT_ROUNDING * float(np.finfo(np.float64).eps) * largest
        self.bound = promised_errors(oscillation, largest, tolerance) - rounding
        self.unit = np.divide(1.0, oscillation, out=np.zeros_like(oscillation), where=oscillation > 0)
        # whether the field is the transform of Q times exp(-k^2 t / 2), so that Q serves all sigmas
        self.gaussian = record.covariance is None and record.solver.target == "continuous"
        self._kept: dict[tuple[int, int], _Lines] = {}

    def _beyond(self, axis: Axis, variance: float) -> int:
        if not axis.starts_anew:
            return 0
        from scipy.special import ndtri

        # z with P(N(0, 1) > z) = tolerance / 8; half of z sigma, because the mirror image lies twice as far away, but
        # all of it where the line is not constant outside, so that the mirror itself must not be seen
        share = 0.5 if axis.rule.free_space else 1.0
        return math.ceil(-float(ndtri(self.tolerance / 8.0)) * math.sqrt(variance) / axis.spacing * share)

    def _lines(self, field: Array, i: int, variance: float, keep: bool) -> _Lines:
        axis = self.grid[i]
        beyond = self._beyond(axis, variance)
        # without noise, and so where the field itself is given, nothing is to be made good
        count = self.record.solver.end_nodes(axis, variance) if variance > 0.0 else 0
        # what is kept serves each sigma whose ends are corrected alike
        if keep and not beyond and (i, count) in self._kept:
            return self._kept[i, count]
        lines = _transformed(field, self.first + i, axis, beyond, self.unit, math.sqrt(variance) if count else 0.0)
        if keep and not beyond:
            self._kept[i, count] = lines
        return lines

    def _coarse(self, source: Array, variances: tuple[float, ...] | None, target: float) -> Level | None:
        """A field that is given (None), or the Gaussian convolution of Q, on its lattices; None if all are whole."""
        field = source
        lattices = []
        for i, axis in enumerate(self.grid):
            variance = 0.0 if variances is None else variances[i]
            # without noise nothing is known of the field outside, and no line can be continued
            if axis.rule.free_space and variance == 0.0:
                lattices.append(Lattice(axis, axis.size))
                continue
            lines = self._lines(field, i, variance, keep=field is self.record.landscape.values)
            multiplier = lines.multiplier(variance)
            lattices.append(lines.lattice(multiplier, target))
            # the last axis is not transformed for nothing
            if len(lattices) == self.grid.dimensions and all(lattice.whole for lattice in lattices):
                return None
            # an axis that keeps all nodes and has no noise is left as it is
            if not (lattices[-1].whole and variance == 0.0):
                field = lines.values(lattices[-1], multiplier)
        return Level(tuple(lattices), field.astype(source.dtype, copy=False))

    def _trial(self, index: int, source: Array, variances: tuple[float, ...] | None) -> Level | None:
        field = self.record.values[index]
        target = self.tolerance / self.grid.dimensions
        before = math.inf
        for _ in range(_TRIALS):
            level = self._coarse(source, variances, target)
            if level is None or level.values.size >= field.size:
                return None
            deviation = level.deviation(field)
            if (deviation <= self.bound).all():
                return dataclasses.replace(level, error=float((deviation * self.unit).max()))
            excess = float((deviation - self.bound).max())
            if excess > 0.5 * before:  # it is not the waves left out
                return None
            before = excess
            # a finer lattice leaves out less
            target /= _SHRINK
        return None

    def level(self, index: int) -> Level:
        """The level of one sigma."""
        level = None
        if self.gaussian:
            variances = tuple(float(t) for t in self.record.variances[index])
            if all(
                self._beyond(axis, t) <= _MOST_BEYOND * axis.size for axis, t in zip(self.grid, variances, strict=True)
            ):
                level = self._trial(index, self.record.landscape.values, variances)
        # where Q does not give the field, the field itself may: along closed axes, that is
        if level is None and not all(axis.rule.free_space for axis in self.grid):
            level = self._trial(index, self.record.values[index], None)
        if level is None:
            lattices = tuple(Lattice(axis, axis.size) for axis in self.grid)
            level = Level(lattices, self.record.values[index])
        return level


def levels(record: Record, tolerance: float) -> Iterator[Level]:
    """The fields of an evolution, each on the coarsest lattices that hold it to a tolerance.

    Parameters
    ----------
    record
        What is to be stored.
    tolerance
        Bound on the difference of what is read back from the field, in units of osc(Q) of each batch entry; 1e-14 to
        1e-3. Measured at every node before a level is handed over.

    Yields
    ------
    level
        For each sigma in turn; with all nodes where no coarser lattice holds the field.

    Raises
    ------
    OptionError
        For a tolerance out of its range.

    Notes
    -----
    Validity: any boundary, nodes, dimension, type and solver; what cannot be kept on fewer nodes is kept on all.
    Points are saved where sigma is larger than about two spacings.

    References
    ----------
    L. N. Trefethen, *Spectral Methods in MATLAB*, 2000, doi:10.1137/1.9780898719598, chapters 2 to 4.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import landscapes
    >>> from heatpg.store.compact import levels
    >>> from heatpg.evolution import solve
    >>> flow = solve(landscapes.ridge(size=129), [0.1, 0.4])
    >>> kept = list(levels(flow, 1e-10))
    >>> kept[1].values.shape < kept[0].values.shape < flow.grid.shape
    True
    >>> back = np.empty(flow.grid.shape)
    >>> kept[1].read_back(back)
    >>> bool(np.abs(back - flow.values[1]).max() <= 1e-10 * np.ptp(flow.landscape.values))
    True
    """
    compactor = _Compactor(record, require_tolerance(tolerance))
    for index in range(len(record)):
        yield compactor.level(index)


def _digest(digests: Sequence[str]) -> str:
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _write_level(group: h5py.Group, level: Level, batch: Sequence[h5py.Dataset], **options: Any) -> None:
    names = [coarse_name(lattice.axis.name) for lattice in level.lattices]
    chunks = chunk_shape(level.values.shape, len(names), len(batch))
    dataset = write_array(group, FIELDS, level.values, chunks, **options)
    dataset.attrs["long_name"] = "expected value under exploration noise, E[Q(mu + sigma Z)]"
    for dimension, scale in zip(dataset.dims, batch, strict=False):
        dimension.attach_scale(scale)
    for i, (name, lattice) in enumerate(zip(names, level.lattices, strict=True), start=len(batch)):
        scale = group.create_dataset(name, data=lattice.coordinates)
        scale.make_scale(name)
        scale.attrs["long_name"] = f"{lattice.axis.name}, coarse lattice"
        dataset.dims[i].attach_scale(scale)
    group.attrs["NX_class"] = "NXdata"
    group.attrs["signal"] = FIELDS
    group.attrs["axes"] = [scale.name.rpartition("/")[2] for scale in batch] + names


def write_levels(
    file: h5py.File,
    record: Record,
    tolerance: float,
    batch: Sequence[str],
    filters: dict[str, Any],
    proceed: Callable[[], object] | None = None,
) -> tuple[dict[str, Any], str]:
    """Write the levels of an evolution into the groups ``/levels/0``, ``/levels/1``, ...

    Parameters
    ----------
    file
        A file that has the dimension scales of the batch.
    record, tolerance
        As for `levels`.
    batch
        Names of these scales.
    filters, proceed
        As for `heatpg.store.chunks.write_array`.

    Returns
    -------
    storage
        What `read_levels` has to know, as JSON has it.
    digest
        SHA-256 of the SHA-256 of all arrays.
    """
    root = file.create_group(LEVELS)
    scales = [file[name] for name in batch]
    entries = []
    with ThreadPoolExecutor(1) as hasher:
        digests = []
        for index, level in enumerate(levels(record, tolerance)):
            digests.append(hasher.submit(data_digest, level.values))
            group = root.create_group(str(index))
            group.attrs["sigma"] = record.sigma[index]
            group.attrs["time"] = record.sigma[index] ** 2
            group.attrs["error"] = level.error
            _write_level(group, level, scales, filters=filters, proceed=proceed)
            entries.append(
                {
                    "size": [lattice.size for lattice in level.lattices],
                    "beyond": [lattice.beyond for lattice in level.lattices],
                    "error": level.error,
                }
            )
        return {"tolerance": tolerance, "levels": entries}, _digest([digest.result() for digest in digests])


def _read_lattices(entry: Mapping[str, Any], grid: Grid) -> tuple[Lattice, ...]:
    lattices = []
    for axis, size, beyond in zip(grid, entry["size"], entry["beyond"], strict=True):
        if not (isinstance(size, int) and isinstance(beyond, int) and _LEAST_SIZE <= size <= axis.size):
            raise ValueError(f"axis {axis.name} is kept on {size!r} nodes")
        if not 0 <= beyond <= (_MOST_BEYOND * axis.size if axis.starts_anew else 0):
            raise ValueError(f"axis {axis.name} is continued by {beyond!r} nodes")
        lattices.append(Lattice(axis, size, beyond))
    return tuple(lattices)


def read_levels(contents: Contents, storage: Mapping[str, Any], landscape: Array, grid: Grid) -> tuple[Array, str]:
    """The fields at full resolution, from the groups that `write_levels` has written.

    Parameters
    ----------
    contents
        Of the file.
    storage
        What `write_levels` returned.
    landscape
        Q, whose shape and type the fields have.
    grid
        Where they are.

    Returns
    -------
    fields
        Shape (T, *landscape.shape).
    digest
        As of `write_levels`, of what was read.

    Raises
    ------
    StoreError
        If a dataset is missing, or is not what the record says.
    ResourceError
        If the fields do not fit in memory.
    """
    entries = storage["levels"]
    require_memory(
        landscape.nbytes * (len(entries) + 1),
        f"{len(entries)} fields at full resolution",
        "read it where there is more memory",
    )
    batch = landscape.shape[: landscape.ndim - grid.dimensions]
    fields = np.empty((len(entries), *landscape.shape), landscape.dtype)
    digests = []
    for index, entry in enumerate(entries):
        lattices = _read_lattices(entry, grid)
        place = f"{LEVELS}/{index}"
        member = contents.members.get(f"{place}/{FIELDS}")
        shape = (*batch, *(lattice.size for lattice in lattices))
        if member is None or member.shape != shape or member.dtype != landscape.dtype:
            raise StoreError(f"/{place}/u is not what the file says of it", allowed=f"{landscape.dtype}, shape {shape}")
        for lattice in lattices:
            scale = contents.members.get(f"{place}/{coarse_name(lattice.axis.name)}")
            # bytes, because a flipped sign of a zero is a flipped bit as well
            if scale is None or scale.read().tobytes() != lattice.coordinates.tobytes():
                raise StoreError(f"the coordinates of /{place}/u are not those of its lattice")
        values = np.asarray(member.read())
        digests.append(data_digest(values))
        Level(lattices, values).read_back(fields[index])
    return fields, _digest(digests)
