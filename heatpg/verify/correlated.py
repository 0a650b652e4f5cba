"""What correlated noise is compared with: the sampled density, summed over the continued data node by node.

The sum shares no code with the solver: the data are continued with ``numpy.pad``, the density is evaluated in the
space of the actions, and nothing is transformed. Solver and reference are convolutions on one periodic box, with
kernels w and r of mass one, so they differ by at most half the range of Q times the L1 norm of w - r, and round-off.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from heatpg.boundaries import face_values
from heatpg.core.grid import Axis, Grid
from heatpg.solvers.covariance import conditional_deviations, monotone, padded_shape

__all__ = ["LARGEST_WINDOW", "SEED", "density_sums", "kernel_distance", "sample", "window_points"]

Array = NDArray[Any]

LARGEST_WINDOW = 2**26  # nodes: a bound on the time that one value may take
SEED = 2405_17832  # of the nodes at random: the number of the paper, and any other would do
_TAIL = 9.0  # standard deviations, as in the cross-check of independent axes
_LARGEST_LATTICE = 2**22  # nodes, 32 MiB
_SLAB_POINTS = 2**16  # half a mebibyte, which stays in cache
_NODES = {"standard": 36, "full": 400}  # compared at most; a matter of taste
_PRODUCTS = {"standard": 2**26, "full": 2**30}  # spent on them, which of wide noise allows fewer nodes
_FEWEST = 4  # whatever the window


def _radii(grid: Grid, covariance: Array) -> list[int]:
    return [
        math.ceil(_TAIL * math.sqrt(variance) / spacing) + 1
        for variance, spacing in zip(np.diagonal(covariance), grid.spacing, strict=True)
    ]


def window_points(grid: Grid, covariance: Array) -> int:
    """Number of nodes over which the density is summed, for one value of u.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.verify.correlated import window_points
    >>> grid = Grid(*(Axis(name, 0.0, 10.0, 11, boundary="clip") for name in "xy"))
    >>> window_points(grid, np.array([[4.0, 1.0], [1.0, 1.0]])) == (2 * 19 + 1) * (2 * 10 + 1)
    True
    """
    return math.prod(2 * radius + 1 for radius in _radii(grid, covariance))


def _density_slabs(grid: Grid, covariance: Array) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """The density without its factor, at the offsets of the window, some rows of the first axis at a time."""
    offsets = [np.arange(-r, r + 1) * h for r, h in zip(_radii(grid, covariance), grid.spacing, strict=True)]
    # with Sigma = L L^T the exponent is |L^-1 x|^2 / 2, and L^-1 x is had row by row
    lower = np.linalg.cholesky(covariance)
    rows = max(1, _SLAB_POINTS // math.prod(len(x) for x in offsets[1:]))
    for first in range(0, len(offsets[0]), rows):
        mesh = np.meshgrid(offsets[0][first : first + rows], *offsets[1:], indexing="ij", sparse=True)
        whitened: list[Array] = []
        for i, x in enumerate(mesh):
            whitened.append((x - sum(lower[i, j] * z for j, z in enumerate(whitened))) / lower[i, i])
        yield first, np.exp(-0.5 * np.asarray(sum(np.square(z) for z in whitened)))


def _continuation(axis: Axis, radius: int) -> NDArray[np.int64]:
    """Node at every position from -radius to size + radius - 1; outside, what `_with_outside` has put past the last."""
    nodes = np.arange(axis.size)
    if axis.boundary == "zero":
        return np.pad(nodes, radius, constant_values=axis.size)
    if axis.faced:
        return np.pad(nodes, radius, constant_values=(axis.size, axis.size + 1))
    return np.pad(nodes, radius, mode="wrap" if axis.rule.periodic else "edge")


def _with_outside(values: Array, grid: Grid) -> Array:
    """Past the end of each axis the values outside, where they are none of its nodes.

    One zero for each zero axis, whose vertex ends take the mean of both sides; the values on both walls for cells.
    """
    for along, axis in enumerate(grid, values.ndim - grid.dimensions):
        if axis.faced:
            values = np.concatenate((values, *face_values(values, along)), axis=along)
        if axis.boundary == "zero":
            share = np.ones(axis.size)
            if axis.nodes == "vertex":
                share[[0, -1]] = 0.5
            moved = np.moveaxis(values, along, -1) * share
            values = np.moveaxis(np.pad(moved, [(0, 0)] * (values.ndim - 1) + [(0, 1)]), -1, along)
    return values


def density_sums(
    values: Array, grid: Grid, covariance: NDArray[np.float64], places: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mean of Q under the sampled density, around some nodes.

    Parameters
    ----------
    values
        Q, shape (*batch, *grid.shape).
    grid
        Where it is sampled; every axis periodic, clip or zero.
    covariance
        Shape (dimensions, dimensions).
    places
        Index of each node in `values`, shape (count, values.ndim).

    Returns
    -------
    sums
        Shape (count,).

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.verify.correlated import density_sums
    >>> grid = Grid(*(Axis(name, 0.0, 2 * np.pi, 32, boundary="periodic") for name in "xy"))
    >>> x, y = grid.mesh()
    >>> u = density_sums(np.cos(x + y), grid, np.array([[0.3, -0.1], [-0.1, 0.2]]), np.array([[0, 0]]))
    >>> bool(abs(u[0] - np.exp(-0.5 * (0.3 - 0.2 + 0.2))) < 1e-14)
    True
    """
    first = values.ndim - grid.dimensions
    # the data of an entry are continued once, for all of its nodes
    entries, which = np.unique(places[:, :first], axis=0, return_inverse=True)
    sums = np.zeros(len(places))
    for number, entry in enumerate(entries):
        chosen = which.reshape(-1) == number
        sums[chosen] = _sums_of_one(values[tuple(entry)], grid, covariance, places[chosen, first:])
    return sums


