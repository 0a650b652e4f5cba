"""Files as other programs write them, of one function without any symmetry: each with what it must be read as."""

from __future__ import annotations

import csv
import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

X = np.linspace(-1.0, 1.0, 7)
Y = np.linspace(0.0, 3.0, 5)
SQUARE = np.linspace(2.0, 4.0, 7)  # as many as X
RATES = np.geomspace(1e-4, 1e-1, 4)


def q(x: Any, y: Any) -> Array:
    """Changes under every exchange and reflection of its arguments; positive, as a loss is."""
    return np.asarray(3.0 + 0.3 * x + 0.5 * y + 0.2 * x**2 * y - 0.05 * y**2 * x)


def on(x: Array, y: Array) -> Array:
    """Q with x along the rows."""
    return q(x[:, None], y[None, :])


@dataclasses.dataclass(frozen=True)
class Case:
    """A file and what it is.

    Attributes
    ----------
    file
        Its name.
    write
        Writes it.
    axes
        Names and positions of the axes that it must be read with.
    values
        Q on them.
    options
        What has to be said of it.
    minimise, error
        What it says besides.
    exact
        Whether values must be equal to the last bit, or to round-off of decimals and packing.
    """

    file: str
    write: Callable[[Path], None]
    axes: dict[str, Array]
    values: Array
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    minimise: bool = False
    error: Array | None = None
    exact: bool = True


CASES: dict[str, Case] = {}
XY = {"x": X, "y": Y}
YX = {"y": Y, "x": X}


def add(name: str, case: Case) -> None:
    assert name not in CASES
    CASES[name] = case


# NumPy -------------------------------------------------------------------------------------------------------


def saved(path: Path, values: Array) -> None:
    np.save(path, values)


STEPS = {"x1": np.arange(7.0), "x2": np.arange(5.0)}
for dtype in ("f8", "f4", ">f8", ">f4", "f2"):
    stored = on(X, Y).astype(dtype)
    add(
        f"npy of {dtype}",
        Case(
            "q.npy",
            functools.partial(saved, values=stored),
            STEPS,
            stored.astype("f4" if dtype in ("f4", ">f4") else "f8"),
        ),
    )
whole = np.arange(35).reshape(7, 5) % 11
for dtype in ("i2", "u1", ">i4", "i8", "?"):
    counted = whole.astype(dtype)
    add(f"npy of {dtype}", Case("n.npy", functools.partial(saved, values=counted), STEPS, counted.astype(float)))
add("npy in the order of Fortran", Case("f.npy", lambda p: np.save(p, np.asfortranarray(on(X, Y))), STEPS, on(X, Y)))
add("npz", Case("q.npz", lambda p: np.savez(p, values=on(X, Y), x=X, y=Y), XY, on(X, Y)))
add("npz compressed", Case("c.npz", lambda p: np.savez_compressed(p, values=on(X, Y), x=X, y=Y), XY, on(X, Y)))
add("npz, rows are y", Case("t.npz", lambda p: np.savez(p, values=on(X, Y).T, y=Y, x=X), YX, on(X, Y).T))
add(
    "npz of another name",
    Case("o.npz", lambda p: np.savez(p, Q=on(X, Y), y=Y, x=X), XY, on(X, Y), {"variable": "Q"}),
)
add(
    "npz with several, square",
    Case(
        "s.npz",
        lambda p: np.savez(p, loss=on(X, SQUARE), other=np.zeros((7, 7)), a=X, b=SQUARE),
        {"a": X, "b": SQUARE},
        on(X, SQUARE),
        {"variable": "loss", "axes": ["a", "b"]},
    ),
)
add(
    "npz with meshes",
    Case(
        "m.npz",
        lambda p: np.savez(p, Z=on(X, SQUARE).T, X=np.meshgrid(X, SQUARE)[0], Y=np.meshgrid(X, SQUARE)[1]),
        {"Y": SQUARE, "X": X},
        on(X, SQUARE).T,
        {"variable": "Z"},
    ),
)
add(
    "npz with standard errors",
    Case(
        "e.npz",
        lambda p: np.savez(p, values=on(X, Y), x=X, y=Y, err=0.1 * on(X, Y)),
        XY,
        on(X, Y),
        {"standard_error": "err"},
        error=0.1 * on(X, Y),
    ),
)
holes = np.where((X[:, None] > 0.9) & (Y > 2.9), np.nan, on(X, Y))
add(
    "npy with a hole that is filled",
    Case("h.npy", lambda p: np.save(p, holes), STEPS, np.nan_to_num(holes, nan=7.5), {"fill": 7.5}),
)


