"""Nodes in cells where the values on the walls count: what they add to every line.

With values f_0, f_1 on the two walls, which come from the cells next to them (`heatpg.boundaries.face_weights`), the
line is

    u = S Q + f_0 v_0 + f_1 v_1.

S continues the cells without those values: by zero (clip), or odd about the walls (absorb). The columns v are what the
same scheme makes of the rest: of a constant outside one wall, or of one end of the chord, which stays as it is, less
what S makes of it. So every scheme knows faces that can carry a line, and rows sum to one as they do without faces.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from heatpg.boundaries import face_values
from heatpg.core.grid import Axis

__all__ = ["FacedOperator", "chords", "with_faces"]

Array = NDArray[Any]


class _Operator(Protocol):
    def apply(self, source: Array, target: Array, position: int) -> None: ...


def chords(size: int) -> NDArray[np.float64]:
    """At the cells, the straight lines from 1 on one wall to 0 on the other, shape (2, size)."""
    share = (np.arange(size) + 0.5) / size
    return np.stack([1.0 - share, share])


@dataclasses.dataclass(frozen=True, eq=False)
class FacedOperator:
    """A line operator that leaves the values on the walls out, and what they add.

    Attributes
    ----------
    inside
        S.
    columns
        v of the lower and the upper wall, shape (2, size).
    """

    inside: _Operator
    columns: Array

    def apply(self, source: Array, target: Array, position: int) -> None:
        # before, because both may be one array
        values = face_values(source, position)
        self.inside.apply(source, target, position)
        shape = [1] * source.ndim
        shape[position] = -1
        for value, column in zip(values, self.columns, strict=True):
            target += column.reshape(shape) * value


def with_faces(
    axis: Axis, make: Callable[[Axis, np.dtype[Any]], _Operator], dtype: np.dtype[Any], derivative: bool = False
) -> _Operator:
    """The operator along an axis, with what its face values add if it has any.

    Parameters
    ----------
    axis
        The axis.
    make
        Makes S along an axis of this spacing, boundary and nodes, for fields of a type.
    dtype
        Type of the field.
    derivative
        Whether the operator gives du/dx.
    """
    inside = make(axis, dtype)
    if not axis.faced:
        return inside
    double, size = np.dtype(np.float64), axis.size
    if axis.rule.holds_ends:
        chord = chords(size)
        columns = np.empty_like(chord)
        (inside if dtype == double else make(axis, double)).apply(chord, columns, 1)
        kept = np.array([[-1.0], [1.0]]) / axis.length if derivative else chord
        columns = kept - columns
    else:
        # a line twice as long has the wall in its middle: the flow of 1 on one side of it for ever, 0 on the other
        # (four nodes at least on either side: so many a solver may take slopes from at the ends, which are flat)
        half = max(size, 4)
        # from 0 on, because far from there the spacing would be rounded
        upper = (2 * half - 1) * axis.spacing
        longer = dataclasses.replace(axis, lower=0.0, upper=upper, size=2 * half, nodes="vertex")
        step = (np.arange(2 * half) < half).astype(np.float64)
        make(longer, double).apply(step, step, 0)
        lower = step[half : half + size]
        columns = np.stack([lower, (-1.0 if derivative else 1.0) * lower[::-1]])
    return FacedOperator(inside, columns.astype(dtype))
