"""Claims on boundary conditions of policies, and on noise that is not Gaussian."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from heatpg import landscapes
from heatpg.claims import Evidence, claim
from heatpg.claims._circles import extrema_around
from heatpg.claims._statistics import MOST_ERRORS, standard_errors
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.evolution import solve
from heatpg.solvers import make

__all__: list[str] = []

Array = NDArray[np.float64]

_claim = functools.partial(claim, part="policies and boundaries")

_ROUND_OFF = 1e-12  # of the range of a line: sums of thousands of samples in double precision


def _wave(x: Array) -> Array:
    """Of period 1, smooth, without symmetry about 0 or 1."""
    return np.asarray(np.exp(np.cos(2.0 * math.pi * (x - 0.2))))


def _reflected(x: Array) -> Array:
    return np.asarray(1.0 - np.abs(np.mod(x, 2.0) - 1.0))


@_claim(
    "actions-at-the-bounds",
    "Clipping, wrapping, reflecting or squashing the actions of a Gaussian policy invalidates the heat equation.",
    corrected="Each is the heat equation with its own boundary condition: edge values continued (clip), periodic "
    "(wrap), Neumann (reflect), zero outside (episode ends), free space for Q(tanh(.)) in the mean before squashing.",
    source="change of variables under the expectation; method of images",
)
def actions_at_the_bounds() -> Evidence:
    """Noisy actions, treated at the bounds as each policy does, against the flow with that boundary."""
    means, sigma = np.array([0.05, 0.5, 0.9]), 0.3
    # one in the middle, two whose noise leaves the box
    nodes = np.rint(400 * means).astype(int)
    noisy = means + sigma * np.random.default_rng(1).standard_normal((100_000, 1))
    # what becomes of an action beyond the bounds, in each of the policies
    earned = {
        "clip": _wave(np.clip(noisy, 0.0, 1.0)),
        "periodic": _wave(noisy),
        "reflect": _wave(_reflected(noisy)),
        "zero": np.where((noisy >= 0.0) & (noisy <= 1.0), _wave(noisy), 0.0),
    }
    off = {}
    for boundary, returns in earned.items():
        # a periodic axis does not repeat its first node
        axis = Axis("x", 0.0, 1.0, 400 if boundary == "periodic" else 401, boundary=boundary)
        solved = solve(Landscape.from_function(_wave, Grid(axis)), sigma).values[0][nodes]
        off[boundary] = standard_errors(returns, solved)
    free = Grid(Axis("x", -4.0, 5.0, 901, boundary="clip"))
    squashed = solve(Landscape.from_function(lambda x: _wave(np.tanh(x)), free), sigma).values[0]
    off["tanh"] = standard_errors(_wave(np.tanh(noisy)), squashed[np.rint(100 * (means + 4.0)).astype(int)])
    agree = max(off.values()) < MOST_ERRORS
    listed = ", ".join(f"{name} {value:.2f}" for name, value in off.items())
    return Evidence(
        f"the flows differ from the mean return of 100,000 noisy actions by at most so many standard errors: {listed}",
        off,
        not agree,
        corrected=agree,
    )


def _best_residual(fields: Sequence[Array], step: float, spacing: float) -> tuple[float, float]:
    """The c for which u_t = c u_xx fits best, and what it leaves, relative to u_t."""
    before, now, after = fields
    change = ((after - before) / (2.0 * step))[1:-1]
    second = (now[:-2] - 2.0 * now[1:-1] + now[2:]) / spacing**2
    factor = float(change @ second / (second @ second))
    return factor, float(np.linalg.norm(change - factor * second) / np.linalg.norm(change))


@_claim(
    "truncated-gaussian",
    "The objective of a Gaussian policy truncated to the box is a heat flow.",
    corrected=(
        "A truncated, renormalised Gaussian is not a convolution and does not give a heat flow; a Gaussian whose "
        "actions are clipped to the box does."
    ),
    source="the weights of a convolution do not depend on the mean",
)
def truncated_gaussian() -> Evidence:
    """The residual of u_t = c u_xx with the best c, of the truncated and of the clipped policy."""

    def q(x: Array) -> Array:
        return np.asarray(np.cos(2.0 * x) + x)

    t, step, spacing = 0.25, 0.0025, 0.01
    means = np.linspace(-0.9, 0.9, 181)
    fine = np.linspace(-1.0, 1.0, 2001)
    trapezoid = np.ones(fine.size)
    trapezoid[[0, -1]] = 0.5
    truncated = []
    for variance in (t - step, t, t + step):
        density = np.exp(-((fine - means[:, None]) ** 2) / (2.0 * variance)) * trapezoid
        truncated.append(density @ q(fine) / density.sum(axis=1))
    box = Landscape.from_function(q, Grid(Axis("x", -1.0, 1.0, 201, boundary="clip")))
    clipped = solve(box, np.sqrt([t - step, t, t + step])).values[:, 10:191]
    (_, left), (factor, clip_left) = (_best_residual(fields, step, spacing) for fields in (truncated, list(clipped)))
    return Evidence(
        f"whatever the factor, u_t = c u_xx leaves {left:.0%} of u_t for the truncated policy; for the clipped one "
        f"{clip_left:.1e} with c = {factor:.4f}",
        {"residual_truncated": left, "residual_clipped": clip_left, "factor_clipped": factor},
        left < 0.01,
        # of second order: (step / t)^2 and (spacing / sigma)^2 are 1e-4 and 4e-4
        corrected=clip_left < 0.01 and abs(factor - 0.5) < 0.005,
    )


@_claim(
    "laplace-policy",
    "In one dimension a Laplace policy of variance v is one implicit Euler step of size v: it multiplies a wave by 1 / "
    "(1 + v k^2 / 2).",
    source="characteristic function of the Laplace distribution",
)
def laplace_policy() -> Evidence:
    """Waves under Laplace noise by samples, on a line and in the plane, and under one step of the implicit solver."""
    variance = 0.4
    noise = np.random.default_rng(2).laplace(0.0, math.sqrt(variance / 2.0), 400_000)
    worst, apart, size = 0.0, 0.0, 2048
    for k in (1, 3, 6):
        expected = 1.0 / (1.0 + 0.5 * variance * k * k)
        worst = max(worst, standard_errors(np.cos(k * noise), expected))
        wave = landscapes.cosine(size=size, dimensions=1, wavenumbers=(float(k),))
        step = float(solve(wave, math.sqrt(variance), make("implicit", steps=1)).values[0, 0])
        apart = max(apart, abs(step / expected - 1.0))
    # two independent components: a product of two steps, one along each axis, and not one step in the plane
    plane = np.cos(2.0 * noise[:200_000] + 3.0 * noise[200_000:])
    each, joint = ((1.0 + 0.5 * variance * 4.0) * (1.0 + 0.5 * variance * 9.0), 1.0 + 0.5 * variance * 13.0)
    by_axes, at_once = (standard_errors(plane, 1.0 / divisor) for divisor in (each, joint))
    return Evidence(
        f"for k = 1, 3, 6 samples are at most {worst:.2f} standard errors from 1 / (1 + v k^2 / 2), and one step of "
        f"the implicit solver {apart:.1e} of it; in the plane, k = (2, 3), they are {by_axes:.2f} from a step along "
        f"each axis and {at_once:.0f} from one step at once",
        {"standard_errors": worst, "implicit_step_difference": apart, "plane_at_once": at_once},
        # the 3-point symbol is k^2 (1 - k^2 h^2 / 12)
        max(worst, by_axes) < MOST_ERRORS < at_once and apart < 36.0 * (2.0 * math.pi / size) ** 2 / 12.0 * 2.0,
    )


@_claim(
    "uniform-noise",
    "Any symmetric noise smooths, so in one dimension none creates extrema.",
    corrected="Gaussian noise creates none in one dimension; uniform noise, whose symbol sin(k a) / (k a) has negative "
    "lobes, can.",
    source="variation diminishing kernels; Sturm's theorem",
)
def uniform_noise() -> Evidence:
    """Two waves, one of which the window of the uniform noise takes away exactly."""
    size, reach = 3600, 900  # the window [-pi/2, pi/2] holds one whole wave of k = 2
    axis = Axis("x", 0.0, 2.0 * math.pi, size, boundary="periodic")
    q = Landscape.from_function(lambda x: np.cos(2.0 * x) + 0.1 * np.cos(3.0 * x), Grid(axis))
    # the mean over the window by the trapezoid rule, exact for these waves but for their sampling, (k h)^2 / 12
    # running sums over three periods: a window is a difference of two of them
    total = np.concatenate([[0.0], np.cumsum(np.tile(q.values, 3))])
    centre = np.arange(size, 2 * size)
    window = total[centre + reach + 1] - total[centre - reach]
    window -= 0.5 * (q.values[(centre - reach) % size] + q.values[(centre + reach) % size])
    uniform = window / (2.0 * reach)
    # a uniform distribution of half-width a has the variance a^2 / 3
    sigma = reach * axis.spacing / math.sqrt(3.0)
    gaussian = solve(q, sigma).values[0]
    # the amplitude of a wave, by its product with the wave
    kept = float(gaussian @ np.cos(2.0 * axis.coordinates) / (0.5 * size))
    before, with_uniform, with_gaussian = (
        extrema_around(line, _ROUND_OFF * float(np.ptp(line))) for line in (q.values, uniform, gaussian)
    )
    # negative: the wave comes out upside down
    lobe = float(uniform @ np.cos(3.0 * axis.coordinates) / (0.05 * size))
    return Evidence(
        f"cos 2x + 0.1 cos 3x has {before} extrema, {with_uniform} under uniform noise on [-pi/2, pi/2] and "
        f"{with_gaussian} under Gaussian noise of its variance; uniform noise leaves {lobe:.4f} of cos 3x",
        {"before": before, "uniform": with_uniform, "gaussian": with_gaussian, "lobe": lobe, "kept": kept},
        with_uniform <= before and with_gaussian <= before,
        corrected=with_gaussian <= before < with_uniform
        and abs(lobe + 2.0 / (3.0 * math.pi)) < 1e-5
        and abs(kept - math.exp(-2.0 * sigma**2)) < 1e-12,
    )


@_claim(
    "trust-bound",
    "Not knowing Q outside the box changes the objective by at most osc(Q) P(noise leaves the box), osc(Q) over all "
    "actions, those outside included.",
    source="total probability",
)
def trust_bound() -> Evidence:
    """Landscapes known on a large box, solved on a small one whose edge values continue."""
    generator = np.random.default_rng(6)
    large = Axis("x", -6.0, 6.0, 1201, boundary="clip")
    small = Axis("x", -1.5, 1.5, 301, boundary="clip")
    inside = slice(450, 751)
    x = large.coordinates
    # the worst case: nothing inside, everything outside
    rows = [np.where(np.abs(x) > 1.5 + 1e-9, 1.0, 0.0)]
    for _ in range(20):
        bumps = zip(generator.uniform(-4, 4, 8), generator.uniform(0.2, 1.0, 8), generator.normal(size=8), strict=True)
        rows.append(sum(h * np.exp(-((x - c) ** 2) / (2.0 * w * w)) for c, w, h in bumps))
    values = np.stack(rows)
    sigmas = [0.1, 0.3, 0.6, 1.0]
    truth = solve(Landscape(values, Grid(large)), sigmas).values[:, :, inside]
    boxed = solve(Landscape(values[:, inside], Grid(small)), sigmas).values
    shares = np.zeros(len(rows))
    for k, sigma in enumerate(sigmas):
        # osc(Q) times the share of the noise that leaves
        bound = np.ptp(values, axis=1)[:, None] * Grid(small).trust(sigma)
        difference = np.abs(boxed[k] - truth[k])
        # 1e-9 where no noise leaves, and the difference is round-off
        shares = np.maximum(shares, (difference / np.maximum(bound, 1e-9)).max(axis=1))
    most, worst_case = float(shares.max()), float(shares[0])
    # osc over the box alone bounds nothing: it is 0 for the first of them
    seen = np.ptp(values[:, inside], axis=1)
    beyond = int(((np.abs(boxed[-1] - truth[-1]) > seen[:, None] * Grid(small).trust(sigmas[-1])).any(axis=1)).sum())
    return Evidence(
        f"over {len(rows)} landscapes and {len(sigmas)} sigmas the difference is at most {most:.3f} of the bound; "
        f"where Q is 0 inside and 1 outside it is {worst_case:.3f} of it; with osc(Q) inside the box alone the bound "
        f"fails for {beyond} of them",
        {"share_of_bound": most, "share_in_the_worst_case": worst_case, "beyond_osc_inside": beyond},
        # that the bound is nearly reached shows that the difference was seen at all
        most <= 1.0 + 1e-9 and worst_case > 0.9,
    )
