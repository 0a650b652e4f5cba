"""The folder of a batch: its name, and that nothing else is written into."""

from __future__ import annotations

from pathlib import Path

import pytest

from heatpg.batch import read_spec, run, status, verify
from heatpg.errors import StoreError
from tests.batch.ridges import specification, tasks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run(specification(), tmp_path / "out", workers=0)
    return tmp_path / "out"


def test_a_folder_that_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(StoreError, match=r"thesis\.tex"):
        run(specification(), tmp_path, workers=0)
    with pytest.raises(StoreError, match="cannot be used"):
        run(specification(), tmp_path / "thesis.tex", workers=0)
    for look in (status, verify):
        with pytest.raises(StoreError, match=r"is not a batch directory \(no spec\.toml\)"):
            look(tmp_path)


def test_the_folder_of_another_batch(folder: Path) -> None:
    with pytest.raises(StoreError, match="another batch"):
        run(specification([0.7]), folder, workers=0)
    assert read_spec(folder / "spec.toml").tasks() == tasks()


def test_names_of_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(specification([0.2]), workers=0).folder == str(tmp_path / "some_ridges")
    (tmp_path / "ridges.toml").write_text(read_spec(specification([0.2])).as_toml())
    assert run("ridges.toml", workers=0).folder == str(tmp_path / "ridges")
    with pytest.raises(StoreError, match="directory needs a name"):
        run({key: value for key, value in specification().items() if key != "batch"}, workers=0)
