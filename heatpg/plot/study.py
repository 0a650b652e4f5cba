"""The page of a study: landscape, fingerprint, price, basin, and a sentence for each finding."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from heatpg.evolution import Evolution
from heatpg.plot import figures
from heatpg.plot._common import line_colours, optimum, sigma_label
from heatpg.plot.field import draw_field, slice_label
from heatpg.plot.fingerprint import fingerprint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from heatpg.studies import Study

__all__ = ["study"]

_WIDTH = 13.0
_LINE = 0.21  # inches
_LETTERS = 165


def _shown(page: Study) -> list[int]:
    """Three levels: around the first jump and the end of the optimum if they can be told apart, else evenly spread."""
    sigma = page.space.sigma
    last = len(sigma) - 1
    apart = max(1, len(sigma) // 10)
    events = [event.sigma for event in (page.space.sigma_jump, page.space.sigma_death) if event is not None]
    after = [min(int(np.searchsorted(sigma, event)), last) for event in events]
    kept: list[int] = []
    for level in (0, *after, last, last // 2, last // 4, 3 * last // 4):
        if all(abs(level - other) >= apart for other in kept):
            kept.append(level)
    return sorted(kept[:3])


def _sigma_axis(ax: Axes, page: Study) -> None:
    sigma = page.space.sigma
    if sigma[0] > 0 and sigma[-1] > 8 * sigma[0]:
        ax.set_xscale("log")
    ax.set_xlim(sigma[0], sigma[-1])
    units = {axis.unit for axis in page.evolution.grid}
    unit = units.pop() if len(units) == 1 else ""
    ax.set_xlabel(f"σ ({unit})" if unit else "σ")
    for event, style in ((page.space.sigma_jump, "--"), (page.space.sigma_death, ":")):
        if event is not None:
            ax.axvline(event.sigma, color="0.4", lw=1.0, ls=style, zorder=0)


def _draw_price(ax: Axes, page: Study) -> None:
    dark, light = line_colours(2)
    sigma, curve = page.space.sigma, page.curve
    ax.plot(sigma, curve.price, color=dark, label="price: Q at its optimum $-$ Q at that of u")
    ax.plot(sigma, curve.drop, color=light, ls="--", label="drop: Q at its optimum $-$ max u")
    ax.axhline(page.price, color="0.65", lw=1.0, ls="-.", label="the price asked about")
    _sigma_axis(ax, page)
    ax.set_ylim(0, None)
    ax.set_title("What the smoothed optimum costs")
    ax.legend(fontsize=8)


def _draw_basin(ax: Axes, page: Study) -> None:
    dark, light = line_colours(2)
    ax.plot(page.space.sigma, page.basins.of_optimum(), color=dark, label="of the box leads to the optimum")
    initial = page.evolution.landscape.values
    mean = float((initial * page.evolution.grid.weights).sum() / page.evolution.grid.weights.sum())
    earned = (page.basins.earned().original - mean) / (page.curve.best - mean)
    ax.plot(page.space.sigma, earned, color=light, ls="--", label="of max Q $-$ mean Q is earned by ascent")
    _sigma_axis(ax, page)
    ax.set_ylim(min(0.0, float(earned.min())), 1.03)
    ax.set_title("Where gradient ascent ends")
    ax.legend(fontsize=8)


def _draw_counts(ax: Axes, page: Study) -> None:
    space = page.space
    for kind, colour in zip(("maximum", "minimum"), line_colours(2), strict=True):
        counts = space.count(kind)
        ax.step(space.sigma, counts, where="mid", color=colour, label="maxima" if kind == "maximum" else "minima")
    _sigma_axis(ax, page)
    most = max(int(space.count("maximum").max()), int(space.count("minimum").max()))
    if most > 20:
        ax.set_yscale("symlog", linthresh=1)
    ax.set_ylim(0, None)
    ax.set_title("Critical points")
    ax.legend(fontsize=8)


@figures.register("study")
def study(source: Evolution | Study) -> Figure:
    """The page of a study: Q and u around its events, the fingerprint, price, basins and counts, and the findings.

    Parameters
    ----------
    source
        What `heatpg.study` returned; or an evolution, which is studied first.

    Returns
    -------
    figure
        Made without pyplot, so nothing is shown; ``figure.savefig`` writes it.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> flow = solve(landscapes.unequal_bumps(size=201), np.geomspace(0.1, 2.0, 8))
    >>> plot.study(flow).get_suptitle().splitlines()[0]
    'unequal_bumps: what exploration noise does to its optimum'
    """
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    from heatpg.studies import Study
    from heatpg.studies import study as make

    page = source if isinstance(source, Study) else make(source)
    grid, flow = page.evolution.grid, page.evolution
    initial = flow.landscape.values
    best = optimum(initial, grid)
    text = [
        line
        for topic, sentence in page.sentences.items()
        for line in textwrap.wrap(sentence, _LETTERS, subsequent_indent="    ")
    ]
    text += [line for flag in page.space.flags for line in textwrap.wrap(f"Note: {flag}.", _LETTERS)]
    foot = _LINE * (len(text) + 1)
    axes_drawn = min(grid.dimensions, 3)
    maps = 3.9 if grid.dimensions > 1 else 3.0
    heights = [maps, 3.4, 2.9, foot]
    figure = Figure(figsize=(_WIDTH, 0.7 + sum(heights)), layout="constrained")
    shape = " × ".join(map(str, grid.shape))
    figure.suptitle(
        f"{flow.landscape.name}: what exploration noise does to its optimum\n"
        f"{shape} nodes, boundary {', '.join(dict.fromkeys(axis.boundary for axis in grid))}, "
        f"{len(flow)} levels of σ, solver {flow.solver.name}",
        fontsize=12,
    )
    parts = figure.subfigures(4, 1, squeeze=False, height_ratios=heights)[:, 0]
    top, middle, curves, words = parts
    shown = _shown(page)
    if grid.dimensions == 1:
        ax = top.subplots()
        ax.plot(grid[0].coordinates, initial, color="0.2", lw=1.2, label="Q (σ = 0)")
        for level, colour in zip(shown, line_colours(len(shown)), strict=True):
            ax.plot(grid[0].coordinates, flow.values[level], color=colour, label=sigma_label(flow, level))
            ax.plot(
                page.space.optimum_positions[level, 0], page.space.optimum_values[level], "X", mec="black", mfc=colour
            )
        ax.legend(fontsize=8)
        ax.set_ylabel("Q, u")
        ax.set_xlim(grid[0].lower, grid[0].upper)
    else:
        panels = top.subplots(1, 1 + len(shown), sharex=True, sharey=True, squeeze=False)[0]
        norm = Normalize(float(initial.min()), float(initial.max()))
        image = draw_field(panels[0], initial, grid, best.index, (0.0,) * grid.dimensions, norm)
        panels[0].set_title("\n".join(filter(None, ["Q (σ = 0)", slice_label(grid, best.index)])), fontsize=11)
        for level, ax in zip(shown, panels[1:], strict=True):
            sigmas = tuple(float(s) for s in flow.sigmas[level])
            draw_field(ax, flow.values[level], grid, best.index, sigmas, norm)
            ax.set_title(sigma_label(flow, level), fontsize=11)
        for ax in panels:
            ax.label_outer()
        top.colorbar(image, ax=list(panels), label="Q, u", shrink=0.9)
    for i, ax in enumerate(middle.subplots(1, axes_drawn, squeeze=False)[0]):
        fingerprint(page.space, ax, axis=i)
        ax.set_title("Critical points against σ" if i == 0 else "")
        if i == axes_drawn - 1:
            ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    first, second, third = curves.subplots(1, 3)
    _draw_price(first, page)
    _draw_basin(second, page)
    _draw_counts(third, page)
    for i, line in enumerate(text):
        words.text(0.01, 1 - (i + 0.5) * _LINE / foot, line, va="top", fontsize=9.5)
    return figure
