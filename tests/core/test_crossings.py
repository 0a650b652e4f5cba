"""The variance that crossings of walls make, against counts of crossings."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from heatpg import Axis, Grid
from heatpg.core.crossings import Crossings

Array = NDArray[np.float64]

SIGMA = np.array([0.0, 0.06, 0.09, 0.3])


def square(nodes: Literal["vertex", "cell"] = "vertex") -> Grid:
    return Grid(*(Axis(name, -1.0, 1.0, 9, boundary="zero", nodes=nodes) for name in "xy"))


@pytest.mark.parametrize("nodes", ["vertex", "cell"])
def test_the_chance_is_that_of_leaving_the_box(nodes: Literal["vertex", "cell"]) -> None:
    """Written apart: two independent normal numbers, each between its walls."""
    grid = square(nodes)
    found = Crossings((1.0, 2.0), 0.1, 100).chance(grid, SIGMA)
    for level in (1, 2):
        for index in np.ndindex(9, 9):
            inside = 1.0
            for axis, i, deviation in zip(grid, index, (1.0, 2.0), strict=True):
                one = stats.norm(axis.coordinates[i], deviation * SIGMA[level])
                inside *= one.cdf(axis.upper) - one.cdf(axis.lower)
            assert found[level][index] == pytest.approx(1.0 - inside, abs=1e-14)
    # without noise, and where lattices sum it
    assert not found[[0, 3]].any()
    assert not Crossings((0.0, 0.0), 0.1, 100).chance(grid, SIGMA).any()


@pytest.mark.parametrize("kind", ["single", "pairs", "balanced"])
def test_the_variance_is_that_of_draws_that_cross(kind: str) -> None:
    """u of a constant Q = 3 is 3 times the share that stays, of 20,000 simulated runs of 64 draws."""
    grid = Grid(Axis("x", 0.0, 1.0, 11, boundary="zero"))
    random, sigma, count = np.random.default_rng(4), 0.07, 64
    x = grid[0].coordinates[:5]
    if kind == "balanced":
        # 16 repeats of 4 points, each in its own quarter, in one dimension as of Sobol' points
        normal = stats.norm.ppf((np.arange(4) + random.random((20_000, 16, 4))) / 4).reshape(20_000, count)
    else:
        normal = random.standard_normal((20_000, count))
    u = 0.0
    for sign in (1.0, -1.0) if kind == "pairs" else (1.0,):
        moved = x[:, None, None] + sign * sigma * normal
        u = u + 3.0 * ((moved >= 0.0) & (moved <= 1.0)).mean(axis=-1) / (2.0 if kind == "pairs" else 1.0)
    seen = np.var(u, axis=1)
    one = Crossings((1.0,), 0.1, count, kind == "pairs", 16 if kind == "balanced" else 0)
    exact = 3.0 * (1.0 - one.chance(grid, np.array([sigma])))
    found = one.variance(grid, np.array([sigma]), exact)[0, :5] / count
    # of a run with a rare crossing the variance of 20,000 is known to sqrt(1 / (20,000 * 64 p)), 1 % of p = .01 at 1 h
    np.testing.assert_allclose(found[1:3], seen[1:3], rtol=0.06)
    # at the wall one of each pair crosses; half of balanced points do
    assert found[0] == pytest.approx(seen[0], rel=0.06, abs=1e-12)


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("left", [0.01, 0.5, 0.96])
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
def test_the_variance_where_lattices_sum_a_part(pairs: bool, left: float, nodes: Literal["vertex", "cell"]) -> None:
    """By quadrature over what is drawn, written apart: f(z) is the chance that the summed part of the noise stays."""
    grid, sigma = square(nodes), np.array([0.3, 0.8])
    deviations, draws = (1.0, 1.5), 50
    one = Crossings(deviations, 0.1, draws, pairs, 0, (left, 0.5 * left))
    u = 2.0 * (1.0 - one.chance(grid, sigma))
    found = one.variance(grid, sigma, u)
    z = np.linspace(-9.0, 9.0, 8001)
    weights = np.exp(-(z**2) / 2)
    weights /= weights.sum()
    for level, s in enumerate(sigma):
        first, second, means = [], [], []
        for axis, deviation, share in zip(grid, deviations, (left, 0.5 * left), strict=True):
            drawn, summed = s * deviation * np.sqrt(share), s * deviation * np.sqrt(1.0 - share)
            place = axis.coordinates[:, None] + drawn * z
            stays = stats.norm.cdf((axis.upper - place) / summed) - stats.norm.cdf((axis.lower - place) / summed)
            first.append(stays**2 @ weights)
            second.append((stays * stays[:, ::-1]) @ weights)
            means.append(stays @ weights)
        same, opposite, mean = (np.multiply.outer(*each) for each in (first, second, means))
        np.testing.assert_allclose(u[level], 2.0 * mean, atol=1e-12)
        exact = 4.0 * ((0.5 * (same + opposite) if pairs else same) - mean**2)
        # the sum over z is exact to round-off where it resolves the summed part, at most .03 apart in its units
        np.testing.assert_allclose(found[level], np.maximum(exact, 0.0), atol=2e-14)


def test_noise_without_a_drawn_part_has_no_crossings() -> None:
    grid = square()
    whole = Crossings((1.0, 2.0), 0.1, 100, False, 0, (0.0, 0.0))
    assert not whole.chance(grid, np.array([0.3])).any()
    assert not whole.variance(grid, np.array([0.3]), np.ones((1, *grid.shape))).any()


@pytest.mark.parametrize("pairs", [False, True])
def test_what_is_missing_is_all_of_it_where_no_draw_crosses(pairs: bool) -> None:
    grid, sigma = Grid(Axis("x", 0.0, 1.0, 11, boundary="zero")), np.array([0.05])
    one = Crossings((1.0,), 0.1, 30, pairs)
    u, other = np.ones((1, 11)), np.full((1, 11), 0.5)
    least, p = one.variance(grid, sigma, u), one.chance(grid, sigma)
    # other noise hides the crossings, and does not make them less
    np.testing.assert_allclose(
        one.added(other, grid, sigma, u)[0, 1:5], (least * (1 - p) ** (60 if pairs else 30))[0, 1:5]
    )
    np.testing.assert_allclose(one.added(0 * u, grid, sigma, u), least)
    assert one.added(0 * u, grid, sigma, u)[0, 5] == pytest.approx(0.0, abs=1e-20)


def test_what_an_evolution_says_of_its_draws() -> None:
    edges = {"deviations": [1.0], "below": 0.1}
    facts = {"edges": edges, "draws": 64, "points": "sobol", "antithetic": False}
    assert Crossings.of(facts, 16) == Crossings((1.0,), 0.1, 64, False, 16)
    assert Crossings.of(facts | {"points": "random", "antithetic": True}, 16) == Crossings((1.0,), 0.1, 64, True, 0)
    left = Crossings.of(facts | {"edges": edges | {"left": [0.25]}}, 16)
    assert left == Crossings((1.0,), 0.1, 64, False, 16, (0.25,))
    assert Crossings.of({"draws": 64}, 16) is None and Crossings.of(None, 16) is None
