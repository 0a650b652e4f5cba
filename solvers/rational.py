"""Best rational approximation of the exponential, on the 3-point Laplacian."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis
from heatpg.errors import OptionError
from heatpg.solvers import solvers
from heatpg.solvers.base import LineOperator, LineSolver, Path
from heatpg.solvers.lines import MOST_LANE_BYTES, Line, SweepOperator, workspace
from heatpg.solvers.poles import POLES, approximation
from heatpg.tools.kernels import kernel

__all__ = ["Rational"]

Array = NDArray[Any]

_SINGLE_POLES = 8  # error 4 * 9.289^-8.5 = 2.4e-8, below the rounding of a number in single precision
_TAIL = 1e-18  # at which the sum over images ends: far below rounding
# A pass over the line for so many poles: 2 take a quarter more time, 8 no less (measured at 1024^2).
_GROUP = 4  # poles at a time
# room for the lanes of one part of a state and of both; the loops vectorise only with one constant for each offset
_STRIDE = MOST_LANE_BYTES // 4
_PAIR = 2 * _STRIDE


@kernel
def _advance(row: Array, state: Array, factors: Array, first: int, sign: float) -> None:
    """y_k <- y_k - gap_k y_k + sign d, gap = 1 - ratio: accurate where the ratio is close to one; four poles."""
    for j in range(row.shape[0]):
        d = sign * row[j]
        for k in range(_GROUP):
            a, b = state[_PAIR * k + j], state[_PAIR * k + _STRIDE + j]
            g, h = factors[first + k, 0], factors[first + k, 1]
            state[_PAIR * k + j] = d + (a - (g * a - h * b))
            state[_PAIR * k + _STRIDE + j] = b - (g * b + h * a)


@kernel
def _advance_and_add(row: Array, out: Array, state: Array, factors: Array, first: int) -> None:
    """y_k <- y_k - gap_k y_k + d, then out <- out + sum_k Re(weight_k y_k)."""
    for j in range(row.shape[0]):
        d = row[j]
        total = out[j]
        for k in range(_GROUP):
            a, b = state[_PAIR * k + j], state[_PAIR * k + _STRIDE + j]
            g, h = factors[first + k, 0], factors[first + k, 1]
            p = d + (a - (g * a - h * b))
            q = b - (g * b + h * a)
            state[_PAIR * k + j] = p
            state[_PAIR * k + _STRIDE + j] = q
            total += factors[first + k, 2] * p - factors[first + k, 3] * q
        out[j] = total


@kernel
def _start(bundle: Array, rows: Array, signs: Array, state: Array, factors: Array, first: int) -> None:
    """y_k = gain_k sum_j ratio_k^j signs[j] bundle[rows[j]]: the sum over all nodes beyond one end of the line."""
    for j in range(state.shape[0]):
        state[j] = 0.0
    # from far out towards the line, as the recursion would run
    for i in range(rows.shape[0] - 1, -1, -1):
        _advance(bundle[rows[i]], state, factors, first, signs[i])
    for k in range(_GROUP):
        # the gain stands for the images farther out than those that were summed: a geometric series
        g, h = factors[first + k, 4], factors[first + k, 5]
        for j in range(bundle.shape[1]):
            a, b = state[_PAIR * k + j], state[_PAIR * k + _STRIDE + j]
            state[_PAIR * k + j] = g * a - h * b
            state[_PAIR * k + _STRIDE + j] = g * b + h * a


@kernel
def _resolve_bundles(
    bundle: Array,
    scratch: Array,
    state: Array,
    present: float,
    factors: Array,
    below: Array,
    below_sign: Array,
    above: Array,
    above_sign: Array,
    mirror: int,
) -> None:
    """v_i = present u_i + sum_k Re(weight_k (y_i + z_i)), y_i = u_i + ratio_k y_{i-1}, z_i = u_i + ratio_k z_{i+1}.

    factors holds gap, weight and gain of every pole, real and imaginary parts, shape (poles, 6). Where the upper end
    is a mirror, z begins as the y of the row that it shows.
    """
    rows = bundle.shape[1]
    # y is marched upwards first, then z downwards, in the same memory
    moving, kept = state[0], state[1]
    for b in range(bundle.shape[0]):
        u, v = bundle[b], scratch[b]
        flat, out = u.reshape(-1), v.reshape(-1)
        for i in range(flat.shape[0]):
            # both recursions count the node itself; `present` takes it back once and adds the limit at infinity
            out[i] = present * flat[i]
        for first in range(0, factors.shape[0], _GROUP):
            _start(u, below, below_sign, moving, factors, first)
            for i in range(rows):
                _advance_and_add(u[i], v[i], moving, factors, first)
                # beyond a mirror the line repeats what the upward recursion has just passed: its state is the start of
                # the other
                if i == mirror:
                    for j in range(moving.shape[0]):
                        kept[j] = above_sign[0] * moving[j]
            if mirror >= 0:
                for j in range(moving.shape[0]):
                    moving[j] = kept[j]
            else:
                _start(u, above, above_sign, moving, factors, first)
            for i in range(rows - 1, -1, -1):
                _advance_and_add(u[i], v[i], moving, factors, first)


def _roots(total: float, pole: NDArray[np.complex128]) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Ratio q, |q| < 1, of the geometric kernel of 1 / (z - pole), z = total (cos a - 1), and 1 - q, both accurate.

    z - pole = -(total / 2) (q + 1/q - 2 cos a), so (1 - q)^2 / q = 2 pole / total.
    """
    eta = 2.0 * pole / total
    root = np.sqrt(eta) * np.sqrt(1.0 + eta / 4.0)
    # of the two roots, whose product is 1, the one inside the unit circle: the kernel has to decay
    root = np.where(np.abs(1.0 + eta / 2.0 + root) < np.abs(1.0 + eta / 2.0 - root), -root, root)
    ratio = 1.0 / (1.0 + eta / 2.0 + root)
    return ratio, (eta / 2.0 + root) * ratio


