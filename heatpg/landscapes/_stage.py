"""One environment of Gymnasium and what rollouts in it depend on: the plan, and a state that is put back exactly.

A state is put back in one of two ways. A snapshot holds a copy of every attribute of the environment and its wrappers,
and of MuJoCo's whole mjData, with warm starts and with the derived quantities that lag behind the positions. A replay
resets with the seed and takes the actions that led to the state once more. Whichever is used has been tried before.
"""

from __future__ import annotations

import copy
import dataclasses
import importlib
import inspect
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.errors import HeatpgError, MissingPackageError, OptionError, RolloutError, UnsupportedError
from heatpg.landscapes._layers import refuse_vector, require_frozen, running_statistics
from heatpg.landscapes._policies import keywords
from heatpg.landscapes._snapshot import Snapshot, distance, is_mujoco, layers_of, load_gymnasium, where_they_part
from heatpg.landscapes.directions import without_gradient
from heatpg.landscapes.sampling import Rollout
from heatpg.tools.extras import how_to_add, how_to_mend

__all__ = ["Plan", "Stage", "require_box"]

# steps of the test of what is put back; a taste: filters that lag, delays and stacked frames show within it
_TRIAL = 32
_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")  # words of Python, also where Gymnasium repeats them

Array = NDArray[Any]
Vector = NDArray[np.float64]


def require_box(space: Any) -> tuple[Vector, Vector]:
    """Bounds, flat, of an action space that has axes.

    Raises
    ------
    UnsupportedError
        For every other space.
    """
    spaces = load_gymnasium().spaces
    # a discrete action has no neighbours along an axis, so nothing to smooth over
    if not isinstance(space, spaces.Box) or math.prod(space.shape) == 0:
        raise UnsupportedError(
            "actions of this space cannot be the axes of a landscape",
            given=repr(space),
            allowed="a Box",
            advice="sample a landscape over parameters of the policy: over=Parameters(origin, directions=...)",
        )
    # whole numbers in a box are a discrete space by another name
    if np.dtype(space.dtype).kind != "f":
        raise UnsupportedError("actions of this space are not continuous", given=repr(space), allowed="a Box of floats")
    return space.low.ravel().astype(float), space.high.ravel().astype(float)


def _refuse_keyword(reason: TypeError, plan: Plan) -> None:
    """Name the keyword of the caller that the environment does not take, if it is that which has failed."""
    found = _UNEXPECTED.search(str(reason))
    if found is not None and found[1] in plan.options:
        name = getattr(plan.environment, "__name__", plan.environment)
        raise OptionError(
            f"the environment {name!r} takes no keyword {found[1]!r}",
            given=", ".join(f"{key}={value!r}" for key, value in plan.options.items()),
            advice=f"omit {found[1]}, or use the spelling of the environment",
        ) from reason


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """All that a rollout depends on but the point; it can be sent to another process.

    Parameters
    ----------
    environment, options
        An id and keywords of `gymnasium.make`, a function that makes an environment, or an environment.
    policy, batched
        None: the first action is held. And whether it takes many observations at once.
    kind
        ``actions`` or ``parameters``: what a point is.
    origin, vectors
        Parameters at 0 and directions, of ``parameters``.
    action, components
        All components of the first action, flat, and which of them are coordinates of a point, of ``actions``.
    state, prefix
        Where rollouts begin (None: at a reset with their seed), and the actions, shape (steps, size), taken from there.
    rollout
        How each runs.
    stages
        How many environments side by side.
    reference
        A point and its return with the first seed, for others to compare theirs with.
    """

    environment: Any
    options: Mapping[str, Any]
    policy: Any
    batched: bool
    kind: str
    origin: Vector | None
    vectors: Vector | None
    action: Vector | None
    components: tuple[int, ...]
    state: Any
    prefix: Vector
    rollout: Rollout
    stages: int = 1
    reference: tuple[Vector, float] | None = None

    @property
    def restores(self) -> bool:
        """Whether rollouts begin at one state, and not where their seed puts them."""
        return self.kind == "actions" or self.state is not None

    @property
    def at_present(self) -> bool:
        """Whether rollouts begin where the given environment is."""
        return isinstance(self.state, str)


