"""What every solver moves and computes at large sizes, against what the machine can move."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.problems import Array, Field
from benchmarks.registry import Effort, Run, Task
from heatpg.solvers import make, solvers

__all__ = ["task"]

_SIGMA = 8.0  # in cells
_ANGLE = 1.0 / _SIGMA  # k h of a wave that is damped by exp(-1/2) along each axis
_BYTES = 8
_FLOPS = 2.5  # of a real transform of n points, in units of n log2 n
_COPY = "copy of the array"

# options and largest error of the solvers that have one
_OPTIONS = {"implicit": {"steps": 16}, "crank_nicolson": {"steps": 16}}
_EXACT = ("direct", "multiresolution", "spectral")
_ENDS = 1e-5  # slopes at mirrors come from four cells, whose error is (k h)^4 h / 33 sigma for each wall and axis


@dataclasses.dataclass
class Cube:
    """One wave on a grid of equal sides and unit spacing, reflected."""

    size: int
    dimensions: int
    values: Array = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        wave = np.cos(self.angle * (np.arange(self.size) + 0.5))
        self.values = np.ones(())
        for _ in range(self.dimensions):
            self.values = np.multiply.outer(self.values, wave)

    @property
    def angle(self) -> float:
        """k h, as close to `_ANGLE` as the walls allow."""
        return math.pi * max(1, round(_ANGLE * self.size / math.pi)) / self.size

    def landscape(self) -> Any:
        """The same for heatpg."""
        return Field(self.values, self.values, _SIGMA, 1.0, "reflect").landscape()

    def difference(self, result: Array, sigma: float) -> float:
        """Largest error, slice by slice to save memory."""
        factor = math.exp(-0.5 * self.dimensions * (sigma * self.angle) ** 2)
        return max(float(np.abs(row - factor * q).max()) for row, q in zip(result, self.values, strict=True))


task = Task(
    "profile",
    f"every solver at sigma = {_SIGMA:g} cells: a pass reads and writes every point once; "
    "traffic and arithmetic by theory, against a copy and against a sweep that copies once an update",
    cases={"4096^2": {"size": 4096, "dimensions": 2}, "256^3": {"size": 256, "dimensions": 3}},
    quick={"48^2": {"size": 48, "dimensions": 2}, "32^3": {"size": 32, "dimensions": 3}},
    problem=Cube,
    error=lambda result, problem: problem.difference(result, _SIGMA),
    reference=_COPY,
    work=lambda problem: float(problem.values.size),
    unit="points",
    rounds=3,
)


def _passes(problem: Cube, count: float, model: str, operations: float, kind: str) -> Effort:
    """The effort of so many passes over memory, and of so many operations per point."""
    points = problem.values.size
    return Effort(2.0 * _BYTES * points * count, model, operations * points, kind)


def _axis(problem: Cube) -> Any:
    return problem.landscape().grid[0]


def _march(solver: Any, problem: Cube) -> Effort:
    """All steps of a line are done in cache, between one gather and one scatter."""
    kind = "tridiagonal solves" if solver.name in _OPTIONS else "updates"
    steps = solver.work_steps(_axis(problem), 0.0, _SIGMA**2)
    d = problem.dimensions
    return _passes(problem, d, "gather, scatter per axis", d * steps, kind)


def _recursions(solver: Any, problem: Cube) -> Effort:
    """A pair of poles is one complex recursion up the line and one down."""
    d = problem.dimensions
    return _passes(problem, d, "gather, scatter per axis", d * solver.poles, "complex recursions")


def _transforms(solver: Any, problem: Cube) -> Effort:
    """In place, line by line; every axis but the last is turned before and turned back after."""
    d = problem.dimensions
    flops = 2 * d * _FLOPS * math.log2(problem.size)
    return _passes(problem, 4 * d - 1, "2 transforms per axis, 2 turns per axis but one, 1 scaling", flops, "flops")


def _taps(solver: Any, problem: Cube) -> Effort:
    """A whole line is read before any of it is written; a Gaussian wider than the box is a dense matrix."""
    radius = solver._radius(1.0, _SIGMA, solver._tolerance(problem.values.dtype))
    taps, d = min(2 * radius + 1, problem.size), problem.dimensions
    return _passes(problem, d, "read, write per axis", d * taps, "multiply-adds")


def _pyramid(solver: Any, problem: Cube) -> Effort:
    """Each restriction reads the fine side of an axis and writes the coarse one; prolongations the other way round."""
    maps = solver._maps(_axis(problem), _SIGMA**2, problem.values.dtype, False)
    share, taps, d = maps.rows / maps.size, maps.down.shape[2], problem.dimensions
    fine = sum(share**k for k in range(d))
    model = f"read, write per axis, down and up; {share:.2f} of the rows kept"
    return _passes(problem, (1.0 + share) * fine, model, 2 * taps * fine, "multiply-adds")


_MODELS: dict[str, Callable[[Any, Cube], Effort]] = {
    "compact": _transforms,
    "crank_nicolson": _march,
    "direct": _taps,
    "explicit": _march,
    "exponential": _transforms,
    "implicit": _march,
    "multiresolution": _pyramid,
    "rational": _recursions,
    "spectral": _transforms,
    "stabilized": _march,
}


def _register(solver: str) -> None:
    options: dict[str, Any] = _OPTIONS.get(solver, {})
    name = " ".join(["heatpg", solver, *(f"{key}={value}" for key, value in options.items())])

    def effort(problem: Cube) -> Effort | None:
        model = _MODELS.get(solver)
        return None if model is None else model(make(solver, **options), problem)

    @task.competitor(name, tolerance=_ENDS if solver in _EXACT else 3e-2, effort=effort)
    def setup(problem: Cube) -> Run:
        from heatpg import evolve

        chosen, landscape = make(solver, **options), problem.landscape()
        return lambda: evolve(landscape, _SIGMA, chosen, checks="none").values[0]


for _solver in solvers.names():
    _register(_solver)


@task.competitor(
    _COPY,
    tolerance=0.0,
    error=lambda result, problem: problem.difference(result, 0.0),
    effort=lambda problem: _passes(problem, 1.0, "read, write", 0.0, ""),
)
def _copy(problem: Cube) -> Run:
    result = np.empty_like(problem.values)

    def run() -> Array:
        np.copyto(result, problem.values)
        return result

    return run
