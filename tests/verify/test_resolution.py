"""What a grid and its box can show at a sigma."""

from __future__ import annotations

import numpy as np

from heatpg import Axis, Grid, Landscape
from heatpg.core.noise import Sigma
from heatpg.core.report import Check
from heatpg.evolution import solve
from heatpg.verify.resolution import resolution


def entries(sigma: Sigma, units: tuple[str, str]) -> dict[str, Check]:
    grid = Grid(
        *(Axis(name, 0.0, 1.0, 41, boundary="reflect", unit=unit) for name, unit in zip("ab", units, strict=True))
    )
    return {check.name: check for check in resolution(solve(Landscape(np.eye(41), grid), sigma))}


def test_one_sigma_for_axes_of_different_units_is_a_finding() -> None:
    found = entries([0.1, 0.2], ("N", "deg"))["units"]
    assert found.status == "finding"
    assert "a (N), b (deg)" in found.message and "sigma={'a': ..., 'b': ...}" in found.message
    assert "b (no unit)" in entries(0.1, ("N", ""))["units"].message
    for sigma, units in (({"a": 0.1, "b": 0.2}, ("N", "deg")), (0.1, ("N", "N")), (0.0, ("N", "deg"))):
        assert "units" not in entries(sigma, units)
