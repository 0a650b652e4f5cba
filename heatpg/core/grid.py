"""Axes with their nodes and boundary conditions, and the tensor grid that they span."""

# One file, because a grid is nothing but its axes, and each of its questions is put to them.

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.boundaries import Boundary, boundaries
from heatpg.errors import BoundaryError, GridError, SigmaError
from heatpg.tools import html
from heatpg.tools.arguments import real_number
from heatpg.tools.arrays import real_numbers
from heatpg.tools.calls import checked_class
from heatpg.tools.numbers import number_words, snapped
from heatpg.tools.options import add_synonyms, nearest, shown
from heatpg.tools.resources import require_memory

__all__ = [
    "NODES",
    "Axis",
    "Grid",
    "GridLike",
    "as_grid",
    "axes_html",
    "first_of_batch",
    "label_for",
    "sigma_advice",
    "usable_name",
]

_MINIMUM_SIZE = 3  # a second difference needs them
# What Gregory's rule adds to the trapezoid rule, or to the midpoint rule, at so many nodes from an end, in spacings.
_GREGORY = {
    ("vertex", 3): (-3 / 24, 4 / 24, -1 / 24),
    ("vertex", 4): (-109 / 720, 177 / 720, -87 / 720, 19 / 720),
    ("cell", 3): (2 / 24, -3 / 24, 1 / 24),
    ("cell", 4): (703 / 5760, -1389 / 5760, 909 / 5760, -223 / 5760),
}
_EXAMPLE = "Grid(Axis('x', -1.0, 1.0, 101, boundary='clip'))"
NODES = ("vertex", "cell")
"""Where nodes may lie."""
add_synonyms(
    {
        "cell": dict.fromkeys(("center", "centre", "centers", "centres", "cell_center", "midpoint", "pixel"), ""),
        "vertex": dict.fromkeys(("node", "corner", "point", "endpoint"), ""),
    }
)
_MOST_ROWS = 8  # of a table of axes in a notebook
# names that every file has beside those of the axes, as heatpg.store.record has them
_NAMES_OF_THE_FILE = re.compile(r"u|sigma|time|landscape|standard_error|VTKHDF|level|axis|batch\d+|heatpg_\w*")


def _finite(value: object, what: str, axis: str) -> float:
    number = real_number(f"axis {axis!r}: {what}", value, GridError)
    if not math.isfinite(number):
        raise GridError(f"axis {axis!r}: {what} must be finite", given=number)
    return number


def usable_name(text: str) -> str:
    """The nearest name that an axis can have, for names from files of other programs.

    Examples
    --------
    >>> from heatpg.core.grid import usable_name
    >>> usable_name("learning rate"), usable_name("2nd"), usable_name("time"), usable_name("")
    ('learning_rate', 'axis_2nd', 'time_axis', 'axis_')
    """
    name = re.sub(r"\W", "_", text)
    if not re.match(r"[A-Za-z]", name):
        name = f"axis_{name}"
    return f"{name}_axis" if _NAMES_OF_THE_FILE.fullmatch(name) else name


def sigma_advice(sigma: float) -> str:
    """What to do about a noise level that is none."""
    if math.isfinite(sigma):
        return f"sigma is a standard deviation: pass {abs(sigma):g}"
    return "check the numbers from which sigma was computed"


def _check_sigma(sigma: float) -> float:
    number = real_number("sigma", sigma, SigmaError, allowed="a number >= 0")
    if not (math.isfinite(number) and number >= 0):
        raise SigmaError(
            "sigma must be finite and not negative", given=sigma, allowed="numbers >= 0", advice=sigma_advice(number)
        )
    return number


def label_for(name: str, long_name: Any) -> str:
    """The label of an axis from the attribute ``long_name``, which says nothing where it repeats the name."""
    return long_name if isinstance(long_name, str) and long_name != name else ""


