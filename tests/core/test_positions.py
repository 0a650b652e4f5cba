"""Axes from positions as they are stored: rounded, in single and half precision, as text, descending."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from heatpg import Landscape, evolve
from heatpg.core.positions import axis_from_coordinates, place_axis
from heatpg.errors import GridError, HeatpgWarning
from tests.references import end_error_of_waves


def text(values: Any, form: str) -> Any:
    """Numbers as a table has them."""
    return np.array([float(format(x, form)) for x in values])


# what was meant, how it was stored, and how far a node may be from what was meant: half a unit of what was stored
STORED: dict[str, tuple[Any, Any, float]] = {
    "single precision": (np.linspace(-1, 1, 31), np.linspace(-1, 1, 31, dtype="f4"), 6e-8),
    "single precision in doubles": (np.linspace(0, 1, 16), np.linspace(0, 1, 16, dtype="f4").astype(float), 6e-8),
    "single precision with other ends": (np.linspace(-0.1, 0.3, 16), np.linspace(-0.1, 0.3, 16, dtype="f4"), 1.5e-8),
    "sums in single precision": (
        np.linspace(-1, 1, 31),
        np.float32(-1) + np.arange(31, dtype="f4") * np.float32(2 / 30),
        2.4e-7,
    ),
    "half precision": (np.linspace(0, 1, 31), np.linspace(0, 1, 31, dtype="f2"), 2.5e-4),
    "latitudes": (np.linspace(-90, 90, 541), np.linspace(-90, 90, 541, dtype="f4"), 4e-6),
    "printed single precision": (np.linspace(0, 1, 16), text(np.linspace(0, 1, 16, dtype="f4"), ".9g"), 6e-8),
    "shortest single precision": (
        np.linspace(0, 1, 16),
        np.array([float(str(x)) for x in np.linspace(0, 1, 16, dtype="f4")]),
        6e-8,
    ),
    "three decimals": (np.linspace(-1, 1, 30), np.round(np.linspace(-1, 1, 30), 3), 5e-4),
    "three decimals and many nodes": (np.linspace(0, 1, 300), np.round(np.linspace(0, 1, 300), 3), 5e-4),
    "two decimals of a period": (np.linspace(-np.pi, np.pi, 200), np.round(np.linspace(-np.pi, np.pi, 200), 2), 5e-3),
    "two decimals of few nodes": (np.linspace(0, 1, 4), np.array([0.0, 0.33, 0.67, 1.0]), 5e-3),
    "centres of cells halfway between decimals": (
        (np.arange(20) + 0.5) / 20,
        np.round((np.arange(20) + 0.5) / 20, 2),
        5e-3,
    ),
    "significant digits": (np.linspace(0, 20 * np.pi, 50), text(np.linspace(0, 20 * np.pi, 50), ".4g"), 5e-3),
    "exponents": (np.linspace(0, np.pi, 50), text(np.linspace(0, np.pi, 50), ".6e"), 5e-7),
    "micrometres": (np.linspace(0, 1e-6, 31), np.round(np.linspace(0, 1e-6, 31), 9), 5e-10),
    "hundreds": (np.linspace(0, 1e7, 31), np.round(np.linspace(0, 1e7, 31), -2), 50.0),
    "whole numbers that were cut": (np.linspace(0, 1000, 300), np.linspace(0, 1000, 300).astype(int), 1.0),
    "far from zero": (1.7e9 + np.arange(20) * 1000.0, (1.7e9 + np.arange(20) * 1000.0).astype("f4"), 64.0),
}


@pytest.mark.parametrize("name", STORED)
@pytest.mark.parametrize("descending", [False, True])
def test_positions_are_uniform_up_to_how_they_are_stored(name: str, descending: bool) -> None:
    meant, stored, error = STORED[name]
    placed = place_axis("x", stored[::-1] if descending else stored, boundary="clip")
    assert placed.turned is descending
    nodes = placed.axis.coordinates
    # the nodes lie within the rounding of what is stored, and so within twice of what was meant
    assert np.abs(nodes - stored.astype(float)).max() <= error * (1 + 1e-6)
    assert np.abs(nodes - meant).max() <= error * (1 + 1e-6) + np.abs(meant - stored.astype(float)).max()
    assert "rounded to" in placed.note


@pytest.mark.parametrize(
    ("stored", "ends"),
    [
        (np.linspace(-0.1, 0.3, 16, dtype="f4"), (-0.1, 0.3)),
        (np.round(np.linspace(-1, 1, 30), 3), (-1.0, 1.0)),
        (np.linspace(0, 1, 31, dtype="f2"), (0.0, 1.0)),
    ],
)
def test_ends_are_those_that_were_written(stored: Any, ends: tuple[float, float]) -> None:
    axis = place_axis("x", stored, boundary="clip").axis
    assert (axis.lower, axis.upper) == ends


def test_a_line_through_all_positions_finds_the_period_better_than_its_ends() -> None:
    """Rounded to a hundredth, 200 nodes tell the ends of a period to a fraction of that."""
    stored = np.round(np.linspace(-np.pi, np.pi, 200), 2)
    axis = place_axis("x", stored, boundary="clip").axis
    # of least squares: a unit over sqrt(12) times 2 / sqrt(n) for each end, and three of these
    assert abs(axis.length - 2 * np.pi) < 3 * 2**0.5 * 0.01 / 12**0.5 * 2 / 200**0.5
    assert abs(axis.length - 2 * np.pi) < abs(stored[-1] - stored[0] - 2 * np.pi)


@pytest.mark.parametrize("decimals", [3, 4, 5, 6])
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-2.5, 0.0), (3.0, 17.0)])
@pytest.mark.parametrize("count", [17, 32, 101])
def test_rounded_nodes_are_those_of_the_box_that_is_meant(
    decimals: int, bounds: tuple[float, float], count: int
) -> None:
    """By how positions are laid out between bounds of few digits, the bounds come back to the last bit."""
    low, high = bounds
    layouts: dict[tuple[str, Any], Any] = {
        ("reflect", "cell"): (np.arange(count) + 0.5) / count,
        ("periodic", "cell"): (np.arange(count) + 0.5) / count,
        ("periodic", "vertex"): np.arange(count) / count,
        ("clip", "vertex"): np.arange(count) / (count - 1),
    }
    for (boundary, nodes), shares in layouts.items():
        stored = np.round(low + (high - low) * shares, decimals)
        if np.ptp(np.diff(stored)) < 1e-12:  # uniform as they are, and then believed
            continue
        for given in (stored, stored[::-1]):
            axis = place_axis("x", given, boundary=boundary, nodes=nodes).axis
            assert (axis.lower, axis.upper) == bounds


@pytest.mark.parametrize("decimals", [3, 4])
def test_rounded_cells_between_mirrors_are_solved_as_those_that_are_meant(decimals: int) -> None:
    """cos(pi x) in cells from 0 to 1, in closed form: a box that is off by 5e-5 is off by 4e-5 of it."""
    x = (np.arange(32) + 0.5) / 32
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HeatpgWarning)  # of three decimals, which are a hundredth of a step
        q = Landscape.from_array(np.cos(np.pi * x), {"x": np.round(x, decimals)}, boundary="reflect", nodes="cell")
    exact = np.exp(-((0.2 * np.pi) ** 2) / 2) * np.cos(np.pi * x)
    # whose slopes at the ends are found to order 4: 9e-7
    assert np.abs(evolve(q, 0.2).values[0] - exact).max() < end_error_of_waves(np.pi / 32, 0.2 * 32, 32, "cell")


def test_a_line_begins_at_its_simple_end_where_the_other_one_has_many_digits() -> None:
    forward = place_axis("x", np.round(np.arange(33) / 7, 3), boundary="clip").axis
    backward = place_axis("x", np.round(1 - np.arange(33)[::-1] / 7, 3), boundary="clip").axis
    assert forward.lower == 0.0 and abs(forward.upper - 32 / 7) < 5e-4
    assert backward.upper == 1.0 and abs(backward.lower - (1 - 32 / 7)) < 5e-4


def test_an_axis_without_nodes_and_positions_without_digits_are_named() -> None:
    for shape, name in (((0, 7), "x1"), ((7, 0), "x2"), ((0,), "x1")):
        with pytest.raises(GridError, match=f"axis '{name}' of the array has no nodes"):
            Landscape.from_array(np.zeros(shape), boundary="clip")
    tiny = np.linspace(0.1, 0.9, 33)
    for scale in (1e-320, 1e-322):
        with pytest.raises(GridError, match=r"change the unit|twice"):
            Landscape.from_array(tiny, {"x": tiny * scale}, boundary="clip")


NOT_UNIFORM: dict[str, Any] = {
    "a step of two": [0, 1, 3],
    "one position off": [0, 1, 2.1, 3],
    "few nodes": [0, 0.4, 0.9],
    "three nodes": [0, 0.5, 1.01],
    "one step at the end": [*range(15), 15.1],
    "an end in the eighth decimal": [0.0, 0.25, 0.5, 0.75, 1.0 + 1e-8],
    "sensors": [0.00, 0.11, 0.19, 0.30, 0.41],
    "a node that is missing": np.delete(np.linspace(0, 1, 101), 50),
    "a node that is missing in single precision": np.delete(np.linspace(0, 1, 101, dtype="f4"), 50),
    "a node that is missing in three decimals": np.delete(np.round(np.linspace(0, 1, 30), 3), 20),
    "Chebyshev": -np.cos(np.pi * np.arange(20) / 19),
    "Chebyshev in single precision": -np.cos(np.pi * np.arange(20) / 19).astype("f4"),
    "Chebyshev in three decimals": np.round(-np.cos(np.pi * np.arange(20) / 19), 3),
    "random": np.round(np.sort(np.random.default_rng(0).random(30)), 3),
    "square roots": np.sqrt(np.arange(40.0)),
    "a thousandth in single precision": np.array([0, 1, 2.001, 3], dtype="f4"),
    "a drift of the step": np.linspace(0, 1, 50) + 1e-3 * np.linspace(0, 1, 50) ** 2,
    "a drift of the step in four decimals": np.round(np.linspace(0, 1, 50) + 1e-2 * np.linspace(0, 1, 50) ** 2, 4),
}


@pytest.mark.parametrize("name", NOT_UNIFORM)
def test_what_is_not_uniform_is_refused_and_its_steps_told_apart(name: str) -> None:
    with pytest.raises(GridError, match=r"not uniform\W+got: steps from (\S+) to (\S+); the step after") as caught:
        axis_from_coordinates("x", NOT_UNIFORM[name], boundary="clip")
    words = str(caught.value.given).split()
    assert words[2] != words[4].rstrip(",")


def test_logarithmic_positions_are_told_the_way_that_works() -> None:
    positions = np.geomspace(1e-3, 1.0, 13)
    with pytest.raises(GridError, match=r"uniform in the logarithm: pass np\.log"):
        axis_from_coordinates("rate", positions, boundary="clip")
    assert axis_from_coordinates("rate", np.log(positions), boundary="clip").size == 13


def test_descending_axes_are_turned_round_with_their_values() -> None:
    """u at a place is the same, whatever the order in which Q was stored."""
    x, y = np.linspace(-2.0, 2.0, 41), np.linspace(0.0, 3.0, 31)
    values = np.exp(-((x[:, None] - 1.0) ** 2) - (y - 0.5) ** 2)
    straight = Landscape.from_array(values, {"x": x, "y": y}, boundary="clip")
    with pytest.warns(HeatpgWarning, match=r"axis 'x' descends.*index 0 is now at -2"):
        turned = Landscape.from_array(values[::-1], {"x": x[::-1], "y": y}, boundary="clip")
    assert turned.grid == straight.grid
    assert np.array_equal(turned.values, straight.values)
    assert "descending" in turned.provenance["positions"]["x"]
    assert "positions" not in straight.provenance
    with pytest.warns(HeatpgWarning, match="descends"):
        both = Landscape.from_array(values[::-1, ::-1], {"x": x[::-1], "y": y[::-1]}, boundary="clip")
    assert np.array_equal(evolve(both, 0.3).values, evolve(straight, 0.3).values)
    with pytest.warns(HeatpgWarning, match="descends"):
        many = Landscape.from_array([values[::-1], 2 * values[::-1]], {"x": x[::-1], "y": y}, boundary="clip")
    assert np.array_equal(many.values, [values, 2 * values])


def test_positions_moved_by_much_are_told_and_others_are_not() -> None:
    fine, coarse = np.linspace(0, 1, 30, dtype="f4"), np.round(np.linspace(0, 1, 300), 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        q = Landscape.from_array(np.ones(30), {"x": fine}, boundary="clip")
    assert "single precision" in q.provenance["positions"]["x"]
    with pytest.warns(HeatpgWarning, match="rounded to 3 decimals, moved to uniform nodes by up to 0.0005"):
        Landscape.from_array(np.ones(300), {"x": coarse}, boundary="clip")


def test_moved_nodes_change_nothing_where_values_belong_to_the_nodes_that_are_meant() -> None:
    """cos(k x) around a period, at nodes of which 3 decimals were written: the solution in closed form."""
    n, k, sigma = 64, 3, 0.2
    x = np.arange(n) * 2 * np.pi / n
    flow = evolve(Landscape.from_array(np.cos(k * x), {"x": np.round(x, 3)}, boundary="periodic"), sigma)
    exact = np.exp(-((k * sigma) ** 2) / 2) * np.cos(k * x)
    # the period is off by the error of a slope of least squares, sqrt(12 / n^3) n units over sqrt(12): 3 of these
    period = 3 * 1e-3 / 12**0.5 * (12 / n) ** 0.5
    assert np.abs(flow.values[0] - exact).max() < (k * sigma) ** 2 * period / (2 * np.pi) * np.abs(exact).max() + 1e-13


@pytest.mark.parametrize(
    ("positions", "words"),
    [
        ([0.0, np.nan, 2.0], r"(?s)not finite\W+got: nan at index 1.*remove these positions"),
        ([1.0], "(?s)1 position; an axis needs at least 3.*omit this axis"),
        ([1.0, 2.0], "(?s)2 positions.*select one of the two"),
        ([], "0 positions"),
        (np.round(np.linspace(0, 1, 101), 1), "(?s)position 0 twice.*more digits"),
        (np.zeros((3, 3)), "(?s)one-dimensional.*not a mesh"),
        (5.0, "one-dimensional"),
        ([0.0, 1.0, 1.5, 1.2], "not monotonic"),
        (np.arange(4).astype("M8[s]"), r"(?s)real numbers.*datetime64.*times - times\[0\]"),
        (np.arange(4).astype("m8[s]"), r"(?s)real numbers.*timedelta64.*convert to seconds"),
        (np.arange(4) * 1j, "(?s)real numbers.*complex"),
        (["0", "1", "2"], r"(?s)real numbers.*convert each text with float\(\)"),
        (np.array(["0", "1", "2"]), r"(?s)real numbers.*astype\(float\)"),
        ([b"0", b"1", b"2"], "real numbers"),
        ([None, 1.0, 2.0], r"(?s)real numbers.*index \(0,\) nothing"),
        ([False, True, True], "(?s)real numbers.*False"),
    ],
)
def test_positions_that_are_none_are_told_what_to_do(positions: Any, words: str) -> None:
    with pytest.raises(GridError, match=words):
        axis_from_coordinates("x", positions, boundary="clip")


@pytest.mark.parametrize("count", [3, 7, 10, 12, 99, 100])
@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e-250, 1e200])
def test_walls_beyond_cells_lose_no_digit(count: int, scale: float) -> None:
    """(k + 1/2) / n stands for the box from 0 to 1, and not for one that begins at -7e-18."""
    axis = place_axis("x", scale * ((np.arange(count) + 0.5) / count), boundary="absorb", nodes="cell").axis
    # no decimal of few digits stands for 1e-250 exactly
    assert axis.lower == 0.0 and axis.upper == pytest.approx(scale, rel=1e-15)
    turn = place_axis("t", scale * (np.arange(count) / count), boundary="periodic").axis
    assert turn.lower == 0.0 and turn.upper == pytest.approx(scale, rel=1e-15)
    # a bound that is meant to be there is not taken away: it is farther from 0 than rounding
    low = place_axis("x", scale * (1e-13 + (np.arange(count) + 0.5) / count), boundary="absorb", nodes="cell").axis
    assert low.lower == pytest.approx(1e-13 * scale, rel=0.02)
