"""At every door by which arrays come in, masked values are refused, with the first place that is masked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, evolve, quadrature
from heatpg.core.field import HeatField
from heatpg.core.noise import positive_sigmas
from heatpg.core.positions import axis_from_coordinates
from heatpg.errors import HeatpgError
from heatpg.landscapes.directions import Directions
from heatpg.large import LargeLandscape, evolve_large
from heatpg.policy import estimate_gradient

GRID = Grid(Axis("x", 0.0, 1.0, 8, boundary="reflect"))
PLANE = Grid(Axis("x", 0.0, 1.0, 8, boundary="reflect"), Axis("y", 0.0, 1.0, 8, boundary="reflect"))


def hidden(*numbers: float, at: int = -1) -> Any:
    """Numbers of which one is masked, over what files often have there."""
    values: Any = np.ma.array(numbers, mask=False, dtype=float)
    values[at] = 9.97e36
    values[at] = np.ma.masked
    return values


class Variable:
    """A variable of a file, which becomes a masked array when it is read, as those of netCDF4 do."""

    def __init__(self, values: Any) -> None:
        self.values = values

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values


LINE = hidden(*range(8), at=5)
FLOW = evolve(Landscape(np.arange(8.0), GRID), 0.2)

DOORS: dict[str, Callable[[Path], object]] = {
    "values": lambda folder: Landscape(LINE, GRID),
    "values in a list": lambda folder: Landscape([LINE, LINE], GRID),
    "a variable of a file": lambda folder: Landscape(Variable(LINE), GRID),
    "a standard error": lambda folder: Landscape(np.arange(8.0), GRID, standard_error=LINE),
    "from_array": lambda folder: Landscape.from_array(LINE, GRID),
    "from_array with a boundary": lambda folder: Landscape.from_array(LINE, boundary="clip"),
    "from_array of a variable": lambda folder: Landscape.from_array(Variable(LINE), GRID),
    "from_function": lambda folder: Landscape.from_function(lambda x: np.ma.masked_greater(x, 0.7), GRID),
    "from_function of a point": lambda folder: Landscape.from_function(
        lambda x: np.ma.masked_greater([x], 0.7), GRID, vectorized=False
    ),
    "positions": lambda folder: axis_from_coordinates("x", LINE, boundary="clip"),
    "points between the nodes": lambda folder: HeatField(FLOW.landscape).value(hidden(0.1, 0.2)[:, None], 0.2),
    "points of a sampler": lambda folder: Landscape.from_function(np.sin, GRID).sample(hidden(0.1, 0.2)[:, None]),
    "sigma": lambda folder: evolve(FLOW.landscape, hidden(0.1, 0.2)),
    "sigma by axis": lambda folder: evolve(
        Landscape(np.zeros((8, 8)), PLANE), {"x": hidden(0.1, 0.2), "y": [0.1, 0.2]}
    ),
    "covariance": lambda folder: evolve(
        Landscape(np.zeros((8, 8)), PLANE), covariance=np.ma.masked_equal([[2.0, 1.0], [1.0, 3.0]], 3.0)
    ),
    "sigmas of a curve": lambda folder: positive_sigmas(hidden(0.1, 0.2)),
    "a large array": lambda folder: evolve_large(LargeLandscape(LINE, GRID), 0.2, folder / "out.h5"),
    "a large function": lambda folder: evolve_large(
        LargeLandscape(lambda x: np.ma.masked_greater(x, 0.7), GRID), 0.2, folder / "out.h5"
    ),
    "a direction": lambda folder: Directions(hidden(1.0, 0.0)[None]),
    "a centre": lambda folder: quadrature.mollify(lambda a: a[:, 0], hidden(0.1, 0.2), 0.3),
    "noise of a centre": lambda folder: quadrature.mollify(lambda a: a[:, 0], [0.1, 0.2], hidden(0.1, 0.2)),
    "values of a mollified function": lambda folder: quadrature.mollify(
        lambda a: np.ma.masked_greater(a[:, 0], 0.1), [0.1], 0.3
    ),
    "the mean of a policy": lambda folder: estimate_gradient(FLOW.landscape, hidden(0.1), 0.2),
    "the sigma of a policy": lambda folder: estimate_gradient(FLOW.landscape, [0.1], hidden(0.2)),
    "an action value": lambda folder: estimate_gradient(lambda x: np.ma.masked_greater(x, 0.1), [0.1], 0.2),
}


@pytest.mark.parametrize("door", DOORS)
def test_masked_values_are_refused_with_their_place(door: str, tmp_path: Path) -> None:
    with pytest.raises(HeatpgError, match=r"(?s)masked at index \(\d+,.*filled"):
        DOORS[door](tmp_path)
    assert not (tmp_path / "out.h5").exists()


def test_a_mask_that_hides_nothing_is_no_mask() -> None:
    values = np.ma.array(np.arange(8.0), mask=False)
    assert np.array_equal(Landscape.from_array(values, GRID).values, np.arange(8.0))
    assert not isinstance(Landscape(values, GRID).values, np.ma.MaskedArray)


def test_the_first_masked_place_is_named_in_a_plane() -> None:
    loss = np.ones((8, 8))
    loss[6, 2] = loss[7, 1] = -1.0
    with pytest.raises(HeatpgError, match=r"(?s)Q is masked at index \(6, 2\).*2 of 64 values masked"):
        Landscape.from_array(np.ma.masked_equal(loss, -1.0), PLANE)
