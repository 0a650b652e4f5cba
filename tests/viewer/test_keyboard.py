"""Every control of the page without a pointer: reached by the tabulator, in the order of the page, and worked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape
from heatpg.evolution import solve
from heatpg.viewer import page
from tests.viewer.browsers import Browser, Keys, needs_browser

pytestmark = needs_browser

# the keys that work a control once it has the focus, and what shows that it did
CONTROLS: dict[str, tuple[str, str]] = {
    "verdict": (Keys.ENTER, "document.getElementById('checks').open"),
    "theme": (Keys.ENTER, "window.heatpg.state().theme"),
    "help-open": (Keys.ENTER, "document.getElementById('help').open"),
    "play": (" ", "window.heatpg.state().playing"),
    "slider": (Keys.ARROW_RIGHT, "window.heatpg.state().frame"),
    "speed": (Keys.ARROW_DOWN, "window.heatpg.state().speed"),
    "slice-axis": (Keys.ARROW_UP, "window.heatpg.state().hidden"),
    "slice": (Keys.ARROW_LEFT, "window.heatpg.state().slice"),
    "layer": (Keys.ARROW_DOWN, "window.heatpg.state().layer"),
    "scale": (Keys.ARROW_DOWN, "window.heatpg.state().scale"),
    "colours": (Keys.ARROW_DOWN, "window.heatpg.state().colours"),
    "tracks": (" ", "window.heatpg.state().tracks"),
    "basin": (" ", "window.heatpg.state().basin"),
    "contours": (" ", "window.heatpg.state().contours"),
    "fingerprint-axis": (Keys.ARROW_DOWN, "window.heatpg.state().fingerprintAxis"),
}
FOCUS = "document.activeElement.id || document.activeElement.textContent || document.activeElement.tagName"


@pytest.fixture(scope="module")
def cube() -> str:
    grid = Grid(*(Axis(name, -1.0, 1.0, 12, boundary="clip") for name in "xyz"))
    values = np.exp(-sum((x - 0.2) ** 2 for x in grid.mesh()) / 0.3)
    return page(solve(Landscape(np.array(values), grid, "ball"), [0.3, 0.5, 0.8]), risk=0.2)


def tabbed(browser: Browser) -> list[Any]:
    """What has the focus, one tabulator after the other, until it leaves the page."""
    found: list[Any] = []
    for _ in range(60):
        browser.press(Keys.TAB)
        now = browser.ask(FOCUS)
        if now in found:
            break
        found.append(now)
    return found


def test_every_control_is_reached_in_the_order_of_the_page(browser: Browser, cube: str) -> None:
    browser.show(cube)
    every = browser.ask(
        "[...document.querySelectorAll('button, select, input, summary')]"
        ".filter((one) => one.offsetParent && !one.disabled).map((one) => one.id || one.textContent)"
    )
    reached = [one for one in tabbed(browser) if one != "BODY"]
    assert [one for one in reached if one in every] == every
    assert {name for name in every if name in CONTROLS} == set(CONTROLS), "a control without a test"


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_works_by_keys(name: str, browser: Browser, cube: str) -> None:
    keys, shown = CONTROLS[name]
    browser.show(cube)
    # first down from the optimum, so that there is something to either side
    for _ in range(60):
        browser.press(Keys.TAB)
        if browser.ask(FOCUS) == name:
            break
    assert browser.ask("getComputedStyle(document.activeElement).outlineStyle") != "none", "the focus is not seen"
    before = browser.ask(shown)
    browser.press(keys)
    browser.settle()
    assert browser.ask(shown) != before
    browser.press(Keys.ESCAPE)


def test_every_key_of_the_help_is_one_that_works(browser: Browser, cube: str) -> None:
    """The help lists what the page knows, and no more."""
    browser.show(cube)
    told = browser.ask("[...document.querySelectorAll('#help kbd')].map((one) => one.textContent)")
    names = {
        "←": Keys.ARROW_LEFT,
        "→": Keys.ARROW_RIGHT,
        "Home": Keys.HOME,
        "End": Keys.END,
        "Space": " ",
        "−": "-",
    }
    for key in told:
        if key == "Shift":
            continue
        # from the middle, so that each has somewhere to go
        browser.show(cube)
        browser.go(2)
        browser.choose("speed", 5)
        browser.choose("slice", 5)
        if key == "o":
            browser.press(Keys.ARROW_UP, shift=True)
        browser.driver.execute_script("document.activeElement.blur()")
        look = "JSON.stringify([window.heatpg.state(), document.getElementById('help').open])"
        before = browser.ask(look)
        browser.press(names.get(key, key))
        browser.settle()
        assert browser.ask(look) != before, key
        browser.press(Keys.ESCAPE)
