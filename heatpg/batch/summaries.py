"""Reports of a batch: progress of a run, its result, the state of the batch, and its verification."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from heatpg.batch.spec import Task
from heatpg.tools.calls import checked_class
from heatpg.tools.lines import one_line

__all__ = ["Failure", "Interrupted", "Progress", "State", "Summary", "TaskState", "Verification"]

_SHOWN = 10  # failures that are listed in words; taste. `as_dict` has them all


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
        The swept values that made it.
    reason
        The error, or how its worker processes died.
    tries
        How often it was tried.
    """

    task: str
    number: int
    description: str
    reason: str
    tries: int

    @classmethod
    def of(cls, task: Task, event: Mapping[str, Any]) -> Failure:
        """A failure from its entry in the journal."""
        tries = event.get("tries")
        reason = str(event.get("reason", ""))
        return cls(task.id, task.number, task.describe(), reason, tries if isinstance(tries, int) else 1)

    def __str__(self) -> str:
        return one_line(f"{self.description}: {self.reason}")


@dataclasses.dataclass(frozen=True)
class Progress:
    """Progress of a run; `run` calls its `progress` with it after every task.

    Attributes
    ----------
    done
        Tasks with a result file, those of earlier runs included.
    total
        Tasks of this run.
    failed
        Tasks that failed.
    rate
        Tasks a second in this run, without the first task of each worker; None before every worker has had one.
    eta
        Remaining seconds; None as long as there is no rate.
    task
        Identity of the task that has just ended, done or failed; empty at the begin.
    stopping
        Tasks that are given a few seconds to end, right after SIGINT or SIGTERM; else 0.
    outcome
        How that task has ended: ``done``, and then its result is on the disk, or ``failed``; empty where there is none.
    """

    done: int
    total: int
    failed: int
    rate: float | None = None
    eta: float | None = None
    task: str = ""
    stopping: int = 0
    outcome: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON-like values."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Summary:
    """Result of a batch run.

    Attributes
    ----------
    folder
        The batch directory.
    done
        Tasks that were done in this run.
    skipped
        Tasks that had an intact result file already.
    repaired
        Of those done, how many had a corrupted result file.
    failed
        Tasks that failed, in this run or in an earlier one.
    doubtful
        Tasks done in this run of which a check failed, and the names of these checks.
    seconds
        Elapsed time of the run, with the start of the workers and the compilation of kernels.
    index
        The file that shows all result files as one; empty if it was not written.
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
            f"folder        {self.folder}",
            f"already done  {self.skipped}",
            f"done now      {self.done}" + (f", {self.repaired} repaired" if self.repaired else ""),
            f"failed        {len(self.failed)}",
            *_listed([str(failure) for failure in self.failed]),
            f"elapsed       {self.seconds:.1f} s, starting workers and compiling kernels included",
        ]
        if self.doubtful:
            lines.append(f"checks        failed in {len(self.doubtful)} of the tasks done now")
            lines += _listed([f"task {task[:12]}: {checks}" for task, checks in self.doubtful])
        return "\n".join(map(one_line, lines))


@dataclasses.dataclass(frozen=True)
class TaskState:
    """One task of a batch.

    Attributes
    ----------
    number
        Its number in the batch.
    task
        Its identity.
    description
        The swept values that made it.
    state
        ``done``, ``failed`` or ``missing``; a task that is running now is missing until its result file is there.
    seconds
        How long it took; None where the journal does not say.
    file
        Its result file in the batch directory; empty unless it is done.
    reason
        Why it failed; else empty.
    """

    number: int
    task: str
    description: str
    state: str
    seconds: float | None = None
    file: str = ""
    reason: str = ""

    def __str__(self) -> str:
        words = [f"{self.state:8}", "        " if self.seconds is None else f"{self.seconds:6.1f} s", self.description]
        more = self.file or self.reason
        return one_line("  ".join([*words, *([more] if more else [])]))


@checked_class()
@dataclasses.dataclass(frozen=True)
class State:
    """Progress of a batch.

    Attributes
    ----------
    folder
        The batch directory.
    name
        What it is called.
    total
        Tasks of the batch.
    done
        Tasks with a result file that ends with their trailer; only `verify` with ``full=True`` reads every byte.
    failed
        Tasks that failed when they were tried last.
    missing
        Tasks that are neither.
    others
        Result files of tasks that are not of this batch, as of an earlier specification.
    running
        The runs that work in the folder now: process and machine.
    seconds
        Time inside the tasks that are done, added up over all workers, according to the journal; the first task of a
        worker loads or compiles the kernels, its start is not counted.
    tasks
        Every task, in the order of the batch, where `status` was called with ``tasks=True``; else empty.
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
    tasks: tuple[TaskState, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The state as JSON-like values; the tasks only where they are known."""
        result = {
            **dataclasses.asdict(self),
            "failed": [dataclasses.asdict(failure) for failure in self.failed],
            "running": list(self.running),
            "tasks": [dataclasses.asdict(task) for task in self.tasks],
        }
        if not self.tasks:
            del result["tasks"]
        return result

    def __str__(self) -> str:
        lines = [
            f"folder   {self.folder}",
            f"batch    {self.name or 'without a name'}, {self.total} tasks",
            f"done     {self.done} ({100 * self.done / self.total:.0f} %)",
            f"missing  {self.missing}",
            f"failed   {len(self.failed)}",
            *_listed([str(failure) for failure in self.failed]),
            f"time     {self.seconds:.1f} s inside the tasks done, summed over workers, compiling kernels included",
        ]
        if self.others:
            lines.append(f"others   {self.others} result files of other tasks")
        lines.append(f"running  {'; '.join(self.running) or 'no'}")
        lines += map(str, self.tasks)
        return "\n".join(map(one_line, lines))


@dataclasses.dataclass(frozen=True)
class Verification:
    """Result of the verification of a batch.

    Attributes
    ----------
    folder
        The batch directory.
    full
        Whether every byte was verified.
    sound
        Number of intact result files.
    damaged
        Corrupted result files, each with the problem.
    missing
        Tasks without a result file, in words.
    others
        Result files of tasks that are not of this batch; they are not verified.
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
        """Whether no result file is corrupted; missing ones are allowed."""
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
        looked = "every byte verified" if self.full else "trailers verified"
        lines = [
            f"folder   {self.folder}",
            f"intact   {self.sound} ({looked})",
            f"corrupt  {len(self.damaged)}",
            *_listed([f"{file}: {problem}" for file, problem in self.damaged]),
            f"missing  {len(self.missing)}",
            *_listed(self.missing),
        ]
        if self.others:
            lines.append(f"others   {self.others} result files of other tasks")
        if self.temporary:
            lines.append(f"temporary files  {len(self.temporary)}")
        return "\n".join(map(one_line, lines))


class Interrupted(KeyboardInterrupt):
    """A run was interrupted by SIGINT or SIGTERM; its results are kept.

    Attributes
    ----------
    summary
        What was done before.
    """

    def __init__(self, summary: Summary) -> None:
        super().__init__(f"interrupted: {summary.done} tasks are done and kept; rerun the same command to resume")
        self.summary = summary


def _listed(texts: Sequence[str]) -> list[str]:
    lines = [f"  {text}" for text in texts[:_SHOWN]]
    return lines if len(texts) <= _SHOWN else [*lines, f"  and {len(texts) - _SHOWN} more"]
