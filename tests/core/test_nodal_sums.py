"""Derivatives from what was smoothed first, against the sum over all nodes of Q."""

import math

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape
from heatpg.boundaries import Nodes
from heatpg.core.faces import Layered
from heatpg.core.field import HeatField
from heatpg.core.kinks import REACH
from heatpg.core.nodal_sums import NodeLine, steps_of_smoothing
from heatpg.core.point_weights import RESOLVED, WINDOW, line_weights, stencil_polynomials

EPS = np.finfo(float).eps
NODES: tuple[Nodes, ...] = ("vertex", "cell")
PLACEMENTS = [(b, n) for b in ("periodic", "reflect", "clip", "absorb", "zero") for n in NODES]


def both(grid: Grid, rng: np.random.Generator) -> tuple[HeatField, HeatField]:
    landscape = Landscape(rng.uniform(-1.0, 1.0, grid.shape), grid)
    return HeatField(landscape), HeatField(landscape, many_points=True)


def assert_same(first: HeatField, second: HeatField, points: np.ndarray, sigma: np.ndarray, order: int = 4) -> None:
    """Equal to round-off in units of sigma."""
    found, expected = second.derivatives(points, sigma, order), first.derivatives(points, sigma, order)
    d = points.shape[1]
    counts = np.indices(found.shape[1:])
    unit = np.prod([np.where(sigma[i] > 0, sigma[i], 1.0) ** counts[i] for i in range(d)], axis=0)
    total = counts.sum(axis=0)
    # Weights of the m-th derivative are h phi He_m / r^m with r > sigma / sqrt(2), whose sum of sizes is at most
    # sqrt(m!) 2^(m/2) / sigma^m; a sum of n numbers rounds by about sqrt(n) of their sizes. Values on walls are
    # extrapolated from four cells with weights up to 35/8 in all, by axis.
    size = np.array([math.sqrt(math.factorial(m)) * 2 ** (m / 2) for m in range(order + 1)])[np.minimum(total, order)]
    most = 32 * EPS * size * 4.4**d * math.sqrt(max(first.grid.shape))
    assert (np.abs(found - expected) * unit <= most).all()


@pytest.mark.parametrize("shape", [(129,), (41, 67)])
@pytest.mark.parametrize(("boundary", "nodes"), PLACEMENTS)
def test_smoothing_first_changes_nothing(boundary, nodes, shape, rng):
    grid = Grid(*(Axis("xy"[i], 1.0, 9.0, n, boundary=boundary, nodes=nodes) for i, n in enumerate(shape)))
    first, second = both(grid, rng)
    points = np.concatenate((rng.uniform(1.0, 9.0, (20, len(shape))), np.full((1, len(shape)), 1.0)))
    # from the first step on, within one and at its ends, to where nearly nothing is left
    for cells in (4.0, 4.7, 4.756, 4.757, 8.0, 19.0, 60.0, 500.0):
        assert_same(first, second, points, cells * np.array(grid.spacing))


def test_three_axes_of_different_kinds(rng):
    grid = Grid(
        Axis("x", 0.0, 4.0, 20, boundary="periodic"),
        Axis("y", 0.0, 4.0, 31, boundary="reflect", nodes="cell"),
        Axis("z", 0.0, 4.0, 26, boundary="clip", nodes="cell"),
    )
    first, second = both(grid, rng)
    points = rng.uniform(0.0, 4.0, (10, 3))
    spacing = np.array(grid.spacing)
    # steps of their own for each axis; also too small for any, and no noise at all
    for cells in ((5.0, 5.0, 5.0), (3.0, 9.0, 40.0), (0.0, 6.0, 0.7)):
        assert_same(first, second, points, np.array(cells) * spacing)


def test_places_outside_of_the_box(rng):
    first, second = both(Grid(Axis("x", 0.0, 3.0, 61, boundary="clip")), rng)
    assert_same(first, second, np.array([[-2.0], [-0.3], [3.1], [70.0]]), np.array([0.6]))


def test_stated_walls(rng):
    grid = Grid(*(Axis(name, 0.0, 1.0, 24, boundary="clip", nodes="cell") for name in "xy"))
    whole = rng.uniform(-1.0, 1.0, (26, 26))
    faces = Layered(whole, (0, 1), 2)
    landscape = Landscape(faces.inside, grid, faces=faces)
    first, second = HeatField(landscape), HeatField(landscape, many_points=True)
    assert_same(first, second, rng.uniform(0.0, 1.0, (10, 2)), np.array([0.3, 0.2]))


def test_a_point_does_not_depend_on_the_others(rng):
    _, field = both(Grid(*(Axis(name, 0.0, 2.0, 40, boundary="periodic") for name in "xy")), rng)
    points, sigma = rng.uniform(0.0, 2.0, (12, 2)), rng.uniform(0.02, 1.5, (12, 1))
    together = field.derivatives(points, sigma, 2)
    again = HeatField(field.landscape, many_points=True)
    for k in reversed(range(len(points))):
        np.testing.assert_array_equal(again.derivatives(points[[k]], sigma[[k]], 2)[0], together[k])


def test_steps_are_quarters_of_an_octave():
    cells = np.array([[0.0], [3.99], [4.0], [4.7], [4.76], [8.0], [64.0]])
    np.testing.assert_array_equal(steps_of_smoothing(0.5 * cells, np.array([0.5]))[:, 0], [-1, -1, 0, 0, 1, 4, 16])


@pytest.mark.parametrize(("boundary", "nodes"), PLACEMENTS)
@pytest.mark.parametrize("cells", [RESOLVED, 3.0, 6.0])
def test_a_point_far_from_the_walls_takes_the_nodes_of_its_window_alone(
    boundary: str, nodes: Nodes, cells: float
) -> None:
    line = NodeLine.of(Axis("x", 0.0, 511.0, 512, boundary=boundary, nodes=nodes))
    extension = line.continued(64)
    weights, series, walls = line.kinks
    last = line.first + (line.size - 1) * line.spacing
    most = 2.0 * WINDOW * cells + 1.0

    def nodes_at(x: float) -> int:
        scratch, out = np.empty((3, 1024)), np.zeros((3, 1024))
        _, count = line_weights(
            *(x, cells * line.spacing, line.first, line.spacing, line.size, line.kind, line.margin, line.faced),
            *(extension.source, extension.weight, extension.before, stencil_polynomials(), 3),
            *(weights, series, walls, scratch, out),
        )
        # no weight lies outside what is counted
        assert not out[:, count:].any()
        return int(count)

    beyond = max(WINDOW, REACH) * cells + 1.0
    for x in np.linspace(line.first + beyond * line.spacing, last - beyond * line.spacing, 7):
        assert nodes_at(x) <= most
