"""Values on the walls of axes whose nodes are in cells, where a user states them instead of having them extrapolated.

On such an axis (`Axis.faced`) the flow needs Q on both walls, where no node is. A polynomial through the cells next to
the wall gives it to fourth order. Whoever knows Q there, as a boundary condition or from a rollout on the wall, states
it, and u is then a mean of the cells and of these values, whatever they are.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.boundaries import face_values
from heatpg.core.grid import Axis, Grid
from heatpg.errors import BoundaryError, GridError, NonFiniteError, OptionError, UnsupportedError
from heatpg.tools.arrays import real_numbers

__all__ = ["Faces", "FacesLike", "Layered", "changed", "checked_faces", "refuse_lost", "require_extrapolated"]

Array = NDArray[Any]
FacesLike = Mapping[str, Any]


class Faces:
    """The values on walls that are stated, by the position of their axis.

    Parameters
    ----------
    sides
        For each axis the values on its lower and on its upper wall, of shape (*batch, *grid.shape) with one node along
        the axis, or None where they are extrapolated.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid
    >>> from heatpg.core.faces import checked_faces
    >>> grid = Grid(Axis("x", 0.0, 4.0, 4, boundary="absorb", nodes="cell"))
    >>> faces = checked_faces({"x": (0.0, None)}, np.array([0.5, 1.5, 2.5, 3.5]), grid)
    >>> faces.layered(np.array([0.5, 1.5, 2.5, 3.5]))
    array([0. , 0.5, 1.5, 2.5, 3.5, 4. ])
    """

    def __init__(self, sides: Sequence[tuple[Array | None, Array | None]]) -> None:
        self.sides = tuple(sides)

    @property
    def positions(self) -> tuple[int, ...]:
        """The axes of which a wall has a stated value."""
        return tuple(i for i, pair in enumerate(self.sides) if any(side is not None for side in pair))

    def mapped(self, change: Callable[[Array], Array]) -> Faces:
        """All stated values, changed in the same way."""
        return Faces([tuple(None if side is None else change(side) for side in pair) for pair in self.sides])  # type: ignore[misc]

    def entries(self) -> Faces:
        """The same with one batch axis, of all entries, in front of the axes of the grid."""
        return self.mapped(lambda side: side.reshape(-1, *side.shape[side.ndim - len(self.sides) :]))

    def entry(self, number: int) -> Faces:
        """Of one entry of the batch, by its number among all of them."""
        return self.entries().mapped(lambda side: np.asarray(side[number]))

    def in_double(self) -> Faces:
        """The same in double precision."""
        return self.mapped(lambda side: side.astype(np.float64, copy=False))

    def layered(self, values: Array) -> Array:
        """Q with the values on its walls before the first and after the last node, along the axes of `positions`.

        On an edge or a corner the two or three walls that meet there may say different things: it has the mean of
        what they are when each is extrapolated along itself.
        """
        orders = list(itertools.permutations(self.positions))
        total = self._in_order(values, orders[0])
        for order in orders[1:]:
            total = total + self._in_order(values, order)
        return total if len(orders) == 1 else np.asarray(total / len(orders), dtype=values.dtype)

    def _in_order(self, values: Array, order: Sequence[int]) -> Array:
        """The same, where at edges the wall that comes later in the order has the say."""
        first = values.ndim - len(self.sides)
        done: list[int] = []
        for position in order:
            along = first + position
            layers = []
            for told, found in zip(self.sides[position], face_values(values, along), strict=True):
                layer = found
                if told is not None:
                    shape = tuple(n - 2 if i - first in done else n for i, n in enumerate(found.shape))
                    layer = np.broadcast_to(told, shape)
                    for other in done:
                        lower, upper = face_values(layer, first + other)
                        layer = np.concatenate((lower, layer, upper), axis=first + other)
                layers.append(layer)
            values = np.concatenate((layers[0], values, layers[1]), axis=along)
            done.append(position)
        return values

    def extremes(self) -> tuple[Array, Array]:
        """Least and largest stated value of each entry of the batch, with ones in place of the axes of the grid."""
        axes = tuple(range(-len(self.sides), 0))
        stated = [side for pair in self.sides for side in pair if side is not None]
        low = [side.min(axis=axes, keepdims=True) for side in stated]
        high = [side.max(axis=axes, keepdims=True) for side in stated]
        return np.minimum.reduce(low), np.maximum.reduce(high)

    def as_dict(self, grid: Grid) -> dict[str, tuple[Array | None, Array | None]]:
        """As they are stated: by the name of the axis, each without that axis."""
        result: dict[str, tuple[Array | None, Array | None]] = {}
        for position in self.positions:
            along = position - grid.dimensions
            lower, upper = (None if side is None else np.squeeze(side, along) for side in self.sides[position])
            result[grid[position].name] = (lower, upper)
        return result


class Layered(Faces):
    """The same, where it is known too what walls say on the edges and corners in which they meet.

    Parameters
    ----------
    whole
        Q with the values on its walls around it, as `layered` gives it.
    positions
        The axes along which these are stated.
    """

    def __init__(self, whole: Array, positions: Sequence[int], dimensions: int) -> None:
        first = whole.ndim - dimensions
        inside = tuple(slice(1, -1) if i - first in positions else slice(None) for i in range(whole.ndim))
        sides: list[tuple[Array | None, Array | None]] = [(None, None)] * dimensions
        for position in positions:
            ends = []
            for end in (slice(0, 1), slice(-1, None)):
                around = list(inside)
                around[first + position] = end
                ends.append(whole[tuple(around)])
            sides[position] = ends[0], ends[1]
        super().__init__(sides)
        self.inside = whole[inside]
        self._whole = whole

    def mapped(self, change: Callable[[Array], Array]) -> Faces:
        return Layered(change(self._whole), self.positions, len(self.sides))

    def layered(self, values: Array) -> Array:
        return self._whole


def changed(faces: Faces | None, change: Callable[[Array], Array]) -> Faces | None:
    """All stated values, changed as those of the nodes are; nothing where none are stated."""
    return None if faces is None else faces.mapped(change)


def checked_faces(given: FacesLike | Faces | None, values: Array, grid: Grid) -> Faces | None:
    """What a landscape keeps of the values on walls that it is given; None where there are none.

    Parameters
    ----------
    given
        By the name of an axis a pair of the values on its lower and on its upper wall. Each is a number, an array of
        the shape of the grid without that axis, with the axes of a batch in front or without, or None where it is to be
        extrapolated.
    values
        Q, shape (*batch, *grid.shape); the values on walls become numbers of its type.
    grid
        Where it is sampled.

    Raises
    ------
    GridError
        For an unknown axis, for something else than a pair, and for an array of another shape.
    BoundaryError
        For an axis that has nodes on its walls, or whose boundary does not use the values there.
    NonFiniteError
        For NaN or infinity.
    """
    if given is None or isinstance(given, Faces):
        return given
    if not isinstance(given, Mapping):
        raise GridError(
            "faces must be a dictionary from the name of an axis to a pair of values",
            given=type(given).__name__,
            advice=f"for example faces={{{grid[0].name!r}: (0.0, 0.0)}}",
        )
    batch = values.shape[: values.ndim - grid.dimensions]
    names = [axis.name for axis in grid]
    sides: list[tuple[Array | None, Array | None]] = [(None, None)] * grid.dimensions
    for name, pair in given.items():
        if name not in names:
            raise GridError("faces: no axis with this name", given=repr(name), allowed=", ".join(names))
        position = names.index(name)
        axis = grid[position]
        _require_faced(axis)
        try:
            # of a dictionary or a set the order says nothing, and the letters of a text are no values
            if isinstance(pair, Mapping | Set | str | bytes):
                raise TypeError
            lower, upper = pair
        except (TypeError, ValueError):
            raise GridError(
                f"faces[{name!r}] must be a pair: the value on the lower and on the upper wall",
                given=repr(pair),
                allowed="(lower, upper); None for a value that is extrapolated from the cells",
            ) from None
        shape = (*batch, *(1 if i == position else n for i, n in enumerate(grid.shape)))
        sides[position] = (
            _checked_side(lower, f"faces[{name!r}][0]", shape, position - grid.dimensions, len(batch), values.dtype),
            _checked_side(upper, f"faces[{name!r}][1]", shape, position - grid.dimensions, len(batch), values.dtype),
        )
    found = Faces(sides)
    return found if found.positions else None


def _require_faced(axis: Axis) -> None:
    if axis.faced:
        return
    if axis.nodes == "vertex" and axis.rule.uses_walls:
        raise BoundaryError(
            f"faces: axis {axis.name!r} has nodes on its walls, whose values are those of Q",
            given="nodes='vertex'",
            advice="leave faces out, and set the first and the last value; or sample cells: nodes='cell'",
        )
    raise BoundaryError(
        f"faces: boundary {axis.boundary!r} along {axis.name!r} does not use values on its walls",
        given=f"boundary={axis.boundary!r}, nodes={axis.nodes!r}",
        allowed="boundary='absorb' or 'clip' with nodes='cell'",
    )


def _checked_side(
    given: Any, what: str, shape: tuple[int, ...], along: int, batch: int, kind: np.dtype[Any]
) -> Array | None:
    """One wall: an array of its own, of the shape of the grid with one node along the axis, or None."""
    if given is None:
        return None
    array = real_numbers(what, given, GridError)
    without = tuple(n for i, n in enumerate(shape) if i - len(shape) != along)
    if array.shape not in ((), without, without[batch:]):
        shapes = dict.fromkeys(("a number", *(str(s) for s in (without[batch:], without) if s)))
        raise GridError(
            f"{what} has the wrong shape for the wall", given=f"shape {array.shape}", allowed=" or ".join(shapes)
        )
    with np.errstate(over="ignore"):
        array = np.broadcast_to(array.astype(kind), without)
    if not np.isfinite(array).all():
        raise NonFiniteError(
            f"{what} must be finite",
            given=array[~np.isfinite(array)].flat[0],
            allowed=f"numbers of {kind}",
            advice="pass None for a value that is extrapolated from the cells",
        )
    result = np.expand_dims(array, along).copy()
    result.setflags(write=False)
    return result


def refuse_lost(what: str, lost: bool) -> None:
    """Refuse Q whose values on walls are stated elsewhere, if so: without them it would be another problem."""
    if not lost:
        return
    raise OptionError(
        f"the values on the walls of {what} are stated, but not in it",
        advice="pass them: faces={'x': (data.x_lower_face, data.x_upper_face)} of the dataset, with the names of your "
        "axes, or faces={} to extrapolate them from the cells",
    )


def require_extrapolated(faces: Faces | None, what: str, advice: str = "") -> None:
    """Refuse what does not know stated values on walls.

    Parameters
    ----------
    faces
        Those of a landscape.
    what
        What is asked for.
    advice
        What to do instead.

    Raises
    ------
    UnsupportedError
        If any are stated.
    """
    if faces is not None:
        raise UnsupportedError(
            f"{what} cannot use stated values on the walls (faces)",
            advice=advice or "leave faces out: the values on the walls are then extrapolated from the cells",
        )
