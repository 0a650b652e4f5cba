"""Rollouts in MuJoCo without the environment around it: in threads, on copies of its state.

What is left of a step of Gymnasium is `mujoco.mj_step`, which lets other threads run, the reward, and what a policy
observes; the last two are written here, for many steps or many rollouts at once. It is used where it gives what the
environment gives: for environments of Gymnasium by their exact type, under wrappers that change nothing, and only after
some rollouts have been held against `env.step`. `mujoco.rollout` does not serve: it returns no warm start, so that a
rollout in pieces, which leave out who has fallen, would go on otherwise than the environment.
"""

from __future__ import annotations

import dataclasses
import math
import multiprocessing
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.landscapes._stage import Plan, Stage
from heatpg.tools.parallel import for_each, threads

__all__ = ["PIECE", "Simulation", "Steering", "agree", "simulation_of", "steering_of"]

Vector = NDArray[np.float64]
Array = NDArray[Any]

PIECE = 128
"""Points that are handed over at once, and between two calls of a progress: a taste, half a second of a cheetah."""

_ROWS = 16  # rollouts that a thread takes at a time; a taste
_STEPS = (
    10  # after which it is asked who has fallen: asking costs about a step, a fall in the middle wastes half of them
)
_AGREEMENT = 1e-12  # of the return, against env.step: the same additions in the same order
# of a step of time: after numbers that are not finite MuJoCo resets itself, and its clock with it
_CLOCK = 1e-3
_PASSIVE = ("OrderEnforcing", "PassiveEnvChecker", "TimeLimit")  # wrappers of Gymnasium that change no number


def _running(
    core: Any, before: Vector, positions: Vector, velocities: Vector, cost: Any
) -> tuple[Vector, NDArray[np.bool_] | None]:
    """Half-cheetahs and swimmers: the speed along x less the cost of control; no end."""
    speed = (positions[:, 0] - before[:, 0]) / core.dt
    return core._forward_reward_weight * speed - cost, None


def _hopping(
    core: Any, before: Vector, positions: Vector, velocities: Vector, cost: Any
) -> tuple[Vector, NDArray[np.bool_] | None]:
    """Hoppers: with a reward for being healthy, and an end where they are not."""
    states = np.concatenate([positions, velocities], axis=1)[:, 2:]
    low, high = core._healthy_state_range
    healthy = ((low < states) & (states < high)).all(axis=1)
    return _upright(core, before, positions, cost, healthy)


def _walking(
    core: Any, before: Vector, positions: Vector, velocities: Vector, cost: Any
) -> tuple[Vector, NDArray[np.bool_] | None]:
    """Walkers: as hoppers, without a range of states."""
    return _upright(core, before, positions, cost, np.ones(len(positions), dtype=bool))


def _upright(
    core: Any, before: Vector, positions: Vector, cost: Any, healthy: NDArray[np.bool_]
) -> tuple[Vector, NDArray[np.bool_] | None]:
    height, angle = positions[:, 1], positions[:, 2]
    for value, (low, high) in ((height, core._healthy_z_range), (angle, core._healthy_angle_range)):
        healthy = healthy & (low < value) & (value < high)
    speed = (positions[:, 0] - before[:, 0]) / core.dt
    # in the order of the environments, so that the sums are rounded alike
    reward = core._forward_reward_weight * speed + healthy * core._healthy_reward - cost
    return reward, ~healthy if core._terminate_when_unhealthy else None


# from positions before and after each step, velocities after it, and the cost of control
_Reward = Callable[[Any, Vector, Vector, Vector, Any], tuple[Vector, NDArray[np.bool_] | None]]


@dataclasses.dataclass(frozen=True)
class _System:
    """What an environment makes of the state of MuJoCo.

    Attributes
    ----------
    reward
        Rewards, and who has fallen.
    places
        How many positions along the way an observation leaves out, if the environment is to leave them out.
    fastest
        At which velocities, either way, an observation ends.
    """

    reward: _Reward
    places: int
    fastest: float = math.inf

    def observe(self, core: Any, positions: Vector, velocities: Vector) -> Vector:
        """What a policy is given, a row for each rollout."""
        if core._exclude_current_positions_from_observation:
            positions = positions[:, self.places :]
        return np.concatenate([positions, np.clip(velocities, -self.fastest, self.fastest)], axis=1)


