"""Properties of the matrix of one step: promises are held, planted faults show."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from heatpg.core.grid import Axis
from heatpg.measure.operators import operator_properties, step_matrix
from heatpg.measure.orders import properties
from heatpg.solvers import Solver, make
from heatpg.solvers.base import LineOperator
from heatpg.solvers.crank_nicolson import CrankNicolson
from heatpg.solvers.exponential import Exponential
from heatpg.solvers.implicit import Implicit
from heatpg.solvers.transforms import TransformFlow


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
    assert {row.data for row in properties(solver, "reflect") if not row.passed} == broken


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
