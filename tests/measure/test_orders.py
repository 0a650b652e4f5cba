"""The convergence suite: known orders are found, planted faults are failed rows."""

from __future__ import annotations

import dataclasses
import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatpg.boundaries import boundaries
from heatpg.core.grid import Axis
from heatpg.errors import UnsupportedError
from heatpg.measure import orders as convergence
from heatpg.measure import work_precision
from heatpg.measure.operators import operator_properties, step_matrix
from heatpg.measure.orders import Row
from heatpg.plot.convergence import orders as drawn
from heatpg.solvers import make, solvers
from heatpg.solvers.base import LineOperator, Solver
from heatpg.solvers.crank_nicolson import CrankNicolson
from heatpg.solvers.explicit import Explicit
from heatpg.solvers.exponential import Exponential
from heatpg.solvers.implicit import Implicit
from heatpg.solvers.spectral import Spectral
from heatpg.solvers.transforms import TransformFlow


@functools.cache
def rows_of(name: str) -> tuple[Row, ...]:
    """Everything about one solver in one dimension."""
    return tuple(convergence.orders([name], dimensions=[1]))


@pytest.mark.parametrize("name", solvers.names())
def test_every_solver_has_the_orders_that_it_declares(name: str) -> None:
    rows = rows_of(name)
    assert [row for row in rows if not row.passed] == []
    for boundary in boundaries.names():
        assert {row.axis for row in rows if row.boundary == boundary} & {"space", "exact"}
        assert {row.data for row in rows if row.boundary == boundary and row.axis == "operator"} >= {"signs"}
    assert {row.data for row in rows if row.axis == "rough"} >= set(convergence.ROUGH_IN_SPACE)


@pytest.mark.parametrize("name", solvers.names())
def test_an_order_is_a_slope_over_at_least_four_refinements(name: str) -> None:
    for row in rows_of(name):
        if isinstance(row.declared, str):
            continue
        assert len(row.refinements) == len(row.errors) == 5
        assert len(row.slopes) == 4
        assert (np.diff(row.refinements) < 0).all()
        assert row.observed == pytest.approx(np.polyfit(np.log(row.refinements), np.log(row.errors), 1)[0], abs=1e-9)
        assert row.source


@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("boundary", boundaries.names())
def test_orders_in_more_dimensions(boundary: str, nodes: Any) -> None:
    for dimension in (2, 3):
        assert convergence.order_in_space(make("exponential"), boundary, dimension, nodes).passed
        assert convergence.exactness(make("spectral"), boundary, dimension, nodes).passed
    assert convergence.order_in_time(make("crank_nicolson"), boundary, 2, nodes).passed


def found(name: str, axis: str, data: str = "", **options: Any) -> Row:
    return next(
        row for row in rows_of(name) if row.axis == axis and data in ("", row.data) and dict(row.options) == options
    )


def test_known_orders() -> None:
    assert found("implicit", "time", steps="refined").declared == 1.0
    assert found("crank_nicolson", "time", steps="refined").declared == 2.0
    assert found("explicit", "space").declared == 4.0
    assert found("explicit", "space", step="refined").declared == 2.0
    assert found("direct", "exact").declared == "exact"


def test_reduced_orders_on_rough_data() -> None:
    for data, order in (("step", 1.0), ("step on a node", 2.0), ("|x|", 2.0), ("Weierstrass p = 0.3", 0.3)):
        row = found("spectral", "rough", data)
        assert row.declared == order
        assert row.observed == pytest.approx(order, abs=0.05)
    for data, order in (("step, dt ~ h", 0.0), ("|x|, dt ~ h", 1.0)):
        assert found("crank_nicolson", "rough", data, steps="refined").declared == 2.0
        plain = found("crank_nicolson", "rough", data, steps="refined", damping_steps=0)
        assert plain.declared == order
        assert plain.observed == pytest.approx(order, abs=0.05)


# Planted faults --------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class WithoutTheHalf(Exponential):
    """u_t = Laplace(u)."""

    def multiplier(self, angle: Any, spacing: float, variance: float) -> Any:
        return super().multiplier(angle, spacing, 2.0 * variance)


@dataclasses.dataclass(frozen=True)
class BoastfulInTime(Implicit):
    """Backward Euler that says that it is of second order."""

    @property
    def order_time(self) -> float:
        return 2.0


@dataclasses.dataclass(frozen=True)
class BoastfulInSpace(Exponential):
    """Three points that say that they are of fourth order."""

    @property
    def order_space(self) -> float:
        return 4.0


