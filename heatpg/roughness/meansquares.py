"""Mean squares over a range of scales, with their scatter: of increments, and of what smoothing changes.

Every mean square is kept for the whole box and without each of some 16 parts of it: what a fit makes of the
latter gives its standard error (jackknife).
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import SigmaError, UnsupportedError
from heatpg.evolution import Evolution, solve
from heatpg.roughness.increments import increments_along, lags_of, mean_spacing

__all__ = [
    "FEWEST_SCALES",
    "LEAST_RATIO",
    "MeanSquares",
    "Smoothed",
    "given_levels",
    "jackknife",
    "levels_for",
    "measure_smoothed",
    "measure_structure",
    "parts_along",
    "quantile",
    "smooth_at",
]

Array = NDArray[np.float64]
# Two to an octave, as many as a fit counts as independent, on up to 1,300 nodes along an axis.
_SIGMAS = 14
# In spacings. A bound: the sampled Gaussian differs from the exact one by exp(-2 pi^2 sigma^2), 5e-20 here.
_SMALLEST_SIGMA = 1.5
# Of the box. A taste: at a tenth, edges that are not periodic take nearly half of the nodes (see `_ESCAPE`).
_LARGEST_SIGMA = 0.1
# Probability to leave the box from the edge of the part that is used; a taste.
_ESCAPE = 0.01
# Of the nodes along an axis that must be left by it; a taste.
_LEAST_PART = 0.25
# Of the box, for the jackknife. A taste: enough for a variance (Student's factor is 1.09 of the normal one), and few
# enough that a part holds the longest scales that are fitted.
_PARTS = 16
# A fit has up to four numbers (p, A, B, C), and one scale more to be judged by.
FEWEST_SCALES = 5
# Largest over smallest scale of a fit. A taste: two octaves, of which an exponent can be read off by eye.
LEAST_RATIO = 4.0
# One over the wavenumber, in units of one over the scale, up to which waves share in a mean square: increments and the
# spread gather finer ones too, the gradient few others. Set so that intervals hold on random fields; see the tests.
_BANDS = {"structure": 0.25, "bias": 1.0, "spread": 0.5, "gradient": 2.0}


@dataclasses.dataclass(frozen=True, eq=False)
class MeanSquares:
    """Mean squares y that are to grow as s^(2p).

    Attributes
    ----------
    scales, squares
        s and y, shape (n,).
    left_out
        y without one part of the box, for every part, shape (parts, n).
    scatter
        Relative variance of y, shape (n,).
    """

    method: str
    scales: Array
    squares: Array
    left_out: Array
    scatter: Array

    @property
    def values(self) -> Array:
        """What users see: root mean squares, of the gradient not multiplied by sigma."""
        roots = np.sqrt(np.maximum(self.squares, 0.0))
        return np.asarray(roots / self.scales if self.method == "gradient" else roots)


def parts_along(dimensions: int) -> int:
    """Into how many parts each axis is cut, for some 16 in all."""
    parts: int = round(_PARTS ** (1.0 / dimensions))
    return max(2, parts)


def part_sums(field: Array) -> tuple[Array, Array]:
    """Sums and numbers of nodes of the parts of a field, some 16 boxes that tile it."""
    parts = parts_along(field.ndim)
    counts = np.ones(())
    # axis by axis: each pass shrinks what the next one reads
    for position in range(field.ndim - 1, -1, -1):
        size = field.shape[position]
        edges = np.arange(min(parts, size)) * size // min(parts, size)
        field = np.add.reduceat(field, edges, axis=position)
        counts = np.multiply.outer(np.diff([*edges, size]), counts)
    return field.ravel(), counts.ravel()


def _measured(
    method: str, scales: Array, parts: Sequence[tuple[Array, Array]], modes: Array, noise: Array | float = 0.0
) -> MeanSquares:
    """Mean squares from sums over the parts of the box, less those of the noise.

    The relative variance is that of the jackknife over the parts, a factor common to all scales left aside; and at
    least one over twice the number of waves of the scale that the box holds: parts that share a long wave do not
    scatter.
    """
    # shape (parts, scales)
    sums = np.stack([part[0] for part in parts], axis=1)
    counts = np.stack([part[1] for part in parts], axis=1)
    squares = sums.sum(axis=0) / counts.sum(axis=0)
    left_out = (sums.sum(axis=0) - sums) / (counts.sum(axis=0) - counts)
    # a part with more structure than the rest shifts all scales by one factor; for p only a change of shape matters
    shapes = np.log(np.maximum(left_out, np.finfo(np.float64).tiny))
    scatter = jackknife(shapes - shapes.mean(axis=1, keepdims=True))
    return MeanSquares(method, scales, squares - noise, left_out - noise, np.maximum(scatter, 0.5 / modes))


def quantile(confidence: float) -> float:
    """Half width of an interval in standard errors: Student's distribution, because they rest on a few parts."""
    from scipy.special import stdtrit  # loads SciPy's special functions for this one quantile

    return float(stdtrit(_PARTS - 1, 0.5 + 0.5 * confidence))


