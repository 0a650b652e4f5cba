"""Basins against sigma: how many, how large, and what of the first ones they hold."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape, landscapes
from heatpg.errors import OptionError, ResourceError, UnsupportedError
from heatpg.evolution import solve
from heatpg.scalespace.flooding import ascent_labels
from heatpg.scalespace.watershed import basins
from heatpg.tools.parallel import set_threads, threads

Array = NDArray[Any]


def test_round_off_of_a_landscape_makes_no_basins() -> None:
    """A sum of many products along a level ridge: its crest is known to some eps."""
    flow = solve(landscapes.ridge(), [0.1], "spectral")
    assert len(basins(flow, tolerance=0.0)[0]) > 1
    assert len(basins(flow)[0]) == 1


@pytest.mark.parametrize("size", [32, 33])
def test_periodic_cosines(size: int) -> None:
    grid = Grid(*(Axis(name, 0.0, 2 * np.pi, size, boundary="periodic") for name in "xy"))
    one = Landscape.from_function(lambda x, y: np.cos(x) + np.cos(y), grid)
    found = basins(solve(one, [0.5, 1.0], "spectral"))
    assert found.counts.tolist() == [1, 1, 1]
    assert found.of_optimum() == pytest.approx(1.0, rel=1e-14)
    assert not any(partition.on_edge.any() for partition in found.partitions)
    earned = found.earned()
    # every start ends at the top: 2 exp(-sigma^2 / 2)
    assert earned.smoothed == pytest.approx(2 * np.exp(-np.array([0.0, 0.25, 1.0]) / 2), rel=1e-13)
    assert earned.original == pytest.approx(2.0)
    four = Landscape.from_function(lambda x, y: np.cos(2 * x + 0.1) + np.cos(2 * y - 0.3), grid)
    found = basins(solve(four, [0.5], "spectral"))
    assert found.counts.tolist() == [4, 4]
    for partition in found.partitions:
        # each is a square of size / 2 nodes, if that is a whole number of them; else of one more or less
        off = 0.0 if size % 2 == 0 else 0.5 / size * 1.1
        assert np.abs(partition.shares - 0.25).max() <= off + 1e-14
        assert partition.shares.sum() == pytest.approx(1.0)
        if size == 32:
            assert partition.margins == pytest.approx((16**2 - 14**2) / 32**2)
    assert found.matching(1) == ((0,), (1,), (2,), (3,))


def test_the_lower_bump_dies() -> None:
    """Heights 1 at +1 and 0.6 at -1, width 0.3: the basin of the optimum grows to the whole box."""
    flow = solve(landscapes.unequal_bumps(size=401), [0.3, 0.6, 0.9, 1.2], "spectral")
    found = basins(flow)
    assert found.counts.tolist() == [2, 2, 2, 1, 1]
    x = flow.grid[0].coordinates
    fields = [flow.landscape.values, *flow.values]
    for k in range(3):
        low, high = np.sort(found[k].indices)
        valley = low + int(fields[k][low:high].argmin())
        # from the valley to the upper edge
        share = (x[-1] - x[valley]) / flow.grid[0].length
        assert found.of_optimum()[k] == pytest.approx(share, abs=0.6 * flow.grid.spacing[0] / flow.grid[0].length)
    assert found.of_optimum()[3:].tolist() == pytest.approx([1.0, 1.0])
    overlap = found.overlap()
    assert overlap.kept == pytest.approx(1.0)
    assert overlap.jaccard == pytest.approx(found.of_optimum()[0] / found.of_optimum())
    assert overlap.same.all()
    assert found.matching(2) == ((0,), (1,))
    assert found.matching(3) == ((0, 1),)
    assert found.heirs(3).tolist() == [0, 0]
    assert found.volumes[3] == pytest.approx([flow.grid[0].length])
    assert found.sigmas[:, 0].tolist() == [0.0, 0.3, 0.6, 0.9, 1.2]
    share = found.of_optimum()[0]
    assert found.earned().original[0] == pytest.approx(share * 1.0 + (1 - share) * 0.6, abs=1e-6)
    drifted = found.earned()
    assert drifted.original[4] == pytest.approx(flow.landscape.values[flow.values[3].argmax()])
    assert drifted.smoothed[4] == pytest.approx(flow.values[3].max())


def test_smoothing_creates_a_basin_and_takes_it_away() -> None:
    variances = [0.001, 0.0025, 0.0045, 0.1, 0.375, 0.39]
    found = basins(solve(landscapes.creation(size=301), np.sqrt(variances), "spectral"))
    assert found.counts.tolist() == [1, 1, 1, 2, 2, 2, 1]
    # the created basin holds less than half of the only one before, which is the optimum's still
    assert found.matching(4) == ((0,), ())
    overlap = found.overlap()
    assert overlap.kept[4] == pytest.approx(found.of_optimum()[4])
    place = found[4].positions
    assert place[:, 0] == pytest.approx([0.1, 2.78], abs=0.1)
    assert np.abs(place[:, 1]).max() < 0.02


def test_the_optimum_jumps() -> None:
    """A narrow peak of height 1 and a broad hill of 0.8: the argmax jumps at sigma = 0.03757."""
    peak = landscapes.peak_and_hill(dimensions=1)
    found = basins(solve(peak, [0.037, 0.038], "spectral"))
    overlap = found.overlap()
    assert overlap.same.tolist() == [True, True, False]
    # the rest of its first basin is where the tail of the hill, 2e-18 at the edge, is lost in round-off
    assert overlap.kept[1] + found[1].stalled / found[0].shares[0] == pytest.approx(1.0)
    assert 0.04 < found[1].stalled < 0.07
    assert overlap.kept[2] == pytest.approx(0.0, abs=0.01)
    assert overlap.jaccard[2] == pytest.approx(0.0, abs=0.01)
    assert "the optimum has left its first basin" in str(found)


def test_a_table_is_not_found_without_noise() -> None:
    """Value 1 on 35 nodes by 35, 1/4 elsewhere: ascent starts on it and one node beside it, nowhere else."""
    grid = Grid(*(Axis(name, -4.0, 4.0, 129, boundary="clip") for name in "xy"))
    field = np.full(grid.shape, 0.25)
    field[47:82, 47:82] = 1.0
    found = basins(solve(Landscape(field, grid), [0.8], "spectral"))
    start, smooth = found.partitions
    assert len(start) == len(smooth) == 1
    assert start.shares[0] == pytest.approx((37 / 128) ** 2)
    assert start.stalled == pytest.approx(1 - start.shares[0])
    assert (start.stalled_value, start.stalled_initial_value) == pytest.approx((0.25, 0.25))
    assert smooth.shares[0] == pytest.approx(1.0)
    assert smooth.stalled == 0.0 and math.isnan(smooth.stalled_value)
    share = (37 / 128) ** 2
    assert found.earned().original == pytest.approx([share + 0.25 * (1 - share), 1.0])
    assert found.earned().smoothed == pytest.approx([share + 0.25 * (1 - share), smooth.values[0]])
    assert start.contains_first_optimum and smooth.contains_first_optimum


def test_edges_are_flagged() -> None:
    found = basins(solve(landscapes.ramp(size=17), [0.2], "spectral"))
    for partition in found.partitions:
        assert partition.on_edge.tolist() == [True]
        assert partition.positions.tolist() == [[1.0, 1.0]]
    assert "on the edge" in str(found)


def test_what_is_compared_with_what() -> None:
    landscape = landscapes.unequal_bumps(size=201)
    found = basins(solve(landscape, [0.6, 0.9], "spectral"), include_initial=False)
    assert found.sigmas[:, 0].tolist() == [0.6, 0.9]
    assert found.overlap().jaccard[0] == 1.0
    again = basins(solve(landscape, [0.0, 0.9], "spectral"))
    assert again.sigmas[:, 0].tolist() == [0.0, 0.9]


def test_labels_are_kept_or_not() -> None:
    flow = solve(landscapes.two_bumps(size=41, dimensions=2), [0.1, 1.0], "spectral")
    found, bare = basins(flow), basins(flow, keep_labels=False)
    assert found.labels is not None and found.labels.shape == (3, 41, 41)
    assert found.labels.dtype == np.int32
    assert bare.labels is None
    assert bare.as_dict() == found.as_dict()
    assert np.array_equal(found.labels[1], ascent_labels(flow.values[0], flow.grid, tolerance=found[1].tolerance)[0])
    weights = flow.grid.weights / flow.grid.weights.sum()
    for labels, partition in zip(found.labels, found.partitions, strict=True):
        assert partition.shares == pytest.approx([weights[labels == i].sum() for i in range(len(partition))])
        assert partition.part_shares.sum() == pytest.approx(1.0)


def test_the_number_of_threads_changes_nothing() -> None:
    flow = solve(landscapes.weierstrass(size=600, dimensions=1), [0.01, 0.05, 0.2, 0.5], "spectral")
    before = threads()
    results = []
    try:
        for count in (1, 3):
            set_threads(count)
            results.append(basins(flow).as_dict())
    finally:
        set_threads(before)
    assert results[0] == results[1]
    assert results[0]["counts"][0] > results[0]["counts"][-1]


def test_single_precision_and_sigma_by_axis() -> None:
    landscape = landscapes.two_bumps(size=65, dimensions=2)
    single = Landscape(landscape.values.astype(np.float32), landscape.grid)
    sigma = [[0.3, 0.1], [1.2, 0.0]]
    double_counts = basins(solve(landscape, sigma, "spectral")).counts
    found = basins(solve(single, sigma, "spectral"))
    assert found.counts.tolist() == double_counts.tolist() == [2, 2, 1]
    assert "0.3/0.1" in str(found)


def test_a_field_that_became_flat() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 32, boundary="periodic"))
    wave = Landscape.from_function(lambda x: np.cos(2 * np.pi * x), grid)
    found = basins(solve(wave, [0.1, 5.0], "spectral"))
    assert found.counts.tolist() == [1, 1, 0]
    assert math.isnan(found.of_optimum()[2])
    assert found.overlap().kept.tolist() == pytest.approx([1.0, 1.0, 0.0])
    assert found.earned().original[2] == pytest.approx(0.0, abs=1e-15)
    assert found.matching(2) == () and found.heirs(2).tolist() == [-1]
    assert found.as_dict()["of_optimum"][2] is None
    assert "constant to rounding error" in str(found)


def test_reading() -> None:
    found = basins(solve(landscapes.unequal_bumps(size=201), [0.6], "spectral"))
    text = str(found).splitlines()
    assert len(text) == 4
    assert text[2].split()[:2] == ["0", "2"]
    entries = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert entries["counts"] == [2, 2]
    assert entries["partitions"][0]["stalled_value"] is None
    assert len(found) == 2


def test_refusals() -> None:
    grid = Grid(*(Axis(name, -2.0, 2.0, 5, boundary="clip") for name in "xy"))
    flow = solve(Landscape(np.arange(50.0).reshape(2, 5, 5), grid), [0.5], "spectral")
    with pytest.raises(UnsupportedError, match="single landscape"):
        basins(flow)
    with pytest.raises(UnsupportedError, match="constant field has no maximum"):
        basins(solve(Landscape(np.ones((5, 5)), grid), [0.5], "spectral"))
    with pytest.raises(OptionError, match="tolerance"):
        basins(solve(Landscape(np.arange(25.0).reshape(5, 5), grid), [0.5], "spectral"), tolerance=-1.0)


def test_memory_is_asked_for_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = solve(landscapes.two_bumps(size=129, dimensions=2), [0.5, 1.0], "spectral")
    monkeypatch.setattr("heatpg.tools.resources.available_memory", lambda: 1e5)
    with pytest.raises(ResourceError, match="keep_labels=False"):
        basins(flow)


@pytest.mark.parametrize("offset", [1e6, 1e9, 1e12, -1e12])
def test_means_at_endpoints_do_not_know_an_offset(offset: float) -> None:
    """Shares add up to one but for rounding, which the offset must not be multiplied by."""
    grid = Grid(*(Axis(name, -3.0, 3.0, 61, boundary="clip") for name in "xy"))
    x, y = grid.mesh()
    high = np.exp(-((x + 1) ** 2 + y**2) / 2 / 0.3**2)
    q = high + 0.8 * np.exp(-((x - 0.9) ** 2 + (y - 0.3) ** 2) / 2 / 0.6**2)
    # as it is stored, without the offset: exact
    plain = basins(solve(Landscape(np.asarray((q + offset) - offset), grid), [0.7, 1.0, 1.5])).earned()
    moved = basins(solve(Landscape(np.asarray(q + offset), grid), [0.7, 1.0, 1.5])).earned()
    # one unit in the last place of what is stored, for the mean and for each of its parts; in Q itself the offset
    # leaves more of the tails flat, where ascent stalls
    room = 3 * np.spacing(abs(offset))
    assert np.abs((moved.original - offset - plain.original)[1:]).max() <= room
    assert np.abs((moved.smoothed - offset - plain.smoothed)[1:]).max() <= room
