"""Landscapes that are slices: their axes are few of many components, and their noise is in these alone."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.functions import sample_points
from heatpg.errors import GridError, OptionError, UnsupportedError
from heatpg.tools.arguments import whole_number
from heatpg.tools.arrays import real_numbers

__all__ = [
    "FunctionSlice",
    "Plane",
    "Sliced",
    "draw_words",
    "is_sliced",
    "one_point",
    "point_word",
    "refuse_drawn",
    "slice_of",
    "slice_words",
]

_SLICES = {1: "line", 2: "plane"}  # by the number of axes
_OF_PARAMETERS = ("parameters", "gains")  # kinds of landscapes whose axes span parameters of a policy

Array = NDArray[np.float64]


class Sliced(Protocol):
    """A sampler of few of many components, which also knows Q in all of them."""

    @property
    def dimensions(self) -> int:
        """Coordinates of a point of the slice."""
        ...

    @property
    def basis(self) -> Array:
        """What one unit along each coordinate is in all components, shape (d, components)."""
        ...

    @property
    def whole(self) -> Callable[[Array], Array]:
        """Q at points in all components, shape (N, components)."""
        ...

    def embed(self, points: ArrayLike) -> Array:
        """All components of points of the slice, shape (N, components)."""
        ...


def is_sliced(sampler: object) -> TypeGuard[Sliced]:
    """Whether a sampler knows Q in more components than it has coordinates.

    Examples
    --------
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.core.slices import is_sliced
    >>> grid = Grid(Axis("x", -1.0, 1.0, 5, boundary="clip"))
    >>> is_sliced(Landscape.from_function(lambda x: x, grid).sampler)
    False
    >>> is_sliced(Landscape.from_function(lambda x, y: x + y, grid, dimensions=2).sampler)
    True
    """
    basis = getattr(sampler, "basis", None)
    return hasattr(sampler, "whole") and basis is not None and basis.shape[1] > basis.shape[0]


@dataclasses.dataclass(frozen=True, eq=False)
class Plane:
    """A plane (a line, a box) in a space of more components: origin + x1 direction_1 + x2 direction_2 + ...

    Attributes
    ----------
    origin
        Shape (components,).
    basis
        The directions, shape (d, components).
    """

    origin: Array
    basis: Array

    def embed(self, points: ArrayLike) -> Array:
        """All components of points of shape (N, d)."""
        places = np.atleast_2d(real_numbers("the points", points, GridError))
        return np.asarray(self.origin + places @ self.basis)

    @property
    def facts(self) -> dict[str, Any]:
        """The plane as provenance holds it, for `slice_words`."""
        lengths = np.sqrt((self.basis**2).sum(axis=1))
        cosines = self.basis @ self.basis.T / lengths / lengths[:, None]
        directions = {"lengths": lengths.tolist(), "cosines": cosines.tolist()}
        return {"kind": "components", "components": self.origin.size, "directions": directions}

    def of(self, function: Callable[..., ArrayLike]) -> Callable[..., ArrayLike]:
        """A function of all components as one of the coordinates of the plane, called with as many arrays."""

        def on_plane(*coordinates: Any) -> ArrayLike:
            places = np.stack(np.broadcast_arrays(*coordinates), axis=-1)
            # components one by one, each of the shape of the coordinates
            return function(*np.moveaxis(self.origin + places @ self.basis, -1, 0))

        on_plane.__name__ = str(getattr(function, "__name__", "function"))
        return on_plane

    def sampler(self, function: Callable[..., ArrayLike], *, vectorized: bool) -> FunctionSlice:
        """What samples the function on the plane, and in all components."""
        return FunctionSlice(self, function, vectorized=vectorized)


class FunctionSlice:
    """A function of many components on a plane: called with points of the plane, and `whole` with all components."""

    def __init__(self, plane: Plane, function: Callable[..., ArrayLike], *, vectorized: bool) -> None:
        self.plane = plane
        self._function = function
        self._vectorized = vectorized

    @property
    def dimensions(self) -> int:
        """Coordinates of a point of the plane."""
        return len(self.plane.basis)

    @property
    def basis(self) -> Array:
        """The directions, shape (d, components)."""
        return self.plane.basis.copy()

    def embed(self, points: ArrayLike) -> Array:
        """All components of points of shape (N, d)."""
        return self.plane.embed(points)

    def whole(self, points: Array) -> Array:
        """The function at points in all components, shape (N, components)."""
        return np.asarray(sample_points(self._function, points, vectorized=self._vectorized))

    def __call__(self, points: Array) -> Array:
        """The function at points of the plane, shape (N, d)."""
        return self.whole(self.embed(points))


def slice_of(axes: int, dimensions: int | None, directions: ArrayLike | None, origin: ArrayLike | None) -> Plane:
    """The plane that a caller describes.

    Parameters
    ----------
    axes
        Axes of the grid.
    dimensions
        Components in all; by default as many as directions or origin have.
    directions
        One row per axis; by default the first components.
    origin
        By default 0.

    Raises
    ------
    GridError, OptionError
        If they do not fit each other, or the directions are not independent.

    Examples
    --------
    >>> from heatpg.core.slices import slice_of
    >>> slice_of(1, 3, None, [0.0, 5.0, 0.0]).embed([[2.0]])
    array([[2., 5., 0.]])
    """
    along = None if directions is None else np.atleast_2d(real_numbers("the directions", directions, GridError))
    through = None if origin is None else real_numbers("the origin", origin, GridError)
    known = [each.shape[-1] for each in (along, through) if each is not None and each.ndim]
    count = whole_number("dimensions", (known or [None])[0] if dimensions is None else dimensions, least=axes)
    basis = np.eye(count)[:axes] if along is None else np.array(along)
    point = np.zeros(count) if through is None else np.array(through)
    for what, given, wanted in (("directions", basis, (axes, count)), ("origin", point, (count,))):
        if given.shape != wanted:
            raise GridError(
                f"the {what} of a slice must have the right shape",
                given=f"shape {given.shape}",
                allowed=f"shape {wanted}, one column per component",
            )
        if not np.isfinite(given).all():
            raise GridError(f"the {what} of a slice must be finite", given=given[~np.isfinite(given)][0])
    if np.linalg.matrix_rank(basis) < axes:
        raise OptionError(
            "the directions of a slice must be linearly independent", given=f"rank {np.linalg.matrix_rank(basis)}"
        )
    return Plane(point, basis)


def slice_words(provenance: Mapping[str, Any], drawn: Mapping[str, Any] | None = None) -> str:
    """What noise is left out, and what one unit along the axes is; nothing where all components are axes.

    Parameters
    ----------
    provenance
        Of a landscape, as `heatpg.landscapes.from_gymnasium` writes it.
    drawn
        Of an evolution whose noise was in all components, and how it was drawn; then nothing is left out.

    Examples
    --------
    >>> from heatpg.core.slices import slice_words
    >>> slice_words({"parameters": {"kind": "actions", "components": [0, 2], "action": [0.0, 0.0, 0.0]}})
    'a slice along 2 of 3 components of the action: no noise in the other component'
    """
    if drawn is not None:
        return _drawn_words(drawn)
    facts = provenance.get("parameters")
    if not isinstance(facts, Mapping):
        return ""
    try:
        if facts.get("kind") == "actions":
            return _left_out(len(facts["components"]), len(facts["action"]), "component", " of the action")
        if facts.get("kind") in ("parameters", "components"):
            return _along(facts["directions"], int(facts[facts["kind"]]), facts["kind"][:-1])
    except (KeyError, TypeError, ValueError):
        # a file may hold anything under these names
        return ""
    return ""


def point_word(provenance: Mapping[str, Any], dimensions: int) -> str:
    """What a point of a landscape is: an action, or what varies over parameters of a policy.

    Examples
    --------
    >>> from heatpg.core.slices import point_word
    >>> point_word({}, 2), point_word({"parameters": {"kind": "gains"}}, 2)
    ('action', 'parameter vector')
    >>> point_word({"parameters": {"kind": "parameters", "parameters": 9, "directions": [[1.0] * 9]}}, 1)
    'point of the line'
    """
    facts = provenance.get("parameters")
    if isinstance(facts, Mapping) and facts.get("kind") in ("parameters", "components") and "directions" in facts:
        # its coordinates are multiples of the directions, and not what a policy takes
        return f"point of the {_SLICES.get(dimensions, 'slice')}"
    if not isinstance(facts, Mapping) or facts.get("kind") not in _OF_PARAMETERS:
        return "action"
    return "parameter" if dimensions == 1 else "parameter vector"


def one_point(provenance: Mapping[str, Any], dimensions: int) -> str:
    """The same with its article.

    Examples
    --------
    >>> from heatpg.core.slices import one_point
    >>> one_point({}, 2), one_point({"parameters": {"kind": "gains"}}, 1)
    ('an action', 'a parameter')
    """
    word = point_word(provenance, dimensions)
    return f"an {word}" if word == "action" else f"a {word}"


def draw_words(points: str, antithetic: bool) -> str:
    """What draws are called.

    Examples
    --------
    >>> from heatpg.core.slices import draw_words
    >>> draw_words("sobol", False)
    "scrambled Sobol' points"
    """
    return "scrambled Sobol' points" if points == "sobol" else "antithetic pairs" if antithetic else "draws"


def _drawn_words(drawn: Mapping[str, Any]) -> str:
    try:
        kind = draw_words(str(drawn.get("points", "random")), bool(drawn["antithetic"]))
        return (
            f"noise in all {int(drawn['components']):,} components, shown on {int(drawn['axes'])} of them, from "
            f"{int(drawn['draws']):,} {kind}, standard error up to {float(drawn['reached']):.2g} of osc(Q); not a "
            f"heat flow in these axes, so joint maxima at sigma > 0 are possible"
        )
    except (KeyError, TypeError, ValueError):
        # a file may hold anything under these names
        return "noise in more components than there are axes"


def refuse_drawn(what: str, drawn: Mapping[str, Any] | None, axes: int) -> None:
    """Refuse what needs a solver that makes the fields from Q, where these were drawn.

    Parameters
    ----------
    what
        What was asked for, in words.
    drawn
        Of an evolution.
    axes
        How many the grid has.

    Raises
    ------
    UnsupportedError
        For fields whose noise was in more components than the grid has axes.

    Examples
    --------
    >>> from heatpg.core.slices import refuse_drawn
    >>> refuse_drawn("a field at one more sigma", None, 2)
    """
    if drawn is not None:
        raise UnsupportedError(
            f"{what} is not possible: these fields were sampled, with noise in more components than axes",
            given=f"{drawn.get('components')} components, {axes} axes",
            advice="sample again with heatpg.planes.evolve_plane; the same seed gives the same fields",
        )


def _left_out(axes: int, count: int, noun: str, of: str) -> str:
    others = count - axes
    if others < 1:
        return ""
    rest = f"{others:,} {noun}s" if others > 1 else noun
    return f"a slice along {axes} of {count:,} {noun}s{of}: no noise in the other {rest}"


def _along(directions: Mapping[str, Any], count: int, noun: str) -> str:
    lengths = [float(length) for length in directions["lengths"]]
    words = _left_out(len(lengths), count, noun, "")
    if not words:
        return ""
    several = len(lengths) > 1
    unit = f"the direction{'s have the lengths' if several else ' has the length'} {_listed(lengths)}"
    angles = [
        math.degrees(math.acos(max(-1.0, min(1.0, float(directions["cosines"][i][j])))))
        for i in range(len(lengths))
        for j in range(i)
    ]
    if several:
        unit += f", and the angle{'s' if len(angles) > 1 else ''} between them {'are' if len(angles) > 1 else 'is'} "
        unit += f"{_listed(angles)} degrees"
    return f"{words}; {unit}, and sigma along an axis is in units of the length of its direction"


def _listed(numbers: list[float]) -> str:
    told = [f"{number:.4g}" for number in numbers]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
