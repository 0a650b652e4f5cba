"""The matrix of one step along one line, compared with the guarantees of its solver.

A solver of constant coefficients is known by its symbol: on a closed line every trigonometric eigenvector of the
boundary must be multiplied by it, in free space the matrix must be the convolution that belongs to it. Row sums and
signs of the same matrix prove the maximum principle for this line and this t instead of sampling it.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from heatpg.boundaries import face_values, face_weights
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.evolution import solve
from heatpg.solvers import Solver

__all__ = ["OperatorProperty", "operator_properties", "step_matrix"]

Array = NDArray[Any]

_EPS = float(np.finfo(np.float64).eps)
_RATIOS = np.square((0.5, 1.0, 3.0))  # variances in units of h^2: below, at and above what a grid resolves
_SIZE = 24  # nodes: a matrix that is had at once, and long enough for a kernel of 3 h away from both ends
_WIDEST_BAND = 8  # nodes to each side; what is wider is no difference operator but the inverse of something else


@dataclasses.dataclass(frozen=True)
class OperatorProperty:
    """One property of the matrix of one step, the worst over a few lengths of t.

    Attributes
    ----------
    name
        ``row sums``, ``signs``, ``spectrum`` or ``inverse``.
    declared
        The guarantee of the solver.
    observed
        The measured number.
    bound
        Largest allowed value; ``signs``: at least that, otherwise at most. None without a guarantee.
    source
        Where the bound comes from.
    """

    name: str
    declared: str
    observed: float
    bound: float | None
    source: str

    @property
    def passed(self) -> bool:
        """Whether the guarantee, if any, holds."""
        if self.bound is None:
            return True
        return self.observed >= self.bound if self.name == "signs" else self.observed <= self.bound


def step_matrix(solver: Solver, axis: Axis, variance: float) -> NDArray[np.float64]:
    """The map of a line from Q to u at one t: column j is the evolution of a unit at node j.

    Examples
    --------
    >>> from heatpg import Axis
    >>> from heatpg.solvers import make
    >>> from heatpg.measure.operators import step_matrix
    >>> axis = Axis("x", 0.0, 4.0, 4, boundary="periodic")
    >>> step_matrix(make("explicit", step=0.5), axis, 0.5)[0]  # one step of h^2 / 2
    array([0.5 , 0.25, 0.  , 0.25])
    """
    units = Landscape(np.eye(axis.size), Grid(axis))
    return np.asarray(solve(units, math.sqrt(variance), solver).values[-1].T)


def _eigenvectors(axis: Axis) -> tuple[Array, Array]:
    """Angles k h and vectors (as columns) that the heat flow of a closed line only scales."""
    size, node = axis.size, np.arange(axis.size)
    if axis.rule.periodic:
        angle: Array = 2.0 * math.pi * ((node + 1) // 2) / size
        turned = np.outer(node, angle)
        return angle, np.where(node % 2 == 1, np.sin(turned), np.cos(turned))
    if axis.rule.holds_ends and not axis.faced:
        # what the ends hold is the chord between them, which stays; sines are the rest
        angle = math.pi * np.maximum(node - 1, 0) / (size - 1)
        vectors: Array = np.sin(np.outer(node, angle))
        vectors[:, 0], vectors[:, 1] = 1.0, node / (size - 1)
        return angle, vectors
    half = 0.5 if axis.nodes == "cell" else 0.0
    angle = math.pi * node / (size - 1 + 2 * half)
    return angle, np.cos(np.outer(node + half, angle))


def _continuation(axis: Axis, padding: int) -> NDArray[np.float64]:
    """The nodes of a line continued by so many on either side, as a matrix on the nodes; of held ends without chord."""
    extension = axis.rule.extend(axis.size, axis.nodes, padding, padding)
    matrix = np.zeros((axis.size + 2 * padding, axis.size))
    matrix[np.arange(len(matrix)), extension.source] = extension.weight
    # values on faces that go on outside come from the nodes as well
    return extension.of(np.eye(axis.size), 0) if axis.faced and axis.rule.free_space else matrix


def _chord(axis: Axis) -> NDArray[np.float64]:
    """The chord between held values, as a matrix on the nodes; zero where none are held."""
    chord = np.zeros((axis.size, axis.size))
    if axis.faced and axis.rule.holds_ends:
        rising = ((np.arange(axis.size) + 0.5) / axis.size)[:, None]
        lower, upper = face_values(np.eye(axis.size), 0)
        return np.asarray((1.0 - rising) * lower + rising * upper)
    if axis.rule.holds_ends:
        share = np.arange(axis.size) / (axis.size - 1)
        chord[:, 0], chord[:, -1] = 1.0 - share, share
    return chord


def _convolution(solver: Solver, axis: Axis, variance: float) -> NDArray[np.float64]:
    """The matrix that the symbol stands for in free space."""
    # a period of at least four reaches, so that the kernel does not wrap around
    reach = max(solver.reach(axis, (0.0, variance)), 8)
    length = 1 << math.ceil(math.log2(4 * reach))
    angle = 2.0 * math.pi * np.arange(length // 2 + 1) / length
    weights = np.fft.irfft(np.real(solver.symbol(angle, axis, (0.0, variance))), length)
    padding = length // 2 - 1
    row, column = np.ogrid[: axis.size, -padding : axis.size + padding]
    # convolution on the continued line, gathered on the nodes that it is continued from
    offset = np.abs(row - column)
    return np.asarray(np.where(offset <= padding, weights[offset % length], 0.0) @ _continuation(axis, padding))


def _spectrum_defect(solver: Solver, axis: Axis, matrix: NDArray[np.float64], variance: float) -> float:
    """How far the matrix is from what its symbol says, and the symbol from being stable."""
    # the ends are corrected by columns of their own, whose order `heatpg.measure.edge` measures
    ends = solver.ends(axis, variance, "float64")
    if ends is not None:
        matrix = matrix - ends.matrix()
    if axis.rule.free_space:
        return float(np.abs(matrix - _convolution(solver, axis, variance)).sum(axis=1).max())
    if axis.faced:
        # relative to the chord the line is odd about its walls, and sines are what its symbol scales
        node, number = np.arange(axis.size), np.arange(1, axis.size + 1)
        sines = np.sin(math.pi * np.outer(node + 0.5, number) / axis.size)
        scaled = np.real(solver.symbol(math.pi * number / axis.size, axis, (0.0, variance)))
        inside = (sines * (scaled / np.square(sines).sum(axis=0))) @ sines.T
        chord = _chord(axis)
        return float(np.abs(matrix - inside @ (np.eye(axis.size) - chord) - chord).sum(axis=1).max())
    # M v = s v for every eigenvector: on a closed line that is all there is to say of a symmetric difference
    angle, vectors = _eigenvectors(axis)
    symbol = np.real(solver.symbol(angle, axis, (0.0, variance)))
    defect = float(np.abs(matrix @ vectors - vectors * symbol).max())
    return max(defect, float(np.abs(symbol).max()) - 1.0)


def _band(solver: Solver, axis: Axis, variance: float) -> NDArray[np.float64] | None:
    """Weights of the difference operator that one implicit step inverts, or None if there is no such operator."""
    # 1 / symbol is the symbol of what the step inverts; 64 angles tell up to 32 taps
    angle = 2.0 * math.pi * np.arange(33) / 64
    symbol = np.real(solver.symbol(angle, axis, (0.0, variance)))
    # waves that are nearly gone cannot be brought back in double precision
    if np.abs(symbol).min() < 1e-8:
        return None
    taps = np.fft.irfft(1.0 / symbol, 64)
    # a taste: smaller taps are rounding of the quotient
    reach = np.flatnonzero(np.abs(taps[:33]) > 1e-11 * np.abs(taps).max())[-1]
    if not 0 < reach <= _WIDEST_BAND:
        return None
    return np.asarray(taps[np.abs(np.arange(-reach, reach + 1))])


def _inverse_defect(solver: Solver, axis: Axis, variance: float) -> tuple[float, float] | None:
    """|B M - 1|, B being the difference operator that one implicit step inverts; and the size of B."""
    fields = {field.name for field in dataclasses.fields(solver)}
    if "steps" not in fields or axis.rule.free_space:
        return None
    single = dataclasses.replace(solver, **{"steps": 1, **({"step": None} if "step" in fields else {})})
    if single.exact_in_time:
        return None
    band = _band(single, axis, variance)
    if band is None:
        return None
    matrix = step_matrix(single, axis, variance)
    padding = len(band) // 2
    # relative to the chord where ends are held: it is no part of what is solved
    chord = _chord(axis)
    continued = _continuation(axis, padding) @ (matrix - chord)
    applied = sum(weight * continued[k : k + axis.size] for k, weight in enumerate(band))
    return float(np.abs(applied + chord - np.eye(axis.size)).max()), float(np.abs(band).sum())


def _split(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of the cells and, in two more columns, of the values on both walls that a matrix on the cells stands for.

    The values on the walls are combinations of end cells in which some weigh less than zero. In each row as much is put
    down to them as leaves the cells that weigh more than zero there a weight that is not negative.
    """
    near = face_weights(len(matrix))
    cells, columns = matrix.copy(), []
    for side in (cells[:, : len(near)], cells[:, ::-1][:, : len(near)]):
        column = np.maximum((side[:, near > 0] / near[near > 0]).min(axis=1), 0.0)
        side -= np.multiply.outer(column, near)
        columns.append(column)
    return np.column_stack([cells, *columns])


