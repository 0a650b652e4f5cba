"""Quadrature rules, integrands, and the result of `heatpg.quadrature.mollify`.

With Sigma = F F^T, a = mu + F Z and Z standard normal, every rule computes E f(a) and the score moments E[f(a) Z];
the gradient follows as grad L = F^-T E[f(a) Z].
"""

from __future__ import annotations

import dataclasses
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from heatpg.errors import GridError, NonFiniteError, OptionError, ResourceError, UnsupportedError
from heatpg.tools.arrays import real_array
from heatpg.tools.registry import Registry

__all__ = ["Estimate", "Integrand", "Mollified", "Rule", "rules"]

Array = NDArray[np.float64]

rules: Registry[type[Rule]] = Registry("rule", "heatpg.quadrature")

_COORDINATES_PER_CALL = 2**18  # 2 MiB: what f makes of them stays in a cache of the second level. A taste
_EPS = float(np.finfo(np.float64).eps)
# Round-off of a sum, in units of the sum of |terms|: sums in blocks err by about log2(N) eps, 17 eps at the default
# budget of 2^17 evaluations. A tolerance below it could never be confirmed.
_ROUNDING = 16 * _EPS


@dataclasses.dataclass(frozen=True, eq=False)
class Mollified:
    """Value and gradient of L(mu, Sigma) = E f(mu + F Z), with error estimates.

    Attributes
    ----------
    value
        L, shape () for one centre, (M,) for M of them.
    gradient
        grad_mu L, shape (d,) or (M, d); None where it was not requested.
    standard_error, gradient_standard_error
        Standard errors of a randomised rule; None for a deterministic one. Of returns of several seeds they hold the
        scatter of the seeds, which a deterministic rule has as well.
    error_estimate, gradient_error_estimate
        Distance of a deterministic rule to a lower level of it, and for ``auto`` to the same rule turned and shifted at
        random; an estimate and no bound. None for a randomised rule. No error is stated below round-off.
    rule
        Name of the rule.
    points
        Evaluations of the function at each centre, those for the error estimate included.
    reason
        Which rule was used, and why.
    unseen_width
        Width along each axis, in its units, below which a feature can lie between the points of all evaluations
        unseen, shape (d,): that of a Gaussian bump at a typical place of the noise with no point nearer than its
        widths. About the range of the noise over N^(1/d). No error that is stated covers what is narrower.
    """

    value: Array
    gradient: Array | None
    standard_error: Array | None
    gradient_standard_error: Array | None
    error_estimate: Array | None
    gradient_error_estimate: Array | None
    rule: str
    points: int
    reason: str
    unseen_width: Array


@dataclasses.dataclass(frozen=True, eq=False)
class Estimate:
    """What a rule returns: for M centres, values and score moments E[f Z] with their errors.

    Attributes
    ----------
    value, value_error
        Shape (M,).
    score, score_error
        Shape (M, k), or None where no gradient is wanted. They have the units of f.
    gradient, gradient_error
        Shape (M, d), or None.
    worst
        The number compared with a tolerance: the largest error of a value or of a score moment E[f Z].
    magnitude
        Largest mean of abs(f) under the absolute weights: round-off is this times a few eps.
    """

    value: Array
    value_error: Array
    score: Array | None
    score_error: Array | None
    gradient: Array | None
    gradient_error: Array | None
    worst: float
    magnitude: float


