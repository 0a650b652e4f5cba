"""A batch as a whole: run, resume, share, refuse, look."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from heatpg import HeatpgWarning, evolve, landscapes, load, set_threads, threads
from heatpg.batch import Interrupted, Progress, run, running, status, supervisor, verify, work
from heatpg.batch.journal import read_journal
from heatpg.batch.lock import hold, holders
from heatpg.batch.running import parse_shard
from heatpg.batch.shards import shard_path, stored
from heatpg.batch.spec import read_spec
from heatpg.errors import MissingPackageError, OptionError, ResourceError, StoreError
from heatpg.tools.processes import host
from tests.batch.ridges import WIDTHS, bad_specification, path_of, specification, tasks


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """What is compiled and loaded at first is no part of what is tested."""
    work.run_task(tasks()[0].resolved)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run(specification(), tmp_path / "out", workers=0)
    return tmp_path / "out"


def test_a_run(tmp_path: Path) -> None:
    told: list[Progress] = []
    summary = run(specification(), tmp_path / "out", workers=0, progress=told.append)
    assert (summary.done, summary.skipped, summary.failed, summary.doubtful) == (4, 0, (), ())
    assert summary.complete and summary.folder == str(tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "index.h5",
        "journal.jsonl",
        "lock",
        "shards",
        "spec.toml",
    ]
    assert [p.done for p in told] == [0, 1, 2, 3, 4]
    assert [p.task for p in told[1:]] == [task.id for task in tasks()]
    # the first task pays for the start of its worker
    assert [p.rate is None for p in told] == [True, True, False, False, False]
    assert told[-1].eta == 0.0 and told[2].eta is not None and told[2].eta > 0
    assert read_spec(tmp_path / "out" / "spec.toml").tasks() == tasks()


def test_the_results_are_those_of_evolve(folder: Path) -> None:
    for task, width in zip(tasks(), WIDTHS, strict=True):
        flow = load(shard_path(folder, task.id))
        expected = evolve(landscapes.ridge(size=16, width=width), [0.3, 0.6])
        assert np.array_equal(flow.values, expected.values) and flow.report.passed
        assert flow.solver == expected.solver


def test_a_second_run_does_what_is_missing(folder: Path) -> None:
    before = {n: path_of(folder, n).stat().st_ino for n in range(4)}
    path_of(folder, 1).unlink()
    summary = run(specification(), folder, workers=0)
    assert (summary.done, summary.skipped, summary.repaired) == (1, 3, 0)
    assert all(path_of(folder, n).stat().st_ino == before[n] for n in (0, 2, 3))
    assert (run(folder).done, run(folder / "spec.toml", folder).skipped) == (0, 4)


def test_damaged_shards_are_made_anew(folder: Path) -> None:
    whole = path_of(folder, 0).read_bytes()
    path_of(folder, 0).write_bytes(whole[:-1])
    path_of(folder, 1).write_bytes(b"")
    path_of(folder, 2).write_bytes(whole)
    hidden = bytearray(path_of(folder, 3).read_bytes())
    hidden[len(hidden) // 2] ^= 1
    path_of(folder, 3).write_bytes(hidden)
    assert len(verify(folder).damaged) == 3
    found = verify(folder, full=True)
    assert len(found.damaged) == 4 and not found.passed and found.sound == 0
    summary = run(specification(), folder, workers=0)
    assert (summary.done, summary.skipped, summary.repaired) == (3, 1, 3)
    summary = run(specification(), folder, workers=0, full=True)
    assert (summary.done, summary.skipped, summary.repaired) == (1, 3, 1)
    assert verify(folder, full=True).sound == 4
    assert path_of(folder, 0).read_bytes() == whole


def test_what_the_dead_left_is_removed(folder: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    left = path_of(folder, 0).with_name(f".tmp-{host()}-{dead.stdout.strip()}-{tasks()[0].id}")
    left.touch()
    assert verify(folder).temporary == (left.relative_to(folder).as_posix(),)
    assert run(specification(), folder, workers=0).done == 0
    assert verify(folder).temporary == ()


def test_a_longer_sweep_goes_on_in_the_same_folder(folder: Path) -> None:
    summary = run(specification([*WIDTHS, 0.6]), folder, workers=0)
    assert (summary.done, summary.skipped) == (1, 4)
    summary = run(specification(WIDTHS[:2]), folder, workers=0)
    assert (summary.done, summary.skipped) == (0, 2)
    assert status(folder).others == verify(folder).others == 3


def test_the_journal_is_a_cache(folder: Path) -> None:
    assert status(folder).seconds > 0
    (folder / "journal.jsonl").unlink()
    summary = run(specification(), folder, workers=0)
    assert (summary.done, summary.skipped) == (0, 4)
    assert status(folder).done == 4 and status(folder).seconds == 0


def test_a_task_that_fails(tmp_path: Path) -> None:
    summary = run(bad_specification(), tmp_path, workers=0)
    assert (summary.done, len(summary.failed)) == (1, 1) and not summary.complete
    failure = summary.failed[0]
    assert (failure.number, failure.tries) == (1, 1) and "step" in failure.reason
    assert "evolve.solver" in failure.description and failure.reason in str(summary)
    state = status(tmp_path)
    assert (state.done, len(state.failed), state.missing) == (1, 1, 0)
    again = run(bad_specification(), tmp_path, workers=0)
    assert (again.done, again.skipped, again.failed) == (0, 1, summary.failed)
    retried = run(bad_specification(), tmp_path, workers=0, retry_failed=True)
    assert (retried.done, retried.skipped, len(retried.failed)) == (0, 1, 1)
    (tmp_path / "journal.jsonl").unlink()
    assert status(tmp_path).missing == 1 and status(tmp_path).failed == ()


def test_a_damaged_cache_of_kernels_is_no_fault_of_the_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba raises from where it reads its cache; what is journalled so, today or long ago, is tried again."""
    caching = "numba/core/caching.py"
    code = compile("def load():\n    raise EOFError('Ran out of input')", caching, "exec")
    space: dict[str, Any] = {}
    exec(code, space)
    with monkeypatch.context() as patch:
        patch.setattr(work, "complete", lambda resolved, place: space["load"]())
        failed = run(specification(), tmp_path, workers=0).failed
    words = "the cache of compiled kernels is corrupted: EOFError: Ran out of input (caching.py, line 2)"
    assert {failure.reason for failure in failed} == {words}
    with monkeypatch.context() as patch:
        patch.setattr(work, "complete", lambda resolved, place: 1 / 0)
        patch.setattr(work, "explain", lambda reason: "EOFError: Ran out of input (caching.py, line 636)")
        assert len(run(specification(), tmp_path, workers=0).failed) == 4
    assert len(status(tmp_path).failed) == 4
    summary = run(specification(), tmp_path, workers=0)
    assert (summary.done, summary.failed) == (4, ())


