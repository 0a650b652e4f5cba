"""Sizes for print, files that come out the same, and what the panels of curves show."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from heatpg import Axis, Landscape, errors, plot
from heatpg.evolution import solve
from heatpg.plot.style import columns, inches, letters, points, settings, styled
from heatpg.scalespace import band_decay, basins, power_spectrum, price, track
from tests.plot.cases import bumps, line, plane, waves


def content(figure: Figure, format: str) -> bytes:
    target = io.BytesIO()
    plot.save(figure, target, format=format)
    return target.getvalue()


@pytest.mark.parametrize("width", ["page", "", 0.5, 61, float("nan"), float("inf"), True, [3], "3.5"])
def test_widths_that_are_none(width: Any) -> None:
    with pytest.raises(errors.OptionError, match="unknown width"):
        inches(width, 6.0)
    with pytest.raises(errors.OptionError, match="unknown width"):
        plot.cut(line(), width=width)


def test_a_width_sets_text_and_lines_and_is_forgotten() -> None:
    before = dict(matplotlib.rcParams)
    small, large = plot.cut(line(), width="column"), plot.cut(line())
    assert dict(matplotlib.rcParams) == before
    assert small.figure.get_size_inches().tolist() == [3.5, 2.625]  # type: ignore[union-attr]
    assert small.xaxis.label.get_fontsize() == 8.0
    assert small.lines[1].get_linewidth() == pytest.approx(0.8 * large.lines[1].get_linewidth())
    assert small.lines[2].get_markersize() == pytest.approx(0.8 * large.lines[2].get_markersize())
    assert settings(None) == {}
    with styled("text"):
        assert points(10.0) == 8.0
        assert letters(7.2) == 108
        assert [columns(4, total, 2.0) for total in (1.0, 3.5, 7.2, 20.0)] == [1, 2, 4, 4]


def test_a_width_needs_a_new_figure() -> None:
    ax = Figure().subplots()
    with pytest.raises(errors.OptionError, match="but ax was given"):
        plot.waterfall(line(), ax=ax, width="column")


@pytest.mark.parametrize("format", ["pdf", "svg", "png"])
def test_the_same_figure_gives_the_same_bytes(format: str) -> None:
    one, two = (content(plot.field(plane(), 2, width="column").figure, format) for _ in range(2))  # type: ignore[arg-type]
    assert one == two
    if format == "pdf":
        assert b"/CIDFontType2" in one or b"/TrueType" in one
        assert b"/Type3" not in one and b"CreationDate" not in one
    if format == "svg":
        assert "peaks: u at σ = 0.2 N</text>".encode() in one
        assert b"<dc:date>" not in one


def test_formats(tmp_path: Path) -> None:
    figure = plot.summary(line())
    plot.save(figure, tmp_path / "a.PNG", dpi=30)
    assert (tmp_path / "a.PNG").read_bytes().startswith(b"\x89PNG")
    for target, format in ((tmp_path / "a.xyz", ""), (tmp_path / "a", ""), (io.BytesIO(), "")):
        with pytest.raises(errors.OptionError, match="unknown figure format"):
            plot.save(figure, target, format=format)


def test_axes_are_saved_with_their_figure() -> None:
    figure = Figure()
    part: Any = figure.subfigures()
    inner = part.subplots()
    for drawn in (figure, inner, inner.figure, plot.surface(plane(), width="column")):
        target = io.BytesIO()
        plot.save(drawn, target, format="png", dpi=20)
        assert target.getvalue().startswith(b"\x89PNG")
    for nothing in (plane(), None, [inner]):
        with pytest.raises(errors.OptionError, match="needs a matplotlib figure"):
            plot.save(nothing, io.BytesIO(), format="png")  # type: ignore[arg-type]


def test_curves_are_those_of_the_scale_space() -> None:
    space = track(bumps())
    curve, where = price(space), basins(bumps(), include_initial=False, keep_labels=False)
    costs = {line.get_label(): np.asarray(line.get_ydata()) for line in plot.price_curve(space, limit=0.2).lines}
    np.testing.assert_array_equal(costs["price: max Q $-$ Q(argmax u)"], curve.price)
    np.testing.assert_array_equal(costs["drop: max Q $-$ max u"], curve.drop)
    assert costs["cost limit"].tolist() == [0.2, 0.2]
    shares = {line.get_label(): np.asarray(line.get_ydata()) for line in plot.basin_curve(space).lines}
    np.testing.assert_array_equal(shares["starts that reach the optimum"], where.of_optimum())
    initial = basins(bumps())
    again = {line.get_label(): np.asarray(line.get_ydata()) for line in plot.basin_curve(space, basins=initial).lines}
    np.testing.assert_array_equal(again["starts that reach the optimum"], where.of_optimum())
    counted = {each.get_label(): each for each in plot.critical_counts(space).lines}
    for name, kind in (("maxima", "maximum"), ("minima", "minimum")):
        # steps at the events, so at the stored sigmas it is what is counted there
        edges, counts = np.asarray(counted[name].get_xdata()), np.asarray(counted[name].get_ydata())
        there = counts[np.searchsorted(edges, space.sigma, side="right") - 1]
        np.testing.assert_array_equal(there, space.count(kind))


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), float("inf")])
def test_prices_that_are_none(limit: float) -> None:
    with pytest.raises(errors.OptionError, match="positive"):
        plot.price_curve(bumps(), limit=limit)


def test_curves_of_other_sigmas_are_refused() -> None:
    space, other = track(bumps()), track(line())
    with pytest.raises(errors.OptionError, match="other noise levels"):
        plot.price_curve(space, curve=price(other))
    with pytest.raises(errors.OptionError, match="other noise levels"):
        plot.basin_curve(space, basins=basins(line()))


def test_a_spectrum_is_power_and_prediction() -> None:
    flow = waves()
    ax, expected = plot.spectrum(flow), band_decay(flow)
    power = power_spectrum(flow.landscape).power
    lines = [np.asarray(each.get_ydata()) for each in ax.lines]
    seen = ~np.isnan(lines[0])
    np.testing.assert_array_equal(lines[0][seen], power[seen])
    for level in range(4):
        both = ~np.isnan(lines[1 + level]) & ~np.isnan(lines[5 + level])
        assert both.sum() > 5
        np.testing.assert_allclose(lines[1 + level][both], lines[5 + level][both], rtol=0.03)
        np.testing.assert_array_equal(lines[5 + level][both], (power * expected.predicted[level] ** 2)[both])


def test_a_waterfall_is_raised_evenly() -> None:
    flow = line()
    ax = plot.waterfall(flow)
    curves = [np.asarray(each.get_ydata(), dtype=float) for each in ax.lines if len(np.asarray(each.get_ydata())) > 10]
    fields = [flow.landscape.values, *flow.values]
    rises = [float(np.mean(curve - field)) for curve, field in zip(curves, fields, strict=True)]
    np.testing.assert_allclose(np.diff(rises), rises[1], rtol=1e-9)
    assert rises[0] == 0.0 and rises[1] > 0
    image = plot.sigma_image(flow).collections[0]
    np.testing.assert_array_equal(np.asarray(image.get_array()), flow.values)


def test_what_asks_for_more() -> None:
    from heatpg.evolution import solve

    one = solve(line().landscape, 0.3)
    with pytest.raises(errors.SigmaError, match="two different sigmas"):
        plot.sigma_image(one)
    assert len(plot.figures.get("waterfall")(one).axes) == 1
    with pytest.raises(errors.UnsupportedError, match="two axes"):
        plot.surface(line())
    with pytest.raises(errors.OptionError, match="three-dimensional"):
        plot.surface(plane(), ax=Figure().subplots())
    with pytest.raises(errors.SigmaError, match="index of the noise level"):
        plot.field(line(), 12)
    with pytest.raises(errors.SigmaError, match="no noise levels"):
        plot.multiples(line(), [])
    with pytest.raises(errors.GridError, match="axis is out of range"):
        plot.cut(line(), 1)


@pytest.mark.parametrize("levels", [[0.1, 0.2, 0.4], [0.2, 0.3, 0.4], [0.1, 0.15, 0.19]])
def test_a_level_by_itself_beside_a_jump_is_seen(levels: list[float]) -> None:
    # the optimum jumps at .202, after which or before which a line of one level has no length
    two = Landscape.from_function(
        lambda x: np.exp(-((x + 1) ** 2) / 0.1) + 0.8 * np.exp(-((x - 0.8) ** 2) / 0.8),
        Axis("x", -2.0, 2.0, 81, boundary="clip"),
    )
    ax = plot.basin_curve(track(solve(two, levels)))
    marks = [float(np.asarray(each.get_xdata())[0]) for each in ax.lines if each.get_marker() == "o"]
    assert marks == ([0.4] if levels[1] == 0.2 else [0.2] if levels[0] == 0.2 else [])
