"""Increments of a landscape over distances: its structure functions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import GridError, OptionError, UnsupportedError
from heatpg.tools.calls import checked_call
from heatpg.tools.plain import fields_as_dict

__all__ = [
    "StructureFunction",
    "deviations",
    "increments_along",
    "lags_of",
    "mean_spacing",
    "positions_of",
    "structure_function",
]

Array = NDArray[np.float64]
# A taste: dense enough for a window to be cut by half octaves; neighbours hardly differ.
_LAGS_PER_OCTAVE = 6
# Of the box. A taste: beyond, a mean is over fewer than four distances that do not overlap.
_LARGEST_LAG = 0.25


@dataclasses.dataclass(frozen=True, eq=False)
class StructureFunction:
    """Mean powers of increments, S_q(delta) = mean |Q(x + delta e) - Q(x)|^q.

    Attributes
    ----------
    moments
        The powers q.
    lags
        Distances in nodes, shape (n,).
    scales
        Distances delta in the units of the axes, shape (n,); the geometric mean over the axes where their spacings
        differ.
    values
        S_q, shape (moments, n).
    pairs
        Number of pairs of nodes in each mean, shape (n,).
    axes
        The axes along which increments were taken.
    """

    moments: tuple[float, ...]
    lags: NDArray[np.int64]
    scales: Array
    values: Array
    pairs: NDArray[np.int64]
    axes: tuple[str, ...]

    def exponents(self) -> Array:
        """Local exponents d ln S_q / d ln delta / q between neighbouring lags, shape (moments, n - 1).

        They are p where S_q ~ delta^(q p), and 1 at most for small delta: increments of a smooth function are
        proportional to delta, however smooth it is.

        Raises
        ------
        UnsupportedError
            If all increments over some distance are zero.
        """
        if not (self.values > 0).all():
            raise UnsupportedError(
                "increments are all zero, so no exponent can be estimated",
                given=f"distance {self.scales[self._first_zero()]:g}",
            )
        slopes = np.diff(np.log(self.values), axis=1) / np.diff(np.log(self.scales))
        return np.asarray(slopes / np.array(self.moments)[:, None])

    def _first_zero(self) -> int:
        return int(np.argmin((self.values > 0).all(axis=0)))

    def __str__(self) -> str:
        head = " ".join(
            [f"{'lag':>6}", f"{'delta':>11}", *(f"{f'S_{q:g}':>11}" for q in self.moments), f"{'pairs':>10}"]
        )
        rows = [
            " ".join([f"{lag:6d}", f"{scale:11.4g}", *(f"{s:11.4g}" for s in column), f"{pairs:10d}"])
            for lag, scale, column, pairs in zip(self.lags, self.scales, self.values.T, self.pairs, strict=True)
        ]
        return "\n".join([f"increments along {', '.join(self.axes)}", head, *rows])

    def as_dict(self) -> dict[str, Any]:
        """The structure function as JSON-like values."""
        return fields_as_dict(self)


def deviations(landscape: Landscape) -> tuple[Array, float]:
    """Q without its mean in units of its largest deviation, and that unit."""
    if landscape.batch_shape:
        raise UnsupportedError(
            "roughness needs a single landscape",
            given=f"batch of shape {landscape.batch_shape}",
            advice="select one: Landscape(values[i], grid)",
        )
    # divided by the largest value first, so that the sum in the mean cannot overflow
    taken = landscape.centring
    values = np.asarray(taken.remove(landscape.values), dtype=np.float64)
    largest = float(np.abs(values).max()) or 1.0
    values = values / largest
    values -= values.mean()
    unit = float(np.abs(values).max())
    # a mean is rounded, so a constant need not be zero without it
    if unit <= 4.0 * np.finfo(landscape.values.dtype).eps:
        raise UnsupportedError(
            "a constant landscape has no roughness", given=f"{landscape.name!r}, osc(Q) = {landscape.oscillation:g}"
        )
    return values / unit, float(np.ldexp(unit * largest, int(taken.exponent.item())))


def positions_of(grid: Grid, axis: str | int | None) -> tuple[int, ...]:
    """Numbers of the axes along which is measured: the one that is named or numbered, or all."""
    if axis is None:
        return tuple(range(grid.dimensions))
    if isinstance(axis, str):
        return (grid.index(axis),)
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer) or not 0 <= axis < grid.dimensions:
        names = ", ".join(repr(a.name) for a in grid)
        raise GridError("axis is out of range", given=repr(axis), allowed=f"0 to {grid.dimensions - 1}, or {names}")
    return (int(axis),)


def mean_spacing(grid: Grid, positions: Sequence[int]) -> float:
    """Geometric mean of the spacings, so that scaling one axis scales the result."""
    return math.exp(sum(math.log(grid[i].spacing) for i in positions) / len(positions))


def increments_along(values: Array, position: int, lag: int, periodic: bool) -> Array:
    """Q(x + lag h e) - Q(x) for all pairs of nodes inside the box, or around the circle."""
    size = values.shape[position]
    if periodic:
        return np.roll(values, -lag, axis=position) - values
    before = (slice(None),) * position
    return np.asarray(values[(*before, slice(lag, None))] - values[(*before, slice(0, size - lag))])


def lags_of(grid: Grid, positions: Sequence[int], given: Sequence[int] | None) -> NDArray[np.int64]:
    """Distances in nodes, ascending: those that are given, or about 6 to the octave."""
    # around a circle, distances beyond half of it are the shorter ones again
    longest = min(grid[i].size // 2 if grid[i].rule.periodic else grid[i].size - 1 for i in positions)
    if given is None:
        largest = max(1, int(_LARGEST_LAG * min(grid[i].size for i in positions)))
        count = 1 + int(_LAGS_PER_OCTAVE * math.log2(largest))
        return np.unique(np.rint(np.geomspace(1, largest, count)).astype(np.int64))
    try:
        lags = np.unique(np.asarray(given, dtype=np.float64))
        whole = lags.size > 0 and bool(np.isfinite(lags).all() and (lags == np.rint(lags)).all())
    except (TypeError, ValueError):
        whole = False
    if not whole or lags[0] < 1 or lags[-1] > longest:
        raise GridError(
            "lags must be whole numbers of nodes within the box", given=repr(given), allowed=f"1 to {longest}"
        )
    return lags.astype(np.int64)


@checked_call()
def structure_function(
    landscape: Landscape,
    *,
    moments: Sequence[float] = (1, 2),
    axis: str | int | None = None,
    lags: Sequence[int] | None = None,
) -> StructureFunction:
    """Mean powers of the increments of a landscape over a range of distances.

    S_q(delta) = mean |Q(x + delta e_i) - Q(x)|^q over all pairs of nodes inside the box, across the edge where an axis
    is periodic, and over the axes. For a p-Hölder landscape S_q ~ delta^(q p) with p < 1; for a smooth one
    S_q ~ delta^q, so first differences do not tell p = 1 from smoother.

    Parameters
    ----------
    landscape
        One landscape, no batch.
    moments
        The powers q, above 0.
    axis
        Name or number of the axis along which to take increments; None for the mean over all axes.
    lags
        Distances in nodes; by default about 6 to the octave, from 1 to a quarter of the shortest axis.

    Returns
    -------
    structure
        S_q with the distances. Where the spacings of the axes differ, equal numbers of nodes count as equal distances.

    Raises
    ------
    UnsupportedError
        For a batch or a flat landscape.
    OptionError
        For moments that are not above 0.
    GridError
        For an unknown axis, or lags that exceed the box (half of it on periodic axes).

    References
    ----------
    T. Gneiting, H. Sevcikova, D. B. Percival, Estimators of fractal dimension: assessing the roughness of time series
    and spatial data, Statist. Sci. 27 (2012) 247-277, doi:10.1214/11-STS370.

    Examples
    --------
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.roughness.increments import structure_function
    >>> grid = Grid(Axis("x", 0.0, 1.0, 65, boundary="clip"))
    >>> ramp = Landscape.from_function(lambda x: 3 * x, grid)
    >>> structure_function(ramp, moments=[2], lags=[4, 8]).values.round(12)
    array([[0.03515625, 0.140625  ]])
    """
    orders = tuple(float(q) for q in np.atleast_1d(np.asarray(moments, dtype=np.float64)))
    if not orders or not all(math.isfinite(q) and q > 0 for q in orders):
        raise OptionError("moments must be positive", given=repr(moments), allowed="such as (1, 2)")
    values, unit = deviations(landscape)
    grid, positions = landscape.grid, positions_of(landscape.grid, axis)
    distances = lags_of(grid, positions, lags)
    sums, pairs = np.zeros((len(orders), len(distances))), np.zeros(len(distances), dtype=np.int64)
    for k, lag in enumerate(distances):
        for position in positions:
            increments = np.abs(increments_along(values, position, int(lag), grid[position].rule.periodic))
            pairs[k] += increments.size
            for m, order in enumerate(orders):
                sums[m, k] += float((increments if order == 1 else increments**order).sum())
    return StructureFunction(
        orders,
        distances,
        np.asarray(distances * mean_spacing(grid, positions), dtype=np.float64),
        sums / pairs * unit ** np.array(orders)[:, None],  # the mean of |a Q|^q is a^q that of |Q|^q
        pairs,
        tuple(grid[i].name for i in positions),
    )
