"""An independent Gaussian convolution, and the bound that theory puts on the distance of a solver from it.

The reference is in `heatpg.verify.reference`, on a line; here it is taken along all axes, and compared.

The bound. Along one axis solver and reference are convolutions on the continued line, with kernels w and r whose
symbols are known. So for every m the error is at most max|D^m Q| ||g_m||_1, where D is the central difference and g_m
has the symbol (w^ - r^) / (2 i sin(k h / 2))^m; m = 0 with half the range of Q in place of its maximum. The least of
m = 0, 2, 4 is taken, and the axes are added up: each of them meets data that the others have only smoothed.

Where a solver corrects the ends of the box (`Solver.end_nodes`, and below sigma = h `Solver.holds_slopes`) so does the
reference, by its own account of them (`heatpg.verify.edge`). A solver that takes the correction from its own operator
differs there by as much as the two kernels do on a kink, times the jumps of the data.

Correlated noise does not factor over the axes; what it is compared with is in `heatpg.verify.correlated`.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.boundaries import face_values
from heatpg.core.faces import Faces
from heatpg.core.grid import Axis, Grid
from heatpg.core.kinks import period_of
from heatpg.core.landscape import Landscape
from heatpg.core.noise import sigma_words
from heatpg.core.report import Check, Place
from heatpg.core.walls import extremes, magnitude, whole_range
from heatpg.evolution import Evolution
from heatpg.solvers import Solver, wide
from heatpg.solvers.lines import part
from heatpg.solvers.stated import takes_exact_columns
from heatpg.store.record import Record
from heatpg.tools.sums import along_axis, sums_over_windows
from heatpg.verify import checks
from heatpg.verify.correlated import LARGEST_WINDOW, SEED, density_sums, kernel_distance, sample, window_points
from heatpg.verify.edge import added_rows, corrects_ends, end_weights, kinks, largest_jumps
from heatpg.verify.reference import (
    continued,
    exact_walls,
    face_rows,
    line_weights,
    reference_rows,
    reference_weights,
    rows_and_walls,
    rows_of_several,
    stated_rows,
)
from heatpg.verify.silence import Scale, bound_source, unless_silent

__all__ = [
    "POINTS",
    "Roughness",
    "crosscheck",
    "expected_error",
    "extended",
    "rows_of_axes",
    "stated_walls",
]

Array = NDArray[Any]

POINTS = 200  # nodes of a standard check, in all; enough to meet every part of a field, and cheap; a matter of taste
_WIDEST_MATRIX = 2048  # nodes of an axis: beyond, a matrix of rows costs more than a convolution
_PIECE = 2**16  # numbers that are worked on at once: half a megabyte, which a second-level cache holds
_ROWS = 4096  # nodes of a long axis whose ends are corrected at once: half a megabyte, a taste
_KINK = 4.0  # spacings over which a kink is smoothed, as wide as the grid still shows without any aliasing
_ALIKE = 3.0  # spacings of sigma beyond which kernels of the continuous flow differ by less than rounding on a kink
_LONGEST_KERNEL = 2**22  # 32 MiB: so far kernels are compared


def _kernel_difference(solver: Solver, axis: Axis, path: tuple[float, ...]) -> tuple[Array, Array]:
    """Angles of a long circle, and the symbol of the solver less that of the reference there."""
    reference = reference_weights(axis.spacing, math.sqrt(path[-1]))
    radius = len(reference) // 2
    # long enough that neither kernel wraps around onto itself, nor a kink of `KINK` spacings
    length = 1 << math.ceil(math.log2(4 * max(radius, solver.reach(axis, path), 64)))
    length = min(length, _LONGEST_KERNEL)
    kernel = np.zeros(length)
    np.add.at(kernel, np.arange(-radius, radius + 1) % length, reference)
    angle = 2.0 * math.pi * np.arange(length // 2 + 1) / length
    return angle, np.asarray(solver.symbol(angle, axis, path)) - np.fft.rfft(kernel)


def _difference_norms(solver: Solver, axis: Axis, path: tuple[float, ...]) -> tuple[float, float, float]:
    """||g_m||_1 for m = 0, 2, 4; see the top of this file."""
    angle, difference = _kernel_difference(solver, axis, path)
    length = 2 * (len(angle) - 1)
    norms = [float(np.abs(np.fft.irfft(difference, length)).sum())]
    lowered = (2.0 * np.sin(0.5 * angle)) ** 2
    for power in (1, 2):
        quotient = np.zeros_like(difference)
        # g_m has the symbol of the difference over that of m central differences
        quotient[1:] = difference[1:] / lowered[1:] ** power
        quotient[0] = quotient[1]  # the limit at k = 0, which the division cannot give
        norms.append(float(np.abs(np.fft.irfft(quotient, length)).sum()))
    return norms[0], norms[1], norms[2]


_cached_norms = functools.lru_cache(maxsize=2048)(_difference_norms)


@functools.lru_cache(maxsize=256)
def _kink_errors(solver: Solver, axis: Axis, path: tuple[float, ...]) -> tuple[float, ...]:
    """Largest distance between the solver and the reference on kinks of each order at both walls, per h^k J_k."""
    angle, difference = _kernel_difference(solver, axis, path)
    length = 2 * (len(angle) - 1)
    ratio = math.sqrt(path[-1]) / axis.spacing
    offset = np.fft.fftfreq(length, 1.0 / length)
    place = offset + (0.5 if axis.nodes == "cell" else 0.0)
    near = np.abs(place) <= 10.0 * _KINK
    errors = []
    for order in end_weights(axis, math.inf)[0]:
        kink = np.zeros(length)
        kink[near] = kinks(order, _KINK, place[near])
        if ratio >= 1.0:
            distance = np.fft.irfft(difference * np.fft.rfft(kink), length)
        else:
            # the reference leaves the kink as it is: all that the solver makes of it but its own flow counts
            symbol = np.asarray(solver.symbol(angle, axis, path))
            flow = kinks(order, _KINK, place, ratio) - np.fft.irfft(symbol * np.fft.rfft(kink), length)
            distance = np.where(near, flow, 0.0)
        errors.append(_at_both_walls(np.abs(distance), offset.astype(np.int64), axis))
    return tuple(errors)


def _at_both_walls(distance: Array, offset: NDArray[np.int64], axis: Axis) -> float:
    """The largest sum, at a node, of what lies at its distances from both walls and from all of their images."""
    size, period = axis.size, period_of(axis)
    if size >= len(distance):
        return float(distance.max())  # what one wall does ends before the other
    # with a period beyond both, none of the images meets the box
    lower = np.bincount(offset % (period or size + len(distance)), weights=distance, minlength=size)[:size]
    return float((lower + lower[::-1]).max())


@dataclasses.dataclass(frozen=True)
class Roughness:
    """What the bound knows of the data continued by the boundary of one axis.

    Attributes
    ----------
    half, second, fourth
        Half range, and largest second and fourth difference.
    values, along
        The data themselves and the place of the axis, where they are there: for the jumps at the walls.
    """

    half: float
    second: float
    fourth: float
    values: Array | None = None
    along: int = 0

    def jumps(self, axis: Axis, sigma: float) -> NDArray[np.float64]:
        """Largest |h^k J_k|, or what the range allows."""
        if self.values is not None:
            return largest_jumps(self.values, axis, self.along, sigma)
        # weights of derivatives sum to zero, so half the range counts; of values themselves at most all of it
        orders, weights = end_weights(axis, sigma)
        return self.half * np.array(
            [float(np.abs(row).sum()) * (1.0 if order else 2.0) for order, row in zip(orders, weights, strict=True)]
        )


def _roughness(values: Array, grid: Grid, position: int, faces: Faces | None = None, own: bool = False) -> Roughness:
    """Half range, and largest second and fourth difference, of the data continued by the boundary of an axis.

    Where walls of this axis are stated, its data go on from there only if the column of the walls is the scheme's own.
    """
    axis, first = grid[position], values.ndim - grid.dimensions
    along, stated, told = first + position, () if faces is None else faces.positions, None
    if faces is not None:
        values = faces.layered(values)
    # the others smooth what they find on their nodes and their walls
    for other, place in enumerate(grid):
        if place.faced and other != position and other not in stated:
            values = np.concatenate((*face_values(values, first + other), values), axis=first + other)
    low, high = whole_range(values, grid)
    if position in stated:
        ends = part(values, along, 0, 1), part(values, along, axis.size + 1, None)
        values = part(values, along, 1, axis.size + 1)
        low, high = (f(a, b) for f, a, b in zip((min, max), (low, high), whole_range(values, grid), strict=True))
        told = ends if own else None
    half = (high - low) / 2.0
    if axis.rule.holds_ends:
        half = high - low  # relative to the chord between the ends, turned over beyond them
    second = fourth = 0.0
    # a piece that stays in cache at a time, all lines of it whole
    lines = values.reshape(math.prod(values.shape[:along]), axis.size, -1)
    outer = max(1, _PIECE // lines[0].size)
    inner = max(1, _PIECE // axis.size)
    for i in range(0, lines.shape[0], outer):
        for j in range(0, lines.shape[2], inner):
            walls = None
            if told is not None:
                lower, upper = (side.reshape(lines.shape[0], 1, -1)[i : i + outer, :, j : j + inner] for side in told)
                walls = lower, upper
            piece = continued(lines[i : i + outer, :, j : j + inner], axis, 2, 1, walls)
            twice = np.diff(piece, n=2, axis=1)
            second = max(second, float(twice.max()), -float(twice.min()))
            four = np.diff(twice, n=2, axis=1)
            fourth = max(fourth, float(four.max()), -float(four.min()))
    return Roughness(half, second, fourth, values, along)


def expected_error(evolution: Record, k: int, cache: dict[tuple[int, bool], Roughness] | None = None) -> float:
    """Bound on |u - reference| at sigma[k], from the symbols of both and the data; see the top of this file."""
    values, grid, solver = evolution.landscape.values, evolution.grid, evolution.solver
    cache, faces = {} if cache is None else cache, evolution.landscape.stated_faces
    # Round-off of one operation; how many there are is what the solver says of itself. Where products are subnormal it
    # is the spacing of such numbers, whatever their size.
    kind = np.finfo(values.dtype)
    unit = max(float(kind.eps) * magnitude(evolution.landscape), float(kind.smallest_subnormal))
    if evolution.covariance is not None:
        low, high = extremes(evolution.landscape)
        rounding = sum(solver.rounding(axis, path) for axis, path in zip(grid, evolution.paths[k], strict=True))
        distance = kernel_distance(grid, evolution.covariance[k])
        return evolution.value_error + 2.0 * unit * rounding + 0.5 * (high - low) * distance
    total = evolution.value_error
    for position, (axis, path) in enumerate(zip(grid, evolution.paths[k], strict=True)):
        if path[-1] == 0.0:
            continue
        total += 2.0 * unit * wide.rounding(solver, axis, path)
        # there solver and reference have the same limit, to less than round-off
        if solver.at_limit(axis, path[-1]):
            continue
        norms = _cached_norms(solver, axis, path)
        own = faces is not None and not takes_exact_columns(solver, axis, path[-1])
        if (position, own) not in cache:
            cache[position, own] = _roughness(values, grid, position, faces, own)
        # smooth data make the fourth difference small, rough data the range: the least of three true bounds
        rough = cache[position, own]
        total += min(a * b for a, b in zip(norms, (rough.half, rough.second, rough.fourth), strict=True))
        sigma = math.sqrt(path[-1])
        if solver.exact_kinks and solver.end_nodes(axis, path[-1]) and sigma < _ALIKE * axis.spacing:
            jumps = rough.jumps(axis, sigma)
            total += sum(a * float(b) for a, b in zip(_kink_errors(solver, axis, path), jumps, strict=False))
    return total


def _sharpest(values: Array, position: int) -> int:
    """Flat index of the node with the largest second difference along an axis; the first of several."""
    more = 2 if position == 0 else 0  # rows that a difference along the first axis takes beside its own
    step = max(1, _PIECE // values[0].size)
    most, place = -1.0, (0,) * values.ndim
    for begin in range(0, len(values) - more, step):
        second = np.abs(np.diff(values[begin : begin + step + more], n=2, axis=position))
        flat = int(second.argmax())
        found = float(second.reshape(-1)[flat])
        if found > most:
            most = found
            index = [int(i) for i in np.unravel_index(flat, second.shape)]
            index[0] += begin
            index[position] += 1
            place = tuple(index)
    return int(np.ravel_multi_index(place, values.shape))


def _sample(evolution: Evolution) -> list[NDArray[np.int64]]:
    """Nodes per axis whose product holds the optimum of Q and of every u, the worst curvature, and random nodes."""
    grid = evolution.grid
    count = max(3, round(POINTS ** (1.0 / grid.dimensions)))
    initial = evolution.landscape.values.reshape(-1, *grid.shape)[0]
    chosen = [int(np.argmax(initial)), int(np.argmin(initial))]
    for position in range(grid.dimensions):
        chosen.append(_sharpest(initial, position))
    # the optimum may move with sigma: where it begins and where it ends
    ends = evolution.values.reshape(len(evolution), -1, grid.size)[:, 0]
    chosen += [int(field.argmax()) for field in (ends[0], ends[-1])]
    generator = np.random.default_rng(SEED)
    result = []
    for position, axis in enumerate(grid):
        # coordinates of all these nodes, axis by axis, so that their product can be had as one outer product
        fixed = {int(np.unravel_index(flat, grid.shape)[position]) for flat in chosen} | {0, axis.size - 1}
        room = max(0, min(count, axis.size) - len(fixed))
        extra = generator.choice(axis.size, size=room, replace=False) if room else np.array([], dtype=np.int64)
        result.append(np.array(sorted(fixed | {int(i) for i in extra}), dtype=np.int64))
    return result


def extended(landscape: Landscape) -> Array:
    """Q in double precision, with stated values on walls as the first and the last node of their axes."""
    values = landscape.values.astype(np.float64, copy=False)
    faces = landscape.stated_faces
    return values if faces is None else faces.in_double().layered(values)


def stated_walls(record: Record, k: int) -> dict[int, bool]:
    """The axes with stated walls, and whether the solver takes what these add from the continuous flow."""
    faces, path = record.landscape.stated_faces, record.paths[k]
    positions = () if faces is None else faces.positions
    return {i: path[i][-1] == 0.0 or takes_exact_columns(record.solver, record.grid[i], path[i][-1]) for i in positions}


def rows_of_axes(evolution: Record, k: int) -> list[Callable[[NDArray[np.int64]], NDArray[np.float64]]]:
    """For every axis a function from some of its nodes to their rows of the reference, for values as in `extended`."""
    stated = stated_walls(evolution, k)
    result: list[Callable[[NDArray[np.int64]], NDArray[np.float64]]] = []
    for i, (axis, path) in enumerate(zip(evolution.grid, evolution.paths[k], strict=True)):
        sigma, corrected = math.sqrt(path[-1]), corrects_ends(evolution.solver, axis, path[-1])
        if i in stated:
            result.append(functools.partial(stated_rows, axis, sigma, corrected, stated[i]))
        else:
            result.append(functools.partial(reference_rows, axis, sigma, corrected=corrected))
    return result


def _with_stated_walls(
    values: Array, axis: Axis, sigma: float, along: int, corrected: bool, exact: bool
) -> NDArray[np.float64]:
    """The reference on all nodes of an axis whose first and last nodes are its walls."""
    cells = part(values, along, 1, axis.size + 1)
    if sigma == 0.0:
        return cells
    if axis.size <= _WIDEST_MATRIX:
        return _summed(
            values, axis, sigma, along, corrected, functools.partial(stated_rows, axis, sigma, corrected, exact)
        )
    every = np.arange(axis.size)
    walls = exact_walls(axis, sigma, every)
    if not exact:
        _, walls = rows_and_walls(axis, line_weights(axis, sigma), every)
    result = _convolved(cells, axis, sigma, along, corrected).copy()
    ends = part(values, along, 0, 1), part(values, along, axis.size + 1, None)
    shape = [1] * values.ndim
    shape[along] = axis.size
    for column, row, end in zip(walls.T, face_rows(axis.size), ends, strict=True):
        result += column.reshape(shape) * (end - along_axis(row[None, :], cells, along))
    return result


def _contract(values: Array, matrices: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Apply one matrix to each of the last axes."""
    first = values.ndim - len(matrices)
    for position, matrix in enumerate(matrices):
        values = along_axis(matrix, values, first + position)
    return np.asarray(values)


