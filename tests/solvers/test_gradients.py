"""Gradients whatever the units of the axes: the same data on an axis with nodes one apart, and closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import heatpg
from heatpg import Axis, Grid, Landscape, evolve
from heatpg.boundaries import boundaries
from heatpg.errors import GridError, HeatpgError, NonFiniteError
from heatpg.evolution import Evolution, solve
from heatpg.quadrature import mollify
from heatpg.solvers import solvers

KINDS: list[tuple[str, Any]] = [(boundary, nodes) for boundary in boundaries.names() for nodes in ("vertex", "cell")]
EPS = float(np.finfo(np.float32).eps)


def _values(shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.float32]]:
    places = [np.arange(n) / n for n in shape]
    mesh = np.meshgrid(*places, indexing="ij")
    bump = np.exp(-sum(np.square(3.0 * (x - 0.4)) for x in mesh))
    return np.asarray(bump + 0.1 * np.cos(9.0 * mesh[0]), np.float32)


def _flow(
    unit: float, boundary: str, nodes: Any, solver: str, dtype: str, ratio: float, shape: tuple[int, ...] = (18,)
) -> Evolution:
    axes = [Axis("xyz"[i], 0.0, unit * n, n, boundary=boundary, nodes=nodes) for i, n in enumerate(shape)]
    grid = Grid(*axes)
    return solve(Landscape(_values(shape).astype(dtype), grid), [ratio * grid.spacing[0]], solver)


@pytest.mark.parametrize("name", solvers.names())
@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("ratio", [0.3, 2.0])
@pytest.mark.parametrize(
    ("dtype", "power"),
    [("float32", 126), ("float32", -126), ("float32", 90), ("float32", -90), ("float64", 500), ("float64", -500)],
)
def test_a_gradient_does_not_depend_on_the_unit_of_its_axis(
    name: str, boundary: str, nodes: Any, ratio: float, dtype: str, power: int
) -> None:
    """Where 1 / h, or h, times what weights take away is no normal number of the type; du/dx itself is one."""
    expected = _flow(1.0, boundary, nodes, name, "float64", ratio).gradient(0)
    scaled = _flow(2.0**power, boundary, nodes, name, dtype, ratio)
    found = scaled.gradient(0)
    assert found.dtype == scaled.values.dtype
    # no more than the same solver is off by in units of its own, but for rounding: of u, differenced with weights whose
    # sizes add up to 3 / h at most, or of sums over a few dozen of them
    own = np.abs(_flow(1.0, boundary, nodes, name, dtype, ratio).gradient(0) - expected).max()
    off = np.abs(np.ldexp(found.astype(np.float64), power) - expected).max()
    assert off <= own + (64 * EPS if dtype == "float32" else 0.0)


@pytest.mark.parametrize("power", [-126, 126])
def test_against_the_closed_form(power: int) -> None:
    length = 64 * 2.0**power
    axis = Axis("x", 0.0, length, 64, boundary="periodic")
    wave = 2.0 * np.pi / length
    values = np.cos(wave * axis.coordinates).astype(np.float32)
    sigma = 0.1 * length
    for name in ("spectral", "direct", "multiresolution"):
        found = evolve(Landscape(values, Grid(axis)), sigma, solver=name).gradient(0)[0]
        expected = -np.exp(-0.5 * (wave * sigma) ** 2) * np.sin(wave * axis.coordinates)
        # rounding of the values, through sums of weights of a derivative: sigma sum |w| = sqrt(2 / pi)
        assert np.abs(found.astype(np.float64) / wave - expected).max() <= 16 * EPS


@pytest.mark.parametrize("name", solvers.names())
@pytest.mark.parametrize("boundary", boundaries.names())
@pytest.mark.parametrize(("power", "words"), [(-146, "larger than any number"), (146, "too small for the digits")])
def test_what_no_number_holds_is_refused_in_words(name: str, boundary: str, power: int, words: str) -> None:
    flow = _flow(2.0**power, boundary, "vertex", name, "float32", 2.0)
    with pytest.raises(GridError, match=f"{words} of float32") as caught:
        flow.gradient()
    assert isinstance(caught.value, HeatpgError)
    assert isinstance(caught.value, ValueError)
    assert "change the unit of axis 'x'" in str(caught.value)
    # the same in double precision has a number for it
    assert np.isfinite(_flow(2.0**power, boundary, "vertex", name, "float64", 2.0).gradient()).all()


@pytest.mark.parametrize("name", solvers.names())
@pytest.mark.parametrize("boundary", ["clip", "zero"])
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
def test_a_slope_of_nothing_is_nothing_in_any_unit(name: str, boundary: str, nodes: Any) -> None:
    """Along an axis on which Q does not vary, round-off alone would be too small for a number."""
    grid = Grid(Axis("x", 0.0, 2.0**150, 12, "clip", nodes), Axis("y", 0.0, 1.0, 12, boundary, nodes))
    for line in (np.cos(np.arange(12)), np.ones(12)):
        values = np.broadcast_to(line, (12, 12)).astype(np.float32)
        found = solve(Landscape(values, grid), np.array([[2.0**146, 0.2]]), name).gradient(0)
        # round-off of some weights, and the smallest number that there is
        assert np.abs(found[0]).max() <= 64 * EPS * 2.0**-146 + 2.0**-149
        if boundary == "zero" or line[1] != 1.0:
            assert np.abs(found[1]).max() > 0.5


def test_one_axis_alone_may_have_such_a_unit() -> None:
    plain = Grid(Axis("x", 0.0, 1.0, 12, boundary="clip"), Axis("y", 0.0, 1.0, 9, boundary="reflect"))
    far = Grid(Axis("x", 0.0, 1.0, 12, boundary="clip"), Axis("y", 0.0, 2.0**-100, 9, boundary="reflect"))
    values = _values((12, 9))
    expected = solve(Landscape(values, plain), np.array([[0.2, 0.3]]), "direct").gradient(0)
    found = solve(Landscape(values, far), np.array([[0.2, 0.3 * 2.0**-100]]), "direct").gradient(0)
    assert found[0] == pytest.approx(expected[0], abs=16 * EPS * 12)
    assert np.ldexp(found[1], -100) == pytest.approx(expected[1], abs=16 * EPS * 9)


@pytest.mark.parametrize("power", [-124, 124])
def test_correlated_noise(power: int) -> None:
    def gradient(unit: float) -> Any:
        grid = Grid(*(Axis(name, 0.0, unit, 16, boundary="periodic") for name in "xy"))
        covariance = np.array([[0.04, 0.01], [0.01, 0.03]]) * unit**2
        flow = evolve(Landscape(_values((16, 16)), grid), covariance=covariance, checks="none")
        return flow.gradient(0)

    assert np.ldexp(gradient(2.0**power), power) == pytest.approx(gradient(1.0), abs=64 * EPS)


def test_a_steep_edge_in_single_precision_is_refused_too() -> None:
    """Q / (sqrt(2 pi) sigma) across an edge with nothing behind it, of values that need no other unit."""
    grid = Grid(Axis("x", 0.0, 1.0, 20, boundary="zero"))
    flow = solve(Landscape(np.linspace(1.0, 2.0, 20).astype(np.float32), grid), 1e-40, "spectral")
    with pytest.raises(NonFiniteError, match="larger than any number of float32"):
        flow.gradient(0)


@pytest.mark.parametrize("power", [-146, -126, 127, 146, 330])
def test_the_rest_does_not_depend_on_the_unit_either(power: int) -> None:
    """Fields, prices of a study, and averages of a function."""

    def landscape(unit: float) -> Landscape:
        x = np.arange(61)
        values = np.exp(-(((x - 19) / 3.0) ** 2)) + 0.7 * np.exp(-(((x - 40) / 8.0) ** 2))
        return Landscape(values.astype(np.float32), Grid(Axis("x", 0.0, 60 * unit, 61, boundary="clip")))

    unit = 2.0**power
    plain, scaled = landscape(1.0), landscape(unit)
    assert (evolve(scaled, 3 * unit).values == evolve(plain, 3.0).values).all()
    assert heatpg.study(scaled, [3 * unit, 12 * unit]).curve.price.tolist() == pytest.approx(
        heatpg.study(plain, [3.0, 12.0]).curve.price.tolist(), rel=1e-12
    )
    found = mollify(lambda points: np.cos(points[..., 0] / unit), [3 * unit], 0.5 * unit)
    assert float(found.value) == pytest.approx(np.cos(3.0) * np.exp(-0.125), abs=1e-8)
