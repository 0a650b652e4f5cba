"""The spectral solver against the transforms that it is made of."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.problems import Array, Field, fractal, gaussian, outer, smooth, threads
from benchmarks.registry import Goal, Run, Task

__all__ = ["task"]

_COUNTS = {1: "1 sigma", 8: "8 sigmas"}


@dataclasses.dataclass
class Levels:
    """A field and the noise levels that it is smoothed with; the last is the one whose solution is known."""

    field: Field

    @property
    def values(self) -> Array:
        """Q."""
        return self.field.values

    def sigmas(self, count: int) -> list[float]:
        """Ascending, in the units of the axes."""
        return [self.field.sigma * (k + 1) / count for k in range(count)]

    def angles(self) -> list[NDArray[np.floating[Any]]]:
        """k h of the coefficients along each axis."""
        size, dimensions = self.field.size, self.field.dimensions
        if self.field.boundary == "reflect":
            return [np.pi * np.arange(size) / size] * dimensions
        whole, half = np.fft.fftfreq(size), np.fft.rfftfreq(size)
        return [np.asarray(2.0 * np.pi * number) for number in [*[whole] * (dimensions - 1), half]]


def _problem(boundary: str, dimensions: int, size: int) -> Levels:
    return Levels(fractal(size, 8.0) if boundary == "reflect" else smooth(dimensions, size))


task = Task(
    "transform",
    "the spectral solver against the bare transforms of scipy.fft (one forward, one inverse for each sigma)",
    cases={
        "1-D 4096 periodic": {"boundary": "periodic", "dimensions": 1, "size": 4096},
        "1024^2 reflect": {"boundary": "reflect", "dimensions": 2, "size": 1024},
        "1024^2 periodic": {"boundary": "periodic", "dimensions": 2, "size": 1024},
        "4096^2 reflect": {"boundary": "reflect", "dimensions": 2, "size": 4096},
    },
    quick={
        "1-D periodic": {"boundary": "periodic", "dimensions": 1, "size": 64},
        "2-D reflect": {"boundary": "reflect", "dimensions": 2, "size": 40},
        "2-D periodic": {"boundary": "periodic", "dimensions": 2, "size": 40},
    },
    problem=_problem,
    error=lambda result, problem: problem.field.difference(result[-1]),
    reference="scipy.fft bare, 1 sigma",
    goals=[
        Goal(f"heatpg spectral, {words}", "within", 1.15, f"scipy.fft bare, {words}", cases)
        for words in _COUNTS.values()
        for cases in [("1024^2 reflect", "1024^2 periodic", "4096^2 reflect")]
    ],
)


def _pair(problem: Levels) -> tuple[Any, Any]:
    """Forward and inverse transform; the inverse may overwrite its input."""
    import scipy.fft

    workers, shape = threads(), problem.values.shape
    if problem.field.boundary == "reflect":
        return (
            lambda values: scipy.fft.dctn(values, type=2, workers=workers),
            lambda coefficients: scipy.fft.idctn(coefficients, type=2, workers=workers, overwrite_x=True),
        )
    return (
        lambda values: scipy.fft.rfftn(values, workers=workers),
        lambda coefficients: scipy.fft.irfftn(coefficients, s=shape, workers=workers, overwrite_x=True),
    )


def _register(count: int, words: str) -> None:
    bare = f"scipy.fft bare, {words}"

    @task.competitor(f"heatpg spectral, {words}", tolerance=1e-11, reference=bare)
    def spectral(problem: Levels) -> Run:
        from heatpg import evolve

        landscape, sigmas = problem.field.landscape(), problem.sigmas(count)
        return lambda: evolve(landscape, sigmas, "spectral", checks="none").values

    def identity(result: Any, problem: Levels) -> float:
        return float(np.abs(result - problem.values).max())

    @task.competitor(bare, requires=["scipy"], tolerance=1e-11, reference=bare, error=identity)
    def transforms(problem: Levels) -> Run:
        """No multiplier and no copy of the coefficients: each inverse takes a spectrum made before."""
        forward, inverse = _pair(problem)
        spare = forward(problem.values)

        def run() -> Any:
            result = inverse(forward(problem.values))
            for _ in range(count - 1):
                inverse(spare)
            return result

        return run

    @task.competitor(f"scipy.fft by hand, {words}", requires=["scipy"], tolerance=1e-11, reference=bare)
    def by_hand(problem: Levels) -> Run:
        """What a user would write: the multipliers are made before, and all fields are kept."""
        forward, inverse = _pair(problem)
        factors = [
            [gaussian(angle, sigma / problem.field.spacing) for angle in problem.angles()]
            for sigma in problem.sigmas(count)
        ]
        whole = [outer(*each) for each in factors]

        def run() -> Any:
            coefficients = forward(problem.values)
            result = np.empty((count, *problem.values.shape))
            for k in range(count):
                result[k] = inverse(coefficients * whole[k])
            return result

        return run


for _count, _words in _COUNTS.items():
    _register(_count, _words)
