"""Tracks of critical points: against closed forms, against Morse theory, and with everything that has no tracks."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, fsolve

from heatpg import Axis, Grid, Landscape, errors
from heatpg.core.field import HeatField
from heatpg.evolution import Evolution, solve
from heatpg.scalespace import Event, ScaleSpace, track
from heatpg.scalespace.critical import KINDS, find
from heatpg.scalespace.following import Follower
from heatpg.scalespace.linking import Links
from heatpg.scalespace.units import RoundOff

EPS = float(np.finfo(np.float64).eps)


def box(half: float, size: int, dimensions: int = 1, boundary: str = "clip") -> Grid:
    return Grid(*(Axis("xyz"[i], -half, half, size, boundary=boundary) for i in range(dimensions)))


def torus(size: int, dimensions: int) -> Grid:
    return Grid(*(Axis(f"x{i}", 0.0, float(size), size, boundary="periodic") for i in range(dimensions)))


def rough(grid: Grid, seed: int) -> Landscape:
    return Landscape(np.random.default_rng(seed).standard_normal(grid.shape), grid)


def bumps(grid: Grid, *peaks: tuple[float, float, tuple[float, ...]]) -> Landscape:
    """Sum of round Gaussians (height, width, centre)."""
    return Landscape.from_function(
        lambda *x: sum(
            h * np.exp(-sum((xi - ci) ** 2 for xi, ci in zip(x, c, strict=True)) / (2 * w**2)) for h, w, c in peaks
        ),
        grid,
    )


def flow(landscape: Landscape, low: float, high: float, levels: int) -> Evolution:
    return solve(landscape, np.geomspace(low, high, levels))


def honest(event: Event | None, exact: float) -> None:
    """Right to 1e-6, and within three times the stated uncertainty (and the round-off of sigma itself)."""
    assert event is not None
    assert abs(event.sigma - exact) < 1e-6 * exact
    assert abs(event.sigma - exact) <= 3.0 * event.uncertainty + 8 * EPS * exact
    assert event.uncertainty < 1e-6 * exact


def check_topology(space: ScaleSpace) -> None:
    """Two that meet, or part, differ by one in their index; tracks are consecutive and know their events."""
    for event in space.events:
        if event.kind == "jump":
            continue
        members = [space.tracks[number] for number in event.tracks]
        if event.kind in ("death", "birth") and len(members) > 1:
            assert len(members) == 2, event
            assert abs(members[0].index - members[1].index) == 1, event
        for one in members:
            assert event in (one.birth, one.death)
    for one in space.tracks:
        assert (np.diff(one.levels) == 1).all()
        assert one.birth is not None or one.levels[0] == 0, one
        assert one.death is not None or one.levels[-1] == len(space.sigma) - 1, one
        if one.birth is not None:
            assert one.birth.sigma <= one.sigma[0] * (1 + 1e-9)
        if one.death is not None:
            assert one.death.sigma >= one.sigma[-1] * (1 - 1e-9)


def check_monotone(space: ScaleSpace) -> None:
    """Non-enhancement: maxima never rise, minima never fall."""
    tolerance = 64 * EPS * float(np.abs(space.landscape.values).max())
    for one in space.tracks:
        if not one.on_edge and one.kind != "saddle":
            sign = 1.0 if one.kind == "maximum" else -1.0
            assert (sign * np.diff(one.values) <= tolerance).all(), one


# Deaths ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "w", "first"), [(1.0, 0.3, 0.01), (1.0, 0.3, 0.05), (1.0, 0.5, 0.1), (0.7, 0.4, 0.1), (1.5, 0.2, 0.05)]
)
def test_two_equal_bumps_on_a_line(a: float, w: float, first: float) -> None:
    space = track(flow(bumps(box(6.0, 401), (1.0, w, (a,)), (1.0, w, (-a,))), first, 2.0, 9))
    honest(space.sigma_death, math.sqrt(a**2 - w**2))
    assert space.sigma_death is not None and space.sigma_death.kind in ("merge", "death")
    assert space.sigma_jump is None
    assert any("equal maxima" in flag for flag in space.flags)
    assert space.count("maximum").tolist() == [2 if s**2 < a**2 - w**2 else 1 for s in space.sigma]
    check_topology(space)
    check_monotone(space)


@pytest.mark.parametrize("angle", [0.0, 30.0, 45.0, 77.0])
def test_two_equal_bumps_in_the_plane(angle: float) -> None:
    a, w = 1.0, 0.4
    c = (a * math.cos(math.radians(angle)), a * math.sin(math.radians(angle)))
    space = track(flow(bumps(box(5.0, 101, 2), (1.0, w, c), (1.0, w, (-c[0], -c[1]))), 0.2, 1.5, 7))
    honest(space.sigma_death, math.sqrt(a**2 - w**2))
    check_topology(space)


def test_two_equal_bumps_in_space() -> None:
    a, w = 1.0, 0.5
    grid = box(5.0, 41, 3)
    space = track(flow(bumps(grid, (1.0, w, (a, 0.0, 0.0)), (1.0, w, (-a, 0.0, 0.0))), 0.5, 1.2, 4))
    honest(space.sigma_death, math.sqrt(a**2 - w**2))


def test_wall_that_mirrors_makes_two_of_one() -> None:
    # half of the two: the bump meets the wall at the same sigma, and goes on there
    a, w = 1.0, 0.4
    grid = Grid(Axis("x", 0.0, 8.0, 401, boundary="reflect"))
    space = track(flow(bumps(grid, (1.0, w, (a,)), (1.0, w, (-a,))), 0.1, 2.0, 9))
    (event,) = [event for event in space.events if event.kind in ("merge", "death")]
    # The slope at the wall, which is zero, is found from four nodes, and missed by h^3 / 4 of the fourth derivative, as
    # the third is by 3 h / 2; with the leading terms of D_1 and D_3 that adds h^5 (1 / 24 - 1 / 240) of it, times g, to
    # u. The second derivative, which vanishes at the merger and falls as sigma u'''' there, is less by a share
    # 1 / sigma^2. By Hermite's polynomials, of bumps that are as wide as they are apart by then:
    h, sigma = grid[0].spacing, math.sqrt(a**2 - w**2)
    fourth = 2.0 * (w**-4 - 6.0 * w**-2 + 3.0) / w**4 * math.exp(-0.5 / w**2)
    added = h**5 * (1 / 24 - 1 / 240) * fourth / (math.sqrt(2.0 * math.pi) * sigma**3)
    moved = added / (sigma * 2.0 * w * 2.0 * math.exp(-0.5))
    assert sigma - event.sigma == pytest.approx(moved, rel=0.1, abs=3.0 * event.uncertainty)
    assert space.count("maximum").tolist() == [1] * 9
    assert abs(space.optimum_positions[-1, 0]) < 1e-9


def fold_of(h: float, w: float) -> tuple[float, float]:
    """Where u' = u'' = 0 for bumps of heights 1 at 1 and h at -1: (position, t)."""

    def system(z: np.ndarray) -> list[float]:
        x, v = z[0], w**2 + z[1]
        one, two = math.exp(-((x - 1) ** 2) / (2 * v)), h * math.exp(-((x + 1) ** 2) / (2 * v))
        return [
            -(x - 1) * one - (x + 1) * two,
            ((x - 1) ** 2 / v - 1) * one + ((x + 1) ** 2 / v - 1) * two,
        ]

    x, t = fsolve(system, [-0.5, 0.6 - w**2], xtol=1e-12)
    assert max(map(abs, system(np.array([x, t])))) < 1e-13
    return float(x), float(t)


