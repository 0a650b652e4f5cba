"""All shards of a batch as if they were one file: by reference (`build_index`), or by value (`merge`).

Both have the same layout: a table of all tasks in ``/tasks``, and in ``/groups/0``, ``/groups/1``, ... the fields of
those that are done, tasks of one shape together. Both are derived from the shards, and can be made again at any time.
The fields of shards in compact storage have no full resolution that could be referred to: they are in the merged file,
and the index shows what else there is of them.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import itertools
import json
import math
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from heatpg.batch.folder import INDEX
from heatpg.batch.outlines import Outline, known_outlines
from heatpg.batch.shards import Seen, inspect, look, seal, shard_name, shard_path, temporary_name
from heatpg.batch.spec import Task
from heatpg.errors import ResourceError, StoreError
from heatpg.evolution import load
from heatpg.store.record import INDEX_SCHEMA, REPORT, SPEC
from heatpg.tools.folders import Folder, held
from heatpg.tools.plain import json_like
from heatpg.tools.publishing import prepare_output, publish_within, sync_folder
from heatpg.tools.resources import human_bytes, require_disk
from heatpg.version import __version__

__all__ = ["INDEX", "build_index", "index_identity", "merge_tasks"]

StrPath = str | os.PathLike[str]

_SCHEMA = "1"  # of the layout of index and merged file, for readers
_FIELDS = ("u", "landscape")
# Taste: half a MiB of doubles, in the plane a square of 256 nodes.
_CHUNK_POINTS = 2**16
_CHUNK_SIDE = 256
_BUFFER = 2**26  # bytes of small tasks that are written together; taste
_MARGIN = 2**22  # bytes; tables, scales, attributes, estimated from above
_LIBVER = ("v110", "v110")  # older files have no virtual datasets
_PROBES = 16  # shards of a group that are read through a new index although the journal tells of them; taste
_CHARGE = 64  # bytes that the index of the chunks takes for one of them, rather more than less

Array = NDArray[Any]


@dataclasses.dataclass(frozen=True)
class _Row:
    """What is known of a shard without its fields."""

    task: Task
    outline: Outline
    passed: bool
    known: bool  # from the journal; the shard has not been opened


def _row(folder: Folder, task: Task) -> _Row:
    # locking=False here and below: a shard is never written again, and not every network disk has locks
    path = shard_path(folder.path, task.id)
    try:
        with h5py.File(path, "r", locking=False) as file:
            landscape, sigma = file["landscape"], np.asarray(file["sigma"][()])
            grid = tuple(json.loads(_text(file, SPEC))["grid"])
            outline = Outline(
                (len(sigma), *landscape.shape),
                str(landscape.dtype),
                sigma,
                grid,
                tuple(np.asarray(file[axis["name"]][()]) for axis in grid),
                "u" not in file,
            )
            return _Row(task, outline, bool(json.loads(_text(file, REPORT))["passed"]), known=False)
    except (OSError, RuntimeError, ValueError, LookupError, TypeError) as reason:
        folder.require_in_place()
        raise _unusable(folder, task, reason) from reason


def _unusable(folder: Folder, task: Task, what: object) -> StoreError:
    return StoreError(
        f"the result file {shard_name(task.id)} is corrupted",
        given=f"{task.describe()}: {what}",
        advice=f"to recompute all corrupted files run: heatpg batch run {folder} --full",
    )


def _text(file: h5py.File, name: str) -> str:
    return str(file.attrs[name] if name in file.attrs else file[name].asstr()[()])


def _groups(folder: Folder, tasks: Sequence[Task]) -> list[list[_Row]]:
    """The tasks that have a shard, those of one shape together, in the order of the batch."""
    # the seal is enough here: `merge` looks at every byte later, and the index only refers to the shards
    kinds: dict[tuple[object, ...], list[_Row]] = {}
    known = known_outlines(folder)
    for task in tasks:
        seen = look(folder, task.id)
        if isinstance(seen, Seen):
            row = _Row(task, *known[seen], known=True) if seen in known else _row(folder, task)
            kinds.setdefault(row.outline.kind, []).append(row)
    return list(kinds.values())


def _column(file: h5py.Group, name: str, values: Sequence[Any], scale: h5py.Dataset, label: str = "") -> None:
    """A variable of one value for each task: numbers where all of them are, text otherwise."""
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        data: Any = np.array(values, dtype=np.int64)
    elif all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        data = np.array(values, dtype=np.float64)
    else:
        data = [value if isinstance(value, str) else json.dumps(json_like(value)) for value in values]
    column = file.create_dataset(name, data=data, dtype=h5py.string_dtype() if isinstance(data, list) else None)
    column.dims[0].attach_scale(scale)
    if label:
        column.attrs["long_name"] = label


def _scale(group: h5py.Group, name: str, values: Array, label: str, unit: str = "") -> h5py.Dataset:
    scale = group.create_dataset(name, data=values)
    scale.make_scale(name)
    scale.attrs["long_name"] = label
    if unit:
        scale.attrs["units"] = unit
    return scale


def _parameters(tasks: Sequence[Task]) -> dict[str, list[Any]]:
    """What is varied, and its value in each task; None where a task does not change it."""
    changes = [dict(task.changes) for task in tasks]
    names = dict.fromkeys(itertools.chain.from_iterable(changes))
    # a slash would make a group
    return {name.replace("/", "_"): [change.get(name) for change in changes] for name in names}


def _write_table(
    file: h5py.File, tasks: Sequence[Task], groups: Sequence[Sequence[_Row]], failures: Mapping[str, str]
) -> None:
    """One line for each task of the batch: what it is, and what became of it."""
    # all tasks of the batch, also those without a shard, in the order of their numbers
    place = {row.task.id: (k, i, row.passed) for k, rows in enumerate(groups) for i, row in enumerate(rows)}
    table = file.create_group("tasks")
    scale = _scale(table, "task", np.array([task.number for task in tasks], dtype=np.int64), "number of the task")
    states = ["done" if t.id in place else "failed" if t.id in failures else "missing" for t in tasks]
    passed = [place[t.id][2] if t.id in place else False for t in tasks]
    for name, values, label in (
        ("id", [task.id for task in tasks], "SHA-256 of the resolved specification"),
        ("status", states, "done, failed or missing"),
        (
            "checks",
            ["" if s != "done" else "passed" if p else "failed" for s, p in zip(states, passed, strict=True)],
            "",
        ),
        ("reason", [failures.get(task.id, "") if task.id not in place else "" for task in tasks], "why it failed"),
        ("group", [place[t.id][0] if t.id in place else -1 for t in tasks], "number of its group, or -1"),
        ("row", [place[t.id][1] if t.id in place else -1 for t in tasks], "place in its group, or -1"),
    ):
        _column(table, name, values, scale, label)
    for name, values in _parameters(tasks).items():
        _column(table, name, values, scale)


def _alike(arrays: Iterable[Array]) -> bool:
    first, *rest = arrays
    # most often it is one and the same array
    return all(other is first or np.array_equal(first, other) for other in rest)


def _write_scales(group: h5py.Group, rows: Sequence[_Row]) -> list[h5py.Dataset]:
    """What the dimensions of the fields mean: task, sigma or level, batch, axes.

    What is the same in all tasks is a scale; what is not has a dimension of its own numbers, and a value per task.
    """
    first = rows[0].outline
    dimensions = len(first.grid)
    batch = first.shape[1 : len(first.shape) - dimensions]
    # an axis becomes a scale under its own name, which must not be one of ours
    taken = {"task", "sigma", "level", "axis", *_FIELDS, *_parameters([row.task for row in rows])}
    clash = sorted(taken.intersection(first.axes))
    if clash:
        raise StoreError("this axis name is reserved by the index", given=", ".join(clash), advice="rename the axis")
    numbers = np.array([row.task.number for row in rows], dtype=np.int64)
    task = _scale(group, "task", numbers, "number of the task")
    scales = [task]
    label = "standard deviation of the exploration noise"
    same = _alike(row.outline.sigma for row in rows)
    if same and first.lead == "sigma":
        scales.append(_scale(group, "sigma", first.sigma, label))
    else:
        scales.append(_scale(group, "level", np.arange(first.shape[0]), "number of the noise level"))
        stacked = first.sigma if same else np.stack([row.outline.sigma for row in rows])
        sigma = group.create_dataset("sigma", data=stacked)
        sigma.attrs["long_name"] = label
        of = [] if same else [task]
        of.append(scales[1])
        if first.lead == "level":
            names = group.create_dataset("axis", data=first.axes, dtype=h5py.string_dtype())
            names.make_scale("axis")
            of.append(names)
        for dimension, scale in zip(sigma.dims, of, strict=True):
            dimension.attach_scale(scale)
    # batch axes have no coordinates in a file of heatpg, and get their numbers
    for i, size in enumerate(batch):
        scales.append(_scale(group, f"batch{i + 1}", np.arange(size), "number in the batch"))
    for i, axis in enumerate(first.grid):
        name, unit = str(axis["name"]), str(axis.get("unit", ""))
        if _alike(row.outline.positions[i] for row in rows):
            scales.append(_scale(group, name, first.positions[i], name, unit))
            continue
        scales.append(_scale(group, name, np.arange(len(first.positions[i])), f"number of the node along {name}"))
        positions = group.create_dataset(f"{name}_position", data=np.stack([row.outline.positions[i] for row in rows]))
        positions.attrs["long_name"] = f"position of the node along {name}"
        for dimension, scale in zip(positions.dims, (task, scales[-1]), strict=True):
            dimension.attach_scale(scale)
    for name, values in _parameters([row.task for row in rows]).items():
        _column(group, name, values, task)
    return scales


def _shown(rows: Sequence[_Row]) -> tuple[str, ...]:
    """The fields that an index can show: those that lie in the shards as they are."""
    return tuple(field for field in _FIELDS if not (rows[0].outline.compact and field == "u"))


def _shape(row: _Row, field: str) -> tuple[int, ...]:
    return row.outline.shape if field == "u" else row.outline.shape[1:]


def _describe(dataset: h5py.Dataset, field: str, scales: Sequence[h5py.Dataset], parameters: Iterable[str]) -> None:
    dataset.attrs["long_name"] = (
        "expected value under exploration noise, E[Q(mu + sigma Z)]"
        if field == "u"
        else "action value Q, without noise"
    )
    used = scales if field == "u" else [scales[0], *scales[2:]]
    for dimension, scale in zip(dataset.dims, used, strict=True):
        dimension.attach_scale(scale)
    names = [name for name in parameters if " " not in name]
    if names:
        dataset.attrs["coordinates"] = " ".join(names)


def _write_head(file: h5py.File, title: str, groups: int) -> None:
    file.attrs["Conventions"] = "CF-1.11"
    file.attrs["title"] = title
    file.attrs["source"] = f"heatpg {__version__}"
    # whoever opens the root sees no variables, and is told where they are
    where = "groups/0" if groups == 1 else f"groups/0 to groups/{groups - 1}, one per shape"
    fields = f"; u and landscape in {where}; in xarray: open_dataset(path, group='groups/0')" if groups else ""
    file.attrs["comment"] = f"a table of all tasks in tasks{fields}"
    file.attrs[INDEX_SCHEMA] = _SCHEMA


def _index_image(groups: Sequence[Sequence[_Row]], tasks: Sequence[Task], failures: Mapping[str, str]) -> bytes:
    # made in memory and published as a whole: a run that is killed here leaves the old index, or none
    unused = os.path.join(tempfile.gettempdir(), f"heatpg-{secrets.token_hex(8)}")  # HDF5 wants a name
    with h5py.File(unused, "w", driver="core", backing_store=False, libver=_LIBVER) as file:
        _write_head(file, "index of a batch; the fields lie in shards/", len(groups))
        _write_table(file, tasks, groups, failures)
        for number, rows in enumerate(groups):
            group = file.create_group(f"groups/{number}")
            scales = _write_scales(group, rows)
            parameters = _parameters([row.task for row in rows])
            if rows[0].outline.compact:
                group.attrs["comment"] = "u is in compact storage: heatpg.load reads a shard, heatpg batch merge all"
            for field in _shown(rows):
                shape = _shape(rows[0], field)
                layout = h5py.VirtualLayout((len(rows), *shape), dtype=rows[0].outline.dtype)
                for i, row in enumerate(rows):
                    # relative to the index, with the same separators everywhere
                    source = shard_name(row.task.id)
                    layout[i] = h5py.VirtualSource(source, field, shape=shape, dtype=row.outline.dtype)
                # a source that has gone is read as this, without an error
                dataset = group.create_virtual_dataset(field, layout, fillvalue=math.nan)
                _describe(dataset, field, scales, parameters)
        file.flush()
        return bytes(file.id.get_file_image())


def _leads(dataset: h5py.Dataset, field: str, rows: Sequence[_Row]) -> bool:
    """Whether an index, as it was written, takes each row from all of the field in the shard of its task."""
    shape = _shape(rows[0], field)
    plan = dataset.id.get_create_plist()
    if dataset.shape != (len(rows), *shape) or plan.get_virtual_count() != len(rows):
        return False
    starts, ends = tuple(0 for _ in shape), tuple(size - 1 for size in shape)
    points = math.prod(shape)

    def leads(i: int, row: _Row) -> bool:
        target = plan.get_virtual_vspace(i)
        return bool(
            plan.get_virtual_filename(i) == shard_name(row.task.id)
            and plan.get_virtual_dsetname(i) == field
            and plan.get_virtual_srcspace(i).get_select_type() == h5py.h5s.SEL_ALL
            and target.get_select_bounds() == ((i, *starts), (i, *ends))
            and target.get_select_npoints() == points
        )

    return all(itertools.starmap(leads, enumerate(rows)))


def _probed(rows: Sequence[_Row]) -> list[int]:
    """The shards from which a value is read through the index: all of which the journal does not tell, some others."""
    some = set(range(0, len(rows), -(-len(rows) // _PROBES)))
    probed = sorted(some.union(i for i, row in enumerate(rows) if not row.known))
    # HDF5 takes long to join many single rows, and reads all of them at once faster
    return probed if len(probed) <= 4 * _PROBES else list(range(len(rows)))


def _check_index(path: Path, folder: Folder, groups: Sequence[Sequence[_Row]]) -> None:
    """Every source is found from the index, and gives numbers of the right shape.

    Where each row comes from is read back from the index. A shard of which the journal tells is the very file that was
    written, with this field in this shape in it; of some of these, and of every other one, a value is read as well.
    """
    for number, rows in enumerate(groups):
        probed = _probed(rows)
        for field in _shown(rows):
            try:
                # what HDF5 cannot find gives the fill value, NaN, and no error
                with h5py.File(path, "r", locking=False) as file:
                    dataset = file[f"groups/{number}/{field}"]
                    leads = _leads(dataset, field, rows)
                    chosen = probed if len(probed) < len(rows) else slice(None)
                    corner = dataset[(chosen, *(0 for _ in dataset.shape[1:]))]
            except (OSError, RuntimeError, LookupError) as reason:
                _refuse_damaged(folder, rows)
                raise StoreError(f"the index does not reach /{field} of every result file", given=reason) from reason
            lost = [rows[i] for i, value in zip(probed, corner, strict=True) if not np.isfinite(value)]
            if not leads or lost:
                _refuse_damaged(folder, lost)
                what = lost[0].task.describe() if lost else f"group {number}"
                raise StoreError(f"the index does not reach /{field} of every result file", given=what)


def _refuse_damaged(folder: Folder, rows: Iterable[_Row]) -> None:
    """Name the shard that cannot be read, if there is one."""
    folder.require_in_place()
    for row in rows:
        problem = inspect(folder, row.task.id, full=True)
        if problem:
            raise _unusable(folder, row.task, problem)


def index_identity(tasks: Sequence[Task], failures: Mapping[str, str], done: Set[str]) -> str:
    """What an index shows, as 64 hexadecimal digits for its seal: the tasks of the batch and the state of each."""
    lines = [_SCHEMA, *(f"{task.id} {'done' if task.id in done else failures.get(task.id)}" for task in tasks)]
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()


def build_index(folder: Folder | StrPath, tasks: Sequence[Task], failures: Mapping[str, str]) -> Path:
    """Write ``index.h5``: virtual datasets over the shards, and a table of all tasks.

    The paths in it are relative, so the folder can be moved as a whole. What lies behind a shard that is lost later is
    NaN. The index is verified before it gets its name, and ends with a trailer as a result file does, with its
    `index_identity`.

    Parameters
    ----------
    folder
        The folder of the batch.
    tasks
        All of its tasks.
    failures
        Reasons of those that failed, by identity.

    Returns
    -------
    path
        Where the index is.

    Raises
    ------
    ResourceError
        If the disk is full.
    StoreError
        If a shard cannot be read through it, which is named if it is damaged; or if the index cannot be written.
    """
    with held(folder) as place:
        groups = _groups(place, tasks)
        image = _index_image(groups, tasks, failures)
        done = {row.task.id for rows in groups for row in rows}
        if place.kind(INDEX):
            os.close(place.open(INDEX))  # what is no file is not replaced by one
        return publish_within(
            place,
            INDEX,
            image,
            ending=seal(image, index_identity(tasks, failures, done)),
            temporary=temporary_name(INDEX),
            check=lambda path: _check_index(path, place, groups),
        )


def _chunks(shape: Sequence[int], dimensions: int) -> tuple[int, ...]:
    """Up to 65536 points, 256 or fewer along the axes of the grid, the last dimensions first."""
    # from the last dimension on, which lies together on the disk; what is left of the room goes to the ones before
    room = _CHUNK_POINTS
    chunks: list[int] = []
    for i, size in enumerate(reversed(shape)):
        side = _CHUNK_SIDE if i < dimensions and dimensions > 1 else _CHUNK_POINTS
        chunks.insert(0, max(1, min(size, side, room)))
        room //= chunks[0]
    return tuple(chunks)


def _expected_size(groups: Sequence[Sequence[_Row]], tasks: int) -> int:
    total = _MARGIN + 4096 * tasks
    for rows in groups:
        for field in _FIELDS:
            shape = (len(rows), *_shape(rows[0], field))
            chunks = _chunks(shape, len(rows[0].outline.grid))
            count = math.prod(-(-size // chunk) for size, chunk in zip(shape, chunks, strict=True))
            total += count * (math.prod(chunks) * np.dtype(rows[0].outline.dtype).itemsize + _CHARGE)
    return total


def _blank(path: Path, size: int) -> None:
    """A file of HDF5 with nothing in it, and the room for what will be.

    HDF5 does not survive a full disk, so the disk has to give the room before HDF5 is let to write.
    """
    unused = os.path.join(tempfile.gettempdir(), f"heatpg-{secrets.token_hex(8)}")
    with h5py.File(unused, "w", driver="core", backing_store=False, libver=("v108", "v110")) as file:
        file.flush()
        start = bytes(file.id.get_file_image())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        os.write(descriptor, start)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
    finally:
        os.close(descriptor)


def _sources(folder: Folder, rows: Sequence[_Row]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The fields of the shards one after another, each after every byte of it has been checked."""
    for i, row in enumerate(rows):
        path = shard_path(folder.path, row.task.id)
        problem = inspect(folder, row.task.id, full=True)
        if problem:
            folder.require_in_place()
            raise _unusable(folder, row.task, problem)
        # a compact shard is raised to its full grid again, for which its reader in heatpg is needed
        if row.outline.compact:
            flow = load(path)
            yield i, {"u": flow.values, "landscape": flow.landscape.values}
            continue
        with h5py.File(path, "r", locking=False) as file:
            yield i, {field: file[field] for field in _FIELDS}


