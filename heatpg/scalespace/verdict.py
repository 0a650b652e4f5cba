"""The answer of a study in one sentence and three numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

from heatpg.scalespace.origin import Departure, departure_words, ending_words, fade
from heatpg.scalespace.pricing import Limit, PriceCurve, noise_words, place_words
from heatpg.scalespace.tracks import ScaleSpace
from heatpg.tools.numbers import located_words
from heatpg.tools.plain import fields_as_dict

__all__ = ["KeyNumber", "Verdict", "verdict"]


@dataclasses.dataclass(frozen=True)
class KeyNumber:
    """One of the numbers that a reader looks for first.

    Attributes
    ----------
    name
        Its meaning, in a few words.
    value
        The number with three digits and its unit, or a word if there is none.
    detail
        Where the optimum moves, or why there is no number; may be empty.
    """

    name: str
    value: str
    detail: str

    @property
    def is_sigma(self) -> bool:
        """Whether the value is a noise level, and not the word that there is none."""
        return self.value not in ("none", "always")

    @property
    def typeset(self) -> str:
        """The value as figures and pages show it, with its symbol."""
        return f"σ = {self.value}".replace("= below", "<") if self.is_sigma else self.value

    def as_dict(self) -> dict[str, Any]:
        """The number as JSON-like values."""
        return fields_as_dict(self)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The effect of exploration noise on one optimum.

    Attributes
    ----------
    sentence
        The answer.
    numbers
        Where the optimum jumps, where its track ends, and the largest sigma within the cost limit.
    """

    sentence: str
    numbers: tuple[KeyNumber, KeyNumber, KeyNumber]

    def as_dict(self) -> dict[str, Any]:
        """The verdict as JSON-like values."""
        return {"sentence": self.sentence, "numbers": [number.as_dict() for number in self.numbers]}


def _doubt(curve: PriceCurve, price: float, uncertainty: float) -> str:
    """How far a price depends on the interpolant of Q, where that is much of it."""
    words = curve.doubt_words(price, uncertainty)
    return f"{words} (Q is interpolated between its nodes)" if words else ""


def verdict(
    space: ScaleSpace, curve: PriceCurve, limit: Limit, price: float, *, departed: Departure | None = None
) -> Verdict:
    """The answer of a study: the noise level up to which the optimum stays, and what happens there.

    Parameters
    ----------
    space, curve
        Tracks of the critical points, and the price of the optimum.
    limit, price
        The largest sigma within the cost limit, and that limit in units of Q.
    departed
        What remains of the optimum of Q, where it is not the optimum at the first level any more.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import evolve, landscapes
    >>> from heatpg.scalespace import price, track
    >>> from heatpg.scalespace.verdict import verdict
    >>> space = track(evolve(landscapes.unequal_bumps(size=401), np.geomspace(0.1, 2.0, 12)))
    >>> curve = price(space)
    >>> answer = verdict(space, curve, curve.largest_sigma(0.1), 0.1)
    >>> print(answer.sentence)
    Up to sigma = 0.857 acting on the smoothed optimum costs at most 0.1; it moves without a jump.
    >>> [number.value for number in answer.numbers]
    ['none', 'none', '0.857']
    """
    jump, death = space.clearest_jump, space.sigma_death
    shown = jump is None or space.shows(jump)
    unit = space.grid.unit or ""

    def level(sigma: float) -> str:
        return f"{noise_words(space, float(sigma), 3)} {unit}".rstrip()

    def within_limit(sigma: float) -> str:
        return f" Up to sigma = {level(sigma)} acting on it costs {curve.cost_words(sigma, price)}."

    first, last = level(space.sigma[0]), level(space.sigma[-1])
    faded = fade(space)
    until = f"up to sigma = {last}" if faded is None else f"up to sigma = {level(faded.sigma)}; then a plateau"
    within = f"{price:.3g}"
    if departed is not None:
        sentence = departure_words(space, departed)
    elif jump is not None:
        # the price after the jump, where it was located
        known = len(curve.jump_sigma) > 0
        number = space.jumps.index(jump)
        step = float(curve.jump_price[number, 1]) if known else 0.0
        error = space.price_error(jump)
        doubt = _doubt(curve, step, float(curve.jump_uncertainty[number, 1])) if known else ""
        cost = f", which costs {step:.3g}{doubt if error is None else f' +- {error:.1g}'}" if step > 0 else ""
        where = place_words(space, jump.position)
        sentence = f"At sigma = {level(jump.sigma)} the optimum jumps to {where}{cost}."
        if not shown:
            # an error as large as sigma itself tells nothing
            spread = f" +- {jump.uncertainty:.1g}" if located_words(jump.sigma, jump.uncertainty)[0] == "+" else ""
            sentence = (
                f"The draws do not show whether the optimum jumps: in their mean it does at sigma = "
                f"{level(jump.sigma)}{spread}, to {where}{cost}."
            )
        if limit.sigma is not None and limit.sigma < 0.98 * jump.sigma:
            sentence += within_limit(limit.sigma)
    elif space.rival is not None:
        sigma, place = space.rival
        sentence = (
            f"The draws do not show whether the optimum jumps: in their mean it does not, but from sigma = "
            f"{level(sigma)} on the {space.sense.extremum} at {place_words(space, place)} may be the better one."
        )
        if limit.sigma is not None:
            sentence += within_limit(limit.sigma)
    elif limit.sigma is not None:
        sentence = (
            f"Up to sigma = {level(limit.sigma)} acting on the smoothed optimum costs "
            f"{curve.cost_words(limit.sigma, price)}; it "
            f"{'moves without a jump' if faded is None else 'fades into a plateau'}."
        )
    elif curve.price[0] > price:
        sentence = f"Already at sigma = {first} acting on the smoothed optimum costs {curve.price[0]:.3g}"
        sentence += f"{_doubt(curve, float(curve.price[0]), float(curve.uncertainty[0]))}."
    else:
        most = curve.most_words(float(space.sigma[-1]), 3)
        sentence = f"The optimum stays: up to sigma = {last} acting on it costs {most}."
    # the optimum of Q is no longer there to jump or to end, but that of u may
    whose = "the optimum" if departed is None else "the smoothed optimum"
    jumps, ends = f"{whose} jumps", f"{whose} ends"
    if departed is not None and departed.track is not None:
        where = place_words(space, space.optimum_positions[0])
        first_number = KeyNumber("the optimum jumps", f"below {first}", f"to {where}")
    elif jump is not None and shown:
        first_number = KeyNumber(jumps, level(jump.sigma), f"to {place_words(space, jump.position)}")
    elif jump is not None:
        first_number = KeyNumber(jumps, "not shown", f"in the mean of the draws at sigma = {level(jump.sigma)}")
    elif space.rival is not None:
        first_number = KeyNumber(jumps, "not shown", "in the mean of the draws it does not")
    else:
        first_number = KeyNumber(jumps, "none", until)
    numbers = (
        first_number,
        KeyNumber(ends, "none", until)
        if death is None
        else KeyNumber(ends, level(death.sigma), ending_words(space, death)),
        KeyNumber(f"price at most {within}", level(limit.sigma), "up to this sigma")
        if limit.sigma is not None
        else KeyNumber(f"price at most {within}", "none", f"exceeded at sigma = {first}")
        if curve.price[0] > price
        else KeyNumber(f"price at most {within}", "always", f"up to sigma = {last}"),
    )
    return Verdict(sentence, numbers)
