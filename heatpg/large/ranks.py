"""A field on the ranks of an MPI program: rows on every rank, columns by one exchange, rows again by another.

A rank holds a slab of neighbouring rows of the first axis, so that all other axes are its own. For the first axis the
slabs are exchanged for slabs of columns (all-to-all, contiguous buffers), solved, and exchanged back.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from heatpg import errors
from heatpg.core.grid import Grid
from heatpg.core.landscape import Landscape
from heatpg.core.noise import Sigma
from heatpg.core.ownership import HandedOver
from heatpg.core.report import Report
from heatpg.core.sense import sense_of
from heatpg.errors import (
    GridError,
    HeatpgError,
    MissingPackageError,
    NonFiniteError,
    OptionError,
)
from heatpg.evolution import Evolution
from heatpg.large.blocks import carry
from heatpg.large.checking import BlockChecks
from heatpg.large.header import header
from heatpg.large.sources import LargeLandscape, require_finite
from heatpg.large.writing import FieldWriter, aligned, chunks_of, clean, file_bytes, write_file
from heatpg.solvers import Solver
from heatpg.solvers.choice import Schedule, schedule
from heatpg.tools.arrays import real_array
from heatpg.tools.calls import checked_call
from heatpg.tools.extras import how_to_add
from heatpg.tools.lines import one_line
from heatpg.tools.progress import Progress, progress_of
from heatpg.tools.publishing import prepare_output, result_name
from heatpg.tools.resources import require_disk, require_memory
from heatpg.verify import judge

if TYPE_CHECKING:
    from mpi4py import MPI

__all__ = ["RankedEvolution", "evolve_mpi", "rows_of_rank"]

Array = NDArray[Any]

_ROOT = 0
_SLABS = 6  # of the size of the own rows, beside the fields: Q by columns, what the solver needs, what is exchanged
_TAG = 20  # of our messages; any number will do


def _mpi() -> Any:
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as reason:  # without a library of MPI the import ends in a RuntimeError
        raise MissingPackageError(
            "mpi4py is not installed, or finds no MPI library", given=reason, advice=how_to_add("mpi")
        ) from None
    return MPI


def rows_of_rank(size: int, ranks: int, rank: int) -> slice:
    """The rows of the first axis that a rank holds, as even as they can be; none where there are more ranks than rows.

    Examples
    --------
    >>> from heatpg.large import rows_of_rank
    >>> [rows_of_rank(7, 3, rank) for rank in range(3)]
    [slice(0, 3, None), slice(3, 5, None), slice(5, 7, None)]
    """
    # the first ranks have one row more, so that no two differ by more than one
    least, more = divmod(size, ranks)
    start = rank * least + min(rank, more)
    return slice(start, start + least + (rank < more))


class _Ranks:
    """What the ranks tell each other; all of them call the same methods in the same order."""

    def __init__(self, comm: MPI.Comm) -> None:
        self.comm = comm
        self.mpi = _mpi()
        self.rank = comm.Get_rank()
        self.count = comm.Get_size()

    def _reduced(self, values: Array, operation: Any) -> Array:
        mine = np.ascontiguousarray(values, dtype=np.float64)
        result = np.empty_like(mine)
        self.comm.Allreduce(mine, result, op=operation)
        return result.reshape(np.shape(values))

    def least(self, values: Array) -> Array:
        return self._reduced(values, self.mpi.MIN)

    def most(self, values: Array) -> Array:
        return self._reduced(values, self.mpi.MAX)

    def total(self, values: Array) -> Array:
        return self._reduced(values, self.mpi.SUM)

    def whole(self, number: int) -> list[int]:
        """A number of every rank, in their order."""
        result = np.empty(self.count, np.int64)
        self.comm.Allgather(np.array([number], np.int64), result)
        return [int(n) for n in result]

    def agree(self, trouble: BaseException | None) -> None:
        """Raise on every rank what was raised on one, so that none waits for the others for ever."""
        # a rank without trouble votes for a number that no rank has
        first = int(self.least(np.array([float(self.rank if trouble is not None else self.count)]))[0])
        if first == self.count:
            return
        # all ranks know which one it is, so all call the same broadcast
        text = self.comm.bcast(_words(trouble) if self.rank == first else None, root=first)
        if trouble is not None:
            raise trouble
        _raise(text, first)


def _words(trouble: BaseException | None) -> dict[str, str]:
    if isinstance(trouble, HeatpgError):
        return {"kind": type(trouble).__name__, "problem": trouble.problem, "given": str(trouble.given)}
    return {"kind": "HeatpgError", "problem": f"{type(trouble).__name__}: {trouble}", "given": ""}


def _raise(words: Mapping[str, str], rank: int) -> NoReturn:
    # of the same kind on every rank, so that one except clause serves all of them
    kind = getattr(errors, words["kind"], HeatpgError)
    raise kind(f"rank {rank}: {words['problem']}", given=words["given"] or None)


class _Exchange:
    """Rows of the first axis for columns, which are the nodes of all others in one line, and back."""

    def __init__(self, ranks: _Ranks, rows: list[slice], columns: int, dtype: np.dtype[Any]) -> None:
        self.ranks = ranks
        self.rows = rows
        self.columns = [rows_of_rank(columns, ranks.count, rank) for rank in range(ranks.count)]
        self.dtype = dtype
        self.mine = rows[ranks.rank].stop - rows[ranks.rank].start
        self.own = self.columns[ranks.rank].stop - self.columns[ranks.rank].start
        # what a rank has of the rows of another and of its own columns, and the other way round
        self._by_columns = [self.mine * (part.stop - part.start) for part in self.columns]
        self._by_rows = [(part.stop - part.start) * self.own for part in rows]

    def _swap(self, send: Array, sizes: list[int], receive: Array, due: list[int]) -> None:
        # by type of MPI and not as pickled objects: contiguous numbers, no copies
        kind = self.ranks.mpi.DOUBLE if self.dtype == np.float64 else self.ranks.mpi.FLOAT

        def starts(counts: list[int]) -> list[int]:
            return [sum(counts[:i]) for i in range(len(counts))]

        self.ranks.comm.Alltoallv([send, sizes, starts(sizes), kind], [receive, due, starts(due), kind])

    def to_columns(self, rows: Array) -> Array:
        """Own rows, shape (rows, columns of all), to own columns, shape (rows of all, columns)."""
        send = np.empty(rows.size, self.dtype)
        place = 0
        for part, size in zip(self.columns, self._by_columns, strict=True):
            if size:
                send[place : place + size].reshape(self.mine, -1)[...] = rows[:, part]
            place += size
        # what comes from a rank is its rows in order: laid one after the other they are the columns as they should be
        result = np.empty((self.rows[-1].stop, self.own), self.dtype)
        self._swap(send, self._by_columns, result.reshape(-1), self._by_rows)
        return result

    def to_rows(self, columns: Array, rows: Array) -> None:
        """The inverse of `to_columns`, into `rows`."""
        receive = np.empty(rows.size, self.dtype)
        self._swap(np.ascontiguousarray(columns).reshape(-1), self._by_rows, receive, self._by_columns)
        place = 0
        for part, size in zip(self.columns, self._by_columns, strict=True):
            if size:
                rows[:, part] = receive[place : place + size].reshape(self.mine, -1)
            place += size


@dataclasses.dataclass(frozen=True, eq=False)
class RankedEvolution:
    """The fields of one landscape, distributed over MPI ranks by rows.

    Attributes
    ----------
    comm
        The communicator.
    grid, sigma, solver, reason, report, timing
        As for `heatpg.Evolution`; the timing is that of this rank.
    rows
        Rows of the first axis on this rank.
    landscape
        Q on these rows, shape (rows, *grid.shape[1:]).
    values
        The fields on these rows, shape (T, rows, *grid.shape[1:]).
    name, provenance, minimise
        As of a landscape.
    plan
        What was solved, and on which way.
    """

    comm: MPI.Comm
    grid: Grid
    sigma: NDArray[np.float64]
    solver: Solver
    reason: str
    report: Report
    timing: dict[str, float]
    rows: slice
    landscape: Array
    values: Array
    name: str
    provenance: dict[str, Any]
    plan: Schedule = dataclasses.field(repr=False)
    minimise: bool = False

    def __str__(self) -> str:
        held = f"rows {self.rows.start} to {self.rows.stop} of {self.grid.shape[0]}, the first axis"
        return (
            f"{one_line(self.name)}: {len(self.sigma)} sigmas on {' x '.join(map(str, self.grid.shape))} nodes, "
            f"solver {self.solver!r}\nrank {self.comm.Get_rank()} of {self.comm.Get_size()} holds {held}\n{self.report}"
        )

    def as_dict(self) -> dict[str, Any]:
        """The evolution and this rank as JSON-like values, without the fields."""
        return {
            "rank": self.comm.Get_rank(),
            "ranks": self.comm.Get_size(),
            "rows": [self.rows.start, self.rows.stop],
            "sigma": self.sigma.tolist(),
            "shape": list(self.grid.shape),
            "solver": {"name": self.solver.name, "options": self.solver.options()},
            "reason": self.reason,
            "report": self.report.as_dict(),
            "timing": dict(self.timing),
        }

    def gather(self) -> Evolution | None:
        """Gather the evolution on the first rank (None on the others); every rank must call it.

        Raises
        ------
        ResourceError
            On every rank, if it does not fit in the memory of the first one.
        """
        ranks = _Ranks(self.comm)
        trouble: BaseException | None = None
        shape = self.grid.shape
        whole: Array | None = None
        if ranks.rank == _ROOT:
            try:
                require_memory(
                    (len(self.sigma) + 1) * self.grid.size * self.values.itemsize,
                    "the whole evolution on one rank",
                    "use save() instead, which writes the rows block by block",
                )
                whole = np.empty((len(self.sigma) + 1, *shape), self.values.dtype)
            except (HeatpgError, MemoryError) as reason:
                trouble = reason
        ranks.agree(trouble)
        parts = [self.landscape, *self.values]
        rows = _all_rows(ranks, self.rows)
        for number, part in enumerate(parts):
            _collect(ranks, rows, part, slice(0, shape[0]), None if whole is None else whole[number])
        if whole is None:
            return None
        # only the first rank comes here
        landscape = Landscape(HandedOver(whole[0]), self.grid, self.name, self.provenance, minimise=self.minimise)
        paths = [self.plan.paths(level) for level in range(len(self.sigma))]
        return Evolution(
            landscape,
            self.sigma,
            whole[1:],
            self.solver,
            paths=paths,
            report=self.report,
            reason=self.reason,
            timing=self.timing,
        )

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the evolution into one file, as `heatpg.save` does; every rank calls it, and the first one writes.

        The rows are sent to it in blocks, one after the other: it needs memory for one block, and the file system of
        the others is not used. Where it fails it fails on every rank, and leaves no file.

        Parameters
        ----------
        path
            Path of the file on the first rank.
        force
            Whether an existing file may be replaced.

        Raises
        ------
        StoreError, ResourceError
            As `heatpg.save` does, on every rank.
        """
        ranks = _Ranks(self.comm)
        rows = _all_rows(ranks, self.rows)
        shape = self.grid.shape
        chunks = chunks_of(shape, self.grid.dimensions)
        parts = [self.landscape, *self.values]
        # the others follow the first one: before each block it says whether it goes on
        if ranks.rank != _ROOT:
            for part in parts:
                for box in aligned(shape, chunks[0]):
                    if not ranks.comm.bcast(None, root=_ROOT):
                        ranks.agree(None)
                    _collect(ranks, rows, part, box[0], None)
            ranks.agree(None)
            return
        named = self.name, self.provenance
        known = header(self.plan, *named, shape, self.values.dtype, minimise=self.minimise)
        blocks = len(parts) * sum(1 for _ in aligned(shape, chunks[0]))
        sent = 0

        def fill(writer: FieldWriter) -> tuple[Report, dict[str, float]]:
            nonlocal sent
            for number, part in enumerate(parts):
                for box in aligned(shape, chunks[0]):
                    block = np.empty((box[0].stop - box[0].start, *shape[1:]), part.dtype)
                    sent += 1
                    ranks.comm.bcast(True, root=_ROOT)
                    _collect(ranks, rows, part, box[0], block)
                    if number:
                        writer.put_field(number - 1, box, block)
                    else:
                        writer.put_landscape(box, block)
            return self.report, self.timing

        trouble: BaseException | None = None
        try:
            target = prepare_output(result_name(path), force=force)
            clean(target.parent)
            size = file_bytes(shape, len(self.sigma), chunks, self.values.dtype)
            require_disk(size, target.parent, target.name)
            write_file(target, known, chunks, fill, force=force)
        except BaseException as reason:
            trouble = reason
            # the others wait for a word about the next block, and are told that there is none
            if sent < blocks:
                ranks.comm.bcast(False, root=_ROOT)
        ranks.agree(trouble)


