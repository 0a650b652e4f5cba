"""Unlearning: a policy gradient starts at the optimal linear controller of the planar quadrotor. Does it stay there?

The policy is u_t = mg/2 - K s_t, clipped to [0, thrust_limit], and all twelve entries of K learn. Two kinds of noise
are offered, which are two different objectives L(K):

``action``
    u_t = clip(mg/2 - K s_t + sigma eps_t), noise in every control step; ascent by REINFORCE. The loop answers to the
    noise, so L is no heat flow of the noise-free return over gains. It is a heat flow in the action alone, with the
    action values Q^pi of the policy frozen (policy-gradient theorem).
``parameter``
    J(K + sigma E), the gain drawn once an episode; ascent by evolution strategies. L is exactly the heat flow of the
    return J over gains at time t = sigma^2.

The regulator is optimal for a quadratic cost and an endless horizon, not for the return. The causes of drift are
therefore separated: the gradient of the return itself, which is there without noise; the change that noise makes to it;
and the scatter of an estimate from finitely many episodes.
"""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.noise import positive_sigmas
from heatpg.errors import NonFiniteError, OptionError, UnsupportedError
from heatpg.policy.hover import HoverTask, mean_and_error
from heatpg.systems.lanes import LANES
from heatpg.systems.quadrotor import lqr_gain
from heatpg.tools.arguments import finite_number, one_of, positive_number, whole_number
from heatpg.tools.calls import checked_call
from heatpg.tools.parallel import for_each
from heatpg.tools.plain import fields_as_dict, plain
from heatpg.tools.progress import Progress, progress_of
from heatpg.tools.resources import require_memory

__all__ = ["Learning", "Unlearning", "unlearn"]

Array = NDArray[np.float64]

_SIGMAS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # taste: from far below a thrust of 2.4 N at hover to far above
_CONFIDENCE = 2.0  # standard errors: taste, about 95 %
_LEARNING, _REFERENCE = 0, 1  # streams of random numbers: what checks an estimate shares no number with it
_NOISE_AT_ONCE = 32.0  # numbers a control step and lane: two for each bundle of as many as 16 threads (taste)


def _generator(seed: int, stream: int, index: int) -> np.random.Generator:
    # SFC64 draws normal numbers faster than the default; a spawn key gives independent streams without any order
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(stream, index))))


def _step_along(gradient: Array, rate: float, normalize: bool) -> Array:
    """rate * gradient, or of length `rate`; shape (..., 2, 6)."""
    if not normalize:
        return rate * gradient
    length = np.linalg.norm(gradient, axis=(-2, -1), keepdims=True)
    return np.asarray(rate * np.divide(gradient, length, out=np.zeros_like(gradient), where=length > 0))


