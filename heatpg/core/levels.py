"""Splines for fields that are known only at nodes and stored noise levels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.field import HeatField
from heatpg.core.landscape import Landscape
from heatpg.errors import UnsupportedError

__all__ = ["LevelField"]

Array = NDArray[np.float64]

_DEGREE = 5  # in space: fourth derivatives, which folds of critical points take, are continuous
_DEGREE_OF_LEVELS = 3  # in log sigma: u_t is smooth
_WRAPPED = (
    8  # nodes beyond the ends of a periodic axis: what a spline feels of its ends decays by half from node to node
)
_PIECE = 2**22  # numbers that are held at once


class LevelField(HeatField):
    """u at any point and any sigma between the first and the last, for fields that were sampled instead of solved.

    A spline of degree 5 in space interpolates the nodes, one of degree 3 in log sigma the levels. At sigma = 0 it is Q,
    as in `HeatField`.

    Parameters
    ----------
    landscape
        Q in one, two or three dimensions.
    sigma
        Noise levels along the first axis, ascending and above 0, shape (T,).
    values
        The fields, shape (T, *grid.shape).

    Raises
    ------
    UnsupportedError
        For fewer than two levels.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.core.levels import LevelField
    >>> grid = Grid(Axis("x", -2.0, 2.0, 41, boundary="clip"))
    >>> x, sigma = grid[0].coordinates, np.geomspace(0.2, 1.0, 9)
    >>> field = LevelField(Landscape(x**2, grid), sigma, x**2 + sigma[:, None] ** 2)
    >>> field.value([[0.51]], 0.5).round(4), field.rates([[0.51]], 0.5)[0].round(3)
    (array([0.5101]), array([0.5]))
    """

    solves_heat_equation = False

    def __init__(self, landscape: Landscape, sigma: Array, values: Array) -> None:
        from scipy.interpolate import BSpline, make_interp_spline

        super().__init__(landscape)
        if len(sigma) < 2 or sigma[0] <= 0:
            raise UnsupportedError(
                "interpolation in sigma needs at least two noise levels above 0", given=np.asarray(sigma).tolist()
            )
        self._range = float(sigma[0]), float(sigma[-1])
        nodes = [np.log(sigma)]
        # an offset would take digits of all derivatives
        self._offset = float(np.mean(values))
        coefficients: Any = np.asarray(values, dtype=np.float64) - self._offset
        for i, axis in enumerate(self.grid):
            places = np.asarray(axis.coordinates, dtype=np.float64)
            if axis.rule.periodic:
                around = np.arange(-_WRAPPED, axis.size + _WRAPPED)
                coefficients = np.take(coefficients, around, axis=i + 1, mode="wrap")
                places = places[0] + around * axis.spacing
            nodes.append(places)
        self._bases: list[Any] = []
        for i, places in enumerate(nodes):
            degree = min(_DEGREE if i else _DEGREE_OF_LEVELS, len(places) - 1)
            spline = make_interp_spline(places, coefficients, k=degree, axis=i)
            coefficients = np.moveaxis(spline.c, 0, i) if spline.c.shape[0] == len(places) else spline.c
            basis = BSpline(spline.t, np.eye(len(places)), degree)
            self._bases.append(basis)
        self._coefficients: Array = coefficients

    def derivatives(self, points: ArrayLike, sigma: ArrayLike, order: int = 2) -> NDArray[np.float64]:
        """As `HeatField.derivatives`, of the spline."""
        if not np.any(np.asarray(sigma, dtype=np.float64)):
            return super().derivatives(points, sigma, order)
        found = self._evaluate(points, sigma, order, 0)
        value: Any = (..., *(0,) * self.grid.dimensions)
        found[value] += self._offset
        return found

    def rates(self, points: ArrayLike, sigma: ArrayLike, order: int = 0) -> tuple[NDArray[np.float64], ...]:
        """sigma d/dsigma of value, gradient and Hessian, up to an order; of all axes together.

        Parameters
        ----------
        points, sigma, order
            As for `derivatives`.
        """
        return self.local(self._evaluate(points, sigma, order, 1))

    def moving(
        self, points: Array, times: Array, ratio: Array, order: int
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """As `HeatField.moving`; d/dt is that of the spline."""
        sigma = np.sqrt(times)[:, None] * ratio
        rates = self.rates(points, sigma, order)
        # sigma goes like the root of t
        each = tuple(rate / (2.0 * times.reshape(-1, *((1,) * (rate.ndim - 1)))) for rate in rates)
        return self.local(self.derivatives(points, sigma, max(2, order + 1))), each

    def _evaluate(self, points: ArrayLike, sigma: ArrayLike, order: int, of_levels: int) -> Array:
        places, deviations = self._parse(points, sigma)
        level = np.log(np.clip(deviations[:, 0], *self._range))
        axes, orders = self.grid.dimensions, order + 1
        result = np.zeros((len(places), *((orders,) * axes)))
        step = max(1, _PIECE // max(1, self._coefficients[0].size))
        for begin in range(0, len(places), step):
            part = slice(begin, begin + step)
            count = len(level[part])
            # levels first, then one axis after the other, each of which leaves its orders at the end
            field = np.tensordot(self._bases[0](level[part], nu=of_levels), self._coefficients, axes=(1, 0))
            for i in range(axes):
                weights = np.stack([self._bases[i + 1](places[part, i], nu=m) for m in range(orders)], axis=-1)
                flat = field.reshape(count, field.shape[1], -1)
                rest = field.shape[2:]
                field = np.einsum("pnr,pnm->prm", flat, weights).reshape(count, *rest, orders)
            result[part] = field
        index = np.indices(result.shape[1:]).sum(axis=0)
        result[:, index > order] = 0.0
        return result
