"""Lattices that are shifted at random, and the weights with which the Gaussian in the plane is summed over them.

A sum over a lattice that is shifted by a uniform share of its spacing is the integral on average, whatever Q is: a step
along an axis, on which a lattice that stands still has the same error in every draw, is in the spread of the draws.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis
from heatpg.errors import UnsupportedError

__all__ = ["BOUNDARIES", "Lattice", "folded", "lattice"]

Array = NDArray[np.float64]

BOUNDARIES = ("clip", "reflect", "periodic", "zero", "sampled")
"""What may lie beyond the box: a boundary, or Q itself where it is sampled there.

`absorb` holds the values at its ends, which noise in other components changes.
"""

_REACH = 6.5  # in standard deviations: the Gaussian beyond is 8e-11 of all, far below any standard error
_DIGITS = 13  # of places in lengths of the box, with which images that are equal but for rounding are asked once
_PER_SIGMA = 2.0  # nodes per standard deviation, of which the weights sum to one to round-off. A taste


@dataclasses.dataclass(frozen=True, eq=False)
class Lattice:
    """Where Q is asked along one axis, and how u at the nodes of the axis is summed from it.

    Attributes
    ----------
    places
        Inside the box, each once.
    weights
        Shape (nodes of the axis, places).
    """

    places: Array
    weights: Array


def _spacing(axis: Axis, sigma: float, beyond: str) -> float:
    """Spacing of the lattice: that of the grid, or half of sigma where that is wider."""
    spacing = max(axis.spacing, sigma / _PER_SIGMA)
    # where images of the box are folded back, they fall onto each other
    if beyond in ("periodic", "reflect"):
        return axis.length / max(1, math.ceil(axis.length / spacing - 1e-9))
    return spacing


def folded(points: Array, length: float, beyond: str) -> tuple[Array, NDArray[np.bool_]]:
    """Where Q is asked for points that may lie beyond the box, and which of them count.

    Parameters
    ----------
    points
        Distances from the lower end.
    length
        Of the box.
    beyond
        One of `BOUNDARIES`.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.planes.lattices import folded
    >>> folded(np.array([-0.25, 0.5, 1.25]), 1.0, "reflect")[0].tolist()
    [0.25, 0.5, 0.75]
    """
    counts = np.ones(len(points), dtype=bool)
    if beyond == "sampled":
        return points, counts
    if beyond == "periodic":
        return np.mod(points, length), counts
    if beyond == "reflect":
        turned = np.mod(points, 2.0 * length)
        return np.where(turned > length, 2.0 * length - turned, turned), counts
    if beyond == "zero":
        counts = (points >= 0.0) & (points <= length)
    return np.clip(points, 0.0, length), counts


def lattice(axis: Axis, sigma: float, shift: float, offset: float = 0.0, beyond: str = "") -> Lattice:
    """The lattice of one draw.

    Parameters
    ----------
    axis
        Whose nodes u is wanted at.
    sigma
        Of the noise along it that is summed, at least its spacing; 0 for the nodes themselves.
    shift
        From 0 to 1, in spacings of the lattice.
    offset
        Noise along the axis that is drawn, in its units.
    beyond
        What lies beyond the ends: a boundary, or ``sampled`` for Q itself; by default the boundary of the axis.

    Raises
    ------
    UnsupportedError
        For a boundary that holds the values at the ends.

    Examples
    --------
    >>> from heatpg import Axis
    >>> from heatpg.planes.lattices import lattice
    >>> found = lattice(Axis("x", -1.0, 1.0, 9, boundary="clip"), 0.5, 0.25)
    >>> found.weights.shape, bool(abs(found.weights.sum(axis=1) - 1).max() < 1e-9)
    ((9, 10), True)
    """
    rule = beyond or axis.boundary
    if rule not in BOUNDARIES:
        raise UnsupportedError(
            f"the boundary condition {rule!r} is not supported for noise in all components",
            given=f"axis {axis.name!r}",
            allowed=", ".join(BOUNDARIES),
        )
    nodes: Array = np.asarray(axis.coordinates - axis.lower, dtype=np.float64)
    length = float(axis.length)
    if rule in ("periodic", "reflect"):
        # wider noise is uniform after folding, too: exp(-2 pi^2 sigma^2 / period^2) = 5e-35 here
        sigma = min(sigma, (2.0 if rule == "periodic" else 4.0) * length)
    if sigma == 0.0:
        places, counts = folded(nodes + offset, length, rule)
        weights = np.eye(axis.size)
    else:
        spacing = _spacing(axis, sigma, rule)
        first = math.floor(-_REACH * sigma / spacing - shift)
        last = math.ceil((length + _REACH * sigma) / spacing - shift)
        points: Array = np.asarray((np.arange(first, last + 1) + shift) * spacing, dtype=np.float64)
        z = (nodes[:, None] - points) / sigma
        weights = np.exp(-0.5 * z * z) * (spacing / (sigma * math.sqrt(2.0 * math.pi)))
        places, counts = folded(points + offset, length, rule)
    if not counts.any():
        # Q is 0 wherever this draw leads
        return Lattice(np.array([axis.lower]), np.zeros((axis.size, 1)))
    # images are equal but for rounding
    own, column = np.unique(np.round(places[counts] / length, _DIGITS), return_inverse=True)
    gathered = np.zeros((len(own), axis.size))
    np.add.at(gathered, column, weights[:, counts].T)
    asked = axis.lower + own * length
    if rule != "sampled":
        # the ends of the box to the bit, and nothing beyond it
        asked = np.clip(asked, axis.lower, axis.upper)
    return Lattice(asked, np.ascontiguousarray(gathered.T))
