"""The pure numbers in which a scale space is computed: Q without its offset and its sign, and lengths in spacings.

The flow commutes with adding a constant to Q, with scaling Q, and with moving and scaling the axes. So does all that is
said of its critical points: a problem is taken out of its units once, at the entrance, and what was found is put back
into them once, at the end. In between every threshold is a number. All factors are powers of two, which round nothing.
A loss is turned into its negative at the entrance: in between the optimum is always the maximum.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.faces import changed
from heatpg.core.field import HeatField
from heatpg.core.grid import Grid
from heatpg.core.landscape import Landscape
from heatpg.core.levels import LevelField
from heatpg.core.linear import best_place
from heatpg.core.ownership import HandedOver
from heatpg.core.sense import MAXIMISE, Sense
from heatpg.core.walls import extremes, variation
from heatpg.errors import UnsupportedError
from heatpg.evolution import Evolution
from heatpg.scalespace.region import box_of_data

__all__ = ["FLAT", "NOISE", "STATIONARY", "Problem", "RoundOff", "Units", "require_structure"]

Array = NDArray[Any]

FLAT = 1e-11
"""Eigenvalues of the Hessian below this share of osc(Q), in units of max(sigma, h), are round-off."""
NOISE = 64.0 * float(np.finfo(np.float64).eps)
"""Of osc(Q): round-off of a derivative in units of max(sigma, h), which is a sum over many nodes (taste)."""
STATIONARY = 1e-6
"""Of osc(Q): a slope in units of max(sigma, h) that counts as none at a place that was solved for (taste)."""
# The rounding of the nodes, each by half a unit in its last place, is part of Q. In a value it is averaged; in a slope
# in units of sigma it is weighed by abs(z), of mean 0.8, in a second derivative by abs(z^2 - 1), of mean 0.97. An
# eigenvalue in three dimensions is off by three times that at most, and by more only below the spacing.
_CURVATURES = 4.0


@dataclasses.dataclass(frozen=True)
class RoundOff:
    """What cannot be told from zero, of derivatives in units of max(sigma, h).

    What is computed is exact for Q as its nodes are, but for round-off. But the nodes were rounded too, to a share of
    osc(Q) that an offset or single precision makes large: that decides what is looked for, and what is known of it.

    Attributes
    ----------
    size
        osc(Q), with what its boundaries bring in.
    data
        By how much two nodes of Q may differ because they were rounded.
    """

    size: float
    data: float = 0.0

    @property
    def computed(self) -> float:
        """Slopes up to this are round-off of the computation: of Q as its nodes are, they are zero."""
        return NOISE * self.size

    @property
    def slope(self) -> float:
        """Slopes, and differences of values, up to this may be zero for Q as it was before its nodes were rounded."""
        return max(self.computed, self.data)

    @property
    def singular(self) -> float:
        """Eigenvalues of the Hessian up to this are round-off of the computation."""
        return FLAT * self.size

    @property
    def flat(self) -> float:
        """Eigenvalues up to this may be zero for Q as it was before its nodes were rounded."""
        return max(self.singular, _CURVATURES * self.data)

    @property
    def stationary(self) -> float:
        """Slopes up to this count as none at a place that was solved for."""
        return STATIONARY * self.size


class Units:
    """Q = offset + sign 2^exponent q, x = origin + 2^exponents y: from pure numbers q, y to those given, and back.

    Parameters
    ----------
    grid
        As it was given.
    offset, exponent
        What was taken out of Q.
    sense
        Which way is better, and so the sign.

    Attributes
    ----------
    pure
        The grid in pure numbers: its spacings are from 1 to 2.
    """

    def __init__(self, grid: Grid, offset: float = 0.0, exponent: int = 0, sense: Sense = MAXIMISE) -> None:
        self.grid = grid
        self.sense = sense
        self.offset, self.exponent = offset, exponent
        self.origin = np.array([axis.origin for axis in grid])
        self.exponents = np.frexp(np.array(grid.spacing))[1] - 1
        ends = np.array([[axis.lower, axis.upper] for axis in grid]).T
        lower, upper = np.ldexp(ends - self.origin, -self.exponents)
        self.pure = Grid(
            *(
                dataclasses.replace(axis, lower=float(a), upper=float(b), unit="")
                for axis, a, b in zip(grid, lower, upper, strict=True)
            )
        )

    def places(self, positions: Array) -> NDArray[np.float64]:
        """Positions in the units of the axes, shape (..., dimensions)."""
        # the difference of an end and the origin is exact, so that an end is met exactly
        return np.asarray(np.ldexp(positions, self.exponents) + self.origin)

    def pure_places(self, positions: ArrayLike) -> NDArray[np.float64]:
        """The inverse of `places`."""
        return np.asarray(np.ldexp(np.asarray(positions, dtype=np.float64) - self.origin, -self.exponents))

    def lengths(self, sigma: ArrayLike) -> NDArray[np.float64]:
        """Noise per axis in pure numbers, shape (..., dimensions)."""
        return np.asarray(np.ldexp(np.asarray(sigma, dtype=np.float64), -self.exponents))

    def values(self, values: ArrayLike) -> NDArray[np.float64]:
        """Values in the units of Q, with its offset."""
        return np.asarray(self.sense.sign * self.differences(values) + self.offset)

    def differences(self, values: ArrayLike) -> NDArray[np.float64]:
        """By how much values are better than others, in the units of Q."""
        return np.asarray(np.ldexp(np.asarray(values, dtype=np.float64), self.exponent))

    def eigenvalues(self, values: ArrayLike) -> NDArray[np.float64]:
        """Eigenvalues of the Hessian of u in units of max(sigma, h), ascending, in the units of Q."""
        found = self.sense.sign * self.differences(values)
        return np.asarray(found[..., ::-1] if self.sense.minimise else found)

    def pure_values(self, values: ArrayLike) -> NDArray[np.float64]:
        """The inverse of `values`."""
        centred = self.sense.sign * (np.asarray(values, dtype=np.float64) - self.offset)
        return np.asarray(np.ldexp(centred, -self.exponent))


class Problem:
    """An evolution of one landscape in pure numbers.

    Attributes
    ----------
    evolution
        The one that was given.
    units
        What its numbers are measured in.
    landscape, field
        Q in pure numbers, and the solution between its nodes.
    round_off
        What cannot be told from zero.
    box
        The box of the data where the grid is larger, see `heatpg.scalespace.region`; else None.
    """

    def __init__(self, evolution: Evolution) -> None:
        self.evolution = evolution
        self.box = box_of_data(evolution.landscape)
        self._centred = evolution.centred()
        source, values = evolution.landscape, self._centred.landscape.values
        taken = source.centring
        # of the size of one: products of three and more numbers occur, which must not leave the range of a double
        faces = self._centred.landscape.stated_faces
        low, high = values.min(), values.max()
        if faces is not None:
            low, high = extremes(self._centred.landscape)
        for axis in source.grid:
            low, high = axis.rule.extremes_outside(low, high)
        size = float(high) - float(low)
        self._shift = math.frexp(size)[1] - 1 if size > 0 else 0
        exponent = int(taken.exponent.item()) + self._shift
        self.units = units = Units(source.grid, float(taken.offset.item()), exponent, source.sense)

        def in_units(of_q: Array) -> Array:
            return np.asarray(source.sense.sign * np.ldexp(np.asarray(of_q, dtype=np.float64), -self._shift))

        pure = in_units(values)
        self.landscape = Landscape(
            HandedOver(pure),
            units.pure,
            source.name,
            source.provenance,
            faces=changed(faces, in_units),
            sampler=(lambda y: units.pure_values(source.sample(units.places(y)))) if source.has_sampler else None,
        )
        spacing = float(np.spacing(np.abs(source.values).max()))
        self.round_off = RoundOff(
            math.ldexp(size, -self._shift), math.ldexp(spacing, -units.exponent) if size > 0 else 0.0
        )

    @functools.cached_property
    def field(self) -> HeatField:
        """The solution between the nodes and between the levels."""
        evolution = self.evolution
        if evolution.drawn is None:
            return HeatField(self.landscape, many_points=True)
        # of what was drawn u is known at its levels alone
        sigma = np.ldexp(evolution.sigmas[:, 0], -int(self.units.exponents[0]))
        return LevelField(self.landscape, sigma, np.stack([self.values(level) for level in range(len(evolution))]))

    def values(self, level: int) -> NDArray[np.float64]:
        """The field at one level; -1 for Q."""
        if level < 0:
            return self.landscape.values
        # a power of two, by which a product is exact, and several times faster than `ldexp`
        factor = self.units.sense.sign * math.ldexp(1.0, -self._shift)
        return np.asarray(np.multiply(self._centred.values[level], factor, dtype=np.float64))

    def inside(self, positions: Array) -> NDArray[np.bool_]:
        """Whether places, in pure numbers, lie in the box of the data."""
        if self.box is None:
            return np.ones(positions.shape[:-1], dtype=bool)
        return self.box.holds(self.units.places(positions))

    @functools.cached_property
    def nodes_inside(self) -> NDArray[np.bool_]:
        """Which nodes lie in the box of the data, shape of the grid."""
        if self.box is None:
            return np.ones(self.units.grid.shape, dtype=bool)
        return self.box.holds(self.units.grid.nodes()).reshape(self.units.grid.shape)

    def best_node(self, level: int, sign: int = 1) -> tuple[int, ...]:
        """Index of the node in the box of the data with the largest value at a level, by the sign; -1 for Q."""
        values = sign * self.values(level)
        if self.box is not None:
            values = np.where(self.nodes_inside, values, -np.inf)
        return tuple(int(i) for i in np.unravel_index(int(np.argmax(values)), values.shape))

    @functools.cached_property
    def best_place(self) -> tuple[NDArray[np.float64], float]:
        """Where Q is largest in the box of the data, on a node or on a wall where it is stated, and Q there."""
        return best_place(self.landscape, None if self.box is None else self.nodes_inside)

    @property
    def weights(self) -> NDArray[np.float64]:
        """Part of the box of the data that each node stands for."""
        return np.asarray(self._weights / self._weights.sum())

    @property
    def mean(self) -> float:
        """Mean of Q over the box of the data, in pure numbers."""
        weights = self._weights
        return float((self.landscape.values * weights).sum() / weights.sum())

    @property
    def _weights(self) -> NDArray[np.float64]:
        weights = self.units.pure.relative_weights
        return weights if self.box is None else np.asarray(weights * self.nodes_inside)

    @property
    def value_error(self) -> float:
        """By how much `values` of a level may differ from what the solver made, because they were stored compactly."""
        return math.ldexp(self._centred.value_error, -self._shift)

    @property
    def rounding(self) -> float:
        """The relative rounding of a value of the fields."""
        return float(np.finfo(self._centred.values.dtype).eps)


def require_structure(landscape: Landscape) -> float:
    """osc(Q), if it is above round-off.

    Raises
    ------
    UnsupportedError
        For a flat landscape.
    """
    oscillation = variation(landscape)
    if oscillation <= 16.0 * float(np.spacing(np.abs(landscape.values).max())):
        raise UnsupportedError(
            f"landscape {landscape.name!r} is constant to rounding error, so it has no critical points",
            given=f"max - min = {oscillation:g}",
            advice="check the reward, the horizon and the box",
        )
    return oscillation
