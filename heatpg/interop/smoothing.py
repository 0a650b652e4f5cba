"""`smooth`: from an array to an array of the same kind, for those who come with `scipy.ndimage.gaussian_filter`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.grid import Grid
from heatpg.core.landscape import Landscape
from heatpg.core.noise import parse_sigma
from heatpg.core.positions import grid_of_nodes
from heatpg.errors import OptionError, SigmaError, UnsupportedError
from heatpg.evolution import solve
from heatpg.solvers import Solver
from heatpg.tools.arrays import real_array
from heatpg.tools.calls import SIGMA_KEYWORDS, checked_call
from heatpg.tools.warn import warn_caller

__all__ = ["smooth"]

Array = NDArray[Any]
Name = int | str


@checked_call(
    **SIGMA_KEYWORDS,
    order="pass gradient=True for the first derivatives, or use heatpg.interop.ndimage.gaussian_filter",
    truncate="omit it, the Gaussian is not truncated; or use heatpg.interop.ndimage.gaussian_filter",
    cval="pass boundary='zero', which continues with 0; or use heatpg.interop.ndimage.gaussian_filter",
)
def smooth(
    values: Any,
    sigma: float | ArrayLike | Mapping[Name, ArrayLike] | None,
    boundary: str | Sequence[str] | Mapping[Name, str],
    *,
    spacing: float | Sequence[float] | Mapping[Name, float] = 1.0,
    axes: Name | Sequence[Name] | None = None,
    nodes: str | Sequence[str] | Mapping[Name, str] = "vertex",
    gradient: bool = False,
    solver: str | Solver = "auto",
    covariance: ArrayLike | None = None,
) -> Any:
    """Mean of an array under Gaussian noise: u = Q * N(0, sigma^2), from an array to an array of the same kind.

    This is `heatpg.evolve` without landscape, checks and report, for simply smoothing an array. It
    has the error and order of the solver, also at the edge; the Gaussian is not truncated.

    Parameters
    ----------
    values
        Q: an array of NumPy, an `xarray.DataArray`, a tensor of torch or an array of jax, or numbers in lists.
    sigma
        Standard deviation of the noise in units of `spacing`: a number, or several, in any order; the result then has
        an extra first axis. Different ones along the axes are an array of shape (T, dimensions), or a dictionary
        from each axis to a number or a list. A tuple of one number per axis, as SciPy takes it, is read as several
        noise levels, with a warning. None with a `covariance`.
    boundary
        Boundary condition: ``periodic`` (SciPy calls it wrap), ``reflect`` (with ``nodes="vertex"`` SciPy's mirror,
        with ``nodes="cell"`` its reflect), ``clip`` (nearest), ``zero`` (constant; with ``nodes="vertex"`` the end
        nodes lie on the edge and have half weight), or ``absorb`` (Dirichlet, edge values fixed). One for all axes, one
        for each in order, or a dictionary from each axis to its own.
    spacing
        Distance of neighbouring nodes, for all axes or for each.
    axes
        Axes to smooth, by number, or by name for a DataArray, also as keys of dictionaries; other axes are not
        smoothed. By default all, in their order.
    nodes
        ``vertex`` if the outermost nodes are the bounds of the axis, ``cell`` for values at cell centres.
    gradient
        Whether to return the gradient of u as well: the policy gradient with respect to the mean.
    solver
        Name or object, as of `heatpg.evolve`.
    covariance
        Covariance of correlated noise, in place of sigma: shape (dimensions, dimensions), or (T, dimensions,
        dimensions) for several, in the order of the smoothed axes; see `heatpg.evolve`.

    Returns
    -------
    smoothed
        u, shape (*values.shape) or (T, *values.shape), of the kind, and for floating point of the type, of the values.
        A DataArray keeps its coordinates and attributes, and several sigmas become its dimension ``sigma``.
    slopes
        With `gradient`: du/dx along the axes that are smoothed, shape (dimensions, *values.shape), or (T, dimensions,
        *values.shape); for a DataArray the dimension is ``axis``, with their names.

    Raises
    ------
    SigmaError, GridError, BoundaryError, UnknownNameError, OptionError, NonFiniteError, UnsupportedError
        For input that cannot be smoothed, also for a tensor with a gradient, which would be lost.
    ResourceError
        If the result would not fit in memory.

    Warns
    -----
    HeatpgWarning
        For a tuple of as many numbers as there are axes.

    References
    ----------
    T. Wang, S. Herbert, S. Gao, Mollification effects of policy gradient methods, ICML 2024, arXiv:2405.17832.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import smooth
    >>> spike = np.zeros(101)
    >>> spike[50] = 1.0
    >>> u = smooth(spike, 4.0, "clip")  # the density of N(0, 4^2)
    >>> bool(np.isclose(u[50], 1 / (4 * np.sqrt(2 * np.pi))))
    True
    >>> x = np.linspace(0.0, 2 * np.pi, 64, endpoint=False)
    >>> u, slope = smooth(np.sin(x), [0.5, 1.0], "periodic", spacing=x[1], gradient=True)
    >>> u.shape, slope.shape
    ((2, 64), (2, 1, 64))
    >>> bool(np.allclose(slope[1, 0], np.exp(-0.5) * np.cos(x)))
    True
    """
    names = _dimensions(values)
    if getattr(values, "requires_grad", False) is True:
        raise UnsupportedError(
            "the gradient of this tensor would be lost",
            given=f"{type(values).__name__} with requires_grad=True",
            advice="pass values.detach(), or use heatpg.interop.torch for gradients",
        )
    array = real_array("the values", values)
    chosen = _chosen(axes, names, array.ndim)
    # batch axes come first, and those of the grid behind them in the order that was given
    last = range(array.ndim - len(chosen), array.ndim)
    moved = np.moveaxis(array, chosen, last)
    each = _Axes(names, array.ndim, chosen)
    if isinstance(sigma, tuple) and len(sigma) == len(chosen) > 1 and all(np.ndim(level) == 0 for level in sigma):
        by_axis = ", ".join(f"{each.label(i)!r}: {level}" for i, level in zip(chosen, sigma, strict=True))
        warn_caller(
            f"sigma={sigma} is read as {len(sigma)} noise levels; for one per axis, as in SciPy, pass {{{by_axis}}}, "
            f"for noise levels a list: {list(sigma)}"
        )
    if (sigma is None) == (covariance is None):
        raise SigmaError(
            "give either sigma or covariance, not both" if sigma is not None else "give sigma or covariance"
        )
    grid = grid_of_nodes(
        moved.shape[last.start :],
        boundary=each.named("boundary", boundary),
        spacing=_positive(list(each.named("spacing", spacing).values()) if isinstance(spacing, Mapping) else spacing),
        nodes=each.named("nodes", nodes),
    )
    # the sigmas come back in the order in which they were given
    noise: dict[str, Any] = {}
    if covariance is None:
        levels, order, single = _levels(each.named("sigma", sigma) if isinstance(sigma, Mapping) else sigma, grid)
        noise["sigma"] = levels
    else:
        matrices, order, single = _matrices(covariance)
        noise["covariance"] = matrices
    landscape = Landscape(moved, grid, "values")
    # the result is the caller's to change, which the values of an evolution are not
    fields = np.empty((len(order), *moved.shape), landscape.values.dtype)
    flow = solve(landscape, solver=solver, out=fields, **noise)
    kept = order[0] if single else order
    told = None if single else flow.sigma[order]
    smoothed = np.moveaxis(fields, [i + 1 for i in last], [i + 1 for i in chosen])[kept]
    made = _like(values, smoothed.astype(_kept_type(array), copy=False), told)
    if not gradient:
        return made
    slopes = np.moveaxis(flow.gradient(), [i + 2 for i in last], [i + 2 for i in chosen])[kept]
    return made, _like(values, slopes.astype(_kept_type(array), copy=False), told, [str(each.label(i)) for i in chosen])


def _positive(spacing: Any) -> Any:
    """The spacing, refused by its own name where it is none."""
    steps = real_array("spacing", spacing)
    if not (np.isfinite(steps) & (steps > 0)).all():
        raise OptionError("spacing must be positive", given=f"spacing={spacing!r}", allowed="numbers > 0")
    return spacing


def _matrices(covariance: ArrayLike) -> tuple[Array, NDArray[np.intp], bool]:
    """As `_levels`, of covariances: by their traces, as `parse_covariance` sorts them."""
    matrices = real_array("covariance", covariance)
    if matrices.ndim != 3:
        return matrices, np.arange(1), True
    order = np.argsort(np.trace(matrices, axis1=1, axis2=2), kind="stable")
    return matrices[order], np.argsort(order, kind="stable"), False


def _kept_type(array: Array) -> Any:
    """Half precision is solved in a longer type, and comes back as it was."""
    return array.dtype if array.dtype.kind == "f" else np.float64


class _Axes:
    """The axes that are smoothed, and what is given for each of them, under the names that they have in a grid."""

    def __init__(self, names: list[str] | None, count: int, chosen: list[int]) -> None:
        self._names, self._count, self._chosen = names, count, chosen

    def label(self, axis: int) -> Name:
        """What the caller calls an axis."""
        return axis if self._names is None else self._names[axis]

    def named(self, what: str, given: Any) -> Any:
        """One for all axes as it is, and otherwise a dictionary for `grid_of_nodes`, whose axes are x1, x2, ..."""
        if isinstance(given, Mapping):
            own = {_chosen(key, self._names, self._count, what)[0]: entry for key, entry in given.items()}
            if sorted(own) != sorted(self._chosen):
                raise OptionError(
                    f"the dictionary {what} needs one entry per smoothed axis",
                    given=repr(dict(given)),
                    allowed=", ".join(repr(self.label(i)) for i in self._chosen),
                )
            return {f"x{number + 1}": own[axis] for number, axis in enumerate(self._chosen)}
        if isinstance(given, str) or what == "spacing":
            return given
        entries = list(given) if isinstance(given, Sequence | np.ndarray) else None
        if entries is None or len(entries) != len(self._chosen):
            raise OptionError(
                f"{what} must be a single value, or one per axis",
                given=f"{what}={given!r}" + ("" if entries is None else f", {len(entries)} entries"),
                allowed="one entry for each of the axes " + ", ".join(repr(self.label(i)) for i in self._chosen),
            )
        return {f"x{number + 1}": entry for number, entry in enumerate(entries)}


def _dimensions(values: Any) -> list[str] | None:
    """The names of the dimensions of a DataArray; None for anything else."""
    if not all(hasattr(values, part) for part in ("dims", "coords", "attrs", "transpose")):
        return None
    if isinstance(values.dims, Mapping) or hasattr(values, "data_vars"):
        raise OptionError(
            "values must be a single array", given=type(values).__name__, advice="select a variable: dataset['name']"
        )
    return [str(name) for name in values.dims]


def _chosen(axes: Name | Sequence[Name] | None, names: list[str] | None, count: int, dictionary: str = "") -> list[int]:
    """The numbers of axes, in the order in which they were given; `dictionary` is the parameter whose keys they are."""
    if axes is None:
        return list(range(count))
    given = list(axes) if isinstance(axes, Sequence | np.ndarray) and not isinstance(axes, str) else [axes]
    chosen = []
    for axis in given:
        if names is not None and axis in names:
            chosen.append(names.index(str(axis)))
        elif isinstance(axis, int) and not isinstance(axis, bool) and -count <= axis < count:
            chosen.append(axis % count)
        else:
            known = f"from {-count} to {count - 1}" + (f", or {', '.join(names)}" if names else "")
            if dictionary:
                raise OptionError(
                    f"the keys of {dictionary} must be axes of the array", given=repr(axis), allowed=known
                )
            raise OptionError("axes must be axes of the array", given=f"axes={axes!r}", allowed=known)
    if len(set(chosen)) < len(chosen) or not chosen:
        raise OptionError("axes must be different", given=f"axes={axes!r}", allowed="one or more different axes")
    return chosen


def _levels(sigma: Any, grid: Grid) -> tuple[Any, NDArray[np.intp], bool]:
    """Noise in ascending order, how to put it back into the order of the caller, and whether it was a single one."""
    if isinstance(sigma, Mapping):
        single = all(np.ndim(each) == 0 for each in sigma.values())
        return sigma, np.arange(1 if single else len(parse_sigma(sigma, grid, tell=False))), single
    # numbers, tensors and lists alike
    numbers = real_array("sigma", sigma)
    if numbers.ndim != 1:
        return numbers, np.arange(len(numbers) if numbers.ndim else 1), numbers.ndim == 0
    order = np.argsort(numbers, kind="stable")
    return numbers[order], np.argsort(order, kind="stable"), False


def _like(given: Any, result: Array, sigma: Array | None, slopes: Sequence[str] = ()) -> Any:
    """A result as the kind of array that was given."""
    kind = type(given).__module__.partition(".")[0]
    if kind == "torch":
        torch = sys.modules["torch"]
        like = given.dtype if given.dtype.is_floating_point else torch.float64
        return torch.as_tensor(np.ascontiguousarray(result)).to(device=given.device, dtype=like)
    if kind in ("jax", "jaxlib"):
        numpy = sys.modules["jax"].numpy
        return numpy.asarray(result, dtype=given.dtype if numpy.issubdtype(given.dtype, numpy.floating) else None)
    if hasattr(given, "dims"):
        leading: dict[str, Any] = {}
        if sigma is not None:
            # one number for each level, where all axes share it
            leading["sigma"] = sigma if sigma.ndim == 1 else range(len(sigma))
        if slopes:
            leading["axis"] = list(slopes)
        coordinates = {**leading, **given.coords}
        return type(given)(result, dims=(*leading, *given.dims), coords=coordinates, name=given.name, attrs=given.attrs)
    return result
