"""Critical points of u(., sigma): maxima, minima and saddles, to sub-grid accuracy.

The nodes of the solved field give starting points; Newton's method on the exact field between them locates the critical
points. Lengths are measured in max(sigma, h), over which u can change: derivatives taken in that unit are of the size
of Q, and one threshold serves for all sigmas. All is in the pure numbers of `heatpg.scalespace.units`, but for what
`critical_points` takes and returns.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.extrema import local_maxima
from heatpg.core.field import HeatField
from heatpg.core.grid import Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import UnknownNameError
from heatpg.evolution import Evolution, solve
from heatpg.scalespace.approaching import COARSEST, FINEST, approach
from heatpg.scalespace.places import distinct, held_axes, unit_of_length, wrap
from heatpg.scalespace.refining import refine
from heatpg.scalespace.units import Problem, RoundOff, Units, require_structure
from heatpg.tools.calls import checked_call
from heatpg.tools.kernels import kernel

__all__ = ["KINDS", "CriticalPoints", "critical_points"]

Array = NDArray[Any]

KINDS = ("maximum", "minimum", "saddle")
NAMES = {1: "maximum", -1: "minimum", 0: "saddle"}

_SLACK = 1e-9  # of the box: an edge that is overstepped by rounding
# Where to look: tuned together, so that no more is missed than the notes of `critical_points` say.
_COARSE = 3.0  # spacings: below such a sigma two points may lie in one cell
_NEARBY = 1.5  # cells from the middle of a cell to a zero of its linear gradient that is worth a start
_SINGULAR = 0.1  # of the largest eigenvalue: what the Hessian of a cell is known to
_WEAK = 0.15  # smallest eigenvalue over the largest: another critical point is near
_PROBES = (0.05, 0.15, 0.4)  # distances at which it is looked for


@dataclasses.dataclass(frozen=True, eq=False)
class CriticalPoints:
    """Critical points of one field.

    Attributes
    ----------
    sigma
        Noise per axis, shape (dimensions,).
    positions
        Shape (points, dimensions).
    values
        u at the points, shape (points,).
    kind
        1 for a maximum, -1 for a minimum, 0 for a saddle, shape (points,).
    index
        Number of directions in which u falls (the Morse index): 0 at a minimum, `dimensions` at a maximum. Of a point
        on the edge of the box only the directions along the edge count.
    free
        False along an axis on whose edge the point lies because u keeps increasing (for a minimum, decreasing) across
        it, shape (points, dimensions).
    eigenvalues
        Of the Hessian in units of max(sigma, h) per axis, ascending, shape (points, dimensions); 0 along held axes.
    """

    sigma: NDArray[np.float64]
    positions: NDArray[np.float64]
    values: NDArray[np.float64]
    kind: NDArray[np.int64]
    index: NDArray[np.int64]
    free: NDArray[np.bool_]
    eigenvalues: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def on_edge(self) -> NDArray[np.bool_]:
        """Whether a point lies on the edge of the box, shape (points,)."""
        return np.asarray(~self.free.all(axis=1))

    @property
    def kinds(self) -> list[str]:
        """``maximum``, ``minimum`` or ``saddle`` for each point."""
        return [NAMES[code] for code in self.kind.tolist()]

    def select(self, chosen: Array) -> CriticalPoints:
        """A subset of the points, by a mask or by indices."""
        parts = {f.name: getattr(self, f.name)[chosen] for f in dataclasses.fields(self) if f.name != "sigma"}
        return CriticalPoints(self.sigma, **parts)

    def joined(self, others: CriticalPoints) -> CriticalPoints:
        """These points and others of the same sigma."""
        names = [f.name for f in dataclasses.fields(self) if f.name != "sigma"]
        parts = {name: np.concatenate((getattr(self, name), getattr(others, name))) for name in names}
        return CriticalPoints(self.sigma, **parts)

    def measured(self, units: Units, sigma: NDArray[np.float64]) -> CriticalPoints:
        """These points out of pure numbers, with the sigmas that they were asked for at."""
        minimise = units.sense.minimise
        return dataclasses.replace(
            self,
            sigma=sigma,
            positions=units.places(self.positions),
            values=units.values(self.values),
            kind=-self.kind if minimise else self.kind,
            # a direction in which u falls is one in which -u rises
            index=self.free.sum(axis=1) - self.index if minimise else self.index,
            eigenvalues=units.eigenvalues(self.eigenvalues),
        )


@kernel
def _cells_with_zero(gradient: Array, shape: Array, periodic: Array, reach: int, threshold: Array) -> Array:
    """Lowest corner of cells over whose corners, and those `reach` cells around, every component changes sign."""
    # gradient[a, p] is component a at node p; `place` are the coordinates of p, counted up like a mileage counter
    d = gradient.shape[0]
    total = gradient.shape[1]
    side = 2 + 2 * reach
    block = side**d
    found = np.empty(1024, dtype=np.int64)
    count = 0
    place = np.zeros(d, dtype=np.int64)
    corners = np.zeros((block, d), dtype=np.int64)
    ahead = np.zeros(block, dtype=np.int64)
    for k in range(block):
        rest = k
        for b in range(d - 1, -1, -1):
            corners[k, b] = rest % side - reach
            rest //= side
        for b in range(d):
            ahead[k] = ahead[k] * shape[b] + corners[k, b]
    # `ahead` is the distance of each corner in flat indices, where none of them wraps around or lies beyond the box
    for p in range(total):
        inside = True
        simple = True
        for a in range(d):
            if place[a] == shape[a] - 1 and not periodic[a]:
                inside = False
            if place[a] < reach or place[a] + reach + 1 >= shape[a]:
                simple = False
        both = inside
        if both:
            for a in range(d):
                low, high = np.inf, -np.inf
                for k in range(block):
                    q = p + ahead[k]
                    if not simple:
                        q = 0
                        for b in range(d):
                            c = place[b] + corners[k, b]
                            c = c % shape[b] if periodic[b] else min(max(c, 0), shape[b] - 1)
                            q = q * shape[b] + c
                    low = min(low, gradient[a, q])
                    high = max(high, gradient[a, q])
                # no change of sign, or one that is rounding on a flat stretch
                if low > 0.0 or high < 0.0 or high - low <= threshold[a]:
                    both = False
                    break
        if both:
            if count == found.shape[0]:
                more = np.empty(2 * count, dtype=np.int64)
                for i in range(count):
                    more[i] = found[i]
                found = more
            found[count] = p
            count += 1
        for a in range(d - 1, -1, -1):
            place[a] += 1
            if place[a] < shape[a]:
                break
            place[a] = 0
    return found[:count].copy()


def _slopes(values: Array, grid: Grid) -> NDArray[np.float64]:
    """Differences of sixth order along each axis, shape (dimensions, nodes): where to look, not what to find."""
    result = np.empty((grid.dimensions, values.size))
    for i, axis in enumerate(grid):
        width = [(0, 0)] * grid.dimensions
        width[i] = (3, 3)
        if axis.rule.periodic:
            line = np.pad(values, width, mode="wrap")
        elif axis.rule.conserves_mass:
            line = np.pad(values, width, mode="symmetric" if axis.nodes == "cell" else "reflect")
        else:  # straight on beyond the edge
            line = np.pad(values, width, mode="reflect", reflect_type="odd")
        # u' = (45 (u_1 - u_-1) - 9 (u_2 - u_-2) + (u_3 - u_-3)) / 60 h
        parts = [np.moveaxis(line, i, 0)[k : k + axis.size] for k in range(7)]
        slope = 45.0 * (parts[4] - parts[2]) - 9.0 * (parts[5] - parts[1]) + (parts[6] - parts[0])
        result[i] = np.moveaxis(slope, 0, i).reshape(-1) / (60.0 * axis.spacing)
    return result


def _coordinates(grid: Grid, flat: NDArray[np.int64]) -> NDArray[np.float64]:
    index = np.unravel_index(flat, grid.shape)
    return np.stack([axis.coordinates[i] for axis, i in zip(grid, index, strict=True)], axis=1)


def _starts(values: Array, grid: Grid, noise: Array, reach: int) -> Array:
    """Where u seems to be stationary: cells in which the gradient, linear between its corners, has a zero nearby."""
    d = grid.dimensions
    slopes = _slopes(values, grid).reshape(d, *grid.shape)
    # of cells the edge is half a cell further out than the last node
    beyond = [int(axis.nodes == "cell" and not axis.rule.periodic) for axis in grid]
    for i, axis in enumerate(grid):
        if beyond[i]:
            width = [(0, 0)] + [(1, 1) if k == i else (0, 0) for k in range(d)]
            slopes = np.pad(slopes, width, mode="symmetric" if axis.rule.conserves_mass else "edge")
            if axis.rule.conserves_mass:
                ends = np.moveaxis(slopes[i], i, 0)
                ends[[0, -1]] *= -1.0
    shape = np.array(slopes.shape[1:], dtype=np.int64)
    slopes = np.ascontiguousarray(slopes).reshape(d, -1)
    corners = np.array(list(itertools.product((0, 1), repeat=d)), dtype=np.int64)
    cells = _cells_with_zero(slopes, shape, np.array([axis.rule.periodic for axis in grid]), reach, noise)
    place = np.stack(np.unravel_index(cells, tuple(shape)), axis=1)
    around = np.ravel_multi_index(tuple(np.moveaxis((place[:, None] + corners) % shape, -1, 0)), tuple(shape))
    gradient = slopes[:, around]
    # The linear gradient that fits the corners of a cell best, in units of the cell: its mean, and as its slopes (the
    # Hessian) the differences of opposite faces, the mean over the corners of 4 (c - 1/2) g with c = 0 or 1.
    spacing = np.array(grid.spacing)
    hessian = np.einsum("ipk,kj->pij", gradient, 4.0 * (corners - 0.5) / 2**d) * spacing[:, None]
    lam, basis = np.linalg.eigh(0.5 * (hessian + hessian.swapaxes(1, 2)))
    along = np.einsum("pij,ip->pj", basis, gradient.mean(axis=2) * spacing[:, None])
    # the Hessian varies within the cell, so a small eigenvalue does not tell how far away the zero is
    least = _SINGULAR * np.abs(lam).max(axis=1, keepdims=True)
    step = -along / np.copysign(np.maximum(np.maximum(np.abs(lam), least), 1e-300), lam)
    # cells along a ridge see both signs too, but the zero that they point to is far away
    near = np.flatnonzero((np.abs(step) <= _NEARBY).all(axis=1))
    offset = np.einsum("pij,pj->pi", basis[near], step[near])
    first = np.array([axis.coordinates[0] for axis in grid])
    index = place[near] - np.array(beyond) + 0.5 + np.clip(offset, -1.0, 1.0)
    return np.asarray(first + index * spacing)


def _starts_on_strata(values: Array, grid: Grid, noise: Array, reach: int) -> tuple[list[Array], list[Array]]:
    """Where u seems to be stationary in the box, and along those faces, edges and corners of it that hold extrema.

    Returns places and free axes, one entry per stratum.
    """
    # A stratum is a choice, for each axis that can hold, of inside, lower or upper edge: 3^d of them for a clipped box.
    # Along it u is a landscape of fewer dimensions, of which the same cells are looked through.
    places, masks = [], []
    for sides in itertools.product(*(("", "lower", "upper") if hold else ("",) for hold in held_axes(grid))):
        free = np.array([not side for side in sides])
        inner = [axis for axis, side in zip(grid, sides, strict=True) if not side]
        cut: list[Any] = [{"": slice(None), "lower": 0, "upper": -1}[side] for side in sides]
        starts = _starts(values[tuple(cut)], Grid(*inner), noise[free], reach) if inner else np.zeros((1, 0))
        place = np.empty((len(starts), grid.dimensions))
        place[:, free] = starts
        for i, (axis, side) in enumerate(zip(grid, sides, strict=True)):
            if side:
                place[:, i] = axis.lower if side == "lower" else axis.upper
        places.append(place)
        masks.append(np.broadcast_to(free, place.shape))
    return places, masks


def find(
    field: HeatField, sigma: Array, values: Array, kinds: Sequence[str], round_off: RoundOff, *, thorough: bool = True
) -> CriticalPoints:
    """All critical points of these kinds: starts from the nodes of the solved field, then Newton's method.

    Extrema start at the local extrema of the nodes, and all kinds in the cells over whose corners every component of
    the gradient takes both signs. On an edge that u passes rising a maximum is held, and a minimum on one that it
    passes falling: they are looked for along the faces, the edges and the corners of the box as well. A thorough
    search looks around each cell where structure is not much wider than one; without it about one of 200 is missed.
    """
    grid = field.grid
    unit = unit_of_length(grid, sigma)
    values = np.asarray(values, dtype=np.float64)
    noise = round_off.slope / unit
    low, high = (np.array([getattr(axis, end) for axis in grid]) for end in ("lower", "upper"))
    can_hold = held_axes(grid)
    # close pairs within a cell do not show at its corners, but at those around it
    narrow = bool((sigma < _COARSE * np.array(grid.spacing)).any())
    starts, masks = _starts_on_strata(values, grid, noise, int(thorough and narrow))
    aims = [np.zeros(len(start), dtype=np.int64) for start in starts]
    # where nodes differ by rounding, a start at each top of it would be too many
    tolerance = max(8.0 * np.finfo(np.float64).eps * float(np.abs(values).max()), round_off.data)
    for kind, sign in (("maximum", 1), ("minimum", -1)):
        if kind in kinds:
            nodes = local_maxima(sign * values, grid, tolerance)
            if not len(nodes):
                continue
            place = _coordinates(grid, nodes)
            index = np.stack(np.unravel_index(nodes, grid.shape), axis=1)
            # of cells the edge is half a cell further out than the last node
            place = np.where(can_hold & (index == 0), low, place)
            place = np.where(can_hold & (index == np.array(grid.shape) - 1), high, place)
            slope = sign * field.gradient(place, sigma)
            starts.append(place)
            masks.append(~(can_hold & ((place == low) & (slope <= 0) | (place == high) & (slope >= 0))))
            aims.append(np.full(len(nodes), sign))
    x, free, aim = np.concatenate(starts), np.concatenate(masks), np.concatenate(aims)
    # what was drawn is rough from node to node at any sigma
    cells = sigma / np.array(grid.spacing)
    smooth = field.solves_heat_equation and bool(((cells >= FINEST) & (cells <= COARSEST)).all())
    if smooth:
        x, free, aim = _approached(values, grid, unit, x, free, aim)
    points = _settled(field, sigma, x, free, aim, round_off)
    # Two that are about to meet lie close together, and their Hessians are nearly singular along the line between them:
    # from one of them the other is found by a second search along that line.
    if thorough:
        probes, free = _beside(field, points)
        aim = np.zeros(len(probes), dtype=np.int64)
        if smooth:
            probes, free, aim = _approached(values, grid, unit, probes, free, aim)
        others = _settled(field, sigma, probes, free, aim, round_off)
        points = points.joined(others)
        points = points.select(distinct(grid, unit, points.positions))
    return points.select(np.isin(points.kind, [code for code, name in NAMES.items() if name in kinds]))


def _leash(grid: Grid, unit: Array) -> float:
    """How far a start may go: it lies within a cell or two of its zero, and what is farther has its own start."""
    return 2.0 * float(np.sqrt(grid.dimensions) * (np.array(grid.spacing) / unit).max()) + 0.5


def _approached(values: Array, grid: Grid, unit: Array, x: Array, free: Array, aim: Array) -> tuple[Array, ...]:
    """Starts, their free axes and aims, with one start for all within the box that lead to the same point."""
    inner = free.all(axis=1) & (aim == 0)
    near = np.concatenate(approach(values, grid, unit, x[inner], leash=_leash(grid, unit)))
    return (
        np.concatenate((near, x[~inner])),
        np.concatenate((np.ones(near.shape, dtype=bool), free[~inner])),
        np.concatenate((np.zeros(len(near), dtype=np.int64), aim[~inner])),
    )


def _beside(field: HeatField, points: CriticalPoints) -> tuple[Array, Array]:
    """Places beside those points of which the Hessian is nearly singular, along the direction in which it is."""
    size = np.abs(points.eigenvalues)
    least = np.where(points.free.sum(axis=1) > 1, np.sort(np.where(size > 0, size, np.inf), axis=1)[:, 0], 0.0)
    weak = np.flatnonzero((least < _WEAK * size.max(axis=1, initial=0.0)) & points.free.any(axis=1))
    chosen = points.select(weak)
    if not len(chosen):
        return np.zeros((0, len(points.sigma))), np.zeros((0, len(points.sigma)), dtype=bool)
    unit = np.where(chosen.free, unit_of_length(field.grid, points.sigma), 0.0)
    hessian = field.hessian(chosen.positions, points.sigma) * unit[:, :, None] * unit[:, None, :]
    lam, basis = np.linalg.eigh(hessian)
    along_free = np.einsum("pij,pi->pj", basis**2, chosen.free.astype(float)) > 0.5
    v = basis[np.arange(len(chosen)), :, np.where(along_free, np.abs(lam), np.inf).argmin(axis=1)] * unit
    steps = np.array([sign * step for step in _PROBES for sign in (-1.0, 1.0)])
    places = (chosen.positions + steps[:, None, None] * v).reshape(-1, len(points.sigma))
    return wrap(field.grid, places), np.tile(chosen.free, (len(steps), 1))


def _settled(field: HeatField, sigma: Array, x: Array, free: Array, aim: Array, round_off: RoundOff) -> CriticalPoints:
    """The critical points that Newton's method finds from starts, each once; `aim` is the kind of them, 0 for any."""
    grid, unit = field.grid, unit_of_length(field.grid, sigma)
    noise = round_off.slope / unit
    can_hold = held_axes(grid)
    low, high = (np.array([getattr(axis, end) for axis in grid]) for end in ("lower", "upper"))
    found = refine(field, x, np.broadcast_to(sigma, x.shape), free, leash=_leash(grid, unit), round_off=round_off)
    freedom = free.sum(axis=1)
    slack = _SLACK * (high - low)
    inside = ((found.positions >= low - slack) & (found.positions <= high + slack) | ~can_hold).all(axis=1)
    code = np.where(found.index == freedom, 1, np.where(found.index == 0, -1, 0))
    # what the rounding of the nodes of Q may have made is none
    significant = (np.abs(found.eigenvalues) > round_off.flat).sum(axis=1) >= freedom
    good = np.flatnonzero((found.converged & significant & inside & ((code == aim) | (aim == 0))) | (freedom == 0))
    # u and its slopes where the points have ended: `refine` gives them for the place before the last step
    positions = wrap(grid, found.positions[good])
    value, gradient = field.value(positions, sigma), np.zeros_like(positions)
    if len(good):
        gradient = field.gradient(positions, sigma)
    outward = np.where(free[good], 0.0, np.where(positions <= low + slack, -gradient, gradient))
    # u rising outwards means that the edge holds a maximum, falling a minimum
    # a corner of the box leaves nothing to refine: the slopes tell what it holds, or else what it was found as
    rising, falling = (outward > noise).all(axis=1), (outward < -noise).all(axis=1)
    corner = freedom[good] == 0
    code = np.where(corner, np.where(rising, 1, np.where(falling, -1, aim[good])), code[good])
    # what an edge holds is an extremum
    right = (
        (code[:, None] * outward >= 0).all(axis=1) & ((code != 0) | free[good].all(axis=1)) & ~(corner & (code == 0))
    )
    keep = np.flatnonzero(right)
    keep = keep[distinct(grid, unit, positions[keep])]
    good = good[keep]
    return CriticalPoints(
        np.asarray(sigma, dtype=np.float64),
        positions[keep],
        value[keep],
        code[keep],
        found.index[good],
        free[good],
        found.eigenvalues[good],
    )


