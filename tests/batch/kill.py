"""Kills batches in every way, and looks at what they leave: a script, which the tests call with smaller numbers.

    python tests/batch/kill.py random --kills 10000     whole process groups, at random times
    python tests/batch/kill.py steps                    after each system call of a publication
    python tests/batch/kill.py deaths --tasks 1000      a tenth of the tasks kill their worker when first tried

Runs and workers are forked from this process, which has everything loaded, so that a life takes milliseconds. The last
line is JSON; the exit code is 1 if a promise was broken.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from heatpg.batch import Progress, run, supervisor, verify, work
from heatpg.batch.journal import Journal, read_journal
from heatpg.batch.shards import clean, inspect, shard_path, stored, temporaries
from heatpg.batch.spec import Task, read_spec
from heatpg.tools.folders import Folder
from heatpg.tools.parallel import set_threads

STEPS = ("open", "write", "fsync", "close", "replace", "unlink", "mkdir", "lseek")


def specification(tasks: int) -> dict[str, Any]:
    """Landscapes of 16 x 16 nodes, of which each differs from the others."""
    widths = [0.2 + 0.001 * k for k in range(tasks)]
    return {
        "landscape": {"source": "ridge", "size": 16},
        "evolve": {"sigma": [0.3, 0.6]},
        "sweep": {"product": {"landscape.width": widths}},
    }


class Forked:
    """A copy of this process as `supervisor.Process`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.status: int | None = None

    def poll(self) -> int | None:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def wait(self, timeout: float | None = None) -> int:
        end = time.monotonic() + (600.0 if timeout is None else timeout)
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("worker", timeout or 600.0)
            time.sleep(0.0005)
        assert self.status is not None
        return self.status

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def fork(act: Callable[[], object], *, group: bool = False, keep: tuple[int, ...] = ()) -> Forked:
    """Do something in a copy of this process, which has none of its files but those to keep."""
    pid = os.fork()
    if pid:
        if group:
            with contextlib.suppress(OSError):  # it may have done so itself, and ended
                os.setpgid(pid, pid)
        return Forked(pid)
    code = 70
    try:
        if group:
            os.setpgid(0, 0)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        for descriptor in range(3, 256):
            if descriptor not in keep:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        act()
        code = 0
    except BaseException as reason:
        print(f"in the copy: {work.explain(reason)}", file=sys.stderr)
    finally:
        os._exit(code)


def forked_link(threads: int) -> supervisor._Link:
    """A worker for `supervise` that need not start Python."""
    theirs, outgoing = os.pipe()
    incoming, back = os.pipe()
    process = fork(lambda: work.serve(theirs, back), keep=(theirs, back))
    os.close(theirs)
    os.close(back)
    return supervisor._Link(process, outgoing, incoming, tempfile.TemporaryFile())


@dataclasses.dataclass
class Tally:
    """What was done to batches, and what came of it."""

    kills: int = 0
    runs: int = 0
    batches: int = 0
    acknowledged: int = 0
    temporary: int = 0
    seconds: float = 0.0
    faults: list[str] = dataclasses.field(default_factory=list)


