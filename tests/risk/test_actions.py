"""The safest action, its jumps, and where it parts from the best mean one, against exact numbers."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape, evolve
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
        assert found.safest.sigma_jump.uncertainty < 1e-6
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
    # each is the best by its own measure, to the bounds of the tail mean
    assert (found.mean_lost >= -1e-12).all()
    assert (found.tail_gained >= -2e-3).all()
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
