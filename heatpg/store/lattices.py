"""Lattices along axes, and fields on them: what a level of compact storage is, and how it is read back.

`heatpg.store.compact` says which lattices are taken, and what the transforms are.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis
from heatpg.solvers.transforms import basis_along
from heatpg.tools.parallel import for_each

__all__ = ["BLOCK_POINTS", "Lattice", "Level", "by_lines", "from_lines"]

Array = NDArray[Any]
_Run = Callable[[Callable[[int], object], Iterable[int]], None]

BLOCK_POINTS = 2**16
"""Of lines that are transformed together: half a mebibyte, which stays in cache."""
_ENTRY_POINTS = 2**17  # of batch entries that one thread takes at a time


@dataclasses.dataclass(frozen=True)
class Lattice:
    """The nodes along one axis on which a field is kept.

    Attributes
    ----------
    axis
        The axis of the grid.
    size
        Number of nodes kept.
    beyond
        Number of nodes of the axis by which its line is continued at each end; 0 unless it lies in free space
        or between faces whose values are held.

    Examples
    --------
    >>> from heatpg import Axis
    >>> from heatpg.store.compact import Lattice
    >>> Lattice(Axis("angle", 0.0, 6.0, 12, boundary="periodic"), 4).coordinates
    array([0. , 1.5, 3. , 4.5])
    >>> Lattice(Axis("torque", -1.0, 1.0, 9, boundary="reflect"), 5).coordinates
    array([-1. , -0.5,  0. ,  0.5,  1. ])
    >>> Lattice(Axis("gain", 0.0, 1.0, 11, boundary="clip"), 4, beyond=4).coordinates
    array([-0.2125,  0.2625,  0.7375,  1.2125])
    """

    axis: Axis
    size: int
    beyond: int = 0

    @property
    def whole(self) -> bool:
        """Whether the nodes are those of the axis."""
        return self.size == self.axis.size and not self.beyond

    @property
    def rows(self) -> int:
        """Number of nodes of the continued line."""
        return self.axis.size + 2 * self.beyond

    @property
    def coordinates(self) -> NDArray[np.float64]:
        """Positions of the nodes, shape (size,)."""
        axis = self.axis
        if self.whole:
            return axis.coordinates
        first, last = float(axis.coordinates[0]), float(axis.coordinates[-1])
        number = np.arange(self.size)
        if axis.rule.periodic:
            return np.asarray(first + number * (axis.length / self.size))
        if self.closure == ("reflect", "cell"):
            # the continued line begins half a cell before its first centre
            first -= (self.beyond + 0.5) * axis.spacing
            return np.asarray(first + (number + 0.5) * (self.rows * axis.spacing / self.size))
        return np.asarray(first + number * ((last - first) / (self.size - 1)))

    @functools.cached_property
    def closure(self) -> tuple[str, str]:
        """Boundary and nodes that the transform of the line stands for."""
        axis = self.axis
        # where the values on faces are held, the line goes on beyond them too, but not in files of earlier versions
        if axis.rule.free_space or self.beyond > 0:
            return "reflect", "cell"
        return axis.boundary, axis.nodes if axis.boundary == "reflect" else "vertex"

    @property
    def intervals(self) -> bool:
        """Whether both ends of the line are nodes, so that intervals between them are what is counted."""
        return self.closure in (("reflect", "vertex"), ("absorb", "vertex"))

    def fine(self) -> Any:
        return _basis(*self.closure, self.rows)

    def coarse(self) -> Any:
        return _basis(*self.closure, self.size)

    def factor(self) -> float:
        """Coefficients of the coarse line by those of the fine line."""
        less = 1 if self.intervals else 0
        return (self.size - less) / (self.rows - less)

    def _move(self, source: Array, target: Array, factor: float) -> None:
        """Coefficients of one line as those of the other, in place of all of `target`; shape (lines, coefficients)."""
        size = self.size
        if self.closure[0] == "absorb":
            np.multiply(source[:, : size - 1], factor, out=target[:, : size - 1])
            target[:, size - 1 :] = 0.0
            # the two coefficients of the chord are values at its ends, which do not scale
            target[:, 0], target[:, -1] = source[:, 0], source[:, -1]
            return
        kept = self.waves
        np.multiply(source[:, :kept], factor, out=target[:, :kept])
        target[:, kept:] = 0.0

    def prolong(self, lines: Array) -> Array:
        """Values on the axis from those on the lattice: shape (lines, size) to (lines, axis.size); uses up `lines`."""
        coefficients = self.coarse().forward(lines, 1)
        moved = np.empty((len(lines), self.rows))
        self._move(coefficients, moved, 1.0 / self.factor())
        return np.asarray(self.fine().inverse(moved, 1)[:, self.beyond : self.beyond + self.axis.size])

    def restrict(self, coefficients: Array, multiplier: Array) -> Array:
        """Values on the lattice from coefficients of the fine line; shape (lines, rows) to (lines, size)."""
        moved = np.empty((len(coefficients), self.size))
        self._move(coefficients, moved, self.factor())
        # the end values of a held line come last, and are not multiplied
        factors = multiplier[: self.size].copy()
        if self.closure[0] == "absorb":
            factors[-1] = 1.0
        moved *= factors
        return np.asarray(self.coarse().inverse(moved, 1))

    @property
    def waves(self) -> int:
        """Number of waves, from the longest on, that the lattice has; not between faces whose values are held."""
        # the shortest wave of the coarse lattice has no phase of its own on it, except between cell centres
        if self.closure == ("reflect", "cell"):
            return self.size
        return self.size - 1 + (self.size % 2 if self.axis.rule.periodic else 0)


@functools.lru_cache(maxsize=1024)
def _basis(boundary: str, nodes: Any, size: int) -> Any:
    return basis_along(Axis("line", 0.0, float(size), size, boundary=boundary, nodes=nodes))


def _serially(function: Callable[[int], object], items: Iterable[int]) -> None:
    for item in items:
        function(item)


def by_lines(field: Array, position: int) -> Array:
    """All lines along one axis as rows, as a view where that is possible."""
    # along the last axis the lines are rows already, and nothing is copied
    if position < field.ndim - 1:
        field = np.moveaxis(field, position, -1)
    return field.reshape(-1, field.shape[-1])


def from_lines(lines: Array, shape: tuple[int, ...], position: int) -> Array:
    """The inverse of `by_lines`, for lines of another length than that in `shape`."""
    others = shape[:position] + shape[position + 1 :]
    if position == len(others):
        return lines.reshape(*others, lines.shape[1])
    return np.ascontiguousarray(np.moveaxis(lines.reshape(*others, lines.shape[1]), -1, position))


def _expand(field: Array, lattices: tuple[Lattice, ...], each: _Run) -> Array:
    """Read back a field of any number of leading axes, in double precision."""
    first = field.ndim - len(lattices)
    for i, lattice in enumerate(lattices):
        if lattice.whole:
            continue
        lines = by_lines(field, first + i)
        result = np.empty((len(lines), lattice.axis.size))
        chunk = max(1, BLOCK_POINTS // lattice.rows)

        def work(
            begin: int, lattice: Lattice = lattice, lines: Array = lines, result: Array = result, chunk: int = chunk
        ) -> None:
            piece = lines[begin : begin + chunk].astype(np.float64)  # a copy, which is used up
            result[begin : begin + chunk] = lattice.prolong(piece)

        each(work, range(0, len(lines), chunk))
        field = from_lines(result, field.shape, first + i)
    return field


def _entries(values: Array, lattices: tuple[Lattice, ...]) -> tuple[Array, int, _Run, _Run]:
    """Values with one batch axis; entries of a piece of work; how to run over pieces, and over lines within them."""
    flat = values.reshape(-1, *values.shape[values.ndim - len(lattices) :])
    points = math.prod(lattice.axis.size for lattice in lattices)
    piece = max(1, _ENTRY_POINTS // points)
    # one pool of threads: it works either on the pieces or inside of one
    return (flat, piece, for_each, _serially) if len(flat) > piece else (flat, piece, _serially, for_each)


@dataclasses.dataclass(frozen=True, eq=False)
class Level:
    """One field on its lattices.

    Attributes
    ----------
    lattices
        One for each axis of the grid.
    values
        u on their nodes, shape (*batch, *(lattice.size)), of the type of the field.
    error
        Largest error of what is read back from it, in units of osc(Q): measured, or a bound where that is proven.
    """

    lattices: tuple[Lattice, ...]
    values: Array
    error: float = 0.0

    def read_back(self, out: Array) -> None:
        """The field at the nodes of the grid, into `out`, shape (*batch, *grid.shape)."""
        if all(lattice.whole for lattice in self.lattices):
            np.copyto(out, self.values)
            return
        coarse, piece, over_pieces, over_lines = _entries(self.values, self.lattices)
        fine = out.reshape(len(coarse), *(lattice.axis.size for lattice in self.lattices))

        def work(begin: int) -> None:
            fine[begin : begin + piece] = _expand(coarse[begin : begin + piece], self.lattices, over_lines)

        over_pieces(work, range(0, len(coarse), piece))

    def deviation(self, field: Array) -> NDArray[np.float64]:
        """Largest difference of each batch entry, read back, from that of a field; shape (entries,)."""
        coarse, piece, over_pieces, over_lines = _entries(self.values, self.lattices)
        fine = field.reshape(len(coarse), *(lattice.axis.size for lattice in self.lattices))
        result = np.empty(len(coarse))

        def work(begin: int) -> None:
            back = _expand(coarse[begin : begin + piece], self.lattices, over_lines)
            if field.dtype != back.dtype:
                back = back.astype(field.dtype).astype(np.float64)  # as a reader gets it
            back -= fine[begin : begin + piece]
            np.abs(back, out=back)
            result[begin : begin + piece] = back.reshape(len(back), -1).max(axis=1)

        over_pieces(work, range(0, len(coarse), piece))
        return result
