"""What notebooks show: tables and pictures that are true, safe and small."""

from __future__ import annotations

import base64
import builtins
import html.parser
import io
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, Report, evolve, landscapes, study
from heatpg.core.report import Check, Place
from heatpg.display import _envelope, _palette, _png
from heatpg.evolution import Evolution, solve
from heatpg.large import evolve_large

_MOST = 50_000  # bytes
_VOID = {"img", "br", "polyline"}
_TABLE = {"table", "thead", "tbody", "tr", "th", "td"}
_TAGS = {"div", "span", "b", "details", "summary", "figure", "figcaption", "img", "svg", "polyline"} | _TABLE


class _Page(html.parser.HTMLParser):
    """Text, tags and pictures of a page; whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def pictures(self) -> list[np.ndarray]:
        from PIL import Image

        sources = [str(attributes["src"]) for tag, attributes in self.tags if tag == "img"]
        codes = [source.removeprefix("data:image/png;base64,") for source in sources]
        return [np.asarray(Image.open(io.BytesIO(base64.b64decode(code))).convert("RGB")) for code in codes]


def page(thing: Any) -> _Page:
    text = thing._repr_html_()
    assert len(text.encode()) < _MOST
    found = _Page(text)
    assert {tag for tag, _ in found.tags} <= _TAGS
    assert not any(name.startswith("on") or name == "href" for _, attributes in found.tags for name in attributes)
    # a colour of one's own is unreadable in half of all notebooks
    assert not re.search(r"(?<![-\w])color:(?!inherit)|background:(?!transparent)", text)
    return found


@pytest.fixture(scope="module")
def plane() -> Evolution:
    grid = Grid(Axis("u1", 0.0, 2.0, 21, boundary="clip", unit="N"), Axis("u2", 0.0, 1.0, 11, boundary="reflect"))
    values = np.zeros(grid.shape)
    values[18, 2] = 3.0
    return evolve(Landscape(values, grid, name="needle"), np.linspace(0.1, 0.5, 16), solver="direct")


def test_grid(plane: Evolution) -> None:
    found = page(plane.grid)
    assert "21 × 11 nodes = 231" in found.text
    assert "u1 0 2 N 21 0.1 clip Gaussian policy, actions clipped to the box" in found.text
    assert "u2 0 1 11 0.1 reflect" in found.text
    cells = page(Grid(Axis("x", -1.0, 1.0, 4, boundary="periodic", nodes="cell")))
    assert "x −1 1 4 cells 0.5 periodic" in cells.text


def test_landscape(plane: Evolution) -> None:
    found = page(plane.landscape)
    assert "needle 21 × 11 nodes, float64, Q from 0 to 3" in found.text
    assert "largest Q: 3 at (1.8, 0.2)" in found.text
    assert "its exact evolution is known" in page(landscapes.ridge(size=9)).text


def test_pictures_have_the_first_axis_to_the_right_and_the_second_upwards(plane: Evolution) -> None:
    palette = _palette()
    assert palette is not None
    (picture,) = page(plane.landscape).pictures()
    assert picture.shape == (11, 21, 3)
    row, column = 11 - 1 - 2, 18
    np.testing.assert_array_equal(picture[row, column], palette[-1])
    others = np.delete(picture.reshape(-1, 3), row * 21 + column, axis=0)
    assert (others == palette[0]).all()


def test_all_pictures_of_an_evolution_have_the_colours_of_the_range_of_q(plane: Evolution) -> None:
    palette = _palette()
    assert palette is not None
    initial, first, last = page(plane).pictures()
    assert (initial == palette[-1]).all(axis=2).sum() == 1
    share = float(plane.values[-1].max()) / 3.0
    brightest = int((last @ np.array([1, 1, 1])).argmax())
    np.testing.assert_array_equal(last.reshape(-1, 3)[brightest], palette[round(share * (len(palette) - 1))])
    assert first.sum() != last.sum()


def test_evolution(plane: Evolution) -> None:
    found = page(plane)
    assert "16 sigmas" in found.text
    assert "Q, without noise 3 (1.8, 0.2) 3" in found.text
    assert "… 8 more …" in found.text
    for k in (0, 3, 12, 15):
        assert f"{plane.sigma[k]:.6g} {plane.values[k].max():.6g} (" in found.text, k
    assert f" {plane.sigma[4]:.6g} {plane.values[4].max():.6g} (" not in found.text
    assert "on the edge" in found.text
    assert "solver: Direct(tolerance=None)" in found.text
    assert "checks (standard):" in found.text and "✓ passed" in found.text
    assert ("details", {}) in found.tags
    few = page(solve(plane.landscape, np.linspace(0.1, 0.5, 9)))
    assert "more …" not in few.text and "no checks were made" in few.text
    assert len(few.pictures()) == 3
    assert "1 sigma;" in page(solve(plane.landscape, 0.1)).text


def test_the_place_of_the_optimum_is_that_at_its_sigma() -> None:
    flow = solve(landscapes.peak_and_hill(size=241), [0.3, 1.0])
    found = page(flow).text
    assert "Q, without noise 1 (−3) 1" in found
    assert re.search(r"0\.3 0\.76\d+ \(3\) 0\.8", found)


def test_lines_in_one_dimension() -> None:
    flow = solve(landscapes.peak_and_hill(), [0.1, 0.3, 1.0])
    found = page(flow)
    lines = [attributes for tag, attributes in found.tags if tag == "polyline"]
    assert len(lines) == 3 and len({line["stroke-width"] for line in lines}) == 3
    assert {line["stroke"] for line in lines} == {"currentColor"}
    assert found.pictures() == []
    assert "thin: Q, dashed: sigma = 0.1, bold: sigma = 1" in found.text
    initial = [tuple(map(float, point.split(","))) for point in str(lines[0]["points"]).split()]
    top, left = min((y, x) for x, y in initial)
    # the needle at -3 of the box from -6 to 6 is a quarter of the way, and as high as the picture
    assert top == 4.0 and abs(left - (4 + 252 / 4)) < 0.2
    assert len([line for line in page(solve(flow.landscape, 0.1)).tags if line[0] == "polyline"]) == 2


def test_no_peak_of_a_line_is_left_out() -> None:
    line = np.zeros(100_001)
    line[[7, 50_000, 99_998]] = [1.0, -2.0, 3.0]
    nodes, values = _envelope(line)
    assert {7, 50_000, 99_998, 0, 100_000} <= set(nodes.tolist())
    assert (np.diff(nodes) > 0).all() and len(nodes) < 300
    np.testing.assert_array_equal(values, line[nodes])


def test_the_first_of_a_batch_is_shown(rng: np.random.Generator) -> None:
    grid = Grid(Axis("a", 0.0, 1.0, 5, boundary="periodic"), Axis("b", 0.0, 1.0, 6, boundary="reflect"))
    values = rng.normal(size=(2, 3, *grid.shape))
    values[1, 2, 0, 0] = 100.0
    flow = solve(Landscape(values, grid), {"a": [0.1, 0.2], "b": 0.3})
    found = page(flow)
    assert "the first of a batch of 2 × 3 is shown" in found.text
    assert f"Q, without noise {values[0, 0].max():.6g} (" in found.text
    assert f"(0.1, 0.3) {flow.values[0, 0, 0].max():.6g}" in found.text
    assert "the first of a batch" in page(flow.landscape).text


def test_a_slice_through_the_optimum_of_more_dimensions() -> None:
    palette = _palette()
    assert palette is not None
    grid = Grid(*(Axis(name, 0.0, 1.0, size, boundary="clip") for name, size in (("a", 4), ("b", 5), ("c", 6))))
    values = np.zeros(grid.shape)
    values[1, 3, 4] = 2.0
    found = page(Landscape(values, grid))
    assert "the slice through the optimum of Q, c = 0.8" in found.text
    (picture,) = found.pictures()
    np.testing.assert_array_equal(picture[5 - 1 - 3, 1], palette[-1])


def test_correlated_noise() -> None:
    flow = evolve(landscapes.cosine(size=16), covariance=[[[0.2, 0.1], [0.1, 0.2]]])
    assert "1 covariances" in page(flow).text


def test_report() -> None:
    report = Report(
        [
            Check("range", "passed", "inside", 0.0, 1e-15, "round-off"),
            Check("cross-check", "failed", "off", 0.5, 1e-3, "symbols", Place(1, (0, 2), (0.5, 1.0)), True),
            Check("box", "finding", "narrow"),
        ],
        "full",
    )
    found = page(report)
    assert "checks (full): 1 passed, 1 finding, 1 failed" in found.text
    assert "✓ passed range inside 0 ≤ 1e-15 round-off" in found.text
    assert "✗ failed cross-check off [sigma[1], index (0, 2), at (0.5, 1)] 0.5 > 0.001 symbols" in found.text
    assert "▸ finding box narrow" in found.text
    assert "no checks were made" in page(Report([])).text
    flow = solve(landscapes.ridge(size=9), 0.3)
    flow.report = report
    assert ("details", {"open": None}) in page(flow).tags


def test_of_many_checks_those_that_failed_are_shown() -> None:
    checks = [Check(f"check {i}", "passed", "fine") for i in range(60)] + [Check("last", "failed", "off")]
    found = page(Report(checks))
    assert "✗ failed last off" in found.text
    assert re.search(r"and \d+ more", found.text)
    assert "check 0 fine" in found.text and "check 59 fine" not in found.text


def test_study_and_summary(tmp_path: Path) -> None:
    result = study(landscapes.peak_and_hill(size=121, widths=(0.2, 1.0)), np.geomspace(0.2, 2.0, 8))
    found = page(result)
    for sentence in result.sentences.values():
        assert sentence[:60] in found.text
    assert "Evolution peak_and_hill" in found.text
    summary = evolve_large(landscapes.ridge(size=16), [0.3], tmp_path / "large.h5", boundary="")
    found = page(summary)
    assert "16 × 16 float64, at 1 sigma" in found.text and "large.h5" in found.text
    assert "checks (standard)" in found.text


NASTY = '<script>alert("1")</script>&\'<img src=x onerror=alert(1)>'


def test_names_never_become_markup() -> None:
    axis = Axis("x", 0.0, 1.0, 9, boundary="clip", unit=NASTY)
    flow = solve(Landscape(np.arange(9.0), Grid(axis), name=NASTY), 0.2)
    flow.reason = NASTY
    flow.report = Report([Check(NASTY, "finding", NASTY, 1.0, 0.5, NASTY)], NASTY)
    for thing in (flow, flow.landscape, flow.grid, flow.report):
        found = page(thing)
        assert "<script>" in found.text
    square = Grid(*(Axis(name, 0.0, 1.0, 4, boundary="clip", unit=NASTY) for name in ("a", "b")))
    assert len(page(solve(Landscape(np.eye(4), square), 0.3)).pictures()) == 2


@pytest.mark.parametrize("letters", ["wörter & ", '"', "<x>", "\N{GRINNING FACE}", "語"])
def test_any_evolution_is_small(letters: str, rng: np.random.Generator) -> None:
    long = letters * 2000
    axes = [Axis(f"{'n' * 300}{i}", 0.0, 1.0, 90, boundary="clip", unit=long) for i in range(2)]
    axes += [Axis(f"{'m' * 300}{i}", 0.0, 1.0, 3, boundary="zero", unit=long) for i in range(5)]
    grid = Grid(*axes)
    q = Landscape(rng.random(size=grid.shape, dtype=np.float32), grid, name=long)
    sigma = np.linspace(0.1, 1.0, 300)
    fields = np.broadcast_to(q.values, (len(sigma), *q.values.shape))
    flow = Evolution(q, sigma, fields, solve(landscapes.ridge(size=5), 0.3).solver, paths=[], reason=long)
    place = Place(0, (1,) * 40, (0.1,) * 40)
    flow.report = Report([Check(long, "finding", long, 1.0, 0.5, long, place) for _ in range(200)], long)
    page(flow)
    page(flow.landscape)
    page(flow.report)


def test_values_at_the_ends_of_the_range_of_numbers() -> None:
    grid = Grid(Axis("a", 0.0, 1.0, 3, boundary="clip"), Axis("b", 0.0, 1.0, 3, boundary="clip"))
    values = np.full(grid.shape, -1.7e308)
    values[0, 0] = 1.7e308
    assert len(page(Landscape(values, grid)).pictures()) == 1
    assert len(page(Landscape(np.full(grid.shape, 5e-324), grid)).pictures()) == 1
    assert len(page(Landscape(np.float32(3.0) * np.ones(grid.shape, np.float32), grid)).pictures()) == 1
    flow = solve(Landscape(np.eye(3), grid), 0.1)
    flow.values = np.full_like(flow.values, np.nan)
    assert "nan" in page(flow).text


def test_without_matplotlib_there_are_tables(plane: Evolution, monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def refuse(name: str, *rest: Any, **options: Any) -> ModuleType:
        if name.split(".")[0] == "matplotlib":
            raise ImportError(name)
        return load(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    for thing in (plane, plane.landscape):
        found = page(thing)
        assert found.pictures() == []
        assert "largest" in found.text


def test_the_encoder(rng: np.random.Generator) -> None:
    from PIL import Image

    palette = rng.integers(0, 256, size=(7, 3), dtype=np.uint8)
    pixels = rng.integers(0, 7, size=(5, 9), dtype=np.uint8)
    picture = Image.open(io.BytesIO(_png(pixels, palette)))
    picture.load()
    assert picture.size == (9, 5)
    np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), palette[pixels])
