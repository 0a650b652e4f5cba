"""Completion of the command line: the scripts agree with the parser, and the shells do what their scripts say."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from heatpg import cli
from heatpg.claims import claims
from heatpg.cli import main
from heatpg.cli.completion import SHELLS, script
from heatpg.landscapes import landscapes
from heatpg.plot import figures
from heatpg.solvers import solvers
from heatpg.tools.options import settable

Capture = pytest.CaptureFixture[str]
BASH, ZSH, FISH = map(shutil.which, SHELLS)
needs_bash = pytest.mark.skipif(BASH is None, reason="bash is not installed")
needs_zsh = pytest.mark.skipif(ZSH is None, reason="zsh is not installed")
needs_fish = pytest.mark.skipif(FISH is None, reason="fish is not installed")

# Calls the function as bash does, and prints what it offers, one a line.
CALL = """
source {script}
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_heatpg
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


# Prints what zsh would show for each line, in a terminal of its own, because completion works in its editor only.
CAPTURE = r"""
zmodload zsh/zpty
export TERM=dumb
zpty shell zsh -f -i
zpty -w shell 'source setup.zsh; print REA""DY'
zpty -r shell seen '*READY*'
while IFS= read -r line; do
    : > hits
    zpty -n -w shell "$line"$'\C-T'
    for i in {1..1200}; do
        grep -q END hits && break
        sleep 0.05
        zpty -rt shell seen
    done
    print -r -- "## $line"
    grep -v END hits | sort -u
done < lines
zpty -d shell
"""
SETUP = r"""
PROMPT=
autoload -Uz compinit && compinit -u -D
source {script}
compadd() {{
    if [[ ${{@[1,(i)(-|--)]}} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
    typeset -a found
    builtin compadd -A found "$@"
    (( ${{#found}} )) && print -rl -- $found >> {here}/hits
    builtin compadd "$@"
}}
finish() {{ zle list-choices; print END >> {here}/hits; zle kill-whole-line }}
zle -N finish
bindkey '^T' finish
cd {folder}
"""

# What every shell offers; the lines as they are typed.
EVERYWHERE = [
    ("heatpg stu", ["study"]),
    ("heatpg batch ", ["merge", "run", "status", "verify"]),
    ("heatpg batch run d.toml --dry", ["--dry-run"]),
    ("heatpg list so", ["solvers"]),
    ("heatpg run --solv", ["--solver", "--solver-option"]),
    ("heatpg run ridge --solver sp", ["spectral"]),
    ("heatpg run ridge --solver=sp", ["spectral"]),
    ("heatpg run --checks ", ["full", "none", "standard"]),
    ("heatpg run --boundary cl", ["clip"]),
    ("heatpg run --compression gzip:9", ["gzip:9"]),
    ("heatpg run ridge --set wi", ["width="]),
    ("heatpg run ridge --set=wi", ["width="]),
    ("heatpg run --sigma 0.1 ridge --set wi", ["width="]),
    ("heatpg run cosine --set wav", ["wavenumbers="]),
    ("heatpg run ridge --solver rational --solver-option p", ["poles="]),
    ("heatpg run ridge --solver=rational --solver-option p", ["poles="]),
    ("heatpg run ridge --sigma ", []),
    ("heatpg run rid", ["ridge"]),
    ("heatpg run b.", ["b.npy"]),
    ("heatpg claims sturm uncertainty-p", ["uncertainty-product"]),
    ("heatpg claims sturm --det", ["--details"]),
    ("heatpg batch status r", ["results"]),
    ("heatpg batch run d", ["d.toml"]),
    ("heatpg nothing ", []),
]


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and those below it, read here once more."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


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
        timeout=600,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return sorted(filter(None, done.stdout.split("\n")))


@needs_bash
def test_the_parser_is_read_whole(bash_script: Path, folder: Path) -> None:
    def after(line: str) -> list[str]:
        return offered(bash_script, folder, line.split(" "))

    assert {"run", "batch", "doctor", "schema", "completion"} <= set(after("heatpg "))
    assert "run" in after("heatpg batch ")
    assert {"-h", "--help", "--json", "--quiet", "--sigma", "--solver", "--force"} <= set(after("heatpg run -"))
    files = {"a.h5", "b.npy", "results", "two words.h5"}
    assert set(after("heatpg run ")) == {*landscapes.names(), *files}
    assert after("heatpg run --force ") == after("heatpg run ")
    assert after("heatpg run --sigma ") == []
    assert after("heatpg run --solver ") == sorted(["auto", *solvers.names()])
    assert after("heatpg bench --solver ") == sorted(solvers.names())
    assert after("heatpg run --checks ") == sorted(["none", "standard", "full"])
    assert after("heatpg run ridge --set ") == sorted(f"{key}=" for key in settable(landscapes.get("ridge")))
    assert after("heatpg show --kind ") == sorted(figures.names())
    assert after("heatpg batch status ") == ["results"]
    assert after("heatpg list ") == sorted(["solvers", "landscapes", "boundaries", "figures", "formats", "claims"])
    # what can be given again is offered again
    text = script("zsh", cli.commands().parser)
    assert '"*--sigma=[' in text and '"--solver=[' in text and '"--force[' in text


