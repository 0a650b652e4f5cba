"""The distribution of the return Q(mu + sigma Z) at every mu and sigma: variance, probabilities, quantiles, CVaR."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.faces import require_extrapolated
from heatpg.core.grid import Grid
from heatpg.core.landscape import Landscape
from heatpg.core.noise import Sigma, default_sigma, parse_covariance, parse_sigma, sigma_words
from heatpg.errors import NonFiniteError, SigmaError, UnsupportedError
from heatpg.evolution import Evolution
from heatpg.risk.ladder import Ladder, QuantileLadder, TailLadder
from heatpg.risk.positive import PositiveFlow, positive_solver, require_positive_covariances
from heatpg.solvers import Solver
from heatpg.solvers.choice import choose_for_covariance
from heatpg.tools.arguments import finite_number, whole_number
from heatpg.tools.arrays import real_numbers
from heatpg.tools.calls import checked_call
from heatpg.tools.progress import Progress, progress_of
from heatpg.tools.resources import require_memory

__all__ = ["MOST_THRESHOLDS", "Distribution", "Quantile", "TailMean", "distribution", "fraction_of", "tail_mean_of"]

Array = NDArray[Any]

_LEAST_FRACTION = 1e-9
TOLERANCE = 1e-3
"""Of osc(Q): how near to each other the bounds of a quantile or tail mean are brought by default (taste)."""
MOST_THRESHOLDS = 257
"""Of one noise level; enough for the tolerance on smooth landscapes (measured: 40 to 150 on waves, bumps, steps)."""


def fraction_of(q: float) -> float:
    """The fraction of a tail, if it is from 1e-9 to 1.

    Raises
    ------
    OptionError
        Otherwise.

    Examples
    --------
    >>> from heatpg.risk.returns import fraction_of
    >>> fraction_of(0.1)
    0.1
    """
    # below, rounding of the fields divided by q is more than the default tolerance
    return finite_number("q", q, lower=_LEAST_FRACTION, upper=1.0)


@dataclasses.dataclass(frozen=True, eq=False)
class _Bounded:
    """What a ladder of thresholds says of a field at every mu and sigma: values between bounds."""

    _what: ClassVar[str]  # what it is, in words
    q: float
    sigma: NDArray[np.float64]
    values: Array
    lower: Array
    upper: Array
    thresholds: list[NDArray[np.float64]]
    resolved: NDArray[np.bool_]
    tolerance: float

    @property
    def gap(self) -> NDArray[np.float64]:
        """The largest difference of the bounds, of each level, in units of Q."""
        return np.asarray((self.upper - self.lower).reshape(len(self.upper), -1).max(axis=1), np.float64)

    @property
    def missing(self) -> str:
        """Where thresholds are missing, in one sentence; empty where none are."""
        if self.resolved.all():
            return ""
        gap, levels = self.gap, np.flatnonzero(~self.resolved)
        worst = int(levels[np.argmax(gap[levels])])
        return (
            f"thresholds are missing at {len(levels)} of {len(self.sigma)} noise levels: at sigma = "
            f"{sigma_words(self.sigma[worst])} the {self._what} is bounded to {gap[worst]:.2g} with "
            f"{len(self.thresholds[worst])} thresholds, but the tolerance is {self.tolerance:.2g}; pass "
            "a larger most= or tolerance= to heatpg.risk.safest_action, or to the method of the distribution"
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Quantile(_Bounded):
    """The q-quantile of the return (value at risk) at every mu and sigma, with the thresholds around it.

    Attributes
    ----------
    q
        P(Q(mu + sigma Z) <= quantile) = q.
    sigma
        Noise levels, as of an `Evolution`.
    values
        Interpolated between two thresholds, shape (T, *grid.shape).
    lower, upper
        The thresholds below and above, same shape: P(Q <= lower) < q <= P(Q <= upper), but for a quantile that is the
        smallest value of Q, where lower is that value.
    thresholds
        All that were solved, of each level, ascending.
    resolved
        Whether the two thresholds are within the tolerance of each other at every mu, of each level.
    tolerance
        That was wanted, in units of Q.
    """

    _what: ClassVar[str] = "quantile"


@dataclasses.dataclass(frozen=True, eq=False)
class TailMean(_Bounded):
    """The mean of the worst q of all returns (CVaR, expected shortfall) at every mu and sigma, with bounds.

    Of a return the worst are the smallest, of a loss the largest.

    Attributes
    ----------
    q
        The fraction of the tail.
    sigma
        Noise levels, as of an `Evolution`.
    values
        The tail mean, shape (T, *grid.shape), between `lower` and `upper`.
    lower, upper
        Bounds for the sampled Q, same shape: the best threshold, and where the tangents at its neighbours meet. What
        the sampling of Q leaves is not in them: it falls with the square of h / sigma.
    thresholds
        All that were solved, of each level, ascending.
    resolved
        Whether the bounds are within the tolerance of each other at every mu, of each level.
    tolerance
        That was wanted, in units of Q.
    """

    _what: ClassVar[str] = "tail mean"
    _flow: Any = dataclasses.field(repr=False)  # a PositiveFlow, which is no name of the reference
    _noise: Array = dataclasses.field(repr=False)

    @functools.cached_property
    def _pure(self) -> Array:
        """The quantile in pure numbers; from shares of cells, because 0 or 1 at nodes would be of first order."""
        fields = []
        for level, thresholds in enumerate(self.thresholds):
            ladder = QuantileLadder(self._flow, self._noise[level : level + 1], self.q)
            ladder.insert(np.unique(self._flow.pure(thresholds)))
            fields.append(ladder.quantile if self._noise[level].any() else self._flow.values)
        return np.stack(fields)

    @property
    def quantile(self) -> Array:
        """Quantile at which the tail begins (value at risk), interpolated between the thresholds, shape (T,
        *grid.shape)."""
        return np.asarray(self._flow.measured(self._pure))

    def gradient(self, index: int) -> Array:
        """Gradient of the tail mean in mu at one level: -grad u[(c - Q)_+] / q at the quantile c of each mu.

        Between two thresholds the gradients at both are interpolated. An error of c counts in first order here, while
        in the tail mean itself it counts in second.

        Parameters
        ----------
        index
            Which sigma, above 0.

        Returns
        -------
        gradient
            Shape (dimensions, *grid.shape), in units of Q over those of each axis.

        Raises
        ------
        OptionError
            For a level that is not there.

        Examples
        --------
        >>> import numpy as np
        >>> from heatpg import Axis, Grid, Landscape
        >>> from heatpg.risk import distribution
        >>> grid = Grid(Axis("x", -8.0, 8.0, 321, boundary="clip"))
        >>> line = distribution(Landscape.from_function(lambda x: 2.0 * x, grid), 0.5)
        >>> float(line.tail_mean(0.1).gradient(0)[0, 160].round(1))
        2.0
        """
        level = range(len(self.sigma))[whole_number("index", index, least=0, most=len(self.sigma) - 1)]
        flow, noise, wanted = self._flow, self._noise[level : level + 1], self._pure[level]
        shape = flow.grid.shape
        steps = np.concatenate([[flow.low], flow.pure(self.thresholds[level]), [flow.high]])
        steps = np.unique(steps)
        slope = np.zeros((flow.grid.dimensions, *shape))
        before: Array = np.zeros_like(slope)  # below all of Q nothing is counted
        chunk = max(1, flow.at_once() // (1 + flow.grid.dimensions))
        for begin in range(1, len(steps), chunk):
            some = steps[begin : begin + chunk]

            def hinges(s: Array, some: Array = some) -> Array:
                return np.asarray(np.maximum(some.reshape(-1, *[1] * s.ndim) - s, 0.0))

            found = flow.means(hinges, noise, gradient=True)[0]
            for number, c in enumerate(some):
                last = steps[begin + number - 1]
                within = (wanted > last) & (wanted <= c)
                share = (wanted[within] - last) / (c - last)
                slope[:, within] = (1.0 - share) * before[:, within] + share * found[:, number][:, within]
                before = found[:, number]
        return np.asarray(flow.difference(-flow.sign * slope / self.q))


class Distribution:
    """The distribution of the return Q(mu + sigma Z) at every mu and sigma; made by `distribution`.

    Attributes
    ----------
    landscape, grid
        Q.
    sigma
        Noise levels in ascending order, as of an `Evolution`.
    covariance
        Covariances of correlated noise; otherwise None.
    solver, reason
        The solver, whose weights are not negative, and why it was picked, if it was.
    """

    def __init__(
        self, landscape: Landscape, sigma: Array, covariance: Array | None, solver: Solver, reason: str
    ) -> None:
        self.landscape = landscape
        self.grid: Grid = landscape.grid
        self.sigma = sigma
        self.covariance = covariance
        self.solver = solver
        self.reason = reason

    def __repr__(self) -> str:
        return (
            f"<Distribution of {self.landscape.name!r} under noise: {len(self.sigma)} levels, {self.grid.shape} nodes, "
            f"solver {self.solver!r}>"
        )

    @property
    def noise(self) -> Array:
        """One row of sigmas a level, shape (T, dimensions); of correlated noise the covariances."""
        if self.covariance is not None:
            return self.covariance
        rows = self.sigma[:, None] if self.sigma.ndim == 1 else self.sigma
        return np.ascontiguousarray(np.broadcast_to(rows, (len(rows), self.grid.dimensions)))

    @functools.cached_property
    def _flow(self) -> PositiveFlow:
        """What evolves functions of Q."""
        return PositiveFlow(self.landscape, self.solver)

    @functools.cached_property
    def _moments(self) -> Array:
        """Means of S and S^2, with the same weights, shape (T, 2, *grid.shape)."""
        require_memory(
            8.0 * 8 * self.grid.size * len(self.sigma),
            f"the moments of {self.grid.size:,} points at {len(self.sigma)} sigmas",
            "use fewer noise levels or a coarser grid",
        )
        return self._flow.means(lambda s: np.stack([s, s * s]), self.noise)

    def mean(self) -> Array:
        """E Q(mu + sigma Z), shape (T, *grid.shape), with the same weights as the distribution."""
        return self._flow.measured(self._moments[:, 0])

    def standard_deviation(self) -> Array:
        """Standard deviation of the return, shape (T, *grid.shape).

        Examples
        --------
        >>> import numpy as np
        >>> from heatpg import Axis, Grid, Landscape
        >>> from heatpg.risk import distribution
        >>> grid = Grid(Axis("x", -8.0, 8.0, 321, boundary="clip"))
        >>> line = Landscape.from_function(lambda x: 1e9 + 2.0 * x, grid)
        >>> float(distribution(line, 0.5).standard_deviation()[0, 160].round(6))
        1.0
        """
        return self._flow.difference(np.sqrt(self._variances()))

    def variance(self) -> Array:
        """Variance of the return, shape (T, *grid.shape); never negative.

        Raises
        ------
        NonFiniteError
            Where its numbers leave the range of their type; the standard deviation does not.
        """
        moments = self._variances()
        with np.errstate(over="ignore", under="ignore"):
            result = np.asarray(np.ldexp(moments, 2 * self._flow.exponent), self.landscape.values.dtype)
        if not np.isfinite(result).all() or (not result.any() and moments.any()):
            raise NonFiniteError(
                "the variance overflows",
                given=f"max Q - min Q = {self.landscape.oscillation:g}",
                advice="use standard_deviation()",
            )
        return result

    def _variances(self) -> Array:
        first, second = self._moments[:, 0], self._moments[:, 1]
        # the weights are those of a mean, so what is below 0 is round-off
        return np.asarray(np.maximum(second - first * first, 0.0))

    def probability(self, threshold: ArrayLike) -> Array:
        """P(Q(mu + sigma Z) <= c), in [0, 1] and monotone in c.

        Evolved is the share of each node's cell in which the piecewise linear interpolant of Q is at most c, and not 0
        or 1 at the node. For a quadratic its error is .06, .014, .0024, .0009 at sigma = 2, 4, 8, 16 spacings; where Q
        itself has features of few spacings, the interpolant rules.

        Parameters
        ----------
        threshold
            One c, or an array of them.

        Returns
        -------
        probability
            Shape (*threshold.shape, T, *grid.shape).

        Raises
        ------
        NonFiniteError
            For NaN.

        Examples
        --------
        >>> import numpy as np
        >>> from heatpg import Axis, Grid, Landscape
        >>> from heatpg.risk import distribution
        >>> grid = Grid(Axis("x", -8.0, 8.0, 321, boundary="clip"))
        >>> line = distribution(Landscape.from_function(lambda x: 2.0 * x, grid), 0.5)
        >>> line.probability([-1.0, 0.0])[:, 0, 160].round(3).tolist()  # Phi(-1), Phi(0)
        [0.159, 0.5]
        """
        asked = real_numbers("threshold", threshold)
        if np.isnan(asked).any():
            raise NonFiniteError(
                "thresholds must not be NaN", given=repr(threshold), advice="pass numbers in units of Q"
            )
        levels, kind = len(self.sigma), self.landscape.values.dtype
        require_memory(
            kind.itemsize * asked.size * levels * self.grid.size,
            f"probabilities at {asked.size} thresholds and {levels} sigmas",
            "pass fewer thresholds at a time",
        )
        # rounding of the fields must not show: each is at least that of the threshold below
        unique, back = np.unique(asked.reshape(-1), return_inverse=True)
        with np.errstate(over="ignore"):
            pure = self._flow.pure(unique)
        result = np.empty((len(unique), levels, *self.grid.shape), kind)
        chunk = self._flow.at_once(levels)
        for begin in range(0, len(unique), chunk):
            some = pure[begin : begin + chunk]
            result[begin : begin + len(some)] = np.moveaxis(self._flow.probabilities(some, self.noise), 1, 0)
        np.maximum.accumulate(result, axis=0, out=result)
        return result[back].reshape(*asked.shape, levels, *self.grid.shape)

    def quantile(
        self,
        q: float,
        *,
        tolerance: float | None = None,
        most: int = MOST_THRESHOLDS,
        progress: Progress = None,
    ) -> Quantile:
        """The q-quantile of the return at every mu and sigma: value at risk.

        Parameters
        ----------
        q
            Fraction of returns that are at most the quantile, 1e-9 to 1.
        tolerance
            How near the thresholds below and above are to be, in units of Q; by default 1e-3 of max Q - min Q.
        most
            Most thresholds of a level.
        progress
            A function that is called as ``progress(done, total)`` after each level, or True for a progress bar.

        Examples
        --------
        >>> import numpy as np
        >>> from heatpg import Axis, Grid, Landscape
        >>> from heatpg.risk import distribution
        >>> grid = Grid(Axis("x", -8.0, 8.0, 321, boundary="clip"))
        >>> line = distribution(Landscape.from_function(lambda x: 2.0 * x, grid), 0.5)
        >>> float(line.quantile(0.1).values[0, 160].round(2))  # Phi^-1(.1)
        -1.28
        """
        fraction = fraction_of(q)
        ladders, resolved, wanted = self._ladders(QuantileLadder, self._flow, fraction, tolerance, most, progress)
        values, lower, upper = (
            self._flow.measured(np.stack([getattr(one, name) for one in ladders]))
            for name in ("quantile", "low", "high")
        )
        thresholds = [_ascending(self._flow, one) for one in ladders]
        return Quantile(fraction, self.sigma, values, lower, upper, thresholds, resolved, wanted)

    def tail_mean(
        self,
        q: float,
        *,
        tolerance: float | None = None,
        most: int = MOST_THRESHOLDS,
        progress: Progress = None,
    ) -> TailMean:
        """Mean of the worst q of all returns at every mu and sigma: CVaR, expected shortfall.

        CVaR_q = max over c of c - u[(c - Q)_+] / q, by a ladder of thresholds c that is refined where the bounds are
        apart.

        Parameters
        ----------
        q
            The fraction, 1e-9 to 1; at 1 the tail mean is the mean.
        tolerance
            How near the bounds are to be, in units of Q; by default 1e-3 of max Q - min Q.
        most
            Most thresholds of a level; `TailMean.missing` says where more are needed.
        progress
            A function that is called as ``progress(done, total)`` after each level, or True for a progress bar.

        References
        ----------
        R. T. Rockafellar, S. Uryasev, Optimization of conditional value-at-risk, J. Risk 2 (2000),
        doi:10.21314/JOR.2000.038.

        Examples
        --------
        >>> import numpy as np
        >>> from heatpg import Axis, Grid, Landscape
        >>> from heatpg.risk import distribution
        >>> grid = Grid(Axis("x", -8.0, 8.0, 321, boundary="clip"))
        >>> line = distribution(Landscape.from_function(lambda x: 2.0 * x, grid), 0.5)
        >>> float(line.tail_mean(0.1).values[0, 160].round(2))  # -phi(z) / q, z = Phi^-1(.1)
        -1.76
        """
        return tail_mean_of(self, q, tolerance, most, progress)

    def _ladders(
        self,
        kind: type[Ladder],
        flow: PositiveFlow,
        q: float,
        tolerance: float | None,
        most: int,
        progress: Progress,
        finish: Callable[[Any], None] = lambda _: None,
    ) -> tuple[list[Ladder], NDArray[np.bool_], float]:
        """One ladder a level, whether each is resolved, and the tolerance in units of Q."""
        tell = progress_of(progress, "bounding")
        most, levels = whole_number("most", most), len(self.sigma)
        wanted = TOLERANCE * self.landscape.oscillation
        if tolerance is not None:
            wanted = finite_number("tolerance", tolerance, lower=0.0)
        # brackets with what they are compared by, and the fields that come of them
        require_memory(
            8.0 * 12 * self.grid.size * levels,
            f"tail means of {self.grid.size:,} points at {levels} sigmas",
            "use fewer noise levels or a coarser grid",
        )
        ladders: list[Ladder] = []
        resolved = np.zeros(levels, dtype=bool)
        for level in range(levels):
            one = kind(flow, self.noise[level : level + 1], q, ladders[-1] if ladders else None)
            resolved[level] = one.refine(float(np.ldexp(wanted, -flow.exponent)), most)
            finish(one)
            ladders.append(one)
            if tell is not None:
                tell(level + 1, levels)
        return ladders, resolved, wanted


def tail_mean_of(
    law: Distribution,
    q: float,
    tolerance: float | None = None,
    most: int = MOST_THRESHOLDS,
    progress: Progress = None,
    finish: Callable[[TailLadder], None] = lambda _: None,
) -> TailMean:
    """The tail mean, see `Distribution.tail_mean`; `finish` adds thresholds to the ladder of each level at the end."""
    fraction = fraction_of(q)
    # the bad tail of a loss is the upper one: that of -Q the lower
    sign = law.landscape.sense.sign
    flow = PositiveFlow(law.landscape, law.solver, sign)
    ladders, resolved, wanted = law._ladders(TailLadder, flow, fraction, tolerance, most, progress, finish)
    pure = {name: np.stack([getattr(one, name) for one in ladders]) for name in ("values", "lower", "upper")}
    still = ~np.any(law.noise != 0, axis=tuple(range(1, law.noise.ndim)))
    for fields in pure.values():
        fields[still] = flow.values
    resolved[still] = True
    measured = {name: flow.measured(fields) for name, fields in pure.items()}
    lower, upper = (measured[name] for name in (("lower", "upper") if sign > 0 else ("upper", "lower")))
    return TailMean(
        *(fraction, law.sigma, measured["values"], lower, upper),
        *([_ascending(flow, one) for one in ladders], resolved, wanted, flow, law.noise),
    )


def _ascending(flow: PositiveFlow, ladder: Ladder) -> NDArray[np.float64]:
    return np.sort(np.asarray(flow.measured(ladder.thresholds), np.float64))


@checked_call()
def distribution(
    source: Landscape | Evolution,
    sigma: Sigma | None = None,
    *,
    covariance: ArrayLike | None = None,
    solver: str | Solver = "auto",
) -> Distribution:
    """The distribution of the return Q(mu + sigma Z), at every mu and at every sigma.

    Parameters
    ----------
    source
        A landscape in one to three dimensions without batch axes; or an evolution, whose landscape, noise and solver
        are taken. A solver that has negative weights at its noise is then replaced; `Distribution.reason` says so.
    sigma
        Noise levels; by default those of the evolution, or 64 from two grid spacings to half of the box.
    covariance
        Covariances of correlated noise, instead of `sigma`.
    solver
        Name or object; one with negative weights is refused.

    Raises
    ------
    UnsupportedError
        For batch axes, more than three dimensions, and a solver or a covariance with negative weights.
    SigmaError
        For noise that is refused, or given twice.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> from heatpg.risk import distribution
    >>> law = distribution(landscapes.unequal_bumps(size=401), [0.1, 0.2, 0.4])
    >>> law.solver.name, law.mean().shape
    ('direct', (3, 401))
    """
    if isinstance(source, Evolution):
        source.require_solved("the distribution of the return")
    landscape = source.landscape if isinstance(source, Evolution) else source
    grid = landscape.grid
    if landscape.batch_shape:
        raise UnsupportedError(
            "distribution() needs a single landscape",
            given=f"batch axes {landscape.batch_shape}",
            advice="select one: Landscape(landscape.values[0], landscape.grid), or evolution.entry(0)",
        )
    if grid.dimensions > 3:
        raise UnsupportedError(
            "distributions are available in one to three dimensions", given=f"{grid.dimensions} axes"
        )
    require_extrapolated(landscape.stated_faces, "the distribution of the return")
    if sigma is not None and covariance is not None:
        raise SigmaError("give either sigma or covariance, not both")
    replace = False
    if isinstance(source, Evolution) and sigma is None and covariance is None:
        covariance, sigma = source.covariance, source.sigma
        sigma = None if covariance is not None else sigma
        if isinstance(solver, str) and solver == "auto":
            solver, replace = source.solver, True
    if covariance is not None:
        covariances = parse_covariance(covariance, grid)
        chosen, reason = choose_for_covariance(solver, grid, covariances)
        require_positive_covariances(grid, covariances)
        deviations = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
        return Distribution(landscape, deviations, covariances, chosen, reason)
    levels = parse_sigma(default_sigma(grid) if sigma is None else sigma, grid)
    rows = np.broadcast_to(levels[:, None] if levels.ndim == 1 else levels, (len(levels), grid.dimensions))
    chosen, reason = positive_solver(grid, rows, solver, replace=replace)
    return Distribution(landscape, levels, None, chosen, reason)