def _all_rows(ranks: _Ranks, mine: slice) -> list[slice]:
    # rows of all ranks, which lie one after the other
    ends = np.cumsum([0, *ranks.whole(mine.stop - mine.start)])
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]


def _collect(ranks: _Ranks, rows: list[slice], mine: Array, wanted: slice, block: Array | None) -> None:
    """Some rows of all ranks to the first one, into `block`."""
    # in the order of the ranks, which is that of the rows
    for rank, part in enumerate(rows):
        start, stop = max(part.start, wanted.start), min(part.stop, wanted.stop)
        if start >= stop:
            continue
        if rank == ranks.rank:
            piece = mine[start - part.start : stop - part.start]
            if block is None:
                ranks.comm.Send(np.ascontiguousarray(piece), dest=_ROOT, tag=_TAG)
            else:
                block[start - wanted.start : stop - wanted.start] = piece
        elif block is not None:
            ranks.comm.Recv(block[start - wanted.start : stop - wanted.start], source=rank, tag=_TAG)


def _grid_of(landscape: LargeLandscape) -> Grid:
    if landscape.grid is None:
        raise GridError("the rows of a rank need the grid of the whole field", advice="pass LargeLandscape(rows, grid)")
    return landscape.grid


def _own_rows(landscape: LargeLandscape, ranks: _Ranks) -> tuple[Array, slice, str, dict[str, Any]]:
    """Q on the rows of this rank, which rows these are, and what Q is called."""
    source, grid, dtype = landscape.source, _grid_of(landscape), landscape.dtype
    if callable(source):
        rows = rows_of_rank(grid.shape[0], ranks.count, ranks.rank)
        label = str(getattr(source, "__name__", "function")).strip("<>")
        origin = {"source": "function", "function": label}
        kind = np.dtype(np.float64 if dtype is None else dtype)  # type: ignore[call-overload]
        nodes = [axis.coordinates for axis in grid]
        mesh = np.meshgrid(nodes[0][rows], *nodes[1:], indexing="ij", copy=False)
        # a rank without rows asks nothing of a function that may not expect empty arrays
        values = real_array("the result of the function", source(*mesh)) if mesh[0].size else np.empty(mesh[0].shape)
    else:
        values = real_array("Q", source, allowed="float32, float64, integers, bool")
        own = np.float32 if values.dtype == np.float32 else np.float64
        kind = np.dtype(own if dtype is None else dtype)  # type: ignore[call-overload]
        label, origin = "array", {"source": "array"}
        rows = slice(0, values.shape[0] if values.ndim else 0)
        mesh = None
    if kind not in (np.float32, np.float64):
        raise OptionError("unsupported type of the field", given=kind, allowed="float32, float64")
    if values.ndim != grid.dimensions or values.shape[1:] != grid.shape[1:] or (mesh and values.shape != mesh[0].shape):
        raise GridError(
            "the values of a rank have the wrong shape for the grid",
            given=f"shape {values.shape}",
            allowed=f"(rows, {', '.join(map(str, grid.shape[1:]))})" if grid.dimensions > 1 else "(rows,)",
        )
    return np.ascontiguousarray(values, dtype=kind), rows, label, origin


