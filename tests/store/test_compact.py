"""Compact storage: what is read back is u within the stated tolerance, from lattices as coarse as they can be."""

from __future__ import annotations

import itertools
import json
import math
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, load, save
from heatpg.errors import OptionError, ResourceError, StoreError, UnsupportedError
from heatpg.evolution import Evolution, solve
from heatpg.solvers import solvers
from heatpg.store import compact
from heatpg.store import writing as store
from heatpg.store.compact import Lattice, Level, levels, require_tolerance
from heatpg.store.reading import verify_file
from heatpg.store.writing import image
from heatpg.tools.parallel import set_threads, threads

BOUNDARIES = ("periodic", "reflect", "absorb", "clip", "zero")
NODES = ("vertex", "cell")
KINDS = list(itertools.product(BOUNDARIES, NODES))
TOLERANCES = (1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 1e-14)
SPACING = 0.05


def axis(boundary: str, nodes: Any = "vertex", size: int = 129, name: str = "x") -> Axis:
    both_ends = nodes == "vertex" and boundary != "periodic"
    return Axis(name, -1.0, -1.0 + SPACING * (size - 1 if both_ends else size), size, boundary=boundary, nodes=nodes)


def rough(grid: Grid, batch: tuple[int, ...] = (), dtype: str = "float64") -> Landscape:
    """Steps, cliffs and noise: nothing is smooth but what sigma makes so."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(*batch, *grid.shape)) + 3.0 * (rng.random((*batch, *grid.shape)) < 0.05)
    return Landscape((values + 0.7).astype(dtype), grid, "rough")


def oscillation(landscape: Landscape) -> np.ndarray:
    """osc(Q) of each batch entry, with what lies outside the box."""
    axes = tuple(range(-landscape.grid.dimensions, 0))
    low = landscape.values.min(axis=axes).astype(float)
    high = landscape.values.max(axis=axes).astype(float)
    if any(one.boundary == "zero" for one in landscape.grid):
        low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    return np.asarray(high - low)


def errors(flow: Evolution, kept: list[Level]) -> np.ndarray:
    """Largest error of each sigma, in units of osc(Q)."""
    axes = tuple(range(-flow.grid.dimensions, 0))
    result = []
    for field, level in zip(flow.values, kept, strict=True):
        back = np.full_like(field, np.nan)
        level.read_back(back)
        difference = np.abs(back.astype(float) - field).max(axis=axes) / oscillation(flow.landscape)
        result.append(difference.max())
    return np.array(result)


def is_whole(level: Level) -> bool:
    return all(lattice.whole for lattice in level.lattices)


# ----------------------------------------------------------------------------------------------------------------------
# Lattices and levels


@pytest.mark.parametrize("tolerance", TOLERANCES)
@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_read_back_is_within_the_tolerance(boundary: str, nodes: str, tolerance: float) -> None:
    flow = solve(rough(Grid(axis(boundary, nodes)), (3,)), SPACING * np.array([0.5, 4.0, 10.0, 40.0, 300.0]), "direct")
    kept = list(levels(flow, tolerance))
    found = errors(flow, kept)
    assert (found <= tolerance).all()
    np.testing.assert_allclose([level.error for level in kept], found, rtol=1e-9, atol=0)  # what is claimed is so
    assert is_whole(kept[0]) and found[0] == 0.0
    # the spacing of the theory, pi sigma / sqrt(2 log(1 / tolerance)), and in free space the margins; with a reserve
    # of a fifth for lengths that transforms are fast at, and of some nodes for the ends
    for k, cells in ((1, 4.0), (2, 10.0), (3, 40.0)):
        ratio = cells * math.pi / math.sqrt(2.0 * math.log(1.0 / tolerance))
        # beyond faces whose values are held the line goes on as well
        margin = 8.0 * cells if boundary in ("clip", "zero") else 0.0
        if (boundary, nodes) == ("absorb", "cell"):
            margin = 16.0 * cells
        assert kept[k].lattices[0].size <= min(129, 1.2 * (129 + margin) / ratio + 6)


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_the_first_lattice_is_right(boundary: str, nodes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way from Q works on every boundary: a second try would hide that it does not."""
    tried = []
    coarse = compact._Compactor._coarse

    def counted(*arguments: Any) -> Level | None:
        tried.append(arguments[2])
        return coarse(*arguments)

    monkeypatch.setattr(compact._Compactor, "_coarse", counted)
    flow = solve(rough(Grid(axis(boundary, nodes))), SPACING * np.array([6.0, 10.0, 20.0]), "direct")
    assert not any(is_whole(level) for level in levels(flow, 1e-8))
    assert tried == [(t,) for t in flow.sigma**2]