# loss-landscape, in the flat order in which the tool writes --------------------------------------------------


def surface(path: Path, x: Array, y: Array | None, *, names: Sequence[str] = ("train",), shape: str = "tool") -> None:
    """As plot_surface.py does: (len(x), len(y)) numbers, filled in the order of numpy.meshgrid(x, y)."""
    with h5py.File(path, "w") as file:
        file["dir_file"] = "weights_xignore=biasbn_xnorm=filter.h5"
        file["xcoordinates"] = x
        if y is not None:
            file["ycoordinates"] = y
        for i, name in enumerate(names):
            if y is None:
                losses = q(x, np.zeros_like(x)) + i
            else:
                mesh_x, mesh_y = np.meshgrid(x, y)
                losses = -np.ones((len(x), len(y)) if shape == "tool" else (len(y), len(x)))
                losses.ravel()[:] = (q(mesh_x, mesh_y) + i).ravel()
            file[f"{name}_loss"] = losses
            file[f"{name}_acc"] = 100.0 - losses


add(
    "loss-landscape",
    Case("l.h5", lambda p: surface(p, X, SQUARE), {"y": SQUARE, "x": X}, on(X, SQUARE).T, minimise=True),
)
add("loss-landscape, not square", Case("r.h5", lambda p: surface(p, X, Y), YX, on(X, Y).T, minimise=True))
add(
    "loss-landscape of a fork with rows y",
    Case("k.h5", lambda p: surface(p, X, Y, shape="fork"), YX, on(X, Y).T, minimise=True),
)
add("loss-landscape of a line", Case("d.h5", lambda p: surface(p, X, None), {"x": X}, q(X, 0 * X), minimise=True))
add(
    "loss-landscape, accuracy",
    Case("a.h5", lambda p: surface(p, X, Y), YX, 100.0 - on(X, Y).T, {"variable": "train_acc"}),
)
add(
    "loss-landscape, test",
    Case(
        *("b.h5", lambda p: surface(p, X, Y, names=("train", "test")), YX, on(X, Y).T + 1.0),
        {"variable": "test_loss"},
        minimise=True,
    ),
)
add(
    "loss-landscape as a return",
    Case("m.h5", lambda p: surface(p, X, Y), YX, on(X, Y).T, {"minimise": False}),
)


def unfinished(path: Path) -> None:
    surface(path, X, Y)
    with h5py.File(path, "r+") as file:
        losses = file["train_loss"][()]
        losses.ravel()[-4:] = -1.0
        file["train_loss"][...] = losses


filled = on(X, Y).T.copy()
filled[-1, -4:] = 9.0
add("loss-landscape, filled", Case("u.h5", unfinished, YX, filled, {"fill": 9.0}, minimise=True))


# Tables ------------------------------------------------------------------------------------------------------


def table(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]], delimiter: str = ",") -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(header)
        writer.writerows(rows)


def shuffled(x: Array, y: Array, seed: int = 0) -> list[tuple[int, int]]:
    pairs = list(itertools.product(range(len(x)), range(len(y))))
    order = np.random.default_rng(seed).permutation(len(pairs))
    return [pairs[i] for i in order]


DIM0, DIM1 = np.linspace(-1.0, 1.0, 5), np.linspace(-1.0, 1.0, 5)


