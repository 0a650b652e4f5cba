"""Width of an optimum, attenuation of peaks and ridges by noise, and the noise that preserves them best."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.sense import sense_of
from heatpg.errors import OptionError, SigmaError, UnsupportedError
from heatpg.scalespace.tracks import ScaleSpace
from heatpg.tools.arguments import real_number, whole_number
from heatpg.tools.calls import checked_call
from heatpg.tools.plain import fields_as_dict

__all__ = ["Shape", "optimum_shape", "sigma_of_survival", "sparing_covariance", "sparing_sigmas", "survival"]

Array = NDArray[Any]

_MOST_AXES = 10**6  # directions in which a feature may be narrow: more than the parameters of a policy that is seen so


@checked_call()
def survival(sigma: ArrayLike, width: ArrayLike, codimension: int = 1) -> NDArray[np.float64]:
    """Retained height of a Gaussian feature under noise: (w^2 / (w^2 + sigma^2))^(c/2).

    Parameters
    ----------
    sigma
        Noise level.
    width
        Standard deviation w of the feature across itself.
    codimension
        c: in how many directions the feature is narrow; 1 for a ridge, the dimension for a peak.

    Returns
    -------
    fraction
        Between 0 and 1, shape of sigma and width together.

    Raises
    ------
    SigmaError, OptionError
        For a negative sigma, or a width or a codimension that is not positive.

    Examples
    --------
    >>> from heatpg.scalespace import survival
    >>> survival(1.0, 1.0, codimension=2).item()
    0.5
    """
    deviations, widths = np.asarray(sigma, dtype=np.float64), np.asarray(width, dtype=np.float64)
    if not np.isfinite(deviations).all() or (deviations < 0).any():
        raise SigmaError("sigma must be finite and not negative", given=sigma, allowed="numbers >= 0")
    _require_feature(widths, codimension)
    # variances add, and the integral of the feature stays: in each narrow direction the height falls by w / w_new
    return np.asarray((widths**2 / (widths**2 + deviations**2)) ** (codimension / 2))


@checked_call()
def sigma_of_survival(fraction: float, width: float, codimension: int = 1) -> float:
    """Noise level at which a fraction q of a Gaussian feature remains: sigma = w sqrt(q^(-2/c) - 1).

    Parameters
    ----------
    fraction
        q, above 0 and at most 1.
    width, codimension
        As for `survival`.

    Raises
    ------
    OptionError
        For a fraction, a width or a codimension out of range.

    Examples
    --------
    >>> from heatpg.scalespace import sigma_of_survival
    >>> round(sigma_of_survival(0.5, width=1.0), 6)  # a ridge of width 1 has lost half of its height at sqrt(3)
    1.732051
    """
    if not 0 < fraction <= 1:
        raise OptionError("the surviving fraction is out of range", given=fraction, allowed="0 to 1")
    _require_feature(np.asarray(width, dtype=np.float64), codimension)
    return float(width * math.sqrt(fraction ** (-2.0 / codimension) - 1.0))


def _require_feature(widths: Array, codimension: int) -> None:
    if not np.isfinite(widths).all() or (widths <= 0).any():
        raise OptionError("the width of a feature must be positive", given=widths.tolist(), allowed="numbers > 0")
    whole_number("the codimension", codimension, most=_MOST_AXES)


@dataclasses.dataclass(frozen=True, eq=False)
class Shape:
    """Width and orientation of an optimum, from its Hessian.

    Attributes
    ----------
    position, value
        Location of the maximum, shape (dimensions,), and u there.
    base
        Reference level of its height.
    curvatures
        -eigenvalues of the Hessian, descending: the narrowest direction first, shape (dimensions,).
    directions
        Unit vectors of these, one per row, shape (dimensions, dimensions).
    widths
        sqrt((value - base) / curvature): the standard deviations of the Gaussian of this height and this Hessian.
    """

    position: NDArray[np.float64]
    value: float
    base: float
    curvatures: NDArray[np.float64]
    directions: NDArray[np.float64]
    widths: NDArray[np.float64]

    @property
    def precision(self) -> NDArray[np.float64]:
        """Inverse covariance of that Gaussian, -H / (value - base), shape (dimensions, dimensions)."""
        return np.asarray((self.directions.T / self.widths**2) @ self.directions)

    def survival(self, covariance: ArrayLike) -> float:
        """Retained height under noise of this covariance: det(I + Sigma P)^(-1/2), P the precision.

        Parameters
        ----------
        covariance
            A matrix, a vector of variances along the axes, or one variance.

        Raises
        ------
        SigmaError
            If it has the wrong shape or is not finite.
        """
        d = len(self.widths)
        matrix = np.asarray(covariance, dtype=np.float64)
        if matrix.ndim < 2 and matrix.size in (1, d):
            matrix = np.diag(np.broadcast_to(matrix, (d,)))
        if matrix.shape != (d, d) or not np.isfinite(matrix).all():
            raise SigmaError("the covariance has the wrong shape", given=f"shape {matrix.shape}", allowed=f"({d}, {d})")
        # a Gaussian of covariance P^-1 mollified by Sigma: the square root of det P^-1 / det(P^-1 + Sigma)
        return float(np.linalg.det(np.eye(d) + matrix @ self.precision) ** -0.5)

    def __str__(self) -> str:
        place = ", ".join(f"{x:.4g}" for x in self.position)
        parts = [
            f"{w:.3g} along ({', '.join(f'{x:.2f}' for x in v)})"
            for w, v in zip(self.widths, self.directions, strict=True)
        ]
        # of a loss the optimum lies below its base
        kind = sense_of(self.value < self.base).extremum
        return f"{kind} at ({place}), width {' and '.join(parts)}"

    def as_dict(self) -> dict[str, Any]:
        """The shape as JSON-like values."""
        return fields_as_dict(self)


@checked_call()
def optimum_shape(space: ScaleSpace, level: int = 0, *, base: float | None = None) -> Shape:
    """Width and orientation of the global maximum at one level: the eigenvectors of its Hessian.

    Parameters
    ----------
    space
        Result of `track`.
    level
        Index of the noise level.
    base
        Reference level of the height; by default the mean of Q over the box.

    Raises
    ------
    UnsupportedError
        If the optimum lies on an edge, a ridge or a plateau, where the Hessian does not describe it, or lies below the
        base.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape, evolve
    >>> from heatpg.scalespace import optimum_shape, track
    >>> grid = Grid(*(Axis(name, -3.0, 3.0, 121, boundary="clip") for name in "xy"))
    >>> ridge = lambda x, y: np.exp(-((x - y) ** 2) / 0.5 - (x + y) ** 2 / 8)
    >>> space = track(evolve(Landscape.from_function(ridge, grid), [0.0, 0.3]), "maximum")
    >>> shape = optimum_shape(space, base=0.0)
    >>> shape.widths.round(4), np.abs(shape.directions).round(4)
    (array([0.3536, 1.4142]), array([[0.7071, 0.7071],
           [0.7071, 0.7071]]))
    """
    # held by an edge it has a slope, and on a ridge or plateau no track: neither is described by a Hessian
    count = len(space.optimum)
    level = whole_number("the level", level, least=-count, most=count - 1)
    number = int(space.optimum[level])
    if number < 0 or space.tracks[number].on_edge:
        where = "on an edge of the box" if number >= 0 else f"on a {space.sense.ridge} or a plateau"
        raise UnsupportedError(
            f"the optimum at sigma = {space.sigma[level]:g} lies {where} and so has no width",
            advice="enlarge the box, or use a sigma at which the optimum is inside",
        )
    value = float(space.optimum_values[level])
    pure, problem, units = space.pure, space.pure.problem, space.pure.problem.units
    below = problem.mean if base is None else float(units.pure_values(base))
    height = float(pure.optimum.values[level]) - below
    if not height > 0:
        beyond = "is not below" if units.sense.minimise else "is not above"
        given = f"{value:g}, base {float(units.values(below)):g}"
        raise UnsupportedError(f"the optimum {beyond} its base", given=given, advice="pass another base")
    sigmas = pure.history.sigmas(float(pure.history.times[level]))
    hessian = problem.field.hessian(pure.optimum.positions[[level]], sigmas)[0]
    # All lengths in one unit, as the axes are in theirs: then the directions of the eigenvectors are those of the box.
    unit = int(units.exponents.max())
    lengths = np.ldexp(1.0, unit - units.exponents)
    # ascending eigenvalues of H are descending curvatures; at a maximum all are positive
    eigenvalues, vectors = np.linalg.eigh(hessian * lengths[:, None] * lengths)
    return Shape(
        space.optimum_positions[level],
        value,
        float(units.values(below)) if base is None else base,
        np.ldexp(-eigenvalues, units.exponent - 2 * unit),
        vectors.T,
        np.ldexp(np.sqrt(height / -eigenvalues), unit),
    )


@checked_call()
def sparing_covariance(shape: Shape, sigma: float) -> NDArray[np.float64]:
    """The noise of the same entropy as N(0, sigma^2 I) that best preserves a peak or a ridge: Sigma ~ P^-1.

    Among covariances of one determinant, det(I + Sigma P)^(-1/2) is largest where Sigma P is a multiple of I (by the
    inequality between the means of its eigenvalues): the optimal noise has the shape of the optimum.

    Parameters
    ----------
    shape
        Result of `optimum_shape`.
    sigma
        The isotropic noise level to replace.

    Returns
    -------
    covariance
        For `heatpg.evolve(..., covariance=...)`, shape (dimensions, dimensions).

    Raises
    ------
    SigmaError
        For a sigma that is not finite and positive.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.scalespace import Shape, sparing_covariance
    >>> shape = Shape(np.zeros(2), 1.0, 0.0, np.array([100.0, 1.0]), np.eye(2), np.array([0.1, 1.0]))
    >>> covariance = sparing_covariance(shape, 0.2)
    >>> covariance.round(3).tolist(), round(shape.survival(covariance), 3), round(shape.survival(0.04), 3)
    ([[0.004, 0.0], [0.0, 0.4]], 0.714, 0.439)
    """
    _require_positive(sigma)
    # axes of the optimum, widths scaled to a geometric mean of sigma: det = sigma^(2 d)
    scale = sigma / float(np.exp(np.log(shape.widths).mean()))
    return np.asarray((shape.directions.T * (scale * shape.widths) ** 2) @ shape.directions)


@checked_call()
def sparing_sigmas(shape: Shape, sigma: float) -> NDArray[np.float64]:
    """The same for independent noise: one sigma per axis, with product sigma^d, that best preserves the optimum.

    log det(I + S P) is convex in the logarithms of the variances S = diag(sigma_i^2), so there is one minimum.

    Parameters
    ----------
    shape
        Result of `optimum_shape`.
    sigma
        The isotropic noise level to replace.

    Returns
    -------
    sigmas
        For `heatpg.evolve(..., sigma=...)`, shape (dimensions,).

    Raises
    ------
    SigmaError
        For a sigma that is not finite and positive.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.scalespace import Shape, sparing_sigmas
    >>> shape = Shape(np.zeros(2), 1.0, 0.0, np.array([100.0, 1.0]), np.eye(2), np.array([0.1, 1.0]))
    >>> sparing_sigmas(shape, 0.2).round(3)
    array([0.063, 0.632])
    """
    from scipy.optimize import minimize

    _require_positive(sigma)
    d = len(shape.widths)
    precision = shape.precision
    total = d * math.log(sigma)

    def loss(free: Array) -> tuple[float, Array]:
        # the logarithms of all sigmas but the last, which follows from the product
        logs = np.append(free, total - free.sum())
        matrix = np.eye(d) + np.exp(2.0 * logs)[:, None] * precision
        # d/dlog sigma_i of log det(I + S P) = 2 (1 - ((I + S P)^-1)_ii)
        slope = 2.0 * (1.0 - np.diag(np.linalg.inv(matrix)))
        return float(np.linalg.slogdet(matrix)[1]), slope[:-1] - slope[-1]

    if d == 1:
        return np.array([float(sigma)])
    # where P is diagonal the noise has the shape of the optimum: sigma_i ~ P_ii^(-1/2)
    start = -0.5 * np.log(np.diag(precision))
    start += (total - start.sum()) / d
    found = minimize(loss, start[:-1], jac=True, method="BFGS", options={"gtol": 1e-12})
    return np.asarray(np.exp(np.append(found.x, total - found.x.sum())))


def _require_positive(sigma: float) -> None:
    if not (math.isfinite(real_number("sigma", sigma, SigmaError)) and sigma > 0):
        raise SigmaError("sigma must be finite and positive", given=sigma, allowed="numbers > 0")
