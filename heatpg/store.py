"""One evolution, one HDF5 file: written as a whole or not at all, and believed only after it has been checked.

The file opens as it is in xarray, ncdump, h5dump, HDF5 viewers (NXdata) and ParaView (VTKHDF). Its bytes are made in
memory and then written by us, because HDF5 itself neither survives a full disk nor leaves a readable file when the
process is killed.
"""

from __future__ import annotations

import dataclasses
import datetime
import errno
import hashlib
import importlib.metadata
import json
import math
import os
import platform
import secrets
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from heatpg import __version__
from heatpg.errors import HeatpgError, ResourceError, StoreError, UnsupportedError
from heatpg.evolution import Evolution, parse_covariance
from heatpg.grid import Axis, Grid
from heatpg.landscape import Landscape
from heatpg.parallel import threads
from heatpg.report import Check, Report
from heatpg.resources import require_disk, require_memory
from heatpg.solvers import make

__all__ = ["SCHEMA", "json_like", "load", "prepare_output", "publish", "save", "verify_file"]

Array = NDArray[Any]
StrPath = str | os.PathLike[str]

SCHEMA = 1
_REFERENCE = (
    "T. Wang, S. Herbert, S. Gao: Mollification Effects of Policy Gradient Methods, ICML 2024, arXiv:2405.17832"
)
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_CHUNK_POINTS = 2**16
_CHUNK_SIDE = 256
_LARGEST_CHUNK = 2**26  # bytes; ours have half a mebibyte
_LARGEST_ATTRIBUTE = 2**15  # bytes; old formats end at 64 kiB
_MOST_OBJECTS = 10_000
_OVERHEAD = 2**20  # bytes; attributes, scales, and the index of the chunks of a small file
_WRITE_PIECE = 2**24  # bytes; between two pieces an interrupt is seen
_JSON_PARTS = ("heatpg_spec", "heatpg_run", "heatpg_report", "heatpg_environment")
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
# xarray turns a length in one of these units into a time span; the symbols mean the same and stay numbers
_UNIT_SYMBOLS = {
    "days": "d",
    "hours": "h",
    "minutes": "min",
    "seconds": "s",
    "milliseconds": "ms",
    "microseconds": "us",
    "nanoseconds": "ns",
}


# ----------------------------------------------------------------------------------------------------------------------
# Values as JSON, and back


def json_like(value: object) -> Any:
    """A value with nothing in it but dictionaries, lists, text, numbers, booleans and None.

    NaN and the infinities, for which JSON has no numbers, become the texts ``NaN``, ``Infinity``, ``-Infinity``.

    Raises
    ------
    StoreError
        For something that has no such form.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.store import json_like
    >>> json_like({"sigma": np.array([0.5, np.inf]), "shape": (3, 4)})
    {'sigma': [0.5, 'Infinity'], 'shape': [3, 4]}
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return json_like(value.tolist())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {str(key): json_like(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        return [json_like(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, os.PathLike):
        return str(value)
    raise StoreError(
        "this has no form in JSON",
        given=f"{value!r} of type {type(value).__name__}",
        allowed="numbers, text, booleans, None, and lists and dictionaries of them",
    )


def _canonical(value: object) -> str:
    return json.dumps(json_like(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _restored(value: Any) -> Any:
    """The inverse of `json_like`, as far as there is one."""
    if isinstance(value, str):
        return _NON_FINITE.get(value, value)
    if isinstance(value, list):
        return [_restored(item) for item in value]
    if isinstance(value, dict):
        return {key: _restored(item) for key, item in value.items()}
    return value


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _data_digest(values: Array) -> str:
    """SHA-256 of the numbers, in C order and little-endian."""
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return hashlib.sha256(little.reshape(-1).data).hexdigest()


def _printable(text: str) -> str:
    """Text for an attribute that only people read: HDF5 ends text at a zero byte, and has no lone surrogates."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _packed(paths: Sequence[Sequence[Sequence[float]]]) -> list[list[list[float]]]:
    """Paths as what is new in each: how many leading values are those of the sigma before, then the rest.

    The paths of a marching solver grow by one value per sigma, and would fill O(T^2) numbers if written out.
    """
    before: list[Sequence[float]] = []
    packed = []
    for path in paths:
        row: list[list[float]] = []
        for i, values in enumerate(path):
            old = before[i] if before else ()
            shared = 0
            while shared < min(len(old), len(values)) and old[shared] == values[shared]:
                shared += 1
            row.append([shared, *values[shared:]])
        packed.append(row)
        before = list(path)
    return packed


