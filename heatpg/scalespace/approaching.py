"""Starts brought near to the critical points that they lead to, before the exact field is asked.

A critical point shows in all cells around it, some sixteen in the plane, and each step of each start takes a sum over
all nodes within 9 sigma. Newton's method on an interpolant of the solved nodes goes the same way for a fiftieth of
that, until the starts of one point lie on each other and one of them can stand for all. The interpolant moves starts,
and drops those that lead nowhere; what is a critical point the exact field decides.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Grid
from heatpg.core.point_weights import stencil_polynomials
from heatpg.scalespace.places import distinct, wrap
from heatpg.scalespace.refining import CONTRACTION, LONGEST_STEP, PATIENCE
from heatpg.tools.kernels import kernel

__all__ = ["COARSEST", "FINEST", "approach"]

Array = NDArray[Any]

FINEST, COARSEST = 2.0, 8.0
"""Sigma in spacings for which the interpolant of order 8 serves.

Below, it is off by more than 1e-3 of |H| max(sigma, h) in the gradient; above, second differences of nodes would make
too much of the tolerance of a solver, and points are few (taste)."""
_ITERATIONS = 10
_ARRIVED = 1e-5  # of a step in max(sigma, h); the next would be its square
# Where the interpolant may hide a zero. All tastes: of a hundred thousand points of rough landscapes one was missed, a
# maximum of white noise about to meet a saddle.
_SINGULAR = 0.05  # |det H| / |H|^d, with the largest |H| on the way
_FLAT = 0.01  # |grad u| / |H|
_DOUBLE = 0.01  # |det H| / |H|^d, where a start arrives
_KINK = 0.05  # of a step: the slope of the interpolant has kinks at nodes, between which steps may alternate

_LOST, _THERE, _OPEN = range(3)


@kernel
def _fill_basis(polynomials: Array, s: float, out: Array) -> None:
    """out[m, j] is the m-th derivative of the j-th Lagrange polynomial at s, for m = 0, 1, 2."""
    for j in range(polynomials.shape[0]):
        value, slope, half = 0.0, 0.0, 0.0
        # Horner's scheme of a polynomial, of its slope and of half of its second derivative
        for power in range(polynomials.shape[1] - 1, -1, -1):
            half = half * s + slope
            slope = slope * s + value
            value = value * s + polynomials[j, power]
        out[0, j], out[1, j], out[2, j] = value, slope, 2.0 * half


@kernel
def _fill_local(u: Array, basis: Array, at: Array, widths: Array, gradient: Array, hessian: Array) -> None:
    """Gradient and Hessian of the interpolant sum_ijk l_i l_j l_k u[i, j, k], from nodes at[a, j] along each axis."""
    # one axis after the other; total[a, b, c] is the derivative of these orders
    total = np.zeros((3, 3, 3))
    plane = np.empty((3, 3))
    for i in range(widths[0]):
        for b in range(3):
            for c in range(3):
                plane[b, c] = 0.0
        for j in range(widths[1]):
            s0, s1, s2 = 0.0, 0.0, 0.0
            for k in range(widths[2]):
                value = u[at[0, i], at[1, j], at[2, k]]
                s0 += basis[2, 0, k] * value
                s1 += basis[2, 1, k] * value
                s2 += basis[2, 2, k] * value
            for b in range(3):
                w = basis[1, b, j]
                plane[b, 0] += w * s0
                plane[b, 1] += w * s1
                plane[b, 2] += w * s2
        for a in range(3):
            w = basis[0, a, i]
            for b in range(3 - a):
                for c in range(3 - a - b):
                    total[a, b, c] += w * plane[b, c]
    gradient[0], gradient[1], gradient[2] = total[1, 0, 0], total[0, 1, 0], total[0, 0, 1]
    hessian[0, 0], hessian[1, 1], hessian[2, 2] = total[2, 0, 0], total[0, 2, 0], total[0, 0, 2]
    hessian[0, 1], hessian[0, 2], hessian[1, 2] = total[1, 1, 0], total[1, 0, 1], total[0, 1, 1]


@kernel
def _solve(h: Array, g: Array, step: Array) -> float:
    """step = -h^-1 g by the cofactors of a symmetric matrix of three rows, from its upper triangle; returns det h."""
    c00 = h[1, 1] * h[2, 2] - h[1, 2] * h[1, 2]
    c01 = h[0, 2] * h[1, 2] - h[0, 1] * h[2, 2]
    c02 = h[0, 1] * h[1, 2] - h[0, 2] * h[1, 1]
    c11 = h[0, 0] * h[2, 2] - h[0, 2] * h[0, 2]
    c12 = h[0, 1] * h[0, 2] - h[0, 0] * h[1, 2]
    c22 = h[0, 0] * h[1, 1] - h[0, 1] * h[0, 1]
    determinant: float = h[0, 0] * c00 + h[0, 1] * c01 + h[0, 2] * c02
    if determinant != 0.0:
        step[0] = -(c00 * g[0] + c01 * g[1] + c02 * g[2]) / determinant
        step[1] = -(c01 * g[0] + c11 * g[1] + c12 * g[2]) / determinant
        step[2] = -(c02 * g[0] + c12 * g[1] + c22 * g[2]) / determinant
    return determinant


@kernel
def _approach(
    # so many, because kernels take plain numbers and arrays
    u: Array,
    places: Array,
    periodic: Array,
    units: Array,
    leash: float,
    longest: float,
    contraction: float,
    patience: int,
    polynomials: Array,
    states: Array,
) -> None:
    """Newton's method x <- x - H^-1 grad u from each place, which is left where it ends; axes of one node are none."""
    # all lengths in spacings; gradient and Hessian in units of max(sigma, h)
    stencil = polynomials.shape[0]
    basis = np.zeros((3, 3, stencil))
    at = np.zeros((3, stencil), dtype=np.int64)
    widths = np.ones(3, dtype=np.int64)
    gradient, step, x = np.empty(3), np.empty(3), np.empty(3)
    hessian = np.empty((3, 3))
    d = 0
    for a in range(3):
        basis[a, 0, 0] = 1.0
        if u.shape[a] > 1:
            widths[a] = stencil
            d += 1
    for p in range(places.shape[0]):
        for a in range(3):
            x[a] = places[p, a]
        state, flat = _OPEN, False
        before, size = np.inf, 0.0
        for iteration in range(_ITERATIONS):
            outside = False
            for a in range(3):
                if widths[a] == 1:
                    continue
                corner = int(np.floor(x[a]))
                first = corner - stencil // 2 + 1
                outside = outside or (not periodic[a] and (first < 0 or first + stencil > u.shape[a]))
                _fill_basis(polynomials, x[a] - corner, basis[a])
                for j in range(stencil):
                    at[a, j] = (first + j) % u.shape[a]
            if outside:  # beside a wall it would take what is beyond
                break
            _fill_local(u, basis, at, widths, gradient, hessian)
            steepness, square = 0.0, 0.0
            for a in range(3):
                gradient[a] *= units[a]
                steepness += gradient[a] ** 2
                for b in range(a, 3):
                    hessian[a, b] *= units[a] * units[b]
                    square += (1.0 if a == b else 2.0) * hessian[a, b] ** 2
            size = max(size, square)
            for a in range(3):
                if widths[a] == 1:
                    hessian[a, a] = 1.0
            determinant = _solve(hessian, gradient, step)
            singular = abs(determinant) <= _SINGULAR * size ** (0.5 * d)
            flat = flat or (singular and steepness <= _FLAT * _FLAT * size)
            if determinant == 0.0:
                break
            length = np.sqrt(step[0] ** 2 + step[1] ** 2 + step[2] ** 2)
            away = 0.0
            for a in range(3):
                x[a] += min(1.0, longest / max(length, longest)) * step[a] * units[a]
                away += ((x[a] - places[p, a]) / units[a]) ** 2
            wanders = iteration >= patience and length > max(contraction * before, _KINK)
            if wanders or away > leash * leash:
                state = _OPEN if flat else _LOST
                break
            if length < _ARRIVED:
                # beside others, of which the interpolant may show too few
                state = _OPEN if abs(determinant) <= _DOUBLE * size ** (0.5 * d) else _THERE
                break
            before = length
        states[p] = state
        if state == _THERE:
            for a in range(3):
                places[p, a] = x[a]