def test_what_failed_once_and_then_did_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(work, "complete", lambda resolved, place: 1 / 0)
        assert len(run(specification(), tmp_path, workers=0).failed) == 4
    assert len(run(specification(), tmp_path, workers=0).failed) == 4
    summary = run(specification(), tmp_path, workers=0, retry_failed=True)
    assert (summary.done, summary.failed) == (4, ())
    path_of(tmp_path, 0).unlink()
    assert run(specification(), tmp_path, workers=0).done == 1


def test_checks_that_fail_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complete = work.complete
    monkeypatch.setattr(work, "complete", lambda r, f: complete(r, f) | {"failures": ["maximum principle", "mass"]})
    summary = run(specification([0.2]), tmp_path, workers=0)
    assert summary.doubtful == ((tasks()[0].id, "maximum principle, mass"),)
    assert "maximum principle, mass" in str(summary)


def test_a_landscape_in_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "q.npy", np.random.default_rng(1).standard_normal((12, 14)))
    spec = {"landscape": {"source": str(tmp_path / "q.npy"), "boundary": "clip"}, "evolve": {"sigma": 1.0}}
    read = read_spec(spec)
    assert run(read, tmp_path / "out", workers=0).done == 1
    (task,) = read.tasks()
    assert load(shard_path(tmp_path / "out", task.id)).values.shape == (1, 12, 14)
    np.save(tmp_path / "q.npy", np.zeros((12, 14)))
    with pytest.raises(StoreError, match="has changed since the batch was created"):
        work.run_task(task.resolved)
    (tmp_path / "q.npy").unlink()
    with pytest.raises(StoreError, match="cannot read"):
        work.run_task(task.resolved)


