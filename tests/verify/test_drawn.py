"""What the checks of drawn fields say of what draws cannot know."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape
from heatpg.planes import Draws, evolve_plane

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
