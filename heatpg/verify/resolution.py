"""Whether the grid resolves the noise: sigma compared with the grid spacing and with the box."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.extrema import peak
from heatpg.core.grid import Grid, first_of_batch
from heatpg.core.noise import sigma_words
from heatpg.core.report import Check, Place
from heatpg.core.slices import one_point, point_word
from heatpg.evolution import Evolution
from heatpg.solvers.covariance import conditional_deviations
from heatpg.verify import checks

__all__ = ["TRUST", "box_entry", "resolution", "resolution_entry"]

TRUST = 0.01  # of the noise may leave the box before it is said; a matter of taste

_RADIANS = ("rad", "radian", "radians")
_MOST_NODES = 1e9  # along one axis; a matter of taste


@checks.register("resolution")
def resolution(evolution: Evolution, level: str = "standard") -> list[Check]:
    """Compare every sigma with the spacing of the nodes, and with the distance of the optimum from the edges.

    Parameters
    ----------
    evolution
        Evolution to check.
    level
        The same checks are made at every level.

    Returns
    -------
    entries
        ``resolution``: a finding where 0 < sigma < h, because noise finer than the grid depends on the interpolation
        between the nodes; for correlated noise the conditional sigma along an axis. ``box``: a finding where noise
        takes the optimum out of a box in free space more often than once in a hundred times, so the result depends on
        the boundary condition; for correlated noise the sum over the axes is used, which is a bound. ``units``: a
        finding if one sigma is used for axes with different units.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.evolution import solve
    >>> from heatpg.verify.resolution import resolution
    >>> grid = Grid(Axis("x", 0.0, 1.0, 11, boundary="clip"))
    >>> [check.status for check in resolution(solve(Landscape.from_function(np.sin, grid), 0.05))]
    ['finding', 'finding']
    """
    grid = evolution.grid
    # correlated noise is narrow along the axis on which the others have no hold: 1 / sqrt((Sigma^-1)_ii)
    finest = evolution.sigmas if evolution.covariance is None else conditional_deviations(evolution.covariance)
    held = "" if evolution.covariance is None else ", with the other axes fixed,"
    moving = finest > 0
    entries = []
    if moving.any():
        entries.append(resolution_entry(grid, finest, held))
    # a closed box has no outside, and noise cannot leave it
    if any(axis.rule.free_space for axis in grid):
        entries.append(_box(evolution))
    if grid.unit is None and evolution.sigma.ndim == 1 and moving.any():
        units = ", ".join(f"{axis.name} ({axis.unit or 'no unit'})" for axis in grid)
        entries.append(
            Check(
                "units",
                "finding",
                f"one sigma is used for axes with different units, {units}; pass one per axis, "
                f"sigma={{{', '.join(f'{axis.name!r}: ...' for axis in grid)}}}",
            )
        )
    return entries


def resolution_entry(grid: Grid, finest: NDArray[np.float64], held: str = "") -> Check:
    """The smallest sigma compared with the spacing, along every axis on which it is smaller.

    Parameters
    ----------
    grid
        Where Q is sampled.
    finest
        Noise along each axis, shape (levels, dimensions), somewhere more than 0.
    held
        Words after the name of an axis.
    """
    ratios = finest / np.array(grid.spacing)
    moving = ratios > 0
    coarse = moving & (ratios < 1.0)
    if not coarse.any():
        least = float(ratios[moving].min())
        spacings = "grid spacing" if f"{least:.3g}" == "1" else "grid spacings"
        return Check("resolution", "passed", f"the smallest sigma is {least:.3g} {spacings}", least)
    along, counts = [], []
    axes = np.flatnonzero(coarse.any(axis=0)).tolist()
    for position in axes:
        # the least of an axis decides how many nodes it needs
        k = int(np.where(moving[:, position], ratios[:, position], math.inf).argmin())
        axis, ratio = grid[position], float(ratios[k, position])
        along.append(f"sigma={finest[k, position]:g} along {axis.name!r}{held} is {ratio:.2g} grid spacings")
        # more than any memory holds are no advice
        if (nodes := axis.size / ratio) < _MOST_NODES:
            # 105.00000000000001 is 105
            counts.append(
                f"{math.ceil(nodes * (1.0 - 1e-12))} nodes" + (f" along {axis.name!r}" if len(axes) > 1 else "")
            )
    advice = f"; sample at least {' and '.join(counts)} to resolve {'it' if len(axes) == 1 else 'them'}"
    return Check(
        "resolution",
        "finding",
        f"{int(coarse.any(axis=1).sum())} of {len(finest)} noise levels are below the resolution of the grid: "
        f"{', '.join(along)}{advice if counts else ''}",
        float(ratios[moving].min()),
    )


def _degrees_words(evolution: Evolution) -> str:
    """A question where a sigma is longer than an axis in radians."""
    for axis, widest in zip(evolution.grid, evolution.sigmas.max(axis=0), strict=True):
        if axis.unit.lower() in _RADIANS and widest > axis.upper - axis.lower:
            return (
                f"; the largest sigma, {widest:g}, exceeds the length of axis {axis.name!r}, "
                f"{axis.upper - axis.lower:.4g} {axis.unit}: is it in degrees?"
            )
    return ""


def _box(evolution: Evolution) -> Check:
    grid = evolution.grid
    escapes = []
    for k, sigma in enumerate(evolution.sigmas):
        optimum = peak(first_of_batch(evolution.values[k], grid), grid, evolution.landscape.sense)
        along = [float(axis.escape(float(s))[i]) for axis, s, i in zip(grid, sigma, optimum.index, strict=True)]
        # independent axes: it stays inside if it stays inside along each; the sum is a bound whatever the correlation
        independent = evolution.covariance is None
        leaves = 1.0 - math.prod(1.0 - escape for escape in along) if independent else min(1.0, sum(along))
        escapes.append((leaves, Place(k, optimum.index, optimum.coordinates)))
    found = box_entry(
        escapes,
        evolution.sigma,
        evolution.landscape.provenance,
        grid.dimensions,
        correlated=evolution.covariance is not None,
    )
    return dataclasses.replace(found, message=found.message + (_degrees_words(evolution) if found.where else ""))


def box_entry(
    escapes: Sequence[tuple[float, Place]],
    sigma: NDArray[np.float64],
    provenance: Mapping[str, Any],
    dimensions: int,
    *,
    correlated: bool = False,
) -> Check:
    """How often noise takes the optimum out of the box, and at which noise levels.

    Parameters
    ----------
    escapes
        Of each level the probability, or a bound on it, and where the optimum is.
    sigma
        The levels, as of an `Evolution`.
    provenance, dimensions
        Of the landscape, for the name of its points.
    correlated
        Whether the probabilities are bounds.
    """
    levels = [k for k, (leaves, _) in enumerate(escapes) if leaves > TRUST]
    if not levels:
        words = f"{point_word(provenance, dimensions)}s drawn at the optimum stay in the box at every sigma"
        return Check("box", "passed", words, 0.0, TRUST, "trust margin")
    start = sigma_words(sigma[levels[0]])
    # the optimum may move inwards, or jump, and be safe again
    where = f"for sigma >= {start}"
    if len(levels) < len(escapes) - levels[0]:
        where = f"at {len(levels)} of {len(escapes)} noise levels, the first sigma={start}"
    found = [escapes[k][0] for k in levels]
    often = f"that may reach {max(found):.2g}" if correlated else f"{min(found):.2g} or more"
    return Check(
        "box",
        "finding",
        f"{where}, {one_point(provenance, dimensions)} drawn at the optimum falls outside the box with probability "
        f"{often}, so the result there depends on the boundary condition",
        found[0],
        TRUST,
        "trust margin",
        escapes[levels[0]][1],
    )
