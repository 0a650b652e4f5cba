"""A ladder of thresholds: at every node the two of them between which the tail mean, or a quantile, lies.

CVaR_q = max over c of g(c) = c - u[(c - S)_+] / q, and g is concave with the slope 1 - P(S <= c) / q. So the best of
the thresholds is a lower bound, and where two neighbours have slopes of different signs their tangents meet at an upper
one. Each node keeps its two neighbours only, so thresholds may come in any number and order; new ones are put where the
bounds are too far apart.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from heatpg.risk.positive import PositiveFlow
from heatpg.tools.resources import require_memory

__all__ = ["Ladder", "QuantileLadder", "TailLadder"]

Array = NDArray[np.float64]

_FIRST = 9  # thresholds to begin with, evenly spaced and at quantiles of Q, each (taste: they are refined)
_WIDEST = 0.05  # of the largest gap: smaller ones wait, in case that no threshold is left for them (taste)
_NEAR = 0.25  # of an interval: nodes whose quantiles agree to this share their next threshold (taste)
_INNER = 0.02  # of an interval: how far from its ends a new threshold is at least, so that it always shrinks (taste)


@dataclasses.dataclass(eq=False)
class Ladder:
    """Brackets of the q-quantile at every node, for one noise level.

    Attributes
    ----------
    flow, noise, fraction
        What is evolved, to which level (shape (1, dimensions) or (1, dimensions, dimensions)), and q.
    neighbour
        The ladder of a similar noise level, whose thresholds are taken to begin with.
    thresholds
        All that were solved, in pure numbers, in the order in which they came.
    low, high
        The thresholds below and above, shape of the grid: P(S <= low) < q <= P(S <= high).
    below, above
        P at both.
    """

    flow: PositiveFlow
    noise: Array
    fraction: float
    neighbour: Ladder | None = None

    def __post_init__(self) -> None:
        shape = self.flow.grid.shape
        require_memory(
            8.0 * 16 * self.flow.grid.size, "a ladder of thresholds at every node", "use a coarser grid"
        )  # two of each of the fields, and what they are compared by
        self.thresholds: list[float] = []
        # below the least value there is nothing, and all is at most the largest
        self.low, self.high = np.full(shape, self.flow.low), np.full(shape, self.flow.high)
        self.below, self.above = np.zeros(shape), np.ones(shape)

    @property
    def position(self) -> Array:
        """Where between both thresholds P reaches q, according to a straight line, from 0 to 1."""
        return np.asarray((self.fraction - self.below) / np.where(self.above > self.below, self.above - self.below, 1))

    @property
    def quantile(self) -> Array:
        """The interpolated quantile."""
        return np.asarray(self.low + self.position * (self.high - self.low))

    @property
    def width(self) -> Array:
        """What is not known yet, by which thresholds are added."""
        return np.asarray(self.high - self.low)

    def first(self) -> Array:
        """Thresholds to begin with."""
        near = self.neighbour
        if near is not None:
            used = np.unique(np.concatenate([near.low.reshape(-1), near.high.reshape(-1)]))
            return np.asarray(used[(used > self.flow.low) & (used < self.flow.high)])
        inner = np.linspace(0.0, 1.0, _FIRST + 2)[1:-1]
        spread = self.flow.low + inner * (self.flow.high - self.flow.low)
        return np.unique(np.concatenate([spread, np.quantile(self.flow.values, inner)]))

    def insert(self, thresholds: Array) -> None:
        """Solve for more thresholds, and let every node keep those nearest to its quantile."""
        chunk = max(1, self.flow.at_once() // 2)
        for begin in range(0, len(thresholds), chunk):
            some = thresholds[begin : begin + chunk]
            for number, c in enumerate(some):
                if not number:
                    fields = self.solved(some)
                self.place(float(c), *(field[number] for field in fields))
        self.thresholds += thresholds.tolist()

    def solved(self, thresholds: Array) -> tuple[Array, ...]:
        """P, and what else a node keeps, at each threshold; shape (thresholds, *grid.shape) each."""
        return (self.flow.probabilities(thresholds, self.noise)[0],)

    def place(self, c: float, probability: Array, *others: Array) -> None:
        """Put one threshold between those of the nodes whose bracket it is in."""
        within = (self.low < c) & (c < self.high)
        under = within & (probability < self.fraction)
        over = within & ~under
        self.low[under], self.high[over] = c, c
        self.below[under], self.above[over] = probability[under], probability[over]
        self.keep(under, over, *others)

    def keep(self, under: NDArray[np.bool_], over: NDArray[np.bool_], *others: Array) -> None:
        """What else the nodes keep of a threshold that is below, or above, their quantile."""

    def refine(self, tolerance: float, most: int, where: NDArray[np.bool_] | None = None) -> bool:
        """Add thresholds until the bounds agree to a tolerance at all nodes, or there are `most`; whether they do."""
        if not self.thresholds:
            begin = self.first()
            # half of them at most, evenly, so that some are left to be put where they are missed
            self.insert(begin[:: max(1, -(-2 * len(begin) // most))])
            self.neighbour = None
        while True:
            width = self.width
            missing = width > tolerance
            # neighbouring numbers have nothing between them
            missing &= self.high - self.low > 4.0 * np.spacing(np.maximum(np.abs(self.low), np.abs(self.high)))
            if where is not None:
                missing &= where
            if not missing.any():
                return not bool((width > tolerance)[... if where is None else where].any())
            left = most - len(self.thresholds)
            if left <= 0:
                return False
            self.insert(self._next(missing, width)[:left])

    def _next(self, missing: NDArray[np.bool_], width: Array) -> Array:
        """New thresholds, those first that are missed most."""
        low, high, quantile, gap = (each[missing] for each in (self.low, self.high, self.quantile, width))
        order = np.lexsort((high, low))
        low, high, quantile, gap = low[order], high[order], quantile[order], gap[order]
        # nodes with one bracket are neighbours now
        starts = np.flatnonzero(np.r_[True, (np.diff(low) != 0) | (np.diff(high) != 0)])
        least, most = np.minimum.reduceat(quantile, starts), np.maximum.reduceat(quantile, starts)
        low, high, gap = low[starts], high[starts], np.maximum.reduceat(gap, starts)
        step = high - low
        chosen = np.where(most - least < _NEAR * step, 0.5 * (least + most), 0.5 * (low + high))
        chosen = np.clip(chosen, low + _INNER * step, high - _INNER * step)
        # the widest first: what is left of the thresholds is not spent on gaps that matter less
        order = np.argsort(-gap, kind="stable")
        return np.asarray(chosen[order[gap[order] >= _WIDEST * gap.max()]])


class QuantileLadder(Ladder):
    """Brackets by P from shares of cells."""


class TailLadder(Ladder):
    """Brackets with bounds of the tail mean; P is u[1{S <= c}] at the nodes, the derivative of u[(c - S)_+] in c."""

    def __post_init__(self) -> None:
        super().__post_init__()
        flow = self.flow
        self.mean = flow.means(lambda s: s[None], self.noise)[0, 0]
        # u[(c - S)_+] at both thresholds
        self.hinge_low, self.hinge_high = np.zeros(flow.grid.shape), flow.high - self.mean

    def solved(self, thresholds: Array) -> tuple[Array, ...]:
        count = len(thresholds)

        def both(s: Array) -> Array:
            c = thresholds.reshape(-1, *[1] * s.ndim)
            return np.concatenate([np.maximum(c - s, 0.0), s <= c])

        fields = self.flow.means(both, self.noise)[0]
        return np.clip(fields[count:], 0.0, 1.0), np.maximum(fields[:count], 0.0)

    def keep(self, under: NDArray[np.bool_], over: NDArray[np.bool_], *others: Array) -> None:
        (hinge,) = others
        self.hinge_low[under], self.hinge_high[over] = hinge[under], hinge[over]

    def _tangents(self) -> tuple[Array, Array, Array, Array]:
        """g and its slope at both thresholds."""
        q = self.fraction
        return (
            self.low - self.hinge_low / q,
            1.0 - self.below / q,
            self.high - self.hinge_high / q,
            1.0 - self.above / q,
        )

    @property
    def lower(self) -> Array:
        """The larger g of both thresholds; a tail mean is never below the least value."""
        at_low, _, at_high, _ = self._tangents()
        return np.maximum(np.maximum(at_low, at_high), self.flow.low)

    @property
    def upper(self) -> Array:
        """Where the tangents meet; never above the mean, nor below `lower`."""
        at_low, rising, at_high, falling = self._tangents()
        step = self.high - self.low
        # slopes differ, because P is below q at the one and not at the other
        place = np.clip((at_high - at_low - falling * step) / (rising - falling), 0.0, step)
        return np.asarray(np.maximum(np.minimum(at_low + rising * place, self.mean), self.lower))

    @property
    def values(self) -> Array:
        """g at the interpolated quantile: the slope is a straight line from each threshold to there; within bounds."""
        at_low, rising, at_high, falling = self._tangents()
        place, step = self.position, self.high - self.low
        from_low = at_low + 0.5 * rising * place * step
        from_high = at_high - 0.5 * falling * (1.0 - place) * step
        return np.asarray(np.clip((1.0 - place) * from_low + place * from_high, self.lower, self.upper))

    @property
    def width(self) -> Array:
        """By how much the bounds differ."""
        return self.upper - self.lower
