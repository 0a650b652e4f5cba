"""Competitors of the benchmarks give the right answer, and figures become tables. No speed is asserted here."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.registry import TASKS, Effort, Goal, Task, find_task, verdict
from benchmarks.report import Report, aligned, markdown
from benchmarks.runner import ANOTHER_BUILD, Row, Settings, Worker
from benchmarks.worker import batch, prepare
from heatpg.solvers import solvers

# Processes and simulators take seconds, and have tests of their own.
IN_PROCESS = tuple(name for name in TASKS if name not in ("start", "rollouts", "shards"))
LARGE_GRIDS = tuple(f"heatpg {size}^2" for size in (1024, 2048, 4096, 8192))


def competitors() -> Iterator[tuple[str, str, str]]:
    for name in IN_PROCESS:
        task = find_task(name)
        for case in task.quick:
            for competitor in task.taking_part(case):
                if "pde" not in competitor.requires and competitor.name not in LARGE_GRIDS:
                    yield name, case, competitor.name


@pytest.mark.parametrize(("name", "case", "competitor"), list(competitors()))
def test_competitor_is_right(name: str, case: str, competitor: str) -> None:
    task = find_task(name)
    entry = task.competitors[competitor]
    if entry.missing():
        pytest.skip(f"{entry.missing()[0]} is not installed")
    _, facts = prepare(name, case, competitor, quick=True)
    assert facts["error"] <= entry.tolerance
    assert facts["work"] > 0
    problem = task.problem(**task.quick[case])
    again = entry.setup(problem)
    again()
    assert task.error_of(entry, again(), problem) <= entry.tolerance  # work space is used twice without harm


def test_every_task_compares_with_its_reference() -> None:
    for name in TASKS:
        task = find_task(name)
        assert task.name == name
        for labels in (task.cases, task.quick):
            for case in labels:
                present = {competitor.name for competitor in task.taking_part(case, full=True)}
                assert {task.reference_of(competitor) for competitor in present} <= present
        names = set(task.competitors)
        for goal in task.goals:
            assert {goal.competitor, goal.against or goal.competitor} <= names
            assert set(goal.cases or ()) <= set(task.cases)


def test_batch_times_calls() -> None:
    calls = []
    figures = batch(lambda: calls.append(1), 3, warm=True)
    assert len(calls) == 4
    assert figures["wall"] >= 0 and figures["cpu"] >= 0 and figures["foreign"] >= 0


def tiny_task() -> Task:
    task = Task(
        "tiny",
        "two competitors",
        cases={"one": {}},
        quick={"one": {}},
        problem=lambda: None,
        error=lambda result, problem: 0.0,
        reference="theirs",
        unit="points",
        memory=True,
        goals=[Goal("ours", "faster", 3.0, "theirs"), Goal("ours", "within", 0.3, "theirs")],
    )
    for name in ("ours", "theirs"):
        task.competitor(name)(lambda problem: lambda: None)
    return task


def report_of(task: Task) -> Report:
    ours = Row(task.name, "one", "ours", error=1e-15, work=2.0, memory=2.0, reference="theirs", ratio=0.4)
    ours.wall, ours.cpu, ours.copy_bandwidth = [2e-3, 1e-3, 3e-3], [1e-3, 2e-3, 3e-3], 32e9
    theirs = Row(task.name, "one", "theirs", error=0.0, work=2.0, reference="theirs", ratio=1.0)
    theirs.wall, theirs.cpu, theirs.copy_bandwidth = [5e-3], [5e-3], 32e9
    machine = {
        "processor": "P",
        "cores": 2,
        "threads": 1,
        "system": "S",
        "kind": "avx2",
        "python": "3",
        "versions": {"heatpg": "0"},
    }
    return Report("2026-01-01", machine, [theirs, ours])


def test_table_is_aligned_and_sorted() -> None:
    task = tiny_task()
    report = report_of(task)
    table = report.table(task, "one")
    assert table[0][:8] == ["competitor", "ms", "min", "max", "cpu ms", "ratio", "to", "error"]
    assert table[0][8:] == ["disturbed", "ns/point", "memory"]
    assert table[1][:5] == ["ours", "2.00", "1.00", "3.00", "2.00"]
    assert [line[0] for line in table[1:]] == ["ours", "theirs"]
    lines = aligned(table).splitlines()
    assert len({line.find("theirs", 10) for line in lines[1:]}) == 1
    assert report.limits(task, "one") == "copy 32.0 GB/s, memory-bound 2.00 G updates/s"


def test_goals_are_judged() -> None:
    task = tiny_task()
    missed, met = (
        report_of(task).verdicts(task, "one")[0],
        verdict(Goal("ours", "over", 1e-3, "theirs"), 2.0, None, 2.0),
    )
    assert missed == "MISSED: ours against theirs: 2.5 times faster, goal at least 3"
    assert met is not None and met[0]
    assert verdict(Goal("ours", "faster", 3.0, "theirs"), 1.0, None, None) is None
    assert verdict(Goal("ours", "memory", 3.0), 1.0, None, None) is None
    over, below = (
        verdict(Goal("ours", "seconds", 1.0), 2.0, None, None),
        verdict(Goal("o", "rate", 2.0), 1.0, None, None),
    )
    assert over is not None and not over[0]
    assert below is not None and not below[0]


def test_effort_becomes_speeds() -> None:
    task = find_task("profile")
    row = Row(task.name, "one", "heatpg explicit", error=0.0, work=1e6, reference="copy of the array")
    row.wall, row.cpu, row.copy_bandwidth = [4e-3], [4e-3], 32e9
    row.effort = Effort(32e6, "read, write per axis", 16e6, "updates")
    copy = Row(task.name, "one", "copy of the array", error=0.0, work=1e6, reference="copy of the array")
    copy.wall, copy.cpu, copy.copy_bandwidth = [5e-4], [5e-4], 32e9
    report = Report("2026-01-01", {"threads": 1}, [row, copy])
    expected = {"passes": 2.0, "GB/s": 8.0, "of copy": 0.25, "G/s": 4.0, "of sweep": 2.0}
    assert report.speeds(task, row) == pytest.approx(expected)
    assert json.loads(report.json())["rows"][0]["speeds"] == pytest.approx(expected)
    head, first, second = report.table(task, "one")
    assert head[-7:] == ["passes", "GB/s", "of copy", "G/s", "of sweep", "operation", "traffic"]
    assert first[-7:] == [""] * 7
    assert second[-7:] == ["2.00", "8.00", "0.250", "4.00", "2.00", "updates", "read, write per axis"]


def test_every_solver_is_profiled() -> None:
    task = find_task("profile")
    assert {name.split()[1] for name in task.competitors if name.startswith("heatpg ")} == set(solvers.names())
    plane, cube = (task.problem(**task.quick[case]) for case in task.quick)
    for competitor in task.competitors.values():
        assert competitor.effort is not None
        flat, deep = competitor.effort(plane), competitor.effort(cube)
        assert flat is not None and deep is not None
        assert deep.traffic / cube.values.size >= flat.traffic / plane.values.size > 0


@pytest.mark.parametrize("name", ["coarse", "batch", "archive", "shards"])
def test_quick_trial_measures_everything_installed(name: str, tmp_path: Path) -> None:
    figures, task = tmp_path / "figures.json", find_task(name)
    case = next(iter(task.quick))
    assert main([name, "--quick", "--case", case, "--rounds", "1", "--json", str(figures)]) == 0
    rows = json.loads(figures.read_text(encoding="utf-8"))["rows"]
    assert {row["competitor"] for row in rows} == {e.name for e in task.taking_part(case) if not e.missing()}


def test_json_and_markdown_hold_the_figures() -> None:
    task = tiny_task()
    report = report_of(task)
    whole = json.loads(report.json())
    assert whole["date"] == "2026-01-01" and whole["machine"]["versions"] == {"heatpg": "0"}
    ours = next(row for row in whole["rows"] if row["competitor"] == "ours")
    assert math.isclose(ours["wall_median"], 2e-3) and ours["ratio"] == 0.4 and ours["error"] == 1e-15
    text = markdown(report, [(task, ["one"])])
    assert "| ours | 2.00 |" in text and "- MISSED: ours against theirs" in text


def test_markdown_keeps_the_tables_of_other_kinds_of_processors() -> None:
    task = tiny_task()
    wide, narrow, again = report_of(task), report_of(task), report_of(task)
    wide.machine["kind"], narrow.machine["kind"] = "avx512", "avx2"
    again.date = "2026-02-02"
    first = markdown(wide, [(task, ["one"])])
    both = markdown(narrow, [(task, ["one"])], first)
    assert [line for line in both.splitlines() if line.startswith("## ")] == ["## avx2", "## avx512"]
    assert both.startswith("# Figures\n\n## avx2\n") and both.endswith(first.removeprefix("# Figures\n"))
    # made anew, and in the place of what was there
    again.machine["kind"] = "avx512"
    renewed = markdown(again, [(task, ["one"])], both)
    assert renewed.count("2026-02-02") == 1 and renewed.count("2026-01-01") == both.count("2026-01-01") - 1
    assert markdown(wide, [(task, ["one"])], renewed) == both


def test_command_line_measures_in_processes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures, tables = tmp_path / "figures.json", tmp_path / "tables.md"
    arguments = ["call", "--quick", "--case", "1-D", "--rounds", "1", "--json", str(figures), "--markdown", str(tables)]
    assert main(arguments) == 0
    rows = json.loads(figures.read_text(encoding="utf-8"))["rows"]
    assert {row["competitor"] for row in rows} == set(find_task("call").competitors)
    assert all(row["ratio"] > 0 and len(row["wall"]) == 1 for row in rows)
    assert "scipy.fft by hand" in tables.read_text(encoding="utf-8")
    assert "MISSED" not in capsys.readouterr().out  # tiny sizes say nothing about goals


def test_command_line_lists_and_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert all(f"{name}: {find_task(name).summary}" in listed for name in TASKS)
    with pytest.raises(SystemExit):
        main(["no_such_task"])
    assert "unknown task 'no_such_task'" in capsys.readouterr().err


def test_another_build_takes_part_beside_this_one(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    arguments = ["call", "--quick", "--case", "1-D", "--rounds", "1", "--against", sys.executable]
    assert main([*arguments, "--json", str(figures)]) == 0
    rows = {row["competitor"]: row for row in json.loads(figures.read_text(encoding="utf-8"))["rows"]}
    ours = {name for name in find_task("call").competitors if name.startswith("heatpg")}
    assert {f"{name} {ANOTHER_BUILD}" for name in ours} == set(rows) - set(find_task("call").competitors)
    for name in ours:
        assert rows[f"{name} {ANOTHER_BUILD}"]["reference"] == name and rows[f"{name} {ANOTHER_BUILD}"]["ratio"] > 0


def test_another_build_is_the_one_of_its_environment(tmp_path: Path) -> None:
    # an environment whose heatpg fails in words of its own, beside the benchmarks of this tree
    package = tmp_path / "heatpg"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('the other build')\n")
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\nPYTHONPATH="{tmp_path}" exec "{sys.executable}" "$@"\n',
    )
    python.chmod(0o755)
    worker = Worker(
        "call", next(iter(find_task("call").quick)), "heatpg spectral, checks=none", Settings(quick=True), python
    )
    try:
        assert worker.receive() == {"failure": "ImportError: the other build"}
    finally:
        worker.close()


def test_an_environment_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["call", "--against", "/nowhere/bin/python"])
    assert "there is no /nowhere/bin/python" in capsys.readouterr().err
