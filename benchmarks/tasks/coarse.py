"""A rough landscape in single precision, where an error of one in ten thousand is allowed."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from benchmarks.problems import Field, fractal, gaussian, outer, threads
from benchmarks.registry import Goal, Run, Task

__all__ = ["task"]

_SIGMAS = (2, 8, 32)
_ALLOWED = 1e-4
_BLUR = "OpenCV GaussianBlur truncate=4"
_HAND = "scipy.fft dctn by hand"
_TRUNCATE = 4.0


def _problem(size: int, sigma: float) -> Field:
    field = fractal(size, sigma)
    single: Any = field.values.astype(np.float32)
    return dataclasses.replace(field, values=single)


task = Task(
    "coarse",
    f"a fractal landscape in float32, reflected; sigma in cells, error in units of osc(Q), {_ALLOWED:g} allowed",
    cases={f"1024^2 sigma {sigma}": {"size": 1024, "sigma": float(sigma)} for sigma in _SIGMAS},
    quick={f"sigma {sigma}": {"size": 64, "sigma": float(sigma)} for sigma in (2, 8)},
    problem=_problem,
    error=lambda result, problem: problem.difference(result) / float(np.ptp(problem.values)),
    reference=_HAND,
    goals=[Goal("heatpg multiresolution tolerance=1e-4", "within", 1.0, _BLUR)],
)


def _register(solver: str) -> None:
    @task.competitor(f"heatpg {solver} tolerance=1e-4", tolerance=_ALLOWED)
    def setup(problem: Field) -> Run:
        from heatpg import evolve
        from heatpg.solvers import make

        chosen, landscape = make(solver, tolerance=_ALLOWED), problem.landscape()
        return lambda: evolve(landscape, problem.sigma, chosen, checks="none").values[0]


for _solver in ("multiresolution", "direct"):
    _register(_solver)


@task.competitor(_BLUR, requires=["cv2"], tolerance=_ALLOWED)
def _blur(problem: Field) -> Run:
    import cv2

    cv2.setNumThreads(threads())
    width = 2 * math.ceil(_TRUNCATE * problem.sigma) + 1
    result = np.empty_like(problem.values)

    def run() -> Any:
        return cv2.GaussianBlur(
            problem.values, (width, width), problem.sigma, dst=result, borderType=cv2.BORDER_REFLECT
        )

    return run


@task.competitor(_HAND, requires=["scipy"], tolerance=_ALLOWED)
def _by_hand(problem: Field) -> Run:
    from scipy.fft import dctn, idctn

    factor = gaussian(np.pi * np.arange(problem.size) / problem.size, problem.sigma)
    whole, workers = outer(factor, factor).astype(np.float32), threads()

    def run() -> Any:
        coefficients = dctn(problem.values, type=2, workers=workers)
        coefficients *= whole
        return idctn(coefficients, type=2, workers=workers, overwrite_x=True)

    return run
