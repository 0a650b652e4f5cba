"""A batch writes in its folder and nowhere else, waits for nothing that stands there, and tells nothing that is not.

Under every name that heatpg uses in the folder of a batch stands, one after another, a link to a file, a folder or
nothing, a hard link of a file elsewhere, a pipe, a socket, a folder; and the folder itself is moved, removed and
replaced while a run works in it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from heatpg.batch import Progress, Task, merge, run, status, supervisor, verify
from heatpg.batch.shards import inspect, shard_name, stored, temporary_name
from heatpg.errors import HeatpgError, OptionError, StoreError
from heatpg.tools.folders import Folder
from tests.batch.ridges import specification, tasks

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")

WIDTHS = [0.2, 0.3]
FIRST = tasks(WIDTHS)[0].id
SHARD = shard_name(FIRST)


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """What would wait for ever is ended; no test here takes a hundredth of this time."""
    signal.alarm(300)
    yield
    signal.alarm(0)


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "out"
    run(specification(WIDTHS), folder, workers=0)
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What lies elsewhere, and is to stay as it is."""
    folder = tmp_path / "outside"
    (folder / "sub").mkdir(parents=True)
    (folder / "thesis.tex").write_bytes(b"\\documentclass{article}\n" * 20)
    # of a process that has ended, in the folder that a link leads to: not ours to clean up
    (folder / ".tmp-nobody-1-left").write_bytes(b"theirs")
    return folder


def contents(folder: Path) -> dict[str, Any]:
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes() if path.is_file() else None, path.stat().st_mode)
        for path in sorted(folder.rglob("*"))
    }


def bind(place: Path, outside: Path) -> None:
    here = os.getcwd()
    os.chdir(place.parent)  # names of sockets are short
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(place.name[:60])
        os.rename(place.name[:60], place.name)
    finally:
        os.chdir(here)


PLANTS: dict[str, Callable[[Path, Path], object]] = {
    "link to a file": lambda place, outside: place.symlink_to(outside / "thesis.tex"),
    "link to a folder": lambda place, outside: place.symlink_to(outside / "sub"),
    "link to nothing": lambda place, outside: place.symlink_to(outside / "new"),
    "hard link": lambda place, outside: os.link(outside / "thesis.tex", place),
    "pipe": lambda place, outside: os.mkfifo(place),
    "socket": bind,
    "folder": lambda place, outside: place.mkdir(),
}
NAMES = {
    "lock": None,
    "lock-0-of-2": "0/2",
    "journal.jsonl": None,
    "journal-0-of-2.jsonl": "0/2",
    "spec.toml": None,
    "index.h5": None,
    "shards": None,
    SHARD.rpartition("/")[0]: None,
    SHARD: None,
    temporary_name("index.h5"): None,
    f"{SHARD.rpartition('/')[0]}/{temporary_name(FIRST)}": None,
}


def remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("name", NAMES, ids=lambda name: name.replace(FIRST, "ID").replace(temporary_name(""), ".tmp-"))
def test_nothing_outside_is_touched(name: str, plant: str, batch: Path, outside: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(batch, tmp_path / "out"))
    remove(folder / name)
    with contextlib.suppress(FileNotFoundError):
        (folder / "index.h5").unlink() if name != "index.h5" else None
    PLANTS[plant](folder / name, outside)
    before = contents(outside)
    told: list[str] = []

    def tell(progress: Progress) -> None:
        if progress.outcome == "done":
            told.append(progress.task)

    refusal = ""
    try:
        run(specification(WIDTHS), folder, workers=0, shard=NAMES[name], progress=tell)
    except HeatpgError as reason:
        assert isinstance(reason, StoreError)
        refusal = str(reason)
    looks: list[str] = []
    for look in (status, verify, lambda folder: merge(folder, tmp_path / "all.h5")):
        try:
            look(folder)
        except HeatpgError as reason:
            looks.append(str(reason))
    assert contents(outside) == before
    assert all(inspect(folder, task, full=True) == "" for task in told)
    # what is refused is named, and all who read it refuse it alike
    if refusal:
        assert name.rpartition("/")[2].split(".tmp-")[0][:8] in refusal
    is_folder = name in ("shards", SHARD.rpartition("/")[0])
    # a journal is not opened where there is nothing to write
    is_replaced = name == SHARD or ".tmp-" in name or (plant == "hard link" and not name.startswith("lock"))
    if plant.startswith("link") and not is_replaced:
        assert "symbolic link" in refusal and (len(looks) >= 1 or name == "index.h5")
    elif not is_replaced and not (is_folder and plant == "folder"):
        assert refusal
    elif name == SHARD and plant != "folder":
        assert told == [FIRST] and verify(folder, full=True).passed


