"""The page of a study: its numbers, printed as text, HTML, a figure and JSON."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from heatpg.core.report import counted
from heatpg.evolution import Evolution
from heatpg.intervals import Intervals
from heatpg.intervals.results import qualified
from heatpg.risk.actions import SafestAction
from heatpg.scalespace import (
    Basins,
    ChaosSummary,
    Limit,
    PriceCurve,
    Roughness,
    ScaleSpace,
    Shape,
)
from heatpg.scalespace.origin import Departure
from heatpg.scalespace.pricing import noise_words
from heatpg.scalespace.principal import PrincipalAxes
from heatpg.scalespace.verdict import Verdict, verdict
from heatpg.studies.sentences import PRINTED_TOPICS, Wording
from heatpg.tools import html
from heatpg.tools.calls import checked_call
from heatpg.tools.figures import figures
from heatpg.tools.lines import one_line, typeset
from heatpg.tools.numbers import settled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from heatpg.plot.style import Width

__all__ = ["Study"]

_WIDTH = 100  # columns of a terminal; a taste
_MOST_NOTES = 16  # in a notebook


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
        """One sentence per topic; a topic is found by the word that the page prints for it, too."""
        return self._words.sentences()

    @property
    def _words(self) -> Wording:
        return Wording(self)

    def __repr__(self) -> str:
        space = self.space
        jump = space.clearest_jump
        events = [("jump", jump if jump is None or space.shows(jump) else None), ("end", space.sigma_death)]
        told = [f"{word} at {self._words.noise(event.sigma, 4)}" for word, event in events if event is not None]
        ends = f"sigma {self._words.noise(space.sigma[0], 4)} to {self._words.noise(space.sigma[-1], 4)}"
        return f"<Study of {self.evolution.landscape.name!r}: {', '.join([ends, *told])}>"

    def __str__(self) -> str:
        space = self.space
        first, last = (self._words.noise(float(sigma), 4) for sigma in space.sigma[[0, -1]])
        heading = (
            f"{one_line(self.evolution.landscape.name)}: {' x '.join(map(str, self.evolution.grid.shape))} nodes, "
            f"{len(space.sigma)} sigmas from {first} to {last}"
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
            doubt = self.price_doubt(int(i))
            edge += f"  price{doubt}" if doubt else ""
            lines.append(
                f"{space.sigma[i]:10.4g} {counts[i]:7d} {settled(self.curve.price[i], scale):10.4g} "
                f"{settled(self.curve.drop[i], scale):10.4g} "
                f"{share[i]:7.1%} {self._words.value(earned[i]):>13}{edge}"
            )
        lines += [""]
        for line in self.column_words:
            lines += textwrap.wrap(one_line(line), _WIDTH, subsequent_indent="  ")
        for flag in space.flags:
            lines += textwrap.wrap(one_line(f"note: {flag}"), _WIDTH, subsequent_indent="      ")
        lines += textwrap.wrap(self._checked(), _WIDTH, subsequent_indent="  ")
        return "\n".join(lines)

    def price_doubt(self, level: int) -> str:
        """How well the price at one level is known: its interval over the seeds, or what is open between nodes.

        The interval contains what is open between nodes, so it is the larger one. Empty where there is neither.
        """
        if self.intervals is not None:
            return f" {self.intervals.price_words(level)}"
        return self.curve.doubt_words(self.curve.price[level], self.curve.uncertainty[level])

    def value_doubt(self, level: int) -> str:
        """How well seeds or draws know u at its optimum, at one level; empty without them."""
        if self.intervals is not None:
            low, high = self.intervals.value[level]
            return f" +- {0.5 * (high - low):.2g}"
        error = self.evolution.known_error
        if error is None:
            return ""
        node = self.evolution.grid.nearest_node(self.space.optimum_positions[level])
        return f" +- {float(error[level][node]):.2g}"

    @property
    def price_doubts(self) -> str:
        """What stands behind a price in the table; empty where nothing does."""
        if self.intervals is not None:
            whose = f"{self.intervals.share}, {self.intervals.seeds} seeds"
            return f"price a to b: {whose}; it contains how far two interpolants of Q between its nodes differ"
        if any(map(self.curve.doubt_words, self.curve.price, self.curve.uncertainty)):
            return "price +-: how far two interpolants of Q between its nodes differ there; sample more nodes"
        return ""

    @property
    def value_doubts(self) -> str:
        """What stands behind the optimum of u in a table that has it; empty where nothing does."""
        best = f"{self.space.sense.short} u +-"
        if self.intervals is not None:
            return f"{best}: half of the {self.intervals.share}, {self.intervals.seeds} seeds"
        if self.evolution.known_error is None:
            return ""
        return f"{best}: standard error {'over the draws' if self.evolution.drawn is not None else 'over rollouts'}"

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
        lines += filter(None, [self.price_doubts])
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