@pytest.mark.parametrize("factor", [1.0, 3.0, 1e-8, 1e20])
@pytest.mark.parametrize(("c", "kind"), [(0.3, "leaves edge"), (-0.1, "death")])
def test_a_wall_that_holds_its_values_lets_go(c: float, kind: str, factor: float) -> None:
    """Across it the second derivative is zero, so that the third decides whether the maximum on it goes on inside.

    With E = exp(-pi^2 t / 2) the slope at (0, 0) is pi (E + 2 c E^4 - 2.5 E^5), and where it vanishes the third
    derivative is -6 pi^3 c E^4.
    """
    grid = Grid(Axis("x", 0.0, 1.0, 41, boundary="absorb"), Axis("y", 0.0, 1.0, 32, boundary="periodic"))
    x, y = grid.mesh()
    along = np.cos(2.0 * np.pi * y)
    q = 0.3 * along + np.sin(np.pi * x) * (1.0 - 2.5 * along) + c * np.sin(2.0 * np.pi * x)
    space = track(solve(Landscape(factor * q, grid), [0.12, 0.2, 0.26]), "maximum")
    there = [event for event in space.events if max(abs(event.position[0]), abs(event.position[1] - 0.5) - 0.5) < 1e-6]
    last = brentq(lambda e: 1.0 + 2.0 * c * e**3 - 2.5 * e**4, 0.5, 1.0, xtol=1e-14)
    assert [event.kind for event in there] == [kind]
    assert there[0].sigma == pytest.approx(math.sqrt(-2.0 * math.log(last)) / math.pi, rel=1e-7)


