"""What a task is: cases, a problem each, and the competitors that solve it."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

__all__ = ["TASKS", "Competitor", "Effort", "Goal", "Run", "Task", "find_task", "verdict"]

TASKS = (
    "smooth",
    "stencil",
    "transform",
    "rough",
    "coarse",
    "batch",
    "archive",
    "shards",
    "call",
    "start",
    "size",
    "profile",
    "rollouts",
)

Run = Callable[[], Any]
Setup = Callable[[Any], Run]
Error = Callable[[Any, Any], float]


@dataclasses.dataclass(frozen=True)
class Effort:
    """What one call does, by theory.

    Attributes
    ----------
    traffic
        Bytes that it reads from memory and writes there.
    model
        How they were counted.
    operations
        Number of arithmetic operations; 0 where they are not counted.
    kind
        What an operation is.
    """

    traffic: float
    model: str
    operations: float = 0.0
    kind: str = ""


@dataclasses.dataclass(frozen=True)
class Competitor:
    """One way to solve a task.

    Attributes
    ----------
    name
        As printed; it begins with the package, or with ``hand-written``.
    setup
        Makes the call that is timed from the problem; imports and plans, so nothing of this is timed.
    requires
        Modules without which it is left out.
    tolerance
        Largest error with which its answer counts as right.
    cases
        Labels of the cases it takes part in; all of them if None.
    work
        Units of work of one call from the problem, where competitors do different amounts of it.
    reference
        The competitor it is compared with, if not that of the task.
    error
        Error of its result, if it is measured otherwise than that of the others.
    large
        Whether it only takes part in full runs.
    effort
        What one call does, from the problem.
    """

    name: str
    setup: Setup
    requires: tuple[str, ...]
    tolerance: float
    cases: tuple[str, ...] | None
    work: Callable[[Any], float] | None
    reference: str | None
    error: Error | None
    large: bool
    effort: Callable[[Any], Effort | None] | None

    def missing(self) -> list[str]:
        """Modules it needs that are not installed."""
        return [module for module in self.requires if importlib.util.find_spec(module) is None]


@dataclasses.dataclass(frozen=True)
class Goal:
    """What heatpg wants to reach.

    Attributes
    ----------
    competitor
        Whose goal it is.
    kind
        ``faster``: at least `bound` times faster than `against`; ``within``: at most `bound` times its time;
        ``over``: at most `bound` seconds more than it; ``seconds``, ``memory``: at most `bound` of them; ``rate``: at
        least `bound` units of work a second.
    bound
        The number.
    against
        The other competitor.
    cases
        Labels of the cases it holds for; all of them if None.
    """

    competitor: str
    kind: Literal["faster", "within", "over", "seconds", "memory", "rate"]
    bound: float
    against: str = ""
    cases: tuple[str, ...] | None = None


class Task:
    """A task with its competitors.

    Parameters
    ----------
    name, summary
        What is printed.
    cases, quick
        Options of each case by its label; `quick` are tiny ones for a trial. Labels of both may agree.
    problem
        Makes the inputs of a case from its options, the same ones in every process.
    error
        Error of a result.
    reference
        Competitor to whose time the others are related, by unit of work.
    work
        Units of work of one call.
    unit
        What `work` counts: ``updates`` are printed as a rate, ``points`` as time per point.
    clock
        The time that ratios are made of on one thread: of the processor, or of the wall for what waits.
    memory
        Whether peak memory is printed.
    rounds
        The most rounds, for calls that take long.
    goals
        What heatpg wants to reach.
    """

    # so many, because a task is declared in one place and each is a line of its description
    def __init__(
        self,
        name: str,
        summary: str,
        *,
        cases: Mapping[str, Mapping[str, Any]],
        quick: Mapping[str, Mapping[str, Any]],
        problem: Callable[..., Any],
        error: Error,
        reference: str,
        work: Callable[[Any], float] = lambda problem: 1.0,
        unit: Literal["", "updates", "points"] = "",
        clock: Literal["cpu", "wall"] = "cpu",
        memory: bool = False,
        rounds: int | None = None,
        goals: Sequence[Goal] = (),
    ) -> None:
        self.name = name
        self.summary = summary
        self.cases = cases
        self.quick = quick
        self.problem = problem
        self.error = error
        self.reference = reference
        self.work = work
        self.unit = unit
        self.clock = clock
        self.memory = memory
        self.rounds = rounds
        self.goals = tuple(goals)
        self.competitors: dict[str, Competitor] = {}

    def competitor(
        self,
        name: str,
        *,
        requires: Sequence[str] = (),
        tolerance: float = 1e-9,
        cases: Sequence[str] | None = None,
        work: Callable[[Any], float] | None = None,
        reference: str | None = None,
        error: Error | None = None,
        large: bool = False,
        effort: Callable[[Any], Effort | None] | None = None,
    ) -> Callable[[Setup], Setup]:
        """Register the decorated set-up as a competitor; see `Competitor`."""

        def add(setup: Setup) -> Setup:
            if name in self.competitors:
                raise ValueError(f"{self.name} has a competitor {name!r} already")
            labels = None if cases is None else tuple(cases)
            self.competitors[name] = Competitor(
                name, setup, tuple(requires), tolerance, labels, work, reference, error, large, effort
            )
            return setup

        return add

    def labels(self, quick: bool) -> Mapping[str, Mapping[str, Any]]:
        """The cases of a run."""
        return self.quick if quick else self.cases

    def taking_part(self, label: str, full: bool = False) -> list[Competitor]:
        """Competitors of a case, installed or not."""
        return [
            entry
            for entry in self.competitors.values()
            if (entry.cases is None or label in entry.cases) and (full or not entry.large)
        ]

    def error_of(self, competitor: Competitor, result: Any, problem: Any) -> float:
        """Error of a result of a competitor."""
        return float((competitor.error or self.error)(result, problem))

    def work_of(self, competitor: Competitor, problem: Any) -> float:
        """Units of work of one call."""
        return (competitor.work or self.work)(problem)

    def reference_of(self, competitor: str) -> str:
        """The competitor that this one is compared with."""
        return self.competitors[competitor].reference or self.reference


def verdict(goal: Goal, seconds: float, memory: float | None, other: float | None) -> tuple[bool, str] | None:
    """Whether a goal is met, and how the figure compares; None where there is no figure.

    Parameters
    ----------
    goal
        The goal.
    seconds, memory
        Of its competitor, per unit of work.
    other
        Seconds of the competitor that it is measured against.
    """
    if goal.kind == "seconds":
        return seconds <= goal.bound, f"{seconds:.3g} s, goal at most {goal.bound:g} s"
    if goal.kind == "rate":
        return 1.0 / seconds >= goal.bound, f"{1e-6 / seconds:.3g} million a second, goal at least {goal.bound / 1e6:g}"
    if goal.kind == "memory":
        if memory is None:
            return None
        return memory <= goal.bound, f"{memory:.2f} times the field, goal at most {goal.bound:g}"
    if other is None:
        return None
    if goal.kind == "faster":
        return other / seconds >= goal.bound, f"{other / seconds:.3g} times faster, goal at least {goal.bound:g}"
    if goal.kind == "within":
        return seconds / other <= goal.bound, f"{seconds / other:.3g} times its time, goal at most {goal.bound:g}"
    over = seconds - other
    return over <= goal.bound, f"{over * 1e3:.3g} ms more, goal at most {goal.bound * 1e3:g} ms more"


def find_task(name: str) -> Task:
    """The task of this name, with all of its competitors."""
    task: Task = importlib.import_module(f"benchmarks.tasks.{name}").task
    return task
