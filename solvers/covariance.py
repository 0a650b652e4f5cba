"""Gaussian noise whose axes are correlated: u^(k) = exp(-k^T Sigma k / 2) Q^(k), in one transform over all axes.

A full covariance does not factor over the axes of the grid, so the engine of lines does not apply. Axes in free space
are continued until the periodic wrap of the padded box lies beyond the reach of the noise from every node.

With Sigma = U U^T, U upper triangular, the exponent is minus half the squared length of U^T k, where only the last
component holds the last wavenumber: two operations per coefficient, and no cancellation when the correlation is strong.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from heatpg.core.grid import Axis, Grid
from heatpg.errors import ResourceError, UnsupportedError
from heatpg.tools.parallel import for_each
from heatpg.tools.resources import require_memory

__all__ = ["CovarianceFlow", "conditional_deviations", "monotone", "padded_shape", "require_boundaries"]

Array = NDArray[Any]

_REACH = 8.5  # standard deviations: 1.9e-17 of the noise goes further
_RESOLVED = 3.0  # as in `heatpg.solvers.spectral`, for the conditional deviations
_BLOCK_BYTES = 1024 * 1024  # of coefficients at once: all passes of numpy over them stay in a second-level cache
_LANES = 16  # a cache line of any type and more


def conditional_deviations(covariance: Array) -> NDArray[np.float64]:
    """Standard deviation of the noise along each axis while the other axes are held: 1 / sqrt((Sigma^-1)_ii).

    Parameters
    ----------
    covariance
        Shape (..., dimensions, dimensions), positive definite.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.solvers.covariance import conditional_deviations
    >>> conditional_deviations(np.array([[1.0, 0.6], [0.6, 1.0]])).round(12)
    array([0.8, 0.8])
    """
    scale = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    # the inverse of the correlations does not depend on the units of the axes
    correlation = covariance / (scale[..., :, None] * scale[..., None, :])
    return np.asarray(scale / np.sqrt(np.diagonal(np.linalg.inv(correlation), axis1=-2, axis2=-1)))


def monotone(grid: Grid, covariance: Array) -> bool:
    """Whether u at this covariance is a mean of Q with weights that are not negative, up to round-off.

    On the faces of the band of the grid, |k_i| = pi / h_i, the symbol is at most exp(-pi^2 c_i^2 / (2 h_i^2)), c_i the
    conditional standard deviation: below 1e-19 for c_i >= 3 h_i, so that the weights are samples of the density.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.solvers.covariance import monotone
    >>> grid = Grid(*(Axis(name, 0.0, 10.0, 10, boundary="periodic") for name in "xy"))
    >>> monotone(grid, np.array([[16.0, 8.0], [8.0, 16.0]])), monotone(grid, np.array([[16.0, 15.0], [15.0, 16.0]]))
    (True, False)
    """
    return bool((conditional_deviations(covariance) >= _RESOLVED * np.array(grid.spacing)).all())


_MOST_NODES = 10**12  # of a padding: eight terabytes for one line


def require_boundaries(grid: Grid) -> None:
    """Refuse a grid with an axis that neither is periodic nor lies in free space."""
    for axis in grid:
        if not (axis.rule.periodic or axis.rule.free_space):
            raise UnsupportedError(
                f"a full covariance is not supported with the boundary condition of axis {axis.name!r}",
                given=f"boundary={axis.boundary!r}",
                allowed="periodic, clip, zero on every axis",
                advice=(
                    "use one sigma per axis, or another boundary condition; with reflected noise u is not a "
                    "convolution of Q, because reflection also mirrors the principal axes"
                ),
            )


@dataclasses.dataclass(frozen=True)
class _Padding:
    """How an axis is continued: so many nodes before the box, and the length of the whole."""

    before: int
    length: int


def _padding(axis: Axis, variance: float) -> _Padding:
    if axis.rule.periodic:
        return _Padding(0, axis.size)
    reach = math.ceil(_REACH * math.sqrt(variance) / axis.spacing)
    # no length for a transform, and more than any memory holds
    if reach > _MOST_NODES:
        raise ResourceError(
            f"an evolution with this covariance does not fit in memory: axis {axis.name!r} is padded by its reach",
            given=f"{reach:.1e} nodes",
            allowed=f"{_MOST_NODES:.0e}",
            advice="use a smaller covariance, or one sigma per axis, which may be arbitrarily large",
        )
    # past the wrap comes the other end of the box: zeros serve both ends, edge values one end only
    before = 0 if axis.boundary == "zero" else reach
    return _Padding(before, int(scipy.fft.next_fast_len(axis.size + before + reach, real=True)))


def padded_shape(grid: Grid, covariance: Array) -> tuple[int, ...]:
    """Nodes along each axis of the periodic box on which noise of this covariance acts as on the grid.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.solvers.covariance import padded_shape
    >>> grid = Grid(Axis("x", 0.0, 99.0, 100, boundary="clip"), Axis("y", 0.0, 100.0, 100, boundary="periodic"))
    >>> padded_shape(grid, np.array([[16.0, 8.0], [8.0, 16.0]]))
    (180, 100)
    """
    return tuple(_padding(axis, float(covariance[i, i])).length for i, axis in enumerate(grid))


def _upper_factor(covariance: Array) -> NDArray[np.float64]:
    """U, upper triangular, with U U^T = covariance."""
    return np.asarray(np.linalg.cholesky(covariance[::-1, ::-1])[::-1, ::-1])


def _angles(shape: Sequence[int]) -> list[NDArray[np.float64]]:
    """k h of the coefficients of a real transform over all axes, which keeps half of the last one."""
    turns = [np.fft.fftfreq(length) for length in shape[:-1]] + [np.fft.rfftfreq(shape[-1])]
    return [np.asarray(2.0 * math.pi * turn, dtype=np.float64) for turn in turns]


def _symbol(factor: Array, angles: Sequence[Array], position: int | None) -> Array:
    """exp(-|U^T k|^2 / 2) on the grid of these angles; times one of the angles, if a position is given."""
    mesh = np.meshgrid(*angles, indexing="ij", sparse=True)
    exponent = sum(np.square(sum(factor[j, i] * mesh[j] for j in range(i + 1))) for i in range(len(mesh)))
    symbol = np.exp(-0.5 * np.asarray(exponent))
    return symbol if position is None else symbol * mesh[position]


def _faces(shape: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Sets of axes on whose Nyquist face a coefficient can lie, small sets first."""
    even = [i for i, length in enumerate(shape) if length % 2 == 0]
    for count in range(1, len(even) + 1):
        yield from itertools.combinations(even, count)