def _kernel_factors(
    total: float, poles: int
) -> tuple[NDArray[np.complex128], NDArray[np.complex128], NDArray[np.complex128], float]:
    """Ratio q_k, 1 - q_k, weight w_k and r at infinity: r has the kernel Re(sum_k w_k q_k^|n|), plus the limit at 0."""
    pole, residue, limit = approximation(poles)
    ratio, gap = _roots(total, pole)
    return ratio, gap, -4.0 * residue * ratio / (total * gap * (1.0 + ratio)), limit


class _ResolventOperator(SweepOperator):
    """r(A) of every line, by partial fractions; what lies beyond the ends enters as the start of each recursion."""

    ghosts = 0
    least_lane_bytes = MOST_LANE_BYTES  # a row costs much the same whatever its width, and passes are few

    def __init__(self, line: Line, axis: Axis, total: float, poles: int, dtype: np.dtype[Any]) -> None:
        self.line = line
        ratio, gap, weight, limit = _kernel_factors(total, poles)
        below, above, gain = self._beyond(axis, ratio, gap)
        # both recursions hold the node itself
        self.present = dtype.type(limit - weight.real.sum())
        # a whole number of groups
        missing = -len(gap) % _GROUP
        # poles that fill a group up: y = u, and it is not added
        columns = (np.append(gap, np.ones(missing)), np.pad(weight, (0, missing)), np.pad(gain, (0, missing)))
        self.factors = np.stack([part for value in columns for part in (value.real, value.imag)], axis=1).astype(dtype)
        self.ends = (below[0], below[1].astype(dtype), above[0], above[1].astype(dtype))
        walls = not (axis.rule.free_space or axis.rule.periodic)
        self.mirror = int(above[0][0]) if walls else -1

    def _beyond(self, axis: Axis, ratio: Array, gap: Array) -> tuple[tuple[Array, Array], tuple[Array, Array], Array]:
        """Rows and signs that continue the line beyond each end, nearest first, and a factor for those farther out."""
        line, size = self.line, self.line.size
        if axis.rule.free_space:
            # the padding would hold one value for ever: a geometric series
            constant = float(axis.rule.extend(size, axis.nodes, 2, 2).weight[0])
            first, last = np.zeros(1, dtype=np.int64), np.full(1, size - 1, dtype=np.int64)
            signs = np.full(1, constant)
            return (first, signs), (last, signs), 1.0 / gap
        period = line.period
        # images until the slowest pole has decayed; if that is more than a period, one period and the sum of the
        # geometric series over all of them
        needed = math.ceil(math.log(_TAIL) / math.log(float(np.abs(ratio).max())))
        gain = np.ones_like(gap)
        if needed >= period:
            needed, gain = period, -1.0 / np.expm1(period * np.log1p(-gap))
        steps = np.arange(1, needed + 1, dtype=np.int64)
        below = line.closure.fold(-steps, size, line.closure_nodes)
        above = line.closure.fold(size - 1 + steps, size, line.closure_nodes)
        return below, above, gain

    def work(self, bundle: Array, scratch: Array) -> Array:
        # 0 to 2 belong to `sweep`
        state = workspace.take(3, (2, _PAIR * _GROUP), bundle.dtype)
        _resolve_bundles(bundle, scratch, state, self.present, self.factors, *self.ends, self.mirror)
        return scratch


