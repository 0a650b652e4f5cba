"""Whether random points see what the nodes of a deterministic rule do not: values beside a polynomial through these.

A rule converges where f is nearly a polynomial. Then f less that polynomial has at points drawn at random the small
variance that it has at the nodes. A needle between the nodes changes nothing there, but a few of many random points lie
on it: they differ by its height, long before the mean of all points can be told from that of the rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.quadrature.base import Integrand

__all__ = ["Residuals", "sparse_degrees", "tensor_degrees"]

Array = NDArray[np.float64]

_MOST_VALUES = 2**23  # that are kept, of all centres together: 64 MiB. A taste
_ENTRIES = 2**22  # of a table of polynomials at once: 32 MiB. A taste
# Most polynomials: 20^2 or 7^3 of a tensor rule; evaluated at 2^15 points that takes a tenth of a second. A taste
_MOST_POLYNOMIALS = 400
# Times the variance at the nodes. By Markov's inequality a right polynomial is held for a wrong one with a chance of
# 1 / 100 at most; where the fourth moment is not far above the square of the second one, with none that matters.
_FAR_ABOVE = 100.0
_MOST_PRODUCTS = 2**30  # of values and polynomials, for all centres together: about a second. A taste
_MOST_SQUARES = 16  # dimensions in which a sparse grid is asked for all polynomials of degree 2. A taste
_ROUND_OFF = 1e-10  # of the values: polynomials of high degree lose some digits far from the centre


def tensor_degrees(size: int, dimensions: int) -> NDArray[np.intp]:
    """Degrees, shape (T, dimensions), of the polynomials that n points per axis tell: the last two are left to err."""
    top = size - 3 if size > 3 else (size - 1) // 2
    while (top + 1) ** dimensions > _MOST_POLYNOMIALS:
        top -= 1
    return np.stack(np.unravel_index(np.arange((top + 1) ** dimensions), (top + 1,) * dimensions), axis=1)


def sparse_degrees(level: int, dimensions: int) -> NDArray[np.intp]:
    """As `tensor_degrees`, for a sparse grid: degrees up to 2 in all variables together, or 1 of too many."""
    identity = np.eye(dimensions, dtype=np.intp)
    rows = [np.zeros((1, dimensions), dtype=np.intp), identity]
    if level >= 3 and dimensions <= _MOST_SQUARES:
        first, second = np.triu_indices(dimensions)
        rows.append(identity[first] + identity[second])
    return np.concatenate(rows)


class Residuals:
    """Values of an integrand at random points, to be held against polynomials.

    Parameters
    ----------
    integrand
        What is integrated.
    """

    def __init__(self, integrand: Integrand) -> None:
        self.integrand = integrand
        self._most = _MOST_VALUES // len(integrand.centres)
        self._nodes: Array = np.zeros((0, integrand.dimensions))
        self._values: Array = np.zeros((len(integrand.centres), 0))

    def keep(self, evaluate: Callable[[], Any]) -> Any:
        """What `evaluate` returns; the points that it takes are kept as the random ones."""
        result, self._nodes, self._values = self._recorded(evaluate)
        return result

    def __len__(self) -> int:
        return len(self._nodes)

    def recorded(self, evaluate: Callable[[], Any]) -> tuple[Any, Array]:
        """What `evaluate` returns, with the values that it takes, shape (M, K); of many the first ones."""
        result, _, values = self._recorded(evaluate)
        return result, values

    def _recorded(self, evaluate: Callable[[], Any]) -> tuple[Any, Array, Array]:
        log: list[tuple[Array, Array]] = []
        self.integrand.log, self.integrand.room = log, self._most
        try:
            result = evaluate()
        finally:
            self.integrand.log = None
        if not log:
            return result, self._nodes[:0], self._values[:, :0]
        return result, np.concatenate([z for z, _ in log]), np.concatenate([f for _, f in log], axis=1)

    def seen(self, nodes: Array, weights: Array, values: Array, degrees: NDArray[np.intp], allowed: float) -> float:
        """By how much the variance about a polynomial is too large at the random points: above 1 it is.

        Parameters
        ----------
        nodes, weights, values
            Of a deterministic rule: shapes (K, k), (K,) and, of its nodes first, (M, at least K).
        degrees
            Of the polynomials that it tells, shape (T, k).
        allowed
            An error that is allowed.
        """
        if values.shape[1] < len(nodes) or not len(self._nodes) or len(degrees) * len(values) > _MOST_PRODUCTS // 2**10:
            return 0.0
        values = values[:, : len(nodes)]
        level = values.mean(axis=1, keepdims=True)
        count = _MOST_PRODUCTS // (len(degrees) * len(values))
        points, sampled = self._nodes[:count], self._values[:, :count]
        largest = max(float(np.abs(values - level).max()), float(np.abs(sampled - level).max(initial=0.0)), allowed)
        if not 0 < largest < math.inf:
            return 0.0
        exponent = -math.frexp(largest)[1]

        def scaled(f: Array) -> Array:
            return np.asarray(np.ldexp(f - level, exponent))

        coefficients = _weighted(scaled(values) * weights, nodes, degrees)
        about = scaled(values) - _polynomial(coefficients, nodes, degrees)
        beside = scaled(sampled) - _polynomial(coefficients, points, degrees)
        # weights may be negative
        known = (np.abs(weights) * about**2).sum(axis=1)
        found = (beside**2).mean(axis=1)
        rounded = 16.0 * self.integrand.epsilon * math.ldexp(float(np.abs(sampled).max()), exponent)
        least = math.ldexp(allowed, exponent) ** 2 + rounded**2 + _ROUND_OFF**2 * (scaled(sampled) ** 2).mean(axis=1)
        return float((found / (_FAR_ABOVE * known + least)).max())


def _table(nodes: Array, top: int) -> Array:
    """Orthonormal Hermite polynomials up to a degree, shape (top + 1, K, k)."""
    table = np.ones((top + 1, *nodes.shape))
    if top:
        table[1] = nodes
    for n in range(1, top):
        # sqrt(n + 1) h_(n+1) = z h_n - sqrt(n) h_(n-1)
        table[n + 1] = (nodes * table[n] - math.sqrt(n) * table[n - 1]) / math.sqrt(n + 1)
    return table


def _products(nodes: Array, degrees: NDArray[np.intp]) -> Any:
    """Products of polynomials, shape (K', T), with the slices of the nodes that they are of."""
    step = max(1, _ENTRIES // len(degrees))
    for start in range(0, len(nodes), step):
        part = slice(start, start + step)
        table = _table(nodes[part], int(degrees.max(initial=0)))
        product = np.ones((len(nodes[part]), len(degrees)))
        for axis in range(nodes.shape[1]):
            if degrees[:, axis].any():
                product *= table[degrees[:, axis], :, axis].T
        yield part, product


def _weighted(values: Array, nodes: Array, degrees: NDArray[np.intp]) -> Array:
    result = np.zeros((len(values), len(degrees)))
    for part, product in _products(nodes, degrees):
        result += values[:, part] @ product
    return result


def _polynomial(coefficients: Array, nodes: Array, degrees: NDArray[np.intp]) -> Array:
    result = np.empty((len(coefficients), len(nodes)))
    for part, product in _products(nodes, degrees):
        result[:, part] = coefficients @ product.T
    return result