@pytest.mark.parametrize("factor", [1.0, 1.7, 1e-8, 1e20])
@pytest.mark.parametrize("levels", [[0.2, 0.3], [0.15, 0.22, 0.242, 0.244, 0.27]])
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("dimensions", [1, 2])
def test_mirror_images_meet_at_a_wall(dimensions: int, nodes: str, levels: list[float], factor: float) -> None:
    """The maximum inside and the minimum on the wall become a maximum on the wall, and all three are told.

    cos(pi x) - 0.6 cos(2 pi x) flows to e cos(pi x) - 0.6 e^4 cos(2 pi x), e = exp(-pi^2 t / 2), whose second
    derivative on the wall vanishes where 2.4 e^3 = 1.
    """
    axes = [Axis("x", 0.0, 1.0, 97, boundary="reflect", nodes=nodes), Axis("y", 0.0, 1.0, 24, boundary="periodic")]  # type: ignore[arg-type]
    grid = Grid(*axes[:dimensions])
    x, *rest = grid.mesh()
    q = np.cos(np.pi * x) - 0.6 * np.cos(2.0 * np.pi * x) + sum(0.7 * np.cos(2.0 * np.pi * y) for y in rest)
    space = track(solve(Landscape(factor * q, grid), levels))
    # another along the circle has its own saddles
    merges = [event for event in space.events if event.kind == "merge"]
    assert len(merges) == dimensions
    assert len(space.events) == dimensions
    for event in merges:
        # the slope of the wave at the wall, from four nodes, is not quite zero
        assert event.sigma == pytest.approx(math.sqrt(2.0 * math.log(2.4) / 3.0) / math.pi, rel=1e-6)
        assert event.position[0] == pytest.approx(0.0, abs=1e-9)
        met = [space.tracks[number] for number in event.tracks]
        ends, begins = ([one for one in met if one.death is event], [one for one in met if one.birth is event])
        assert len(ends) == 2
        assert len(begins) == 1
        inside, wall = sorted(ends, key=lambda one: -one.positions[-1, 0])
        assert inside.positions[-1, 0] > 1e-3
        assert wall.positions[-1, 0] == pytest.approx(0.0, abs=1e-9)
        assert inside.kind == begins[0].kind != wall.kind
    # the optimum has gone nowhere else
    assert not space.jumps
    assert (space.optimum >= 0).all()


@pytest.mark.parametrize("h", [0.6, 0.3, 0.9])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_fold_of_unequal_bumps(h: float, dimensions: int) -> None:
    w = 0.4
    x, t = fold_of(h, w)
    grid = box(5.0, {1: 401, 2: 101, 3: 41}[dimensions], dimensions)
    rest = (0.0,) * (dimensions - 1)
    space = track(flow(bumps(grid, (1.0, w, (1.0, *rest)), (h, w, (-1.0, *rest))), 0.4, 1.3, 3 + dimensions))
    # along the edges of the box, where u is round-off, there are others
    (death,) = [event for event in space.events if event.kind == "death" and len(event.tracks) == 2]
    honest(death, math.sqrt(t))
    assert death.position == pytest.approx((x, *rest), abs=1e-7)
    assert {space.tracks[n].kind for n in death.tracks} == {"maximum", "minimum" if dimensions == 1 else "saddle"}
    assert space.sigma_death is None  # the higher one stays


def test_square_root_law_and_drift_towards_a_fold() -> None:
    w = 0.4
    x, t = fold_of(0.6, w)
    space = track(flow(bumps(box(6.0, 601), (1.0, w, (1.0,)), (0.6, w, (-1.0,))), 0.1, 1.5, 30))
    (death,) = [event for event in space.events if event.kind == "death"]
    number = next(n for n in death.tracks if space.tracks[n].kind == "maximum")
    distances = [abs(space.locate(number, math.sqrt(t - d))[0][0] - x) for d in (1e-4, 1e-6)]
    assert distances[0] / distances[1] == pytest.approx(10.0, rel=0.01)
    with pytest.raises(errors.SigmaError, match="does not exist"):
        space.locate(number, 1.01 * math.sqrt(t))


# Jumps -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dimensions", "figure"), [(1, 0.03757), (2, 0.02504), (3, None)])
def test_jump_between_far_peaks(dimensions: int, figure: float | None) -> None:
    # the formula holds for peaks that do not feel each other; in the plane on axes of different resolution
    (h1, w1), (h2, w2) = ((1.0, 0.05), (0.8, 1.0)) if dimensions < 3 else ((1.0, 0.3), (0.7, 0.8))
    r = (h1 / h2) ** (2 / dimensions)
    exact = math.sqrt(w1**2 * w2**2 * (r - 1) / (w2**2 - r * w1**2))
    if figure is not None:
        assert round(exact, 5) == figure
    far = {1: 10.0, 2: 5.0, 3: 4.5}[dimensions]
    axes = [Axis("x", -far - 4.0, far + 1.0, {1: 2501, 2: 1401, 3: 141}[dimensions], boundary="clip")]
    axes += [Axis("yz"[i], -3.0, 3.0, {1: 401, 2: 61}[dimensions - 1], boundary="clip") for i in range(dimensions - 1)]
    rest = (0.0,) * (dimensions - 1)
    landscape = bumps(Grid(*axes), (h1, w1, (far, *rest)), (h2, w2, (-far, *rest)))
    space = track(flow(landscape, 0.93 * exact, 2.0 * exact, 4), "maximum")
    assert space.sigma_jump is not None
    assert abs(space.sigma_jump.sigma - exact) < 1e-6 * exact
    if dimensions == 1:  # the boxes of the others cut the broad peak at 3 to 4 widths
        honest(space.sigma_jump, exact)
    assert space.sigma_jump.position == pytest.approx((-far, *rest), abs=1e-3)
    assert [space.tracks[n].positions[0, 0] for n in space.sigma_jump.tracks] == pytest.approx([far, -far], abs=1e-3)
    assert len(space.jumps) == 1


