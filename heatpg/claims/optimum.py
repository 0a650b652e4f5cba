"""Claims on the optimum: when exploration noise erases it, moves it, and what that costs."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from heatpg import landscapes
from heatpg.claims import Evidence, claim
from heatpg.core.field import HeatField
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.evolution import solve
from heatpg.policy import HoverTask, Learning, unlearn
from heatpg.risk import distribution, safest_action
from heatpg.scalespace import price, sigma_of_survival, survival, track

__all__: list[str] = []

Array = NDArray[np.float64]

_claim = functools.partial(claim, part="the optimum")

_MOLLIFICATION = "T. Wang, S. Herbert, S. Gao, ICML 2024, arXiv:2405.17832"


@_claim(
    "narrow-ridge-is-erased",
    "Exploration noise erases a narrow ridge, however high it is.",
    corrected=(
        "It reduces every height by the factor w / sqrt(w^2 + 2 sigma^2). Whether the optimum leaves the ridge "
        "depends on its surroundings: next to a hill, which loses a larger fraction, a sufficiently high ridge keeps "
        "the argmax."
    ),
    source="convolution of Gaussians; " + _MOLLIFICATION,
)
def narrow_ridge_is_erased() -> Evidence:
    """What is left of ridges exp(-(u1 - u2)^2 / 2 w^2), and the argmax where a hill stands beside one."""
    width, sigmas = 0.05, [0.05, 0.2, 0.3]
    grid = Grid(*(Axis(name, -1.0, 1.0, 201, boundary="periodic") for name in ("u1", "u2")))
    # wrapped in u1 - u2 as the axes are, so that no edge is near
    one = Landscape.from_function(
        lambda x, y: np.exp(-((np.mod(x - y + 1.0, 2.0) - 1.0) ** 2) / (2.0 * width**2)), grid
    )
    # the middle node lies on the ridge
    left = solve(one, sigmas).values[:, 100, 100]
    # linear, so the height cannot matter
    high = solve(Landscape(1000.0 * one.values, grid), sigmas).values[:, 100, 100] / 1000.0
    # u1 - u2 has the variance 2 sigma^2; wrapped, the neighbours at distance 2 n add theirs
    law = []
    for sigma in sigmas:
        total = width**2 + 2.0 * sigma**2
        law.append(width / math.sqrt(total) * sum(math.exp(-2.0 * n * n / total) for n in range(-9, 10)))
    off = float(np.abs(left / np.array(law) - 1.0).max())
    same = float(np.abs(high / left - 1.0).max())
    listed = ", ".join(f"{x:.3f} at sigma = {s:g}" for x, s in zip(left, sigmas, strict=True))
    high_stays, low_stays = (_stays_on_the_ridge(height) for height in (3.0, 1.2))
    lawful = bool(off < 1e-10 and same < 1e-12)
    return Evidence(
        f"of a ridge with w = {width:g} the remaining height is {listed}; sqrt(w^2 / (w^2 + 2 sigma^2)), and "
        f"what comes around the periodic box, is met to {off:.1e}, and a ridge 1000 times as high loses the same share "
        f"to {same:.1e}. "
        f"Next to a hill of height 1 and width 0.2 the argmax is on a ridge of height 3 at {high_stays} of the sigmas "
        f"0.2, 0.4, 0.8, and on one of height 1.2 at {low_stays}",
        {
            **{f"left_at_{s:g}": x for x, s in zip(left, sigmas, strict=True)},
            "error": off,
            "difference": same,
            "high_stays": high_stays,
            "low_stays": low_stays,
        },
        lawful and high_stays == low_stays == 0,
        corrected=lawful and high_stays == 3 and low_stays < 3,
    )


def _stays_on_the_ridge(height: float) -> int:
    """At how many of three sigmas the argmax is on a ridge of w = 0.05, beside a hill of height 1 and width 0.2."""
    # 6 of the largest sigma from the middle to the edges, where the argmax must not be
    grid = Grid(*(Axis(name, -5.0, 5.0, 401, boundary="clip") for name in ("u1", "u2")))
    both = Landscape.from_function(
        lambda x, y: (
            height * np.exp(-((x - y) ** 2) / (2.0 * 0.05**2))
            + np.exp(-((x - 0.5) ** 2 + (y + 0.5) ** 2) / (2.0 * 0.2**2))
        ),
        grid,
    )
    count = 0
    for field in solve(both, [0.2, 0.4, 0.8]).values:
        near = field[100:301, 100:301]
        i, j = np.unravel_index(int(near.argmax()), near.shape)
        # nearer to the ridge than to the hill, at u1 - u2 = 1, which draws its top aside
        count += abs(int(i) - int(j)) * grid.spacing[0] < 0.5
    return count


@_claim(
    "survival-law",
    "A Gaussian feature of width w and codimension c keeps (w^2 / (w^2 + sigma^2))^(c/2) of its height.",
    source="convolution of Gaussians",
)
def survival_law() -> Evidence:
    """Peaks in one, two and three dimensions and a ridge, and the sigma that leaves a given fraction."""
    worst, fractions = 0.0, []
    width, sigma = 0.5, 0.7
    for dimensions, size in ((1, 121), (2, 121), (3, 41)):
        axes = [Axis(name, -6.0, 6.0, size, boundary="clip") for name in "xyz"[:dimensions]]
        # a ridge, and a peak in all directions
        for narrow in {1, dimensions}:

            def feature(*x: Array, narrow: int = narrow) -> Array:
                return np.asarray(np.exp(-sum(c**2 for c in x[:narrow]) / (2.0 * width**2)) + 0.0 * sum(x))

            # on 41 nodes the peak itself is sampled at 1.7 of its widths: HeatField's sum is exact from there on
            heat = HeatField(Landscape.from_function(feature, Grid(*axes)))
            expected = float(survival(sigma, width, narrow))
            worst = max(worst, abs(float(heat.value(np.zeros((1, dimensions)), sigma)[0]) / expected - 1.0))
            # the inverse law, held against the field itself
            level = sigma_of_survival(0.5, width, narrow)
            fractions.append(float(heat.value(np.zeros((1, dimensions)), level)[0]))
    half = max(abs(fraction - 0.5) for fraction in fractions)
    return Evidence(
        f"{len(fractions)} peaks and ridges in 1, 2 and 3 dimensions keep what the law says to {worst:.1e}; at sigma = "
        f"w sqrt(q^(-2/c) - 1) with q = 1/2 they keep one half to {half:.1e}",
        {"error": worst, "half_error": half},
        worst < 1e-6 and half < 1e-6,
    )


@_claim(
    "optimum-is-kept",
    "A policy gradient that starts at an optimal controller keeps its return.",
    corrected=(
        "Only for small exploration noise and small steps. With more noise the gradient of the objective itself "
        "points away, the return falls, and the optimum is unlearned; with little noise too long a step does the same."
    ),
    source=_MOLLIFICATION,
)
def optimum_is_kept() -> Evidence:
    """One epoch from the LQR gain of a quadrotor: at a small and a large sigma, and a long step at the small one."""
    learning, task = Learning(epochs=1, episodes=128, seeds=8), HoverTask(horizon=1.0)
    # an epoch at either noise, from the gain that is optimal without any
    result = unlearn([0.1, 1.0], noise="parameter", task=task, learning=learning)
    small, large = result.verdicts
    # ten times the learning rate
    leap = unlearn([0.1], noise="parameter", task=task, learning=Learning(epochs=1, episodes=128, seeds=8, rate=1.0))
    (far,), leapt = leap.verdicts, float(leap.change[0])
    change, error = result.change.tolist(), (2.0 * result.change_error).tolist()
    # the drift by grad L alone, without the scatter of estimates, agrees in sign
    drifts = bool(result.predicted_change[1] < 0.0 <= result.predicted_change[0])
    return Evidence(
        f"from the LQR gain of a quadrotor one epoch at sigma = 0.1 moves the gain by "
        f"{result.distance[0, :, 1].mean():.2f} and changes the return of {result.returns[0, 0, 0]:.2f} by "
        f"{change[0]:+.3f} +- {error[0]:.3f} ({small}), one at sigma = 1 by {result.distance[1, :, 1].mean():.2f} and "
        f"{change[1]:+.3f} +- {error[1]:.3f} ({large}); steps along the exact gradient change it by "
        f"{result.predicted_change[0]:+.3f} and {result.predicted_change[1]:+.3f}. A step ten times as long at sigma = "
        f"0.1 changes the return by {leapt:+.3f} ({far})",
        {
            "change_small": change[0],
            "change_large": change[1],
            "change_long_step": leapt,
            "predicted_small": float(result.predicted_change[0]),
            "predicted_large": float(result.predicted_change[1]),
        },
        small == large == far == "kept",
        small == "kept",
        (small, large, far) == ("kept", "left", "left") and drifts,
    )


@_claim(
    "jump-is-death",
    "The global optimum is lost at the sigma at which its peak vanishes.",
    corrected=(
        "The argmax jumps to another maximum at sigma_jump, while the peak itself persists until sigma_death; in "
        "general the two differ."
    ),
    source="two events of a family of functions: equal heights, and a singular Hessian",
)
def jump_is_death() -> Evidence:
    """A narrow high peak and a broad low hill, followed through sigma."""
    # fine enough for the peak of width 0.05 at the first sigma
    space = track(solve(landscapes.peak_and_hill(size=1921), np.geomspace(0.02, 1.6, 12)), "maximum")
    jump, death = space.sigma_jump, space.sigma_death
    at_jump, at_death = (math.nan if e is None else e.sigma for e in (jump, death))
    lives = at_jump < 0.9 * at_death
    return Evidence(
        f"the argmax jumps from the peak to the hill at sigma = {at_jump:.5f}; the peak vanishes at {at_death:.4f}",
        {"sigma_jump": at_jump, "sigma_death": at_death},
        abs(at_jump - at_death) < 1e-3 * at_death,
        corrected=lives,
    )


@_claim(
    "sigma-jump",
    "Between far peaks (h1, w1) and (h2, w2) the argmax jumps at sigma^2 = w1^2 w2^2 (r - 1) / (w2^2 - r w1^2), "
    "r = (h1/h2)^(2/m).",
    corrected="If r > 1 and r w1^2 < w2^2. A higher peak that is broad enough, r w1^2 >= w2^2, stays the argmax at "
    "every sigma.",
    source="equal heights of two Gaussians",
)
def sigma_jump() -> Evidence:
    """The sigma of equal heights in one and two dimensions; and a pair of peaks that never jumps."""
    from scipy.optimize import brentq

    found, worst = {}, 0.0
    for m in (1, 2):
        axes = [Axis("x", -3.5, 6.0, 761, boundary="clip"), Axis("y", -4.5, 4.5, 721, boundary="clip")][:m]
        heat = HeatField(landscapes.peak_and_hill(Grid(*axes)))
        # far enough apart that each top stays in its place
        tops = np.array([[-3.0, 0.0], [3.0, 0.0]])[:, :m]

        # how much higher the hill is than the peak
        def lead(sigma: float, heat: HeatField = heat, tops: Array = tops) -> float:
            return float(np.diff(heat.value(tops, sigma))[0])

        found[m] = float(brentq(lead, 0.012, 0.06, xtol=1e-13))
        r = (1.0 / 0.8) ** (2.0 / m)
        expected = math.sqrt(0.05**2 * (r - 1.0) / (1.0 - r * 0.05**2))
        # the hill's tail under the peak is exp(-18), which is 1.5e-8
        worst = max(worst, abs(found[m] / expected - 1.0))
    # r w1^2 = 0.5625 is above w2^2 = 0.4225: the lead of the higher peak has no zero
    line = Grid(Axis("x", -8.0, 8.0, 801, boundary="clip"))
    broad = HeatField(landscapes.gaussians(line, heights=(1.0, 0.8), centers=(-4.0, 4.0), widths=(0.6, 0.65)))
    # 5 of the broader width from each other even at the largest sigma
    leads = [-float(np.diff(broad.value(np.array([[-4.0], [4.0]]), s))[0]) for s in np.geomspace(0.1, 1.4, 12)]
    jumps = min(leads) <= 0.0
    return Evidence(
        f"for (1, 0.05) against (0.8, 1) heights are equal at sigma = {found[1]:.5f} in one and {found[2]:.5f} in two "
        f"dimensions, the formula to {worst:.1e}; (1, 0.6) leads (0.8, 0.65) by at least {min(leads):.3f} up to "
        "sigma = 1.4",
        {"one_dimension": found[1], "two_dimensions": found[2], "error": worst, "least_lead": min(leads)},
        worst < 1e-6 and jumps,
        worst < 1e-6,
        worst < 1e-6 and not jumps,
    )


@_claim(
    "optimum-does-not-move",
    "Exploration noise lowers a maximum but does not move it.",
    corrected="Where grad(Laplace u) = 0, as for a quadratic; in general it drifts by dmu*/dsigma^2 = -1/2 H^-1 "
    "grad(Laplace u), and its height changes by dL*/dsigma^2 = 1/2 tr H.",
    source="implicit function theorem; T. Lindeberg, Scale-Space Theory in Computer Vision, "
    "doi:10.1007/978-1-4757-6465-9",
)
def optimum_does_not_move() -> Evidence:
    """Positions of the maximum of a quadratic and of a skew landscape, and their predicted drift and loss of height."""
    levels = [0.25, 0.3, 0.35, 0.4]
    # the Laplacian of a quadratic is constant: nothing drifts
    quadratic = landscapes.quadratic(size=161, dimensions=1, center=(0.3,))
    spaces = [
        track(solve(q, levels), "maximum")
        for q in (quadratic, landscapes.gaussians(size=501, heights=(1.0, 0.8), centers=(0.0, 0.9), widths=(0.4, 0.9)))
    ]
    moved, drift_error, height_error = [], 0.0, 0.0
    for space in spaces:
        number = int(space.optimum[0])
        moved.append(float(np.ptp(space.tracks[number].positions)))
        # the law at the levels, and differences of the track
        predicted, observed = space.drift(number)
        size = max(float(np.abs(predicted).max()), 1e-3)
        drift_error = max(drift_error, float(np.abs(observed - predicted).max()) / size)
        for sigma in levels[1:-1]:
            # central differences in sigma^2, 0.1 % to either side
            ends = [space.locate(number, sigma * math.sqrt(1.0 + sign * 1e-3))[1] for sign in (-1.0, 1.0)]
            place, _ = space.locate(number, sigma)
            # dL*/dsigma^2 = 1/2 tr H
            rate = 0.5 * float(space.field.hessian(place[None], sigma)[0, 0, 0])
            slope = (ends[1] - ends[0]) / (2e-3 * sigma**2)
            height_error = max(height_error, abs(slope / rate - 1.0))
    still = moved[0] < 1e-9
    # differences over 0.2 % of sigma^2, second order
    law = drift_error < 1e-4 and height_error < 1e-4
    return Evidence(
        f"from sigma = 0.25 to 0.4 the maximum of a quadratic moves by {moved[0]:.1e}, that of a skew landscape by "
        f"{moved[1]:.4f}; the laws of drift and height are met to {drift_error:.1e} and {height_error:.1e}",
        {"quadratic": moved[0], "skew": moved[1], "drift_error": drift_error, "height_error": height_error},
        max(moved) < 1e-9,
        still,
        still and law,
    )


@_claim(
    "price-is-the-drop",
    "The price of exploration is the drop of the smoothed objective at its optimum.",
    corrected=(
        "Acting without noise on the smoothed optimum costs Q(mu*_0) - Q(mu*_sigma), which differs from the drop "
        "of L: for a quadratic it is 0 at every sigma."
    ),
    source="definition of regret",
)
def price_is_the_drop() -> Evidence:
    """Price and drop of a quadratic, and of a peak that is left for a hill."""
    # its optimum stays, so nothing is paid, while u falls by 1/2 tr A sigma^2
    quadratic = price(track(solve(landscapes.quadratic(size=161, dimensions=1), [0.2, 0.4]), "maximum"))
    jumping = price(track(solve(landscapes.peak_and_hill(size=961), [0.03, 0.1, 0.5]), "maximum"))
    free, drop = float(np.abs(quadratic.price).max()), float(quadratic.drop[-1])
    paid, seen = float(jumping.price[-1]), float(jumping.drop[-1])
    before, before_seen = float(jumping.price[0]), float(jumping.drop[0])
    apart = max(abs(free - drop), abs(paid - seen), abs(before - before_seen))
    return Evidence(
        f"a quadratic at sigma = 0.4: price {free:.1e}, drop {drop:.4f} (1/2 sigma^2 = 0.0800); a peak left for a "
        f"hill: price {before:.1e} and drop {before_seen:.3f} at sigma = 0.03, {paid:.4f} and {seen:.4f} at 0.5",
        {"price_quadratic": free, "drop_quadratic": drop, "price_hill": paid, "drop_hill": seen},
        apart < 1e-3,
        # before the jump nothing is paid; after it 1 - 0.8, but for the shift of the hill
        corrected=free < 1e-9 and abs(drop - 0.08) < 1e-6 and before < 1e-3 and abs(paid - 0.2) < 1e-3,
    )


@_claim(
    "death-is-a-fold",
    "A maximum vanishes in a fold, which it approaches like sqrt(sigma_c^2 - sigma^2).",
    corrected=(
        "Generically, where it annihilates with one saddle (in one dimension a minimum). A maximum fixed by "
        "symmetry, such as the middle one of three bumps, vanishes between two of them in a pitchfork."
    ),
    source="normal form of the fold; J. Damon, J. Differential Equations 115 (1995), doi:10.1006/jdeq.1995.1019",
)
def death_is_a_fold() -> Evidence:
    """The distance of a maximum from the place of its death; and the middle of three bumps, which never moves."""
    space = track(solve(landscapes.unequal_bumps(size=401), np.geomspace(0.3, 1.0, 8)), "maximum")
    dying = next(one for one in space.tracks if one.death is not None)
    event = dying.death
    assert event is not None
    # nearness to the end in shares of sigma_c^2
    shares = np.geomspace(1e-6, 1e-2, 9)
    places = [space.locate(dying.number, event.sigma * math.sqrt(1.0 - share))[0][0] for share in shares]
    distance = np.abs(np.array(places) - event.position[0])
    # the first five: nearest to the end, where the normal form rules
    slope = float(np.polyfit(np.log(shares[:5]), np.log(distance[:5]), 1)[0])
    # the next term of the normal form is a relative sqrt(share), 1 % at most
    fold = abs(slope - 0.5) < 0.01
    place, before, after = _death_of_the_middle()
    pitchfork = place < 1e-9 and before < 0.0 < after
    return Evidence(
        f"the lower of two bumps vanishes at sigma = {event.sigma:.6f}, mu = {event.position[0]:.4f}; within 1e-4 of "
        f"sigma_c^2 its distance goes as (sigma_c^2 - sigma^2)^{slope:.4f}. The middle one of three bumps stays within "
        f"{place:.0e} of mu = 0, where u'' goes from {before:.3f} at sigma = 0.4 to {after:+.3f} at 0.6",
        {"exponent": slope, "sigma_death": event.sigma, "middle_moves": place},
        fold and not pitchfork,
        fold,
        fold and pitchfork,
    )


def _death_of_the_middle() -> tuple[float, float, float]:
    """How far the critical point between two equal bumps moves, a third one on it, and its curvature at two sigmas."""
    line = Grid(Axis("x", -6.0, 6.0, 601, boundary="clip"))
    heat = HeatField(landscapes.gaussians(line, heights=(1.0, 0.6, 1.0), centers=(-1.2, 0.0, 1.2), widths=(0.3,) * 3))
    curvatures, moved = [], 0.0
    for sigma in (0.4, 0.5, 0.6):
        curvatures.append(float(heat.hessian([[0.0]], sigma)[0, 0, 0]))
        # a step of Newton's method
        moved = max(moved, abs(float(heat.gradient([[0.0]], sigma)[0, 0]) / curvatures[-1]))
    return moved, curvatures[0], curvatures[-1]


@_claim(
    "more-noise-is-safer",
    "More exploration noise makes the action with the best mean safer.",
    corrected=(
        "Not while the action stays on one hill: there the mean of its worst returns (CVaR) falls as noise "
        "grows, and in front of a cliff the probability of falling rises. CVaR rises where noise drives the action "
        "with the best mean to a broader hill; another action, on that hill, is safer already at smaller noise."
    ),
    source="R. T. Rockafellar, S. Uryasev, J. Risk 2 (2000), doi:10.21314/JOR.2000.038; closed forms of two Gaussians",
)
def more_noise_is_safer() -> Evidence:
    """The tail mean of the best mean action: on one hill, on a peak beside a broader hill, in front of a cliff."""
    q = 0.1
    # q of the draws are farther from the top of a hill than this many sigmas: chi^2 with one degree of freedom
    far = 1.6448536269514722
    line = Grid(Axis("x", -4.0, 4.0, 1601, boundary="clip"))
    hill = Landscape.from_function(lambda x: np.exp(-(x**2) / 2.0), line)
    sigmas = np.array([0.2, 0.4, 0.8])
    tails = distribution(hill, sigmas).tail_mean(q).values[:, 800]
    # h k^(-1/2) S(k x_q) / q with k = 1 + sigma^2 / w^2
    law = [math.erfc(far * math.sqrt((1.0 + s * s) / 2.0)) / math.sqrt(1.0 + s * s) / q for s in sigmas]
    off = float(np.abs(tails - law).max())
    two = Landscape.from_function(
        lambda x: np.exp(-((x + 1.0) ** 2) / 0.02) + 0.8 * np.exp(-((x - 0.8) ** 2) / 0.32), line
    )
    found = safest_action(two, q, sigma=np.geomspace(0.02, 0.2, 12))
    at_best = found.safest.values - found.tail_gained
    safe, mean = found.safest.sigma_jump, found.best_mean.sigma_jump
    assert safe is not None and mean is not None
    steps = np.diff(at_best)
    across = int(np.searchsorted(found.sigma, mean.sigma)) - 1
    others = np.delete(steps, across)
    rise = float(steps[across])
    cliff = Landscape.from_function(lambda x: np.where(x < 0.0, x, -2.0), line)
    edge = distribution(cliff, [0.1, 0.2, 0.4])
    tops = edge.mean().argmax(axis=1)
    falls = edge.probability(-1.9)[np.arange(3), tops]
    edge_tails = edge.tail_mean(q).values[np.arange(3), tops]
    one_hill = bool((np.diff(tails) < 0).all() and off < 2e-3)
    # the sampling, h / sigma = .15, leaves some per mille of the smaller sigma
    jumps = abs(safe.sigma / 0.03324258 - 1.0) < 0.01 and abs(mean.sigma / 0.0789675516 - 1.0) < 1e-6
    at_cliff = bool((np.diff(falls) > 0).all() and (np.diff(edge_tails) < 0).all())
    return Evidence(
        f"on top of one hill of width 1 the mean of the worst tenth is {tails[0]:.3f}, {tails[1]:.3f}, {tails[2]:.3f} "
        f"at sigma = 0.2, 0.4, 0.8. On a peak next to a broader hill it falls from {at_best[0]:.3f} to "
        f"{at_best[across]:.3f} for the action with the best mean, rises by {rise:.3f} where that action jumps to the "
        f"hill, at sigma = {mean.sigma:.4f}, and then falls again. The hill is safer from sigma = {safe.sigma:.4f} on. "
        f"In front of a cliff the probability of falling is {falls[0]:.4f}, {falls[1]:.4f}, {falls[2]:.4f} at sigma = "
        "0.1, 0.2, 0.4",
        {
            "hill_first": float(tails[0]),
            "hill_last": float(tails[-1]),
            "error": off,
            "safest_jump": safe.sigma,
            "mean_jump": mean.sigma,
            "rise_at_jump": rise,
            "fall_first": float(falls[0]),
            "fall_last": float(falls[-1]),
        },
        bool((np.diff(tails) >= 0).all() and (steps >= 0).all() and (np.diff(edge_tails) >= 0).all()),
        corrected=one_hill and jumps and at_cliff and bool((others < 0).all()) and rise > 0.1,
    )
