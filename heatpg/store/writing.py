"""One evolution, one HDF5 file: written as a whole or not at all, and believed only after it has been checked.

The file opens as it is in xarray, ncdump, h5dump, HDF5 viewers (NXdata) and ParaView (VTKHDF). Its bytes are written by
us, because HDF5 itself neither survives a full disk nor leaves a readable file when the process is killed: into memory
(`image`), or into a temporary file while they are made (`save`), which then takes its name.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import hashlib
import importlib.metadata
import io
import itertools
import json
import math
import os
import platform
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.core.noise import parse_covariance, parse_sigma
from heatpg.core.report import Check, Report
from heatpg.errors import HeatpgError, ResourceError, StoreError, UnsupportedError
from heatpg.evolution import Evolution
from heatpg.solvers import Solver, make
from heatpg.store.chunks import LIBRARY_VERSIONS, stream, write_array
from heatpg.store.chunks import chunk_shape as _chunks
from heatpg.store.compact import read_levels, require_tolerance, write_levels
from heatpg.store.quarantine import (
    Contents,
    Limits,
    Member,
    Refusal,
    inspect,
    open_regular,
    read_in_quarantine,
    require_complete,
    stored_attributes,
)
from heatpg.tools.parallel import threads
from heatpg.tools.plain import canonical, restored
from heatpg.tools.publishing import prepare_output, publish_stream
from heatpg.tools.resources import require_memory
from heatpg.version import __version__

__all__ = [
    "SCHEMA",
    "Description",
    "begin_file",
    "data_digest",
    "fields_digest",
    "file_environment",
    "file_records",
    "finish_file",
    "image",
    "in_rows",
    "label_fields",
    "label_landscape",
    "load",
    "open_in_pieces",
    "save",
    "task_text",
    "verify_file",
]

Array = NDArray[Any]
StrPath = str | os.PathLike[str]

SCHEMA = 1
_REFERENCE = (
    "T. Wang, S. Herbert, S. Gao: Mollification Effects of Policy Gradient Methods, ICML 2024, arXiv:2405.17832"
)
_LARGEST_CHUNK = 2**26  # bytes; ours have half a mebibyte
_LARGEST_ATTRIBUTE = 2**15  # bytes; old formats end at 64 kiB
_MOST_OBJECTS = 10_000
_OTHER_OBJECTS = 100  # of a file in compact storage, rather more than there are
_OVERHEAD = 2**20  # bytes; attributes, scales, and the index of the chunks of a small file
_TOLERANCE = 1e-10
_COMPACT_FIELDS = 4  # of one sigma and in double precision: the transform of Q, and what is on its way
_PIECE_POINTS = 2**23  # of a file that is read in pieces
_JSON_PARTS = ("heatpg_spec", "heatpg_run", "heatpg_report", "heatpg_environment")
_TASK = "heatpg_task"
_FIELDS_DIGEST = "heatpg_u_sha256"
_ERROR = "standard_error"
_ERROR_DIGEST = "standard_error_sha256"
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


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def data_digest(values: Array) -> str:
    """SHA-256 of the numbers, in C order and little-endian, as 64 hexadecimal digits."""
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return hashlib.sha256(little.reshape(-1).data).hexdigest()


def fields_digest(content: bytes) -> str:
    """The SHA-256 of u that a file, given by its bytes, says of itself.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> from heatpg.evolution import solve
    >>> from heatpg.store.writing import data_digest, fields_digest, image
    >>> flow = solve(landscapes.ridge(size=21), [0.2, 0.4])
    >>> fields_digest(image(flow)) == data_digest(flow.values)
    True
    """
    with h5py.File(io.BytesIO(content), "r") as file:
        return str(file.attrs[_FIELDS_DIGEST])


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
    lengths: list[int] = []
    total = 0
    for row in packed:
        if not all(0 <= new[0] <= old for old, new in zip(lengths or [0] * len(row), row, strict=True)):
            raise ValueError("a path shares more with the one before than that one has")
        lengths = [int(new[0]) + len(new) - 1 for new in row]
        total += sum(lengths)
    require_memory(8 * total, "the paths of the solver", "read it where there is more memory")
    paths: list[tuple[tuple[float, ...], ...]] = []
    for row in packed:
        before = paths[-1] if paths else ((),) * len(row)
        paths.append(tuple((*old[: int(new[0])], *map(float, new[1:])) for old, new in zip(before, row, strict=True)))
    return paths


# ----------------------------------------------------------------------------------------------------------------------
# Writing


def _compression(compression: str) -> dict[str, Any]:
    levels = {f"gzip:{level}": level for level in range(1, 10)}
    if compression == "none":
        return {}
    if compression not in levels:
        raise UnsupportedError("unknown compression", given=repr(compression), allowed="'none', 'gzip:1' to 'gzip:9'")
    return {"compression": "gzip", "compression_opts": levels[compression], "shuffle": True}


def _set_unit(dataset: h5py.Dataset, unit: str, power: int = 1) -> None:
    if unit:
        symbol = _printable(_UNIT_SYMBOLS.get(unit, unit))
        dataset.attrs["units"] = symbol if power == 1 else f"({symbol}){power}"


@functools.cache
def _versions() -> dict[str, str]:
    packages = {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "numba", "h5py")}
    return {"python": platform.python_version(), **packages, "hdf5": h5py.version.hdf5_version}


def file_environment(*, repeatable: bool = False) -> dict[str, Any]:
    """Versions and platform; where a file need not be repeatable, also the threads and the time."""
    lasting: dict[str, Any] = {"versions": _versions(), "platform": platform.platform()}
    if repeatable:
        return lasting
    return lasting | {
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
    unit = evolution.grid.unit or ""
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


@dataclasses.dataclass(frozen=True)
class _Storage:
    """How an evolution is written.

    Attributes
    ----------
    filters
        Of HDF5, for the large datasets.
    tolerance
        Of compact storage; None for full resolution.
    task
        As in `image`.
    """

    filters: dict[str, Any]
    tolerance: float | None
    task: str = ""


def _storage(storage: str, tolerance: float, compression: str, task: str = "") -> _Storage:
    if storage not in ("full", "compact"):
        raise UnsupportedError("unknown storage", given=repr(storage), allowed="'full', 'compact'")
    filters = _compression(compression)
    return _Storage(filters, require_tolerance(tolerance) if storage == "compact" else None, task)


def _label(file: h5py.File, name: str, scales: list[str], label: str) -> None:
    dataset = file[name]
    dataset.attrs["long_name"] = label
    for dimension, scale in zip(dataset.dims, scales, strict=True):
        dimension.attach_scale(file[scale])


def label_landscape(file: h5py.File, evolution: Evolution) -> None:
    """Say what the dataset of Q is, once it is there."""
    _, batch, axes = _names(evolution)
    _label(file, "landscape", [*batch, *axes], "action value Q, without noise")


def label_fields(file: h5py.File, evolution: Evolution) -> None:
    """Say what the dataset of u is, once it is there, and show it to ParaView."""
    lead, batch, axes = _names(evolution)
    _label(file, "u", [lead, *batch, *axes], "expected value under exploration noise, E[Q(mu + sigma Z)]")
    coordinates = "time" if lead == "sigma" else "sigma time"
    file["u"].attrs["coordinates"] = coordinates if evolution.covariance is None else f"{coordinates} covariance"
    if evolution.grid.dimensions in (2, 3) and not batch:
        _write_view_for_paraview(file, evolution)


def _write_fields(
    file: h5py.File, evolution: Evolution, storage: _Storage, proceed: Callable[[], object] | None
) -> tuple[dict[str, Any], str]:
    """Write Q and the fields; what the file has to say of their storage, and the SHA-256 of u as it is stored."""
    grid, landscape = evolution.grid, evolution.landscape
    batch = _names(evolution)[1]

    def write(name: str, values: Array) -> None:
        chunks = _chunks(values.shape, grid.dimensions, len(batch))
        write_array(file, name, values, chunks, storage.filters, proceed)

    write("landscape", landscape.values)
    label_landscape(file, evolution)
    if landscape.standard_error is not None:
        write(_ERROR, landscape.standard_error)
        _label(file, _ERROR, [*batch, *(axis.name for axis in grid)], "standard error of Q, a mean over rollouts")
    before = evolution.stored_tolerance
    if storage.tolerance is not None:
        record, digest = write_levels(file, evolution, storage.tolerance, batch, storage.filters, proceed)
        return record | {"tolerance": before + storage.tolerance}, digest
    with ThreadPoolExecutor(1) as helper:
        digested = helper.submit(data_digest, evolution.values)
        write("u", evolution.values)
        label_fields(file, evolution)
        return {"tolerance": before} if before else {}, digested.result()


def begin_file(file: h5py.File, evolution: Evolution, environment: Mapping[str, Any], *, signal: str = "u") -> None:
    """Write what is known before the fields: what the file is, and the scales of all dimensions.

    Parameters
    ----------
    file
        An empty file.
    evolution
        Only its grid, its sigmas, and the name and the batch of its landscape are looked at.
    environment
        As `file_environment` has it.
    signal
        The dataset that viewers are to show.
    """
    lead, batch, axes = _names(evolution)
    file.attrs["Conventions"] = "CF-1.11"
    file.attrs["title"] = _printable(f"{evolution.landscape.name} under Gaussian exploration noise")
    file.attrs["history"] = f"{environment.get('written', '')} evolved and written by heatpg {__version__}".strip()
    file.attrs["source"] = f"heatpg {__version__}"
    file.attrs["references"] = _REFERENCE
    file.attrs["heatpg_schema"] = str(SCHEMA)
    file.attrs["heatpg_version"] = __version__
    file.attrs["NX_class"] = "NXdata"
    file.attrs["signal"] = signal
    file.attrs["axes"] = [*([lead] if signal == "u" else []), *batch, *axes]
    _write_scales(file, evolution)


def file_records(
    evolution: Evolution, digest: str, environment: Mapping[str, Any], *, repeatable: bool = False
) -> dict[str, dict[str, Any]]:
    """What a file says of an evolution besides its numbers: specification, run, report, environment.

    Parameters
    ----------
    evolution
        Its values are not looked at.
    digest
        SHA-256 of Q.
    environment
        As `file_environment` has it.
    repeatable
        Whether the times of the work are left out.
    """
    landscape = evolution.landscape
    error = landscape.standard_error
    uncertain = {} if error is None else {_ERROR_DIGEST: data_digest(error)}
    correlated = {} if evolution.covariance is None else {"covariance": evolution.covariance}
    return {
        "heatpg_spec": {
            "landscape": {"name": landscape.name, "provenance": landscape.provenance, "sha256": digest, **uncertain},
            "grid": [dataclasses.asdict(axis) for axis in evolution.grid],
            "sigma": evolution.sigma,
            "solver": {"name": evolution.solver.name, "options": evolution.solver.options()},
            **correlated,
        },
        "heatpg_run": {
            "reason": evolution.reason,
            # in their order, which the keys of an object have not
            "timing": [] if repeatable else list(evolution.timing.items()),
            "paths": _packed(evolution.paths),
        },
        "heatpg_report": evolution.report.as_dict(),
        "heatpg_environment": dict(environment),
    }


def finish_file(file: h5py.File, records: Mapping[str, Any], digest: str, *, task: str = "") -> None:
    """Write the records of `file_records` and all checksums; the file is complete then.

    Parameters
    ----------
    file
        The file, with all its datasets.
    records
        What it says of the evolution.
    digest
        SHA-256 of u, as it is stored.
    task
        As in `image`.
    """
    texts = {name: canonical(records[name]) for name in _JSON_PARTS}
    for name, text in texts.items():
        _write_json(file, name, text)
    if task:
        _write_json(file, _TASK, task)
    file.attrs["heatpg_spec_sha256"] = _text_digest(texts["heatpg_spec"])
    file.attrs["heatpg_records_sha256"] = _text_digest("\n".join(texts[name] for name in _JSON_PARTS[1:]))
    file.attrs[_FIELDS_DIGEST] = digest
    file.attrs["heatpg_landscape_sha256"] = records["heatpg_spec"]["landscape"]["sha256"]


def _require_few_levels(evolution: Evolution) -> None:
    """Refuse a file that `load` would refuse for the number of its objects."""
    each = 2 + evolution.grid.dimensions  # a group, the values, and a scale for each axis
    most = (_MOST_OBJECTS - _OTHER_OBJECTS) // each
    if len(evolution) > most:
        raise UnsupportedError(
            "so many noise levels do not go into one compact file",
            given=len(evolution),
            allowed=f"up to {most} on {evolution.grid.dimensions} axes",
            advice="use storage='full', or several files",
        )


def _fill(
    file: h5py.File, evolution: Evolution, storage: _Storage, proceed: Callable[[], object] | None = None
) -> None:
    environment = file_environment(repeatable=bool(storage.task))
    digest = data_digest(evolution.landscape.values)
    records = file_records(evolution, digest, environment, repeatable=bool(storage.task))
    if storage.tolerance is not None:
        _require_few_levels(evolution)
    canonical(records)  # what has no form in JSON is refused before the fields are written
    begin_file(file, evolution, environment, signal="u" if storage.tolerance is None else "landscape")
    record, stored = _write_fields(file, evolution, storage, proceed)
    if record:
        records["heatpg_run"]["storage"] = record
    finish_file(file, records, stored, task=storage.task)


def _size(evolution: Evolution) -> int:
    error = evolution.landscape.standard_error
    return (
        evolution.values.nbytes + evolution.landscape.values.nbytes + _OVERHEAD + (0 if error is None else error.nbytes)
    )


def image(
    evolution: Evolution,
    *,
    storage: str = "full",
    tolerance: float = _TOLERANCE,
    compression: str = "none",
    task: str = "",
) -> bytes:
    """The bytes of the file that `save` writes, made in memory.

    Parameters
    ----------
    evolution
        What is stored.
    storage, tolerance, compression
        As in `save`.
    task
        What a batch calls this piece of work, as text that the file is to hold. Such a file holds no times, neither of
        the clock nor of the work, and no number of threads: the same task gives the same bytes.

    Raises
    ------
    StoreError
        If something of it has no form in HDF5 or JSON.
    ResourceError
        If the image does not fit in memory.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> from heatpg.evolution import solve
    >>> from heatpg.store.writing import image
    >>> once, again = (image(solve(landscapes.ridge(size=21), [0.2, 0.4]), task="ridge") for _ in range(2))
    >>> once == again
    True
    """
    options = _storage(storage, tolerance, compression, task)
    size = _size(evolution)
    require_memory(
        2 * size,
        f"the image of the file of {evolution.landscape.name}, made in memory",
        "keep fewer sigmas in one file, or use float32",
    )
    unused = os.path.join(
        tempfile.gettempdir(), f"heatpg-{secrets.token_hex(8)}"
    )  # HDF5 wants a name, and makes no file
    with h5py.File(
        unused,
        "w",
        driver="core",
        backing_store=False,
        block_size=min(max(size, 2**16), 2**30),
        libver=LIBRARY_VERSIONS,
    ) as file:
        _fill(file, evolution, options)
        file.flush()
        return bytes(file.id.get_file_image())


def save(
    evolution: Evolution,
    path: StrPath,
    *,
    force: bool = False,
    storage: str = "full",
    tolerance: float = _TOLERANCE,
    compression: str = "none",
) -> None:
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
    storage
        ``full``, or ``compact``: each field on the coarsest lattice that holds it to the tolerance, which `load`
        reads back at full resolution; see `heatpg.store.compact`.
    tolerance
        Of compact storage, in units of osc(Q): the difference of what is read back from the field, which is measured
        before it is stored; 1e-14 to 1e-3.
    compression
        ``none``, or ``gzip:1`` to ``gzip:9``. Such data lose a few percent of their size, at many times the cost.

    Raises
    ------
    StoreError
        If the file exists, or cannot be written there.
    ResourceError
        If the file does not fit on the disk, or there is no memory for the work.
    UnsupportedError
        For an unknown storage or compression, or a tolerance out of its range.

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
    options = _storage(storage, tolerance, compression)
    known = compression == "none" and storage == "full"
    work = 2 * _OVERHEAD + (0 if storage == "full" else _COMPACT_FIELDS * 8 * evolution.landscape.values.size)
    require_memory(work, f"the work of writing {target.name}", "write where there is more memory")

    def write(descriptor: int) -> None:
        with stream(descriptor) as (file, disk):
            _fill(file, evolution, options, disk.raise_failure)

    publish_stream(write, _size(evolution) if known else 0, target, force=force)


# ----------------------------------------------------------------------------------------------------------------------
# Reading


def _damaged(path: Path, what: object) -> StoreError:
    return StoreError(
        f"{path} is damaged or was changed", given=what, advice="evolve it again, or take it from a backup"
    )


def _attribute(contents: Contents, name: str) -> str:
    """An attribute, if it is a text."""
    value = contents.attrs.get(name, "")
    return value if isinstance(value, str) else ""


def _require_schema(contents: Contents, path: Path) -> None:
    schema = _attribute(contents, "heatpg_schema")
    if not schema and _attribute(contents, "heatpg_index"):
        name = json.dumps(str(path), ensure_ascii=False)
        raise StoreError(
            f"{path} is a merged batch, or the index of one, and not a single evolution",
            advice=f'open it with xarray.open_dataset({name}, group="groups/0"); '
            "heatpg reads the files below shards/ in the folder of the batch",
        )
    if not schema:
        raise StoreError(
            f"{path} was not written by heatpg",
            given="no attribute heatpg_schema",
            advice="an array of your own goes into Landscape.from_array(values, axes)",
        )
    if not re.fullmatch(r"[1-9][0-9]{0,8}", schema):
        raise _damaged(path, f"heatpg_schema {schema[:20]!r}")
    if int(schema) > SCHEMA:
        raise StoreError(
            f"{path} was written by a newer heatpg",
            given=f"schema {schema}, heatpg {_printable(_attribute(contents, 'heatpg_version'))}",
            allowed=f"schema {SCHEMA}",
            advice="upgrade heatpg",
        )


def _open(path: Path) -> h5py.File:
    """Open a file that says it is ours, in a schema that we know."""
    with open_regular(path):
        pass
    try:
        # a file is never changed in place, so reading needs no lock, which some network file systems refuse
        file = h5py.File(path, "r", locking=False)
    except (OSError, RuntimeError, ValueError, KeyError) as reason:
        raise _damaged(path, reason) from None
    try:
        _require_schema(Contents(stored_attributes(file), {}), path)
    except BaseException as reason:
        file.close()
        if isinstance(reason, HeatpgError) or not isinstance(reason, Exception):
            raise
        raise _damaged(path, reason) from None
    return file


def _inspected(file: h5py.File, path: Path, *, in_pieces: bool = False) -> Contents:
    """What a file holds, after it was looked at for all that could lead elsewhere or fill the memory."""
    contents = inspect(file, Limits(objects=_MOST_OBJECTS, chunk=_LARGEST_CHUNK))
    members = contents.members
    apart = sum(members[name].nbytes for name in ("landscape", "u") if name in members) if in_pieces else 0
    require_memory(
        (contents.declared - apart) * 1.25,
        f"what {path} says it holds",
        "read it in pieces with heatpg.large.open_large, or where there is more memory",
    )
    return contents


def _dataset(contents: Contents, path: Path, name: str, kind: str) -> Member:
    member = contents.members.get(name)
    if member is None:
        raise _damaged(path, f"no dataset {name}")
    if member.dtype.kind not in kind:
        raise _damaged(path, f"{name} is of type {member.dtype}")
    return member


def _numbers(contents: Contents, path: Path, name: str, shape: tuple[int, ...] | None = None) -> Array:
    dataset = _dataset(contents, path, name, "fi")
    if shape is not None and dataset.shape != shape:
        raise _damaged(path, f"{name} has the shape {dataset.shape} where {shape} is needed")
    return np.asarray(dataset.read())


def _json_text(contents: Contents, path: Path, name: str) -> str:
    if name in contents.attrs:
        return _attribute(contents, name)
    return str(_dataset(contents, path, name, "O").read())


@dataclasses.dataclass
class _Content:
    """What a file holds: the evolution, and the checksums that were stored and found."""

    evolution: Evolution
    checksums: dict[str, tuple[str, str]]


def _same_bits(stored: Array, expected: Array) -> bool:
    """Equality that also tells -0 from 0, so that no flipped bit is overlooked."""
    return stored.dtype == expected.dtype and stored.tobytes() == expected.tobytes()


def _same_number(stored: object, expected: float) -> bool:
    return isinstance(stored, float | np.floating) and float(stored) == expected


def _read_grid(contents: Contents, path: Path, spec: Any) -> Grid:
    for fields in spec["grid"]:
        # before positions are made of a description, there must be as many of them in the file
        stored = _dataset(contents, path, fields["name"], "f").shape
        if stored != (fields["size"],) or not isinstance(fields["unit"], str):
            raise _damaged(path, f"an axis of the shape {stored} is described as {fields}")
    grid = Grid(*(Axis(**fields) for fields in spec["grid"]))
    for axis in grid:
        if not _same_bits(_numbers(contents, path, axis.name, (axis.size,)), axis.coordinates):
            raise _damaged(path, f"the positions of axis {axis.name} are not those of its description")
        attributes = contents.members[axis.name].attrs
        texts = attributes.get("boundary") == axis.boundary and attributes.get("nodes") == axis.nodes
        bounds = _same_number(attributes.get("lower"), axis.lower) and _same_number(attributes.get("upper"), axis.upper)
        if not (texts and bounds):
            raise _damaged(path, f"the attributes of axis {axis.name} are not those of its description")
    return grid


def _read_covariance(contents: Contents, path: Path, spec: Any, grid: Grid, sigma: Array) -> NDArray[np.float64] | None:
    if "covariance" not in spec:
        return None
    covariance = np.asarray(spec["covariance"], dtype=np.float64)
    if covariance.shape != (len(sigma), grid.dimensions, grid.dimensions):
        raise _damaged(path, f"the covariance has the shape {covariance.shape}")
    if not _same_bits(_numbers(contents, path, "covariance", covariance.shape), covariance):
        raise _damaged(path, "covariance is not that of the specification")
    if not np.array_equal(parse_covariance(covariance, grid), covariance):
        raise _damaged(path, "the covariances are not symmetric or not in order")
    if not np.array_equal(np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)), sigma):
        raise _damaged(path, "sigma is not that of the covariance")
    return covariance


def _read_report(text: str) -> Report:
    report = Report.from_dict(restored(json.loads(text)))
    for check in report:
        texts = (check.name, check.status, check.message, check.bound_source)
        numbers = [value for value in (check.figure, check.bound) if value is not None]
        if check.where is not None:
            numbers += [check.where.sigma, *check.where.index]
        if (
            not all(isinstance(value, str) for value in texts)
            or check.status not in ("passed", "finding", "failed")
            or not all(isinstance(value, int | float) for value in numbers)
        ):
            raise ValueError("an entry of the report is not one")
    return report


def _read_fields(
    contents: Contents, path: Path, storage: Any, values: Array, grid: Grid, count: int
) -> tuple[Array, str, float]:
    """The fields at full resolution, the SHA-256 of what is stored of them, and the tolerance that they are held to."""
    tolerance = float(storage.get("tolerance", 0.0))
    if not 0.0 <= tolerance < 1.0:
        raise _damaged(path, f"a tolerance of {tolerance}")
    if "levels" not in storage:
        fields = _numbers(contents, path, "u", (count, *values.shape))
        return fields, data_digest(fields), tolerance
    if len(storage["levels"]) != count:
        raise _damaged(path, f"{len(storage['levels'])} levels where {count} are needed")
    return *read_levels(contents, storage, values, grid), tolerance


@dataclasses.dataclass(frozen=True)
class Description:
    """What a file says of an evolution besides its fields, looked through and held against itself.

    Attributes
    ----------
    grid, sigma, covariance
        As of an `Evolution`.
    shape
        Of Q, and of one field.
    landscape
        Name, provenance and SHA-256 of Q, and the SHA-256 of its standard error, empty if there is none.
    solver, paths, report, reason, timing
        As of an `Evolution`.
    storage
        How the fields are stored; empty for full resolution.
    checksums
        SHA-256 as stored and as found, of what was read so far.
    """

    grid: Grid
    sigma: NDArray[np.float64]
    covariance: NDArray[np.float64] | None
    shape: tuple[int, ...]
    landscape: dict[str, Any]
    solver: Solver
    paths: list[tuple[tuple[float, ...], ...]]
    report: Report
    reason: str
    timing: dict[str, float]
    storage: dict[str, Any]
    checksums: dict[str, tuple[str, str]]


def _read_description(contents: Contents, path: Path) -> Description:
    texts = {name: _json_text(contents, path, name) for name in _JSON_PARTS}
    checksums = {
        "specification": (_attribute(contents, "heatpg_spec_sha256"), _text_digest(texts["heatpg_spec"])),
        "records": (
            _attribute(contents, "heatpg_records_sha256"),
            _text_digest("\n".join(texts[name] for name in _JSON_PARTS[1:])),
        ),
    }
    for name, (stored, found) in checksums.items():
        if stored != found:
            raise _damaged(path, f"the SHA-256 of the {name} is {found[:12]}..., stored is {stored[:12]}...")
    spec = restored(json.loads(texts["heatpg_spec"]))
    run = restored(json.loads(texts["heatpg_run"]))
    grid = _read_grid(contents, path, spec)
    sigma = np.asarray(spec["sigma"], dtype=np.float64)
    if sigma.ndim not in (1, 2) or sigma.shape[1:] not in ((), (grid.dimensions,)) or not sigma.size:
        raise _damaged(path, f"sigma has the shape {sigma.shape}")
    if not (np.isfinite(sigma).all() and (sigma >= 0).all()):
        raise _damaged(path, "sigma is not finite or negative")
    for name, expected in (("sigma", sigma), ("time", sigma**2)):
        if not _same_bits(_numbers(contents, path, name, sigma.shape), expected):
            raise _damaged(path, f"{name} is not that of the specification")
    covariance = _read_covariance(contents, path, spec, grid, sigma)
    if covariance is None and not np.array_equal(parse_sigma(sigma, grid), sigma):
        raise _damaged(path, "sigma is not in ascending order")
    shape = _dataset(contents, path, "landscape", "f").shape
    if shape[max(0, len(shape) - grid.dimensions) :] != grid.shape:
        raise _damaged(path, f"the landscape has the shape {shape}, its grid {grid.shape}")
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in spec["solver"]["options"].items()}
    return Description(
        grid,
        sigma,
        covariance,
        shape,
        {
            "name": str(spec["landscape"]["name"]),
            "provenance": spec["landscape"]["provenance"],
            "sha256": str(spec["landscape"]["sha256"]),
            _ERROR_DIGEST: str(spec["landscape"].get(_ERROR_DIGEST, "")),
        },
        make(spec["solver"]["name"], **options),
        _unpacked(run["paths"]),
        _read_report(texts["heatpg_report"]),
        str(run["reason"]),
        {str(stage): float(seconds) for stage, seconds in run["timing"]},
        run.get("storage", {}),
        checksums,
    )


def _data_checksums(
    contents: Contents, description: Description, landscape_digest: str, found: str
) -> dict[str, tuple[str, str]]:
    return {
        "Q": (_attribute(contents, "heatpg_landscape_sha256"), landscape_digest),
        "Q in the specification": (description.landscape["sha256"], landscape_digest),
        "u": (_attribute(contents, _FIELDS_DIGEST), found),
    }


def _read_error(contents: Contents, path: Path, said: Description) -> tuple[Array | None, dict[str, tuple[str, str]]]:
    """The standard error of Q, if there is one, and its checksum."""
    stored = said.landscape[_ERROR_DIGEST]
    if not stored and _ERROR not in contents.members:
        return None, {}
    error = _numbers(contents, path, _ERROR, said.shape)
    return error, {"standard error of Q": (stored, data_digest(error))}


def _read(contents: Contents, path: Path) -> _Content:
    said = _read_description(contents, path)
    values = _numbers(contents, path, "landscape")
    fields, digest, tolerance = _read_fields(contents, path, said.storage, values, said.grid, len(said.sigma))
    if fields.dtype != values.dtype or fields.dtype not in (np.float32, np.float64):
        raise _damaged(path, f"u is {fields.dtype}, the landscape {values.dtype}")
    if not np.isfinite(fields).all() or not np.isfinite(values).all():
        raise _damaged(path, "NaN or infinity among the values")
    error, uncertain = _read_error(contents, path, said)
    evolution = Evolution(
        Landscape(values, said.grid, said.landscape["name"], said.landscape["provenance"], standard_error=error),
        said.sigma,
        fields,
        said.solver,
        paths=said.paths,
        covariance=said.covariance,
        report=said.report,
        reason=said.reason,
        timing=said.timing,
    )
    evolution.stored_tolerance = tolerance
    checksums = said.checksums | _data_checksums(contents, said, data_digest(values), digest) | uncertain
    return _Content(evolution, checksums)


def in_rows(shape: tuple[int, ...], chunks: tuple[int, ...] | None, points: int) -> Iterator[tuple[slice, ...]]:
    """Boxes that follow each other in C order and make up an array, whole chunks where so many points hold them.

    Examples
    --------
    >>> from heatpg.store.writing import in_rows
    >>> [box[1] for box in in_rows((2, 5), (1, 2), 4)][:3]
    [slice(0, 4, None), slice(4, 5, None), slice(0, 4, None)]
    """
    extent = list(shape)
    for i, size in enumerate(shape):
        others = math.prod(extent) // max(1, size)
        if others * size <= points:
            break
        fits = max(1, points // max(1, others))
        step = chunks[i] if chunks else 1
        extent[i] = fits // step * step or fits
    ranges = (range(0, size, step) for size, step in zip(shape, extent, strict=True))
    for start in itertools.product(*ranges):
        yield tuple(slice(a, min(a + step, size)) for a, step, size in zip(start, extent, shape, strict=True))


def _digest_in_pieces(file: h5py.File, contents: Contents, path: Path, name: str, shape: tuple[int, ...]) -> str:
    member = _dataset(contents, path, name, "f")
    if member.shape != shape:
        raise _damaged(path, f"{name} has the shape {member.shape} where {shape} is needed")
    dataset = file[name]
    require_complete(dataset)
    digest = hashlib.sha256()
    for box in in_rows(shape, dataset.chunks, _PIECE_POINTS):
        piece = np.ascontiguousarray(dataset[box], dtype=member.dtype.newbyteorder("<"))
        if not np.isfinite(piece).all():
            raise _damaged(path, "NaN or infinity among the values")
        digest.update(piece.reshape(-1).data)
    return digest.hexdigest()


def _checksums_in_pieces(path: Path) -> dict[str, tuple[str, str]]:
    """The checksums of a file that is too large to be read as a whole."""
    try:
        with _open(path) as file:
            contents = _inspected(file, path, in_pieces=True)
            said = _read_description(contents, path)
            if said.storage.get("levels"):
                raise ResourceError(
                    f"{path} does not fit in memory, and compact storage is read as a whole",
                    advice="read it where there is more memory",
                )
            if len({contents.members[name].dtype for name in ("landscape", "u")}) > 1:
                raise _damaged(path, "u and the landscape are of different types")
            digests = [
                _digest_in_pieces(file, contents, path, name, shape)
                for name, shape in (("landscape", said.shape), ("u", (len(said.sigma), *said.shape)))
            ]
            uncertain = _read_error(contents, path, said)[1]
            return said.checksums | _data_checksums(contents, said, *digests) | uncertain
    except (StoreError, ResourceError):
        raise
    except Refusal as reason:
        raise StoreError(f"{path} is not trusted", given=reason) from None
    except Exception as reason:  # whatever the libraries make of a damaged file
        raise _damaged(path, reason) from reason


@contextlib.contextmanager
def open_in_pieces(path: StrPath) -> Iterator[tuple[h5py.File, Description]]:
    """A file whose fields are read piece by piece, and what it says of them.

    Links, types, filters and sizes are looked at as `load` does it, and the checksums of what is read here; those of
    the fields are not known before all of them are read, which is what `verify_file` does.

    Parameters
    ----------
    path
        Name of a file at full resolution.

    Raises
    ------
    StoreError
        As `load` does.
    UnsupportedError
        For compact storage.
    """
    place = Path(path)
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(_open(place))
            contents = _inspected(file, place, in_pieces=True)
            said = _read_description(contents, place)
            shapes = {"landscape": said.shape, "u": (len(said.sigma), *said.shape)}
            for name in shapes if not said.storage.get("levels") else ():
                if _dataset(contents, place, name, "f").shape != shapes[name]:
                    raise _damaged(place, f"{name} does not have the shape {shapes[name]}")
                require_complete(file[name])
        except HeatpgError:
            raise
        except Refusal as reason:
            raise StoreError(f"{place} is not trusted", given=reason) from None
        except Exception as reason:  # whatever the libraries make of a damaged file
            raise _damaged(place, reason) from reason
        if said.storage.get("levels"):
            raise UnsupportedError("compact storage is read as a whole", given=place, advice="use heatpg.load")
        for name, (stored, found) in said.checksums.items():
            if stored != found:
                raise _damaged(place, f"the SHA-256 of {name} is {found[:12]}..., stored is {stored[:12]}...")
        yield file, said


def _content(path: Path, *, untrusted: bool = False) -> _Content:
    try:
        if untrusted:
            contents = read_in_quarantine(path)
            _require_schema(contents, path)
            return _read(contents, path)
        with _open(path) as file:
            return _read(_inspected(file, path), path)
    except StoreError:
        raise
    except Refusal as reason:
        raise StoreError(f"{path} is not trusted", given=reason) from None
    except ResourceError as reason:
        if not untrusted:
            raise
        raise StoreError(f"refused: {path}", given=reason) from None
    except Exception as reason:  # whatever the libraries make of a damaged file
        raise _damaged(path, reason) from reason


def load(path: StrPath, *, untrusted: bool = False) -> Evolution:
    """Read an evolution that `save` has written, and believe it only if it is whole.

    Links, types, filters and sizes are looked at before anything is followed; checksums, shapes and values
    after it is read. For files from strangers this lessens the danger that lies in HDF5 itself, and does not end it:
    read them with `untrusted`.

    Parameters
    ----------
    path
        Name of the file.
    untrusted
        Whether the file is read in a process of its own, with limits on what that may do; it takes about a tenth of a
        second more, and the file once more in memory. See `heatpg.store.quarantine.read_in_quarantine`.

    Raises
    ------
    StoreError
        If there is no such file, if it is no file of heatpg or one of a newer schema, or if it is damaged. With
        `untrusted` also for everything else that a file can bring about.
    ResourceError
        If what it says it holds does not fit in memory.
    UnsupportedError
        With `untrusted`, on other systems than Linux.

    Examples
    --------
    >>> import os, tempfile
    >>> from heatpg import landscapes, load, save
    >>> from heatpg.evolution import solve
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(solve(landscapes.ridge(size=21), [0.2, 0.4]), os.path.join(folder, "ridge.h5"))
    ...     len(load(os.path.join(folder, "ridge.h5"), untrusted=True))
    2
    """
    place = Path(path)
    content = _content(place, untrusted=untrusted)
    for name, (stored, found) in content.checksums.items():
        if stored != found:
            raise _damaged(place, f"the SHA-256 of {name} is {found[:12]}..., stored is {stored[:12]}...")
    return content.evolution


def task_text(path: StrPath) -> str:
    """What `image` was given as the task of this file; empty if nothing.

    Raises
    ------
    StoreError
        As `load` does, for what is looked at; the data are not.
    """
    place = Path(path)
    with _open(place) as file:
        try:
            contents = inspect(file, Limits(objects=_MOST_OBJECTS, chunk=_LARGEST_CHUNK))
            return _json_text(contents, place, _TASK) if {_TASK} & {*contents.attrs, *contents.members} else ""
        except Refusal as reason:
            raise StoreError(f"{place} is not trusted", given=reason) from None
        except (OSError, RuntimeError, ValueError, TypeError, LookupError) as reason:
            raise _damaged(place, reason) from reason


def _integrity(checksums: Mapping[str, tuple[str, str]]) -> Iterator[Check]:
    yield Check("structure", "passed", "schema, links, types, shapes and fletcher32 checksums are as they should be")
    for name, (stored, found) in checksums.items():
        if stored == found:
            yield Check(f"checksum of {name}", "passed", f"SHA-256 {found[:12]}... as stored")
        else:
            yield Check(f"checksum of {name}", "failed", f"SHA-256 is {found[:12]}..., stored is {stored[:12]}...")


def verify_file(path: StrPath, *, untrusted: bool = False) -> Report:
    """Check that a file is whole: its structure, and the checksums of all that it holds.

    What does not fit in memory is read in pieces.

    Parameters
    ----------
    path
        Name of the file.
    untrusted
        As in `load`.

    Returns
    -------
    report
        One entry a checksum; a file that is damaged beyond reading has one entry, which failed.

    Raises
    ------
    StoreError
        If there is no such file, or if it is no file of heatpg or one of a newer schema.
    ResourceError
        If the file is in compact storage and what it says it holds does not fit in memory.
    """
    place = Path(path)
    if untrusted:
        with open_regular(place):
            pass
    else:
        _open(place).close()
    try:
        try:
            checksums = _content(place, untrusted=untrusted).checksums
        except ResourceError:
            checksums = _checksums_in_pieces(place)
        return Report(list(_integrity(checksums)), "file")
    except StoreError as reason:
        return Report([Check("structure", "failed", str(reason))], "file")
