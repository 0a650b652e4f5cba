"""Reading an evolution from its HDF5 file, which is believed only after it has been checked.

Links, types, filters and sizes are checked before anything is followed (`heatpg.store.quarantine.inspect`), then what
the file says of itself is held against the numbers beside it, and at last all checksums.
"""

# One file, because an evolution may be read as a whole, in pieces, or by a separate process, and each of these ways
# must ask the same questions in the same order: apart, one of them would come to ask fewer.

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import itertools
import json
import math
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from heatpg.core.faces import Faces, checked_faces
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.core.noise import parse_covariance, parse_sigma
from heatpg.core.ownership import HandedOver, handed_over
from heatpg.core.report import STATUSES, Check, Report
from heatpg.errors import HeatpgError, HeatpgWarning, ResourceError, StoreError, UnsupportedError
from heatpg.solvers import Solver, solvers
from heatpg.store.compact import read_levels
from heatpg.store.paths import Paths
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
from heatpg.store.record import (
    DRAW_GROUPS,
    DRAW_GROUPS_DIGEST,
    DRAWN,
    ERROR,
    ERROR_DIGEST,
    FACES,
    FIELDS,
    FIELDS_DIGEST,
    FIELDS_ERROR,
    FIELDS_ERROR_DIGEST,
    INDEX_SCHEMA,
    JSON_PARTS,
    LANDSCAPE,
    LANDSCAPE_DIGEST,
    LARGEST_CHUNK,
    MINIMISE,
    MOST_OBJECTS,
    RECORDS_DIGEST,
    REPORT,
    RETURNS,
    RETURNS_DIGEST,
    RUN,
    SCHEMA,
    SCHEMA_NAME,
    SPEC,
    SPEC_DIGEST,
    TASK,
    VERSION,
    Record,
    data_digest,
    printable,
    text_digest,
)
from heatpg.tools.folders import expanded
from heatpg.tools.plain import restored
from heatpg.tools.resources import require_memory

__all__ = ["Description", "fields_digest", "in_rows", "open_in_pieces", "read", "task_text", "verify_file"]

Array = NDArray[Any]
StrPath = str | os.PathLike[str]

_LARGEST_SIGMA = 1e153  # bound: the squares of so many as there are axes have a sum
_PIECE_POINTS = 2**23  # of a file that is read in pieces: 64 MiB; a matter of taste


def fields_digest(content: bytes) -> str:
    """The SHA-256 of u that a file, given by its bytes, says of itself.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> from heatpg.evolution import solve
    >>> from heatpg.store.reading import fields_digest
    >>> from heatpg.store.record import data_digest
    >>> from heatpg.store.writing import image
    >>> flow = solve(landscapes.ridge(size=21), [0.2, 0.4])
    >>> fields_digest(image(flow)) == data_digest(flow.values)
    True
    """
    # of a file that this process has just made: nothing in it is doubted
    with h5py.File(io.BytesIO(content), "r") as file:
        return str(file.attrs[FIELDS_DIGEST])


def _damaged(path: Path, what: object) -> StoreError:
    return StoreError(
        f"{path} is corrupted or was modified", given=what, advice="compute it again, or restore a backup"
    )


def _attribute(contents: Contents, name: str) -> str:
    """An attribute, if it is a text."""
    value = contents.attrs.get(name, "")
    return value if isinstance(value, str) else ""


