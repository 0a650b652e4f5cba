"""Landscapes whose evolution is known exactly: references for solvers, checks and studies.

Each of them is a sum of products of functions of one coordinate, Q(x) = sum_k c_k prod_i f_ki(x_i). The heat flow acts
along each axis on its own, so u is the same sum of the evolved factors. A factor needs one formula, its mean
over a Gaussian between the two walls, E[f(x + sigma Z); lower < x + sigma Z < upper]; each boundary then adds its
own: nothing (zero), the edge values (clip), or the mirror images (periodic, reflect, absorb).

**The exact evolution is therefore that of the boundary that the grid has, edges included**, to about 1e-14 of the
largest |Q|, and each axis may have another boundary. The free-space formula in a docstring is what it comes to
where the noise does not reach the edges; `Grid.trust` bounds the difference. The walls are the bounds of the axis;
with cell nodes on a ``clip`` or ``absorb`` axis they stand at the outermost cell centres, whose values are
continued or held. With a boundary that this file does not know no exact evolution is attached.

Where Q jumps inside the box, a node on the jump has the mean of both sides. At an edge Q has the value inside; where
the continuation jumps there (``zero``; ``periodic``, if the ends differ), the limit of u for sigma -> 0 is the mean of
both sides instead. All parameters stand in ``provenance["parameters"]``, and ``function(grid, **parameters)`` gives the
same landscape again.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import GridError, UnsupportedError
from heatpg.landscapes import landscapes

__all__ = [
    "absolute_value",
    "box",
    "cosine",
    "creation",
    "eigenmodes",
    "gaussians",
    "peak_and_hill",
    "plateau",
    "quadratic",
    "ramp",
    "ridge",
    "step",
    "two_bumps",
    "unequal_bumps",
    "weierstrass",
]

_BOUNDARIES = frozenset({"absorb", "clip", "periodic", "reflect", "zero"})
_REACH = 9.0  # standard deviations after which a Gaussian tail (1e-19) is below rounding


# Functions of one coordinate ------------------------------------------------------------------------------------


class _Line(ABC):
    """A function of one coordinate that knows its heat flow along an axis."""

    @abstractmethod
    def evolved(self, axis: Axis, sigma: float) -> NDArray[Any]:
        """The function after noise sigma, at the nodes of the axis."""


class _BoundedLine(_Line):
    """A function given between the walls of an axis and continued beyond them by its boundary."""

    @abstractmethod
    def at(self, x: NDArray[np.float64]) -> NDArray[Any]:
        """f(x)."""

    @abstractmethod
    def inside(self, x: NDArray[np.float64], sigma: float, lower: float, upper: float) -> NDArray[Any]:
        """E[f(x + sigma Z); lower < x + sigma Z < upper] for sigma > 0."""

    def evolved(self, axis: Axis, sigma: float) -> NDArray[Any]:
        x = axis.coordinates
        # a sigma whose square underflows is no noise
        if sigma < 1e-150:
            return self.at(x)
        lower, upper = _walls(axis)
        # x / sigma may overflow to infinity, and tails underflow to 0, both with the right limit
        with np.errstate(over="ignore", under="ignore"):
            if axis.boundary == "zero":
                return self.inside(x, sigma, lower, upper)
            if axis.boundary == "periodic":
                return self._images(x, sigma, lower, upper, upper - lower)
            if axis.boundary == "reflect":
                return self._mirror_images(x, sigma, lower, upper, 1.0)
            low, high = self.at(np.array([lower, upper]))
            if axis.boundary == "clip":
                from scipy.special import ndtr

                beyond = low * ndtr((lower - x) / sigma) + high * ndtr((x - upper) / sigma)
                return np.asarray(self.inside(x, sigma, lower, upper) + beyond)
            # absorb: what differs from the chord between the held ends continues as an odd function
            chord = _Polynomial(lower, ((-math.inf, math.inf, (low, (high - low) / (upper - lower))),))
            held = chord.at(x) - chord._mirror_images(x, sigma, lower, upper, -1.0)
            return np.asarray(held + self._mirror_images(x, sigma, lower, upper, -1.0))

    def _images(self, x: NDArray[np.float64], sigma: float, lower: float, upper: float, period: float) -> NDArray[Any]:
        """Sum of `inside` over all x - n period."""
        # beyond two periods every mode is below exp(-2 pi^2 4) = 1e-34: more noise changes nothing
        enough = min(sigma, 2 * period)
        count = math.ceil(_REACH * enough / period) + 1
        shifts = period * np.arange(-count, count + 1)
        return np.asarray(self.inside(x[:, np.newaxis] - shifts, enough, lower, upper).sum(axis=1))

    def _mirror_images(
        self, x: NDArray[np.float64], sigma: float, lower: float, upper: float, sign: float
    ) -> NDArray[Any]:
        """Images of an even (sign 1) or odd (sign -1) continuation about both walls."""
        period = 2 * (upper - lower)
        direct = self._images(x, sigma, lower, upper, period)
        return np.asarray(direct + sign * self._images(2 * lower - x, sigma, lower, upper, period))


@dataclasses.dataclass(frozen=True)
class _Polynomial(_BoundedLine):
    """Pieces (from, to, (c0, c1, c2)) of c0 + c1 (x - origin) + c2 (x - origin)^2, and zero elsewhere."""

    origin: float
    pieces: tuple[tuple[float, float, tuple[complex, ...]], ...]

    def at(self, x: NDArray[np.float64]) -> NDArray[Any]:
        result: NDArray[Any] = np.zeros(x.shape)
        for start, stop, coefficients in self.pieces:
            share = _after(x, start) - _after(x, stop)
            result = result + share * sum(c * (x - self.origin) ** n for n, c in enumerate(coefficients))
        return result

    def inside(self, x: NDArray[np.float64], sigma: float, lower: float, upper: float) -> NDArray[Any]:
        result: NDArray[Any] = np.zeros(x.shape)
        for start, stop, coefficients in self.pieces:
            below, above = max(start, lower) - self.origin, min(stop, upper) - self.origin
            if below < above:
                moments = _gaussian_moments(x - self.origin, sigma, below, above)
                result = result + sum(c * moment for c, moment in zip(coefficients, moments, strict=False))
        return result


@dataclasses.dataclass(frozen=True)
class _Gaussian(_BoundedLine):
    """exp(-(x - center)^2 / (2 width^2))."""

    center: float
    width: float

    def at(self, x: NDArray[np.float64]) -> NDArray[Any]:
        with np.errstate(under="ignore"):
            return np.asarray(np.exp(-0.5 * ((x - self.center) / self.width) ** 2))

    def inside(self, x: NDArray[np.float64], sigma: float, lower: float, upper: float) -> NDArray[Any]:
        from scipy.special import ndtr

        # completing the square: w / W exp(-(x - c)^2 / (2 W^2)) P(lower < N(m, s^2) < upper), with
        # W^2 = w^2 + sigma^2, m = c + (x - c) w^2 / W^2, s = w sigma / W
        widened = math.hypot(self.width, sigma)
        mean = self.center + (x - self.center) * (self.width / widened) ** 2
        deviation = self.width * (sigma / widened)
        share = ndtr((upper - mean) / deviation) - ndtr((lower - mean) / deviation)
        return np.asarray(self.width / widened * np.exp(-0.5 * ((x - self.center) / widened) ** 2) * share)


@dataclasses.dataclass(frozen=True)
class _Wave(_BoundedLine):
    """exp(i wavenumber x)."""

    wavenumber: float

    def at(self, x: NDArray[np.float64]) -> NDArray[Any]:
        return np.asarray(np.exp(1j * self.wavenumber * x))

    def inside(self, x: NDArray[np.float64], sigma: float, lower: float, upper: float) -> NDArray[Any]:
        from scipy.special import wofz

        # completing the square: exp(i k x) exp(-q^2) (erf(b - i q) - erf(a - i q)) / 2, with q = k sigma / sqrt(2)
        # and a, b = (wall - x) / (sqrt(2) sigma). erf overflows where exp(-q^2) underflows; the Faddeeva function
        # w holds both: exp(-q^2) erf(b - i q) = +-exp(-q^2) -+ exp(-b^2 + 2 i b q) w(+-q + i |b|) for +-b > 0
        q = self.wavenumber * sigma / math.sqrt(2)

        def scaled_error_function(wall: float) -> NDArray[Any]:
            b = (wall - x) / (math.sqrt(2) * sigma)
            sign = np.where(b < 0, -1.0, 1.0)
            # where b is infinite its Gaussian is 0, whatever the phase is
            near = np.where(np.abs(b) < 30, b, 0.0)
            gaussian = np.where(np.abs(b) < 30, np.exp(-(near**2) + 2j * near * q), 0.0)
            return np.asarray(sign * (math.exp(-(q**2)) - gaussian * wofz(sign * q + 1j * np.abs(near))))

        wave = 0.5 * np.exp(1j * self.wavenumber * x)
        return np.asarray(wave * (scaled_error_function(upper) - scaled_error_function(lower)))

    def evolved(self, axis: Axis, sigma: float) -> NDArray[Any]:
        turns = self.wavenumber * axis.length / (2 * math.pi)
        if axis.boundary == "periodic" and abs(turns - round(turns)) <= 1e-12 * max(1.0, abs(turns)):
            return self.at(axis.coordinates) * math.exp(-0.5 * (self.wavenumber * sigma) ** 2)
        return super().evolved(axis, sigma)


@dataclasses.dataclass(frozen=True)
class _Eigenmode(_Line):
    """The eigenfunction of this number on a periodic, reflecting or absorbing axis."""

    number: int
    phase: float

    def evolved(self, axis: Axis, sigma: float) -> NDArray[Any]:
        lower, upper = _walls(axis)
        half_turns = 2 * self.number if axis.boundary == "periodic" else self.number
        wavenumber = half_turns * math.pi / (upper - lower)
        angle = wavenumber * (axis.coordinates - lower)
        if axis.boundary == "periodic":
            shape = np.cos(angle + self.phase)
        else:
            shape = np.cos(angle) if axis.boundary == "reflect" else np.sin(angle)
        return np.asarray(shape * math.exp(-0.5 * (wavenumber * sigma) ** 2))


_CONSTANT = _Polynomial(0.0, ((-math.inf, math.inf, (1.0,)),))


def _power(origin: float, degree: int, factor: float = 1.0) -> _Polynomial:
    """factor * (x - origin)^degree."""
    return _Polynomial(origin, ((-math.inf, math.inf, (0.0,) * degree + (factor,)),))


def _after(x: NDArray[np.float64], place: float) -> NDArray[np.float64]:
    """1 after the place, 0 before it, 1/2 on it, where a node counts that misses it by rounding."""
    distance = x - place
    rounding = 8 * np.finfo(np.float64).eps * float(np.abs(x).max())
    return np.where(np.abs(distance) <= rounding, 0.5, np.where(distance > 0, 1.0, 0.0))


def _walls(axis: Axis) -> tuple[float, float]:
    """Where the box ends for this boundary: at the outermost nodes if their values are continued or held."""
    if axis.boundary in ("clip", "absorb"):
        nodes = axis.coordinates
        return float(nodes[0]), float(nodes[-1])
    return axis.lower, axis.upper


def _gaussian_moments(
    x: NDArray[np.float64], sigma: float, lower: float, upper: float
) -> tuple[NDArray[np.float64], ...]:
    """E[Y^n; lower < Y < upper] for Y = x + sigma Z and n = 0, 1, 2."""
    from scipy.special import ndtr

    def density(wall: float) -> NDArray[np.float64]:
        return np.asarray(np.exp(-0.5 * ((wall - x) / sigma) ** 2) / math.sqrt(2 * math.pi))

    at_lower, at_upper = density(lower), density(upper)
    zeroth = ndtr((upper - x) / sigma) - ndtr((lower - x) / sigma)
    first = x * zeroth + sigma * (at_lower - at_upper)
    second = (x**2 + sigma**2) * zeroth + sigma * ((x + lower) * at_lower - (x + upper) * at_upper)
    return zeroth, first, second


# From lines to a landscape --------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Term:
    """amplitude * prod_i lines[i](x_i)."""

    amplitude: complex
    lines: tuple[_Line, ...]


@dataclasses.dataclass(frozen=True)
class _Superposition:
    """Real part of a sum of terms, evolved along each axis; an object and no closure, so that it can be pickled."""

    grid: Grid
    terms: tuple[_Term, ...]

    def __call__(self, sigmas: tuple[float, ...]) -> NDArray[np.float64]:
        product = np.array([term.amplitude for term in self.terms])[:, np.newaxis]
        last = self.grid.dimensions - 1
        for i, (axis, sigma) in enumerate(zip(self.grid, sigmas, strict=True)):
            evolved = {line: line.evolved(axis, sigma) for line in {term.lines[i] for term in self.terms}}
            factor = np.stack([evolved[term.lines[i]] for term in self.terms])
            if i == last:
                return np.ascontiguousarray((product.T @ factor).real).reshape(self.grid.shape)
            product = (product[:, :, np.newaxis] * factor[:, np.newaxis, :]).reshape(len(self.terms), -1)
        raise AssertionError("a grid has at least one axis")


def _landscape(grid: Grid, name: str, terms: Sequence[_Term], parameters: dict[str, Any]) -> Landscape:
    evolution = _Superposition(grid, tuple(terms))
    known = all(axis.boundary in _BOUNDARIES for axis in grid)
    provenance = {"source": f"heatpg.landscapes.analytic.{name}", "parameters": parameters}
    values = evolution((0.0,) * grid.dimensions)
    return Landscape(values, grid, name, provenance, exact=evolution if known else None)


def _sum_over_axes(lines: Sequence[_Line]) -> list[_Term]:
    """f_1(x_1) + f_2(x_2) + ..., each times the constant 1 along the other axes."""
    return [_Term(1.0, tuple(line if j == i else _CONSTANT for j in range(len(lines)))) for i, line in enumerate(lines)]


def _gaussian_sum(
    grid: Grid,
    name: str,
    heights: Sequence[float],
    centers: ArrayLike,
    widths: ArrayLike,
    parameters: dict[str, Any],
) -> Landscape:
    """Gaussians with one row of centers and widths each."""
    rows = zip(heights, np.asarray(centers).tolist(), np.asarray(widths).tolist(), strict=True)
    terms = [_Term(height, tuple(map(_Gaussian, center, width))) for height, center, width in rows]
    return _landscape(grid, name, terms, parameters)


def _grid(
    grid: Grid | None,
    lower: float,
    upper: float,
    size: int,
    boundary: str,
    dimensions: int,
    *,
    at_least: int = 1,
) -> Grid:
    """The given grid, or the same axis in every direction."""
    if grid is None:
        _whole("dimensions", dimensions, at_least)
        names = ["x"] if dimensions == 1 else [f"x{i + 1}" for i in range(dimensions)]
        return Grid(*(Axis(name, lower, upper, size, boundary=boundary) for name in names))
    if not isinstance(grid, Grid):
        raise GridError("a landscape is sampled on a grid", given=repr(grid), allowed="a heatpg.Grid, or None")
    if grid.dimensions < at_least:
        raise GridError(
            "the grid has too few axes for this landscape",
            given=f"{grid.dimensions}",
            allowed=f"at least {at_least}",
            advice="leave the grid out to get one that fits",
        )
    return grid


def _numbers(name: str, given: ArrayLike, count: int, *, positive: bool = False) -> list[float]:
    """So many finite numbers, or one repeated so many times."""
    try:
        array = np.asarray(given, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        raise UnsupportedError(f"{name} must be numbers", given=repr(given)) from None
    if array.size not in (1, count):
        raise UnsupportedError(
            f"{name} does not fit",
            given=f"{array.size} numbers",
            allowed="1 number" if count == 1 else f"1 number, or {count}",
            advice="" if count == 1 else "matrices and lists of points are given row after row",
        )
    if not np.isfinite(array).all() or (positive and not (array > 0).all()):
        raise UnsupportedError(
            f"{name} is out of range", given=given, allowed="finite numbers" + (" above 0" if positive else "")
        )
    repeated: list[float] = np.broadcast_to(array, (count,)).tolist()
    return repeated


def _number(name: str, given: float, *, positive: bool = False) -> float:
    return _numbers(name, given, 1, positive=positive)[0]


def _whole(name: str, given: int, at_least: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < at_least:
        raise UnsupportedError(f"{name} is out of range", given=repr(given), allowed=f"whole numbers from {at_least}")
    return int(given)


# The landscapes -------------------------------------------------------------------------------------------------


@landscapes.register("cosine")
def cosine(
    grid: Grid | None = None,
    *,
    size: int = 128,
    boundary: str = "periodic",
    dimensions: int = 2,
    wavenumbers: tuple[float, ...] = (1.0,),
    phase: float = 0.0,
) -> Landscape:
    """A plane wave, the eigenfunction of the heat flow.

    Q(x) = cos(k . x + phase); in free space, and on a periodic axis that holds a whole number of waves,
    u = exp(-sum_i k_i^2 sigma_i^2 / 2) Q. So it is on a reflecting axis from 0 to L for k = n pi / L, phase 0, and on
    an absorbing one for phase -pi/2 (a sine).

    Parameters
    ----------
    grid, size, boundary, dimensions
        Where to sample; without a grid, `size` nodes on [0, 2 pi] along each axis.
    wavenumbers
        k, one for all axes or one per axis, in radians per unit of the axis.
    phase
        In radians.

    Returns
    -------
    landscape
        With the exact evolution, valid up to the edges on every boundary.

    Raises
    ------
    UnsupportedError
        For parameters that are not finite or do not fit the grid.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> q = landscapes.cosine(size=4, dimensions=1)
    >>> q.exact(0.5).round(4)  # exp(-0.5**2 / 2) = 0.8825
    array([ 0.8825,  0.    , -0.8825, -0.    ])
    """
    grid = _grid(grid, 0.0, 2 * math.pi, size, boundary, dimensions)
    vector = _numbers("wavenumbers", wavenumbers, grid.dimensions)
    phase = _number("phase", phase)
    amplitude = complex(math.cos(phase), math.sin(phase))
    terms = [_Term(amplitude, tuple(map(_Wave, vector)))]
    return _landscape(grid, "cosine", terms, {"wavenumbers": vector, "phase": phase})


@landscapes.register("eigenmodes")
def eigenmodes(
    grid: Grid | None = None,
    *,
    size: int = 65,
    boundary: str = "reflect",
    dimensions: int = 2,
    modes: int = 4,
    seed: int = 0,
) -> Landscape:
    """Several eigenmodes at once, each decaying at its own rate: for studies of convergence.

    Q(x) = c_0 prod_i l_i(x_i) + sum_j c_j prod_i e_(n_ij)(x_i); u: each e_n times exp(-k_n^2 sigma^2 / 2). With
    s = x - lower and L the distance of the walls, e_n is cos(k_n s + phase), k_n = 2 pi n / L, on a periodic axis;
    on others k_n = n pi / L, and e_n is cos(k_n s) on a reflecting, sin(k_n s) on an absorbing one. l is 1, but
    1 + s / L on an absorbing axis: held ends that are not 0.

    Parameters
    ----------
    grid, size, boundary, dimensions
        Where to sample; without a grid, `size` nodes on [0, 1] along each axis.
    modes
        Number of modes; along each axis the numbers n are 1, ..., modes in an order of their own.
    seed
        Of the amplitudes (standard normal, over j), phases and orders.

    Returns
    -------
    landscape
        With the exact evolution, valid up to the edges, on periodic, reflecting and absorbing axes and mixtures.

    Raises
    ------
    UnsupportedError
        On a ``clip`` or ``zero`` axis, where there are no eigenmodes, or for a bad parameter.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> q = landscapes.eigenmodes(dimensions=1, size=5, boundary="absorb")
    >>> bool(abs(q.exact(0.3)[[0, -1]] - q.values[[0, -1]]).max() < 1e-15)  # the ends are held
    True
    """
    grid = _grid(grid, 0.0, 1.0, size, boundary, dimensions)
    for axis in grid:
        if axis.boundary not in ("absorb", "periodic", "reflect"):
            raise UnsupportedError(
                f"axis {axis.name!r}: there are no eigenmodes on this boundary",
                given=repr(axis.boundary),
                allowed="'absorb', 'periodic', 'reflect'",
                advice="ramp, plateau and gaussians are exact on clip and zero",
            )
    count = _whole("modes", modes, 1)
    generator = np.random.default_rng(_whole("seed", seed, 0))
    amplitudes = generator.standard_normal(count + 1) / np.maximum(np.arange(count + 1), 1)
    numbers = np.stack([1 + generator.permutation(count) for _ in grid], axis=1)
    phases = generator.uniform(0.0, 2 * math.pi, numbers.shape)
    chords = []
    for axis in grid:
        lower, upper = _walls(axis)
        slope = 1.0 / (upper - lower) if axis.boundary == "absorb" else 0.0
        chords.append(_Polynomial(lower, ((-math.inf, math.inf, (1.0, slope)),)))
    terms = [_Term(float(amplitudes[0]), tuple(chords))]
    for amplitude, row, shifts in zip(amplitudes[1:].tolist(), numbers.tolist(), phases.tolist(), strict=True):
        terms.append(_Term(amplitude, tuple(map(_Eigenmode, row, shifts))))
    return _landscape(grid, "eigenmodes", terms, {"modes": count, "seed": int(seed)})


@landscapes.register("quadratic")
def quadratic(
    grid: Grid | None = None,
    *,
    size: int = 129,
    boundary: str = "clip",
    dimensions: int = 2,
    curvature: tuple[float, ...] = (1.0,),
    center: tuple[float, ...] = (0.0,),
) -> Landscape:
    """A quadratic, as of a linear system with quadratic cost: its argmax never drifts.

    Q(x) = -1/2 (x - c)^T A (x - c); in free space u = Q - 1/2 sum_i A_ii sigma_i^2. On the box edge values
    continue (``clip``), and u is the evolution of the clipped quadratic.

    Parameters
    ----------
    grid, size, boundary, dimensions
        Where to sample; without a grid, `size` nodes on [-4, 4] along each axis.
    curvature
        A: one number for a multiple of the identity, one per axis for a diagonal matrix, or a symmetric matrix, row
        after row.
    center
        c, one for all axes or one per axis.

    Returns
    -------
    landscape
        With the exact evolution, valid up to the edges on every boundary.

    Raises
    ------
    UnsupportedError
        For a matrix that is not symmetric, or parameters that are not finite or do not fit the grid.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> q = landscapes.quadratic(size=5, dimensions=1)
    >>> q.values
    array([-8., -2.,  0., -2., -8.])
    >>> q.exact(0.5)[2].round(6)  # -1/2 0.5**2
    np.float64(-0.125)
    """
    grid = _grid(grid, -4.0, 4.0, size, boundary, dimensions)
    d = grid.dimensions
    given = np.size(curvature)
    matrix = np.reshape(_numbers("curvature", curvature, d * d if given not in (1, d) else d), (-1, d))
    if len(matrix) == 1:
        matrix = np.diag(matrix[0])
    if not np.array_equal(matrix, matrix.T):
        raise UnsupportedError("curvature must be a symmetric matrix", given=curvature, advice="use (A + A^T) / 2")
    place = _numbers("center", center, d)
    # degree of each axis in the term A_ij (x_i - c_i)(x_j - c_j): its number among the two indices
    terms = [
        _Term(-0.5 * float(matrix[i, j]), tuple(_power(place[axis], (i, j).count(axis)) for axis in range(d)))
        for i in range(d)
        for j in range(d)
    ]
    return _landscape(grid, "quadratic", terms, {"curvature": matrix.ravel().tolist(), "center": place})


@landscapes.register("ramp")
def ramp(
    grid: Grid | None = None,
    *,
    size: int = 65,
    boundary: str = "clip",
    dimensions: int = 2,
    slopes: tuple[float, ...] = (1.0,),
) -> Landscape:
    """A linear landscape on a box that actions are clipped to: all that happens comes from the edges.

    Q(x) = sum_i slope_i x_i; with ``clip`` u = sum_i slope_i E[min(max(x_i + sigma_i Z, lower_i), upper_i)].

    Parameters
    ----------
    grid, size, boundary, dimensions
        Where to sample; without a grid, `size` nodes on [-1, 1] along each axis.
    slopes
        One for all axes or one per axis.

    Returns
    -------
    landscape
        With the exact evolution, valid up to the edges on every boundary.

    Raises
    ------
    UnsupportedError
        For parameters that are not finite or do not fit the grid.

    Examples
    --------
    At the upper edge half of the noise is clipped away, the other half costs sigma / sqrt(2 pi):

    >>> from heatpg import landscapes
    >>> landscapes.ramp(size=3, dimensions=1).exact(0.1).round(4)
    array([-0.9601,  0.    ,  0.9601])
    """
    grid = _grid(grid, -1.0, 1.0, size, boundary, dimensions)
    factors = _numbers("slopes", slopes, grid.dimensions)
    terms = _sum_over_axes([_power(0.0, 1, slope) for slope in factors])
    return _landscape(grid, "ramp", terms, {"slopes": factors})


@landscapes.register("plateau")
def plateau(
    grid: Grid | None = None,
    *,
    size: int = 65,
    boundary: str = "zero",
    dimensions: int = 2,
    height: float = 1.0,
) -> Landscape:
    """A constant on the whole box, nothing outside: the chance that the noise stays in the box.

    Q(x) = height; with ``zero`` u = height prod_i (Phi((upper_i - x_i) / sigma_i) - Phi((lower_i - x_i) / sigma_i)).
    On every other boundary it stays as it is.

    Parameters
    ----------
    grid, size, boundary, dimensions
        Where to sample; without a grid, `size` nodes on [-1, 1] along each axis.
    height
        The constant.

    Returns
    -------
    landscape
        With the exact evolution, valid up to the edges on every boundary.

    Raises
    ------
    UnsupportedError
        For a height that is not finite.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> landscapes.plateau(size=3, dimensions=1).exact(0.5).round(4)
    array([0.5   , 0.9545, 0.5   ])
    """
    grid = _grid(grid, -1.0, 1.0, size, boundary, dimensions)
    height = _number("height", height)
    return _landscape(grid, "plateau", [_Term(height, (_CONSTANT,) * grid.dimensions)], {"height": height})


@landscapes.register("step")
def step(
    grid: Grid | None = None,
    *,
    size: int = 257,
    boundary: str = "clip",
    dimensions: int = 1,
    position: float = 0.0,
    height: float = 1.0,
) -> Landscape:
    """A step (Heaviside) along the first axis: the cliff at which an episode ends.

    Q(x) = height for x_1 > position, half of it at the position, else 0; in free space and with ``clip``
    u = height Phi((x_1 - position) / sigma_1).

    Parameters
    ----------
    grid, size, boundary, dimensions
        Where to sample; without a grid, `size` nodes on [-4, 4] along each axis.
    position, height
        Of the step.

    Returns
    -------
    landscape
        With the exact evolution, valid up to the edges on every boundary.

    Raises
    ------
    UnsupportedError
        For parameters that are not finite.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> landscapes.step(size=5).exact(2.0).round(4)
    array([0.0228, 0.1587, 0.5   , 0.8413, 0.9772])
    """
    grid = _grid(grid, -4.0, 4.0, size, boundary, dimensions)
    position, height = _number("position", position), _number("height", height)
    cliff = _Polynomial(0.0, ((position, math.inf, (1.0,)),))
    terms = [_Term(height, (cliff, *[_CONSTANT] * (grid.dimensions - 1)))]
    return _landscape(grid, "step", terms, {"position": position, "height": height})


@landscapes.register("absolute_value")
def absolute_value(
    grid: Grid | None = None,
    *,
    size: int = 257,
    boundary: str = "clip",
    dimensions: int = 1,
    center: tuple[float, ...] = (0.0,),
) -> Landscape:
    """Kinks along every axis: Lipschitz, not differentiable.

    Q(x) = sum_i |x_i - c_i|; in free space u(c) = sqrt(2 / pi) sum_i sigma_i.

    Parameters
    ----------
    grid, size, boundary, dimensions
        Where to sample; without a grid, `size` nodes on [-4, 4] along each axis.
    center
        c, one for all axes or one per axis.

    Returns
    -------
    landscape
        With the exact evolution, valid up to the edges on every boundary.

    Raises
    ------
    UnsupportedError
        For parameters that are not finite or do not fit the grid.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> landscapes.absolute_value(size=5).exact(0.5).round(4)  # sqrt(2 / pi) 0.5 = 0.3989
    array([3.8005, 2.    , 0.3989, 2.    , 3.8005])
    """
    grid = _grid(grid, -4.0, 4.0, size, boundary, dimensions)
    place = _numbers("center", center, grid.dimensions)
    lines = [_Polynomial(c, ((-math.inf, c, (0.0, -1.0)), (c, math.inf, (0.0, 1.0)))) for c in place]
    return _landscape(grid, "absolute_value", _sum_over_axes(lines), {"center": place})


@landscapes.register("box")
def box(
    grid: Grid | None = None,
    *,
    size: int = 257,
    boundary: str = "clip",
    dimensions: int = 1,
    half_widths: tuple[float, ...] = (1.0,),
    center: tuple[float, ...] = (0.0,),
) -> Landscape:
    """A table with sharp edges (a boxcar function): reward for being close enough.

    Q(x) = 1 where |x_i - c_i| < w_i along every axis, else 0; in free space
    u = prod_i (Phi((x_i - c_i + w_i) / sigma_i) - Phi((x_i - c_i - w_i) / sigma_i)), of height
    prod_i (2 Phi(w_i / sigma_i) - 1).

    Parameters
    ----------
    grid, size, boundary, dimensions
        Where to sample; without a grid, `size` nodes on [-4, 4] along each axis.
    half_widths
        w, one for all axes or one per axis.
    center
        c, likewise.

    Returns
    -------
    landscape
        With the exact evolution, valid up to the edges on every boundary.

    Raises
    ------
    UnsupportedError
        For widths that are not positive, or parameters that are not finite or do not fit the grid.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> landscapes.box(size=9).exact(1.0)[4].round(4)  # 2 Phi(1) - 1
    np.float64(0.6827)
    """
    grid = _grid(grid, -4.0, 4.0, size, boundary, dimensions)
    widths = _numbers("half_widths", half_widths, grid.dimensions, positive=True)
    place = _numbers("center", center, grid.dimensions)
    lines = tuple(_Polynomial(0.0, ((c - w, c + w, (1.0,)),)) for c, w in zip(place, widths, strict=True))
    return _landscape(grid, "box", [_Term(1.0, lines)], {"half_widths": widths, "center": place})


@landscapes.register("gaussians")
def gaussians(
    grid: Grid | None = None,
    *,
    size: int = 129,
    boundary: str = "clip",
    heights: tuple[float, ...] = (1.0, 0.7),
    centers: tuple[float, ...] = (-1.0, 0.5, 1.5, -0.5),
    widths: tuple[float, ...] = (0.4, 0.8, 0.7, 0.5),
) -> Landscape:
    """A sum of Gaussians, any number in any dimension, each with its own width along each axis.

    Q(x) = sum_k h_k prod_i exp(-(x_i - c_ki)^2 / (2 w_ki^2)); in free space the widths become
    W_ki = sqrt(w_ki^2 + sigma_i^2) and the heights h_k prod_i w_ki / W_ki.

    Parameters
    ----------
    grid, size, boundary
        Where to sample; without a grid, `size` nodes on [-5, 5] along as many axes as the centers have coordinates.
    heights
        One per Gaussian; of either sign.
    centers
        Coordinates of the first Gaussian, then of the second, and so on.
    widths
        Standard deviations: one for all, one per Gaussian, or one per coordinate in the order of `centers`.

    Returns
    -------
    landscape
        With the exact evolution, valid up to the edges on every boundary.

    Raises
    ------
    UnsupportedError
        For widths that are not positive, or numbers that are not finite or do not fit each other or the grid.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> q = landscapes.gaussians(heights=(2.0,), centers=(0.0,), widths=(0.3,), size=11)
    >>> q.exact(0.4)[5].round(6)  # 2 * 0.3 / 0.5
    np.float64(1.2)
    """
    count = np.size(heights)
    if count == 0 or np.size(centers) == 0 or np.size(centers) % count:
        raise UnsupportedError(
            "centers does not fit heights",
            given=f"{np.size(centers)} coordinates for {count} Gaussians",
            allowed="the same number of coordinates for each Gaussian",
        )
    grid = _grid(grid, -5.0, 5.0, size, boundary, np.size(centers) // count)
    tops = _numbers("heights", heights, count)
    total = count * grid.dimensions
    if np.size(centers) != total:
        raise UnsupportedError(
            "centers does not fit the grid",
            given=f"{np.size(centers)} coordinates",
            allowed=f"{total}: {count} Gaussians, {grid.dimensions} axes",
        )
    places = _numbers("centers", centers, total)
    if np.size(widths) == count:
        widths = tuple(np.repeat(widths, grid.dimensions))
    spreads = _numbers("widths", widths, total, positive=True)
    parameters = {"heights": tops, "centers": places, "widths": spreads}
    rows = (count, grid.dimensions)
    return _gaussian_sum(grid, "gaussians", tops, np.reshape(places, rows), np.reshape(spreads, rows), parameters)


def _pair(grid: Grid, half_distance: float) -> list[list[float]]:
    """Points at -+half_distance along the first axis."""
    return [[sign * half_distance] + [0.0] * (grid.dimensions - 1) for sign in (-1.0, 1.0)]


@landscapes.register("two_bumps")
def two_bumps(
    grid: Grid | None = None,
    *,
    size: int = 129,
    boundary: str = "clip",
    dimensions: int = 1,
    half_distance: float = 1.0,
    width: float = 0.5,
) -> Landscape:
    """Two equal bumps: there are two maxima at every sigma below sigma_death, not one.

    Q(x) = exp(-|x - a|^2 / (2 w^2)) + exp(-|x + a|^2 / (2 w^2)), a along the first axis; in free space both maxima
    live until sigma_death^2 = |a|^2 - w^2, and become one there.

    Parameters
    ----------
    grid, size, boundary, dimensions
        Where to sample; without a grid, `size` nodes on [-4, 4] along each axis.
    half_distance
        |a|.
    width
        w, the standard deviation.

    Returns
    -------
    landscape
        With the exact evolution, valid up to the edges on every boundary.

    Raises
    ------
    UnsupportedError
        For parameters that are not positive and finite.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> q = landscapes.two_bumps(size=9)
    >>> int(q.exact(0.7).argmax()), int(q.exact(0.9).argmax())  # sigma_death = 0.866; the middle is node 4
    (3, 4)
    """
    grid = _grid(grid, -4.0, 4.0, size, boundary, dimensions)
    half_distance = _number("half_distance", half_distance, positive=True)
    width = _number("width", width, positive=True)
    parameters = {"half_distance": half_distance, "width": width}
    widths = np.full((2, grid.dimensions), width)
    return _gaussian_sum(grid, "two_bumps", (1.0, 1.0), _pair(grid, half_distance), widths, parameters)


@landscapes.register("unequal_bumps")
def unequal_bumps(
    grid: Grid | None = None,
    *,
    size: int = 161,
    boundary: str = "clip",
    dimensions: int = 1,
    heights: tuple[float, ...] = (0.6, 1.0),
    half_distance: float = 1.0,
    width: float = 0.3,
) -> Landscape:
    """A lower and a higher bump: ascent from the lower one, in (mu, sigma) too, stays there unless sigma is large.

    Q(x) = h_1 exp(-|x + a|^2 / (2 w^2)) + h_2 exp(-|x - a|^2 / (2 w^2)), a along the first axis. From mu = -1, joint
    ascent in (mu, sigma^2) ends at mu = -1, sigma -> 0 for sigma_0 = 0.3, 0.6 and 0.9; it escapes for sigma_0 = 1.2.

    Parameters
    ----------
    grid, size, boundary, dimensions
        Where to sample; without a grid, `size` nodes on [-4, 4] along each axis.
    heights
        h_1 at -a and h_2 at +a.
    half_distance
        |a|.
    width
        w, the standard deviation.

    Returns
    -------
    landscape
        With the exact evolution, valid up to the edges on every boundary.

    Raises
    ------
    UnsupportedError
        For a distance or width that is not positive, or heights that are not two finite numbers.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> q = landscapes.unequal_bumps()
    >>> q.values[60].round(4), q.values[100].round(4)
    (np.float64(0.6), np.float64(1.0))
    """
    grid = _grid(grid, -4.0, 4.0, size, boundary, dimensions)
    tops = _numbers("heights", heights, 2)
    half_distance = _number("half_distance", half_distance, positive=True)
    width = _number("width", width, positive=True)
    parameters = {"heights": tops, "half_distance": half_distance, "width": width}
    widths = np.full((2, grid.dimensions), width)
    return _gaussian_sum(grid, "unequal_bumps", tops, _pair(grid, half_distance), widths, parameters)


@landscapes.register("peak_and_hill")
def peak_and_hill(
    grid: Grid | None = None,
    *,
    size: int = 961,
    boundary: str = "clip",
    dimensions: int = 1,
    heights: tuple[float, ...] = (1.0, 0.8),
    widths: tuple[float, ...] = (0.05, 1.0),
    half_distance: float = 3.0,
) -> Landscape:
    """A high narrow peak and a low broad hill far away: at sigma_jump the argmax leaves the peak for the hill.

    Q(x) = h_1 exp(-|x + a|^2 / (2 w_1^2)) + h_2 exp(-|x - a|^2 / (2 w_2^2)), a along the first axis; far apart, with
    r = (h_1 / h_2)^(2/m) in m dimensions, sigma_jump^2 = w_1^2 w_2^2 (r - 1) / (w_2^2 - r w_1^2), if r > 1 and
    r w_1^2 < w_2^2.

    Parameters
    ----------
    grid, size, boundary, dimensions
        Where to sample; without a grid, `size` nodes on [-6, 6] along each axis.
    heights
        h_1 of the peak, at -a, and h_2 of the hill, at +a.
    widths
        w_1 and w_2, standard deviations.
    half_distance
        |a|.

    Returns
    -------
    landscape
        With the exact evolution, valid up to the edges on every boundary.

    Raises
    ------
    UnsupportedError
        For widths or a distance that are not positive, or not two finite heights and widths.

    Examples
    --------
    sigma_jump is 0.03757 here:

    >>> from heatpg import landscapes
    >>> q = landscapes.peak_and_hill()
    >>> [float(q.grid["x"].coordinates[q.exact(sigma).argmax()]) for sigma in (0.037, 0.038)]
    [-3.0, 3.0]
    """
    grid = _grid(grid, -6.0, 6.0, size, boundary, dimensions)
    tops = _numbers("heights", heights, 2)
    spreads = _numbers("widths", widths, 2, positive=True)
    half_distance = _number("half_distance", half_distance, positive=True)
    parameters = {"heights": tops, "widths": spreads, "half_distance": half_distance}
    rows = np.repeat(np.array(spreads)[:, np.newaxis], grid.dimensions, axis=1)
    return _gaussian_sum(grid, "peak_and_hill", tops, _pair(grid, half_distance), rows, parameters)


@landscapes.register("creation")
def creation(
    grid: Grid | None = None,
    *,
    size: int = 401,
    boundary: str = "clip",
) -> Landscape:
    """Smoothing that creates a maximum, which it cannot in one dimension: one maximum, then two, then one.

    Q(x, y) = G(0, 0; 1, 1) + 0.6 G(3, 0; 0.7, 0.7) + 0.9 G(1.3, 0; 0.9, 0.05), with
    G(a, b; v, w) = exp(-(x - a)^2 / (2 v^2) - (y - b)^2 / (2 w^2)). A thin bridge joins two hills; smoothing takes it
    away. In free space there is 1 maximum for sigma^2 < 0.0033125, there are 2 until 0.38048, and 1 after; at
    sigma^2 = 0.01 they are (0.28, 0), of height 1.1649, and (2.78, 0), of height 0.6870.

    Parameters
    ----------
    grid, size, boundary
        Where to sample, two axes; without a grid, `size` nodes on [-4, 6] and on [-3, 3].

    Returns
    -------
    landscape
        With the exact evolution, valid up to the edges on every boundary.

    Raises
    ------
    GridError
        For a grid that has not two axes.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> landscapes.creation(size=201).exact(0.1).max().round(4)  # 1.1649 between the nodes
    np.float64(1.1648)
    """
    if grid is None:
        grid = Grid(Axis("x", -4.0, 6.0, size, boundary=boundary), Axis("y", -3.0, 3.0, size, boundary=boundary))
    grid = _grid(grid, 0.0, 1.0, size, boundary, 2, at_least=2)
    if grid.dimensions != 2:
        raise GridError("this landscape has two dimensions", given=f"{grid.dimensions} axes", allowed="2")
    centers = [[0.0, 0.0], [3.0, 0.0], [1.3, 0.0]]
    widths = [[1.0, 1.0], [0.7, 0.7], [0.9, 0.05]]
    return _gaussian_sum(grid, "creation", (1.0, 0.6, 0.9), centers, widths, {})


@landscapes.register("ridge")
def ridge(
    grid: Grid | None = None,
    *,
    size: int = 201,
    boundary: str = "clip",
    dimensions: int = 2,
    width: float = 0.2,
) -> Landscape:
    """A ridge along the diagonal of the first two axes, as two rotors that must pull alike give.

    Q(u) = exp(-(u_1 - u_2)^2 / (2 w^2)); in free space u has w^2 + sigma_1^2 + sigma_2^2 in the place of w^2 and height
    sqrt(w^2 / (w^2 + sigma_1^2 + sigma_2^2)).

    Parameters
    ----------
    grid, size, boundary, dimensions
        Where to sample, at least two axes; without a grid, `size` nodes on [-1, 1] along each axis. Q does not
        change along the third axis and those after it.
    width
        w, the standard deviation in u_1 - u_2.

    Returns
    -------
    landscape
        With the exact evolution, valid up to the edges on every boundary.

    Raises
    ------
    GridError
        For a grid of one axis.
    UnsupportedError
        For a width that is not positive and finite.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> landscapes.ridge(size=21).exact(0.1)[10, 10].round(6)  # sqrt(0.04 / (0.04 + 2 * 0.01))
    np.float64(0.816497)
    """
    grid = _grid(grid, -1.0, 1.0, size, boundary, dimensions, at_least=2)
    width = _number("width", width, positive=True)
    # The ridge is a row of round bumps: integral over s of exp(-(u_1 - s)^2 / w^2 - (u_2 - s)^2 / w^2) ds
    # = w sqrt(pi / 2) exp(-(u_1 - u_2)^2 / (2 w^2)). In s the integrand is a Gaussian of deviation w / 2, for which
    # the trapezoid rule with step w / 3 is off by 2 exp(-2 pi^2 9 / 4) = 1e-19.
    increment = width / 3
    first = (grid[0].lower + grid[1].lower) / 2 - _REACH * width / 2
    last = (grid[0].upper + grid[1].upper) / 2 + _REACH * width / 2
    amplitude = increment / (width * math.sqrt(math.pi / 2))
    rest = (_CONSTANT,) * (grid.dimensions - 2)
    terms = []
    for k in range(math.ceil((last - first) / increment) + 1):
        bump = _Gaussian(first + k * increment, width / math.sqrt(2))
        terms.append(_Term(amplitude, (bump, bump, *rest)))
    return _landscape(grid, "ridge", terms, {"width": width})


@landscapes.register("weierstrass")
def weierstrass(
    grid: Grid | None = None,
    *,
    size: int = 1024,
    boundary: str = "periodic",
    dimensions: int = 1,
    exponent: float = 0.4,
    base: int = 2,
    terms: int = 9,
    directions: int = 8,
    seed: int = 0,
) -> Landscape:
    """A fractal landscape of known roughness: Hölder exponent p, nowhere differentiable in the limit of many terms.

    Q(x) = sum_j b^(-p j) cos(b^j x + phase_j), j = 0, ..., terms - 1; u: each term times exp(-b^(2 j) sigma^2 / 2). In
    more dimensions the cosine of each j becomes sum_e cos(k . x + phase) / sqrt(directions) over random directions e,
    where k is b^j e rounded to whole numbers: so it fits on the torus, and each term decays as
    exp(-sum_i k_i^2 sigma_i^2 / 2). Along an axis of length L wavenumbers count in units of 2 pi / L.

    Parameters
    ----------
    grid, size, boundary, dimensions
        Where to sample; without a grid, `size` nodes on [0, 2 pi] along each axis.
    exponent
        p, above 0 and at most 1.
    base
        b, a whole number from 2.
    terms
        Number of scales. The landscape is rough on scales between b^-terms and 1 of the box, smooth below.
    directions
        Random directions per scale; in one dimension there is but one.
    seed
        Of the phases and directions.

    Returns
    -------
    landscape
        With the exact evolution, valid up to the edges on every boundary.

    Raises
    ------
    UnsupportedError
        For a parameter out of range, or a wave that the grid is too coarse for.

    References
    ----------
    G. H. Hardy, Weierstrass's non-differentiable function, Trans. Amer. Math. Soc. 17 (1916) 301-325,
    doi:10.2307/1989005. On fractal policy landscapes: T. Wang, S. Herbert, S. Gao, arXiv:2310.15418 (NeurIPS 2023)
    and arXiv:2405.17832 (ICML 2024).

    Examples
    --------
    >>> from heatpg import landscapes
    >>> q = landscapes.weierstrass(exponent=0.5, terms=3, size=64)
    >>> float(q.exact(10.0).max()) < 1e-20  # all waves have died, none is constant
    True
    """
    grid = _grid(grid, 0.0, 2 * math.pi, size, boundary, dimensions)
    exponent = _number("exponent", exponent, positive=True)
    if exponent > 1:
        raise UnsupportedError("exponent is out of range", given=exponent, allowed="above 0, at most 1")
    base, terms, directions = _whole("base", base, 2), _whole("terms", terms, 1), _whole("directions", directions, 1)
    highest, limit = base ** (terms - 1), (min(grid.shape) - 1) // 2
    if highest > limit:
        raise UnsupportedError(
            "the grid is too coarse for the finest wave",
            given=f"{base}^{terms - 1} = {highest} waves on {min(grid.shape)} nodes",
            allowed=f"at most {limit}",
            advice="take fewer terms or more nodes",
        )
    generator = np.random.default_rng(_whole("seed", seed, 0))
    per_scale = 1 if grid.dimensions == 1 else directions
    waves = []
    for j in range(terms):
        for vector in _integer_directions(generator, grid.dimensions, per_scale, base**j):
            angle = generator.uniform(0.0, 2 * math.pi)
            amplitude = base ** (-exponent * j) / math.sqrt(per_scale) * complex(math.cos(angle), math.sin(angle))
            lines = (_Wave(2 * math.pi * number / axis.length) for number, axis in zip(vector, grid, strict=True))
            waves.append(_Term(amplitude, tuple(lines)))
    parameters = {"exponent": exponent, "base": base, "terms": terms, "directions": directions, "seed": int(seed)}
    return _landscape(grid, "weierstrass", waves, parameters)


def _integer_directions(generator: np.random.Generator, dimensions: int, count: int, radius: int) -> list[list[int]]:
    """Whole-number vectors of about this length in random directions; in one dimension exactly the radius."""
    if dimensions == 1:
        return [[radius]] * count
    vectors = generator.standard_normal((count, dimensions))
    vectors *= radius / np.linalg.norm(vectors, axis=1, keepdims=True)
    whole = np.rint(vectors).astype(np.int64)
    # a short vector in many dimensions may round to 0, which would be no wave: keep its largest component
    for row in np.flatnonzero(~whole.any(axis=1)):
        largest = int(np.argmax(np.abs(vectors[row])))
        whole[row, largest] = int(np.sign(vectors[row, largest]))
    result: list[list[int]] = whole.tolist()
    return result
