"""Checks of a field that nobody ever sees as a whole: what passes by in blocks is added up, and judged at the end.

The range is compared with that of Q and of the previous sigma; the mean over the box with that of Q, where every
boundary keeps it; and on a few hundred nodes u with the independent convolution of `heatpg.verify.crosscheck`, which is
linear in Q, so that every block contributes its share. Maxima are not followed from sigma to sigma: that takes whole
fields.
"""

# One file above 600 lines: what is added up of blocks and what is judged of it at the end belong together.

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from heatpg.boundaries import face_values, face_weights
from heatpg.core.centring import Centring
from heatpg.core.extrema import on_edge
from heatpg.core.grid import Grid
from heatpg.core.noise import sigma_words
from heatpg.core.report import Check, Place, Report, Status
from heatpg.core.sense import MAXIMISE, Sense
from heatpg.errors import UnsupportedError
from heatpg.large.blocks import Box, boxes
from heatpg.large.header import Header
from heatpg.solvers import wide
from heatpg.solvers.choice import Schedule
from heatpg.store.record import Record
from heatpg.tools.sums import product
from heatpg.verify.correlated import SEED
from heatpg.verify.crosscheck import POINTS, Roughness, expected_error
from heatpg.verify.edge import corrects_ends, kept_weights
from heatpg.verify.maximum_principle import edge_entry
from heatpg.verify.range_words import range_kept
from heatpg.verify.reference import reference_rows
from heatpg.verify.resolution import box_entry, resolution_entry
from heatpg.verify.silence import Scale, unless_silent

__all__ = ["LEVELS", "BlockChecks", "Sums"]

Array = NDArray[Any]

LEVELS = ("none", "standard")
_MOST_ROWS = 2**22  # numbers in the rows of the reference of one axis: 32 MiB
_PIECE = 2**17  # points that are worked on at once: a mebibyte, so that copies in double precision stay small


