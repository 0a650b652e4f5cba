"""heatpg batch on the command line: what is printed, and the exit codes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import h5py
import pytest

from heatpg.batch import Progress
from heatpg.cli import main
from heatpg.cli.batch import Meter

SPEC = """
[landscape]
source = "quadrotor"
size = 17
horizon = 0.5

[evolve]
sigma = [0.2, 0.4]
checks = "none"

[sweep.product]
"landscape.gamma" = [0.9, 0.99]
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def words(*more: object) -> list[str]:
    return ["batch", *map(str, more)]


def test_run_and_look(spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    assert main(words("run", spec, "--out", folder, "--workers", 0)) == 0
    told = capsys.readouterr()
    assert "done now      2\n" in told.out and "2 of 2 tasks" in told.err
    assert main(words("run", spec, "--out", folder, "--workers", 0, "--json")) == 0
    assert json.loads(capsys.readouterr().out)["skipped"] == 2
    assert main(words("status", folder, "--json")) == 0
    assert json.loads(capsys.readouterr().out)["done"] == 2
    assert main(words("verify", folder, "--full")) == 0
    assert "intact   2 (every byte verified)" in capsys.readouterr().out
    merged = tmp_path / "all.h5"
    assert main(words("merge", folder, "-o", merged)) == 0
    assert capsys.readouterr().out.splitlines() == [
        "2 of 2 tasks in groups/0",
        f'open with xarray.open_dataset("{merged}", group="groups/0")',
        str(merged),
    ]
    with h5py.File(merged) as file:
        assert file["groups/0/u"].shape == (2, 2, 17, 17)
    assert main(words("merge", folder, "-o", merged)) == 2  # it is there already
    assert "exists" in (said := capsys.readouterr().err) and "overwrite it with --force" in said
    assert main(words("merge", folder, "-o", merged, "--force", "--quiet")) == 0
    assert capsys.readouterr().out == f"{merged}\n"
    assert main(words("merge", folder, "-o", merged, "--force", "--json")) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["groups"], record["done"], record["tasks"]) == (1, 2, 2)
    assert main(words("merge", folder, "-o", tmp_path / "all.txt")) == 2
    assert "a known extension" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["show", "check", "view", "study"])
def test_a_merged_file_and_the_index_say_what_they_are(
    command: str, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words("run", spec, "--out", "out", "--workers", 0, "--quiet")) == 0
    assert main(words("merge", "out", "-o", "all.h5")) == 0
    advised = capsys.readouterr().out.splitlines()[-2].removeprefix("open with ")
    assert main([command, "all.h5"]) == 2
    said = capsys.readouterr().err
    assert "is a merged batch" in said and f"try: open it with {advised};" in said
    assert main([command, "out/index.h5"]) == 2
    assert "or a batch index" in capsys.readouterr().err


