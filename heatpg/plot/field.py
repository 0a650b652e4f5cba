"""One field over its grid: a line in one dimension, a map in two, a slice through the optimum in more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.extrema import peak
from heatpg.core.grid import Axis, Grid, first_of_batch
from heatpg.core.landscape import Landscape
from heatpg.core.sense import MAXIMISE, Sense
from heatpg.evolution import Evolution
from heatpg.plot.choices import chosen_level
from heatpg.plot.layout import COLOURS, words_below
from heatpg.plot.style import Width, panel, points
from heatpg.plot.words import axis_label, name_label, sigma_label, slice_label
from heatpg.tools.calls import checked_call

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.transforms import Transform

__all__ = ["TRUST_WORDS", "draw_field", "field", "hatched", "landscape", "map_ratio", "marks_words"]

TRUST_WORDS = (
    "Hatched, outside the dashed line: more than 1 % of the noise along an axis leaves the box; there u depends on the "
    "boundary condition."
)
"""What the hatching and the line around the rest mean, for captions."""

Box = tuple[float, float, float, float]  # left, right, bottom, top
Strokes = Sequence[tuple[float, str, float]]  # width, colour, opacity

_TRUST = 0.01  # a taste: where 1 % of the noise leaves the box, u may be off by 1 % of osc(Q)
_MOST_SIDE_RATIO = 2.0  # a taste: maps that are longer than twice their height leave no room for a second panel
_GAP = 0.03  # of the axes, between a map and its bar
_HATCHES = 11  # strokes along a side: few and faint, so that the field is seen between them


def _extent(axis: Axis) -> tuple[float, float]:
    nodes = axis.coordinates
    # imshow draws cells: each node is the middle of its own
    return float(nodes[0] - axis.spacing / 2), float(nodes[-1] + axis.spacing / 2)


def _hatch(ax: Axes, outer: Box, inner: Box | None, place: Transform, strokes: Strokes) -> None:
    """Strokes at 45 degrees of a square between two boxes, or all over the outer one."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    # drawn by hand: in vector files the patterns of some readers lose their second colour, or move with the zoom
    # where each stroke meets the left or the lower side; the corner strokes would have no length
    starts = np.linspace(-1.0, 1.0, 2 * _HATCHES + 1)[1:-1]
    low = np.stack([np.maximum(starts, 0.0), np.maximum(-starts, 0.0)], axis=-1)
    high = np.stack([np.minimum(starts + 1.0, 1.0), np.minimum(1.0 - starts, 1.0)], axis=-1)
    lines = Path(np.stack([low, high], axis=1).reshape(-1, 2), [Path.MOVETO, Path.LINETO] * len(starts))
    left, right, bottom, top = outer
    corners = [(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)]
    if inner is not None:
        left, right, bottom, top = inner
        # the other way round, so that it is a hole
        corners += [(left, bottom), (left, top), (right, top), (right, bottom), (left, bottom)]
    region = Path(corners, ([Path.MOVETO] + [Path.LINETO] * 4) * (len(corners) // 5))
    for width, colour, alpha in strokes:
        patch = PathPatch(lines, fill=False, lw=points(width), ec=colour, alpha=alpha, transform=ax.transAxes)
        ax.add_patch(patch)
        patch.set_clip_path(region, place)


def _trusted(axis: Axis, margin: float) -> tuple[float, float]:
    """Where the answer does not rest on what was assumed outside: up to the margin, or all that is drawn."""
    return (axis.lower + margin, axis.upper - margin) if margin else _extent(axis)


def map_ratio(grid: Grid) -> float:
    """Width over height of a map whose axes have one scale; 1 for one that fills its panel.

    Examples
    --------
    >>> from heatpg import Axis, Grid
    >>> from heatpg.plot.field import map_ratio
    >>> wide, high = Axis("x", 0.0, 3.0, 31, boundary="reflect"), Axis("y", 0.0, 2.0, 21, boundary="reflect")
    >>> round(map_ratio(Grid(wide, high)), 2)  # cells: half a spacing more at each end
    1.48
    """
    if grid.dimensions == 1:
        return 1.0
    (left, right), (low, high) = _extent(grid[0]), _extent(grid[1])
    ratio = (right - left) / (high - low)
    # the same unit, so that an inch is as much in both directions
    return ratio if grid[0].unit == grid[1].unit and 1 / _MOST_SIDE_RATIO <= ratio <= _MOST_SIDE_RATIO else 1.0


def hatched(grid: Grid, sigmas: Iterable[Sequence[float]]) -> bool:
    """Whether `draw_field` hatches at any of these noise levels, each with one number per axis.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> from heatpg.plot.field import hatched
    >>> grid = landscapes.ridge(size=21).grid
    >>> hatched(grid, [(0.0, 0.0), (0.1, 0.1)]), hatched(grid, [(0.0, 0.0)])
    (True, False)
    """
    return any(any(grid.margin(tuple(row), _TRUST)[:2]) for row in sigmas)


def marks_words(source: Landscape | Evolution, levels: Sequence[int] = (), *, hatching: bool = True) -> str:
    """What the marks of `draw_field` mean, as far as they occur: cross, open cross, hatching.

    Parameters
    ----------
    source
        Whose Q is drawn, and of an evolution u.
    levels
        Which sigmas.
    hatching
        Whether it is drawn.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> from heatpg.evolution import solve
    >>> from heatpg.plot.field import marks_words
    >>> marks_words(solve(landscapes.ridge(size=21), [0.01, 0.2]), [0])
    'Cross: argmax. Hatched, outside the dashed line: ...'
    """
    landscape = source.landscape if isinstance(source, Evolution) else source
    flow = source if isinstance(source, Evolution) else None
    grid, sense = landscape.grid, landscape.sense
    center = peak(first_of_batch(landscape.values, grid), grid, sense).index
    parts = [f"Cross: {sense.place}."]
    if flow is not None:
        tops = [peak(first_of_batch(flow.values[k], grid), grid, sense).index for k in levels]
        if any(top[2:] != center[2:] for top in tops):
            parts.append(f"Open cross: the {sense.place} lies outside this slice.")
        if hatching and hatched(grid, flow.sigmas[list(levels)].tolist()):
            parts.append(TRUST_WORDS)
    return " ".join(parts)


def _draw_trust(ax: Axes, grid: Grid, sigma: tuple[float, ...]) -> None:
    """Hatch where more than 1 % of the noise leaves the box along an axis, and dash the line around the rest."""
    from matplotlib.patches import Rectangle

    # only of the axes that are drawn
    margins = grid.margin(sigma, _TRUST)[:2]
    if not any(margins):
        return
    # margins that meet: no node keeps its noise inside
    hidden = any(2 * margin >= axis.length for margin, axis in zip(margins, grid, strict=False))
    if grid.dimensions == 1:
        outer, inner = _extent(grid[0]), _trusted(grid[0], margins[0])
        # x in units of the axis, y in shares of it: the hatching goes over the whole height
        place = ax.get_xaxis_transform()
        _hatch(ax, (*outer, 0.0, 1.0), None if hidden else (*inner, 0.0, 1.0), place, ((0.6, "black", 0.25),))
        for end in () if hidden else inner:
            ax.axvline(end, color="0.35", lw=points(1.0), ls=(0, (4, 3)))
        return
    first, second = grid.axes[:2]
    (left, right), (low, high) = _trusted(first, margins[0]), _trusted(second, margins[1])
    box = None if hidden else (left, right, low, high)
    # light on dark, so that it is seen on both ends of the colour map
    _hatch(ax, (*_extent(first), *_extent(second)), box, ax.transData, ((1.1, "black", 0.2), (0.5, "white", 0.45)))
    if hidden:
        return
    for width, colour, style in ((1.8, "black", "-"), (1.0, "white", (0, (4, 3)))):
        ax.add_patch(
            Rectangle(
                (left, low), right - left, high - low, fill=False, lw=points(width), ec=colour, ls=style, alpha=0.8
            )
        )


def draw_field(
    ax: Axes,
    values: NDArray[Any],
    grid: Grid,
    center: tuple[int, ...],
    sigma: tuple[float, ...],
    norm: Normalize | None = None,
    *,
    sense: Sense = MAXIMISE,
) -> Any:
    """Draw a field on the grid, with its argmax; returns the image, or None for a line.

    Parameters
    ----------
    ax
        Where to draw.
    values, grid
        The field.
    center
        Node through which the slice goes where the grid has more than two axes.
    sigma
        Noise level of each axis, for the hatching.
    norm
        Colour scale; by default that of the values shown.
    sense
        Which way is better: of a loss its argmin is marked.
    """
    from matplotlib.patheffects import withStroke

    best = peak(values, grid, sense)
    # a cross that lies in another slice than the one shown is left open
    inside = best.index[2:] == center[2:]
    mark: dict[str, Any] = {
        "marker": "X",
        "ms": points(10),
        "mec": "black",
        "mew": points(1.0),
        "mfc": "white",
        "ls": "none",
    }
    if not inside:
        # white on black, as the colours below may be dark or light
        halo = [withStroke(linewidth=points(3.0), foreground="black")]
        mark |= {"mec": "white", "mfc": "none", "path_effects": halo}
    ax.set_xlabel(axis_label(grid[0]))
    if grid.dimensions == 1:
        if any(sigma):
            _draw_trust(ax, grid, sigma)
        ax.plot(grid[0].coordinates, values, color="0.2", lw=points(1.5))
        ax.plot(best.coordinates[0], best.value, clip_on=False, zorder=5, **mark)
        ax.set_xlim(*_extent(grid[0]))
        return None
    # through the argmax of Q in the axes that are not drawn
    through: tuple[slice | int, ...] = (slice(None), slice(None), *center[2:])
    shown = values[through]
    (left, right), (low, high) = _extent(grid[0]), _extent(grid[1])
    ratio = (right - left) / (high - low)
    # the same unit, so that an inch is as much in both directions; else the map fills its panel
    alike = grid[0].unit == grid[1].unit and 1 / _MOST_SIDE_RATIO <= ratio <= _MOST_SIDE_RATIO
    image = ax.imshow(
        # imshow has the first axis downwards
        shown.T,
        origin="lower",
        extent=(left, right, low, high),
        aspect="equal" if alike else "auto",
        cmap=COLOURS,
        norm=norm,
    )
    if any(sigma):
        _draw_trust(ax, grid, sigma)
    ax.plot(best.coordinates[0], best.coordinates[1], clip_on=False, zorder=5, **mark)
    ax.set_xlim(left, right)
    ax.set_ylim(low, high)
    ax.set_ylabel(axis_label(grid[1]))
    return image


def _title(ax: Axes, name: str, grid: Grid, center: tuple[int, ...], batch: bool) -> None:
    extra = [text for text in (slice_label(grid, center), "first of the batch" if batch else "") if text]
    # by itself on a line, so that it fits into a column
    ax.set_title(name + (f"\n({'; '.join(extra)})" if extra else ""))


def _explain(ax: Axes, words: str, *, alone: bool) -> None:
    """Say what the marks mean below the axes of a figure that is ours; and set a map in the middle of it."""
    figure = ax.get_figure(root=True)
    if not alone or figure is None:
        return
    words_below(figure, words, float(figure.get_figwidth()))
    if ax.images:
        # beside its bar, both in the middle; the layout would leave all room that is not needed at the left
        figure.set_layout_engine("compressed")


@checked_call()
def landscape(landscape: Landscape, ax: Axes | None = None, *, width: Width = None) -> Axes:
    """Draw Q with its argmax, of a loss its argmin.

    Parameters
    ----------
    landscape
        Landscape or evolution to draw; the first of a batch.
    ax
        Where to draw; without it, in a new figure.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    ax
        The axes; ``ax.figure`` is the figure.

    Raises
    ------
    OptionError
        For an argument that is not a landscape, an unknown width, or both a width and axes.

    Examples
    --------
    >>> from heatpg import landscapes, plot
    >>> plot.landscape(landscapes.ridge(size=21)).get_title()
    'ridge: Q'
    """
    values = first_of_batch(landscape.values, landscape.grid)
    sense = landscape.sense
    center = peak(values, landscape.grid, sense).index
    alone = ax is None
    with panel(ax, width) as ax:
        image = draw_field(ax, values, landscape.grid, center, (0.0,) * landscape.grid.dimensions, sense=sense)
        if image is None:
            ax.set_ylabel("Q")
        else:
            ax.figure.colorbar(image, ax=ax, label="Q", pad=_GAP)
        _title(ax, f"{name_label(landscape)}: Q", landscape.grid, center, bool(landscape.batch_shape))
        _explain(ax, marks_words(landscape), alone=alone)
    return ax


@checked_call()
def field(evolution: Evolution, index: int, ax: Axes | None = None, *, width: Width = None) -> Axes:
    """Draw u at one stored sigma with its argmax, on the colour scale of Q.

    Inside the dashed line at most 1 % of the noise leaves the box along an axis; the rest is hatched, everything where
    no node has that.

    Parameters
    ----------
    evolution
        Landscape or evolution to draw; the first of a batch.
    index
        Which sigma.
    ax
        Where to draw; without it, in a new figure.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    ax
        The axes; ``ax.figure`` is the figure.

    Raises
    ------
    SigmaError
        For an index that no sigma has.
    OptionError
        For an argument that is not an evolution, an unknown width, or both a width and axes.

    Examples
    --------
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> plot.field(solve(landscapes.ridge(size=21), [0.2]), 0).get_title()
    'ridge: u at σ = 0.2'
    """
    from matplotlib.colors import Normalize

    grid, level = evolution.grid, chosen_level(evolution, index)
    initial = first_of_batch(evolution.landscape.values, grid)
    sense = evolution.landscape.sense
    center = peak(initial, grid, sense).index
    values = first_of_batch(evolution.values[level], grid)
    # of Q, so that figures of several sigmas can be compared
    norm = Normalize(float(initial.min()), float(initial.max()))
    alone = ax is None
    with panel(ax, width) as ax:
        sigma = tuple(np.asarray(evolution.sigmas[level]).tolist())
        image = draw_field(ax, values, grid, center, sigma, norm, sense=sense)
        if image is None:
            ax.set_ylabel("u")
        else:
            ax.figure.colorbar(image, ax=ax, label="u", pad=_GAP)
        name = f"{name_label(evolution.landscape)}: u at {sigma_label(evolution, level)}"
        _title(ax, name, grid, center, bool(evolution.landscape.batch_shape))
        _explain(ax, marks_words(evolution, [level]), alone=alone)
    return ax
