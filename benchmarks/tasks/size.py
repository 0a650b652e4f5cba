"""How the time per point and the memory grow with the size of the grid."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from benchmarks.problems import Array, Field
from benchmarks.registry import Goal, Run, Task

__all__ = ["task"]

_SIZES = (256, 512, 1024, 2048, 4096, 8192)
_LARGEST = 4096
_STEPS = 50
_SHARE = 1.0 / 6.0
_SIGMA = 4.0  # in cells
_WAVE = 5
_ENDS = 1e-6  # slopes at mirrors come from four cells, whose error is (k h)^4 h / 33 sigma for each wall and axis


@dataclasses.dataclass
class Growth:
    """A solver; its competitors choose the size of the grid."""

    solver: str
    values: Array = dataclasses.field(default_factory=lambda: np.empty(0))
    factor: float = 1.0

    def landscape(self, size: int) -> Any:
        """One wave, which every scheme multiplies by a known factor."""
        angle = math.pi * _WAVE / size
        wave = np.cos(angle * (np.arange(size) + 0.5))
        self.values = np.multiply.outer(wave, wave)
        step = 1.0 - 2.0 * _SHARE * (1.0 - math.cos(angle))
        self.factor = step ** (2 * _STEPS) if self.solver == "explicit" else math.exp(-((_SIGMA * angle) ** 2))
        return Field(self.values, self.values, _SIGMA, 1.0, "reflect").landscape()

    def difference(self, result: Array) -> float:
        """Largest error, row by row to save memory."""
        return max(float(np.abs(row - self.factor * q).max()) for row, q in zip(result, self.values, strict=True))


_CASES = {name: {"solver": name} for name in ("explicit", "direct", "spectral")}

task = Task(
    "size",
    f"time per point and peak memory in units of the field: {_STEPS} explicit steps, and sigma = {_SIGMA:g} cells",
    cases=_CASES,
    quick=_CASES,
    problem=Growth,
    error=lambda result, problem: problem.difference(result),
    reference="heatpg 256^2",
    work=lambda problem: float(problem.values.size),
    unit="points",
    memory=True,
    goals=[
        goal
        for size in _SIZES[1:]
        for goal in (
            Goal(f"heatpg {size}^2", "within", 1.5, "heatpg 256^2", ("explicit", "direct")),
            # below 1024^2 the interpreter weighs more than the fields
            *([Goal(f"heatpg {size}^2", "memory", 3.0)] if size >= 1024 else []),
        )
    ],
)


def _register(size: int) -> None:
    @task.competitor(f"heatpg {size}^2", tolerance=_ENDS, large=size > _LARGEST)
    def setup(problem: Growth) -> Run:
        from heatpg import evolve
        from heatpg.solvers import make

        landscape = problem.landscape(size)
        explicit = problem.solver == "explicit"
        solver = make(problem.solver, **({"step": 2.0 * _SHARE} if explicit else {}))
        sigma = math.sqrt(2.0 * _SHARE * _STEPS) if explicit else _SIGMA
        return lambda: evolve(landscape, sigma, solver, checks="none").values[0]


for _size in _SIZES:
    _register(_size)
