"""The files of compiled kernels: damaged ones are deleted, told once, and compiled once more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """
import json, sys, warnings
from heatpg.errors import HeatpgWarning
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from heatpg.tools.kernels import cache_folder, kernel, remove_damaged

    @kernel
    def inner(x):
        return 2.0 * x

    @kernel
    def outer(x):
        return inner(x) + 1.0

    @kernel
    def other(x):
        return 3.0 * x

    counts = remove_damaged() if "doctor" in sys.argv else None
    values = [outer(1.5), other(1.5)]
told = [str(w.message) for w in caught if issubclass(w.category, HeatpgWarning)]
print(json.dumps({"values": values, "told": told, "folder": str(cache_folder()), "counts": counts,
                  "hits": sum(f.stats.cache_hits.total() if hasattr(f.stats.cache_hits, "total")
                              else sum(f.stats.cache_hits.values()) for f in (outer, other))}))
"""


class Bench:
    def __init__(self, place: Path) -> None:
        self.place = place
        (place / "script.py").write_text(SCRIPT)

    def run(self, *words: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, str(self.place / "script.py"), *words],
            capture_output=True,
            text=True,
            env=os.environ | {"HEATPG_CACHE_DIR": str(self.place / "cache")},
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        assert found["values"] == [4.0, 4.5]
        return found

    def files(self, pattern: str) -> list[Path]:
        found = sorted((self.place / "cache").rglob(pattern))
        assert found
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    assert made.run()["told"] == []
    return made


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-7]),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:20]),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "flipped": flip,
    "junk": lambda path: path.write_bytes(b"\x80\x04junk" * 100),
}


@pytest.mark.parametrize("pattern", ["*.nbi", "*.nbc"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_files_are_compiled_once_more(bench: Bench, damage: str, pattern: str) -> None:
    for path in bench.files(pattern):
        DAMAGE[damage](path)
    found = bench.run()
    assert len(found["told"]) == 1 and "power cut" in found["told"][0] and found["hits"] == 0
    again = bench.run()
    assert again["told"] == [] and again["hits"] == 2


def test_a_whole_cache_is_used(bench: Bench) -> None:
    assert bench.run()["hits"] == 2


def test_the_doctor_looks_at_every_file(bench: Bench) -> None:
    """Each of them, not those of the kernels that a self-test happens to need."""
    files = bench.files("*.nb?")
    for path in files[::2]:
        path.write_bytes(b"")
    found = bench.run("doctor")
    assert found["counts"] == [len(files), len(files[::2])] and found["told"] == []
    assert bench.run("doctor")["counts"][1] == 0


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_a_cache_that_cannot_be_written_is_no_error(bench: Bench) -> None:
    """Not even for root: a folder stands where a file was to be written."""
    for path in bench.files("*.nb?"):
        path.unlink()
        path.mkdir()
    assert bench.run()["hits"] == 0
