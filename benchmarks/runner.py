"""Runs the competitors of a case side by side, one process each, in rounds that interleave them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.machine import wait_for_quiet
from benchmarks.registry import Competitor, Effort, Task

__all__ = ["ANOTHER_BUILD", "Row", "Settings", "Worker", "measure_case"]

ANOTHER_BUILD = "(another build)"

_ROOT = Path(__file__).resolve().parents[1]
_THREAD_VARIABLES = (
    "HEATPG_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "BENCHMARK_THREADS",
)
_BATCH = 0.2  # seconds: some twenty ticks of the clock that shows what others do
_MOST_CALLS = 2000  # in a batch: beyond, the clock is fine enough
_DISTURBED = 0.15  # processors' worth of work by others
_ATTEMPTS = 4  # at a batch that others disturbed


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to measure.

    Attributes
    ----------
    rounds
        Rounds, of which the median counts.
    threads
        Threads of every competitor.
    quick
        Tiny cases, one call a round.
    full
        The largest competitors as well.
    against
        The Python of an environment with another build of heatpg, whose competitors take part beside those of this one.
    budget
        Seconds of timing after which a slow competitor sits out the remaining rounds of a case.
    patience
        Seconds that a case may wait for others to leave the machine alone.
    timeout
        Seconds that a competitor may take for one answer.
    """

    rounds: int = 7
    threads: int = 1
    quick: bool = False
    full: bool = False
    against: Path | None = None
    budget: float = 20.0
    patience: float = 60.0
    timeout: float = 300.0


@dataclasses.dataclass
class Row:
    """Figures of one competitor in one case; times in seconds per call."""

    task: str
    case: str
    competitor: str
    failure: str = ""
    error: float | None = None
    work: float = 1.0
    memory: float | None = None
    first: float | None = None
    wall: list[float] = dataclasses.field(default_factory=list)
    cpu: list[float] = dataclasses.field(default_factory=list)
    disturbed: int = 0
    reference: str = ""
    ratio: float | None = None
    copy_bandwidth: float | None = None
    effort: Effort | None = None

    @property
    def wall_median(self) -> float:
        """Median over the rounds of the wall time of a call."""
        return statistics.median(self.wall)

    @property
    def cpu_median(self) -> float:
        """Median over the rounds of the processor time of a call."""
        return statistics.median(self.cpu)

    def per_work(self, clock: str) -> float:
        """Seconds per unit of work."""
        return (self.cpu_median if clock == "cpu" else self.wall_median) / self.work


# The benchmarks of this tree with the heatpg of another: only the package of the benchmarks is found by its path. `-P`
# keeps the working directory, which may hold a heatpg too, out of the search.
_ELSEWHERE = """
import importlib.util, sys
place = sys.argv.pop(1)
spec = importlib.util.spec_from_file_location("benchmarks", place + "/__init__.py", submodule_search_locations=[place])
sys.modules["benchmarks"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["benchmarks"])
from benchmarks.worker import main
main(*sys.argv[1:])
"""


