"""Arrays of NumPy: one in a ``.npy``, several by name in a ``.npz``."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from heatpg.errors import GridError, HeatpgError, OptionError, StoreError
from heatpg.formats import Format, Positions, Sampled, Wanted, formats
from heatpg.formats._coordinates import Arrays, along, matched, named, the_variable
from heatpg.formats._points import completed, in_every_word, in_words, require_real
from heatpg.tools.resources import require_memory

Array = NDArray[Any]

_VALUES = "values"  # the array of an archive that holds Q, where no other is named
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # an archive, and one without members


def _shape(stream: IO[bytes], held: int, what: str) -> tuple[int, ...]:
    """The shape in the header of an array, which is held against the bytes that are there; nothing is allocated."""
    version = np.lib.format.read_magic(stream)
    header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if header is None:
        # version 3 differs by the names of fields, which no array of numbers has
        raise ValueError(f"{what} has version {version} of the NumPy format, which arrays of numbers do not use")
    shape, _, dtype = header(stream)
    if dtype.hasobject:
        raise ValueError(f"{what} contains pickled Python objects, which are never read: convert with .astype(float)")
    needed = math.prod(shape) * dtype.itemsize
    if needed > held:
        raise ValueError(f"{what} is truncated: {needed:,} bytes needed, {held:,} found")
    require_memory(2.0 * needed, what, "read it on a machine with more memory")
    return tuple(shape)


def _load(path: Path) -> Array | dict[str, Array]:
    try:
        with path.open("rb") as file:
            if file.read(4) in _ZIP:
                return _load_archive(file)
            file.seek(0)
            _shape(file, os.fstat(file.fileno()).st_size, path.name)
            file.seek(0)
            return np.asarray(np.load(file, allow_pickle=False))
    except HeatpgError:
        raise
    except FileNotFoundError as reason:
        raise StoreError.unreadable(path, reason) from None
    except (OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as reason:
        raise OptionError(
            f"cannot read {path}",
            given=reason,
            allowed=".npy or .npz of numbers",
            advice="write it again: np.save(path, values), or np.savez(path, values=values, x=nodes, y=nodes)",
        ) from None


def _load_archive(file: IO[bytes]) -> dict[str, Array]:
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if member.filename.endswith(".npy"):
                with archive.open(member) as stream:
                    _shape(stream, member.file_size, member.filename)
    file.seek(0)
    content = np.load(file, allow_pickle=False)
    return {key: content[key] for key in content.files}


def _require_order(path: Path, arrays: Arrays, name: str, others: Sequence[str]) -> None:
    """Refuse what is plainly not one vector of nodes for each axis, in their order, where a word would mend it."""
    shape = arrays[name][0]
    lengths = [math.prod(arrays[key][0]) for key in others]
    if lengths == list(shape):
        return
    alike = [key for key in others if arrays[key][0] == shape and (len(shape) > 1 or len(others) > 1)]
    fields = [key for key in alike if along(arrays[key][1](), shape) is None] or alike[1:]
    if len(others) > len(shape) and fields:
        rest = [key for key in others if key != fields[0]]
        raise OptionError(
            f"{path} has {len(others)} arrays in addition to {name} of shape {shape}",
            given=in_words([f"{key} {arrays[key][0]}" for key in others]),
            advice=(
                f"if {fields[0]} contains the standard errors: {in_every_word(standard_error=fields[0])}; otherwise "
                f"select the nodes: {in_every_word(axes=rest[: len(shape)])}"
            ),
        )
    if sorted(lengths) == sorted(shape):
        found = matched(path, arrays, name, others)
        if found is not None:
            raise GridError(
                f"the nodes in {path} are not in the order of the axes of {name}, whose shape is {shape}",
                given=in_words([f"{key} {arrays[key][0]}" for key in others]),
                advice=f"name them in their order: {in_every_word(axes=[key for key, _ in found])}",
            )


@formats.register("numpy")
class _NumPy(Format):
    """Arrays of NumPy: .npy, or .npz with 'values' and the positions along each axis."""

    def takes(self, path: Path, head: bytes) -> bool:
        return head.startswith((b"\x93NUMPY", *_ZIP))

    def read(self, path: Path, wanted: Wanted) -> Sampled:
        content = _load(path)
        if not isinstance(content, dict):
            if wanted.variable or wanted.axes or wanted.standard_error:
                raise OptionError(
                    f"{path.name} contains one array without a name",
                    given="variable, axes or standard_error",
                    advice="omit them, or write np.savez(path, values=values, x=nodes, y=nodes)",
                )
            return self._sampled(path, "the array", content, (), None, wanted)
        arrays: Arrays = {key: (each.shape, lambda each=each: each) for key, each in content.items()}  # type: ignore[misc]
        if not wanted.variable and _VALUES not in content:
            raise GridError(
                f"{path} has no array 'values'",
                given=in_words(list(content)) if content else "no arrays",
                advice="write it as np.savez(path, values=array, x=nodes, y=nodes), one array of nodes per axis"
                + (f", or select the array that holds Q: variable={next(iter(content))!r}" if content else ""),
            )
        name = the_variable(path, arrays, wanted.variable or _VALUES, ())
        error = None
        if wanted.standard_error:
            error = content[the_variable(path, arrays, wanted.standard_error, (), role="standard error")]
        others = [key for key in content if key not in (name, wanted.standard_error)]
        if wanted.axes:
            places: list[tuple[str, Array | None]] = named(path, arrays, name, wanted.axes)
        elif wanted.variable and wanted.variable != _VALUES:
            places = matched(path, arrays, name, others) or []
        else:
            # what is left are the nodes of the axes, in the order in which they were stored
            _require_order(path, arrays, name, others)
            places = [(key, content[key]) for key in others]
        axes = tuple(Positions(key, each) for key, each in places)
        return self._sampled(path, name, content[name], axes, error, wanted)

    @staticmethod
    def _sampled(
        path: Path, name: str, values: Array, axes: tuple[Positions, ...], error: Array | None, wanted: Wanted
    ) -> Sampled:
        # numbers of other kinds have no NaN; whether they are real is asked by the landscape
        if values.dtype.kind == "f" and values.dtype.itemsize <= 8:
            filled = require_real(path, name, values)
            values = completed(
                *(path, name, filled, np.isnan(filled), axes, wanted.fill),
                why="NaN",
                advice="sample these points and write the file again",
            )
        return Sampled(values, axes, error)
