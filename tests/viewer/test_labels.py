"""Every label of every panel, read back as it is drawn: none cut off, none over another, each at its own value."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, landscapes
from heatpg.evolution import Evolution, solve
from heatpg.viewer import page
from tests.viewer.browsers import Browser, needs_browser

pytestmark = needs_browser

WIDTHS = (320, 390, 768, 1280)
# what each canvas has written since it was cleared, with the corners of each text in points of the canvas
RECORD = """
const pens = CanvasRenderingContext2D.prototype;
const [write, clear] = [pens.fillText, pens.clearRect];
window.written = {};
pens.clearRect = function (...box) { window.written[this.canvas.id] = []; return clear.apply(this, box); };
pens.fillText = function (text, x, y) {
  const size = this.measureText(text);
  const way = this.getTransform().scale(1 / window.devicePixelRatio);
  way.e = this.getTransform().e / window.devicePixelRatio;
  way.f = this.getTransform().f / window.devicePixelRatio;
  const corners = [[-size.actualBoundingBoxLeft, -size.actualBoundingBoxAscent],
    [size.actualBoundingBoxRight, size.actualBoundingBoxDescent]]
    .map(([a, b]) => way.transformPoint({ x: x + a, y: y + b }));
  const [across, up] = [corners.map((one) => one.x), corners.map((one) => one.y)];
  (window.written[this.canvas.id] ||= []).push({ text, align: this.textAlign, baseline: this.textBaseline, x, y,
    left: Math.min(...across), right: Math.max(...across), top: Math.min(...up), bottom: Math.max(...up) });
  return write.call(this, text, x, y);
};
"""


def field(values: Callable[..., Any], *ends: tuple[float, float], size: int = 33) -> Landscape:
    axes = (Axis(name, low, high, size, boundary="clip") for name, (low, high) in zip("abc", ends, strict=False))
    grid = Grid(*axes)
    centred = [(mesh - axis.lower) / axis.length * 4 - 2 for mesh, axis in zip(grid.mesh(), grid, strict=True)]
    return Landscape(np.array(values(*centred)), grid, "hill")


def hill(*x: Any) -> Any:
    return np.exp(-sum(one**2 for one in x))


def from_seeds() -> Evolution:
    q = field(hill, (-2.0, 2.0), (-2.0, 2.0))
    noise = np.random.default_rng(3).standard_normal((6, *q.grid.shape))
    return solve(Landscape(None, q.grid, "six seeds", returns=q.values + 0.3 * noise), [0.3, 0.6, 1.2])


def with_long_names() -> Evolution:
    first = Axis(
        "angular_velocity_of_the_left_shoulder_joint_of_the_robot_arm", -2.0, 2.0, 33, boundary="clip", unit="N"
    )
    second = Axis("w" * 60, -2.0, 2.0, 33, boundary="clip", unit="kg m/s^2")
    return evolved(Landscape.from_function(hill, Grid(first, second), name="mean discounted return " * 3))


def evolved(landscape: Landscape, shares: tuple[float, ...] = (0.05, 0.1, 0.3)) -> Evolution:
    lengths = [axis.length for axis in landscape.grid]
    return solve(landscape, [[share * length for length in lengths] for share in shares])


WORST = "the worst returns"
CASES: dict[str, Callable[[], Evolution]] = {
    "a line": lambda: solve(landscapes.unequal_bumps(size=201), np.geomspace(0.01, 2.0, 9)),
    "a plane": lambda: evolved(field(hill, (-2.0, 2.0), (-2.0, 2.0))),
    "large and negative": lambda: evolved(field(lambda x, y: -100.0 - 900.0 * hill(x, y), (-0.5, 0.5), (-1.0, 1.0))),
    "an offset": lambda: evolved(field(lambda x, y: 101325.0 + 0.01 * hill(x, y), (0.0, 1.0), (0.0, 1.0))),
    "a line with an offset": lambda: evolved(field(lambda x: 1e9 + hill(x), (0.0, 1.0))),
    "far from the origin": lambda: evolved(field(hill, (1.7e9, 1.7e9 + 30.0), (1e6, 1e6 + 1.0))),
    "tiny units": lambda: evolved(field(lambda x, y: 1e-9 * hill(x, y), (0.0, 2e-7), (-3e-7, 0.0))),
    "huge units": lambda: evolved(field(lambda x, y: 1e12 * hill(x, y), (0.0, 2e8), (-3e8, 0.0))),
    "three axes": lambda: evolved(field(hill, (-1.0, 1.0), (-2.0, 2.0), (0.0, 1.0), size=12)),
    "seeds": from_seeds,
    "long names": with_long_names,
    WORST: lambda: evolved(field(lambda x, y: -100.0 - 900.0 * hill(x, y), (-0.5, 0.5), (-1.0, 1.0))),
}


@pytest.fixture(scope="module", autouse=True)
def recording(chromium: Browser) -> Iterator[None]:
    added = chromium.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": RECORD})
    yield
    chromium.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


@pytest.fixture(scope="module")
def pages() -> Callable[[str], str]:
    kept: dict[str, str] = {}

    def made(name: str) -> str:
        if name not in kept:
            kept[name] = page(CASES[name](), risk=0.1 if name == WORST else None)
        return kept[name]

    return made


def read(text: str) -> float:
    return float(text.replace("\u2212", "-").replace(" ", "").removeprefix("+"))


def held(browser: Browser, name: str) -> None:
    """No text leaves its canvas or meets another; numbers beside each other differ."""
    canvases = browser.ask(
        "[...document.querySelectorAll('main canvas')].filter((one) => one.offsetParent && one.id)"
        ".map((one) => [one.id, one.clientWidth, one.clientHeight])"
    )
    written = browser.ask("window.written")
    assert {"map", "curve", "fingerprint"} <= {canvas for canvas, *_ in canvases}
    for canvas, width, height in canvases:
        labels = written.get(canvas, [])
        assert labels or canvas == "strip", (name, canvas)
        for label in labels:
            # half a point for the blur of a letter
            inside = label["left"] >= -0.5 and label["right"] <= width + 0.5
            inside = inside and label["top"] >= -0.5 and label["bottom"] <= height + 0.5
            assert inside, (name, canvas, (width, height), label)
        for one, other in itertools.combinations(labels, 2):
            apart = one["right"] <= other["left"] + 0.5 or other["right"] <= one["left"] + 0.5
            apart = apart or one["bottom"] <= other["top"] + 0.5 or other["bottom"] <= one["top"] + 0.5
            assert apart, (name, canvas, one, other)
        for baseline, align in (("middle", "right"), ("middle", "left"), ("top", "left")):
            texts = [one["text"] for one in labels if (one["baseline"], one["align"]) == (baseline, align)]
            assert len(set(texts)) == len(texts), (name, canvas, texts)


@pytest.mark.parametrize("name", CASES)
def test_no_label_is_cut_or_meets_another(name: str, browser: Browser, pages: Callable[[str], str]) -> None:
    text = pages(name)
    for width in WIDTHS:
        browser.size(width, 900)
        browser.show(text)
        for key in ("", "s", "d", *{"three axes": "]", WORST: "l"}.get(name, "")):
            if key:
                browser.press(key)
            for frame in (0, 2):
                browser.go(frame)
                held(browser, f"{name}, {width} points, frame {frame}, after {key!r}")
        # a page that is too wide makes the window of a phone wider, so this is no comparison with the window
        assert browser.ask("document.documentElement.scrollWidth") <= width, (name, width)


@pytest.mark.parametrize("name", [name for name in CASES if "line" not in name])
@pytest.mark.parametrize("width", [390, 1280])
def test_labels_of_the_map_say_what_is_there(
    name: str, width: int, browser: Browser, pages: Callable[[str], str]
) -> None:
    """The number beside each tick is the coordinate, or the value of the colour, at its height."""
    browser.size(width, 900)
    browser.show(pages(name))
    state, labels = browser.state, browser.ask("window.written.map")
    box = state["map"]
    shown = [axis for axis in range(len(state["shape"])) if axis != state["hidden"]]
    axis = CASES[name]().grid[shown[1]]
    low, high = (end + way * axis.spacing / 2 for end, way in ((axis.coordinates[0], -1), (axis.coordinates[-1], 1)))
    for align, ends, scale in (("right", (low, high), "scale"), ("left", state["range"], "bar")):
        ticks = [one for one in labels if (one["baseline"], one["align"]) == ("middle", align)]
        assert len(ticks) >= 2
        offset = read(box[scale]["offset"] or "0")
        # a label is rounded, and drawn within a point
        span = ends[1] - ends[0]
        for tick in ticks:
            there = ends[0] + (box["top"] + box["height"] - tick["y"]) / box["height"] * span
            assert read(tick["text"]) + offset == pytest.approx(there, abs=0.005 * span)


def test_a_label_that_is_cut_is_seen(browser: Browser, pages: Callable[[str], str]) -> None:
    browser.show(pages("a plane"))
    held(browser, "as it is")
    for fault in ("fillText('1000000', -20, 50)", "fillText('a', 100, 50); map.fillText('b', 101, 51)"):
        browser.show(pages("a plane"))
        browser.driver.execute_script(f"const map = document.getElementById('map').getContext('2d'); map.{fault}")
        with pytest.raises(AssertionError):
            held(browser, fault)