def test_a_landscape_in_a_file_of_ours(folder: Path, tmp_path: Path) -> None:
    spec = {"landscape": {"source": str(path_of(folder, 0))}, "evolve": {"sigma": 0.5}}
    assert run(spec, tmp_path / "next", workers=0).done == 1


@pytest.mark.parametrize(
    ("text", "expected"), [(None, None), ("0/1", (0, 1)), ("3/10", (3, 10)), ((1, 2), (1, 2)), (" 0 / 2 ", (0, 2))]
)
def test_shares(text: Any, expected: Any) -> None:
    assert parse_shard(text) == expected


@pytest.mark.parametrize("text", ["1", "1/2/3", "a/2", "-1/2", "1/0", "5/3", "0.5/1", "", (1,), "²/3"])
def test_shares_that_are_none(text: Any) -> None:
    with pytest.raises(OptionError):
        parse_shard(text)


def test_a_share_that_counts_from_one() -> None:
    with pytest.raises(OptionError, match="--array=0-9"):
        parse_shard("10/10")


def test_shares_are_disjoint_and_complete(tmp_path: Path) -> None:
    first = run(specification(), tmp_path, workers=0, shard="0/3")
    assert (first.done, first.index) == (2, "") and not (tmp_path / "index.h5").exists()
    assert run(specification(), tmp_path, workers=0, shard="1/3").done == 1
    state = status(tmp_path)
    assert (state.done, state.missing) == (3, 1)
    last = run(specification(), tmp_path, workers=0, shard="2/3")
    assert last.done == 1 and last.index == str(tmp_path / "index.h5")
    assert run(specification(), tmp_path, workers=0, shard=(0, 3)).skipped == 2
    assert len(list(tmp_path.glob("journal-*-of-3.jsonl"))) == 3
    assert status(tmp_path).seconds > 0


def test_a_second_run_is_refused(folder: Path) -> None:
    with hold(folder):
        with pytest.raises(StoreError, match=f"process {os.getpid()} on {host()}") as caught:
            run(specification(), folder, workers=0)
        assert f"kill {os.getpid()}" in str(caught.value)
        with pytest.raises(StoreError, match="another run"):
            run(specification(), folder, workers=0, shard="0/2")
        assert status(folder).running == (f"process {os.getpid()} on {host()}",)
    assert status(folder).running == ()
    run(specification(), folder, workers=0)


def test_runs_of_shares_share(folder: Path) -> None:
    with hold(folder, (0, 2)):
        run(specification(), folder, workers=0, shard="1/2")
        with pytest.raises(StoreError, match="shard 0/2"):
            run(specification(), folder, workers=0, shard="0/2")
        with pytest.raises(StoreError, match="shard 0/2"):
            run(specification(), folder, workers=0)
        with hold(folder, (1, 2)):
            assert len(holders(folder)) == 2


def test_the_dead_hold_nothing(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=lock_holder, args=(str(folder), ready))
    process.start()
    assert ready.wait(600)
    with pytest.raises(StoreError, match=f"process {process.pid}"):
        run(specification(), folder, workers=0)
    process.kill()
    process.join()
    run(specification(), folder, workers=0)


def lock_holder(folder: str, ready: Any) -> None:
    import time

    with hold(Path(folder)):
        ready.set()
        time.sleep(600)


def test_a_disk_without_locks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("heatpg.batch.lock.fcntl.flock", refuse)
    with pytest.warns(HeatpgWarning, match="file system does not support locks"):
        assert run(specification(), folder, workers=0).skipped == 4


def test_who_holds_it_need_not_have_said_so(folder: Path) -> None:
    with hold(folder):
        (folder / "lock").write_bytes(b"[")
        with pytest.raises(StoreError, match=r"process \? on \?"):
            run(specification(), folder, workers=0)


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan"), float("inf")])
def test_timeouts_that_are_none(tmp_path: Path, timeout: float) -> None:
    with pytest.raises(OptionError, match="timeout"):
        run(specification(), tmp_path, timeout=timeout)


