"""What is said of a landscape does not depend on an offset, a factor, the origin of an axis or its unit."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from heatpg import Axis, Evolution, Grid, Landscape, evolve, study
from heatpg.evolution import solve
from heatpg.scalespace import Event, ScaleSpace, basins, critical_points, optimum_shape, price, track
from heatpg.scalespace.places import within_reach
from heatpg.scalespace.units import Units
from heatpg.solvers import solvers

Array = np.ndarray[Any, Any]
BOUNDARIES = ["periodic", "reflect", "absorb", "clip"]
EPS = float(np.finfo(np.float64).eps)


@dataclasses.dataclass(frozen=True)
class Move:
    """Q = offset + factor q, x = unit (origin + y)."""

    factor: float = 1.0
    origin: float = 0.0
    unit: float = 1.0
    offset: float = 0.0
    dtype: Any = np.float64

    def landscape(self, plain: Landscape) -> Landscape:
        axes = [
            dataclasses.replace(
                axis, lower=self.unit * (self.origin + axis.lower), upper=self.unit * (self.origin + axis.upper)
            )
            for axis in plain.grid
        ]
        values = (self.offset + self.factor * plain.values).astype(self.dtype)
        return Landscape.from_array(values, Grid(*axes))

    def sigma(self, plain: Grid, sigma: Any) -> Array:
        """Noise on the moved axes, whose lengths are rounded as their ends are."""
        return np.asarray(sigma) * unit(plain, self.landscape(Landscape.from_array(np.zeros(plain.shape), plain)).grid)

    def rounding(self, moved: Landscape) -> float:
        """By how much two nodes may have been moved apart because they were rounded, in units of q."""
        return float(np.spacing(np.abs(moved.values).max())) / self.factor

    @property
    def place(self) -> float:
        """By how much a place may have been moved because it was rounded, in units of y."""
        return 4.0 * float(np.spacing(abs(self.origin) + 1.0))


def unit(plain: Grid, moved: Grid) -> float:
    """Length of the moved axes over that of the plain ones."""
    return moved[0].length / plain[0].length


def waves(seed: int, dimensions: int, boundaries: list[str], nodes: str) -> Landscape:
    """A random sum of waves over a unit box, of osc 1: none of it is flat."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(40, 100, 1) if dimensions == 1 else rng.integers(14, 20, dimensions)
    grid = Grid(
        *(
            Axis(f"x{i}", 0.0, 1.0, int(n), boundary=b, nodes="vertex" if b == "periodic" else nodes)  # type: ignore[arg-type]
            for i, (n, b) in enumerate(zip(sizes, boundaries, strict=False))
        )
    )
    mesh, q = grid.mesh(), np.zeros(grid.shape)
    for _ in range(3 + 2 * dimensions):
        k = rng.integers(-3, 4, dimensions)
        phase = 2.0 * np.pi * sum(int(n) * x for n, x in zip(k, mesh, strict=True)) + rng.uniform(0.0, 7.0)
        q += rng.normal() * np.cos(phase) / (1.0 + 0.3 * float(np.abs(k).sum()))
    if np.ptp(q) < 0.1:
        q += np.cos(2.0 * np.pi * mesh[0] + 1.0)
    return Landscape.from_array((q - q.min()) / np.ptp(q) - 0.4, grid)


def noise(grid: Grid) -> Array:
    """From 1.6 spacings, where the grid resolves it, to a width at which the longest wave is still seen."""
    return np.geomspace(1.6 * max(grid.spacing), 0.25, 4)


def weakest(space: ScaleSpace) -> float:
    """The smallest curvature of all points, in units of max(sigma, h): what an error of a slope is divided by."""
    curvatures = [1.0]
    for level in range(len(space.sigma)):
        points = space.points(level)
        free = np.sort(np.abs(points.eigenvalues), axis=1)
        for values, count in zip(free, points.free.sum(axis=1), strict=True):
            curvatures += values[len(values) - count :].tolist()
    return min(curvatures)


