"""What the checks take of memory is estimated before the solve, and the estimate holds."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, evolve
from heatpg.errors import ResourceError
from heatpg.evolution import solve
from heatpg.tools import resources
from heatpg.verify import fields_of_checks, verify
from heatpg.verify.edge_error import edge_error


@pytest.mark.parametrize("level", ["standard", "full"])
@pytest.mark.parametrize("boundary", ["reflect", "zero", "clip", "absorb", "periodic"])
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("shape", [(400_000,), (700, 600), (80, 75, 70)])
def test_the_estimate_of_the_checks_holds(level: str, boundary: str, nodes: Any, shape: tuple[int, ...]) -> None:
    grid = Grid(*(Axis(name, 0.0, 1.0, size, boundary, nodes) for name, size in zip("xyz", shape, strict=False)))
    values = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    spacing = max(grid.spacing)
    flow = solve(Landscape(values, grid), [4 * spacing, 9 * spacing], "direct")
    tracemalloc.start()
    try:
        verify(flow, level)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # the modules and kernels of a first call are small beside fields of 3 MiB
    fields = fields_of_checks(level, grid.dimensions)
    assert peak <= (fields + 1) * 8 * values.size
    assert peak >= 0.3 * fields * 8 * values.size


@pytest.mark.parametrize("boundary", ["clip", "absorb"])
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
def test_the_error_at_the_edge_of_a_long_line_takes_no_more(boundary: str, nodes: Any) -> None:
    axis = Axis("x", 0.0, 1.0, 400_001, boundary=boundary, nodes=nodes)
    values = np.random.default_rng(1).standard_normal(axis.size).astype(np.float32)
    flow = solve(Landscape(values, Grid(axis)), 4 * axis.spacing, "direct")
    tracemalloc.start()
    try:
        edge_error(flow, "full")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= (fields_of_checks("full", 1) + 1) * 8 * values.size


def test_checks_that_will_not_fit_are_refused_before_the_solve(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Grid(*(Axis(name, 0.0, 1.0, 400, boundary="reflect") for name in "xy"))
    landscape = Landscape(np.random.default_rng(1).standard_normal(grid.shape), grid)
    monkeypatch.setattr(resources, "available_memory", lambda: 9.0 * landscape.values.nbytes)
    solved: list[int] = []
    with pytest.raises(ResourceError, match=r"checking 160,000 points at 2 sigmas with checks='full' does not fit"):
        evolve(landscape, [0.1, 0.2], checks="full", progress=lambda done, total: solved.append(done))
    assert not solved
    assert evolve(landscape, 0.1, checks="none").values.shape == (1, 400, 400)


def test_an_allocation_that_fails_is_an_error_of_resources(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 65, boundary="clip"))
    landscape = Landscape(np.linspace(0.0, 1.0, 65), grid)

    def fail(*arguments: object) -> None:
        raise MemoryError("Unable to allocate 429. GiB for an array with shape (1,) and data type float64")

    flow = solve(landscape, 0.1, "direct")
    with monkeypatch.context() as patch:
        patch.setattr("heatpg.solvers.direct.Direct.build", fail)
        with pytest.raises(
            ResourceError,
            match=r"(?s)an evolution of 65 points does not fit in memory\W+expected: .* free\W+(try: )?use",
        ):
            solve(landscape, 0.123, "direct")
    monkeypatch.setattr("heatpg.verify.crosscheck._sample", fail)
    with pytest.raises(ResourceError, match="a check of 65 points does not fit in memory"):
        verify(flow)
