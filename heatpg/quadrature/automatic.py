"""`auto`: rules of different kind in turn; a result is accepted only if another rule confirms it.

A deterministic rule estimates its error from itself: a needle between all of its nodes, or a kink that shifts two of
its levels alike, leaves it content. So randomised points are spent first, which tell the scale of the error, and a
deterministic rule counts only where it agrees with them, and with itself turned and shifted at random.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.errors import ResourceError
from heatpg.quadrature.base import Estimate, Integrand, Rule, rules
from heatpg.quadrature.residuals import Residuals, sparse_degrees, tensor_degrees

__all__ = ["Answer", "automatic"]

Array = NDArray[np.float64]

_SHARE = 4  # the first, randomised points take budget / 4. A taste: half would be the whole of quasi-Monte Carlo
_LEAST_POINTS = 11  # per axis, exact to degree 21; below it the tensor rule is not tried without a tolerance. A taste
# Dimensions in which a sparse grid is tried: its lower levels, polynomial in d, then fit a share of any budget. A taste
_MOST_SPARSE = 64
# Doubling the points of a scrambled net divides its error by 2^1.5 at best, and two doublings end a budget of which it
# had a quarter
_HOPELESS = 8.0
# A deterministic rule that is no better than this has not converged, and then its error estimate is of little worth
_FAR_BETTER = 8.0
# A closer look with more points per axis, than the value needs, may take a tenth of what was spent before. A taste
_CLOSER = 10
_FALSE_ALARM = 1e-4  # chance that two right rules are said to differ, over all comparisons of one call


@dataclasses.dataclass(frozen=True)
class Answer:
    """What `auto` decided for.

    Attributes
    ----------
    rule, size, estimate
        The rule, its size and its result.
    why
        Why it is this one.
    resolution
        Of all evaluations, see `heatpg.quadrature.base.Rule.resolution`.
    """

    rule: Rule
    size: int
    estimate: Estimate
    why: str
    resolution: float


class _Turned(Integrand):
    """The same mean in other coordinates: E f(Z) = E f(a + T Z) exp(-a.(T Z) - |a|^2 / 2), T orthogonal.

    What is integrated is c + (f - c) times the exponential, so that neither a constant nor its size has a say.
    """

    def __init__(self, inner: Integrand, turn: Array, shift: Array, level: Array) -> None:
        super().__init__(
            inner.function, inner.centres, inner.factor, gradient=inner.gradient, vectorized=inner.vectorized
        )
        self.inner, self.turn, self.shift, self.level = inner, turn, shift, level[:, np.newaxis]

    def __call__(self, nodes: Array) -> Array:
        turned = nodes @ self.turn.T
        ratio = np.exp(-(turned @ self.shift) - 0.5 * self.shift @ self.shift)
        return np.asarray(self.level + (self.inner(turned + self.shift) - self.level) * ratio)

    def back(self, estimate: Estimate) -> tuple[Array, Array | None]:
        """Value and score moments in the coordinates of the integrand that was turned."""
        if estimate.score is None:
            return estimate.value, None
        above = estimate.value[:, np.newaxis] - self.level
        return estimate.value, above * self.shift + estimate.score @ self.turn.T


class _Search:
    """One call of `automatic`: what has been evaluated, and what it says."""

    def __init__(self, integrand: Integrand, budget: int, seed: int) -> None:
        self.integrand, self.budget, self.seed = integrand, budget, seed
        self.hermite, self.smolyak, self.sampler = (rules.get(name)() for name in ("hermite", "smolyak", "montecarlo"))
        self.generator = np.random.default_rng([seed, 1])
        self.sampled: Estimate | None = None
        self.resolution = np.inf
        self.reached = np.inf
        # what the last deterministic estimate and the random points are apart, or may be: two standard errors
        self.within = np.inf
        self.residuals = Residuals(integrand)
        self._last: tuple[Rule, int, Array] | None = None

    @property
    def left(self) -> int:
        """Evaluations that are left at each centre."""
        return self.budget - self.integrand.evaluations

    def apply(self, rule: Rule, size: int, seed: int = 0) -> Estimate:
        k = self.integrand.dimensions
        self.resolution = min(self.resolution, rule.resolution(size, k))
        if rule is self.sampler:
            return rule.apply(self.integrand, size, seed)
        estimate: Estimate
        estimate, values = self.residuals.recorded(lambda: rule.apply(self.integrand, size, seed))
        self._last = (rule, size, values)
        return estimate

    def sample(self, size: int, seed: int) -> Estimate:
        """The first, randomised points, which are kept to be compared with."""
        estimate: Estimate = self.residuals.keep(lambda: self.apply(self.sampler, size, seed))
        self.sampled = estimate
        return estimate

    def unseen(self, allowed: float) -> bool:
        """Whether random points see what the nodes that were used last do not, beyond an error that is allowed."""
        if self._last is None:
            return False
        rule, size, values = self._last
        k = self.integrand.dimensions
        degrees = tensor_degrees(size, k) if rule is self.hermite else sparse_degrees(size, k)
        return self.residuals.seen(*rule.grid(size, k), values, degrees, allowed) > 1.0

    def unseen_closer(self, size: int, estimate: Estimate, allowed: float) -> bool:
        """As `unseen`, by a tensor rule of more points than the value needs, as far as these cost little.

        Its value must be the same, too.
        """
        k = self.integrand.dimensions
        most = min(self.left, self.integrand.evaluations // _CLOSER)
        closer = max((n for n in self.hermite.ladder if n**k <= most), default=0)
        if closer <= size or not len(self.residuals):
            return False
        nodes, weights = self.hermite.grid(closer, k)
        sums, values = self.residuals.recorded(lambda: self.integrand.sums(nodes, weights[:, np.newaxis]))
        if (np.abs(sums[0][0] - estimate.value) > estimate.value_error + allowed).any():
            return True
        return self.residuals.seen(nodes, weights, values, tensor_degrees(closer, k), allowed) > 1.0

    def fitting(self, rule: Rule, most: int) -> int | None:
        """The largest size for so many evaluations."""
        k = self.integrand.dimensions
        return max(itertools.takewhile(lambda size: rule.cost(size, k) <= most, rule.sizes), default=None)

    def answer(self, rule: Rule, size: int, estimate: Estimate, why: str) -> Answer:
        return Answer(rule, size, estimate, why, self.resolution)

    def sample_again(self) -> tuple[int, Estimate] | None:
        """Quasi-Monte Carlo with what is left, if that is more than it had."""
        size = self.fitting(self.sampler, self.left)
        first = self.fitting(self.sampler, self.budget // _SHARE)
        if size is None or (first is not None and size <= first):
            return None
        # scramblings of its own: independent of the points that have chosen it
        return size, self.apply(self.sampler, size, int(np.random.SeedSequence([self.seed, 2]).generate_state(1)[0]))

    def confirmed(self, rule: Rule, size: int, again: int, estimate: Estimate) -> Estimate:
        """The estimate with its distance to the rule of size `again`, turned and shifted at random, in its errors."""
        k = self.integrand.dimensions
        turn, shift = np.eye(k), self.generator.normal(size=k)
        if rule is self.hermite and k > 1:
            turn = np.asarray(np.linalg.qr(self.generator.normal(size=(k, k)))[0])
        # half the distance of two nodes at most: beyond, the exponential is no longer smooth on their scale
        shift *= self.generator.uniform(0.25, 1.0) * rule.resolution(size, k) / np.linalg.norm(shift)
        turned = _Turned(self.integrand, turn, shift, estimate.value)
        value, score = turned.back(rule.apply(turned, again, 0))
        other = self.integrand.compare((estimate.value, estimate.score), (value, score), estimate.magnitude)
        value_error = np.maximum(estimate.value_error, other.value_error)
        score_error = _larger(estimate.score_error, other.score_error)
        if score_error is not None:
            # a single difference may be small by chance: that of the value is no smaller than those of the scores
            value_error = np.maximum(value_error, score_error.max(axis=1))
        return dataclasses.replace(
            estimate,
            value_error=value_error,
            score_error=score_error,
            gradient_error=_larger(estimate.gradient_error, other.gradient_error),
            worst=max(estimate.worst, other.worst),
        )

    def agrees(self, estimate: Estimate, tolerance: float) -> bool:
        """Whether values and score moments are where the randomised points say, within both errors."""
        from scipy.special import stdtrit

        first = self.sampled
        if first is None:
            return True
        pairs = [(estimate.value, estimate.value_error, first.value, first.value_error)]
        if estimate.score is not None:
            pairs.append((estimate.score, estimate.score_error, first.score, first.score_error))  # type: ignore[arg-type]
        self.within = max(
            float(np.maximum(np.abs(value - other), 2.0 * spread).max()) for value, _, other, spread in pairs
        )
        repeats: Any = self.sampler
        count = sum(pair[0].size for pair in pairs)
        quantile = float(stdtrit(repeats.randomizations - 1, 1.0 - _FALSE_ALARM / (2 * count)))
        return all(
            bool((np.abs(value - other) <= error + quantile * spread + tolerance).all())
            for value, error, other, spread in pairs
        )

    def climb(self, rule: Rule, tolerance: float, most: int) -> tuple[int, Estimate] | None:
        """Sizes in turn, with at most so many evaluations, until one reaches the tolerance and is borne out."""
        k, end = self.integrand.dimensions, self.integrand.evaluations + most
        for size in rule.ladder:
            cost = rule.cost(size, k)
            if self.integrand.evaluations + cost > end:
                break
            estimate = self.apply(rule, size)
            if estimate.worst > tolerance or not self.agrees(estimate, tolerance) or self.unseen(tolerance):
                continue
            if rule is self.hermite and self.unseen_closer(size, estimate, tolerance):
                continue
            if self.integrand.evaluations + cost > end:
                break
            estimate = self.confirmed(rule, size, size, estimate)
            if estimate.worst <= tolerance:
                return size, estimate
            self.reached = min(self.reached, estimate.worst)
        return None


def automatic(integrand: Integrand, *, budget: int, tolerance: float | None, seed: int) -> Answer:
    """Integrate by the rule that turns out right.

    Parameters
    ----------
    integrand
        The function in coordinates of standard normal noise.
    budget
        Most evaluations at each centre.
    tolerance
        As for `heatpg.quadrature.mollify`.
    seed
        Of the randomised points, turns and shifts.

    Raises
    ------
    ResourceError
        If no rule reached the tolerance within the budget.
    """
    search, k = _Search(integrand, budget, seed), integrand.dimensions
    hermite, sampler = search.hermite, search.sampler
    first = search.fitting(sampler, budget // _SHARE)
    if tolerance is None:
        points = search.fitting(hermite, budget // 2)
        if points is None or points < _LEAST_POINTS:
            size = sampler.largest_size(k, budget)
            estimate = search.apply(sampler, size, seed)
            return search.answer(
                *(sampler, size, estimate),
                f"montecarlo, because {_LEAST_POINTS} points per axis of a tensor rule need "
                f"{hermite.cost(_LEAST_POINTS, k):.3g} evaluations, more than half of budget={budget}, and a sparse "
                f"grid would assume unknown smoothness",
            )
        return _best(search, first, points)
    if first is not None:
        sampled = search.sample(first, seed)
        integrand.require_tolerance(tolerance, sampled.magnitude)
        search.reached = sampled.worst
        if sampled.worst <= tolerance:
            return search.answer(sampler, first, sampled, "montecarlo, which reaches the tolerance")
    # where more random points cannot reach the tolerance, nothing is kept back for them
    hopeless = first is None or search.reached > _HOPELESS * tolerance
    most = search.left - (0 if hopeless else budget // 2)
    # up to three dimensions the tensor rule has fewer points for the same error, from five on it has too many
    order = [hermite] if k <= 3 else [search.smolyak, hermite] if k == 4 else [search.smolyak]
    end = integrand.evaluations + most
    for rule in order:
        if k > _MOST_SPARSE:
            break
        share = end - integrand.evaluations
        found = search.climb(rule, tolerance, share // 2 if rule is not order[-1] else share)
        if found is not None:
            return search.answer(rule, *found, f"{rule.name}, which reaches the tolerance{_agreement(search, first)}")
    last = search.sample_again()
    if last is not None:
        integrand.require_tolerance(tolerance, last[1].magnitude)
        search.reached = min(search.reached, last[1].worst)
        if last[1].worst <= tolerance:
            names = " and ".join(rule.name for rule in order)
            return search.answer(sampler, *last, f"montecarlo, because {names} did not reach the tolerance")
    raise ResourceError(
        "no rule reached the tolerance",
        given=f"tolerance={tolerance}, budget={budget}",
        allowed=f"at least {search.reached:.2g}, the error after {integrand.evaluations} evaluations at each centre",
        advice="raise the tolerance or the budget",
    )


def _larger(one: Array | None, other: Array | None) -> Array | None:
    return None if one is None or other is None else np.maximum(one, other)


def _agreement(search: _Search, first: int | None) -> str:
    if first is None:
        return "; the budget is too small to compare it with random points"
    return f" and agrees with {search.sampler.cost(first, 1)} random points to within {search.within:.1g}"


def _best(search: _Search, first: int | None, points: int) -> Answer:
    """Without a tolerance: the tensor rule where it is borne out and errs less than random points do."""
    hermite, sampler = search.hermite, search.sampler
    if first is not None:
        search.sample(first, search.seed)
    estimate = search.apply(hermite, points)
    missed = search.unseen(estimate.worst)
    again = search.fitting(hermite, min(search.left, search.budget // _SHARE))
    if again is not None:
        estimate = search.confirmed(hermite, points, min(points, again), estimate)
    if search.sampled is None:
        return search.answer(hermite, points, estimate, f"hermite{_agreement(search, None)}")
    if not search.agrees(estimate, 0.0):
        why = "hermite differs from random points by more than both errors"
    elif missed:
        why = "values at random points vary far more about a polynomial through those of hermite than these do"
    elif _FAR_BETTER * estimate.worst > search.sampled.worst:
        why = f"hermite errs by about {estimate.worst:.2g}, not far less than random points"
    else:
        return search.answer(hermite, points, estimate, f"hermite, which{_agreement(search, first)[4:]}")
    last = search.sample_again()
    assert first is not None
    size, sampled = last if last is not None else (first, search.sampled)
    return search.answer(sampler, size, sampled, f"montecarlo, because {why}")
