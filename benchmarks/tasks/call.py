"""What one call costs beside its arithmetic: validation, checks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.problems import Field, gaussian, outer, smooth, threads
from benchmarks.registry import Goal, Run, Task

__all__ = ["task"]

_SMALL, _LARGE = "1-D 4096, 1 sigma", "512^2, 3 sigmas"

task = Task(
    "call",
    "the price of a call, and of its checks",
    cases={_SMALL: {"dimensions": 1, "size": 4096}, _LARGE: {"dimensions": 2, "size": 512}},
    quick={_SMALL: {"dimensions": 1, "size": 64}, _LARGE: {"dimensions": 2, "size": 48}},
    problem=smooth,
    error=lambda result, problem: problem.difference(result[-1]),
    reference="scipy.fft by hand",
    goals=[
        Goal("heatpg spectral, checks=none", "over", 1e-4, "scipy.fft by hand", (_SMALL,)),
        Goal("heatpg spectral, checks=standard", "over", 1e-3, "heatpg spectral, checks=none", (_SMALL,)),
    ],
)


def sigmas(problem: Field) -> list[float]:
    """One noise level in one dimension, otherwise three."""
    count = 1 if problem.dimensions == 1 else 3
    return [problem.sigma * math.sqrt((k + 1) / count) for k in range(count)]


def _register(checks: str) -> None:
    @task.competitor(f"heatpg spectral, checks={checks}", tolerance=1e-12)
    def setup(problem: Field) -> Run:
        from heatpg import evolve

        landscape, levels = problem.landscape(), sigmas(problem)
        return lambda: evolve(landscape, levels, "spectral", checks=checks).values


for _checks in ("none", "standard", "full"):
    _register(_checks)


@task.competitor("scipy.fft by hand", requires=["scipy"], tolerance=1e-12)
def _by_hand(problem: Field) -> Run:
    from scipy.fft import irfftn, rfftn

    whole, half = np.fft.fftfreq(problem.size), np.fft.rfftfreq(problem.size)
    angles = [2.0 * np.pi * number for number in [*[whole] * (problem.dimensions - 1), half]]
    levels, workers, shape = sigmas(problem), threads(), problem.values.shape
    factors = [outer(*(gaussian(angle, sigma / problem.spacing) for angle in angles)) for sigma in levels]

    def run() -> Any:
        coefficients = rfftn(problem.values, workers=workers)
        result = np.empty((len(factors), *shape))
        for k, factor in enumerate(factors):
            result[k] = irfftn(coefficients * factor, s=shape, workers=workers, overwrite_x=True)
        return result

    return run
