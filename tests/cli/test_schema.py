"""The schema of specifications takes what heatpg takes, and refuses what it refuses, as far as a schema can tell."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatpg.batch import SpecError, read_spec
from heatpg.batch.files import FILE_OPTIONS
from heatpg.batch.names import options_of_task
from heatpg.boundaries import boundaries
from heatpg.cli import main
from heatpg.cli.schema import DIALECT, schema
from heatpg.landscapes import landscapes
from heatpg.landscapes.named import family_of
from heatpg.solvers import solvers
from heatpg.tools.options import parameter_notes, settable

jsonschema = pytest.importorskip("jsonschema", reason="pip install '.[dev]'")

ROOT = Path(__file__).resolve().parents[2]
Capture = pytest.CaptureFixture[str]

BASE = """
[landscape]
source = "double_pendulum"
size = 32
[evolve]
sigma = [0.3, 1.0]
"""

GOOD = {
    "plain": BASE,
    "levels": '[landscape]\nsource = "ridge"\n[evolve]\nsigma = {first = 0.1, last = 1.0, count = 4}',
    "by axis": '[landscape]\nsource = "ridge"\n[evolve.sigma]\nx1 = [0.1, 0.2]\nx2 = 0.3',
    "one number": '[landscape]\nsource = "ridge"\n[evolve]\nsigma = 1',
    "none": BASE + '[storage]\nmode = "compact"\ntolerance = "none"',
    "compact": BASE + '[storage]\nmode = "compact"\ntolerance = 1e-8\ncompression = "gzip:3"',
    "solver": BASE + 'solver = "implicit"\nsolver_options = {steps = 7, step = "none"}',
    "automatic": BASE + 'tolerance = 1e-6\nprefer = "monotone"',
    "list of one": BASE.replace("size = 32", "size = 32\nstate = 1.5"),
    "dotted": BASE + '[sweep.product]\n"landscape.gamma" = [0.9, 0.99]\n"evolve.checks" = ["none", "full"]',
    "nested": BASE + "[sweep.product.landscape]\ngamma = [0.9, 0.99]",
    "deep": BASE + 'solver = "implicit"\n[sweep.product.evolve.solver_options]\nsteps = [3, 4]',
    "halfway": BASE + 'solver = "implicit"\n[sweep.product."evolve.solver_options"]\nsteps = [3, 4]',
    "through": BASE + 'solver = "implicit"\n[sweep.product]\n"evolve.solver_options.steps" = [3, 4]',
    "source is swept": '[evolve]\nsigma = 1.0\n[sweep.product]\n"landscape.source" = ["ridge", "cosine"]',
    "source is listed": '[evolve]\nsigma = 1.0\n[[task]]\n"landscape.source" = "ridge"\n[[task]]\n'
    'landscape = {source = "weierstrass", terms = 4}',
    "source is named and changed": '[landscape]\nsource = "ridge"\n[evolve]\nsigma = 1.0\n[[task]]\n'
    '"landscape.source" = "weierstrass"\n"landscape.terms" = 4',
    "solver is named and changed": BASE + 'solver = "direct"\nsolver_options = {steps = 3}\n[sweep.product]\n'
    '"evolve.solver" = ["implicit", "crank_nicolson"]',
    "sigma is swept": '[landscape]\nsource = "ridge"\n[sweep.zip]\n"evolve.sigma" = [0.1, [0.2, 0.3]]',
    "solver is swept": BASE + '[sweep.product]\n"evolve.solver" = ["direct", "spectral"]',
    "mode is swept": BASE + '[sweep.zip]\n"storage.mode" = ["compact", "compact"]\n"storage.tolerance" = [1e-6, 1e-8]',
    "file with a boundary for each axis": '[landscape]\nsource = "values.npy"\n'
    'boundary = {x1 = "clip", x2 = "reflect"}\n[evolve]\nsigma = 1.0',
    "file": '[landscape]\nsource = "values.npy"\nboundary = "clip"\n[evolve]\nsigma = 1.0',
    "environment": '[landscape]\nsource = "Pendulum-v1"\nhorizon = 20\nheld = [0]\n[evolve]\nsigma = 1.0\n'
    '[sweep.product]\n"landscape.state" = [0, 1]\n"landscape.components" = ["none", [0]]',
    "environment of a module of Gymnasium": '[landscape]\nsource = "gymnasium:Pendulum-v1"\n[evolve]\nsigma = 1.0',
    "environments are swept": '[evolve]\nsigma = 1.0\n[sweep.product]\n"landscape.source" = ["Pendulum-v1", "ridge"]',
    "draws": BASE + '[draws]\nerror = 0.05\nbeyond = "sampled"\n[sweep.product]\n"draws.seed" = [0, 1]',
    "draws are nested": BASE + "[draws]\ncount = 128\n[sweep.product.draws]\nseed = [0, 1]",
}

BAD = {
    "option of no landscape": BASE.replace("size", "sise"),
    "option of another landscape": BASE.replace("size = 32", "size = 32\nwavenumbers = [1.0]"),
    "option of another landscape in a sweep": BASE + '[sweep.product]\n"landscape.terms" = [1, 2]',
    "option of another landscape in a table": BASE + "[sweep.zip.landscape]\nterms = [1, 2]",
    "option of another landscape in a task": BASE + '[[task]]\n"landscape.terms" = 4',
    "landscape": BASE.replace("double_pendulum", "triple_pendulum"),
    "no source": "[landscape]\nsize = 32\n[evolve]\nsigma = 1.0",
    "no sigma": '[landscape]\nsource = "ridge"',
    "negative sigma": BASE.replace("0.3", "-0.3"),
    "no levels": BASE.replace("[0.3, 1.0]", "[]"),
    "twice": BASE.replace("[0.3, 1.0]", "[0.3, 0.3]"),
    "part of a range": BASE.replace("[0.3, 1.0]", "{first = 0.1, last = 1.0}"),
    "one level": BASE.replace("[0.3, 1.0]", "{first = 0.1, last = 1.0, count = 1}"),
    "word for a number": BASE.replace("32", '"many"'),
    "number for a word": BASE.replace("size = 32", "size = 32\nmodel = 3"),
    "true for a number": BASE.replace("32", "true"),
    "boundary": BASE.replace("size = 32", 'boundary = "klip"'),
    "solver": BASE + 'solver = "spektral"',
    "options without a solver": BASE + "solver_options = {steps = 7}",
    "options of another solver": BASE + 'solver = "direct"\nsolver_options = {poles = 3}',
    "tolerance of a named solver": BASE + 'solver = "direct"\ntolerance = 1e-6',
    "preference": BASE + 'prefer = "fast"',
    "preference of a named solver": BASE + 'solver = "direct"\nprefer = "monotone"',
    "tolerance": BASE + "tolerance = 0.1",
    "checks": BASE + 'checks = "some"',
    "storage": BASE + '[storage]\nmode = "small"',
    "compression": BASE + '[storage]\ncompression = "zip"',
    "tolerance of full storage": BASE + "[storage]\ntolerance = 1e-8",
    "no list": BASE + '[sweep.product]\n"landscape.gamma" = 0.9',
    "empty list": BASE + '[sweep.product]\n"landscape.gamma" = []',
    "bad value in a list": BASE + '[sweep.zip]\n"landscape.gamma" = [0.9, "high"]',
    "unknown key in a sweep": BASE + '[sweep.product]\n"evolve.sigmas" = [1.0]',
    "unknown sweep": BASE + "[sweep.sum]",
    "table": BASE + "[stroage]",
    "one task": BASE + '[task]\n"landscape.gamma" = 0.9',
    "name": BASE + "[batch]\nname = 3",
    "option of no environment": '[landscape]\nsource = "Pendulum-v1"\nwidth = 1.0\n[evolve]\nsigma = 1.0',
    "processes of an environment": '[landscape]\nsource = "Pendulum-v1"\nworkers = 2\n[evolve]\nsigma = 1.0',
    "no draws": BASE + "[draws]",
    "key of no draws": BASE + "[draws]\nerorr = 0.1",
    "too few draws": BASE + "[draws]\ncount = 1",
    "option of a file": '[landscape]\nsource = "values.npy"\nboundary = "clip"\nsize = 3\n[evolve]\nsigma = 1.0',
}


@pytest.fixture(scope="module")
def validator() -> Any:
    document = schema()
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(document)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    np.save(tmp_path / "values.npy", np.eye(8))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", sorted((ROOT / "data").glob("*.toml")), ids=lambda path: path.stem)
def test_the_samples_fit(path: Path, validator: Any) -> None:
    assert list(validator.iter_errors(tomllib.loads(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_what_heatpg_takes_fits(text: str, folder: Path, validator: Any) -> None:
    content = tomllib.loads(text)
    read_spec(content)
    assert [error.message for error in validator.iter_errors(content)] == []


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_what_heatpg_refuses_does_not_fit(text: str, folder: Path, validator: Any) -> None:
    content = tomllib.loads(text)
    with pytest.raises(SpecError):
        read_spec(content)
    assert not validator.is_valid(content)


def test_every_landscape_and_solver_with_its_defaults_fits(validator: Any) -> None:
    for name in landscapes.names():
        options = {
            key: "none" if p is None else list(p) if isinstance(p, tuple) else p
            for key, p in _defaults(landscapes.get(name)).items()
        }
        content = {"landscape": {"source": name, **options}, "evolve": {"sigma": 1.0}}
        assert [error.message for error in validator.iter_errors(content)] == [], name
        wrong = {"landscape": {"source": name, "nothing": 1}, "evolve": {"sigma": 1.0}}
        assert not validator.is_valid(wrong), name
    for name in solvers.names():
        options = {key: "none" if value is None else value for key, value in _defaults(solvers.get(name)).items()}
        evolve = {"sigma": 1.0, "solver": name, "solver_options": options}
        assert validator.is_valid({"landscape": {"source": "ridge"}, "evolve": evolve}), name


def _defaults(thing: Any) -> dict[str, Any]:
    from heatpg.tools.options import defaults

    return defaults(thing)


def test_names_are_those_that_are_registered() -> None:
    properties = schema()["properties"]
    known = properties["landscape"]["properties"]
    assert known["source"]["anyOf"][0]["enum"] == landscapes.names()
    word, table = known["boundary"]["anyOf"]
    assert word["enum"] == table["additionalProperties"]["enum"] == boundaries.names()
    assert properties["evolve"]["properties"]["solver"]["enum"] == ["auto", *solvers.names()]
    every = {key for name in landscapes.names() for key in settable(landscapes.get(name))}
    every |= set(options_of_task("Pendulum-v1", family_of("Pendulum-v1")))
    assert set(known) == every | {"source"} | set(FILE_OPTIONS)


def test_options_are_described() -> None:
    narrowed = next(
        entry["then"]["properties"]["landscape"]
        for entry in schema()["allOf"]
        if entry.get("if", {}).get("allOf", [{}])[0].get("properties", {}).get("landscape", {}).get("properties")
        == {"source": {"enum": ["double_pendulum"]}}
    )
    gamma = narrowed["properties"]["gamma"]
    assert gamma["type"] == "number"
    assert gamma["description"].endswith("Default: 0.99.")
    assert len(gamma["description"]) > len("Default: 0.99.")
    notes = parameter_notes(landscapes.get("double_pendulum"))
    assert set(settable(landscapes.get("double_pendulum"))) <= set(notes)


def test_the_command(folder: Path, capsys: Capture) -> None:
    assert main(["schema"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)["$schema"] == DIALECT
    assert main(["schema", "-o", "heatpg.schema.json"]) == 0
    out, err = capsys.readouterr()
    assert "#:schema ./heatpg.schema.json" in out and err == ""
    assert (folder / "heatpg.schema.json").read_text(encoding="utf-8") == printed.rstrip("\n")
    assert main(["schema", "-o", "heatpg.schema.json"]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["schema", "-o", "heatpg.schema.json", "--force", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["bytes"] == (folder / "heatpg.schema.json").stat().st_size
    assert main(["schema", "-o", "heatpg.txt"]) == 2
    assert "must end in .json" in capsys.readouterr().err
