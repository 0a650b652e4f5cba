"""What holds a level of compact storage to theory, where its error is proven and not every node has to be read back.

A line between mirrors, or a periodic one, has the coefficients q of Q. The field that `Spectral` makes is the inverse
transform of q_k exp(-k^2 t / 2), and what it adds for the kinks at mirrors; a level has the same waves below some k,
and none beyond. So with c_k the amplitude of wave k, kinks included, J the jumps at the walls, and e what the solver
adds for a unit jump less what the waves of a level make of it, the two differ at no node of a line by more than

    sum_{k left out} c_k exp(-k^2 t / 2) + sum |J| max |e| + rounding,

where all three terms are numbers that are computed for this very level. The rounding is that which the solver declares,
once for its own transforms and twice for those of the level, times the Lebesgue constant of the interpolation.

A bound holds for what should have been computed. That it was is seen in three ways, each without what made the values:

- at three nodes of all lines, both ends among them, against the field itself, by the cardinal functions of the lattice
  in closed form;
- on some lines at all nodes, by the code that reads files;
- on all lines, the sum of the values with random signs, against the same sum of their coefficients: there an error of a
  single value counts in full, wherever it is.

References
----------
L. N. Trefethen, *Spectral Methods in MATLAB*, 2000, doi:10.1137/1.9780898719598, chapters 2 and 3: cardinal functions.
R. Freivalds, *Probabilistic machines can use less running time*, IFIP Congress 1977: sums with random signs.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis
from heatpg.core.kinks import jumps_along
from heatpg.solvers.base import Solver
from heatpg.solvers.edges import WIDTH, EndCorrection, kink_waves, mirror_change
from heatpg.solvers.spectral import Spectral
from heatpg.solvers.transforms import basis_along
from heatpg.store.record import Record
from heatpg.tools.kernels import kernel

__all__ = [
    "SAMPLED_LINES",
    "cardinal_functions",
    "end_difference",
    "four_sums",
    "is_bounded",
    "lebesgue",
    "sample",
    "scaled_sums",
    "signs_of",
]

Array = NDArray[Any]

# Lines up to which all are read back in about the time of a sample, which is a taste.
_FEW_LINES = 24
SAMPLED_LINES = 6
"""Lines of a sample, besides the first and the last; a taste."""
_GOLDEN = 0.5 * (math.sqrt(5.0) - 1.0)  # its multiples modulo 1 lie nowhere close together, and on no lattice
_SEED = 20  # of the signs; any will do


def is_bounded(record: Record, index: int) -> bool:
    """Whether the error of a level is known without reading it back: what the module says, and nothing else.

    Parameters
    ----------
    record
        The evolution, whose fields must be those of its solver to the last bit.
    index
        Which sigma.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.evolution import solve
    >>> from heatpg.store.bounds import is_bounded
    >>> grid = Grid(Axis("x", 0.0, 63.0, 64, boundary="reflect"))
    >>> flow = solve(Landscape(np.sin(np.arange(6400.0)).reshape(100, 64), grid), [2.0, 6.0], "spectral")
    >>> is_bounded(flow, 0), is_bounded(flow, 1)
    (True, True)
    >>> flow.values = flow.values.copy()
    >>> is_bounded(flow, 1)
    False
    """
    grid, solver = record.grid, record.solver
    # along several axes an error of one is enlarged by the interpolation along the others
    if not (record.as_solved and record.covariance is None and type(solver) is Spectral and grid.dimensions == 1):
        return False
    axis, variance = grid[0], float(record.variances[index, 0])
    if math.prod(record.landscape.batch_shape) <= _FEW_LINES or variance == 0.0 or solver.at_limit(axis, variance):
        return False
    if axis.rule.periodic:
        return True
    if axis.boundary != "reflect":
        return False
    # both take the jumps from the same nodes; below they are fewer at cell centres
    return bool(np.array_equal(jumps_along(axis, math.sqrt(variance))[1], jumps_along(axis, WIDTH * axis.spacing)[1]))


@functools.lru_cache(maxsize=64)
def _waves(axis: Axis) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Waves of unit jumps as a level takes them, and as the solver changes nodes for them; shape (2 orders, nodes)."""
    basis, change = basis_along(axis), mirror_change(axis, "float64")
    orders, _ = jumps_along(axis, WIDTH * axis.spacing)
    first = np.zeros((1, axis.size))
    first[0, 0] = 1.0
    waves = kink_waves(axis, orders, 0, basis.forward(first, 1)[0]).reshape(-1, axis.size)
    made = basis.forward(change.columns.reshape(-1, axis.size).copy(), 1)
    for each in (waves, made):
        each.setflags(write=False)  # they are kept
    return waves, made


