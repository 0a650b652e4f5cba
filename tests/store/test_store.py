"""The file: what goes in comes out bit for bit, others can read it, and nothing broken is believed or left behind."""

from __future__ import annotations

import ast
import errno
import hashlib
import json
import os
import subprocess
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import heatpg
from heatpg import Axis, Grid, Landscape, Report, load, save
from heatpg.core.report import Check, Place
from heatpg.errors import GridError, OptionError, ResourceError, StoreError
from heatpg.evolution import Evolution, solve
from heatpg.solvers import make
from heatpg.store import record
from heatpg.store.reading import verify_file
from heatpg.tools.plain import json_like
from heatpg.tools.publishing import prepare_output, publish

AXES = (
    Axis("torque", -1.0, 1.0, 7, boundary="clip", unit="N m"),
    Axis("angle", 0.0, 6.0, 6, boundary="periodic", unit="N m"),
    Axis("height", 0.1, 0.7, 5, boundary="reflect", nodes="cell", unit="N m"),
    Axis("gain", -3.0, 3.0, 4, boundary="zero"),
)


def evolution(
    dimensions: int = 2,
    *,
    dtype: str = "float64",
    batch: tuple[int, ...] = (),
    sigma: Any = (0.3, 0.6),
    solver: str = "direct",
    **options: Any,
) -> Evolution:
    grid = Grid(*AXES[:dimensions])
    values = np.random.default_rng(7).normal(size=(*batch, *grid.shape)).astype(dtype)
    landscape = Landscape(values, grid, "noise", {"seed": 7, "scale": [1.0, 2.5], "nothing": None})
    flow = solve(landscape, sigma, make(solver, **options))
    place = Place(1, (0,) * dimensions, grid.point((0,) * dimensions))
    checks = [
        Check("one", "passed", "fine", 1e-17, 1e-15, "round-off"),
        Check("two", "finding", "see", np.inf, where=place),
    ]
    flow.report = Report(checks, "full")
    flow.reason = "because"
    return flow


@pytest.fixture
def flow() -> Evolution:
    return evolution()


@pytest.fixture
def path(tmp_path: Path, flow: Evolution) -> Path:
    """A file of the evolution `flow`."""
    save(flow, tmp_path / "flow.h5")
    return tmp_path / "flow.h5"


def assert_same(copy: Evolution, original: Evolution) -> None:
    for got, expected in (
        (copy.values, original.values),
        (copy.sigma, original.sigma),
        (copy.landscape.values, original.landscape.values),
    ):
        assert got.dtype == expected.dtype
        assert got.shape == expected.shape
        assert got.tobytes() == expected.tobytes()
    assert copy.grid == original.grid
    assert copy.landscape.name == original.landscape.name
    assert copy.landscape.provenance == original.landscape.provenance
    assert copy.solver == original.solver
    assert copy.report.as_dict() == original.report.as_dict()
    assert copy.paths == original.paths
    assert copy.reason == original.reason
    assert list(copy.timing.items()) == list(original.timing.items())


