"""How many extrema there are and what the basins cover, in sentences."""

from __future__ import annotations

import numpy as np

from heatpg.scalespace.pricing import Limit, noise_words
from heatpg.scalespace.tracks import ScaleSpace
from heatpg.scalespace.watershed import Basins
from heatpg.tools.numbers import share_words

__all__ = ["basin_words", "births_words", "extrema_words"]


def basin_words(space: ScaleSpace, basins: Basins) -> str:
    """What the basin of the optimum covers, and what belongs to no basin.

    Parameters
    ----------
    space
        The tracks.
    basins
        The basins at the same noise levels, without that of Q.

    Examples
    --------
    >>> from heatpg import evolve, landscapes
    >>> from heatpg.scalespace import basins, track
    >>> from heatpg.scalespace.census import basin_words
    >>> flow = evolve(landscapes.unequal_bumps(size=401), [0.3, 0.9])
    >>> basin_words(track(flow), basins(flow, include_initial=False)).partition(" and ")[2]
    'at its widest 100%, at sigma = 0.9.'
    """
    # NaN where u is flat
    share = basins.of_optimum()
    widest = int(np.nanargmax(share))
    words = (
        f"The basin of attraction of the smoothed optimum covers {share_words(share[0])} of the box at sigma = "
        f"{noise_words(space, float(space.sigma[0]), 4)}"
    )
    if widest:
        words += (
            f" and at its widest {share_words(share[widest])}, at sigma = "
            f"{noise_words(space, float(space.sigma[widest]), 4)}."
        )
    else:
        words += ", its largest share over all noise levels."
    stalled = np.array([partition.stalled for partition in basins.partitions])
    most = int(stalled.argmax())
    if stalled[most] > 0:
        words += (
            f" Starts in a part of the box where u is flat to rounding errors belong to no basin: "
            f"{share_words(stalled[most])} of the box at sigma = {noise_words(space, float(space.sigma[most]), 4)}"
            f"{', the largest part' if (stalled > 0).sum() > 1 else ''}."
        )
    return words


def extrema_words(space: ScaleSpace, single: Limit) -> str:
    """How many maxima (of a loss, minima) there are at the first noise level and at most, and where one remains.

    Examples
    --------
    >>> from heatpg import evolve, landscapes
    >>> from heatpg.scalespace import single_maximum, track
    >>> from heatpg.scalespace.census import extrema_words
    >>> space = track(evolve(landscapes.unequal_bumps(size=401), [0.3, 0.9]))
    >>> extrema_words(space, single_maximum(space))
    '2 maxima at the smallest noise level; for sigma >= 0.7366 a single maximum remains.'
    """
    sense, counts = space.sense, space.count()
    most, edges = int(counts.argmax()), int(counts[0] - space.count(on_edge=False)[0])
    held = f" ({edges} on the edge of the box)" if edges else ""
    more = ""
    if counts[most] > counts[0]:
        more = f", {counts[most]} at sigma = {noise_words(space, float(space.sigma[most]), 4)}"
    return (
        f"{counts[0]} {sense.extremum if counts[0] == 1 else sense.extrema}{held} at the smallest noise level{more}; "
        f"{single.statement}."
    )


def births_words(space: ScaleSpace) -> str:
    """How many pairs of critical points appear as sigma grows, within the box and on its edge; empty if none do.

    Examples
    --------
    >>> from heatpg import evolve, landscapes
    >>> from heatpg.scalespace import track
    >>> from heatpg.scalespace.census import births_words
    >>> births_words(track(evolve(landscapes.unequal_bumps(size=401), [0.3, 0.9])))
    ''
    """
    # in one dimension there are none, by Sturm, but for those that an edge of the box makes
    births = [event for event in space.events if event.kind == "birth"]
    on_edge = [event for event in births if any(space.tracks[number].on_edge for number in event.tracks)]
    inside = _appear(len(births) - len(on_edge), "", ", as is possible in two or more dimensions")
    return " ".join(filter(None, (inside, _appear(len(on_edge), " on the edge of the box", ""))))


def _appear(pairs: int, where: str, why: str) -> str:
    if pairs == 0:
        return ""
    begin = "A pair of critical points appears" if pairs == 1 else f"{pairs} pairs of critical points appear"
    return f"{begin}{where} as sigma grows{why}."
