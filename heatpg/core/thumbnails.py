"""Fields as small pictures inside a page of HTML: a curve over one axis, an image over two, a slice of more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.extrema import peak
from heatpg.core.grid import Grid
from heatpg.core.sense import MAXIMISE, Sense
from heatpg.tools import html

__all__ = ["landscape_words", "pictures"]

Array = NDArray[Any]

# widths and dashes, and no colours: a notebook may be light or dark
_STYLES = {
    "thin": 'stroke-width="1" stroke-opacity=".55"',
    "dashed": 'stroke-width="1.2" stroke-dasharray="4 3"',
    "bold": 'stroke-width="2.2"',
}


def _curves(grid: Grid, fields: Sequence[tuple[Array, str]], low: float, high: float) -> str:
    """The first, the second and the last field over one axis; strokes tell them apart without any colour."""
    (line,) = grid
    if len(fields) == 1:
        chosen, words = [("thin", *fields[0])], fields[0][1]
    else:
        chosen = [("thin", *fields[0]), ("bold", *fields[-1])]
        if len(fields) > 2:
            chosen.insert(1, ("dashed", *fields[1]))
        words = ", ".join(f"{look}: {name}" for look, _, name in chosen)
    ends = f"{html.number(line.lower)} to {html.number(line.upper)}"
    axis = f"{html.brief(line.name)} {ends} {html.brief(line.unit)}".rstrip()
    drawn = [(field, _STYLES[look]) for look, field, _ in chosen]
    return html.curves(drawn, low, high, f"{words}; over {axis}, from {html.number(low)} to {html.number(high)}")


def pictures(grid: Grid, fields: Sequence[tuple[Array, str]], sense: Sense = MAXIMISE) -> str:
    """One picture a field, or one of all where there is one axis, in the range of the first field.

    Parameters
    ----------
    grid
        Where the fields are.
    fields
        Each of the shape of the grid, with words for what is below it.
    sense
        Which way is better: a slice goes through the optimum.

    Returns
    -------
    html
        Empty where pictures cannot be made; see `heatpg.tools.html.palette`.
    """
    initial = fields[0][0]
    low, high = float(initial.min()), float(initial.max())
    if grid.dimensions == 1:
        return _curves(grid, fields, low, high)
    colours = html.palette()
    if colours is None:
        return ""
    # of more than two axes the slice is the one that has the optimum, the same for all fields
    center = peak(initial, grid, sense)
    plane: tuple[Any, ...] = (slice(None), slice(None), *center.index[2:])
    images = [html.picture(np.asarray(field[plane]), low, high, colours, words) for field, words in fields]
    right, up = html.brief(grid[0].name), html.brief(grid[1].name)
    note = f"{right} to the right, {up} upwards; dark is {html.number(low)}, bright is {html.number(high)}"
    if grid.dimensions > 2:
        held = zip(grid.axes[2:], center.coordinates[2:], strict=True)
        where = ", ".join(f"{html.brief(axis.name)} = {html.number(x)}" for axis, x in held)
        note += f"; the slice through the optimum of Q, {where}"
    return f'<div>{"".join(images)}</div><div style="font-size:85%;{html.QUIET}">{html.text(note)}</div>'


def landscape_words(values: NDArray[Any], grid: Grid) -> str:
    """Size, type and range of Q in one line for a notebook, and which entry of a batch is shown."""
    batch = values.shape[: values.ndim - grid.dimensions]
    low, high = html.number(values.min()), html.number(values.max())
    first = f", the first of a batch of {html.times(batch)} is shown" if batch else ""
    return f"{html.times(grid.shape)} nodes, {values.dtype}, Q from {low} to {high}{first}"
