"""What can be held of fields whose noise was in more components than the grid has axes.

On a plane of a larger space u solves no heat equation: the Laplacian of the other components is missing. What stays
true: u is a mean of Q, so that it lies in the range of Q. What does not: there may be joint maxima at sigma^2 > 0,
values along a maximum may rise, and in one dimension the number of extrema may grow. These are findings here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heatpg.core.extrema import local_maxima, on_edge
from heatpg.core.noise import sigma_words
from heatpg.core.report import Check, Place, Status
from heatpg.core.slices import draw_words
from heatpg.evolution import Evolution
from heatpg.verify import checks
from heatpg.verify.maximum_principle import edge_entry
from heatpg.verify.silence import Scale, bound_source, unless_silent

__all__ = ["drawn"]

_WEIGHTS = 2e-8  # of osc(Q): where sigma is one spacing, weights on a lattice sum to one but for 2 exp(-2 pi^2) an axis
_MISSED = 0.05  # the chance that a rare event is missed: 95 % confidence
_SEEN = 2.0  # standard errors by which a joint maximum has to stand out: about 95 %


def _place(evolution: Evolution, level: int, flat: int) -> Place:
    index = tuple(int(i) for i in np.unravel_index(flat, evolution.grid.shape))
    return Place(level, index, evolution.grid.point(index))


def _range(evolution: Evolution, low: float, high: float) -> Check:
    nodes, largest = high - low, max(abs(low), abs(high))
    # what the boundaries say of the outside has its share in u; draws go up to the walls, so faces have nothing to add
    for axis in evolution.grid:
        low, high = axis.rule.extremes_outside(low, high)
    scale = Scale.between(low, high, evolution, nodes, largest)
    below, above = low - evolution.values, evolution.values - high
    outside = np.maximum(below, above).reshape(len(evolution), -1)
    level, flat = (int(i) for i in np.unravel_index(int(outside.argmax()), outside.shape))
    figure = max(0.0, float(outside[level, flat])) / scale.size
    bound = _WEIGHTS + evolution.value_error / scale.size
    kept = figure <= bound
    check = Check(
        "range",
        "passed" if kept else "failed",
        "u is a mean of Q and lies within the range of all samples"
        if kept
        else f"u leaves the range of Q by {figure:.3g} of {scale.words}",
        figure,
        bound,
        bound_source("weights on a lattice", evolution, scale),
        _place(evolution, level, flat),
        promised=True,
    )
    return unless_silent(check, evolution, [(level, bound * scale.size)], (low, high))


def _sampling(evolution: Evolution) -> Check:
    facts = evolution.drawn or {}
    reached, asked = float(facts.get("reached", 0.0)), facts.get("error")
    kind = draw_words(str(facts.get("points", "random")), bool(facts.get("antithetic")))
    seeds = "" if evolution.landscape.standard_error is None else ", with the scatter of the seeds,"
    count = int(facts.get("draws", 0))
    # as for seeds: with this probability of an event no draw shows it in one of twenty cases
    unseen = 1.0 - _MISSED ** (1.0 / count) if count else 1.0
    words = (
        f"{count:,} {kind} of noise in {int(facts.get('components', 0)):,} components, "
        f"{int(facts.get('rollouts', 0)):,} rollouts: the largest standard error of u{seeds} is {reached:.2g} of "
        f"osc(Q), without rare events, such as a fall, that no draw showed: these may have a probability of "
        f"up to {unseen:.2g}"
    )
    if facts.get("edges") is not None:
        words += (
            "; near edges beyond which Q is 0 it is at least what the known probability of crossing them makes, also "
            "where no draw crossed"
        )
    if asked is None:
        return Check("sampling error", "finding", words)
    status: Status = "passed" if reached <= float(asked) else "finding"
    return Check("sampling error", status, words, reached, float(asked), "the requested error")


def _joint(evolution: Evolution, tops: list[NDArray[np.int64]]) -> Check:
    grid, sense = evolution.grid, evolution.landscape.sense
    fields = sense.sign * np.concatenate([evolution.landscape.values[None], evolution.values]).astype(np.float64)
    error = evolution.known_error
    found = []
    for level in range(len(evolution) - 1):
        if not evolution.sigmas[level].any():
            continue
        for flat in tops[level]:
            index = np.unravel_index(int(flat), grid.shape)
            around = [
                np.take(np.arange(axis.size), [i - 1, i, i + 1], mode="wrap" if axis.rule.periodic else "clip")
                for axis, i in zip(grid, index, strict=True)
            ]
            # fields begin with Q, so that the level itself is the next one
            beside = max(float(fields[k][np.ix_(*around)].max()) for k in (level, level + 2))
            excess = float(fields[level + 1][index]) - beside
            seen = 0.0 if error is None else _SEEN * float(error[level][index])
            if excess > seen + 2.0 * evolution.value_error:
                found.append((excess, level, int(flat)))
    name = f"joint {sense.extrema}"
    if not found:
        return Check(
            name,
            "passed",
            f"no joint local {sense.extremum} in (mu, sigma^2) is significant, though a slice may have some",
        )
    excess, level, flat = max(found)
    words = (
        f"{len(found)} joint local {sense.extrema if len(found) > 1 else sense.extremum} in (mu, sigma^2) at "
        f"sigma^2 > 0, the clearest at sigma={sigma_words(evolution.sigma[level])}; a slice may have such points, "
        f"where u is a saddle in all components"
    )
    return Check(name, "finding", words, excess, where=_place(evolution, level, flat))


@checks.register("drawn")
def drawn(evolution: Evolution, level: str = "standard") -> list[Check]:
    """Check fields that were drawn; see the top of this file.

    Parameters
    ----------
    evolution
        Evolution to check.
    level
        The same checks are made at every level.

    Returns
    -------
    entries
        range, sampling error, joint maxima, spatial maxima, optimum on the edge; nothing for fields that were solved.

    Examples
    --------
    >>> from heatpg import Landscape
    >>> from heatpg.evolution import solve
    >>> from heatpg.verify.drawn import drawn
    >>> drawn(solve(Landscape.from_array([0.0, 1.0, 0.0], boundary="clip"), 0.3))
    []
    """
    facts = evolution.drawn
    if facts is None:
        return []
    grid, landscape, sense = evolution.grid, evolution.landscape, evolution.landscape.sense
    low = min(float(facts.get("lowest", -np.inf)), float(landscape.values.min()))
    high = max(float(facts.get("highest", np.inf)), float(landscape.values.max()))
    signed = sense.sign * np.asarray(evolution.values, dtype=np.float64)
    tops = [local_maxima(field, grid, 2.0 * evolution.value_error) for field in signed]
    best = [int(field.argmax()) for field in signed]
    edge = [k for k, top in enumerate(best) if on_edge(np.unravel_index(top, grid.shape), grid)]
    counts = [len(local_maxima(sense.sign * np.asarray(landscape.values), grid, 0.0)), *map(len, tops)]
    story = f"in Q and at each sigma: {' -> '.join(map(str, counts))}; on a slice their number may grow with sigma"
    where = _place(evolution, edge[0], best[edge[0]]) if edge else None
    return [
        _range(evolution, low, high),
        _sampling(evolution),
        _joint(evolution, tops),
        Check(f"spatial {sense.extrema}", "finding", story),
        edge_entry(sense, len(edge), len(evolution), where, flat=0, all_flat=False),
    ]