def rewards(path: Path) -> None:
    """As job_results_to_csv writes them: in the order of a folder, the names dim0 and dim1 twice."""
    header = ["dim0", "dim1", "episode_rewards", "episode_std_rewards", "episode_td_err", "dim0", "dim1"]
    rows = [
        [DIM0[i], DIM1[j], q(DIM0[i], DIM1[j]), 0.1, 2.0 * q(DIM0[i], DIM1[j]), f"{i - 2:.1f}", f"{j - 2:.1f}"]
        for i, j in shuffled(DIM0, DIM1)
    ]
    table(path, header, rows)


add("reward-surfaces", Case("results.csv", rewards, {"dim0": DIM0, "dim1": DIM1}, on(DIM0, DIM1)))
add(
    "reward-surfaces, another column",
    Case(
        *("td.csv", rewards, {"dim0": DIM0, "dim1": DIM1}, 2.0 * on(DIM0, DIM1)),
        {"variable": "episode_td_err"},
        minimise=True,
    ),
)


def rewards_on_a_line(path: Path) -> None:
    rows = [[q(DIM0[i], 0.0), DIM0[i]] for i in (3, 0, 4, 1, 2)]
    table(path, ["episode_rewards", "dim0"], rows)


add("reward-surfaces on a line", Case("line.csv", rewards_on_a_line, {"dim0": DIM0}, q(DIM0, 0 * DIM0)))

SEEDS = np.random.default_rng(1).normal(size=(3, 7, 5))


def seeds(path: Path, delimiter: str = ",", head: str = "") -> None:
    rows = [[s, X[i], Y[j], on(X, Y)[i, j] + SEEDS[s, i, j]] for s in range(3) for i, j in shuffled(X, Y, s)]
    table(path, ["seed", "lr", "gamma", "return"], rows, delimiter)
    if head:
        path.write_text(head + path.read_text(encoding="utf-8"), encoding="utf-8")


SWEEP = {"variable": "return", "axes": ["lr", "gamma"]}
MEANS = on(X, Y) + SEEDS.mean(axis=0)
ERRORS = SEEDS.std(axis=0, ddof=1) / np.sqrt(3.0)
for kind, file, mark in (("commas", "s.csv", ","), ("semicolons", "p.csv", ";"), ("tabs", "w.tsv", "\t")):
    add(
        f"sweep with {kind}",
        Case(
            file,
            functools.partial(seeds, delimiter=mark),
            *({"lr": X, "gamma": Y}, MEANS, SWEEP),
            error=ERRORS,
            exact=False,
        ),
    )
add(
    "sweep with a byte order mark",
    Case("bom.csv", lambda p: seeds(p, head="\ufeff"), {"lr": X, "gamma": Y}, MEANS, SWEEP, error=ERRORS, exact=False),
)
add(
    "sweep with the axes the other way round",
    Case(
        *("o.csv", seeds, {"gamma": Y, "lr": X}, MEANS.T),
        {"variable": "return", "axes": ["gamma", "lr"]},
        error=ERRORS.T,
        exact=False,
    ),
)


def logarithmic(path: Path) -> None:
    rows = [[f"{RATES[i]:.17g}", Y[j], q(np.log10(RATES[i]), Y[j])] for i, j in shuffled(RATES, Y)]
    table(path, ["learning rate", "gamma", "score"], rows)


add(
    "sweep over a rate",
    Case(
        *("rate.csv", logarithmic, {"log10_learning_rate": np.log10(RATES), "gamma": Y}, on(np.log10(RATES), Y)),
        {"variable": "score", "axes": ["log10(learning rate)", "gamma"]},
        exact=False,
    ),
)


def with_errors(path: Path) -> None:
    table(path, ["x", "y", "mean", "sem"], [[X[i], Y[j], on(X, Y)[i, j], 0.25] for i, j in shuffled(X, Y)])


add(
    "sweep with a column of errors",
    Case(
        *("sem.csv", with_errors, XY, on(X, Y)),
        {"variable": "mean", "axes": ["x", "y"], "standard_error": "sem"},
        error=np.full((7, 5), 0.25),
    ),
)


