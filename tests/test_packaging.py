"""The list of packages, the tree and a built wheel agree, and `solvers` is known by one name only."""

from __future__ import annotations

import ast
import configparser
import email
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def setup_cfg() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config


def package_files() -> set[str]:
    """Paths of the files that a wheel must hold, as they are seen through the link heatpg/solvers."""
    found = set()
    for folder, _, files in os.walk(ROOT / "heatpg", followlinks=True):
        for name in files:
            if name.endswith((".py", ".pyi", ".html", ".js", ".css")) or name == "py.typed":
                found.add((Path(folder) / name).relative_to(ROOT).as_posix())
    return found


def python(code: str, *, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def build(what: str, source: Path, folder: Path) -> Path:
    """A wheel or a source distribution of a folder, built without network."""
    built = subprocess.run(
        [sys.executable, "-m", "build", f"--{what}", "--no-isolation", "--outdir", folder, source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = folder.glob("*.whl" if what == "wheel" else "*.tar.gz")
    return path


@pytest.fixture(scope="session", params=["no link", "link as a file", "source distribution"])
def wheel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """A wheel, built from a copy, so that the checkout stays clean.

    The link heatpg/solvers is left out of the copy, or is a file that holds its target, as git writes it where links
    are not to be had, or stays as it is and the wheel is built from the source distribution, as installers do where
    they find no wheel: the mapping in setup.cfg must do each time.
    """
    folder = tmp_path_factory.mktemp("wheel")
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "results")
    source = folder / "source"
    shutil.copytree(ROOT, source, symlinks=True, ignore=unwanted)
    if request.param == "source distribution":
        packed = build("sdist", source, folder)
        with tarfile.open(packed) as archive:
            archive.extractall(folder / "unpacked", filter="data")
        (source,) = (folder / "unpacked").iterdir()
        # setuptools would take those at the top of tests/, which do not run without the others
        assert not (source / "tests").exists()
    else:
        (source / "heatpg" / "solvers").unlink()
        if request.param == "link as a file":
            (source / "heatpg" / "solvers").write_text("../solvers", encoding="utf-8")
    with zipfile.ZipFile(build("wheel", source, folder)) as wheel:
        yield wheel


def test_packages_are_the_folders_of_the_tree() -> None:
    listed = setup_cfg()["options"]["packages"].split()
    folders = {Path(name).parent.as_posix().replace("/", ".") for name in package_files() if name.endswith(".py")}
    assert listed == sorted(folders)
    without_init = [name for name in listed if not (ROOT / name.replace(".", "/") / "__init__.py").is_file()]
    assert not without_init


def test_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    held = {name for name in wheel.namelist() if not name.split("/")[0].endswith(".dist-info")}
    assert held == package_files()
    assert "heatpg/solvers/__init__.py" in held
    assert "heatpg/py.typed" in held


def test_wheel_carries_licence_version_and_command(wheel: zipfile.ZipFile) -> None:
    (folder,) = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    assert wheel.read(f"{folder}/licenses/LICENSE").decode() == (ROOT / "LICENSE").read_text()
    metadata = email.message_from_string(wheel.read(f"{folder}/METADATA").decode())
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata["Version"] == written_version()
    assert "heatpg = heatpg.cli:main" in wheel.read(f"{folder}/entry_points.txt").decode()


def written_version() -> str:
    """The version as it stands in the source, a literal: the build reads it without importing what heatpg needs."""
    module = ast.parse((ROOT / "heatpg" / "version.py").read_text(encoding="utf-8"))
    (version,) = (
        node.value
        for node in module.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"
    )
    return str(ast.literal_eval(version))


def test_version_is_written_once() -> None:
    assert setup_cfg()["metadata"]["version"] == "attr: heatpg.version.__version__"
    assert "project" not in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_nothing_gpl_is_required() -> None:
    options = setup_cfg()
    assert "ducc0" not in options["options"]["install_requires"]
    # the extra `dev` has it only so that its transforms are tested beside SciPy's
    assert {name for name, needs in options["options.extras_require"].items() if "ducc0" in needs} == {"fast", "dev"}


def test_link_to_solvers_is_relative() -> None:
    assert Path(os.readlink(ROOT / "heatpg" / "solvers")) == Path("../solvers")


def test_link_to_solvers_is_tracked_as_a_link() -> None:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "--stage", "heatpg/solvers"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert listed.stdout.startswith("120000 ")


def test_solvers_refuse_their_short_name() -> None:
    done = python(
        "try:\n    import solvers\nexcept ImportError as error:\n    print(type(error).__name__, error)", cwd=ROOT
    )
    assert done.stdout.startswith("ImportError "), done.stdout + done.stderr
    assert "heatpg.solvers" in done.stdout


def test_installed_wheel_has_no_top_level_solvers(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path / "site")
    code = "import heatpg.solvers; print(heatpg.solvers.__file__); import solvers"
    done = python(code, cwd=tmp_path, PYTHONPATH=str(tmp_path / "site"))
    assert done.stdout.strip() == str(tmp_path / "site" / "heatpg" / "solvers" / "__init__.py"), done.stderr
    assert "ModuleNotFoundError: No module named 'solvers'" in done.stderr