def test_jump_and_death_differ() -> None:
    # one level on each side is enough for both
    landscape = bumps(box(5.0, 501), (1.0, 0.1, (1.0,)), (0.9, 0.5, (-1.0,)))
    space = track(flow(landscape, 0.04, 2.0, 20), "maximum")
    assert space.sigma_jump is not None and space.sigma_death is not None

    def lead(t: float) -> float:
        def top(x0: float) -> float:
            def slope(x: float) -> float:
                return float(
                    sum(
                        -h * w / (w**2 + t) ** 1.5 * (x - c) * math.exp(-((x - c) ** 2) / (2 * (w**2 + t)))
                        for h, w, c in ((1.0, 0.1, 1.0), (0.9, 0.5, -1.0))
                    )
                )

            x = float(brentq(slope, x0 - 0.1, x0 + 0.1, xtol=1e-15))
            return float(
                sum(
                    h * w / math.sqrt(w**2 + t) * math.exp(-((x - c) ** 2) / (2 * (w**2 + t)))
                    for h, w, c in ((1.0, 0.1, 1.0), (0.9, 0.5, -1.0))
                )
            )

        return float(top(-1.0) - top(1.0))

    honest(space.sigma_jump, math.sqrt(brentq(lead, 0.03**2, 0.08**2, xtol=1e-16)))
    assert space.sigma_death.sigma > 5 * space.sigma_jump.sigma
    few = track(flow(landscape, 0.04, 2.0, 3), "maximum")
    assert few.sigma_jump is not None and few.sigma_death is not None
    assert few.sigma_jump.sigma == pytest.approx(space.sigma_jump.sigma, rel=1e-9)
    assert few.sigma_death.sigma == pytest.approx(space.sigma_death.sigma, rel=1e-9)


def test_jump_there_and_back_between_two_levels() -> None:
    # a needle on a broad hill against a peak of middle width: the optimum goes there, and comes back
    landscape = bumps(box(22.0, 4401), (0.5, 0.05, (8.0,)), (0.5, 2.0, (8.0,)), (0.8, 0.4, (-8.0,)))

    def lead(t: float) -> float:
        hill = sum(0.5 * w / math.sqrt(w**2 + t) for w in (0.05, 2.0))
        return 0.8 * 0.4 / math.sqrt(0.16 + t) - hill

    exact = [math.sqrt(brentq(lead, *ends, xtol=1e-16)) for ends in ((0.001, 0.05), (0.05, 1.0))]
    space = track(solve(landscape, [0.03, 1.5]), "maximum")
    assert space.optimum[0] == space.optimum[1]
    assert [event.sigma for event in space.jumps] == pytest.approx(exact, rel=1e-9)
    assert space.jumps[0].tracks == space.jumps[1].tracks[::-1]


def test_jump_onto_the_edge() -> None:
    # a narrow peak inside, a slope that rises to the edge: the optimum becomes a property of the box
    grid = Grid(Axis("x", -2.0, 2.0, 401, boundary="clip"))
    landscape = Landscape.from_function(lambda x: np.exp(-(x**2) / 0.02) + 0.2 * x, grid)
    space = track(flow(landscape, 0.02, 1.0, 9))
    assert space.sigma_jump is not None
    assert space.sigma_jump.position == (2.0,)
    assert space.tracks[space.sigma_jump.tracks[1]].on_edge
    assert any("edge" in flag for flag in space.flags)
    # equal values there
    values = space.field.value([list(space.sigma_jump.position)], space.sigma_jump.sigma)
    number = space.sigma_jump.tracks[0]
    assert values[0] == pytest.approx(space.locate(number, space.sigma_jump.sigma)[1], abs=1e-13)


# Births, drift, and what does not move ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def creation() -> ScaleSpace:
    def gaussian(x: np.ndarray, y: np.ndarray, c: float, wx: float, wy: float) -> np.ndarray:
        return np.asarray(np.exp(-((x - c) ** 2) / (2 * wx**2) - y**2 / (2 * wy**2)))

    grid = Grid(Axis("x", -6.0, 8.0, 351, boundary="clip"), Axis("y", -4.0, 4.0, 641, boundary="clip"))
    landscape = Landscape.from_function(
        lambda x, y: (
            gaussian(x, y, 0.0, 1.0, 1.0) + 0.6 * gaussian(x, y, 3.0, 0.7, 0.7) + 0.9 * gaussian(x, y, 1.3, 0.9, 0.05)
        ),
        grid,
    )
    return track(solve(landscape, np.sqrt([0.0008, 0.0025, 0.01, 0.1, 0.3, 1.0])))


@pytest.mark.parametrize("factor", [1e-15, 1e-9, 1e9, 1e13, 1e15])
def test_events_do_not_depend_on_the_units_of_q(factor: float) -> None:
    """A maximum that the edge holds and releases, and one that comes to it: by themselves, without their partners."""
    grid = Grid(Axis("x", 0.0, 1.0, 201, boundary="clip"))
    q = Landscape.from_function(
        lambda x: 3 * np.exp(-(((x - 0.4) / 0.1) ** 2)) + np.exp(-(((x - 1) / 0.1) ** 2)) / 2, grid
    )
    sigma = np.geomspace(0.02, 1.0, 12)
    expected, found = (track(solve(one, sigma), "maximum") for one in (q, Landscape(factor * q.values, grid)))
    assert [event.kind for event in found.events] == [event.kind for event in expected.events]
    assert "death" in [event.kind for event in expected.events]
    for one, other in zip(expected.events, found.events, strict=True):
        assert other.sigma == pytest.approx(one.sigma, rel=1e-9)


