"""Sums over draws: what u is, and how well it is known."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from heatpg.planes.points import REPEATS
from heatpg.quadrature.seeded import crossed_error

__all__ = ["Moments", "Repeats"]

Array = NDArray[np.float64]


def _group_means(sums: Array, count: int) -> Array:
    """Means over every sixteenth draw, of their sums along the first axis."""
    counts = np.array([len(range(first, count, REPEATS)) for first in range(REPEATS)])
    return np.asarray(sums / counts.reshape(-1, *((1,) * (sums.ndim - 1))))


class _Sums:
    """What follows alike from sums over draws of either kind."""

    count: int

    @property
    def variance(self) -> Array:
        """Of one draw, shape (T, *grid)."""
        raise NotImplementedError

    @property
    def _means_of_groups(self) -> Array:
        """Of u, mean over seeds, shape (groups, T, *grid)."""
        raise NotImplementedError

    @property
    def _of_seeds(self) -> tuple[Array, Array]:
        """Mean of every seed and its standard error over the draws, each of shape (T, seeds, *grid)."""
        raise NotImplementedError

    @property
    def draws_error(self) -> Array:
        """Standard error of u over the draws alone, shape (T, *grid)."""
        return np.asarray(np.sqrt(self.variance / self.count))

    @property
    def error(self) -> Array:
        """Standard error of u, over draws and seeds, shape (T, *grid)."""
        error, (mean, each) = self.draws_error, self._of_seeds
        if mean.shape[1] == 1:
            return error
        return np.asarray(crossed_error(error, np.moveaxis(mean, 1, 0), np.moveaxis(each, 1, 0)))

    @property
    def group_deviations(self) -> Array:
        """Means of groups of draws less that of all, shape (groups, T, *grid)."""
        means = self._means_of_groups
        return np.asarray(means - means.mean(axis=0))


@dataclasses.dataclass(eq=False)
class Moments(_Sums):
    """Sums over draws of fields less the offset, at every sigma.

    Attributes
    ----------
    count
        Draws, or pairs.
    mean
        Of every seed, shape (T, seeds, *grid).
    squares
        Of deviations of the mean over seeds, shape (T, *grid).
    squares_of_seeds
        The same of every seed, shape of `mean`.
    groups
        Sums over every sixteenth draw, shape (groups, T, *grid).
    """

    count: int
    mean: Array
    squares: Array
    squares_of_seeds: Array
    groups: Array

    @classmethod
    def of(cls, levels: int, seeds: int, shape: tuple[int, ...]) -> Moments:
        """No draws yet."""
        one, each = np.zeros((levels, *shape)), np.zeros((levels, seeds, *shape))
        return cls(0, each, one, each.copy() if seeds > 1 else np.zeros(0), np.zeros((REPEATS, *one.shape)))

    def add(self, field: Array) -> None:
        """One more draw, shape (T, seeds, *grid)."""
        apart = field - self.mean
        whole = apart.mean(axis=1)
        self.groups[self.count % REPEATS] += field.mean(axis=1)
        self.count += 1
        self.mean += apart / self.count
        share = (self.count - 1) / self.count
        self.squares += share * whole**2
        if self.squares_of_seeds.size:
            self.squares_of_seeds += share * apart**2

    @property
    def variance(self) -> Array:
        """Of one draw, shape (T, *grid)."""
        return self.squares / max(self.count - 1, 1)

    @property
    def _means_of_groups(self) -> Array:
        return _group_means(self.groups, self.count)

    @property
    def _of_seeds(self) -> tuple[Array, Array]:
        return self.mean, np.asarray(np.sqrt(self.squares_of_seeds / max(self.count - 1, 1) / self.count))


@dataclasses.dataclass(eq=False)
class Repeats(_Sums):
    """Sums over draws that are independent in different repeats alone, as those of scrambled Sobol' points are.

    Attributes
    ----------
    count
        Draws; draw j is of repeat j % 16.
    sums
        Of fields less the offset, shape (repeats, T, seeds, *grid).
    """

    count: int
    sums: Array

    @classmethod
    def of(cls, levels: int, seeds: int, shape: tuple[int, ...]) -> Repeats:
        """No draws yet."""
        return cls(0, np.zeros((REPEATS, levels, seeds, *shape)))

    def add(self, field: Array) -> None:
        """One more draw, shape (T, seeds, *grid)."""
        self.sums[self.count % REPEATS] += field
        self.count += 1

    @property
    def mean(self) -> Array:
        """Of every seed, shape (T, seeds, *grid)."""
        return np.asarray(self.sums.sum(axis=0) / self.count)

    @property
    def variance(self) -> Array:
        """Of as many independent draws that would be as well known, for one of them; shape (T, *grid)."""
        return np.asarray(self._means_of_groups.var(axis=0, ddof=1) * (self.count / REPEATS))

    @property
    def _means_of_groups(self) -> Array:
        return np.asarray(_group_means(self.sums, self.count).mean(axis=2))

    @property
    def _of_seeds(self) -> tuple[Array, Array]:
        spread = _group_means(self.sums, self.count).std(axis=0, ddof=1)
        return self.mean, np.asarray(spread / math.sqrt(REPEATS))
