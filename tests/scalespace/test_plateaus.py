"""Plateaus that are flat to round-off: the place of a maximum on them is undetermined, and changes without an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq

from heatpg import Axis, Grid, Landscape, study
from heatpg.evolution import solve
from heatpg.scalespace import ScaleSpace, track

Array = NDArray[Any]

SIGMA = np.geomspace(2.0, 40.0, 24)
RISING: dict[str, Callable[[Array], Array]] = {
    "step": lambda x: np.where(x > 40, 1.0, 0.0),
    "tanh": lambda x: np.tanh((x - 40) / 1.5),
    "ramp": lambda x: x / 80,
    "relu": lambda x: np.maximum(x - 40, 0.0) / 40,
    "clipped": lambda x: np.clip(x, 20, 60) / 40,
}
OFFSETS = [0.0, 1e3, 1e6, -1e9, 1e12]


def line(boundary: str, nodes: int = 81) -> Grid:
    return Grid(Axis("x", 0.0, 80.0, nodes, boundary=boundary))


def tracked(values: Array, grid: Grid) -> ScaleSpace:
    return track(solve(Landscape(values, grid), SIGMA))


def quiet(space: ScaleSpace) -> None:
    """No jump, and an optimum that does not end."""
    assert not space.jumps
    assert space.sigma_death is None or space.sigma_death.kind != "fades"
    # an event would be one of the rounding of Q
    assert {event.kind for event in space.events} <= {"fades", "emerges", "reaches edge", "leaves edge"}
    assert (space.count("maximum") >= 1).all() and (space.count("minimum") >= 1).all()


@pytest.mark.parametrize("boundary", ["clip", "reflect", "absorb"])
@pytest.mark.parametrize("shape", RISING)
def test_what_rises_has_one_maximum_and_no_jump(shape: str, boundary: str) -> None:
    # positive weights, the same at all x, keep a monotone Q monotone: u has its maximum at the end of the box
    grid = line(boundary)
    up = RISING[shape](grid[0].coordinates)
    for values in (up, up[::-1]):
        for factor in (1.0, 1e-8, 1e20):
            quiet(tracked(factor * values, grid))
        for offset in OFFSETS:
            space = tracked(values + offset, grid)
            quiet(space)
            # the values that were rounded to an offset are not monotone any more
            if offset == 0:
                assert (space.count("maximum") == 1).all() and (space.count("minimum") == 1).all()
        quiet(tracked(values.astype(np.float32), grid))


@pytest.mark.parametrize("shape", RISING)
@pytest.mark.parametrize("boundary", ["zero", "periodic"])
def test_a_plateau_that_falls_on_both_sides_has_no_jump(shape: str, boundary: str) -> None:
    grid = line(boundary)
    up = RISING[shape](grid[0].coordinates) + 1.0
    for values in (up, up[::-1], up.astype(np.float32)):
        space = tracked(values, grid)
        assert not space.jumps and (space.count() >= 1).all()


@pytest.mark.parametrize("boundary", ["clip", "reflect", "absorb"])
@pytest.mark.parametrize("shape", ["step", "tanh", "clipped"])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_plateaus_in_the_plane(shape: str, boundary: str, offset: float) -> None:
    axes = [Axis(name, 0.0, 80.0, 41, boundary=boundary) for name in "xy"]
    x, y = np.meshgrid(*(axis.coordinates for axis in axes), indexing="ij")
    rising = RISING[shape]
    for values in (rising(x) + 0 * y, rising(x) + rising(80 - y), rising(0.5 * (x + y))):
        space = track(solve(Landscape(values + offset, Grid(*axes)), np.geomspace(4.0, 40.0, 8)), "maximum")
        assert not space.jumps and (space.count() >= 1).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_study_of_a_step_tells_no_jump(dtype: Any) -> None:
    grid = line("clip")
    page = study(Landscape(RISING["step"](grid[0].coordinates).astype(dtype), grid))
    assert page.verdict.numbers[0].value == page.verdict.numbers[1].value == "none"
    assert page.verdict.sentence.startswith("The optimum stays")
    assert page.sentences["maxima"].startswith("1 maximum at the smallest noise level; there is a single maximum")


def two_boxes(grid: Grid, low: float) -> Landscape:
    """Boxes of heights 1 and `low`, the lower one three times as wide."""
    x = grid[0].coordinates
    return Landscape(np.where(np.abs(x - 20) < 5.5, 1.0, 0.0) + np.where(np.abs(x - 55) < 16.5, low, 0.0), grid)


@pytest.mark.parametrize("sigmas", [np.geomspace(2.0, 20.0, 24), np.array([2.0, 7.0]), np.array([1.5, 2.5, 9.0])])
def test_a_jump_from_one_plateau_to_another_is_told(sigmas: Array) -> None:
    landscape = two_boxes(Grid(Axis("x", -40.0, 120.0, 161, boundary="zero")), 0.8)
    x = landscape.grid[0].coordinates

    def lead(sigma: float) -> float:
        weights = [np.exp(-0.5 * ((place - x) / sigma) ** 2) for place in (20.0, 55.0)]
        return float((weights[0] - weights[1]) @ landscape.values / sigma)

    space = track(solve(landscape, sigmas))
    assert len(space.jumps) == 1
    jump = space.jumps[0]
    # the maxima lie in the middle of the boxes but for the tails of one beside the other, exp(-18.5^2 / 2 sigma^2)
    assert abs(jump.sigma - brentq(lead, 2.0, 8.0)) < max(jump.uncertainty, 1e-3)
    assert abs(jump.position[0] - 55) < 16.5


def test_equal_plateaus_share_the_maximum() -> None:
    # the wider of two boxes of one height leads from the first sigma on, by less than any number tells
    landscape = two_boxes(Grid(Axis("x", -40.0, 120.0, 161, boundary="zero")), 1.0 - 1e-14)
    assert not track(solve(landscape, np.geomspace(2.0, 20.0, 24))).jumps
    assert not track(solve(landscape, [2.0, 7.0])).jumps


@pytest.mark.parametrize("boundary", ["clip", "reflect", "absorb"])
@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("factor", [1.0, 1e20])
def test_a_low_hill_that_fades_into_a_plateau_leaves_without_a_jump(boundary: str, side: int, factor: float) -> None:
    # Beside the rise to the plateau lies a hill of 5e-5, which flattens out before the plateau falls off at the end:
    # then its place is as good as any other on it.
    grid = Grid(Axis("x", 0.0, 60.0, 61, boundary=boundary))
    x = grid[0].coordinates
    values = np.tanh((x - 18.4) / 1.0) + np.exp(-((x - 10.0) ** 2) / 20.0)
    for sigmas in (np.geomspace(2.0, 25.0, 14), np.geomspace(2.0, 25.0, 40)):
        space = track(solve(Landscape(factor * values[::side], grid), sigmas), "maximum")
        assert not space.jumps and (space.count() >= 1).all()


@pytest.mark.parametrize("offset", [0.0, 2.0**12, 2.0**20, 1e9])
def test_an_event_beside_a_plateau_keeps_its_sigma(offset: float) -> None:
    # what is lost on a plateau at a small sigma had an uncertainty that reached to the events of large ones
    axis = Axis("x", -10.0, 10.0, 400, boundary="periodic")
    x = axis.coordinates
    hats = 1.0 * (np.abs(x + 5.0) < 2.01) + 0.5 * (np.abs(x - 5.0) < 1.01)
    space = track(solve(Landscape(offset + hats, Grid(axis)), np.linspace(0.1, 4.5, 14)))
    merges = [event for event in space.events if event.kind not in ("fades", "emerges", "found")]
    assert [event.kind for event in merges] == ["merge"]
    # d sigma: the rounding of Q over the rate at which the curvature changes, of size one
    assert merges[0].sigma == pytest.approx(3.404808, abs=1e-6 + 100 * np.spacing(offset))
    assert all(event.uncertainty < 0.3 for event in space.events)
    assert all(each.birth is None or each.birth.sigma <= each.sigma[0] for each in space.tracks)
