"""`status`, `verify` and `merge`: inspect a batch without changing its directory."""

from __future__ import annotations

from pathlib import Path

from heatpg.batch.folder import StrPath, opened, tasks_in
from heatpg.batch.index import merge_tasks
from heatpg.batch.journal import last_failures, read_journal
from heatpg.batch.lock import holders
from heatpg.batch.shards import inspect, inspect_all, shard_name, stored, temporaries
from heatpg.batch.spec import Task
from heatpg.batch.summaries import Failure, State, TaskState, Verification
from heatpg.tools.calls import checked_call
from heatpg.tools.publishing import result_name

__all__ = ["merge", "status", "verify"]


@checked_call()
def status(folder: StrPath, *, tasks: bool = False) -> State:
    """Progress of a batch from its result files; failures and times are read from the journal.

    Parameters
    ----------
    folder
        The batch directory; a run may work in it.
    tasks
        Whether to list every task.

    Raises
    ------
    StoreError
        If it is not a batch directory.
    SpecError
        If its specification cannot be read by this version.
    """
    # The shards decide: a task with a sound one is done, whatever the journal says, because that is only a cache.
    with opened(folder) as place:
        spec, every = tasks_in(place)
        there = stored(place)
        done = {task.id for task in every if task.id in there and not inspect(place, task.id)}
        events = last_failures(place)
        seconds = {}  # by task, so that one that was done twice, after damage, counts once
        for event in read_journal(place):
            if event.get("event") == "done" and event.get("task") in done and isinstance(event.get("seconds"), float):
                seconds[event["task"]] = event["seconds"]
        running = tuple(
            f"process {holder.get('pid', '?')} on {holder.get('host', '?')}"
            + (f", shard {holder['shard']}" if holder.get("shard") else "")
            for holder in holders(place)
        )
    failed = tuple(Failure.of(task, events[task.id]) for task in every if task.id in events and task.id not in done)
    reasons = {failure.task: failure.reason for failure in failed}

    def row(task: Task) -> TaskState:
        state = "done" if task.id in done else "failed" if task.id in reasons else "missing"
        file = shard_name(task.id) if state == "done" else ""
        return TaskState(
            task.number, task.id, task.describe(), state, seconds.get(task.id), file, reasons.get(task.id, "")
        )

    return State(
        str(place),
        spec.batch.name,
        len(every),
        len(done),
        failed,
        len(every) - len(done) - len(failed),
        len(there - {task.id for task in every}),
        running,
        sum(seconds.values()),
        tuple(map(row, every)) if tasks else (),
    )


@checked_call()
def verify(folder: StrPath, *, full: bool = False) -> Verification:
    """Verify every result file of a batch; nothing is changed. To recompute corrupted files, rerun the batch.

    Parameters
    ----------
    folder
        The batch directory.
    full
        Whether to verify every byte: SHA-256 of the file, its structure, its task, and the checksums of its data.
        Without it only the trailer of each is verified. ``run(..., full=True)`` recomputes the files that `full` finds
        corrupted.

    Raises
    ------
    StoreError
        If it is not a batch directory.
    SpecError
        If its specification cannot be read by this version.
    """
    sound, damaged, missing = 0, [], []
    with opened(folder) as place:
        _, tasks = tasks_in(place)
        there = stored(place)
        for task in tasks:
            if task.id not in there:
                missing.append(task.describe())
                continue
            problem = inspect_all(place, task.id) if full else inspect(place, task.id)
            if problem:
                damaged.append((shard_name(task.id), problem))
            else:
                sound += 1
        temporary = tuple(path.relative_to(place.path).as_posix() for path in temporaries(place))
    return Verification(
        str(place),
        full,
        sound,
        tuple(damaged),
        tuple(missing),
        len(there - {task.id for task in tasks}),
        temporary,
    )


@checked_call()
def merge(folder: StrPath, out: StrPath, *, force: bool = False, partial: bool = False) -> Path:
    """Write the results of a batch into one plain file, which needs neither the result files nor heatpg to be read.

    A table of all tasks in ``/tasks``; in ``/groups/0``, ``/groups/1``, ... the fields of those that are done, tasks of
    one shape together: ``u`` (task, sigma, axes), ``landscape`` (task, axes), and what was varied. With xarray:
    ``xarray.open_dataset(out, group="groups/0")``. Every result file is verified as it is read; the memory needed is
    that of one result file, or a few times 64 MiB.

    Parameters
    ----------
    folder
        The batch directory.
    out
        The file, which is there as a whole or not at all.
    force
        Whether an existing file may be replaced.
    partial
        Whether to omit tasks without an intact result; the table ``/tasks`` of the file lists them.

    Returns
    -------
    path
        Where the file is.

    Raises
    ------
    StoreError
        If it is not a batch directory, if it has no results, if results are missing without `partial`, if a result file
        turns out to be corrupted as it is read, or if the file exists, cannot be written, or has another ending than
        ``.h5``, ``.hdf5`` or ``.nc``.
    ResourceError
        If the disk is full, which is checked before anything is written.
    """
    with opened(folder) as place:
        _, tasks = tasks_in(place)
        reasons = {task: str(event.get("reason", "")) for task, event in last_failures(place).items()}
        return merge_tasks(place, tasks, reasons, result_name(out), force=force, partial=partial)
