"""The draws themselves: a pilot that says how many are needed, then as many, with all that was drawn kept on disk.

Draw j is the same noise for every node and every sigma, so that differences of u are known far better than u. What a
draw is depends on the seed and on j alone; sums are made draw by draw in their order, so that work which was
interrupted ends with equal results.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import math
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.crossings import Crossings
from heatpg.core.landscape import Landscape
from heatpg.core.slices import Sliced
from heatpg.errors import NonFiniteError, ResourceError, StoreError
from heatpg.planes.lattices import Lattice, folded, lattice
from heatpg.planes.moments import Moments, Repeats
from heatpg.planes.options import Cost, Draws
from heatpg.planes.points import MOST_DIMENSIONS, REPEATS, Noise, noise_of
from heatpg.planes.splitting import Split, Splitting
from heatpg.quadrature.seeded import is_seeded
from heatpg.tools.folders import expanded
from heatpg.tools.plain import canonical
from heatpg.tools.progress import LOGGER
from heatpg.tools.publishing import publish
from heatpg.tools.resources import require_memory

__all__ = ["CHECKED", "PILOT", "PLAIN", "Drawing", "plain_samples"]

Array = NDArray[np.float64]
Told = Callable[[int, int], object]

PILOT = 16
"""Pairs of draws of the pilot, from which a standard error is known to 18 %; an error of 5 % takes at most 100."""
CHECKED = 5
"""Nodes at which plain Monte Carlo is held against u: a taste."""
PLAIN = {"standard": 256, "full": 1024}
"""Draws of plain Monte Carlo by level of checks: a standard deviation of 6 % and 3 % of osc(Q) at most."""

_HELPS = 0.8  # variance of a pair over that of two single draws, below which pairs are taken; the pilot knows it to 1/3
_NUMBERS_PER_CALL = 2**20  # 8 MiB of coordinates: what a function makes of them fits in memory many times. A taste
_JUMP_DRAWS = 128  # know sigma_jump to 2 %, because they are common to nodes and sigmas
_SAVED_EVERY = 5.0  # seconds; a taste
_PROBED = 4  # nodes at which a function is compared with that of a state: a taste
_TRIAL = 256  # Sobol' points, 16 a repeat: fewer are no better than independent draws in 4 to 60 components
_TRIED_FROM = 512  # rollouts of a node without them: the trial is at most half of what is drawn in any case
_WORSE = 1.25  # variance of Sobol' points over that of other draws, above which they are not taken; known to 1/3
_SQUARED = 1e-100, 1e100  # values beyond these are scaled, as sums of their squares may leave the range of a double
# of a state that is kept, beside its moments
_FACTS = ("spent", "lowest", "highest", "oscillation", "pairs_variance", "sobol_variance", "antithetic", "_goal")


class Drawing:
    """The draws for one landscape and its sigmas.

    Parameters
    ----------
    landscape
        A slice, whose sampler knows all components.
    sampler
        That sampler.
    sigma
        Noise levels, ascending, shape (T,).
    splitting
        How noise is split.
    draws
        What the caller wants.
    beyond
        What lies beyond the box, as `heatpg.planes.lattices.lattice` takes it.
    """

    def __init__(
        self,
        landscape: Landscape,
        sampler: Sliced,
        sigma: Array,
        splitting: Splitting,
        draws: Draws,
        beyond: str = "",
    ) -> None:
        self.landscape, self.grid = landscape, landscape.grid
        self.sigma, self.splitting, self.draws = sigma, splitting, draws
        self.beyond = beyond
        self._whole: Any = sampler.whole
        self._basis = np.asarray(sampler.basis, dtype=np.float64)
        self._origin = np.asarray(sampler.embed(np.zeros((1, sampler.dimensions))))[0]
        self._seeds = len(self._whole.seeds) if is_seeded(self._whole) and hasattr(self._whole, "seeds") else 1
        # weights sum to one but for 5e-9 where sigma is one spacing, which is to be felt in osc(Q) and not in an offset
        floating = bool(beyond) or all(axis.boundary != "zero" for axis in self.grid)
        self.offset = float(landscape.values.mean()) if floating else 0.0
        self.exponent = _exponent_of(landscape)
        self._deviations = np.sqrt(splitting.solved)
        self._shape = (len(sigma), self._seeds, self.grid.shape)
        self.moments: Moments | Repeats = Moments.of(*self._shape)
        self.points = "random"
        self.sobol_variance = math.nan
        self.antithetic = bool(draws.antithetic)
        self.pairs_variance = math.nan
        self.lowest, self.highest = float(landscape.values.min()), float(landscape.values.max())
        self.oscillation = self._spread
        self.spent = 0
        self._seconds, self._timed = 0.0, 0
        self._goal = 0
        self._pilot_done = False
        # of the pilot and of the trial what is there so far
        self._pairs = np.zeros((0, 2, *self._field_shape))
        self._trial_sums: Repeats | None = None
        self._saved = time.monotonic()
        half, still = np.full(self.grid.dimensions, 0.5), Split(*(np.zeros(count) for count in self._sizes))
        points = sum(math.prod(len(each.places) for each in self._lattices(k, half, still)) for k in self._noisy)
        self._points = points
        self._block = max(1, min(64, _NUMBERS_PER_CALL // max(1, points * splitting.components)))
        require_memory(
            (3.0 + 2.0 * self._seeds + REPEATS * (1 + self._seeds)) * len(sigma) * self.grid.size * 8,
            f"draws of {self.grid.size:,} nodes at {len(sigma)} sigmas",
            "use fewer noise levels, or a coarser grid",
        )

    @property
    def _field_shape(self) -> tuple[int, ...]:
        """Of one draw."""
        levels, seeds, shape = self._shape
        return levels, seeds, *shape

    @property
    def _sizes(self) -> tuple[int, int, int]:
        return self.grid.dimensions, self.splitting.components, self.grid.dimensions

    @property
    def _noisy(self) -> Iterator[int]:
        return (level for level, sigma in enumerate(self.sigma) if sigma > 0)

    def _solved(self, level: int) -> bool:
        """Whether the lattice resolves the noise in the plane, which is then summed and not drawn."""
        return bool((self.sigma[level] * self._deviations >= np.array(self.grid.spacing)).all())

    def _lattices(self, level: int, shift: Array, split: Split) -> list[Lattice]:
        solved, sigma = self._solved(level), float(self.sigma[level])
        along = sigma * self._deviations * solved
        offset = sigma * (split.left if solved else split.along)
        return [
            lattice(axis, float(s), float(u), float(o), self.beyond)
            for axis, s, u, o in zip(self.grid, along, shift, offset, strict=True)
        ]

    def embedded(self, points: Array) -> Array:
        """Points of the plane in all components."""
        return np.asarray(self._origin + points @ self._basis)

    def _noise_of(self, kind: str) -> Noise:
        return noise_of(kind, self.draws.seed, self.splitting.components, self.grid.dimensions)

    def fields(self, numbers: Sequence[int], noise: Noise, *, pairs: bool) -> Array:
        """Fields of single draws less the offset, scaled, shape (draws, 1 or 2 for pairs, T, seeds, *grid)."""
        halves = 2 if pairs else 1
        found = np.zeros((len(numbers), halves, len(self.sigma), self._seeds, *self.grid.shape))
        begin = time.perf_counter()
        plan: list[tuple[tuple[int, int, int], list[Lattice], Array]] = []
        for row, number in enumerate(numbers):
            normal, extra, shift = noise(number)
            for half in range(halves):
                sign = 1.0 - 2.0 * half
                split = self.splitting.draw(sign * normal, sign * extra)
                for level in self._noisy:
                    lattices = self._lattices(level, shift if half == 0 else 1.0 - shift, split)
                    plan.append(((row, half, level), lattices, split.across))
        values = self.values(self._places(plan))
        for (row, half, level), lattices, _ in plan:
            shape = tuple(len(each.places) for each in lattices)
            count = math.prod(shape)
            field, values = values[:count].reshape(*shape, self._seeds), values[count:]
            for each in lattices:
                # the axis that was summed goes to the end, so that the next one is first
                field = np.moveaxis(np.tensordot(each.weights, field, axes=(1, 0)), 0, -1)
            found[row, half, level] = field
        self._seconds += time.perf_counter() - begin
        return found

    def _places(self, plan: Sequence[tuple[tuple[int, int, int], list[Lattice], Array]]) -> Iterator[Array]:
        """Where Q is asked, in all components; in parts, because with many components one draw alone is large."""
        most = max(1, _NUMBERS_PER_CALL // self.splitting.components)
        for (_, _, level), lattices, across in plan:
            mesh = np.stack(np.meshgrid(*(each.places for each in lattices), indexing="ij"), axis=-1)
            points = mesh.reshape(-1, len(lattices))
            for first in range(0, len(points), most):
                yield self.embedded(points[first : first + most]) + self.sigma[level] * across

    def values(self, places: Iterable[Array]) -> Array:
        """Q less the offset, scaled, at points in all components, shape (points, seeds)."""
        parts: list[Array] = []
        waiting: list[Array] = []
        size = 0
        for one in places:
            if waiting and size + one.size > _NUMBERS_PER_CALL:
                parts.append(self._ask(np.concatenate(waiting)))
                waiting, size = [], 0
            waiting.append(one)
            size += one.size
        if waiting:
            parts.append(self._ask(np.concatenate(waiting)))
        return np.concatenate(parts) if parts else np.zeros((0, self._seeds))

    def _given(self, points: Array) -> Array:
        """What the function returns, shape (points, seeds)."""
        given = self._whole.returns(points) if self._seeds > 1 else self._whole(points)
        return np.asarray(given, dtype=np.float64).reshape(len(points), self._seeds)

    def _ask(self, points: Array) -> Array:
        values = self._given(points)
        if not np.isfinite(values).all():
            first = int(np.argmin(np.isfinite(values).all(axis=1)))
            raise NonFiniteError(
                f"Q is not finite at {points[first].tolist()}",
                given=f"{values[first]}, first of {int((~np.isfinite(values)).sum())}",
                advice="noise reaches every point of space, so Q must be finite everywhere",
            )
        self.spent += values.size
        self._timed += values.size
        means = values.mean(axis=1)
        self.lowest, self.highest = min(self.lowest, float(means.min())), max(self.highest, float(means.max()))
        return self.scaled(values - self.offset)

    def scaled(self, values: Array | float) -> Array:
        """Differences of Q in the unit of the sums: a power of two, beyond the range of squares, else 1."""
        return np.asarray(values if not self.exponent else np.ldexp(values, -self.exponent))

    def restored(self, values: Array) -> Array:
        """The inverse of `scaled`."""
        return np.asarray(values if not self.exponent else np.ldexp(values, self.exponent))

    def moved(self, points: Array, sigma: float, normal: Array) -> Array:
        """Q less the offset, scaled, mean over seeds, at points of the plane that one draw of all noise moves."""
        split = self.splitting.draw(normal, np.zeros(self.grid.dimensions))
        moved, counts = points + sigma * split.along, np.ones(len(points), dtype=bool)
        for i, axis in enumerate(self.grid):
            inside, within = folded(moved[:, i] - axis.lower, float(axis.length), self.beyond or axis.boundary)
            moved[:, i], counts = axis.lower + inside, counts & within
        values = self.values([self.embedded(moved) + sigma * split.across]).mean(axis=1)
        return np.asarray(np.where(counts, values, self.scaled(-self.offset)))

    @property
    def _spread(self) -> float:
        """osc(Q) of all samples, with the 0 outside of walls where that is what lies there."""
        low, high = self.lowest, self.highest
        if any(rule == "zero" for rule in self._rules):
            low, high = min(low, 0.0), max(high, 0.0)
        return high - low

    @property
    def _rules(self) -> list[str]:
        return [self.beyond or axis.boundary for axis in self.grid]

    @property
    def edges(self) -> dict[str, Any] | None:
        """Noise along the axes that may cross walls beyond which Q is 0; None where there are none.

        Where all of the noise along the axes is drawn, that is, as lattices sum it elsewhere.
        """
        if "zero" not in self._rules:
            return None
        walls = np.array([rule == "zero" for rule in self._rules])
        whole = self.splitting.along * walls
        below = float((np.array(self.grid.spacing) / self._deviations).max())
        left = self.splitting.left * walls
        return {"deviations": np.sqrt(whole).tolist(), "below": below, "left": left.tolist()}

    @property
    def _unseen(self) -> Array | float:
        """Of the variance of u what crossings of walls make and the scatter of the draws does not show."""
        if not self.moments.count:
            return 0.0
        known = {"edges": self.edges, "points": self.points, "draws": self.moments.count, "antithetic": self.antithetic}
        seen, mean = self.moments.draws_error**2, self.moments.mean.mean(axis=1)
        unseen = Crossings.unseen(known, REPEATS, seen, self.grid, self.sigma, mean)
        return 0.0 if unseen is None else unseen

    @property
    def draws_error(self) -> Array:
        """Standard error of u over the draws alone, scaled, shape (T, *grid)."""
        return np.asarray(np.sqrt(self.moments.draws_error**2 + self._unseen))

    @property
    def error(self) -> Array:
        """Standard error of u over draws and seeds, scaled, shape (T, *grid)."""
        return np.asarray(np.sqrt(self.moments.error**2 + self._unseen))

    def _unit(self, pair: Array) -> Array:
        return np.asarray(pair.mean(axis=0) if self.antithetic else pair[0])

    def pilot(self, progress: Told | None = None) -> None:
        """The first draws, by which their kind and number are decided; once."""
        if self._pilot_done:
            return
        tell = progress or (lambda done, total: None)
        self._restore()
        if not self.moments.count:
            if self.draws.points == "sobol":
                self._require_pilot(_TRIAL)
                self._take_sobol(self._trial(tell))
            else:
                self._independent_pilot(tell)
        # also after a pilot that was kept when the budget did not allow for the trial
        if self._sobol_may_help:
            trial = self._trial(tell)
            worst = int(self.moments.variance.reshape(len(self.sigma), -1).mean(axis=1).argmax())
            best = float(self.moments.variance[worst].mean()) * (2 if self.antithetic else 1)
            self.sobol_variance = float(trial.variance[worst].mean()) / best if best > 0 else 1.0
            if self.sobol_variance < _WORSE:
                self._take_sobol(trial)
            self.oscillation = self._spread
        # also one that was begun and is not wanted any more
        self._pilot_done, self._trial_sums = True, None
        self._keep(now=True)

    def _require_pilot(self, draws: int) -> None:
        if draws * self._points * self._seeds > self.draws.budget:
            raise ResourceError(
                "the pilot draws exceed the budget",
                given=f"{draws} draws of {self._points * self._seeds:,} rollouts",
                allowed=f"{self.draws.budget:,} rollouts",
                advice="use fewer noise levels, a coarser grid, or Draws(budget=...)",
                command="use fewer noise levels, a coarser grid, or --draws budget=ROLLOUTS",
            )

    def _independent_pilot(self, tell: Told) -> None:
        self._require_pilot(2 * PILOT)
        noise = self._noise_of("random")
        LOGGER.info("pilot of %s draws: %s rollouts", 2 * PILOT, f"{2 * PILOT * self._points * self._seeds:,}")
        for number in range(len(self._pairs), PILOT):
            self._pairs = np.concatenate([self._pairs, self.fields([number], noise, pairs=True)])
            self._keep()
            tell(number + 1, PILOT)
        pairs, self._pairs = self._pairs, self._pairs[:0]
        means = pairs.mean(axis=3)  # over seeds
        single, opposite = means.var(axis=0, ddof=1).mean(axis=0), means.mean(axis=1).var(axis=0, ddof=1)
        nodes = tuple(range(1, single.ndim))
        worst = int(single.mean(axis=nodes).argmax())
        scale = float(single[worst].mean())
        self.pairs_variance = 2.0 * float(opposite[worst].mean()) / scale if scale > 0 else 1.0
        if self.draws.antithetic is None:
            self.antithetic = self.pairs_variance < _HELPS
        for pair in pairs:
            self.moments.add(self._unit(pair))
        self.oscillation = self._spread

    @property
    def _sobol_may_help(self) -> bool:
        # a count that was asked for stays as it is
        free = self.draws.points is None and self.draws.antithetic is None and self.draws.count is None
        fits = self.splitting.components + 2 * self.grid.dimensions <= MOST_DIMENSIONS
        draws = self.wanted * (2 if self.antithetic else 1)
        left = _TRIAL - (0 if self._trial_sums is None else self._trial_sums.count)
        affordable = self.spent + left * self._points * self._seeds <= self.draws.budget
        first = self.points == "random" and self.moments.count == PILOT and math.isnan(self.sobol_variance)
        return first and free and fits and affordable and draws >= _TRIED_FROM

    def _trial(self, tell: Told) -> Repeats:
        trial, noise = self._trial_sums or Repeats.of(*self._shape), self._noise_of("sobol")
        self._trial_sums = trial
        while trial.count < _TRIAL:
            first = trial.count
            for pair in self.fields(range(first, min(first + self._block, _TRIAL)), noise, pairs=False):
                trial.add(pair[0])
            self._keep()
            tell(trial.count, _TRIAL)
        self._trial_sums = None
        return trial

    def _take_sobol(self, trial: Repeats) -> None:
        self.points, self.antithetic, self.moments = "sobol", False, trial
        self.oscillation = self._spread

    @property
    def _each(self) -> int:
        """Rollouts of a draw, or pair."""
        return self._points * self._seeds * (2 if self.antithetic else 1)

    def _needed(self, error: float) -> int:
        if self.oscillation == 0:
            return self.moments.count
        least = error * float(self.scaled(self.oscillation))
        return max(PILOT, math.ceil(self.moments.count * float(self.draws_error.max() / least) ** 2))

    @property
    def _seeds_error(self) -> float:
        """The largest standard error over the seeds alone, in units of osc(Q)."""
        if self._seeds == 1 or self.oscillation == 0:
            return 0.0
        squares = (self.moments.error**2 - self.moments.draws_error**2)[np.asarray(self.sigma) > 0]
        most = math.sqrt(max(0.0, float(squares.max(initial=0.0))))
        return most / float(self.scaled(self.oscillation))

    @property
    def wanted(self) -> int:
        """How many draws there are to be, by what is known now."""
        count = self.draws.count or self._needed(self.draws.error)
        if self.points == "random":
            return count
        # Sobol' points are balanced in powers of two only
        return int(max(_TRIAL, REPEATS * 2 ** math.ceil(math.log2(count / REPEATS))))

    @property
    def cost(self) -> Cost:
        """What the draws cost, by what is known now."""
        count, done = max(self.wanted, self.moments.count), self.moments.count
        left = (count - done) * self._each
        pace = self._seconds / self._timed if self._timed else 0.0
        noisy = len(list(self._noisy))
        return Cost(
            draws=count,
            antithetic=self.antithetic,
            points=self.points,
            rollouts=self.spent + left,
            spent=self.spent,
            seconds=pace * left,
            error=None if self.draws.count else self.draws.error,
            oscillation=self.oscillation,
            pairs_variance=self.pairs_variance,
            sobol_variance=self.sobol_variance,
            asked=self.draws.count,
            at_five_percent=self.spent + max(0, self._needed(0.05) - done) * self._each,
            for_jump=self.spent + max(0, _JUMP_DRAWS - done) * self._each,
            sigmas=max(1, noisy),
            checks=CHECKED * PLAIN["standard"] * min(2, noisy) * self._seeds,
            seeds_error=self._seeds_error,
        )

    def run(self, progress: Told | None = None) -> None:
        """All draws: pilot, cost, and what is left, in blocks."""
        self.pilot()
        cost = self.cost
        if cost.rollouts > self.draws.budget:
            # what was asked for is to be asked for again
            count = self.draws.count
            kept = f"error={self.draws.error:g}" if count is None else f"count={count}"
            raise ResourceError(
                "the draws exceed the budget",
                given=str(cost),
                allowed=f"{self.draws.budget:,} rollouts",
                advice=f"{cost.alternatives}; or raise the budget: Draws({kept}, budget={cost.rollouts})",
                command=f"{cost.choices('--draws count=128')}; or raise the budget: --draws {kept} "
                f"--draws budget={cost.rollouts}",
            )
        noise = self._noise_of(self.points)
        while self.moments.count < self._goal or self._raised_goal():
            while self.moments.count < self._goal:
                first = self.moments.count
                numbers = range(first, min(first + self._block, self._goal))
                for pair in self.fields(numbers, noise, pairs=self.antithetic):
                    self.moments.add(self._unit(pair))
                self._keep()
                if progress is not None:
                    progress(self.moments.count, self._goal)
        self._keep(now=True)

    def _raised_goal(self) -> bool:
        """Whether more draws are wanted by what is known now; decided at goals alone, and so alike after a pause."""
        wanted, count = self.wanted, self.moments.count
        # what a better known variance asks for beyond the budget is left to the report
        room = (self.draws.budget - self.spent) // max(1, self._each)
        if self.points == "sobol":
            # their variance falls faster than 1 / N, so that fewer than these may be enough
            wanted, room = min(wanted, 2 * count), room - room % REPEATS
        self._goal = min(wanted, count + room)
        return self._goal > count

    # what was drawn, on disk

    @property
    def _identity(self) -> str:
        facts = {
            "provenance": self.landscape.provenance,
            "grid": [dataclasses.replace(axis, label="").as_dict() for axis in self.grid],
            "sigma": self.sigma.tolist(),
            "seed": self.draws.seed,
            "antithetic": self.draws.antithetic,
            "points": self.draws.points,
            "in_plane": self.splitting.in_plane.tolist(),
            "kind": self.splitting.kind,
            "beyond": self.beyond,
        }
        data = (
            self.landscape.values,
            self._origin,
            self._basis,
            self._first_across,
            self._beside_the_plane,
        )
        digest = hashlib.sha256(canonical(facts).encode())
        for each in data:
            digest.update(np.ascontiguousarray(each, dtype=np.float64).tobytes())
        return digest.hexdigest()

    @functools.cached_property
    def _first_across(self) -> Array:
        """Where the first draw goes off the plane, of unit noise."""
        return self.splitting.draw(*self._noise_of("random")(0)[:2]).across

    @functools.cached_property
    def _beside_the_plane(self) -> Array:
        """Q where the first draw takes some nodes: functions that agree on the plane may differ there."""
        nodes = self.grid.nodes()
        some = nodes[np.linspace(0, len(nodes) - 1, min(_PROBED, len(nodes))).round().astype(int)]
        return self._given(self.embedded(some) + self.sigma.max() * self._first_across)

    def _keep(self, *, now: bool = False) -> None:
        if self.draws.state is None or not (now or time.monotonic() - self._saved >= _SAVED_EVERY):
            return
        content = io.BytesIO()
        kept: dict[str, Any] = {name: np.asarray(value) for name, value in vars(self.moments).items()}
        if len(self._pairs):
            kept["pilot"] = self._pairs
        if self._trial_sums is not None:
            kept |= {f"trial_{name}": np.asarray(value) for name, value in vars(self._trial_sums).items()}
        facts = np.array([float(getattr(self, name)) for name in _FACTS])
        np.savez(content, identity=np.array(self._identity), facts=facts, points=np.array(self.points), **kept)
        publish(content.getvalue(), self.draws.state, force=True)
        self._saved = time.monotonic()

    def _restore(self) -> None:
        """Take up a state of the same work, if there is one."""
        path = None if self.draws.state is None else Path(expanded(self.draws.state))
        if path is None or not path.exists():
            return
        if path.is_dir():
            raise StoreError(f"{path} is a directory", allowed="a file for the state of draws")
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as found:
                kept = {name: found[name] for name in found.files}
            if str(kept.pop("identity")) != self._identity:
                raise StoreError(
                    f"{path} contains the state of other draws",
                    given="another function, landscape, boundary, sigma, covariance, seed or kind of draws",
                    advice="pass another file, or remove this one",
                )
            points = str(kept.pop("points"))
            facts = dict(zip(_FACTS, kept.pop("facts").tolist(), strict=True))
            pairs = kept.pop("pilot", self._pairs)
            trial = {name: kept.pop(name) for name in list(kept) if name.startswith("trial_")}
            moments = self._sums_of(Repeats if points == "sobol" else Moments, kept)
            tried = self._sums_of(Repeats, {name.removeprefix("trial_"): trial[name] for name in trial})
            # before the end of the pilot there is no sum, and after it none of its draws
            begun = moments.count == 0 and (len(pairs) > 0 or tried.count > 0)
            if not begun and (moments.count < PILOT or len(pairs)):
                raise ValueError("sums of too few draws")
            if pairs.shape[1:] != self._pairs.shape[1:] or len(pairs) > PILOT:
                raise ValueError("arrays of another shape")
        except StoreError:
            raise
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as reason:
            raise StoreError(f"{path} does not contain the state of draws", given=reason, advice="remove it") from None
        self.moments, self.points, self._pairs = moments, points, pairs
        self._trial_sums = tried if isinstance(tried, Repeats) and tried.count else None
        for name, value in facts.items():
            setattr(self, name, value)
        self.spent, self.antithetic = int(self.spent), bool(self.antithetic)
        self._goal = int(self._goal)

    def _sums_of(self, kind: type[Moments] | type[Repeats], kept: dict[str, Any]) -> Moments | Repeats:
        """Sums from what was kept of them."""
        if not kept:
            return kind.of(*self._shape)
        count, empty = int(kept.pop("count")), vars(kind.of(*self._shape))
        if count < 0 or any(np.shape(one) != np.shape(empty[name]) for name, one in kept.items()):
            raise ValueError("arrays of another shape")
        return kind(count, **kept)


def _exponent_of(landscape: Landscape) -> int:
    """The power of two to be taken out of Q, so that squares stay within the range of a double; usually 0."""
    size = float(np.abs(landscape.values).max())
    return 0 if size == 0 or _SQUARED[0] <= size <= _SQUARED[1] else math.frexp(size)[1]


def plain_samples(drawing: Drawing, points: Array, sigma: float, count: int, seed: int) -> Array:
    """Q less the offset, scaled, under noise in all components, by plain Monte Carlo; shape (points, count).

    Nothing of the split, of lattices or of weights is in it. Each draw is common to all points; seeds are averaged.
    """
    # a child of another seed: none of the draws that it is held against is among them
    random = np.random.default_rng(np.random.SeedSequence((seed, 1)))
    found = np.empty((len(points), count))
    for column in range(count):
        normal = random.standard_normal(drawing.splitting.components)
        found[:, column] = drawing.moved(points, sigma, normal)
    return found
