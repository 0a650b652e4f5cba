"""What `progress=True` shows, and what the logger of heatpg tells."""

from __future__ import annotations

import logging
import subprocess
import sys
import types
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, evolve, landscapes, study
from heatpg.scalespace import track
from heatpg.tools.progress import progress_of


def test_lines_without_tqdm(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line is always there; how many come before depends on how fast the machine is."""
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    flow = evolve(landscapes.unequal_bumps(size=101), np.geomspace(0.1, 2.0, 8), progress=True)
    assert capsys.readouterr().err.splitlines()[-1] == "solving: 8 of 8"
    track(flow, progress=True)
    assert capsys.readouterr().err.splitlines()[-1] == "following: 9 of 9"
    study(flow, progress=True)
    assert capsys.readouterr().err.splitlines()[-1] == "studying: 7 of 7"
    grid = Grid(Axis("x", 0.0, 1.0, 5, boundary="clip"))
    Landscape.from_function(lambda x: float(x), grid, vectorized=False, progress=True)
    assert capsys.readouterr().err.splitlines()[-1] == "sampling: 5 of 5"
    landscapes.double_pendulum(size=9, horizon=0.1, progress=True)
    assert capsys.readouterr().err.startswith("sampling: ")


def test_a_bar_of_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each bar gets its steps, their number and a name, and is closed at its end; a second run has a bar of its own."""
    bars: list[Any] = []

    class Bar:
        def __init__(self, total: int, desc: str) -> None:
            self.total, self.desc, self.n, self.closed = total, desc, 0, False
            bars.append(self)

        def update(self, steps: int) -> None:
            assert not self.closed and steps >= 0
            self.n += steps

        def close(self) -> None:
            self.closed = True

    module = types.ModuleType("tqdm.auto")
    module.tqdm = Bar  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", module)
    tell = progress_of(True, "solving")
    assert tell is not None
    for done, total in ((1, 3), (2, 3), (3, 3), (1, 2), (2, 2)):
        tell(done, total)
    assert [(bar.desc, bar.total, bar.n, bar.closed) for bar in bars] == [
        ("solving", 3, 3, True),
        ("solving", 2, 2, True),
    ]


def test_no_progress_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    evolve(landscapes.unequal_bumps(size=101), 0.5, progress=False)
    assert capsys.readouterr() == ("", "")


PROGRAM = """
import logging, sys
{prompt}
logging.basicConfig(level={level!r}, format="%(name)s: %(message)s")
from heatpg import evolve, landscapes
evolve(landscapes.unequal_bumps(size=101), 0.5, "explicit", checks="none")
"""


@pytest.mark.parametrize(("prompt", "level"), [("", "INFO"), ("sys.ps1 = '>>> '", "WARNING"), ("", "WARNING")])
def test_compilation_is_told(prompt: str, level: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the logger which kernels; at a prompt that kernels are compiled, once; to nobody else anything."""
    monkeypatch.setenv("HEATPG_CACHE_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    code = PROGRAM.format(prompt=prompt, level=level)
    for fresh in (True, False):
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr
        lines = [line for line in told.splitlines() if "compiling" in line]
        if not fresh or (not prompt and level == "WARNING"):
            assert lines == []
        elif prompt:
            assert len(lines) == 1 and lines[0].startswith("heatpg: compiling ")
        else:
            assert lines and all(line.startswith("heatpg: compiling ") for line in lines)


def test_the_library_is_silent_by_itself() -> None:
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("heatpg").handlers)
