"""Power per band."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape
from heatpg.errors import GridError, NonFiniteError, OptionError, UnsupportedError
from heatpg.roughness.spectrum import power_spectrum
from heatpg.roughness.waves import wavenumbers

BOUNDARIES = ("periodic", "reflect", "absorb", "clip", "zero")
CLOSED = ("periodic", "reflect", "absorb")


def axis(name: str, boundary: str, size: int, nodes: str = "vertex", length: float = 1.0) -> Axis:
    return Axis(name, 0.0, length, size, boundary=boundary, nodes=nodes)  # type: ignore[arg-type]


def kinds(names: tuple[str, ...]) -> list[Any]:
    return [pytest.param(b, n, id=f"{b}-{n}") for b, n in itertools.product(names, ("vertex", "cell"))]


@pytest.mark.parametrize(("boundary", "nodes"), kinds(BOUNDARIES))
@pytest.mark.parametrize("sizes", [(15,), (16,), (3,), (9, 12), (6, 5, 4)])
def test_parseval(boundary: str, nodes: str, sizes: tuple[int, ...], rng: np.random.Generator) -> None:
    grid = Grid(*(axis(f"x{i}", boundary, n, nodes, 1.0 + i) for i, n in enumerate(sizes)))
    spectrum = power_spectrum(rng.standard_normal(grid.shape) + 0.5, grid)
    assert spectrum.constant + spectrum.power.sum() + spectrum.outside == pytest.approx(spectrum.total, rel=1e-13)
    assert spectrum.outside == 0.0
    assert spectrum.total > 0
    some = power_spectrum(rng.standard_normal(grid.shape) + 0.5, grid, bands=[1.0, 4.0])
    assert some.constant + some.power.sum() + some.outside == pytest.approx(some.total, rel=1e-13)


@pytest.mark.parametrize(("boundary", "nodes"), kinds(("periodic", "reflect")))
def test_total_is_the_mean_square_over_the_box(boundary: str, nodes: str, rng: np.random.Generator) -> None:
    grid = Grid(axis("x", boundary, 11, nodes), axis("y", boundary, 8, nodes))
    values = rng.standard_normal(grid.shape)
    expected = (grid.weights * values**2).sum() / grid.weights.sum()
    spectrum = power_spectrum(values, grid)
    assert spectrum.total == pytest.approx(expected, rel=1e-13)
    mean = (grid.weights * values).sum() / grid.weights.sum()
    assert spectrum.constant == pytest.approx(mean**2, rel=1e-12)


@pytest.mark.parametrize(("boundary", "nodes"), kinds(CLOSED))
def test_a_wave_is_in_its_band(boundary: str, nodes: str) -> None:
    """a cos(k x) cos(l y) has the power a^2 / 4 at |k| = sqrt(k^2 + l^2); of held ends the chord is taken off."""
    grid = Grid(axis("x", boundary, 33, nodes, 2.0), axis("y", "periodic", 24))
    x, y = grid.mesh()
    k, along = 3 * math.pi / 2 * (2 if boundary == "periodic" else 1), 4 * math.pi
    exact = 1e-12
    if boundary == "absorb":
        k = wavenumbers(grid[0])[3 if nodes == "vertex" else 2]
        if nodes == "cell":
            # the chord goes through values on the walls, which the cubic through four cells misses by (k h)^5 and less
            exact = (k * grid[0].spacing) ** 5
        field = 3.0 * np.sin(1.5 * math.pi * x) * np.cos(along * y) + 7.0 - 2.0 * x
    else:
        field = 3.0 * np.cos(k * x) * np.cos(along * y)
    spectrum = power_spectrum(field, grid)
    band = int(np.argmax(spectrum.power))
    assert spectrum.edges[band] <= math.hypot(k, along) < spectrum.edges[band + 1]
    assert spectrum.power[band] == pytest.approx(9.0 / 4.0, rel=2.0 * exact)
    assert np.delete(spectrum.power, band).max() < max(1e-24, 9.0 * exact**2)
    assert spectrum.peak == spectrum.wavenumber[band]
    assert spectrum.density[band] == pytest.approx(spectrum.power[band] / np.diff(spectrum.edges)[band])


@pytest.mark.parametrize("boundary", ["clip", "zero"])
def test_the_taper_keeps_the_power_of_noise(boundary: str, rng: np.random.Generator) -> None:
    grid = Grid(axis("x", boundary, 200), axis("y", boundary, 150))
    spectrum = power_spectrum(rng.standard_normal(grid.shape), grid)
    # mean square of 30000 numbers of variance 1, whose weights w have mean w^4 = (35/128) / (3/8)^2 per axis
    spread = math.sqrt(2.0 * ((35 / 128) / 0.375**2) ** 2 / 30000)
    assert abs(spectrum.total - 1.0) < 4 * spread
    # no band has more than its share
    share = spectrum.modes / grid.size
    assert np.abs(spectrum.power - share)[20:80].max() < 0.5 * share[20:80].max()


@pytest.mark.parametrize("boundary", ["clip", "zero"])
def test_free_space_knows_no_plane_and_finds_a_wave(boundary: str) -> None:
    grid = Grid(axis("x", boundary, 64), axis("y", boundary, 80, "cell", 2.0))
    x, y = grid.mesh()
    assert power_spectrum(5.0 + 3.0 * x - 2.0 * y, grid).power.sum() < 1e-26
    k = 2 * math.pi * np.array([9.3, 7.2])
    spectrum = power_spectrum(x + 2.0 * np.cos(k[0] * x + k[1] * y), grid)
    assert abs(spectrum.peak - math.hypot(*k)) < 2 * math.pi
    near = np.abs(spectrum.wavenumber - math.hypot(*k)) < 2 * 2 * math.pi + 2 * math.pi
    # a wave of amplitude 2 has the power 2
    assert spectrum.power[near].sum() == pytest.approx(2.0, rel=0.02)


def test_bands() -> None:
    grid = Grid(axis("x", "periodic", 16), axis("y", "reflect", 9))
    values = np.arange(144.0).reshape(16, 9)
    default, four = power_spectrum(values, grid), power_spectrum(values, grid, bands=4)
    largest = math.hypot(16 * math.pi, 8 * math.pi)
    assert default.edges[:3] == pytest.approx([0.0, 3 * math.pi, 5 * math.pi])
    assert default.edges[-1] >= largest > default.edges[-2]
    assert four.edges == pytest.approx(largest * np.arange(5) / 4)
    assert default.modes.sum() == four.modes.sum() == 143
    assert default.power.sum() == pytest.approx(four.power.sum())
    edges = [2 * math.pi, 10.0, 20.0]
    given = power_spectrum(values, grid, bands=edges)
    assert given.edges.tolist() == edges
    assert given.outside > 0
    # lower edges belong to a band, and so does the last upper one
    line = Grid(axis("x", "reflect", 5, length=math.pi))
    assert power_spectrum(np.arange(5.0), line, bands=[1.0, 2.0, 3.0]).modes.tolist() == [1, 2]
    empty = power_spectrum(np.arange(5.0), line, bands=[1.2, 1.5, 3.0])
    assert math.isnan(empty.wavenumber[0]) and empty.power[0] == 0.0
    assert empty.as_dict()["wavenumber"][0] is None


def test_refusals() -> None:
    grid = Grid(axis("x", "reflect", 9))
    values = np.arange(9.0)
    q = Landscape(values, grid)
    bad_bands: list[Any] = [
        0,
        -2,
        True,
        2.5,
        [1.0],
        [1.0, 1.0],
        [2.0, 1.0],
        [-1.0, 1.0],
        [0.0, math.nan],
        "fine",
        [[0, 1]],
    ]
    for bands in bad_bands:
        with pytest.raises(OptionError, match="band"):
            power_spectrum(q, bands=bands)
    with pytest.raises(GridError, match="needs a grid"):
        power_spectrum(values)
    with pytest.raises(GridError, match="its own grid"):
        power_spectrum(q, Grid(axis("x", "reflect", 10)))
    with pytest.raises(GridError, match="wrong shape"):
        power_spectrum(values[:5], grid)
    with pytest.raises(NonFiniteError):
        power_spectrum(np.where(values == 3, np.nan, values), grid)
    with pytest.raises(UnsupportedError, match="one at a time"):
        power_spectrum(Landscape(np.ones((2, 9)), grid))


def test_a_flat_landscape_has_no_power() -> None:
    for boundary in BOUNDARIES:
        spectrum = power_spectrum(np.full(9, 3.0), Grid(axis("x", boundary, 9)))
        assert spectrum.power.sum() < 1e-28
        assert spectrum.constant == pytest.approx(9.0 if boundary in ("periodic", "reflect") else 0.0)
    assert math.isnan(power_spectrum(np.zeros(9), Grid(axis("x", "clip", 9))).peak)
    assert "peak" not in str(power_spectrum(np.zeros(9), Grid(axis("x", "clip", 9))))


def test_results_can_be_read_and_written(rng: np.random.Generator) -> None:
    grid = Grid(axis("x", "clip", 12), axis("y", "absorb", 9), axis("z", "reflect", 4))
    q = Landscape(rng.standard_normal(grid.shape), grid)
    before = q.values.copy()
    result = power_spectrum(q)
    assert np.array_equal(q.values, before)
    entries = result.as_dict()
    assert json.loads(json.dumps(entries, allow_nan=False)) == json.loads(json.dumps(entries))
    for word in ("rms", "tapered", "chord"):
        assert word in str(result)


@pytest.mark.parametrize(("boundary", "nodes"), kinds(BOUNDARIES))
@pytest.mark.parametrize("exponent", [-1060, -1000, -600, 600, 1000, 1020])
def test_squares_beyond_the_range_of_numbers(
    boundary: str, nodes: str, exponent: int, rng: np.random.Generator
) -> None:
    """Powers are those of Q in another unit; a power of two changes no digit but of subnormal numbers."""
    grid = Grid(axis("x", boundary, 21, nodes), axis("y", "reflect", 24, "cell", 2.0))
    values = rng.standard_normal(grid.shape) + 1.0
    near, far = power_spectrum(Landscape(values, grid)), power_spectrum(Landscape(np.ldexp(values, exponent), grid))
    assert near.exponent == 0 and abs(far.exponent - exponent) <= 3
    # the spacing of subnormal numbers, 2^-1074, over the values
    tolerance = 64 * (2.0**-52 + math.ldexp(1.0, -1074 - exponent))
    shift = 2 * (far.exponent - exponent)
    for name in ("power", "constant", "outside", "total"):
        found = np.ldexp(getattr(far, name), shift)
        np.testing.assert_allclose(found, getattr(near, name), rtol=tolerance, atol=tolerance * near.total)
    assert str(far).splitlines()[3:] == str(near).splitlines()[3:]
    rms = float(str(far).splitlines()[2].split()[1])
    assert rms == pytest.approx(math.ldexp(math.sqrt(near.power.sum() + near.outside), exponent), rel=1e-3)
