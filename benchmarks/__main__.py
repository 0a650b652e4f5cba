"""Measure heatpg against other packages, hand-written code and the limits of the machine."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.registry import TASKS, find_task
from benchmarks.report import Report, aligned, markdown
from benchmarks.runner import Settings, measure_case

__all__ = ["main"]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    defaults = Settings()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("tasks", metavar="TASK", nargs="*", help=f"{', '.join(TASKS)}; all of them by default")
    parser.add_argument("--case", action="append", metavar="TEXT", help="only cases whose label contains this")
    parser.add_argument("--rounds", type=int, default=defaults.rounds, help="rounds, of which the median counts")
    parser.add_argument("--threads", type=int, default=defaults.threads, help="threads of every competitor")
    parser.add_argument(
        "--patience", type=float, default=defaults.patience, help="seconds that a case may wait for a quiet machine"
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="PYTHON",
        help="Python of an environment with another build of heatpg, which takes part; its ratio is to this build",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument(
        "--markdown",
        type=Path,
        metavar="FILE",
        help="write the tables, below the kind of processor; those of other kinds stay",
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes: a trial that measures nothing")
    parser.add_argument("--full", action="store_true", help="the largest sizes as well")
    parser.add_argument("--list", action="store_true", help="list tasks, cases and competitors, and end")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.tasks if name not in TASKS]
    if unknown:
        parser.error(f"unknown task {unknown[0]!r}; known are {', '.join(TASKS)}")
    if options.against is not None and not options.against.is_file():
        parser.error(
            f"--against: there is no {options.against}; give the Python of an environment, as .venv/bin/python"
        )
    if options.rounds < 1 or options.threads < 1:
        parser.error("--rounds and --threads are at least 1")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    options = _parse(arguments)
    tasks = [find_task(name) for name in options.tasks or TASKS]
    if options.list:
        for task in tasks:
            print(f"{task.name}: {task.summary}")
            for label in task.labels(options.quick):
                print(f"  {label}: " + "; ".join(entry.name for entry in task.taking_part(label, options.full)))
        return 0
    settings = Settings(
        rounds=options.rounds,
        threads=options.threads,
        quick=options.quick,
        full=options.full,
        patience=options.patience,
        against=options.against,
    )
    date = datetime.date.today().isoformat()
    report = Report(date, describe(options.threads), [], goals=not options.quick)
    print(report.heading())
    print("ratio: time per unit of work, as a multiple of that of the competitor named beside it; lower is better")
    done = []
    written = options.markdown is not None and options.markdown.exists()
    before = options.markdown.read_text(encoding="utf-8") if written else ""
    for task in tasks:
        print(f"\n{task.name}: {task.summary}")
        labels = [
            label for label in task.labels(options.quick) if not options.case or any(t in label for t in options.case)
        ]
        done.append((task, labels))
        for label in labels:
            report.rows += measure_case(task, label, settings, _say)
            print(f"\n {label} ({report.limits(task, label)})")
            print(aligned(report.table(task, label)))
            for line in report.verdicts(task, label):
                print(f"  {line}", flush=True)
            # after each case, so that an interrupted run keeps what it has
            if options.json is not None:
                options.json.write_text(report.json(), encoding="utf-8")
            if options.markdown is not None:
                options.markdown.write_text(markdown(report, done, before), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
