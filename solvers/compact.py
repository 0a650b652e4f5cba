"""Fourth-order compact differences."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis, Grid
from heatpg.errors import OptionError, StabilityError
from heatpg.solvers import solvers
from heatpg.solvers.base import Flow, LineFlow, LineOperator, LineSolver, Path, Solver
from heatpg.solvers.edges import nodes_taken
from heatpg.solvers.lines import Closure, Line, SweepOperator
from heatpg.solvers.positivity import NEGLIGIBLE, negative_mass
from heatpg.solvers.stepping import check_stepping, number_of_steps
from heatpg.solvers.transforms import TransformFlow, TransformSolver
from heatpg.solvers.tridiagonal import factorise, solve_bundle
from heatpg.tools.kernels import kernel

__all__ = ["Compact"]

Array = NDArray[Any]

_TIMES = ("exact", "crank_nicolson")
_CORRECTED = 1.5  # spacings of sigma
_TAIL = 1e-17  # as in `heatpg.solvers.base`


@kernel
def _smooth(u: Array, v: Array, rows: int, weight: float, lower: Array, upper: Array, sign: Array) -> None:
    """v_i = u_i + weight (u_{i-1} - 2 u_i + u_{i+1}), with one ghost row beyond each end."""
    lanes = u.shape[1]
    for j in range(lanes):
        u[0, j] = sign[0, 0] * u[1 + lower[0], j]
        u[rows + 1, j] = sign[1, 0] * u[1 + upper[0], j]
    count = rows * lanes
    f = u.reshape(-1)
    below, here, above = f[:count], f[lanes : lanes + count], f[2 * lanes : 2 * lanes + count]
    o = v.reshape(-1)[lanes : lanes + count]
    middle = 1.0 - 2.0 * weight
    for i in range(count):
        o[i] = middle * here[i] + weight * (below[i] + above[i])


@kernel
def _march_bundles(
    bundle: Array,
    scratch: Array,
    rows: int,
    weights: Array,
    factors: Array,
    corner: float,
    lower: Array,
    upper: Array,
    sign: Array,
) -> None:
    """For each weight in turn u <- (1 - r D2)^-1 (1 + weight D2) u, from one array to the other and back."""
    for b in range(bundle.shape[0]):
        u, v = bundle[b], scratch[b]
        for k in range(0, weights.shape[0], 2):
            _smooth(u, v, rows, weights[k], lower, upper, sign)
            solve_bundle(v[1 : rows + 1], rows, factors, corner)
            if k + 1 < weights.shape[0]:
                _smooth(v, u, rows, weights[k + 1], lower, upper, sign)
                solve_bundle(u[1 : rows + 1], rows, factors, corner)


class _CompactOperator(SweepOperator):
    """Trapezoidal steps of the compact scheme, of which the first may be halved backward Euler steps.

    Parameters
    ----------
    line
        The line that is solved.
    share
        dt / 4 h^2.
    starts, steps
        Number of halved backward Euler steps, and of trapezoidal steps.
    dtype
        Type of the field.
    """

    ghosts = 1

    def __init__(self, line: Line, share: float, starts: int, steps: int, dtype: np.dtype[Any]) -> None:
        self.line = line
        # (1 + D2/12 - share D2) u_new = (1 + D2/12 + share D2) u, and without the share for backward Euler
        # one weight for each solve; backward Euler steps of half the length have the same matrix on the left
        self.weights = np.array([1.0 / 12.0] * starts + [1.0 / 12.0 + share] * steps, dtype)
        self.factors, self.corner = factorise(line, share - 1.0 / 12.0, dtype)
        closure = Closure.of(line, 1)
        self.closure = (closure.lower, closure.upper, closure.sign.astype(dtype))

    def work(self, bundle: Array, scratch: Array) -> Array:
        _march_bundles(bundle, scratch, self.line.rows, self.weights, self.factors, self.corner, *self.closure)
        return scratch if len(self.weights) % 2 else bundle


@solvers.register("compact")
@dataclasses.dataclass(frozen=True)
class Compact(TransformSolver, LineSolver):
    """Compact fourth-order differences: (1 + D2 / 12) u' = D2 u / (2 h^2), D2 u_i = u_{i-1} - 2 u_i + u_{i+1}.

    A wave is multiplied by exp(-t g / h^2), g = (1 - cos k h) / (1 - (1 - cos k h) / 6) = (k h)^2 / 2 + O((k h)^6),
    or by trapezoidal steps of the same equation with a Rannacher start, tridiagonal solves with three points.

    Parameters
    ----------
    time
        ``exact``: by the transform of the boundary; ``crank_nicolson``: by trapezoidal steps.
    steps
        Number of equal time steps from one sigma to the next, for ``crank_nicolson``.
    step
        Largest time step, in the units of sigma squared; if given, it decides instead of `steps`.
    damping_steps
        Steps of the first interval that are replaced by two backward Euler steps of half the length each.

    Raises
    ------
    OptionError
        For a word that names no time step.
    StabilityError
        For a step or a number of steps that is not positive, or a negative number of damping steps.

    Notes
    -----
    Order 4 in space on smooth data; at the walls too where it is exact in time, from sigma = 1.5 h on
    (`heatpg.solvers.edges`), and otherwise of order 2 there. Exact in time, or order 2. Stable for steps of any length.
    The kernel decays like 5 + sqrt(24) to the power -|n| but has negative weights at small t: they sum to 0.8 % at
    sigma = 0.4 h, 3e-4 at h, 7e-8 at 2 h and round-off from 3.2 h on. The maximum principle is guaranteed where the
    kernel of the interval, computed from its symbol, has none beyond round-off.

    References
    ----------
    L. Collatz, *The Numerical Treatment of Differential Equations*, 3rd ed., 1960, doi:10.1007/978-3-662-05500-7,
    chapter III (the Mehrstellenverfahren); S. K. Lele, Compact finite difference schemes with spectral-like resolution,
    *J. Comput. Phys.* 103, 1992, doi:10.1016/0021-9991(92)90324-R.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape, evolve
    >>> grid = Grid(Axis("x", 0.0, 2 * np.pi, 64, boundary="periodic"))
    >>> flow = evolve(Landscape.from_function(np.cos, grid), 0.5, solver="compact")
    >>> bool(np.abs(flow.values[0] - np.exp(-0.125) * np.cos(grid[0].coordinates)).max() < 1e-7)
    True
    """

    time: str = dataclasses.field(default="exact", metadata={"choices": _TIMES})
    steps: int = 64
    step: float | None = None
    damping_steps: int = 2

    name = "compact"
    summary = "fourth-order compact differences, exact in time or Crank-Nicolson"
    target = "continuous"
    order_space = 4.0

    def __post_init__(self) -> None:
        if self.time not in _TIMES:
            raise OptionError("unknown time step", given=repr(self.time), allowed=" or ".join(map(repr, _TIMES)))
        check_stepping(self.steps, self.step)
        if self.damping_steps < 0:
            raise StabilityError("damping_steps must not be negative", given=self.damping_steps, allowed="0, 1, ...")
        # a promise that depends on an option, on a frozen dataclass; no field, so that equality and printing leave it
        # out
        object.__setattr__(self, "exact_in_time", self.time == "exact")

    @property
    def order_time(self) -> float:
        return math.inf if self.exact_in_time else 2.0

    def monotone(self, axis: Axis, variance: float) -> bool:
        return self.monotone_between(axis, 0.0, variance)

    def monotone_between(self, axis: Axis, start: float, stop: float) -> bool:
        if self.exact_in_time:
            # exact in time: only the length of the interval counts, and one entry of the cache serves all
            start, stop = 0.0, stop - start
        return negative_mass(self, axis, start, stop) <= NEGLIGIBLE

    def end_nodes(self, axis: Axis, variance: float) -> int:
        # marching steps do not see Q again; below 1.5 h the kernel is too far from the Gaussian of the correction
        sigma = math.sqrt(variance)
        return nodes_taken(axis, sigma) if self.exact_in_time and sigma >= _CORRECTED * axis.spacing else 0

    def multiplier(self, angle: Array, spacing: float, variance: float) -> Array:
        # 1 - cos(a) = 2 sin(a/2)^2 without cancellation
        lowered = 2.0 * np.sin(0.5 * angle) ** 2
        return np.asarray(np.exp(-variance / spacing**2 * lowered / (1.0 - lowered / 6.0)))

    def _counts(self, start: float, stop: float) -> tuple[int, int]:
        """Number of steps, and how many of them are damped."""
        count = number_of_steps(self.steps, self.step, stop - start)
        return count, min(self.damping_steps, count) if start == 0.0 else 0

    def work_steps(self, axis: Axis, start: float, stop: float) -> int:
        return 1 if self.exact_in_time else sum(self._counts(start, stop))

    def interval_symbol(self, angle: Array, axis: Axis, start: float, stop: float) -> Array:
        if self.exact_in_time:
            return self.multiplier(angle, axis.spacing, stop - start)
        count, damped = self._counts(start, stop)
        lowered = 2.0 * np.sin(0.5 * np.asarray(angle)) ** 2
        mass = 1.0 - lowered / 6.0
        half = (stop - start) / count / axis.spacing**2 / 2.0 * lowered
        euler, trapezoid = mass / (mass + half), (mass - half) / (mass + half)
        return np.asarray(euler ** (2 * damped) * trapezoid ** (count - damped))

    def _nearest_pole(self, axis: Axis, path: Path) -> float:
        """Imaginary part of k h at which the symbol first ceases to be analytic."""
        if self.exact_in_time:
            # g has its pole where 1 - cos a = 6, that is cosh y = 5 above pi
            return math.acosh(5.0)
        nearest = math.inf
        for start, stop in itertools.pairwise(path):
            share = (stop - start) / self._counts(start, stop)[0] / axis.spacing**2 / 4.0 - 1.0 / 12.0
            if share != 0.0:
                # 1 + 2 share (1 - cos a) = 0 on the imaginary axis, or above pi where the share is negative
                nearest = min(nearest, math.acosh(abs(1.0 + 0.5 / share)))
        return nearest

    def reach(self, axis: Axis, path: Path) -> int:
        return _reach(self, axis, path)

    def rounding(self, axis: Axis, path: Path) -> float:
        # negative weights that are negligible are rounded away
        usual = Solver.rounding(self, axis, path) if self.exact_in_time else LineSolver.rounding(self, axis, path)
        return usual + NEGLIGIBLE / float(np.finfo(np.float64).eps)

    def start(self, values: Array, grid: Grid) -> Flow:
        return TransformFlow(self, values, grid) if self.exact_in_time else LineFlow(self, values, grid)

    def build(self, line: Line, axis: Axis, start: float, stop: float, dtype: np.dtype[Any]) -> LineOperator:
        count, damped = self._counts(start, stop)
        share = (stop - start) / count / axis.spacing**2 / 4.0
        return _CompactOperator(line, share, 2 * damped, count - damped, dtype)


@functools.lru_cache(maxsize=4096)
def _reach(solver: Compact, axis: Axis, path: Path) -> int:
    """As `Solver.reach`, with the shifts that lie below the nearest pole, which is known here."""
    if path[-1] <= 0:
        return 0
    # any shift below the pole gives a valid bound; ranges and numbers of samples are tastes
    largest = min(0.99 * solver._nearest_pole(axis, path), 40.0)
    shift = np.geomspace(1e-3 * largest, largest, 240)
    turn = np.linspace(0.0, np.pi, 65)
    with np.errstate(all="ignore"):
        values = np.abs(solver.symbol(turn[None, :] + 1j * shift[:, None], axis, path)).max(axis=1)
        tail = (np.log(values) - np.log1p(-np.exp(-shift)) + math.log(2 / _TAIL)) / shift
    return math.ceil(float(tail[np.isfinite(tail)].min()))
