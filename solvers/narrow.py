"""Operators for noise narrower than a spacing; see `heatpg.core.narrow`."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis
from heatpg.core.kinks import jumps_along, period_of
from heatpg.core.narrow import narrow_columns, narrow_jumps, narrow_weights
from heatpg.solvers.edges import EndCorrection, ends_of, flows_of_kinks

__all__ = ["narrow_correction", "narrow_slopes"]

_CENTRAL = (1.0 / 12.0, -8.0 / 12.0, 0.0, 8.0 / 12.0, -1.0 / 12.0)  # du/dx to order 4, in units of 1 / h
_FAR = 10  # spacings from a wall to which a kink is felt: eight standard deviations, and the reach of the weights


def narrow_slopes(ratio: float) -> NDArray[np.float64]:
    """Weights of du/dx in units of 1 / h: those of u, differenced to order 4.

    Examples
    --------
    >>> from heatpg.solvers.narrow import narrow_slopes
    >>> float(narrow_slopes(0.5) @ range(-5, 6))
    1.0
    """
    return np.convolve(narrow_weights(ratio), _CENTRAL)


def _jumps_of_slopes(axis: Axis, sigma: float) -> tuple[tuple[int, ...], NDArray[np.float64]]:
    """Which derivatives jump at the walls of an axis, and the weights of the end nodes for h^k J_k."""
    if axis.boundary != "absorb":
        return jumps_along(axis, sigma)
    # odd about the end of the chord: even derivatives turn over
    orders, weights = jumps_along(dataclasses.replace(axis, boundary="clip"), sigma)
    return tuple(k for k in orders if k == 2), 2.0 * weights[[k == 2 for k in orders]]


@functools.lru_cache(maxsize=256)
def narrow_correction(axis: Axis, sigma: float, dtype: str, slope: bool = False) -> EndCorrection | None:
    """What the weights lack at the walls of an axis; None where nothing jumps there, or it is not known what.

    Of u the slope from two nodes, so that no weight is negative; of du/dx, which may have any, all derivatives from
    four.
    """
    ratio, period = sigma / axis.spacing, period_of(axis)
    half = 0.5 if axis.nodes == "cell" else 0.0
    if slope:
        orders, weights = _jumps_of_slopes(axis, sigma)
        near, turned = _columns_of_slopes(orders, ratio, half), np.array([[(-1.0) ** k] for k in orders])
    else:
        value_jump, slope_jump = narrow_jumps(axis)
        orders = tuple(k for k, jump in enumerate((value_jump, slope_jump)) if jump)
        weights = np.array([[1.0, 0.0], [-slope_jump, slope_jump]])[list(orders)]
        near, turned = narrow_columns(ratio)[list(orders)], np.array([[-((-1.0) ** k)] for k in orders])
    if not orders:
        return None
    result = np.zeros((len(orders), axis.size))
    most = math.ceil((near.shape[1] + axis.size) / period) if period else 0
    for image in range(-most, most + 1):
        # a node has the wall, and its images, at these distances; the outside is the inside turned over
        place = np.arange(axis.size) + half + image * period
        number = np.rint(np.abs(place) - half).astype(np.int64)
        chosen = np.flatnonzero(number < near.shape[1])
        result[:, chosen] += near[:, number[chosen]] * np.where(place[chosen] < 0, turned, 1.0)
    return ends_of(axis, weights, result, dtype, slope)


def _columns_of_slopes(orders: tuple[int, ...], ratio: float, half: float) -> NDArray[np.float64]:
    """D_k' / h^(k - 1) at the first nodes inside the wall."""
    weights = narrow_slopes(ratio)
    middle = len(weights) // 2
    node, source = np.arange(_FAR + 1) + half, np.arange(middle + 1) + half
    # from a node outside, where both terms are small, to the nodes inside
    offset = np.rint(source + node[:, None]).astype(np.int64)
    seen = np.where(offset <= middle, weights[np.minimum(middle + offset, len(weights) - 1)], 0.0)
    flows = flows_of_kinks(-node, ratio, max(orders, default=1))
    result = np.empty((len(orders), len(node)))
    for row, k in zip(result, orders, strict=True):
        kink = source**k / math.factorial(k)
        if k == 0 and not half:
            kink[0] = 0.5
        row[:] = (-1.0) ** k * (flows[k] - (seen * kink).sum(axis=1))
    return result
