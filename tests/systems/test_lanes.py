"""Elementary functions over lanes, against extended precision, and whole numbers of steps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heatpg.errors import OptionError
from heatpg.systems.lanes import exponential, sine_cosine, step_count, whole_steps


def test_sine_and_cosine_are_accurate(rng):
    special = np.arange(-700_000, 700_000, 7) * (math.pi / 2)
    for x in (
        rng.uniform(-4, 4, 200_000),
        rng.uniform(-1e5, 1e5, 200_000),
        rng.uniform(-1e6, 1e6, 50_000),
        special[abs(special) <= 1e6],
        10.0 ** rng.uniform(-300, 0, 1000),
        np.array([0.0, 1e6, -1e6]),
    ):
        sine, cosine = np.empty_like(x), np.empty_like(x)
        sine_cosine(x, sine, cosine)
        for ours, exact in ((sine, np.sin(x.astype(np.longdouble))), (cosine, np.cos(x.astype(np.longdouble)))):
            assert np.max(np.abs(ours - exact) / np.spacing(np.abs(exact).astype(float))) <= 2.0


def test_sine_refuses_what_it_cannot_reduce():
    x = np.array([1.0, 1.1e6, -1e300, np.inf, np.nan, -2.0, 0.5, 1.5])
    sine, cosine = np.empty_like(x), np.empty_like(x)
    sine_cosine(x, sine, cosine)
    assert np.isnan(sine[1:5]).all() and np.isnan(cosine[1:5]).all()
    assert np.allclose(sine[[0, 5, 6, 7]], np.sin(x[[0, 5, 6, 7]]), rtol=1e-15)


def test_exponential_is_accurate(rng):
    for x in (rng.uniform(-12, 0, 200_000), rng.uniform(-708, 0, 200_000), np.array([0.0, -1e-300, -1e-9, -708.0])):
        ours, power = np.empty_like(x), np.empty(x.size, dtype=np.int64)
        exponential(x, ours, power)
        exact = np.exp(x.astype(np.longdouble))
        assert np.max(np.abs(ours - exact) / np.spacing(exact.astype(float))) <= 2.0
    x = np.array([-709.0, -1e300, -np.inf])
    exponential(x, ours := np.empty(3), np.empty(3, dtype=np.int64))
    assert np.allclose(ours, math.exp(-708), rtol=1e-15)


@pytest.mark.parametrize(
    ("duration", "step", "least", "count", "exact"),
    [
        (0.3, 0.1, 1, 3, True),  # 0.3 / 0.1 is below 3
        (1.0, 1.0 / 49.0, 1, 49, True),
        (0.3, 0.2, 1, 1, False),
        (0.3 * (1 + 2e-9), 0.1, 1, 3, False),
        (0.1, 0.5, 1, 1, False),  # the nearest that is allowed
        (0.0, 0.5, 0, 0, True),
        (0.1, 0.5, 0, 0, False),
    ],
)
def test_whole_steps(duration, step, least, count, exact):
    assert whole_steps(duration, step, least) == (count, exact)


def test_a_horizon_is_a_whole_number_of_steps():
    assert step_count(1.0, 0.05) == 20
    with pytest.raises(OptionError, match=r"use horizon=1$"):
        step_count(1.02, 0.05)
