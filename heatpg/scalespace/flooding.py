"""Basins of attraction of one field: the maximum at which gradient ascent from each node ends.

The labels follow the gradient flow x' = grad u, not hops between nodes: a chain of steepest hops keeps to the eight
directions of the grid, and the boundaries that it draws are off by a fraction of the box however fine the grid is.
Here nodes are labelled as if from the highest down. A node whose higher neighbours agree belongs where they do, because
its path leaves between two of them. From the others, which line the boundaries, the path is integrated until the nodes
around it agree. So an error at one node does not propagate, boundaries are accurate to a cell or less, and volumes
converge with the spacing.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.extrema import neighbourhood
from heatpg.core.grid import Grid, GridLike, as_grid
from heatpg.errors import GridError, NonFiniteError
from heatpg.scalespace.labelling import label_in_place, label_nodes, sort_ties
from heatpg.tools.arguments import finite_number
from heatpg.tools.arrays import real_array
from heatpg.tools.calls import checked_call
from heatpg.tools.resources import require_memory

__all__ = ["BYTES_PER_NODE", "Flooding", "ascent_labels", "flood"]

Array = NDArray[Any]

_STEP = 1.0  # of a path, in cells of the axis along which it moves fastest (taste)
BYTES_PER_NODE = 64
"""Of memory while one field is labelled: the field, its order, labels, components and the bookkeeping of volumes."""


@dataclasses.dataclass(frozen=True)
class Flooding:
    """Labels of one field, and where the ascent from the nodes without one stalls.

    Attributes
    ----------
    labels
        Shape of the grid; -1 where ascent stalls.
    maxima
        Flat index of the maximum of each basin, in the order of the labels.
    stalls
        Flat index of a node of the flat stretch where ascent from each unlabelled node stalls, in their order.
    """

    labels: NDArray[np.int32]
    maxima: NDArray[np.int64]
    stalls: NDArray[np.int64]


def flood(field: Array, grid: Grid, tolerance: float) -> Flooding:
    """Labels of the nodes of a field; see `ascent_labels`."""
    u = np.ascontiguousarray(field, dtype=np.float64).reshape(-1)
    if float(u.max()) - float(u.min()) <= tolerance:
        return Flooding(np.full(grid.shape, -1, np.int32), np.empty(0, np.int64), np.arange(u.size, dtype=np.int64))
    shape, periodic, offsets = neighbourhood(grid)
    strides = np.array([math.prod(grid.shape[a + 1 :]) for a in range(grid.dimensions)], dtype=np.int64)
    spacing = np.array(grid.spacing)
    # In index units x_i' = D_i u / h_i^2: one h_i from the difference, one from the unit. Relative to the smallest
    # spacing, whose square may under- or overflow.
    rates = (spacing.min() / spacing) ** 2
    closeness = 1.0 / np.sqrt(((offsets * (spacing / spacing.min())) ** 2).sum(axis=1))
    arguments = (shape, strides, periodic, offsets, offsets @ strides, closeness, rates, _STEP, tolerance)
    inside = np.zeros(grid.shape, dtype=bool)
    inside[(slice(1, -1),) * grid.dimensions] = True
    done, labels, tops = label_in_place(u, inside.reshape(-1), *arguments)
    if done:
        # numbered from the highest down
        order = np.lexsort((tops, -u[tops]))
        rank = np.empty(order.size, np.int32)
        rank[order] = parent = np.arange(order.size, dtype=np.int32)
        labels, tops, flat = rank[labels], tops[order], np.zeros(order.size, dtype=bool)
    else:
        order = np.argsort(-u)
        # so that labels depend neither on the sort nor on the machine
        sort_ties(u, order)
        labels, tops, parent, flat = label_nodes(u, order, *arguments)
    # every component's last root, by pointer jumping: each round doubles the distance that is seen
    roots = parent
    while not np.array_equal(roots, parent[roots]):
        roots = parent[roots]
    height = u[tops]
    # a flat component that was merged into a higher one, farther away than round-off, is a shelf on a slope
    stalled = flat & (height[roots] - height > tolerance)
    own = np.flatnonzero(roots == np.arange(roots.size))
    # the optimum first, the others by value; of several that share the top the first one along the axes
    best = height[own].max()
    key = np.where(height[own] >= best - tolerance, np.inf, height[own])
    own = own[np.lexsort((tops[own], -key))]
    rank = np.empty(roots.size, np.int32)
    rank[own] = np.arange(own.size, dtype=np.int32)
    rank = rank[roots]
    rank[stalled] = -1
    ranked = rank[labels]
    return Flooding(ranked.reshape(grid.shape), tops[own], tops[labels[ranked < 0]])


def _check_field(field: ArrayLike, grid: Grid, tolerance: float) -> Array:
    array = real_array("the field", field)
    if array.shape != grid.shape:
        raise GridError(
            "the field has the wrong shape for the grid", given=f"shape {array.shape}", allowed=f"shape {grid.shape}"
        )
    if not np.isfinite(array).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise NonFiniteError(f"the field is not finite at index {first}", given=f"{array[first]}")
    finite_number("the tolerance", tolerance, lower=0.0)
    return array


@checked_call()
def ascent_labels(
    field: ArrayLike, grid: GridLike, *, tolerance: float = 0.0
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Label every node with the maximum that gradient ascent from it ends at.

    Nodes are taken from the highest down. One whose higher neighbours (of 3^d - 1) agree has their label; from any
    other the path x' = grad u, differences interpolated linearly, is followed by the midpoint rule until the corners
    of a cell agree. The spacing of each axis counts; at an edge of the box ascent continues along it, as that of
    clipped actions does.

    Parameters
    ----------
    field
        u, shape of the grid.
    grid
        Where it is sampled.
    tolerance
        A maximum that rises no more than this above the pass to a higher one is round-off, and belongs to the higher
        one (persistence).

    Returns
    -------
    labels
        Shape of the grid, int32. 0 is the basin of the largest value, the others follow by value; of several that
        agree with the largest within the tolerance, the one of lowest flat index is first. -1 where ascent stalls:
        on a plateau that is not a maximum, with a node whose neighbours all agree with it within the tolerance, and
        where ascent leads up to such a stretch. A field that is flat within the tolerance is -1 throughout.
    maxima
        Flat index of the highest node of each basin, in the order of the labels; a plateau has that of its first
        node.

    Raises
    ------
    GridError, NonFiniteError, OptionError
        For a field of another shape, not finite, or not real; for a tolerance that is negative or not finite.

    Notes
    -----
    Boundaries are off by less than a cell where the field is smooth on the grid (a tenth between round peaks, more
    where peaks are a cell or two wide), so that volumes converge like the spacing. A node on a boundary goes to one
    of its sides. Where values jump from node to node (sigma below the spacing) the path turns back at once, and the
    node goes where the steepest slope leads.
    N log N operations for N nodes, and the paths from the boundary nodes.

    References
    ----------
    L. Vincent, P. Soille, Watersheds in digital spaces, IEEE Trans. Pattern Anal. Mach. Intell. 13 (1991) 583,
    doi:10.1109/34.87344. On the bias of hops between nodes: W. Tang, E. Sanville, G. Henkelman, A grid-based Bader
    analysis algorithm without lattice bias, J. Phys.: Condens. Matter 21 (2009) 084204,
    doi:10.1088/0953-8984/21/8/084204.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.scalespace.flooding import ascent_labels
    >>> grid = Grid(Axis("x", 0, 7, 8, boundary="clip"))
    >>> labels, maxima = ascent_labels([0.0, 2, 1, 0.5, 4, 3, 3.5, 2], grid)
    >>> labels, maxima
    (array([2, 2, 2, 0, 0, 0, 1, 1], dtype=int32), array([4, 6, 1]))
    """
    grid = as_grid(grid)
    array = _check_field(field, grid, tolerance)
    require_memory(BYTES_PER_NODE * grid.size, f"labels of {grid.size:,} nodes", "use a coarser grid")
    found = flood(array, grid, tolerance)
    return found.labels, found.maxima