def _require_schema(contents: Contents, path: Path) -> None:
    schema = _attribute(contents, SCHEMA_NAME)
    # the most likely mistake is told before the general one
    if not schema and _attribute(contents, INDEX_SCHEMA):
        name = json.dumps(str(path), ensure_ascii=False)
        raise StoreError(
            f"{path} is a merged batch or a batch index, not a single evolution",
            advice=f'open it with xarray.open_dataset({name}, group="groups/0"); '
            "heatpg.load reads the result files in shards/ of the batch directory",
        )
    if not schema:
        raise StoreError(
            f"{path} was not written by heatpg",
            given="no attribute heatpg_schema",
            advice=(
                "for a file of another program use Landscape.from_file(path, boundary=...), or --boundary on the "
                "command line"
            ),
        )
    if not re.fullmatch(r"[1-9][0-9]{0,8}", schema):
        raise _damaged(path, f"heatpg_schema {schema[:20]!r}")
    if int(schema) > SCHEMA:
        raise StoreError(
            f"{path} was written by a newer heatpg",
            given=f"schema {schema}, heatpg {printable(_attribute(contents, VERSION))}",
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
        # a newer schema is told as what it is, and not as damage that an older reader would find
        _require_schema(Contents(stored_attributes(file), {}), path)
    except BaseException as reason:
        file.close()
        if isinstance(reason, HeatpgError) or not isinstance(reason, Exception):
            raise
        raise _damaged(path, reason) from None
    return file


def _inspected(file: h5py.File, path: Path, *, in_pieces: bool = False) -> Contents:
    """What a file holds, after it was checked for all that could lead elsewhere or fill the memory."""
    contents = inspect(file, Limits(objects=MOST_OBJECTS, chunk=LARGEST_CHUNK))
    members = contents.members
    # what is read in pieces needs no room as a whole; a quarter more for copies on the way
    apart = sum(members[name].nbytes for name in (LANDSCAPE, FIELDS) if name in members) if in_pieces else 0
    require_memory(
        (contents.declared - apart) * 1.25,
        f"the declared contents of {path}",
        "read it in blocks with heatpg.large.open_large, or on a machine with more memory",
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
    """What a file holds: the record, and the checksums that were stored and found."""

    record: Record
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
        texts = isinstance(fields["unit"], str) and isinstance(fields.get("label", ""), str)
        if stored != (fields["size"],) or not texts:
            raise _damaged(path, f"an axis of the shape {stored} is described as {fields}")
    grid = Grid(*(Axis(**fields) for fields in spec["grid"]))
    for axis in grid:
        if not _same_bits(_numbers(contents, path, axis.name, (axis.size,)), axis.coordinates):
            raise _damaged(path, f"the positions of axis {axis.name} contradict its description")
        attributes = contents.members[axis.name].attrs
        texts = attributes.get("boundary") == axis.boundary and attributes.get("nodes") == axis.nodes
        bounds = _same_number(attributes.get("lower"), axis.lower) and _same_number(attributes.get("upper"), axis.upper)
        if not (texts and bounds):
            raise _damaged(path, f"the attributes of axis {axis.name} contradict its description")
    return grid


def _read_covariance(contents: Contents, path: Path, spec: Any, grid: Grid, sigma: Array) -> NDArray[np.float64] | None:
    if "covariance" not in spec:
        return None
    covariance = np.asarray(spec["covariance"], dtype=np.float64)
    if covariance.shape != (len(sigma), grid.dimensions, grid.dimensions):
        raise _damaged(path, f"the covariance has the shape {covariance.shape}")
    if not _same_bits(_numbers(contents, path, "covariance", covariance.shape), covariance):
        raise _damaged(path, "covariance contradicts the specification")
    # what parsing would change is not as it was written
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HeatpgWarning)  # that it would sort them, which is an error here
        parsed = parse_covariance(covariance, grid)
    if not np.array_equal(parsed, covariance):
        raise _damaged(path, "the covariances are not symmetric or not in order")
    if not np.array_equal(np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)), sigma):
        raise _damaged(path, "sigma contradicts the covariance")
    return covariance


def _read_report(text: str) -> Report:
    report = Report.from_dict(restored(json.loads(text)))
    for check in report:
        texts = (check.name, check.status, check.message, check.bound_source)
        numbers = [value for value in (check.figure, check.bound) if value is not None]
        if check.where is not None:
            # a report is shown as it stands, so nothing in it may be of another type than that
            numbers += [check.where.sigma, *check.where.index]
        if (
            not all(isinstance(value, str) for value in texts)
            or check.status not in STATUSES
            or not all(isinstance(value, int | float) for value in numbers)
        ):
            raise ValueError("an entry of the report is invalid")
    return report


def _read_fields(
    contents: Contents, path: Path, storage: Any, values: Array, grid: Grid, count: int
) -> tuple[Array, str, float]:
    """The fields at full resolution, the SHA-256 of what is stored of them, and the tolerance that they are held to."""
    tolerance = float(storage.get("tolerance", 0.0))
    # beyond osc(Q) nothing would be kept of a field
    if not 0.0 <= tolerance < 1.0:
        raise _damaged(path, f"a tolerance of {tolerance}")
    if "levels" not in storage:
        fields = _numbers(contents, path, FIELDS, (count, *values.shape))
        return fields, data_digest(fields), tolerance
    if len(storage["levels"]) != count:
        raise _damaged(path, f"{len(storage['levels'])} levels where {count} are needed")
    return *read_levels(contents, storage, values, grid), tolerance