def _unpacked(packed: list[list[list[float]]]) -> list[tuple[tuple[float, ...], ...]]:
    paths: list[tuple[tuple[float, ...], ...]] = []
    for row in packed:
        before = paths[-1] if paths else ((),) * len(row)
        paths.append(tuple((*old[: int(new[0])], *map(float, new[1:])) for old, new in zip(before, row, strict=True)))
    return paths


# ----------------------------------------------------------------------------------------------------------------------
# Writing


def prepare_output(path: StrPath, *, force: bool = False) -> Path:
    """Refuse a place that cannot be written, before any work is done.

    Parameters
    ----------
    path
        Where a file is to be written; symbolic links are followed.
    force
        Whether an existing file may be replaced.

    Returns
    -------
    target
        The absolute path.

    Raises
    ------
    StoreError
        If the file exists and `force` is not given, if its folder does not exist or cannot be written, or if
        something other than a file has that name.
    """
    target = Path(path).resolve()
    folder = target.parent
    if not folder.is_dir():
        raise StoreError("there is no such folder to write into", given=folder, advice=f"make it: mkdir -p '{folder}'")
    if target.exists() and not target.is_file():
        raise StoreError("something other than a file has this name", given=target, advice="choose another name")
    if target.exists() and not force:
        raise StoreError("the file exists", given=target, advice="choose another name, or replace it with force")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError("the folder cannot be written", given=folder, advice="write elsewhere, or change its mode")
    return target


def _sync_folder(folder: Path) -> None:
    """Make the new name in a folder survive a power failure."""
    if os.name == "nt":
        return  # there, folders cannot be opened
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as reason:
        if reason.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems without it
            raise
    finally:
        os.close(descriptor)


def publish(content: bytes | memoryview, path: StrPath, *, force: bool = False) -> Path:
    """Write a file so that its name never stands for half of it.

    A temporary file in the same folder is written, brought to the disk, and then given the name; whatever goes wrong
    before leaves what was there, and no temporary file.

    Parameters
    ----------
    content
        The bytes of the file.
    path, force
        As in `prepare_output`.

    Returns
    -------
    target
        The absolute path of the file.

    Raises
    ------
    StoreError
        As in `prepare_output`, and for every failure to write but a full disk.
    ResourceError
        If the disk or the quota is full.
    """
    target = prepare_output(path, force=force)
    require_disk(len(content), target.parent, target.name)
    temporary = target.parent / f".heatpg-{os.getpid()}-{secrets.token_hex(6)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(temporary, flags, 0o666)
        try:
            try:
                rest = memoryview(content)
                while rest:
                    rest = rest[os.write(descriptor, rest[:_WRITE_PIECE]) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            prepare_output(target, force=force)  # another process may have written it meanwhile
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)
    except OSError as reason:
        if reason.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise ResourceError(
                f"the disk is full: {target.name} was not written",
                given=f"{len(content):,} bytes into {target.parent}",
                advice="free some space, or write elsewhere",
            ) from reason
        raise StoreError(f"cannot write {target.name}", given=reason, advice="write elsewhere") from reason
    return target


def _compression(compression: str) -> dict[str, Any]:
    levels = {f"gzip:{level}": level for level in range(1, 10)}
    if compression == "none":
        return {}
    if compression not in levels:
        raise UnsupportedError("unknown compression", given=repr(compression), allowed="'none', 'gzip:1' to 'gzip:9'")
    return {"compression": "gzip", "compression_opts": levels[compression], "shuffle": True}


