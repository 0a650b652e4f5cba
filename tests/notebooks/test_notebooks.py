"""The notebooks: source and stored copy in step, the copy clean, and every one of them run in a fresh kernel."""

from __future__ import annotations

import importlib.util
import json
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

jupytext = pytest.importorskip("jupytext", reason="the notebooks need the extra dev")
pytest.importorskip("nbclient", reason="the notebooks need the extra dev")
pytest.importorskip("ipykernel", reason="the notebooks need the extra dev")

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "notebooks").glob("[0-9]*.py"))
NEEDS = {"7_your_own_environment": ("gymnasium", "mujoco"), "9_a_trained_policy": ("gymnasium",)}
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
ROUND_OFF = 1e-9  # numbers below are what is left of a difference
SECONDS = 3600  # for all of them, where kernels are compiled first and others work as well

each = pytest.mark.parametrize("source", SOURCES, ids=[source.stem for source in SOURCES])


def joined(text: str | list[str]) -> str:
    """Text of a notebook file, which is one string or one a line."""
    return text if isinstance(text, str) else "".join(text)


def stored(source: Path, folder: Path | None = None) -> dict[str, Any]:
    """The copy with outputs."""
    notebook: dict[str, Any] = json.loads(((folder or source.parent) / f"{source.stem}.ipynb").read_text("utf-8"))
    return notebook


