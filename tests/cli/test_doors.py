"""What is wrong with the input is told in the words of the command line, before what is wrong with the output."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from heatpg import Landscape, evolve, load, save
from heatpg.cli import commands, main, talk
from heatpg.cli.parser import in_words_of
from heatpg.errors import HeatpgError, OptionError
from heatpg.tools.options import nearest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with arrays, a result, and every output that the commands would write by default."""
    monkeypatch.chdir(tmp_path)
    values = np.cos(np.linspace(0.0, 2.0, 12))[:, None] * np.sin(np.linspace(0.0, 2.0, 9))
    np.save("my.npy", values)
    np.savez("my.npz", values)
    save(evolve(Landscape.from_array(values, boundary="reflect"), [1.0, 2.0], checks="none"), "my.h5")
    for name in ("my.png", "my.html"):
        Path(name).write_text("there")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("run my.npy --boundary reflect --sigma nan", "--sigma must be finite and not negative; got: nan"),
        ("run my.npy --boundary reflect --sigma=-1", "--sigma 1"),
        ("run my.npy --boundary z=reflect,x=clip", "expected: x1, x2"),
        ("run my.npy --boundary reflect --sigma x=1 --sigma y=2", "expected: x1, x2"),
        ("run my.npy --boundary reflect --sigma 1 --solver direct --tolerance 1e-3", "--solver-option tolerance=1e-6"),
        ("run my.npy --boundary x1=reflect", "add it to --boundary: x2=NAME"),
        ("run my.npy --boundary reflect,periodic", "--boundary AXIS=reflect,AXIS=periodic"),
        ("run my.npy --boundary reflect --covariance [[1,0.5]]", "covariance"),
        ("run my.npy --boundary periodic --covariance 1,2;3", "--covariance must be a square matrix"),
        ("run my.npy --boundary reflect --sigma 1 --nodes center", "did you mean 'cell'?"),
        ("run my.npy --boundary neuman --sigma 1", "did you mean 'reflect'?"),
        ("study my.npy --boundary reflect --sigma nan --figure my.png", "--sigma must be finite"),
        ("study my.npy --boundary z=reflect --figure my.png", "expected: x1, x2"),
        ("show my.npz", "my.npz is not a result of heatpg"),
        ("view my.npz", "my.npz is not a result of heatpg"),
        ("run ridge --sigma=-1", "--sigma 1"),
        ("run ridge --solver direct --tolerance 1e-3", "--solver direct --solver-option"),
    ],
)
def test_the_input_is_told_first(folder: Path, words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ridge.h5").write_text("there")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main(words.split()) == 2
    error = capsys.readouterr().err
    assert said in error and "the file exists" not in error
    # no word of Python
    assert "heatpg.solvers" not in error and "dictionary" not in error and "array of shape" not in error
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_what_is_right_meets_the_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ("run my.npy --boundary reflect --sigma 1", "show my.h5", "view my.h5"):
        assert main(words.split()) == 2
        error = capsys.readouterr().err
        assert "the file exists" in error and "--force" in error
        # of my.npy and my.npz one would replace the other
        assert ("my.h5 is the default for every source my.*" in error) == words.startswith("run")


def test_a_covariance(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "my.npy", "--boundary", "periodic", "--covariance", "[[2, .5], [.5, 3]]", "--out", "c.h5"]
    assert main([*words, "--checks", "none", "--quiet"]) == 0
    landscape = Landscape.from_array(np.load("my.npy"), boundary="periodic")
    expected = evolve(landscape, covariance=[[2.0, 0.5], [0.5, 3.0]], checks="none")
    np.testing.assert_array_equal(load("c.h5").values, expected.values)
    assert main([*words, "--sigma", "1"]) == 2
    assert "not both" in capsys.readouterr().err
    assert main([*words, "--memory", "1GB"]) == 2
    assert "--covariance needs the whole field" in capsys.readouterr().err


def test_long_work_says_where_it_is_in_a_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 3.0, 11.0, 12.0, 25.0])
    monkeypatch.setattr(talk, "time", types.SimpleNamespace(monotonic=lambda: next(clock)))
    with talk.Bar("testing", sys.stderr, enabled=True, unit="claims") as bar:
        for done in range(1, 5):
            bar(done, 4)
    assert capsys.readouterr().err == "heatpg: testing: 2 of 4 claims\nheatpg: testing: 4 of 4 claims\n"


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("--spacing", ["--sigma", "--storage", "--solver", "--set"]),
        ("--covariant", ["--variable", "--boundary"]),
        ("--dtype", ["--nodes", "--sigma"]),
        ("--tolerance", ["--force", "--figure", "--nodes"]),
        ("all.h5", ["eigenmodes", "ramp"]),
    ],
)
def test_nothing_is_suggested_that_is_not_near(word: str, known: list[str]) -> None:
    assert nearest(word, known) == ""


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("--sgima", ["--sigma", "--set"], "--sigma"),
        ("dubble_well", ["double_well", "ridge"], "double_well"),
        ("per", ["periodic", "reflect"], "periodic"),
        ("rnu", ["run", "bench"], "run"),
        ("step_count", ["poles", "step"], "step"),
        ("Sigma", ["sigma"], "sigma"),
    ],
)
def test_what_is_near_is_suggested(word: str, known: list[str], meant: str) -> None:
    assert nearest(word, known) == f"did you mean {meant!r}?"


