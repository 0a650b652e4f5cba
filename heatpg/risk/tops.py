"""The best place of a measure at one noise level: bounded closely enough, on the grid and between its nodes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from heatpg.core.extrema import local_maxima
from heatpg.core.grid import Grid
from heatpg.risk.ladder import TailLadder

__all__ = [
    "Quadratic",
    "apart",
    "around",
    "beyond",
    "joined",
    "place_of",
    "read_near",
    "settled",
    "sharpen",
    "sharpen_best",
]

Array = NDArray[Any]

_LOCAL = 1e-7  # of osc(Q): to which tail means are bounded where they are best (taste)
_SMALL = 1e-4  # of the tail mean above the least value: likewise, where that is small (taste)
_ROUND_OFF = 1e-14  # of pure numbers, in the fields that are divided by q
_LOCAL_MOST = 96  # thresholds more for that; some ten nodes take a handful each
_MOST = 1024  # thresholds of one level, by which a valley is found or not (taste)
_STEP = 4.0  # by which the bounds of those that may be the best are narrowed before they are told apart again (taste)
_NOUGHT = 1e-9  # of a spacing (taste)
_RIVALS = 4  # maxima of which the highest is sought (taste)
_CLIMB = 64  # nodes on the way to a maximum (taste: it begins next to one)


def _close(ladder: TailLadder) -> float:
    """How near bounds are brought: where nearly all is lost, the best is still told from the rest."""
    small = _SMALL * float(ladder.lower.max() - ladder.flow.low)
    return max(min(_LOCAL, small), _ROUND_OFF / ladder.fraction)


def sharpen(ladder: TailLadder, where: NDArray[np.bool_], tolerance: float = 0.0) -> None:
    """Bound the tail mean at some nodes more closely."""
    ladder.refine(max(tolerance, _close(ladder)), len(ladder.thresholds) + _LOCAL_MOST, where)


def sharpen_best(ladder: TailLadder) -> None:
    """Bound the tail mean until it is known at which node it is the largest, or which nodes are equal.

    The bounds of the other nodes may be as far apart as the whole tail mean is large.
    """
    while True:
        lower, upper = ladder.lower, ladder.upper
        where = upper >= lower.max()
        gap = float((upper - lower)[where].max())
        if gap <= _close(ladder):
            return
        before = len(ladder.thresholds)
        sharpen(ladder, where, gap / _STEP)
        if len(ladder.thresholds) == before:  # neighbouring numbers have nothing between them
            return


def around(grid: Grid, node: int) -> NDArray[np.bool_]:
    """A node and its neighbours."""
    rows = []
    for axis, index in zip(grid, np.unravel_index(node, grid.shape), strict=True):
        near = [int(index) + step for step in (-1, 0, 1)]
        rows.append([i % axis.size for i in near] if axis.rule.periodic else [i for i in near if 0 <= i < axis.size])
    where = np.zeros(grid.shape, dtype=bool)
    where[np.ix_(*rows)] = True
    return where


def settled(values: Array, ladder: TailLadder | None, grid: Grid, node: int) -> int:
    """The local maximum to which ascent leads from a node; on the way, bounds are brought together."""
    for _ in range(_CLIMB):
        where = around(grid, node)
        if ladder is not None:
            sharpen(ladder, where)
            values = ladder.values
        best = int(np.argmax(np.where(where, values, -np.inf)))
        if values.flat[best] <= values.flat[node]:
            break
        node = best
    return node


def candidates(values: Array, ladder: TailLadder | None, grid: Grid) -> list[int]:
    """The nodes next to the highest maxima, of which one is the best between the nodes too."""
    nodes = local_maxima(values, grid)
    nodes = nodes[np.argsort(-values.flat[nodes], kind="stable")][:_RIVALS].tolist()
    found = {int(np.argmax(values)), *nodes} if ladder is None else {settled(values, ladder, grid, n) for n in nodes}
    return sorted(found)


def joined(bounds: tuple[Array, Array], ladder: TailLadder | None, grid: Grid, nodes: tuple[int, int]) -> bool:
    """Whether a way leads from one maximum to another that is nowhere lower than the lower of both.

    With a ladder, bounds are brought together until this is known.
    """
    lower, upper = bounds
    while True:
        if ladder is not None:
            lower, upper = ladder.lower, ladder.upper
        level = min(lower.flat[nodes[0]], lower.flat[nodes[1]])
        high = upper >= level - 1e-12  # round-off of pure numbers
        parts = _parts(high, grid)
        if parts.flat[nodes[0]] != parts.flat[nodes[1]]:
            return False
        if ladder is None:
            return True
        where = parts == parts.flat[nodes[0]]
        gap, before = float((upper - lower)[where].max()), len(ladder.thresholds)
        if gap <= _close(ladder) or before > _MOST:
            return True
        sharpen(ladder, where, gap / _STEP)
        if len(ladder.thresholds) == before:
            return True


def _parts(high: NDArray[np.bool_], grid: Grid) -> NDArray[np.int64]:
    """Numbers of the connected parts of a set of nodes, 0 outside of it; around a period as well."""
    parts = np.asarray(ndimage.label(high, np.ones((3,) * grid.dimensions))[0], np.int64)
    for i, axis in enumerate(grid):
        if not axis.rule.periodic:
            continue
        first, last = (np.moveaxis(parts, i, 0)[end].reshape(-1) for end in (0, -1))
        for one, other in zip(first.tolist(), last.tolist(), strict=True):
            # straight across is enough: what touches at a corner only is no way for a maximum
            if one and other and one != other:
                parts[parts == max(one, other)] = min(one, other)
                first[first == max(one, other)] = last[last == max(one, other)] = min(one, other)
    return parts


@dataclasses.dataclass(frozen=True, eq=False)
class Quadratic:
    """The quadratic through a node and its neighbours, in spacings; flat along axes where the box ends."""

    value: float
    slope: Array
    curvature: Array

    @classmethod
    def of(cls, field: Array, grid: Grid, node: int) -> Quadratic:
        """That of a field."""
        index = np.array(np.unravel_index(node, grid.shape))
        free = [axis.rule.periodic or 0 < i < axis.size - 1 for axis, i in zip(grid, index.tolist(), strict=True)]

        def at(*moves: tuple[int, int]) -> float:
            moved = index.copy()
            for a, step in moves:
                moved[a] += step
            return float(field[tuple(moved % np.array(grid.shape))])

        count, middle = grid.dimensions, at()
        slope, curvature = np.zeros(count), np.zeros((count, count))
        for a in range(count):
            if not free[a]:
                continue
            slope[a] = 0.5 * at((a, 1)) - 0.5 * at((a, -1))
            curvature[a, a] = (at((a, 1)) - middle) + (at((a, -1)) - middle)
            for b in range(a):
                if free[b]:
                    twist = (at((a, 1), (b, 1)) - at((a, 1), (b, -1))) - (at((a, -1), (b, 1)) - at((a, -1), (b, -1)))
                    curvature[a, b] = curvature[b, a] = 0.25 * twist
        return cls(middle, slope, curvature)

    def top(self) -> Array:
        """Where it is largest, within a spacing; the node itself where it has no maximum there."""
        free = np.diag(self.curvature) < 0
        step = np.zeros(len(self.slope))
        if not free.any():
            return step
        inner = self.curvature[np.ix_(free, free)]
        if np.linalg.eigvalsh(inner)[-1] < 0:
            step[free] = -np.linalg.solve(inner, self.slope[free])
        # a node that is the highest has the maximum within half a spacing, but for rough data
        return step if np.abs(step).max() <= 1.0 else np.zeros_like(step)

    def __call__(self, step: Array) -> float:
        return float(self.value + self.slope @ step + 0.5 * step @ self.curvature @ step)


def place_of(grid: Grid, node: int, step: Array) -> NDArray[np.float64]:
    """Coordinates of a place beside a node."""
    place = np.array(grid.point(np.unravel_index(node, grid.shape))) + step * np.array(grid.spacing)
    for i, axis in enumerate(grid):
        if axis.rule.periodic:
            place[i] = axis.lower + np.mod(place[i] - axis.lower, axis.length)
    # what is left of 0 by rounding would be read as a place
    return np.where(np.abs(place) < _NOUGHT * np.array(grid.spacing), 0.0, place)


def read_near(field: Array, grid: Grid, place: Array) -> float:
    """A field at a place, by the quadratic at the nearest node."""
    node = grid.nearest_node(place)
    step = (place - np.array(grid.point(node))) / np.array(grid.spacing)
    turns = [axis.size if axis.rule.periodic else np.inf for axis in grid]
    step = np.array([s - n * round(s / n) if np.isfinite(n) else s for s, n in zip(step, turns, strict=True)])
    return Quadratic.of(field, grid, int(np.ravel_multi_index(node, grid.shape)))(step)


def beyond(grid: Grid, one: Array, other: Array, least: Array) -> bool:
    """Whether two places are farther apart than `least` along an axis."""
    move = np.abs(np.asarray(one) - np.asarray(other))
    for i, axis in enumerate(grid):
        if axis.rule.periodic:
            move[i] = min(move[i], axis.length - move[i])
    return bool((move > least).any())


def apart(grid: Grid, noise: Array, one: Array, other: Array) -> bool:
    """Whether two places are farther apart, along an axis, than the noise along it and than two spacings."""
    return beyond(grid, one, other, np.maximum(noise, 2.0 * np.array(grid.spacing)))