def _read(outcome: Any) -> tuple[Any, Any, bool, bool]:
    """Observation, reward, and both flags of a step."""
    try:
        # the old gym had four values, and one flag for both ends
        observation, reward, terminated, truncated, _ = outcome
    except (TypeError, ValueError):
        raise OptionError(
            "the environment's step does not follow Gymnasium",
            given=repr(outcome),
            allowed="(observation, reward, terminated, truncated, info)",
        ) from None
    return observation, reward, bool(terminated), bool(truncated)


class Stage:
    """An environment, and how a rollout begins in it.

    Parameters
    ----------
    plan
        What rollouts depend on.
    like
        Another of the same plan: what has been tried there is not tried again.

    Attributes
    ----------
    restored
        How the state is put back, in words.
    remarks
        What is worth a warning.

    Raises
    ------
    RolloutError
        If the environment raises an exception while all this is tried.
    """

    def __init__(self, plan: Plan, like: Stage | None = None) -> None:
        self.plan = plan
        self.gymnasium = load_gymnasium()
        self.environment = self._make()
        if plan.kind == "actions":
            require_box(self.environment.action_space)  # before any step is taken with an action of another space
        require_frozen(self.environment)
        self.layers = layers_of(self.environment)
        self.core = self.environment.unwrapped
        # own environments are often written without it
        self.takes_seed = _accepts(self.core.reset, "seed")
        self.remarks: list[str] = []
        self.snapshot: Snapshot | None = None
        self.observation: Any = None
        # of an environment that is given and is to be left as it was
        self._generator = getattr(self.core, "_np_random", None)
        # trials are costly, and their outcome is the same for environments of one plan
        self._place = "before the first step"
        try:
            if like is not None:
                self.restored = self._begin_like(like)
            else:
                self.restored = self._find_way_back() if plan.restores else self._test_seeding()
        except (HeatpgError, MemoryError):
            raise
        except Exception as reason:
            raise RolloutError(
                f"the environment raised {type(reason).__name__}: {reason}",
                given=f"before the first point, {self._place}",
            ) from reason
        self._warnings = self._find_warnings()

    def _make(self) -> Any:
        plan = self.plan
        if isinstance(plan.environment, str):
            # the default limit of an id is for training; rollouts here end at the horizon. One more step, or the last
            # would count as truncated
            limit = {"max_episode_steps": len(plan.prefix) + plan.rollout.horizon + 1}
            try:
                # without the wrapper that checks each step and warns; keywords of the caller win
                return self.gymnasium.make(plan.environment, **{"disable_env_checker": True, **limit, **plan.options})
            except TypeError as reason:
                _refuse_keyword(reason, plan)
                raise
            except (self.gymnasium.error.Error, ImportError) as reason:
                # an environment whose simulator is not installed fails with either
                missing = isinstance(reason, ImportError | self.gymnasium.error.DependencyNotInstalled)
                kind = MissingPackageError if missing else OptionError
                # Gymnasium says that MuJoCo is not installed also where it is, and its import fails
                broken = _import_error("mujoco") if missing else None
                damage = how_to_mend("mujoco") if broken else ""
                raise kind(
                    "the environment cannot be made",
                    given=f"{plan.environment!r}: {broken if damage else reason}",
                    advice=damage
                    or f"for MuJoCo environments: {how_to_add('rl')}; for your own, pass 'my_module:MyEnvironment-v0' "
                    "or the environment itself",
                ) from reason
        made = plan.environment
        if not isinstance(made, self.gymnasium.Env):
            try:
                made = plan.environment(**plan.options)
            except TypeError as reason:
                _refuse_keyword(reason, plan)
                raise
        refuse_vector(made)
        if not isinstance(made, self.gymnasium.Env):
            old = type(made).__mro__[-2].__module__.partition(".")[0] == "gym"
            raise OptionError(
                "the function or id does not make a Gymnasium environment",
                given=type(made).__name__,
                allowed="gymnasium.Env",
                advice="convert environments of the old gym package with shimmy" if old else "",
            )
        return made

    def _find_warnings(self) -> Callable[[], int]:
        """How often MuJoCo has met numbers that are not finite; it then resets itself and goes on."""
        # by the name of the type, as MuJoCo need not be installed to look at other environments
        data = next((value for value in vars(self.core).values() if type(value).__name__ == "MjData"), None)
        if data is None or not is_mujoco(data):
            return lambda: 0
        import mujoco

        # after these MuJoCo resets its data or its controls and goes on: the rollout would be another
        names = ("mjWARN_BADQPOS", "mjWARN_BADQVEL", "mjWARN_BADQACC", "mjWARN_BADCTRL")
        kinds = [int(getattr(mujoco.mjtWarning, name)) for name in names if hasattr(mujoco.mjtWarning, name)]

        def count() -> int:
            numbers = data.warning.number
            # a count that only grows: two readings are compared
            return sum(int(numbers[kind]) for kind in kinds)

        return count

    @property
    def warnings(self) -> int:
        """How often MuJoCo has met numbers that are not finite."""
        return self._warnings()

    def reset(self, seed: int) -> Any:
        self._place = f"in reset with seed {seed}"
        outcome = self.environment.reset(**({"seed": seed} if self.takes_seed else {}))
        if not (isinstance(outcome, tuple) and len(outcome) == 2):
            raise OptionError(
                "the environment's reset does not follow Gymnasium", given=repr(outcome), allowed="(observation, info)"
            )
        return outcome[0]

    def _seed(self, seed: int) -> None:
        self.core.np_random = self.gymnasium.utils.seeding.np_random(seed)[0]

    def begin(self, seed: int) -> Any:
        """Put the environment where the rollout with this seed begins; returns the observation there."""
        # each rollout from its own seed: nothing to be put back
        if not self.plan.restores:
            return self.reset(seed)
        # the slow way: reset, and take the actions on the way once more
        if self.snapshot is None:
            observation = self._prepare()
        else:
            self.snapshot.restore()
            # a policy may write into what it is given
            observation = copy.deepcopy(self.observation)
        # after the state is there: the way to it has used up random numbers
        self._seed(seed)
        return observation

    def leave_as_found(self) -> None:
        """Leave an environment that was given at a state in that state, with its own random numbers."""
        if self.plan.at_present and self.snapshot is not None:
            self.snapshot.restore()
            # in place of those of the seeds, which every rollout has begun with
            self.core._np_random = self._generator

    def _prepare(self) -> Any:
        """Go to the state by the way that was told; returns the observation there, None if nobody tells."""
        state = self.plan.state
        if self.plan.at_present:
            observation = self._observe()
        else:
            # also where the state is set afterwards, as environments make what they need in their first reset
            observation = self.reset(state if isinstance(state, int) else self.plan.rollout.seed_numbers[0])
            if isinstance(state, np.ndarray):
                self._set(state)
                observation = self._observe()
            elif callable(state):
                self._place = "in the function that sets the state"
                told = state(self.environment)
                # reset-like functions return (observation, info); others the observation, or nothing
                with_facts = isinstance(told, tuple) and len(told) == 2 and isinstance(told[1], dict)
                observation = self._observe() if told is None else told[0] if with_facts else told
        for step, action in enumerate(self._shaped(self.plan.prefix)):
            self._place = f"at step {step} of the actions before the state"
            observation, _, terminated, truncated = _read(self.environment.step(action))
            # what comes after an end is not defined
            if terminated or truncated:
                raise OptionError(
                    "the episode ends before the state is reached",
                    given=f"after {step + 1} of {len(self.plan.prefix)} actions",
                    advice="pass fewer actions in after=",
                )
        return observation

    def _shaped(self, actions: Vector) -> Array:
        space = self.environment.action_space
        if not len(actions):
            return actions
        if not isinstance(space, self.gymnasium.spaces.Box) or actions[0].size != math.prod(space.shape):
            raise OptionError(
                "the actions in after= have the wrong shape for the action space",
                given=f"shape {actions.shape}",
                allowed=f"(steps, {math.prod(space.shape)})" if space.shape else f"a box, not {space}",
            )
        return actions.reshape(-1, *space.shape).astype(space.dtype)

    def _set(self, state: Vector) -> None:
        core = self.core
        model: Any = getattr(core, "model", None)
        # set_state also computes what follows from positions and velocities, which setting arrays would not
        if is_mujoco(model) and hasattr(core, "set_state"):
            if state.size != model.nq + model.nv:
                raise OptionError(
                    "the state has the wrong size for the MuJoCo model",
                    given=f"{state.size} numbers",
                    allowed=f"{model.nq} positions and {model.nv} velocities: {model.nq + model.nv} numbers",
                )
            core.set_state(state[: model.nq], state[model.nq :])
            return
        own = getattr(core, "state", None)
        shape = None if own is None else np.shape(own)
        how = "pass a function that sets the state: state=lambda environment: ..."
        if shape is None:
            raise UnsupportedError(
                f"{type(core).__name__} has no attribute 'state', so an array cannot be set",
                given=f"state of shape {state.shape}",
                allowed="a seed, or a function that sets the state",
                advice=how,
            )
        if shape != state.shape:
            raise OptionError(
                "the state has another shape than the attribute 'state' of the environment",
                given=f"shape {state.shape}",
                allowed=f"shape {shape}",
                advice=how,
            )
        # some environments keep a tuple of floats, others an array: the type stays
        core.state = tuple(map(float, state)) if isinstance(own, tuple) else state.copy()

    def _observe(self) -> Any:
        """The observation of the present state, if the environment and its wrappers have a way to tell it."""
        core = self.core
        # no part of Gymnasium's interface, but what most environments call it
        for name in ("_get_obs", "_get_ob"):
            look = getattr(core, name, None)
            if callable(look) and not _required(look):
                observation = look()
                break
        else:
            # an environment whose state has the shape of its observations most likely shows it as it is
            own, space = getattr(core, "state", None), core.observation_space
            if own is None or np.shape(own) != space.shape:
                return None
            observation = np.array(own, dtype=space.dtype)
        for layer in self.layers[1:]:
            # wrappers that keep a history, such as a stack of frames, cannot tell what they would show here
            if isinstance(layer, self.gymnasium.ObservationWrapper):
                observation = layer.observation(observation)
            elif layer.observation_space != layer.env.observation_space:
                return None
        return observation

    def _trial(self, observation: Any) -> list[Any]:
        """What is seen during some steps of actions that are always the same."""
        # seeded apart, so that the trial does not move the generator of the environment's own space
        space = copy.deepcopy(self.environment.action_space)
        space.seed(0)
        seen = [copy.deepcopy(observation)]
        for step in range(min(self.plan.rollout.horizon, _TRIAL)):
            action = space.sample()
            self._place = f"seed {self.plan.rollout.seed_numbers[0]}, step {step} of a trial with actions {action!r}"
            outcome = self.environment.step(
                # some environments compare actions with `is` or as keys, and a NumPy integer is another thing
                int(action) if isinstance(space, self.gymnasium.spaces.Discrete) else action
            )
            observation, reward, terminated, truncated = _read(outcome)
            # environments may hand out one array and change it in the next step
            seen.append((copy.deepcopy(observation), copy.deepcopy(without_gradient(reward)), terminated))
            if terminated or truncated:
                break
        return seen

    def _test_seeding(self) -> str:
        seed = self.plan.rollout.seed_numbers[0]
        # a fault is worth a warning only: a landscape over parameters needs no state
        begin = self.reset(seed)
        before = running_statistics(self.environment)
        first = self._trial(begin)
        begin = self.reset(seed)
        require_frozen(self.environment, before)
        second = self._trial(begin)
        if far := where_they_part(first, second):
            self.remarks.append(
                f"the environment does not follow its seed: after two resets with seed {seed} the observation {far}. "
                f"The points share no random numbers, so the landscape is rougher than the return and not reproducible"
            )
        self._require_time(self.reset(seed))
        return "reset with the seed"

    def _require_time(self, _: object) -> None:
        """Refuse a time limit before the horizon; the environment is at the beginning of a rollout."""
        for layer in self.layers:
            # of Gymnasium's TimeLimit, which has no public name for them
            limit, spent = getattr(layer, "_max_episode_steps", None), getattr(layer, "_elapsed_steps", None)
            if isinstance(limit, int) and limit - (spent or 0) < self.plan.rollout.horizon:
                raise OptionError(
                    "the time limit of the environment is shorter than the horizon",
                    given=f"horizon={self.plan.rollout.horizon}",
                    allowed=f"1 to {limit - (spent or 0)} steps",
                    advice="choose a shorter horizon, or make the environment with a larger max_episode_steps",
                )

    def _begin_like(self, like: Stage) -> str:
        """Go the way that another has found, and come to the same state."""
        if self.plan.restores:
            self.observation = copy.deepcopy(self._prepare())
            self.snapshot = None if like.snapshot is None else Snapshot(self.layers)
            # side by side, points would be compared from different states
            if gap := distance(like.observation, self.observation):
                raise UnsupportedError(
                    "two environments reach different states",
                    given=f"observations that differ by {gap:.3g}",
                    advice="for an environment that does not follow its seed, pass the policy without Batched",
                )
        return like.restored

    def _find_way_back(self) -> str:
        """Choose how the state is put back, by trying it."""
        seed = self.plan.rollout.seed_numbers[0]
        self.observation = self._prepare()
        self._require_time(self.observation)
        reasons = []
        try:
            # of the state itself: the trial below moves the environment
            snapshot = Snapshot(self.layers)
        except Exception as reason:  # whatever an attribute raises that cannot be copied
            snapshot = None
            reasons.append(f"copying its attributes fails ({type(reason).__name__}: {reason})")
        if snapshot is None and self.plan.at_present:
            raise UnsupportedError(
                "the current state cannot be copied",
                given=reasons[0],
                advice="pass a seed and the actions that lead to the state: State(seed, after=actions)",
            )
        self.observation = copy.deepcopy(self.observation)
        self._seed(seed)
        # from the state as it was reached, which both ways must repeat to the last bit
        truth = self._trial(self.observation)
        if snapshot is not None:
            self.snapshot = snapshot
            # twice, as a copy that shares something with the original is right once and wrong the second time
            runs = [self._trial(self.begin(seed)) for _ in range(2)]
            far = next(filter(None, (where_they_part(truth, run) for run in runs)), "")
            if not far:
                self._test_state(snapshot)
                return snapshot.words
            reasons.append(f"after restoring a copy of its attributes, the rollout {far}")
            self.snapshot = None
        if not self.plan.at_present:
            runs = [self._trial(self.begin(seed)) for _ in range(2)]
            far = next(filter(None, (where_they_part(truth, run) for run in runs)), "")
            if not far:
                return "reset and replay"
            reasons.append(f"after a reset with the same seed, the rollout {far}")
        raise UnsupportedError(
            "the state of the environment cannot be restored exactly",
            given="; ".join(reasons),
            advice="draw all random numbers from self.np_random and keep the state in attributes that can be copied; "
            "or sample over policy parameters (directions=), which needs no restored state",
        )

    def _test_state(self, snapshot: Snapshot) -> None:
        if not self.plan.at_present:
            # the way to the state is gone once more, as another run of the script would
            kept = self.observation
            if far := where_they_part([kept], [self._prepare()]):
                self.remarks.append(
                    f"the environment does not follow its seed: reached a second time, the state {far}. This landscape "
                    f"belongs to one state, which is restored exactly, but another run will have another state"
                )
            snapshot.restore()
        if len(self.plan.rollout.seed_numbers) > 1 and (names := snapshot.generators):
            self.remarks.append(
                f"the environment has random numbers that seeds do not reach: {', '.join(names)}. They are restored "
                f"with the state, so all rollouts use the same numbers and the standard error does not include them"
            )


def _import_error(name: str) -> ImportError | None:
    """What the import of a package raises."""
    try:
        importlib.import_module(name)
    except ImportError as reason:
        return reason
    return None


def _accepts(function: Callable[..., Any], name: str) -> bool:
    parameters = keywords(function)
    return name in parameters or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())


def _required(function: Callable[..., Any]) -> bool:
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    # a method that asks for arguments is not the plain look at the observation
    return any(p.default is p.empty and p.kind not in kinds for p in keywords(function).values())