_SYSTEMS = {
    "gymnasium.envs.mujoco.half_cheetah_v5.HalfCheetahEnv": _System(_running, 1),
    "gymnasium.envs.mujoco.swimmer_v5.SwimmerEnv": _System(_running, 2),
    "gymnasium.envs.mujoco.hopper_v5.HopperEnv": _System(_hopping, 1, 10.0),
    "gymnasium.envs.mujoco.walker2d_v5.Walker2dEnv": _System(_walking, 1, 10.0),
}


def _system_of(stage: Stage) -> _System | None:
    """The system of an environment, if nothing in or around it forbids to do without it."""
    core = stage.core
    system = _SYSTEMS.get(f"{type(core).__module__}.{type(core).__qualname__}")
    snapshot = stage.snapshot
    if system is None or snapshot is None:
        return None
    # a method that somebody has put onto the object would be passed over
    if any(callable(value) and name in dir(type(core)) for name, value in vars(core).items()):
        return None
    wrappers = [type(layer) for layer in stage.layers[1:]]
    passive = all(kind.__module__.startswith("gymnasium.wrappers.") and kind.__name__ in _PASSIVE for kind in wrappers)
    return system if passive and core.render_mode is None and len(snapshot.physics) == 1 else None


def simulation_of(stage: Stage, plan: Plan) -> Simulation | None:
    """A simulation of held actions, if nothing in or around the environment forbids that."""
    if plan.kind != "actions" or plan.policy is not None or (system := _system_of(stage)) is None:
        return None
    assert stage.snapshot is not None
    return Simulation(stage.core, stage.snapshot.physics[0][2], system.reward, plan)


def steering_of(stage: Stage, plan: Plan) -> Steering | None:
    """A simulation under a batched policy, if nothing in or around the environment forbids that."""
    if not plan.batched or (system := _system_of(stage)) is None:
        return None
    assert stage.snapshot is not None
    return Steering(stage.core, stage.snapshot.physics[0][2], system, plan)


def _on_threads(work: Callable[[range], object], pieces: list[range]) -> None:
    if multiprocessing.parent_process() is None:
        for_each(work, pieces)
    else:
        # the processors are taken by the other workers
        for rows in pieces:
            work(rows)


def agree(found: Any, expected: Any) -> bool:
    """Whether returns, or whole rollouts, are those of the environment."""
    return bool((np.abs(found - expected) <= _AGREEMENT * np.maximum(1.0, np.abs(expected))).all())


@dataclasses.dataclass
class Simulation:
    """Returns of held actions from one state.

    Parameters
    ----------
    core
        The environment within its wrappers; asked for its constants and its cost of control.
    origin
        The mjData of the state.
    reward
        Rewards and ends of all steps from positions and velocities.
    plan
        Horizon and discount.
    """

    core: Any
    origin: Any
    reward: _Reward
    plan: Plan
    tried: bool = False

    def returns(self, actions: list[Array]) -> tuple[Vector, NDArray[np.bool_], NDArray[np.bool_]]:
        """Return, whether it ended early, and whether the simulation was sound, for each action."""
        import mujoco

        found, ended, sound = np.zeros(len(actions)), np.zeros(len(actions), bool), np.zeros(len(actions), bool)
        costs = [self.core.control_cost(action) for action in actions]

        def work(rows: range) -> None:
            # of each thread its own; the model is only read
            data = mujoco.MjData(self.core.model)
            for row in rows:
                found[row], ended[row], sound[row] = self._one(data, actions[row], costs[row])

        pieces = [range(begin, min(begin + _ROWS, len(actions))) for begin in range(0, len(actions), _ROWS)]
        _on_threads(work, pieces)
        return found, ended, sound

    def _one(self, data: Any, action: Array, cost: float) -> tuple[float, bool, bool]:
        import mujoco

        model, frames = self.core.model, self.core.frame_skip
        horizon, gamma = self.plan.rollout.horizon, self.plan.rollout.gamma
        mujoco.mj_copyData(data, model, self.origin)
        # whatever was left there from before
        data.ctrl[:] = action
        advance, position, velocity = mujoco.mj_step, data.qpos, data.qvel
        begin, lapse = data.time, self.core.dt
        total, weight, done = 0.0, 1.0, 0
        ends = hasattr(self.core, "_terminate_when_unhealthy") and self.core._terminate_when_unhealthy
        while done < horizon:
            count = min(_STEPS, horizon - done) if ends else horizon
            positions, velocities = np.empty((count + 1, model.nq)), np.empty((count + 1, model.nv))
            clock = np.empty(count)
            positions[0], velocities[0] = position, velocity
            for k in range(count):
                advance(model, data, frames)
                positions[k + 1], velocities[k + 1], clock[k] = position, velocity, data.time
            rewards, fallen = self.reward(self.core, positions[:-1], positions[1:], velocities[1:], cost)
            last = count
            if fallen is not None and fallen.any():
                last = int(np.argmax(fallen)) + 1
            expected = begin + lapse * np.arange(done + 1, done + last + 1)
            late = np.abs(clock[:last] - expected).max() > _CLOCK * lapse
            if late or not np.isfinite(rewards[:last]).all():
                return 0.0, False, False
            # one by one, as in the environment, so that the sum is rounded alike
            for reward in rewards[:last].tolist():
                total += weight * reward
                weight *= gamma
            done += last
            if last < count or (fallen is not None and fallen[last - 1]):
                return total, done < horizon, True
        return total, False, True


