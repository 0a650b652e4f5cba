"""How far values of Q are known: their standard errors, and returns of several seeds of which they are means."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.ownership import HandedOver
from heatpg.errors import GridError, NonFiniteError, OptionError
from heatpg.tools.arrays import real_array

if TYPE_CHECKING:
    import xarray

__all__ = ["aligned_error", "checked_error", "checked_returns", "mean_and_error", "require_mean"]

Array = NDArray[Any]


def checked_error(given: Any, shape: tuple[int, ...]) -> Array:
    """Standard errors of values of this shape, in single or double precision; an array that somebody else may hold.

    Raises
    ------
    GridError, NonFiniteError, OptionError
        For another shape, for numbers that are not finite or below zero, and for what is no number.
    """
    error = _floating("the standard error", given)
    if error.shape != shape:
        raise GridError(
            "the standard error has another shape than the values",
            given=f"shape {error.shape}",
            allowed=f"shape {shape}",
            advice="pass the returns of several seeds as returns=" if error.shape[1:] == shape else "",
        )
    _require_finite("the standard error", error)
    if (error < 0).any():
        raise OptionError(
            "standard errors must not be negative",
            given=float(error.min()),
            allowed="numbers >= 0",
            advice="take the square root of variances",
        )
    return error


def aligned_error(error: xarray.DataArray, data: xarray.DataArray) -> xarray.DataArray:
    """Standard errors in the order of the coordinates of the values, which both arrays name.

    Raises
    ------
    GridError
        For other dimensions, and for coordinates that are not those of the values.

    Examples
    --------
    >>> import xarray
    >>> from heatpg.core.scatter import aligned_error
    >>> data = xarray.DataArray([5.0, 6.0, 7.0], {"x": [2, 1, 0]}, ["x"])
    >>> aligned_error(xarray.DataArray([0.0, 0.1, 0.2], {"x": [0, 1, 2]}, ["x"]), data).values.tolist()
    [0.2, 0.1, 0.0]
    """
    if set(error.dims) != set(data.dims):
        raise GridError(
            "the standard error has other dimensions than the values",
            given=", ".join(map(str, error.dims)),
            allowed=", ".join(map(str, data.dims)),
        )
    for dim in data.dims:
        if error.sizes[dim] != data.sizes[dim]:
            raise GridError(
                f"the standard error has another size than the values along {dim!r}",
                given=f"{error.sizes[dim]} nodes",
                allowed=f"{data.sizes[dim]} nodes",
            )
        # a dimension without labels has nothing but its order
        if dim in error.coords and dim in data.coords:
            order = _order(error.coords[dim].to_numpy(), data.coords[dim].to_numpy())
            if order is None:
                raise GridError(
                    f"the standard error has other coordinates than the values along {dim!r}",
                    given=f"from {error.coords[dim].to_numpy()[0]} to {error.coords[dim].to_numpy()[-1]}",
                    allowed=f"those from {data.coords[dim].to_numpy()[0]} to {data.coords[dim].to_numpy()[-1]}",
                    advice=(
                        "select the errors at the nodes of the values, or pass error.to_numpy() to ignore the labels"
                    ),
                )
            error = error.isel({dim: order})
    return error


def _order(labels: Array, wanted: Array) -> Array | None:
    """Where each of the wanted labels is among these; None where they are not the same."""
    if _same(labels, wanted):
        return np.arange(len(wanted))
    try:
        ours, theirs = np.argsort(labels, kind="stable"), np.argsort(wanted, kind="stable")
    except TypeError:  # labels of several kinds
        return None
    # of a label that is there twice nobody knows which one is meant
    if not _same(labels[ours], wanted[theirs]) or len(np.unique(wanted)) < len(wanted):
        return None
    order = np.empty(len(wanted), dtype=np.intp)
    order[theirs] = ours
    return order


def _same(labels: Array, wanted: Array) -> bool:
    """Whether labels are equal; numbers, up to the round-off of the coarser of their types."""
    kinds = {labels.dtype.kind, wanted.dtype.kind}
    if "f" in kinds and kinds <= set("fiu"):
        eps = max(float(np.finfo(each.dtype).eps) for each in (labels, wanted) if each.dtype.kind == "f")
        largest = float(np.abs(wanted).max(initial=0.0))
        return bool((np.abs(labels.astype(np.float64) - wanted.astype(np.float64)) <= 2.0 * eps * largest).all())
    return bool(np.array_equal(labels, wanted))


def checked_returns(given: Any, shape: tuple[int, ...] | None = None) -> Array:
    """Returns of seeds, shape (seeds, *shape), in single or double precision; an array that somebody else may hold.

    Raises
    ------
    GridError, NonFiniteError, OptionError
        For another shape, fewer than two seeds, numbers that are not finite, and what is no number.
    """
    returns = _floating("returns", given)
    if returns.ndim < 2 or (shape is not None and returns.shape[1:] != shape):
        wanted = "(seeds, *shape of the grid)" if shape is None else f"(seeds, {', '.join(map(str, shape))})"
        last = shape is not None and returns.shape[:-1] == shape
        raise GridError(
            "the returns have the wrong shape for the grid",
            given=f"shape {returns.shape}",
            allowed=wanted,
            advice="move the seeds to the first axis: np.moveaxis(returns, -1, 0)"
            if last
            else "the first axis must be the seeds",
        )
    if len(returns) < 2:
        raise GridError(
            "a standard error needs the returns of at least 2 seeds",
            given=f"{len(returns)} seed{'' if len(returns) == 1 else 's'}",
            advice="pass the returns of a single seed as values: returns[0]" if len(returns) else "",
        )
    _require_finite("the returns", returns)
    return returns


def mean_and_error(returns: Array) -> tuple[Array, Array]:
    """Mean over seeds, the first axis, and its standard error: s / sqrt(seeds), s^2 with seeds - 1.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.core.scatter import mean_and_error
    >>> mean, error = mean_and_error(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> mean.tolist(), error.tolist()
    ([2.0, 5.0], [1.0, 0.0])
    """
    # seeds next to each other, which decides the order of sums; of single precision sums are taken in double
    rows = np.ascontiguousarray(np.moveaxis(returns, 0, -1), dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # told below, by the name of what the caller gave
        mean = rows.mean(axis=-1)
        # the mean of equal numbers is rounded, and their scatter about it would be 1e-14 of them and not 0
        scatter = np.where(np.ptp(rows, axis=-1) > 0.0, rows.std(axis=-1, ddof=1), 0.0)
    error = scatter / math.sqrt(rows.shape[-1])
    beyond = ~(np.isfinite(mean) & np.isfinite(error))
    if beyond.any():
        first = tuple(int(i) for i in np.argwhere(beyond)[0])
        raise NonFiniteError(
            f"the returns are too large for their mean and standard error at index {first}",
            given=f"up to {np.abs(rows[first]).max():g}",
            advice="rescale the returns",
        )
    return mean.astype(returns.dtype, copy=False), error.astype(returns.dtype, copy=False)


def require_mean(values: Array, mean: Array, returns: Array) -> None:
    """Refuse values that are not the mean of the returns up to rounding.

    Raises
    ------
    OptionError
        With the first place where they differ.
    """
    # a sum of n numbers in any order is off by n units of the largest at most
    eps = max(float(np.finfo(values.dtype).eps), float(np.finfo(returns.dtype).eps))
    allowance = (len(returns) + 2) * eps * np.abs(returns).max(axis=0)
    away = np.abs(values.astype(np.float64) - mean) > allowance
    if away.any():
        first = tuple(int(i) for i in np.argwhere(away)[0])
        raise OptionError(
            f"the values are not the mean of the returns at index {first}",
            given=f"{values[first]:.10g}, mean {mean[first]:.10g}",
            advice="omit values: they are computed as the mean over the first axis of returns",
        )


def _floating(what: str, given: Any) -> Array:
    array = real_array(
        what, given.array if isinstance(given, HandedOver) else given, allowed="float32, float64, integers"
    )
    if array.dtype.kind == "b":
        raise OptionError(f"{what} must be real numbers", given="dtype bool")
    kind = array.dtype if array.dtype in (np.float32, np.float64) else np.float64
    return np.asarray(array, dtype=kind, order="C")


def _require_finite(what: str, array: Array) -> None:
    finite = np.isfinite(array)
    if not finite.all():
        first = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise NonFiniteError(
            f"{what} {'are' if what.endswith('s') else 'is'} not finite at index {first}",
            given=f"{array[first]}, first of {int((~finite).sum())} places",
        )
