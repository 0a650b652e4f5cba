"""Shards: one file for each task that is done, under the name of the task, complete or not there at all.

A shard is a file as `heatpg.save` writes it, and behind it a seal: which task it is, how long it is, and its SHA-256.
HDF5 does not look behind the end of its data, so every reader opens a shard as it is; we look at the seal first, and
hand to HDF5 only bytes that we have written.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from heatpg.errors import HeatpgError, ResourceError, StoreError
from heatpg.store.reading import task_text, verify_file
from heatpg.tools.processes import host, leftovers
from heatpg.tools.publishing import publish, sync_folder

__all__ = [
    "clean",
    "inspect",
    "inspect_contents",
    "publish_shard",
    "seal",
    "shard_path",
    "stored",
    "temporaries",
    "temporary_name",
]

_FOLDER = "shards"
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MAGIC = b"heatpg\0\1"  # a zero byte, which no text has, and the version of the seal
_SEAL = struct.Struct("<8s32s32sQI")  # magic, task, SHA-256 of the image, its length, CRC-32 of all these
_PIECE = 2**20  # bytes that are hashed at a time; taste: more is no faster
_PREFIX = ".tmp-"
_IDENTITY = re.compile(r"[0-9a-f]{64}")


def shard_path(folder: Path, identity: str) -> Path:
    """Where the shard of a task lies in the folder of a batch.

    Examples
    --------
    >>> from pathlib import Path
    >>> from heatpg.batch.shards import shard_path
    >>> shard_path(Path("out"), 64 * "0").as_posix()[:18]
    'out/shards/00/0000'
    """
    return folder / _FOLDER / identity[:2] / f"{identity}.h5"


def temporary_name(name: str) -> str:
    """Name of the temporary file in which this process writes something: it says whose it is."""
    return f"{_PREFIX}{host()}-{os.getpid()}-{name}"


def seal(image: bytes, identity: str) -> bytes:
    """What is written behind the image of a task.

    Parameters
    ----------
    image
        The bytes of an HDF5 file.
    identity
        The task, 64 hexadecimal digits.

    Returns
    -------
    seal
        84 bytes: a mark, the task, the SHA-256 and the length of the image, and a CRC-32 of these.
    """
    head = _SEAL.pack(_MAGIC, bytes.fromhex(identity), hashlib.sha256(image).digest(), len(image), 0)[:-4]
    return head + struct.pack("<I", zlib.crc32(head))


def publish_shard(image: bytes, folder: Path, identity: str) -> Path:
    """Write the shard of a task: once this has returned, it survives the death of the process and of the machine.

    Temporary file, fsync, rename, fsync of the folder; see `heatpg.tools.publishing.publish`.

    Parameters
    ----------
    image
        The bytes of the file, as `heatpg.store.writing.image` makes them.
    folder
        The folder of the batch.
    identity
        The task.

    Returns
    -------
    path
        Where the shard is.

    Raises
    ------
    ResourceError
        If the disk is full; nothing is left behind.
    StoreError
        For any other failure to write.
    """
    # The first two digits make 256 folders at most, so that a million shards do not lie in one.
    path = shard_path(folder, identity)
    _make_folder(path.parent, folder)
    temporary = temporary_name(identity)
    # a file of this name was left by a process of the same number that is no more
    path.with_name(temporary).unlink(missing_ok=True)
    publish(image, path, force=True, ending=seal(image, identity), temporary=temporary)
    return path


def _make_folder(folder: Path, root: Path) -> None:
    """Make a folder whose name survives a power failure as well."""
    if folder.is_dir():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # a new name is on the disk once the folder that holds it is: shards/ in the root, and 00/ in shards/
        for parent in (folder.parent, root):
            sync_folder(parent)
    except OSError as reason:
        if reason.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ResourceError(
                "the disk is full", given=f"the folder {folder} cannot be made", advice="free some space"
            ) from reason
        raise StoreError(f"the folder {folder} cannot be made", given=reason) from reason


def _sealed(stream: BinaryIO, size: int, identity: str) -> bytes:
    """The SHA-256 that the seal tells; ValueError with what is wrong."""
    length = size - _SEAL.size
    if length < len(_SIGNATURE):
        raise ValueError(f"it is only {size} bytes long")
    stream.seek(length)
    # In the order of what is cheap and what is likely: the seal itself, whose shard it is, how long, and the signature.
    tail = stream.read(_SEAL.size)
    magic, task, digest, count, checksum = _SEAL.unpack(tail)
    if magic != _MAGIC or checksum != zlib.crc32(tail[:-4]):
        raise ValueError("it does not end with a seal")
    if task.hex() != identity:
        raise ValueError(f"it is the shard of another task, {task.hex()[:12]}")
    if count != length:
        raise ValueError(f"it is {length} bytes long, sealed were {count}")
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


def inspect(path: Path, identity: str, *, full: bool = False) -> str:
    """What is wrong with the shard of a task; empty if it is sound.

    Without `full` the seal and the signature are read, which takes microseconds and finds what is cut off, of another
    task, or not ours. With it every byte is, and the SHA-256 of all of them compared. Neither needs HDF5, which may
    crash on what it has not written.

    Parameters
    ----------
    path
        The shard.
    identity
        The task that it ought to be of.
    full
        Whether every byte is looked at.

    Returns
    -------
    problem
        One clause, such as ``it does not end with a seal``.
    """
    try:
        # neither a link nor a pipe is followed: to open one could lead elsewhere, or wait for ever
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        return "it is not there"
    except OSError as reason:
        return f"it cannot be opened: {reason.strerror}"
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return "it is not a file"
        with open(descriptor, "rb", buffering=0, closefd=False) as stream:
            digest = _sealed(stream, status.st_size, identity)
            if full and _file_digest(stream, status.st_size - _SEAL.size) != digest:
                return "its SHA-256 is not the sealed one"
    except OSError as reason:
        return f"it cannot be read: {reason.strerror}"
    except (ValueError, struct.error) as reason:
        return str(reason)
    finally:
        os.close(descriptor)
    return ""


def inspect_contents(path: Path, identity: str) -> str:
    """What is wrong within a shard whose bytes are sound: its task, its structure, the checksums of its data.

    Parameters
    ----------
    path, identity
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
    # The seal tells which task it is, and the file holds the text of the task: both must agree
    try:
        if hashlib.sha256(task_text(path).encode()).hexdigest() != identity:
            return "the task that it holds is another one"
        report = verify_file(path)
    except ResourceError:
        raise
    except HeatpgError as reason:
        return str(reason)
    return "; ".join(check.message for check in report.failures)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError):
        return


def stored(folder: Path) -> set[str]:
    """Tasks for which there is a file under the name of a shard, sound or not."""
    return {
        entry.name[:-3]
        for group in _entries(folder / _FOLDER)
        for entry in _entries(Path(group.path))
        # temporary files and what others have put here have other names
        if entry.name.endswith(".h5") and _IDENTITY.fullmatch(entry.name[:-3])
    }


def temporaries(folder: Path) -> list[Path]:
    """Temporary files in the folder of a batch, of running processes and of dead ones."""
    folders = [folder, *(Path(group.path) for group in _entries(folder / _FOLDER))]
    return sorted(Path(entry.path) for place in folders for entry in _entries(place) if entry.name.startswith(_PREFIX))


def clean(folder: Path) -> list[Path]:
    """Remove the temporary files of dead processes of this machine; those of other machines may be in use.

    Returns
    -------
    removed
        The files that were removed.
    """
    # a process of another machine cannot be asked whether it still runs
    removed = []
    for path in leftovers(temporaries(folder), _PREFIX):
        path.unlink(missing_ok=True)
        removed.append(path)
    return removed
