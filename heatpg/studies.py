"""A study of one landscape: at which sigma the optimum moves, jumps or ends, and what that costs."""

# One file, because every sentence of the page reads several parts of the study, and the JSON is the same parts again.

from __future__ import annotations

import contextlib
import dataclasses
import math
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.grid import Grid
from heatpg.core.landscape import Landscape
from heatpg.core.noise import Sigma, default_sigma
from heatpg.core.report import counted
from heatpg.core.sense import sense_of
from heatpg.core.slices import slice_words
from heatpg.driver import evolve
from heatpg.errors import HeatpgError, OptionError, SigmaError, UnsupportedError
from heatpg.evolution import Evolution
from heatpg.intervals import Intervals, JumpInterval, seed_intervals
from heatpg.intervals.results import qualified
from heatpg.landscapes import landscapes
from heatpg.planes.evolving import evolve_plane
from heatpg.planes.options import Draws
from heatpg.risk.actions import SafestAction, safest_action
from heatpg.risk.returns import fraction_of
from heatpg.scalespace import (
    Basins,
    ChaosSummary,
    Event,
    Limit,
    PriceCurve,
    Roughness,
    ScaleSpace,
    Shape,
    basins,
    chaos,
    holder_exponent,
    optimum_shape,
    price,
    single_maximum,
    sparing_covariance,
    track,
)
from heatpg.scalespace.census import basin_words, births_words, extrema_words
from heatpg.scalespace.drawn import above_zero
from heatpg.scalespace.origin import Departure, departure, ending_words, fade
from heatpg.scalespace.pricing import noise_words, place_words
from heatpg.scalespace.principal import PrincipalAxes, one_covariance, principal_axes
from heatpg.scalespace.verdict import Verdict, verdict
from heatpg.tools import html
from heatpg.tools.calls import SIGMA_KEYWORDS, checked_call
from heatpg.tools.figures import figures
from heatpg.tools.lines import one_line, typeset
from heatpg.tools.numbers import located_words, settled
from heatpg.tools.options import settable
from heatpg.tools.progress import Progress, progress_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from heatpg.plot.style import Width

__all__ = ["PRINTED_TOPICS", "Study", "intervals_of", "study"]

Array = NDArray[Any]

