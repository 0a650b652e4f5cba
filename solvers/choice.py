"""How a solve begins: the noise levels, the solver that was named or that ``auto`` stands for, and what is refused."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Grid
from heatpg.core.noise import Sigma, parse_sigma, plain_levels, sigma_words
from heatpg.errors import OptionError, ResourceError, UnknownNameError, UnsupportedError
from heatpg.solvers import make, solvers
from heatpg.solvers.base import Solver
from heatpg.solvers.covariance import conditional_deviations
from heatpg.tools.arguments import real_number
from heatpg.tools.options import nearest
from heatpg.tools.parallel import threads
from heatpg.tools.resources import require_memory, worth_asking

__all__ = ["PREFERENCES", "Schedule", "choose", "choose_for_covariance", "refuse_options_of_auto", "schedule"]

Row = tuple[float, ...]

PREFERENCES = ("accurate", "monotone")

_RATE = 2e10  # updates of a point in a second, the best that was measured
_MOST_UPDATES = 1e14  # a taste: an hour and a half at this rate
_LANE_BYTES = 64  # of one row of a bundle of lines
_ARRAYS_OF_LINE = 3  # bundles, or copies of a line, that a thread works in

# in grid spacings
_COMPOSES = 1.5  # from here on sampled Gaussians compose: alias 2 exp(-2 pi^2 1.5^2) = 1e-19
_RESOLVED = 2.5  # the transform cuts off exp(-(2.5 pi)^2 / 2) = 4e-14 of a rough field, and does not overshoot
_COARSE = 6.0  # from here on every axis has a coarse lattice, see heatpg.solvers.multiresolution


def choose(
    grid: Grid, variances: list[tuple[float, ...]], *, tolerance: float | None = None, prefer: str = "accurate"
) -> tuple[Solver, str]:
    """Pick a solver by the smallest sigma in units of the spacing and by what is wanted, and say why.

    From 6 h on every axis has a coarse lattice, and `multiresolution` is several times faster than a transform, at the
    same accuracy and with positive weights. Below that, ``accurate`` takes `spectral` down to 2.5 h, where it has no
    error but round-off (`direct` if a tolerance is given, which makes it faster); farther down the interpolant of rough
    data overshoots, and `direct` does not: below h its weights have the variance of the noise, and more of its moments
    as sigma grows, where the discrete Gaussian of `exponential` has the variance alone. ``monotone`` takes `direct`
    down to 1.5 h, then `exponential`, whose weights are positive from every sigma to the next one too.

    Parameters
    ----------
    grid, variances
        What is to be solved: a row of variances, one per axis, for every sigma.
    tolerance
        Error that is good enough, in units of osc(Q); None for round-off. `exponential` has no use for one, and the
        reason says so.
    prefer
        ``accurate`` or ``monotone``.

    Raises
    ------
    OptionError
        For another preference, or a tolerance out of range.

    Examples
    --------
    >>> from heatpg import Axis, Grid
    >>> from heatpg.solvers.choice import choose
    >>> grid = Grid(Axis("x", 0, 1, 101, boundary="clip"))
    >>> [choose(grid, [(sigma**2,)])[0].name for sigma in (0.1, 0.03, 0.003)]
    ['multiresolution', 'spectral', 'direct']
    >>> [choose(grid, [(sigma**2,)], prefer="monotone")[0].name for sigma in (0.1, 0.03, 0.003)]
    ['multiresolution', 'direct', 'exponential']
    """
    if prefer not in PREFERENCES:
        raise OptionError("unknown value of prefer=", given=repr(prefer), allowed=" or ".join(map(repr, PREFERENCES)))
    allowed = "1e-14 to 1e-3, or None"
    if tolerance is not None and not 1e-14 <= real_number("tolerance", tolerance, allowed=allowed) <= 1e-3:
        raise OptionError("tolerance out of range", given=tolerance, allowed=allowed)
    # axes without noise do not count
    smallest = min(
        (math.sqrt(t) / axis.spacing for row in variances for t, axis in zip(row, grid, strict=True) if t > 0),
        default=math.inf,
    )
    # of its three-point operator, whose flow it has exactly: there is nothing to be had for less accuracy
    beside = "" if tolerance is None else "; tolerance= does not apply: the error is that of the grid, of order h^2"
    above = " above 0" if any(t == 0 for row in variances for t in row) else ""
    if _COARSE <= smallest < math.inf:
        reason = (
            f"every sigma{above} is at least {_COARSE:g} grid spacings, so a coarser lattice suffices; positive "
            f"weights, several times faster than a transform"
        )
        return make("multiresolution", tolerance=tolerance), reason
    if prefer == "monotone":
        if smallest >= _COMPOSES:
            reason = (
                f"every sigma{above} is at least {_COMPOSES:g} grid spacings, "
                "where convolutions with sampled Gaussians compose up to rounding error"
            )
            return make("direct", tolerance=tolerance), f"{reason}; positive weights"
        reason = (
            f"the smallest sigma{above} is {smallest:.2g} grid spacings: positive weights between consecutive noise "
            f"levels"
        )
        return make("exponential"), reason + beside
    if smallest >= _RESOLVED:
        reason = f"every sigma{above} is at least {_RESOLVED:g} grid spacings, where "
        if tolerance is not None:
            return make(
                "direct", tolerance=tolerance
            ), f"{reason}with a tolerance, quadrature is faster than a transform"
        walled = any(not axis.rule.periodic for axis in grid)
        edges = ", and of order h^4 or better next to an edge" if walled else ""
        return make("spectral"), f"{reason}the transform is exact up to rounding error{edges}"
    return (
        make("direct", tolerance=tolerance),
        f"the smallest sigma{above} is {smallest:.2g} grid spacings; below {_RESOLVED:g} a transform of rough data "
        f"overshoots, while positive weights do not",
    )


def choose_for_covariance(solver: str | Solver, grid: Grid, covariances: NDArray[np.float64]) -> tuple[Solver, str]:
    """The one solver that takes correlated noise, and why it was picked, if it was.

    Parameters
    ----------
    solver
        Name or object.
    grid
        Where Q is sampled.
    covariances
        Shape (T, dimensions, dimensions).

    Raises
    ------
    UnsupportedError
        For any other solver.
    """
    reason = ""
    if isinstance(solver, str) and solver == "auto":
        least = float((conditional_deviations(covariances) / np.array(grid.spacing)).min())
        reason = "correlated noise couples the axes, and only the transform treats all axes at once"
        if least < _RESOLVED:
            reason += (
                f"; the smallest conditional sigma (other axes fixed) is {least:.2g} grid spacings: below "
                f"{_RESOLVED:g} "
                "a transform of rough data overshoots"
            )
        # the only solver that takes all axes at once
        solver = "spectral"
    chosen = make(solver)
    if chosen.name != "spectral":
        raise UnsupportedError(
            "this solver works axis by axis, but a full covariance does not factor over the axes",
            given=f"solver {chosen.name!r} with a covariance",
            allowed="'spectral' or 'auto'",
            advice="or sample Q along the principal axes of the covariance and pass one sigma per axis",
        )
    return chosen, reason


@dataclasses.dataclass(frozen=True)
class Schedule:
    """What is to be solved: the levels of noise, the solver, and the way to each level.

    Attributes
    ----------
    grid
        The grid.
    sigma
        As of an `Evolution`.
    variances
        One row a level, one number an axis.
    solver, reason
        The solver, and why it was picked, if it was.
    """

    grid: Grid
    sigma: NDArray[np.float64]
    variances: list[Row]
    solver: Solver
    reason: str

    def march(self, level: int) -> list[Row]:
        """The rows of variances that lead to a level: it alone, or of a marching solver those since its last start."""
        if self.solver.exact_in_time:
            return [self.variances[level]]
        # along free-space axes every level starts from Q, so only closed axes can be marched on
        closed = [i for i, axis in enumerate(self.grid) if not axis.starts_anew]
        first = level
        while first and all(self.variances[first - 1][i] <= self.variances[first][i] for i in closed):
            first -= 1
        return self.variances[first : level + 1]

    def refuse_endless(self, points: int, dtype: np.dtype[Any]) -> None:
        """Refuse what would take hours, or lines that do not fit in memory; for all levels, before the first is solved.

        Parameters
        ----------
        points, dtype
            Number of values of a field, all entries of a batch included, and their type.

        Raises
        ------
        ResourceError
            With the estimate.
        """
        grid, solver = self.grid, self.solver
        for level, row in enumerate(self.variances):
            march = self.march(level)
            updates = 0.0
            for i, axis in enumerate(grid):
                t = row[i]
                if t == 0.0:
                    continue
                if solver.at_limit(axis, t):
                    # every solver sums over the nodes of the box, or over what is left of them
                    updates += 2.0 * points * (axis.size if axis.rule.free_space else 1)
                    continue
                start = 0.0
                # a march goes on from where it was: what came before was counted with the level before
                if len(march) > 1 and not axis.starts_anew:
                    start = min(t, march[-2][i])
                rows = solver.rows(axis, t)
                updates += points / axis.size * rows * (solver.least_updates(axis, start, t) if t > start else 0.0)
                needed = _ARRAYS_OF_LINE * threads() * max(_LANE_BYTES, dtype.itemsize) * rows
                needed += solver.operator_bytes(axis, start, t)
                # most lines are short, and their words are not needed
                if not worth_asking(needed):
                    continue
                require_memory(
                    needed,
                    f"a line of {rows:,.0f} nodes, axis {axis.name!r} with its padding for "
                    f"sigma={sigma_words(self.sigma[level])},",
                    "use fewer threads, a coarser grid, or a smaller sigma",
                )
            # refused before the work, because an operator cannot be interrupted
            if updates > _MOST_UPDATES:
                raise ResourceError(
                    f"{solver.name} would take about {updates / _RATE / 3600:.0f} hours at "
                    f"sigma={sigma_words(self.sigma[level])}",
                    given=f"{updates:.1e} updates of one point",
                    allowed=f"{_MOST_UPDATES:.0e}",
                    advice="use a solver that is exact in time (spectral, exponential, direct) or a coarser grid",
                )

    def paths(self, level: int) -> tuple[tuple[float, ...], ...]:
        """The successive variances of every axis, as `heatpg.solvers.base.Flow.paths` has them."""
        found: list[tuple[float, ...]] = []
        for i, axis in enumerate(self.grid):
            if axis.starts_anew or self.solver.exact_in_time:
                found.append((0.0, self.variances[level][i]))
            else:
                found.append(tuple(sorted({0.0, *(row[i] for row in self.march(level))})))
        return tuple(found)


def refuse_options_of_auto(solver: str | Solver, tolerance: float | None, prefer: str, *, correlated: bool) -> None:
    """Refuse what only ``auto`` goes by, where there is nothing to choose."""
    if (tolerance is not None or prefer != "accurate") and (correlated or solver != "auto"):
        raise OptionError(
            "tolerance and prefer apply only to solver='auto' with sigma",
            given=f"solver={solver!r}, tolerance={tolerance}, prefer={prefer!r}",
            advice="pass options to a named solver: heatpg.solvers.make('direct', tolerance=1e-6)",
            command="pass options to a named solver: --solver direct --solver-option tolerance=1e-6",
        )


def schedule(
    grid: Grid, sigma: Sigma, solver: str | Solver = "auto", *, tolerance: float | None = None, prefer: str = "accurate"
) -> Schedule:
    """The levels and the solver of a solve, however it is carried out; what cannot be solved is refused here.

    Parameters
    ----------
    grid
        Where Q is sampled.
    sigma
        Noise levels; see `heatpg.core.noise.parse_sigma`.
    solver
        Name or object; ``auto`` is replaced.
    tolerance, prefer
        What ``auto`` is to go by; see `choose`.

    Raises
    ------
    SigmaError, StabilityError, UnknownNameError, OptionError
        For levels, a solver or options that do not go together.

    Examples
    --------
    >>> from heatpg import Axis, Grid
    >>> from heatpg.solvers.choice import schedule
    >>> plan = schedule(Grid(Axis("x", 0, 1, 101, boundary="reflect")), [0.1, 0.3], "exponential")
    >>> plan.sigma.tolist(), plan.solver.name, plan.reason
    ([0.1, 0.3], 'exponential', '')
    """
    refuse_options_of_auto(solver, tolerance, prefer, correlated=False)
    # The usual call, made again and again: nothing of it is looked at twice. Numbers in another order are told of or
    # refused, every time.
    levels = plain_levels(sigma)
    if isinstance(solver, str) and levels is not None and (tolerance is None or type(tolerance) is float):
        named = solver if solver == "auto" else _class_of(solver)
        found = _known_schedule(grid, levels, named, tolerance, prefer)
        return Schedule(grid, found.sigma.copy(), list(found.variances), found.solver, found.reason)
    return _new_schedule(grid, sigma, solver, tolerance, prefer)


def _class_of(solver: str) -> type[Solver]:
    """The class of a solver by its name; where it is unknown, ``auto`` is among the names that could be meant."""
    try:
        return solvers.get(solver)
    except UnknownNameError:
        names = ("auto", *solvers.names())
        raise UnknownNameError(
            "unknown solver", given=repr(solver), allowed=", ".join(names), advice=nearest(solver, names)
        ) from None


@functools.lru_cache(maxsize=64)
def _known_schedule(
    grid: Grid, levels: tuple[float, ...], solver: str | type[Solver], tolerance: float | None, prefer: str
) -> Schedule:
    return _new_schedule(grid, list(levels), solver if isinstance(solver, str) else solver(), tolerance, prefer)


def _new_schedule(grid: Grid, sigma: Sigma, solver: str | Solver, tolerance: float | None, prefer: str) -> Schedule:
    levels = parse_sigma(sigma, grid)
    # one column an axis, also where all share their sigma
    columns = np.broadcast_to(levels[:, None] if levels.ndim == 1 else levels, (len(levels), grid.dimensions))
    variances = [tuple(float(value) ** 2 for value in row) for row in columns]
    reason = ""
    if isinstance(solver, str) and solver == "auto":
        solver, reason = choose(grid, variances, tolerance=tolerance, prefer=prefer)
    chosen = make(solver)
    for row in variances:
        for axis, variance in zip(grid, row, strict=True):
            if variance > 0:
                # before any work: boundary, stability, range of the solver
                chosen.check(axis, 0.0, variance)
    return Schedule(grid, levels, variances, chosen, reason)