def agree(plain: ScaleSpace, moved: ScaleSpace, move: Move) -> None:
    """Points, tracks and events of the one are those of the other, moved."""
    data, scale = move.rounding(moved.landscape), unit(plain.grid, moved.grid)
    first, last = (np.array([axis.lower for axis in grid]) for grid in (plain.grid, moved.grid))
    # A slope in units of sigma is off by less than `data` (the mean of abs(z) times half a unit in the last place), and
    # by 64 roundings of a sum; Newton's method ends at steps of 1e-9.
    slope = data + 64 * EPS
    for level in range(len(plain.sigma)):
        here, there = plain.points(level), moved.points(level)
        assert Counter(here.kinds) == Counter(there.kinds)
        length = np.maximum(plain.sigmas(float(plain.sigma[level])), np.array(plain.grid.spacing))
        allowed = 1e-8 + 4.0 * slope / weakest(plain) + move.place / float(length.min())
        around = np.array([1.0 if axis.rule.periodic else np.inf for axis in plain.grid])
        for place, value, kind in zip(here.positions, here.values, here.kind, strict=True):
            apart = np.abs((there.positions - last) / scale + first - place)
            distance = (np.minimum(apart, np.abs(around - apart)) / length).max(axis=1)
            nearest = int(np.where(there.kind == kind, distance, np.inf).argmin())
            assert distance[nearest] <= allowed
            # values are means of nodes, but where the two cells that absorb are continued straight on: three times
            # these along an axis
            value_apart = (float(there.values[nearest]) - move.offset) / move.factor - value
            assert abs(value_apart) <= 5.0 * data + 64 * EPS
    assert len(plain.tracks) == len(moved.tracks)
    same_events(plain.events, moved.events, scale)
    assert (plain.optimum >= 0).tolist() == (moved.optimum >= 0).tolist()


def same_events(plain: list[Event], moved: list[Event], scale: float = 1.0) -> None:
    assert Counter(event.kind for event in plain) == Counter(event.kind for event in moved)
    left = list(moved)
    for event in plain:
        alike = [other for other in left if other.kind == event.kind]
        other = min(alike, key=lambda one: abs(one.sigma / scale - event.sigma))
        left.remove(other)
        # each is known to its uncertainty; where the cells that absorb are continued, to five times that (see above)
        known = event.uncertainty + other.uncertainty / scale
        assert abs(other.sigma / scale - event.sigma) <= 5.0 * known + 64 * EPS * event.sigma


def known(space: ScaleSpace) -> bool:
    """Whether nothing happens that only symmetry, or the resolution, decides."""
    return not {"lost", "found", "fades", "emerges"} & {event.kind for event in space.events}


problems = st.builds(
    waves,
    st.integers(0, 10_000),
    st.sampled_from([1, 1, 2]),
    st.lists(st.sampled_from(BOUNDARIES), min_size=2, max_size=2),
    st.sampled_from(["vertex", "cell"]),
)
exact_moves = st.builds(
    Move,
    factor=st.sampled_from([1e-300, 1e-170, 1e-8, 3.0, 1e20, 1e150, 1e300]),
    origin=st.sampled_from([0.0, 7.0, -1e6, 1.7e9, 1e12]),
    unit=st.sampled_from([1e-100, 1e-9, 1.0, 86400.0, 1e100]),
)
quick = settings(max_examples=15, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])


@quick
@given(problems, exact_moves)
@example(waves(723, 2, ["reflect", "reflect"], "vertex"), Move(factor=1e150, unit=86400.0))  # a fork on a mirror
def test_tracks_follow_factor_origin_and_unit(plain: Landscape, move: Move) -> None:
    sigma = noise(plain.grid)
    space = track(solve(plain, sigma))
    assume(known(space))
    agree(space, track(solve(move.landscape(plain), move.sigma(plain.grid, sigma))), move)


@quick
@given(problems, st.sampled_from([1e3, -(2.0**20), 1e9, 1e12]), st.sampled_from([np.float64, np.float32]))
def test_tracks_follow_an_offset(plain: Landscape, offset: float, dtype: Any) -> None:
    sigma = noise(plain.grid)
    space = track(solve(plain, sigma))
    # a point whose curvature is not above what the rounding of the nodes does to it is not there any more
    most = 1e-3 * weakest(space) / float(np.finfo(dtype).eps)
    assume(known(space) and most > 1.0)
    move = Move(offset=float(np.clip(offset, -most, most)), dtype=dtype)
    agree(space, track(solve(move.landscape(plain), sigma)), move)


