"""Episodes of a linear policy on the planar quadrotor, and gradients of their return in the gain, from samples.

u_t = clip(mg/2 - K s_t + sigma eps_t, 0, limit). `LANES` episodes run side by side, and only sums over them are kept.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.errors import OptionError
from heatpg.systems.lanes import LANES, exponential, step_count
from heatpg.systems.quadrotor import HOVER, STATE, end_episodes, runge_kutta_step, steer
from heatpg.tools.arguments import finite_number, finite_numbers, positive_number
from heatpg.tools.calls import checked_class
from heatpg.tools.kernels import kernel
from heatpg.tools.parallel import for_each

__all__ = ["HoverTask", "mean_and_error"]

Array = NDArray[np.float64]

_ENTRIES = 12  # of a gain
_EDGES = (2.0, 2.0, 0.5 * math.pi)  # of x, z and theta, as in `end_episodes`
# of differences of the noise-free return: taste, between truncation of order h^2 and rounding of order 1e-16 / h
_STEP = 1e-4


@kernel
def _add_lane_sums(rows: NDArray[Any], sums: NDArray[Any]) -> None:
    # sums[q] += sum_j rows[j + q LANES]; halves are added until 8 lanes are left, so that the loops are vectorised
    half = np.empty(LANES // 2)
    for q in range(sums.size):
        lower = rows[q * LANES : q * LANES + LANES // 2]
        upper = rows[q * LANES + LANES // 2 : (q + 1) * LANES]
        for j in range(LANES // 2):
            half[j] = lower[j] + upper[j]
        width = LANES // 4
        while width >= 8:
            for j in range(width):
                half[j] += half[j + width]
            width //= 2
        total = 0.0
        for j in range(8):
            total += half[j]
        sums[q] += total


@kernel
def _add_score(state: NDArray[Any], alive: NDArray[Any], eps: NDArray[Any], sigma: float, score: NDArray[Any]) -> None:
    # d log pi / dK_ik = -(a_i - mean_i) s_k / sigma^2 = -eps_i s_k / sigma; an episode that has ended acts no more
    for i in range(2):
        for k in range(6):
            for j in range(LANES):
                s = state[j + k * LANES] if alive[j] > 0.0 else 0.0
                score[j + (6 * i + k) * LANES] -= eps[i, j] * s / sigma


# Thirteen parameters: a kernel takes arrays and numbers, no values of a class of ours.
@kernel
def _roll_out(
    policy: NDArray[Any],
    state: NDArray[Any],
    noise: NDArray[Any],
    sigma: float,
    count: int,
    limit: float,
    dt: float,
    gamma: float,
    learning: bool,
    totals: NDArray[Any],
    products: NDArray[Any],
    scores: NDArray[Any],
    rewards: NDArray[Any],
) -> None:
    # u_t = clip(mg/2 - K s_t + sigma eps_t, 0, limit) in `count` episodes side by side, and write over the given state.
    # With Z_k = sum_{t <= k} d log pi(a_t)/dK, the sums over episodes are products = sum gamma^k r_k Z_k,
    # scores[k] = sum Z_k, rewards[k] = sum gamma^k r_k: all that REINFORCE with a baseline needs.
    rows = np.empty((7, LANES))
    waves, push, turn = rows[:2], rows[2], rows[3]
    alive, exponent, reward = rows[4], rows[5], rows[6]
    power = np.empty(LANES, dtype=np.int64)
    scratch = np.empty((8, 3 * LANES))
    score = np.zeros(_ENTRIES * LANES)
    product = np.zeros(_ENTRIES * LANES)
    # lanes beyond `count` run along, from the start on as episodes that have ended
    for j in range(LANES):
        alive[j] = 1.0 if j < count else 0.0
        totals[j] = 0.0
    running = end_episodes(state, alive, exponent)
    weight = 1.0
    for step in range(noise.shape[0]):
        if running == 0 and not learning:
            break
        if running > 0:
            eps = noise[step]
            # the constant part of the policy carries the noise; `steer` adds -K s and clips
            for j in range(LANES):
                policy[j] = HOVER + sigma * eps[0, j]
                policy[j + 7 * LANES] = HOVER + sigma * eps[1, j]
            # before the step: the score belongs to the state in which the action is chosen
            if learning:
                _add_score(state, alive, eps, sigma, score)
            steer(state, policy, limit, push, turn)
            runge_kutta_step(state, push, turn, dt, waves, scratch)
            running = end_episodes(state, alive, exponent)
            exponential(exponent, reward, power)
            for j in range(LANES):
                reward[j] *= weight * alive[j]
                totals[j] += reward[j]
            if learning:
                for q in range(_ENTRIES):
                    for j in range(LANES):
                        product[j + q * LANES] += reward[j] * score[j + q * LANES]
                _add_lane_sums(reward, rewards[step : step + 1])
        # also of episodes that have ended: a later baseline is subtracted from their scores too
        if learning:
            _add_lane_sums(score, scores[step])
        weight *= gamma
    if learning:
        _add_lane_sums(product, products)


@checked_class()
@dataclasses.dataclass(frozen=True)
class HoverTask:
    """An episode of the planar quadrotor: how long it is, where it starts, what is discounted and what is clipped.

    Parameters
    ----------
    horizon
        Duration of an episode in seconds, a whole number of control steps.
    dt
        Control step in seconds. At 0.02 s, held thrusts make the loop under `lqr_gain` unstable (one multiplier is
        -1.043) and the noise-free return rough; at 0.01 s all multipliers are within 0.974.
    gamma
        Discount per control step.
    state
        Initial (x, z, theta, x', z', theta') in m, rad and seconds.
    spread
        Half-widths of the box about it in which episodes start, uniformly; one for all or one for each. With random
        starts the baseline leaves their scatter, and the scatter of an estimate grows like 1/sigma as sigma -> 0.
        Returns without noise are then means over 128 Sobol points.
    thrust_limit
        Largest thrust of a rotor in N.

    Raises
    ------
    OptionError
        For a value out of its range, or starts beyond the edges at which an episode ends.
    UnsupportedError
        For a horizon that is not a whole number of control steps.

    Examples
    --------
    >>> from heatpg.policy.hover import HoverTask
    >>> HoverTask(horizon=0.5, spread=0.1).steps
    50
    """

    horizon: float = 2.0
    dt: float = 0.01
    gamma: float = 0.99
    state: Sequence[float] = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    spread: float | Sequence[float] = 0.0
    thrust_limit: float = 2.0 * HOVER

    def __post_init__(self) -> None:
        step_count(self.horizon, self.dt)
        spread = self.spread if isinstance(self.spread, Sequence | np.ndarray) else (self.spread,) * len(STATE)
        checked = {
            "horizon": float(self.horizon),
            "dt": float(self.dt),
            "gamma": finite_number("gamma", self.gamma, lower=0.0, upper=1.0),
            "thrust_limit": positive_number("thrust_limit", self.thrust_limit),
            "state": finite_numbers("state", self.state, STATE),
            "spread": finite_numbers("spread", spread, STATE),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        self._refuse_starts_outside()

    def _refuse_starts_outside(self) -> None:
        if min(self._widths) < 0:
            raise OptionError("the spread must not be negative", given=self.spread, allowed="half-widths >= 0")
        for name, middle, width, edge in zip(STATE[:3], self.state, self._widths, _EDGES, strict=False):
            if abs(middle) + width > edge:
                raise OptionError(
                    f"starting points lie beyond the limit of {name}, where episodes end",
                    given=f"{middle:g} +- {width:g}",
                    allowed=f"at most {edge:g} from the origin",
                )

    @property
    def steps(self) -> int:
        """Control steps of an episode."""
        return step_count(self.horizon, self.dt)

    @property
    def _widths(self) -> Array:
        return np.asarray(self.spread, dtype=np.float64)

    @property
    def random(self) -> bool:
        """Whether episodes start at random."""
        return bool(self._widths.any())

    def starts(self, generator: np.random.Generator) -> Array:
        """Initial states of a bundle, shape (6, LANES)."""
        states = np.repeat(np.array(self.state)[:, None], LANES, axis=1)
        if self.random:
            states += self._widths[:, None] * generator.uniform(-1.0, 1.0, states.shape)
        return states

    def noise(self, generator: np.random.Generator) -> Array:
        """Standard normal numbers for a bundle, shape (steps, 2, LANES)."""
        return generator.standard_normal((self.steps, 2, LANES))

    @property
    def silence(self) -> Array:
        """No noise, in the same shape."""
        return np.zeros((self.steps, 2, LANES))

    def totals(self, gains: Array, states: Array, noise: Array, sigma: float, count: int = LANES) -> Array:
        """Returns of a bundle of episodes; gains of shape (2, 6) or (LANES, 2, 6)."""
        totals = np.empty(LANES)
        nothing = np.empty((0, _ENTRIES))
        _roll_out(
            _policy_rows(gains), states.flatten(), noise, sigma, count, self.thrust_limit, self.dt, self.gamma, False,
            totals, nothing[:0].ravel(), nothing, nothing.ravel(),
        )  # fmt: skip
        return totals[:count]

    def reinforce(
        self, gain: Array, sigma: float, episodes: int, generator: np.random.Generator
    ) -> tuple[Array, float]:
        """Estimated gradient of the return under action noise, shape (2, 6), and mean return of a batch.

        The baseline of an episode at step t is the mean over all *other* episodes of sum_{k >= t} gamma^k r_k, so the
        estimate is unbiased. Summed by parts it is (products - sum_k mean(gamma^k r_k) scores[k]) / (episodes - 1).
        """
        products, scores, rewards = np.zeros(_ENTRIES), np.zeros((self.steps, _ENTRIES)), np.zeros(self.steps)
        totals = np.empty(LANES)
        for first in range(0, episodes, LANES):
            _roll_out(
                _policy_rows(gain), self.starts(generator).flatten(), self.noise(generator), sigma,
                min(LANES, episodes - first), self.thrust_limit, self.dt, self.gamma, True, totals, products, scores,
                rewards,
            )  # fmt: skip
        # sum_i Z_i (R_i - mean of the others) = n / (n - 1) (sum_i Z_i R_i - mean R sum_i Z_i), at every step k
        gradient = (products - (rewards[:, np.newaxis] / episodes * scores).sum(axis=0)) / (episodes - 1)
        return gradient.reshape(2, 6), float(rewards.sum()) / episodes

    def evolution_strategy(
        self, gain: Array, sigma: float, episodes: int, generator: np.random.Generator
    ) -> tuple[Array, float]:
        """Estimated gradient of E J(K + sigma E), shape (2, 6), and mean return of a batch; baseline as above."""
        product, score, total = np.zeros((2, 6)), np.zeros((2, 6)), 0.0
        for first in range(0, episodes, LANES):
            count = min(LANES, episodes - first)
            directions = generator.standard_normal((LANES, 2, 6))
            returns = self.totals(gain + sigma * directions, self.starts(generator), self.silence, 0.0, count)
            product += np.einsum("e,eij->ij", returns, directions[:count]) / sigma
            score += directions[:count].sum(axis=0) / sigma
            total += float(returns.sum())
        return (product - total / episodes * score) / (episodes - 1), total / episodes

    def difference_quotients(self, kind: str, gain: Array, sigma: float, generator: np.random.Generator) -> Array:
        """Central differences of the noisy return in every entry of K, shape (LANES, 2, 6), noise in common.

        The step follows sigma, because returns that end at an edge jump: the shorter the step, the rarer and the
        larger what a jump contributes. Noise smooths L over sigma, so the error of order h^2 stays below a percent.
        """
        gains: Array = gain
        if kind == "parameter":
            step, noise, level = sigma / 10.0, self.silence, 0.0
            gains = gain + sigma * generator.standard_normal((LANES, 2, 6))
        else:
            # noise in the thrust is no noise in the gain: its step is held between what rounding and curvature allow
            step, noise, level = min(max(1e-3, sigma / 100.0), 0.1), self.noise(generator), sigma
        states = self.starts(generator)
        quotients = np.empty((LANES, _ENTRIES))
        for q in range(_ENTRIES):
            shift = step * np.eye(_ENTRIES)[q].reshape(2, 6)
            # the same starts and the same noise on both sides, so that most of the scatter cancels
            above = self.totals(gains + shift, states, noise, level)
            quotients[:, q] = (above - self.totals(gains - shift, states, noise, level)) / (2.0 * step)
        return quotients.reshape(LANES, 2, 6)

    def noise_free_returns(self, gains: Array) -> Array:
        """Returns without noise for gains of shape (..., 2, 6); random starts are replaced by Sobol points."""
        flat = gains.reshape(-1, 2, 6)
        states = np.array(self.state)[:, None]
        if self.random:
            from scipy.stats import qmc

            points = qmc.Sobol(6, seed=0).random(LANES).T
            states = states + self._widths[:, None] * (2.0 * points - 1.0)
        number = states.shape[1]
        returns = np.empty(len(flat) * number)
        silence = self.silence

        def piece(first: int) -> None:
            # the last bundle is filled up with copies of the last episode, which are not kept
            episode = np.minimum(np.arange(first, first + LANES), returns.size - 1)
            own, where = flat[episode // number], np.ascontiguousarray(states[:, episode % number])
            count = min(LANES, returns.size - first)
            returns[first : first + count] = self.totals(own, where, silence, 0.0, count)

        for_each(piece, range(0, returns.size, LANES))
        return np.asarray(returns.reshape(*gains.shape[:-2], number).mean(axis=-1))

    def noise_free_gradient(self, gain: Array) -> tuple[float, Array]:
        """Return without noise and its gradient by central differences, shape (2, 6)."""
        shifts = _STEP * np.eye(_ENTRIES).reshape(_ENTRIES, 2, 6)
        returns = self.noise_free_returns(np.concatenate([gain[None], gain + shifts, gain - shifts]))
        quotients = (returns[1 : _ENTRIES + 1] - returns[_ENTRIES + 1 :]) / (2.0 * _STEP)
        return float(returns[0]), quotients.reshape(2, 6)

    def ascend(self, gain: Array) -> Array:
        """A gain that is locally optimal for the noise-free return, uphill from a given one."""
        from scipy.optimize import minimize

        def descent(point: Array) -> tuple[float, Array]:
            value, gradient = self.noise_free_gradient(point.reshape(2, 6))
            return -value, -gradient.ravel()

        # Taste: the return is of order 10 and more, so that a slope of 1e-2 per unit of gain is flat; 300 iterations
        # are an end for a ridge along which BFGS would creep. Its line search divides by vanishing curvatures, and
        # recovers: no warning of SciPy's is of use here.
        with np.errstate(all="ignore"):
            found = minimize(descent, gain.ravel(), jac=True, method="BFGS", options={"gtol": 1e-2, "maxiter": 300})
        return np.asarray(found.x, dtype=np.float64).reshape(2, 6)


def _policy_rows(gains: Array) -> Array:
    """Rows of the affine policy of every lane as `steer` takes them; the constant part is set in every step."""
    rows = np.zeros((2, 7, LANES))
    rows[:, 1:] = -(gains[:, :, None] if gains.ndim == 2 else np.moveaxis(gains, 0, -1))
    return rows.ravel()


def mean_and_error(samples: Array, axis: int) -> tuple[Array, Array]:
    """Mean of independent samples along an axis, and its standard error."""
    return samples.mean(axis=axis), samples.std(axis=axis, ddof=1) / math.sqrt(samples.shape[axis])