def end_difference(axis: Axis, variance: float, solver: Solver) -> tuple[EndCorrection, NDArray[np.float64]] | None:
    """What gives the jumps of lines between mirrors, and the most that a unit jump of each is taken for another flow.

    Returns
    -------
    change, difference
        Whose `jumps` have shape (2, orders, lines), and for them shape (2, orders); None on a periodic axis.
    """
    ends = solver.ends(axis, variance, "float64")
    if axis.rule.periodic or ends is None:
        return None
    waves, made = _waves(axis)
    basis = basis_along(axis)
    multiplier = np.exp(-0.5 * variance * np.square(basis.angle / axis.spacing))
    if variance < (WIDTH * axis.spacing) ** 2:
        # what the solver adds is the flow of the kink itself
        difference = basis.inverse(waves * multiplier, 1) - ends.columns.reshape(waves.shape)
    else:
        difference = basis.inverse((waves - made) * multiplier, 1)
    return ends, np.abs(difference).max(axis=1).reshape(2, -1)


def lebesgue(size: int) -> float:
    """A bound on what interpolation from a lattice of this many values makes of their errors."""
    # twice the nodes where a line is mirrored; 2 / pi log N + 1 for any N points of a period
    return 1.0 + 2.0 / math.pi * math.log(2.0 * size)


def _largest_wave(axis: Axis, size: int) -> tuple[int, int]:
    """Points of a lattice in a period, and the largest wave that it carries."""
    if axis.rule.periodic:
        return size, (size - 1) // 2
    return (2 * size, size - 1) if axis.nodes == "cell" else (2 * (size - 1), size - 2)


def _angles(axis: Axis, size: int, number: Array) -> NDArray[np.float64]:
    """Where the nodes of these numbers are in a period of 2 pi, if a line has this many."""
    if axis.rule.periodic:
        return np.asarray(2.0 * math.pi * number / size)
    return np.asarray(math.pi * (number + 0.5) / size if axis.nodes == "cell" else math.pi * number / (size - 1))


def cardinal_functions(axis: Axis, size: int, nodes: Array) -> NDArray[np.float64]:
    """What each value on a lattice contributes to nodes of a periodic or mirrored axis, in closed form.

    Parameters
    ----------
    axis
        The axis.
    size
        Values on the lattice, of `heatpg.store.compact.Lattice`.
    nodes
        Numbers of nodes of the axis, shape (nodes,).

    Returns
    -------
    contributions
        sin((K + 1/2) x) / (N sin(x / 2)), K the largest wave and N the points of a period, of every value and, between
        mirrors, of its image; shape (size, nodes).

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis
    >>> from heatpg.store.bounds import cardinal_functions
    >>> axis = Axis("x", 0.0, 6.0, 12, boundary="periodic")
    >>> cardinal_functions(axis, 3, np.array([0, 4])).round(12) + 0.0
    array([[1., 0.],
           [0., 1.],
           [0., 0.]])
    """
    points, wave = _largest_wave(axis, size)

    def kernel_of(angle: Array) -> NDArray[np.float64]:
        # to the nearest period, so that the sine below is small where it should be
        half = 0.5 * (angle - 2.0 * math.pi * np.rint(angle / (2.0 * math.pi)))
        below = np.sin(half)
        near = np.abs(below) < 1e-9  # where the quotient is its limit, to round-off
        quotient = np.sin((2 * wave + 1) * half) / np.where(near, 1.0, below)
        return np.asarray(np.where(near, 2.0 * wave + 1.0, quotient) / points)

    place, at = _angles(axis, axis.size, nodes)[None, :], _angles(axis, size, np.arange(size))[:, None]
    result = kernel_of(place - at)
    if not axis.rule.periodic:
        result += kernel_of(place + at)
        if axis.nodes == "vertex":
            result[[0, -1]] *= 0.5  # a node on a mirror is its own image
    return result


