"""The spectrum of a landscape, and what exploration noise leaves of it: exp(-|k|^2 sigma^2 / 2) per wave.

All wavenumbers are angular. Along a closed axis the waves are those of its boundary, so that each is damped by itself
and nothing is assumed: Fourier (periodic), cosine (reflect), and sine of what differs from the chord between the held
ends (absorb). In free space (clip, zero) no wave belongs to the box. There the plane that fits best is taken off, the
rest is tapered by sin^2 (Hann), scaled to a mean square of 1 so that the power of noise stays, and the Fourier waves of
the tapered field are taken. The taper mixes waves within two steps of 2 pi / L and hides what lies at the edges.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import next_fast_len, rfft

from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import GridError, SigmaError, UnsupportedError
from heatpg.evolution import Evolution
from heatpg.solvers.transforms import basis_along
from heatpg.tools.resources import require_memory

__all__ = [
    "BandDecay",
    "HalfAmplitude",
    "Spectrum",
    "UncertaintyProduct",
    "band_decay",
    "half_amplitude",
    "mean_square_weights",
    "mean_weights",
    "power_spectrum",
    "recoverable_band",
    "uncertainty_product",
    "wavenumbers",
]

Array = NDArray[Any]
Bands = int | Sequence[float] | ArrayLike | None

_REACH = 8.5  # standard deviations: 1.9e-17 of the noise goes further
_VISIBLE = 0.01  # round-off may be this share of a prediction that is compared


def _json(value: Any) -> Any:
    """JSON-like: lists for arrays and tuples, None for what is not finite."""
    if isinstance(value, np.ndarray):
        return _json(value.tolist())
    if isinstance(value, tuple | list):
        return [_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _dictionary(result: Any, leave_out: Sequence[str] = ()) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(result) if field.name not in leave_out]
    return {name: _json(getattr(result, name)) for name in names}


def _positive(value: float, what: str, *, zero: bool) -> float:
    """A finite number that is positive, or not negative."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or number < 0 or (number == 0 and not zero):
        allowed = "a number >= 0" if zero else "a number > 0"
        raise SigmaError(f"{what} is out of range", given=repr(value), allowed=allowed)
    return number


def _require_single(landscape: Landscape, what: str) -> None:
    if landscape.batch_shape:
        raise UnsupportedError(
            f"{what} takes one landscape at a time",
            given=f"batch axes {landscape.batch_shape}",
            advice="pass the members of the batch one by one",
        )


# Waves of a grid ---------------------------------------------------------------------------------------------------


def _axis_of_waves(axis: Axis) -> Axis:
    """The axis itself, or in free space the circle that a tapered line closes to."""
    if not axis.rule.free_space:
        return axis
    upper = axis.lower + axis.size * axis.spacing
    return dataclasses.replace(axis, upper=upper, boundary="periodic", nodes="vertex")


def wavenumbers(axis: Axis) -> NDArray[np.float64]:
    """Angular wavenumber of every coefficient along an axis, shape (size,).

    Parameters
    ----------
    axis
        A closed axis; one in free space is taken for the circle that its tapered line closes to.

    Returns
    -------
    wavenumbers
        In 1 / `Axis.unit`. Along ``absorb`` the first and the last coefficient are the held ends, with wavenumber 0.

    Examples
    --------
    >>> from heatpg import Axis
    >>> from heatpg.roughness.spectrum import wavenumbers
    >>> wavenumbers(Axis("x", 0.0, 3.141592653589793, 4, boundary="reflect")).round(12)
    array([0., 1., 2., 3.])
    """
    closed = _axis_of_waves(axis)
    return np.asarray(basis_along(closed).angle / closed.spacing)


