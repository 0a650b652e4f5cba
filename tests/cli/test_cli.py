"""The command line: from a landscape to a file and back, exit codes, and what goes to which stream."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import heatpg
from heatpg import Axis, Grid, Landscape, Report, evolve, load
from heatpg.cli import main
from heatpg.cli.talk import Bar, brief
from heatpg.cli.words import parse_options, sigma_numbers
from heatpg.core.noise import few_levels
from heatpg.core.report import Check
from heatpg.errors import CheckError, HeatpgError, MissingFileError, MissingPackageError, OptionError, ResourceError
from heatpg.evolution import Evolution
from heatpg.landscapes import landscapes
from tests.references import processor_seconds

Capture = pytest.CaptureFixture[str]
RUN = ["run", "ridge", "--set", "size=21", "--sigma", "0.3,0.5", "--checks", "standard"]


@pytest.fixture(autouse=True)
def _in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def stored(tmp_path: Path, capsys: Capture) -> Path:
    """A file written by ``heatpg run``."""
    assert main([*RUN, "--quiet"]) == 0
    capsys.readouterr()
    return tmp_path / "ridge.h5"


def files() -> list[str]:
    return sorted(entry.name for entry in Path().iterdir())


def json_of(text: str) -> Any:
    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_run(tmp_path: Path, capsys: Capture) -> None:
    assert main([*RUN, "--figure", "a.png"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[-1] == str(tmp_path / "ridge.h5")
    assert files() == ["a.png", "ridge.h5"]
    for word in (
        "ridge: 21 x 21 nodes",
        "x1 from -1 to 1",
        "clip",
        "sigma      0.3, 0.5",
        "chosen: ",
        "sample ",
        "solve ",
        "optimum",
        "checks (standard):",
        "passed   range",
        "cross-check",
    ):
        assert word in out, word
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    flow = load("ridge.h5")
    assert flow.sigma.tolist() == [0.3, 0.5]
    assert flow.report.level == "standard"
    assert list(flow.timing) == ["sample", "solve", "checks"]


def test_run_says_only_the_path_when_quiet(tmp_path: Path, capsys: Capture) -> None:
    assert main([*RUN, "--quiet", "--out", "b.h5"]) == 0
    assert capsys.readouterr() == (f"{tmp_path / 'b.h5'}\n", "")


def test_run_as_json(tmp_path: Path, capsys: Capture) -> None:
    assert main([*RUN, "--json"]) == 0
    out, err = capsys.readouterr()
    record = json_of(out)
    assert err == ""
    assert record["path"] == str(tmp_path / "ridge.h5")
    assert record["figure"] is None
    assert record["sigma"] == [0.3, 0.5]
    assert record["landscape"]["provenance"]["parameters"]["width"] == 0.2
    assert [axis["boundary"] for axis in record["grid"]] == ["clip", "clip"]
    assert record["report"]["passed"] is True
    assert {"name", "options"} <= set(record["solver"])
    assert len(record["optima"]) == 3


def test_full_checks_and_three_sigmas_are_the_default(capsys: Capture) -> None:
    assert main(["run", "two_bumps", "--set", "size=33"]) == 0
    assert "default: from 4 grid spacings" in capsys.readouterr().out
    flow = load("two_bumps.h5")
    assert flow.report.level == "full"
    assert len(flow) == 3


def test_options_reach_landscape_and_solver() -> None:
    words = ["--set", "width=0.4", "--boundary", "reflect", "--solver", "crank_nicolson", "--solver-option", "steps=7"]
    assert main([*RUN, *words]) == 0
    flow = load("ridge.h5")
    assert flow.landscape.provenance["parameters"]["width"] == 0.4
    assert {axis.boundary for axis in flow.grid} == {"reflect"}
    assert flow.solver.options()["steps"] == 7


def test_sigma_of_each_axis() -> None:
    assert (
        main(["run", "ridge", "--set", "size=21", "--sigma", "x1=0.3,0.6", "--sigma", "x2=0.2", "--checks", "none"])
        == 0
    )
    assert load("ridge.h5").sigma.tolist() == [[0.3, 0.2], [0.6, 0.2]]


def test_run_from_files(capsys: Capture) -> None:
    values = np.random.default_rng(0).normal(size=(9, 8))
    np.save("array.npy", values)
    np.savez("archive.npz", values=values, x=np.linspace(0, 2, 9), y=np.linspace(-1, 1, 8))
    assert main(["run", "array.npy", "--boundary", "reflect", "--sigma", "2", "--quiet"]) == 0
    assert main(["run", "archive.npz", "--boundary", "clip", "--sigma", "0.7", "--quiet"]) == 0
    assert main(["run", "archive.h5", "--sigma", "0.9", "--out", "again.h5", "--quiet"]) == 0
    np.testing.assert_array_equal(load("array.h5").landscape.values, values)
    assert [axis.name for axis in load("archive.h5").grid] == ["x", "y"]
    assert load("again.h5").grid == load("archive.h5").grid
    assert load("again.h5").sigma.tolist() == [0.9]
    capsys.readouterr()
    assert main(["run", "array.npy"]) == 2
    assert "--boundary" in capsys.readouterr().err
    assert main(["run", "archive.h5", "--force", "--sigma", "1"]) == 2
    assert "overwrite the source file" in capsys.readouterr().err
    assert main(["run", "archive.h5", "--boundary", "clip", "--out", "c.h5"]) == 2
    assert main(["run", "array.npy", "--boundary", "clip", "--set", "size=3", "--out", "c.h5"]) == 2
    assert "c.h5" not in files()


def test_run_within_a_given_memory(capsys: Capture) -> None:
    """From disk to disk in blocks: what `evolve` makes of the same array, up to the round-off of both."""
    values = np.random.default_rng(4).normal(size=(300, 500))
    np.save("q.npy", values)
    assert main(["run", "q.npy", "--boundary", "reflect", "--sigma", "3,9", "--memory", "12MiB"]) == 0
    said = capsys.readouterr().out
    assert "passes in 12.0 MiB of memory" in said and said.splitlines()[-1].endswith("q.h5")
    flow = evolve(Landscape.from_file("q.npy", boundary="reflect"), [3.0, 9.0])
    found = load("q.h5")
    assert found.grid == flow.grid
    np.testing.assert_allclose(found.values, flow.values, rtol=0, atol=1e-12 * flow.landscape.oscillation)
    # of a file of heatpg its landscape, of a registered one what was sampled
    assert main(["run", "q.h5", "--sigma", "4", "--memory", "12MiB", "--out", "again.h5", "--json"]) == 0
    record = json_of(capsys.readouterr().out)
    assert record["sigma"] == [4.0] and record["memory"] == 12 * 2**20 and record["path"].endswith("again.h5")
    assert main(["run", "ridge", "--set", "size=33", "--sigma", "0.3", "--memory", "1e7", "--quiet"]) == 0
    assert load("ridge.h5").grid.shape == (33, 33)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--memory", "much"], "number of bytes"),
        (["--memory", "-1"], "number of bytes"),
        (["--memory", "4", "--sigma", "0.2"], "too small for one line"),
        (["--memory", "1GiB"], "needs the noise levels"),
        (["--memory", "1GiB", "--sigma", "0.2", "--figure", "f.png"], "--figure needs the whole field"),
        (["--memory", "1GiB", "--sigma", "0.2", "--storage", "compact"], "--storage compact needs the whole field"),
        (["--memory", "1GiB", "--sigma", "0.2", "--checks", "full"], "--checks full needs the whole field"),
        (["--memory", "1GiB", "--sigma", "0.2", "--compression", "gzip:1"], "--compression needs the whole field"),
        (["--memory", "900TiB", "--sigma", "0.2"], "memory= exceeds the available memory"),
    ],
)
def test_memory_that_is_none(words: list[str], said: str, capsys: Capture) -> None:
    assert main(["run", "ridge", "--set", "size=33", *words]) in (2, 5)
    assert said in capsys.readouterr().err
    assert files() == []


def test_a_file_that_does_not_fit_is_checked_as_a_file(
    stored: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any, **options: Any) -> None:
        raise ResourceError("it does not fit in memory")

    monkeypatch.setattr("heatpg.evolution.load", full)
    assert main(["check", str(stored)]) == 5
    said = capsys.readouterr()
    assert "checksum of u" in said.out and "its solution was not checked" in said.err


def test_missing_folders_are_made(capsys: Capture) -> None:
    assert main([*RUN, "--out", "results/deep/a.h5", "--figure", "results/a.pdf"]) == 0
    assert capsys.readouterr().err == "heatpg: note: created the folder results/deep\n"
    assert Path("results/deep/a.h5").is_file()
    assert Path("results/a.pdf").read_bytes().startswith(b"%PDF")
    assert main([*RUN, "--out", "more/a.h5", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "ridg"], "did you mean 'ridge'"),
        (["run", "missing.h5"], "no such file"),
        (["run", "missing.npy", "--boundary", "clip"], "no such file"),
        (["run", "ridge", "--set", "widht=3"], "did you mean 'width'"),
        (["run", "ridge", "--set", "width"], "key=value"),
        (["run", "ridge", "--set", "width=wide"], "width must be a number"),
        (["run", "ridge", "--set", "width=-1"], "width"),
        (["run", "ridge", "--set", "size=3.5"], "size must be a whole number"),
        (["run", "ridge", "--set", "size=9", "--set", "size=9"], "twice"),
        (["run", "ridge", "--set", "grid=9"], "unknown option"),
        (["run", "ridge", "--set", "boundary=clip", "--boundary", "clip"], "twice"),
        (["run", "ridge", "--boundary", "clap"], "clip"),
        (["run", "ridge", "--sigma", "wide"], "sigma"),
        (["run", "ridge", "--sigma", "1:0.1:4"], "the first noise level exceeds the last"),
        (["run", "ridge", "--sigma", "0.1:1:4:5"], "logarithm"),
        (["run", "ridge", "--sigma", "0.1", "--sigma", "0.2"], "more than once"),
        (["run", "ridge", "--sigma", "x1=0.1"], "x2"),
        (["run", "ridge", "--sigma", "x1=0.1", "--sigma", "x1=0.1"], "twice"),
        (["run", "ridge", "--sigma", "-1"], "not negative"),
        (["run", "ridge", "--sigma", "nan"], "finite"),
        (["run", "ridge", "--solver", "spektral"], "did you mean 'spectral'"),
        (["run", "ridge", "--solver-option", "steps=3"], "--solver"),
        (["run", "ridge", "--solver", "implicit", "--solver-option", "step_count=3"], "'step'?"),
        (["run", "ridge", "--checks", "some"], "invalid choice"),
        (["run", "ridge", "--compression", "zip"], "invalid choice"),
        (["run", "ridge", "--figure", "a.bmp"], ".png"),
        (["run", "ridge", "--out", "y.txt"], ".h5, .hdf5, .nc"),
        (["run", "ridge", "--out", "result"], "the name of a result file"),
        (["run", "nothing_like_it"], "for a file, include its extension: .h5"),
        (
            ["run", "ridg"],
            "\n  try: for an environment, include its version, as in Pendulum-v1; for a file, include its",
        ),
        (["run", "Pendulum-v1", "--set", "horison=3"], "did you mean 'horizon'?"),
        (["run", "Pendulum-v1", "--variable", "Q"], "these options apply only to files"),
        (["run"], "required"),
        (["run", "ridge", "--colour"], "unrecognized"),
        (["show", "missing.h5"], "no such file; got: missing.h5"),
        (["view", "missing.h5"], "no such file; got: missing.h5"),
        (["show", "missing.h5", "--kind", "sumary"], "did you mean 'summary'"),
        (["check", "missing.h5"], "no such file; got: missing.h5"),
        (["list", "solver"], "did you mean 'solvers'"),
        (["fly"], "unknown command\n  got: 'fly'\n  expected: run, "),
        (["runn"], "did you mean 'run'?\n"),
        (["batch", "rnu"], "\n  see: heatpg batch --help\n"),
        (
            ["run", "ridge", "--checks", "standart"],
            "argument --checks: invalid choice\n  got: 'standart'; did you mean 'standard'?\n",
        ),
        ([], "required"),
    ],
    ids=" ".join,
)
def test_bad_input(words: list[str], said: str, capsys: Capture) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("heatpg: error: ")
    assert said in err
    assert "Traceback" not in err
    assert files() == []


def test_a_page_of_other_levels(stored: Path, capsys: Capture) -> None:
    assert main(["view", "ridge.h5", "--sigma", "0.2,0.4,0.7"]) == 0
    found = load(stored)
    # the fields, levels and checks of a result with these levels
    asked = heatpg.viewer.page(evolve(found.landscape, [0.2, 0.4, 0.7], found.solver))
    assert Path("ridge.html").read_text(encoding="utf-8") == asked
    assert main(["view", "ridge.h5", "--sigma", "0.2:", "--force"]) == 2
    assert "invalid sigma\n  got: '0.2:'\n" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["show", "view", "check"])
def test_the_nearest_file_is_named(command: str, stored: Path, capsys: Capture) -> None:
    Path("ridge.png").touch()
    assert main([command, "rigde.h5"]) == 2
    assert capsys.readouterr().err.endswith("got: rigde.h5; did you mean 'ridge.h5'?\n")
    assert files() == ["ridge.h5", "ridge.png"]


@pytest.mark.parametrize(
    ("sigma", "asked"),
    [("0,3", True), ("0, 25", True), ("0.3,0.5", False), ("0,0.3", False), ("0", False), ("1,3", False)],
)
def test_a_decimal_comma_is_asked_about(sigma: str, asked: bool, capsys: Capture) -> None:
    words = ["run", "ridge", "--set", "size=9", "--checks", "none", "--force", "--sigma"]
    assert main([*words, sigma]) == 0
    assert ("use a point as the decimal separator" in capsys.readouterr().err) == asked
    assert main([*words, f"x1={sigma}", "--sigma", "x2=1"]) == 0
    assert ("the decimal separator" in capsys.readouterr().err) == asked
    assert main([*words, sigma, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_zero_among_the_sigmas_is_left_out_of_the_reason(capsys: Capture) -> None:
    words = ["run", "ridge", "--set", "size=65", "--checks", "none", "--force", "--sigma"]
    assert main([*words, "0,0.3"]) == 0
    assert "chosen: every sigma above 0 is at least 6 grid spacings" in capsys.readouterr().out
    assert main([*words, "0.3"]) == 0
    assert "chosen: every sigma is at least 6 grid spacings" in capsys.readouterr().out


def test_optima_that_are_not_shown_are_counted(capsys: Capture) -> None:
    words = ["run", "ridge", "--set", "size=9", "--checks", "none", "--force", "--sigma"]
    for count, shown in ((8, False), (16, True)):
        assert main([*words, f"0.3:1:{count}"]) == 0
        out = capsys.readouterr().out
        assert out.count("where Q is") == 8
        assert (f"\n           (8 of {count} levels shown)\n" in out) == shown


@pytest.mark.parametrize("name", ["a.nc", "a.hdf5", "A.H5"])
def test_other_endings_of_results(name: str) -> None:
    assert main([*RUN, "--out", name, "--quiet"]) == 0
    assert main(["show", name, "--quiet"]) == 0
    if name.islower():
        assert main(["run", name, "--sigma", "0.2", "--out", "b.h5", "--quiet"]) == 0
        np.testing.assert_array_equal(load("b.h5").landscape.values, load(name).landscape.values)


def test_an_existing_output_is_refused_before_sampling(
    stored: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sampled(grid: Grid | None = None, *, size: int = 9) -> Landscape:
        raise AssertionError("sampled")

    monkeypatch.setitem(landscapes._entries, "ridge", sampled)
    before = stored.read_bytes()
    assert main(["run", "ridge"]) == 2
    assert "--force" in capsys.readouterr().err
    Path("a.png").touch()
    assert main(["run", "ridge", "--out", "b.h5", "--figure", "a.png"]) == 2
    assert stored.read_bytes() == before


def test_force_replaces(stored: Path) -> None:
    assert main([*RUN[:4], "--sigma", "0.4", "--checks", "none", "--force", "--quiet"]) == 0
    assert load(stored).sigma.tolist() == [0.4]


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*arguments: Any, **keywords: Any) -> Any:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ResourceError("too much"), 5),
        (MemoryError(), 5),
        (CheckError("broken"), 3),
        (HeatpgError("odd"), 2),
        (OptionError("odd"), 2),
        (MissingPackageError("odd"), 2),
        (MissingFileError("odd"), 2),
        (ValueError("odd"), 2),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
@pytest.mark.parametrize(
    "place", ["heatpg.evolution.solve", "heatpg.verify.verify", "heatpg.store.writing.publish_stream"]
)
def test_exit_codes(
    place: str, error: BaseException, code: int, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, raising(error))
    assert main(RUN) == code
    assert capsys.readouterr().err.startswith("heatpg: error: ")
    assert files() == []


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_what_does_not_fit_is_refused(kind: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"heatpg.tools.resources.available_{kind}", lambda *arguments: 5000.0)
    assert main(RUN) == 5
    assert kind in capsys.readouterr().err
    assert files() == []


def test_our_own_mistakes_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heatpg.evolution.solve", raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        main(RUN)


def failed(*arguments: Any) -> Report:
    return Report([Check("range", "failed", "outside", 1.0, 0.1)], "full")


def test_a_failed_check_still_leaves_the_result(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heatpg.verify.verify", failed)
    assert main([*RUN, "--figure", "a.png"]) == 3
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == str(tmp_path / "ridge.h5")
    assert "a check failed; the result is in" in err
    assert load("ridge.h5").report["range"].status == "failed"
    assert "a.png" in files()
    assert main([*RUN, "--json", "--force"]) == 3
    assert json_of(capsys.readouterr().out)["report"]["passed"] is False


def test_check(stored: Path, capsys: Capture) -> None:
    before = stored.read_bytes()
    assert main(["check", "ridge.h5"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[-1] == str(stored)
    for word in ("checksum of u", "identical to the last bit", "cross-check", "checks (full)"):
        assert word in out, word
    assert main(["check", "ridge.h5", "--json"]) == 0
    record = json_of(capsys.readouterr().out)
    assert record["passed"] is True
    assert set(record["report"]) == {"file", "recomputed", "solution"}
    assert record["report"]["recomputed"]["checks"][0]["figure"] == 0
    assert record["stored_report"]["level"] == "standard"
    assert record["path"] == str(stored)
    assert stored.read_bytes() == before


def test_check_of_a_damaged_file(stored: Path, capsys: Capture) -> None:
    values = load(stored).values
    content = bytearray(stored.read_bytes())
    content[bytes(content).index(values[1].tobytes()) + 100] ^= 4
    stored.write_bytes(content)
    assert main(["check", "ridge.h5"]) == 3
    out, err = capsys.readouterr()
    assert "failed   structure" in out
    assert "failed verification" in err
    assert main(["check", "ridge.h5", "--json"]) == 3
    assert json_of(capsys.readouterr().out)["passed"] is False
    assert main(["show", "ridge.h5"]) == 2
    assert main(["run", "ridge.h5", "--out", "b.h5"]) == 2


def test_check_of_another_solution(stored: Path, capsys: Capture) -> None:
    """A file that is whole, but does not hold the solution of its landscape."""
    flow = load(stored)
    values = flow.values.copy()
    values[1, 10, 10] += 1e-9
    flow.values = values
    flow.save(stored, force=True)
    assert main(["check", "ridge.h5", "--json"]) == 3
    report = json_of(capsys.readouterr().out)["report"]
    assert report["file"]["passed"] is True
    entry = report["recomputed"]["checks"][0]
    assert entry["status"] == "failed"
    assert entry["figure"] == pytest.approx(1e-9, rel=1e-5)
    assert entry["where"]["index"] == [10, 10]
    assert entry["where"]["sigma"] == 1


def test_check_of_a_foreign_file(capsys: Capture) -> None:
    with h5py.File("foreign.h5", "w") as file:
        file["u"] = [1.0]
    assert main(["check", "foreign.h5"]) == 2
    assert "not written by heatpg" in capsys.readouterr().err


def test_check_of_a_batch(capsys: Capture) -> None:
    from heatpg.evolution import solve

    grid = Grid(Axis("x", 0, 1, 9, boundary="periodic"))
    flow: Evolution = solve(Landscape(np.random.default_rng(0).random((3, 9)).astype("float32"), grid), [0.3])
    flow.save("batch.h5")
    assert main(["check", "batch.h5"]) == 0
    assert "batch of 3, 9 nodes, float32" in capsys.readouterr().out


def test_show(stored: Path, capsys: Capture) -> None:
    assert main(["show", "ridge.h5", "--figure", "a.svg"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ridge: 21 x 21 nodes, float64; sigma 0.3, 0.5",
        "checks when it was written: 5 passed, 3 findings",
        str(stored.with_name("a.svg")),
    ]
    assert b"<svg" in Path("a.svg").read_bytes()
    assert main(["show", "ridge.h5", "--kind", "maxima", "--json"]) == 0
    assert json_of(capsys.readouterr().out)["path"] == str(stored.with_name("ridge.png"))
    assert main(["show", "ridge.h5"]) == 2
    assert main(["show", "ridge.h5", "--force", "--quiet"]) == 0


def test_the_checks_of_a_file_are_counted() -> None:
    flow = evolve(landscapes.get("ridge")(size=9), [0.5], checks="none")
    assert brief(flow)[1] == "checks when it was written: none"
    flow.report = Report([Check("a", "failed", ""), Check("b", "finding", ""), Check("c", "passed", "")])
    assert brief(flow)[1] == "checks when it was written: 1 passed, 1 finding, 1 failed"


def test_list(capsys: Capture) -> None:
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    for word in (
        "solvers:",
        "landscapes:",
        "boundaries:",
        "figures:",
        "crank_nicolson",
        "ridge",
        "periodic",
        "summary",
    ):
        assert word in out
    for what in ("solvers", "landscapes", "boundaries", "figures"):
        assert main(["list", what, "--json"]) == 0
        entries = json_of(capsys.readouterr().out)[what]
        assert entries
        assert all(summary for summary in entries.values())


@pytest.fixture
def three_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    from heatpg.claims import Ledger, Row

    def row(name: str, verdict: str) -> Row:
        return Row(name, f"{name} is said.", "measured", {}, verdict, "", 0.5, "")

    rows = (row("a", "holds"), row("long-name", "holds"), row("c", "false as stated"))
    monkeypatch.setattr(
        "heatpg.claims.ledger",
        lambda names, progress: Ledger(tuple(r for r in rows if names is None or r.name in names)),
    )


@pytest.mark.usefixtures("three_claims")
def test_claims_are_a_summary_and_a_line_each(capsys: Capture) -> None:
    assert main(["claims"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:5] == [
        "3 claims in 1.5 s: 2 hold, 1 false as stated",
        "",
        "a          holds",
        "long-name  holds",
        "c          false as stated",
    ]
    assert len(lines) == 7 and "--details" in lines[-1]
    for words, count in ((["--details"], 3), (["long-name"], 1)):
        assert main(["claims", *words]) == 0
        out = capsys.readouterr().out
        assert out.startswith(f"{count} claim") and out.count("is said.") == count
    assert main(["claims", "--json"]) == 0
    assert set(json_of(capsys.readouterr().out)) == {"command", "heatpg_version", "claims", "counts", "seconds"}


def test_version(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"heatpg {heatpg.__version__}\n"


def test_warnings_are_one_line(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    import warnings

    def warns(*arguments: Any) -> Report:
        warnings.simplefilter("always")
        warnings.warn("look out", heatpg.HeatpgWarning, stacklevel=1)
        return Report([])

    monkeypatch.setattr("heatpg.verify.verify", warns)
    assert main([*RUN, "--quiet"]) == 0
    assert capsys.readouterr().err == "heatpg: warning: look out\n"


def test_every_option_of_every_landscape_and_solver_can_be_set() -> None:
    """The annotations in use are among those that are understood."""
    from heatpg.solvers import solvers
    from heatpg.tools.options import settable

    sample = {"int": "3", "float": "0.5", "bool": "true", "str": "word"}
    known = [settable(landscapes.get(name)) for name in landscapes.names()]
    known += [{f.name: str(f.type) for f in dataclasses.fields(solvers.get(name))} for name in solvers.names()]
    for options in known:
        for key, annotation in options.items():
            kind = annotation.split("|")[0].strip().removeprefix("tuple[").removesuffix(", ...]")
            if not kind.startswith("Literal"):
                assert key in parse_options([f"{key}={sample[kind]}"], options, "thing")


def test_sigma_words() -> None:
    assert sigma_numbers("0.02,0.05") == [0.02, 0.05]
    levels = sigma_numbers("0.01:1:16")
    assert len(levels) == 16
    assert (levels[0], levels[-1]) == (0.01, 1.0)
    np.testing.assert_allclose(np.diff(np.log(levels)), np.log(100) / 15, rtol=1e-10)


def test_default_sigma_fits_the_axes() -> None:
    alike = Grid(Axis("a", 0, 1, 101, boundary="clip"), Axis("b", 0, 2, 101, boundary="clip"))
    levels, said = few_levels(alike)
    assert levels == [0.037, 0.075, 0.15] or levels == [0.038, 0.075, 0.15]
    assert "default" in said
    unlike = Grid(Axis("a", 0, 1, 101, boundary="clip", unit="m"), Axis("b", 0, 2, 101, boundary="clip", unit="s"))
    own = few_levels(unlike)[0]
    assert isinstance(own, dict)
    assert own["b"][-1] == 0.3
    assert own["a"][-1] == 0.15


class Terminal:
    """A stream that says that it is a terminal, or not."""

    def __init__(self, tty: bool) -> None:
        self.tty = tty
        self.text = ""

    def isatty(self) -> bool:
        return self.tty

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


def test_the_bar_shows_on_terminals_only() -> None:
    terminal: Any = Terminal(True)
    with Bar("solving", terminal, enabled=True) as bar:
        for done in range(1, 5):
            bar(done, 4)
        assert "100 %" in terminal.text
        assert "solving" in terminal.text
    assert terminal.text.endswith("\r")
    for tty, enabled in ((False, True), (True, False)):
        stream: Any = Terminal(tty)
        with Bar("solving", stream, enabled=enabled) as bar:
            bar(1, 2)
        assert stream.text == ""


def test_in_a_process_of_its_own(tmp_path: Path) -> None:
    """Exit code, streams, and a reader that goes away; and help at once."""

    def heatpg_says(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "heatpg", *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    done = heatpg_says(*RUN)
    assert (done.returncode, done.stderr) == (0, "")
    assert Path(done.stdout.splitlines()[-1]).is_file()
    refused = heatpg_says(*RUN)
    assert refused.returncode == 2
    assert refused.stderr.startswith("heatpg: error: the file exists")
    assert (
        "Traceback" not in refused.stderr
        and "\n  try: choose another name, or overwrite it with --force\n" in refused.stderr
    )
    begin = processor_seconds()
    assert heatpg_says("--help").returncode == 0
    assert processor_seconds() - begin < 2.0  # of the processor, because others may work beside; it takes 0.15 s
    reading, writing = os.pipe()
    os.close(reading)
    gone = subprocess.run(
        [sys.executable, "-m", "heatpg", "list"], cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert gone.stderr == b""


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of a process are those of Linux")
def test_a_file_from_somebody_else_is_read_in_quarantine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ridge.h5"
    assert main(["run", "ridge", "--set", "size=33", "--out", str(path), "--quiet"]) == 0
    assert main(["check", str(path), "--untrusted", "--quiet"]) == 0
    assert main(["show", str(path), "--untrusted", "--figure", str(tmp_path / "ridge.png"), "--quiet"]) == 0
    capsys.readouterr()
    path.write_bytes(path.read_bytes()[:-1000])
    assert main(["check", str(path), "--untrusted"]) in (2, 3)
    assert "ridge.h5" in "".join(capsys.readouterr())


def test_compact_storage_is_checked_within_its_tolerance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {}
    for storage in ("full", "compact"):
        path = tmp_path / f"{storage}.h5"
        words = ["run", "double_pendulum", "--set", "size=128", "--sigma", "2,4,8", "--checks", "none"]
        assert main([*words, "--storage", storage, "--out", str(path), "--quiet"]) == 0
        sizes[storage] = path.stat().st_size
        capsys.readouterr()
        assert main(["check", str(path)]) == 0
        assert ("compact storage" in capsys.readouterr().out) == (storage == "compact")
    assert sizes["compact"] < 0.7 * sizes["full"]


def test_what_lies_outside_counts_in_the_tolerance_of_compact_storage(tmp_path: Path) -> None:
    grid = Grid(Axis("x", -1.0, 1.0, 129, boundary="zero"))
    q = Landscape(5.0 + 0.01 * np.sin(9.0 * grid[0].coordinates), grid)
    flow = evolve(q, [0.1, 0.3], "direct")
    path = tmp_path / "high.h5"
    heatpg.save(flow, path, storage="compact", tolerance=1e-5)
    # more than the tolerance allows of the nodes alone, which differ by 0.02
    assert np.abs(load(path).values - flow.values).max() > 1e-5
    assert main(["check", str(path)]) == 0


def test_a_path_in_the_home_is_found_without_a_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Within quotes, as from other programs, the shell leaves ``~`` as it is."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    np.save(tmp_path / "a.npy", np.linspace(0.0, 1.0, 21) ** 2)
    given = ["~/a.npy", "--boundary", "clip", "--sigma", "1,2", "--quiet"]
    assert main(["run", *given, "--out", "~/o.h5"]) == 0
    assert main(["study", *given]) == 0
    for command, made in (("check", ""), ("show", "~/o.png"), ("view", "~/o.html")):
        assert main([command, "~/o.h5", "--quiet", *(["--out", made] if made else [])]) == 0, command
        assert not made or (tmp_path / made[2:]).exists()
    assert main(["check", "~/absent.h5"]) == 2
    error = capsys.readouterr().err
    assert "no such file" in error and f"got: {tmp_path / 'absent.h5'}" in error


def test_a_figure_and_its_kind_are_named_alike_by_every_command(stored: Path, capsys: Capture) -> None:
    for i, words in enumerate((["show", "ridge.h5"], [*RUN, "--out", "again.h5"], ["study", "ridge.h5"])):
        assert main([*words, "--figure", f"{i}.svg", "--kind", "maxima", "--quiet"]) == 0
        assert Path(f"{i}.svg").is_file()
        assert main([*words[:2], "--figure", "b.svg", "--kind", "maxma", *(["--out", "b.h5"] if i == 1 else [])]) == 2
        assert "did you mean 'maxima'" in capsys.readouterr().err
    # the spelling that other commands have for a file
    assert main(["show", "ridge.h5", "--out", "old.svg", "--quiet"]) == 0 and Path("old.svg").is_file()
    assert main([*RUN, "--kind", "maxima", "--out", "c.h5"]) == 2
    assert "--kind needs --figure" in capsys.readouterr().err
