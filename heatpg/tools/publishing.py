"""Files that are there as a whole or not at all: a temporary file beside them takes their name when it is complete."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from heatpg.errors import HeatpgError, OptionError, ResourceError, StoreError
from heatpg.tools.folders import Folder, expanded, sync
from heatpg.tools.resources import require_disk

__all__ = ["RESULTS", "prepare_output", "publish", "publish_stream", "publish_within", "result_name", "sync_folder"]

StrPath = str | os.PathLike[str]

RESULTS = (".h5", ".hdf5", ".nc")  # a file of HDF5 that xarray opens is one of NetCDF 4 as well
_WRITE_PIECE = 2**24  # bytes; between two pieces an interrupt is seen


def result_name(path: StrPath) -> Path:
    """The path of a result, whose ending says that it is one.

    Raises
    ------
    OptionError
        For other endings, which no tool would take for a file of HDF5, and for what is no path.

    Examples
    --------
    >>> from heatpg.tools.publishing import result_name
    >>> result_name("ridge.h5").name
    'ridge.h5'
    """
    if not isinstance(path, str | os.PathLike):
        raise OptionError(
            "the name of a result file must be text or a path", given=type(path).__name__, allowed=", ".join(RESULTS)
        )
    name = os.fspath(path)
    if not name.lower().endswith(RESULTS):
        raise OptionError(
            "the name of a result file must end in a known extension", given=name, allowed=", ".join(RESULTS)
        )
    return expanded(name)


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
    target = expanded(path).resolve()
    folder = target.parent
    if not folder.is_dir():
        raise StoreError("the output directory does not exist", given=folder, advice=f"create it: mkdir -p '{folder}'")
    # a device or a folder would be replaced, or written into, by the same call
    if target.exists() and not target.is_file():
        raise StoreError(f"{target} exists and is not a regular file", advice="choose another name")
    if target.exists() and not force:
        raise StoreError("the file exists", given=target, advice="choose another name, or overwrite it with force=True")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(
            "the directory is not writable", given=folder, advice="write elsewhere, or change its permissions"
        )
    return target


def sync_folder(folder: Path) -> None:
    """Make the new name in a folder survive a power failure."""
    if os.name == "nt":
        return  # there, folders cannot be opened
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        sync(descriptor)
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
    parts = (content, ending)
    return publish_stream(_writer(parts), sum(map(len, parts)), path, force=force, temporary=temporary, check=check)


def publish_within(
    folder: Folder,
    name: str,
    content: bytes | memoryview,
    *,
    temporary: str,
    ending: bytes = b"",
    check: Callable[[Path], object] | None = None,
) -> Path:
    """`publish` for a file within a folder that is held open: no link leads out of it, and what is there is replaced.

    Parameters
    ----------
    folder
        The folder.
    name
        Name of the file, with slashes for folders within it, which must be there.
    content, ending, check
        As in `publish`.
    temporary
        Name of the temporary file in the folder of the file. Whatever has this name is removed.

    Returns
    -------
    target
        The path of the file.

    Raises
    ------
    StoreError
        As in `publish`, and if something on the way is no folder, or a folder has the name of the file.
    ResourceError
        As in `publish`.
    """
    parts = (content, ending)
    size = sum(map(len, parts))
    target = folder.path / name
    folder.require_in_place()
    require_disk(size, folder.path, target.name)
    with _told(target, size):
        # a file of this name was left by a process of the same number that is no more
        folder.remove(f"{name.rpartition('/')[0]}/{temporary}".lstrip("/"))
        with folder.within(name) as (where, leaf):
            place = str(target.with_name(temporary)) if where is None else temporary
            _replace(_writer(parts), place, leaf, where, check and (lambda: check(target.with_name(temporary))))
            sync(where)
    return target


def _writer(parts: Sequence[bytes | memoryview]) -> Callable[[int], None]:
    def write(descriptor: int) -> None:
        for part in parts:
            rest = memoryview(part)
            while rest:
                # a write may take less than it was given, by a signal or at the end of the disk
                rest = rest[os.write(descriptor, rest[:_WRITE_PIECE]) :]

    return write


def _replace(
    write: Callable[[int], object],
    place: str,
    name: str,
    where: int | None,
    check: Callable[[], object] | None,
) -> None:
    """Write a new file and give it its name; names are looked up from the folder `where`, if there is one."""
    # O_EXCL: a temporary file of this name belongs to somebody else
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(place, flags, 0o666, dir_fd=where)
    try:
        try:
            write(descriptor)
            # before it has its name: after a power failure a name must not stand for half of the data
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if check is not None:
            check()
        os.replace(place, name, src_dir_fd=where, dst_dir_fd=where)
    except BaseException:
        # also on an interrupt
        with contextlib.suppress(FileNotFoundError):
            os.unlink(place, dir_fd=where)
        raise


@contextlib.contextmanager
def _told(target: Path, size: int) -> Iterator[None]:
    """What the system says of a file that it does not write, in our words."""
    try:
        yield
    except OSError as reason:
        if isinstance(reason, HeatpgError):
            raise
        # full disk, full quota, larger than the file system allows: to the user they are one thing
        if reason.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise ResourceError(
                f"the disk is full: {target.name} was not written",
                given=f"{size:,} bytes into {target.parent}" if size else f"into {target.parent}",
                advice="free some space, or write elsewhere",
            ) from reason
        raise StoreError(f"cannot write {target.name}", given=reason, advice="write elsewhere") from reason


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

    def last_look() -> None:
        if check is not None:
            check(place)
        prepare_output(target, force=force)  # another process may have written it meanwhile

    with _told(target, size):
        _replace(write, str(place), str(target), None, last_look)
        # the name itself is an entry of the folder, with a write of its own
        sync_folder(target.parent)
    return target
