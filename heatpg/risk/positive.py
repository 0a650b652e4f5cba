"""The flow of functions f(Q) with weights that are not negative, which sum to one over all that noise can reach.

With such weights u[f(Q)] is a mean of f(Q): probabilities stay in [0, 1] and grow with the threshold, variances are not
negative, tail means stay below the mean. Three boundaries need care, because f acts on the values beyond the box, too:

- ``zero``: Q is 0 there, and f(Q) is f(0): f(Q) - f(0) is evolved with zero outside, and f(0) put back.
- ``clip`` with nodes in cells: the value on the wall is that of a polynomial, whose weights are negative. Q is
  continued by nodes that hold that value, and f is taken of them.
- ``absorb`` with nodes in cells: likewise; on half the spacing there are nodes on the walls.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.boundaries import Extension, face_values
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.core.noise import sigma_words
from heatpg.core.ownership import HandedOver
from heatpg.errors import UnsupportedError
from heatpg.evolution import solve
from heatpg.risk.shares import cell_shares
from heatpg.solvers import Solver, covariance, make, wide
from heatpg.solvers.choice import choose
from heatpg.tools.resources import available_memory, require_memory

__all__ = ["PositiveFlow", "positive_solver", "require_positive_covariances"]

Array = NDArray[Any]

# Nodes by which an axis in free space is continued for cell shares. Schemes correct their ends from the nodes next to
# them, as of a smooth Q; among these many the continued shares are constant, and are not changed by it.
_BEYOND = 4
_CHUNK = 2**26  # bytes of fields that are solved at once (taste: a pass over 64 MiB takes far longer than its overhead)


def _negative(solver: Solver, grid: Grid, row: tuple[float, ...]) -> str:
    """The first axis along which weights are negative at this sigma; empty where there is none."""
    for axis, sigma in zip(grid, row, strict=True):
        if sigma > 0 and not wide.monotone_between(solver, axis, 0.0, sigma**2):
            return axis.name
    return ""


def positive_solver(grid: Grid, rows: Array, solver: str | Solver, *, replace: bool = False) -> tuple[Solver, str]:
    """A solver without negative weights at these noise levels, and why it was picked, if it was.

    Parameters
    ----------
    grid
        Where Q is sampled.
    rows
        Noise levels, shape (T, dimensions).
    solver
        Name or object; ``auto`` picks.
    replace
        Whether a solver that has negative weights is replaced, and the reason says so, or refused.

    Raises
    ------
    UnsupportedError
        For a solver with negative weights at one of the levels.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.risk.positive import positive_solver
    >>> grid = Grid(Axis("x", 0.0, 1.0, 101, boundary="clip"))
    >>> positive_solver(grid, np.array([[0.02]]), "auto")[0].name
    'direct'
    """
    why = ""
    if not (isinstance(solver, str) and solver == "auto"):
        chosen = make(solver)
        for row in rows:
            axis = _negative(chosen, grid, tuple(row))
            if not axis:
                continue
            where = f"{chosen.name} has negative weights along axis {axis!r} at sigma = {sigma_words(row)}"
            if not replace:
                raise UnsupportedError(
                    "the distribution of the return needs a solver with non-negative weights",
                    given=where,
                    advice="use solver='auto', 'direct', 'multiresolution' or 'exponential'",
                )
            why = f"instead of {chosen.name}: {where}; "
            break
        else:
            return chosen, ""
    variances = [tuple(float(s) ** 2 for s in row) for row in rows]
    chosen, reason = choose(grid, variances, prefer="monotone")
    if chosen.name == "exponential":
        # Its weights are positive from each level to the next, which nothing here needs; from Q on those of what an
        # evolution takes are positive too, and nearer to the truth. Both then tell the same of the mean.
        accurate, because = choose(grid, variances)
        if not any(_negative(accurate, grid, tuple(row)) for row in rows):
            chosen, reason = accurate, because
    return chosen, why + reason


@dataclasses.dataclass(frozen=True, eq=False)
class _Lattice:
    """The grid on which functions of Q are evolved.

    Attributes
    ----------
    grid
        The grid.
    continued
        Q on it, but for axes of `outer`.
    outer
        What is done to f(Q) - f(0) along array axes from the last: continued by zero, with half of the end values.
    inside
        Where the nodes of the landscape are.
    """

    grid: Grid
    continued: Array
    outer: tuple[Callable[[Array], Array], ...]
    inside: tuple[slice, ...]


def _longer(axis: Axis, size: int, spacing: float) -> Axis:
    # from 0 on, because far from there the spacing would be rounded
    return dataclasses.replace(axis, lower=0.0, upper=(size - 1) * spacing, size=size, nodes="vertex")


def _halved(values: Array, along: int) -> Array:
    """Q on half the spacing from wall to wall: between two cells their mean, on the walls the value there."""
    cells = np.moveaxis(values, along, 0)
    low, high = (np.moveaxis(side, along, 0)[0] for side in face_values(values, along))
    result = np.empty((2 * len(cells) + 1, *cells.shape[1:]))
    result[0], result[-1] = low, high
    result[1::2] = cells
    result[2:-1:2] = 0.5 * cells[1:] + 0.5 * cells[:-1]
    return np.moveaxis(result, 0, along)


def _continued(extension: Extension, from_last: int, fields: Array) -> Array:
    return extension.of(fields, fields.ndim - from_last)


def _lattice(values: Array, grid: Grid, *, cells: bool) -> _Lattice:
    axes: list[Axis] = []
    outer: list[Callable[[Array], Array]] = []
    inside: list[slice] = []
    for i, axis in enumerate(grid):
        more = axis.size + 2 * _BEYOND
        if axis.boundary == "clip" and (axis.faced or cells):
            values = axis.rule.extend(axis.size, axis.nodes, _BEYOND, _BEYOND).of(values, i)
            axes.append(_longer(axis, more, axis.spacing))
            inside.append(slice(_BEYOND, -_BEYOND))
        elif axis.faced:
            values = _halved(values, i)
            axes.append(_longer(axis, 2 * axis.size + 1, axis.length / (2 * axis.size)))
            inside.append(slice(1, None, 2))
        elif cells and axis.rule.extremes_outside(1.0, 1.0) != (1.0, 1.0):
            along = axis.rule.extend(axis.size, axis.nodes, _BEYOND, _BEYOND)
            outer.append(functools.partial(_continued, along, grid.dimensions - i))
            axes.append(_longer(axis, more, axis.spacing))
            inside.append(slice(_BEYOND, -_BEYOND))
        else:
            axes.append(axis)
            inside.append(slice(None))
    return _Lattice(Grid(*axes), np.ascontiguousarray(values), tuple(outer), tuple(inside))


class PositiveFlow:
    """Means of functions of Q(mu + sigma Z), with Q in pure numbers: Q = offset + sign 2^exponent S, S in [-1, 1].

    Parameters
    ----------
    landscape
        Q, without batch axes.
    solver
        One whose weights are not negative at the levels that are used; see `positive_solver`.
    sign
        -1 where S is to fall as Q rises.

    Attributes
    ----------
    values
        S at the nodes.
    low, high
        The range of S, that beyond the box included.
    outside
        S where Q is 0 outside of the box; None where it is nowhere.
    """

    def __init__(self, landscape: Landscape, solver: Solver, sign: float = 1.0) -> None:
        self.landscape = landscape
        self.grid = landscape.grid
        self.solver = solver
        self.sign = sign
        nought = any(axis.rule.extremes_outside(1.0, 1.0) != (1.0, 1.0) for axis in self.grid)
        given = landscape.values.astype(np.float64, copy=False)
        low, high = float(given.min()), float(given.max())
        if nought:
            low, high = min(low, 0.0), max(high, 0.0)
        # halves, because the range itself may overflow
        self.offset = 0.5 * low + 0.5 * high
        self.exponent = int(np.frexp(0.5 * high - 0.5 * low)[1])
        self.values = self.pure(given)
        self.outside = float(self.pure(0.0)) if nought else None
        self.nodes = _lattice(self.values, self.grid, cells=False)
        self._cells: _Lattice | None = None
        # a value on a wall between nodes may lie beyond all of them
        beyond = () if self.outside is None else (self.outside,)
        self.low = min(float(self.nodes.continued.min()), *beyond, math.inf)
        self.high = max(float(self.nodes.continued.max()), *beyond, -math.inf)

    @property
    def cells(self) -> _Lattice:
        """The lattice on which shares of cells are evolved."""
        if self._cells is None:
            self._cells = _lattice(self.values, self.grid, cells=True)
        return self._cells

    def pure(self, values: ArrayLike) -> Array:
        """S of values of Q."""
        return np.asarray(self.sign * np.ldexp(np.asarray(values, np.float64) - self.offset, -self.exponent))

    def measured(self, values: ArrayLike) -> Array:
        """Q of values of S, of the type of the landscape."""
        back = self.offset + self.sign * np.ldexp(np.asarray(values, np.float64), self.exponent)
        return np.asarray(back, self.landscape.values.dtype)

    def difference(self, values: ArrayLike) -> Array:
        """Differences of S in units of Q, of the type of the landscape; their sign stays."""
        return np.asarray(np.ldexp(np.asarray(values, np.float64), self.exponent), self.landscape.values.dtype)

    def at_once(self, levels: int = 1) -> int:
        """Number of functions that are solved at once.

        Raises
        ------
        ResourceError
            Where not even one fits in memory.
        """
        # the function, three fields that the solver works in, and what comes out
        each = 8 * (self.cells.grid.size * 4 + self.grid.size * levels)
        require_memory(each, "a function of Q under noise", "use fewer noise levels or a coarser grid")
        return max(1, int(min(_CHUNK, 0.25 * available_memory()) // each))

    def means(self, function: Callable[[Array], Array], noise: Array, *, gradient: bool = False) -> Array:
        """u[f(Q)] for functions f of S at every noise level.

        Parameters
        ----------
        function
            From S, of any shape, to (functions, *shape).
        noise
            Shape (T, dimensions), or covariances (T, dimensions, dimensions).
        gradient
            Whether to compute the gradient instead of the mean, per unit of each axis.

        Returns
        -------
        means
            Shape (T, functions, *grid.shape), or (T, dimensions, functions, *grid.shape).
        """
        beyond = None if self.outside is None else function(np.array(self.outside))
        return self._evolved(self.nodes, function(self.nodes.continued), beyond, noise, gradient=gradient)

    def means_of(self, function: Callable[[Array], Array], values: Array, noise: Array) -> Array:
        """u[f(S)] for other values of S at the nodes, such as those of single seeds.

        Parameters
        ----------
        function
            From S to f(S), node by node.
        values
            Shape (count, *grid.shape), in pure numbers.
        noise
            Shape (T, dimensions).

        Returns
        -------
        means
            Shape (T, count, *grid.shape).
        """
        fields = np.stack([function(_lattice(one, self.grid, cells=False).continued) for one in values])
        beyond = None if self.outside is None else np.full(len(values), float(function(np.array(self.outside))))
        return self._evolved(self.nodes, fields, beyond, noise)

    def probabilities(self, thresholds: Array, noise: Array) -> Array:
        """P(S <= c) from shares of cells, for ascending thresholds; shape (T, C, *grid.shape)."""
        lattice, at_nodes = self.cells, self.nodes
        still = ~np.any(noise != 0, axis=tuple(range(1, noise.ndim)))
        beyond = None if self.outside is None else (self.outside <= thresholds).astype(np.float64)
        # shares belong to the cells of the box; where it ends in zero they are continued after that
        axes = [
            old if new.size != old.size and old.rule.extremes_outside(1.0, 1.0) != (1.0, 1.0) else new
            for old, new in zip(at_nodes.grid, lattice.grid, strict=True)
        ]
        shares = cell_shares(lattice.continued, Grid(*axes), thresholds)
        result = self._evolved(lattice, shares, beyond, noise)
        # without noise there is nothing to average over
        shape = (-1, *[1] * self.grid.dimensions)
        result[still] = self.values <= thresholds.reshape(shape)
        # what is beyond is round-off: the weights are not negative
        return np.clip(result, 0.0, 1.0, out=result)

    def _evolved(
        self, lattice: _Lattice, fields: Array, beyond: Array | None, noise: Array, *, gradient: bool = False
    ) -> Array:
        shape = (-1, *[1] * self.grid.dimensions)
        if beyond is not None:
            fields = fields - beyond.reshape(shape)
        for continued in lattice.outer:
            fields = continued(fields)
        batch = Landscape(HandedOver(np.ascontiguousarray(fields)), lattice.grid)
        correlated = noise.ndim == 3
        inside: Any = (..., *lattice.inside)
        flow = solve(batch, None if correlated else noise, self.solver, covariance=noise if correlated else None)
        if gradient:
            return np.array([flow.gradient(k)[inside] for k in range(len(noise))])
        result = np.array(flow.values[inside])
        if beyond is not None:
            result += beyond.reshape(shape)
        return result


def require_positive_covariances(grid: Grid, covariances: Array) -> None:
    """Refuse correlated noise for which the transform has negative weights.

    Raises
    ------
    UnsupportedError
        With the least deviation that is needed.
    """
    for number, matrix in enumerate(covariances):
        if not covariance.monotone(grid, matrix):
            raise UnsupportedError(
                "the distribution of the return needs non-negative weights",
                given=f"covariance {number}, with conditional standard deviations too small for this grid",
                allowed="conditional standard deviations of at least 3 grid spacings",
                advice="use a finer grid, or noise that is independent along the axes",
            )