def operator_properties(
    solver: Solver, boundary: str, nodes: Literal["vertex", "cell"] = "vertex"
) -> list[OperatorProperty]:
    """Row sums, signs and spectrum of the matrix of one step, and whether an implicit solve inverts its operator.

    Parameters
    ----------
    solver
        Which solver.
    boundary, nodes
        Of the line, which has 24 nodes; sigma is half a spacing, one and three.

    Returns
    -------
    properties
        ``row sums``: 1, in free space beyond which Q is 0 at most 1. ``signs``: the smallest entry, for the sigmas at
        which the solver guarantees the maximum principle; where the values on the walls count and nodes are in cells,
        of the weights of both. ``spectrum``: against the symbol of the solver. ``inverse``: only of schemes one step of
        which inverts a difference operator, on closed lines.

    Examples
    --------
    >>> from heatpg.solvers import make
    >>> from heatpg.measure.operators import operator_properties
    >>> [(p.name, p.passed) for p in operator_properties(make("implicit"), "reflect")]
    [('row sums', True), ('spectrum', True), ('signs', True), ('inverse', True)]
    """
    axis = Axis("x", 0.0, 1.0, _SIZE, boundary=boundary, nodes=nodes)
    steps = [(variance, step_matrix(solver, axis, variance)) for variance in (_RATIOS * axis.spacing**2).tolist()]
    tolerance = (getattr(solver, "tolerance", None) if solver.exact_in_time else None) or 0.0
    units = 4.0 * max(solver.rounding(axis, (0.0, variance)) for variance, _ in steps)
    bound = units * _EPS + 2.0 * tolerance
    source = "4 x solver.rounding, in eps" + (", and twice its tolerance" if tolerance else "")
    promised = [(variance, matrix) for variance, matrix in steps if solver.monotone(axis, variance)]
    # what overshoots at the ends of a box in free space is no convolution of finite reach, and promises nothing
    tested = promised if axis.rule.free_space else steps

    found = []
    losing = axis.rule.free_space and float(axis.rule.extend(3, nodes, 1, 1).of(np.ones(3), 0)[0]) < 1.0
    if tested:
        sums = np.stack([matrix.sum(axis=1) for _, matrix in tested]) - 1.0
        excess = max(0.0, float((sums if losing else np.abs(sums)).max()))
        found.append(OperatorProperty("row sums", "<= 1" if losing else "1", excess, bound, source))
        defect = max(_spectrum_defect(solver, axis, matrix, variance) for variance, matrix in tested)
        found.append(OperatorProperty("spectrum", "symbol", defect, bound, source))

    if axis.faced:
        promised = [(variance, _split(matrix)) for variance, matrix in promised]
    least = min(float(matrix.min()) for _, matrix in promised or steps)
    if promised:
        found.append(OperatorProperty("signs", ">= 0", least, -bound, source))
    else:
        found.append(OperatorProperty("signs", "no promise", least, None, "solver.monotone"))

    inverse = [pair for pair in (_inverse_defect(solver, axis, variance) for variance, _ in steps) if pair]
    if inverse:
        defect, size = max(inverse)
        found.append(OperatorProperty("inverse", "identity", defect, bound * size, source + ", times its norm"))
    return found
