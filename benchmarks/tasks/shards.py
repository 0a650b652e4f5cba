"""Many small tasks: a batch with all that it promises, against the same solves and files by joblib."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.registry import Goal, Run, Task

__all__ = ["task"]

_WORKERS = 2
_SIZE = 17
_SIGMAS = [0.3, 0.6]
_BATCH = "heatpg batch"
_JOBLIB = "joblib (loky), evolve and save"
_STATUS, _INDEX = "heatpg batch, status", "heatpg batch, index"


@dataclasses.dataclass
class Batch:
    """Ridges of many widths, and a folder that is removed when the competitor ends.

    Attributes
    ----------
    count
        Number of tasks.
    place
        In the folder for temporary files of the system: set TMPDIR to measure another disk.
    """

    count: int
    place: Path = dataclasses.field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="heatpg-")))
    names: Iterator[int] = dataclasses.field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        weakref.finalize(self, shutil.rmtree, self.place, ignore_errors=True)

    @property
    def widths(self) -> list[float]:
        """One for each task."""
        return [round(0.2 + 0.0001 * number, 6) for number in range(self.count)]

    @property
    def specification(self) -> dict[str, Any]:
        """What `heatpg batch` reads."""
        return {
            "landscape": {"source": "ridge", "size": _SIZE},
            "evolve": {"sigma": _SIGMAS},
            "sweep": {"product": {"landscape.width": self.widths}},
        }

    def folder(self) -> Path:
        """A fresh folder."""
        path = self.place / str(next(self.names))
        path.mkdir()
        return path


task = Task(
    "shards",
    f"tasks of {_SIZE} x {_SIZE} nodes, {len(_SIGMAS)} sigmas, standard checks, {_WORKERS} workers: the batch with "
    "the start of its workers, joblib with workers that run already; status and index of the same batch",
    cases={"2000 tasks": {"count": 2000}},
    quick={"3 tasks": {"count": 3}},
    problem=Batch,
    error=lambda result, problem: float(abs(result - problem.count)),
    reference=_JOBLIB,
    work=lambda problem: float(problem.count),
    clock="wall",
    rounds=3,
    goals=[
        Goal(_BATCH, "within", 1.0, _JOBLIB),
        # 5,000 shards in two seconds
        Goal(_STATUS, "rate", 2500.0),
        Goal(_INDEX, "rate", 2500.0),
    ],
)


def _solve(width: float, path: str) -> None:
    from heatpg import evolve, landscapes, save

    save(evolve(landscapes.ridge(size=_SIZE, width=width), _SIGMAS), path, force=True)


@task.competitor(_JOBLIB, requires=["joblib"], tolerance=0.0)
def _joblib(problem: Batch) -> Run:
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=_WORKERS)
    parallel.__enter__()  # the workers are kept, and end with this process

    def run() -> int:
        folder = problem.folder()
        parallel(delayed(_solve)(width, f"{folder}/{number}.h5") for number, width in enumerate(problem.widths))
        return len(list(folder.glob("*.h5")))

    return run


@task.competitor(_BATCH, requires=["pydantic"], tolerance=0.0)
def _batch(problem: Batch) -> Run:
    from heatpg.batch import run as run_batch

    return lambda: run_batch(problem.specification, problem.folder() / "batch", workers=_WORKERS).done


def _made(problem: Batch) -> str:
    """A batch that is done, by its name: who uses it holds on to the problem, whose end is the end of the folder."""
    from heatpg.batch import run as run_batch

    folder = problem.folder()
    run_batch(problem.specification, folder / "batch", workers=_WORKERS)
    return f"{folder.name}/batch"


@task.competitor(_STATUS, requires=["pydantic"], tolerance=0.0)
def _status(problem: Batch) -> Run:
    from heatpg.batch import status

    name = _made(problem)
    return lambda: status(problem.place / name).done


@task.competitor(_INDEX, requires=["pydantic"], tolerance=0.0)
def _index(problem: Batch) -> Run:
    from heatpg.batch import read_spec
    from heatpg.batch.index import build_index

    name, tasks = _made(problem), read_spec(problem.specification).tasks()

    def run() -> int:
        build_index(problem.place / name, tasks, {})
        return len(tasks)

    return run
