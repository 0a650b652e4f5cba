"""`run`, `status` and `verify`: what is asked of a batch as a whole.

The folder of a batch holds ``spec.toml``, the shards, and what is derived from them. Whatever ends a run, the same
command goes on where it ended: what has a sound shard is done, and everything else is not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import importlib
import os
import re
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from heatpg.batch.index import INDEX, build_index, merge_tasks
from heatpg.batch.journal import Journal, journal_name, read_journal
from heatpg.batch.lock import hold, holders
from heatpg.batch.plan import worker_memory
from heatpg.batch.shards import (
    clean,
    inspect,
    inspect_contents,
    shard_path,
    stored,
    temporaries,
    temporary_name,
)
from heatpg.batch.spec import Spec, Task, read_spec
from heatpg.batch.supervisor import Outcome, alone, supervise
from heatpg.errors import ResourceError, StoreError, UnsupportedError
from heatpg.tools.parallel import threads
from heatpg.tools.processes import host
from heatpg.tools.publishing import publish
from heatpg.tools.resources import available_memory, human_bytes
from heatpg.version import __version__

__all__ = [
    "Failure",
    "Interrupted",
    "Progress",
    "State",
    "Summary",
    "Verification",
    "merge",
    "parse_shard",
    "run",
    "status",
    "verify",
]

SPEC = "spec.toml"
_OURS = re.compile(r"(spec\.toml|shards|index\.h5|lock.*|journal.*\.jsonl|\.tmp-.*)")
_SHARE_OF_FREE_MEMORY = 0.9
_SHOWN = 10  # failures that are listed

StrPath = str | os.PathLike[str]
Source = StrPath | Mapping[str, Any] | Spec


# ----------------------------------------------------------------------------------------------------------------------
# What is told


@dataclasses.dataclass(frozen=True)
class Failure:
    """A task that failed.

    Attributes
    ----------
    task
        Its identity.
    number
        Its number in the batch.
    description
        What of the sweep made it.
    reason
        The error, or how its workers died.
    tries
        How often it was begun.
    """

    task: str
    number: int
    description: str
    reason: str
    tries: int

    def __str__(self) -> str:
        return f"{self.description}: {self.reason}"


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a run has come; what `run` calls its `progress` with after every task.

    Attributes
    ----------
    done
        Tasks with a shard, those of earlier runs included.
    total
        Tasks of this run.
    failed
        Tasks that failed.
    rate
        Tasks a second in this run; None before every worker has warmed up.
    eta
        Seconds that are left; None as long as there is no rate.
    task
        Identity of the task that has just ended; empty at the begin. If it is done, it is on the disk.
    stopping
        Tasks that are given a few seconds to end, right after SIGINT or SIGTERM; else 0.
    """

    done: int
    total: int
    failed: int
    rate: float | None = None
    eta: float | None = None
    task: str = ""
    stopping: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON-like values."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a run has done.

    Attributes
    ----------
    folder
        The folder of the batch.
    done
        Tasks that were done in this run.
    skipped
        Tasks that had a sound shard already.
    repaired
        Of those done, how many had a shard that was damaged.
    failed
        Tasks that failed, in this run or in an earlier one.
    doubtful
        Tasks done in this run of which a check failed, and the names of these checks.
    seconds
        How long the run took.
    index
        The file that shows all shards as one; empty if it was not written.
    """

    folder: str
    done: int
    skipped: int
    repaired: int
    failed: tuple[Failure, ...]
    doubtful: tuple[tuple[str, str], ...]
    seconds: float
    index: str = ""

    @property
    def complete(self) -> bool:
        """Whether nothing has failed."""
        return not self.failed

    def as_dict(self) -> dict[str, Any]:
        """The summary as JSON-like values."""
        return {
            **dataclasses.asdict(self),
            "failed": [dataclasses.asdict(failure) for failure in self.failed],
            "doubtful": [{"task": task, "checks": checks} for task, checks in self.doubtful],
        }

    def __str__(self) -> str:
        lines = [
            f"folder   {self.folder}",
            f"done     {self.done} in {self.seconds:.1f} s" + (f", {self.repaired} repaired" if self.repaired else ""),
            f"skipped  {self.skipped}, done before",
            f"failed   {len(self.failed)}",
            *_listed([str(failure) for failure in self.failed]),
        ]
        if self.doubtful:
            lines.append(f"checks   failed in {len(self.doubtful)} of those done")
            lines += _listed([f"task {task[:12]}: {checks}" for task, checks in self.doubtful])
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class State:
    """How a batch stands.

    Attributes
    ----------
    folder
        The folder of the batch.
    name
        What it is called.
    total
        Tasks of the batch.
    done
        Tasks with a sound shard.
    failed
        Tasks that failed when they were tried last.
    missing
        Tasks that are neither.
    others
        Shards of tasks that are not of this batch, as of an earlier specification.
    running
        The runs that work in the folder now: process and machine.
    seconds
        Time that the work on the tasks took, as far as the journal tells.
    """

    folder: str
    name: str
    total: int
    done: int
    failed: tuple[Failure, ...]
    missing: int
    others: int
    running: tuple[str, ...]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """The state as JSON-like values."""
        return {
            **dataclasses.asdict(self),
            "failed": [dataclasses.asdict(failure) for failure in self.failed],
            "running": list(self.running),
        }

    def __str__(self) -> str:
        lines = [
            f"folder   {self.folder}",
            f"batch    {self.name or 'without a name'}, {self.total} tasks",
            f"done     {self.done} ({100 * self.done / self.total:.0f} %), {self.seconds:.1f} s of work",
            f"missing  {self.missing}",
            f"failed   {len(self.failed)}",
            *_listed([str(failure) for failure in self.failed]),
        ]
        if self.others:
            lines.append(f"others   {self.others} shards of tasks that are not of this batch")
        lines.append(f"running  {'; '.join(self.running) or 'no'}")
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class Verification:
    """What was found in the folder of a batch.

    Attributes
    ----------
    folder
        The folder of the batch.
    full
        Whether every byte was looked at.
    sound
        Number of shards that are sound.
    damaged
        Shards that are not: the file, and what is wrong with it.
    missing
        Tasks that have no shard, in words.
    others
        Shards of tasks that are not of this batch; they are not looked at.
    temporary
        Temporary files, of runs that work now or were ended on another machine.
    """

    folder: str
    full: bool
    sound: int
    damaged: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]
    others: int
    temporary: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether no shard is damaged; what is missing is no damage."""
        return not self.damaged

    def as_dict(self) -> dict[str, Any]:
        """The findings as JSON-like values."""
        return {
            **dataclasses.asdict(self),
            "passed": self.passed,
            "damaged": [{"file": file, "problem": problem} for file, problem in self.damaged],
            "missing": list(self.missing),
            "temporary": list(self.temporary),
        }

    def __str__(self) -> str:
        looked = "every byte was looked at" if self.full else "only their ends were looked at"
        lines = [
            f"folder   {self.folder}",
            f"sound    {self.sound} ({looked})",
            f"damaged  {len(self.damaged)}",
            *_listed([f"{file}: {problem}" for file, problem in self.damaged]),
            f"missing  {len(self.missing)}",
            *_listed(self.missing),
        ]
        if self.others:
            lines.append(f"others   {self.others} shards of tasks that are not of this batch")
        if self.temporary:
            lines.append(f"temporary files  {len(self.temporary)}")
        return "\n".join(lines)


