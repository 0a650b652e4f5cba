"""The command `heatpg orders`: tables, JSON, figure, exit codes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from heatpg.cli import main
from heatpg.measure import orders as convergence
from heatpg.measure.refinement import Row
from heatpg.measure.work_precision import Work

Capture = pytest.CaptureFixture[str]
ORDERS = ["orders", "--solver", "exponential", "--boundary", "reflect", "--boundary", "clip", "--dimensions", "1,2"]


@pytest.fixture(autouse=True)
def _in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = convergence.orders

    def spoiled(*arguments: Any, **keywords: Any) -> list[Row]:
        rows = measured(*arguments, **keywords)
        return [dataclasses.replace(rows[0], passed=False), *rows[1:]]

    monkeypatch.setattr(convergence, "orders", spoiled)


def json_of(text: str) -> Any:
    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_orders_as_text(tmp_path: Path, capsys: Capture) -> None:
    assert main([*ORDERS, "--figure", "a.png"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for word in ("exponential", "clip reflect", "1 2", "order in space", "order, step", "smallest weight", "passed"):
        assert word in out, word
    assert "each row of the first table combines those that agree" in out
    assert "always in two dimensions: two bumps" in out
    assert out.splitlines()[-1] == str(tmp_path / "a.png")
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


def test_orders_as_json(capsys: Capture) -> None:
    assert main([*ORDERS, "--nodes", "cell", "--json"]) == 0
    out, err = capsys.readouterr()
    record = json_of(out)
    assert err == ""
    assert record["passed"] is True
    assert record["figure"] is None
    assert {row["solver"] for row in record["rows"]} == {"exponential"}
    assert {row["dimension"] for row in record["rows"]} == {1, 2}
    assert {row["boundary"] for row in record["rows"] if row["axis"] != "rough"} == {"reflect", "clip"}
    names = {field.name for field in dataclasses.fields(Row)}
    assert {"solver", "boundary", "dimension", "axis", "declared", "observed", "refinements", "errors"} <= names
    assert all(set(row) == names for row in record["rows"])
    assert all(set(run) == {field.name for field in dataclasses.fields(Work)} for run in record["work_precision"])


def test_a_failed_row_is_exit_code_3(one_fails: None, capsys: Capture) -> None:
    assert main([*ORDERS]) == 3
    out, err = capsys.readouterr()
    assert out.count("FAILED") == 1
    assert "1 of" in err
    assert main([*ORDERS, "--json"]) == 3
    assert json_of(capsys.readouterr().out)["passed"] is False


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--solver", "spektral"], "did you mean 'spectral'"),
        (["--boundary", "clap"], "did you mean 'clip'"),
        (["--dimensions", "0"], "expected: 1 to 3"),
        (["--dimensions", "1,x"], "expected: 1 to 3"),
        (["--nodes", "edge"], "invalid choice"),
        (["--figure", "a.bmp"], ".png"),
    ],
    ids=" ".join,
)
def test_bad_input(words: list[str], said: str, capsys: Capture) -> None:
    assert main(["orders", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert list(Path().iterdir()) == []


def test_an_existing_figure_is_refused_before_the_work(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convergence, "orders", None)
    Path("a.png").touch()
    assert main([*ORDERS, "--figure", "a.png"]) == 2
    assert "--force" in capsys.readouterr().err


def test_a_figure_of_other_dimensions_than_asked_for_is_told(capsys: Capture) -> None:
    words = ["orders", "--solver", "exponential", "--boundary", "clip", "--dimensions", "1"]
    assert main([*words, "--figure", "a.png"]) == 0
    assert "the figure is of two dimensions" in capsys.readouterr().err
    assert main(words) == 0
    assert capsys.readouterr().err == ""
