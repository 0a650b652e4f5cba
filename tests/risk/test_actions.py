"""The safest action, its jumps, and where it parts from the best mean one, against exact numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from heatpg import Axis, Grid, Landscape, evolve, landscapes, study
from heatpg.errors import UnsupportedError
from heatpg.risk import distribution, safest_action

Array = NDArray[np.float64]

# (1, .1) at -1 and (.8, .4) at .8, with interaction: the sigma at which the best action jumps
JUMPS = {0.1: 0.03324258, 0.25: 0.04139525}
MEAN_JUMP = 0.0789675516


def bumps(x: Array) -> Array:
    return np.asarray(np.exp(-((x + 1.0) ** 2) / 0.02) + 0.8 * np.exp(-((x - 0.8) ** 2) / 0.32))


def two_bumps(size: int, boundary: str = "clip", minimise: bool = False) -> Landscape:
    grid = Grid(Axis("x", -4.0, 4.0, size, boundary=boundary))
    landscape = Landscape.from_function(bumps, grid)
    if minimise:
        return Landscape(-landscape.values, grid, "two_bumps", minimise=True)
    return landscape


@pytest.mark.parametrize("q", JUMPS)
def test_jumps_of_the_fixture(q: float) -> None:
    """The error falls as (h / sigma)^2; the mean is a sum of smooth functions, exact to the quadratic at the top."""
    errors = []
    for size in (2001, 8001):
        found = safest_action(two_bumps(size), q, sigma=np.geomspace(0.02, 0.2, 7), tolerance=3e-3)
        assert found.safest.sigma_jump is not None and found.best_mean.sigma_jump is not None
        errors.append(abs(found.safest.sigma_jump.sigma - JUMPS[q]))
        assert found.best_mean.sigma_jump.sigma == pytest.approx(MEAN_JUMP, abs=2e-9)
        assert errors[-1] < 2.0 * found.safest.sigma_jump.uncertainty
        assert found.best_mean.sigma_jump.uncertainty < 1e-8
        assert found.safest.sigma_jump.before == pytest.approx([-1.0], abs=1e-3)
        assert found.safest.sigma_jump.after == pytest.approx([0.8], abs=5e-3)
        parting = found.parting
        assert parting is not None and parting.sigma == found.safest.sigma_jump.sigma
        assert [one.apart for one in found.partings] == [True, False]
        assert found.partings[1].sigma == found.best_mean.sigma_jump.sigma
    # h = .004 and .001: (h / sigma)^2 / 12 of the tail mean, whose slopes differ by 10 / unit of sigma, over q
    slack = [(8.0 / (size - 1) / JUMPS[q]) ** 2 / 12.0 / q / 10.0 for size in (2001, 8001)]
    assert errors[0] < slack[0] and errors[1] < slack[1]


def test_a_loss_is_the_mirror_image() -> None:
    sigma = np.geomspace(0.02, 0.2, 5)
    gain, loss = (safest_action(two_bumps(1001, minimise=m), 0.1, sigma=sigma) for m in (False, True))
    assert loss.safest.positions == pytest.approx(gain.safest.positions)
    assert loss.safest.values == pytest.approx(-gain.safest.values)
    for one, other in zip(loss.safest.jumps, gain.safest.jumps, strict=True):
        assert one.sigma == pytest.approx(other.sigma, rel=1e-9)
    assert loss.mean_lost == pytest.approx(gain.mean_lost) and loss.tail_gained == pytest.approx(gain.tail_gained)
    assert "losses" in loss.sentences["safest"]


@pytest.mark.parametrize("minimise", [False, True])
def test_what_is_lost_and_gained(minimise: bool) -> None:
    found = safest_action(two_bumps(1001, minimise=minimise), 0.1, sigma=np.geomspace(0.02, 0.2, 9))
    # each is the best by its own measure
    assert (found.mean_lost >= 0.0).all() and (found.tail_gained >= 0.0).all()
    apart = (found.sigma > JUMPS[0.1] * 1.01) & (found.sigma < MEAN_JUMP)
    assert (found.mean_lost[apart] > 0.0).all() and (found.tail_gained[apart] > 0.0).all()
    # on the broad bump Q is .8 where it was 1
    assert found.safest.price[-1] == pytest.approx(0.2, abs=1e-3)
    assert found.safest.price[0] == pytest.approx(0.0, abs=1e-5)
    assert not found.safest.on_edge.any()


def test_a_periodic_action_and_units() -> None:
    """Moved along a ring, with an offset, scaled, and in other units: the same jumps."""

    def ring(shift: float, offset: float, factor: float, unit: float) -> Landscape:
        grid = Grid(Axis("x", 0.0, 8.0 * unit, 1600, boundary="periodic"))

        def wrapped(x: Array) -> Array:
            place = (x / unit - shift + 4.0) % 8.0 - 4.0
            return np.asarray(offset + factor * bumps(place))

        return Landscape.from_function(wrapped, grid)

    sigma = np.geomspace(0.02, 0.2, 5)
    plain = safest_action(ring(4.0, 0.0, 1.0, 1.0), 0.1, sigma=sigma)
    for shift, offset, factor, unit in ((1.0, 0.0, 1.0, 1.0), (4.0, 1e9, 1.0, 1.0), (4.0, 0.0, 2.0**-200, 2.0**10)):
        other = safest_action(ring(shift, offset, factor, unit), 0.1, sigma=sigma * unit)
        first, second = plain.safest.sigma_jump, other.safest.sigma_jump
        assert first is not None and second is not None
        # an offset of 1e9 rounds Q to 1e-7, of which slopes of 10 make 1e-8 of sigma
        assert second.sigma / unit == pytest.approx(first.sigma, abs=1e-6)
        assert (second.before[0] / unit - shift + 4.0) % 8.0 == pytest.approx((first.before[0]) % 8.0, abs=1e-3)
        assert other.mean_lost / factor == pytest.approx(plain.mean_lost, abs=1e-5)


def test_two_axes() -> None:
    """Peaks of widths .3 and .8 in two dimensions: the mean jumps by the closed form, the safest action before it."""
    grid = Grid(Axis("x", -4.0, 4.0, 241, boundary="clip"), Axis("y", -3.0, 3.0, 181, boundary="clip"))

    def peaks(x: Array, y: Array) -> Array:
        narrow = np.exp(-((x + 1.5) ** 2 + y**2) / (2.0 * 0.3**2))
        return np.asarray(narrow + 0.8 * np.exp(-((x - 1.3) ** 2 + y**2) / (2.0 * 0.8**2)))

    found = safest_action(Landscape.from_function(peaks, grid), 0.1, sigma=np.geomspace(0.07, 0.3, 4), tolerance=0.02)
    safe, mean = found.safest.sigma_jump, found.best_mean.sigma_jump
    assert safe is not None and mean is not None
    # w1^2 w2^2 (r - 1) / (w2^2 - r w1^2) with r = 1 / .8; each adds less than .002 at the top of the other
    assert mean.sigma == pytest.approx(math.sqrt(0.09 * 0.64 * 0.25 / (0.64 - 1.25 * 0.09)), rel=0.02)
    assert safe.sigma < 0.65 * mean.sigma
    assert found.best_mean.positions[0] == pytest.approx([-1.5, 0.0], abs=0.01)


def tail_of(function: Callable[..., Array], place: tuple[float, ...], sigma: float, box: Array, q: float) -> float:
    """CVaR at one place, written apart: clipped actions at midpoints of equal probability, and the worst of them."""
    count = {1: 40_000, 2: 800}[len(place)]
    normal = norm.ppf((np.arange(count) + 0.5) / count)
    actions = [np.clip(mu + sigma * normal, *ends) for mu, ends in zip(place, box, strict=True)]
    returns = np.sort(function(*np.meshgrid(*actions, indexing="ij")).reshape(-1))
    return float(returns[: round(q * len(returns))].mean())


def peak_on_the_edge(x: Array) -> Array:
    return np.asarray(np.exp(-((x + 3.0) ** 2) / 0.02) + 0.8 * np.exp(-((x - 0.8) ** 2) / 0.32))


def one_hill(x: Array) -> Array:
    return np.asarray(np.exp(-((x + 1.0) ** 2) / 1.28))


def hills(x: Array, y: Array) -> Array:
    narrow = np.exp(-((x - 1.5) ** 2 + (y - 0.5) ** 2) / (2 * 0.25**2))
    return np.asarray(narrow + 0.7 * np.exp(-((x + 1.0) ** 2 + (y + 0.4) ** 2) / (2 * 0.8**2)))


LINE = Grid(Axis("x", -3.0, 3.0, 601, boundary="clip"))
PLANE = Grid(Axis("x", -3.0, 3.0, 121, boundary="clip"), Axis("y", -2.0, 2.0, 81, boundary="clip"))


@pytest.mark.parametrize(
    ("function", "grid", "sigma", "edges"),
    [
        (one_hill, LINE, [0.8, 0.95, 1.1, 1.25], (False, True)),
        (peak_on_the_edge, LINE, [0.02, 0.05, 0.1, 0.2], (True, False)),
        # nearer to each other than the noise along every axis
        (hills, PLANE, [1.3, 1.325, 1.35, 1.375], (False, True)),
    ],
)
def test_a_jump_onto_the_edge_and_from_it(
    function: Callable[..., Array], grid: Grid, sigma: list[float], edges: tuple[bool, bool]
) -> None:
    found = safest_action(Landscape.from_function(function, grid), 0.1, sigma=sigma)
    (jump,) = found.safest.jumps
    box = np.array([[axis.lower, axis.upper] for axis in grid])
    for place, edge in zip((jump.before, jump.after), edges, strict=True):
        assert bool((np.array(place)[:, None] == box).any()) == edge
    # Around the jump the higher one changes. Both places drift by second order only, as they are maxima; midpoints err
    # by 1 / count of the range in the tail, over slopes of .01 and more.
    slack = 2.0 * jump.uncertainty + 2e-3 * jump.sigma
    for side, sign in ((-1.0, 1.0), (1.0, -1.0)):
        before, after = (
            tail_of(function, place, jump.sigma + side * slack, box, 0.1) for place in (jump.before, jump.after)
        )
        assert sign * (before - after) > 0.0
    assert "the safest action jumps from" in found.sentences["safest jump"].lower()
    # the values told are known as well as is said
    for level in (0, -1):
        exact = tail_of(function, tuple(found.safest.positions[level]), sigma[level], box, 0.1)
        error = found.uncertainty[level % len(sigma)][0]
        assert found.safest.values[level] == pytest.approx(exact, abs=2.0 * error + 1e-3 * abs(exact))


def test_a_fast_drift_is_no_jump() -> None:
    """Where nearly all is lost the safest action runs across the box, and bounds to 1e-3 of osc(Q) let it leap."""
    found = safest_action(landscapes.creation(size=101), 0.1, sigma=[1.9, 2.2, 2.35, 3.0])
    assert not found.safest.jumps and "moves without a jump" in found.sentences["safest jump"]
    # by midpoints on a cubic spline through 401 nodes, at places .05 apart
    assert found.safest.positions[:, 0] == pytest.approx([0.45, 0.35, 0.25, -0.10], abs=0.06)


@pytest.mark.parametrize("q", JUMPS)
def test_the_uncertainty_of_a_jump_is_that_of_the_grid(q: float) -> None:
    """Errors of order (h / sigma)^2 are counted; measured on 80 grids, they are beyond it in 2, by less than twice."""
    within = []
    for size in (401, 523, 801, 1001, 1333, 1999):
        jump = safest_action(two_bumps(size), q, sigma=[0.025, 0.06]).safest.sigma_jump
        assert jump is not None
        within.append(abs(jump.sigma - JUMPS[q]) / jump.uncertainty)
    assert max(within) < 2.0 and np.median(within) < 1.0
    assert min(within) > 1e-3


def test_the_jump_of_the_mean_needs_few_nodes() -> None:
    """At 1.6 spacings the mean between the nodes is that of the comb, and no quadratic through three of them."""
    jump = safest_action(two_bumps(161), 0.25, sigma=[0.05, 0.075, 0.085, 0.15]).best_mean.sigma_jump
    assert jump is not None and jump.sigma == pytest.approx(MEAN_JUMP, abs=1e-7)


def test_a_study_tells_the_same() -> None:
    """From an evolution and from a landscape: the same solver below 1.5 spacings too, tail means and jumps."""
    landscape, sigma = two_bumps(201), [0.055, 0.075, 0.085, 0.15]
    alone, page = safest_action(landscape, 0.1, sigma=sigma), study(landscape, sigma, risk=0.1)
    assert page.risk is not None and page.space.sigma_jump is not None
    assert page.risk.distribution.solver.name == alone.distribution.solver.name == "direct"
    assert page.risk.safest.values == pytest.approx(alone.safest.values, abs=1e-12)
    assert page.risk.safest.positions == pytest.approx(alone.safest.positions, abs=1e-12)
    (told,), (own,) = page.risk.best_mean.jumps, alone.best_mean.jumps
    # by other ways to the same comb, and to round-off over slopes of the difference of about 1
    assert told.sigma == page.space.sigma_jump.sigma == pytest.approx(own.sigma, abs=1e-9)
    assert told.uncertainty >= own.uncertainty and [one.sigma for one in page.risk.partings][-1] == told.sigma


def test_every_interval_in_which_they_differ_is_told() -> None:
    words = safest_action(Landscape.from_function(hills, PLANE), 0.1, sigma=[0.1, 0.17, 0.19, 1.3, 1.4, 2.0]).sentences
    assert words["parting"].startswith("From the smallest noise level, 0.1, up to 0.17805")
    assert " and for sigma >= 1.347" in words["parting"]
    assert "At sigma = 0.1 it is" in words["parting"] and "At sigma = 1.4 it is (-3, -2) instead of" in words["parting"]


def test_equal_peaks_do_not_jump() -> None:
    """Which of two that are equal is the best is arbitrary, and changes with rounding."""
    grid = Grid(Axis("x", -4.0, 4.0, 401, boundary="clip"))
    two = Landscape.from_function(lambda x: np.exp(-((np.abs(x) - 1.5) ** 2) / 0.5), grid)
    found = safest_action(two, 0.1, sigma=[0.1, 0.2, 0.3, 0.4, 0.5])
    assert not found.safest.jumps and not found.best_mean.jumps


def test_one_hill_never_parts() -> None:
    grid = Grid(Axis("x", -4.0, 4.0, 201, boundary="clip"))
    found = safest_action(Landscape.from_function(lambda x: np.exp(-(x**2) / 2.0), grid), 0.2, sigma=[0.2, 0.4, 0.8])
    assert found.parting is None and found.safest.sigma_jump is None
    assert "At every sigma" in found.sentences["parting"]
    assert found.safest.positions == pytest.approx(np.zeros((3, 1)), abs=1e-9)
    assert "stays with" in repr(found)


def test_words_and_json() -> None:
    found = safest_action(evolve(two_bumps(801), np.geomspace(0.03, 0.2, 5), checks="none"), 0.1)
    told = json.loads(json.dumps(found.as_dict()))
    assert told["safest"]["jumps"][0]["after"] == pytest.approx([0.8], abs=0.01)
    assert told["sentences"] == found.sentences and told["missing"] == ""
    assert "the mean of the worst 0.1 of all returns" in str(found)
    few = safest_action(two_bumps(801), 0.1, sigma=[0.05, 0.1], most=4)
    assert few.sentences["thresholds"].startswith("Thresholds are missing")


def test_refusals() -> None:
    flat = Landscape(np.ones(9), Grid(Axis("x", 0.0, 1.0, 9, boundary="clip")))
    with pytest.raises(UnsupportedError, match="constant"):
        safest_action(flat, 0.1, sigma=[0.2, 0.3])
    plane = Grid(*(Axis(name, 0.0, 9.0, 10, boundary="clip") for name in "xy"))
    law = distribution(Landscape(np.arange(100.0).reshape(10, 10), plane), covariance=[[16.0, 4.0], [4.0, 16.0]])
    with pytest.raises(UnsupportedError, match="correlated"):
        safest_action(law, 0.1)