def outputs(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All outputs of a notebook."""
    for cell in notebook["cells"]:
        yield from cell.get("outputs", [])


def shown(notebook: dict[str, Any]) -> list[str]:
    """What every cell prints and what kinds of pictures it shows; not of cells that are marked to vary."""
    texts = []
    for cell in notebook["cells"]:
        if "varies" in cell["metadata"].get("tags", []):
            continue
        parts = [joined(output["text"]) for output in cell.get("outputs", []) if output["output_type"] == "stream"]
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            # a picture is described by its size in inches, and a page by nothing that two runs share
            parts += ["<picture>" if "image/png" in data else joined(data.get("text/plain", ""))] if data else []
        texts.append("".join(parts))
    return texts


def unit(number: str) -> float:
    """One in the last place of a number as it is written."""
    digits, _, exponent = number.partition("e")
    return 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))


def alike(one: str, other: str) -> bool:
    """The same words, and the same numbers to one in the last place: libraries of other versions round otherwise."""
    numbers = [NUMBER.findall(text) for text in (one, other)]
    if NUMBER.sub("#", one) != NUMBER.sub("#", other) or len(numbers[0]) != len(numbers[1]):
        return False
    for first, second in zip(*numbers, strict=True):
        a, b = float(first), float(second)
        if max(abs(a), abs(b)) > ROUND_OFF and abs(a - b) > 1.001 * max(unit(first), unit(second)):
            return False
    return True


@pytest.fixture(scope="module")
def runs(request, tmp_path_factory) -> tuple[Path, str]:
    """The folder with fresh copies of the notebooks that were asked for, run two at a time, and what went wrong."""
    folder = tmp_path_factory.mktemp("notebooks")
    wanted = [
        item.callspec.params["source"]
        for item in request.session.items
        if item.path == Path(__file__) and item.originalname == "test_runs_and_shows_what_is_stored"
    ]
    names = [source.stem for source in wanted if not missing(source)]
    run = subprocess.run(
        [sys.executable, "-m", "notebooks", *names, "--into", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return folder, run.stderr


def missing(source: Path) -> list[str]:
    """Optional packages that a notebook needs and that are not installed."""
    return [name for name in NEEDS.get(source.stem, ()) if not importlib.util.find_spec(name)]


def test_there_are_nine():
    assert [source.stem[0] for source in SOURCES] == list("123456789")
    assert {path.stem for path in SOURCES[0].parent.glob("*.ipynb")} == {source.stem for source in SOURCES}


@each
def test_source_and_copy_are_in_step(source):
    wanted = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent").cells
    found = stored(source)["cells"]
    assert [(cell.cell_type, cell.source) for cell in wanted] == [
        (cell["cell_type"], joined(cell["source"])) for cell in found
    ], f"run: python -m notebooks {source.stem}"
    assert [cell.metadata.get("tags", []) for cell in wanted] == [cell["metadata"].get("tags", []) for cell in found]


@each
def test_copy_is_clean(source):
    notebook = stored(source)
    kinds = [kind for output in outputs(notebook) for kind in output.get("data", {})]
    assert "image/png" in kinds
    assert not [output for output in outputs(notebook) if output["output_type"] == "error"]
    assert not [output for output in outputs(notebook) if output.get("name") == "stderr"]
    assert not [output for output in outputs(notebook) if output.get("metadata")]
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert all(set(cell["metadata"]) <= {"tags"} for cell in notebook["cells"])
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert set(notebook["metadata"]) == {"jupytext", "kernelspec", "language_info"}


@each
def test_copy_names_no_machine(source):
    # pictures within pages are letters at random
    text = "\n".join(
        re.sub(r"base64,[A-Za-z0-9+/=\s]*", "", joined(part))
        for output in outputs(stored(source))
        for part in [output.get("text", ""), *(v for k, v in output.get("data", {}).items() if k != "image/png")]
    )
    forbidden = {str(ROOT), str(Path.home()), tempfile.gettempdir(), "/tmp/", "/home/", "/Users/", "\\Users\\"}
    found = [place for place in forbidden if len(place) > 1 and place in text]
    assert not found
    assert not re.search(rf"\b{re.escape(socket.gethostname())}\b", text)


def test_copies_are_small():
    sizes = {source.stem: source.with_suffix(".ipynb").stat().st_size for source in SOURCES}
    assert max(sizes.values()) < 900_000, sizes  # every colour of a map is kept
    assert sum(sizes.values()) < 3_200_000, sizes


@each
def test_runs_and_shows_what_is_stored(source, runs):
    if missing(source):
        pytest.skip(f"not installed: {', '.join(missing(source))}")
    folder, errors = runs
    assert (folder / f"{source.stem}.ipynb").exists(), errors[-8000:]
    kept, fresh = (shown(stored(source, where)) for where in (source.parent, folder))
    assert len(kept) == len(fresh)
    for one, other in zip(kept, fresh, strict=True):
        assert alike(one, other), f"stored:\n{one}\nfresh:\n{other}"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("σ = 0.156 N", "σ = 0.157 N", True),
        ("σ = 0.156 N", "σ = 0.158 N", False),
        ("1.53e+05", "1.54e+05", True),
        ("1.53e+05", "1.53e+04", False),
        ("error 2e-14", "error 7e-16", True),
        ("error 2e-14", "error 7e-06", False),
        ("5 of 6 starts", "5 of 6 stars", False),
        ("1 2", "1 2 3", False),
    ],
)
def test_what_counts_as_the_same(one, other, same):
    assert alike(one, other) is same


PROGRAM = """
import pathlib, sys
from notebooks import __main__ as program
program.FOLDER = pathlib.Path(sys.argv[1])
sys.exit(program.main(["--into", sys.argv[1]]))
"""


def test_what_fails_is_not_stored(tmp_path):
    cells = {
        "1_warns": "import sys\nprint('a warning', file=sys.stderr)",
        "2_fails": "assert 1 + 1 == 3",
        "3_passes": "print('heard')\nprint(__import__('os').getcwd())",
    }
    for name, cell in cells.items():
        (tmp_path / f"{name}.py").write_text(f"# %%\n{cell}\n", encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS
    )
    assert run.returncode == 1
    assert "1_warns, cell-01 wrote to stderr:\na warning" in run.stderr
    assert "2_fails.py failed" in run.stderr and "AssertionError" in run.stderr
    assert [path.stem for path in tmp_path.glob("*.ipynb")] == ["3_passes"]
    assert shown(stored(tmp_path / "3_passes.py")) == [f"heard\n{tmp_path}\n"]


def test_an_unknown_name_is_refused():
    command = [sys.executable, "-m", "notebooks", "0"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert run.returncode == 1
    assert "there is no notebook '0'; there are: 1_mollification, 2_choosing_a_solver" in run.stderr
