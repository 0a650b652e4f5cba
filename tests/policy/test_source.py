"""The interpolant that is sampled and its exact gradient, against integrals cell by cell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from heatpg import Axis, Grid, Landscape, landscapes
from heatpg.core.field import HeatField
from heatpg.errors import (
    GridError,
    OptionError,
    SigmaError,
    UnsupportedError,
)
from heatpg.policy.estimators import estimate_gradient
from heatpg.policy.source import ActionValue

Array = NDArray[Any]


def line(boundary: str, nodes: Any, size: int = 9) -> Landscape:
    values = np.random.default_rng(2).normal(size=size)
    return Landscape(values, Grid(Axis("x", -1.0, 1.0, size, boundary=boundary, nodes=nodes)))


@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("boundary", ["clip", "zero", "reflect", "periodic"])
@pytest.mark.parametrize("sigma", [0.1, 0.5, 2.0])
def test_the_exact_gradient_is_that_of_the_interpolant_which_is_sampled(
    boundary: str, nodes: str, sigma: float
) -> None:
    """Against adaptive integration of interpolant times score, cell by cell."""
    q = line(boundary, nodes)
    mean = 0.37
    reach = 9 * sigma
    h = q.grid.spacing[0]
    first = q.grid[0].coordinates[0]
    # between the nodes and walls, of which the mirror images are some too
    breaks = np.unique(
        np.round(np.concatenate([first + h * np.arange(-200, 200), [-1, 1], [mean - reach, mean + reach]]), 12)
    )
    breaks = breaks[(breaks >= mean - reach) & (breaks <= mean + reach)]
    nodes8, weights8 = np.polynomial.legendre.leggauss(20)
    a, b = breaks[:-1, None], breaks[1:, None]
    x = (0.5 * (a + b) + 0.5 * (b - a) * nodes8).ravel()
    w = (0.5 * (b - a) * weights8).ravel()
    z = (x - mean) / sigma
    density = norm.pdf(z) / sigma * w
    value = ActionValue(q).value(x[:, None])
    for parameter, score in (("mean", z / sigma), ("variance", 0.5 * (z**2 - 1) / sigma**2)):
        estimate = estimate_gradient(q, [mean], sigma, with_respect_to=parameter, samples=4)
        assert estimate.exact is not None
        # cells may be 2.5 sigma wide, where 20 Gauss points leave 1e-10
        assert abs(estimate.exact[0] - (density * score * value).sum()) < 1e-9 / sigma**2


@pytest.mark.parametrize("boundary", ["clip", "reflect", "periodic"])
@pytest.mark.parametrize("parameter", ["mean", "variance"])
def test_an_axis_along_which_nothing_happens_changes_nothing(boundary: str, parameter: str) -> None:
    """The mean 0.9 is near a wall of the idle axis: all noise counts, that beyond the wall too."""
    q = line("clip", "vertex")
    idle = Grid(q.grid[0], Axis("y", -1.0, 1.0, 7, boundary=boundary))
    wide = Landscape(np.repeat(q.values[:, np.newaxis], 7, axis=1), idle)
    options: dict[str, Any] = {"with_respect_to": parameter, "samples": 4}
    one, two = (
        estimate_gradient(q, [0.37], [0.6], **options),
        estimate_gradient(wide, [0.37, 0.9], [0.6, 0.8], **options),
    )
    assert one.exact is not None and two.exact is not None
    assert two.exact == pytest.approx([one.exact[0], 0.0], abs=1e-12)


def test_the_interpolant_meets_the_nodes_and_the_boundary() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 6, boundary="reflect"), Axis("y", 0.0, 1.0, 5, boundary="periodic"))
    values = np.random.default_rng(3).normal(size=grid.shape)
    q = ActionValue(Landscape(values, grid))
    points = np.stack([axis.ravel() for axis in grid.mesh()], axis=1)
    assert np.abs(q.value(points) - values.ravel()).max() < 1e-14
    inside = np.random.default_rng(4).uniform(0, 1, (50, 2))
    mirrored = inside * [-1, 1] + [0, 3]
    assert np.abs(q.value(mirrored) - q.value(inside)).max() < 1e-13
    assert np.abs(q.slope(mirrored) - q.slope(inside) * [-1, 1]).max() < 1e-12
    # multilinear: exact between nodes, and its slope is that of differences
    step = 1e-6
    for i in range(2):
        shift = step * np.eye(2)[i]
        difference = (q.value(inside + shift) - q.value(inside - shift)) / (2 * step)
        assert np.median(np.abs(difference - q.slope(inside)[:, i])) < 1e-8
    for boundary, outside in (("clip", 3.0), ("absorb", 3.0), ("zero", 0.0)):
        ends = ActionValue(Landscape([1.0, 2.0, 3.0], Grid(Axis("x", 0, 2, 3, boundary=boundary))))
        assert ends.value(np.array([[1.5], [2.5]])) == pytest.approx([2.5, outside])
        assert ends.slope(np.array([[1.5], [2.5]])).ravel() == pytest.approx([1.0, 0.0])


def test_the_discretisation_is_of_second_order() -> None:
    left = []
    for size in (41, 81):
        q = landscapes.gaussians(
            Grid(Axis("x", -4.0, 4.0, size, boundary="clip")), heights=(1.0,), centers=(0.2,), widths=(0.5,)
        )
        estimate = estimate_gradient(q, [0.6], 0.4, samples=4)
        assert estimate.exact is not None and estimate.discretisation is not None
        field = HeatField(q).gradient([[0.6]], 0.4)[0]
        assert estimate.discretisation == pytest.approx(np.abs(field - estimate.exact), rel=1e-9)
        left.append(float(estimate.discretisation[0]))
    # the hat adds h^2 / 6 to the variance of the noise: u_x changes by h^2 / 12 u_xxx
    third = HeatField(q).derivatives([[0.6]], 0.4, 3)[0, 3]
    assert left[1] == pytest.approx(abs(0.1**2 / 12 * third), rel=0.05)
    assert 3.5 < left[0] / left[1] < 4.5


def test_landscapes_that_cannot_be_sampled() -> None:
    q = line("absorb", "vertex")
    with pytest.raises(UnsupportedError, match="does not support 'absorb'"):
        estimate_gradient(q, [0.0], 0.1)
    with pytest.raises(UnsupportedError, match="batch"):
        estimate_gradient(Landscape(np.ones((2, 9)), q.grid), [0.0], 0.1)
    with pytest.raises(OptionError, match="uses the gradient of its interpolant"):
        estimate_gradient(line("clip", "vertex"), [0.0], 0.1, gradient=lambda x: [x])
    with pytest.raises(GridError, match="outside the box along"):
        estimate_gradient(line("reflect", "vertex"), [1.5], 0.1)
    with pytest.raises(SigmaError, match="too large"):
        estimate_gradient(line("reflect", "vertex"), [0.5], 1e6)
    free = estimate_gradient(line("clip", "vertex"), [1.5], 0.1)  # in free space the mean may be anywhere
    assert free.z_scores is not None and abs(free.z_scores[0]) < 4