@pytest.mark.parametrize("shell", SHELLS)
def test_every_word_of_the_parser_is_in_the_script(shell: str) -> None:
    parser = cli.commands().parser
    text = script(shell, parser)
    for below in parsers(parser):
        for action in below._actions:
            if isinstance(action, argparse._SubParsersAction):
                for name in action.choices:
                    assert re.search(rf"\b{name}\b", text), (shell, name)
            # a second spelling that no help shows is completed nowhere either
            for option in [] if action.help == argparse.SUPPRESS else action.option_strings:
                word = re.sub("^--?", "-[ls] ", option) if shell == "fish" else re.escape(option)
                assert re.search(rf"{word}\b", text), (shell, option)
    for name in [*landscapes.names(), *solvers.names()]:
        assert re.search(rf"\b{name}\b", text), (shell, name)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_parser_is_left_as_it_is(shell: str) -> None:
    parser = cli.commands().parser
    before = [below.format_help() for below in parsers(parser)]
    script(shell, parser)
    assert [below.format_help() for below in parsers(parser)] == before
    assert parser.parse_args(["run", "my_plugin", "--solver", "mine"]).source == "my_plugin"


@pytest.mark.parametrize("shell", SHELLS)
def test_quotes_and_brackets_are_balanced(shell: str) -> None:
    """A crude look, where the shell itself is not there to read the script."""
    text = script(shell, cli.commands().parser)
    if shell == "zsh":  # all of it is one word for eval
        text = text.partition("\neval '")[2].rpartition("'\nif [")[0].replace("'\\''", "'")
        assert "_shtab_heatpg" in text
    text = re.sub(r"\\.", "", text.replace("'\\''", "").replace("'\"'\"'", ""))
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
    done = subprocess.run([program, "-n", str(path)], capture_output=True, text=True, check=False, timeout=600)
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
        ("heatpg show a.h5 --figure ", ["c.png", "f.gif", "results"]),
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
def test_bash_offers_every_claim_in_every_place(bash_script: Path, folder: Path) -> None:
    known = claims.names()
    assert offered(bash_script, folder, ["heatpg", "claims", ""]) == sorted(known)
    assert offered(bash_script, folder, ["heatpg", "claims", known[0], known[1][:-1]]) == sorted(
        word for word in known if word.startswith(known[1][:-1])
    )


@needs_bash
def test_bash_replaces_only_the_last_piece(bash_script: Path, folder: Path) -> None:
    assert offered(bash_script, folder, ["heatpg", "run", "--solver", "=", "expon"]) == ["exponential"]
    assert offered(bash_script, folder, ["heatpg", "run", "--compression", "gzip:"]) == [str(i) for i in range(1, 10)]


@pytest.fixture(scope="module")
def zsh_offers(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> dict[str, list[str]]:
    """What zsh offers for each line; once for all, because a terminal takes its time."""
    here = tmp_path_factory.mktemp("zsh")
    (here / "_heatpg").write_text(script("zsh", cli.commands().parser), encoding="utf-8")
    (here / "lines").write_text("".join(f"{line}\n" for line, _ in EVERYWHERE), encoding="utf-8")
    (here / "setup.zsh").write_text(SETUP.format(script=here / "_heatpg", here=here, folder=folder), encoding="utf-8")
    done = subprocess.run(
        [str(ZSH), "-f", "-c", CAPTURE], cwd=here, capture_output=True, text=True, check=False, timeout=600
    )
    assert (done.returncode, done.stderr) == (0, "")
    answers = done.stdout.split("## ")[1:]
    return {line: sorted(words) for line, *words in (answer.rstrip("\n").split("\n") for answer in answers)}


@needs_zsh
@pytest.mark.parametrize(("line", "expected"), EVERYWHERE)
def test_zsh_offers(line: str, expected: list[str], zsh_offers: dict[str, list[str]]) -> None:
    assert zsh_offers[line] == expected


@needs_zsh
def test_zsh_finds_it_among_its_functions(tmp_path: Path) -> None:
    """As the file _heatpg in $fpath it is read at the first completion, and completes at once."""
    (tmp_path / "_heatpg").write_text(script("zsh", cli.commands().parser), encoding="utf-8")
    code = f"fpath=({tmp_path} $fpath); autoload -Uz compinit && compinit -u -D; print $_comps[heatpg]"
    done = subprocess.run([str(ZSH), "-f", "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("_heatpg\n", "")
    code = "compdef() { print -r -- $1 $3 }; _shtab_heatpg() { return 0 }; source ./_heatpg"
    done = subprocess.run(
        [str(ZSH), "-f", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("_shtab_heatpg heatpg\n", "")


@needs_fish
@pytest.mark.parametrize(("line", "expected"), EVERYWHERE)
def test_fish_offers(line: str, expected: list[str], fish_offers: dict[str, list[str]]) -> None:
    given = line.split(" ")[-1].rpartition("=")[0]
    words = [word.removeprefix(f"{given}=") if given else word for word in fish_offers[line]]
    # after the files with the right ending fish names the others
    assert sorted(word.rstrip("/") for word in words) == expected


@pytest.fixture(scope="module")
def fish_offers(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> dict[str, list[str]]:
    path = tmp_path_factory.mktemp("fish") / "heatpg.fish"
    path.write_text(script("fish", cli.commands().parser), encoding="utf-8")
    asked = "\n".join(f"echo '## {line}'; complete -C '{line}'" for line, _ in EVERYWHERE)
    done = subprocess.run(
        [str(FISH), "--no-config", "-c", f"source {path}\n{asked}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert (done.returncode, done.stderr) == (0, "")
    answers = done.stdout.split("## ")[1:]
    lines = [answer.rstrip("\n").split("\n") for answer in answers]
    return {line: sorted({word.split("\t")[0] for word in words}) for line, *words in lines}


def test_the_command(capsys: Capture) -> None:
    assert main(["completion", "fish"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("# fish completion for heatpg") and err == ""
    assert main(["completion", "bash", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["script"].startswith("# bash")
    assert main(["completion", "csh"]) == 2
    assert "expected: bash" in capsys.readouterr().err