def mean_weights(axis: Axis) -> NDArray[np.float64]:
    """Quadrature weights of a mean along an axis, shape (size,), their sum 1.

    Parameters
    ----------
    axis
        Its `Axis.weights`; between held ends those of the trapezoid rule, whatever its nodes.

    Examples
    --------
    >>> from heatpg import Axis
    >>> from heatpg.roughness.spectrum import mean_weights
    >>> mean_weights(Axis("x", 0.0, 2.0, 3, boundary="absorb")).tolist()
    [0.25, 0.5, 0.25]
    """
    weights = axis.weights
    if axis.rule.holds_ends:
        weights = np.ones(axis.size)
        weights[[0, -1]] = 0.5
    return np.asarray(weights / weights.sum())


def mean_square_weights(axis: Axis) -> NDArray[np.float64]:
    """Share of each squared coefficient in the mean square over the box (Parseval), shape (size,).

    Parameters
    ----------
    axis
        As for `wavenumbers`.

    Returns
    -------
    weights
        For the coefficients of `heatpg.solvers.transforms`, without normalisation. The mean is that of `mean_weights`.
        Zero for the two ends of ``absorb``, which are no waves.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis
    >>> from heatpg.roughness.spectrum import mean_square_weights
    >>> axis = Axis("x", 0.0, 1.0, 5, boundary="periodic")
    >>> values = np.array([1.0, -2.0, 0.5, 0.0, 4.0])
    >>> from scipy.fftpack import rfft
    >>> bool(np.isclose(mean_square_weights(axis) @ rfft(values) ** 2, np.mean(values**2)))
    True
    """
    closed = _axis_of_waves(axis)
    size = closed.size
    if closed.rule.periodic:
        weights = np.full(size, 2.0 / size**2)
        weights[[0, -1] if size % 2 == 0 else [0]] /= 2.0
        return weights
    if closed.rule.holds_ends:
        weights = np.full(size, 0.5 / (size - 1) ** 2)
        weights[[0, -1]] = 0.0
        return weights
    if closed.nodes == "vertex":
        weights = np.full(size, 0.5 / (size - 1) ** 2)
        weights[[0, -1]] /= 2.0
        return weights
    weights = np.full(size, 0.5 / size**2)
    weights[0] /= 2.0
    return weights


def _outer_sum(terms: Sequence[Array]) -> Array:
    """sum_i terms[i][j_i] on the grid of all j."""
    result = np.zeros(())
    for term in terms:
        result = np.add.outer(result, term)
    return np.asarray(result)


def _outer_product(factors: Sequence[Array]) -> Array:
    """prod_i factors[i][j_i] on the grid of all j."""
    result = np.ones(())
    for factor in factors:
        result = np.multiply.outer(result, factor)
    return np.asarray(result)


def _prepared(field: Array, grid: Grid) -> Array:
    """The field, in free space without its plane and tapered; may overwrite its argument."""
    free = [i for i, axis in enumerate(grid) if axis.rule.free_space]
    if not free:
        return field
    field = field - field.mean()
    for i in free:
        shape = [1] * field.ndim
        shape[i] = grid.shape[i]
        along = (np.arange(grid.shape[i]) - 0.5 * (grid.shape[i] - 1)).reshape(shape)
        # coordinates from the middle are orthogonal to each other and to 1, so the slopes are fitted one by one
        field = field - along * ((along * field).mean() / (along**2).mean())
    for i in free:
        shape = [1] * field.ndim
        shape[i] = grid.shape[i]
        taper = np.sin(math.pi * (np.arange(grid.shape[i]) + 0.5) / grid.shape[i]) ** 2
        field = field * (taper / math.sqrt(0.375)).reshape(shape)
    return np.asarray(field)


def _coefficients(field: Array, grid: Grid) -> Array:
    """Coefficients in the waves of the grid; may overwrite its argument."""
    for i, axis in enumerate(grid):
        field = basis_along(_axis_of_waves(axis)).forward(np.ascontiguousarray(field), i)
    return field


