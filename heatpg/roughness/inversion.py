"""Undoing exploration noise: the backward heat equation, which is unstable, with regularisation.

The field at the larger sigma is y = A u + noise; see `heatpg.roughness.modes` for A and its modes, and
`heatpg.roughness.regularisation` for what takes the place of its inverse.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.faces import require_extrapolated
from heatpg.core.grid import Grid
from heatpg.core.landscape import Landscape
from heatpg.core.noise import sigma_words
from heatpg.core.ownership import HandedOver
from heatpg.errors import OptionError, SigmaError, UnknownNameError, UnsupportedError
from heatpg.evolution import Evolution
from heatpg.roughness.decay import recoverable_band
from heatpg.roughness.modes import EPS, Problem, along, apply, diagonal_of, mean_over, quadratic_form, rms_over
from heatpg.roughness.regularisation import LARGEST_EXPONENT, METHODS, by_discrepancy, power_beyond
from heatpg.roughness.waves import require_single
from heatpg.tools.arguments import finite_number, positive_number, whole_number
from heatpg.tools.calls import checked_call
from heatpg.tools.plain import fields_as_dict

__all__ = ["Amplification", "Backward", "backward", "noise_amplification"]

Array = NDArray[Any]
# Standard deviations of the squared norm of the noise that the residual is left above it: the usual three.
_SCATTER = 3.0


@checked_call()
def noise_amplification(wavenumber: float, variance_step: float) -> float:
    """Factor exp(k^2 dsigma^2 / 2) by which undoing a variance multiplies noise of a wavenumber.

    Parameters
    ----------
    wavenumber
        Angular; the finest wave of a grid of spacing h has pi / h.
    variance_step
        dsigma^2, >= 0.

    Returns
    -------
    factor
        Infinite where it exceeds the largest double.

    Raises
    ------
    OptionError
        For a negative number, NaN or infinity.

    Examples
    --------
    >>> import math
    >>> from heatpg.roughness.inversion import noise_amplification
    >>> [f"{noise_amplification(math.pi / 0.01, step):.3g}" for step in (1e-4, 1e-3)]
    ['139', '2.7e+21']
    """
    k = finite_number("wavenumber", wavenumber, lower=0.0)
    exponent = 0.5 * k * k * finite_number("variance_step", variance_step, lower=0.0)
    return math.exp(exponent) if exponent <= LARGEST_EXPONENT else math.inf


@dataclasses.dataclass(frozen=True)
class Amplification:
    """Amplification of white noise by a backward solve.

    Attributes
    ----------
    observed
        Root mean square of the output over the standard deviation of the input.
    predicted
        The same from the multipliers.
    standard_error
        Of the observed figure, for modes that do not mix.
    seed
        Of the noise.
    samples
        Number of fields of noise.
    """

    observed: float
    predicted: float
    standard_error: float
    seed: int
    samples: int

    def __str__(self) -> str:
        return (
            f"noise x {self.observed:.5g} observed, x {self.predicted:.5g} predicted "
            f"(standard error {self.standard_error:.2g}, seed {self.seed}, {self.samples} samples)"
        )

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON-like values."""
        return fields_as_dict(self)