@dataclasses.dataclass
class Steering:
    """Returns from one state under a policy that is asked for many rollouts at once.

    Parameters
    ----------
    core, origin, plan
        As of `Simulation`.
    system
        Rewards, ends and observations.
    kept
        Copies of the state to roll out from.
    """

    core: Any
    origin: Any
    system: _System
    plan: Plan
    tried: bool = False
    kept: list[Any] = dataclasses.field(default_factory=list)

    def returns(self, count: int, first: Any, act: Callable[[int, Vector, list[int]], list[Array]]) -> Array | None:
        """Return, and whether it ended early, of so many rollouts, shape (3, count); None where MuJoCo met a fault.

        Parameters
        ----------
        count
            Number of rollouts.
        first
            What is observed at the state.
        act
            Actions of those that still run, from the step, all observations, and their numbers. An observation of a
            rollout that has ended stays what it was, so that the batch keeps its size.
        """
        import mujoco

        model, frames, rollout = self.core.model, self.core.frame_skip, self.plan.rollout
        # kept, because making one takes as long as some hundred steps
        self.kept.extend(mujoco.MjData(model) for _ in range(count - len(self.kept)))
        every = self.kept[:count]
        for data in every:
            mujoco.mj_copyData(data, model, self.origin)
        advance = mujoco.mj_step
        begin, lapse = float(self.origin.time), self.core.dt
        positions = np.array([data.qpos for data in every])
        velocities, clock = np.array([data.qvel for data in every]), np.empty(count)
        observations = np.repeat(np.asarray(first)[None], count, axis=0)
        found, running, weight = np.zeros((3, count)), list(range(count)), 1.0
        for step in range(rollout.horizon):
            actions = act(step, observations, running)
            # as the method control_cost of the environments, for all rollouts at once
            costs = self.core._ctrl_cost_weight * np.sum(np.square(np.array(actions)), axis=1)
            before = positions.copy()
            given = dict(zip(running, actions, strict=True))

            def work(rows: range, running: list[int] = running, given: dict[int, Array] = given) -> None:
                for row in (running[i] for i in rows):
                    data = every[row]
                    data.ctrl[:] = given[row]
                    advance(model, data, frames)
                    positions[row], velocities[row], clock[row] = data.qpos, data.qvel, data.time

            size = max(1, -(-len(running) // threads()))
            _on_threads(work, [range(i, min(i + size, len(running))) for i in range(0, len(running), size)])
            rewards, fallen = self.system.reward(
                self.core, before[running], positions[running], velocities[running], costs
            )
            late = np.abs(clock[running] - (begin + lapse * (step + 1))).max() > _CLOCK * lapse
            if late or not np.isfinite(rewards).all():
                return None
            found[0, running] += weight * rewards
            weight *= rollout.gamma
            observations[running] = self.system.observe(self.core, positions[running], velocities[running])
            if fallen is not None and fallen.any():
                for row in (row for row, down in zip(running, fallen, strict=True) if down):
                    found[1, row] = step + 1 < rollout.horizon
                running = [row for row, down in zip(running, fallen, strict=True) if not down]
                if not running:
                    break
        return found
