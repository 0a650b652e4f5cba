"""The waves of a grid: their wavenumbers, the weights of means, coefficients of a field, and bands of wavenumbers.

All wavenumbers are angular. Along a closed axis the waves are those of its boundary, so that each is damped by itself
and nothing is assumed: Fourier (periodic), cosine (reflect), and sine of what differs from the chord between the held
ends (absorb). In free space (clip, zero) no wave belongs to the box. There the plane that fits best is taken off, the
rest is tapered by sin^2 (Hann), scaled to a mean square of 1 so that the power of noise stays, and the Fourier waves of
the tapered field are taken. The taper mixes waves within two steps of 2 pi / L and hides values at the edges.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.boundaries import face_values
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import OptionError, UnsupportedError
from heatpg.solvers.faces import chords
from heatpg.solvers.transforms import basis_along

__all__ = [
    "Bands",
    "WaveBands",
    "axis_of_waves",
    "bands_of",
    "coefficients_of",
    "mean_square_weights",
    "mean_weights",
    "outer_product",
    "outer_sum",
    "prepared",
    "require_single",
    "squares_exponent",
    "treatment_of",
    "wavenumbers",
    "without_chord",
]

Array = NDArray[Any]
# Of two, up to which squares are numbers, with room for a mean over 2^40 nodes and for shares of the square of the
# rounding, 2^-106, on either side. A bound: doubles reach from 2^-1022 to 2^1024.
_SQUARABLE = 400

Bands = int | Sequence[float] | ArrayLike | None


def require_single(landscape: Landscape, what: str) -> None:
    """Refuse a batch."""
    if landscape.batch_shape:
        raise UnsupportedError(
            f"{what} needs a single landscape",
            given=f"batch axes {landscape.batch_shape}",
            advice="pass the landscapes of the batch one at a time",
        )


def axis_of_waves(axis: Axis) -> Axis:
    """The axis itself, or in free space the circle that a tapered line closes to."""
    if not axis.rule.free_space:
        return axis
    # one spacing more than the box if its ends are nodes: after the last node comes the first again
    upper = axis.lower + axis.size * axis.spacing
    return dataclasses.replace(axis, upper=upper, boundary="periodic", nodes="vertex")


def wavenumbers(axis: Axis) -> NDArray[np.float64]:
    """Angular wavenumber of every coefficient along an axis, shape (size,).

    Parameters
    ----------
    axis
        A closed axis; one in free space is taken for the circle that its tapered line closes to.

    Returns
    -------
    wavenumbers
        In 1 / `Axis.unit`. Along ``absorb`` the first and the last coefficient are the held end nodes, with wavenumber
        0; with nodes in cells all are sines.

    Examples
    --------
    >>> from heatpg import Axis
    >>> from heatpg.roughness.waves import wavenumbers
    >>> wavenumbers(Axis("x", 0.0, 3.141592653589793, 4, boundary="reflect")).round(12)
    array([0., 1., 2., 3.])
    """
    closed = axis_of_waves(axis)
    return np.asarray(basis_along(closed).angle / closed.spacing)


def mean_weights(axis: Axis) -> NDArray[np.float64]:
    """Quadrature weights of a mean along an axis, shape (size,), their sum 1.

    Parameters
    ----------
    axis
        Its `Axis.weights`.

    Examples
    --------
    >>> from heatpg import Axis
    >>> from heatpg.roughness.waves import mean_weights
    >>> mean_weights(Axis("x", 0.0, 2.0, 3, boundary="absorb")).tolist()
    [0.25, 0.5, 0.25]
    """
    weights = axis.weights
    return np.asarray(weights / weights.sum())


def mean_square_weights(axis: Axis) -> NDArray[np.float64]:
    """Share of each squared coefficient in the mean square over the box (Parseval), shape (size,).

    Parameters
    ----------
    axis
        As for `wavenumbers`.

    Returns
    -------
    weights
        For the coefficients of `heatpg.solvers.transforms`, without normalisation. The mean is that of `mean_weights`.
        Zero for the two end nodes of ``absorb``, which are no waves.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis
    >>> from heatpg.roughness.waves import mean_square_weights
    >>> axis = Axis("x", 0.0, 1.0, 5, boundary="periodic")
    >>> values = np.array([1.0, -2.0, 0.5, 0.0, 4.0])
    >>> from scipy.fftpack import rfft
    >>> bool(np.isclose(mean_square_weights(axis) @ rfft(values) ** 2, np.mean(values**2)))
    True
    """
    closed = axis_of_waves(axis)
    size = closed.size
    # A wave of amplitude 1 has the mean square 1/2, but 1 if it is the constant, or the finest of an even circle or of
    # vertices; each over the square of the coefficient that the transform without normalisation gives for it.
    if closed.rule.periodic:
        weights = np.full(size, 2.0 / size**2)
        weights[[0, -1] if size % 2 == 0 else [0]] /= 2.0
        return weights
    if closed.faced:
        weights = np.full(size, 0.5 / size**2)
        weights[-1] /= 2.0  # the finest sine is 1 or -1 at every centre
        return weights
    if closed.rule.holds_ends:
        weights = np.full(size, 0.5 / (size - 1) ** 2)
        weights[[0, -1]] = 0.0
        return weights
    if closed.nodes == "vertex":
        weights = np.full(size, 0.5 / (size - 1) ** 2)
        weights[[0, -1]] /= 2.0
        return weights
    weights = np.full(size, 0.5 / size**2)
    weights[0] /= 2.0
    return weights


def squares_exponent(values: Array) -> int:
    """A power of two to be taken out of values before they are squared; 0 where squares are numbers as it is.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.roughness.waves import squares_exponent
    >>> squares_exponent(np.array([3.0, -2.0])), squares_exponent(np.array([0.0, 2.0**600]))
    (0, 601)
    """
    largest = float(np.abs(values).max())
    exponent = math.frexp(largest)[1]
    return exponent if largest and abs(exponent) > _SQUARABLE else 0


def outer_sum(terms: Sequence[Array]) -> Array:
    """sum_i terms[i][j_i] on the grid of all j."""
    result = np.zeros(())
    for term in terms:
        result = np.add.outer(result, term)
    return np.asarray(result)


def outer_product(factors: Sequence[Array]) -> Array:
    """prod_i factors[i][j_i] on the grid of all j."""
    result = np.ones(())
    for factor in factors:
        result = np.multiply.outer(result, factor)
    return np.asarray(result)


def prepared(field: Array, grid: Grid) -> Array:
    """The field, in free space without its plane and tapered; may overwrite its argument."""
    free = [i for i, axis in enumerate(grid) if axis.rule.free_space]
    if not free:
        return field
    # a plane that is not periodic would put a jump at the edges, whose waves drown those of the landscape
    field = field - field.mean()
    for i in free:
        shape = [1] * field.ndim
        shape[i] = grid.shape[i]
        along = (np.arange(grid.shape[i]) - 0.5 * (grid.shape[i] - 1)).reshape(shape)
        # coordinates from the middle are orthogonal to each other and to 1, so the slopes are fitted one by one
        field = field - along * ((along * field).mean() / (along**2).mean())
    for i in free:
        shape = [1] * field.ndim
        shape[i] = grid.shape[i]
        # at half-integer places, so that it is symmetric and no node has the weight 0
        taper = np.sin(math.pi * (np.arange(grid.shape[i]) + 0.5) / grid.shape[i]) ** 2
        # 3/8 is the mean of sin^4
        field = field * (taper / math.sqrt(0.375)).reshape(shape)
    return np.asarray(field)


def coefficients_of(field: Array, grid: Grid) -> Array:
    """Coefficients in the waves of the grid; may overwrite its argument."""
    for i, axis in enumerate(grid):
        if axis.faced and axis.rule.holds_ends:
            field = without_chord(field, i)
        field = basis_along(axis_of_waves(axis)).forward(np.ascontiguousarray(field), i)
    return field


def without_chord(field: Array, position: int) -> Array:
    """Along an axis of cells, what differs from the chord between the values on both walls."""
    lower, upper = face_values(field, position)
    shape = [1] * field.ndim
    shape[position] = -1
    falling, rising = (chord.reshape(shape) for chord in chords(field.shape[position]))
    return np.asarray(field - falling * lower - rising * upper)


def treatment_of(grid: Grid) -> str:
    """In words, which waves are taken along which axes."""
    kinds: dict[str, list[str]] = {}
    for axis in grid:
        if axis.rule.free_space:
            kind = "Fourier of the field without its plane, tapered (Hann), along"
        elif axis.rule.periodic:
            kind = "Fourier along"
        elif axis.rule.holds_ends:
            kind = "sine of what differs from the chord along"
        else:
            kind = "cosine along"
        kinds.setdefault(kind, []).append(axis.name)
    return "; ".join(f"{kind} {', '.join(names)}" for kind, names in kinds.items())


@dataclasses.dataclass(frozen=True, eq=False)
class WaveBands:
    """Which waves of a grid lie in which band.

    `number` is the band of each coefficient: 0 for the constant and for held ends, 1 to B for the bands, B + 1 for
    waves outside of them all.
    """

    edges: NDArray[np.float64]
    number: NDArray[np.int64]
    weights: NDArray[np.float64]
    modes: NDArray[np.int64]
    wavenumber: NDArray[np.float64]

    def sums(self, values: Array) -> NDArray[np.float64]:
        """Sum of the values in the constant, in each band, and outside."""
        flat = values.reshape(-1)
        return np.asarray(np.bincount(self.number, weights=flat, minlength=len(self.edges) + 1), dtype=np.float64)

    def power(self, coefficients: Array) -> NDArray[np.float64]:
        """Mean square of the constant, of each band, and of the rest."""
        return self.sums(self.weights * coefficients**2)


def _edges(bands: Bands, fundamental: float, largest: float) -> NDArray[np.float64]:
    allowed = "None, a whole number of bands > 0, or at least 2 ascending edges >= 0 in angular wavenumbers"
    # bands around 1, 2, 3 ... fundamental wavenumbers, so that no wave of the shortest axis lies on an edge
    if bands is None:
        first = 1.5 * fundamental
        return np.append(0.0, first + fundamental * np.arange(max(1, math.ceil(largest / fundamental - 0.5))))
    # True is an int in Python, and no number of bands
    if isinstance(bands, int | np.integer) and not isinstance(bands, bool):
        if bands < 1:
            raise OptionError("the number of bands must be positive", given=bands, allowed=allowed)
        return np.asarray(np.linspace(0.0, largest, int(bands) + 1, dtype=np.float64))
    try:
        edges: NDArray[np.float64] = np.array(bands, dtype=np.float64)
    except (TypeError, ValueError):
        raise OptionError("bands must be numbers", given=repr(bands), allowed=allowed) from None
    if edges.ndim != 1 or len(edges) < 2 or not np.isfinite(edges).all() or edges[0] < 0 or (np.diff(edges) <= 0).any():
        raise OptionError("band edges must be ascending", given=repr(bands), allowed=allowed)
    return edges


def bands_of(grid: Grid, bands: Bands) -> WaveBands:
    """The bands that a caller asks for, filled with the waves of a grid."""
    along = [wavenumbers(axis) for axis in grid]
    size = np.sqrt(outer_sum([k**2 for k in along])).reshape(-1)
    weights = outer_product([mean_square_weights(axis) for axis in grid])
    fundamental = max(float(k[k > 0].min()) for k in along)
    edges = _edges(bands, fundamental, float(size.max()))
    # numbers from 1: searchsorted counts the edges at or below |k|, and the last edge belongs to the last band
    number = np.searchsorted(edges, size, side="right")
    number[size == edges[-1]] = len(edges) - 1
    # what lies below the first edge is outside as well as what lies above the last
    below = number == 0
    number[below] = len(edges)
    # last, since the constant has |k| = 0 and would be in the first band
    constant = (size == 0) | (weights.reshape(-1) == 0)
    number[constant] = 0
    modes = np.bincount(number, minlength=len(edges) + 1)[1:-1]
    total = np.bincount(number, weights=size, minlength=len(edges) + 1)[1:-1]
    # of the waves that are there, not the middle of the band: in several dimensions they lie towards its upper edge
    mean = np.where(modes > 0, total / np.maximum(modes, 1), np.nan)
    return WaveBands(edges, number, weights, modes, mean)
