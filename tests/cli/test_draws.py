"""Noise in all components on the command line: landscapes of Python files and environments, draws, cost, resume."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, load
from heatpg.batch import SpecError, read_spec
from heatpg.cli import main
from heatpg.planes import Draws, evolve_plane
from heatpg.planes import drawing as planes_drawing

PROGRAM = """
import numpy as np
from heatpg import Axis, Grid, Landscape

CALLS, LIMIT = [], [None]

def two(*x):
    CALLS.append(np.size(x[0]))
    if LIMIT[0] is not None and len(CALLS) > LIMIT[0]:
        raise KeyboardInterrupt
    across = sum(c**2 for c in x[1:])
    return np.exp(-(x[0] ** 2 + across) / 0.18) + 0.8 * np.exp(-((x[0] - 4) ** 2 + across) / 2)

def landscape(*, size=31, boundary="clip", height=1):
    line = Grid(Axis("x1", -1.0, 5.0, size, boundary=boundary))
    return Landscape.from_function(lambda *x: height * two(*x), line, dimensions=4)

def plain():
    return Landscape.from_function(np.cos, Grid(Axis("x", 0.0, 1.0, 9, boundary="clip")))

def wrong():
    return 3.0

def failing():
    return 1 / 0
"""
WORDS = ["--sigma", "0.2,0.4", "--draws", "count=20"]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / "some_returns.py"
    path.write_text(PROGRAM)
    yield path
    sys.modules.pop("some_returns", None)


def exact(height: float = 1.0) -> Landscape:
    """The same, made here."""

    def two(*x: np.ndarray) -> np.ndarray:
        across = np.asarray(sum(c**2 for c in x[1:]))
        broad = 0.8 * np.exp(-((x[0] - 4) ** 2 + across) / 2)
        return np.asarray(height * (np.exp(-(x[0] ** 2 + across) / 0.18) + broad))

    return Landscape.from_function(two, Grid(Axis("x1", -1.0, 5.0, 31, boundary="clip")), dimensions=4)


def test_a_file_is_sampled_drawn_and_studied(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", program.name, *WORDS]) == 0
    told = capsys.readouterr()
    # before anything is drawn
    assert told.err.index("pilot of 32 draws: ") < told.err.index("noise in all components: 20 ")
    flow = load("some_returns.h5")
    same = evolve_plane(exact(), [0.2, 0.4], Draws(count=20))
    np.testing.assert_array_equal(flow.values, same.values)
    assert flow.standard_error is not None and flow.drawn is not None and same.drawn is not None
    assert flow.drawn["rollouts"] == same.drawn["rollouts"]
    place = int(flow.values[1].argmax())
    assert f"{flow.values[1][place]:.6g} +- {flow.standard_error[1][place]:.2g} at" in told.out
    assert f"noise      in all 4 components: 20 draws, {flow.drawn['rollouts']:,} rollouts" in told.out
    # what was kept for an interruption is gone
    assert not list(program.parent.glob("*.npz"))
    assert main(["study", "some_returns.h5"]) == 0
    told_of_file = capsys.readouterr().out
    assert main(["study", program.name, *WORDS]) == 0
    told_of_program = capsys.readouterr().out
    # only the price differs, as a file has no values of Q between the nodes
    for word in ("jump", "end", "draws", "slice", "maxima"):
        (line,) = (one for one in told_of_file.splitlines() if one.startswith(f"{word} "))
        assert line in told_of_program.splitlines()
    assert "noise in all 4 components" in told_of_file


def test_options_of_the_function(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # without annotations, as most people write them; 1 is a number, and so is 2.5
    assert main(["run", f"{program.name}:landscape", *WORDS, "--set", "height=2.5", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["landscape"]["maximum"] == pytest.approx(float(exact(2.5).values.max()), rel=1e-12)
    flow = load("some_returns.h5")
    assert flow.known_error is not None
    for k, row in enumerate(facts["optima"][1:]):
        assert row["standard_error"] == flow.known_error[k][tuple(row["index"])]
    assert main(["run", program.name, *WORDS, "--set", "hight=2", "--force"]) == 2
    assert "did you mean 'height'?" in capsys.readouterr().err


def test_a_covariance_of_all_components(program: Path) -> None:
    assert main(["run", program.name, *WORDS, "--covariance", "[1, .5, 2, 1]", "--quiet"]) == 0
    same = evolve_plane(exact(), [0.2, 0.4], Draws(count=20), covariance=[1.0, 0.5, 2.0, 1.0])
    np.testing.assert_array_equal(load("some_returns.h5").values, same.values)


def test_the_cost_alone_and_then_the_rest(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", program.name, "--sigma", "0.2,0.4", "--draws", "error=0.03"]
    assert main([*words, "--estimate-cost", "--json"]) == 0
    cost = json.loads(capsys.readouterr().out)["cost"]
    assert cost["spent"] < cost["rollouts"] and not Path("some_returns.h5").exists()
    assert Path("some_returns.draws.npz").exists()
    # of other noise levels
    assert main([*words[:3], "0.3", *words[4:]]) == 2
    assert "state of other draws" in capsys.readouterr().err
    before = sum(sys.modules["some_returns"].CALLS)
    assert main([*words, "--checks", "none", "--quiet"]) == 0
    spent = sum(sys.modules["some_returns"].CALLS) - before
    flow = load("some_returns.h5")
    same = evolve_plane(exact(), [0.2, 0.4], Draws(error=0.03), checks="none")
    np.testing.assert_array_equal(flow.values, same.values)
    # the nodes themselves, what the pilot had left, and four points off the plane, by which the function is known again
    # when the cost is estimated and when it is spent
    assert flow.drawn is not None and spent <= flow.drawn["rollouts"] - cost["spent"] + 31 + 2 * 4
    capsys.readouterr()
    assert main(["study", *words[1:], "--estimate-cost"]) == 0
    assert capsys.readouterr().out.startswith(f"cost       {cost['draws']} draws for 0.03 of osc(Q)")


def test_beyond_the_budget(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", program.name, "--sigma", "0.2", "--draws", "error=0.0005", "--draws", "points=random"]
    assert main([*words, "--draws", "budget=9000"]) == 5
    told = capsys.readouterr().err
    assert "the draws exceed the budget" in told and "--draws budget=" in told and "--draws count=128" in told
    assert main([*words, "--draws", "budget=90", "--out", "o.h5"]) == 5
    assert "or --draws budget=ROLLOUTS" in capsys.readouterr().err


def test_an_interrupted_command_resumes(
    program: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planes_drawing, "_SAVED_EVERY", 0.0)
    words = ["run", program.name, "--sigma", "0.2", "--draws", "count=200", "--checks", "none", "--quiet"]
    assert main(["run", program.name, "--sigma", "0.2", "--draws", "count=9", "--quiet", "--out", "other.h5"]) == 0
    module = sys.modules["some_returns"]
    module.LIMIT[0] = len(module.CALLS) + 18
    assert main(words) == 130
    assert "some_returns.draws.npz; the same command resumes" in capsys.readouterr().err
    module.LIMIT[0] = None
    before = sum(module.CALLS)
    assert main(words) == 0
    flow = load("some_returns.h5")
    assert flow.drawn is not None and sum(module.CALLS) - before < flow.drawn["rollouts"]
    same = evolve_plane(exact(), [0.2], Draws(count=200), checks="none")
    np.testing.assert_array_equal(flow.values, same.values)


KILLED = """
import os
import signal
import numpy as np
from heatpg import Axis, Grid, Landscape
from heatpg.planes import drawing

