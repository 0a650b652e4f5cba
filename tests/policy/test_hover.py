"""Episodes of the quadrotor against plain Python, and unbiased estimators of the gradient of their return."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heatpg.core.grid import Axis, Grid
from heatpg.landscapes.quadrotor import quadrotor
from heatpg.policy.hover import HoverTask, mean_and_error
from heatpg.quadrature import mollify
from heatpg.systems.lanes import LANES
from heatpg.systems.quadrotor import lqr_gain

HOVER = 0.486 * 9.81 / 2


def task(horizon=0.4, *, dt=0.02, gamma=0.99, limit=2 * HOVER, state=(1.0, 0, 0, 0, 0, 0), spread=0.0):
    return HoverTask(horizon, dt, gamma, state, spread, limit)


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
    mean, error = mean_and_error(returns, 0)
    assert abs(t.noise_free_returns(lqr_gain()) - mean) < 4 * error + 1e-3
    assert abs(task(state=state).noise_free_returns(lqr_gain()) - mean) > 6 * error


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
    mean, error = mean_and_error(factor * samples, 0)
    expected, its_error = mean_and_error(quotients, 0)
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
        average, error = mean_and_error(estimate, 0)
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
    average, error = (a.ravel() for a in mean_and_error(quotients, 0))
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
