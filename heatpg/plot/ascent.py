"""Ascent paths: paths of policy gradients on a landscape, with their noise along the path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.extrema import peak
from heatpg.core.grid import Grid, first_of_batch
from heatpg.core.landscape import Landscape
from heatpg.errors import GridError, OptionError
from heatpg.evolution import Evolution
from heatpg.plot.choices import chosen_axis, chosen_level
from heatpg.plot.field import draw_field
from heatpg.plot.layout import COLOURS, legend_below, sigma_axis, with_gaps_of
from heatpg.plot.style import Width, panel, points
from heatpg.plot.words import axis_label, name_label, sigma_label, slice_label
from heatpg.tools.arguments import one_of
from heatpg.tools.calls import checked_call

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    from heatpg.policy.ascent import Ascent

__all__ = ["ascent_paths"]

Array = NDArray[np.float64]

_COLOURINGS = ("auto", "sigma", "iteration")
_AGAINST = ("place", "sigma")
# the field lies below the paths in light greys, so that their colours are read off one scale
_LIGHTEST_GREY, _DARKEST_GREY = 1.0, 0.45
_ENDS = {
    "converged": "*",
    "stalled at a maximum": "^",
    "stalled at a minimum": "<",
    "at the floor": "s",
    "sigma went to zero": "D",
    "sigma outgrew the box": "P",
    "left the box": ">",
    "at a saddle": "d",
    "on a plateau": "h",
    "budget spent": "v",
}
_MOST_CIRCLES = 6  # starts, beyond which circles of radius sigma would hide one another
# a taste: the first and the last, and three between
_CIRCLES = 5
_ENTRY = 2.3  # inches of the legend beside text of 10 points


def _as_list(ascents: Ascent | Sequence[Ascent]) -> list[Ascent]:
    from heatpg.policy.ascent import Ascent

    # one ascent needs no list
    found = [ascents] if isinstance(ascents, Ascent) else list(ascents)
    if not found or not all(isinstance(each, Ascent) for each in found):
        raise OptionError(
            "ascents must be one or more ascents",
            given=f"{type(ascents).__name__} of {len(found)}",
            allowed="the result of heatpg.policy.ascend or ascend_all",
        )
    return found


def _sigma_of(ascent: Ascent, axis: int) -> Array:
    """Noise level along the path; of one per axis that of the axis."""
    return ascent.sigmas if ascent.sigmas.ndim == 1 else ascent.sigmas[:, axis]


def _wrapped(means: Array, grid: Grid) -> Array:
    """Means inside the box, with a gap where a path goes around a periodic axis."""
    places = means.copy()
    turns = np.zeros(means.shape)
    for i, axis in enumerate(grid):
        if axis.rule.periodic:
            # how often the mean has gone around; the mean itself is never wrapped
            turns[:, i] = np.floor((means[:, i] - axis.lower) / axis.length)
            places[:, i] -= axis.length * turns[:, i]
    return np.insert(places, np.flatnonzero(np.diff(turns, axis=0).any(axis=1)) + 1, np.nan, axis=0)


def _colours(ascents: Sequence[Ascent], colouring: str, axis: int) -> tuple[list[Array], Normalize, str]:
    """What the paths are coloured by, the scale, and its name."""
    from matplotlib.colors import LogNorm, Normalize

    sigmas = [_sigma_of(each, axis) for each in ascents]
    low, high = min(float(each.min()) for each in sigmas), max(float(each.max()) for each in sigmas)
    if colouring == "sigma" or (colouring == "auto" and high > low * (1 + 1e-12)):
        # one sigma for all is in the middle of a scale, not at an end of an empty one
        ends = (low, high) if high > low else (low / 2.0, high * 2.0)
        return sigmas, LogNorm(*ends), "σ"
    steps = [np.arange(len(each), dtype=np.float64) for each in ascents]
    return steps, Normalize(0.0, max(1.0, *(float(each[-1]) for each in steps))), "iteration"


def _draw_path(ax: Axes, x: Array, y: Array, colour: Array, norm: Normalize) -> None:
    """A line whose pieces have the colours of their later ends, on a dark line that sets it off."""
    from matplotlib.collections import LineCollection

    corners = np.stack([x, y], axis=1)
    # two corners each, shape (pieces, 2, 2)
    pieces = np.stack([corners[:-1], corners[1:]], axis=1)
    drawn = np.isfinite(pieces).all(axis=(1, 2))
    ax.plot(x, y, color="black", lw=points(3.2), solid_capstyle="round", zorder=6)
    lines = LineCollection(
        list(pieces[drawn]), cmap=COLOURS, norm=norm, array=colour[1:][drawn], linewidths=points(2.0), zorder=7
    )
    lines.set_capstyle("round")
    # the limits are those of the field
    ax.add_collection(lines, autolim=False)


def _draw_ends(ax: Axes, ascents: Sequence[Ascent], firsts: Array, lasts: Array) -> None:
    """Where each path begins, and a mark for how it ends."""
    mark: dict[str, Any] = {"ls": "none", "mec": "black", "mew": points(0.9), "clip_on": False}
    ax.plot(firsts[:, 0], firsts[:, 1], "o", ms=points(6), mfc="white", zorder=8, label="start", **mark)
    statuses = [each.status for each in ascents]
    # one mark for all that end alike
    for status in dict.fromkeys(statuses):
        mine = lasts[[each == status for each in statuses]]
        count = f" ({len(mine)})" if len(ascents) > 1 else ""
        marker = _ENDS.get(status, "p")
        size = points(13 if marker == "*" else 8)
        ax.plot(mine[:, 0], mine[:, 1], marker, ms=size, mfc="white", zorder=9, label=f"{status}{count}", **mark)


def _draw_circles(ax: Axes, ascent: Ascent, places: Array, norm: Normalize) -> None:
    """The policy along the path: one standard deviation about the mean, at a few of the steps."""
    from matplotlib import colormaps
    from matplotlib.patches import Ellipse

    # one sigma is the same along both axes
    sigma = np.broadcast_to(ascent.sigmas[:, None] if ascent.sigmas.ndim == 1 else ascent.sigmas, ascent.means.shape)
    level = np.log(sigma[:, 0])
    # evenly spread over what sigma does, not over the steps, of which most are where little happens
    way = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(level)))])
    # at the quarters of the way
    chosen = np.unique(np.searchsorted(way, np.linspace(0.0, way[-1], _CIRCLES)))
    for k in chosen:
        colour = colormaps[COLOURS](norm(float(sigma[k, 0])))
        for width, ink in ((1.8, "black"), (1.1, colour)):
            ax.add_patch(
                Ellipse(
                    (places[k, 0], places[k, 1]), 2 * sigma[k, 0], 2 * sigma[k, 1], fill=False, ec=ink,
                    lw=points(width), zorder=5,
                )
            )  # fmt: skip


def _shade(ax: Axes, image: Any) -> None:
    """The map of the field in light greys, in place of the colours that the paths have."""
    from matplotlib.colors import LinearSegmentedColormap

    ends = [(grey, grey, grey) for grey in (_DARKEST_GREY, _LIGHTEST_GREY)]
    # the field keeps its scale; only its colours change
    image.set_cmap(LinearSegmentedColormap.from_list("light greys", ends))


def _field(source: Landscape | Evolution, index: int | None) -> tuple[NDArray[Any], Grid, tuple[float, ...], str, str]:
    """What lies below the paths: values, grid, sigmas, its name, and its symbol."""
    if isinstance(source, Evolution) and index is not None:
        level = chosen_level(source, index)
        sigma = tuple(float(each) for each in source.sigmas[level])
        name = f"{name_label(source.landscape)}: u at {sigma_label(source, level)}"
        return first_of_batch(source.values[level], source.grid), source.grid, sigma, name, "u"
    if index is not None:
        raise OptionError(
            "a landscape has no noise levels, so index does not apply",
            given=f"index={index}",
            advice="pass an evolution, or omit index",
        )
    landscape = source.landscape if isinstance(source, Evolution) else source
    zeros = (0.0,) * landscape.grid.dimensions
    return first_of_batch(landscape.values, landscape.grid), landscape.grid, zeros, f"{name_label(landscape)}: Q", "Q"


@checked_call()
def ascent_paths(
    source: Landscape | Evolution,
    ascents: Ascent | Sequence[Ascent],
    ax: Axes | None = None,
    *,
    index: int | None = None,
    against: str = "place",
    colour: str = "auto",
    axis: int | str = 0,
    width: Width = None,
) -> Axes:
    """Draw ascents over Q or u, or their means against sigma, from start to end.

    A white dot is a starting point; the marker at the end of a path shows how it ended, as explained in the legend.
    With up to six paths in two dimensions whose sigma changes, rings of one standard deviation are drawn along them.

    Parameters
    ----------
    source
        Below the paths: a landscape, or an evolution. In one dimension a line, with the paths at their values L; in
        two a map in greys; in three the slice through the argmax, onto which the paths are projected.
    ascents
        Result of `heatpg.policy.ascend` or `ascend_all`.
    ax
        Where to draw; without it, in a new figure.
    index
        Which stored sigma of an evolution; without it Q is drawn.
    against
        ``place``: over the box. ``sigma``: the mean along one axis against sigma, as in `fingerprint`.
    colour
        ``sigma``, ``iteration``, or ``auto``: sigma where it changes.
    axis
        Along which axis of the grid the mean is drawn against sigma; of one sigma per axis, which is meant.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    ax
        The axes; ``ax.figure`` is the figure.

    Raises
    ------
    OptionError
        If there are no ascents, or if a level is given for a landscape.
    GridError
        For ascents in another number of dimensions, or an axis that the grid does not have.
    SigmaError
        For a level that is not stored.
    UnknownNameError
        For an unknown colouring or view.

    Examples
    --------
    >>> from heatpg import landscapes, plot
    >>> from heatpg.policy import ascend_all
    >>> q = landscapes.two_bumps(width=0.5)
    >>> ax = plot.ascent_paths(q, ascend_all(q, [[-0.5], [0.5]], 0.3))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['argmax of Q', 'start', 'converged (2)']
    """
    found = _as_list(ascents)
    one_of("colour of ascent paths", colour, _COLOURINGS)
    one_of("view of ascent paths", against, _AGAINST)
    values, grid, sigma, name, symbol = _field(source, index)
    position = chosen_axis(grid, axis)
    # from ascents on another landscape, most likely
    other = {each.means.shape[1] for each in found} - {grid.dimensions}
    if other:
        raise GridError(
            "the ascents belong to another grid",
            given=f"means with {min(other)} dimensions",
            allowed=f"{grid.dimensions} dimensions",
        )
    shades, norm, words = _colours(found, colour, position)
    # of one sigma for all axes the unit is known where they agree
    units = {each.unit for each in (grid if all(e.sigmas.ndim == 1 for e in found) else (grid[position],))}
    unit = units.pop() if words == "σ" and len(units) == 1 else ""
    sense = found[0].sense
    with panel(ax, width, height=0.85) as ax:
        if against == "sigma":
            _draw_against_sigma(ax, found, grid, position, shades, norm)
            name = name.partition(":")[0] + f": means of {sense.ascent}s against σ"
        else:
            _draw_over_box(ax, found, values, grid, sigma, shades, norm, symbol)
            place = slice_label(grid, peak(values, grid, sense).index)
            name += f", {sense.ascent}s" + (f"\n(paths projected onto {place})" if place else "")
        # against sigma, colours by sigma would say the same twice
        if against == "place" or words != "σ":
            ax.figure.colorbar(_mappable(norm), ax=ax, label=f"{words} ({unit})" if unit else words)
        ax.set_title(name)
        legend_below(ax, _ENTRY)
    return ax


def _mappable(norm: Normalize) -> ScalarMappable:
    from matplotlib.cm import ScalarMappable

    return ScalarMappable(norm, COLOURS)


def _draw_against_sigma(
    ax: Axes, ascents: Sequence[Ascent], grid: Grid, position: int, shades: Sequence[Array], norm: Normalize
) -> None:
    paths = [_wrapped(each.means, grid) for each in ascents]
    levels = [_sigma_of(each, position) for each in ascents]
    for path, level, shade in zip(paths, levels, shades, strict=True):
        _draw_path(ax, with_gaps_of(level, path), path[:, position], with_gaps_of(shade, path), norm)
    ends = [np.array([[s[k], path[k, position]] for s, path in zip(levels, paths, strict=True)]) for k in (0, -1)]
    _draw_ends(ax, ascents, *ends)
    # the axis spans the levels of all ascents
    every = np.unique(np.concatenate(levels))
    sigma_axis(ax, every, grid, position if any(each.sigmas.ndim > 1 for each in ascents) else None)
    ax.set_ylabel(f"{axis_label(grid[position])} of the mean")
    ax.set_ylim(grid[position].lower, grid[position].upper)


def _draw_over_box(
    ax: Axes,
    ascents: Sequence[Ascent],
    values: NDArray[Any],
    grid: Grid,
    sigma: tuple[float, ...],
    shades: Sequence[Array],
    norm: Normalize,
    symbol: str,
) -> None:
    sense = ascents[0].sense
    image = draw_field(ax, values, grid, peak(values, grid, sense).index, sigma, sense=sense)
    ax.lines[-1].set_label(f"{sense.place} of {symbol}")  # the cross is drawn last
    paths = [_wrapped(each.means, grid) for each in ascents]
    if grid.dimensions == 1:
        ax.set_ylabel(f"{symbol}, L of the {sense.ascent}s")
        # where only samples were drawn, L is not known, and Q at the mean stands for it
        heights = [np.where(np.isnan(each.values), each.at_means, each.values) for each in ascents]
        paths = [np.stack([path[:, 0], with_gaps_of(h, path)], axis=1) for path, h in zip(paths, heights, strict=True)]
    else:
        _shade(ax, image)
        # rings only where sigma moves: at a fixed sigma they are all alike
        joint = any(np.ptp(_sigma_of(each, 0)) > 0 for each in ascents)
        if joint and isinstance(norm, type(_colours(ascents, "sigma", 0)[1])) and len(ascents) <= _MOST_CIRCLES:
            for each in ascents:
                _draw_circles(ax, each, each.means, norm)
    for path, shade in zip(paths, shades, strict=True):
        _draw_path(ax, path[:, 0], path[:, 1], with_gaps_of(shade, path), norm)
    _draw_ends(ax, ascents, *(np.array([path[k, :2] for path in paths]) for k in (0, -1)))
