"""Unlearning: rollouts, unbiased estimators, drift, verdicts."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from heatpg.core.grid import Axis, Grid
from heatpg.errors import HeatpgError, NonFiniteError, SigmaError
from heatpg.landscapes.quadrotor import lqr_gain, quadrotor
from heatpg.policy import unlearning
from heatpg.policy.unlearning import Unlearning, unlearn
from heatpg.quadrature import mollify
from heatpg.systems.lanes import LANES
from heatpg.tools.parallel import set_threads, threads

HOVER = 0.486 * 9.81 / 2
SMALL: dict[str, Any] = {"horizon": 0.4, "dt": 0.02, "episodes": 8, "seeds": 3, "epochs": 2, "reference_episodes": 128}


def task(horizon=0.4, *, dt=0.02, gamma=0.99, limit=2 * HOVER, state=(1.0, 0, 0, 0, 0, 0), spread=0.0):
    return unlearning._Task(round(horizon / dt), dt, gamma, limit, tuple(state), (spread,) * 6)


def derivative(s, u):
    lift = (u[0] + u[1]) / 0.486
    turn = 0.25 / 0.00383 * (u[0] - u[1])
    return np.array([s[3], s[4], s[5], -math.sin(s[2]) * lift, math.cos(s[2]) * lift - 9.81, turn])


def plain_episode(gain, state, eps, sigma, *, dt, limit):
    """States, and undiscounted rewards (None after the end), of one episode in plain Python."""
    s, states, rewards = np.array(state, dtype=float), [], []
    for noise in eps:
        states.append(s)
        u = np.clip(HOVER - gain @ s + sigma * noise, 0.0, limit)
        k1 = derivative(s, u)
        k2 = derivative(s + dt / 2 * k1, u)
        k3 = derivative(s + dt / 2 * k2, u)
        k4 = derivative(s + dt * k3, u)
        s = s + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        if abs(s[2]) > math.pi / 2 or abs(s[0]) > 2 or abs(s[1]) > 2:
            break
        rewards.append(math.exp(-(s[0] ** 2) - s[1] ** 2 - s[2] ** 2))
    return states, rewards


def plain_reinforce(gain, starts, noise, sigma, *, dt, gamma, limit):
    """The textbook estimator, episode by episode: score times (reward to go - that of the others), without kernels."""
    count, steps = len(starts), noise.shape[1]
    episodes = [plain_episode(gain, s, eps, sigma, dt=dt, limit=limit) for s, eps in zip(starts, noise, strict=True)]
    to_go = np.zeros((count, steps))
    for i, (_, rewards) in enumerate(episodes):
        for t in range(steps):
            to_go[i, t] = sum(gamma**k * rewards[k] for k in range(t, len(rewards)))
    gradient = np.zeros((2, 6))
    for i, (states, _) in enumerate(episodes):
        others = np.delete(to_go, i, axis=0).mean(axis=0)
        for t, s in enumerate(states):
            action = HOVER - gain @ s + sigma * noise[i, t]
            score = -np.outer(action - (HOVER - gain @ s), s) / sigma**2
            gradient += score * (to_go[i, t] - others[t]) / count
    return gradient, to_go[:, 0].mean(), [len(rewards) for _, rewards in episodes]


@pytest.fixture
def _own_threads() -> Iterator[None]:
    before = threads()
    yield
    set_threads(before)


# Rollouts


@pytest.mark.parametrize(("horizon", "limit"), [(1.0, 2 * HOVER), (0.5, 3.0)])
def test_returns_without_noise_are_those_of_the_landscape(horizon, limit):
    axes = [Axis("gain_x", -16.0, -4.0, 3, boundary="clip"), Axis("gain_theta", 8.0, 20.0, 3, boundary="clip")]
    q = quadrotor(Grid(*axes), kind="gains", horizon=horizon, thrust_limit=limit)
    gains = np.empty((3, 3, 2, 6))
    for index in np.ndindex(3, 3):
        gains[index] = lqr_gain()
        gains[index][:, [0, 2]] = np.outer((1, -1), q.grid.point(index))
    ours = task(horizon, limit=limit).noise_free_returns(gains)
    assert np.allclose(ours, q.values, rtol=1e-12, atol=0)
    assert np.ptp(ours) > 0.1


def test_noisy_episodes_against_plain_python(rng):
    t, sigma = task(limit=3.0, spread=0.1, gamma=0.9), 0.7
    starts, noise = t.starts(rng), t.noise(rng)
    totals = t.totals(lqr_gain(), starts, noise, sigma)
    for j in (0, 1, 127):
        _, rewards = plain_episode(lqr_gain(), starts[:, j], noise[:, :, j], sigma, dt=0.02, limit=3.0)
        assert totals[j] == pytest.approx(sum(0.9**k * r for k, r in enumerate(rewards)), rel=1e-12)


def test_an_episode_knows_nothing_of_its_bundle(rng):
    """Gains, starts and noise of a lane are its own, and arguments are left as they are."""
    t = task(spread=0.1)
    starts, noise, gains = t.starts(rng), t.noise(rng), lqr_gain() + 0.1 * rng.standard_normal((LANES, 2, 6))
    before = starts.copy(), noise.copy(), gains.copy()
    totals = t.totals(gains, starts, noise, 0.3)
    order = rng.permutation(LANES)
    mixed = t.totals(gains[order], starts[:, order], np.ascontiguousarray(noise[:, :, order]), 0.3)
    assert np.array_equal(mixed, totals[order])
    assert all(np.array_equal(a, b) for a, b in zip(before, (starts, noise, gains), strict=True))
    assert np.array_equal(t.totals(gains, starts, noise, 0.3, 5), totals[:5])


def test_starts_fill_the_box(rng):
    state, width = (0.5, -0.3, 0.2, 0.1, -0.1, 0.4), 0.2
    t = task(state=state, spread=width)
    states = np.concatenate([t.starts(rng) for _ in range(16)], axis=1)
    inside = np.abs(states.T - state)
    assert 0.99 * width < inside.max() <= width
    # the mean of a uniform variable over +-w has the standard error w / sqrt(3 n)
    assert np.all(np.abs(states.mean(axis=1) - state) < 4 * width / math.sqrt(3 * 2048))
    # the mean over Sobol points is that over the box
    returns = np.concatenate([t.totals(lqr_gain(), t.starts(rng), t.silence, 0.0) for _ in range(32)])
    mean, error = unlearning._mean_and_error(returns, 0)
    assert abs(t.noise_free_returns(lqr_gain()) - mean) < 4 * error + 1e-3
    assert abs(task(state=state).noise_free_returns(lqr_gain()) - mean) > 6 * error


def test_the_reference_has_numbers_of_its_own():
    draws = [unlearning._generator(0, stream, k).standard_normal(4) for stream in range(2) for k in range(2)]
    assert len(np.unique(draws)) == 16 and {unlearning._LEARNING, unlearning._REFERENCE} == {0, 1}


# The estimators


@pytest.mark.parametrize("episodes", [3, 131])
@pytest.mark.parametrize("dying", [False, True])
def test_reinforce_against_the_textbook(episodes, dying):
    """Sums by parts, bundles, idle lanes and episodes that end: the same number as the estimator written out."""
    gain = lqr_gain()
    if dying:
        gain[:, [2, 5]] *= -0.2  # tips over after some noise
    t, sigma = task(0.4, spread=0.3, gamma=0.95), 0.4
    gradient, mean = t.reinforce(gain, sigma, episodes, np.random.default_rng(3))
    generator = np.random.default_rng(3)
    starts, noise = [], []
    for _ in range(0, episodes, LANES):
        starts.append(t.starts(generator).T)
        noise.append(np.moveaxis(t.noise(generator), -1, 0))
    expected, average, lived = plain_reinforce(
        gain, np.concatenate(starts)[:episodes], np.concatenate(noise)[:episodes], sigma,
        dt=0.02, gamma=0.95, limit=2 * HOVER,
    )  # fmt: skip
    assert (min(lived) < 20) is dying and (max(lived) == 20 or dying)
    # the unstable loop magnifies rounding errors
    assert np.allclose(gradient, expected, rtol=0, atol=1e-10 * np.abs(expected).max())
    assert mean == pytest.approx(average, rel=1e-11)


def z_scores(samples, quotients, factor=1.0):
    """Entries of mean(samples) * factor - mean(quotients) in standard errors."""
    mean, error = unlearning._mean_and_error(factor * samples, 0)
    expected, its_error = unlearning._mean_and_error(quotients, 0)
    return np.abs(mean - expected) / np.hypot(error, its_error)


@pytest.mark.parametrize("kind", ["action", "parameter"])
def test_estimators_are_unbiased(kind):
    """Batches of four against differences with noise in common; what a wrong formula gives is far off."""
    t, gain, sigma = task(0.1, dt=0.02), lqr_gain(), 0.3
    batch = t.reinforce if kind == "action" else t.evolution_strategy
    generator, other = np.random.default_rng(11), np.random.default_rng(12)
    samples = np.array([batch(gain, sigma, 4, generator)[0] for _ in range(6000)])
    quotients = np.concatenate([t.difference_quotients(kind, gain, sigma, other) for _ in range(8)])
    assert z_scores(samples, quotients).max() < 4
    for fault in (sigma**2, -1.0, 3 / 4, 2.0):  # no 1/sigma^2; the sign; a baseline with the own episode; twice
        assert z_scores(samples, quotients, fault).max() > 6


def test_episodes_that_end_bias_nothing():
    """Thrown about near the edge of theta, most episodes end early, at random, and returns jump in the gain."""
    gain, sigma = np.zeros((2, 6)), 0.3
    t = task(0.4, dt=0.02, state=(0.5, 0, 1.3, 0, 0, 0))
    generator, other = np.random.default_rng(5), np.random.default_rng(6)
    samples = np.array([t.reinforce(gain, sigma, 8, generator)[0] for _ in range(2000)])
    quotients = np.concatenate([t.difference_quotients("action", gain, sigma, other) for _ in range(60)])
    returns = t.totals(gain, t.starts(other), t.noise(other), sigma)
    assert returns.std() > 0.4 * returns.mean()
    assert z_scores(samples, quotients).max() < 4
    assert z_scores(samples, quotients, 7 / 8).max() > 6


def test_one_step_of_action_noise_is_a_heat_flow():
    """With one step to an episode L is the mollified return over thrusts, and dL/dK = -(grad L) s^T."""
    state, sigma = (0.4, -0.3, 0.5, 0.2, 0.1, -0.3), 0.3
    t = task(0.1, dt=0.1, state=state, limit=20.0)
    gain = 0.1 * lqr_gain()

    def q(actions):
        values = np.empty(len(actions))
        for first in range(0, len(actions), LANES):
            part = actions[first : first + LANES]
            offsets = np.zeros((1, 2, LANES))
            offsets[0, :, : len(part)] = part.T - HOVER
            values[first : first + LANES] = t.totals(0 * gain, t.starts(generator), offsets, 1.0)[: len(part)]
        return values

    generator = np.random.default_rng(0)
    mean = HOVER - gain @ np.array(state)
    smooth = mollify(q, mean, sigma, "hermite")
    assert smooth.gradient is not None
    expected = -np.outer(smooth.gradient, state)
    samples = np.array([t.reinforce(gain, sigma, 256, generator)[0] for _ in range(100)])
    quotients = t.difference_quotients("action", gain, sigma, generator)
    for estimate in (samples, quotients):
        average, error = unlearning._mean_and_error(estimate, 0)
        assert np.all(np.abs(average - expected) < 4 * error)
        assert np.linalg.norm(error) < 0.1 * np.linalg.norm(expected)


def test_parameter_noise_is_a_heat_flow_in_the_gain():
    """grad L by differences against quasi-Monte Carlo in the twelve entries."""
    t, sigma = task(0.4), 0.5
    flow = mollify(
        lambda k: t.noise_free_returns(k.reshape(-1, 2, 6)), lqr_gain().ravel(), sigma, "montecarlo", samples=256
    )
    assert flow.gradient is not None and flow.gradient_standard_error is not None
    generator = np.random.default_rng(0)
    quotients = np.concatenate([t.difference_quotients("parameter", lqr_gain(), sigma, generator) for _ in range(8)])
    average, error = (a.ravel() for a in unlearning._mean_and_error(quotients, 0))
    assert np.all(np.abs(average - flow.gradient) < 4 * np.hypot(error, flow.gradient_standard_error))
    assert np.linalg.norm(error) < 0.2 * np.linalg.norm(average)


def test_noise_free_gradient():
    """Along a direction of its own the return changes by gradient times distance, to second order."""
    t = task(0.6, dt=0.01)
    value, gradient = t.noise_free_gradient(lqr_gain())
    h = 1e-3
    ahead, behind = t.noise_free_returns(np.stack([lqr_gain() + h * gradient, lqr_gain() - h * gradient]))
    assert value == t.noise_free_returns(lqr_gain())
    assert (ahead - behind) / (2 * h) == pytest.approx(float((gradient**2).sum()), rel=1e-4)


# The whole


@pytest.fixture(scope="module")
def kept_and_left() -> Unlearning:
    return unlearn([1.0, 0.1], noise="parameter", horizon=1.0, epochs=2, episodes=128, seeds=8, reference_episodes=512)


def test_what_is_returned_fits_together(kept_and_left):
    r = kept_and_left
    assert r.sigmas.tolist() == [0.1, 1.0]
    assert r.gains.shape == (2, 8, 3, 2, 6) and r.returns.shape == r.noisy_returns.shape == r.distance.shape == (
        2,
        8,
        3,
    )
    assert np.array_equal(r.gain, lqr_gain()) and np.all(r.distance[:, :, 0] == 0) and np.all(r.distance[:, :, 1:] > 0)
    t = task(1.0, dt=0.01)
    assert np.array_equal(r.returns, t.noise_free_returns(r.gains))
    assert np.allclose(r.observed_step, r.rate * r.observed_gradient)
    assert np.allclose(r.observed_step_error, r.rate * r.observed_error)
    assert np.array_equal(r.predicted_step, r.rate * r.predicted_gradient)
    assert np.allclose(r.noise_drift[1], np.linalg.norm(r.predicted_step[1] - r.noise_free_step))
    assert np.allclose(r.predicted_change, t.noise_free_returns(lqr_gain() + r.predicted_step) - r.returns[0, 0, 0])
    assert r.noise_free_change == pytest.approx(
        t.noise_free_returns(lqr_gain() + r.noise_free_step) - r.returns[0, 0, 0]
    )
    # mean of |step|^2 = |mean step|^2 + scatter^2 (7/8 of the unbiased variance)
    squares = (r.distance[:, :, 1] ** 2).mean(axis=1)
    assert np.allclose(squares, (r.observed_step**2).sum(axis=(1, 2)) + 7 / 8 * r.scatter**2)
    # L over gains falls with sigma, and the noisy return is that of the noise at hand
    assert np.all(r.noisy_returns[1, :, 0] < r.noisy_returns[0, :, 0])


def test_estimates_agree_with_the_drift(kept_and_left):
    assert 0.5 < kept_and_left.z_score.max() < 4


def test_little_noise_keeps_and_much_noise_leaves(kept_and_left):
    r = kept_and_left
    assert r.verdicts == ("kept", "left") and r.causes == ("", "drift")
    # the LQR gain is no optimum of this return: without noise the step is no shorter, and gains
    assert r.noise_free_change > 0.1 and np.linalg.norm(r.noise_free_step) > 0.1
    assert r.noise_drift[0] < 0.1 * np.linalg.norm(r.noise_free_step) < r.noise_drift[1]


def test_verdicts_follow_their_criterion(kept_and_left):
    own = kept_and_left.noise_free_gradient

    def verdict(change, error, drift=0.0, ratio=1.0, **options):
        returns = np.full((1, 2, 3), 40.0)
        returns[0, :, 1] += change + np.array([-error, error])  # two seeds: the standard error is `error`
        return dataclasses.replace(
            kept_and_left, sigmas=np.array([1.0]), returns=returns, loss=0.01, predicted_change=np.array([drift]),
            predicted_gradient=ratio * own[None], **options,
        )  # fmt: skip

    for change, error, word in ((-0.5, 0.04, "left"), (-0.3, 0.04, "kept"), (-0.45, 0.04, "undecided"), (1, 0, "kept")):
        one = verdict(change, error)
        assert one.change_error == pytest.approx(error, abs=1e-12)
        assert one.verdicts == (word,)
        assert one.causes == ("scatter" if word == "left" else "",)
    assert verdict(-0.5, 0.0, drift=-0.5).causes == ("drift",)
    assert verdict(-0.5, 0.0, drift=-0.5, noise_free_change=-0.5).causes == ("rate",)
    assert verdict(-0.5, 0.0, drift=-0.5, ratio=3.0, noise_free_change=-0.5).causes == ("drift",)


def test_print_and_dict(kept_and_left):
    text = str(kept_and_left)
    assert "LQR gain under parameter noise" in text and "left (drift)" in text and "8 seeds" in text
    assert len(text.splitlines()) == 2 + 2 + 2 + 2
    entries = kept_and_left.as_dict()
    assert json.loads(json.dumps(entries, allow_nan=False)) == entries
    assert entries["verdicts"] == ["kept", "left"] and np.shape(entries["distance"]) == (2, 8, 3)


def test_action_noise_and_the_drift_that_it_predicts():
    r = unlearn([0.5], dt=0.02, horizon=0.6, epochs=1, episodes=64, seeds=12, reference_episodes=256)
    assert r.noise == "action"
    assert r.z_score[0] < 5  # the largest of twelve with eleven degrees of freedom: beyond 5 once in 200 times
    assert np.linalg.norm(r.observed_step_error) < 0.2 * np.linalg.norm(r.predicted_step)


def test_the_optimum_of_the_return_is_flat():
    options: dict[str, Any] = {"horizon": 0.6, "dt": 0.02, "spread": 0.2, "epochs": 1, "episodes": 8, "seeds": 2}
    lqr, best = (unlearn([0.1], start=start, reference_episodes=1, **options) for start in ("lqr", "optimal"))
    assert best.returns[0, 0, 0] > lqr.returns[0, 0, 0] + 0.1
    assert np.linalg.norm(best.noise_free_gradient) < 0.1 * np.linalg.norm(lqr.noise_free_gradient)
    assert best.start == "optimal" and not np.array_equal(best.gain, lqr.gain)


def test_scatter_grows_when_noise_falls_and_starts_are_random():
    """The baseline cannot explain the starts, so the scatter is c / sigma: a factor 10 within a few percent."""
    fixed, loose = (unlearn([0.01, 0.1], spread=spread, **SMALL) for spread in (0.0, 0.2))
    assert loose.scatter[0] / loose.scatter[1] == pytest.approx(10, rel=0.1)
    assert fixed.scatter[0] / fixed.scatter[1] == pytest.approx(1, rel=0.1)


def test_normalized_steps():
    r = unlearn([0.1, 0.2], rate=0.25, normalize=True, **SMALL)
    steps = np.linalg.norm(np.diff(r.gains, axis=2), axis=(-2, -1))
    assert np.allclose(steps, 0.25)
    assert np.allclose(np.linalg.norm(r.predicted_step, axis=(1, 2)), 0.25)
    assert np.allclose(np.linalg.norm(r.noise_free_step), 0.25)
    assert np.all(r.predicted_step_error > 0) and "steps of length 0.25" in str(r)


def test_a_start_of_ones_own():
    gain = lqr_gain() + 0.1
    r = unlearn(0.1, start=gain, **SMALL)
    assert np.array_equal(r.gain, gain) and r.start == "given" and "the given gain" in str(r)


@pytest.mark.usefixtures("_own_threads")
@pytest.mark.parametrize("noise", ["action", "parameter"])
def test_threads_do_not_change_a_bit(noise):
    results = []
    for count in (1, 2):
        set_threads(count)
        results.append(unlearn([0.1, 0.5], noise=noise, spread=0.1, **SMALL).as_dict())
    assert results[0] == results[1]


def test_a_sigma_stands_alone_and_a_seed_is_a_seed():
    both, one = unlearn([0.1, 0.5], **SMALL), unlearn(0.5, **SMALL)
    assert np.array_equal(both.gains[1], one.gains[0])
    assert np.array_equal(both.predicted_gradient[1], one.predicted_gradient[0])
    assert not np.array_equal(unlearn(0.5, seed=1, **SMALL).gains, one.gains)
    assert len(np.unique(one.distance[0, :, 1])) == 3


def test_progress_reaches_the_total():
    calls = []
    unlearn([0.1, 0.5], progress=lambda done, total: calls.append((done, total)), **SMALL)
    assert calls == [(i, 8) for i in range(1, 9)]  # two sigmas, three seeds and one bundle of the reference each


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf, [], [[0.1]], "much", [0.1, 0.1]])
def test_bad_sigmas_are_refused(sigma):
    with pytest.raises(SigmaError):
        unlearn(sigma, **SMALL)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"episodes": 1}, "episodes.*others"),
        ({"seeds": 1}, "seeds"),
        ({"episodes": 2.5}, "episodes"),
        ({"epochs": 0}, "epochs"),
        ({"rate": 0.0}, "rate"),
        ({"rate": math.nan}, "rate"),
        ({"loss": -0.1}, "loss"),
        ({"gamma": 1.5}, "gamma"),
        ({"horizon": 0.03}, "nearest"),
        ({"thrust_limit": -1.0}, "thrust_limit"),
        ({"noise": "actions"}, "did you mean 'action'"),
        ({"start": "lqg"}, "did you mean 'lqr'"),
        ({"start": np.zeros((2, 5))}, "no gain"),
        ({"start": np.full((2, 6), np.nan)}, "no gain"),
        ({"start": [["a"]]}, "no gain"),
        ({"state": (1.0,)}, "state"),
        ({"state": (2.5, 0, 0, 0, 0, 0)}, "edge of x"),
        ({"spread": 1.5}, "edge of x"),
        ({"spread": -0.1}, "spread"),
        ({"spread": math.nan}, "spread"),
        ({"spread": np.array([0.1, 0.1])}, "spread"),
        ({"state": (0, 0, 1.5, 0, 0, 60.0)}, "nothing can be learnt"),
        ({"seed": -1}, "seed"),
        ({"seed": 0.5}, "seed"),
        ({"reference_episodes": 0}, "episodes"),
    ],
)
def test_bad_parameters_are_refused(options, words):
    with pytest.raises(HeatpgError, match=words) as caught:
        unlearn(0.1, **{**SMALL, **options})
    assert isinstance(caught.value, ValueError)
    assert caught.value.given is not None and caught.value.allowed is not None


def test_a_gain_that_overflows_is_an_error():
    with pytest.raises(NonFiniteError, match="smaller rate"):
        unlearn(0.01, rate=1e308, **{**SMALL, "epochs": 5, "spread": 0.2})
