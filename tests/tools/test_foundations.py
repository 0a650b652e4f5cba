"""Layer 0: kernels and their cache, threads, names, resources, errors, reports."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import heatpg.errors
from heatpg.cli import main
from heatpg.core.report import Check, Place, Report
from heatpg.errors import CheckError, GridError, HeatpgError, OptionError, ResourceError, UnknownNameError
from heatpg.tools import kernels, parallel
from heatpg.tools.kernels import cache_folder
from heatpg.tools.registry import Registry
from heatpg.tools.resources import human_bytes, require_disk, require_memory

EVOLVE = """
import hashlib, numpy as np
from heatpg import Axis, Grid, Landscape, evolve
grid = Grid(Axis("x", 0, 1, 12, boundary="reflect"), Axis("y", 0, 1, 10, boundary="clip"))
q = Landscape(np.sin(np.arange(120.0).reshape(12, 10) ** 2), grid)
for name in ("explicit", "implicit", "crank_nicolson", "exponential", "spectral", "direct"):
    flow = evolve(q, [0.05, 0.2], name)
    print(name, [repr(float(x)) for x in flow.values[:, 3, 4]], len(flow.report.failures))
"""


def run(code: str, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize(
    ("place", "changes"),
    [
        ("core/extrema.py", True),
        ("landscapes/double_pendulum.py", True),
        ("solvers/tridiagonal.py", True),
        ("store/chunks.py", True),
        ("core/grid.py", False),
    ],
)
def test_a_kernel_that_is_edited_in_any_room_is_compiled_anew(place: str, changes: bool, tmp_path: Path) -> None:
    """Numba itself looks at the file of a kernel only, not at those of the kernels that it calls."""
    package = tmp_path / "heatpg"
    for path in kernels._PACKAGE.rglob("*.py"):
        copy = package / path.relative_to(kernels._PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    shutil.copytree(kernels._PACKAGE / "solvers", package / "solvers", dirs_exist_ok=True)
    before = kernels._source_digest(package)
    assert before == kernels._source_digest()
    source = package / place
    assert (b"@kernel" in source.read_bytes()) is changes
    source.write_bytes(source.read_bytes() + b"\n# edited\n")
    assert (kernels._source_digest(package) != before) is changes


def test_kernels_are_cached_for_the_next_process_in_a_private_folder(tmp_path: Path) -> None:
    code = (
        "from heatpg.tools.kernels import kernel, cache_folder; from heatpg.tools.parallel import set_threads\n"
        + EVOLVE
    )
    first = run(code, HEATPG_CACHE_DIR=str(tmp_path))
    (folder,) = tmp_path.glob("kernels-*")
    if os.name == "posix":
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    compiled = {path.name: path.stat().st_mtime_ns for path in folder.rglob("*.nbc")}
    assert len(compiled) >= 10
    assert run(code, HEATPG_CACHE_DIR=str(tmp_path)) == first
    assert {path.name: path.stat().st_mtime_ns for path in folder.rglob("*.nbc")} == compiled


def test_without_compilation_the_numbers_are_the_same() -> None:
    """The kernels are plain Python too; only fused multiply-add may round differently, and none is allowed."""
    interpreted = run(EVOLVE, NUMBA_DISABLE_JIT="1")
    assert interpreted == run(EVOLVE)
    assert interpreted.count(" 0\n") == 6


@pytest.mark.skipif(os.name != "posix", reason="modes of folders")
def test_a_cache_that_others_can_write_is_not_used(tmp_path: Path) -> None:
    code = "import warnings; warnings.simplefilter('always'); import heatpg.tools.kernels as k; print(k.cache_folder())"
    made = run(code, HEATPG_CACHE_DIR=str(tmp_path)).strip()
    Path(made).chmod(0o777)
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HEATPG_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "None"
    assert "accessible to other users" in result.stderr


def test_this_process_has_a_cache_or_says_that_it_has_none() -> None:
    folder = cache_folder()
    assert folder is None or folder.is_dir()


def test_threads_are_counted_set_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    before = parallel.threads()
    try:
        parallel.set_threads(3)
        assert parallel.threads() == 3
        seen: list[int] = []
        parallel.for_each(seen.append, range(100))
        assert sorted(seen) == list(range(100))
        for wrong in (0, -1, 2.5, True, "many", 10**400, float("nan")):
            with pytest.raises(OptionError, match="number of threads"):
                parallel.set_threads(wrong)  # type: ignore[arg-type]

        def fail(item: int) -> None:
            if item == 5:
                raise GridError("planted")

        with pytest.raises(GridError, match="planted"):
            parallel.for_each(fail, range(10))
    finally:
        parallel.set_threads(before)
    assert run("import heatpg; print(heatpg.threads())", HEATPG_THREADS="5").strip() == "5"
    result = subprocess.run(
        [sys.executable, "-c", "import heatpg; heatpg.threads()"],
        env={**os.environ, "HEATPG_THREADS": "many"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "HEATPG_THREADS" in result.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_makes_its_own_threads() -> None:
    code = """
