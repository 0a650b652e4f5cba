"""The power spectrum of a landscape: its mean square per band of wavenumbers."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.grid import Grid, GridLike, as_grid
from heatpg.core.landscape import Landscape
from heatpg.errors import GridError
from heatpg.roughness.waves import (
    Bands,
    axis_of_waves,
    bands_of,
    coefficients_of,
    mean_weights,
    prepared,
    require_single,
    squares_exponent,
    treatment_of,
    without_chord,
)
from heatpg.tools.calls import checked_call
from heatpg.tools.plain import fields_as_dict

__all__ = ["Spectrum", "power_spectrum"]

Array = NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Spectrum:
    """Power of a landscape per band of angular wavenumbers |k|.

    Attributes
    ----------
    edges
        Edges of the bands, shape (B + 1,); a band holds its lower edge, the last band both.
    wavenumber
        Mean |k| of the waves of each band, shape (B,); NaN where a band has none.
    power
        Mean square, over the box, of the part of the field in each band, shape (B,).
    modes
        Number of waves in each band, shape (B,).
    constant
        Power at k = 0: the square of the mean, in free space what the taper leaves there.
    outside
        Power of the waves in no band.
    total
        Mean square of what was transformed; by Parseval it is constant + sum(power) + outside.
    treatment
        Which waves, axis by axis.
    exponent
        Powers and mean squares are in units of 4 to this power; 0 but where the squares of Q are beyond the range of
        numbers.
    """

    edges: NDArray[np.float64]
    wavenumber: NDArray[np.float64]
    power: NDArray[np.float64]
    modes: NDArray[np.int64]
    constant: float
    outside: float
    total: float
    treatment: str
    exponent: int = 0

    @property
    def density(self) -> NDArray[np.float64]:
        """Power per unit of |k|, shape (B,)."""
        return np.asarray(self.power / np.diff(self.edges))

    @property
    def peak(self) -> float:
        """Mean |k| of the band with the largest power; NaN if no band has any."""
        return float(self.wavenumber[int(np.argmax(self.power))]) if self.power.any() else math.nan

    def __str__(self) -> str:
        # by Parseval, all but the constant
        varying = float(self.power.sum()) + self.outside
        lines = [
            f"bands       {len(self.power)}, |k| from {self.edges[0]:.4g} to {self.edges[-1]:.4g}",
            f"waves       {self.treatment}",
            f"rms         {float(np.ldexp(math.sqrt(varying), self.exponent)):.4g} without the constant",
        ]
        if varying > 0 and self.power.any():
            share = np.cumsum(self.power) / varying
            lines.append(f"peak        |k| = {self.peak:.4g}, wavelength {2 * math.pi / self.peak:.4g}")
            # of the whole power, so that a share that lies in no band is not passed over
            for part in (0.5, 0.99):
                if share[-1] >= part:
                    lines.append(f"{part:4.0%} power  below |k| = {self.edges[1 + int(np.argmax(share >= part))]:.4g}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The spectrum as JSON-like values."""
        return fields_as_dict(self)


@checked_call()
def power_spectrum(landscape: Landscape | ArrayLike, grid: GridLike | None = None, *, bands: Bands = None) -> Spectrum:
    """Power per band of wavenumbers: the mean square of the part of Q whose |k| lies in the band.

    P_b = sum of w_k |Q^(k)|^2 over |k| in band b, with the weights of Parseval, so that the sum over all k is the mean
    square of Q over the box.

    Parameters
    ----------
    landscape
        The landscape, or an array of values; without batch axes.
    grid
        Where the values were sampled, for an array.
    bands
        None for bands as wide as the fundamental wavenumber (the largest, if the axes differ); a number of bands of
        equal width; or their edges, in angular wavenumbers.

    Returns
    -------
    spectrum
        Power, number of waves and mean wavenumber per band. In free space it is that of the tapered field; see
        `heatpg.roughness.waves`.

    Raises
    ------
    GridError
        For an array without a grid, or one that does not match it.
    UnsupportedError
        For batch axes.
    OptionError
        For invalid bands.
    NonFiniteError
        For values that are not finite.

    Notes
    -----
    Exact to round-off for closed axes. In free space a wave of the box gives a peak of two steps of 2 pi / L to either
    side, with tails that fall as |k - k_0|^-3 in amplitude.

    References
    ----------
    F. J. Harris, On the use of windows for harmonic analysis with the discrete Fourier transform, *Proc. IEEE* 66,
    1978, doi:10.1109/PROC.1978.10837.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.roughness.spectrum import power_spectrum
    >>> grid = Grid(Axis("x", 0.0, 2 * np.pi, 32, boundary="periodic"))
    >>> spectrum = power_spectrum(Landscape.from_function(lambda x: 1 + 2 * np.cos(3 * x), grid))
    >>> round(spectrum.peak, 12), float(spectrum.power[2].round(12)), round(spectrum.constant, 12)
    (3.0, 2.0, 1.0)
    """
    if not isinstance(landscape, Landscape):
        if grid is None:
            raise GridError("an array needs a grid", given=f"shape {np.shape(landscape)}", allowed="grid=heatpg.Grid")
        landscape = Landscape(landscape, grid)
    elif grid is not None and as_grid(grid) != landscape.grid:
        raise GridError("a landscape has its own grid", given=repr(grid), advice="omit grid")
    place = landscape.grid
    require_single(landscape, "a power spectrum")
    values = landscape.values.astype(np.float64)
    exponent = squares_exponent(values)
    field = prepared(np.ldexp(values, -exponent) if exponent else values, place)
    waves = bands_of(place, bands)
    # a copy, because the transforms may overwrite their argument and the mean square of the field is still needed
    power = waves.power(coefficients_of(field.copy(), place))
    return Spectrum(
        waves.edges,
        waves.wavenumber,
        power[1:-1],
        waves.modes,
        float(power[0]),
        float(power[-1]),
        _mean_square(field, place),
        treatment_of(place),
        exponent,
    )


def _mean_square(field: Array, grid: Grid) -> float:
    """Mean square over the box of what has a spectrum: along held axes, of what differs from the chord."""
    weights = np.ones(())
    for i, axis in enumerate(grid):
        if axis.faced and axis.rule.holds_ends:
            field = without_chord(field, i)
        elif axis.rule.holds_ends:
            low, high = np.take(field, [0], axis=i), np.take(field, [-1], axis=i)
            shape = [1] * field.ndim
            shape[i] = axis.size
            # axis by axis: the chord of one axis is taken off what is left of the others
            share = np.linspace(0.0, 1.0, axis.size).reshape(shape)
            field = field - (low + share * (high - low))
        weights = np.multiply.outer(weights, mean_weights(axis_of_waves(axis)))
    return float((weights * field**2).sum())
