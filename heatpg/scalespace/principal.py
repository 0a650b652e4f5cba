"""Landscapes along the principal axes of a covariance, where correlated noise has one sigma per axis.

Tracks and prices run along sigma on the axes of a grid. Noise of covariance s^2 Sigma becomes such noise after a turn:
with D the standard deviations and D^-1 Sigma D^-1 = W diag(lambda) W^T, x = D W y has independent noise of variances
s^2 lambda along y, in units of which no axis of x has another.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.faces import require_extrapolated
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.core.noise import parse_covariance
from heatpg.errors import SigmaError, UnsupportedError
from heatpg.evolution import Evolution
from heatpg.policy.source import ActionValue
from heatpg.tools.calls import checked_call
from heatpg.tools.resources import require_memory

__all__ = ["PrincipalAxes", "one_covariance", "principal_axes"]

Array = NDArray[np.float64]

_FIRST_CELLS, _LAST_SHARE = 2.0, 0.5  # according to `default_sigma`
_ROUNDING = 1e-12  # of a covariance: rounding in levels that a caller has scaled
_FINER = 1.5  # nodes along each turned axis, of the most along an own one: a turned square is wider by sqrt(2)


@dataclasses.dataclass(frozen=True, eq=False)
class PrincipalAxes:
    """A landscape along the principal axes of a covariance, along which the noise is independent.

    Attributes
    ----------
    landscape
        Landscape along the principal axes; unchanged if the covariance is diagonal.
    deviations
        Standard deviation along each axis under the covariance itself, shape (d,).
    basis
        What one unit along each axis is in the original coordinates, as columns, shape (d, d); None if they are the
        original axes.
    names
        Names of the original axes.
    errors_left_out
        Whether the original landscape has standard errors that this one has not: those of nodes between others would
        not be independent.
    """

    landscape: Landscape
    deviations: Array
    basis: Array | None
    names: tuple[str, ...]
    errors_left_out: bool = False

    def levels(self, count: int = 64) -> Array:
        """Sigmas in the proportion of the covariance, from two grid spacings to half of the box, shape (count, d).

        Raises
        ------
        SigmaError
            If the grid is too coarse for that range.
        """
        grid = self.landscape.grid
        lengths, spacing = np.array([axis.length for axis in grid]), np.array(grid.spacing)
        first = _FIRST_CELLS * float((spacing / self.deviations).max())
        last = _LAST_SHARE * float((lengths / self.deviations).min())
        if not last > 2 * first:
            raise SigmaError(
                "the grid is too coarse for a study of this covariance",
                given=f"standard deviations {', '.join(f'{s:.3g}' for s in self.deviations)}, shape {grid.shape}",
                advice="sample more nodes along the axis with the smallest noise",
            )
        return np.geomspace(first, last, count)[:, None] * self.deviations

    @property
    def words(self) -> str:
        """A description of the axes, and the sigma that corresponds to the covariance."""
        own = float(self.deviations.max())
        given = f"The given covariance corresponds to sigma = {own:.5g} along the axis with the largest noise"
        if self.basis is None:
            return f"{given}; other noise levels are multiples of it."
        axes = ", ".join(
            f"{axis.name} = 1 is {' '.join(f'{x:+.3g} {name}' for x, name in zip(column, self.names, strict=True))}"
            for axis, column in zip(self.landscape.grid, self.basis.T, strict=True)
        )
        lost = (
            " The standard errors of Q are left out; evolve(q, covariance=...).standard_error has those of u."
            if self.errors_left_out
            else ""
        )
        return f"{given}. The axes are its principal axes: {axes}.{lost}"


@checked_call()
def principal_axes(landscape: Landscape, covariance: ArrayLike) -> PrincipalAxes:
    """The landscape along the principal axes of a covariance.

    Parameters
    ----------
    landscape
        Landscape without batch axes; with a non-diagonal covariance, in free space along every axis.
    covariance
        Shape (d, d), in the order and the units of the axes.

    Raises
    ------
    SigmaError
        For an invalid covariance, or several.
    UnsupportedError
        For a full covariance with an axis that is not in free space.
    ResourceError
        If the rotated grid exceeds the available memory.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.scalespace.principal import principal_axes
    >>> grid = Grid(Axis("x", -1.0, 1.0, 21, boundary="clip"), Axis("y", -1.0, 1.0, 21, boundary="clip"))
    >>> hill = Landscape.from_function(lambda x, y: -(x**2) - y**2, grid)
    >>> found = principal_axes(hill, [[1.0, 0.6], [0.6, 1.0]])
    >>> np.sqrt(found.deviations**2).round(4), found.landscape.grid.axes[1].name
    (array([0.6325, 1.2649]), 'principal_2')
    """
    grid = landscape.grid
    matrices = parse_covariance(covariance, grid)
    if len(matrices) > 1:
        raise SigmaError(
            "principal_axes() needs a single covariance",
            given=f"{len(matrices)}",
            advice="pass one matrix; multiples of it are added automatically",
        )
    sigma, names = matrices[0], tuple(axis.name for axis in grid)
    spread = np.sqrt(np.diagonal(sigma))
    if np.array_equal(sigma, np.diag(np.diagonal(sigma))):
        return PrincipalAxes(landscape, spread, None, names)
    require_extrapolated(landscape.stated_faces, "correlated noise")
    held = [axis for axis in grid if not axis.rule.free_space]
    if held:
        raise UnsupportedError(
            "principal axes of a full covariance need free space along every axis",
            given=f"boundary={held[0].boundary!r} on {held[0].name!r}",
            allowed="clip, zero",
            advice="use evolve(landscape, covariance=...), which supports periodic axes",
        )
    variances, turn = np.linalg.eigh(sigma / np.outer(spread, spread))
    # signs are left open, and must not change between machines: the largest part of each is positive
    turn = turn * np.where(turn[np.abs(turn).argmax(axis=0), np.arange(len(turn))] < 0, -1.0, 1.0)
    basis = spread[:, None] * turn
    lower, upper = np.array([axis.lower for axis in grid]), np.array([axis.upper for axis in grid])
    middle = 0.5 * (lower + upper)
    # the turned box holds the whole of the box: half the sum of its sides along each new axis
    inverse = np.linalg.inv(basis)
    centre, reach = inverse @ middle, np.abs(inverse) @ (0.5 * (upper - lower))
    size = math.ceil(_FINER * max(grid.shape))
    fields = grid.dimensions + 2 + (0 if landscape.returns is None else len(landscape.returns))
    require_memory(size**grid.dimensions * 8 * fields, "the rotated landscape", "use a coarser grid")
    turned = Grid(
        *(
            Axis(f"principal_{i + 1}", float(c - r), float(c + r), size, boundary="clip")
            for i, (c, r) in enumerate(zip(centre, reach, strict=True))
        )
    )
    between = landscape.sample if landscape.has_sampler else ActionValue(landscape).value

    def read(function: Callable[[Array], Array], points: Array) -> Array:
        places = points @ basis.T
        inside = np.clip(places, lower, upper)
        found = np.asarray(function(inside), dtype=np.float64)
        # beyond the box Q is what its boundary says
        ends = np.array([axis.boundary == "zero" for axis in grid])
        return np.where(((places != inside) & ends).any(axis=1), 0.0, found)

    def value(points: Array) -> Array:
        return read(between, points)

    provenance = {
        "source": "principal axes",
        "parameters": landscape.provenance.get("parameters", {}),
        # beyond it nothing is known of Q
        "box": {"lower": lower.tolist(), "upper": upper.tolist(), "basis": basis.tolist()},
    }
    nodes = turned.nodes()
    values, seeds = value(nodes).reshape(turned.shape), None
    if landscape.returns is not None:
        # what a seed adds to the mean is known at the nodes alone
        added = (ActionValue(Landscape(one - landscape.values, grid)).value for one in landscape.returns)
        seeds = np.stack([values + read(function, nodes).reshape(turned.shape) for function in added])
    found = Landscape(
        values if seeds is None else None,
        turned,
        f"{landscape.name}, along principal axes",
        provenance,
        sampler=value if landscape.has_sampler else None,
        returns=seeds,
        minimise=landscape.minimise,
    )
    lost = landscape.returns is None and landscape.standard_error is not None
    return PrincipalAxes(found, np.sqrt(variances), basis, names, lost)


def one_covariance(source: Evolution) -> tuple[Array | None, Array | None]:
    """The last covariance of correlated noise, of which the others are multiples, and the roots of these."""
    given = source.covariance
    if given is None:
        return None, None
    last, variances = given[-1], np.trace(given, axis1=1, axis2=2)
    # growing as the levels of an evolution do
    squares = variances / (variances[-1] or 1.0)
    apart = np.abs(given - squares[:, None, None] * last).max(axis=(1, 2))
    if apart.max() > _ROUNDING * np.abs(last).max():
        raise UnsupportedError(
            "the covariances of this evolution are not multiples of a single one, so it has no tracks along sigma",
            given=f"covariances from {given[0].tolist()} to {last.tolist()}",
            allowed="multiples of one covariance",
            advice="study(landscape, covariance=...) with one of them",
        )
    return last, np.sqrt(squares)
