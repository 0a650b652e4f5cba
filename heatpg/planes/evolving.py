"""Noise in all components of a policy, shown on a plane: u with standard errors at every node and sigma."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.landscape import Landscape
from heatpg.core.noise import Sigma, parse_sigma
from heatpg.core.report import Check, Report, Status
from heatpg.core.slices import is_sliced
from heatpg.errors import OptionError, SigmaError, UnsupportedError
from heatpg.evolution import Evolution
from heatpg.planes.drawing import CHECKED, PLAIN, Drawing, plain_samples
from heatpg.planes.lattices import BOUNDARIES
from heatpg.planes.options import Cost, Draws
from heatpg.planes.splitting import split_noise
from heatpg.solvers import make
from heatpg.tools.arguments import one_of
from heatpg.tools.calls import SIGMA_KEYWORDS, checked_call
from heatpg.tools.progress import LOGGER, Progress, progress_of
from heatpg.verify import LEVELS, judge, verify

__all__ = ["estimate_cost", "evolve_plane"]

Array = NDArray[np.float64]

_Z = 5.0  # standard errors: the chance that one of ten comparisons is farther off is 6e-6 where they are normal
_FEW = 1.7  # t of 15 degrees of freedom over 5, for the same chance: errors from sixteen repeats are known to 18 % only
_DRAWS = Draws()


def _drawing(landscape: Landscape, sigma: Sigma, draws: Draws, covariance: ArrayLike | None, beyond: str) -> Drawing:
    if not isinstance(landscape, Landscape) or landscape.batch_shape:
        given = f"batch axes {landscape.batch_shape}" if isinstance(landscape, Landscape) else type(landscape).__name__
        raise OptionError("evolve_plane() needs a single landscape", given=given)
    sampler = landscape.sampler
    if not is_sliced(sampler):
        raise UnsupportedError(
            f"{landscape.name!r} has no components beyond its axes",
            allowed="a slice that can be sampled: Landscape.from_function(..., dimensions=m), or "
            "landscapes.from_gymnasium with components or directions",
            advice=(
                "a landscape from a file is known only at its nodes: create it again; for noise along the axes only "
                "use evolve()"
            ),
            command=(
                "a file of data is known only at its nodes: pass a Python file FILE.py, whose function landscape() "
                "makes the slice, or an environment with --set components=0,1; for noise along the axes remove --draws"
            ),
        )
    levels = parse_sigma(sigma, landscape.grid)
    if levels.ndim != 1:
        raise SigmaError(
            "noise in all components needs one sigma per level",
            given=f"shape {levels.shape}",
            allowed="a number or a list",
            advice="set the shape of the noise with covariance=: one variance per component, or a matrix",
        )
    if beyond:
        one_of("rule beyond the box", beyond, BOUNDARIES)
    return Drawing(landscape, sampler, levels, split_noise(sampler.basis, covariance), draws, beyond)


@checked_call()
def estimate_cost(
    landscape: Landscape,
    sigma: Sigma,
    draws: Draws = _DRAWS,
    *,
    covariance: ArrayLike | None = None,
    beyond: str = "",
    progress: Progress = None,
) -> Cost:
    """Estimate the cost of `evolve_plane` with the same arguments; only the pilot draws are made.

    The pilot takes 32 draws of every node and noise level, each with all seeds of a point, and 256 more where Sobol'
    points may be better. The logger `heatpg` tells its rollouts before they are made; ``Draws(budget=)`` bounds them.

    Parameters
    ----------
    landscape, sigma, draws, covariance, beyond, progress
        As in `evolve_plane`.

    Returns
    -------
    cost
        Print it; `Cost.alternatives` lists cheaper settings. With ``Draws(state=...)`` the pilot is not made twice.
    """
    drawing = _drawing(landscape, sigma, draws, covariance, beyond)
    drawing.pilot(progress_of(progress, "pilot draws"))
    return drawing.cost


@checked_call(**SIGMA_KEYWORDS)
def evolve_plane(
    landscape: Landscape,
    sigma: Sigma,
    draws: Draws = _DRAWS,
    *,
    covariance: ArrayLike | None = None,
    beyond: str = "",
    checks: str = "standard",
    progress: Progress = None,
) -> Evolution:
    """Compute u(x, sigma) = E Q(x + sigma Z) on the axes of a slice with noise Z in all components.

    The noise is split into a part in the plane, summed over lattices that are shifted at random, and an independent
    rest, which is drawn. Each draw is common to all nodes and sigmas.

    Parameters
    ----------
    landscape
        A slice with known further components: from `Landscape.from_function` with `dimensions`, or from
        `heatpg.landscapes.from_gymnasium` with components of an action or directions of parameters.
    sigma
        Noise levels, in units of the components and not of the axes: each component has the standard deviation sigma.
    draws
        Requested error, budget, seed, and the state file.
    covariance
        Of the noise at sigma = 1: by default the identity; one variance per component, or a full matrix.
    beyond
        Rule beyond the box: by default the boundary conditions of the axes, as for `heatpg.evolve`; ``sampled`` for Q
        itself at unbounded actions, which needs more rollouts.
    checks
        ``none``, ``standard`` or ``full``: u is compared with plain Monte Carlo at a few nodes, with 256 or 1,024
        draws.
    progress
        A function that is called as ``progress(done, total)``, or True for a bar: with numbers of draws.

    Returns
    -------
    evolution
        With `Evolution.standard_error`, a report, and `Evolution.drawn`, which describes the sampling. It is stored,
        drawn and studied like any other. Its gradient are differences of u; no solver makes it from Q on the grid.

    Raises
    ------
    UnsupportedError
        If there are no components beyond the axes, and for ``absorb``.
    SigmaError, OptionError
        For noise that does not fit.
    ResourceError
        If the draws exceed the budget, as estimated from the pilot draws; the message lists cheaper settings.
    NonFiniteError
        If Q is not finite somewhere.
    StoreError
        If the state file belongs to other draws.

    Warns
    -----
    HeatpgWarning
        If a check fails.

    Notes
    -----
    With directions B (components x axes) the part in the plane has the covariance A = (B^T Sigma^-1 B)^-1, and the rest
    Sigma - B A B^T. Averaging over the rest alone never has a larger variance than drawing all of the noise
    (Rao-Blackwell). Var <= osc^2 / 4, so that 2,500 draws are enough for 1 % of osc(Q) and 100 for 5 %. Where sigma is
    below a spacing of the grid, all of the noise is drawn.

    With several seeds per point the standard error includes the scatter of the seeds, which more draws do not reduce.

    Examples
    --------
    A bump of width 1 in six components, on two of them: its height is (1 + sigma^2)^-3, and not (1 + sigma^2)^-1.

    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.planes import Draws, evolve_plane
    >>> plane = Grid(*(Axis(name, -3.0, 3.0, 25, boundary="clip") for name in ("x1", "x2")))
    >>> bump = Landscape.from_function(lambda *x: np.exp(-sum(c**2 for c in x) / 2), plane, dimensions=6)
    >>> flow = evolve_plane(bump, [0.5, 1.0], Draws(error=0.02))
    >>> bool(abs(flow.values[1, 12, 12] - 0.125) < 4 * flow.standard_error[1, 12, 12] < 0.08)
    True
    >>> flow.report.passed, flow.drawn["components"]
    (True, 6)
    """
    if checks not in LEVELS:
        raise OptionError("unknown value of checks=", given=repr(checks), allowed=", ".join(LEVELS))
    tell = progress_of(progress, "drawing")
    drawing = _drawing(landscape, sigma, draws, covariance, beyond)
    begin = time.perf_counter()
    # a function that is given counts the draws of the result alone
    drawing.pilot(progress_of(progress, "pilot draws") if progress is True else None)
    LOGGER.info("noise in all components: %s", drawing.cost)
    drawing.run(tell)
    evolution = _result(drawing)
    evolution.timing["draw"] = time.perf_counter() - begin
    begin = time.perf_counter()
    report = verify(evolution, checks)
    if checks != "none":
        report = Report([*report, _crosscheck(drawing, evolution, checks)], checks)
    evolution.report = report
    evolution.timing["checks"] = time.perf_counter() - begin
    judge(evolution)
    return evolution


def _result(drawing: Drawing) -> Evolution:
    landscape, sigma, moments = drawing.landscape, drawing.sigma, drawing.moments
    values, error = drawing.restored(moments.mean.mean(axis=1)) + drawing.offset, drawing.restored(drawing.error)
    for level in np.flatnonzero(sigma == 0):
        values[level] = landscape.values
        error[level] = 0.0 if landscape.standard_error is None else landscape.standard_error
    noisy = error[sigma > 0]
    # of u, and so with the scatter of the seeds, which the draws do not lessen
    reached = float(noisy.max()) / drawing.oscillation if noisy.size and drawing.oscillation > 0 else 0.0
    facts: dict[str, Any] = {
        "components": drawing.splitting.components,
        "axes": landscape.grid.dimensions,
        "covariance": drawing.splitting.kind,
        "draws": moments.count,
        "antithetic": drawing.antithetic,
        "points": drawing.points,
        "seed": drawing.draws.seed,
        "rollouts": drawing.spent,
        "error": None if drawing.draws.count else drawing.draws.error,
        "reached": reached,
        "oscillation": drawing.oscillation,
        "lowest": drawing.lowest,
        "highest": drawing.highest,
        "beyond": drawing.beyond or "boundary",
    }
    if drawing.edges is not None:
        facts["edges"] = drawing.edges
    variances = (sigma**2).tolist()
    return Evolution(
        landscape,
        sigma,
        values,
        make("direct"),
        paths=[((0.0, t) if t else (0.0,),) * landscape.grid.dimensions for t in variances],
        reason="noise in the plane is integrated on randomly shifted lattices, the rest is sampled",
        known_error=error,
        drawn=facts,
        draw_groups=drawing.restored(moments.group_deviations),
    )


def _crosscheck(drawing: Drawing, evolution: Evolution, level: str) -> Check:
    """u at a few nodes against plain Monte Carlo over all of the noise, with other random numbers."""
    grid, sigma = evolution.grid, evolution.sigma
    noisy = np.flatnonzero(sigma > 0)
    name, count = "cross-check", PLAIN[level]
    if not len(noisy) or drawing.oscillation == 0.0:
        return Check(name, "silent", "not conclusive: there is no noise, or Q is constant")
    random = np.random.default_rng(np.random.SeedSequence((drawing.draws.seed, 2)))
    index = tuple(random.integers(0, grid.shape, (CHECKED, grid.dimensions)).T)
    points = np.array([grid.point(tuple(int(i) for i in row)) for row in zip(*index, strict=True)])
    worst, before = 0.0, drawing.spent
    # the smallest and the largest sigma
    for k in sorted({int(noisy[0]), int(noisy[-1])}):
        samples = plain_samples(drawing, points, float(sigma[k]), count, drawing.draws.seed)
        error = samples.std(axis=1, ddof=1) / math.sqrt(count)
        mean = drawing.restored(samples.mean(axis=1)) + drawing.offset
        apart = drawing.scaled(np.abs(mean - evolution.values[k][index]))
        # a rare value that one of them has not seen is worth one draw of the largest difference
        least = float(drawing.scaled(drawing.oscillation)) / count
        # the seeds are the same in both
        known = drawing.draws_error[k][index] * (_FEW if drawing.points == "sobol" else 1.0)
        worst = max(worst, float((apart / np.sqrt(error**2 + known**2 + least**2)).max()))
    words = f"plain Monte Carlo over all components at {CHECKED} nodes, {count} draws: {worst:.2g} standard errors off "
    words += f"({drawing.spent - before:,} rollouts)"
    status: Status = "passed" if worst <= _Z else "failed"
    return Check(name, status, words, worst, _Z, "standard errors of the difference")
