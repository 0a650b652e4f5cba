"""A check that could not have failed says so, everywhere a report is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, evolve, load, plot
from heatpg.boundaries import boundaries
from heatpg.core.report import Check, Report, counted
from heatpg.evolution import Evolution, solve
from heatpg.solvers import solvers
from heatpg.verify import verify
from heatpg.verify.silence import Scale, unless_silent
from heatpg.viewer import page

GRID = Grid(Axis("x", -2.0, 2.0, 65, boundary="reflect"))
# one unit in the last place of single precision is 64 there, and the range of Q is that unit
COARSE = Landscape((1e9 + 64.0 * (np.arange(65) == 3)).astype(np.float32), GRID)
WAVE = np.exp(-2.0 * np.square(GRID[0].coordinates))


def test_an_offset_that_leaves_no_digits() -> None:
    report = evolve(COARSE, [0.1, 0.4], checks="full").report
    # two fields, each rounded by half a unit, may differ by the whole range
    for name in ("range", "joint maxima", "number of extrema"):
        assert report[name].status == "silent", report[name]
        assert "float32" in report[name].message and "subtract the offset" in report[name].message
    assert report.passed and len(report.silent) >= 2
    # the same data with digits left are decided on
    report = evolve(Landscape((1e3 + WAVE).astype(np.float32), GRID), [0.1, 0.4], checks="full").report
    assert {report[name].status for name in ("range", "cross-check", "conservation")} == {"passed"}


def test_no_noise_is_nothing_to_compare() -> None:
    report = evolve(Landscape(WAVE, GRID), 0.0).report
    assert report["range"].status == report["joint maxima"].status == "silent"
    assert report["values along maxima"].status == report["number of extrema"].status == "silent"
    assert report["cross-check"].status == "passed"  # u is Q


def test_a_constant_is_decided_on() -> None:
    report = evolve(Landscape(np.full(65, 1e5), GRID), [0.1, 0.4]).report
    assert report["range"].status == report["cross-check"].status == report["conservation"].status == "passed"
    # the first of equal values is no optimum
    assert report["optimum on the edge"].status == "silent"


def test_it_is_shown_and_kept(tmp_path: Path) -> None:
    flow = evolve(COARSE, [0.1, 0.4])
    assert flow.report.silent
    assert "silent" in counted(flow.report) and "silent   range" in str(flow.report)
    assert "silent" in repr(flow.report) and "? silent" in flow.report._repr_html_()
    flow.save(tmp_path / "flow.h5")
    assert load(tmp_path / "flow.h5").report.as_dict() == flow.report.as_dict()
    assert "range: silent" in [text.get_text() for text in plot.checks(flow.report).texts]
    assert '"silent"' in page(flow)
    assert Report([Check("a", "silent", "")]).passed  # it has not failed


def test_the_range_has_the_walls_of_cells() -> None:
    """Cells from 0.5 to 4.5 with faces at 0 and 5, and where zero lies outside, from 0."""
    for boundary, widest in (("clip", 5.0), ("absorb", 5.0), ("reflect", 4.0), ("zero", 4.5)):
        axis = Axis("x", 0.0, 5.0, 5, boundary=boundary, nodes="cell")
        flow = evolve(Landscape(axis.coordinates, Grid(axis)), 0.1, checks="none")
        check = Check("range", "passed", "as it should be")
        assert unless_silent(check, flow, [(0, 0.99 * widest)]).status == "passed"
        assert unless_silent(check, flow, [(0, 1.01 * widest)]).status == "silent"


@pytest.mark.parametrize("name", solvers.names())
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize(("dtype", "offset"), [("float32", 1e3), ("float32", 1e6), ("float64", 1e6), ("float64", 1e14)])
def test_beside_nothing_a_constant_is_no_offset(name: str, nodes: Any, dtype: str, offset: float) -> None:
    """Along `zero` 0 belongs to the range that errors are measured by: u falls from the values to 0 at the walls."""
    grid = Grid(Axis("x", -2.0, 2.0, 33, boundary="zero", nodes=nodes))
    values = (offset + np.cos(3.0 * grid[0].coordinates)).astype(dtype)
    flow = solve(Landscape(values, grid), [0.1, 0.5], name)
    report = verify(flow, "full")
    measured = [check for check in report if check.status == "passed" and "relative to" in check.bound_source]
    assert "cross-check" in {check.name for check in measured}
    for check in measured:
        assert check.bound_source.endswith("relative to osc(Q) with the outside")
        # what could not fail has not passed
        assert check.bound is not None and check.bound < 1.0, check
    # an error of a hundredth of what is measured is told, and as large, wherever the solver allows for less
    wrong = Evolution.of(flow, values=flow.values * np.array(1.0 - 1e-2, dtype))
    bound = report["cross-check"].bound
    assert bound is not None
    if bound < 5e-3:
        found = verify(wrong, "full")["cross-check"]
        assert found.status == "failed"
        # in the middle u is the offset, but for 2 / offset of it, the two sides of 6e-5 at the second sigma, and what
        # rounding leaves
        assert found.figure == pytest.approx(1e-2, rel=3e-3 + 100 * bound)


def test_what_is_measured_by_faces_says_so() -> None:
    axis = Axis("x", 0.0, 5.0, 5, boundary="clip", nodes="cell")
    flow = solve(Landscape(axis.coordinates, Grid(axis)), 1.0)
    assert Scale.of(flow).size == pytest.approx(5.0, rel=1e-15)
    assert Scale.of(flow).words == "osc(Q) with faces"
    both = Grid(axis, Axis("y", 0.0, 1.0, 3, boundary="zero"))
    flow = solve(Landscape(np.add.outer(axis.coordinates, np.ones(3)), both), 1.0)
    assert Scale.of(flow).words == "osc(Q) with faces and the outside"
    assert Scale.of(flow).size == pytest.approx(6.0, rel=1e-15)


@pytest.mark.parametrize("boundary", boundaries.names())
@pytest.mark.parametrize("factor", [1e-300, 1.0, 1e12, 1e300])
def test_a_constant_is_measured_by_itself(boundary: str, factor: float) -> None:
    """There is no range to measure by, but its own size: figures do not depend on the unit of Q."""
    grid = Grid(Axis("x", 0.0, 1.0, 20, boundary=boundary))
    report = verify(solve(Landscape(np.full(20, factor), grid), 0.1), "full")
    source = "osc(Q) with the outside" if boundary == "zero" else "the size of Q, a constant"
    for check in report:
        if "relative to" in check.bound_source:
            assert check.status in ("passed", "silent") and check.bound_source.endswith(source), check
            assert check.figure is not None and check.figure < 1e-4
            assert check.bound is not None and 0.0 < check.bound < 1e-2, check
