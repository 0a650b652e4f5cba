"""Forward Euler with the 3-point Laplacian."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis
from heatpg.errors import StabilityError
from heatpg.solvers import solvers
from heatpg.solvers.base import LineOperator, LineSolver
from heatpg.solvers.lines import Closure, Line, SweepOperator, fill_ghosts, filter_bundle
from heatpg.tools.kernels import kernel

__all__ = ["Explicit"]

Array = NDArray[Any]

# Steps that are taken as one stencil of nine points. Measured: 16 to 19 G updates a second, where single steps give 7
# to 9.
_FUSED = 4


@kernel
def _step_bundles(
    bundle: Array, scratch: Array, first: int, rows: int, weights: Array, lower: Array, upper: Array, sign: Array
) -> None:
    """For each group g of steps in turn: u_i <- sum_k weights[g, k] u_{i - m + k}, m = 4, ghosts by the closure."""
    for b in range(bundle.shape[0]):
        u, v = bundle[b], scratch[b]
        # from one array to the other and back: called as f(u, v) and f(v, u), because names that are swapped in the
        # loop would stop the compiler from vectorising
        for g in range(0, weights.shape[0], 2):
            fill_ghosts(u, first, rows, lower, upper, sign)
            filter_bundle(u, v, first, rows, weights[g])
            fill_ghosts(v, first, rows, lower, upper, sign)
            filter_bundle(v, u, first, rows, weights[g + 1])


class _ExplicitOperator(SweepOperator):
    def __init__(self, line: Line, weights: Array) -> None:
        self.line = line
        self.ghosts = _FUSED
        self.weights = weights
        closure = Closure.of(line, _FUSED)
        self.closure = (closure.lower, closure.upper, closure.sign.astype(weights.dtype))

    def work(self, bundle: Array, scratch: Array) -> Array:
        _step_bundles(bundle, scratch, self.ghosts, self.line.rows, self.weights, *self.closure)
        return bundle


def balanced_shares(total: float) -> tuple[int, float, float]:
    """Split a variance (in units of h^2) into steps whose error of fourth order cancels.

    A step of share w (u_i + w (u_{i-1} - 2 u_i + u_{i+1})) has variance 2 w and fourth cumulant 2 w - 12 w^2, zero
    at w = 1/6, that is at a time step of h^2 / 3. So `count` steps of 1/6 are followed by two of shares w1 and w2
    with w1 + w2 = s / 2 and w1^2 + w2^2 = s / 12, which exist, are not negative and stay below 0.2 for the
    remaining variance s in [1/3, 2/3). A total below 1/3 is one step.

    Examples
    --------
    >>> from heatpg.solvers.explicit import balanced_shares
    >>> count, first, second = balanced_shares(1.0)
    >>> round(count / 3 + 2 * (first + second), 12)
    1.0
    """
    if total < 1.0 / 3.0:
        return 0, total / 2.0, 0.0
    # one step of 1/6 less than fits, so that the rest lies in [1/3, 2/3); 1e-14: a total that is a third but for
    # rounding
    count = math.floor(3.0 * total * (1 + 1e-14)) - 1
    rest = total - count / 3.0
    # the two roots of the equations above; rounding must not make them complex, nor the smaller one negative
    root = math.sqrt(max(0.0, rest / 6.0 - rest * rest / 4.0)) / 2.0
    return count, rest / 4.0 + root, max(0.0, rest / 4.0 - root)


def _fuse(shares: list[float]) -> NDArray[np.float64]:
    """The weights of several steps at once: the convolution of their 3-point stencils, padded to 9."""
    # steps are polynomials in the shift, and their product is a convolution of their weights
    weights = np.ones(1)
    for share in shares:
        weights = np.convolve(weights, [share, 1.0 - 2.0 * share, share])
    missing = _FUSED - len(shares)
    return np.pad(weights, missing)


@solvers.register("explicit")
@dataclasses.dataclass(frozen=True)
class Explicit(LineSolver):
    """Forward Euler along each axis: u_i <- u_i + (dt / 2 h^2) (u_{i-1} - 2 u_i + u_{i+1}).

    Without a given step the steps are about h^2 / 3 and balanced so that the leading errors in time and space
    cancel on landing exactly at every sigma: fourth order in h, still with non-negative weights. Four steps at a
    time are taken as one 9-point stencil, which is the same scheme with a quarter of the memory traffic.

    Parameters
    ----------
    step
        Largest time step, in the units of sigma squared; the steps of an interval are equal and end on it exactly.
        None takes the balanced steps.

    Raises
    ------
    StabilityError
        For a step that is not positive, or above h^2 of any axis.

    Notes
    -----
    Order 1 in time and 2 in space for a given step, 4 in h for the balanced steps. Stable, and keeps the maximum
    principle, for dt <= h^2 on every axis (not h^2 / dimensions: the axes are taken one after the other). Creates
    no extrema in one dimension for dt <= h^2 / 2. Work grows as (sigma / h)^2.

    References
    ----------
    K. W. Morton, D. F. Mayers, *Numerical Solution of Partial Differential Equations*, 2nd ed., 2005,
    doi:10.1017/CBO9780511812248, sections 2.4 to 2.7.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape, evolve
    >>> grid = Grid(Axis("x", 0.0, 2 * np.pi, 64, boundary="periodic"))
    >>> flow = evolve(Landscape.from_function(np.cos, grid), 0.5, solver="explicit")
    >>> bool(np.abs(flow.values[0] - np.exp(-0.125) * np.cos(grid[0].coordinates)).max() < 1e-6)
    True
    """

    step: float | None = None

    name = "explicit"
    summary = "forward Euler, 3-point Laplacian; balanced steps of h^2/3 make it fourth order"
    target = "continuous"
    exact_in_time = False
    order_time = 1.0

    def __post_init__(self) -> None:
        if self.step is not None and not (math.isfinite(self.step) and self.step > 0):
            raise StabilityError("the time step must be positive", given=self.step, allowed="0 < step <= h^2")

    @property
    def order_space(self) -> float:
        return 4.0 if self.step is None else 2.0

    def monotone(self, axis: Axis, variance: float) -> bool:
        return True

    def keeps_extrema(self, axis: Axis, variance: float) -> bool:
        return self.step is None or min(self.step, variance) <= axis.spacing**2 / 2

    def check(self, axis: Axis, start: float, stop: float) -> None:
        limit = axis.spacing**2
        # a step that was computed as h^2 may miss it by rounding
        if self.step is not None and self.step > limit * (1 + 1e-12):
            raise StabilityError(
                f"the explicit scheme is unstable with this step along axis {axis.name!r}",
                given=f"step={self.step:g}",
                allowed=f"at most h^2 = {limit:.13g}",  # which is taken, see above
                advice="lower the step, or use the solver 'implicit', 'exponential' or 'spectral'",
            )

    def _shares(self, axis: Axis, variance: float) -> tuple[int, float, list[float]]:
        """Number and share of the equal steps, and the shares of the steps that follow them."""
        total = variance / axis.spacing**2
        if self.step is None:
            count, first, second = balanced_shares(total)
            return count, 1.0 / 6.0, [share for share in (first, second) if share > 0]
        # equal steps, none longer than was asked for but by rounding, that end exactly on the variance
        count = max(1, math.ceil(variance / self.step * (1 - 1e-12)))
        return count, total / count / 2.0, []

    def work_steps(self, axis: Axis, start: float, stop: float) -> int:
        count, _, rest = self._shares(axis, stop - start)
        return count + len(rest)

    def operator_bytes(self, axis: Axis, start: float, stop: float) -> float:
        # a stencil of nine numbers for every four steps
        return 8.0 * (2 * _FUSED + 1) * self.work_steps(axis, start, stop) / _FUSED

    def interval_symbol(self, angle: Array, axis: Axis, start: float, stop: float) -> Array:
        count, share, rest = self._shares(axis, stop - start)
        lowered = 2.0 * (1.0 - np.cos(angle))
        result = (1.0 - share * lowered) ** count
        for other in rest:
            result = result * (1.0 - other * lowered)
        return np.asarray(result)

    def build(self, line: Line, axis: Axis, start: float, stop: float, dtype: np.dtype[Any]) -> LineOperator:
        count, share, rest = self._shares(axis, stop - start)
        # whole groups of equal steps first; what is left over and the balancing steps share the last groups
        last = [share] * (count % _FUSED) + rest
        groups = [_fuse(last[i : i + _FUSED]) for i in range(0, len(last), _FUSED)]
        if (count // _FUSED + len(groups)) % 2:  # pairs of groups lead from one buffer to the other and back
            groups.append(_fuse([]))
        weights = np.concatenate([np.tile(_fuse([share] * _FUSED), (count // _FUSED, 1)), *np.array(groups)[:, None]])
        return _ExplicitOperator(line, weights.astype(dtype))
