"""Runge-Kutta steps per second of the simulated landscapes; `benchmarks.rollouts` is the same as a program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.problems import Array
from benchmarks.registry import Goal, Run, Task

__all__ = ["task"]


class Returns:
    """The ways to sample one system, and the returns by the hand-written loop."""

    def __init__(self, system: str, size: int) -> None:
        from benchmarks.rollouts import STEPS, competitors

        self.ways: dict[str, Callable[[], Array]] = competitors(size)[system]
        self.steps = size**2 * STEPS
        self.expected = self.ways["scalar loop"]()

    def difference(self, result: Any) -> float:
        """Largest difference of the returns, in units of the largest return."""
        return float(np.abs(result - self.expected).max() / np.abs(self.expected).max())


task = Task(
    "rollouts",
    "Runge-Kutta steps per second of rollouts over a grid of actions, against scalar loops written by hand",
    cases={system: {"system": system, "size": 256} for system in ("double pendulum", "quadrotor")},
    quick={system: {"system": system, "size": 16} for system in ("double pendulum", "quadrotor")},
    problem=Returns,
    error=lambda result, problem: problem.difference(result),
    reference="hand-written Numba loop",
    work=lambda problem: float(problem.steps),
    unit="updates",
    goals=[Goal("heatpg", "rate", 9e6)],
)


@task.competitor("heatpg", tolerance=1e-8)
def _heatpg(problem: Returns) -> Run:
    return problem.ways["heatpg"]


@task.competitor("hand-written Numba loop", requires=["numba"], tolerance=0.0)
def _loop(problem: Returns) -> Run:
    return problem.ways["scalar loop"]
