"""The predicted cost of a batch, held against batches that were run."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatpg import Landscape, save
from heatpg.batch import Plan, SpecError, predict, read_spec
from heatpg.batch.plan import _compact_shape, _slab
from heatpg.batch.shapes import shape_of
from heatpg.batch.work import run_task
from heatpg.core.grid import Axis, Grid
from heatpg.evolution import solve
from heatpg.landscapes import landscapes
from heatpg.solvers import make
from heatpg.tools.parallel import threads
from heatpg.verify import verify

ROOT = Path(__file__).resolve().parents[2]

# One task in a process of its own, as a worker does it: the peak of its memory, and the size of its file. Not by
# getrusage, whose peak begins with that of the parent.
RUN = """
import json, sys
from heatpg.batch.work import run_task
image, _ = run_task(json.loads(sys.argv[1]))
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:")) * 1024
print(peak, len(image))
"""


def one(source: str, sigma: Any, checks: str = "standard", solver: str = "auto", **options: Any) -> dict[str, Any]:
    return {
        "landscape": {"source": source, **options},
        "evolve": {"sigma": sigma, "checks": checks, "solver": solver},
    }


def run(resolved: dict[str, Any], path: Path) -> float:
    """One task as a worker would run it, on one thread; processor seconds."""
    landscape, solver = resolved["landscape"], resolved["solver"]
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in landscape["options"].items()}
    chosen = "auto" if solver["name"] == "auto" else make(solver["name"], **solver["options"])
    begin = time.process_time()
    q = landscapes.get(landscape["source"])(**options)
    flow = solve(q, resolved["sigma"], chosen, tolerance=solver["tolerance"], prefer=solver["prefer"])
    flow.report = verify(flow, resolved["checks"])
    save(flow, path, force=True)
    return time.process_time() - begin


@pytest.mark.parametrize(
    "specification",
    [
        ROOT / "data" / "pendulum_gammas.toml",
        ROOT / "data" / "quadrotor_horizons.toml",
        one("ridge", [0.05, 0.1, 0.2], "none", size=257),  # 4 chunks of 256^2 where one is needed
        one("two_bumps", [0.5], "none", size=21),  # nothing but attributes
        one("two_bumps", [0.2, 0.5], size=100_000),  # a long scale
        one("gaussians", [0.5, 1.0], "none", size=33, heights=[1.0], centers=[0.0] * 3, widths=[0.5]),
    ],
    ids=str,
)
def test_bytes(specification: Any) -> None:
    spec = read_spec(specification)
    plan = predict(spec, budget=0.0)
    tasks = spec.tasks()
    size = 0
    for task in tasks:
        image, _ = run_task(task.resolved)
        size += len(image)
    assert plan.storage == pytest.approx(size, rel=0.1 if size > 100_000 else 0.25)
    assert plan.tasks == len(tasks)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the peak")
@pytest.mark.parametrize(
    "specification",
    [
        one("ridge", [0.05, 0.1, 0.2, 0.4], size=1024),
        one("ridge", [0.3], "none", size=1536),
        one("ridge", [0.05, 0.1, 0.2, 0.4], "none", size=33),
        one("two_bumps", [0.5, 1.0], size=200_000),
        one("ridge", {"first": 0.02, "last": 0.5, "count": 24}, "none", "direct", size=900),
        one("ridge", [0.05, 0.1, 0.2, 0.4], "none", size=1024) | {"storage": {"mode": "compact"}},
    ],
    ids=["some levels", "one level", "nothing but the process", "a long line", "many levels", "compact"],
)
def test_memory(specification: Any, tmp_path: Path) -> None:
    spec = read_spec(specification)
    (task,) = spec.tasks()
    run(task.resolved, tmp_path / "here.h5")  # a compiler would be in the peak too
    arguments = [sys.executable, "-c", RUN, json.dumps(task.resolved)]
    environment = {**os.environ, "HEATPG_THREADS": "1"}
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, env=environment)
    peak, size = map(float, done.stdout.split())
    plan = predict(spec, budget=0.0)
    assert plan.memory == pytest.approx(peak, rel=0.25)
    assert plan.storage == pytest.approx(size, rel=0.25)


def test_the_time_of_every_kind_counts() -> None:
    """The large task has 240 times as many nodes as the small one: a factor of 10 is left to the scatter of timings."""
    both = one("cosine", [0.2, 0.4], size=33)
    both["sweep"] = {"product": {"landscape.size": [33, 513]}}
    large = predict(read_spec(one("cosine", [0.2, 0.4], size=513)), budget=10.0)
    assert predict(read_spec(both), budget=10.0).seconds > large.seconds / 10
    assert predict(read_spec(both), budget=0.0).seconds > large.seconds / 10


def test_a_task_may_be_measured_whole() -> None:
    specification = one("cosine", [0.2, 0.4, 0.6])
    specification["sweep"] = {"product": {"landscape.size": [64, 96]}}
    plan = predict(read_spec(specification), measure=True, budget=10.0)
    assert "in full" in plan.how and plan.seconds > 0
    assert "in full" not in predict(read_spec(specification), budget=10.0).how


def test_the_threads_stay_as_they_were() -> None:
    before = threads()
    predict(read_spec(one("ridge", [0.1], size=33)))
    assert threads() == before


def test_many_tasks_are_planned_soon() -> None:
    spec = read_spec(
        {
            "landscape": {"source": "eigenmodes"},
            "evolve": {"sigma": [0.01, 0.1]},
            "sweep": {"product": {"landscape.seed": list(range(1000)), "landscape.modes": [4, 8]}},
        }
    )
    predict(spec)
    begin = time.process_time()
    plan = predict(spec)
    assert time.process_time() - begin < 3.0
    assert plan.points == 2000 * 2 * 65**2
    single = predict(read_spec({"landscape": {"source": "eigenmodes"}, "evolve": {"sigma": [0.01, 0.1]}}))
    assert plan.storage == 2000 * single.storage
    assert plan.memory == single.memory


def test_the_largest_task_is_named() -> None:
    specification = one("ridge", [0.1], size=65)
    specification["sweep"] = {"product": {"landscape.size": [33, 513, 65]}}
    assert predict(read_spec(specification), budget=0.0).largest == 1


def test_storage_modes() -> None:
    full = one("ridge", [0.2, 0.4], size=513)
    compact = full | {"storage": {"mode": "compact", "tolerance": 1e-14}}
    coarse = full | {"storage": {"mode": "compact", "tolerance": 1e-4}}
    sizes = [predict(read_spec(each), budget=0.0).storage for each in (full, compact, coarse)]
    assert sizes[0] > 2 * sizes[1] > 2 * sizes[2]


def test_a_compact_field_has_the_spacing_of_its_tolerance() -> None:
    """exp(-sigma^2 k^2 / 2) = tolerance at k = pi / s: 0.391 sigma at 1e-14; never finer than the grid."""
    ring = Grid(Axis("x", 0.0, 10.0, 1000, boundary="periodic"))
    assert _compact_shape(ring, [1.0], 1e-14, continuous=True) == (int(np.ceil(10 / 0.39121)) + 1,)
    assert _compact_shape(ring, [1e-3], 1e-14, continuous=True) == (1000,)
    free = Grid(Axis("x", 0.0, 10.0, 1001, boundary="clip"))
    assert _compact_shape(free, [1.0], 1e-14, continuous=False) == (1001,)
    assert _compact_shape(free, [1.0], 1e-14, continuous=True) > _compact_shape(ring, [1.0], 1e-14, continuous=True)


@pytest.mark.parametrize("tolerance", [1e-14, 1e-10, 1e-4])
def test_compact_bytes(tolerance: float, tmp_path: Path) -> None:
    specification = one("double_pendulum", [1.0, 2.0, 4.0, 8.0], size=256, horizon=1.0)
    specification["storage"] = {"mode": "compact", "tolerance": tolerance}
    spec = read_spec(specification)
    (task,) = spec.tasks()
    resolved = task.resolved
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in resolved["landscape"]["options"].items()}
    flow = solve(landscapes.get("double_pendulum")(**options), resolved["sigma"])
    flow.report = verify(flow, "standard")
    save(flow, tmp_path / "task.h5", storage="compact", tolerance=tolerance)
    assert predict(spec, budget=0.0).storage == pytest.approx((tmp_path / "task.h5").stat().st_size, rel=0.25)


def test_a_slab_has_whole_lines_of_the_same_spacing() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 301, boundary="clip"), Axis("y", 0.0, 2.0, 200, boundary="periodic"))
    slab = _slab(grid, 1, 2000)
    assert slab.shape == (10, 200)
    assert slab[1] == grid[1]
    assert slab.spacing == pytest.approx(grid.spacing, rel=1e-12)


def test_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).standard_normal((40, 50)))
    (tmp_path / "spec.toml").write_text(
        '[landscape]\nsource = "a.npy"\nboundary = "clip"\n[evolve]\nsigma = [2.0, 4.0]\n', encoding="utf-8"
    )
    plan = predict(read_spec(tmp_path / "spec.toml"))
    assert plan.points == 2 * 2000
    flow = solve(Landscape.from_file(tmp_path / "a.npy", boundary="clip"), [2.0, 4.0])
    flow.report = verify(flow, "standard")
    save(flow, tmp_path / "a.h5")
    assert plan.storage == pytest.approx((tmp_path / "a.h5").stat().st_size, rel=0.25)


@pytest.mark.parametrize(
    ("specification", "words"),
    [
        (one("double_pendulum", [0.1], size=8, horizon=0.12), "whole number of control steps"),
        (one("quadrotor", [0.1], size=8, kind="thrst"), "did you mean 'thrust'"),
        (one("ridge", {"x1": [0.1], "x3": [0.1]}, size=8), "x3"),
        (one("weierstrass", [0.1], size=64), "too coarse"),
    ],
)
def test_what_a_landscape_refuses_is_found_before_the_run(specification: Any, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        predict(read_spec(specification))


def test_a_landscape_of_fine_detail_is_asked_on_a_few_more_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    family = landscapes.get("weierstrass")

    def asked(grid: Grid | None = None, *, size: int = 64, terms: int = 5) -> Landscape:
        sizes.append(size)
        return family(grid, size=size, terms=terms)

    monkeypatch.setitem(landscapes._entries, "weierstrass", asked)
    shape = shape_of({"landscape": {"source": "weierstrass", "options": {"size": 4096, "terms": 5}}})
    assert shape.grid == family(size=4096).grid
    assert sizes == [5, 17, 65]  # of 16 waves


def test_how_it_reads() -> None:
    plan = Plan("gammas", 3, 1_500_000, 2**22, 2**28, 90.0, "measured on parts of 1 of 3 kinds of tasks", 2)
    assert str(plan).splitlines() == [
        "batch     gammas",
        "tasks     3, 1,500,000 values",
        "storage   4.0 MiB",
        "memory    256.0 MiB a worker (task 2)",
        "time      about 90 s of computing on one thread (measured on parts of 1 of 3 kinds of tasks)",
        "excluded  the start of each worker and the compilation of its kernels, some seconds each",
    ]
    assert json.loads(json.dumps(plan.as_dict())) == dataclasses.asdict(plan)
    for seconds, words in ((0.5, "0.5 s"), (7200.0, "2.0 hours"), (864000.0, "10.0 days")):
        assert f"time      about {words} of computing on" in str(dataclasses.replace(plan, seconds=seconds))
