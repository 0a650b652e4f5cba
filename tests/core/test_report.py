"""Reports as text: one line a check for programs, wrapped for readers."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

import pytest

from heatpg import landscapes
from heatpg.cli import main
from heatpg.cli.talk import fitted, report_lines, terminal_width
from heatpg.core.report import Check, Place, Report
from heatpg.evolution import solve
from heatpg.tools.lines import hanging
from tests.pages import page

LONG = "the largest value lies on the edge of the box at 9 of 12 sigmas: the optimum may be outside, and rests on that"
REPORT = Report(
    [
        Check("range", "passed", "the supremum does not rise with sigma", 0.0, 2.36e-14, "round-off"),
        Check("optimum on the edge", "finding", LONG, where=Place(3, (0, 0), (1.4, 1.4))),
        Check("spatial maxima", "finding", "in Q and at each sigma: " + " -> ".join("9876543210")),
    ]
)


def test_one_line_a_check_where_no_width_is_given() -> None:
    lines = REPORT.text().splitlines()
    assert lines == [
        "passed   range                the supremum does not rise with sigma (0 <= 2.36e-14, round-off)",
        f"finding  optimum on the edge  {LONG} [sigma[3], index (0, 0), at (1.4, 1.4)]",
        "finding  spatial maxima       in Q and at each sigma: 9 -> 8 -> 7 -> 6 -> 5 -> 4 -> 3 -> 2 -> 1 -> 0",
    ]


def test_a_number_that_the_message_states_is_not_repeated() -> None:
    source = "round-off, relative to osc(Q)"
    assert Check("edge", "passed", "u is off by 0.01 of osc(Q)", 0.01, 0.02, source).details == (
        "u is off by 0.01 of osc(Q)"
    )
    # another number, and a count that happens to be the figure
    for message, of in (("u is off by 0.01 of osc(Q)", source), ("rises at 0 of 12 sigmas", "round-off")):
        assert Check("range", "passed", message, 0.0, 0.02, of).details == f"{message} (0 <= 0.02, {of})"


@pytest.mark.parametrize("width", [45, 60, 72, 80, 100, 132])
def test_lines_are_as_wide_as_asked_and_say_the_same(width: int) -> None:
    lines = REPORT.text(width).splitlines()
    assert max(map(len, lines)) <= width
    assert " ".join(" ".join(lines).split()) == " ".join(REPORT.text().split())


def test_what_goes_on_is_below_its_message() -> None:
    lines = REPORT.text(72).splitlines()
    column = lines[0].index("the supremum")
    later = [line for line in lines if not line.startswith(("passed", "finding"))]
    assert len(later) >= 3
    assert {len(line) - len(line.lstrip()) for line in later} == {column}


def test_with_little_room_the_rest_goes_near_the_margin() -> None:
    lines = REPORT.text(36).splitlines()
    later = [line for line in lines if not line.startswith(("passed", "finding"))]
    assert {len(line) - len(line.lstrip()) for line in later} == {4}
    assert all(len(line) <= 36 or line.startswith("finding  optimum on the edge") for line in lines)
    assert REPORT.text(1)


def test_a_bound_stays_with_its_figure_and_an_arrow_with_its_number() -> None:
    for width in range(40, 110):
        for line in REPORT.text(width).splitlines():
            assert not line.endswith(("(0", "<=", "->"))


def test_the_text_of_a_report_is_the_same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    text = str(REPORT)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert str(REPORT) == text == REPORT.text(100)


def test_words_are_never_broken() -> None:
    assert hanging("a " + 50 * "b" + " c", 2, 20) == ["a", "  " + 50 * "b", "  c"]
    assert hanging("short", 11, 20) == ["short"]
    assert hanging("sigma      at (-1, -1)", 11, 15)[0].startswith("sigma")


def test_no_checks() -> None:
    assert str(Report([])) == Report([]).text(20) == "no checks were made"


@pytest.fixture
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def widen(columns: int) -> None:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        monkeypatch.setenv("COLUMNS", str(columns))

    return widen


def test_commands_fit_the_terminal(
    on_a_terminal: Callable[[int], None],
    capsys: pytest.CaptureFixture[str],
    tmp_path: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(str(tmp_path))
    words = ["run", "ridge", "--set", "size=21", "--sigma", "0.3,0.5", "--checks", "standard", "--force"]
    assert main(words) == 0
    whole = capsys.readouterr().out.splitlines()[:-1]
    on_a_terminal(80)
    assert terminal_width() == 80
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()[:-1]
    assert max(map(len, whole)) > 100
    assert max(map(len, lines)) <= 80
    plain = [" ".join(" ".join(text).split()) for text in (whole, lines)]
    for label in ("grid", "solver", "optimum", "passed range", "finding box"):
        assert plain[1].count(f"{label} ") == plain[0].count(f"{label} ") > 0, label


def test_a_pipe_gets_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    assert terminal_width() is None
    assert report_lines("checks", REPORT) == ["checks:", *(f"  {line}" for line in REPORT.text().splitlines())]
    assert fitted(["x" * 200, "y " * 100], 3) == ["x" * 200, "y " * 100]


def test_a_notebook_shows_the_checks() -> None:
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