def jackknife(left_out: Array) -> Array:
    """Variance of what was computed without each of the parts, shape (parts, n)."""
    number = len(left_out)
    return np.asarray((number - 1) / number * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))


def _waves(shape: Sequence[int], reach: Array) -> Array:
    """Number of waves with a wavenumber up to 1/reach (reach in nodes) in a box: V (2 pi reach)^-d |unit ball|."""
    d = len(shape)
    ball = math.pi ** (0.5 * d) / math.gamma(0.5 * d + 1.0)
    return np.asarray(ball * math.prod(shape) / (2.0 * math.pi * reach) ** d)


def measure_structure(values: Array, grid: Grid, positions: Sequence[int]) -> MeanSquares:
    """Mean squares of increments along the axes at these positions, S_2 over its distances."""
    lags = lags_of(grid, positions, None)
    parts = []
    for lag in lags:
        pieces = [
            part_sums(increments_along(values, position, int(lag), grid[position].rule.periodic) ** 2)
            for position in positions
        ]
        parts.append((np.sum([sums for sums, _ in pieces], axis=0), np.sum([counts for _, counts in pieces], axis=0)))
    distances = lags.astype(np.float64)
    modes = _waves(values.shape, _BANDS["structure"] * distances)
    return _measured("structure", distances * mean_spacing(grid, positions), parts, modes)


@dataclasses.dataclass(frozen=True, eq=False)
class Smoothed:
    """Q - mean in units of its largest deviation, its evolution and that of its square, on some axes."""

    values: Array
    evolution: Evolution
    square: Array
    positions: tuple[int, ...]
    inside: tuple[slice, ...]
    ratios: Array
    scales: Array


def levels_for(grid: Grid, positions: Sequence[int]) -> Array:
    """Sigmas for a landscape, shape (T, dimensions), the same number of spacings along all axes that are smoothed."""
    largest = _LARGEST_SIGMA * min(grid[i].size for i in positions)
    if largest < LEAST_RATIO * _SMALLEST_SIGMA:
        raise UnsupportedError(
            "the grid is too coarse: no noise levels lie between its resolution and the size of the box",
            given=f"{min(grid[i].size for i in positions)} nodes",
            allowed=f"at least {math.ceil(LEAST_RATIO * _SMALLEST_SIGMA / _LARGEST_SIGMA)} nodes along every axis",
            advice="sample more nodes",
        )
    levels = np.zeros((_SIGMAS, grid.dimensions))
    for i in positions:
        levels[:, i] = np.geomspace(_SMALLEST_SIGMA, largest, _SIGMAS) * grid[i].spacing
    return levels


def given_levels(evolution: Evolution, positions: Sequence[int]) -> Array:
    """Those sigmas of an evolution that the grid resolves and the box holds, shape (T, dimensions)."""
    grid = evolution.grid
    if evolution.covariance is not None:
        raise UnsupportedError("correlated noise has no single sigma", advice="evolve with sigma instead")
    sigmas = evolution.sigmas
    # noise along another axis would smooth the structure away that is to be measured along this one
    still = [i for i in range(grid.dimensions) if i not in positions]
    if bool((sigmas[:, still] > 0).any()):
        raise UnsupportedError(
            "the roughness along one axis needs noise along this axis only",
            given=f"axis {grid[positions[0]].name!r}, sigma {sigmas[-1].tolist()}",
            advice="pass the landscape, or evolve with sigma 0 along the others",
        )
    moving = sigmas[:, list(positions)]
    noisy = moving[(moving > 0).all(axis=1)]
    # one number stands for the scale, so the sigmas of the axes may differ, but only by a factor that stays
    if len(noisy) and not np.allclose(noisy / noisy[:, :1], noisy[0] / noisy[0, 0], rtol=1e-6, atol=0.0):
        raise SigmaError(
            "the ratio of sigma between two axes must be constant", given=moving.tolist(), allowed="one shape"
        )
    spacings = np.array([grid[i].spacing for i in positions])
    widths = np.array([math.inf if grid[i].rule.periodic else grid[i].length for i in positions])
    lengths = np.array([grid[i].length for i in positions])
    deviate = statistics.NormalDist().inv_cdf(1.0 - _ESCAPE)
    # up to twice the largest sigma that would be chosen here: a caller may know that the structure goes on
    used = (moving >= _SMALLEST_SIGMA * (1 - 1e-9) * spacings) & (moving <= 2.0 * _LARGEST_SIGMA * lengths)
    used &= 2.0 * deviate * moving <= (1.0 - _LEAST_PART) * widths
    keep = [int(k) for k in np.flatnonzero(used.all(axis=1))]
    if len(keep) < FEWEST_SCALES:
        raise SigmaError(
            "too few noise levels are usable for the fit",
            given=f"{len(keep)} of {len(sigmas)}",
            allowed=f"at least {FEWEST_SCALES}, from {_SMALLEST_SIGMA:g} spacings to a fifth of a periodic axis or "
            f"{(1.0 - _LEAST_PART) / (2.0 * deviate):.2g} of another",
            advice="pass the landscape instead of the evolution, to choose the levels automatically",
        )
    return np.asarray(sigmas[keep])