@dataclasses.dataclass(frozen=True)
class Modest(CrankNicolson):
    """Better than it says: that is a wrong promise, too."""

    @property
    def order_time(self) -> float:
        return 1.0


@dataclasses.dataclass(frozen=True)
class AlmostExact(Spectral):
    """A multiplier that is off by 1e-10."""

    def multiplier(self, angle: Any, spacing: float, variance: float) -> Any:
        return super().multiplier(angle, spacing, variance) * (1.0 - 1e-10 * (np.asarray(angle) > 0.1))


@dataclasses.dataclass(frozen=True)
class NotExactInTime(Exponential):
    """One rational step of any length, sold as the exponential."""

    def multiplier(self, angle: Any, spacing: float, variance: float) -> Any:
        return 1.0 / (1.0 + variance / spacing**2 * (1.0 - np.cos(angle)))


@pytest.mark.parametrize(
    ("solver", "measure"),
    [
        (WithoutTheHalf(), convergence.order_in_space),
        (BoastfulInTime(), convergence.order_in_time),
        (BoastfulInTime(), convergence.order_in_space),  # its steps are then too long for the grid
        (BoastfulInSpace(), convergence.order_in_space),
        (Modest(), convergence.order_in_time),
        (AlmostExact(), convergence.exactness),
        (NotExactInTime(), convergence.exactness),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Solver) else value.__name__,
)
@pytest.mark.parametrize("boundary", ["reflect", "clip"])
def test_planted_faults_are_failed_rows(solver: Solver, measure: Any, boundary: str) -> None:
    row = measure(solver, boundary)
    assert not row.passed
    assert row.errors


@dataclasses.dataclass(frozen=True)
class Ringing(CrankNicolson):
    """Promises the maximum principle for long steps."""

    def monotone(self, axis: Axis, variance: float) -> bool:
        return True


@dataclasses.dataclass(frozen=True)
class Leaking(Exponential):
    """Loses a part in a million of everything."""

    def start(self, values: Any, grid: Any) -> Any:
        return TransformFlow(self, values * (1.0 - 1e-6), grid)


