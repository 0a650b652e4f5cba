"""Price of a smoothed optimum and limits of sigma, against closed forms of Gaussian sums."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, errors
from heatpg.evolution import solve
from heatpg.scalespace import (
    price,
    single_maximum,
    survival,
    track,
)
from heatpg.scalespace.pricing import count_changes

NARROW, BROAD = (1.0, 0.1, 3.0), (0.8, 0.6, -3.0)  # height, width, centre


def peaks(x: np.ndarray) -> np.ndarray:
    return np.asarray(sum(h * np.exp(-((x - c) ** 2) / (2 * w**2)) for h, w, c in (NARROW, BROAD)))


def two_peaks() -> Landscape:
    return Landscape.from_function(peaks, Grid(Axis("x", -8.0, 8.0, 801, boundary="clip")))


def sigma_jump() -> float:
    """The closed form of science: heights h w / sqrt(w^2 + t) are equal (the peaks are far apart)."""
    (h1, w1, _), (h2, w2, _) = NARROW, BROAD
    r = (h1 / h2) ** 2
    return math.sqrt(w1**2 * w2**2 * (r - 1) / (w2**2 - r * w1**2))


def test_price_jumps_with_the_optimum_and_the_drop_does_not() -> None:
    levels = np.geomspace(0.03, 1.0, 14)
    space = track(solve(two_peaks(), levels), "maximum")
    curve = price(space)
    before = levels < sigma_jump()
    # each optimum stays at its peak, which has zero slope; the other one is 1e-11 high there
    np.testing.assert_allclose(curve.price, np.where(before, 0.0, NARROW[0] - BROAD[0]), rtol=0, atol=1e-6)
    (h1, w1, _), (h2, w2, _) = NARROW, BROAD
    tops = np.maximum(h1 * survival(levels, w1), h2 * survival(levels, w2))
    # at sigma = 1 the narrow peak still has h w exp(-6^2 / 2) = 1.8e-9 at the top of the broad one
    np.testing.assert_allclose(curve.drop, 1.0 - tops, rtol=0, atol=4e-9)
    assert (curve.uncertainty < 2e-2).all()
    assert not curve.on_edge.any()


def test_the_largest_sigma_within_a_price_is_the_jump() -> None:
    curve = price(track(solve(two_peaks(), np.geomspace(0.03, 1.0, 7)), "maximum"))
    limit = curve.largest_sigma(0.1)
    assert limit.sigma == pytest.approx(sigma_jump(), rel=1e-6)
    assert limit.uncertainty < 1e-5
    assert curve.largest_sigma(0.3).sigma is None
    assert "costs at most" in curve.largest_sigma(0.3).statement


def test_the_largest_sigma_within_a_price_is_refined_on_a_drifting_track() -> None:
    # one skewed peak: the smoothed optimum drifts smoothly, so the price crosses its limit between the levels
    grid = Grid(Axis("x", -10.0, 10.0, 2001, boundary="clip"))
    skew = Landscape.from_function(lambda x: np.exp(-(x**2) / 0.5) + 0.8 * np.exp(-((x - 1) ** 2) / 4), grid)
    coarse, fine = (price(track(solve(skew, np.geomspace(0.1, 1.5, n)), "maximum")) for n in (4, 31))
    limits = [curve.largest_sigma(0.05) for curve in (coarse, fine)]
    assert limits[0].sigma is not None and limits[1].sigma is not None
    # both refine to 1e-9 of sigma, whatever the levels are
    assert limits[0].sigma == pytest.approx(limits[1].sigma, rel=4e-9)
    assert np.interp(limits[1].sigma, fine.sigma, fine.price) == pytest.approx(0.05, rel=0.02)


def test_price_at_the_first_sigma_already() -> None:
    curve = price(track(solve(two_peaks(), [0.4, 0.8]), "maximum"))
    limit = curve.largest_sigma(0.1)
    assert limit.sigma is None and "already at the smallest noise level" in limit.statement


@pytest.mark.parametrize("limit", [0.0, -1.0, math.nan, math.inf])
def test_a_price_that_is_none(limit: float) -> None:
    curve = price(track(solve(two_peaks(), [0.1, 0.8]), "maximum"))
    with pytest.raises(errors.OptionError, match="cost limit must be positive"):
        curve.largest_sigma(limit)


def test_single_maximum_is_the_last_death() -> None:
    # equal bumps at +-1 of width 0.3 merge at sigma^2 = 1 - 0.09
    grid = Grid(Axis("x", -6.0, 6.0, 601, boundary="clip"))
    bumps = Landscape.from_function(lambda x: np.exp(-((x - 1) ** 2) / 0.18) + np.exp(-((x + 1) ** 2) / 0.18), grid)
    space = track(solve(bumps, np.geomspace(0.1, 2.0, 9)))
    limit = single_maximum(space)
    assert limit.sigma == pytest.approx(math.sqrt(0.91), rel=1e-6)
    assert single_maximum(track(solve(bumps, [0.1, 0.5]))).sigma is None
    later = single_maximum(track(solve(bumps, [1.2, 1.5])))
    assert later.sigma is None and "at every noise level from sigma = 1.2 on" in later.statement


def bumpy(seed: int) -> Landscape:
    """Six bumps in a square box, some of them near its edge."""
    generator = np.random.default_rng(seed)
    centres, heights, widths = (
        generator.uniform(-1, 1, (6, 2)),
        generator.uniform(0.3, 1, 6),
        generator.uniform(0.1, 0.3, 6),
    )
    grid = Grid(*(Axis(name, -1.0, 1.0, 61, boundary="clip") for name in "xy"))
    bumps = [*zip(heights, centres, widths, strict=True)]
    return Landscape.from_function(
        lambda x, y: sum(h * np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * w**2)) for h, (a, b), w in bumps), grid
    )


def tilted(boundary: str) -> Landscape:
    """Two narrow peaks on a slope: the last inner maximum dies well before the edge comes to hold a minimum."""
    grid = Grid(Axis("x", -1.5, 1.5, 401, boundary=boundary))
    return Landscape.from_function(
        lambda x: 0.3 * x + np.exp(-((x - 1) ** 2) / 0.02) + 0.5 * np.exp(-((x - 0.5) ** 2) / 0.02), grid
    )


@pytest.mark.parametrize(
    ("landscape", "sigma"),
    [
        *[(tilted(boundary), np.geomspace(0.03, 1.5, 10)) for boundary in ("clip", "reflect", "zero", "absorb")],
        *[(bumpy(seed), np.geomspace(0.08, 1.0, 10)) for seed in range(3)],
        (two_peaks(), np.geomspace(0.03, 4.0, 9)),
    ],
)
def test_the_number_of_maxima_changes_at_the_events_that_are_told(landscape: Landscape, sigma: np.ndarray) -> None:
    space = track(solve(landscape, sigma))
    for kind in space.kinds:
        counts, changes = space.count(kind), count_changes(space, kind)
        after = [counts[0] + sum(change for event, change in changes if event.sigma < level) for level in sigma]
        assert after == counts.tolist()
    counts, limit = space.count(), single_maximum(space)
    if counts[-1] != 1:
        assert limit.sigma is None and f"{counts[-1]} maxima remain" in limit.statement
        return
    # finer levels have one maximum from there on, and another number just before
    assert limit.sigma is not None
    beside = [0.995 * limit.sigma, 1.005 * limit.sigma, *np.geomspace(1.01 * limit.sigma, max(sigma), 4)]
    finer = track(solve(landscape, beside)).count()
    assert finer[0] > 1 and (finer[1:] == 1).all()


def test_an_edge_that_comes_to_hold_an_extremum_is_no_death() -> None:
    space = track(solve(tilted("clip"), np.geomspace(0.03, 1.5, 10)))
    last = space.events[-1]
    assert last.kind == "reaches edge" and last not in [event for event, _ in count_changes(space)]
    found = single_maximum(space).sigma
    assert found is not None and found < 0.2 < last.sigma


def test_the_price_on_both_sides_of_a_jump() -> None:
    curve = price(track(solve(two_peaks(), np.geomspace(0.03, 1.0, 7)), "maximum"))
    np.testing.assert_allclose(curve.jump_sigma, [sigma_jump()], rtol=1e-6)
    np.testing.assert_allclose(curve.jump_price, [[0.0, NARROW[0] - BROAD[0]]], rtol=0, atol=1e-6)
    (h, w, _) = NARROW
    np.testing.assert_allclose(curve.jump_drop, [h - h * survival(sigma_jump(), w)], rtol=0, atol=1e-8)
    assert curve.jump_uncertainty.shape == (1, 2) and not curve.jump_uncertainty.any()


def test_the_price_before_a_jump_is_that_of_the_old_optimum_there() -> None:
    # a skewed peak, whose top drifts before the broad one takes over
    grid = Grid(Axis("x", -10.0, 10.0, 1001, boundary="clip"))
    skew = Landscape.from_function(
        lambda x: (
            np.exp(-((x - 3) ** 2) / 0.1) + 0.6 * np.exp(-((x - 3.6) ** 2) / 0.5) + 0.75 * np.exp(-((x + 4) ** 2) / 9)
        ),
        grid,
    )
    curve = price(track(solve(skew, np.geomspace(0.05, 2.0, 5)), "maximum"))
    (sigma,) = curve.jump_sigma
    beside = price(track(solve(skew, [sigma * (1 - 1e-6), sigma * (1 + 1e-6)]), "maximum"))
    assert beside.price[0] > 0.01
    # the price moves by its slope times 1e-6
    np.testing.assert_allclose(curve.jump_price[0], beside.price, rtol=1e-4)


def test_an_optimum_that_falls_between_the_nodes_is_told() -> None:
    # a needle of height 0.5 and width 0.02 on top of a hill, halfway between nodes 0.1 apart; the best node is at -3
    grid = Grid(Axis("x", -4.0, 4.0, 81, boundary="clip"))
    needle = Landscape.from_function(
        lambda x: (
            0.5 * np.exp(-((x - 0.05) ** 2) / 8e-4)
            + 0.4 * np.exp(-((x - 0.05) ** 2) / 2)
            + 0.42 * np.exp(-((x + 3) ** 2) / 0.05)
        ),
        grid,
    )
    curve = price(track(solve(needle, [0.3, 0.5, 1.5, 3.0]), "maximum"))
    assert curve.price[-1] > 0  # the optimum has left the needle by then
    missed = curve.missed
    assert missed is not None
    assert missed[0] == pytest.approx([0.05], abs=1e-6) and missed[1] == pytest.approx(0.9, abs=1e-6)
    assert price(track(solve(two_peaks(), [0.1, 0.8]), "maximum")).missed is None


def test_statements_name_the_sigma_of_every_axis() -> None:
    grid = Grid(
        Axis("force", -1.0, 1.0, 41, boundary="clip", unit="N"),
        Axis("angle", -30.0, 30.0, 41, boundary="clip", unit="deg"),
    )
    hill = Landscape.from_function(lambda x, y: np.exp(-((x - 0.2) ** 2) / 0.1 - y**2 / 90), grid)
    space = track(solve(hill, [(0.1, 3.0), (0.2, 6.0)]), "maximum")
    assert "at every noise level from sigma = (0.1 N, 3 deg) on" in single_maximum(space).statement
    assert "largest noise level, sigma = (0.2 N, 6 deg), acting" in price(space).largest_sigma(0.5).statement
    assert "at force = 0.2" in str(price(space)) and "angle = 0 deg" in str(price(space))


def test_rough_landscapes_say_how_uncertain_the_price_is() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 256, boundary="reflect"))
    # of other seeds the optimum may stay on a wall, where a node says what Q is
    rough = Landscape(np.random.default_rng(6).standard_normal(256), grid)
    curve = price(track(solve(rough, np.geomspace(0.02, 0.2, 6)), "maximum"))
    assert (curve.price > 0).all()
    # white noise cannot be read between its nodes: the piecewise linear value is used, and it never overshoots
    assert curve.uncertainty.max() > 0.1
    assert (curve.best - curve.price <= rough.values.max()).all()
