"""One field over its grid: a line in one dimension, a map in two, a slice through the optimum in more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from heatpg.evolution import Evolution
from heatpg.grid import Axis, Grid
from heatpg.landscape import Landscape
from heatpg.plot._common import COLOURS, axis_label, new_axes, number, optimum, sigma_label, single

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize

__all__ = ["draw_field", "field", "landscape", "slice_label"]

_TRUST = 0.01
_MOST_SIDE_RATIO = 2.0


def _extent(axis: Axis) -> tuple[float, float]:
    nodes = axis.coordinates
    return float(nodes[0] - axis.spacing / 2), float(nodes[-1] + axis.spacing / 2)


def slice_label(grid: Grid, center: tuple[int, ...]) -> str:
    """Where a map cuts through the axes that it does not show, as ``x3 = 0.2 N``; empty up to two dimensions."""
    place = grid.point(center)
    parts = [f"{axis.name} = {number(x)} {axis.unit}".rstrip() for axis, x in zip(grid, place, strict=True)]
    return ", ".join(parts[2:])


def _draw_trusted_box(ax: Axes, grid: Grid, sigma: tuple[float, ...]) -> None:
    """Dash the line outside which more than 1 % of the noise leaves the box along an axis."""
    from matplotlib.patches import Rectangle

    first, second = grid.axes[:2]
    margins = grid.margin(sigma, _TRUST)[:2]
    if not any(margins) or any(2 * m >= axis.length for m, axis in zip(margins, (first, second), strict=True)):
        return
    (left, right), (low, high) = _extent(first), _extent(second)
    if margins[0]:
        left, right = first.lower + margins[0], first.upper - margins[0]
    if margins[1]:
        low, high = second.lower + margins[1], second.upper - margins[1]
    for width, colour, style in ((1.8, "black", "-"), (1.0, "white", (0, (4, 3)))):
        ax.add_patch(
            Rectangle((left, low), right - left, high - low, fill=False, lw=width, ec=colour, ls=style, alpha=0.8)
        )


def draw_field(
    ax: Axes,
    values: NDArray[Any],
    grid: Grid,
    center: tuple[int, ...],
    sigma: tuple[float, ...],
    norm: Normalize | None = None,
) -> Any:
    """Draw a field of the shape of the grid, with its argmax; returns the image, or None for a line.

    Parameters
    ----------
    ax
        Where to draw.
    values, grid
        The field.
    center
        Node through which the slice goes where the grid has more than two axes.
    sigma
        Noise level of each axis, for the dashed box.
    norm
        Colour scale; by default that of the values shown.
    """
    best = optimum(values, grid)
    # a cross that lies in another slice than the one shown is left open
    inside = best.index[2:] == center[2:]
    mark: dict[str, Any] = {
        "marker": "X",
        "ms": 10,
        "mec": "black",
        "mew": 1.0,
        "mfc": "white" if inside else "none",
        "ls": "none",
    }
    ax.set_xlabel(axis_label(grid[0]))
    if grid.dimensions == 1:
        ax.plot(grid[0].coordinates, values, color="0.2", lw=1.5)
        ax.plot(best.coordinates[0], best.value, clip_on=False, **mark)
        return None
    through: tuple[slice | int, ...] = (slice(None), slice(None), *center[2:])
    shown = values[through]
    (left, right), (low, high) = _extent(grid[0]), _extent(grid[1])
    ratio = (right - left) / (high - low)
    alike = grid[0].unit == grid[1].unit and 1 / _MOST_SIDE_RATIO <= ratio <= _MOST_SIDE_RATIO
    image = ax.imshow(
        shown.T,
        origin="lower",
        extent=(left, right, low, high),
        aspect="equal" if alike else "auto",
        cmap=COLOURS,
        norm=norm,
    )
    if any(sigma):
        _draw_trusted_box(ax, grid, sigma)
    ax.plot(best.coordinates[0], best.coordinates[1], clip_on=False, zorder=5, **mark)
    ax.set_xlim(left, right)
    ax.set_ylim(low, high)
    ax.set_ylabel(axis_label(grid[1]))
    return image


def _title(ax: Axes, name: str, grid: Grid, center: tuple[int, ...], batch: bool) -> None:
    extra = [text for text in (slice_label(grid, center), "first of the batch" if batch else "") if text]
    ax.set_title(name + (f" ({'; '.join(extra)})" if extra else ""))


def landscape(landscape: Landscape, ax: Axes | None = None) -> Axes:
    """Draw Q with its argmax.

    Parameters
    ----------
    landscape
        What to draw; of a batch the first.
    ax
        Where to draw; without it, in a new figure.

    Returns
    -------
    ax
        The axes; ``ax.figure`` is the figure.

    Examples
    --------
    >>> from heatpg import landscapes, plot
    >>> plot.landscape(landscapes.ridge(size=21)).get_title()
    'ridge: Q'
    """
    ax = new_axes(ax)
    values = single(landscape.values, landscape.grid)
    center = optimum(values, landscape.grid).index
    image = draw_field(ax, values, landscape.grid, center, (0.0,) * landscape.grid.dimensions)
    if image is None:
        ax.set_ylabel("Q")
    else:
        ax.figure.colorbar(image, ax=ax, label="Q")
    _title(ax, f"{landscape.name}: Q", landscape.grid, center, bool(landscape.batch_shape))
    return ax


def field(evolution: Evolution, index: int, ax: Axes | None = None) -> Axes:
    """Draw u at one stored sigma with its argmax, on the colour scale of Q.

    Inside the dashed line at most 1 % of the noise leaves the box along an axis; where no node has that, there is none.

    Parameters
    ----------
    evolution
        What to draw; of a batch the first.
    index
        Which sigma.
    ax
        Where to draw; without it, in a new figure.

    Returns
    -------
    ax
        The axes; ``ax.figure`` is the figure.

    Examples
    --------
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> plot.field(solve(landscapes.ridge(size=21), [0.2]), 0).get_title()
    'ridge: u at σ = 0.2'
    """
    from matplotlib.colors import Normalize

    ax = new_axes(ax)
    grid = evolution.grid
    initial = single(evolution.landscape.values, grid)
    center = optimum(initial, grid).index
    values = single(evolution.values[index], grid)
    norm = Normalize(float(initial.min()), float(initial.max()))
    image = draw_field(ax, values, grid, center, tuple(np.asarray(evolution.sigmas[index]).tolist()), norm)
    if image is None:
        ax.set_ylabel("u")
    else:
        ax.figure.colorbar(image, ax=ax, label="u")
    name = f"{evolution.landscape.name}: u at {sigma_label(evolution, index)}"
    _title(ax, name, grid, center, bool(evolution.landscape.batch_shape))
    return ax
