"""What draws show of jumps and prices, against closed forms of Gaussians in all components."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Evolution, Grid, Landscape, load, plot, study
from heatpg.core.levels import LevelField
from heatpg.core.report import Check, Place, Report
from heatpg.errors import SigmaError
from heatpg.planes import Draws, evolve_plane
from heatpg.scalespace import track
from heatpg.scalespace.drawn import above_zero, error_of_q, lead_errors, shows_jump

Array = NDArray[np.float64]

WIDTHS = np.array([0.3, 1.2, 0.3, 1.2])
LEVELS = np.geomspace(0.1, 0.5, 6)


def two(second: float, widths: Array, minimise: bool = False) -> Landscape:
    """A peak of height 1 at 0, and one at 4 whose other components have other widths."""

    def peaks(x: Array, *y: Array) -> Array:
        total = 0.0
        for height, center, wide in ((1.0, 0.0, WIDTHS), (second, 4.0, widths)):
            across = sum((c / s) ** 2 for c, s in zip(y, wide, strict=True))
            total = total + height * np.exp(-0.5 * ((x - center) / 0.5) ** 2 - 0.5 * across)
        return np.asarray(-total if minimise else total)

    grid = Grid(Axis("x", -2.0, 6.0, 65, boundary="clip"))
    return Landscape.from_function(peaks, grid, dimensions=5, minimise=minimise)


def drawn(q: Landscape, seed: int, error: float = 0.02) -> Evolution:
    return evolve_plane(q, LEVELS, Draws(error=error, seed=seed), checks="none")


@pytest.mark.parametrize("minimise", [False, True])
def test_no_jump_is_claimed_that_draws_do_not_show(minimise: bool, tmp_path: Path) -> None:
    """The second peak, of the same widths in another order, is .98 of the first at every sigma."""
    q, jumps, claims = two(0.98, WIDTHS[::-1], minimise), 0, 0
    for seed in range(12):
        page = study(drawn(q, seed))
        jump = page.space.clearest_jump
        if jump is None:
            # the other one is as good within the errors, at every sigma: nothing is shown the other way either
            assert page.verdict.sentence.startswith("The draws do not show whether the optimum jumps: in their mean it")
            assert page.verdict.numbers[0].value == "not shown" and page.space.rival is not None
            assert abs(page.space.rival[1][0] - 4.0) < 0.5
            assert page.sentences["jump"].startswith("The draws do not show")
            continue
        jumps += 1
        stored = page.as_dict()["sigma_jump"]
        first = page.space.sigma_jump
        assert first is not None and stored["shown"] == page.space.shows(first)
        assert all(event["uncertainty"] > 1e-4 for event in page.space.as_dict()["events"] if event["kind"] == "jump")
        claims += page.space.shows(jump)
        if not page.space.shows(jump):
            assert page.verdict.sentence.startswith("The draws do not show whether the optimum jumps")
            assert f" +- {jump.uncertainty:.1g}, to " in page.verdict.sentence and "costs 0.02 +- " in str(page)
            assert page.verdict.numbers[0].value == "not shown"
            assert page.sentences["jump"].startswith("The draws do not show") and "jump at" not in repr(page)
            assert f"(standard error over the draws +- {jump.uncertainty:.1g})" in page.sentences["jump"]
    # a claim needs two signs at 95 % each, of which one is false: 2.5 % at each of a few independent levels
    assert jumps >= 4 and claims <= 1
    flow = drawn(q, 5)
    flow.save(tmp_path / "flow.h5")
    page = study(load(tmp_path / "flow.h5"))
    assert "The draws do not show" in page.verdict.sentence
    plot.save(plot.study(page), tmp_path / "study.png")


def test_draws_that_leave_no_doubt_are_told_without_any() -> None:
    page = study(drawn(two(0.5, WIDTHS), 1))
    # half of the height is 10 and more standard errors of the lead
    assert page.space.clearest_jump is None and page.space.rival is None
    assert page.verdict.numbers[0].value == "none" and "moves without a jump" in page.sentences["jump"]


@pytest.mark.parametrize("minimise", [False, True])
def test_a_jump_that_draws_show_is_told(minimise: bool) -> None:
    """A broad peak of .8: its lead goes from -.2 to some .3 of the fallen first one, of which draws know .02."""
    q = two(0.8, np.full(4, 1.2), minimise)
    shares = np.array([[1.0, *WIDTHS], [0.8, *np.full(4, 1.2)]])
    fine = np.linspace(0.1, 0.5, 100_001)
    heights = [h * np.prod([w / np.sqrt(w**2 + fine**2) for w in wide], axis=0) for h, *wide in shares]
    # the widths along x are equal, and so are the shares of that axis
    right = float(fine[int(np.argmax(heights[1] > heights[0]))])
    for seed in range(3):
        page = study(drawn(q, seed))
        jump = page.space.clearest_jump
        assert jump is not None and page.space.shows(jump)
        assert abs(jump.sigma - right) < 4 * jump.uncertainty < 0.2
        assert page.verdict.sentence.startswith("At sigma = ") and "costs 0.2 +- " in page.verdict.sentence
        assert page.sentences["jump"].startswith("At sigma = ")


def test_errors_of_a_lead_are_those_of_its_scatter() -> None:
    """The lead of u at 4 over u at 0 over many seeds, whose standard deviation 40 of them know to 11 %."""
    q, places = two(0.98, WIDTHS[::-1]), np.array([[[0.0], [4.0]]])
    leads, errors = [], []
    for seed in range(40):
        flow = evolve_plane(q, [0.2, 0.4], Draws(count=64, seed=seed, budget=10**8), checks="none")
        field = LevelField(q, flow.sigmas[:, 0], np.asarray(flow.values))
        leads.append(float(np.diff(field.value(places[0], 0.4))[0]))
        errors.append(float(lead_errors(flow, np.array([0.4]), places)[0]))
    # errors of sixteen groups each have 18 %, and so the mean of 40 has 3 %
    assert math.sqrt(np.mean(np.square(errors))) == pytest.approx(float(np.std(leads, ddof=1)), rel=0.4)


def test_the_error_of_a_price_is_the_scatter_of_q_at_the_optimum() -> None:
    """A peak beside a ramp that other components turn: its maximum moves with the draws, and Q is not flat there."""

    def hill(x: Array, y: Array) -> Array:
        return np.asarray(np.exp(-((x - 0.6 * np.tanh(2 * y) - y) ** 2) / 0.5) + 0.1 * x)

    q = Landscape.from_function(hill, Grid(Axis("x", -3.0, 3.0, 61, boundary="clip")), dimensions=2)
    reads, errors = [], []
    for seed in range(30):
        flow = evolve_plane(q, [0.3, 0.6], Draws(count=200, seed=seed, budget=10**8), checks="none")
        space = track(flow, "maximum")
        assert isinstance(space.field, LevelField)
        place = space.optimum_positions[1]
        reads.append(float(q.sample(place[None])[0]))
        found = error_of_q(flow, space.field, 0.6, place)
        assert found is not None
        errors.append(found)
    assert math.sqrt(np.mean(np.square(errors))) == pytest.approx(float(np.std(reads, ddof=1)), rel=0.5)


def test_levels_without_noise_are_left_out(tmp_path: Path) -> None:
    q, draws = two(0.8, np.full(4, 1.2)), Draws(error=0.05)
    page, without = (study(q, levels, draws=draws) for levels in ([0.0, 0.1, 0.2, 0.4], [0.1, 0.2, 0.4]))
    assert page.space.sigma.tolist() == page.evolution.sigma.tolist() == [0.1, 0.2, 0.4]
    assert page.evolution.values.tobytes() == without.evolution.values.tobytes()
    assert page.sentences == without.sentences and page.verdict == without.verdict
    evolve_plane(q, [0.0, 0.1, 0.2, 0.4], draws).save(tmp_path / "flow.h5")
    again = study(load(tmp_path / "flow.h5"))
    assert again.space.sigma.tolist() == [0.1, 0.2, 0.4] and again.verdict.numbers == page.verdict.numbers
    checks = [Check("one", "finding", "", where=Place(level, (0,), (-2.0,))) for level in (0, 2)]
    left = above_zero(Evolution.of(evolve_plane(q, [0.0, 0.1, 0.2], draws), report=Report(checks)))
    # the first is at the level that is left out
    assert [check.where for check in left.report] == [None, Place(1, (0,), (-2.0,))]
    # what is left is too little
    with pytest.raises(SigmaError, match="at least two noise levels"):
        study(q, [0.0, 0.1], draws=draws)


def test_the_end_of_a_drawn_maximum_has_no_error_of_root_finding() -> None:
    """The drawn part is an overall factor, and the narrow one of two peaks in a line vanishes."""

    def peaks(x: Array, y: Array) -> Array:
        return np.asarray((np.exp(-(x**2) / 0.18) + 0.8 * np.exp(-((x - 2) ** 2) / 2)) / (1 + y**2))

    q = Landscape.from_function(peaks, Grid(Axis("x", -3.0, 5.0, 81, boundary="clip")), dimensions=2)
    page = study(q, np.geomspace(0.2, 1.5, 10), draws=Draws(count=64))
    death = page.space.sigma_death
    # a factor moves no maximum; what is left is the summing over lattices of the narrow peak
    assert death is not None and death.uncertainty < 1e-4
    assert "(standard error over the draws +- " in page.sentences["death"]
    assert "root-finding" not in str(page)


def test_a_jump_is_shown_by_leads_on_both_sides_of_it() -> None:
    """The narrow peak at 0 leads the broad one at 4 up to .16; neither ever leads or trails the valley between so."""
    line = Grid(Axis("x", -1.0, 5.0, 61, boundary="clip"))
    q = Landscape.from_function(
        lambda x, y: np.exp(-(x**2 + y**2) / 0.18) + 0.8 * np.exp(-((x - 4) ** 2 + y**2) / 2), line, dimensions=2
    )
    sigma = np.geomspace(0.08, 0.4, 8)
    flow = evolve_plane(q, sigma, Draws(count=200), checks="none")
    field = LevelField(q, sigma, flow.values)

    def shown(old: float, new: float) -> bool:
        return shows_jump(flow, field, sigma, 0.16, np.tile([[old], [new]], (8, 1, 1)))

    assert shown(0.0, 4.0) and not shown(4.0, 0.0)
    # the old one leads below, and above as well
    assert not shown(0.0, 1.5)
    # the new one leads above, and below as well
    assert not shown(1.5, 4.0)
