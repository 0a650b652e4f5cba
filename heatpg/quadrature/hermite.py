"""Tensor products of Gauss-Hermite rules."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from heatpg.quadrature import rules
from heatpg.quadrature.base import Estimate, Integrand, Rule
from heatpg.tools.arguments import whole_number

__all__ = ["Hermite", "gauss_hermite"]

Array = NDArray[np.float64]

_MOST_POINTS = 150  # beyond it SciPy changes from eigenvalues (Golub and Welsch) to an asymptotic formula


@functools.lru_cache(maxsize=256)
def gauss_hermite(points: int) -> tuple[Array, Array]:
    """Nodes z_j and weights w_j of E g(Z) = sum_j w_j g(z_j), Z standard normal; exact for degree 2 points - 1.

    References
    ----------
    G. H. Golub, J. H. Welsch, Calculation of Gauss quadrature rules, Math. Comp. 23 (1969) 221-230,
    doi:10.1090/S0025-5718-69-99647-1.

    Examples
    --------
    >>> [x.round(4).tolist() for x in gauss_hermite(3)]
    [[-1.7321, 0.0, 1.7321], [0.1667, 0.6667, 0.1667]]
    """
    from scipy.special import roots_hermitenorm

    nodes, weights = roots_hermitenorm(points)
    weights = weights / weights.sum()  # so that a constant is kept to the last bit but one
    nodes.flags.writeable = weights.flags.writeable = False  # they are shared by all callers
    return nodes, weights


@rules.register("hermite")
@dataclasses.dataclass(frozen=True)
class Hermite(Rule):
    """Tensor Gauss-Hermite rule: L = sum_j w_j f(mu + F z_j) over all n^d combinations of n nodes per axis.

    Parameters
    ----------
    points
        Nodes per axis n, 2 to 150; by default the largest number within the budget, up to 32.

    Notes
    -----
    Exact for polynomials of degree 2 n - 1 in each coordinate of z, and its gradient for degree 2 n - 2. All weights
    are positive, so min f <= L <= max f. Converges geometrically for analytic functions, slowly for rough ones: a jump
    of height h at the centre costs up to h times the middle weight. The error estimate is the distance to the rule
    with n - 1 points, at its cost.

    References
    ----------
    G. H. Golub, J. H. Welsch, Calculation of Gauss quadrature rules, Math. Comp. 23 (1969) 221-230,
    doi:10.1090/S0025-5718-69-99647-1.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.quadrature import mollify
    >>> result = mollify(lambda a: np.cos(a).sum(axis=1), [0.0, 0.0], 0.5, "hermite", points=12)
    >>> bool(abs(result.value - 2 * np.exp(-0.125)) < 1e-14), result.points
    (True, 265)
    """

    points: int | None = None

    name: ClassVar[str] = "hermite"
    summary: ClassVar[str] = "tensor Gauss-Hermite, for smooth functions of few variables"
    positive: ClassVar[bool] = True
    randomized: ClassVar[bool] = False
    size_name: ClassVar[str] = "points"
    # 32 points are exact to degree 63: what is smooth has converged, and what is not gains little. A taste
    sizes: ClassVar[Sequence[int]] = range(2, 33)
    # each about sqrt(2) times the last: in d dimensions all smaller ones together cost about 1 / (2^(d/2) - 1) of it
    ladder: ClassVar[Sequence[int]] = (2, 3, 4, 6, 8, 11, 16, 22, 32, 45, 64, 90, 128, _MOST_POINTS)

    def __post_init__(self) -> None:
        if self.points is not None:
            object.__setattr__(self, "points", whole_number("points", self.points, least=2, most=_MOST_POINTS))

    def cost(self, size: int, dimensions: int) -> int:
        return int(size**dimensions + (size - 1) ** dimensions)

    def grid(self, size: int, dimensions: int) -> tuple[Array, Array]:
        nodes, weights = gauss_hermite(size)
        index = np.stack(np.unravel_index(np.arange(size**dimensions), (size,) * dimensions), axis=1)
        return nodes[index], weights[index].prod(axis=1)

    def resolution(self, size: int, dimensions: int) -> float:
        # zeros of He_n are pi / sqrt(n) apart in the middle; the centre of a cell is sqrt(d) / 2 of that from its nodes
        return math.pi / math.sqrt(4 * size)

    def describe(self, size: int, dimensions: int) -> str:
        return f"{size}^{dimensions} Gauss-Hermite points, exact for degree {2 * size - 1} in each coordinate"

    def apply(self, integrand: Integrand, size: int, seed: int) -> Estimate:
        value, score, magnitude = _tensor_sums(integrand, size)
        return integrand.compare((value, score), _tensor_sums(integrand, size - 1)[:2], magnitude)


def _tensor_sums(integrand: Integrand, size: int) -> tuple[Array, Array | None, float]:
    nodes, weights = gauss_hermite(size)
    shape = (size,) * integrand.dimensions
    value, score, magnitude = None, None, 0.0
    for start, stop in integrand.blocks(size**integrand.dimensions):
        # the nodes of a block from their numbers: the whole grid of n^d would not fit in memory
        index = np.stack(np.unravel_index(np.arange(start, stop), shape), axis=1)
        part, part_score, part_magnitude = integrand.sums(nodes[index], weights[index].prod(axis=1, keepdims=True))
        value = part[0] if value is None else value + part[0]
        if part_score is not None:
            score = part_score[0] if score is None else score + part_score[0]
        magnitude += part_magnitude
    assert value is not None
    return value, score, magnitude
