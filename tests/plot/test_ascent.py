"""Ascent paths: over lines, maps and slices, against sigma, with starts, ends and noise levels that are seen."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from heatpg import Axis, Grid, Landscape, errors, plot
from heatpg.evolution import solve
from heatpg.policy import Ascent


def landscape(dimensions: int, boundary: str = "clip") -> Landscape:
    grid = Grid(*(Axis(name, -1, 1, 13, boundary=boundary, unit="N") for name in "abc"[:dimensions]))
    return Landscape.from_function(lambda *x: -sum((each - 0.2) ** 2 for each in x), grid, name="bowl")


def ascent(means: Any, sigmas: Any, status: str = "converged", values: Any = None) -> Ascent:
    places = np.array(means, dtype=float)
    places = places[:, None] if places.ndim == 1 else places
    count = len(places)
    heights: Any = np.linspace(-1, 0, count) if values is None else np.array(values)
    return Ascent(
        places, np.array(sigmas, dtype=float), np.arange(count, dtype=np.float64), heights, np.full(count, -0.5),
        "fixed", "exact", status, "",
    )  # fmt: skip


FIXED = ascent([[-0.8, -0.6], [-0.4, -0.3], [0.2, 0.2]], [0.3, 0.3, 0.3])
JOINT = ascent([[0.9, -0.6], [0.5, -0.3], [0.2, 0.2]], [0.4, 0.2, 0.05], "sigma went to zero")


def pieces(ax: Axes) -> list[LineCollection]:
    return [each for each in ax.collections if isinstance(each, LineCollection)]


def named(ax: Axes) -> dict[str, list[list[float]]]:
    """Places of the marks in the legend."""
    return {
        str(line.get_label()): np.asarray(line.get_xydata()).tolist()
        for line in ax.lines
        if not str(line.get_label()).startswith("_")
    }


def rings(ax: Axes) -> list[Ellipse]:
    return [patch for patch in ax.patches if isinstance(patch, Ellipse)]


def test_paths_on_the_map() -> None:
    q = landscape(2)
    ax = plot.ascent_paths(q, [FIXED, dataclasses.replace(FIXED, status="stalled at a maximum")])
    assert ax.get_title() == "bowl: Q, ascents"
    np.testing.assert_array_equal(ax.images[0].get_array(), q.values.T)
    found = pieces(ax)
    assert len(found) == 2
    np.testing.assert_array_equal(
        np.stack(found[0].get_segments()), np.stack([FIXED.means[:-1], FIXED.means[1:]], axis=1)
    )
    np.testing.assert_array_equal(found[0].get_array(), [1, 2])  # iterations, since sigma does not change
    assert found[0].get_clim() == (0, 2)
    start, end = FIXED.means[0].tolist(), FIXED.means[-1].tolist()
    best = q.grid.point(np.unravel_index(int(q.values.argmax()), q.grid.shape))
    assert named(ax) == {
        "argmax of Q": [list(best)], "start": [start, start], "converged (1)": [end], "stalled at a maximum (1)": [end],
    }  # fmt: skip
    assert not rings(ax)
    assert ax.figure.axes[1].get_ylabel() == "iteration"


def test_sigma_is_seen_along_joint_ascents() -> None:
    ax = plot.ascent_paths(landscape(2), JOINT)
    (found,) = pieces(ax)
    np.testing.assert_array_equal(found.get_array(), JOINT.sigmas[1:])
    assert isinstance(found.norm, LogNorm)
    assert found.get_clim() == (0.05, 0.4)
    assert ax.figure.axes[1].get_ylabel() == "σ (N)"
    assert list(named(ax)) == ["argmax of Q", "start", "sigma went to zero"]
    at = {(*np.asarray(ring.get_center()).tolist(), ring.get_width(), ring.get_height()) for ring in rings(ax)}
    assert at == {(*place.tolist(), 2 * s, 2 * s) for place, s in zip(JOINT.means, JOINT.sigmas, strict=True)}
    assert not rings(plot.ascent_paths(landscape(2), [JOINT] * 7))
    assert not rings(plot.ascent_paths(landscape(2), JOINT, colour="iteration"))


def test_one_sigma_for_each_axis() -> None:
    many = dataclasses.replace(JOINT, sigmas=np.array([[0.4, 0.1], [0.2, 0.05], [0.1, 0.025]]))
    ax = plot.ascent_paths(landscape(2), many, axis="b")
    np.testing.assert_array_equal(pieces(ax)[0].get_array(), [0.05, 0.025])
    assert {(ring.get_width(), ring.get_height()) for ring in rings(ax)} == {(0.8, 0.2), (0.4, 0.1), (0.2, 0.05)}
    against = plot.ascent_paths(landscape(2), many, axis="b", against="sigma")
    assert against.get_xlabel() == "σ along b (N)"


def test_colour_of_one_fixed_sigma() -> None:
    ax = plot.ascent_paths(landscape(2), FIXED, colour="sigma")
    np.testing.assert_array_equal(pieces(ax)[0].get_array(), [0.3, 0.3])
    assert pieces(ax)[0].get_clim() == (0.15, 0.6)


def test_over_u_at_a_stored_sigma() -> None:
    flow = solve(landscape(2), [0.1, 0.3])
    ax = plot.ascent_paths(flow, FIXED, index=-1)
    assert ax.get_title() == "bowl: u at σ = 0.3 N, ascents"
    np.testing.assert_array_equal(ax.images[0].get_array(), flow.values[1].T)
    assert plot.ascent_paths(flow, FIXED).get_title() == "bowl: Q, ascents"


def test_over_a_line_the_height_is_the_value() -> None:
    path = ascent([-0.8, -0.4, 0.2], [0.3, 0.3, 0.3], values=[-0.9, np.nan, -0.1])
    ax = plot.ascent_paths(landscape(1), path)
    corners = np.stack(pieces(ax)[0].get_segments())
    np.testing.assert_array_equal(corners[:, 0], [[-0.8, -0.9], [-0.4, -0.5]])  # Q at the mean where L is not known
    marks = named(ax)
    assert marks.pop("argmax of Q")[0][1] == landscape(1).values.max()
    assert marks == {"start": [[-0.8, -0.9]], "converged": [[0.2, -0.1]]}
    assert ax.get_ylabel() == "Q, L of the ascents"


def test_a_slice_says_that_paths_are_projected() -> None:
    path = ascent([[-0.8, 0.1, 0.3], [0.2, 0.2, 0.2]], [0.3, 0.3])
    ax = plot.ascent_paths(landscape(3), path)
    assert "(paths projected onto c = 0.167 N)" in ax.get_title()
    assert np.stack(pieces(ax)[0].get_segments()).tolist() == [[[-0.8, 0.1], [0.2, 0.2]]]


def test_a_way_around_a_periodic_axis_is_cut() -> None:
    means = [[0.7, 0.0], [0.9, 0.1], [1.1, 0.2], [1.3, 0.3], [0.9, 0.4], [0.7, 0.5]]
    path = ascent(means, [0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    ax = plot.ascent_paths(landscape(2, "periodic"), path)
    found = pieces(ax)[0]
    segments = [[[0.7, 0.0], [0.9, 0.1]], [[-0.9, 0.2], [-0.7, 0.3]], [[0.9, 0.4], [0.7, 0.5]]]
    np.testing.assert_allclose(np.stack(found.get_segments()), segments, atol=1e-15)
    np.testing.assert_array_equal(found.get_array(), [0.5, 0.3, 0.1])
    np.testing.assert_allclose(named(ax)["converged"], [[0.7, 0.5]], atol=1e-15)
    against = plot.ascent_paths(landscape(2, "periodic"), path, against="sigma")
    segments = [[[0.6, 0.7], [0.5, 0.9]], [[0.4, -0.9], [0.3, -0.7]], [[0.2, 0.9], [0.1, 0.7]]]
    np.testing.assert_allclose(np.stack(pieces(against)[0].get_segments()), segments, atol=1e-15)


def test_means_against_sigma() -> None:
    ax = plot.ascent_paths(landscape(2), JOINT, against="sigma", axis="b")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("σ (N)", "b (N) of the mean")
    assert named(ax) == {"start": [[0.4, -0.6]], "sigma went to zero": [[0.05, 0.2]]}
    assert ax.get_xlim() == (0.05, 0.4)
    assert ax.get_ylim() == (-1, 1)


@pytest.mark.parametrize("width", [None, "column"])
def test_everything_is_inside(width: plot.Width) -> None:
    statuses = [
        "converged", "stalled at a maximum", "at the floor", "sigma went to zero", "sigma outgrew the box",
        "left the box", "at a saddle", "on a plateau", "budget spent",
    ]  # fmt: skip
    ax = plot.ascent_paths(
        landscape(2), [dataclasses.replace(JOINT, status=status) for status in statuses], width=width
    )
    figure = ax.get_figure(root=True)
    legend = ax.get_legend()
    assert figure is not None and legend is not None
    figure.draw_without_rendering()
    box = legend.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1
    assert box.y0 >= 0 and box.y1 <= ax.get_window_extent().y0
    assert len(legend.get_texts()) == 11
    assert len({line.get_marker() for line in ax.lines if not str(line.get_label()).startswith("_")}) == 11


def test_axes_are_drawn_into() -> None:
    ax = Figure().subplots()
    assert plot.ascent_paths(landscape(2), FIXED, ax) is ax


@pytest.mark.parametrize(
    ("given", "options", "error", "said"),
    [
        ([], {}, errors.OptionError, "one or more ascents"),
        (["up"], {}, errors.OptionError, "ascend_all"),
        (FIXED, {"colour": "red"}, errors.UnknownNameError, "iteration"),
        (FIXED, {"against": "time"}, errors.UnknownNameError, "sigma"),
        (FIXED, {"axis": "z"}, errors.GridError, "z"),
        (FIXED, {"axis": 5}, errors.GridError, "5"),
        (FIXED, {"index": 0}, errors.OptionError, "no noise levels"),
        (ascent([0.1, 0.2], [0.1, 0.1]), {}, errors.GridError, "means with 1 dimensions"),
    ],
)
def test_bad_input(given: Any, options: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        plot.ascent_paths(landscape(2), given, **options)


def test_a_level_that_is_not_stored() -> None:
    with pytest.raises(errors.SigmaError, match="0 to 0"):
        plot.ascent_paths(solve(landscape(2), 0.2), FIXED, index=1)
