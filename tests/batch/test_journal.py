"""The journal: a cache, which survives everything that can happen to a file that is appended to."""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heatpg.batch.journal import Journal, journal_name, read_journal
from heatpg.errors import ResourceError, StoreError
from heatpg.tools.folders import Folder

EVENTS: list[dict[str, Any]] = [
    {"event": "done", "task": "ab", "seconds": 0.125, "failures": []},
    {"event": "failed", "task": "cd", "reason": 'a "quoted"\nreason, ü'},
    {"event": "run", "workers": 3},
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Journal(Folder(tmp_path), "journal.jsonl") as journal:
        journal.append(*EVENTS)
    return tmp_path / "journal.jsonl"


def test_what_is_written_is_read(path: Path) -> None:
    assert list(read_journal(path.parent)) == EVENTS
    assert path.read_bytes().count(b"\n") == 3


def test_it_is_on_the_disk_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    def recorded(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*arguments: Any) -> Any:
            steps.append(name)
            return real(*arguments)

        return call

    for name in ("write", "fsync"):
        monkeypatch.setattr(os, name, recorded(name))
    with Journal(Folder(tmp_path), "journal.jsonl") as journal:
        journal.append(*EVENTS)
        assert steps == ["write", "fsync"]
        journal.append()
        assert steps == ["write", "fsync"]


@pytest.mark.parametrize("cut", range(2, 60, 7))
def test_a_torn_last_line_is_ignored_and_harms_no_other(path: Path, cut: int) -> None:
    content = path.read_bytes()
    last = content.rindex(b"\n", 0, -1) + 1
    path.write_bytes(content[: max(last + 1, len(content) - cut)])
    assert list(read_journal(path.parent)) == EVENTS[:2]
    with Journal(Folder(path.parent), path.name) as journal:
        journal.append(EVENTS[2])
        journal.append(EVENTS[0])
    assert list(read_journal(path.parent)) == [*EVENTS, EVENTS[0]]


def test_every_bit_of_a_line_counts(path: Path) -> None:
    content = path.read_bytes()
    end = content.index(b"\n")
    for place in range(end):
        flipped = bytearray(content)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        assert list(read_journal(path.parent)) == EVENTS[1:]


@pytest.mark.parametrize("garbage", [b"\xff\x00\n", b"[1]\n", b"3\n", b'{"crc32":1}\n', b"{}\n", b"[" * 10_000 + b"\n"])
def test_garbage_is_passed_over(path: Path, garbage: bytes) -> None:
    path.write_bytes(garbage + path.read_bytes() + garbage)
    assert list(read_journal(path.parent)) == EVENTS


def test_every_share_has_its_own(tmp_path: Path) -> None:
    for i in range(3):
        with Journal(Folder(tmp_path), journal_name((i, 3))) as journal:
            journal.append({"share": i})
    assert [event["share"] for event in read_journal(tmp_path)] == [0, 1, 2]


def test_each_line_is_json_with_a_checksum_of_the_rest(path: Path) -> None:
    line = path.read_text().splitlines()[2]
    rest = line[: line.index(',"crc32"')] + "}"
    assert line.endswith(f'"crc32":"{zlib.crc32(rest.encode()):08x}"}}')


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, ResourceError), (errno.EIO, StoreError)])
def test_a_disk_that_takes_half_a_line(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    real = os.write
    calls = []

    def write(descriptor: int, data: Any) -> int:
        calls.append(len(data))
        if len(calls) > 1:
            raise OSError(number, os.strerror(number))
        return real(descriptor, bytes(data)[:20])

    with Journal(Folder(path.parent), path.name) as journal:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write)
            with pytest.raises(kind):
                journal.append({"event": "lost"})
        journal.append({"event": "kept"})
    assert list(read_journal(path.parent)) == [*EVENTS, {"event": "kept"}]


def test_a_journal_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").mkdir()
    with pytest.raises(StoreError, match=r"journal\.jsonl is a folder"):
        Journal(Folder(tmp_path), "journal.jsonl").append(EVENTS[0])
