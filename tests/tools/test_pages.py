"""Pages that stand by themselves: what their policy allows, and that no name in them is taken for a part."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

import heatpg
from heatpg.tools.pages import own_text, sealed_page

FILES = ("animation.html", "animation.css", "animation.js")
PARTS = dict.fromkeys(("TITLE", "SECONDS", "LOOP", "FRAMES", "LAST", "WORDS"), "-")


def test_the_policy_allows_the_style_and_the_script_of_the_page_and_nothing_else() -> None:
    page = sealed_page("heatpg.plot", FILES, PARTS)
    allowed = re.findall(r"(style|script)-src '(?:sha256)-([^']+)'", page)
    for tag, digest in allowed:
        content = re.search(rf"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL)
        assert content is not None
        assert base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode() == digest
    assert [tag for tag, _ in allowed] == ["script", "style"]
    assert "default-src 'none'" in page


def test_a_mark_in_a_name_stays_a_name() -> None:
    page = sealed_page("heatpg.plot", FILES, {**PARTS, "TITLE": "@@SCRIPT@@ @@NOWHERE@@"})
    assert "<title>@@SCRIPT@@ @@NOWHERE@@</title>" in page
    assert page.count(own_text("heatpg.plot", "animation.js")) == 1


def test_all_pages_have_one_head() -> None:
    templates = sorted(Path(heatpg.__file__).parent.rglob("*.html"))
    assert len(templates) == 3
    for template in templates:
        text = template.read_text(encoding="utf-8")
        assert text.startswith("@@HEAD@@\n<body") and not re.search(r"<head>|<meta|<title>|<style>", text), template


def test_every_mark_is_given() -> None:
    with pytest.raises(KeyError, match="WORDS"):
        sealed_page("heatpg.plot", FILES, {name: text for name, text in PARTS.items() if name != "WORDS"})
