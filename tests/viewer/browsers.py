"""A browser for the tests of pages, asked in JavaScript for what a reader sees."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium: pip install '.[dev]'")
ActionChains = webdriver.ActionChains
Keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
By = pytest.importorskip("selenium.webdriver.common.by").By

CHROMIUM, CHROMEDRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None or CHROMEDRIVER is None,
    reason="needs Chromium and its driver: apt-get install chromium chromium-driver",
)

OPTIONS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
WIDE, PHONE = (1280, 900), (390, 844)


class Browser:
    """One Chromium; asked in JavaScript for what a reader sees."""

    def __init__(self, driver: Any, folder: Path) -> None:
        self.driver = driver
        self.folder = folder

    def ask(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(f"return {script}", *arguments)

    def size(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def scheme(self, name: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def show(self, text: str, *, ready: bool = True) -> None:
        path = self.folder / "page.html"
        path.write_text(text, encoding="utf-8")
        self.driver.get(path.as_uri())
        if ready:
            assert self.after("window.heatpg.ready.then(() => done(true), (reason) => done(String(reason)))") is True
            self.settle()

    def after(self, script: str) -> Any:
        """What a script hands to `done`."""
        return self.driver.execute_async_script(f"const done = arguments[arguments.length - 1]; {script}")

    def settle(self) -> None:
        """Wait until what was asked for is drawn."""
        self.after("requestAnimationFrame(() => done(true))")

    @property
    def state(self) -> dict[str, Any]:
        self.settle()
        return dict(self.ask("window.heatpg.state()"))

    def text(self, name: str) -> str:
        return str(self.ask("document.getElementById(arguments[0]).textContent", name)).replace("\xa0", " ")

    def find(self, name: str) -> Any:
        return self.driver.find_element(By.ID, name)

    def press(self, *keys: str, shift: bool = False) -> None:
        chain = ActionChains(self.driver)
        if shift:
            chain = chain.key_down(Keys.SHIFT)
        chain = chain.send_keys(*keys)
        if shift:
            chain = chain.key_up(Keys.SHIFT)
        chain.perform()

    def choose(self, name: str, value: object) -> None:
        """What moving a slider or picking from a list does."""
        script = """
        const control = document.getElementById(arguments[0]);
        control.value = arguments[1];
        control.dispatchEvent(new Event(control.tagName === "SELECT" ? "change" : "input"));
        """
        self.driver.execute_script(script, name, str(value))
        self.settle()

    def go(self, frame: int) -> None:
        self.choose("slider", frame)

    def picture(self, name: str) -> str:
        self.settle()
        return str(self.ask("document.getElementById(arguments[0]).toDataURL()", name))

    def colours(self, name: str) -> np.ndarray:
        """What a canvas shows, shape (rows, columns, 3), between 0 and 1."""
        return np.asarray(self._image(name).convert("RGB")) / 255

    def opacity(self, name: str) -> np.ndarray:
        """How much of what is below a canvas it hides, shape (rows, columns), between 0 and 1."""
        return np.asarray(self._image(name).convert("RGBA"))[..., 3] / 255

    def _image(self, name: str) -> Image.Image:
        return Image.open(io.BytesIO(base64.b64decode(self.picture(name).partition(",")[2])))

    def hover(self, x: float, y: float) -> None:
        canvas = self.find("map")
        box = canvas.rect
        middle = (box["width"] / 2, box["height"] / 2)
        ActionChains(self.driver, duration=0).move_to_element_with_offset(
            canvas, round(x - middle[0]), round(y - middle[1])
        ).perform()
        self.settle()

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


@contextlib.contextmanager
def chromium_in(folder: Path) -> Iterator[Browser]:
    """Chromium with a profile of its own, ended at the end."""
    options = webdriver.ChromeOptions()
    for option in (*OPTIONS.split(), f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(option)
    options.binary_location = str(CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=str(CHROMEDRIVER), log_output=os.devnull)
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_script_timeout(300)
    try:
        yield Browser(driver, folder)
    finally:
        driver.quit()