import os, warnings
warnings.simplefilter("ignore")
from heatpg.tools.parallel import for_each, set_threads
set_threads(2)
for_each(print, [1, 2])
child = os.fork()
if child == 0:
    seen = []
    for_each(seen.append, [3, 4, 5])
    os._exit(0 if sorted(seen) == [3, 4, 5] else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stderr


def test_names_are_taken_once_and_missed_with_near_names() -> None:
    registry: Registry[object] = Registry("thing", "heatpg.boundaries")
    registry.add("one", 1)
    registry.add("one", 1)
    with pytest.raises(UnknownNameError, match="is already registered"):
        registry.add("one", 2)
    with pytest.raises(UnknownNameError, match=r"unknown thing\W+got: 'onee'; did you mean 'one'\?\W+expected: one"):
        registry.get("onee")


def test_errors_survive_a_pickle_with_their_parts() -> None:
    error = GridError("no", given=3, allowed="4", advice="add one")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is GridError
    assert str(copy) == str(error) == "no\n  got: 3\n  expected: 4\n  try: add one"
    assert (copy.given, copy.allowed, copy.advice) == (3, "4", "add one")
    assert isinstance(CheckError("x"), RuntimeError)
    assert all(hasattr(heatpg.errors, name) for name in heatpg.errors.__all__)
    assert str(HeatpgError("alone")) == "alone"


def test_resources_are_refused_in_bytes_that_read_well(tmp_path: Path) -> None:
    assert [human_bytes(x) for x in (0, 1023, 1024, 5 * 2**30, 2**50)] == [
        "0 B",
        "1023 B",
        "1.0 kiB",
        "5.0 GiB",
        "1024.0 TiB",
    ]
    with pytest.raises(ResourceError, match="TiB needed"):
        require_memory(1e18, "this", "think smaller")
    with pytest.raises(ResourceError, match="free some space"):
        require_disk(1e18, tmp_path, "this")
    require_memory(10, "this", "")
    require_disk(10, tmp_path, "this")


def test_reports_go_to_json_and_back() -> None:
    report = Report(
        [
            Check("range", "passed", "fine", 1e-16, 1e-15, "round-off"),
            Check("cross-check", "failed", "off", 0.5, 1e-3, "symbols", Place(1, (0, 2), (0.5, 1.0)), True),
            Check("spatial maxima", "finding", "3 -> 2"),
        ],
        "full",
    )
    again = Report.from_dict(json.loads(json.dumps(report.as_dict())))
    assert again.checks == report.checks
    assert again.level == "full"
    assert not report.passed
    assert [check.name for check in report.failures] == ["cross-check"]
    assert [check.name for check in report.findings] == ["spatial maxima"]
    text = str(report)
    assert "0.5 > 0.001" in text
    assert "sigma[1], index (0, 2), at (0.5, 1)" in text
    assert len(text.splitlines()) == 3
    with pytest.raises(KeyError, match="it has: range"):
        report["nothing"]


def test_a_file_of_nearly_this_name_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pendulum.npy").touch()
    assert main(["run", "pendullum.npy", "--boundary", "clip"]) == 2
    assert "did you mean 'pendulum.npy'?" in capsys.readouterr().err
    assert main(["run", "nowhere/pendulum.npy", "--boundary", "clip"]) == 2
    assert "check the folder: nowhere does not exist either" in capsys.readouterr().err


def test_a_module_is_the_command(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "heatpg"]
    done = subprocess.run([*words, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.startswith("usage: heatpg ")
    wrong = subprocess.run([*words, "rnu"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert wrong.returncode == 2 and "did you mean 'run'?" in wrong.stderr
