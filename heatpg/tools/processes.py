"""Processes of this machine, and temporary files that ended ones have left: their names tell host and process."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["host", "leftovers"]


def host() -> str:
    """Name of this machine, as temporary files carry it."""
    # fit for a file name; cut where file systems begin to refuse
    return re.sub(r"[^A-Za-z0-9.-]", "_", socket.gethostname())[:64] or "unnamed"


def _is_running(process: int) -> bool:
    if os.name == "nt":
        return True  # there, to ask is to kill
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    try:
        # a process that has ended, and whose parent has not asked for its exit status, still has its number
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (OSError, IndexError):
        return not Path("/proc/self/stat").exists()


def leftovers(paths: Iterable[Path], prefix: str) -> Iterator[Path]:
    """Those of the files ``prefix host - process - ...`` whose process is of this machine and has ended."""
    for path in paths:
        # on a shared file system others leave files too, whose processes cannot be asked from here
        owner, _, rest = path.name.removeprefix(prefix).partition(f"{host()}-")
        process = rest.partition("-")[0]
        # of another machine nothing can be known, so its files stay
        if not owner and process.isdecimal() and not _is_running(int(process)):
            yield path
