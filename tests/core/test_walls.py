"""Extremes of a landscape are kept as long as its values are."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape
from heatpg.core import walls


@pytest.mark.parametrize("boundary", ["clip", "zero", "reflect", "absorb", "periodic"])
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_kept_is_what_is_found(boundary: str, nodes: str, dtype: type, rng: np.random.Generator) -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 9, boundary=boundary, nodes=nodes))  # type: ignore[arg-type]
    landscape = Landscape((rng.standard_normal((3, 9)) - 2.0).astype(dtype), grid)
    low, high = walls.range_with_walls(landscape.values, grid)
    for _ in range(2):
        assert walls.extremes(landscape) == (float(low.min()), float(high.max()))
        assert walls.magnitude(landscape) == float(np.abs(landscape.values).max())
        assert walls.oscillation(landscape) == float(landscape.values.max()) - float(landscape.values.min())


def test_other_values_are_looked_at_anew_and_a_landscape_that_is_gone_is_forgotten() -> None:
    landscape = Landscape(np.arange(5.0), Grid(Axis("x", 0.0, 1.0, 5, boundary="clip")))
    assert landscape.oscillation == 4.0
    landscape.values = 2.0 * landscape.values
    assert landscape.oscillation == 8.0 and walls.extremes(landscape) == (0.0, 8.0)
    gc.collect()  # those of other tests go now
    before = len(walls._known)
    del landscape
    gc.collect()
    assert len(walls._known) == before - 1
