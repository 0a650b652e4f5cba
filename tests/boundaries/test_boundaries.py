"""What lies beyond the ends of a line: every fold against a walk from wall to wall."""

from __future__ import annotations

import itertools
from typing import Literal

import numpy as np
import pytest

from heatpg.boundaries import Nodes, boundaries
from heatpg.errors import UnknownNameError

NAMES = ("absorb", "clip", "periodic", "reflect", "zero")
KINDS: tuple[Nodes, ...] = ("vertex", "cell")


def walk(name: str, index: int, size: int, nodes: Literal["vertex", "cell"]) -> tuple[int, float]:
    """Source and weight of one extended index, one reflection or one turn at a time."""
    if name == "clip":
        # outside of cells the value on the wall goes on, which is no node
        return min(max(index, 0), size - 1), 1.0 if nodes == "vertex" or 0 <= index < size else 0.0
    if name == "zero":
        if not 0 <= index < size:
            return min(max(index, 0), size - 1), 0.0
        return index, 0.5 if nodes == "vertex" and index in (0, size - 1) else 1.0
    sign = 1.0
    while not 0 <= index < size:
        if name == "periodic":
            index += size if index < 0 else -size
        elif nodes == "cell":
            index = -1 - index if index < 0 else 2 * size - 1 - index
            sign = -sign if name == "absorb" else sign
        else:
            index = -index if index < 0 else 2 * (size - 1) - index
            sign = -sign if name == "absorb" else sign
    return index, sign


@pytest.mark.parametrize("size", [3, 4, 9])
@pytest.mark.parametrize(("name", "nodes"), list(itertools.product(NAMES, KINDS)))
def test_fold_is_a_walk_from_wall_to_wall(name: str, nodes: Nodes, size: int) -> None:
    index = np.arange(-7 * size, 8 * size, dtype=np.int64)
    source, weight = boundaries.get(name).fold(index, size, nodes)
    expected = [walk(name, int(i), size, nodes) for i in index]
    # where an odd continuation is zero (a held end) its sign says nothing
    held = np.array([name == "absorb" and nodes == "vertex" and place in (0, size - 1) for place, _ in expected])
    assert source.tolist() == [place for place, _ in expected]
    assert weight[~held].tolist() == [factor for (_, factor), end in zip(expected, held, strict=True) if not end]
    assert source.shape == weight.shape == index.shape


@pytest.mark.parametrize(("name", "nodes"), list(itertools.product(NAMES, KINDS)))
def test_extend_places_the_line_where_it_says(name: str, nodes: Nodes) -> None:
    extension = boundaries.get(name).extend(5, nodes, 12, 9)
    assert extension.before == 12
    assert extension.source.shape == extension.weight.shape == (12 + 5 + 9,)
    assert extension.source[12:17].tolist() == [0, 1, 2, 3, 4]
    inside = extension.weight[12:17].tolist()
    assert inside == ([0.5, 1, 1, 1, 0.5] if (name, nodes) == ("zero", "vertex") else [1] * 5)
    index = np.arange(-12, 14)
    assert extension.source.tolist() == [walk(name, int(i), 5, nodes)[0] for i in index]


def extended(name: str, nodes: Nodes, values: list[float], before: int, after: int) -> list[float]:
    line = np.array(values)
    extension = boundaries.get(name).extend(line.size, nodes, before, after)
    result: list[float] = (extension.weight * line[extension.source]).tolist()
    return result


def test_small_lines_written_out() -> None:
    line = [1.0, 2.0, 5.0]
    assert extended("periodic", "vertex", line, 4, 2) == [5, 1, 2, 5, 1, 2, 5, 1, 2]
    assert extended("reflect", "vertex", line, 4, 3) == [1, 2, 5, 2, 1, 2, 5, 2, 1, 2]
    assert extended("reflect", "cell", line, 4, 3) == [5, 5, 2, 1, 1, 2, 5, 5, 2, 1]
    assert extended("clip", "vertex", line, 2, 2) == [1, 1, 1, 2, 5, 5, 5]
    assert extended("zero", "cell", line, 2, 2) == [0, 0, 1, 2, 5, 0, 0]
    assert extended("zero", "vertex", line, 1, 1) == [0, 0.5, 2, 2.5, 0]
    assert extended("absorb", "vertex", [0.0, 2.0, 7.0, 0.0], 4, 4) == [7, 0, -7, -2, 0, 2, 7, 0, -7, -2, 0, 2]