def _treatment(grid: Grid) -> str:
    kinds: dict[str, list[str]] = {}
    for axis in grid:
        if axis.rule.free_space:
            kind = "Fourier of the field without its plane, tapered (Hann), along"
        elif axis.rule.periodic:
            kind = "Fourier along"
        elif axis.rule.holds_ends:
            kind = "sine of what differs from the chord along"
        else:
            kind = "cosine along"
        kinds.setdefault(kind, []).append(axis.name)
    return "; ".join(f"{kind} {', '.join(names)}" for kind, names in kinds.items())


# Bands -------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False)
class _Bands:
    """Which waves of a grid lie in which band.

    `number` is the band of each coefficient: 0 for the constant and for held ends, 1 to B for the bands, B + 1 for
    waves outside of them all.
    """

    edges: NDArray[np.float64]
    number: NDArray[np.int64]
    weights: NDArray[np.float64]
    modes: NDArray[np.int64]
    wavenumber: NDArray[np.float64]

    def sums(self, values: Array) -> NDArray[np.float64]:
        """Sum of the values in the constant, in each band, and outside."""
        flat = values.reshape(-1)
        return np.asarray(np.bincount(self.number, weights=flat, minlength=len(self.edges) + 1), dtype=np.float64)

    def power(self, coefficients: Array) -> NDArray[np.float64]:
        """Mean square of the constant, of each band, and of the rest."""
        return self.sums(self.weights * coefficients**2)


def _edges(bands: Bands, fundamental: float, largest: float) -> NDArray[np.float64]:
    allowed = "None, a whole number of bands > 0, or at least 2 ascending edges >= 0 in angular wavenumbers"
    if bands is None:
        first = 1.5 * fundamental
        return np.append(0.0, first + fundamental * np.arange(max(1, math.ceil(largest / fundamental - 0.5))))
    if isinstance(bands, int | np.integer) and not isinstance(bands, bool):
        if bands < 1:
            raise UnsupportedError("there is no band", given=bands, allowed=allowed)
        return np.asarray(np.linspace(0.0, largest, int(bands) + 1, dtype=np.float64))
    try:
        edges: NDArray[np.float64] = np.array(bands, dtype=np.float64)
    except (TypeError, ValueError):
        raise UnsupportedError("the bands are not numbers", given=repr(bands), allowed=allowed) from None
    if edges.ndim != 1 or len(edges) < 2 or not np.isfinite(edges).all() or edges[0] < 0 or (np.diff(edges) <= 0).any():
        raise UnsupportedError("these edges bound no bands", given=repr(bands), allowed=allowed)
    return edges


def _bands(grid: Grid, bands: Bands) -> _Bands:
    along = [wavenumbers(axis) for axis in grid]
    size = np.sqrt(_outer_sum([k**2 for k in along])).reshape(-1)
    weights = _outer_product([mean_square_weights(axis) for axis in grid])
    fundamental = max(float(k[k > 0].min()) for k in along)
    edges = _edges(bands, fundamental, float(size.max()))
    number = np.searchsorted(edges, size, side="right")
    number[size == edges[-1]] = len(edges) - 1
    below = number == 0
    number[below] = len(edges)
    constant = (size == 0) | (weights.reshape(-1) == 0)
    number[constant] = 0
    modes = np.bincount(number, minlength=len(edges) + 1)[1:-1]
    total = np.bincount(number, weights=size, minlength=len(edges) + 1)[1:-1]
    mean = np.where(modes > 0, total / np.maximum(modes, 1), np.nan)
    return _Bands(edges, number, weights, modes, mean)


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
    """

    edges: NDArray[np.float64]
    wavenumber: NDArray[np.float64]
    power: NDArray[np.float64]
    modes: NDArray[np.int64]
    constant: float
    outside: float
    total: float
    treatment: str

    @property
    def density(self) -> NDArray[np.float64]:
        """Power per unit of |k|, shape (B,)."""
        return np.asarray(self.power / np.diff(self.edges))

    @property
    def peak(self) -> float:
        """Mean |k| of the band with the largest power; NaN if no band has any."""
        return float(self.wavenumber[int(np.argmax(self.power))]) if self.power.any() else math.nan

    def __str__(self) -> str:
        varying = float(self.power.sum()) + self.outside
        lines = [
            f"bands       {len(self.power)}, |k| from {self.edges[0]:.4g} to {self.edges[-1]:.4g}",
            f"waves       {self.treatment}",
            f"rms         {math.sqrt(varying):.4g} without the constant",
        ]
        if varying > 0 and self.power.any():
            share = np.cumsum(self.power) / varying
            lines.append(f"peak        |k| = {self.peak:.4g}, wavelength {2 * math.pi / self.peak:.4g}")
            for part in (0.5, 0.99):
                if share[-1] >= part:
                    lines.append(f"{part:4.0%} power  below |k| = {self.edges[1 + int(np.argmax(share >= part))]:.4g}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The spectrum as JSON-like values."""
        return _dictionary(self)