def test_an_unknown_option_without_a_near_one_is_answered_by_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "ridge", "--spacing", "0.5"]) == 2
    error = capsys.readouterr().err
    assert "did you mean" not in error and "the options are: " in error and "--sigma" in error


def test_an_error_has_advice_for_both_doors(capsys: pytest.CaptureFixture[str]) -> None:
    error = OptionError("wrong", advice="write f(x=1)", command="write --x 1")
    assert "f(x=1)" in str(error) and "--x" not in str(error)
    assert isinstance(error, HeatpgError) and error.command == "write --x 1"


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["--verson"], "unrecognized arguments: --verson; did you mean '--version'?"),
        (["run", "--boundry", "clip"], "unrecognized arguments: --boundry; did you mean '--boundary'?"),
        (["batch", "merge", "--ot=a.h5"], "unrecognized arguments: --ot; did you mean '--out'?"),
        (["run", "--sigma", "-1"], "the following arguments are required: SOURCE"),
        (["batch"], "the following arguments are required: COMMAND"),
        (["run", "--", "--boundry"], "no such"),
    ],
    ids=" ".join,
)
def test_an_unknown_option_is_told_before_that_something_is_missing(
    words: list[str], asked: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The option is the reason: what it was meant as takes a value, or ends the command."""
    if asked == "no such":
        assert main(words) == 2  # after -- it is the name of a landscape
        assert "unrecognized" not in capsys.readouterr().err
        return
    assert main(words) == 2
    error = capsys.readouterr().err
    assert asked in error and error.count("required") == asked.count("required")


def test_errors_name_options_as_they_are_typed() -> None:
    """`price_limit` is a parameter of Python: who typed --price never saw it."""
    arguments = commands().parser.parse_args(["study", "ridge", "--price", "-1"])
    error = OptionError(
        "price_limit must be positive", given=-1, advice="pass sigma= or price_limit=2, or q=.1, or minimise=True"
    )
    in_words_of(arguments.options, error)
    assert error.problem == "--price must be positive"
    assert error.advice == "pass --sigma or --price 2, or --risk .1, or --minimise"
    # the subject is an option only where that was used: a solver may have a parameter of its name
    error = OptionError("q is out of range", advice="add --risk; q=.1")
    in_words_of(arguments.options, error)
    assert (error.problem, error.advice) == ("q is out of range", "add --risk; q=.1")
    error = OptionError("the price_limit must be positive", advice="f(sigma=1)")
    in_words_of(arguments.options, error)
    assert (error.problem, error.advice) == ("the price_limit must be positive", "f(sigma=1)")


def test_claims_are_listed_without_being_run(capsys: pytest.CaptureFixture[str]) -> None:
    from heatpg.claims import claims

    assert main(["list", "claims", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["claims"]
    assert found == {name: claims.get(name).statement for name in claims.names()}
    # "Smoothing never creates maxima." below a bare heading would read as a result
    assert main(["list", "claims"]) == 0
    assert capsys.readouterr().out.startswith(
        "claims: statements that heatpg claims tests; a good part of them is false"
    )


def test_solvers_are_listed_with_orders_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "solvers"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[1:]}
    assert "order 2 in space, exact in time; options: poles=14" in lines["rational"]
    # of two orders each says where it is met
    assert (
        "at edges order 4 with absorb and order 5 with clip, reflect, zero, exact in time" in lines["multiresolution"]
    )
    assert "order 4 in space, order 2 at edges, order 1 in time; options: step=None" in lines["explicit"]
    assert main(["list", "solvers", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)["solver_details"]
    assert facts["implicit"]["order_time"] == 1.0 and facts["compact"]["order_at_edge"]["reflect"] == 4.0


def test_the_lines_on_figures_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "figures"]) == 0
    for line in capsys.readouterr().out.splitlines()[1:]:
        assert line.endswith("."), line


@pytest.mark.parametrize("command", ["run", "study"])
def test_a_directory_is_called_one(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("horizons", "other"):
        Path(name).mkdir()
    Path("horizons/spec.toml").write_text("")
    for name in ("horizons", "./horizons", "horizons/"):
        assert main([command, name]) == 2
        error = capsys.readouterr().err
        assert "horizons is a directory, that of a batch" in error and "horizons/shards/*/*.h5" in error
    # a directory that has the name of a landscape hides it from nobody
    Path("ridge").mkdir()
    assert main([command, "ridge", "--sigma=-1"]) == 2 and "directory" not in capsys.readouterr().err
    assert main([command, "other"]) == 2
    assert "other is a directory; expected" in capsys.readouterr().err
