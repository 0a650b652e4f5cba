"""Closed streams, full disks, few descriptors, little address space: documented exit codes, and words that help."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")

SPEC = """
[landscape]
source = "ridge"
size = 16
[evolve]
sigma = [0.3]
[sweep.product]
"landscape.width" = [0.2, 0.3]
"""


def shell(command: str, folder: Path) -> tuple[int, str, str]:
    """Run a command of the shell in which HEATPG stands for heatpg."""
    done = subprocess.run(
        ["sh", "-c", command.replace("HEATPG", f"'{sys.executable}' -m heatpg")],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


RUN = "HEATPG run ridge --set size=21 --sigma 0.2"


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams(closed: str, tmp_path: Path) -> None:
    """The next file that is opened would become the closed stream, and what is printed would go into it."""
    code, _, _ = shell(f"{RUN} --out a.h5 {closed}", tmp_path)
    assert code == 0 and shell("HEATPG check a.h5 --quiet", tmp_path)[0] == 0
    code, out, _ = shell(f"HEATPG check nothing.h5 --json {closed}", tmp_path)
    assert code == 2 and out == ""


def test_json_stays_json_without_a_place_for_notes(tmp_path: Path) -> None:
    code, out, _ = shell("HEATPG list boundaries --json 2>&-", tmp_path)
    assert code == 0 and json.loads(out)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    code, _, err = shell("HEATPG list boundaries > /dev/full", tmp_path)
    assert code == 5 and "the disk is full" in err


@pytest.mark.parametrize("count", [7, 9, 11, 14, 17, 30])
def test_few_descriptors(count: int, tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text(SPEC)
    run = "HEATPG batch run spec.toml --out out --workers 2 --quiet"
    code, out, err = shell(f"ulimit -n {count}; {run}", tmp_path)
    assert code in (0, 5), err
    assert out.strip().endswith("out") if code == 0 else "ulimit -n" in err
    code, _, err = shell(run, tmp_path)
    assert code == 0, err


@pytest.mark.parametrize("kilobytes", [150_000, 260_000, 400_000, 500_000])
def test_too_little_address_space(kilobytes: int, tmp_path: Path) -> None:
    """With 500 MB SciPy would wait for memory for ever."""
    code, _, err = shell(f"ulimit -v {kilobytes}; {RUN}", tmp_path)
    assert code == 5 and "address space" in err and "ulimit -v" in err
