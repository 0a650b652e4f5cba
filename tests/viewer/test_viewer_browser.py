"""The page of an evolution in a browser: what is drawn, what moves, and that nothing leaves it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, evolve, landscapes
from heatpg.evolution import Evolution, solve
from heatpg.risk import distribution
from heatpg.scalespace import basins
from heatpg.viewer import page
from tests.viewer.browsers import PHONE, ActionChains, Browser, By, Keys, needs_browser, webdriver

pytestmark = needs_browser

HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>"


def made(flow: Evolution) -> tuple[Evolution, str]:
    return flow, page(flow)


@pytest.fixture(scope="module")
def line() -> tuple[Evolution, str]:
    return made(evolve(landscapes.unequal_bumps(size=201), np.geomspace(0.1, 2.0, 9)))


@pytest.fixture(scope="module")
def plane() -> tuple[Evolution, str]:
    """Not square, not symmetric, and with different spacings, so that axes that are mixed up are seen."""
    box = Grid(
        Axis("across", -1.0, 1.0, 41, boundary="clip", unit="N m"),
        Axis("up", 0.0, 1.5, 31, boundary="clip", unit="N m"),
    )
    x, y = box.mesh()
    values = np.exp(-((x + 0.6) ** 2 + (y - 0.3) ** 2) / 0.02) + 0.8 * np.exp(-((x - 0.4) ** 2 + (y - 1.0) ** 2) / 0.2)
    return made(evolve(Landscape(values, box, name="two hills"), np.geomspace(0.08, 0.8, 8)))


@pytest.fixture(scope="module")
def space() -> tuple[Evolution, str]:
    box = Grid(*(Axis(name, -1.0, 1.0, n, boundary="clip") for name, n in (("x", 14), ("y", 12), ("z", 10))))
    rng = np.random.default_rng(7)
    return made(evolve(Landscape(rng.standard_normal(box.shape), box), [0.3, 0.5, 0.8]))


def field(flow: Evolution, frame: int) -> np.ndarray:
    return np.asarray(flow.values[frame - 1] if frame else flow.landscape.values)


def half_step(values: np.ndarray) -> float:
    return float(np.ptp(values)) / (2**16 - 1) / 2 * (1 + 1e-9)


def place_on_map(flow: Evolution, state: dict[str, Any], index: tuple[int, int]) -> tuple[float, float]:
    """Middle of a node of the plane, in points of the map."""
    box = state["map"]
    across, up = (i + 0.5 for i in index)
    return (
        box["left"] + across / flow.grid.shape[0] * box["width"],
        box["top"] + box["height"] - up / flow.grid.shape[1] * box["height"],
    )


@pytest.mark.parametrize("name", ["line", "plane", "space"])
def test_every_value_matches_the_file(name: str, browser: Browser, request: pytest.FixtureRequest) -> None:
    flow, text = request.getfixturevalue(name)
    browser.show(text)
    labels = basins(flow).labels
    assert labels is not None
    indices = [list(map(int, index)) for index in np.ndindex(flow.grid.shape)]
    script = "['value', 'inBasin'].map((name) => arguments[1].map((index) => window.heatpg[name](arguments[0], index)))"
    for frame in range(len(flow) + 1):
        values, inside = (np.array(one).reshape(flow.grid.shape) for one in browser.ask(script, frame, indices))
        assert np.abs(values - field(flow, frame)).max() <= half_step(field(flow, frame))
        assert np.array_equal(inside, labels[frame] == 0)


def test_the_slider_moves_the_frame(browser: Browser, plane: tuple[Evolution, str]) -> None:
    _, text = plane
    browser.show(text)
    assert browser.text("level") == "Q, σ = 0"
    before = {name: browser.picture(name) for name in ("map", "cut-a", "cut-b", "curve", "fingerprint")}
    slider = browser.find("slider")
    slider.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert browser.state["frame"] == 2
    assert browser.text("level") == "σ = 0.111 N m"
    assert slider.get_attribute("aria-valuetext") == "σ = 0.111 N m"
    assert all(browser.picture(name) != drawn for name, drawn in before.items())
    slider.send_keys(Keys.END)
    assert browser.state["frame"] == 8
    assert browser.text("level") == "σ = 0.8 N m"
    assert "max u = " in browser.text("facts")


@pytest.mark.parametrize("scale", ["fixed", "frame"])
def test_the_map_has_the_colours_of_the_values(scale: str, browser: Browser, plane: tuple[Evolution, str]) -> None:
    """Away from signs and cuts: a picture that is mirrored, turned or scaled otherwise has other colours there."""
    from matplotlib import colormaps

    flow, text = plane
    browser.show(text)
    browser.press("t", *(["s"] if scale == "frame" else []))
    browser.go(4)
    state = browser.state
    values = field(flow, 4)
    of = field(flow, 0) if scale == "fixed" else values
    assert state["range"] == pytest.approx([of.min(), of.max()])
    shown = browser.colours("map")
    margins = flow.grid.margin(tuple(flow.sigmas[3]), 0.01)
    for index in ((3, 1), (5, 26), (20, 13), (24, 9), (38, 28), (31, 16)):
        x, y = flow.grid.point(index)
        edges = [abs(abs(x) - (1 - margins[0])), abs(y - margins[1]), abs(y - (1.5 - margins[1]))]
        assert min(edges) > 0.03, "this node is below the dashed line"
        expected = colormaps["viridis"]((values[index] - of.min()) / (of.max() - of.min()))[:3]
        column, row = (int(x) for x in place_on_map(flow, state, index))
        assert np.abs(shown[row, column] - expected).max() < 0.012, index


def test_cuts_and_values_follow_the_pointer(browser: Browser, plane: tuple[Evolution, str]) -> None:
    flow, text = plane
    browser.show(text)
    browser.go(2)
    state = browser.state
    assert tuple(state["probe"]) == np.unravel_index(int(field(flow, 2).argmax()), flow.grid.shape)
    assert browser.text("readout").startswith("at the optimum, across, up = (")
    drawn = browser.picture("cut-a"), browser.picture("cut-b")
    for index in ((5, 25), (33, 4)):
        browser.hover(*place_on_map(flow, state, index))
        assert browser.state["probe"] == list(index)
        x, y = flow.grid.point(index)
        said = browser.text("readout").replace("−", "-")
        assert said.startswith("at across, up = (")
        place = [float(part) for part in said.split("(")[1].split(")")[0].split(",")]
        assert place == pytest.approx([x, y], abs=1e-4)
        u, q = (float(said.split(f"{name} = ")[1].split(",")[0]) for name in ("u", "Q"))
        assert u == pytest.approx(field(flow, 2)[index], abs=1e-5)
        assert q == pytest.approx(field(flow, 0)[index], abs=1e-5)
        assert browser.text("cut-a-title").startswith("u (thick) and Q along across, at up = ")
        now = browser.picture("cut-a"), browser.picture("cut-b")
        assert now[0] != drawn[0] and now[1] != drawn[1]
        drawn = now
    browser.press("o")
    assert browser.state["probe"] == state["probe"]


def test_play_goes_on_and_stops_at_the_end(browser: Browser, plane: tuple[Evolution, str]) -> None:
    browser.show(plane[1])
    browser.choose("speed", 12)
    assert not browser.state["playing"]
    browser.find("play").click()
    assert browser.state["playing"]
    assert browser.find("play").get_attribute("aria-label") == "Pause"
    browser.after("const wait = () => window.heatpg.state().playing ? setTimeout(wait, 20) : done(true); wait()")
    assert browser.state["frame"] == 8
    browser.find("play").click()
    browser.after("const wait = () => window.heatpg.state().frame < 2 ? setTimeout(wait, 20) : done(true); wait()")
    browser.find("play").click()
    stopped = browser.state["frame"]
    browser.after("setTimeout(() => done(true), 250)")
    assert 2 <= stopped == browser.state["frame"] < 8


def test_keys(browser: Browser, plane: tuple[Evolution, str]) -> None:
    browser.show(plane[1])
    for key, frame in (
        (Keys.ARROW_RIGHT, 1),
        (Keys.END, 8),
        (Keys.ARROW_RIGHT, 8),
        (Keys.ARROW_LEFT, 7),
        (Keys.HOME, 0),
    ):
        browser.press(key)
        assert browser.state["frame"] == frame
    for key, name in (("t", "tracks"), ("b", "basin"), ("c", "contours")):
        before, drawn = browser.state[name], browser.picture("map")
        browser.go(3)
        drawn = browser.picture("map")
        browser.press(key)
        assert browser.state[name] is not before
        assert browser.picture("map") != drawn
        assert browser.find(name).is_selected() is not before
    browser.press("s")
    assert browser.state["scale"] == "frame"
    at = browser.state["probe"]
    browser.press(Keys.ARROW_RIGHT, Keys.ARROW_UP, Keys.ARROW_UP, shift=True)
    assert browser.state["probe"] == [at[0] + 1, at[1] + 2]
    assert browser.state["frame"] == 3
    browser.press("+")
    assert browser.state["speed"] == 12
    browser.press("-", "-", "-")
    assert browser.state["speed"] == 2
    browser.press(" ")
    assert browser.state["playing"]
    browser.press(" ")
    assert not browser.state["playing"]
    browser.press("d")
    assert browser.state["theme"] == "dark"
    browser.press("?")
    assert browser.ask("document.getElementById('help').open")
    browser.press(Keys.END)
    assert browser.state["frame"] == 3, "keys are those of the help while it is open"
    browser.press(Keys.ESCAPE)
    assert not browser.ask("document.getElementById('help').open")


def test_keys_that_a_control_knows_itself_are_left_to_it(browser: Browser, space: tuple[Evolution, str]) -> None:
    browser.show(space[1])
    browser.find("slider").send_keys(Keys.ARROW_RIGHT)
    assert browser.state["frame"] == 1
    at = browser.state["slice"]
    browser.find("slice").send_keys(Keys.ARROW_LEFT if at else Keys.ARROW_RIGHT)
    assert browser.state["frame"] == 1
    assert browser.state["slice"] == abs(at - 1) if at else 1


def test_curves_and_events_lead_to_their_sigma(browser: Browser, line: tuple[Evolution, str]) -> None:
    flow, text = line
    browser.show(text)
    assert browser.text("events-summary") == "Events on the tracks that are shown: 1"
    browser.ask("(() => { document.getElementById('events').open = true; })()")
    button = browser.driver.find_element(By.CSS_SELECTOR, "#events-rows button")
    assert button.text.startswith("σ = 0.736")
    button.click()
    assert browser.state["frame"] == 1 + int(np.searchsorted(flow.sigma, 0.736))
    for name in ("curve", "fingerprint"):
        canvas = browser.find(name)
        ActionChains(browser.driver, duration=0).move_to_element_with_offset(
            canvas, round(canvas.rect["width"] / 2) - 13, 0
        ).click().perform()
        assert browser.state["frame"] == 9
        ActionChains(browser.driver, duration=0).move_to_element_with_offset(
            canvas, round(browser.state["boxes"][name]["left"] + 2 - canvas.rect["width"] / 2), 0
        ).click().perform()
        assert browser.state["frame"] == 0


def test_one_dimension(browser: Browser, line: tuple[Evolution, str]) -> None:
    flow, text = line
    browser.show(text)
    browser.go(3)
    for name in ("cut-a", "cut-b", "slice", "contours"):
        assert not browser.find(name).is_displayed()
    state = browser.state
    box = state["map"]
    browser.hover(box["left"] + 0.25 * box["width"], box["top"] + box["height"] / 2)
    (i,) = browser.state["probe"]
    assert abs(i - 0.25 * 201) <= 1
    said = browser.text("readout").replace("−", "-")
    assert float(said.split("u = ")[1].split(",")[0]) == pytest.approx(field(flow, 3)[i], abs=1e-5)
    drawn = browser.picture("map")
    browser.press("b")
    assert browser.picture("map") != drawn


def test_three_dimensions(browser: Browser, space: tuple[Evolution, str]) -> None:
    flow, text = space
    browser.show(text)
    state = browser.state
    best = np.unravel_index(int(flow.landscape.values.argmax()), flow.grid.shape)
    assert (state["hidden"], state["slice"]) == (2, best[2])
    drawn = browser.picture("map")
    other = 3 if best[2] != 3 else 4
    browser.choose("slice", other)
    assert browser.state["probe"] == [best[0], best[1], other]
    assert browser.picture("map") != drawn
    assert browser.text("slice-place").startswith("z = ")
    browser.press("]")
    assert browser.state["slice"] == other + 1
    box = browser.state["map"]
    browser.hover(box["left"] + 2.5 / 14 * box["width"], box["top"] + (1 - 4.5 / 12) * box["height"])
    assert browser.state["probe"] == [2, 4, other + 1]
    said = browser.text("readout").replace("−", "-")
    assert float(said.split("Q = ")[1].split(",")[0]) == pytest.approx(field(flow, 0)[2, 4, other + 1], abs=1e-3)
    browser.choose("slice-axis", 0)
    state = browser.state
    assert (state["hidden"], state["slice"]) == (0, 2)
    assert "along y" in browser.text("cut-a-title") and "along z" in browser.text("cut-b-title")
    # until it is moved the slice goes through the optimum of each frame
    browser.press("o", Keys.END)
    state = browser.state
    assert state["slice"] == np.unravel_index(int(flow.values[-1].argmax()), flow.grid.shape)[0]


def test_intervals_are_drawn_and_read(browser: Browser, plane: tuple[Evolution, str]) -> None:
    """Half of the width is Student's t times the standard error of the seeds; without seeds there is none."""
    grid = plane[0].grid
    noise = np.random.default_rng(4).standard_normal((5, *grid.shape))
    q = Landscape(None, grid, returns=plane[0].landscape.values + 0.2 * noise)
    flow = solve(q, [0.1, 0.3])
    browser.show(page(flow))
    assert q.standard_error is not None and flow.standard_error is not None
    spread = np.stack([q.standard_error, *flow.standard_error])
    t = 2.7764451052  # of 4 degrees of freedom, at .975, from a table
    index = (13, 9)
    for frame in range(3):
        shown = browser.ask("window.heatpg.error(arguments[0], arguments[1])", frame, list(index))
        # of 10 bits of its range
        assert shown == pytest.approx(t * spread[frame][index], abs=t * np.ptp(spread[frame]) / 1023)
    browser.go(1)
    best = np.unravel_index(int(flow.values[0].argmax()), grid.shape)
    half = float(browser.text("facts").split("± ")[1].split(" at")[0])
    assert half == pytest.approx(t * spread[1][best], rel=0.05)
    assert "95 % interval" in browser.text("curve-title")
    # the band, and here and there the edge of a letter, lets the panel through in such a measure
    faint = [(np.abs(browser.opacity("curve") - 0.22) < 0.01).sum()]
    browser.show(plane[1])
    assert browser.ask("window.heatpg.error(0, [0, 0])") is None
    faint.append((np.abs(browser.opacity("curve") - 0.22) < 0.01).sum())
    assert faint[0] > 5 * faint[1]
    assert "±" not in browser.text("facts")