def contract(block: Array, matrices: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Apply one matrix to each of the last axes, the one that makes the block smallest first."""
    first = block.ndim - len(matrices)
    # few rows on a long axis shrink the block most, and what comes after has less to do
    order = sorted(range(len(matrices)), key=lambda i: matrices[i].shape[0] / matrices[i].shape[1])
    values: Array = block
    for i in order:
        moved = np.moveaxis(values, first + i, 0)
        size = len(moved)
        # in pieces, because what is in single precision is summed in double
        step = max(1, _PIECE // max(1, moved.size // size))
        total = np.zeros((matrices[i].shape[0], *moved.shape[1:]))
        for start in range(0, size, step):
            part = slice(start, start + step)
            lines = moved[part].astype(np.float64)
            total += product(matrices[i][:, part], lines.reshape(len(lines), -1)).reshape(total.shape)
        values = np.moveaxis(total, 0, first + i)
    return values


@dataclasses.dataclass
class Sums:
    """What is kept of one field: its extremes, where the largest and the least value are, and its mean over the box.

    Attributes
    ----------
    low, high
        Extremes of each landscape of the batch.
    top, bottom
        Largest and least value of all, and their indices in the flattened field.
    mass
        Integral over the box by each of the rules, less the offset of Q, of each landscape of the batch.
    rules
        Weights of the nodes along each axis, as `Axis.relative_weights`.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    top: tuple[float, int]
    bottom: tuple[float, int]
    mass: NDArray[np.float64]
    rules: list[list[NDArray[np.float64]]]

    @classmethod
    def empty(cls, batch: tuple[int, ...], rules: list[list[NDArray[np.float64]]]) -> Sums:
        """Of no block yet."""
        low, high = np.full(batch, np.inf), np.full(batch, -np.inf)
        return cls(low, high, (-math.inf, 0), (math.inf, 0), np.zeros((len(rules), *batch)), rules)

    def add_mass(self, grid: Grid, box: Box, block: Array) -> None:
        """Add what a block has of the integral over the box."""
        first = block.ndim - grid.dimensions
        batch = box[:first]
        for number, rule in enumerate(self.rules):
            place: tuple[int | slice, ...] = (number, *batch)
            # the integral is a product of sums, one axis after the other
            weights = [along[part][None, :] for along, part in zip(rule, box[first:], strict=True)]
            self.mass[place] += contract(block, weights).reshape(self.mass[place].shape)

    def add(self, grid: Grid, shape: tuple[int, ...], box: Box, block: Array) -> None:
        """Add the extremes of a block of a field."""
        first = len(shape) - grid.dimensions
        axes = tuple(range(first, len(shape)))
        batch = box[:first]
        # extremes of each landscape of the batch, because osc(Q) is its own
        self.low[batch] = np.minimum(self.low[batch], block.min(axis=axes))
        self.high[batch] = np.maximum(self.high[batch], block.max(axis=axes))

        def placed(local: int) -> int:
            # from the block to the whole field, as one number that fits any shape
            index = np.unravel_index(local, block.shape)
            return int(np.ravel_multi_index([int(i) + part.start for i, part in zip(index, box, strict=True)], shape))

        highest, lowest = int(block.argmax()), int(block.argmin())
        value = float(block.flat[highest])
        if value > self.top[0]:
            self.top = (value, placed(highest))
        value = float(block.flat[lowest])
        if value < self.bottom[0]:
            self.bottom = (value, placed(lowest))


class Reduction(Protocol):
    """How the parts of several processes are put together; each is called by all of them, in the same order."""

    def least(self, values: Array) -> Array:
        """The least of all processes, element by element."""
        ...

    def most(self, values: Array) -> Array:
        """The largest."""
        ...

    def total(self, values: Array) -> Array:
        """The sum."""
        ...


def _second_and_fourth(block: Array, grid: Grid, position: int, along: int) -> tuple[float, float]:
    """Largest second and fourth difference along an axis, of the data continued by its boundary; in small pieces."""
    axis = grid[position]
    extension = axis.rule.extend(axis.size, axis.nodes, 2, 2)
    weight = extension.weight.copy()
    lines = block.reshape(-1, axis.size, math.prod(block.shape[along + 1 :]))
    shape = [1] * 3
    shape[1] = -1
    second = fourth = 0.0
    # whole lines along this axis, few of them at a time
    points = max(1, _PIECE // axis.size)
    extent = (max(1, points // lines.shape[2]), axis.size, min(points, lines.shape[2]))
    for box in boxes(lines.shape, extent):
        piece = lines[box].astype(np.float64)
        if axis.faced:
            longer = extension.of(piece, 1)
        elif axis.rule.holds_ends:
            # odd about each held end value: u(-x) = 2 u(0) - u(x)
            longer = np.pad(piece, [(0, 0), (2, 2), (0, 0)], mode="reflect", reflect_type="odd")
        else:
            longer = np.take(piece, extension.source, axis=1) * weight.reshape(shape)
        differences = np.diff(longer, n=2, axis=1)
        second = max(second, float(np.abs(differences).max()))
        fourth = max(fourth, float(np.abs(np.diff(differences, n=2, axis=1)).max()))
    return second, fourth


class BlockChecks:
    """What is seen of Q and of the fields as their blocks pass by, and the report on it.

    Parameters
    ----------
    plan
        What is solved.
    shape, dtype
        Of one field.
    level
        ``none`` or ``standard``.
    sense
        Which way is better, for what is said of the optimum.
    provenance
        Of the landscape: whether its points are actions or parameters of a policy.
    """

    def __init__(
        self,
        plan: Schedule,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        level: str,
        sense: Sense = MAXIMISE,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        if level not in LEVELS:
            raise UnsupportedError(
                "this check depth is not available out of core",
                given=repr(level),
                allowed=", ".join(map(repr, LEVELS)),
                advice="full checks need whole fields in memory: use heatpg.evolve, or heatpg check on the file",
            )
        self.plan = plan
        self.shape = shape
        self.dtype = dtype
        self.active = level != "none"
        self.level = level
        self.sense = sense
        self.provenance = provenance or {}
        self._first = len(shape) - plan.grid.dimensions
        self._batch = shape[: self._first]
        self._mass = all(axis.rule.conserves_mass for axis in plan.grid)
        # of Q the rules that the correction of the ends keeps, each once; u has no kink at a wall
        rules: list[list[NDArray[np.float64]]] = []
        self._rule_of: list[int] = []
        for row in plan.variances if self._mass else ():
            # in the units of `Axis.relative_weights`, which stay finite
            rule = [
                np.ldexp(kept_weights(plan.solver, axis, t), -math.frexp(axis.spacing)[1])
                for axis, t in zip(plan.grid, row, strict=True)
            ]
            alike = [n for n, known in enumerate(rules) if all(map(np.array_equal, known, rule))]
            self._rule_of.append(alike[0] if alike else len(rules))
            rules += [] if alike else [rule]
        plain = [axis.relative_weights for axis in plan.grid]
        self.initial = Sums.empty(self._batch, rules)
        self.fields = [Sums.empty(self._batch, [plain] if self._mass else []) for _ in plan.sigma]
        self._rough = np.zeros((plan.grid.dimensions, 2))
        # largest of -f and f over all values f on the faces of each axis, where these count
        self._walls = np.full((plan.grid.dimensions, 2), -np.inf)
        self._nodes: list[NDArray[np.int64]] = []
        self._reference: list[NDArray[np.float64]] = []
        self._values: list[NDArray[np.float64]] = []
        self._rows: tuple[int, list[NDArray[np.float64]]] = (-1, [])
        self._offset = np.zeros(())

    def add_initial(self, box: Box, block: Array) -> None:
        """Look at a block of Q; before anything else, at all of them, once each."""
        # the range at any level of checks, because what is solved is without the offset of Q
        self.initial.add(self.plan.grid, self.shape, box, block)

    def add_lines(self, position: int, block: Array) -> None:
        """Look at a block of Q that has whole lines along an axis of the grid; at all of them, in any order."""
        if self.active:
            found = _second_and_fourth(block, self.plan.grid, position, self._first + position)
            self._rough[position] = np.maximum(self._rough[position], found)
            if self.plan.grid[position].faced:
                values = np.stack(face_values(block, self._first + position))
                extremes = -float(values.min()), float(values.max())
                self._walls[position] = np.maximum(self._walls[position], extremes)

    def _with_walls(self, low: Array, high: Array) -> tuple[Array, Array]:
        """A range of nodes of Q with the values on faces, a bound on those on edges and corners, and the outside."""
        grid = self.plan.grid
        faced = sum(axis.faced for axis in grid)
        if faced:
            low, high = np.minimum(low, -self._walls[:, 0].max()), np.maximum(high, self._walls[:, 1].max())
            # of values on a face that of its edge takes weights above zero that sum to `more` + 1, and below to -`more`
            more = max(-float(np.minimum(face_weights(axis.size), 0.0).sum()) for axis in grid if axis.faced)
            for _ in range(faced - 1):
                low, high = low - more * (high - low), high + more * (high - low)
        for axis in grid:
            low, high = axis.rule.extremes_outside(low, high)
        return low, high

    def _whole_range(self) -> tuple[float, float]:
        """The same of the whole batch."""
        low, high = self._with_walls(np.asarray(self.initial.bottom[0]), np.asarray(self.initial.top[0]))
        return float(low), float(high)

    def choose_nodes(self, reduction: Reduction | None = None) -> None:
        """Pick where u is compared, once all of Q was seen: its optimum, its minimum, the corners, nodes at random."""
        if reduction is not None:
            _reduce_sums(self.initial, reduction)
        if not self.active:
            return
        self._offset = self.centring().offset.astype(np.float64)
        grid = self.plan.grid
        fixed = [
            np.unravel_index(flat, self.shape)[self._first :] for _, flat in (self.initial.top, self.initial.bottom)
        ]
        # so many nodes along each axis that their product has about POINTS
        count = max(3, round(POINTS ** (1.0 / grid.dimensions)))
        generator = np.random.default_rng(SEED)
        for position, axis in enumerate(grid):
            least = {int(index[position]) for index in fixed} | {0, axis.size - 1}
            # no more rows than fit in memory, along an axis of a hundred million nodes
            most = max(len(least), min(count, axis.size, _MOST_ROWS // axis.size))
            extra = generator.choice(axis.size, size=max(0, most - len(least)), replace=False)
            self._nodes.append(np.array(sorted(least | {int(i) for i in extra}), dtype=np.int64))
        sizes = (*self._batch, *(len(nodes) for nodes in self._nodes))
        self._reference = [np.zeros(sizes) for _ in self.plan.sigma]
        self._values = [np.zeros(sizes) for _ in self.plan.sigma]

    def centring(self) -> Centring:
        """What is taken out of Q before it is solved, once all of Q was seen."""
        shape = (*self._batch, *[1] * self.plan.grid.dimensions)
        low, high = (extreme.astype(self.dtype).reshape(shape) for extreme in (self.initial.low, self.initial.high))
        return Centring.of(low, high, self.plan.grid)

    def _centred(self, box: Box, block: Array) -> Array:
        """A block less the offset of its landscape, which the sums of the checks would lose digits to."""
        offset = self._offset[box[: self._first]]
        return block - offset if offset.any() else block

    def add_source(self, level: int, box: Box, block: Array) -> None:
        """Add the share that a block of Q has in the reference at a level; at all of them, once for each level."""
        if not self.active:
            return
        grid = self.plan.grid
        # the rows of one level at a time: they serve all of its blocks
        if self._rows[0] != level:
            rows = [
                reference_rows(axis, math.sqrt(t), nodes, corrects_ends(self.plan.solver, axis, t))
                for axis, t, nodes in zip(grid, self.plan.variances[level], self._nodes, strict=True)
            ]
            self._rows = (level, rows)
        block = self._centred(box, block)
        if level == 0 and self._mass:
            self.initial.add_mass(grid, box, block)
        matrices = [rows[:, part] for rows, part in zip(self._rows[1], box[self._first :], strict=True)]
        self._reference[level][box[: self._first]] += contract(block, matrices)

    def add_field(self, level: int, box: Box, block: Array) -> None:
        """Look at a block of u; at all of them, once each."""
        if not self.active:
            return
        self.fields[level].add(self.plan.grid, self.shape, box, block)
        block = self._centred(box, block)
        if self._mass:
            self.fields[level].add_mass(self.plan.grid, box, block)
        parts = box[self._first :]
        inside = [
            np.flatnonzero((nodes >= part.start) & (nodes < part.stop))
            for nodes, part in zip(self._nodes, parts, strict=True)
        ]
        # a block without any of the nodes has nothing to give
        if all(len(found) for found in inside):
            local = [nodes[i] - part.start for nodes, i, part in zip(self._nodes, inside, parts, strict=True)]
            place = np.ix_(*(np.arange(part.start, part.stop) for part in box[: self._first]), *inside)
            self._values[level][place] = block[(..., *np.ix_(*local))]

    def report(self, reduction: Reduction | None = None) -> Report:
        """What was found."""
        if not self.active:
            return Report([], self.level)
        if reduction is not None:
            for sums in self.fields:
                _reduce_sums(sums, reduction)
            # summed after the nodes were chosen, because the offset is known by then
            self.initial.mass = reduction.total(self.initial.mass)
            self._rough = reduction.most(self._rough)
            self._walls = reduction.most(self._walls)
            self._reference = [reduction.total(values) for values in self._reference]
            self._values = [reduction.total(values) for values in self._values]
        largest = max(abs(self.initial.top[0]), abs(self.initial.bottom[0]))
        rounding = 0.0
        if self._offset.any():
            # half the distance between numbers as large as Q, by which putting the offset back rounds
            rounding = 0.5 * float(np.spacing(self.dtype.type(largest)))
            offset = self._offset.reshape(self._batch)
            largest = float(np.maximum(self.initial.high - offset, offset - self.initial.low).max())
        plan = self.plan
        known = Record(
            Header(plan.grid, "", {}, (1,) * len(self.shape), self.dtype.type(largest)),
            plan.sigma,
            np.zeros(0),
            plan.solver,
            paths=[plan.paths(level) for level in range(len(plan.sigma))],
            rounding=rounding,
        )
        low, high = self._whole_range()
        scale = Scale.between(low, high, known, self.initial.top[0] - self.initial.bottom[0], largest)
        unit = float(np.finfo(self.dtype).eps) * largest
        entries = [self._range(known, unit, scale), self._crosscheck(known, scale)]
        if self._mass:
            entries.append(self._conservation(known, unit, scale))
        entries += [self._resolution(), *self._box(), self._edge(known, unit), _left_out(self.sense)]
        return Report(entries, self.level)

    def _rounding(self, known: Record, level: int) -> float:
        paths = zip(self.plan.grid, known.paths[level], strict=True)
        return sum(wide.rounding(self.plan.solver, axis, path) for axis, path in paths if path[-1] > 0)

    def _allowed(self, known: Record, unit: float, level: int) -> float:
        """How far round-off alone may take a field out of the range of another."""
        return 2.0 * unit * (1.0 + self._rounding(known, level)) + 2.0 * known.rounding

    def _unless_silent(self, check: Check, known: Record, bounds: list[tuple[int, float]]) -> Check:
        return unless_silent(check, known, bounds, self._whole_range())

    def _place(self, level: int, flat: int) -> Place:
        index = tuple(int(i) for i in np.unravel_index(flat, self.shape))
        return Place(level, index, self.plan.grid.point(index[self._first :]))

    def _promised(self, start: tuple[float, ...], level: int, *, continues: bool) -> bool:
        """Whether the solver promises that a level is a mean of the field at the variances `start`."""
        solver, stop = self.plan.solver, self.plan.variances[level]
        paths = self.plan.paths(level)
        for axis, a, b, path in zip(self.plan.grid, start, stop, paths, strict=True):
            steps = [(a, b)]
            if not solver.exact_in_time and not continues:
                steps = list(itertools.pairwise(path))
            if b > a and not all(wide.monotone_between(solver, axis, c, d) for c, d in steps):
                return False
        return True

    def _range(self, known: Record, unit: float, scale: Scale) -> Check:
        plan = self.plan
        source = f"round-off, relative to {scale.words}"
        worst, bound, opened = 0.0, 0.0, False
        bounds = []
        broken: tuple[float, float, int, bool] | None = None
        for level, stop in enumerate(plan.variances):
            allowed = self._allowed(known, unit, level)
            bound = max(bound, allowed)
            if any(stop):
                bounds.append((level, allowed))
            earlier = [((0.0,) * len(stop), self.initial, False)]
            # as in heatpg.verify.maximum_principle: Q, and the field before, where the noise grew along every axis
            if level and all(a <= b for a, b in zip(plan.variances[level - 1], stop, strict=True)):
                moving = [a < b for a, b in zip(plan.variances[level - 1], stop, strict=True)]
                open_box = any(axis.starts_anew and m for axis, m in zip(plan.grid, moving, strict=True))
                opened = opened or open_box
                if not open_box:  # what lay outside at the previous sigma is not stored
                    earlier.append((plan.variances[level - 1], self.fields[level - 1], True))
            for start, sums, continues in earlier:
                promised = self._promised(start, level, continues=continues)
                if continues and not promised:
                    continue  # only the whole earlier field could tell whether its nodes miss a top
                low, high = self._with_walls(sums.low, sums.high)
                field = self.fields[level]
                excess = float(np.maximum(field.high - high, low - field.low).max())
                worst = max(worst, excess)
                if excess > allowed and (broken is None or (promised, excess) > (broken[3], broken[0])):
                    broken = (excess, allowed, level, promised)
        if broken is None:
            check = Check("range", "passed", range_kept(opened), worst / scale.size, bound / scale.size, source)
            return self._unless_silent(check, known, bounds)
        excess, allowed, level, promised = broken
        status: Status = "failed" if promised else "finding"
        because = (
            "although its weights are guaranteed to be positive"
            if promised
            else "where the solver does not guarantee positive weights (Gibbs overshoot of unresolved data)"
        )
        return Check(
            "range",
            status,
            f"u leaves the range of the earlier field by {excess / scale.size:.3g} of {scale.words} at "
            f"sigma={sigma_words(plan.sigma[level])}, {because}",
            excess / scale.size,
            allowed / scale.size,
            source,
            self._place(level, self.fields[level].top[1]),
            promised,
        )

    def _crosscheck(self, known: Record, scale: Scale) -> Check:
        cache: dict[tuple[int, bool], Roughness] = {}
        low, high = self._whole_range()
        for position, axis in enumerate(self.plan.grid):
            # relative to the chord between held ends, turned over beyond them, the range is twice as wide
            half = (high - low) * (1.0 if axis.rule.holds_ends else 0.5)
            # along the faces of the other axes differences may be so many times as large
            others = [other for i, other in enumerate(self.plan.grid) if other.faced and i != position]
            larger = math.prod(float(np.abs(face_weights(other.size)).sum()) for other in others)
            second, fourth = (larger * float(value) for value in self._rough[position])
            cache[position, False] = Roughness(half, second, fourth)
        worst: tuple[float, float, float, int, tuple[int, ...]] | None = None
        bounds = []
        # the largest error in units of its bound, over all levels
        for level in range(len(self.plan.sigma)):
            error = np.abs(self._values[level] - self._reference[level])
            flat = int(np.argmax(error))
            index = tuple(int(i) for i in np.unravel_index(flat, error.shape))
            found, bound = float(error.reshape(-1)[flat]), expected_error(known, level, cache)
            bounds.append((level, bound))
            ratio = found / bound if bound > 0 else (math.inf if found > 0 else 0.0)
            if worst is None or ratio > worst[0]:
                worst = (ratio, found, bound, level, index)
        assert worst is not None
        ratio, found, bound, level, index = worst
        nodes = (*index[: self._first], *(int(n[i]) for n, i in zip(self._nodes, index[self._first :], strict=True)))
        count = math.prod(len(chosen) for chosen in self._nodes)
        reference = f"an independent convolution on {count} nodes"
        failed = ratio > 1.0
        check = Check(
            "cross-check",
            "failed" if failed else "passed",
            f"u differs from {reference} by more than the error bound of this solver at "
            f"sigma={sigma_words(self.plan.sigma[level])}"
            if failed
            else f"u agrees with {reference}",
            found / scale.size,
            bound / scale.size,
            f"symbols of both, relative to {scale.words}",
            Place(level, nodes, self.plan.grid.point(nodes[self._first :])),
        )
        return self._unless_silent(check, known, bounds)

    def _conservation(self, known: Record, unit: float, scale: Scale) -> Check:
        volume = math.prod(float(axis.relative_weights.sum()) for axis in self.plan.grid)
        changes = []
        for level, sums in enumerate(self.fields):
            before = self.initial.mass[self._rule_of[level]]
            change = float(np.abs(sums.mass[0] - before).max()) / volume
            allowed = 2.0 * unit * (1.0 + self._rounding(known, level)) + known.rounding
            changes.append((change / allowed if allowed else 0.0, change, allowed, level))
        bounds = [(level, allowed) for _, _, allowed, level in changes]
        _, change, allowed, level = max(changes)
        passed = change <= allowed
        check = Check(
            "conservation",
            "passed" if passed else "failed",
            "the mean of u over the box equals that of Q"
            if passed
            else f"the mean of u over the box changes at sigma={sigma_words(self.plan.sigma[level])}",
            change / scale.size,
            allowed / scale.size,
            f"round-off, relative to {scale.words}",
        )
        return self._unless_silent(check, known, bounds)

    def _resolution(self) -> Check:
        grid = self.plan.grid
        noise = np.sqrt(np.array(self.plan.variances))
        if not (noise > 0).any():
            return Check("resolution", "passed", "the smallest sigma is 0 grid spacings", 0.0)
        return resolution_entry(grid, noise)

    def _box(self) -> list[Check]:
        grid = self.plan.grid
        if not any(axis.rule.free_space for axis in grid):
            return []
        escapes = []
        for level, row in enumerate(self.plan.variances):
            place = self._optimum(level)
            inside = place.index[self._first :]
            # independent axes: noise stays inside if it does so along each
            leaves = 1.0 - math.prod(
                1.0 - float(axis.escape(math.sqrt(t))[i]) for axis, t, i in zip(grid, row, inside, strict=True)
            )
            escapes.append((leaves, place))
        return [box_entry(escapes, self.plan.sigma, self.provenance, grid.dimensions)]

    def _optimum(self, level: int) -> Place:
        sums = self.fields[level]
        return self._place(level, (sums.bottom if self.sense.minimise else sums.top)[1])

    def _edge(self, known: Record, unit: float) -> Check:
        tops = [self._optimum(level) for level in range(len(self.fields))]
        found = [level for level, place in enumerate(tops) if on_edge(place.index[self._first :], self.plan.grid)]
        # where u is flat but for round-off, the first node is no better than the others
        ranges = [float((sums.high - sums.low).max()) for sums in self.fields]
        edge = [tops[level] for level in found if ranges[level] > self._allowed(known, unit, level)]
        where, flat = edge[0] if edge else None, len(found) - len(edge)
        return edge_entry(self.sense, len(edge), len(tops), where, flat=flat, all_flat=flat == len(tops))


def _left_out(sense: Sense) -> Check:
    names = ", ".join(f"{word} {sense.extrema}" for word in ("joint", "values along"))
    message = f"{names} and spatial {sense.extrema} were not checked: that needs whole fields in memory"
    return Check("left out", "finding", message)


def _reduce_sums(sums: Sums, reduction: Reduction) -> None:
    sums.low, sums.high = reduction.least(sums.low), reduction.most(sums.high)
    sums.mass = reduction.total(sums.mass)

    def agreed(value: float, flat: int, sign: float) -> tuple[float, int]:
        best = sign * float(reduction.most(np.array([sign * value]))[0])
        # of several places the first one, whatever the number of processes
        mine = float(flat) if value == best else math.inf
        return best, int(reduction.least(np.array([mine]))[0])

    sums.top = agreed(*sums.top, 1.0)
    sums.bottom = agreed(*sums.bottom, -1.0)