class Interrupted(KeyboardInterrupt):
    """A run was interrupted by SIGINT or SIGTERM; what it had done is kept.

    Attributes
    ----------
    summary
        What it had done.
    """

    def __init__(self, summary: Summary) -> None:
        super().__init__(f"interrupted: {summary.done} tasks were done and are kept; the same command goes on")
        self.summary = summary


def _listed(texts: Sequence[str]) -> list[str]:
    lines = [f"  {text}" for text in texts[:_SHOWN]]
    return lines if len(texts) <= _SHOWN else [*lines, f"  and {len(texts) - _SHOWN} more"]


# ----------------------------------------------------------------------------------------------------------------------
# The folder


def _tasks_in(folder: StrPath) -> tuple[Path, Spec, tuple[Task, ...]]:
    """The folder of a batch, its specification, and its tasks."""
    place = Path(folder).resolve()
    path = place / SPEC
    if not path.is_file():
        raise StoreError("this is not the folder of a batch", given=place, allowed=f"a folder with {SPEC}")
    spec = read_spec(path)
    return place, spec, spec.tasks()


def _source(spec: Source, out: StrPath | None) -> tuple[Spec, Path]:
    """What is to be run, and the folder in which."""
    stem = ""
    if isinstance(spec, Spec):
        read = spec
    elif isinstance(spec, Mapping):
        read = read_spec(spec)
    else:
        path = Path(spec)
        if path.is_dir():
            out = path if out is None else out
            path = path / SPEC
        read = read_spec(path)
        stem = path.stem
    if out is not None:
        return read, Path(out).resolve()
    stem = stem or re.sub(r"[^A-Za-z0-9_-]+", "_", read.batch.name).strip("_")
    if not stem:
        raise StoreError("the folder of the batch has no name", advice="give out=, or the batch a name")
    return read, Path(stem).resolve()