class Integrand:
    """A function around M centres, in coordinates where the noise is standard normal: z -> f(mu + F z).

    Parameters
    ----------
    function
        Takes points of shape (N, d) and returns (N,), or takes one point if it is not vectorised.
    centres
        mu, shape (M, d).
    factor
        F, shape (d, k), one column per noisy direction; square and regular if the gradient is wanted.
    gradient
        Whether the score moments are wanted.
    vectorized
        Whether the function takes many points at once.
    """

    def __init__(
        self, function: Callable[[Any], Any], centres: Array, factor: Array, *, gradient: bool, vectorized: bool
    ) -> None:
        self.function = function
        self.centres = centres
        self.factor = factor
        self.gradient = gradient
        self.vectorized = vectorized
        self.evaluations = 0
        # nodes and values of what is evaluated, as long as a list is given; and how many more nodes fit into it
        self.log: list[tuple[Array, Array]] | None = None
        self.room = 0
        # of what the function returns: float32 is rounded before it arrives here
        self.epsilon = _EPS

    @property
    def dimensions(self) -> int:
        """Number of noisy directions k."""
        return int(self.factor.shape[1])

    def blocks(self, count: int) -> Iterable[tuple[int, int]]:
        """Ranges of nodes that are few enough to be evaluated at all centres at once."""
        # all centres see the same nodes, so a block of nodes costs M d coordinates for each of them
        size = max(1, _COORDINATES_PER_CALL // self.centres.size)
        return ((start, min(start + size, count)) for start in range(0, count, size))

    def __call__(self, nodes: Array) -> Array:
        """Values at all centres of nodes z of shape (K, k): shape (M, K)."""
        points = self._points(nodes)
        self.evaluations += len(nodes)  # at each centre, as budgets are given
        if self.vectorized:
            values = self._real_values(self.function(points), (len(points),))
        else:
            # each answer is checked by itself: np.array would turn a list of arrays into something that fits
            values = np.array([self._real_values(self.function(point), ()) for point in points])
        if not np.isfinite(values).all():
            # the points are made again: the function may have written into those that it was given
            first = int(np.argmin(np.isfinite(values)))
            raise NonFiniteError(
                f"the function is not finite at {self._points(nodes)[first].tolist()}",
                given=f"{values[first]}, first of {int((~np.isfinite(values)).sum())}",
                advice=(
                    "noise reaches every point of space, so the function must be finite everywhere, for example by "
                    "clipping the action"
                ),
            )
        shaped = values.reshape(len(self.centres), len(nodes))
        if self.log is not None and len(nodes) <= self.room:
            self.log.append((nodes, shaped))
            self.room -= len(nodes)
        return shaped

    def _points(self, nodes: Array) -> Array:
        """A fresh array each time: a function that writes into its argument spoils nothing."""
        return (self.centres[:, np.newaxis, :] + nodes @ self.factor.T).reshape(-1, self.centres.shape[1])

    def sums(self, nodes: Array, weights: Array) -> tuple[Array, Array | None, float]:
        """Weighted sums over nodes (K, k) for several sets of weights (K, C), the finest first.

        Returns
        -------
        value
            sum_j w_j f(z_j), shape (C, M).
        score
            sum_j w_j f(z_j) z_j, shape (C, M, k), or None.
        magnitude
            Largest sum_j abs(w_j f(z_j)) of the first set.
        """
        centres, sets = len(self.centres), weights.shape[1]
        value, absolute = np.zeros((sets, centres)), np.zeros(centres)
        score = np.zeros((sets, centres, self.dimensions)) if self.gradient else None
        for start, stop in self.blocks(len(nodes)):
            z, w = nodes[start:stop], weights[start:stop]
            f = self(z)  # evaluated once for all sets of weights, so that an error estimate costs nothing more
            value += (f @ w).T
            absolute += np.abs(f) @ np.abs(w[:, 0])
            if score is not None:
                for i in range(sets):
                    score[i] += f @ (w[:, i, np.newaxis] * z)
        return value, score, float(absolute.max())

    def rounding(self, magnitude: float) -> float:
        """Round-off of a mean whose terms have this mean of abs(f): that of the sum, and that of what f returns."""
        return (_ROUNDING + self.epsilon) * magnitude

    def require_tolerance(self, tolerance: float, magnitude: float) -> None:
        """Refuse a tolerance that round-off hides; only after evaluations is it known how large f is."""
        least = self.rounding(magnitude)
        if tolerance < least:
            coarse = self.epsilon > _EPS
            units = "the precision of its values" if coarse else "17 eps"
            raise OptionError(
                "the tolerance is below rounding error",
                given=tolerance,
                allowed=f">= {least:.2g}, {units} times the mean of |f|",
                advice="return float64 from the function" if coarse else "",
            )

    def to_gradient(self, score: Array) -> Array:
        """grad L = F^-T E[f Z], for score moments of shape (..., k)."""
        # solved and not multiplied by an inverse, which would lose digits where the noise is far from round
        return np.asarray(np.linalg.solve(self.factor.T, score[..., np.newaxis])[..., 0])

    def estimate(
        self,
        means: tuple[Array, Array | None],
        errors: tuple[Array, Array | None],
        gradient_error: Array | None,
        magnitude: float,
        errors_of_a_tolerance: float = 1.0,
    ) -> Estimate:
        """Means with their errors, none of which is stated below round-off.

        Parameters
        ----------
        means, errors
            Of the value, shape (M,), and of the score moments, shape (M, k) or None.
        gradient_error
            Of F^-T times the score moments, shape (M, d) or None.
        magnitude
            Largest mean of abs(f).
        errors_of_a_tolerance
            How many of these errors a tolerance must hold.
        """
        least = self.rounding(magnitude)
        value_error, score_error, gradient = np.maximum(errors[0], least), None, None
        worst = float(value_error.max())
        if means[1] is not None and errors[1] is not None and gradient_error is not None:
            score_error = np.maximum(errors[1], least)
            # the score moments, not the gradients, are held against a tolerance: they have the units of f
            worst = max(worst, float(score_error.max()))
            gradient = self.to_gradient(means[1])
            # what F^-T makes of round-off in each score moment
            gradient_error = np.maximum(gradient_error, least * np.abs(np.linalg.inv(self.factor.T)).sum(axis=1))
        worst *= errors_of_a_tolerance
        return Estimate(means[0], value_error, means[1], score_error, gradient, gradient_error, worst, magnitude)

    def compare(self, fine: tuple[Array, Array | None], other: tuple[Array, Array | None], size: float) -> Estimate:
        """The estimate of a deterministic rule: the fine sums, with their distance to other ones as error."""
        value_error = np.abs(fine[0] - other[0])
        if fine[1] is None or other[1] is None:
            return self.estimate((fine[0], None), (value_error, None), None, size)
        change = fine[1] - other[1]
        return self.estimate(fine, (value_error, np.abs(change)), np.abs(self.to_gradient(change)), size)

    def _real_values(self, returned: Any, shape: tuple[int, ...]) -> Array:
        values = real_array("the result of the function", returned)
        if values.shape != shape:
            raise GridError(
                "the function returns the wrong shape",
                given=f"shape {values.shape}",
                allowed=f"shape {shape}, one value per point" if shape else "one number for one point",
                advice="for a function of one point at a time pass vectorized=False" if shape else "",
            )
        if values.dtype.kind == "f":
            self.epsilon = max(self.epsilon, float(np.finfo(values.dtype).eps))
        return values.astype(np.float64)


@dataclasses.dataclass(frozen=True)
class Rule(ABC):
    """Base class of all rules: options as fields, guaranteed properties as attributes; one size parameter refines it.

    Attributes
    ----------
    name
        The word that users write.
    summary
        The rule in one line.
    positive
        Whether no weight is negative, so that min f <= L <= max f.
    randomized
        Whether its errors are standard errors.
    size_name
        The option that holds the size.
    sizes
        Sizes to choose from where none is given, ascending: the largest that the budget allows is used.
    ladder
        Sizes that are tried in turn for a tolerance, ascending.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    positive: ClassVar[bool]
    randomized: ClassVar[bool]
    size_name: ClassVar[str]
    sizes: ClassVar[Sequence[int]]
    ladder: ClassVar[Sequence[int]]

    @abstractmethod
    def cost(self, size: int, dimensions: int) -> int:
        """Evaluations at each centre, those for the error estimate included."""

    def grid(self, size: int, dimensions: int) -> tuple[Array, Array]:
        """Nodes, shape (K, dimensions), and weights of a deterministic rule, which it evaluates first."""
        raise NotImplementedError

    @abstractmethod
    def apply(self, integrand: Integrand, size: int, seed: int) -> Estimate:
        """Integrate with this size."""

    @abstractmethod
    def resolution(self, size: int, dimensions: int) -> float:
        """Width, in units of sigma, below which a Gaussian bump at a typical place of the noise can go unseen.

        There, at the distance sqrt(dimensions) from the centre, it has no node nearer than its width times
        sqrt(dimensions), which is where a bump of that width takes most of its integral from.
        """

    @abstractmethod
    def describe(self, size: int, dimensions: int) -> str:
        """What the rule is with this size, for the reason that is given."""

    def require(self, size: int, dimensions: int, budget: int) -> None:
        """Refuse a size that the budget does not allow."""
        if self.cost(size, dimensions) > budget:
            others = " or ".join(f"rule={name!r}" for name in ("smolyak", "montecarlo") if name != self.name)
            raise UnsupportedError(
                f"the rule {self.name!r} with {self.size_name}={size} exceeds the budget in {dimensions} dimensions",
                given=f"{self.cost(size, dimensions)} evaluations at each centre",
                allowed=f"budget={budget}",
                advice=f"raise the budget, or use {others}",
            )

    def largest_size(self, dimensions: int, budget: int) -> int:
        """The largest size that the budget allows."""
        self.require(self.sizes[0], dimensions, budget)
        return list(itertools.takewhile(lambda size: self.cost(size, dimensions) <= budget, self.sizes))[-1]

    def integrate(
        self, integrand: Integrand, *, budget: int, tolerance: float | None, seed: int
    ) -> tuple[Estimate, int]:
        """Integrate with the requested size, with that for the tolerance, or with that within the budget.

        Returns
        -------
        estimate
            Value and gradient with their errors.
        size
            The size that was used.
        """
        k, given = integrand.dimensions, getattr(self, self.size_name)
        if given is not None:
            self.require(given, k, budget)
        if tolerance is None:
            size = given if given is not None else self.largest_size(k, budget)
            return self.apply(integrand, size, seed), size
        ladder = [given] if given is not None else self.ladder
        self.require(ladder[0], k, budget)  # so the loop is entered, and `reached` is set
        for size in ladder:
            # what smaller sizes have spent counts as well: the budget is of evaluations, not of the last rule
            if integrand.evaluations + self.cost(size, k) > budget:
                break
            estimate = self.apply(integrand, size, seed)
            integrand.require_tolerance(tolerance, estimate.magnitude)
            if estimate.worst <= tolerance:
                return estimate, size
            reached = estimate.worst
        raise ResourceError(
            f"the rule {self.name!r} did not reach tolerance={tolerance} within budget={budget}",
            given=f"estimated error {reached:.2g} after {integrand.evaluations} evaluations at each centre",
            advice=(
                "raise the tolerance or the budget"
                if self.randomized
                else "for discontinuous functions use rule='montecarlo'; otherwise raise the tolerance or the budget"
            ),
        )
