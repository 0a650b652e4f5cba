"""Constant-coefficient tridiagonal systems (1 - r D2) x = d along bundles of lines, factorised once.

D2 u_i = u_{i-1} - 2 u_i + u_{i+1}, closed by the boundary of the line. A sweep runs down and up the rows, vectorised
across lanes; the periodic corner is a rank-one correction (Sherman and Morrison, 1950, doi:10.1214/aoms/1177729893).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.solvers.lines import Line, SweepOperator
from heatpg.tools.kernels import kernel

__all__ = ["ThetaOperator", "factorise", "solve_bundle"]

Array = NDArray[Any]


@kernel
def solve_bundle(bundle: Array, rows: int, factors: Array, corner: float) -> None:
    """In place: forward d_i <- p_i d_i + q_i d_{i-1}, backward d_i <- d_i + c_i d_{i+1}, then the periodic corner.

    factors holds p, q, c and z, shape (4, rows): x = y - z (y_0 + corner y_{n-1}) where corner is not zero.
    """
    lanes = bundle.shape[1]
    p, q, c, z = factors[0], factors[1], factors[2], factors[3]
    # no pivoting: 1 - r D2 is diagonally dominant for r > -1/4
    above = bundle[0]
    for j in range(lanes):
        above[j] = p[0] * above[j]
    for i in range(1, rows):
        row, above = bundle[i], bundle[i - 1]
        a, b = p[i], q[i]
        for j in range(lanes):
            row[j] = a * row[j] + b * above[j]
    for i in range(rows - 2, -1, -1):
        row, below = bundle[i], bundle[i + 1]
        a = c[i]
        for j in range(lanes):
            row[j] += a * below[j]
    # Sherman-Morrison: x = y - z f, where f is made of the first and the last row of y
    if corner != 0.0:
        f = np.empty_like(bundle[0])
        for j in range(lanes):
            f[j] = bundle[0, j] + corner * bundle[rows - 1, j]
        for i in range(rows):
            row = bundle[i]
            a = z[i]
            for j in range(lanes):
                row[j] -= a * f[j]


@kernel
def _eliminate(diagonal: Array, lower: Array, upper: Array, factors: Array) -> None:
    """p_i = 1 / (b_i + a_i c_{i-1}), q_i = -a_i p_i, c_i = -e_i p_i, a, b, e the lower, main and upper diagonal."""
    p, q, c = factors[0], factors[1], factors[2]
    p[0] = 1.0 / diagonal[0]
    q[0] = 0.0
    c[0] = -upper[0] * p[0]
    for i in range(1, diagonal.shape[0]):
        p[i] = 1.0 / (diagonal[i] + lower[i] * c[i - 1])
        q[i] = -lower[i] * p[i]
        c[i] = -upper[i] * p[i]


@kernel
def _march_bundles(
    bundle: Array,
    scratch: Array,
    rows: int,
    start_factors: Array,
    start_corner: float,
    starts: int,
    factors: Array,
    corner: float,
    steps: int,
) -> None:
    """`starts` steps of backward Euler x = A^-1 u, then `steps` of Crank-Nicolson x = 2 A^-1 u - u."""
    for b in range(bundle.shape[0]):
        u = bundle[b]
        # the starts need no copy: the solve is the whole step
        for _ in range(starts):
            solve_bundle(u, rows, start_factors, start_corner)
        # (1 + r D2) u = 2 u - (1 - r D2) u, so a step of Crank-Nicolson is twice the solve, minus u: no second matrix
        old = scratch[b].reshape(-1)
        new = u.reshape(-1)
        for _ in range(steps):
            for i in range(old.shape[0]):
                old[i] = new[i]
            solve_bundle(u, rows, factors, corner)
            for i in range(old.shape[0]):
                new[i] = 2.0 * new[i] - old[i]


def factorise(line: Line, share: float, dtype: np.dtype[Any]) -> tuple[Array, Any]:
    """Factors of 1 - share * D2 on a line, and the weight of its periodic corner.

    Parameters
    ----------
    line
        The line, with its closure.
    share
        r > -1/4 in (1 - r D2).
    dtype
        Type of the factors; they are computed in double precision.

    Returns
    -------
    factors
        Shape (4, rows): p, q, c and z of `solve_bundle`.
    corner
        Weight of the last row in the correction; 0 where the line is not periodic.
    """
    rows = line.rows
    # always in double precision: rounding in the factors would be repeated by every step
    diagonal = np.full(rows, 1.0 + 2.0 * share)
    lower = np.full(rows, -share)
    upper = np.full(rows, -share)
    lower[0] = upper[-1] = 0.0
    corner = 0.0
    if line.holds_nodes:
        # the two end rows are the identity: they hold zero, what is left of the ends without their chord
        diagonal[[0, -1]] = 1.0
        upper[0] = lower[-1] = 0.0
    elif line.closure.periodic and share != 0.0:  # without a share there is no corner
        # A = T + g e f^T with g = -diagonal[0]; e, f nonzero in the first and last row only
        gamma = -diagonal[0]
        diagonal[0] -= gamma
        diagonal[-1] -= share * share / gamma
        corner = -share / gamma
    elif line.closure_nodes == "vertex":
        # a mirror through a node: the neighbour inside counts for its image too
        upper[0] = lower[-1] = -2.0 * share
    else:
        # a mirror between nodes: the end node is its own neighbour, turned over where the line is odd
        diagonal[[0, -1]] = 1.0 + share if not line.closure.holds_ends else 1.0 + 3.0 * share
    factors = np.zeros((4, rows))
    _eliminate(diagonal, lower, upper, factors)
    if corner:
        # T^-1 of g e, by the sweep itself, with one lane
        z = np.zeros((rows, 1))
        z[0], z[-1] = -(1.0 + 2.0 * share), -share
        solve_bundle(z, rows, factors, 0.0)
        z = z[:, 0]
        factors[3] = z / (1.0 + z[0] + corner * z[-1])
    return factors.astype(dtype), dtype.type(corner)


class ThetaOperator(SweepOperator):
    """Backward Euler steps followed by Crank-Nicolson steps, each with its own length.

    Parameters
    ----------
    line
        The line that is solved.
    starts, start_share
        Number of backward Euler steps and their r = dt / (2 h^2).
    steps, share
        Number of Crank-Nicolson steps and their r = dt / (4 h^2).
    dtype
        Type of the field.
    """

    ghosts = 0

    def __init__(
        self, line: Line, *, starts: int, start_share: float, steps: int, share: float, dtype: np.dtype[Any]
    ) -> None:
        self.line = line
        self.starts = starts
        self.steps = steps
        self.start_factors, self.start_corner = factorise(line, start_share, dtype)
        self.factors, self.corner = factorise(line, share, dtype)

    def work(self, bundle: Array, scratch: Array) -> Array:
        _march_bundles(
            bundle,
            scratch,
            self.line.rows,
            self.start_factors,
            self.start_corner,
            self.starts,
            self.factors,
            self.corner,
            self.steps,
        )
        return bundle
