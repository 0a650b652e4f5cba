"""Rollouts of held actions in MuJoCo without the environment around it: in threads, on copies of its state.

An action that is held needs no observation, so what is left of a step of Gymnasium is `mujoco.mj_step`, which lets
other threads run, and the reward, which is written here for all steps at once. It is used where it gives what the
environment gives: for environments of Gymnasium by their exact type, under wrappers that change nothing, and only after
some rollouts have been held against `env.step`. `mujoco.rollout` does not serve: it returns no warm start, so that a
rollout in pieces, which leave out who has fallen, would go on otherwise than the environment.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.landscapes._stage import Plan, Stage
from heatpg.tools.parallel import for_each

__all__ = ["PIECE", "Simulation", "simulation_of"]

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


def _running(core: Any, positions: Vector, velocities: Vector, cost: float) -> tuple[Vector, NDArray[np.bool_] | None]:
    """Half-cheetahs and swimmers: the speed along x less the cost of control; no end."""
    speed = np.diff(positions[:, 0]) / core.dt
    return core._forward_reward_weight * speed - cost, None


def _hopping(core: Any, positions: Vector, velocities: Vector, cost: float) -> tuple[Vector, NDArray[np.bool_] | None]:
    """Hoppers: with a reward for being healthy, and an end where they are not."""
    states = np.concatenate([positions[1:], velocities[1:]], axis=1)[:, 2:]
    low, high = core._healthy_state_range
    healthy = ((low < states) & (states < high)).all(axis=1)
    return _upright(core, positions, cost, healthy)


def _walking(core: Any, positions: Vector, velocities: Vector, cost: float) -> tuple[Vector, NDArray[np.bool_] | None]:
    """Walkers: as hoppers, without a range of states."""
    return _upright(core, positions, cost, np.ones(len(positions) - 1, dtype=bool))


def _upright(
    core: Any, positions: Vector, cost: float, healthy: NDArray[np.bool_]
) -> tuple[Vector, NDArray[np.bool_] | None]:
    height, angle = positions[1:, 1], positions[1:, 2]
    for value, (low, high) in ((height, core._healthy_z_range), (angle, core._healthy_angle_range)):
        healthy = healthy & (low < value) & (value < high)
    speed = np.diff(positions[:, 0]) / core.dt
    # in the order of the environments, so that the sums are rounded alike
    reward = core._forward_reward_weight * speed + healthy * core._healthy_reward - cost
    return reward, ~healthy if core._terminate_when_unhealthy else None


_Reward = Callable[[Any, Vector, Vector, float], tuple[Vector, NDArray[np.bool_] | None]]
_REWARDS: dict[str, _Reward] = {
    "gymnasium.envs.mujoco.half_cheetah_v5.HalfCheetahEnv": _running,
    "gymnasium.envs.mujoco.swimmer_v5.SwimmerEnv": _running,
    "gymnasium.envs.mujoco.hopper_v5.HopperEnv": _hopping,
    "gymnasium.envs.mujoco.walker2d_v5.Walker2dEnv": _walking,
}


def simulation_of(stage: Stage, plan: Plan) -> Simulation | None:
    """A simulation of the environment, if nothing in or around it forbids that."""
    core = stage.core
    reward = _REWARDS.get(f"{type(core).__module__}.{type(core).__qualname__}")
    snapshot = stage.snapshot
    if reward is None or plan.kind != "actions" or plan.policy is not None or snapshot is None:
        return None
    # a method that somebody has put onto the object would be passed over
    if any(callable(value) and name in dir(type(core)) for name, value in vars(core).items()):
        return None
    wrappers = [type(layer) for layer in stage.layers[1:]]
    passive = all(kind.__module__.startswith("gymnasium.wrappers.") and kind.__name__ in _PASSIVE for kind in wrappers)
    if not passive or core.render_mode is not None or len(snapshot.physics) != 1:
        return None
    return Simulation(core, snapshot.physics[0][2], reward, plan)


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
        if multiprocessing.parent_process() is None:
            for_each(work, pieces)
        else:
            # the processors are taken by the other workers
            for rows in pieces:
                work(rows)
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
            rewards, fallen = self.reward(self.core, positions, velocities, cost)
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

    def agrees(self, found: float, expected: float) -> bool:
        """Whether a return is that of the environment."""
        return abs(found - expected) <= _AGREEMENT * max(1.0, abs(expected))