@dataclasses.dataclass(frozen=True, eq=False)
class Backward:
    """An estimate of u at a smaller sigma, with the effects of noise and regularisation.

    Attributes
    ----------
    estimate
        u at the smaller sigma, as a landscape in double precision.
    method
        ``cutoff`` or ``tikhonov``.
    parameter
        k_c, or alpha.
    chosen
        Whether the discrepancy principle chose the parameter.
    cutoff
        Wavenumber from which on waves are lost: k_c, or where exp(-k^2 t) = alpha.
    variance_step
        Variance undone along each axis.
    noise
        Standard deviation of the noise per node, if it was given.
    tau
        The residual aimed at, in units of the noise; None where the parameter was given.
    residual
        Root of the mean square of A u - y over the box.
    amplification
        Predicted amplification of white noise: rms of the output over its standard deviation per node.
    largest_amplification
        The same for the worst mode.
    observed_amplification
        Observed amplification of the noise added by seed, over its standard deviation; None without a seed.
    recoverable
        `recoverable_band` of the noise and of a wave with the rms of the data; None without noise.
    bias
        Estimate of what the regularisation takes off: its own damping of what was found, and what lies beyond the
        cut-off if the power there goes on to fall as it does in the octave below. Nothing in the data tells whether it
        does: a feature finer than the cut-off is not in this estimate.
    error
        rms error of the estimate, if an evolution contains the true field; otherwise None.
    assumption
        Assumption about the field outside the box.
    """

    estimate: Landscape
    method: str
    parameter: float
    chosen: bool
    cutoff: float
    variance_step: tuple[float, ...]
    noise: float | None
    tau: float | None
    residual: float
    amplification: float
    largest_amplification: float
    observed_amplification: float | None
    recoverable: float | None
    bias: float
    error: float | None
    assumption: str
    _problem: Problem = dataclasses.field(repr=False)
    _multiplier: Array = dataclasses.field(repr=False)

    @property
    def values(self) -> Array:
        """Values of the estimate, shape of the grid."""
        return self.estimate.values

    @property
    def noise_error(self) -> float | None:
        """Predicted rms of the amplified noise, eps times the amplification; None without noise."""
        return None if self.noise is None else self.noise * self.amplification

    def measure_amplification(self, seed: int, *, samples: int = 1) -> Amplification:
        """Push white noise through the same linear map.

        Parameters
        ----------
        seed
            Of `numpy.random.default_rng`.
        samples
            Number of fields of noise.

        Raises
        ------
        OptionError
            For less than one sample, or a seed that is none.
        """
        seed, samples = whole_number("seed", seed, least=0), whole_number("samples", samples)
        problem = self._problem
        generator = np.random.default_rng(seed)
        squares = [
            rms_over(apply(problem, self._multiplier, generator.standard_normal(problem.grid.shape)), problem.grid) ** 2
            for _ in range(samples)
        ]
        # the mean square is a sum over modes that are nearly independent;
        # a sum of independent squares with expectations v has the variance 2 sum v^2
        share = self._multiplier**2
        for position, form in enumerate(problem.noise):
            share = along(diagonal_of(form), share, position)
        scatter = math.sqrt(2.0 * float((share**2).sum())) / float(share.sum())
        return Amplification(
            math.sqrt(sum(squares) / samples),
            self.amplification,
            0.5 * self.amplification * scatter / math.sqrt(samples),
            seed,
            samples,
        )

    def __str__(self) -> str:
        steps = self.variance_step
        undone = sigma_words(steps[0] if len(set(steps)) == 1 else steps, digits=4)
        how = f"by the discrepancy principle, tau = {self.tau:.4g}" if self.chosen else "as given"
        name = "k_c" if self.method == "cutoff" else "alpha"
        lines = [
            f"undone        sigma^2 = {undone} by {self.method}, {name} = {self.parameter:.4g} {how}",
            f"band          |k| <= {self.cutoff:.4g}"
            + ("" if self.recoverable is None else f"; recoverable {self.recoverable:.4g}"),
        ]
        observed = "" if self.observed_amplification is None else f", {self.observed_amplification:.4g} observed"
        lines.append(
            f"noise         times {self.amplification:.4g} predicted{observed}; the worst wave times "
            f"{self.largest_amplification:.4g}"
        )
        level = "" if self.noise is None else f"; noise {self.noise:.4g}, amplified {self.noise_error:.4g}"
        lines.append(f"residual      {self.residual:.4g}{level}")
        lines.append(f"bias          {self.bias:.4g} estimated")
        if self.error is not None:
            lines.append(f"error         {self.error:.4g} rms error")
        lines.append(f"outside       {self.assumption}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """All but the field, as JSON-like values."""
        entries = fields_as_dict(self, leave_out=("estimate",))
        return {**entries, "noise_error": self.noise_error}


def _assumption(grid: Grid) -> str:
    free = [axis for axis in grid if axis.rule.free_space]
    if not free:
        return "nothing: every boundary condition is closed"
    words = {"clip": "the estimate is continued by its edge values", "zero": "the estimate is 0"}
    return "; ".join(f"beyond {axis.name!r} {words.get(axis.boundary, axis.rule.meaning)}" for axis in free)


def _interval(
    source: Evolution | Landscape,
    to: float | Sequence[float] | None,
    variance_step: float | Sequence[float] | None,
    index: int,
) -> tuple[Array, tuple[float, ...], tuple[float, ...]]:
    """The field to start from, the variances of the estimate and those of the field."""
    grid = source.grid
    if to is not None and variance_step is not None:
        raise SigmaError("give either `to` or `variance_step`, not both")
    # `sigmas` refuses what is negative, not finite, or of the wrong length
    step = None if variance_step is None else grid.sigmas(variance_step)
    if isinstance(source, Landscape):
        if step is None:
            raise SigmaError(
                "a landscape does not determine the variance to undo",
                given="no variance_step",
                allowed="variance_step=dsigma^2, one number or one per axis",
                advice="for an evolution, which has its sigma, use `to`",
            )
        field, start, stop = source.values, (0.0,) * grid.dimensions, step
    else:
        source.require_solved("noise undone")
        if source.covariance is not None:
            raise UnsupportedError(
                "inversion is not supported for correlated noise, which does not factor over the axes",
                given="an evolution with a covariance",
                allowed="one sigma, or one per axis",
                advice="sample Q along the principal axes of the covariance",
            )
        if not -len(source) <= index < len(source):
            raise SigmaError(
                "index of the noise level is out of range", given=index, allowed=f"{-len(source)} to {len(source) - 1}"
            )
        field, stop = source.values[index], tuple(float(t) for t in source.variances[index])
        levels = tuple(float(s) for s in source.sigmas[index])
        if step is None:
            aims = grid.sigmas(0.0 if to is None else to)
            start = tuple(aim**2 for aim in aims)
            # sigmas and not variances are compared: a square root of a square need not come back
            short = any(aim > level for aim, level in zip(aims, levels, strict=True))
        else:
            # a step that is the whole variance up to rounding undoes all of it
            start = tuple(0.0 if abs(b - s) <= 4.0 * EPS * b else b - s for b, s in zip(stop, step, strict=True))
            short = any(a < 0.0 for a in start)
        if short:
            raise SigmaError(
                "a backward solve must end at a smaller sigma",
                given=f"to={to}" if step is None else f"variance_step={variance_step}",
                allowed=f"sigmas up to {levels}, variances up to {stop}",
                advice="use heatpg.evolve to smooth",
            )
    if all(b == a for a, b in zip(start, stop, strict=True)):
        raise SigmaError("there is nothing to undo", given=f"variances {stop} to {start}", allowed="a smaller sigma")
    return field, start, stop


def _truth(evolution: Evolution, start: tuple[float, ...]) -> Array:
    # Q itself, or a stored field at these very sigmas, or one that is solved for now
    if not any(start):
        return evolution.landscape.values
    stored = np.flatnonzero((evolution.variances == np.array(start)).all(axis=1))
    return evolution.values[stored[0]] if len(stored) else evolution.at([math.sqrt(t) for t in start])


@checked_call()
def backward(
    source: Evolution | Landscape,
    *,
    to: float | Sequence[float] | None = None,
    variance_step: float | Sequence[float] | None = None,
    index: int = -1,
    noise: float | None = None,
    method: str = "tikhonov",
    parameter: float | None = None,
    tau: float | None = None,
    seed: int | None = None,
) -> Backward:
    """Estimate u at a smaller sigma from a noisy field at a larger one.

    y = A u + noise, A = exp(-|k|^2 t / 2). ``cutoff``: u^ = exp(|k|^2 t / 2) y^ for |k| <= k_c and 0 beyond;
    ``tikhonov``: u^ = a / (a^2 + alpha) y^ with a = exp(-|k|^2 t / 2), the u of least |A u - y|^2 + alpha |u|^2, where
    what was not smoothed (mean, held ends) is not damped.

    Parameters
    ----------
    source
        An evolution, or a landscape that is taken for a smoothed one; without batch axes.
    to
        For an evolution: the sigma to go back to, one number or one per axis; 0 if neither this nor `variance_step` is
        given.
    variance_step
        dsigma^2 to be undone, one or one per axis. A landscape needs it, and is solved back to sigma = 0.
    index
        Which sigma of an evolution to start from; the last by default.
    noise
        eps, standard deviation of the noise per node, positive. Of data without noise their rounding: about
        1e-16 max|u| in double precision, 6e-8 max|u| in single.
    method
        ``cutoff`` or ``tikhonov``.
    parameter
        k_c (an angular wavenumber, >= 0) or alpha (> 0). None lets the discrepancy principle (Morozov) choose it: the
        strongest regularisation whose residual is no more than tau eps.
    tau
        About 1; sqrt(1 + 3 sqrt(2 / N)) by default, N the number of nodes: three standard deviations of the squared
        norm of the noise above its mean, because below the noise every residual can be had, at the price of fitting it.
    seed
        Add white noise of standard deviation `noise` to the field first, with this seed: an experiment with a known
        solution.

    Returns
    -------
    backward
        The estimate, with the parameter, the predicted amplification of noise, and the residual.

    Raises
    ------
    SigmaError
        For a sigma above that of the field, or if there is nothing to undo.
    OptionError
        Without noise and without parameter; for numbers out of range.
    UnsupportedError
        For correlated noise, batch axes, or a noise level below the residual of every regularised solution.
    UnknownNameError
        For an unknown method.
    NonFiniteError
        For a cut-off beyond which multipliers overflow.
    ResourceError
        For an axis in free space of more than 2048 nodes.

    Notes
    -----
    Undone is the Gaussian convolution itself: a field of a solver of the semi-discrete flow differs from it by the
    error of that solver, which is amplified as noise is. With unequal variances |k| stands for
    sqrt(sum_i k_i^2 t_i / max t), so that a cut-off bounds the amplification along all axes. For free space see the
    module.

    Information that is lost is not had back: outside of the band the estimate is 0 or nearly so, whatever u is. A
    policy gradient does not solve backward either; it samples Q again at each sigma.

    References
    ----------
    H. W. Engl, M. Hanke, A. Neubauer, *Regularization of Inverse Problems*, 1996, chapters 4 and 5.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.evolution import solve
    >>> from heatpg.roughness.inversion import backward
    >>> grid = Grid(Axis("x", 0.0, 2 * np.pi, 256, boundary="periodic"))
    >>> q = Landscape.from_function(lambda x: np.cos(x) + np.cos(3 * x), grid)
    >>> result = backward(solve(q, 0.5), noise=1e-3, seed=0, method="cutoff")
    >>> bool(3.0 <= result.cutoff < 4.0), bool(result.error < 3 * result.noise_error)
    (True, True)
    """
    grid = source.grid
    if method not in METHODS:
        raise UnknownNameError("unknown regularisation method", given=repr(method), allowed="'cutoff', 'tikhonov'")
    eps = None if noise is None else positive_number("noise", noise)
    aim = None if tau is None else positive_number("tau", tau)
    if eps is None and parameter is None:
        raise OptionError(
            "undoing smoothing amplifies noise by exp(k^2 dsigma^2 / 2), so it needs noise= or parameter=",
            allowed="noise: standard deviation of the data per node; parameter: cut-off k_c or Tikhonov alpha",
            advice="if nothing else is known, pass the rounding of the data as noise: about 1e-16 max|u|",
        )
    if seed is not None:
        seed = whole_number("seed", seed, least=0)
    if eps is None and seed is not None:
        raise OptionError("a seed needs a noise level", given="no noise", allowed="noise > 0")
    if parameter is not None and not (0 < parameter < math.inf or (parameter == 0 and method == "cutoff")):
        raise OptionError(
            "the parameter is out of range",
            given=parameter,
            allowed="a wavenumber k_c >= 0" if method == "cutoff" else "alpha > 0",
        )
    landscape = source if isinstance(source, Landscape) else source.landscape
    require_single(landscape, "a backward solve")
    require_extrapolated(landscape.stated_faces, "a backward solve")
    field, start, stop = _interval(source, to, variance_step, index)
    # a copy in double precision: noise may be added, transforms may overwrite, and single precision would be amplified
    field = np.array(field, dtype=np.float64)
    added = None
    if seed is not None:
        assert eps is not None
        added = eps * np.random.default_rng(seed).standard_normal(grid.shape)
        field += added

    problem = Problem.of(grid, start, stop)
    filters = METHODS[method](problem)
    # a constant that no mode stands for goes around the inverse, not through it
    level = problem.level(field)
    coefficients = problem.forward(field - level)
    if parameter is None:
        assert eps is not None  # refused above otherwise
        aim = aim or math.sqrt(1.0 + _SCATTER * math.sqrt(2.0 / grid.size))
        number = by_discrepancy(problem, filters, coefficients, aim * eps)
    else:
        number, aim = float(parameter), None
    multiplier, loss = filters.multiplier(number), filters.loss(number)
    found = coefficients * multiplier
    # everything below is of the linear map that the parameter has fixed
    amplification = problem.amplification(multiplier)
    gain = functools.reduce(np.multiply.outer, [mode.gain for mode in problem.modes])
    cutoff = filters.cutoff(number)
    beyond = power_beyond(problem, cutoff, found, multiplier, eps or 0.0)
    bias = math.sqrt(quadratic_form(problem.output, found * loss) + beyond)
    residual = math.sqrt(quadratic_form(problem.data, coefficients * loss))
    # amplitude of the one wave that has the rms of the data
    wave = math.sqrt(2.0) * rms_over(field - mean_over(field, grid), grid)
    values = problem.inverse(found) + level
    observed = None
    if added is not None:
        assert eps is not None
        # the map is linear, so the added noise can be sent through it alone
        observed = rms_over(apply(problem, multiplier, added), grid) / eps
    error = None
    if isinstance(source, Evolution):
        error = rms_over(values - _truth(source, start), grid)
    provenance = {"source": "backward", "of": landscape.name, "method": method, "parameter": number}
    return Backward(
        Landscape(
            HandedOver(values),
            grid,
            f"{landscape.name}, solved back",
            provenance,
            minimise=landscape.minimise,
        ),
        method,
        number,
        parameter is None,
        cutoff,
        tuple(b - a for a, b in zip(start, stop, strict=True)),
        eps,
        aim,
        residual,
        amplification,
        float((multiplier * gain).max()),
        observed,
        None if eps is None else recoverable_band(eps, wave, problem.variance),
        bias,
        error,
        _assumption(grid),
        problem,
        multiplier,
    )
