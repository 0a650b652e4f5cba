"""Labels of ascent against separatrices that are known, and against paths integrated with the exact gradient."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import label
from scipy.optimize import minimize_scalar

from heatpg import Axis, Grid, Landscape
from heatpg.errors import GridError, NonFiniteError, OptionError
from heatpg.evolution import solve
from heatpg.scalespace import flooding, labelling, watershed
from heatpg.scalespace.flooding import ascent_labels
from heatpg.scalespace.watershed import basins

Array = NDArray[Any]


def square(size: int, half: float = 2.0, *, second: int = 0, boundary: str = "clip") -> Grid:
    return Grid(
        Axis("x", -half, half, size, boundary=boundary), Axis("y", -half, half, second or size, boundary=boundary)
    )


def turned(grid: Grid, angle: float, center: tuple[float, float] = (0.1, -0.05)) -> tuple[Array, Array]:
    """Coordinates along and across a direction that is not one of the grid's."""
    x, y = (mesh - c for mesh, c in zip(grid.mesh(), center, strict=True))
    return x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)


def two_bumps(along: Array, across: Array, widths: tuple[float, float] = (0.5, 0.5)) -> Array:
    """Equal bumps: the separatrix is along = 0."""
    v, w = widths
    pair = np.exp(-((along - 0.9) ** 2) / (2 * v**2)) + np.exp(-((along + 0.9) ** 2) / (2 * v**2))
    return np.asarray(pair * np.exp(-(across**2) / (2 * w**2)))


def two_wells(along: Array, across: Array, stiffness: float) -> Array:
    """Paths run into the ridge across = 0 long before they run along it, or the other way round."""
    return np.asarray(-((along**2 - 1.0) ** 2) - stiffness * across**2)


def distance_of_errors(field: Array, grid: Grid, along: Array) -> float:
    """Largest distance from the separatrix along = 0 of a node on its wrong side, in cells."""
    labels, maxima = ascent_labels(field, grid)
    right = along.reshape(-1)[maxima] > 0
    wrong = right[labels] != (along > 0)
    assert right.any() and not right.all()
    return float(np.abs(along[wrong]).max(initial=0.0)) / max(grid.spacing)


def hop_labels(field: Array, grid: Grid) -> Array:
    """Flat index that hops to the neighbour of the steepest slope end at: what the gradient flow is not."""
    index = np.arange(grid.size).reshape(grid.shape)
    padded = np.pad(field, 1, constant_values=-np.inf)
    numbers = np.pad(index, 1)
    best, target = np.zeros(grid.shape), index.copy()
    n, m = grid.shape
    for i, j in itertools.product((-1, 0, 1), repeat=2):
        if i or j:
            window = (slice(1 + i, 1 + i + n), slice(1 + j, 1 + j + m))
            slope = (padded[window] - field) / math.hypot(i * grid.spacing[0], j * grid.spacing[1])
            target = np.where(slope > best, numbers[window], target)
            best = np.maximum(best, slope)
    flat = target.reshape(-1)
    while not np.array_equal(flat, flat[flat]):
        flat = flat[flat]
    return flat.reshape(grid.shape)


@pytest.mark.parametrize("angle", [0.0, 0.2, 0.5, math.pi / 4, 1.1])
@pytest.mark.parametrize("size", [48, 129])
def test_the_plane_between_equal_bumps(angle: float, size: int) -> None:
    grid = square(size)
    along, across = turned(grid, angle)
    # paths are of second order, so the error in cells is a small part of one
    assert distance_of_errors(two_bumps(along, across), grid, along) < 0.2


def test_hops_between_nodes_are_off_by_many_cells() -> None:
    grid = square(129)
    along, across = turned(grid, 0.5)
    field = two_bumps(along, across)
    wrong = (along.reshape(-1)[hop_labels(field, grid)] > 0) != (along > 0)
    assert np.abs(along[wrong]).max() > 5 * grid.spacing[0]


