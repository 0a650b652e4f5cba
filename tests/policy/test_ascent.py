"""Ascents against closed forms, and against what is known of where they must end."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq

from heatpg import Axis, Grid, Landscape, landscapes
from heatpg.core.field import HeatField
from heatpg.errors import GridError, NonFiniteError, OptionError, SigmaError, UnknownNameError, UnsupportedError
from heatpg.policy.ascent import Ascent, Stepping, ascend, ascend_all
from tests.policy.bumps import JOINT, bump, bumps


def climb(source: Any, start: Any, sigma: Any, **options: Any) -> Ascent:
    """`ascend` with the options of its steps given by name."""
    names = {field.name for field in dataclasses.fields(Stepping)} & set(options)
    stepping = Stepping(**{name: options.pop(name) for name in names})
    return ascend(source, start, sigma, stepping=stepping, **options)


Array = NDArray[Any]


@pytest.mark.parametrize("method", JOINT)
@pytest.mark.parametrize(("sigma", "end"), [(0.3, -1.0), (0.6, -1.0), (0.9, -1.0), (1.2, 1.0)])
def test_joint_ascent_from_the_lower_bump_escapes_only_from_a_large_sigma(
    unequal: Landscape, method: str, sigma: float, end: float
) -> None:
    ascent = climb(unequal, [-1.0], sigma, method=method)
    # the other bump shifts a maximum by about exp(-2^2 / (2 0.3^2)) = 2e-10
    assert abs(ascent.mean[0] - end) < 1e-8
    assert ascent.status == "sigma went to zero"
    assert ascent.sigma <= 0.1 * unequal.grid.spacing[0] * (1 + 1e-12)
    assert abs(ascent.at_means[-1] - (1.0 if end > 0 else 0.6)) < 1e-9
    # a gradient flow never goes down; the local error of a step is 1e-4 sigma at a slope below 1 / sigma
    assert np.diff(ascent.values).min() > -1e-4


@pytest.mark.parametrize("sigma", [0.2, 0.6, 0.9])
@pytest.mark.parametrize("start", [-1.9, -0.1, 0.4, 2.5])
def test_ascent_at_a_fixed_sigma_ends_at_a_critical_point(unequal: Landscape, sigma: float, start: float) -> None:
    ascent = climb(unequal, [start], sigma)
    field = HeatField(unequal)
    step = field.gradient(ascent.means[-1:], sigma)[0, 0] / field.hessian(ascent.means[-1:], sigma)[0, 0, 0]
    assert field.hessian(ascent.means[-1:], sigma)[0, 0, 0] < 0
    assert abs(step) < 1e-6 * unequal.grid.spacing[0]
    # and at that maximum of the closed form that lies uphill
    places = np.linspace(-4, 4, 4001)
    slopes = np.array([bumps(x, sigma**2)[1] for x in places])
    roots = [
        brentq(lambda x: bumps(x, sigma**2)[1], a, b, xtol=1e-14)
        for a, b, f, g in zip(places[:-1], places[1:], slopes[:-1], slopes[1:], strict=True)
        if f > 0 >= g
    ]
    uphill = [root for root in roots if (root - start) * bumps(start, sigma**2)[1] > 0]
    expected = min(uphill, key=lambda root: abs(root - start))
    assert abs(ascent.mean[0] - expected) < 1e-8
    best = max(roots, key=lambda root: bumps(root, sigma**2)[0])
    assert ascent.status == ("converged" if expected == best else "stalled at a maximum")


def test_annealing_follows_the_optimum_to_the_higher_bump(unequal: Landscape) -> None:
    ascent = climb(unequal, [-1.0], 1.5, method="annealed")
    assert ascent.status == "converged"
    assert abs(ascent.mean[0] - 1.0) < 1e-8
    for sigma in np.unique(ascent.sigmas):
        end = np.flatnonzero(ascent.sigmas == sigma)[-1]
        optimum = brentq(lambda x, s=sigma: bumps(x, s**2)[1], 0.6 if sigma < 0.8 else -0.4, 1.5, xtol=1e-14)
        assert abs(ascent.means[end, 0] - optimum) < 1e-6 * unequal.grid.spacing[0]
        assert abs(ascent.values[end] - bumps(optimum, sigma**2)[0]) < 1e-12
    # without the hot stages the same start stays at the lower bump
    assert abs(climb(unequal, [-1.0], 0.3, method="annealed").mean[0] + 1.0) < 1e-8


def test_a_schedule_of_ones_own(unequal: Landscape) -> None:
    ascent = climb(unequal, [-1.0], 1.2, method="annealed", schedule=[0.8, 0.4, 0.4])
    assert sorted(set(ascent.sigmas.tolist()), reverse=True) == pytest.approx([1.2, 0.8, 0.4])
    floored = climb(unequal, [-1.0], 1.2, method="annealed", sigma_floor=0.2)
    assert floored.sigma == pytest.approx(0.2)
    assert (np.diff(floored.sigmas) <= 0).all() and (np.diff(floored.times) >= 0).all()


@pytest.mark.parametrize("method", JOINT)
def test_an_entropy_bonus_holds_sigma_where_theory_says(method: str) -> None:
    """In two dimensions h w^2 s = tau (w^2 + s)^2: s = w^2 (h - 2 tau - sqrt(h^2 - 4 h tau)) / (2 tau)."""
    tau, w = 0.1, 0.5
    s = w**2 * (1 - 2 * tau - math.sqrt(1 - 4 * tau)) / (2 * tau)
    ascent = climb(bump(2, width=w), [0.4, -0.3], 0.4, method=method, entropy=tau)
    assert ascent.status == "converged"
    # the edge of the box is 3 / hypot(0.5, 0.18) = 5.6 widths away: 1e-7 of the height is missing there
    assert abs(ascent.sigma - math.sqrt(s)) < 1e-6
    assert np.abs(ascent.mean).max() < 1e-8


def test_an_entropy_bonus_in_one_dimension() -> None:
    tau, w = 0.05, 0.5
    s = brentq(lambda s: w * s - tau * (w**2 + s) ** 1.5, 1e-6, 0.2, xtol=1e-15)
    assert abs(climb(bump(1, width=w), [0.1], 0.4, method="natural", entropy=tau).sigma - math.sqrt(s)) < 1e-6


def test_too_large_an_entropy_bonus_wins() -> None:
    # beyond h / 4 in two dimensions the two roots are gone
    ascent = climb(bump(2), [0.4, -0.3], 0.4, method="natural", entropy=0.3)
    assert ascent.status == "sigma outgrew the box" and ascent.sigma > 20


@pytest.mark.parametrize("method", JOINT)
def test_a_floor_holds_sigma_and_nothing_else(unequal: Landscape, method: str) -> None:
    ascent = climb(unequal, [-0.7], 0.6, method=method, sigma_floor=0.25)
    assert ascent.status == "at the floor"
    assert ascent.sigma == pytest.approx(0.25, rel=1e-12) and (ascent.sigmas >= 0.25 * (1 - 1e-8)).all()
    assert abs(bumps(float(ascent.mean[0]), 0.25**2)[1]) < 1e-9


def test_a_floor_lets_go_where_more_noise_is_better() -> None:
    """From a shoulder to a peak: Q is concave, then convex, where more noise is better, then concave."""
    line = Grid(Axis("x", -4.0, 5.0, 451, boundary="clip"))
    shoulder = Landscape.from_function(
        lambda x: np.exp(-2 * (x - 2) ** 2) + 0.1 * np.exp(-(x**2) / 0.18) + 0.25 * x, line
    )
    ascent = climb(shoulder, [-0.1], 0.16, method="variance", sigma_floor=0.15)
    held = np.flatnonzero(np.abs(ascent.sigmas - 0.15) < 1e-10)
    assert ascent.status == "at the floor" and ascent.mean[0] > 1.9
    between = ascent.sigmas[held[0] : held[-1]]
    assert between.max() > 0.2 and (ascent.sigmas > 0.15 * (1 - 1e-9)).all()


def test_one_sigma_per_axis() -> None:
    grid = Grid(*(Axis(name, -3.0, 3.0, 121, boundary="clip") for name in "xy"))
    two = landscapes.two_bumps(grid, width=0.5)
    # merged along x by sigma^2 > 1 - 0.25 along x alone
    narrow, wide = (climb(two, [0.5, 0.4], sigma) for sigma in ([0.2, 1.0], [1.0, 0.2]))
    assert narrow.mean[0] > 0.9 and abs(wide.mean[0]) < 1e-8
    assert narrow.sigmas.shape == (len(narrow), 2) and (narrow.sigma == [0.2, 1.0]).all()


@pytest.mark.parametrize("method", ["fixed", *JOINT])
def test_plain_steps(unequal: Landscape, method: str) -> None:
    rate = 0.05
    ascent = climb(unequal, [-0.6], 0.7, method=method, rate=rate, steps=20)
    mu, s = -0.6, 0.49
    for k in range(20):
        _, slope, change = bumps(mu, s)
        if method == "variance":
            mu, s = mu + rate * slope, s + rate * change
        elif method == "log_sigma":
            mu, s = mu + rate * slope, s * math.exp(2 * rate * 2 * s * change)
        elif method == "natural":
            mu, s = mu + rate * s * slope, s * math.exp(rate * 2 * s * change)
        else:
            mu += rate * slope
        assert abs(ascent.means[k + 1, 0] - mu) < 1e-12 and abs(ascent.sigmas[k + 1] ** 2 - s) < 1e-12
    assert ascent.status == "budget spent" and ascent.times[-1] == pytest.approx(1.0)
    assert abs(ascent.values[-1] - bumps(mu, s)[0]) < 1e-12


def test_plain_steps_end_at_the_maximum(unequal: Landscape) -> None:
    ascent = climb(unequal, [-0.6], 0.2, rate=0.2)
    assert ascent.status == "stalled at a maximum" and len(ascent) < 200
    assert abs(bumps(float(ascent.mean[0]), 0.04)[1]) < 1e-6


@pytest.mark.parametrize("estimator", ["score", "baseline", "antithetic", "reparametrised"])
def test_sampled_ascent_follows_the_exact_one(unequal: Landscape, estimator: str) -> None:
    options: dict[str, Any] = {"method": "log_sigma", "rate": 0.3, "steps": 60, "samples": 20000}
    exact = climb(unequal, [-0.6], 0.7, **options)
    ascent = climb(unequal, [-0.6], 0.7, gradient=estimator, seed=3, **options)
    again = climb(unequal, [-0.6], 0.7, gradient=estimator, seed=3, **options)
    assert (ascent.means == again.means).all() and ascent.gradient == estimator
    # std Q < 0.5: a step has noise below 0.3 * 0.5 / (0.5 sqrt(20000)) = 2e-3, 60 of them 2e-2; log sigma moves by more
    assert abs(math.log(exact.sigma / 0.7)) > 0.3
    assert np.abs(ascent.means - exact.means).max() < 0.08
    assert np.abs(np.log(ascent.sigmas / exact.sigmas)).max() < 0.08
    assert np.abs(ascent.values - exact.values).max() < 0.08
    other = climb(unequal, [-0.6], 0.7, gradient=estimator, seed=4, **options)
    assert (other.means != ascent.means).any()


def test_a_sampled_ascent_ends_where_sigma_is_gone() -> None:
    ascent = climb(bump(1, size=61), [0.3], 0.4, method="variance", gradient="antithetic", rate=0.02, steps=400)
    assert ascent.status == "sigma went to zero" and len(ascent) < 400
    floored = climb(bump(1), [0.3], 0.4, method="variance", gradient="antithetic", rate=0.02, sigma_floor=0.2, steps=99)
    assert floored.sigmas.min() == pytest.approx(0.2) and len(floored) == 100


def test_samples_know_no_limit_of_dimensions() -> None:
    ascent = climb(
        lambda *x: -sum(a**2 for a in x), [1.0] * 6, 0.1, gradient="antithetic", rate=0.05, steps=60, samples=400
    )
    # mu' = -2 mu: (1 - 0.1)^60 = 0.002, and noise of 0.05 * 2 sqrt(1 + 6) |mu| / sqrt(200) on the way
    assert np.abs(ascent.mean).max() < 0.05 and np.isnan(ascent.values).all()


def test_sampled_annealing_shares_its_steps(unequal: Landscape) -> None:
    ascent = climb(
        unequal,
        [-1.0],
        1.2,
        method="annealed",
        schedule=[0.9, 0.6, 0.3],
        gradient="antithetic",
        rate=0.5,
        steps=200,
        samples=200,
    )
    assert [int((ascent.sigmas == s).sum()) for s in (0.9, 0.6)] == [51, 51]
    assert abs(ascent.mean[0] - 1.0) < 0.1


@pytest.mark.parametrize("options", [{}, {"gradient": "antithetic", "stepping": Stepping(rate=0.1, steps=10)}])
def test_a_start_does_not_depend_on_the_others(unequal: Landscape, options: dict[str, Any]) -> None:
    starts = [[-1.3], [-0.2], [0.1], [1.8]]
    together = ascend_all(unequal, starts, 0.4, method="natural", **options)
    shorter = ascend_all(unequal, starts[:2], 0.4, method="natural", **options)
    for one, other in zip(together, shorter, strict=False):
        assert (one.means == other.means).all() and (one.sigmas == other.sigmas).all()
    assert not options or len({float(a.mean[0]) for a in together}) == 4


@pytest.mark.parametrize("method", ["fixed", "natural", "annealed"])
def test_a_function_is_climbed_like_its_landscape(unequal: Landscape, method: str) -> None:
    def q(x: Array) -> Array:
        return np.asarray(0.6 * np.exp(-((x + 1) ** 2) / 0.18) + np.exp(-((x - 1) ** 2) / 0.18))

    ascent, sampled = (climb(source, [-0.5], 0.9, method=method) for source in (q, unequal))
    assert abs(ascent.mean[0] - sampled.mean[0]) < 1e-7
    assert ascent.status == sampled.status


@pytest.mark.parametrize(("boundary", "status"), [("clip", "left the box"), ("reflect", "converged")])
def test_a_ramp_leads_to_the_edge(boundary: str, status: str) -> None:
    ascent = climb(landscapes.ramp(boundary=boundary), [0.1, -0.2], 0.1)
    assert ascent.status == status
    assert np.abs(ascent.mean).max() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("options", [{}, {"gradient": "score", "rate": 1.0}])
def test_who_has_left_the_box_does_not_anneal_on(options: dict[str, Any]) -> None:
    ascent = climb(landscapes.ramp(), [0.5, 0.0], 0.3, method="annealed", schedule=[0.2, 0.1], **options)
    assert ascent.status == "left the box" and np.ptp(ascent.sigmas) == 0.0


def test_absorbing_walls_end_an_exact_ascent_and_refuse_a_sampled_one() -> None:
    ramp = landscapes.ramp(boundary="absorb")
    assert climb(ramp, [0.1, -0.2], 0.1).status == "left the box"
    with pytest.raises(UnsupportedError, match="absorb"):
        climb(ramp, [0.1, -0.2], 0.1, gradient="score", rate=0.1)


def test_a_path_goes_round_a_periodic_axis() -> None:
    wave = landscapes.cosine(dimensions=1, phase=0.5)
    ascent = climb(wave, [4.0], 0.3)
    assert ascent.mean[0] == pytest.approx(2 * math.pi - 0.5, abs=1e-7) and ascent.status == "converged"
    assert climb(wave, [4.0 - 2 * math.pi], 0.3).mean[0] == pytest.approx(-0.5, abs=1e-7)


def test_a_ridge_is_a_maximum_across_and_flat_along() -> None:
    grid = Grid(*(Axis(name, 0.0, 2 * math.pi, 48, boundary="periodic") for name in "xy"))
    ridge = Landscape.from_function(lambda x, y: np.cos(x - y), grid)
    ascent = climb(ridge, [0.5, 1.1], 0.4)
    assert ascent.status == "converged"
    assert ascent.mean == pytest.approx([0.8, 0.8], abs=1e-6)


def test_where_nothing_moves(unequal: Landscape) -> None:
    saddle, plateau = ascend_all(landscapes.two_bumps(width=0.3, size=401), [[0.0], [3.9]], 0.15)
    assert saddle.status == "at a saddle" and len(saddle) == 1
    assert plateau.status == "on a plateau" and len(plateau) == 1
    assert climb(unequal, [-1.9], 0.3, steps=3).status == "budget spent"


def test_what_is_said_of_an_ascent(unequal: Landscape) -> None:
    ascent = climb(unequal, [-0.7], 0.3)
    assert (
        "stalled" in str(ascent) and "0.42427" in ascent.sentence and "compared with the optimum 1" in ascent.sentence
    )
    content = json.loads(json.dumps(ascent.as_dict(), allow_nan=False))
    assert content["means"][0] == [-0.7] and content["sigmas"][0] == pytest.approx(0.3)
    assert len(content["values"]) == len(ascent) == len(content["times"])
    assert "interpolated" in climb(unequal, [-0.7], 0.01).sentence
    sampled = climb(lambda x: -(x**2), [1.0], 0.1, gradient="score", rate=0.1, steps=2)
    assert json.dumps(sampled.as_dict(), allow_nan=False) and np.isnan(sampled.values).all()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"start": [[-1.0], [0.0]]}, GridError, "ascend_all"),
        ({"start": [-1.0, 0.0]}, GridError, "wrong shape"),
        ({"start": [4.5]}, GridError, "outside the box"),
        ({"start": [math.nan]}, NonFiniteError, "not finite"),
        ({"start": ["here"]}, GridError, "numbers"),
        ({"sigma": 0.0}, SigmaError, "positive"),
        ({"sigma": -0.1}, SigmaError, "positive"),
        ({"sigma": math.inf}, SigmaError, "finite"),
        ({"sigma": [0.1, 0.2]}, SigmaError, "wrong shape"),
        ({"sigma": [0.3], "method": "natural"}, SigmaError, "one number"),
        ({"method": "newton"}, UnknownNameError, "natural"),
        ({"gradient": "guess"}, UnknownNameError, "antithetic"),
        ({"gradient": "score"}, OptionError, "rate"),
        ({"rate": -1.0}, OptionError, "rate"),
        ({"rate": math.nan}, OptionError, "rate"),
        ({"steps": 0}, OptionError, "steps"),
        ({"steps": 2.5}, OptionError, "whole number"),
        ({"tolerance": 0.0}, OptionError, "tolerance"),
        ({"entropy": 0.1}, OptionError, "entropy"),
        ({"entropy": -0.1, "method": "natural"}, OptionError, "entropy"),
        ({"sigma_floor": 0.1}, OptionError, "floor"),
        ({"sigma_floor": 0.5, "method": "natural"}, SigmaError, "floor"),
        ({"sigma": 1e-3, "method": "natural"}, SigmaError, "resolution of the grid"),
        ({"schedule": [0.1]}, OptionError, "annealed"),
        ({"schedule": [0.1, 0.2], "method": "annealed"}, SigmaError, "increase"),
        ({"schedule": [0.5], "method": "annealed"}, SigmaError, "increase"),
        ({"schedule": [0.0], "method": "annealed"}, SigmaError, "positive"),
        ({"schedule": [], "method": "annealed"}, SigmaError, "positive"),
        ({"schedule": "slow", "method": "annealed"}, SigmaError, "numbers"),
        ({"gradient": "antithetic", "rate": 0.1, "samples": 7}, OptionError, "pairs"),
        ({"source": lambda x: x, "gradient": "reparametrised", "rate": 0.1}, OptionError, "gradient"),
        ({"source": lambda x: 0 * x}, UnsupportedError, "constant"),
        ({"source": lambda x: np.where(x > 0, np.nan, x)}, NonFiniteError, "Q is not finite"),
        ({"source": 3.0}, OptionError, "must be a landscape"),
        ({"source": lambda *x: x[0], "start": [0.0] * 4}, UnsupportedError, "3 dimensions"),
        ({"source": lambda x: x * 1e9, "rate": 1e300}, NonFiniteError, "smaller rate"),
    ],
)
def test_what_cannot_be_climbed(unequal: Landscape, change: dict[str, Any], error: Any, words: str) -> None:
    given: dict[str, Any] = {"source": unequal, "start": [-1.0], "sigma": 0.3} | change
    source, start, sigma = (given.pop(name) for name in ("source", "start", "sigma"))
    with pytest.raises(error, match=words):
        climb(source, start, sigma, **given)


def test_flat_landscapes_and_batches_are_refused(unequal: Landscape) -> None:
    with pytest.raises(UnsupportedError, match="constant"):
        climb(Landscape(np.ones(641), unequal.grid), [0.0], 0.3)
    with pytest.raises(UnsupportedError, match="batch"):
        climb(Landscape(np.stack([unequal.values] * 2), unequal.grid), [0.0], 0.3)


def test_the_result_is_an_ascent(unequal: Landscape) -> None:
    assert isinstance(climb(unequal, -0.7, 0.3), Ascent)  # on a line a number is a place


@pytest.mark.parametrize("unit", [1e-100, 1e100])
@pytest.mark.parametrize("method", ["variance", "log_sigma", "natural"])
def test_units_whose_fourth_power_is_no_number_are_refused(unit: float, method: str) -> None:
    """The same hill in units of one and in such that sigma^4 overflows or vanishes."""
    grid = Grid(Axis("x", -2.0 * unit, 2.0 * unit, 61, boundary="clip"))
    hill = Landscape(np.exp(-np.square(grid[0].coordinates / unit - 0.3)), grid)
    with pytest.raises(SigmaError, match="sigma\\^4"):
        ascend(hill, [-0.5 * unit], 0.4 * unit, method=method)
    assert ascend(hill, [-0.5 * unit], 0.4 * unit).status == "converged"


@pytest.mark.parametrize("factor", [1e-100, 1e100, 1e-250, 1e250])
@pytest.mark.parametrize("method", ["fixed", "variance", "log_sigma", "natural", "annealed"])
def test_no_unit_of_q_changes_where_an_ascent_ends(unequal: Landscape, method: str, factor: float) -> None:
    starts = [[-0.5], [0.02], [1.2]]
    scaled = Landscape(factor * unequal.values, unequal.grid)
    for one, other in zip(
        ascend_all(unequal, starts, 0.3, method=method), ascend_all(scaled, starts, 0.3, method=method), strict=True
    ):
        assert (other.status, len(other)) == (one.status, len(one))
        np.testing.assert_allclose(other.means, one.means, rtol=0, atol=1e-8)
        np.testing.assert_allclose(other.sigmas, one.sigmas, rtol=1e-8)
        np.testing.assert_allclose(other.at_means / factor, one.at_means, rtol=0, atol=1e-8)


@pytest.mark.parametrize("factor", [1e-310, 1e307])
def test_values_at_the_end_of_double_precision_are_refused(unequal: Landscape, factor: float) -> None:
    with pytest.raises(UnsupportedError, match="change the unit of Q"):
        ascend(Landscape(factor * unequal.values, unequal.grid), [-0.5], 0.3)
