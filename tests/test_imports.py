"""Importing heatpg and asking for help stay light: what is heavy is loaded when it is first used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"h5py", "matplotlib", "numba", "pydantic", "scipy"}
NOT_FOR_HELP = HEAVY | {"numpy", "packaging", "shtab"}

HELP = """
import runpy, sys
sys.argv = ["heatpg", "--help"]
try:
    runpy.run_module("heatpg", run_name="__main__", alter_sys=True)
except SystemExit as end:
    assert not end.code, end.code
"""


def loaded_by(code: str, folder: Path) -> set[str]:
    """Top-level modules that a fresh Python has loaded after some code."""
    marker = "loaded modules:"
    tail = f"\nimport sys\nprint({marker!r}, *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code + tail], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in done.stdout.rpartition(marker)[2].split()}


@pytest.mark.parametrize(("code", "heavy"), [("import heatpg", HEAVY), (HELP, NOT_FOR_HELP)], ids=["import", "help"])
def test_nothing_heavy_is_loaded(code: str, heavy: set[str], tmp_path: Path) -> None:
    loaded = loaded_by(code, tmp_path)
    assert "heatpg" in loaded
    assert loaded & heavy == set()


def test_every_heavy_module_is_noticed(tmp_path: Path) -> None:
    assert loaded_by("import " + ", ".join(sorted(NOT_FOR_HELP)), tmp_path) >= NOT_FOR_HELP
