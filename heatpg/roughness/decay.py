"""What exploration noise leaves of the waves of a landscape: exp(-|k|^2 sigma^2 / 2) of each."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis, Grid
from heatpg.core.noise import sigma_words
from heatpg.errors import OptionError, SigmaError, UnsupportedError
from heatpg.evolution import Evolution
from heatpg.roughness.waves import (
    Bands,
    bands_of,
    coefficients_of,
    outer_sum,
    prepared,
    require_single,
    squares_exponent,
    treatment_of,
    wavenumbers,
)
from heatpg.solvers import Solver, wide
from heatpg.solvers.transforms import basis_along
from heatpg.tools.arguments import finite_number, positive_number
from heatpg.tools.calls import checked_call
from heatpg.tools.plain import fields_as_dict, plain
from heatpg.tools.resources import require_memory

__all__ = ["BandDecay", "HalfAmplitude", "band_decay", "half_amplitude", "recoverable_band"]

Array = NDArray[Any]
# Standard deviations. A bound: 1.9e-17 of the noise goes further, less than the rounding of a double.
_REACH = 8.5
# Share of a prediction that round-off may have where it is compared; a taste.
_VISIBLE = 0.01


@dataclasses.dataclass(frozen=True, eq=False)
class BandDecay:
    """Amplitude of each band at each sigma, relative to sigma = 0: measured, and predicted by exp(-|k|^2 sigma^2 / 2).

    Attributes
    ----------
    edges
        Edges of the bands in angular |k|, shape (B + 1,).
    wavenumber
        Mean |k| of the waves of each band, shape (B,); NaN where a band has none.
    sigma
        Noise levels, one per axis, shape (T, dimensions).
    power
        Power of Q per band, shape (B,), in units of 4 to the power of `power_exponent`.
    measured
        Root of the power of u over that of Q, shape (T, B); NaN where Q has none.
    predicted
        The same with every wave of Q damped by its own factor, shape (T, B).
    floor
        What round-off of the field may add to either, shape (T, B); infinite where Q has no power.
    visible
        Where round-off is at most 1 % of the prediction, shape (T, B).
    treatment
        Which waves, axis by axis.
    power_exponent
        0 but where the squares of Q are beyond the range of numbers.
    """

    edges: NDArray[np.float64]
    wavenumber: NDArray[np.float64]
    sigma: NDArray[np.float64]
    power: NDArray[np.float64]
    measured: NDArray[np.float64]
    predicted: NDArray[np.float64]
    floor: NDArray[np.float64]
    visible: NDArray[np.bool_]
    treatment: str
    power_exponent: int = 0

    @property
    def ratio(self) -> NDArray[np.float64]:
        """measured / predicted, shape (T, B); NaN where round-off hides it."""
        result = np.full(self.measured.shape, np.nan)
        np.divide(self.measured, self.predicted, out=result, where=self.visible)
        return result

    @property
    def exponent(self) -> float:
        """The c with measured = predicted^c that fits best: 1, or 2 for the slip exp(-|k|^2 t).

        Least squares of the logarithms over all sigmas and visible bands that lose at least 1 %, weighted by the square
        of the amplitude, since what a taper leaks lies in bands that have nearly vanished. NaN if there is none.
        """
        # a line through the origin, ln measured = c ln predicted
        use = self.visible & (self.predicted < 0.99) & (self.measured > 0)
        if not use.any():
            return math.nan
        expected, found, weight = np.log(self.predicted[use]), np.log(self.measured[use]), self.predicted[use] ** 2
        return float((weight * expected * found).sum() / (weight * expected**2).sum())

    @property
    def worst(self) -> float:
        """Largest |measured / predicted - 1| of the visible bands; NaN if there is none."""
        return float(np.abs(self.ratio[self.visible] - 1.0).max()) if self.visible.any() else math.nan

    def __str__(self) -> str:
        lines = [
            f"waves     {self.treatment}",
            f"exponent  {self.exponent:.6g} times |k|^2 sigma^2 / 2; visible bands deviate by up to {self.worst:.3g}",
        ]
        for k, levels in enumerate(self.sigma):
            text = sigma_words(levels[0] if (levels == levels[0]).all() else levels, digits=4)
            seen = np.flatnonzero(self.visible[k])
            last = f"visible up to |k| = {self.edges[seen[-1] + 1]:.4g}" if len(seen) else "hidden by rounding error"
            half = np.flatnonzero(self.visible[k] & (self.measured[k] < 0.5))
            first = f", below one half from |k| = {self.edges[half[0]]:.4g} on" if len(half) else ""
            lines.append(f"sigma     {text}: {len(seen)} of {len(self.power)} bands {last}{first}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The decay as JSON-like values."""
        return {**fields_as_dict(self), "exponent": plain(self.exponent), "worst": plain(self.worst)}


