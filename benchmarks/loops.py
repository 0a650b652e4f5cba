"""Explicit steps written by hand in Numba, as a user would: plain nested loops, one array read and one written."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba

from benchmarks.problems import Array

__all__ = ["euler_1d", "euler_2d", "euler_3d", "sweep_columns", "sweep_rows"]

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """`numba.njit` with the type kept."""
    result: F = numba.njit(function)
    return result


@compiled
def euler_1d(u: Array, v: Array, steps: int, c: float) -> Array:
    """Periodic steps u_i <- u_i + c (u_{i-1} - 2 u_i + u_{i+1})."""
    n = u.shape[0]
    for _ in range(steps):
        v[0] = u[0] + c * (u[n - 1] + u[1] - 2.0 * u[0])
        for i in range(1, n - 1):
            v[i] = u[i] + c * (u[i - 1] + u[i + 1] - 2.0 * u[i])
        v[n - 1] = u[n - 1] + c * (u[n - 2] + u[0] - 2.0 * u[n - 1])
        u, v = v, u
    return u


@compiled
def euler_2d(u: Array, v: Array, steps: int, c: float) -> Array:
    """The same with the 5-point Laplacian."""
    n, m = u.shape
    for _ in range(steps):
        for i in range(n):
            above, here, below, out = u[i - 1 if i > 0 else n - 1], u[i], u[i + 1 if i < n - 1 else 0], v[i]
            out[0] = here[0] + c * (above[0] + below[0] + here[m - 1] + here[1] - 4.0 * here[0])
            for j in range(1, m - 1):
                out[j] = here[j] + c * (above[j] + below[j] + here[j - 1] + here[j + 1] - 4.0 * here[j])
            out[m - 1] = here[m - 1] + c * (above[m - 1] + below[m - 1] + here[m - 2] + here[0] - 4.0 * here[m - 1])
        u, v = v, u
    return u


@compiled
def euler_3d(u: Array, v: Array, steps: int, c: float) -> Array:
    """The same with the 7-point Laplacian."""
    n, m, k = u.shape
    for _ in range(steps):
        for i in range(n):
            before, behind = u[i - 1 if i > 0 else n - 1], u[i + 1 if i < n - 1 else 0]
            for j in range(m):
                north, south = u[i, j - 1 if j > 0 else m - 1], u[i, j + 1 if j < m - 1 else 0]
                near, far, here, out = before[j], behind[j], u[i, j], v[i, j]
                for q in range(1, k - 1):
                    around = near[q] + far[q] + north[q] + south[q] + here[q - 1] + here[q + 1]
                    out[q] = here[q] + c * (around - 6.0 * here[q])
                around = near[0] + far[0] + north[0] + south[0] + here[k - 1] + here[1]
                out[0] = here[0] + c * (around - 6.0 * here[0])
                around = near[k - 1] + far[k - 1] + north[k - 1] + south[k - 1] + here[k - 2] + here[0]
                out[k - 1] = here[k - 1] + c * (around - 6.0 * here[k - 1])
        u, v = v, u
    return u


@compiled
def sweep_rows(u: Array, v: Array, steps: int, c: float) -> Array:
    """Steps along the last axis of (lines, size), reflected at the faces."""
    n = u.shape[1]
    for _ in range(steps):
        for r in range(u.shape[0]):
            here, out = u[r], v[r]
            out[0] = here[0] + c * (here[1] - here[0])
            for i in range(1, n - 1):
                out[i] = here[i] + c * (here[i - 1] + here[i + 1] - 2.0 * here[i])
            out[n - 1] = here[n - 1] + c * (here[n - 2] - here[n - 1])
        u, v = v, u
    return u


@compiled
def sweep_columns(u: Array, v: Array, steps: int, c: float) -> Array:
    """Steps along the middle axis of (outer, size, inner), reflected at the faces."""
    outer, n, inner = u.shape
    for _ in range(steps):
        for a in range(outer):
            for i in range(n):
                above, here, below, out = u[a, max(i - 1, 0)], u[a, i], u[a, min(i + 1, n - 1)], v[a, i]
                for j in range(inner):
                    out[j] = here[j] + c * (above[j] + below[j] - 2.0 * here[j])
        u, v = v, u
    return u
