"""A file that is not there: the same error at every door, and it is a `FileNotFoundError` as well."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, load
from heatpg.batch import read_spec
from heatpg.errors import MissingFileError, StoreError
from heatpg.evolution import solve
from heatpg.large import LargeLandscape, evolve_large, open_large
from heatpg.store.quarantine import read_in_quarantine
from heatpg.store.reading import open_in_pieces, read, task_text, verify_file

GRID = Grid(Axis("x", 0.0, 1.0, 5, boundary="clip"))


def opened(path: Path) -> object:
    with open_large(path) as file:
        return file


def in_pieces(path: Path) -> object:
    with open_in_pieces(path) as file:
        return file


DOORS: dict[str, Callable[[Path], object]] = {
    "load": load,
    "load, untrusted": lambda path: load(path, untrusted=True),
    "read": read,
    "verify_file": verify_file,
    "verify_file, untrusted": lambda path: verify_file(path, untrusted=True),
    "task_text": task_text,
    "read_in_quarantine": read_in_quarantine,
    "open_in_pieces": in_pieces,
    "open_large": opened,
    "evolve_large, .h5": lambda path: evolve_large(path, 0.1, path.with_name("out.h5")),
    "evolve_large, .npy": lambda path: evolve_large(
        LargeLandscape(path.with_suffix(".npy"), GRID), 0.1, path.with_name("out.h5")
    ),
    "from_file, .npy": lambda path: Landscape.from_file(path.with_suffix(".npy"), boundary="clip"),
    "from_file, .npz": lambda path: Landscape.from_file(path.with_suffix(".npz"), boundary="clip"),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_missing_file_is_told_alike(door: str, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"(?s)absent\.(h5|npy|npz).*No such file") as caught:
        DOORS[door](tmp_path / "absent.h5")
    assert isinstance(caught.value, StoreError) and isinstance(caught.value, FileNotFoundError)
    assert list(tmp_path.iterdir()) == []
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is MissingFileError and str(again) == str(caught.value) and again.errno == caught.value.errno


def test_a_file_that_cannot_be_opened_is_not_missing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot read") as caught:
        load(tmp_path / "a" / "b.h5")
    assert not isinstance(caught.value, FileNotFoundError)


def test_a_tilde_is_the_home_at_every_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    flow = solve(Landscape(np.linspace(0.0, 1.0, 5), GRID), 0.3)
    flow.save("~/absent.h5")
    np.save(tmp_path / "absent.npy", flow.landscape.values)
    np.savez(tmp_path / "absent.npz", values=flow.landscape.values, x=GRID[0].coordinates)
    for name, door in DOORS.items():
        if not name.startswith(("task_text", "evolve_large", "read_in_quarantine")):
            door(Path("~/absent.h5"))
    assert read_spec({"landscape": {"source": "~/absent.h5"}, "evolve": {"sigma": 0.2}}).tasks()
    assert not Path("~").exists()