def _sums_of_one(
    values: Array, grid: Grid, covariance: NDArray[np.float64], places: NDArray[np.int64]
) -> NDArray[np.float64]:
    """`density_sums` of one landscape of the batch."""
    radii = _radii(grid, covariance)
    *nodes, last = [_continuation(axis, radius) for axis, radius in zip(grid, radii, strict=True)]
    # continued along the last axis once and for all, so that what is gathered are whole rows
    values = np.take(_with_outside(values, grid), last, axis=-1)
    mass, sums = 0.0, np.zeros(len(places))
    # the density of a slab is made once and summed at every node
    for row, density in _density_slabs(grid, covariance):
        mass += float(density.sum())
        for number, place in enumerate(places):
            starts = [int(i) for i in place]
            starts[0] += row
            *spans, span = [slice(i, i + n) for i, n in zip(starts, density.shape, strict=True)]
            index: tuple[Any, ...] = (*np.ix_(*(node[s] for node, s in zip(nodes, spans, strict=True))), span)
            # not by BLAS, whose threads fight with ours over products as small as these
            sums[number] += float(np.einsum("i,i->", density.reshape(-1), values[index].reshape(-1)))
    return sums / mass


def _folded(kernel: Array, position: int, size: int) -> Array:
    """Wrap an axis of a kernel around a period."""
    moved = np.moveaxis(kernel, position, 0)
    result = np.zeros((size, *moved.shape[1:]))
    for start in range(0, len(moved), size):
        part = moved[start : start + size]
        result[: len(part)] += part
    return np.moveaxis(result, 0, position)


