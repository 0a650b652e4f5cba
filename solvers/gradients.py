"""du/dx along every axis, whatever the units of the axes and of Q.

Weights of a derivative are of the size of 1 / h, or of 1 / sigma at an edge, which need not be a number of the type of
the field. Where they might not be one, lengths are taken in units near h, powers of two that change no digit, and the
derivative is computed in double precision. Only the result has to be a number of that type, or is refused.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.centring import Centring, usual_sizes
from heatpg.core.faces import Faces
from heatpg.core.grid import Grid
from heatpg.core.noise import sigma_words
from heatpg.errors import GridError, NonFiniteError
from heatpg.solvers import wide
from heatpg.solvers.base import Solver, difference_gradient
from heatpg.solvers.covariance import CovarianceFlow
from heatpg.solvers.stated import StatedFlow
from heatpg.tools.finite import all_finite

__all__ = ["gradients"]

Array = NDArray[Any]

# In eps of what it is relative to: how far rounding may take a derivative that is 0, as a difference of neighbouring
# nodes, from it, and subnormal numbers the digits of one that is not (a taste: some times the weights of a difference).
_ROUNDING = 64.0


def gradients(
    solver: Solver | None,
    initial: Array,
    field: Array,
    grid: Grid,
    sigma: NDArray[np.float64],
    covariance: NDArray[np.float64] | None,
    taken: Centring,
    kind: np.dtype[Any],
    faces: Faces | None = None,
) -> Array:
    """du/dx along every axis, shape (dimensions, *field.shape).

    Parameters
    ----------
    solver
        What made the field; None where it did not come from Q on the grid, and is differenced.
    initial, field
        Q and u, less what is taken out of them, shape (*batch, *grid.shape).
    grid
        Where they are sampled.
    sigma
        One per axis.
    covariance
        Of correlated noise, otherwise None.
    taken
        The offset and the scale that are out of both already; the scale is put back.
    kind
        Type of the result.
    faces
        What is stated of the walls of `initial`.

    Raises
    ------
    GridError
        If the unit of an axis makes the result larger, or too small for the digits, of the numbers of its type.
    NonFiniteError
        If it is larger because Q is large, or sigma small.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.core.centring import centring
    >>> from heatpg.solvers.gradients import gradients
    >>> grid = Grid(Axis("x", 0.0, 5e-30, 6, boundary="clip"))
    >>> values = np.arange(6, dtype=np.float32) ** 2
    >>> taken, none = centring(values, grid), np.zeros(1)
    >>> (gradients(None, values, values, grid, none, None, taken, values.dtype) * 1e-30).round(5).tolist()
    [[0.0, 2.0, 4.0, 6.0, 8.0, 10.0]]
    """
    exponents = _exponents(grid, initial)
    if taken.trivial and not any(exponents):
        found = _along_all(solver, initial, field, grid, sigma, covariance, faces)
        if all_finite(found):
            return found
    # exactly the same problem, in units of its own
    axes = [
        dataclasses.replace(axis, lower=math.ldexp(axis.lower, e), upper=math.ldexp(axis.upper, e))
        for axis, e in zip(grid, exponents, strict=True)
    ]
    powers = np.array(exponents)
    own = None if covariance is None else np.ldexp(covariance, powers[:, None] + powers)
    double = initial.astype(np.float64, copy=False)
    there = double if field is initial else field.astype(np.float64, copy=False)
    walls = None if faces is None else faces.in_double()
    found = _along_all(solver, double, there, Grid(*axes), np.ldexp(sigma, powers), own, walls)
    with np.errstate(over="ignore", under="ignore"):
        result = np.asarray(np.ldexp(found, taken.exponent + powers.reshape(-1, *[1] * field.ndim)), kind)
    _require_numbers(found, result, double, grid, exponents, sigma)
    return result


def _exponents(grid: Grid, initial: Array) -> list[int]:
    """By which power of two lengths along each axis are multiplied: 0 where slopes of such values are usual numbers."""
    smallest, largest = usual_sizes(initial.dtype)
    size = float(np.abs(initial).max()) or 1.0
    # a slope is of the size of Q / h, and weights of that of 1 / h
    low, high = max(smallest, smallest / size), min(largest, largest / size)
    return [0 if low * axis.spacing <= 1.0 <= high * axis.spacing else -math.frexp(axis.spacing)[1] for axis in grid]


def _along_all(
    solver: Solver | None,
    initial: Array,
    field: Array,
    grid: Grid,
    sigma: NDArray[np.float64],
    covariance: NDArray[np.float64] | None,
    faces: Faces | None,
) -> Array:
    result = np.empty((grid.dimensions, *field.shape), field.dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # found, and told in our own words
        if solver is None:
            for position in range(grid.dimensions):
                difference_gradient(field, grid, position, result[position])
        elif covariance is not None:
            # correlated noise does not factor over the axes: the whole transform has to be made again
            flow = CovarianceFlow(initial, grid)
            flow.require_memory(covariance[None], result.nbytes)
            for position in range(grid.dimensions):
                flow.gradient(covariance, position, result[position])
        else:
            variances = tuple(float(t) for t in np.square(sigma))
            stated = None if faces is None else StatedFlow(solver, initial, grid, faces)
            for position in range(grid.dimensions):
                if stated is not None:
                    stated.gradient(variances, position, result[position])
                else:
                    wide.gradient(solver, initial, field, grid, variances, position, result[position])
    return result


def _require_numbers(
    found: Array, result: Array, initial: Array, grid: Grid, exponents: list[int], sigma: NDArray[np.float64]
) -> None:
    """Refuse a result that is not finite, or has lost its digits below the smallest normal number of its type."""
    kind = np.finfo(result.dtype)
    level = sigma_words(sigma if len(set(sigma.tolist())) > 1 else sigma[0])
    least = _ROUNDING * float(kind.eps) * float(np.abs(initial).max())
    for axis, exponent, slopes, given in zip(grid, exponents, found, result, strict=True):
        largest = float(np.abs(given).max())
        words = ""
        if not math.isfinite(largest):
            words = f"larger than any number of {result.dtype}"
        elif exponent and largest < float(kind.tiny) / _ROUNDING and float(np.abs(slopes).max()) > least:
            words = f"too small for the digits of {result.dtype}"
        if not words:
            continue
        problem = f"du/d{axis.name} at sigma={level} is {words}"
        if exponent:
            raise GridError(
                problem,
                given=f"nodes {axis.spacing:.3g} apart along {axis.name!r}",
                allowed=f"{float(kind.tiny):.3g} to {float(kind.max):.3g}",
                advice=f"change the unit of axis {axis.name!r}, or of Q"
                + ("" if result.dtype == np.float64 else ", or use float64"),
            )
        raise NonFiniteError(
            f"du/dx at sigma={level} is {words}",
            allowed=f"at most {float(kind.max):.3g}",
            advice=(
                "change the unit of Q or of the axes, or use float64; at an edge with 'zero' it grows like Q / sigma"
            ),
        )
