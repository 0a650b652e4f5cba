"""What a large evolution says of itself before its fields are there: a record with no values in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from heatpg.core.grid import Grid
from heatpg.core.landscape import Landscape
from heatpg.core.sense import sense_of
from heatpg.solvers.choice import Schedule
from heatpg.store.record import Record

__all__ = ["Header", "header"]


class Header(Landscape):
    """A landscape without its values: its name and its grid, and an array of one number in the shape of the field.

    Parameters
    ----------
    grid, name, provenance, minimise
        As of a `Landscape`.
    shape
        Of the values, batch axes included.
    largest
        The number that stands for all: the largest magnitude, in the type of the field.
    """

    def __init__(
        self,
        grid: Grid,
        name: str,
        provenance: dict[str, Any],
        shape: tuple[int, ...],
        largest: np.generic,
        *,
        minimise: bool = False,
    ) -> None:
        # not by Landscape.__init__, which would lay all values out in memory: here one number has the shape of all
        self.values = np.broadcast_to(np.asarray(largest), shape)
        self.grid = grid
        self.name = name
        self.provenance = provenance
        self._exact = None
        self._sampler = None
        self._taken = None
        self.sense = sense_of(minimise)
        self.standard_error = None
        self.returns = None
        self.stated_faces = None


def header(
    plan: Schedule,
    name: str,
    provenance: dict[str, Any],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    *,
    minimise: bool = False,
) -> Record:
    """What a file says of an evolution before its fields are there."""
    zero = dtype.type(0)
    return Record(
        Header(plan.grid, name, provenance, shape, zero, minimise=minimise),
        plan.sigma,
        np.broadcast_to(np.asarray(zero), (len(plan.sigma), *shape)),
        plan.solver,
        paths=[plan.paths(level) for level in range(len(plan.sigma))],
        reason=plan.reason,
    )
