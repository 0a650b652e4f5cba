"""Shards: one file for each task that is done, under the name of the task, complete or not there at all.

A shard is a file as `heatpg.save` writes it, and behind it a trailer: which task it is, how long it is, and its
SHA-256. HDF5 does not look behind the end of its data, so every reader opens a shard as it is; the trailer is read
first, and HDF5 reads only bytes that heatpg has written.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

from heatpg.errors import HeatpgError, ResourceError
from heatpg.store.reading import task_text, verify_file
from heatpg.tools.folders import Folder, held
from heatpg.tools.processes import host, leftovers
from heatpg.tools.publishing import publish_within

__all__ = [
    "Seen",
    "clean",
    "inspect",
    "inspect_all",
    "inspect_contents",
    "inspect_sealed",
    "look",
    "publish_shard",
    "seal",
    "shard_name",
    "shard_path",
    "stored",
    "temporaries",
    "temporary_name",
]

StrPath = str | os.PathLike[str]

_FOLDER = "shards"
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MAGIC = b"heatpg\0\1"  # a zero byte, which no text has, and the version of the seal
_SEAL = struct.Struct("<8s32s32sQI")  # magic, task, SHA-256 of the image, its length, CRC-32 of all these
_PIECE = 2**20  # bytes that are hashed at a time; taste: more is no faster
_PREFIX = ".tmp-"
_IDENTITY = re.compile(r"[0-9a-f]{64}")
_GROUP = re.compile(r"[0-9a-f]{2}")


class Seen(NamedTuple):
    """What tells a result file from any other without reading all of it.

    Attributes
    ----------
    task
        Its task.
    sha256
        SHA-256 of its image, by its trailer.
    length
        Bytes of its image.
    modified
        When it was changed last, in nanoseconds.
    """

    task: str
    sha256: str
    length: int
    modified: int


def shard_name(identity: str) -> str:
    """Name of the shard of a task within the folder of its batch.

    Examples
    --------
    >>> from heatpg.batch.shards import shard_name
    >>> shard_name(64 * "0")[:14]
    'shards/00/0000'
    """
    # The first two digits make 256 folders at most, so that a million shards do not lie in one.
    return f"{_FOLDER}/{identity[:2]}/{identity}.h5"


def shard_path(folder: Path, identity: str) -> Path:
    """Path of the result file of a task in a batch directory.

    Examples
    --------
    >>> from pathlib import Path
    >>> from heatpg.batch.shards import shard_path
    >>> shard_path(Path("out"), 64 * "0").as_posix()[:18]
    'out/shards/00/0000'
    """
    return folder / shard_name(identity)


def temporary_name(name: str) -> str:
    """Name of the temporary file in which this process writes something: it says whose it is."""
    return f"{_PREFIX}{host()}-{os.getpid()}-{name}"


def seal(image: bytes, identity: str, sha256: str = "") -> bytes:
    """What is written behind the image of a task.

    Parameters
    ----------
    image
        The bytes of an HDF5 file.
    identity
        The task, 64 hexadecimal digits.
    sha256
        SHA-256 of the image, where it is known already.

    Returns
    -------
    seal
        84 bytes: a mark, the task, the SHA-256 and the length of the image, and a CRC-32 of these.
    """
    digest = bytes.fromhex(sha256) or hashlib.sha256(image).digest()
    head = _SEAL.pack(_MAGIC, bytes.fromhex(identity), digest, len(image), 0)[:-4]
    return head + struct.pack("<I", zlib.crc32(head))


def publish_shard(image: bytes, folder: Folder | StrPath, identity: str, sha256: str = "") -> Path:
    """Write the shard of a task: once this has returned, it survives the death of the process and of the machine.

    Temporary file, fsync, rename, fsync of the folder; see `heatpg.tools.publishing.publish_within`.

    Parameters
    ----------
    image
        The bytes of the file, as `heatpg.store.writing.image` makes them.
    folder
        The folder of the batch, by its name or held open.
    identity
        The task.
    sha256
        As in `seal`.

    Returns
    -------
    path
        Where the shard is.

    Raises
    ------
    ResourceError
        If the disk is full; nothing is left behind.
    StoreError
        For any other failure to write, and if the folder has gone or a link would lead out of it.
    """
    name = shard_name(identity)
    with held(folder) as place:
        place.make_folder(name.rpartition("/")[0])
        return publish_within(
            place, name, image, ending=seal(image, identity, sha256), temporary=temporary_name(identity)
        )


def _sealed(stream: BinaryIO, size: int, identity: str) -> bytes:
    """The SHA-256 that the seal tells; ValueError with what is wrong."""
    length = size - _SEAL.size
    if length < len(_SIGNATURE):
        raise ValueError(f"it has only {size} bytes")
    stream.seek(length)
    # In the order of what is cheap and what is likely: the seal itself, whose shard it is, how long, and the signature.
    tail = stream.read(_SEAL.size)
    magic, task, digest, count, checksum = _SEAL.unpack(tail)
    if magic != _MAGIC or checksum != zlib.crc32(tail[:-4]):
        raise ValueError("it has no trailer checksum")
    if task.hex() != identity:
        raise ValueError(f"it belongs to another task, {task.hex()[:12]}")
    if count != length:
        raise ValueError(f"it has {length} bytes, but its trailer says {count}")
    stream.seek(0)
    if stream.read(len(_SIGNATURE)) != _SIGNATURE:
        raise ValueError("it is not an HDF5 file")
    return bytes(digest)


def _file_digest(stream: BinaryIO, length: int) -> bytes:
    """SHA-256 of the first bytes of a file; `hashlib.file_digest` reads to the end, where the seal lies."""
    digest = hashlib.sha256()
    stream.seek(0)
    while length > 0 and (piece := stream.read(min(_PIECE, length))):
        digest.update(piece)
        length -= len(piece)
    return digest.digest()


def inspect(folder: Folder | StrPath, identity: str, *, full: bool = False) -> str:
    """The problem with the result file of a task; empty if it is intact.

    Without `full` the trailer and the signature are read, which takes microseconds and finds what is cut off, of
    another task, or not ours. With it every byte is, and the SHA-256 of all of them compared. Neither needs HDF5, which
    may crash on what it has not written.

    Parameters
    ----------
    folder
        The folder of the batch, by its name or held open.
    identity
        The task that it ought to be of.
    full
        Whether to verify every byte.

    Returns
    -------
    problem
        One clause, such as ``it has no trailer checksum``.

    Raises
    ------
    StoreError
        If there is no such folder, or a folder within it is a link.
    """
    return inspect_sealed(folder, shard_name(identity), identity, full=full)


def inspect_sealed(folder: Folder | StrPath, name: str, identity: str, *, full: bool = False) -> str:
    """As `inspect`, for any file in the folder of a batch that ends with a trailer."""
    seen = _look(folder, name, identity, full=full)
    return seen if isinstance(seen, str) else ""


def look(folder: Folder | StrPath, identity: str) -> Seen | str:
    """What tells the result file of a task from any other, or the problem with it; see `inspect` without `full`."""
    return _look(folder, shard_name(identity), identity, full=False)


def _look(folder: Folder | StrPath, name: str, identity: str, *, full: bool) -> Seen | str:
    with held(folder) as place:
        kind = place.kind(name)
        # neither a link nor a pipe is opened: it could lead elsewhere, or wait for ever
        if kind != "a file":
            return f"it is {kind}" if kind else "it does not exist"
        try:
            descriptor = place.open(name)
        except OSError as reason:
            return f"it cannot be opened: {reason.strerror}"
    try:
        with open(descriptor, "rb", buffering=0, closefd=False) as stream:
            state = os.fstat(descriptor)
            length = state.st_size - _SEAL.size
            digest = _sealed(stream, state.st_size, identity)
            if full and _file_digest(stream, length) != digest:
                return "its SHA-256 does not match its trailer"
            return Seen(identity, digest.hex(), length, state.st_mtime_ns)
    except OSError as reason:
        return f"it cannot be read: {reason.strerror}"
    except (ValueError, struct.error) as reason:
        return str(reason)
    finally:
        os.close(descriptor)


def inspect_contents(folder: Folder | StrPath, identity: str) -> str:
    """The problem within a result file with valid bytes: its task, its structure, the checksums of its data.

    Parameters
    ----------
    folder, identity
        As in `inspect`, which comes first, with `full`.

    Returns
    -------
    problem
        One clause; empty if nothing is wrong.

    Raises
    ------
    ResourceError
        If its fields do not fit in memory.
    """
    path = shard_path(Path(folder), identity)
    # The seal tells which task it is, and the file holds the text of the task: both must agree
    try:
        if hashlib.sha256(task_text(path).encode()).hexdigest() != identity:
            return "it contains another task"
        report = verify_file(path)
    except ResourceError:
        raise
    except HeatpgError as reason:
        return reason.one_line
    return "; ".join(check.message for check in report.failures)


def inspect_all(folder: Folder | StrPath, identity: str) -> str:
    """`inspect` with `full`, and `inspect_contents`: all that can be found wrong with a shard."""
    # HDF5 may crash on what it has not written: it is handed only bytes whose SHA-256 is the sealed one
    return inspect(folder, identity, full=True) or inspect_contents(folder, identity)


def _groups(folder: Folder) -> list[str]:
    """The folders in which shards lie; other names are of somebody else."""
    kinds = {name: folder.kind(f"{_FOLDER}/{name}") for name in folder.names(_FOLDER) if _GROUP.fullmatch(name)}
    return [f"{_FOLDER}/{name}" for name, kind in kinds.items() if kind not in ("", "a file")]


def stored(folder: Folder | StrPath) -> set[str]:
    """Tasks for which there is something under the name of a shard, intact or not.

    Raises
    ------
    StoreError
        If one of their folders is a link.
    """
    with held(folder) as place:
        return {
            name[:-3]
            for group in _groups(place)
            for name in place.names(group)
            # temporary files and what others have put here have other names
            if name.endswith(".h5") and _IDENTITY.fullmatch(name[:-3])
        }


def _temporaries(folder: Folder) -> list[str]:
    return [
        f"{group}/{name}".lstrip("/")
        for group in ("", *_groups(folder))
        for name in folder.names(group)
        if name.startswith(_PREFIX)
    ]


def temporaries(folder: Folder | StrPath) -> list[Path]:
    """Temporary files in the folder of a batch, of running processes and of dead ones."""
    with held(folder) as place:
        return sorted(place.path / name for name in _temporaries(place))


def clean(folder: Folder | StrPath) -> list[Path]:
    """Remove the temporary files of dead processes of this machine; those of other machines may be in use.

    Returns
    -------
    removed
        The files that were removed.
    """
    # a process of another machine cannot be asked whether it still runs
    with held(folder) as place:
        found = leftovers(map(Path, _temporaries(place)), _PREFIX)
        return sorted(place.path / name for name in found if place.remove(name.as_posix()))
