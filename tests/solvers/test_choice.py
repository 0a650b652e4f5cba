"""What ``auto`` takes below the spacing: what it makes of smooth data, of rough ones, and of a slope at a wall."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, evolve
from heatpg.evolution import solve

SIZE = 65


def smooth(boundary: str) -> tuple[Grid, list[tuple[float, float]]]:
    """A line, and the wavenumbers and amplitudes of a landscape whose flow is known: sines between held ends."""
    grid = Grid(Axis("x", 0.0, 2 * math.pi, SIZE, boundary=boundary))
    return grid, [(1.0, 1.0), (2.0, 0.5), (3.0, -0.25)]


def waves(grid: Grid, parts: list[tuple[float, float]], sigma: float) -> np.ndarray:
    x = grid[0].coordinates
    return np.asarray(sum(b * math.exp(-0.5 * (k * sigma) ** 2) * np.sin(k * x) for k, b in parts))


@pytest.mark.parametrize("boundary", ["periodic", "absorb"])
@pytest.mark.parametrize("ratio", [1e-9, 1e-6, 1e-3, 0.01, 0.1, 0.5, 0.99])
def test_noise_below_the_spacing_has_its_variance(boundary: str, ratio: float) -> None:
    grid, parts = smooth(boundary)
    spacing = grid[0].spacing
    q = waves(grid, parts, 0.0)
    flow = evolve(Landscape(q, grid), ratio * spacing, checks="full")
    assert flow.solver.name == "exponential"
    assert "positive weights with the variance of the noise" in flow.reason
    assert flow.report.passed
    # the eigenvalue of the 3-point Laplacian is short of k^2 by h^2 k^4 / 12
    fourth = sum(abs(b) * k**4 for k, b in parts)
    allowed = (ratio * spacing) ** 2 * spacing**2 * fourth / 24 + 1e-15
    error = np.abs(flow.values[0] - waves(grid, parts, ratio * spacing)).max()
    assert error <= allowed
    # an interpolant would be off by .4 sigma h Q'', as soon as that is to be seen
    if 1e-3 <= ratio <= 0.1:
        curvature = sum(abs(b) * k**2 for k, b in parts)
        assert error < 0.02 * ratio * spacing**2 * curvature


def test_a_kink_at_a_wall_keeps_the_interpolant() -> None:
    """Q = x on [0, 1] with clip: at the wall u rises by sigma / sqrt(2 pi), and the 3-point Laplacian would miss it."""
    axis = Axis("x", 0.0, 1.0, SIZE, boundary="clip")
    sigma = 0.01 * axis.spacing
    flow = evolve(Landscape(axis.coordinates, Grid(axis)), sigma, checks="full")
    assert flow.solver.name == "direct"
    assert flow.values[0, 0] == pytest.approx(sigma / math.sqrt(2 * math.pi), rel=1e-12)
    mixed = Grid(axis, Axis("y", 0.0, 1.0, SIZE, boundary="periodic"))
    # what an axis without noise does at its walls is of no account
    values = np.zeros(mixed.shape)
    assert solve(Landscape(values, mixed), {"x": 0.0, "y": 1e-3}).solver.name == "exponential"
    assert solve(Landscape(values, mixed), {"x": 1e-3, "y": 1e-3}).solver.name == "direct"


@pytest.mark.parametrize("prefer", ["accurate", "monotone"])
def test_rough_data_do_not_overshoot(prefer: str, rng: np.random.Generator) -> None:
    grid = Grid(Axis("x", 0.0, 1.0, SIZE, boundary="periodic"))
    levels = [ratio * grid[0].spacing for ratio in (0.01, 0.3, 0.9)]
    for values in (np.sign(rng.standard_normal(SIZE)), (np.arange(SIZE) == 20) * 1.0):
        flow = evolve(Landscape(values, grid), levels, prefer=prefer, checks="full")
        assert flow.solver.name == "exponential"
        # a rounding of the transform
        assert flow.values.max() <= values.max() + 1e-15
        assert flow.values.min() >= values.min() - 1e-15
    # noise that the grid resolves takes its sums, whatever is below it
    assert solve(Landscape(np.zeros(SIZE), grid), [levels[0], 0.1]).solver.name == "direct"
