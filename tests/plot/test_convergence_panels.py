"""The two panels of error: curves, orders in the legend, triangles of the declared slopes, sizes for print."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from heatpg import errors, plot
from heatpg.measure.work_precision import PROBLEM, Work
from heatpg.plot.convergence import orders


def runs_of(order: float | str, label: str, scale: float = 1.0) -> list[Work]:
    found = []
    for n in (16, 32, 64, 128):
        error = 1e-15 if isinstance(order, str) else scale * n**-order
        found.append(Work(label.split()[0], {}, label, order, n, 2 / n, error, 1e-8 * n**2))
    return found


RUNS = [*runs_of(2.0, "exponential"), *runs_of(4.0, "compact"), *runs_of("spectral", "direct")]


def test_curves_are_the_runs() -> None:
    right, left = plot.convergence(RUNS), plot.work_precision(RUNS)
    for k, label in enumerate(("exponential", "compact", "direct")):
        mine = [run for run in RUNS if run.label == label]
        np.testing.assert_array_equal(right.lines[k].get_xdata(), [run.spacing for run in mine])
        np.testing.assert_array_equal(left.lines[k].get_xdata(), [run.seconds for run in mine])
        for ax in (left, right):
            np.testing.assert_array_equal(ax.lines[k].get_ydata(), [run.error for run in mine])
            assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert (left.get_xlabel(), right.get_xlabel()) == ("processor time of one solve (s)", "spacing h")
    legend = right.get_legend()
    assert legend is not None
    words = [text.get_text() for text in legend.get_texts()]
    assert words == ["exponential (order 2)", "compact (order 4)", "direct (exact in space)"]
    assert plot.convergence(RUNS, legend=False).get_legend() is None


def test_triangles_have_the_declared_slopes_and_lie_below() -> None:
    ax = plot.convergence(RUNS)
    assert [text.get_text() for text in ax.texts] == ["2", "4"]
    triangles = [np.asarray(line.get_xydata()) for line in ax.lines[3:]]
    assert len(triangles) == 2
    for order, corners in zip((2.0, 4.0), triangles, strict=True):
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
        assert np.log(y1 / y0) / np.log(x1 / x0) == pytest.approx(order)
        assert (x1, y0, x0, y0) == (x2, y2, x3, y3)
        assert x1 > x0
        curve = [run for run in RUNS if run.order == order]
        assert all(y0 * (run.spacing / x0) ** order < run.error for run in curve)
    assert len(plot.work_precision(RUNS).lines) == 3


def test_a_single_run_has_no_triangle() -> None:
    assert len(plot.convergence(RUNS[:1]).lines) == 1


def test_no_runs() -> None:
    for draw in (plot.convergence, plot.work_precision, orders):
        with pytest.raises(errors.OptionError, match="runs is empty"):
            draw([])


def test_an_error_of_zero_is_drawn_at_the_floor() -> None:
    run = Work("direct", {}, "direct", 2.0, 16, 0.1, 0.0, 1e-3)
    finer = Work("direct", {}, "direct", 2.0, 32, 0.05, 0.0, 1e-3)
    ax = plot.convergence([run, finer])
    assert np.asarray(ax.lines[0].get_ydata()).tolist() == [1e-17, 1e-17]
    assert np.isfinite(np.asarray(ax.lines[1].get_xydata())).all()


def test_axes_are_drawn_into() -> None:
    axes = Figure().subplots(1, 2)
    assert plot.convergence(RUNS, axes[0]) is axes[0]
    assert plot.work_precision(RUNS, axes[1]) is axes[1]
    with pytest.raises(errors.OptionError, match="but ax was given"):
        plot.convergence(RUNS, axes[0], width="column")


def test_the_whole_figure_is_both_panels() -> None:
    figure = orders(RUNS)
    left, right = figure.axes
    for ax, panel in ((left, plot.work_precision(RUNS)), (right, plot.convergence(RUNS))):
        assert len(ax.lines) == len(panel.lines)
        for mine, other in zip(ax.lines, panel.lines, strict=True):
            np.testing.assert_array_equal(mine.get_xydata(), other.get_xydata())
        assert ax.get_legend() is None
    assert len(figure.legends[0].get_texts()) == 3
    assert PROBLEM[:20] in figure.get_suptitle()


@pytest.mark.parametrize("width", ["column", "text"])
def test_for_print(width: plot.Width) -> None:
    figure = orders(
        [*RUNS, *itertools.chain(*(runs_of(1.0, f"a solver with option={k}") for k in range(9)))], width=width
    )
    figure.draw_without_rendering()
    boxes = [ax.get_window_extent() for ax in figure.axes]
    beside = bool(boxes[0].x1 < boxes[1].x0)
    assert beside is (width == "text")
    for box in [*boxes, figure.legends[0].get_window_extent()]:
        assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert 0 <= box.y0 < box.y1 <= figure.bbox.y1
    assert min(box.height for box in boxes) / figure.dpi > 1.5
