"""What the checks of drawn fields say of what draws cannot know."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape
from heatpg.evolution import Evolution
from heatpg.planes import Draws, evolve_plane
from heatpg.verify import verify

Array = NDArray[np.float64]


@pytest.mark.parametrize("draws", [Draws(error=0.05), Draws(count=50, antithetic=False)])
def test_falls_that_no_draw_showed_are_told(draws: Draws) -> None:
    """Q falls by 100 where y > 1.25, which at sigma = .5 has the probability .0062."""

    def cliff(x: Array, y: Array, z: Array) -> Array:
        return np.asarray(np.exp(-x * x / 2) - 100.0 * (y > 1.25) + 0 * z)

    q = Landscape.from_function(cliff, Grid(Axis("x", -2.0, 2.0, 41, boundary="clip")), dimensions=3)
    flow = evolve_plane(q, 0.5, draws)
    assert flow.drawn is not None
    (check,) = [one for one in flow.report if one.name == "sampling error"]
    # 1 - .05^(1/n), about 3 / n, to two digits
    expected = -np.expm1(np.log(0.05) / flow.drawn["draws"])
    told = float(check.message.split("a probability of up to ")[1])
    assert told == pytest.approx(expected, rel=0.05) and told > 0.0062


@pytest.mark.parametrize("offset", [0.0, 5.0, -3.0, 1e6])
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
def test_nothing_outside_is_part_of_the_range(offset: float, nodes: Any) -> None:
    """Along `zero` u comes down from values far from 0 towards it, as it has to."""
    axis = Axis("x", -2.0, 2.0, 15, boundary="zero", nodes=nodes)
    q = Landscape.from_function(lambda x, y: offset + np.exp(-x * x / 2) * np.cos(y), Grid(axis), dimensions=2)
    flow = evolve_plane(q, [0.5, 2.0], Draws(count=40, antithetic=False), checks="none")
    check = verify(flow)["range"]
    assert check.status == "passed", check.details
    assert check.bound_source.endswith("osc(Q) with the outside" if offset else "relative to osc(Q)")
    # half of the noise of sigma = 2 at the wall is outside, and some of it beyond the other one
    if offset > 1.0:
        assert flow.values[1].min() < 0.6 * offset
        flow.values = 1.1 * flow.values - 1.5 * flow.values.min()
        assert verify(flow)["range"].status == "failed"


def test_rounding_as_wide_as_the_range_is_not_conclusive() -> None:
    axis = Axis("x", -2.0, 2.0, 15, boundary="clip")
    q = Landscape.from_function(lambda x, y: np.exp(-x * x / 2) * np.cos(y), Grid(axis), dimensions=2)
    flow = evolve_plane(q, 0.5, Draws(count=40, antithetic=False))
    assert flow.report["range"].status == "passed"
    rounded = Evolution.of(flow, values=flow.values, rounding=2.0)
    assert verify(rounded)["range"].status == "silent"
