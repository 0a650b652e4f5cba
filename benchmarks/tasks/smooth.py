"""Periodic smooth data to t = 0.25; the exact solution is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.problems import Array, Field, gaussian, outer, smooth, threads
from benchmarks.registry import Goal, Run, Task

__all__ = ["task"]

_EXPLICIT = ("heatpg explicit", "heatpg explicit step=0.45 h^2")
_STABILIZED = "heatpg stabilized"
_LOOP = "hand-written Numba Euler"
_SOLVE = "py-pde solve"

task = Task(
    "smooth",
    "seven waves on a periodic box, evolved from t = 0 to 0.25; finite differences, implicit schemes and transforms",
    cases={
        "1-D 4096": {"dimensions": 1, "size": 4096},
        "2-D 512^2": {"dimensions": 2, "size": 512},
        "3-D 128^3": {"dimensions": 3, "size": 128},
    },
    quick={
        "1-D 4096": {"dimensions": 1, "size": 64},
        "2-D 512^2": {"dimensions": 2, "size": 48},
        "3-D 128^3": {"dimensions": 3, "size": 32},
    },
    problem=smooth,
    error=lambda result, problem: problem.difference(result),
    reference=_LOOP,
    goals=[
        *(Goal(name, "faster", 30.0, _SOLVE, ("2-D 512^2", "3-D 128^3")) for name in _EXPLICIT),
        *(Goal(name, "faster", 2.5, _LOOP, ("2-D 512^2", "3-D 128^3")) for name in _EXPLICIT),
        Goal(_STABILIZED, "faster", 300.0, _SOLVE, ("2-D 512^2", "3-D 128^3")),
        Goal(_STABILIZED, "faster", 10.0, _LOOP, ("2-D 512^2", "3-D 128^3")),
    ],
)


def euler_steps(problem: Field) -> tuple[int, float]:
    """Number and length of equal Euler steps at nine tenths of the stable length, h^2 / d."""
    variance = problem.sigma**2
    count = math.ceil(variance / (0.9 * problem.spacing**2 / problem.dimensions))
    return count, variance / count


def _register(name: str, solver: str, tolerance: float, step: float | None = None) -> None:
    @task.competitor(name, tolerance=tolerance)
    def setup(problem: Field) -> Run:
        from heatpg import evolve
        from heatpg.solvers import make

        options: dict[str, Any] = {} if step is None else {"step": step * problem.spacing**2}
        chosen, landscape = make(solver, **options), problem.landscape()
        return lambda: evolve(landscape, problem.sigma, chosen, checks="none").values[0]


_register(_EXPLICIT[0], "explicit", 1e-2)
_register(_EXPLICIT[1], "explicit", 1e-2, step=0.45)
_register(_STABILIZED, "stabilized", 1e-2)
_register("heatpg implicit", "implicit", 2e-2)
_register("heatpg crank_nicolson", "crank_nicolson", 2e-2)
_register("heatpg exponential", "exponential", 2e-2)
_register("heatpg rational", "rational", 2e-2)
_register("heatpg compact", "compact", 1e-2)
_register("heatpg direct", "direct", 1e-12)
_register("heatpg multiresolution", "multiresolution", 1e-12)
_register("heatpg spectral", "spectral", 1e-12)


@task.competitor(_LOOP, requires=["numba"], tolerance=2e-2)
def _loop(problem: Field) -> Run:
    from benchmarks import loops

    step = (loops.euler_1d, loops.euler_2d, loops.euler_3d)[problem.dimensions - 1]
    count, length = euler_steps(problem)
    share = 0.5 * length / problem.spacing**2
    u, v = np.empty_like(problem.values), np.empty_like(problem.values)

    def run() -> Array:
        np.copyto(u, problem.values)
        return step(u, v, count, share)

    return run


def _pde_parts(problem: Field) -> tuple[Any, Any, Any]:
    import pde

    box = [[0.0, problem.size * problem.spacing]] * problem.dimensions
    grid = pde.CartesianGrid(box, problem.values.shape, periodic=True)
    return pde, pde.ScalarField(grid, problem.values), pde.DiffusionPDE(0.5)


@task.competitor(_SOLVE, requires=["pde"], tolerance=2e-2)
def _pde_solve(problem: Field) -> Run:
    """The documented call, which compiles its loop every time."""
    _, state, equation = _pde_parts(problem)
    _, length = euler_steps(problem)
    arguments: dict[str, Any] = {"solver": "euler", "backend": "numba", "tracker": None}
    return lambda: equation.solve(state, t_range=problem.sigma**2, dt=length, **arguments).data


@task.competitor("py-pde stepper, compiled before", requires=["pde"], tolerance=2e-2)
def _pde_stepper(problem: Field) -> Run:
    pde, state, equation = _pde_parts(problem)
    _, length = euler_steps(problem)
    advance = pde.EulerSolver(equation, backend="numba").make_stepper(state=state, dt=length)

    def run() -> Any:
        now = state.copy()
        advance(now, 0.0, problem.sigma**2)
        return now.data

    return run


def _multiplier(problem: Field) -> Array:
    whole = gaussian(2.0 * np.pi * np.fft.fftfreq(problem.size), problem.sigma_nodes)
    half = gaussian(2.0 * np.pi * np.fft.rfftfreq(problem.size), problem.sigma_nodes)
    return outer(*[whole] * (problem.dimensions - 1), half)


@task.competitor("scipy.fft by hand", requires=["scipy"], tolerance=1e-12)
def _scipy_fft(problem: Field) -> Run:
    from scipy.fft import irfftn, rfftn

    factor, workers = _multiplier(problem), threads()

    def run() -> Any:
        coefficients = rfftn(problem.values, workers=workers)
        coefficients *= factor
        return irfftn(coefficients, s=problem.values.shape, workers=workers, overwrite_x=True)

    return run


@task.competitor("ducc0 by hand", requires=["ducc0"], tolerance=1e-12)
def _ducc(problem: Field) -> Run:
    from ducc0.fft import c2r, r2c

    factor, workers, axes = _multiplier(problem), threads(), tuple(range(problem.dimensions))
    coefficients, result = np.empty(factor.shape, complex), np.empty_like(problem.values)

    def run() -> Array:
        r2c(problem.values, axes=axes, nthreads=workers, out=coefficients)
        np.multiply(coefficients, factor, out=coefficients)
        c2r(coefficients, axes=axes, lastsize=problem.size, forward=False, inorm=2, nthreads=workers, out=result)
        return result

    return run


@task.competitor("scipy gaussian_filter truncate=8", requires=["scipy"], tolerance=1e-12)
def _filter(problem: Field) -> Run:
    from scipy.ndimage import gaussian_filter

    return lambda: gaussian_filter(problem.values, problem.sigma_nodes, mode="wrap", truncate=8.0)
