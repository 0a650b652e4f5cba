"""A wrong word is answered with the right one: names of other programs, misspelt options, foreign keywords."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import heatpg
from heatpg import Axis, HeatpgError, HeatpgWarning, Landscape, evolve, smooth, study
from heatpg.batch import read_spec
from heatpg.boundaries import boundaries
from heatpg.cli import main
from heatpg.errors import KeywordError, OptionError, UnknownNameError
from heatpg.solvers import Spectral, make, solvers
from heatpg.tools import parallel

RIDGE = np.exp(-(np.linspace(-2.0, 2.0, 17) ** 2))
# what scipy.ndimage, numpy.pad, OpenCV, PyTorch and textbooks call each rule, written down from their documentation
BOUNDARIES = {
    "dirichlet": "absorb",
    "Neumann": "reflect",
    "mirror": "reflect",
    "no_flux": "reflect",
    "symmetric": "reflect",
    "grid-mirror": "reflect",
    "nearest": "clip",
    "edge": "clip",
    "replicate": "clip",
    "BORDER_REPLICATE": "clip",
    "wrap": "periodic",
    "circular": "periodic",
    "constant": "zero",
}
SOLVERS = {
    "fft": "spectral",
    "dct": "spectral",
    "fourier": "spectral",
    "gauss": "direct",
    "gaussian": "direct",
    "convolution": "direct",
    "pyramid": "multiresolution",
    "multigrid": "multiresolution",
    "etd": "exponential",
    "discrete_gaussian": "exponential",
    "chebyshev": "rational",
    "pade": "compact",
    "euler": "explicit",
    "ftcs": "explicit",
    "rkl": "stabilized",
    "sts": "stabilized",
    "btcs": "implicit",
    "backward_euler": "implicit",
    "cn": "crank_nicolson",
    "trapezoidal": "crank_nicolson",
}


@pytest.mark.parametrize(("word", "name"), BOUNDARIES.items())
def test_boundaries_of_other_programs(word: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = f"did you mean '{name}'?"
    doors: tuple[Callable[[], Any], ...] = (
        lambda: boundaries.get(word),
        lambda: Axis("x", 0.0, 1.0, 8, boundary=word),
        lambda: Landscape.from_array(RIDGE, boundary=word),
        lambda: smooth(RIDGE, 1.0, word),
        lambda: read_spec({"landscape": {"source": "ridge", "boundary": word}, "evolve": {"sigma": 0.1}}),
    )
    for door in doors:
        with pytest.raises(HeatpgError) as caught:
            door()
        assert asked in str(caught.value)
    assert main(["run", "ridge", "--boundary", word]) == 2
    assert asked in capsys.readouterr().err


@pytest.mark.parametrize(("word", "name"), SOLVERS.items())
def test_solvers_of_textbooks(word: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = f"did you mean '{name}'?"
    landscape = Landscape.from_array(RIDGE, boundary="reflect")
    doors: tuple[Callable[[], Any], ...] = (
        lambda: make(word),
        lambda: evolve(landscape, 1.0, word),
        lambda: read_spec({"landscape": {"source": "ridge"}, "evolve": {"sigma": 0.1, "solver": word}}),
    )
    for door in doors:
        with pytest.raises(HeatpgError) as caught:
            door()
        assert asked in str(caught.value)
    for command in (["run", "ridge", "--solver", word], ["orders", word], ["bench", "--solver", word]):
        assert main(command) == 2
    assert capsys.readouterr().err.count(asked) >= 2


def test_no_synonym_is_a_name_of_ours() -> None:
    """Else a name would be taken for another one."""
    for word in BOUNDARIES:
        assert word not in boundaries.names()
    for word in SOLVERS:
        assert word not in solvers.names()


def test_a_mirror_about_a_face_comes_with_the_nodes_that_it_needs() -> None:
    """numpy.pad 'symmetric' and scipy.ndimage 'reflect' repeat the last value, which only nodes in cells do."""
    with pytest.raises(UnknownNameError, match="nodes='cell'"):
        boundaries.get("symmetric")
    assert "nodes='cell'" not in boundaries.get("reflect").meaning
    rule = boundaries.get("reflect")
    line = np.arange(4.0)
    cells = line[rule.extend(4, "cell", 3, 3).source]
    ends = line[rule.extend(4, "vertex", 3, 3).source]
    np.testing.assert_array_equal(cells, np.pad(line, 3, mode="symmetric"))
    np.testing.assert_array_equal(ends, np.pad(line, 3, mode="reflect"))


def test_a_class_of_a_solver_is_no_solver() -> None:
    landscape = Landscape.from_array(RIDGE, boundary="reflect")
    for door in (lambda: make(Spectral), lambda: evolve(landscape, 1.0, Spectral)):
        with pytest.raises(OptionError, match=r"pass Spectral\(\)"):
            door()


@pytest.mark.parametrize("function", [evolve, study, smooth])
@pytest.mark.parametrize(
    ("keyword", "advice"),
    [
        ("sigmas", r"sigma=\["),
        ("t", r"sigma = sqrt\(t\)"),
        ("solvr", "'solver'"),
        ("nothing_like_it", "its keywords are .*sigma"),
    ],
)
def test_keywords_of_other_programs(function: Callable[..., Any], keyword: str, advice: str) -> None:
    if function is study and keyword == "solvr":
        keyword, advice = "chekcs", "'checks'"
    with pytest.raises(KeywordError, match=rf"{function.__name__}\(\) has no keyword '{keyword}'\W+(try: )?.*{advice}"):
        function(RIDGE, **{keyword: 1.0})
    with pytest.raises(TypeError):
        function(RIDGE, **{keyword: 1.0})


def test_what_is_no_landscape_comes_with_the_call_that_makes_one() -> None:
    flow = evolve(Landscape.from_array(RIDGE, boundary="reflect"), 1.0)
    given = {
        "Landscape.from_array(": RIDGE,
        "Landscape.from_function(": np.sin,
        "Landscape.from_file(": "q.npy",
        "flow.landscape": flow,
    }
    for advice, thing in given.items():
        with pytest.raises(OptionError) as caught:
            evolve(thing, 1.0)  # type: ignore[arg-type]
        assert f"got: {type(thing).__name__}" in str(caught.value) and advice in str(caught.value)
    xarray = pytest.importorskip("xarray")
    for thing in (xarray.DataArray(RIDGE), xarray.Dataset()):
        with pytest.raises(OptionError, match=r"Landscape\.from_xarray\("):
            evolve(thing, 1.0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "ridge", "--sgima", "0.1"], "unrecognized arguments: --sgima 0.1; did you mean '--sigma'"),
        (["run", "ridge", "--boundry=clip"], "'--boundary'"),
        (["study", "ridge", "--prize", "1"], "'--price'"),
        (["study", "ridge", "-o", "a.html"], "did you mean '--figure'?"),
        (["orders", "--out", "a.png"], "did you mean '--figure'?"),
        (["run", "ridge", "--output", "a.h5"], "did you mean '--out'?"),
        (["batch", "run", "a.toml", "--worker", "1"], "did you mean '--workers'?"),
        (["run", "ridge", "--sigma", "5:2:4"], "--sigma 5:2:4: the first noise level exceeds the last\n"),
    ],
    ids=" ".join,
)
def test_words_of_the_command_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    if words[-1] != "5:2:4":
        assert error.endswith(f"\n  see: heatpg {' '.join(words[: 2 if words[0] == 'batch' else 1])} --help\n")


def test_the_environment_variable_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_threads", None)
    monkeypatch.setenv("HEATPG_NUM_THREADS", "1")
    monkeypatch.delenv("HEATPG_THREADS", raising=False)
    with pytest.warns(HeatpgWarning, match="the environment variable of heatpg is HEATPG_THREADS"):
        parallel.threads()
    # what is set and read is followed, and nothing is said
    monkeypatch.setattr(parallel, "_threads", None)
    monkeypatch.setenv("HEATPG_THREADS", "3")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parallel.threads() == 3
    assert heatpg.HeatpgError is HeatpgError
