"""The process of one competitor: sets up, reports the first call, then times a batch whenever it is told to.

    python -m benchmarks.worker TASK CASE COMPETITOR QUICK

One JSON object a line goes to the standard output; each line of the standard input is a number of calls, 0 to end.
The task ``limits`` is the copy by which the bandwidth is measured.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import statistics
import sys
import time
from typing import Any

from benchmarks.machine import busy_seconds, copy_run, own_seconds, peak_memory, reset_peak_memory
from benchmarks.registry import Run, find_task

__all__ = ["batch", "main", "prepare"]

_LONG = 2.0  # seconds: a call that long warms itself up


def prepare(task: str, case: str, competitor: str, quick: bool) -> tuple[Run, dict[str, Any]]:
    """Set a competitor up and make its first call, which may compile."""
    if task == "limits":
        run, size = copy_run()
        run()
        return run, {"work": size, "error": 0.0, "first": 0.0, "memory": None, "effort": None}
    chosen = find_task(task)
    entry = chosen.competitors[competitor]
    problem = chosen.problem(**chosen.labels(quick)[case])
    begin = time.perf_counter()
    run = entry.setup(problem)
    # setting up apart from the first call: plans and tables are made once, compilation shows in the first call
    ready = time.perf_counter()
    result = run()
    first = time.perf_counter() - ready
    effort = None if entry.effort is None else entry.effort(problem)
    facts = {
        "work": chosen.work_of(entry, problem),
        "error": chosen.error_of(entry, result, problem),
        "setup": ready - begin,
        "first": first,
        "memory": None,
        "effort": None if effort is None else dataclasses.asdict(effort),
    }
    del result
    if chosen.memory:
        before = reset_peak_memory()
        run()
        peak = peak_memory()
        if before is not None and peak is not None:  # the field that is evolved counts as well
            facts["memory"] = 1.0 + (peak - before) / problem.values.nbytes
    return run, facts


def batch(run: Run, count: int, warm: bool) -> dict[str, float]:
    """Time some calls.

    Parameters
    ----------
    run
        The call.
    count
        How many.
    warm
        Whether one call goes before them.

    Returns
    -------
    figures
        Median of the wall time of a call, mean of its processor time, and how many processors worked for others.
    """
    if warm:  # memory that was freed a while ago is slow to touch again
        run()
    result: list[Any] = [None]  # holds on to the result, so that it is not freed on the clock
    times = []
    busy, own, start = busy_seconds(), own_seconds(), time.perf_counter()
    for _ in range(count):
        result[0] = None
        call = time.perf_counter()
        result[0] = run()
        times.append(time.perf_counter() - call)
    wall, cpu = time.perf_counter() - start, own_seconds() - own
    # what the machine was busy with beyond this process, per second
    after = busy_seconds()
    foreign = 0.0 if busy is None or after is None else max(0.0, (after - busy - cpu) / wall)
    return {"wall": statistics.median(times), "cpu": cpu / count, "foreign": foreign}


def main(task: str, case: str, competitor: str, quick: str) -> None:
    """Serve until the standard input ends."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what packages print must not mix with the figures

    def send(**facts: Any) -> None:
        channel.write(json.dumps(facts) + "\n")
        channel.flush()

    # before any peer compiles: what is written by hand in Numba is for the same kind of processor
    if os.environ.get("HEATPG_PROCESSOR"):
        importlib.import_module("heatpg.tools.kernels")
    try:
        run, facts = prepare(task, case, competitor, quick == "quick")
    except Exception as reason:  # whatever another package raises is a row of the table
        send(failure=f"{type(reason).__name__}: {reason}"[:200])
        return
    send(**facts)
    for line in sys.stdin:
        if int(line) == 0:
            break
        send(**batch(run, int(line), warm=facts["first"] < _LONG))


if __name__ == "__main__":
    main(*sys.argv[1:5])