def test_a_merged_file_of_several_groups(spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec.write_text(SPEC.replace("size = 17\n", "") + '"landscape.size" = [9, 17]\n', encoding="utf-8")
    assert main(words("run", spec, "--out", tmp_path / "out", "--workers", 0, "--quiet")) == 0
    next((tmp_path / "out").glob("shards/*/*.h5")).unlink()
    capsys.readouterr()
    assert main(words("merge", tmp_path / "out", "-o", tmp_path / "all.h5")) == 2
    assert "1 of 4 tasks have no result" in capsys.readouterr().err and not (tmp_path / "all.h5").exists()
    assert main(words("merge", tmp_path / "out", "-o", tmp_path / "all.h5", "--partial")) == 0
    out, err = capsys.readouterr()
    assert out.startswith("3 of 4 tasks in groups/0 to groups/1, one per shape\n")
    assert "1 task without a result omitted" in err


def test_a_damaged_result_is_exit_code_3_and_made_anew(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    assert main(words("run", spec, "--out", folder, "--workers", 0, "--quiet")) == 0
    assert capsys.readouterr().out.strip() == str(folder)
    shard = next(folder.glob("shards/*/*.h5"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    assert main(words("verify", folder, "--full")) == 3
    assert "corrupt  1" in capsys.readouterr().out
    assert main(words("run", spec, "--out", folder, "--workers", 0, "--full")) == 0
    assert "1 repaired" in capsys.readouterr().out
    assert main(words("verify", folder, "--full")) == 0


def test_a_task_that_fails_is_exit_code_4(spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # 0.51 s are not a whole number of control steps, which only the landscape itself finds out
    spec.write_text(SPEC + '"landscape.horizon" = [0.5, 0.51]\n', encoding="utf-8")
    assert main(words("run", spec, "--out", tmp_path / "out", "--workers", 0)) == 4
    told = capsys.readouterr()
    assert "whole number of control steps" in told.out and "2 tasks failed" in told.err
    assert main(words("status", tmp_path / "out")) == 4


def test_a_dry_run_does_nothing(spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words("run", spec, "--out", tmp_path / "out", "--dry-run")) == 0
    assert "tasks     2" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    assert main(words("run", spec, "--dry-run", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["tasks"] == 2


@pytest.mark.parametrize(
    ("line", "match"),
    [
        (["run", "missing.toml"], "cannot read"),
        (["run", "SPEC", "--shard", "2/2"], "shard"),
        (["run", "SPEC", "--workers", "-1"], "workers"),
        (["run", "SPEC", "--measure"], "--dry-run"),
        (["status", "."], "batch"),
        (["verify", "nowhere"], "batch"),
        (["merge", "nowhere", "-o", "x.h5"], "batch"),
    ],
)
def test_bad_input(
    line: list[str],
    match: str,
    spec: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words(*(str(spec) if word == "SPEC" else word for word in line))) == 2
    assert match in capsys.readouterr().err


def test_a_key_that_is_not_known_is_reported_once(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec.write_text(SPEC.replace("gamma", "gama").replace("0.99]", "0.99, 0.999]") + 'storage.mode = ["ful", "fll"]\n')
    assert main(words("run", spec, "--out", tmp_path / "out")) == 2
    said = capsys.readouterr().err
    assert said.count("did you mean 'gamma'") == 1 and "has 3 problems" in said
    assert "'ful'" in said and "'fll'" in said


class Terminal:
    def __init__(self, *, terminal: bool) -> None:
        self.text = ""
        self.terminal = terminal

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return self.terminal


def test_the_meter_says_what_a_signal_has_begun(capsys: pytest.CaptureFixture[str]) -> None:
    for enabled in (True, False):
        meter = Meter(Terminal(terminal=True), enabled=enabled)  # type: ignore[arg-type]
        meter(Progress(1, 4, 0))
        meter(Progress(1, 4, 0, stopping=2))
        assert capsys.readouterr().err == (
            "heatpg: finishing 2 tasks, for a few seconds at most; press Ctrl-C again to stop now\n"
        )
    meter(Progress(1, 4, 0, stopping=1))
    assert "finishing 1 task," in capsys.readouterr().err


def test_the_meter_on_a_terminal_and_off_it() -> None:
    for terminal in (True, False):
        stream = Terminal(terminal=terminal)
        meter = Meter(stream, enabled=True)  # type: ignore[arg-type]
        meter(Progress(1, 4, 0))
        meter(Progress(2, 4, 1))  # too soon after the first
        meter(Progress(2, 4, 1, 2.0, 0.5))  # dropped as well: too soon
        meter.last = -math.inf
        meter(Progress(2, 4, 0, 2.0, 0.5))
        meter(Progress(3, 4, 1, 2.0, 0.0))
        meter.close()
        assert stream.text.count("\r") == (3 if terminal else 0)
        assert "2 of 4 tasks, 2 tasks a second, 0.5 s left" in stream.text
        # at the end the summary gives the elapsed time, with which a rate without the start would not agree
        assert "3 of 4 tasks, 1 failed" in stream.text and stream.text.count("a second") == 1
        assert stream.text.endswith("\n")


def test_a_batch_that_is_not_called_as_its_directory_says_where_it_is(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    told = "heatpg: note: batch 'horizons' uses the directory small;"
    spec.write_text('[batch]\nname = "horizons"\n' + SPEC, encoding="utf-8")
    assert main(words("run", "small.toml", "--dry-run")) == 0
    assert told in capsys.readouterr().err
    assert main(words("run", "small.toml", "--workers", 0)) == 0
    assert told in capsys.readouterr().err and (tmp_path / "small").is_dir()
    # what is guessed from the name is refused in one sentence
    (tmp_path / "horizons").mkdir()
    assert main(words("status", "horizons")) == 2
    assert "is not a batch directory (no spec.toml)" in capsys.readouterr().err
    # of one name nothing is said
    assert main(words("run", "small.toml", "--dry-run", "--out", "horizons")) == 0
    assert "note" not in capsys.readouterr().err
