"""Whether the largest or the smallest value of Q is the optimum, and the terms for either, which are defined only here.

A return is maximised, a loss is minimised. Everything that looks for an optimum works with ``sign * Q``, whose optimum
is always the maximum, and puts the sign back into what it tells; everything that speaks of an optimum takes its words
from here.
"""

from __future__ import annotations

import dataclasses

from heatpg.errors import OptionError

__all__ = ["MAXIMISE", "MINIMISE", "Sense", "sense_of"]


@dataclasses.dataclass(frozen=True)
class Sense:
    """Which way is better, with the words for it.

    Attributes
    ----------
    minimise
        Whether the smallest value is the optimum.
    sign
        What Q is multiplied by so that its optimum is the maximum: 1 or -1.
    extremum, extrema
        What the optimum is among the critical points: a maximum or a minimum.
    short, place
        The optimal value and where it is, as in "max Q" and "argmax".
    largest, higher, highest
        Adjectives for a value that is better than others.
    ascent
        The way of a gradient method to it.
    lost
        What noise does to the optimal value: a drop, or a rise.
    improve, improves
        What noise never does to it: it does not rise, or fall.
    height
        How far the optimum stands out.
    top, ridge
        Where the best values are, and a line of such.
    """

    minimise: bool
    sign: float
    extremum: str
    extrema: str
    short: str
    place: str
    largest: str
    higher: str
    highest: str
    ascent: str
    lost: str
    improve: str
    improves: str
    height: str
    top: str
    ridge: str

    @property
    def opposite(self) -> Sense:
        """The other one."""
        return MAXIMISE if self.minimise else MINIMISE

    def kind(self, name: str) -> str:
        """The kind of a critical point of Q for one of sign * Q, and back: maxima and minima change places.

        Examples
        --------
        >>> from heatpg.core.sense import MAXIMISE, MINIMISE
        >>> MAXIMISE.kind("maximum"), MINIMISE.kind("maximum"), MINIMISE.kind("saddle")
        ('maximum', 'minimum', 'saddle')
        """
        if not self.minimise or name not in (MAXIMISE.extremum, MINIMISE.extremum):
            return name
        return MINIMISE.extremum if name == MAXIMISE.extremum else MAXIMISE.extremum

    def gain(self, better: str, worse: str, minus: str = "-") -> str:
        """The difference by which one value is better than another, in words, with the sign as it is to be set.

        Examples
        --------
        >>> from heatpg.core.sense import MAXIMISE, MINIMISE
        >>> MAXIMISE.gain("max Q", "Q(mu)"), MINIMISE.gain("min Q", "Q(mu)")
        ('max Q - Q(mu)', 'Q(mu) - min Q')
        """
        return f"{worse} {minus} {better}" if self.minimise else f"{better} {minus} {worse}"


MAXIMISE = Sense(
    minimise=False,
    sign=1.0,
    extremum="maximum",
    extrema="maxima",
    short="max",
    place="argmax",
    largest="largest",
    higher="higher",
    highest="highest",
    ascent="ascent",
    lost="drop",
    improve="rise",
    improves="rises",
    height="height",
    top="top",
    ridge="ridge",
)
MINIMISE = Sense(
    minimise=True,
    sign=-1.0,
    extremum="minimum",
    extrema="minima",
    short="min",
    place="argmin",
    largest="smallest",
    higher="lower",
    highest="lowest",
    ascent="descent",
    lost="rise",
    improve="fall",
    improves="falls",
    height="depth",
    top="bottom",
    ridge="valley",
)


def sense_of(minimise: object) -> Sense:
    """The sense for an argument ``minimise``.

    Raises
    ------
    OptionError
        For anything but True and False.

    Examples
    --------
    >>> from heatpg.core.sense import sense_of
    >>> sense_of(True).extremum
    'minimum'
    """
    # by equality a 1 would do; a word, of which every one is true, must not
    if not isinstance(minimise, bool) and type(minimise).__name__ not in ("bool_", "bool"):
        raise OptionError("minimise must be true or false", given=repr(minimise), allowed="True or False")
    return MINIMISE if minimise else MAXIMISE
