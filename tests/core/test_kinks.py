"""Series and stencils of kinks at the walls, against sums written out and polynomials."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from heatpg import Axis
from heatpg.core.kinks import jumps_along, kink_series, kink_tables, period_of

PLACEMENTS = [(b, n) for b in ("clip", "zero", "reflect", "absorb", "periodic") for n in ("vertex", "cell")]
CORRECTED = ("clip", "zero", "reflect")


@pytest.mark.parametrize(("boundary", "nodes"), PLACEMENTS)
@pytest.mark.parametrize("size", [3, 4, 9])
def test_jumps_of_polynomials_are_exact(boundary: str, nodes: Any, size: int) -> None:
    """Of x^p about the wall only the p-th derivative is there, p!; an even continuation doubles it."""
    axis = Axis("x", 0.0, float(size - (nodes == "vertex" and boundary != "periodic")), size, boundary, nodes)
    orders, weights = jumps_along(axis, 2.0)
    assert bool(orders) == (boundary in CORRECTED)
    place = np.arange(weights.shape[1]) + (0.5 if nodes == "cell" else 0.0)
    factor = 2.0 if boundary == "reflect" else 1.0
    for power in range(weights.shape[1]):
        wanted = [factor * math.factorial(k) if k == power else 0.0 for k in orders]
        # products of numbers up to 3.5^3 by weights up to 6
        np.testing.assert_allclose(weights @ place**power, wanted, rtol=0, atol=1e-13)


def test_cells_take_three_nodes_below_one_and_a_half_spacings() -> None:
    axis = Axis("x", 0.0, 8.0, 8, "zero", "cell")
    assert [jumps_along(axis, sigma)[1].shape[1] for sigma in (1.0, 1.49, 1.5)] == [3, 3, 4]


@pytest.mark.parametrize("cell", [False, True])
@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_the_series_is_what_a_sum_lacks(order: int, cell: bool) -> None:
    """With exp(-a x) for the Gaussian the integral is known, a^-(k + 1), and the sum may be written out."""
    rate, half = 0.25, 0.5 if cell else 0.0
    x = np.arange(400) + half
    samples = x**order / math.factorial(order) * np.exp(-rate * x)
    if not cell and order == 0:
        samples[0] = 0.5
    lacking = rate ** -(order + 1) - math.fsum(samples)
    # exp(rate x) in place of the Gaussian at the wall: its n-th derivative is rate^n
    series = kink_series(order, cell)
    summed = math.fsum(series[:20] * rate ** np.arange(20))
    # rounding of numbers as large as rate^-(k + 1) = 256
    assert abs(summed - lacking) < 1e-12


def test_periods_are_those_of_the_mirrored_line() -> None:
    assert period_of(Axis("x", 0.0, 4.0, 5, "reflect")) == 8
    assert period_of(Axis("x", 0.0, 4.0, 5, "absorb", "cell")) == 8
    assert period_of(Axis("x", 0.0, 5.0, 5, "reflect", "cell")) == 10
    assert period_of(Axis("x", 0.0, 4.0, 5, "clip")) == 0


def test_tables_of_a_boundary_without_kinks_take_no_nodes() -> None:
    assert kink_tables(Axis("x", 0.0, 4.0, 4, "periodic"))[2][2] == 0.0
    assert kink_tables(Axis("x", 0.0, 4.0, 4, "absorb", "cell"))[2][2] == 0.0
    assert kink_tables(Axis("x", 0.0, 4.0, 5, "clip"))[2][2] == 4.0