@dataclasses.dataclass(frozen=True)
class Description:
    """What a file says of an evolution besides its fields, checked and held against itself.

    Attributes
    ----------
    grid, sigma, covariance
        As of a `Record`.
    shape
        Of Q, and of one field.
    landscape
        Name, provenance and SHA-256 of Q, the SHA-256 of its standard error and of the returns of its seeds, empty if
        there are none, and whether Q is minimised.
    faces
        What is stated of Q on walls.
    solver, paths, report, reason, timing
        As of a `Record`.
    storage
        How the fields are stored; empty for full resolution.
    error_digest
        SHA-256 of the standard error of u, empty if there is none.
    groups_digest
        SHA-256 of the groups of draws, empty if there are none.
    drawn
        As of a `Record`.
    checksums
        SHA-256 as stored and as found, of what was read so far.
    """

    grid: Grid
    sigma: NDArray[np.float64]
    covariance: NDArray[np.float64] | None
    shape: tuple[int, ...]
    landscape: dict[str, Any]
    faces: Faces | None
    solver: Solver
    paths: Paths
    report: Report
    reason: str
    timing: dict[str, float]
    storage: dict[str, Any]
    error_digest: str
    groups_digest: str
    drawn: dict[str, Any] | None
    checksums: dict[str, tuple[str, str]]


def _minimised(path: Path, landscape: Mapping[str, Any]) -> bool:
    # files from before there was a choice are of returns
    minimise = landscape.get(MINIMISE, False)
    if not isinstance(minimise, bool):
        raise _damaged(path, f"minimise is {minimise!r:.40}")
    return minimise


def _drawn(path: Path, run: Mapping[str, Any], dimensions: int) -> dict[str, Any] | None:
    drawn = run.get(DRAWN)
    if drawn is None:
        return None
    if not isinstance(drawn, dict):
        raise _damaged(path, f"{DRAWN} is {drawn!r:.40}")
    edges = drawn.get("edges")
    if edges is not None:
        deviations, below, draws = np.asarray(edges["deviations"], dtype=np.float64), edges["below"], drawn["draws"]
        # files from before correlated noise had a floor leave nothing
        left = np.asarray(edges.get("left", [0.0] * dimensions), dtype=np.float64)
        good = deviations.shape == left.shape == (dimensions,) and np.isfinite(deviations).all()
        good = good and (deviations >= 0).all() and ((left >= 0) & (left <= 1)).all()
        if not (good and isinstance(below, int | float) and below > 0 and isinstance(draws, int) and draws > 0):
            raise _damaged(path, f"edges of {DRAWN} are {edges!r:.80} for {draws!r:.20} draws")
    return drawn