def test_creation_in_the_plane(creation: ScaleSpace) -> None:
    events = {event.kind: event for event in creation.events}
    assert set(events) == {"birth", "death"} and len(creation.events) == 2
    assert round(events["birth"].sigma ** 2, 7) == 0.0033125
    assert round(events["death"].sigma ** 2, 5) == 0.38048
    assert creation.count("maximum").tolist() == [1, 1, 2, 2, 2, 1]
    points = creation.points(2)
    tops = points.select(points.kind == 1)
    order = np.argsort(tops.positions[:, 0])
    assert tops.positions[order].round(2).tolist() == [[0.28, 0.0], [2.78, 0.0]]
    assert tops.values[order].round(4).tolist() == [1.1649, 0.6870]
    check_topology(creation)
    check_monotone(creation)
    for event in events.values():
        assert {creation.tracks[n].kind for n in event.tracks} == {"maximum", "saddle"}
        assert creation.tracks[event.tracks[0]].birth is events["birth"]


def test_events_do_not_depend_on_the_levels(creation: ScaleSpace) -> None:
    other = track(solve(creation.landscape, np.sqrt(np.geomspace(0.0012, 0.9, 3))))
    for mine, theirs in zip(creation.events, other.events, strict=True):
        assert mine.kind == theirs.kind
        assert abs(mine.sigma - theirs.sigma) <= 3 * (mine.uncertainty + theirs.uncertainty) + 1e-13


def test_drift(creation: ScaleSpace) -> None:
    # differences over t (1 +- 1e-3): second order, 1e-6 of t^2 mu''' / 6, and round-off 1e-13 / (2e-3 t)
    seen = 0
    for one in creation.tracks:
        if not one.on_edge:
            predicted, observed = creation.drift(one.number)
            usable = np.isfinite(observed).all(axis=1)
            scale = np.abs(predicted[usable]).max(axis=1, keepdims=True) + 1e-2
            assert (np.abs(predicted - observed)[usable] < 1e-3 * scale + 1e-9).all()
            seen += int(usable.sum())
    assert seen > 8


def test_drift_of_unequal_bumps_by_formula() -> None:
    # dmu/dt = -u_xt / u_xx, with u_t = u_xx / 2, from the Gaussian sum itself
    w = 0.4
    peaks = ((1.0, 1.0), (0.6, -1.0))
    space = track(flow(bumps(box(6.0, 601), *((h, w, (c,)) for h, c in peaks)), 0.1, 0.6, 5), "maximum")
    one = next(one for one in space.tracks if one.positions[0, 0] < 0)
    predicted, observed = space.drift(one.number)
    for k, sigma in enumerate(one.sigma):
        v = w**2 + sigma**2
        x = one.positions[k, 0]
        terms = [(h * math.exp(-((x - c) ** 2) / (2 * v)), (x - c) / math.sqrt(v)) for h, c in peaks]
        second = sum(g * (z**2 - 1) for g, z in terms) / v
        third = sum(-g * (z**3 - 3 * z) for g, z in terms) / v**1.5
        assert predicted[k, 0] == pytest.approx(-0.5 * third / second, rel=1e-9, abs=1e-10)
        assert observed[k, 0] == pytest.approx(predicted[k, 0], rel=1e-4, abs=1e-9)


def test_quadratic_never_drifts() -> None:
    # 7.2 on a big box: what comes in from the edges is osc(Q) times a tail of 8 sigma
    grid = Grid(Axis("x", -10.0, 10.0, 101, boundary="clip"), Axis("y", -10.0, 10.0, 101, boundary="clip"))
    landscape = Landscape.from_function(lambda x, y: -0.5 * (2 * (x - 0.33) ** 2 + 1.2 * (x - 0.33) * y + y**2), grid)
    space = track(flow(landscape, 0.3, 1.2, 4), "maximum")
    assert (space.optimum == space.optimum[0]).all() and space.sigma_jump is None
    np.testing.assert_allclose(space.optimum_positions, [[0.33, 0.0]] * 4, rtol=0, atol=1e-8)
    np.testing.assert_allclose(space.optimum_values, -1.5 * space.sigma**2, rtol=0, atol=1e-9)
    predicted, _ = space.drift(int(space.optimum[0]))
    assert np.abs(predicted).max() < 1e-7


def test_noise_in_one_proportion() -> None:
    # sigma_y = 2 sigma_x: stretching y by 1/2 makes it the round case; sigma is that of the noisiest axis
    a, w = 1.0, 0.4
    grid = Grid(Axis("x", -5.0, 5.0, 101, boundary="clip"), Axis("y", -10.0, 10.0, 101, boundary="clip"))
    c = (a * math.cos(0.5), a * math.sin(0.5))
    landscape = Landscape.from_function(
        lambda x, y: sum(np.exp(-((x - s * c[0]) ** 2 + (y / 2 - s * c[1]) ** 2) / (2 * w**2)) for s in (1.0, -1.0)),
        grid,
    )
    sigmas = np.geomspace(0.3, 1.3, 4)
    space = track(solve(landscape, np.stack([sigmas, 2 * sigmas], axis=1)))
    honest(space.sigma_death, 2 * math.sqrt(a**2 - w**2))
    assert space.ratio.tolist() == [0.5, 1.0]
    one = next(one for one in space.tracks if one.kind == "maximum")
    predicted, observed = space.drift(one.number)
    np.testing.assert_allclose(observed[1:2], predicted[1:2], rtol=1e-3, atol=1e-9)


