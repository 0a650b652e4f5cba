"""Gaussian bumps on grids, and their mollified values and slopes in closed form."""

from __future__ import annotations

import math

import numpy as np

from heatpg import Axis, Grid, Landscape, landscapes

JOINT = ("variance", "log_sigma", "natural")


WIDTH = 0.3
"""Of both bumps of `landscapes.unequal_bumps`, of heights 0.6 at -1 and 1 at 1."""


def bumps(mu: float, s: float) -> tuple[float, float, float]:
    """L, dL/dmu and 1/2 d2L/dmu2 of the two unequal bumps in closed form."""
    total = np.zeros(3)
    for height, centre in ((0.6, -1.0), (1.0, 1.0)):
        v, x = WIDTH**2 + s, mu - centre
        u = height * WIDTH / math.sqrt(v) * math.exp(-(x**2) / (2 * v))
        total += [u, -x / v * u, 0.5 * (x**2 / v**2 - 1 / v) * u]
    return float(total[0]), float(total[1]), float(total[2])


def bump(dimensions: int, *, width: float = 0.5, size: int = 121) -> Landscape:
    grid = Grid(*(Axis(f"x{i}", -3.0, 3.0, size, boundary="clip") for i in range(dimensions)))
    found: Landscape = landscapes.gaussians(
        grid, heights=(1.0,), centers=(0.0,) * dimensions, widths=(width,) * dimensions
    )
    return found
