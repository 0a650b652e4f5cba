"""A loss is minimised: which way is better is kept wherever a landscape goes."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, load, save
from heatpg.core.sense import MAXIMISE, MINIMISE, sense_of
from heatpg.errors import OptionError, StoreError
from heatpg.evolution import solve
from heatpg.large import LargeLandscape, evolve_large, open_large
from heatpg.store.record import SPEC, SPEC_DIGEST, text_digest
from heatpg.store.writing import image

GRID = Grid(Axis("x", -2.0, 2.0, 33, boundary="reflect"), Axis("y", -1.0, 1.0, 17, boundary="clip"))


def bowl(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x - 0.5) ** 2 + 3.0 * (y + 0.25) ** 2


def loss(offset: float = 0.0) -> Landscape:
    return Landscape(bowl(*GRID.mesh()) + offset, GRID, "bowl", minimise=True)


def test_words_of_both_senses_differ() -> None:
    words = [name for name in MAXIMISE.__dataclass_fields__ if isinstance(getattr(MAXIMISE, name), str)]
    assert len(words) > 5
    for name in words:
        assert getattr(MAXIMISE, name) != getattr(MINIMISE, name), name
    assert MAXIMISE.opposite is MINIMISE
    assert MINIMISE.opposite is MAXIMISE


@pytest.mark.parametrize("given", ["yes", 1, 0.0, None, [True], "false"])
def test_what_is_neither_true_nor_false_is_refused(given: object) -> None:
    with pytest.raises(OptionError, match=r"(?s)minimise must be true or false\W+got: .*\W+expected: True or False"):
        Landscape([1.0, 2.0, 3.0], Grid(Axis("x", 0.0, 1.0, 3, boundary="clip")), minimise=given)  # type: ignore[arg-type]
    assert sense_of(np.True_) is MINIMISE


def test_every_door_of_arrays_takes_it() -> None:
    x = np.linspace(0.0, 1.0, 5)
    xarray = pytest.importorskip("xarray")
    doors = [
        Landscape.from_array(x**2, boundary="clip", minimise=True),
        Landscape.from_function(lambda x: x**2, Grid(Axis("x", 0.0, 1.0, 5, boundary="clip")), minimise=True),
        Landscape.from_xarray(xarray.DataArray(x**2, [("x", x)]), boundary="clip", minimise=True),
    ]
    for landscape in doors:
        assert landscape.minimise
        np.testing.assert_array_equal(landscape.values, x**2)  # the sign is kept
    assert not Landscape.from_array(x**2, boundary="clip").minimise


def test_it_is_kept_by_all_that_is_derived() -> None:
    q = loss(offset=1e9)
    assert q.less(q.centring).minimise
    assert pickle.loads(pickle.dumps(q)).minimise
    flow = solve(q, [0.2, 0.4])
    assert flow.landscape.minimise
    assert flow.centred().landscape.minimise
    assert flow.again().landscape.minimise
    both = Landscape(np.stack([q.values, 2.0 * q.values]), GRID, minimise=True)
    assert solve(both, [0.2]).entry(1).landscape.minimise
    assert q.regarded(minimise=False).values is q.values
    assert not q.regarded(minimise=False).minimise
    assert q.regarded(minimise=True) is q


@pytest.mark.parametrize("storage", ["full", "compact"])
def test_a_file_keeps_it(tmp_path: Path, storage: str) -> None:
    save(solve(loss(), [0.4, 0.8]), tmp_path / "loss.h5", storage=storage)
    again = load(tmp_path / "loss.h5")
    assert again.landscape.minimise
    np.testing.assert_array_equal(again.landscape.values, loss().values)
    assert load(tmp_path / "loss.h5", untrusted=True).landscape.minimise


def test_a_file_of_a_return_is_what_it_was(tmp_path: Path) -> None:
    q = loss().regarded(minimise=False)
    save(solve(q, [0.4]), tmp_path / "return.h5")
    with h5py.File(tmp_path / "return.h5") as file:
        assert b"minimise" not in file.attrs[SPEC].encode()
        said = json.loads(file.attrs[SPEC])
    assert sorted(said["landscape"]) == ["name", "provenance", "sha256"]
    assert not load(tmp_path / "return.h5").landscape.minimise
    # and the fields of a loss are those of the same values as a return: only the words differ
    assert solve(q, [0.4]).values.tobytes() == solve(loss(), [0.4]).values.tobytes()


def test_what_is_no_answer_in_a_file_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "loss.h5"
    path.write_bytes(image(solve(loss(), [0.4])))
    with h5py.File(path, "r+") as file:
        text = file.attrs[SPEC].replace('"minimise":true', '"minimise":"yes"')
        assert "yes" in text
        file.attrs[SPEC] = text
        file.attrs[SPEC_DIGEST] = text_digest(text)
    with pytest.raises(StoreError, match=r"corrupted or was modified\W+got: minimise is 'yes'"):
        load(path)


def test_large_fields_keep_it(tmp_path: Path) -> None:
    np.save(tmp_path / "q.npy", loss().values)
    sources = {
        "landscape": LargeLandscape(loss()),
        "file": LargeLandscape(tmp_path / "q.npy", GRID, minimise=True),
        "array": LargeLandscape(loss().values, GRID, minimise=True),
        "function": LargeLandscape(bowl, GRID, minimise=True),
    }
    for name, source in sources.items():
        evolve_large(source, [0.3], tmp_path / f"{name}.h5")
        assert load(tmp_path / f"{name}.h5").landscape.minimise, name
        with open_large(tmp_path / f"{name}.h5") as file:
            assert file.minimise
    # a file of heatpg says it of itself, and can be told otherwise
    evolve_large(tmp_path / "file.h5", [0.3], tmp_path / "again.h5")
    assert load(tmp_path / "again.h5").landscape.minimise
    evolve_large(LargeLandscape(tmp_path / "file.h5", minimise=False), [0.3], tmp_path / "other.h5")
    assert not load(tmp_path / "other.h5").landscape.minimise