@pytest.mark.parametrize("size", [3, 4, 9])
def test_cells_continue_with_the_values_on_their_walls(size: int) -> None:
    x = np.arange(size) + 0.5
    place = np.arange(-2 * size, 3 * size) + 0.5
    # of degree 2 or 3, so that the polynomial through three or four cells is the function itself
    for function in (lambda y: 3.0 - y + 0.5 * y**2, lambda y: 3.0 - y + 0.5 * y ** (3 if size > 3 else 2)):
        values = np.stack([function(x), -function(x)], axis=1)
        clipped = boundaries.get("clip").extend(size, "cell", 2 * size, 2 * size).of(values, 0)
        assert np.allclose(clipped[:, 0], function(np.clip(place, 0.0, size)), rtol=0, atol=1e-11 * size**3)
        assert np.array_equal(clipped[:, 1], -clipped[:, 0])
        held = boundaries.get("absorb").extend(size, "cell", size, size).of(values[:, 0], 0)
        # odd about the point (0, Q(0)), and about (size, Q(size))
        assert np.allclose(held[:size][::-1] + function(x), 2.0 * function(0.0), rtol=0, atol=1e-11 * size**3)
        assert np.allclose(held[-size:] + function(x)[::-1], 2.0 * function(size), rtol=0, atol=1e-11 * size**3)
        assert np.array_equal(held[size : 2 * size], function(x))


def test_values_on_walls_count_for_cells_of_clip_and_absorb_alone() -> None:
    faced = {(name, nodes) for name in NAMES for nodes in KINDS if boundaries.get(name).faced(nodes)}
    assert faced == {("clip", "cell"), ("absorb", "cell")}


@pytest.mark.parametrize("name", ["periodic", "reflect"])
@pytest.mark.parametrize("nodes", KINDS)
def test_mass_is_conserved_where_the_boundary_says_so(name: str, nodes: Nodes) -> None:
    # noise of any kind puts the extended index anywhere; each node must be hit as often as its quadrature weight asks
    size = 6
    period = {"periodic": size, "reflect": 2 * size - 2 if nodes == "vertex" else 2 * size}[name]
    source, _ = boundaries.get(name).fold(np.arange(-3, period - 3, dtype=np.int64), size, nodes)
    hits = np.bincount(source, minlength=size)
    ends = name == "reflect" and nodes == "vertex"
    assert hits.tolist() == ([1, 2, 2, 2, 2, 1] if ends else [hits[0]] * size)


def test_what_each_boundary_says_of_itself() -> None:
    said = {
        name: (rule.free_space, rule.conserves_mass, rule.holds_ends, rule.periodic)
        for name in boundaries.names()
        for rule in (boundaries.get(name),)
    }
    assert said == {
        "absorb": (False, False, True, False),
        "clip": (True, False, False, False),
        "periodic": (False, True, False, True),
        "reflect": (False, True, False, False),
        "zero": (True, False, False, False),
    }
    assert all(boundaries.get(name).name == name and boundaries.get(name).meaning for name in NAMES)


@pytest.mark.parametrize(("low", "high", "expected"), [(1.0, 2.0, (0, 2)), (-3.0, -1.0, (-3, 0)), (-1.0, 1.0, (-1, 1))])
def test_only_zero_brings_in_a_value_of_its_own(low: float, high: float, expected: tuple[float, float]) -> None:
    assert boundaries.get("zero").extremes_outside(low, high) == expected
    for name in set(NAMES) - {"zero"}:
        assert boundaries.get(name).extremes_outside(low, high) == (low, high)


def test_an_unknown_boundary_is_met_with_the_near_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown boundary\W+got: 'reflct'; did you mean 'r"):
        boundaries.get("reflct")


def test_a_name_is_taken_once() -> None:
    rule = boundaries.get("clip")
    boundaries.add("clip", rule)  # the same again is no conflict
    with pytest.raises(UnknownNameError, match="'clip' is already registered"):
        boundaries.add("clip", boundaries.get("zero"))
    assert boundaries.get("clip") is rule