@pytest.mark.parametrize("name", ["lock", "journal.jsonl", "spec.toml", "shards", "index.h5"])
def test_a_new_batch_in_a_folder_with_a_link(name: str, outside: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(outside / "new")
    before = contents(outside)
    with pytest.raises(StoreError, match=f"{name} is a symbolic link"):
        run(specification(WIDTHS), tmp_path / "out", workers=0)
    assert contents(outside) == before


def test_the_way_to_the_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    assert run(specification(WIDTHS), tmp_path / "link" / "out", workers=0).done == 2
    assert len(stored(tmp_path / "disk" / "out")) == 2


def rename(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))


def replace(folder: Path) -> None:
    """Another folder has its name, with the same specification."""
    rename(folder)
    folder.mkdir()
    shutil.copy(folder.with_name("moved") / "spec.toml", folder)


def move_shards(folder: Path) -> None:
    (folder / "shards").rename(folder.with_name("shards"))


def link_shards(folder: Path) -> None:
    """To another disk, as one does who has no room left."""
    move_shards(folder)
    (folder / "shards").symlink_to(folder.with_name("shards"))


def delete(folder: Path) -> None:
    """Until nothing is left: a worker may store a shard between the listing and the removal of a folder."""
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


DEEDS: list[Callable[[Path], None]] = [rename, delete, replace, move_shards, link_shards]


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("after", [1, 3])
@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
def test_a_folder_that_goes_while_a_run_works(
    deed: Callable[[Path], None], after: int, workers: int, tmp_path: Path
) -> None:
    """In the middle, or after the last task was told: never a summary of what is not there."""
    folder = tmp_path / "out"
    widths = [0.2, 0.3, 0.4]

    def tell(progress: Progress) -> None:
        if progress.outcome == "done" and progress.done == after:
            deed(folder)

    with pytest.raises(StoreError, match=r"moved or removed|were removed|symbolic link"):
        run(specification(widths), folder, workers=workers, progress=tell)
    # no worker has made a folder anew that nobody would look for
    if deed in (rename, delete):
        assert not folder.exists()
    if deed is replace:
        assert stored(folder) == set()
    if deed in (rename, replace):
        shutil.rmtree(folder, ignore_errors=True)
        (tmp_path / "moved").rename(folder)
        kept = len(stored(folder))
        assert kept >= after
        assert run(specification(widths), folder, workers=0).skipped == kept
        assert verify(folder, full=True).sound == 3


def test_what_is_told_of_a_task_that_failed(tmp_path: Path) -> None:
    spec = specification([0.2])
    spec["sweep"] = {"zip": {"evolve.solver": ["direct", "explicit"], "evolve.solver_options": [{}, {"step": 100.0}]}}
    told: list[Progress] = []
    run(spec, tmp_path / "out", workers=0, progress=told.append)
    assert [progress.outcome for progress in told] == ["", "done", "failed"]
    assert {progress.task for progress in told if progress.outcome == "done"} == stored(tmp_path / "out")


def test_a_worker_that_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGSTOP, and a time that runs out: its task has failed, the others are done, each told as what it is."""
    give = supervisor._Worker.send

    def send(self: supervisor._Worker, task: Task, message: Mapping[str, Any], timeout: float | None) -> None:
        if task.id == FIRST:
            os.kill(self.link.process.pid, signal.SIGSTOP)
        give(self, task, message, timeout)
        self.deadline = time.monotonic() + 0.3 if task.id == FIRST else supervisor.NEVER

    monkeypatch.setattr(supervisor._Worker, "send", send)
    told: dict[str, str] = {}
    summary = run(
        specification([0.2, 0.3, 0.4]),
        tmp_path / "out",
        workers=1,
        timeout=0.3,
        progress=lambda progress: told.update({progress.task: progress.outcome}),
    )
    told.pop("")
    there = {task for task in stored(tmp_path / "out") if inspect(tmp_path / "out", task, full=True) == ""}
    assert told.pop(FIRST) == "failed" and "took longer than 0.3 s" in summary.failed[0].reason
    assert set(told) == there and set(told.values()) == {"done"} and summary.done == 2


def test_a_tilde_is_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert run(specification(WIDTHS), "~/out", workers=0).folder == str(tmp_path / "out")
    assert status("~/out").done == verify("~/out").sound == 2
    assert run("~/out", workers=0).skipped == 2
    assert merge("~/out", "~/all.h5") == tmp_path / "all.h5"
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize("name", ["all", "all.txt", "all.h5.bak", "all.npz"])
def test_a_merged_file_has_the_ending_of_hdf5(batch: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionError, match=r"\.h5, \.hdf5, \.nc"):
        merge(batch, tmp_path / name)


def test_names_are_looked_up_from_the_folder_itself(tmp_path: Path) -> None:
    """After it was renamed, what is read and written is still that of the folder."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"ours")
    with Folder(tmp_path / "a") as folder:
        (tmp_path / "a").rename(tmp_path / "b")
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "file").write_bytes(b"theirs")
        assert folder.read("file") == b"ours" and not folder.is_in_place()
        folder.make_folder("x/y")
        assert folder.names() == ["file", "x"] and (tmp_path / "b" / "x" / "y").is_dir()
        assert folder.remove("file") and not folder.remove("file") and not folder.remove("x")