def test_a_lattice_that_is_too_coarse_is_followed_by_a_finer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    coarse = compact._Compactor._coarse

    def careless(self: Any, source: Any, variances: Any, target: float) -> Level | None:
        tried.append(target)
        return coarse(self, source, variances, 200.0 * target)

    monkeypatch.setattr(compact._Compactor, "_coarse", careless)
    flow = solve(rough(Grid(axis("reflect"))), [SPACING * 10.0], "direct")
    (level,) = levels(flow, 1e-8)
    assert len(tried) > 1
    assert not is_whole(level)
    assert errors(flow, [level])[0] <= 1e-8


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
@pytest.mark.parametrize(
    "kinds",
    [*itertools.product(BOUNDARIES, ("reflect", "clip")), ("clip", "zero", "absorb")],
    ids="-".join,
)
def test_more_dimensions(kinds: tuple[str, ...], batch: tuple[int, ...], dtype: str) -> None:
    sizes = (37, 48) if len(kinds) == 2 else (20, 24, 23)
    axes = [axis(kind, NODES[i % 2], size, f"x{i}") for i, (kind, size) in enumerate(zip(kinds, sizes, strict=True))]
    flow = solve(rough(Grid(*axes), batch, dtype), SPACING * np.array([3.0, 12.0]), "direct")
    tolerance = 1e-9 if dtype == "float64" else 1e-5
    kept = list(levels(flow, tolerance))
    assert (errors(flow, kept) <= tolerance).all()
    assert all(level.values.dtype == flow.values.dtype for level in kept)
    assert kept[1].values.size < 0.4 * flow.values[1].size


def test_every_axis_has_its_own_lattice() -> None:
    grid = Grid(
        axis("periodic", size=64, name="a"), axis("reflect", size=65, name="b"), axis("clip", size=30, name="c")
    )
    flow = solve(rough(grid), {"a": [8 * SPACING], "b": [16 * SPACING], "c": [0.0]}, "direct")
    (level,) = levels(flow, 1e-8)
    one, two, three = level.lattices
    assert two.size < one.size < 64
    assert three.whole
    assert errors(flow, [level])[0] <= 1e-8


@pytest.mark.parametrize("name", solvers.names())
def test_every_solver(name: str) -> None:
    grid = Grid(axis("reflect", size=80, name="a"), axis("clip", size=40, name="b"))
    flow = solve(rough(grid), [10 * SPACING], name)
    (level,) = levels(flow, 1e-7)
    assert errors(flow, [level])[0] <= 1e-7
    assert not level.lattices[0].whole
    # of a solver with another limit than the Gaussian nothing is known outside the box
    assert level.lattices[1].whole or flow.solver.target == "continuous"


def test_smooth_landscapes_take_fewer_nodes_than_rough_ones() -> None:
    grid = Grid(axis("reflect", size=400))
    smooth = Landscape.from_function(lambda x: np.exp(-((x - 9.0) ** 2) / 2.0), grid)
    sigma = [4 * SPACING]
    (few,) = levels(solve(smooth, sigma, "spectral"), 1e-10)
    (many,) = levels(solve(rough(grid), sigma, "spectral"), 1e-10)
    assert 3 * few.values.size < many.values.size


def test_correlated_noise() -> None:
    grid = Grid(axis("periodic", size=64, name="a"), axis("clip", size=40, name="b"))
    covariance = SPACING**2 * np.array([[100.0, 30.0], [30.0, 60.0]])
    flow = solve(rough(grid), covariance=covariance)
    (level,) = levels(flow, 1e-8)
    assert errors(flow, [level])[0] <= 1e-8
    assert not level.lattices[0].whole
    assert level.lattices[1].whole


