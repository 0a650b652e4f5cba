"""What a grid and its box can show at a sigma."""

from __future__ import annotations

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, landscapes
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


def test_every_axis_that_is_too_coarse_is_named_with_its_nodes() -> None:
    """Nodes .1 apart: noise of .05 and .02 is half and a fifth of that; 11 and 21 nodes become 22 and 105."""
    grid = Grid(
        Axis("x", 0.0, 1.0, 11, boundary="clip"),
        Axis("y", 0.0, 2.0, 21, boundary="clip"),
        Axis("z", 0.0, 1.0, 11, boundary="clip"),
    )
    check = resolution(solve(Landscape(np.zeros(grid.shape), grid), {"x": 0.05, "y": [0.02, 0.04], "z": 0.3}))[0]
    assert check.status == "finding" and check.figure == pytest.approx(0.2)
    assert check.message == (
        "2 of 2 noise levels are below the resolution of the grid: sigma=0.05 along 'x' is 0.5 grid spacings, "
        "sigma=0.02 along 'y' is 0.2 grid spacings; sample at least 22 nodes along 'x' and 105 nodes along 'y' to "
        "resolve them"
    )


@pytest.mark.parametrize(("kind", "word"), [("thrust", "an action"), ("gains", "a parameter vector")])
def test_what_is_drawn_is_called_as_the_axes_have_it(kind: str, word: str) -> None:
    q = landscapes.quadrotor(size=9, kind=kind)
    report = {check.name: check for check in resolution(solve(q, 50.0))}
    assert f"{word} drawn at the optimum falls outside the box" in report["box"].message
    inside = Landscape(np.exp(-np.square(np.linspace(-9, 9, 61))), Grid(Axis("x", -9, 9, 61, boundary="clip")))
    calm = Landscape(inside.values, inside.grid, provenance={"parameters": {"kind": "parameters"}})
    for landscape, words in ((inside, "actions drawn"), (calm, "parameters drawn")):
        assert resolution(solve(landscape, 0.5))[1].message.startswith(words)
