"""The sampling error of u, from what is known of that of Q: returns of every seed, or standard errors of its nodes.

The flow is linear. Where the return of every seed is there, each seed's Q is evolved, as one more axis of a batch, and

    error of u = s / sqrt(S),  s^2 the variance over the S seeds, with S - 1,

which is right for random numbers that all nodes share as for independent ones. Where only standard errors s_i of
independent nodes are there, Var u_j = sum_i W_ji^2 s_i^2 with the weights W of the solver, images beyond the ends
folded before they are squared. Over a tensor grid (W1 x W2) o (W1 x W2) = (W1 o W1) x (W2 o W2): a matrix product
for each axis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis, Grid
from heatpg.errors import UnsupportedError
from heatpg.solvers.base import Solver
from heatpg.solvers.covariance import CovarianceFlow
from heatpg.solvers.wide import begin
from heatpg.tools.resources import require_memory

__all__ = ["error_of_mean", "error_of_nodes", "evolved_deviations", "weights_of_nodes"]

Array = NDArray[Any]

_BLOCK_BYTES = 2**26  # of weights that are made at once; a matter of taste


def _deviations(returns: Array) -> tuple[Array, int]:
    """Returns less their mean over seeds, over 2 to a power that makes them numbers of the size of one; that power."""
    # in double precision, so that an offset that all seeds share takes no digits from what tells them apart
    away = returns - returns.mean(axis=0, dtype=np.float64)
    # the mean of equal numbers is rounded
    away[:, np.ptp(returns, axis=0) == 0] = 0.0
    exponent = int(np.frexp(np.abs(away).max())[1])
    return np.ldexp(away, -exponent).astype(returns.dtype, copy=False), exponent


def evolved_deviations(
    returns: Array, grid: Grid, solver: Solver, variances: Array, covariance: Array | None = None
) -> Iterator[Array]:
    """u of each seed less u of the mean, at one noise level after the other.

    Parameters
    ----------
    returns
        Shape (S, *batch, *grid.shape).
    grid, solver
        As of the evolution.
    variances
        t = sigma^2 per axis, shape (T, dimensions), in the order in which the solver goes through them.
    covariance
        Of correlated noise, shape (T, dimensions, dimensions), in place of the variances.

    Yields
    ------
    deviations
        Shape (S, *batch, *grid.shape), an array that may be kept.

    Raises
    ------
    ResourceError
        If the fields of all seeds at one noise level do not fit in memory.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.solvers import make
    >>> from heatpg.solvers.uncertainty import evolved_deviations
    >>> grid = Grid(Axis("x", 0.0, 4.0, 5, boundary="reflect"))
    >>> returns = np.array([[1.0] * 5, [3.0] * 5])
    >>> [level.round(12).tolist() for level in evolved_deviations(returns, grid, make("direct"), np.ones((1, 1)))]
    [[[-1.0, -1.0, -1.0, -1.0, -1.0], [1.0, 1.0, 1.0, 1.0, 1.0]]]
    """
    require_memory(
        # in double precision when the mean is taken off, then what is evolved, what comes of it, and two to work in
        returns.size * 8 + 4 * returns.nbytes,
        f"the fields of {len(returns)} seeds, {returns[0].size:,} points each",
        "use fewer seeds or a coarser grid, or, if the nodes are independent, Landscape(values, grid, "
        "standard_error=...)",
    )
    away, exponent = _deviations(returns)
    advance: Callable[[int, Array], None]
    if covariance is None:
        steps = begin(solver, away, grid)

        def advance(level: int, out: Array) -> None:
            steps.advance(tuple(float(t) for t in variances[level]), out)
    else:
        flow, matrices = CovarianceFlow(away, grid), covariance
        flow.require_memory(matrices, away.nbytes)

        def advance(level: int, out: Array) -> None:
            flow.advance(matrices[level], out)

    for level in range(len(variances)):
        # a new array each time, because a marching solver goes on from the one that it has handed out
        out = np.empty_like(away)
        advance(level, out)
        yield np.ldexp(out, exponent)


def error_of_mean(deviations: Array) -> Array:
    """Standard error of a mean over seeds, the first axis, from deviations whose mean is 0 but for rounding.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.solvers.uncertainty import error_of_mean
    >>> error_of_mean(np.array([[-1.0, 0.0], [1.0, 0.0]])).tolist()
    [1.0, 0.0]
    """
    count = len(deviations)
    # squares of single precision, and of numbers far from one, would lose digits or leave the range
    exponent = int(np.frexp(np.abs(deviations).max())[1])
    rows = np.ldexp(deviations, -exponent).astype(np.float64, copy=False)
    squares = np.einsum("s...,s...->...", rows, rows) - rows.sum(axis=0) ** 2 / count
    error = np.sqrt(np.maximum(squares, 0.0) / (count * (count - 1)))
    return np.asarray(np.ldexp(error, exponent), dtype=deviations.dtype)


def error_of_nodes(
    error: Array, grid: Grid, solver: Solver, variances: Array, covariance: Array | None = None
) -> Array:
    """Standard error of u from those of independent nodes, shape (T, *batch, *grid.shape).

    Parameters
    ----------
    error
        Standard errors of Q, shape (*batch, *grid.shape).
    grid, solver, variances, covariance
        As in `evolved_deviations`.

    Raises
    ------
    UnsupportedError
        For full covariances, whose weights do not factor over the axes.
    ResourceError
        If the result does not fit in memory.

    Examples
    --------
    Noise far wider than the spacing takes an independent mean over sqrt(4 pi) sigma / h nodes:

    >>> import math
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.solvers import make
    >>> from heatpg.solvers.uncertainty import error_of_nodes
    >>> grid = Grid(Axis("x", 0.0, 64.0, 64, boundary="periodic"))
    >>> found = error_of_nodes(np.ones(64), grid, make("spectral"), np.array([[9.0]]))
    >>> bool(abs(found[0, 0] * math.sqrt(math.sqrt(4 * math.pi) * 3) - 1) < 1e-12)
    True
    """
    if covariance is not None:
        own = np.diagonal(covariance, axis1=-2, axis2=-1)
        full = bool((covariance != own[..., None] * np.eye(grid.dimensions)).any())
        raise UnsupportedError(
            "standard errors of u under covariance= cannot be computed from standard errors of the nodes",
            given="correlated noise" if full else "a diagonal covariance",
            allowed="one sigma per axis",
            advice="pass the returns of every seed: Landscape(None, grid, returns=...)"
            if full
            else f"pass the same noise as sigma={[[float(f'{x:.6g}') for x in row] for row in np.sqrt(own)]}",
        )
    count, first = len(variances), error.ndim - grid.dimensions
    require_memory(
        24.0 * count * error.size + 4.0 * _BLOCK_BYTES,
        f"standard errors of {error.size:,} points at {count} sigmas",
        "use fewer noise levels at a time, or a coarser grid",
    )
    exponent = int(np.frexp(error.max())[1])
    squares = np.ldexp(error.astype(np.float64), -exponent) ** 2
    result = np.broadcast_to(squares, (count, *squares.shape))
    for position in range(grid.dimensions):
        result = _spread_along(result, grid, position, solver, variances[:, position], first + position)
    return np.asarray(np.ldexp(np.sqrt(result), exponent), dtype=error.dtype)


def weights_of_nodes(axis: Axis, solver: Solver, variances: Array) -> Iterator[tuple[int, slice, NDArray[np.float64]]]:
    """What nodes of an axis contribute to all of its nodes: the answers to unit vectors, in blocks.

    Parameters
    ----------
    axis, solver
        Along which axis, and by what.
    variances
        t = sigma^2, shape (T,), in the order in which the solver goes through them.

    Yields
    ------
    level, nodes, weights
        Which variance, which nodes, and a row of weights for each of them, shape (nodes, axis.size).

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis
    >>> from heatpg.solvers import make
    >>> from heatpg.solvers.uncertainty import weights_of_nodes
    >>> axis = Axis("x", 0.0, 4.0, 4, boundary="periodic")
    >>> [(level, nodes, weights)] = weights_of_nodes(axis, make("direct"), np.array([4.0]))
    >>> level, nodes, weights.sum(axis=1).round(12).tolist()
    (0, slice(0, 4, None), [1.0, 1.0, 1.0, 1.0])
    """
    rows = max(1, _BLOCK_BYTES // (8 * axis.size))
    for start in range(0, axis.size, rows):
        units = np.eye(min(rows, axis.size - start), axis.size, start)
        steps = begin(solver, units, Grid(axis))
        for level, variance in enumerate(variances):
            weights = np.empty_like(units)
            steps.advance((float(variance),), weights)
            yield level, slice(start, start + len(units)), weights


def _spread_along(
    squares: Array, grid: Grid, position: int, solver: Solver, variances: Array, place: int
) -> NDArray[np.float64]:
    """sum_i W_ji^2 squares_i along one axis, at every level; the weights are the answers to unit vectors."""
    axis, count = grid[position], len(variances)
    # lines last: (T, others, n)
    lines = np.moveaxis(squares, 1 + place, -1).reshape(count, -1, axis.size)
    result = np.zeros(lines.shape)
    for level, nodes, weights in weights_of_nodes(axis, solver, variances):
        result[level] += lines[level, :, nodes] @ weights**2
    moved = np.moveaxis(squares, 1 + place, -1).shape
    return np.moveaxis(result.reshape(moved), -1, 1 + place)
