"""Local maxima against a brute-force search."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid
from heatpg.core.extrema import climb, local_maxima, on_edge, turns


def brute(field: NDArray[Any], grid: Grid) -> set[int]:
    """Nodes that are higher than every neighbour."""
    found = set()
    for index in np.ndindex(*grid.shape):
        highest = True
        for offset in itertools.product((-1, 0, 1), repeat=grid.dimensions):
            if not any(offset):
                continue
            place = []
            for i, o, axis in zip(index, offset, grid, strict=True):
                j = i + o
                if axis.boundary == "periodic":
                    j %= axis.size
                elif not 0 <= j < axis.size:
                    break
                place.append(j)
            else:
                highest &= field[index] > field[tuple(place)]
        if highest:
            found.add(int(np.ravel_multi_index(index, grid.shape)))
    return found


@pytest.mark.parametrize("boundary", ["periodic", "clip"])
@pytest.mark.parametrize("shape", [(40,), (3,), (9, 11), (5, 3, 6), (3, 4, 3, 5)])
def test_against_brute_force(boundary: str, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    grid = Grid(*(Axis(f"x{i}", 0.0, 1.0, n, boundary=boundary) for i, n in enumerate(shape)))
    for _ in range(5):
        field = rng.standard_normal(shape)
        found = local_maxima(field, grid)
        assert set(found.tolist()) == brute(field, grid)
        assert len(found) == len(set(found.tolist()))
        single = field.astype(np.float32)
        assert set(local_maxima(single, grid).tolist()) == brute(single, grid)


def test_plateaus_count_once_and_shelves_not_at_all() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 5, boundary="clip"), Axis("y", 0.0, 1.0, 7, boundary="clip"))
    field = np.zeros(grid.shape)
    field[1:3, 1:3] = 2.0  # a plateau
    field[4, 2:6] = 1.0
    field[4, 6] = 1.5  # a shelf that leads to a higher node
    found = local_maxima(field, grid)
    assert found.tolist() == [1 * 7 + 1, 4 * 7 + 6]
    assert len(local_maxima(np.full(grid.shape, 3.0), grid)) == 0


def test_round_off_makes_no_maxima(rng: np.random.Generator) -> None:
    grid = Grid(Axis("x", -1.0, 1.0, 201, boundary="clip"))
    x = grid[0].coordinates
    field = np.exp(-(x**2) / 0.01) + 1e-16 * rng.standard_normal(201)
    assert len(local_maxima(field, grid)) > 5
    assert local_maxima(field, grid, tolerance=1e-14).tolist() == [100]
    # two nodes that share the top are one maximum
    assert (
        len(local_maxima(np.array([0.0, 1.0, 1.0 + 1e-16, 0.0, 0.5]), Grid(Axis("x", 0, 1, 5, boundary="clip")))) == 2
    )


def test_large_plateaus_outgrow_their_first_queue() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 120, boundary="clip"), Axis("y", 0.0, 1.0, 120, boundary="clip"))
    field = np.ones(grid.shape)
    field[0, 0] = 0.0
    assert len(local_maxima(field, grid)) == 1
    many = np.zeros(grid.shape)
    many[::2, ::2] = 1.0 + np.arange(3600).reshape(60, 60)
    assert len(local_maxima(many, grid)) == 3600


def test_climbing_ends_at_local_maxima(rng: np.random.Generator) -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 20, boundary="periodic"), Axis("y", 0.0, 1.0, 30, boundary="clip"))
    field = rng.standard_normal(grid.shape)
    tops = climb(field, grid, np.arange(grid.size))
    assert set(tops.tolist()) == set(local_maxima(field, grid).tolist())
    assert (field.reshape(-1)[tops] >= field.reshape(-1)).all()


def test_edges() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 20, boundary="periodic"), Axis("y", 0.0, 1.0, 30, boundary="clip"))
    assert on_edge((5, 0), grid)
    assert on_edge((5, 29), grid)
    assert not on_edge((0, 5), grid)
    assert not on_edge((19, 28), grid)


def test_a_shelf_below_a_higher_neighbour_of_its_first_node_is_no_maximum() -> None:
    # the shelf of ones is met at (0, 1), which has a higher neighbour; (3, 3) belongs to another one, beside the 2s
    grid = Grid(*(Axis(name, 0, 3, 4, boundary="clip") for name in "xy"))
    field = np.array([[2.0, 1, 0, 3], [0, 1, 2, 3], [2, 3, 0, 1], [2, 1, 1, 1]])
    found = set(local_maxima(field, grid).tolist())
    assert 15 not in found
    assert found == {0, 3, 9}


def persistence(field: NDArray[Any]) -> list[tuple[float, int]]:
    """Of a line: how far each maximum rises above the pass to a higher one, by looking left and right from it."""
    result = []
    for i in range(len(field)):
        if (i and field[i - 1] >= field[i]) or (i + 1 < len(field) and field[i + 1] >= field[i]):
            continue
        passes = []
        for side in (field[:i][::-1], field[i + 1 :]):
            higher = np.flatnonzero(side > field[i])
            if len(higher):
                passes.append(side[: higher[0]].min())
        result.append((float(field[i] - (max(passes) if passes else field.min())), i))
    return result


@pytest.mark.parametrize("tolerance", [0.1, 1.0, 2.5])
def test_maxima_are_kept_by_their_persistence(tolerance: float, rng: np.random.Generator) -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 300, boundary="clip"))
    for _ in range(5):
        field = rng.standard_normal(300).cumsum()
        expected = [i for rise, i in persistence(field) if rise > tolerance]
        assert local_maxima(field, grid, tolerance).tolist() == expected


def test_slopes_gentler_than_the_tolerance_hide_no_maximum() -> None:
    # neighbours of a fine grid differ by less than the tolerance everywhere
    grid = Grid(*(Axis(name, 0.0, 1.0, 200, boundary="periodic") for name in "xy"))
    x, y = grid.mesh()
    field = np.cos(4.0 * np.pi * x) + np.cos(2.0 * np.pi * y)
    assert np.abs(np.diff(field, axis=0)).max() < 0.1
    assert local_maxima(field, grid, 0.1).tolist() == local_maxima(field, grid).tolist()
    assert len(local_maxima(field, grid, 0.1)) == 2
    assert len(local_maxima(field, grid, 4.5)) == 0
    line = np.cos(2.0 * np.pi * np.arange(10_000) / 5_000)
    assert turns(line, True, 0.01) == 4 and turns(line, False, 0.01) == 3


@pytest.mark.parametrize("periodic", [True, False])
def test_turns_against_reduction_of_the_smallest_pairs(periodic: bool, rng: np.random.Generator) -> None:
    # take away the smallest rise or fall, both its ends, until all are larger than the tolerance
    for _ in range(10):
        line, tolerance = rng.standard_normal(60).cumsum(), 1.5
        closed = np.roll(line, -int(line.argmax()))
        values = np.append(closed, closed[0]) if periodic else line
        keep = [
            0,
            *(i for i in range(1, len(values) - 1) if (values[i] - values[i - 1]) * (values[i + 1] - values[i]) < 0),
        ]
        chain = [float(values[i]) for i in keep] + [float(values[-1])]
        while len(chain) > 2:
            steps = np.abs(np.diff(chain))
            smallest = int(steps.argmin())
            if steps[smallest] > tolerance:
                break
            if smallest == 0:
                del chain[1 if periodic else 0]
            elif smallest == len(chain) - 2:
                del chain[-2 if periodic else -1]
            else:
                del chain[smallest : smallest + 2]
        expected = len(chain) - 2 + periodic if len(chain) > 2 else 0
        assert turns(line, periodic, tolerance) == expected


def test_a_flat_line_has_no_turns() -> None:
    assert turns(np.zeros(9), True) == turns(np.zeros(9), False) == turns(np.arange(9.0), False) == 0
    assert turns(np.arange(9.0), True) == 2
    assert turns(np.array([1e12, 1e12 + 1.0, 1e12, 1e12 + 1.0]), False, 1.5) == 0
