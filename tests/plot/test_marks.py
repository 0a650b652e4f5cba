"""Words of figures that say what their marks are, and where these words stand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from heatpg import Axis, Grid, Landscape, landscapes, plot
from heatpg.evolution import Evolution, solve
from heatpg.plot import figures
from tests.plot import cases


def drawn(figure: Figure | object) -> Figure:
    """The figure, with everything at its place."""
    found = figure if isinstance(figure, Figure) else figure.figure  # type: ignore[attr-defined]
    assert isinstance(found, Figure)
    found.draw_without_rendering()
    return found


def caption(figure: Figure) -> str:
    return " ".join(figure.get_supxlabel().split())


@pytest.mark.parametrize("flow", [cases.line, cases.plane, cases.space], ids=["line", "plane", "space"])
def test_the_cross_is_explained_below_figures_of_our_own(flow: object) -> None:
    made: Evolution = flow()  # type: ignore[operator]
    for figure in (drawn(plot.landscape(made.landscape)), drawn(plot.field(made, 0)), plot.multiples(made)):
        assert caption(figure).startswith("Cross: argmax.")


def test_an_open_cross_is_explained_where_there_is_one() -> None:
    flow = cases.space()
    tops = [int(np.argmax(flow.values[k].max(axis=(0, 1)))) for k in range(len(flow))]
    center = int(np.argmax(flow.landscape.values.max(axis=(0, 1))))
    assert tops[0] == center != tops[-1]  # the largest value leaves the slice through that of Q
    assert "Open cross" not in caption(drawn(plot.field(flow, 0)))
    assert "Open cross: the argmax lies outside this slice." in caption(drawn(plot.field(flow, -1)))
    assert "Open cross: the argmax lies outside this slice." in caption(plot.multiples(flow))


def test_axes_of_others_keep_their_words_to_themselves() -> None:
    figure = Figure(layout="constrained")
    plot.landscape(landscapes.ridge(size=21), figure.subplots())
    assert caption(figure) == ""


def test_a_loss_has_its_argmin() -> None:
    grid = Grid(Axis("x", -2.0, 2.0, 41, boundary="clip"))
    loss = Landscape.from_function(lambda x: x**2, grid, minimise=True)
    assert caption(drawn(plot.landscape(loss))) == "Cross: argmin."


def test_a_single_map_is_in_the_middle_of_its_figure() -> None:
    figure = drawn(plot.landscape(cases.plane().landscape))
    boxes = [ax.get_tightbbox() for ax in figure.axes]
    left = min(box.x0 for box in boxes if box)
    right = figure.bbox.x1 - max(box.x1 for box in boxes if box)
    # the paddings of the layout differ by those of the bar, about a tenth of an inch
    assert abs(left - right) < 0.15 * figure.dpi


def test_the_words_at_jump_and_end_are_on_no_curve_and_apart() -> None:
    axis = Axis("x", -4.0, 4.0, 401, boundary="clip")
    peak_and_hill = Landscape.from_function(
        lambda x: np.exp(-((x + 1) ** 2) / 0.02) + 0.8 * np.exp(-((x - 0.8) ** 2) / 0.32), Grid(axis)
    )
    flow = solve(peak_and_hill, np.geomspace(0.03, 2.0, 24))
    figure = drawn(plot.figures.get("price")(flow))
    for ax in figure.axes:
        frame = ax.get_window_extent()
        words = [text for text in ax.texts if text.get_text() in ("jump", "jump?", "end")]
        assert len(words) == 2
        for text in words:
            assert text.get_window_extent().y0 >= frame.y1  # curves are inside the frame
        for one, other in itertools.combinations([*words, ax.title], 2):
            assert not one.get_window_extent().overlaps(other.get_window_extent())


def test_marks_at_the_first_and_the_last_level_are_whole() -> None:
    places = plot.risk(cases.line()).axes[2]
    for line in places.lines:
        if line.get_marker() in ("X", "o"):
            assert not line.get_clip_on()


def test_a_fingerprint_by_itself_has_its_legend() -> None:
    ax = plot.fingerprint(cases.bumps())
    legend = ax.get_legend()
    assert legend is not None
    assert {"maximum", "minimum", "optimum"} == {text.get_text() for text in legend.get_texts()}
    figure = drawn(ax)
    assert legend.get_window_extent().y0 >= 0
    assert legend.get_window_extent().y1 <= ax.xaxis.label.get_window_extent().y0
    # in axes that somebody else has made the legend is theirs
    assert plot.fingerprint(cases.bumps(), Figure().subplots()).get_legend() is None
    assert figure.axes == [ax]


def test_long_labels_are_broken_and_belong_to_their_maps() -> None:
    figure = drawn(figures.get("summary")(cases.units(), width="column"))
    labels = [ax.get_xlabel() for ax in figure.axes]
    assert "torque_of_the_\nshoulder (N m)" in labels
    assert not any(part.get_supxlabel() for part in figure.subfigs)  # it would stand below the bar of colours
