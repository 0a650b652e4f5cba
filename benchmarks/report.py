"""Tables of the figures: for the terminal, as Markdown, as JSON."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from typing import Any

from benchmarks.registry import Task, find_task, verdict
from benchmarks.runner import Row

__all__ = ["Report", "aligned", "markdown"]

_BYTES_PER_UPDATE = 16  # a sweep reads and writes one number of eight bytes
_TEXT = ("competitor", "to", "operation", "traffic")  # columns of words


def _number(value: float | None, digits: int = 3) -> str:
    """A figure with three digits that count."""
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 10**digits else f"{value:#.{digits}g}".rstrip(".")


@dataclasses.dataclass
class Report:
    """Figures of a whole run, and whether they say anything about the goals."""

    date: str
    machine: dict[str, Any]
    rows: list[Row]
    goals: bool = True

    def _of(self, task: Task, case: str) -> list[Row]:
        return [row for row in self.rows if row.task == task.name and row.case == case]

    def _clock(self, task: Task) -> str:
        return "wall" if self.machine["threads"] > 1 else task.clock

    def table(self, task: Task, case: str) -> list[list[str]]:
        """A heading and a row for each competitor, the fastest per unit of work first."""
        head = ["competitor", "ms", "min", "max", "cpu ms", "ratio", "to", "error", "disturbed"]
        head += {"updates": ["G updates/s"], "points": ["ns/point"]}.get(task.unit, [])
        head += ["memory"] if task.memory else []
        profiled = any(row.effort is not None for row in self._of(task, case))
        head += ["passes", "GB/s", "of copy", "G/s", "of sweep", "operation", "traffic"] if profiled else []
        table = [head]
        for row in sorted(self._of(task, case), key=lambda row: row.per_work(self._clock(task))):
            times = [row.wall_median, min(row.wall), max(row.wall), row.cpu_median]
            line = [row.competitor, *(_number(1e3 * seconds) for seconds in times)]
            line += [_number(row.ratio), row.reference, f"{row.error:.1e}", f"{row.disturbed}/{len(row.wall)}"]
            each = row.per_work(self._clock(task))
            line += {"updates": [_number(1e-9 / each)], "points": [_number(1e9 * each)]}.get(task.unit, [])
            line += [_number(row.memory)] if task.memory else []
            if profiled:
                speeds = self.speeds(task, row)
                line += [_number(speeds.get(key)) for key in ("passes", "GB/s", "of copy", "G/s", "of sweep")]
                line += [row.effort.kind, row.effort.model] if row.effort else ["", ""]
            table.append(line)
        return table

    def speeds(self, task: Task, row: Row) -> dict[str, float]:
        """Traffic and arithmetic of a row, against a copy and against a sweep that copies once an update.

        A pass reads and writes all points once.
        """
        if row.effort is None:
            return {}
        each = row.per_work(self._clock(task))
        speed = row.effort.traffic / row.work / each
        result = {"passes": row.effort.traffic / row.work / _BYTES_PER_UPDATE, "GB/s": speed / 1e9}
        rate = row.effort.operations / row.work / each
        if rate > 0:
            result["G/s"] = rate / 1e9
        if row.copy_bandwidth:
            result["of copy"] = speed / row.copy_bandwidth
            if rate > 0:
                result["of sweep"] = rate * _BYTES_PER_UPDATE / row.copy_bandwidth
        return result

    def limits(self, task: Task, case: str) -> str:
        """The limits of the machine while a case was measured."""
        bandwidth = next((row.copy_bandwidth for row in self._of(task, case) if row.copy_bandwidth), None)
        if bandwidth is None:
            return ""
        rate = bandwidth / _BYTES_PER_UPDATE / 1e9
        return f"copy {bandwidth / 1e9:.1f} GB/s, memory-bound {rate:.2f} G updates/s"

    def verdicts(self, task: Task, case: str) -> list[str]:
        """Each goal of a case with its figure."""
        rows = {row.competitor: row for row in self._of(task, case)}
        lines = []
        for goal in task.goals if self.goals else ():
            row = rows.get(goal.competitor)
            if row is None or (goal.cases is not None and case not in goal.cases):
                continue
            clock = self._clock(task)
            other = rows[goal.against].per_work(clock) if goal.against in rows else None
            outcome = verdict(goal, row.per_work(clock), row.memory, other)
            if outcome is not None:
                against = f" against {goal.against}" if goal.against else ""
                lines.append(f"{'met' if outcome[0] else 'MISSED'}: {goal.competitor}{against}: {outcome[1]}")
        return lines

    def json(self) -> str:
        """Everything, for programs."""
        rows = [
            {
                **dataclasses.asdict(row),
                "wall_median": row.wall_median,
                "cpu_median": row.cpu_median,
                **({"speeds": self.speeds(find_task(row.task), row)} if row.effort else {}),
            }
            for row in self.rows
        ]
        return json.dumps({"date": self.date, "machine": self.machine, "rows": rows}, indent=2) + "\n"

    def heading(self) -> str:
        """The machine in one line."""
        machine = self.machine
        versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        return (
            f"{self.date}; {machine['processor']}, {machine['cores']} cores, {machine['threads']} used; "
            f"{machine['system']}; Python {machine['python']}, {versions}"
        )


def aligned(table: Sequence[Sequence[str]]) -> str:
    """Columns under each other: text to the left, figures to the right."""
    text = {index for index, title in enumerate(table[0]) if title in _TEXT}
    widths = [max(len(line[index]) for line in table) for index in range(len(table[0]))]
    lines = []
    for line in table:
        cells = [
            cell.ljust(width) if index in text else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)


def markdown(report: Report, tasks: Sequence[tuple[Task, Sequence[str]]], before: str = "") -> str:
    """The whole report as Markdown, below the kind of processor; what `before` has of other kinds stays.

    Parameters
    ----------
    report
        Figures.
    tasks
        Tasks with their cases, in the order of the tables.
    before
        What this function has made of other reports.
    """
    kind = report.machine["kind"]
    lines = [f"## {kind}", "", report.heading(), ""]
    for task, cases in tasks:
        lines += [f"### {task.name}", "", task.summary, ""]
        for case in cases:
            table = report.table(task, case)
            lines += [f"#### {case}", "", report.limits(task, case), ""]
            rule = [":---" if title in _TEXT else "---:" for title in table[0]]
            lines += ["| " + " | ".join(line) + " |" for line in (table[0], rule, *table[1:])]
            goals = [f"- {line}" for line in report.verdicts(task, case)]
            lines += ["", *goals, *([""] if goals else [])]
    # what stands before the first kind is a title
    _, *others = re.split(r"^(?=## )", before, flags=re.MULTILINE)
    parts = {part.splitlines()[0].removeprefix("## "): part.strip("\n") for part in others}
    parts[kind] = "\n".join(lines).strip("\n")
    return "\n\n".join(["# Figures", *(parts[name] for name in sorted(parts))]) + "\n"
