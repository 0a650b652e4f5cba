"""`run`: the tasks of a batch are done, by whoever there is to do them.

The folder of a batch holds ``spec.toml``, the shards, and what is derived from them. However a run ends, the same
command resumes it: a task with an intact result file is done, every other task is not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import importlib
import itertools
import os
import re
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from heatpg.batch.folder import Source, StrPath, make_folder, source_of, write_spec
from heatpg.batch.index import INDEX, build_index, index_identity
from heatpg.batch.journal import Journal, journal_name, last_failures
from heatpg.batch.lock import hold
from heatpg.batch.outlines import OUTLINE, outline_event
from heatpg.batch.plan import worker_memory
from heatpg.batch.shards import Seen, clean, inspect, inspect_all, inspect_sealed, look, stored
from heatpg.batch.spec import Task
from heatpg.batch.summaries import Failure, Interrupted, Progress, Summary
from heatpg.batch.supervisor import Outcome, alone, supervise
from heatpg.batch.work import is_of_the_cache
from heatpg.errors import HeatpgError, MissingPackageError, OptionError, ResourceError, StoreError
from heatpg.tools.calls import checked_call
from heatpg.tools.extras import how_to_add
from heatpg.tools.folders import Folder
from heatpg.tools.parallel import threads
from heatpg.tools.processes import host
from heatpg.tools.resources import available_memory, human_bytes
from heatpg.version import __version__

__all__ = ["Scheduler", "parse_shard", "run"]

# Taste: seconds before each look for a shard that was written on another machine, which a network disk may tell later.
_SEEN_AFTER = (0.0, 0.1, 1.0)
_SHARE_OF_FREE_MEMORY = 0.9  # taste: the estimate of a worker is right within a quarter, and others need some too


def parse_shard(shard: str | tuple[int, int] | None) -> tuple[int, int] | None:
    """A shard of a batch: index i from 0, and count n, written ``i/n``; its tasks are i, i + n, ...

    Raises
    ------
    OptionError
        For anything else; i = n has its own advice, because Slurm can count from 1.

    Examples
    --------
    >>> from heatpg.batch.running import parse_shard
    >>> parse_shard("3/10")
    (3, 10)
    """
    if shard is None:
        return None
    # [0-9], not isdigit or int(): those take digits of other scripts, signs and underscores as well
    parts = shard.split("/") if isinstance(shard, str) else list(map(str, shard))
    if len(parts) != 2 or not all(re.fullmatch(r"[0-9]{1,9}", part.strip()) for part in parts):
        raise OptionError("shard must have the form i/n", given=repr(shard), allowed="0/n, 1/n, ..., (n-1)/n")
    number, count = (int(part) for part in parts)
    if count < 1 or number >= count:
        advice = (
            f"shards are numbered from 0: with Slurm, sbatch --array=0-{max(count - 1, 0)}" if number == count else ""
        )
        raise OptionError("no such shard", given=f"{number}/{count}", allowed="0 <= i < n", advice=advice)
    return number, count


@dataclasses.dataclass(frozen=True)
class Scheduler:
    """Where a scheduler of Dask is, and how it may be spoken to.

    Attributes
    ----------
    address
        ``local`` for a local cluster (a script then needs ``if __name__ == "__main__"``), or the address of a
        scheduler: ``tls://host:port``, or ``tcp://host:port`` on this machine.
    security
        For ``tls://``: a `distributed.Security`, or a mapping of ``ca_file``, ``cert`` and ``key`` to files in PEM; by
        default the configuration of Dask.
    allow_insecure
        Whether to allow ``tcp://`` to other machines: anyone who reaches that network can then execute code as you.
    """

    address: str
    security: object = None
    allow_insecure: bool = False


def _choose_workers(tasks: Sequence[Task], workers: int | None, scheduler: Scheduler | None = None) -> int:
    """As many as there are processors, tasks and memory for; more memory than there is, is refused.

    Those of a scheduler elsewhere are on other machines: 0 stands for all that it has.
    """
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 0):
        raise OptionError("workers must be a whole number", given=repr(workers), allowed="0 (this process), 1, 2, ...")
    if scheduler is not None and scheduler.address != "local":
        return workers or 0
    # Memory is asked for before anything is begun: a worker that the system kills for it takes its task with it, three
    # times over. Every worker is counted with the largest task, because any of them may get it.
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
            advice=f"use {f'workers={fewer}' if fewer else 'a machine with more memory'}, "
            "fewer sigmas in a task, or a coarser grid",
        )
    return wanted


class _Account:
    """What a run has come to so far, and who is told."""

    def __init__(
        self,
        tasks: Sequence[Task],
        folder: Folder,
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
        self.told: set[str] = set()  # done in this run
        self.damaged: set[str] = set()
        self.repaired = 0
        self.failures: dict[str, Failure] = {}
        self.doubtful: list[tuple[str, str]] = []
        self._outlined: set[str] = set()  # the outlines that this run has written into the journal
        self.warm_up = 1  # tasks after which the rate is measured
        self._warm: tuple[float, int] | None = None  # when that was, and how many were done

    def tell(self, task: str = "", outcome: str = "", stopping: int = 0) -> None:
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
            Progress(self.skipped + self.done, len(self.tasks), len(self.failures), rate, eta, task, stopping, outcome)
        )

    def tell_stopping(self, busy: int) -> None:
        """A signal has come, and so many tasks are given time to end."""
        self.tell(stopping=busy)

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """Write down what has ended, all at once, and only then tell of it."""
        # The shard is on the disk before its worker answers, and is checked; the journal, with one fsync for all,
        # before anybody is told. What was told can so be lost by no death of this process.
        self.folder.require_in_place()
        outcomes = [self._looked_at(outcome) for outcome in outcomes]
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        events = itertools.chain.from_iterable(map(self._events, outcomes))
        self.journal.append(*(event | {"at": now, "host": host()} for event in events))
        for outcome in outcomes:
            task = outcome.task
            if outcome.facts is None:
                self.failures[task.id] = Failure(task.id, task.number, task.describe(), outcome.reason, outcome.tries)
            else:
                self.done += 1
                self.told.add(task.id)
                self.repaired += task.id in self.damaged
                if outcome.facts["failures"]:
                    self.doubtful.append((task.id, ", ".join(outcome.facts["failures"])))
            self.tell(task.id, "failed" if outcome.facts is None else "done")

    def _looked_at(self, outcome: Outcome) -> Outcome:
        """The same, if what is said to be done has its shard in this folder, whatever its name is by now."""
        if outcome.facts is None:
            return outcome
        for pause in _SEEN_AFTER:
            time.sleep(pause)
            seen = look(self.folder, outcome.task.id)
            if isinstance(seen, Seen):
                facts = outcome.facts | {"modified": seen.modified}
                # another run may have replaced it meanwhile, and then its outline is not known
                if seen.sha256 != facts.get("sha256"):
                    facts.pop(OUTLINE, None)
                return dataclasses.replace(outcome, facts=facts)
        return Outcome(outcome.task, reason=f"its result file was written, but {seen}", tries=outcome.tries)

    def require_told(self) -> None:
        """Refuse to sum up a run if a result that was reported as done is missing."""
        self.folder.require_in_place()
        lost = self.told - stored(self.folder)
        if lost:
            raise StoreError(
                f"{len(lost)} of the {self.done} results of this run were removed during the run",
                given=self.folder,
                advice="rerun the same command to compute the missing results",
            )

    def _events(self, outcome: Outcome) -> Iterator[dict[str, Any]]:
        if outcome.facts is None:
            yield {"event": "failed", "task": outcome.task.id, "reason": outcome.reason, "tries": outcome.tries}
            return
        facts = dict(outcome.facts)
        if OUTLINE in facts:
            # many shards share one: it is written once, and goes by its name from then on
            event = outline_event(facts[OUTLINE])
            facts[OUTLINE] = event["name"]
            if event["name"] not in self._outlined:
                self._outlined.add(event["name"])
                yield event
        yield {"event": "done", **facts, "tries": outcome.tries}

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
    failures = {} if retry else last_failures(account.folder)
    # what a task is not to blame for, and what has been deleted since, is no reason to leave it out
    failures = {task: event for task, event in failures.items() if not is_of_the_cache(str(event.get("reason", "")))}
    rest = []
    for task in tasks:
        # a damaged shard is done again without being asked for; what failed is tried again only if it is asked for
        look = inspect_all if full else inspect
        problem = look(account.folder, task.id) if task.id in there else "missing"
        if not problem:
            account.skipped += 1
        elif task.id in there:
            account.damaged.add(task.id)
            rest.append(task)
        elif task.id in failures:
            account.failures[task.id] = Failure.of(task, failures[task.id])
        else:
            rest.append(task)
    return rest


def _outcomes(
    tasks: Sequence[Task],
    folder: Folder,
    workers: int,
    timeout: float | None,
    scheduler: Scheduler | None,
    stopping: Callable[[int], object],
) -> Generator[list[Outcome], None, None]:
    """Whoever does the work: this process, workers of its own, or those of a scheduler."""
    if scheduler is not None:
        try:
            cluster = importlib.import_module("heatpg.batch.cluster")
        except ImportError as reason:
            raise MissingPackageError(
                "a scheduler needs the extra 'cluster'", given=reason, advice=how_to_add("cluster")
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


@checked_call()
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
    scheduler: str | Scheduler | None = None,
) -> Summary:
    """Run the remaining tasks of a batch; a task that was reported as done stays done.

    A result that was reported, by `progress` or by returning, is on disk: it survives the end of this process and of
    all its workers and, on a local disk that honours fsync, a power failure. A file under its final name is always
    complete. Repeat the call to run only the missing tasks.

    Parameters
    ----------
    spec
        Path of a specification, the same as a mapping, the result of `read_spec`, or a batch directory.
    out
        The folder of the batch; by default the name of the specification, in the working directory.
    workers
        Number of processes; 0 for this one, without protection from crashes. By default the number of processors,
        limited by memory. Each has its share of the processors as threads.
    shard
        ``i/n`` with 0 <= i < n for the i-th of n shards of the batch: tasks i, i + n, ... Runs of different shards may
        work in the same folder at once, also from different machines. The index is written when the batch is complete.
    progress
        Called with a `Progress` at the start, after every task, and once when a signal arrives, in this thread.
    timeout
        Time limit per task in seconds; a task that exceeds it has failed; None for no limit.
    retry_failed
        Whether tasks that failed in an earlier run are tried again. Those that met a damaged cache of compiled kernels
        are in any case.
    full
        Whether to verify existing result files in full before they are skipped.
    scheduler
        Have the work done by Dask, which needs the extra ``cluster``: a `Scheduler`, or only its address. Its workers
        must see the directory under the same path; `workers` then limits their number, by default all.

    Returns
    -------
    summary
        The tasks done, skipped, and failed with their reasons. If a worker dies, its task is tried up to three times.

    Raises
    ------
    SpecError
        If the specification is wrong.
    StoreError
        If the directory belongs to another batch, is used by another run, or cannot be written.
    ResourceError
        If the tasks do not fit in memory, before any starts; or if the disk is full (finished tasks are kept).
    OptionError
        If an argument is wrong.
    UnsupportedError
        If a timeout is given with ``workers=0``, or a scheduler would have to be spoken to without TLS.
    MissingPackageError
        If a scheduler is given, and the extra ``cluster`` is not installed.
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
        raise OptionError("timeout must be a positive number of seconds", given=repr(timeout))
    dask = Scheduler(scheduler) if isinstance(scheduler, str) else scheduler
    read, path = source_of(spec, out)
    everything = read.tasks()
    tasks = everything if share is None else everything[share[0] :: share[1]]
    # Under the lock, and in this order: what ended runs left behind goes; then the shards are checked, which decide
    # what is to be done; and only if they are of this batch, or there are none, is the specification written.
    with make_folder(path) as folder, hold(folder, share), Journal(folder, journal_name(share)) as journal:
        clean(folder)
        there = stored(folder)
        write_spec(folder, read, everything, there)
        account = _Account(tasks, folder, journal, progress)
        rest = _remaining(account, tasks, there, full=full, retry=retry_failed)
        if rest:
            _work(account, rest, _choose_workers(rest, workers, dask), timeout, dask)
        elif workers is not None:
            _choose_workers(rest, workers)  # a wrong number is refused also when there is nothing to do
        account.require_told()
        # The index is of the whole batch. The share that ends last finds all shards there; that two shares end at once
        # and both write it does no harm, since they write the same.
        whole = share is None or all(not inspect(folder, task.id) for task in everything)
        index = _indexed(account, everything) if whole else ""
        return account.summary(index)


def _work(
    account: _Account, tasks: Sequence[Task], workers: int, timeout: float | None, scheduler: Scheduler | None
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
        account.require_told()
        raise Interrupted(account.summary()) from None
    except ResourceError as reason:
        reason.advice = f"{reason.advice}; finished tasks are kept: rerun the same command to resume".lstrip("; ")
        raise
    finally:
        with contextlib.suppress(HeatpgError, OSError):  # what cannot be cleaned up now is at the next run
            clean(account.folder)


def _indexed(account: _Account, tasks: Sequence[Task]) -> str:
    """Write the index, unless it is as it would be."""
    known = {task: failure.reason for task, failure in account.failures.items()}
    done = {task.id for task in tasks} - set(known)
    if not done:
        return ""
    # a failure changes the table of tasks in it, as a result does; the seal tells what it shows, and that it is whole
    identity = index_identity(tasks, known, done)
    if account.done or inspect_sealed(account.folder, INDEX, identity, full=True):
        build_index(account.folder, tasks, known)
    return str(account.folder.path / INDEX)
