"""Files that are refused: the words name a way that works, which is tried; and files that would do harm do none."""

from __future__ import annotations

import os
import re
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from heatpg import Landscape, evolve, landscapes
from heatpg.cli import main
from heatpg.errors import GridError, HeatpgError, HeatpgWarning, ResourceError
from tests.formats import crafted
from tests.formats.crafted import SQUARE, SWEEP, X, Y, on

Write = Callable[[Path], None]


def matlab(path: Path, others: dict[str, Any]) -> None:
    import scipy.io

    scipy.io.savemat(path, {"x": X, **others})


def structure73(path: Path) -> None:
    crafted.matlab73(path, {"x": X})
    with h5py.File(path, "r+") as file:
        file.create_group("Q").attrs["MATLAB_class"] = np.bytes_("struct")


# seed, x and return of three runs at each of four points, two of which have no return
crashed: list[list[Any]] = [[seed, x, 3.0 * x + seed] for seed in range(3) for x in range(4)]
crashed[2][2], crashed[5][2] = "nan", ""

# A file, what is said of it at first, the words of the refusal, and what is to be said instead: None where the file
# itself has to be another.
REFUSED: dict[str, tuple[str, Write, dict[str, Any], str, dict[str, Any] | None]] = {
    "an unfinished surface": (
        *("u.h5", crafted.unfinished, {}),
        r"train_loss of u.h5 is incomplete: 4 of 35 points have no value; got: -1, which is not computed yet; the "
        r"first at index \(4, 3\), y = 3, x = 0; run plot_surface.py once more .* fill=NUMBER .* --fill NUMBER",
        {"fill": 5.0},
    ),
    "a surface without values": (
        *("e.h5", lambda p: crafted.hdf5(p, {"xcoordinates": X, "ycoordinates": Y}), {}),
        r"has coordinates but no values yet.*run plot_surface.py",
        None,
    ),
    "a name that a surface has not": (
        *("n.h5", lambda p: crafted.surface(p, X, Y), {"variable": "train_los"}),
        r"no variable with this name; got: 'train_los'; did you mean 'train_loss'\?; expected: train_acc, train_loss",
        {"variable": "train_loss"},
    ),
    "several variables": (
        *("s.h5", lambda p: crafted.hdf5(p, {"A": on(X, Y), "B": on(X, Y), "x": X, "y": Y}), {}),
        r"has 2 variables that can be Q; got: A \(7, 5\), B \(7, 5\); select one: variable='A' in Python, "
        r"--variable A on the command line",
        {"variable": "A"},
    ),
    "a square with two orders": (
        *("q.h5", lambda p: crafted.hdf5(p, {"Q": on(X, SQUARE), "x": X, "y": SQUARE}), {}),
        r"Q of q.h5 has the shape \(7, 7\), and its coordinates match in 2 ways; got: x, y; name them in the order of "
        r"the shape: axes=\('x', 'y'\) in Python, --axes x,y on the command line",
        {"axes": ["x", "y"]},
    ),
    "axes in the wrong order": (
        *("w.h5", lambda p: crafted.hdf5(p, {"Q": on(X, Y), "x": X, "y": Y}), {"axes": ["y", "x"]}),
        r"y of w.h5 does not contain the positions along axis 1 of Q; got: shape \(5,\); expected: 7 positions; "
        r"name the coordinates in the order of the shape \(7, 5\)",
        {"axes": ["x", "y"]},
    ),
    "a MATLAB square with two orders": (
        *("q.mat", lambda p: crafted.matlab73(p, {"J": on(X, SQUARE), "x": X, "y": SQUARE}), {}),
        r"its coordinates match in 2 ways.*--axes x,y",
        {"axes": ["x", "y"]},
    ),
    "a table without names": (
        *("t.csv", crafted.seeds, {}),
        r"t.csv is a table; select the columns of the axes and of the result; got: columns seed, lr, "
        r"gamma, return; select them: variable='return', axes=\('lr', 'gamma'\) in Python, --variable return --axes "
        r"lr,gamma on the command line",
        SWEEP,
    ),
    "a table with a misspelt column": (
        *("m.csv", crafted.seeds, {"variable": "retrun", "axes": ["lr", "gamma"]}),
        r"no column with this name for the variable; got: 'retrun'; did you mean 'return'\?; "
        r"expected: seed, lr, gamma, return",
        SWEEP,
    ),
    "a sweep in the logarithm": (
        *("l.csv", crafted.logarithmic, {"variable": "score", "axes": ["learning rate", "gamma"]}),
        r"column 'learning rate' of l.csv is uniform in its logarithm, not in itself.*each 10 times the one before"
        r".*axes=\('log10\(learning rate\)', 'gamma'\) in Python, --axes 'log10\(learning rate\),gamma' on the command "
        r'line, axes = \["log10\(learning rate\)", "gamma"\] in a specification',
        {"variable": "score", "axes": ["log10(learning rate)", "gamma"]},
    ),
    "trials that do not say which way is better": (
        *("o.csv", crafted.trials, {}),
        r"may hold a loss or a return; expected: minimise=True \(loss\) or minimise=False \(return\); pass minimise=; "
        r"on the "
        r"command line --minimise or --no-minimise; in a specification minimise = true or false",
        {"minimise": True},
    ),
    "trials that still run": (
        *("r.csv", lambda p: crafted.trials(p, complete=False), {"minimise": False}),
        r"column 'value' of r.csv is incomplete: 1 of 35 points have no value; got: no row with a number; the "
        r"first at index .*, params_gamma = .*, params_lr = .*; run the missing ones, "
        r"or choose a value for these points",
        {"minimise": False, "fill": 0.0},
    ),
    "two columns of one name": (
        "two.csv",
        lambda p: crafted.table(p, ["a", "r", "r"], [[i, i, -i] for i in range(4)]),
        {"variable": "r", "axes": ["a"]},
        r"has 2 columns named 'r'; got: column 2 and 3; use different names",
        None,
    ),
    "an axis twice": (
        *("twice.csv", crafted.seeds, {"variable": "return", "axes": ["gamma", "gamma"]}),
        r"axes must be different; got: gamma, gamma; list each column once",
        SWEEP,
    ),
    "seeds that are seeds already": (
        *("again.csv", crafted.seeds, {**SWEEP, "returns": "seed"}),
        r"repeated rows of again.csv already count as seeds; got: returns='seed'; omit returns=",
        SWEEP,
    ),
    "an unknown function": (
        *("ln.csv", crafted.seeds, {"variable": "return", "axes": ["ln(lr)", "gamma"]}),
        r"no column with this name for the axis; got: 'ln\(lr\)'; .*functions of a column are log10, log2, log",
        SWEEP,
    ),
    "a matrix in text": (
        *("m.csv", lambda p: np.savetxt(p, on(X, Y), delimiter=","), {}),
        r"m.csv has no column names in its first line; got: .*and 2 more; for a matrix: "
        r"Landscape.from_array\(np.loadtxt\(path, delimiter=','\), boundary=...\).*; "
        r"for a sweep: write the column names",
        None,
    ),
    "a table of a result alone": (
        *("seed.csv", lambda p: crafted.table(p, ["seed", "r"], [[i, i] for i in range(4)]), {}),
        r"has no column that can be an axis; got: columns seed, r",
        None,
    ),
    "a NaN in a surface": (
        "nan.h5",
        lambda p: crafted.hdf5(p, {"xcoordinates": Y, "ycoordinates": X, "train_loss": crafted.holes}),
        {},
        r"1 of 35 points have no value; got: NaN; the first at .*; plot_surface.py computes no NaN again: set it to "
        r"-1 in train_loss, or delete the file, and rerun it, or choose .* fill = NUMBER",
        {"fill": 5.0},
    ),
    "a surface of another shape": (
        *("o.h5", lambda p: crafted.hdf5(p, {"xcoordinates": X, "ycoordinates": Y, "train_loss": on(X, X)}), {}),
        r"has no values on its 5 x 7 points; got: train_loss of shape \(7, 7\); expected: 35 numbers: xcoordinates "
        r"holds 7, ycoordinates holds 5",
        None,
    ),
    "standard errors in an archive": (
        *("e.npz", lambda p: np.savez(p, values=on(X, Y), x=X, y=Y, err=on(X, Y)), {}),
        r"has 3 arrays in addition to values of shape \(7, 5\); got: x \(7,\), y \(5,\), err \(7, 5\); if err contains "
        r"the standard errors: standard_error='err' in Python, --standard-error err .*"
        r"select the nodes: axes=\('x', 'y'",
        {"standard_error": "err"},
    ),
    "standard errors of a line in an archive": (
        *("l.npz", lambda p: np.savez(p, values=X**2, x=X, err=X**2), {}),
        r"if err contains the standard errors: standard_error='err' in Python",
        {"standard_error": "err"},
    ),
    "nodes in another order": (
        *("yx.npz", lambda p: np.savez(p, values=on(X, Y).T, x=X, y=Y), {}),
        r"not in the order of the axes of values, whose shape is \(5, 7\); .*in their order: axes=\('y', 'x'\)",
        {"axes": ["y", "x"]},
    ),
    "two nodes of three axes": (
        *("two.mat", lambda p: matlab(p, {"x": np.arange(24.0).reshape(2, 3, 4)}), {}),
        r"axis 'x1' of the array has 2 nodes; an axis needs at least 3; got: shape \(2, 3, 4\)",
        None,
    ),
    "runs that crashed": (
        "crash.csv",
        lambda p: crafted.table(p, ["seed", "x", "r"], crashed),
        {"variable": "r", "axes": ["x"]},
        r"column 'r' of crash.csv has no number for 2 of 12 runs whose points have other runs with a number; got: the "
        r"first in line 4; the means would include only the surviving runs; remove these rows .* "
        r"fill=NUMBER in Python, --fill NUMBER on the command line, fill = NUMBER in a specification",
        {"variable": "r", "axes": ["x"], "fill": 0.0},
    ),
    "NaN in an array": (
        *("nan.npy", lambda p: np.save(p, crafted.holes), {}),
        r"the array of nan.npy is incomplete: 1 of 35 points have no value; got: NaN; the first at index \(6, 4\)",
        {"fill": 1.0},
    ),
    "an archive without values": (
        *("v.npz", lambda p: np.savez(p, Q=on(X, Y), x=X, y=Y), {}),
        r"has no array 'values'; got: Q, x, y; write it as np.savez\(path, values=array, x=nodes, y=nodes\).*or select "
        r"the array that holds Q: variable='Q'",
        {"variable": "Q"},
    ),
    "a deviation that is not a standard error": (
        *("results.csv", crafted.rewards, {"standard_error": "episode_std_rewards"}),
        r"episode_std_rewards of results.csv is not a standard error of the mean return.*omit it",
        {},
    ),
    "positions at random": (
        "random.csv",
        lambda p: crafted.table(
            p, ["a", "b", "q"], [[*row, 1.0] for row in np.random.default_rng(0).random((400, 2)).tolist()]
        ),
        {"variable": "q", "axes": ["a", "b"]},
        r"positions in random.csv do not form a grid; got: 400 rows for 400 x 400 positions.*sweep on a grid",
        None,
    ),
    "words in a column": (
        "words.csv",
        lambda p: crafted.table(p, ["x", "q"], [[i, word] for i, word in enumerate("1a2")]),
        {"variable": "q", "axes": ["x"]},
        r"column 'q' of words.csv must be numbers; got: 'a' in line 3; select another column",
        None,
    ),
    "decimal commas": (
        "comma.csv",
        lambda p: crafted.table(p, ["x", "q"], [["0,5", 1], ["1,0", 2], ["1,5", 3]], ";"),
        {"variable": "q", "axes": ["x"]},
        r"column 'x' of comma.csv must be numbers; got: '0,5' in line 2; use a point as the decimal separator",
        None,
    ),
    "a result file": (
        *("ours.h5", lambda p: evolve(landscapes.ridge(size=21), 0.5, checks="none").save(p), {}),
        r"ours.h5 is a result file, which contains its landscape with axes and boundary conditions; "
        r"heatpg.load\('.*ours.h5'\).landscape, or omit --boundary on the command line",
        None,
    ),
    "text": (
        *("readme.npy", lambda p: p.write_text("Hello\nworld\n") and None, {}),
        r"cannot read .*readme.npy; got: first bytes b'Hello.*see heatpg list formats; for other "
        r"formats load the values in Python and use Landscape.from_array",
        None,
    ),
    "a structure of MATLAB": (
        *("struct.mat", lambda p: __import__("scipy.io").io.savemat(p, {"s": {"a": 1.0}}), {}),
        r"has no array that can be a landscape",
        None,
    ),
    **{
        f"positions beside {what}": (
            file,
            write,
            {},
            r"is ambiguous: x may be Q or positions; got: other candidates for Q are not numeric: Q \("
            rf"{kind}.*select x as Q: variable='x' in Python, --variable x on the command line",
            {"variable": "x"},
        )
        for what, file, write, kind in (
            ("a structure", "st.mat", lambda p: matlab(p, {"Q": {"Q": X}}), "struct"),
            ("a cell array", "cl.mat", lambda p: matlab(p, {"Q": np.array([1.0, "a"], dtype=object)}), "cell"),
            ("a structure of version 7.3", "s73.mat", lambda p: structure73(p), "struct"),
            ("a text", "tx.h5", lambda p: crafted.hdf5(p, {"x": X, "Q": np.array([b"1"] * 7)}), "type"),
            ("a record", "rc.h5", lambda p: crafted.hdf5(p, {"x": X, "Q": np.zeros(7, dtype=[("a", "f8")])}), "type"),
            ("a link", "ln.h5", lambda p: crafted.hdf5(p, {"x": X, "Q": h5py.ExternalLink("o.h5", "Q")}), "a link to"),
        )
    },
    "complex numbers": (
        *("c.h5", lambda p: crafted.hdf5(p, {"Q": on(X, Y) + 1j, "x": X, "y": Y}), {"variable": "Q"}),
        r"Q of c.h5 must be real numbers; got: type complex128.*write the real and the imaginary part as two",
        None,
    ),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_a_refusal_names_a_way_that_works(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, write, given, words, instead = REFUSED[name]
    monkeypatch.chdir(tmp_path)
    write(Path(file))
    with pytest.raises(HeatpgError) as refusal:
        Landscape.from_file(file, boundary="clip", **given)
    said = refusal.value.one_line
    assert re.search(words, said), said
    assert "pickle" not in said and "omit it; " not in said
    # the same on the command line, in one line and without a traceback
    options = []
    for key, value in given.items():
        words_of = ",".join(value) if isinstance(value, list) else str(value)
        options += (
            ["--minimise" if value else "--no-minimise"]
            if key == "minimise"
            else [f"--{key.replace('_', '-')}", words_of]
        )
    assert main(["run", file, "--boundary", "clip", "--sigma", "1", "--out", "o.h5", *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith("heatpg: error: ") and "Traceback" not in error
    if instead is not None:
        found = Landscape.from_file(file, boundary="clip", **instead)
        assert np.isfinite(found.values).all()


def test_runs_without_a_result_count_as_what_the_user_says(tmp_path: Path) -> None:
    """Not as nothing: a run that crashed is no run that never was."""
    crafted.table(tmp_path / "t.csv", ["seed", "x", "r"], crashed)
    found = Landscape.from_file(tmp_path / "t.csv", boundary="clip", variable="r", axes=["x"], fill=-9.0)
    returns = np.array([[-9.0 if row[2] in ("nan", "") else float(row[2]) for row in crashed]]).reshape(3, 4)
    np.testing.assert_allclose(found.values, returns.mean(axis=0), rtol=1e-15)
    assert found.standard_error is not None
    np.testing.assert_allclose(found.standard_error, returns.std(axis=0, ddof=1) / 3**0.5, rtol=1e-14)
    # rows that are taken out of the table are runs that never were
    crafted.table(tmp_path / "o.csv", ["seed", "x", "r"], [row for row in crashed if row[2] not in ("nan", "")])
    fewer = Landscape.from_file(tmp_path / "o.csv", boundary="clip", variable="r", axes=["x"])
    np.testing.assert_allclose(fewer.values, [1.0, 4.0, 7.5, 10.0], rtol=1e-15)


def test_a_filled_point_of_a_table_with_standard_errors_has_none(tmp_path: Path) -> None:
    rows: list[list[Any]] = [[0, 1.0, 0.1], [1, 2.0, 0.2], [2, "", ""], [3, 4.0, 0.4]]
    crafted.table(tmp_path / "t.csv", ["x", "r", "e"], rows)
    found = Landscape.from_file(
        tmp_path / "t.csv", boundary="clip", variable="r", axes=["x"], standard_error="e", fill=0.0
    )
    assert found.standard_error is not None
    np.testing.assert_array_equal(found.standard_error, [0.1, 0.2, 0.0, 0.4])


@pytest.mark.parametrize(("name", "told"), [("algo", True), ("batch size", True), ("seed", False), ("run_id", False)])
def test_a_column_that_divides_the_repetitions_is_told(tmp_path: Path, name: str, told: bool) -> None:
    words: list[Any] = ["ppo", "sac"] if name == "algo" else [32, 64]
    rows = [[word, seed, x, x + seed] for word in words for seed in range(3) for x in range(4)]
    crafted.table(tmp_path / "t.csv", [name, "number", "x", "r"], rows)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Landscape.from_file(tmp_path / "t.csv", boundary="clip", variable="r", axes=["x"])
    said = [str(one.message) for one in caught]
    expected = f"rows of t.csv with {name} = {words[0]}, {words[1]} are combined as seeds; filter the table first"
    assert len(said) == told and (not told or said[0].startswith(expected)), said


def test_numbers_of_runs_and_other_results_are_no_parameters(tmp_path: Path) -> None:
    """Numbers from 0 in each point, whatever their name, and a second result, which takes any values."""
    rng = np.random.default_rng(3)
    rows = [[k, x, rng.integers(0, 2), rng.random(), x + k] for k in range(4) for x in range(9)]
    crafted.table(tmp_path / "t.csv", ["k", "x", "solved", "length", "r"], rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Landscape.from_file(tmp_path / "t.csv", boundary="clip", variable="r", axes=["x"])


@pytest.mark.parametrize(("function", "of"), [("log2", np.log2), ("log", np.log), ("log10", np.log10)])
def test_logarithms_of_any_base(tmp_path: Path, function: str, of: Callable[[Any], Any]) -> None:
    sizes = [32, 64, 128, 256]
    crafted.table(tmp_path / "t.csv", ["bs", "r"], [[size, size % 7] for size in sizes])
    found = Landscape.from_file(tmp_path / "t.csv", boundary="clip", variable="r", axes=[f"{function}(bs)"])
    assert found.grid[0].name == f"{function}_bs"
    # round-off of the logarithms and of the uniform grid
    np.testing.assert_allclose(found.grid[0].coordinates, of(np.array(sizes)), rtol=1e-14)


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf", "scipy"])
def test_dimensions_without_coordinates(tmp_path: Path, engine: Any) -> None:
    """Of no axis: an array, as one of NumPy; of some: told; of texts: refused, as `from_xarray` does."""
    xarray = pytest.importorskip("xarray")
    if engine != "scipy":
        pytest.importorskip("netCDF4" if engine == "netcdf4" else engine)
    data = xarray.Dataset({"q": (("x", "y"), on(X, Y))})
    words = [f"policy {i}" for i in range(len(X))]
    for name, found in (
        ("none", data),
        ("some", data.assign_coords(y=Y)),
        ("texts", data.assign_coords(x=words, y=Y)),
    ):
        found.to_netcdf(tmp_path / f"{name}.nc", engine=engine)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = Landscape.from_file(tmp_path / "none.nc", boundary="clip")
    with pytest.warns(HeatpgWarning, match="some.nc has no positions along x; a grid spacing of 1 is assumed"):
        some = Landscape.from_file(tmp_path / "some.nc", boundary="clip")
    for one, steps in ((plain, (1.0, 1.0)), (some, (1.0, Y[1] - Y[0]))):
        assert [axis.name for axis in one.grid] == ["x", "y"] and one.grid.spacing == steps
        np.testing.assert_array_equal(one.values, on(X, Y))
    with pytest.raises(HeatpgError, match=r"(?s)the coordinate 'x' of .*texts.nc contains text, not positions"):
        Landscape.from_file(tmp_path / "texts.nc", boundary="clip")


def test_an_axis_that_cannot_keep_its_name_is_told(tmp_path: Path) -> None:
    crafted.table(tmp_path / "t.csv", ["time", "r"], [[x, x**2] for x in range(4)])
    with pytest.warns(HeatpgWarning, match="axis 'time' is named 'time_axis': 'time' is reserved in files of heatpg"):
        found = Landscape.from_file(tmp_path / "t.csv", boundary="clip", variable="r", axes=["time"])
    assert found.grid[0].name == "time_axis"


def test_a_remark_beside_a_line_is_no_second_field(tmp_path: Path) -> None:
    """A text that goes with the values, and a structure of options where Q has more axes than positions have."""
    matlab(tmp_path / "t.mat", {"x": on(X, Y)[:, 0], "remark": "measured on Monday"})
    crafted.hdf5(tmp_path / "t.h5", {"x": on(X, Y)[:, 0], "remark": "measured on Monday"})
    matlab(tmp_path / "s.mat", {"x": on(X, Y), "options": {"seed": 1.0}})
    for name, shape in (("t.mat", (7,)), ("t.h5", (7,)), ("s.mat", (7, 5))):
        assert Landscape.from_file(tmp_path / name, boundary="clip").grid.shape == shape


def test_what_a_message_says_of_a_table_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The very words of the advice, as a user would copy them."""
    monkeypatch.chdir(tmp_path)
    crafted.with_errors(Path("t.csv"))
    with pytest.raises(HeatpgError) as refusal:
        Landscape.from_file("t.csv", boundary="clip")
    words = re.search(r"(--variable \S+ --axes \S+) on the command line", str(refusal.value))
    assert words is not None
    assert main(["run", "t.csv", "--boundary", "clip", "--sigma", "1", "--quiet", *words[1].split()]) == 0


# What was untrue --------------------------------------------------------------------------------------------------


def test_a_foreign_file_is_not_said_to_hold_boundaries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    crafted.surface(Path("s.h5"), X, Y)
    for command in ("run", "study"):
        assert main([command, "s.h5", "--sigma", "0.5,1"]) == 2
        assert "s.h5 has no boundary condition" in capsys.readouterr().err
    # and the advice that is given then works
    assert main(["run", "s.h5", "--boundary", "clip", "--sigma", "0.5,1", "--out", "out.h5", "--quiet"]) == 0
    assert main(["study", "out.h5", "--boundary", "clip"]) == 2
    assert (
        "out.h5 is a result file, which already contains its landscape, axes and boundary conditions"
        in capsys.readouterr().err
    )
    assert main(["run", "out.h5", "--sigma", "0.5", "--variable", "u", "--out", "p.h5"]) == 2
    assert "got: --variable\n  try: remove these options" in capsys.readouterr().err
    assert main(["run", "ridge", "--variable", "u"]) == 2
    assert "these options apply only to files" in capsys.readouterr().err


def test_load_says_how_a_foreign_file_is_read(tmp_path: Path) -> None:
    from heatpg import load

    crafted.surface(tmp_path / "s.h5", X, Y)
    with pytest.raises(HeatpgError, match=r"(?s)was not written by heatpg.*Landscape.from_file\(path, boundary=...\)"):
        load(tmp_path / "s.h5")
    assert Landscape.from_file(tmp_path / "s.h5", boundary="clip").minimise


# Harm ---------------------------------------------------------------------------------------------------------------


def secret(folder: Path) -> Path:
    crafted.hdf5(folder / "secret.h5", {"Q": on(X, Y), "x": X})
    (folder / "secret.bin").write_bytes(on(X, Y).tobytes())
    return folder / "secret.h5"


def external_link(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["Q"] = h5py.ExternalLink(str(secret(path.parent)), "Q")


def external_data(path: Path) -> None:
    secret(path.parent)
    with h5py.File(path, "w") as file:
        file.create_dataset("Q", (7, 5), "f8", external=[(str(path.parent / "secret.bin"), 0, 280)])


def virtual(path: Path) -> None:
    layout = h5py.VirtualLayout((7, 5), "f8")
    layout[...] = h5py.VirtualSource(str(secret(path.parent)), "Q", (7, 5))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("Q", layout)


def huge(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("Q", (2**20, 2**20), "f8", chunks=(64, 64))


def huge_header(path: Path) -> None:
    shape = (2**20, 2**20)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
        file.write(bytes(64))


def huge_in_archive(path: Path) -> None:
    huge_header(path.with_suffix(".npy"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(path.with_suffix(".npy"), "values.npy")


def huge_matrix(path: Path) -> None:
    # version 4: type, rows, columns, no imaginary part, length of the name
    path.write_bytes(struct.pack("<5i", 0, 2**20, 2**20, 0, 2) + b"Q\0" + bytes(64))


def huge_classic(path: Path) -> None:
    crafted.by_netcdf4(path, form="NETCDF3_CLASSIC")
    content = path.read_bytes()
    # the length of a dimension in the header
    place = content.index(b"lat") + 4
    path.write_bytes(content[:place] + struct.pack(">i", 2**30) + content[place + 4 :])


def foreign_filter(path: Path) -> None:
    with h5py.File(path, "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((7, 5))
        plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))  # Zstandard, a filter that is a plug-in
        space = h5py.h5s.create_simple((7, 5))
        h5py.h5d.create(file.id, b"Q", h5py.h5t.IEEE_F64LE, space, plist)


def half(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("Q", (70, 50), "f8", chunks=(7, 5))[:7, :5] = 1.0


def circle(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["a/b"] = h5py.SoftLink("/a")
        file["a/c"] = file["a"]


def cut(path: Path) -> None:
    crafted.scales(path)
    os.truncate(path, path.stat().st_size // 2)


HARM: dict[str, tuple[str, Write, str]] = {
    "a link to another file": ("l.h5", external_link, "has no array that can be a landscape"),
    "data in another file": ("d.h5", external_data, "its data are in another file"),
    "a virtual dataset": ("v.h5", virtual, "it is a virtual dataset"),
    "a huge dataset": ("h.h5", huge, "it would grow from 0 B to 8.0 TiB|is incomplete"),
    "a huge header": ("h.npy", huge_header, "is truncated"),
    "a huge header in an archive": ("h.npz", huge_in_archive, "is truncated"),
    "a huge matrix": ("h.mat", huge_matrix, "cannot read"),
    "a huge classic file": ("h.nc", huge_classic, "cannot read"),
    "a filter from outside": ("f.h5", foreign_filter, "filter 32015|is incomplete"),
    "half of a dataset": ("half.h5", half, r"is incomplete; got: 1 of 100 chunks"),
    "a circle of links": ("c.h5", circle, "has no array that can be a landscape"),
    "a cut file": ("cut.h5", cut, "cannot read|is corrupted"),
    "a pickle": ("p.npy", lambda p: np.save(p, np.array([{}, 1], dtype=object)), "contains pickled Python objects"),
    "nothing": ("n.csv", lambda p: p.touch(), "an empty file"),
    "a folder": ("folder.csv", lambda p: p.mkdir(), "a folder, a pipe or a device"),
    "a pipe": ("pipe.csv", lambda p: os.mkfifo(p), "a folder, a pipe or a device"),
}


@pytest.mark.parametrize("name", list(HARM))
def test_files_that_would_do_harm(name: str, tmp_path: Path) -> None:
    file, write, words = HARM[name]
    if "classic" in name:
        pytest.importorskip("netCDF4")
    write(tmp_path / file)
    with pytest.raises(HeatpgError) as refusal:
        Landscape.from_file(tmp_path / file, boundary="clip")
    assert re.search(words, refusal.value.one_line), refusal.value.one_line


def test_a_file_that_does_not_fit_in_memory_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heatpg.tools.resources.available_memory", lambda: 1e6)
    large = np.zeros((600, 600))
    np.save(tmp_path / "a.npy", large)
    np.savez_compressed(tmp_path / "a.npz", values=large)
    crafted.hdf5(tmp_path / "a.h5", {"Q": large})
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("Q", data=large, compression="gzip")
    for name in ("a.npy", "a.npz", "a.h5", "b.h5"):
        with pytest.raises(ResourceError, match="does not fit in memory"):
            Landscape.from_file(tmp_path / name, boundary="clip")


def test_damaged_files_end_in_errors_of_ours(tmp_path: Path) -> None:
    """Bytes changed at random: a landscape or an error, never another exception."""
    writers: dict[str, Write] = {
        "s.h5": lambda p: crafted.surface(p, X, Y),
        "c.h5": lambda p: crafted.scales(p, compressed=True),
        "m.mat": lambda p: crafted.matlab73(p, crafted.RETURNED),
        "m5.mat": lambda p: crafted.matlab5(p, do_compression=True),
        "t.csv": crafted.trials,
        "z.npz": lambda p: np.savez_compressed(p, values=on(X, Y), x=X, y=Y),
    }
    rng = np.random.default_rng(5)
    outcomes = {"read": 0, "refused": 0}
    for name, write in writers.items():
        write(tmp_path / name)
        content = np.frombuffer((tmp_path / name).read_bytes(), np.uint8)
        for _ in range(40):
            changed = content.copy()
            places = rng.integers(0, len(content), rng.integers(1, 20))
            changed[places] = rng.integers(0, 256, len(places))
            (tmp_path / name).write_bytes(changed[: rng.integers(len(content) // 2, len(content) + 1)].tobytes())
            try:
                Landscape.from_file(tmp_path / name, boundary="clip", minimise=False)
                outcomes["read"] += 1
            except HeatpgError:
                outcomes["refused"] += 1
    assert outcomes["refused"] > 100, outcomes


def test_one_evaluation_here_and_several_there_is_told(tmp_path: Path) -> None:
    rows = [[x, seed, x + seed] for x in range(4) for seed in range(2 if x else 1)]
    crafted.table(tmp_path / "t.csv", ["x", "seed", "q"], rows)
    with pytest.warns(HeatpgWarning, match="1 of 4 points of t.csv were evaluated only once, so standard errors"):
        found = Landscape.from_file(tmp_path / "t.csv", boundary="clip", variable="q", axes=["x"])
    assert found.standard_error is None
    np.testing.assert_array_equal(found.values, [0.0, 1.5, 2.5, 3.5])


def test_descending_and_rounded_positions_are_those_of_every_door(tmp_path: Path) -> None:
    error = 0.01 * on(X, Y)
    crafted.hdf5(tmp_path / "d.h5", {"Q": on(X, Y)[::-1], "x": X[::-1], "y": Y.astype("f4"), "e": error[::-1]})
    with pytest.warns(HeatpgWarning, match="axis 'x' descends: it was reversed"):
        found = Landscape.from_file(
            tmp_path / "d.h5", boundary="clip", variable="Q", axes=["x", "y"], standard_error="e"
        )
    np.testing.assert_array_equal(found.values, on(X, Y))
    np.testing.assert_array_equal(found.standard_error, error)
    np.testing.assert_allclose(found.grid[1].coordinates, Y, rtol=0, atol=1e-15)


def test_boundaries_and_cells_by_name(tmp_path: Path) -> None:
    crafted.hdf5(tmp_path / "b.h5", {"Q": on(X, Y), "x": X, "y": Y})
    where: dict[str, Any] = {"boundary": {"x": "periodic", "y": "reflect"}, "nodes": {"y": "cell"}}
    grid = Landscape.from_file(tmp_path / "b.h5", **where).grid
    assert [(axis.boundary, axis.nodes) for axis in grid] == [("periodic", "vertex"), ("reflect", "cell")]
    assert grid[1].lower == -0.375
    with pytest.raises(HeatpgError, match=r"no axis with this name\W+got: z\W+expected: x, y"):
        Landscape.from_file(tmp_path / "b.h5", boundary={"z": "clip"})


def test_names_from_files_never_reach_a_terminal_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    crafted.hdf5(Path("e.h5"), {"\x1b[2JA": on(X, Y), "\x1b[31mB": on(X, Y)})
    assert main(["run", "e.h5", "--boundary", "clip", "--sigma", "1"]) == 2
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_seeds_of_an_array_without_named_axes(ending: str, tmp_path: Path) -> None:
    """What is advised works."""
    returns, path = np.random.default_rng(0).standard_normal((8, 21)), tmp_path / f"seeds{ending}"
    if ending == ".npy":
        np.save(path, returns)
    else:
        np.savez(path, values=returns)
    with pytest.raises(GridError) as caught:
        Landscape.from_file(path, boundary="clip", returns="seed")
    assert "a vector for each axis, also for the seeds, as in np.savez(path, values=returns, seed=range(8)" in str(
        caught.value
    )
    advised = tmp_path / "advised.npz"
    np.savez(advised, values=returns, seed=range(8), x=np.linspace(0.0, 1.0, 21))
    found = Landscape.from_file(advised, boundary="clip", returns="seed")
    np.testing.assert_array_equal(found.returns, returns)
    np.testing.assert_array_equal(Landscape.from_array(returns=returns, boundary="clip").returns, returns)