def _copy(group: h5py.Group, folder: Folder, rows: Sequence[_Row]) -> None:
    """Fill the fields of a group: several small tasks at a time, or one level of a large one."""
    # A chunk has one checksum, so tasks that share a chunk are written in one go: as many as fill whole chunks, and as
    # many of those as fit into the buffer.
    targets = {field: group[field] for field in _FIELDS}
    together = targets["u"].chunks[0]
    size = math.prod(rows[0].outline.shape) * targets["u"].dtype.itemsize
    together *= max(1, _BUFFER // (size * together))
    small = size <= _BUFFER
    held: dict[str, list[Array]] = {field: [] for field in _FIELDS}

    def flush(end: int) -> None:
        for field, values in held.items():
            if values:
                targets[field][end - len(values) : end] = np.stack(values)
                values.clear()

    for i, fields in _sources(folder, rows):
        if small:
            for field in _FIELDS:
                held[field].append(np.asarray(fields[field][()]))
            if len(held["u"]) == together:
                flush(i + 1)
        else:
            targets["landscape"][i] = fields["landscape"][()]
            for k in range(rows[0].outline.shape[0]):
                targets["u"][i, k] = fields["u"][k]
    flush(len(rows))


def _fill(
    file: h5py.File,
    folder: Folder,
    groups: Sequence[Sequence[_Row]],
    tasks: Sequence[Task],
    failures: Mapping[str, str],
) -> None:
    _write_head(file, "results of a batch", len(groups))
    _write_table(file, tasks, groups, failures)
    for number, rows in enumerate(groups):
        group = file.create_group(f"groups/{number}")
        scales = _write_scales(group, rows)
        parameters = _parameters([row.task for row in rows])
        for field in _FIELDS:
            shape = (len(rows), *_shape(rows[0], field))
            dataset = group.create_dataset(
                field, shape, rows[0].outline.dtype, chunks=_chunks(shape, len(rows[0].outline.grid)), fletcher32=True
            )
            _describe(dataset, field, scales, parameters)
        _copy(group, folder, rows)


def _left_out(folder: Folder, tasks: Sequence[Task], done: Set[str], failures: Mapping[str, str]) -> list[str]:
    """The tasks that have no sound result, each with the reason."""
    return [
        f"{task.describe()}: "
        f"{failures.get(task.id) or inspect(folder, task.id).replace('it does not exist', 'not done')}"
        for task in tasks
        if task.id not in done
    ]


def merge_tasks(
    folder: Folder | StrPath,
    tasks: Sequence[Task],
    failures: Mapping[str, str],
    out: StrPath,
    *,
    force: bool = False,
    partial: bool = False,
) -> Path:
    """Write the fields of all tasks that are done into one plain file.

    The shards are verified byte by byte and copied one after another, so this takes the memory of one result
    file, at full resolution, or 64 MiB. The room on the disk is taken before anything is written. See
    `heatpg.batch.merge`.
    """
    # Not in memory, as everything else that is published: a merged file is as large as the batch. It is written into a
    # file of its own name beside the target, whose room is taken first, and gets its name when it is whole.
    target = prepare_output(out, force=force)
    with held(folder) as source:
        groups = _groups(source, tasks)
        if not groups:
            raise StoreError(
                "there is nothing to merge",
                given=f"no task of {source} is done",
                advice="run the batch first; heatpg batch status shows its progress",
            )
        missing = _left_out(source, tasks, {row.task.id for rows in groups for row in rows}, failures)
        if missing and not partial:
            raise StoreError(
                f"{len(missing)} of {len(tasks)} tasks have no result",
                given=f"{missing[0]}{', and others' if len(missing) > 1 else ''}",
                advice="rerun the batch, or merge the existing results with --partial (partial=True)",
            )
        size = _expected_size(groups, len(tasks))
        require_disk(size, target.parent, target.name)
        place = target.parent / temporary_name(target.name)
        place.unlink(missing_ok=True)
        try:
            _blank(place, size)
            with h5py.File(place, "r+", libver=("v108", "v110"), locking=False) as file:
                _fill(file, source, groups, tasks, failures)
            with open(place, "r+b") as stream:
                os.fsync(stream.fileno())
            prepare_output(target, force=force)  # somebody may have put a file there meanwhile
            os.replace(place, target)
            sync_folder(target.parent)
        except OSError as reason:
            if reason.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise ResourceError(
                    f"the disk is full: {target.name} was not written",
                    given=f"about {human_bytes(size)} into {target.parent}",
                    advice="free some space, or write elsewhere",
                ) from reason
            raise StoreError(f"cannot write {target.name}", given=reason, advice="write elsewhere") from reason
        finally:
            place.unlink(missing_ok=True)
    return target
