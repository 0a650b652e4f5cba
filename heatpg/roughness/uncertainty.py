"""How narrow a landscape is in place and in wavenumber at once."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len, rfft

from heatpg.core.landscape import Landscape
from heatpg.errors import UnsupportedError
from heatpg.roughness.waves import require_single
from heatpg.tools.calls import checked_call
from heatpg.tools.plain import fields_as_dict
from heatpg.tools.sums import dot

__all__ = ["UncertaintyProduct", "uncertainty_product"]

Array = NDArray[Any]


@dataclasses.dataclass(frozen=True)
class UncertaintyProduct:
    """How narrow a landscape is in place and in wavenumber at once.

    Attributes
    ----------
    position_variance
        Variance of |f|^2 along each axis.
    wavenumber_variance
        Variance of |f^|^2 along each axis, angular.
    per_axis
        Their products, at least 1/4 each.
    product
        Total variance in place times total variance in wavenumber, at least m^2 / 4.
    bound
        m^2 / 4, m the number of axes.
    edge
        Largest |f| on the edges of the box over the largest anywhere. f is 0 outside, so an edge that is not small is a
        jump, whose waves reach as far as the grid does.
    nyquist
        Share of the finest wave of the grid, (sum_j (-1)^j f_j)^2 / sum_j f_j^2 along the worst axis. Where it is not
        small, f is not resolved and the bound need not hold.
    """

    position_variance: tuple[float, ...]
    wavenumber_variance: tuple[float, ...]
    per_axis: tuple[float, ...]
    product: float
    bound: float
    edge: float
    nyquist: float

    def __str__(self) -> str:
        lines = [f"product   {self.product:.6g}, {self.product / self.bound:.6g} times the least possible"]
        lines += [
            f"axis {i + 1}    {a:.6g} in place times {b:.6g} in wavenumber = {c:.6g} (at least 0.25)"
            for i, (a, b, c) in enumerate(
                zip(self.position_variance, self.wavenumber_variance, self.per_axis, strict=True)
            )
        ]
        # a taste: jumps and unresolved waves of this size change the third digit of the product
        if self.edge > 1e-3:
            lines.append(
                f"edge      {self.edge:.3g} of the largest |f| remains there, so the spectrum is that of a jump"
            )
        if self.nyquist > 1e-3:
            lines.append(f"nyquist   {self.nyquist:.3g} of the finest wave: the grid does not resolve f")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The product as JSON-like values."""
        return fields_as_dict(self)


def _turned_to_middle(field: Array, density: Array, position: int) -> tuple[Array, Array]:
    """Along a circle: the mean direction of the density brought to the middle of the line."""
    size = field.shape[position]
    angle = 2.0 * math.pi * np.arange(size) / size
    direction = complex(dot(density, np.cos(angle)), dot(density, np.sin(angle)))
    # a density that is even around the circle has no middle; its direction is rounding, and any turn would do
    if abs(direction) < 1e-9:
        return field, density
    # the mean direction and not the mean place, which a density across the seam would have on the other side
    middle = math.atan2(direction.imag, direction.real) * size / (2.0 * math.pi)
    shift = round(0.5 * (size - 1) - middle)
    return np.roll(field, shift, axis=position), np.roll(density, shift)


@checked_call()
def uncertainty_product(landscape: Landscape) -> UncertaintyProduct:
    """Var_x(|f|^2) Var_k(|f^|^2) >= m^2 / 4 over m axes, with equality for Gaussians of equal width along all axes.

    Variances are totals over the axes, and given per axis too, where the bound is 1/4. Var_k along an axis is the
    integral of |df/dx_i|^2 over that of f^2 (Parseval), taken from the transform of f.

    Parameters
    ----------
    landscape
        f: the values as they are, offset included, without batch axes; 0 outside the box. A periodic axis is first
        turned so that |f|^2 lies in its middle.

    Returns
    -------
    product
        Variances, products, and whether edges or the spacing of the nodes spoil them.

    Raises
    ------
    UnsupportedError
        For f = 0, and for batch axes.

    Notes
    -----
    Exact to round-off for an f that is small at the edges and at the finest wave of the grid. For a landscape with an
    offset, subtract what is not part of the feature: a box full of a constant is as wide as the box and has two jumps.

    References
    ----------
    G. B. Folland, A. Sitaram, The uncertainty principle: a mathematical survey, *J. Fourier Anal. Appl.* 3, 1997,
    doi:10.1007/BF02649110.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.roughness.uncertainty import uncertainty_product
    >>> grid = Grid(Axis("x", -8.0, 8.0, 161, boundary="clip"))
    >>> round(uncertainty_product(Landscape.from_function(lambda x: np.exp(-(x**2) / 2), grid)).product, 12)
    0.25
    >>> round(uncertainty_product(Landscape.from_function(lambda x: x * np.exp(-(x**2) / 2), grid)).product, 12)
    2.25
    """
    grid = landscape.grid
    require_single(landscape, "the uncertainty product")
    field = landscape.values.astype(np.float64)
    largest = float(np.abs(field).max())
    if largest == 0.0:
        raise UnsupportedError("f = 0 has neither a location nor a wavenumber", given=repr(landscape))
    field /= largest  # the product does not depend on the unit of f; its squares neither overflow nor vanish
    places, waves, edges, finest = [], [], [0.0], [0.0]
    with np.errstate(under="ignore"):
        for i, axis in enumerate(grid):
            others = tuple(j for j in range(grid.dimensions) if j != i)
            density = (field**2).sum(axis=others)
            turned = field
            if axis.rule.periodic:
                turned, density = _turned_to_middle(field, density / density.sum(), i)
            density = density / density.sum()
            x = (np.arange(axis.size) - 0.5 * (axis.size - 1)) * axis.spacing
            places.append(dot(density, (x - dot(density, x)) ** 2))
            # f is 0 outside the box: padded to twice its length, or the circle of the transform would close on it
            length = next_fast_len(2 * axis.size, real=True)
            length += length % 2  # an even length has a coefficient at Nyquist
            energy = (np.abs(rfft(turned, length, axis=i)) ** 2).sum(axis=others)
            energy[1:-1] *= 2.0  # the waves of negative k
            k = 2.0 * math.pi * np.arange(len(energy)) / (length * axis.spacing)
            # the mean of k is 0 because f is real, so the variance is the mean square
            waves.append(dot(energy, k**2) / float(energy.sum()))
            # |f^(pi/h)|^2 over sum f^2, by Parseval of the padded transform
            finest.append(float(energy[-1] * length / energy.sum()))
            edges.append(float(np.abs(np.take(turned, [0, -1], axis=i)).max()))
    return UncertaintyProduct(
        tuple(places),
        tuple(waves),
        tuple(a * b for a, b in zip(places, waves, strict=True)),
        sum(places) * sum(waves),
        0.25 * grid.dimensions**2,
        max(edges),
        max(finest),
    )
