"""What a grid and its box can show at a sigma."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtr

from heatpg import Axis, Grid, Landscape, landscapes
from heatpg.core.noise import Sigma
from heatpg.core.report import Check
from heatpg.evolution import solve
from heatpg.large import LargeLandscape, evolve_large
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


@pytest.mark.parametrize("boundary", ["clip", "zero"])
def test_the_box_is_left_at_some_levels_only(boundary: str) -> None:
    """A needle at the edge, and a hill inside which is higher at once: what is said holds for each level."""
    x = Axis("x", 0.0, 1.0, 201, boundary=boundary)
    near, width = (0.0, 0.03) if boundary == "clip" else (0.02, 0.02)
    q = np.exp(-0.5 * ((x.coordinates - near) / width) ** 2)
    q += (0.9 if boundary == "clip" else 0.6) * np.exp(-0.5 * ((x.coordinates - 0.5) / 0.1) ** 2)
    flow = solve(Landscape(q, Grid(x)), [0.01, 0.05, 0.1])
    tops = x.coordinates[flow.values.argmax(axis=1)]
    outside = 1 - ndtr((1 - tops) / flow.sigma) + ndtr(-tops / flow.sigma)
    left = outside > 0.01
    assert left.tolist() == ([True, False, True] if boundary == "clip" else [True, False, False])
    check = {one.name: one for one in resolution(flow)}["box"]
    words = f"at {left.sum()} of 3 noise levels, the first sigma=0.01"
    assert check.message.startswith(words) and f"probability {outside[left].min():.2g} or more" in check.message
    assert check.figure == pytest.approx(outside[0], rel=1e-12)
    # from the first level on
    late = {one.name: one for one in resolution(solve(Landscape(q, Grid(x)), [0.05, 0.3, 0.4]))}["box"]
    assert late.message.startswith("for sigma >= 0.3, ")


def test_a_large_landscape_says_the_same_of_its_box(tmp_path: Path) -> None:
    x = Axis("x", 0.0, 1.0, 201, boundary="clip")
    q = np.exp(-0.5 * (x.coordinates / 0.03) ** 2) + 0.9 * np.exp(-0.5 * ((x.coordinates - 0.5) / 0.1) ** 2)
    large = evolve_large(LargeLandscape(q, Grid(x)), [0.01, 0.05, 0.1], tmp_path / "large.h5")
    [box] = [one for one in large.report if one.name == "box"]
    [other] = [one for one in resolution(solve(Landscape(q, Grid(x)), [0.01, 0.05, 0.1])) if one.name == "box"]
    assert box.message == other.message and box.figure == pytest.approx(other.figure)
