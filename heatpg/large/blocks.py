"""Blocks of whole lines, and the part of a flow that acts along a few neighbouring axes of them."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis, Grid
from heatpg.errors import ResourceError
from heatpg.solvers import Solver, wide
from heatpg.solvers.base import LineSolver
from heatpg.solvers.choice import Schedule
from heatpg.tools.parallel import threads
from heatpg.tools.resources import human_bytes

__all__ = ["Box", "Plan", "boxes", "carry", "work_bytes"]

Array = NDArray[Any]
Box = tuple[slice, ...]

# Arrays of the size of a block that are there at once: two of ours, and those of the solver; measured in the tests.
_ARRAYS_OF_LINES = 4
_ARRAYS_OF_TRANSFORMS = 6
_LANE_BYTES = 64
_BUNDLES = 3  # of lines, in the work space of a thread
_PADDING = 3  # times the length of an axis, of a line in free space
_FIXED = 2**23  # bytes; a chunk, its checksum, and blocks that stay in cache


def _extent(shape: Sequence[int], whole: Collection[int], points: int, steps: Sequence[int]) -> tuple[int, ...]:
    """Shape of a block of at most so many points, with some axes whole and the others cut from the first one on.

    An axis is cut into multiples of its step if those fit, into pieces of about the same length otherwise.
    """
    extent = list(shape)
    for i, size in enumerate(shape):
        total = math.prod(extent)
        if total <= points:
            break
        # as many steps as fit; of less than one step pieces of about the same length, so that the last is not tiny
        if i not in whole:
            fits = max(1, points // (total // size))
            extent[i] = fits // steps[i] * steps[i] if fits >= steps[i] > 1 else -(-size // -(-size // fits))
    return tuple(extent)


def boxes(shape: Sequence[int], extent: Sequence[int]) -> Iterator[Box]:
    """The blocks of an array, in C order.

    Examples
    --------
    >>> from heatpg.large.blocks import boxes
    >>> [tuple((part.start, part.stop) for part in box) for box in boxes((3, 2), (2, 2))]
    [((0, 2), (0, 2)), ((2, 3), (0, 2))]
    """
    ranges = (range(0, size, step) for size, step in zip(shape, extent, strict=True))
    for start in itertools.product(*ranges):
        yield tuple(slice(a, min(a + step, size)) for a, step, size in zip(start, extent, shape, strict=True))


def work_bytes(grid: Grid, dtype: np.dtype[Any]) -> int:
    """Bytes that the work takes whatever the size of the blocks: the bundles of lines of every thread."""
    longest = max(axis.size for axis in grid)
    return _FIXED + threads() * _BUNDLES * _PADDING * longest * max(_LANE_BYTES, dtype.itemsize)


@dataclasses.dataclass(frozen=True)
class Plan:
    """How an array is passed over: the last axes together, as many as fit, and the axes before them one by one.

    Attributes
    ----------
    shape
        Of the array, batch axes included.
    first
        Number of batch axes.
    together
        Axes of the array that are done in the last pass, in which the blocks follow each other in C order.
    singly
        Axes of the array that are done before, each in a pass of its own.
    extent
        Shape of the blocks of the last pass.
    points
        Points of a block.
    steps
        Lengths along each axis that blocks are multiples of, if they can.
    """

    shape: tuple[int, ...]
    first: int
    together: tuple[int, ...]
    singly: tuple[int, ...]
    extent: tuple[int, ...]
    points: int
    steps: tuple[int, ...]

    @classmethod
    def of(
        cls,
        grid: Grid,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        solver: Solver,
        memory: float,
        steps: tuple[int, ...],
    ) -> Plan:
        """The plan for so many bytes of memory.

        Raises
        ------
        ResourceError
            If not even single lines fit.
        """
        # transforms need room for coefficients besides
        arrays = _ARRAYS_OF_LINES if isinstance(solver, LineSolver) else _ARRAYS_OF_TRANSFORMS
        least = work_bytes(grid, dtype) + arrays * dtype.itemsize * max(grid.shape)
        points = int((memory - work_bytes(grid, dtype)) // (arrays * dtype.itemsize))
        if points < max(grid.shape):
            raise ResourceError(
                "the memory limit is too small for one line of the field",
                given=f"memory={human_bytes(memory)}, lines of {max(grid.shape):,} nodes",
                allowed=f"{human_bytes(least)} or more",
                advice="raise memory=, use fewer threads, or float32 values",
            )
        first = len(shape) - grid.dimensions
        begin = len(shape) - 1
        # from the last axis on: their blocks are contiguous in the file, and are written in its order
        while begin > first and math.prod(shape[begin - 1 :]) <= points:
            begin -= 1
        together = tuple(range(begin, len(shape)))
        extent = _extent(shape, together, points, steps)
        return cls(shape, first, together, tuple(range(first, begin)), extent, points, steps)

    def last(self) -> Iterator[Box]:
        """The blocks of the last pass, in C order."""
        return boxes(self.shape, self.extent)

    def along(self, axis: int) -> Iterator[Box]:
        """Blocks of whole lines along one axis."""
        return boxes(self.shape, _extent(self.shape, (axis,), self.points, self.steps))

    def count(self, moving: Collection[int]) -> int:
        """Number of blocks of all passes, where lines move along these axes."""
        singly = (axis for axis in self.singly if axis in moving)
        return sum(1 for axis in singly for _ in self.along(axis)) + sum(1 for _ in self.last())


def _filler(axes: Sequence[Axis], size: int) -> Axis:
    """An axis for the nodes that lie side by side of those that are solved; along it nothing happens."""
    name = "others"
    while name in [axis.name for axis in axes]:
        name += "_"
    # free space is what a transform solver leaves alone where sigma is 0
    return Axis(name, 0.0, float(size - 1), size, boundary="clip")


def carry(
    plan: Schedule,
    level: int,
    axes: Sequence[int],
    block: Array,
    positions: Sequence[int],
    out: Array,
) -> None:
    """Apply the operators of a level along neighbouring axes to a block of whole lines.

    Parameters
    ----------
    plan
        What is solved.
    level
        Which row of it.
    axes
        Which axes of the grid.
    block
        The values, C-contiguous.
    positions
        Where these axes are in the block: one after the other.
    out
        Shape of the block, C-contiguous, not the block itself.
    """
    if not block.size:
        return
    # the rows of variances on the way to this level, of these axes only
    march = [tuple(row[i] for i in axes) for row in plan.march(level)]
    if not any(march[-1]):
        np.copyto(out, block)
        return
    line_axes = [plan.grid[i] for i in axes]
    free = [axis.starts_anew for axis in line_axes]
    # on the way nothing is asked of the axes where each level starts again
    march[:-1] = [tuple(0.0 if f else t for f, t in zip(free, row, strict=True)) for row in march[:-1]]
    march = [row for row in march if any(row)]
    after = positions[-1] + 1
    # nodes side by side of those that are solved are one more axis, along which nothing happens
    inner = math.prod(block.shape[after:])
    sizes = tuple(axis.size for axis in line_axes)
    source, target = block.reshape(-1, *sizes, inner), out.reshape(-1, *sizes, inner)
    put: Callable[[], object] | None = None
    if inner == 1:
        source, target = source[..., 0], target[..., 0]
    # an axis has three nodes at least, so two are moved to the front as a batch
    elif inner == 2:  # too few for an axis
        source = np.ascontiguousarray(np.moveaxis(source, -1, 0)).reshape(-1, *sizes)
        result = np.empty_like(source)
        back = np.moveaxis(result.reshape(2, -1, *sizes), 0, -1)
        put, target = (lambda target=target: np.copyto(target, back)), result
    else:
        line_axes.append(_filler(line_axes, inner))
        march = [(*row, 0.0) for row in march]
    flow = wide.begin(plan.solver, source, Grid(*line_axes))
    for row in march:
        flow.advance(row, target)
    if put is not None:
        put()