@pytest.mark.parametrize("workers", [-1, 1.5, True, "2"])
def test_numbers_of_workers_that_are_none(tmp_path: Path, workers: Any) -> None:
    with pytest.raises(OptionError, match="workers must be a whole number"):
        run(specification(), tmp_path, workers=workers)


def test_a_scheduler_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "heatpg.batch.cluster", None)
    with pytest.raises(MissingPackageError, match="cluster"):
        run(specification(), tmp_path, scheduler="tcp://127.0.0.1:8786")


def test_too_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The estimate of one worker is about 190 MiB: with 500 MiB free there is room for two of them, not for three."""
    monkeypatch.setattr(running, "available_memory", lambda: 500 * 2.0**20)
    monkeypatch.setattr(running, "threads", lambda: 8)
    assert running._choose_workers(tasks(), None) == 2
    assert running._choose_workers(tasks(), 2) == 2
    with pytest.raises(ResourceError, match="use workers=2") as caught:
        run(specification(), tmp_path, workers=3)
    assert "MiB for 3 at a time" in str(caught.value)
    assert stored(tmp_path) == set()
    monkeypatch.setattr(running, "available_memory", lambda: 50 * 2.0**20)
    with pytest.raises(ResourceError, match="more memory"):
        run(specification(), tmp_path)


def test_no_more_workers_than_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "threads", lambda: 8)
    assert running._choose_workers(tasks(), None) == running._choose_workers(tasks(), 7) == 4
    assert running._choose_workers(tasks(), 0) == 0


def test_an_interrupted_run_is_resumed(tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.done == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted, match="2 tasks are done") as caught:
        run(specification(), tmp_path, workers=0, progress=interrupt)
    assert isinstance(caught.value, KeyboardInterrupt) and caught.value.summary.done == 2
    summary = run(specification(), tmp_path, workers=0)
    assert (summary.done, summary.skipped) == (2, 2)


@pytest.fixture(scope="module")
def size(tmp_path_factory: pytest.TempPathFactory) -> int:
    """Bytes that a run writes."""
    folder = tmp_path_factory.mktemp("size")
    run(specification(), folder, workers=0)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def full_disk(room: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    real = os.write

    def write(descriptor: int, data: Any) -> int:
        nonlocal room
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = real(descriptor, bytes(data)[:room])
        room -= written
        return written

    monkeypatch.setattr(os, "write", write)
    yield room


@pytest.mark.parametrize("part", range(0, 64, 3))
def test_a_disk_that_fills_up(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    """At any point of a run: specification, journal, first or last shard, index."""
    with monkeypatch.context() as patch:
        next(full_disk(size * part // 64, patch))
        with pytest.raises(ResourceError, match="disk is full") as caught:
            run(specification(), tmp_path, workers=0)
        assert "bytes" in str(caught.value)
    before = stored(tmp_path)
    assert verify(tmp_path).temporary == () if (tmp_path / "spec.toml").exists() else not before
    summary = run(specification(), tmp_path, workers=0)
    assert (summary.done, summary.skipped) == (4 - len(before), len(before))
    assert verify(tmp_path, full=True).sound == 4


def test_a_task_that_does_not_fit_is_not_the_end_of_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = work.run_task

    def run_task(resolved: Any) -> Any:
        if resolved["landscape"]["options"]["width"] == 0.3:
            raise ResourceError("too large", given="1 TiB")
        return real(resolved)

    monkeypatch.setattr(work, "run_task", run_task)
    summary = run(specification(), tmp_path, workers=0)
    assert summary.done == 3 and summary.failed[0].reason == "too large; got: 1 TiB"


def test_the_same_bytes_from_any_workers(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    told: list[Progress] = []
    summary = run(specification(), other, workers=2, progress=told.append)
    assert (summary.done, summary.failed) == (4, ())
    assert {p.task for p in told} == {"", *(task.id for task in tasks())}
    for n in range(4):
        assert path_of(folder, n).read_bytes() == path_of(other, n).read_bytes()


def test_compact_shards_have_the_same_bytes_from_any_workers(tmp_path: Path) -> None:
    spec = specification() | {"storage": {"mode": "compact", "tolerance": 1e-8}}
    spec["landscape"] = {"source": "ridge", "size": 300}  # more than one block of lines
    before = threads()
    for name, workers, count in (("a", 0, 1), ("b", 0, 2), ("c", 2, 2)):
        set_threads(count)
        try:
            assert run(spec, tmp_path / name, workers=workers).complete
        finally:
            set_threads(before)
    for task in read_spec(spec).tasks():
        assert len({shard_path(tmp_path / name, task.id).read_bytes() for name in "abc"}) == 1
        with h5py.File(shard_path(tmp_path / "a", task.id)) as file:
            digest = file.attrs["heatpg_u_sha256"]
            assert "levels" in file and "u" not in file
        (event,) = [each for each in read_journal(tmp_path / "a") if each.get("task") == task.id]
        assert event["u_sha256"] == digest
    assert verify(tmp_path / "a", full=True).passed
    assert run(spec, tmp_path / "a", workers=0, full=True).skipped == 4


def test_what_is_told_is_on_the_disk(tmp_path: Path) -> None:
    seen = []

    def look(progress: Progress) -> None:
        if progress.task:
            seen.append(progress.task)
            assert shard_path(tmp_path, progress.task).exists()
            assert progress.task in (tmp_path / "journal.jsonl").read_text()

    run(specification(), tmp_path, workers=0, progress=look)
    assert len(seen) == 4


def test_warnings_are_kept_with_the_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = work._evolution

    def warn(resolved: Any) -> Any:
        warnings.warn("of a task", HeatpgWarning, stacklevel=1)
        return real(resolved)

    monkeypatch.setattr(work, "_evolution", warn)
    _, facts = work.run_task(tasks()[0].resolved)
    assert facts["warnings"] == ["of a task"]


def test_the_workers_of_a_run_are_those_of_the_supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `run` hands on: workers, the timeout, and the processors that there are."""
    given: dict[str, Any] = {}

    def supervise(todo: Any, place: Path, **keywords: Any) -> Iterator[list[supervisor.Outcome]]:
        given.update(keywords)
        yield from supervisor.alone(todo, place)

    monkeypatch.setattr(running, "supervise", supervise)
    monkeypatch.setattr(running, "threads", lambda: 6)
    run(specification(), tmp_path, workers=2, timeout=9.0)
    assert callable(given.pop("stopping"))
    assert given == {"workers": 2, "timeout": 9.0, "cores": 6}


