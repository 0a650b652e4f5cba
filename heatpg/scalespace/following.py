"""Following a critical point through t = sigma^2, and where that ends: folds, forks, edges of the box.

A critical point x(t) solves grad u(x, t) = 0. As long as the Hessian H is regular it is a smooth curve, which is
followed by prediction and correction. Where H becomes singular the curve turns back (a fold: two critical points meet
there and vanish), or crosses others (a fork, by symmetry). Close to a fold x moves like the root of the distance in t,
so that steps would become ever shorter; the fold itself is solved for instead.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.field import HeatField
from heatpg.scalespace.places import held_axes, unit_of_length, within_reach, wrap
from heatpg.scalespace.refining import refine
from heatpg.scalespace.units import RoundOff

__all__ = ["ARRIVED", "FOLD", "FORK", "LEFT", "LOST", "RELEASED", "Follower", "Journey"]

Array = NDArray[Any]

ARRIVED, FOLD, FORK, LEFT, RELEASED, LOST = range(6)

# Lengths in units of max(sigma, h), over which u changes; all of these are tastes. A longer move or correction may end
# at another critical point, and the caller asks again with shorter ones where there is doubt.
_LONGEST_MOVE = 0.5
_LARGEST_CORRECTION = 0.2
_LARGEST_GROWTH = 8.0  # of t in one step: an unseen death and a new point in its place are unlikely within it
_SHORTEST_STEP = 2e-8  # of t: about the root of the rounding unit, below which a root law cannot be seen
_LAST_STEPS = (
    1e-5  # of t before a fork (taste): the slope is round-off there, as seen where u has decayed to 1e-3 osc(Q)
)
_DETERMINED = 1e-3  # of t: what round-off of Q may move by more is not known (taste)
_IN_PLACE = 1.0  # the same of a fork, whose place symmetry tells: beyond, nothing of it is known
_ITERATIONS = 12  # Newton's method for folds and contacts converges quadratically: four to six are the rule
_SETTLED = 1e-11  # of an update, at which Newton's method stops
_ON_MIRROR = 1e-4  # so near Newton's method gets to a singular solution, where its last digits are round-off (taste)
_APART = 0.1  # of the two that meet at a fold, where their branches are looked for
_PIECE = 2**15  # points at once: their derivatives up to the fourth take tens of MiB in three dimensions
_REGULAR = 1e13  # condition number beyond which a solution has no digit left


@dataclasses.dataclass(eq=False)
class Journey:
    """How far points came, one entry per point.

    Attributes
    ----------
    outcome
        ARRIVED; FOLD: met its partner where the Hessian is singular; FORK: symmetry holds it in place, and its kind
        changes there; LEFT: went out of the box; RELEASED: an edge that held it no longer does; LOST: none of these
        could be shown within the bracket that `uncertainty` spans.
    positions, times
        Where and at which t the point is, or ended.
    uncertainty
        Of that t.
    """

    outcome: NDArray[np.int64]
    positions: Array
    times: Array
    uncertainty: Array


def _solve(matrix: Array, right: Array) -> tuple[Array, Array, Array]:
    """Solutions of many small systems, the 1-norms of the last row of each inverse, and which are not singular."""
    size = matrix.shape[-1]
    regular = np.linalg.cond(matrix) < _REGULAR
    # the inverse itself, because its last row says how much an error of the right side changes the last unknown, t
    inverse = np.linalg.inv(np.where(regular[:, None, None], matrix, np.eye(size)))
    return np.einsum("pij,pj->pi", inverse, right), np.abs(inverse[:, -1]).sum(axis=1), regular


@dataclasses.dataclass(eq=False)
class _Points:
    """Critical points on their way, one entry per point: as given, where they are, and how they ended."""

    targets: Array
    kind: Array
    index: Array
    free: Array
    x: Array
    t: Array
    step: Array
    outcome: NDArray[np.int64]
    uncertainty: Array
    done: NDArray[np.bool_]

    def end(self, chosen: Any, outcome: Any, positions: Array, times: Any, uncertainty: Any) -> None:
        """Let points, one or an array of them, end at a place and a time."""
        self.x[chosen], self.t[chosen], self.uncertainty[chosen] = positions, times, uncertainty
        self.outcome[chosen], self.done[chosen] = outcome, True


class Follower:
    """Continuation of grad u(x, t) = 0: dx/dt = -H^-1 grad(u_t) predicts, Newton's method corrects.

    The noise per axis is sigma_i = ratio_i sqrt(t), so u_t = 1/2 sum_i ratio_i^2 u_ii.

    Parameters
    ----------
    field
        The solution.
    ratio
        Noise per axis over the largest of them, shape (dimensions,).
    round_off
        What cannot be distinguished from zero.
    """

    def __init__(self, field: HeatField, ratio: Array, round_off: RoundOff) -> None:
        self.field = field
        self.grid = field.grid
        self.ratio = np.asarray(ratio, dtype=np.float64)
        self.round_off = round_off
        # Rows of a system that hold a coordinate, beside rows in units of Q: of the same size, or its condition would
        # tell of these units. A power of two, which rounds nothing.
        self._held_row = 2.0 ** round(math.log2(round_off.size))
        self._low = np.array([axis.lower for axis in self.grid])
        self._high = np.array([axis.upper for axis in self.grid])
        self._slack = 1e-9 * (self._high - self._low)
        self._can_hold = held_axes(self.grid)
        self._mirrored = np.array([axis.rule.conserves_mass and not axis.rule.periodic for axis in self.grid])

    def sigmas(self, times: Array) -> Array:
        """Noise per axis at each t, shape (points, dimensions)."""
        return np.asarray(np.sqrt(times)[:, None] * self.ratio)

    def drift(self, positions: Array, times: Array, free: Array) -> tuple[Array, Array]:
        """dx/dt = -H^-1 grad(u_t) along the free axes, and du/dt = u_t, of critical points."""
        (_, _, hessian, *_), (u_t, g_t) = self.moving(positions, times, 1)
        mask = np.where(free, unit_of_length(self.grid, self.sigmas(times)), 0.0)
        forcing = g_t * mask
        lam, basis = np.linalg.eigh(hessian * mask[:, :, None] * mask[:, None, :])
        along = np.einsum("pij,pi->pj", basis, forcing)
        # A held axis has an eigenvalue 0 and no forcing. Flatter than what counts as flat elsewhere: a prediction may
        # be poor, it is corrected.
        steep = np.abs(lam) > 1e-4 * self.round_off.singular
        rate = np.where(steep, -along / np.where(steep, lam, 1.0), 0.0)
        return np.einsum("pij,pj->pi", basis, rate) * mask, u_t

    def moving(self, positions: Array, times: Array, order: int) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Derivatives of u by x, and d/dt of those up to an order; see `heatpg.core.field.HeatField.moving`."""
        return self.field.moving(positions, times, self.ratio, order)

    def _beyond(self, positions: Array, free: Array) -> Array:
        """Along which free axes points lie outside of the box, shape (points, dimensions)."""
        beyond = (positions < self._low - self._slack) | (positions > self._high + self._slack)
        return np.asarray(beyond & self._can_hold & free)

    def _on_mirrors(self, place: Array, unit: Array) -> NDArray[np.bool_]:
        """Along which axes places lie on a wall that mirrors, shape (points, dimensions)."""
        apart = np.minimum(np.abs(place - self._low), np.abs(place - self._high)) / unit
        return np.asarray(self._mirrored & (apart < _ON_MIRROR))

    def _across_mirrors(self, place: Array, unit: Array, v: Array) -> NDArray[np.bool_]:
        """Whether places lie on a mirror that v leads across, shape (points,): by symmetry nothing pushes there."""
        return np.asarray((self._on_mirrors(place, unit) & (np.abs(v) > 0.5)).any(axis=1))

    def released(self, positions: Array, times: Array, free: Array, kind: Array) -> NDArray[np.bool_]:
        """Whether an edge does not hold points: u does not rise outwards there (of a maximum; fall, of a minimum).

        Slopes that are round-off say nothing. Shape (points,).
        """
        return np.asarray(self._released(positions, times, free, kind, self.round_off.slope).any(axis=1))

    def _released(self, positions: Array, times: Array, free: Array, kind: Array, noise: float = 0.0) -> Array:
        """Along which held axes u no longer rises outwards, as `_beyond`."""
        held = ~free
        result = np.zeros(free.shape, dtype=bool)
        some = np.flatnonzero(held.any(axis=1))
        if len(some):
            places = within_reach(self.grid, positions[some])
            slope = self.field.gradient(places, self.sigmas(times[some]))
            at_low = positions[some] - self._low < self._high - positions[some]
            slope = slope * unit_of_length(self.grid, self.sigmas(times[some]))
            result[some] = held[some] & (np.where(at_low, -slope, slope) * kind[some][:, None] < -noise)
        return result

    def follow(
        self,
        positions: Array,
        times: Array,
        targets: Array,
        kind: Array,
        index: Array,
        free: Array,
        *,
        caution: float = 1.0,
    ) -> Journey:
        """Follow critical points to another t, upwards or downwards, each with its own steps.

        Parameters
        ----------
        positions, times
            Where they are; shapes (points, dimensions) and (points,).
        targets
            Up to which t, shape (points,).
        kind, index, free
            As in `CriticalPoints`; they must stay as they are.
        caution
            Divides the lengths of moves and corrections that are accepted.
        """
        # derivatives of the fourth order of very many points would take much memory at once
        pieces = [slice(i, i + _PIECE) for i in range(0, max(len(positions), 1), _PIECE)]
        parts = [self._follow(positions[p], times[p], targets[p], kind[p], index[p], free[p], caution) for p in pieces]
        return Journey(
            *(np.concatenate([getattr(part, f.name) for part in parts]) for f in dataclasses.fields(Journey))
        )

    def _follow(
        self, positions: Array, times: Array, targets: Array, kind: Array, index: Array, free: Array, caution: float
    ) -> Journey:
        count = len(positions)
        points = _Points(
            targets=targets,
            kind=kind,
            index=index,
            free=free,
            x=positions.copy(),
            t=times.astype(np.float64),
            step=targets - times,
            outcome=np.full(count, LOST),
            uncertainty=np.zeros(count),
            done=np.zeros(count, dtype=bool),
        )
        x, t, step, done = points.x, points.t, points.step, points.done  # the same arrays, changed in place
        rate = np.zeros_like(x)
        stale = np.ones(count, dtype=bool)  # moved since `rate` was computed
        untried = np.ones(count, dtype=bool)  # moved since a fold was tried from here
        done[:] = step == 0
        points.outcome[done] = ARRIVED
        while not done.all():
            active = np.flatnonzero(~done)
            new = active[stale[active]]
            if len(new):
                rate[new] = self.drift(x[new], t[new], free[new])[0]
                stale[new] = False
            # the target itself, and no time that rounding puts beside it
            left = targets[active] - t[active]
            at = np.where(np.abs(step[active]) >= np.abs(left), targets[active], t[active] + step[active])
            accepted, landed, crossed, forked = self._attempt(points, active, at, rate[active], caution)
            moved = active[accepted]
            x[moved], t[moved] = wrap(self.grid, landed[accepted]), at[accepted]
            stale[moved] = untried[moved] = True
            step[moved] *= 2.0
            arrived = moved[t[moved] == targets[moved]]
            points.outcome[arrived], done[arrived] = ARRIVED, True
            # Of those that were refused: half of the step that was tried, unless the reason is found at once. First the
            # edge of the box, then a fold; what has neither goes on with shorter steps until they are too short.
            refused = ~accepted
            stuck = active[refused]
            step[stuck] = 0.5 * (at - t[active])[refused]
            self._contacts(points, active, at, landed, crossed & refused[:, None])
            asked = stuck[untried[stuck] & ~done[stuck] & free[stuck].any(axis=1)]
            untried[stuck] = False
            for i in asked[np.isin(asked, active[forked])]:
                self._fork_on_mirror(points, i, at[active == i][0], landed[active == i][0])
            asked = asked[~done[asked]]
            if len(asked):
                place, time, error, good, lead = self._folds(x[asked], t[asked], targets[asked], free[asked])
                points.end(asked[good], FOLD, wrap(self.grid, place[good]), time[good], error[good])
                # By the root law three quarters of the way to a fold leave half of the distance to it: close enough for
                # Newton's method the next time, and far enough for the correction of a step.
                near = np.isfinite(lead) & ~good & (np.abs(lead) < np.abs(step[asked])) & (lead * step[asked] > 0)
                step[asked[near]] = 0.75 * lead[near]
            short = np.abs(step[stuck]) < _SHORTEST_STEP * np.maximum(np.abs(t[stuck]), np.abs(targets[stuck]))
            for i in stuck[short & ~done[stuck]]:
                self._give_up(points, i)
        return Journey(points.outcome, x, t, points.uncertainty)

    def _attempt(
        self, points: _Points, active: Array, at: Array, rate: Array, caution: float
    ) -> tuple[Array, Array, Array, Array]:
        """One step to the times `at`: which are accepted, where they land, which axes they cross the edge of, and which
        seem to pass a fork on a mirror.

        Accepted is a step whose prediction needed little correction and whose point has the same Morse index as before:
        a point that changes its kind has passed a fold or a fork, and is another one. So has one that comes to lie on a
        mirror, or leaves it: where the Hessian is regular a point there stays, and it is met by no other, but at a fork
        two mirror images become one.
        """
        x, t, kind, free = points.x[active], points.t[active], points.kind[active], points.free[active]
        sigmas = self.sigmas(at)
        unit = unit_of_length(self.grid, sigmas)
        move = rate * (at - t)[:, None]
        landed = x + move
        accepted, forked = np.zeros(len(x), dtype=bool), np.zeros(len(x), dtype=bool)
        crossed = np.zeros(free.shape, dtype=bool)
        # below one spacing along every axis nothing is resolved, and t may grow up to there at once
        moving = self.ratio > 0
        resolved = float((np.array(self.grid.spacing)[moving] / self.ratio[moving]).min()) ** 2
        growth = np.maximum(at, t) <= _LARGEST_GROWTH * np.maximum(np.minimum(at, t), resolved)
        near = np.flatnonzero(growth & (np.sqrt(((move / unit) ** 2).sum(axis=1)) <= _LONGEST_MOVE / caution))
        if len(near):
            leash = 2.0 * _LARGEST_CORRECTION / caution
            found = refine(self.field, landed[near], sigmas[near], free[near], leash=leash, round_off=self.round_off)
            correction = np.sqrt((((found.positions - landed[near]) / unit[near]) ** 2).sum(axis=1))
            # in a corner of the box nothing is free, and there is nothing to converge
            good = found.converged | ~free[near].any(axis=1)
            good &= correction <= _LARGEST_CORRECTION / caution
            before = self._on_mirrors(x[near], unit_of_length(self.grid, self.sigmas(t[near])))
            after = self._on_mirrors(found.positions, unit[near])
            same = (found.index == points.index[active][near]) & (after == before).all(axis=1)
            forked[near] = good & ~same & (before | after).any(axis=1)
            good &= same
            crossed[near] = self._beyond(found.positions, free[near])
            crossed[near] |= self._released(found.positions, at[near], free[near], kind[near])
            crossed[near] &= good[:, None]
            accepted[near] = good & ~crossed[near].any(axis=1)
            landed[near] = found.positions
        return accepted, landed, crossed, forked

    def _contacts(self, points: _Points, active: Array, at: Array, landed: Array, crossed: Array) -> None:
        """Where critical points touch the edge that they cross within a step: grad u = 0 for t, and x along the edge.

        A free point leaves the box where its free gradient vanishes on the edge. An edge releases a point where the
        slope across it vanishes, besides the free gradient. Both times the unknowns are t and the coordinates that are
        free along the edge, the equations the gradient along these and along the axis that is crossed.
        """
        rows = np.flatnonzero(crossed.any(axis=1))
        if not len(rows):
            return
        which = active[rows]
        free = points.free[which]
        d = landed.shape[1]
        everything = np.arange(len(rows))
        # of several axes that are crossed in one step, the one that is overstepped farthest
        over = np.where(crossed[rows], np.maximum(self._low - landed[rows], landed[rows] - self._high), -np.inf)
        axis = over.argmax(axis=1)
        at_low = landed[rows] - self._low < self._high - landed[rows]
        place, time = landed[rows].copy(), at[rows].copy()
        place[everything, axis] = np.where(at_low, self._low, self._high)[everything, axis]
        crossing = np.arange(d) == axis[:, None]
        equations = free | crossing
        unknown = equations & ~crossing
        good = np.ones(len(rows), dtype=bool)
        moved, error, sensitive = (np.full(len(rows), np.inf) for _ in range(3))
        todo = everything
        for _ in range(_ITERATIONS):
            if not len(todo):
                break
            sigmas = self.sigmas(time[todo])
            unit = unit_of_length(self.grid, sigmas)
            places = within_reach(self.grid, place[todo])
            (_, g, h, *_), (_, g_t) = self.moving(places, time[todo], 1)
            mask = np.where(equations[todo], unit, 0.0)
            within = np.where(unknown[todo], unit, 0.0)
            matrix = np.zeros((len(todo), d + 1, d + 1))
            matrix[:, :d, :d] = h * mask[:, :, None] * within[:, None, :]
            pinned = self._held_row * np.eye(d) * ~unknown[todo][:, None, :]
            # the row of the crossed axis is the equation for t; the other fixed coordinates stay
            matrix[:, d, :d] = matrix[np.arange(len(todo)), axis[todo], :d]
            matrix[:, :d, :d] = np.where(unknown[todo][:, :, None], matrix[:, :d, :d], pinned)
            # t relative to itself: derivatives by it are t d/dt
            g_t = g_t * mask * time[todo][:, None]
            matrix[:, :d, d] = np.where(unknown[todo], g_t, 0.0)
            matrix[:, d, d] = g_t[np.arange(len(todo)), axis[todo]]
            g = g * mask
            right = np.concatenate((np.where(unknown[todo], g, 0.0), g[np.arange(len(todo)), axis[todo], None]), axis=1)
            update, sensitivity, regular = _solve(matrix, -right)
            size = np.sqrt((update[:, :d] ** 2).sum(axis=1))
            # a step of a unit, or to a tenth of t, is no correction any more
            good[todo] &= regular & (size < 1.0) & (np.abs(update[:, d]) < 0.9)
            update[~good[todo]] = 0.0
            place[todo] += update[:, :d] * unit
            time[todo] *= 1.0 + update[:, d]
            moved[todo] = np.maximum(size, np.abs(update[:, d]))
            error[todo] = (np.abs(update[:, d]) + self.round_off.computed * sensitivity) * time[todo]
            sensitive[todo] = sensitivity * time[todo]
            todo = todo[good[todo] & (moved[todo] > _SETTLED)]
        unit = unit_of_length(self.grid, self.sigmas(at[rows]))
        apart = np.sqrt((((place - landed[rows]) / unit) ** 2).sum(axis=1))
        low, high = np.minimum(points.t[which], at[rows]), np.maximum(points.t[which], at[rows])
        # converged, near, and within the step: else it is the contact of another point, or at another time
        good &= (moved < 1e-7) & (apart < 1.0) & (time >= low - error) & (time <= high + error)
        outcome = np.where(free[good, axis[good]], LEFT, RELEASED)
        # of Q as it is the contact is known to the rounding of this computation, of Q before its rounding to that one
        error = np.maximum(error, self.round_off.slope * sensitive)
        points.end(which[good], outcome, place[good], time[good], error[good])

    def _system(self, x: Array, t: Array, free: Array) -> tuple[Array, ...]:
        """Gradient, t g_t, smallest eigenvalue with its vector v, H, T[v, v, .] and t (d/dt H)[v, v], in units.

        T is the tensor of third derivatives: d/dx of lambda = v.H v is T[v, v, .], and d/dt of it H_t[v, v].
        """
        sigmas = self.sigmas(t)
        unit = unit_of_length(self.grid, sigmas)
        (_, g, h, third, *_), (_, g_t, h_t) = self.moving(within_reach(self.grid, x), t, 2)
        mask = np.where(free, unit, 0.0)
        g_t = g_t * mask * t[:, None]
        h_t = h_t * mask[:, :, None] * mask[:, None, :] * t[:, None, None]
        g, h = g * mask, h * mask[:, :, None] * mask[:, None, :]
        third = third * mask[:, :, None, None] * mask[:, None, :, None] * mask[:, None, None, :]
        lam, basis = np.linalg.eigh(h)
        # the eigenvalues 0 of held axes are none of those that are looked for
        along_free = np.einsum("pij,pi->pj", basis**2, free.astype(float)) > 0.5
        least = np.abs(np.where(along_free, lam, np.inf)).argmin(axis=1)
        rows = np.arange(len(x))
        v = basis[rows, :, least]
        bend = np.einsum("pijk,pi,pj->pk", third, v, v)
        return g, g_t, lam[rows, least], v, h, bend, np.einsum("pij,pi,pj->p", h_t, v, v), unit

    def _folds(self, x: Array, t: Array, targets: Array, free: Array) -> tuple[Array, Array, Array, Array, Array]:
        """Newton's method on grad u = 0, lambda_min(H) = 0 for (x, t): place, t, its error, success, expected lead.

        Unlike grad u = 0 alone this system is regular at a fold, so that Newton's method converges quadratically. It
        starts from the fold of the local model: with p = t g_t.v, c = T[v, v, v] and tau the relative change of t

            0 = g.v = lambda s + c s^2 / 2 + p tau,    0 = lambda + c s,

        hence s = -lambda / c and tau = lambda^2 / (2 c p).
        """
        count, d = x.shape
        place, time = x.copy(), t.copy()
        g, g_t, lam, v, h, bend, lam_t, unit = self._system(place, time, free)
        curvature = np.einsum("pi,pi->p", bend, v)
        push = np.einsum("pi,pi->p", g_t, v)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            s = -lam / curvature
            lead = t * lam**2 / (2.0 * curvature * push)
        # a model that is to hold for two units and twice the way to the target is not asked for more
        good = np.isfinite(s) & np.isfinite(lead) & (np.abs(s) < 2.0)
        good &= ((targets - t) * lead > 0) & (np.abs(lead) <= 2.0 * np.abs(targets - t))
        place[good] += s[good, None] * v[good] * unit[good]
        time[good] += lead[good]
        good &= time > 0
        moved, error, sensitive = (np.full(count, np.inf) for _ in range(3))
        slope, across = np.zeros(count), np.zeros(count, dtype=bool)
        todo = np.flatnonzero(good)
        for _ in range(_ITERATIONS):
            if not len(todo):
                break
            g, g_t, lam, v, h, bend, lam_t, unit = self._system(place[todo], time[todo], free[todo])
            matrix = np.zeros((len(todo), d + 1, d + 1))
            matrix[:, :d, :d] = h
            matrix[:, range(d), range(d)] += self._held_row * ~free[todo]  # a held axis stays
            matrix[:, :d, d], matrix[:, d, :d], matrix[:, d, d] = g_t, bend, lam_t
            update, sensitivity, regular = _solve(matrix, -np.concatenate((g, lam[:, None]), axis=1))
            size = np.sqrt((update[:, :d] ** 2).sum(axis=1))
            good[todo] &= regular & (size < 2.0) & (np.abs(update[:, d]) < 0.9)
            update[~good[todo]] = 0.0
            place[todo] += update[:, :d] * unit
            across[todo] = self._across_mirrors(place[todo], unit, v)
            with np.errstate(divide="ignore", invalid="ignore"):
                slope[todo] = 2.0 * np.einsum("pi,pi->p", g_t, v) / np.einsum("pi,pi->p", bend, v) / time[todo]
            time[todo] *= 1.0 + update[:, d]
            # the place goes like the root of t, so it is known to fewer digits, and less is asked of it
            moved[todo] = np.maximum(1e-3 * size, np.abs(update[:, d]))
            error[todo] = (np.abs(update[:, d]) + self.round_off.computed * sensitivity) * time[todo]
            sensitive[todo] = sensitivity * time[todo]
            todo = todo[good[todo] & (moved[todo] > _SETTLED)]
        good &= (moved < 1e-8) & (error < _DETERMINED * time)
        good &= (time >= np.minimum(t, targets)) & (time <= np.maximum(t, targets))
        # Whose fold it is: on the branch that ends there s^2 = 2 p (1 - t / t_c) / c, so the distance from here must be
        # that, within a factor of two (the law is the first term of a series), or it is the fold of two others.
        unit = unit_of_length(self.grid, self.sigmas(np.where(good, time, t)))
        apart = np.sqrt((((place - x) / unit) ** 2).sum(axis=1))
        expected = np.sqrt(np.maximum(np.nan_to_num(slope) * (time - t), 0.0))
        good &= (apart < 1.5) & (apart > 0.5 * expected) & (apart < 2.0 * expected + 1e-7)
        # where two mirror images meet it is a fork, though round-off may have made its singular system regular
        good &= ~(self._beyond(place, free).any(axis=1) | across)
        # as of a contact: how Q was rounded moves the fold, but leaves no doubt that there is one
        return place, time, np.maximum(error, self.round_off.slope * sensitive), good, lead

    def _fork_on_mirror(self, points: _Points, i: int, at: float, landed: Array) -> None:
        """Let a point end at a fork on a mirror between here and the time `at`, or go nearer to it.

        On the mirror the system of a fork is regular but for the direction across, in which nothing moves.
        """
        t, unit = float(points.t[i]), unit_of_length(self.grid, self.sigmas(np.array([at])))
        low_is_nearer = landed - self._low < self._high - landed
        walls = np.where(low_is_nearer, self._low, self._high)
        mirrors = self._on_mirrors(landed[None], unit)[0] | self._on_mirrors(points.x[[i]], unit)[0]
        place, time, error = self.fork(np.where(mirrors, walls, landed), at, points.free[i])
        if not (min(t, at) - error <= time <= max(t, at) + error and error < _DETERMINED * time):
            return
        v = self._system(place[None], np.array([time]), points.free[[i]])[3]
        if not self._across_mirrors(place[None], unit, v)[0]:
            return
        if np.sqrt((((place - points.x[i]) / unit[0]) ** 2).sum()) < _APART:
            points.end(i, FORK, place, time, error)
        elif abs(time - t) < abs(points.step[i]):
            points.step[i] = 0.75 * (time - t)  # as before a fold

    def _give_up(self, points: _Points, i: int) -> None:
        """The step is as short as it may be: a fork within the bracket, or nothing that could be shown."""
        x, t, step, free = points.x[i], float(points.t[i]), float(points.step[i]), points.free[i]
        bracket = 2.0 * abs(step)
        place, time, error = self.fork(x, t + step, free) if free.any() else (x, t, np.inf)
        unit = unit_of_length(self.grid, self.sigmas(points.t[[i]]))[0]
        # At a fork the point itself stays where it is, so the fork must be found in place. The last steps of the way to
        # it may be hidden by round-off of the slope, over an eigenvalue that vanishes there.
        reach = max(4.0 * bracket + error, _LAST_STEPS * t)
        # where round-off of Q may move it by more, as on a plateau, it is no fork that was found
        if abs(time - t - step) <= reach and error < _IN_PLACE * time and (np.abs((place - x) / unit) < 0.01).all():
            points.end(i, FORK, place, time, error)
        else:
            points.end(i, LOST, x, t + step, bracket)

    def fork(self, position: Array, time: float, free: Array) -> tuple[Array, float, float]:
        """Where a point that symmetry holds in place changes its kind: grad u = 0, lambda_min(H) = 0, by Gauss-Newton.

        At a fork nothing pushes along v, so the system is singular there and its least-squares step of least norm is
        taken. Returns the place, t and its uncertainty, which is infinite where it did not converge.
        """
        d = len(position)
        x, t = position[None, :].copy(), np.array([time])
        mask = free[None, :]
        for _ in range(4 * _ITERATIONS):  # near the singular solution it converges linearly
            g, g_t, lam, _, h, bend, lam_t, unit = self._system(x, t, mask)
            matrix = np.zeros((d + 1, d + 1))
            matrix[:d, :d], matrix[:d, d] = h[0], g_t[0]
            matrix[d, :d], matrix[d, d] = bend[0], lam_t[0]
            # below 1e-6 of the largest a singular value is that of the direction v, in which nothing pushes
            update = -np.linalg.lstsq(matrix, np.concatenate((g[0], lam)), rcond=1e-6)[0]
            update[:d] *= min(1.0, 0.5 / max(float(np.linalg.norm(update[:d])), 1e-300))
            change = float(np.clip(update[d], -0.3, 0.3))
            x = x + update[:d] * unit[0]
            t = t * (1.0 + change)
            if abs(change) <= max(1e-12, self.round_off.computed / max(abs(float(lam_t[0])), 1e-300)):
                break
        else:
            return x[0], float(t[0]), np.inf
        if max(float(np.abs(g[0]).max()), abs(float(lam[0]))) > self.round_off.singular:
            return x[0], float(t[0]), np.inf
        noise = self.round_off.slope / max(abs(float(lam_t[0])), 1e-300)
        return x[0], float(t[0]), float(t[0]) * (abs(change) + noise)

    def branches(
        self, positions: Array, times: Array, levels: Array, free: Array
    ) -> tuple[Array, Array, NDArray[np.int64], NDArray[np.bool_]]:
        """The two critical points that meet at each fold, a little before or after: s^2 = -2 g_t.v dt / T[v, v, v].

        Parameters
        ----------
        positions, times
            The folds; shapes (folds, dimensions) and (folds,).
        levels
            t of a level on the side on which the two live, shape (folds,).
        free
            As in `CriticalPoints`.

        Returns
        -------
        positions, times, index, found
            Shapes (2, folds, dimensions), (folds,), (2, folds) and (2, folds).
        """
        _, g_t, _, v, _, bend, _, unit = self._system(positions, times, free)
        curvature, push = np.einsum("pi,pi->p", bend, v), np.einsum("pi,pi->p", g_t, v)
        # tau = share s^2 on both branches. Close to the fold they cannot be separated, so they are looked for at
        # s = 0.1, or at the level if that is nearer: there by the local model, then by Newton's method.
        usable = np.abs(push) > self.round_off.singular
        share = np.where(usable, -curvature / (2.0 * np.where(usable, push, 1.0)), 0.0)
        ahead = levels / times - 1.0
        right = usable & (share * ahead > 0)
        change = np.where(np.abs(share) * _APART**2 < np.abs(ahead), share * _APART**2, ahead)
        s = np.sqrt(np.where(right, change / np.where(right, share, 1.0), 0.0))
        at = times * (1.0 + np.where(right, change, 0.0))
        begin = positions + np.array([-1.0, 1.0])[:, None, None] * (s[:, None] * v * unit)
        sigmas = np.tile(self.sigmas(at), (2, 1))
        found = refine(
            self.field,
            begin.reshape(-1, positions.shape[1]),
            sigmas,
            np.tile(free, (2, 1)),
            leash=_APART,
            round_off=self.round_off,
        )
        good = found.converged.reshape(2, -1) & right
        return found.positions.reshape(begin.shape), at, found.index.reshape(2, -1), good
