"""Work against precision: what is measured, its table and its figure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heatpg import Landscape
from heatpg.evolution import Evolution, solve
from heatpg.measure import work_precision
from heatpg.plot.convergence import orders as drawn
from heatpg.solvers import Solver


def test_work_precision_and_its_figure(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    names = ["explicit", "spectral", "implicit"]
    runs = work_precision.work_precision(
        names, sizes=(13, 25, 49), progress=lambda done, total: calls.append((done, total))
    )
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert list(dict.fromkeys(run.solver for run in runs)) == names
    for name in names:
        errors = [run.error for run in runs if run.solver == name]
        assert errors == sorted(errors, reverse=True)
    assert all(run.seconds > 0 for run in runs)
    json.dumps([run.as_dict() for run in runs], allow_nan=False)
    assert work_precision.table(runs)[0].startswith("error at most")
    # an error that no size reached has a dash, so that no column looks forgotten
    assert work_precision.table(runs[:1])[1].split()[-1] == "-"
    figure = drawn(runs)
    left, right = figure.axes
    assert [len(left.lines), len(right.lines)] == [3, 5]  # two slope triangles
    assert {text.get_text() for text in right.texts} == {"2", "4"}
    assert [line.get_marker() for line in left.lines] == ["o", "s", "^"]
    figure.savefig(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 10_000
    drawn(runs[:1]).savefig(tmp_path / "one.png")


def test_compilation_is_never_what_was_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that a first solve of any size moves by ten seconds, as one that compiles, and every other by 1 ms."""
    clock, seen = [0.0], set()

    def slow_at_first(landscape: Landscape, sigma: float, solver: Solver) -> Evolution:
        clock[0] += 1e-3 if landscape.grid.shape in seen else 10.0
        seen.add(landscape.grid.shape)
        return solve(landscape, sigma, solver)

    monkeypatch.setattr(work_precision, "solve", slow_at_first)
    monkeypatch.setattr("heatpg.measure.work_precision.time.process_time", lambda: clock[0])
    runs = work_precision.work_precision(["exponential"], sizes=[13, 19, 25])
    assert [run.size for run in runs] == [13, 19, 25]
    assert [run.seconds for run in runs] == pytest.approx([1e-3] * 3)
