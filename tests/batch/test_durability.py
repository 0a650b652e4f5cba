"""Kill -9 at any time loses no finished solve: the small numbers of what `kill.py` does by hand with large ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from heatpg.batch import run, status, verify
from heatpg.batch.shards import temporaries

ROOT = Path(__file__).resolve().parents[2]
KILL = Path(__file__).with_name("kill.py")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(KILL), *words, "--folder", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"HEATPG_THREADS": "1"},
    )


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, complaints = process.communicate(timeout=900)
    assert out, complaints
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    print(found)
    assert found["faults"] == [] and process.returncode == 0, complaints
    return found


def test_two_hundred_kills_at_random_times(tmp_path: Path) -> None:
    """Whole process groups, with none, one or two workers; each batch is resumed, and killed, until it is complete."""
    lanes = [start(tmp_path, "random", "--kills", "100", "--seed", seed) for seed in "12"]
    found = [result(lane) for lane in lanes]
    assert sum(one["kills"] for one in found) == 200
    assert sum(one["acknowledged"] for one in found) >= 300


def test_a_death_after_every_system_call(tmp_path: Path) -> None:
    """Folder, temporary file, two writes, fsync, name, fsync of the folder, journal: whole and torn, 2 x 23 deaths."""
    assert result(start(tmp_path, "steps"))["steps"] >= 40


def test_a_thousand_tasks_and_a_hundred_deaths(tmp_path: Path) -> None:
    found = result(start(tmp_path, "deaths", "--tasks", "1000"))
    assert found["deaths"] >= 80


def test_runs_with_workers_of_their_own_are_killed_as_well(tmp_path: Path) -> None:
    """As users have them: spawned, not forked. Killed in the middle, and once more while it resumes."""
    folder = tmp_path / "batch"
    script = textwrap.dedent(
        """
        import os, signal, sys
        from heatpg.batch.running import run

        def tell(progress):
            if progress.task:
                print(progress.task, flush=True)
                if progress.done % 8 == 0:
                    os.killpg(0, signal.SIGKILL)

        run(SPEC, sys.argv[1], workers=2, progress=tell)
        """
    ).replace("SPEC", repr(spec := specification(20)))
    told: list[str] = []
    for _ in range(2):
        process = subprocess.run(
            [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, start_new_session=True
        )
        assert process.returncode == -9, process.stderr
        told += process.stdout.split()
    state = status(folder)
    # what was on the disk and not told yet is kept, and not told again
    assert state.done >= 16 and state.done >= len(told) == len(set(told)) >= 9 and state.running == ()
    before = state.done
    summary = run(spec, folder, workers=0)
    assert (summary.done, summary.skipped) == (20 - before, before)
    assert verify(folder, full=True).sound == 20 and temporaries(folder) == []


def test_two_runs_of_one_batch_at_once(tmp_path: Path) -> None:
    """One works, the other is refused, whichever it is; together they do everything once."""
    script = textwrap.dedent(
        """
        import sys
        from heatpg.batch.running import run
        from heatpg.errors import StoreError
        try:
            print("done", run(SPEC, sys.argv[1], workers=0).done)
        except StoreError as reason:
            print("refused", reason)
        """
    ).replace("SPEC", repr(specification(100)))
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "b")], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = sorted(process.communicate(timeout=900)[0].strip() for process in processes)
    if said[1].startswith("refused"):
        assert said[0] == "done 100" and "held by process" in said[1]
    else:  # the second began when the first had ended
        assert said == ["done 0", "done 100"]
    assert verify(tmp_path / "b", full=True).sound == 100


def test_shares_at_once(tmp_path: Path) -> None:
    """As an array of jobs: four processes, one folder, no scheduler."""
    script = "import sys; from heatpg.batch.running import run; "
    script += f"print(run({specification(40)!r}, sys.argv[1], workers=0, shard=sys.argv[2]).done)"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "b"), f"{i}/4"], stdout=subprocess.PIPE, text=True
        )
        for i in range(4)
    ]
    assert [process.communicate(timeout=900)[0] for process in processes] == ["10\n"] * 4
    assert verify(tmp_path / "b", full=True).sound == 40
    assert run(specification(40), tmp_path / "b", workers=0).index


def specification(tasks: int) -> dict[str, Any]:
    return {
        "landscape": {"source": "ridge", "size": 16},
        "evolve": {"sigma": [0.3, 0.6]},
        "sweep": {"product": {"landscape.width": [0.2 + 0.001 * k for k in range(tasks)]}},
    }