def _convolved(values: Array, axis: Axis, sigma: float, along: int, corrected: bool) -> NDArray[np.float64]:
    """The reference on all nodes of a long axis: sums over windows of the continued line."""
    weights = line_weights(axis, sigma)
    line = np.moveaxis(continued(values, axis, len(weights) // 2, along), along, -1)
    result = np.moveaxis(sums_over_windows(line, weights), -1, along)
    if corrected:
        for start in range(0, axis.size, _ROWS):
            rows = np.arange(start, min(start + _ROWS, axis.size))
            part = (slice(None),) * along + (slice(start, start + _ROWS),)
            result[part] += _added(values, axis, sigma, rows, along)
    return result


def _added(values: Array, axis: Axis, sigma: float, rows: NDArray[np.int64], along: int) -> NDArray[np.float64]:
    """What the correction of the ends adds at some nodes, by a matrix of the end nodes, which alone have weights."""
    matrix = added_rows(axis, sigma, rows, ends_only=True)
    count = matrix.shape[1] // 2
    ends = np.take(values, [*range(count), *range(axis.size - count, axis.size)], axis=along)
    return along_axis(matrix, ends, along)


def _summed(
    values: Array,
    axis: Axis,
    sigma: float,
    along: int,
    corrected: bool,
    rows_of: Callable[[NDArray[np.int64]], NDArray[np.float64]] | None = None,
) -> NDArray[np.float64]:
    """The reference on all nodes of an axis, as a matrix: that of `reference_rows`, or of another function.

    The density is even, and so is every continuation: the even and the odd part of a line about its middle stay apart,
    and each takes a quarter of the products.
    """
    chosen = np.arange((axis.size + 1) // 2)
    rows = reference_rows(axis, sigma, chosen, corrected) if rows_of is None else rows_of(chosen)
    # with stated walls there are two columns more than rows
    half = (rows.shape[1] + 1) // 2
    near, far = rows[:, :half], rows[:, ::-1][:, :half].copy()
    if axis.size % 2:
        far[:, -1] = 0.0  # the node in the middle is its own mirror image
    lines = np.moveaxis(values, along, 0)
    mirrored = lines[::-1]
    even = along_axis(near + far, 0.5 * (lines[:half] + mirrored[:half]), 0)
    odd = along_axis(near - far, 0.5 * (lines[:half] - mirrored[:half]), 0)
    whole = np.concatenate((even + odd, (even - odd)[: axis.size - len(chosen)][::-1]))
    return np.moveaxis(whole, 0, along)


def _corrected(record: Record, k: int) -> list[bool]:
    """Along which axes the solver corrects the ends."""
    solver = record.solver
    return [corrects_ends(solver, a, path[-1]) for a, path in zip(record.grid, record.paths[k], strict=True)]


def _at_nodes(
    values: Array,
    grid: Grid,
    sigmas: Array,
    nodes: list[NDArray[np.int64]],
    corrected: list[bool],
    stated: Mapping[int, bool],
) -> NDArray[np.float64]:
    """The reference on the product of some nodes of every axis; `stated` as in `stated_walls`."""
    # on one axis windows of the continued line are cheaper than rows of a matrix
    if grid.dimensions == 1 and sigmas[0] > 0 and not stated:
        weights = line_weights(grid[0], float(sigmas[0]))
        line = continued(values, grid[0], len(weights) // 2, values.ndim - 1)
        windows = np.lib.stride_tricks.sliding_window_view(line, len(weights), axis=-1)
        # a copy of some windows at a time, so that a batch of long lines does not need much memory
        step = max(1, _PIECE * line.shape[-1] // (line.size * len(weights)))
        result = np.concatenate(
            [(windows[..., nodes[0][i : i + step], :] * weights).sum(axis=-1) for i in range(0, len(nodes[0]), step)],
            axis=-1,
        )
        if corrected[0]:
            result += _added(values, grid[0], float(sigmas[0]), nodes[0], values.ndim - 1)
        return result
    plain = [position for position in range(grid.dimensions) if position not in stated]
    made = dict(
        zip(plain, rows_of_several([(grid[i], float(sigmas[i]), nodes[i], corrected[i]) for i in plain]), strict=True)
    )
    rows = [
        stated_rows(axis, float(s), ends, stated[position], chosen) if position in stated else made[position]
        for position, (axis, s, chosen, ends) in enumerate(zip(grid, sigmas, nodes, corrected, strict=True))
    ]
    return _contract(values, rows)


def _reference_field(evolution: Evolution, k: int) -> NDArray[np.float64]:
    values = extended(evolution.landscape)
    first = values.ndim - evolution.grid.dimensions
    corrected, stated = _corrected(evolution, k), stated_walls(evolution, k)
    for position, (axis, sigma) in enumerate(zip(evolution.grid, evolution.sigmas[k], strict=True)):
        if position in stated:
            values = _with_stated_walls(
                values, axis, float(sigma), first + position, corrected[position], stated[position]
            )
            continue
        if sigma == 0.0:
            continue
        # a short axis by one product of matrices, a long one by a convolution that never makes the matrix
        if axis.size <= _WIDEST_MATRIX:
            values = _summed(values, axis, float(sigma), first + position, corrected[position])
        else:
            values = _convolved(values, axis, float(sigma), first + position, corrected[position])
    return values


@dataclasses.dataclass(frozen=True)
class _Error:
    """The largest error that was found, in units of its bound; all of it in the units of Q."""

    ratio: float
    figure: float
    bound: float
    k: int
    index: tuple[int, ...]

    @classmethod
    def of(cls, figure: float, bound: float, k: int, index: tuple[int, ...]) -> _Error:
        return cls(figure / bound if bound > 0 else (math.inf if figure > 0 else 0.0), figure, bound, k, index)


def _entry(evolution: Evolution, worst: _Error, against: str) -> Check:
    grid = evolution.grid
    scale = Scale.of(evolution).size
    failed = worst.ratio > 1.0
    message = f"u agrees with an {against}"
    if failed:
        message = (
            f"u differs from an {against} by more than the error bound of this solver at "
            f"sigma={sigma_words(evolution.sigma[worst.k])}" + _correlation_words(evolution, worst.k)
        )
    return Check(
        "cross-check",
        "failed" if failed else "passed",
        message,
        worst.figure / scale,
        worst.bound / scale,
        bound_source("symbols of both", evolution),
        Place(worst.k, worst.index, grid.point(worst.index[len(worst.index) - grid.dimensions :])),
    )


def _correlation_words(evolution: Evolution, k: int) -> str:
    return "" if evolution.covariance is None else f", covariance {evolution.covariance[k].tolist()}"


def _crosscheck_covariances(evolution: Evolution, level: str, covariances: NDArray[np.float64]) -> Check:
    grid = evolution.grid
    initial = evolution.landscape.values.astype(np.float64)
    worst: _Error | None = None
    counts, left_out, bounds = [], [], []
    for k, covariance in enumerate(covariances):
        window = window_points(grid, covariance)
        # beyond, the sum is left out: it would take too long
        bound = expected_error(evolution, k) if window <= LARGEST_WINDOW else math.inf
        if not math.isfinite(bound):
            left_out.append(k)
            continue
        field = evolution.values[k]
        places = sample(field, initial, grid, level, window)
        counts.append(len(places))
        bounds.append((k, bound))
        error = np.abs(field[tuple(places.T)] - density_sums(initial, grid, covariance, places))
        most = int(error.argmax())
        found = _Error.of(float(error[most]), bound, k, tuple(int(i) for i in places[most]))
        if worst is None or found.ratio > worst.ratio:
            worst = found
    missing = (
        f"not compared at {len(left_out)} of {len(covariances)} covariances, whose window is too large for this check "
        f"(from sigma={sigma_words(evolution.sigma[left_out[0]])} on)"
        if left_out
        else ""
    )
    if worst is None:
        return Check("cross-check", "finding", missing)
    number = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
    entry = _entry(evolution, worst, f"independent sum of the density at {number} nodes")
    entry = unless_silent(entry, evolution, bounds)
    # what could not be checked is said, and a check that left something out has not passed
    if missing and entry.status == "passed":
        return dataclasses.replace(entry, status="finding", message=f"{entry.message}; {missing}")
    return entry


@checks.register("crosscheck")
def crosscheck(evolution: Evolution, level: str = "standard") -> list[Check]:
    """Compare with an independent Gaussian convolution.

    Parameters
    ----------
    evolution
        Evolution to check.
    level
        ``standard``: on a few hundred nodes, among them the optimum of Q and of u and the worst curvature;
        ``full``: on all nodes. With correlated noise on a few dozen nodes, or a few hundred.

    Returns
    -------
    entries
        One entry: the largest error over all sigmas, in units of osc(Q), with its bound and place.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.evolution import solve
    >>> from heatpg.verify.crosscheck import crosscheck
    >>> grid = Grid(Axis("x", 0.0, 1.0, 65, boundary="reflect"))
    >>> step = Landscape.from_function(lambda x: (x > 0.5).astype(float), grid)
    >>> check, = crosscheck(solve(step, 0.1))
    >>> check.status, check.figure < 1e-14
    ('passed', True)
    """
    if evolution.covariance is not None:
        return [_crosscheck_covariances(evolution, level, evolution.covariance)]
    grid = evolution.grid
    nodes = None if level == "full" else _sample(evolution)
    initial = extended(evolution.landscape)
    worst: _Error | None = None
    cache: dict[tuple[int, bool], Roughness] = {}
    bounds = []
    for k in range(len(evolution)):
        if nodes is None:
            reference = _reference_field(evolution, k)
            field = evolution.values[k]
        else:
            how = (_corrected(evolution, k), stated_walls(evolution, k))
            reference = _at_nodes(initial, grid, evolution.sigmas[k], nodes, *how)
            field = evolution.values[k][(..., *np.ix_(*nodes))]
        error = np.abs(field - reference)
        flat = int(np.argmax(error))
        index = tuple(int(i) for i in np.unravel_index(flat, error.shape))
        if nodes is not None:
            first = len(index) - grid.dimensions
            index = (*index[:first], *(int(n[i]) for n, i in zip(nodes, index[first:], strict=True)))
        bound = expected_error(evolution, k, cache)
        found = _Error.of(float(error.reshape(-1)[flat]), bound, k, index)
        bounds.append((k, bound))
        if worst is None or found.ratio > worst.ratio:
            worst = found
    assert worst is not None
    compared = "all" if nodes is None else f"{math.prod(len(n) for n in nodes)}"
    entry = _entry(evolution, worst, f"independent convolution on {compared} nodes")
    return [unless_silent(entry, evolution, bounds)]
