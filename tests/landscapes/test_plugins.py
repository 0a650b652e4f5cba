"""Landscapes of other distributions: found by name, loaded when asked for, and never able to break ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import heatpg.landscapes
from heatpg.batch import SpecError, Task, read_spec
from heatpg.batch.work import run_task
from heatpg.cli import main
from heatpg.core.landscape import Landscape
from heatpg.errors import HeatpgWarning, MissingPackageError, OptionError, UnknownNameError
from heatpg.landscapes import landscapes
from heatpg.tools.registry import Registry

Capture = pytest.CaptureFixture[str]

MODULE = '''
"""A landscape from elsewhere."""

import sys

from heatpg import Axis, Grid, Landscape

sys.loaded_by_heatpg = True
number = 5


def saddle(grid=None, *, size: int = 5, height: float = 1.0):
    """A saddle from elsewhere."""
    grid = grid or Grid(*(Axis(name, -1.0, 1.0, size, boundary="clip") for name in ("x", "y")))
    return Landscape.from_function(lambda x, y: height * (x**2 - y**2), grid, name="saddle")
'''

POINTS = """
[heatpg.landscapes]
saddle = far_away:saddle
lost = nowhere_at_all:lost
number = far_away:number
absent = far_away:absent
quadrotor = far_away:saddle
"""


def install(folder: Path, name: str, version: str, points: str) -> None:
    """What an installer leaves of a distribution."""
    place = folder / f"{name}-{version}.dist-info"
    place.mkdir()
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    (place / "entry_points.txt").write_text(points, encoding="utf-8")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with a distribution of which some things are broken; ours forget it afterwards."""
    (tmp_path / "far_away.py").write_text(MODULE, encoding="utf-8")
    install(tmp_path, "far-landscapes", "1.2.3", POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("HEATPG_NO_PLUGINS", raising=False)
    monkeypatch.delitem(sys.modules, "far_away", raising=False)
    monkeypatch.setattr(landscapes, "_plugins", None)
    monkeypatch.setattr(landscapes, "_loaded", {})
    return tmp_path


@pytest.fixture
def known(elsewhere: Path) -> list[str]:
    """The names, after the warning that one is ours."""
    with pytest.warns(HeatpgWarning, match=r"'quadrotor' of far-landscapes 1\.2\.3 is ignored: heatpg already has one"):
        return landscapes.names()


def test_names_are_known_without_loading(known: list[str]) -> None:
    assert {"saddle", "lost", "number", "absent", "quadrotor"} <= set(known)
    assert known == sorted(set(known))
    assert not {"saddle", "lost"} & set(landscapes.own_names())
    assert "far_away" not in sys.modules
    assert {name: str(plugin) for name, plugin in landscapes.plugins().items()} == dict.fromkeys(
        ("saddle", "lost", "number", "absent"), "far-landscapes 1.2.3"
    )


def test_a_plugin_is_loaded_when_asked_for(known: list[str]) -> None:
    q = landscapes.get("saddle")(size=7, height=2.0)
    assert isinstance(q, Landscape)
    assert q.grid.shape == (7, 7)
    assert landscapes.get("saddle") is landscapes.get("saddle")
    assert heatpg.landscapes.saddle is landscapes.get("saddle")


def test_another_version_is_another_task(known: list[str], elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {"landscape": {"source": "saddle", "size": 9}, "evolve": {"sigma": 0.5}}
    (task,) = read_spec(spec).tasks()
    assert task.resolved["landscape"]["distribution"] == "far-landscapes 1.2.3"
    assert Task.from_resolved(task.resolved).id == task.id
    assert run_task(task.resolved)[1]["failures"] == []
    (elsewhere / "far-landscapes-1.2.3.dist-info").rename(elsewhere / "old")
    install(elsewhere, "far-landscapes", "1.2.4", POINTS)
    monkeypatch.setattr(landscapes, "_plugins", None)
    with pytest.warns(HeatpgWarning, match="ignored"):
        (other,) = read_spec(spec).tasks()
    assert other.id != task.id
    with pytest.raises(SpecError):
        Task.from_resolved(task.resolved)


def test_our_names_are_ours(known: list[str]) -> None:
    assert landscapes.get("quadrotor") is heatpg.landscapes.quadrotor
    assert landscapes.get("quadrotor").__module__ == "heatpg.landscapes.quadrotor"


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("lost", MissingPackageError, "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("absent", MissingPackageError, "AttributeError"),
        ("number", OptionError, "cannot be called\n  got: far_away:number: int"),
    ],
)
def test_what_is_broken_is_said_and_hurts_nobody_else(
    known: list[str], name: str, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=r"(?s)of far-landscapes 1\.2\.3 .*HEATPG_NO_PLUGINS=1") as caught:
        landscapes.get(name)
    assert words in str(caught.value)
    with pytest.raises(AttributeError, match=r"far-landscapes"):
        getattr(heatpg.landscapes, name)
    assert landscapes.get("saddle")().grid.shape == (5, 5)


def test_unknown_names_are_compared_with_plugins_too(known: list[str]) -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'saddle'"):
        landscapes.get("sadle")
    with pytest.raises(AttributeError, match="has no 'sadle'"):
        heatpg.landscapes.sadle  # noqa: B018


def test_two_distributions_of_one_name(elsewhere: Path) -> None:
    install(elsewhere, "another", "0.1", "[heatpg.landscapes]\nsaddle = far_away:saddle\n")
    with pytest.warns(HeatpgWarning) as told:
        assert str(landscapes.plugins()["saddle"]) == "another 0.1"
    assert any("'saddle' of far-landscapes 1.2.3 is ignored: another 0.1" in str(each.message) for each in told)


def test_they_can_be_left_out(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEATPG_NO_PLUGINS", "1")
    assert landscapes.plugins() == {}
    assert landscapes.names() == landscapes.own_names()
    assert not hasattr(heatpg.landscapes, "saddle")


def test_other_registries_have_none(elsewhere: Path) -> None:
    from heatpg.solvers import solvers

    assert solvers.plugins() == {}
    empty: Registry[Any] = Registry("boundary", "heatpg.boundaries")
    assert empty.plugins() == {}


def test_the_list_says_whose_they_are(known: list[str], capsys: Capture) -> None:
    assert main(["list", "landscapes"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[1:]}
    assert lines["saddle"].split(None, 1)[1] == "A saddle from elsewhere. [far-landscapes 1.2.3]"
    assert "broken: nowhere_at_all:lost: ModuleNotFoundError" in lines["lost"]
    assert "[far" not in lines["quadrotor"]
    assert main(["list", "landscapes", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["plugins"]["saddle"] == {"distribution": "far-landscapes", "version": "1.2.3"}
    assert told["landscapes"]["saddle"] == "A saddle from elsewhere."
    assert main(["list", "solvers", "--json"]) == 0
    assert "plugins" not in json.loads(capsys.readouterr().out)


def test_a_run_and_a_fresh_process_find_them(elsewhere: Path, tmp_path: Path) -> None:
    """Import of heatpg.landscapes loads nothing of a plug-in; a name given on the command line does."""
    code = "import sys, heatpg.landscapes as l; print(hasattr(sys, 'loaded_by_heatpg'), l.saddle(size=3).name)"
    environment = os.environ | {"PYTHONPATH": str(elsewhere), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert (done.returncode, done.stdout.split()) == (0, ["False", "saddle"]), done.stderr


def test_a_batch_and_its_workers_find_them(known: list[str], tmp_path: Path) -> None:
    from heatpg import batch

    spec = {"landscape": {"source": "saddle", "size": 16, "height": 2.0}, "evolve": {"sigma": [0.2]}}
    assert batch.run(spec, tmp_path / "batch", workers=1).done == 1
    with pytest.raises(batch.SpecError, match="unknown option of the landscape 'saddle'"):
        batch.read_spec({**spec, "landscape": {"source": "saddle", "sise": 16}})


def test_modules_are_modules(known: list[str]) -> None:
    """Plug-ins have names as attributes, and the package's own modules keep theirs."""
    from heatpg.landscapes import directions, environments

    assert isinstance(directions, ModuleType) and isinstance(environments, ModuleType)
