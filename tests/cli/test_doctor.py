"""heatpg doctor: it tells what is there and what is broken, and breaks of nothing itself."""

from __future__ import annotations

import configparser
import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import heatpg
from heatpg.cli import main
from heatpg.cli.doctor import EXTRAS, VARIABLES
from heatpg.solvers import fft
from heatpg.tools import kernels, parallel, resources
from tests.tools.test_extras import stale_install

ROOT = Path(__file__).resolve().parents[2]

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _small_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of one file, because a real one may have thousands, of many versions."""
    folder = tmp_path_factory.mktemp("cache") / "kernels-0"
    folder.mkdir(mode=0o700)
    (folder / "one").touch()
    monkeypatch.setattr(kernels, "_FOLDER", str(folder))


def examined(capsys: Capture, *words: str) -> tuple[int, dict[str, Any]]:
    code = main(["doctor", "--json", *words])
    out, err = capsys.readouterr()
    assert err == ""
    return code, json.loads(out)


def in_a_new_process(code: str, folder: Path, **variables: str) -> tuple[int, dict[str, Any], str]:
    """The doctor after some code, in a process of its own."""
    program = f"{code}\nimport sys\nfrom heatpg.cli import main\nsys.exit(main(['doctor', '--json', '--no-test']))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)} | variables
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, json.loads(done.stdout), done.stderr


def test_all_is_well_here(capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, found = examined(capsys)
    assert (code, found["passed"], found["problems"]) == (0, True, [])
    assert [(step["name"], step["passed"]) for step in found["test"]] == [
        ("load", True),
        ("evolve", True),
        ("file", True),
    ]
    assert found["heatpg_version"] == heatpg.__version__
    versions = {entry["name"]: entry["version"] for entry in found["packages"]}
    for name in ("numpy", "scipy", "numba", "h5py", "matplotlib"):
        assert versions[name] == importlib.metadata.version(name)
    assert found["processor"]["threads"] == heatpg.threads()
    assert found["kernels"]["private"] and found["kernels"]["mode"] == "0700" and found["kernels"]["files"] == 1
    assert found["memory"]["available"] > 0 and set(found["memory"]["kinds"]) == {
        "free",
        "control group",
        "address space",
    }
    assert found["disk"]["here"]["folder"] == str(tmp_path) and found["disk"]["here"]["writable"]
    assert found["environment"]["HEATPG_TRANSFORMS"] == os.environ["HEATPG_TRANSFORMS"]
    assert found["transforms"] == "scipy"
    assert list(tmp_path.iterdir()) == []


def test_what_it_says(capsys: Capture) -> None:
    assert main(["doctor"]) == 0
    out, err = capsys.readouterr()
    labels = {line[:11].strip() for line in out.splitlines()} - {""}
    assert labels == {
        "heatpg",
        "python",
        "packages",
        "extras",
        "plug-ins",
        "processor",
        "transforms",
        "variables",
        "kernels",
        "disk",
        "memory",
        "self-test",
        "verdict",
    }
    assert "no problems" in out and out.count("passed  ") == 3 and err == ""
    # what an extra is for follows "not installed" as its purpose, and is not what is had without it
    assert "without it" not in out and "can be taken" not in out and " available, " in out
    # what only developers need is one line, without the packages
    (line,) = [line for line in out.splitlines() if "only to develop heatpg" in line]
    assert all(re.search(rf"\b{name} (not )?installed", line) for name in ("test", "docs", "dev")) and "pip" not in line
    assert main(["doctor", "--no-test", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_every_extra_has_a_purpose() -> None:
    metadata = configparser.ConfigParser()
    metadata.read(ROOT / "setup.cfg", encoding="utf-8")
    assert set(EXTRAS) == set(metadata["options.extras_require"])


def test_every_variable_that_is_read_is_known() -> None:
    found = set()
    for folder in ("heatpg", "solvers"):
        for path in (ROOT / folder).rglob("*.py"):
            found |= set(re.findall(r"HEATPG_[A-Z][A-Z_]*[A-Z]", path.read_text(encoding="utf-8")))
    # a name that people try, and that is answered with the right one
    assert set(VARIABLES) == found - {"HEATPG_NUM_THREADS"}


@pytest.mark.parametrize("module", ["numba", "h5py", "numpy", "packaging"])
def test_a_package_that_cannot_be_imported_is_told(module: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    (broken / module).mkdir(parents=True)
    (broken / module / "__init__.py").write_text(f"raise OSError('a library of {module} is missing')\n")
    code, found, err = in_a_new_process(f"import sys; sys.path.insert(0, {str(broken)!r})", tmp_path)
    assert code == 3 and not found["passed"]
    assert any(f"a library of {module} is missing" in words for words in found["problems"])
    assert "Traceback" not in err
    assert found["python"]["executable"] == sys.executable and found["memory"]["available"] is not None


def test_mujoco_after_an_upgrade_in_place_is_told_with_what_mends_it(tmp_path: Path) -> None:
    folder = stale_install(tmp_path / "stale")
    code, found, err = in_a_new_process("", tmp_path, PYTHONPATH=os.pathsep.join([str(folder), str(ROOT)]))
    assert code == 3
    told = next(words for words in found["problems"] if "mujoco" in words)
    assert told.startswith("ModuleNotFoundError: No module named 'mujoco._specs'; mujoco 9 is installed but cannot")
    assert "2 of its files are missing" in told and "pip uninstall -y mujoco mujoco-core; pip install mujoco" in told
    assert "Traceback" not in err


def test_it_speaks_where_numpy_is_broken(tmp_path: Path) -> None:
    """In words too, which are wrapped and not only dumped."""
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text("raise OSError('a library is missing')\n")
    done = subprocess.run(
        [sys.executable, "-m", "heatpg", "doctor"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "problems, see below" in done.stdout and "failed  load" in done.stdout
    assert "heatpg: h5py cannot be loaded: OSError: a library is missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_self_test_fails_where_numbers_are_wrong(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    from heatpg.core.landscape import Landscape

    exact = Landscape.exact
    monkeypatch.setattr(Landscape, "exact", lambda self, sigma: exact(self, sigma) + 1e-6)
    code, found = examined(capsys)
    assert code == 3
    assert [(step["name"], step["passed"]) for step in found["test"]] == [("load", True), ("evolve", False)]
    assert "error of 1e-06 of max Q - min Q" in found["problems"][0]
    assert main(["doctor", "--quiet"]) == 3
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("heatpg: self-test, evolve:")


def test_a_file_that_reads_back_as_another_is_told(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    from heatpg import evolution as home

    load = home.load

    def changed(*arguments: Any, **options: Any) -> Any:
        flow = load(*arguments, **options)
        flow.values = flow.values + 1e-16 + flow.values * 1e-15
        return flow

    monkeypatch.setattr(home, "load", changed)
    code, found = examined(capsys)
    assert code == 3 and "is not what was written" in found["problems"][0]


def test_little_memory_is_told_by_its_kind(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_control_group_available", lambda: 1e6)
    code, found = examined(capsys, "--no-test")
    assert code == 5
    assert found["memory"]["available"] == 1e6
    assert "976.6 kiB of memory are left (control group): ask for a larger container" in found["problems"][0]


def test_a_full_disk_is_told(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "available_disk", lambda folder: 1e6)
    code, found = examined(capsys, "--no-test")
    assert code == 5
    assert "free on the disk of" in found["problems"][0]


def test_a_folder_that_cannot_be_written_is_told(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *arguments, **options: False)
    code, found = examined(capsys, "--no-test")
    assert code == 0
    assert any("give --out" in words for words in found["advice"])


@pytest.mark.parametrize(
    ("variable", "value", "code", "words"),
    [
        ("HEATPG_THREADS", "many", 2, "HEATPG_THREADS must be a number of threads"),
        ("HEATPG_TRANSFORMS", "fftw", 2, "unknown transform library"),
        ("HEATPG_THREAD", "2", 0, "did you mean 'HEATPG_THREADS'"),
        ("NUMBA_DISABLE_JIT", "1", 0, "unset it"),
    ],
)
def test_settings_that_do_not_fit_are_told(
    variable: str, value: str, code: int, words: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "_threads", None)
    monkeypatch.setattr(fft, "_chosen", None)
    monkeypatch.setenv(variable, value)
    found_code, found = examined(capsys, "--no-test")
    assert found_code == code
    assert any(words in text for text in (found["problems"] if code else found["advice"])), found
    assert found["environment"][variable] == value


def test_the_kind_of_processor_is_told(tmp_path: Path, capsys: Capture) -> None:
    code, found, err = in_a_new_process("", tmp_path, HEATPG_PROCESSOR="baseline")
    assert (code, found["kernels"]["processor"], err) == (0, "baseline", "")
    assert found["environment"]["HEATPG_PROCESSOR"] == "baseline"
    assert main(["doctor", "--no-test"]) == 0
    assert f"kernels    compiled for {kernels.PROCESSOR}\n" in capsys.readouterr()[0]


def test_a_kind_of_processor_that_there_is_not_is_told(tmp_path: Path) -> None:
    code, found, err = in_a_new_process("", tmp_path, HEATPG_PROCESSOR="avx")
    assert (code, found["kernels"], err) == (2, None, "")
    # of the kernels, and of what is read from them
    assert found["problems"][0].startswith("the kernels cannot be loaded")
    assert all("HEATPG_PROCESSOR" in text and "'avx'" in text and "'baseline'" in text for text in found["problems"])


def test_a_cache_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    code, found, err = in_a_new_process("", tmp_path, HEATPG_CACHE_DIR="/dev/null/here")
    assert (code, found["kernels"], err) == (0, None, "")
    assert len(found["advice"]) == 1
    assert "set HEATPG_CACHE_DIR to a private folder" in found["advice"][0]


def test_open_caches_are_told(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "kernels-new"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "sub").mkdir()
    (folder / "sub" / "two").write_bytes(b"123")
    (tmp_path / "kernels-old").mkdir()
    (tmp_path / "kernels-old" / "one").write_bytes(b"12345")
    monkeypatch.setattr(kernels, "_FOLDER", str(folder))
    code, found = examined(capsys, "--no-test")
    assert code == 0 and f"chmod 700 {folder}" in found["advice"][0]
    state = found["kernels"]
    assert (state["files"], state["bytes"], state["older"], state["older_bytes"]) == (1, 3, 1, 5)
    assert (state["mode"], state["private"]) == ("0755", False)


def test_without_an_installed_distribution(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    code, found = examined(capsys, "--no-test")
    assert code == 0 and "pip install ." in found["advice"][0]
    assert found["packages"] == [] and found["extras"] == {}


class _Distribution:
    """Metadata of an installation that lacks a package, and an extra."""

    version = "0.0.1"
    requires = ("numpy>=999", 'nowhere-to-be-had>=1; extra == "more"')

    class metadata:
        @staticmethod
        def get_all(name: str) -> list[str]:
            return ["more"]


def test_what_is_missing_is_told(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: _Distribution)
    assert main(["doctor", "--no-test"]) == 3
    out, err = capsys.readouterr()
    # a line that is too long for the terminal goes on below
    words = " ".join(out.split())
    assert "more not installed; to add it: pip install 'nowhere-to-be-had>=1'" in words
    assert "0.0.1 is installed" in out and "1 problem, see below" in out
    assert re.search(r"heatpg: numpy >=999 is needed, [\d.]+ is installed: pip install 'numpy>=999'", err)


def test_plug_ins_are_named(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = importlib.metadata.EntryPoint("maze", "mazes:maze", "heatpg.landscapes")
    asked = []

    def entry_points(**choice: str) -> list[importlib.metadata.EntryPoint]:
        asked.append(choice)
        return [entry]

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    assert main(["doctor", "--no-test"]) == 0
    assert "maze  mazes:maze" in capsys.readouterr().out
    assert {"group": "heatpg.landscapes"} in asked


def test_lines_fit_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr("heatpg.cli.talk.terminal_width", lambda: 72)
    assert main(["doctor", "--no-test"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 72 or " " not in line.strip() for line in lines), [line for line in lines if len(line) > 72]
