"""What moves the sigma at which a maximum ends: at a fold, only the slope of u along one direction."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.field import HeatField

__all__ = ["Fold", "fold_at"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Fold:
    """A point where a maximum and a saddle (in one dimension a minimum) meet.

    There the Hessian H of u has a direction n with H n = 0. If u changes by a small v, the place moves, but n H
    vanishes, and what is left of the condition grad u = 0 along n is that n grad v, and d(n grad u) / d log sigma times
    the change of log sigma, have the sum 0. So the change of log sigma is a linear function of v.

    Attributes
    ----------
    direction
        n, in the units of the axes: its longest component is one grid spacing; shape (dimensions,).
    rate
        d(n grad u) / d log sigma.
    """

    direction: Array
    rate: float

    def moved(self, slopes: ArrayLike) -> Array:
        """Change of log sigma under fields whose slopes n grad v at the fold are these.

        Examples
        --------
        >>> import numpy as np
        >>> from heatpg.scalespace.folds import Fold
        >>> Fold(np.array([0.1]), -4.0).moved([0.2]).tolist()
        [0.05]
        """
        return -np.asarray(slopes, dtype=np.float64) / self.rate


def fold_at(field: HeatField, ratio: Array, position: ArrayLike, sigma: float) -> Fold | None:
    """The fold at the end of a track.

    Parameters
    ----------
    field
        u at any point and sigma.
    ratio
        Noise per axis over that of the noisiest, shape (dimensions,).
    position, sigma
        Of the event.

    Returns
    -------
    fold
        None on the edge of the box, where a maximum ends by other conditions, and where u does not change there.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape, evolve
    >>> from heatpg.scalespace import track
    >>> from heatpg.scalespace.folds import fold_at
    >>> line = Grid(Axis("x", -3.0, 3.0, 121, boundary="clip"))
    >>> def two(x):
    ...     return np.exp(-((x + 1) ** 2) / 0.045) + 0.75 * np.exp(-((x - 1) ** 2) / 0.5)
    >>> space = track(evolve(Landscape.from_function(two, line), np.geomspace(0.1, 1.0, 12)), "maximum")
    >>> end = space.sigma_death
    >>> fold = fold_at(space.field, space.ratio, end.position, end.sigma)
    >>> # a tilt of 1e-4 per unit of x, against the flow that is solved with it
    >>> tilted = Landscape.from_function(lambda x: two(x) + 1e-4 * x, line)
    >>> other = track(evolve(tilted, np.geomspace(0.1, 1.0, 12)), "maximum").sigma_death
    >>> bool(abs(np.log(other.sigma / end.sigma) / fold.moved(fold.direction @ [1e-4]) - 1.0) < 0.01)
    True
    """
    grid, place = field.grid, np.asarray(position, dtype=np.float64)
    for axis, x in zip(grid, place, strict=True):
        if not axis.rule.periodic and not axis.lower < x < axis.upper:
            return None
    local, rates = field.moving(place[None], np.array([sigma**2]), ratio, 1)
    # in grid spacings, so that directions do not depend on the units of the axes
    spacing = np.array(grid.spacing)
    values, vectors = np.linalg.eigh(local[2][0] * spacing * spacing[:, None])
    along = vectors[:, np.abs(values).argmin()]
    direction = spacing * along / np.abs(along).max()
    rate = 2.0 * sigma**2 * float(direction @ rates[1][0])
    return Fold(direction, rate) if rate else None