def test_one_axis_without_noise() -> None:
    grid = box(4.0, 81, 2)
    landscape = bumps(grid, (1.0, 0.6, (1.0, 0.3)), (0.7, 0.6, (-1.0, 0.3)))
    space = track(solve(landscape, {"x": [0.2, 0.5, 1.2], "y": 0.0}), "maximum")
    assert space.ratio.tolist() == [1.0, 0.0]
    assert space.optimum_positions[:, 1] == pytest.approx([0.3] * 3, abs=1e-6)


# Everything at once: Morse theory on rough landscapes ------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_rough_line_only_loses(seed: int) -> None:
    for boundary in ("periodic", "reflect", "clip"):
        grid = Grid(Axis("x", 0.0, 96.0, 97, boundary=boundary))
        space = track(flow(rough(grid, seed), 2.0, 12.0, 7))
        kinds = {event.kind for event in space.events}
        assert not kinds & {"birth", "split", "lost", "found"}, (boundary, kinds)
        counts = space.count("maximum") + space.count("minimum")
        assert (np.diff(counts) <= 0).all()
        if boundary == "periodic":
            assert (space.count("maximum") == space.count("minimum")).all()
        check_topology(space)
        check_monotone(space)


def test_a_rough_torus() -> None:
    for seed in range(3):
        space = track(flow(rough(torus(48, 2), seed), 2.0, 12.0, 8))
        euler = space.count("maximum") - space.count("saddle") + space.count("minimum")
        assert not euler.any()
        assert not {event.kind for event in space.events} & {"lost", "found", "leaves edge", "reaches edge"}
        # a partner that lives between two levels only has no track
        assert sum(len(event.tracks) == 1 for event in space.events) <= 0.15 * len(space.events)
        check_topology(space)
        check_monotone(space)


def test_a_rough_torus_in_space() -> None:
    space = track(flow(rough(torus(14, 3), 1), 2.0, 4.0, 3))
    for level in range(3):
        assert ((-1) ** space.points(level).index).sum() == 0
    assert {1, 2} <= {one.index for one in space.tracks if one.kind == "saddle"}
    assert not {event.kind for event in space.events} & {"lost", "found"}
    check_topology(space)


@pytest.mark.parametrize("boundary", ["clip", "zero", "absorb", "reflect"])
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
def test_a_rough_box(boundary: str, nodes: str) -> None:
    axes = [Axis(name, 0.0, 32.0, 33, boundary=boundary, nodes=nodes) for name in "xy"]  # type: ignore[arg-type]
    space = track(flow(rough(Grid(*axes), 4), 2.0, 8.0, 5))
    unexplained = [event for event in space.events if event.kind in ("lost", "found")]
    assert not unexplained
    check_topology(space)
    if boundary != "zero":
        check_monotone(space)
    touching = [
        event for event in space.events if event.kind in ("reaches edge", "leaves edge") and len(event.tracks) == 2
    ]
    for event in touching:
        pair = [space.tracks[n] for n in event.tracks]
        assert pair[0].kind == pair[1].kind and {one.on_edge for one in pair} == {True, False}


@settings(max_examples=6)
@given(st.integers(0, 2**31 - 1))
def test_same_deaths_with_few_and_with_many_levels(seed: int) -> None:
    landscape = rough(Grid(Axis("x", 0.0, 40.0, 40, boundary="periodic")), seed)
    few, many = (track(flow(landscape, 2.0, 9.0, levels)) for levels in (3, 12))
    mine, theirs = ([event for event in space.events if event.kind != "jump"] for space in (few, many))
    assert len(mine) == len(theirs)
    for one, other in zip(mine, theirs, strict=True):
        assert one.kind == other.kind == "death"
        assert abs(one.sigma - other.sigma) <= 3 * (one.uncertainty + other.uncertainty) + 1e-13 * one.sigma
    assert len(few.jumps) == len(many.jumps)
    for one, other in zip(few.jumps, many.jumps, strict=True):
        assert one.sigma == pytest.approx(other.sigma, rel=1e-9)
    check_monotone(many)


@pytest.mark.parametrize("seed", [1, 2])
def test_few_levels_see_nothing_that_many_do_not(seed: int) -> None:
    # many see more: what is born and dies between two of the few
    landscape = rough(torus(40, 2), seed)
    few, many = (track(flow(landscape, 2.0, 9.0, levels)) for levels in (3, 13))
    assert len(few.events) > 25
    for one in few.events:
        assert any(
            one.kind == other.kind
            and abs(one.sigma - other.sigma) <= 3 * (one.uncertainty + other.uncertainty) + 1e-13 * one.sigma
            for other in many.events
        ), one