@pytest.mark.parametrize("compression", ["none", "gzip:1"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
def test_round_trip(tmp_path: Path, dimensions: int, batch: tuple[int, ...], dtype: str, compression: str) -> None:
    original = evolution(dimensions, dtype=dtype, batch=batch)
    save(original, tmp_path / "a.h5", compression=compression)
    assert_same(load(tmp_path / "a.h5"), original)
    assert verify_file(tmp_path / "a.h5").passed


@pytest.mark.parametrize(
    "original",
    [
        evolution(sigma={"torque": [0.1, 0.2], "angle": 0.5}),
        evolution(sigma=[0.0]),
        evolution(1, sigma=np.geomspace(0.1, 1, 40), solver="crank_nicolson", steps=4),
        evolution(3, sigma=[0.2, 0.5], solver="implicit", steps=3),
    ],
    ids=["per axis", "zero", "many", "marching"],
)
def test_round_trip_of_sigma_and_solver(tmp_path: Path, original: Evolution) -> None:
    original.report = Report([], "none")
    save(original, tmp_path / "a.h5")
    assert_same(load(tmp_path / "a.h5"), original)


@pytest.mark.parametrize("storage", ["full", "compact"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_standard_error_of_the_landscape_is_kept(tmp_path: Path, storage: str, dtype: str) -> None:
    rng = np.random.default_rng(5)
    grid = Grid(Axis("a", 0, 1, 33, boundary="reflect"), Axis("b", 0, 1, 17, boundary="clip"))
    error = rng.random((2, *grid.shape)).astype(dtype)
    landscape = Landscape(rng.normal(size=error.shape), grid, standard_error=error)
    path = tmp_path / "q.h5"
    save(solve(landscape, [0.2, 0.4]), path, storage=storage)
    for untrusted in (False, True):
        found = load(path, untrusted=untrusted).landscape.standard_error
        assert found is not None and found.dtype == dtype
        np.testing.assert_array_equal(found, error)
    assert verify_file(path)["checksum of standard error of Q"].status == "passed"
    with h5py.File(path) as file:
        assert [dimension.keys() for dimension in file["standard_error"].dims] == [["batch1"], ["a"], ["b"]]
    with h5py.File(path, "r+") as file:
        file["standard_error"][1, 4, 3] += 0.5
    assert verify_file(path)["checksum of standard error of Q"].status == "failed"
    with pytest.raises(StoreError, match="standard error of Q"):
        load(path)
    with h5py.File(path, "r+") as file:
        del file["standard_error"]
    with pytest.raises(StoreError, match="no dataset standard_error"):
        load(path)


def seeded(dtype: str = "float64", batch: tuple[int, ...] = (2,), names: str = "ab") -> Evolution:
    grid = Grid(Axis(names[0], 0, 1, 33, boundary="reflect"), Axis(names[1:], 0, 1, 17, boundary="clip"))
    returns = np.random.default_rng(5).normal(size=(4, *batch, *grid.shape)).astype(dtype)
    return solve(Landscape(None, grid, returns=returns), [0.2, 0.4])


@pytest.mark.parametrize("storage", ["full", "compact"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_returns_of_seeds_are_kept(tmp_path: Path, storage: str, dtype: str) -> None:
    flow, path = seeded(dtype), tmp_path / "q.h5"
    save(flow, path, storage=storage)
    with h5py.File(path) as file:
        # what nobody has asked for is not computed to be stored
        assert "u_standard_error" not in file
        assert [dimension.keys() for dimension in file["returns"].dims] == [["seed"], ["batch1"], ["a"], ["b"]]
    error = flow.standard_error
    save(flow, path, storage=storage, force=True)
    with h5py.File(path) as file:
        assert ("u_standard_error" in file) == (storage == "full")
    for untrusted in (False, True):
        copy = load(path, untrusted=untrusted)
        for ours, theirs in (
            (flow.landscape.returns, copy.landscape.returns),
            (flow.landscape.standard_error, copy.landscape.standard_error),
            (flow.landscape.values, copy.landscape.values),
            (error, copy.standard_error),
        ):
            assert ours is not None and theirs is not None and theirs.dtype == dtype
            np.testing.assert_array_equal(theirs, ours)
        assert (copy.known_error is not None) and not copy.known_error.flags.writeable
        save(copy, tmp_path / "again.h5", storage=storage, force=True)
    report = verify_file(path)
    assert report.passed and report["checksum of returns"].status == "passed"
    assert any("error of u" in check.name for check in report) == (storage == "full")


@pytest.mark.parametrize("name", ["returns", "u_standard_error", "standard_error"])
def test_a_changed_or_missing_part_of_the_sampling_error_is_noticed(tmp_path: Path, name: str) -> None:
    flow, path = seeded(batch=()), tmp_path / "q.h5"
    assert flow.standard_error is not None
    save(flow, path)
    with h5py.File(path, "r+") as file:
        file[name][1, 4] += 0.5
    assert not verify_file(path).passed
    with pytest.raises(StoreError, match="modified"):
        load(path)
    with h5py.File(path, "r+") as file:
        del file[name]
    with pytest.raises(StoreError, match=f"no dataset {name}"):
        load(path)


def test_names_of_axes_that_only_some_files_need(tmp_path: Path) -> None:
    """An axis may be called `seed`, as it always could, unless the file has seeds of its own."""
    plain = Landscape(
        np.eye(5), Grid(*(Axis(name, 0, 1, 5, boundary="clip") for name in ("returns", "u_standard_error")))
    )
    save(solve(plain, 0.2), tmp_path / "plain.h5")
    assert [axis.name for axis in load(tmp_path / "plain.h5").grid] == ["returns", "u_standard_error"]
    with pytest.raises(StoreError, match=r"reserved by the file format\W+got: seed"):
        save(seeded(names="aseed"), tmp_path / "seed.h5")
    assert not (tmp_path / "seed.h5").exists()


def test_odd_text_survives(tmp_path: Path, flow: Evolution) -> None:
    flow.landscape.name = "Höl\0der \ud800 NaN\n"
    flow.landscape.provenance["path"] = Path("/somewhere")
    flow.landscape.provenance["limits"] = (np.float32(0.5), np.inf, np.arange(2))
    save(flow, tmp_path / "a.h5")
    copy = load(tmp_path / "a.h5")
    assert copy.landscape.name == flow.landscape.name
    assert copy.landscape.provenance["path"] == "/somewhere"
    assert copy.landscape.provenance["limits"] == [0.5, np.inf, [0, 1]]


def test_what_has_no_json_is_refused(tmp_path: Path, flow: Evolution) -> None:
    flow.landscape.provenance["function"] = len
    with pytest.raises(StoreError, match="value cannot be written as JSON"):
        save(flow, tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


def test_json_has_no_nan() -> None:
    text = json.dumps(json_like({"a": [np.nan, -np.inf, np.int64(3)], "b": True}), allow_nan=False)
    assert json.loads(text) == {"a": ["NaN", "-Infinity", 3], "b": True}


def test_large_records_move_into_datasets(tmp_path: Path, flow: Evolution) -> None:
    flow.landscape.provenance["long"] = ["x" * 100] * 400
    save(flow, tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert "heatpg_spec" not in file.attrs
        assert isinstance(file["heatpg_spec"], h5py.Dataset)
    assert_same(load(tmp_path / "a.h5"), flow)


def test_schema(path: Path, flow: Evolution) -> None:
    with h5py.File(path) as file:
        root = dict(file.attrs)
        assert root["Conventions"] == "CF-1.11"
        assert root["heatpg_schema"] == "1"
        assert root["source"].startswith("heatpg ")
        assert "2405.17832" in root["references"]
        assert (root["NX_class"], root["signal"], list(root["axes"])) == ("NXdata", "u", ["sigma", "torque", "angle"])
        spec = json.loads(root["heatpg_spec"])
        assert spec["solver"] == {"name": "direct", "options": {"tolerance": None}}
        assert root["heatpg_spec"] == json.dumps(spec, sort_keys=True, separators=(",", ":"))
        assert {"python", "numpy", "scipy", "numba", "h5py"} <= set(json.loads(root["heatpg_environment"])["versions"])
        for name in ("u", "landscape"):
            assert file[name].fletcher32
            assert file[name].compression is None
        assert file["u"].chunks == (1, 7, 6)
        np.testing.assert_array_equal(file["time"][()], flow.sigma**2)
        assert dict(file["torque"].attrs).items() >= {
            "boundary": "clip", "lower": -1.0, "upper": 1.0, "nodes": "vertex", "units": "N m", "long_name": "torque",
        }.items()  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [((300, 1000), (1, 150, 250)), ((70_000,), (1, 35_000)), ((8, 40, 300), (1, 8, 40, 150))],
)
def test_chunks_are_small(tmp_path: Path, shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
    grid = Grid(*(Axis(f"x{i}", 0, 1, n, boundary="reflect") for i, n in enumerate(shape)))
    save(solve(Landscape(np.zeros(shape, "float32"), grid), 0.0), tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["u"].chunks == chunks


@pytest.mark.parametrize(
    ("original", "dimensions"),
    [
        (evolution(1), ("sigma", "torque")),
        (evolution(3, batch=(2,)), ("sigma", "batch1", "torque", "angle", "height")),
        (evolution(2, sigma={"torque": [0.1, 0.2], "angle": 0.5}), ("level", "torque", "angle")),
    ],
    ids=["1-D", "batch", "per axis"],
)
def test_xarray_opens_it(tmp_path: Path, original: Evolution, dimensions: tuple[str, ...]) -> None:
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    save(original, tmp_path / "a.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with xarray.open_dataset(tmp_path / "a.h5", engine="h5netcdf") as data:
            assert data.u.dims == dimensions
            assert set(data.sizes) >= set(dimensions)
            assert not [name for name in data.dims if str(name).startswith("phony")]
            np.testing.assert_array_equal(data.u.values, original.values)
            np.testing.assert_array_equal(data.landscape.values, original.landscape.values)
            np.testing.assert_array_equal(data.torque.values, original.grid[0].coordinates)
            np.testing.assert_array_equal(data.sigma.values, original.sigma)
            np.testing.assert_array_equal(data.coords["time"].values, original.sigma**2)
            assert data.torque.attrs["units"] == "N m"
            if original.sigma.ndim == 2:
                assert data.sigma.sel(axis="angle").values.tolist() == [0.5, 0.5]


def test_lengths_in_seconds_stay_numbers_in_xarray(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    grid = Grid(Axis("delay", 0.0, 1.0, 5, boundary="clip", unit="seconds"))
    save(solve(Landscape(np.arange(5), grid), [0.5]), tmp_path / "a.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with xarray.open_dataset(tmp_path / "a.h5", engine="h5netcdf") as data:
            assert data.delay.attrs["units"] == "s"  # "seconds" would be decoded to time spans by some versions
            assert data.delay.dtype == np.float64
            assert data.sigma.dtype == np.float64
    assert load(tmp_path / "a.h5").grid == grid


@pytest.mark.parametrize("dimensions", [2, 3])
def test_paraview_group_names_the_same_data(tmp_path: Path, dimensions: int) -> None:
    original = evolution(dimensions)
    save(original, tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        group = file["VTKHDF"]
        kind = group.attrs.get_id("Type").get_type()
        assert (kind.is_variable_str(), kind.get_cset()) == (False, h5py.h5t.CSET_ASCII)
        assert group.attrs["Type"] == b"ImageData"
        assert group.attrs["Version"].tolist() == [2, 0]
        extent = [6, 5, 4][:dimensions][::-1] + [0] * (3 - dimensions)
        assert group.attrs["WholeExtent"].tolist() == [x for last in extent for x in (0, last)]
        origin = [axis.coordinates[0] for axis in original.grid][::-1] + [0.0] * (3 - dimensions)
        assert group.attrs["Origin"].tolist() == origin
        assert group.attrs["Spacing"].tolist()[:dimensions] == list(original.grid.spacing)[::-1]
        assert group.attrs["Direction"].tolist() == np.eye(3).ravel().tolist()
        link = group["PointData"].get("u", getlink=True)
        assert isinstance(link, h5py.HardLink)
        assert h5py.h5o.get_info(group["PointData/u"].id).addr == h5py.h5o.get_info(file["u"].id).addr
        assert group["Steps"].attrs["NSteps"] == 2
        assert group["Steps/Values"][()].tolist() == (original.sigma**2).tolist()
        assert group["Steps/PointDataOffsets/u"][()].tolist() == [0, 1]


def test_no_paraview_group_where_it_has_no_meaning(tmp_path: Path) -> None:
    for name, original in (("line", evolution(1)), ("four", evolution(4)), ("batch", evolution(2, batch=(2,)))):
        save(original, tmp_path / f"{name}.h5")
        with h5py.File(tmp_path / f"{name}.h5") as file:
            assert "VTKHDF" not in file


# ----------------------------------------------------------------------------------------------------------------------
# Refusing to write


def test_existing_file_is_kept(path: Path, flow: Evolution) -> None:
    before = path.read_bytes()
    with pytest.raises(StoreError, match="exists"):
        save(flow, path)
    assert path.read_bytes() == before
    flow.reason = "another"
    save(flow, path, force=True)
    assert load(path).reason == "another"


def test_a_link_is_followed(tmp_path: Path, path: Path, flow: Evolution) -> None:
    (tmp_path / "link.h5").symlink_to(path)
    flow.reason = "another"
    save(flow, tmp_path / "link.h5", force=True)
    assert (tmp_path / "link.h5").is_symlink()
    assert load(path).reason == "another"


def test_bad_places(tmp_path: Path, flow: Evolution, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError, match=r"(?s)the output directory does not exist.*mkdir"):
        save(flow, tmp_path / "nowhere" / "a.h5")
    (tmp_path / "folder.h5").mkdir()
    with pytest.raises(StoreError, match="is not a regular file"):
        save(flow, tmp_path / "folder.h5", force=True)
    monkeypatch.setattr(os, "access", lambda *arguments: False)
    with pytest.raises(StoreError, match="is not writable"):
        prepare_output(tmp_path / "a.h5")


@pytest.mark.parametrize("compression", ["gzip", "gzip:0", "gzip:10", "zstd", ""])
def test_bad_compression(tmp_path: Path, flow: Evolution, compression: str) -> None:
    with pytest.raises(OptionError, match="gzip:1"):
        save(flow, tmp_path / "a.h5", compression=compression)


@pytest.mark.parametrize("name", ["level", "axis", "batch1", "heatpg_spec"])
def test_axis_names_of_the_file_are_refused_from_the_start(name: str) -> None:
    with pytest.raises(GridError, match="reserved by the file format"):
        Axis(name, 0, 1, 5, boundary="clip")


def test_too_large_for_memory_or_disk(tmp_path: Path, flow: Evolution, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heatpg.tools.resources.available_memory", lambda: 1000.0)
    with pytest.raises(ResourceError, match="memory"):
        save(flow, tmp_path / "a.h5")
    monkeypatch.undo()
    monkeypatch.setattr("heatpg.tools.resources.available_disk", lambda folder: 1000.0)
    with pytest.raises(ResourceError, match="disk"):
        save(flow, tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


def fail_at(monkeypatch: pytest.MonkeyPatch, step: str, reason: BaseException) -> None:
    """Let one step of writing fail; the second half of the file, where the step is to write."""
    calls = 0
    real = getattr(os, step)

    def failing(*arguments: Any, **keywords: Any) -> Any:
        nonlocal calls
        calls += 1
        if step == "write" and calls == 1:
            return real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
        raise reason

    monkeypatch.setattr(os, step, failing)


@pytest.mark.parametrize("existing", [False, True], ids=["new", "replace"])
@pytest.mark.parametrize(
    ("reason", "error"),
    [
        (OSError(errno.EIO, "broken disk"), StoreError),
        (OSError(errno.ENOSPC, "no space left"), ResourceError),
        (OSError(errno.EDQUOT, "quota"), ResourceError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
    ids=["broken", "full", "quota", "interrupt"],
)
@pytest.mark.parametrize("step", ["open", "write", "fsync", "replace"])
def test_a_failing_step_leaves_what_was_there(
    tmp_path: Path,
    flow: Evolution,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    reason: BaseException,
    error: type[BaseException],
    existing: bool,
) -> None:
    target = tmp_path / "a.h5"
    if existing:
        target.write_bytes(b"old")
    with monkeypatch.context() as patch:
        fail_at(patch, step, reason)
        with pytest.raises(error):
            save(flow, target, force=True)
    assert [entry.name for entry in tmp_path.iterdir()] == (["a.h5"] if existing else [])
    if existing:
        assert target.read_bytes() == b"old"


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:7]))
    publish(b"0123456789" * 5, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"0123456789" * 5


def test_the_order_of_the_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    def recorded(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def record(*arguments: Any, **keywords: Any) -> Any:
            steps.append(name)
            return real(*arguments, **keywords)

        return record

    for name in ("open", "write", "fsync", "replace"):
        monkeypatch.setattr(os, name, recorded(name))
    publish(b"content", tmp_path / "a")
    assert steps == ["open", "write", "fsync", "replace", "open", "fsync"]


def test_a_temporary_file_is_never_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the random part of its name known, a link in its place is neither followed nor removed."""
    monkeypatch.setattr("heatpg.store.writing.secrets.token_hex", lambda count: "00")
    (tmp_path / "victim").write_bytes(b"theirs")
    (tmp_path / f".heatpg-{os.getpid()}-00.tmp").symlink_to(tmp_path / "victim")
    with pytest.raises(StoreError, match="File exists"):
        publish(b"ours", tmp_path / "a")
    assert (tmp_path / "victim").read_bytes() == b"theirs"
    assert (tmp_path / f".heatpg-{os.getpid()}-00.tmp").is_symlink()


def test_a_name_taken_meanwhile_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def another_process_writes(descriptor: int) -> None:
        real(descriptor)
        (tmp_path / "a").write_bytes(b"theirs")

    monkeypatch.setattr(os, "fsync", another_process_writes)
    with pytest.raises(StoreError, match="exists"):
        publish(b"ours", tmp_path / "a")
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("a", b"theirs")]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB, where this process may mount one."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    try:
        command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if done.returncode != 0:
        pytest.skip("mounting is not permitted")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(tiny_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ResourceError, match="does not fit on the disk"):
        publish(bytes(2**20), tiny_disk / "a")
    monkeypatch.setattr("heatpg.tools.publishing.require_disk", lambda *arguments: None)
    with pytest.raises(ResourceError, match="disk is full"):
        publish(bytes(2**20), tiny_disk / "a")
    assert list(tiny_disk.iterdir()) == []


# ----------------------------------------------------------------------------------------------------------------------
# Refusing to read


def refuse(path: Path, words: str) -> None:
    with pytest.raises(StoreError, match=words):
        load(path)


def test_no_file_of_ours(tmp_path: Path) -> None:
    refuse(tmp_path / "missing.h5", "No such file")
    refuse(tmp_path, "not a file")
    os.mkfifo(tmp_path / "pipe.h5")
    refuse(tmp_path / "pipe.h5", "not a file")
    (tmp_path / "empty.h5").touch()
    refuse(tmp_path / "empty.h5", "not an HDF5 file")
    (tmp_path / "text.h5").write_text("u = 1\n")
    refuse(tmp_path / "text.h5", "not an HDF5 file")
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["u"] = np.zeros(3)
    refuse(tmp_path / "foreign.h5", "not written by heatpg")
    for name in ("missing", "empty", "foreign"):
        with pytest.raises(StoreError):
            verify_file(tmp_path / f"{name}.h5")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refuse(path, "corrupted")


def test_newer_schema(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file.attrs["heatpg_schema"] = "2"
    refuse(path, "(?s)newer heatpg.*upgrade")


def rewrite(file: h5py.File, name: str, values: Any, **keywords: Any) -> None:
    del file[name]
    file.create_dataset(name, data=values, **keywords)


def unlink(file: h5py.File, name: str, link: Any) -> None:
    del file[name]
    file[name] = link


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((2, 7, 6), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "u", (2, 7, 6))
    del file["u"]
    file.create_virtual_dataset("u", layout)


def with_nan(file: h5py.File) -> None:
    file["u"][1, 2, 3] = np.nan


def with_large_chunk(file: h5py.File) -> None:
    file.create_dataset("zz", (2**14, 2**14), "f8", chunks=(2**12, 2**13))


CHANGES: dict[str, tuple[Callable[[h5py.File], Any], str]] = {
    "no u": (lambda f: f.__delitem__("u"), "no dataset u"),
    "a group for u": (lambda f: (f.__delitem__("u"), f.create_group("u")), "no dataset u"),
    "u of one sigma": (lambda f: rewrite(f, "u", np.zeros((1, 7, 6))), "shape"),
    "u of another grid": (lambda f: rewrite(f, "u", np.zeros((2, 6, 7))), "shape"),
    "landscape of another grid": (lambda f: rewrite(f, "landscape", np.zeros((6, 7))), "shape"),
    "u of integers": (lambda f: rewrite(f, "u", np.zeros((2, 7, 6), int)), "int64"),
    "u of half precision": (lambda f: rewrite(f, "u", np.zeros((2, 7, 6), "f2")), "float16"),
    "u of complex numbers": (lambda f: rewrite(f, "u", np.zeros((2, 7, 6), "c16")), "not a supported float"),
    "references": (lambda f: f.create_dataset("zz", (3,), h5py.ref_dtype), "not a supported float, integer or text"),
    "other values in u": (lambda f: f["u"].__setitem__((0, 0, 0), 0.5), "SHA-256 of u"),
    "other values in Q": (lambda f: f["landscape"].__setitem__((0, 0), 0.5), "SHA-256 of Q"),
    "NaN in u": (with_nan, "NaN"),
    "NaN in Q": (lambda f: f["landscape"].__setitem__((0, 0), np.nan), "NaN"),
    "other sigma": (lambda f: f["sigma"].__setitem__(0, 0.31), "sigma contradicts"),
    "other time": (lambda f: f["time"].__setitem__(0, 0.31), "time contradicts"),
    "other positions": (lambda f: f["angle"].__setitem__(0, 0.31), "positions of axis angle"),
    "other boundary": (lambda f: f["angle"].attrs.__setitem__("boundary", "clip"), "attributes of axis angle"),
    "other bound": (lambda f: f["angle"].attrs.__setitem__("upper", 6.5), "attributes of axis angle"),
    "no report": (lambda f: f.attrs.__delitem__("heatpg_report"), "heatpg_report"),
    "other report": (lambda f: f.attrs.__setitem__("heatpg_report", "{}"), "SHA-256 of the records"),
    "other specification": (lambda f: f.attrs.__setitem__("heatpg_spec", "{}"), "SHA-256 of the specification"),
    "specification of numbers": (lambda f: f.attrs.__setitem__("heatpg_spec", np.arange(3)), "SHA-256"),
    "no checksum": (lambda f: f.attrs.__delitem__("heatpg_u_sha256"), "SHA-256 of u"),
    "soft link": (lambda f: unlink(f, "time", h5py.SoftLink("/sigma")), "not a hard link"),
    "external link": (lambda f: unlink(f, "u", h5py.ExternalLink("/dev/zero", "/u")), "not a hard link"),
    "link deep inside": (lambda f: f["VTKHDF"].__setitem__("x", h5py.SoftLink("/u")), "not a hard link"),
    "external storage": (
        lambda f: f.create_dataset("zz", (8,), "u1", external=[("/etc/passwd", 0, 8)]),
        "in another file",
    ),
    "virtual dataset": (virtual, "virtual"),
    "other filter": (lambda f: f.create_dataset("zz", (64,), "f8", chunks=(64,), compression="lzf"), "filters"),
    "large chunk": (with_large_chunk, "chunks"),
    "many texts": (lambda f: f.create_dataset("zz", (20_000,), h5py.string_dtype()), "too many strings"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_changed_file_is_refused(path: Path, change: str) -> None:
    act, words = CHANGES[change]
    with h5py.File(path, "a") as file:
        act(file)
    refuse(path, words)
    report = verify_file(path)
    assert not report.passed


def test_a_cycle_of_groups_ends(path: Path, flow: Evolution) -> None:
    with h5py.File(path, "a") as file:
        file["VTKHDF/self"] = file["/"]
    assert_same(load(path), flow)


def test_too_many_objects(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heatpg.store.reading.MOST_OBJECTS", 5)
    refuse(path, "too many objects")


def test_declared_size_is_compared_with_memory(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file.create_dataset("zz", (2**26, 2**26), "f8", chunks=(64, 64))
    with pytest.raises(ResourceError, match="does not fit in memory"):
        load(path)
    with pytest.raises(ResourceError, match="does not fit in memory"):
        verify_file(path)


@pytest.mark.parametrize("field", ["name", "options"])
def test_a_solver_that_is_not_known(path: Path, field: str) -> None:
    with h5py.File(path, "a") as file:
        spec = json.loads(file.attrs["heatpg_spec"])
        spec["solver"][field] = "magic" if field == "name" else {"magic": 1}
        text = json.dumps(spec, sort_keys=True, separators=(",", ":"))
        file.attrs["heatpg_spec"] = text
        file.attrs["heatpg_spec_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    refuse(path, "magic")


def test_bit_flips_in_the_data_are_detected(path: Path, flow: Evolution, rng: np.random.Generator) -> None:
    content = path.read_bytes()
    regions = [flow.values[0].tobytes(), flow.values[1].tobytes(), flow.landscape.values.tobytes()]
    with h5py.File(path) as file:
        regions += [file.attrs[name].encode() for name in ("heatpg_spec", "heatpg_report", "heatpg_run")]
    for region in regions:
        begin = content.index(region)
        for _ in range(8):
            changed = bytearray(content)
            changed[begin + int(rng.integers(len(region)))] ^= 1 << int(rng.integers(8))
            path.write_bytes(changed)
            with pytest.raises(StoreError):
                load(path)
            assert not verify_file(path).passed
    path.write_bytes(content)
    assert_same(load(path), flow)


def test_a_fletcher32_failure_is_reported(path: Path, flow: Evolution) -> None:
    """The chunk checksums of HDF5 find a flip before ours do."""
    content = bytearray(path.read_bytes())
    content[bytes(content).index(flow.values[1].tobytes()) + 8] ^= 1
    path.write_bytes(content)
    with h5py.File(path) as file, pytest.raises(OSError, match=r"checksum|filter"):
        file["u"][()]
    assert verify_file(path)["structure"].status == "failed"


def test_the_names_of_the_format_stand_in_one_file() -> None:
    """Attributes of files are called heatpg_...; a second copy of such a name could come to differ from the first."""
    package = Path(heatpg.__file__).parent
    home = package / "store" / "record.py"
    names = {value for value in vars(record).values() if isinstance(value, str) and value.startswith("heatpg_")}
    assert {"heatpg_spec", "heatpg_u_sha256", "heatpg_schema"} <= names
    copies = [
        f"{path.relative_to(package)}, line {node.lineno}: {node.value}"
        for path in sorted(package.rglob("*.py"))
        # what the commands print has the version of heatpg under the same key
        if path != home and "cli" not in path.relative_to(package).parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert copies == []


def with_seeds(seeds: int = 3) -> Landscape:
    grid = Grid(*AXES[:2])
    returns = np.random.default_rng(1).normal(size=(seeds, *grid.shape))
    return Landscape.from_array(returns=returns, axes=list(grid), name="seeds", minimise=True)


@pytest.mark.parametrize("landscape", [evolution(3).landscape, evolution(batch=(2,)).landscape, with_seeds()])
def test_a_landscape_saves_itself(landscape: Landscape, tmp_path: Path) -> None:
    """As its evolution at sigma = 0, which is Q itself; by its method and by `save` alike."""
    landscape.save(tmp_path / "one.h5")
    save(landscape, tmp_path / "two.h5", storage="full")
    for name in ("one.h5", "two.h5"):
        flow = load(tmp_path / name)
        again = flow.landscape
        np.testing.assert_array_equal(again.values, landscape.values, strict=True)
        np.testing.assert_array_equal(flow.values[0], landscape.values, strict=True)
        assert flow.sigma.tolist() == [0.0]
        assert (again.grid, again.name, again.minimise) == (landscape.grid, landscape.name, landscape.minimise)
        assert again.provenance == landscape.provenance
        if landscape.returns is not None:
            assert again.returns is not None
            np.testing.assert_array_equal(again.returns, landscape.returns, strict=True)
    # the file of the evolution that was saved by hand before
    by_hand = solve(landscape, 0.0)
    assert load(tmp_path / "one.h5").solver == by_hand.solver and load(tmp_path / "one.h5").paths == by_hand.paths


def test_a_landscape_is_refused_as_an_evolution_is(tmp_path: Path) -> None:
    q = evolution().landscape
    q.save(tmp_path / "q.h5")
    with pytest.raises(StoreError, match="the file exists"):
        q.save(tmp_path / "q.h5")
    q.save(tmp_path / "q.h5", force=True, compression="gzip:1")
    assert load(tmp_path / "q.h5").landscape.name == "noise"
    for path, kind, words in (
        (tmp_path / "q.txt", OptionError, "known extension"),
        (tmp_path / "nowhere" / "q.h5", StoreError, "directory does not exist"),
    ):
        with pytest.raises(kind, match=words):
            q.save(path)
    with pytest.raises(OptionError, match="compression"):
        q.save(tmp_path / "other.h5", compression="zip")
    with pytest.raises(OptionError, match=r"save\(\) needs an Evolution.*or a heatpg.Landscape"):
        save(q.values, tmp_path / "values.h5")  # type: ignore[arg-type]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["q.h5"]
