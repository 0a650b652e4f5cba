"""What the figures share: words for sigma and for places, colours, and where the maximum is."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from heatpg.evolution import Evolution
from heatpg.grid import Axis, Grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "COLOURS",
    "Optimum",
    "axis_label",
    "line_colours",
    "new_axes",
    "number",
    "optimum",
    "shown_sigmas",
    "sigma_label",
    "single",
]

Array = NDArray[Any]

COLOURS = "viridis"


@dataclasses.dataclass(frozen=True)
class Optimum:
    """The largest value of a field.

    Attributes
    ----------
    index
        Index of its node.
    value
        The value.
    coordinates
        Position of the node.
    edges
        Names of the axes at whose end the node lies, where there is an end.
    """

    index: tuple[int, ...]
    value: float
    coordinates: tuple[float, ...]
    edges: tuple[str, ...]


def optimum(values: Array, grid: Grid) -> Optimum:
    """Where a field of the shape of the grid is largest."""
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(values)), values.shape))
    edges = tuple(
        axis.name for axis, i in zip(grid, index, strict=True) if not axis.rule.periodic and i in (0, axis.size - 1)
    )
    return Optimum(index, float(values[index]), grid.point(index), edges)


def new_axes(ax: Axes | None) -> Axes:
    """The axes given, or those of a new figure that belongs to no window."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(6.0, 4.5), layout="constrained").subplots()


def single(values: Array, grid: Grid) -> Array:
    """The first landscape of a batch."""
    return np.asarray(values[(0,) * (values.ndim - grid.dimensions)])


def number(value: float) -> str:
    """A number in three digits, with a minus sign of full width."""
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")


def axis_label(axis: Axis) -> str:
    """Name and unit of an axis."""
    return f"{axis.name} ({axis.unit})" if axis.unit else axis.name


def _correlation_label(evolution: Evolution, index: int) -> str:
    """What sigma does not say of correlated noise: its correlation, of more than two axes the strongest."""
    if evolution.covariance is None or evolution.grid.dimensions == 1:
        return ""
    deviations = evolution.sigma[index]
    correlations = (evolution.covariance[index] / np.multiply.outer(deviations, deviations))[
        np.triu_indices(len(deviations), 1)
    ]
    strongest = float(correlations[np.abs(correlations).argmax()])
    return f", ρ = {number(strongest)}" if len(correlations) == 1 else f", ρ up to {number(strongest)}"


def sigma_label(evolution: Evolution, index: int) -> str:
    """One noise level with its unit, as ``σ = 0.05 N``; of correlated noise ``σ = (0.1, 0.2) N, ρ = 0.5``."""
    row = [float(value) for value in np.atleast_1d(evolution.sigma[index])]
    correlation = _correlation_label(evolution, index)
    units = {axis.unit for axis in evolution.grid}
    if len(units) == 1:
        unit = f" {units.pop()}"
        text = number(row[0]) if len(row) == 1 else f"({', '.join(map(number, row))})"
        return f"σ = {text}{unit}".rstrip() + correlation
    if len(row) == 1:
        return f"σ = {number(row[0])}"
    parts = [f"{number(value)} {axis.unit}".rstrip() for value, axis in zip(row, evolution.grid, strict=True)]
    return f"σ = ({', '.join(parts)}){correlation}"


def shown_sigmas(evolution: Evolution, most: int = 3) -> list[int]:
    """Some of the stored noise levels, the first and the last among them, without sigma = 0."""
    stored = [k for k, row in enumerate(evolution.sigmas) if row.any()]
    if not stored:
        return [0]
    places = np.linspace(0, len(stored) - 1, min(most, len(stored)))
    return [stored[round(place)] for place in places]


def line_colours(count: int) -> list[tuple[float, float, float, float]]:
    """Colours from dark to light, told apart in grey as well; the lightest, unseen on white, are left out."""
    from matplotlib import colormaps

    return (
        [colormaps[COLOURS](place) for place in np.linspace(0.1, 0.82, count)]
        if count > 1
        else [colormaps[COLOURS](0.35)]
    )