def _make_folder(folder: Path) -> None:
    """Make the folder, or refuse one that is something else."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strangers = [name for name in os.listdir(folder) if not _OURS.fullmatch(name)]
        ours = (folder / SPEC).exists()
    except OSError as reason:
        raise StoreError(f"the folder {folder} cannot be used", given=reason.strerror or reason) from None
    if strangers and not ours:
        raise StoreError(
            "the folder is not empty, and is not that of a batch",
            given=f"{folder}, with {strangers[0]}",
            advice="choose another folder",
        )


def _write_spec(folder: Path, spec: Spec, tasks: Sequence[Task], there: set[str]) -> None:
    """Keep the specification with the results; that of another batch is not replaced."""
    path = folder / SPEC
    text = spec.as_toml().encode()
    if path.is_file():
        if path.read_bytes() == text:
            return
        if there and not there.intersection(task.id for task in tasks):
            raise StoreError(
                "the folder holds another batch",
                given=f"{folder}, with {len(there)} results, none of a task of this one",
                advice="choose another folder",
            )
    publish(text, path, force=True, temporary=temporary_name(SPEC))


def _last_failures(folder: Path) -> dict[str, dict[str, Any]]:
    """By task, the events of failures that nothing better came after."""
    failures: dict[str, dict[str, Any]] = {}
    for event in read_journal(folder):
        task = event.get("task")
        if not isinstance(task, str):
            continue
        if event.get("event") == "failed":
            failures[task] = event
        elif event.get("event") == "done":
            failures.pop(task, None)
    return failures


def _failure(task: Task, event: Mapping[str, Any]) -> Failure:
    tries = event.get("tries")
    return Failure(
        task.id, task.number, task.describe(), str(event.get("reason", "")), tries if isinstance(tries, int) else 1
    )


# ----------------------------------------------------------------------------------------------------------------------
# Running


def parse_shard(shard: str | tuple[int, int] | None) -> tuple[int, int] | None:
    """A share of a batch: number i from 0, and count n, written ``i/n``; its tasks are those of numbers i, i + n, ...

    Raises
    ------
    UnsupportedError
        For anything else; i = n has its own advice, because Slurm can count from 1.

    Examples
    --------
    >>> from heatpg.batch.running import parse_shard
    >>> parse_shard("3/10")
    (3, 10)
    """
    if shard is None:
        return None
    parts = shard.split("/") if isinstance(shard, str) else list(map(str, shard))
    if len(parts) != 2 or not all(re.fullmatch(r"[0-9]{1,9}", part.strip()) for part in parts):
        raise UnsupportedError("a share is written i/n", given=repr(shard), allowed="0/n, 1/n, ..., (n-1)/n")
    number, count = (int(part) for part in parts)
    if count < 1 or number >= count:
        advice = f"shares count from 0: with Slurm, sbatch --array=0-{max(count - 1, 0)}" if number == count else ""
        raise UnsupportedError("there is no such share", given=f"{number}/{count}", allowed="0 <= i < n", advice=advice)
    return number, count


@dataclasses.dataclass(frozen=True)
class _Scheduler:
    """Where a scheduler of Dask is, and how it may be spoken to."""

    address: str
    security: object
    allow_insecure: bool


def _choose_workers(tasks: Sequence[Task], workers: int | None, scheduler: _Scheduler | None = None) -> int:
    """As many as there are processors, tasks and memory for; more memory than there is, is refused.

    Those of a scheduler elsewhere are on other machines: 0 stands for all that it has.
    """
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 0):
        raise UnsupportedError(
            "this is no number of workers", given=repr(workers), allowed="0 (this process), 1, 2, ..."
        )
    if scheduler is not None and scheduler.address != "local":
        return workers or 0
    needed, largest = worker_memory(tasks)
    free = available_memory() * _SHARE_OF_FREE_MEMORY
    wanted = min(threads(), len(tasks)) if workers is None else min(workers, len(tasks))
    if workers is None and needed:
        wanted = max(1, min(wanted, int(free // needed)))
    total = needed * max(wanted, 1)
    if largest is not None and total > free:
        fewer = int(free // needed)
        raise ResourceError(
            "the batch does not fit in memory",
            given=f"{human_bytes(total)} for {max(wanted, 1)} at a time, of which {largest.describe()} takes most",
            allowed=f"{human_bytes(free)} free",
            advice=f"three ways out: {f'workers={fewer}' if fewer else 'a machine with more memory'}, "
            "fewer sigmas in a task, or a coarser grid",
        )
    return wanted


class _Account:
    """What a run has come to so far, and who is told."""

    def __init__(
        self,
        tasks: Sequence[Task],
        folder: Path,
        journal: Journal,
        progress: Callable[[Progress], object] | None,
    ) -> None:
        self.tasks = tasks
        self.folder = folder
        self.journal = journal
        self.progress = progress
        self.begin = time.monotonic()
        self.skipped = 0
        self.done = 0
        self.damaged: set[str] = set()
        self.repaired = 0
        self.failures: dict[str, Failure] = {}
        self.doubtful: list[tuple[str, str]] = []
        self.warm_up = 1
        self._warm: tuple[float, int] | None = None

    def tell(self, task: str = "", stopping: int = 0) -> None:
        if self.progress is None:
            return
        ended = self.done + len(self.failures)
        rate = eta = None
        now = time.monotonic()
        # the first task of a worker pays for its start, and says nothing about the others
        if self._warm is None and self.done >= self.warm_up:
            self._warm = (now, self.done)
        elif self._warm is not None and now > self._warm[0] and self.done > self._warm[1]:
            rate = (self.done - self._warm[1]) / (now - self._warm[0])
            eta = (len(self.tasks) - self.skipped - ended) / rate
        self.progress(
            Progress(self.skipped + self.done, len(self.tasks), len(self.failures), rate, eta, task, stopping)
        )

    def tell_stopping(self, busy: int) -> None:
        """A signal has come, and so many tasks are given time to end."""
        self.tell(stopping=busy)

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """Write down what has ended, all at once, and only then tell of it."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        self.journal.append(*(self._event(outcome) | {"at": now, "host": host()} for outcome in outcomes))
        for outcome in outcomes:
            task = outcome.task
            if outcome.facts is None:
                self.failures[task.id] = Failure(task.id, task.number, task.describe(), outcome.reason, outcome.tries)
            else:
                self.done += 1
                self.repaired += task.id in self.damaged
                if outcome.facts["failures"]:
                    self.doubtful.append((task.id, ", ".join(outcome.facts["failures"])))
            self.tell(task.id)

    @staticmethod
    def _event(outcome: Outcome) -> dict[str, Any]:
        if outcome.facts is None:
            return {"event": "failed", "task": outcome.task.id, "reason": outcome.reason, "tries": outcome.tries}
        return {"event": "done", **outcome.facts, "tries": outcome.tries}

    def summary(self, index: str = "") -> Summary:
        return Summary(
            str(self.folder),
            self.done,
            self.skipped,
            self.repaired,
            tuple(self.failures.values()),
            tuple(self.doubtful),
            time.monotonic() - self.begin,
            index,
        )