def smooth_at(source: Landscape | Evolution, values: Array, positions: Sequence[int], levels: Array) -> Smoothed:
    """The evolution of prepared values and of their square at these levels, and the part of the box that is used."""
    grid = source.grid
    solver = source.solver if isinstance(source, Evolution) else "auto"
    # the spread is E Q^2 - (E Q)^2, so the square is evolved too
    evolution = solve(Landscape(values, grid), levels, solver)
    square = solve(Landscape(values**2, grid), levels, solver).values
    spacings = np.array([grid[i].spacing for i in positions])
    ratios = levels[:, list(positions)] / spacings
    inside = [slice(None)] * grid.dimensions
    deviate = statistics.NormalDist().inv_cdf(1.0 - _ESCAPE)
    for i, widest in zip(positions, ratios.max(axis=0), strict=True):
        # what lies beyond an edge is not Q, a mirror image as little as a constant
        if not grid[i].rule.periodic:
            # the same margin at every sigma, that of the largest: means over different parts could not be compared
            margin = math.ceil(deviate * float(widest))
            inside[i] = slice(margin, grid[i].size - margin)
    scales = np.exp(np.log(levels[:, list(positions)]).mean(axis=1))
    return Smoothed(values, evolution, square, tuple(positions), tuple(inside), ratios, scales)


def measure_smoothed(method: str, smoothed: Smoothed, noise: float) -> MeanSquares:
    """Mean squares of one method at every sigma; the gradient along each axis is multiplied by its sigma.

    White noise of variance s^2 on the values adds s^2 (1 - 2 w_0 + sum w^2) to the bias, s^2 (1 - sum w^2) to the
    spread and, multiplied by sigma^2, s^2 (d/2) sum w^2 to the gradient, with the weights w of the sampled Gaussian.
    """
    inside, evolution = smoothed.inside, smoothed.evolution
    parts = []
    for k in range(len(smoothed.scales)):
        field = evolution.values[k][inside]
        if method == "bias":
            squares = (field - smoothed.values[inside]) ** 2
        elif method == "spread":
            # a variance is not negative; a solver may round it below
            squares = np.maximum(smoothed.square[k][inside] - field**2, 0.0)
        else:
            # times sigma, so that the mean square goes as sigma^(2p) like the others
            gradient, sigmas = evolution.gradient(k), evolution.sigmas[k]
            squares = sum((sigmas[i] * gradient[i][inside]) ** 2 for i in smoothed.positions)
        parts.append(part_sums(np.asarray(squares)))
    # w_0 and sum w^2 of a Gaussian of sigma >= 1.5 spacings are those of the continuous one, per axis a factor each
    centre = np.prod(1.0 / (math.sqrt(2.0 * math.pi) * smoothed.ratios), axis=1)
    total = np.prod(1.0 / (2.0 * math.sqrt(math.pi) * smoothed.ratios), axis=1)
    added = {
        "bias": 1.0 - 2.0 * centre + total,
        "spread": 1.0 - total,
        "gradient": 0.5 * len(smoothed.positions) * total,
    }[method]
    reach = _BANDS[method] * np.exp(np.log(smoothed.ratios).mean(axis=1))
    return _measured(method, smoothed.scales, parts, _waves(smoothed.values.shape, reach), noise**2 * added)
