"""Mean squares of what smoothing changes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape
from heatpg.roughness.meansquares import measure_smoothed, smooth_at


def test_what_white_noise_adds_is_known() -> None:
    """Mean squares of white noise of standard deviation 1, with and without what is taken off for it.

    Over 2^16 nodes a mean square of L - Q and the spread has a relative standard error of sqrt(2) / 2^8 = 0.6 %; that
    of the gradient rests on one number in 4 pi sigma^2 nodes: 12 % at 6 spacings.
    """
    grid = Grid(*(Axis(name, 0.0, 2 * math.pi, 256, boundary="periodic") for name in ("x", "y")))
    noise = np.random.default_rng(5).standard_normal(grid.shape)
    levels = np.repeat(np.array([1.5, 3.0, 6.0])[:, None] * grid[0].spacing, 2, axis=1)
    smoothed = smooth_at(Landscape(noise, grid), noise, (0, 1), levels)
    for method, bound in (("bias", 0.02), ("spread", 0.02), ("gradient", 0.3)):
        raw = measure_smoothed(method, smoothed, 0.0)
        taken = measure_smoothed(method, smoothed, 1.0)
        assert np.abs(taken.squares / raw.squares).max() < bound
        assert raw.squares - raw.left_out == pytest.approx(taken.squares - taken.left_out, abs=1e-12)