class Worker:
    """A competitor in its own process, of this build or of another."""

    def __init__(self, task: str, case: str, competitor: str, settings: Settings, python: Path | None = None) -> None:
        # set before the process starts: most libraries read them once, at import
        environment = dict(os.environ, **dict.fromkeys(_THREAD_VARIABLES, str(settings.threads)))
        words = [task, case, competitor, "quick" if settings.quick else "full"]
        if python is None:
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH", "")]))
            command = [sys.executable, "-m", "benchmarks.worker", *words]
        else:
            environment.pop("PYTHONPATH", None)
            command = [str(python), "-P", "-c", _ELSEWHERE, str(_ROOT / "benchmarks"), *words]
        self.timeout = settings.timeout
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - see `close`
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
        )

    def receive(self) -> dict[str, Any]:
        """The next answer; a `failure` if there is none in time."""
        assert self._process.stdout is not None
        # a competitor that hangs is ended; reading from its pipe then returns
        alarm = threading.Timer(self.timeout, self._process.kill)
        alarm.start()
        try:
            line = self._process.stdout.readline()
        finally:
            late = not alarm.is_alive()
            alarm.cancel()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        if late:
            return {"failure": f"no answer in {self.timeout:.0f} s"}
        self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().strip().splitlines()
        return {"failure": said[-1] if said else f"ended with code {self._process.returncode}"}

    def batch(self, count: int) -> dict[str, Any]:
        """Time some calls; see `benchmarks.worker.batch`."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{count}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return {"failure": "ended between two batches"}
        return self.receive()

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
            self._process.communicate("0\n", timeout=60)
        self._process.kill()
        self._process.wait()
        self._errors.close()


def _take_part(task: Task, case: str, settings: Settings, say: Callable[[str], None]) -> dict[str, tuple[Row, Worker]]:
    """Start the competitors one after the other; each has made its first call when the next one starts."""
    present = {}
    entries: list[tuple[Competitor, Path | None]] = []
    for competitor in task.taking_part(case, settings.full):
        entries.append((competitor, None))
        if settings.against is not None and competitor.name.startswith("heatpg"):
            entries.append((competitor, settings.against))
    for competitor, python in entries:
        missing = competitor.missing()
        if missing:
            say(f"  {competitor.name}: left out, {', '.join(missing)} is not installed")
            continue
        row = Row(task.name, case, competitor.name, reference=task.reference_of(competitor.name))
        if python is not None:
            # its ratio is to this build: how many times longer it takes
            row.competitor, row.reference = f"{competitor.name} {ANOTHER_BUILD}", competitor.name
        worker = Worker(task.name, case, competitor.name, settings, python)
        facts = worker.receive()
        if "failure" in facts:
            row.failure = facts["failure"]
        else:
            row.error, row.work = facts["error"], facts["work"]
            row.memory, row.first = facts["memory"], facts["first"]
            row.effort = None if facts["effort"] is None else Effort(**facts["effort"])
            if not facts["error"] <= competitor.tolerance:  # NaN too
                row.failure = f"wrong answer: error {facts['error']:.1e}, at most {competitor.tolerance:.0e} is right"
        if row.failure:
            say(f"  {row.competitor}: left out, {row.failure}")
            worker.close()
            continue
        present[row.competitor] = (row, worker)
    return present


def _batch_size(row: Row, worker: Worker, settings: Settings) -> int:
    """Calls per batch, from one call after the first."""
    assert row.first is not None
    if settings.quick or row.first > settings.budget / 4:
        return 1
    # the first of the two may still touch fresh memory
    for _ in range(2):
        answer = worker.batch(1)
    return max(1, min(_MOST_CALLS, int(_BATCH / max(answer["wall"], 1e-7)))) if "wall" in answer else 1


def measure_case(task: Task, case: str, settings: Settings, say: Callable[[str], None]) -> list[Row]:
    """All figures of a case."""
    say(f"{task.name}, {case}")
    present = _take_part(task, case, settings, say)
    copy = Worker("limits", "", "", settings)
    copied = copy.receive()["work"]
    bandwidths: list[float] = []
    left = 0.0 if settings.quick else settings.patience
    try:
        counts = {name: _batch_size(row, worker, settings) for name, (row, worker) in present.items()}
        for turn in range(min(settings.rounds, task.rounds or settings.rounds)):
            bandwidths.append(copied / copy.batch(5)["wall"])
            names = list(present)
            # another one begins each round, so that nobody always follows the same neighbour
            shift = turn % max(1, len(names))
            for name in names[shift:] + names[:shift]:
                row, worker = present[name]
                if sum(row.wall) * counts[name] > settings.budget or row.failure:
                    continue
                best: dict[str, Any] = {}
                for _ in range(1 if settings.quick else _ATTEMPTS):
                    left = wait_for_quiet(left)
                    answer = worker.batch(counts[name])
                    if "failure" in answer:
                        row.failure = answer["failure"]
                        break
                    # of several attempts the least disturbed counts, and not the fastest
                    if not best or answer["foreign"] < best["foreign"]:
                        best = answer
                    if best["foreign"] < _DISTURBED or left <= 0 or best["wall"] * counts[name] > 2.0:
                        break
                if best:
                    row.wall.append(best["wall"])
                    row.cpu.append(best["cpu"])
                    row.disturbed += best["foreign"] >= _DISTURBED
    finally:
        for _, worker in present.values():
            worker.close()
        copy.close()
    for row, _ in present.values():
        if row.failure:
            say(f"  {row.competitor}: {row.failure}")
    rows = [row for row, _ in present.values() if row.wall]
    by_name = {row.competitor: row for row in rows}
    # threads are there to save wall time
    clock = "wall" if settings.threads > 1 else task.clock
    for row in rows:
        row.copy_bandwidth = statistics.median(bandwidths)
        if row.reference in by_name:
            row.ratio = row.per_work(clock) / by_name[row.reference].per_work(clock)
    return rows
