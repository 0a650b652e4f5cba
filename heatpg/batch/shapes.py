"""Shapes of the results of a batch, found by sampling each kind of landscape on a few nodes."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from heatpg.batch.files import landscape_in_file
from heatpg.batch.names import names_environment
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.core.slices import is_sliced
from heatpg.errors import HeatpgError
from heatpg.landscapes.named import family_of
from heatpg.tools.options import settable

__all__ = ["COARSE", "Shape", "keywords_of", "kinds_of", "shape_of", "sized"]

COARSE = (5, 17, 65)  # nodes along the axes of a landscape that is asked for its box; each resolves four times more


@dataclasses.dataclass(frozen=True)
class Shape:
    """What decides the size of a result."""

    grid: Grid
    batch: tuple[int, ...]
    itemsize: int
    sliced: bool  # known beyond its axes
    kept: int = 0  # fields beside Q: returns of seeds, standard errors

    @classmethod
    def of(cls, found: Landscape, grid: Grid | None = None) -> Shape:
        kept = (0 if found.returns is None else len(found.returns)) + (found.standard_error is not None)
        return cls(grid or found.grid, found.batch_shape, found.values.itemsize, is_sliced(found.sampler), kept)

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self.batch, *self.grid.shape)

    @property
    def field(self) -> int:
        """Bytes of one field."""
        return math.prod(self.shape) * self.itemsize


def kinds_of(resolved: dict[str, Any]) -> tuple[Any, ...]:
    """What of a landscape can decide its shape: not the values of real numbers, and not the seed."""
    landscape = resolved["landscape"]
    options = landscape["options"]
    parts: list[tuple[str, object]] = []
    # of a list its length counts: a state of four numbers makes as large a landscape as any other
    for key in sorted(options):
        value = options[key]
        if isinstance(value, list):
            parts.append((key, len(value)))
        elif not isinstance(value, float) and key != "seed":
            parts.append((key, str(value) if isinstance(value, dict) else value))
    return (landscape["source"], landscape.get("sha256", ""), tuple(parts))


def keywords_of(options: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}


def sized(axis: Axis, size: int) -> Axis:
    return dataclasses.replace(axis, size=size)


def shape_of(resolved: dict[str, Any]) -> Shape:
    """The shape of a landscape, sampled on as few nodes as it takes; its box does not depend on their number."""
    landscape = resolved["landscape"]
    if "file" in landscape:
        found = landscape_in_file(landscape)
        return Shape.of(found)
    family = family_of(landscape["source"])
    options = keywords_of(landscape["options"])
    wanted = options.get("size")
    if names_environment(landscape["source"]):
        # neither its box nor its number of seeds depends on how long it is looked at, and a rollout may be slow
        found = family(**options | {"size": min(COARSE[0], options["size"]), "horizon": 1})
        return Shape.of(found, Grid(*(sized(axis, options["size"]) for axis in found.grid)))
    if "size" in settable(family) and isinstance(wanted, int) and wanted > COARSE[0]:
        for size in COARSE:
            try:
                found = family(**{**options, "size": min(size, wanted)})
            except HeatpgError:  # too coarse for its finest detail, or wrong at any size
                continue
            grid = Grid(*(sized(axis, wanted) for axis in found.grid))
            return Shape.of(found, grid)
    found = family(**options)
    return Shape.of(found)