def live(spec: dict[str, Any], folder: Path, acknowledgements: Path, workers: int) -> None:
    """One run, which writes down every task that it is told is done."""
    supervisor._link = forked_link
    log = os.open(acknowledgements, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def acknowledge(progress: Progress) -> None:
        if progress.outcome == "done":
            os.write(log, f"{progress.task}\n".encode())

    run(spec, folder, workers=workers, progress=acknowledge)


def acknowledged(path: Path) -> list[str]:
    return [line for line in path.read_text().split("\n")[:-1]] if path.exists() else []


def wait_for(log: Path, count: int, process: Forked) -> None:
    """Until so many tasks are told; how long they take depends on the machine."""
    while process.poll() is None and (log.stat().st_size if log.exists() else 0) < 65 * count:
        time.sleep(0.0005)


def look(folder: Path, log: Path, before: dict[str, int], tally: Tally) -> dict[str, int]:
    """Hold what lies in the folder against what was told; the shards, by their inodes."""
    folder.mkdir(exist_ok=True)  # a run may have been killed before it was made
    there = {task: os.stat(shard_path(folder, task)).st_ino for task in stored(folder)}
    for task in there:
        problem = inspect(folder, task, full=True)
        if problem:
            tally.faults.append(f"under a final name: {task[:12]}: {problem}")
    told = Counter(acknowledged(log))
    tally.faults += [f"told and lost: {task[:12]}" for task in told if task not in there]
    tally.faults += [f"done twice: {task[:12]}" for task, count in told.items() if count > 1]
    tally.faults += [f"written twice: {task[:12]}" for task, inode in before.items() if there.get(task) != inode]
    tally.temporary += len(temporaries(folder))
    return there


def kill_at_random(kills: int, *, seed: int, tasks: int, workers: tuple[int, ...], latest: float, root: Path) -> Tally:
    """Kill runs with all of their workers until enough are killed, and resume each batch until it is complete."""
    chance = random.Random(seed)
    spec = specification(tasks)
    tally = Tally()
    begin = time.perf_counter()
    while tally.kills < kills and not tally.faults:
        folder, log = root / f"{tally.batches}", root / f"{tally.batches}.log"
        before: dict[str, int] = {}
        complete = False
        while not complete:
            tally.runs += 1
            count = chance.choice(workers)
            process = fork(functools.partial(live, spec, folder, log, count), group=True)
            if tally.kills < kills:
                if chance.random() < 0.25:
                    time.sleep(chance.uniform(0.0, latest))
                else:
                    wait_for(log, len(acknowledged(log)) + chance.randrange(8), process)
                    time.sleep(chance.uniform(0.0, latest / 8))
                if process.poll() is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
            tally.kills += status == -signal.SIGKILL
            if status not in (0, -signal.SIGKILL):
                tally.faults.append(f"a run ended with {status}")
            complete = status == 0
            before = look(folder, log, before, tally)
            if tally.faults:
                break
        if complete:
            findings = verify(folder, full=True)
            if findings.sound != tasks or not findings.passed or findings.temporary:
                tally.faults.append(str(findings))
            tally.batches += 1
            tally.acknowledged += len(acknowledged(log))
    tally.seconds = time.perf_counter() - begin
    return tally


def die_after(calls: int, *, torn: bool) -> None:
    """From now on, leave this process without a word after so many calls; a torn write has written half."""
    made = 0

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            nonlocal made
            made += 1
            if torn and made == calls and name == "write":
                real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                os._exit(9)
            try:
                return real(*arguments, **keywords)
            finally:
                if made == calls:  # it may have failed, as to make a folder within one that is not there
                    os._exit(9)

        return call

    for name in STEPS:
        setattr(os, name, counted(name, getattr(os, name)))


def publish_and_die(task: Task, folder: Path, log: Path, calls: int, *, torn: bool) -> None:
    """Do a task, and die somewhere between the first folder that is made and the acknowledgement."""
    resolved = task.resolved
    image, facts = work.run_task(resolved)
    work.run_task = lambda resolved: (image, facts)  # so that only the publication is counted
    die_after(calls, torn=torn)
    facts = work.complete(resolved, folder)
    with Folder(folder) as place, Journal(place, "journal.jsonl") as journal:
        journal.append({"event": "done", **facts})
    log.write_text(task.id)


def kill_at_every_step(root: Path) -> dict[str, Any]:
    """The publication of one shard, ended after its first call, its second, and so on until it comes through."""
    spec = specification(1)
    (task,) = read_spec(spec).tasks()
    faults: list[str] = []
    steps = 0
    for torn in (False, True):
        calls, status = 0, 9
        while status == 9:
            calls += 1
            folder, log = root / f"{calls}-{torn}", root / f"{calls}-{torn}.log"
            folder.mkdir()
            status = fork(functools.partial(publish_and_die, task, folder, log, calls, torn=torn)).wait()
            where = f"after call {calls}{' (torn)' if torn else ''}"
            path = shard_path(folder, task.id)
            if status not in (0, 9):
                faults.append(f"{where}: exit status {status}")
            if path.exists() and inspect(folder, task.id, full=True):
                faults.append(f"{where}: {inspect(folder, task.id, full=True)}")
            journaled = any(event.get("task") == task.id for event in read_journal(folder))
            if (log.exists() or journaled) and not path.exists():
                faults.append(f"{where}: told and lost")
            clean(folder)
            if temporaries(folder):
                faults.append(f"{where}: {temporaries(folder)[0].name} is left")
            there = path.exists()
            summary = run(spec, folder, workers=0)
            if (summary.done, summary.skipped) != ((0, 1) if there else (1, 0)) or not verify(folder, full=True).passed:
                faults.append(f"{where}: not resumed: {summary}")
        steps += calls - 1
    return {"steps": steps, "faults": faults}


def kill_workers(tasks: int, root: Path) -> dict[str, Any]:
    """A batch in which every tenth task kills its worker when it is first tried."""
    batch, marks = root / "batch", root / "marks"
    marks.mkdir()
    complete = work.complete

    def deadly(resolved: Mapping[str, Any], folder: Folder | str | os.PathLike[str]) -> dict[str, Any]:
        identity = Task.from_resolved(resolved).id
        if int(identity, 16) % 10 == 0:
            with contextlib.suppress(FileExistsError):
                os.close(os.open(marks / identity, os.O_CREAT | os.O_EXCL))
                os.kill(os.getpid(), signal.SIGKILL)
        return complete(resolved, folder)

    work.complete = deadly
    supervisor._link = forked_link
    begin = time.perf_counter()
    summary = run(specification(tasks), batch, workers=2)
    seconds = time.perf_counter() - begin
    deaths = len(list(marks.iterdir()))
    findings = verify(batch)
    faults = [] if summary.done == tasks == findings.sound else [str(summary), str(findings)]
    return {"tasks": tasks, "deaths": deaths, "seconds": seconds, "faults": faults}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=("random", "steps", "deaths"))
    parser.add_argument("--kills", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tasks", type=int, default=60)
    parser.add_argument("--workers", type=int, action="append", help="may be repeated; each run takes one (0, 1, 2)")
    parser.add_argument("--latest", type=float, default=0.1, help="seconds within which a run is killed")
    parser.add_argument("--folder", help="where to work; by default a temporary folder")
    arguments = parser.parse_args()
    set_threads(1)  # a process with threads is not to be copied
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        root = Path(name)
        work.run_task(read_spec(specification(1)).tasks()[0].resolved)  # loads and compiles
        if arguments.way == "random":
            result = dataclasses.asdict(
                kill_at_random(
                    arguments.kills,
                    seed=arguments.seed,
                    tasks=arguments.tasks,
                    workers=tuple(arguments.workers or (0, 1, 2)),
                    latest=arguments.latest,
                    root=root,
                )
            )
        elif arguments.way == "steps":
            result = kill_at_every_step(root)
        else:
            result = kill_workers(arguments.tasks, root)
    print(json.dumps(result))
    return 1 if result["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
