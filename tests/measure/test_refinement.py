"""How grids and steps are refined, and what is done about round-off and late asymptotics."""

from __future__ import annotations

import dataclasses
from typing import Any

from heatpg.measure import work_precision
from heatpg.measure.refinement import order_row, refined_in_space, variants
from heatpg.solvers import make
from heatpg.solvers.explicit import Explicit
from heatpg.solvers.exponential import Exponential


def place() -> dict[str, Any]:
    return {
        "solver": "s",
        "options": {},
        "boundary": "reflect",
        "nodes": "vertex",
        "dimension": 1,
        "data": "made up",
    }


def test_errors_at_round_off_are_dropped_and_said() -> None:
    def measure(level: int) -> tuple[float, float, float]:
        step = 2.0**-level
        return step, 1e-13 * step**4 + 1e-17, 1e-16

    row = order_row(measure, 4.0, axis="space", source="", **place())
    assert row.passed
    assert row.note == "1 at rounding error dropped"
    assert row.refinements == (4.0, 2.0, 1.0, 0.5, 0.25)


def test_late_asymptotics_take_finer_grids_and_say_so() -> None:
    def measure(level: int) -> tuple[float, float, float]:
        step = 2.0**-level
        return step, step**2 * (1.0 + step), 0.0

    row = order_row(measure, 2.0, axis="space", source="", **place())
    assert row.passed
    assert "not yet asymptotic" in row.note
    assert len(row.errors) == 5


def test_a_solver_without_any_error_left_fails_with_a_word() -> None:
    row = order_row(lambda level: (2.0**-level, 0.0, 1e-16), 2.0, axis="space", source="", **place())
    assert (row.observed, row.passed) == (None, False)
    assert "too few left" in row.note


def test_variants_are_the_choices_of_an_option() -> None:
    @dataclasses.dataclass(frozen=True)
    class Two(Exponential):
        kind: str = dataclasses.field(default="a", metadata={"choices": ("a", "b")})

    plain = Two()
    assert variants(plain) == [plain]
    assert [solver.exact_in_time for solver in variants("compact")] == [True, False]


def test_steps_follow_the_grid() -> None:
    sizes = (13, 25, 49)
    for solver, expected in (
        (make("implicit"), [64, 256, 1024]),
        (make("crank_nicolson"), [64, 128, 256]),
        (make("crank_nicolson", step=0.1), [64, 128, 256]),
    ):
        on = refined_in_space(solver, lambda level: work_precision._problem(sizes[level]), 0.1)
        assert [on(level)[0].options()["steps"] for level in range(3)] == expected
    on = refined_in_space(Explicit(step=1.0), lambda level: work_precision._problem(sizes[level]), 0.1)
    for level in range(3):
        solver, landscape = on(level)
        solver.check(landscape.grid[0], 0.0, 0.01)
