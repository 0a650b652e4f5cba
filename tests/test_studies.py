"""The page of a study: its numbers against fixtures, its sentences, and what it refuses."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq, minimize

from heatpg import Axis, Grid, Landscape, errors, evolve, landscapes, load, plot, study
from heatpg.core.noise import LEVELS, default_sigma
from heatpg.scalespace import Roughness, Shape, track
from heatpg.studies import Study
from heatpg.tools.lines import typeset
from tests.pages import page as notebook_page


def line(size: int = 401, boundary: str = "clip") -> Grid:
    return Grid(Axis("x", -4.0, 4.0, size, boundary=boundary, unit="N"))


def bumps(x: np.ndarray) -> np.ndarray:
    """Heights 1 at +1 and 0.6 at -1, width 0.3: the lower one dies at sigma = 0.7365973 (fold of the exact sum)."""
    return np.asarray(np.exp(-((x - 1) ** 2) / 0.18) + 0.6 * np.exp(-((x + 1) ** 2) / 0.18))


@pytest.fixture(scope="module")
def page() -> Study:
    return study(Landscape.from_function(bumps, line(), name="two bumps"), np.geomspace(0.05, 1.5, 12))


def test_numbers_of_two_bumps(page: Study) -> None:
    assert page.space.sigma_jump is None and page.space.sigma_death is None
    # the fold of the sum of Gaussians, solved for by Newton's method in double precision
    assert page.single.sigma == pytest.approx(0.7365973095871, rel=1e-6)
    assert page.curve.best == pytest.approx(1.0 + 0.6 * math.exp(-4 / 0.18), abs=1e-9)
    assert not page.needle_lost
    # both basins reach to the minimum between the bumps, near 0; further than 8 widths out u is flat to round-off
    assert 0.5 - (3.0 - 8 * 0.3) / 8 < page.basins.of_optimum()[0] < 0.51
    assert page.basins.of_optimum()[-1] == pytest.approx(1.0, abs=1e-12)
    assert isinstance(page.roughness, Roughness | str)
    assert page.chaos is None
    assert isinstance(page.shape, Shape)


def test_the_price_that_is_asked_about(page: Study) -> None:
    weights = page.evolution.grid.weights
    mean = float((page.evolution.landscape.values * weights).sum() / weights.sum())
    assert page.price == pytest.approx(0.1 * (page.curve.best - mean), rel=1e-12)
    dear = study(page.evolution.landscape, np.geomspace(0.05, 1.5, 8), price_limit=0.99)
    assert dear.price == 0.99 and dear.keeps.sigma is None and "costs at most" in dear.keeps.statement


def test_the_page_reads_well(page: Study) -> None:
    text = str(page)
    assert max(map(len, text.splitlines())) <= 100
    assert "nan" not in text and "None" not in text
    for topic in ("optimum", "jump", "death", "price", "basin", "maxima", "roughness", "shape"):
        assert page.sentences[topic].endswith("."), topic
    assert "moves without a jump" in page.sentences["jump"]
    assert "0.7366" in page.sentences["maxima"]


def test_a_sentence_is_found_by_the_word_that_is_printed_for_it(page: Study) -> None:
    printed = re.findall(r"^([a-z]+(?: [a-z]+)?) {2,}(?=\S)", str(page), flags=re.MULTILINE)
    assert {"jump", "end", "price", "maxima"} <= set(printed)
    for topic in printed:
        assert page.sentences[topic].split()[0] in str(page)
    assert page.sentences["end"] == page.sentences["death"]
    assert "end" not in json.loads(json.dumps(page.as_dict()))["sentences"]
    with pytest.raises(KeyError, match="no sentence on 'ende'; there are optimum, "):
        page.sentences["ende"]


def test_json_holds_no_numpy(page: Study) -> None:
    again = json.loads(json.dumps(page.as_dict(), allow_nan=False))
    assert again["single_maximum"]["sigma"] == page.single.sigma
    assert again["sentences"] == page.sentences
    assert len(again["price"]["sigma"]) == 12


def test_the_quadrotor_keeps_its_optimum_until_it_jumps_to_a_corner() -> None:
    q = landscapes.quadrotor(size=65)
    result = study(q, np.geomspace(0.08, 1.0, 10))
    jump, death = result.space.sigma_jump, result.space.sigma_death
    assert jump is not None and death is not None and jump.sigma < death.sigma
    assert result.space.tracks[jump.tracks[1]].on_edge
    # hover is symmetric in the rotors, so the ridge runs along u1 = u2: narrow across, wide along
    assert isinstance(result.shape, Shape)
    np.testing.assert_allclose(np.abs(result.shape.directions), math.sqrt(0.5), atol=1e-6)
    assert "noise shaped like the optimum, of the same entropy, leaves" in result.sentences["shape"]
    # the smoothed optimum sits on the ridge as long as it has not jumped: the price is that of the jump
    assert result.keeps.sigma == pytest.approx(jump.sigma, rel=1e-6)
    assert any("edge of the box" in flag for flag in result.space.flags)


def test_the_double_pendulum_is_chaotic_and_has_lost_its_needle() -> None:
    result = study(landscapes.double_pendulum(size=96), np.geomspace(1.5, 20.0, 9))
    assert result.chaos is not None and result.chaos.holder.exponent < 0.5
    assert result.needle_lost and "too coarse to say at which sigma" in result.sentences["needle"]
    assert "chaos" in result.sentences


def test_a_file_knows_where_it_comes_from(tmp_path: Path) -> None:
    sigma = np.geomspace(0.1, 1.0, 9)
    direct = study(landscapes.quadrotor(size=49), sigma)
    evolve(landscapes.quadrotor(size=49), sigma).save(tmp_path / "q.h5")
    flow = load(tmp_path / "q.h5")
    assert not flow.landscape.has_sampler
    again = study(flow)
    assert again.evolution.landscape.has_sampler
    np.testing.assert_array_equal(again.curve.price, direct.curve.price)
    np.testing.assert_array_equal(again.space.sigma, sigma)


def test_an_origin_that_does_not_fit_the_nodes_is_not_used() -> None:
    q = landscapes.quadrotor(size=33)
    other = Landscape(q.values + 1.0, q.grid, q.name, q.provenance)
    assert not study(other, np.geomspace(0.2, 1.0, 5)).evolution.landscape.has_sampler


def peaks(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """1 at (0.5 N, -10 deg), 0.7 and twice as wide at (-0.3 N, 10 deg)."""
    first = np.exp(-((x - 0.5) ** 2) / 0.02 - (y + 10) ** 2 / 20)
    return np.asarray(first + 0.7 * np.exp(-((x + 0.3) ** 2) / 0.1 - (y - 10) ** 2 / 100))


def mixed() -> Grid:
    return Grid(
        Axis("force", -1.0, 1.0, 61, boundary="clip", unit="N"),
        Axis("angle", -30.0, 30.0, 61, boundary="clip", unit="deg"),
    )


@pytest.fixture(scope="module")
def rollouts() -> Study:
    """Known to 0.3 only at the first peak, to 0.04 elsewhere."""
    values = Landscape.from_function(peaks, mixed()).values
    error = np.where(values > 0.9, 0.3, 0.04)
    source = {"parameters": {"kind": "parameters"}}
    landscape = Landscape(values, mixed(), "rollouts", source, standard_error=error)
    return study(landscape, [(0.06 * s, 1.8 * s) for s in (1, 1.5, 2, 4, 8)], price_limit=0.05)


def test_every_axis_has_its_sigma_in_the_sentences(rollouts: Study) -> None:
    said = rollouts.sentences
    assert said["optimum"].startswith("The optimal parameter vector is force = 0.5 N, angle = -10 deg, with Q = 1")
    assert (
        said["jump"].startswith("At sigma = (0.07")
        and " N, 2.3" in said["jump"]
        and "(accuracy limited by the sampling error of Q; no interval is given)" in said["jump"]
    )
    assert said["jump"].endswith("jumps to force = -0.3 N, angle = 10 deg.")
    for topic in ("death", "price", "basin", "maxima", "shape"):
        assert re.search(r"sigma >?= \(", said[topic]) and " deg)" in said[topic], topic
    assert "sparing_covariance" not in said["shape"]  # a width in N and deg is none
    text = str(rollouts)
    assert text.splitlines()[0] == "rollouts: 61 x 61 nodes, 5 sigmas from (0.06 N, 1.8 deg) to (0.48 N, 14.4 deg)"
    assert "sigma, here and in notes: along angle in deg; along force: 0.03333 of it, in N" in text


def test_errors_of_nodes_are_stated_and_errors_of_differences_are_not(rollouts: Study) -> None:
    said = rollouts.sentences["noise"]
    assert said.startswith("Q is known to +- 0.3 at its optimum (standard error over rollouts; median over nodes 0.04)")
    assert (
        "differences between nodes, which decide prices and jumps, are unknown: with common seeds they may be" in said
    )
    assert said.endswith("first jump differ by 0.3 in Q, known to +- 0.3 before the jump and to +- 0.04 after it.")
    landscape = rollouts.evolution.landscape
    assert landscape.standard_error is not None
    for share, words in ((0.1, "Q is known to +- 0.03 at"), (0.0, None)):
        better = Landscape(landscape.values, landscape.grid, "better", standard_error=share * landscape.standard_error)
        fewer = study(better, rollouts.evolution.sigmas, price_limit=0.05).sentences
        assert fewer["optimum"].startswith("The optimal action is ")
        assert ("noise" in fewer) == (words is not None) and (words or "") in fewer.get("noise", "")


def test_nothing_is_called_significant_as_the_errors_of_two_nodes_do_not_tell() -> None:
    """One and the same field of standard errors, made by shared seeds and by independent ones.

    The true error of Q(a) - Q(b) is |s_a - s_b| in the first case and sqrt(s_a^2 + s_b^2) in the second (8 seeds, by
    the covariance of the sample means), so a verdict from s alone would be wrong in one of them.
    """
    offsets = np.array([-1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0])
    others = np.array([-1.0, -1.0, 1.0, 1.0, -1.0, -1.0, 1.0, 1.0])  # uncorrelated with the offsets
    q = Landscape.from_function(peaks, mixed()).values
    where = (q > 0.9)[..., None]
    common, independent = q[..., None] + offsets, q[..., None] + np.where(where, offsets, others)
    errors = [seeds.std(axis=-1, ddof=1) / np.sqrt(8) for seeds in (common, independent)]
    np.testing.assert_array_equal(*errors)
    a, b = np.unravel_index(q.argmax(), q.shape), (0, 0)
    true = [(seeds[a] - seeds[b]).std(ddof=1) / np.sqrt(8) for seeds in (common, independent)]
    assert true[0] < 1e-15 and abs(true[1] - np.sqrt(2) * errors[0][a]) < 1e-12
    source = {"parameters": {"kind": "parameters"}}
    page = study(
        Landscape(q, mixed(), "seeds", source, standard_error=errors[0]), [(0.06 * s, 1.8 * s) for s in (1, 2, 4)]
    )
    for text in (str(page), page._repr_html_(), repr(page.as_dict())):
        assert "significan" not in text and "which is the better one" not in text


def line_of_seeds(size: float, minimise: bool = False, factor: float = 1.0) -> Landscape:
    grid = Grid(Axis("x", -3.0, 3.0, 181, boundary="clip"))
    x = grid[0].coordinates
    rng = np.random.default_rng(8)
    two = np.exp(-((x + 1) ** 2) / 0.0288) + 0.8 * np.exp(-((x - 1) ** 2) / 0.32)
    returns = two + 0.5 * rng.standard_normal((8, 1)) + size * rng.standard_normal((8, 1)) * np.sin(x)
    return Landscape(None, grid, "seeds", returns=(-factor if minimise else factor) * returns, minimise=minimise)


@pytest.mark.parametrize("minimise", [False, True])
def test_sentences_quote_the_larger_of_sampling_and_solver_error(minimise: bool) -> None:
    levels = np.geomspace(0.06, 1.5, 20)
    sure, unsure, exact = (study(line_of_seeds(size, minimise), levels) for size in (0.01, -0.2, 0.0))
    best = "minimum" if minimise else "maximum"
    assert "(95 % interval 0.0" in sure.sentences["jump"] and "+-" not in sure.sentences["jump"]
    assert sure.intervals is not None and sure.intervals.jump is not None and sure.intervals.jump.shown
    assert "95 % interval of that sigma" in sure.verdict.sentence
    assert f"the global {best} of the mean of 8 seeds jumps" in unsure.sentences["jump"]
    assert "8 seeds do not show whether it jumps" in unsure.sentences["jump"]
    assert unsure.verdict.sentence.startswith("In the mean of 8 seeds: at sigma")
    assert unsure.verdict.numbers[0].detail.endswith("not significant with 8 seeds")
    # the noise of both is shared waves, of which one is twenty times the other
    assert re.search(r"At sigma = [0-9.]+ \(95 % interval [0-9.]+ to [0-9.]+\) the optimum", sure.sentences["death"])
    # seeds that differ by a constant know the jump as well as the solver does
    assert exact.intervals is not None and exact.intervals.jump is not None and exact.intervals.jump.shown
    assert "95 % interval 0.09" in exact.sentences["jump"] or "limited by the grid" in exact.sentences["jump"]
    for page in (sure, unsure):
        assert "No intervals for the number of maxima and the basin" in page.sentences["noise"]
        assert "the price exceeds" in page.sentences["price"] and "95 % interval" in page.sentences["price"]
        assert page.as_dict()["intervals"]["seeds"] == 8
        json.dumps(page.as_dict()["intervals"], allow_nan=False)
        assert page.evolution.known_error is not None
        assert page.evolution.plot("study") is not None


def test_the_price_says_where_q_between_the_nodes_is_from(page: Study, rollouts: Study) -> None:
    assert page.sentences["price"].endswith("Values of Q between grid nodes were evaluated exactly (sampler).")
    assert "off-grid values were interpolated" in rollouts.sentences["price"]
    assert "grid" not in page.sentences and "noise" not in page.sentences


def test_a_grid_that_misses_the_optimum_is_told() -> None:
    needle = Landscape.from_function(
        lambda x: (
            0.5 * np.exp(-((x - 0.01) ** 2) / 3e-5)
            + 0.4 * np.exp(-((x - 0.01) ** 2) / 2)
            + 0.42 * np.exp(-((x + 3) ** 2) / 0.005)
        ),
        line(),
    )
    said = study(needle, [0.1, 0.2])
    assert said.sentences["grid"].startswith(
        "Q exceeds its largest node value between the nodes (at least 0.9 at 0.01). The grid misses"
    )


def test_words_for_one_and_for_many(page: Study) -> None:
    assert page.sentences["maxima"].startswith("2 maxima at the smallest noise level; for sigma >= 0.7366")
    later = study(page.evolution.landscape, [0.9, 1.2])
    assert later.sentences["maxima"].startswith("1 maximum at the smallest noise level; there is a single")


def test_short_on_the_screen_and_explained_on_the_page(page: Study, rollouts: Study) -> None:
    assert repr(page) == "<Study of 'two bumps': sigma 0.05 to 1.5>"
    assert repr(rollouts).startswith("<Study of 'rollouts': sigma (0.06 N, 1.8 deg) to (0.48 N, 14.4 deg), jump at (")
    text = str(page)
    for column in ("price", "drop of u", "basin", "Q reached"):
        assert f"{column}: " in " ".join(text.split()), column


def test_default_sigma() -> None:
    sigma = default_sigma(line(201))
    assert sigma.shape == (LEVELS,)
    assert sigma[0] == pytest.approx(2 * 8 / 200) and sigma[-1] == pytest.approx(4.0)
    mixed = Grid(
        Axis("x", 0.0, 1.0, 101, boundary="clip", unit="N"), Axis("y", 0.0, 10.0, 51, boundary="clip", unit="m")
    )
    rows = default_sigma(mixed, 5)
    # one proportion between the axes: that of their lengths
    np.testing.assert_allclose(rows[:, 1] / rows[:, 0], 10.0, rtol=1e-14)
    assert (rows[0] >= 2 * np.array(mixed.spacing) * (1 - 1e-12)).all()


def test_axes_of_different_units() -> None:
    grid = Grid(
        Axis("x", -1.0, 1.0, 61, boundary="clip", unit="N"), Axis("y", -10.0, 10.0, 61, boundary="clip", unit="m")
    )
    result = study(Landscape.from_function(lambda x, y: np.exp(-4 * x**2 - 0.04 * (y - 1) ** 2), grid))
    assert result.space.ratio.tolist() == [0.1, 1.0]
    assert result.space.sigma_death is None


def test_three_dimensions() -> None:
    grid = Grid(*(Axis(name, -2.0, 2.0, 25, boundary="reflect") for name in "xyz"))
    landscape = Landscape.from_function(lambda x, y, z: np.exp(-((x - 0.3) ** 2) - 2 * y**2 - z**2), grid)
    result = study(landscape, [0.4, 0.6, 0.9])
    assert result.space.count("maximum").tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("landscape", "sigma", "match"),
    [
        (Landscape(np.ones(401), line()), [0.1, 0.2], "constant"),
        (Landscape(np.ones((2, 401)), line()), [0.1, 0.2], "single landscape"),
        (Landscape.from_function(bumps, line()), [0.1], "at least two noise levels"),
        (Landscape.from_function(bumps, line(7)), None, "too coarse"),
        # the number of axes first: 16 nodes along each would not help
        (Landscape.from_array(np.random.default_rng(1).normal(size=(5,) * 4), boundary="clip"), None, "at most 3 axes"),
        (Landscape.from_function(bumps, line()), [0.1, -0.2], "not negative"),
    ],
)
def test_refusals(landscape: Landscape, sigma: list[float] | None, match: str) -> None:
    with pytest.raises((errors.UnsupportedError, errors.SigmaError), match=match):
        study(landscape, sigma)


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf])
def test_prices_that_are_none(price: float) -> None:
    with pytest.raises(errors.OptionError, match="price_limit must be positive"):
        study(Landscape.from_function(bumps, line()), [0.1, 0.2], price_limit=price)


def test_progress_counts_the_stages() -> None:
    calls: list[tuple[int, int]] = []
    study(Landscape.from_function(bumps, line(101)), [0.2, 0.5], progress=lambda *step: calls.append(step))
    assert calls == [(i, 7) for i in range(1, 8)]


def test_the_safest_action_is_told_where_it_is_asked_for() -> None:
    """(1, .1) at -1 and (.8, .4) at .8: the safest action jumps at .03324258 (q = .1), that of the best mean later."""

    def peaks(x: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(-((x + 1) ** 2) / 0.02) + 0.8 * np.exp(-((x - 0.8) ** 2) / 0.32))

    landscape = Landscape.from_function(peaks, line(2001))
    stages: list[tuple[int, int]] = []
    page = study(landscape, np.geomspace(0.02, 0.2, 8), risk=0.1, progress=lambda *step: stages.append(step))
    # the safest action takes most of the time, and tells every noise level
    assert stages[:7] == [(i, 39) for i in range(1, 8)] and stages[-1] == (39, 39) and "risk" in page.seconds
    assert len(stages) == 7 + 8 + 1 and stages == sorted(stages)
    assert page.risk is not None and page.risk.safest.sigma_jump is not None
    # h = .004: (h / sigma)^2 / 12 of the tail mean over q and a difference of slopes of 10
    assert page.risk.safest.sigma_jump.sigma == pytest.approx(0.03324258, abs=1.3e-4)
    assert page.space.sigma_jump is not None and page.risk.best_mean.sigma_jump is not None
    assert page.risk.best_mean.sigma_jump.sigma == pytest.approx(page.space.sigma_jump.sigma, rel=1e-8)
    assert page.sentences["safest jump"].startswith("At sigma = 0.0332")
    assert (
        " the safest action jumps from -1 to 0.8; the action with the best mean jumps at sigma = 0.07896"
        in (page.sentences["safest jump"])
    )
    # the topics and their sentences are two columns, however long a topic is
    begins = [line for line in str(page).splitlines() if line.startswith(("value", "safest jump", "parting"))]
    assert len(begins) >= 2 and len({len(line) - len(line[12:].lstrip()) for line in begins}) == 1, begins
    assert max(map(len, str(page).splitlines())) <= 100
    assert page.as_dict()["risk"]["q"] == 0.1
    json.dumps(page.as_dict())
    # a fraction that is none is refused before the work
    with pytest.raises(errors.OptionError, match="q is out of range"):
        study(landscape, risk=-0.1)
    plain = study(Landscape.from_function(bumps, line(101)), [0.2, 0.5])
    assert plain.risk is None and "safest" not in plain.sentences and "risk" not in plain.as_dict()
    assert "mean over" not in page.sentences["safest"]
    # of seeds it is the tail of their mean
    several = study(line_of_seeds(0.01), np.geomspace(0.06, 1.5, 8), risk=0.1)
    assert "Q is the mean over 8 seeds" in several.sentences["safest"]
    assert "the spread of single episodes is not part of them" in several.sentences["safest"]


def test_a_price_that_depends_on_the_interpolant_says_so_where_it_is_printed() -> None:
    """Of a needle, a hill and white noise only the nodes are known: between them two interpolants differ."""
    x = np.linspace(-4.0, 4.0, 81)
    needle, hill = np.exp(-((x - 1) ** 2) / 0.05), 0.7 * np.exp(-((x + 1) ** 2) / 0.5)
    noise = 0.25 * np.random.default_rng(13).standard_normal(81)
    rough = study(Landscape(needle + hill + noise, line(81)), np.geomspace(0.15, 1.0, 10))
    curve = rough.curve
    level = int(np.argmax(curve.uncertainty / np.abs(curve.price)))
    assert curve.uncertainty[level] > 0.1 * abs(curve.price[level])
    row = next(row for row in str(rough).splitlines() if row.lstrip().startswith(f"{curve.sigma[level]:.4g} "))
    assert f"price +- {curve.uncertainty[level]:.2g}" in row
    assert "two interpolants of Q between its nodes differ" in str(rough)
    assert f"price +- {curve.uncertainty[level]:.2g}, interpolated" in str(curve)
    assert max(map(len, str(rough).splitlines())) <= 100
    assert rough.space.sigma_jump is not None
    (apart,) = curve.jump_uncertainty[:1, 1]
    assert apart > 0.1 * curve.jump_price[0, 1]
    assert f" +- {apart:.2g} (Q is interpolated between its nodes)." in rough.verdict.sentence
    # smooth data have no such words, nor have data with a sampler
    x = np.linspace(-4.0, 4.0, 201)
    for smooth in (Landscape(bumps(x), line(201)), Landscape.from_function(bumps, line(201))):
        page = study(smooth, [0.2, 0.5])
        assert "+-" not in str(page.curve) and "price +-" not in str(page)


def test_a_notebook_shows_the_study() -> None:
    result = study(landscapes.peak_and_hill(size=121, widths=(0.2, 1.0)), np.geomspace(0.2, 2.0, 8))
    found = notebook_page(result)
    for sentence in result.sentences.values():
        # a page has the minus sign of its other numbers
        assert typeset(sentence)[:60] in found.text
    assert "Evolution peak_and_hill" in found.text


def test_no_number_is_told_that_means_nothing() -> None:
    """A symmetric landscape has its optimum at 0, one basin and no price: rounding error is not told as a value."""
    grid = Grid(*(Axis(name, -1.0, 1.0, 41, boundary="reflect") for name in "xy"))
    hill = Landscape.from_function(lambda x, y: np.exp(-(x**2 + 1.1 * y**2) / 0.5), grid)
    text = str(study(hill, np.geomspace(0.1, 0.5, 6)))
    assert not re.search(r"\de-1[2-9]", text), text
    assert "is (0, 0), with" in text and "100.0% of the box" not in text and "1, 1 " not in text


def two_hills() -> Landscape:
    def hills(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        broad = np.exp(-((a - 0.7) ** 2 + (b - 0.3) ** 2) / 0.6)
        return np.asarray(np.exp(-((a + 0.8) ** 2 + b**2) / 0.1) + 0.7 * broad)

    return Landscape.from_function(hills, Grid(*(Axis(name, -2.0, 2.0, 65, boundary="clip") for name in "ab")))


CORRELATED = np.array([[0.505, 0.495], [0.495, 0.505]])


def lead_of_the_broad_hill(factor: float) -> float:
    """From the closed form: widths^2 W of hills grow to W + factor^2 S, and heights fall as sqrt(det W / det W + S)."""

    def below(place: Any) -> float:
        total = 0.0
        for height, center, square in ((1.0, (-0.8, 0.0), 0.05), (0.7, (0.7, 0.3), 0.3)):
            wide, away = square * np.eye(2) + factor**2 * CORRELATED, place - center
            fallen = square / math.sqrt(float(np.linalg.det(wide)))
            total -= height * fallen * math.exp(-0.5 * float(away @ np.linalg.solve(wide, away)))
        return total

    tops = [-float(minimize(below, np.array(start)).fun) for start in ((-0.8, 0.0), (0.7, 0.3))]
    return tops[1] - tops[0]


def test_correlated_noise_is_studied_along_its_principal_axes(tmp_path: Path) -> None:
    q, factors = two_hills(), np.geomspace(0.1, 0.9, 9)
    evolution = evolve(q, covariance=factors[:, None, None] ** 2 * CORRELATED)
    evolution.save(tmp_path / "correlated.h5")
    right = brentq(lead_of_the_broad_hill, 0.1, 0.5)
    plain = study(q).space.sigma_jump
    assert plain is not None and abs(right / plain.sigma - 1.0) > 0.1
    for source in (evolution, load(tmp_path / "correlated.h5")):
        page = study(source)
        assert page.principal is not None and "principal axes" in page.sentences["covariance"]
        # the last covariance is .9^2 of the first factor
        last, jump = page.principal.deviations.max(), page.space.sigma_jump
        # eigenvalues of the covariance: .01 and 1
        assert page.space.ratio.tolist() == pytest.approx([0.1, 1.0])
        assert 0.9 * page.space.sigma / last == pytest.approx(factors)
        # Q is linear between nodes, as if its squared widths were h^2 / 6 larger: .8 % of the narrow hill, or 2 % of
        # the sigma at which the other one is as high
        assert jump is not None and 0.9 * jump.sigma / last == pytest.approx(right, rel=0.02)
    # noise that is asked for is not that of the source
    assert study(evolution, np.geomspace(0.15, 0.9, 8)).principal is None


def test_too_few_correlated_levels_are_those_of_their_covariance() -> None:
    q = two_hills()
    page, same = study(evolve(q, covariance=CORRELATED)), study(q, covariance=CORRELATED)
    assert page.sentences == same.sentences and page.principal is not None


def test_covariances_of_several_shapes_have_no_study() -> None:
    q = two_hills()
    several = evolve(q, covariance=[0.04 * CORRELATED, 0.09 * np.diag([1.0, 0.5])], checks="none")
    for risk in (None, 0.1):
        with pytest.raises(errors.UnsupportedError, match="not multiples of a single one") as refused:
            study(several, risk=risk)
        assert "study(landscape, covariance=...)" in refused.value.advice and "0.0202" in str(refused.value)


def test_a_study_draws_its_page() -> None:
    page = study(landscapes.unequal_bumps(size=201), [0.1, 0.2, 0.4, 0.8, 1.6])
    own, other = page.plot(), plot.study(page)
    assert [ax.get_title() for ax in own.axes] == [ax.get_title() for ax in other.axes]
    assert page.plot(width="column").get_figwidth() == 3.5


def test_the_end_of_the_optimum_has_one_name(page: Study) -> None:
    """In the numbers, on the page, in the figures and in the viewer; `death` is the name of an event and of a key."""
    import heatpg.viewer

    assert [number.name for number in page.verdict.numbers[:2]] == ["the optimum jumps", "the optimum ends"]
    labels = [line.split(" ", 1)[0] for line in str(page).splitlines() if line[:1].isalpha()]
    assert "end" in labels and "death" not in labels
    # the narrow peak ends at 1.497
    space = track(evolve(landscapes.peak_and_hill(size=961), np.geomspace(0.02, 2.0, 12)), ["maximum"])
    assert "end of the optimum" in plot.fingerprint(space).get_legend_handles_labels()[1]
    assert '"end of a track"' in (Path(heatpg.viewer.__file__).parent / "viewer.js").read_text(encoding="utf-8")
    glossary = (Path(__file__).parents[1] / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert "\nend of a maximum\n: " in glossary


def test_what_costs_nothing_is_not_at_most_zero() -> None:
    x = np.linspace(-4.0, 4.0, 201)
    hill = study(Landscape(np.exp(-(x**2)), line(201)), [0.2, 0.5])
    assert hill.verdict.sentence == "The optimum stays: up to sigma = 0.5 N acting on it costs nothing."
    assert "costs nothing, within the limit" in hill.sentences["price"]


def test_sentences_of_seeds_begin_with_a_capital() -> None:
    words = study(line_of_seeds(0.01), np.geomspace(0.06, 1.5, 8)).sentences["noise"]
    assert re.findall(r"(?:^|\. )([a-z])", words) == []


def test_equal_seeds_leave_nothing_open() -> None:
    """A system without noise, rolled out eight times: its jump is certain, however far apart the levels are."""
    axis = Axis("x", -3.0, 3.0, 241, boundary="clip")
    x = axis.coordinates
    q = np.exp(-((x + 1) ** 2) / 0.0288) + 0.8 * np.exp(-((x - 1) ** 2) / 0.32)
    same = study(Landscape(None, Grid(axis), returns=np.stack([q] * 8)), [0.05, 0.5])
    alone = study(Landscape(q, Grid(axis)), [0.05, 0.5])
    assert same.intervals is None
    assert "leave nothing open" in same.sentences["noise"]
    assert same.sentences["jump"] == alone.sentences["jump"] and "sigma = 0.09708" in alone.sentences["jump"]
    # one seed that differs at one node is a reason for intervals
    other = np.stack([q] * 8)
    other[3, 5] += 1e-3
    assert study(Landscape(None, Grid(axis), returns=other), [0.05, 0.5]).intervals is not None


def test_the_text_of_a_study_counts_its_checks_and_names_those_that_did_not_pass() -> None:
    flow = evolve(landscapes.unequal_bumps(size=201), np.geomspace(0.1, 4.0, 8))
    last = str(study(flow)).split("\nchecks: ")[1]
    others = [check.name for check in flow.report.checks if check.status != "passed"]
    assert others and all(name in last for name in others)
    passed = sum(check.status == "passed" for check in flow.report.checks)
    assert last.startswith(f"{passed} passed, ")
    assert "checks: none were made" in str(study(landscapes.unequal_bumps(size=201), [0.1, 0.5], checks="none"))
