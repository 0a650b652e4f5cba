"""Shares of cells against counting points in them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid
from heatpg.errors import UnsupportedError
from heatpg.risk.shares import cell_shares

Array = NDArray[np.float64]


@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("boundary", ["clip", "periodic", "reflect", "zero", "absorb"])
def test_line_by_counting(boundary: str, nodes: str) -> None:
    if boundary == "absorb" and nodes == "cell":
        pytest.skip("evolved on half the spacing, with nodes on the walls")
    values = np.random.default_rng(1).standard_normal(9)
    axis = Axis("x", 0.0, 9.0, 9, boundary=boundary, nodes=nodes)  # type: ignore[arg-type]
    x = axis.coordinates
    thresholds = np.linspace(-2.5, 2.5, 31)
    shares = cell_shares(values, Grid(axis), thresholds)
    for i in range(9):
        offsets = (np.arange(4000) + 0.5) / 4000 - 0.5
        if boundary != "periodic" and nodes == "vertex" and i in (0, 8) and boundary != "clip":
            # the half inside; at a wall that holds its value that value
            offsets = np.abs(offsets) * (1 if i == 0 else -1) * (boundary != "absorb")
        place = x[i] + axis.spacing * offsets
        known = np.interp(place, x, values, period=axis.length if boundary == "periodic" else None)
        counted = (known <= thresholds[:, None]).mean(axis=1)
        # points of one threshold at two crossings
        assert shares[:, i] == pytest.approx(counted, abs=2.1 / 4000)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_cells_by_counting(dimensions: int) -> None:
    """On each box between a node and the middle of its cell the triangulation is along the diagonal from the node."""
    rng = np.random.default_rng(dimensions)
    values = rng.standard_normal((3,) * dimensions)
    grid = Grid(*(Axis(name, -1.0, 1.0, 3, boundary="clip") for name in "xyz"[:dimensions]))
    thresholds = np.linspace(-1.5, 1.5, 13)
    shares = cell_shares(values, grid, thresholds).reshape(13, -1)[:, 3**dimensions // 2]
    expected = np.zeros(13)
    points = rng.random((40_000, dimensions))
    for signs in itertools.product((-1, 1), repeat=dimensions):
        corners = np.array(list(itertools.product((0, 1), repeat=dimensions)))
        # at half way to some neighbours: the mean of all nodes that differ along these axes
        at = [
            np.mean([values[tuple(1 + np.array(s) * np.array(signs))] for s in corners if (np.array(s) <= c).all()])
            for c in corners
        ]
        lookup = {tuple(c): v for c, v in zip(corners.tolist(), at, strict=True)}
        order = np.argsort(-points, axis=1)
        ranked = np.take_along_axis(points, order, axis=1)
        ranked = np.column_stack([np.ones(len(points)), ranked, np.zeros(len(points))])
        known = np.zeros(len(points))
        reached = np.zeros_like(points)
        # from the node along the largest coordinate, then the next: the simplex of the point
        for step in range(dimensions + 1):
            weight = ranked[:, step] - ranked[:, step + 1]
            known += weight * np.array([lookup[tuple(r)] for r in reached.astype(int).tolist()])
            if step < dimensions:
                reached[np.arange(len(points)), order[:, step]] = 1
        expected += (known <= thresholds[:, None]).mean(axis=1) / 2**dimensions
    # five standard errors of so many points
    assert shares == pytest.approx(expected, abs=5.0 * 0.5 / np.sqrt(40_000 * 2**dimensions) + 1e-3)


def test_the_interpolant_is_within_its_bound_of_the_bilinear_one() -> None:
    """Q = x y: the share of its four boxes, against counting with the bilinear interpolant, which is Q itself."""
    grid = Grid(*(Axis(name, -1.0, 1.0, 3, boundary="clip") for name in "xy"))
    x, y = grid.mesh()
    thresholds = np.array([-0.1, 0.05, 0.2])
    shares = cell_shares(x * y, grid, thresholds)[:, 1, 1]
    fine = (np.arange(800) + 0.5) / 800 - 0.5
    product = fine[:, None] * fine[None, :]
    bound = 1.0 / 16.0  # h_x h_y Q_xy / 16
    for share, c in zip(shares, thresholds, strict=True):
        assert (product <= c - bound).mean() <= share <= (product <= c + bound).mean()


def test_four_axes_are_refused() -> None:
    grid = Grid(*(Axis(name, 0.0, 1.0, 3, boundary="clip") for name in "abcd"))
    with pytest.raises(UnsupportedError, match="one to three"):
        cell_shares(np.zeros(grid.shape), grid, np.array([0.0]))
