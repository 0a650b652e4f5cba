"""HDF5 files of other programs, opened with care: no links out of the file, no filters from outside, no huge arrays."""

from __future__ import annotations

import contextlib
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from heatpg.errors import HeatpgError, OptionError, StoreError
from heatpg.tools.resources import human_bytes, require_memory

__all__ = [
    "SIGNATURE",
    "begins_as_hdf5",
    "datasets",
    "leaving",
    "made_by_heatpg",
    "numbers",
    "opened",
    "text_attribute",
]

Array = NDArray[Any]

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MOST_OBJECTS = 10_000  # a file of one landscape has a few; a taste
_LARGEST_CHUNK = 2**28  # bytes; netCDF and h5py write some mebibytes
_SMALL = 2**26  # bytes that any file may grow to
_EXPANSION = 2000.0  # deflate makes at most 1032 of one byte, and shuffle and a fill value help it; a taste
_LARGEST_ATTRIBUTE = 2**16  # bytes of a text that is read
# those that HDF5 and h5py bring; any other is code that HDF5 would load from a folder
_FILTERS = {
    h5py.h5z.FILTER_DEFLATE,
    h5py.h5z.FILTER_SHUFFLE,
    h5py.h5z.FILTER_FLETCHER32,
    h5py.h5z.FILTER_SZIP,
    h5py.h5z.FILTER_NBIT,
    h5py.h5z.FILTER_SCALEOFFSET,
    h5py.h5z.FILTER_LZF,
}


def begins_as_hdf5(head: bytes) -> bool:
    """Whether a file is of HDF5: the signature is at its begin, or after a block of 512, 1024, ... bytes of the user.

    Examples
    --------
    >>> from heatpg.formats._hdf5 import SIGNATURE, begins_as_hdf5
    >>> begins_as_hdf5(SIGNATURE), begins_as_hdf5(bytes(512) + SIGNATURE), begins_as_hdf5(bytes(100) + SIGNATURE)
    (True, True, False)
    """
    places = [0, *(512 * 2**i for i in range(3))]
    return any(head[place : place + len(SIGNATURE)] == SIGNATURE for place in places)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file to read; whatever the library makes of a damaged one becomes an error of ours.

    Raises
    ------
    StoreError
        If it is damaged.
    """
    try:
        # somebody else's file may be on a disk whose locks do not work, and is only read
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except HeatpgError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, zlib.error) as reason:
        raise StoreError(
            f"cannot read {path}",
            given=str(reason).splitlines()[0][:200] if str(reason) else type(reason).__name__,
            advice="the file is corrupted or still being written: copy it again, or close the program that writes it",
        ) from None


def made_by_heatpg(path: Path) -> bool:
    """Whether a file says that it is a result of heatpg, or an index of such.

    Raises
    ------
    StoreError
        If it is of HDF5 and damaged.
    """
    with path.open("rb") as stream:
        if not begins_as_hdf5(stream.read(4096)):
            return False
    with opened(path) as file:
        return any(name.startswith("heatpg_") for name in file.attrs)


def text_attribute(thing: h5py.HLObject, name: str) -> str:
    """An attribute, if it is one text; otherwise empty."""
    if name not in thing.attrs:
        return ""
    identifier = thing.attrs.get_id(name)
    if identifier.get_storage_size() > _LARGEST_ATTRIBUTE or math.prod(identifier.shape or ()) != 1:
        return ""
    if identifier.get_type().get_class() != h5py.h5t.STRING:
        return ""
    value = np.asarray(thing.attrs[name]).reshape(-1)[0]
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """All datasets by their path without the leading slash, those of the first group first.

    Links that lead out of the file are left out: what they lead to is not part of it.

    Raises
    ------
    StoreError
        For more than 10,000 objects.
    """
    found: dict[str, h5py.Dataset] = {}
    seen: set[int] = set()
    groups: list[tuple[str, h5py.Group]] = [("", file["/"])]
    count = 0
    while groups:
        prefix, group = groups.pop(0)
        count += len(group)
        if count > _MOST_OBJECTS:
            raise StoreError(f"{file.filename} has too many objects", given=f"more than {_MOST_OBJECTS:,}")
        for name in group:
            # soft links are names within the file that an object has elsewhere
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            thing = group[name]
            if isinstance(thing, h5py.Dataset):
                found[f"{prefix}{name}"] = thing
            elif isinstance(thing, h5py.Group):
                # by address, so that a circle of hard links ends
                address = h5py.h5o.get_info(thing.id).addr
                if address not in seen:
                    seen.add(address)
                    groups.append((f"{prefix}{name}/", thing))
    return found


def leaving(file: h5py.File) -> list[str]:
    """Names in the first group that are links to another file, which are not followed."""
    return [name for name in file if isinstance(file.get(name, getlink=True), h5py.ExternalLink)]


def _refusal(dataset: h5py.Dataset) -> str:
    plist = dataset.id.get_create_plist()
    if plist.get_external_count():
        return "its data are in another file"
    if plist.get_layout() not in (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED):
        return "it is a virtual dataset with data elsewhere"
    for number in (plist.get_filter(i)[0] for i in range(plist.get_nfilters())):
        if number not in _FILTERS:
            return f"HDF5 filter {number} is not built into HDF5"
    if dataset.chunks and math.prod(dataset.chunks) * dataset.dtype.itemsize > _LARGEST_CHUNK:
        return f"its chunks of {dataset.chunks} are too large"
    stored, declared = dataset.id.get_storage_size(), dataset.nbytes
    if declared > max(_SMALL, _EXPANSION * max(stored, 1)):
        return f"it would grow from {human_bytes(stored)} to {human_bytes(declared)}"
    return ""


def numbers(path: Path, dataset: h5py.Dataset) -> Array:
    """A dataset as an array, if it is of numbers that lie in the file.

    Raises
    ------
    OptionError
        For data in other files, filters from outside, sizes that the bytes in the file do not bear out.
    ResourceError
        If it does not fit in memory.
    """
    refusal = _refusal(dataset)
    if refusal:
        raise OptionError(
            f"{dataset.name.lstrip('/')} of {path} cannot be read safely",
            given=refusal,
            advice="write it into a separate file: h5py.File(path, 'w')['Q'] = values",
        )
    require_memory(2.0 * dataset.nbytes, f"{dataset.name} of {path}", "read it on a machine with more memory")
    return np.asarray(dataset[()])
