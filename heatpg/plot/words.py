"""Words on figures and pages: numbers, axes with their units, noise levels, and what is drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.evolution import Evolution

__all__ = [
    "axis_label",
    "drawable",
    "headline",
    "name_label",
    "number",
    "origin_label",
    "place_label",
    "sigma_label",
    "slice_label",
]


def number(value: float) -> str:
    """A number in three digits, with a minus sign of full width."""
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")


def drawable(text: str) -> str:
    """The same for Matplotlib, which reads what stands between dollars as mathematics, and fails where it is none.

    Examples
    --------
    >>> from heatpg.plot.words import drawable
    >>> drawable(r"angle $\\theta$"), drawable(r"$\\unheard$ of"), drawable("5 $")
    ('angle $\\\\theta$', '\\\\$\\\\unheard\\\\$ of', '5 \\\\$')
    """
    if "$" not in text:
        return text
    from matplotlib.mathtext import MathTextParser

    try:
        # an odd one would make mathematics of whatever stands beside it in a title
        mathematics = text.replace(r"\$", "").count("$") % 2 == 0
        MathTextParser("path").parse(text if mathematics else "")
    except ValueError:
        mathematics = False
    return text if mathematics else text.replace(r"\$", "$").replace("$", r"\$")


def axis_label(axis: Axis) -> str:
    """Label, or name, and unit of an axis."""
    return drawable(axis.heading)


def name_label(landscape: Landscape) -> str:
    """The name of a landscape, at the head of a figure."""
    return drawable(landscape.name)


def place_label(grid: Grid, node: tuple[int, ...], without: Sequence[int]) -> str:
    """Where a node lies along the axes but for those that a figure draws, as ``x3 = 0.2 N, x4 = 1``."""
    place = grid.point(node)
    return ", ".join(
        f"{axis.name} = {number(x)} {axis.unit}".rstrip()
        for i, (axis, x) in enumerate(zip(grid, place, strict=True))
        if i not in without
    )


def slice_label(grid: Grid, center: tuple[int, ...]) -> str:
    """Where a map cuts through the axes that it does not show; empty up to two dimensions."""
    return place_label(grid, center, (0, 1))


def _correlation_label(evolution: Evolution, index: int) -> str:
    """What sigma does not say of correlated noise: its correlation, of more than two axes the strongest."""
    # sigma alone describes the noise
    if evolution.covariance is None or evolution.grid.dimensions == 1:
        return ""
    deviations = evolution.sigma[index]
    # Sigma_ij / (sigma_i sigma_j), each pair of axes once
    correlations = (evolution.covariance[index] / np.multiply.outer(deviations, deviations))[
        np.triu_indices(len(deviations), 1)
    ]
    strongest = float(correlations[np.abs(correlations).argmax()])
    return f", ρ = {number(strongest)}" if len(correlations) == 1 else f", ρ up to {number(strongest)}"


def sigma_label(evolution: Evolution, index: int) -> str:
    """One noise level with its unit, as ``σ = 0.05 N``; of correlated noise ``σ = (0.1, 0.2) N, ρ = 0.5``."""
    row = [float(value) for value in np.atleast_1d(evolution.sigma[index])]
    correlation = _correlation_label(evolution, index)
    unit = evolution.grid.unit
    # one unit for all axes stands once, at the end
    if unit is not None:
        text = number(row[0]) if len(row) == 1 else f"({', '.join(map(number, row))})"
        return f"σ = {text} {unit}".rstrip() + correlation
    if len(row) == 1:
        return f"σ = {number(row[0])}"
    parts = [f"{number(value)} {axis.unit}".rstrip() for value, axis in zip(row, evolution.grid, strict=True)]
    return f"σ = ({', '.join(parts)}){correlation}"


def origin_label(evolution: Evolution) -> str:
    """What made the fields: a solver from Q, or draws of noise in more components than are shown."""
    return f"solver {evolution.solver.name}" if evolution.drawn is None else "sampled with noise in all components"


def headline(evolution: Evolution, words: str) -> str:
    """The name of the landscape, which one of a batch is drawn, and words."""
    # the empty product is 1, which is not used then
    count = int(np.prod(evolution.landscape.batch_shape, dtype=int))
    first = f", first of {count} landscapes" if evolution.landscape.batch_shape else ""
    return f"{name_label(evolution.landscape)}{first}: {words}"