def _multiply(source: Array, target: Array, shape: Sequence[int], factor: Array, position: int | None) -> None:
    """target = source times the symbol; for a position, times i k_position h_position too.

    A wave at Nyquist stands for itself and its mirror image, which a full covariance damps differently: both, halved.
    """
    # the exponent is |U^T k|^2: all components but the last are the same for a whole row of coefficients
    angles = _angles(shape)
    *outer, last = angles
    turn = 1.0 if position is None else 1j
    mesh = np.meshgrid(*outer, indexing="ij", sparse=True)
    rows_shape = tuple(len(angle) for angle in outer)
    fixed, shift = np.zeros(rows_shape), np.zeros(rows_shape)
    # `fixed` gathers the squares of the components that do not hold the last wavenumber, `shift` its partner in the one
    # that does
    for i in range(len(outer)):
        fixed += np.square(sum(factor[j, i] * mesh[j] for j in range(i + 1)))
        shift += factor[i, -1] * mesh[i]
    fixed, shift = fixed.reshape(-1, 1), shift.reshape(-1, 1)
    stretched = factor[-1, -1] * last
    wave: Array | None = None
    if position is not None and position < len(outer):
        # a derivative along an outer axis is one factor per row
        wave = np.broadcast_to(mesh[position], rows_shape).reshape(-1, 1)
    read, write = source.reshape(-1, len(last)), target.reshape(-1, len(last))
    chunk = max(1, _BLOCK_BYTES // (8 * len(last)))
    real = source.real.dtype

    def work(first: int) -> None:
        rows = slice(first, first + chunk)
        block = shift[rows] + stretched
        np.square(block, out=block)
        block += fixed[rows]
        block *= -0.5
        np.exp(block, out=block)
        # times k for a derivative; i is multiplied after, because the block is real
        if position is not None:
            block *= last if wave is None else wave[rows]
        np.multiply(read[rows], block.astype(real, copy=False), out=write[rows])
        if position is not None:
            write[rows] *= turn

    for_each(work, range(0, len(read), chunk))
    # coefficients at Nyquist are mended after the pass over all; small sets first, so that edges and corners win
    for face in _faces(shape):
        place = tuple(slice(n // 2, n // 2 + 1) if i in face else slice(None) for i, n in enumerate(shape))
        total: Array = np.zeros(())
        for signs in itertools.product((1.0, -1.0), repeat=len(face)):
            mirrored = dict(zip(face, signs, strict=True))
            waves = [np.array([math.pi * mirrored[i]]) if i in face else angles[i] for i in range(len(shape))]
            total = total + _symbol(factor, waves, position)
        target[place] = source[place] * (total.astype(real) * (turn / 2 ** len(face)))


def _in_pieces(work: Callable[[tuple[slice, ...]], object], shape: Sequence[int], along: int, itemsize: int) -> None:
    """Call a function with the same parts of an array, of whole lines along an axis, for any number of threads.

    Not with the threads of SciPy: they share out the lines, and a line that shares a vector with others
    need not be rounded as one that is left over.
    """
    cut = 1 if along == 0 and len(shape) > 1 else 0
    if cut == along:
        work((slice(None),))
        return
    step = max(1, _BLOCK_BYTES * shape[cut] // (math.prod(shape) * itemsize))
    if cut == len(shape) - 1:  # neighbours on a cache line stay together
        step = -(-step // _LANES) * _LANES
    for_each(lambda i: work((slice(None),) * cut + (slice(i, i + step),)), range(0, shape[cut], step))


def _transform_all(field: Array, coefficients: Array) -> None:
    """The real transform over all axes, which keeps half of the last one."""
    lines, result = field.reshape(-1, field.shape[-1]), coefficients.reshape(-1, coefficients.shape[-1])

    def forward(part: tuple[slice, ...]) -> None:
        result[part] = scipy.fft.rfft(lines[part], axis=1)

    _in_pieces(forward, lines.shape, 1, lines.itemsize)
    _transform_others(scipy.fft.fft, coefficients)


def _transform_others(transform: Callable[..., Array], coefficients: Array) -> None:
    """A complex transform along all axes but the last, in place."""
    for along in range(coefficients.ndim - 1):

        def work(part: tuple[slice, ...], along: int = along) -> None:
            piece = coefficients[part]
            result = transform(piece, axis=along, overwrite_x=True)
            if not np.may_share_memory(result, piece):
                piece[...] = result

        _in_pieces(work, coefficients.shape, along, coefficients.itemsize)


def _transform_back(coefficients: Array, length: int, inside: tuple[slice, ...], out: Array) -> None:
    """The inverse of `_transform_all`, of which a part is wanted; overwrites the coefficients."""
    _transform_others(scipy.fft.ifft, coefficients)
    *outer, last = inside
    wanted = coefficients[tuple(outer)]

    def backward(part: tuple[slice, ...]) -> None:
        out[part] = scipy.fft.irfft(wanted[part], length, axis=-1)[..., last]

    _in_pieces(backward, out.shape, out.ndim - 1, out.itemsize)


class CovarianceFlow:
    """Evolution of one landscape by noise of any covariance: a transform forward, a multiplier, a transform back.

    Covariances that need the same padding share the transform forward, as all of them do on a periodic grid. The
    padding is that of each covariance, so that a result does not depend on the other covariances.

    Parameters
    ----------
    values
        Q, shape (*batch, *grid.shape), float32 or float64.
    grid
        Where it is sampled; every axis periodic or in free space.

    Raises
    ------
    UnsupportedError
        For an axis with a wall.

    Notes
    -----
    Exact in time, spectral in space, as the solver ``spectral``, whose result it gives for a diagonal covariance along
    periodic axes. In free space it is of order 2 at the ends: they are not corrected (`heatpg.solvers.edges`), because
    what a wall brings in is no product of lines any more.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.solvers.covariance import CovarianceFlow
    >>> grid = Grid(*(Axis(name, 0.0, 2 * np.pi, 16, boundary="periodic") for name in "xy"))
    >>> x, y = grid.mesh()
    >>> u = np.empty(grid.shape)
    >>> covariance = np.array([[0.5, 0.3], [0.3, 0.4]])
    >>> CovarianceFlow(np.cos(x - 2 * y), grid).advance(covariance, u)
    >>> bool(np.abs(u - np.exp(-0.5 * (0.5 - 4 * 0.3 + 4 * 0.4)) * np.cos(x - 2 * y)).max() < 1e-14)
    True
    """

    def __init__(self, values: Array, grid: Grid) -> None:
        require_boundaries(grid)
        self.grid = grid
        self.initial = values
        self._batch = values.shape[: values.ndim - grid.dimensions]
        self._paddings: tuple[_Padding, ...] = ()
        self._coefficients: Array | None = None

    def require_memory(self, covariances: Array, fields: int) -> None:
        """Refuse covariances whose padded boxes do not fit, next to the bytes of the fields that are kept.

        Parameters
        ----------
        covariances
            Shape (T, dimensions, dimensions).
        fields
            Bytes that are needed in any case.
        """
        shapes = [padded_shape(self.grid, covariance) for covariance in covariances]
        largest = max(shapes, key=math.prod)
        boxes = math.prod(self._batch) + 3  # coefficients of Q; scaled, half transformed and whole for one of the batch
        box = math.prod(largest[:-1]) * 2 * (largest[-1] // 2 + 1) * self.initial.itemsize
        require_memory(
            fields + boxes * box,
            f"an evolution of {self.initial.size:,} points, padded to {' x '.join(map(str, largest))} nodes for the "
            "reach of the largest covariance,",
            "use a smaller covariance or fewer at a time, a coarser grid, a smaller batch, float32 values (half of the "
            "memory), or one sigma per axis, which is solved line by line",
        )

    def advance(self, covariance: Array, out: Array) -> None:
        """Write u at this covariance, shape (dimensions, dimensions), into `out`."""
        self._transform(covariance, None, out)

    def gradient(self, covariance: Array, position: int, out: Array) -> None:
        """Write du/dx_i at this covariance into `out`: i k times the symbol."""
        self._transform(covariance, position, out)

    def _continued(self, field: Array) -> Array:
        for position, (axis, padding) in enumerate(zip(self.grid, self._paddings, strict=True)):
            if axis.rule.free_space:
                after = padding.length - axis.size - padding.before
                field = axis.rule.extend(axis.size, axis.nodes, padding.before, after).of(field, position)
        return field

    def _forward(self, paddings: tuple[_Padding, ...]) -> Array:
        if self._coefficients is None or paddings != self._paddings:
            # the padding of another covariance may differ; both boxes at once would double the peak of memory
            self._coefficients = None  # before the next ones are made
            self._paddings = paddings
            shape = [padding.length for padding in paddings]
            kind = np.result_type(self.initial.dtype, np.complex64)
            coefficients = np.empty((*self._batch, *shape[:-1], shape[-1] // 2 + 1), kind)
            # one of the batch after the other: a padded box for each at once would multiply the memory
            for entry in np.ndindex(self._batch):
                _transform_all(self._continued(self.initial[entry]), coefficients[entry])
            self._coefficients = coefficients
        return self._coefficients

    def _transform(self, covariance: Array, position: int | None, out: Array) -> None:
        paddings = tuple(_padding(axis, float(covariance[i, i])) for i, axis in enumerate(self.grid))
        coefficients = self._forward(paddings)
        shape = [padding.length for padding in paddings]
        spacing = np.array(self.grid.spacing)
        factor = _upper_factor(covariance / np.multiply.outer(spacing, spacing))
        inside = tuple(slice(p.before, p.before + n) for p, n in zip(paddings, self.grid.shape, strict=True))
        scaled = np.empty(coefficients.shape[len(self._batch) :], coefficients.dtype)
        for entry in np.ndindex(self._batch):
            _multiply(coefficients[entry], scaled, shape, factor, position)
            _transform_back(scaled, shape[-1], inside, out[entry])
        if position is not None:
            out /= spacing[position]
