"""Claims on the backward heat flow, and on the information that remains after smoothing."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from heatpg import landscapes
from heatpg.claims import Evidence, claim
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.evolution import solve
from heatpg.scalespace import (
    backward,
    half_amplitude,
    noise_amplification,
    recoverable_band,
    uncertainty_product,
)

__all__: list[str] = []

Array = NDArray[np.float64]

_claim = functools.partial(claim, part="backward")

_REGULARIZATION = (
    "ill-posedness of the backward heat equation; H. W. Engl, M. Hanke, A. Neubauer, Regularization of Inverse "
    "Problems, 1996"
)


def _wave(axis: Axis, number: int) -> Landscape:
    return Landscape.from_function(lambda x: np.cos(2.0 * math.pi * number * x / axis.length), Grid(axis))


@_claim(
    "backward-in-sigma",
    "The heat flow can be run backward, so that Q is recovered from the smoothed objective.",
    corrected=(
        "Only with regularisation and only within a band: noise at wavenumber k is multiplied by exp(k^2 dsigma^2 / 2)."
    ),
    source=_REGULARIZATION,
)
def backward_in_sigma() -> Evidence:
    """Two waves with noise of 1e-6, smoothed and solved back with and without regularisation, h = 0.01."""
    axis = Axis("x", 0.0, 1.28, 128, boundary="periodic")
    # the finest wave of the grid: where a backward solve grows noise most
    nyquist, noise = math.pi / axis.spacing, 1e-6
    # what smoothing leaves of the finest wave, and what is made of it
    factor = abs(float(solve(_wave(axis, 64), 0.01, "spectral").values[0, 0]))
    grown = {
        # without regularisation: the cutoff is the finest wave
        step: backward(_wave(axis, 1), variance_step=step, method="cutoff", parameter=nyquist).largest_amplification
        for step in (1e-4, 1e-3)
    }
    # two waves of which both outlive the smoothing
    flow = solve(Landscape(_wave(axis, 1).values + 0.5 * _wave(axis, 5).values, Grid(axis)), math.sqrt(1e-3))
    naive = backward(flow, noise=noise, seed=1, method="cutoff", parameter=nyquist)
    tamed = backward(flow, noise=noise, seed=1)
    # what overflows has no error that could be told
    errors = [math.inf if result.error is None else result.error for result in (naive, tamed)]
    law = all(abs(grown[step] / noise_amplification(nyquist, step) - 1.0) < 1e-9 for step in grown)
    # what smoothing takes and what undoing gives, multiplied, is 1
    law = law and abs(factor * grown[1e-4] - 1.0) < 1e-9
    return Evidence(
        f"at the Nyquist wavenumber of h = 0.01 noise is multiplied by {grown[1e-4]:.0f} for dsigma^2 = 1e-4 and "
        f"{grown[1e-3]:.1e} for 1e-3; there noise of 1e-6 leaves an error of {errors[0]:.1e} without regularisation "
        f"and {errors[1]:.1e} with it, of two waves of amplitudes 1 and 0.5",
        {
            "amplification_1e-4": grown[1e-4],
            "amplification_1e-3": grown[1e-3],
            "error_naive": errors[0],
            "error_regularised": errors[1],
        },
        max(errors) < 1e-3,
        errors[1] < 1e-3,
        errors[1] < 1e-3 and law,
    )


@_claim(
    "recoverable-band",
    "With noise eps and amplitude B a wave can be recovered up to k = sqrt(2 ln(B / eps) / dsigma^2).",
    source="B exp(-k^2 dsigma^2 / 2) = eps",
)
def recoverable() -> Evidence:
    """The last wave that smoothing leaves above the noise, and the error of undoing it on both sides of the band."""
    axis = Axis("x", 0.0, 2.0 * math.pi, 256, boundary="periodic")
    noise, amplitude, step = 1e-3, 2.0, 0.01
    band = recoverable_band(noise, amplitude, step)
    waves = np.arange(1, 65)
    # a batch, one wave a row
    rows = np.stack([amplitude * _wave(axis, int(k)).values for k in waves])
    left = np.abs(solve(Landscape(rows, Grid(axis)), math.sqrt(step)).values[0][:, 0])
    last = int(waves[left > noise][-1])
    # of a wave known to eps the error after undoing, relative to the wave
    below, above = float(noise / left[last - 1]), float(noise / left[last])
    return Evidence(
        f"for B / eps = 2000 and dsigma^2 = 0.01 the band ends at k = {band:.2f}; the last whole wavenumber above "
        f"the noise is {last}, where the relative error after undoing is {below:.2f}, against {above:.2f} at the next",
        {"band": band, "last_wave": last, "error_below": below, "error_above": above},
        last == math.floor(band) and below < 1.0 <= above,
    )


@_claim(
    "half-amplitude",
    "Noise of sigma halves waves with sigma k = 1.1774, of wavelength 5.34 sigma, and damps finer ones more.",
    source="sqrt(2 ln 2)",
)
def half() -> Evidence:
    """The wave that should be halved, solved."""
    found = half_amplitude(0.1)
    axis = Axis("x", 0.0, 4.0 * found.wavelength, 256, boundary="periodic")
    # the wave in question, and one that is finer by a quarter
    left, finer = (float(solve(_wave(axis, number), 0.1).values[0, 0]) for number in (4, 5))
    product, ratio = found.wavenumber * found.sigma, found.wavelength / found.sigma
    return Evidence(
        f"a wave with sigma k = {product:.4f}, wavelength {ratio:.3f} sigma, keeps {left:.6f} of its amplitude",
        {"sigma_k": product, "wavelength": ratio, "left": left},
        abs(left - 0.5) < 1e-12 and finer < left and abs(product - 1.1774) < 5e-5 and abs(ratio - 5.34) < 5e-3,
    )


@_claim(
    "lowering-sigma-runs-backward",
    "Lowering sigma while learning runs an ill-posed backward equation.",
    corrected=(
        "The equivalence concerns inferring Q from L(., sigma^2) alone; a policy gradient samples Q again at "
        "each sigma, and its error is the sampling error."
    ),
    source=_REGULARIZATION,
)
def lowering_sigma() -> Evidence:
    """The objective at the smaller sigma from new samples, and from the samples at the larger one by solving back."""
    axis = Axis("x", 0.0, 2.0 * math.pi, 64, boundary="periodic")
    q = Landscape.from_function(lambda x: np.cos(x) + 0.5 * np.cos(3.0 * x), Grid(axis))
    generator = np.random.default_rng(3)
    x, samples = axis.coordinates, 4000
    truth = solve(q, [0.25, 0.5]).values

    def sampled(sigma: float) -> tuple[Array, float]:
        # a fresh set of actions about every mean
        actions = x + sigma * generator.standard_normal((samples, x.size))
        returns = np.cos(actions) + 0.5 * np.cos(3.0 * actions)
        return returns.mean(axis=0), math.sqrt(float(returns.var(axis=0).mean()) / samples)

    # what a learner has that lowers its sigma: samples at the lower one
    estimate, error = sampled(0.25)
    # what it would have to go by if it did not sample again
    larger, _ = sampled(0.5)
    anew = math.sqrt(float(((estimate - truth[0]) ** 2).mean()))

    def solved_back(field: Array) -> float:
        result = backward(Landscape(field, Grid(axis)), variance_step=0.5**2 - 0.25**2, method="cutoff", parameter=8.5)
        return math.sqrt(float(((result.values - truth[0]) ** 2).mean()))

    # without sampling noise the same solution is right, so that what is seen is the noise
    back, exact = solved_back(larger), solved_back(truth[1])
    # the scatter of an rms over 64 nodes is 9 %
    fresh = abs(anew / error - 1.0) < 0.4
    return Evidence(
        f"from {samples} new samples per mean the objective at sigma = 0.25 is known to {anew:.4f} (standard error "
        f"{error:.4f}); solved back from the samples at 0.5, waves up to k = 8, to {back:.3f}, and from the exact "
        f"field at 0.5 to {exact:.1e}",
        {"error_anew": anew, "standard_error": error, "error_solved_back": back, "error_without_noise": exact},
        not fresh,
        corrected=fresh and back > 5.0 * anew and exact < 1e-9,
    )


@_claim(
    "uncertainty-product",
    "A feature cannot be narrow in space and in wavenumber at once: Var_x(|f|^2) Var_k(|f^|^2) >= m^2 / 4, with "
    "equality for Gaussians.",
    source="Heisenberg's inequality; G. B. Folland, A. Sitaram, J. Fourier Anal. Appl. 3 (1997), "
    "doi:10.1007/BF02649110",
)
def uncertainty() -> Evidence:
    """Gaussians and other features in one and two dimensions."""
    line = Grid(Axis("x", -10.0, 10.0, 401, boundary="clip"))
    plane = Grid(*(Axis(name, -9.0, 9.0, 181, boundary="clip") for name in "xy"))
    bump = landscapes.gaussians(line, heights=(1.0,), centers=(0.4,), widths=(0.7,))
    round_bump = landscapes.gaussians(plane, heights=(1.0,), centers=(0.0, 0.0), widths=(0.8,))
    others = [
        Landscape.from_function(lambda x: x * np.exp(-(x**2) / 2.0), line),
        landscapes.two_bumps(line),
        landscapes.gaussians(plane, heights=(1.0,), centers=(0.0, 0.0), widths=(0.5, 1.5)),
        landscapes.gaussians(plane, heights=(1.0, -0.7)),
    ]
    ratios = [result.product / result.bound for result in map(uncertainty_product, [bump, round_bump, *others])]
    equal = max(abs(ratio - 1.0) for ratio in ratios[:2])
    return Evidence(
        f"in units of m^2 / 4 the product is 1 to {equal:.1e} for Gaussians in 1 and 2 dimensions, and "
        f"{', '.join(f'{ratio:.2f}' for ratio in ratios[2:])} for other features",
        {"gaussian_error": equal, "smallest_other": min(ratios[2:])},
        equal < 1e-9 and min(ratios[2:]) > 1.0 + 1e-9,
    )
