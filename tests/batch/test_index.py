"""The index and the merged file: what they show is what the shards hold, and where it is not, they say so."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from heatpg import load
from heatpg.batch import index
from heatpg.batch.index import INDEX, build_index, merge_tasks
from heatpg.batch.inspection import verify
from heatpg.batch.running import run
from heatpg.batch.shards import shard_path, temporaries
from heatpg.batch.spec import Task, read_spec
from heatpg.errors import ResourceError, StoreError

SPEC = {
    "landscape": {"source": "ridge", "size": 16},
    "evolve": {"sigma": [0.3, 0.6]},
    "sweep": {
        "product": {"landscape.width": [0.2, 0.3], "landscape.size": [16, 21]},
        "zip": {"evolve.solver": ["direct", "spectral"], "evolve.checks": ["standard", "none"]},
    },
}
TASKS = read_spec(SPEC).tasks()
BOTH = pytest.mark.parametrize("name", [INDEX, "merged.h5"])


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("batch")
    run(SPEC, folder, workers=0)
    merge_tasks(folder, TASKS, {}, folder / "merged.h5")
    return folder


@pytest.fixture
def copy(batch: Path, tmp_path: Path) -> Path:
    """The same batch in another place."""
    return Path(shutil.copytree(batch, tmp_path / "copy"))


def rows(file: h5py.File) -> dict[int, tuple[h5py.Group, int]]:
    """By the number of the task, its group and its row."""
    table = file["tasks"]
    return {
        int(number): (file[f"groups/{group}"], int(row))
        for number, group, row in zip(table["task"][()], table["group"][()], table["row"][()], strict=True)
        if group >= 0
    }


@BOTH
def test_every_task_is_there(copy: Path, name: str) -> None:
    """Read from a folder that has been moved."""
    with h5py.File(copy / name) as file:
        places = rows(file)
        assert sorted(places) == list(range(8)) and len(file["groups"]) == 2
        for task in TASKS:
            group, row = places[task.number]
            flow = load(shard_path(copy, task.id))
            assert np.array_equal(group["u"][row], flow.values)
            assert np.array_equal(group["landscape"][row], flow.landscape.values)
            assert np.array_equal(group["sigma"], flow.sigma)
            assert np.array_equal(group["x1"], flow.grid[0].coordinates)
            assert group["task"][row] == task.number
            assert group["landscape.width"][row] == dict(task.changes)["landscape.width"]
            assert group["evolve.solver"].asstr()[row] == dict(task.changes)["evolve.solver"]


@BOTH
def test_the_root_says_where_the_fields_are(batch: Path, tmp_path: Path, name: str) -> None:
    with h5py.File(batch / name) as file:
        comment = file.attrs["comment"]
        assert "u and landscape in groups/0 to groups/1, one per shape; " in comment
        assert len(file["groups"]) == 2 and "group='groups/0'" in comment
    run({key: SPEC[key] for key in ("landscape", "evolve")}, tmp_path, workers=0)
    with h5py.File(tmp_path / INDEX) as file:
        assert "u and landscape in groups/0; " in file.attrs["comment"]


@BOTH
def test_the_table(batch: Path, name: str) -> None:
    with h5py.File(batch / name) as file:
        table = file["tasks"]
        assert list(table["id"].asstr()) == [task.id for task in TASKS]
        assert set(table["status"].asstr()) == {"done"} and set(table["checks"].asstr()) == {"passed"}
        assert table["landscape.size"][()].tolist() == [dict(task.changes)["landscape.size"] for task in TASKS]


@BOTH
def test_xarray_reads_it(batch: Path, name: str) -> None:
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset(batch / name, group="groups/0", engine="h5netcdf") as data:
        assert data["u"].dims == ("task", "sigma", "x1", "x2") and data["landscape"].dims == ("task", "x1", "x2")
        assert {"task", "sigma", "x1", "x2", "landscape.width"} <= set(data.coords)
        wide = data.where(data["landscape.width"] == 0.3, drop=True)
        assert wide.sizes["task"] == 2 and not bool(wide["u"].isnull().any())
    with xarray.open_dataset(batch / name, group="tasks", engine="h5netcdf") as table:
        assert table["status"].sizes == {"task": 8}


def test_the_merged_file_stands_alone(batch: Path, tmp_path: Path) -> None:
    shutil.copy(batch / "merged.h5", tmp_path)
    with h5py.File(tmp_path / "merged.h5") as file, h5py.File(batch / INDEX) as other:
        for number in ("0", "1"):
            dataset = file[f"groups/{number}/u"]
            assert not dataset.is_virtual and dataset.fletcher32 and other[f"groups/{number}/u"].is_virtual
            assert np.array_equal(dataset, other[f"groups/{number}/u"])
    # the room that was taken for it, and not used, was given back
    assert (tmp_path / "merged.h5").stat().st_size < 300_000


def test_a_shard_that_is_lost_is_nan(copy: Path) -> None:
    shard_path(copy, TASKS[0].id).unlink()
    with h5py.File(copy / INDEX) as file:
        group, row = rows(file)[0]
        assert np.isnan(group["u"][row]).all() and np.isnan(group["landscape"][row]).all()
        assert np.isfinite(group["u"][row + 1]).all()


def test_tasks_that_are_not_done(copy: Path) -> None:
    shard_path(copy, TASKS[0].id).unlink()
    shard_path(copy, TASKS[3].id).write_bytes(b"")
    reasons = {TASKS[3].id: "it was too much", TASKS[4].id: "in an earlier run"}
    build_index(copy, TASKS, reasons)
    with pytest.raises(StoreError, match=r"(?s)2 of 8 tasks have no result\W+got: .*not done, and others.*partial"):
        merge_tasks(copy, TASKS, reasons, copy / "merged.h5", force=True)
    merge_tasks(copy, TASKS, reasons, copy / "merged.h5", force=True, partial=True)
    for name in (INDEX, "merged.h5"):
        with h5py.File(copy / name) as file:
            table = file["tasks"]
            states = table["status"].asstr()[()].tolist()
            assert states == ["missing", "done", "done", "failed", "done", "done", "done", "done"]
            assert table["reason"].asstr()[3] == "it was too much" and table["reason"].asstr()[4] == ""
            assert table["group"][0] == table["row"][0] == table["group"][3] == -1
            assert sorted(rows(file)) == [1, 2, 4, 5, 6, 7]


def test_sigma_and_axes_that_differ(tmp_path: Path) -> None:
    """Tasks of one shape in one group: what differs from task to task has a value for each."""
    spec = {
        "landscape": {"source": "ridge", "size": 16},
        "evolve": {"sigma": [0.3, 0.6]},
        "sweep": {"product": {"evolve.sigma": [[0.3, 0.6], [0.2, 0.5]]}},
    }
    run(spec, tmp_path, workers=0)
    with h5py.File(tmp_path / INDEX) as file:
        group = file["groups/0"]
        assert group["sigma"][()].tolist() == [[0.3, 0.6], [0.2, 0.5]]
        assert group["u"].dims[1].keys() == ["level"]
        assert [json[:4] for json in group["evolve.sigma"].asstr()] == ["[0.3", "[0.2"]
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset(tmp_path / INDEX, group="groups/0", engine="h5netcdf") as data:
        assert data["u"].dims == ("task", "level", "x1", "x2") and data["sigma"].dims == ("task", "level")


def test_landscapes_of_different_boxes_and_sigma_per_axis(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for k in range(2):
        a, b = np.linspace(0.0, 1.0 + k, 9), np.linspace(0.0, 1.0, 8)
        np.savez(tmp_path / f"{k}.npz", values=rng.standard_normal((9, 8)), a=a, b=b)
    spec = {
        "landscape": {"source": str(tmp_path / "0.npz"), "boundary": "clip"},
        "evolve": {"sigma": {"a": [0.1, 0.2], "b": 0.1}},
        "sweep": {"product": {"landscape.source": [str(tmp_path / f"{k}.npz") for k in range(2)]}},
    }
    run(spec, tmp_path / "out", workers=0)
    with h5py.File(tmp_path / "out" / INDEX) as file:
        group = file["groups/0"]
        assert group["a_position"][:, -1].tolist() == [1.0, 2.0] and group["b"][-1] == 1.0
        assert group["sigma"].shape == (2, 2) and group["axis"].asstr()[()].tolist() == ["a", "b"]
        assert group["u"].shape == (2, 2, 9, 8)
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset(tmp_path / "out" / INDEX, group="groups/0", engine="h5netcdf") as data:
        assert data["a_position"].dims == ("task", "a") and data["sigma"].dims == ("level", "axis")


def test_an_axis_of_a_name_that_is_taken(tmp_path: Path) -> None:
    np.savez(tmp_path / "q.npz", values=np.zeros((9, 8)), task=np.arange(9.0), b=np.arange(8.0))
    spec = {"landscape": {"source": str(tmp_path / "q.npz"), "boundary": "clip"}, "evolve": {"sigma": 1.0}}
    with pytest.raises(StoreError, match="axis name"):
        run(spec, tmp_path / "out", workers=0)


def test_large_tasks_are_copied_level_by_level(batch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_BUFFER", 1000)
    merge_tasks(batch, TASKS, {}, tmp_path / "other.h5")
    with h5py.File(tmp_path / "other.h5") as file, h5py.File(batch / "merged.h5") as whole:
        for field in ("u", "landscape"):
            assert np.array_equal(file[f"groups/0/{field}"], whole[f"groups/0/{field}"])


@pytest.mark.parametrize("buffer", [5_000, 12_000, 40_000])
def test_any_number_of_tasks_at_a_time(
    batch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buffer: int
) -> None:
    """Chunks of two tasks of 16 x 16 x 2 points of 8 bytes, and as many of them as fit into the buffer."""
    monkeypatch.setattr(index, "_BUFFER", buffer)
    monkeypatch.setattr(index, "_CHUNK_POINTS", 1024)
    merge_tasks(batch, TASKS, {}, tmp_path / "other.h5")
    with h5py.File(tmp_path / "other.h5") as file, h5py.File(batch / "merged.h5") as whole:
        assert file["groups/0/u"].chunks == (2, 2, 16, 16)
        assert np.array_equal(file["groups/0/u"], whole["groups/0/u"])


COMPACT = {
    "landscape": {"source": "double_pendulum", "size": 128, "horizon": 0.5},
    "evolve": {"sigma": [1.0, 3.0]},
    "sweep": {
        "zip": {"storage.mode": ["full", "compact", "compact"], "landscape.gamma": [0.9, 0.9, 0.95]},
    },
}


def test_compact_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index shows the landscapes of such shards, the merged file also their fields at full resolution."""
    whole, *compact = read_spec(COMPACT).tasks()
    assert run(COMPACT, tmp_path, workers=0).done == 3
    sizes = [shard_path(tmp_path, task.id).stat().st_size for task in (whole, compact[0])]
    assert sizes[1] < 0.75 * sizes[0]
    with h5py.File(tmp_path / INDEX) as file:
        places = rows(file)
        assert places[0][0].name != places[1][0].name == places[2][0].name
        assert "u" in places[0][0] and "u" not in places[1][0] and "merge" in places[1][0].attrs["comment"]
        assert np.array_equal(places[1][0]["landscape"][0], places[0][0]["landscape"][0])
        assert file["tasks"]["status"].asstr()[()].tolist() == ["done"] * 3
    full = load(shard_path(tmp_path, whole.id))
    for buffer in (2**26, 1000):  # several tasks at a time, and level by level
        monkeypatch.setattr(index, "_BUFFER", buffer)
        merge_tasks(tmp_path, [whole, *compact], {}, tmp_path / "merged.h5", force=True)
        with h5py.File(tmp_path / "merged.h5") as file:
            for task in compact:
                group, row = rows(file)[task.number]
                flow = load(shard_path(tmp_path, task.id))
                assert np.array_equal(group["u"][row], flow.values)
                assert np.array_equal(group["landscape"][row], flow.landscape.values)
            group, row = rows(file)[1]
            assert group["u"].shape == (2, 2, 128, 128)
            # the tolerance of compact storage, 1e-10 unless another is given
            assert np.abs(group["u"][row] - full.values).max() <= 1e-10 * full.landscape.oscillation


