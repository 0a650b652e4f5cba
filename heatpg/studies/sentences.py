"""What a study says: a sentence for each topic, from the numbers of the study alone."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from heatpg.core.sense import Sense
from heatpg.core.slices import slice_words
from heatpg.intervals import Intervals, JumpInterval
from heatpg.scalespace import Event, PriceCurve, Roughness, ScaleSpace, Shape, sparing_covariance
from heatpg.scalespace.census import basin_words, births_words, extrema_words
from heatpg.scalespace.origin import Departure, ending_words, fade
from heatpg.scalespace.pricing import noise_words, place_words
from heatpg.tools.lines import one_line
from heatpg.tools.numbers import located_words

if TYPE_CHECKING:
    from heatpg.studies.page import Study

__all__ = ["PRINTED_TOPICS", "Wording"]

PRINTED_TOPICS = {"death": "end"}  # by event; a maximum may end in other ways than by a death


class _Sentences(dict[str, str]):
    """Sentences by topic, also by the word that is printed for it."""

    def __missing__(self, topic: str) -> str:
        for key, printed in PRINTED_TOPICS.items():
            if topic == printed and key in self:
                return self[key]
        raise KeyError(f"no sentence on {topic!r}; there are {', '.join(self)}")


@dataclasses.dataclass(frozen=True, eq=False)
class Wording:
    """The sentences of one study, and the words for its numbers.

    Attributes
    ----------
    study
        Whose numbers they are.
    """

    study: Study

    @property
    def space(self) -> ScaleSpace:
        """Tracks and events."""
        return self.study.space

    @property
    def curve(self) -> PriceCurve:
        """What the smoothed optimum costs."""
        return self.study.curve

    def value(self, value: float) -> str:
        """A value of Q in words."""
        return self.study.evolution.landscape.value_words(float(value))

    def noise(self, sigma: float, digits: int = 5) -> str:
        """A noise level in words."""
        return noise_words(self.space, float(sigma), digits)

    def sentences(self) -> dict[str, str]:
        """One sentence per topic, in the order of the page."""
        study, space, sense = self.study, self.space, self.space.sense
        kept = study.keeps.statement
        topics = {
            "optimum": self._optimum(),
            "needle": "" if study.departed is None else self._departure(study.departed),
            "grid": self._missed(sense),
            "jump": self._jump(sense),
            "death": self._ending(sense),
            "price": (
                f"{kept[0].upper()}{kept[1:]} (in units of Q; change the limit with price_limit= or --price). "
                f"{self._read()}{self._price_of_seeds()}"
            ),
            "noise": self._node_errors() if study.intervals is None else self._sampling(study.intervals),
            "draws": self._draws(),
            "covariance": "" if study.principal is None else study.principal.words,
            "slice": self._slice(),
            "basin": basin_words(space, study.basins),
            sense.extrema: extrema_words(space, study.single),
            "births": births_words(space),
            "roughness": self._roughness(),
            "chaos": "" if study.chaos is None else f"Chaos: {study.chaos.holder.sentence}.",
            "shape": self._shape(),
            **({} if study.risk is None else study.risk.sentences),
        }
        return _Sentences({topic: one_line(sentence) for topic, sentence in topics.items() if sentence})

    def _optimum(self) -> str:
        point = self.study.evolution.landscape.point_word
        return (
            f"The optimal {point} is {place_words(self.space, self.curve.best_position)}, with Q = "
            f"{self.value(self.curve.best)}{self._best_known()}."
        )

    def _best_known(self) -> str:
        """The standard error of Q at its optimum over the seeds; without them, the noise is told of in one place."""
        if self.study.intervals is None:
            return ""
        return f" (sampling error +- {self._error_at(self.curve.best_position):.2g})"

    def _missed(self, sense: Sense) -> str:
        """An optimum of Q that the nodes miss; empty without one."""
        if self.curve.missed is None:
            return ""
        where, value = self.curve.missed
        known = self.study.evolution.landscape.has_sampler
        exceeds = f"{'falls below its smallest' if sense.minimise else 'exceeds its largest'} node value"
        least = "at most" if sense.minimise else "at least"
        return (
            f"{'' if known else 'According to the interpolant, '}Q {exceeds} between the nodes ({least} "
            f"{self.value(value)} at {place_words(self.space, where)}). The grid "
            f"{'misses' if known else 'may miss'} the optimum; refine it."
        )

    def _whose(self) -> str:
        """Which optimum jumps or ends: tracks begin at the first sigma, so what was lost before it has none."""
        if self.study.departed is None:
            return "the optimum"
        return f"the optimum at sigma = {self.noise(self.space.sigma[0], 4)}"

    def _jump(self, sense: Sense) -> str:
        space = self.space
        jump = space.clearest_jump
        if jump is None and space.rival is not None:
            sigma, rival = space.rival
            return (
                f"The draws do not show whether the optimum jumps. That of their mean does not, but at sigma = "
                f"{self.noise(sigma, 4)} its lead over the {sense.extremum} at {place_words(space, rival)} is not "
                f"significant."
            )
        if jump is None:
            first, last = self.noise(space.sigma[0], 4), self.noise(space.sigma[-1], 4)
            faded = fade(space)
            until = last if faded is None else f"{self.noise(faded.sigma, 4)}, where it fades into a plateau,"
            return f"From sigma = {first} to {until} {self._whose()} moves without a jump.{self._of_seeds()}"
        if not space.shows(jump):
            return (
                f"The draws do not show whether the optimum jumps. That of their mean does so at sigma = "
                f"{self._located(jump)}, to {place_words(space, jump.position)}; a lead of one {sense.extremum} "
                f"over the other is not significant on both sides of it."
            )
        more = sum(space.shows(event) for event in space.jumps[space.jumps.index(jump) + 1 :])
        others = f" {more} more jump{'s' if more > 1 else ''} follow{'' if more > 1 else 's'}." if more else ""
        return (
            f"At sigma = {self._located(jump)} the global {sense.extremum}{self._of_mean()} jumps to "
            f"{place_words(space, jump.position)}."
            f"{others}{self._of_seeds()}"
        )

    def _ending(self, sense: Sense) -> str:
        """What becomes of the first optimum."""
        space, whose = self.space, self._whose()
        end = fade(space) or space.sigma_death
        if end is not None:
            return f"At sigma = {self._located(end)} {whose} {ending_words(space, end)}."
        return (
            f"{whose[0].upper()}{whose[1:]} remains a local {sense.extremum} up to the largest noise level, "
            f"sigma = {self.noise(space.sigma[-1], 4)}{self._last_place()}."
        )

    def _price_of_seeds(self) -> str:
        """The interval of the price over the seeds; empty without them."""
        if self.study.intervals is None:
            return ""
        sampled = self.study.intervals.sentences["price"]
        return f" {sampled[0].upper()}{sampled[1:]}"

    def _draws(self) -> str:
        """How well the draws know u, and what more of them can reduce; empty without draws."""
        flow, space = self.study.evolution, self.space
        if flow.drawn is None or flow.known_error is None:
            return ""
        first, last = self.noise(space.sigma[0], 4), self.noise(space.sigma[-1], 4)
        ends = [float(level.max()) for level in flow.known_error[[0, -1]]]
        over = "the draws and the seeds" if self._sampled else "the draws"
        words = (
            f"u is known to +- {ends[0]:.2g} at sigma = {first} and to +- {ends[1]:.2g} at {last}, the largest "
            f"standard errors over {over}."
        )
        alone = flow.draws_error
        if self._sampled and alone is not None:
            of_draws = [float(level.max()) for level in alone[[0, -1]]]
            words += (
                f" More draws can reduce only the part that is due to the draws: at most {of_draws[0]:.2g} and "
                f"{of_draws[1]:.2g}."
            )
        return words

    def _slice(self) -> str:
        flow = self.study.evolution
        words = slice_words(flow.landscape.provenance, flow.drawn)
        return f"This is {words}." if words else ""

    def _roughness(self) -> str:
        rough = self.study.roughness
        if isinstance(rough, Roughness):
            return f"{rough.verdict[0].upper()}{rough.verdict[1:]}."
        return f"No Hölder exponent could be estimated: {rough}."

    def _shape(self) -> str:
        shape = self.study.shape
        if not isinstance(shape, Shape):
            return f"{shape[0].upper()}{shape[1:]}."
        first = self.noise(self.space.sigma[0], 4)
        return f"At sigma = {first} the optimum has width {_widths(shape)}{self._width_known()}{self._sparing()}."

    def _last_place(self) -> str:
        """Where the optimum of the first noise level is at the last; empty where it is no point, as on a plateau."""
        tracks = [self.space.tracks[number] for number in self.space.pure.optimum.equal[0]]
        left = [one for one in tracks if one.death is None]
        return f", at {place_words(self.space, left[0].positions[-1])}" if left else ""

    def _departure(self, departed: Departure) -> str:
        """What remains of the optimum of Q at the first noise level."""
        space, sense = self.space, self.space.sense
        first, now = self.noise(space.sigma[0], 4), place_words(space, space.optimum_positions[0])
        if departed.track is None:
            return (
                f"This optimum has already vanished at the smallest noise level, sigma = {first}: gradient "
                f"{sense.ascent} from it does not reach the smoothed optimum at {now}. The grid is too coarse to say "
                "at which sigma it vanishes."
            )
        one = space.tracks[departed.track]
        end = one.death
        then = (
            f"it remains one up to the largest, sigma = {self.noise(space.sigma[-1], 4)}"
            if end is None
            else f"at sigma = {self._located(end)} it {ending_words(space, end)}"
        )
        lead = None if self.study.intervals is None else self.study.intervals.lead
        led = "" if lead is None else f" {lead.statement}."
        return (
            f"Already at the smallest noise level, sigma = {first}, the smoothed optimum is another {sense.extremum}, "
            f"at {now}. Gradient {sense.ascent} from the optimum of Q ends at a local {sense.extremum} at "
            f"{place_words(space, one.positions[0])}; {then}. Smaller noise levels, on a finer grid if they are below "
            f"1.5 grid spacings, can show where the optimum jumps.{led}"
        )

    def _located(self, event: Event) -> str:
        """The sigma of an event with its uncertainty, which is relative where each axis has its own sigma."""
        interval = self._jump_interval(event)
        # of sampling and solver error the larger one, by its name
        if interval is not None and interval.shown and interval.lower is not None and interval.upper is not None:
            low, high = self.noise(interval.lower, 4), self.noise(interval.upper, 4)
            if interval.upper - interval.lower > 2.0 * event.uncertainty:
                return f"{self.noise(event.sigma)} ({100 * interval.confidence:g} % interval {low} to {high})"
        sampled = self.study.intervals
        end = None if sampled is None or event is not self.space.sigma_death else sampled.end
        if sampled is not None and end is not None and end.lower is not None and end.upper is not None:
            low, high = self.noise(end.lower, 4), self.noise(end.upper, 4)
            if end.upper - end.lower > 2.0 * event.uncertainty:
                return f"{self.noise(event.sigma)} ({sampled.share} {low} to {high})"
        exact = located_words(event.sigma, event.uncertainty)[0] != "+"
        # the error of a root is not that of the draws, which only these have
        known = event.kind in ("jump", "birth", "death")
        if self.study.evolution.drawn is not None and (exact or not known):
            return f"{self.noise(event.sigma)} (accuracy limited by the draws; no interval is given)"
        if self._sampled and interval is None and exact:
            return f"{self.noise(event.sigma)} (accuracy limited by the sampling error of Q; no interval is given)"
        # a root is found far more exactly than the grid knows the field that it is a root of
        if exact:
            return f"{self.noise(event.sigma)} ({located_words(event.sigma, event.uncertainty)})"
        # one number for all axes; of several the uncertainty has no single unit
        whole = np.ptp(self.space.ratio) == 0 or event.sigma == 0
        error = _error(event.uncertainty) if whole else f"{_error(event.uncertainty / event.sigma)} of it"
        # where Q has sampling error, it is said which of the two it is
        kind = "solver error " if self._sampled else ""
        if self.study.evolution.drawn is not None:
            kind = "standard error over the draws "
        return f"{self.noise(event.sigma)} ({kind}{error})"

    @property
    def _sampled(self) -> bool:
        """Whether Q has sampling error, so that two kinds of error have to be told apart."""
        error = self.study.evolution.landscape.standard_error
        return error is not None and bool(error.any())

    def _jump_interval(self, event: Event) -> JumpInterval | None:
        """What the seeds say of a jump."""
        jumps = [] if self.study.intervals is None else self.study.intervals.jumps
        return next((one for one in jumps if event.kind == "jump" and one.sigma == event.sigma), None)

    def _of_mean(self) -> str:
        """Whose jump it is, where the seeds do not show one."""
        event = self.space.sigma_jump
        known = None if event is None else self._jump_interval(event)
        return f" of the mean of {known.seeds} seeds" if known is not None and not known.shown else ""

    def _of_seeds(self) -> str:
        """Whether the seeds show a jump; empty where the sigma of the first one has said it."""
        known = None if self.study.intervals is None else self.study.intervals.jump
        first = self.space.sigma_jump
        if known is None or (known.shown and first is not None and known.sigma == first.sigma):
            return ""
        return f" {known.statement}."

    def _sampling(self, found: Intervals) -> str:
        """What the seeds leave open of the optimum, and what is not known."""
        chosen = [
            found.sentences[topic] for topic in ("value", "place", "best", "rare", "none") if topic in found.sentences
        ]
        return " ".join(f"{words[0].upper()}{words[1:]}" for words in chosen)

    def _read(self) -> str:
        """Where values of Q between its nodes are from, in a sentence."""
        if self.study.evolution.landscape.has_sampler:
            return "Values of Q between grid nodes were evaluated exactly (sampler)."
        most = float(self.curve.uncertainty.max())
        if most == 0:
            return "No value of Q had to be interpolated between grid nodes."
        return (
            "Q is known only at the grid nodes; off-grid values were interpolated (two interpolants differ by up to "
            f"{most:.2g})."
        )

    def _node_errors(self) -> str:
        """Standard errors of Q at the nodes that matter, and what they leave open; empty without them."""
        landscape, curve = self.study.evolution.landscape, self.curve
        error = landscape.standard_error
        # equal ones, or there would be intervals
        if landscape.returns is not None and self.study.evolution.drawn is None:
            return "All seeds have the same return at every node, so they leave nothing open."
        if error is None or not error.any():
            return ""
        here, median = self._error_at(curve.best_position), float(np.median(error))
        # The covariance of rollouts at two nodes is not stored, and common seeds make it large. Whatever it is, the
        # error of a difference lies between | s_a - s_b | and s_a + s_b, too wide to decide anything.
        words = [
            f"Q is known to +- {here:.2g} at its optimum (standard error over rollouts; median over nodes "
            f"{median:.2g}). These are errors of single nodes. Errors of differences between nodes, which decide "
            f"prices and jumps, are unknown: with common seeds they may be smaller or larger than those of independent "
            f"rollouts."
        ]
        if len(curve.jump_sigma):
            event = self.space.jumps[0]
            step = float(abs(np.diff(curve.jump_price[0])[0]))
            # the last level before the jump, where the old optimum is still the best
            level = max(0, int(np.searchsorted(self.space.sigma, event.sigma)) - 1)
            before, after = self._error_at(self.space.optimum_positions[level]), self._error_at(event.position)
            words.append(
                f"The two {self.space.sense.extrema} of the first jump differ by {step:.2g} in Q, known to +- "
                f"{before:.2g} before the jump and to +- {after:.2g} after it."
            )
        return " ".join(words)

    def _error_at(self, position: Any) -> float:
        """The standard error at the node nearest to a place."""
        landscape = self.study.evolution.landscape
        assert landscape.standard_error is not None
        # the error is stored at nodes, and changes little from one to the next
        return float(landscape.standard_error[landscape.grid.nearest_node(position)])

    def _width_known(self) -> str:
        """The interval of a width, of one axis, over the seeds."""
        found = None if self.study.intervals is None else self.study.intervals.width
        if self.study.intervals is None or found is None:
            return ""
        return f" ({self.study.intervals.share} {found.lower:.3g} to {found.upper:.3g})"

    def _sparing(self) -> str:
        shape = self.study.shape
        assert isinstance(shape, Shape)
        # an entropy of axes of different units says nothing that can be compared
        if self.study.evolution.grid.unit is None:
            return ", each in the units of the axes"
        # round optima: noise of another shape would spare little
        if len(shape.widths) < 2 or shape.widths[-1] < 2 * shape.widths[0]:
            return ""
        # noise as large as the optimum is narrow, where its shape matters most
        sigma = float(shape.widths[0])
        plain, spared = shape.survival(sigma**2), shape.survival(sparing_covariance(shape, sigma))
        height = self.space.sense.height
        return (
            f". Isotropic noise of sigma = {sigma:.3g} leaves {plain:.0%} of its {height}; noise shaped like the "
            f"optimum, of the same entropy, leaves {spared:.0%} (see sparing_covariance)"
        )


def _place(position: Any) -> str:
    return f"({', '.join(f'{x:.4g}' for x in position)})"


def _error(uncertainty: float) -> str:
    return f"+- {uncertainty:.1g}"


def _widths(shape: Shape) -> str:
    if len(shape.widths) == 1:
        return f"{shape.widths[0]:.3g}"
    return " and ".join(
        f"{width:.3g} along {_place(direction)}"
        for width, direction in zip(shape.widths, shape.directions.round(2) + 0.0, strict=True)
    )
