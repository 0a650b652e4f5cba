"""Claims on chaos and roughness: Hölder exponents, the scales on which they show, and what they do to estimates."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from heatpg import landscapes
from heatpg.claims import Evidence, claim
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.evolution import solve
from heatpg.policy import estimator_noise
from heatpg.scalespace import (
    Ensemble,
    holder_exponent,
    lyapunov_exponent,
    lyapunov_spectrum,
    predicted_holder,
    scale_window,
    structure_function,
)

__all__: list[str] = []

Array = NDArray[np.float64]

_claim = functools.partial(claim, part="roughness and chaos")

_FRACTAL = "T. Wang, S. Herbert, S. Gao, NeurIPS 2023, arXiv:2310.15418"
# 2^12 nodes: the finest wave of eleven steps, of 2^10 periods, has four of them
_GRID = Grid(Axis("x", 0.0, 1.0, 4096, boundary="periodic"))


def _doubling_return(gamma: float, steps: int, smooth: bool = False) -> Landscape:
    """Discounted return of the chaotic map x -> 2 x (mod 1) over its start, one reward a step.

    r(x) = cos(2 pi x); or, for a return that is smooth in spite of the chaos, r(x) = f(x) - gamma f(2 x) with f = cos,
    whose sum telescopes.
    """
    x = _GRID[0].coordinates

    def f(k: int) -> Array:
        # 2^k x mod 1 is exact in binary, so no step of the map rounds
        return np.asarray(np.cos(2.0 * math.pi * (2**k * x % 1.0)))

    rewards = (f(k) - gamma * f(k + 1) if smooth else f(k) for k in range(steps))
    return Landscape(sum(gamma**k * reward for k, reward in enumerate(rewards)), _GRID, "doubling map")


_TENT = 0.1  # where the tent map turns: nine points of ten go the slow way down


def _tent_exponents(gamma: float) -> tuple[float, float]:
    """Mean Lyapunov exponent of a skew tent map, and the Hölder exponent of its return at its fixed point 0.

    The map is x / a below a, and (1 - x) / (1 - a) above. Its invariant density is 1, so the mean of the logarithm of
    the slope is -a ln a - (1 - a) ln(1 - a), while differences near 0 grow by 1 / a in every step.
    """
    mean = -_TENT * math.log(_TENT) - (1.0 - _TENT) * math.log(1.0 - _TENT)
    # a geometric sequence towards 0, along which the return of r(x) = x falls like x^p
    x = 0.3 * _TENT ** np.arange(4, 13)
    near, total, weight = x.copy(), np.zeros_like(x), 1.0
    for _ in range(200):
        total += weight * x
        x = np.where(x < _TENT, x / _TENT, (1.0 - x) / (1.0 - _TENT))
        weight *= gamma
    return mean, float(np.polyfit(np.log(near), np.log(total), 1)[0])


def _doubling_exponent() -> float:
    """Lyapunov exponent of the doubling map, per step."""
    # ln 2, here measured and not put in
    return lyapunov_spectrum(
        lambda x: 2.0 * x % 1.0, [0.3], kind="map", duration=40, jacobian=lambda x: [[2.0]]
    ).exponent


@_claim(
    "chaos-makes-returns-rough",
    "Chaos, a positive Lyapunov exponent, makes the return fractal: its Hölder exponent is below 1.",
    corrected=(
        "Only if the exponent per step exceeds -ln gamma. If exp(lambda n) bounds the growth of every small "
        "difference, the return has at least p = -ln(gamma) / lambda, and is Lipschitz for lambda < -ln(gamma). A mean "
        "exponent only predicts p: where differences grow faster, the return is rougher."
    ),
    source=_FRACTAL,
)
def chaos_makes_returns_rough() -> Evidence:
    """Measured exponents of the return of a map of one slope at four discounts, and of a map of two slopes."""
    rate = _doubling_exponent()
    measured, off, smooth = {}, [], []
    # p = 0.2 and 0.4, and two discounts below 1/2, where the return is Lipschitz
    for gamma in (2.0**-0.2, 2.0**-0.4, 0.4, 0.3):
        # eleven steps, as many as the grid holds
        rough = holder_exponent(_doubling_return(gamma, 11))
        measured[gamma] = rough.exponent
        if rate > -math.log(gamma):
            off.append(abs(rough.exponent - predicted_holder(gamma, rate, 1.0).exponent))
        else:
            smooth.append(rough.saturated)
    listed = ", ".join(f"{p:.3f} at {gamma:.3f}" if p < 1 else f">= 1 at {gamma:.3f}" for gamma, p in measured.items())
    inside = bool(off) and max(off) < 0.05  # half of the interval that such a fit of three decades has
    outside = not any(smooth)
    # -ln 0.6 = 0.511 is above the mean exponent, so by the mean the return would be Lipschitz
    mean, local = _tent_exponents(0.6)
    bound = predicted_holder(0.6, mean, 1.0).exponent
    return Evidence(
        f"x -> 2x has lambda = {rate:.4f} per step, above -ln gamma for gamma > 1/2; the return has p = {listed}. A "
        f"tent map of slopes 10 and 10/9 has the mean {mean:.3f}, so p = {bound:g} by it at gamma = 0.6; at its fixed "
        f"point, where differences grow by 10 a step, the return has p = {local:.3f}",
        {
            "lyapunov": rate,
            **{f"p_at_{gamma:.3f}": p for gamma, p in measured.items()},
            "p_by_the_mean": bound,
            "p_at_the_fixed_point": local,
        },
        inside and outside,
        inside,
        # -ln gamma / ln 10 = 0.2218
        inside and all(smooth) and bound == 1.0 and abs(local + math.log(0.6) / math.log(10.0)) < 0.01,
    )


@_claim(
    "chaos-proves-roughness",
    "A predicted exponent p < 1 proves that the return is not differentiable.",
    corrected="Where lambda bounds the growth of every small difference, p is a lower bound on smoothness; the return "
    "may be smoother. With a mean exponent p is a prediction, not a bound.",
    source=_FRACTAL,
)
def chaos_proves_roughness() -> Evidence:
    """The same chaos and discount with a reward whose discounted sum telescopes."""
    gamma = 2.0**-0.4
    prediction = predicted_holder(gamma, _doubling_exponent(), 1.0)
    rough = holder_exponent(_doubling_return(gamma, 11))
    # the sum is f(x) - gamma^60 f(2^60 x), and gamma^60 = 6e-8
    smooth = holder_exponent(_doubling_return(gamma, 60, True))
    return Evidence(
        f"for gamma = {gamma:.3f} p = {prediction.exponent:.2f} is predicted; with the reward cos(2 pi x) p = "
        f"{rough.exponent:.3f} is measured, with a reward whose sum telescopes the return is "
        f"{'smooth' if smooth.saturated else f'of p = {smooth.exponent:.3f}'}",
        {"predicted": prediction.exponent, "measured": rough.exponent, "smooth": smooth.saturated},
        not smooth.saturated,
        corrected=min(rough.exponent, smooth.exponent) > prediction.exponent - 0.05,
    )


@_claim(
    "discount-of-the-double-pendulum",
    "The double pendulum is chaotic, so its return is fractal at every discount.",
    corrected="By its mean exponent, Lambda = 1 /s, and control steps of 0.05 s it is predicted to be Lipschitz for "
    "gamma = 0.9, borderline for 0.95, and of p = 0.20 for 0.99; where motions part faster than the mean it is "
    "rougher.",
    source=_FRACTAL,
)
def discount_of_the_double_pendulum() -> Evidence:
    """The measured exponent of the pendulum against three discounts."""
    estimate = lyapunov_exponent(ensemble=Ensemble(runs=6), duration=150.0)
    at = {gamma: predicted_holder(gamma, estimate, 0.05) for gamma in (0.9, 0.95, 0.99)}
    p = at[0.99].exponent
    listed = ", ".join(f"{h.regime} at {gamma:g}" for gamma, h in at.items())
    low, high = at[0.99].interval
    return Evidence(
        f"by the measured Lambda = {estimate.exponent:.3f} /s the return is {listed}, where p = {p:.3f} ({low:.2f} "
        f"to {high:.2f})",
        {"lyapunov": estimate.exponent, "ratio_at_0.9": at[0.9].ratio, "ratio_at_0.95": at[0.95].ratio, "p_at_0.99": p},
        all(h.ratio < 1.0 for h in at.values()),
        at[0.99].ratio < 1.0,
        at[0.9].ratio > 1.0 and at[0.95].regime == "borderline" and low <= 0.201 <= high,
    )


@_claim(
    "finite-horizon",
    "A fractal return is rough on all scales.",
    corrected="With a finite horizon H the return is fractal only on scales delta > D exp(-lambda H) and smooth below.",
    source="two trajectories that start delta apart separate after ln(D / delta) / lambda steps",
)
def finite_horizon() -> Evidence:
    """Local exponents of increments above and below the smallest fractal scale, at two horizons."""
    gamma, rate = 2.0**-0.4, _doubling_exponent()
    below, above = [], []
    for steps in (5, 7):
        # the smallest distance whose motions part within the horizon
        low = scale_window(rate, float(steps), size=1.0).low
        structure = structure_function(_doubling_return(gamma, steps), moments=[2], lags=[2**k for k in range(10)])
        exponents, scales = structure.exponents()[0], structure.scales
        # well below the smallest fractal distance; above it, and up to a quarter of the box
        finer, coarser = scales[1:] <= low / 8.0, (scales[:-1] >= low) & (scales[1:] <= 0.25)
        # without scales on both sides nothing can be said, and NaN is on no side of a bound
        below.append(float(exponents[finer].min()) if finer.any() else math.nan)
        above.append(float(exponents[coarser].max()) if coarser.any() else math.nan)
    rough, smooth = max(above) < 0.6, min(below) > 0.9
    return Evidence(
        f"at horizons of 5 and 7 steps increments grow with exponents of at least {below[0]:.3f} and {below[1]:.3f} "
        f"over distances below D exp(-lambda H) / 8, and at most {above[0]:.3f} and {above[1]:.3f} above D "
        "exp(-lambda H)",
        {"below_5": below[0], "below_7": below[1], "above_5": above[0], "above_7": above[1]},
        rough and max(below) < 0.6,
        rough,
        rough and smooth,
    )


def _absolute_moment(p: float) -> float:
    """E|Z|^p of a standard normal variable."""
    return float(2.0 ** (0.5 * p)) * math.gamma(0.5 * (p + 1.0)) / math.sqrt(math.pi)


@_claim(
    "scaling-laws",
    "On a p-Hölder landscape the bias of L is at most K E|Z|^p sigma^p, the spread of returns at most "
    "K sqrt(E|Z|^2p) sigma^p and the gradient at most K E|Z|^(1+p) sigma^(p-1); on one that is equally rough "
    "everywhere they grow with these powers.",
    source="Jensen's inequality; " + _FRACTAL,
)
def scaling_laws() -> Evidence:
    """Fitted exponents on a Weierstrass sum of p = 0.4, the three bounds with its Hölder constant, and a slope."""
    p = 0.4
    rough = holder_exponent(landscapes.weierstrass(exponent=p, size=4096, terms=11))
    bias, spread, slope = (rough[m].exponent for m in ("bias", "spread", "gradient"))
    q = landscapes.weierstrass(exponent=p, size=1024, terms=8)
    values, h = q.values, q.grid[0].spacing
    # the Hölder constant itself, over all distances on the grid
    constant = max(
        float(np.abs(np.roll(values, -lag) - values).max()) / (lag * h) ** p for lag in range(1, values.size // 2)
    )
    sigmas = np.geomspace(3.0 * h, 0.5, 6)
    flow = solve(q, sigmas)
    biases = np.abs(flow.values - values).max(axis=1) / (constant * _absolute_moment(p) * sigmas**p)
    gradients = np.abs(flow.gradient()[:, 0]).max(axis=1) / (constant * _absolute_moment(1.0 + p) * sigmas ** (p - 1.0))
    # variance: u of Q^2 less the square of u, after the mean of Q is taken out
    squares = solve(Landscape((values - values.mean()) ** 2, q.grid), sigmas).values
    spreads = np.sqrt((squares - (flow.values - values.mean()) ** 2).max(axis=1))
    spreads /= constant * math.sqrt(_absolute_moment(2.0 * p)) * sigmas**p
    # 1 would be the bound itself
    most = max(float(biases.max()), float(spreads.max()), float(gradients.max()))
    # Q = x, p = K = 1, has the spread sigma: the bound itself, and beyond K E|Z| sigma
    straight = 1.0 / _absolute_moment(1.0)
    return Evidence(
        f"for p = 0.4 the fitted exponents are {bias:.4f} (bias), {spread:.4f} (spread) and {slope - 1.0:.4f} "
        f"(gradient); bias, spread and gradient reach at most {most:.2f} of their bounds. The spread is not within "
        f"K E|Z|^p sigma^p: that of Q = x is {straight:.4f} of it",
        {
            "bias": bias,
            "spread": spread,
            "gradient": slope - 1.0,
            "share_of_bound": most,
            "spread_of_a_slope": straight,
        },
        max(abs(bias - p), abs(spread - p), abs(slope - p)) < 0.05 and most <= 1.0 < straight,
    )


@_claim(
    "gradient-noise",
    "The variance of a policy-gradient estimate grows like sigma^(2p-2) as sigma falls, p the Hölder exponent of Q.",
    corrected="With a baseline or in antithetic pairs, on a Q that is equally rough everywhere (in the mean over "
    "places a single jump, p = 0, gives sigma^-1); the plain score estimator scales as sigma^-2 for every p, because "
    "of the level of Q.",
    source="T. Wang, S. Herbert, S. Gao, ICML 2024, arXiv:2405.17832; variance of Q times the score",
)
def gradient_noise() -> Evidence:
    """Slopes of the variance of three estimators on a smooth and on a fractal landscape."""
    # over one period of the slowest wave
    means = 2.0 * math.pi * np.random.default_rng(1).uniform(size=(200, 1))
    sigmas = np.geomspace(0.004, 0.128, 6)
    off, slopes = {}, {}
    # rough down to scales far below the smallest sigma; and one smooth wave
    for p, terms in ((0.4, 16), (1.0, 1)):

        def q(x: Array, p: float = p, terms: int = terms) -> Array:
            return np.asarray(sum(2.0 ** (-p * k) * np.cos(2.0**k * x + k) for k in range(terms)))

        curve = estimator_noise(q, means, sigmas, samples=60, reference=False)
        for name, slope in zip(curve.estimators, curve.slopes.tolist(), strict=True):
            slopes[name, p] = slope
            # from the law sigma^(2p-2)
            off[name, p] = abs(slope - (2.0 * p - 2.0))
    # whatever takes the level of Q out
    paired = max(value for (name, _), value in off.items() if name != "score")
    plain = max(abs(slopes["score", p] + 2.0) for p in (0.4, 1.0))
    jump = _slope_of_a_jump()
    return Evidence(
        f"for p = 0.4 (2p - 2 = -1.2) the slopes are {slopes['baseline', 0.4]:.3f} with a baseline, "
        f"{slopes['antithetic', 0.4]:.3f} in pairs, {slopes['score', 0.4]:.3f} for the plain score; for a smooth Q "
        f"{slopes['baseline', 1.0]:.3f}, {slopes['antithetic', 1.0]:.3f} and {slopes['score', 1.0]:.3f}; for one jump, "
        f"in pairs, {jump:.3f}",
        {f"{name}_{p:g}": slope for (name, p), slope in slopes.items()} | {"one_jump": jump},
        paired < 0.1 and max(off["score", p] for p in (0.4, 1.0)) < 0.1 and abs(jump + 2.0) < 0.1,
        paired < 0.1,
        paired < 0.1 and plain < 0.1 and abs(jump + 1.0) < 0.1,
    )


def _slope_of_a_jump() -> float:
    """Slope of the variance of antithetic pairs against sigma, Q a step at 0 and means all over [-1, 1]."""
    generator = np.random.default_rng(2)
    sigmas, variances = (0.01, 0.08), []
    for sigma in sigmas:
        mean, z = generator.uniform(-1.0, 1.0, 400_000), generator.standard_normal(400_000)
        pairs = ((mean + sigma * z > 0.0).astype(float) - (mean - sigma * z > 0.0)) * z / (2.0 * sigma)
        # the exact gradient is the density of the noise at the jump
        exact = np.exp(-((mean / sigma) ** 2) / 2.0) / (math.sqrt(2.0 * math.pi) * sigma)
        variances.append(float((pairs**2 - exact**2).mean()))
    return math.log(variances[1] / variances[0]) / math.log(sigmas[1] / sigmas[0])
