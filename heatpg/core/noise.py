"""Exploration noise: sigma and covariance, parsed, sorted, chosen by default, and as text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.grid import Grid, sigma_advice
from heatpg.errors import OptionError, SigmaError
from heatpg.tools.arrays import real_numbers
from heatpg.tools.options import shown
from heatpg.tools.warn import warn_caller

__all__ = [
    "LEVELS",
    "Sigma",
    "default_sigma",
    "few_levels",
    "geometric_levels",
    "parse_covariance",
    "parse_sigma",
    "plain_levels",
    "positive_sigmas",
    "sigma_words",
]

Sigma = float | Sequence[float] | ArrayLike | Mapping[str, float | Sequence[float]]

LEVELS = 64  # of a study: 32 a decade on a grid of 400 nodes; a matter of taste
_FIRST_CELLS = 2.0  # spacings: below, a grid shows little of what noise does
_LAST_SHARE = 0.5  # of the box: beyond, most of what is seen is the boundary
# numbers whose squares are normal numbers
_SQUARES = (math.sqrt(np.finfo(np.float64).tiny), math.sqrt(np.finfo(np.float64).max))
_TOLD = 8  # places that a message lists; a matter of taste
_ASYMMETRY = 1e-12  # relative: rounding of A @ A.T, and far below anything that is meant


def _refuse_range(deviations: NDArray[np.float64], grid: Grid) -> None:
    """Refuse noise whose variance, in the units of an axis or in those of its spacing, is no normal number.

    Parameters
    ----------
    deviations
        Shape (T, dimensions); 0 for none.
    grid
        The grid.
    """
    least, most = _SQUARES
    for axis, column in zip(grid, deviations.T, strict=True):
        moving = column[column > 0]
        if not moving.size:
            continue
        low, high = float(moving.min()), float(moving.max())
        # of a line that is mirrored, the period is twice the length
        if not (least <= low and high <= most and least <= axis.spacing and 2.0 * axis.length <= most):
            raise SigmaError(
                f"the square of sigma or of a length along axis {axis.name!r} overflows or underflows double precision",
                given=f"sigma={low:g} to {high:g}, {axis.size} nodes {axis.spacing:g} apart",
                allowed=f"{least:.1e} to {most:.1e}",
                advice="change the unit of this axis, so that its length is near 1",
            )
        if not (least * axis.spacing <= low and high / axis.spacing <= most):
            raise SigmaError(
                f"the square of sigma / h along axis {axis.name!r} overflows or underflows double precision",
                given=f"sigma={low:g} to {high:g}, grid spacing h={axis.spacing:g}",
                allowed=f"sigma / spacing from {least:.1e} to {most:.1e}, or 0",
                advice="for very small noise use sigma=0, which returns Q; otherwise use a smaller sigma",
            )


def plain_levels(sigma: Sigma | None) -> tuple[float, ...] | None:
    """The noise levels where they are a number, or a list of numbers in ascending order, as in most calls; else None.

    Examples
    --------
    >>> from heatpg.core.noise import plain_levels
    >>> plain_levels(0.1), plain_levels([0.1, 0.2]), plain_levels([0.2, 0.1])
    ((0.1,), (0.1, 0.2), None)
    """
    levels = [sigma] if type(sigma) is float else sigma
    if not isinstance(levels, list) or not all(type(level) is float for level in levels):
        return None
    return tuple(levels) if all(a < b for a, b in itertools.pairwise(levels)) else None


def parse_sigma(sigma: Sigma, grid: Grid, *, tell: bool = True) -> NDArray[np.float64]:
    """Noise levels as an array: (T,) where all axes share them, (T, dimensions) where each has its own.

    Parameters
    ----------
    sigma
        A number; a list of numbers; an array of shape (T, dimensions); or a dictionary from axis names to a number
        or a list each. They are sorted in ascending order, with a warning.
    grid
        The grid of the landscape.
    tell
        Whether to warn if they are not in ascending order.

    Raises
    ------
    SigmaError
        For an empty list, NaN, infinity, negative or repeated values, a wrong shape, or values whose squares overflow
        or underflow.

    Warns
    -----
    HeatpgWarning
        If they are not in ascending order.

    Examples
    --------
    >>> from heatpg import Axis, Grid
    >>> from heatpg.core.noise import parse_sigma
    >>> grid = Grid(Axis("x", 0, 1, 5, boundary="clip"), Axis("y", 0, 1, 5, boundary="clip"))
    >>> parse_sigma([0.1, 0.2], grid)
    array([0.1, 0.2])
    >>> parse_sigma({"x": [0.1, 0.2], "y": 0.0}, grid)
    array([[0.1, 0. ],
           [0.2, 0. ]])
    """
    allowed = f"a number >= 0, a list, an array of shape (T, {grid.dimensions}), or a dictionary by axis name"
    if isinstance(sigma, Mapping):
        for name in sigma:
            grid.index(name)
        missing = [axis.name for axis in grid if axis.name not in sigma]
        if missing:
            raise SigmaError("every axis needs a sigma", given=dict(sigma), advice=f"missing: {', '.join(missing)}")
        columns = [
            np.atleast_1d(real_numbers(f"sigma of {axis.name!r}", sigma[axis.name], SigmaError)) for axis in grid
        ]
        try:
            sigma = np.stack(np.broadcast_arrays(*columns), axis=-1)
        except ValueError:
            counts = ", ".join(f"{axis.name}: {len(column)}" for axis, column in zip(grid, columns, strict=True))
            raise SigmaError(
                "the axes have different numbers of sigmas",
                given=counts,
                allowed="one number per axis, or equally many",
            ) from None
    values = real_numbers("sigma", sigma, SigmaError, allowed=allowed)
    if values.ndim == 0:
        values = values[None]
    if values.size == 0:
        raise SigmaError("sigma is empty", given=repr(sigma), allowed=allowed)
    if values.ndim > 2 or (values.ndim == 2 and values.shape[1] != grid.dimensions):
        raise SigmaError("sigma has the wrong shape", given=f"shape {values.shape}", allowed=allowed)
    bad = ~np.isfinite(values) | (values < 0)
    if bad.any():
        first = float(values[bad][0])
        raise SigmaError(
            "sigma must be finite and not negative", given=first, allowed="numbers >= 0", advice=sigma_advice(first)
        )
    _refuse_range(
        np.broadcast_to(values[:, None] if values.ndim == 1 else values, (len(values), grid.dimensions)), grid
    )
    if len(values) == 1:
        # one level, as most calls have, has an order and no double; on small fields the search would be felt
        return values.copy()
    # of one sigma per axis the order is that of the total variance, as for covariances
    order = np.argsort(values if values.ndim == 1 else (values**2).sum(axis=1), kind="stable")
    if tell:
        _tell_order(order, "sigma is")
    values = values[order]
    if len(np.unique(values, axis=0)) < len(values):
        raise SigmaError("noise levels must be different", given=values.tolist(), advice="remove the duplicate")
    return values


def _tell_order(order: NDArray[np.intp], what: str) -> None:
    """Warn whoever would take the first field for that of the first sigma given."""
    if (np.diff(order) < 0).any():
        places = ", ".join(map(str, order[:_TOLD])) + (", ..." if len(order) > _TOLD else "")
        warn_caller(f"{what} sorted in ascending order, and so are the results; their indices in the input: {places}")


def _refuse_asymmetry(values: NDArray[np.float64], grid: Grid) -> None:
    # entries of different units are compared with the deviations along their two axes
    scale = np.sqrt(np.abs(np.diagonal(values, axis1=1, axis2=2)))
    bad = np.abs(values - values.swapaxes(1, 2)) > _ASYMMETRY * scale[:, :, None] * scale[:, None, :]
    if bad.any():
        k, i, j = (int(n) for n in np.argwhere(bad)[0])
        raise SigmaError(
            f"covariance {k} is not symmetric between axes {grid[i].name!r} and {grid[j].name!r}",
            given=f"{values[k, i, j]:.16g} and {values[k, j, i]:.16g}",
            allowed=f"equal within {_ASYMMETRY:g}, relatively",
            advice="if A is meant as a factor, pass A @ A.T",
        )


def _refuse_indefinite(values: NDArray[np.float64], grid: Grid) -> None:
    def name(k: int) -> str:
        return f"covariance {k} of {len(values)}" if len(values) > 1 else "the covariance"

    variances = np.diagonal(values, axis1=1, axis2=2)
    if (variances <= 0).any():
        k, i = (int(n) for n in np.argwhere(variances <= 0)[0])
        raise SigmaError(
            f"{name(k)} is not positive definite: the variance along axis {grid[i].name!r} is not positive",
            given=f"{variances[k, i]:g}, smallest eigenvalue {np.linalg.eigvalsh(values[k])[0]:g}",
            allowed="positive definite matrices",
            advice="for an axis without noise, pass sigma= with one number per axis",
        )
    # of correlations, so that axes of different units have a say each; the bound is the rounding of eigenvalues of a d
    # x d matrix of numbers up to 1
    scale = np.sqrt(variances)
    least = np.linalg.eigvalsh(values / (scale[:, :, None] * scale[:, None, :]))[:, 0]
    bad = least <= 4.0 * grid.dimensions * np.finfo(np.float64).eps
    if bad.any():
        k = int(np.argmax(bad))
        eigenvalues, vectors = np.linalg.eigh(values[k])
        direction = ", ".join(f"{x:.3g} along {axis.name!r}" for x, axis in zip(vectors[:, 0], grid, strict=True))
        raise SigmaError(
            f"{name(k)} is not positive definite",
            given=f"smallest eigenvalue {eigenvalues[0]:g} (of the correlations {least[k]:g}), eigenvector {direction}",
            advice="all correlations must be below 1 in magnitude",
        )


def parse_covariance(covariance: ArrayLike, grid: Grid, *, tell: bool = True) -> NDArray[np.float64]:
    """Covariances as an array (T, dimensions, dimensions), in ascending order of their total variance.

    Parameters
    ----------
    covariance
        Shape (dimensions, dimensions), or (T, dimensions, dimensions), in the order and the units of the axes;
        symmetric within 1e-12 and positive definite beyond round-off.
    grid
        The grid of the landscape.
    tell
        Whether to warn if they are not in ascending order.

    Raises
    ------
    SigmaError
        For anything else, with the axes concerned, and for repeated covariances.

    Examples
    --------
    >>> from heatpg import Axis, Grid
    >>> from heatpg.core.noise import parse_covariance
    >>> grid = Grid(Axis("x", 0, 1, 5, boundary="clip"), Axis("y", 0, 1, 5, boundary="clip"))
    >>> parse_covariance([[2.0, 1.0], [1.0, 2.0]], grid).shape
    (1, 2, 2)
    """
    d = grid.dimensions
    allowed = f"numbers, shape ({d}, {d}) or (T, {d}, {d})"
    values = real_numbers("the covariance", covariance, SigmaError, allowed=allowed)
    shape = values.shape
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3 or values.shape[1:] != (d, d) or not len(values):
        raise SigmaError(
            "the covariance has the wrong shape",
            given=f"shape {shape}",
            allowed=allowed,
            advice="for independent axes pass sigma= with one number per axis",
        )
    if not np.isfinite(values).all():
        k, i, j = (int(n) for n in np.argwhere(~np.isfinite(values))[0])
        raise SigmaError(
            f"covariance {k} is not finite",
            given=f"{values[k, i, j]} between axes {grid[i].name!r} and {grid[j].name!r}",
            allowed="finite numbers",
        )
    _refuse_range(np.sqrt(np.maximum(np.diagonal(values, axis1=1, axis2=2), 0.0)), grid)
    _refuse_asymmetry(values, grid)
    # exactly symmetric from here on; halves first, so that no sum overflows
    values = 0.5 * values + 0.5 * values.swapaxes(1, 2)
    _refuse_indefinite(values, grid)
    order = np.argsort(np.trace(values, axis1=1, axis2=2), kind="stable")
    if tell:
        _tell_order(order, "covariances are")
    values = values[order]
    if len(np.unique(values, axis=0)) < len(values):
        raise SigmaError("covariances must be different", given=values.tolist(), advice="remove the duplicate")
    return values


def positive_sigmas(sigmas: ArrayLike, *, advice: str = "") -> NDArray[np.float64]:
    """Positive noise levels as an array of shape (T,), in the given order.

    Raises
    ------
    SigmaError
        For an empty list, for numbers that are not finite and positive, and for repeated numbers.

    Examples
    --------
    >>> from heatpg.core.noise import positive_sigmas
    >>> positive_sigmas([0.3, 0.1])
    array([0.3, 0.1])
    """
    allowed = "positive numbers"
    levels = np.atleast_1d(real_numbers("sigma", sigmas, SigmaError, allowed=allowed))
    if levels.ndim != 1 or not levels.size:
        raise SigmaError("sigma has the wrong shape", given=f"shape {levels.shape}", allowed=allowed)
    bad = ~(np.isfinite(levels) & (levels > 0))
    if bad.any():
        raise SigmaError(
            "sigma must be positive and finite", given=float(levels[bad][0]), allowed=allowed, advice=advice
        )
    if len(np.unique(levels)) < len(levels):
        raise SigmaError("noise levels must be different", given=levels.tolist(), advice="remove the duplicate")
    return levels


def geometric_levels(first: float, last: float, count: int) -> list[float]:
    """Numbers evenly spaced in the logarithm, both ends included: first (last / first)^(i / (count - 1)).

    Raises
    ------
    OptionError
        Unless 0 < first < last and 2 <= count <= 100,000.

    Examples
    --------
    >>> from heatpg.core.noise import geometric_levels
    >>> geometric_levels(0.01, 1.0, 3)
    [0.01, 0.1, 1.0]
    """
    if 0 < last < first < math.inf:
        raise OptionError(
            "the first noise level exceeds the last",
            given=f"first {first:g}, last {last:g}",
            advice=f"swap them: from {last:g} to {first:g}",
        )
    if not 0 < first < last < math.inf or not 2 <= count <= 100_000:
        raise OptionError(
            "noise levels cannot be spaced evenly in the logarithm",
            given=f"first {first:g}, last {last:g}, count {shown(count)}",
            allowed="0 < first < last, and a count from 2 to 100,000",
        )
    # a ratio that overflows is told below, and not divided
    rate = math.log(last / first) / (count - 1) if last / first < math.inf else math.inf
    if math.isinf(rate):
        raise OptionError(
            "the ratio of last and first is too large",
            given=f"first {first:g}, last {last:g}",
            allowed="last / first below 1e308",
        )
    # twelve digits hide the round-off of exp and log
    inner = [float(f"{first * math.exp(rate * i):.12g}") for i in range(1, count - 1)]
    return [first, *inner, last]


def default_sigma(grid: Grid, levels: int = LEVELS) -> NDArray[np.float64]:
    """Levels from 2 grid spacings to half of the box, evenly spaced in the logarithm.

    If the axes have different units, or lengths that differ by more than a factor of 4, every axis has its own levels,
    in proportion to its length.

    Returns
    -------
    sigma
        Shape (levels,) or (levels, dimensions).

    Raises
    ------
    SigmaError
        For fewer than 2 levels, or a grid with too few nodes.
    """
    if levels < 2:
        raise SigmaError("a study needs at least two sigmas", given=levels, allowed="2, 3, ...")
    lengths, spacing = np.array([axis.length for axis in grid]), np.array(grid.spacing)
    # axes of one unit and of similar length share their sigma; a factor of 4 is a matter of taste
    alike = grid.unit is not None and lengths.max() <= 4 * lengths.min()
    scale = np.ones(len(lengths)) if alike else lengths / lengths.max()
    first, last = _FIRST_CELLS * float((spacing / scale).max()), _LAST_SHARE * float((lengths / scale).min())
    if not last > 2 * first:
        raise SigmaError(
            "the grid is too coarse for a study: half of the box is hardly wider than 2 grid spacings",
            given=f"shape {grid.shape}",
            advice="sample at least 16 nodes along each axis, or pass sigma=",
        )
    sigma = np.geomspace(first, last, levels)
    return sigma if alike else sigma[:, None] * scale


def few_levels(grid: Grid) -> tuple[list[float] | dict[str, list[float]], str]:
    """Three levels from 4 grid spacings to 0.15 of the box, per axis if the axes differ; and a description of them."""

    def levels(spacing: float, length: float) -> list[float]:
        last = 0.15 * length
        first = min(4 * spacing, last / 4)
        return [float(f"{value:.2g}") for value in (first, math.sqrt(first * last), last)]

    # as in default_sigma; three levels are enough to look at, and to see whether more are wanted
    lengths = [axis.length for axis in grid]
    words = "default: from 4 grid spacings (or less on a coarse grid) to 0.15 of the box"
    if grid.unit is not None and max(lengths) <= 4 * min(lengths):
        return levels(max(grid.spacing), min(lengths)), words
    return {axis.name: levels(axis.spacing, axis.length) for axis in grid}, words


def sigma_words(level: ArrayLike, *, digits: int = 6, unit: str | Sequence[str] = "") -> str:
    """A noise level as text: one number, or one per axis in parentheses.

    Parameters
    ----------
    level
        One sigma, or one for each axis.
    digits
        Significant digits of each number.
    unit
        One unit after the whole, or one unit per axis after its number.

    Examples
    --------
    >>> from heatpg.core.noise import sigma_words
    >>> sigma_words(0.17974688304749561), sigma_words([0.1, 0.25], digits=2, unit="N")
    ('0.179747', '(0.1, 0.25) N')
    >>> sigma_words([0.1, 0.25], unit=["m", "s"])
    '(0.1 m, 0.25 s)'
    """
    values = np.atleast_1d(level)
    units = [""] * len(values) if isinstance(unit, str) else list(unit)
    numbers = [f"{value:.{digits}g} {each}".rstrip() for value, each in zip(values, units, strict=True)]
    words = numbers[0] if len(numbers) == 1 else f"({', '.join(numbers)})"
    return f"{words} {unit}" if isinstance(unit, str) and unit else words
