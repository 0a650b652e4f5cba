"""What is told of a batch, in words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heatpg.batch import Progress, Summary, run, status, verify
from tests.batch.ridges import bad_specification, path_of, specification


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run(specification(), tmp_path / "out", workers=0)
    return tmp_path / "out"


def test_everything_has_words_and_json(folder: Path, tmp_path: Path) -> None:
    path_of(folder, 1).write_bytes(b"")
    path_of(folder, 2).unlink()
    failed = run(bad_specification(), tmp_path / "bad", workers=0)
    found: list[Any] = [status(folder), verify(folder), failed, status(tmp_path / "bad"), Progress(1, 2, 0)]
    for thing in found:
        json.dumps(thing.as_dict(), allow_nan=False)
    assert "4 tasks" in str(found[0]) and "2 (50 %)" in str(found[0])
    assert "only 0 bytes" in str(found[1]) and "task 2" in str(found[1])
    many = Summary("out", 0, 0, 0, failed.failed * 30, (), 1.0)
    assert "and 20 more" in str(many)


def test_every_time_says_what_it_counts(folder: Path, tmp_path: Path) -> None:
    """Estimate, progress, summary and status count different things, so their numbers differ: each says which."""
    assert "elapsed       2.0 s, starting workers and compiling kernels included" in str(
        Summary("out", 3, 1, 0, (), (), 2.0)
    )
    assert "already done  1\n" in str(Summary("out", 3, 1, 0, (), (), 2.0))
    said = str(status(folder))
    assert "s inside the tasks done, summed over workers, compiling kernels included" in said
    assert "2 (50 %)" not in said and "4 (100 %)" in said