def _remaining(account: _Account, tasks: Sequence[Task], there: set[str], *, full: bool, retry: bool) -> list[Task]:
    """The tasks that are to be done: those without a sound shard which have not failed before."""
    failures = {} if retry else _last_failures(account.folder)
    rest = []
    for task in tasks:
        problem = inspect(shard_path(account.folder, task.id), task.id, full=full) if task.id in there else "missing"
        if not problem:
            account.skipped += 1
        elif task.id in there:
            account.damaged.add(task.id)
            rest.append(task)
        elif task.id in failures:
            account.failures[task.id] = _failure(task, failures[task.id])
        else:
            rest.append(task)
    return rest


def _outcomes(
    tasks: Sequence[Task],
    folder: Path,
    workers: int,
    timeout: float | None,
    scheduler: _Scheduler | None,
    stopping: Callable[[int], object],
) -> Generator[list[Outcome], None, None]:
    """Whoever does the work: this process, workers of its own, or those of a scheduler."""
    if scheduler is not None:
        try:
            cluster = importlib.import_module("heatpg.batch.cluster")
        except ImportError as reason:
            raise UnsupportedError(
                "a scheduler needs the extra 'cluster'", given=reason, advice="pip install 'heatpg[cluster]'"
            ) from None
        outcomes: Generator[list[Outcome], None, None] = cluster.supervise(
            tasks,
            folder,
            scheduler=scheduler.address,
            workers=workers,
            timeout=timeout,
            cores=threads(),
            security=scheduler.security,
            allow_insecure=scheduler.allow_insecure,
            stopping=stopping,
        )
        return outcomes
    if workers == 0:
        return alone(tasks, folder, timeout=timeout)
    return supervise(tasks, folder, workers=workers, timeout=timeout, cores=threads(), stopping=stopping)