@pytest.mark.parametrize("name", ["line", "plane", "space"])
def test_the_layer_of_the_worst_returns(name: str, browser: Browser, request: pytest.FixtureRequest) -> None:
    flow: Evolution = request.getfixturevalue(name)[0]
    tail = distribution(flow).tail_mean(0.1).values
    browser.show(page(flow, risk=0.1))
    browser.go(2)
    index = tuple(size // 3 for size in flow.grid.shape)
    value = "window.heatpg.value(arguments[0], arguments[1])"
    assert browser.ask(value, 2, list(index)) == pytest.approx(flow.values[1][index], abs=half_step(flow.values[1]))
    pictures = [browser.opacity(one).tobytes() for one in ("curve", "fingerprint")]
    browser.press("l")
    browser.settle()
    assert browser.state["layer"] == 1
    for frame in (1, 2):
        shown = browser.ask(value, frame, list(index))
        assert shown == pytest.approx(tail[frame - 1][index], abs=half_step(tail[frame - 1]))
    # of Q without noise
    assert browser.ask(value, 0, list(index)) == pytest.approx(
        flow.landscape.values[index], abs=half_step(flow.landscape.values)
    )
    best = float(browser.text("facts").split(" = ")[1].split(" at")[0].replace("\N{MINUS SIGN}", "-"))
    assert best == pytest.approx(tail[1].max(), rel=1e-3) and "worst 10 %" in browser.text("facts")
    assert "CVaR 10 %" in browser.text("readout") and "worst 10 %" in browser.text("curve-title")
    assert browser.text("fingerprint-title").startswith("The safest action")
    assert browser.ask("document.getElementById('tracks').disabled && document.getElementById('basin').disabled")
    for before, one in zip(pictures, ("curve", "fingerprint"), strict=True):
        assert browser.opacity(one).tobytes() != before
    browser.press("t", "b", Keys.HOME, Keys.END)
    assert browser.complaints() == []
    # and back, with all that belongs to u
    browser.choose("layer", 0)
    browser.settle()
    assert browser.state["layer"] == 0 and not browser.ask("document.getElementById('basin').disabled")
    browser.show(page(flow))
    assert browser.ask("document.getElementById('layer').offsetParent === null")


@pytest.mark.parametrize("name", ["line", "plane", "space"])
def test_a_phone(name: str, browser: Browser, request: pytest.FixtureRequest) -> None:
    browser.size(*PHONE)
    browser.show(request.getfixturevalue(name)[1])
    assert browser.ask("document.documentElement.scrollWidth <= window.innerWidth")
    boxes = browser.ask(
        "[...document.querySelectorAll('main canvas, main button, main select, main input')]"
        ".filter((one) => one.offsetParent).map((one) => one.getBoundingClientRect().right)"
    )
    assert max(boxes) <= PHONE[0]
    assert browser.ask("document.querySelector('.side').getBoundingClientRect().left") < 20
    if name == "plane":
        box = browser.state["map"]
        chain = ActionChains(browser.driver, duration=0)
        chain.w3c_actions = webdriver.common.actions.action_builder.ActionBuilder(
            browser.driver, mouse=webdriver.common.actions.pointer_input.PointerInput("touch", "finger"), duration=0
        )
        canvas = browser.find("map")
        finger = chain.w3c_actions.pointer_action
        finger.move_to(
            canvas,
            round(box["left"] + 10.5 / 41 * box["width"] - canvas.rect["width"] / 2),
            round(box["top"] + (1 - 20.5 / 31) * box["height"] - canvas.rect["height"] / 2),
        ).pointer_down().pointer_up()
        chain.w3c_actions.perform()
        at = browser.state["probe"]
        assert abs(at[0] - 10) <= 1 and abs(at[1] - 20) <= 1


def test_light_and_dark(browser: Browser, plane: tuple[Evolution, str]) -> None:
    browser.scheme("dark")
    browser.show(plane[1])
    background = "getComputedStyle(document.body).backgroundColor"
    dark, drawn = browser.ask(background), browser.picture("curve")
    assert browser.state["theme"] == "dark"
    browser.find("theme").click()
    assert browser.state["theme"] == "light"
    assert browser.ask(background) != dark
    assert browser.picture("curve") != drawn
    for name in ("light", "dark"):
        browser.scheme(name)
        browser.settle()
    assert browser.state["theme"] == "dark"


def test_names_are_text(browser: Browser) -> None:
    box = Grid(Axis("x", -1.0, 1.0, 41, boundary="clip", unit=HOSTILE))
    q = Landscape(np.exp(-8 * box[0].coordinates ** 2), box, name=HOSTILE, provenance={HOSTILE: HOSTILE})
    browser.show(page(solve(q, [0.1, 0.2])))
    assert browser.driver.title == f"{HOSTILE} under exploration noise"
    assert browser.text("title") == f"{HOSTILE} under exploration noise"
    assert browser.ask("document.scripts.length") == 2
    assert browser.ask("document.images.length") == 0
    assert HOSTILE in browser.text("provenance-rows")
    assert browser.state["frame"] == 0  # an alert would have raised


def test_the_policy_holds(chromium: Browser, plane: tuple[Evolution, str]) -> None:
    """What were put into the page by force may neither run nor ask for anything."""
    chromium.show(plane[1])
    assert chromium.complaints() == []
    refused = chromium.after(
        """
        const seen = [];
        document.addEventListener("securitypolicyviolation", (event) => seen.push(event.effectiveDirective));
        const script = document.createElement("script");
        script.textContent = "window.intruder = true";
        document.body.append(script);
        const image = document.createElement("img");
        image.src = "http://127.0.0.1:9/image.png";
        document.body.append(image);
        fetch("http://127.0.0.1:9/").catch(() => setTimeout(() => done([seen.sort(), Boolean(window.intruder)]), 50));
        """
    )
    assert refused == [["connect-src", "img-src", "script-src-elem"], False]
    assert all("Content Security Policy" in line for line in chromium.complaints())


def test_an_old_browser_is_told(browser: Browser, plane: tuple[Evolution, str]) -> None:
    script = {"source": "delete window.DecompressionStream"}
    added = browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", script)
    try:
        browser.show(plane[1], ready=False)
        assert "too old to unpack" in browser.text("alarm")
        assert browser.find("alarm").is_displayed() and not browser.find("main").is_displayed()
    finally:
        browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def test_a_damaged_page_says_so(browser: Browser, line: tuple[Evolution, str]) -> None:
    head, data, rest = line[1].partition('"data":"')
    browser.show(head + data + "AAAA" + rest[4:], ready=False)
    browser.after(
        "const wait = () => document.getElementById('alarm').hidden ? setTimeout(wait, 20) : done(true); wait()"
    )
    assert "could not be unpacked" in browser.text("alarm")


CHECKS: dict[str, Callable[[], Evolution]] = {
    "flat": lambda: solve(Landscape(np.ones((9, 9)), Grid(*(Axis(n, 0, 1, 9, boundary="clip") for n in "ab"))), [0.2]),
    "only Q": lambda: solve(landscapes.unequal_bumps(size=41), 0.0),
    "periodic": lambda: solve(landscapes.cosine(size=32), [0.2, 0.4, 0.6]),
    "by level": lambda: solve(landscapes.ridge(size=21), {"x1": [0.1, 0.2, 0.3], "x2": 0.4}),
}


@pytest.mark.parametrize("name", list(CHECKS))
def test_odd_pages_are_drawn(name: str, browser: Browser) -> None:
    browser.show(page(CHECKS[name]()))
    for key in (Keys.END, "b", "c", "s", "t", Keys.HOME, " "):
        browser.press(key)
        browser.settle()
    for canvas in ("map", "curve", "fingerprint"):
        assert len(browser.picture(canvas)) > 1500


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_leaves_its_card(width: int, browser: Browser, plane: tuple[Evolution, str]) -> None:
    browser.size(width, 844)
    browser.show(plane[1])
    browser.driver.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    browser.settle()
    assert browser.ask("document.documentElement.scrollWidth") <= width
    outside = """[...document.querySelectorAll("header *, .stage *, figure *, .folds *")].filter((one) => {
      const card = one.closest("header, .stage, figure, .folds").getBoundingClientRect();
      const box = one.getBoundingClientRect();
      return box.width && (box.right > card.right + 1 || box.left < card.left - 1);
    }).map((one) => one.outerHTML.slice(0, 80))"""
    assert browser.ask(outside) == []
    # a cell that is narrower than its longest word breaks it, letter by letter
    words = """[...document.querySelectorAll("#checks-rows td:not(:last-child)")].map((one) => {
      const pen = document.createElement("canvas").getContext("2d");
      pen.font = getComputedStyle(one).font;
      return one.clientWidth - Math.max(...one.textContent.split(" ").map((word) => pen.measureText(word).width));
    })"""
    room = browser.ask(words)
    assert room and min(room) >= -1


def test_the_map_fits_when_the_window_grows(browser: Browser, plane: tuple[Evolution, str]) -> None:
    """As high as the window allows, it may bring the bar for scrolling, which takes width from it."""
    browser.size(1280, 900)
    browser.show(plane[1])
    # a window that the page fits has no bar, until the map has grown
    for height in (int(browser.ask("document.documentElement.scrollHeight")), 1300):
        browser.size(1280, height)
        browser.settle()
        box = browser.state["map"]
        canvas = browser.ask("document.getElementById('map').clientWidth")
        # bar, its distance from the map and from its numbers: 12 + 12 + 5
        assert box["left"] + box["width"] + 29 + box["bar"]["width"] <= canvas


def test_values_at_the_optimum_are_not_rounded(browser: Browser) -> None:
    """Q is .7 exactly where the needle beside it is not the optimum of u any more; in 16 bits it is off by 5e-6."""
    grid = Grid(Axis("x", -2.0, 2.0, 201, boundary="clip"))
    x = grid[0].coordinates
    values = np.where(np.isclose(x, 1.0), 1.0, 0.7 * np.exp(-((x + 1) ** 2) / 0.5))
    browser.show(page(evolve(Landscape(values, grid), [0.1, 0.2])))
    browser.go(2)
    at, facts = browser.text("readout"), browser.text("facts")
    assert "Q = 0.7," in at and "where Q = 0.7;" in facts, (at, facts)


def test_a_loss_is_reached_by_descent(browser: Browser) -> None:
    grid = Grid(Axis("x", -4.0, 4.0, 201, boundary="clip"))
    loss = Landscape.from_function(
        lambda x: -np.exp(-((x - 1) ** 2)) - 0.6 * np.exp(-((x + 2) ** 2)), grid, minimise=True
    )
    browser.show(page(evolve(loss, [0.1, 0.2])))
    browser.go(1)
    words = browser.text("facts")
    assert "descent reaches it from" in words and "ascent" not in words
