"""What this process may still use of memory and disk, asked before the work begins.

The kernel of the operating system grants memory lazily and kills later, without an exception;
so an estimate is compared with what is free before anything is allocated.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from heatpg.errors import ResourceError

__all__ = [
    "address_space_limit",
    "available_disk",
    "available_memory",
    "human_bytes",
    "human_duration",
    "memory_by_kind",
    "require_disk",
    "require_memory",
    "within_memory",
    "worth_asking",
]

_SHARE_OF_FREE_MEMORY = 0.9  # the rest is for others, and for what an estimate leaves out; a matter of taste
_NOT_WORTH_ASKING = 2**20  # bytes; to ask takes longer than to use them


def human_bytes(count: float) -> str:
    """Bytes in a unit that reads well.

    Examples
    --------
    >>> from heatpg.tools.resources import human_bytes
    >>> human_bytes(1536)
    '1.5 kiB'
    """
    size = float(count)
    for unit in ("B", "kiB", "MiB", "GiB", "TiB"):
        if abs(size) < 1024 or unit == "TiB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("unreachable")


def human_duration(seconds: float) -> str:
    """Seconds in a unit that reads well.

    Examples
    --------
    >>> from heatpg.tools.resources import human_duration
    >>> human_duration(0.5), human_duration(300), human_duration(9000)
    ('0.5 s', '5.0 minutes', '2.5 hours')
    """
    for unit, length in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        # from two of a unit on: 90 seconds say more than 1.5 minutes
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def _meminfo_available() -> float:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            # not MemFree: what is cached counts as free, because it can be given back
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024
    except OSError:
        pass
    return float("inf")


def _control_group_available() -> float:
    folder = Path("/sys/fs/cgroup")
    try:
        # version 2 of control groups, as containers and batch systems set them
        limit = (folder / "memory.max").read_text().strip()
        if limit == "max":
            return float("inf")
        return float(limit) - float((folder / "memory.current").read_text())
    except (OSError, ValueError):
        return float("inf")


def address_space_limit() -> float:
    """Bytes of address space that this process may have; infinite without a limit."""
    try:
        import resource
    except ImportError:  # Windows
        return float("inf")
    # set by ulimit -v and by some schedulers; beyond it an allocation fails, where other limits kill
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return float("inf") if limit == resource.RLIM_INFINITY else float(limit)


def _address_space_available() -> float:
    try:
        limit = address_space_limit()
        if limit == float("inf"):
            return limit
        # the limit is on all that is mapped, and the first number of statm is that
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return limit - pages * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return float("inf")


def memory_by_kind() -> dict[str, float]:
    """Bytes that each limit on memory leaves to this process; infinite where there is none."""
    return {
        "free": _meminfo_available(),
        "control group": _control_group_available(),
        "address space": _address_space_available(),
    }


def available_memory() -> float:
    """Bytes that this process can still take: free memory, control group and address space, the least of them."""
    # a group may hold more than its limit for a while, by caches that are not yet given back
    return max(0.0, min(memory_by_kind().values()))


def available_disk(folder: Path) -> float:
    """Bytes free in the file system of a folder."""
    return float(shutil.disk_usage(folder).free)


def worth_asking(needed: float) -> bool:
    """Whether so many bytes may not be there: `require_memory` lets pass what is less."""
    return needed > _NOT_WORTH_ASKING


def require_memory(needed: float, purpose: str, advice: str) -> None:
    """Refuse work whose memory is not there.

    Raises
    ------
    ResourceError
        With the estimate, what is free, and ways out.
    """
    if not worth_asking(needed):
        return
    free = available_memory() * _SHARE_OF_FREE_MEMORY
    if needed > free:
        raise ResourceError(
            f"{purpose} does not fit in memory",
            given=f"about {human_bytes(needed)} needed",
            allowed=f"{human_bytes(free)} free",
            advice=advice,
        )


@contextlib.contextmanager
def within_memory(purpose: str, advice: str) -> Iterator[None]:
    """Say it as `require_memory` does where an allocation fails that no estimate foresaw.

    Raises
    ------
    ResourceError
        In place of a `MemoryError`.

    Examples
    --------
    >>> from heatpg.tools.resources import within_memory
    >>> with within_memory("this list", "make it shorter"):
    ...     raise MemoryError
    Traceback (most recent call last):
    heatpg.errors.ResourceError: this list does not fit in memory
      expected: ...
      try: make it shorter
    """
    try:
        yield
    except MemoryError:
        free = human_bytes(available_memory())
        raise ResourceError(f"{purpose} does not fit in memory", allowed=f"{free} free", advice=advice) from None


def require_disk(needed: float, folder: Path, purpose: str) -> None:
    """Refuse to write what the disk cannot hold."""
    free = available_disk(folder)
    if needed > free:
        raise ResourceError(
            f"{purpose} does not fit on the disk of {folder}",
            given=f"{human_bytes(needed)} needed",
            allowed=f"{human_bytes(free)} free",
            advice="free some space, write elsewhere, use float32, or store fewer noise levels",
        )