def run(
    spec: Source,
    out: StrPath | None = None,
    *,
    workers: int | None = None,
    shard: str | tuple[int, int] | None = None,
    progress: Callable[[Progress], object] | None = None,
    timeout: float | None = None,
    retry_failed: bool = False,
    full: bool = False,
    scheduler: str | None = None,
    security: object = None,
    allow_insecure: bool = False,
) -> Summary:
    """Do the tasks of a batch that are not done yet; once a task is told as done, nothing takes it away.

    A result that was told, by `progress` or by returning, is on the disk: it survives the death of this process and of
    all its workers and, on a local disk that honours fsync, a power failure. A file under its final name is always
    complete. The same call again does only what is missing.

    Parameters
    ----------
    spec
        Name of a specification, the same as a mapping, what `read_spec` has made of it, or the folder of a batch.
    out
        The folder of the batch; by default the name of the specification, in the working directory.
    workers
        Number of processes; 0 for this one, without protection from crashes. By default as many as there are
        processors, as far as the memory goes. Each has its share of the processors as threads.
    shard
        ``i/n`` with 0 <= i < n for the i-th of n shares of the batch: tasks i, i + n, ... Runs of different shares may
        work in the same folder at once, also from different machines. The index is written when the batch is complete.
    progress
        Called with a `Progress` at the begin, after every task, and once when a signal has come, in this thread.
    timeout
        Seconds after which a task is given up, as failed; None for no limit.
    retry_failed
        Whether tasks that failed in an earlier run are tried again.
    full
        Whether shards that are there are believed only after every byte of them was looked at.
    scheduler
        Have the work done by Dask, which needs the extra ``cluster``: ``local`` for workers of its own on this machine
        (a script then needs ``if __name__ == "__main__"``), or the address of a scheduler: ``tls://host:port``, or
        ``tcp://host:port`` on this machine. Its workers must see `folder` under the same name; `workers` is then how
        many of them at most, by default all.
    security
        For ``tls://``: a `distributed.Security`, or a mapping of ``ca_file``, ``cert`` and ``key`` to files in PEM; by
        default what Dask is configured with.
    allow_insecure
        Whether to speak ``tcp://`` with other machines: whoever reaches that network can then run anything as you.

    Returns
    -------
    summary
        What was done, what had been done, and what failed with its reason. A worker that dies takes nothing with it:
        its task is tried up to three times.

    Raises
    ------
    SpecError
        If the specification is wrong.
    StoreError
        If the folder is not that of this batch, if another run works in it, or if it cannot be written.
    ResourceError
        If the tasks do not fit in memory, before any is begun; or if the disk is full, without losing what is done.
    UnsupportedError
        If an argument is wrong.
    Interrupted
        A KeyboardInterrupt, at SIGINT or SIGTERM: what runs is given a few seconds, and a second signal ends it.

    Notes
    -----
    Workers are fresh interpreters that run nothing but heatpg, so a script needs no ``if __name__ == "__main__"``. The
    bytes of a shard depend on its task, the versions of heatpg and its libraries, and the machine; not on the clock,
    the number of workers or the number of threads.

    Examples
    --------
    >>> import os, tempfile
    >>> from heatpg.batch.running import run
    >>> spec = {
    ...     "landscape": {"source": "ridge", "size": 17},
    ...     "evolve": {"sigma": [0.3, 0.6]},
    ...     "sweep": {"product": {"landscape.width": [0.2, 0.3, 0.4]}},
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     first = run(spec, folder, workers=0)
    ...     again = run(spec, folder, workers=0)
    >>> (first.done, first.skipped), (again.done, again.skipped)
    ((3, 0), (0, 3))
    """
    share = parse_shard(shard)
    if timeout is not None and not 0 < timeout < float("inf"):
        raise UnsupportedError("this is no timeout", given=repr(timeout), allowed="a positive number of seconds")
    dask = None if scheduler is None else _Scheduler(scheduler, security, allow_insecure)
    read, folder = _source(spec, out)
    everything = read.tasks()
    tasks = everything if share is None else everything[share[0] :: share[1]]
    _make_folder(folder)
    with hold(folder, share), Journal(folder / journal_name(share)) as journal:
        clean(folder)
        there = stored(folder)
        _write_spec(folder, read, everything, there)
        account = _Account(tasks, folder, journal, progress)
        rest = _remaining(account, tasks, there, full=full, retry=retry_failed)
        if rest:
            _work(account, rest, _choose_workers(rest, workers, dask), timeout, dask)
        elif workers is not None:
            _choose_workers(rest, workers)
        whole = share is None or all(not inspect(shard_path(folder, task.id), task.id) for task in everything)
        index = _indexed(account, everything) if whole else ""
        return account.summary(index)


