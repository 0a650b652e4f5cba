"""Advice names packages that exist, and never heatpg in an index that does not have it."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
from pathlib import Path

import pytest

from heatpg.tools.extras import how_to_add, how_to_mend, missing_files, packages_of

ROOT = Path(__file__).resolve().parents[2]
LINES = [
    "numpy>=1.26",
    'gymnasium>=1.0; extra == "rl"',
    "mujoco (>=3.1) ; extra == 'rl'",
    'heatpg[rl,docs]; extra == "dev"',
    'heatpg[dev]; extra == "docs"',
    'sphinx<9,>=8.1; python_version > "3.10" and extra == "docs"',
]


def test_packages_of_extras() -> None:
    assert packages_of("rl", LINES) == ["gymnasium>=1.0", "mujoco>=3.1"]
    assert packages_of("dev", LINES) == ["sphinx<9,>=8.1", "gymnasium>=1.0", "mujoco>=3.1"]
    assert packages_of("none", LINES) == []


@pytest.mark.parametrize("extra", ["xarray", "fast", "mpi", "cluster", "rl"])
def test_every_extra_is_added_by_its_own_packages(extra: str) -> None:
    words = how_to_add(extra)
    assert re.fullmatch(r"pip install ('[A-Za-z0-9]+>=[0-9.]+' ?)+", words) and "heatpg" not in words


def test_a_clone_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    assert how_to_add("rl") == "pip install '.[rl]' in the clone of heatpg"


def test_nothing_says_to_install_heatpg_from_an_index() -> None:
    """Neither code nor docs, notebooks and messages of tests."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no clone")
    wrong = []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in (".py", ".md", ".ipynb", ".toml", ".cfg", ".yml", ".rst", "") and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            wrong += (
                [name]
                if re.search(r"pip3? install (-\S+ )*['\"]?heatpg(\[|['\" ]|$)", text, flags=re.MULTILINE)
                else []
            )
    assert wrong == []


def stale_install(folder: Path, *, stale: bool = True) -> Path:
    """A package in two distributions; with the gap that an upgrade leaves which splits one distribution in two."""
    package = folder / "mujoco"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import mujoco._specs\n")
    files = {"mujoco": ["mujoco/__init__.py"], "mujoco_core": ["mujoco/_specs.py", "mujoco/_functions.py"]}
    if not stale:
        for name in files["mujoco_core"]:
            (folder / name).touch()
    for name, held in files.items():
        home = folder / f"{name}-9.0.0.dist-info"
        home.mkdir()
        needs = "Requires-Dist: mujoco-core==9.0.0\nRequires-Dist: glfw\n" if name == "mujoco" else ""
        (home / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 9\n{needs}")
        lines = [*held, "mujoco/__pycache__/__init__.pyc", f"{home.name}/METADATA", f"{home.name}/RECORD"]
        (home / "RECORD").write_text("".join(f"{line},,\n" for line in lines))
    return folder


def test_an_upgrade_in_place_that_left_gaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(stale_install(tmp_path / "stale")))
    assert missing_files("mujoco") == 2
    assert how_to_mend("mujoco") == (
        "mujoco 9 is installed but cannot be imported: 2 of its files are missing, as after an upgrade in place. "
        "Reinstall it: pip uninstall -y mujoco mujoco-core; pip install mujoco"
    )
    monkeypatch.syspath_prepend(str(stale_install(tmp_path / "whole", stale=False)))
    assert missing_files("mujoco") == 0
    assert "missing" not in how_to_mend("mujoco")
