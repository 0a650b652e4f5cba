"""The work on many points, who does it, and what is to be known of it afterwards."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import math
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.landscapes._chance import Chance, spread_first
from heatpg.landscapes._episodes import BATCH, Episodes, Results
from heatpg.landscapes._policies import name_of
from heatpg.landscapes._request import Request
from heatpg.landscapes._simulations import PIECE
from heatpg.landscapes._snapshot import load_gymnasium
from heatpg.landscapes._stage import Plan
from heatpg.landscapes._workers import on_workers
from heatpg.tools.warn import warn_caller

__all__ = ["Progress", "Sampling", "provenance_of"]

Vector = NDArray[np.float64]
Progress = Callable[[int, int], object]
_MOST_COORDINATES = 1000  # a taste: provenance is stored with every evolution, and stays small


def _digest(numbers: Vector) -> str:
    # little-endian whatever the machine, so that equal parameters have equal digests
    return hashlib.sha256(np.ascontiguousarray(numbers, dtype="<f8").tobytes()).hexdigest()


@dataclasses.dataclass
class Sampling:
    """The work, and who does it: this process or others."""

    plan: Plan
    workers: int
    episodes: Episodes
    turn: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def run(self, points: Vector, progress: Progress | None = None, *, tell: bool = False) -> Results:
        """Every point with every seed; on the way it is told if the seeds change nothing."""
        if not len(points):
            # a sampler may be asked for no points at all
            empty = np.empty((0, len(self.plan.rollout.seed_numbers)))
            return Results(empty, empty.astype(bool), empty.astype(bool))
        # pieces are small enough that work is spread evenly, and progress is told often
        length = self._piece(len(points))
        pieces = [points[i : i + length] for i in range(0, len(points), length)]
        # what is told after the first pieces is to be true of the whole box
        order = spread_first(len(pieces))
        chance = Chance(len(points), len(pieces), self.plan)
        found: dict[int, Results] = {}
        done = 0
        if self.workers:
            results = on_workers(Episodes, self.plan, [pieces[number] for number in order], self.workers)
        else:
            results = ((i, self.episodes.work(pieces[number])) for i, number in enumerate(order))
        for place, result in results:
            # workers answer in any order; results are kept by number, so that none depends on it
            number = order[place]
            found[number] = result
            if tell and (remark := chance.look(result.returns)):
                warn_caller(remark)
            done += len(pieces[number])
            if progress is not None:
                progress(done, len(points))
        ordered = [found[number] for number in range(len(pieces))]
        return Results(
            *(
                np.concatenate([getattr(result, field.name) for result in ordered])
                for field in dataclasses.fields(Results)
            )
        )

    def _piece(self, points: int) -> int:
        # a batch of another size rounds otherwise in the matrix products of a network, so it is always the same
        if self.plan.batched:
            return BATCH
        if self.episodes.simulation is not None and not self.workers:
            return PIECE
        # 16 pieces a worker: the last one to end keeps the others waiting for about a sixteenth of its work
        return 1 if not self.workers else min(BATCH, math.ceil(points / (16 * self.workers)))

    def leave_as_found(self) -> None:
        # only the first stage can be an environment that was given; the others were made here
        self.episodes.stages[0].leave_as_found()
        # a policy that holds its parameters has had those of the last point
        if hasattr(self.plan.policy, "set_flat_parameters") and self.plan.origin is not None:
            self.plan.policy.set_flat_parameters(self.plan.origin.copy())

    def try_twice(self, point: Vector) -> None:
        """Tell of what is worth a warning, among it whether one rollout repeats."""
        for remark in self.episodes.stages[0].remarks:
            warn_caller(remark)
        # what does not repeat here has no landscape that another run could reproduce
        first, again = (self.episodes.first(point) for _ in range(2))
        if first != again:
            warn_caller(
                f"returns are not reproducible: {first!r}, then {again!r} at one point with one seed. The environment "
                f"or the policy draws random numbers that do not depend on the seed; a policy can draw from its "
                f"keyword generator"
            )
        elif self.workers:
            # each worker compares its own rollout with this one before it begins
            self.plan = dataclasses.replace(self.plan, reference=(point, first))

    def returns(self, points: Vector) -> Vector:
        """Returns at any points with every seed, shape (points, seeds), in this process."""
        with self.turn:
            # a sampler is asked often and for few points, and starting processes takes seconds
            here = dataclasses.replace(self, workers=0)
            try:
                return here.run(points).returns
            finally:
                self.leave_as_found()

    def sample(self, points: Vector) -> Vector:
        """Mean returns at any points, in this process."""
        return np.asarray(self.returns(points).mean(axis=1))


def _state_in_words(state: Any, seeds: tuple[int, ...], restores: bool) -> Any:
    # where every rollout begins at one state, the first seed made it; else each begins with its own
    if state is None:
        return {"reset": seeds[0]} if restores else {"reset": list(seeds)}
    if isinstance(state, int):
        return {"reset": state}
    if isinstance(state, np.ndarray):
        return state.tolist()
    return state if isinstance(state, str) else {"function": name_of(state)}


def provenance_of(sampling: Sampling, request: Request, results: Results | None) -> dict[str, Any]:
    """All that the results depend on, and what has become of the rollouts, if there were some already."""
    plan, rollout, stage = sampling.plan, sampling.plan.rollout, sampling.episodes.stages[0]
    # an own environment that was never registered has no id
    spec = getattr(stage.environment, "spec", None)
    parameters: dict[str, Any] = {
        "kind": plan.kind,
        "environment": str(spec.id) if spec is not None else name_of(stage.core),
        "environment_options": {str(key): _plain(value) for key, value in plan.options.items()},
        "gymnasium": str(load_gymnasium().__version__),
        "policy": None if plan.policy is None else name_of(plan.policy),
        "batched_policy": plan.batched,
        "horizon": rollout.horizon,
        "gamma": rollout.gamma,
        "seeds": list(rollout.seed_numbers),
        "state": _state_in_words(plan.state, rollout.seed_numbers, plan.restores),
        "after": plan.prefix.tolist(),
        "restored": stage.restored,
        "nan": rollout.nan,
        "clip": rollout.clip,
    }
    if results is not None:
        parameters |= {"ended_early": float(results.ended.mean()), "not_finite": float(results.replaced.mean())}
    # results of a simulator depend on its version, which Gymnasium does not tell
    if any(type(value).__module__.startswith("mujoco") for value in vars(stage.core).values()):
        parameters["mujoco"] = importlib.metadata.version("mujoco")
    if plan.action is not None:
        parameters |= {
            "components": list(plan.components),
            "action": plan.action.tolist(),
            "action_type": str(rollout.action_type or stage.environment.action_space.dtype),
        }
        assert request.low is not None and request.high is not None
        parameters |= {"lower": request.low.tolist(), "upper": request.high.tolist()}
    directions = request.directions
    if directions is not None:
        parameters["directions"] = {
            "kind": directions.kind,
            "seed": directions.seed,
            "lengths": directions.lengths.tolist(),
            "cosines": directions.cosines.tolist(),
            "digest": _digest(directions.vectors),
            "explained": None if directions.explained is None else directions.explained.tolist(),
            # with these the path of a training can be drawn over a stored landscape
            "coordinates": directions.coordinates.tolist()
            if directions.coordinates is not None and directions.coordinates.size <= _MOST_COORDINATES
            else None,
        }
    if plan.origin is not None:
        # a network has too many numbers for provenance: how many there are, and a digest to compare by
        parameters |= {"parameters": plan.origin.size, "parameters_digest": _digest(plan.origin)}
    return {"source": "gymnasium", "parameters": parameters}


def _plain(value: Any) -> Any:
    """An option as it can stand in a file."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return {str(k): _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else name_of(value)
