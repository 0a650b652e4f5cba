"""The convergence suite: known orders are found, planted faults are failed rows."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatpg.boundaries import boundaries
from heatpg.errors import UnsupportedError
from heatpg.measure import orders as convergence
from heatpg.measure.edge import has_edge_order, order_at_edge
from heatpg.measure.refinement import Row
from heatpg.measure.rough import ROUGH_IN_SPACE
from heatpg.solvers import make, solvers
from heatpg.solvers.base import Solver
from heatpg.solvers.crank_nicolson import CrankNicolson
from heatpg.solvers.exponential import Exponential
from heatpg.solvers.implicit import Implicit
from heatpg.solvers.spectral import Spectral


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
    assert {row.data for row in rows if row.axis == "rough"} >= set(ROUGH_IN_SPACE)


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
        # values on the walls that come from four cells are of order four
        faces = (boundary, nodes) == ("absorb", "cell")
        measure = convergence.order_in_space if faces else convergence.exactness
        assert measure(make("spectral"), boundary, dimension, nodes).passed
    assert convergence.order_in_time(make("crank_nicolson"), boundary, 2, nodes).passed


@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("boundary", ["clip", "zero", "reflect", "absorb"])
@pytest.mark.parametrize("name", ["compact", "direct"])
def test_orders_at_the_edge_in_three_dimensions(name: str, boundary: str, nodes: Any) -> None:
    assert has_edge_order(make(name), boundary, 3)
    row = order_at_edge(make(name), boundary, 3, nodes)
    assert row.passed, row
    assert (row.dimension, row.axis) == (3, "edge")
    # the finest grid that is measured, an array of 32 MiB
    assert min(row.refinements) >= 2.0 / 161


def test_no_order_at_the_edge_is_measured_where_steps_would_be_many() -> None:
    assert not has_edge_order(make("crank_nicolson"), "clip", 2)
    assert has_edge_order(make("crank_nicolson"), "clip", 1)
    assert not has_edge_order(make("direct"), "periodic", 1)


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


@dataclasses.dataclass(frozen=True)
class WithoutTheHalf(Exponential):
    """u_t = Laplace(u)."""

    def multiplier(self, angle: Any, spacing: float, variance: float) -> Any:
        return super().multiplier(angle, spacing, 2.0 * variance)


@dataclasses.dataclass(frozen=True)
class BoastfulInTime(Implicit):
    """Backward Euler that says that it is of second order."""

    order_time = 2.0


@dataclasses.dataclass(frozen=True)
class BoastfulInSpace(Exponential):
    """Three points that say that they are of fourth order."""

    order_space = 4.0


@dataclasses.dataclass(frozen=True)
class Modest(CrankNicolson):
    """Better than it says: that is a wrong promise, too."""

    order_time = 1.0


@dataclasses.dataclass(frozen=True)
class AlmostExact(Spectral):
    """A multiplier that is off by 1e-10 in all waves but the constant."""

    def multiplier(self, angle: Any, spacing: float, variance: float) -> Any:
        return super().multiplier(angle, spacing, variance) * (1.0 - 1e-10 * (np.asarray(angle) > 0.0))


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


def test_rows_are_json_without_nan() -> None:
    for row in rows_of("crank_nicolson"):
        record = json.loads(json.dumps(row.as_dict(), allow_nan=False))
        assert set(record) == {field.name for field in dataclasses.fields(Row)}
        assert record["axis"] in ("time", "space", "exact", "edge", "rough", "operator")


def test_table_puts_together_what_passed_and_nothing_else() -> None:
    rows = list(rows_of("implicit"))
    lines = convergence.table(rows)
    assert sum("space" in line for line in lines) == 1
    assert not any("FAILED" in line for line in lines)
    broken = [dataclasses.replace(row, passed=False) if row.axis == "space" else row for row in rows]
    assert sum("FAILED" in line for line in convergence.table(broken)) == len(boundaries.names())


def test_a_deviation_is_named_and_stands_beside_what_is_declared_of_it() -> None:
    """A row sum of 1 that is off by 1e-16 is not "declared 1, observed 1e-16"."""
    lines = convergence.table(list(rows_of("implicit")))
    deviations = [line for line in lines if "distance from" in line or "excess over" in line]
    assert len(deviations) == 4
    for line in deviations:
        declared, observed, relation, allowed = line.removesuffix("  passed").split()[-4:]
        assert (declared, relation) == ("0", "<=")
        assert 0.0 <= float(observed) <= float(allowed)
    (signs,) = [line for line in lines if "smallest weight" in line]
    assert re.search(r">= 0  +-?[0-9]", signs) and ">= -" in signs
    assert lines[1].split() == ["boundary", "d", "measured", "declared", "observed", "allowed", "verdict"]


def test_importing_is_light(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from heatpg.verify import checks\n"
        "known = set(checks.names())\n"
        "import heatpg.measure.orders, heatpg.measure.rough, heatpg.measure.work_precision, heatpg.plot.convergence\n"
        "assert set(checks.names()) == known and 'convergence' not in known\n"
        "assert 'matplotlib' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("boundary", ["clip", "periodic", "reflect"])
def test_only_rows_of_the_boundaries_chosen(boundary: str) -> None:
    rows = convergence.orders(["crank_nicolson"], over=[boundary], dimensions=[1])
    assert {row.boundary for row in rows} == {boundary}
    assert any(row.axis == "rough" for row in rows)