def test_the_optimum_is_the_highest_everywhere() -> None:
    space = track(flow(rough(torus(40, 2), 9), 2.0, 10.0, 12))
    for level, values in enumerate(space.evolution.values):
        assert space.optimum_values[level] >= values.max() - 64 * EPS * space.landscape.oscillation
        tops = space.points(level)
        assert space.optimum_values[level] == tops.values[tops.kind == 1].max()
    # the jumps lead from each optimum to the next
    current = int(space.optimum[0])
    for event in space.jumps:
        assert event.tracks[0] == current
        assert event.tracks[0] != event.tracks[1]
        current = event.tracks[1]
    assert current == space.optimum[-1]
    assert (np.diff(space.optimum_values) < 0).all()


def test_a_partner_that_was_overlooked_is_found() -> None:
    # take away, at the first level, the saddle that meets the first maximum to die: its end leads back to it
    landscape = rough(torus(40, 2), 5)
    times, round_off = np.array([4.0, 9.0]), RoundOff(landscape.oscillation)
    follower = Follower(HeatField(landscape), np.ones(2), round_off)
    fields = solve(landscape, np.sqrt(times)).values
    points = [
        find(follower.field, np.full(2, math.sqrt(t)), u, KINDS, round_off) for t, u in zip(times, fields, strict=True)
    ]
    whole = Links(follower, times, list(points))
    folds = [(how.time, row) for (_, row), how in whole.ends.items() if points[0].kind[row] == 0]
    row = min(folds)[1]
    chosen = np.arange(len(points[0])) != row
    again = Links(follower, times, [points[0].select(chosen), points[1]])
    assert len(again.points[0]) == len(points[0])
    assert np.abs(again.points[0].positions - points[0].positions[row]).sum(axis=1).min() < 1e-9


def test_around_a_periodic_axis() -> None:
    # a bump that moves over the seam: the same track
    grid = Grid(Axis("x", 0.0, 10.0, 200, boundary="periodic"))
    shift = np.mod(grid[0].coordinates + 0.9, 10.0)
    values = np.exp(-((shift - 1.0) ** 2) / 0.1) + 0.9 * np.exp(-((shift - 2.0) ** 2) / 0.8)
    moved = track(flow(Landscape(np.roll(values, -4), grid), 0.15, 1.5, 8), "maximum")
    one = moved.tracks[int(moved.optimum[0])]
    assert len(one) == 8 and one.positions.min() < 1.0 and one.positions.max() > 9.0
    predicted, observed = moved.drift(one.number)
    np.testing.assert_allclose(observed, predicted, rtol=1e-3, atol=1e-6)


# What has no tracks, or should not ------------------------------------------------------------------------------


def test_ridge_is_flagged() -> None:
    # 7.9: height sqrt(w^2 / (w^2 + 2 sigma^2)), no isolated maximum
    grid = Grid(*(Axis(name, -8.0, 8.0, 128, boundary="periodic") for name in "xy"))
    w = 0.6
    landscape = Landscape.from_function(
        lambda x, y: sum(np.exp(-((x - y + 16 * k) ** 2) / (2 * w**2)) for k in (-1, 0, 1)), grid
    )
    space = track(flow(landscape, 0.3, 1.0, 3))
    assert (space.optimum == -1).all()
    assert any("ridge" in flag for flag in space.flags)
    np.testing.assert_allclose(space.optimum_values, np.sqrt(w**2 / (w**2 + 2 * space.sigma**2)), rtol=0, atol=1e-6)
    assert "note" in str(space)


def test_slope_without_a_maximum_inside() -> None:
    space = track(flow(Landscape.from_function(lambda x: x + 0.0, box(1.0, 101)), 0.05, 0.5, 4))
    assert space.count("maximum", on_edge=False).tolist() == [0] * 4
    assert space.count("maximum").tolist() == [1] * 4
    assert space.tracks[int(space.optimum[0])].on_edge
    assert space.sigma_death is None and not space.events
    assert any("edge" in flag for flag in space.flags)
    assert "on the edge" in str(space)


def test_maximum_that_leaves_the_box() -> None:
    # it drifts to the edge, which then holds it: two tracks, one event, and not a death
    grid = Grid(Axis("x", -6.0, 1.2, 361, boundary="clip"))
    space = track(flow(bumps(grid, (1.0, 0.4, (0.8,))), 0.1, 2.0, 8))
    (event,) = [event for event in space.events if event.kind in ("reaches edge", "leaves edge")]
    assert event.position == (1.2,) or abs(event.position[0] - 1.2) < 1e-9
    # the slope at the edge vanishes there
    assert abs(space.field.gradient([list(event.position)], event.sigma)[0, 0]) < 1e-12
    assert event.uncertainty < 1e-9
    assert space.sigma_jump is None
    check_topology(space)


def test_plateau_and_sigma_zero_first() -> None:
    grid = box(3.0, 121)
    landscape = Landscape.from_function(lambda x: (np.abs(x) < 1.02).astype(float), grid)
    space = track(solve(landscape, [0.0, 0.1, 0.5, 1.0]), "maximum")
    assert any("interpolated between its nodes" in flag for flag in space.flags)
    assert space.optimum_positions[-1, 0] == pytest.approx(0.0, abs=1e-9)
    # 7.5: 2 Phi(w / sigma) - 1, with the walls of the sampled box half-way between nodes
    assert space.optimum_values[-1] == pytest.approx(math.erf(1.025 / math.sqrt(2)), abs=2e-4)


