"""Fields of many noise levels into one file, finished and checksummed on the disk."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.registry import Goal, Run, Task

__all__ = ["task"]

_RAW = "raw write of the same bytes"
_FULL = "heatpg storage=full"
_COMPACT = "heatpg storage=compact 1e-10"
_TOLERANCE = 1e-10
_SMALLEST = 2.0  # sigma in cells
_PIECE = 2**24  # bytes
_SPARE = 3  # results' worth of memory: one kept, one read back to be compared, one beside them


@dataclasses.dataclass
class Archive:
    """Fields, and a folder to write them into, which is removed when the competitor ends.

    Attributes
    ----------
    flow
        The evolution.
    folder
        In the folder for temporary files of the system: set TMPDIR to measure another disk.
    """

    flow: Any
    folder: Path

    def __post_init__(self) -> None:
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name: str) -> Path:
        """A file in the folder."""
        return self.folder / name

    def error(self, result: Any) -> float:
        """Largest difference of a file of heatpg, read back, from the fields, in units of osc(Q)."""
        if result.suffix != ".h5":
            return 0.0 if result.stat().st_size == self.flow.values.nbytes else np.inf
        from heatpg import load

        values = load(result).values - self.flow.values
        batch = np.abs(values, out=values).max(axis=0).reshape(*self.flow.landscape.batch_shape, -1).max(axis=-1)
        entries = self.flow.landscape.values.reshape(*batch.shape, -1)
        return float((batch / np.ptp(entries, axis=-1)).max())


def _problem(kind: str, size: int, sigmas: int, largest: float, count: int = 0) -> Archive:
    from heatpg import Axis, Grid, Landscape, landscapes
    from heatpg.evolution import solve
    from heatpg.tools.resources import require_memory

    points = count * size if kind == "walks" else size * size
    require_memory(8.0 * points * sigmas * _SPARE, "the fields", "leave this task out")
    if kind == "walks":
        values = np.cumsum(np.random.default_rng(2).standard_normal((count, size)), axis=1) / np.sqrt(size)
        landscape = Landscape(values, Grid(Axis("x", 0.0, float(size), size, boundary="reflect", nodes="cell")))
    else:
        landscape = landscapes.double_pendulum(size=size)
    levels = np.geomspace(_SMALLEST, largest, sigmas) * landscape.grid.spacing[0]
    flow = solve(landscape, levels, "spectral")
    return Archive(flow, Path(tempfile.mkdtemp(prefix="heatpg-")))


task = Task(
    "archive",
    "fields to the disk: one file, finished, with its checksums, its name and its folder synchronised",
    cases={
        "1000 x 4096 x 32": {"kind": "walks", "count": 1000, "size": 4096, "sigmas": 32, "largest": 512.0},
        "double pendulum 512^2 x 16": {"kind": "double_pendulum", "size": 512, "sigmas": 16, "largest": 100.0},
    },
    quick={
        "5 x 64 x 4": {"kind": "walks", "count": 5, "size": 64, "sigmas": 4, "largest": 16.0},
        "double pendulum 17^2 x 2": {"kind": "double_pendulum", "size": 17, "sigmas": 2, "largest": 4.0},
    },
    problem=_problem,
    error=lambda result, problem: problem.error(result),
    reference=_RAW,
    work=lambda problem: float(problem.flow.values.size),
    unit="points",
    clock="wall",
    goals=[
        Goal(_FULL, "within", 1.3, _RAW, ("1000 x 4096 x 32",)),
        Goal(_COMPACT, "faster", 4.0, _FULL, ("1000 x 4096 x 32",)),
    ],
)


@task.competitor(_RAW, tolerance=0.0)
def _raw(problem: Archive) -> Run:
    content = problem.flow.values.reshape(-1).view(np.uint8).data

    def run() -> Path:
        # asked here, because the folder lives as long as the problem does
        target, temporary = problem.path("fields.bin"), problem.path("fields.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        rest = content
        while rest:
            rest = rest[os.write(descriptor, rest[:_PIECE]) :]
        os.fsync(descriptor)
        os.close(descriptor)
        os.replace(temporary, target)
        return target

    return run


def _register(name: str, error: float, **options: Any) -> None:
    @task.competitor(name, requires=["h5py"], tolerance=error)
    def setup(problem: Archive) -> Run:
        from heatpg import save

        target = problem.path("fields.h5")

        def run() -> Path:
            save(problem.flow, target, force=True, **options)
            return target

        return run


_register(_FULL, 0.0)
_register(_COMPACT, _TOLERANCE, storage="compact", tolerance=_TOLERANCE)
