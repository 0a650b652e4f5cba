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
accepted, by the code that reads files, and compared with the field at every node; except where its error is proven
(`heatpg.store.bounds`: mirrored or periodic lines of the `spectral` solver, many at once, as they were solved): there
the bound has to hold on a sample, and is what is written. If a level is off by more than the tolerance allows, a finer
lattice is taken, then the field itself in place of Q, then all nodes, whose values are those of the field to the last
bit. So ``tolerance`` in units of osc(Q), for each batch entry by itself, is a promise.
A batch entry that does not vary has no osc(Q), and is held to a few units of rounding.

In the file each sigma has a group of its own, ``/levels/0`` and so on: the dataset ``u``, and for each axis its
coordinates ``coarse_<axis>``, which are the dimension scales of ``u``; attributes ``sigma``, ``time`` and ``error``.
The sizes and the nodes beyond the box are in the record ``heatpg_run`` at the root, which a checksum covers;
``heatpg_u_sha256`` is the SHA-256 of the digests of all levels in turn. There is no ``/u``.
"""

# One file, because what writes a level calls what reads it, to measure the error before the level is accepted.

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis, Grid
from heatpg.core.kinks import jumps_along
from heatpg.errors import OptionError, StoreError
from heatpg.solvers.edges import kink_waves
from heatpg.store.bounds import (
    SAMPLED_LINES,
    cardinal_functions,
    end_difference,
    four_sums,
    is_bounded,
    lebesgue,
    sample,
    scaled_sums,
    signs_of,
)
from heatpg.store.chunks import chunk_shape, write_array
from heatpg.store.lattices import BLOCK_POINTS, Lattice, Level, by_lines, from_lines
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

_FINEST, _COARSEST = 1e-14, 1e-3  # rounding of a transform; what a picture would show
_LEAST_SIZE = 3  # of an axis
_MOST_BEYOND = 32  # sizes of the axis: noise of ten times the box, and what a reader agrees to transform
_TRIALS = 4  # each with a target that is 8 times smaller than the one before; a matter of taste
_SHRINK = 8.0
_TIMES_ROUNDED = 3.0  # once what the solver rounds for a field, and twice for the transforms of a level and back
_NEGLIGIBLE = 1e-3  # of the waves left out; a taste


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
            advice="for exact storage use storage='full'",
        )
    return number


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
        angle = self._line().fine().angle / self.axis.spacing
        return np.asarray(np.exp(-0.5 * variance * np.square(angle)))

    def _line(self) -> Lattice:
        return Lattice(self.axis, self.axis.size + 2 * self.beyond, self.beyond)

    def lattice(self, multiplier: Array, target: float) -> Lattice:
        """The coarsest lattice whose missing waves have amplitudes that sum to no more than the target."""
        from scipy.fft import next_fast_len

        line = self._line()
        waves = self.amplitudes * multiplier
        if line.closure[0] == "absorb":
            waves[-1] = 0.0
        # what would be left out from each wave on
        rest = np.cumsum(waves[::-1])[::-1]
        kept = int(np.count_nonzero(rest > target))  # rest falls with k
        less = 1 if line.intervals else 0
        needed = kept + 1 - kept % 2 if self.axis.rule.periodic else kept + less
        size = max(_LEAST_SIZE, next_fast_len(max(1, needed - less)) + less)
        if size >= self.axis.size:
            return Lattice(self.axis, self.axis.size)
        return Lattice(self.axis, size, self.beyond)

    def left_out(self, lattice: Lattice, multiplier: Array, oscillation: Array) -> NDArray[np.float64]:
        """Of each line the sum of the amplitudes of the waves that a lattice does not have, shape (lines,)."""
        first = lattice.waves
        rest = np.cumsum((self.amplitudes * multiplier)[: first - 1 : -1])[::-1]
        # what is left of the shortest waves is the same for all lines: nothing to speak of
        last = first + int(np.count_nonzero(rest > _NEGLIGIBLE * rest[0]))
        each = np.abs(self.coefficients[:, first:last]) * (multiplier[first:last] * self._scale())
        return np.asarray(each.sum(axis=1) + (rest[last - first] if last < len(multiplier) else 0.0) * oscillation)

    def _scale(self) -> float:
        """Amplitudes by coefficients."""
        less = 1 if self._line().intervals else 0
        return (2.0 if self.axis.rule.periodic else 1.0) / int(self.coefficients.shape[1] - less)

    def values(self, lattice: Lattice, multiplier: Array) -> Array:
        """The field with this axis on a lattice."""
        # to all nodes of the axis: the whole line back, and what lies outside cut off
        onto = self._line() if lattice.whole else lattice
        inside = slice(self.beyond, self.beyond + self.axis.size) if lattice.whole else slice(None)
        result = np.empty((len(self.coefficients), lattice.size))
        chunk = max(1, BLOCK_POINTS // max(onto.size, lattice.rows))

        def work(begin: int) -> None:
            piece = self.coefficients[begin : begin + chunk]
            whole = lattice.whole
            block = onto.fine().inverse(piece * multiplier, 1) if whole else onto.restrict(piece, multiplier)
            result[begin : begin + chunk] = block[:, inside]

        for_each(work, range(0, len(result), chunk))
        return from_lines(result, self.shape, self.position)

    def seen(self, lattice: Lattice, multiplier: Array, nodes: Array) -> tuple[Array, Array, NDArray[np.float64]]:
        """What `values` has of a mirrored or periodic line, and what is seen of it without reading it back.

        Returns
        -------
        values, at_nodes, off
            Shape (lines, size); u at three nodes of the axis, shape (lines, 3); and the sum of the values with random
            signs less that of their coefficients, shape (lines,).
        """
        result = np.empty((len(self.coefficients), lattice.size))
        sums, theory = np.empty((len(result), 4)), np.empty(len(result))
        signs, weights = signs_of(self.axis, lattice.size)
        ways = np.column_stack([cardinal_functions(self.axis, lattice.size, nodes), signs])
        kept = lattice.waves
        # no more is read of a line than the waves of the lattice
        chunk = max(1, BLOCK_POINTS // lattice.size)

        def work(begin: int) -> None:
            piece, block = slice(begin, begin + chunk), result[begin : begin + chunk]
            block[:, kept:] = 0.0
            coefficients = self.coefficients[piece, :kept]
            scaled_sums(coefficients, lattice.factor(), multiplier[:kept], weights, block, theory[piece])
            values = lattice.coarse().inverse(block, 1)
            # a library may work in place or not, and both are right
            if values.ctypes.data != block.ctypes.data:
                block[...] = values
            four_sums(block, ways, sums[piece])

        for_each(work, range(0, len(result), chunk))
        return from_lines(result, self.shape, self.position), sums[:, :3], np.abs(sums[:, 3] - theory)


def _transformed(
    field: Array, position: int, axis: Axis, beyond: int, unit: NDArray[np.float64], sigma: float = 0.0
) -> _Lines:
    """Transform all lines along an axis of a field; `unit` is 1 / osc(Q) of each batch entry.

    With a sigma, what the solver adds for the kinks at the ends is among the waves.
    """
    read = by_lines(field, position)
    lattice = Lattice(axis, axis.size + 2 * beyond, beyond)
    continuation, basis = axis.rule.extend(axis.size, axis.nodes, beyond, beyond), lattice.fine()
    coefficients = np.empty((len(read), lattice.rows))
    chunk = max(1, BLOCK_POINTS // lattice.rows)
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
    lines = _Lines(field.shape, position, axis, beyond, coefficients, largest.max(axis=0))
    lines.amplitudes[:] *= lines._scale()
    return lines


class _Compactor:
    """Levels of one record."""

    def __init__(self, record: Record, tolerance: float) -> None:
        self.record = record
        self.tolerance = tolerance
        self.grid = record.grid
        landscape = record.landscape
        self.first = len(landscape.batch_shape)
        oscillation, largest = entry_ranges(landscape)
        self.oscillation, self.largest = oscillation, largest
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

    def _bounded(self, index: int) -> Level | None:
        """The level of one sigma whose error is proven, held to it by a sample; None where it is not, or is too large.

        See `heatpg.store.bounds`.
        """
        if not is_bounded(self.record, index):
            return None
        axis, variance = self.grid[0], float(self.record.variances[index, 0])
        lines = self._lines(self.record.landscape.values, 0, variance, keep=True)
        multiplier = lines.multiplier(variance)
        lattice = lines.lattice(multiplier, self.tolerance)
        if lattice.whole:
            return None
        rounding = _TIMES_ROUNDED * self.record.solver.rounding(axis, (0.0, variance)) * lebesgue(lattice.size)
        bound = lines.left_out(lattice, multiplier, self.oscillation)
        bound += rounding * float(np.finfo(self.record.values.dtype).eps) * self.largest
        ends = end_difference(axis, variance, self.record.solver)
        if ends is not None:
            jumps = np.abs(ends[0].jumps(self.record.landscape.values.astype(np.float64, copy=False), self.first))
            bound += np.tensordot(ends[1], jumps.reshape(2, -1, len(bound)), 2)
        promised = self.tolerance * self.oscillation
        varied = self.oscillation > 0
        if not (bound <= promised)[varied].all():
            return None
        nodes = sample(axis.size, 1)
        values, at_nodes, off = lines.seen(lattice, multiplier, nodes)
        level = Level((lattice,), values.astype(self.record.values.dtype, copy=False))
        field = self.record.values[index].reshape(len(at_nodes), -1)
        # no single value may be off by what would be seen
        if (off > 0.5 * promised)[varied].any() or (np.abs(at_nodes - field[:, nodes]).max(axis=1) > bound).any():
            return None
        # of what does not vary, and has no such bound, all is read back
        looked_at = np.union1d(sample(len(field), SAMPLED_LINES), np.flatnonzero(~varied))
        deviation = Level((lattice,), level.values.reshape(len(field), -1)[looked_at]).deviation(field[looked_at])
        if (deviation > np.where(varied, bound, self.bound)[looked_at]).any():
            return None
        return dataclasses.replace(level, error=float((bound * self.unit).max()))

    def level(self, index: int) -> Level:
        """The level of one sigma."""
        level = self._bounded(index)
        if level is not None:
            return level
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
        1e-3. Measured at every node before a level is handed over, or proven and held to a sample.

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
        "read it on a machine with more memory",
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
            raise StoreError(
                f"/{place}/u does not match its description in the file", allowed=f"{landscape.dtype}, shape {shape}"
            )
        for lattice in lattices:
            scale = contents.members.get(f"{place}/{coarse_name(lattice.axis.name)}")
            # bytes, because a flipped sign of a zero is a flipped bit as well
            if scale is None or scale.read().tobytes() != lattice.coordinates.tobytes():
                raise StoreError(f"the coordinates of /{place}/u do not match its lattice")
        values = np.asarray(member.read())
        digests.append(data_digest(values))
        Level(lattices, values).read_back(fields[index])
    return fields, _digest(digests)