def power_spectrum(landscape: Landscape | ArrayLike, grid: Grid | None = None, *, bands: Bands = None) -> Spectrum:
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
        Power, number of waves and mean wavenumber per band. In free space it is that of the tapered field; see the
        module.

    Raises
    ------
    GridError
        For an array without a grid, or one that does not fit it.
    UnsupportedError
        For batch axes, or bands that are none.
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
    elif grid is not None and grid != landscape.grid:
        raise GridError("a landscape has its own grid", given=repr(grid), advice="leave the grid out")
    place = landscape.grid
    _require_single(landscape, "a power spectrum")
    field = _prepared(landscape.values.astype(np.float64), place)
    waves = _bands(place, bands)
    power = waves.power(_coefficients(field.copy(), place))
    return Spectrum(
        waves.edges,
        waves.wavenumber,
        power[1:-1],
        waves.modes,
        float(power[0]),
        float(power[-1]),
        _mean_square(field, place),
        _treatment(place),
    )


def _mean_square(field: Array, grid: Grid) -> float:
    """Mean square over the box of what has a spectrum: along held axes, of what differs from the chord."""
    weights = np.ones(())
    for i, axis in enumerate(grid):
        if axis.rule.holds_ends:
            low, high = np.take(field, [0], axis=i), np.take(field, [-1], axis=i)
            shape = [1] * field.ndim
            shape[i] = axis.size
            share = np.linspace(0.0, 1.0, axis.size).reshape(shape)
            field = field - (low + share * (high - low))
        weights = np.multiply.outer(weights, mean_weights(_axis_of_waves(axis)))
    return float((weights * field**2).sum())


