"""Environments on processes: results whatever their number, exits, and what cannot be sent."""

from __future__ import annotations

import functools
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
    with pytest.raises(ResourceError, match=r"worker process has died; given: exit code 3.*__main__"):
        deadly(grid=line(9, -1.0, 1.0), over=Actions(held=[0.0]))


def test_a_script_without_its_guard_is_told_the_line(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from heatpg import landscapes\nlandscapes.from_gymnasium('Pendulum-v1', state=0, size=3, workers=1)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    line = 'the line if __name__ == "__main__":'
    assert f"below {line}" in done.stderr  # of the worker
    assert f"ResourceError: a worker process has died; given: exit code 1; a script that uses workers needs {line}" in (
        done.stderr
    )
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
    with pytest.raises(UnsupportedError, match=rf"{what}.*lambda.*workers=0"):
        from_gymnasium(environment, policy, size=3, state=1, rollout=Rollout(horizon=2), workers=2)
