"""Many landscapes at many noise levels, in memory."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from benchmarks.problems import Array, flat_at_walls, gaussian, threads
from benchmarks.registry import Goal, Run, Task

__all__ = ["task"]

_HAND = "scipy.fft dct, one broadcast"
_DUCC = "ducc0 dct, reused buffer"
_SOLVERS = ("heatpg spectral", "heatpg multiresolution tolerance=1e-10")
_REUSED = "heatpg spectral, reused output"
_CASE = "1000 x 4096 x 32"
_SMALLEST, _LARGEST = 2.0, 512.0  # sigma in cells
_BLOCK = 8  # landscapes whose fields fit in cache together
_SPARE = 3  # results' worth of memory: one kept between calls, one new, one beside it


@dataclasses.dataclass
class Batch:
    """Landscapes of one dimension, and the noise levels for all of them.

    Attributes
    ----------
    values
        Random walks, shape (landscapes, size).
    sigmas
        Ascending, in cells.
    """

    values: Array
    sigmas: Array

    def factors(self) -> Array:
        """Multipliers of the cosine coefficients, shape (sigmas, size)."""
        size = self.values.shape[-1]
        angle = np.pi * np.arange(size) / size
        return np.stack([gaussian(angle, float(sigma)) for sigma in self.sigmas])

    def difference(self, result: Any) -> float:
        """Largest error of fields of shape (sigmas, landscapes, size); one sigma at a time, to save memory."""
        from scipy.fft import dct, idct

        coefficients = dct(self.values, type=2)
        error = 0.0
        for field, factor in zip(result, self.factors(), strict=True):
            error = max(error, float(np.abs(field - idct(coefficients * factor, type=2)).max()))
        return error


def _problem(count: int, size: int, sigmas: int, largest: float) -> Batch:
    from heatpg.tools.resources import require_memory

    require_memory(8.0 * count * size * sigmas * _SPARE, "the batch", "leave this task out")
    values = np.cumsum(np.random.default_rng(2).standard_normal((count, size)), axis=1) / np.sqrt(size)
    return Batch(flat_at_walls(values, 1), np.geomspace(_SMALLEST, largest, sigmas))


task = Task(
    "batch",
    f"landscapes x cells x sigmas, reflected, in memory; sigmas from {_SMALLEST:g} to {_LARGEST:g} cells",
    cases={_CASE: {"count": 1000, "size": 4096, "sigmas": 32, "largest": _LARGEST}},
    quick={"5 x 64 x 4": {"count": 5, "size": 64, "sigmas": 4, "largest": 16.0}},
    problem=_problem,
    error=lambda result, problem: problem.difference(result),
    reference=_HAND,
    work=lambda problem: float(problem.values.size * len(problem.sigmas)),
    unit="points",
    rounds=3,
    goals=[
        goal
        for name in (*_SOLVERS, _REUSED)
        for goal in (Goal(name, "faster", 2.0, _HAND), Goal(name, "within", 1.0, _DUCC))
    ],
)


def _register(name: str, solver: str, error: float, **options: Any) -> None:
    @task.competitor(name, tolerance=error)
    def setup(problem: Batch) -> Run:
        from heatpg import Axis, Grid, Landscape, evolve
        from heatpg.solvers import make

        size = problem.values.shape[-1]
        grid = Grid(Axis("x", 0.0, float(size), size, boundary="reflect", nodes="cell"))
        landscape, chosen = Landscape(problem.values, grid), make(solver, **options)
        return lambda: evolve(landscape, problem.sigmas, chosen, checks="none").values


_register(_SOLVERS[0], "spectral", 1e-12)
_register(_SOLVERS[1], "multiresolution", 1e-9, tolerance=1e-10)


@task.competitor(_REUSED, tolerance=1e-12)
def _reused(problem: Batch) -> Run:
    from heatpg import Axis, Grid, Landscape
    from heatpg.evolution import solve

    size = problem.values.shape[-1]
    grid = Grid(Axis("x", 0.0, float(size), size, boundary="reflect", nodes="cell"))
    landscape = Landscape(problem.values, grid)
    result = np.empty((len(problem.sigmas), *problem.values.shape))
    return lambda: solve(landscape, problem.sigmas, "spectral", out=result).values


@task.competitor(_HAND, requires=["scipy"], tolerance=1e-12)
def _by_hand(problem: Batch) -> Run:
    from scipy.fft import dct, idct

    factors, workers = problem.factors(), threads()

    def run() -> Any:
        coefficients = dct(problem.values, type=2, workers=workers)[:, None, :] * factors
        return idct(coefficients, type=2, workers=workers, overwrite_x=True).swapaxes(0, 1)

    return run


@task.competitor(_DUCC, requires=["ducc0"], tolerance=1e-12)
def _ducc(problem: Batch) -> Run:
    from ducc0.fft import dct

    count, size = problem.values.shape
    factors, workers = problem.factors() / (2.0 * size), threads()
    coefficients, block = np.empty_like(problem.values), np.empty((_BLOCK, *factors.shape))
    result = np.empty((count, *factors.shape))

    def run() -> Array:
        dct(problem.values, axes=(1,), type=2, nthreads=workers, out=coefficients)
        for first in range(0, count, _BLOCK):
            rows = slice(first, min(first + _BLOCK, count))
            scaled = block[: rows.stop - first]
            np.multiply(coefficients[rows, None, :], factors, out=scaled)
            dct(scaled, axes=(2,), type=3, nthreads=workers, out=result[rows])
        return result.swapaxes(0, 1)

    return run