drawing._SAVED_EVERY = 0.0
CALLS = []

def two(*x):
    CALLS.append(np.size(x[0]))
    if len(CALLS) > int(os.environ.get("CALLS_ALLOWED", "1000000")):
        os.kill(os.getpid(), signal.SIGKILL)
    across = sum(c**2 for c in x[1:])
    return np.exp(-(x[0] ** 2 + across) / 0.18) + 0.8 * np.exp(-((x[0] - 4) ** 2 + across) / 2)

def landscape():
    return Landscape.from_function(two, Grid(Axis("x1", -1.0, 5.0, 31, boundary="clip")), dimensions=4)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no such signal")
def test_a_killed_process_resumes_to_equal_bits(tmp_path: Path) -> None:
    """No code of ours runs after the signal, so that what is on disk at that moment is all there is."""
    (tmp_path / "killed.py").write_text(KILLED)
    words = [sys.executable, "-m", "heatpg", "run", "killed.py", "--sigma", "0.2,0.4", "--quiet", "--checks", "none"]
    words += ["--draws", "count=200", "--out"]

    def command(out: str, allowed: int) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "CALLS_ALLOWED": str(allowed)}
        return subprocess.run([*words, out], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    # in the middle of the pilot, and after it
    for allowed in (9, 10):
        done = command("killed.h5", allowed)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert not (tmp_path / "killed.h5").exists() and (tmp_path / "killed.draws.npz").exists()
    last = command("killed.h5", 10**6)
    assert last.returncode == 0, last.stderr
    assert not (tmp_path / "killed.draws.npz").exists()
    whole = command("whole.h5", 10**6)
    assert whole.returncode == 0, whole.stderr
    one, other = (load(tmp_path / name) for name in ("killed.h5", "whole.h5"))
    for first, second in ((one.values, other.values), (one.standard_error, other.standard_error)):
        assert first is not None and second is not None and first.tobytes() == second.tobytes()
    assert one.draw_groups is not None and other.draw_groups is not None
    assert one.draw_groups.tobytes() == other.draw_groups.tobytes() and one.drawn == other.drawn


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "nowhere.py"], "no such file"),
        (["run", "some_returns.py:landscap"], "did you mean 'landscape'?"),
        (["run", "some_returns.py:wrong"], "wrong() of some_returns.py must return a landscape\n  got: float"),
        (["run", "some_returns.py:failing"], "some_returns.py, line 25 failed; got: ZeroDivisionError"),
        (["run", "broken.py"], "broken.py, line 2 failed; got: SyntaxError"),
        (["run", "json.py"], "rename the file"),
        (["run", "some_returns.py", "--variable", "Q"], "these options apply only to files"),
        (["run", "some_returns.py", "--estimate-cost"], "--estimate-cost needs --draws"),
        (["run", "some_returns.py", "--beyond", "sampled"], "--beyond needs --draws"),
        (["run", "some_returns.py", "--draws", "count=20"], "needs the noise levels"),
        (["run", "some_returns.py", *WORDS, "--draws", "erorr=1"], "did you mean 'error'?"),
        (["run", "some_returns.py", "--sigma", "1", "--draws", "count=2"], "count"),
        (["run", "some_returns.py", *WORDS, "--solver", "direct"], "--solver is not available"),
        (["run", "some_returns.py", *WORDS, "--storage", "compact"], "--storage compact is not available"),
        (["run", "some_returns.py", *WORDS, "--covariance", "[1,2]"], "wrong shape"),
        (["run", "some_returns.py", *WORDS, "--beyond", "absorb"], "rule beyond the box"),
        (["run", "some_returns.py:plain", *WORDS], "has no components beyond its axes"),
        (["run", "ridge", *WORDS], "pass a Python file FILE.py"),
        (["study", "some_returns.py", *WORDS, "--risk", "0.1"], "--risk is not available"),
    ],
)
def test_what_is_wrong_is_told(
    program: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    (program.parent / "json.py").write_text("x = 1\n")
    (program.parent / "broken.py").write_text("x = 1\nthis is no Python\n")
    assert main(words) == 2
    assert message in capsys.readouterr().err
    assert not list(program.parent.glob("*.h5"))


def test_a_registered_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mujoco")
    pytest.importorskip("gymnasium")
    from heatpg.landscapes import Actions, Rollout, from_gymnasium

    monkeypatch.chdir(tmp_path)
    words = ["--set", "components=0,3", "--set", "horizon=4", "--set", "size=4"]
    assert main(["run", "HalfCheetah-v5", *words, "--sigma", "0.4", "--draws", "count=8", "--quiet"]) == 0
    flow = load("HalfCheetah-v5.h5")
    q = from_gymnasium("HalfCheetah-v5", over=Actions(components=(0, 3)), state=0, size=4, rollout=Rollout(horizon=4))
    same = evolve_plane(q, [0.4], Draws(count=8))
    np.testing.assert_array_equal(flow.values, same.values)
    assert flow.drawn is not None and flow.drawn["components"] == 6


def test_a_batch_says_what_to_do_instead(tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    for source in ("returns.py", "my_module:Mine-v0"):
        path.write_text(f'[landscape]\nsource = "{source}"\n[evolve]\nsigma = [0.1]\ndraws = {{error = 0.05}}\n')
        with pytest.raises(SpecError) as reason:
            read_spec(path)
        assert f'heatpg run "{source}" --sigma 0' in str(reason.value)
        assert "a table of its own: [draws], with error = 0.05" in str(reason.value)
