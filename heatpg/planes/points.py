"""The random numbers of a draw: independent ones, or scrambled Sobol' points.

Points that are not independent of each other tell no error by their scatter. They are made in sixteen independent
repeats, whose means do: draw j is point j // 16 of repeat j % 16.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.errors import UnsupportedError

__all__ = ["KINDS", "MOST_DIMENSIONS", "REPEATS", "Noise", "noise_of"]

Array = NDArray[np.float64]
Numbers = tuple[Array, Array, Array]

KINDS = ("random", "sobol")
"""Kinds of points."""

REPEATS = 16
"""Independent repeats, from whose means a standard error is known to 1 / sqrt(2 * 15) = 18 %."""

MOST_DIMENSIONS = 21201
"""Of the direction numbers of Joe and Kuo (doi:10.1137/070709359)."""

_BITS = 30  # of SciPy's points; fast_forward of SciPy 1.17 knows no more than 32


class Noise:
    """Independent numbers: what a draw is depends on the seed and on its number alone.

    Parameters
    ----------
    seed
        Of the noise.
    components
        Of a draw of all noise.
    axes
        Of the grid, each with a number for what is drawn along it, and one for the shift of its lattice.
    """

    kind = "random"

    def __init__(self, seed: int, components: int, axes: int) -> None:
        self.seed, self.components, self.axes = seed, components, axes

    def __call__(self, number: int) -> Numbers:
        """Normal numbers of the components, normal numbers and uniform shifts of the axes.

        Parameters
        ----------
        number
            Of the draw, from 0 on.
        """
        random = self._generator(number)
        normal = random.standard_normal(self.components)
        return normal, random.standard_normal(self.axes), random.random(self.axes)

    def _generator(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))


class _Sobol(Noise):
    """Scrambled Sobol' points (Owen 1998, doi:10.1006/jcom.1998.0487) under the normal quantile."""

    kind = "sobol"

    def __init__(self, seed: int, components: int, axes: int) -> None:
        super().__init__(seed, components, axes)
        if components + 2 * axes > MOST_DIMENSIONS:
            raise UnsupportedError(
                "there are no Sobol' points in so many dimensions",
                given=f"{components:,} components and {axes} axes",
                allowed=f"at most {MOST_DIMENSIONS - 2 * axes:,} components",
                advice="use points='random'",
            )
        self._engines: list[Any] = []
        self._next: list[int] = []

    def __call__(self, number: int) -> Numbers:
        from scipy.special import ndtri

        if not self._engines:
            self._engines = [self._engine(repeat) for repeat in range(REPEATS)]
            self._next = [0] * REPEATS
        index, repeat = divmod(number, REPEATS)
        if index != self._next[repeat]:
            self._engines[repeat] = self._engine(repeat)
            # SciPy 1.17 cannot skip no points
            if index:
                self._engines[repeat].fast_forward(index)
        point = self._engines[repeat].random(1)[0]
        self._next[repeat] = index + 1
        # points are multiples of 2^-30 from 0 on, and the quantile of 0 is -infinity: the middle of each cell
        normal = ndtri(point + 0.5 ** (_BITS + 1))
        shifts = self.components + self.axes
        return normal[: self.components], normal[shifts:], point[self.components : shifts]

    def _engine(self, repeat: int) -> Any:
        from scipy.stats import qmc

        dimensions = self.components + 2 * self.axes
        return qmc.Sobol(dimensions, scramble=True, bits=_BITS, seed=self._generator(repeat, 2))


def noise_of(kind: str, seed: int, components: int, axes: int) -> Noise:
    """The numbers of one of `KINDS`; see `Noise`.

    Examples
    --------
    >>> from heatpg.planes.points import noise_of
    >>> normal, extra, shift = noise_of("sobol", 0, 6, 2)(number=5)
    >>> normal.shape, extra.shape, shift.shape
    ((6,), (2,), (2,))
    """
    return (_Sobol if kind == "sobol" else Noise)(seed, components, axes)
