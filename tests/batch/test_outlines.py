"""The index by the journal: it is what it would be if every shard were read, and a shard that has changed is read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from heatpg.batch import index
from heatpg.batch.folder import tasks_in
from heatpg.batch.index import INDEX, build_index
from heatpg.batch.journal import Journal, journal_name, read_journal
from heatpg.batch.outlines import OUTLINE, Outline, known_outlines, outline_event
from heatpg.batch.running import run
from heatpg.batch.shards import Seen, look, publish_shard, shard_path
from heatpg.batch.spec import Task
from heatpg.batch.work import run_task
from heatpg.errors import StoreError
from heatpg.tools.folders import Folder

RIDGES = {
    "landscape": {"source": "ridge", "size": 17},
    "evolve": {"sigma": [0.3, 0.6]},
    "sweep": {"product": {"landscape.width": [0.2, 0.3, 0.4, 0.5]}},
}
STORED = {
    "landscape": {"source": "double_pendulum", "size": 128, "horizon": 0.5},
    "evolve": {"sigma": [1.0, 3.0]},
    "sweep": {"zip": {"storage.mode": ["full", "compact"]}},
}


def files(place: Path) -> dict[str, Any]:
    """Cells, float32, an axis with a unit, one sigma for each axis; and no axis is as long as another."""
    rng = np.random.default_rng(3)
    a, b = np.linspace(0.05, 0.95, 10), np.linspace(-1.0, 1.0, 8)
    np.savez(place / "q.npz", values=rng.standard_normal((10, 8)).astype(np.float32), a=a, b=b)
    return {
        "landscape": {"source": str(place / "q.npz"), "boundary": "reflect", "nodes": "cell"},
        "evolve": {"sigma": {"a": [0.1, 0.2], "b": 0.3}},
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outlines") / "batch"
    run(RIDGES, folder, workers=0)
    return folder


@pytest.fixture
def batch(made: Path, tmp_path: Path) -> Path:
    """The same batch, times of its files included, in another place."""
    return Path(shutil.copytree(made, tmp_path / "batch"))


def tasks_of(folder: Path) -> tuple[Task, ...]:
    with Folder(folder) as place:
        return tasks_in(place)[1]


def contents(path: Path) -> dict[str, Any]:
    """All that an index says, but for the time at which it was made, which HDF5 keeps with its groups."""
    found: dict[str, Any] = {}

    def note(name: str, thing: Any) -> None:
        # the lists of dimensions are references; the scales that they lead to are named instead
        texts = {key: str(value) for key, value in thing.attrs.items() if not key.endswith("_LIST")}
        if isinstance(thing, h5py.Group):
            found[name] = texts
            return
        sources = (
            [(s.file_name, s.dset_name, s.vspace.get_select_bounds()) for s in thing.virtual_sources()]
            if thing.is_virtual
            else []
        )
        values = np.asarray(thing[()])
        found[name] = texts, sources, [dimension.keys() for dimension in thing.dims], values.dtype, values.tolist()

    with h5py.File(path) as file:
        note("/", file)
        file.visititems(note)
    return found


def rebuilt(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], list[int]]:
    """The index made anew, and the numbers of the tasks whose shards were opened for it."""
    opened: list[int] = []
    real = index._row

    def row(place: Folder, task: Task) -> Any:
        opened.append(task.number)
        return real(place, task)

    with monkeypatch.context() as patch:
        patch.setattr(index, "_row", row)
        (folder / INDEX).unlink(missing_ok=True)
        build_index(folder, tasks_of(folder), {})
    return contents(folder / INDEX), opened


def events_of(folder: Path) -> list[dict[str, Any]]:
    return list(read_journal(folder))


def write(folder: Path, events: list[dict[str, Any]]) -> None:
    """A journal of these events and no others."""
    (folder / "journal.jsonl").unlink(missing_ok=True)
    with Folder(folder) as place, Journal(place, journal_name(None)) as journal:
        journal.append(*events)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", ["ridges", "stored", "files"])
def test_the_index_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, workers: int) -> None:
    spec = RIDGES if kind == "ridges" else STORED if kind == "stored" else files(tmp_path)
    folder = tmp_path / "out"
    total = run(spec, folder, workers=workers).done
    told, opened = rebuilt(folder, monkeypatch)
    assert opened == []
    (folder / "journal.jsonl").unlink()
    read, opened = rebuilt(folder, monkeypatch)
    assert opened == list(range(total)) and told == read


def test_shares_tell_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(3):
        run(RIDGES, tmp_path, workers=0, shard=(i, 3))
    assert rebuilt(tmp_path, monkeypatch)[1] == []


def test_an_outline_is_written_once(batch: Path) -> None:
    events = events_of(batch)
    (outline,) = [event for event in events if event["event"] == OUTLINE]
    done = [event for event in events if event["event"] == "done"]
    assert len(done) == 4 and {event[OUTLINE] for event in done} == {outline["name"]}


def touch(path: Path) -> None:
    state = path.stat()
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))


def replace(path: Path) -> None:
    """As another version of heatpg might write the same task: of the same length and time, but not the same bytes."""
    state = path.stat()
    publish_shard(path.read_bytes()[:-84], path.parents[2], path.stem, sha256=64 * "1")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


@pytest.mark.parametrize("change", [touch, replace])
def test_a_shard_that_is_not_the_one_that_was_written_is_read(
    batch: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    before, _ = rebuilt(batch, monkeypatch)
    change(shard_path(batch, tasks_of(batch)[2].id))
    assert rebuilt(batch, monkeypatch) == (before, [2])


def test_a_longer_shard_of_the_same_sum_and_time_is_another(batch: Path) -> None:
    """Length, sum and time count each for itself."""
    with Folder(batch) as place:
        known = known_outlines(place)
        seen = look(place, tasks_of(batch)[0].id)
    assert isinstance(seen, Seen) and seen in known
    for other in (
        seen._replace(task=64 * "0"),
        seen._replace(sha256=64 * "0"),
        seen._replace(length=seen.length + 1),
        seen._replace(modified=seen.modified + 1),
    ):
        assert other not in known


@pytest.mark.parametrize("damage", ["removed", "cut", "empty"])
def test_a_shard_that_is_gone_or_cut_is_not_shown(batch: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    path = shard_path(batch, tasks_of(batch)[1].id)
    content = path.read_bytes()
    path.unlink()
    if damage != "removed":
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    assert rebuilt(batch, monkeypatch)[1] == []
    with h5py.File(batch / INDEX) as file:
        assert file["tasks/status"].asstr()[()].tolist() == ["done", "missing", "done", "done"]
        assert file["groups/0/task"][()].tolist() == [0, 2, 3]


def test_a_repaired_shard_is_told_anew(batch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, _ = rebuilt(batch, monkeypatch)
    shard_path(batch, tasks_of(batch)[1].id).write_bytes(b"")
    assert run(RIDGES, batch, workers=0).repaired == 1
    assert rebuilt(batch, monkeypatch) == (before, [])


def torn(event: dict[str, Any]) -> None:
    """No line at all."""
    event.clear()


def changed(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda event: event.update({key: value})


def reshaped(event: dict[str, Any]) -> None:
    """What another version might write under a name that is right for it."""
    event.update(outline_event(event[OUTLINE] | {"shape": [2, 17, 18]}))


def extended(event: dict[str, Any]) -> None:
    event.update(outline_event(event[OUTLINE] | {"more": 1}))


def renumbered(event: dict[str, Any]) -> None:
    """Other noise levels under the name of those that were."""
    event[OUTLINE]["sigma"] = [0.3, 0.7]


@pytest.mark.parametrize(
    ("which", "change", "read"),
    [
        (OUTLINE, renumbered, [0, 1, 2, 3]),
        (OUTLINE, torn, [0, 1, 2, 3]),
        (OUTLINE, reshaped, [0, 1, 2, 3]),
        (OUTLINE, extended, [0, 1, 2, 3]),
        (OUTLINE, changed("name", 64 * "0"), [0, 1, 2, 3]),
        (OUTLINE, changed(OUTLINE, 3), [0, 1, 2, 3]),
        ("done", torn, [0]),
        ("done", changed(OUTLINE, 64 * "0"), [0]),
        ("done", changed(OUTLINE, [1]), [0]),
        ("done", changed("sha256", None), [0]),
        ("done", changed("modified", [3]), [0]),
        ("done", changed("bytes", "12"), [0]),
    ],
)
def test_a_journal_that_lacks_something(
    batch: Path, monkeypatch: pytest.MonkeyPatch, which: str, change: Callable[[dict[str, Any]], None], read: list[int]
) -> None:
    before, _ = rebuilt(batch, monkeypatch)
    events = events_of(batch)
    change(next(event for event in events if event["event"] == which))
    write(batch, [event for event in events if event])
    assert rebuilt(batch, monkeypatch) == (before, read)


def test_a_line_with_a_wrong_bit(batch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, _ = rebuilt(batch, monkeypatch)
    content = (batch / "journal.jsonl").read_bytes()
    for key, read in ((b'"shape"', [0, 1, 2, 3]), (b'"modified"', [0])):
        flipped = bytearray(content)
        flipped[content.index(key) + len(key) + 4] ^= 1
        (batch / "journal.jsonl").write_bytes(flipped)
        assert rebuilt(batch, monkeypatch) == (before, read)


def test_verdicts_are_kept(batch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = events_of(batch)
    next(event for event in events if event["event"] == "done")["failures"] = ["maximum principle"]
    write(batch, events)
    assert rebuilt(batch, monkeypatch)[1] == []
    with h5py.File(batch / INDEX) as file:
        assert file["tasks/checks"].asstr()[()].tolist() == ["failed", "passed", "passed", "passed"]


def test_what_another_run_has_replaced_meanwhile_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the answer of a worker and the look at its shard."""
    from heatpg.batch import work

    real = work.complete

    def complete(resolved: Any, folder: Any) -> dict[str, Any]:
        facts = real(resolved, folder)
        replace(shard_path(tmp_path, facts["task"]))
        return facts

    monkeypatch.setattr(work, "complete", complete)
    run(RIDGES, tmp_path, workers=0)
    assert not any(OUTLINE in event for event in events_of(tmp_path))
    assert rebuilt(tmp_path, monkeypatch)[1] == [0, 1, 2, 3]


