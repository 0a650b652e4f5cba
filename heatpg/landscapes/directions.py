"""Directions in the parameter space of a policy: random, filter-normalised, principal components of a path, gradient.

A landscape over a plane of parameters is J(theta + a1 d1 + a2 d2), with theta the parameters as one vector. Noise of
standard deviation sigma along the axes of the landscape is noise of sigma * norm(d) along d in parameter space, and
independent along the axes only if the directions are orthogonal.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.errors import GridError, NonFiniteError, OptionError
from heatpg.tools.arrays import real_array, real_numbers
from heatpg.tools.sums import dot, product

__all__ = [
    "Directions",
    "filter_normalised",
    "flatten",
    "gradient_direction",
    "principal_directions",
    "project_covariance",
    "random_directions",
    "unflatten",
]

Shapes = Mapping[str, tuple[int, ...]] | Sequence[tuple[int, ...]]
Vector = NDArray[np.float64]


def without_gradient(given: Any) -> Any:
    """What NumPy can convert: a tensor of torch that still knows its gradient refuses, so it is taken without.

    Also from its device, and bfloat16, which NumPy does not know, in single precision.
    """
    if not hasattr(given, "detach"):
        return given
    for step in ("detach", "cpu"):
        given = getattr(given, step)() if hasattr(given, step) else given
    return given.float() if str(getattr(given, "dtype", "")).endswith("bfloat16") else given


def as_numbers(what: str, given: Any, dimensions: int) -> Vector:
    """A finite array of so many dimensions, in double precision; tensors of other packages are converted."""
    # a copy: what the caller does to the array later is not seen
    array = np.array(real_numbers(what, given, allowed="a rectangular array"))
    if array.ndim != dimensions or array.size == 0:
        wanted = {1: "(parameters,)", 2: "(count, parameters)"}[dimensions]
        raise GridError(f"{what} has the wrong shape", given=f"shape {array.shape}", allowed=wanted)
    if not np.isfinite(array).all():
        # of millions of weights one place is enough to find the fault
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise NonFiniteError(f"{what}: not finite at index {first}", given=array[first])
    return array


def _count(given: int, most: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or not 1 <= given <= most:
        raise OptionError("the number of directions is out of range", given=repr(given), allowed=f"1 to {most}")
    return int(given)


@dataclasses.dataclass(frozen=True, eq=False)
class Directions:
    """Directions in parameter space and their origin.

    Parameters
    ----------
    vectors
        Shape (count, parameters).
    kind
        ``random``, ``filter-normalised``, ``principal``, ``gradient``, or your own name.
    seed
        Seed of the random directions, if any.
    coordinates
        Coordinates of the checkpoints along the directions, shape (checkpoints, count), of `principal_directions`.
    explained
        Share of each direction in the sum of squared distances of the checkpoints from the last one (explained
        variance).

    Raises
    ------
    GridError, NonFiniteError, OptionError
        For vectors that have the wrong shape, are not finite, or contain a zero vector.

    Examples
    --------
    >>> from heatpg.landscapes.directions import Directions
    >>> Directions([[3.0, 4.0]], kind="mine").lengths
    array([5.])
    """

    vectors: Vector
    kind: str = "given"
    seed: int | None = None
    coordinates: Vector | None = None
    explained: Vector | None = None

    def __post_init__(self) -> None:
        vectors = as_numbers("directions", self.vectors, 2)
        # along a direction of zero nothing changes, and its length, which scales sigma, would be zero
        zero = np.flatnonzero(~vectors.any(axis=1))
        if zero.size:
            raise OptionError(
                "directions must not be zero",
                given=f"direction {int(zero[0]) + 1} of {len(vectors)}",
                advice=""
                if len(vectors) <= vectors.shape[1]
                else f"shape {vectors.shape} looks transposed: directions are rows, (count, parameters)",
            )
        # a copy, in double precision: what the caller does to the array later is not seen
        object.__setattr__(self, "vectors", vectors)

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def lengths(self) -> Vector:
        """Euclidean norm of each direction: the length of one unit along its axis in parameter space."""
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", self.vectors, self.vectors)))

    @property
    def cosines(self) -> Vector:
        """Cosines of the angles between the directions, shape (count, count)."""
        units = self.vectors / self.lengths[:, None]
        return product(units, units.T)


def flatten(parameters: Mapping[str, Any] | Sequence[Any]) -> tuple[Vector, Shapes]:
    """Concatenate arrays into one vector, each in C order, and return their shapes.

    Parameters
    ----------
    parameters
        Arrays by name, such as the ``state_dict()`` of a torch module, or a sequence of arrays.

    Returns
    -------
    vector
        Shape (parameters,), in double precision.
    shapes
        By name, or as a list, like the arrays; for `unflatten` and `filter_normalised`.

    Raises
    ------
    OptionError
        If there are no arrays, or entries that are not numbers.
    NonFiniteError
        For NaN or infinity.

    Examples
    --------
    >>> from heatpg.landscapes.directions import flatten
    >>> flatten({"weight": [[1.0, 2.0], [3.0, 4.0]], "bias": [5.0, 6.0]})
    (array([1., 2., 3., 4., 5., 6.]), {'weight': (2, 2), 'bias': (2,)})
    """
    named = isinstance(parameters, Mapping)
    items = list(parameters.items()) if isinstance(parameters, Mapping) else list(enumerate(parameters))
    if not items:
        raise OptionError("parameters is empty", given=repr(parameters), allowed="at least one array")
    arrays = []
    for key, value in items:
        # a module may hold masks of True and False as well
        arrays.append(np.asarray(real_array(f"parameter {key!r}", value), dtype=np.float64))
    # in the order of the mapping: that of a state_dict is the order of its layers
    vector = as_numbers("parameters", np.concatenate([array.ravel() for array in arrays]), 1)
    shapes = [array.shape for array in arrays]
    return vector, dict(zip((str(key) for key, _ in items), shapes, strict=True)) if named else shapes


def _sizes(shapes: Shapes, size: int) -> tuple[list[tuple[int, ...]], list[int]]:
    listed = [tuple(shape) for shape in (shapes.values() if isinstance(shapes, Mapping) else shapes)]
    sizes = [math.prod(shape) for shape in listed]
    if sum(sizes) != size:
        raise GridError(
            "the shapes and the vector differ in size",
            given=f"{sum(sizes)} numbers in {listed}",
            allowed=f"{size} numbers",
        )
    return listed, sizes


def unflatten(vector: ArrayLike, shapes: Shapes) -> dict[str, Vector] | list[Vector]:
    """Split a vector of `flatten` into its arrays, by name if the shapes have names.

    Raises
    ------
    GridError
        If the shapes and the vector differ in size.

    Examples
    --------
    >>> from heatpg.landscapes.directions import unflatten
    >>> unflatten([1.0, 2.0, 3.0], {"weight": (1, 2), "bias": (1,)})
    {'weight': array([[1., 2.]]), 'bias': array([3.])}
    """
    flat = as_numbers("the vector", vector, 1)
    listed, sizes = _sizes(shapes, flat.size)
    parts = [part.reshape(shape) for part, shape in zip(np.split(flat, np.cumsum(sizes)[:-1]), listed, strict=True)]
    return dict(zip(shapes, parts, strict=True)) if isinstance(shapes, Mapping) else parts


def _orthonormal(vectors: Vector) -> Vector:
    """Gram-Schmidt, twice is enough: rows of norm 1, each orthogonal to those before, in the direction it had."""
    rows = vectors.copy()
    for i, row in enumerate(rows):
        # one pass leaves what round-off makes of nearly parallel vectors; a second brings it to machine precision (W.
        # Kahan, "twice is enough")
        for _ in range(2):
            # in place: the rows before this one are orthonormal already
            shares = (rows[:i] * row).sum(axis=1)
            row -= (shares[:, None] * rows[:i]).sum(axis=0)
            row /= math.sqrt(dot(row, row))
    return rows


def random_directions(parameters: ArrayLike | int, count: int = 2, *, seed: int = 0) -> Directions:
    """Random orthonormal directions, uniformly distributed.

    d = Gram-Schmidt of Gaussian vectors. Because they are orthonormal, noise of sigma on the landscape is the component
    in this plane of noise N(0, sigma^2 I) on all parameters.

    Parameters
    ----------
    parameters
        The parameters as one vector, or their number.
    count
        Number of directions.
    seed
        Seed of `numpy.random.default_rng`.

    Raises
    ------
    OptionError
        For more directions than parameters, or a seed that is not a whole number >= 0.

    Examples
    --------
    >>> from heatpg.landscapes.directions import random_directions
    >>> found = random_directions(1000, 2, seed=1)
    >>> found.vectors.shape, bool(abs(found.cosines[0, 1]) < 1e-15)
    ((2, 1000), True)
    """
    size = int(parameters) if isinstance(parameters, int | np.integer) else as_numbers("parameters", parameters, 1).size
    number = _count(count, size)
    vectors = _orthonormal(_generator(seed).standard_normal((number, size)))
    return Directions(vectors, "random", int(seed))


def _generator(seed: int) -> np.random.Generator:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise OptionError("seed must be a whole number >= 0", given=repr(seed), allowed="0, 1, 2, ...")
    return np.random.default_rng(int(seed))


def filter_normalised(
    directions: Directions | ArrayLike, parameters: ArrayLike, shapes: Shapes, *, vectors: str = "scale"
) -> Directions:
    """Rescale each filter of the directions to the norm of the same filter of the parameters.

    d[f] = d[f] norm(theta[f]) / norm(d[f]). A filter holds the weights into one unit of a layer: for an array of two or
    more dimensions, the entries with one index along the first dimension, as in torch. This makes landscapes of
    networks with differently scaled layers comparable. The directions are no longer orthogonal, nor of length 1.

    Parameters
    ----------
    directions
        Result of `random_directions`, or an array of shape (count, parameters).
    parameters
        The parameters as one vector.
    shapes
        As returned by `flatten`.
    vectors
        Treatment of arrays with at most one dimension (biases, scales): ``scale``: each is one filter; ``zero``: they
        are not varied.

    Raises
    ------
    GridError
        If directions, parameters and shapes differ in size.
    OptionError
        If a direction becomes zero because all parameters are zero.

    References
    ----------
    H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein, *Visualizing the Loss Landscape of Neural Nets*, NeurIPS 2018,
    arXiv 1712.09913.

    Examples
    --------
    >>> from heatpg.landscapes.directions import filter_normalised
    >>> filter_normalised([[3.0, 4.0, 1.0, 0.0]], [0.0, 10.0, 7.0, 0.0], [(2, 2)]).vectors
    array([[6., 8., 7., 0.]])
    """
    if vectors not in ("scale", "zero"):
        raise OptionError("unknown value of vectors=", given=repr(vectors), allowed="'scale' or 'zero'")
    theta = as_numbers("parameters", parameters, 1)
    given = directions if isinstance(directions, Directions) else Directions(np.asarray(directions))
    require_fit(given, theta)
    listed, sizes = _sizes(shapes, theta.size)
    scaled = given.vectors.copy()
    begin = 0
    for shape, size in zip(listed, sizes, strict=True):
        # a bias belongs to no filter: all of it is one
        filters = shape[0] if len(shape) > 1 else 1
        # a view into the copy: what is scaled here is scaled there
        block = scaled[:, begin : begin + size].reshape(len(scaled), filters, -1)
        if len(shape) < 2 and vectors == "zero":
            block[...] = 0.0
        elif size:
            norms = np.linalg.norm(theta[begin : begin + size].reshape(filters, -1), axis=1)
            # a filter of zero in the direction stays zero, whatever that of the parameters is
            own = np.linalg.norm(block, axis=2)
            block *= np.where(own > 0, norms / np.where(own > 0, own, 1.0), 0.0)[:, :, None]
        scaled[:, begin : begin + size] = block.reshape(len(scaled), size)
        begin += size
    return Directions(scaled, "filter-normalised", given.seed)


def require_fit(directions: Directions | Vector, parameters: Vector) -> None:
    """Refuse directions, or vectors that are to become some, through another space than that of the parameters."""
    vectors = directions.vectors if isinstance(directions, Directions) else directions
    if vectors.ndim == 2 and vectors.shape[1] != parameters.size:
        # directions given as columns are the common slip
        transposed = f"shape {vectors.shape} looks transposed: directions are rows, (count, parameters)"
        raise GridError(
            "directions and parameters differ in size",
            given=f"directions of {vectors.shape[1]} numbers",
            allowed=f"{parameters.size} numbers, one per parameter",
            advice=transposed if len(vectors) == parameters.size else "",
        )


def principal_directions(checkpoints: ArrayLike | Sequence[ArrayLike], count: int = 2) -> Directions:
    """Principal components of a training path: the plane through the last checkpoint that is closest to all others.

    d = leading right singular vectors of the rows theta_i - theta_last, which are not centred, so that the plane holds
    the last checkpoint. Orthonormal; signs such that the first checkpoint has no negative coordinate.

    Parameters
    ----------
    checkpoints
        Parameters as vectors, in the order of training, shape (checkpoints, parameters).
    count
        Number of directions.

    Returns
    -------
    Directions
        With `coordinates`, to draw the path (the last checkpoint is at 0), and `explained`: state it next to a figure,
        because a path looks straight when two directions explain little of it.

    Raises
    ------
    OptionError
        If the checkpoints span fewer directions.

    References
    ----------
    H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein, *Visualizing the Loss Landscape of Neural Nets*, NeurIPS 2018,
    arXiv 1712.09913, section 7 (there the rows are centred).

    Examples
    --------
    >>> from heatpg.landscapes.directions import principal_directions
    >>> path = principal_directions([[9.0, 1.0, 0.0], [5.0, 2.0, 0.0], [1.0, 1.0, 0.0]], 2)
    >>> path.explained.round(4), path.coordinates.shape
    (array([0.9901, 0.0099]), (3, 2))
    """
    rows = [as_numbers(f"checkpoint {i + 1}", row, 1) for i, row in enumerate(checkpoints)]  # type: ignore[arg-type]
    if len({row.size for row in rows}) > 1:
        raise GridError("the checkpoints differ in size", given=[row.size for row in rows], allowed="one size for all")
    path = np.array(rows)
    if len(path) < 2:
        raise OptionError("a path needs at least 2 checkpoints", given=len(path))
    number = _count(count, min(len(path) - 1, path.shape[1]))
    # from the last checkpoint and not from the mean: the plane is to hold the point where training ended
    steps = path - path[-1]
    _, strengths, right = np.linalg.svd(steps, full_matrices=False)
    # a taste: far above the round-off of differences in double precision, far below any step of a training
    rank = int((strengths > 1e-12 * strengths[0]).sum()) if strengths[0] > 0 else 0
    if rank < number:
        raise OptionError(
            "the checkpoints span fewer directions than requested",
            given=f"{number} of {rank}",
            allowed=f"count up to {rank}" if rank else "checkpoints that differ",
        )
    vectors = right[:number]
    # the singular value decomposition leaves the signs open, and they must not change between machines
    vectors = vectors * np.where(vectors @ steps[0] < 0, -1.0, 1.0)[:, None]
    explained = strengths[:number] ** 2 / float((strengths**2).sum())
    return Directions(vectors, "principal", None, product(steps, vectors.T), explained)


def gradient_direction(gradient: ArrayLike, count: int = 2, *, seed: int = 0) -> Directions:
    """The normalised gradient, followed by random directions orthogonal to it; all of length 1.

    d1 = g / norm(g).

    Parameters
    ----------
    gradient
        Gradient of the return with respect to the parameters, as one vector.
    count
        Number of directions, including the gradient.
    seed
        Seed of the random directions.

    Raises
    ------
    OptionError
        For a gradient of zero, or more directions than parameters.

    Examples
    --------
    >>> from heatpg.landscapes.directions import gradient_direction
    >>> gradient_direction([3.0, 0.0, 4.0], 2).vectors[0]
    array([0.6, 0. , 0.8])
    """
    slope = as_numbers("the gradient", gradient, 1)
    # divided by it first, so that squares in the norm neither overflow nor vanish
    largest = float(np.abs(slope).max())
    if largest == 0:
        raise OptionError("the gradient is zero", given=f"{slope.size} zeros", allowed="a direction of ascent")
    number = _count(count, slope.size)
    others = _generator(seed).standard_normal((number - 1, slope.size))
    vectors = _orthonormal(np.vstack([slope / largest, others]))
    return Directions(vectors, "gradient", int(seed) if number > 1 else None)


def project_covariance(covariance: ArrayLike, directions: Directions | ArrayLike) -> Vector:
    """Covariance of the part of a noise along directions that is independent of the rest: (V^T Sigma^-1 V)^-1.

    Noise of covariance Sigma on all m parameters is V a + b, with V the directions as columns, a and b independent,
    Cov a = A = (V^T Sigma^-1 V)^-1 and Cov b = Sigma - V A V^T. So ``evolve(landscape, covariance=A)`` is the part of
    the noise in the plane of a landscape over these directions. V^T Sigma V also contains the part correlated with the
    rest and is larger; it is correct only if Sigma maps the plane to itself.

    Parameters
    ----------
    covariance
        Sigma, as in CMA-ES: shape (m, m), or only variances, shape (m,), or one variance for all.
    directions
        Result of `random_directions`, or shape (count, m); any lengths and angles. A is in units of their lengths.

    Returns
    -------
    covariance
        A, shape (count, count).

    Raises
    ------
    GridError, NonFiniteError
        For shapes that do not match, and numbers that are not finite.
    OptionError
        If covariance is not symmetric positive definite, or directions are linearly dependent.

    Examples
    --------
    Correlated noise on two parameters, along the first, conditional on the second:

    >>> from heatpg.landscapes.directions import project_covariance
    >>> project_covariance([[1.0, 0.8], [0.8, 1.0]], [[1.0, 0.0]]).round(12)
    array([[0.36]])
    """
    given = directions if isinstance(directions, Directions) else Directions(np.asarray(directions))
    rows = given.vectors
    size = rows.shape[1]
    sigma = real_numbers("the covariance", covariance, GridError, allowed=f"shape ({size}, {size}), ({size},) or ()")
    if sigma.shape not in ((), (size,), (size, size)):
        raise GridError(
            "the covariance has the wrong shape",
            given=f"shape {sigma.shape}",
            allowed=f"({size}, {size}), variances of shape ({size},), or one variance",
        )
    if not np.isfinite(sigma).all():
        raise NonFiniteError("the covariance is not finite", given=sigma[~np.isfinite(sigma)][0])
    wanted = "a symmetric positive definite matrix, or positive variances"
    if sigma.ndim < 2:
        if not (sigma > 0).all():
            raise OptionError(
                "covariance must be symmetric positive definite", given=float(sigma.min()), allowed=wanted
            )
        half = rows / np.sqrt(sigma)
    else:
        skew = float(np.abs(sigma - sigma.T).max())
        # a taste: what a product of matrices leaves is some 1e-16 of the largest, a transposed entry is far beyond
        if skew > 1e-12 * float(np.abs(sigma).max()):
            raise OptionError(
                "covariance must be symmetric positive definite",
                given=f"|Sigma - Sigma^T| up to {skew:.3g}",
                allowed=wanted,
            )
        try:
            # Sigma = L L^T: L^-1 V has the precision V^T Sigma^-1 V for its products
            factor = np.linalg.cholesky((sigma + sigma.T) / 2)
        except np.linalg.LinAlgError:
            raise OptionError(
                "covariance must be symmetric positive definite", given="not positive definite", allowed=wanted
            ) from None
        half = np.linalg.solve(factor, rows.T).T
    # by the triangle of a QR decomposition: the square of a condition number is never made
    triangle = np.linalg.qr(half.T, mode="r")
    diagonal = np.abs(np.diag(triangle))
    if len(rows) > size or diagonal.min() <= size * np.finfo(float).eps * diagonal.max():
        raise OptionError("directions must be linearly independent", given=f"{len(rows)} of {size} parameters")
    inverse = np.linalg.inv(triangle)
    return np.asarray(inverse @ inverse.T)