@dataclasses.dataclass(frozen=True)
class OtherSymbol(Implicit):
    """Solves with another matrix than its symbol says."""

    def operator(self, axis: Axis, start: float, stop: float, dtype: Any) -> LineOperator:
        return make("implicit", steps=self.steps).operator(axis, start, start + 1.001 * (stop - start), dtype)  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    ("solver", "broken"),
    [
        (Ringing(steps=1, damping_steps=0), {"signs"}),
        (Leaking(), {"row sums", "spectrum"}),
        (OtherSymbol(), {"spectrum", "inverse"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_planted_faults_show_in_the_matrix_of_a_step(solver: Solver, broken: set[str]) -> None:
    assert {p.name for p in operator_properties(solver, "reflect") if not p.passed} == broken
    assert {row.data for row in convergence.properties(solver, "reflect") if not row.passed} == broken


@dataclasses.dataclass(frozen=True)
class Unsure(CrankNicolson):
    """Promises no maximum principle."""

    def monotone(self, axis: Axis, variance: float) -> bool:
        return False


def test_no_promise_is_no_failure() -> None:
    signs = next(p for p in operator_properties(Unsure(steps=1, damping_steps=0), "reflect") if p.name == "signs")
    assert signs.observed < -0.01
    assert (signs.declared, signs.bound, signs.passed) == ("no promise", None, True)
    # where it is promised only there: the long step of the same scheme is left out
    signs = next(p for p in operator_properties(CrankNicolson(steps=1), "reflect") if p.name == "signs")
    assert (signs.declared, signs.passed) == (">= 0", True)


def test_the_matrix_of_a_step() -> None:
    axis = Axis("x", 0.0, 5.0, 6, boundary="absorb")
    matrix = step_matrix(make("explicit", step=0.25), axis, 0.25)
    np.testing.assert_allclose(matrix[1], [0.125, 0.75, 0.125, 0, 0, 0], atol=1e-15)
    np.testing.assert_allclose(matrix[0], [1, 0, 0, 0, 0, 0], atol=1e-15)


# Around the measurements -----------------------------------------------------------------------------------------


def test_errors_at_round_off_are_dropped_and_said() -> None:
    def measure(level: int) -> tuple[float, float, float]:
        step = 2.0**-level
        return step, 1e-13 * step**4 + 1e-17, 1e-16

    row = convergence._order_row(measure, 4.0, axis="space", source="", **place())
    assert row.passed
    assert row.note == "1 at round-off dropped"
    assert row.refinements == (4.0, 2.0, 1.0, 0.5, 0.25)


def test_late_asymptotics_take_finer_grids_and_say_so() -> None:
    def measure(level: int) -> tuple[float, float, float]:
        step = 2.0**-level
        return step, step**2 * (1.0 + step), 0.0

    row = convergence._order_row(measure, 2.0, axis="space", source="", **place())
    assert row.passed
    assert "not yet asymptotic" in row.note
    assert len(row.errors) == 5


def test_a_solver_without_any_error_left_fails_with_a_word() -> None:
    row = convergence._order_row(lambda level: (2.0**-level, 0.0, 1e-16), 2.0, axis="space", source="", **place())
    assert (row.observed, row.passed) == (None, False)
    assert "too few left" in row.note


def place() -> dict[str, Any]:
    return {
        "solver": "s",
        "options": {},
        "boundary": "reflect",
        "nodes": "vertex",
        "dimension": 1,
        "data": "made up",
    }


@dataclasses.dataclass(frozen=True)
class Choosy(Exponential):
    """Refuses free space."""

    def start(self, values: Any, grid: Any) -> Any:
        if any(axis.rule.free_space for axis in grid):
            raise UnsupportedError("no free space here", given="clip")
        return super().start(values, grid)


def test_what_a_solver_refuses_is_no_failure() -> None:
    rows = convergence.orders([Choosy()], over=["clip"], dimensions=[1])
    refused = [row for row in rows if row.note.startswith("refused")]
    assert refused
    assert all(row.passed and row.observed is None for row in refused)
    assert "refused: no free space here" in "\n".join(convergence.table(rows))


def test_variants_are_the_choices_of_an_option() -> None:
    @dataclasses.dataclass(frozen=True)
    class Two(Exponential):
        kind: str = dataclasses.field(default="a", metadata={"choices": ("a", "b")})

    plain = Two()
    assert convergence.variants(plain) == [plain]
    assert [solver.exact_in_time for solver in convergence.variants("compact")] == [True, False]


def test_steps_follow_the_grid() -> None:
    sizes = (13, 25, 49)
    for solver, expected in (
        (make("implicit"), [64, 256, 1024]),
        (make("crank_nicolson"), [64, 128, 256]),
        (make("crank_nicolson", step=0.1), [64, 128, 256]),
    ):
        on = convergence.refined_in_space(solver, lambda level: work_precision._problem(sizes[level]), 0.1)
        assert [on(level)[0].options()["steps"] for level in range(3)] == expected
    on = convergence.refined_in_space(Explicit(step=1.0), lambda level: work_precision._problem(sizes[level]), 0.1)
    for level in range(3):
        solver, landscape = on(level)
        solver.check(landscape.grid[0], 0.0, 0.01)


def test_unknown_rough_data() -> None:
    with pytest.raises(UnsupportedError, match="Weierstrass"):
        convergence.rough_order_in_space(make("spectral"), "noise")
    with pytest.raises(UnsupportedError, match="step"):
        convergence.rough_order_in_time(make("implicit"), "noise")


def test_rows_are_json_without_nan() -> None:
    for row in rows_of("crank_nicolson"):
        record = json.loads(json.dumps(row.as_dict(), allow_nan=False))
        assert set(record) == {field.name for field in dataclasses.fields(Row)}
        assert record["axis"] in ("time", "space", "exact", "rough", "operator")


def test_table_puts_together_what_passed_and_nothing_else() -> None:
    rows = list(rows_of("implicit"))
    lines = convergence.table(rows)
    assert sum("space" in line for line in lines) == 1
    assert not any("FAILED" in line for line in lines)
    broken = [dataclasses.replace(row, passed=False) if row.axis == "space" else row for row in rows]
    assert sum("FAILED" in line for line in convergence.table(broken)) == len(boundaries.names())


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
    figure = drawn(runs)
    left, right = figure.axes
    assert [len(left.lines), len(right.lines)] == [3, 5]  # two slope triangles
    assert {text.get_text() for text in right.texts} == {"2", "4"}
    assert [line.get_marker() for line in left.lines] == ["o", "s", "^"]
    figure.savefig(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 10_000
    drawn(runs[:1]).savefig(tmp_path / "one.png")


def test_importing_is_light(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from heatpg.verify import checks\n"
        "known = set(checks.names())\n"
        "import heatpg.measure.orders, heatpg.measure.work_precision, heatpg.plot.convergence\n"
        "assert set(checks.names()) == known and 'convergence' not in known\n"
        "assert 'matplotlib' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