def _read_description(contents: Contents, path: Path) -> Description:
    # the texts are believed when their checksums fit, and everything else is held against them
    texts = {name: _json_text(contents, path, name) for name in JSON_PARTS}
    checksums = {
        "specification": (_attribute(contents, SPEC_DIGEST), text_digest(texts[SPEC])),
        "records": (
            _attribute(contents, RECORDS_DIGEST),
            text_digest("\n".join(texts[name] for name in JSON_PARTS[1:])),
        ),
    }
    for name, (stored, found) in checksums.items():
        if stored != found:
            raise _damaged(path, f"the SHA-256 of the {name} is {found[:12]}..., stored is {stored[:12]}...")
    spec = restored(json.loads(texts[SPEC]))
    run = restored(json.loads(texts[RUN]))
    grid = _read_grid(contents, path, spec)
    sigma = np.asarray(spec["sigma"], dtype=np.float64)
    if sigma.ndim not in (1, 2) or sigma.shape[1:] not in ((), (grid.dimensions,)) or not sigma.size:
        raise _damaged(path, f"sigma has the shape {sigma.shape}")
    # the time of the heat equation is its square
    if not (np.abs(sigma) < _LARGEST_SIGMA).all() or (sigma < 0).any():
        raise _damaged(path, "sigma is negative, or it or its square is not finite")
    if (np.diff(sigma if sigma.ndim == 1 else (sigma**2).sum(axis=1)) < 0).any():
        raise _damaged(path, "sigma is not in ascending order")
    for name, expected in (("sigma", sigma), ("time", sigma**2)):
        # what stands twice in a file, for us and for other programs, has to agree to the last bit
        if not _same_bits(_numbers(contents, path, name, sigma.shape), expected):
            raise _damaged(path, f"{name} contradicts the specification")
    covariance = _read_covariance(contents, path, spec, grid, sigma)
    if covariance is None and not np.array_equal(parse_sigma(sigma, grid), sigma):
        raise _damaged(path, "sigma is not in ascending order")
    shape = _dataset(contents, path, LANDSCAPE, "f").shape
    if shape[max(0, len(shape) - grid.dimensions) :] != grid.shape:
        raise _damaged(path, f"the landscape has the shape {shape}, its grid {grid.shape}")
    # JSON has lists where options have tuples
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
            ERROR_DIGEST: str(spec["landscape"].get(ERROR_DIGEST, "")),
            RETURNS_DIGEST: str(spec["landscape"].get(RETURNS_DIGEST, "")),
            MINIMISE: _minimised(path, spec["landscape"]),
        },
        _read_faces(path, spec["landscape"].get(FACES), _dataset(contents, path, LANDSCAPE, "f"), grid),
        solvers.get(spec["solver"]["name"])(**options),
        Paths(run["paths"], len(sigma), grid.dimensions),
        _read_report(texts[REPORT]),
        str(run["reason"]),
        {str(stage): float(seconds) for stage, seconds in run["timing"]},
        run.get("storage", {}),
        str(run.get(FIELDS_ERROR_DIGEST, "")),
        str(run.get(DRAW_GROUPS_DIGEST, "")),
        _drawn(path, run, grid.dimensions),
        checksums,
    )


def _read_faces(path: Path, given: Any, landscape: Any, grid: Grid) -> Faces | None:
    """What the specification states of Q on walls."""
    try:
        return checked_faces(given, np.broadcast_to(np.zeros((), landscape.dtype), landscape.shape), grid)
    except HeatpgError as reason:
        raise _damaged(path, f"the values on walls do not fit the landscape: {reason.one_line}") from reason


def _data_checksums(
    contents: Contents, description: Description, landscape_digest: str, found: str
) -> dict[str, tuple[str, str]]:
    return {
        "Q": (_attribute(contents, LANDSCAPE_DIGEST), landscape_digest),
        "Q in the specification": (description.landscape["sha256"], landscape_digest),
        "u": (_attribute(contents, FIELDS_DIGEST), found),
    }


@dataclasses.dataclass(frozen=True)
class _Scatter:
    """What a file holds of the sampling error, each None if it is not there, with checksums as stored and as found."""

    error: Array | None
    returns: Array | None
    fields_error: Array | None
    groups: Array | None
    checksums: dict[str, tuple[str, str]]


def _read_scatter(contents: Contents, path: Path, said: Description) -> _Scatter:
    checksums: dict[str, tuple[str, str]] = {}

    def read_one(name: str, label: str, stored: str, shape: tuple[int, ...] | None) -> Array | None:
        # a file may hold a dataset of such a name that is an axis of its own
        if not stored and (name not in contents.members or name != ERROR):
            return None
        array = _numbers(contents, path, name, shape)
        if not np.isfinite(array).all():
            raise _damaged(path, f"NaN or infinity in {name}")
        checksums[label] = stored, data_digest(array)
        return array

    error = read_one(ERROR, "standard error of Q", said.landscape[ERROR_DIGEST], said.shape)
    returns = read_one(RETURNS, "returns", said.landscape[RETURNS_DIGEST], None)
    of_u = read_one(FIELDS_ERROR, "standard error of u", said.error_digest, (len(said.sigma), *said.shape))
    if returns is not None and (len(returns) < 2 or returns.shape[1:] != said.shape):
        raise _damaged(path, f"{RETURNS} has the shape {returns.shape}, the landscape {said.shape}")
    if of_u is not None and (of_u < 0).any():
        raise _damaged(path, f"{FIELDS_ERROR} is negative")
    groups = read_one(DRAW_GROUPS, "groups of draws", said.groups_digest, None)
    if groups is not None:
        if said.drawn is None:
            raise _damaged(path, f"{DRAW_GROUPS} of fields that were not drawn")
        # an error is the scatter of at least two
        if len(groups) < 2 or groups.shape[1:] != (len(said.sigma), *said.shape):
            raise _damaged(path, f"{DRAW_GROUPS} has the shape {groups.shape}, the landscape {said.shape}")
    return _Scatter(error, returns, of_u, groups, checksums)


