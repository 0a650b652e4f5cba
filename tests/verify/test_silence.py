"""A check that could not have failed says so, everywhere a report is shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from heatpg import Axis, Grid, Landscape, evolve, load, plot
from heatpg.core.report import Check, Report, counted
from heatpg.verify.silence import unless_silent
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
