"""One file, many readers: each opens it as it is, with no copy made for it; and xarray objects go in and out."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, Report, landscapes, save
from heatpg.core.report import Check
from heatpg.errors import BoundaryError, GridError, MissingPackageError, NonFiniteError, OptionError, UnsupportedError
from heatpg.evolution import Evolution, solve

AXES = (
    Axis("torque", -1.0, 1.0, 7, boundary="clip", unit="N m"),
    Axis("angle", 0.0, 6.0, 6, boundary="periodic", unit="N m"),
    Axis("height", 0.1, 0.7, 5, boundary="reflect", nodes="cell", unit="N m"),
)
SIGMA = (0.3, 0.6, 1.1)


def evolution(dimensions: int, *, batch: tuple[int, ...] = (), sigma: Any = SIGMA) -> Evolution:
    grid = Grid(*AXES[:dimensions])
    values = np.random.default_rng(dimensions).normal(size=(*batch, *grid.shape))
    flow = solve(Landscape(values, grid, "noise"), sigma, "direct")
    flow.report = Report([Check("range", "passed", "inside the range of Q", np.inf, 1e-15)])
    return flow


def correlated() -> Evolution:
    grid = Grid(Axis("x", 0.0, 1.0, 6, boundary="periodic"), Axis("y", 0.0, 2.0, 8, boundary="periodic"))
    values = np.random.default_rng(5).normal(size=grid.shape)
    return solve(Landscape(values, grid), covariance=[[[0.2, 0.1], [0.1, 0.3]], [[0.4, 0.1], [0.1, 0.3]]])


@pytest.fixture(params=[1, 2, 3], ids=["1-D", "2-D", "3-D"])
def flow(request: pytest.FixtureRequest) -> Evolution:
    return evolution(request.param)


@pytest.fixture
def path(tmp_path: Path, flow: Evolution) -> Path:
    save(flow, tmp_path / "flow.h5")
    return tmp_path / "flow.h5"


def command(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def output(*words: str | Path) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def numbers(text: str) -> np.ndarray:
    return np.array([float(word) for word in re.findall(r"[-+]?\d[\d.]*(?:e[-+]?\d+)?", text)])


# ----------------------------------------------------------------------------------------------------------------------
# Readers of the file


ENGINES = """
import sys, warnings
warnings.simplefilter("error")
import xarray
engine, *paths = sys.argv[1:]
for path in paths:
    with xarray.open_dataset(path, engine=engine) as data:
        print(*data.u.dims, *data.u.shape)
        print(*sorted(map(str, data.coords)))
        print(data.u.values.tobytes().hex())
        print(data.landscape.values.tobytes().hex())
        print(data.torque.attrs["units"], data.u.attrs["long_name"], sep="; ")
