"""Weights below a spacing: their moments, their continuity, and what they lack at a wall."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr

from heatpg import Axis, Grid, Landscape
from heatpg.core.field import HeatField
from heatpg.core.narrow import narrow_columns, narrow_jumps, narrow_weights
from heatpg.evolution import solve


def test_weights_are_positive_and_continuous_in_sigma() -> None:
    ratios = np.linspace(1e-6, 1.0 - 1e-6, 20001)
    weights = np.array([narrow_weights(float(ratio)) for ratio in ratios])
    assert weights.min() >= 0.0
    # a weight is at most quadratic in s = ratio^2 with slopes below 1: steps of 2 ratio d(ratio)
    assert np.abs(np.diff(weights, axis=0)).max() <= 3.0 * (ratios[1] - ratios[0])
    # and goes over into samples of the Gaussian but for their eighth moment: by a multiple of the eighth difference,
    # whose middle is 70/256 of what it makes of the shortest wave
    node = np.arange(-4, 5)
    samples = np.exp(-0.5 * node**2) / math.sqrt(2.0 * math.pi)
    missing = np.pad(weights[-1], 1) - samples
    assert np.abs(missing).max() == pytest.approx(70 / 256 * abs(missing @ (-1.0) ** node), rel=0.02)
    assert np.abs(missing).max() < 0.011


@pytest.mark.parametrize("ratio", [0.01, 0.2, 0.45])
def test_columns_are_what_the_weights_lack(ratio: float) -> None:
    """Where nothing has to be cut: the flow of a step and of a slope, less the sums over their samples."""
    weights, node = narrow_weights(ratio), np.arange(-3, 4)
    columns = narrow_columns(ratio)
    for j in (0, 1):
        x = j / ratio
        assert columns[0, j] == pytest.approx(
            float(ndtr(x) - weights @ ((node + j > 0) + 0.5 * (node + j == 0))), abs=1e-15
        )
        flow = j * ndtr(x) + ratio * math.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
        assert columns[1, j] == pytest.approx(float(flow - weights @ np.maximum(node + j, 0)), abs=1e-15)


def test_only_walls_with_nodes_have_slopes() -> None:
    for boundary, jumps in {"clip": (0, 1), "zero": (1, 1), "reflect": (0, 2), "absorb": (0, 0)}.items():
        assert narrow_jumps(Axis("x", 0.0, 1.0, 9, boundary=boundary)) == jumps
        assert narrow_jumps(Axis("x", 0.0, 1.0, 9, boundary=boundary, nodes="cell")) == (0, 0)


@pytest.mark.parametrize("boundary", ["clip", "zero", "reflect", "absorb", "periodic"])
@pytest.mark.parametrize("size", [3, 4, 9, 40])
def test_a_field_between_nodes_has_the_weights_of_the_solver_at_them(
    boundary: str, size: int, rng: np.random.Generator
) -> None:
    axis = Axis("x", -1.0, 1.0, size, boundary=boundary)
    landscape = Landscape(rng.standard_normal(size), Grid(axis))
    for ratio in (0.01, 0.3, 0.59, 0.8, 0.99):
        field = HeatField(landscape).value(axis.coordinates[:, None], ratio * axis.spacing)
        # some tens of products, of basis polynomials that are one or zero to rounding
        assert np.abs(field - solve(landscape, ratio * axis.spacing, "direct").values[0]).max() <= 1e-13
