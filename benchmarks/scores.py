"""Quantities of noise and of risk against plain Monte Carlo in NumPy: how many standard errors they are apart.

    python -m benchmarks.scores [name ...]

Here actions are drawn and played: nothing of a grid, a kernel, a lattice or a split of the noise is in the other side.
A score is the difference over its standard error, which holds both sides where both are sampled. Of right answers the
scores have the root mean square 1, and one in 22 is beyond two; where a standard error comes from eight repeats, as
that of `mollify`, 1.18 and one in 12 (Student's t of 7 degrees of freedom). Where a result is known to the error of a
grid as well, the grid is so fine that this is less than a tenth of the standard error.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import gymnasium
import numpy as np
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape, evolve
from heatpg.landscapes import Parameters, Rollout, sampler_from_gymnasium
from heatpg.planes import Draws, evolve_plane
from heatpg.policy import estimate_gradient
from heatpg.quadrature import mollify
from heatpg.risk import distribution, safest_action

__all__ = ["SCORES", "scores_of"]

Array = NDArray[np.float64]

TAIL = 0.1
DRAWS = 40_000  # of each point of one axis
LEVELS = (0.1, 0.2, 0.4, 0.8)


def _reward(x: Array) -> Array:
    """A narrow peak, a broad hill and a slope."""
    return np.asarray(np.exp(-((x + 1) ** 2) / 0.08) + 0.8 * np.exp(-((x - 0.8) ** 2) / 0.5) + 0.1 * x)


def _line(size: int = 2401) -> Landscape:
    return Landscape.from_function(_reward, Grid(Axis("x", -3.0, 3.0, size, boundary="clip")), name="line")


def _risk(number: int) -> list[dict[str, float]]:
    """Variance, probability, quantile and tail mean at 120 actions and four noise levels."""
    landscape = _line()
    law = distribution(landscape, list(LEVELS))
    # bounds nearer than a tenth of a standard error
    tail, quantile = law.tail_mean(TAIL, tolerance=1e-4, most=1000), law.quantile(TAIL, tolerance=2e-4, most=2000)
    variance, thresholds = law.variance(), (0.2, 0.5)
    chances = {c: law.probability(c) for c in thresholds}
    nodes = np.linspace(200, 2200, 120).round().astype(int)
    random = np.random.default_rng(number)
    found: dict[str, list[float]] = {name: [] for name in ("variance", "probability", "quantile", "tail mean")}
    for level, sigma in enumerate(LEVELS):
        for node in nodes:
            here = landscape.grid[0].coordinates[node]
            returns = _reward(np.clip(here + sigma * random.standard_normal(DRAWS), -3.0, 3.0))
            mean, spread = returns.mean(), returns.var()
            fourth = ((returns - mean) ** 4).mean()
            found["variance"].append((variance[level, node] - spread) / math.sqrt((fourth - spread**2) / DRAWS))
            threshold = thresholds[node % 2]
            chance = float(chances[threshold][level, node])
            # of fewer than some ten cases the count is no normal number
            if 10 < chance * DRAWS < DRAWS - 10:
                error = math.sqrt(chance * (1.0 - chance) / DRAWS)
                found["probability"].append((chance - float((returns <= threshold).mean())) / error)
            # an edge plays many actions as one: there a small error of the quantile is a large one of probability
            known = float(quantile.values[level, node])
            if (np.abs(returns - known) < 5e-4).mean() < 0.02:
                below = float((returns <= known).mean())
                found["quantile"].append((below - TAIL) / math.sqrt(TAIL * (1.0 - TAIL) / DRAWS))
            worst = np.sort(returns)[: round(TAIL * DRAWS)]
            error = np.maximum(worst[-1] - returns, 0.0).std() / TAIL / math.sqrt(DRAWS)
            # where the worst tenth is that of an edge, the bounds are wider than the standard error
            if error > 5e-4:
                found["tail mean"].append((tail.values[level, node] - worst.mean()) / error)
    return [found]  # type: ignore[list-item]


def _safest(number: int) -> list[dict[str, float]]:
    """The tail mean at the safest action, where the result says that it is, for fifty noise levels of four lines."""
    random = np.random.default_rng(number)
    found = []
    for _ in range(4):
        height, width, place = random.uniform(0.6, 1.2), random.uniform(0.1, 0.3), random.uniform(-1.5, -0.5)

        def reward(x: Array, h: float = height, w: float = width, c: float = place) -> Array:
            return np.asarray(h * np.exp(-((x - c) ** 2) / (2 * w**2)) + 0.8 * np.exp(-((x - 1) ** 2) / 0.5))

        grid = Grid(Axis("x", -3.0, 3.0, 1201, boundary="clip"))
        result = safest_action(
            Landscape.from_function(reward, grid), TAIL, sigma=np.geomspace(0.1, 0.6, 50), tolerance=2e-4, most=600
        )
        for level, sigma in enumerate(result.sigma):
            draws = result.safest.positions[level, 0] + sigma * random.standard_normal(DRAWS)
            returns = reward(np.clip(draws, -3.0, 3.0))
            worst = np.sort(returns)[: round(TAIL * DRAWS)]
            error = np.maximum(worst[-1] - returns, 0.0).std() / TAIL / math.sqrt(DRAWS)
            found.append({"safest action's tail mean": (result.safest.values[level] - worst.mean()) / error})
    return found


def _planes(number: int) -> list[dict[str, float]]:
    """u with noise in four components on two axes, for three kinds of covariance; one node of each run."""
    random = np.random.default_rng(number)
    grid = Grid(*(Axis(name, -1.5, 1.5, 9, boundary="clip") for name in "xy"))
    directions = np.array([[0.8, 0.6, 0.0, 0.0], [0.0, 0.0, 0.6, 0.8]])
    root = random.normal(size=(4, 4))
    full = root @ root.T / 4 + 0.3 * np.eye(4)
    kinds = {"isotropic": np.eye(4), "diagonal": np.diag([0.5, 1.0, 2.0, 0.25]), "full": full}

    def reward(*x: Array) -> Array:
        first = np.exp(-sum((c - 0.3) ** 2 for c in x) / 0.5)
        return np.asarray(first + 0.7 * np.exp(-sum((c + 0.4) ** 2 for c in x) / 2.0) + 0.1 * np.sin(3 * x[0] * x[3]))

    landscape = Landscape.from_function(reward, grid, directions=directions)
    found = []
    for name, covariance in kinds.items():
        given = {"isotropic": None, "diagonal": np.diag(covariance), "full": covariance}[name]
        factor = np.linalg.cholesky(covariance)
        for run in range(200):
            sigma = (0.2, 0.5, 1.0)[run % 3]
            flow = evolve_plane(
                landscape, [sigma], Draws(count=64, seed=run), covariance=given, beyond="sampled", checks="none"
            )
            assert flow.standard_error is not None
            node = tuple(int(i) for i in random.integers(0, 9, 2))
            centre = np.array(grid.point(node)) @ directions
            returns = reward(*(centre + sigma * random.standard_normal((DRAWS, 4)) @ factor.T).T)
            apart = flow.values[0][node] - returns.mean()
            error = math.hypot(flow.standard_error[0][node], returns.std() / math.sqrt(DRAWS))
            found.append({f"u, noise in all components, {name}": apart / error})
    return found


def _samplers(number: int) -> list[dict[str, float]]:
    """The mean return and its gradient over three parameters of a policy for Pendulum-v1, without a grid."""
    steps, sigma, plain = 10, 0.4, 20_000
    start = np.array([0.5, -0.2, -1.0])
    random = np.random.default_rng(number)
    sampler = sampler_from_gymnasium(
        "Pendulum-v1",
        lambda theta, seen: [theta @ seen],
        over=Parameters(start),
        rollout=Rollout(horizon=steps, gamma=1.0, seeds=1),
    )
    environment = gymnasium.make("Pendulum-v1").unwrapped

    def played(theta: Array) -> float:
        seen, _ = environment.reset(seed=sampler.seeds[0])
        total = 0.0
        for _ in range(steps):
            seen, reward, *_ = environment.step(np.clip([theta @ seen], -2.0, 2.0))
            total += float(reward)
        return total

    noise = random.standard_normal((plain, 3))
    returns = np.array([played(start + sigma * z) for z in noise])
    slopes = (returns - returns.mean())[:, None] * noise / sigma
    mean, mean_error = returns.mean(), returns.std() / math.sqrt(plain)
    slope, slope_error = slopes.mean(axis=0), slopes.std(axis=0) / math.sqrt(plain)
    found = []
    for seed in range(200):
        smooth = mollify(sampler, start, sigma, "montecarlo", budget=128, seed=seed)
        estimate = estimate_gradient(sampler, start, sigma, estimator="baseline", samples=512, seed=seed)
        assert smooth.standard_error is not None
        part = seed % 3
        found.append(
            {
                "mollify without a grid": (float(smooth.value) - mean)
                / math.hypot(float(smooth.standard_error), mean_error),
                "estimate_gradient without a grid": (float(estimate.value[part]) - slope[part])
                / math.hypot(float(estimate.standard_error[part]), slope_error[part]),
            }
        )
    return found


def _propagation(number: int) -> list[dict[str, float]]:
    """The standard error of u against the scatter of noisy landscapes that are smoothed by a sum over all nodes."""
    random = np.random.default_rng(number)
    grid = Grid(Axis("x", -3.0, 3.0, 201, boundary="clip"))
    x, h, count = grid[0].coordinates, grid[0].spacing, 4000
    errors = 0.1 + 0.2 * random.random(201)
    flow = evolve(Landscape(_reward(x), grid, standard_error=errors), list(LEVELS), checks="none")
    assert flow.standard_error is not None
    noisy = _reward(x) + errors * random.standard_normal((count, 201))
    found = []
    for level, sigma in enumerate(LEVELS):
        beyond = int(8 * sigma / h)
        nodes = np.arange(-beyond, 201 + beyond)
        weights = np.zeros((201, 201))
        for row in range(201):
            each = np.exp(-(((nodes - row) * h) ** 2) / (2 * sigma**2)) * h / (sigma * math.sqrt(2 * math.pi))
            np.add.at(weights[row], nodes.clip(0, 200), each)
        smooth = noisy @ weights.T
        for node in range(2, 201, 4):
            known = float(flow.standard_error[level, node]) ** 2
            scatter = float(smooth[:, node].var(ddof=1))
            found.append({"standard error of u": (known - scatter) / (scatter * math.sqrt(2.0 / (count - 1)))})
    return found


SCORES: dict[str, Callable[[int], list[dict[str, float]]]] = {
    "risk": _risk,
    "safest": _safest,
    "planes": _planes,
    "samplers": _samplers,
    "propagation": _propagation,
}
"""What is compared, by name: each takes the number from which its draws follow."""


def scores_of(name: str, number: int = 0) -> dict[str, Array]:
    """The scores of what a name stands for, by quantity."""
    found: dict[str, list[float]] = {}
    for row in SCORES[name](number):
        for quantity, value in row.items():
            found.setdefault(quantity, []).extend(np.atleast_1d(value).tolist())
    return {quantity: np.array(values) for quantity, values in found.items()}


def main() -> None:
    """Print a row for each quantity: its scores, their root mean square, the largest, and how many are beyond two."""
    print("| quantity | scores | root mean square | largest | beyond 2 |\n|" + "---|" * 5)
    for name in sys.argv[1:] or SCORES:
        for quantity, found in scores_of(name).items():
            size = math.sqrt(float((found**2).mean()))
            beyond = float((np.abs(found) > 2.0).mean())
            print(f"| {quantity} | {len(found)} | {size:.2f} | {np.abs(found).max():.1f} | {beyond:.3f} |", flush=True)


if __name__ == "__main__":
    main()
