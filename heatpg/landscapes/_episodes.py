"""Rollouts in environments of Gymnasium: returns summed, actions made to fit, errors told with their place."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from heatpg.errors import GridError, HeatpgError, NonFiniteError, OptionError, RolloutError, UnsupportedError
from heatpg.landscapes._policies import call_advice, keywords
from heatpg.landscapes._simulations import Simulation, Steering, agree, simulation_of, steering_of
from heatpg.landscapes._snapshot import load_gymnasium
from heatpg.landscapes._stage import Plan, Stage
from heatpg.landscapes.directions import without_gradient
from heatpg.tools.arrays import real_numbers, unmasked

__all__ = ["BATCH", "Episodes", "Results", "require_size"]

_POLICY, _ENVIRONMENT = "the policy", "the environment"

BATCH = 64  # environments side by side; fixed, so that no result depends on the number of workers

Array = NDArray[Any]
Vector = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Results:
    """What has become of rollouts, shape (points, seeds) each.

    Parameters
    ----------
    returns
        Discounted sums of rewards.
    ended
        Whether the rollout ended before the horizon.
    replaced
        Whether it ended at a reward that is not finite, for which another stands.
    """

    returns: Vector
    ended: NDArray[np.bool_]
    replaced: NDArray[np.bool_]


def _number(reward: Any) -> float:
    # a tensor that still knows its gradient is taken without it, as actions are; of a mask float() makes NaN
    plain = reward if isinstance(reward, float | int | np.generic) else unmasked("the reward", without_gradient(reward))
    try:
        # the common case first; an array of one number is not a float to every version of NumPy
        return float(plain)
    except (TypeError, ValueError):
        if np.size(plain) == 1 and np.asarray(plain).dtype.kind in "biuf":
            return float(np.asarray(plain).item())
        raise OptionError("the reward must be one number", given=repr(reward), allowed="a real number") from None


def _as_array(given: Any) -> Array:
    """What a policy returns as an array; a tensor that still knows its gradient is taken without it."""
    try:
        array = np.asarray(without_gradient(given))
    except (TypeError, ValueError):
        # an array of the object None: the question below refuses its kind
        array = np.array(None)
    if array.dtype.kind not in "biuf":
        raise OptionError(
            "the policy must return an action",
            given=repr(given),
            allowed="real numbers",
            advice="a stable-baselines3 model returns (action, state); use model.predict(observation)[0]"
            if isinstance(given, tuple)
            else "",
        )
    return array


def _stacked(observations: Sequence[Any], space: Any) -> Any:
    """Observations of several environments as one, in the form that Gymnasium's vector environments give them.

    Arrays have a first axis more; dictionaries and tuples hold stacked arrays.
    """
    spaces = load_gymnasium().spaces
    if isinstance(space, spaces.Dict):
        return {key: _stacked([each[key] for each in observations], part) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        parts = enumerate(space.spaces)
        return tuple(_stacked([each[number] for each in observations], part) for number, part in parts)
    try:
        array = np.array(observations)
    except ValueError:  # of different shapes
        array = np.array(None)
    if array.dtype == object:
        raise UnsupportedError(
            "observations of this space cannot be stacked",
            given=f"a Batched policy, and {space}",
            allowed="boxes and discrete spaces, and dictionaries and tuples of them",
            advice="pass the policy without Batched, so that it gets one observation at a time",
        )
    return array


class Episodes:
    """Rollouts of points in one process.

    Parameters
    ----------
    plan
        What to do.

    Raises
    ------
    MissingPackageError, OptionError
        If the environment cannot be made.
    UnsupportedError
        If its state cannot be put back, or it behaves otherwise than where the plan was made.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.stages = [Stage(plan)]
        self.space = self.stages[0].environment.action_space
        self._observed = self.stages[0].environment.observation_space
        self._prepare_actions()
        takes = plan.policy is not None and "generator" in keywords(plan.policy)
        self._takes_generator = takes and not plan.batched
        # a recurrent policy begins each rollout with a fresh memory
        self._reset_policy = getattr(plan.policy, "reset", None) if plan.policy is not None else None
        # a policy that holds its parameters has them set; any other is called with them
        self._is_given_parameters = plan.kind == "parameters" and not hasattr(plan.policy, "set_flat_parameters")
        self.simulation: Simulation | None = None
        self.steering: Steering | None = None
        self.extend(plan)
        if plan.reference is not None:
            point, expected = plan.reference
            found = self.first(point)
            if found != expected:
                raise UnsupportedError(
                    "the environment gives another return in a worker process",
                    given=f"a return of {found!r}",
                    allowed=f"{expected!r}, as in the main process",
                    advice="use workers=0, or an environment and a policy that follow their seeds",
                )

    def extend(self, plan: Plan) -> None:
        """Take a plan of which more has been settled since, and make as many environments as it asks for."""
        self.plan = plan
        self.simulation = simulation_of(self.stages[0], plan)
        self.steering = steering_of(self.stages[0], plan)
        while len(self.stages) < plan.stages:
            self.stages.append(Stage(plan, self.stages[0]))

    def first(self, point: Vector) -> float:
        """The return of a point with the first seed."""
        return float(self._rollouts(point[None], self.plan.rollout.seed_numbers[:1]).returns[0, 0])

    def work(self, piece: Vector) -> Results:
        """Roll points out, shape (count, dimensions), with every seed."""
        return self._rollouts(piece, self.plan.rollout.seed_numbers)

    def _rollouts(self, points: Vector, seeds: tuple[int, ...]) -> Results:
        # returns, whether a rollout ended early, whether at a reward that is not finite
        if self.simulation is not None and len(points) > 1 and self._try_simulation(points):
            return self._simulated(points, seeds)
        found = np.empty((3, len(points), len(seeds)))
        # seeds outside: every point has the same, and in this order whoever does the work
        for j, seed in enumerate(seeds):
            if self.plan.batched:
                for begin in range(0, len(points), len(self.stages)):
                    part = slice(begin, begin + len(self.stages))
                    found[:, part, j] = self._batch(points[part], seed)
            else:
                for i, point in enumerate(points):
                    found[:, i, j] = self._alone(point, seed)
        return Results(found[0], found[1] != 0, found[2] != 0)

    def _try_simulation(self, points: Vector) -> bool:
        """Whether the simulation gives what the environment gives, at the ends and in the middle of these points."""
        simulation = self.simulation
        assert simulation is not None
        if not simulation.tried:
            chosen = [points[0], points[len(points) // 2], points[-1]]
            found, _, sound = simulation.returns([self._first_action(point) for point in chosen])
            seed = self.plan.rollout.seed_numbers[0]
            # where the environment fails, it is to fail at its turn, with the message of that point
            held = [not ok or agree(r, self._alone(p, seed)[0]) for p, r, ok in zip(chosen, found, sound, strict=True)]
            if not all(held):
                self.simulation = None
                return False
            simulation.tried = True
        return True

    def _simulated(self, points: Vector, seeds: tuple[int, ...]) -> Results:
        """Held actions without the environment; who meets numbers that are not finite goes the usual way."""
        assert self.simulation is not None
        found, ended, sound = self.simulation.returns([self._first_action(point) for point in points])
        # these environments draw nothing after their reset: every seed has the same return
        results = np.stack([found, ended, np.zeros(len(points))])[:, :, None].repeat(len(seeds), axis=2)
        for i in np.flatnonzero(~sound):
            for j, seed in enumerate(seeds):
                results[:, i, j] = self._alone(points[i], seed)
        return Results(results[0], results[1] != 0, results[2] != 0)

    def _prepare_actions(self) -> None:
        """Make `self._action`, which turns what a policy returns into what the environment takes."""
        spaces = load_gymnasium().spaces
        space, rollout = self.space, self.plan.rollout
        if isinstance(space, spaces.Discrete):

            def choose(given: Any) -> Any:
                array = _as_array(given)
                # contains() wants a whole number, and the conversion alone would make 0 of 0.5
                if array.size != 1 or not space.contains(np.int64(array.item())) or array.item() != int(array.item()):
                    raise OptionError("the action is not in the action space", given=repr(given), allowed=repr(space))
                return int(array.item())

            self._action: Callable[[Any], Any] = choose
        elif isinstance(space, spaces.Box):
            shape, clip = space.shape, rollout.clip
            # in both precisions, so that no step converts the bounds
            bounds = {np.dtype(kind): (space.low.astype(kind), space.high.astype(kind)) for kind in ("f4", "f8")}
            wanted = None if rollout.action_type is None else np.dtype(rollout.action_type)
            # looked up once: this runs in every step of every rollout
            isfinite, product = math.isfinite, np.ndarray.dot if len(shape) == 1 else np.vdot

            def bound(given: Any) -> Any:
                array = given if type(given) is np.ndarray else _as_array(given)
                if array.shape != shape:
                    raise OptionError(
                        "the action has the wrong shape", given=f"shape {array.shape}", allowed=f"shape {shape}"
                    )
                if wanted is not None or array.dtype not in bounds:
                    array = _as_array(array).astype(wanted or space.dtype)
                if clip:
                    # np.clip does the same in twice the time (measured on two components)
                    low, high = bounds[array.dtype]
                    action = np.minimum(np.maximum(array, low), high)
                else:
                    # the environment may change it, and a policy may hand out one array for ever
                    action = array.copy()
                # a sum of squares is the cheapest look at all components; if it is too large, they are asked
                if not isfinite(product(action, action)) and not np.isfinite(action).all():
                    raise NonFiniteError("the action is not finite", given=given)
                return action

            self._action = bound
        else:
            # dictionaries and tuples: nothing is known of them
            self._action = lambda given: given

    def _first_action(self, point: Vector) -> Any:
        assert self.plan.action is not None
        action = self.plan.action.copy()
        action[list(self.plan.components)] = point
        # in the precision of the space, as that of a learner would be
        return self._action(action.reshape(self.space.shape).astype(self.plan.rollout.action_type or self.space.dtype))

    @staticmethod
    def parameters_at(point: Vector, plan: Plan) -> Vector:
        """theta + sum_i a_i d_i, in this order, so that the sum does not depend on what else is summed."""
        assert plan.origin is not None
        if plan.vectors is None:
            # without directions a point is the parameters themselves; policies may keep the vector
            return point.copy()
        theta = plan.origin.copy()
        for coefficient, vector in zip(point, plan.vectors, strict=True):
            theta += coefficient * vector
        return theta

    def _policy_at(self, point: Vector, seed: int) -> Callable[[Any], Any] | None:
        """The policy at a point, as a function of the observation."""
        policy = self.plan.policy
        if policy is None:
            return None
        if self._reset_policy is not None:
            self._reset_policy()
        # apart from the environment's, which begin with the seed alone
        extra = {"generator": np.random.default_rng((seed, 1))} if self._takes_generator else {}
        if self.plan.kind == "parameters":
            theta = self.parameters_at(point, self.plan)
            if self._is_given_parameters:
                return lambda observation: policy(theta, observation, **extra)
            policy.set_flat_parameters(theta)
        if extra:
            return lambda observation: policy(observation, **extra)
        return cast("Callable[[Any], Any]", policy)

    def _failure(self, who: str, reason: Exception, place: str) -> Exception:
        """An exception of an environment or a policy, with its place; one of heatpg's own gets it as a note."""
        if isinstance(reason, HeatpgError | MemoryError):
            reason.add_note(f"heatpg was {place}")
            return reason
        given: tuple[str, ...] = ("parameters",) if self._is_given_parameters else ()
        given += ("observations" if self.plan.batched else "observation",)
        return RolloutError(
            f"{who} raised {type(reason).__name__}: {reason}",
            given=place,
            advice=call_advice(self.plan.policy, reason, given, self._takes_generator) if who == _POLICY else "",
        )

    def _place(self, point: Vector, seed: int, step: int) -> str:
        return f"at point ({', '.join(f'{x:.6g}' for x in point)}), seed {seed}, step {step}"

    def _settle(
        self, reward: float, terminated: bool, truncated: bool, step: int, place: Callable[[], str]
    ) -> tuple[float, bool]:
        """The reward of the last step of a rollout, and whether it stands for one that is not finite."""
        rollout = self.plan.rollout
        if not math.isfinite(reward):
            if rollout.replacement is None:
                raise NonFiniteError(
                    "the reward is not finite",
                    given=f"{reward} {place()}",
                    advice=(
                        "fix the environment, or pass Rollout(nan=0.0): that number then replaces the reward and "
                        "ends the rollout"
                    ),
                )
            return rollout.replacement, True
        # a limit of the environment would make a shorter sum look like a lower return; at the last step it changes
        # nothing
        if truncated and not terminated and step + 1 < rollout.horizon:
            raise OptionError(
                "the environment truncates a rollout before the horizon",
                given=f"truncated {place()}, horizon={rollout.horizon}",
                advice="use a shorter horizon, or make the environment without this limit",
            )
        return reward, False

    def _close(self, stage: Stage, before: int, total: float, replaced: bool, place: Callable[[], str]) -> float:
        """The return, unless MuJoCo has reset itself meanwhile, as it does after numbers that are not finite."""
        # a reward that is not finite has been dealt with already
        if replaced or stage.warnings == before:
            return total
        raise NonFiniteError(
            "the MuJoCo simulation became unstable and was reset",
            given=place(),
            advice="use a smaller time step or a smaller box",
        )

    def _alone(self, point: Vector, seed: int) -> tuple[float, bool, bool]:
        """Return of one rollout, sum_k gamma^k r_k, whether it ended early, and whether at a reward not finite."""
        plan, rollout, stage = self.plan, self.plan.rollout, self.stages[0]
        step, total, weight, over, replaced = 0, 0.0, 1.0, False, False
        who = _ENVIRONMENT  # whose exception it would be
        # local names are the fastest that Python has, and this loop is nearly all of the time
        advance, make, gamma, isfinite = stage.environment.step, self._action, rollout.gamma, math.isfinite

        def place() -> str:
            return self._place(point, seed, step)

        try:
            observation = stage.begin(seed)
            # after begin: the way to the state may warn, and is the same for all points
            before = stage.warnings
            who = _POLICY
            act = self._policy_at(point, seed)
            first = self._first_action(point) if plan.kind == "actions" else None
            if first is None and observation is None:
                raise _unknown_observation()
            for step in range(rollout.horizon):
                who = _POLICY
                if act is None or (step == 0 and first is not None):  # noqa: SIM108
                    # held for the whole horizon without a policy; the environment may change what it is given
                    action = first.copy()  # type: ignore[union-attr]
                else:
                    action = make(act(observation))
                who = _ENVIRONMENT
                observation, given, terminated, truncated, _ = advance(action)
                reward = given if type(given) is float else _number(given)
                over = terminated or truncated or not isfinite(reward)
                if over:
                    reward, replaced = self._settle(reward, terminated, truncated, step, place)
                # in the order of the steps, so that the sum is the same however many processes there are
                total += weight * reward
                weight *= gamma
                if over:
                    break
            return (
                self._close(stage, before, total, replaced, place),
                bool(over) and step + 1 < rollout.horizon,
                replaced,
            )
        except Exception as reason:
            told = self._failure(who, reason, place())
            if told is reason:
                raise
            raise told from reason

    def _batch(self, points: Vector, seed: int) -> Array:
        """Rollouts under a batched policy, shape (3, points), without their environments where these are not needed."""
        steering = self.steering
        if steering is None or len(points) < 2:
            return self._side_by_side(points, seed)
        if not steering.tried:
            # the whole batch, as one of another size would be rounded otherwise by a network
            expected = self._side_by_side(points, seed)
            found = self._steered(steering, points, seed)
            if found is None or not agree(found, expected):
                self.steering = None
            else:
                steering.tried = True
            return expected
        found = self._steered(steering, points, seed)
        # where something fails it is to fail in the environment, with the message of its point and step
        return self._side_by_side(points, seed) if found is None else found

    def _steered(self, steering: Steering, points: Vector, seed: int) -> Array | None:
        plan, count = self.plan, len(points)
        try:
            first = self.stages[0].begin(seed)
            firsts = [self._first_action(point) for point in points] if plan.kind == "actions" else None
            thetas = None if firsts else np.array([self.parameters_at(point, plan) for point in points])

            def act(step: int, observations: Vector, running: list[int]) -> list[Array]:
                if firsts is not None and step == 0:
                    return firsts
                # a copy, as a policy may keep what it is given
                seen = observations.copy()
                actions = _as_array(plan.policy(seen) if thetas is None else plan.policy(thetas, seen))
                if len(actions) != count:
                    raise ValueError
                return [self._action(actions[i]) for i in running]

            return steering.returns(count, first, act)
        except Exception:
            # the environments tell of it in their words
            return None

    def _side_by_side(self, points: Vector, seed: int) -> Array:
        """The same of many points, one environment each, the policy asked once a step; shape (3, points)."""
        plan, rollout, count = self.plan, self.plan.rollout, len(points)
        stages = self.stages[:count]
        found = np.zeros((3, count))
        # rollouts that have ended drop out; the others go on
        running = list(range(count))
        step, i, weight = 0, 0, 1.0
        who = _ENVIRONMENT

        def place() -> str:
            return self._place(points[i], seed, step)

        try:
            observations, before = [], []
            for i, stage in enumerate(stages):  # noqa: B007
                observations.append(stage.begin(seed))
                before.append(stage.warnings)
            who = _POLICY
            firsts = [self._first_action(point) for point in points] if plan.kind == "actions" else None
            thetas = None if firsts else np.array([self.parameters_at(point, plan) for point in points])
            if firsts is None and observations[0] is None:
                raise _unknown_observation()
            for step in range(rollout.horizon):
                if firsts is not None and step == 0:
                    actions: Any = firsts
                else:
                    # also those that have ended: a batch keeps its size, and so the rounding of its matrix products
                    who = _POLICY
                    i = running[0]  # of those that still run the first, as an exception is of all
                    seen = _stacked(observations, self._observed)
                    actions = _as_array(plan.policy(seen) if thetas is None else plan.policy(thetas, seen))
                    if actions.shape[:1] != (count,):
                        raise OptionError(
                            "the policy must return one action per observation",
                            given=f"shape {actions.shape}",
                            allowed=f"({count}, ...)",
                        )
                # a copy, as ended ones are taken out on the way
                for i in tuple(running):
                    who = _POLICY
                    action = firsts[i] if firsts is not None and step == 0 else self._action(actions[i])
                    who = _ENVIRONMENT
                    observations[i], given, terminated, truncated, _ = stages[i].environment.step(action)
                    reward = _number(given)
                    over = terminated or truncated or not math.isfinite(reward)
                    replaced = False
                    if over:
                        reward, replaced = self._settle(reward, terminated, truncated, step, place)
                    found[0, i] += weight * reward
                    if over:
                        running.remove(i)
                        found[1:, i] = step + 1 < rollout.horizon, replaced
                # repeated products, as in a single rollout, and not a power: both ways give the same bits
                weight *= rollout.gamma
                if not running:
                    break
            for i, stage in enumerate(stages):
                # only asks whether the simulation became unstable
                self._close(stage, before[i], 0.0, bool(found[2, i]), place)
            return found
        except Exception as reason:
            told = self._failure(who, reason, place())
            if told is reason:
                raise
            raise told from reason


def _unknown_observation() -> HeatpgError:
    return UnsupportedError(
        "the observation at this state is unknown",
        advice="pass state as a function of the environment that sets the state and returns the observation",
    )


def require_size(what: str, given: Any, size: int) -> Vector:
    """A finite vector of this size."""
    # an action of any shape is flat here, as components are counted
    array = real_numbers(what, given).flatten()
    if array.size != size:
        raise GridError(f"{what} has the wrong size", given=f"{array.size} numbers", allowed=f"{size} numbers")
    if not np.isfinite(array).all():
        raise NonFiniteError(f"{what} is not finite", given=array)
    return array
