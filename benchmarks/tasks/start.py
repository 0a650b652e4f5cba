"""Whole processes: from the command to its end."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from benchmarks.registry import Goal, Run, Task

__all__ = ["task"]

_DEMO = ("-m", "heatpg", "run", "double_pendulum", "--sigma", "0.02,0.05,0.2", "--quiet", "--force", "--out")


@dataclasses.dataclass(frozen=True)
class Folder:
    """Where a process leaves its files; removed when the competitor ends."""

    place: tempfile.TemporaryDirectory[str]


task = Task(
    "start",
    "a whole process: help, and the demonstration of `make run` without its figure",
    cases={"process": {}},
    quick={"process": {}},
    problem=lambda: Folder(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)),
    error=lambda result, problem: float(result),
    reference="python -c pass",
    clock="wall",
    goals=[
        Goal("heatpg --help", "seconds", 0.3),
        Goal("heatpg run, kernels cached", "seconds", 3.0),
        Goal("heatpg run, nothing cached", "seconds", 15.0),
    ],
)


def _call(arguments: Sequence[str], cache: str | None = None) -> int:
    """Exit code of a Python process."""
    environment = dict(os.environ) if cache is None else {**os.environ, "HEATPG_CACHE_DIR": cache}
    # -P: the heatpg of this environment, and not one that the working directory holds
    command = [sys.executable, "-P", *arguments]
    done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)
    return done.returncode


@task.competitor("python -c pass", tolerance=0.0)
def _nothing(problem: Folder) -> Run:
    return lambda: _call(["-c", "pass"])


@task.competitor("python -c 'import numpy, numba'", requires=["numpy", "numba"], tolerance=0.0)
def _imports(problem: Folder) -> Run:
    return lambda: _call(["-c", "import numpy, numba"])


@task.competitor("heatpg --help", requires=["heatpg.cli"], tolerance=0.0)
def _help(problem: Folder) -> Run:
    return lambda: _call(["-m", "heatpg", "--help"])


@task.competitor("heatpg run, kernels cached", requires=["heatpg.cli"], tolerance=0.0)
def _warm(problem: Folder) -> Run:
    def run() -> int:  # holds on to the problem, whose end is the end of the folder
        return _call([*_DEMO, os.path.join(problem.place.name, "warm.h5")], problem.place.name)

    return run


@task.competitor("heatpg run, nothing cached", requires=["heatpg.cli"], tolerance=0.0)
def _cold(problem: Folder) -> Run:
    def run() -> int:
        with tempfile.TemporaryDirectory(dir=problem.place.name) as cache:
            return _call([*_DEMO, os.path.join(cache, "cold.h5")], cache)

    return run
