"""How well u is known near walls beyond which Q is 0, where noise is drawn: at least as the chance of crossing says.

Of N draws none may cross a wall, and then their scatter knows nothing of it, though u is less than their mean by the
chance p of crossing. What N draws never showed may have a chance of up to 1 - .05^(1/N), three in N; here the chance is
known, as the noise along an axis is Gaussian. With c the mean of Q over the draws that stay, u = c (1 - p), and one
draw has at least the variance c^2 p (1 - p), whatever Q is. Without a crossing the error of u is c p, which is below
two standard errors unless N p > 4, and that happens once in fifty times.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from heatpg.core.grid import Grid

__all__ = ["Crossings"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Crossings:
    """Noise that is drawn and not summed, and the walls that it may cross.

    Attributes
    ----------
    deviations
        Standard deviations of the noise along the axes at sigma = 1; 0 along an axis without walls beyond which Q is 0.
    below
        Sigmas at which all of the noise is drawn: those below this one.
    draws
        How many, or how many pairs.
    pairs
        Whether each is a pair of opposite ones.
    repeats
        Independent repeats of which the draws are balanced points; 0 where each draw is independent of the others.
    """

    deviations: tuple[float, ...]
    below: float
    draws: int
    pairs: bool = False
    repeats: int = 0

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
        return cls(
            tuple(float(one) for one in given),
            float(edges["below"]),
            int(drawn["draws"]),
            bool(drawn.get("antithetic")),
            repeats if balanced else 0,
        )

    @classmethod
    def unseen(
        cls, drawn: Mapping[str, Any] | None, groups: Array, grid: Grid, sigma: Array, mean: Array
    ) -> Array | None:
        """What crossings add to the variance of the mean that groups of draws show; None where no wall is crossed.

        Parameters
        ----------
        drawn
            As of an evolution.
        groups
            Deviations of groups of draws, shape (groups, T, *grid).
        grid, sigma, mean
            As in `variance`.
        """
        crossings = cls.of(drawn, len(groups))
        if crossings is None:
            return None
        seen = groups.var(axis=0, ddof=1) * (crossings.draws / len(groups))
        return crossings.added(seen, grid, sigma, mean) / crossings.draws

    def chance(self, grid: Grid, sigma: Array) -> Array:
        """The chance that noise crosses a wall, shape (T, *grid); 0 where the noise is not drawn.

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
        stays = np.ones((len(sigma), *grid.shape))
        for i, (axis, deviation) in enumerate(zip(grid, self.deviations, strict=True)):
            if deviation == 0.0:
                continue
            x = np.asarray(axis.coordinates, dtype=np.float64)
            shape = [1] * grid.dimensions
            shape[i] = axis.size
            for level, s in enumerate(sigma):
                if 0.0 < s < self.below:
                    wide = s * deviation
                    out = ndtr((axis.lower - x) / wide) + ndtr((x - axis.upper) / wide)
                    # where the axes are correlated it is no more than that (Royen 2014, the Gaussian correlation
                    # inequality)
                    stays[level] *= 1.0 - out.reshape(shape)
        return 1.0 - stays

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
        return self._variance(self.chance(grid, sigma), mean)

    def _variance(self, p: Array, mean: Array) -> Array:
        if self.pairs:
            # opposite draws do not both cross one wall, so that their crossings are less than independent
            share = 0.5 * p * (1.0 - 2.0 * p)
        elif self.repeats:
            # of n balanced points n p cross, rounded up or down at random
            each = self.draws / self.repeats
            part = np.mod(each * p, 1.0)
            share = part * (1.0 - part) / each
        else:
            share = p * (1.0 - p)
        with np.errstate(divide="ignore", invalid="ignore"):
            stayed = np.where(p < 1.0, mean / (1.0 - p), 0.0)
        return np.asarray(stayed**2 * np.maximum(share, 0.0))

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
        p = self.chance(grid, sigma)
        least = self._variance(p, mean)
        if self.repeats:
            none = np.maximum(1.0 - self.draws / self.repeats * p, 0.0) ** self.repeats
        else:
            none = (1.0 - p) ** (2 * self.draws if self.pairs else self.draws)
        return np.asarray(np.maximum(least * none, least - seen))
