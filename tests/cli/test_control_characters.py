"""Nothing that a terminal, a browser or a viewer of figures would obey leaves heatpg, whoever has named things so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, batch, evolve
from heatpg.cli import main
from heatpg.tools.lines import one_line, visible

# ESC, BEL, CR, backspace, DEL, CSI of one byte, right-to-left override and isolate, line separator, a zero byte apart
BAD = "\x1b]0;owned\x07\r\x08\x7f\x9b31m\u202e\u2066\u2028"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    grid = Grid(
        Axis("x", -1.0, 1.0, 33, boundary="clip", unit=f"N{BAD}"),
        Axis("y", -1.0, 1.0, 33, boundary="reflect", unit=f"N{BAD}"),
    )
    x, y = grid.mesh()
    q = Landscape(np.cos(3 * x) + np.sin(2 * y) + 0.3 * np.exp(-((x - 0.5) ** 2) / 0.02), grid, f"hill{BAD}\nowned")
    q = Landscape(q.values, grid, q.name, {"made by": BAD})
    flow = evolve(q, [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    flow.reason = f"because{BAD}"
    path = tmp_path_factory.mktemp("planted") / "planted.h5"
    flow.save(path)
    return path


def texts(path: Path) -> str:
    """What a viewer of the file reads as text."""
    content = path.read_bytes()
    return content.decode("latin-1" if path.suffix == ".pdf" else "utf-8", errors="replace")


COMMANDS = [
    "check FILE",
    "check FILE --json",
    "check FILE --untrusted",
    "check FILE --untrusted --json",
    "study FILE",
    "study FILE --json",
    "study FILE --figure OUT/study.svg",
    "show FILE --figure OUT/summary.svg",
    "show FILE --figure OUT/summary.pdf",
    "show FILE --figure OUT/frames.gif",
    "show FILE --figure OUT/frames.html",
    "view FILE --out OUT/page.html",
    "run FILE --sigma 0.1 --out OUT/again.h5",
    "run FILE --sigma 0.1 --out OUT/again.h5 --json",
    "run FILE --sigma BAD=0.1",
    "run BAD",
    "run OUT/BAD.h5",
    "run BAD.npy --boundary clip",
    "run ridge --set BAD=1",
    "run ridge --solver BAD",
    "run ridge --solver-option BAD",
    "run ridge --boundary BAD",
    "run ridge --sigma BAD",
    "list BAD",
    "list",
    "claims BAD",
    "BAD",
    "check --BAD",
    "check OUT/BAD.h5",
    "batch status OUT/BAD",
    "batch run OUT/BAD.toml",
    "batch run OUT/bad.toml",
    "schema",
]


def clean(text: str) -> bool:
    found = OBEYED.search(text)
    assert found is None, repr(text[max(0, found.start() - 60) : found.end() + 20])
    return True


@pytest.mark.filterwarnings("ignore::UserWarning")  # of matplotlib, for letters that no font has
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_prints_or_draws_them(
    command: str, file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.toml").write_text(f'[landscape]\nsource = "{BAD!r}"\n"k\\u001b" = "\\u001b"\n', encoding="utf-8")
    places = {"FILE": str(file), "OUT": str(tmp_path), "BAD": BAD}
    words = shlex.split(command)
    for mark, place in places.items():
        words = [word.replace(mark, place) for word in words]
    if "--figure" in words and "study" not in words:
        words[words.index("--figure")] = "--out"
    code = main(words)
    out, err = capfd.readouterr()
    assert clean(out) and clean(err)
    assert (out or err) and code in ((0, 3) if "FILE" in command and "BAD" not in command else (0, 2))
    # a line end in a name would begin a line that passes for one of ours
    if "study" not in command:
        assert not re.search("^owned", out + err, flags=re.MULTILINE)
    for path in tmp_path.glob("*.*"):
        if path.suffix in (".svg", ".html"):
            clean(texts(path))
        elif path.suffix == ".pdf":
            assert BAD[:3].encode() not in path.read_bytes() and BAD[:3].encode("utf-16-be") not in path.read_bytes()


def test_reasons_of_a_batch(file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A landscape of a file whose axes are named so; its tasks fail, and their reasons quote the names."""
    copy = tmp_path / "planted.h5"
    copy.write_bytes(file.read_bytes())
    spec = {
        "landscape": {"source": str(copy)},
        "evolve": {"sigma": [0.1, 0.2]},
        "sweep": {"zip": {"evolve.solver": ["direct", "explicit"], "evolve.solver_options": [{}, {"step": 100.0}]}},
    }
    batch.run(spec, tmp_path / "out", workers=0)
    for words in (["run", "out"], ["status", "out"], ["verify", "out", "--full"], ["merge", "out", "--out", "all.h5"]):
        words = [str(tmp_path / word) if word in ("out", "all.h5") else word for word in words]
        main(["batch", *words])
        out, err = capfd.readouterr()
        assert clean(out) and clean(err) and out + err


def test_what_stays(capsys: pytest.CaptureFixture[str]) -> None:
    text = "σ = 0.1 – «größer»\u00a0\u2009mm², 数\n\tx"
    assert visible(text) == text and one_line(text) == text.replace("\n", "\\n").replace("\t", "\\t")
    assert visible("a\ud800b\x1b") == "a\\ud800b\\x1b"
