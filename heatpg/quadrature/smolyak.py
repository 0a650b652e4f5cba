"""Sparse grids of Gauss-Hermite rules."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from heatpg.quadrature import rules
from heatpg.quadrature.base import Estimate, Integrand, Rule
from heatpg.quadrature.hermite import gauss_hermite
from heatpg.tools.arguments import whole_number

__all__ = ["Smolyak", "sparse_grid"]

Array = NDArray[np.float64]

_MOST_LEVEL = 64  # rules of up to 65 points on an axis, of which the outer weights are far below round-off. A taste


@rules.register("smolyak")
@dataclasses.dataclass(frozen=True)
class Smolyak(Rule):
    """Sparse grid of Gauss-Hermite rules U_i: sum over l-d < |i| <= l of (-1)^(l-|i|) C(d-1, l-|i|) U_i1 x ... x U_id.

    Parameters
    ----------
    level
        l, 1 to 64; by default the largest that the budget allows, up to 31.

    Notes
    -----
    U_0, U_1, ... have 1, 3, 3, 5, 5, 7, ... points: odd, so that the combined grids share the centre, and as few as the
    degree needs. Exact for polynomials of *total* degree 2 l + 1, and its gradient for degree 2 l. Far fewer points
    than a tensor rule (2 d + 1 on level 1), for functions that are smooth on the scale of the noise.

    Weights may be negative, so the maximum principle is not guaranteed: L may leave [min f, max f]. For rough functions
    the result can be far off; use ``montecarlo`` there. The error estimate is the distance to the rule two levels
    lower (one level may add nothing along an axis).

    References
    ----------
    E. Novak, K. Ritter, High dimensional integration of smooth functions over cubes, Numer. Math. 75 (1996) 79-97,
    doi:10.1007/s002110050231. T. Gerstner, M. Griebel, Numerical integration using sparse grids, Numer. Algorithms 18
    (1998) 209-232, doi:10.1023/A:1019129717644.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.quadrature import mollify
    >>> result = mollify(lambda a: -0.5 * (a**2).sum(axis=1), np.ones(20), 0.5, "smolyak", level=1)
    >>> round(float(result.value), 12), result.points  # -1/2 (|mu|^2 + d sigma^2)
    (-12.5, 41)
    """

    level: int | None = None

    name: ClassVar[str] = "smolyak"
    summary: ClassVar[str] = "sparse grid of Gauss-Hermite rules, for very smooth functions of many variables"
    positive: ClassVar[bool] = False
    randomized: ClassVar[bool] = False
    size_name: ClassVar[str] = "level"
    # as far as the tensor rule goes: level 31 has rules of 33 points on an axis
    sizes: ClassVar[Sequence[int]] = range(1, 32)
    ladder: ClassVar[Sequence[int]] = range(1, _MOST_LEVEL + 1)

    def __post_init__(self) -> None:
        if self.level is not None:
            object.__setattr__(self, "level", whole_number("level", self.level, most=_MOST_LEVEL))

    def cost(self, size: int, dimensions: int) -> int:
        # on each axis a point is at the centre, or at one of the 2 p other nodes of rule p, which takes 2 p - 1 levels
        line = [1] + [cost + 1 if cost % 2 else 0 for cost in range(1, size + 1)]
        return sum(_powers(line, dimensions)[-1])

    def grid(self, size: int, dimensions: int) -> tuple[Array, Array]:
        nodes, weights = sparse_grid(size, dimensions)
        return nodes, weights[:, 0]

    def resolution(self, size: int, dimensions: int) -> float:
        if size < dimensions:
            # a node is beside the centre along `size` axes at most: as far as the others lead, no node is near
            return math.sqrt(1 - size / dimensions)
        points = 2 * ((size // dimensions + 1) // 2) + 1  # of the tensor product with as many levels on each axis
        return min(1.0, math.pi / math.sqrt(4 * points))

    def describe(self, size: int, dimensions: int) -> str:
        return (
            f"sparse Gauss-Hermite grid of level {size}, exact for total degree {2 * size + 1}; its weights may be "
            f"negative, so the maximum principle is not guaranteed"
        )

    def apply(self, integrand: Integrand, size: int, seed: int) -> Estimate:
        value, score, magnitude = integrand.sums(*sparse_grid(size, integrand.dimensions))
        if score is None:
            return integrand.compare((value[0], None), (value[1], None), magnitude)
        return integrand.compare((value[0], score[0]), (value[1], score[1]), magnitude)


def sparse_grid(level: int, dimensions: int) -> tuple[Array, Array]:
    """Nodes, and the weights of a level and of the one two below it (of level 0 for level 1).

    The combination technique with equal nodes merged beforehand. Rule p has 2 p + 1 points and takes
    c_p = max(0, 2 p - 1) levels; A = sum over c_p1 + ... + c_pd <= l of the products of D_p = U_p - U_(p-1). A node of
    U_p beside the centre occurs in D_p with weight w and in D_(p+1) with -w, so its factors are summed in closed form.

    Returns
    -------
    nodes
        Shape (N, dimensions).
    weights
        Shape (N, 2).

    Examples
    --------
    >>> nodes, weights = sparse_grid(1, 2)
    >>> nodes.round(2).tolist(), weights[:, 0].round(3).tolist()
    ([[0.0, 0.0], [-1.73, 0.0], [1.73, 0.0], [0.0, -1.73], [0.0, 1.73]], [0.333, 0.167, 0.167, 0.167, 0.167])
    """
    # middle[p + 1] is the weight of the centre in U_p, middle[0] that in no rule at all; line[c] is that of the centre
    # in the D_p that takes c levels. As a polynomial in c its powers are those of several axes together, and their
    # running sums those of all combinations with at most so many levels.
    middle = [0.0, *(float(gauss_hermite(2 * p + 1)[1][p]) for p in range((level + 1) // 2 + 1))]
    line = [1.0, *(middle[(c + 3) // 2] - middle[(c + 1) // 2] if c % 2 else 0.0 for c in range(1, level + 1))]
    centre = [np.cumsum(coefficients) for coefficients in _powers(line, dimensions)]
    lower = max(level - 2, 0)

    # Nodes are gathered by the axes on which they are beside the centre, and by the rules there: `rule` has one p for
    # each of these k axes, and on the other axes they are at the centre.
    all_nodes, all_weights = [], []
    for rule in _compositions(level, dimensions):
        k, used = len(rule), sum(2 * p - 1 for p in rule)
        factors = np.array(
            [
                sum(
                    # on m of the k axes the node is that of D_(p+1), which takes two levels more and has -w
                    (-1) ** m * math.comb(k, m) * centre[dimensions - k][top - used - 2 * m]
                    for m in range(k + 1)
                    if top - used - 2 * m >= 0
                )
                for top in (level, lower)
            ],
            dtype=np.float64,
        )
        if not factors.any():
            continue
        # node p of 2 p + 1 is the centre
        beside = [
            (np.delete(nodes, p), np.delete(weights, p)) for p in rule for nodes, weights in [gauss_hermite(2 * p + 1)]
        ]
        local = np.array(list(itertools.product(*(nodes for nodes, _ in beside))))
        product = np.array([math.prod(w) for w in itertools.product(*(weights for _, weights in beside))])
        axes = np.array(list(itertools.combinations(range(dimensions), k)), dtype=np.intp)
        # every choice of k axes gets the same local grid
        placed = np.zeros((len(axes), len(local), dimensions))
        np.put_along_axis(placed, np.broadcast_to(axes[:, np.newaxis, :], (len(axes), *local.shape)), local, axis=2)
        all_nodes.append(placed.reshape(-1, dimensions))
        all_weights.append(np.tile(product[:, np.newaxis] * factors, (len(axes), 1)))
    return np.concatenate(all_nodes), np.concatenate(all_weights)


def _powers(line: Sequence[Any], count: int) -> list[list[Any]]:
    """Powers 0 to count of a polynomial, cut at its degree."""
    size = len(line)
    result: list[list[Any]] = [[1] + [0] * (size - 1)]
    for _ in range(count):
        last = result[-1]
        result.append([sum(last[i] * line[n - i] for i in range(n + 1)) for n in range(size)])
    return result


def _compositions(level: int, most: int) -> Iterator[tuple[int, ...]]:
    """All tuples of at most so many p >= 1 with sum of 2 p - 1 <= level, the empty one first."""
    yield ()
    if most:
        for p in range(1, (level + 1) // 2 + 1):
            yield from ((p, *rest) for rest in _compositions(level - 2 * p + 1, most - 1))
