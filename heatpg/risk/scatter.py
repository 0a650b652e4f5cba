"""What each seed changes of a mean or a tail mean, where Q is the mean over seeds.

The tail mean is the largest over c of c - u[(c - S)_+] / q, so that to first order it changes with S alone, at the c
where it is. The mean over all seeds but one is a small change of S; from these, one seed each, follows what the seeds
leave open (the jackknife). A constant that a seed adds everywhere is taken out before, because it adds itself.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.risk.positive import PositiveFlow
from heatpg.risk.tops import read_near

__all__ = ["Scatter", "error_over_seeds"]

Array = NDArray[Any]


def error_over_seeds(changes: Array) -> float:
    """Standard error of a mean over seeds, from what each seed changes of it."""
    return float(np.std(changes, ddof=1)) / math.sqrt(len(changes))


@dataclasses.dataclass(frozen=True, eq=False)
class Scatter:
    """The returns of every seed less their mean, in pure numbers.

    Attributes
    ----------
    flow
        What is evolved.
    away
        Shape (S, *grid.shape).
    """

    flow: PositiveFlow
    away: Array

    @classmethod
    def of(cls, flow: PositiveFlow) -> Scatter | None:
        """That of a landscape; None where it has no returns of several seeds, or equal ones."""
        returns = flow.landscape.returns
        if returns is None or (returns == returns[:1]).all():
            return None
        away = np.asarray(returns, np.float64) - np.mean(returns, axis=0, dtype=np.float64)
        return cls(flow, flow.sign * np.ldexp(away, -flow.exponent))

    def mean_changes(self, noise: Array, place: Array) -> Array:
        """By how much each seed changes the mean at a place, shape (S,)."""
        values = np.concatenate([self.flow.values[None], self.flow.values + self.away])
        means = self._read(lambda s: s, values, noise, place)
        return np.asarray(means[1:] - means[0])

    def tail_changes(self, noise: Array, place: Array, q: float, quantile: Array) -> Array:
        """By how much each seed changes the tail mean at a place, to first order, shape (S,).

        Parameters
        ----------
        noise
            The noise level, one sigma per axis.
        place
            Shape (dimensions,).
        q
            The fraction of the tail.
        quantile
            The q-quantile, known next to the place, in pure numbers; shape of the grid.
        """
        grid = self.flow.grid
        if not noise.any():
            return np.array([read_near(one, grid, place) for one in self.away])
        constant = np.zeros(len(self.away)) if self.flow.outside is not None else self.mean_changes(noise, place)
        parts = self.away - constant.reshape(-1, *[1] * grid.dimensions)
        others, threshold = len(self.away) - 1, float(quantile[grid.nearest_node(place)])
        values = np.concatenate([self.flow.values[None], self.flow.values - parts / others])
        hinges = self._read(lambda s: np.maximum(threshold - s, 0.0), values, noise, place)
        return np.asarray(constant + others * (hinges[1:] - hinges[0]) / q)

    def _read(self, function: Callable[[Array], Array], values: Array, noise: Array, place: Array) -> Array:
        chunk, found = self.flow.at_once(), []
        for begin in range(0, len(values), chunk):
            fields = self.flow.means_of(function, values[begin : begin + chunk], noise[None])[0]
            found += [read_near(field, self.flow.grid, place) for field in fields]
        return np.array(found)
