"""Claims on numerical schemes: which satisfy the maximum principle, and the effect of sampling a kernel."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from heatpg.claims import Evidence, claim
from heatpg.claims._circles import extrema_around
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import StabilityError
from heatpg.evolution import solve
from heatpg.measure.operators import step_matrix
from heatpg.solvers import Solver, make

__all__: list[str] = []

Array = NDArray[np.float64]

_claim = functools.partial(claim, part="schemes")

_ROUND_OFF = 1e-13  # of weights of order 1, and of values of order 1 on 64 nodes
_MORTON = (
    "K. W. Morton, D. F. Mayers, Numerical Solution of Partial Differential Equations, doi:10.1017/CBO9780511812248"
)
_LINDEBERG = "T. Lindeberg, IEEE Trans. Pattern Anal. Mach. Intell. 12 (1990), doi:10.1109/34.49051"


def _circle(size: int) -> Axis:
    """Nodes at distance 1, around a circle."""
    return Axis("x", 0.0, float(size), size, boundary="periodic")


def _weights(solver: Solver, variance: float) -> Array:
    """Weights of one interval on a circle of 64 nodes at distance 1, from the symbol of the solver."""
    # the frequencies of a circle of 64 nodes; the weights are the inverse transform of the symbol
    angle = 2.0 * math.pi * np.arange(33) / 64
    return np.asarray(np.fft.irfft(np.real(solver.symbol(angle, _circle(64), (0.0, variance))), 64))


def _listed(values: dict[float, float]) -> str:
    return ", ".join(f"{round(value, 3) + 0.0:.3f} at {ratio:g} h^2" for ratio, value in values.items())


@_claim(
    "explicit-scheme",
    "The explicit three-point scheme satisfies the maximum principle for every time step.",
    corrected=(
        "For time steps up to h^2 on every axis (axis by axis, in any dimension); beyond that a weight is negative."
    ),
    source=_MORTON,
)
def explicit_scheme() -> Evidence:
    """The smallest weight of one step of several lengths; a step beyond the limit is refused."""
    ratios = (0.5, 1.0, 1.05, 1.5)
    least = {r: float(_weights(make("explicit", step=r), r).min()) for r in ratios}
    refused = 0
    for r in ratios:
        try:
            make("explicit", step=r).check(_circle(64), 0.0, r)
        except StabilityError:
            # the solver itself knows its limit
            refused += 1
    allowed = all(least[r] >= -_ROUND_OFF for r in ratios if r <= 1.0)
    # the weight of the node itself is 1 - t_step / h^2
    beyond = all(abs(least[r] - (1.0 - r)) < _ROUND_OFF for r in ratios if r > 1.0)
    return Evidence(
        f"the smallest weight of one step is {_listed(least)}; the solver refuses {refused} of these {len(ratios)} "
        "steps",
        {f"weight_at_{r:g}": value for r, value in least.items()} | {"refused": refused},
        all(value >= -_ROUND_OFF for value in least.values()),
        allowed,
        allowed and beyond and refused == 2,
    )


@_claim(
    "explicit-scheme-extrema",
    "An explicit step that satisfies the maximum principle creates no extrema in one dimension.",
    corrected="For time steps up to h^2 / 2 only.",
    source="total positivity of the three-point kernel; " + _LINDEBERG,
)
def explicit_scheme_extrema() -> Evidence:
    """One step of several lengths on a single peak and on random lines."""
    generator = np.random.default_rng(1)
    # a single peak shows the kernel itself
    lines = np.concatenate([np.eye(64)[32:33], generator.standard_normal((200, 64))])
    q = Landscape(lines, Grid(_circle(64)))
    before = np.array([extrema_around(line, _ROUND_OFF) // 2 for line in lines])
    gained = {}
    for ratio in (0.4, 0.5, 0.75, 1.0):
        after = solve(q, math.sqrt(ratio), make("explicit", step=ratio)).values[0]
        # the worst line
        gained[ratio] = int((np.array([extrema_around(line, _ROUND_OFF) // 2 for line in after]) - before).max())
    kept = all(gained[r] <= 0 for r in (0.4, 0.5))
    listed = ", ".join(f"{max(0, n)} at {ratio:g} h^2" for ratio, n in gained.items())
    return Evidence(
        f"of a single peak and 200 random lines one gains so many maxima in a step: {listed}",
        {f"gained_at_{ratio:g}": n for ratio, n in gained.items()},
        max(gained.values()) <= 0,
        kept,
        kept,
    )


@_claim(
    "crank-nicolson",
    "Crank-Nicolson is stable for every time step, so it satisfies the maximum principle.",
    corrected=(
        "It is stable for every step but satisfies the maximum principle on every line only for steps up to "
        "2 h^2 (a "
        "line without ends allows 3 h^2)."
    ),
    source=_MORTON,
)
def crank_nicolson() -> Evidence:
    """Entries of one step on the shortest line and around a circle, and the growth of waves."""
    solver = make("crank_nicolson", steps=1, damping_steps=0)
    # one node between held ends: the strictest of all lines
    shortest = Axis("x", 0.0, 2.0, 3, boundary="absorb")
    ratios = (1.0, 2.0, 2.1, 3.0, 3.1)
    between = {r: float(step_matrix(solver, shortest, r).min()) for r in ratios}
    around = {r: float(step_matrix(solver, _circle(64), r).min()) for r in ratios}
    # stable: no wave grows, however long the step
    growth = float(np.abs(solver.symbol(np.linspace(0.0, math.pi, 181), _circle(64), (0.0, 50.0))).max())
    allowed = all(min(between[r], around[r]) >= -_ROUND_OFF for r in ratios if r <= 2.0)
    # just beyond each limit an entry is negative
    sharp = between[2.1] < -_ROUND_OFF and around[3.0] >= -_ROUND_OFF and around[3.1] < -_ROUND_OFF
    return Evidence(
        f"the smallest entry of one step is {_listed(between)} on a line of one node between held ends, "
        f"{_listed(around)} around a circle; at 50 h^2 no wave grows (factor {growth:g})",
        {"between_ends_at_2.1": between[2.1], "circle_at_3.1": around[3.1], "growth_at_50": growth},
        all(min(between[r], around[r]) >= -_ROUND_OFF for r in ratios),
        allowed,
        allowed and sharp and growth <= 1.0 + _ROUND_OFF,
    )


@_claim(
    "positive-schemes",
    "Backward Euler and the discrete Gaussian satisfy the maximum principle for every step.",
    source="M-matrices; " + _LINDEBERG,
)
def positive_schemes() -> Evidence:
    """The smallest entry of one step over six decades of its length, on all boundaries."""
    least = math.inf
    for boundary in ("absorb", "clip", "periodic", "reflect", "zero"):
        axis = Axis("x", 0.0, 1.0, 24, boundary=boundary)
        for solver in (make("implicit", steps=1), make("exponential")):
            for ratio in (1e-3, 0.1, 1.0, 10.0, 1e3):
                # an entry below zero would be a weight below zero
                least = min(least, float(step_matrix(solver, axis, ratio * axis.spacing**2).min()))
    return Evidence(
        f"the smallest entry of one step is {least:.1e}, over 5 boundaries and steps from 0.001 to 1000 h^2",
        {"smallest_entry": least},
        # transforms round what is zero: 16 eps log2 of the length of the line
        least > -1e-14,
    )


@_claim(
    "spectral-overshoot",
    "A spectral solver is exact, so it satisfies the maximum principle.",
    corrected=(
        "For sigma of at least about three grid spacings; for smaller sigma the trigonometric interpolant of "
        "rough data "
        "overshoots by a bounded amount (Gibbs)."
    ),
    source="Gibbs phenomenon; positivity of the periodic Gaussian",
)
def spectral_overshoot() -> Evidence:
    """A box on a circle at sigmas below and above the spacing."""
    grid = Grid(_circle(256))
    # jumps halfway between two nodes
    q = Landscape.from_function(lambda x: np.where(np.abs(x - 128.0) < 50.5, 1.0, 0.0), grid)
    sigmas = [0.25, 0.5, 1.0, 3.0, 6.0]
    fields = solve(q, sigmas, "spectral").values
    # beyond the range of Q, on either side
    over = [max(float(u.max()) - 1.0, -float(u.min())) for u in fields]
    listed = ", ".join(f"{max(0.0, x):.1e} at {sigma:g} h" for x, sigma in zip(over, sigmas, strict=True))
    resolved = max(over[3:]) < _ROUND_OFF
    return Evidence(
        f"next to jumps of height 1 the solution leaves the range of Q by {listed}",
        {f"overshoot_at_{sigma:g}": x for x, sigma in zip(over, sigmas, strict=True)},
        max(over) < _ROUND_OFF,
        resolved,
        # the overshoot of a Fourier series without any noise is 0.0895 of a jump
        resolved and max(over) < 0.0895,
    )


@_claim(
    "sampled-gaussian",
    "The weights of Gaussian smoothing on a grid are samples of the Gaussian.",
    corrected=(
        "For sigma of at least 1.5 grid spacings; below, samples do not even sum to 1, where the discrete "
        "Gaussian "
        "exp(-t/h^2) I_n(t/h^2) sums to 1, has variance t, and obeys T(t1) * T(t2) = T(t1 + t2)."
    ),
    source=_LINDEBERG + "; Poisson summation",
)
def sampled_gaussian() -> Evidence:
    """Sums of samples at two variances, and sum, variance and semigroup of the solved kernel."""
    node = np.arange(-32, 32)

    def samples(t: float) -> float:
        return float((np.exp(-(node**2) / (2.0 * t)) / math.sqrt(2.0 * math.pi * t)).sum())

    def gaussian(t: float) -> Array:
        # a row of the step is the kernel; rolled, its middle is at node 0
        return np.roll(step_matrix(make("exponential"), _circle(64), t)[0], 32)

    fine, coarse = samples(1.5**2), samples(0.05)
    small, other, both = gaussian(0.05), gaussian(0.6), gaussian(0.65)
    total, variance = float(small.sum()), float(small @ node**2)
    # the convolution around the circle
    joined = np.fft.irfft(np.fft.rfft(np.roll(small, 32)) * np.fft.rfft(np.roll(other, 32)), 64)
    semigroup = float(np.abs(np.roll(joined, 32) - both).max())
    discrete = abs(total - 1.0) < 1e-12 and abs(variance - 0.05) < 1e-11 and semigroup < 1e-13
    return Evidence(
        f"at t = 0.05 h^2 samples of the Gaussian sum to {coarse:.4f}, at sigma = 1.5 h to 1 + "
        f"{abs(fine - 1.0):.1e}; at t = 0.05 h^2 the discrete Gaussian sums to {total:.12f}, has variance "
        f"{variance:.6f} h^2, and its convolution with that of 0.6 h^2 is that of 0.65 h^2 to {semigroup:.1e}",
        {"sampled_sum": coarse, "sampled_sum_resolved": fine, "discrete_sum": total, "discrete_variance": variance},
        abs(coarse - 1.0) < 1e-12 and abs(fine - 1.0) < 1e-12,
        abs(fine - 1.0) < 1e-12,
        abs(fine - 1.0) < 1e-12 and discrete,
    )


@_claim(
    "one-step-for-any-time",
    "An implicit solution of the heat flow needs many time steps.",
    corrected="The best rational approximation of exp on the negative axis has error 9.289^-n: with 14 poles one "
    "step of any length is exact to 1e-13.",
    source="A. A. Gonchar, E. A. Rakhmanov, Math. USSR Sbornik 62 (1989) (the constant 9.289)",
)
def one_step_for_any_time() -> Evidence:
    """One rational step, and backward Euler with as many solves, against the exact flow of the same operator."""
    q = Landscape(np.random.default_rng(2).standard_normal((4, 512)), Grid(_circle(512)))
    # eight decades of the length of a step
    levels = np.sqrt(np.geomspace(1e-2, 1e6, 9))
    exact = solve(q, levels, "exponential").values
    one = float(np.abs(solve(q, levels, "rational").values - exact).max())
    # as many steps as the rational one has poles
    euler = solve(q, 10.0, make("implicit", steps=14)).values[0] - solve(q, 10.0, "exponential").values[0]
    other = float(np.abs(euler).max())
    return Evidence(
        f"for t from 0.01 to 1e6 h^2 one rational step is off by at most {one:.1e} of values of order 1; 14 steps of "
        f"backward Euler to 100 h^2 by {other:.1e}",
        {"rational_error": one, "euler_error": other},
        one > 1e-6,
        # the error of the approximation, 3e-14, times the largest value, and as much round-off
        corrected=one < 5e-13 and other > 1e-6,
    )


@_claim(
    "coarse-lattice",
    "A field smoothed by a sigma well above the spacing still needs the whole grid.",
    corrected="It is band-limited: a lattice of spacing 0.39 sigma represents it to about 1e-14.",
    source="Poisson summation: aliasing of exp(-pi^2 sigma^2 / (2 H^2))",
)
def coarse_lattice() -> Evidence:
    """The solver that works on such lattices against the series over the whole grid."""
    q = Landscape(np.random.default_rng(3).standard_normal((4, 512)), Grid(_circle(512)))
    sigmas = [4.0, 8.0, 16.0, 32.0]
    # white noise: nothing but the smoothing makes it band-limited
    off = float(np.abs(solve(q, sigmas, "multiresolution").values - solve(q, sigmas, "spectral").values).max())
    spacing = math.pi / math.sqrt(2.0 * math.log(1e14))
    # waves of a smoothed field above the Nyquist wavenumber of the lattice
    beyond = math.exp(-0.5 * (math.pi / 0.39) ** 2)
    return Evidence(
        f"over sigma = 4 to 32 h the field from a lattice and that of the whole grid differ by {off:.1e} of values "
        f"of order 1; aliasing of 1e-14 allows a spacing of {spacing:.3f} sigma, where waves are down to {beyond:.0e}",
        {"difference": off, "spacing": spacing},
        off > 1e-9,
        corrected=off < 1e-13 and abs(spacing - 0.39) < 0.005,
    )