"""


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("storage", ["full", "compact"])
def test_coordinates_of_0_are_not_missing_and_no_dimension_has_two_names(
    tmp_path: Path, storage: str, dimensions: int
) -> None:
    """HDF5 fills with 0, which some readers take for what is missing, and they name a dimension by the last scale."""
    flow = evolution(dimensions)
    shared: list[str] = []
    flow.save(tmp_path / "flow.h5", storage=storage)
    with h5py.File(tmp_path / "flow.h5") as file:
        for name in ("sigma", "time", *(axis.name for axis in flow.grid)):
            assert np.isnan(file[name].fillvalue), name

        def look(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                shared.extend(name for dimension in item.dims if len(dimension) > 1)

        file.visititems(look)
    assert shared == []


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_xarray(tmp_path: Path, engine: str) -> None:
    """Both engines, each in a process of its own: they bring two copies of HDF5."""
    for module in ("xarray", {"h5netcdf": "h5netcdf", "netcdf4": "netCDF4"}[engine]):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    flows = {tmp_path / f"{dimensions}.h5": evolution(dimensions) for dimensions in (1, 2, 3)}
    for path, flow in flows.items():
        save(flow, path)
    lines = iter(output(sys.executable, "-c", ENGINES, engine, *flows).splitlines())
    for flow in flows.values():
        names = [axis.name for axis in flow.grid]
        assert next(lines).split() == ["sigma", *names, *map(str, flow.values.shape)]
        assert next(lines).split() == sorted(["sigma", "time", *names])
        assert bytes.fromhex(next(lines)) == flow.values.tobytes()
        assert bytes.fromhex(next(lines)) == flow.landscape.values.tobytes()
        assert next(lines) == "N m; expected value under exploration noise, E[Q(mu + sigma Z)]"


def test_ncdump(path: Path, flow: Evolution) -> None:
    text = output(command("ncdump"), "-p", "9,17", "-v", "u,sigma", path)
    sizes = "".join(f"\t{axis.name} = {axis.size} ;\n" for axis in flow.grid)
    assert set(sizes.splitlines()) <= set(text.splitlines())
    assert f"double u(sigma, {', '.join(axis.name for axis in flow.grid)}) ;" in text
    found = {name: numbers(body) for name, body in re.findall(r"\n\n? (u|sigma) =([^;]*);", text)}
    np.testing.assert_array_equal(found["u"], flow.values.ravel())
    np.testing.assert_array_equal(found["sigma"], SIGMA)


def test_h5dump(path: Path, flow: Evolution) -> None:
    text = output(command("h5dump"), "-d", "/u", "-m", "%.17g", "-y", "-w", "1000000", path)
    (body,) = re.findall(r"\n   DATA \{\n(.*?)\n   \}", text, flags=re.DOTALL)
    np.testing.assert_array_equal(numbers(body), flow.values.ravel())
    assert '"heatpg 0' in output(command("h5dump"), "-a", "/source", path)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_vtk(tmp_path: Path, dimensions: int) -> None:
    """The reader that ParaView uses: as many steps as sigmas, at the times sigma^2."""
    module = pytest.importorskip("vtkmodules.vtkIOHDF", reason="VTK is not installed")
    model = pytest.importorskip("vtkmodules.vtkCommonExecutionModel")
    support = pytest.importorskip("vtkmodules.util.numpy_support")

    flow = evolution(dimensions)
    save(flow, tmp_path / "flow.h5")
    reader = module.vtkHDFReader()
    reader.SetFileName(str(tmp_path / "flow.h5"))
    reader.UpdateInformation()
    steps = reader.GetOutputInformation(0).Get(model.vtkStreamingDemandDrivenPipeline.TIME_STEPS())
    assert steps == tuple(flow.sigma**2)
    for step, expected in enumerate(flow.values):
        reader.SetStep(step)
        reader.Update()
        data = reader.GetOutputDataObject(0)
        assert data.GetDimensions() == (*expected.shape[::-1], *[1] * (3 - dimensions))
        assert data.GetSpacing()[:dimensions] == flow.grid.spacing[::-1]
        assert data.GetOrigin()[:dimensions] == tuple(axis.coordinates[0] for axis in reversed(flow.grid.axes))
        found = support.vtk_to_numpy(data.GetPointData().GetArray("u")).reshape(expected.shape)
        np.testing.assert_array_equal(found, expected)


def test_silx(path: Path, flow: Evolution) -> None:
    nxdata = pytest.importorskip("silx.io.nxdata", reason="silx is not installed")
    with h5py.File(path) as file:
        group = nxdata.NXdata(file["/"])
        assert group.is_valid, group.issues
        assert group.signal_dataset_name == "u"
        np.testing.assert_array_equal(group.signal[()], flow.values)
        assert group.axes_dataset_names == ["sigma", *(axis.name for axis in flow.grid)]
        for axis, expected in zip(group.axes, [flow.sigma, *(a.coordinates for a in flow.grid)], strict=True):
            np.testing.assert_array_equal(axis[()], expected)


def test_the_readers_share_one_copy(tmp_path: Path) -> None:
    """The views for other readers add less than 100 kB to a file, whatever its size."""
    grid = Grid(*(Axis(name, 0.0, 1.0, 300, boundary="reflect") for name in "xy"))
    flow = solve(Landscape(np.zeros(grid.shape), grid), [0.1, 0.2, 0.3])
    save(flow, tmp_path / "a.h5")
    # chunks of 150 x 150 fill the grid without rest
    assert (tmp_path / "a.h5").stat().st_size < flow.values.nbytes + flow.landscape.values.nbytes + 100_000


# ----------------------------------------------------------------------------------------------------------------------
# Objects of xarray


EVOLUTIONS: dict[str, Callable[[], Evolution]] = {
    "1-D": lambda: evolution(1),
    "3-D": lambda: evolution(3),
    "batch": lambda: evolution(2, batch=(2, 3)),
    "per axis": lambda: evolution(2, sigma={"torque": [0.1, 0.2], "angle": 0.5}),
    "covariance": correlated,
}


@pytest.mark.parametrize("kind", EVOLUTIONS)
def test_to_xarray_is_what_xarray_reads(tmp_path: Path, kind: str) -> None:
    xarray = pytest.importorskip("xarray", reason="xarray is not installed")
    pytest.importorskip("h5netcdf", reason="h5netcdf is not installed")
    flow = EVOLUTIONS[kind]()
    save(flow, tmp_path / "a.h5")
    data = flow.to_xarray()
    with xarray.open_dataset(tmp_path / "a.h5", engine="h5netcdf") as stored:
        xarray.testing.assert_equal(data, stored)
        for name in data.variables:
            assert data[name].attrs.get("units") == stored[name].attrs.get("units"), name
    assert np.shares_memory(data.u.values, flow.values)
    assert np.shares_memory(data.landscape.values, flow.landscape.values)


def test_to_xarray_has_seeds_and_errors_as_the_file_has_them(tmp_path: Path) -> None:
    grid = Grid(Axis("x", 0, 1, 9, boundary="clip"))
    flow = solve(Landscape(None, grid, returns=np.random.default_rng(2).normal(size=(3, 2, 9))), [0.1, 0.2])
    assert "u_standard_error" not in flow.to_xarray()
    assert flow.standard_error is not None
    save(flow, tmp_path / "a.h5")
    data = flow.to_xarray()
    assert data.returns.dims == ("seed", "batch1", "x") and data.u_standard_error.dims == ("sigma", "batch1", "x")
    xarray: Any = pytest.importorskip("xarray")
    with xarray.open_dataset(tmp_path / "a.h5", engine="h5netcdf") as file:
        for name in ("returns", "standard_error", "u_standard_error"):
            assert file[name].dims == data[name].dims and file[name].attrs["long_name"] == data[name].attrs["long_name"]
            np.testing.assert_array_equal(file[name], data[name])
    again = Landscape.from_xarray(data.returns, returns="seed", batch=["batch1"])
    np.testing.assert_array_equal(again.standard_error, flow.landscape.standard_error)


def test_to_xarray_tells_how_it_came_about() -> None:
    pytest.importorskip("xarray", reason="xarray is not installed")
    flow = evolution(2)
    flow.reason = "because"
    data = flow.to_xarray()
    assert data.attrs["title"] == "noise"
    assert data.attrs["solver"] == repr(flow.solver)
    assert data.attrs["reason"] == "because"
    assert json.loads(data.attrs["report"]) == {
        "level": "standard",
        "passed": True,
        "checks": [{"name": "range", "status": "passed", "message": "inside the range of Q"}],
    }
    assert data.time.attrs["units"] == "(N m)2"
    assert dict(data.angle.attrs) == {
        "long_name": "angle", "boundary": "periodic", "nodes": "vertex", "lower": 0.0, "upper": 6.0, "units": "N m",
    }  # fmt: skip


def test_to_xarray_can_be_written_and_selected(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray", reason="xarray is not installed")
    pytest.importorskip("h5netcdf", reason="h5netcdf is not installed")
    flow = evolution(2)
    data = flow.to_xarray()
    np.testing.assert_array_equal(data.u.sel(sigma=0.6, angle=2.0), flow.values[1, :, 2])
    data.to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    with xarray.open_dataset(tmp_path / "b.nc", engine="h5netcdf") as copy:
        xarray.testing.assert_identical(copy.load(), data)


@pytest.mark.parametrize("kind", ["1-D", "3-D"])
def test_a_landscape_comes_back_from_xarray(tmp_path: Path, kind: str) -> None:
    xarray = pytest.importorskip("xarray", reason="xarray is not installed")
    flow = EVOLUTIONS[kind]()
    for data in (flow.to_xarray().landscape, flow.to_xarray().u.isel(sigma=0)):
        back = Landscape.from_xarray(data)
        assert back.grid == flow.grid
        assert back.name == data.name
    # a dataset is handed out, and so its memory is that of others
    assert not np.shares_memory(Landscape.from_xarray(flow.to_xarray().landscape).values, flow.landscape.values)
    save(flow, tmp_path / "a.h5")
    with xarray.open_dataset(tmp_path / "a.h5", engine="h5netcdf") as stored:
        back = Landscape.from_xarray(stored.landscape)
    assert back.grid == flow.grid
    np.testing.assert_array_equal(back.values, flow.landscape.values)


def data_array(**changes: Any) -> Any:
    xarray = pytest.importorskip("xarray", reason="xarray is not installed")
    coords = {"x": np.linspace(0.0, 1.0, 5), "y": ("y", np.arange(4.0), {"units": "rad"}), **changes}
    values = np.random.default_rng(3).normal(size=(2, 5, 4))
    return xarray.DataArray(values, coords, ("seed", "x", "y"), name="q")


def test_dimensions_become_axes_and_the_batch_goes_first() -> None:
    data = data_array()
    boundary = {"x": "clip", "y": "periodic"}
    q = Landscape.from_xarray(data, boundary=boundary, batch=["seed"])
    x, y = Axis("x", 0.0, 1.0, 5, boundary="clip"), Axis("y", 0.0, 4.0, 4, boundary="periodic", unit="rad")
    assert (q.grid, q.name, q.batch_shape) == (Grid(x, y), "q", (2,))
    turned = Landscape.from_xarray(data.transpose("y", "seed", "x"), boundary=boundary, batch=["seed"], name="turned")
    assert (turned.grid, turned.name) == (Grid(y, x), "turned")
    np.testing.assert_array_equal(turned.values, q.values.swapaxes(1, 2))
    np.testing.assert_array_equal(q.values, data.values)


def test_lazy_values_are_computed() -> None:
    pytest.importorskip("dask.array", reason="dask is not installed")
    data = data_array()
    q = Landscape.from_xarray(data.chunk({"x": 2}), boundary="clip", batch=["seed"])
    np.testing.assert_array_equal(q.values, data.values)


def test_what_is_no_landscape_is_refused() -> None:
    data = data_array().isel(seed=0, drop=True)
    for bad, error, words in (
        (data.where(data > 0), NonFiniteError, "not finite at index"),
        (data_array(), GridError, "'seed' has no coordinate"),
        (data.assign_coords(x=[0.0, 0.25, 0.5, 0.75, 1.0 + 1e-8]), GridError, "'x' is not uniform"),
        (data.assign_coords(x=list("abcde")), GridError, "must be real numbers"),
        (
            data.assign_coords(x=np.arange(5).astype("M8[D]")),
            GridError,
            "(?s)must be real numbers.*convert to seconds",
        ),
        (data.rename(x="u"), GridError, "reserved by the file format"),
        (data > 0, None, ""),
        (data * 1j, OptionError, "real numbers"),
        (data.isel(x=0, y=0), GridError, "at least one axis"),
        (data.to_dataset(), OptionError, "select a variable"),
        (data.values, OptionError, "from_array"),
    ):
        if error is None:
            assert Landscape.from_xarray(bad, boundary="clip").values.dtype == np.float64
            continue
        with pytest.raises(error, match=words):
            Landscape.from_xarray(bad, boundary="clip")
    with pytest.raises(BoundaryError, match="'y' needs a boundary"):
        Landscape.from_xarray(data, boundary={"x": "clip"})
    with pytest.raises(GridError, match="no dimension"):
        Landscape.from_xarray(data, boundary={"z": "clip"})
    with pytest.raises(GridError, match="no dimension"):
        Landscape.from_xarray(data, boundary="clip", batch=["seed"])


def test_positions_within_round_off_are_uniform() -> None:
    data = data_array().isel(seed=0, drop=True).assign_coords(x=[0.0, 0.25, 0.5 + 1e-10, 0.75, 1.0])
    assert Landscape.from_xarray(data, boundary="clip").grid[0] == Axis("x", 0.0, 1.0, 5, boundary="clip")


def test_a_cut_is_not_taken_for_the_whole() -> None:
    """Half of a period is no period: its boundary has to be given anew."""
    data = evolution(2).to_xarray().landscape.isel(angle=slice(0, 3))
    with pytest.raises(GridError, match="pass its boundary condition again"):
        Landscape.from_xarray(data)
    axis = Landscape.from_xarray(data, boundary={"angle": "clip"}).grid[1]
    assert (axis.lower, axis.upper, axis.boundary) == (0.0, 2.0, "clip")


def test_without_xarray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xarray", None)
    flow = solve(landscapes.ridge(size=21), 0.2)
    with pytest.raises(MissingPackageError, match=r"pip install 'xarray>=\S+ 'h5netcdf>="):
        flow.to_xarray()


def test_a_name_that_a_covariance_needs() -> None:
    pytest.importorskip("xarray", reason="xarray is not installed")
    grid = Grid(Axis("axis2", 0.0, 1.0, 6, boundary="periodic"), Axis("y", 0.0, 2.0, 8, boundary="periodic"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "axis2" in solve(Landscape(np.zeros(grid.shape), grid), 0.1).to_xarray().coords
    flow = solve(Landscape(np.zeros(grid.shape), grid), covariance=[[0.2, 0.1], [0.1, 0.3]])
    with pytest.raises(UnsupportedError, match="axis2"):
        flow.to_xarray()