def _smooth_in_free_space(field: Array, axis: Axis, variance: float, position: int) -> Array:
    """exp(-k^2 t / 2) on the line continued by its boundary until the noise does not see its ends, cropped."""
    # an axis of its own, mirrored at ends so far away that the mirror images do not reach the box
    padding = math.ceil(_REACH * math.sqrt(variance) / axis.spacing)
    rows = axis.size + 2 * padding
    # the continued field, its coefficients, and one of the two once more while they are multiplied
    require_memory(
        3.0 * field.nbytes * rows / axis.size,
        f"the line along {axis.name!r}, continued by {_REACH:g} sigma",
        "omit noise levels far larger than the box",
    )
    extension = axis.rule.extend(axis.size, axis.nodes, padding, padding)
    shape = [1] * field.ndim
    shape[position] = rows
    line = Axis(axis.name, 0.0, rows * axis.spacing, rows, boundary="reflect", nodes="cell")
    basis = basis_along(line)
    coefficients = basis.forward(extension.of(field, position), position)
    factor = np.exp(-0.5 * variance * (basis.angle / line.spacing) ** 2)
    result = basis.inverse(coefficients * factor.reshape(shape), position)
    return np.take(result, np.arange(padding, padding + axis.size), axis=position)


def _smooth_between_walls(field: Array, axis: Axis, variance: float, position: int) -> Array:
    """exp(-k^2 t / 2) on the waves of a closed axis."""
    basis = basis_along(axis)
    shape = [1] * field.ndim
    shape[position] = axis.size
    factor = np.exp(-0.5 * variance * (basis.angle / axis.spacing) ** 2)
    return basis.inverse(basis.forward(field.copy(), position) * factor.reshape(shape), position)


def _expected(initial: Array, reference: Array, grid: Grid, variances: Sequence[float], solver: Solver) -> Array:
    """Coefficients that the flow leaves of Q, whose own are `reference`."""
    # axes without noise stay as they are, so what is exact there stays exact
    moving = [(i, axis, t) for i, (axis, t) in enumerate(zip(grid, variances, strict=True)) if t > 0]
    ends = {i: solver.ends(axis, t, "float64") for i, axis, t in moving}
    # other closed axes commute with the taper along the free ones, so only these are smoothed before it: in free space,
    # and where what the kinks at the walls leave is no multiple of a wave
    before = [(i, axis, t) for i, axis, t in moving if axis.starts_anew or ends[i] is not None]
    if before:
        field = initial
        for i, axis, t in before:
            smoothed = (_smooth_in_free_space if axis.starts_anew else _smooth_between_walls)(field, axis, t, i)
            correction = ends[i]
            if correction is not None:
                smoothed = np.ascontiguousarray(smoothed)
                correction.add(correction.jumps(np.ascontiguousarray(field), i), smoothed, i)
            field = smoothed
        reference = coefficients_of(prepared(field, grid), grid)
    exponents = [np.zeros(axis.size) for axis in grid]
    for i, axis, t in moving:
        if not axis.starts_anew and ends[i] is None:
            exponents[i] = -0.5 * t * wavenumbers(axis) ** 2
    # waves of high k vanish, and are meant to
    with np.errstate(under="ignore"):
        return reference * np.exp(outer_sum(exponents))