def by_savetxt(path: Path) -> None:
    x, y = (each.ravel() for each in np.meshgrid(X, Y, indexing="ij"))
    np.savetxt(path, np.column_stack([x, y, q(x, y)]), delimiter=",", header="x,y,q", fmt="%.17g")


add("numpy.savetxt", Case("t.csv", by_savetxt, XY, on(X, Y), {"variable": "q", "axes": ["x", "y"]}))


def by_pandas(path: Path) -> None:
    pandas = __import__("pandas")
    x, y = (each.ravel() for each in np.meshgrid(X, Y, indexing="ij"))
    pandas.DataFrame({"x": x, "y": y, "q": q(x, y), "note": "a, b"}).sample(frac=1.0, random_state=3).to_csv(path)


add("pandas", Case("pandas.csv", by_pandas, XY, on(X, Y), {"variable": "q", "axes": ["x", "y"]}))


def trials(path: Path, *, complete: bool = True) -> None:
    """As study.trials_dataframe().to_csv writes a study with GridSampler."""
    columns = ["", "number", "value", "datetime_start", "duration", "params_gamma", "params_lr", "state"]
    when = "2024-05-01 10:00:00.000001"
    rows: list[list[Any]] = []
    for i, j in shuffled(X, Y):
        rows.append([len(rows), len(rows), on(X, Y)[i, j], when, "0 days 00:00:01", Y[j], X[i], "COMPLETE"])
    # a trial that was pruned has the value at which it was; one that failed has none
    rows.append([len(rows), len(rows), 1e6, when, "", Y[0], X[0], "PRUNED"])
    rows.append([len(rows), len(rows), "", when, "", Y[1], X[0], "FAIL"])
    if not complete:
        rows[3][-1], rows[3][2] = "RUNNING", ""
    table(path, columns, rows)


add("Optuna", Case("optuna.csv", trials, {"gamma": Y, "lr": X}, on(X, Y).T, {"minimise": False}))
add(
    "Optuna, a loss, named axes",
    Case(
        "report.csv",
        trials,
        {"lr": X, "gamma": Y},
        on(X, Y),
        {"minimise": True, "axes": ["lr", "gamma"]},
        minimise=True,
    ),
)


# HDF5 and NetCDF ---------------------------------------------------------------------------------------------


def hdf5(path: Path, arrays: Mapping[str, Any]) -> None:
    with h5py.File(path, "w") as file:
        for name, each in arrays.items():
            file[name] = each


add("HDF5 with vectors", Case("v.h5", lambda p: hdf5(p, {"Q": on(X, Y), "x": X, "y": Y}), XY, on(X, Y)))
add(
    "HDF5, vectors in any order",
    Case("i.h5", lambda p: hdf5(p, {"b": Y, "a": X, "Q": on(X, Y)}), {"a": X, "b": Y}, on(X, Y)),
)
add("HDF5, rows are y", Case("y.h5", lambda p: hdf5(p, {"Q": on(X, Y).T, "x": X, "y": Y}), YX, on(X, Y).T))
add(
    "HDF5, square, named",
    Case(
        *("n.h5", lambda p: hdf5(p, {"Q": on(X, SQUARE), "x": X, "y": SQUARE}), {"x": X, "y": SQUARE}, on(X, SQUARE)),
        {"axes": ["x", "y"]},
    ),
)
add(
    "HDF5 in a group",
    Case(
        *("g.h5", lambda p: hdf5(p, {"run/Q": on(X, Y), "run/x": X, "run/y": Y, "other/Q": on(X, Y)}), XY, on(X, Y)),
        {"variable": "run/Q"},
    ),
)
add("HDF5 without positions", Case("w.h5", lambda p: hdf5(p, {"Q": on(X, Y)}), STEPS, on(X, Y)))
add(
    "HDF5 with meshes",
    Case(
        "mesh.h5",
        lambda p: hdf5(p, dict(zip("XYZ", (*np.meshgrid(X, SQUARE), on(X, SQUARE).T), strict=True))),
        {"Y": SQUARE, "X": X},
        on(X, SQUARE).T,
    ),
)


