"""Writing an evolution into one HDF5 file: as a whole or not at all.

The file opens as it is in xarray, ncdump, h5dump, HDF5 viewers (NXdata) and ParaView (VTKHDF). Its bytes are written by
us, because HDF5 itself neither survives a full disk nor leaves a readable file when the process is killed: into memory
(`image`), or into a temporary file while they are made (`save`), which then takes its name.
"""

# One file, because scales, fields, labels and records are the parts of one layout, written in this order.

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import importlib.metadata
import os
import platform
import secrets
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5s, h5t
from numpy.typing import NDArray

from heatpg.core.faces import require_extrapolated
from heatpg.core.landscape import Landscape
from heatpg.errors import OptionError, StoreError, UnsupportedError
from heatpg.solvers.choice import schedule
from heatpg.store.chunks import chunk_shape, stream, write_array
from heatpg.store.compact import require_tolerance, write_levels
from heatpg.store.paths import packed
from heatpg.store.record import (
    COMPACT_OBJECTS,
    DRAW_GROUP,
    DRAW_GROUPS,
    DRAW_GROUPS_DIGEST,
    DRAWN,
    ENVIRONMENT,
    ERROR,
    ERROR_DIGEST,
    FACES,
    FIELDS,
    FIELDS_DIGEST,
    FIELDS_ERROR,
    FIELDS_ERROR_DIGEST,
    JSON_PARTS,
    LANDSCAPE,
    LANDSCAPE_DIGEST,
    LARGEST_ATTRIBUTE,
    LIBRARY_VERSIONS,
    MINIMISE,
    MOST_OBJECTS,
    RECORDS_DIGEST,
    REPORT,
    RETURNS,
    RETURNS_DIGEST,
    RUN,
    SCHEMA,
    SCHEMA_NAME,
    SEED,
    SPEC,
    SPEC_DIGEST,
    TASK,
    TOLERANCE,
    VERSION,
    Record,
    data_digest,
    printable,
    text_digest,
)
from heatpg.tools.calls import checked_call, require_kind
from heatpg.tools.parallel import threads
from heatpg.tools.plain import canonical
from heatpg.tools.publishing import prepare_output, publish_stream, result_name
from heatpg.tools.resources import require_memory
from heatpg.tools.writers import writers
from heatpg.version import __version__

__all__ = [
    "begin_file",
    "file_environment",
    "file_records",
    "finish_file",
    "image",
    "label_fields",
    "label_landscape",
    "save",
]

Array = NDArray[Any]
StrPath = str | os.PathLike[str]

_REFERENCE = (
    "T. Wang, S. Herbert, S. Gao: Mollification Effects of Policy Gradient Methods, ICML 2024, arXiv:2405.17832"
)
_OVERHEAD = 2**20  # bytes; attributes, scales, and the index of the chunks of a small file
_WORTH_A_THREAD = 2**20  # bytes to digest, in about a millisecond; a thread may take as long to start
_COMPACT_FIELDS = 4  # of one sigma and in double precision: the transform of Q, and what is on its way
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


def _compression(compression: str) -> dict[str, Any]:
    levels = {f"gzip:{level}": level for level in range(1, 10)}
    if compression == "none":
        return {}
    if compression not in levels:
        raise OptionError(
            "unknown value of compression=", given=repr(compression), allowed="'none', 'gzip:1' to 'gzip:9'"
        )
    return {"compression": "gzip", "compression_opts": levels[compression], "shuffle": True}


@functools.cache
def _text_types() -> tuple[Any, Any, Any]:
    """Of an attribute that is text: its type in the file, that in memory, and its shape."""
    text = h5py.string_dtype()
    return h5t.py_create(text, logical=True), h5t.py_create(text), h5s.create_simple(())


def _write_texts(place: h5py.HLObject, **texts: str) -> None:
    """New attributes of text, to the byte as h5py makes them in twice the time, which counts for small files."""
    in_file, in_memory, shape = _text_types()
    for name, text in texts.items():
        attribute = h5a.create(place.id, name.encode(), in_file, shape)
        attribute.write(np.array(text, dtype=object), mtype=in_memory)