def test_single_precision() -> None:
    grid = torus(48, 2)
    values = rough(grid, 3).values.astype(np.float32)
    single = track(flow(Landscape(values, grid), 2.0, 6.0, 4))
    double = track(flow(Landscape(values.astype(np.float64), grid), 2.0, 6.0, 4))
    assert [event.kind for event in single.events] == [event.kind for event in double.events]
    np.testing.assert_allclose(
        [event.sigma for event in single.events], [event.sigma for event in double.events], rtol=1e-9
    )


@pytest.mark.parametrize(
    ("make", "kinds", "kind", "match"),
    [
        (lambda: solve(rough(torus(16, 1), 0), [2.0]), "maximum", errors.SigmaError, "two noise levels"),
        (lambda: solve(rough(torus(16, 2), 0), [[2.0, 2.0], [3.0, 4.0]]), "maximum", errors.SigmaError, "same ratios"),
        (
            lambda: solve(Landscape(np.ones(16), torus(16, 1)), [1.0, 2.0]),
            "maximum",
            errors.UnsupportedError,
            "constant",
        ),
        (lambda: solve(Landscape(np.eye(16)[:2], torus(16, 1)), [1.0, 2.0]), "maximum", errors.UnsupportedError, None),
        (lambda: solve(rough(torus(5, 4), 0), [1.0, 2.0]), "maximum", errors.UnsupportedError, None),
        (lambda: solve(rough(torus(16, 1), 0), [2.0, 3.0]), "tops", errors.UnknownNameError, "kind"),
        (
            lambda: solve(rough(torus(16, 2), 0), covariance=[np.eye(2), 2 * np.eye(2)]),
            "maximum",
            errors.UnsupportedError,
            "covariance",
        ),
    ],
)
def test_bad_input(make: object, kinds: str, kind: type[Exception], match: str | None) -> None:
    with pytest.raises(kind, match=match):
        track(make(), kinds)  # type: ignore[operator]


def test_what_it_says(creation: ScaleSpace) -> None:
    said = json.loads(json.dumps(creation.as_dict()))
    assert said["counts"]["maximum"] == creation.count().tolist()
    assert [said["events"][one["birth"]]["kind"] for one in said["tracks"] if one["birth"] is not None] == ["birth"] * 2
    assert "sigma_jump" in str(creation) and "birth" in str(creation.events[0])
    assert "tracks" in repr(creation) and "maximum" in repr(creation.tracks[int(creation.optimum[0])])
    with pytest.raises(errors.UnsupportedError, match="not tracked"):
        track(solve(creation.landscape, [0.5, 0.6]), "maximum").count("saddle")


def test_progress() -> None:
    calls: list[tuple[int, int]] = []
    track(flow(rough(torus(32, 1), 0), 2.0, 4.0, 3), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_lead_that_sinks_into_round_off_is_no_jump() -> None:
    # the right peak leads by 1.3e-10 of osc(Q) at first; at sigma = 2 w sqrt(3) a quarter is left of that lead, which
    # counts as a tie, and ties do not take the title from who holds it
    width, lead = 0.3, 1.3e-10
    grid = box(12.0, 1201)
    landscape = bumps(grid, (1.0, width, (-6.0,)), (1.0 + lead, width, (6.0,)))
    space = track(solve(landscape, np.geomspace(0.02, 1.0, 12)), "maximum")
    assert space.jumps == []
    assert (space.optimum_positions[:, 0] > 5.9).all()


def test_observed_drift_across_the_seam_of_a_periodic_axis() -> None:
    def plain(x: np.ndarray) -> np.ndarray:
        return np.asarray(np.cos(x) + 0.4 * np.cos(2 * x + 1.0))

    def slope(x: float, t: float) -> float:
        return -math.sin(x) * math.exp(-t / 2) - 0.8 * math.sin(2 * x + 1.0) * math.exp(-2 * t)

    t = 0.25
    place = float(brentq(lambda x: slope(x, t), -0.6, 0.2, xtol=1e-14))
    # moved, so that at this t the maximum sits on the seam, and on either side of it before and after
    grid = Grid(Axis("x", 0.0, 2 * math.pi, 256, boundary="periodic"))
    landscape = Landscape.from_function(lambda x: plain(x + place), grid)
    space = track(solve(landscape, [0.4, math.sqrt(t), 0.6]), "maximum")
    number = int(space.optimum[1])
    predicted, observed = space.drift(number)
    # implicit differentiation of slope(x, t) = 0
    bend = -math.cos(place) * math.exp(-t / 2) - 1.6 * math.cos(2 * place + 1.0) * math.exp(-2 * t)
    rate = 0.5 * math.sin(place) * math.exp(-t / 2) + 1.6 * math.sin(2 * place + 1.0) * math.exp(-2 * t)
    np.testing.assert_allclose(predicted[1], -rate / bend, rtol=1e-9)
    # second order in the relative difference of 1e-3
    np.testing.assert_allclose(observed[1], predicted[1], rtol=1e-5)
