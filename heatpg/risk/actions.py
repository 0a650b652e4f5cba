"""The safest action and the action with the best mean: each with its track, jumps and price."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from heatpg.core.extrema import on_edge
from heatpg.core.grid import Grid, position_words
from heatpg.core.landscape import Landscape
from heatpg.core.linear import piecewise_linear
from heatpg.core.noise import Sigma, sigma_words
from heatpg.errors import OptionError, UnsupportedError
from heatpg.evolution import Evolution
from heatpg.risk.jumps import ActionJump, Measure, jump_between, mean_jump_error, value_errors
from heatpg.risk.ladder import TailLadder
from heatpg.risk.positive import PositiveFlow
from heatpg.risk.returns import MOST_THRESHOLDS, Distribution, TailMean, distribution, fraction_of, tail_mean_of
from heatpg.risk.scatter import Scatter, error_over_seeds
from heatpg.risk.tops import apart, around, candidates, sharpen, sharpen_best
from heatpg.solvers import Solver
from heatpg.tools.calls import checked_call
from heatpg.tools.lines import one_line
from heatpg.tools.plain import fields_as_dict, plain
from heatpg.tools.progress import Progress

__all__ = ["ActionJump", "Actions", "Parting", "SafestAction", "safest_action"]

Array = NDArray[Any]

_MOST_TOLD = 4  # jumps or intervals in one sentence (taste)


class _JumpEvent(Protocol):
    """What is taken of a jump of the optimum that was found by tracks."""

    @property
    def sigma(self) -> float: ...
    @property
    def uncertainty(self) -> float: ...
    @property
    def position(self) -> tuple[float, ...]: ...


@dataclasses.dataclass(frozen=True)
class Parting:
    """A noise level at which the safest action and the action with the best mean start to differ, or agree again.

    Attributes
    ----------
    sigma, uncertainty
        Where, of the noisiest axis: at a jump of either, or half way between two levels if they drift apart.
    safest, best_mean
        Both actions at the next level.
    apart
        Whether they are apart from there on, or together.
    sampling
        Standard error of the sigma of a jump over the seeds; 0 without the returns of seeds, and where they drift.
    """

    sigma: float
    uncertainty: float
    safest: tuple[float, ...]
    best_mean: tuple[float, ...]
    apart: bool
    sampling: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The parting as JSON-like values."""
        return fields_as_dict(self)


@dataclasses.dataclass(frozen=True)
class Sampling:
    """Standard errors over the seeds at one noise level, from differences seed by seed.

    Attributes
    ----------
    value
        Of the tail mean at the safest action.
    gained
        Of the gain of the tail mean compared with the action with the best mean.
    lost
        Of the loss of the mean.
    """

    value: float = 0.0
    gained: float = 0.0
    lost: float = 0.0


