"""Environments on processes: results whatever their number, exits, and what cannot be sent."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid, landscapes
from heatpg.errors import ResourceError, UnsupportedError
from heatpg.landscapes import Actions, Rollout, State

gymnasium: Any = pytest.importorskip("gymnasium")
from tests import toy_environments as toys  # noqa: E402

from_gymnasium = landscapes.from_gymnasium
Array = NDArray[Any]


def line(size: int = 5, lower: float = -1.0, upper: float = 1.0) -> Grid:
    return Grid(Axis("a", lower, upper, size, boundary="clip"))


# Processes


def test_results_do_not_depend_on_the_number_of_workers() -> None:
    call = functools.partial(
        from_gymnasium,
        toys.ending,
        toys.back,
        size=23,
        state=State(3, after=[[0.2]]),
        rollout=Rollout(horizon=12, seeds=2),
    )
    seen: list[tuple[int, int]] = []
    found = [call()]
    found.append(call(workers=2, progress=lambda done, total: seen.append((done, total))))
    assert len({q.values.tobytes() for q in found}) == 1
    assert all(toys.facts(q) == toys.facts(found[0]) for q in found)
    assert seen == sorted(seen) and seen[-1] == (23, 23) and len(seen) > 3
    np.testing.assert_array_equal(found[1].sample(found[1].grid.nodes()), found[0].values)


def test_progress_in_points() -> None:
    seen: list[tuple[int, int]] = []
    from_gymnasium(toys.Walk, size=4, state=1, rollout=Rollout(horizon=2), progress=lambda *count: seen.append(count))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_worker_that_dies() -> None:
    deadly = functools.partial(
        from_gymnasium, toys.Deadly, line_policy, size=9, state=[0.0], rollout=Rollout(horizon=2), workers=2
    )
    with pytest.raises(ResourceError, match=r"(?s)worker process died.*\W+got: exit code 3.*__main__"):
        deadly(grid=line(9, -1.0, 1.0), over=Actions(held=[0.0]))


def test_a_script_without_its_guard_is_told_the_line(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from heatpg import landscapes\nlandscapes.from_gymnasium('Pendulum-v1', state=0, size=3, workers=1)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    line = 'the line if __name__ == "__main__":'
    assert f"below {line}" in done.stderr  # of the worker
    assert "ResourceError: a worker process died; its error output is on stderr\n  got: exit code 1\n" in done.stderr
    assert f"try: in a script, put the call below {line}" in done.stderr
    assert "bootstrapping" not in done.stderr


def line_policy(observation: Array) -> Array:
    return np.zeros(1)


@pytest.mark.parametrize(
    ("environment", "policy", "what"),
    [
        (lambda: toys.Walk(), toys.back, "the environment cannot be sent"),
        (toys.Walk, lambda seen: seen, "the policy cannot be sent"),
    ],
)
def test_what_cannot_be_sent_is_refused(environment: Any, policy: Any, what: str) -> None:
    with pytest.raises(UnsupportedError, match=rf"(?s){what}.*lambda.*workers=0"):
        from_gymnasium(environment, policy, size=3, state=1, rollout=Rollout(horizon=2), workers=2)


AT_A_PROMPT = """
import gymnasium, numpy as np
from heatpg import landscapes
from heatpg.landscapes import Rollout
from tests import toy_environments as toys

def policy(seen):
    return -seen

class Own:
    def __call__(self, seen):
        return -seen

def make():
    return toys.Walk()

for environment, given in ((toys.Walk, policy), (toys.Walk, Own()), (make, toys.back)):
    try:
        landscapes.from_gymnasium(environment, given, size=3, state=1, rollout=Rollout(2), workers=2)
    except Exception as error:
        print(type(error).__name__, error.one_line)
q = landscapes.from_gymnasium(toys.Walk, toys.back, size=3, state=1, rollout=Rollout(2), workers=2)
print(q.values.shape)
"""


def test_functions_of_a_notebook_or_a_prompt_are_refused_before_a_process_starts() -> None:
    """Without a script a worker has nowhere to import them from; what is in modules still goes there."""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", AT_A_PROMPT], capture_output=True, text=True, check=True, cwd=root)
    lines = done.stdout.splitlines()
    for line, what, name in zip(lines, ("policy", "policy", "environment"), ("policy", "Own", "make"), strict=False):
        assert line.startswith(f"UnsupportedError the {what} is defined in a notebook or at a prompt")
        assert f"got: {name}; " in line and "%%writefile" in line and f"import {name};" in line
    assert lines[3:] == ["(3,)"] and not done.stderr
    # nor can it read a script that came by a pipe, whatever is sent
    piped = subprocess.run(
        [sys.executable, "-"], input=AT_A_PROMPT, capture_output=True, text=True, check=False, cwd=root
    )
    assert piped.stdout.count("it is not in a file; got: <stdin>; save the script") == 3
    assert "a worker process died" not in piped.stderr


def test_functions_of_a_script_are_sent(tmp_path: Path) -> None:
    script = tmp_path / "guarded.py"
    calls = "    q = landscapes.from_gymnasium(make, policy, size=3, state=1, rollout=Rollout(2), workers=2)\n"
    head, _, _ = AT_A_PROMPT.partition("for environment")
    script.write_text(f'{head}\nif __name__ == "__main__":\n{calls}    print(q.values.shape)\n')
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert done.stdout == "(3,)\n"
