"""Newton's method for critical points of the exact field."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.field import RESOLVED, HeatField
from heatpg.scalespace.places import unit_of_length, within_reach
from heatpg.scalespace.units import RoundOff

__all__ = ["CONTRACTION", "LONGEST_STEP", "PATIENCE", "Refined", "refine"]

Array = NDArray[Any]

# Newton's method, lengths in units of max(sigma, h)
_ITERATIONS = 12  # two or three from a good start; near a double zero each step only halves the distance
_CONVERGED = 1e-9  # of a step; the next one would be its square
_QUADRATIC = 0.02  # below such a step the next one is about its square, so that it need not be taken (taste)
CONTRACTION, PATIENCE = 0.6, 3  # a double zero halves the steps; what does worse after that many leads nowhere
_ROUGH = 0.02  # in place of `_CONVERGED` below the grid's resolution, where the interpolant's slope has kinks at nodes
LONGEST_STEP = 0.4  # taste: a step farther than the quadratic model holds is shortened to it


@dataclasses.dataclass(frozen=True, eq=False)
class Refined:
    """Where Newton's method ended."""

    positions: Array
    converged: NDArray[np.bool_]
    values: Array
    eigenvalues: Array
    index: NDArray[np.int64]


def refine(
    field: HeatField, positions: Array, sigmas: Array, free: Array, *, leash: float, round_off: RoundOff
) -> Refined:
    """Newton's method on grad u = 0 over the free axes: x <- x - H^-1 grad u, in units of max(sigma, h).

    Parameters
    ----------
    field
        The solution.
    positions, sigmas, free
        Where to begin, at which sigma, along which axes; shape (points, dimensions) each.
    leash
        How far from its beginning a point may go, in that unit.
    round_off
        What cannot be distinguished from zero.
    """
    count, d = positions.shape
    x = positions.copy()
    units = np.where(free, unit_of_length(field.grid, sigmas), 0.0)
    # an axis that is not free has unit 0: its row and column of the Hessian vanish, and with them its step
    unresolved = np.any((sigmas < RESOLVED * np.array(field.grid.spacing)) & free, axis=1)
    freedom = free.sum(axis=1)
    converged, curved = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    values = np.full(count, np.nan)
    eigenvalues = np.zeros((count, d))
    lengths, distance = np.full(count, np.inf), np.zeros(count)
    active = np.arange(count)
    for iteration in range(_ITERATIONS):
        if not len(active):
            break
        places = within_reach(field.grid, x[active])
        value, gradient, hessian = field.local(field.derivatives(places, sigmas[active], 2))
        unit = units[active]
        # H^-1 by eigenvectors, because flat directions, along which no step is taken, have to be found anyway
        lam, basis = np.linalg.eigh(hessian * unit[:, :, None] * unit[:, None, :])
        along = np.einsum("pij,pi->pj", basis, gradient * unit)
        steep = np.abs(lam) > round_off.singular
        step = np.where(steep, -along / np.where(steep, lam, 1.0), 0.0)
        length = np.sqrt((step**2).sum(axis=1))
        step *= np.minimum(1.0, LONGEST_STEP / np.maximum(length, 1e-300))[:, None]
        x[active] += np.einsum("pij,pj->pi", basis, step) * unit
        values[active], eigenvalues[active] = value, lam
        # every free direction must be curved; held ones have an eigenvalue 0 and no step
        curved[active] = steep.sum(axis=1) >= freedom[active]
        # Newton's method squares the step, length_k+1 = c length_k^2: c from the last two gives the one to come, and
        # saves an evaluation of the field
        before = lengths[active]
        quadratic = (before > 0) & (before < _QUADRATIC) & ~unresolved[active]
        coming = np.where(quadratic, length * (length / np.where(quadratic, before, 1.0)) ** 2, length)
        lengths[active] = length
        done = ((length < _CONVERGED) | (coming < 1e-3 * _CONVERGED)) & curved[active]
        converged[active[done]] = True
        inverse = 1.0 / np.where(unit > 0, unit, 1.0)
        distance[active] = np.sqrt((((x[active] - positions[active]) * inverse) ** 2).sum(axis=1))
        wanders = (length > CONTRACTION * before) & (iteration >= PATIENCE) & ~unresolved[active]
        active = active[~done & ~wanders & (distance[active] <= leash)]
    # a kink of the interpolant stops Newton's method at a distance
    converged[active] = unresolved[active] & curved[active] & (lengths[active] < _ROUGH)
    index = (eigenvalues < -round_off.singular).sum(axis=1)
    return Refined(x, converged, values, eigenvalues, index)