def test_each_batch_entry_is_held_to_its_own_oscillation() -> None:
    grid = Grid(axis("reflect"))
    values = rough(grid, (3,)).values.copy()
    values[1] *= 1e-6
    values[2] = 0.1  # one that does not vary
    landscape = Landscape(values, grid)
    flow = solve(landscape, [10 * SPACING], "direct")
    (level,) = levels(flow, 1e-8)
    assert not is_whole(level)
    back = np.empty_like(flow.values[0])
    level.read_back(back)
    difference = np.abs(back - flow.values[0]).max(axis=1)
    assert (difference[:2] <= 1e-8 * oscillation(landscape)[:2]).all()
    assert difference[2] <= 8 * np.finfo(float).eps * 0.1


def test_what_lies_outside_counts_in_the_oscillation() -> None:
    grid = Grid(axis("zero"))
    flow = solve(Landscape(np.full(grid.shape, 0.7), grid), [10 * SPACING], "direct")
    (level,) = levels(flow, 1e-8)
    assert not is_whole(level)
    assert errors(flow, [level])[0] <= 1e-8


def test_a_field_that_is_not_the_one_of_its_landscape_is_kept_as_it_is() -> None:
    flow = solve(rough(Grid(axis("clip"))), [10 * SPACING], "direct")
    values = flow.values.copy()
    values[0, 7] += 1e-3
    flow.values = values
    (level,) = levels(flow, 1e-6)
    assert is_whole(level)
    np.testing.assert_array_equal(level.values, flow.values[0])


def test_an_offset_above_all_rounding() -> None:
    grid = Grid(axis("reflect"))
    landscape = Landscape(rough(grid).values + 1e9, grid)  # the tolerance is below its rounding
    (level,) = levels(solve(landscape, [10 * SPACING], "direct"), 1e-12)
    assert is_whole(level)


def test_noise_much_wider_than_the_box() -> None:
    flow = solve(rough(Grid(axis("clip", size=12))), [SPACING * 12 * 30], "direct")
    (level,) = levels(flow, 1e-8)
    assert is_whole(level)  # its line would be continued by more nodes than are worth it
    assert errors(flow, [level])[0] == 0.0


def test_other_readers_see_u() -> None:
    """On a lattice that meets nodes of the grid, the values are those of u there."""
    grid = Grid(axis("reflect", size=161))
    flow = solve(rough(grid), [20 * SPACING], "spectral")
    (level,) = levels(flow, 1e-10)
    lattice = level.lattices[0]
    expected = np.interp(lattice.coordinates, grid[0].coordinates, flow.values[0])
    # linear interpolation is off by h^2 / 8 max |u''|, and |u''| <= osc(Q) / sigma^2
    bound = oscillation(flow.landscape) * (1 / 20) ** 2 / 8
    assert np.abs(level.values - expected).max() <= bound


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_coordinates(boundary: str, nodes: str) -> None:
    one = axis(boundary, nodes, size=40)
    np.testing.assert_array_equal(Lattice(one, 40).coordinates, one.coordinates)
    beyond = 6 if boundary in ("clip", "zero") else 0
    places = Lattice(one, 11, beyond).coordinates
    assert places.shape == (11,)
    np.testing.assert_allclose(np.diff(places), np.diff(places)[0], rtol=1e-12)
    middle = one.coordinates.mean()
    if boundary != "periodic":
        np.testing.assert_allclose(places.mean(), middle, rtol=0, atol=1e-12)
    else:
        assert places[0] == one.coordinates[0]
        np.testing.assert_allclose(places[-1] + np.diff(places)[0] - places[0], one.length, rtol=1e-12)


@pytest.mark.parametrize("tolerance", [0.0, 1e-15, 0.01, math.nan, math.inf, -1e-8, "fine", None, True])
def test_bad_tolerances(tolerance: Any) -> None:
    with pytest.raises(OptionError, match="tolerance of compact storage"):
        require_tolerance(tolerance)


def test_threads_do_not_matter() -> None:
    flow = solve(rough(Grid(axis("clip", size=900)), (400,)), [SPACING * 8], "direct")
    before = threads()
    try:
        found = []
        for count in (1, 3):
            set_threads(count)
            (level,) = levels(flow, 1e-10)
            found.append((level.values.tobytes(), level.error))
    finally:
        set_threads(before)
    assert found[0] == found[1]


# ----------------------------------------------------------------------------------------------------------------------
# Files


@pytest.fixture(scope="module")
def flow() -> Evolution:
    grid = Grid(axis("periodic", size=60, name="angle"), axis("clip", size=50, name="torque"))
    return solve(rough(grid, (2,)), SPACING * np.array([0.5, 6.0, 20.0]), "direct")


