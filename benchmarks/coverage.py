"""How often intervals from seeds hold the truth: landscapes of two bumps, drawn again and again, and studied.

    python -m benchmarks.coverage [simulations]
    python -m benchmarks.coverage chains [simulations]
    python -m benchmarks.coverage ends [simulations]
    python -m benchmarks.coverage widths [simulations]

Truths are sums of Gaussian bumps, of which u, its optimum and the prices are known in closed form: a bump of height h
and width w at c becomes h w / sqrt(w^2 + sigma^2) exp(-(x - c)^2 / 2 (w^2 + sigma^2)). One has a narrow high bump and a
wide low one, so that its optimum jumps; one more jumps, which nobody looked at while the intervals were made; the last
has two of one width, and never does. Three more have three bumps: the optimum jumps from the first to the second and on
to the third; the second leads between sigma .185 and .212 alone; or it stays just below where the others are equal.
There every statement of a jump is counted, true where the optimum of the truth is the one before the interval and the
other after it. The sigma at which the optimum ends as a local maximum is asked about on a longer ladder, and its width
at a sigma of two spacings and of eight. The noise of a seed is an offset, a slope and two waves that all nodes share,
and noise of each node; its numbers are normal, or exponential less their mean. The two maxima are found by the product,
as a user would have it: nothing of the truth is told.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from heatpg import Axis, Grid, Landscape
from heatpg.evolution import solve
from heatpg.intervals import Intervals, seed_intervals
from heatpg.scalespace import price, track

__all__ = [
    "BELOW",
    "BRIEF",
    "CHAIN",
    "EQUAL",
    "JUMPING",
    "UNSEEN",
    "ChainCoverage",
    "Coverage",
    "Truth",
    "noise",
    "simulate",
    "simulate_chain",
    "simulate_end",
    "simulate_width",
]

Array = NDArray[np.float64]

GRID = Grid(Axis("x", -3.0, 3.0, 161, boundary="clip"))
SIGMA = np.geomspace(0.08, 0.6, 20)
LADDER = np.geomspace(0.09, 1.2, 16)
QUANTITIES = ("u", "place", "price", "jump")


@dataclasses.dataclass(frozen=True)
class Truth:
    """A sum of Gaussian bumps.

    Attributes
    ----------
    bumps
        Height, width and place of each.
    """

    bumps: tuple[tuple[float, float, float], ...]

    def u(self, x: Array, sigma: float) -> Array:
        """The expected value under noise, in free space."""
        total = np.zeros_like(x)
        for height, width, centre in self.bumps:
            spread = width**2 + sigma**2
            total += height * width / math.sqrt(spread) * np.exp(-((x - centre) ** 2) / (2 * spread))
        return total

    def top(self, sigma: float, centre: float | None = None) -> float:
        """Where u is largest; near a bump, if one is named. To 1e-6, by ever finer grids."""
        low, high = (-3.0, 3.0) if centre is None else (centre - 0.5, centre + 0.5)
        for _ in range(4):
            x = np.linspace(low, high, 2001)
            best = float(x[int(self.u(x, sigma).argmax())])
            low, high = best - 2 * (x[1] - x[0]), best + 2 * (x[1] - x[0])
        return best

    def width(self, sigma: float) -> float:
        """Root of the height of the optimum above the mean of Q over the nodes, over its curvature."""
        x = np.array([self.top(sigma)])
        mean = float(np.average(self.u(GRID[0].coordinates, 0.0), weights=GRID.weights))
        step = 1e-3  # an error of 1e-5: a twelfth of its square, times the fourth derivative over the second
        below, here, above = (float(self.u(x + by, sigma)[0]) for by in (-step, 0.0, step))
        return math.sqrt((here - mean) * step**2 / (2 * here - below - above))

    def end(self) -> float:
        """The sigma at which the narrower of two bumps is no maximum any more, to 1e-6, by a count of maxima."""
        x = np.linspace(-3.0, 3.0, 20_001)
        low, high = float(LADDER[0]), float(LADDER[-1])
        while high - low > 1e-6:
            middle = 0.5 * (low + high)
            slope = np.diff(self.u(x, middle))
            two = np.count_nonzero((slope[:-1] > 0) & (slope[1:] <= 0)) > 1
            low, high = (middle, high) if two else (low, middle)
        return low

    def jump(self) -> float:
        """The sigma at which the two tops are equal."""
        (_, _, first), (_, _, second) = self.bumps

        def lead(sigma: float) -> float:
            tops = np.array([self.top(sigma, first), self.top(sigma, second)])
            return float(np.subtract(*self.u(tops, sigma)))

        return float(brentq(lead, float(SIGMA[0]), float(SIGMA[-1]), xtol=1e-6))


JUMPING = Truth(((1.0, 0.15, -0.9), (0.75, 0.5, 0.9)))
UNSEEN = Truth(((0.9, 0.12, 0.6), (0.65, 0.4, -1.1)))
EQUAL = Truth(((1.0, 0.3, -0.9), (0.8, 0.3, 0.9)))
CHAIN = Truth(((1.15, 0.1, -2.0), (0.75, 0.25, 0.0), (0.5, 0.6, 1.9)))
BRIEF = Truth(((1.15, 0.1, -2.0), (0.68, 0.25, 0.0), (0.55, 0.6, 1.9)))
BELOW = Truth(((1.15, 0.1, -2.0), (0.66, 0.25, 0.0), (0.55, 0.6, 1.9)))


def noise(generator: np.random.Generator, seeds: int, family: str, loudness: float = 1.0) -> Array:
    """What each seed adds to the truth, shape (seeds, nodes); waves and noise of nodes times the loudness."""

    def draw(*shape: int) -> Array:
        return generator.standard_normal(shape) if family == "normal" else generator.standard_exponential(shape) - 1.0

    x = GRID[0].coordinates
    shared = [0.4 * draw(seeds, 1), 0.05 * draw(seeds, 1) * x]
    wave = 0.05 * loudness
    shared += [wave * draw(seeds, 1) * np.cos(2 * x), wave * draw(seeds, 1) * np.sin(2 * x)]
    return np.asarray(sum(shared) + 0.03 * loudness * draw(seeds, x.size))


@dataclasses.dataclass(frozen=True)
class Coverage:
    """How often intervals hold what they should, of how many.

    Attributes
    ----------
    held
        By quantity: simulations whose interval held the truth, and all that had an interval.
    shown, jumped
        How often a jump was said to be shown, and how often the mean jumped.
    simulations
        How many landscapes were drawn.
    """

    held: dict[str, tuple[int, int]]
    shown: int
    jumped: int
    simulations: int


def _intervals(truth: Truth, generator: np.random.Generator, seeds: int, family: str) -> tuple[Intervals, bool]:
    q = truth.u(GRID[0].coordinates, 0.0)
    flow = solve(Landscape(None, GRID, returns=q + noise(generator, seeds, family)), SIGMA, "direct")
    space = track(flow, "maximum")
    return seed_intervals(space, price(space), resamples=1000), space.sigma_jump is not None


def simulate(truth: Truth, family: str, seeds: int, simulations: int, levels: Sequence[int] = (2, 8, 14)) -> Coverage:
    """Draw landscapes and count; u, place and price at some of the levels."""
    generator = np.random.default_rng([seeds, simulations, family == "normal", int(100 * truth.bumps[0][1])])
    jump = math.inf if truth is EQUAL else truth.jump()
    places = np.array([truth.top(float(SIGMA[k])) for k in levels])
    values = [float(truth.u(places[[i]], float(SIGMA[k]))[0]) for i, k in enumerate(levels)]
    prices = truth.u(np.array([truth.top(0.0)]), 0.0)[0] - truth.u(places, 0.0)
    counts: dict[str, list[int]] = {name: [0, 0] for name in QUANTITIES}
    shown = jumped = 0

    def count(name: str, interval: Any, true: float) -> None:
        counts[name][0] += bool(interval[0] <= true <= interval[1])
        counts[name][1] += 1

    for _ in range(simulations):
        found, leaps = _intervals(truth, generator, seeds, family)
        for i, k in enumerate(levels):
            count("u", found.value[k], values[i])
            count("place", found.place[k, 0], places[i])
            count("price", found.price[k], prices[i])
        shown += any(one.shown for one in found.jumps)
        jumped += leaps
        if truth is not EQUAL and (one := found.jump) is not None and not (one.lower is None and one.upper is None):
            count("jump", (one.lower or 0.0, math.inf if one.upper is None else one.upper), jump)
    return Coverage({name: (a, b) for name, (a, b) in counts.items()}, shown, jumped, simulations)


@dataclasses.dataclass(frozen=True)
class ChainCoverage:
    """How often statements of jumps among three maxima are true.

    Attributes
    ----------
    shown
        Intervals of jumps that are shown: how many hold, and how many there are.
    half
        The same of ends of intervals of jumps that are not shown.
    chains
        Simulations in which both jumps of a chain by way of the second maximum are shown, and in which a jump from the
        first to the last is, by whatever way.
    simulations
        How many landscapes were drawn.
    """

    shown: tuple[int, int]
    half: tuple[int, int]
    chains: tuple[int, int]
    simulations: int


def _best(truth: Truth, sigma: float) -> int:
    """The bump with the optimum of the truth."""
    x = truth.top(sigma)
    return int(np.argmin([abs(x - centre) for _, _, centre in truth.bumps]))


def simulate_chain(truth: Truth, family: str, seeds: int, simulations: int) -> ChainCoverage:
    """Draw landscapes of three bumps, and hold each statement of a jump against the truth."""
    generator = np.random.default_rng([seeds, simulations, family == "normal", int(100 * truth.bumps[1][0])])
    shown, half, chains = [0, 0], [0, 0], [0, 0]
    q = truth.u(GRID[0].coordinates, 0.0)
    centres = np.array([centre for _, _, centre in truth.bumps])
    fine = np.geomspace(float(SIGMA[0]), float(SIGMA[-1]), 400)
    best = np.array([_best(truth, float(s)) for s in fine])

    def count(of: list[int], right: bool) -> None:
        of[0] += right
        of[1] += 1

    for _ in range(simulations):
        flow = solve(Landscape(None, GRID, returns=q + noise(generator, seeds, family)), SIGMA, "direct")
        space = track(flow, "maximum")
        links = set()
        for one in seed_intervals(space, price(space), resamples=100).jumps:
            bumps = [int(np.abs(space.tracks[k].positions[0, 0] - centres).argmin()) for k in one.tracks]
            if one.shown and one.lower is not None and one.upper is not None:
                count(shown, _best(truth, one.lower) == bumps[0] and _best(truth, one.upper) == bumps[1])
                links.add((bumps[0], bumps[1]))
                continue
            # that the optimum is not yet the second one below, and not the first one any more above
            if one.lower is not None:
                count(half, not (best[fine < one.lower] == bumps[1]).any())
            if one.upper is not None:
                count(half, not (best[fine > one.upper] == bumps[0]).any())
        chains[0] += {(0, 1), (1, 2)} <= links
        chains[1] += (0, 2) in links
    return ChainCoverage((shown[0], shown[1]), (half[0], half[1]), (chains[0], chains[1]), simulations)


@dataclasses.dataclass(frozen=True)
class EndCoverage:
    """How often intervals for the end of the optimum hold.

    Attributes
    ----------
    held
        Simulations whose interval held the truth, and all that had an interval.
    silent
        Simulations in which the optimum of the mean ends, but seeds leave too much open for an interval.
    above, below
        How often the interval was above the truth, and how often below.
    width
        Median ratio of its ends.
    """

    held: tuple[int, int]
    silent: int
    above: int
    below: int
    width: float


def simulate_end(truth: Truth, family: str, seeds: int, simulations: int, loudness: float = 1.0) -> EndCoverage:
    """Draw landscapes of two bumps, and count intervals for the end of the optimum that hold."""
    generator = np.random.default_rng([seeds, simulations, family == "normal", int(100 * truth.bumps[0][1]), 7])
    q, end = truth.u(GRID[0].coordinates, 0.0), truth.end()
    silent = above = below = 0
    widths = []
    for _ in range(simulations):
        returns = q + noise(generator, seeds, family, loudness)
        space = track(solve(Landscape(None, GRID, returns=returns), LADDER, "direct"), "maximum")
        found = seed_intervals(space, price(space), resamples=100).end
        if found is None:
            continue
        if found.lower is None or found.upper is None:
            silent += 1
            continue
        widths.append(found.upper / found.lower)
        above += found.lower > end
        below += found.upper < end
    width = float(np.median(widths)) if widths else math.nan
    return EndCoverage((len(widths) - above - below, len(widths)), silent, above, below, width)


@dataclasses.dataclass(frozen=True)
class WidthCoverage:
    """How often intervals for the width of the optimum hold.

    Attributes
    ----------
    held
        Simulations whose interval held the truth, and all that had an interval.
    ratio
        Median ratio of its ends.
    """

    held: tuple[int, int]
    ratio: float


def simulate_width(truth: Truth, family: str, seeds: int, simulations: int, sigma: float) -> WidthCoverage:
    """Draw landscapes of two bumps, and count intervals for the width of the optimum that hold."""
    generator = np.random.default_rng([seeds, simulations, family == "normal", int(100 * truth.bumps[0][1]), 8])
    q, width = truth.u(GRID[0].coordinates, 0.0), truth.width(sigma)
    ratios, held = [], 0
    for _ in range(simulations):
        flow = solve(Landscape(None, GRID, returns=q + noise(generator, seeds, family)), [sigma, 1.2 * sigma], "direct")
        space = track(flow, "maximum")
        found = seed_intervals(space, price(space), resamples=100).width
        if found is not None:
            ratios.append(found.upper / found.lower)
            held += found.lower <= width <= found.upper
    return WidthCoverage((held, len(ratios)), float(np.median(ratios)) if ratios else math.nan)


def _widths(simulations: int) -> None:
    """Print the table of widths."""
    print("| truth | sigma | noise | S | held | ratio of the ends |\n|" + "---|" * 6)
    for name, truth in (("jumps", JUMPING), ("unseen", UNSEEN), ("never", EQUAL)):
        for sigma in (0.08, 0.3):
            for family in ("normal", "exponential"):
                for seeds in (8, 16, 32):
                    found = simulate_width(truth, family, seeds, simulations, sigma)
                    held, count = found.held
                    cells = [f"{held / count:.3f} of {count}" if count else "", f"{found.ratio:.3f}"]
                    print(f"| {name} | {sigma:g} | {family} | {seeds} | {' | '.join(cells)} |", flush=True)


def _ends(simulations: int) -> None:
    """Print the table of ends."""
    print("| truth | noise | S | held | no interval | above, below | ratio of the ends |\n|" + "---|" * 7)
    for name, truth in (("jumps", JUMPING), ("unseen", UNSEEN)):
        for family, loudness in (("normal", 1.0), ("exponential", 1.0), ("normal", 3.0)):
            for seeds in (8, 16, 32):
                found = simulate_end(truth, family, seeds, simulations, loudness)
                held, count = found.held
                cells = [f"{held / count:.3f} of {count}" if count else "", f"{found.silent}"]
                cells += [f"{found.above}, {found.below}", f"{found.width:.2f}"]
                loud = "" if loudness == 1.0 else f", {loudness:g} times"
                print(f"| {name} | {family}{loud} | {seeds} | {' | '.join(cells)} |", flush=True)


def _chains(simulations: int) -> None:
    """Print the table of chains."""
    print("| truth | noise | S | shown, held | half-open, held | chain shown | first to last shown |\n|" + "---|" * 7)
    for name, truth in (("chain", CHAIN), ("brief", BRIEF), ("below", BELOW)):
        for family in ("normal", "exponential"):
            for seeds in (8, 16, 32):
                found = simulate_chain(truth, family, seeds, simulations)
                cells = [f"{a / b:.3f} of {b}" if b else "" for a, b in (found.shown, found.half)]
                cells += [f"{count / simulations:.3f}" for count in found.chains]
                print(f"| {name} | {family} | {seeds} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print the table; of chains, ends or widths, where the first argument is that word."""
    others = {"chains": _chains, "ends": _ends, "widths": _widths}
    if sys.argv[1:2] and sys.argv[1] in others:
        others[sys.argv[1]](int(sys.argv[2]) if len(sys.argv) > 2 else 200)
        return
    simulations = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    print(f"| truth | noise | S | {' | '.join(QUANTITIES)} | mean jumps | shown |\n|{'---|' * (5 + len(QUANTITIES))}")
    for name, truth in (("jumps", JUMPING), ("unseen", UNSEEN), ("never", EQUAL)):
        for family in ("normal", "exponential"):
            for seeds in (8, 16, 32):
                found = simulate(truth, family, seeds, simulations)
                cells = [f"{a / b:.3f}" if b else "" for a, b in found.held.values()]
                ends = [f"{count / simulations:.3f}" for count in (found.jumped, found.shown)]
                print(f"| {name} | {family} | {seeds} | {' | '.join(cells + ends)} |", flush=True)


if __name__ == "__main__":
    main()