_PRICE_SHARE = 0.1  # a taste: a tenth of what an optimal action earns over a random one
_MOST_AXES = 3  # in which critical points are found
_RISK_STEPS = 32  # that the safest action counts for in a progress: it takes most of the time. A taste
_STAGES = 7  # as many as there are `with stage(...)` in `study`, but for that of risk; progress is told in them
_ENOUGH = 8  # a taste: fewer levels say little of tracks and events
_SAME = 1e-6  # of osc(Q): the same system, sampled again, possibly in single precision
_WIDTH = 100  # columns of a terminal; a taste
_MOST_NOTES = 16  # in a notebook
PRINTED_TOPICS = {"death": "end"}  # by event; a maximum may end in other ways than by a death


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
    """The effect of exploration noise on one landscape.

    Attributes
    ----------
    evolution
        The fields with their report.
    space
        Tracks of critical points, creations, annihilations, jumps.
    curve
        Suboptimality gap (`price`) of acting on the smoothed optimum.
    basins
        Basins of attraction of gradient ascent.
    roughness
        Hölder exponent, or the reason why it could not be estimated.
    chaos
        Lyapunov exponent and its predictions; None unless the system is known to be chaotic.
    shape
        Widths of the optimum at the first sigma, or the reason why they are undefined.
    price
        The cost limit, in units of Q.
    keeps
        The largest sigma at which acting on the smoothed optimum costs at most that.
    single
        The sigma above which a single maximum (for a loss, a single minimum) remains.
    departed
        What remains of the optimum of Q, if it is not the smoothed optimum at the first sigma; otherwise None.
    seconds
        Time by stage.
    risk
        The safest action compared with the action with the best mean, if requested.
    principal
        The principal axes of the covariance, if one was given.
    intervals
        Confidence intervals from the returns of several seeds; None without them.
    """

    evolution: Evolution
    space: ScaleSpace
    curve: PriceCurve
    basins: Basins
    roughness: Roughness | str
    chaos: ChaosSummary | None
    shape: Shape | str
    price: float
    keeps: Limit
    single: Limit
    departed: Departure | None
    seconds: dict[str, float]
    risk: SafestAction | None = None
    principal: PrincipalAxes | None = None
    intervals: Intervals | None = None

    @property
    def verdict(self) -> Verdict:
        """The answer in one sentence and three numbers."""
        answer = verdict(self.space, self.curve, self.keeps, self.price, departed=self.departed)
        return answer if self.intervals is None else qualified(answer, self.intervals, self.space)

    @property
    def needle_lost(self) -> bool:
        """Whether nothing remains of the optimum of Q at the smallest noise level."""
        return self.departed is not None and self.departed.track is None

    @property
    def sentences(self) -> dict[str, str]:
        """One sentence per topic."""
        space, curve, sense = self.space, self.curve, self.space.sense
        first, last = self._noise(space.sigma[0], 4), self._noise(space.sigma[-1], 4)
        place = place_words(space, curve.best_position)
        point = self.evolution.landscape.point_word
        result = {"optimum": f"The optimal {point} is {place}, with Q = {self._value(curve.best)}."}
        if self.departed is not None:
            result["needle"] = self._departure(self.departed)
        if curve.missed is not None:
            where, value = curve.missed
            known = self.evolution.landscape.has_sampler
            exceeds = f"{'falls below its smallest' if sense.minimise else 'exceeds its largest'} node value"
            least = "at most" if sense.minimise else "at least"
            result["grid"] = (
                f"{'' if known else 'According to the interpolant, '}Q {exceeds} between the nodes ({least} "
                f"{self._value(value)} at {place_words(space, where)}). The grid "
                f"{'misses' if known else 'may miss'} the optimum; refine it."
            )
        jump, death, faded = space.clearest_jump, space.sigma_death, fade(space)
        # tracks begin at the first sigma: what was lost before it has none
        whose = "the optimum" if self.departed is None else f"the optimum at sigma = {first}"
        if jump is None and space.rival is not None:
            sigma, rival = space.rival
            result["jump"] = (
                f"The draws do not show whether the optimum jumps. That of their mean does not, but at sigma = "
                f"{self._noise(sigma, 4)} its lead over the {sense.extremum} at {place_words(space, rival)} is not "
                f"significant."
            )
        elif jump is None:
            until = last if faded is None else f"{self._noise(faded.sigma, 4)}, where it fades into a plateau,"
            result["jump"] = f"From sigma = {first} to {until} {whose} moves without a jump.{self._of_seeds()}"
        else:
            more = sum(space.shows(event) for event in space.jumps[space.jumps.index(jump) + 1 :])
            others = f" {more} more jump{'s' if more > 1 else ''} follow{'' if more > 1 else 's'}." if more else ""
            result["jump"] = (
                f"At sigma = {self._located(jump)} the global {sense.extremum}{self._of_mean()} jumps to "
                f"{place_words(space, jump.position)}."
                f"{others}{self._of_seeds()}"
            )
            if not space.shows(jump):
                result["jump"] = (
                    f"The draws do not show whether the optimum jumps. That of their mean does so at sigma = "
                    f"{self._located(jump)}, to {place_words(space, jump.position)}; a lead of one {sense.extremum} "
                    f"over the other is not significant on both sides of it."
                )
        if faded is not None:
            result["death"] = f"At sigma = {self._located(faded)} {whose} {ending_words(space, faded)}."
        elif death is None:
            result["death"] = (
                f"{whose[0].upper()}{whose[1:]} remains a local {sense.extremum} up to the largest noise level, "
                f"sigma = {last}{self._last_place()}."
            )
        else:
            words = ending_words(space, death)
            result["death"] = f"At sigma = {self._located(death)} {whose} {words}."
        kept = self.keeps.statement
        result["price"] = (
            f"{kept[0].upper()}{kept[1:]} (in units of Q; change the limit with price_limit= or --price). "
            f"{self._read()}"
        )
        if self.intervals is not None:
            sampled = self.intervals.sentences["price"]
            result["price"] += f" {sampled[0].upper()}{sampled[1:]}"
        noise = self._node_errors() if self.intervals is None else self._sampling(self.intervals)
        if noise:
            result["noise"] = noise
        if self.evolution.drawn is not None and self.evolution.known_error is not None:
            ends = [float(level.max()) for level in self.evolution.known_error[[0, -1]]]
            over = "the draws and the seeds" if self._sampled else "the draws"
            result["draws"] = (
                f"u is known to +- {ends[0]:.2g} at sigma = {first} and to +- {ends[1]:.2g} at {last}, the largest "
                f"standard errors over {over}."
            )
            alone = self.evolution.draws_error
            if self._sampled and alone is not None:
                of_draws = [float(level.max()) for level in alone[[0, -1]]]
                result["draws"] += (
                    f" More draws can reduce only the part that is due to the draws: at most {of_draws[0]:.2g} and "
                    f"{of_draws[1]:.2g}."
                )
        if self.principal is not None:
            result["covariance"] = self.principal.words
        if words := slice_words(self.evolution.landscape.provenance, self.evolution.drawn):
            result["slice"] = f"This is {words}."
        result["basin"] = basin_words(space, self.basins)
        result[sense.extrema] = extrema_words(space, self.single)
        if words := births_words(space):
            result["births"] = words
        rough = self.roughness
        result["roughness"] = (
            f"{rough.verdict[0].upper()}{rough.verdict[1:]}."
            if isinstance(rough, Roughness)
            else f"No Hölder exponent could be estimated: {rough}."
        )
        if self.chaos is not None:
            result["chaos"] = f"Chaos: {self.chaos.holder.sentence}."
        if isinstance(self.shape, Shape):
            result["shape"] = (
                f"At sigma = {first} the optimum has width {_widths(self.shape)}{self._width_known()}{self._sparing()}."
            )
        else:
            result["shape"] = f"{self.shape[0].upper()}{self.shape[1:]}."
        if self.risk is not None:
            result |= self.risk.sentences
        return {topic: one_line(sentence) for topic, sentence in result.items()}

    def _last_place(self) -> str:
        """Where the optimum of the first noise level is at the last; empty where it is no point, as on a plateau."""
        tracks = [self.space.tracks[number] for number in self.space.pure.optimum.equal[0]]
        left = [one for one in tracks if one.death is None]
        return f", at {place_words(self.space, left[0].positions[-1])}" if left else ""

    def _departure(self, departed: Departure) -> str:
        """What remains of the optimum of Q at the first noise level."""
        space, sense = self.space, self.space.sense
        first, now = self._noise(space.sigma[0], 4), place_words(space, space.optimum_positions[0])
        if departed.track is None:
            return (
                f"This optimum has already vanished at the smallest noise level, sigma = {first}: gradient "
                f"{sense.ascent} from it does not reach the smoothed optimum at {now}. The grid is too coarse to say "
                "at which sigma it vanishes."
            )
        one = space.tracks[departed.track]
        end = one.death
        then = (
            f"it remains one up to the largest, sigma = {self._noise(space.sigma[-1], 4)}"
            if end is None
            else f"at sigma = {self._located(end)} it {ending_words(space, end)}"
        )
        return (
            f"Already at the smallest noise level, sigma = {first}, the smoothed optimum is another {sense.extremum}, "
            f"at {now}. Gradient {sense.ascent} from the optimum of Q ends at a local {sense.extremum} at "
            f"{place_words(space, one.positions[0])}; {then}. Smaller noise levels, on a finer grid if they are below "
            f"1.5 grid spacings, can show where the optimum jumps."
            + ("" if self.intervals is None or self.intervals.lead is None else f" {self.intervals.lead.statement}.")
        )

    def _value(self, value: float) -> str:
        return self.evolution.landscape.value_words(float(value))

    def _noise(self, sigma: float, digits: int = 5) -> str:
        return noise_words(self.space, float(sigma), digits)

    def _located(self, event: Event) -> str:
        """The sigma of an event with its uncertainty, which is relative where each axis has its own sigma."""
        interval = self._jump_interval(event)
        # of sampling and solver error the larger one, by its name
        if interval is not None and interval.shown and interval.lower is not None and interval.upper is not None:
            low, high = self._noise(interval.lower, 4), self._noise(interval.upper, 4)
            if interval.upper - interval.lower > 2.0 * event.uncertainty:
                return f"{self._noise(event.sigma)} ({100 * interval.confidence:g} % interval {low} to {high})"
        sampled = self.intervals
        end = None if sampled is None or event is not self.space.sigma_death else sampled.end
        if sampled is not None and end is not None and end.lower is not None and end.upper is not None:
            low, high = self._noise(end.lower, 4), self._noise(end.upper, 4)
            if end.upper - end.lower > 2.0 * event.uncertainty:
                return f"{self._noise(event.sigma)} ({sampled.share} {low} to {high})"
        exact = located_words(event.sigma, event.uncertainty)[0] != "+"
        # the error of a root is not that of the draws, which only these have
        known = event.kind in ("jump", "birth", "death")
        if self.evolution.drawn is not None and (exact or not known):
            return f"{self._noise(event.sigma)} (accuracy limited by the draws; no interval is given)"
        # a root is found far more exactly than the grid knows the field that it is a root of
        if exact:
            return f"{self._noise(event.sigma)} ({located_words(event.sigma, event.uncertainty)})"
        # one number for all axes; of several the uncertainty has no single unit
        whole = np.ptp(self.space.ratio) == 0 or event.sigma == 0
        error = _error(event.uncertainty) if whole else f"{_error(event.uncertainty / event.sigma)} of it"
        # where Q has sampling error, it is said which of the two it is
        kind = "solver error " if self._sampled else ""
        if self.evolution.drawn is not None:
            kind = "standard error over the draws "
        return f"{self._noise(event.sigma)} ({kind}{error})"

    @property
    def _sampled(self) -> bool:
        """Whether Q has sampling error, so that two kinds of error have to be told apart."""
        error = self.evolution.landscape.standard_error
        return error is not None and bool(error.any())

    def _jump_interval(self, event: Event) -> JumpInterval | None:
        """What the seeds say of a jump."""
        jumps = [] if self.intervals is None else self.intervals.jumps
        return next((one for one in jumps if event.kind == "jump" and one.sigma == event.sigma), None)

    def _of_mean(self) -> str:
        """Whose jump it is, where the seeds do not show one."""
        event = self.space.sigma_jump
        known = None if event is None else self._jump_interval(event)
        return f" of the mean of {known.seeds} seeds" if known is not None and not known.shown else ""

    def _of_seeds(self) -> str:
        """Whether the seeds show a jump; empty where the sigma of the first one has said it."""
        known = None if self.intervals is None else self.intervals.jump
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
        if self.evolution.landscape.has_sampler:
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
        landscape, curve = self.evolution.landscape, self.curve
        error = landscape.standard_error
        # equal ones, or there would be intervals
        if landscape.returns is not None and self.evolution.drawn is None:
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
        landscape = self.evolution.landscape
        assert landscape.standard_error is not None
        # the error is stored at nodes, and changes little from one to the next
        return float(landscape.standard_error[landscape.grid.nearest_node(position)])

    def _width_known(self) -> str:
        """The interval of a width, of one axis, over the seeds."""
        found = None if self.intervals is None else self.intervals.width
        if self.intervals is None or found is None:
            return ""
        return f" ({self.intervals.share} {found.lower:.3g} to {found.upper:.3g})"

    def _sparing(self) -> str:
        shape = self.shape
        assert isinstance(shape, Shape)
        # an entropy of axes of different units says nothing that can be compared
        if self.evolution.grid.unit is None:
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

    def __repr__(self) -> str:
        space = self.space
        jump = space.clearest_jump
        events = [("jump", jump if jump is None or space.shows(jump) else None), ("end", space.sigma_death)]
        told = [f"{word} at {self._noise(event.sigma, 4)}" for word, event in events if event is not None]
        ends = f"sigma {self._noise(space.sigma[0], 4)} to {self._noise(space.sigma[-1], 4)}"
        return f"<Study of {self.evolution.landscape.name!r}: {', '.join([ends, *told])}>"

    def __str__(self) -> str:
        space = self.space
        heading = (
            f"{one_line(self.evolution.landscape.name)}: {' x '.join(map(str, self.evolution.grid.shape))} nodes, "
            f"{len(space.sigma)} sigmas from {self._noise(space.sigma[0], 4)} to {self._noise(space.sigma[-1], 4)}"
        )
        lines = [heading, "-" * len(heading), *textwrap.wrap(one_line(self.verdict.sentence), _WIDTH), ""]
        sentences = {PRINTED_TOPICS.get(topic, topic): sentence for topic, sentence in self.sentences.items()}
        wide = max(10, *map(len, sentences))
        for topic, sentence in sentences.items():
            lines += textwrap.wrap(
                sentence, _WIDTH, initial_indent=f"{topic:{wide}} ", subsequent_indent=" " * (wide + 1)
            )
        lines += [""]
        sense = space.sense
        lost, ends = f"{sense.lost} of u", "Q reached"
        lines.append(f"{'sigma':>10} {sense.extrema:>7} {'price':>10} {lost:>10} {'basin':>7} {ends:>13}")
        share, earned = self.basins.of_optimum(), self.basins.earned().original
        counts, scale = space.count(), self.curve.oscillation
        # twelve rows fit on a screen
        for i in np.unique(np.linspace(0, len(space.sigma) - 1, min(12, len(space.sigma))).round().astype(int)):
            edge = "  on the edge" if self.curve.on_edge[i] else ""
            doubt = self.curve.doubt_words(self.curve.price[i], self.curve.uncertainty[i])
            edge += f"  price{doubt}" if doubt else ""
            lines.append(
                f"{space.sigma[i]:10.4g} {counts[i]:7d} {settled(self.curve.price[i], scale):10.4g} "
                f"{settled(self.curve.drop[i], scale):10.4g} "
                f"{share[i]:7.1%} {self._value(earned[i]):>13}{edge}"
            )
        lines += [""]
        for line in self.column_words:
            lines += textwrap.wrap(one_line(line), _WIDTH, subsequent_indent="  ")
        for flag in space.flags:
            lines += textwrap.wrap(one_line(f"note: {flag}"), _WIDTH, subsequent_indent="      ")
        lines += textwrap.wrap(self._checked(), _WIDTH, subsequent_indent="  ")
        return "\n".join(lines)

    def _checked(self) -> str:
        """How many checks passed, and the names of the others."""
        report = self.evolution.report
        if not len(report):
            return "checks: none were made"
        others = [one_line(check.name) for check in report.checks if check.status != "passed"]
        return f"checks: {counted(report)}" + (f" ({', '.join(others)})" if others else "")

    @property
    def column_words(self) -> list[str]:
        """What the columns of the table are."""
        space, grid, sense = self.space, self.evolution.grid, self.space.sense
        best = f"{sense.short} Q"
        price, lost = sense.gain(best, "Q at the optimum of u"), sense.gain(best, f"{sense.short} u")
        lines = [
            f"price: {price}; {sense.lost} of u: {lost}, the {'rise' if sense.minimise else 'decrease'} of the "
            f"smoothed optimum value; basin: part of the box from which {sense.ascent} on u ends at its optimum; "
            f"Q reached: Q where {sense.ascent} on u ends, averaged over all starting points"
        ]
        curve = self.curve
        if any(map(curve.doubt_words, curve.price, curve.uncertainty)):
            lines.append("price +-: how far two interpolants of Q between its nodes differ there; sample more nodes")
        if np.ptp(space.ratio) > 0:
            along = int(np.argmax(space.ratio))
            others = (
                f"{axis.name}: {share:.4g} of it{f', in {axis.unit}' if axis.unit else ''}"
                for i, (axis, share) in enumerate(zip(grid, space.ratio, strict=True))
                if i != along
            )
            unit = f" in {grid[along].unit}" if grid[along].unit else ""
            lines.append(f"sigma, here and in notes: along {grid[along].name}{unit}; along {'; along '.join(others)}")
        return lines

    def _repr_html_(self) -> str:
        space, landscape = self.space, self.evolution.landscape
        first, last = (noise_words(space, float(sigma), 4) for sigma in (space.sigma[0], space.sigma[-1]))
        words = f"{html.times(landscape.grid.shape)} nodes, {len(space.sigma)} sigmas from {first} to {last}"
        rows = [("verdict", html.text(typeset(self.verdict.sentence), 600))]
        rows += [
            (html.text(PRINTED_TOPICS.get(topic, topic)), html.text(typeset(sentence), 600))
            for topic, sentence in self.sentences.items()
        ]
        rows += [("note", html.text(typeset(flag), 600)) for flag in space.flags[:_MOST_NOTES]]
        return html.page(
            html.heading("Study", landscape.name, words),
            html.table(("topic", "finding"), rows),
            html.folded("the evolution", self.evolution._repr_html_()),
        )

    @checked_call()
    def plot(self, *, width: Width = None) -> Figure:
        """Draw the page of the study; see `heatpg.plot.study`.

        Parameters
        ----------
        width
            ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches; by default a figure for the screen.

        Returns
        -------
        figure
            Made without pyplot; `heatpg.plot.save` writes it.
        """
        draw = cast("Callable[..., Figure]", figures.get("study"))
        return draw(self, width=width)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the fields and labels as JSON-like values."""
        death, jump = self.space.sigma_death, self.space.sigma_jump
        return {
            "landscape": self.evolution.landscape.name,
            "shape": list(self.evolution.grid.shape),
            "verdict": self.verdict.as_dict(),
            "sentences": self.sentences,
            "sigma_jump": None if jump is None else self.space.event_as_dict(jump),
            "sigma_death": None if death is None else death.as_dict(),
            "price_limit": {"price": self.price, **self.keeps.as_dict()},
            f"single_{self.space.sense.extremum}": self.single.as_dict(),
            **({"minimise": True} if self.space.sense.minimise else {}),
            "needle_lost": self.needle_lost,
            "overtaken": None if self.departed is None else self.departed.track,
            "price": self.curve.as_dict(),
            "basins": self.basins.as_dict(),
            "roughness": self.roughness.as_dict() if isinstance(self.roughness, Roughness) else self.roughness,
            "chaos": None if self.chaos is None else self.chaos.as_dict(),
            "optimum_shape": self.shape.as_dict() if isinstance(self.shape, Shape) else self.shape,
            "space": self.space.as_dict(),
            "report": self.evolution.report.as_dict(),
            **({} if self.intervals is None else {"intervals": self.intervals.as_dict()}),
            "seconds": self.seconds,
            **({} if self.risk is None else {"risk": self.risk.as_dict()}),
        }


def intervals_of(space: ScaleSpace, curve: PriceCurve, limit: float | None = None) -> Intervals | None:
    """What the seeds of a landscape leave open; None where it has none, or where they do not differ."""
    flow = space.evolution
    if flow.landscape.returns is None or flow.drawn is not None or _same_returns(flow.landscape):
        return None
    return seed_intervals(space, curve, price_limit=limit)


def _same_returns(landscape: Landscape) -> bool:
    """Whether the seeds change nothing: then there is no sampling error, and no interval to tell of it."""
    returns = landscape.returns
    return returns is not None and len(returns) > 1 and bool((returns == returns[:1]).all())


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


def _with_origin(landscape: Landscape) -> Landscape:
    """The landscape with its sampler, if it is of a registered system whose parameters it carries, as from a file."""
    source, parameters = landscape.provenance.get("source"), landscape.provenance.get("parameters")
    if landscape.has_sampler or not isinstance(parameters, dict) or source not in landscapes.names():
        return landscape
    family = landscapes.get(str(source))
    # provenance may hold more than the function takes, as measured facts
    known = {name: value for name, value in parameters.items() if name in settable(family)}
    try:
        # three nodes an axis: only the sampler is wanted
        again = family(Grid(*(dataclasses.replace(axis, size=3) for axis in landscape.grid)), **known)
    except (HeatpgError, TypeError, ValueError):
        return landscape
    # whether this is the same system is seen at some of its nodes
    index = np.random.default_rng(0).integers(0, landscape.grid.shape, (32, landscape.grid.dimensions))
    places = np.array([landscape.grid.point(row) for row in index])
    expected = landscape.values[tuple(index.T)]
    # a file may come from another version of the system; then the stored nodes alone are believed
    if not again.has_sampler or np.abs(again.sample(places) - expected).max() > _SAME * landscape.oscillation:
        return landscape
    return landscape.sampled_by(again.sample)


def _roughness_of(landscape: Landscape) -> Roughness | str:
    try:
        # a landscape too small or flat for an exponent is no fault: the study says why there is none
        return holder_exponent(landscape)
    except (OptionError, SigmaError, UnsupportedError) as reason:
        return reason.problem.removeprefix("no Hölder exponent: ")


@checked_call(**SIGMA_KEYWORDS)
def study(
    source: Landscape | Evolution,
    sigma: Sigma | None = None,
    *,
    covariance: ArrayLike | None = None,
    price_limit: float | None = None,
    checks: str = "standard",
    minimise: bool | None = None,
    risk: float | None = None,
    draws: Draws | None = None,
    progress: Progress = None,
) -> Study:
    """Study one landscape: where its optimum moves as exploration noise grows, and what that costs.

    Parameters
    ----------
    source
        A landscape in one, two or three dimensions without batch axes; or an evolution: its landscape is studied, at
        its own noise levels if there are at least 8 with a constant ratio between the axes. Correlated noise must be
        multiples of one covariance; the last one is used.
    sigma
        Noise levels; by default 64 from two grid spacings to half of the box, see `default_sigma`.
    covariance
        Instead of sigma: noise with this covariance, as in CMA-ES, and multiples of it. If it is not diagonal, the
        study uses its principal axes, see `heatpg.scalespace.principal_axes`.
    price_limit
        The cost limit for `Study.keeps`, in units of Q; by default a tenth of max Q - mean Q, for a loss of mean Q -
        min Q.
    checks
        Depth of the checks; see `heatpg.evolve`.
    minimise
        Whether Q is a loss, whose smallest value is the optimum; by default that of the landscape.
    risk
        A fraction q, such as 0.1: also find the action with the best mean of the worst q of all returns (CVaR), and
        where it differs from the action with the best mean; see `heatpg.risk.safest_action`.
    draws
        For a slice: noise in all components instead of only along the axes, sampled with these draws; see
        `heatpg.planes.evolve_plane`.
    progress
        A function that is called as ``progress(done, total)`` after each stage, and with `risk` after each noise level
        of the safest action; or True for a progress bar.

    Returns
    -------
    study
        Print it for the text page; use `Study.as_dict` for JSON.

    Raises
    ------
    OptionError
        For a price limit that is not positive.
    UnsupportedError
        For a flat landscape, batch axes, covariances that are not multiples of one, or more than three dimensions.
    SigmaError
        For too few sigmas, or a grid too coarse for the default ones.

    Examples
    --------
    >>> from heatpg import landscapes, study
    >>> page = study(landscapes.unequal_bumps(size=401), [0.1, 0.2, 0.4, 0.8, 1.6])
    >>> print(page.sentences["maxima"])
    2 maxima at the smallest noise level; for sigma >= 0.7366 a single maximum remains.
    """
    seconds: dict[str, float] = {}
    tell = progress_of(progress, "studying")
    total = _STAGES + (_RISK_STEPS if risk is not None else 0)

    @contextlib.contextmanager
    def stage(name: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        seconds[name] = time.perf_counter() - begin
        if tell is not None:
            # what is sought in steps comes last
            tell(total if name == "risk" else len(seconds), total)

    def told_levels(done: int, levels: int) -> None:
        # after the last level the optima are still to be followed
        if tell is not None:
            tell(_STAGES + _RISK_STEPS * done // (levels + 1), total)

    if risk is not None:
        risk = fraction_of(risk)  # before the work
    landscape = source.landscape if isinstance(source, Evolution) else source
    better = landscape.sense if minimise is None else sense_of(minimise)
    if landscape.batch_shape:
        raise UnsupportedError(
            "study() needs a single landscape",
            given=f"batch axes {landscape.batch_shape}",
            advice="select one: Landscape(landscape.values[0], landscape.grid)",
        )
    if landscape.grid.dimensions > _MOST_AXES:  # before its nodes are found too few, which more nodes would not mend
        raise UnsupportedError(
            f"study() supports at most {_MOST_AXES} axes",
            given=f"{landscape.grid.dimensions} axes",
            advice="study a slice of up to three axes, or use heatpg.quadrature.mollify with a function of up to 20 "
            "variables",
        )
    if price_limit is not None and not (math.isfinite(price_limit) and price_limit > 0):
        raise OptionError("price_limit must be positive", given=price_limit, allowed="numbers > 0, in units of Q")
    if draws is not None and (covariance is not None or risk is not None):
        given = "covariance" if covariance is not None else "risk"
        raise UnsupportedError(
            f"{given} is not available for noise in all components",
            given=f"draws and {given}",
            advice="study(heatpg.planes.evolve_plane(landscape, sigma, draws, covariance=...))" if risk is None else "",
        )
    if covariance is not None and sigma is not None:
        raise OptionError("give either sigma or covariance, not both")
    principal = None
    with stage("evolve"):
        landscape = _with_origin(landscape)
        factors = None
        if isinstance(source, Evolution) and sigma is None and covariance is None:
            covariance, factors = one_covariance(source)
            factors = factors if len(source) >= _ENOUGH else None
        if covariance is not None:
            principal = principal_axes(landscape, covariance)
            landscape = principal.landscape
            sigma = principal.levels() if factors is None else factors[:, None] * principal.deviations
        landscape = landscape.regarded(minimise=better.minimise)
        known = isinstance(source, Evolution) and (len(source) >= _ENOUGH or source.drawn is not None)
        if isinstance(source, Evolution) and (sigma is not None or covariance is not None or risk is not None):
            source.require_solved("a study of other noise, or of risk")
        if isinstance(source, Evolution) and known and sigma is None:
            flow = source
            if landscape is not source.landscape:
                sampled = {"known_error": source.known_error, "draw_groups": source.draw_groups}
                flow = Evolution.of(source, landscape=landscape, **sampled)
        else:
            levels = default_sigma(landscape.grid) if sigma is None else sigma
            if draws is None:
                flow = evolve(landscape, levels, checks=checks)
            else:
                flow = evolve_plane(landscape, levels, draws, checks=checks)
        flow = above_zero(flow)
    with stage("tracks"):
        space = track(flow)
    with stage("price"):
        # the price is asked about after the curve, which knows the best Q
        curve = price(space)
        # The mean over the box is what a random action earns. Between stated walls all cells may be equal.
        limit = _PRICE_SHARE * (curve.above_mean or curve.oscillation) if price_limit is None else price_limit
        keeps, single = curve.largest_sigma(limit), single_maximum(space)
        try:
            shape: Shape | str = optimum_shape(space)
        except (OptionError, UnsupportedError) as reason:
            shape = reason.problem
    with stage("seeds"):
        seeds = intervals_of(space, curve, limit)
    with stage("basins"):
        # labels of every node at 64 levels would be the largest part of a study, and no sentence needs them
        where = basins(flow, include_initial=False, keep_labels=False)
    with stage("roughness"):
        rough = _roughness_of(landscape)
    with stage("chaos"):
        try:
            chaotic = chaos(landscape, measured=rough.exponent if isinstance(rough, Roughness) else None)
        except (OptionError, UnsupportedError):
            chaotic = None
    safest = None
    if risk is not None:
        with stage("risk"):
            safest = safest_action(flow, risk, progress=told_levels).with_mean_jumps(space.jumps)
    found = (flow, space, curve, where, rough, chaotic, shape, limit, keeps, single, departure(space), seconds)
    return Study(*found, risk=safest, principal=principal, intervals=seeds)