@pytest.mark.parametrize("stiffness", [0.1, 3.0, 30.0])
@pytest.mark.parametrize("second", [0, 40])
def test_anisotropic_peaks_and_spacings(stiffness: float, second: int) -> None:
    grid = square(130, second=second)
    along, across = turned(grid, 0.35)
    assert distance_of_errors(two_wells(along, across, stiffness), grid, along) < 1.0


def test_long_bumps() -> None:
    grid = square(129)
    along, across = turned(grid, 0.3)
    assert distance_of_errors(two_bumps(along, across, (0.3, 1.2)), grid, along) < 0.2


def test_three_dimensions() -> None:
    grid = Grid(*(Axis(name, -2.0, 2.0, n, boundary="clip") for name, n in (("x", 41), ("y", 33), ("z", 37))))
    x, y, z = grid.mesh()
    direction = np.array([2.0, -1.0, 1.5]) / math.sqrt(7.25)
    along = direction[0] * (x - 0.1) + direction[1] * (y + 0.03) + direction[2] * z
    rest = (x - 0.1) ** 2 + (y + 0.03) ** 2 + z**2 - along**2
    assert distance_of_errors(two_bumps(along, np.sqrt(rest.clip(0.0))), grid, along) < 0.5


def test_ascent_goes_on_along_a_face_that_it_is_held_at() -> None:
    """A slope that leads out of the box is no part of the direction, however steep it is."""
    plane = square(60)
    along, across = turned(plane, 0.5)
    grid = Grid(*plane, Axis("z", 0.0, 0.1, 3, boundary="clip"))
    field = two_bumps(along, across)[..., None] + 100.0 * grid[2].coordinates
    assert distance_of_errors(field, grid, np.repeat(along[..., None], 3, axis=-1)) < 0.5