def sample(count: int, most: int) -> NDArray[np.int64]:
    """Numbers below `count` that lie on no lattice: the first, the last, and up to `most` between them."""
    between = np.floor(np.arange(1, most + 1) * _GOLDEN % 1.0 * count).astype(np.int64)
    return np.unique(np.concatenate([[0, count - 1], between]))


def signs_of(axis: Axis, size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Random signs of the values on a lattice, and the weights by which their coefficients have the same sum.

    Returns
    -------
    signs, weights
        Both of shape (size,): sum_j signs_j values_j = sum_k weights_k coefficients_k.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis
    >>> from heatpg.solvers.transforms import basis_along
    >>> from heatpg.store.bounds import signs_of
    >>> axis = Axis("x", 0.0, 9.0, 10, boundary="reflect")
    >>> signs, weights = signs_of(axis, 10)
    >>> values = np.sqrt(np.arange(10.0))
    >>> bool(np.isclose(signs @ values, weights @ basis_along(axis).forward(values[None].copy(), 1)[0], rtol=1e-13))
    True
    """
    signs = np.where(np.random.default_rng(_SEED).random(size) < 0.5, -1.0, 1.0)
    points, _ = _largest_wave(axis, size)
    # the transforms are orthogonal but for the weights of their ends: one is the transpose of the other
    weighted = signs.copy()
    if axis.boundary == "reflect" and axis.nodes == "vertex":
        weighted[1:-1] *= 0.5
    lattice = Axis("line", 0.0, float(size), size, boundary=axis.boundary, nodes=axis.nodes)
    weights = basis_along(lattice).forward(weighted[None], 1)[0] * (2.0 / points)
    if axis.boundary == "reflect" and axis.nodes == "cell":
        weights *= 0.5
    # waves that are their own mirror image count once
    weights[0] *= 0.5
    if (axis.rule.periodic and size % 2 == 0) or (axis.boundary == "reflect" and axis.nodes == "vertex"):
        weights[-1] *= 0.5
    return signs, weights


@kernel
def four_sums(rows: Array, weights: Array, result: Array) -> None:
    """result[r, i] = sum_j rows[r, j] weights[j, i] for four i, two j at a time, so that eight are added at once."""
    count = weights.shape[0]
    even = count - count % 2
    for r in range(rows.shape[0]):
        t, u = rows[r], result[r]
        a, b, c, d, e, f, g, h = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for j in range(0, even, 2):
            v, w, x, y = t[j], t[j + 1], weights[j], weights[j + 1]
            a += v * x[0]
            b += v * x[1]
            c += v * x[2]
            d += v * x[3]
            e += w * y[0]
            f += w * y[1]
            g += w * y[2]
            h += w * y[3]
        if even < count:
            v, x = t[even], weights[even]
            a += v * x[0]
            b += v * x[1]
            c += v * x[2]
            d += v * x[3]
        u[0], u[1], u[2], u[3] = a + e, b + f, c + g, d + h


@kernel
def scaled_sums(source: Array, factor: float, multiplier: Array, weights: Array, target: Array, sums: Array) -> None:
    """target[r, j] = (source[r, j] factor) multiplier[j], sums[r] = sum_j target[r, j] weights[j] in eight parts."""
    count = multiplier.shape[0]
    whole = count - count % 8
    for r in range(source.shape[0]):
        s, t = source[r], target[r]
        for j in range(count):
            t[j] = (s[j] * factor) * multiplier[j]
        a, b, c, d, e, f, g, h = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for j in range(0, whole, 8):
            a += t[j] * weights[j]
            b += t[j + 1] * weights[j + 1]
            c += t[j + 2] * weights[j + 2]
            d += t[j + 3] * weights[j + 3]
            e += t[j + 4] * weights[j + 4]
            f += t[j + 5] * weights[j + 5]
            g += t[j + 6] * weights[j + 6]
            h += t[j + 7] * weights[j + 7]
        for j in range(whole, count):
            a += t[j] * weights[j]
        sums[r] = ((a + b) + (c + d)) + ((e + f) + (g + h))
