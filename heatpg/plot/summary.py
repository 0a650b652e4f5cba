"""The main figure: Q beside u at some sigmas on one colour scale, cuts through the optimum, and the checks."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from heatpg.evolution import Evolution
from heatpg.plot import figures
from heatpg.plot._common import optimum, shown_sigmas, sigma_label, single
from heatpg.plot.cut import cut
from heatpg.plot.field import draw_field, slice_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["summary"]

_WIDTH = 13.0
_LINE = 0.2  # inches
_LETTERS = 170  # a line of the caption
_ALARM = "#b2182b"


def _caption(evolution: Evolution) -> list[str]:
    report = evolution.report
    if not len(report):
        return ["Checks: none were made."]
    counts = {status: [c for c in report if c.status == status] for status in ("passed", "finding", "failed")}
    findings = f"{len(counts['finding'])} finding{'' if len(counts['finding']) == 1 else 's'}"
    totals = f"{len(counts['passed'])} passed, {len(counts['failed'])} failed, {findings}"
    lines = [f"Checks ({report.level}): {totals}."]
    if counts["passed"]:
        lines += textwrap.wrap(f"Passed: {', '.join(check.name for check in counts['passed'])}.", _LETTERS)
    for status, word in (("failed", "FAILED"), ("finding", "Finding")):
        for check in counts[status]:
            lines.append(textwrap.shorten(f"{word}: {check.name}: {check.message}", 2 * _LETTERS, placeholder=" ..."))
    return [part for line in lines for part in textwrap.wrap(line, _LETTERS)]


def _key(evolution: Evolution, shown: list[int]) -> list[str]:
    """What the marks in the panels mean, as far as they occur."""
    grid = evolution.grid
    initial = single(evolution.landscape.values, grid)
    center = optimum(initial, grid).index
    tops = [optimum(single(evolution.values[k], grid), grid) for k in shown]
    if grid.dimensions == 1:
        return ["Dot: argmax."]
    parts = ["Cross: argmax. Dot: largest value along the cut."]
    if any(top.index[2:] != center[2:] for top in tops):
        parts.append("Open cross: the argmax lies outside this slice.")
    margins = [max(grid.margin(tuple(evolution.sigmas[k].tolist()))) for k in shown]
    if any(margins):
        parts.append("Dashed box: outside it, more than 1 % of the noise along an axis leaves the sampled box.")
    return textwrap.wrap(" ".join(parts), _LETTERS)


def _on_edge(evolution: Evolution, shown: list[int]) -> bool:
    fields = [evolution.landscape.values, *(evolution.values[k] for k in shown)]
    return any(optimum(single(values, evolution.grid), evolution.grid).edges for values in fields)


def _heading(evolution: Evolution) -> str:
    grid = evolution.grid
    shape = " × ".join(map(str, grid.shape))
    kinds = list(dict.fromkeys(axis.boundary for axis in grid))
    batch = evolution.landscape.batch_shape
    first = f", first of {int(np.prod(batch))} landscapes" if batch else ""
    return (
        f"{evolution.landscape.name}{first}: Q and its expected value u under Gaussian exploration noise σ\n"
        f"{shape} nodes, boundary {', '.join(kinds)}, solver {evolution.solver.name}"
    )


@figures.register("summary")
def summary(evolution: Evolution) -> Figure:
    """Q and u at up to three sigmas on one colour scale, cuts through the optimum, and what was checked.

    In one dimension these are lines; above two, slices through the argmax of Q; of a batch, the first landscape.

    Parameters
    ----------
    evolution
        What to draw.

    Returns
    -------
    figure
        Made without pyplot, so nothing is shown; ``figure.savefig`` writes it.

    Examples
    --------
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> figure = plot.summary(solve(landscapes.ridge(size=21), [0.1, 0.2, 0.4]))
    >>> [ax.get_title().split(chr(10))[0] for ax in figure.axes[:4]]
    ['Q (σ = 0)', 'σ = 0.1', 'σ = 0.2', 'σ = 0.4']
    """
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    grid = evolution.grid
    initial = single(evolution.landscape.values, grid)
    center = optimum(initial, grid).index
    shown = shown_sigmas(evolution, 4 if grid.dimensions == 1 else 3)
    text = [*_key(evolution, shown), *_caption(evolution)]
    foot = _LINE * (len(text) + 1)
    cuts = min(grid.dimensions, 3)
    maps = 0.0 if grid.dimensions == 1 else 3.7
    lines = 5.0 if grid.dimensions == 1 else 3.0
    figure = Figure(figsize=(_WIDTH, 0.7 + maps + lines + foot), layout="constrained")
    figure.suptitle(_heading(evolution), fontsize=12)
    heights = [height for height in (maps, lines, foot) if height]
    parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    if maps:
        panels = parts[0].subplots(1, 1 + len(shown), sharex=True, sharey=True, squeeze=False)[0]
        norm = Normalize(float(initial.min()), float(initial.max()))
        fields = [initial, *(single(evolution.values[k], grid) for k in shown)]
        sigmas = [(0.0,) * grid.dimensions, *(tuple(evolution.sigmas[k].tolist()) for k in shown)]
        names = ["Q (σ = 0)", *(sigma_label(evolution, k) for k in shown)]
        place = slice_label(grid, center)
        image = None
        for ax, values, sigma, name in zip(panels, fields, sigmas, names, strict=True):
            image = draw_field(ax, values, grid, center, sigma, norm)
            notes = [place] if place else []
            if optimum(values, grid).edges:
                notes.append("argmax on the edge of the box")
            if any(2 * m >= axis.length for m, axis in zip(grid.margin(sigma), grid, strict=True)):
                notes.append("no node keeps 99 % of the noise inside")
            ax.set_title("\n".join([name, *notes]), fontsize=11)
            ax.label_outer()
        parts[0].colorbar(image, ax=list(panels), label="Q, u", shrink=0.9)
    rows = parts[-2].subplots(1, cuts, sharey=True, squeeze=False)[0]
    for i, ax in enumerate(rows):
        cut(evolution, i, ax)
        ax.label_outer()
        if grid.dimensions == 1:
            ax.set_title("argmax on the edge of the box" if _on_edge(evolution, shown) else "", fontsize=11)
    rows[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    for i, line in enumerate(text):
        colour = _ALARM if line.startswith("FAILED") else "black"
        parts[-1].text(0.01, 1 - (i + 0.5) * _LINE / foot, line, va="top", fontsize=9.5, color=colour)
    return figure
