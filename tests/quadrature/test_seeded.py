"""Functions that are means over seeds: their errors against the scatter of many runs, and against single seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg.errors import GridError
from heatpg.policy.ascent import Stepping, ascend
from heatpg.policy.estimators import estimate_gradient
from heatpg.quadrature import mollify
from heatpg.quadrature.seeded import crossed_error

Array = NDArray[Any]
SIGMA = 0.4


class Target:
    """-|x - t|^2 + slope_s (x_1 - t_1) + offset_s for every seed s; under noise L = -|mu - t|^2 - d sigma^2."""

    def __init__(self, key: int, seeds: int, size: int = 6) -> None:
        self.goal = np.linspace(-1.0, 1.0, size)
        self.slope, self.offset = np.random.default_rng(key).standard_normal((2, seeds))
        self.evaluations = 0

    def returns(self, points: Array) -> Array:
        self.evaluations += len(points)
        apart = points - self.goal
        return np.asarray(-(apart**2).sum(axis=1)[:, None] + self.slope * apart[:, :1] + self.offset)


def test_standard_errors_hold_noise_and_seeds() -> None:
    """Of 60 runs the z-scores have the spread of Student's t of 7 degrees of freedom, in every component.

    The first component has noise of both kinds, the others that of the exploration alone. Without the scatter of the
    seeds the spread of the value would be 7 (by hand), with what both share counted twice the first component's .8.
    """
    repeats, mu = 60, np.full(6, 0.25)
    mu[0] = -1.0  # on the target along the first axis, or the error would grow with the estimate, and z have a mean
    scores: list[list[Array]] = [[], [], [], [], []]
    for k in range(repeats):
        target = Target(k, 8)
        apart = mu - target.goal
        smoothed = mollify(target, mu, SIGMA, "montecarlo", seed=k, samples=4, randomizations=12)
        assert target.evaluations == smoothed.points == 48
        assert smoothed.gradient is not None and smoothed.gradient_standard_error is not None
        assert smoothed.standard_error is not None
        slopes = (smoothed.gradient + 2 * apart) / smoothed.gradient_standard_error
        estimate = estimate_gradient(target, mu, SIGMA, estimator="antithetic", samples=40, seed=k)
        sampled = (estimate.value + 2 * apart) / estimate.standard_error
        value = (smoothed.value + apart @ apart + 6 * SIGMA**2) / smoothed.standard_error
        for row, part in zip(scores, (value, slopes[:1], sampled[:1], slopes[1:], sampled[1:]), strict=True):
            row.append(part)
    for row in scores:
        z = np.ravel(row)
        # t of 7 degrees of freedom has the deviation 1.18; components of one run share its seeds, hence `repeats`
        assert abs(z.mean()) < 4.5 * 1.18 / np.sqrt(repeats)
        # a deviation of 60 such draws is itself known to 1.18 sqrt((kurtosis 5 - 1) / 4 60) = .15
        assert 1.18 - 4 * 0.15 < z.std() < 1.18 + 4 * 0.15


def test_what_seeds_and_noise_share_is_counted_once() -> None:
    """Two-way table without replication: the mean squares of noise, seed and both, as in any book on variances."""
    table = np.random.default_rng(0).standard_normal((50, 7)) + np.random.default_rng(1).standard_normal((50, 1))
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    both = table - rows[:, None] - columns + table.mean()
    squares = (both**2).sum() / (49 * 6)
    expected = np.sqrt((7 * rows.var(ddof=1) + 50 * columns.var(ddof=1) - squares) / 350)
    error = rows.std(ddof=1) / np.sqrt(50)
    found = crossed_error(np.asarray(error), columns, table.std(axis=0, ddof=1) / np.sqrt(50))
    assert found == pytest.approx(max(expected, error), rel=1e-12)


def test_a_deterministic_rule_states_the_scatter_of_the_seeds_beside_its_own_error() -> None:
    target = Target(3, 5)
    found = mollify(target, np.zeros(6), SIGMA, "hermite", points=3, budget=10_000)
    assert found.error_estimate is not None and found.standard_error is not None
    assert found.gradient_standard_error is not None and found.gradient_error_estimate is not None
    # of each seed L = -|t|^2 - d sigma^2 + slope + offset, its gradient 2 t + slope along the first axis
    assert found.standard_error == pytest.approx((target.slope + target.offset).std(ddof=1) / np.sqrt(5), rel=1e-9)
    assert found.gradient_standard_error[0] == pytest.approx(target.slope.std(ddof=1) / np.sqrt(5), rel=1e-9)
    still = mollify(target, np.zeros((2, 6)), 0.0, gradient=False)
    assert still.standard_error is not None
    np.testing.assert_allclose(still.standard_error, np.full(2, found.standard_error), rtol=1e-12)


def test_one_seed_has_the_error_of_the_noise_alone() -> None:
    target = Target(3, 1)
    seeded = mollify(target, np.zeros(6), SIGMA, samples=4, rule="montecarlo")
    plain = mollify(lambda x: target.returns(x)[:, 0], np.zeros(6), SIGMA, samples=4, rule="montecarlo")
    assert (seeded.value, seeded.standard_error) == (plain.value, plain.standard_error)


def test_returns_of_another_shape_are_refused() -> None:
    class Flat:
        def returns(self, points: Array) -> Array:
            return np.zeros(len(points))

    with pytest.raises(GridError, match="returns of seeds"):
        mollify(Flat(), [0.0], 0.1)


@pytest.mark.parametrize("minimise", [False, True])
def test_an_ascent_says_how_sure_its_gain_is(minimise: bool) -> None:
    target = Target(0, 4, 20)
    steps = Stepping(rate=0.1, steps=60, samples=64)
    end = ascend(target, np.zeros(20), 0.1, gradient="antithetic", stepping=steps, minimise=minimise)
    assert end.gain is not None and end.gain_error is not None
    apart = np.diff(target.returns(end.means[[0, -1]]), axis=0)[0]
    assert (end.gain, end.gain_error) == pytest.approx((apart.mean(), apart.std(ddof=1) / 2), rel=1e-9)
    assert end.gain < 0 if minimise else end.gain > 0
    if not minimise:
        np.testing.assert_allclose(end.mean[1:], target.goal[1:], atol=0.05)
