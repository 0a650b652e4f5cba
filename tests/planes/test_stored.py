"""Groups of draws in files: after loading, the error over the draws is told apart from that over the seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape, evolve, load, study
from heatpg.errors import StoreError, UnsupportedError
from heatpg.evolution import Evolution
from heatpg.planes import Draws, evolve_plane
from heatpg.scalespace import track
from heatpg.scalespace.drawn import lead_errors
from heatpg.store.reading import verify_file
from heatpg.store.record import DRAW_GROUPS_DIGEST, RUN
from heatpg.store.writing import file_records, image

Array = NDArray[np.float64]

SIGMA = np.geomspace(0.08, 0.4, 8)


def two(x: Array, y: Array) -> Array:
    return np.asarray(np.exp(-(x**2 + y**2) / 0.18) + 0.8 * np.exp(-((x - 4) ** 2 + y**2) / 2))


def peaks(name: str = "x") -> Evolution:
    grid = Grid(Axis(name, -1.0, 5.0, 61, boundary="clip"))
    return evolve_plane(Landscape.from_function(two, grid, dimensions=2), SIGMA, Draws(count=128))


@pytest.fixture(scope="module")
def flow() -> Evolution:
    return peaks()


@pytest.mark.parametrize("untrusted", [False, True])
def test_a_loaded_evolution_says_what_it_said_before(tmp_path: Path, flow: Evolution, untrusted: bool) -> None:
    flow.save(tmp_path / "flow.h5")
    back = load(tmp_path / "flow.h5", untrusted=untrusted)
    assert flow.draw_groups is not None and back.draw_groups is not None
    assert back.draw_groups.tobytes() == flow.draw_groups.tobytes() and not back.draw_groups.flags.writeable
    assert flow.draws_error is not None and back.draws_error is not None
    assert back.draws_error.tobytes() == flow.draws_error.tobytes()
    ours, theirs = track(flow, "maximum"), track(back, "maximum")
    assert [event.as_dict() for event in ours.events] == [event.as_dict() for event in theirs.events]
    # what a study says of prices differs, because a file has no source of Q
    pages = study(flow), study(back)
    left, right = ({k: v for k, v in page.sentences.items() if k != "price"} for page in pages)
    assert left == right and "standard error over the draws" in left["jump"]
    assert back.report.as_dict() == flow.report.as_dict()
    back.save(tmp_path / "again.h5")
    assert load(tmp_path / "again.h5").draw_groups is not None
    assert verify_file(tmp_path / "flow.h5")["checksum of groups of draws"].status == "passed"


def test_the_sum_of_both_errors_is_left_where_no_groups_are_stored(tmp_path: Path, flow: Evolution) -> None:
    """A file from before there were groups is read as it was."""
    old = Evolution.of(flow, draw_groups=None)
    old.save(tmp_path / "old.h5")
    with h5py.File(tmp_path / "old.h5") as file:
        assert "u_draw_groups" not in file and "draw_group" not in file
    back = load(tmp_path / "old.h5")
    assert back.draw_groups is None and back.draws_error is not None
    known, less = (track(one, "maximum").sigma_jump for one in (flow, back))
    assert known is not None and less is not None and less.uncertainty > known.uncertainty


def test_the_error_over_the_draws_is_told_apart_from_that_over_the_seeds(tmp_path: Path) -> None:
    pytest.importorskip("gymnasium")
    from tests import toy_environments as toys

    q = toys.noisy_targets()
    flow = evolve_plane(q, np.geomspace(0.5, 2.0, 8), Draws(count=64), checks="none")
    flow.save(tmp_path / "flow.h5")
    back = load(tmp_path / "flow.h5")
    both, alone = back.standard_error, back.draws_error
    assert both is not None and alone is not None and flow.draws_error is not None
    assert np.array_equal(alone, flow.draws_error)
    # noise of 100 per seed, and rewards that draws change by about one
    assert alone.max() < 0.2 * both.max()
    pages = study(flow), study(back)
    assert pages[0].sentences["draws"] == pages[1].sentences["draws"]
    assert "over the draws and the seeds" in pages[1].sentences["draws"]
    assert f"at most {alone[0].max():.2g} and {alone[-1].max():.2g}" in pages[1].sentences["draws"]


def _changed(path: Path, name: str) -> None:
    with h5py.File(path, "r+") as file:
        if name == "number":
            file["u_draw_groups"][3, 2, 7] += 0.5
        elif name == "sign of zero":
            file["u_draw_groups"][...] = -np.asarray(file["u_draw_groups"])
        else:
            del file["u_draw_groups"]
        if name == "missing":
            return
        if name in ("shape", "levels", "nan", "one group"):
            kept = {"shape": (16, 8, 60), "levels": (16, 7, 61), "nan": (16, 8, 61), "one group": (1, 8, 61)}[name]
            file["u_draw_groups"] = np.full(kept, np.nan if name == "nan" else 0.0)
        if name == "text":
            file["u_draw_groups"] = "none"


@pytest.mark.parametrize(
    "name", ["number", "sign of zero", "missing", "shape", "levels", "nan", "one group", "text", "gone"]
)
@pytest.mark.parametrize("untrusted", [False, True])
def test_changed_groups_are_refused(tmp_path: Path, flow: Evolution, name: str, untrusted: bool) -> None:
    path = tmp_path / "flow.h5"
    flow.save(path)
    _changed(path, name)
    with pytest.raises(StoreError):
        load(path, untrusted=untrusted)
    assert not verify_file(path).passed


@pytest.mark.parametrize("shape", [(16, 8, 60), (16, 7, 61), (1, 8, 61), (16, 8, 61)], ids=str)
def test_groups_that_do_not_fit_are_refused(tmp_path: Path, flow: Evolution, shape: tuple[int, ...]) -> None:
    """With checksums that are right."""
    odd = Evolution.of(flow, draw_groups=np.full(shape, np.inf if shape == (16, 8, 61) else 0.0))
    odd.save(tmp_path / "odd.h5")
    with pytest.raises(StoreError, match="NaN or infinity" if shape == (16, 8, 61) else "u_draw_groups has the shape"):
        load(tmp_path / "odd.h5")


def test_groups_of_what_was_not_drawn_are_refused(tmp_path: Path, flow: Evolution) -> None:
    """The checksums of such a file are right, and it says that nobody has drawn its fields."""
    path = tmp_path / "odd.h5"
    odd = Evolution.of(flow)
    odd.drawn = None
    odd.save(path)
    with pytest.raises(StoreError, match="not drawn"):
        load(path)


def test_the_known_chance_of_crossing_an_edge_is_kept(tmp_path: Path) -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 11, boundary="zero"))
    q = Landscape.from_function(lambda x, y: 1.0 + x * np.exp(-(y**2)), grid, dimensions=2)
    flow = evolve_plane(q, [0.035, 0.3], Draws(count=32, seed=2, antithetic=False), checks="none")
    flow.save(tmp_path / "flow.h5")
    back = load(tmp_path / "flow.h5")
    assert back.drawn == flow.drawn and back.drawn is not None and back.drawn["edges"]["deviations"] == [1.0]
    places = np.array([[[0.1], [0.9]]])
    ours, theirs = (lead_errors(one, np.array([0.035]), places) for one in (flow, back))
    assert ours[0] == theirs[0]
    # each place has the chance .00214 of crossing its edge, which none of 32 draws did, probably (.93): Q > 1 there
    assert ours[0] > np.sqrt(2 * 0.00214 * 0.93 / 32)
    for wrong in (
        {"deviations": [1.0, 1.0]},
        {"deviations": [-1.0]},
        {"deviations": [float("nan")]},
        {"below": 0.0},
        {"below": "1"},
        {"deviations": None},
        {"left": [1.5]},
        {"left": [0.5, 0.5]},
        {"left": [float("nan")]},
    ):
        odd = Evolution.of(flow, drawn={**back.drawn, "edges": back.drawn["edges"] | wrong})
        odd.save(tmp_path / "odd.h5", force=True)
        with pytest.raises(StoreError):
            load(tmp_path / "odd.h5")
    odd = Evolution.of(flow, drawn={**back.drawn, "draws": 0})
    odd.save(tmp_path / "odd.h5", force=True)
    with pytest.raises(StoreError, match="edges"):
        load(tmp_path / "odd.h5")


def test_groups_in_other_forms(tmp_path: Path, flow: Evolution) -> None:
    data = flow.to_xarray()
    assert data.u_draw_groups.dims == ("draw_group", "sigma", "x") and data.u_draw_groups.shape == (16, 8, 61)
    assert data.u_standard_error.attrs["long_name"] == "standard error of u, over the draws"
    flow.save(tmp_path / "flow.h5", compression="gzip:4")
    with h5py.File(tmp_path / "flow.h5") as file:
        assert [list(each.keys()) for each in file["u_draw_groups"].dims] == [["draw_group"], ["sigma"], ["x"]]
    with pytest.raises(UnsupportedError, match="compact"):
        flow.save(tmp_path / "compact.h5", storage="compact")
    # the same work gives the same bytes
    assert image(flow, task="one") == image(flow, task="one")
    records: dict[str, Any] = file_records(flow, "", {})
    assert DRAW_GROUPS_DIGEST not in records[RUN]


@pytest.mark.parametrize("name", ["u_draw_groups", "draw_group"])
def test_an_axis_may_have_the_name_where_there_are_no_groups(tmp_path: Path, name: str) -> None:
    grid = Grid(Axis(name, -1.0, 5.0, 61, boundary="clip"))
    evolve(Landscape.from_function(lambda x: x, grid), [0.2]).save(tmp_path / "plain.h5")
    assert load(tmp_path / "plain.h5").grid[0].name == name
    drawn = peaks(name)
    with pytest.raises(StoreError, match="reserved by the file format"):
        drawn.save(tmp_path / "drawn.h5")
    with pytest.raises(UnsupportedError, match="name of another variable"):
        drawn.to_xarray()


def test_other_fields_have_no_groups_of_these(flow: Evolution) -> None:
    assert Evolution.of(flow).draw_groups is not None
    assert Evolution.of(flow, values=2 * flow.values).draw_groups is None
    changed = Evolution.of(flow)
    changed.values = np.array(flow.values)
    assert changed.draw_groups is None and changed.draws_error is None
