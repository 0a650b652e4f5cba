"""heatpg study and heatpg claims on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from heatpg import evolve, landscapes
from heatpg.cli import main

SMALL = ["study", "quadrotor", "--set", "size=49", "--sigma", "0.1:1:6"]


def test_study_prints_a_page_and_draws_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figure = tmp_path / "page.png"
    assert main([*SMALL, "--figure", str(figure)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "quadrotor: 49 x 49 nodes, 6 sigmas from 0.1 to 1"
    assert any(line.startswith("jump       At sigma = 0.1894") for line in lines)
    assert lines[-1] == str(figure)
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert main([*SMALL, "--figure", str(figure)]) == 2  # it is there already
    assert "--force" in capsys.readouterr().err
    narrow = tmp_path / "narrow.pdf"
    assert main([*SMALL, "--figure", str(narrow), "--width", "text", "--quiet"]) == 0
    # 7.2 inches of 72 points
    assert b"/MediaBox [ 0 0 518.4 " in narrow.read_bytes()
    assert main([*SMALL, "--figure", str(tmp_path / "broad.pdf"), "--width", "broad"]) == 2
    assert "column" in capsys.readouterr().err


def test_long_rows_of_numbers_of_maxima_are_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    for levels, row in ((20, ": 1 -> 3 (x15) -> 2 (x5);"), (5, ": 1 -> 3 -> 3 -> 3 -> 3 -> 2;")):
        assert main(["study", "quadrotor", "--set", "size=49", "--sigma", f"0.1:1:{levels}"]) == 0
        assert f"in Q and at each sigma{row}" in capsys.readouterr().out


def test_study_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--json", "--price", "3"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert page["command"] == "study"
    assert page["sigma_jump"]["kind"] == "jump"
    assert page["price_limit"]["price"] == 3.0
    assert page["price_limit"]["sigma"] == pytest.approx(page["sigma_jump"]["sigma"], rel=1e-6)


def test_study_of_risk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["study", "peak_and_hill", "--set", "size=201", "--sigma", "0.1:1:5", "--risk", "0.2"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "\nsafest      The safest action, by the mean of the worst 0.2 of all returns" in out and "\nparting " in out
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["risk"]["q"] == 0.2
    figure = tmp_path / "risk.svg"
    # what was asked about is what is drawn, unless another kind is named
    assert main([*words, "--figure", str(figure), "--quiet"]) == 0
    assert "Returns at" in figure.read_text() and "worst 20%" in figure.read_text()
    for kind, seen in (("risk", "Returns at"), ("study", "Critical points")):
        assert main([*words, "--figure", str(figure), "--kind", kind, "--force", "--quiet"]) == 0
        assert seen in figure.read_text()
    capsys.readouterr()
    assert main([*words[:-1], "2"]) == 2
    error = capsys.readouterr().err
    assert "--risk is out of range" in error and "a number from 1e-09 to 1" in error


def test_study_of_a_file_takes_its_sigmas_if_they_are_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    q = landscapes.quadrotor(size=33)
    for count in (9, 2):
        path = tmp_path / f"{count}.h5"
        evolve(q, np.geomspace(0.2, 1.0, count)).save(path)
        assert main(["study", str(path), "--json"]) == 0
        page = json.loads(capsys.readouterr().out)
        assert len(page["space"]["sigma"]) == (9 if count == 9 else 64)


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["study", "quadrotr"], "did you mean 'quadrotor'"),
        (["study", "quadrotor", "--set", "size=49", "--sigma", "0.1"], "at least two noise levels"),
        (["study", "quadrotor", "--set", "size=49", "--price", "-1"], "error: --price must be positive"),
        (
            ["study", "quadrotor", "--set", "size=49", "--figure", "page.gif"],
            "the name of a figure must end in a known extension",
        ),
        (["study", "missing.h5"], "no such file"),
        (["claims", "no-such-claim"], "unknown claim"),
    ],
)
def test_bad_input(words: list[str], match: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert match in capsys.readouterr().err


def test_options_of_a_landscape_do_not_go_with_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "q.h5"
    evolve(landscapes.quadrotor(size=33), [0.2, 0.4]).save(path)
    assert main(["study", str(path), "--set", "size=3"]) == 2
    assert (
        "--set size=3 cannot be used with q.h5: a result file already contains its landscape" in capsys.readouterr().err
    )
