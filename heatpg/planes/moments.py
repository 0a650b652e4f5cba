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


@dataclasses.dataclass(eq=False)
class Moments:
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
    def group_deviations(self) -> Array:
        """Means of groups of draws less that of all, shape of `groups`."""
        counts = np.array([len(range(first, self.count, REPEATS)) for first in range(REPEATS)])
        means = self.groups / counts.reshape(-1, *((1,) * (self.groups.ndim - 1)))
        return np.asarray(means - means.mean(axis=0))

    @property
    def draws_error(self) -> Array:
        """Standard error of u over the draws alone, shape (T, *grid)."""
        return np.asarray(np.sqrt(self.variance / self.count))

    @property
    def error(self) -> Array:
        """Standard error of u, over draws and seeds, shape (T, *grid)."""
        error = self.draws_error
        if not self.squares_of_seeds.size:
            return error
        each = np.sqrt(self.squares_of_seeds / max(self.count - 1, 1) / self.count)
        return np.asarray(crossed_error(error, np.moveaxis(self.mean, 1, 0), np.moveaxis(each, 1, 0)))


@dataclasses.dataclass(eq=False)
class Repeats:
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
    def _means(self) -> Array:
        counts = np.array([len(range(first, self.count, REPEATS)) for first in range(REPEATS)])
        return np.asarray(self.sums / counts.reshape(-1, *((1,) * (self.sums.ndim - 1))))

    @property
    def variance(self) -> Array:
        """Of as many independent draws that would be as well known, for one of them; shape (T, *grid)."""
        return np.asarray(self._means.mean(axis=2).var(axis=0, ddof=1) * (self.count / REPEATS))

    @property
    def group_deviations(self) -> Array:
        """Means of the repeats less that of all, shape (repeats, T, *grid)."""
        means = self._means.mean(axis=2)
        return np.asarray(means - means.mean(axis=0))

    @property
    def draws_error(self) -> Array:
        """Standard error of u over the draws alone, shape (T, *grid)."""
        return np.asarray(np.sqrt(self.variance / self.count))

    @property
    def error(self) -> Array:
        """Standard error of u, over draws and seeds, shape (T, *grid)."""
        each = self._means.std(axis=0, ddof=1) / math.sqrt(REPEATS)
        error = self.draws_error
        if each.shape[1] == 1:
            return error
        return np.asarray(crossed_error(error, np.moveaxis(self.mean, 1, 0), np.moveaxis(each, 1, 0)))
