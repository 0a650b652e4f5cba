"""Standard errors and returns of seeds by every door, owned and in the order of the axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape
from heatpg.errors import GridError, HeatpgWarning, NonFiniteError, OptionError

X, Y = np.linspace(-1.0, 1.0, 5), np.linspace(0.0, 3.0, 4)
GRID = Grid(Axis("x", -1.0, 1.0, 5, boundary="clip"), Axis("y", 0.0, 3.0, 4, boundary="clip"))
SEEDS = np.random.default_rng(3).normal(size=(7, 5, 4))
MEAN = SEEDS.sum(axis=0) / 7
# in another way than the library: from the sum of the squares of all differences
SPREAD = ((SEEDS[:, None] - SEEDS[None]) ** 2).sum(axis=(0, 1)) / (2 * 7 * 6)
ERROR = np.sqrt(SPREAD / 7)


def test_returns_of_seeds_give_mean_and_standard_error() -> None:
    for q in (
        Landscape(None, GRID, returns=SEEDS),
        Landscape(MEAN, GRID, returns=SEEDS),
        Landscape.from_array(axes=GRID, returns=SEEDS),
        Landscape.from_array(axes={"x": X, "y": Y}, boundary="clip", returns=list(SEEDS)),
    ):
        assert q.grid == GRID and q.batch_shape == ()
        assert np.abs(q.values - MEAN).max() < 1e-15
        assert q.standard_error is not None and np.abs(q.standard_error - ERROR).max() < 1e-14
        assert q.returns is not None and np.array_equal(q.returns, SEEDS)
    nodes = Landscape.from_array(boundary="reflect", returns=SEEDS)
    assert nodes.grid.shape == (5, 4)


def test_equal_returns_have_no_error_and_single_precision_stays() -> None:
    q = Landscape.from_array(boundary="clip", returns=np.full((3, 5), 0.1, dtype="f4"))
    assert q.values.dtype == np.float32 and q.standard_error is not None
    assert q.standard_error.max() == 0.0 and np.array_equal(q.values, np.full(5, 0.1, dtype="f4"))


def test_landscapes_own_what_they_are_given() -> None:
    seeds, error = SEEDS.copy(), ERROR.copy()
    several = Landscape(None, GRID, returns=seeds)
    one = Landscape.from_array(MEAN, GRID, standard_error=error)
    seeds[:] = 0.0
    error[:] = 0.0
    assert several.returns is not None and np.array_equal(several.returns, SEEDS)
    assert one.standard_error is not None and np.array_equal(one.standard_error, ERROR)
    for array in (several.returns, several.values, several.standard_error, one.standard_error):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0  # type: ignore[index]


def test_a_loss_keeps_its_returns() -> None:
    loss = Landscape(None, GRID, returns=SEEDS).regarded(minimise=True)
    assert loss.returns is not None and loss.standard_error is not None and loss.minimise


def test_descending_axes_turn_errors_and_returns_as_well() -> None:
    with pytest.warns(HeatpgWarning, match="descends"):
        one = Landscape.from_array(MEAN[::-1], {"x": X[::-1], "y": Y}, boundary="clip", standard_error=ERROR[::-1])
    with pytest.warns(HeatpgWarning, match="descends"):
        several = Landscape.from_array(axes={"x": X, "y": Y[::-1]}, boundary="clip", returns=SEEDS[:, :, ::-1])
    assert np.array_equal(one.values, MEAN) and np.array_equal(one.standard_error, ERROR)  # type: ignore[arg-type]
    assert np.array_equal(several.returns, SEEDS)  # type: ignore[arg-type]


def test_xarray_names_the_dimension_of_seeds_and_aligns_errors() -> None:
    xarray = pytest.importorskip("xarray")
    data = xarray.DataArray(SEEDS, [("seed", np.arange(7)), ("x", X), ("y", Y)]).transpose("y", "seed", "x")
    q = Landscape.from_xarray(data, boundary="clip", returns="seed")
    assert [axis.name for axis in q.grid] == ["y", "x"]
    assert np.abs(q.values - MEAN.T).max() < 1e-15
    assert np.abs(q.standard_error - ERROR.T).max() < 1e-14
    mean = xarray.DataArray(MEAN, [("x", X), ("y", Y)])
    error = xarray.DataArray(ERROR, [("x", X), ("y", Y)]).transpose("y", "x")
    for given in (error, ERROR):
        aligned = Landscape.from_xarray(mean, boundary="clip", standard_error=given)
        assert np.array_equal(aligned.standard_error, ERROR)  # type: ignore[arg-type]
    with pytest.raises(GridError, match="no dimension with this name"):
        Landscape.from_xarray(data, boundary="clip", returns="seeds")


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"returns": SEEDS[0]}, GridError, r"shape \(5, 4\)\W+expected: \(seeds, 5, 4\)"),
        ({"returns": np.moveaxis(SEEDS, 0, -1)}, GridError, r"seeds to the first axis: np\.moveaxis"),
        ({"returns": SEEDS[:1]}, GridError, r"(?s)at least 2 seeds.*returns\[0\]"),
        ({"returns": SEEDS, "standard_error": ERROR}, OptionError, "omit standard_error"),
        ({"returns": SEEDS + 1.0}, OptionError, r"not the mean of the returns at index \(0, 0\)"),
        ({"returns": np.where(SEEDS > 2, np.nan, SEEDS)}, NonFiniteError, "returns are not finite at index"),
        ({"returns": SEEDS * 1j}, OptionError, "returns must be real numbers"),
        ({"returns": SEEDS > 0}, OptionError, "returns must be real numbers"),
        ({"returns": SEEDS.astype("m8[s]")}, OptionError, "convert to seconds"),
        ({"returns": np.ma.masked_greater(SEEDS, 1)}, OptionError, "masked at index"),
        ({"standard_error": SEEDS}, GridError, "the returns of several seeds as returns="),
        ({"standard_error": -ERROR}, OptionError, "(?s)not be negative.*square root"),
        ({"standard_error": ERROR * np.inf}, NonFiniteError, "standard error is not finite"),
        ({"standard_error": ERROR > 0}, OptionError, "real numbers"),
        ({"standard_error": ERROR.T}, GridError, "another shape"),
    ],
)
def test_scatter_that_does_not_fit_is_refused(given: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Landscape.from_array(MEAN, GRID, **given)


def test_files_name_the_axis_of_seeds(tmp_path: Path) -> None:
    np.savez(tmp_path / "q.npz", values=np.moveaxis(SEEDS, 0, 1), x=X, seed=np.arange(7), y=Y[::-1])
    with pytest.warns(HeatpgWarning, match="'y' descends"):
        q = Landscape.from_file(tmp_path / "q.npz", boundary="clip", returns="seed")
    assert q.grid == GRID
    assert np.array_equal(q.returns, SEEDS[:, :, ::-1])  # type: ignore[arg-type]
    assert np.abs(q.standard_error - ERROR[:, ::-1]).max() < 1e-14
    with pytest.raises(GridError, match="no axis with this name"):
        Landscape.from_file(tmp_path / "q.npz", boundary="clip", returns="seeds")
    np.save(tmp_path / "q.npy", SEEDS)
    with pytest.raises(GridError, match=r"from_array\(returns=np\.load"):
        Landscape.from_file(tmp_path / "q.npy", boundary="clip", returns="seed")


def test_netcdf_names_the_dimension_of_seeds(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    data = xarray.DataArray(SEEDS, [("seed", np.arange(7)), ("x", X), ("y", Y)], name="J")
    data.to_netcdf(tmp_path / "q.nc", engine="h5netcdf")
    q = Landscape.from_file(tmp_path / "q.nc", boundary="clip", returns="seed")
    assert q.grid == GRID and np.array_equal(q.returns, SEEDS)  # type: ignore[arg-type]


def test_errors_of_xarray_go_to_the_nodes_that_their_labels_name() -> None:
    xarray = pytest.importorskip("xarray")
    y = Y[::-1]
    data = xarray.DataArray(X[:, None] + 10 * y, [("x", X), ("y", y)])
    # each error says where it belongs
    error = xarray.DataArray(2 + X[:, None] + 10 * y, data.coords)
    shuffled = error.isel(x=[3, 0, 4, 1, 2])
    single = error.assign_coords(y=(2 * y / 3).astype("f4") * np.float32(1.5))
    for given in (error, error.sortby("y"), error[::-1], error[::-1, ::-1].T, shuffled, single, error.to_numpy()):
        with pytest.warns(HeatpgWarning, match="'y' descends"):
            q = Landscape.from_xarray(data, boundary="clip", standard_error=given)
        assert q.standard_error is not None and np.array_equal(q.standard_error, q.values + 2)
    labelled = data.expand_dims(run=["b", "a"])
    both = xarray.concat([error, 100 + error], "run").assign_coords(run=["a", "b"])
    with pytest.warns(HeatpgWarning, match="'y' descends"):
        q = Landscape.from_xarray(labelled, boundary="clip", batch=["run"], standard_error=both)
    assert q.standard_error is not None and np.array_equal(q.standard_error[0], q.values[0] + 102)
    assert np.array_equal(q.standard_error[1], q.values[1] + 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda error: error.assign_coords(x=X + 0.01), "other coordinates than the values along 'x'"),
        (lambda error: error.assign_coords(x=[0, 1, 2, 3, 3]), "other coordinates than the values along 'x'"),
        (lambda error: error[1:], "(?s)another size than the values along 'x'.*4 nodes"),
        (lambda error: error.rename(y="z"), "(?s)other dimensions than the values.*x, z"),
        (lambda error: error[0], "other dimensions than the values"),
    ],
)
def test_errors_of_xarray_at_other_places_are_refused(change: Any, words: str) -> None:
    xarray = pytest.importorskip("xarray")
    data = xarray.DataArray(MEAN, [("x", X), ("y", Y)])
    with pytest.raises(GridError, match=words):
        Landscape.from_xarray(data, boundary="clip", standard_error=change(abs(data)))


def test_seeds_of_xarray_are_no_batch_as_well() -> None:
    xarray = pytest.importorskip("xarray")
    data = xarray.DataArray(SEEDS, [("seed", np.arange(7)), ("x", X), ("y", Y)])
    with pytest.raises(OptionError, match=r"(?s)'seed' cannot be both.*Q is the mean over it"):
        Landscape.from_xarray(data, returns="seed", batch=["seed"], boundary="clip")
    with pytest.raises(OptionError, match="omit standard_error"):
        Landscape.from_xarray(data, returns="seed", boundary="clip", standard_error=ERROR)


def test_returns_beyond_double_precision_are_named_without_a_warning_of_numpy() -> None:
    for scale in (1e308, 1.5e308, 1e200):  # the mean overflows, or the squares of the scatter
        with pytest.raises(NonFiniteError, match=r"(?s)returns are too large .* at index \(2, 1\)"):
            seeds = np.ones((3, 5, 4))
            seeds[:, 2, 1] = scale * np.array([1.0, -1.0, 0.5])
            Landscape(None, GRID, returns=seeds)


def test_a_notebook_shows_what_was_done_with_positions() -> None:
    q = Landscape.from_array(np.ones(30), {"x": np.round(np.linspace(-1, 1, 30), 4)}, boundary="clip")
    assert "x: rounded to 4 decimals" in q._repr_html_()
