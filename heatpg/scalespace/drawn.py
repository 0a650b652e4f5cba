"""How well a jump is known where u was drawn, and whether it is shown: from the scatter of groups of draws."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from heatpg.core.crossings import Crossings
from heatpg.core.levels import LevelField
from heatpg.core.report import Report
from heatpg.evolution import Evolution
from heatpg.scalespace.folds import fold_at

__all__ = ["SEEN", "above_zero", "error_of_q", "fold_error", "groups_of", "jump_error", "lead_errors", "shows_jump"]

Array = NDArray[np.float64]

SEEN = 2.0
"""Standard errors by which one maximum has to lead the other: about 95 %."""


def above_zero(evolution: Evolution) -> Evolution:
    """An evolution that was drawn without its level of no noise: between the levels u is a function of log sigma.

    Parameters
    ----------
    evolution
        Any; what was solved stays as it is.

    Examples
    --------
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.planes import Draws, evolve_plane
    >>> from heatpg.scalespace.drawn import above_zero
    >>> line = Grid(Axis("x", -1.0, 1.0, 21, boundary="clip"))
    >>> q = Landscape.from_function(lambda x, y: x + y**2, line, dimensions=2)
    >>> above_zero(evolve_plane(q, [0.0, 0.2, 0.4], Draws(count=64))).sigma
    array([0.2, 0.4])
    """
    noisy = evolution.sigmas.any(axis=1)
    if evolution.drawn is None or noisy.all() or not noisy.any():
        return evolution
    # levels ascend
    first = int(np.argmax(noisy))
    error, report = evolution.known_error, evolution.report
    checks = []
    for check in report:
        if check.where is not None:
            level = check.where.sigma - first
            # the level of what is left out has no number any more
            check = dataclasses.replace(
                check, where=dataclasses.replace(check.where, sigma=level) if level >= 0 else None
            )
        checks.append(check)
    groups = evolution.draw_groups
    return Evolution.of(
        evolution,
        sigma=evolution.sigma[first:],
        values=evolution.values[first:],
        paths=tuple(evolution.paths[k] for k in range(first, len(evolution))),
        known_error=None if error is None else error[first:],
        draw_groups=None if groups is None else groups[:, first:],
        report=Report(checks, report.level),
    )


def _between(evolution: Evolution, fields: Iterable[Array]) -> Iterator[LevelField]:
    """Fields at the levels of an evolution, between its nodes and levels."""
    return (LevelField(evolution.landscape, evolution.sigmas[:, 0], np.asarray(one)) for one in fields)


def jump_error(evolution: Evolution, field: LevelField, sigma: float, places: Array) -> float:
    """Standard error over the draws of the sigma at which two maxima are equal: that of their lead, over its slope.

    Parameters
    ----------
    evolution
        What was drawn.
    field
        Its u between the nodes and levels.
    sigma
        Of the jump.
    places
        The two maxima there, shape (2, dimensions).

    Returns
    -------
    error
        From groups of draws, which are common to both maxima; where they are not known, as in files of heatpg before
        they were stored, the sum of both standard errors, which is more.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.planes import Draws, evolve_plane
    >>> from heatpg.scalespace import track
    >>> line = Grid(Axis("x", -1.0, 5.0, 61, boundary="clip"))
    >>> def two(x, y):
    ...     return np.exp(-(x**2 + y**2) / 0.18) + 0.8 * np.exp(-((x - 4) ** 2 + y**2) / 2)
    >>> q = Landscape.from_function(two, line, dimensions=2)
    >>> space = track(evolve_plane(q, np.geomspace(0.08, 0.4, 8), Draws(count=200)), "maximum")
    >>> exact = np.sqrt(0.09 * 0.25 / (1 - 1.25 * 0.09))
    >>> bool(abs(space.sigma_jump.sigma - exact) < 4 * space.sigma_jump.uncertainty < 0.1)
    True
    """
    slope = float(np.diff(field.rates(places, sigma)[0])[0]) / sigma
    error = float(lead_errors(evolution, np.array([sigma]), places[None])[0])
    return error / abs(slope) if slope else math.inf


def groups_of(evolution: Evolution) -> list[LevelField]:
    """Deviations of groups of draws between nodes and levels; none where Q has errors of which they know nothing.

    Parameters
    ----------
    evolution
        What was drawn.
    """
    errors = evolution.landscape.standard_error
    if evolution.draw_groups is None or (errors is not None and errors.any()):
        return []
    return list(_between(evolution, evolution.draw_groups))


def fold_error(
    groups: Sequence[LevelField], field: LevelField, ratio: Array, sigma: float, place: Array
) -> float | None:
    """Standard error over the draws of the sigma at which two critical points meet, or part.

    Parameters
    ----------
    groups
        As from `groups_of`.
    field
        u between the nodes and levels.
    ratio
        Noise per axis over that of the noisiest.
    sigma, place
        Of the event.

    Returns
    -------
    error
        None on the edge of the box, and without groups.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.planes import Draws, evolve_plane
    >>> from heatpg.scalespace import track
    >>> line = Grid(Axis("x", -1.0, 5.0, 61, boundary="clip"))
    >>> def two(x, y):
    ...     return np.exp(-(x**2 + y**2) / 0.18) + 0.8 * np.exp(-((x - 4) ** 2 + y**2) / 2)
    >>> q = Landscape.from_function(two, line, dimensions=2)
    >>> end = track(evolve_plane(q, np.geomspace(0.3, 2.4, 10), Draws(count=200)), "maximum").tracks[0].death
    >>> # here noise along x2 changes the heights of both alike, nearly
    >>> end.kind, bool(1e-3 < end.uncertainty / end.sigma < 0.2)
    ('death', True)
    """
    fold = fold_at(field, ratio, place, sigma)
    if fold is None or not groups:
        return None
    moved = fold.moved([fold.direction @ one.gradient(place[None], sigma)[0] for one in groups])
    return sigma * float(moved.std(ddof=1)) / math.sqrt(len(moved))


def lead_errors(evolution: Evolution, sigma: Array, places: Array) -> Array:
    """Standard errors over the draws of the lead of one place over another, at each of several sigmas.

    Parameters
    ----------
    evolution
        What was drawn.
    sigma
        The sigmas, shape (n,).
    places
        Two places at each, shape (n, 2, dimensions).

    Returns
    -------
    errors
        As described at `jump_error`, shape (n,); infinite where nothing is known.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.planes import Draws, evolve_plane
    >>> from heatpg.scalespace.drawn import lead_errors
    >>> line = Grid(Axis("x", -1.0, 1.0, 21, boundary="clip"))
    >>> q = Landscape.from_function(lambda x, y: x + 5 * y**2, line, dimensions=2)
    >>> flow = evolve_plane(q, [0.2, 0.4], Draws(count=200, budget=10**6))
    >>> error = lead_errors(flow, np.array([0.3]), np.array([[[-0.5], [0.5]]]))
    >>> # most of the error of u is the same at all x
    >>> bool(error[0] < 0.01 * flow.standard_error.max())
    True
    """
    count, axes = len(sigma), evolution.grid.dimensions
    points, levels = places.reshape(-1, axes), np.repeat(sigma, 2)[:, None]
    # groups are of the draws alone: where Q has errors of its own, they are not all
    sampled = evolution.landscape.standard_error is not None and bool(evolution.landscape.standard_error.any())
    if evolution.draw_groups is not None and not sampled:
        fields = _between(evolution, evolution.draw_groups)
        leads = np.array([np.diff(field.value(points, levels).reshape(count, 2))[:, 0] for field in fields])
        error = np.asarray(leads.std(axis=0, ddof=1) / math.sqrt(len(leads)))
        groups = evolution.draw_groups
        seen = groups.var(axis=0, ddof=1) / len(groups)
        unseen = Crossings.unseen(
            evolution.drawn, len(groups), seen, evolution.grid, evolution.sigmas[:, 0], evolution.values
        )
        if unseen is not None:
            (each,) = _between(evolution, [np.sqrt(unseen)])
            error = np.sqrt(error**2 + (each.value(points, levels) ** 2).reshape(count, 2).sum(axis=1))
        return error
    if evolution.known_error is None:
        return np.full(count, math.inf)
    (each,) = _between(evolution, [evolution.known_error])
    return np.asarray(np.abs(each.value(points, levels)).reshape(count, 2).sum(axis=1))


def shows_jump(evolution: Evolution, field: LevelField, sigma: Array, jump: float, places: Array) -> bool:
    """Whether the draws show a jump: the old place leads significantly at a sigma below, the new one at one above.

    Parameters
    ----------
    evolution
        What was drawn.
    field
        Its u between the nodes and levels.
    sigma
        Levels, ascending, shape (n,).
    jump
        The sigma of the jump.
    places
        The old place and the new one at each level, shape (n, 2, dimensions).

    Returns
    -------
    shown
        Significant is what exceeds two standard errors over the draws.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.core.levels import LevelField
    >>> from heatpg.planes import Draws, evolve_plane
    >>> from heatpg.scalespace.drawn import shows_jump
    >>> line = Grid(Axis("x", -1.0, 5.0, 61, boundary="clip"))
    >>> def two(x, y):
    ...     return np.exp(-(x**2 + y**2) / 0.18) + 0.8 * np.exp(-((x - 4) ** 2 + y**2) / 2)
    >>> q = Landscape.from_function(two, line, dimensions=2)
    >>> sigma = np.geomspace(0.08, 0.4, 8)
    >>> flow = evolve_plane(q, sigma, Draws(count=200))
    >>> places = np.tile([[0.0], [4.0]], (8, 1, 1))
    >>> field = LevelField(q, sigma, flow.values)
    >>> shows_jump(flow, field, sigma, 0.16, places), shows_jump(flow, field, sigma, 0.16, places[:, ::-1])
    (True, False)
    """
    points = places.reshape(-1, places.shape[-1])
    values = evolution.landscape.sense.sign * field.value(points, np.repeat(sigma, 2)[:, None]).reshape(-1, 2)
    lead, needed = values[:, 0] - values[:, 1], SEEN * lead_errors(evolution, sigma, places)
    return bool((lead > needed)[sigma < jump].any() and (-lead > needed)[sigma > jump].any())


def error_of_q(evolution: Evolution, field: LevelField, sigma: float, place: Array) -> float | None:
    """Standard error over the draws of Q at a maximum of u: that of its place, by one step of Newton's method.

    Parameters
    ----------
    evolution
        What was drawn.
    field
        Its u between the nodes and levels.
    sigma
        Of the maximum.
    place
        Where it is, shape (dimensions,).

    Returns
    -------
    error
        None where groups of draws are not known, as in files of heatpg before they were stored.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.core.levels import LevelField
    >>> from heatpg.planes import Draws, evolve_plane
    >>> from heatpg.scalespace.drawn import error_of_q
    >>> line = Grid(Axis("x", -1.0, 1.0, 41, boundary="clip"))
    >>> q = Landscape.from_function(lambda x, y: np.exp(-(x**2) / 0.1 - y**2), line, dimensions=2)
    >>> flow = evolve_plane(q, [0.2, 0.4], Draws(count=200))
    >>> # the maximum stays where it is, and Q is flat there
    >>> error_of_q(flow, LevelField(q, flow.sigmas[:, 0], flow.values), 0.3, np.zeros(1)) < 1e-4
    True
    """
    groups, grid = evolution.draw_groups, evolution.grid
    if groups is None:
        return None
    # along an axis whose edge holds it, it stays
    free = np.array(
        [axis.rule.periodic or axis.lower < x < axis.upper for axis, x in zip(grid, place, strict=True)], dtype=bool
    )
    slopes = np.array([each.gradient(place[None], sigma)[0][free] for each in _between(evolution, groups)])
    curvature = field.hessian(place[None], sigma)[0][np.ix_(free, free)]
    moved = np.tile(place, (len(groups) + 1, 1))
    # the last one is the place itself; the others have moved by as much as the mean of all groups may
    moved[:-1, free] -= np.linalg.lstsq(curvature, slopes.T, rcond=None)[0].T / math.sqrt(len(groups))
    ends = np.array([[axis.lower, axis.upper] for axis in grid]).T
    moved = np.clip(moved, *ends)
    landscape = evolution.landscape
    read = landscape.sample(moved) if landscape.has_sampler else field.value(moved, 0.0)
    return float(np.sqrt(np.mean((read[:-1] - read[-1]) ** 2)))
