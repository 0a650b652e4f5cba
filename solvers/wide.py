"""Noise far wider than the box, where all solvers come to the same: the limits of the flow, and how they are taken.

Along a closed axis the waves die, and what is left is the mean of the line (periodic, reflect) or the chord between its
ends (absorb). Along an axis in free space the line outside decides: u tends to the mean of what continues both ends,
only like L / sigma, so that the Gaussian is summed as it is, by `direct`, with all that lies beyond the ends gathered
there. Where a solver says that an axis is at its limit (`heatpg.solvers.base.Solver.at_limit`), neither its steps nor
its padding are made: one map does for all of them, and it takes no time or memory that grows with sigma.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.boundaries import face_values
from heatpg.core.grid import Axis, Grid
from heatpg.solvers import make
from heatpg.solvers.base import Flow, LineOperator, Path, Solver
from heatpg.solvers.faces import with_faces
from heatpg.tools.sums import along_axis

__all__ = ["begin", "gradient", "keeps_extrema", "monotone_between", "reach", "rounding", "wide_weights"]

Array = NDArray[Any]

_FARTHEST = 1e12  # nodes that are counted for round-off, more than any memory holds


def wide_weights(size: int, spacing: float, sigma: float, derivative: bool) -> NDArray[np.float64]:
    """Weights of u, or of du/dx, for offsets -size ... size, with all that lie beyond gathered at the outermost.

    Samples of a Gaussian that is far wider than their distance sum to one, and by symmetry those on one side to
    (1 - w_0) / 2; so the sum beyond the box is what those inside leave of it. For the derivative the sum of
    j exp(-a j^2) over j = 1, 2, ... is 1 / 2a - 1/12 - a / 120 - a^2 / 504 - a^3 / 1440 - a^4 / 3168, with the next
    term 691 a^5 / 3931200 below 1e-17 for a = h^2 / 2 sigma^2 up to 1/512.

    Parameters
    ----------
    size
        Number of nodes of the line; sigma is many times its length.
    spacing, sigma
        Distance of nodes, and the noise level.
    derivative
        Whether the weights are those of du/dx.

    Examples
    --------
    >>> from heatpg.solvers.wide import wide_weights
    >>> wide_weights(3, 1.0, 1e3, False).round(4).tolist()
    [0.499, 0.0004, 0.0004, 0.0004, 0.0004, 0.0004, 0.499]
    """
    step = spacing / sigma
    number = np.arange(size)
    side = step / math.sqrt(2.0 * math.pi) * np.exp(-0.5 * np.square(step * number))
    if not derivative:
        beyond = 0.5 - 0.5 * float(side[0]) - math.fsum(side[1:])
        return np.concatenate([[beyond], side[:0:-1], side, [beyond]])
    a = 0.5 * step * step
    rest = a * (1 / 12 + a * (1 / 120 + a * (1 / 504 + a * (1 / 1440 + a / 3168))))
    slopes = number * (step / sigma) * side
    beyond = (1.0 - 2.0 * rest) / math.sqrt(2.0 * math.pi) / sigma - math.fsum(slopes)
    return np.concatenate([[-beyond], -slopes[:0:-1], slopes, [beyond]])


class _Mean:
    """Every line becomes its mean, by the rule of so many end nodes; the derivative is zero."""

    def __init__(self, axis: Axis, ends: int, derivative: bool) -> None:
        weights = axis.integration_weights(ends) / axis.spacing
        self.weights = (weights / math.fsum(weights))[None, :]
        self.derivative = derivative

    def apply(self, source: Array, target: Array, position: int) -> None:
        # in double precision whatever the field, because a sum of many numbers of one sign drifts
        target[...] = 0.0 if self.derivative else along_axis(self.weights, source, position)


class _Chord:
    """Every line becomes the chord between the values that are held on its walls; the derivative is its slope."""

    def __init__(self, axis: Axis, derivative: bool) -> None:
        self.axis = axis
        self.derivative = derivative

    def apply(self, source: Array, target: Array, position: int) -> None:
        size = self.axis.size
        shape = [1] * source.ndim
        shape[position] = size
        if self.axis.faced:
            low, high = face_values(source, position)
            rising = (np.arange(size) + 0.5) / size
        else:
            low, high = (np.take(source, [i], axis=position) for i in (0, size - 1))
            rising = np.arange(size) / (size - 1)
        if self.derivative:
            target[...] = (high - low) / self.axis.length
            return
        share = rising.astype(source.dtype).reshape(shape)
        # a sum of two shares, so that both ends are what they were to the bit
        target[...] = (1.0 - share) * low + share * high


@functools.lru_cache(maxsize=64)
def _limit(axis: Axis, variance: float, ends: int, dtype: np.dtype[Any], derivative: bool) -> LineOperator:
    """The map of a line onto itself, or onto its derivative, for noise at its limit; ends as the solver treats them."""
    if axis.rule.free_space:
        # by name, because `direct` takes the weights above
        direct: Any = make("direct")
        operator: LineOperator
        if not ends:

            def samples(place: Axis, kind: np.dtype[Any]) -> LineOperator:
                made: LineOperator = direct.convolution(place, variance, kind, derivative, corrected=False)
                return made

            operator = with_faces(axis, samples, dtype, derivative)
        elif derivative:
            operator = direct.gradient_operator(axis, variance, dtype)
        else:
            operator = direct.operator(axis, 0.0, variance, dtype)
        return operator
    return _Chord(axis, derivative) if axis.rule.holds_ends else _Mean(axis, ends, derivative)


def _ends(solver: Solver, axis: Axis, variance: float) -> tuple[Axis, float, int]:
    return axis, variance, solver.end_nodes(axis, variance)


def _at_limit(solver: Solver, axis: Axis, variance: float) -> bool:
    return variance > 0 and solver.at_limit(axis, variance)


class _Flow(Flow):
    """The flow of a solver, with the axes that are at their limits taken from there."""

    def __init__(self, solver: Solver, values: Array, grid: Grid) -> None:
        self.solver = solver
        self.grid = grid
        self.initial = values
        self._first = values.ndim - grid.dimensions
        self._steps = solver.start(values, grid)
        self._limits: dict[int, float] = {}
        self._held: Array | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        # a limit is taken of the field that a march has reached, whose rounding it has
        return tuple(
            (*(path if path[-1] > 0.0 and self._marches(i) else (0.0,)), self._limits[i]) if i in self._limits else path
            for i, path in enumerate(self._steps.paths)
        )

    def _marches(self, position: int) -> bool:
        return not (self.grid[position].rule.free_space or self.solver.exact_in_time)

    def advance(self, variances: tuple[float, ...], out: Array) -> None:
        self._limits = {
            i: t
            for i, (axis, t) in enumerate(zip(self.grid, variances, strict=True))
            if _at_limit(self.solver, axis, t)
        }
        if not self._limits:
            self._steps.advance(variances, out)
            self.finite = self._steps.finite
            return
        self.finite = None
        # The maps of the axes commute. A march stays along a closed axis where it is, so that it need not begin again,
        # and keeps the field that it stands at to itself.
        reached = [
            0.0 if axis.starts_anew or self.solver.exact_in_time else path[-1]
            for axis, path in zip(self.grid, self._steps.paths, strict=True)
        ]
        rest = tuple(reached[i] if i in self._limits else t for i, t in enumerate(variances))
        field = out
        if self.solver.exact_in_time:
            self._steps.advance(rest, out)
        else:
            if self._held is None:
                self._held = np.empty_like(self.initial)
            field = self._held
            self._steps.advance(rest, field)
        for i, t in self._limits.items():
            _limit(*_ends(self.solver, self.grid[i], t), field.dtype, False).apply(field, out, self._first + i)
            field = out


def begin(solver: Solver, values: Array, grid: Grid) -> Flow:
    """Begin an evolution at t = 0 with values of shape (*batch, *grid.shape), for any width of noise.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.solvers import make
    >>> from heatpg.solvers.wide import begin
    >>> grid, out = Grid(Axis("x", 0.0, 4.0, 5, boundary="reflect")), np.empty(5)
    >>> begin(make("explicit"), np.arange(5.0) ** 2, grid).advance((1e12,), out)
    >>> out
    array([5.5, 5.5, 5.5, 5.5, 5.5])
    """
    return _Flow(solver, values, grid)


def gradient(
    solver: Solver, initial: Array, field: Array, grid: Grid, variances: tuple[float, ...], position: int, out: Array
) -> None:
    """Write du/dx_i into `out`, for any width of noise; see `heatpg.solvers.base.Solver.gradient`."""
    first = initial.ndim - grid.dimensions
    limits = [i for i, (axis, t) in enumerate(zip(grid, variances, strict=True)) if _at_limit(solver, axis, t)]
    if not limits:
        solver.gradient(initial, field, grid, variances, position, out)
        return
    if position in limits:
        begin(solver, initial, grid).advance(tuple(0.0 if i == position else t for i, t in enumerate(variances)), out)
        _limit(*_ends(solver, grid[position], variances[position]), out.dtype, True).apply(out, out, first + position)
        return
    # the limits of the others first, so that the solver meets only what is left
    reduced = initial
    for i in limits:
        target = np.empty_like(initial) if reduced is initial else reduced
        _limit(*_ends(solver, grid[i], variances[i]), initial.dtype, False).apply(reduced, target, first + i)
        reduced = target
    rest = tuple(0.0 if i in limits else t for i, t in enumerate(variances))
    solver.gradient(reduced, field, grid, rest, position, out)


# every check asks for it, at every level and along every axis
@functools.lru_cache(maxsize=4096)
def rounding(solver: Solver, axis: Axis, path: Path) -> float:
    """Bound on the accumulated round-off along an axis, in units of eps max|Q|, for any width of noise."""
    if not _at_limit(solver, axis, path[-1]):
        return solver.rounding(axis, path)
    # what was marched before the limit was taken
    marched = tuple(t for t in path if not _at_limit(solver, axis, t))
    before = solver.rounding(axis, marched) if len(marched) > 1 else 0.0
    # the sums of a transform of all that 1e-17 of the noise reaches, which the map of one line does not need, and a
    # transform of correlated noise does
    return before + 16.0 + 8.0 * math.log2(axis.size + 18.0 * min(math.sqrt(path[-1]) / axis.spacing, _FARTHEST))


def reach(solver: Solver, axis: Axis, start: float, stop: float) -> int:
    """Number of nodes beyond which the weights of an interval sum to less than 1e-17; at a limit the whole line."""
    return axis.size if _at_limit(solver, axis, stop) else solver.reach(axis, (0.0, stop - start))


def monotone_between(solver: Solver, axis: Axis, start: float, stop: float) -> bool:
    """Whether the field at t = stop is a mean, with weights that are not negative, of the field at t = start."""
    return _at_limit(solver, axis, stop) or solver.monotone_between(axis, start, stop)


def keeps_extrema(solver: Solver, axis: Axis, start: float, stop: float) -> bool:
    """Whether, in one dimension, such an interval cannot create extrema."""
    return _at_limit(solver, axis, stop) or solver.keeps_extrema(axis, stop - start)
