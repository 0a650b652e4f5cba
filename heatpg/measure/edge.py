"""Observed orders at the edge of the box, where Q ends with a slope, a value or a curvature.

The smooth landscapes of `heatpg.measure.orders` are eigenmodes, or vanish before the walls: their continuations have no
kinks. Here Q is exp(0.7 x), whose derivatives at the walls are all there, and whose convolution on a half line is one
of Gaussians: exp(a x + a^2 t / 2) times the mass between the walls about x + a t.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from heatpg.boundaries import boundaries
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.measure.refinement import (
    Nodes,
    Row,
    chooses_its_steps,
    error_of,
    order_row,
    refined_in_space,
    round_off_bound,
    row_fields,
    sharpest,
    step_option,
)
from heatpg.solvers import Solver

__all__ = ["has_edge_order", "order_at_edge"]

Array = NDArray[Any]

_RATE = 0.7
_SIGMA = 0.3  # five spacings of the coarsest grid, an eighth of the box: kinks are resolved, and felt far inside
# Nodes on each level; at level 0 the error of order 5 is some 1e-7, five levels above round-off. In three dimensions
# they are the same, because on coarser grids `compact` falls short of its order: 61 to 161 an axis, 32 MiB at most.
_SIZES = (33, 41, 49, 61, 73, 89, 105, 129, 161)
_COARSER = 3  # levels in front of level 0


def _raised(x: Array, rate: float, sigma: float) -> Array:
    """Convolution of exp(rate x) on [-1, 1], nothing outside."""
    middle = x + rate * sigma**2
    inside = ndtr((1.0 - middle) / sigma) - ndtr((-1.0 - middle) / sigma)
    return np.asarray(np.exp(rate * x + 0.5 * (rate * sigma) ** 2) * inside)


def _chord(x: Array, sigma: float, low: float, high: float) -> Array:
    """Convolution of the chord from low to high on [-1, 1], nothing outside."""
    below, above = (-1.0 - x) / sigma, (1.0 - x) / sigma
    mass = ndtr(above) - ndtr(below)
    density = (np.exp(-0.5 * below**2) - np.exp(-0.5 * above**2)) * sigma / math.sqrt(2.0 * math.pi)
    slope = 0.5 * (high - low)
    return np.asarray((0.5 * (low + high) + slope * x) * mass + slope * density)


def _exact(x: Array, boundary: str, sigma: float) -> Array:
    """The evolution of exp(0.7 x) along one axis from -1 to 1."""
    low, high = math.exp(-_RATE), math.exp(_RATE)
    if boundary in ("clip", "zero"):
        inside = _raised(x, _RATE, sigma)
        if boundary == "zero":
            return inside
        return np.asarray(inside + low * ndtr((-1.0 - x) / sigma) + high * ndtr((x - 1.0) / sigma))
    total = np.zeros(len(x))
    # mirror images of the box as far as the Gaussian reaches
    for image in range(-math.ceil(5.0 * sigma) - 1, math.ceil(5.0 * sigma) + 2):
        sign = 1.0 if image % 2 == 0 else -1.0
        place = sign * (x - 2.0 * image)
        part = _raised(place, _RATE, sigma)
        # between held ends what is left of the chord turns over at each wall
        total += part if boundary == "reflect" else sign * (part - _chord(place, sigma, low, high))
    if boundary == "absorb":
        total += 0.5 * (low + high) + 0.5 * (high - low) * x
    return total


def has_edge_order(solver: Solver, boundary: str, dimensions: int) -> bool:
    """Whether an order at the edge is measured: there is an edge that is known here, and the work is small."""
    return boundary in ("clip", "zero", "reflect", "absorb") and (dimensions == 1 or solver.exact_in_time)


def order_at_edge(solver: Solver, boundary: str, dimensions: int = 1, nodes: Nodes = "vertex") -> Row:
    """Order of the largest error over a box at whose walls all derivatives of Q are there, at fixed sigma.

    Parameters
    ----------
    solver
        Which solver.
    boundary, dimensions, nodes
        The grid.

    Examples
    --------
    >>> from heatpg.solvers import make
    >>> from heatpg.measure.edge import order_at_edge
    >>> row = order_at_edge(make("direct"), "clip")
    >>> row.declared, round(row.observed, 1), row.passed
    (5.0, 5.0, True)
    """
    # a tolerance for the time steps would hide what is small in space
    solver = sharpest(solver)
    declared = solver.order_at_edge(boundary, nodes)

    def sample(level: int) -> Landscape:
        size = _SIZES[level + _COARSER]
        axes = [Axis(f"x{i + 1}", -1.0, 1.0, size + i, boundary=boundary, nodes=nodes) for i in range(dimensions)]
        factors = [np.exp(_RATE * axis.coordinates) for axis in axes]
        return Landscape(functools.reduce(np.multiply.outer, factors), Grid(*axes), name="exponential")

    on = refined_in_space(solver, sample, _SIGMA, order=declared)

    def measure(level: int) -> tuple[float, float, float]:
        chosen, landscape = on(level)
        lines = [_exact(axis.coordinates, boundary, _SIGMA) for axis in landscape.grid]
        error = error_of(chosen, landscape, _SIGMA, functools.reduce(np.multiply.outer, lines))
        return landscape.grid[0].spacing, error, round_off_bound(chosen, landscape, _SIGMA)

    refined = None if chooses_its_steps(solver) else step_option(solver)
    place = row_fields(solver, boundary, nodes, dimensions, "exponential", refined)
    source = "of the end correction, or of the trapezoid rule without one"
    if not boundaries.get(boundary).free_space:
        source += ", on the mirrored line"
    return order_row(measure, declared, finest=5, axis="edge", source=source, **place)
