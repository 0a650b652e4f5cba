"""A fractal landscape that is reflected at the edges of its box."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.problems import Array, Field, fractal, gaussian, outer, threads
from benchmarks.registry import Goal, Run, Task

__all__ = ["task"]

_SIGMAS = (2, 4, 8, 32)
_HAND = "scipy.fft dctn by hand"
_FILTER = "scipy gaussian_filter truncate=8"
_DUCC = "ducc0 dct by hand"
_SMALL = ("1024^2 sigma 2", "1024^2 sigma 4")
_LARGE = ("1024^2 sigma 8", "1024^2 sigma 32")

task = Task(
    "rough",
    "a fractal landscape, reflected at the faces of its cells; sigma in cells",
    cases={f"1024^2 sigma {sigma}": {"size": 1024, "sigma": float(sigma)} for sigma in _SIGMAS},
    quick={f"sigma {sigma}": {"size": 64, "sigma": float(sigma)} for sigma in (2, 8)},
    problem=fractal,
    error=lambda result, problem: problem.difference(result),
    reference=_HAND,
    goals=[
        Goal("heatpg direct tolerance=1e-12", "faster", 3.0, _HAND, _SMALL),
        Goal("heatpg direct tolerance=1e-12", "faster", 10.0, _FILTER, _SMALL[:1]),
        Goal("heatpg multiresolution tolerance=1e-10", "faster", 6.0, _HAND, _LARGE),
        Goal("heatpg multiresolution tolerance=1e-10", "faster", 2.0, _DUCC, _LARGE),
        Goal("heatpg rational", "within", 3.0, _HAND),
    ],
)


def _register(name: str, solver: str, error: float, **options: Any) -> None:
    @task.competitor(name, tolerance=error)
    def setup(problem: Field) -> Run:
        from heatpg import evolve
        from heatpg.solvers import make

        chosen, landscape = make(solver, **options), problem.landscape()
        return lambda: evolve(landscape, problem.sigma, chosen, checks="none").values[0]


# Weights sampled from a Gaussian alias: at sigma = 2 cells their multiplier differs by 3e-9 at the shortest wave.
_register("heatpg direct", "direct", 1e-9)
_register("heatpg direct tolerance=1e-12", "direct", 1e-9, tolerance=1e-12)
_register("heatpg multiresolution", "multiresolution", 1e-9)
_register("heatpg multiresolution tolerance=1e-10", "multiresolution", 1e-8, tolerance=1e-10)
_register("heatpg spectral", "spectral", 1e-12)
_register("heatpg exponential", "exponential", 0.2)  # exact for the 3-point Laplacian, which these waves see
_register("heatpg rational", "rational", 0.2)


@task.competitor(_HAND, requires=["scipy"], tolerance=1e-12)
def _by_hand(problem: Field) -> Run:
    from scipy.fft import dctn, idctn

    factor = gaussian(np.pi * np.arange(problem.size) / problem.size, problem.sigma)
    whole, workers = outer(factor, factor), threads()

    def run() -> Any:
        coefficients = dctn(problem.values, type=2, workers=workers)
        coefficients *= whole
        return idctn(coefficients, type=2, workers=workers, overwrite_x=True)

    return run


@task.competitor(_DUCC, requires=["ducc0"], tolerance=1e-12)
def _ducc(problem: Field) -> Run:
    from ducc0.fft import dct

    factor = gaussian(np.pi * np.arange(problem.size) / problem.size, problem.sigma) / (2.0 * problem.size)
    whole, workers = outer(factor, factor), threads()
    coefficients, result = np.empty_like(problem.values), np.empty_like(problem.values)

    def run() -> Array:
        dct(problem.values, type=2, nthreads=workers, out=coefficients)
        np.multiply(coefficients, whole, out=coefficients)
        dct(coefficients, type=3, nthreads=workers, out=result)
        return result

    return run


def _register_filter(truncate: float, error: float) -> None:
    @task.competitor(f"scipy gaussian_filter truncate={truncate:g}", requires=["scipy"], tolerance=error)
    def setup(problem: Field) -> Run:
        from scipy.ndimage import gaussian_filter

        return lambda: gaussian_filter(problem.values, problem.sigma, mode="reflect", truncate=truncate)


_register_filter(4.0, 1e-2)
_register_filter(8.0, 1e-9)
