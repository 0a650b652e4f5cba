"""u and its derivatives at any point and any sigma, computed directly from Q."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.boundaries import face_values
from heatpg.core.faces import Layered
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.core.nodal_sums import NodalSums, NodeLine
from heatpg.core.point_weights import RESOLVED
from heatpg.core.wall_flow import wall_flow
from heatpg.errors import GridError, NonFiniteError, OptionError, SigmaError, UnsupportedError
from heatpg.tools.arrays import real_numbers

__all__ = ["RESOLVED", "HeatField"]

Array = NDArray[Any]

_MOST_ORDERS = 5  # 0 to 4: what following a fold of critical points takes


@functools.cache
def _places_of_derivatives(dimensions: int, orders: int) -> tuple[Array, ...]:
    """Where, among all mixed derivatives in a row, the entries of each full symmetric array are."""
    tables = []
    for order in range(orders):
        axes = np.indices((dimensions,) * order).reshape(order, dimensions**order)
        counts = [(axes == i).sum(axis=0) for i in range(dimensions)]
        tables.append(np.ravel_multi_index(counts, (orders,) * dimensions).reshape((dimensions,) * order))
    return tuple(tables)


def _field_of_wall(values: Array, axes: Sequence[Axis], later: Sequence[int], many_points: bool) -> HeatField | float:
    """What a wall says, as a field along the other axes; along some of them with their own walls around it."""
    if not axes:
        return float(values)
    if not later:
        return HeatField(Landscape(values, Grid(*axes)), many_points=many_points)
    faces = Layered(values, later, len(axes))
    return HeatField(Landscape(faces.inside, Grid(*axes), faces=faces), many_points=many_points)


class HeatField:
    """The solution of u_t = 1/2 Laplace(u) and its derivatives at any point and any sigma, computed directly from Q.

    u^(m)(x, sigma) = h sum_i phi_sigma^(m)(x - x_i) Q_i along each axis, over the nodes and their continuation under
    the boundary condition. For sigma >= 1.5 h this solves the heat equation in (x, t) exactly, with the sampled comb as
    initial value. Below that a polynomial of degree 7 interpolates the nodes, with the weights of the solver
    ``direct``.

    Parameters
    ----------
    landscape
        Q in one, two or three dimensions, without batch axes.
    many_points
        Whether many points will be asked for. What noise smooths of Q is then computed first, on coarser nodes, once
        for each quarter of an octave of sigma; u and its derivatives are the same to round-off, see
        `heatpg.core.nodal_sums`.

    Raises
    ------
    UnsupportedError
        For batch axes, and beyond three dimensions.

    Notes
    -----
    Compared with the convolution of the sampled function, the error is that of the trapezoid rule: spectral for smooth
    Q, second order across jumps; at the edges that of the solvers, see `heatpg.core.kinks`. At sigma = 0 on an axis the
    interpolant is of order 8 for smooth Q and may overshoot next to jumps. The cost of a point is proportional to the
    number of nodes within 9 sigma, at most those of the box; with `many_points` it is that of some forty nodes an axis.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.core.field import HeatField
    >>> grid = Grid(Axis("x", -8.0, 8.0, 161, boundary="clip"))
    >>> field = HeatField(Landscape.from_function(lambda x: np.exp(-(x**2) / 2), grid))
    >>> field.value([[0.0]], 1.0).round(12)  # a Gaussian of width 1 after sigma = 1
    array([0.70710678])
    >>> field.hessian([[0.0]], 1.0).round(12)
    array([[[-0.35355339]]])
    """

    # so that no maximum rises with sigma
    solves_heat_equation = True

    def __init__(self, landscape: Landscape, *, many_points: bool = False) -> None:
        grid = landscape.grid
        if landscape.batch_shape:
            raise UnsupportedError(
                "HeatField needs a single landscape, without batch axes",
                given=f"batch axes {landscape.batch_shape}",
                advice="select one: Landscape(landscape.values[0], landscape.grid)",
            )
        if grid.dimensions > 3:
            raise UnsupportedError(
                "positions between nodes and critical points are available for at most 3 axes",
                given=f"{grid.dimensions} axes",
                advice="use heatpg.quadrature.mollify with a callable of up to 20 variables",
            )
        self.landscape = landscape
        self.grid: Grid = grid
        self._taken = landscape.centring
        values = np.asarray(self._taken.remove(landscape.values), dtype=np.float64)
        # far from 0 the distance of a place from each node would be rounded differently
        self._origin = np.array([axis.origin for axis in grid])
        self._many_points = many_points
        self._walls = self._of_walls(values)
        for position, axis in enumerate(grid):
            if axis.faced:
                values = np.concatenate((values, *face_values(values, position)), axis=position)
        self._sums = NodalSums(values, [NodeLine.of(axis) for axis in grid])

    def __repr__(self) -> str:
        return f"<HeatField of {self.landscape!r}>"

    def _of_walls(self, values: NDArray[np.float64]) -> list[tuple[int, list[HeatField | float]]]:
        """By axis with stated walls, what these say beyond the cells: a field of the other axes, or a number."""
        faces = self.landscape.stated_faces
        if faces is None:
            return []
        whole = faces.mapped(lambda side: np.asarray(self._taken.remove(side), dtype=np.float64)).layered(values)
        result: list[tuple[int, list[HeatField | float]]] = []
        for number, position in enumerate(faces.positions):
            last = whole.shape[position] - 1
            cells = np.take(whole, range(1, last), axis=position)
            walls = (np.take(whole, [end], axis=position) for end in (0, last))
            excess = [
                np.squeeze(wall - found, position)
                for wall, found in zip(walls, face_values(cells, position), strict=True)
            ]
            # the walls of the axes that are still to come lie around it
            later = [other - (other > position) for other in faces.positions[number + 1 :]]
            others = [axis for i, axis in enumerate(self.grid) if i != position]
            result.append((position, [_field_of_wall(one, others, later, self._many_points) for one in excess]))
            whole = cells
        return result

    def _add_walls(self, result: Array, points: Array, places: Array, deviations: Array, order: int) -> None:
        """Add to derivatives what stated walls say beyond the cells, under the continuous flow."""
        if not self._walls:
            return
        d, orders = self.grid.dimensions, order + 1
        totals = np.indices((orders,) * d).sum(axis=0) <= order
        target = result.reshape((len(points), *((orders,) * d)))
        for position, fields in self._walls:
            distance = places[:, position] - self._sums.lines[position].walls[0]
            columns = wall_flow(self.grid[position], distance, deviations[:, position], order)
            for column, field in zip(columns, fields, strict=True):
                if isinstance(field, float):
                    rest = np.full((len(points),), field)
                else:
                    beside = np.delete(points, position, axis=1), np.delete(deviations, position, axis=1)
                    rest = field.derivatives(*beside, order)
                rest = np.expand_dims(rest, position + 1)
                shape = [len(points), *(orders if i == position else 1 for i in range(d))]
                target += np.where(totals, column.reshape(shape) * rest, 0.0)

    def resolved(self, sigma: ArrayLike) -> bool:
        """Whether sigma is 0 or at least 1.5 spacings along every axis, and not 0 along all.

        Examples
        --------
        >>> from heatpg import Landscape
        >>> from heatpg.core.field import HeatField
        >>> field = HeatField(Landscape.from_array([0.0, 1.0, 0.0, 0.0], boundary="periodic"))
        >>> field.resolved(2.0), field.resolved(1.0)
        (True, False)
        """
        cells = np.broadcast_to(real_numbers("sigma", sigma, SigmaError), (self.grid.dimensions,)) / self.grid.spacing
        return bool(((cells >= RESOLVED) | (cells == 0)).all() and (cells > 0).any())

    def _parse(self, points: ArrayLike, sigma: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        d = self.grid.dimensions
        # a copy, because places around a period are brought into the box
        places = np.array(real_numbers("points", points, GridError))
        deviations = real_numbers("sigma", sigma, SigmaError)
        if places.ndim != 2 or places.shape[1] != d:
            raise GridError("points have the wrong shape", given=f"shape {places.shape}", allowed=f"(points, {d})")
        if not np.isfinite(places).all():
            raise NonFiniteError("points must be finite", given=places[~np.isfinite(places).all(axis=1)][0])
        try:
            deviations = np.broadcast_to(deviations, places.shape)
        except ValueError:
            raise SigmaError(
                "sigma has the wrong shape for the points",
                given=f"shape {deviations.shape}",
                allowed=f"a number, ({d},), (points, 1) or (points, {d})",
            ) from None
        if not np.isfinite(deviations).all() or (deviations < 0).any():
            raise SigmaError("sigma must be finite and not negative", given=sigma, allowed="numbers >= 0")
        for i, axis in enumerate(self.grid):
            if axis.rule.periodic:
                places[:, i] = axis.lower + np.mod(places[:, i] - axis.lower, axis.length)
            elif not axis.rule.free_space:
                bad = (places[:, i] < axis.lower - axis.length) | (places[:, i] > axis.upper + axis.length)
                if bad.any():
                    raise GridError(
                        f"a point lies outside the box along axis {axis.name!r}; boundary {axis.boundary!r} has no "
                        f"values there",
                        given=places[bad][0],
                        allowed=f"{axis.lower:g} to {axis.upper:g}",
                    )
        return places, np.ascontiguousarray(deviations)

    def derivatives(self, points: ArrayLike, sigma: ArrayLike, order: int = 2) -> NDArray[np.float64]:
        """All mixed derivatives up to a total order.

        Parameters
        ----------
        points
            Shape (points, dimensions), in the units of the axes. Outside the box only in free space.
        sigma
            A number, one per axis (dimensions,), or one per point, (points, 1) or (points, dimensions).
        order
            Highest total order, 0 to 4.

        Returns
        -------
        derivatives
            Shape (points, order + 1, ..., order + 1): entry [p, a, b] is d^(a+b) u / dx1^a dx2^b; 0 beyond the order.

        Raises
        ------
        GridError, SigmaError
            For points or sigmas of the wrong shape or range.
        NonFiniteError
            For points that are not finite.
        OptionError
            For an order out of range.
        """
        if not isinstance(order, int) or not 0 <= order < _MOST_ORDERS:
            raise OptionError("order of derivatives is out of range", given=order, allowed="0 to 4")
        given, deviations = self._parse(points, sigma)
        places = given - self._origin
        d, orders = self.grid.dimensions, order + 1
        if not len(places):
            return np.zeros((0, *((orders,) * d)))
        result = (self._sums.by_steps if self._many_points else self._sums.derivatives)(places, deviations, orders)
        self._add_walls(result, given, places, deviations, order)
        if not self._taken.trivial:
            np.ldexp(result, int(self._taken.exponent.item()), out=result)
            value: Any = (..., *(0,) * d)
            result[value] += self._taken.offset.item()  # of derivatives there is nothing to put back
        return result

    def value(self, points: ArrayLike, sigma: ArrayLike) -> NDArray[np.float64]:
        """u at the points, shape (points,); parameters as for `derivatives`."""
        return self.derivatives(points, sigma, 0).reshape(-1)

    def gradient(self, points: ArrayLike, sigma: ArrayLike) -> NDArray[np.float64]:
        """The gradient of u, which is the policy gradient in mu, shape (points, dimensions)."""
        return self.local(self.derivatives(points, sigma, 1))[1]

    def hessian(self, points: ArrayLike, sigma: ArrayLike) -> NDArray[np.float64]:
        """Second derivatives of u, shape (points, dimensions, dimensions)."""
        return self.local(self.derivatives(points, sigma, 2))[2]

    def moving(
        self, points: Array, times: Array, ratio: Array, order: int
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Derivatives by x up to one order more, or higher, and d/dt of those up to an order, sigma = ratio sqrt(t).

        By the heat equation a derivative by t is half the Laplacian, two more by x.

        Parameters
        ----------
        points, times
            Where, shapes (points, dimensions) and (points,).
        ratio
            Noise per axis over the largest of them, shape (dimensions,).
        order
            0 to 2.
        """
        local = self.local(self.derivatives(points, np.sqrt(times)[:, None] * ratio, order + 2))
        rules = ("pii,i->p", "pijj,j->pi", "pijkk,k->pij")
        share = 0.5 * ratio**2
        return local, tuple(np.einsum(rules[n], local[n + 2], share) for n in range(order + 1))

    def local(self, derivatives: Array) -> tuple[Array, ...]:
        """Value, gradient, Hessian, third and fourth derivatives as full symmetric arrays, up to the available order.

        Parameters
        ----------
        derivatives
            What `derivatives` returned.

        Returns
        -------
        arrays
            Shapes (points,), (points, d), (points, d, d), ...

        Examples
        --------
        >>> import numpy as np
        >>> from heatpg import Axis, Grid, Landscape
        >>> from heatpg.core.field import HeatField
        >>> grid = Grid(*(Axis(name, -3.0, 3.0, 31, boundary="clip") for name in "xy"))
        >>> field = HeatField(Landscape.from_function(lambda x, y: x * y, grid))
        >>> value, gradient, hessian = field.local(field.derivatives([[0.5, 0.25]], 0.0, 2))
        >>> value.round(12), gradient.round(12) + 0.0, hessian.round(10) + 0.0
        (array([0.125]), array([[0.25, 0.5 ]]), array([[[0., 1.],
                [1., 0.]]]))
        """
        orders = derivatives.shape[1]
        flat = derivatives.reshape(len(derivatives), orders**self.grid.dimensions)
        return tuple(flat[:, table] for table in _places_of_derivatives(self.grid.dimensions, orders))