@pytest.fixture
def path(tmp_path: Path, flow: Evolution) -> Path:
    save(flow, tmp_path / "compact.h5", storage="compact", tolerance=1e-9)
    return tmp_path / "compact.h5"


@pytest.mark.parametrize("untrusted", [False, True])
def test_round_trip(path: Path, flow: Evolution, untrusted: bool) -> None:
    copy = load(path, untrusted=untrusted)
    assert copy.values.shape == flow.values.shape
    assert copy.values.dtype == flow.values.dtype
    assert (np.abs(copy.values - flow.values).max(axis=(0, 2, 3)) <= 1e-9 * oscillation(flow.landscape)).all()
    np.testing.assert_array_equal(copy.values[0], flow.values[0])
    np.testing.assert_array_equal(copy.landscape.values, flow.landscape.values)
    assert (copy.stored_tolerance, flow.stored_tolerance) == (1e-9, 0.0)
    assert copy.solver == flow.solver
    assert copy.paths == flow.paths
    assert verify_file(path, untrusted=untrusted).passed


def test_it_is_smaller(tmp_path: Path, path: Path, flow: Evolution) -> None:
    save(flow, tmp_path / "full.h5")
    with h5py.File(path) as file:
        stored = sum(file[f"levels/{k}/u"].size for k in range(3))
    assert "u" not in h5py.File(path)
    assert stored < 0.5 * flow.values.size


