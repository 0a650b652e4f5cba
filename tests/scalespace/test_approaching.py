"""The search for critical points finds the same ones with starts that are brought near first, and without."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape
from heatpg.boundaries import Nodes
from heatpg.evolution import solve
from heatpg.scalespace import critical
from heatpg.scalespace.approaching import COARSEST, FINEST, approach
from heatpg.scalespace.critical import KINDS, CriticalPoints, critical_points, find
from heatpg.scalespace.places import nearest, unit_of_length
from heatpg.scalespace.units import Problem

Array = NDArray[Any]

# Newton's method ends with steps of 1e-9, and the next one would be its square
_SAME = 1e-8


def rough(size: int, dimensions: int, boundary: str, smoothness: float, seed: int) -> Landscape:
    """White noise with the amplitude of a wave divided by a power of its number."""
    waves = np.meshgrid(*[np.fft.fftfreq(size, 1.0 / size)] * dimensions, indexing="ij")
    length = np.sqrt(sum(wave**2 for wave in waves))
    length[(0,) * dimensions] = 1.0
    noise = np.random.default_rng(seed).standard_normal((size,) * dimensions)
    values = np.fft.ifftn(np.fft.fftn(noise) * length**-smoothness).real
    nodes: Nodes = "vertex" if boundary in ("clip", "periodic") else "cell"
    axes = (Axis(name, 0.0, float(size), size, boundary=boundary, nodes=nodes) for name in "xyz"[:dimensions])
    return Landscape(values / values.std(), Grid(*axes))


def search(landscape: Landscape, cells: float) -> tuple[CriticalPoints, Problem, Array]:
    sigma = cells * np.array(landscape.grid.spacing)
    problem = Problem(solve(landscape, sigma[None]))
    noise = problem.units.lengths(sigma)
    return find(problem.field, noise, problem.values(0), KINDS, problem.round_off), problem, noise


def undecided(values: Array, grid: Grid, unit: Array, starts: Array, *, leash: float) -> tuple[Array, Array]:
    """In place of `approach`: every start goes to the exact search."""
    return starts[:0], starts


@pytest.mark.parametrize(("size", "dimensions"), [(512, 1), (64, 2), (20, 3)])
@pytest.mark.parametrize("boundary", ["periodic", "clip", "reflect", "absorb", "zero"])
@pytest.mark.parametrize("smoothness", [0.0, 1.5])
@pytest.mark.parametrize("cells", [FINEST, 3.3, COARSEST])
def test_no_point_is_missed(
    size: int, dimensions: int, boundary: str, smoothness: float, cells: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    landscape = rough(size, dimensions, boundary, smoothness, seed=dimensions)
    found, problem, noise = search(landscape, cells)
    monkeypatch.setattr(critical, "approach", undecided)
    all_starts, _, _ = search(landscape, cells)
    unit = unit_of_length(problem.field.grid, noise)
    assert len(found) == len(all_starts) > 0
    distance, index = nearest(problem.field.grid, unit, found.positions, all_starts.positions)
    assert distance.max() < _SAME
    np.testing.assert_array_equal(found.kind[index], all_starts.kind)


@pytest.mark.parametrize("before", [1e-2, 1e-3])
@pytest.mark.parametrize("angle", [0.0, 0.7])
def test_two_that_are_about_to_meet(before: float, angle: float) -> None:
    # u = A cos x - B / 2 cos(2 x + phi), A = exp(-t / 2), B = exp(-2 t) b: slope and curvature both vanish where
    # sin x = r sin a and cos x = 2 r cos a, with a = 2 x + phi and r = B / A
    ratio = 1.0 / np.sqrt(1.0 + 3.0 * np.cos(angle) ** 2)
    phase = angle - 2.0 * np.arctan2(ratio * np.sin(angle), 2.0 * ratio * np.cos(angle))
    t = 0.15  # of the meeting
    strength = ratio * np.exp(1.5 * t)
    grid = Grid(Axis("x", 0.0, 2 * np.pi, 48, boundary="periodic"))
    landscape = Landscape.from_function(lambda x: np.cos(x) - 0.5 * strength * np.cos(2 * x + phase), grid)
    t *= 1.0 - before
    assert FINEST <= np.sqrt(t) / grid.spacing[0] <= COARSEST
    found = critical_points(landscape, float(np.sqrt(t)))
    # the slope by z = exp(i x)
    first, second = np.exp(-0.5 * t), strength * np.exp(-2.0 * t)
    turn = np.exp(1j * phase)
    roots = np.roots([second * turn, -first, 0.0, first, -second / turn])
    exact = np.angle(roots[np.abs(np.abs(roots) - 1.0) < 1e-6])[:, None]
    assert len(found) == len(exact) == 4
    distance, index = nearest(grid, np.ones(1), found.positions, exact)
    assert distance.max() < _SAME and len(set(index.tolist())) == 4


def test_all_starts_of_one_point_become_one() -> None:
    """cos x cos y smoothed: critical points at the multiples of pi / 2 at which both are even or both odd."""
    size = 48
    grid = Grid(*(Axis(name, 0.0, 2 * np.pi, size, boundary="periodic") for name in "xy"))
    values = Landscape.from_function(lambda x, y: np.cos(x) * np.cos(y), grid).values
    unit = 4.0 * np.array(grid.spacing)
    rng = np.random.default_rng(0)
    points = [p for p in itertools.product(range(4), repeat=2) if (p[0] + p[1]) % 2 == 0]
    exact = 0.5 * np.pi * np.array(points)
    starts = np.repeat(exact, 16, axis=0) + 0.3 * unit * rng.uniform(-1.0, 1.0, (16 * len(exact), 2))
    arrived, left = approach(values, grid, unit, starts, leash=1.0)
    assert len(left) == 0 and len(arrived) == len(exact)
    distance, index = nearest(grid, unit, exact, arrived)
    # the interpolant is off by at most h^8 u^(8) / 80,000, its slope by 17 times as much in a cell, over the unit
    assert distance.max() < 1e-6 and len(set(index.tolist())) == len(exact)
