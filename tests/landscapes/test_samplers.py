"""Samplers of environments on no grid: against landscapes, rollouts by hand, and closed forms with their z-scores."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import landscapes
from heatpg.errors import GridError, HeatpgWarning, NonFiniteError, OptionError, UnsupportedError
from heatpg.landscapes import Actions, Batched, EnvironmentSampler, Parameters, Rollout
from heatpg.policy.ascent import Stepping, ascend
from heatpg.policy.estimators import estimate_gradient
from heatpg.quadrature import mollify

pytest.importorskip("gymnasium")
from tests import toy_environments as toys

Array = NDArray[Any]


def target(seeds: Any = 1, *, size: int = 6, noise: float = 1.0, **options: Any) -> EnvironmentSampler:
    rollout = Rollout(horizon=1, seeds=seeds, action_type="float64")
    return landscapes.sampler_from_gymnasium(
        functools.partial(toys.Target, size, noise), state=0, rollout=rollout, **options
    )


def gains(seeds: int = 3, policy: Any = toys.proportional, **over: Any) -> EnvironmentSampler:
    return landscapes.sampler_from_gymnasium(
        toys.walk, policy, over=Parameters([-0.5, 0.1], **over), rollout=Rollout(horizon=20, seeds=seeds)
    )


def test_a_grid_of_its_points_is_the_landscape() -> None:
    rollout = Rollout(horizon=20, seeds=3)
    for options in ({"policy": toys.back, "state": 4}, {"state": 4}):
        q = landscapes.from_gymnasium(toys.walk, size=5, rollout=rollout, **options)
        sampler = landscapes.sampler_from_gymnasium(toys.walk, rollout=rollout, **options)
        np.testing.assert_array_equal(np.moveaxis(sampler.returns(q.grid.nodes()), -1, 0), q.returns)
        np.testing.assert_array_equal(sampler(*q.grid.nodes().T), q.values)


@pytest.mark.parametrize("batched", [False, True])
def test_points_are_parameters_where_there_are_no_directions(batched: bool) -> None:
    policy = Batched(toys.proportional) if batched else toys.proportional
    along = gains(policy=policy, directions=[[1.0, 0.0], [1.0, 1.0]])
    alone = gains(policy=policy)
    np.testing.assert_array_equal(alone.center, [-0.5, 0.1])
    np.testing.assert_array_equal(along.center, [0.0, 0.0])
    places = np.random.default_rng(0).uniform(-1, 1, (7, 2))
    # by the definition theta + a1 d1 + a2 d2, in this order
    thetas = [np.array([-0.5, 0.1]) + a * np.array([1.0, 0.0]) + b * np.array([1.0, 1.0]) for a, b in places]
    np.testing.assert_array_equal(along.returns(places), alone.returns(np.array(thetas)))
    np.testing.assert_array_equal(along.embed(places), thetas)
    np.testing.assert_array_equal(along.whole.returns(along.embed(places)), along.returns(places))
    np.testing.assert_allclose(along.embed(places), along.embed(np.zeros((1, 2))) + places @ along.basis, rtol=1e-15)


def test_what_a_policy_holds_is_put_back() -> None:
    class Holding:
        def __init__(self) -> None:
            self.theta = np.array([-0.5, 0.1])

        def __call__(self, observation: Array) -> Array:
            return toys.proportional(self.theta, observation)

        def flat_parameters(self) -> Array:
            return self.theta.copy()

        def set_flat_parameters(self, vector: Array) -> None:
            self.theta = vector

    policy = Holding()
    sampler = landscapes.sampler_from_gymnasium(
        toys.walk, policy, over=Parameters(), rollout=Rollout(horizon=20, seeds=3)
    )
    np.testing.assert_array_equal(sampler.returns([[0.3, 0.2]]), gains().returns([[0.3, 0.2]]))
    np.testing.assert_array_equal(policy.theta, [-0.5, 0.1])


def test_noise_beyond_the_axes_of_a_landscape_reaches_all_components() -> None:
    held = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    plane = target(2, over=Actions(components=(4, 1), held=held))
    noise = np.random.default_rng(1).standard_normal((3, 6))
    points = np.array([[1.0, 2.0], [0.0, 0.0], [-1.0, 3.0]])
    whole = held + np.zeros((3, 1))
    whole[:, [4, 1]] = points
    np.testing.assert_array_equal(plane.embed(points), whole)
    np.testing.assert_array_equal(plane.center, [0.5, 0.2])
    np.testing.assert_array_equal(plane.basis, np.eye(6)[[4, 1]])
    assert plane.whole.dimensions == 6
    np.testing.assert_array_equal(plane.whole.returns(whole), plane.returns(points))
    np.testing.assert_array_equal(plane.whole.returns(whole + noise), target(2).returns(whole + noise))


def test_a_landscape_of_few_components_knows_the_others() -> None:
    rollout = Rollout(horizon=1, seeds=2, action_type="float64")
    over = Actions(components=(0, 2))
    q = landscapes.from_gymnasium(toys.Target, over=over, state=0, size=3, rollout=rollout)
    sampler = q.sampler
    assert isinstance(sampler, EnvironmentSampler)
    point = np.arange(6.0)
    np.testing.assert_array_equal(sampler.whole.returns(point), target(2).returns(point))


def test_other_seeds_are_those_of_another_sampler() -> None:
    few, others = gains(2), gains(5)
    np.testing.assert_array_equal(few.with_seeds(5).returns([[0.3, 0.2]]), others.returns([[0.3, 0.2]]))
    np.testing.assert_array_equal(few.with_seeds([3, 1]).returns([0.3, 0.2]), others.returns([0.3, 0.2])[[3, 1]])
    # the state is the one that was reached with the first seed, whatever the seeds are now
    at_state = landscapes.sampler_from_gymnasium(toys.walk, rollout=Rollout(horizon=5, seeds=2))
    np.testing.assert_array_equal(at_state.with_seeds([1, 0]).returns([0.3]), at_state.returns([0.3])[::-1])


def test_differences_are_paired() -> None:
    sampler = target(8)
    first, second = np.ones(6), np.zeros(6)
    apart = sampler.difference(first, second)
    returns = sampler.returns(np.stack([first, second]))
    np.testing.assert_array_equal(apart.of_seeds, returns[0] - returns[1])
    assert apart.standard_error is not None
    # a_1 alone is in the noise of the difference: slope * 1, and no offset
    slopes = [np.random.default_rng(np.random.SeedSequence(seed)).standard_normal(2)[0] for seed in range(8)]
    assert apart.standard_error == pytest.approx(np.std(slopes, ddof=1) / np.sqrt(8), rel=1e-12)
    assert sampler.mean(first).value == pytest.approx(returns[0].mean())
    assert target().mean(first).standard_error is None


def test_many_points_of_a_batch_are_as_each_alone() -> None:
    sampler = gains(policy=Batched(toys.proportional))
    places = np.random.default_rng(0).uniform(-1, 1, (70, 2))
    together = sampler.returns(places)
    np.testing.assert_array_equal(together, [sampler.returns(place) for place in places])
    np.testing.assert_array_equal(together, gains().returns(places))


def test_points_and_requests_that_do_not_fit_are_refused() -> None:
    sampler = target()
    with pytest.raises(GridError, match=r"(?s)shape \(3,\).*\(N, 6\)"):
        sampler.returns(np.zeros(3))
    with pytest.raises(NonFiniteError):
        sampler.returns(np.full((2, 6), np.nan))
    assert sampler.returns(np.empty((0, 6))).shape == (0, 1)
    with pytest.raises(OptionError, match="sampler_from_gymnasium"):
        landscapes.from_gymnasium(toys.Target, state=0)
    with pytest.raises(OptionError, match="needs directions"):
        landscapes.from_gymnasium(toys.walk, toys.proportional, over=Parameters([0.0, 0.0]))
    with pytest.raises(UnsupportedError, match="exact gradient needs"):
        ascend(sampler, np.zeros(6), 0.1)
    with pytest.warns(HeatpgWarning, match="are not reproducible"):
        landscapes.sampler_from_gymnasium(
            toys.walk, toys.unseeded, over=Actions(components=(0,)), state=0, rollout=Rollout(horizon=9)
        )


def test_mollify_gradients_and_ascents_take_a_sampler_of_twenty_components() -> None:
    """Q = -|a - t|^2 + slope (a_1 - t_1) + offset: under noise sigma L = -|mu - t|^2 - d sigma^2 and so on per seed."""
    sampler, goal = target(3, size=20), np.linspace(-1.0, 1.0, 20)
    draws = np.array([np.random.default_rng(np.random.SeedSequence(seed)).standard_normal(2) for seed in range(3)])
    smoothed = mollify(sampler, sampler.center, 0.4, budget=64)
    assert smoothed.rule == "montecarlo" and smoothed.points == 64
    assert smoothed.standard_error is not None and smoothed.gradient is not None
    expected = -goal @ goal - 20 * 0.16 + draws[:, 0].mean() + draws[:, 1].mean()
    # the seeds are those of the truth, so only the noise errs, which is less than the whole standard error
    assert abs(smoothed.value - expected) < 4 * smoothed.standard_error
    seeds_alone = (draws @ [1.0, 1.0]).std(ddof=1) / np.sqrt(3)
    assert smoothed.standard_error > 0.9 * seeds_alone
    estimate = estimate_gradient(sampler, sampler.center, 0.4, estimator="antithetic", samples=64)
    assert estimate.exact is None
    # the mean is what has the wrong shape, and not the points that are drawn about it
    for mean in (sampler.center[:2], [sampler.center[:2]]):
        with pytest.raises(GridError, match=r"(?s)the mean has the wrong shape.*\(20,\)"):
            estimate_gradient(sampler, mean, 0.4, samples=4)
    truth = 2 * goal + np.eye(20)[0] * draws[:, 0].mean()
    assert (np.abs(estimate.value - truth) < 5 * estimate.standard_error).all()
    steps = Stepping(rate=0.1, steps=5, samples=32)
    end = ascend(sampler, sampler.center, 0.1, gradient="antithetic", stepping=steps)
    apart = sampler.difference(end.mean, sampler.center)
    assert end.gain is not None and end.at_means_error is not None and end.at_means_error.shape == (6,)
    assert apart.standard_error is not None
    assert (end.gain, end.gain_error) == pytest.approx((float(apart.value), float(apart.standard_error)), rel=1e-12)
    assert "paired over 3 seeds" in end.sentence
