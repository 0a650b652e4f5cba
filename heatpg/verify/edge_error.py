"""How far u is off at the edge of the box, against polynomials that are integrated up to the walls.

The cross-check continues the samples of Q as the solvers do, and shares with them what a sum over nodes does not see of
Q next to a wall. Here Q itself is continued: through every six neighbouring nodes goes a polynomial, one-sided at the
ends, and each is integrated against the Gaussian by Gauss-Legendre quadrature, cell by cell up to the wall; beyond it
stands what the boundary says. That is of order 6 in h for smooth Q at every sigma, boundary and placement of nodes,
where no solver is better than 5. Its weights are not positive, and need not be.

With polynomials through five nodes instead, of order 5, the difference of both is a bound on the error of the first
where Q is smooth. Where that is neither small beside what was found nor beside the range of Q, Q is too rough at the
edge, and nothing is said.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from heatpg.core.grid import Axis, Grid
from heatpg.core.noise import sigma_words
from heatpg.core.report import Check, Place
from heatpg.evolution import Evolution
from heatpg.solvers import wide
from heatpg.tools.sums import along_axis, product
from heatpg.verify import checks
from heatpg.verify.crosscheck import Roughness, expected_error, extended, rows_of_axes, stated_walls
from heatpg.verify.silence import Scale, bound_source, unless_silent

__all__ = ["LARGE", "edge_error", "polynomial_rows"]

Array = NDArray[Any]

LARGE = 1e-3  # of osc(Q): from here on the error at the edge is a finding; a matter of taste

_NODES = 6  # that a polynomial goes through
_FEWER = 5
_TAIL = 9.0  # standard deviations: 2e-19 of the noise goes further
_UNIFORM = 1.6  # periods of the continued line: as uniform as infinitely many, exp(-2 pi^2 1.6^2) = 1e-22 is left
_POINTS = 12  # of Gauss-Legendre on half a sigma: a Gaussian times a polynomial of degree 5 to round-off
_CELLS = 4096  # integrated at once: some megabytes
_WEIGHTS = 2**18  # in the rows of one piece: 2 MiB, so the rows of a long axis are made and used one by one
_TOLD = 0.1  # of the error that was found, or a tenth of `LARGE`: by so much may two references differ; a taste


def _lagrange(nodes: Array, x: Array) -> Array:
    """Values at x, shape (points,), of the polynomials that are 1 at one of the nodes, shape (points, count).

    Nodes are one apart.
    """
    count = nodes.shape[1]
    apart = np.ascontiguousarray((x[:, None] - nodes).T)
    result = np.ones((count, len(x)))
    for i in range(count):
        for j in range(count):
            if i != j:
                result[i] *= apart[j] / (i - j)
    return result.T


# made anew it is half of the time of the whole check
_legendre = functools.cache(np.polynomial.legendre.leggauss)


def _window(axis: Axis, centre: float, ratio: float, count: int) -> NDArray[np.float64]:
    """Weights of the nodes in the integral, over the box, of Q against the Gaussian about a place; in spacings."""
    size, half = axis.size, 0.5 if axis.nodes == "cell" else 0.0
    length = size - 1 + 2 * half if not axis.rule.periodic else size
    result = np.zeros(size)
    low, high = max(0.0, centre - _TAIL * ratio), min(float(length), centre + _TAIL * ratio)
    if low >= high:
        return result
    # between neighbouring nodes, or up to the walls, there is one polynomial
    points, masses = _legendre(_POINTS)
    first, last = math.floor(low - half), math.ceil(high - half)
    for begin in range(first, last, _CELLS):
        cells = np.arange(begin, min(begin + _CELLS, last))
        left, right = np.maximum(cells + half, low), np.minimum(cells + 1.0 + half, high)
        cells, left, right = cells[right > left], left[right > left], right[right > left]
        pieces = math.ceil(2.0 * float((right - left).max()) / ratio) if len(cells) else 1
        width = (right - left) / pieces
        start = cells - (count - 1) // 2
        if not axis.rule.periodic:
            start = np.clip(start, 0, size - count)
        number = start[:, None] + np.arange(count)
        for piece in range(pieces):
            y = left[:, None] + width[:, None] * (piece + 0.5 * (points + 1.0))
            z = (y - centre) / ratio
            mass = 0.5 * width[:, None] * masses * np.exp(-0.5 * z * z) / (ratio * math.sqrt(2.0 * math.pi))
            places = np.repeat(number + half, len(points), axis=0)
            weights = (_lagrange(places, y.ravel()) * mass.reshape(-1, 1)).reshape(len(cells), len(points), count)
            np.add.at(result, number % size, weights.sum(axis=1))
    return result


def _wall(axis: Axis, count: int) -> NDArray[np.float64]:
    """Weights of the first nodes in the value on the lower wall; turned over, of the last in that on the upper."""
    if axis.nodes == "cell":
        return np.asarray(_lagrange(np.arange(count)[None, :] + 0.5, np.zeros(1))[0])
    return np.ones(1)


def _with_walls(rows: Array, wall: NDArray[np.float64], lower: Array, upper: Array, stated: bool) -> Array:
    """Every row with so much of the value on either wall, of which the nodes next to it say what it is.

    Where it is stated it has a column of its own, before the first and after the last.
    """
    if stated:
        return np.column_stack([lower, rows, upper])
    rows[:, : len(wall)] += np.multiply.outer(lower, wall)
    rows[:, -len(wall) :] += np.multiply.outer(upper, wall[::-1])
    return rows


def _rows(axis: Axis, sigma: float, nodes: NDArray[np.int64], count: int, stated: bool) -> NDArray[np.float64]:
    size, half = axis.size, 0.5 if axis.nodes == "cell" else 0.0
    count = min(count, size)
    length = float(size if axis.rule.periodic or half else size - 1)
    place = nodes + half
    result = np.zeros((len(nodes), size))
    ratio = sigma / axis.spacing
    if axis.rule.free_space:
        for row, x in zip(result, place, strict=True):
            row += _window(axis, float(x), ratio, count)
        if axis.boundary == "clip":
            walls = ndtr(-place / ratio), ndtr((place - length) / ratio)
            result = _with_walls(result, _wall(axis, count), *walls, stated)
        return result
    period = length if axis.rule.periodic else 2.0 * length
    ratio = min(ratio, _UNIFORM * period)
    most = math.ceil((_TAIL * ratio + length) / period)
    for row, x in zip(result, place, strict=True):
        for image in range(-most, most + 1):
            row += _window(axis, float(x) + image * period, ratio, count)
            if not axis.rule.periodic:
                sign = -1.0 if axis.rule.holds_ends else 1.0
                row += sign * _window(axis, image * period - float(x), ratio, count)
    if axis.rule.holds_ends:
        # relative to the chord between the walls, which no noise changes
        share, inside = place / length, (np.arange(size) + half) / length
        # what the rows say of the chord is two numbers each: the chord as a matrix would be the square of the axis
        low, high = product(result, np.column_stack((1.0 - inside, inside))).T
        result = _with_walls(result, _wall(axis, count), 1.0 - share - low, share - high, stated)
    return result


def polynomial_rows(
    axis: Axis, sigma: float, nodes: NDArray[np.int64], count: int = _NODES, *, stated: bool = False
) -> NDArray[np.float64]:
    """Weights of the nodes for u at some of them, of the polynomials through `count` neighbouring nodes.

    Parameters
    ----------
    axis
        The axis, with its boundary.
    sigma
        Noise level along it.
    nodes
        Which nodes.
    count
        Through how many nodes a polynomial goes.
    stated
        Whether the values on the walls are stated: they then have the first and the last column.

    Returns
    -------
    rows
        Shape (len(nodes), axis.size), or two columns more.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis
    >>> from heatpg.verify.edge_error import polynomial_rows
    >>> axis = Axis("x", -1.0, 1.0, 41, boundary="clip")
    >>> q = np.exp(0.7 * axis.coordinates) + 0.3 * np.sin(2.0 * axis.coordinates)
    >>> u = polynomial_rows(axis, 0.15, np.array([40])) @ q
    >>> bool(abs(float(u[0]) - 2.215942697501633) < 1e-9)
    True
    """
    if sigma == 0.0:
        result = np.zeros((len(nodes), axis.size))
        result[np.arange(len(nodes)), nodes] = 1.0
        return np.pad(result, ((0, 0), (1, 1))) if stated else result
    return _rows(axis, sigma, nodes, count, stated)


def _nodes(axis: Axis, sigma: float, others: set[int]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Nodes of an axis that are checked, and which of them are at a wall."""
    last = axis.size - 1
    walls = set()
    if sigma > 0.0 and not axis.rule.periodic:
        # the nodes next to a wall, and those up to two standard deviations from it
        far = {min(round(share * sigma / axis.spacing), last // 2) for share in (0.5, 1.0, 1.5, 2.0)}
        walls = {i for near in {0, 1, *far} for i in (near, last - near)}
    chosen = np.array(sorted(walls | others | {last // 2}))
    return chosen, np.isin(chosen, sorted(walls))


def _at(
    values: Array, grid: Grid, nodes: list[NDArray[np.int64]], rows: list[Callable[[NDArray[np.int64]], Array]]
) -> NDArray[np.float64]:
    """The sums at the product of some nodes of every axis; of each axis a function gives the rows of its nodes."""
    first = values.ndim - grid.dimensions
    for along, (axis, chosen, made) in enumerate(zip(grid, nodes, rows, strict=True), first):
        # all rows of a long axis at once would be larger than the field
        step = max(1, _WEIGHTS // axis.size)
        pieces = [
            along_axis(made(chosen[start : start + step]), values, along) for start in range(0, len(chosen), step)
        ]
        values = np.concatenate(pieces, axis=along)
    return np.asarray(values)


@checks.register("edge")
def edge_error(evolution: Evolution, level: str = "standard") -> list[Check]:
    """Estimate the error of u next to the walls of the box.

    Parameters
    ----------
    evolution
        Evolution to check.
    level
        At ``full``; no entry at ``standard``, because it costs as much as the standard cross-check twice over.

    Returns
    -------
    entries
        One entry, or none where there is no wall: the largest error at the nodes next to the walls over all sigmas, in
        units of osc(Q). Its bound is what the scheme may be off by there: what lies between the sum that it takes and
        the integral, and its own distance from that sum. ``finding`` where the error is more than a thousandth;
        ``silent``, and without a number, if Q is too rough at the edge to decide.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.evolution import solve
    >>> from heatpg.verify.edge_error import edge_error
    >>> grid = Grid(Axis("x", -1.0, 1.0, 41, boundary="clip"))
    >>> q = Landscape.from_function(lambda x: np.exp(0.7 * x) + 0.3 * np.sin(2.0 * x), grid)
    >>> for solver in ("direct", "implicit"):
    ...     check, = edge_error(solve(q, 0.15, solver), "full")
    ...     print(f"{check.status} {check.figure:.0e}")
    passed 4e-08
    passed 5e-04
    """
    grid = evolution.grid
    walled = [not axis.rule.periodic for axis in grid]
    if level != "full" or not any(walled) or not (evolution.sigmas[:, walled] > 0).any():
        return []
    if evolution.covariance is not None:
        return [
            Check(
                "edge",
                "silent",
                "the error at the edge is not checked: correlated noise does not factor over the axes",
            )
        ]
    initial = extended(evolution.landscape)
    flat = evolution.landscape.values.reshape(-1, grid.size)[0]
    extremes = [np.unravel_index(int(place), grid.shape) for place in (flat.argmax(), flat.argmin())]
    cache: dict[tuple[int, bool], Roughness] = {}
    # of every sigma: what was found, its uncertainty, the bound, and where; all in units of Q
    found: list[tuple[float, float, float, Place]] = []
    for k, sigmas in enumerate(evolution.sigmas):
        chosen = [
            _nodes(axis, float(sigma), {int(index[i]) for index in extremes})
            for i, (axis, sigma) in enumerate(zip(grid, sigmas, strict=True))
        ]
        nodes = [places for places, _ in chosen]
        near = functools.reduce(np.logical_or.outer, [at_wall for _, at_wall in chosen])
        if not near.any():
            continue
        field = evolution.values[k][(..., *np.ix_(*nodes))].astype(np.float64)
        stated = stated_walls(evolution, k)
        better, less = (
            _at(
                initial,
                grid,
                nodes,
                [
                    functools.partial(polynomial_rows, axis, float(sigma), count=count, stated=i in stated)
                    for i, (axis, sigma) in enumerate(zip(grid, sigmas, strict=True))
                ],
            )
            for count in (_NODES, _FEWER)
        )
        summed = _at(
            initial,
            grid,
            nodes,
            rows_of_axes(evolution, k),
        )
        allowed = expected_error(evolution, k, cache)
        error = np.where(near, np.abs(field - better), 0.0)
        # Fails exactly where u is further from the sum that it should be than the scheme allows.
        excess = np.where(near, error - np.abs(summed - better), -math.inf)
        worst = int(excess.argmax()) if excess.max() > allowed else int(error.argmax())
        index = np.unravel_index(worst, error.shape)
        first = error.ndim - grid.dimensions
        place = (*(int(i) for i in index[:first]), *(int(n[i]) for n, i in zip(nodes, index[first:], strict=True)))
        found.append(
            (
                float(error[index]),
                float(np.abs(better - less)[np.broadcast_to(near, error.shape)].max()),
                float(np.abs(summed - better)[index]) + allowed,
                Place(k, place, grid.point(place[first:])),
            )
        )
    check = _entry(evolution, found)
    return [unless_silent(check, evolution, [(where.sigma, bound) for _, _, bound, where in found])]


def _rounding(evolution: Evolution, k: int) -> float:
    """Round-off of u, in the units of Q; see `heatpg.verify.crosscheck.expected_error`."""
    values = evolution.landscape.values
    kind = np.finfo(values.dtype)
    unit = max(float(kind.eps) * float(np.abs(values).max()), float(kind.smallest_subnormal))
    paths = zip(evolution.grid, evolution.paths[k], strict=True)
    return evolution.value_error + 2.0 * unit * sum(wide.rounding(evolution.solver, axis, path) for axis, path in paths)


def _entry(evolution: Evolution, found: list[tuple[float, float, float, Place]]) -> Check:
    """The level that fails, or else the one with the largest error."""
    error, uncertain, bound, where = max(found, key=lambda entry: (entry[0] > entry[2], entry[0]))
    scale = Scale.of(evolution)
    sigma = f"sigma={sigma_words(evolution.sigma[where.sigma])}"
    figures = (
        error / scale.size,
        bound / scale.size,
        bound_source("what a sum over nodes misses, and the scheme", evolution),
        where,
    )
    if error > bound:
        return Check(
            "edge", "failed", f"the error of u at the edge exceeds the bound of this solver at {sigma}", *figures
        )
    large = LARGE * scale.size + _rounding(evolution, where.sigma)
    if uncertain > max(_TOLD * error, 0.1 * large):
        return Check(
            "edge",
            "silent",
            f"the error of u at the edge is unknown: Q is too rough there at {sigma}; polynomials through five and six "
            f"nodes differ by {uncertain / scale.size:.2g} of {scale.words}",
            where=where,
        )
    # the number and its bound in one sentence; they are equal where the scheme adds nothing to what the nodes miss
    words = f"at the edge u is off by about {error / scale.size:.3g} of {scale.words}"
    if f"{error / scale.size:.3g}" == f"{bound / scale.size:.3g}":
        words += ", because Q there is known only at its nodes"
    else:
        words += f"; this solver may be off by {bound / scale.size:.3g} there"
    if error > large:
        return Check("edge", "finding", f"{words}. At {sigma}: sample Q more finely at the edge", *figures)
    return Check("edge", "passed", words, *figures)