@pytest.mark.parametrize("fault", ["another task", "another field", "in part"])
def test_a_row_from_elsewhere_is_seen_in_the_index_itself(
    batch: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Also of shards that are not read through it: only the first is, here."""
    monkeypatch.setattr(index, "_PROBES", 1)
    before = (batch / INDEX).read_bytes()
    tasks = tasks_of(batch)
    real = h5py.VirtualSource

    def source(path: str, name: str, **keywords: Any) -> Any:
        if tasks[2].id not in path:
            return real(path, name, **keywords)
        if fault == "in part":
            whole = real(path, name, **(keywords | {"shape": (*keywords["shape"][:-1], 20)}))
            return whole[..., :17]
        other = path.replace(tasks[2].id[:2], tasks[1].id[:2], 1).replace(tasks[2].id, tasks[1].id)
        return real(other, name, **keywords) if fault == "another task" else real(path, "landscape", **keywords)

    monkeypatch.setattr(h5py, "VirtualSource", source)
    with pytest.raises(StoreError, match="does not reach"):
        build_index(batch, tasks, {})
    assert (batch / INDEX).read_bytes() == before


def test_an_outline_is_what_it_was(tmp_path: Path) -> None:
    spec = files(tmp_path)
    run(spec, tmp_path / "out", workers=0)
    (task,) = tasks_of(tmp_path / "out")
    given = run_task(task.resolved)[1][OUTLINE]
    outline = Outline.from_dict(json.loads(json.dumps(given)))
    assert outline.as_dict() == given
    assert (outline.shape, outline.dtype, outline.lead, outline.axes) == ((2, 10, 8), "float32", "level", ["a", "b"])
    with h5py.File(shard_path(tmp_path / "out", task.id)) as file:
        assert np.array_equal(outline.sigma, file["sigma"])
        for name, positions in zip(outline.axes, outline.positions, strict=True):
            assert np.array_equal(positions, file[name])


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [2, 10]},
        {"shape": [3, 10, 8]},
        {"shape": "2"},
        {"dtype": "number"},
        {"sigma": [[0.1, "a"], [0.2, 0.3]]},
        {"grid": []},
        {"grid": [{}, {}]},
        {"compact": 1},
        {"more": 0},
    ],
)
def test_what_is_no_outline(tmp_path: Path, change: dict[str, Any]) -> None:
    spec = files(tmp_path)
    run(spec, tmp_path / "out", workers=0)
    (event,) = [each for each in read_journal(tmp_path / "out") if each["event"] == OUTLINE]
    with pytest.raises(ValueError, match="not an outline"):
        Outline.from_dict(event[OUTLINE] | change)
