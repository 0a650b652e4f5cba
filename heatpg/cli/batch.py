"""heatpg batch: evolve many landscapes by one specification, one result file each."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from heatpg.cli.files import result_output
from heatpg.cli.parser import Commands
from heatpg.cli.talk import CHECK_FAILED, INTERRUPTED, OK, TASKS_FAILED, envelope, is_quiet, note, reply
from heatpg.errors import OptionError
from heatpg.tools.resources import human_duration

if TYPE_CHECKING:
    from heatpg.batch import Progress, Scheduler

__all__ = ["Meter", "add"]

# Taste: a line that is redrawn more often flickers, and a log with a line for each of a million tasks is of no use.
_REDRAWN = 0.2  # seconds, on a terminal
_SPOKEN = 10.0  # seconds, elsewhere


class Meter:
    """How far a run has come: one line that is redrawn on a terminal, else a plain line now and then."""

    def __init__(self, stream: TextIO, *, enabled: bool) -> None:
        self.stream = stream
        self.enabled = enabled
        self.terminal = stream.isatty()
        self.last = -math.inf

    def __call__(self, progress: Progress) -> None:
        # told whether the meter is on or not: a run that seems to hang after Ctrl-C would be killed
        if progress.stopping:
            self.close()
            tasks = "1 task" if progress.stopping == 1 else f"{progress.stopping} tasks"
            note(f"finishing {tasks}, for a few seconds at most; press Ctrl-C again to stop now")
            self.last = -math.inf
            return
        if not self.enabled:
            return
        now = time.monotonic()
        ended = progress.done + progress.failed >= progress.total
        if now - self.last < (_REDRAWN if self.terminal else _SPOKEN) and not ended:
            return
        self.last = now
        words = [f"{progress.done} of {progress.total} tasks"]
        if progress.failed:
            words.append(f"{progress.failed} failed")
        # at the end the summary gives the elapsed time, with which a rate that leaves out the start would not agree
        if progress.rate is not None and not ended:
            words.append(f"{progress.rate:.3g} tasks a second")
        if progress.eta is not None and not ended:
            words.append(f"{human_duration(progress.eta)} left")
        text = ", ".join(words)
        if self.terminal:
            filled = round(24 * progress.done / max(progress.total, 1))
            self.stream.write(f"\r[{'#' * filled}{'.' * (24 - filled)}] {text:70}")
        else:
            self.stream.write(f"{text}\n")
        self.stream.flush()

    def close(self) -> None:
        """Leave the line, so that what follows has one of its own."""
        if self.enabled and self.terminal and self.last > -math.inf:
            self.stream.write("\n")
            self.stream.flush()


def _scheduler(arguments: argparse.Namespace) -> Scheduler | None:
    """The scheduler, if one is named; which of the files for TLS are missing is told by whoever uses them."""
    from heatpg.batch import Scheduler

    if arguments.scheduler is None:
        return None
    files = {"ca_file": arguments.tls_ca_file, "cert": arguments.tls_cert, "key": arguments.tls_key}
    security = files if any(files.values()) else None
    return Scheduler(arguments.scheduler, security, arguments.private_network)


def _note_folder(arguments: argparse.Namespace) -> None:
    """Say which directory a batch uses that is not called by its name: other commands are told the directory."""
    from heatpg.batch.folder import source_of

    spec, folder = source_of(arguments.spec, arguments.out)
    if spec.batch.name not in ("", folder.name):
        where = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
        note(f"note: batch {spec.batch.name!r} uses the directory {where}; use that name with status, verify and merge")


def _run(arguments: argparse.Namespace) -> int:
    from heatpg import batch
    from heatpg.batch import Interrupted

    if not is_quiet(arguments):
        _note_folder(arguments)
    if arguments.dry_run:
        plan = batch.predict(batch.read_spec(arguments.spec), measure=arguments.measure)
        reply(arguments, lambda: envelope("batch run --dry-run") | plan.as_dict(), result=[str(plan)])
        return OK
    if arguments.measure:
        raise OptionError("--measure needs --dry-run", advice="add --dry-run")
    meter = Meter(sys.stderr, enabled=not (arguments.quiet or arguments.json))
    try:
        summary = batch.run(
            arguments.spec,
            arguments.out,
            workers=arguments.workers,
            shard=arguments.shard,
            progress=meter,
            timeout=arguments.timeout,
            retry_failed=arguments.retry_failed,
            full=arguments.full,
            scheduler=_scheduler(arguments),
        )
    except Interrupted as end:
        meter.close()
        note(str(end))
        return INTERRUPTED
    meter.close()
    # what failed comes before what is doubtful: 4 says that results are missing, 3 that some are to be checked
    said = summary.folder if arguments.quiet else str(summary)
    reply(arguments, lambda: envelope("batch run") | summary.as_dict(), result=[said])
    if summary.failed:
        count = "1 task" if len(summary.failed) == 1 else f"{len(summary.failed)} tasks"
        note(f"{count} failed; to run them again, add --retry-failed")
        return TASKS_FAILED
    return CHECK_FAILED if summary.doubtful else OK


def _status(arguments: argparse.Namespace) -> int:
    from heatpg import batch

    state = batch.status(arguments.folder, tasks=arguments.tasks)
    reply(arguments, lambda: envelope("batch status") | state.as_dict(), result=[str(state)])
    return TASKS_FAILED if state.failed else OK


def _verify(arguments: argparse.Namespace) -> int:
    from heatpg import batch

    found = batch.verify(arguments.folder, full=arguments.full)
    reply(arguments, lambda: envelope("batch verify") | found.as_dict(), result=[str(found)])
    if not found.passed:
        note("to recompute corrupted results, rerun the batch with --full")
        return CHECK_FAILED
    return OK


def _counts(path: Path) -> tuple[int, int, int]:
    """Of a merged file: groups, tasks that are in it, tasks of the batch."""
    import h5py

    with h5py.File(path, "r", locking=False) as file:
        places = file["tasks/group"][()]
        return len(file["groups"]), int((places >= 0).sum()), len(places)


def _merge(arguments: argparse.Namespace) -> int:
    from heatpg import batch

    target = result_output(arguments.out, force=arguments.force, quiet=is_quiet(arguments))
    path = batch.merge(arguments.folder, target, force=arguments.force, partial=arguments.partial)
    groups, done, tasks = _counts(path)
    name = json.dumps(arguments.out, ensure_ascii=False)
    where = "groups/0" if groups == 1 else f"groups/0 to groups/{groups - 1}, one per shape"
    counts = {"groups": groups, "done": done, "tasks": tasks}
    if done < tasks:
        omitted = "1 task" if tasks - done == 1 else f"{tasks - done} tasks"
        note(f"note: {omitted} without a result omitted; see heatpg batch status {arguments.folder}")
    reply(
        arguments,
        lambda: envelope("batch merge") | {"path": str(path)} | counts,
        words=lambda: [
            f"{done} of {tasks} tasks in {where}",
            f'open with xarray.open_dataset({name}, group="groups/0")',
        ],
        result=[str(path)],
    )
    return OK


def add(commands: Commands) -> None:
    """Put the commands into the parser."""
    group = commands.group("batch", "Evolve many landscapes by one specification, one result file each.")
    run = group.add("run", _run, "Run the remaining tasks of a batch. Rerun to resume.")
    run.add_argument("spec", metavar="SPEC.toml", help="specification file, or batch directory")
    run.add_argument(
        "-o", "--out", metavar="DIR", help="batch directory (default: the specification's file name without .toml)"
    )
    run.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="number of worker processes; 0: none, run in this process (default: by processors and memory)",
    )
    run.add_argument("--shard", metavar="I/N", help="run shard I of N of the tasks, 0 <= I < N, e.g. in an array job")
    run.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="run on Dask (extra: cluster): local, tls://HOST:PORT, or tcp://HOST:PORT on this machine",
    )
    run.add_argument("--tls-ca-file", metavar="FILE", help="with tls://: certificate of the certificate authority")
    run.add_argument("--tls-cert", metavar="FILE", help="with tls://: certificate of this client")
    run.add_argument("--tls-key", metavar="FILE", help="with tls://: private key of this client")
    run.add_argument(
        "--private-network",
        action="store_true",
        help="allow tcp:// to other machines: anyone who reaches that network can execute code as you",
    )
    run.add_argument(
        "--timeout", type=float, metavar="S", help="time limit per task in seconds; a task that exceeds it has failed"
    )
    run.add_argument("--retry-failed", action="store_true", help="run tasks again that failed in an earlier run")
    run.add_argument("--full", action="store_true", help="verify existing result files in full before they are skipped")
    run.add_argument(
        "--dry-run", action="store_true", help="report the number of tasks, disk, memory and time; run nothing"
    )
    run.add_argument("--measure", action="store_true", help="with --dry-run: time one task of each kind first")
    status = group.add("status", _status, "Report the progress of a batch: done, missing, failed, running.")
    status.add_argument("folder", metavar="DIR", help="batch directory")
    status.add_argument(
        "--tasks",
        action="store_true",
        help="also list every task: state, seconds, its values of the sweep, result file",
    )
    verify = group.add(
        "verify", _verify, "Verify the result files of a batch (read-only; --full also checks all data checksums)."
    )
    verify.add_argument("folder", metavar="DIR", help="batch directory")
    verify.add_argument("--full", action="store_true", help="read every byte, and check the checksums of the data")
    merge = group.add("merge", _merge, "Merge the results of a batch into one HDF5 file.")
    merge.add_argument("folder", metavar="DIR", help="batch directory")
    merge.add_argument("-o", "--out", required=True, metavar="FILE.h5", help="file to write")
    merge.add_argument("--partial", action="store_true", help="omit tasks without an intact result")
    merge.add_argument("--force", action="store_true", help="replace an existing file")
