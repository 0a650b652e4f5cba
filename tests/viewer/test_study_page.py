"""The HTML page of a study: what it says, what it shows, and what it must not do."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, landscapes, study
from heatpg.cli import main
from heatpg.errors import OptionError
from heatpg.viewer import study_page

HOSTILE = '</title><script>alert(1)</script> & "q" @@CHECKS@@'


class Words(HTMLParser):
    """The words of a page, those inside its figures apart, and its elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.addresses: list[str] = []
        self.words = ""
        self.in_figures = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1] == "style":
            return
        self.words += data
        if self.elements.count("svg") and self.elements[-1] not in ("h2", "td", "th"):
            self.in_figures += data


def test_all_sentences_rows_and_checks_of_a_study_can_be_searched() -> None:
    page = study(landscapes.peak_and_hill(size=201), np.geomspace(0.1, 1.0, 6))
    text = study_page(page)
    found = Words(text)
    for sentence in (page.verdict.sentence, *page.sentences.values()):
        # of numbers a page has the true minus sign
        assert re.sub(r"(?<![\w.])-(?=\d)", "\N{MINUS SIGN}", sentence).replace("+-", "±") in found.words
    for check in page.evolution.report.checks:
        assert check.name in found.words
    # a number without its symbol could be anything
    assert "σ < 0.1" in found.words
    costly = study(landscapes.unequal_bumps(size=201), np.geomspace(0.1, 2.0, 6))
    (limit,) = [number for number in costly.verdict.numbers if number.is_sigma]
    assert limit.typeset == f"σ = {costly.keeps.sigma:.3g}" and limit.typeset in Words(study_page(costly)).words
    assert all(f"{sigma:.3g}" in found.words for sigma in page.space.sigma)
    # text of figures stays text
    assert "Cost of acting on the smoothed optimum" in found.in_figures
    assert found.elements.count("svg") == 1
    # one minus sign in all of it: none of a keyboard before a number
    assert not re.search(r"(?<![\w.)])-\d", found.words)


def test_the_page_runs_and_loads_nothing_however_hostile_a_name() -> None:
    grid = Grid(Axis("x", -1.0, 1.0, 41, boundary="clip", label=HOSTILE), Axis("y", -1.0, 1.0, 31, boundary="reflect"))
    q = Landscape.from_function(lambda x, y: np.exp(-4 * ((x - 0.2) ** 2 + y**2)), grid, name=HOSTILE)
    text = study_page(study(q, np.geomspace(0.15, 0.6, 6)))
    found = Words(text)
    assert "script" not in found.elements and "link" in found.elements
    assert "default-src 'none'" in text and found.elements.count("title") == 1
    assert all(address.startswith(("#", "data:")) for address in found.addresses)
    assert "@@CHECKS@@" in found.words  # a name with a mark in it stays a name


def test_the_page_of_risk_has_its_figure_and_other_things_have_none() -> None:
    flow = landscapes.peak_and_hill(size=201)
    text = study_page(study(flow, np.geomspace(0.1, 1.0, 5), risk=0.2))
    assert text.count("<svg") == 2 and "safest action" in Words(text).in_figures
    with pytest.raises(OptionError, match="needs a Study"):
        study_page(flow)


@pytest.mark.parametrize("option", ["--figure", "--html", "--page"])
def test_the_command_line_writes_it(option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["study", "unequal_bumps", "--set", "size=101", "--sigma", "0.2:1:5"]
    target = tmp_path / "page.html"
    assert main([*words, option, str(target)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(target)
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert main([*words, option, str(target)]) == 2  # it is there already
    assert "--force" in capsys.readouterr().err
    for more in (["--kind", "price"], ["--width", "column"]):
        assert main([*words, option, str(target), "--force", *more]) == 2
        assert f"{more[0]} cannot be used with an HTML page" in capsys.readouterr().err
