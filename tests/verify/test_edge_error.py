"""The error at the edge that a report quotes, against quadrature of the function itself and against planted faults."""

from __future__ import annotations

import dataclasses
import importlib
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape, evolve
from heatpg.core.report import Check
from heatpg.evolution import solve
from heatpg.solvers import make
from heatpg.verify.edge_error import LARGE, edge_error, polynomial_rows
from tests.references import slope
from tests.solvers.test_edges import expected, smooth
from tests.verify.test_faults import Faulty

Array = NDArray[Any]

WALLED = ["clip", "zero", "reflect", "absorb"]


def line(boundary: str = "clip", nodes: Any = "vertex", size: int = 41) -> Landscape:
    axis = Axis("x", -1.0, 1.0, size, boundary=boundary, nodes=nodes)
    return Landscape(smooth(axis.coordinates), Grid(axis))


@dataclasses.dataclass(frozen=True)
class Found:
    check: Check
    status: str
    message: str
    figure: float
    bound: float


def found(flow: Any) -> Found:
    (check,) = edge_error(flow, "full")
    assert check.figure is not None
    assert check.bound is not None
    return Found(check, check.status, check.message, check.figure, check.bound)


@pytest.mark.parametrize("boundary", WALLED)
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("ratio", [0.02, 0.4, 1.0, 3.0, 10.0, 100.0])
def test_the_reference_is_of_order_6_at_every_sigma(boundary: str, nodes: Any, ratio: float) -> None:
    sizes, errors = [21, 81], []
    for size in sizes:
        axis = Axis("x", -1.0, 1.0, size, boundary=boundary, nodes=nodes)
        places = np.array([0, 1, 4, size // 2, size - 2, size - 1])
        sigma = ratio * (axis.spacing if ratio < 3 else 0.05)
        rows = polynomial_rows(axis, sigma, places)
        wanted = [expected(float(x), sigma, boundary) for x in axis.coordinates[places]]
        errors.append(float(np.abs(rows @ smooth(axis.coordinates) - wanted).max()))
    # the values on walls between nodes are 0.25 of the polynomial's far end off
    assert errors[1] < (5e-9 if nodes == "vertex" else 1e-7)
    # h^6 where sigma / h is fixed, as sigma is where it is wide; from either side
    assert errors[1] < 1e-13 or slope([1 / 20, 1 / 80], errors) > 5.0


@pytest.mark.parametrize("boundary", WALLED)
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("solver", ["direct", "multiresolution", "spectral", "compact", "exponential", "implicit"])
def test_the_figure_is_the_error(boundary: str, nodes: Any, solver: str) -> None:
    """Within a factor of 2, over all nodes; the nodes that are looked at may miss the worst."""
    q = line(boundary, nodes)
    flow = solve(q, 0.15, solver)
    wanted = np.array([expected(float(x), 0.15, boundary) for x in q.grid[0].coordinates])
    true = float(np.abs(flow.values[0] - wanted).max()) / q.oscillation
    check = found(flow)
    assert 0.5 * true < check.figure < 2.0 * true
    assert check.figure <= check.bound
    assert check.status == ("finding" if check.figure > LARGE else "passed")


def test_the_example_of_the_theory() -> None:
    """u at the right end from 30-digit arithmetic."""
    q = line()
    for solver in ("direct", "implicit"):
        flow = solve(q, 0.15, solver)
        error = abs(float(flow.values[0, -1]) - 2.215942697501633) / q.oscillation
        assert found(flow).figure >= 0.99 * error
        assert found(flow).figure < 2.0 * error


@pytest.mark.parametrize("dimensions", [2, 3])
def test_in_more_dimensions_walls_of_all_axes_count(dimensions: int) -> None:
    """A product of lines: its flow is the product of theirs."""
    size = 25
    axes = [Axis("xyz"[i], -1.0, 1.0, size, boundary=WALLED[i]) for i in range(dimensions)]
    sigmas = [0.15, 0.3, 0.2][:dimensions]
    lines = [smooth(axis.coordinates) for axis in axes]
    exact = [
        np.array([expected(float(x), sigma, axis.boundary) for x in axis.coordinates])
        for axis, sigma in zip(axes, sigmas, strict=True)
    ]
    values, wanted = lines[0], exact[0]
    for more, flowed in zip(lines[1:], exact[1:], strict=True):
        values, wanted = np.multiply.outer(values, more), np.multiply.outer(wanted, flowed)
    q = Landscape(values, Grid(*axes))
    for solver in ("direct", "exponential"):
        flow = solve(q, [sigmas], solver)
        true = float(np.abs(flow.values[0] - wanted).max()) / q.oscillation
        check = found(flow)
        assert 0.4 * true < check.figure < 2.0 * true, solver  # corners are the product of the nodes of each axis
        assert check.figure <= check.bound


class SpoiledEdge(Faulty):
    """One node on the wall is off by a millionth of the range."""

    def spoil(self, out: Array, initial: Array, variances: tuple[float, ...]) -> None:
        out[..., -1] += 1e-6 * np.ptp(initial)


@pytest.mark.parametrize("boundary", WALLED)
@pytest.mark.parametrize("of", ["direct", "spectral"])
def test_a_fault_at_the_edge_fails(boundary: str, of: str) -> None:
    flow = solve(line(boundary), [0.1, 0.15], SpoiledEdge(of))
    check = found(flow)
    assert check.status == "failed"
    assert check.check.where is not None
    assert check.check.where.index == (40,)
    assert "exceeds the bound of this solver" in check.message


def test_a_solver_without_its_correction_fails() -> None:
    """What the ends lack in second order, where a solver says that it corrects them."""

    solver = make("direct", tolerance=1.23e-17)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("heatpg.solvers.direct.end_correction", lambda *arguments: None)
        flow = solve(line(), 0.15, solver)
    assert found(flow).status == "failed"
    assert found(flow).figure == pytest.approx(6.5e-4 / line().oscillation, rel=0.05)


@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize(
    ("where", "boundary"),
    [
        ("direct.end_correction", "clip"),
        ("direct.end_correction", "zero"),
        ("direct.end_correction", "reflect"),
        ("transforms.mirror_change", "reflect"),
    ],
)
def test_one_per_cent_too_much_at_the_ends_fails(
    where: str, boundary: str, nodes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what the solver adds at the walls: 1e-5 of a slope, and less where the wall of cells continues a value."""
    name, function = where.split(".")
    module = importlib.import_module(f"heatpg.solvers.{name}")
    right = getattr(module, function)

    def wrong(*arguments: Any) -> Any:
        ends = right(*arguments)
        return dataclasses.replace(ends, columns=1.01 * ends.columns)

    q = line(boundary, nodes)
    # a solver of its own, for which no operator is kept
    solver = make("direct", tolerance=1.27e-17) if name == "direct" else "spectral"
    assert found(solve(q, 0.16, name if name == "direct" else solver)).status == "passed"
    monkeypatch.setattr(module, function, wrong)
    check = found(solve(q, 0.16, solver))
    assert check.status == "failed"
    assert check.figure > check.bound


@pytest.mark.parametrize("kind", ["noise", "step", "delta"])
@pytest.mark.parametrize("sigma", [0.02, 0.15, 1.5])
def test_on_rough_data_there_is_no_false_alarm(kind: str, sigma: float, rng: np.random.Generator) -> None:
    x = np.linspace(-1.0, 1.0, 41)
    values = {"noise": rng.standard_normal(41), "step": (x > 0.95) * 1.0, "delta": (np.arange(41) == 39) * 1.0}[kind]
    for boundary in WALLED:
        for solver in ("direct", "spectral", "exponential"):
            (check,) = edge_error(solve(Landscape(values, line(boundary).grid), sigma, solver), "full")
            assert check.status != "failed", (boundary, solver, check.details)
    (rough,) = edge_error(solve(Landscape(values, line("clip").grid), 0.05, "direct"), "full")
    assert rough.status == "silent"
    assert "too rough there" in rough.message
    # what is not known has no number and no bound
    assert (rough.figure, rough.bound) == (None, None)
    assert "<=" not in rough.details


def test_the_line_says_each_number_once() -> None:
    """The error with its bound in one sentence, and no bound where it is the error itself."""
    for solver, bound in (
        ("direct", "because Q there is known only at its nodes"),
        ("implicit", "this solver may be off"),
    ):
        check = found(evolve(line(), 0.15, solver=solver)).check
        words = check.details
        assert bound in words
        numbers = [word for word in words.replace(";", "").split() if word[0].isdigit()]
        assert numbers[0] == f"{check.figure:.3g}"
        assert len(numbers) == len(set(numbers)) <= 2
        assert "<=" not in words
    # eleven nodes are too few for this solver: second order, (0.2 / 0.05)^2 times the error of 41
    coarse = Axis("x", -1.0, 1.0, 11, boundary="clip")
    check = found(solve(Landscape(smooth(coarse.coordinates), Grid(coarse)), 0.15, "implicit")).check
    assert check.status == "finding"
    assert "at sigma=0.15: sample Q more finely" in check.details.replace("At", "at")


def test_what_has_no_edge_has_no_entry() -> None:
    periodic = Axis("x", 0.0, 1.0, 20, boundary="periodic")
    walled = Axis("y", 0.0, 1.0, 21, boundary="clip")
    assert edge_error(solve(Landscape(np.zeros(20), Grid(periodic)), 0.1), "full") == []
    mixed = Landscape(np.zeros((20, 21)), Grid(periodic, walled))
    assert edge_error(solve(mixed, {"x": 0.1, "y": 0.0}), "full") == []
    assert edge_error(solve(mixed, 0.1), "standard") == []
    assert found(solve(mixed, 0.1)).status == "passed"
    (check,) = edge_error(solve(mixed, covariance=[[0.1, 0.01], [0.01, 0.1]]), "full")
    assert check.status == "silent"
    assert "correlated" in check.message


def test_the_entry_stands_in_a_report_and_its_file(tmp_path: Any) -> None:
    from heatpg import load

    flow = evolve(line(), [0.15, 0.3], checks="full")
    check = flow.report["edge"]
    assert f"{check.figure:.3g} of osc(Q)" in " ".join(str(flow.report).split())
    flow.save(tmp_path / "edge.h5")
    assert load(tmp_path / "edge.h5").report["edge"] == check
    assert math.isclose(check.figure or 0.0, 3.85e-8, rel_tol=0.02)  # of the table in edges: 7.9e-8 of osc 2.06