@quick
@given(problems, exact_moves, st.sampled_from([0.0, 1e3, 1e9]))
def test_prices_and_basins_follow(plain: Landscape, move: Move, offset: float) -> None:
    sigma = noise(plain.grid)
    flow = solve(plain, sigma)
    space = track(flow, "maximum")
    most = min(1e-3 * weakest(space) / EPS, 1e308 / move.factor)
    assume(known(space) and most > 1.0)
    # an offset beside a factor, as both are of Q
    move = dataclasses.replace(move, offset=move.factor * min(offset, most))
    moved = solve(move.landscape(plain), move.sigma(plain.grid, sigma))
    data = move.rounding(moved.landscape)
    curve, other = price(space), price(track(moved, "maximum"))
    # Q is read where the optimum is: its slope is at most osc(Q) times the largest wave number, 6 pi per axis
    apart = 0.25 * (1e-8 + 4.0 * (data + 64 * EPS) / weakest(space)) + move.place
    allowed = 40.0 * apart + 8.0 * data + 1e-12
    np.testing.assert_allclose(other.price / move.factor, curve.price, rtol=0, atol=allowed)
    np.testing.assert_allclose(other.drop / move.factor, curve.drop, rtol=0, atol=allowed)
    limit = 0.5 * float(curve.price.max())
    if limit > 10.0 * allowed:
        assert (curve.largest_sigma(limit).sigma is None) == (other.largest_sigma(limit * move.factor).sigma is None)
    here = basins(flow)
    # maxima that the rounding of the nodes may make or fill in
    assume((basins(flow, tolerance=100.0 * data + 1e-10).counts == here.counts).all())
    there = basins(moved)
    assert (here.counts == there.counts).all()
    for one, two in zip(here.partitions, there.partitions, strict=True):
        # of two nodes that share the top the rounding decides, but not of their height; a solver is good to 1e-12 here
        heights = (two.values - move.offset) / move.factor
        # a length that was rounded, by as much as a place, changes sigma over it, and u by t u'' times twice that
        np.testing.assert_allclose(heights, one.values, rtol=0, atol=5.0 * data + 1e-12 + 2.0 * move.place)
        # each share is uncertain by its own margin
        np.testing.assert_array_less(np.abs(one.shares - two.shares), one.margins + two.margins + 1e-12)


@pytest.mark.parametrize("name", solvers.names())
def test_every_solver_gives_the_same_tracks(name: str) -> None:
    plain = waves(3, 1, ["periodic"], "vertex")
    sigma = noise(plain.grid)
    for move in (Move(offset=1e9), Move(1e-300, 1.7e9, 1e-100), Move(1e300, -1e6, 1e100)):
        flow = solve(move.landscape(plain), move.sigma(plain.grid, sigma), name)
        agree(track(solve(plain, sigma, name)), track(flow), move)


# Inputs that were found in the wild -----------------------------------------------------------------------------------


def three_waves(kind: Any, offset: float, factor: float = 1.0) -> Landscape:
    axis = Axis("x", 0.0, 2.0 * np.pi, 128, boundary="periodic")
    x = axis.coordinates
    q = np.cos(x) + 0.6 * np.cos(3.0 * x + 0.5) + 0.4 * np.cos(5.0 * x - 1.0)
    return Landscape.from_array((offset + factor * q).astype(kind), Grid(axis))


def exact_deaths() -> list[float]:
    """Where u' = u'' = 0 for u = sum a_k exp(-k^2 s^2 / 2) cos(k x + phi_k), on a fine grid and by Newton's method."""
    waves_ = np.array([[1.0, 1.0, 0.0], [0.6, 3.0, 0.5], [0.4, 5.0, -1.0]])
    a, k, phi = waves_.T

    def derivative(x: float, s: float, order: int) -> float:
        return float((a * k**order * np.exp(-0.5 * (k * s) ** 2) * np.cos(k * x + phi + 0.5 * np.pi * order)).sum())

    found = []
    for x, s in ((1.28, 0.43), (4.42, 0.43)):
        for _ in range(30):
            system = np.array(
                [
                    [derivative(x, s, 2), s * derivative(x, s, 3)],
                    [derivative(x, s, 3), s * derivative(x, s, 4)],
                ]
            )
            step = np.linalg.solve(system, [-derivative(x, s, 1), -derivative(x, s, 2)])
            x, s = x + step[0], s + step[1]
        found.append(s)
    return found