@checked_class()
@dataclasses.dataclass(frozen=True)
class Axis:
    """One axis of a grid: uniform nodes between two bounds, and a boundary condition.

    With ``periodic`` the nodes are x_i = lower + i h, h = (upper - lower) / size: the lower bound is
    a node, the upper is not. All other boundary conditions include both bounds, h = (upper - lower) / (size - 1).
    With ``nodes="cell"`` the nodes are cell centres under every boundary condition, x_i = lower + (i + 1/2) h, h =
    (upper - lower) / size.

    The edges are at `lower` and `upper`. With ``clip`` or ``absorb`` and cell centres no node lies on an edge; the
    value there is extrapolated by the cubic through the nearest four cells. u then lies between the smallest and the
    largest of the cells *and* these edge values, which may exceed the cells where Q is rough near the edge.

    Parameters
    ----------
    name
        Name of the axis, an identifier; also the name of the dimension in files.
    lower, upper
        Bounds of the box along this axis, in `unit`.
    size
        Number of nodes, at least 3.
    boundary
        ``periodic``, ``reflect``, ``absorb``, ``clip`` or ``zero``; there is no default, because the boundary condition
        is part of the policy.
    nodes
        ``vertex`` or ``cell``, as above.
    unit
        Unit of the bounds, for labels.
    label
        Label in figures and pages, instead of the name: any text, including mathematics between dollar signs. It does
        not affect results, and axes that differ only in their labels are equal.

    Raises
    ------
    GridError
        For a bad name, bounds that are not finite or not in order, or fewer than 3 nodes.
    BoundaryError, UnknownNameError
        For a missing or unknown boundary condition.

    Examples
    --------
    >>> from heatpg import Axis
    >>> Axis("torque", -1.0, 1.0, 5, boundary="clip", unit="N m").coordinates
    array([-1. , -0.5,  0. ,  0.5,  1. ])
    >>> Axis("angle", 0.0, 4.0, 4, boundary="periodic").coordinates
    array([0., 1., 2., 3.])
    >>> Axis("theta", 0.0, 1.0, 5, boundary="clip", label=r"angle $\\theta$").title
    'angle $\\\\theta$'
    """

    name: str
    lower: float
    upper: float
    size: int
    boundary: str = ""
    nodes: Literal["vertex", "cell"] = "vertex"
    unit: str = ""
    label: str = dataclasses.field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[A-Za-z]\w*", self.name):
            raise GridError(
                "the name of an axis must be a valid identifier",
                given=repr(self.name),
                allowed="a letter followed by letters, digits and underscores",
            )
        if _NAMES_OF_THE_FILE.fullmatch(self.name):
            raise GridError(
                "this axis name is reserved by the file format", given=repr(self.name), advice="choose another"
            )
        if not isinstance(self.label, str):
            raise GridError(f"axis {self.name!r}: the label must be text", given=repr(self.label), allowed="a text")
        # numbers of all kinds come in, from NumPy too; what is kept is plain, so that axes compare, hash and print
        # alike
        lower = _finite(self.lower, "lower", self.name)
        upper = _finite(self.upper, "upper", self.name)
        if not lower < upper:
            raise GridError(
                f"axis {self.name!r}: lower must be below upper",
                given=f"lower={lower:g}, upper={upper:g}",
                advice="swap them, or widen the box",
            )
        # True is 1 for Python
        size = 0.0 if isinstance(self.size, bool) else _finite(self.size, "size", self.name)
        few = "for data with one node omit the axis: np.squeeze(values)" if size in (1, 2) else ""
        if size != int(size) or size < _MINIMUM_SIZE:
            raise GridError(
                f"axis {self.name!r}: size must be a whole number of nodes, at least 3",
                given=f"size={self.size!r}",
                allowed="3, 4, ...",
                advice=few,
            )
        if not self.boundary or not isinstance(self.boundary, str):
            raise BoundaryError(
                f"axis {self.name!r} needs a boundary condition (boundary=)",
                given=repr(self.boundary),
                allowed=", ".join(map(repr, boundaries.names())),
                advice="pass 'clip' for clipped actions, 'periodic' for angles; heatpg list boundaries explains each",
                command=f"add it to --boundary: {self.name}=NAME; heatpg list boundaries explains each",
            )
        if self.nodes not in ("vertex", "cell"):
            raise GridError(
                f"axis {self.name!r}: unknown value of nodes=",
                given=repr(self.nodes),
                allowed="'vertex' or 'cell'",
                advice=nearest(str(self.nodes), NODES),
            )
        boundaries.get(self.boundary)
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)
        object.__setattr__(self, "size", int(size))
        if not math.isfinite(upper - lower):
            raise GridError(
                f"axis {self.name!r}: the length of the box is out of the range of double precision",
                given=f"lower={lower:g}, upper={upper:g}",
                advice="change the unit of this axis",
            )
        require_memory(24.0 * size, f"an axis of {size:,.0f} nodes", "use fewer nodes")
        # far from 0 the spacing may be less than the distance of two doubles
        if not self.spacing > 0 or not np.all(np.diff(self.coordinates) > 0):
            raise GridError(
                f"axis {self.name!r}: neighbouring nodes are equal in double precision",
                given=f"{self.size} nodes between {lower!r} and {upper!r}",
                advice="shift the origin of this axis",
            )

    def as_dict(self) -> dict[str, Any]:
        """The parameters of the axis as JSON-like values; the label only if there is one.

        Examples
        --------
        >>> from heatpg import Axis
        >>> list(Axis("x", 0.0, 1.0, 5, boundary="clip").as_dict())
        ['name', 'lower', 'upper', 'size', 'boundary', 'nodes', 'unit']
        """
        return {key: value for key, value in dataclasses.asdict(self).items() if key != "label" or value}

    @property
    def title(self) -> str:
        """The label, or the name where there is none."""
        return self.label or self.name

    @property
    def heading(self) -> str:
        """The title with the unit, as shown next to the axis."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def rule(self) -> Boundary:
        """The boundary as an object."""
        return boundaries.get(self.boundary)

    @property
    def faced(self) -> bool:
        """Whether the values on the walls count and no node is there: ``clip`` and ``absorb`` with nodes in cells."""
        return self.rule.faced(self.nodes)

    @property
    def starts_anew(self) -> bool:
        """Whether each sigma starts from Q: values outside, or on faces between nodes, are in no stored field."""
        return self.rule.free_space or self.faced

    @property
    def length(self) -> float:
        """upper - lower."""
        return self.upper - self.lower

    @property
    def origin(self) -> float:
        """Origin for positions that avoids rounding: 0, or the nearer bound of a box far from 0.

        Far means farther than the length of the box. Differences between positions in the box and this bound are exact.

        Examples
        --------
        >>> from heatpg import Axis
        >>> [Axis("x", a, a + 2, 5, boundary="clip").origin for a in (-1.0, 1.5, 1e9, -1e9)]
        [0.0, 0.0, 1000000000.0, -999999998.0]
        """
        if self.lower <= self.length and -self.upper <= self.length:
            return 0.0
        return self.lower if self.lower > 0 else self.upper

    @property
    def spacing(self) -> float:
        """Distance h between neighbouring nodes."""
        both_ends = self.nodes == "vertex" and self.boundary != "periodic"
        return self.length / (self.size - 1 if both_ends else self.size)

    @property
    def coordinates(self) -> NDArray[np.float64]:
        """Positions of the nodes, shape (size,)."""
        if self.nodes == "cell":
            return np.asarray(self.lower + (np.arange(self.size) + 0.5) * self.spacing, dtype=np.float64)
        nodes = np.asarray(self.lower + np.arange(self.size) * self.spacing, dtype=np.float64)
        if self.boundary != "periodic":
            # lower + (n - 1) h rounds, and the last node is to be the bound itself
            nodes[-1] = self.upper
        return nodes

    @property
    def weights(self) -> NDArray[np.float64]:
        """Quadrature weights of the nodes for an integral over the box: h, and h/2 at vertex ends."""
        return self.integration_weights(0)

    def integration_weights(self, end_nodes: int) -> NDArray[np.float64]:
        """Quadrature weights of an integral over the box with end corrections (Gregory's rule).

        Parameters
        ----------
        end_nodes
            Number of corrected nodes at each end: 3 or 4, or 0 for the trapezoid rule (midpoint rule for cell centres),
            which suits fields whose continuation has no kink at the edges, such as u along ``reflect``.

        Examples
        --------
        >>> from heatpg import Axis
        >>> Axis("x", 0.0, 2.0, 3, boundary="reflect").integration_weights(0).tolist()
        [0.5, 1.0, 0.5]
        """
        weights = np.ones(self.size)
        if self.boundary != "periodic":
            if self.nodes == "vertex":
                weights[[0, -1]] = 0.5
            used = min(end_nodes, self.size)
            if used:
                added = np.array(_GREGORY[self.nodes, used])
                # short lines are corrected from both ends at once
                weights[:used] += added
                weights[::-1][:used] += added
        return weights * self.spacing

    @property
    def relative_weights(self) -> NDArray[np.float64]:
        """`weights` divided by a power of two near the spacing, which changes no digit; for means."""
        return np.asarray(np.ldexp(self.weights, -math.frexp(self.spacing)[1]))

    def margin(self, sigma: float, probability: float = 0.01) -> float:
        """Width of the zone along each edge in which noise crosses that edge with more than this probability.

        Zero without an exterior (periodic, reflect, absorb). With the free-space conditions (clip, zero) the result in
        this zone depends on the assumption about the exterior.

        Raises
        ------
        SigmaError
            For a sigma that is negative or not finite, or a probability that is not between 0 and 1.

        Examples
        --------
        >>> from heatpg import Axis
        >>> round(Axis("x", 0, 1, 11, boundary="clip").margin(0.1, probability=0.001), 3)
        0.309
        """
        sigma = _check_sigma(sigma)
        probability = real_number("the probability of a margin", probability, SigmaError, allowed="0 to 1")
        if not 0 < probability < 1:
            raise SigmaError("the probability of a margin is out of range", given=probability, allowed="0 to 1")
        if not self.rule.free_space or sigma == 0:
            return 0.0
        from scipy.special import ndtri

        # below one half the quantile is negative, and its distance from the edge positive; above it there is no margin
        return min(self.length, max(0.0, float(-sigma * ndtri(probability))))

    def escape(self, sigma: float) -> NDArray[np.float64]:
        """Probability that noise of this sigma leaves the box from each node, shape (size,)."""
        sigma = _check_sigma(sigma)
        if not self.rule.free_space or sigma == 0:
            return np.zeros(self.size)
        from scipy.special import ndtr

        x = self.coordinates
        return np.asarray(ndtr((self.lower - x) / sigma) + ndtr((x - self.upper) / sigma))


def _outer(weights: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The weights of a box from those of its axes; read-only, because they are kept."""
    # an outer product from the empty one on: the same for any number of axes
    product = np.ones(())
    for each in weights:
        product = np.multiply.outer(product, each)
    product.setflags(write=False)
    return product


class Grid:
    """A tensor grid: the product of its axes.

    Parameters
    ----------
    *axes
        One or more `Axis`, with different names.

    Raises
    ------
    GridError
        If there is no axis, an argument is not an `Axis`, or two axes have the same name.

    Examples
    --------
    >>> from heatpg import Axis, Grid
    >>> grid = Grid(Axis("u1", 0, 1, 3, boundary="clip"), Axis("u2", 0, 3, 4, boundary="clip"))
    >>> grid.shape, grid.spacing
    ((3, 4), (0.5, 1.0))
    """

    def __init__(self, *axes: Axis) -> None:
        if not axes:
            raise GridError(
                "a grid needs at least one axis",
                given="none",
                advice=_EXAMPLE,
            )
        for axis in axes:
            if not isinstance(axis, Axis):
                advice = "pass the axes one by one: Grid(*axes)" if isinstance(axis, list | tuple) else _EXAMPLE
                raise GridError("Grid takes Axis objects", given=shown(axis), advice=advice)
        names = [axis.name for axis in axes]
        if len(set(names)) < len(names):
            raise GridError("axes must have different names", given=", ".join(names), advice="rename one of them")
        self.axes: tuple[Axis, ...] = tuple(axes)

    def __repr__(self) -> str:
        return f"Grid({', '.join(map(repr, self.axes))})"

    def _repr_html_(self) -> str:
        nodes = f"{html.times(self.shape)} nodes" + (f" = {self.size:,}" if self.dimensions > 1 else "")
        return html.page(html.heading("Grid", "", nodes), axes_html(self))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Grid) and self.axes == other.axes

    def __hash__(self) -> int:
        return hash(self.axes)

    def __iter__(self) -> Iterator[Axis]:
        return iter(self.axes)

    def __getitem__(self, key: int | str) -> Axis:
        return self.axes[self.index(key) if isinstance(key, str) else key]

    def index(self, name: str) -> int:
        """Index of the axis with this name."""
        names = [axis.name for axis in self.axes]
        if name not in names:
            raise GridError("no axis with this name", given=repr(name), allowed=", ".join(names))
        return names.index(name)

    @property
    def dimensions(self) -> int:
        """Number of axes."""
        return len(self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of nodes along each axis."""
        return tuple(axis.size for axis in self.axes)

    @property
    def size(self) -> int:
        """Number of nodes."""
        return math.prod(self.shape)

    @property
    def unit(self) -> str | None:
        """The common unit of all axes, possibly empty; None if they differ."""
        first, *others = (axis.unit for axis in self.axes)
        return first if all(unit == first for unit in others) else None

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance between nodes along each axis."""
        return tuple(axis.spacing for axis in self.axes)

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """Quadrature weights of the box, shape `shape`; their sum is its volume."""
        return _outer(axis.weights for axis in self.axes)

    @cached_property
    def relative_weights(self) -> NDArray[np.float64]:
        """`weights` divided by a power of two, shape `shape`: for means, finite even if the volume overflows."""
        return _outer(axis.relative_weights for axis in self.axes)

    def mesh(self) -> tuple[NDArray[np.float64], ...]:
        """Coordinates of all nodes, one array of shape `shape` per axis."""
        return tuple(np.meshgrid(*(axis.coordinates for axis in self.axes), indexing="ij"))

    def nodes(self) -> NDArray[np.float64]:
        """Coordinates of all nodes in the order of a flattened field, shape (size, dimensions).

        Examples
        --------
        >>> from heatpg import Axis, Grid
        >>> Grid(Axis("x", 0, 2, 3, boundary="clip")).nodes().ravel()
        array([0., 1., 2.])
        """
        return np.stack([axis.ravel() for axis in self.mesh()], axis=1)

    def point(self, index: Sequence[Any]) -> tuple[float, ...]:
        """Coordinates of one node."""
        return tuple(float(axis.coordinates[int(i)]) for axis, i in zip(self.axes, index, strict=True))

    def nearest_node(self, place: Iterable[float]) -> tuple[int, ...]:
        """Index of the node nearest to a point, around the period too; beyond the box the last node on that side.

        Examples
        --------
        >>> from heatpg import Axis, Grid
        >>> grid = Grid(Axis("a", 0.0, 4.0, 4, boundary="periodic"), Axis("b", 0.0, 4.0, 5, boundary="clip"))
        >>> grid.nearest_node([3.7, 3.7]), grid.nearest_node([1.2, 9.0])
        ((0, 4), (1, 4))
        """
        index = []
        for axis, x in zip(self, place, strict=True):
            i = round(float((x - axis.coordinates[0]) / axis.spacing))
            index.append(i % axis.size if axis.rule.periodic else min(max(i, 0), axis.size - 1))
        return tuple(index)

    def sigmas(self, sigma: float | Sequence[float]) -> tuple[float, ...]:
        """One sigma per axis, from a single number or one per axis."""
        allowed = f"one number >= 0, or {self.dimensions}, one per axis"
        given = real_numbers("sigma", sigma, SigmaError, allowed=allowed)
        try:
            # one number for all axes, or one for each
            values = np.broadcast_to(given, (self.dimensions,))
        except ValueError:
            raise SigmaError("sigma has the wrong shape for the grid", given=repr(sigma), allowed=allowed) from None
        if not np.all(np.isfinite(values)) or np.any(values < 0):
            raise SigmaError("sigma must be finite and not negative", given=sigma, allowed=allowed)
        return tuple(float(value) for value in values)

    def margin(self, sigma: float | Sequence[float], probability: float = 0.01) -> tuple[float, ...]:
        """Width of the zone along the edges of each axis where the box limits the accuracy; see `Axis.margin`."""
        return tuple(axis.margin(value, probability) for axis, value in zip(self.axes, self.sigmas(sigma), strict=True))

    def trust(self, sigma: float | Sequence[float], oscillation: float = 1.0) -> NDArray[np.float64]:
        """Bound on the error due to unknown Q outside the box: osc(Q) * P(noise leaves the box).

        Parameters
        ----------
        sigma
            Noise level, one or one per axis, in the units of the axes.
        oscillation
            osc(Q) = sup Q - inf Q, inside and outside the box.

        Returns
        -------
        bound
            Shape `shape`; zero if no axis has a free-space boundary condition.

        Examples
        --------
        >>> from heatpg import Axis, Grid
        >>> grid = Grid(Axis("x", -1, 1, 3, boundary="clip"))
        >>> grid.trust(0.5).round(3)
        array([0.5  , 0.046, 0.5  ])
        """
        stays = np.ones(())
        for axis, value in zip(self.axes, self.sigmas(sigma), strict=True):
            stays = np.multiply.outer(stays, 1.0 - axis.escape(value))
        # staying inside along every axis is independent, axis by axis
        return np.asarray(oscillation * (1.0 - stays))


def position_words(grid: Grid, position: ArrayLike, digits: int = 4) -> list[str]:
    """The coordinates of a point in words.

    Parameters
    ----------
    grid
        The box.
    position
        Coordinates, shape (dimensions,).
    digits
        Significant digits; more for a box far from 0, whose points have leading digits in common.

    Examples
    --------
    >>> from heatpg import Axis, Grid
    >>> from heatpg.core.grid import position_words
    >>> grid = Grid(Axis("t", 1.7e9, 1.7e9 + 3600, 61, boundary="clip"), Axis("x", 0, 1, 5, boundary="clip"))
    >>> position_words(grid, [1.7e9 + 1234.5, 1 / 3])
    ['1700001234', '0.3333']
    """
    places = zip(grid, np.asarray(position, dtype=np.float64).tolist(), strict=True)
    return [number_words(snapped(x, axis.spacing), axis.lower, axis.upper, digits) for axis, x in places]


def first_of_batch(values: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """The first field of a batch, which a figure shows; the field itself without batch axes.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.core.grid import Axis, Grid, first_of_batch
    >>> first_of_batch(np.arange(12).reshape(2, 2, 3), Grid(Axis("x", 0, 1, 3, boundary="clip")))
    array([0, 1, 2])
    """
    return np.asarray(values[(0,) * (values.ndim - grid.dimensions)])


def axes_html(grid: Grid) -> str:
    """The axes of a grid as a table of HTML: bounds, nodes, spacing, and boundary conditions.

    Examples
    --------
    >>> from heatpg.core.grid import Axis, Grid, axes_html
    >>> "actions clipped" in axes_html(Grid(Axis("x", 0, 1, 5, boundary="clip")))
    True
    """
    rows: list[tuple[str, ...]] = [
        (
            f"<b>{html.text(axis.name, 40)}</b>",
            html.number(axis.lower),
            html.number(axis.upper),
            html.text(axis.unit, 40),
            f"{axis.size:,}" + (" cells" if axis.nodes == "cell" else ""),
            html.number(axis.spacing),
            f'{html.text(axis.boundary)} <span style="{html.QUIET}">{html.text(axis.rule.meaning)}</span>',
        )
        for axis in grid.axes[:_MOST_ROWS]
    ]
    more = grid.dimensions - len(rows)
    if more:
        rows.append((f"and {more} more", *[""] * 6))
    return html.table(("axis", "from", "to", "unit", "nodes", "spacing", "boundary"), rows)


GridLike = Grid | Axis | Sequence[Axis]
"""What a grid can be given as."""


def as_grid(given: GridLike) -> Grid:
    """The grid itself, or that of one axis or of several in a list.

    Examples
    --------
    >>> from heatpg import Axis
    >>> from heatpg.core.grid import as_grid
    >>> as_grid(Axis("x", 0.0, 1.0, 5, boundary="clip")).shape
    (5,)
    """
    if isinstance(given, Grid):
        return given
    if isinstance(given, Axis):
        return Grid(given)
    if isinstance(given, list | tuple) and given:
        return Grid(*given)
    own = getattr(given, "grid", None)
    raise GridError(
        "grid must be a heatpg.Grid, or its axes",
        given=type(given).__name__,
        advice=f"pass the attribute grid of the {type(given).__name__}" if isinstance(own, Grid) else _EXAMPLE,
    )
