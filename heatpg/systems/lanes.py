"""What the simulated systems share: lanes that advance together, their elementary functions, pieces, step counts.

A bundle of `LANES` points of a landscape is rolled out together. Every quantity is a row of `LANES` numbers, so each
loop runs over contiguous memory and the compiler turns it into vector instructions. The elementary functions are
written out as polynomials because a call into the C library would stop that. So their bits do not depend on
the C library of a platform either.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.errors import OptionError
from heatpg.tools.arguments import positive_number
from heatpg.tools.kernels import kernel, kernel_part
from heatpg.tools.parallel import for_each

__all__ = [
    "LANES",
    "exponential",
    "in_pieces",
    "runge_kutta_sum",
    "shifted",
    "sine_cosine",
    "step_count",
    "whole_steps",
]

# A multiple of the width of every vector register. Measured on both systems: from 64 to 512 lanes the speed is the
# same, 32 are a third slower. At 128 the rows of a bundle (state, stages, gains: 40 to 50) take 50 KB, which L2 holds.
LANES = 128
# Points of one piece of work for a thread. It does not depend on the number of threads, so neither do the bundles.
_PIECE = 8 * LANES


@kernel
def sine_cosine(x: NDArray[Any], sine: NDArray[Any], cosine: NDArray[Any]) -> None:
    """sin x and cos x within 2 units in the last place for abs(x) <= 1e6; NaN beyond, where digits would be lost.

    x = n pi/2 + r with pi/2 in three parts (33 + 33 + 53 bits), of which the first two times n are exact;
    sin r = r + r^3 P(r^2) and cos r = 1 - r^2/2 + r^4 R(r^2) with P, R of degree 5 that interpolate at
    Chebyshev nodes on [0, (pi/4)^2] (relative errors 2e-17 and 1.3e-18).
    """
    for j in range(x.size):
        # beyond 1e6 the products n * 1.57... below would no longer be exact; both branches are computed and one is
        # selected, because a jump would stop vectorisation
        reducible = abs(x[j]) <= 1e6
        v = x[j] if reducible else 0.0
        # adding and taking away 1.5 * 2^52 rounds to the nearest whole number: there doubles are whole numbers; 2/pi v
        n = (v * 0.6366197723675814 + 6755399441055744.0) - 6755399441055744.0
        # what the subtraction of `low` rounds away is put back with the third part of pi/2 (compensated sum)
        high = v - n * 1.5707963267341256
        low = n * 6.077100506303966e-11
        r = high - low
        r += ((high - r) - low) - n * 2.0222662487959506e-21
        z = r * r
        p = -2.505113165023518e-08 + z * 1.5918115263265974e-10
        p = -0.00019841269836756774 + z * (2.7557316101617874e-06 + z * p)
        p = -0.16666666666666666 + z * (0.008333333333330948 + z * p)
        s = r + r * z * p
        p = 2.087614614655861e-09 + z * -1.1382623647474604e-11
        p = 2.480158729876456e-05 + z * (-2.7557317271145144e-07 + z * p)
        p = 0.041666666666666664 + z * (-0.0013888888888887398 + z * p)
        c = 1.0 - (0.5 * z - z * z * p)
        # sin(r + n pi/2) is s, c, -s, -c for n = 0, 1, 2, 3 modulo 4, cos is c, -s, -c, s
        quadrant = np.int32(n)
        a = c if quadrant & 1 else s
        b = s if quadrant & 1 else c
        a = -a if quadrant & 2 else a
        b = -b if (quadrant + 1) & 2 else b
        sine[j] = a if reducible else np.nan
        cosine[j] = b if reducible else np.nan


@kernel
def exponential(x: NDArray[Any], y: NDArray[Any], power: NDArray[Any]) -> None:
    """exp x within 2 units in the last place for -708 <= x <= 0 (below that, exp(-708)); `power` is scratch (int64).

    x = n ln 2 + r; exp r = 1 + r + r^2 P(r) with P of degree 9 that interpolates at Chebyshev nodes on
    abs(r) <= ln(2)/2 (relative error 1.6e-17); 2^n is written as the exponent bits of a double.
    """
    for j in range(x.size):
        v = max(x[j], -708.0)  # exp(-708) = 3e-308 is not yet subnormal: 2^n below is exponent bits alone
        n = (v * 1.4426950408889634 + 6755399441055744.0) - 6755399441055744.0
        r = (v - n * 0.6931471804855391) - n * 7.440617110012397e-11
        p = 2.7620088445409746e-07 + r * 2.510038549551032e-08
        p = 2.4801521295954376e-05 + r * (2.7557268459997064e-06 + r * p)
        p = 0.0013888888917213717 + r * (0.00019841269863053618 + r * p)
        p = 0.04166666666662413 + r * (0.008333333333330062 + r * p)
        p = 0.5000000000000001 + r * (0.16666666666666669 + r * p)
        y[j] = 1.0 + (r + r * r * p)
        power[j] = (np.int64(n) + 1023) << 52
    # a view of the whole array, once: reinterpreting number by number would stop vectorisation
    scale = power.view(np.float64)
    for j in range(x.size):
        y[j] *= scale[j]


@kernel_part
def shifted(x: NDArray[Any], rate: NDArray[Any], h: float, y: NDArray[Any]) -> None:
    """y = x + h rate."""
    for j in range(x.size):
        y[j] = x[j] + h * rate[j]


@kernel_part
def runge_kutta_sum(
    x: NDArray[Any], k1: NDArray[Any], k2: NDArray[Any], k3: NDArray[Any], k4: NDArray[Any], h: float
) -> None:
    """x = x + h/6 (k1 + 2 k2 + 2 k3 + k4), the sum of the classical Runge-Kutta method, of order 4."""
    for j in range(x.size):
        x[j] += h / 6.0 * (k1[j] + 2.0 * (k2[j] + k3[j]) + k4[j])


def in_pieces(
    work: Callable[[int, int], object], total: int, progress: Callable[[int, int], object] | None = None
) -> None:
    """Call ``work(first, last)`` on fixed pieces of ``range(total)``, on threads; report ``progress(done, total)``."""
    done = 0
    turn = threading.Lock()

    def one(first: int) -> None:
        nonlocal done
        last = min(first + _PIECE, total)
        work(first, last)
        if progress is not None:
            with turn:  # one report at a time, never backwards
                done += last - first
                progress(done, total)

    for_each(one, range(0, total, _PIECE))


def whole_steps(duration: float, step: float, least: int = 1) -> tuple[int, bool]:
    """The number of steps, `least` or more, that comes closest to a duration, and whether it meets it within 1e-9.

    Examples
    --------
    >>> from heatpg.systems.lanes import whole_steps
    >>> whole_steps(0.3, 0.1), whole_steps(0.3, 0.2)
    ((3, True), (1, False))
    """
    # 0.3 / 0.1 is 2.9999999999999996: durations written in decimals are multiples of steps up to rounding only
    count = max(least, round(duration / step))
    return count, abs(count * step - duration) <= 1e-9 * max(duration, step)


def step_count(horizon: float, dt: float) -> int:
    """Number of control steps of `dt` in `horizon`.

    Raises
    ------
    OptionError
        If it is not whole, or one of the two is not positive.
    """
    duration = positive_number("horizon", horizon)
    step = positive_number("dt", dt)
    count, exact = whole_steps(duration, step)
    if not exact:
        raise OptionError(
            "horizon must be a whole number of control steps",
            given=f"horizon={duration:g}, dt={step:g}",
            allowed="horizon = dt, 2 dt, 3 dt, ...",
            advice=f"use horizon={count * step:.12g}",
        )
    return count
