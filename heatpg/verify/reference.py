"""The reference along one axis: the data continued with ``numpy.pad`` and summed against the Gaussian.

It shares no code with the solvers. For sigma >= h it is the trapezoid rule, below that seven weights with the first
moments of a Gaussian, or as many as they can have without a negative one. Where the values on the walls of an axis are
stated they have columns of their own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc, ndtr

from heatpg.core.grid import Axis
from heatpg.errors import UnsupportedError
from heatpg.tools.sums import dot
from heatpg.verify.edge import added_rows, narrow_reference

__all__ = [
    "continued",
    "exact_walls",
    "face_rows",
    "line_weights",
    "reference_rows",
    "reference_weights",
    "rows_and_walls",
    "rows_of_several",
    "stated_rows",
]

Array = NDArray[Any]

_TAIL = 9.0  # standard deviations: 2e-19 of the noise goes further, below any rounding
# periods of the continued line: as uniform as infinitely many, since exp(-2 pi^2 1.6^2) = 1e-22 of the longest wave is
# left
_UNIFORM = 1.6
_SHORT = 64  # nodes: the matrix of a shorter axis is kept, up to 32 KiB each; a taste
_WIDE = 8.0  # lengths of a box in free space: from here on the series of `_wide_weights` is exact to round-off
# how numpy.pad continues the data as each boundary says; along absorb with the turned-over sign that is told apart
# below
_PAD: dict[str, Literal["wrap", "reflect", "symmetric", "edge"]] = {
    "periodic": "wrap",
    "reflect-vertex": "reflect",
    "reflect-cell": "symmetric",
    "absorb": "reflect",
    "clip": "edge",
    "zero": "edge",
}


def _pad_mode(axis: Axis) -> Literal["wrap", "reflect", "symmetric", "edge"]:
    kind = axis.boundary if axis.boundary != "reflect" else f"reflect-{axis.nodes}"
    if kind not in _PAD:
        raise UnsupportedError(
            "the cross-check does not support this boundary condition",
            given=f"boundary={axis.boundary!r} along {axis.name!r}",
            allowed=", ".join(sorted({name.split("-")[0] for name in _PAD})),
            advice="evolve with checks='none'",
        )
    return _PAD[kind]


@functools.lru_cache(maxsize=512)
def reference_weights(spacing: float, sigma: float) -> NDArray[np.float64]:
    """Weights of the reference on an unbounded line, for offsets -m ... m; they sum to one.

    Examples
    --------
    >>> from heatpg.verify.reference import reference_weights
    >>> weights = reference_weights(1.0, 2.0)
    >>> len(weights), round(float(weights.sum()), 12)
    (39, 1.0)
    """
    # the trapezoid rule on a Gaussian is exact to 2 exp(-2 pi^2 (sigma / h)^2), 5e-9 at sigma = h
    if sigma >= spacing:
        radius = math.ceil(_TAIL * sigma / spacing) + 1
        offsets = np.arange(-radius, radius + 1) * spacing
        density = np.exp(-0.5 * np.square(offsets / sigma))
        return np.asarray(density / math.fsum(density))
    return narrow_reference(sigma / spacing)


def _wide_weights(size: int, spacing: float, sigma: float) -> NDArray[np.float64]:
    """Weights for offsets -size ... size where the noise is far wider than the box: all beyond stand at the ends.

    The sum of samples beyond the last is an integral by the midpoint rule, with the first terms of its error: in units
    of sigma, at z and for samples e apart, Phi(-z) - e^2 g z / 24 + 7 e^4 g (z^3 - 3 z) / 5760
    - 31 e^6 g (z^5 - 10 z^3 + 15 z) / 967680, g the normal density. For e <= 1/16 the next one is below 1e-15.
    """
    step = spacing / sigma
    weights = step / math.sqrt(2.0 * math.pi) * np.exp(-0.5 * np.square(step * np.arange(-size, size + 1)))
    z = (size - 0.5) * step
    density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    weights[[0, -1]] = (
        float(ndtr(-z))
        - step**2 * density * z / 24.0
        + 7.0 * step**4 * density * (z**3 - 3.0 * z) / 5760.0
        - 31.0 * step**6 * density * (z**5 - 10.0 * z**3 + 15.0 * z) / 967680.0
    )
    return np.asarray(weights / math.fsum(weights))


@functools.lru_cache(maxsize=64)
def line_weights(axis: Axis, sigma: float) -> NDArray[np.float64]:
    """Weights of the reference along an axis for offsets -m ... m, each node of the continued line taken once.

    Beyond its own length from a node, a line in free space is constant, and all weights out there stand at that
    distance; other lines repeat after their period.
    """
    size, spacing = axis.size, axis.spacing
    period = size if axis.rule.periodic else 2 * size - (0 if axis.nodes == "cell" else 2)
    if axis.rule.free_space:
        if sigma > _WIDE * size * spacing:
            return _wide_weights(size, spacing, sigma)
        half = size
    else:
        sigma = min(sigma, _UNIFORM * period * spacing)
        half = (period + 1) // 2
    weights = reference_weights(spacing, sigma)
    radius = len(weights) // 2
    if radius <= half:
        return weights
    offset = np.arange(-radius, radius + 1)
    if axis.rule.free_space:
        place = np.clip(offset, -half, half)
    else:
        # to the nearest image, and to the one on the same side where two are as near: so the weights stay even, and a
        # chord stays what it is
        place = np.sign(offset) * ((np.abs(offset) + period // 2) % period - period // 2)
    folded = np.bincount(place + half, weights=weights, minlength=2 * half + 1)
    return np.asarray(0.5 * (folded + folded[::-1]))


def _continued_index(axis: Axis, before: int) -> NDArray[np.int64]:
    nodes = np.arange(axis.size)
    return np.asarray(np.pad(nodes, before, mode=_pad_mode(axis)))


def reference_rows(axis: Axis, sigma: float, rows: NDArray[np.int64], corrected: bool = False) -> NDArray[np.float64]:
    """Rows of the reference as a matrix on the nodes of an axis.

    Parameters
    ----------
    axis
        The axis, with its boundary.
    sigma
        Noise level along it.
    rows
        Which nodes.
    corrected
        Whether the ends are corrected, see `heatpg.verify.edge.corrects_ends`.

    Returns
    -------
    matrix
        Shape (len(rows), axis.size).
    """
    # the same short axis comes again and again, in a batch of many tasks above all
    if axis.size <= _SHORT:
        return _whole(axis, sigma, corrected)[rows]
    return _rows(axis, sigma, rows, corrected)


def rows_of_several(axes: Sequence[tuple[Axis, float, NDArray[np.int64], bool]]) -> list[NDArray[np.float64]]:
    """`reference_rows` of several axes, each with its sigma, rows and whether its ends are corrected.

    Axes that differ in their place alone have the same rows, which are made for all of them at once.
    """
    keys = [(axis.length, axis.size, axis.boundary, axis.nodes, sigma, ends) for axis, sigma, _, ends in axes]
    made: dict[tuple[object, ...], tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
    result = []
    for key, (axis, sigma, rows, ends) in zip(keys, axes, strict=True):
        # all rows of a short axis are kept, and those of a single one are not asked for twice
        if axis.size <= _SHORT or keys.count(key) == 1:
            result.append(reference_rows(axis, sigma, rows, ends))
            continue
        if key not in made:
            every = np.unique(np.concatenate([each[2] for each, its in zip(axes, keys, strict=True) if its == key]))
            made[key] = every, reference_rows(axis, sigma, every, ends)
        every, matrix = made[key]
        result.append(matrix[np.searchsorted(every, rows)])
    return result


@functools.lru_cache(maxsize=64)
def _whole(axis: Axis, sigma: float, corrected: bool) -> NDArray[np.float64]:
    return _rows(axis, sigma, np.arange(axis.size), corrected)


def _rows(axis: Axis, sigma: float, rows: NDArray[np.int64], corrected: bool) -> NDArray[np.float64]:
    size = axis.size
    result = np.zeros((len(rows), size))
    if sigma == 0.0:
        result[np.arange(len(rows)), rows] = 1.0
        return result
    weights = line_weights(axis, sigma)
    if axis.faced:
        added = added_rows(axis, sigma, rows) if corrected and sigma >= axis.spacing else 0.0
        result, walls = rows_and_walls(axis, weights, rows)
        _add_walls(result, walls)
        result += added
        return result
    radius = len(weights) // 2
    node = _continued_index(axis, radius)
    position = np.arange(-radius, size + radius)
    factor = np.ones(len(node))
    if axis.boundary == "zero":
        factor = np.where((position < 0) | (position >= size), 0.0, 1.0)
        if axis.nodes == "vertex":
            factor[(position == 0) | (position == size - 1)] = 0.5
    if axis.boundary == "absorb":
        # odd about both ends: every second stretch of length n - 1 is turned over about the chord
        factor = np.where((position // (size - 1)) % 2 == 0, 1.0, -1.0)
        factor[position % (size - 1) == 0] = 0.0
    for i, row in enumerate(rows):
        window = slice(int(row), int(row) + len(weights))
        mass = weights * factor[window]
        # many positions of the continued line lead to one node: their weights add up there
        result[i] = np.bincount(node[window], weights=mass, minlength=size)
        if axis.boundary == "absorb":
            share = position[window] / (size - 1)
            inside = node[window] / (size - 1)
            # the chord: its value at every position, less what the folded nodes say of it already, falls to the two
            # ends
            high = dot(weights, share) - dot(mass, inside)
            result[i, -1] += high
            result[i, 0] += float(weights.sum() - mass.sum()) - high
    if corrected:
        result += added_rows(axis, sigma, rows)
    return result


def face_rows(size: int) -> NDArray[np.float64]:
    """The values on both walls by the cells of a line, of the polynomial through four of them; shape (2, size)."""
    count = min(4, size)
    # weights that give the value at 0 of every power, from its values at the centres
    powers = np.vander(np.arange(count) + 0.5, increasing=True).T
    near = np.linalg.solve(powers, np.eye(count)[0])
    result = np.zeros((2, size))
    result[0, :count], result[1, size - count :] = near, near[::-1]
    return result


def _add_walls(rows: NDArray[np.float64], walls: NDArray[np.float64]) -> None:
    """Add so much of the value on either wall to every row, as the four cells next to it say."""
    faces = face_rows(min(rows.shape[1], 4))
    count = faces.shape[1]
    # in place, because the rows of a long axis are larger than the field
    rows[:, :count] += np.multiply.outer(walls[:, 0], faces[0])
    rows[:, -count:] += np.multiply.outer(walls[:, 1], faces[1])


def rows_and_walls(
    axis: Axis, weights: NDArray[np.float64], rows: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows of a line of cells on whose walls the values count, and what the two walls have in each, (rows, 2)."""
    size, radius = axis.size, len(weights) // 2
    position = np.arange(-radius, size + radius)
    result, walls = np.zeros((len(rows), size)), np.zeros((len(rows), 2))
    for i, row in enumerate(rows):
        window = slice(int(row), int(row) + len(weights))
        place = position[window]
        if axis.boundary == "clip":
            inside = (place >= 0) & (place < size)
            result[i, place[inside]] = weights[inside]
            walls[i] = weights[place < 0].sum(), weights[place >= size].sum()
            continue
        # relative to the chord between the walls: odd about them, every second stretch turned over
        turned = place % (2 * size)
        node, sign = np.where(turned < size, turned, 2 * size - 1 - turned), np.where(turned < size, 1.0, -1.0)
        mass = weights * sign
        result[i] = np.bincount(node, weights=mass, minlength=size)
        high = (dot(weights, place + 0.5) - dot(mass, node + 0.5)) / size
        walls[i] = float(weights.sum() - mass.sum()) - high, high
    return result, walls