def _work(
    account: _Account, tasks: Sequence[Task], workers: int, timeout: float | None, scheduler: _Scheduler | None
) -> None:
    account.warm_up = max(workers, 1)
    account.tell()
    start = {"event": "run", "pid": os.getpid(), "host": host(), "version": __version__, "workers": workers}
    account.journal.append(start | {"tasks": len(tasks), "at": datetime.datetime.now(datetime.UTC).isoformat()})
    try:
        work = _outcomes(tasks, account.folder, workers, timeout, scheduler, account.tell_stopping)
        with contextlib.closing(work) as outcomes:
            for found in outcomes:
                account.take(found)
    except KeyboardInterrupt:
        raise Interrupted(account.summary()) from None
    except ResourceError as reason:
        reason.advice = f"{reason.advice}; what is done is kept, and the same command goes on".lstrip("; ")
        raise
    finally:
        clean(account.folder)


def _indexed(account: _Account, tasks: Sequence[Task]) -> str:
    """Write the index, unless it is as it would be."""
    path = account.folder / INDEX
    known = {task: failure.reason for task, failure in account.failures.items()}
    if account.done or known or not path.is_file():
        if account.skipped + account.done == 0:
            return ""
        build_index(account.folder, tasks, known)
    return str(path)


# ----------------------------------------------------------------------------------------------------------------------
# Looking


