"""Data with a singularity; the orders on them are measured for every solver in test_orders."""

from __future__ import annotations

import pytest

from heatpg.errors import OptionError
from heatpg.measure.rough import rough_order_in_space, rough_order_in_time
from heatpg.solvers import make


def test_unknown_rough_data() -> None:
    with pytest.raises(OptionError, match="Weierstrass"):
        rough_order_in_space(make("spectral"), "noise")
    with pytest.raises(OptionError, match="step"):
        rough_order_in_time(make("implicit"), "noise")
