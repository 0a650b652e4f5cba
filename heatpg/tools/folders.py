"""A folder that is held open: what is read and written in it lies in it, whatever stands under its names.

A symbolic link within would lead elsewhere, a pipe would wait for ever, and a folder that is renamed meanwhile would
leave its name to another one. So names are looked up from the descriptor of the folder, one after another, and what is
neither a plain file nor a plain folder is refused.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from heatpg.errors import OptionError, ResourceError, StoreError
from heatpg.tools.options import shown

__all__ = ["Folder", "expanded", "held", "moved", "sync"]

StrPath = str | os.PathLike[str]

# Windows looks up no names from a folder: there they are looked up from the root, after a look at every link on the way
_RELATIVE = os.open in os.supports_dir_fd
_CAREFUL = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOCTTY", 0)
)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_KINDS = (
    (stat.S_ISREG, "a file"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISLNK, "a symbolic link, which is not followed"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)
_LARGEST_READ = 2**26  # bytes of a file that `read` takes; what heatpg reads so is a few kilobytes


def _kind(state: os.stat_result) -> str:
    return next((words for test, words in _KINDS if test(state.st_mode)), "a device")


def _let_go(descriptor: int) -> None:
    # nothing was written through it that could still fail
    with contextlib.suppress(OSError):
        os.close(descriptor)


class Folder(os.PathLike[str]):
    """A folder, held open.

    Parameters
    ----------
    path
        The folder; links on the way to it are followed, those within it are not.

    Attributes
    ----------
    path
        Its name when it was opened.
    identity
        Device and number, by which it is known under any name.

    Raises
    ------
    StoreError
        If there is no such folder.

    Examples
    --------
    >>> import tempfile
    >>> from heatpg.tools.folders import Folder
    >>> with tempfile.TemporaryDirectory() as name, Folder(name) as folder:
    ...     folder.make_folder("a/b")
    ...     folder.names("a"), folder.kind("a/b"), folder.kind("c"), folder.is_in_place()
    (['b'], 'a folder', '', True)
    """

    def __init__(self, path: StrPath) -> None:
        self.path = Path(path)
        self._descriptor: int | None = None
        try:
            if _RELATIVE:
                self._descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            state = os.stat(self.path) if self._descriptor is None else os.fstat(self._descriptor)
        except OSError as reason:
            raise StoreError.unreadable(f"the folder {self.path}", reason) from reason
        self.identity = (state.st_dev, state.st_ino)

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def close(self) -> None:
        """Let it go."""
        if self._descriptor is not None:
            _let_go(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def is_in_place(self) -> bool:
        """Whether its name still stands for it: not after it was renamed or removed."""
        try:
            state = os.stat(self.path)
        except OSError:
            return False
        return (state.st_dev, state.st_ino) == self.identity

    def require_in_place(self) -> None:
        """Refuse a folder that was renamed or removed.

        Raises
        ------
        StoreError
            If its name does not stand for it any more.
        """
        if not self.is_in_place():
            raise moved(self.path)

    @contextlib.contextmanager
    def within(self, name: str) -> Iterator[tuple[int | None, str]]:
        """Where a name is to be looked up: a descriptor, or None for the working directory, and the name there.

        Raises
        ------
        FileNotFoundError
            If a folder on the way is not there.
        StoreError
            If something on the way is no folder.
        """
        *folders, leaf = name.split("/")
        current = self._descriptor
        with contextlib.ExitStack() as stack:
            for n, part in enumerate(folders):
                way = "/".join(folders[: n + 1])
                if not _RELATIVE:
                    self._refuse(way, os.lstat(self.path / way), stat.S_IFDIR)
                    continue
                try:
                    descriptor = os.open(part, _FOLDER, dir_fd=current)
                except OSError:
                    # a link is told as "not a directory", and who reads that would look for something else
                    self._refuse(way, os.stat(part, dir_fd=current, follow_symlinks=False), stat.S_IFDIR)
                    raise
                stack.callback(_let_go, descriptor)
                current = descriptor
            yield current, leaf if _RELATIVE else str(self.path / name)

    def _refuse(self, name: str, state: os.stat_result, wanted: int) -> None:
        if stat.S_IFMT(state.st_mode) != wanted:
            raise StoreError(
                f"{name} is {_kind(state)}",
                given=self.path / name,
                allowed="a folder" if wanted == stat.S_IFDIR else "a file",
                advice="remove it; heatpg writes only inside this directory",
            )

    def kind(self, name: str) -> str:
        """What stands under a name, such as ``a file`` or ``a pipe``; empty for nothing."""
        try:
            with self.within(name) as (where, leaf):
                return _kind(os.stat(leaf, dir_fd=where, follow_symlinks=False))
        except FileNotFoundError:
            return ""

    def open(self, name: str, flags: int = os.O_RDONLY) -> int:
        """A descriptor of a plain file.

        Parameters
        ----------
        name
            Its name, with slashes for folders within this one.
        flags
            Those of `os.open`. A file that is written in place must have this one name only.

        Raises
        ------
        StoreError
            If something else has this name: a link, a pipe, a folder.
        OSError
            As `os.open` raises it.
        """
        writes = flags & (os.O_WRONLY | os.O_RDWR) and not flags & os.O_EXCL
        with self.within(name) as (where, leaf):
            # checked before it is opened, because to open a device may already do something
            with contextlib.suppress(FileNotFoundError):
                self._refuse(name, os.stat(leaf, dir_fd=where, follow_symlinks=False), stat.S_IFREG)
            descriptor = os.open(leaf, flags | _CAREFUL, 0o666, dir_fd=where)
        try:
            state = os.fstat(descriptor)
            self._refuse(name, state, stat.S_IFREG)
            if writes and state.st_nlink > 1:
                raise StoreError(
                    f"{name} is a hard link to a file elsewhere, which would be overwritten too",
                    given=self.path / name,
                    advice="replace it by a copy, or copy the directory without hard links",
                )
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def read(self, name: str, most: int = _LARGEST_READ) -> bytes:
        """The content of a plain file, of at most so many bytes."""
        with open(self.open(name), "rb") as stream:
            return stream.read(most)

    def names(self, name: str = "") -> list[str]:
        """What stands in a folder within this one, or in this one itself; nothing where there is none."""
        try:
            with self.within(f"{name}/." if name else ".") as (where, _):
                return sorted(os.listdir(self.path / name if where is None else where))
        except FileNotFoundError:
            return []

    def make_folder(self, name: str) -> None:
        """Make a folder within this one, so that its name survives a power failure.

        Raises
        ------
        ResourceError
            If the disk is full.
        StoreError
            If something else has its name, or it cannot be made.
        """
        parts = name.split("/")
        try:
            for n in range(len(parts)):
                with self.within("/".join(parts[: n + 1])) as (where, leaf):
                    try:
                        os.mkdir(leaf, dir_fd=where)
                    except FileExistsError:
                        continue
                    # a new name is on the disk once the folder that holds it is
                    sync(where)
            with self.within(f"{name}/."):
                pass
        except OSError as reason:
            if reason.errno in _FULL:
                raise ResourceError(
                    "the disk is full", given=f"the directory {name} cannot be created", advice="free some space"
                ) from reason
            self.require_in_place()
            raise StoreError(f"the directory {name} cannot be created in {self.path}", given=reason) from reason

    def remove(self, name: str) -> bool:
        """Remove a file or a link, and say whether it was there; folders stay."""
        try:
            with self.within(name) as (where, leaf):
                os.unlink(leaf, dir_fd=where)
        except (FileNotFoundError, IsADirectoryError, PermissionError):
            return False
        return True


def moved(path: StrPath) -> StoreError:
    """The error for a folder whose name does not stand for it any more."""
    return StoreError(
        "the directory was moved or removed during the run",
        given=path,
        advice="restore it and rerun the same command; finished results are kept",
    )


def expanded(path: StrPath) -> Path:
    """A path in which a leading ``~`` is the home of the user, as shells have it.

    Examples
    --------
    >>> from heatpg.tools.folders import expanded
    >>> expanded("results/a.h5").as_posix(), "~" in str(expanded("~/a.h5"))
    ('results/a.h5', False)
    """
    try:
        plain = Path(os.fsdecode(path))
    except TypeError:
        raise OptionError("a path must be a str or a pathlib.Path", given=shown(path)) from None
    if not str(path):
        raise OptionError("the path is empty", given=repr(path))
    try:
        return plain.expanduser()
    except RuntimeError:  # no such user: the name is taken as it is
        return plain


def sync(descriptor: int | None) -> None:
    """Bring the names in an open folder to the disk, where the system can."""
    if descriptor is None:
        return
    try:
        os.fsync(descriptor)
    except OSError as reason:
        if reason.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems without it
            raise


@contextlib.contextmanager
def held(folder: Folder | StrPath) -> Iterator[Folder]:
    """A folder by its name or held open already; by its name it is held as long as this lasts."""
    if isinstance(folder, Folder):
        yield folder
        return
    with Folder(folder) as opened:
        yield opened
