"""Every quantity of the distribution against plain Monte Carlo, written apart: actions are drawn and played."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape
from heatpg.risk import distribution

Array = NDArray[np.float64]

DRAWS = 20_000
TAIL = 0.2
QUANTILE = 1e-3  # how near the thresholds around a quantile are brought


def reward(x: Array, y: Array | float = 0.0) -> Array:
    """A narrow peak, a broad hill and a slope, so that the ends of the box differ."""
    return np.asarray(
        1.1 * np.exp(-((x + 0.4) ** 2) / 0.02)
        + np.exp(-((x - 0.5) ** 2 + y**2) / 0.3)
        + 0.2 * x
        - 0.1 * np.cos(3.0 * y)
        + 0.3
    )


def period(x: Array) -> Array:
    return np.asarray(np.sin(np.pi * x) + 0.5 * np.cos(3.0 * np.pi * x))


def played(boundary: str, action: Array) -> tuple[Array, NDArray[np.bool_]]:
    """The action that the policy of a boundary plays in [-1, 1] for one that was drawn, and whether it is inside."""
    inside = np.abs(action) <= 1.0
    if boundary == "clip":
        return np.minimum(1.0, np.maximum(-1.0, action)), np.ones_like(inside)
    if boundary == "periodic":
        return (action + 1.0) % 2.0 - 1.0, np.ones_like(inside)
    if boundary == "reflect":
        turned = (action + 1.0) % 4.0
        return np.where(turned <= 2.0, turned, 4.0 - turned) - 1.0, np.ones_like(inside)
    return action, inside


# What the grid leaves, in units of Q or of probability: h^2 / sigma^2 = 1/1600 of a second difference for the moments,
# a kink or a step in one cell of 40 to a standard deviation for the others, and the tolerance of the bounds.
GRID = {"mean": 2e-4, "variance": 2e-4, "probability": 5e-4, "tail": 4e-4, "quantile": 5e-4}


def scores(returns: Array, known: dict[str, float], threshold: float) -> list[float]:
    """Deviations from what is known, in standard errors: mean, variance, probability, quantile and tail mean.

    Where the standard error is less than four times what the grid leaves there is no score: both bound the deviation.
    """
    n = len(returns)
    mean, variance = returns.mean(), returns.var()
    fourth = ((returns - mean) ** 4).mean()
    chance = known["probability"]
    worst = np.sort(returns)[: round(TAIL * n)]
    # the spread of the tail mean: of c - (c - Q)_+ / q, with c the quantile
    spread = np.maximum(worst[-1] - returns, 0.0).std() / TAIL
    found = {
        "mean": (mean - known["mean"], np.sqrt(variance / n)),
        "variance": (variance - known["variance"], np.sqrt((fourth - variance**2) / n)),
        "probability": ((returns <= threshold).mean() - chance, np.sqrt(chance * (1.0 - chance) / n)),
        "tail": (worst.mean() - known["tail"], spread / np.sqrt(n)),
    }
    # where the quantile is in a crowd, as of an atom, a small error of it is a large one of probability
    if (np.abs(returns - known["quantile"]) < 2 * QUANTILE).mean() < 0.02:
        found["quantile"] = ((returns < known["quantile"]).mean() - TAIL, np.sqrt(TAIL * (1.0 - TAIL) / n))
    result = []
    for name, (deviation, error) in found.items():
        if error > 4.0 * GRID[name]:
            result.append(float(deviation / error))
        else:
            assert abs(deviation) <= 5.0 * error + GRID[name], name
    return result


def known_at(
    landscape: Landscape, sigma: list[float], threshold: float, fine: float = 1.0
) -> list[Callable[..., dict[str, float]]]:
    law = distribution(landscape, np.array(sigma)[:, None] * np.ones(landscape.grid.dimensions))
    # bounds nearer than a tenth of a standard error of this many draws
    tail = law.tail_mean(TAIL, tolerance=2e-4 * fine, most=600)
    fields = {
        "mean": law.mean(),
        "variance": law.variance(),
        "probability": law.probability(threshold),
        "quantile": law.quantile(TAIL, tolerance=QUANTILE * fine, most=2000).values,
        "tail": tail.values,
    }
    return [
        lambda *node, level=level: {name: float(field[level][node]) for name, field in fields.items()}
        for level in range(len(sigma))
    ]


def assert_normal(z: list[float]) -> None:
    """Of n scores the largest is beyond 4.5 once in 150,000 / n; their mean square is 1 within 5 sqrt(2 * 5 / n).

    The five scores of one point come from the same draws; if they were one, n / 5 would be independent.
    """
    values = np.array(z)
    assert np.abs(values).max() < 4.5
    assert abs((values**2).mean() - 1.0) < 5.0 * np.sqrt(10.0 / len(values))


@pytest.mark.parametrize("boundary", ["clip", "periodic", "reflect", "zero"])
def test_one_axis(boundary: str) -> None:
    rng = np.random.default_rng(list(boundary.encode()))
    function = period if boundary == "periodic" else reward
    z: list[float] = []
    for nodes in ("vertex", "cell"):
        # 40 spacings in the smaller sigma, and in a width of the peak
        grid = Grid(Axis("x", -1.0, 1.0, 801, boundary=boundary, nodes=nodes))
        landscape = Landscape.from_function(function, grid)
        sigmas = [0.1, 0.4]
        laws = known_at(landscape, sigmas, 0.45)
        for (level, sigma), node in itertools.product(
            enumerate(sigmas), (0, 110, 200, 260, 330, 400, 480, 555, 650, 800)
        ):
            mu = float(grid[0].coordinates[node])
            action, inside = played(boundary, mu + sigma * rng.standard_normal(DRAWS))
            z += scores(np.where(inside, function(action), 0.0), laws[level](node), 0.45)
    assert len(z) >= 50
    assert_normal(z)


@pytest.mark.parametrize("second", ["clip", "zero", "reflect"])
def test_two_axes(second: str) -> None:
    rng = np.random.default_rng(list(second.encode()))
    grid = Grid(Axis("x", -1.0, 1.0, 161, boundary="clip"), Axis("y", -1.0, 1.0, 81, boundary=second, nodes="cell"))
    landscape = Landscape.from_function(reward, grid)
    sigmas = [0.25, 0.5]
    laws = known_at(landscape, sigmas, 0.6, fine=4.0)
    z: list[float] = []
    for (level, sigma), node in itertools.product(
        enumerate(sigmas), ((0, 0), (30, 55), (50, 40), (70, 7), (80, 80), (100, 33), (130, 20), (160, 60))
    ):
        x, y = grid.point(node)
        draws = sigma * rng.standard_normal((2, DRAWS // 4))
        (first, _), (other, inside) = played("clip", x + draws[0]), played(second, y + draws[1])
        z += scores(np.where(inside, reward(first, other), 0.0), laws[level](*node), 0.6)
    assert_normal(z)