def scales(path: Path, *, compressed: bool = False, user_block: int = 0) -> None:
    with h5py.File(path, "w", userblock_size=user_block) as file:
        options: dict[str, Any] = {"compression": "gzip", "shuffle": True, "fletcher32": True} if compressed else {}
        file.create_dataset("Q", data=on(X, SQUARE), **options)
        for i, (name, each) in enumerate({"alpha": X, "beta": SQUARE}.items()):
            file[name] = each
            file[name].make_scale(name)
            file[name].attrs["units"] = "N m"
            file["Q"].dims[i].attach_scale(file[name])


KINDS: dict[str, dict[str, Any]] = {"": {}, ", compressed": {"compressed": True}, ", user block": {"user_block": 1024}}
for label, choice in KINDS.items():
    add(
        f"HDF5 with scales{label}",
        Case(
            f"scales{len(label)}.h5", functools.partial(scales, **choice), {"alpha": X, "beta": SQUARE}, on(X, SQUARE)
        ),
    )


def by_xarray(path: Path, values: Array | None = None, *, name: str = "Q", **how: Any) -> None:
    xarray = __import__("xarray")
    data = xarray.DataArray(
        on(X, SQUARE) if values is None else values, [("u", X, {"units": "m"}), ("v", SQUARE)], name=name
    )
    data.to_netcdf(path, **how)


UV = {"u_axis": X, "v": SQUARE}  # u is the name of the fields in files of heatpg
for engine in ("netcdf4", "h5netcdf"):
    add(f"xarray with {engine}", Case(f"{engine}.nc", functools.partial(by_xarray, engine=engine), UV, on(X, SQUARE)))
add(
    "xarray, single precision",
    Case("f4.nc", lambda p: by_xarray(p, on(X, SQUARE).astype("f4")), UV, on(X, SQUARE).astype("f4")),
)
add(
    "xarray, packed",
    Case(
        "packed.nc",
        lambda p: by_xarray(
            p, encoding={"Q": {"dtype": "i2", "scale_factor": 2.0**-10, "add_offset": 4.0, "_FillValue": -32768}}
        ),
        *(UV, 4.0 + np.rint((on(X, SQUARE) - 4.0) * 2.0**10) * 2.0**-10),
    ),
)
for number, form in enumerate(("NETCDF3_CLASSIC", "NETCDF3_64BIT")):
    add(
        f"xarray, {form}",
        Case(f"classic{number}.nc", functools.partial(by_xarray, format=form, engine="scipy"), UV, on(X, SQUARE)),
    )


def by_netcdf4(path: Path, *, holes: bool = False, form: str = "NETCDF4", extra: bool = False) -> None:
    netcdf4 = __import__("netCDF4")
    with netcdf4.Dataset(path, "w", format=form) as file:
        file.createDimension("time", 1)
        for name, each in {"lat": Y, "lon": X}.items():
            file.createDimension(name, len(each))
            file.createVariable(name, "f8", (name,))[:] = each
            file[name].units = "degrees"
        found = file.createVariable("score", "f8", ("time", "lat", "lon"))
        if extra:
            file.createVariable("spread", "f8", ("time", "lat", "lon"))[:] = 0.5
        # what is not written is 9.97e36, and masked when netCDF4 reads it
        if holes:
            found[0, :3] = on(X, Y).T[:3]
        else:
            found[0] = on(X, Y).T


LATLON = {"lat": Y, "lon": X}
for form in ("NETCDF4", "NETCDF4_CLASSIC", "NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET"):
    add(f"netCDF4, {form}", Case(f"{form.lower()}.nc", functools.partial(by_netcdf4, form=form), LATLON, on(X, Y).T))
part = on(X, Y).T.copy()
part[3:] = -2.0
for form in ("NETCDF4", "NETCDF3_CLASSIC"):
    add(
        f"netCDF4 with holes, {form}",
        Case(
            f"holes{form.lower()}.nc",
            functools.partial(by_netcdf4, holes=True, form=form),
            LATLON,
            part,
            {"fill": -2.0},
        ),
    )
    add(
        f"netCDF4 with two variables, {form}",
        Case(
            *(f"two{form.lower()}.nc", functools.partial(by_netcdf4, extra=True, form=form), LATLON, on(X, Y).T),
            {"variable": "score", "standard_error": "spread"},
            error=np.full((5, 7), 0.5),
        ),
    )


