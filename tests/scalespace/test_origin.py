"""What remains of the optimum of Q at the first level, and in which words the end of a track is told."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy.optimize import brentq

from heatpg import Axis, Grid, Landscape, evolve, study
from heatpg.scalespace import track
from heatpg.scalespace.origin import departure, ending, ending_words, fade

WIDTHS = (0.1, 0.4)
# of exp(-(x + 1)^2 / (2 w1^2)) and .8 exp(-(x - 1)^2 / (2 w2^2)), 20 widths apart, the first leads until
# w1 / sqrt(w1^2 + s) = .8 w2 / sqrt(w2^2 + s)
JUMP = math.sqrt((1 - 0.64) / (0.64 / WIDTHS[0] ** 2 - 1 / WIDTHS[1] ** 2))


def bumps(size: int = 401, *, sign: float = 1.0, boundary: str = "clip", offset: float = 0.0) -> Landscape:
    axis = Axis("x", -3.0, 3.0, size, boundary=boundary)
    x = axis.coordinates
    q = np.exp(-0.5 * ((x + 1) / WIDTHS[0]) ** 2) + 0.8 * np.exp(-0.5 * ((x - 1) / WIDTHS[1]) ** 2)
    return Landscape(sign * q + offset, Grid(axis), minimise=sign < 0)


@pytest.mark.parametrize("offset", [0.0, 2.0**20])
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("boundary", ["clip", "reflect", "periodic"])
def test_an_optimum_that_was_overtaken_has_not_vanished(boundary: str, sign: float, offset: float) -> None:
    q = bumps(sign=sign, boundary=boundary, offset=offset)
    below, above = (np.linspace(share * JUMP, 0.6, 9) for share in (0.8, 1.3))
    assert departure(track(evolve(q, below))) is None
    page = study(q, above)
    assert page.departed is not None and page.departed.track is not None
    assert not page.needle_lost
    assert page.space.tracks[page.departed.track].positions[0] == pytest.approx([-1.0], abs=0.01)
    assert page.as_dict()["overtaken"] == page.departed.track
    sentence = page.verdict.sentence
    assert "vanished" not in sentence and "what remains of the optimum of Q is a local" in sentence
    assert f"another {'minimum' if sign < 0 else 'maximum'} is {'lower' if sign < 0 else 'higher'}" in sentence
    jump = page.verdict.numbers[0]
    assert jump.value == f"below {above[0]:.3g}" and jump.detail == "to 1"
    assert "ends at a local" in page.sentences["needle"] and "-1" in page.sentences["needle"]


def test_an_optimum_far_narrower_than_the_noise_has_vanished() -> None:
    """A spike of one node on the slope of the lower of two hills: ascent from its place climbs that hill."""
    axis = Axis("x", -8.0, 4.0, 241, boundary="clip")
    q = np.exp(-0.5 * (axis.coordinates - 1.5) ** 2) + 1.2 * np.exp(-0.5 * (axis.coordinates + 4) ** 2)
    q[170] += 2.0  # on the slope at .5, which is steeper than what noise of .3 leaves of the spike
    page = study(Landscape(q, Grid(axis)), np.linspace(0.3, 1.0, 9))
    assert page.needle_lost and page.departed is not None and page.departed.track is None
    assert page.as_dict()["overtaken"] is None
    assert "has vanished" in page.verdict.sentence


@pytest.mark.parametrize(("spread", "significant"), [(0.001, True), (1.0, False)])
def test_few_seeds_may_not_show_that_another_is_better(spread: float, significant: bool) -> None:
    """Seeds that differ at the two bumps: the paired difference decides, and common noise of any size does not."""
    q = bumps()
    x = q.grid[0].coordinates
    rng = np.random.default_rng(3)
    shift = rng.normal(size=(8, 2, 1))
    shift -= shift.mean(axis=0)
    seeds = q.values + 10.0 * shift[:, 0] + spread * shift[:, 1] * np.exp(-0.5 * ((x + 1) / 0.5) ** 2)
    page = study(Landscape(None, q.grid, returns=seeds), np.linspace(1.3 * JUMP, 0.6, 9))
    assert page.intervals is not None and page.intervals.lead is not None
    lead = page.intervals.lead
    # E exp(-(X / w)^2 / 2) of X normal of variance s: w / sqrt(w^2 + s)
    s = (1.3 * JUMP) ** 2
    heights = [height * w / math.sqrt(w**2 + s) for height, w in zip((1.0, 0.8), WIDTHS, strict=True)]
    assert lead.difference == pytest.approx(heights[1] - heights[0], rel=0.02)
    # the standard error of 8 seeds whose second number is scaled by the spread, flattened by the noise
    known = spread * shift[:, 1].std(ddof=1) / math.sqrt(8) * 0.5 / math.sqrt(0.25 + s)
    assert lead.error == pytest.approx(known, rel=0.02)
    assert lead.significant is significant
    assert ("In the mean of 8 seeds" in page.verdict.sentence) is not significant
    assert ("not significant with 8 seeds" in page.verdict.numbers[0].detail) is not significant
    assert lead.statement in page.sentences["needle"]
    assert page.as_dict()["intervals"]["lead"]["significant"] is significant


def test_a_maximum_that_meets_its_image_at_a_wall_reaches_the_edge() -> None:
    """cos(pi x) - .6 cos(2 pi x): what is a maximum beside the wall at 0 becomes one on it, at 2.4 e^3 = 1."""
    x = Axis("x", 0.0, 1.0, 97, boundary="reflect")
    q = Landscape(np.cos(np.pi * x.coordinates) - 0.6 * np.cos(2 * np.pi * x.coordinates), Grid(x))
    page = study(q, np.linspace(0.15, 0.4, 9))
    event = page.space.sigma_death
    assert event is not None and event.kind == "merge"
    assert ending(page.space, event) == ("reaches the edge of the box", "at 0, and stays there")
    assert page.verdict.numbers[1].name == "the optimum ends"
    assert page.verdict.numbers[1].detail == "reaches the edge of the box at 0, and stays there"
    assert page.sentences["death"].endswith("the optimum reaches the edge of the box at 0, and stays there.")


def test_an_optimum_on_the_edge_may_end_there() -> None:
    """The second derivative of u on the wall 1 changes its sign twice, at the ends of its maximum there."""
    c = np.array([0.0024, 0.16983, -0.38025, 0.12216, 0.04786, -0.18566])
    k = np.arange(1, 7)
    x = Axis("x", 0.0, 1.0, 161, boundary="reflect")
    q = Landscape(c @ np.cos(np.pi * k[:, None] * x.coordinates), Grid(x))

    def curvature(sigma: float) -> float:
        return float(-(c * (np.pi * k) ** 2 * (-1.0) ** k * np.exp(-((np.pi * k * sigma) ** 2) / 2)).sum())

    page = study(q, np.geomspace(0.03, 1, 16))
    event = page.space.sigma_death
    assert event is not None and abs(event.sigma - brentq(curvature, 0.03, 0.1)) < 1e-5
    end = brentq(curvature, 0.3, 0.9)
    assert ending(page.space, event)[1] == f"at 1, where it remains a local maximum up to sigma = {end:.3g}"
    # up to there no end is known
    page = study(q, np.geomspace(0.03, 0.5, 12))
    assert page.space.sigma_death is not None
    assert ending(page.space, page.space.sigma_death)[1] == "at 1, and stays there"


def test_an_optimum_that_becomes_a_plateau_is_followed_up_to_there() -> None:
    """y enters by cos(3 pi x) cos(3 pi y) alone, which is 0 at x = 1/6: there u is level along y, and its top moves."""
    terms = ((0.012, 1, 0), (-0.29137, 3, 0), (0.1119, 3, 3))

    def value(x: np.ndarray, y: np.ndarray, sigma: float = 0.0) -> np.ndarray:
        def decay(i: int, j: int) -> float:
            return math.exp(-((np.pi * sigma) ** 2) * (i * i + j * j) / 2)

        return np.asarray(sum(a * decay(i, j) * np.cos(np.pi * i * x) * np.cos(np.pi * j * y) for a, i, j in terms))

    q = Landscape.from_function(
        value, Grid(Axis("x", 0.0, 1.0, 48, boundary="reflect"), Axis("y", 0.0, 1.0, 44, boundary="reflect"))
    )
    page = study(q, np.geomspace(0.05556, 0.40786, 13))
    # u at x = 1/6 has a slope of 0 where those of the first two terms cancel, and the third has none
    slope = brentq(
        lambda s: 0.012 * math.exp(-((np.pi * s) ** 2) / 2) * 0.5 - 0.29137 * 3 * math.exp(-4.5 * (np.pi * s) ** 2),
        0.2,
        0.4,
    )
    faded = fade(page.space)
    assert faded is not None and faded.sigma == pytest.approx(slope, abs=1e-4)
    assert "where it fades into a plateau" in page.sentences["jump"]
    assert "fades into a plateau, flat to round-off" in page.sentences["death"]
    assert page.verdict.sentence.endswith("it fades into a plateau.")
    assert (
        page.verdict.numbers[0].detail == page.verdict.numbers[1].detail == f"up to sigma = {slope:.3g}; then a plateau"
    )


def test_two_equal_maxima_merge_and_others_vanish() -> None:
    x = Axis("x", -3.0, 3.0, 241, boundary="clip")
    grid = Grid(x)
    pair = np.exp(-2 * (x.coordinates + 1) ** 2) + np.exp(-2 * (x.coordinates - 1) ** 2)
    space = track(evolve(Landscape(pair, grid), np.linspace(0.3, 1.2, 9)))
    merger = next(event for event in space.events if event.kind == "merge")
    assert ending_words(space, merger) == "merges with an equal maximum"
    # of three the one in the middle is narrower and lower: two minima meet it at once, and a minimum is left
    three = pair + 0.8 * np.exp(-30 * x.coordinates**2)
    space = track(evolve(Landscape(three, grid), np.linspace(0.1, 0.6, 9)))
    middle = next(one for one in space.tracks if one.kind == "maximum" and abs(one.positions[0, 0]) < 1e-6)
    assert middle.death is not None
    faded = dataclasses.replace(middle.death, kind="fades")
    assert ending_words(space, faded) == "fades into a plateau, flat to round-off"
    assert ending_words(space, middle.death) == "vanishes: it annihilates with a minimum"