@dataclasses.dataclass(frozen=True, eq=False)
class Unlearning:
    """The change of a gain under policy-gradient epochs, for every sigma and seed.

    Distances are Frobenius norms over entries of different units (N/m, N/rad, N s/m, N s/rad).

    Attributes
    ----------
    noise
        ``action`` or ``parameter``.
    start
        ``lqr``, ``optimal`` or ``given``.
    sigmas
        Shape (S,): N for action noise, the units of the gain for parameter noise.
    gains
        K before the first and after every epoch, shape (S, seeds, epochs + 1, 2, 6).
    returns
        Return without noise at these gains, shape (S, seeds, epochs + 1).
    noisy_returns
        Mean return of the episodes with noise at these gains, the same shape: an estimate of L.
    observed_gradient, observed_error
        Mean over the seeds of the estimates of the first epoch, and its standard error, shape (S, 2, 6).
    predicted_gradient, predicted_error
        grad L at the start by central differences with noise in common, independent of the estimators, and its
        standard error, shape (S, 2, 6).
    noise_free_gradient
        Gradient of the return without noise at the start, shape (2, 6).
    noise_free_change
        Change of the return by one step along it.
    predicted_change
        Change of the return without noise by one step along grad L, without the scatter of an estimate; shape (S,).
    episodes, rate, normalize, loss, horizon
        As given.
    """

    noise: str
    start: str
    sigmas: Array
    gains: Array
    returns: Array
    noisy_returns: Array
    observed_gradient: Array
    observed_error: Array
    predicted_gradient: Array
    predicted_error: Array
    noise_free_gradient: Array
    noise_free_change: float
    predicted_change: Array
    episodes: int
    rate: float
    normalize: bool
    loss: float
    horizon: float

    @property
    def gain(self) -> Array:
        """The gain at the start, shape (2, 6)."""
        return np.asarray(self.gains[0, 0, 0])

    @property
    def epochs(self) -> int:
        """Number of epochs."""
        return int(self.gains.shape[2] - 1)

    @property
    def distance(self) -> Array:
        """\\|K - K_0\\| before the first and after every epoch, shape (S, seeds, epochs + 1)."""
        return np.asarray(np.linalg.norm(self.gains - self.gain, axis=(-2, -1)))

    @property
    def observed_step(self) -> Array:
        """Mean over the seeds of the first epoch's step, shape (S, 2, 6)."""
        return np.asarray((self.gains[:, :, 1] - self.gain).mean(axis=1))

    @property
    def observed_step_error(self) -> Array:
        """Standard error of `observed_step`, shape (S, 2, 6)."""
        return mean_and_error(self.gains[:, :, 1] - self.gain, 1)[1]

    @property
    def predicted_step(self) -> Array:
        """Step along grad L at the start, shape (S, 2, 6)."""
        return _step_along(self.predicted_gradient, self.rate, self.normalize)

    @property
    def predicted_step_error(self) -> Array:
        """Standard error of `predicted_step`, shape (S, 2, 6); of a normalised one with its length as exact."""
        if not self.normalize:
            return self.rate * self.predicted_error
        length = np.linalg.norm(self.predicted_gradient, axis=(-2, -1), keepdims=True)
        # without any slope there is no direction, and no error of one
        error = np.full_like(self.predicted_error, np.nan)
        return np.asarray(np.divide(self.rate * self.predicted_error, length, out=error, where=length > 0))

    @property
    def noise_free_step(self) -> Array:
        """Step along the gradient of the return without noise, shape (2, 6)."""
        return _step_along(self.noise_free_gradient, self.rate, self.normalize)

    @property
    def noise_drift(self) -> Array:
        """\\|predicted step - noise-free step\\|: the drift due to noise, shape (S,).

        With random starts it does not fall below the standard error of the predicted step.
        """
        # of steps and not of gradients, so that normalised steps are compared as they are taken
        return np.asarray(np.linalg.norm(self.predicted_step - self.noise_free_step, axis=(-2, -1)))

    @property
    def scatter(self) -> Array:
        """Root mean square over the seeds of \\|first step - its mean\\|: the noise of the estimates, shape (S,)."""
        return np.asarray(np.sqrt((self.gains[:, :, 1] - self.gain).var(axis=1, ddof=1).sum(axis=(-2, -1))))

    @property
    def z_score(self) -> Array:
        """Largest \\|observed - predicted gradient\\| over the twelve entries, in standard errors; shape (S,)."""
        # both are means of independent samples, drawn from different streams
        error = np.hypot(self.observed_error, self.predicted_error)
        apart = np.abs(self.observed_gradient - self.predicted_gradient)
        return np.asarray(np.divide(apart, error, out=np.zeros_like(apart), where=error > 0).max(axis=(-2, -1)))

    @property
    def change(self) -> Array:
        """Mean over the seeds of the first epoch's change of the return without noise, shape (S,)."""
        return mean_and_error(self.returns[:, :, 1] - self.returns[:, :, 0], 1)[0]

    @property
    def change_error(self) -> Array:
        """Standard error of `change`, shape (S,)."""
        return mean_and_error(self.returns[:, :, 1] - self.returns[:, :, 0], 1)[1]

    @property
    def verdicts(self) -> tuple[str, ...]:
        """For every sigma: ``left``, ``kept`` or ``undecided`` after the first epoch.

        ``left`` if the return without noise fell by more than loss times itself, beyond two standard errors of the
        mean over the seeds; ``kept`` if it did not, beyond two standard errors (it may have risen).
        """
        # the interval change +- 2 errors against the margin: below it, above it, or across it
        words = []
        for change, error in zip(self.change, _CONFIDENCE * self.change_error, strict=True):
            margin = change + self._tolerated
            words.append("left" if margin + error < 0 else "kept" if margin - error > 0 else "undecided")
        return tuple(words)

    @property
    def causes(self) -> tuple[str, ...]:
        """For every sigma the reason why the optimum is left, or "" if it is kept.

        ``scatter``: the step along grad L would have kept it, the noise of the estimates does not. ``drift``: the step
        along grad L costs too much by itself. ``rate``: so does the step along the noise-free gradient, to which noise
        adds less than it is long; the rate is too large for the curvature at the start.
        """
        # Taken away one after the other: the scatter of the estimates, which leaves the step along grad L; then the
        # noise, which leaves the step along the gradient of the return. The cause is what, taken away, lets the optimum
        # be kept; or the rate, if nothing does and noise adds less than that last step is long.
        steep = self.noise_free_change < -self._tolerated
        length = float(np.linalg.norm(self.noise_free_step))
        words = []
        for verdict, change, added in zip(self.verdicts, self.predicted_change, self.noise_drift, strict=True):
            if verdict != "left":
                words.append("")
            elif change >= -self._tolerated:
                words.append("scatter")
            else:
                words.append("rate" if steep and added < length else "drift")
        return tuple(words)

    @property
    def _tolerated(self) -> float:
        return self.loss * float(self.returns[0, 0, 0])

    def __str__(self) -> str:
        names = {"lqr": "the LQR gain", "optimal": "the optimum of the return", "given": "the given gain"}
        pace = "steps of length" if self.normalize else "rate"
        lines = [
            f"unlearning of {names[self.start]} under {self.noise} noise: {self.gains.shape[1]} seeds, "
            f"{self.episodes} episodes of {self.horizon:g} s an epoch, {pace} {self.rate:g}",
            f"return at the start {self.returns[0, 0, 0]:.4f}; a step along its own gradient, without noise: "
            f"|dK| = {np.linalg.norm(self.noise_free_step):.3g}, return {self.noise_free_change:+.2g}",
        ]
        table: list[tuple[str, ...]] = [
            ("", "first", "drift by", "added by", "scatter of", "change of", "", "by the", "at the", ""),
            ("sigma", "|K - K0|", "grad L", "noise", "estimates", "return", "+-", "drift", "end", "return"),
        ]
        columns = (
            self.sigmas,
            self.distance[:, :, 1].mean(axis=1),
            np.linalg.norm(self.predicted_step, axis=(-2, -1)),
            self.noise_drift,
            self.scatter,
            self.change,
            self.change_error,
            self.predicted_change,
            self.distance[:, :, -1].mean(axis=1),
            self.returns[:, :, -1].mean(axis=1),
        )
        forms = (".4g", ".4g", ".4g", ".2g", ".2g", "+.4f", ".1g", "+.4f", ".4g", ".3f")
        table += [tuple(map(format, row, forms)) for row in zip(*columns, strict=True)]
        ends = ["", "verdict"]
        ends += [f"{v} ({c})" if c else v for v, c in zip(self.verdicts, self.causes, strict=True)]
        lines += [
            ("".join(f"{cell:>11}" for cell in row) + "  " + end).rstrip() for row, end in zip(table, ends, strict=True)
        ]
        lines += [
            f"left: without noise the return fell in the first epoch by more than a fraction {self.loss:.3g}, by more "
            f"than "
            f"{_CONFIDENCE:g} standard errors; end: after epoch {self.epochs}",
            f"estimates differ from grad L by finite differences by at most {self.z_score.max():.1f} standard errors",
        ]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON-like values; of the gains only that at the start."""
        derived = (
            "epochs", "gain", "distance", "observed_step", "observed_step_error", "predicted_step",
            "predicted_step_error", "noise_free_step", "noise_drift", "scatter", "z_score", "change", "change_error",
            "verdicts", "causes",
        )  # fmt: skip
        return fields_as_dict(self, ("gains",)) | {name: plain(getattr(self, name)) for name in derived}


@dataclasses.dataclass(frozen=True)
class Learning:
    """Options of learning a gain: step, repetitions, and comparison.

    Parameters
    ----------
    epochs
        Gradient steps.
    episodes
        Episodes in an epoch, at least two: one cannot be the baseline of itself.
    seeds
        Independent repeats, at least two, from which the standard errors come (seeds - 1 degrees of freedom).
    rate
        Learning rate; with ``normalize`` the length of every step.
    normalize
        Step by ``rate`` along the estimate, however long the estimate is.
    loss
        Fraction of the initial return that may be lost before the optimum counts as left.
    reference_episodes
        Episodes for grad L by differences (times 24 for every sigma), rounded up to a multiple of 128. Where only a
        few of them jump, because they end at an edge, the standard error comes out too small: take more.

    Raises
    ------
    OptionError
        For a value out of its range, a single episode or a single seed.
    """

    epochs: int = 5
    episodes: int = 256
    seeds: int = 32
    rate: float = 0.1
    normalize: bool = False
    loss: float = 1e-3
    reference_episodes: int = 2048

    def __post_init__(self) -> None:
        others = "the baseline of an episode is the mean of the others"
        scatter = "standard errors are computed from the scatter over seeds"
        checked = {
            "epochs": whole_number("epochs", self.epochs),
            "episodes": _at_least_two("episodes", self.episodes, others),
            "seeds": _at_least_two("seeds", self.seeds, scatter),
            "rate": positive_number("rate", self.rate),
            "normalize": bool(self.normalize),
            "loss": finite_number("loss", self.loss, lower=0.0, upper=1.0),
            "reference_episodes": whole_number("episodes", self.reference_episodes),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def step(self, gradient: Array) -> Array:
        """The step along a gradient of shape (..., 2, 6): rate * gradient, or of length `rate`."""
        return _step_along(gradient, self.rate, self.normalize)


def _at_least_two(what: str, given: int, reason: str) -> int:
    number = whole_number(what, given)
    if number < 2:
        raise OptionError(f"too few {what}", given=number, allowed="2, 3, ...", advice=reason)
    return number


@checked_call()
def unlearn(
    sigmas: ArrayLike = _SIGMAS,
    *,
    noise: str = "action",
    start: str | ArrayLike = "lqr",
    task: HoverTask | None = None,
    learning: Learning | None = None,
    seed: int = 0,
    progress: Progress = None,
) -> Unlearning:
    """Run policy-gradient epochs from an optimal gain of the planar quadrotor, and report whether the gain is kept.

    K <- K + rate g once an epoch, with the unbiased estimates of grad L

    ``action``: g = mean of sum_t (d log pi(a_t)/dK) (R_t - b_t), d log pi/dK = -(a_t - mean_t) s_t^T / sigma^2, with
    R_t = sum_{k >= t} gamma^k r_k and b_t its mean over the other episodes of the batch (REINFORCE; the score is that
    of the action before it is clipped, so clipping belongs to the environment);
    ``parameter``: g = mean of (J(K + sigma E) - b) E / sigma, b the mean over the other episodes.

    In addition grad L at the start is given by differences [L(K + h e) - L(K - h e)] / 2h with noise in common, which
    shares no formula with the estimators. Quadrotor, return and end of an episode are those of
    `heatpg.landscapes.quadrotor` (classical Runge-Kutta method, reward after the control step).

    Parameters
    ----------
    sigmas
        Noise levels, positive; in N for action noise, in the units of the gain for parameter noise.
    noise
        ``action``: per control step; a heat flow in the action only with Q^pi frozen. ``parameter``: of the gain,
        once an episode; exactly a heat flow in K.
    start
        ``lqr``: `lqr_gain`. ``optimal``: a local maximum of the noise-free return, by BFGS from there. Or a gain of
        shape (2, 6).
    task
        An episode: its length, start, discount and limits of thrust; by default `HoverTask()`.
    learning
        Epochs, episodes, repeats, the rate, and what loss counts; by default `Learning()`.
    seed
        Of all random numbers. The same one gives the same bits whatever the number of threads, and for a sigma
        whatever the other sigmas are.
    progress
        A function that is called as ``progress(done, total)`` with numbers of runs, or True for a progress bar.

    Returns
    -------
    Unlearning
        Distances, returns, gradients with standard errors, and a verdict for every sigma.

    Raises
    ------
    SigmaError
        For a sigma that is not positive or not finite, or given twice.
    UnknownNameError
        For an unknown noise or start.
    OptionError
        For an invalid gain, or a seed that is not a whole number.
    UnsupportedError
        For a return of zero, from which nothing can be learnt.
    NonFiniteError
        If a gain overflows because the rate is far too large.
    ResourceError
        If the noise of an episode does not fit in memory.

    Notes
    -----
    The return need not have an isolated optimum: from one fixed start BFGS climbs to a ridge of large curvature that
    suits this one episode, where a finite rate fails with and without noise; the result says so. A `HoverTask.spread`
    of 0.2 makes the optimum blunt and well defined.

    References
    ----------
    R. J. Williams, Simple statistical gradient-following algorithms, Mach. Learn. 8 (1992) 229-256,
    doi:10.1007/BF00992696 (REINFORCE). T. Wang, S. Herbert, S. Gao, *Mollification Effects of Policy Gradient
    Methods*, ICML 2024, arXiv 2405.17832.

    Examples
    --------
    >>> from heatpg.policy import Learning, HoverTask, unlearn
    >>> short = Learning(epochs=1, episodes=128, seeds=8)
    >>> result = unlearn([0.1, 1.0], noise="parameter", task=HoverTask(horizon=1.0), learning=short)
    >>> result.distance.shape
    (2, 8, 2)
    >>> result.verdicts
    ('kept', 'left')
    """
    tell = progress_of(progress, "runs")
    one_of("noise", noise, ("action", "parameter"))
    levels = np.sort(positive_sigmas(sigmas, advice="the noise-free gradient is reported in addition to every sigma"))
    task = HoverTask() if task is None else task
    learning = Learning() if learning is None else learning
    entropy = whole_number("seed", seed, least=0)
    require_memory(
        _NOISE_AT_ONCE * task.steps * LANES * 8, "the noise of a bundle of episodes", "use a shorter horizon"
    )
    first, kind = _gain_at_start(task, start)

    repeats, bundles = learning.seeds, math.ceil(learning.reference_episodes / LANES)
    gains = np.empty((len(levels), repeats, learning.epochs + 1, 2, 6))
    noisy = np.empty((len(levels), repeats, learning.epochs + 1))
    estimates = np.empty((len(levels), repeats, 2, 6))
    quotients = np.empty((len(levels), bundles * LANES, 2, 6))
    estimate = task.reinforce if noise == "action" else task.evolution_strategy
    turn = threading.Lock()
    done = 0

    # A generator of its own for every repeat and bundle, the same at every sigma: so results depend neither on the
    # order in which threads take the jobs nor on which other sigmas are asked for.
    def learn(k: int, index: int) -> None:
        generator = _generator(entropy, _LEARNING, index)
        gain = first
        for epoch in range(learning.epochs + 1):
            gains[k, index, epoch] = gain
            # after the last epoch too: the return that was learnt is estimated, its gradient is not followed
            gradient, noisy[k, index, epoch] = estimate(gain, levels[k], learning.episodes, generator)
            if epoch == 0:
                estimates[k, index] = gradient
            with np.errstate(over="ignore"):
                gain = gain + learning.step(gradient)
            if not np.isfinite(gain).all():
                raise NonFiniteError(
                    f"the gain overflowed in epoch {epoch + 1}", given=f"sigma={levels[k]:g}, rate={learning.rate:g}",
                    advice="use a smaller rate",
                )  # fmt: skip

    def predict(k: int, index: int) -> None:
        generator = _generator(entropy, _REFERENCE, index)
        quotients[k, index * LANES : (index + 1) * LANES] = task.difference_quotients(
            noise, first, levels[k], generator
        )

    jobs = [(learn, k, i) for k in range(len(levels)) for i in range(repeats)]
    jobs += [(predict, k, i) for k in range(len(levels)) for i in range(bundles)]

    def one(job: tuple[Callable[[int, int], None], int, int]) -> None:
        nonlocal done
        work, k, index = job
        work(k, index)
        if tell is not None:
            with turn:  # one report at a time, never backwards
                done += 1
                tell(done, len(jobs))

    for_each(one, jobs)
    # What a step would do without scatter, and without noise, is computed from the return itself, which has no noise.
    value, own = task.noise_free_gradient(first)
    observed, observed_error = mean_and_error(estimates, 1)
    predicted, predicted_error = mean_and_error(quotients, 1)
    steps = learning.step(np.concatenate([own[None], predicted]))
    changes = task.noise_free_returns(first + steps) - value
    return Unlearning(
        noise=noise,
        start=kind,
        sigmas=levels,
        gains=gains,
        returns=task.noise_free_returns(gains),
        noisy_returns=noisy,
        observed_gradient=observed,
        observed_error=observed_error,
        predicted_gradient=predicted,
        predicted_error=predicted_error,
        noise_free_gradient=own,
        noise_free_change=float(changes[0]),
        predicted_change=changes[1:],
        episodes=learning.episodes,
        rate=learning.rate,
        normalize=learning.normalize,
        loss=learning.loss,
        horizon=task.horizon,
    )


def _gain_at_start(task: HoverTask, start: str | ArrayLike) -> tuple[Array, str]:
    if isinstance(start, str):
        kind = one_of("start", start, ("lqr", "optimal"))
        gain = lqr_gain()
    else:
        kind = "given"
        try:
            gain = np.array(start, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            gain = np.empty(0)
        if gain.shape != (2, 6) or not np.isfinite(gain).all():
            raise OptionError(
                "start must be a gain matrix", given=repr(start), allowed="'lqr', 'optimal', or 2 x 6 finite numbers"
            )
    # gradients of a return that is zero around the start are zero, and a loss relative to it is not defined
    if not task.noise_free_returns(gain) > 0:
        raise UnsupportedError(
            "the return at the start is zero: every episode ends in its first step, so nothing can be learned",
            given=f"state={task.state}",
            allowed="starting points with a reward",
        )
    return (task.ascend(gain) if kind == "optimal" else gain), kind