def _read(contents: Contents, path: Path) -> _Content:
    said = _read_description(contents, path)
    # Q before the fields: compact storage needs its shape and type
    values = _numbers(contents, path, LANDSCAPE)
    # the checksums are compared by who asked: load refuses, verify_file makes a report
    fields, digest, tolerance = _read_fields(contents, path, said.storage, values, said.grid, len(said.sigma))
    if fields.dtype != values.dtype or fields.dtype not in (np.float32, np.float64):
        raise _damaged(path, f"u is {fields.dtype}, the landscape {values.dtype}")
    if not np.isfinite(fields).all() or not np.isfinite(values).all():
        raise _damaged(path, "NaN or infinity among the values")
    scatter = _read_scatter(contents, path, said)
    record = Record(
        Landscape(
            HandedOver(values),
            said.grid,
            said.landscape["name"],
            said.landscape["provenance"],
            # the errors are those of the returns
            standard_error=handed_over(scatter.error) if scatter.returns is None else None,
            returns=handed_over(scatter.returns),
            minimise=said.landscape[MINIMISE],
            faces=said.faces,
        ),
        said.sigma,
        fields,
        said.solver,
        paths=said.paths,
        covariance=said.covariance,
        report=said.report,
        reason=said.reason,
        timing=said.timing,
        stored_tolerance=tolerance,
        known_error=scatter.fields_error,
        drawn=said.drawn,
        draw_groups=scatter.groups,
    )
    checksums = said.checksums | _data_checksums(contents, said, data_digest(values), digest) | scatter.checksums
    return _Content(record, checksums)


def in_rows(shape: tuple[int, ...], chunks: tuple[int, ...] | None, points: int) -> Iterator[tuple[slice, ...]]:
    """Boxes that follow each other in C order and make up an array, whole chunks where so many points hold them.

    Examples
    --------
    >>> from heatpg.store.reading import in_rows
    >>> [box[1] for box in in_rows((2, 5), (1, 2), 4)][:3]
    [slice(0, 4, None), slice(4, 5, None), slice(0, 4, None)]
    """
    # cut from the first axis on, until a piece fits; whole chunks, so that none is read twice
    extent = list(shape)
    for i, size in enumerate(shape):
        others = math.prod(extent) // max(1, size)
        if others * size <= points:
            break
        fits = max(1, points // max(1, others))
        step = chunks[i] if chunks else 1
        extent[i] = fits // step * step or fits
    ranges = (range(0, size, step) for size, step in zip(shape, extent, strict=True))
    # the last piece along an axis may be shorter
    for start in itertools.product(*ranges):
        yield tuple(slice(a, min(a + step, size)) for a, step, size in zip(start, extent, shape, strict=True))


def _digest_in_pieces(file: h5py.File, contents: Contents, path: Path, name: str, shape: tuple[int, ...]) -> str:
    member = _dataset(contents, path, name, "f")
    if member.shape != shape:
        raise _damaged(path, f"{name} has the shape {member.shape} where {shape} is needed")
    dataset = file[name]
    require_complete(dataset)
    digest = hashlib.sha256()
    # in C order, in which the digest was taken
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
                    f"{path} does not fit in memory, but compact storage can only be read as a whole",
                    advice="read it on a machine with more memory",
                )
            # here no array is there to be compared as a whole
            if len({contents.members[name].dtype for name in (LANDSCAPE, FIELDS)}) > 1:
                raise _damaged(path, "u and the landscape are of different types")
            digests = [
                _digest_in_pieces(file, contents, path, name, shape)
                for name, shape in ((LANDSCAPE, said.shape), (FIELDS, (len(said.sigma), *said.shape)))
            ]
            uncertain = _read_scatter(contents, path, said).checksums
            return said.checksums | _data_checksums(contents, said, *digests) | uncertain
    except (StoreError, ResourceError):
        raise
    except Refusal as reason:
        raise StoreError(f"{path} failed verification", given=reason) from None
    except Exception as reason:  # whatever the libraries make of a damaged file
        raise _damaged(path, reason) from reason


