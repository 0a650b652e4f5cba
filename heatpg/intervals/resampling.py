"""Resamples of the seeds: where each has the top of its field, what it is there, and what Q is there.

For weights w of the seeds, not negative and with the sum 1, the field of a resample is u_w = sum_s w_s u_s. A node at
which no seed is higher than at another node is never the top of any resample, so it is left out: what remains is few
nodes, unless the noise is independent from node to node and hardly smoothed.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from heatpg.core.grid import Grid
from heatpg.intervals.reading import read_at, stencil

__all__ = ["Tops", "drawn_weights", "possible_tops", "tops", "widened_share"]

Array = NDArray[Any]

_BLOCK = 2**22  # numbers at once: resamples by nodes; a matter of taste


def drawn_weights(seeds: int, resamples: int, seed: int = 0) -> NDArray[np.float64]:
    """How often each seed is drawn, over their number, shape (resamples, seeds); the same in every run.

    Examples
    --------
    >>> from heatpg.intervals.resampling import drawn_weights
    >>> drawn_weights(4, 1000).shape, float(abs(drawn_weights(4, 1000).sum(axis=1) - 1).max()) < 1e-12
    ((1000, 4), True)
    """
    generator = np.random.default_rng(seed)
    return np.asarray(generator.multinomial(seeds, [1.0 / seeds] * seeds, size=resamples) / seeds)


def widened_share(seeds: int, confidence: float) -> float:
    """Share of resamples beyond either end: Phi(-sqrt(S / (S - 1)) t), t the quantile of Student with S - 1.

    A mean over resamples scatters by sqrt((S - 1) / S) of the standard error, and is normal where the error that is
    known from S seeds has the tails of Student: the plain percentiles hold 88 % of 95 % at S = 8.

    References
    ----------
    T. C. Hesterberg, What teachers should know about the bootstrap, *The American Statistician* 69, 2015,
    doi:10.1080/00031305.2015.1089789, section 5.3, expanded percentiles.

    Examples
    --------
    >>> from heatpg.intervals.resampling import widened_share
    >>> [round(widened_share(seeds, 0.95), 4) for seeds in (8, 16, 32)]
    [0.0057, 0.0139, 0.0191]
    """
    quantile = float(stdtrit(seeds - 1, 0.5 + 0.5 * confidence))
    return float(ndtr(-math.sqrt(seeds / (seeds - 1)) * quantile))


def possible_tops(fields: Array) -> NDArray[np.intp]:
    """Nodes of flattened fields, shape (S, N), that may be the largest of a weighted mean of them.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.intervals.resampling import possible_tops
    >>> possible_tops(np.array([[1.0, 3.0, 2.0, 0.0], [1.0, 2.0, 4.0, 3.0]])).tolist()
    [1, 2]
    """
    left = np.arange(fields.shape[1])
    # the tops of the mean and of each seed leave out most of the others
    references = dict.fromkeys([int(fields.mean(axis=0).argmax()), *(int(i) for i in fields.argmax(axis=1))])
    for node in references:
        if len(left) == 1:
            break
        higher = np.zeros(len(left), dtype=bool)
        for row in fields:
            higher |= row[left] > row[node]
        left = left[higher | (left == node)]
    return left


@dataclasses.dataclass(frozen=True, eq=False)
class Tops:
    """The highest point of each of R fields.

    Attributes
    ----------
    positions
        Shape (R, dimensions), between the nodes.
    values
        Shape (R,).
    other
        Another field of each, read at its position, shape (R,).
    """

    positions: NDArray[np.float64]
    values: NDArray[np.float64]
    other: NDArray[np.float64]


def tops(weights: Array, fields: Array, others: Array, grid: Grid) -> Tops:
    """The top of weights @ fields, for each row of weights, and weights @ others there.

    Parameters
    ----------
    weights
        Shape (R, S).
    fields, others
        Flattened, shape (S, N).
    grid
        Where they are known.
    """
    nodes = possible_tops(fields)
    candidates = fields[:, nodes]
    best = np.empty(len(weights), dtype=np.intp)
    rows = max(1, _BLOCK // len(nodes))
    for start in range(0, len(weights), rows):
        part = slice(start, start + rows)
        best[part] = nodes[(weights[part] @ candidates).argmax(axis=1)]
    # many resamples share a top
    unique, which = np.unique(best, return_inverse=True)
    index = np.array(np.unravel_index(unique, grid.shape)).T
    positions = np.empty((len(weights), grid.dimensions))
    for i, axis in enumerate(grid):
        middle = index[:, i]
        at = []
        for step in (-1, 0, 1):
            beside = middle + step
            moved = np.mod(beside, axis.size) if axis.rule.periodic else np.clip(beside, 0, axis.size - 1)
            flat = np.ravel_multi_index(
                tuple(moved if j == i else index[:, j] for j in range(grid.dimensions)), grid.shape
            )
            at.append(np.einsum("rs,sr->r", weights, fields[:, flat][:, which]))
        below, here, above = at
        curvature = below - 2.0 * here + above
        # the top of the parabola; at a wall, and where it is flat, the node itself
        edge = (middle[which] == 0) | (middle[which] == axis.size - 1)
        still = (curvature >= 0) | (edge & (not axis.rule.periodic))
        offset = np.where(still, 0.0, 0.5 * (below - above) / np.where(still, -1.0, curvature))
        positions[:, i] = axis.coordinates[middle][which] + axis.spacing * np.clip(offset, -0.5, 0.5)
    values, read = np.empty(len(weights)), np.empty(len(weights))
    rows = max(1, _BLOCK // (len(fields) * 3**grid.dimensions))
    for start in range(0, len(weights), rows):
        part = slice(start, start + rows)
        nodes_of, shares = stencil(grid, positions[part])
        values[part] = np.einsum("rs,sr->r", weights[part], read_at(fields, nodes_of, shares))
        read[part] = np.einsum("rs,sr->r", weights[part], read_at(others, nodes_of, shares))
    return Tops(positions, values, read)
