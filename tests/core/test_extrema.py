"""Local maxima against a brute-force search."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid
from heatpg.core.extrema import climb, local_maxima, on_edge


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
