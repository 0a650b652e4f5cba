"""The Gaussian multiplier on the trigonometric interpolant."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis
from heatpg.core.kinks import period_of
from heatpg.solvers import solvers
from heatpg.solvers.base import Path
from heatpg.solvers.edges import WIDTH, nodes_taken
from heatpg.solvers.transforms import InterpolantGradient

__all__ = ["Spectral"]

Array = NDArray[Any]

# the symbol at Nyquist is then exp(-9 pi^2 / 2) = 5e-20: weights are samples of the Gaussian, to round-off
_RESOLVED = 3.0
# In eps max |Q|: third differences of up to 16 |Q|, times the terms of the flow of a kink, 0.13 sigma^3 and others,
# which come to some 16 h^3 at sigma = 3 h.
_KINK_ROUNDING = 256.0


@solvers.register("spectral")
@dataclasses.dataclass(frozen=True)
class Spectral(InterpolantGradient):
    """Exact evolution of the trigonometric interpolant of Q: u^(k, t) = exp(-k^2 t / 2) Q^(k).

    Fourier, cosine or sine series by the boundary of each axis; in free space on a line that is continued far
    enough. One forward transform, then one inverse transform per sigma.

    Notes
    -----
    Exact in time. In space spectral: the error is that of the interpolant, and for sigma >= 3 h it is round-off
    whatever the data, because what the grid cannot represent is damped by exp(-pi^2 sigma^2 / 2 h^2) and more.
    Below that the interpolant of rough data overshoots (Gibbs), so the maximum principle is guaranteed only for
    sigma >= 3 h, and in free space the slow tails of the overshoot are cut where the Gaussian ends. The gradient is
    that of the interpolant. Where Q ends with a slope or a value that its continuation does not have, the kink is
    taken out and its own flow put in its place, of order 5 at every sigma (`heatpg.solvers.edges`).

    References
    ----------
    L. N. Trefethen, *Spectral Methods in MATLAB*, 2000, doi:10.1137/1.9780898719598, chapters 2 to 4.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape, evolve
    >>> grid = Grid(Axis("x", 0.0, 2 * np.pi, 16, boundary="periodic"))
    >>> flow = evolve(Landscape.from_function(np.cos, grid), 0.5, solver="spectral")
    >>> bool(np.abs(flow.values[0] - np.exp(-0.125) * np.cos(grid[0].coordinates)).max() < 1e-15)
    True
    """

    name = "spectral"
    summary = "Fourier, cosine or sine series, exact for the interpolant"
    target = "continuous"
    order_space = math.inf
    exact_kinks = True

    def monotone(self, axis: Axis, variance: float) -> bool:
        return variance == 0.0 or math.sqrt(variance) >= _RESOLVED * axis.spacing

    def end_nodes(self, axis: Axis, variance: float) -> int:
        return nodes_taken(axis, math.sqrt(variance)) if variance > 0 else 0

    def rounding(self, axis: Axis, path: Path) -> float:
        own = 0.0 < path[-1] < (_RESOLVED * axis.spacing) ** 2 and self.end_nodes(axis, path[-1])
        if not own:
            return InterpolantGradient.rounding(self, axis, path)
        # images of a wall that a kink of the own operator meets at once, on a short line
        images = 1.0 + 6.0 * WIDTH / period_of(axis) if period_of(axis) else 1.0
        return InterpolantGradient.rounding(self, axis, path) + _KINK_ROUNDING * images

    def multiplier(self, angle: Array, spacing: float, variance: float) -> Array:
        return np.asarray(np.exp(-0.5 * variance * (angle / spacing) ** 2))