def test_a_damaged_shard_is_not_merged(copy: Path) -> None:
    path = shard_path(copy, TASKS[5].id)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="corrupted"):
        merge_tasks(copy, TASKS, {}, copy / "new.h5")
    assert not (copy / "new.h5").exists() and temporaries(copy) == []


def test_nothing_to_merge(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nothing to merge"):
        merge_tasks(tmp_path, TASKS, {}, tmp_path / "out.h5")


def test_an_index_that_does_not_lead_there_is_not_published(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (copy / INDEX).read_bytes()
    real = h5py.VirtualSource
    monkeypatch.setattr(h5py, "VirtualSource", lambda path, *a, **k: real("elsewhere/" + path, *a, **k))
    with pytest.raises(StoreError, match="does not reach"):
        build_index(copy, TASKS, {})
    assert (copy / INDEX).read_bytes() == before and temporaries(copy) == []


def tasks_of_index(path: Path) -> list[Task]:
    with h5py.File(path) as file:
        return [TASKS[number] for number in sorted(rows(file))]


@pytest.mark.parametrize("content", [None, b"", b"junk", b"\x89HDF\r\n\x1a\n", 100, -100])
def test_an_index_that_is_gone_or_junk_is_made_again(copy: Path, content: bytes | int | None) -> None:
    """Nothing, other content, or the index with a bit that is wrong."""
    path = copy / INDEX
    before = path.read_bytes()
    path.unlink()
    if isinstance(content, int):
        flipped = bytearray(before)
        flipped[content] ^= 1
        path.write_bytes(flipped)
    elif content is not None:
        path.write_bytes(content)
    assert run(SPEC, copy, workers=0).done == 0
    assert tasks_of_index(path) == list(TASKS)
    # and once only
    made = path.stat().st_ino
    run(SPEC, copy, workers=0)
    assert path.stat().st_ino == made


def test_an_index_that_is_as_it_would_be_is_left_alone(copy: Path) -> None:
    before = (copy / INDEX).stat()
    run(SPEC, copy, workers=0)
    assert ((copy / INDEX).stat().st_ino, (copy / INDEX).stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95])
def test_a_damaged_shard_is_named_and_made_anew(copy: Path, share: float) -> None:
    """Whatever the bit is of: the index is never the culprit."""
    path = shard_path(copy, TASKS[2].id)
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 1
    path.write_bytes(content)
    (copy / INDEX).unlink()
    try:
        run(SPEC, copy, workers=0)
    except StoreError as reason:
        assert TASKS[2].id in str(reason) and "--full" in str(reason) and "cannot write" not in str(reason)
    assert not verify(copy, full=True).passed
    assert run(SPEC, copy, workers=0, full=True).repaired == 1
    assert verify(copy, full=True).passed and tasks_of_index(copy / INDEX) == list(TASKS)


# ----------------------------------------------------------------------------------------------------------------------
# Full disks


@pytest.mark.parametrize("limit", [0, 500, 5_000, 50_000, 150_000])
def test_a_merge_that_does_not_fit(copy: Path, limit: int) -> None:
    """The kernel refuses to give the room, before HDF5 could run out of it, which it does not survive."""
    before = (copy / "merged.h5").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
    try:
        with pytest.raises(ResourceError, match="disk is full"):
            merge_tasks(copy, TASKS, {}, copy / "merged.h5", force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (copy / "merged.h5").read_bytes() == before and temporaries(copy) == []


@pytest.mark.parametrize("step", ["posix_fallocate", "replace", "fsync", "write"])
@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, ResourceError), (errno.EIO, StoreError)])
def test_failures_of_the_disk(
    batch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int, kind: type[Exception]
) -> None:
    def fail(*arguments: Any) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        with pytest.raises(kind):
            merge_tasks(batch, TASKS, {}, tmp_path / "out.h5")
    assert list(tmp_path.iterdir()) == []