def _density_on(shape: tuple[int, ...], grid: Grid, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sampled density around node 0 of a periodic box, of mass one."""
    kernel = np.zeros(shape)
    for row, density in _density_slabs(grid, covariance):
        for position in range(1, len(shape)):
            density = _folded(density, position, shape[position])
        np.add.at(kernel, np.arange(row, row + len(density)) % shape[0], density)
    kernel /= kernel.sum()
    return np.roll(kernel, [-radius for radius in _radii(grid, covariance)], range(len(shape)))


def _symbol_on(shape: tuple[int, ...], grid: Grid, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(-k^T Sigma k / 2) at the wavenumbers of a periodic box; at Nyquist the mean over both signs."""
    lower = np.linalg.cholesky(covariance)
    # at the highest wave of an even number of nodes both signs are one; where the noise is not resolved there is
    # something left of it
    even = [i for i, n in enumerate(shape) if n % 2 == 0 and not monotone(grid, covariance)]
    total = np.zeros((*shape[:-1], shape[-1] // 2 + 1))
    for signs in itertools.product((1.0, -1.0), repeat=len(even)):
        turns = [np.fft.fftfreq(n) if i + 1 < len(shape) else np.fft.rfftfreq(n) for i, n in enumerate(shape)]
        for i, sign in zip(even, signs, strict=True):
            turns[i][shape[i] // 2] = 0.5 * sign
        waves = [2.0 * math.pi * turn / h for turn, h in zip(turns, grid.spacing, strict=True)]
        mesh = np.meshgrid(*waves, indexing="ij", sparse=True)
        squares = sum(np.square(sum(lower[j, i] * mesh[j] for j in range(i, len(mesh)))) for i in range(len(mesh)))
        total += np.exp(-0.5 * np.asarray(squares))
    return np.asarray(total / 2 ** len(even))


def kernel_distance(grid: Grid, covariance: NDArray[np.float64]) -> float:
    """L1 norm of the difference between the kernel of the solver and the sampled density; infinite where too large.

    It is taken on the box on which the solver works, or, if that is too large, on one that holds the window of the
    density. If that is too large as well, its number of nodes N times the largest difference of the symbols bounds the
    norm: 2 N (3^d - 1) exp(-pi^2 c^2 / (2 h^2)), from the nearest aliases, c the smallest conditional deviation.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.verify.correlated import kernel_distance
    >>> grid = Grid(*(Axis(name, 0.0, 63.0, 64, boundary="clip") for name in "xy"))
    >>> wide, narrow = np.array([[16.0, 8.0], [8.0, 16.0]]), np.array([[1.0, 0.5], [0.5, 1.0]])
    >>> kernel_distance(grid, wide) < 1e-13, 1e-3 < kernel_distance(grid, narrow) < 1e-1
    (True, True)
    """
    shape = padded_shape(grid, covariance)
    resolved = monotone(grid, covariance)
    # resolved noise has no wave that a smaller box would alias
    if resolved and math.prod(shape) > _LARGEST_LATTICE:
        shape = tuple(scipy.fft.next_fast_len(2 * radius + 2, real=True) for radius in _radii(grid, covariance))
    if math.prod(shape) <= _LARGEST_LATTICE:
        difference = _symbol_on(shape, grid, covariance) - scipy.fft.rfftn(_density_on(shape, grid, covariance))
        return float(np.abs(scipy.fft.irfftn(difference, s=shape)).sum())
    if not resolved:
        return math.inf
    # too large for any lattice: the bound from the nearest aliases alone
    ratio = float((conditional_deviations(covariance) / np.array(grid.spacing)).min())
    aliases = 2.0 * (3**grid.dimensions - 1) * math.exp(-0.5 * (math.pi * ratio) ** 2)
    return float(math.prod(shape) * aliases)


def sample(fields: Array, values: Array, grid: Grid, level: str, window: int) -> NDArray[np.int64]:
    """Nodes to compare: optimum of Q and of u, worst curvature, two corners, and random ones; fewer for wide noise.

    Parameters
    ----------
    fields, values
        u at one covariance, and Q, both of shape (*batch, *grid.shape).
    grid
        The grid.
    level
        ``standard`` or ``full``.
    window
        Nodes that are summed over for each.

    Returns
    -------
    places
        Shape (count, values.ndim), without repetitions.
    """
    count = min(values.size, _NODES[level], max(_FEWEST, _PRODUCTS[level] // window))
    chosen = [int(fields.argmax()), int(values.argmax()), int(values.argmin()), 0, values.size - 1]
    for along in range(values.ndim - grid.dimensions, values.ndim):
        second = np.abs(np.diff(values, n=2, axis=along))
        index = [int(i) for i in np.unravel_index(int(second.argmax()), second.shape)]
        # the middle one of three nodes
        index[along] += 1
        chosen.append(int(np.ravel_multi_index(tuple(index), values.shape)))
    generator = np.random.default_rng(SEED)
    flat = list(dict.fromkeys([*chosen, *(int(i) for i in generator.choice(values.size, size=count, replace=False))]))[
        :count
    ]
    return np.stack(np.unravel_index(np.array(flat), values.shape), axis=-1)