def status(folder: StrPath) -> State:
    """How a batch stands, read off its shards; what failed and how long it took comes from the journal.

    Parameters
    ----------
    folder
        The folder of the batch; a run may work in it.

    Raises
    ------
    StoreError
        If it is not the folder of a batch.
    SpecError
        If its specification cannot be read by this version.
    """
    place, spec, tasks = _tasks_in(folder)
    there = stored(place)
    done = {task.id for task in tasks if task.id in there and not inspect(shard_path(place, task.id), task.id)}
    events = _last_failures(place)
    failed = tuple(_failure(task, events[task.id]) for task in tasks if task.id in events and task.id not in done)
    seconds = {}
    for event in read_journal(place):
        if event.get("event") == "done" and event.get("task") in done and isinstance(event.get("seconds"), float):
            seconds[event["task"]] = event["seconds"]
    running = tuple(
        f"process {holder.get('pid', '?')} on {holder.get('host', '?')}"
        + (f", share {holder['shard']}" if holder.get("shard") else "")
        for holder in holders(place)
    )
    return State(
        str(place),
        spec.batch.name,
        len(tasks),
        len(done),
        failed,
        len(tasks) - len(done) - len(failed),
        len(there - {task.id for task in tasks}),
        running,
        sum(seconds.values()),
    )


def verify(folder: StrPath, *, full: bool = False) -> Verification:
    """Look at every shard of a batch; nothing is changed. To have damaged ones made anew, run the batch again.

    Parameters
    ----------
    folder
        The folder of the batch.
    full
        Whether every byte is looked at: SHA-256 of the file, then its structure, its task, and the checksums of its
        data. Without it the seal at the end of each is. What `full` finds is made anew by ``run(..., full=True)``.

    Raises
    ------
    StoreError
        If it is not the folder of a batch.
    SpecError
        If its specification cannot be read by this version.
    """
    place, _, tasks = _tasks_in(folder)
    there = stored(place)
    sound, damaged, missing = 0, [], []
    for task in tasks:
        path = shard_path(place, task.id)
        if task.id not in there:
            missing.append(task.describe())
            continue
        problem = inspect(path, task.id, full=full)
        if full and not problem:
            problem = inspect_contents(path, task.id)
        if problem:
            damaged.append((path.relative_to(place).as_posix(), problem))
        else:
            sound += 1
    return Verification(
        str(place),
        full,
        sound,
        tuple(damaged),
        tuple(missing),
        len(there - {task.id for task in tasks}),
        tuple(path.relative_to(place).as_posix() for path in temporaries(place)),
    )


def merge(folder: StrPath, out: StrPath, *, force: bool = False) -> Path:
    """Write the results of a batch into one plain file, which needs neither the shards nor heatpg to be read.

    A table of all tasks in ``/tasks``; in ``/groups/0``, ``/groups/1``, ... the fields of those that are done, tasks of
    one shape together: ``u`` (task, sigma, axes), ``landscape`` (task, axes), and what was varied. With xarray:
    ``xarray.open_dataset(out, group="groups/0")``. Every shard is verified as it is read; the memory that this takes is
    that of one shard, or a few times 64 MiB.

    Parameters
    ----------
    folder
        The folder of the batch.
    out
        The file, which is there as a whole or not at all.
    force
        Whether an existing file may be replaced.

    Returns
    -------
    path
        Where the file is.

    Raises
    ------
    StoreError
        If it is not the folder of a batch, if nothing in it is done, if a shard is damaged, or if the file exists or
        cannot be written.
    ResourceError
        If the disk is full, which is found out before anything is written.
    """
    place, _, tasks = _tasks_in(folder)
    reasons = {task: str(event.get("reason", "")) for task, event in _last_failures(place).items()}
    return merge_tasks(place, tasks, reasons, out, force=force)