@checked_call()
def evolve_mpi(
    landscape: LargeLandscape,
    sigma: Sigma,
    solver: str | Solver = "auto",
    *,
    comm: MPI.Comm | None = None,
    tolerance: float | None = None,
    prefer: str = "accurate",
    checks: str = "standard",
    progress: Progress = None,
) -> RankedEvolution:
    """Evolve one field on all ranks of an MPI program: u = prod_i exp(t_i d_ii / 2) Q.

    Every rank holds rows of the first axis. Q is exchanged for columns once; at each sigma the first axis is solved on
    the columns, these are exchanged for rows, and the other axes are solved on them. All ranks call this.

    Parameters
    ----------
    landscape
        Q with the whole grid. Its source is an array with the rows of this rank, shape (rows, *grid.shape[1:]), in the
        order of the ranks; ranks may have different numbers of rows, including none. Or it is a function of the
        coordinates, the same on every rank, which is sampled on the rows of `rows_of_rank`.
    sigma, solver, tolerance, prefer
        As for `heatpg.evolve`, the same on every rank.
    comm
        The communicator; by default all ranks.
    checks
        ``standard`` or ``none``, as for `heatpg.large.evolve_large`.
    progress
        A function called as ``progress(done, total)`` after each sigma, on every rank; or True for a bar on the first.

    Returns
    -------
    evolution
        The fields on the rows of this rank, with the report on all of them.

    Raises
    ------
    MissingPackageError
        If mpi4py is not installed.
    GridError, SigmaError, StabilityError, UnknownNameError, NonFiniteError, ResourceError
        As for `heatpg.evolve`; on every rank, whichever it concerns.
    CheckError
        On every rank, if the solver violates a property that it guarantees; the result is in the attribute `evolution`.

    Warns
    -----
    HeatpgWarning
        On the first rank, if another check fails.

    Notes
    -----
    The result equals that of `heatpg.evolve` up to rounding. In addition to the fields a rank needs memory for about
    six slabs of its rows. A field of one dimension lies on one rank while it is solved. Batches are for the ranks to
    share out. Run the program with ``-m mpi4py``, so that the failure of one rank ends the others. Threads of heatpg
    multiply with ranks: set ``HEATPG_THREADS`` to the processors that a rank may use.

    Examples
    --------
    A separate program, run as ``mpiexec -n 2 python -m mpi4py program.py``::

        from heatpg import Axis, Grid
        from heatpg.large import LargeLandscape, evolve_mpi

        grid = Grid(*(Axis(name, -4.0, 4.0, 4001, boundary="clip") for name in "xy"))
        flow = evolve_mpi(LargeLandscape(lambda x, y: abs(x) + abs(y), grid), [0.1, 0.2])
        flow.save("field.h5")
    """
    mpi = _mpi()
    ranks = _Ranks(mpi.COMM_WORLD if comm is None else comm)
    # a bar of every rank would hide the others
    tell = progress_of(None if progress is True and ranks.rank > 0 else progress, "solving")
    trouble: BaseException | None = None
    try:
        grid = _grid_of(landscape)
        plan = schedule(grid, sigma, solver, tolerance=tolerance, prefer=prefer)
        values, own, label, origin = _own_rows(landscape, ranks)
        plan.refuse_endless(values.size, values.dtype)
        watched = BlockChecks(plan, grid.shape, values.dtype, checks, sense_of(bool(landscape.minimise)))
        if values.size:
            # the place is that among the rows of this rank
            require_finite(values, tuple(slice(0, size) for size in values.shape))
        require_memory(
            values.nbytes * (len(plan.sigma) + _SLABS),
            f"the rows of rank {ranks.rank} at {len(plan.sigma)} sigmas",
            "use more ranks, fewer sigmas at a time, or float32 values",
        )
    except Exception as reason:
        trouble = reason
    ranks.agree(trouble)
    rows = _all_rows(ranks, own)
    if rows[-1].stop != grid.shape[0]:
        raise GridError(
            "the rows of all ranks do not add up to the grid", given=f"{rows[-1].stop}", allowed=f"{grid.shape[0]}"
        )
    # after agree: what follows is the same on every rank, and all raise or none
    if len({*ranks.whole(values.dtype.itemsize)}) > 1:
        raise OptionError("the ranks have values of different types", given=values.dtype, advice="pass dtype")
    own = rows[ranks.rank]
    begin = time.perf_counter()
    fields = _solve(ranks, rows, plan, values, watched, tell)
    timing = {"solve": time.perf_counter() - begin}
    report = watched.report(ranks)
    timing["checks"] = time.perf_counter() - begin - timing["solve"]
    result = RankedEvolution(
        *(ranks.comm, grid, plan.sigma, plan.solver, plan.reason, report, timing, own, values, fields),
        landscape.name or label,
        origin,
        plan,
        bool(landscape.minimise),
    )
    judge(result, warns=ranks.rank == _ROOT)
    return result


