"""Antithetic randomised quasi-Monte Carlo."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from heatpg.errors import OptionError, UnsupportedError
from heatpg.quadrature import rules
from heatpg.quadrature.base import Estimate, Integrand, Rule
from heatpg.tools.arguments import whole_number

__all__ = ["MonteCarlo"]

Array = NDArray[np.float64]

_BITS = 52  # half a cell added to a multiple of 2^-52 is still exact, and never 0 or 1
_MOST_DIMENSIONS = 21201  # of the direction numbers of Joe and Kuo
_DEFAULT_RANDOMIZATIONS = 32  # the standard error is then itself known to 1 / sqrt(2 * 31) = 13 %. A taste


@rules.register("montecarlo")
@dataclasses.dataclass(frozen=True)
class MonteCarlo(Rule):
    """Scrambled Sobol points in pairs +z, -z: grad L = F^-T mean[(f(mu + F z) - f(mu - F z)) z / 2], with R repeats.

    Parameters
    ----------
    samples
        Evaluations per repeat at each centre, both halves of the pairs counted; a power of two. By default the largest
        number within the budget.
    randomizations
        Independent repeats R, from whose scatter the standard errors come.

    Notes
    -----
    Unbiased for every integrable function, rough ones included; all weights are positive, so min f <= L <= max f.
    A pair cancels any baseline of the score function, f(mu) included, so the variance of the gradient stays bounded
    as sigma -> 0 where f is differentiable. The standard errors have R - 1 degrees of freedom (their 95 % interval is
    +-2.04 of them for R = 32). All centres use the same noise, so their errors are correlated and differences between
    them are more accurate than each. The same seed gives the same result.

    References
    ----------
    A. B. Owen, Scrambling Sobol' and Niederreiter-Xing points, J. Complexity 14 (1998) 466-489,
    doi:10.1006/jcom.1998.0487. S. Joe, F. Y. Kuo, Constructing Sobol sequences with better two-dimensional
    projections, SIAM J. Sci. Comput. 30 (2008) 2635-2654, doi:10.1137/070709359. R. J. Williams, Simple statistical
    gradient-following algorithms, Mach. Learn. 8 (1992) 229-256, doi:10.1007/BF00992696 (score function, baseline).

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.quadrature import mollify
    >>> step = mollify(lambda a: (a[:, 0] > 0) * 1.0, [0.5] + 9 * [0.0], 0.5, "montecarlo", samples=1024)
    >>> bool(abs(step.value - 0.8413447) < 4 * step.standard_error < 0.01)  # Phi(1)
    True
    """

    samples: int | None = None
    randomizations: int = _DEFAULT_RANDOMIZATIONS

    name: ClassVar[str] = "montecarlo"
    summary: ClassVar[str] = "antithetic quasi-Monte Carlo with standard errors, for any function of many variables"
    positive: ClassVar[bool] = True
    randomized: ClassVar[bool] = True
    size_name: ClassVar[str] = "samples"
    sizes: ClassVar[Sequence[int]] = tuple(2**n for n in range(1, 41))
    ladder: ClassVar[Sequence[int]] = tuple(2**n for n in range(5, 41))

    def __post_init__(self) -> None:
        object.__setattr__(self, "randomizations", whole_number("randomizations", self.randomizations, least=2))
        if self.samples is not None:
            samples = whole_number("samples", self.samples, least=2, most=self.sizes[-1])
            if samples & (samples - 1):
                raise OptionError(
                    "the number of Sobol points must be a power of two",
                    given=f"samples={samples}",
                    allowed=f"{2 ** (samples.bit_length() - 1)}, {2 ** samples.bit_length()}, ...",
                )
            object.__setattr__(self, "samples", samples)

    def cost(self, size: int, dimensions: int) -> int:
        return size * self.randomizations

    def require(self, size: int, dimensions: int, budget: int) -> None:
        if dimensions > _MOST_DIMENSIONS:
            raise UnsupportedError(
                "Sobol points are not available in this many dimensions",
                given=dimensions,
                allowed=f"<= {_MOST_DIMENSIONS}",
            )
        super().require(size, dimensions, budget)

    def resolution(self, size: int, dimensions: int) -> float:
        # Of N independent points none lies in a ball of the probability 3 / N with a chance of 5 %. A ball of radius
        # w sqrt(d) at the distance sqrt(d) has about w^d / sqrt(pi d), by Stirling's formula for its volume.
        points = size * self.randomizations
        return float(min(1.0, (3 * math.sqrt(math.pi * dimensions) / points) ** (1 / dimensions)))

    def describe(self, size: int, dimensions: int) -> str:
        return f"{self.randomizations} independent scramblings of {size} antithetic Sobol points"

    def apply(self, integrand: Integrand, size: int, seed: int) -> Estimate:
        centres, k = len(integrand.centres), integrand.dimensions
        values = np.zeros((self.randomizations, centres))
        scores = np.zeros((self.randomizations, centres, k))
        absolute = np.zeros(centres)
        lowest, highest = np.full(centres, np.inf), np.full(centres, -np.inf)
        for repeat, child in enumerate(np.random.SeedSequence(seed).spawn(self.randomizations)):
            # a scrambling of its own for each repeat: only independent repeats have a scatter that tells the error
            engine = _sobol(k, np.random.default_rng(child))
            for start, stop in integrand.blocks(size // 2):
                z = _standard_normal(engine, stop - start)
                plus, minus = integrand(z), integrand(-z)
                # divided before they are added, so that large values do not overflow in the sum
                values[repeat] += (plus / size + minus / size).sum(axis=1)
                pairs = plus / 2 + minus / 2
                lowest, highest = np.minimum(lowest, pairs.min(axis=1)), np.maximum(highest, pairs.max(axis=1))
                absolute += (np.abs(plus) / size + np.abs(minus) / size).sum(axis=1) / self.randomizations
                if integrand.gradient:
                    # size / 2 pairs of (f(+) - f(-)) z / 2 each: their mean is the sum over size
                    scores[repeat] += (plus / size - minus / size) @ z
        value, value_error = _mean_and_standard_error(values)
        magnitude = float(absolute.max())
        # A jump is counted: where the same number of points is above it in every repeat, their scatter is 0, and the
        # mean may still be wrong by what 3 / R of the repeats would have shown with a chance of 95 %. Twice the error:
        unseen = 3 / self.randomizations * (highest / size - lowest / size)
        value_error = np.where(value_error <= integrand.rounding(magnitude), unseen, value_error)
        # two standard errors, about a 95 % interval, are what a tolerance is held against
        if not integrand.gradient:
            return integrand.estimate((value, None), (value_error, None), None, magnitude, 2.0)
        score, score_error = _mean_and_standard_error(scores)
        _, gradient_error = _mean_and_standard_error(integrand.to_gradient(scores))
        return integrand.estimate((value, score), (value_error, score_error), gradient_error, magnitude, 2.0)


def _sobol(dimensions: int, generator: np.random.Generator) -> Any:
    from scipy.stats import qmc

    return qmc.Sobol(dimensions, scramble=True, bits=_BITS, seed=generator)


def _standard_normal(engine: Any, count: int) -> Array:
    from scipy.special import ndtri

    # SciPy's points are multiples of 2^-52 from 0 on, and ndtri(0) is -infinity: take the middle of each cell
    return np.asarray(ndtri(engine.random(count) + 0.5 ** (_BITS + 1)))


def _mean_and_standard_error(repeats: Array) -> tuple[Array, Array]:
    mean = repeats.mean(axis=0)
    apart = repeats - mean
    # in units of the largest deviation, a power of two: squares of values near 1e200 or 1e-200 do not fit a double
    _, exponent = np.frexp(np.abs(apart).max(axis=0))
    deviation = np.sqrt((np.ldexp(apart, -exponent) ** 2).sum(axis=0) / (len(repeats) - 1))
    return mean, np.ldexp(deviation, exponent) / math.sqrt(len(repeats))