@pytest.mark.parametrize("compression", ["none", "gzip:1"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_round_trip_of_types(tmp_path: Path, dtype: str, compression: str) -> None:
    original = solve(rough(Grid(axis("absorb")), dtype=dtype), SPACING * np.array([[8.0]]), "direct")
    original.save(tmp_path / "a.h5", storage="compact", tolerance=1e-5, compression=compression)
    copy = load(tmp_path / "a.h5")
    assert copy.values.dtype == original.values.dtype
    assert np.abs(copy.values - original.values).max() <= 1e-5 * oscillation(original.landscape)


def test_what_is_read_and_saved_again_remembers_its_tolerance(tmp_path: Path, path: Path) -> None:
    copy = load(path)
    save(copy, tmp_path / "full.h5")
    again = load(tmp_path / "full.h5")
    assert again.stored_tolerance == 1e-9
    np.testing.assert_array_equal(again.values, copy.values)
    save(copy, tmp_path / "twice.h5", storage="compact", tolerance=1e-8)
    assert load(tmp_path / "twice.h5").stored_tolerance == pytest.approx(1.1e-8)


def test_image_is_repeatable(flow: Evolution) -> None:
    once, again = (image(flow, storage="compact", task="t") for _ in range(2))
    assert once == again


def test_layout(path: Path, flow: Evolution) -> None:
    with h5py.File(path) as file:
        assert (file.attrs["signal"], list(file.attrs["axes"])) == ("landscape", ["batch1", "angle", "torque"])
        assert "VTKHDF" not in file
        record = json.loads(file.attrs["heatpg_run"])["storage"]
        assert record["tolerance"] == 1e-9
        for k, entry in enumerate(record["levels"]):
            group = file[f"levels/{k}"]
            assert group["u"].shape == (2, *entry["size"])
            assert group["u"].fletcher32
            assert group.attrs["sigma"] == flow.sigma[k]
            assert group.attrs["time"] == flow.sigma[k] ** 2
            assert group.attrs["error"] == entry["error"] <= 1e-9
            names = [scale.name for dimension in group["u"].dims for scale in dimension.values()]
            assert names == ["/batch1", f"/levels/{k}/coarse_angle", f"/levels/{k}/coarse_torque"]


def test_xarray_opens_it(path: Path, flow: Evolution) -> None:
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with xarray.open_datatree(path, engine="h5netcdf") as tree:
            np.testing.assert_array_equal(tree["landscape"].values, flow.landscape.values)
            field = tree["levels/2/u"]
            assert field.dims == ("batch1", "coarse_angle", "coarse_torque")
            # u is 20 cells smooth, and linear interpolation between nodes a third of sigma apart off by a few percent
            back = field.interp(coarse_angle=0.0, coarse_torque=0.0).values
            place = tuple(int(np.abs(one.coordinates).argmin()) for one in flow.grid)
            assert np.abs(back - flow.values[2][:, place[0], place[1]]).max() < 0.05 * oscillation(flow.landscape).max()


def test_bad_storage(tmp_path: Path, flow: Evolution) -> None:
    with pytest.raises(OptionError, match="unknown value of storage="):
        save(flow, tmp_path / "a.h5", storage="small")
    with pytest.raises(OptionError, match="tolerance of compact storage"):
        save(flow, tmp_path / "a.h5", storage="compact", tolerance=1.0)
    assert list(tmp_path.iterdir()) == []


def rewrite(file: h5py.File, name: str, values: Any) -> None:
    del file[name]
    file.create_dataset(name, data=values)


def move(file: h5py.File) -> None:
    file["levels/1/coarse_angle"][1] += 1e-3


CHANGES = {
    "other values": lambda f: f["levels/1/u"].__setitem__((0, 0, 0), 0.5),
    "NaN": lambda f: f["levels/1/u"].__setitem__((0, 0, 0), np.nan),
    "other shape": lambda f: rewrite(f, "levels/1/u", np.zeros((2, 4, 4))),
    "other type": lambda f: rewrite(f, "levels/1/u", f["levels/1/u"][()].astype("f4")),
    "no level": lambda f: f["levels"].__delitem__("2"),
    "other positions": move,
    "no positions": lambda f: f["levels/1"].__delitem__("coarse_torque"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_file_is_refused(path: Path, change: str) -> None:
    with h5py.File(path, "a") as file:
        CHANGES[change](file)
    with pytest.raises(StoreError):
        load(path)
    assert not verify_file(path).passed


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("beyond", [0, 10**9], "continued by 1000000000"),
        ("beyond", [1, 0], "continued by 1"),
        ("size", [2, 2], "kept on 2"),
        ("size", [61, 50], "kept on 61"),
        ("size", [4.5, 50], "kept on 4.5"),
        ("size", [60], "shorter"),
    ],
)
def test_a_record_that_lies_is_refused(path: Path, field: str, value: list[Any], words: str) -> None:
    from heatpg.store.record import JSON_PARTS, text_digest
    from heatpg.tools.plain import canonical

    with h5py.File(path, "a") as file:
        run = json.loads(file.attrs["heatpg_run"])
        run["storage"]["levels"][1][field] = value
        file.attrs["heatpg_run"] = canonical(run)
        records = "\n".join(file.attrs[name] for name in JSON_PARTS[1:])
        file.attrs["heatpg_records_sha256"] = text_digest(records)
    with pytest.raises(StoreError, match=words):
        load(path)


def test_a_record_of_too_few_levels_is_refused(path: Path) -> None:
    from heatpg.store.record import JSON_PARTS, text_digest
    from heatpg.tools.plain import canonical

    with h5py.File(path, "a") as file:
        run = json.loads(file.attrs["heatpg_run"])
        del run["storage"]["levels"][2]
        file.attrs["heatpg_run"] = canonical(run)
        file.attrs["heatpg_records_sha256"] = text_digest("\n".join(file.attrs[name] for name in JSON_PARTS[1:]))
    with pytest.raises(StoreError, match="2 levels where 3"):
        load(path)


def test_expanding_is_refused_where_it_does_not_fit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heatpg.tools.resources._NOT_WORTH_ASKING", 0)
    with h5py.File(path) as file:
        small = sum(file[f"levels/{k}/u"].nbytes for k in range(3)) * 4.0
    monkeypatch.setattr("heatpg.tools.resources.available_memory", lambda: small / 2)
    with pytest.raises(ResourceError, match="memory"):
        load(path)


def test_the_most_levels_that_are_written_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is refused when it is written, and not first when it is read."""
    monkeypatch.setattr(store, "MOST_OBJECTS", 700)
    grid = Grid(axis("reflect", size=9))
    landscape = Landscape(np.arange(9.0), grid)
    most = (700 - 100) // 3  # a group, the values and one scale for each
    flow = solve(landscape, np.linspace(0.1, 1.0, most), "direct")
    save(flow, tmp_path / "many.h5", storage="compact")
    assert len(load(tmp_path / "many.h5")) == most
    with pytest.raises(UnsupportedError, match="too many noise levels") as caught:
        save(solve(landscape, np.linspace(0.1, 1.0, most + 1), "direct"), tmp_path / "more.h5", storage="compact")
    assert f"up to {most} on 1 axes" in str(caught.value) and not (tmp_path / "more.h5").exists()
