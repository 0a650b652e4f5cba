"""A field on the disk: read, evolved and written in blocks of whole lines, in a fixed amount of memory."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.centring import Centring
from heatpg.core.noise import Sigma, sigma_words
from heatpg.core.report import Report, checks_html
from heatpg.core.sense import sense_of
from heatpg.errors import NonFiniteError, ResourceError
from heatpg.large.blocks import Box, Plan, carry
from heatpg.large.checking import BlockChecks
from heatpg.large.header import header
from heatpg.large.sources import LargeLandscape, Origin, RawFile, Reader, Source, open_source, require_finite, scratch
from heatpg.large.writing import FieldWriter, chunks_of, clean, file_bytes, write_file
from heatpg.solvers import Solver
from heatpg.solvers.choice import Schedule, schedule
from heatpg.store.record import Record
from heatpg.tools import html
from heatpg.tools.calls import checked_call
from heatpg.tools.lines import one_line
from heatpg.tools.progress import Progress, progress_of
from heatpg.tools.publishing import prepare_output, result_name
from heatpg.tools.resources import available_memory, human_bytes, require_disk
from heatpg.verify import judge

__all__ = ["LargeSummary", "evolve_large"]

Array = NDArray[Any]

_SHARE_OF_MEMORY = 0.5  # of what is free; the rest is for the cache of the system, which reads ahead; a matter of taste


@dataclasses.dataclass(frozen=True)
class LargeSummary:
    """Result of an out-of-core evolution.

    Attributes
    ----------
    path
        The file: that of `heatpg.save`.
    sigma
        As of an `heatpg.Evolution`.
    shape, dtype
        Of one field.
    solver, reason
        The solver, and why it was picked, if it was.
    report
        The checks.
    timing
        Seconds by stage.
    memory
        Memory limit in bytes.
    disk
        Bytes that the work took on the disk, the file included.
    passes
        How often each field was passed over, at most.
    """

    path: Path
    sigma: NDArray[np.float64]
    shape: tuple[int, ...]
    dtype: str
    solver: Solver
    reason: str
    report: Report
    timing: dict[str, float]
    memory: int
    disk: int
    passes: int

    def __str__(self) -> str:
        size = int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize
        levels = f"{len(self.sigma)} sigma{'s' if len(self.sigma) > 1 else ''}"
        lines = [
            f"file    {self.path}",
            f"field   {' x '.join(map(str, self.shape))} {self.dtype}, {human_bytes(size)}, at {levels}",
            f"solver  {self.solver!r}",
            f"work    {sum(self.timing.values()):.1f} s, {self.passes} passes in {human_bytes(self.memory)} of memory, "
            f"{human_bytes(self.disk)} of disk",
        ]
        return "\n".join([*map(one_line, lines), str(self.report)])

    def _repr_html_(self) -> str:
        levels = f"{len(self.sigma):,} sigma{'s' if len(self.sigma) > 1 else ''}"
        work = f"{sum(self.timing.values()):.1f} s, {self.passes} passes in {human_bytes(self.memory)} of memory"
        rows = [
            ("file", html.text(self.path, 400)),
            ("field", html.text(f"{html.times(self.shape)} {self.dtype}, at {levels}")),
            ("solver", html.text(repr(self.solver) + (f" (chosen: {self.reason})" if self.reason else ""))),
            ("work", html.text(f"{work}, {human_bytes(self.disk)} of disk")),
        ]
        return html.page(html.heading("Field on disk", "", ""), html.table(("", ""), rows), checks_html(self.report))

    def as_dict(self) -> dict[str, Any]:
        """The summary as JSON-like values."""
        return {
            "path": str(self.path),
            "sigma": self.sigma.tolist(),
            "shape": list(self.shape),
            "dtype": self.dtype,
            "solver": {"name": self.solver.name, "options": self.solver.options()},
            "reason": self.reason,
            "report": self.report.as_dict(),
            "timing": dict(self.timing),
            "memory": self.memory,
            "disk": self.disk,
            "passes": self.passes,
        }


class _Passes:
    """The passes over the blocks, and what they count."""

    def __init__(
        self,
        origin: Origin,
        plan: Plan,
        what: Schedule,
        watched: BlockChecks,
        progress: Callable[[int, int], object] | None,
    ) -> None:
        self.origin = origin
        self.plan = plan
        self.what = what
        self.watched = watched
        self.progress = progress
        self.done = 0
        self.taken: Centring  # known when all of Q was seen
        self.seen: set[int] = set()  # axes along which the differences of Q were taken
        # one pass over Q, and the passes of every level
        self.total = plan.count(()) + sum(plan.count(self.moving(level)) for level in range(len(what.sigma)))
        self.timing = {"read": 0.0, "solve": 0.0}

    def moving(self, level: int) -> list[int]:
        """Axes of the array along which something happens at a level."""
        return [self.plan.first + i for i, t in enumerate(self.what.variances[level]) if t > 0]

    def _step(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.total)

    def look(self, writer: FieldWriter, keep: RawFile | None) -> Reader:
        """Pass over Q: it is checked, written, and kept on the disk where to compute it again would cost more."""
        begin = time.perf_counter()
        for box in self.plan.last():
            block = self.origin.read(box)
            # before a block goes anywhere: one NaN would spoil the whole field
            require_finite(block, box)
            self.watched.add_initial(box, block)
            # lines along these axes are whole in a block of the last pass, and in no other
            for axis in self.plan.together:
                if axis >= self.plan.first:
                    self.watched.add_lines(axis - self.plan.first, block)
            writer.put_landscape(box, block)
            if keep is not None:
                keep.write(box, block)
            self._step()
        # the optimum of Q is among them, so all of Q must have been seen
        self.watched.choose_nodes()
        self.taken = self.watched.centring()
        self.timing["read"] = time.perf_counter() - begin
        return keep or self.origin

    def level(self, level: int, source: Reader, between: RawFile | None, writer: FieldWriter) -> None:
        """All passes of one sigma."""
        begin = time.perf_counter()
        moving = self.moving(level)
        reader = source
        # each axis from where the axis before has left the field, the first from Q; between may be read and written at
        # once, because the blocks of one axis are whole lines and do not overlap
        for axis in self.plan.singly:
            if axis in moving:
                assert between is not None
                self._along(level, axis, source, reader, between)
                reader = between
        self._last(level, source, reader, writer)
        self.timing["solve"] += time.perf_counter() - begin

    def _along(self, level: int, axis: int, source: Reader, reader: Reader, between: RawFile) -> None:
        position = axis - self.plan.first
        for box in self.plan.along(axis):
            if axis not in self.seen and self.watched.active:
                self.watched.add_lines(position, source.read(box))
            block = reader.read(box)
            # the reference is a sum over Q: it is added while Q passes by, and not while what was made of it does
            if reader is source:
                self.watched.add_source(level, box, block)
                block = self.taken.part(box[: self.plan.first]).remove(block)
            out = np.empty_like(block)
            carry(self.what, level, (position,), block, (axis,), out)
            between.write(box, out)
            self._step()
        # differences of Q do not depend on sigma: they are taken when this axis is passed for the first time
        self.seen.add(axis)

    def _last(self, level: int, source: Reader, reader: Reader, writer: FieldWriter) -> None:
        grid_axes = [axis for axis in self.plan.together if axis >= self.plan.first]
        positions = [axis - self.plan.first for axis in grid_axes]
        for box in self.plan.last():
            taken = self.taken.part(box[: self.plan.first])
            block = reader.read(box)
            if reader is source:
                self.watched.add_source(level, box, block)
                block = taken.remove(block)
            out = np.empty_like(block)
            carry(self.what, level, positions, block, grid_axes, out)
            # put back once, after the last axis
            if not taken.trivial:
                taken.restore(out, out)
            # checked before it is written: no file with NaN gets its name
            self._require_finite(level, box, out)
            self.watched.add_field(level, box, out)
            writer.put_field(level, box, out)
            self._step()

    def _require_finite(self, level: int, box: Box, block: Array) -> None:
        try:
            require_finite(block, box)
        except NonFiniteError as reason:
            # what was checked is u, and the words are those for Q
            where = reason.problem.removeprefix("Q is ")
            raise NonFiniteError(
                f"the solution at sigma={sigma_words(self.what.sigma[level])} is {where}",
                given=f"solver {self.what.solver!r}",
                advice="use another solver",
            ) from None


def _budget(memory: float | None) -> int:
    free = available_memory()
    # by default a share of what is free now; what is asked for must be there at all
    if memory is None:
        return int(free * _SHARE_OF_MEMORY)
    if not 0 < memory <= free:
        raise ResourceError(
            "memory= exceeds the available memory",
            given=f"memory={human_bytes(memory)}",
            allowed=f"up to {human_bytes(free)}",
        )
    return int(memory)


@checked_call()
def evolve_large(
    landscape: LargeLandscape | Source,
    sigma: Sigma,
    out: str | os.PathLike[str],
    *,
    solver: str | Solver = "auto",
    tolerance: float | None = None,
    prefer: str = "accurate",
    memory: float | None = None,
    checks: str = "standard",
    progress: Progress = None,
    force: bool = False,
) -> LargeSummary:
    """Evolve a field that does not fit in memory, from the disk to the disk: u = prod_i exp(t_i d_ii / 2) Q.

    The last axes that fit are solved together in blocks of rows; each axis before them in a separate pass, in
    blocks of whole lines. The result equals that of `heatpg.evolve` up to rounding, in the same file format as
    `heatpg.save` writes: complete under its name, or not there.

    Parameters
    ----------
    landscape
        Q: a `LargeLandscape`; or a `heatpg.Landscape` or the path of a heatpg file, which contain their grid.
    sigma
        Noise levels; see `heatpg.evolve`.
    out
        Name of the file to write.
    solver, tolerance, prefer
        As for `heatpg.evolve`. A marching solver starts from Q at each sigma, so that its steps up to the k-th sigma
        are made k times.
    memory
        Memory for the blocks and the work on them in bytes, in addition to that of the process; by default half of the
        free memory.
    checks
        ``standard`` or ``none``. Standard: range, conservation, the independent convolution on a few hundred nodes,
        resolution, optimum on the edge; maxima are not followed, which takes whole fields.
    progress
        A function that is called as ``progress(done, total)`` after each block, or True for a progress bar.
    force
        Whether an existing file may be replaced.

    Returns
    -------
    summary
        With the report; the fields are read with `open_large`, or with `heatpg.load` where there is memory for them.

    Raises
    ------
    SigmaError, StabilityError, UnknownNameError, OptionError, UnsupportedError, GridError
        For input that cannot be evolved.
    ResourceError
        If single lines do not fit in the memory, or if the disk has no space for the file and, with more than one pass,
        for one more field.
    NonFiniteError
        If Q or a solution is not finite; no file is kept.
    StoreError
        If the source cannot be read, or the file not written; `MissingFileError` if the source is not there.
    CheckError
        If the solver violates a property that it guarantees; the file is kept with its report.

    Warns
    -----
    HeatpgWarning
        If another check fails.

    Notes
    -----
    Correlated noise couples the axes and is not offered. Axes in free space and closed axes of all kinds are, with
    every solver. The intermediate field is in an unlinked temporary file, which the system removes whatever ends the
    process; the unfinished result is removed when the next one is written to the same folder.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, load
    >>> from heatpg.large import LargeLandscape, evolve_large
    >>> grid = Grid(*(Axis(name, -3.0, 3.0, 61, boundary="clip") for name in "xy"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     out = os.path.join(folder, "bump.h5")
    ...     bump = LargeLandscape(lambda x, y: np.exp(-(x**2 + y**2) / 2), grid)
    ...     summary = evolve_large(bump, [0.5, 1.0], out)
    ...     flow = load(out)
    >>> summary.report.passed, round(float(flow.values[1].max()), 4)  # 1 / (1 + sigma^2)
    (True, 0.5)
    """
    tell = progress_of(progress, "solving")
    target = prepare_output(result_name(out), force=force)
    # what a killed process has left of an earlier one takes room
    clean(target.parent)
    budget = _budget(memory)
    with open_source(LargeLandscape.of(landscape)) as origin:
        what = schedule(origin.grid, sigma, solver, tolerance=tolerance, prefer=prefer)
        what.refuse_endless(math.prod(origin.shape), origin.dtype)
        watched = BlockChecks(what, origin.shape, origin.dtype, checks, sense_of(origin.minimise), origin.provenance)
        # blocks in multiples of chunks, and chunks cut to what a block holds whole: each chunk is written once
        usual = chunks_of(origin.shape, origin.grid.dimensions)
        plan = Plan.of(origin.grid, origin.shape, origin.dtype, what.solver, budget, usual)
        chunks = chunks_of(origin.shape, origin.grid.dimensions, plan.extent)
        passes = _Passes(origin, plan, what, watched, tell)
        named = origin.name, origin.provenance
        known = header(what, *named, origin.shape, origin.dtype, minimise=origin.minimise)
        field = int(np.prod(origin.shape, dtype=np.int64)) * origin.dtype.itemsize
        # one field between the passes, and Q itself where it would have to be computed again
        extra = int(origin.costly) + int(
            any(axis in plan.singly for k in range(len(known)) for axis in passes.moving(k))
        )
        disk = file_bytes(origin.shape, len(known), chunks, origin.dtype) + extra * field
        require_disk(disk, target.parent, f"{target.name}, including working space,")
        _run(target, known, chunks, passes, force=force)
    summary = LargeSummary(
        target,
        what.sigma,
        origin.shape,
        origin.dtype.name,
        what.solver,
        what.reason,
        known.report,
        known.timing,
        budget,
        disk,
        1 + max(sum(axis in plan.singly for axis in passes.moving(k)) for k in range(len(known))),
    )
    judge(summary, fields=target)
    return summary


def _run(target: Path, known: Record, chunks: tuple[int, ...], passes: _Passes, *, force: bool) -> None:
    def fill(writer: FieldWriter) -> tuple[Report, dict[str, float]]:
        begin = time.perf_counter()
        with contextlib.ExitStack() as stack:

            def room() -> RawFile:
                return stack.enter_context(scratch(target.parent, passes.origin.shape, passes.origin.dtype))

            keep = room() if passes.origin.costly else None
            moves = any(axis in passes.plan.singly for k in range(len(known)) for axis in passes.moving(k))
            between = room() if moves else None
            source = passes.look(writer, keep)
            for level in range(len(known)):
                passes.level(level, source, between, writer)
        # when all has passed by
        report = passes.watched.report()
        passes.timing["checks"] = max(0.0, time.perf_counter() - begin - sum(passes.timing.values()))
        return report, passes.timing

    write_file(target, known, chunks, fill, force=force)
