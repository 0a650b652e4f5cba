"""What the first noise level has left of the optimum of Q, where another place is better there."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.extrema import climb
from heatpg.scalespace.events import Event, Track
from heatpg.scalespace.jumps import TIE
from heatpg.scalespace.places import unit_of_length
from heatpg.scalespace.pricing import noise_words, place_words, vanishing_words
from heatpg.scalespace.tracks import ScaleSpace

__all__ = ["Departure", "departure", "departure_words", "ending", "ending_words", "fade"]

Array = NDArray[Any]

_SAME = 2.0  # noise levels or spacings, whichever is longer, up to which two optima count as one
_ON_WALL = 1e-9  # of the same: a point on a wall is found there up to rounding errors


@dataclasses.dataclass(frozen=True)
class Departure:
    """The optimum of Q is not that of u at the first noise level.

    Attributes
    ----------
    track
        Number of the track of the local maximum (of a loss, minimum) that remains of the optimum of Q; None if none
        does, because ascent from it ends elsewhere.
    """

    track: int | None


def departure(space: ScaleSpace) -> Departure | None:
    """What remains of the optimum of Q at the first noise level; None where it is the optimum there.

    Ascent on u at the first level starts at the best node of Q. It may end at the optimum of u; near its start at a
    lower maximum, which is then what remains of the optimum; or far away, so that nothing remains.

    Parameters
    ----------
    space
        The tracks.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape, evolve
    >>> from heatpg.scalespace import track
    >>> from heatpg.scalespace.origin import departure
    >>> grid = Grid(Axis("x", -3.0, 3.0, 301, boundary="clip"))
    >>> x = grid[0].coordinates
    >>> bumps = Landscape(np.exp(-50 * (x + 1) ** 2) + 0.8 * np.exp(-3 * (x - 1) ** 2), grid)
    >>> departure(track(evolve(bumps, [0.05, 0.1]))) is None
    True
    >>> space = track(evolve(bumps, [0.2, 0.4]))
    >>> space.tracks[departure(space).track].positions[0].round(3)
    array([-1.])
    """
    # in pure numbers, in which the nodes of u are not rounded to those of an offset
    problem = space.pure.problem
    grid = problem.units.pure
    start, best = problem.best_place[0], problem.best_node(-1)
    on_wall = bool((start != grid.point(best)).any())
    if on_wall:
        # from the cell next to the wall
        best = grid.nearest_node(start)
    node = int(climb(problem.values(0), grid, np.array([np.ravel_multi_index(best, grid.shape)]))[0])
    end = np.array(grid.point(np.unravel_index(node, grid.shape)))
    # beyond the box of the data the optimum is held by the edge of that, and of equal ones on a plateau any is it
    top = problem.values(0)[problem.best_node(0)]
    if not problem.inside(end) or problem.values(0).reshape(-1)[node] >= top - TIE * problem.round_off.size:
        return None
    unit = unit_of_length(grid, problem.units.lengths(space.evolution.sigmas[0]))
    # the other way around, where there is one
    period = np.array([axis.length if axis.rule.periodic else math.inf for axis in grid])

    def apart(one: Array, other: Array) -> float:
        away = np.abs(one - other)
        return float((np.minimum(away, period - away) / unit).max())

    optimum = space.pure.optimum.positions[0]
    # the cell next to a stated wall may rise away from it
    if apart(end, optimum) <= _SAME or (on_wall and apart(start, optimum) <= _SAME):
        return None
    if apart(end, start) > _SAME:
        return Departure(None)
    maxima = [one for one in space.pure.history.tracks if one.kind == "maximum" and one.levels[0] == 0]
    nearest = min(maxima, key=lambda one: apart(one.positions[0], end), default=None)
    return Departure(None if nearest is None or apart(nearest.positions[0], end) > _SAME else nearest.number)


def departure_words(space: ScaleSpace, departed: Departure) -> str:
    """What is known of the optimum of Q at the first noise level, in a sentence."""
    sense, first = space.sense, noise_words(space, float(space.sigma[0]), 3)
    unit = f" {space.grid.unit}" if space.grid.unit else ""
    if departed.track is None:
        return (
            f"The optimum of Q has vanished at the smallest noise level, sigma = {first}{unit}; a finer grid can show "
            "where."
        )
    event = space.tracks[departed.track].death
    until = f"to sigma = {noise_words(space, event.sigma if event else float(space.sigma[-1]), 3)}{unit}"
    return (
        f"Already at the smallest noise level, sigma = {first}{unit}, another {sense.extremum} is "
        f"{'lower' if sense.minimise else 'higher'}, at {place_words(space, space.optimum_positions[0])}; what remains "
        f"of the optimum of Q is a local {sense.extremum} up {until}."
    )


def fade(space: ScaleSpace) -> Event | None:
    """Where the optimum of the first level, with all that are equal to it, becomes part of a plateau; None if it ends.

    From there on it has no place of its own, and what is said of its track holds up to there.
    """
    ends = [space.tracks[number].death for number in space.pure.optimum.equal[0]]
    known = [end for end in ends if end is not None]
    if not ends or len(known) < len(ends) or space.sigma_death is not None:
        return None
    return max(known, key=lambda end: end.sigma)


def ending(space: ScaleSpace, event: Event) -> tuple[str, str]:
    """What happens to an optimum at the event that ends its track: a verb, and how or where."""
    kind, place = space.sense.extremum, f"at {place_words(space, event.position)}"
    tracks = [space.tracks[number] for number in event.tracks if space.tracks[number].kind == kind]
    before, after = [one for one in tracks if one.death is event], [one for one in tracks if one.birth is event]
    vanishes = "vanishes", vanishing_words(space)
    reaches = "reaches the edge of the box", f"{place}{_on_the_edge(space, after)}"
    if event.kind != "merge":
        return {
            "death": vanishes,
            "reaches edge": reaches,
            "leaves edge": ("leaves the edge of the box", place),
            "leaves box": ("leaves the box", place),
            "fades": ("fades", "into a plateau, flat to round-off"),
        }.get(event.kind, ("is lost", "its track could not be followed any further"))
    # of an optimum that two saddles, images of each other, meet at once none is left
    if not after:
        return vanishes
    # what a single one merges with is its own image beyond a wall
    if len(before) == 1 and _walls(space, after[0]) > _walls(space, before[0]):
        return reaches
    return "merges", f"with an equal {kind}"


def _on_the_edge(space: ScaleSpace, tracks: list[Track]) -> str:
    """What becomes of an optimum that has reached the edge, by the track that begins there; "" if there is none."""
    if not tracks:
        return ""
    end = tracks[0].death
    if end is None:
        return ", and stays there"
    unit = f" {space.grid.unit}" if space.grid.unit else ""
    return f", where it remains a local {space.sense.extremum} up to sigma = {noise_words(space, end.sigma, 3)}{unit}"


def _walls(space: ScaleSpace, one: Track) -> int:
    """On how many walls of the box a track lies all along."""
    units = space.pure.problem.units
    positions = space.pure.history.tracks[one.number].positions
    near = _ON_WALL * unit_of_length(units.pure, units.lengths(space.sigmas(float(one.sigma[0]))))
    return sum(
        not axis.rule.periodic and bool((np.abs(positions[:, i] - end) <= near[i]).all())
        for i, axis in enumerate(units.pure)
        for end in (axis.lower, axis.upper)
    )


def ending_words(space: ScaleSpace, event: Event) -> str:
    """How an optimum ends, in a sentence: "vanishes: it annihilates with a saddle"."""
    verb, how = ending(space, event)
    return f"{verb}{': it ' if verb == 'vanishes' else ': ' if verb == 'is lost' else ' '}{how}"