@solvers.register("rational")
@dataclasses.dataclass(frozen=True)
class Rational(LineSolver):
    """One implicit step of any length: u <- r(t A) u, A u_i = (u_{i-1} - 2 u_i + u_{i+1}) / (2 h^2), r(z) ~ exp(z).

    r is the near-best rational approximation of exp on z <= 0, taken as partial fractions: one tridiagonal system
    for each pair of conjugate poles. A tridiagonal matrix of constant coefficients is a product of two geometric
    recursions, which run up and down the line at once with the boundary in their first value; free space is exact,
    without padding.

    Parameters
    ----------
    poles
        Number of poles: 2, 4, ... 14. Fields in single precision take 8 at most.

    Raises
    ------
    OptionError
        For a number of poles that is not tabulated.

    Notes
    -----
    Order 2 in space; no time step: the error in time is at most 4 * 9.289^-(n + 1/2) of each wave, for n poles
    and every t: 4e-14 for 14, which counts as round-off. The flow it approximates keeps the maximum principle
    and creates no extrema in one dimension, and so does this solver to within `rounding`. That is guaranteed for 14
    poles; fewer may leave the range by the error above.

    References
    ----------
    L. N. Trefethen, J. A. C. Weideman, T. Schmelzer, Talbot quadratures and rational approximations, *BIT Numer.
    Math.* 46, 2006, doi:10.1007/s10543-006-0077-9.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape, evolve
    >>> grid = Grid(Axis("x", 0.0, 32.0, 32, boundary="periodic"))
    >>> delta = np.zeros(32)
    >>> delta[16] = 1.0
    >>> flow = evolve(Landscape(delta, grid), 1.0, solver="rational")
    >>> flow.values[0, 16:19].round(6)  # exp(-1) I_n(1)
    array([0.46576 , 0.20791 , 0.049939])
    """

    poles: int = 14

    name = "rational"
    summary = "3-point Laplacian, best rational approximation of exp: any t in one step"
    target = "discrete"
    exact_in_time = True
    order_time = math.inf
    order_space = 2.0
    padded = False

    def __post_init__(self) -> None:
        if isinstance(self.poles, bool) or self.poles not in POLES:
            raise OptionError(
                "no approximation with this number of poles", given=self.poles, allowed=", ".join(map(str, POLES))
            )

    def monotone(self, axis: Axis, variance: float) -> bool:
        return self.poles == max(POLES)

    def keeps_extrema(self, axis: Axis, variance: float) -> bool:
        return self.poles == max(POLES)

    def interval_symbol(self, angle: Array, axis: Axis, start: float, stop: float) -> Array:
        # sin(a/2)^2 for 1 - cos a: no cancellation for long waves
        pole, residue, limit = approximation(self.poles)
        z = (stop - start) / axis.spacing**2 * -2.0 * np.sin(0.5 * np.asarray(angle)) ** 2
        result = np.full(z.shape, limit, dtype=np.result_type(z, np.float64))
        for p, c in zip(pole, residue, strict=True):
            # c / (z - p) and its conjugate pair, with real coefficients so that z may be complex
            result = result + 2.0 * (c.real * z - (c * np.conj(p)).real) / (z * z - 2.0 * p.real * z + abs(p) ** 2)
        return np.asarray(result)

    def reach(self, axis: Axis, path: Path) -> int:
        if path[-1] <= 0:
            return 0
        # the kernel is a sum of geometric ones, so its tail is known without a search
        ratio, _, weight, _ = _kernel_factors(path[-1] / axis.spacing**2, self.poles)
        size, rate = np.abs(ratio), np.log(np.abs(ratio))
        masses = np.log(2.0 * np.abs(weight) / (1.0 - size))
        # each pole is allowed its share of the tail
        return max(1, math.ceil(float(((masses + math.log(len(rate) / 1e-17)) / -rate).max())))

    def rounding(self, axis: Axis, path: Path) -> float:
        # a recursion rounds where its ratio is close to one, and the residues of both signs cancel
        # Measured on noise: 212 at most, for sigma from 0.3 to 1,000 spacings on all boundaries. The rest is margin,
        # and grows as the roundings of the slowest recursion add up.
        return 1000.0 + 100.0 * math.sqrt(math.sqrt(path[-1]) / axis.spacing)

    def build(self, line: Line, axis: Axis, start: float, stop: float, dtype: np.dtype[Any]) -> LineOperator:
        # more poles would have larger residues of both signs, whose cancellation single precision cannot hold
        poles = self.poles if dtype == np.float64 else min(self.poles, _SINGLE_POLES)
        return _ResolventOperator(line, axis, (stop - start) / axis.spacing**2, poles, dtype)
