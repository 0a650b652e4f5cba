"""The journal: what happened in a batch, a line of JSON for each event, each with its CRC-32.

It is a cache. The shards are the truth; without the journal only times and the reasons of failures are lost.
"""

from __future__ import annotations

import errno
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Self

from heatpg.errors import ResourceError, StoreError
from heatpg.tools.folders import Folder, held
from heatpg.tools.plain import json_like

__all__ = ["Journal", "journal_name", "last_failures", "read_journal"]

StrPath = str | os.PathLike[str]

_PATTERN = re.compile(r"journal(-[0-9]+-of-[0-9]+)?\.jsonl")  # those of all shares; `journal_name` gives the names


def journal_name(shard: tuple[int, int] | None) -> str:
    """Name of the journal of a run: each shard of a batch has its own, because not every disk appends in turn.

    Examples
    --------
    >>> from heatpg.batch.journal import journal_name
    >>> journal_name(None), journal_name((3, 10))
    ('journal.jsonl', 'journal-3-of-10.jsonl')
    """
    return "journal.jsonl" if shard is None else f"journal-{shard[0]}-of-{shard[1]}.jsonl"


def _checksum(text: bytes) -> bytes:
    # that of the line without it, and in the place of the brace at its end
    return b',"crc32":"%08x"}' % zlib.crc32(text)


_LENGTH = len(_checksum(b""))


def _line(event: Mapping[str, Any]) -> bytes:
    text = json.dumps(json_like(dict(event)), separators=(",", ":"), sort_keys=True, allow_nan=False).encode()
    return text[:-1] + _checksum(text) + b"\n"


def _event(line: bytes) -> dict[str, Any] | None:
    """What a line says; None if it is torn or damaged."""
    line = line.removesuffix(b"\n")
    text = line[:-_LENGTH] + b"}"
    if line[-_LENGTH:] != _checksum(text):
        return None
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


class Journal:
    """Events of a run, written behind those of the runs before.

    Parameters
    ----------
    folder
        The folder of the batch, held open.
    name
        Name of the file in it, as `journal_name` gives it; it is made when the first event is written.
    """

    def __init__(self, folder: Folder, name: str) -> None:
        self.folder = folder
        self.name = name
        self._descriptor: int | None = None
        self._torn = False

    def _open(self) -> int:
        descriptor = self.folder.open(self.name, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        # a line that was cut short must not run into the next one
        if os.fstat(descriptor).st_size:
            os.lseek(descriptor, -1, os.SEEK_END)
            self._torn = os.read(descriptor, 1) != b"\n"
        return descriptor

    def append(self, *events: Mapping[str, Any]) -> None:
        """Write events, and return when they are on the disk.

        Parameters
        ----------
        events
            Each a dictionary of JSON-like values with at least one key.

        Raises
        ------
        ResourceError
            If the disk is full.
        StoreError
            If the journal cannot be written.
        """
        rest = memoryview(b"".join(map(_line, events)))
        size = len(rest)
        if not size:
            return
        try:
            if self._descriptor is None:
                self._descriptor = self._open()
            if self._torn:
                os.write(self._descriptor, b"\n")
            # until all of it is written: a full disk may take half a line, and the next one begins again
            self._torn = True
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            self._torn = False
            os.fsync(self._descriptor)
        except OSError as reason:
            if reason.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise ResourceError(
                    f"the disk is full: {self.name} was not written",
                    given=f"{size:,} bytes into {self.folder}",
                    advice="free some space and rerun the same command; finished tasks are kept",
                ) from reason
            raise StoreError(f"cannot write {self.name} in {self.folder}", given=reason) from reason

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()


def read_journal(folder: Folder | StrPath) -> Iterator[dict[str, Any]]:
    """The events of all journals in a folder; lines that are torn or damaged are passed over.

    Parameters
    ----------
    folder
        The folder of a batch, by its name or held open.

    Yields
    ------
    event
        As it was given to `Journal.append`.

    Raises
    ------
    StoreError
        If something else than a file has the name of a journal.

    Examples
    --------
    >>> import tempfile
    >>> from heatpg.batch.journal import Journal, read_journal
    >>> from heatpg.tools.folders import Folder
    >>> with tempfile.TemporaryDirectory() as name, Folder(name) as folder:
    ...     with Journal(folder, "journal.jsonl") as journal:
    ...         journal.append({"event": "done", "seconds": 0.5})
    ...     list(read_journal(folder))
    [{'event': 'done', 'seconds': 0.5}]
    """
    with held(folder) as place:
        for name in filter(_PATTERN.fullmatch, place.names()):
            try:
                with open(place.open(name), "rb") as stream:
                    yield from (event for line in stream if (event := _event(line)) is not None)
            except OSError:
                continue


def last_failures(folder: Folder | StrPath) -> dict[str, dict[str, Any]]:
    """By task, the events of failures that nothing better came after."""
    # By order of lines, not of clocks. Between journals of shares the order does not matter: a task is in one of them,
    # unless the number of shares has changed, and then a shard decides whether it is done.
    failures: dict[str, dict[str, Any]] = {}
    for event in read_journal(folder):
        task = event.get("task")
        if not isinstance(task, str):
            continue
        if event.get("event") == "failed":
            failures[task] = event
        elif event.get("event") == "done":
            failures.pop(task, None)
    return failures