@dataclasses.dataclass(frozen=True, eq=False)
class Actions:
    """The action that is best by one measure, against sigma.

    Attributes
    ----------
    positions
        Shape (T, dimensions); between the nodes by a quadratic through its neighbours, of the mean as computed there.
    values
        The measure there, shape (T,).
    price
        Loss in Q, without noise, compared with the best node of Q, shape (T,).
    on_edge
        Whether it lies on the edge of the box, shape (T,).
    jumps
        Every jump to another maximum.
    """

    positions: NDArray[np.float64]
    values: NDArray[np.float64]
    price: NDArray[np.float64]
    on_edge: NDArray[np.bool_]
    jumps: list[ActionJump]

    @property
    def sigma_jump(self) -> ActionJump | None:
        """The first jump, or None if the action moves without one."""
        return next(iter(self.jumps), None)

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON-like values."""
        return fields_as_dict(self, ["jumps"]) | {"jumps": [jump.as_dict() for jump in self.jumps]}


@dataclasses.dataclass(frozen=True, eq=False)
class SafestAction:
    """The safest action compared with the action with the best mean, as functions of sigma; returned by
    `safest_action`.

    Attributes
    ----------
    q
        The fraction of the worst returns (of a loss: the largest losses) whose mean is made as good as possible.
    sigma
        Noise levels (of the noisiest axis), shape (T,).
    safest
        The action with the best tail mean; `values` are tail means.
    best_mean
        The action with the best mean; `values` are means.
    partings
        Where the two start to differ and agree again: differing along an axis by more than the noise, or than two
        spacings.
    mean_lost
        Loss of the mean at the safest action compared with the best mean, shape (T,).
    tail_gained
        Gain of the tail mean at the safest action compared with the action with the best mean, shape (T,). Neither is
        negative: a difference below 0, within the uncertainty, is told as 0.
    uncertainty
        Of the tail mean at the safest action and at the one with the best mean, by level, for the levels that the
        sentences quote: from the bounds, and from the sampling of Q, according to half the spacing with Q interpolated.
    distribution, tail
        All fields.
    sampling
        Standard errors over the seeds at the same levels as `uncertainty`; empty without the returns of seeds.
    """

    q: float
    sigma: NDArray[np.float64]
    safest: Actions
    best_mean: Actions
    partings: list[Parting]
    mean_lost: NDArray[np.float64]
    tail_gained: NDArray[np.float64]
    uncertainty: dict[int, tuple[float, float]]
    distribution: Distribution
    tail: TailMean
    sampling: dict[int, Sampling] = dataclasses.field(default_factory=dict)

    @property
    def parting(self) -> Parting | None:
        """Where they first differ, or None if they never do."""
        return next((one for one in self.partings if one.apart), None)

    def with_mean_jumps(self, events: Sequence[_JumpEvent]) -> SafestAction:
        """The same with jumps of the best mean that are known from its tracks, and the partings that follow.

        Parameters
        ----------
        events
            All of them, as `heatpg.scalespace.ScaleSpace.jumps`. One between two levels where one was found already
            keeps the larger uncertainty, because that counts the sampling of Q.
        """
        known, law = [], self.distribution
        flow = PositiveFlow(law.landscape, law.solver, law.landscape.sense.sign)
        measure, ratio = Measure(flow, None, MOST_THRESHOLDS), law.noise[-1] / self.sigma[-1]
        for event in events:
            level = int(np.searchsorted(self.sigma, event.sigma))
            own = [one for one in self.best_mean.jumps if np.searchsorted(self.sigma, one.sigma) == level]
            error = max([event.uncertainty, *(one.uncertainty for one in own)])
            before = tuple(self.best_mean.positions[max(0, level - 1)].tolist())
            places = np.array([before, event.position])
            sampling = event.sigma * mean_jump_error(measure, event.sigma * ratio, places)
            known.append(ActionJump(event.sigma, error, before, tuple(event.position), sampling))
        best_mean = dataclasses.replace(self.best_mean, jumps=known)
        partings = _partings(law.grid, law.noise, self.sigma, self.safest, best_mean)
        return dataclasses.replace(self, best_mean=best_mean, partings=partings)

    @property
    def sentences(self) -> dict[str, str]:
        """One finding each, by topic."""
        landscape = self.distribution.landscape
        last = len(self.sigma) - 1
        what = "losses" if landscape.minimise else "returns"
        point = landscape.point_word
        tail = f"the mean of the worst {self.q:.4g} of all {what}"
        first_noise, last_noise = (self._noise(level) for level in (0, last))
        result = {
            "safest": (
                f"The safest {point}, by {tail} (CVaR), is {self._place(self.safest.positions[0])} at sigma = "
                f"{first_noise}, with {self._value(0)}, and {self._place(self.safest.positions[last])} at sigma = "
                f"{last_noise}, with {self._value(last)}.{_mean_words(landscape, sampled=bool(self.sampling))}"
            )
        }
        jumps = [self._jump_words(jump) for jump in self.safest.jumps]
        if jumps:
            when, where = jumps[0]
            more = [f"{later} {other}" for later, other in jumps[1:]]
            moves = f"A{when[1:]} the safest {point} jumps {_listed([where, *more])}"
        else:
            moves = f"From sigma = {first_noise} to {last_noise} the safest {point} moves without a jump"
        sigmas = [self._known(jump.sigma, jump.uncertainty, jump.sampling) for jump in self.best_mean.jumps]
        mean = f"jumps at sigma = {_listed(sigmas)}" if sigmas else "does not jump"
        result["safest jump"] = f"{moves}; the {point} with the best mean {mean}."
        result["parting"] = self._parting_words()
        if self.tail.missing:
            result["thresholds"] = f"{self.tail.missing[0].upper()}{self.tail.missing[1:]}."
        return {topic: one_line(sentence) for topic, sentence in result.items()}

    def _jump_words(self, jump: ActionJump) -> tuple[str, str]:
        """When and where."""
        return (
            f"at sigma = {self._known(jump.sigma, jump.uncertainty, jump.sampling)}",
            f"from {self._place(jump.before)} to {self._place(jump.after)}",
        )

    def _parting_words(self) -> str:
        point = self.distribution.landscape.point_word
        begins = [one for one in self.partings if one.apart]
        if not begins:
            return (
                f"At every sigma the safest {point} differs from the {point} with the best mean by less than the noise."
            )
        intervals = [self._interval_words(one) for one in begins]
        examples = []
        for one in begins[:_MOST_TOLD]:
            level = int(np.searchsorted(self.sigma, one.sigma))
            sampled = self.sampling.get(level, Sampling())
            gained = self._known(float(self.tail_gained[level]), sum(self.uncertainty[level]), sampled.gained)
            lost = f"{self.mean_lost[level]:.3g}"
            if sampled.lost:
                lost = self._known(float(self.mean_lost[level]), 0.0, sampled.lost)
            examples.append(
                f"At sigma = {self._noise(level)} it is {self._place(one.safest)} instead of "
                f"{self._place(one.best_mean)}: the mean is worse by {lost}, the tail mean better by {gained}."
            )
        told = _listed(intervals)
        return (
            f"{told[0].upper()}{told[1:]} the safest {point} differs from the {point} with the best mean. "
            f"{' '.join(examples)}"
        )

    def _interval_words(self, begin: Parting) -> str:
        """Where they differ: from one parting on, up to the next."""
        end = next((one for one in self.partings if not one.apart and one.sigma > begin.sigma), None)
        until = "" if end is None else self._known(end.sigma, end.uncertainty, end.sampling)
        if begin.sigma <= self.sigma[0]:
            first = self._noise(0)
            return f"from the smallest noise level, {first}, up to " + (until or f"the largest, {self._noise(-1)},")
        start = self._known(begin.sigma, begin.uncertainty, begin.sampling)
        return f"between sigma = {start} and {until}" if until else f"for sigma >= {start}"

    def _noise(self, level: int) -> str:
        rows = self.distribution.noise[level]
        if np.ptp(rows) == 0:
            return sigma_words(rows[0], digits=4)
        return sigma_words(rows, digits=4, unit=[axis.unit or "" for axis in self.distribution.grid])

    def _place(self, position: Any) -> str:
        words = position_words(self.distribution.grid, position)
        return f"({', '.join(words)})" if len(words) > 1 else words[0]

    def _value(self, level: int) -> str:
        scale = self.distribution.landscape.oscillation
        sampled = self.sampling.get(level, Sampling())
        return self._known(float(self.safest.values[level]), self.uncertainty[level][0], sampled.value, scale)

    def _known(self, value: float, error: float, sampling: float, scale: float = 0.0) -> str:
        """A number with the larger of its two errors, which is named where there are two."""
        words = known_words(value, max(error, sampling), scale)
        if not self.sampling:
            return words
        return words.replace("(+-", f"({'sampling' if sampling > error else 'solver'} error +-")

    def __str__(self) -> str:
        return "\n".join(self.sentences.values())

    def __repr__(self) -> str:
        parting = "stays with" if self.parting is None else f"differs from sigma {self.parting.sigma:.5g} on from"
        return f"<SafestAction of {self.distribution.landscape.name!r}, q = {self.q:g}: {parting} the best mean>"

    def as_dict(self) -> dict[str, Any]:
        """Everything but the fields as JSON-like values."""
        return {
            "q": self.q,
            "sigma": plain(self.sigma),
            "sentences": self.sentences,
            "safest": self.safest.as_dict(),
            "best_mean": self.best_mean.as_dict(),
            "partings": [one.as_dict() for one in self.partings],
            "mean_lost": plain(self.mean_lost),
            "tail_gained": plain(self.tail_gained),
            "uncertainty": {str(level): list(errors) for level, errors in sorted(self.uncertainty.items())},
            "sampling": {str(level): dataclasses.asdict(one) for level, one in sorted(self.sampling.items())},
            "solver": self.distribution.solver.describe(),
            "reason": self.distribution.reason,
            "gap": plain(self.tail.gap),
            "thresholds": [len(one) for one in self.tail.thresholds],
            "missing": self.tail.missing,
        }


def known_words(value: float, error: float, scale: float = 0.0) -> str:
    """A number with as many digits as are known, six at most, and its uncertainty.

    Where a number may be far larger than what it is compared with, its `scale`, six digits of that are told.

    Examples
    --------
    >>> from heatpg.risk.actions import known_words
    >>> known_words(0.0026116646, 3e-5), known_words(0.0332426, 2e-11), known_words(1234.5, 20.0)
    ('0.00261 (+- 3e-05)', '0.0332426 (+- 2e-11)', '1230 (+- 20)')
    >>> known_words(0.02, 6e-4), known_words(-3e-9, 1e-3), known_words(3.0, 0.0), known_words(1e9 + 0.5, 0.1, 2.0)
    ('0.0200 (+- 0.0006)', '0 (+- 0.001)', '3', '1000000000.5 (+- 0.1)')
    """
    first = math.floor(math.log10(abs(value))) if value else 0
    most = 6 + max(0, first - math.floor(math.log10(scale)) if scale > 0 else 0)
    if not error > 0:
        return f"{value:.{most}g}"
    last = math.floor(math.log10(error))
    if not value or first < last:  # less than its uncertainty
        return f"{round(value, -last) + 0.0:g} (+- {error:.1g})"
    digits = min(first - last + 1, most)
    words = f"{value:#.{digits}g}".removesuffix(".")  # zeros at the end are known too
    return f"{float(words):.15g} (+- {float(f'{error:.1g}'):g})" if "e+" in words else f"{words} (+- {error:.1g})"


def _listed(parts: list[str]) -> str:
    """Parts of a sentence in order, the first of them if there are many."""
    more = len(parts) - _MOST_TOLD
    parts = parts[:_MOST_TOLD] + ([f"{more} more times"] if more > 0 else [])
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _mean_words(landscape: Landscape, *, sampled: bool) -> str:
    """What the tail of a mean over rollouts leaves out; empty where Q is no mean."""
    error = landscape.standard_error
    if landscape.returns is None and (error is None or not error.any()):
        return ""
    over = "rollouts" if landscape.returns is None else f"{len(landscape.returns)} seeds"
    known = "Sampling errors are standard errors over the seeds, to first order."
    if not sampled:
        known = "The uncertainties (+-) do not include the error of this mean."
    return (
        f" Q is the mean over {over}: the worst {'losses' if landscape.minimise else 'returns'} are those of this mean "
        f"under the noise in the {landscape.point_word}, and the spread of single episodes is not part of them. {known}"
    )


def _read(landscape: Landscape, places: Array) -> NDArray[np.float64]:
    """Q at places: from its source if that is known, else linear between the nodes."""
    if landscape.has_sampler:
        return landscape.sample(places)
    return piecewise_linear(landscape, places)


def _actions(measure: Measure, fields: Array, noise: Array, law: Distribution) -> Actions:
    """Where one measure is best at every level, in the units of Q."""
    grid, flow, landscape = law.grid, measure.flow, law.landscape
    nodes = [measure.best(field, row) for field, row in zip(fields, noise, strict=True)]
    tops = [measure.top(field, row, node) for field, row, node in zip(fields, noise, nodes, strict=True)]
    places, heights = (np.array(each) for each in zip(*tops, strict=True))
    pairs = ((level, level + 1) for level in range(len(nodes) - 1))
    found = (jump_between(measure, (noise[i], noise[j]), (nodes[i], nodes[j])) for i, j in pairs)
    jumps = [jump for jump in found if jump is not None]
    sign = landscape.sense.sign
    best = float((sign * landscape.values).max())
    edge = np.array([on_edge(np.unravel_index(node, grid.shape), grid) for node in nodes])
    price = best - sign * _read(landscape, places)
    return Actions(places, np.asarray(flow.measured(heights), np.float64), price, edge, jumps)


def _partings(grid: Grid, noise: Array, sigma: Array, safest: Actions, best_mean: Actions) -> list[Parting]:
    """Every level from which on the two actions are apart, or together again, with the sigma in between."""
    pairs = list(zip(safest.positions, best_mean.positions, strict=True))
    apart_at = [apart(grid, row, *pair) for row, pair in zip(noise, pairs, strict=True)]
    found = []
    before = False
    for level, now in enumerate(apart_at):
        if now != before:
            low, high = float(sigma[max(0, level - 1)]), float(sigma[level])
            jumps = [jump for jump in [*safest.jumps, *best_mean.jumps] if level and low <= jump.sigma <= high]
            # a jump parts them, or brings them together; without one they drift
            sigmas = [(jump.sigma, jump.uncertainty, jump.sampling) for jump in jumps]
            sigmas = sigmas or [(0.5 * (low + high), 0.5 * (high - low), 0.0)]
            where, error, sampling = min(sigmas) if now else max(sigmas)
            places = [tuple(place.tolist()) for place in pairs[level]]
            found.append(Parting(where, error, places[0], places[1], now, sampling))
        before = now
    return found


@checked_call()
def safest_action(
    source: Distribution | Landscape | Evolution,
    q: float = 0.1,
    *,
    sigma: Sigma | None = None,
    solver: str | Solver = "auto",
    tolerance: float | None = None,
    most: int = MOST_THRESHOLDS,
    progress: Progress = None,
) -> SafestAction:
    """Which action is safest at each exploration noise, and when does it differ from the action with the best mean?

    Safest is the action with the best tail mean (CVaR): the mean of the worst q of all returns Q(mu + sigma Z).

    Parameters
    ----------
    source
        A landscape or an evolution, see `distribution`; or a distribution.
    q
        The fraction of the worst returns, 1e-9 to 1.
    sigma, solver
        As of `distribution`; not where that is given.
    tolerance, most, progress
        As of `Distribution.tail_mean`.

    Returns
    -------
    found
        Print it for the findings.

    Raises
    ------
    OptionError
        For sigma or a solver together with a distribution.
    UnsupportedError
        For correlated noise, for a flat landscape, and for all that `distribution` refuses.

    Notes
    -----
    At each level the bounds of the tail mean are brought to 1e-7 of osc(Q) where it is best, whatever the tolerance.
    A jump is enclosed between the levels by bisection, which tells it from a fast drift, and then solved for: there two
    maxima with a valley between them are equally high. Its uncertainty is from the bounds, and from the same with Q
    interpolated on half the spacing (with one axis on a third as well), because the error of a tail mean is of second
    order in h / sigma: (c - Q)_+ has a kink between nodes. Two jumps between neighbouring levels are seen as one.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.risk import safest_action
    >>> grid = Grid(Axis("x", -4.0, 4.0, 2001, boundary="clip"))
    >>> peaks = lambda x: np.exp(-((x + 1) ** 2) / 0.02) + 0.8 * np.exp(-((x - 0.8) ** 2) / 0.32)
    >>> found = safest_action(Landscape.from_function(peaks, grid), q=0.1, sigma=[0.02, 0.05, 0.1])
    >>> [round(each.sigma_jump.sigma, 3) for each in (found.safest, found.best_mean)], len(found.partings)
    ([0.033, 0.079], 2)
    """
    fraction = fraction_of(q)
    if isinstance(source, Distribution):
        if sigma is not None or not (isinstance(solver, str) and solver == "auto"):
            raise OptionError(
                "a Distribution has its noise levels and its solver",
                given="sigma=" if sigma is not None else "solver=",
                advice="omit it, or pass the landscape instead of the distribution",
            )
        law = source
    else:
        law = distribution(source, sigma, solver=solver)
    if law.covariance is not None:
        raise UnsupportedError(
            "the safest action is tracked along sigma, but this noise is correlated",
            advice=f"use tail_mean({fraction:g}) of this Distribution, the tail mean of every action",
        )
    if law.landscape.oscillation == 0:
        raise UnsupportedError("the landscape is constant, so no action is safer than another")

    def finish(ladder: TailLadder) -> None:
        """Bring the bounds together where either action is."""
        sharpen_best(ladder)
        candidates(ladder.values, ladder, law.grid)
        sharpen(ladder, around(law.grid, int(np.argmax(ladder.mean))))

    tail = tail_mean_of(law, fraction, tolerance, most, progress, finish)
    flow = PositiveFlow(law.landscape, law.solver, law.landscape.sense.sign)
    noise = law.noise
    levels = noise.max(axis=1)
    means, tails = flow.means(lambda s: s[None], noise)[:, 0], flow.pure(tail.values)
    by_tail, by_mean = Measure(flow, fraction, most), Measure(flow, None, most)
    safest, best_mean = _actions(by_tail, tails, noise, law), _actions(by_mean, means, noise, law)
    lost, gained = np.zeros(len(levels)), np.zeros(len(levels))
    for level, row in enumerate(noise):
        places = np.stack([best_mean.positions[level], safest.positions[level]])
        lost[level] = -np.diff(by_mean.between(means[level], row, places))[0]
        gained[level] = np.diff(by_tail.between(tails[level], row, places))[0]
    # Each action is the best by its own measure: what is below 0 is round-off, and what the bounds leave.
    lost, gained = (np.asarray(flow.difference(np.maximum(each, 0.0)), np.float64) for each in (lost, gained))
    partings = _partings(law.grid, noise, levels, safest, best_mean)
    gaps = np.asarray(tail.upper - tail.lower, np.float64).reshape(len(levels), -1)
    uncertainty, sampling = {}, {}
    for level in {0, len(levels) - 1, *(int(np.searchsorted(levels, one.sigma)) for one in partings if one.apart)}:
        values = safest.values[level] - np.array([0.0, law.landscape.sense.sign * gained[level]])
        places = np.stack([safest.positions[level], best_mean.positions[level]])
        at = [int(np.argmax(tails[level])), int(np.argmax(means[level]))]
        found = value_errors(by_tail, noise[level], places, values, gaps[level][at])
        uncertainty[level] = (float(found[0]), float(found[1]))
        if by_tail.scatter is not None:
            sampling[level] = _sampling(by_tail.scatter, (by_tail, by_mean), noise[level], places)
    return SafestAction(fraction, levels, safest, best_mean, partings, lost, gained, uncertainty, law, tail, sampling)


def _sampling(scatter: Scatter, measures: tuple[Measure, Measure], noise: Array, places: Array) -> Sampling:
    """Standard errors over the seeds, of the tail mean at the safest action and of differences to another place."""
    fields = [measure.at(noise) for measure in measures]
    tails, means = ([field.changes(scatter, place) for place in places] for field in fields)
    errors = [error_over_seeds(each) for each in (tails[0], tails[0] - tails[1], means[0] - means[1])]
    return Sampling(*(float(scatter.flow.difference(error)) for error in errors))
