"""Files that are there as a whole or not at all: a temporary file beside them takes their name when it is complete."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from heatpg.errors import ResourceError, StoreError
from heatpg.tools.resources import require_disk

__all__ = ["prepare_output", "publish", "publish_stream", "sync_folder"]

StrPath = str | os.PathLike[str]

_WRITE_PIECE = 2**24  # bytes; between two pieces an interrupt is seen


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
    # links are followed first: os.replace would put a file in the place of the link
    target = Path(path).resolve()
    folder = target.parent
    if not folder.is_dir():
        raise StoreError("there is no such folder to write into", given=folder, advice=f"make it: mkdir -p '{folder}'")
    # a device or a folder would be replaced, or written into, by the same call
    if target.exists() and not target.is_file():
        raise StoreError("something other than a file has this name", given=target, advice="choose another name")
    if target.exists() and not force:
        raise StoreError("the file exists", given=target, advice="choose another name, or replace it with force")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError("the folder cannot be written", given=folder, advice="write elsewhere, or change its mode")
    return target


def sync_folder(folder: Path) -> None:
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


def publish(
    content: bytes | memoryview,
    path: StrPath,
    *,
    force: bool = False,
    ending: bytes = b"",
    temporary: str = "",
    check: Callable[[Path], object] | None = None,
) -> Path:
    """Write a file so that its name never stands for half of it.

    A temporary file in the same folder is written, brought to the disk, and then given the name; whatever goes wrong
    before leaves what was there, and no temporary file.

    Parameters
    ----------
    content
        The bytes of the file.
    path, force
        As in `prepare_output`.
    ending
        What follows the content, where to join them would take twice the memory.
    temporary
        Name of the temporary file, if it is to say whose it is; it must not exist.
    check
        Called with the path of the temporary file once it is on the disk; if it raises, nothing is published.

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

    def write(descriptor: int) -> None:
        for part in (content, ending):
            rest = memoryview(part)
            while rest:
                # a write may take less than it was given, by a signal or at the end of the disk
                rest = rest[os.write(descriptor, rest[:_WRITE_PIECE]) :]

    return publish_stream(write, len(content) + len(ending), path, force=force, temporary=temporary, check=check)


def publish_stream(
    write: Callable[[int], object],
    size: int,
    path: StrPath,
    *,
    force: bool = False,
    temporary: str = "",
    check: Callable[[Path], object] | None = None,
) -> Path:
    """`publish` for what is not in memory: `write` is called with the descriptor of the temporary file."""
    target = prepare_output(path, force=force)
    require_disk(size, target.parent, target.name)
    place = target.parent / (temporary or f".heatpg-{os.getpid()}-{secrets.token_hex(6)}.tmp")
    # O_EXCL: a temporary file of this name belongs to somebody else
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(place, flags, 0o666)
        try:
            try:
                write(descriptor)
                # before it has its name: after a power failure a name must not stand for half of the data
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if check is not None:
                check(place)
            prepare_output(target, force=force)  # another process may have written it meanwhile
            os.replace(place, target)
        except BaseException:
            # also on an interrupt
            place.unlink(missing_ok=True)
            raise
        # the name itself is an entry of the folder, with a write of its own
        sync_folder(target.parent)
    except OSError as reason:
        # full disk, full quota, larger than the file system allows: to the user they are one thing
        if reason.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise ResourceError(
                f"the disk is full: {target.name} was not written",
                given=f"{size:,} bytes into {target.parent}" if size else f"into {target.parent}",
                advice="free some space, or write elsewhere",
            ) from reason
        raise StoreError(f"cannot write {target.name}", given=reason, advice="write elsewhere") from reason
    return target