def exact_walls(axis: Axis, sigma: float, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """What 1 on the lower and on the upper wall adds to u under the continuous flow, shape (len(rows), 2)."""
    length = axis.length
    x = (rows + 0.5) / axis.size * length
    # twice the mass beyond a wall and all of its images; from a period of noise on it is the chord
    if axis.rule.free_space:
        return 0.5 * np.stack([erfc(x / (sigma * math.sqrt(2.0))), erfc((length - x) / (sigma * math.sqrt(2.0)))], 1)
    result = np.stack([1.0 - x / length, x / length], axis=1)
    if sigma > 2.0 * _UNIFORM * length:
        return result
    result[:] = 0.0
    for image in range(math.ceil(_TAIL * sigma / (2.0 * length)) + 1):
        for column, place in enumerate((x, length - x)):
            near, far = 2.0 * image * length + place, 2.0 * (image + 1) * length - place
            result[:, column] += erfc(near / (sigma * math.sqrt(2.0))) - erfc(far / (sigma * math.sqrt(2.0)))
    return result


def stated_rows(axis: Axis, sigma: float, corrected: bool, exact: bool, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """`reference_rows` where values on the walls are stated: they have the first and the last column.

    What a wall adds is that of the continuous flow (`exact`), or what the sum of samples makes of a jump.
    """
    inside = reference_rows(axis, sigma, rows, corrected)
    if sigma == 0.0:
        return np.pad(inside, ((0, 0), (1, 1)))
    if exact:
        walls = exact_walls(axis, sigma, rows)
    else:
        _, walls = rows_and_walls(axis, line_weights(axis, sigma), rows)
    _add_walls(inside, -walls)  # without what the cells would say of them
    return np.column_stack([walls[:, 0], inside, walls[:, 1]])


def continued(values: Array, axis: Axis, radius: int, along: int, told: tuple[Array, Array] | None = None) -> Array:
    """The data and so many nodes beyond either end, with what is told of the walls or what the cells say of them."""
    if axis.faced:
        return _continued_with_faces(values, axis, radius, along, told)
    widths = [(0, 0)] * values.ndim
    widths[along] = (radius, radius)
    if axis.boundary == "absorb":
        return np.pad(values, widths, mode="reflect", reflect_type="odd")
    if axis.boundary == "zero":
        share = np.ones(axis.size)
        if axis.nodes == "vertex":
            share[[0, -1]] = 0.5
        shape = [1] * values.ndim
        shape[along] = -1
        return np.pad(values * share.reshape(shape), widths)
    return np.pad(values, widths, mode=_pad_mode(axis))


def _continued_with_faces(
    values: Array, axis: Axis, radius: int, along: int, told: tuple[Array, Array] | None
) -> Array:
    lines = np.moveaxis(values, along, -1)
    widths = [(0, 0)] * (values.ndim - 1) + [(radius, radius)]
    if told is None:
        lower, upper = (np.tensordot(lines, row, axes=1)[..., None] for row in face_rows(axis.size))
    else:
        lower, upper = (np.moveaxis(side, along, -1) for side in told)
    place = np.arange(-radius, axis.size + radius)
    if axis.boundary == "clip":
        result = np.where(place < 0, lower, np.where(place < axis.size, np.pad(lines, widths), upper))
    else:
        chord = lower + (upper - lower) * ((place + 0.5) / axis.size)
        rest = np.pad(lines - chord[..., radius : radius + axis.size], widths, mode="symmetric")
        result = chord + np.where((place // axis.size) % 2 == 0, rest, -rest)
    return np.moveaxis(result, -1, along)
