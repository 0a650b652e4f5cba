"""The mean over a closed box, whatever the size of the values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape
from heatpg.evolution import solve
from heatpg.solvers import solvers
from heatpg.verify.conservation import conservation

SOLVERS = sorted(solvers.names())


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("boundary", ["periodic", "reflect"])
@pytest.mark.parametrize(
    ("dtype", "factor"),
    [
        (np.float64, 1.0),
        # subnormal: eps times the value is less than the spacing of the numbers
        (np.float64, 1e-310),
        (np.float64, 1e300),
        (np.float32, 1e-40),
        (np.float32, 1e30),
    ],
)
def test_conservation_holds_for_values_of_any_size(name: str, boundary: str, dtype: type, factor: float) -> None:
    # unequal, tiny boxes: the weights of the integral must not underflow with the values
    axes = [Axis("x", 0.0, 1e-12, 24, boundary=boundary), Axis("y", 0.0, 3.0, 20, boundary=boundary, nodes="cell")]
    values: NDArray[Any] = (np.random.default_rng(3).integers(1, 9, (24, 20)) * factor).astype(dtype)
    flow = solve(Landscape(values, Grid(*axes)), {"x": 1e-13, "y": 0.4}, name)
    (check,) = conservation(flow)
    assert check.status == "passed", check.details
    assert check.bound is not None and 0 < check.bound < 1


def test_mass_that_is_lost_is_found_in_small_values_too() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 40, boundary="reflect"))
    for factor in (1.0, 1e-300, 1e300):
        flow = solve(Landscape(np.random.default_rng(3).random(40) * factor, grid), 0.1)
        fields = flow.values.copy()
        fields[0] *= 1.0 - 1e-9
        flow.values = fields
        (check,) = conservation(flow)
        assert check.status == "failed", check.details


@pytest.mark.parametrize("unit", [1e-140, 1e140])
def test_a_volume_that_is_no_number(unit: float) -> None:
    """In any unit of length the figure is that of the rounding alone."""
    wave = np.cos(np.linspace(0.0, 3.0, 17))
    values = np.add.outer(np.add.outer(wave, wave), wave)
    box = Grid(*(Axis(name, 0.0, 2.0 * unit, 17, boundary="reflect") for name in "xyz"))
    [check] = conservation(solve(Landscape(values, box), 0.3 * unit, "spectral"))
    assert check.status == "passed" and check.figure is not None and check.figure < 1e-14
