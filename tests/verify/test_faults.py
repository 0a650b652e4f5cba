"""Planted faults: each is caught, by the check whose name says what is wrong."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape, evolve
from heatpg.errors import CheckError, HeatpgWarning
from heatpg.evolution import Evolution, solve
from heatpg.landscapes import landscapes
from heatpg.solvers import make
from heatpg.solvers.base import Flow, Path, Solver
from heatpg.verify import verify

Array = NDArray[Any]


def chaotic(boundary: str = "reflect", size: int = 96) -> Landscape:
    """Rough enough to show small faults: a Weierstrass sum with a cliff."""
    grid = Grid(Axis("x", 0.0, 2 * np.pi, size, boundary=boundary), Axis("y", 0.0, 2 * np.pi, size, boundary=boundary))
    wave = landscapes.get("weierstrass")(
        Grid(*(Axis(a.name, 0.0, 2 * np.pi, size, boundary="periodic") for a in grid)), exponent=0.4, terms=4, seed=2
    )
    values = wave.values + 2.0 * (grid.mesh()[0] > 3.0) * (grid.mesh()[1] > 2.0)
    return Landscape(values, grid, "chaotic")


class _FaultyFlow(Flow):
    def __init__(self, solver: Faulty, values: Array, grid: Grid) -> None:
        self.solver, self.values, self.grid = solver, values, grid
        self.flow = make(solver.of).start(values, solver.wrong_grid(grid))

    def advance(self, variances: tuple[float, ...], out: Array) -> None:
        self.flow.advance(self.solver.wrong_variances(variances), out)
        self.solver.spoil(out, self.values, variances)
        self._reached = variances

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple((0.0, t) for t in self._reached)


@dataclasses.dataclass(frozen=True)
class Faulty(Solver):
    """A solver that promises what `of` does, and does something else."""

    of: str = "spectral"

    name = "faulty"
    summary = "a planted fault"
    target = "continuous"
    exact_in_time = True
    exact_kinks = True  # of `direct` the same, because its kernel is that of the reference

    def end_nodes(self, axis: Axis, variance: float) -> int:
        return make(self.of).end_nodes(axis, variance)

    def holds_slopes(self, axis: Axis, variance: float) -> bool:
        return make(self.of).holds_slopes(axis, variance)

    @property
    def order_time(self) -> float:
        return 1.0

    @property
    def order_space(self) -> float:
        return 2.0

    def monotone(self, axis: Axis, variance: float) -> bool:
        return make(self.of).monotone(axis, variance)

    def keeps_extrema(self, axis: Axis, variance: float) -> bool:
        return make(self.of).keeps_extrema(axis, variance)

    def interval_symbol(self, angle: Array, axis: Axis, start: float, stop: float) -> Array:
        return make(self.of).interval_symbol(angle, axis, start, stop)

    def start(self, values: Array, grid: Grid) -> Flow:
        return _FaultyFlow(self, values, grid)

    def wrong_grid(self, grid: Grid) -> Grid:
        return grid

    def wrong_variances(self, variances: tuple[float, ...]) -> tuple[float, ...]:
        return variances

    def spoil(self, out: Array, initial: Array, variances: tuple[float, ...]) -> None:
        pass


class HalfDropped(Faulty):
    def wrong_variances(self, variances: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(2.0 * t for t in variances)


class WrongBoundary(Faulty):
    def wrong_grid(self, grid: Grid) -> Grid:
        other = "clip" if grid[0].boundary == "reflect" else "reflect"
        return Grid(*(dataclasses.replace(axis, boundary=other) for axis in grid))


class WrongNodes(Faulty):
    def wrong_grid(self, grid: Grid) -> Grid:
        return Grid(*(dataclasses.replace(axis, nodes="cell") for axis in grid))


class ShiftedNode(Faulty):
    def spoil(self, out: Array, initial: Array, variances: tuple[float, ...]) -> None:
        out[...] = np.roll(out, 1, axis=0)


class WrongAxis(Faulty):
    def wrong_variances(self, variances: tuple[float, ...]) -> tuple[float, ...]:
        return (2.0 * variances[0], *variances[2:], 0.0)


class NegativeWeight(Faulty):
    """Sharpened by a hundredth of the second difference: weights (-0.01, 1.02, -0.01)."""

    def spoil(self, out: Array, initial: Array, variances: tuple[float, ...]) -> None:
        padded = np.pad(initial, 1, mode="reflect")
        out[...] = initial - 0.01 * (padded[2:, 1:-1] - 2 * initial + padded[:-2, 1:-1])


class LosesMass(Faulty):
    def spoil(self, out: Array, initial: Array, variances: tuple[float, ...]) -> None:
        out *= 1.0 - 1e-11


class LateBump(Faulty):
    """A maximum out of nothing at the last sigma, well inside the range of Q."""

    def spoil(self, out: Array, initial: Array, variances: tuple[float, ...]) -> None:
        if variances[0] > 0.04:
            out[10, 10] += 1.0


class Ripple(Faulty):
    def spoil(self, out: Array, initial: Array, variances: tuple[float, ...]) -> None:
        out += 0.1 * (-1.0) ** np.arange(out.shape[-1])


class Revival(Faulty):
    """The lower of two bumps grows again, but not above what is within reach of it."""

    def spoil(self, out: Array, initial: Array, variances: tuple[float, ...]) -> None:
        if variances[0] > 0.1:
            x = np.linspace(-4.0, 4.0, out.shape[-1])
            out += 0.3 * np.exp(-((x + 1.0) ** 2) / 0.1)


SIGMAS = [0.25, 0.4]


def failed(solver: Solver, landscape: Landscape, level: str = "standard", sigmas: Any = SIGMAS) -> set[str]:
    return {check.name for check in verify(solve(landscape, sigmas, solver), level).failures}


@pytest.mark.parametrize("level", ["standard", "full"])
@pytest.mark.parametrize("boundary", ["periodic", "reflect", "absorb", "clip", "zero"])
@pytest.mark.parametrize("of", ["spectral", "direct", "exponential"])
def test_without_a_fault_nothing_fails(of: str, boundary: str, level: str) -> None:
    assert failed(Faulty(of), chaotic(boundary), level) == set()


@pytest.mark.parametrize("level", ["standard", "full"])
@pytest.mark.parametrize("boundary", ["periodic", "reflect", "absorb", "clip", "zero"])
@pytest.mark.parametrize("of", ["spectral", "direct", "exponential"])
@pytest.mark.parametrize("fault", [HalfDropped, WrongBoundary, ShiftedNode, WrongAxis])
def test_the_cross_check_catches(fault: type[Faulty], of: str, boundary: str, level: str) -> None:
    assert "cross-check" in failed(fault(of), chaotic(boundary), level)


def test_the_cross_check_catches_walls_in_the_wrong_place() -> None:
    assert "cross-check" in failed(WrongNodes("spectral"), chaotic("reflect"))


@pytest.mark.parametrize("boundary", ["periodic", "reflect"])
def test_conservation_catches_lost_mass(boundary: str) -> None:
    assert "conservation" in failed(LosesMass("spectral"), chaotic(boundary))


def test_conservation_catches_a_boundary_that_leaks() -> None:
    assert "conservation" in failed(WrongBoundary("spectral"), chaotic("reflect"))


def test_the_range_catches_negative_weights() -> None:
    assert {"range", "joint maxima"} <= failed(NegativeWeight("exponential"), chaotic("reflect"))


@pytest.mark.parametrize("boundary", ["periodic", "reflect", "absorb", "clip", "zero"])
@pytest.mark.parametrize("of", ["spectral", "exponential", "direct"])
def test_joint_maxima_catch_a_bump_that_stays_in_range(of: str, boundary: str) -> None:
    """A hill in the middle keeps the bump in range; within reach of the bump there is nothing as high."""
    grid = Grid(*(Axis(name, 0.0, 2 * np.pi, 160, boundary=boundary) for name in ("x", "y")))
    x, y = grid.mesh()
    landscape = Landscape(4.0 * (np.hypot(x - np.pi, y - np.pi) < 0.3) + 0.1 * np.sin(5 * x), grid, "hill")
    # the step between these sigmas is 0.16 = 4 h, so that every solver promises positive weights
    report = verify(solve(landscape, [0.15, 0.22], LateBump(of)))
    assert report["range"].status == "passed"
    check = report["joint maxima"]
    assert check.status == "failed"
    assert check.promised
    assert check.where is not None
    assert check.where.index == (10, 10)
    assert check.where.sigma == 1
    assert check.figure == pytest.approx(1.0 / landscape.oscillation, rel=0.2)
    assert verify(solve(landscape, [0.15, 0.22], Faulty(of)))["joint maxima"].status == "passed"


def test_values_along_maxima_notice_one_that_grows() -> None:
    """No proof of a fault, because another maximum may have moved in between two sigmas: hence a finding."""
    # walls: in free space a window that leaves the box is judged by Q alone, and tracks there are not followed
    landscape = landscapes.get("unequal_bumps")(Grid(Axis("x", -4.0, 4.0, 801, boundary="reflect")))
    report = verify(solve(landscape, [0.2, 0.5], Revival("spectral")))
    check = report["values along maxima"]
    assert check.status == "finding"
    assert check.message.startswith("1 of 4")  # two maxima, each followed to either sigma
    assert check.where is not None
    assert check.where.coordinates[0] == pytest.approx(-1.0, abs=0.05)
    assert report["joint maxima"].status == "passed"
    assert "cross-check" in {failure.name for failure in report.failures}
    assert verify(solve(landscape, [0.2, 0.5], Faulty("spectral")))["values along maxima"].status == "passed"


def test_the_number_of_extrema_catches_ripples() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 65, boundary="reflect"))
    landscape = Landscape.from_function(lambda x: np.cos(3 * np.pi * x), grid)
    assert failed(Ripple("exponential"), landscape, sigmas=[0.05]) >= {"number of extrema"}
    assert "number of extrema" not in failed(Faulty("exponential"), landscape, sigmas=[0.05])


def test_a_broken_promise_raises_with_the_result_attached() -> None:
    with pytest.raises(CheckError, match="violates a property that it guarantees") as caught:
        evolve(chaotic("reflect"), SIGMAS, NegativeWeight("exponential"))
    assert isinstance(caught.value, RuntimeError)
    # it is no solver of heatpg
    assert "what NegativeWeight declares" in caught.value.advice and "bug in heatpg" not in str(caught.value)
    evolution = caught.value.evolution
    assert isinstance(evolution, Evolution)
    assert evolution.report["range"].status == "failed"
    assert evolution.values.shape == (2, 96, 96)


def test_another_failure_warns() -> None:
    with pytest.warns(HeatpgWarning, match="cross-check"):
        flow = evolve(chaotic("periodic"), SIGMAS, HalfDropped("spectral"))
    assert not flow.report.passed


def test_without_a_promise_negative_weights_are_a_finding() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 64, boundary="periodic"))
    landscape = Landscape((np.arange(64) > 31).astype(float), grid, "step")
    flow = evolve(landscape, 0.5 / 64, "spectral")
    check = flow.report["range"]
    assert check.status == "finding"
    assert "Gibbs" in check.message
    assert check.where is not None
    assert check.figure is not None
    assert 0.001 < check.figure < 0.0895
    delta = Landscape((np.arange(64) == 31).astype(float), grid, "delta")
    one_step = evolve(delta, 4 / 64, make("crank_nicolson", steps=1, damping_steps=0))
    assert one_step.report["range"].status == "finding"
    assert one_step.values.min() < -0.3