@checked_call()
def band_decay(evolution: Evolution, *, bands: Bands = None) -> BandDecay:
    """Amplitude per band and sigma relative to sigma = 0, against exp(-sum_i k_i^2 sigma_i^2 / 2).

    predicted_b^2 = sum_k w_k |Q^(k)|^2 exp(-sum_i k_i^2 sigma_i^2) / sum_k w_k |Q^(k)|^2 over the waves of band b: the
    factor of each wave, averaged with the power of Q, so that the width of a band is no error.

    Parameters
    ----------
    evolution
        Fields of one landscape, without batch axes, with one sigma or one per axis.
    bands
        As for `power_spectrum`.

    Returns
    -------
    decay
        Measured and predicted amplitudes, their ratio where round-off does not hide it, and the exponent that fits.

    Raises
    ------
    UnsupportedError
        For correlated noise, for batch axes, and for a landscape without waves in the bands.
    OptionError
        For bands that are none.

    Notes
    -----
    For a solver that is exact in time and space the ratio is 1 to round-off, on closed axes by the factor of each wave,
    in free space by the same factor on the line continued by its boundary and then tapered like the field, with what
    the solver adds at walls where the continued Q has a kink. A solver of the semi-discrete flow shows its own symbol:
    a ratio above 1 towards the Nyquist wavenumber. The floor is the
    solver's own bound on its round-off, taken over the whole field; most bands are better.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.evolution import solve
    >>> from heatpg.roughness.decay import band_decay
    >>> grid = Grid(Axis("x", 0.0, 2 * np.pi, 32, boundary="periodic"))
    >>> flow = solve(Landscape.from_function(lambda x: np.cos(3 * x), grid), [0.1, 0.2], "spectral")
    >>> decay = band_decay(flow)
    >>> decay.measured[:, 2].round(6), np.exp(-4.5 * decay.sigma[:, 0] ** 2).round(6), round(decay.exponent, 9)
    (array([0.955997, 0.83527 ]), array([0.955997, 0.83527 ]), 1.0)
    """
    evolution.require_solved("the decay per band")
    if evolution.covariance is not None:
        raise UnsupportedError(
            "correlated noise damps waves of equal |k| differently",
            given="an evolution with a covariance",
            allowed="one sigma, or one per axis",
            advice="sample Q along the principal axes of the covariance",
        )
    landscape, grid = evolution.landscape, evolution.grid
    require_single(landscape, "the decay per band")
    initial = landscape.values.astype(np.float64)
    exponent = squares_exponent(initial)

    def scaled(values: Array) -> Array:
        return np.asarray(np.ldexp(values.astype(np.float64), -exponent)) if exponent else values.astype(np.float64)

    initial = scaled(initial)
    waves = bands_of(grid, bands)
    reference = coefficients_of(prepared(initial.copy(), grid), grid)
    power = waves.power(reference)[1:-1]  # without the constant and what lies in no band
    # round-off of Q, times that of the transforms here: 16 + 8 log2(n) of its units along each axis, a bound with room
    kind = np.finfo(landscape.values.dtype)
    unit = float(kind.eps) * float(np.abs(initial).max()) + math.ldexp(float(kind.smallest_subnormal), -exponent)
    own = sum(16.0 + 8.0 * math.log2(axis.size) for axis in grid)
    if not (power > (unit * own) ** 2).any():
        raise UnsupportedError(
            "the landscape has no power in these bands",
            given=f"rms {np.ldexp(math.sqrt(float(power.max())), exponent):.3g} in the strongest, round-off "
            f"{np.ldexp(unit * own, exponent):.3g}",
            advice="pass bands that contain wavenumbers of the landscape; a constant landscape has none",
        )
    # bands without power divide by 1 and are masked, rather than warn of 0/0
    safe = np.where(power > 0, power, 1.0)

    def relative(squares: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(power > 0, np.sqrt(squares[1:-1] / safe), np.nan)

    # what compact storage has left out of the fields: without a chord, or tapered, no more than twice that on each axis
    stored = math.ldexp(2.0**grid.dimensions * evolution.value_error, -exponent)
    measured, predicted, floor = [], [], []
    for values, variances, paths in zip(evolution.values, evolution.variances, evolution.paths, strict=True):
        field = prepared(scaled(values), grid)
        measured.append(relative(waves.power(coefficients_of(field, grid))))
        left = _expected(initial, reference, grid, variances.tolist(), evolution.solver)
        predicted.append(relative(waves.power(left)))
        # what the solver says of its own round-off comes on top; axes that it did not move have none
        rounding = own + sum(
            wide.rounding(evolution.solver, axis, path) for axis, path in zip(grid, paths, strict=True) if path[-1] > 0
        )
        floor.append(np.where(power > 0, (unit * rounding + stored) / np.sqrt(safe), np.inf))
    bounds, expected = np.array(floor), np.array(predicted)
    visible = np.isfinite(bounds) & (bounds <= _VISIBLE * np.nan_to_num(expected))
    return BandDecay(
        waves.edges,
        waves.wavenumber,
        np.array(evolution.sigmas),
        power,
        np.array(measured),
        expected,
        bounds,
        visible,
        treatment_of(grid),
        exponent,
    )


@dataclasses.dataclass(frozen=True)
class HalfAmplitude:
    """The wave of which noise leaves one half.

    Attributes
    ----------
    sigma
        The noise level.
    wavenumber
        k = sqrt(2 ln 2) / sigma = 1.1774 / sigma, angular.
    wavelength
        2 pi / k = 5.3364 sigma: finer structure loses more than half of its height.
    """

    sigma: float
    wavenumber: float
    wavelength: float

    def __str__(self) -> str:
        return f"sigma {self.sigma:.6g} halves waves of |k| = {self.wavenumber:.6g}, wavelength {self.wavelength:.6g}"

    def as_dict(self) -> dict[str, Any]:
        """The wave as JSON-like values."""
        return fields_as_dict(self)


@checked_call()
def half_amplitude(sigma: float) -> HalfAmplitude:
    """The wave of which noise leaves one half: exp(-k^2 sigma^2 / 2) = 1/2 at k = sqrt(2 ln 2) / sigma.

    Parameters
    ----------
    sigma
        Noise level, positive.

    Raises
    ------
    SigmaError
        For a sigma that is not a positive number.

    Examples
    --------
    >>> from heatpg.roughness.decay import half_amplitude
    >>> print(half_amplitude(0.1))
    sigma 0.1 halves waves of |k| = 11.7741, wavelength 0.533645
    """
    try:
        number = positive_number("sigma", sigma)
    except OptionError as reason:  # a noise level is refused in the same way wherever it is given
        raise SigmaError(reason.problem, given=reason.given, allowed=reason.allowed) from None
    wavenumber = math.sqrt(2.0 * math.log(2.0)) / number
    return HalfAmplitude(number, wavenumber, 2.0 * math.pi / wavenumber)


@checked_call()
def recoverable_band(noise: float, amplitude: float, variance_step: float) -> float:
    """Largest k that can be recovered from data with a given noise level: sqrt(2 ln(B / eps) / dsigma^2).

    There a wave of amplitude B has sunk to eps: B exp(-k^2 dsigma^2 / 2) = eps.

    Parameters
    ----------
    noise
        eps, the level of the noise in the smoothed field, >= 0.
    amplitude
        B, the amplitude of the wave before smoothing, in the same units, >= 0.
    variance_step
        dsigma^2, the variance to be undone, >= 0.

    Returns
    -------
    wavenumber
        Angular; 0 where the noise is no less than the amplitude, infinite without noise or without smoothing.

    Raises
    ------
    OptionError
        For a negative number, NaN or infinity.

    Examples
    --------
    >>> from heatpg.roughness.decay import recoverable_band
    >>> round(recoverable_band(1e-3, 1.0, 0.01), 3)
    37.169
    >>> recoverable_band(1.0, 0.5, 0.01)
    0.0
    """
    level = finite_number("noise", noise, lower=0.0)
    size = finite_number("amplitude", amplitude, lower=0.0)
    step = finite_number("variance_step", variance_step, lower=0.0)
    if size <= level:
        return 0.0
    if level == 0.0 or step == 0.0:
        return math.inf
    # a difference of logarithms, because the quotient of the numbers may overflow
    return math.sqrt(2.0 * (math.log(size) - math.log(level)) / step)