# What noise leaves -------------------------------------------------------------------------------------------------


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
        Power of Q per band, shape (B,).
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
            text = f"{levels[0]:.4g}" if (levels == levels[0]).all() else ", ".join(f"{s:.4g}" for s in levels)
            seen = np.flatnonzero(self.visible[k])
            last = f"visible up to |k| = {self.edges[seen[-1] + 1]:.4g}" if len(seen) else "hidden by round-off"
            half = np.flatnonzero(self.visible[k] & (self.measured[k] < 0.5))
            first = f", below one half from |k| = {self.edges[half[0]]:.4g} on" if len(half) else ""
            lines.append(f"sigma     {text}: {len(seen)} of {len(self.power)} bands {last}{first}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The decay as JSON-like values."""
        return {**_dictionary(self), "exponent": _json(self.exponent), "worst": _json(self.worst)}


def _smooth_in_free_space(field: Array, axis: Axis, variance: float, position: int) -> Array:
    """exp(-k^2 t / 2) on the line continued by its boundary until the noise does not see its ends, cropped."""
    padding = math.ceil(_REACH * math.sqrt(variance) / axis.spacing)
    rows = axis.size + 2 * padding
    require_memory(
        3.0 * field.nbytes * rows / axis.size,
        f"the line along {axis.name!r}, continued by {_REACH:g} sigma",
        "leave out the sigmas that are far wider than the box",
    )
    extension = axis.rule.extend(axis.size, axis.nodes, padding, padding)
    shape = [1] * field.ndim
    shape[position] = rows
    line = Axis(axis.name, 0.0, rows * axis.spacing, rows, boundary="reflect", nodes="cell")
    basis = basis_along(line)
    coefficients = basis.forward(
        np.take(field, extension.source, axis=position) * extension.weight.reshape(shape), position
    )
    factor = np.exp(-0.5 * variance * (basis.angle / line.spacing) ** 2)
    result = basis.inverse(coefficients * factor.reshape(shape), position)
    return np.take(result, np.arange(padding, padding + axis.size), axis=position)


def _expected(initial: Array, reference: Array, grid: Grid, variances: Sequence[float]) -> Array:
    """Coefficients that the flow leaves of Q, whose own are `reference`."""
    moving = [(i, axis, t) for i, (axis, t) in enumerate(zip(grid, variances, strict=True)) if t > 0]
    outside = [(i, axis, t) for i, axis, t in moving if axis.rule.free_space]
    if outside:
        field = initial
        for i, axis, t in outside:
            field = _smooth_in_free_space(field, axis, t, i)
        reference = _coefficients(_prepared(field, grid), grid)
    exponents = [np.zeros(axis.size) for axis in grid]
    for i, axis, t in moving:
        if not axis.rule.free_space:
            exponents[i] = -0.5 * t * wavenumbers(axis) ** 2
    with np.errstate(under="ignore"):
        return reference * np.exp(_outer_sum(exponents))


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
        For correlated noise, for batch axes, for bands that are none, and for a landscape without waves in them.

    Notes
    -----
    For a solver that is exact in time and space the ratio is 1 to round-off, on closed axes by the factor of each wave,
    in free space by the same factor on the line continued by its boundary and then tapered like the field. A solver of
    the semi-discrete flow shows its own symbol: a ratio above 1 towards the Nyquist wavenumber. The floor is the
    solver's own bound on its round-off, taken over the whole field; most bands are better.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.evolution import solve
    >>> from heatpg.roughness.spectrum import band_decay
    >>> grid = Grid(Axis("x", 0.0, 2 * np.pi, 32, boundary="periodic"))
    >>> flow = solve(Landscape.from_function(lambda x: np.cos(3 * x), grid), [0.1, 0.2], "spectral")
    >>> decay = band_decay(flow)
    >>> decay.measured[:, 2].round(6), np.exp(-4.5 * decay.sigma[:, 0] ** 2).round(6), round(decay.exponent, 9)
    (array([0.955997, 0.83527 ]), array([0.955997, 0.83527 ]), 1.0)
    """
    if evolution.covariance is not None:
        raise UnsupportedError(
            "the waves of one |k| are damped differently by correlated noise",
            given="an evolution with a covariance",
            allowed="one sigma, or one per axis",
            advice="sample Q along the principal axes of the covariance",
        )
    landscape, grid = evolution.landscape, evolution.grid
    _require_single(landscape, "the decay per band")
    initial = landscape.values.astype(np.float64)
    waves = _bands(grid, bands)
    reference = _coefficients(_prepared(initial.copy(), grid), grid)
    power = waves.power(reference)[1:-1]
    unit = float(np.finfo(landscape.values.dtype).eps) * float(np.abs(initial).max())
    own = sum(16.0 + 8.0 * math.log2(axis.size) for axis in grid)
    if not (power > (unit * own) ** 2).any():
        raise UnsupportedError(
            "nothing of this landscape lies in these bands",
            given=f"rms {math.sqrt(float(power.max())):.3g} in the strongest, round-off {unit * own:.3g}",
            advice="a flat landscape has no waves; for others give bands that hold some of theirs",
        )
    safe = np.where(power > 0, power, 1.0)

    def relative(squares: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(power > 0, np.sqrt(squares[1:-1] / safe), np.nan)

    measured, predicted, floor = [], [], []
    for values, variances, paths in zip(evolution.values, evolution.variances, evolution.paths, strict=True):
        field = _prepared(values.astype(np.float64), grid)
        measured.append(relative(waves.power(_coefficients(field, grid))))
        predicted.append(relative(waves.power(_expected(initial, reference, grid, variances.tolist()))))
        rounding = own + sum(
            evolution.solver.rounding(axis, path) for axis, path in zip(grid, paths, strict=True) if path[-1] > 0
        )
        floor.append(np.where(power > 0, unit * rounding / np.sqrt(safe), np.inf))
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
        _treatment(grid),
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
        return _dictionary(self)


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
    >>> from heatpg.roughness.spectrum import half_amplitude
    >>> print(half_amplitude(0.1))
    sigma 0.1 halves waves of |k| = 11.7741, wavelength 0.533645
    """
    number = _positive(sigma, "sigma", zero=False)
    wavenumber = math.sqrt(2.0 * math.log(2.0)) / number
    return HalfAmplitude(number, wavenumber, 2.0 * math.pi / wavenumber)


def recoverable_band(noise: float, amplitude: float, variance_step: float) -> float:
    """Largest k of which noise of a given level lets something be had back: sqrt(2 ln(B / eps) / dsigma^2).

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
    SigmaError
        For a negative number, NaN or infinity.

    Examples
    --------
    >>> from heatpg.roughness.spectrum import recoverable_band
    >>> round(recoverable_band(1e-3, 1.0, 0.01), 3)
    37.169
    >>> recoverable_band(1.0, 0.5, 0.01)
    0.0
    """
    level = _positive(noise, "the noise", zero=True)
    size = _positive(amplitude, "the amplitude", zero=True)
    step = _positive(variance_step, "the variance to be undone", zero=True)
    if size <= level:
        return 0.0
    if level == 0.0 or step == 0.0:
        return math.inf
    return math.sqrt(2.0 * (math.log(size) - math.log(level)) / step)


# Uncertainty -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class UncertaintyProduct:
    """How narrow a landscape is in place and in wavenumber at once.

    Attributes
    ----------
    position_variance
        Variance of |f|^2 along each axis.
    wavenumber_variance
        Variance of |f^|^2 along each axis, angular.
    per_axis
        Their products, at least 1/4 each.
    product
        Total variance in place times total variance in wavenumber, at least m^2 / 4.
    bound
        m^2 / 4, m the number of axes.
    edge
        Largest |f| on the edges of the box over the largest anywhere. f is 0 outside, so an edge that is not small is a
        jump, whose waves reach as far as the grid does.
    nyquist
        Share of the finest wave of the grid, (sum_j (-1)^j f_j)^2 / sum_j f_j^2 along the worst axis. Where it is not
        small, f is not resolved and the bound need not hold.
    """

    position_variance: tuple[float, ...]
    wavenumber_variance: tuple[float, ...]
    per_axis: tuple[float, ...]
    product: float
    bound: float
    edge: float
    nyquist: float

    def __str__(self) -> str:
        lines = [f"product   {self.product:.6g}, {self.product / self.bound:.6g} times the least possible"]
        lines += [
            f"axis {i + 1}    {a:.6g} in place times {b:.6g} in wavenumber = {c:.6g} (at least 0.25)"
            for i, (a, b, c) in enumerate(
                zip(self.position_variance, self.wavenumber_variance, self.per_axis, strict=True)
            )
        ]
        if self.edge > 1e-3:
            lines.append(f"edge      {self.edge:.3g} of the largest |f| is left there: the waves are those of a jump")
        if self.nyquist > 1e-3:
            lines.append(f"nyquist   {self.nyquist:.3g} of the finest wave: the grid does not resolve f")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The product as JSON-like values."""
        return _dictionary(self)


def _turned_to_middle(field: Array, density: Array, position: int) -> tuple[Array, Array]:
    """Along a circle: the mean direction of the density brought to the middle of the line."""
    size = field.shape[position]
    angle = 2.0 * math.pi * np.arange(size) / size
    direction = complex(density @ np.cos(angle), density @ np.sin(angle))
    if abs(direction) < 1e-9:
        return field, density
    middle = math.atan2(direction.imag, direction.real) * size / (2.0 * math.pi)
    shift = round(0.5 * (size - 1) - middle)
    return np.roll(field, shift, axis=position), np.roll(density, shift)


def uncertainty_product(landscape: Landscape) -> UncertaintyProduct:
    """Var_x(|f|^2) Var_k(|f^|^2) >= m^2 / 4 over m axes, with equality for Gaussians of equal width along all axes.

    Variances are totals over the axes, and given per axis too, where the bound is 1/4. Var_k along an axis is the
    integral of |df/dx_i|^2 over that of f^2 (Parseval), taken from the transform of f.

    Parameters
    ----------
    landscape
        f: the values as they are, offset included, without batch axes; 0 outside the box. A periodic axis is first
        turned so that |f|^2 lies in its middle.

    Returns
    -------
    product
        Variances, products, and whether edges or the spacing of the nodes spoil them.

    Raises
    ------
    UnsupportedError
        For f = 0, and for batch axes.

    Notes
    -----
    Exact to round-off for an f that is small at the edges and at the finest wave of the grid. For a landscape with an
    offset, subtract what is not part of the feature: a box full of a constant is as wide as the box and has two jumps.

    References
    ----------
    G. B. Folland, A. Sitaram, The uncertainty principle: a mathematical survey, *J. Fourier Anal. Appl.* 3, 1997,
    doi:10.1007/BF02649110.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.roughness.spectrum import uncertainty_product
    >>> grid = Grid(Axis("x", -8.0, 8.0, 161, boundary="clip"))
    >>> round(uncertainty_product(Landscape.from_function(lambda x: np.exp(-(x**2) / 2), grid)).product, 12)
    0.25
    >>> round(uncertainty_product(Landscape.from_function(lambda x: x * np.exp(-(x**2) / 2), grid)).product, 12)
    2.25
    """
    grid = landscape.grid
    _require_single(landscape, "the uncertainty product")
    field = landscape.values.astype(np.float64)
    largest = float(np.abs(field).max())
    if largest == 0.0:
        raise UnsupportedError("f = 0 has neither a place nor a wavenumber", given=repr(landscape))
    field /= largest
    places, waves, edges, finest = [], [], [0.0], [0.0]
    with np.errstate(under="ignore"):
        for i, axis in enumerate(grid):
            others = tuple(j for j in range(grid.dimensions) if j != i)
            density = (field**2).sum(axis=others)
            turned = field
            if axis.rule.periodic:
                turned, density = _turned_to_middle(field, density / density.sum(), i)
            density = density / density.sum()
            x = (np.arange(axis.size) - 0.5 * (axis.size - 1)) * axis.spacing
            places.append(float(density @ (x - density @ x) ** 2))
            length = next_fast_len(2 * axis.size, real=True)
            length += length % 2  # an even length has a coefficient at Nyquist
            energy = (np.abs(rfft(turned, length, axis=i)) ** 2).sum(axis=others)
            energy[1:-1] *= 2.0  # the waves of negative k
            k = 2.0 * math.pi * np.arange(len(energy)) / (length * axis.spacing)
            waves.append(float(energy @ k**2 / energy.sum()))
            finest.append(float(energy[-1] * length / energy.sum()))
            edges.append(float(np.abs(np.take(turned, [0, -1], axis=i)).max()))
    return UncertaintyProduct(
        tuple(places),
        tuple(waves),
        tuple(a * b for a, b in zip(places, waves, strict=True)),
        sum(places) * sum(waves),
        0.25 * grid.dimensions**2,
        max(edges),
        max(finest),
    )