def approach(
    values: Array, grid: Grid, unit: Array, starts: Array, *, leash: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where starts lead to by Newton's method on the interpolant of the nodes, and those that it does not decide on.

    The former are each given once, and those that lead nowhere are left out. The others are as they were: beside a
    wall, and where a zero of the gradient may be hidden by the error of the interpolant.

    Parameters
    ----------
    values
        u at the nodes, shape of the grid.
    grid
        The nodes, with a sigma from `FINEST` to `COARSEST` spacings on each axis.
    unit
        max(sigma, h) along each axis.
    starts
        Shape (points, dimensions), in the box.
    leash
        How far from its beginning a start may go, in that unit.
    """
    spacing, first = np.array(grid.spacing), np.array([axis.coordinates[0] for axis in grid])
    extra = 3 - grid.dimensions
    places = np.zeros((len(starts), 3))
    places[:, extra:] = (starts - first) / spacing
    states = np.empty(len(starts), dtype=np.int64)
    periodic = np.array([False] * extra + [axis.rule.periodic for axis in grid])
    units = np.concatenate((np.ones(extra), unit / spacing))
    u = np.ascontiguousarray(values, dtype=np.float64).reshape((1,) * extra + grid.shape)
    steps = (leash, LONGEST_STEP, CONTRACTION, PATIENCE)
    _approach(u, places, periodic, units, *steps, stencil_polynomials(), states)
    arrived = wrap(grid, first + places[states == _THERE, extra:] * spacing)
    return arrived[distinct(grid, unit, arrived)], starts[states == _OPEN]