@contextlib.contextmanager
def open_in_pieces(path: StrPath) -> Iterator[tuple[h5py.File, Description]]:
    """A file whose fields are read piece by piece, and what it says of them.

    Links, types, filters and sizes are checked as `load` does it, and the checksums of what is read here; those of
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
    place = expanded(path)
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(_open(place))
            contents = _inspected(file, place, in_pieces=True)
            said = _read_description(contents, place)
            shapes = {LANDSCAPE: said.shape, FIELDS: (len(said.sigma), *said.shape)}
            for name in shapes if not said.storage.get("levels") else ():
                if _dataset(contents, place, name, "f").shape != shapes[name]:
                    raise _damaged(place, f"{name} does not have the shape {shapes[name]}")
                require_complete(file[name])
        except HeatpgError:
            raise
        except Refusal as reason:
            raise StoreError(f"{place} failed verification", given=reason) from None
        except Exception as reason:  # whatever the libraries make of a damaged file
            raise _damaged(place, reason) from reason
        if said.storage.get("levels"):
            raise UnsupportedError("compact storage can only be read as a whole", given=place, advice="use heatpg.load")
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
        raise StoreError(f"{path} failed verification", given=reason) from None
    except ResourceError as reason:
        # of an untrusted file any trouble is a refusal; of an own one too little memory is what it is
        if not untrusted:
            raise
        raise StoreError(f"refused: {path}", given=reason) from None
    except Exception as reason:  # whatever the libraries make of a damaged file
        raise _damaged(path, reason) from reason


def read(path: StrPath, *, untrusted: bool = False) -> Record:
    """The contents of a file, after verification; `heatpg.load` says what may go wrong, and gives an `Evolution`.

    Parameters
    ----------
    path
        Name of the file.
    untrusted
        Whether to read the file in a sandboxed process.
    """
    place = expanded(path)
    content = _content(place, untrusted=untrusted)
    for name, (stored, found) in content.checksums.items():
        if stored != found:
            raise _damaged(place, f"the SHA-256 of {name} is {found[:12]}..., stored is {stored[:12]}...")
    return content.record


def task_text(path: StrPath) -> str:
    """What `image` was given as the task of this file; empty if nothing.

    Raises
    ------
    StoreError
        As `load` does, for what is checked; the data are not.
    """
    place = expanded(path)
    with _open(place) as file:
        try:
            contents = inspect(file, Limits(objects=MOST_OBJECTS, chunk=LARGEST_CHUNK))
            return _json_text(contents, place, TASK) if {TASK} & {*contents.attrs, *contents.members} else ""
        except Refusal as reason:
            raise StoreError(f"{place} failed verification", given=reason) from None
        except (OSError, RuntimeError, ValueError, TypeError, LookupError) as reason:
            raise _damaged(place, reason) from reason


def _integrity(checksums: Mapping[str, tuple[str, str]]) -> Iterator[Check]:
    yield Check("structure", "passed", "schema, links, types, shapes and fletcher32 checksums are valid")
    for name, (stored, found) in checksums.items():
        if stored == found:
            yield Check(f"checksum of {name}", "passed", f"SHA-256 {found[:12]}... matches")
        else:
            yield Check(f"checksum of {name}", "failed", f"SHA-256 is {found[:12]}..., stored is {stored[:12]}...")


def verify_file(path: StrPath, *, untrusted: bool = False) -> Report:
    """Verify a file: its structure, and the checksums of all its data.

    Large files are read in blocks.

    Parameters
    ----------
    path
        Name of the file.
    untrusted
        As in `load`.

    Returns
    -------
    report
        One entry per checksum; an unreadable file has a single failed entry.

    Raises
    ------
    StoreError
        If the file does not exist (`MissingFileError`), is not a heatpg file, or has a newer schema.
    ResourceError
        If the file is in compact storage and its declared contents exceed the memory.
    """
    place = expanded(path)
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
        return Report([Check("structure", "failed", reason.one_line)], "file")
