"""Problems that several tasks share."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from heatpg import Landscape

__all__ = ["Array", "Field", "flat_at_walls", "fractal", "gaussian", "outer", "smooth", "threads"]

Array = NDArray[np.float64]

# wave numbers, amplitude, phase
_MODES = (
    ((1, 1, 1), 1.0, 0.3),
    ((2, 0, 1), 0.7, 1.1),
    ((3, 2, 1), 0.5, 0.2),
    ((0, 4, 2), 0.4, 2.0),
    ((5, 1, 0), 0.3, 0.7),
    ((6, 3, 4), 0.25, -1.0),
    ((8, 2, 1), 0.2, 0.4),
)
_OCTAVES = 12  # the shortest wave is 2^11 of the box: below the grid of the smaller cases, as in a fractal
_HOLDER = 0.3  # exponent of the roughness: rougher than anything a filter is tuned for


def threads() -> int:
    """Threads that a competitor may use."""
    return int(os.environ.get("BENCHMARK_THREADS", "1"))


def outer(*factors: Array) -> Array:
    """Outer product of one array per axis."""
    return np.ascontiguousarray(functools.reduce(np.multiply.outer, factors))


def gaussian(angle: NDArray[np.floating[Any]], sigma: float) -> Array:
    """Gaussian multiplier of waves exp(i j angle), sigma in nodes."""
    return np.asarray(np.exp(-0.5 * (angle * sigma) ** 2))


@dataclasses.dataclass
class Field:
    """Values on a grid of equal spacings, the sigma to smooth with, and what should come out.

    Attributes
    ----------
    values
        Q.
    expected
        u at sigma.
    sigma
        In the units of the axes.
    spacing
        h.
    boundary
        ``periodic``, or ``reflect`` about the faces of cells.
    """

    values: Array
    expected: Array
    sigma: float
    spacing: float
    boundary: str

    @property
    def size(self) -> int:
        """Nodes along an axis."""
        return int(self.values.shape[0])

    @property
    def dimensions(self) -> int:
        """Number of axes."""
        return self.values.ndim

    @property
    def sigma_nodes(self) -> float:
        """Sigma in units of the spacing."""
        return self.sigma / self.spacing

    def landscape(self) -> Landscape:
        """The same for heatpg."""
        from heatpg import Axis, Grid, Landscape

        length = self.size * self.spacing
        nodes: Any = "vertex" if self.boundary == "periodic" else "cell"
        axes = [
            Axis(name, 0.0, length, self.size, boundary=self.boundary, nodes=nodes) for name in "xyz"[: self.dimensions]
        ]
        return Landscape(self.values, Grid(*axes))

    def difference(self, result: Any) -> float:
        """Largest error of a result."""
        return float(np.abs(np.asarray(result, dtype=np.float64).reshape(self.expected.shape) - self.expected).max())


def smooth(dimensions: int, size: int) -> Field:
    """Seven plane waves on [0, 2 pi)^d to t = 0.25; the exact solution is known."""
    spacing, sigma = 2.0 * math.pi / size, 0.5
    mesh = np.meshgrid(*[np.arange(size) * spacing] * dimensions, indexing="ij", sparse=True)
    values = np.zeros((size,) * dimensions)
    expected = np.zeros_like(values)
    # no two waves alike along any axis, so that a solver that mixes axes up is wrong
    for numbers, amplitude, phase in _MODES:
        angle = sum((k * x for k, x in zip(numbers[1:], mesh[1:], strict=False)), numbers[0] * mesh[0] + phase)
        wave = amplitude * np.cos(angle)
        values += wave
        expected += wave * math.exp(-0.5 * sigma**2 * sum(k * k for k in numbers[:dimensions]))
    return Field(values, expected, sigma, spacing, "periodic")


def flat_at_walls(values: Array, axes: int) -> Array:
    """The same with four equal cells at both ends of the last axes: no slope there that a cosine transform misses."""
    values = values.copy()
    for axis in range(values.ndim - axes, values.ndim):
        lines = np.moveaxis(values, axis, 0)
        lines[:4], lines[-4:] = lines[3], lines[-4]
    return values


def fractal(size: int, sigma: float) -> Field:
    """A landscape that is rough down to the grid, of unit spacing, reflected; smoothed by a cosine transform."""
    from scipy.fft import dctn, idctn

    rng = np.random.default_rng(1)
    x = (np.arange(size) + 0.5) * (2.0 * math.pi / size)
    values = np.zeros((size, size))
    for octave in range(_OCTAVES):
        turn, phase = rng.uniform(0.0, 2.0 * math.pi, 2)
        along = math.cos(turn) * x[:, None] + math.sin(turn) * x[None, :]
        values += 2.0 ** (-_HOLDER * octave) * np.cos(2.0**octave * along + phase)
    values = flat_at_walls(values, 2)
    factor = gaussian(np.pi * np.arange(size) / size, sigma)
    expected = idctn(dctn(values, type=2) * outer(factor, factor), type=2)
    return Field(values, np.asarray(expected), sigma, 1.0, "reflect")
