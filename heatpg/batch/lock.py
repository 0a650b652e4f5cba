"""One run at a time in the folder of a batch: a lock that the operating system gives back when its holder dies."""

from __future__ import annotations

import contextlib
import datetime
import errno
import json
import os
import re
import time
import warnings
from collections.abc import Iterator
from typing import Any

from heatpg.errors import HeatpgWarning, StoreError
from heatpg.tools.folders import Folder, held
from heatpg.tools.processes import host

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["hold", "holders"]

StrPath = str | os.PathLike[str]

_PATTERN = re.compile(r"lock(-[0-9]+-of-[0-9]+)?")

# Taste: `holders`, which can be in the way, keeps a lock for microseconds.
_TRIALS = 3
_PAUSE = 0.05  # seconds between them
_WITHOUT = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)  # what a disk without locks answers


def _try(descriptor: int, *, shared: bool) -> bool:
    """Whether the lock was to be had.

    Without locks two runs may do the same work twice, and do no harm: the shards of a task are alike, and are
    published as a whole.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as reason:
        if reason.errno in _WITHOUT:
            warnings.warn(
                f"this file system does not support locks ({reason.strerror}): make sure that no second run uses this "
                f"directory",
                HeatpgWarning,
                stacklevel=5,
            )
            return True
        if reason.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def _obtain(descriptor: int, *, shared: bool) -> bool:
    # `holders` takes a lock for a moment to see whether it is free
    for _ in range(_TRIALS):
        if _try(descriptor, shared=shared):
            return True
        time.sleep(_PAUSE)
    return False


def _said(descriptor: int) -> dict[str, Any]:
    """What the holder has written into the file."""
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        record = json.loads(os.read(descriptor, 4096))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _refused(folder: Folder, who: list[dict[str, Any]]) -> StoreError:
    holder = who[0] if who else {}
    number, machine = holder.get("pid", "?"), holder.get("host", "?")
    share = f" (shard {holder['shard']})" if holder.get("shard") else ""
    return StoreError(
        "another run is using this directory",
        given=f"{folder}, held by process {number} on {machine}{share} since {holder.get('since', '?')}",
        advice=f"wait until it ends, or stop it: kill {number}",
    )


def _open(folder: Folder, name: str) -> int:
    try:
        return folder.open(name, os.O_RDWR | os.O_CREAT)
    except OSError as reason:
        raise StoreError(f"cannot lock {folder}", given=reason) from reason


@contextlib.contextmanager
def hold(folder: Folder | StrPath, shard: tuple[int, int] | None = None) -> Iterator[None]:
    """Keep other runs out of the folder of a batch for as long as this one works.

    A whole run holds the folder alone. Runs of shares hold it together, and each share alone.

    Parameters
    ----------
    folder
        The folder, by its name or held open.
    shard
        The shard of this run, as number from 0 and count; None for a whole run.

    Raises
    ------
    StoreError
        If another run holds it, with its process and machine; or if something else than a file has its name.

    Warns
    -----
    HeatpgWarning
        If the disk has no locks.
    """
    # flock, not a file that says who holds it: the system gives it back whatever its holder dies of. The file stays,
    # because one that is removed could be locked by two who opened it before and after.
    names = ["lock"] if shard is None else ["lock", f"lock-{shard[0]}-of-{shard[1]}"]
    with held(folder) as place, contextlib.ExitStack() as stack:
        for name in names:
            descriptor = _open(place, name)
            stack.callback(os.close, descriptor)
            alone = name == names[-1]
            if not _obtain(descriptor, shared=not alone):
                said = _said(descriptor) if alone and shard else {}
                raise _refused(place, [said] if said else holders(place))
        record = {
            "pid": os.getpid(),
            "host": host(),
            "since": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "shard": "" if shard is None else f"{shard[0]}/{shard[1]}",
        }
        # for messages only: who reads this in the middle finds no JSON, and a full disk is the concern of others
        with contextlib.suppress(OSError):
            os.truncate(descriptor, 0)
            os.write(descriptor, json.dumps(record).encode())
        yield


def holders(folder: Folder | StrPath) -> list[dict[str, Any]]:
    """The runs that work in a folder now.

    Returns
    -------
    holders
        For each its ``pid``, ``host``, ``since`` and ``shard``, as far as it has said so.
    """
    if fcntl is None:
        return []
    found = []
    with held(folder) as place:
        for name in filter(_PATTERN.fullmatch, place.names()):
            try:
                descriptor = place.open(name)
            except OSError:
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError as reason:
                if reason.errno in (errno.EWOULDBLOCK, errno.EACCES):
                    found.append(_said(descriptor))
            finally:
                os.close(descriptor)
    return found
