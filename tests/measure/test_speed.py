"""The short benchmark: right answers, a readable table, and no opinion on seconds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from heatpg.cli import main
from heatpg.errors import OptionError
from heatpg.measure.speed import bench, table
from heatpg.solvers import make, solvers


def test_every_solver_is_timed_and_right() -> None:
    seen: list[tuple[int, int]] = []
    timings = bench((48, 40), 4.0, rounds=1, progress=lambda done, total: seen.append((done, total)))
    assert {timing.name for timing in timings} == {*solvers.names(), "copy", "scipy transforms"}
    times = [timing.seconds for timing in timings if timing.seconds is not None]
    assert times == sorted(times)
    assert len(times) == len(timings)
    for timing in timings:
        if timing.name in solvers.names():
            # at four spacings: round-off, the stated 4e-5 of `stabilized`, or the second order of the Laplacian
            limit = 1e-13 if make(timing.name).order_space == float("inf") else 0.02
            assert timing.error is not None
            assert timing.error < limit, timing
    assert next(timing for timing in timings if timing.name == "scipy transforms").ratio == 1.0
    assert seen[-1][0] == seen[-1][1]


def test_a_solver_that_refuses_says_why() -> None:
    timings = bench((30, 30), 4.0, [make("explicit", step=5.0), "spectral"], rounds=1)
    refused = timings[-1]
    assert refused.seconds is None
    assert "unstable" in refused.note
    assert "unstable" in table(timings)[-1]


@pytest.mark.parametrize(("sigma", "rounds"), [(0.0, 1), (float("nan"), 1), (4.0, 0)])
def test_nothing_to_measure_is_refused(sigma: float, rounds: int) -> None:
    with pytest.raises(OptionError, match="rounds or sigma is out of range"):
        bench((16,), sigma, rounds=rounds)


def test_the_command(capsys: Any) -> None:
    words = ["bench", "--shape", "32x24", "--sigma", "3", "--rounds", "1", "--solver", "spectral"]
    assert main([*words, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["shape"] == [32, 24]
    assert {timing["name"] for timing in record["timings"]} == {"copy", "scipy transforms", "spectral"}
    assert main([*words, "--quiet"]) == 0
    assert "of scipy's pair" in capsys.readouterr().out
    assert main(["bench", "--shape", "big"]) == 2
    assert "1024x1024" in capsys.readouterr().err
    assert main(["bench", "--solver", "spektral"]) == 2
    assert main(["bench", "--shape", "2x2"]) == 2
