"""The panel of checks: a row for each, its fraction of the bound, marks and words that need no colour."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heatpg import Report, evolve, landscapes, plot
from heatpg.core.report import Check, Place
from heatpg.plot import figures

PLACE = Place(2, (0, 7), (1.4, 1.54))
REPORT = Report(
    [
        Check("range", "passed", "inside the range of Q", 2e-16, 1e-14, "round-off"),
        Check("still", "passed", "nothing moved", 0.0, 1e-14),
        Check("count", "passed", "no growth of the number of extrema"),
        Check("box", "finding", "noise leaves the box", 0.75, 0.01, "trust margin", PLACE),
        Check("conservation", "failed", "mass was lost", 3e-9, 4e-14, "round-off", PLACE, promised=True),
    ],
    "full",
)


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def bars(ax: Axes) -> list[tuple[float, float]]:
    """Left and right end of every coloured bar, without the track below it and the hatch over it."""
    patches: list[Any] = [patch for patch in ax.patches if patch.get_zorder() == 2]
    return [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in patches]


def test_a_row_for_each_check_with_its_word_and_mark() -> None:
    ax = plot.checks(REPORT)
    assert ax.get_title(loc="left") == "checks (full): 3 passed, 1 finding, 1 failed"
    found = texts(ax)
    for words in (
        "range: passed", "still: passed", "count: passed", "box: finding", "conservation: FAILED", "2e−16 ≤ 1e−14",
        "0 ≤ 1e−14", "0.75 > 0.01", "3e−09 > 4e−14", "no growth of the number of extrema",
        "noise leaves the box", "mass was lost", "The solver guarantees to pass this check.",
    ):  # fmt: skip
        assert words in found
    assert [found.count(mark) for mark in "✓!✗"] == [3, 1, 1]
    where = f"where: {PLACE}"
    assert sum(where.startswith(text) and len(text) > 10 for text in found) == 2
    assert "inside the range of Q" not in found  # passed, with a number


def test_bars_are_the_fraction_of_the_bound() -> None:
    ax = plot.checks(REPORT)
    low, high = ax.get_xlim()
    assert ax.get_xscale() == "log"
    np.testing.assert_allclose(bars(ax), [(low, 0.02), (low, 75.0), (low, high)], rtol=1e-12)
    assert low < 0.02 < 1.0 < 75.0 < high
    bounds = [line for line in ax.lines if line.get_color() == "black"]
    assert len(bounds) == 4
    assert all(np.asarray(line.get_xdata()).tolist() == [1.0, 1.0] for line in bounds)
    ends = {
        line.get_marker(): np.asarray(line.get_xdata()).tolist() for line in ax.lines if str(line.get_marker()) in "<>"
    }
    assert ends == {"<": [low], ">": [high]}  # nothing of its bound, and more than there is room for
    labels = [ax.xaxis.get_major_formatter()(value, 0) for value in (0.01, 1.0, 10.0)]
    assert labels == ["0.01", "bound", "10"]


@pytest.mark.parametrize(
    ("figure", "bound", "fraction", "said"),
    [
        (math.nan, 1.0, math.inf, "nan ≰ 1"),
        (math.inf, 1.0, math.inf, "inf > 1"),
        (1.0, 0.0, math.inf, "1 > 0"),
        (0.0, 0.0, 0.0, "0 ≤ 0"),
        (-1.0, 2.0, 0.0, "−1 ≤ 2"),
        (1.0, math.inf, 0.0, "1 ≤ inf"),
        (1.0, math.nan, math.inf, "1 ≰ nan"),
        (5.0, None, None, "5"),
    ],
)
def test_numbers_without_a_fraction(figure: float, bound: float | None, fraction: float | None, said: str) -> None:
    status: Any = "failed" if fraction == math.inf else "passed"
    ax = plot.checks(Report([Check("odd", status, "a message", figure, bound)]))
    assert said in texts(ax)
    low, high = ax.get_xlim()
    np.testing.assert_allclose(
        np.reshape(bars(ax), (-1, 2)), [[low, high]] if fraction == math.inf else np.empty((0, 2))
    )
    ax.figure.draw_without_rendering()  # type: ignore[union-attr]


def test_without_figures_there_is_no_scale() -> None:
    ax = plot.checks(Report([Check("count", "passed", "no growth"), Check("edge", "finding", "there", where=PLACE)]))
    assert ax.get_xlabel() == ""
    assert not ax.patches
    assert {"count: passed", "edge: finding", "no growth", "there"} <= set(texts(ax))


def test_no_checks_were_made() -> None:
    flow = evolve(landscapes.ridge(size=21), [0.2], checks="none")
    for ax in (plot.checks(flow), plot.checks(Report([], "none"))):
        assert texts(ax) == ["No checks were run."]


@pytest.mark.parametrize("width", [None, "column", "text"])
def test_all_words_are_inside_and_below_one_another(width: plot.Width) -> None:
    message = (
        "a long message that has to be broken into several lines wherever the figure is as narrow as a column, " * 2
    )
    report = Report([*REPORT, Check("a check of long words", "finding", message, 0.5, 0.1, where=PLACE)])
    ax = plot.checks(report, width=width)
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    for box in boxes:
        assert box.x0 >= -1 and box.x1 <= figure.bbox.x1 + 1
        assert box.y0 >= 0 and box.y1 <= figure.bbox.y1
    overlapping = [
        (a.get_text(), b.get_text())
        for i, (a, first) in enumerate(zip(ax.texts, boxes, strict=True))
        for b, second in zip(ax.texts[:i], boxes[:i], strict=True)
        if min(first.x1, second.x1) > max(first.x0, second.x0)
        and min(first.y1, second.y1) > max(first.y0, second.y0) + 0.15 * first.height
    ]
    assert overlapping == []


def test_axes_are_drawn_into_and_the_whole_figure_is_the_panel() -> None:
    ax = Figure(figsize=(6, 6)).subplots()
    assert plot.checks(REPORT, ax) is ax
    flow = evolve(landscapes.ridge(size=21), [0.2, 0.4])
    figure = figures.get("checks")(flow, width="column")
    assert figure.get_figwidth() == 3.5
    assert texts(figure.axes[0]) == texts(plot.checks(flow, width="column"))
    assert figure.axes[0].get_title(loc="left").startswith("ridge: checks (standard)")
