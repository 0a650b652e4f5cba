"""Figures: drawn without warnings for every kind of grid, with the marks and words that they must have."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.projections import get_projection_class
from matplotlib.text import Text

from heatpg import Axis, Grid, Landscape, Report, errors, landscapes, plot
from heatpg.core.report import Check
from heatpg.evolution import Evolution, solve
from heatpg.plot import figures
from heatpg.plot.choices import shown_sigmas
from heatpg.plot.field import TRUST_WORDS
from heatpg.plot.layout import line_colours
from heatpg.plot.words import number, sigma_label
from heatpg.risk import safest_action
from heatpg.scalespace import track

BOUNDARIES = ("clip", "periodic", "reflect", "zero")


def evolution(
    dimensions: int, *, batch: tuple[int, ...] = (), sigma: Any = (0.1, 0.2, 0.4), unit: str = "N"
) -> Evolution:
    grid = Grid(*(Axis(f"x{i + 1}", 0, 1 + i, 12 + i, boundary=BOUNDARIES[i], unit=unit) for i in range(dimensions)))
    values = np.random.default_rng(3).normal(size=(*batch, *grid.shape))
    return solve(Landscape(values, grid, "noise"), sigma)


def png(figure: Figure) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=60)
    return content.getvalue()


def words(figure: Figure) -> str:
    """All text of a figure."""
    return "\n".join(text.get_text() for text in figure.findobj(Text))


# what asks for more than any evolution, see below
NEEDS_TRACKS = ("fingerprint", "price", "study")
NEEDS_TWO_AXES = ("surface",)
NEEDS_ONE_LANDSCAPE = ("risk",)
OF_ANY_EVOLUTION = [
    name for name in figures.names() if name not in (*NEEDS_TRACKS, *NEEDS_TWO_AXES, *NEEDS_ONE_LANDSCAPE)
]


@pytest.mark.parametrize("name", OF_ANY_EVOLUTION)
@pytest.mark.parametrize(("dimensions", "batch"), [(1, ()), (2, ()), (3, ()), (4, ()), (1, (3,)), (2, (2, 1))])
def test_figures_are_drawn(name: str, dimensions: int, batch: tuple[int, ...]) -> None:
    figure = figures.get(name)(evolution(dimensions, batch=batch))
    assert isinstance(figure, Figure)
    content = png(figure)
    assert content.startswith(b"\x89PNG")
    assert 2_000 < len(content) < 1_000_000
    if name != "checks":  # these are of the whole batch
        assert ("first of" in words(figure)) is bool(batch)


@pytest.mark.parametrize(
    "sigma", [0.0, 0.2, [0.0, 0.1], np.geomspace(0.01, 1, 20), {"x1": [0.1, 0.2], "x2": 0.3}],
    ids=["zero", "one", "two", "many", "per axis"],
)  # fmt: skip
def test_figures_of_any_number_of_sigmas(sigma: Any) -> None:
    flow = evolution(2, sigma=sigma)
    for name in OF_ANY_EVOLUTION:
        png(figures.get(name)(flow))


@pytest.mark.parametrize(("dimensions", "batch"), [(2, ()), (3, ()), (4, (2, 1))])
def test_surfaces_are_drawn_over_two_axes_or_more(dimensions: int, batch: tuple[int, ...]) -> None:
    figure = figures.get("surface")(evolution(dimensions, batch=batch))
    assert png(figure).startswith(b"\x89PNG")
    assert ("first of" in words(figure)) is bool(batch)
    assert [ax.name for ax in figure.axes] == ["3d"] * 4
    with pytest.raises(errors.UnsupportedError, match="two axes"):
        figures.get("surface")(evolution(1))


@pytest.mark.parametrize("name", [*OF_ANY_EVOLUTION, *NEEDS_TWO_AXES])
def test_figures_for_print(name: str) -> None:
    figure = figures.get(name)(evolution(2), width="column")
    png(figure)
    assert figure.get_figwidth() == 3.5
    sizes = {float(text.get_fontsize()) for text in figure.findobj(Text) if text.get_text()}
    assert min(sizes) >= 6.0 and max(sizes) <= 9.6


@pytest.mark.parametrize(("width", "size"), [("text", 7.2), (5, 5.0), (None, 13.0)])
def test_widths_of_the_summary(width: Any, size: float) -> None:
    figure = plot.summary(evolution(2), width=width)
    png(figure)
    assert figure.get_figwidth() == size


@pytest.mark.parametrize(
    ("name", "dimensions"),
    [("fingerprint", 2), ("price", 1), ("study", 1), ("study", 2), ("study", 3), ("risk", 1), ("risk", 2), ("risk", 3)],
)
def test_figures_of_tracks_are_drawn(name: str, dimensions: int) -> None:
    flow = evolution(dimensions, sigma=np.geomspace(0.2, 1.0, 8))
    figure = figures.get(name)(flow, width="column" if dimensions == 2 else None)
    assert png(figure).startswith(b"\x89PNG")
    assert {"study": "its optimum under exploration noise"}.get(name, "σ") in words(figure).replace("\n", " ")


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_study_of_a_column_fits_a_page_and_stacks_its_panels_above_one_sigma(dimensions: int) -> None:
    flow = evolution(dimensions, sigma=np.geomspace(0.2, 1.0, 8))
    figure = plot.study(flow, width="column")
    png(figure)
    # a page of 11 in with margins of an inch has 9; with a panel for each of three axes it may be a little more
    assert figure.get_figheight() <= (9.01 if dimensions < 3 else 10.5)
    # fingerprints, price, basin and counts
    stack = [ax for ax in figure.axes if ax.get_subplotspec() is not None][-(dimensions + 3) :]
    boxes = [ax.get_window_extent() for ax in stack]
    assert {ax.get_xlim() for ax in stack} == {(0.2, 1.0)}
    assert [bool(ax.get_xlabel()) for ax in stack] == [False] * (dimensions + 2) + [True]
    assert len({(round(box.x0), round(box.x1)) for box in boxes}) == 1
    # no empty bands: from one panel to the next there are two lines of a legend with the space around them at most
    gaps = [above.y0 - below.y1 for above, below in itertools.pairwise(boxes)]
    assert max(gaps) < 5.0 * 8.0 * figure.dpi / 72 and min(box.height for box in boxes) > 0.4 * figure.dpi


@pytest.mark.parametrize("name", ["price", "risk", "fingerprint", "study", "summary"])
def test_figures_of_a_column_fit_a_page(name: str) -> None:
    """One of 11 in with margins of an inch."""
    figure = figures.get(name)(evolution(1, sigma=np.geomspace(0.2, 1.0, 8)), width="column")
    assert figure.get_figheight() <= 9.01


def test_the_figure_of_the_price_has_the_interval_over_seeds() -> None:
    grid = Grid(Axis("x", -3.0, 3.0, 121, boundary="clip"))
    x = grid[0].coordinates
    bumps = np.exp(-((x + 1) ** 2) / 0.0288) + 0.8 * np.exp(-((x - 1) ** 2) / 0.32)
    noise = np.random.default_rng(1).normal(size=(8, 1))
    for returns, shown in ((bumps + 0.05 * noise * x, True), (np.stack([bumps] * 8), False)):
        figure = figures.get("price")(solve(Landscape(None, grid, returns=returns), np.geomspace(0.1, 0.5, 6)))
        labels = figure.axes[0].get_legend_handles_labels()[1]
        assert any("8 seeds" in label for label in labels) == shown


def test_risk_marks_both_actions_where_safety_gains_most() -> None:
    flow = solve(landscapes.peak_and_hill(size=401, widths=(0.2, 1.0)), np.geomspace(0.1, 1.0, 6))
    found = safest_action(flow, 0.1)
    ax = plot.risk(found).axes[0]
    level = int(np.argmax(found.tail_gained))
    drawn = {line.get_label(): np.asarray(line.get_xdata()) for line in ax.get_lines()}
    assert drawn["safest action"][0] == found.safest.positions[level, 0]
    assert drawn["best mean"][0] == found.best_mean.positions[level, 0]
    for refused in (evolution(1, batch=(2,)), evolution(4), found.tail):
        with pytest.raises((errors.UnsupportedError, errors.OptionError)):
            plot.risk(refused)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NEEDS_TRACKS)
def test_what_cannot_be_tracked_is_refused(name: str) -> None:
    for flow in (evolution(1, batch=(2,)), evolution(4, sigma=[0.2, 0.4]), evolution(2, sigma=[0.3])):
        with pytest.raises((errors.UnsupportedError, errors.SigmaError)):
            figures.get(name)(flow)


def test_fingerprint_ends_its_lines_at_the_events() -> None:
    flow = solve(landscapes.unequal_bumps(size=201), np.geomspace(0.1, 2.0, 8))
    space = track(flow)
    ax = plot.fingerprint(space)
    assert {"maximum", "minimum", "optimum"} <= {line.get_label() for line in ax.get_lines()}
    ends = {float(np.asarray(line.get_xdata())[-1]) for line in ax.get_lines() if len(np.asarray(line.get_xdata()))}
    deaths = {event.sigma for event in space.events if event.kind == "death"}
    assert deaths and deaths <= ends


def test_price_and_counts_step_at_the_events() -> None:
    space = track(solve(landscapes.peak_and_hill(size=201, widths=(0.2, 1.0)), np.geomspace(0.1, 4.0, 6)))
    jump, death = space.sigma_jump, space.sigma_death
    assert jump is not None and death is not None
    line = plot.price_curve(space).get_lines()[0]
    x, y = (np.asarray(data) for data in line.get_data())
    # before the jump, a gap in which nothing is drawn, after it
    (gap,) = np.flatnonzero(np.isnan(y))
    assert (x[gap - 1 : gap + 2] == jump.sigma).all() and y[gap + 1] - y[gap - 1] > 0.1 and (np.diff(x) >= 0).all()
    line = plot.critical_counts(space).get_lines()[0]
    assert line.get_drawstyle() == "steps-post"
    x, y = (np.asarray(data) for data in line.get_data())
    (falls,) = np.flatnonzero(np.diff(y))
    assert x[falls + 1] == death.sigma and y[falls] == 2 and y[falls + 1] == 1


def test_prices_below_zero_are_not_cut_off() -> None:
    # a needle between the nodes, on top of a hill; the best node is that of another peak
    grid = Grid(Axis("x", -4.0, 4.0, 81, boundary="clip"))
    q = Landscape.from_function(
        lambda x: (
            0.5 * np.exp(-((x - 0.05) ** 2) / 8e-4)
            + 0.4 * np.exp(-((x - 0.05) ** 2) / 2)
            + 0.42 * np.exp(-((x + 3) ** 2) / 0.05)
        ),
        grid,
    )
    ax = plot.price_curve(solve(q, [0.2, 0.4, 0.8]))
    least = float(np.asarray(ax.get_lines()[0].get_ydata()).min())
    assert least < -0.4 and ax.get_ylim()[0] < least
    assert plot.price_curve(solve(landscapes.unequal_bumps(size=201), [0.2, 0.4])).get_ylim()[0] == 0


def test_summary_of_a_map() -> None:
    flow = solve(
        landscapes.ridge(Grid(*(Axis(n, -1, 1, 41, boundary="reflect", unit="N") for n in "ab"))), [0.1, 0.2, 0.3, 0.4]
    )
    figure = plot.summary(flow)
    maps = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title().split("\n")[0] for ax in maps] == ["Q (σ = 0)", "σ = 0.1 N", "σ = 0.3 N", "σ = 0.4 N"]
    limits = {ax.images[0].get_clim() for ax in maps}
    assert limits == {(float(flow.landscape.values.min()), float(flow.landscape.values.max()))}
    assert maps[0].get_xlabel() == "a (N)"
    assert maps[0].get_ylabel() == "b (N)"
    text = words(figure)
    labels = [[line.get_label() for line in ax.lines if str(line.get_label()).startswith("σ")] for ax in figure.axes]
    assert [found for found in labels if found] == [["σ = 0.1 N", "σ = 0.3 N", "σ = 0.4 N"]] * 2
    assert "solver direct" in text
    assert "boundary reflect" in text


def test_the_first_axis_runs_to_the_right() -> None:
    grid = Grid(Axis("a", 0, 1, 5, boundary="reflect"), Axis("b", 0, 1, 4, boundary="reflect"))
    values = np.zeros(grid.shape)
    values[3, 1] = 1
    ax = plot.landscape(Landscape(values, grid))
    image = np.asarray(ax.images[0].get_array())
    assert image.shape == (4, 5)
    assert image[1, 3] == 1
    cross = ax.lines[-1]
    assert np.asarray(cross.get_xydata()).tolist() == [[0.75, 1 / 3]]


def test_argmax_on_the_edge_is_said() -> None:
    grid = Grid(Axis("a", 0, 1, 11, boundary="clip"), Axis("b", 0, 1, 11, boundary="clip"))
    slope = plot.summary(solve(Landscape.from_function(lambda a, b: a + b, grid), 0.1))
    assert "argmax on the edge of the box" in words(slope)
    peak = plot.summary(solve(Landscape.from_function(lambda a, b: -((a - 0.5) ** 2) - (b - 0.5) ** 2, grid), 0.1))
    assert "edge" not in words(peak)
    line = plot.summary(solve(Landscape(np.arange(11.0), Grid(grid[0])), 0.1))
    assert "argmax on the edge of the box" in words(line)
    wrapped = Grid(Axis("a", 0, 1, 11, boundary="periodic"))
    assert "edge" not in words(plot.summary(solve(Landscape(np.arange(11.0)[::-1], wrapped), 0.1)))


def clipped(patch: PathPatch) -> list[tuple[float, float]]:
    """Corners of the region that a patch is clipped to."""
    path, affine = patch.get_transformed_clip_path_and_affine()
    assert path is not None and affine is not None and patch.axes is not None
    corners = patch.axes.transData.inverted().transform(affine.transform(path.vertices))
    return [(float(x), float(y)) for x, y in corners]


def test_the_trust_margin_is_dashed_and_hatched() -> None:
    grid = Grid(Axis("a", 0, 1, 41, boundary="clip"), Axis("b", 0, 1, 41, boundary="reflect"))
    flow = solve(Landscape.from_function(lambda a, b: np.sin(3 * a) * b, grid), [0.1, 0.5])
    small, large = plot.field(flow, 0), plot.field(flow, 1)
    margin = grid.margin(0.1)[0]
    boxes = [patch.get_bbox() for patch in small.patches if isinstance(patch, Rectangle)]
    assert {round(box.x0, 12) for box in boxes} == {round(margin, 12)}
    assert {round(box.x1, 12) for box in boxes} == {round(1 - margin, 12)}
    hatched = [patch for patch in small.patches if isinstance(patch, PathPatch)]
    assert len(hatched) == 2  # dark under light
    for patch in hatched:
        x, y = zip(*clipped(patch), strict=True)
        np.testing.assert_allclose(x[:5], [-0.0125, 1.0125, 1.0125, -0.0125, -0.0125])
        np.testing.assert_allclose(x[5:], [margin, margin, 1 - margin, 1 - margin, margin])
        np.testing.assert_allclose(sorted(set(np.round(y, 12))), [-0.0125, 1.0125])
    # nothing of the box can be trusted: all of it is hatched, and no line is drawn
    assert not [patch for patch in large.patches if isinstance(patch, Rectangle)]
    assert [len(clipped(patch)) for patch in large.patches if isinstance(patch, PathPatch)] == [5, 5]
    text = words(plot.summary(flow)).replace("\n", " ")
    assert "everywhere more than 1 % of the noise leaves the box" in " ".join(text.split())
    assert "Hatched" in text


def test_the_trust_margin_of_a_line() -> None:
    grid = Grid(Axis("a", 0, 1, 41, boundary="clip"))
    flow = solve(Landscape.from_function(lambda a: np.sin(3 * a), grid), [0.1, 0.5])
    margin = grid.margin(0.1)[0]
    small, large = plot.field(flow, 0), plot.field(flow, 1)
    dashed = [float(np.asarray(line.get_xdata())[0]) for line in small.lines[:2]]
    np.testing.assert_allclose(dashed, [margin, 1 - margin])
    assert [len(clipped(patch)) for patch in small.patches if isinstance(patch, PathPatch)] == [10]
    assert [len(clipped(patch)) for patch in large.patches if isinstance(patch, PathPatch)] == [5]


def test_nothing_is_hatched_where_nothing_lies_outside() -> None:
    grid = Grid(*(Axis(name, 0, 1, 12, boundary="reflect") for name in "ab"))
    flow = solve(Landscape.from_function(lambda a, b: a * b, grid), [0.3])
    assert not plot.field(flow, 0).patches
    assert not plot.landscape(flow.landscape).patches
    assert "Hatched" not in words(plot.summary(flow))


def test_slices_go_through_the_optimum() -> None:
    grid = Grid(*(Axis(name, 0, 4, 9, boundary="reflect", unit="V") for name in "abc"))
    values = np.zeros(grid.shape)
    values[2, 3, 5] = 1.0
    values[6, 6, :3] = 0.9  # a row of points that wins when smoothed, in another slice
    flow = solve(Landscape(values, grid), [0.8])
    assert np.unravel_index(int(flow.values[0].argmax()), grid.shape)[2] < 3
    figure = plot.summary(flow)
    maps = [ax for ax in figure.axes if ax.images]
    assert maps[0].get_title() == "Q (σ = 0)\nc = 2.5 V"
    np.testing.assert_array_equal(maps[0].images[0].get_array(), values[:, :, 5].T)
    np.testing.assert_array_equal(maps[1].images[0].get_array(), flow.values[0][:, :, 5].T)
    assert to_rgba(maps[0].lines[-1].get_markerfacecolor()) == (1, 1, 1, 1)
    assert maps[1].lines[-1].get_markerfacecolor() == "none"
    assert "Open cross" in words(figure)


def test_checks_are_in_the_caption() -> None:
    flow = evolution(2)
    assert "Checks: none were run." in words(plot.summary(flow))
    flow.report = Report(
        [
            Check("range", "passed", "fine"),
            Check("edge", "finding", "look there"),
            Check("conservation", "failed", "mass lost"),
        ],
        "full",
    )
    figure = plot.summary(flow)
    text = words(figure)
    assert "Checks (full): 1 passed, 1 finding, 1 failed." in text
    assert "Passed: range." in text
    assert "FAILED: conservation: mass lost" in text
    assert "Finding: edge: look there" in text


def test_long_captions_stay_inside() -> None:
    flow = evolution(1)
    flow.report = Report([Check(f"check {i}", "finding", "word " * 100) for i in range(12)], "full")
    figure = plot.summary(flow)
    figure.canvas.draw()
    for text in figure.findobj(Text):
        if text.get_text().startswith(("Finding", "word")):
            box = text.get_window_extent()
            assert box.x1 <= figure.bbox.x1
            assert box.y0 >= 0


def test_cut_is_the_line_through_the_optimum() -> None:
    flow = evolution(3)
    center = flow.landscape.argmax
    ax = plot.cut(flow, "x2")
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), flow.landscape.values[center[0], :, center[2]])
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), flow.values[0][center[0], :, center[2]])
    assert plot.cut(flow, 1).get_xlabel() == ax.get_xlabel() == "x2 (N)"


def test_levels_and_legend_of_a_cut() -> None:
    flow = evolution(2, sigma=np.geomspace(0.1, 1.0, 8))
    ax = plot.cut(flow, levels=[2, -1])
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["Q", sigma_label(flow, 2), "σ = 1 N"]
    assert plot.cut(flow, 0, Figure().subplots()).get_legend() is None
    with pytest.raises(errors.SigmaError):
        plot.cut(flow, levels=[8])


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_a_summary_for_print_fits_a_page_and_leaves_the_text_to_its_caption(dimensions: int) -> None:
    flow = evolution(dimensions, sigma=np.geomspace(0.1, 1.0, 16))
    flow.report = Report([Check("range", "passed", "fine"), Check("edge", "finding", "look there")], "full")
    for width in ("column", "text"):
        figure = plot.summary(flow, width=width)
        png(figure)
        assert figure.get_figheight() <= 9.0
        text = words(figure)
        # lines have no hatching to speak of
        assert (TRUST_WORDS in " ".join(text.split())) is (dimensions > 1)
        assert not any(word in text for word in ("Checks", "Passed", "Finding", "solver", "…", "Dots"))
        below = figure.subfigs[-1].texts
        assert bool(below) is (dimensions > 1)
        assert all(text.get_window_extent().y0 >= 0.0 for text in below)
    flow.report = Report([Check("conservation", "failed", "mass lost")], "full")
    assert "FAILED: conservation." in words(plot.summary(flow, width="column"))


def test_no_panel_of_a_narrow_summary_is_empty() -> None:
    figure = plot.summary(evolution(1), width="column")
    png(figure)
    assert figure.axes[0].get_window_extent().height > 0.4 * figure.bbox.height


def test_titles_of_multiples_keep_their_distance() -> None:
    figure = plot.multiples(evolution(2, sigma=np.geomspace(0.1, 1.0, 6)))
    png(figure)
    heading, size = figure.get_suptitle(), figure.dpi / 72.0 * 10.0
    assert heading
    top = min(text.get_window_extent().y0 for text in figure.texts if text.get_text() == heading)
    assert top - max(ax.title.get_window_extent().y1 for ax in figure.axes) > 0.8 * size


@pytest.mark.parametrize("name", [*OF_ANY_EVOLUTION, *NEEDS_TWO_AXES, "fingerprint", "price"])
def test_a_landscape_is_no_evolution(name: str) -> None:
    ridge: Any = landscapes.ridge(size=11)
    with pytest.raises(errors.OptionError, match=r"got: Landscape\W+try: plot\.\w+\((track\()?evolve.*plot\.landscape"):
        figures.get(name)(ridge)


def test_panels_of_another_kind_of_thing_are_refused() -> None:
    flow: Any = evolution(2)
    with pytest.raises(errors.OptionError, match=r"(?s)needs a heatpg\.Landscape.*got: Evolution.*plot\.field"):
        plot.landscape(flow)
    for draw in (plot.cut, plot.surface, plot.waterfall, plot.sigma_image, plot.spectrum, plot.decay, plot.checks):
        with pytest.raises(errors.OptionError, match=r"(?s)needs an Evolution.*got: ndarray\W+try: plot\.\w+\(evolve"):
            draw(flow.values)
    with pytest.raises(errors.OptionError, match=r"plot\.landscape"):
        plot.field(flow.landscape, 0)
    with pytest.raises(errors.OptionError, match=r"plot\.animate\(\) needs"):
        plot.animate(flow.landscape, format="gif")


def test_a_surface_keeps_a_ridge_of_one_node(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    solid: Any = get_projection_class("3d")
    draw = solid.plot_surface

    def watched(self: Any, x: Any, y: Any, heights: Any, **options: Any) -> Any:
        drawn.append((heights, options["rcount"], options["ccount"], draw(self, x, y, heights, **options)))
        return drawn[-1][-1]

    monkeypatch.setattr(solid, "plot_surface", watched)
    grid = Grid(*(Axis(name, 0, 1, 257, boundary="reflect") for name in "ab"))
    plot.surface(solve(Landscape(np.eye(257), grid), [0.1]))
    plot.surface(evolution(2))
    (heights, rows, columns, many), (_, _, _, few) = drawn
    np.testing.assert_array_equal(heights, np.eye(257))
    assert (rows, columns) == (257, 257)
    # a vector file of so many facets would be slow to read
    assert many.get_rasterized() and not few.get_rasterized()


def test_maxima_are_those_of_the_fields() -> None:
    flow = evolution(2, sigma=np.geomspace(0.05, 1, 8))
    value, place = plot.maxima(flow).axes
    tops = flow.values.reshape(8, -1)
    lines = {line.get_label(): np.asarray(line.get_ydata()) for line in value.lines}
    np.testing.assert_array_equal(lines["max u"], tops.max(axis=1))
    np.testing.assert_array_equal(lines["Q at the argmax of u"], flow.landscape.values.ravel()[tops.argmax(axis=1)])
    assert place.get_xscale() == "log"


def test_axes_are_drawn_into() -> None:
    flow = evolution(2)
    figure = Figure()
    axes = figure.subplots(1, 3)
    assert plot.landscape(flow.landscape, axes[0]) is axes[0]
    assert plot.field(flow, 1, axes[1]) is axes[1]
    assert plot.cut(flow, 0, axes[2]) is axes[2]
    png(figure)


def test_words_for_sigma() -> None:
    assert sigma_label(evolution(2), 0) == "σ = 0.1 N"
    assert sigma_label(evolution(2, unit=""), 0) == "σ = 0.1"
    assert sigma_label(evolution(2, sigma={"x1": 0.1, "x2": 0.25}), 0) == "σ = (0.1, 0.25) N"
    assert number(-0.5) == "\N{MINUS SIGN}0.5"


def test_shown_sigmas_span_the_stored_ones() -> None:
    assert shown_sigmas(evolution(1, sigma=np.linspace(0, 1, 10))) == [1, 5, 9]
    assert shown_sigmas(evolution(1, sigma=0.5)) == [0]


def test_line_colours_differ_in_grey() -> None:
    for count in (2, 3, 4):
        grey = [0.3 * r + 0.59 * g + 0.11 * b for r, g, b, _ in line_colours(count)]
        assert (np.diff(grey) > 0.1).all()


def test_importing_and_drawing_need_no_window(tmp_path: Path) -> None:
    code = (
        "import sys, heatpg.plot\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from heatpg import landscapes\n"
        "from heatpg.evolution import solve\n"
        "heatpg.plot.summary(solve(landscapes.ridge(size=11), 0.3)).savefig('a.png')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.png").stat().st_size > 10_000
