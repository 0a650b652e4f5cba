"""Runge-Kutta-Legendre steps with the 3-point Laplacian."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis
from heatpg.errors import OptionError, StabilityError
from heatpg.solvers import solvers
from heatpg.solvers.base import LineOperator, LineSolver
from heatpg.solvers.lines import Closure, Line, SweepOperator, fill_ghosts, workspace
from heatpg.solvers.positivity import NEGLIGIBLE, negative_mass
from heatpg.tools.kernels import PROCESSOR, kernel, kernel_part, multiply_add, number_bytes

__all__ = ["Stabilized", "largest_share", "legendre_step"]

Array = NDArray[Any]

_GHOSTS = 2  # two degrees at a time reach two nodes
# Whether the stages of a step follow each other through a bundle, four rows at a time. Measured at 512^2: 1.4 times as
# fast with AVX2, for which the compiler writes rows of this length out in vectors; half as fast with AVX-512, for which
# it does not.
_IN_WAVES = PROCESSOR == "avx2"
_LANE_BYTES = 128  # of a row then, known to the compiler. Measured: 64 takes three times as long, 256 a tenth more.
# A line that is four times as long as a step reaches is continued by at most half of its length. A bound.
_LEAST_ROWS = 4
# u and two polynomials then take three quarters of a second-level cache of 1 MiB. Measured: 4096 rows are a quarter
# slower so.
_MOST_ROWS = 2048
_LEAST_BALANCED = 2.0 / 3.0  # in units of h^2: from here on every number of stages can be balanced, see `legendre_step`
_SMOOTH_ERROR = 0.0747  # max of z^3 exp(-z) / 18
_ANGLES = 1024  # samples of the symbol, over the slow waves and over all: a taste; its distance is smooth on that scale
_HIGH_DEGREE = 256  # of a polynomial that is summed by its series; a taste: below, the recursion takes a millisecond
# n sin a, from which on 18 terms of the series leave 18! / 60^18 = 6e-17 of the first. A bound.
_FAR_FROM_ENDS = 30.0
_STIELTJES_TERMS = 18


@kernel_part
def _first(below: float, here: float, above: float, middle: float, side: float) -> float:
    """P_1 = X u, X = middle + side (E + 1/E), at one node."""
    result: float = multiply_add(middle, here, side * (below + above))
    return result


@kernel_part
def _next(a: float, b: float, c: float, d: float, e: float, w0: float, w1: float, w2: float, rest: float) -> float:
    """Two degrees at one node: w0 c + w1 (b + d) + w2 (a + e) + rest."""
    result: float = multiply_add(w0, c, multiply_add(w1, b + d, multiply_add(w2, a + e, rest)))
    return result


@kernel
def _reflect_ends(u: Array, first: int, rows: int, lower: Array, upper: Array, sign: Array) -> None:
    """Two ghost rows beyond each end."""
    lanes = u.shape[1]
    for k in range(2):
        # as `fill_ghosts`, with a number of ghosts that the compiler knows
        a, b = sign[0, k], sign[1, k]
        for j in range(lanes):
            u[first - 1 - k, j] = a * u[first + lower[k], j]
            u[first + rows + k, j] = b * u[first + upper[k], j]


@kernel
def _first_stage(u: Array, p: Array, first: int, lanes: int, count: int, middle: float, side: float) -> None:
    """p = P_1 u."""
    f = u.reshape(-1)[(first - 1) * lanes :]
    below, here, above = f[:count], f[lanes : lanes + count], f[2 * lanes : 2 * lanes + count]
    o = p.reshape(-1)[first * lanes : first * lanes + count]
    for i in range(count):
        o[i] = _first(below[i], here[i], above[i], middle, side)


@kernel
def _double_stage(
    p: Array, q: Array, first: int, lanes: int, count: int, w0: float, w1: float, w2: float, back: float
) -> None:
    """q <- w0 p + w1 (E + 1/E) p + w2 (E^2 + 1/E^2) p + back q; with back = 0 whatever q is."""
    f = p.reshape(-1)[(first - 2) * lanes :]
    a = f[:count]
    b = f[lanes : lanes + count]
    c = f[2 * lanes : 2 * lanes + count]
    d = f[3 * lanes : 3 * lanes + count]
    e = f[4 * lanes : 4 * lanes + count]
    o = q.reshape(-1)[first * lanes : first * lanes + count]
    if back == 0.0:
        rest = back
        for i in range(count):
            o[i] = _next(a[i], b[i], c[i], d[i], e[i], w0, w1, w2, rest)
    else:
        for i in range(count):
            o[i] = _next(a[i], b[i], c[i], d[i], e[i], w0, w1, w2, back * o[i])


@kernel
def _mix(u: Array, p: Array, first: int, lanes: int, count: int, keep: float, share: float) -> None:
    """u <- keep u + share p."""
    o = u.reshape(-1)[first * lanes : first * lanes + count]
    c = p.reshape(-1)[first * lanes : first * lanes + count]
    for i in range(count):
        o[i] = multiply_add(share, c[i], keep * o[i])


@kernel
def _step_bundles(
    # so many, because kernels take plain numbers and arrays
    bundle: Array,
    p: Array,
    q: Array,
    first: int,
    rows: int,
    steps: int,
    start: Array,
    stages: Array,
    shares: Array,
    lower: Array,
    upper: Array,
    sign: Array,
) -> None:
    """`steps` times u <- (1 - b) u + b P_s(X) u, `shares` 1 - b and b.

    P_1 by `start`, then two degrees at a time by `stages`.
    """
    lanes = bundle.shape[2]
    count = rows * lanes
    for b in range(bundle.shape[0]):
        u = bundle[b]
        for _ in range(steps):
            _reflect_ends(u, first, rows, lower, upper, sign)
            _first_stage(u, p, first, lanes, count, start[0], start[1])
            # P_j and P_{j-2} change places at each stage: written out twice, so that no names are swapped in the loop
            for k in range(0, stages.shape[0], 2):
                w = stages[k]
                _reflect_ends(p, first, rows, lower, upper, sign)
                _double_stage(p, q, first, lanes, count, w[0], w[1], w[2], w[3])
                if k + 1 < stages.shape[0]:
                    w = stages[k + 1]
                    _reflect_ends(q, first, rows, lower, upper, sign)
                    _double_stage(q, p, first, lanes, count, w[0], w[1], w[2], w[3])
            if stages.shape[0] % 2:
                _mix(u, q, first, lanes, count, shares[0], shares[1])
            else:
                _mix(u, p, first, lanes, count, shares[0], shares[1])


@kernel
def _first_four(w: Array, at: int, middle: float, side: float) -> None:
    """Four rows of P_1, of u; the row before begins at `at`."""
    lanes = _LANE_BYTES // number_bytes(w)
    n, r = np.uint64(lanes), np.uint64(3 * lanes)
    for j in range(lanes):
        i = np.uint64(at) + np.uint64(j)
        i1, i2, i3, i4, i5 = i + r, i + r + r, i + r + r + r, i + r + r + r + r, i + r + r + r + r + r
        a, b, c, d, e, f = w[i], w[i1], w[i2], w[i3], w[i4], w[i5]
        w[i1 + n] = _first(a, b, c, middle, side)
        w[i2 + n] = _first(b, c, d, middle, side)
        w[i3 + n] = _first(c, d, e, middle, side)
        w[i4 + n] = _first(d, e, f, middle, side)


@kernel
def _next_four(w: Array, at: int, to: int, w0: float, w1: float, w2: float, back: float) -> None:
    """Four rows of P_{j+2} over those of P_{j-2}, `to` numbers beyond P_j, which begins two rows before at `at`.

    Numbers without a sign, because an index that may be negative would be tested for each node.
    """
    lanes = _LANE_BYTES // number_bytes(w)
    n, r = np.uint64(to), np.uint64(3 * lanes)
    for j in range(lanes):
        i = np.uint64(at) + np.uint64(j)
        i1, i2, i3 = i + r, i + r + r, i + r + r + r
        i4, i5, i6, i7 = i3 + r, i3 + r + r, i3 + r + r + r, i3 + r + r + r + r
        a, b, c, d, e, f, g, h = w[i], w[i1], w[i2], w[i3], w[i4], w[i5], w[i6], w[i7]
        w[i2 + n] = _next(a, b, c, d, e, w0, w1, w2, back * w[i2 + n])
        w[i3 + n] = _next(b, c, d, e, f, w0, w1, w2, back * w[i3 + n])
        w[i4 + n] = _next(c, d, e, f, g, w0, w1, w2, back * w[i4 + n])
        w[i5 + n] = _next(d, e, f, g, h, w0, w1, w2, back * w[i5 + n])


@kernel
def _second_four(w: Array, at: int, w0: float, w1: float, w2: float, back: float) -> None:
    """Four rows of P_3, of P_1 alone, which begins at `at` two rows before."""
    lanes = _LANE_BYTES // number_bytes(w)
    n, r = np.uint64(lanes), np.uint64(3 * lanes)
    for j in range(lanes):
        i = np.uint64(at) + np.uint64(j)
        i1, i2, i3 = i + r, i + r + r, i + r + r + r
        i4, i5, i6, i7 = i3 + r, i3 + r + r, i3 + r + r + r, i3 + r + r + r + r
        a, b, c, d, e, f, g, h = w[i], w[i1], w[i2], w[i3], w[i4], w[i5], w[i6], w[i7]
        w[i2 + n] = _next(a, b, c, d, e, w0, w1, w2, back)
        w[i3 + n] = _next(b, c, d, e, f, w0, w1, w2, back)
        w[i4 + n] = _next(c, d, e, f, g, w0, w1, w2, back)
        w[i5 + n] = _next(d, e, f, g, h, w0, w1, w2, back)


@kernel
def _mix_four(w: Array, at: int, p: int, keep: float, share: float) -> None:
    """Four rows of u, from `at`, mixed with those of P_s, `p` numbers further."""
    lanes = _LANE_BYTES // number_bytes(w)
    n, r = np.uint64(p), np.uint64(3 * lanes)
    for j in range(lanes):
        i = np.uint64(at) + np.uint64(j)
        i1, i2, i3 = i + r, i + r + r, i + r + r + r
        w[i] = multiply_add(share, w[i + n], keep * w[i])
        w[i1] = multiply_add(share, w[i1 + n], keep * w[i1])
        w[i2] = multiply_add(share, w[i2 + n], keep * w[i2])
        w[i3] = multiply_add(share, w[i3 + n], keep * w[i3])


@kernel
def _step_waves(
    # so many, because kernels take plain numbers and arrays
    bundle: Array,
    work: Array,
    first: int,
    rows: int,
    steps: int,
    start: Array,
    stages: Array,
    shares: Array,
    lower: Array,
    upper: Array,
    sign: Array,
) -> None:
    """The same as `_step_bundles` in one pass over a bundle for each step, to the bit.

    Four rows at a time pass through all stages, each two rows behind the one before, so that what a stage reads is
    still in the first-level cache. The line is continued as far as a step reaches, and each stage reaches two rows
    less. u and two polynomials lie row by row beside each other, at distances that the compiler knows: a test at each
    stage of four rows whether they overlap would take as long as the stage.
    """
    lanes = _LANE_BYTES // number_bytes(bundle)
    row = 3 * lanes
    count = stages.shape[0]
    reach = 2 * count
    w = work.reshape(-1)
    for b in range(bundle.shape[0]):
        for i in range(first, first + rows):
            s, t = bundle[b, i], work[i]
            for j in range(lanes):
                t[j] = s[j]
        for _ in range(steps):
            fill_ghosts(work[:, :lanes], first, rows, lower, upper, sign)
            for i in range(-reach, rows + reach, 4):
                o = (first + i) * row
                _first_four(w, o - row, start[0], start[1])
                # stages whose first rows later ones want
                reached = min(count, (i + reach) // 4)
                for k in range(reached):
                    o -= 2 * row
                    w0, w1, w2, back = stages[k, 0], stages[k, 1], stages[k, 2], stages[k, 3]
                    if k == 0:
                        _second_four(w, o - 2 * row + lanes, w0, w1, w2, back)
                    elif k % 2 == 0:
                        _next_four(w, o - 2 * row + lanes, lanes, w0, w1, w2, back)
                    else:
                        _next_four(w, o - 2 * row + 2 * lanes, -lanes, w0, w1, w2, back)
                if reached == count and count % 2:
                    _mix_four(w, o, 2 * lanes, shares[0], shares[1])
                elif reached == count:
                    _mix_four(w, o, lanes, shares[0], shares[1])
        for i in range(first, first + rows):
            s, t = work[i], bundle[b, i]
            for j in range(lanes):
                t[j] = s[j]


def legendre_step(total: float, stages: int, balanced: bool) -> tuple[float, float]:
    """Share b and width w of the step R(A) = 1 - b + b P_s(1 + w A) of length total h^2, A = (E - 2 + 1/E) / 2.

    R = 1 + total A + (total^2 / 2 - c) A^2 + ...; c = 0 gives RKL2. Balanced, c = total / 6, which makes the step one
    of total (A - A^2 / 6), the Laplacian to fourth order. That needs total >= 2 s (s + 1) / (3 s (s + 1) + 6), for b
    to stay a weight; a shorter step is left as it is.

    Parameters
    ----------
    total
        Length of the step, in units of h^2.
    stages
        s, odd.
    balanced
        Whether to cancel the leading error in space.

    Examples
    --------
    >>> from heatpg.solvers.stabilized import legendre_step
    >>> legendre_step(2.5, 3, False)
    (0.4166666666666667, 1.0)
    """
    product = stages * (stages + 1)
    length = total - (1.0 / 3.0 if _can_balance(total, stages, balanced) else 0.0)
    width = 4.0 * length / (product - 2)
    return 2.0 * total / (width * product), width


def largest_share(stages: int, balanced: bool) -> float:
    """Longest stable step in units of h^2: (s^2 + s - 2) / 4, and 1/3 more where it is balanced.

    Examples
    --------
    >>> from heatpg.solvers.stabilized import largest_share
    >>> largest_share(3, False), largest_share(21, False)
    (2.5, 115.0)
    """
    return (stages * stages + stages - 2) / 4.0 + (1.0 / 3.0 if balanced else 0.0)


def _can_balance(total: float, stages: int, balanced: bool) -> bool:
    product = stages * (stages + 1)
    return balanced and total * (3 * product + 6) >= 2 * product


def _least_stages(total: float, balanced: bool) -> int:
    """Smallest odd number of stages, 3 or more, that is stable for a step of this length."""
    # the longest stable step, solved for s; a step at the limit itself is stable but for rounding
    inside = max(0.0, total * (1 - 1e-12) - (1.0 / 3.0 if balanced else 0.0))
    stages = max(3, math.ceil((math.sqrt(9.0 + 16.0 * inside) - 1.0) / 2.0))
    return stages + 1 - stages % 2


def _legendre(degree: int, x: Array) -> Array:
    """P_degree(x) for real or complex x."""
    # three-term recursion of Bonnet; stable also for the complex x of `reach`
    before, now = np.ones_like(x), x
    for j in range(1, degree):
        before, now = now, ((2 * j + 1) * x * now - j * before) / (j + 1)
    return now


def _legendre_near_one(degree: int, fall: Array) -> Array:
    """P_degree(1 - fall) by the recursion of its differences, which keeps the digits of a small fall."""
    now, difference = 1.0 - fall, -fall
    for j in range(1, degree):
        difference = (j * difference - (2 * j + 1) * fall * now) / (j + 1)
        now = now + difference
    return np.asarray(now)


def _legendre_below(degree: int, fall: Array) -> Array:
    """P_degree(1 - fall), of high degree for real fall from 0 to 2 by the series of Stieltjes.

    P_n(cos a) = C sum_m h_m cos((n + m + 1/2) a - (m + 1/2) pi / 2) / (2 sin a)^(m + 1/2), off by less than twice the
    first term that is left out (Bogaert, Michel and Maday 2012). Its cost does not grow with the degree, so that of a
    symbol at as many angles as there are nodes within sigma does not grow with the square of sigma / h.
    """
    if degree < _HIGH_DEGREE or np.iscomplexobj(fall):
        return _legendre(degree, 1.0 - fall)
    # even and odd degrees are even and odd; digits are spent where a cosine is near 1, and an angle near pi
    near = np.clip(np.minimum(fall, 2.0 - fall), 0.0, 1.0)
    angle = 2.0 * np.arcsin(np.sqrt(0.5 * near))
    far = degree * np.sin(angle) >= _FAR_FROM_ENDS
    result = np.empty_like(near)
    result[~far] = _legendre_near_one(degree, near[~far])
    angle = angle[far]
    double = 2.0 * np.sin(angle)
    # Gamma(n + 1) / Gamma(n + 3/2) by its series in 1 / (n + 1), whose next term is below 1e-18
    z = 1.0 / (degree + 1)
    quotient = 1.0 + z * (-1 / 8 + z * (1 / 128 + z * (5 / 1024 + z * (-21 / 32768 - z * 399 / 262144))))
    factor = 2.0 * math.sqrt(z / math.pi) / quotient / np.sqrt(double)
    total = np.zeros_like(angle)
    for m in range(_STIELTJES_TERMS):
        total += factor * np.cos((degree + m + 0.5) * angle - (m + 0.5) * (math.pi / 2))
        factor = factor * ((m + 0.5) ** 2 / ((m + 1.0) * (degree + m + 1.5)) / double)
    result[far] = total
    return np.where((fall > 1.0) & (degree % 2 == 1), -result, result)


def _symbol(angle: Array, total: float, steps: int, stages: int, balanced: bool) -> Array:
    share, width = legendre_step(total / steps, stages, balanced)
    lowered = 2.0 * np.sin(0.5 * angle) ** 2
    return np.asarray((1.0 - share + share * _legendre_below(stages, width * lowered)) ** steps)


def _error_in_time(total: float, steps: int, stages: int, balanced: bool) -> float:
    """Largest distance of the symbol from that of infinitely many steps."""
    # waves up to exp(-72): beyond, only the undamped remainder of the scheme is left, which all angles show
    slow = np.linspace(0.0, min(math.pi, 12.0 / math.sqrt(total)), _ANGLES)
    angle = np.concatenate([slow, np.linspace(0.0, math.pi, _ANGLES)])
    lowered = 2.0 * np.sin(0.5 * angle) ** 2
    exponent = lowered + (lowered**2 / 6.0 if _can_balance(total / steps, stages, balanced) else 0.0)
    return float(np.abs(_symbol(angle, total, steps, stages, balanced) - np.exp(-total * exponent)).max())


def _fewest_steps(tolerance: float) -> int:
    """A tenth below the number of steps that the error of a smooth wave asks for."""
    return max(1, math.floor(0.9 * math.sqrt(_SMOOTH_ERROR / tolerance)))


@functools.lru_cache(maxsize=1024)
def _plan(total: float, stages: int | None, tolerance: float, balanced: bool) -> tuple[int, int]:
    """Number of steps, the least that meets the tolerance, and of stages, the least that is stable."""
    # from there on the symbol itself decides
    steps = _fewest_steps(tolerance)
    most = math.inf
    if balanced and total >= _LEAST_BALANCED:
        most = math.floor(total / _LEAST_BALANCED)
    if stages is not None:
        steps = max(steps, math.ceil(total / largest_share(stages, balanced) * (1 - 1e-12)))
    while steps < most:
        chosen = stages or _least_stages(total / steps, balanced)
        if _error_in_time(total, steps, chosen, balanced) <= tolerance:
            break
        # by 3 % at a time: a taste, at most so much more work than needed
        steps += 1 + steps // 32
    # balanced steps below 2 h^2 / 3 would lose their fourth order in space
    steps = int(min(steps, most))
    return steps, stages or _least_stages(total / steps, balanced)


class _StabilizedOperator(SweepOperator):
    def __init__(self, line: Line, steps: int, stages: int, total: float, balanced: bool, dtype: np.dtype[Any]) -> None:
        self.line = line
        self.steps = steps
        share, width = legendre_step(total / steps, stages, balanced)
        self.shares = np.array([1.0 - share, share], dtype)
        self.first = np.array([1.0 - width, width / 2.0], dtype)
        self.stages = _double_stages(stages, width).astype(dtype)
        self.in_waves = _IN_WAVES and _LEAST_ROWS * stages <= line.rows <= _MOST_ROWS
        # as far as a step reaches; four rows at a time begin and end up to three rows beyond
        reach, self.ghosts = (stages, stages + 3) if self.in_waves else (_GHOSTS, _GHOSTS)
        if self.in_waves:
            self.least_lane_bytes = self.most_lane_bytes = _LANE_BYTES
        closure = Closure.of(line, reach)
        self.closure = (closure.lower, closure.upper, closure.sign.astype(dtype))

    def work(self, bundle: Array, scratch: Array) -> Array:
        _, rows, lanes = bundle.shape
        arguments = (self.ghosts, self.line.rows, self.steps, self.first, self.stages, self.shares, *self.closure)
        # The recursion needs P_j and P_{j-2}: two arrays besides u. One bundle at a time, so that three stay in cache.
        if self.in_waves and lanes == _LANE_BYTES // bundle.itemsize:
            _step_waves(bundle, workspace.take(3, (rows, 3 * lanes), bundle.dtype), *arguments)
        else:  # fewer lines than lanes
            _step_bundles(bundle, scratch[0], workspace.take(3, (rows, lanes), bundle.dtype), *arguments)
        return bundle


def _double_stages(stages: int, width: float) -> NDArray[np.float64]:
    """Weights w0, w1, w2 and back, not positive, that take P_j, P_{j-2} to P_{j+2}, for j = 1, 3, ... stages - 2.

    From x P_j = ((j + 1) P_{j+1} + j P_{j-1}) / (2 j + 1) twice: x^2 P_j = a P_{j+2} + b P_j + c P_{j-2}.
    """
    middle, side = 1.0 - width, width / 2.0
    rows = []
    for j in range(1, stages - 1, 2):
        a = (j + 1) * (j + 2) / ((2 * j + 1) * (2 * j + 3))
        b = (j + 1) ** 2 / ((2 * j + 1) * (2 * j + 3)) + j * j / ((2 * j + 1) * (2 * j - 1))
        c = j * (j - 1) / ((2 * j + 1) * (2 * j - 1))
        rows.append([(middle * middle + 2.0 * side * side - b) / a, 2.0 * middle * side / a, side * side / a, -c / a])
    return np.array(rows)


@solvers.register("stabilized")
@dataclasses.dataclass(frozen=True)
class Stabilized(LineSolver):
    """Runge-Kutta-Legendre steps along each axis: u <- (1 - b) u + b P_s(1 + w A) u, A = (E - 2 + 1/E) / 2.

    P_s is the Legendre polynomial; s sparse products with the 3-point Laplacian take a step of about s^2 h^2 / 4, so
    n explicit steps become about sqrt(4 n) stages. With b = (s^2 + s - 2) / (2 s (s + 1)) and
    w = 4 dt / (h^2 (s^2 + s - 2)) this is RKL2, whose stages on a linear problem are 1 - b_j + b_j P_j; the recursion
    runs for P_j alone, two degrees at a time. By default b and w are balanced so that the leading errors in space
    cancel as well.

    Parameters
    ----------
    tolerance
        Largest error in time of the symbol of an interval, from 1e-10 to 1e-1; sets the number of steps.
    step
        Largest time step, in the units of sigma squared; if given, it decides instead of the tolerance.
    stages
        Stages of a step, odd and at least 3. None takes the fewest that are stable.
    balanced
        False gives RKL2 as published, second order in space.

    Raises
    ------
    StabilityError
        For a step that is not positive, or too long for the stages given, with the longest stable one; for stages
        that are even, whose steps do not damp the shortest wave.
    OptionError
        For a tolerance out of its range.

    Notes
    -----
    Order 2 in time; 4 in h, 2 if not balanced. Stable for dt <= h^2 (s^2 + s - 2) / 4, h^2 / 3 more if balanced.
    Error in time after m steps: (-z)^3 exp(z) / (18 m^2) for a smooth wave that is damped by exp(z), 0.0747 / m^2 at
    most, and (1 - b)^m, about 2^-m, for the shortest waves of rough data; m starts from there and grows until the
    symbol itself meets the tolerance. Balanced steps are no shorter than 2 h^2 / 3, which ends the refinement where
    the error in space is larger anyway. The maximum principle is guaranteed where the kernel of the interval, computed
    from its symbol, has no negative weight: always but for few long steps between held ends.

    References
    ----------
    C. D. Meyer, D. S. Balsara, T. D. Aslam, A stabilized Runge-Kutta-Legendre method for explicit super-time-stepping
    of parabolic and mixed equations, *J. Comput. Phys.* 257, 2014, doi:10.1016/j.jcp.2013.08.021.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape, evolve
    >>> grid = Grid(Axis("x", 0.0, 2 * np.pi, 64, boundary="periodic"))
    >>> flow = evolve(Landscape.from_function(np.cos, grid), 0.5, solver="stabilized")
    >>> bool(np.abs(flow.values[0] - np.exp(-0.125) * np.cos(grid[0].coordinates)).max() < 1e-5)
    True
    """

    tolerance: float = 4e-5
    step: float | None = None
    stages: int | None = None
    balanced: bool = True

    name = "stabilized"
    summary = "Runge-Kutta-Legendre (RKL2), 3-point Laplacian: about 2 sqrt(m) sigma / h stages for m steps"
    target = "continuous"
    exact_in_time = False
    order_time = 2.0

    def __post_init__(self) -> None:
        if not 1e-10 <= self.tolerance <= 1e-1:
            raise OptionError("tolerance out of range", given=self.tolerance, allowed="1e-10 to 1e-1")
        if self.step is not None and not (math.isfinite(self.step) and self.step > 0):
            raise StabilityError("the time step must be positive", given=self.step, allowed="step > 0")
        stages = self.stages
        if stages is not None and (isinstance(stages, bool) or int(stages) != stages or stages < 3 or stages % 2 == 0):
            raise StabilityError("the number of stages must be odd", given=stages, allowed="3, 5, 7, ...")

    @property
    def order_space(self) -> float:
        return 4.0 if self.balanced else 2.0

    def monotone(self, axis: Axis, variance: float) -> bool:
        return negative_mass(self, axis, 0.0, variance) <= NEGLIGIBLE

    def check(self, axis: Axis, start: float, stop: float) -> None:
        if self.step is None or self.stages is None:
            return
        limit = axis.spacing**2 * largest_share(self.stages, self.balanced)
        if self.step > limit * (1 + 1e-12):
            raise StabilityError(
                f"{self.stages} stages are unstable with this step along axis {axis.name!r}",
                given=f"step={self.step:g}",
                allowed=f"at most {limit!r}",
                advice="lower the step, or omit stages",
            )

    def _steps_and_stages(self, axis: Axis, variance: float) -> tuple[int, int]:
        total = variance / axis.spacing**2
        if self.step is None:
            return _plan(total, self.stages, self.tolerance, self.balanced)
        steps = max(1, math.ceil(variance / self.step * (1 - 1e-12)))
        return steps, self.stages or _least_stages(total / steps, self.balanced)

    def work_steps(self, axis: Axis, start: float, stop: float) -> int:
        return math.prod(self._steps_and_stages(axis, stop - start)) if stop > start else 0

    def least_updates(self, axis: Axis, start: float, stop: float) -> float:
        # without the search for the number of steps, which for wide noise takes as long as the steps
        if self.step is not None:
            return float(self.work_steps(axis, start, stop))
        total = (stop - start) / axis.spacing**2
        steps = _fewest_steps(self.tolerance)
        if self.balanced and total >= _LEAST_BALANCED:
            steps = max(1, min(steps, math.floor(total / _LEAST_BALANCED)))
        return float(steps * (self.stages or _least_stages(total / steps, self.balanced)))

    def interval_symbol(self, angle: Array, axis: Axis, start: float, stop: float) -> Array:
        steps, stages = self._steps_and_stages(axis, stop - start)
        return _symbol(np.asarray(angle), (stop - start) / axis.spacing**2, steps, stages, self.balanced)

    def build(self, line: Line, axis: Axis, start: float, stop: float, dtype: np.dtype[Any]) -> LineOperator:
        steps, stages = self._steps_and_stages(axis, stop - start)
        total = (stop - start) / axis.spacing**2
        return _StabilizedOperator(line, steps, stages, total, self.balanced, dtype)
