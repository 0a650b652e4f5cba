"""Axes from the positions of their nodes, as files and callers have them: rounded, in single precision, descending.

The nodes of heatpg are uniform. Positions that are uniform up to the rounding with which they were stored become the
uniform ones that they stand for. Many lines may be within the rounding; the simplest is taken: the one whose bounds
have the fewest digits, fewer than the positions have, otherwise that between the first and the last position, otherwise
that of least squares, through a bound of few digits where there is one. What was sampled at the nodes that are meant is
exact in the first case, and else as good as the bounds are known; what was sampled at the positions as they are stored
is off by at most the slope of Q times the rounding.

One file, because each way of rounding is one more guess at the same line.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.boundaries import Nodes
from heatpg.core.grid import Axis, Grid, label_for
from heatpg.errors import GridError
from heatpg.tools.arrays import real_numbers
from heatpg.tools.numbers import apart_words

__all__ = [
    "Placed",
    "axis_from_coordinates",
    "axis_of_dimension",
    "by_name",
    "grid_of_nodes",
    "grid_of_positions",
    "place_axis",
    "require_names",
]

Array = NDArray[np.float64]

_UNIFORM = 1e-9  # of the spacing: far above the rounding of positions, far below what a solver would notice
_ROUNDINGS = 4.0  # of the largest position: of the step, of its multiple, of the sum, and one to spare
_DIGITS = 15  # that a double always has
_SINGLE = (7, 9)  # digits with which single precision is printed
_FINE = 20.0  # roundings in a step: what is moved is below 1/40 of a step
_TOLD = 0.01  # of a step; a taste
_COARSE = 3.0  # with fewer no step is told from the next
_LEAST = 1e-290  # of the largest position, of which no digit may be below the least double
_TURNS = 90  # (2/3)^90 is below the rounding of doubles
_MANY = 16  # nodes: that so many lie on a line by chance, with steps that differ, is out of the question
_SQUEEZE = "omit this axis and its positions: np.squeeze(values) or data.squeeze()"


@dataclasses.dataclass(frozen=True)
class Placed:
    """An axis that was made of positions.

    Parameters
    ----------
    axis
        The axis, ascending.
    turned
        Whether the positions descend, so that the values have to be turned round as well.
    moved
        Largest distance between a position and its node.
    rounding
        How the positions were stored, in words, where they are not uniform to double precision; otherwise empty.
    """

    axis: Axis
    turned: bool = False
    moved: float = 0.0
    rounding: str = ""

    @property
    def doubtful(self) -> bool:
        """Whether positions were moved so far that what was sampled at them is another Q: by 1 % of a step."""
        return self.moved > _TOLD * self.axis.spacing

    @property
    def note(self) -> str:
        """What was done with the positions, in words; empty where they are those of the nodes."""
        notes = []
        if self.turned:
            notes.append("stored in descending order, reversed together with the values")
        if self.rounding:
            share = self.moved / self.axis.spacing
            notes.append(
                f"rounded to {self.rounding}, moved to uniform nodes by up to {self.moved:.2g} ({share:.1g} of a step)"
            )
        return "; ".join(notes)


@dataclasses.dataclass(frozen=True)
class _Rounding:
    """A way in which positions may have been rounded."""

    words: str
    unit: float  # distance of two neighbours that can be stored, at the largest position
    allowance: float  # how far a position may be from its node
    ends: tuple[float, float]


def axis_from_coordinates(
    name: str, coordinates: ArrayLike, *, boundary: str, unit: str = "", nodes: Nodes = "vertex"
) -> Axis:
    """An axis from the positions of its nodes in ascending order; of cells these are the centres.

    Raises
    ------
    GridError
        If the positions are not numbers, not increasing, or not uniform up to the rounding with which they are stored.

    Examples
    --------
    >>> from heatpg.core.positions import axis_from_coordinates
    >>> axis_from_coordinates("x", [0.0, 0.333, 0.667, 1.0], boundary="clip").upper
    1.0
    """
    placed = place_axis(name, coordinates, boundary=boundary, unit=unit, nodes=nodes)
    if placed.turned:
        raise GridError(
            f"axis {name!r} descends",
            given=f"positions from {placed.axis.coordinates[-1]:g} to {placed.axis.coordinates[0]:g}",
            allowed="increasing positions",
            advice="reverse it with the values, as Landscape.from_array(values, {name: positions}) does",
        )
    return placed.axis


def grid_of_positions(
    positions: Mapping[str, ArrayLike],
    *,
    boundary: str | Mapping[str, str],
    nodes: str | Mapping[str, str] = "vertex",
) -> tuple[Grid, list[Placed]]:
    """The grid of axes whose positions are given by name, and what was done with each.

    Parameters
    ----------
    positions
        Names and positions, in the order of the axes.
    boundary
        Boundary of all axes, or one by name.
    nodes
        ``vertex`` or ``cell`` for all axes, or by name; ``vertex`` where a name is missing.

    Raises
    ------
    GridError, BoundaryError, UnknownNameError
        For what is no axis, and for names that are not there.

    Examples
    --------
    >>> from heatpg.core.positions import grid_of_positions
    >>> grid, [placed] = grid_of_positions({"x": [2.0, 1.0, 0.0]}, boundary="clip")
    >>> grid[0].lower, placed.note
    (0.0, 'stored in descending order, reversed together with the values')
    """
    for given in (boundary, nodes):
        require_names(given, positions)
    placed = [
        place_axis(name, each, boundary=by_name(boundary, name), nodes=by_name(nodes, name) or "vertex")
        for name, each in positions.items()
    ]
    return Grid(*(one.axis for one in placed)), placed


def grid_of_nodes(
    shape: Sequence[int],
    *,
    boundary: str | Mapping[str, str],
    spacing: float | Sequence[float] = 1.0,
    nodes: str | Mapping[str, str] = "vertex",
) -> Grid:
    """The grid of an array of which nothing but the distance of its nodes is known: axes x1, x2, ... from 0 on.

    Raises
    ------
    GridError
        For a single number, and for spacings that do not fit the shape.

    Examples
    --------
    >>> from heatpg.core.positions import grid_of_nodes
    >>> grid_of_nodes((5, 4), boundary="reflect", spacing=[1.0, 0.5])[1].upper
    1.5
    """
    if not shape:
        raise GridError("a landscape needs at least one axis", given="a single number")
    names = [f"x{i + 1}" for i in range(len(shape))]
    for given in (boundary, nodes):
        require_names(given, names)
    for name, size in zip(names, shape, strict=True):
        if size < 3:
            count = "no nodes" if size == 0 else f"{size} node{'s' if size > 1 else ''}"
            raise GridError(
                f"axis {name!r} of the array has {count}; an axis needs at least 3",
                given=f"shape {tuple(shape)}",
                advice=_squeeze_advice(size) if size else "check the code that made the array: it is empty",
            )
    given_steps = real_numbers("the spacing", spacing, GridError)
    try:
        steps = np.broadcast_to(given_steps, (len(shape),))
    except ValueError:
        raise GridError(
            "spacing has the wrong number of entries",
            given=repr(spacing),
            allowed=f"one number, or {len(shape)}, one per axis",
        ) from None
    axes = []
    for name, size, step in zip(names, shape, steps, strict=True):
        own: str = by_name(boundary, name)
        placing: Any = by_name(nodes, name) or "vertex"
        between = 0 if own == "periodic" or placing == "cell" else 1
        axes.append(Axis(name, 0.0, float(step) * (size - between), size, boundary=own, nodes=placing))
    return Grid(*axes)


def by_name(given: str | Mapping[str, str], name: str) -> Any:
    """What is given for an axis: the same for all, or one by name; empty where the name is missing."""
    return given if isinstance(given, str) else given.get(name, "")


def require_names(given: str | Mapping[str, str], names: Iterable[object], what: str = "axis") -> None:
    """Refuse names that no axis has: one that was misspelt would be left out in silence; and what is no dictionary."""
    if not isinstance(given, str | Mapping):
        raise GridError(
            "boundary= and nodes= take one name for all axes, or a dictionary with a name for each axis",
            given=repr(given),
            allowed=f"a name, such as 'clip' or 'cell', or {{{', '.join(f'{str(name)!r}: ...' for name in names)}}}",
        )
    known = [str(name) for name in names]
    unknown = [] if isinstance(given, str) else sorted(set(map(str, given)) - set(known))
    if unknown:
        raise GridError(f"no {what} with this name", given=", ".join(unknown), allowed=", ".join(known))


def place_axis(
    name: str, coordinates: Any, *, boundary: str, unit: str = "", nodes: Nodes = "vertex", label: str = ""
) -> Placed:
    """An axis from positions in ascending or descending order, and what had to be done for it.

    Raises
    ------
    GridError
        If the positions are not numbers, or not uniform up to the rounding with which they are stored.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.core.positions import place_axis
    >>> place_axis("x", np.linspace(-1, 1, 31, dtype="f4"), boundary="clip").axis.upper
    1.0
    """
    places = real_numbers(f"axis {name!r}: the positions", coordinates, GridError)
    _require_line(name, places)
    turned = bool(places[-1] < places[0])
    if turned:
        places = places[::-1]
    # single and half precision are kept in mind: their rounding is that of the positions
    stored = getattr(coordinates, "dtype", places.dtype)
    # the bounds lie half a cell beyond the centres, and a periodic axis ends one step after its last node
    beyond = (0.5, 0.5) if nodes == "cell" else (0.0, 1.0 if boundary == "periodic" else 0.0)
    bounds, rounding = _uniform(name, places, _epsilon(stored), beyond)
    moved = float(np.abs(_on_line(bounds, _shares(places.size, beyond)) - places).max()) if rounding else 0.0
    axis = Axis(name, *bounds, places.size, boundary=boundary, nodes=nodes, unit=unit, label=label)
    return Placed(axis, turned, moved, rounding)


def axis_of_dimension(
    name: str, coordinates: Any, attributes: Mapping[str, Any], *, boundary: str = "", nodes: str | None = None
) -> Placed:
    """An axis from a coordinate with attributes, as xarray has them; one of heatpg knows its boundary and its bounds.

    Parameters
    ----------
    name
        Name of the dimension.
    coordinates
        Positions.
    attributes
        Of the coordinate: ``units``, ``long_name``; of heatpg's own ``boundary``, ``nodes``, ``lower``, ``upper``.
    boundary, nodes
        What the caller says, which comes first; nodes are otherwise those that the attributes name.

    Raises
    ------
    GridError
        As of `place_axis`, and for positions that are not those that the attributes tell.

    Examples
    --------
    >>> from heatpg.core.positions import axis_of_dimension
    >>> axis_of_dimension("x", [0.5, 1.5, 2.5], {"units": "m", "nodes": "cell"}, boundary="clip").axis.upper
    3.0
    """
    unit, label = str(attributes.get("units", "")), label_for(name, attributes.get("long_name"))
    placed: Nodes = "cell" if (nodes or attributes.get("nodes")) == "cell" else "vertex"
    if nodes not in (None, "", "cell", "vertex"):
        raise GridError(f"axis {name!r}: unknown value of nodes=", given=repr(nodes), allowed="'vertex' or 'cell'")
    if boundary or nodes or "boundary" not in attributes:
        own = boundary or str(attributes.get("boundary", ""))
        return place_axis(name, coordinates, boundary=own, unit=unit, nodes=placed, label=label)
    places = real_numbers(f"axis {name!r}: the positions", coordinates, GridError)
    _require_line(name, places)
    turned = bool(places[-1] < places[0])
    # what heatpg wrote knows its bounds, which positions alone do not tell: with nodes in cells they lie half a cell
    # further out
    bounds = (attributes.get("lower"), attributes.get("upper"), places.size, attributes["boundary"])
    axis = Axis(name, *bounds, placed, unit, label)  # type: ignore[arg-type]
    found = places[::-1] if turned else places
    if float(np.abs(axis.coordinates - found).max()) > _UNIFORM * axis.spacing:
        raise GridError(
            f"axis {name!r}: its positions contradict its attributes",
            given=f"{found[0]:g} to {found[-1]:g}",
            allowed=f"{axis.coordinates[0]:g} to {axis.coordinates[-1]:g}, {axis.size} positions",
            advice="the array was cut or resampled: pass its boundary condition again",
        )
    return Placed(axis, turned)


def _epsilon(stored: object) -> float:
    """Round-off of the type in which positions came."""
    try:
        kind = np.dtype(stored)  # type: ignore[call-overload]
        return float(np.finfo(kind).eps) if kind.kind == "f" and kind.itemsize < 8 else float(np.finfo(np.float64).eps)
    except (TypeError, ValueError):  # of another package, as bfloat16 and those of torch
        words = str(stored)
        return {"bfloat16": 2.0**-7, "float16": 2.0**-10, "float32": 2.0**-23}.get(
            words.rpartition(".")[2], float(np.finfo(np.float64).eps)
        )


def _require_line(name: str, places: Array) -> None:
    """Refuse what is no line of different finite numbers, or too short for a second difference."""
    if places.ndim != 1:
        advice = "pass the positions along this axis, not a mesh" if places.ndim else "write [position]"
        raise GridError(
            f"axis {name!r} needs a one-dimensional array of positions", given=f"shape {places.shape}", advice=advice
        )
    finite = np.isfinite(places)
    if not finite.all():
        place = int(np.argmin(finite))
        raise GridError(
            f"axis {name!r} has positions that are not finite",
            given=f"{places[place]} at index {place}, first of {int((~finite).sum())}",
            allowed="finite positions",
            advice="remove these positions and their values",
        )
    if places.size < 3:
        raise GridError(
            f"axis {name!r} has {places.size} position{'' if places.size == 1 else 's'}; an axis needs at least 3",
            given=f"shape {places.shape}",
            allowed="3 or more positions",
            advice="sample more nodes" if places.size == 0 else _squeeze_advice(places.size),
        )
    equal = np.flatnonzero(np.diff(places) == 0)
    if equal.size:
        i = int(equal[0])
        raise GridError(
            f"axis {name!r} has the position {places[i]:.17g} twice",
            given=f"at indices {i} and {i + 1}, first of {equal.size}",
            allowed="different positions",
            advice="remove repeated positions, or store them with more digits if rounding made them equal",
        )


def _squeeze_advice(size: int) -> str:
    """What to do about an axis of one or two nodes."""
    if size == 1:
        return _SQUEEZE
    return "sample a third node, or select one of the two with np.take(values, 0, axis) and omit this axis"


def _shares(count: int, beyond: tuple[float, float]) -> Array:
    """Where nodes are between the bounds, from 0 to 1; these lie so many steps beyond the first and the last node."""
    return np.asarray((np.arange(count) + beyond[0]) / (count - 1 + sum(beyond)), dtype=np.float64)


def _on_line(bounds: tuple[float, float], shares: Array) -> Array:
    return bounds[0] + (bounds[1] - bounds[0]) * shares


def _bounds(ends: tuple[float, float], count: int, beyond: tuple[float, float]) -> tuple[float, float]:
    """Bounds of the box from the first and the last node."""
    step = (ends[1] - ends[0]) / (count - 1)
    return ends[0] - beyond[0] * step, ends[1] + beyond[1] * step


def _uniform(name: str, places: Array, epsilon: float, beyond: tuple[float, float]) -> tuple[tuple[float, float], str]:
    """Bounds of the uniform nodes that these positions stand for, and in words how these were rounded."""
    steps = np.diff(places)
    first, last, count = float(places[0]), float(places[-1]), places.size
    mean = (last - first) / (count - 1)
    largest = float(np.abs(places[[0, -1]]).max())
    double = float(np.finfo(np.float64).eps)
    # positions that were stored in floating point differ by a few units in the last place of the largest
    allowance = _UNIFORM * mean + _ROUNDINGS * double * largest
    if mean > 0 and math.isfinite(mean) and _deviation(places, first, last) <= allowance:
        lower, upper = _bounds((first, last), count, beyond)
        # what is not a node but reckoned from two has a rounding of its own: a wall at -7e-18 is meant to be at 0
        lower = _plain(lower, largest) if beyond[0] else lower
        return (lower, _plain(upper, largest) if beyond[1] else upper), ""
    if largest < _LEAST:
        raise GridError(
            f"axis {name!r}: the positions are too small for double precision",
            given=f"positions up to {largest:g}",
            allowed=f"equal steps, or positions of {_LEAST:g} and more",
            advice="change the unit of this axis, so that its length is near 1",
        )
    if mean > 0 and math.isfinite(mean) and (steps > 0).all():
        for rounding in _roundings(places, epsilon):
            found = _fit(places, mean, rounding, beyond)
            if found is not None:
                return found, rounding.words
    raise _not_uniform(name, places, steps)


def _deviation(places: Array, first: float, last: float) -> float:
    """Largest distance from uniform positions between two."""
    step = (last - first) / (places.size - 1)
    return float(np.abs(places - (first + step * np.arange(places.size))).max())


def _fit(places: Array, mean: float, rounding: _Rounding, beyond: tuple[float, float]) -> tuple[float, float] | None:
    """Bounds of uniform nodes that are no farther from these positions than rounding explains."""
    steps = mean / rounding.unit
    if not (steps >= _FINE or (steps >= _COARSE and places.size >= _MANY)):
        return None
    slack = rounding.allowance * (1 + 1e-6) + _ROUNDINGS * float(np.finfo(np.float64).eps) * float(np.abs(places).max())
    # counted from the middle, so that neither sum loses digits
    index = np.arange(places.size) - 0.5 * (places.size - 1)
    centre = float(places.mean())
    slope = float(index @ (places - centre) / (index @ index))
    line = centre + slope * float(index[0]), centre + slope * float(index[-1])
    squares = _bounds(line, places.size, beyond)
    shares = _shares(places.size, beyond)
    simple = _simple_bounds(places, shares, squares, rounding.unit, slack)
    if simple is not None:
        return simple
    if _deviation(places, *rounding.ends) <= slack:
        return _bounds(rounding.ends, places.size, beyond)
    half = _one_simple_bound(places, shares, squares, rounding.unit, slack)
    if half is not None:
        return half
    if _deviation(places, *line) <= slack:
        return squares
    # numbers that lie halfway between two that can be stored, and those that were cut, are as far off as can be
    ends = _closest(places, mean, rounding.unit)
    return _bounds(ends, places.size, beyond) if _deviation(places, *ends) <= slack else None


def _decimals(size: float, unit: float) -> range:
    """Numbers of decimals of which a number of this size has at least one digit, and fewer than the positions have."""
    return range(-math.floor(math.log10(size)) - 1, math.floor(-math.log10(unit) + 1e-9))


def _plain(bound: float, largest: float) -> float:
    """The number with the fewest decimals from which a bound is off by no more than the rounding of the positions."""
    if largest < _LEAST:
        return bound
    room = _ROUNDINGS * float(np.finfo(np.float64).eps) * largest
    for decimals in _decimals(max(abs(bound), largest), room):
        found = round(bound, decimals) + 0.0  # no -0
        if abs(found - bound) <= room:
            return found
    return bound


def _simple_bounds(
    places: Array, shares: Array, bounds: tuple[float, float], unit: float, slack: float
) -> tuple[float, float] | None:
    """Both bounds with the fewest digits, where that explains the positions."""
    decimals = _decimals(max(map(abs, bounds)), unit)
    for one, other in sorted(itertools.product(decimals, decimals), key=lambda pair: (max(pair), sum(pair))):
        found = round(bounds[0], one) + 0.0, round(bounds[1], other) + 0.0  # no -0
        if found[0] < found[1] and np.abs(_on_line(found, shares) - places).max() <= slack:
            return found
    return None


def _one_simple_bound(
    places: Array, shares: Array, bounds: tuple[float, float], unit: float, slack: float
) -> tuple[float, float] | None:
    """One bound with the fewest digits, the other one of least squares, where that explains the positions."""
    for decimals in _decimals(max(map(abs, bounds)), unit):
        for side, part in enumerate((shares, 1.0 - shares)):
            fixed = round(bounds[side], decimals) + 0.0
            other = fixed + float(part @ (places - fixed) / (part @ part))
            found = (fixed, other) if side == 0 else (other, fixed)
            if np.abs(_on_line(found, shares) - places).max() <= slack:
                return found
    return None


def _closest(places: Array, mean: float, unit: float) -> tuple[float, float]:
    """First and last of the uniform positions whose largest distance from these is least."""
    index = np.arange(places.size) - 0.5 * (places.size - 1)
    level = places - places.mean()

    def spread(step: float) -> tuple[float, float]:
        away = level - step * index
        return float(away.min()), float(away.max())

    # the width of the band is a convex function of the slope: two thirds of the interval are left in each turn
    low, high = mean - 2.0 * unit / (places.size - 1), mean + 2.0 * unit / (places.size - 1)
    for _ in range(_TURNS):
        one, two = low + (high - low) / 3.0, high - (high - low) / 3.0
        (bottom, top), (floor, ceiling) = spread(one), spread(two)
        low, high = (low, two) if top - bottom <= ceiling - floor else (one, high)
    step = 0.5 * (low + high)
    centre = float(places.mean()) + 0.5 * sum(spread(step))
    return centre + step * float(index[0]), centre + step * float(index[-1])


def _roundings(places: Array, epsilon: float) -> Iterator[_Rounding]:
    """The ways in which these positions may have been rounded, the likeliest first."""
    ends = float(places[0]), float(places[-1])
    largest = float(np.abs(places).max())
    if epsilon > np.finfo(np.float64).eps:
        words = {2.0**-23: "single precision", 2.0**-10: "half precision"}.get(epsilon, "the precision of their type")
        yield _Rounding(words, *_of_type(largest, epsilon), _shortest(ends, epsilon))
    # decimals are looked for up to the digits that the type has
    digits = min(_DIGITS, math.floor(-math.log10(epsilon)))
    leading = math.floor(math.log10(largest))
    relative = max(epsilon, 4 * float(np.finfo(np.float64).eps))
    for decimals in range(-leading, digits - leading):
        if _holds(places, decimals, relative):
            if _needed(places, decimals, relative):
                yield _Rounding(f"{_decimal_words(decimals)}", 10.0**-decimals, 0.5 * 10.0**-decimals, ends)
            break
    if epsilon > np.finfo(np.float64).eps:
        return
    # digits after the first one that is not zero, as '%.6e' writes them; few digits are seen as decimals above
    own = np.floor(np.log10(np.abs(np.where(places == 0, 1.0, places)))).astype(int)
    for count in range(2, _DIGITS):
        if all(float(f"{x:.{count - 1}e}") == x for x in places):
            if _needs_digits(places, count):
                unit = 10.0 ** (int(own.max()) - count + 1)
                yield _Rounding(f"{count} digits", unit, 0.5 * unit, ends)
            if _SINGLE[0] <= count <= _SINGLE[1] and _needs_digits(places, _SINGLE[0]):
                yield _Rounding("single precision", *_of_type(largest, 2.0**-23), ends)
            break
    # doubles that came from single precision: most of them use the last digits of that
    if np.array_equal(places, places.astype(np.float32)):
        coarse = np.ldexp(np.round(np.ldexp(places, 18 - _exponents(places))), _exponents(places) - 18)
        if 2 * int((coarse != places).sum()) >= places.size:
            yield _Rounding("single precision", *_of_type(largest, 2.0**-23), _shortest(ends, 2.0**-23))


def _needs_digits(places: Array, count: int) -> bool:
    """Whether at least half of the positions need so many digits after their first zeros."""
    return bool(2 * sum(float(f"{x:.{count - 2}e}") != x for x in places) >= places.size)


def _exponents(places: Array) -> NDArray[np.int32]:
    return np.frexp(places)[1]


def _of_type(largest: float, epsilon: float) -> tuple[float, float]:
    """Distance of two neighbours at a position, and the allowance there."""
    unit = epsilon * 2.0 ** math.floor(math.log2(largest))
    return unit, _ROUNDINGS * epsilon * largest


def _shortest(ends: tuple[float, float], epsilon: float) -> tuple[float, float]:
    """Both ends as the decimals that people wrote, where single or half precision has rounded them."""
    kind = {2.0**-23: np.float32, 2.0**-10: np.float16}.get(epsilon)
    if kind is None:
        return ends
    return float(str(kind(ends[0]))), float(str(kind(ends[1])))


def _holds(places: Array, decimals: int, relative: float) -> bool:
    """Whether so many decimals hold all positions."""
    # by a power of ten that is exact, where there is one
    scale = 10.0 ** abs(decimals)
    rounded = np.rint(places * scale) / scale if decimals >= 0 else np.rint(places / scale) * scale
    return bool((np.abs(rounded - places) <= relative * np.abs(places)).all())


def _needed(places: Array, decimals: int, relative: float) -> bool:
    """Whether at least half of the positions need the last decimal, as those do that were rounded to it."""
    return 2 * sum(not _holds(places[i : i + 1], decimals - 1, relative) for i in range(places.size)) >= places.size


def _decimal_words(decimals: int) -> str:
    if decimals <= 0:
        return "whole numbers" if decimals == 0 else f"multiples of {10**-decimals:g}"
    return f"{decimals} decimal{'s' if decimals > 1 else ''}"


def _not_uniform(name: str, places: Array, steps: Array) -> GridError:
    """The refusal of positions, with the steps that differ most."""
    low, high = float(steps.min()), float(steps.max())
    if not low > 0:
        i = int(np.argmin(steps))
        return GridError(
            f"axis {name!r} is not monotonic",
            given=f"{apart_words(places[i], places[i + 1])[0]} at index {i}, {places[i + 1]:.17g} after it",
            allowed="positions that all increase, or all decrease",
            advice="sort them together with the values: order = np.argsort(positions); np.take(values, order, axis)",
        )
    short, long = apart_words(low, high)
    where = int(np.argmax(np.abs(steps - np.median(steps))))
    advice = (
        f"resample onto np.linspace({places[0]:.12g}, {places[-1]:.12g}, {places.size}), for example with "
        f"scipy.interpolate.interpn; or pass these positions if the difference is only rounding"
    )
    if places[0] > 0 and _deviation(np.log(places), math.log(places[0]), math.log(places[-1])) <= _UNIFORM * math.log(
        places[-1] / places[0]
    ):
        advice = "the positions are uniform in the logarithm: pass np.log(positions), and sigma in that unit"
    return GridError(
        f"axis {name!r} is not uniform",
        given=f"steps from {short} to {long}; the step after index {where} differs most",
        allowed="equal steps, within 1e-9 or the rounding of the stored positions",
        advice=advice,
    )