# MATLAB ------------------------------------------------------------------------------------------------------


def matlab73(path: Path, arrays: dict[str, Array], *, block: bool = True) -> None:
    """As MATLAB does: the axes in reverse order, vectors as rows, and a block of 512 bytes before it all."""
    with h5py.File(path, "w", userblock_size=512 if block else 0) as file:
        for name, each in arrays.items():
            matrix = np.atleast_2d(each)
            kind = {"f8": "double", "f4": "single", "i4": "int32"}[matrix.dtype.str[1:]]
            file[name] = matrix.T
            file[name].attrs.create("MATLAB_class", np.bytes_(kind))
        file["#refs#/a"] = np.zeros(3)
        file["label"] = np.array([[104], [105]], dtype="u2")
        file["label"].attrs.create("MATLAB_class", np.bytes_("char"))
    if block:
        with path.open("r+b") as raw:
            raw.write(
                b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2024 HDF5 schema 1.00 ."
            )


RETURNED = {"J": on(X, Y), "x": X, "y": Y}
add("MATLAB 7.3", Case("m73.mat", lambda p: matlab73(p, RETURNED), XY, on(X, Y)))
add("MATLAB 7.3 without its block", Case("n73.mat", lambda p: matlab73(p, RETURNED, block=False), XY, on(X, Y)))
add(
    "MATLAB 7.3, columns",
    Case("c73.mat", lambda p: matlab73(p, {"J": on(X, Y).T, "x": X[:, None], "y": Y[:, None]}), YX, on(X, Y).T),
)
add(
    "MATLAB 7.3, meshgrid",
    Case(
        "g73.mat",
        lambda p: matlab73(p, dict(zip("XYZ", (*np.meshgrid(X, SQUARE), on(X, SQUARE).T), strict=True))),
        {"Y": SQUARE, "X": X},
        on(X, SQUARE).T,
    ),
)
add(
    "MATLAB 7.3, ndgrid",
    Case(
        "d73.mat",
        lambda p: matlab73(p, dict(zip("XYZ", (*np.meshgrid(X, SQUARE, indexing="ij"), on(X, SQUARE)), strict=True))),
        {"X": X, "Y": SQUARE},
        on(X, SQUARE),
    ),
)
add(
    "MATLAB 7.3, square, named",
    Case(
        *(
            "s73.mat",
            lambda p: matlab73(p, {"J": on(X, SQUARE), "a": X, "b": SQUARE}),
            {"a": X, "b": SQUARE},
            on(X, SQUARE),
        ),
        {"axes": ["a", "b"]},
    ),
)
add(
    "MATLAB 7.3, a line",
    Case("l73.mat", lambda p: matlab73(p, {"J": q(X, X), "x": X}), {"x": X}, q(X, X), {"variable": "J"}),
)
cube = on(X, Y)[:, :, None] + np.arange(3.0) ** 2
add(
    "MATLAB 7.3, three axes",
    Case(
        "t73.mat",
        lambda p: matlab73(p, {"J": cube, "x": X, "y": Y, "z": np.arange(3.0)}),
        {**XY, "z": np.arange(3.0)},
        cube,
    ),
)


def matlab5(path: Path, **how: Any) -> None:
    from scipy.io import savemat

    savemat(path, {**RETURNED, "note": "text", "cells": np.array([1, "a"], dtype=object)}, **how)


add("MATLAB 7", Case("m7.mat", lambda p: matlab5(p, do_compression=True), XY, on(X, Y)))
add("MATLAB 6", Case("m6.mat", matlab5, XY, on(X, Y)))


def matlab4(path: Path) -> None:
    from scipy.io import savemat

    savemat(path, RETURNED, format="4")


add("MATLAB 4", Case("m4.mat", matlab4, XY, on(X, Y)))
