"""Jumps between levels that are far apart, onto maxima that are on no track, and onto an edge where u rises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from heatpg import Axis, Grid, Landscape
from heatpg.core.field import HeatField
from heatpg.evolution import solve
from heatpg.scalespace import jumps, track
from heatpg.scalespace.events import History, Track
from heatpg.scalespace.tops import Tops


def rough(seed: int, boundary: str, dimensions: int) -> Landscape:
    rng = np.random.default_rng(seed)
    shape = (80,) if dimensions == 1 else (26, 22)
    return Landscape(
        rng.standard_normal(shape), Grid(*(Axis("xy"[i], 0.0, float(n), n, boundary) for i, n in enumerate(shape)))
    )


@pytest.mark.parametrize(
    ("seed", "boundary", "dimensions"),
    [
        # an edge holds a maximum that rises; then one that lives between two levels alone, and one that has no jump
        (55, "clip", 1),
        (45, "clip", 2),
        (6, "reflect", 2),
        (12, "periodic", 2),
        (13, "zero", 1),
        (14, "absorb", 1),
        (21, "reflect", 2),
    ],
)
def test_jumps_do_not_depend_on_the_levels(seed: int, boundary: str, dimensions: int) -> None:
    landscape = rough(seed, boundary, dimensions)
    few = track(solve(landscape, [2.0, 5.0, 10.0]), "maximum").jumps
    many = track(solve(landscape, np.geomspace(2.0, 10.0, 120)), "maximum").jumps
    assert len(few) == len(many)
    for one, other in zip(few, many, strict=True):
        # found by a root, and not by the levels around it
        assert max(one.uncertainty, other.uncertainty) < 1e-8
        assert abs(one.sigma - other.sigma) <= 1e-8 + one.uncertainty + other.uncertainty


def test_a_jump_onto_an_edge_where_u_rises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its place is a root of the difference of two values of u, computed without any track."""
    landscape = rough(55, "clip", 1)
    # both maxima are on tracks, so nothing is solved again
    monkeypatch.delattr(Tops, "jumps")
    [jump] = track(solve(landscape, [2.0, 5.0, 10.0]), "maximum").jumps
    field, [before, after] = HeatField(landscape), [80.0, 0.0]
    upper = landscape.grid[0].upper
    if jump.position[0] == upper:
        before, after = after, before

    def top(sigma: float, low: float, high: float) -> float:
        places = np.linspace(low, high, 400)
        best = places[field.value(places[:, None], sigma).argmax()]
        step = places[1] - places[0]
        bounds = max(low, best - step), min(high, best + step)
        found = minimize_scalar(lambda x: -field.value([[x]], sigma)[0], bounds=bounds, options={"xatol": 1e-10})
        return float(max(-found.fun, field.value([[low], [high]], sigma).max()))

    # the two maxima are on the two sides of the middle between where the jump begins and ends
    edge = float(jump.position[0])
    inner = (0.0, edge - 8.0) if edge > 40.0 else (edge + 8.0, upper)
    outer = (edge - 8.0, edge) if edge > 40.0 else (edge, edge + 8.0)
    right = brentq(lambda sigma: top(sigma, *inner) - top(sigma, *outer), 2.0, 10.0, xtol=1e-9)
    # a parabola is known to 1e-10 in place, so to far less in value
    assert jump.sigma == pytest.approx(right, abs=1e-7)


def test_a_jump_from_a_place_on_no_track() -> None:
    """Below 1.5 spacings a narrow peak may be on no track; two bumps are equally high where science.md 10 has it."""
    axis = Axis("x", -4.0, 4.0, 161, boundary="clip")
    bumps = Landscape.from_function(
        lambda x: np.exp(-((x + 1) ** 2) / 0.02) + 0.8 * np.exp(-((x - 0.8) ** 2) / 0.32), Grid(axis)
    )
    space = track(solve(bumps, [0.06, 0.075, 0.085, 0.15]))
    assert space.optimum[1] == -1
    [jump] = space.jumps
    # h = .05 is half of the width of the narrow one, whose sum over the nodes is off by exp(-2 pi^2 4)
    assert jump.sigma == pytest.approx(0.0789675516, abs=1e-8)


@pytest.mark.parametrize("seed", [21, 22])
def test_a_jump_onto_a_maximum_that_no_level_shows(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rough in two ways, so that a maximum is born on an edge, leads and ends between two levels far apart."""
    rng = np.random.default_rng(seed)
    values = 0.3 * np.cumsum(rng.standard_normal((48, 40)), axis=1) + rng.standard_normal((48, 40))
    landscape = Landscape(values, Grid(Axis("x", 0.0, 48.0, 48, "reflect"), Axis("y", 0.0, 40.0, 40, "reflect")))
    many = track(solve(landscape, np.geomspace(4.0, 12.0, 60)), "maximum").jumps
    asked: list[int] = []
    jumps = Tops.jumps

    def counted(self: Tops, begin: float, end: float) -> Any:
        found = jumps(self, begin, end)
        asked.append(len(found))
        return found

    monkeypatch.setattr(Tops, "jumps", counted)
    space = track(solve(landscape, [4.0, 12.0]), "maximum")
    assert sum(asked) >= 1
    assert len(space.jumps) == len(many) >= 1
    for one, other in zip(space.jumps, many, strict=True):
        assert max(one.uncertainty, other.uncertainty) < 1e-8
        assert abs(one.sigma - other.sigma) <= 1e-8 + one.uncertainty + other.uncertainty


def test_the_top_is_the_highest_place_and_not_beside_the_highest_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """At sigma = 3.65 u is largest on the edge y = 22 between two nodes, and another node is the highest."""
    made: list[Tops] = []
    create = Tops.__init__

    def kept(self: Tops, *options: Any) -> None:
        create(self, *options)
        made.append(self)

    monkeypatch.setattr(Tops, "__init__", kept)
    landscape, sigma = rough(6, "reflect", 2), 3.65
    track(solve(landscape, [2.0, 5.0, 10.0]), "maximum")
    units, field = made[0].problem.units, HeatField(landscape)
    place, value = made[0].top(float(units.lengths([sigma, sigma])[0]) ** 2)
    # the places of a lattice four times as fine, one of which is within 1/8 of the top along each axis
    lattice = np.stack(np.meshgrid(np.linspace(0, 26, 105), np.linspace(0, 22, 89), indexing="ij"), axis=-1)
    u = field.value(lattice.reshape(-1, 2), sigma)
    best = lattice.reshape(-1, 2)[np.argmax(u)]
    assert abs(units.places(place) - best).max() <= 0.25
    nodes = solve(landscape, sigma).values[0]
    node = np.array(landscape.grid.point(np.unravel_index(int(np.argmax(nodes)), nodes.shape)))
    assert abs(node - best).max() > 5.0
    assert float(units.values(value)) >= u.max()


def test_no_place_is_followed_twice_to_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """An optimum is compared with many rivals, whose ends it has in common with them and with the next interval."""
    landscape = rough(45, "clip", 2)
    followed: list[tuple[int, float]] = []
    places = History.places

    def count(self: History, wanted: Sequence[tuple[Track, float]]) -> Any:
        followed.extend((one.number, time) for one, time in wanted)
        return places(self, wanted)

    # what looks at the leads of a jump that was found asks for itself
    monkeypatch.setattr(jumps._Leads, "change", lambda *_: True)
    monkeypatch.setattr(History, "places", count)
    assert track(solve(landscape, [2.0, 5.0, 10.0]), "maximum").jumps
    assert len(followed) > 50
    assert len(set(followed)) == len(followed)
