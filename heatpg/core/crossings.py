"""How well u is known near walls beyond which Q is 0, where noise is drawn: at least as the chance of crossing says.

Of N draws none may cross a wall, and then their scatter knows nothing of it, though u is less than their mean by the
chance p of crossing. What N draws never showed may have a chance of up to 1 - .05^(1/N), three in N; here the chance is
known, as the noise along an axis is Gaussian. With c the mean of Q over the noise that stays, u = c (1 - p), and one
draw has at least the variance c^2 p (1 - p), whatever Q is. Without a crossing the error of u is c p, which is below
two standard errors unless N p > 4, and that happens once in fifty times.

Where lattices sum a part of the noise, a draw gives the chance f that the summed part does not cross. E f^2 is then the
chance that two do not which share what is drawn, and E f(z) f(-z) that of opposite draws.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, owens_t

from heatpg.core.grid import Axis, Grid

__all__ = ["Crossings"]

Array = NDArray[np.float64]

_BESIDE = 1e-300  # standard deviations from a wall: of a node on it, which is no case of its own


def _both_below(h: Array, k: Array, correlation: float) -> Array:
    """The chance that two standard normal numbers are below h < 0 and k < 0 (Owen 1956), to round-off of it."""
    root = math.sqrt((1.0 - correlation) * (1.0 + correlation))
    with np.errstate(over="ignore"):
        first, second = (k / h - correlation) / root, (h / k - correlation) / root
    return np.asarray(0.5 * (ndtr(h) + ndtr(k)) - owens_t(h, first) - owens_t(k, second))


def _both_out(lower: Array, upper: Array, correlation: float) -> Array:
    """The chance that two standard normal numbers are both outside of an interval around 0."""
    if correlation == 1.0:
        return np.asarray(ndtr(lower) + ndtr(-upper))
    if correlation == -1.0:
        return np.asarray(2.0 * ndtr(-np.maximum(-lower, upper)))
    same = _both_below(lower, lower, correlation) + _both_below(-upper, -upper, correlation)
    return np.asarray(same + 2.0 * _both_below(lower, -upper, -correlation))


@dataclasses.dataclass(frozen=True)
class Crossings:
    """Noise that is drawn and not summed, and the walls that it may cross.

    Attributes
    ----------
    deviations
        Standard deviations of all noise along the axes at sigma = 1; 0 along an axis without walls beyond which Q is 0.
    below
        Sigmas at which all of the noise is drawn: those below this one.
    draws
        How many, or how many pairs.
    pairs
        Whether each is a pair of opposite ones.
    repeats
        Independent repeats of which the draws are balanced points; 0 where each draw is independent of the others.
    left
        Of the variance along each axis the share that is drawn also where lattices sum the rest, as it is with
        correlated noise; by default nothing.
    """

    deviations: tuple[float, ...]
    below: float
    draws: int
    pairs: bool = False
    repeats: int = 0
    left: tuple[float, ...] = ()

    @classmethod
    def of(cls, drawn: Mapping[str, Any] | None, repeats: int) -> Crossings | None:
        """From what an evolution says of its draws; None where no wall is crossed.

        Parameters
        ----------
        drawn
            As of an evolution.
        repeats
            Independent repeats of balanced points.
        """
        edges = None if drawn is None else drawn.get("edges")
        if drawn is None or edges is None:
            return None
        balanced = drawn.get("points") == "sobol"
        given: Sequence[float] = edges["deviations"]
        # files from before correlated noise had a floor
        left: Sequence[float] = edges.get("left", ())
        return cls(
            tuple(float(one) for one in given),
            float(edges["below"]),
            int(drawn["draws"]),
            bool(drawn.get("antithetic")),
            repeats if balanced else 0,
            tuple(float(one) for one in left),
        )

    @classmethod
    def unseen(
        cls, drawn: Mapping[str, Any] | None, repeats: int, seen: Array, grid: Grid, sigma: Array, mean: Array
    ) -> Array | None:
        """What crossings add to the variance of u that the scatter of the draws shows; None where no wall is crossed.

        Parameters
        ----------
        drawn, repeats
            As in `of`.
        seen
            The variance of u that the scatter shows, shape (T, *grid).
        grid, sigma, mean
            As in `variance`.
        """
        crossings = cls.of(drawn, repeats)
        if crossings is None:
            return None
        return crossings.added(seen * crossings.draws, grid, sigma, mean) / crossings.draws

    def chance(self, grid: Grid, sigma: Array) -> Array:
        """The chance that noise crosses a wall, shape (T, *grid); 0 where none of it is drawn.

        Examples
        --------
        At a distance of two standard deviations from the nearer wall:

        >>> import numpy as np
        >>> from heatpg import Axis, Grid
        >>> from heatpg.core.crossings import Crossings
        >>> grid = Grid(Axis("x", 0.0, 4.0, 5, boundary="zero"))
        >>> Crossings((1.0,), 1.0, 100).chance(grid, np.array([0.5]))[0].round(4)
        array([5.00e-01, 2.28e-02, 1.00e-04, 2.28e-02, 5.00e-01])
        """
        return self._crossing(grid, sigma)[0]

    def _shares(self, sigma: float) -> list[float]:
        """Of the variance along each axis, what is drawn; 0 along an axis without walls."""
        left = self.left or (0.0,) * len(self.deviations)
        return [
            0.0 if deviation == 0.0 or sigma <= 0.0 else 1.0 if sigma < self.below else share
            for deviation, share in zip(self.deviations, left, strict=True)
        ]

    def _crossing(self, grid: Grid, sigma: Array) -> tuple[Array, Array]:
        """The chance of crossing, and the variance of the chance of staying that a draw gives; shape (T, *grid)."""
        chance, variance = (np.zeros((len(sigma), *grid.shape)) for _ in range(2))
        for level, s in enumerate(sigma):
            # of one draw, or of one and its opposite: chance that both stay less the square of that of one
            apart = {sign: np.zeros(grid.shape) for sign in ((1.0, -1.0) if self.pairs else (1.0,))}
            stays = np.ones(grid.shape)
            for i, share in enumerate(self._shares(float(s))):
                if share == 0.0:
                    continue
                shape = [1] * grid.dimensions
                shape[i] = grid[i].size
                lower, upper = _walls(grid[i], float(s) * self.deviations[i])
                out = _both_out(lower, upper, 1.0).reshape(shape)
                # Axes are multiplied: where they are correlated a crossing is no more probable than that (Royen 2014,
                # the Gaussian correlation inequality).
                for sign in apart:
                    both = _both_out(lower, upper, sign * share).reshape(shape) - out**2
                    apart[sign] = apart[sign] * ((1.0 - out) ** 2 + both) + stays**2 * both
                stays = stays * (1.0 - out)
            chance[level] = 1.0 - stays
            variance[level] = np.maximum(sum(apart.values()) / len(apart), 0.0)
        return chance, variance

    def variance(self, grid: Grid, sigma: Array, mean: Array) -> Array:
        """Least variance of one draw, or pair, that makes the error of u what crossings make it; shape of the mean.

        Parameters
        ----------
        grid, sigma
            Where, and under which noise.
        mean
            u, shape (T, *grid).

        Examples
        --------
        >>> import numpy as np
        >>> from heatpg import Axis, Grid
        >>> from heatpg.core.crossings import Crossings
        >>> grid = Grid(Axis("x", 0.0, 4.0, 5, boundary="zero"))
        >>> one = Crossings((1.0,), 1.0, 100)
        >>> one.variance(grid, np.array([0.5]), 1.0 - one.chance(grid, np.array([0.5])))[0, :2].round(4)
        array([0.25  , 0.0222])
        """
        return self._variance(*self._crossing(grid, sigma), mean)

    def _variance(self, p: Array, share: Array, mean: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.repeats:
                # of n balanced points n p cross, rounded up or down at random; less where a part of each is summed
                each = self.draws / self.repeats
                part = np.mod(each * p, 1.0)
                share = np.where(p > 0.0, share * (part * (1.0 - part) / each / (p * (1.0 - p))), 0.0)
            stayed = np.where(p < 1.0, mean / (1.0 - p), 0.0)
        return np.asarray(stayed**2 * share)

    def added(self, seen: Array, grid: Grid, sigma: Array, mean: Array) -> Array:
        """What is missing in the variance of one draw, or pair, that the scatter of the draws shows.

        Where no draw crossed, all of `variance`, for what is seen is of other noise; where some did, what it exceeds
        the scatter by. Which of the two it is has a known probability.

        Parameters
        ----------
        seen
            The variance that the scatter shows, shape (T, *grid).
        grid, sigma, mean
            As in `variance`.

        Examples
        --------
        >>> import numpy as np
        >>> from heatpg import Axis, Grid
        >>> from heatpg.core.crossings import Crossings
        >>> grid = Grid(Axis("x", 0.0, 4.0, 5, boundary="zero"))
        >>> one = Crossings((1.0,), 1.0, 10)
        >>> one.added(np.zeros((1, 5)), grid, np.array([0.5]), np.ones((1, 5)))[0, 1:3].round(4)
        array([0.0233, 0.0001])
        """
        p, share = self._crossing(grid, sigma)
        least = self._variance(p, share, mean)
        if self.repeats:
            none = np.maximum(1.0 - self.draws / self.repeats * p, 0.0) ** self.repeats
        else:
            none = (1.0 - p) ** (2 * self.draws if self.pairs else self.draws)
        return np.asarray(np.maximum(least * none, least - seen))


def _walls(axis: Axis, deviation: float) -> tuple[Array, Array]:
    """Both walls as seen from each node, in standard deviations."""
    x = np.asarray(axis.coordinates, dtype=np.float64)
    lower = np.minimum((axis.lower - x) / deviation, -_BESIDE)
    return lower, np.maximum((axis.upper - x) / deviation, _BESIDE)
