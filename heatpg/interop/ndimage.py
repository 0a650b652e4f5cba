"""`scipy.ndimage.gaussian_filter` and `gaussian_filter1d` under their own names, by heatpg.

For code that calls them, a change of the import is enough. Differences: the Gaussian is not truncated (``truncate`` has
no effect); for sigma below one grid spacing it is applied to the interpolated values instead of being sampled; next to
the edges, except for ``wrap``, the sum is corrected to higher order. Calls with a ``radius`` or an order above 1 are
passed on to SciPy.

Errors are those of heatpg, and of the type that SciPy raises too, so that code which catches SciPy's goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.errors import OptionError
from heatpg.interop.smoothing import smooth
from heatpg.tools.arguments import real_number
from heatpg.tools.calls import checked_call

__all__ = ["gaussian_filter", "gaussian_filter1d"]

Array = NDArray[Any]

# name in SciPy: boundary, nodes
_MODES = {
    "reflect": ("reflect", "cell"),
    "grid-mirror": ("reflect", "cell"),
    "mirror": ("reflect", "vertex"),
    "nearest": ("clip", "vertex"),
    "wrap": ("periodic", "vertex"),
    "grid-wrap": ("periodic", "vertex"),
    "constant": ("zero", "cell"),
    "grid-constant": ("zero", "cell"),
}
_NO_NOISE = 1e-15  # what SciPy takes for 0
_FEWEST = 3  # nodes of an axis
_HIGHEST = 1  # order of a derivative


class _ScipyError(OptionError, RuntimeError):
    """What SciPy refuses with a RuntimeError."""


class _KindError(OptionError, TypeError):
    """What SciPy refuses with a TypeError."""


@checked_call()
def gaussian_filter(
    input: ArrayLike,
    sigma: float | Sequence[float],
    order: int | Sequence[int] = 0,
    output: Any = None,
    mode: str | Sequence[str] = "reflect",
    cval: float = 0.0,
    truncate: float = 4.0,
    *,
    radius: int | Sequence[int] | None = None,
    axes: int | Sequence[int] | None = None,
) -> Any:
    """Multidimensional Gaussian filter, u = Q * N(0, sigma^2), with the arguments of `scipy.ndimage.gaussian_filter`.

    The solver is that of `heatpg.smooth`: exact up to rounding for sigma >= 2.5, positive weights below.

    Parameters
    ----------
    input
        Array of numbers, complex ones included.
    sigma
        Standard deviation in grid spacings, one for all axes or one for each.
    order
        0 for the values, 1 for the derivative along an axis; one for all axes or one for each. With an order above 1
        the call is passed on to SciPy.
    output
        Array for the result, or its data type; by default the type of the input.
    mode
        ``reflect``, ``mirror``, ``nearest``, ``wrap``, ``constant``, and SciPy's other names for these; one for all
        axes or one for each.
    cval
        Value outside for ``constant``.
    truncate
        Has no effect: the Gaussian is not truncated.
    radius
        Radius of a truncated kernel, in grid spacings: the call is passed on to SciPy.
    axes
        Which axes are filtered; by default all.

    Returns
    -------
    filtered
        Array of the shape of the input.

    Raises
    ------
    OptionError
        For an unknown mode, another number of sigmas, orders, modes or radii than axes, and a sigma or order below 0.
    NonFiniteError
        For values that are not finite: one NaN would spoil the whole field.

    References
    ----------
    P. Virtanen et al., SciPy 1.0, Nat. Methods 17 (2020), doi:10.1038/s41592-019-0686-2: the function whose arguments
    these are.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import ndimage
    >>> from heatpg.interop.ndimage import gaussian_filter
    >>> image = np.random.default_rng(0).normal(size=(40, 30))
    >>> theirs = ndimage.gaussian_filter(image, 3.0, mode="wrap", truncate=8)
    >>> bool(np.abs(gaussian_filter(image, 3.0, mode="wrap") - theirs).max() < 1e-13)
    True
    """
    given = np.asarray(input)
    chosen = _axes(axes, given.ndim)
    sigmas = [real_number("sigma", each) for each in _each("sigma", sigma, len(chosen))]
    orders = [_order(each) for each in _each("order", order, len(chosen))]
    modes = [_mode(each) for each in _each("mode", mode, len(chosen))]
    radii = [_radius(each) for each in _each("radius", radius, len(chosen))]
    if min(sigmas, default=0.0) < 0:
        raise OptionError("sigma must not be negative", given=sigma, allowed="numbers >= 0")
    if max(orders, default=0) > _HIGHEST or any(each is not None for each in radii):
        return _passed_on(
            given, output, sigma=sigmas, order=orders, mode=mode, cval=cval, truncate=truncate, radius=radii,
            axes=tuple(chosen),
        )  # fmt: skip
    if given.dtype.kind == "c":
        parts = [
            gaussian_filter(part, sigmas, orders, np.float64, mode, value, axes=tuple(chosen))
            for part, value in ((given.real, complex(cval).real), (given.imag, complex(cval).imag))
        ]
        result = parts[0] + 1j * parts[1]
    else:
        result = np.asarray(given, dtype=given.dtype if given.dtype.kind == "f" else np.float64)
        for each in zip(chosen, sigmas, orders, modes, strict=True):
            if each[1] > _NO_NOISE and result.size:
                result = _along(result, *each, cval)
    return _put(result, output, given)


@checked_call()
def gaussian_filter1d(
    input: ArrayLike,
    sigma: float,
    axis: int = -1,
    order: int = 0,
    output: Any = None,
    mode: str = "reflect",
    cval: float = 0.0,
    truncate: float = 4.0,
    *,
    radius: int | None = None,
) -> Any:
    """Gaussian filter along one axis, with the arguments of `scipy.ndimage.gaussian_filter1d`; see `gaussian_filter`.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.interop.ndimage import gaussian_filter1d
    >>> gaussian_filter1d(np.arange(100.0), 4.0, order=1)[50].round(12).item()  # the slope of a straight line
    1.0
    """
    return gaussian_filter(input, sigma, order, output, mode, cval, truncate, radius=radius, axes=axis)


def _axes(axes: int | Sequence[int] | None, count: int) -> list[int]:
    given: list[Any] = list(range(count)) if axes is None else np.ravel(np.asarray(axes, dtype=object)).tolist()
    for axis in given:
        if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
            raise _KindError("an axis cannot be interpreted as an integer", given=repr(axis), allowed="whole numbers")
    chosen = [int(axis) % count if -count <= axis < count else count for axis in given]
    if count in chosen:
        raise OptionError("an axis is out of range", given=f"axes={axes!r}", allowed=f"from {-count} to {count - 1}")
    if len(set(chosen)) < len(chosen):
        raise OptionError("axes must be unique", given=f"axes={axes!r}")
    return chosen


def _each(name: str, given: Any, count: int) -> list[Any]:
    """One for each axis that is filtered."""
    entries = [given] * count if isinstance(given, str) or np.ndim(given) == 0 else list(given)
    if len(entries) != count:
        raise _ScipyError(
            f"{name}: a sequence argument must have length equal to input rank, or to that of axes",
            given=len(entries),
            allowed=count,
        )
    return entries


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise OptionError(f"{name} must be a nonnegative integer", given=f"{name}={value!r}")
    return int(value)


def _order(order: Any) -> int:
    return _whole("order", order)


def _radius(radius: Any) -> int | None:
    return None if radius is None else _whole("radius", radius)


def _passed_on(given: Array, output: Any, **options: Any) -> Array:
    """What SciPy makes of a call for an order that heatpg does not have, or for a kernel that is cut off."""
    from scipy import ndimage

    if isinstance(output, np.ndarray):
        _require_shape(output, given)
    try:
        return cast(Array, ndimage.gaussian_filter(given, output=output, **options))
    except RuntimeError as error:
        raise _ScipyError("scipy.ndimage.gaussian_filter refuses the call", given=str(error)) from error


def _mode(mode: Any) -> tuple[str, str]:
    if mode not in _MODES:
        raise _ScipyError("unknown mode", given=repr(mode), allowed=", ".join(_MODES))
    return _MODES[mode]


def _along(values: Array, axis: int, sigma: float, order: int, mode: tuple[str, str], cval: float) -> Array:
    """One axis, values or slope."""
    boundary, nodes = mode
    count, outside = values.shape[axis], cval if boundary == "zero" else 0.0
    within = np.moveaxis(values - outside, axis, -1)
    start = 0
    if count < _FEWEST:
        # too short for an axis: with what lies outside written out, until it is long enough or repeats itself
        if boundary in ("clip", "zero"):
            start = 1
            within = np.pad(
                within, [(0, 0)] * (within.ndim - 1) + [(1, 1)], "edge" if boundary == "clip" else "constant"
            )
        else:
            back = within[..., ::-1] if nodes == "cell" else within[..., :0]
            period = np.concatenate([within, back if boundary == "reflect" else within[..., :0]], axis=-1)
            within, boundary, nodes = np.tile(period, _FEWEST), "periodic", "vertex"
    found: Any = smooth(within, sigma, boundary, nodes=nodes, axes=-1, gradient=order == 1)
    result = np.asarray(found[1][0] if order == 1 else found + outside)
    return np.moveaxis(result[..., start : start + count], -1, axis)


def _require_shape(output: Array, given: Array) -> None:
    if output.shape != given.shape:
        raise _ScipyError("output has the wrong shape", given=output.shape, allowed=given.shape)


def _put(result: Array, output: Any, given: Array) -> Any:
    """The result where the caller wants it, in the type that the caller wants."""
    if isinstance(output, np.ndarray):
        _require_shape(output, given)
        output[...] = result.astype(output.dtype)
        return output
    if output is None:
        return result.astype(given.dtype, copy=result is given)
    return result.astype(np.dtype(output))