def _chunks(shape: tuple[int, ...], dimensions: int) -> tuple[int, ...]:
    """One sigma and one batch entry a chunk, and of the grid up to 65536 points, 256 or fewer along the last axes."""
    side = _CHUNK_SIDE if dimensions > 1 else _CHUNK_POINTS
    room = _CHUNK_POINTS
    chunks: list[int] = []
    for size in reversed(shape[len(shape) - dimensions :]):
        chunks.insert(0, max(1, min(size, side, room)))
        room //= chunks[0]
    return (1,) * (len(shape) - dimensions) + tuple(chunks)


def _common_unit(grid: Grid) -> str:
    units = {axis.unit for axis in grid}
    return units.pop() if len(units) == 1 else ""


def _set_unit(dataset: h5py.Dataset, unit: str, power: int = 1) -> None:
    if unit:
        symbol = _printable(_UNIT_SYMBOLS.get(unit, unit))
        dataset.attrs["units"] = symbol if power == 1 else f"({symbol}){power}"


def _environment() -> dict[str, Any]:
    packages = {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "numba", "h5py")}
    return {
        "versions": {"python": platform.python_version(), **packages, "hdf5": h5py.version.hdf5_version},
        "platform": platform.platform(),
        "threads": threads(),
        "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _names(evolution: Evolution) -> tuple[str, list[str], list[str]]:
    """Names of the dimension of sigma, of the batch, and of the axes; refused where an axis has one of the others."""
    lead = "sigma" if evolution.sigma.ndim == 1 else "level"
    batch = [f"batch{i + 1}" for i in range(len(evolution.landscape.batch_shape))]
    axes = [axis.name for axis in evolution.grid]
    # the names that every file has are refused by Axis; these two only a file with a covariance has
    clash = sorted({"covariance", "axis2"}.intersection(axes))
    if clash and evolution.covariance is not None:
        raise StoreError("this axis name is used by the file format", given=", ".join(clash), advice="rename the axis")
    return lead, batch, axes


def _write_covariance(file: h5py.File, covariance: Array, unit: str) -> None:
    # no dataset may have two dimensions of one name
    file.create_dataset("axis2", data=file["axis"][()], dtype=h5py.string_dtype()).make_scale("axis2")
    file["axis2"].attrs["long_name"] = "axis of the grid, as the second of a pair"
    dataset = file.create_dataset("covariance", data=covariance)
    dataset.attrs["long_name"] = "covariance of the exploration noise"
    _set_unit(dataset, unit, power=2)
    for dimension, name in zip(dataset.dims, ("level", "axis", "axis2"), strict=True):
        dimension.attach_scale(file[name])


def _write_scales(file: h5py.File, evolution: Evolution) -> None:
    lead, batch, _ = _names(evolution)
    unit = _common_unit(evolution.grid)
    if lead == "level":
        file.create_dataset("level", data=np.arange(len(evolution.sigma), dtype=np.int64)).make_scale("level")
        file["level"].attrs["long_name"] = "number of the noise level"
        names = [axis.name for axis in evolution.grid]
        file.create_dataset("axis", data=names, dtype=h5py.string_dtype()).make_scale("axis")
        file["axis"].attrs["long_name"] = "axis of the grid"
    sigma = file.create_dataset("sigma", data=evolution.sigma)
    if lead == "sigma":
        sigma.make_scale("sigma")
    time = file.create_dataset("time", data=evolution.sigma**2)
    sigma.attrs["long_name"] = "standard deviation of the exploration noise"
    time.attrs["long_name"] = "time of the heat equation, the variance of the exploration noise"
    _set_unit(sigma, unit)
    _set_unit(time, unit, power=2)
    for dataset in (sigma, time):
        if not dataset.is_scale:
            for dimension, name in zip(dataset.dims, (lead, "axis"), strict=False):
                dimension.attach_scale(file[name])
    if evolution.covariance is not None:
        _write_covariance(file, evolution.covariance, unit)
    for name, size in zip(batch, evolution.landscape.batch_shape, strict=True):
        file.create_dataset(name, data=np.arange(size, dtype=np.int64)).make_scale(name)
        file[name].attrs["long_name"] = "number in the batch"
    for axis in evolution.grid:
        scale = file.create_dataset(axis.name, data=axis.coordinates)
        scale.make_scale(axis.name)
        scale.attrs["long_name"] = axis.name
        scale.attrs["boundary"] = axis.boundary
        scale.attrs["lower"] = axis.lower
        scale.attrs["upper"] = axis.upper
        scale.attrs["nodes"] = axis.nodes
        _set_unit(scale, axis.unit)


def _write_view_for_paraview(file: h5py.File, evolution: Evolution) -> None:
    """A VTKHDF group, whose only large content is a second name for /u."""
    lead = _names(evolution)[0]
    grid = evolution.grid
    flat = 3 - grid.dimensions
    count = len(evolution)
    root = file.create_group("VTKHDF")
    root.attrs["Version"] = np.array([2, 0], dtype=np.int64)
    root.attrs.create("Type", b"ImageData", dtype=h5py.string_dtype("ascii", 9))
    # VTK names the axes x, y, z from the last one of the array on
    extent = [[0, size - 1] for size in reversed(grid.shape)] + [[0, 0]] * flat
    root.attrs["WholeExtent"] = np.array(extent, dtype=np.int64).ravel()
    root.attrs["Origin"] = np.array([axis.coordinates[0] for axis in reversed(grid.axes)] + [0.0] * flat)
    root.attrs["Spacing"] = np.array([*reversed(grid.spacing), *[1.0] * flat])
    root.attrs["Direction"] = np.eye(3).ravel()
    root.create_group("PointData")["u"] = file["u"]  # a hard link
    root["PointData"].attrs["Scalars"] = "u"
    steps = root.create_group("Steps")
    steps.attrs["NSteps"] = np.int64(count)
    steps["Values"] = evolution.sigma**2 if lead == "sigma" else np.arange(count, dtype=np.float64)
    steps.create_group("PointDataOffsets")["u"] = np.arange(count, dtype=np.int64)
    for dataset in (steps["Values"], steps["PointDataOffsets/u"]):
        dataset.dims[0].attach_scale(file[lead])


def _write_json(file: h5py.File, name: str, text: str) -> None:
    if len(text) <= _LARGEST_ATTRIBUTE:
        file.attrs[name] = text
    else:
        file.create_dataset(name, data=text, dtype=h5py.string_dtype())


def _fill(file: h5py.File, evolution: Evolution, filters: dict[str, Any]) -> None:
    landscape, grid = evolution.landscape, evolution.grid
    lead, batch, axes = _names(evolution)
    digest = _data_digest(landscape.values)
    environment = _environment()
    correlated = {} if evolution.covariance is None else {"covariance": evolution.covariance}
    parts = {
        "heatpg_spec": {
            "landscape": {"name": landscape.name, "provenance": landscape.provenance, "sha256": digest},
            "grid": [dataclasses.asdict(axis) for axis in grid],
            "sigma": evolution.sigma,
            "solver": {"name": evolution.solver.name, "options": evolution.solver.options()},
            **correlated,
        },
        "heatpg_run": {
            "reason": evolution.reason,
            "timing": list(evolution.timing.items()),  # in their order, which the keys of an object have not
            "paths": _packed(evolution.paths),
        },
        "heatpg_report": evolution.report.as_dict(),
        "heatpg_environment": environment,
    }
    texts = {name: _canonical(parts[name]) for name in _JSON_PARTS}
    file.attrs["Conventions"] = "CF-1.11"
    file.attrs["title"] = _printable(f"{landscape.name} under Gaussian exploration noise")
    file.attrs["history"] = f"{environment['written']} evolved and written by heatpg {__version__}"
    file.attrs["source"] = f"heatpg {__version__}"
    file.attrs["references"] = _REFERENCE
    file.attrs["heatpg_schema"] = str(SCHEMA)
    file.attrs["heatpg_version"] = __version__
    for name, text in texts.items():
        _write_json(file, name, text)
    file.attrs["heatpg_spec_sha256"] = _text_digest(texts["heatpg_spec"])
    file.attrs["heatpg_records_sha256"] = _text_digest("\n".join(texts[name] for name in _JSON_PARTS[1:]))
    file.attrs["heatpg_u_sha256"] = _data_digest(evolution.values)
    file.attrs["heatpg_landscape_sha256"] = digest
    file.attrs["NX_class"] = "NXdata"
    file.attrs["signal"] = "u"
    file.attrs["axes"] = [lead, *batch, *axes]
    _write_scales(file, evolution)
    for name, values, scales, label in (
        ("u", evolution.values, [lead, *batch, *axes], "expected value under exploration noise, E[Q(mu + sigma Z)]"),
        ("landscape", landscape.values, [*batch, *axes], "action value Q, without noise"),
    ):
        chunks = _chunks(values.shape, grid.dimensions)
        dataset = file.create_dataset(name, data=values, chunks=chunks, fletcher32=True, **filters)
        dataset.attrs["long_name"] = label
        for dimension, scale in zip(dataset.dims, scales, strict=True):
            dimension.attach_scale(file[scale])
    coordinates = "time" if lead == "sigma" else "sigma time"
    file["u"].attrs["coordinates"] = coordinates if evolution.covariance is None else f"{coordinates} covariance"
    if grid.dimensions in (2, 3) and not batch:
        _write_view_for_paraview(file, evolution)


def save(evolution: Evolution, path: StrPath, *, force: bool = False, compression: str = "none") -> None:
    """Write an evolution into one HDF5 file: fields, landscape, grid, solver, checks, and how it came about.

    The file appears under its name when it is complete, and not before. Not stored is the exact evolution of an
    analytic landscape, which is a function.

    Parameters
    ----------
    evolution
        What to store.
    path
        Name of the file.
    force
        Whether an existing file may be replaced.
    compression
        ``none``, or ``gzip:1`` to ``gzip:9``. Such data lose a few percent of their size, at many times the cost.

    Raises
    ------
    StoreError
        If the file exists, or cannot be written there.
    ResourceError
        If the file does not fit in memory (where it is made) or on the disk.

    Examples
    --------
    >>> import os, tempfile
    >>> from heatpg import landscapes, load, save
    >>> from heatpg.evolution import solve
    >>> flow = solve(landscapes.ridge(size=21), [0.2, 0.4])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(flow, os.path.join(folder, "ridge.h5"))
    ...     copy = load(os.path.join(folder, "ridge.h5"))
    >>> bool((copy.values == flow.values).all()), copy.solver == flow.solver
    (True, True)
    """
    target = prepare_output(path, force=force)
    filters = _compression(compression)
    size = evolution.values.nbytes + evolution.landscape.values.nbytes + _OVERHEAD
    require_memory(
        2 * size, f"the image of {target.name}, made in memory", "keep fewer sigmas in one file, or use float32"
    )
    require_disk(size if compression == "none" else 0, target.parent, target.name)
    unused = os.path.join(
        tempfile.gettempdir(), f"heatpg-{secrets.token_hex(8)}"
    )  # HDF5 wants a name, and makes no file
    with h5py.File(
        unused,
        "w",
        driver="core",
        backing_store=False,
        block_size=min(max(size, 2**16), 2**30),
        libver=("v108", "v110"),
    ) as file:
        _fill(file, evolution, filters)
        file.flush()
        image = file.id.get_file_image()
    publish(image, target, force=force)


# ----------------------------------------------------------------------------------------------------------------------
# Reading


def _damaged(path: Path, what: object) -> StoreError:
    return StoreError(
        f"{path} is damaged or was changed", given=what, advice="evolve it again, or take it from a backup"
    )


def _attribute(file: h5py.File, name: str) -> str:
    """An attribute, if it is a text."""
    if name not in file.attrs:
        return ""
    kind = file.attrs.get_id(name)
    if kind.get_type().get_class() != h5py.h5t.STRING or kind.shape != ():
        return ""
    value = file.attrs[name]
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _open(path: Path) -> h5py.File:
    """Open a file that says it is ours, in a schema that we know."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # to open a pipe would wait for ever
            raise StoreError("this is not a file", given=path)
        with path.open("rb") as stream:
            signature = stream.read(len(_SIGNATURE))
    except OSError as reason:
        raise StoreError(f"cannot read {path}", given=reason.strerror or reason) from None
    if signature != _SIGNATURE:
        raise StoreError(f"{path} is not an HDF5 file", given=f"first bytes {signature!r}", allowed="files of heatpg")
    try:
        # a file is never changed in place, so reading needs no lock, which some network file systems refuse
        file = h5py.File(path, "r", locking=False)
    except (OSError, RuntimeError, ValueError, KeyError) as reason:
        raise _damaged(path, reason) from None
    try:
        schema = _attribute(file, "heatpg_schema")
        if not schema:
            raise StoreError(f"{path} was not written by heatpg", given="no attribute heatpg_schema")
        if not schema.isdecimal() or int(schema) < 1:
            raise _damaged(path, f"heatpg_schema {schema!r}")
        if int(schema) > SCHEMA:
            raise StoreError(
                f"{path} was written by a newer heatpg",
                given=f"schema {schema}, heatpg {_attribute(file, 'heatpg_version')}",
                allowed=f"schema {SCHEMA}",
                advice="upgrade heatpg",
            )
    except BaseException as reason:
        file.close()
        if isinstance(reason, HeatpgError) or not isinstance(reason, Exception):
            raise
        raise _damaged(path, reason) from None
    return file


def _refuse_dataset(dataset: h5py.Dataset) -> str:
    """Why a dataset is not to be read; empty if it may be."""
    plist = dataset.id.get_create_plist()
    kind = dataset.id.get_type().get_class()
    if kind not in (h5py.h5t.FLOAT, h5py.h5t.INTEGER, h5py.h5t.STRING):
        return "its type is not float, integer or text"
    if plist.get_external_count():
        return "its data lie in another file"
    if plist.get_layout() == h5py.h5d.VIRTUAL:
        return "it is a virtual dataset"
    allowed = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
    filters = {plist.get_filter(i)[0] for i in range(plist.get_nfilters())}
    if not filters <= allowed:
        return f"filters {sorted(filters - allowed)} are not gzip, shuffle or fletcher32"
    if dataset.chunks and math.prod(dataset.chunks) * dataset.dtype.itemsize > _LARGEST_CHUNK:
        return f"chunks {dataset.chunks} are too large"
    if kind == h5py.h5t.STRING and dataset.size is not None and dataset.size > _MOST_OBJECTS:
        return "it holds too many texts"
    return ""


def _inspect(file: h5py.File, path: Path) -> None:
    """Refuse everything that could lead elsewhere, run a plug-in or fill the memory, before it is followed."""
    seen = set()
    declared = 0
    groups = [file["/"]]
    while groups:
        group = groups.pop()
        for name in group:
            place = f"{group.name.rstrip('/')}/{name}"
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise StoreError(f"{path} is not trusted", given=f"{place} leads elsewhere", allowed="hard links")
            member = group[name]
            address = h5py.h5o.get_info(member.id).addr
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > _MOST_OBJECTS:
                raise StoreError(f"{path} is not trusted", given="too many objects", allowed=_MOST_OBJECTS)
            if isinstance(member, h5py.Group):
                groups.append(member)
                continue
            refusal = _refuse_dataset(member) if isinstance(member, h5py.Dataset) else "it is neither group nor dataset"
            if refusal:
                raise StoreError(f"{path} is not trusted", given=f"{place}: {refusal}")
            declared += math.prod(member.shape or ()) * member.dtype.itemsize
    require_memory(
        declared * 1.25, f"what {path} says it holds", "read it where there is more memory, or evolve fewer sigmas"
    )


def _dataset(file: h5py.File, path: Path, name: str, kind: str) -> h5py.Dataset:
    member = file.get(name)
    if not isinstance(member, h5py.Dataset):
        raise _damaged(path, f"no dataset {name}")
    if member.dtype.kind not in kind:
        raise _damaged(path, f"{name} is of type {member.dtype}")
    return member


def _numbers(file: h5py.File, path: Path, name: str, shape: tuple[int, ...] | None = None) -> Array:
    dataset = _dataset(file, path, name, "fi")
    if shape is not None and dataset.shape != shape:
        raise _damaged(path, f"{name} has the shape {dataset.shape} where {shape} is needed")
    return np.asarray(dataset[()])


def _json_text(file: h5py.File, path: Path, name: str) -> str:
    if name in file.attrs:
        return _attribute(file, name)
    return str(_dataset(file, path, name, "OS").asstr()[()])


@dataclasses.dataclass
class _Content:
    """What a file holds: the evolution, and the checksums that were stored and found."""

    evolution: Evolution
    checksums: dict[str, tuple[str, str]]


def _same_number(stored: object, expected: float) -> bool:
    return isinstance(stored, float | np.floating) and float(stored) == expected


def _read_grid(file: h5py.File, path: Path, spec: Any) -> Grid:
    grid = Grid(*(Axis(**fields) for fields in spec["grid"]))
    for axis in grid:
        if not np.array_equal(_numbers(file, path, axis.name, (axis.size,)), axis.coordinates):
            raise _damaged(path, f"the positions of axis {axis.name} are not those of its description")
        attributes = file[axis.name].attrs
        texts = attributes.get("boundary") == axis.boundary and attributes.get("nodes") == axis.nodes
        bounds = _same_number(attributes.get("lower"), axis.lower) and _same_number(attributes.get("upper"), axis.upper)
        if not (texts and bounds):
            raise _damaged(path, f"the attributes of axis {axis.name} are not those of its description")
    return grid


def _read_covariance(file: h5py.File, path: Path, spec: Any, grid: Grid, sigma: Array) -> NDArray[np.float64] | None:
    if "covariance" not in spec:
        return None
    covariance = np.asarray(spec["covariance"], dtype=np.float64)
    if covariance.shape != (len(sigma), grid.dimensions, grid.dimensions):
        raise _damaged(path, f"the covariance has the shape {covariance.shape}")
    if not np.array_equal(_numbers(file, path, "covariance", covariance.shape), covariance):
        raise _damaged(path, "covariance is not that of the specification")
    if not np.array_equal(parse_covariance(covariance, grid), covariance):
        raise _damaged(path, "the covariances are not symmetric or not in order")
    if not np.array_equal(np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)), sigma):
        raise _damaged(path, "sigma is not that of the covariance")
    return covariance


def _read(file: h5py.File, path: Path) -> _Content:
    _inspect(file, path)
    texts = {name: _json_text(file, path, name) for name in _JSON_PARTS}
    checksums = {
        "specification": (_attribute(file, "heatpg_spec_sha256"), _text_digest(texts["heatpg_spec"])),
        "records": (
            _attribute(file, "heatpg_records_sha256"),
            _text_digest("\n".join(texts[name] for name in _JSON_PARTS[1:])),
        ),
    }
    for name, (stored, found) in checksums.items():
        if stored != found:
            raise _damaged(path, f"the SHA-256 of the {name} is {found[:12]}..., stored is {stored[:12]}...")
    spec = _restored(json.loads(texts["heatpg_spec"]))
    run = _restored(json.loads(texts["heatpg_run"]))
    grid = _read_grid(file, path, spec)
    sigma = np.asarray(spec["sigma"], dtype=np.float64)
    if sigma.ndim not in (1, 2) or sigma.shape[1:] not in ((), (grid.dimensions,)) or not sigma.size:
        raise _damaged(path, f"sigma has the shape {sigma.shape}")
    if not (np.isfinite(sigma).all() and (sigma >= 0).all()):
        raise _damaged(path, "sigma is not finite or negative")
    for name, expected in (("sigma", sigma), ("time", sigma**2)):
        if not np.array_equal(_numbers(file, path, name, sigma.shape), expected):
            raise _damaged(path, f"{name} is not that of the specification")
    covariance = _read_covariance(file, path, spec, grid, sigma)
    shape = _dataset(file, path, "landscape", "f").shape
    if shape[max(0, len(shape) - grid.dimensions) :] != grid.shape:
        raise _damaged(path, f"the landscape has the shape {shape}, its grid {grid.shape}")
    values = _numbers(file, path, "landscape")
    fields = _numbers(file, path, "u", (len(sigma), *shape))
    if fields.dtype != values.dtype or fields.dtype not in (np.float32, np.float64):
        raise _damaged(path, f"u is {fields.dtype}, the landscape {values.dtype}")
    if not np.isfinite(fields).all() or not np.isfinite(values).all():
        raise _damaged(path, "NaN or infinity among the values")
    found = _data_digest(values)
    checksums["Q"] = (_attribute(file, "heatpg_landscape_sha256"), found)
    checksums["Q in the specification"] = (str(spec["landscape"]["sha256"]), found)
    checksums["u"] = (_attribute(file, "heatpg_u_sha256"), _data_digest(fields))
    landscape = Landscape(values, grid, str(spec["landscape"]["name"]), spec["landscape"]["provenance"])
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in spec["solver"]["options"].items()}
    evolution = Evolution(
        landscape,
        sigma,
        fields,
        make(spec["solver"]["name"], **options),
        paths=_unpacked(run["paths"]),
        covariance=covariance,
        report=Report.from_dict(_restored(json.loads(texts["heatpg_report"]))),
        reason=str(run["reason"]),
        timing=dict(run["timing"]),
    )
    return _Content(evolution, checksums)


def _content(path: Path) -> _Content:
    with _open(path) as file:
        try:
            return _read(file, path)
        except (ResourceError, StoreError):
            raise
        # whatever the libraries make of a damaged file
        except (HeatpgError, OSError, RuntimeError, ValueError, TypeError, LookupError, AttributeError) as reason:
            raise _damaged(path, reason) from reason


def load(path: StrPath) -> Evolution:
    """Read an evolution that `save` has written, and believe it only if it is whole.

    Links, types, filters and sizes are looked at before anything is followed; checksums, shapes and values
    after it is read. For files from strangers this lessens the danger that lies in HDF5 itself, and does not end it.

    Parameters
    ----------
    path
        Name of the file.

    Raises
    ------
    StoreError
        If there is no such file, if it is no file of heatpg or one of a newer schema, or if it is damaged.
    ResourceError
        If what it says it holds does not fit in memory.
    """
    place = Path(path)
    content = _content(place)
    for name, (stored, found) in content.checksums.items():
        if stored != found:
            raise _damaged(place, f"the SHA-256 of {name} is {found[:12]}..., stored is {stored[:12]}...")
    return content.evolution


def _integrity(content: _Content) -> Iterator[Check]:
    yield Check("structure", "passed", "schema, links, types, shapes and fletcher32 checksums are as they should be")
    for name, (stored, found) in content.checksums.items():
        if stored == found:
            yield Check(f"checksum of {name}", "passed", f"SHA-256 {found[:12]}... as stored")
        else:
            yield Check(f"checksum of {name}", "failed", f"SHA-256 is {found[:12]}..., stored is {stored[:12]}...")


def verify_file(path: StrPath) -> Report:
    """Check that a file is whole: its structure, and the checksums of all that it holds.

    Parameters
    ----------
    path
        Name of the file.

    Returns
    -------
    report
        One entry a checksum; a file that is damaged beyond reading has one entry, which failed.

    Raises
    ------
    StoreError
        If there is no such file, or if it is no file of heatpg or one of a newer schema.
    ResourceError
        If what it says it holds does not fit in memory.
    """
    place = Path(path)
    _open(place).close()
    try:
        return Report(list(_integrity(_content(place))), "file")
    except StoreError as reason:
        return Report([Check("structure", "failed", str(reason))], "file")
