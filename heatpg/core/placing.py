"""A landscape of data whose axes have positions of their nodes, and what a user has to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from heatpg.core.grid import Axis, Grid
from heatpg.core.ownership import HandedOver
from heatpg.core.periodicity import repeated_ends, repeated_ends_words
from heatpg.core.positions import Placed
from heatpg.tools.arrays import real_array
from heatpg.tools.numbers import number_words
from heatpg.tools.warn import warn_caller

if TYPE_CHECKING:
    from heatpg.core.landscape import Landscape

__all__ = ["on_positions"]


def on_positions(
    kind: type[Landscape],
    values: ArrayLike | None,
    grid: Grid,
    placed: Sequence[Placed],
    name: str,
    origin: dict[str, Any],
    **options: Any,
) -> Landscape:
    """A landscape of data, reversed where its positions descend; a warning says what a user has to know.

    Parameters
    ----------
    kind
        The class of the landscape.
    values, grid, name
        As for `heatpg.Landscape`.
    placed
        The axes with the positions that they were made of; none where there were no positions.
    origin
        The provenance.
    **options
        For the landscape.
    """
    descending = [number for number, each in enumerate(placed) if each.turned]
    if descending:
        # of a batch the axes of the grid are the last ones
        turned = tuple(number - grid.dimensions for number in descending)
        values = None if values is None else _flipped("Q", values, turned)
        for what in ("standard_error", "returns"):
            if options.get(what) is not None:
                options[what] = _flipped(what, options[what], turned)
    notes = {each.axis.name: each.note for each in placed if each.note}
    landscape = kind(values, grid, name, {**origin, **({"positions": notes} if notes else {})}, **options)
    told = [repeated_ends_words(axis) for axis in repeated_ends(landscape.values, landscape.grid)]
    told += [_turned_words(placed[number].axis) for number in descending]
    told += [f"axis {each.axis.name!r}: positions {each.note}" for each in placed if each.doubtful]
    for words in told:
        # up to the caller of `from_array` or `from_xarray`
        warn_caller(words)
    return landscape


def _flipped(what: str, given: Any, axes: tuple[int, ...]) -> ArrayLike:
    if isinstance(given, HandedOver):
        return HandedOver(np.flip(given.array, axes))
    return np.flip(real_array(what, given), axes)


def _turned_words(axis: Axis) -> str:
    first = number_words(float(axis.coordinates[0]), axis.lower, axis.upper)
    return (
        f"axis {axis.name!r} descends: it was reversed together with the values, so index 0 is now at {first}; the "
        f"coordinates are unchanged"
    )
