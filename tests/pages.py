"""HTML as a notebook gets it, taken to pieces: its text, its tags, its pictures; and what every page must keep to."""

from __future__ import annotations

import base64
import html.parser
import io
import re
from typing import Any

import numpy as np

_MOST = 50_000  # bytes
_VOID = {"img", "br", "polyline"}
_TABLE = {"table", "thead", "tbody", "tr", "th", "td"}
_TAGS = {"div", "span", "b", "details", "summary", "figure", "figcaption", "img", "svg", "polyline"} | _TABLE


class Page(html.parser.HTMLParser):
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


def page(thing: Any) -> Page:
    text = thing._repr_html_()
    assert len(text.encode()) < _MOST
    found = Page(text)
    assert {tag for tag, _ in found.tags} <= _TAGS
    assert not any(name.startswith("on") or name == "href" for _, attributes in found.tags for name in attributes)
    # a colour of one's own is unreadable in half of all notebooks
    assert not re.search(r"(?<![-\w])color:(?!inherit)|background:(?!transparent)", text)
    return found