def test_curved_boundaries_against_integrated_paths() -> None:
    """Three unlike Gaussians: every node whose label is wrong has the right one next to it."""
    grid = Grid(Axis("x", -2.0, 2.0, 61, boundary="clip"), Axis("y", -1.5, 2.0, 47, boundary="clip"))
    heights = np.array([1.0, 0.8, 0.9])
    centers = np.array([[-0.9, -0.5], [1.0, -0.3], [0.1, 1.2]])
    widths = np.array([[0.5, 0.9], [0.9, 0.45], [0.6, 0.6]])

    def terms(points: Array) -> tuple[Array, Array]:
        away = points[:, None, :] - centers
        return heights * np.exp(-(away**2 / (2 * widths**2)).sum(axis=-1)), away

    def direction(points: Array) -> Array:
        values, away = terms(points)
        gradient = -(values[..., None] * away / widths**2).sum(axis=1)
        # unit speed far away, so that one step fits all; slowing down at the maxima
        return np.asarray(gradient / np.maximum(np.hypot(*gradient.T), 0.05)[:, None])

    nodes = np.stack([mesh.reshape(-1) for mesh in grid.mesh()], axis=-1)
    field = terms(nodes)[0].sum(axis=1).reshape(grid.shape)
    labels, maxima = ascent_labels(field, grid)
    assert len(maxima) == 3
    points, step = nodes.copy(), 0.04
    for _ in range(300):
        k1 = direction(points)
        k2 = direction(points + 0.5 * step * k1)
        k3 = direction(points + 0.5 * step * k2)
        points = points + step / 6 * (k1 + 2 * k2 + 2 * k3 + direction(points + step * k3))
    distance = np.hypot(*(points[:, None, :] - nodes[maxima]).T)
    assert distance.min(axis=0).max() < max(grid.spacing)  # all have arrived
    truth = distance.argmin(axis=0).reshape(grid.shape)
    wrong = np.argwhere(labels != truth)
    for i, j in wrong:
        assert truth[i, j] in labels[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
    lining = sum(int((np.diff(truth, axis=a) != 0).sum()) for a in (0, 1))
    assert len(wrong) < 0.1 * lining


def test_in_one_dimension_the_minimum_between(rng: np.random.Generator) -> None:
    grid = Grid(Axis("x", -3.0, 3.0, 301, boundary="clip"))
    x = grid[0].coordinates
    for _ in range(30):
        height, width, place = rng.uniform(0.5, 0.9), rng.uniform(0.3, 0.5), rng.uniform(-1.6, -1.2)

        def q(y: Any, height: float = height, width: float = width, place: float = place) -> Any:
            return np.exp(-((y - 1) ** 2) / 0.32) + height * np.exp(-((y - place) ** 2) / (2 * width**2))

        valley = minimize_scalar(q, bounds=(place, 1.0), method="bounded", options={"xatol": 1e-10}).x
        labels, maxima = ascent_labels(q(x), grid)
        assert x[maxima] == pytest.approx([1.0, place], abs=0.05)
        # the vertex of the parabola through three nodes is off by h^2 q''' / 6 q'', far below a tenth of a cell
        clear = np.abs(x - valley) > 0.1 * grid.spacing[0]
        assert np.array_equal(labels[clear] == 0, x[clear] > valley)


def test_volumes_converge_with_the_spacing() -> None:
    center, angle = (0.23, -0.11), 0.37
    # the plane cuts the box [-2, 2]^2 at x = c_x - (y - c_y) tan(angle): a trapezium, if it leaves by y = -+2
    cut = [center[0] - (y - center[1]) * math.tan(angle) for y in (-2.0, 2.0)]
    assert max(np.abs(cut)) < 2.0
    share = 0.5 * sum(2.0 - x for x in cut) / 4.0
    length = 4.0 / math.cos(angle)
    for size in (24, 48, 96, 192):
        grid = square(size)
        along, across = turned(grid, angle, center)
        flow = solve(Landscape(two_bumps(along, across), grid), [0.0], "spectral")
        partition = basins(flow)[0]
        right = along.reshape(-1)[partition.indices] > 0
        # nodes are counted, and labels are right to half a cell
        h = grid.spacing[0]
        assert abs(partition.shares[right].sum() - share) < 0.5 * length * h / 16.0
        # a line of nodes on each side
        assert partition.margins[0] == pytest.approx(length * h / 16.0, rel=0.5)


def brute_maxima(field: Array) -> set[int]:
    """First nodes of the connected sets of equal value without a higher neighbour, and not all of the field."""
    found = set()
    ones = np.ones((3,) * field.ndim)
    for value in np.unique(field):
        sets, count = label(field == value, ones)
        for number in range(1, count + 1):
            inside = sets == number
            grown = label(inside | (field > value), ones)[0]
            touching = grown == grown[tuple(np.argwhere(inside)[0])]
            if inside.sum() < field.size and not (touching & (field > value)).any():
                found.add(int(np.flatnonzero(inside)[0]))
    return found


@pytest.mark.parametrize("shape", [(40,), (9, 11), (5, 4, 6), (3, 4, 3, 4)])
@pytest.mark.parametrize("values", [2, 4, 1000])
def test_maxima_against_brute_force(shape: tuple[int, ...], values: int, rng: np.random.Generator) -> None:
    grid = Grid(*(Axis(f"x{i}", 0.0, 1.0 + i, n, boundary="clip") for i, n in enumerate(shape)))
    for _ in range(10):
        field = rng.integers(0, values, shape)
        labels, maxima = ascent_labels(field, grid)
        assert set(maxima.tolist()) == brute_maxima(field)
        flat = field.reshape(-1)
        assert (np.diff(flat[maxima[1:]]) <= 0).all()
        assert flat[maxima[0]] == flat.max()
        assert labels.reshape(-1)[maxima].tolist() == list(range(len(maxima)))
        reached = labels >= 0
        assert (flat[maxima[labels[reached]]] >= field[reached]).all()


def test_basins_wrap_around(rng: np.random.Generator) -> None:
    """Labels move along when the field is rolled."""
    grid = Grid(Axis("x", 0.0, 1.0, 24, boundary="periodic"), Axis("y", 0.0, 2.0, 31, boundary="periodic"))
    x, y = (2 * np.pi * mesh / axis.length for mesh, axis in zip(grid.mesh(), grid, strict=True))
    field = np.zeros(grid.shape)
    for k, m in itertools.product(range(3), repeat=2):
        field += rng.standard_normal() * np.cos(k * x + m * y + rng.uniform(0, 6))
    labels, maxima = ascent_labels(field, grid)
    shift = (7, 13)
    rolled, moved = ascent_labels(np.roll(field, shift, (0, 1)), grid)
    assert len(maxima) == len(moved) > 1
    assert np.array_equal(rolled, np.roll(labels, shift, (0, 1)))


def test_plateaus_and_shelves() -> None:
    grid = Grid(Axis("x", 0.0, 12.0, 13, boundary="clip"))
    #                            top-----  shelf-----------  top
    field = np.array([0.0, 1.0, 5, 5, 5, 3, 2, 2, 2, 2, 2, 4, 1])
    labels, maxima = ascent_labels(field, grid)
    assert maxima.tolist() == [2, 11]
    # the ends of the shelf have a higher neighbour; from within it ascent goes nowhere
    assert labels.tolist() == [0, 0, 0, 0, 0, 0, 0, -1, -1, -1, 1, 1, 1]
    # ascent leads up to a shelf and stalls
    up = ascent_labels(np.array([0.0, 1, 2, 2, 2, 2, 3, 4, 3, 2, 1, 0, -1]), grid)[0]
    assert up.tolist() == [-1] * 5 + [0] * 8
    # two equal nodes are no flat stretch, but an accident of sampling
    thin = ascent_labels(np.array([0.0, 1, 2, 2, 3, 4, 3, 2, 1, 0.5, 0.5, 1, 2]), grid)[0]
    assert thin.tolist() == [0] * 10 + [1] * 3


def test_a_shelf_that_is_met_in_pieces() -> None:
    """Node 15 is on the shelf of (2, 3), which has a higher neighbour: no maximum."""
    grid = Grid(Axis("x", 0.0, 3.0, 4, boundary="clip"), Axis("y", 0.0, 3.0, 4, boundary="clip"))
    field = np.array([[2, 1, 0, 3], [0, 1, 2, 3], [2, 3, 0, 1], [2, 1, 1, 1]])
    assert sorted(ascent_labels(field, grid)[1].tolist()) == [0, 3, 9]


def test_where_values_jump_the_steepest_slope_counts() -> None:
    grid = Grid(Axis("x", 0.0, 4.0, 5, boundary="clip"), Axis("y", 0.0, 4.0, 5, boundary="clip"))
    field = np.zeros(grid.shape)
    field[1, 3], field[2, 1], field[2, 3] = 2.0, 1.5, 1.5
    labels, maxima = ascent_labels(field, grid)
    assert maxima.tolist() == [8, 11]
    # the centre is level along both axes: slopes 1.5 to one side, 2 / sqrt(2) to the diagonal
    assert labels[2, 2] == 1
    line = Grid(Axis("x", 0.0, 7.0, 8, boundary="clip"))
    # between nodes 4 and 6 the path turns back: 4 is the higher neighbour
    assert ascent_labels([0.0, 2, 1, 0.5, 4, 3, 3.5, 2], line)[0].tolist() == [2, 2, 2, 0, 0, 0, 1, 1]


def test_round_off_is_told_from_maxima(rng: np.random.Generator) -> None:
    grid = square(65, 4.0)
    along, across = turned(grid, 0.5)
    clean = two_bumps(along, across)
    noisy = clean + 1e-9 * rng.uniform(-1.0, 1.0, grid.shape)
    assert len(ascent_labels(noisy, grid)[1]) > 20
    labels, maxima = ascent_labels(noisy, grid, tolerance=2e-9)
    expected = ascent_labels(clean, grid)[0]
    assert len(maxima) == 2
    # the bumps are equal, so noise decides which is first; steps of the tails below the noise are not tested
    first = along.reshape(-1)[maxima[0]] > 0
    steep = clean > 1e-4
    assert ((labels == 0) == ((along > 0) == first))[steep & (np.abs(along) > grid.spacing[0])].all()
    assert set(np.unique(expected)) == {0, 1}


def test_equal_tops_come_in_the_order_of_the_axes() -> None:
    grid = Grid(Axis("x", 0.0, 8.0, 9, boundary="clip"))
    field = np.array([0.0, 1, 0, 2, 0, 1 + 1e-15, 0, 2 + 1e-15, 0])
    assert ascent_labels(field, grid)[1].tolist() == [7, 3, 5, 1]
    assert ascent_labels(field, grid, tolerance=1e-14)[1].tolist() == [3, 7, 5, 1]


def test_a_scale_changes_nothing(rng: np.random.Generator) -> None:
    field = rng.standard_normal((20, 25))
    labels, maxima = ascent_labels(field, square(20, second=25))
    for scale, half in ((4.0, 2.0), (2.0**-60, 2.0**-600), (1.0, 2.0**600)):
        other, places = ascent_labels(scale * field, square(20, half, second=25))
        assert np.array_equal(other, labels) and np.array_equal(places, maxima)


def test_flat_fields_have_no_basins() -> None:
    labels, maxima = ascent_labels(np.full((5, 5), 3.0), square(5))
    assert len(maxima) == 0 and (labels == -1).all()
    noise = 1e-16 * np.arange(25.0).reshape(5, 5)
    assert len(ascent_labels(noise, square(5), tolerance=1e-14)[1]) == 0


def test_fields_that_cannot_be_labelled() -> None:
    grid = square(5)
    field = np.arange(25.0).reshape(5, 5)
    with pytest.raises(GridError, match="wrong shape"):
        ascent_labels(field[:4], grid)
    with pytest.raises(OptionError, match="real numbers"):
        ascent_labels(field + 1j, grid)
    with pytest.raises(OptionError, match="tolerance"):
        ascent_labels(field, grid, tolerance=math.nan)
    field[2, 3] = np.nan
    with pytest.raises(NonFiniteError, match=r"\(2, 3\)"):
        ascent_labels(field, grid)


@pytest.mark.parametrize("boundary", ["periodic", "clip"])
@pytest.mark.parametrize("shape", [(90,), (30, 41), (9, 10, 11)])
def test_labels_do_not_depend_on_whether_nodes_are_sorted(
    shape: tuple[int, ...], boundary: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each after those that it waits for, or all from the highest down: the same labels, where none are merged."""
    grid = Grid(*(Axis("xyz"[i], 0.0, 1.0 + i, n, boundary=boundary) for i, n in enumerate(shape)))
    in_place, ways = labelling.label_in_place, []

    def noted(*arguments: Any) -> Any:
        result = in_place(*arguments)
        ways.append(bool(result[0]))
        return result

    for width in (0.0, 1.0, 4.0):
        values = rng.standard_normal(shape)
        if width:
            values = solve(Landscape(values, grid), width * grid[0].spacing).values[0]
        # a tolerance of a tenth merges components, which needs the order
        for tolerance in (0.0, 0.1 * float(np.ptp(values))):
            with monkeypatch.context() as patch:
                patch.setattr(flooding, "label_in_place", noted)
                found = flooding.flood(values, grid, tolerance)
                patch.setattr(flooding, "label_in_place", lambda *arguments: (False, None, None))
                expected = flooding.flood(values, grid, tolerance)
            for name in ("labels", "maxima", "stalls"):
                np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert ways[0]
    assert not all(ways)


def test_pairs_of_basins_are_the_same_counted_or_sorted(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, before = rng.integers(-1, 4, 200).astype(np.int32), rng.integers(-1, 8, 200).astype(np.int32)
    weights = rng.uniform(0.0, 1.0, (10, 20))
    # outside of the box of the data: a pair without weight is one nevertheless
    now[0], before[0], weights[0, 0] = 4, 8, 0.0
    pairs, shares = watershed._joint(now, before, weights, 5, 9)
    monkeypatch.setattr(watershed, "_DENSE", 0)
    others, expected = watershed._joint(now, before, weights, 5, 9)
    np.testing.assert_array_equal(pairs, others)
    np.testing.assert_allclose(shares, expected, rtol=0, atol=200 * np.finfo(float).eps)
    assert {tuple(pair) for pair in pairs.tolist()} == set(zip(now.tolist(), before.tolist(), strict=True))
