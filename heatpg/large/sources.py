"""Where Q is read from, block by block; the file that is read back so; and the scratch between two passes."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from heatpg.core.faces import Faces, require_extrapolated
from heatpg.core.grid import Grid
from heatpg.core.landscape import Landscape
from heatpg.core.positions import grid_of_nodes
from heatpg.core.report import Report
from heatpg.errors import GridError, NonFiniteError, OptionError, StoreError, UnsupportedError
from heatpg.large.blocks import Box
from heatpg.solvers import Solver
from heatpg.store.reading import Description, open_in_pieces
from heatpg.store.record import FIELDS, LANDSCAPE, MINIMISE
from heatpg.tools.arrays import real_array, unmasked
from heatpg.tools.calls import checked_call, checked_class
from heatpg.tools.folders import expanded

__all__ = ["LargeFile", "LargeLandscape", "Origin", "RawFile", "Reader", "open_large", "open_source"]

Array = NDArray[Any]
StrPath = str | os.PathLike[str]
Function = Callable[..., Any]
Source = Landscape | Function | NDArray[Any] | str | os.PathLike[str]


class Reader(Protocol):
    """Something of which blocks can be read."""

    def read(self, box: Box) -> Array:
        """A block, C-contiguous, that may be the data themselves: it is not written to."""
        ...


class RawFile:
    """An array of numbers in a file, in C order, of which blocks are read and written by position.

    Nothing is mapped: a map would count as memory where the address space is limited.

    Parameters
    ----------
    descriptor
        Of the open file.
    shape, dtype
        Of the array.
    offset
        Bytes before it.
    """

    def __init__(self, descriptor: int, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int = 0) -> None:
        self.descriptor = descriptor
        self.shape = shape
        self.dtype = dtype
        self.offset = offset

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        return math.prod(self.shape) * self.dtype.itemsize

    def reserve(self) -> None:
        """Take the room on the disk before anything is written."""
        reserve(self.descriptor, self.offset + self.nbytes)

    def _runs(self, box: Box) -> Iterator[tuple[int, int, int]]:
        """Byte in the file, byte in the block and length of every stretch of a block that is of one piece."""
        split = len(self.shape)
        # axes that are whole, from the last one on, are of one piece in the file
        while split and (box[split - 1].start, box[split - 1].stop) == (0, self.shape[split - 1]):
            split -= 1
        split = max(0, split - 1)  # the last axis that is cut is of one piece still
        sizes = [part.stop - part.start for part in box]
        length = math.prod(sizes[split:]) * self.dtype.itemsize
        strides = [math.prod(self.shape[i + 1 :]) * self.dtype.itemsize for i in range(len(self.shape))]
        within = sum(part.start * stride for part, stride in zip(box[split:], strides[split:], strict=True))
        place = 0
        # for every position along the axes before, one stretch
        for index in itertools.product(*(range(part.start, part.stop) for part in box[:split])):
            at = self.offset + within + sum(i * stride for i, stride in zip(index, strides, strict=False))
            yield at, place, length
            place += length

    def read(self, box: Box) -> Array:
        block = np.empty([part.stop - part.start for part in box], self.dtype)
        view = block.reshape(-1).view(np.uint8).data
        for at, place, length in self._runs(box):
            rest = view[place : place + length]
            while rest:
                # by position, so that no other read can move it; and perhaps less than was asked for
                count = os.preadv(self.descriptor, [rest], at)
                if not count:
                    raise StoreError("a file is truncated", given=f"{len(rest):,} bytes are missing")
                rest, at = rest[count:], at + count
        return block

    def write(self, box: Box, block: Array) -> None:
        """Write a block, C-contiguous and of the type of the array."""
        view = block.reshape(-1).view(np.uint8).data
        for at, place, length in self._runs(box):
            rest = view[place : place + length]
            while rest:
                count = os.pwrite(self.descriptor, rest, at)
                rest, at = rest[count:], at + count


def reserve(descriptor: int, size: int) -> None:
    """Take room on the disk, so that no later write can find it full; nothing where the system has no such call."""
    # to find the disk full in the middle of a write of HDF5 would leave a file that cannot be closed
    if hasattr(os, "posix_fallocate") and size:
        os.posix_fallocate(descriptor, 0, size)


@contextlib.contextmanager
def scratch(folder: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Iterator[RawFile]:
    """An array on the disk that has no name, so that nothing of it is left whatever ends this process."""
    # the system takes it back when its descriptor is closed, by whatever ends the process
    with tempfile.TemporaryFile(dir=folder, prefix=".heatpg-large-", buffering=0) as file:
        array = RawFile(file.fileno(), shape, dtype)
        array.reserve()
        yield array


class LargeFile:
    """An evolution in a file, of which fields are read in blocks.

    Attributes
    ----------
    path
        The file.
    grid, sigma, solver, reason, report
        As of an `heatpg.Evolution`.
    shape
        Of one field, batch axes included.
    dtype
        Of the values.
    name, minimise
        Of the landscape.

    Examples
    --------
    >>> import os, tempfile
    >>> from heatpg import landscapes, save
    >>> from heatpg.evolution import solve
    >>> from heatpg.large import open_large
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(solve(landscapes.ridge(size=21), [0.2, 0.4]), os.path.join(folder, "ridge.h5"))
    ...     with open_large(os.path.join(folder, "ridge.h5")) as file:
    ...         file.sigma.tolist(), file.field(1)[:3, 5:].shape
    ([0.2, 0.4], (3, 16))
    """

    def __init__(self, path: Path, file: h5py.File, said: Description) -> None:
        self.path = path
        self.grid: Grid = said.grid
        self.sigma = said.sigma
        self.solver: Solver = said.solver
        self.reason: str = said.reason
        self.report: Report = said.report
        self.shape: tuple[int, ...] = said.shape
        self.name: str = str(said.landscape["name"])
        self.provenance: dict[str, Any] = dict(said.landscape["provenance"])
        self.minimise: bool = said.landscape[MINIMISE]
        self.stated_faces: Faces | None = said.faces
        self.dtype = np.dtype(file[FIELDS].dtype).newbyteorder("=")
        self._file = file

    def __len__(self) -> int:
        return len(self.sigma)

    def __repr__(self) -> str:
        return f"<LargeFile {self.path.name!r}: {len(self)} sigmas, fields of {self.shape} {self.dtype}>"

    @property
    def landscape(self) -> _Stored:
        """Q, read where it is indexed with slices: ``file.landscape[0:10, :]``."""
        return _Stored(self._file[LANDSCAPE], (), self)

    def field(self, level: int) -> _Stored:
        """u at one sigma, read where it is indexed with slices."""
        return _Stored(self._file[FIELDS], (range(len(self))[level],), self)


class _Stored:
    """A field in a file: `numpy`-like indexing with slices and numbers, nothing read before."""

    def __init__(self, dataset: h5py.Dataset, level: tuple[int, ...], file: LargeFile) -> None:
        self._dataset = dataset
        self._level = level
        self.shape = file.shape
        self.dtype = file.dtype

    def __getitem__(self, key: Any) -> Array:
        parts = key if isinstance(key, tuple) else (key,)
        return np.asarray(self._dataset[(*self._level, *parts)], dtype=self.dtype)

    def read(self, box: Box) -> Array:
        try:
            return np.ascontiguousarray(self[box])
        except (OSError, RuntimeError) as reason:
            raise StoreError("a block of the source cannot be read", given=reason) from None


@checked_call()
@contextlib.contextmanager
def open_large(path: StrPath) -> Iterator[LargeFile]:
    """Open an evolution whose fields are read in blocks on demand.

    Links, types, filters and sizes are checked as in `heatpg.load`, and the checksum (fletcher32) of every chunk
    as it is read; the SHA-256 of all data is verified by `heatpg.store.reading.verify_file`.

    Parameters
    ----------
    path
        Name of a file at full resolution.

    Raises
    ------
    StoreError
        As `heatpg.load` does.
    UnsupportedError
        For compact storage.
    """
    with open_in_pieces(path) as (file, said):
        yield LargeFile(expanded(path), file, said)


class Origin:
    """Q, of which blocks can be read.

    Attributes
    ----------
    grid, shape, dtype
        Where it is sampled, its shape with the batch axes, and the type that its blocks have.
    name, provenance, minimise
        As of a `Landscape`.
    costly
        Whether a block is worth keeping, because it would have to be computed again.
    """

    def __init__(
        self,
        reader: Reader,
        grid: Grid,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        name: str,
        provenance: dict[str, Any],
        *,
        costly: bool = False,
        minimise: bool = False,
    ) -> None:
        self.minimise = minimise
        self.grid = grid
        self.shape = shape
        self.dtype = dtype
        self.name = name
        self.provenance = provenance
        self.costly = costly
        self._reader = reader

    def read(self, box: Box) -> Array:
        return np.ascontiguousarray(self._reader.read(box), dtype=self.dtype)


class _InMemory:
    def __init__(self, values: Array) -> None:
        self.values = values

    def read(self, box: Box) -> Array:
        return self.values[box]


class _Sampled:
    """A function of the coordinates, called on blocks."""

    def __init__(self, function: Function, grid: Grid) -> None:
        self.function = function
        self.grid = grid

    def read(self, box: Box) -> Array:
        # the function sees the nodes of a block, as it would see those of a small grid
        nodes = (axis.coordinates[part] for axis, part in zip(self.grid, box, strict=True))
        mesh = np.meshgrid(*nodes, indexing="ij", copy=False)
        values = real_array("the result of the function", self.function(*mesh))
        if values.shape != mesh[0].shape:
            raise GridError(
                "the function must return one value per point",
                given=f"shape {values.shape}",
                allowed=f"shape {mesh[0].shape}",
            )
        return values


def _own_type(kind: np.dtype[Any], dtype: object) -> np.dtype[Any]:
    """The type of the field: what was asked for, or that of the source, where a landscape may have it."""
    # files may hold the other byte order, and kernels do not read it
    native = kind.newbyteorder("=")
    # of one entry, because all may be more than memory holds
    real_array("Q", np.zeros(1, native), allowed="float32, float64, integers, bool")
    wanted = np.dtype(dtype) if dtype is not None else native  # type: ignore[call-overload]
    if dtype is None and native not in (np.float32, np.float64):
        wanted = np.dtype(np.float64)
    if wanted not in (np.float32, np.float64):
        raise OptionError("unsupported type of the field", given=wanted, allowed="float32, float64")
    return np.dtype(wanted)


def _require_grid(grid: Grid | None, shape: tuple[int, ...]) -> Grid:
    if grid is None:
        raise GridError(
            "this source needs a grid",
            given="none",
            advice="pass LargeLandscape(source, grid); for a .npy file a boundary suffices (grid spacing 1)",
        )
    if len(shape) < grid.dimensions or shape[len(shape) - grid.dimensions :] != grid.shape:
        raise GridError(
            "the values have the wrong shape for the grid",
            given=f"shape {shape}",
            allowed=f"{grid.shape}, or batch axes in front of it",
        )
    if not math.prod(shape):
        raise GridError("the batch is empty", given=f"shape {shape}")
    return grid


def _open_npy(stack: contextlib.ExitStack, path: Path) -> RawFile:
    """The array of a ``.npy`` file; its pieces are read, and nothing in it is believed to be code."""
    try:
        file = stack.enter_context(path.open("rb", buffering=0))
        version = np.lib.format.read_magic(file)
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        if version not in readers:
            raise ValueError(f"version {version} of the format")
        shape, by_columns, dtype = readers[version](file)
        offset = file.tell()
        size = os.fstat(file.fileno()).st_size
    except FileNotFoundError as reason:
        raise StoreError.unreadable(path, reason) from None
    except (OSError, ValueError, EOFError) as reason:
        raise OptionError(f"cannot read {path}", given=reason, allowed=".npy arrays of numbers") from None
    if dtype.hasobject or dtype.fields is not None:
        raise OptionError(f"cannot read {path}", given=f"dtype {dtype}", allowed=".npy arrays of numbers")
    # blocks of rows would be strewn over all of such a file
    if by_columns and len(shape) > 1:
        raise UnsupportedError(
            f"{path} is stored in Fortran order", advice="convert it: np.save(path, np.ascontiguousarray(array))"
        )
    array = RawFile(file.fileno(), tuple(int(n) for n in shape), dtype, offset)
    # told now, and not when the last block is read
    if offset + array.nbytes > size:
        raise StoreError(
            f"{path} is truncated",
            given=f"{size:,} bytes",
            allowed=f"{offset + array.nbytes:,} bytes",
            advice="copy or write it again",
        )
    return array


def _named(label: str, name: str) -> str:
    return name or label.strip("<>") or "landscape"


@checked_class()
@dataclasses.dataclass(frozen=True, eq=False)
class LargeLandscape:
    """Q on disk, on the ranks of a program, or as a function, with the information that the source does not contain.

    Parameters
    ----------
    source
        The path of a ``.npy`` file, or of a heatpg file, whose landscape is used; an array or a memory map; a
        `heatpg.Landscape`; or a function of the coordinates, called on blocks of nodes as ``function(x1, x2, ...)``,
        possibly more than once per block.
    grid
        Grid of Q; a landscape and a heatpg file contain it.
    boundary, nodes
        Instead of a grid, for a ``.npy`` file: its grid spacing is 1, as in `heatpg.Landscape.from_file`; for all axes,
        or by name.
    dtype
        float32 or float64; by default the type of the source, float64 for integers and functions.
    name
        Name of the landscape; by default that of the source.
    minimise
        Whether Q is a loss, whose smallest value is the optimum; None: what a landscape or a file of heatpg says of
        itself, and otherwise not.

    Raises
    ------
    OptionError
        For a boundary condition in addition to a grid, or for anything but a ``.npy`` file.
    """

    source: Source
    grid: Grid | None = None
    _: dataclasses.KW_ONLY
    boundary: str | Mapping[str, str] = ""
    nodes: str | Mapping[str, str] = "vertex"
    dtype: object = None
    name: str = ""
    minimise: bool | None = None

    def __post_init__(self) -> None:
        is_npy = isinstance(self.source, str | os.PathLike) and Path(self.source).suffix == ".npy"
        if (self.boundary or self.nodes != "vertex") and (self.grid is not None or not is_npy):
            raise OptionError(
                "boundary= and nodes= are only for a .npy file without a grid",
                given=f"boundary={self.boundary!r}, nodes={self.nodes!r}",
                advice="omit them: the axes of the grid contain the boundary conditions",
            )

    @classmethod
    def of(cls, given: LargeLandscape | Source) -> LargeLandscape:
        """What was given, or of a bare source all that the source says of itself."""
        return given if isinstance(given, LargeLandscape) else cls(given)


@contextlib.contextmanager
def open_source(landscape: LargeLandscape) -> Iterator[Origin]:
    """Make a landscape readable in blocks.

    Raises
    ------
    GridError, OptionError, UnsupportedError, StoreError
        For what is no source.
    """
    source, grid, dtype, name = landscape.source, landscape.grid, landscape.dtype, landscape.name
    loss = bool(landscape.minimise)
    with contextlib.ExitStack() as stack:
        if isinstance(source, str | os.PathLike):
            yield _opened_file(stack, expanded(source), landscape)
        # a landscape knows its grid, and a grid beside it can only contradict
        elif isinstance(source, Landscape):
            if grid is not None and grid != source.grid:
                raise GridError("the landscape has its own grid", given="another grid", advice="omit grid")
            require_extrapolated(source.stated_faces, "an evolution in pieces")
            yield Origin(
                _InMemory(source.values),
                source.grid,
                source.values.shape,
                _own_type(source.values.dtype, dtype),
                name or source.name,
                source.provenance,
                minimise=source.minimise if landscape.minimise is None else loss,
            )
        elif isinstance(source, np.ndarray):
            unmasked("Q", source)
            place = _require_grid(grid, source.shape)
            kind = _own_type(source.dtype, dtype)
            origin = {"source": "array"}
            yield Origin(_InMemory(source), place, source.shape, kind, _named("", name), origin, minimise=loss)
        elif callable(source):
            if grid is None:
                raise GridError("a function needs a grid", advice="pass LargeLandscape(function, grid)")
            label = _named(str(getattr(source, "__name__", "function")), name)
            origin = {"source": "function", "function": label}
            kind = _own_type(np.dtype(np.float64), dtype)
            yield Origin(_Sampled(source, grid), grid, grid.shape, kind, label, origin, costly=True, minimise=loss)
        else:
            raise OptionError(
                "unsupported source of the field",
                given=f"{type(source).__name__}",
                allowed="a Landscape, an array, the name of a .npy or .h5 file, or a function of the coordinates",
            )


def _opened_file(stack: contextlib.ExitStack, path: Path, landscape: LargeLandscape) -> Origin:
    grid, dtype, name = landscape.grid, landscape.dtype, landscape.name
    if path.suffix == ".npy":
        array = _open_npy(stack, path)
        if landscape.boundary:
            grid = grid_of_nodes(array.shape, boundary=landscape.boundary, nodes=landscape.nodes)
        place = _require_grid(grid, array.shape)
        kind = _own_type(array.dtype, dtype)
        origin, label, loss = {"source": "file", "file": path.name}, _named(path.stem, name), bool(landscape.minimise)
        return Origin(array, place, array.shape, kind, label, origin, minimise=loss)
    if path.suffix in (".h5", ".hdf5"):
        file = stack.enter_context(open_large(path))
        if grid is not None and grid != file.grid:
            raise GridError("the file has its own grid", given="another grid", advice="omit grid")
        require_extrapolated(file.stated_faces, "an evolution in pieces")
        kind = _own_type(file.dtype, dtype)
        loss = file.minimise if landscape.minimise is None else landscape.minimise
        return Origin(file.landscape, file.grid, file.shape, kind, name or file.name, file.provenance, minimise=loss)
    raise OptionError("unsupported file type", given=path.name, allowed=".npy, .h5, .hdf5")


def require_finite(block: Array, box: Sequence[slice]) -> tuple[float, float]:
    """Least and largest value of a block of Q.

    Raises
    ------
    NonFiniteError
        With the first place where it is not finite.
    """
    with np.errstate(invalid="ignore"):
        low, high = float(block.min()), float(block.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        place = np.argwhere(~np.isfinite(block))[0]
        index = tuple(int(i) + part.start for i, part in zip(place, box, strict=True))
        raise NonFiniteError(
            f"Q is not finite at index {index}",
            given=float(block[tuple(place)]),
            advice="fill or resample these points first: one NaN would spread over the whole field",
        )
    return low, high
