"""Options of sampling noise in all components: error, number of draws, budget."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from heatpg.core.slices import draw_words
from heatpg.errors import OptionError
from heatpg.planes.points import KINDS
from heatpg.tools.arguments import finite_number, one_of, whole_number
from heatpg.tools.calls import checked_class
from heatpg.tools.plain import fields_as_dict
from heatpg.tools.resources import human_duration

__all__ = ["Cost", "Draws"]

_BUDGET = 2_000_000  # rollouts, half an hour at a millisecond each: a taste
_LEAST = 8  # below, a standard error is known to less than a quarter of itself


@checked_class()
@dataclasses.dataclass(frozen=True)
class Draws:
    """Number of draws of the noise, and their type.

    Attributes
    ----------
    error
        The largest standard error of u that is allowed, in units of the oscillation of Q. Var <= osc^2 / 4, so 2,500
        draws suffice for .01 and 100 for .05; pilot draws estimate the number needed.
    count
        Instead of an error: number of draws (pairs, if antithetic); of Sobol' points, also of a state that is
        continued, the next power of two.
    budget
        Evaluations of Q that may be spent (rollouts; each seed of a point counts).
    seed
        Of the noise. The same seed gives the same draws, whatever the sigmas, the nodes and the number of draws are.
    antithetic
        Whether each draw is an antithetic pair; None: if the pilot draws show that it helps.
    points
        ``random`` for independent draws, or ``sobol`` for scrambled Sobol' points in sixteen independent repeats, a
        power of two of them; None: Sobol' points where an error takes 512 rollouts or more of every node, unless a
        trial of 256 shows that they are worse.
    state
        A file that stores the draws, so that interrupted work resumes from there with identical results.

    Examples
    --------
    >>> from heatpg.planes import Draws
    >>> Draws(error=0.05).error, Draws(count=128).count
    (0.05, 128)
    """

    error: float = 0.01
    count: int | None = None
    budget: int = _BUDGET
    seed: int = 0
    antithetic: bool | None = None
    points: str | None = None
    state: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        error = finite_number("error", self.error)
        if not 0.0 < error <= 0.5:
            raise OptionError("error is out of range", given=self.error, allowed="0 < error <= 0.5")
        object.__setattr__(self, "error", error)
        if self.count is not None:
            object.__setattr__(self, "count", whole_number("count", self.count, least=_LEAST))
        if self.points is not None:
            one_of("kind of points", self.points, KINDS)
        if self.points == "sobol" and self.antithetic:
            raise OptionError(
                "Sobol' points are not paired", given="antithetic=True", allowed="points='random' for pairs"
            )
        object.__setattr__(self, "budget", whole_number("budget", self.budget))
        object.__setattr__(self, "seed", whole_number("seed", self.seed, least=0))


@dataclasses.dataclass(frozen=True)
class Cost:
    """Cost of the draws; print it.

    Attributes
    ----------
    draws
        Number of draws for the error, or the requested count.
    antithetic
        Whether each of them is a pair.
    points
        ``random`` or ``sobol``.
    rollouts
        Total number of evaluations of Q, including the pilot; each seed counts.
    spent
        Number of evaluations made so far.
    seconds
        Estimated time of those that are left.
    error
        The requested error, in units of osc(Q); None if a count was requested.
    oscillation
        Of Q over the slice and the pilot.
    pairs_variance
        Variance of an antithetic pair over that of two independent draws, where u is most uncertain.
    sobol_variance
        Variance of u after 256 Sobol' points over that of as many of the better other draws; nan if none were tried.
    asked
        The requested count, if one was: Sobol' points, also those of a state that is continued, are taken in powers of
        two, and so there may be more of them.
    at_five_percent
        Rollouts in all for an error of .05.
    for_jump
        Total rollouts of 128 draws, which determine sigma_jump to about 2 %.
    sigmas
        Number of noise levels above 0.
    checks
        Rollouts that the standard checks of `evolve_plane` take in addition.
    seeds_error
        Largest standard error over the seeds alone, in units of osc(Q), as the draws so far show it; more draws do not
        reduce it. 0 for one seed.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.planes import Draws, estimate_cost
    >>> grid = Grid(Axis("x", -3.0, 3.0, 25, boundary="clip"))
    >>> bump = Landscape.from_function(lambda *x: np.exp(-sum(c**2 for c in x) / 2), grid, dimensions=6)
    >>> cost = estimate_cost(bump, [0.5, 1.0], Draws(error=0.02))
    >>> cost.draws < 625, cost.rollouts > cost.spent
    (True, True)
    """

    draws: int
    antithetic: bool
    points: str
    rollouts: int
    spent: int
    seconds: float
    error: float | None
    oscillation: float
    pairs_variance: float
    sobol_variance: float
    asked: int | None
    at_five_percent: int
    for_jump: int
    sigmas: int
    checks: int
    seeds_error: float

    def __str__(self) -> str:
        kind = draw_words(self.points, self.antithetic)
        wanted = (
            "" if self.error is None else f" for {self.error:.2g} of osc(Q) = {self.oscillation:.4g} over all samples"
        )
        if self.asked is not None and self.draws > self.asked:
            wanted = f" (the next power of two to the {self.asked:,} asked for)"
        left = self.rollouts - self.spent
        # the pilot belongs to the draws, which are lost unless a file keeps them
        still = (
            f"{left:,} of them to come, about {human_duration(self.seconds)}"
            if left > 0
            else "all made by the pilot (pass Draws(state=FILE) to keep them)"
        )
        return (
            f"{self.draws:,} {kind}{wanted}: {self.rollouts:,} rollouts, {still}; "
            f"standard checks take {self.checks:,} more{self._unreachable}"
        )

    @property
    def _unreachable(self) -> str:
        if self.error is None or self.seeds_error <= self.error:
            return ""
        return (
            f"; that error is out of reach: the seeds alone leave {self.seeds_error:.2g} of osc(Q), which more seeds "
            "reduce, and more draws do not"
        )

    @property
    def alternatives(self) -> str:
        """Cheaper settings, as text."""
        return self.choices()

    def choices(self, jump: str = "Draws(count=128)") -> str:
        """Cheaper settings, as text, where draws for a jump alone are asked for in these words."""
        each = self.rollouts // self.sigmas
        # only what is cheaper than what was asked for
        words = [f"an error of 5 % of osc(Q) ({self.at_five_percent:,} rollouts)"] if (self.error or 0) < 0.05 else []
        words += [f"fewer sigmas (about {each:,} rollouts each)"]
        if self.for_jump < self.rollouts:
            words += [f"for sigma_jump alone {jump} ({self.for_jump:,} rollouts)"]
        return f"{', '.join(words[:-1])}, or {words[-1]}" if len(words) > 1 else words[0]

    def as_dict(self) -> dict[str, Any]:
        """The cost as JSON-like values."""
        return fields_as_dict(self)
