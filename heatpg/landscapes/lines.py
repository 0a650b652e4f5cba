"""Functions of one coordinate with a known heat flow, and sums of their products.

A function needs one formula, its mean over a Gaussian between the two walls, E[f(x + sigma Z); lower < x + sigma Z <
upper]. Each boundary then adds its own: nothing (zero), the edge values (clip), or the mirror images (periodic,
reflect, absorb). `heatpg.landscapes.analytic` makes landscapes of them.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis, Grid
from heatpg.tools.sums import product as matrix_product

__all__ = [
    "BOUNDARIES",
    "CONSTANT",
    "REACH",
    "BoundedLine",
    "Eigenmode",
    "Gaussian",
    "Line",
    "Polynomial",
    "Superposition",
    "Term",
    "Wave",
    "integer_directions",
    "power",
    "sum_over_axes",
]

BOUNDARIES = frozenset({"absorb", "clip", "periodic", "reflect", "zero"})
REACH = 9.0  # standard deviations after which a Gaussian tail (1e-19) is below rounding


class Line(ABC):
    """A function of one coordinate that knows its heat flow along an axis."""

    @abstractmethod
    def evolved(self, axis: Axis, sigma: float) -> NDArray[Any]:
        """The function after noise sigma, at the nodes of the axis."""


class BoundedLine(Line):
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
        lower, upper = axis.lower, axis.upper
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
            chord = Polynomial(lower, ((-math.inf, math.inf, (low, (high - low) / (upper - lower))),))
            held = chord.at(x) - chord._mirror_images(x, sigma, lower, upper, -1.0)
            return np.asarray(held + self._mirror_images(x, sigma, lower, upper, -1.0))

    def _images(self, x: NDArray[np.float64], sigma: float, lower: float, upper: float, period: float) -> NDArray[Any]:
        """Sum of `inside` over all x - n period."""
        # beyond two periods every mode is below exp(-2 pi^2 4) = 1e-34: more noise changes nothing
        enough = min(sigma, 2 * period)
        # images within reach of the noise, and one more because x may lie anywhere in the period
        count = math.ceil(REACH * enough / period) + 1
        shifts = period * np.arange(-count, count + 1)
        return np.asarray(self.inside(x[:, np.newaxis] - shifts, enough, lower, upper).sum(axis=1))

    def _mirror_images(
        self, x: NDArray[np.float64], sigma: float, lower: float, upper: float, sign: float
    ) -> NDArray[Any]:
        """Images of an even (sign 1) or odd (sign -1) continuation about both walls."""
        period = 2 * (upper - lower)
        # a line between two mirrors repeats after twice its length, and its mirror image about the lower wall as well
        direct = self._images(x, sigma, lower, upper, period)
        return np.asarray(direct + sign * self._images(2 * lower - x, sigma, lower, upper, period))


@dataclasses.dataclass(frozen=True)
class Polynomial(BoundedLine):
    """Pieces (from, to, (c0, c1, c2)) of c0 + c1 (x - origin) + c2 (x - origin)^2, and zero elsewhere."""

    origin: float
    pieces: tuple[tuple[float, float, tuple[complex, ...]], ...]

    def at(self, x: NDArray[np.float64]) -> NDArray[Any]:
        result: NDArray[Any] = np.zeros(x.shape)
        for start, stop, coefficients in self.pieces:
            # 1 inside the piece, 1/2 on its ends, so that pieces that meet add up to 1 there
            share = _after(x, start) - _after(x, stop)
            result = result + share * sum(c * (x - self.origin) ** n for n, c in enumerate(coefficients))
        return result

    def inside(self, x: NDArray[np.float64], sigma: float, lower: float, upper: float) -> NDArray[Any]:
        result: NDArray[Any] = np.zeros(x.shape)
        for start, stop, coefficients in self.pieces:
            # only the part of the piece between the walls is the function itself
            below, above = max(start, lower) - self.origin, min(stop, upper) - self.origin
            if below < above:
                # moments about the origin of the polynomial: no powers of large coordinates that cancel
                moments = _gaussian_moments(x - self.origin, sigma, below, above)
                result = result + sum(c * moment for c, moment in zip(coefficients, moments, strict=False))
        return result


@dataclasses.dataclass(frozen=True)
class Gaussian(BoundedLine):
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
class Wave(BoundedLine):
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
        # whole waves on a period need no images: they decay as in free space
        turns = self.wavenumber * axis.length / (2 * math.pi)
        if axis.boundary == "periodic" and abs(turns - round(turns)) <= 1e-12 * max(1.0, abs(turns)):
            return self.at(axis.coordinates) * math.exp(-0.5 * (self.wavenumber * sigma) ** 2)
        return super().evolved(axis, sigma)


@dataclasses.dataclass(frozen=True)
class Eigenmode(Line):
    """The eigenfunction of this number on a periodic, reflecting or absorbing axis."""

    number: int
    phase: float

    def evolved(self, axis: Axis, sigma: float) -> NDArray[Any]:
        lower, upper = axis.lower, axis.upper
        # walls hold half waves, a period whole ones
        half_turns = 2 * self.number if axis.boundary == "periodic" else self.number
        wavenumber = half_turns * math.pi / (upper - lower)
        angle = wavenumber * (axis.coordinates - lower)
        if axis.boundary == "periodic":
            shape = np.cos(angle + self.phase)
        else:
            shape = np.cos(angle) if axis.boundary == "reflect" else np.sin(angle)
        return np.asarray(shape * math.exp(-0.5 * (wavenumber * sigma) ** 2))


CONSTANT = Polynomial(0.0, ((-math.inf, math.inf, (1.0,)),))


def power(origin: float, degree: int, factor: float = 1.0) -> Polynomial:
    """factor * (x - origin)^degree."""
    return Polynomial(origin, ((-math.inf, math.inf, (0.0,) * degree + (factor,)),))


def _after(x: NDArray[np.float64], place: float) -> NDArray[np.float64]:
    """1 after the place, 0 before it, 1/2 on it, where a node counts that misses it by rounding."""
    distance = x - place
    rounding = 8 * np.finfo(np.float64).eps * float(np.abs(x).max())
    return np.where(np.abs(distance) <= rounding, 0.5, np.where(distance > 0, 1.0, 0.0))


def _gaussian_moments(
    x: NDArray[np.float64], sigma: float, lower: float, upper: float
) -> tuple[NDArray[np.float64], ...]:
    """E[Y^n; lower < Y < upper] for Y = x + sigma Z and n = 0, 1, 2."""
    from scipy.special import ndtr

    def density(wall: float) -> NDArray[np.float64]:
        return np.asarray(np.exp(-0.5 * ((wall - x) / sigma) ** 2) / math.sqrt(2 * math.pi))

    at_lower, at_upper = density(lower), density(upper)
    zeroth = ndtr((upper - x) / sigma) - ndtr((lower - x) / sigma)
    # by parts: the density is its own derivative but for a factor
    first = x * zeroth + sigma * (at_lower - at_upper)
    second = (x**2 + sigma**2) * zeroth + sigma * ((x + lower) * at_lower - (x + upper) * at_upper)
    return zeroth, first, second


@dataclasses.dataclass(frozen=True)
class Term:
    """amplitude * prod_i lines[i](x_i)."""

    amplitude: complex
    lines: tuple[Line, ...]


def sum_over_axes(lines: Sequence[Line]) -> list[Term]:
    """f_1(x_1) + f_2(x_2) + ..., each times the constant 1 along the other axes."""
    return [Term(1.0, tuple(line if j == i else CONSTANT for j in range(len(lines)))) for i, line in enumerate(lines)]


@dataclasses.dataclass(frozen=True)
class Superposition:
    """Real part of a sum of terms, evolved along each axis; an object and no closure, so that it can be pickled."""

    grid: Grid
    terms: tuple[Term, ...]

    def __call__(self, sigmas: tuple[float, ...]) -> NDArray[np.float64]:
        # One axis at a time, all terms at once: shape (terms, nodes so far). The last axis sums over the terms in one
        # product of matrices, so the field is held once and not once per term.
        product = np.array([term.amplitude for term in self.terms])[:, np.newaxis]
        last = self.grid.dimensions - 1
        for i, (axis, sigma) in enumerate(zip(self.grid, sigmas, strict=True)):
            # lines that several terms share are evolved once: they are values, and hash as such
            evolved = {line: line.evolved(axis, sigma) for line in {term.lines[i] for term in self.terms}}
            factor = np.stack([evolved[term.lines[i]] for term in self.terms])
            if i == last:
                # Re(a b) = Re(a) Re(b) - Im(a) Im(b), as one product of real matrices
                left, right = np.concatenate((product.real, -product.imag)), np.concatenate((factor.real, factor.imag))
                return matrix_product(left.T, right).reshape(self.grid.shape)
            product = (product[:, :, np.newaxis] * factor[:, np.newaxis, :]).reshape(len(self.terms), -1)
        raise AssertionError("a grid has at least one axis")


def integer_directions(generator: np.random.Generator, dimensions: int, count: int, radius: int) -> list[list[int]]:
    """Waves of a torus: whole-number vectors of about this length, in random directions; in one dimension exactly."""
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
