"""Completion of the command line: the scripts agree with the parser, and bash does what its script says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from heatpg import cli
from heatpg.cli import main
from heatpg.cli.completion import SHELLS, Command, read_parser, script
from heatpg.landscapes import landscapes
from heatpg.solvers import solvers
from heatpg.tools.options import settable

Capture = pytest.CaptureFixture[str]
BASH = shutil.which("bash")
needs_bash = pytest.mark.skipif(BASH is None, reason="bash is not installed")

# Calls the function as bash does, and prints what it offers, one a line.
CALL = """
source {script}
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_heatpg
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(scope="module")
def commands() -> list[Command]:
    return read_parser(cli.commands().parser)


@pytest.fixture(scope="module")
def bash_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "heatpg.bash"
    path.write_text(script("bash", cli.commands().parser), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for name in ("a.h5", "b.npy", "c.png", "two words.h5", "d.toml", "f.gif", "results/e.h5"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return folder


def offered(bash_script: Path, folder: Path, words: Sequence[str]) -> list[str]:
    quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
    done = subprocess.run(
        [str(BASH), "--norc", "--noprofile", "-c", CALL.format(script=bash_script, words=quoted)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return sorted(filter(None, done.stdout.split("\n")))


def test_the_parser_is_read_whole(commands: list[Command]) -> None:
    found = {command.words: command for command in commands}
    assert {"", "run", "batch", "batch run", "doctor", "schema", "completion"} <= set(found)
    run = {option: argument for argument in found["run"].options for option in argument.options}
    assert {"-h", "--help", "--json", "--quiet", "--sigma", "--solver", "--force"} <= set(run)
    assert not run["--force"].value and run["--sigma"].value and run["--sigma"].repeats
    assert run["--solver"].words == ("auto", *solvers.names())
    assert run["--checks"].words == ("none", "standard", "full")
    assert dict(run["--set"].keys)["ridge"] == tuple(settable(landscapes.get("ridge")))
    assert found["run"].places[0].words == tuple(landscapes.names())
    assert found["run"].places[0].endings == ("h5", "hdf5", "nc", "npy", "npz")
    assert found["batch status"].places[0].folders
    assert found["claims"].places[0].repeats and found["claims"].places[0].words
    assert found["list"].places[0].words == ("solvers", "landscapes", "boundaries", "figures")


@pytest.mark.parametrize("shell", SHELLS)
def test_every_word_of_the_parser_is_in_the_script(shell: str, commands: list[Command]) -> None:
    text = script(shell, cli.commands().parser)
    for command in commands:
        for name, _ in command.commands:
            assert re.search(rf"\b{name}\b", text), (shell, name)
        for argument in command.options:
            for option in argument.options:
                word = re.sub("^--?", "-[ls] ", option) if shell == "fish" else re.escape(option)
                assert re.search(rf"{word}\b", text), (shell, option)
    for name in [*landscapes.names(), *solvers.names()]:
        assert re.search(rf"\b{name}\b", text), (shell, name)


@pytest.mark.parametrize("shell", SHELLS)
def test_quotes_and_brackets_are_balanced(shell: str) -> None:
    """A crude look, where the shell itself is not there to read the script."""
    text = script(shell, cli.commands().parser)
    text = re.sub(r"\\.", "", text) if shell == "fish" else text.replace("'\\''", "").replace("\\\n", " ")
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    assert code.count("'") % 2 == 0
    bare = re.sub(r"'[^']*'", "", code)
    assert bare.count("{") == bare.count("}")
    assert bare.count('"') % 2 == 0


@pytest.mark.parametrize("shell", SHELLS)
def test_shells_that_are_installed_can_read_it(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / "script"
    path.write_text(script(shell, cli.commands().parser), encoding="utf-8")
    done = subprocess.run([program, "-n", str(path)], capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


@needs_bash
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("heatpg stu", ["study"]),
        ("heatpg batch ", ["merge", "run", "status", "verify"]),
        ("heatpg list so", ["solvers"]),
        ("heatpg list solvers ", []),
        ("heatpg completion z", ["zsh"]),
        ("heatpg run --solv", ["--solver", "--solver-option"]),
        ("heatpg run ridge --solver sp", ["spectral"]),
        ("heatpg run ridge --solver = sp", ["spectral"]),
        ("heatpg run --checks ", ["full", "none", "standard"]),
        ("heatpg run --storage compact r", ["ramp", "results", "ridge"]),
        ("heatpg run --force r", ["ramp", "results", "ridge"]),
        ("heatpg run --boundary cl", ["clip"]),
        ("heatpg run --compression gzip : 9", ["9"]),
        ("heatpg run ridge --set w", ["width="]),
        ("heatpg run --sigma 0.1 ridge --set w", ["width="]),
        ("heatpg run ridge --set width=0.3 --set b", ["boundary="]),
        ("heatpg run cosine --set w", ["wavenumbers="]),
        ("heatpg run ridge --solver rational --solver-option p", ["poles="]),
        ("heatpg run ridge --solver = rational --solver-option p", ["poles="]),
        ("heatpg run ridge --sigma ", []),
        ("heatpg run b.", ["b.npy"]),
        ("heatpg check ", ["a.h5", "results", "two words.h5"]),
        ("heatpg check results/", ["results/e.h5"]),
        ("heatpg check --untrusted a", ["a.h5"]),
        ("heatpg run ridge --set = w", ["width="]),
        ("heatpg show a.h5 -o ", ["c.png", "f.gif", "results"]),
        ("heatpg run ridge --figure ", ["c.png", "results"]),
        ("heatpg batch run ", ["d.toml", "results"]),
        ("heatpg batch run d.toml --dry", ["--dry-run"]),
        ("heatpg batch status ", ["results"]),
        ("heatpg batch merge results -o ", ["a.h5", "results", "two words.h5"]),
        ("heatpg nothing ", []),
    ],
)
def test_bash_offers(line: str, expected: list[str], bash_script: Path, folder: Path) -> None:
    assert offered(bash_script, folder, line.split(" ")) == expected


@needs_bash
def test_bash_offers_every_claim_in_every_place(bash_script: Path, folder: Path, commands: list[Command]) -> None:
    known = next(command for command in commands if command.words == "claims").places[0].words
    assert offered(bash_script, folder, ["heatpg", "claims", ""]) == sorted(known)
    assert offered(bash_script, folder, ["heatpg", "claims", known[0], known[1][:-1]]) == sorted(
        word for word in known if word.startswith(known[1][:-1])
    )


@needs_bash
def test_bash_replaces_only_the_last_piece(bash_script: Path, folder: Path) -> None:
    assert offered(bash_script, folder, ["heatpg", "run", "--solver", "=", "expon"]) == ["exponential"]
    assert offered(bash_script, folder, ["heatpg", "run", "--compression", "gzip:"]) == [str(i) for i in range(1, 10)]


def test_the_command(capsys: Capture) -> None:
    assert main(["completion", "fish"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("# fish completion for heatpg") and err == ""
    assert main(["completion", "bash", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["script"].startswith("# bash")
    assert main(["completion", "csh"]) == 2
    assert "allowed: bash" in capsys.readouterr().err
