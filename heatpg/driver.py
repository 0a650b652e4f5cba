"""`evolve`: solve the heat equation for a landscape at given noise levels, and verify the result."""

from __future__ import annotations

import time
from typing import Any

from numpy.typing import ArrayLike, NDArray

from heatpg.core.grid import Grid
from heatpg.core.landscape import Landscape
from heatpg.core.noise import Sigma, parse_covariance, parse_sigma, plain_levels
from heatpg.errors import HeatpgError, OptionError
from heatpg.evolution import Evolution, solve
from heatpg.solvers import Solver
from heatpg.tools.calls import SIGMA_KEYWORDS, checked_call
from heatpg.tools.progress import Progress
from heatpg.verify import LEVELS, judge, require_memory_for_checks, verify

__all__ = ["evolve"]


def _number_of_levels(grid: Grid, sigma: Sigma | None, covariance: ArrayLike | None) -> int:
    """How many fields there will be; 0 where the noise is refused, which is for `solve` to say."""
    if covariance is None and (levels := plain_levels(sigma)) is not None:
        return len(levels)
    try:
        if covariance is not None:
            return len(parse_covariance(covariance, grid, tell=False))
        return 0 if sigma is None else len(parse_sigma(sigma, grid, tell=False))
    except HeatpgError:
        return 0


@checked_call(**SIGMA_KEYWORDS)
def evolve(
    landscape: Landscape,
    sigma: Sigma | None = None,
    solver: str | Solver = "auto",
    *,
    covariance: ArrayLike | None = None,
    tolerance: float | None = None,
    prefer: str = "accurate",
    checks: str = "standard",
    progress: Progress = None,
    out: NDArray[Any] | None = None,
) -> Evolution:
    """Smooth a landscape with Gaussian noise at every sigma, and verify the result: u(., t) = Q * N(0, t), t = sigma^2.

    Parameters
    ----------
    landscape
        Q on its grid, with any number of batch axes before those of the grid.
    sigma
        Noise levels, in the units of the axes: a number, a list, an array of shape (T, dimensions) with one per axis,
        or a dictionary from axis names to numbers or lists. 0 returns Q. Omit it if `covariance` is passed.
    solver
        Name (see ``heatpg list solvers``), object, or ``auto``, which chooses by sigma / h, `tolerance` and `prefer`
        and records its reason (`Evolution.reason`). Covariances need ``spectral`` or ``auto``.
    covariance
        Covariance of correlated noise, instead of `sigma`: shape (dimensions, dimensions), or (T, dimensions,
        dimensions) for several, symmetric and positive definite; u^(k) = exp(-k^T Sigma k / 2) Q^(k). Every axis must
        be periodic or in free space (clip, zero).
    tolerance
        For ``auto``: acceptable error in units of osc(Q) = max Q - min Q, from 1e-14 to 1e-3; None for rounding error.
        Where it picks `exponential`, whose error is that of the grid, `Evolution.reason` says that none applies.
    prefer
        For ``auto``: ``accurate``, or ``monotone`` for positive weights at every sigma and between consecutive ones.
    checks
        ``none``, ``standard`` or ``full``; see `heatpg.verify.verify`.
    progress
        A function that is called as ``progress(done, total)`` after each noise level, or True for a progress bar.
    out
        Array for the fields: shape (T, *batch, *grid.shape), same type as the landscape, in C order. Reused memory is
        several times faster than new memory. Earlier evolutions that use it are overwritten.

    Returns
    -------
    evolution
        The fields, with the report attached.

    Raises
    ------
    SigmaError, StabilityError, UnknownNameError, OptionError, UnsupportedError
        For invalid input.
    ResourceError
        If the fields exceed the available memory; raised before they are allocated.
    NonFiniteError
        If the solution overflows.
    CheckError
        If the solver violates a property that it guarantees; the result is in the attribute `evolution`.

    Warns
    -----
    HeatpgWarning
        If another check fails.

    References
    ----------
    T. Wang, S. Herbert, S. Gao, Mollification effects of policy gradient methods, ICML 2024, arXiv:2405.17832.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape, evolve
    >>> grid = Grid(Axis("x", -4.0, 4.0, 161, boundary="clip"))
    >>> bump = Landscape.from_function(lambda x: np.exp(-(x**2) / 2), grid, name="bump")
    >>> flow = evolve(bump, [0.5, 1.0])
    >>> flow.values.shape, flow.report.passed
    ((2, 161), True)
    >>> round(float(flow.values[1].max()), 4)  # a Gaussian of width 1 after sigma = 1: sqrt(1 / 2)
    0.7071
    >>> plane = Grid(*(Axis(name, -6.0, 6.0, 61, boundary="clip") for name in "xy"))
    >>> bump = Landscape.from_function(lambda x, y: np.exp(-(x**2 + y**2) / 2), plane)
    >>> flow = evolve(bump, covariance=[[1.0, 0.8], [0.8, 1.0]])  # covariances add: sqrt(1 / det [[2, .8], [.8, 2]])
    >>> round(float(flow.values[0].max()), 4), flow.report.passed
    (0.5455, True)
    """
    # now, and not after the solve, which may take long
    if checks not in LEVELS:
        raise OptionError("unknown value of checks=", given=repr(checks), allowed=", ".join(LEVELS))
    if checks != "none" and isinstance(landscape, Landscape):
        require_memory_for_checks(landscape, _number_of_levels(landscape.grid, sigma, covariance), checks)
    evolution = solve(
        landscape, sigma, solver, covariance=covariance, tolerance=tolerance, prefer=prefer, progress=progress, out=out
    )
    begin = time.perf_counter()
    evolution.report = verify(evolution, checks)
    evolution.timing["checks"] = time.perf_counter() - begin
    # the report is attached by now: an error has it, and so has the result if it only warns
    judge(evolution)
    return evolution
