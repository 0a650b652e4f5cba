"""What ``auto`` takes below the spacing: what it makes of smooth data, of rough ones, and of a slope at a wall."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from heatpg import Axis, Grid, Landscape, evolve
from heatpg.errors import HeatpgWarning, SigmaError, UnknownNameError
from heatpg.evolution import solve
from heatpg.solvers.choice import schedule

SIZE = 65


def smooth(boundary: str) -> tuple[Grid, list[tuple[float, float]]]:
    """A line, and the wavenumbers and amplitudes of a landscape whose flow is known: sines between held ends."""
    grid = Grid(Axis("x", 0.0, 2 * math.pi, SIZE, boundary=boundary))
    return grid, [(1.0, 1.0), (2.0, 0.5), (3.0, -0.25)]


def waves(grid: Grid, parts: list[tuple[float, float]], sigma: float) -> np.ndarray:
    x = grid[0].coordinates
    return np.asarray(sum(b * math.exp(-0.5 * (k * sigma) ** 2) * np.sin(k * x) for k, b in parts))


def missing_moment(ratio: float, spacing: float) -> tuple[int, float]:
    """The order of the first derivative of Q that u lacks below h, and its factor: from no weight being negative."""
    first = 4 if ratio < 3**-0.5 else 6 if ratio < 0.6 else 8
    factor = {4: ratio**2 / 24, 6: 15 * ratio**6 / 720, 8: 105 * ratio**8 / 40320}[first]
    return first, factor * spacing**first


@pytest.mark.parametrize("boundary", ["periodic", "absorb"])
@pytest.mark.parametrize("ratio", [1e-9, 1e-6, 1e-3, 0.01, 0.1, 0.3, 0.5, 0.59, 0.7, 0.9, 0.99])
def test_noise_below_the_spacing_has_its_moments(boundary: str, ratio: float) -> None:
    grid, parts = smooth(boundary)
    spacing = grid[0].spacing
    q = waves(grid, parts, 0.0)
    flow = evolve(Landscape(q, grid), ratio * spacing, checks="full")
    assert flow.solver.name == "direct"
    assert flow.report.passed
    order, factor = missing_moment(ratio, spacing)
    allowed = 1.1 * factor * sum(abs(b) * k**order for k, b in parts) + 4 * float(np.finfo(np.float64).eps)
    right = waves(grid, parts, ratio * spacing)
    error = np.abs(flow.values[0] - right).max()
    assert error <= allowed
    # the discrete Gaussian has the fourth moment of no Gaussian
    other = np.abs(solve(Landscape(q, grid), ratio * spacing, "exponential").values[0] - right).max()
    assert error <= other + 4 * float(np.finfo(np.float64).eps)
    # an interpolant would be off by .4 sigma h Q'', as soon as that is to be seen
    if 1e-3 <= ratio <= 0.1:
        curvature = sum(abs(b) * k**2 for k, b in parts)
        assert error < 0.02 * ratio * spacing**2 * curvature


@pytest.mark.parametrize("boundary", ["periodic", "absorb", "reflect", "clip", "zero"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tolerance", [None, 1e-6])
def test_a_level_does_not_depend_on_the_others(
    boundary: str, dtype: type[np.floating], tolerance: float | None, rng: np.random.Generator
) -> None:
    """Of rough data, whose sums from one spacing to 2.5 are those of one solver, and below it too."""
    axis = Axis("x", 0.0, 1.0, SIZE, boundary=boundary)
    rough = Landscape(np.sign(rng.standard_normal(SIZE)).astype(dtype), Grid(axis))
    ratios = [0.01, 0.3, 0.9, 0.99, 1.0, 2.0]
    together = solve(rough, [ratio * axis.spacing for ratio in ratios], tolerance=tolerance)
    for ratio, values in zip(ratios, together.values, strict=True):
        alone = solve(rough, ratio * axis.spacing, tolerance=tolerance)
        assert np.array_equal(alone.values[0], values)
        # beside a level that the transform could take: it cuts off exp(-(2.5 pi)^2 / 2) of the shortest waves
        beside = solve(rough, [ratio * axis.spacing, 4.0 * axis.spacing], tolerance=tolerance)
        assert np.array_equal(beside.values[0], values)


@pytest.mark.parametrize("boundary", ["clip", "zero", "reflect"])
@pytest.mark.parametrize("ratio", [1e-9, 1e-3, 0.01, 0.1, 0.3, 0.59, 0.9])
def test_a_slope_at_a_wall_flows_as_it_should(boundary: str, ratio: float) -> None:
    """Inside u rises by sigma^2 Q'' / 2, at the wall by the kink of the continued Q; both go over into Q."""
    axis = Axis("x", 0.0, 1.0, SIZE, boundary=boundary)
    spacing = axis.spacing
    sigma = ratio * spacing
    x = axis.coordinates
    flow = evolve(Landscape(np.exp(x), Grid(axis)), sigma, checks="full")
    assert flow.solver.name == "direct"
    assert flow.report.passed
    u = flow.values[0]
    # exp(x) is an eigenfunction; what the walls bring in has fallen by 5 sigma to 3e-7 of a value
    inside = x[8:-8]
    error = np.abs(u[8:-8] - np.exp(inside + 0.5 * sigma**2)).max()
    _, missing = missing_moment(ratio, spacing)
    # seven products and their sum, and the offset that is taken out before and put back
    rounding = 16 * float(np.finfo(np.float64).eps)
    assert error <= (1.1 * missing + rounding) * math.e
    # Phi(x / sigma) exp(x) of the half line, and what its outside adds: sigma / sqrt(2 pi) and more of a slope
    half = math.exp(0.5 * sigma**2) * norm.cdf(sigma)
    outside = {"clip": 0.5, "zero": 0.0, "reflect": half}[boundary]
    # the slope from two nodes is off by h Q'' / 2, and counts for .4 sigma at most, twice that if it turns over
    assert abs(u[0] - half - outside) <= (2 if boundary == "reflect" else 1) * 0.4 * sigma * spacing * 0.6 + rounding


def test_noise_along_some_axes_only() -> None:
    """An axis without noise is of no account."""
    axis = Axis("x", 0.0, 1.0, SIZE, boundary="clip")
    mixed = Grid(axis, Axis("y", 0.0, 1.0, SIZE, boundary="periodic"))
    values = np.zeros(mixed.shape)
    spacing = mixed[1].spacing
    assert solve(Landscape(values, mixed), {"x": 0.0, "y": 3 * spacing}).solver.name == "spectral"
    assert solve(Landscape(values, mixed), {"x": 1e-3, "y": 3 * spacing}).solver.name == "direct"


@pytest.mark.parametrize("prefer", ["accurate", "monotone"])
def test_rough_data_do_not_overshoot(prefer: str, rng: np.random.Generator) -> None:
    grid = Grid(Axis("x", 0.0, 1.0, SIZE, boundary="periodic"))
    levels = [ratio * grid[0].spacing for ratio in (0.01, 0.3, 0.9)]
    for values in (np.sign(rng.standard_normal(SIZE)), (np.arange(SIZE) == 20) * 1.0):
        flow = evolve(Landscape(values, grid), levels, prefer=prefer, checks="full")
        assert flow.solver.name == ("direct" if prefer == "accurate" else "exponential")
        # a rounding of the transform
        assert flow.values.max() <= values.max() + 1e-15
        assert flow.values.min() >= values.min() - 1e-15
    # noise that the grid resolves takes its sums, whatever is below it
    assert solve(Landscape(np.zeros(SIZE), grid), [levels[0], 0.1]).solver.name == "direct"


def test_a_schedule_that_is_made_again_is_the_same_and_owns_its_levels() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 65, boundary="reflect"))
    once = schedule(grid, [0.1, 0.2], "spectral")
    once.sigma[0] = 7.0
    once.variances.pop()
    again = schedule(grid, [0.1, 0.2], "spectral")
    assert again.sigma.tolist() == [0.1, 0.2] and len(again.variances) == 2
    # what is told or refused is so every time, and numbers that are equal but of another kind are looked at anew
    for _ in range(2):
        with pytest.warns(HeatpgWarning, match="sorted"):
            schedule(grid, [0.2, 0.1], "spectral")
        for wrong in ([0.1, -0.2], [0.2, 0.2], [0.5, True], [0.5, float("nan")]):
            with pytest.raises(SigmaError):
                schedule(grid, wrong, "spectral")
        with pytest.raises(UnknownNameError):
            schedule(grid, [0.1, 0.2], "no such solver")


@pytest.mark.parametrize("prefer", ["accurate", "monotone"])
@pytest.mark.parametrize("ratio", [0.3, 1.0, 2.0, 3.0, 10.0])
@pytest.mark.parametrize("boundary", ["periodic", "clip", "absorb"])
def test_a_tolerance_is_passed_on_or_said_not_to_apply(prefer: str, ratio: float, boundary: str) -> None:
    grid = Grid(Axis("x", 0.0, 1.0, SIZE, boundary=boundary))
    plan = schedule(grid, ratio * grid[0].spacing, tolerance=1e-5, prefer=prefer)
    told = "tolerance= does not apply" in plan.reason
    assert told == (plan.solver.name == "exponential")
    assert told or getattr(plan.solver, "tolerance", None) == 1e-5
    assert "tolerance" not in schedule(grid, ratio * grid[0].spacing, prefer=prefer).reason
