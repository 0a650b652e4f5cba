"""Confidence intervals over seeds for value, location and price of the optimum under noise, and for its jump."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from heatpg.core.grid import Grid
from heatpg.errors import OptionError, UnsupportedError
from heatpg.intervals.jumps import JumpInterval, destination, jump_intervals
from heatpg.intervals.reading import read_at, stencil, wrapped_distance
from heatpg.intervals.resampling import drawn_weights, tops, widened_share
from heatpg.intervals.widths import WidthInterval, width_interval
from heatpg.scalespace import Event, PriceCurve, ScaleSpace
from heatpg.scalespace.folds import Fold, fold_at
from heatpg.scalespace.origin import departure, fade
from heatpg.scalespace.pricing import noise_words, place_words
from heatpg.scalespace.verdict import Verdict
from heatpg.solvers.uncertainty import error_of_mean
from heatpg.tools.arguments import finite_number
from heatpg.tools.calls import checked_call
from heatpg.tools.plain import plain

__all__ = ["EndInterval", "HeldOut", "Intervals", "Lead", "left_out", "qualified", "seed_intervals"]

Array = NDArray[Any]

_RESAMPLES = 2000  # the share beyond an end, .0057 at S = 8, is then that of eleven resamples
_SKEWED = 2.0  # standard deviations of the skewness of as many normal numbers; a taste
_NOT_GIVEN = "the number of maxima and the basin"
# of log sigma: by more than this the sigma of an end is no linear function of the seeds any more
_LINEAR = 0.5


def _between(low: str, high: str) -> str:
    """Where something lies, of ends as they are printed: equal ones are an interval that is narrower than that."""
    return f"is {low} at both ends of the interval" if low == high else f"lies between {low} and {high}"


@dataclasses.dataclass(frozen=True, eq=False)
class HeldOut:
    """Unbiased estimate of Q at its best node: the node is chosen without the seed that is evaluated.

    The maximum of noisy numbers is biased upwards. Here each seed in turn is omitted, the best node is chosen by the
    mean of the others, and the return of the omitted seed is taken there.

    Attributes
    ----------
    value
        The mean of these returns: an unbiased value of the node that so many seeds choose, which may be worse than the
        best node.
    error
        Its standard error.
    apparent
        The mean of all seeds at the node that is best for it.
    """

    value: float
    error: float
    apparent: float


@dataclasses.dataclass(frozen=True, eq=False)
class Lead:
    """By how much u at its optimum exceeds u at what remains of the optimum of Q, at the first noise level.

    Attributes
    ----------
    difference
        The mean of the differences, seed by seed; positive where the new optimum is better.
    error
        Its standard error.
    significant
        Whether the paired t test shows it.
    statement
        The same in one sentence.
    """

    difference: float
    error: float
    significant: bool
    statement: str


@dataclasses.dataclass(frozen=True, eq=False)
class EndInterval:
    """Confidence interval, over seeds, for the sigma at which the optimum ends as a local maximum.

    Attributes
    ----------
    sigma
        Where that of the mean ends.
    lower, upper
        The interval, in the units of sigma; None where the seeds leave so much open that none is known to hold.
    statement
        The same in one sentence.
    """

    sigma: float
    lower: float | None
    upper: float | None
    statement: str


@dataclasses.dataclass(frozen=True, eq=False)
class Intervals:
    """Confidence intervals over seeds for the optimum under noise.

    Attributes
    ----------
    seeds, confidence
        Number of seeds, and confidence level of each interval.
    sigma
        Noise levels, shape (T,).
    value
        u at the optimum of the mean: t interval, shape (T, 2).
    place
        Location of the optimum of u: expanded percentiles over bootstrap resamples of the seeds, shape (T, dimensions,
        2).
    price
        Q at its optimum minus Q at that of u: expanded percentiles, shape (T, 2). Because the maximum of noisy values
        is biased upwards, the lower end is at most that of the t interval of the unbiased values as in `best`; both
        ends include the uncertainty of Q between its nodes.
    price_limit, keeps
        The cost limit, and the interval for the largest sigma within it; resamples that never exceed it count as above
        the largest sigma, and an end there is infinite.
    jumps
        One entry per jump of the mean; without one, for the maximum that comes closest to a jump.
    best
        Unbiased estimate of Q at its optimum.
    unseen
        Upper bound on the probability of an event that no seed showed: 1 - (1 - confidence)^(1 / S).
    skewed
        Whether returns at the optimum are skewed, so that few seeds may miss rare events.
    lead
        Where the optimum of Q is not that of u at the first level: by how much another place is better there.
    end
        Where the optimum of the mean meets another critical point and ends: t interval for log sigma; None where it
        does not end, or otherwise, as at the edge of the box.
    width
        Width of the optimum at the first noise level, as of `heatpg.scalespace.optimum_shape`: t interval for its
        logarithm; None with more than one axis, and where the optimum has no width.
    """

    seeds: int
    confidence: float
    sigma: NDArray[np.float64]
    value: NDArray[np.float64]
    place: NDArray[np.float64]
    price: NDArray[np.float64]
    price_limit: float
    keeps: tuple[float, float]
    jumps: list[JumpInterval]
    best: HeldOut
    unseen: float
    skewed: bool
    lead: Lead | None
    end: EndInterval | None
    width: WidthInterval | None
    _space: ScaleSpace = dataclasses.field(repr=False)

    @property
    def jump(self) -> JumpInterval | None:
        """The first significant jump; otherwise the first jump of the mean, or the maximum closest to one."""
        shown = [jump for jump in self.jumps if jump.shown]
        return next(iter([*shown, *self.jumps]), None)

    @property
    def share(self) -> str:
        """The confidence in words."""
        return f"{100 * self.confidence:g} % interval"

    @property
    def sentences(self) -> dict[str, str]:
        """One finding each, by topic."""
        space, words = self._space, self._space.landscape.value_words
        first = noise_words(space, float(self.sigma[0]), 4)
        low, high = (place_words(space, self.place[0, :, end]) for end in (0, 1))
        result = {
            "value": f"at sigma = {first} the maximum of u {_between(*map(words, self.value[0]))} "
            f"({self.share}, {self.seeds} seeds).",
            "place": f"The optimum of u at sigma = {first} {_between(low, high)} ({self.share}, by axis).",
        }
        if self.jump is not None:
            result["jump"] = f"{self.jump.statement}."
        if self.end is not None:
            result["end"] = f"{self.end.statement}."
        result["price"] = f"{self._keeps()}."
        noise = self.best.apparent - self.best.value
        if abs(noise) > self.best.error:
            result["best"] = (
                f"Q at its best node is {words(self.best.apparent)} in the mean of all seeds, but "
                f"{words(self.best.value)} +- {self.best.error:.2g} if the node is chosen without the seed that is "
                f"evaluated; the difference is selection bias."
            )
        if self.width is not None:
            result["width"] = (
                f"the width of the optimum at sigma = {first} "
                f"{_between(*(f'{end:.3g}' for end in (self.width.lower, self.width.upper)))} ({self.share})."
            )
        besides = "" if self.width is not None else "the width of the optimum, "
        result["none"] = f"no intervals for {besides}{_NOT_GIVEN}."
        if self.skewed:
            result["rare"] = (
                f"Returns at the optimum are skewed: a rare event, such as a fall, that no seed showed may have a "
                f"probability of up to {self.unseen:.0%}. The intervals then cover the true values less often than "
                f"stated."
            )
        return result

    def price_words(self, level: int) -> str:
        """Both ends of the interval of the price at one level, as in ``0.13 to 0.2``."""
        return " to ".join(f"{max(0.0, end) + 0.0:.3g}" for end in self.price[level])

    def _keeps(self) -> str:
        space, (low, high) = self._space, self.keeps
        last = noise_words(space, float(self.sigma[-1]), 4)
        price = f"the price exceeds {self.price_limit:.4g}"
        if math.isinf(low):
            # both ends lie beyond the ladder
            return f"in no resample of the seeds {price} up to sigma = {last} ({self.share})"
        ends = f"from {noise_words(space, low, 4)}"
        until = f"to {noise_words(space, high, 4)}" if math.isfinite(high) else f"to beyond the largest sigma, {last}"
        return f"the sigma at which {price} lies {ends} {until} ({self.share})"

    def __str__(self) -> str:
        lines = [f"{self._space.landscape.name}: {self.seeds} seeds"]
        return "\n".join([*lines, *(f"{topic:7} {sentence}" for topic, sentence in self.sentences.items())])

    def as_dict(self) -> dict[str, Any]:
        """The intervals as JSON-like values."""
        return {
            "seeds": self.seeds,
            "confidence": self.confidence,
            "value": plain(self.value),
            "place": plain(self.place),
            "price": plain(self.price),
            "price_limit": self.price_limit,
            "keeps": [None if math.isinf(end) else end for end in self.keeps],
            "jumps": [jump.as_dict() for jump in self.jumps],
            "best": dataclasses.asdict(self.best),
            "unseen": self.unseen,
            "skewed": self.skewed,
            "lead": None if self.lead is None else dataclasses.asdict(self.lead),
            "end": None if self.end is None else dataclasses.asdict(self.end),
            "width": None if self.width is None else self.width.as_dict(),
            "sentences": self.sentences,
        }


@checked_call()
def seed_intervals(
    space: ScaleSpace,
    curve: PriceCurve,
    *,
    price_limit: float | None = None,
    confidence: float = 0.95,
    resamples: int = _RESAMPLES,
) -> Intervals:
    """Compute confidence intervals from the returns of every seed; each seed is evolved once, resamples are not.

    Parameters
    ----------
    space
        Result of `heatpg.scalespace.track` for an evolution whose landscape has the returns of its seeds.
    curve
        Result of `heatpg.scalespace.price` for it.
    price_limit
        The cost limit for `Intervals.keeps`, in units of Q; by default a tenth of max Q - mean Q, of a loss of
        mean Q - min Q.
    confidence
        Confidence level of each interval.
    resamples
        Number of bootstrap resamples of the seeds.

    Returns
    -------
    intervals
        One entry for every sigma. The evolution of `space` has its `standard_error` afterwards.

    Raises
    ------
    UnsupportedError
        If the landscape has no returns of seeds.
    OptionError
        For a confidence that is not between .5 and 1, or fewer than 100 resamples.
    ResourceError
        If the fields of all seeds at one sigma do not fit in memory.

    Notes
    -----
    The value has the interval mean +- t s / sqrt(S) at the optimum of the mean; place and price the percentiles of
    resamples, widened (`heatpg.intervals.resampling.widened_share`); a jump the sigmas between those at which paired t
    tests show its first maximum to be higher than all others, and those at which they show it of the second. Plain
    percentiles and BCa hold 84 to 88 % of 95 % at S = 8.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape, evolve
    >>> from heatpg.intervals import seed_intervals
    >>> from heatpg.scalespace import price, track
    >>> grid = Grid(Axis("x", -3.0, 3.0, 241, boundary="clip"))
    >>> x = grid[0].coordinates
    >>> bumps = np.exp(-((x + 1) ** 2) / 0.0288) + 0.8 * np.exp(-((x - 1) ** 2) / 0.32)
    >>> shift = np.random.default_rng(1).normal(size=(8, 2, 1))
    >>> seeds = bumps + 0.5 * shift[:, 0] + 0.02 * shift[:, 1] * x
    >>> space = track(evolve(Landscape(None, grid, returns=seeds), np.geomspace(0.05, 0.5, 16)), "maximum")
    >>> found = seed_intervals(space, price(space))
    >>> found.jump.shown, bool(found.jump.lower < 0.0971 < found.jump.upper)
    (True, True)
    """
    flow = space.evolution
    returns = flow.landscape.returns
    if returns is None:
        raise UnsupportedError(
            f"intervals need the returns of every seed, but {flow.landscape.name!r} has none",
            allowed="a landscape with returns",
            advice=(
                "pass Landscape(None, grid, returns=...), or sample with Rollout(seeds=8) without keep_returns=False"
            ),
        )
    share = finite_number("the confidence", confidence, lower=0.5, upper=1.0)
    if not 0.5 < share < 1.0 or resamples < 100:
        raise OptionError(
            "confidence or resamples is out of range",
            given=f"confidence={confidence}, resamples={resamples}",
            allowed="a confidence between 0.5 and 1, at least 100 resamples",
        )
    limit = 0.1 * curve.above_mean if price_limit is None else finite_number("the price", price_limit, lower=0.0)
    return _Work(space, curve, np.asarray(returns, dtype=np.float64), share, resamples).intervals(limit)


def left_out(returns: Array) -> NDArray[np.float64]:
    """The return of each seed at the node that is best for the mean of the others.

    Parameters
    ----------
    returns
        Flattened, shape (S, N), of which the largest is the best.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.intervals.results import left_out
    >>> left_out(np.array([[0.0, 4.0], [3.0, 0.0]]))
    array([0., 0.])
    """
    count, total = len(returns), returns.sum(axis=0)
    return np.array([row[int(((total - row) / (count - 1)).argmax())] for row in returns])


def qualified(answer: Verdict, found: Intervals, space: ScaleSpace) -> Verdict:
    """The answer of a study with what the seeds leave open of it."""
    known, first = found.jump, space.sigma_jump
    sentence = answer.sentence
    jump, end, price = answer.numbers
    if found.lead is not None and not found.lead.significant:
        sentence = f"In the mean of {found.seeds} seeds: {sentence[0].lower()}{sentence[1:]} {found.lead.statement}."
        jump = dataclasses.replace(jump, detail=f"{jump.detail}; not significant with {found.seeds} seeds")
    elif known is not None and known.shown and first is not None and known.sigma == first.sigma:
        low, high = (noise_words(space, float(end), 3) for end in (known.lower or 0.0, known.upper or math.inf))
        sentence += f" ({found.share} of that sigma: {low} to {high}, {found.seeds} seeds.)"
        jump = dataclasses.replace(jump, detail=f"{jump.detail}; {found.share} {low} to {high}")
    elif known is not None and known.excluded is None:
        if first is not None:
            sentence = f"In the mean of {found.seeds} seeds: {sentence[0].lower()}{sentence[1:]}"
        sentence += f" {known.statement}."
        said = f"not significant with {found.seeds} seeds"
        if known.shown:
            # a later one, or the whole of a chain, from its first maximum to its last
            said = f"{found.seeds} seeds show one to {destination(space, known)}"
        jump = dataclasses.replace(jump, detail=f"{jump.detail}; {said}")
    known_end, event = found.end, space.sigma_death
    if known_end is not None and event is not None and fade(space) is None:
        lower, upper = known_end.lower, known_end.upper
        if lower is None or upper is None:
            end = dataclasses.replace(end, detail=f"{end.detail}; not shown by {found.seeds} seeds")
        elif upper - lower > 2.0 * event.uncertainty:
            low, high = (noise_words(space, limit, 3) for limit in (lower, upper))
            end = dataclasses.replace(end, detail=f"{end.detail}; {found.share} {low} to {high}")
    last = f"above {noise_words(space, float(space.sigma[-1]), 3)}"
    ends = [noise_words(space, end, 3) if math.isfinite(end) else last for end in found.keeps]
    price = dataclasses.replace(price, detail=f"{price.detail}; {found.share} {ends[0]} to {ends[1]}")
    return Verdict(sentence, (jump, end, price))


@dataclasses.dataclass(eq=False)
class _Ending:
    """The fold at which the optimum of the mean ends, and the slopes of the seeds there, less that of the mean."""

    event: Event
    fold: Fold
    level: int
    share: float
    slopes: Array | float = 0.0

    def read(self, grid: Grid, away: Array, level: int) -> None:
        """Take what the levels on both sides of the fold say."""
        share = {self.level: 1.0 - self.share, self.level + 1: self.share}.get(level)
        if share is None:
            return
        # differences over one spacing on both sides: a wave exp(-x^2 / 2 sigma^2) at 2 h loses 4 % of its slope
        place = np.array(self.event.position)
        sides = read_at(away, *stencil(grid, np.stack([place + self.fold.direction, place - self.fold.direction])))
        self.slopes = self.slopes + share * 0.5 * (sides[:, 0] - sides[:, 1])


class _Work:
    """One pass through the levels, in which all that needs the field of every seed is read from it."""

    def __init__(self, space: ScaleSpace, curve: PriceCurve, returns: Array, confidence: float, resamples: int) -> None:
        self.space, self.curve = space, curve
        self.grid, self.sign = space.grid, space.sense.sign
        self.seeds, self.confidence = len(returns), confidence
        self.weights = drawn_weights(self.seeds, resamples)
        # the mean itself comes first, to tell by how much the parabolas here differ from the tracks
        self.all_weights = np.concatenate([np.full((1, self.seeds), 1.0 / self.seeds), self.weights])
        mean = returns.mean(axis=0)
        self.away = (returns - mean).reshape(self.seeds, -1)
        self.offset = float(mean.mean())
        # the best is the largest from here on, and an offset takes no digits
        self.q = self.sign * (returns - self.offset).reshape(self.seeds, -1)

    def intervals(self, limit: float) -> Intervals:
        space, grid, curve = self.space, self.grid, self.curve
        count, quantile = len(space.sigma), float(stdtrit(self.seeds - 1, 0.5 + 0.5 * self.confidence))
        tails = widened_share(self.seeds, self.confidence)
        ends = [tails, 1.0 - tails]
        value, place = np.empty((count, 2)), np.empty((count, grid.dimensions, 2))
        prices = np.empty((count, len(self.weights)))
        readings: dict[int, dict[int, Array]] = {
            one.number: {} for one in space.tracks if one.kind == space.sense.extremum
        }
        errors, lead, end = [], None, self._ending()
        read = left_out(self.q)
        honest = np.empty(count)
        best = tops(self.all_weights, self.q, self.q, grid)
        skewed = self._skewed(read_at(self.q, *stencil(grid, best.positions[:1]))[:, 0])
        for level, deviations in enumerate(space.evolution.deviations()):
            errors.append(error_of_mean(deviations))
            away = np.asarray(deviations, dtype=np.float64).reshape(self.seeds, -1)
            here = space.optimum_positions[level]
            optimum = read_at(away, *stencil(grid, here[None]))[:, 0]
            half = quantile * float(optimum.std(ddof=1)) / math.sqrt(self.seeds)
            value[level] = space.optimum_values[level] - half, space.optimum_values[level] + half
            if level == 0:
                skewed |= self._skewed(self.sign * optimum)
                lead = self._lead(away, optimum, quantile)
            self._read_tracks(readings, away, level)
            if end is not None:
                end.read(self.grid, away, level)
            field = self.sign * (np.asarray(space.evolution.values[level], dtype=np.float64).ravel() - self.offset)
            found = tops(self.all_weights, field + self.sign * away, self.q, grid)
            moved = wrapped_distance(grid, found.positions[1:], found.positions[0])
            place[level] = (here + np.quantile(moved, ends, axis=0)).T
            # according to the price curve, which reads Q from its source where it has one
            lost = best.values - found.other
            prices[level] = curve.price[level] + (lost[1:] - lost[0])
            # what the best node of the other seeds is better in the seed that is left out: no higher than the price
            ahead = read - read_at(self.q, *stencil(grid, here[None]))[:, 0]
            honest[level] = ahead.mean() - quantile * ahead.std(ddof=1) / math.sqrt(self.seeds)
        among = np.quantile(prices, ends, axis=1).T
        # the best of noisy values is too high, so that no resample may be as low as the price is
        among[:, 0] = np.minimum(among[:, 0], honest)
        # and as far as two interpolants of Q differ between its nodes
        among += np.stack([-curve.uncertainty, curve.uncertainty], axis=1)
        # no price is negative, but for the rounding of the one that is reported
        among = np.maximum(among, np.minimum(curve.price, 0.0)[:, None])
        if space.evolution.known_error is None:
            space.evolution.known_error = np.stack(errors)
        low, high = (float(end) for end in np.quantile(self._passed(prices, limit), ends, method="nearest"))
        return Intervals(
            seeds=self.seeds,
            confidence=self.confidence,
            sigma=space.sigma,
            value=value,
            place=place,
            price=among,
            price_limit=limit,
            keeps=(low, high),
            jumps=jump_intervals(space, readings, self.confidence),
            best=self._held_out(read),
            unseen=1.0 - (1.0 - self.confidence) ** (1.0 / self.seeds),
            skewed=skewed,
            lead=lead,
            end=None if end is None else self._end(end, quantile),
            width=width_interval(space, self.away, quantile),
            _space=space,
        )

    def _ending(self) -> _Ending | None:
        """What to read of the seeds where the optimum of the mean ends at a fold, between two levels."""
        event = self.space.sigma_death
        if event is None or event.kind != "death" or len(self.space.sigma) < 2:
            return None
        fold = fold_at(self.space.field, self.space.ratio, event.position, event.sigma)
        sigma = self.space.sigma
        level = int(np.clip(np.searchsorted(sigma, event.sigma) - 1, 0, len(sigma) - 2))
        low, high = np.log(sigma[[level, level + 1]]) if sigma[level] > 0 else sigma[[level, level + 1]]
        here = math.log(event.sigma) if sigma[level] > 0 else event.sigma
        return None if fold is None else _Ending(event, fold, level, (here - low) / (high - low))

    def _end(self, end: _Ending, quantile: float) -> EndInterval:
        """The t interval of log sigma, which is a linear function of u of the seeds."""
        sigma, moved = end.event.sigma, end.fold.moved(end.slopes)
        half = quantile * float(moved.std(ddof=1)) / math.sqrt(self.seeds)
        many, name = f"{self.seeds} seeds", self.space.sense.extremum
        if half > _LINEAR:
            return EndInterval(sigma, None, None, f"{many} do not show where the optimum ends as a local {name}")
        low, high = sigma * math.exp(-half), sigma * math.exp(half)
        words = " to ".join(noise_words(self.space, each, 4) for each in (low, high))
        share = f"{100 * self.confidence:g} % interval"
        return EndInterval(
            sigma, low, high, f"the optimum ends as a local {name} at sigma from {words} ({share}, {many})"
        )

    def _lead(self, away: Array, optimum: Array, quantile: float) -> Lead | None:
        """The paired difference of the optimum of u from what remains of that of Q, at the first level."""
        space = self.space
        departed = departure(space)
        if departed is None or departed.track is None:
            return None
        remains = space.tracks[departed.track]
        apart = self.sign * (optimum - read_at(away, *stencil(self.grid, remains.positions[:1]))[:, 0])
        mean = self.sign * float(space.optimum_values[0] - remains.values[0])
        error = float(apart.std(ddof=1)) / math.sqrt(self.seeds)
        shown = mean > quantile * error
        better = f"{'show' if shown else 'do not show'} that it is {'lower' if space.sense.minimise else 'higher'}"
        words = f"{self.seeds} seeds {better}: the difference is {mean:.3g} +- {error:.2g} (standard error)"
        return Lead(mean, error, shown, words)

    def _read_tracks(self, readings: dict[int, dict[int, Array]], away: Array, level: int) -> None:
        """What tells the seeds apart at every maximum of the mean."""
        numbers, places = [], []
        for number in readings:
            one = self.space.tracks[number]
            if one.levels[0] <= level <= one.levels[-1]:
                numbers.append(number)
                places.append(one.positions[level - int(one.levels[0])])
        if numbers:
            found = read_at(away, *stencil(self.grid, np.array(places)))
            for column, number in enumerate(numbers):
                readings[number][level] = found[:, column]

    def _passed(self, prices: Array, limit: float) -> NDArray[np.float64]:
        """The sigma at which each resample passes the price, by a straight line between levels; infinite if none."""
        sigma, over = self.space.sigma, prices > limit
        level = over.argmax(axis=0)
        column = np.arange(prices.shape[1])
        before = np.maximum(level - 1, 0)
        low, high = prices[before, column], prices[level, column]
        share = np.divide(limit - low, high - low, out=np.zeros_like(low), where=high > low)
        between = sigma[before] + share.clip(0.0, 1.0) * (sigma[level] - sigma[before])
        return np.where(over.any(axis=0), np.where(level == 0, sigma[0], between), math.inf)

    def _held_out(self, read: Array) -> HeldOut:
        error = float(read.std(ddof=1)) / math.sqrt(self.seeds)
        value, apparent = (self.sign * float(each) + self.offset for each in (read.mean(), self.q.mean(axis=0).max()))
        return HeldOut(value, error, apparent)

    def _skewed(self, row: Array) -> bool:
        """Whether numbers are more skewed than as many normal ones mostly are."""
        count = len(row)
        spread = float(row.std())
        if count < 3 or spread == 0:
            return False
        skewness = float(((row - row.mean()) ** 3).mean()) / spread**3
        usual = math.sqrt(6.0 * (count - 2) / ((count + 1) * (count + 3)))
        return abs(skewness) > _SKEWED * usual
