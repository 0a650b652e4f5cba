"""Fields as small pictures: orientation, colours, curves, slices."""

from __future__ import annotations

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, evolve, landscapes
from heatpg.evolution import Evolution, solve
from heatpg.tools.html import palette
from tests.pages import page


@pytest.fixture(scope="module")
def plane() -> Evolution:
    grid = Grid(Axis("u1", 0.0, 2.0, 21, boundary="clip", unit="N"), Axis("u2", 0.0, 1.0, 11, boundary="reflect"))
    values = np.zeros(grid.shape)
    values[18, 2] = 3.0
    return evolve(Landscape(values, grid, name="needle"), np.linspace(0.1, 0.5, 16), solver="direct")


def test_pictures_have_the_first_axis_to_the_right_and_the_second_upwards(plane: Evolution) -> None:
    colours = palette()
    assert colours is not None
    (picture,) = page(plane.landscape).pictures()
    assert picture.shape == (11, 21, 3)
    row, column = 11 - 1 - 2, 18
    np.testing.assert_array_equal(picture[row, column], colours[-1])
    others = np.delete(picture.reshape(-1, 3), row * 21 + column, axis=0)
    assert (others == colours[0]).all()


def test_all_pictures_of_an_evolution_have_the_colours_of_the_range_of_q(plane: Evolution) -> None:
    colours = palette()
    assert colours is not None
    initial, first, last = page(plane).pictures()
    assert (initial == colours[-1]).all(axis=2).sum() == 1
    share = float(plane.values[-1].max()) / 3.0
    brightest = int((last @ np.array([1, 1, 1])).argmax())
    np.testing.assert_array_equal(last.reshape(-1, 3)[brightest], colours[round(share * (len(colours) - 1))])
    assert first.sum() != last.sum()


def test_lines_in_one_dimension() -> None:
    flow = solve(landscapes.peak_and_hill(), [0.1, 0.3, 1.0])
    found = page(flow)
    lines = [attributes for tag, attributes in found.tags if tag == "polyline"]
    assert len(lines) == 3 and len({line["stroke-width"] for line in lines}) == 3
    assert {line["stroke"] for line in lines} == {"currentColor"}
    assert found.pictures() == []
    assert "thin: Q, dashed: sigma = 0.1, bold: sigma = 1" in found.text
    initial = [tuple(map(float, point.split(","))) for point in str(lines[0]["points"]).split()]
    top, left = min((y, x) for x, y in initial)
    # the needle at -3 of the box from -6 to 6 is a quarter of the way, and as high as the picture
    assert top == 4.0 and abs(left - (4 + 252 / 4)) < 0.2
    assert len([line for line in page(solve(flow.landscape, 0.1)).tags if line[0] == "polyline"]) == 2


def test_a_slice_through_the_optimum_of_more_dimensions() -> None:
    colours = palette()
    assert colours is not None
    grid = Grid(*(Axis(name, 0.0, 1.0, size, boundary="clip") for name, size in (("a", 4), ("b", 5), ("c", 6))))
    values = np.zeros(grid.shape)
    values[1, 3, 4] = 2.0
    found = page(Landscape(values, grid))
    assert "the slice through the optimum of Q, c = 0.8" in found.text
    (picture,) = found.pictures()
    np.testing.assert_array_equal(picture[5 - 1 - 3, 1], colours[-1])


def test_values_at_the_ends_of_the_range_of_numbers() -> None:
    grid = Grid(Axis("a", 0.0, 1.0, 3, boundary="clip"), Axis("b", 0.0, 1.0, 3, boundary="clip"))
    values = np.full(grid.shape, -1.7e308)
    values[0, 0] = 1.7e308
    assert len(page(Landscape(values, grid)).pictures()) == 1
    assert len(page(Landscape(np.full(grid.shape, 5e-324), grid)).pictures()) == 1
    assert len(page(Landscape(np.float32(3.0) * np.ones(grid.shape, np.float32), grid)).pictures()) == 1
    flow = solve(Landscape(np.eye(3), grid), 0.1)
    flow.values = np.full_like(flow.values, np.nan)
    assert "nan" in page(flow).text
