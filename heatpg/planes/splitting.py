"""Noise in all components, split into a part in the plane that is solved and an independent rest that is drawn.

Of noise e of covariance Sigma and a plane with the directions B (components x axes) the part a = A B^T Sigma^-1 e, with
A = (B^T Sigma^-1 B)^-1, has the covariance A, and e - B a is independent of it. The obvious split, by the orthogonal
projection, is wrong wherever the plane is not invariant under Sigma.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.errors import OptionError
from heatpg.tools.arrays import real_numbers
from heatpg.tools.calls import checked_call

__all__ = ["Split", "Splitting", "split_noise"]

Array = NDArray[np.float64]

_ROUND_OFF = 1e-10  # of eigenvalues of a matrix that is positive but for rounding


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """One draw of noise of unit size.

    Attributes
    ----------
    along
        How far it leads along the axes, in their units, shape (d,): what boundaries of the axes act on.
    across
        The rest, in all components, shape (components,).
    left
        What is left of `along` where the part that is solved is taken away; independent of that, as `across` is.
    """

    along: Array
    across: Array
    left: Array


class Splitting:
    """How noise of sigma = 1 is split; made by `split_noise`.

    Attributes
    ----------
    in_plane
        A, the covariance of the noise in the plane, in the units of the axes, shape (d, d).
    solved
        The diagonal covariance that is solved axis by axis: the diagonal of A, or of a full A the largest multiple of
        it that leaves a covariance to be drawn; shape (d,).
    kind
        ``isotropic``, ``diagonal`` or ``full``.
    along
        Variance of all noise along each axis, shape (d,): at least that in the plane, as other components lead along
        the axes where they are correlated.
    left
        Share of it that is not solved, but drawn.
    """

    def __init__(self, basis: Array, factor: Array | float, inverse_times_basis: Array, kind: str) -> None:
        self.kind = kind
        self._basis = basis
        self._factor = factor
        self._weighted = inverse_times_basis  # B^T Sigma^-1, shape (d, components)
        self._coordinates = np.linalg.pinv(basis)  # of noise along the axes, shape (components, d)
        precision = inverse_times_basis @ basis.T
        inverse: Any = np.linalg.inv(0.5 * (precision + precision.T))
        self.in_plane: Array = inverse
        deviations = np.sqrt(np.diag(self.in_plane))
        least = float(np.linalg.eigvalsh(self.in_plane / deviations / deviations[:, None])[0])
        # axes that are not correlated are solved whole
        share = 1.0 if least > 1.0 - _ROUND_OFF else least
        self.solved: Array = share * deviations**2
        left = np.diag(self.solved) - self.solved[:, None] * np.linalg.solve(self.in_plane, np.diag(self.solved))
        values, vectors = np.linalg.eigh(0.5 * (left + left.T))
        self._extra: Array = vectors * np.sqrt(np.where(values > _ROUND_OFF * self.solved.max(), values, 0.0))
        matrix = isinstance(factor, np.ndarray) and factor.ndim == 2
        scaled = np.asarray(self._coordinates.T @ factor if matrix else self._coordinates.T * factor)
        self.along: Array = (scaled**2).sum(axis=1)
        shares = 1.0 - self.solved / self.along
        self.left: Array = np.where(shares > _ROUND_OFF, shares, 0.0)

    @property
    def components(self) -> int:
        """Components of the noise."""
        return int(self._basis.shape[1])

    def draw(self, normal: Array, extra: Array) -> Split:
        """The noise of independent standard normal numbers.

        Parameters
        ----------
        normal
            Shape (components,).
        extra
            Shape (d,): what the part that is solved is drawn with, where it is not all of the noise in the plane.
        """
        matrix = isinstance(self._factor, np.ndarray) and self._factor.ndim == 2
        whole = self._factor @ normal if matrix else self._factor * normal
        # a, whose rest e - B a is independent of it, and has a part along the axes where the noise is correlated
        independent = self.in_plane @ (self._weighted @ whole)
        along = independent if self.kind == "isotropic" else whole @ self._coordinates
        # D A^-1 a + extra has the covariance D, and what it leaves of all noise is independent of it
        solved = self.solved * np.linalg.solve(self.in_plane, independent) + self._extra @ extra
        left = along - solved if self._extra.any() or self.kind != "isotropic" else np.zeros(len(along))
        return Split(along, np.asarray(whole - along @ self._basis), left)


@checked_call()
def split_noise(basis: ArrayLike, covariance: ArrayLike | None = None) -> Splitting:
    """How noise in all components is split for a plane.

    Parameters
    ----------
    basis
        What one unit along each axis is in all components, shape (d, components).
    covariance
        Of the noise at sigma = 1: None for the identity, one variance per component, or a full matrix.

    Raises
    ------
    OptionError
        For another shape, directions that depend on each other, or a matrix that is not symmetric and positive
        definite.

    Examples
    --------
    >>> from heatpg.planes.splitting import split_noise
    >>> split_noise([[1.0, 0.0]], [[1.0, 0.5], [0.5, 1.0]]).in_plane.round(12)
    array([[0.75]])
    """
    along = np.atleast_2d(real_numbers("the basis", basis))
    if along.ndim != 2 or not np.isfinite(along).all() or np.linalg.matrix_rank(along) < len(along):
        raise OptionError(
            "the basis must be independent directions",
            given=f"shape {along.shape}"
            if along.ndim != 2 or np.isfinite(along).all()
            else "numbers that are not finite",
            allowed="finite rows of shape (axes, components), none a sum of multiples of the others",
        )
    count = along.shape[1]
    if covariance is None:
        return Splitting(along, 1.0, along, "isotropic")
    given: Any = real_numbers("the covariance", covariance)
    allowed = f"{count} variances, or a matrix of shape ({count}, {count})"
    if given.shape not in ((count,), (count, count)):
        raise OptionError("the covariance has the wrong shape", given=f"shape {given.shape}", allowed=allowed)
    if given.ndim == 1:
        if not (np.isfinite(given).all() and (given > 0).all()):
            raise OptionError("variances must be positive", given=given.tolist(), allowed=allowed)
        return Splitting(along, np.sqrt(given), along / given, "diagonal")
    scale = np.abs(given).max() if np.isfinite(given).all() else np.nan
    if not np.abs(given - given.T).max() <= _ROUND_OFF * scale:
        raise OptionError(
            "the covariance must be symmetric", given=f"shape {given.shape}", allowed="a symmetric matrix"
        )
    try:
        factor = np.linalg.cholesky(0.5 * (given + given.T))
    except np.linalg.LinAlgError:
        raise OptionError(
            "the covariance must be positive definite",
            given=f"smallest eigenvalue {np.linalg.eigvalsh(given)[0]:.3g}",
            allowed="a positive definite matrix",
        ) from None
    return Splitting(along, factor, np.linalg.solve(0.5 * (given + given.T), along.T).T, "full")