@pytest.mark.parametrize(
    ("kind", "offset", "factor"),
    [
        (np.float64, 0.0, 1.0),
        (np.float64, 1e9, 1.0),
        (np.float64, 1e12, 1.0),
        (np.float32, 1e3, 1.0),
        (np.float64, 0.0, 1e-310),
        (np.float64, 0.0, 1e300),
    ],
)
def test_two_deaths_and_as_many_maxima_in_the_report(kind: Any, offset: float, factor: float) -> None:
    flow = evolve(three_waves(kind, offset, factor), np.geomspace(0.15, 1.2, 8))
    space = track(flow)
    assert [event.kind for event in space.events] == ["death", "death"]
    for event, exact in zip(space.events, exact_deaths(), strict=True):
        assert abs(event.sigma - exact) <= 3.0 * event.uncertainty
    # the rounding of the nodes is what it is known to
    relative = float(np.spacing(np.abs(flow.landscape.values).max())) / factor
    assert max(event.uncertainty for event in space.events) < 1e-13 + 2.0 * relative
    assert space.count().tolist() == [3, 3, 3, 3, 1, 1, 1, 1]
    assert space.count("minimum").tolist() == [3, 3, 3, 3, 1, 1, 1, 1]
    report = {check.name: check for check in flow.report}
    assert "3 (x5) -> 1 (x4)" in report["spatial maxima"].message
    assert report["number of extrema"].status == "passed"
    assert basins(flow).counts.tolist() == [3, 3, 3, 3, 3, 1, 1, 1, 1]


@pytest.mark.parametrize(
    "arguments",
    [
        (5640, 2, ["reflect", "clip"], "cell"),
        (9, 2, ["clip", "reflect"], "vertex"),  # the optimum jumps beside a fork
        (13, 1, ["reflect"], "cell"),
    ],
    ids=str,
)
def test_forks_on_mirrors_end_as_many_tracks_in_any_unit(arguments: Any) -> None:
    plain = waves(*arguments)
    sigma = noise(plain.grid)
    space = track(solve(plain, sigma))
    assert {"merge"} <= {event.kind for event in space.events}
    # these had one track more, or fewer, for about every second factor
    for factor in (1e-8, 0.37, 1.7, 3.0, 1e20):
        move = Move(factor)
        agree(space, track(solve(move.landscape(plain), sigma)), move)


def test_no_jump_is_invented_on_a_torus() -> None:
    rng = np.random.default_rng(7)
    grid = Grid(*(Axis(name, 0.0, 1.0, 64, boundary="periodic") for name in "xy"))
    x, y = grid.mesh()
    q = sum(
        rng.normal() * np.cos(2.0 * np.pi * (k * x + n * y) + rng.uniform(0.0, 6.0))
        for k, n in rng.integers(-3, 4, (8, 2))
    )
    plain = Landscape.from_array(q, grid)
    sigma = np.geomspace(0.04, 0.25, 6)
    agree(track(solve(plain, sigma)), track(solve(Move(offset=1e9).landscape(plain), sigma)), Move(offset=1e9))


def two_bumps(dimensions: int) -> Landscape:
    if dimensions == 1:
        axis = Axis("x", -4.0, 4.0, 161, boundary="clip")
        return Landscape.from_function(
            lambda x: 0.6 * np.exp(-((x + 1.0) ** 2) / 0.18) + np.exp(-((x - 1.0) ** 2) / 0.18), Grid(axis)
        )
    grid = Grid(*(Axis(name, -3.0, 3.0, 61, boundary="clip") for name in "xy"))
    return Landscape.from_function(
        lambda x, y: (
            np.exp(-((x - 1.0) ** 2 + (y - 0.2) ** 2) / 0.5) + 0.8 * np.exp(-((x + 1.0) ** 2 + (y + 0.3) ** 2) / 0.4)
        ),
        grid,
    )


