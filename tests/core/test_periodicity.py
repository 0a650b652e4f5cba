"""Periodic axes whose end is stored twice, and data that only look so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid, HeatpgWarning, Landscape, evolve
from heatpg.core.periodicity import repeated_ends

Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]

TURN = 2.0 * np.pi
SMOOTH: dict[str, Function] = {
    "cosine": lambda x: np.cos(3 * x),
    "sine": np.sin,
    "general": lambda x: np.sin(2 * x + 0.3) + 0.2 * np.cos(5 * x),
    "bump": lambda x: np.exp(-3 * np.cos(x)),
}


def grid_of(size: int, begin: float = 0.0, nodes: str = "vertex") -> Grid:
    return Grid(Axis("theta", begin, begin + TURN, size, boundary="periodic", nodes=nodes))  # type: ignore[arg-type]


@pytest.mark.parametrize("function", SMOOTH.values(), ids=SMOOTH.keys())
@pytest.mark.parametrize("size", [36, 37, 64])
@pytest.mark.parametrize("begin", [0.0, -np.pi, 1.3])
@pytest.mark.parametrize(("factor", "offset"), [(1.0, 0.0), (1.0, 1000.0), (1e-300, 0.0), (1e300, 0.0)])
def test_an_end_stored_twice_is_found_and_a_right_one_is_not(
    function: Function, size: int, begin: float, factor: float, offset: float
) -> None:
    twice = function(np.linspace(begin, begin + TURN, size)) * factor + offset
    assert repeated_ends(twice, grid_of(size, begin)) == list(grid_of(size, begin))
    for nodes in ("vertex", "cell"):  # with cells, functions that are even about the ends have equal ones by right
        grid = grid_of(size, begin, nodes)
        assert repeated_ends(function(grid[0].coordinates) * factor + offset, grid) == []


@pytest.mark.parametrize("begin", [1e6, -1e9])
def test_an_end_far_from_zero_is_found_although_its_position_is_rounded(begin: float) -> None:
    """The last position is off by half a unit in its last place, 6e-8 at 1e9: a slope of 3 makes 2e-7 of that."""
    assert repeated_ends(np.sin(3 * np.linspace(begin, begin + TURN, 37)), grid_of(37, begin)) == [
        *grid_of(37, begin),
    ]


def test_planes_of_several_dimensions_and_single_precision() -> None:
    x, y = np.meshgrid(np.linspace(0.0, TURN, 37), np.linspace(0.0, 1.0, 9), indexing="ij")
    grid = Grid(*grid_of(37), Axis("y", 0.0, 1.0, 9, boundary="clip"))
    values = np.cos(x + 0.2) * np.exp(y)
    assert [axis.name for axis in repeated_ends(np.stack([values, 2 * values]).astype(np.float32), grid)] == ["theta"]
    values[0, 3] += 1e-3
    assert repeated_ends(values, grid) == []


@pytest.mark.parametrize("size", [3, 4, 5, 24])
def test_data_without_anything_to_tell_by_raise_no_alarm(size: int) -> None:
    grid = grid_of(size)
    step = np.arange(size) % (size - 1) > size // 2  # zero at both ends, as masks and counts are
    for values in (np.ones(size), np.zeros(size), step.astype(float), np.round(2 * np.sin(grid[0].coordinates))):
        assert repeated_ends(values, grid) == []


def test_every_door_tells_the_number_of_nodes_and_the_bound(tmp_path: Path) -> None:
    theta = np.linspace(0.0, TURN, 37)
    values = np.cos(3 * theta)
    words = r"'theta'.*endpoint=False.*36 nodes.*6\.283185307"
    with pytest.warns(HeatpgWarning, match=words) as caught:
        landscape = Landscape.from_array(values, grid_of(37))
    assert caught[0].filename == __file__
    np.savez(tmp_path / "twice.npz", values=values, theta=theta)
    with pytest.warns(HeatpgWarning, match=words):
        Landscape.from_file(tmp_path / "twice.npz", boundary="periodic")
    xarray = pytest.importorskip("xarray")
    with pytest.warns(HeatpgWarning, match=words):
        Landscape.from_xarray(xarray.DataArray(values, [("theta", theta)]), boundary="periodic")
    finding = evolve(landscape, 0.3).report["periodicity"]
    assert finding.status == "finding" and "36 nodes" in finding.message
    right = evolve(Landscape.from_function(lambda x: np.cos(3 * x), grid_of(36)), 0.3)
    assert "periodicity" not in [check.name for check in right.report]
    # what it is about: the values that the data stand for, to round-off
    assert np.abs(right.values[0] - np.exp(-0.405) * np.cos(3 * theta[:-1])).max() < 1e-13


@pytest.mark.parametrize("begin", [0.0, -np.pi, 1.3])
@pytest.mark.parametrize("level", [0.0, 0.5])
def test_values_cut_off_at_an_end_are_no_evidence(begin: float, level: float) -> None:
    """Equal ends on a flat stretch: with the end stored twice it is one node longer, which nothing else knows."""
    for stored in (np.linspace(begin, begin + TURN, 36), grid_of(36, begin)[0].coordinates):
        # the cut is at both ends, or at one of them
        for middle in (begin + np.pi, begin + 0.5 * np.pi + 1e-3):
            values = np.maximum(np.cos(stored - middle) - level, 0.0)
            assert values[0] == values[-1] == 0.0
            assert repeated_ends(values, grid_of(36, begin)) == []
