"""Lattice updates per second of the explicit scheme along one axis, against what memory allows."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from benchmarks.problems import Array
from benchmarks.registry import Goal, Run, Task

__all__ = ["task"]

_STEPS = 200
_SWEEPS = 10
_SHARE = 1.0 / 6.0
_WAVE = 7


@dataclasses.dataclass
class Lattice:
    """Rough values whose lines along one axis are all the same wave, so that the discrete solution is known."""

    shape: tuple[int, ...]
    axis: int
    values: Array = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        amplitude = [1] * len(self.shape)
        for position, size in enumerate(self.shape):
            amplitude[position] = 1 if position == self.axis else size
        wave = np.cos(self.angle * (np.arange(self.shape[self.axis]) + 0.5))
        along = [1] * len(self.shape)
        along[self.axis] = -1
        self.values = np.random.default_rng(0).uniform(0.5, 1.0, amplitude) * wave.reshape(along)

    @property
    def angle(self) -> float:
        """k h of the wave."""
        return math.pi * _WAVE / self.shape[self.axis]

    def difference(self, result: Array, steps: int) -> float:
        """Largest error after some steps."""
        factor = (1.0 - 2.0 * _SHARE * (1.0 - math.cos(self.angle))) ** steps
        error = 0.0
        for computed, initial in zip(result, self.values, strict=True):  # slice by slice, to save memory
            error = max(error, float(np.abs(computed - factor * initial).max()))
        return error


task = Task(
    "stencil",
    f"updates per second of {_STEPS} explicit steps along one axis, gather and scatter included",
    cases={
        "4096^2 axis 0": {"shape": (4096, 4096), "axis": 0},
        "4096^2 axis 1": {"shape": (4096, 4096), "axis": 1},
        "256^3 axis 0": {"shape": (256, 256, 256), "axis": 0},
        "256^3 axis 1": {"shape": (256, 256, 256), "axis": 1},
        "256^3 axis 2": {"shape": (256, 256, 256), "axis": 2},
    },
    quick={
        "2-D axis 0": {"shape": (40, 24), "axis": 0},
        "2-D axis 1": {"shape": (24, 40), "axis": 1},
        "3-D axis 1": {"shape": (6, 40, 10), "axis": 1},
    },
    problem=Lattice,
    error=lambda result, problem: problem.difference(result, _STEPS),
    reference="copy of the array",
    work=lambda problem: float(_STEPS * problem.values.size),
    unit="updates",
    goals=[Goal("heatpg explicit", "faster", 4.0, "copy of the array")],
)


@task.competitor("heatpg explicit", tolerance=1e-12)
def _explicit(problem: Lattice) -> Run:
    from heatpg import Axis
    from heatpg.solvers import make

    size = problem.shape[problem.axis]
    axis = Axis("x", 0.0, float(size), size, boundary="reflect", nodes="cell")
    solver: Any = make("explicit", step=2.0 * _SHARE)
    operator = solver.operator(axis, 0.0, 2.0 * _SHARE * _STEPS, problem.values.dtype)
    result = np.empty_like(problem.values)

    def run() -> Array:
        operator.apply(problem.values, result, problem.axis)
        return result

    return run


@task.competitor(
    "hand-written Numba sweep",
    requires=["numba"],
    tolerance=1e-12,
    work=lambda problem: float(_SWEEPS * problem.values.size),
    error=lambda result, problem: problem.difference(result, _SWEEPS),
)
def _sweep(problem: Lattice) -> Run:
    from benchmarks import loops

    inner = math.prod(problem.shape[problem.axis + 1 :])
    size = problem.shape[problem.axis]
    shape = (-1, size) if inner == 1 else (-1, size, inner)
    step = loops.sweep_rows if inner == 1 else loops.sweep_columns
    first, second = np.empty_like(problem.values), np.empty_like(problem.values)

    def run() -> Array:
        np.copyto(first, problem.values)
        return step(first.reshape(shape), second.reshape(shape), _SWEEPS, _SHARE).reshape(problem.shape)

    return run


@task.competitor(
    "copy of the array",
    work=lambda problem: float(problem.values.size),
    error=lambda result, problem: problem.difference(result, 0),
)
def _copy(problem: Lattice) -> Run:
    result = np.empty_like(problem.values)

    def run() -> Array:
        np.copyto(result, problem.values)
        return result

    return run