@pytest.mark.parametrize("move", [Move(1e-8), Move(1e20), Move(1e-170), Move(1e-300), Move(1e300)])
@pytest.mark.parametrize("dimensions", [1, 2])
def test_bumps_with_tails_follow_a_factor(move: Move, dimensions: int) -> None:
    plain, sigma = two_bumps(dimensions), np.geomspace(0.16, 1.5, 8)
    space = track(solve(plain, sigma))
    same_events(space.events, track(solve(move.landscape(plain), sigma)).events)
    if dimensions == 1:
        # the fold of the exact sum of two Gaussians
        assert [event.kind for event in space.events] == ["death"]
        assert abs(space.events[0].sigma - 0.7365973095871) < 1e-9


def test_no_birth_is_invented_in_the_tails_of_bumps() -> None:
    plain, sigma = two_bumps(2), np.geomspace(0.16, 1.5, 8)
    moved = track(solve(Move(offset=-(2.0**20)).landscape(plain), sigma))
    # in the corners, where slopes are below the rounding of the nodes, extrema may come into sight
    assert {event.kind for event in moved.events} <= {"death", "emerges"}
    inside = [event for event in moved.events if max(map(abs, event.position)) < 2.9]
    same_events(inside, [event for event in track(solve(plain, sigma)).events if abs(event.position[1]) < 2.9])


def test_places_far_from_zero_are_told_with_their_digits() -> None:
    plain, sigma = two_bumps(1), np.geomspace(0.16, 1.5, 8)
    space = track(solve(Move(origin=1.7e9).landscape(plain), sigma))
    assert "(1699999999.394)" in str(space.events[0])
    assert "(1700000001" in str(space)


def test_both_ends_of_an_axis_far_from_zero_are_met_exactly() -> None:
    """A place on the edge is told by comparing it with the bound, so it must be the bound to the last bit."""
    rng = np.random.default_rng(7)
    for lower in rng.uniform(-1.0, 1.0, 40) * 1e9:
        axis = Axis("x", float(lower), float(lower) + 0.3, 31, boundary="clip")
        units = Units(Grid(axis))
        ends = np.array([[units.pure[0].lower], [units.pure[0].upper]])
        assert units.places(ends).ravel().tolist() == [axis.lower, axis.upper]


def test_critical_points_and_widths_follow() -> None:
    plain, sigma = two_bumps(2), [0.3, 0.4]
    move = Move(1e-200, 5e11, 1e-60, 1e-190)  # an offset of 1e10 times the range
    moved, scale = move.landscape(plain), unit(plain.grid, move.landscape(plain).grid)
    points, others = critical_points(plain, 0.3, "maximum"), critical_points(moved, 0.3 * scale, "maximum")
    order, other = np.argsort(points.values)[-2:], np.argsort(others.values)[-2:]
    back = (others.positions[other] - moved.grid[0].lower) / scale + plain.grid[0].lower
    np.testing.assert_allclose(back, points.positions[order], atol=move.place, rtol=0)
    shape, wide = (optimum_shape(track(solve(q, s))) for q, s in ((plain, sigma), (moved, np.array(sigma) * scale)))
    # of curvatures of the size of one, of a Q that was rounded to 1e-6
    np.testing.assert_allclose(wide.widths / scale, shape.widths, rtol=10.0 * move.rounding(moved))


def numbers(page: Any, factor: float = 1.0, scale: float = 1.0) -> dict[str, Any]:
    """What a study says in numbers, moved back."""
    space = page.space

    def event(one: Event | None) -> Any:
        return None if one is None else (one.kind, one.sigma / scale)

    return {
        "jump": event(space.sigma_jump),
        "death": event(space.sigma_death),
        "price": page.price / factor,
        "keeps": None if page.keeps.sigma is None else page.keeps.sigma / scale,
        "single": None if page.single.sigma is None else page.single.sigma / scale,
        "needle": page.needle_lost,
    }


