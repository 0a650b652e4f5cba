"""Figures in print: no higher than a page, and no name so long that a label leaves its figure."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.text import Text

from heatpg import Axis, Grid, Landscape, study
from heatpg.evolution import Evolution, solve
from heatpg.plot import figures, multiples
from heatpg.plot import study as draw_study
from heatpg.plot.layout import HIGHEST
from tests.plot import cases

KINDS = figures.names()
SURFACE = "surface"  # of one axis there is none


@cache
def many() -> Evolution:
    """More levels than a column has room for."""
    return solve(cases.plane().landscape, np.geomspace(0.05, 1.0, 20))


@cache
def long_names() -> Evolution:
    """Names and a title of sixty letters, with words and without."""
    first, second = "angular_velocity_of_the_left_shoulder_joint_of_the_robot_arm", "gain of the controller " * 2
    grid = Grid(
        Axis(first, 0, 2, 31, boundary="clip", unit="rad/s"), Axis("gain", 0, 2, 31, boundary="clip", label=second)
    )
    title = "mean discounted return of the controller in the evening wind"
    return solve(Landscape.from_function(cases._peaks, grid, name=title), np.geomspace(0.1, 1.0, 6))


@pytest.mark.parametrize("width", ["column", "text"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_fits_a_page(kind: str, width: Any) -> None:
    for flow in (cases.line(), many()):
        if kind != SURFACE or flow.grid.dimensions > 1:
            assert figures.get(kind)(flow, width=width).get_figheight() <= HIGHEST + 1e-9


def test_levels_that_are_chosen_are_all_drawn() -> None:
    figure = multiples(many(), range(15), width="column")
    assert len([ax for ax in figure.axes if ax.get_title()]) == 16
    assert "15 of 20 noise levels are shown." in " ".join(figure.get_supxlabel().split())


@pytest.mark.parametrize("width", ["column", "text", None])
@pytest.mark.parametrize("kind", KINDS)
def test_no_label_leaves_its_figure(kind: str, width: Any) -> None:
    figure = figures.get(kind)(long_names(), width=width)
    figure.draw_without_rendering()
    for ax in figure.axes:
        assert isinstance(ax, Axes)
        for text in (ax.title, ax.xaxis.label, ax.yaxis.label):
            assert isinstance(text, Text)
            if text.get_text() and text.get_visible() and ax.get_visible():
                box = text.get_window_extent()
                # a point for the blur of letters
                inside = box.x0 > -1 and box.y0 > -1 and box.x1 < figure.bbox.x1 + 1 and box.y1 < figure.bbox.y1 + 1
                assert inside, (text.get_text(), box.extents, figure.bbox.extents)


def test_the_unit_of_a_label_that_is_cut_stays() -> None:
    figure = figures.get("fingerprint")(long_names(), width="column")
    label = figure.axes[0].get_ylabel()
    assert "…" not in label or "rad/s" in label


def test_numbers_of_a_study_in_a_column_have_their_intervals() -> None:
    """As the detail of each number has them at other widths."""
    x = np.linspace(-3.0, 3.0, 121)
    mean = np.exp(-((x - 1) ** 2) / 0.08) + 0.8 * np.exp(-((x + 1) ** 2) / 0.8)
    returns = mean + 0.15 * np.random.default_rng(0).normal(size=(12, 121))
    seeds = Landscape.from_array(returns=returns, axes=[Axis("x", -3.0, 3.0, 121, boundary="clip")])
    page = study(seeds, np.geomspace(0.1, 1.5, 8))
    figure = draw_study(page, width="column")
    words = " ".join(text.get_text() for text in figure.findobj(Text) if isinstance(text, Text))
    known = [one.detail.partition("; ")[2] for one in page.verdict.numbers if "interval" in one.detail]
    assert known
    for interval in known:
        assert interval in words
