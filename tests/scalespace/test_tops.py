"""Jumps between levels that are far apart, onto maxima that are on no track, and onto an edge where u rises."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from heatpg import Axis, Grid, Landscape
from heatpg.core.field import HeatField
from heatpg.evolution import solve
from heatpg.scalespace import track
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
