"""`scipy.ndimage.gaussian_filter` and `gaussian_filter1d` under their own names, by heatpg.

For code that calls them, a change of the import is enough. Differences: the Gaussian is not truncated (``truncate`` has
no effect, ``radius`` raises an error); for sigma below one grid spacing it is applied to the interpolated values
instead of being sampled; next to the edges, except for ``wrap``, the sum is corrected to higher order; only the orders
0 and 1 are supported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.errors import OptionError, UnsupportedError
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
        0 for the values, 1 for the derivative along an axis; one for all axes or one for each.
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
        Is refused, for the same reason.
    axes
        Which axes are filtered; by default all.

    Returns
    -------
    filtered
        Array of the shape of the input.

    Raises
    ------
    OptionError
        For an unknown mode, another number of sigmas, orders or modes than axes, and a sigma below 0.
    UnsupportedError
        For orders above 1, and for a radius.
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
    if radius is not None:
        raise UnsupportedError(
            "truncation at a radius is not supported", given=f"radius={radius!r}", advice="omit radius"
        )
    chosen = _axes(axes, given.ndim)
    sigmas = [real_number("sigma", each) for each in _each("sigma", sigma, len(chosen))]
    orders = [_order(each) for each in _each("order", order, len(chosen))]
    modes = [_mode(each) for each in _each("mode", mode, len(chosen))]
    if min(sigmas, default=0.0) < 0:
        raise OptionError("sigma must not be negative", given=sigma, allowed="numbers >= 0")
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
    given = range(count) if axes is None else [axes] if isinstance(axes, int | np.integer) else list(axes)
    chosen = [int(axis) % count if -count <= axis < count else count for axis in given]
    if count in chosen or len(set(chosen)) < len(chosen):
        raise OptionError(
            "axes must be different axes of the array", given=f"axes={axes!r}", allowed=f"from {-count} to {count - 1}"
        )
    return chosen


def _each(name: str, given: Any, count: int) -> list[Any]:
    """One for each axis that is filtered."""
    entries = [given] * count if isinstance(given, str) or np.ndim(given) == 0 else list(given)
    if len(entries) != count:
        raise OptionError(f"{name} needs one entry per axis", given=given, allowed=count)
    return entries


def _order(order: Any) -> int:
    if order in (0, 1):
        return int(order)
    raise UnsupportedError(
        "derivatives of this order are not supported",
        given=f"order={order!r}",
        allowed="0 for values, 1 for first derivatives",
    )


def _mode(mode: Any) -> tuple[str, str]:
    if mode not in _MODES:
        raise OptionError("unknown mode", given=repr(mode), allowed=", ".join(_MODES))
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


def _put(result: Array, output: Any, given: Array) -> Any:
    """The result where the caller wants it, in the type that the caller wants."""
    if isinstance(output, np.ndarray):
        if output.shape != result.shape:
            raise OptionError("output has the wrong shape", given=output.shape, allowed=result.shape)
        output[...] = result.astype(output.dtype)
        return output
    if output is None:
        return result.astype(given.dtype, copy=result is given)
    return result.astype(np.dtype(output))