def _set_unit(dataset: h5py.Dataset, unit: str, power: int = 1) -> None:
    if unit:
        symbol = printable(_UNIT_SYMBOLS.get(unit, unit))
        _write_texts(dataset, units=symbol if power == 1 else f"({symbol}){power}")


# metadata of packages lie in files, which a batch need not read for every shard
@functools.cache
def _versions() -> dict[str, str]:
    packages = {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "numba", "h5py")}
    return {"python": platform.python_version(), **packages, "hdf5": h5py.version.hdf5_version}


def file_environment(*, repeatable: bool = False) -> dict[str, Any]:
    """Versions and platform; where a file need not be repeatable, also the threads and the time."""
    lasting: dict[str, Any] = {"versions": _versions(), "platform": platform.platform()}
    # what changes from run to run would give the same task other bytes
    if repeatable:
        return lasting
    return lasting | {
        "threads": threads(),
        "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _names(record: Record) -> tuple[str, list[str], list[str]]:
    """Names of the dimension of sigma, of the batch, and of the axes; refused where an axis has one of the others."""
    lead = "sigma" if record.sigma.ndim == 1 else "level"
    batch = [f"batch{i + 1}" for i in range(len(record.landscape.batch_shape))]
    axes = [axis.name for axis in record.grid]
    # the names that every file has are refused by Axis; these two only a file with a covariance has
    clash = sorted({"covariance", "axis2"}.intersection(axes))
    if clash and record.covariance is not None:
        raise StoreError(
            "this axis name is reserved by the file format", given=", ".join(clash), advice="rename the axis"
        )
    # and these only one with returns, standard errors of u, or groups of draws
    used = [] if record.landscape.returns is None else [RETURNS, SEED]
    used += [] if record.known_error is None else [FIELDS_ERROR]
    used += [] if record.draw_groups is None else [DRAW_GROUPS, DRAW_GROUP]
    clash = sorted({*used}.intersection(axes))
    if clash:
        raise StoreError(
            "this axis name is reserved by the file format", given=", ".join(clash), advice="rename the axis"
        )
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


def _write_numbers(file: h5py.File, name: str, values: Array) -> h5py.Dataset:
    # readers that take a fill value for what is missing (kerchunk, zarr) would miss every 0 of a coordinate
    return file.create_dataset(name, data=values, fillvalue=np.nan)


def _write_scales(file: h5py.File, record: Record) -> None:
    lead, batch, _ = _names(record)
    unit = record.grid.unit or ""
    if lead == "level":
        file.create_dataset("level", data=np.arange(len(record.sigma), dtype=np.int64)).make_scale("level")
        file["level"].attrs["long_name"] = "number of the noise level"
        # sigma with one number an axis has two dimensions, and both need scales
        names = [axis.name for axis in record.grid]
        file.create_dataset("axis", data=names, dtype=h5py.string_dtype()).make_scale("axis")
        file["axis"].attrs["long_name"] = "axis of the grid"
    sigma = _write_numbers(file, "sigma", record.sigma)
    if lead == "sigma":
        sigma.make_scale("sigma")
    time = _write_numbers(file, "time", record.sigma**2)
    _write_texts(sigma, long_name="standard deviation of the exploration noise")
    _write_texts(time, long_name="time of the heat equation, the variance of the exploration noise")
    _set_unit(sigma, unit)
    _set_unit(time, unit, power=2)
    for dataset in (sigma, time):
        if not dataset.is_scale:
            for dimension, name in zip(dataset.dims, (lead, "axis"), strict=False):
                dimension.attach_scale(file[name])
    if record.covariance is not None:
        _write_covariance(file, record.covariance, unit)
    for name, size in zip(batch, record.landscape.batch_shape, strict=True):
        file.create_dataset(name, data=np.arange(size, dtype=np.int64)).make_scale(name)
        file[name].attrs["long_name"] = "number in the batch"
    for axis in record.grid:
        scale = _write_numbers(file, axis.name, axis.coordinates)
        scale.make_scale(axis.name)
        _write_texts(scale, long_name=printable(axis.title), boundary=axis.boundary)
        scale.attrs["lower"] = axis.lower
        scale.attrs["upper"] = axis.upper
        _write_texts(scale, nodes=axis.nodes)
        _set_unit(scale, axis.unit)


def _write_view_for_paraview(file: h5py.File, record: Record, fields: h5py.Dataset) -> None:
    """A VTKHDF group, whose only large content is a second name for /u."""
    lead = _names(record)[0]
    grid = record.grid
    # VTK has three axes always; those that are not there have one node
    flat = 3 - grid.dimensions
    count = len(record)
    root = file.create_group("VTKHDF")
    attributes = root.attrs
    attributes["Version"] = np.array([2, 0], dtype=np.int64)
    # VTK reads no text of variable length
    attributes.create("Type", b"ImageData", dtype=h5py.string_dtype("ascii", 9))
    # VTK names the axes x, y, z from the last one of the array on
    extent = [[0, size - 1] for size in reversed(grid.shape)] + [[0, 0]] * flat
    attributes["WholeExtent"] = np.array(extent, dtype=np.int64).ravel()
    attributes["Origin"] = np.array([axis.coordinates[0] for axis in reversed(grid.axes)] + [0.0] * flat)
    attributes["Spacing"] = np.array([*reversed(grid.spacing), *[1.0] * flat])
    attributes["Direction"] = np.eye(3).ravel()
    points = root.create_group("PointData")
    points["u"] = fields  # a hard link
    _write_texts(points, Scalars="u")
    steps = root.create_group("Steps")
    steps.attrs["NSteps"] = np.int64(count)
    # time is what ParaView plays; where axes differ there is no single one, and the level is counted
    values = record.sigma**2 if lead == "sigma" else np.arange(count, dtype=np.float64)
    offsets = np.arange(count, dtype=np.int64)
    level = file[lead]
    dataset = steps.create_dataset("Values", data=values)
    beside = steps.create_group("PointDataOffsets").create_dataset("u", data=offsets)
    for each in (dataset, beside):
        each.dims[0].attach_scale(level)


def _write_json(file: h5py.File, name: str, text: str) -> None:
    if len(text) <= LARGEST_ATTRIBUTE:
        _write_texts(file, **{name: text})
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
        raise OptionError("unknown value of storage=", given=repr(storage), allowed="'full', 'compact'")
    filters = _compression(compression)
    return _Storage(filters, require_tolerance(tolerance) if storage == "compact" else None, task)


def _label(file: h5py.File, name: str, scales: list[str], label: str) -> h5py.Dataset:
    dataset = file[name]
    _write_texts(dataset, long_name=label)
    for dimension, scale in zip(dataset.dims, scales, strict=True):
        dimension.attach_scale(file[scale])
    return dataset


def label_landscape(file: h5py.File, record: Record) -> None:
    """Say what the dataset of Q is, once it is there."""
    _, batch, axes = _names(record)
    _label(file, LANDSCAPE, [*batch, *axes], "action value Q, without noise")


def label_fields(file: h5py.File, record: Record) -> None:
    """Say what the dataset of u is, once it is there, and show it to ParaView."""
    lead, batch, axes = _names(record)
    label = "expected value under exploration noise, E[Q(mu + sigma Z)]"
    fields = _label(file, FIELDS, [lead, *batch, *axes], label)
    coordinates = "time" if lead == "sigma" else "sigma time"
    _write_texts(fields, coordinates=coordinates if record.covariance is None else f"{coordinates} covariance")
    if record.grid.dimensions in (2, 3) and not batch:
        _write_view_for_paraview(file, record, fields)


def _write_fields(
    file: h5py.File, record: Record, storage: _Storage, proceed: Callable[[], object] | None
) -> tuple[dict[str, Any], str]:
    """Write Q and the fields; what the file has to say of their storage, and the SHA-256 of u as it is stored."""
    grid, landscape = record.grid, record.landscape
    lead, batch, _ = _names(record)

    def write(name: str, values: Array) -> None:
        chunks = chunk_shape(values.shape, grid.dimensions, len(batch))
        write_array(file, name, values, chunks, storage.filters, proceed)

    write(LANDSCAPE, landscape.values)
    label_landscape(file, record)
    axes = [axis.name for axis in grid]
    if landscape.standard_error is not None:
        write(ERROR, landscape.standard_error)
        _label(file, ERROR, [*batch, *axes], "standard error of Q, a mean over rollouts")
    if landscape.returns is not None:
        file.create_dataset(SEED, data=np.arange(len(landscape.returns), dtype=np.int64)).make_scale(SEED)
        file[SEED].attrs["long_name"] = "number of the seed"
        write(RETURNS, landscape.returns)
        _label(file, RETURNS, [SEED, *batch, *axes], "return of each seed, of which Q is the mean")
    # what came from compact storage is off by that much already, and errors add up
    before = record.stored_tolerance
    if storage.tolerance is not None:
        levels, digest = write_levels(file, record, storage.tolerance, batch, storage.filters, proceed)
        return levels | {"tolerance": before + storage.tolerance}, digest
    # the digest is taken while the disk is busy; of a small field before that, which takes less than to start a thread
    with contextlib.ExitStack() as stack:
        digested: Future[str] = Future()
        if record.values.nbytes < _WORTH_A_THREAD:
            digested.set_result(data_digest(record.values))
        else:
            digested = stack.enter_context(ThreadPoolExecutor(1)).submit(data_digest, record.values)
        write(FIELDS, record.values)
        label_fields(file, record)
        if record.known_error is not None:
            write(FIELDS_ERROR, record.known_error)
            _label(file, FIELDS_ERROR, [lead, *batch, *axes], record.error_words)
        if record.draw_groups is not None:
            numbers = np.arange(len(record.draw_groups), dtype=np.int64)
            file.create_dataset(DRAW_GROUP, data=numbers).make_scale(DRAW_GROUP)
            file[DRAW_GROUP].attrs["long_name"] = "number of the group of draws"
            write(DRAW_GROUPS, record.draw_groups)
            _label(file, DRAW_GROUPS, [DRAW_GROUP, lead, *batch, *axes], "u of each group of draws, less u")
        return {"tolerance": before} if before else {}, digested.result()


def begin_file(file: h5py.File, record: Record, environment: Mapping[str, Any], *, signal: str = FIELDS) -> None:
    """Write what is known before the fields: what the file is, and the scales of all dimensions.

    Parameters
    ----------
    file
        An empty file.
    record
        Only its grid, its sigmas, and the name and the batch of its landscape are checked.
    environment
        According to `file_environment`.
    signal
        The dataset that viewers are to show.
    """
    lead, batch, axes = _names(record)
    # CF for xarray and ncdump, NXdata for viewers of HDF5, and our own names for heatpg
    texts = {
        "Conventions": "CF-1.11",
        "title": printable(f"{record.landscape.name} under Gaussian exploration noise"),
        "history": f"{environment.get('written', '')} evolved and written by heatpg {__version__}".strip(),
        "source": f"heatpg {__version__}",
        "references": _REFERENCE,
        SCHEMA_NAME: str(SCHEMA),
        VERSION: __version__,
        "NX_class": "NXdata",
        "signal": signal,
    }
    _write_texts(file, **texts)
    # NeXus lists the dimensions of the signal in their order
    file.attrs["axes"] = [*([lead] if signal == FIELDS else []), *batch, *axes]
    _write_scales(file, record)


def file_records(
    record: Record, digest: str, environment: Mapping[str, Any], *, repeatable: bool = False
) -> dict[str, dict[str, Any]]:
    """What a file says of an evolution besides its numbers: specification, run, report, environment.

    Parameters
    ----------
    record
        Its values are not checked.
    digest
        SHA-256 of Q.
    environment
        According to `file_environment`.
    repeatable
        Whether the times of the work are left out.
    """
    landscape = record.landscape
    error = landscape.standard_error
    uncertain = {} if error is None else {ERROR_DIGEST: data_digest(error)}
    if landscape.returns is not None:
        uncertain[RETURNS_DIGEST] = data_digest(landscape.returns)
    correlated = {} if record.covariance is None else {"covariance": record.covariance}
    # only where it is true: files of returns are what they were before there was a choice
    loss = {MINIMISE: True} if landscape.minimise else {}
    faces = {FACES: {name: list(pair) for name, pair in landscape.faces.items()}} if landscape.faces else {}
    origin = {"name": landscape.name, "provenance": landscape.provenance, "sha256": digest}
    return {
        SPEC: {
            "landscape": origin | uncertain | loss | faces,
            "grid": [axis.as_dict() for axis in record.grid],
            "sigma": record.sigma,
            "solver": {"name": record.solver.name, "options": record.solver.options()},
            **correlated,
        },
        RUN: {
            "reason": record.reason,
            # in their order, which the keys of an object have not
            "timing": [] if repeatable else list(record.timing.items()),
            "paths": packed(record.paths),
            **({} if record.drawn is None else {DRAWN: record.drawn}),
        },
        REPORT: record.report.as_dict(),
        ENVIRONMENT: dict(environment),
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
    # at last, so that a file without these records is no complete one
    texts = {name: canonical(records[name]) for name in JSON_PARTS}
    for name, text in texts.items():
        _write_json(file, name, text)
    if task:
        _write_json(file, TASK, task)
    digests = {
        SPEC_DIGEST: text_digest(texts[SPEC]),
        RECORDS_DIGEST: text_digest("\n".join(texts[name] for name in JSON_PARTS[1:])),
        FIELDS_DIGEST: digest,
        LANDSCAPE_DIGEST: records[SPEC]["landscape"]["sha256"],
    }
    _write_texts(file, **digests)


def _require_few_levels(record: Record) -> None:
    """Refuse a file that `load` would refuse for the number of its objects."""
    each = 2 + record.grid.dimensions  # a group, the values, and a scale for each axis
    # each level has its own group
    most = (MOST_OBJECTS - COMPACT_OBJECTS) // each
    if len(record) > most:
        raise UnsupportedError(
            "too many noise levels for one compact file",
            given=len(record),
            allowed=f"up to {most} on {record.grid.dimensions} axes",
            advice="use storage='full', or write several files",
        )


def _fill(file: h5py.File, record: Record, storage: _Storage, proceed: Callable[[], object] | None = None) -> None:
    environment = file_environment(repeatable=bool(storage.task))
    digest = data_digest(record.landscape.values)
    records = file_records(record, digest, environment, repeatable=bool(storage.task))
    if storage.tolerance is not None:
        _require_few_levels(record)
        require_extrapolated(record.landscape.stated_faces, "compact storage", "pass storage='full'")
    canonical(records)  # what has no form in JSON is refused before the fields are written
    begin_file(file, record, environment, signal=FIELDS if storage.tolerance is None else LANDSCAPE)
    stored, fields_digest = _write_fields(file, record, storage, proceed)
    if stored:
        records[RUN]["storage"] = stored
    # compact storage leaves it out: it would be larger than all else, and is computed again from what is kept of Q
    if record.known_error is not None and storage.tolerance is None:
        records[RUN][FIELDS_ERROR_DIGEST] = data_digest(record.known_error)
    if record.draw_groups is not None:
        records[RUN][DRAW_GROUPS_DIGEST] = data_digest(record.draw_groups)
    finish_file(file, records, fields_digest, task=storage.task)


def _size(record: Record) -> int:
    landscape = record.landscape
    optional = (landscape.standard_error, landscape.returns, record.known_error, record.draw_groups)
    uncertain = sum(0 if each is None else each.nbytes for each in optional)
    return record.values.nbytes + landscape.values.nbytes + _OVERHEAD + uncertain


def image(
    evolution: Record,
    *,
    storage: str = "full",
    tolerance: float = TOLERANCE,
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
        f"the file of {evolution.landscape.name}, assembled in memory",
        "store fewer noise levels per file, or use float32",
    )
    # HDF5 would open a file that happens to have this name
    unused = os.path.join(
        tempfile.gettempdir(), f"heatpg-{secrets.token_hex(8)}"
    )  # HDF5 wants a name, and makes no file
    with h5py.File(
        unused,
        "w",
        driver="core",
        backing_store=False,
        # in one step where that is possible: HDF5 copies all of the image each time that it grows
        block_size=min(max(size, 2**16), 2**30),
        libver=LIBRARY_VERSIONS,
    ) as file:
        _fill(file, evolution, options)
        file.flush()
        return bytes(file.id.get_file_image())


def _at_zero(landscape: Landscape) -> Record:
    """The evolution of a landscape at sigma = 0, which is Q itself."""
    plan = schedule(landscape.grid, 0.0)
    paths = [((0.0, 0.0),) * landscape.grid.dimensions]
    return Record(landscape, plan.sigma, landscape.values[None], plan.solver, paths=paths, reason=plan.reason)


@writers.register("landscape")
def _save_landscape(thing: Landscape, /, path: StrPath, *, force: bool = False, compression: str = "none") -> None:
    """What `Landscape.save` calls."""
    save(thing, path, force=force, compression=compression)


@checked_call()
def save(
    evolution: Record | Landscape,
    path: StrPath,
    *,
    force: bool = False,
    storage: str = "full",
    tolerance: float = TOLERANCE,
    compression: str = "none",
) -> None:
    """Write an evolution, or a landscape, to an HDF5 file: fields, landscape, grid, solver, checks, and provenance.

    The file appears under its name when it is complete, and not before. The exact evolution of an analytic landscape is
    a function and is not stored.

    Parameters
    ----------
    evolution
        The evolution. A landscape is written as its evolution at sigma = 0, which is Q itself; after `load` it is the
        attribute ``landscape``.
    path
        Path of the file.
    force
        Whether an existing file may be replaced.
    storage
        ``full``, or ``compact``: each field on the coarsest lattice that represents it within the tolerance; `load`
        restores full resolution; see `heatpg.store.compact`. Standard errors of u are stored if they have been
        computed, except in compact storage, where they are recomputed.
    tolerance
        Largest error of compact storage, in units of osc(Q): measured before storing, or bounded and verified on a
        sample (`heatpg.store.bounds`); 1e-14 to 1e-3.
    compression
        ``none``, or ``gzip:1`` to ``gzip:9``. Compression saves only a few percent of the size, at many times the cost.

    Raises
    ------
    StoreError
        If the file exists, or cannot be written there.
    ResourceError
        If the file does not fit on the disk, or the memory does not suffice.
    OptionError
        For an unknown value of storage= or compression, or a tolerance out of range.

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
    if not isinstance(evolution, Record | Landscape):
        require_kind("save", evolution, ("Evolution", "Landscape"))
    target = prepare_output(result_name(path), force=force)
    options = _storage(storage, tolerance, compression)
    if isinstance(evolution, Landscape):
        evolution = _at_zero(evolution)
    evolution.drop_stale_report()
    if evolution.drawn is not None and storage != "full":
        raise UnsupportedError(
            "sampled fields cannot be recomputed, which compact storage requires", advice="use storage='full'"
        )
    # of what is packed nobody knows the size before it is written
    known = compression == "none" and storage == "full"
    work = 2 * _OVERHEAD + (0 if storage == "full" else _COMPACT_FIELDS * 8 * evolution.landscape.values.size)
    require_memory(work, f"writing {target.name}", "write it on a machine with more memory")

    def write(descriptor: int) -> None:
        with stream(descriptor) as (file, disk):
            _fill(file, evolution, options, disk.raise_failure)

    publish_stream(write, _size(evolution) if known else 0, target, force=force)