def test_a_signal_tells_how_many_tasks_are_finished(tmp_path: Path) -> None:
    """Once, while they still run, and they are done all the same."""
    told: list[Progress] = []

    def interrupt(progress: Progress) -> None:
        told.append(progress)
        if progress.done == 1 and not progress.stopping:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        run(specification([0.1 + 0.01 * k for k in range(30)]), tmp_path, workers=2, progress=interrupt)
    stops = [progress for progress in told if progress.stopping]
    assert [progress.task for progress in stops] == [""] and stops[0].stopping in (1, 2)


def test_every_task_has_a_row_where_it_is_asked_for(folder: Path, tmp_path: Path) -> None:
    assert status(folder).tasks == () and "tasks" not in status(folder).as_dict()
    path_of(folder, 2).unlink()
    state = status(folder, tasks=True)
    assert [task.state for task in state.tasks] == ["done", "done", "missing", "done"]
    assert [task.number for task in state.tasks] == [0, 1, 2, 3]
    for task in state.tasks:
        there = task.state == "done"
        assert (folder / task.file).is_file() if there else task.file == ""
        assert (task.seconds is not None) == there
        assert task.description in str(state) and task.task[:12] in task.description
    assert state.as_dict()["tasks"][2]["state"] == "missing"
    # why a task has failed is beside it
    run(bad_specification(), tmp_path / "bad", workers=0)
    (failed,) = [task for task in status(tmp_path / "bad", tasks=True).tasks if task.state == "failed"]
    assert "step" in failed.reason and failed.reason.splitlines()[0] in str(failed)