def check_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    """The kinds, if all of them are known and there is one.

    Raises
    ------
    UnknownNameError
        Otherwise.
    """
    chosen = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if not chosen or any(kind not in KINDS for kind in chosen):
        raise UnknownNameError("unknown kind of critical point", given=repr(kinds), allowed=", ".join(KINDS))
    return chosen


@checked_call()
def critical_points(
    source: Landscape | Evolution, sigma: float | Sequence[float], kinds: Sequence[str] = KINDS
) -> CriticalPoints:
    """Critical points of u(., sigma), located between the nodes: grad u = 0.

    Parameters
    ----------
    source
        Q, or an evolution of it.
    sigma
        Noise level in the units of the axes: one number, or one per axis. 0 uses the interpolant of Q.
    kinds
        Any of ``maximum``, ``minimum`` and ``saddle``.

    Returns
    -------
    points
        Positions, values, kinds and curvatures. Extrema on an edge of the box are included and marked by
        `CriticalPoints.on_edge`.

    Raises
    ------
    SigmaError
        For a sigma that is negative or not finite.
    UnknownNameError
        For an unknown kind.
    UnsupportedError
        For a flat landscape, batch axes, or more than three dimensions.

    Notes
    -----
    Newton's method on the exact field, so positions are exact to about eps osc(Q) / (curvature times max(sigma, h)).
    From sigma = 2 h on about one point in ten thousand is missed, mostly of pairs close to annihilation; below, one in
    a thousand. On a ridge or a plateau, where the Hessian is singular, no point is isolated and none is reported. Along
    the edges of the box only extrema are searched for.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.scalespace import critical_points
    >>> grid = Grid(Axis("x", -4.0, 4.0, 201, boundary="clip"))
    >>> bumps = lambda x: np.exp(-((x - 1.01) ** 2) / 0.18) + 0.6 * np.exp(-((x + 0.99) ** 2) / 0.18)
    >>> points = critical_points(Landscape.from_function(bumps, grid), 0.3)
    >>> inside = points.select(~points.on_edge)  # the ends of the box hold a minimum each
    >>> inside.kinds, inside.positions[:, 0].round(3)
    (['maximum', 'minimum', 'maximum'], array([-0.99 , -0.046,  1.01 ]))
    """
    if isinstance(source, Evolution):
        source.require_solved("critical points at another sigma")
    landscape = source.landscape if isinstance(source, Evolution) else source
    chosen = check_kinds(kinds)
    require_structure(landscape)
    levels = np.array(landscape.grid.sigmas(sigma))
    problem = Problem(solve(landscape, levels[None, :]))
    pure = problem.units.lengths(levels)
    within = [landscape.sense.kind(kind) for kind in chosen]
    found = find(problem.field, pure, problem.values(0), within, problem.round_off)
    return found.measured(problem.units, levels)