def _solve(
    ranks: _Ranks,
    rows: list[slice],
    plan: Schedule,
    values: Array,
    watched: BlockChecks,
    progress: Callable[[int, int], object] | None,
) -> Array:
    grid, own = plan.grid, rows[ranks.rank]
    box = (own, *(slice(0, size) for size in grid.shape[1:]))
    others = tuple(range(1, grid.dimensions))
    if values.size:
        watched.add_initial(box, values)
        for position in others:
            watched.add_lines(position, values)
    watched.choose_nodes(ranks)
    taken = watched.centring()
    centred = taken.remove(values)
    exchange = _Exchange(ranks, rows, grid.size // grid.shape[0], values.dtype)
    # without noise along the first axis nothing is exchanged at all
    moves = any(row[0] > 0 for row in plan.variances)
    flat = (len(values), grid.size // grid.shape[0])
    columns = exchange.to_columns(centred.reshape(flat)) if moves else None
    if columns is not None and columns.size:
        watched.add_lines(0, columns)
    fields = np.empty((len(plan.sigma), *values.shape), values.dtype)
    for level, row in enumerate(plan.variances):
        if values.size:
            watched.add_source(level, box, values)
        trouble: BaseException | None = None
        current = centred
        try:
            if row[0] > 0:
                assert columns is not None
                solved = np.empty_like(columns)
                carry(plan, level, (0,), columns, (0,), solved)
        except Exception as reason:
            trouble = reason
        ranks.agree(trouble)
        if row[0] > 0:
            current = np.empty_like(values)
            # all ranks take part in the exchange, so none may have raised before it
            exchange.to_rows(solved, current.reshape(flat))
        try:
            if others:
                carry(plan, level, others, current, others, fields[level])
            else:
                fields[level] = current
            if values.size:
                if not taken.trivial:
                    taken.restore(fields[level], fields[level])
                _require_finite(plan, level, fields[level])
                watched.add_field(level, box, fields[level])
        except Exception as reason:
            trouble = reason
        ranks.agree(trouble)
        if progress is not None:
            progress(level + 1, len(plan.sigma))
    return fields


def _require_finite(plan: Schedule, level: int, field: Array) -> None:
    try:
        require_finite(field, tuple(slice(0, size) for size in field.shape))
    except NonFiniteError:
        raise NonFiniteError(
            f"the solution at sigma={plan.sigma[level]} is not finite",
            given=f"solver {plan.solver!r}",
            advice="use another solver",
        ) from None
