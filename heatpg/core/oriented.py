"""Data on positions that may descend: turned round with all that belongs to them, and what a user has to know of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.faces import changed, checked_faces
from heatpg.core.grid import Axis, Grid
from heatpg.core.ownership import HandedOver
from heatpg.core.periodicity import repeated_ends, repeated_ends_words
from heatpg.core.positions import Placed
from heatpg.tools.arrays import real_array
from heatpg.tools.numbers import number_words
from heatpg.tools.warn import warn_caller

__all__ = ["on_positions"]


class _Sampled(Protocol):
    values: NDArray[Any]
    grid: Grid


Made = TypeVar("Made", bound=_Sampled)


def on_positions(
    kind: Callable[..., Made],
    values: ArrayLike | None,
    grid: Grid,
    placed: Sequence[Placed],
    name: str,
    origin: dict[str, Any],
    **options: Any,
) -> Made:
    """A landscape of data, turned round where its positions descend; what a user has to know of it is told."""
    descending = [number for number, each in enumerate(placed) if each.turned]
    if descending:
        # of a batch the axes of the grid are the last ones
        turned = tuple(number - grid.dimensions for number in descending)
        if options.get("faces") is not None and values is not None:
            # a wall is named by its coordinate, so only what varies along the other axes is turned
            stated = checked_faces(options["faces"], np.asarray(values), grid)
            options["faces"] = changed(stated, lambda side: np.flip(side, turned))
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
