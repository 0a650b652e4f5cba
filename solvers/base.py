"""The contract of solvers: a frozen object with options and guaranteed properties, and the flow that it starts.

There are two kinds of solver. A *line* solver (`LineSolver`) gives the engine an operator for one axis and one interval
of t. A *transform* solver (`heatpg.solvers.transforms.TransformSolver`) multiplies coefficients.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from heatpg.boundaries import boundaries
from heatpg.core.grid import Axis, Grid
from heatpg.solvers.edges import EndCorrection, end_correction
from heatpg.solvers.faces import with_faces
from heatpg.solvers.lines import Line, line_along, part

__all__ = ["Flow", "LineFlow", "LineOperator", "LineSolver", "Solver", "difference_gradient"]

Array = NDArray[Any]
Path = tuple[float, ...]

_TAIL = 1e-17  # of weights that sum to one: a twentieth of the rounding of a number in double precision
# Lengths of a box in free space from which on all that lies outside is gathered at its ends; a matter of taste, between
# padding a line to a hundred times its length and summing its nodes one by one.
_WIDE = 8.0
_DECAY = -math.log(_TAIL)  # of the slowest wave, from which on a closed line is at its limit to round-off
# Standard deviations of noise that a padded line has room for beside its nodes, together on both sides: about the least
# that any solver reaches, for estimates that must not take the time of finding its own.
_LEAST_REACH = 8.5


@dataclasses.dataclass(frozen=True)
class Solver(ABC):
    """Base class of all solvers: options as fields, guaranteed properties as attributes and methods.

    Attributes
    ----------
    name
        The name for ``solver=``.
    summary
        The scheme in one line.
    target
        ``continuous``: approximates the Gaussian convolution; ``discrete``: solves the semi-discrete flow of the
        3-point Laplacian, itself a second-order approximation of the Gaussian convolution.
    exact_in_time
        Whether a step of any length has no error in time. Such a solver goes from Q to each sigma directly, the others
        march from sigma to sigma.
    exact_kinks
        True where the ends are corrected by what the scheme's own operator makes of a kink, so that a kink is exact
        at every sigma; otherwise by what the sum of samples of the Gaussian makes of it.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    target: ClassVar[Literal["continuous", "discrete"]]
    exact_in_time: ClassVar[bool]
    exact_kinks: ClassVar[bool] = False

    @property
    @abstractmethod
    def order_time(self) -> float:
        """Order in the time step (infinite where exact)."""

    @property
    @abstractmethod
    def order_space(self) -> float:
        """Order in the spacing, against the Gaussian convolution of smooth data (infinite where exact)."""

    @abstractmethod
    def monotone(self, axis: Axis, variance: float) -> bool:
        """Whether a step of this length along this axis satisfies the maximum principle, up to rounding error."""

    def monotone_between(self, axis: Axis, start: float, stop: float) -> bool:
        """Whether the field at t = stop is a mean of the field at t = start with non-negative weights."""
        return self.monotone(axis, stop - start)

    def end_nodes(self, axis: Axis, variance: float) -> int:
        """From how many end nodes the kinks of the continued data are made good; see `heatpg.solvers.edges`.

        0 where nothing is corrected: the ends are then of second order.
        """
        return 0

    def holds_slopes(self, axis: Axis, variance: float) -> bool:
        """Whether the slope from the two nodes next to a wall is made good for noise below a spacing.

        See `heatpg.core.narrow`.
        """
        return False

    def ends(self, axis: Axis, variance: float, dtype: str, slope: bool = False) -> EndCorrection | None:
        """What is added along an axis for the kinks at its ends, to the field or to du/dx."""
        return end_correction(axis, math.sqrt(variance), dtype, slope) if self.end_nodes(axis, variance) else None

    def order_at_edge(self, boundary: str, nodes: Literal["vertex", "cell"]) -> float:
        """Order in the spacing at a wall up to which Q is smooth, for a fixed sigma; never above `order_space`."""
        axis = Axis("x", 0.0, 32.0, 32, boundary=boundary, nodes=nodes)
        if axis.rule.periodic:
            return self.order_space
        if self.end_nodes(axis, (4.0 * axis.spacing) ** 2):
            # the polynomial of degree 3 gives Q'' to order 2, which counts with h^4; four derivatives with h^1 to h^4
            order = 6.0 if axis.rule.holds_ends else 5.0
        else:
            # the trapezoid rule across a kink; the chord leaves only a jump of the second derivative
            order = 4.0 if axis.rule.holds_ends else 2.0
        # a value on a wall between nodes comes from four cells
        return min(self.order_space, order, 4.0 if axis.faced else math.inf)

    def keeps_extrema(self, axis: Axis, variance: float) -> bool:
        """Whether, in one dimension, such a step cannot create extrema (variation diminishing)."""
        return False

    @abstractmethod
    def interval_symbol(self, angle: Array, axis: Axis, start: float, stop: float) -> Array:
        """Factor by which exp(i j angle), j the node number on an unbounded line, is multiplied over an interval.

        Parameters
        ----------
        angle
            k h, real or complex, any shape.
        axis
            For its spacing.
        start, stop
            The interval of t.
        """

    @abstractmethod
    def start(self, values: Array, grid: Grid) -> Flow:
        """Begin an evolution at t = 0 with values of shape (*batch, *grid.shape)."""

    def gradient(
        self, initial: Array, field: Array, grid: Grid, variances: tuple[float, ...], position: int, out: Array
    ) -> None:
        """Write du/dx_i into `out`, with the accuracy of this solver: by default differences of the field.

        At the ends of an axis in free space they are central too where the ends are not corrected, on a line that is
        solved once more with two nodes outside.

        Parameters
        ----------
        initial, field
            Q, and u at these variances, both of shape (*batch, *grid.shape).
        grid
            Where they are sampled.
        variances
            One per axis.
        position
            Which axis of the grid.
        out
            Shape of the field.
        """
        difference_gradient(field, grid, position, out)
        axis = grid[position]
        if axis.rule.free_space and variances[position] > 0 and not self.end_nodes(axis, variances[position]):
            self._central_at_ends(initial, grid, variances, position, out)

    def _central_at_ends(
        self, initial: Array, grid: Grid, variances: tuple[float, ...], position: int, out: Array
    ) -> None:
        """Central differences at the outermost nodes of an axis in free space, where u goes on smoothly outside."""
        axis = grid[position]
        along = initial.ndim - grid.dimensions + position
        # two nodes more at each end are the same line in free space, solved once more; the outermost may be vertices
        # whatever they were, since what lies beyond is as they are
        longer = np.ascontiguousarray(axis.rule.extend(axis.size, axis.nodes, 2, 2).of(initial, along))
        size = axis.size + 4
        # from 0 on, because far from there the spacing would be rounded
        wide = dataclasses.replace(axis, lower=0.0, upper=(size - 1) * axis.spacing, size=size, nodes="vertex")
        axes = [wide if i == position else other for i, other in enumerate(grid)]
        field = np.empty_like(longer)
        self.start(longer, Grid(*axes)).advance(variances, field)
        rows = np.arange(axis.size)
        # inside, u itself was differenced; of a line too short for that every node is at an end
        if axis.size >= 6:
            rows = np.array([0, 1, axis.size - 2, axis.size - 1])
        scale = 1.0 / (12.0 * axis.spacing)
        for row in rows.tolist():
            near = part(field, along, row + 3, row + 4) - part(field, along, row + 1, row + 2)
            far = part(field, along, row + 4, row + 5) - part(field, along, row, row + 1)
            part(out, along, row, row + 1)[...] = 8.0 * scale * near - scale * far

    def at_limit(self, axis: Axis, variance: float) -> bool:
        """Whether noise is so wide that along this axis the flow is at its limit, as `heatpg.solvers.wide` takes it.

        Of a closed axis it is the limit to round-off: the slowest wave, k h = pi / n (2 pi / n if periodic), is below
        1e-17 in the flow of the 3-point Laplacian, exp(-t (1 - cos k h) / h^2), and so in the continuous flow, which is
        faster. That is from sigma = 2.8 (1.4) lengths on. In free space nothing is left away; from 8 lengths of the box
        on its nodes are summed one by one.
        """
        ratio = math.sqrt(variance) / axis.spacing
        if axis.rule.free_space:
            return ratio > _WIDE * axis.size
        decay = ratio * math.sin(0.5 * self.slowest_angle(axis))
        return 2.0 * decay * decay > _DECAY

    @staticmethod
    def slowest_angle(axis: Axis) -> float:
        """k h of the slowest wave along a closed axis."""
        # with nodes on both walls there is one interval less than there are nodes
        intervals = axis.size - (axis.nodes == "vertex" and not axis.rule.periodic)
        return (2.0 if axis.rule.periodic else 1.0) * math.pi / intervals

    def check(self, axis: Axis, start: float, stop: float) -> None:  # noqa: B027 - most solvers take any interval
        """Raise an error for an interval that this solver cannot take along this axis."""

    def symbol(self, angle: Array, axis: Axis, path: Path) -> Array:
        """Symbol along a path of successive variances 0 = t_0 < t_1 < ..."""
        # intervals of one axis commute, so their symbols multiply
        product = np.ones_like(angle)
        for start, stop in itertools.pairwise(path):
            product = product * self.interval_symbol(angle, axis, start, stop)
        return product

    def nearest_pole(self, axis: Axis, path: Path) -> float:
        """Smallest y > 0 at which the symbol has a pole i y; infinite for entire symbols."""
        return math.inf

    def reach(self, axis: Axis, path: Path) -> int:
        """Number of nodes beyond which all weights of the solver on an unbounded line sum to less than 1e-17.

        From the symbol S by a shift of the contour: sum over |j| >= n of |w_j| is at most
        2 exp(-n y) max_x |S(x + i y)| / (1 - exp(-y)) for every y > 0 up to the nearest pole.
        """
        return _reach(self, axis, path)

    def rounding(self, axis: Axis, path: Path) -> float:
        """Bound on the accumulated round-off along an axis, in units of eps max|Q|."""
        return 16.0 + 8.0 * math.log2(axis.size + 2 * self.reach(axis, path))

    def rows(self, axis: Axis, variance: float) -> float:
        """Estimated number of nodes of a line for this variance, including padding."""
        reach = _LEAST_REACH * math.sqrt(variance) / axis.spacing if axis.rule.free_space else 0.0
        return axis.size + reach

    def least_updates(self, axis: Axis, start: float, stop: float) -> float:
        """Lower bound on the number of updates per node over an interval of t."""
        return 1.0

    def operator_bytes(self, axis: Axis, start: float, stop: float) -> float:
        """Bytes for the list of steps of an interval, if it is stored."""
        return 0.0

    def options(self) -> dict[str, Any]:
        """The options as JSON-like values."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def describe(self) -> dict[str, Any]:
        """Name, options and guaranteed properties, for files and tables."""
        return {
            "name": self.name,
            "options": self.options(),
            "target": self.target,
            "exact_in_time": self.exact_in_time,
            "order_time": self.order_time if math.isfinite(self.order_time) else "exact",
            "order_space": self.order_space if math.isfinite(self.order_space) else "spectral",
        }


@functools.lru_cache(maxsize=4096)
def _reach(solver: Solver, axis: Axis, path: Path) -> int:
    if path[-1] <= 0:
        return 0
    # the symbol of an exact-in-time Gaussian is widest at y ~ log(1/tail) h / sigma
    # Every shift y gives a valid bound, so the ranges and numbers of samples (tastes) decide only how tight it is.
    scale = axis.spacing / math.sqrt(path[-1])
    most = min(40.0 * max(scale, 1.0), 0.999 * solver.nearest_pole(axis, path))
    shift = np.geomspace(min(0.05 * min(scale, 1.0), 0.1 * most), most, 160)
    turn = np.linspace(0.0, np.pi, 17)
    # shifts at which the symbol overflows, or has a pole in between, say nothing and are left out below
    with np.errstate(all="ignore"):
        largest = np.abs(solver.symbol(turn[None, :] + 1j * shift[:, None], axis, path)).max(axis=1)
        tail = (np.log(largest) - np.log1p(-np.exp(-shift)) + math.log(2 / _TAIL)) / shift
    return math.ceil(float(tail[np.isfinite(tail)].min()))


class Flow(ABC):
    """An evolution in progress: computes the field at successive variances.

    Attributes
    ----------
    finite
        Whether all of the last field is finite, if the flow has looked while it wrote it; otherwise None.
    """

    finite: bool | None = None

    @abstractmethod
    def advance(self, variances: tuple[float, ...], out: Array) -> None:
        """Write u at these variances (one per axis) into `out`."""

    @property
    @abstractmethod
    def paths(self) -> tuple[Path, ...]:
        """The successive variances, axis by axis, that led to the present field."""


class LineOperator(Protocol):
    """A linear map applied to every line along one axis."""

    def apply(self, source: Array, target: Array, position: int) -> None:
        """Map the lines along array axis `position` of `source` into `target`; both may be the same array."""
        ...


class LineSolver(Solver):
    """A solver given by an operator for one axis and one interval of t.

    Attributes
    ----------
    padded
        Whether the line passed to `build` is continued in free space; False for a scheme that handles the exterior
        itself.
    """

    padded: ClassVar[bool] = True

    @abstractmethod
    def build(self, line: Line, axis: Axis, start: float, stop: float, dtype: np.dtype[Any]) -> LineOperator:
        """Make the operator that takes lines along this axis from t = start to t = stop.

        Parameters
        ----------
        line
            The axis as it is solved: in free space continued on both sides as far as the scheme reaches.
        axis
            For its spacing, and for schemes that continue it themselves.
        start, stop
            The interval of t.
        dtype
            Type of the field.
        """

    def operator(self, axis: Axis, start: float, stop: float, dtype: np.dtype[Any]) -> LineOperator:
        """The result of `build`, cached for the next call with the same arguments."""
        return _operator(self, axis, start, stop, dtype)

    def gradient_operator(self, axis: Axis, variance: float, dtype: np.dtype[Any]) -> LineOperator | None:
        """The operator from Q to du/dx along this axis, or None if u is differenced instead."""
        return None

    def work_steps(self, axis: Axis, start: float, stop: float) -> int:
        """Number of time steps in an interval, for the estimate of the work."""
        return 1

    def rows(self, axis: Axis, variance: float) -> float:
        return super().rows(axis, variance) if self.padded else float(axis.size)

    def least_updates(self, axis: Axis, start: float, stop: float) -> float:
        return float(self.work_steps(axis, start, stop))

    def rounding(self, axis: Axis, path: Path) -> float:
        # a step rounds each of its few products and sums once, and its weights sum to one within as much
        steps = sum(self.work_steps(axis, a, b) for a, b in itertools.pairwise(path))
        return 16.0 + 8.0 * steps

    def start(self, values: Array, grid: Grid) -> Flow:
        return LineFlow(self, values, grid)

    def gradient(
        self, initial: Array, field: Array, grid: Grid, variances: tuple[float, ...], position: int, out: Array
    ) -> None:
        operator = self.gradient_operator(grid[position], variances[position], initial.dtype)
        if operator is None:
            super().gradient(initial, field, grid, variances, position, out)
            return
        # the operator with the derivative takes this axis from Q, so the others have to be done before, from Q too
        others = tuple(0.0 if i == position else t for i, t in enumerate(variances))
        self.start(initial, grid).advance(others, out)
        operator.apply(out, out, initial.ndim - grid.dimensions + position)


# An evolution asks for one operator per axis and sigma, again and again if it is drawn or differentiated, and its
# cross-check for as many: 128 hold 20 levels along 3 axes for two solvers, a taste.
@functools.lru_cache(maxsize=128)
def _operator(solver: LineSolver, axis: Axis, start: float, stop: float, dtype: np.dtype[Any]) -> LineOperator:
    # the padded line is mirrored far out, so that the nearest image of the box stands at twice the padding
    padding = -(-solver.reach(axis, (start, stop)) // 2) if axis.rule.free_space and solver.padded else 0
    return with_faces(
        axis, lambda place, kind: solver.build(line_along(place, padding), place, start, stop, kind), dtype
    )


class LineFlow(Flow):
    """Evolution by a line solver.

    A marching solver goes from sigma to sigma along closed axes. In free space the field outside the box, which is
    not kept, has changed by then; there each sigma starts again from t = 0, as it does where values on faces are needed
    (`Axis.starts_anew`). The order of the axes is free, because the operators along different axes commute exactly.
    """

    def __init__(self, solver: LineSolver, values: Array, grid: Grid) -> None:
        self.solver = solver
        self.grid = grid
        self.initial = values
        # closed axes: how far they have been marched, the field there, and by which steps; `initial` is never written
        # to
        self._now = (0.0,) * grid.dimensions
        self._reached = self._now
        self._state = values
        self._first = values.ndim - grid.dimensions
        self._free = [axis.starts_anew for axis in grid]
        self._march: list[Path] = [(0.0,)] * grid.dimensions

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(
            (0.0, reached) if free or self.solver.exact_in_time else path
            for path, reached, free in zip(self._march, self._reached, self._free, strict=True)
        )

    def _apply(self, source: Array, target: Array, start: tuple[float, ...], stop: tuple[float, ...]) -> None:
        """Take all axes from their own start to their own stop."""
        for position, axis in enumerate(self.grid):
            # an axis without noise is left as it is; the first that moves reads `source`, the others work in place
            if stop[position] > start[position]:
                self.solver.check(axis, start[position], stop[position])
                operator = self.solver.operator(axis, start[position], stop[position], source.dtype)
                operator.apply(source, target, self._first + position)
                source = target
        if source is not target:
            np.copyto(target, source)

    def advance(self, variances: tuple[float, ...], out: Array) -> None:
        zero = (0.0,) * self.grid.dimensions
        self._reached = variances
        if self.solver.exact_in_time:
            self._apply(self.initial, out, zero, variances)
            return
        # marching backwards is unstable: an earlier variance is reached from Q again
        if any(later < now for later, now in zip(variances, self._now, strict=True)):
            self._now, self._state, self._march = zero, self.initial, [(0.0,)] * self.grid.dimensions
        # Closed axes march on from the last sigma, free ones begin anew from t = 0: the marched field is kept apart
        # from the one that is handed out, unless no axis is free.
        closed = tuple(now if free else t for t, now, free in zip(variances, self._now, self._free, strict=True))
        outside = tuple(t if free else 0.0 for t, free in zip(variances, self._free, strict=True))
        before = self._state
        if any(self._free):
            if closed != self._now:
                # Q must not be overwritten; from then on the state is marched in place
                if before is self.initial:
                    self._state = np.empty_like(self.initial)
                self._apply(before, self._state, self._now, closed)
            self._apply(self._state, out, zero, outside)
        else:
            self._apply(before, out, self._now, closed)
            self._state = out
        self._march = [
            # only intervals that were really taken count for the symbol and the bounds
            path if t == now else (*path, t)
            for path, t, now in zip(self._march, closed, self._now, strict=True)
        ]
        self._now = closed


def difference_gradient(field: Array, grid: Grid, position: int, out: Array | None = None) -> Array:
    """du/dx_i by fourth-order differences: (u_{i-2} - 8 u_{i-1} + 8 u_{i+1} - u_{i+2}) / 12 h.

    Across the ends the field continues by its boundary; where the field outside is not stored (in free space) or the
    values on the walls are not (faces of cells), the four outermost nodes take one-sided differences of the same order
    (second order below 6 nodes). In free space a solver puts central ones in their place, see `Solver.gradient`.

    Parameters
    ----------
    field
        Shape (*batch, *grid.shape).
    grid
        The grid of the field.
    position
        Which axis of the grid.
    out
        Where to write, shape of the field.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.solvers.base import difference_gradient
    >>> grid = Grid(Axis("x", 0.0, 5.0, 6, boundary="clip"))
    >>> difference_gradient(np.arange(6.0) ** 2, grid, 0).round(12)
    array([ 0.,  2.,  4.,  6.,  8., 10.])
    """
    axis = grid[position]
    along = field.ndim - grid.dimensions + position
    result = np.empty_like(field) if out is None else out
    # the one-sided stencils below take five nodes from each end
    if axis.starts_anew and axis.size < 6:
        result[...] = np.gradient(field, axis.spacing, axis=along, edge_order=2)
        return result
    # any continuation will do there: the rows that it reaches are replaced below
    rule = boundaries.get("reflect" if axis.starts_anew else axis.boundary)
    extension = rule.extend(axis.size, axis.nodes, 2, 2)
    shape = [1] * field.ndim
    shape[along] = extension.source.size
    # two nodes more at each end, so that one formula serves all rows
    extended = np.take(field, extension.source, axis=along)
    if rule.holds_ends:
        # odd about each held end value: u(-x) = 2 u(0) - u(x)
        for i in (0, 1, -1, -2):
            end = part(field, along, 0, 1) if i >= 0 else part(field, along, axis.size - 1, None)
            place = (slice(None),) * along + (slice(i, i + 1 or None),)
            extended[place] = 2 * end - extended[place]
    size = axis.size
    scale = 1.0 / (12.0 * axis.spacing)
    np.subtract(part(extended, along, 3, 3 + size), part(extended, along, 1, 1 + size), out=result)
    result *= 8.0 * scale
    result -= scale * (part(extended, along, 4, 4 + size) - part(extended, along, 0, size))
    if axis.starts_anew:
        _one_sided(field, along, scale, result)
    return result


# Differences of fourth order, in units of 1 / 12 h, at the first and the second of five nodes.
_FIRST_NODE: Sequence[float] = (-25.0, 48.0, -36.0, 16.0, -3.0)
_SECOND_NODE: Sequence[float] = (-3.0, -10.0, 18.0, -6.0, 1.0)


def _one_sided(field: Array, along: int, scale: float, result: Array) -> None:
    size = field.shape[along]
    for row, coefficients in ((0, _FIRST_NODE), (1, _SECOND_NODE)):
        low = sum(c * part(field, along, j, j + 1) for j, c in enumerate(coefficients))
        high = sum(-c * part(field, along, size - 1 - j, size - j) for j, c in enumerate(coefficients))
        part(result, along, row, row + 1)[...] = scale * np.asarray(low)
        part(result, along, size - 1 - row, size - row)[...] = scale * np.asarray(high)
