"""Values of a user's function on a grid, and what to write where it is called as it does not expect."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.grid import Grid
from heatpg.errors import GridError, HeatpgError, OptionError
from heatpg.tools.arguments import real_number
from heatpg.tools.arrays import real_array

__all__ = ["sample_points", "values_on_grid"]

Function = Callable[..., ArrayLike]

_WHAT = "the result of the function"
_ONE_BY_ONE = "for a function of single numbers pass vectorized=False"
_OF_A_POINT = "for a function of one point pass vectorized=False and lambda *x: function(np.array(x))"


def values_on_grid(
    function: Function, grid: Grid, *, vectorized: bool, progress: Callable[[int, int], object] | None = None
) -> NDArray[Any]:
    """Values of a function at all nodes, which nobody else holds.

    Parameters
    ----------
    function
        Called with one array of coordinates per axis, or with one number per axis.
    grid
        Where to sample.
    vectorized
        Whether it takes arrays.
    progress
        Called as ``progress(done, total)`` where it does not.

    Raises
    ------
    GridError, OptionError
        For another shape, or no real numbers; and where the function takes single numbers or one point, which is seen
        when it fails. Other errors of the function are its own.

    Examples
    --------
    >>> import math
    >>> from heatpg import Axis, Grid
    >>> from heatpg.core.functions import values_on_grid
    >>> grid = Grid(Axis("x", 0.0, math.pi, 3, boundary="clip"))
    >>> values_on_grid(math.sin, grid, vectorized=False).round(6)
    array([0., 1., 0.])
    >>> values_on_grid(math.sin, grid, vectorized=True)
    Traceback (most recent call last):
    heatpg.errors.GridError: the function takes single numbers, not arrays
      ...
    """
    if not callable(function):
        raise OptionError(
            "a function must be callable",
            given=f"something of type {type(function).__name__}",
            allowed="a function of one array per axis",
            advice="for an array use Landscape.from_array",
        )
    return _at_once(function, grid) if vectorized else _one_by_one(function, grid, progress)


def sample_points(function: Function, points: NDArray[np.float64], *, vectorized: bool) -> NDArray[np.float64]:
    """Values of a function at points of shape (count, dimensions), shape (count,)."""
    if vectorized:
        found = real_array(_WHAT, function(*points.T), allowed="real numbers")
        return np.broadcast_to(np.asarray(found, dtype=np.float64), len(points))
    return np.array([_number(function(*map(float, point))) for point in points])


def _at_once(function: Function, grid: Grid) -> NDArray[Any]:
    mesh = grid.mesh()
    try:
        returned = function(*mesh)
    except Exception as reason:
        # the function of one number or one point fails here by itself; another one has an error of its own
        advice = _called_otherwise(function, grid) if _is_of_arguments(reason) else ""
        if not advice:
            _require_tensors(function, mesh, reason)
            _require_arguments(function, grid)
            raise
        raise GridError(
            "the function takes single numbers, not arrays" if advice == _ONE_BY_ONE else "the function takes a point",
            given=f"called with {len(mesh)} array{'s' if len(mesh) > 1 else ''} of shape {grid.shape}",
            advice=advice,
        ) from reason
    # a copy: a function may return the same buffer at every call, and a landscape keeps what it was given
    values = np.array(real_array(_WHAT, returned))
    if values.shape != grid.shape:
        raise GridError(
            "the function must return one value per point",
            given=f"shape {values.shape}",
            allowed=f"shape {grid.shape}",
            advice=_called_otherwise(function, grid) or _ONE_BY_ONE,
        )
    return values


def _one_by_one(function: Function, grid: Grid, progress: Callable[[int, int], object] | None) -> NDArray[Any]:
    flat = [axis.ravel() for axis in grid.mesh()]
    values = np.empty(grid.size)
    single = True
    for i in range(grid.size):
        place = tuple(float(axis[i]) for axis in flat)
        try:
            returned = function(*place)
        except (TypeError, ValueError, IndexError) as reason:
            if i > 0 or not _is_number(function, np.array(place)):
                _require_arguments(function, grid)
                raise
            raise GridError(
                "the function takes a point",
                given=f"called with {len(place)} number{'s' if len(place) > 1 else ''}",
                advice="write lambda *x: function(np.array(x))",
            ) from reason
        try:
            values[i] = _number(returned)
        except OptionError as reason:
            if "masked" in reason.problem:
                raise
            raise GridError(
                "the function must return one number per point",
                given=reason.given,
                allowed="a real number",
                advice=reason.advice,
            ) from None
        single = single and str(getattr(returned, "dtype", "")) == "float32"
        if progress is not None:
            progress(i + 1, grid.size)
    return values.reshape(grid.shape).astype(np.float32 if single else np.float64, copy=False)


def _number(returned: Any) -> float:
    # of Q the answers yes and no are values, as they are in arrays
    if isinstance(returned, float | bool | np.bool_):
        return float(returned)
    return real_number(_WHAT, returned, allowed="a real number")


def _is_of_arguments(reason: Exception) -> bool:
    """Whether a function may have failed because it was called with arrays; torch has an error of its own for that."""
    return isinstance(reason, TypeError | ValueError | IndexError) or "ambiguous" in str(reason)


def _require_tensors(function: Function, mesh: Sequence[NDArray[Any]], reason: Exception) -> None:
    """Tell how to call a function that takes tensors of torch and no arrays of NumPy, in the words of its refusal."""
    if isinstance(reason, TypeError | AttributeError) and "Tensor" in str(reason) and "ndarray" in str(reason):
        names = ", ".join(f"x{i + 1}" for i in range(len(mesh))) if len(mesh) > 1 else "x"
        inner = ", ".join(f"torch.as_tensor({name})" for name in names.split(", "))
        called = getattr(function, "__name__", "function").strip("<>")
        raise GridError(
            "the function takes torch tensors, not arrays",
            given=f"called with {len(mesh)} array{'s' if len(mesh) > 1 else ''} ",
            advice=f"write lambda {names}: {called}({inner})",
        ) from reason


def _called_otherwise(function: Function, grid: Grid) -> str:
    """In which other way the function gives a number at the first node, in words; empty if in none."""
    place = grid.point((0,) * grid.dimensions)
    if _is_number(function, *place):
        return _ONE_BY_ONE
    return _OF_A_POINT if _is_number(function, np.array(place)) else ""


def _require_arguments(function: Function, grid: Grid) -> None:
    """Refuse a function of another number of arguments than the grid has axes, where its signature is known."""
    # a module of torch says in `forward` what it takes
    forward = getattr(function, "forward", None)
    called: Any = forward if callable(forward) else function
    try:
        inspect.signature(called).bind(*range(grid.dimensions))
    except ValueError:
        return
    except TypeError:
        names = ", ".join(axis.name for axis in grid)
        raise GridError(
            "the function must take one argument per axis",
            given=f"{getattr(function, '__name__', type(function).__name__)}{inspect.signature(called)}",
            allowed=f"a function of ({names})",
            advice="for a function of one point pass vectorized=False and lambda *x: function(torch.tensor(x))"
            if called is forward
            else "",
        ) from None


def _is_number(function: Function, *arguments: Any) -> bool:
    try:
        _number(function(*arguments))
    except HeatpgError:
        return False
    except Exception:
        return False
    return True
