"""Shards: what is published is whole, and what is not whole is not believed."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

from heatpg import load
from heatpg.batch.shards import (
    clean,
    inspect,
    inspect_contents,
    publish_shard,
    seal,
    shard_path,
    stored,
    temporaries,
    temporary_name,
)
from heatpg.batch.spec import Task, read_spec
from heatpg.batch.work import run_task
from heatpg.errors import ResourceError, StoreError
from heatpg.store.reading import task_text
from heatpg.tools.folders import Folder
from heatpg.tools.processes import host


@pytest.fixture(scope="module")
def tasks() -> tuple[Task, ...]:
    return read_spec(
        {
            "landscape": {"source": "ridge", "size": 17},
            "evolve": {"sigma": [0.3, 0.6]},
            "sweep": {"product": {"landscape.width": [0.2, 0.3]}},
        }
    ).tasks()


@pytest.fixture(scope="module")
def image(tasks: tuple[Task, ...]) -> bytes:
    return run_task(tasks[0].resolved)[0]


@pytest.fixture
def path(tmp_path: Path, image: bytes, tasks: tuple[Task, ...]) -> Path:
    return publish_shard(image, tmp_path, tasks[0].id)


def test_a_shard_is_found_and_read(path: Path, tmp_path: Path, tasks: tuple[Task, ...]) -> None:
    task = tasks[0]
    assert path == shard_path(tmp_path, task.id)
    assert stored(tmp_path) == {task.id}
    assert (
        inspect(tmp_path, task.id) == inspect(tmp_path, task.id, full=True) == inspect_contents(tmp_path, task.id) == ""
    )
    assert task_text(path).encode() == task.canonical()
    assert load(path).values.shape == (2, 17, 17)
    assert temporaries(tmp_path) == []


def test_other_readers_do_not_mind_the_seal(path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset(path, engine="h5netcdf") as data:
        assert data["u"].shape == (2, 17, 17)


def test_the_same_task_gives_the_same_bytes(image: bytes, tasks: tuple[Task, ...]) -> None:
    assert run_task(tasks[0].resolved)[0] == image
    assert run_task(tasks[1].resolved)[0] != image


def test_it_holds_no_times(path: Path) -> None:
    with h5py.File(path) as file:
        assert '"timing":[]' in file.attrs["heatpg_run"]
        assert not {"written", "threads"} & set(file.attrs["heatpg_environment"].split('"'))


def change(path: Path, act: Callable[[bytearray], Any]) -> None:
    content = bytearray(path.read_bytes())
    act(content)
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda content: content.clear(), "only 0 bytes"),
        (lambda content: content.__delitem__(slice(50, None)), "only 50 bytes"),
        (lambda content: content.__delitem__(slice(-1, None)), "trailer"),
        (lambda content: content.__delitem__(slice(len(content) // 2, None)), "trailer"),
        (lambda content: content.append(0), "trailer"),
        (lambda content: content.__delitem__(slice(1000, 1001)), "its trailer says"),
        (lambda content: content.__setitem__(0, 0), "not an HDF5 file"),
        (lambda content: content.__setitem__(-1, content[-1] ^ 1), "trailer"),
        (lambda content: content.__setitem__(-50, content[-50] ^ 1), "trailer"),
    ],
)
def test_damage_at_the_ends_is_seen_at_once(
    path: Path, tasks: tuple[Task, ...], act: Callable[[bytearray], Any], words: str
) -> None:
    change(path, act)
    assert words in inspect(path.parents[2], tasks[0].id)


def test_every_byte_counts(path: Path, tasks: tuple[Task, ...]) -> None:
    """A bit that is wrong anywhere, also where HDF5 has no checksum, and without HDF5 being asked."""
    whole = path.read_bytes()
    for place in range(8, len(whole), 997):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        assert inspect(path.parents[2], tasks[0].id, full=True)
        path.write_bytes(whole)
    assert inspect(path.parents[2], tasks[0].id, full=True) == ""


def test_the_shard_of_another_task(path: Path, tmp_path: Path, tasks: tuple[Task, ...]) -> None:
    other = shard_path(tmp_path, tasks[1].id)
    other.parent.mkdir(exist_ok=True)
    os.replace(path, other)
    assert "another task" in inspect(tmp_path, tasks[1].id)
    content = other.read_bytes()[:-84]
    other.write_bytes(content + seal(content, tasks[1].id))
    assert inspect(tmp_path, tasks[1].id, full=True) == ""
    assert "another task" in inspect_contents(tmp_path, tasks[1].id)


def test_what_is_no_file(tmp_path: Path, path: Path, tasks: tuple[Task, ...]) -> None:
    other, identity = tmp_path / "elsewhere.h5", tasks[0].id
    os.replace(path, other)
    assert inspect(tmp_path, identity) == "it does not exist"
    path.mkdir()
    assert inspect(tmp_path, identity) == "it is a folder"
    path.rmdir()
    os.mkfifo(path)
    assert inspect(tmp_path, identity) == "it is a pipe"
    path.unlink()
    path.symlink_to(other)
    assert inspect(tmp_path, identity) == "it is a symbolic link, which is not followed"


def test_wrong_content_under_a_true_seal(path: Path, tasks: tuple[Task, ...]) -> None:
    """What the full check of the contents is for: bytes that are as they were written, and were wrong already."""
    with h5py.File(path, "r+") as file:
        file["u"][0, 3, 3] += 1.0
    content = path.read_bytes()
    path.write_bytes(content + seal(content, tasks[0].id))
    assert inspect(path.parents[2], tasks[0].id, full=True) == ""
    assert "SHA-256" in inspect_contents(path.parents[2], tasks[0].id)


def test_the_order_of_the_steps(
    tmp_path: Path, image: bytes, tasks: tuple[Task, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    shard_path(tmp_path, tasks[0].id).parent.mkdir(parents=True)
    steps: list[str] = []

    def recorded(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*arguments: Any, **keywords: Any) -> Any:
            steps.append(name)
            return real(*arguments, **keywords)

        return call

    for name in ("open", "write", "fsync", "close", "replace"):
        monkeypatch.setattr(os, name, recorded(name))
    publish_shard(image, tmp_path, tasks[0].id)
    monkeypatch.undo()
    # file: image and seal, to the disk, the name; folder: to the disk
    kept = [step for step in steps if step not in ("open", "close")]
    assert kept == ["write", "write", "fsync", "replace", "fsync"]
    assert steps.index("fsync") < steps.index("close", steps.index("write")) < steps.index("replace")


# ----------------------------------------------------------------------------------------------------------------------
# Full disks


@pytest.mark.parametrize("part", range(64))
def test_a_disk_that_fills_up_anywhere(
    tmp_path: Path, image: bytes, tasks: tuple[Task, ...], monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    room = (len(image) + 84) * part // 64
    real = os.write

    def write(descriptor: int, data: Any) -> int:
        nonlocal room
        if room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = real(descriptor, bytes(data)[:room])
        room -= written
        return written

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(ResourceError, match=f"{len(image) + 84:,} bytes"):
        publish_shard(image, tmp_path, tasks[0].id)
    monkeypatch.undo()
    assert stored(tmp_path) == set() and temporaries(tmp_path) == []
    publish_shard(image, tmp_path, tasks[0].id)
    assert inspect(tmp_path, tasks[0].id, full=True) == ""


@pytest.mark.parametrize("step", ["open", "fsync", "close", "replace", "mkdir"])
@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, ResourceError), (errno.EIO, StoreError)])
def test_failures_at_other_steps(
    tmp_path: Path,
    image: bytes,
    tasks: tuple[Task, ...],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    number: int,
    kind: type[Exception],
) -> None:
    if step != "mkdir":
        shard_path(tmp_path, tasks[0].id).parent.mkdir(parents=True)
    real = getattr(os, step)
    folder = Folder(tmp_path)

    def fail(*arguments: Any, **keywords: Any) -> Any:
        if step == "close":
            real(*arguments)
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        with pytest.raises(kind):
            publish_shard(image, folder, tasks[0].id)
    assert stored(tmp_path) == set() and temporaries(tmp_path) == []


# ----------------------------------------------------------------------------------------------------------------------
# Temporary files


def test_temporary_files_of_the_dead_are_removed(tmp_path: Path, tasks: tuple[Task, ...]) -> None:
    folder = shard_path(tmp_path, tasks[0].id).parent
    folder.mkdir(parents=True)
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    gone = folder / f".tmp-{host()}-{dead.stdout.strip()}-{tasks[0].id}"
    index = tmp_path / f".tmp-{host()}-{dead.stdout.strip()}-index.h5"
    own = folder / temporary_name(tasks[0].id)
    parent = folder / f".tmp-{host()}-{os.getppid()}-{tasks[0].id}"
    elsewhere = folder / f".tmp-another-{host()}-1-{tasks[0].id}"
    strange = folder / f".tmp-{host()}-x-{tasks[0].id}"
    shard = shard_path(tmp_path, tasks[0].id)
    for path in (gone, index, own, parent, elsewhere, strange, shard):
        path.write_bytes(b"half")
    assert clean(tmp_path) == sorted([gone, index])
    assert all(path.exists() for path in (own, parent, elsewhere, strange, shard))


def test_the_dead_that_nobody_has_asked_about(tmp_path: Path, tasks: tuple[Task, ...]) -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("there is no way to tell on this system")
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    (tmp_path / f".tmp-{host()}-{process.pid}-{tasks[0].id}").touch()
    assert len(clean(tmp_path)) == 1
    process.wait()


def test_a_temporary_file_of_our_own_number_is_replaced(path: Path, image: bytes, tasks: tuple[Task, ...]) -> None:
    path.with_name(temporary_name(tasks[0].id)).write_bytes(b"of a process that had our number")
    publish_shard(image, path.parents[2], tasks[0].id)
    assert inspect(path.parents[2], tasks[0].id, full=True) == ""


def test_host_names_fit_into_file_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "a/b\0c" * 50)
    assert host().startswith("a_b_c") and len(host()) == 64