@pytest.mark.parametrize(
    "move",
    [
        Move(offset=1e9),
        Move(offset=-1e12),
        Move(offset=1e3, dtype=np.float32),
        Move(1e-310),
        Move(1e300, 1e12),
        Move(1e-300, 1.7e9, 1e-100),
        Move(1e100, -1e6, 1e100),
    ],
)
def test_a_study_is_that_of_the_plain_landscape(move: Move) -> None:
    axis = Axis("x", 0.0, 1.0, 97, boundary="periodic")
    x = 2.0 * np.pi * axis.coordinates
    q = np.cos(x) + 0.6 * np.cos(3.0 * x + 0.5) + 0.4 * np.cos(5.0 * x - 1.0)
    plain, sigma = Landscape.from_array(q / np.ptp(q), Grid(axis)), np.geomspace(0.02, 0.2, 10)
    moved = move.landscape(plain)
    one, two = (study(q, move.sigma(plain.grid, sigma) if q is moved else sigma, checks="none") for q in (plain, moved))
    expected, found = numbers(one), numbers(two, move.factor, unit(plain.grid, moved.grid))
    # all of it depends on slopes and curvatures of the size of one; sums of nodes are as exact as the nodes
    tolerance = 30.0 * move.rounding(moved) + 1e-8
    for name, value in expected.items():
        if isinstance(value, float):
            assert abs(found[name] - value) <= tolerance
        elif isinstance(value, tuple):
            assert found[name][0] == value[0] and abs(found[name][1] - value[1]) <= tolerance
        else:
            assert found[name] == value
    for text in (str(two), two._repr_html_()):
        assert "nan" not in text and "inf" not in text.replace("info", "")
    assert isinstance(two.as_dict(), dict)


def test_no_evolution_is_changed() -> None:
    flow: Evolution = solve(three_waves(np.float64, 1e9), [0.2, 0.4])
    before = flow.values.copy()
    space = track(flow)
    assert (flow.values == before).all() and space.evolution is flow


def test_a_search_that_strays_ends_and_raises_nothing() -> None:
    # Newton's method for a fold leaves the box by more than its length here, where an absorbing axis has no field
    plain, move = waves(958770, 2, ["absorb", "periodic"], "cell"), Move(1e-8, 1e12)
    sigma = noise(plain.grid)
    agree(track(solve(plain, sigma)), track(solve(move.landscape(plain), move.sigma(plain.grid, sigma))), move)
    far = within_reach(plain.grid, np.array([[40.0, 40.0], [-3.0, 0.5], [1.5, 0.5]]))
    np.testing.assert_allclose(far, [[1.9, 40.0], [-0.9, 0.5], [1.5, 0.5]])


@pytest.mark.parametrize("apart", [0.5, 1e-3, 1e-6, 1e-8])
@pytest.mark.parametrize("offset", [2.0**31, -(2.0**31), 2.0**40, 2.0**24 + 1])
def test_a_jump_is_found_under_an_exact_offset(apart: float, offset: float) -> None:
    grid = Grid(Axis("x", -5.0, 5.0, 201, boundary="clip"))
    x = grid[0].coordinates
    values = np.exp(-0.5 * ((x - 2.0) / 0.2) ** 2) + 0.7 * np.exp(-0.5 * ((x + 2.0) / 0.9) ** 2)
    # of so few digits that the sums are exact
    values = np.round(values * 2.0**12) / 2.0**12
    np.testing.assert_array_equal((values + offset) - offset, values)

    def lead(sigma: float) -> float:
        sums = [np.exp(-0.5 * ((place - x) / sigma) ** 2) @ values for place in (2.0, -2.0)]
        return float(sums[0] - sums[1]) / sigma

    # both maxima lie at the middle of a bump but for the tail of the other and the rounding
    near = brentq(lead, 0.1, 0.5)
    (jump,) = track(solve(Landscape(values, grid), np.geomspace(0.1, 0.6, 12)), "maximum").jumps
    assert abs(jump.sigma - near) < 1e-4
    sigma = jump.sigma * np.array([1.0 - apart, 1.0, 1.0 + apart])
    for moved in (values, values + offset):
        (found,) = track(solve(Landscape(moved, grid), sigma), "maximum").jumps
        assert abs(found.sigma - jump.sigma) <= 1e-10
        assert abs(found.position[0] - jump.position[0]) < 1e-6
