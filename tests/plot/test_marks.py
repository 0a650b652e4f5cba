"""Words of figures that say what their marks are, and where these words stand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

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
    names = {text.get_text() for text in legend.get_texts()}
    assert names == {"maximum", "minimum", "optimum", "on the edge of the box"}
    # each kind as a line that is not dotted, though the minima here are those on the edge
    kinds = [line for line in ax.lines if line.get_label() in ("maximum", "minimum")]
    assert [line.get_linestyle() for line in kinds] == ["-", "-"]
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


def test_the_dashed_lines_of_the_risk_figure_are_in_its_legends() -> None:
    for ax in plot.risk(cases.line()).axes[1:3]:
        legend = ax.get_legend()
        assert legend is not None
        assert "start to differ, or agree again" in [text.get_text() for text in legend.get_texts()]


def test_a_loss_has_losses_in_the_risk_figure() -> None:
    axis = Axis("x", -4.0, 4.0, 201, boundary="clip")
    loss = Landscape.from_function(
        lambda x: -np.exp(-((x - 1) ** 2)) - 0.9 * np.exp(-((x + 1) ** 2) / 4), Grid(axis), minimise=True
    )
    figure = plot.risk(solve(loss, [0.1, 0.3, 0.9]))
    words = " ".join(text.get_text() for text in figure.findobj(Text))
    assert "Losses of both actions" in words and "eturns" not in words


def test_levels_that_are_left_out_are_told() -> None:
    assert "3 of 12 noise levels are shown." in caption(plot.multiples(cases.line(), [0, 5, 11]))
    assert "Grey: Q." in caption(plot.multiples(cases.line()))
    flow = solve(cases.line().landscape, [0.1, 0.2])
    assert "shown" not in caption(plot.multiples(flow))


def test_wide_maps_leave_no_empty_band_below() -> None:
    sides = (Axis("x", -3.0, 3.0, 61, boundary="clip"), Axis("y", -1.6, 1.6, 33, boundary="clip"))
    hill = Landscape.from_function(lambda x, y: np.exp(-(x**2) - y**2), Grid(*sides))
    figure = drawn(plot.multiples(solve(hill, [0.2, 0.4])))
    high = max(ax.get_position().height for ax in figure.axes[:3]) * figure.get_figheight()
    # titles, numbers, labels and the words below take about two inches; the maps are 1.2 inches high
    assert figure.get_figheight() - high < 2.2


def test_one_axis_is_drawn_in_its_own_units() -> None:
    place = plot.maxima(cases.line()).axes[1]
    assert place.get_ylabel() == "argmax, action (N m)" and place.get_legend() is None
    low, high = place.get_ylim()
    assert low < -4.0 < 4.0 < high


def test_the_line_of_a_waterfall_is_explained_above_one_dimension() -> None:
    assert "over the whole box may lie elsewhere" in caption(figures.get("waterfall")(cases.plane()))
    assert caption(figures.get("waterfall")(cases.line())) == ""


def test_predictions_of_a_spectrum_are_explained() -> None:
    words = caption(figures.get("spectrum")(cases.line()))
    assert "damped by" in words and "taper" in words  # clip: free space
    assert "taper" not in caption(figures.get("spectrum")(cases.waves()))
