"""Structure functions against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, landscapes
from heatpg.errors import UnsupportedError
from heatpg.roughness.holder import holder_exponent
from heatpg.roughness.increments import structure_function


def test_structure_function_of_a_wave() -> None:
    """cos(k x) on the circle: S_2 = 1 - cos(k delta), and S_4 = 3/2 (1 - cos(k delta))^2."""
    grid = Grid(Axis("x", 0.0, 2 * math.pi, 240, boundary="periodic"))
    measured = structure_function(Landscape.from_function(lambda x: np.cos(3 * x), grid), moments=[2, 4])
    expected = 1.0 - np.cos(3 * measured.scales)
    assert measured.values == pytest.approx(np.array([expected, 1.5 * expected**2]), abs=1e-13)
    assert measured.scales == pytest.approx(measured.lags * grid[0].spacing)
    assert set(measured.pairs) == {240}


def test_structure_function_uses_the_pairs_inside_the_box() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 9, boundary="clip"), Axis("y", 0.0, 2.0, 5, boundary="reflect"))
    landscape = Landscape.from_function(lambda x, y: x**2 - 3 * y, grid)
    along_x = structure_function(landscape, moments=(1, 2), axis="x", lags=[1, 4])
    columns = [landscape.values[lag:] - landscape.values[:-lag] for lag in (1, 4)]
    expected = [[np.abs(c).mean() for c in columns], [(c**2).mean() for c in columns]]
    assert along_x.values == pytest.approx(np.array(expected))
    assert along_x.pairs.tolist() == [40, 25]
    assert along_x.axes == ("x",)
    along_y = structure_function(landscape, moments=[1], axis=1, lags=[2])
    assert along_y.values[0, 0] == pytest.approx(3.0)
    both = structure_function(landscape, moments=[1], lags=[2])
    total = np.abs(landscape.values[2:] - landscape.values[:-2]).sum() + 3.0 * 27
    assert both.values[0, 0] == pytest.approx(total / (35 + 27))
    assert both.scales[0] == pytest.approx(2 * math.sqrt(0.125 * 0.5))


def test_local_exponents_saturate_at_one() -> None:
    grid = Grid(Axis("x", -1.0, 1.0, 4097, boundary="clip"))
    smooth = Landscape.from_function(lambda x: x**3, grid)
    exponents = structure_function(smooth, moments=(1, 2), lags=[1, 2, 4, 8]).exponents()
    assert exponents == pytest.approx(np.ones((2, 3)), abs=0.01)
    step = Landscape.from_function(lambda x: np.where(x > 0, 1.0, 0.0), grid)
    exponents = structure_function(step, moments=(1, 2), lags=[1, 2, 4, 8]).exponents()
    # S_q = delta / (L - delta) for any q: a jump is the same in all powers
    assert exponents == pytest.approx(np.array([[1.0] * 3, [0.5] * 3]), abs=0.005)
    stripes = Landscape.from_function(lambda x: np.cos(math.pi * 1024 * (x + 1)), grid)
    with pytest.raises(UnsupportedError, match="all zero"):
        structure_function(Landscape(np.rint(stripes.values), grid), lags=[1, 4]).exponents()


@pytest.mark.parametrize(("offset", "factor"), [(1e9, 1.0), (-1e12, 1.0), (0.0, 1e-200), (0.0, 1e-300), (0.0, 1e200)])
def test_an_offset_and_the_unit_do_not_matter(offset: float, factor: float) -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 513, boundary="periodic"))
    values = landscapes.weierstrass(grid).values * factor + offset
    plain = Landscape((values - offset) / factor, grid)  # the numbers that are stored
    expected, found = holder_exponent(plain), holder_exponent(Landscape(values, grid))
    # means and squares of some hundred numbers, each rounded once more or less
    assert abs(found.exponent - expected.exponent) <= 1e-12
    assert abs(found.intermittency - expected.intermittency) <= 1e-12
    np.testing.assert_allclose(found["structure"].values / factor, expected["structure"].values, rtol=1e-12)
    first = structure_function(Landscape(values, grid), moments=[1]).values / factor
    np.testing.assert_allclose(first, structure_function(plain, moments=[1]).values, rtol=1e-12)
