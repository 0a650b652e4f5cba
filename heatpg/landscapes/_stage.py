"""One environment of Gymnasium and what rollouts in it depend on: the plan, and a state that is put back exactly.

A state is put back in one of two ways. A snapshot holds a copy of every attribute of the environment and its wrappers,
and of MuJoCo's whole mjData, with warm starts and with the derived quantities that lag behind the positions. A replay
resets with the seed and takes the actions that led to the state once more. Whichever is used has been tried before.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import math
import random
import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.errors import MissingPackageError, OptionError, UnsupportedError
from heatpg.landscapes.rollouts import Rollout

__all__ = ["Plan", "Stage", "distance", "keywords", "load_gymnasium", "require_box"]

_TRIAL = 32  # steps of the test of what is put back

Array = NDArray[Any]
Vector = NDArray[np.float64]


def load_gymnasium() -> Any:
    """The module, or an error that says which extra brings it."""
    try:
        import gymnasium
    except ImportError:
        raise MissingPackageError("Gymnasium is not installed", advice="pip install 'heatpg[rl]'") from None
    return gymnasium


def require_box(space: Any) -> tuple[Vector, Vector]:
    """Bounds, flat, of an action space that has axes.

    Raises
    ------
    UnsupportedError
        For every other space.
    """
    spaces = load_gymnasium().spaces
    if not isinstance(space, spaces.Box) or math.prod(space.shape) == 0:
        raise UnsupportedError(
            "actions of this space have no axes",
            given=repr(space),
            allowed="a Box",
            advice="draw a landscape over parameters of the policy: over=Parameters(origin, directions=...)",
        )
    if np.dtype(space.dtype).kind != "f":
        raise UnsupportedError("actions of this space are not continuous", given=repr(space), allowed="a Box of floats")
    return space.low.ravel().astype(float), space.high.ravel().astype(float)


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


def _layers(environment: Any) -> list[Any]:
    """The environment within all wrappers, then the wrappers from the inside out."""
    found = [environment]
    while found[-1] is not environment.unwrapped and hasattr(found[-1], "env"):
        found.append(found[-1].env)
    return found[::-1]


def distance(first: Any, second: Any) -> float:
    """Largest difference of what two runs have shown; infinite if it is not even of one form."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        if first.keys() != second.keys():
            return math.inf
        return max((distance(first[key], second[key]) for key in first), default=0.0)
    if isinstance(first, tuple | list) and isinstance(second, tuple | list):
        if len(first) != len(second):
            return math.inf
        return max((distance(a, b) for a, b in zip(first, second, strict=True)), default=0.0)
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape:
        return math.inf
    if a.dtype.kind not in "biuf" or b.dtype.kind not in "biuf":
        return 0.0 if bool(np.all(a == b)) else math.inf
    if np.array_equal(a, b, equal_nan=True):
        return 0.0
    with np.errstate(all="ignore"):
        gap = float(np.abs(a.astype(float) - b.astype(float)).max())
    return math.inf if math.isnan(gap) else gap


def _read(outcome: Any) -> tuple[Any, Any, bool, bool]:
    """Observation, reward, and both flags of a step."""
    try:
        observation, reward, terminated, truncated, _ = outcome
    except (TypeError, ValueError):
        raise OptionError(
            "the environment's step does not follow Gymnasium",
            given=repr(outcome),
            allowed="(observation, reward, terminated, truncated, info)",
        ) from None
    return observation, reward, bool(terminated), bool(truncated)


def _how_far(first: list[Any], second: list[Any]) -> str:
    """Where two runs part, in words; nothing if they do not."""
    for step, (a, b) in enumerate(zip(first, second, strict=False)):
        if (gap := distance(a, b)) > 0:
            return f"differs by {gap:.3g} after {step} steps"
    return "" if len(first) == len(second) else "ends at another step"


class _Snapshot:
    """A copy of all that an environment is made of, but of what no step changes.

    Spaces, models, what draws, and the layers themselves are held by identity; numbers of a generator that Gymnasium
    has seeded are left out, as each rollout is seeded anew.
    """

    def __init__(self, layers: list[Any]) -> None:
        gymnasium = load_gymnasium()
        self.layers = layers
        held: list[Any] = list(layers)
        for layer in layers:
            for value in vars(layer).values():
                package, _, _ = type(value).__module__.partition(".")
                drawing = package == "pygame" or type(value).__module__.endswith("mujoco_rendering")
                kinds = gymnasium.Space | gymnasium.envs.registration.EnvSpec | types.ModuleType
                if package == "mujoco" or drawing or isinstance(value, kinds):
                    held.append(value)
        self.held = held  # alive, so that no other object takes an identity of theirs
        self.memory = {id(thing): thing for thing in held}
        self.saved = copy.deepcopy([self._attributes(layer) for layer in layers], dict(self.memory))
        self.physics = [(*pair, copy.copy(pair[1])) for pair in self._mujoco()]

    @staticmethod
    def _attributes(layer: Any) -> dict[str, Any]:
        return {name: value for name, value in vars(layer).items() if not name.startswith("_np_random")}

    def _mujoco(self) -> list[tuple[Any, Any]]:
        """Models and data of MuJoCo, as attributes of the layers."""
        found = []
        for layer in self.layers:
            kinds = {type(value).__name__: value for value in vars(layer).values() if _is_mujoco(value)}
            if "MjModel" in kinds and "MjData" in kinds:
                found.append((kinds["MjModel"], kinds["MjData"]))
        return found

    @property
    def words(self) -> str:
        return "snapshot of attributes and mjData" if self.physics else "snapshot of attributes"

    @property
    def generators(self) -> list[str]:
        """Attributes that are generators of random numbers, which seeds do not reach."""
        kinds = np.random.Generator | np.random.RandomState | random.Random
        return [name for attributes in self.saved for name, value in attributes.items() if isinstance(value, kinds)]

    def restore(self) -> None:
        for layer, attributes in zip(self.layers, copy.deepcopy(self.saved, dict(self.memory)), strict=True):
            own = vars(layer)
            for name in [name for name in self._attributes(layer) if name not in attributes]:
                del own[name]
            own.update(attributes)
        if self.physics:
            import mujoco

            for model, data, saved in self.physics:
                mujoco.mj_copyData(data, model, saved)


def _is_mujoco(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "mujoco"


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
    complaints
        What is worth a warning.
    """

    def __init__(self, plan: Plan, like: Stage | None = None) -> None:
        self.plan = plan
        self.gymnasium = load_gymnasium()
        self.environment = self._make()
        if plan.kind == "actions":
            require_box(self.environment.action_space)  # before any step is taken with an action of another space
        self.layers = _layers(self.environment)
        self.core = self.environment.unwrapped
        self.takes_seed = _accepts(self.core.reset, "seed")
        self.complaints: list[str] = []
        self.snapshot: _Snapshot | None = None
        self.observation: Any = None
        self._generator = getattr(self.core, "_np_random", None)
        if like is not None:
            self.restored = self._follow(like)
        else:
            self.restored = self._find_way_back() if plan.restores else self._test_seeding()
        self._warnings = self._find_warnings()

    def _make(self) -> Any:
        plan = self.plan
        if isinstance(plan.environment, str):
            limit = {"max_episode_steps": len(plan.prefix) + plan.rollout.horizon + 1}
            try:
                return self.gymnasium.make(plan.environment, **{"disable_env_checker": True, **limit, **plan.options})
            except (self.gymnasium.error.Error, ImportError) as reason:
                missing = isinstance(reason, ImportError | self.gymnasium.error.DependencyNotInstalled)
                kind = MissingPackageError if missing else OptionError
                raise kind(
                    "the environment cannot be made",
                    given=f"{plan.environment!r}: {reason}",
                    advice="MuJoCo's environments come with pip install 'heatpg[rl]'; an own one is registered by the "
                    "import of its module, as in 'my_module:MyEnvironment-v0'",
                ) from reason
        made = plan.environment
        if not isinstance(made, self.gymnasium.Env):
            made = plan.environment(**plan.options)
        if not isinstance(made, self.gymnasium.Env):
            raise OptionError(
                "this makes no environment of Gymnasium",
                given=type(made).__name__,
                allowed="gymnasium.Env",
                advice="environments of the old gym need shimmy",
            )
        return made

    def _find_warnings(self) -> Callable[[], int]:
        """How often MuJoCo has met numbers that are not finite; it then resets itself and goes on."""
        data = next((value for value in vars(self.core).values() if type(value).__name__ == "MjData"), None)
        if data is None or not _is_mujoco(data):
            return lambda: 0
        import mujoco

        names = ("mjWARN_BADQPOS", "mjWARN_BADQVEL", "mjWARN_BADQACC", "mjWARN_BADCTRL")
        kinds = [int(getattr(mujoco.mjtWarning, name)) for name in names if hasattr(mujoco.mjtWarning, name)]

        def count() -> int:
            numbers = data.warning.number
            return sum(int(numbers[kind]) for kind in kinds)

        return count

    @property
    def warnings(self) -> int:
        """How often MuJoCo has met numbers that are not finite."""
        return self._warnings()

    def reset(self, seed: int) -> Any:
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
        if not self.plan.restores:
            return self.reset(seed)
        if self.snapshot is None:
            observation = self._prepare()
        else:
            self.snapshot.restore()
            observation = copy.deepcopy(self.observation)
        self._seed(seed)
        return observation

    def give_back(self) -> None:
        """Leave an environment that was given at a state in that state, with its own random numbers."""
        if self.plan.at_present and self.snapshot is not None:
            self.snapshot.restore()
            self.core._np_random = self._generator

    # -- the state ----------------------------------------------------------------------------------------------------

    def _prepare(self) -> Any:
        """Go to the state by the way that was told; returns the observation there, None if nobody tells."""
        state = self.plan.state
        if self.plan.at_present:
            observation = self._observe()
        else:
            observation = self.reset(state if isinstance(state, int) else self.plan.rollout.seed_numbers[0])
            if isinstance(state, np.ndarray):
                self._set(state)
                observation = self._observe()
            elif callable(state):
                told = state(self.environment)
                with_facts = isinstance(told, tuple) and len(told) == 2 and isinstance(told[1], dict)
                observation = self._observe() if told is None else told[0] if with_facts else told
        for step, action in enumerate(self._shaped(self.plan.prefix)):
            observation, _, terminated, truncated = _read(self.environment.step(action))
            if terminated or truncated:
                raise OptionError(
                    "the episode ends on the way to the state",
                    given=f"after {step + 1} of {len(self.plan.prefix)} actions",
                    advice="take fewer actions before",
                )
        return observation

    def _shaped(self, actions: Vector) -> Array:
        space = self.environment.action_space
        if not len(actions):
            return actions
        if not isinstance(space, self.gymnasium.spaces.Box) or actions[0].size != math.prod(space.shape):
            raise OptionError(
                "the actions before the state do not fit the action space",
                given=f"shape {actions.shape}",
                allowed=f"(steps, {math.prod(space.shape)})" if space.shape else f"a box, not {space}",
            )
        return actions.reshape(-1, *space.shape).astype(space.dtype)

    def _set(self, state: Vector) -> None:
        core = self.core
        model: Any = getattr(core, "model", None)
        if _is_mujoco(model) and hasattr(core, "set_state"):
            if state.size != model.nq + model.nv:
                raise OptionError(
                    "the state does not fit the model of MuJoCo",
                    given=f"{state.size} numbers",
                    allowed=f"{model.nq} positions and {model.nv} velocities: {model.nq + model.nv} numbers",
                )
            core.set_state(state[: model.nq], state[model.nq :])
            return
        own = getattr(core, "state", None)
        shape = None if own is None else np.shape(own)
        how = "give state as a function of the environment that sets it, as state=lambda environment: ..."
        if shape is None:
            raise UnsupportedError(
                "an array cannot be set as the state, as the environment keeps none in an attribute 'state'",
                given=f"state of shape {state.shape} for {type(core).__name__}",
                allowed="a seed, or a function of the environment",
                advice=how,
            )
        if shape != state.shape:
            raise OptionError(
                "the state does not fit the attribute 'state' of the environment",
                given=f"shape {state.shape}",
                allowed=f"shape {shape}",
                advice=how,
            )
        core.state = tuple(map(float, state)) if isinstance(own, tuple) else state.copy()

    def _observe(self) -> Any:
        """The observation of the present state, if the environment and its wrappers have a way to tell it."""
        core = self.core
        for name in ("_get_obs", "_get_ob"):
            look = getattr(core, name, None)
            if callable(look) and not _required(look):
                observation = look()
                break
        else:
            own, space = getattr(core, "state", None), core.observation_space
            if own is None or np.shape(own) != space.shape:
                return None
            observation = np.array(own, dtype=space.dtype)
        for layer in self.layers[1:]:
            if isinstance(layer, self.gymnasium.ObservationWrapper):
                observation = layer.observation(observation)
            elif layer.observation_space != layer.env.observation_space:
                return None
        return observation

    # -- what is tried before it is relied upon -----------------------------------------------------------------------

    def _trial(self, observation: Any) -> list[Any]:
        """What is seen during some steps of actions that are always the same."""
        space = copy.deepcopy(self.environment.action_space)
        space.seed(0)
        seen = [copy.deepcopy(observation)]
        for _ in range(min(self.plan.rollout.horizon, _TRIAL)):
            action = space.sample()
            outcome = self.environment.step(
                int(action) if isinstance(space, self.gymnasium.spaces.Discrete) else action
            )
            observation, reward, terminated, truncated = _read(outcome)
            seen.append((copy.deepcopy(observation), copy.deepcopy(reward), terminated))
            if terminated or truncated:
                break
        return seen

    def _test_seeding(self) -> str:
        seed = self.plan.rollout.seed_numbers[0]
        first, second = (self._trial(self.reset(seed)) for _ in range(2))
        if far := _how_far(first, second):
            self.complaints.append(
                f"the environment does not follow its seed: after two resets with seed {seed} what is seen {far}. The "
                "points have no random numbers in common, so the landscape is rougher than the return, and another run "
                "gives another landscape"
            )
        self._require_time(self.reset(seed))
        return "reset with the seed"

    def _require_time(self, _: object) -> None:
        """Refuse a time limit before the horizon; the environment is at the beginning of a rollout."""
        for layer in self.layers:
            limit, spent = getattr(layer, "_max_episode_steps", None), getattr(layer, "_elapsed_steps", None)
            if isinstance(limit, int) and limit - (spent or 0) < self.plan.rollout.horizon:
                raise OptionError(
                    "the time limit of the environment is shorter than the horizon",
                    given=f"horizon={self.plan.rollout.horizon}",
                    allowed=f"1 to {limit - (spent or 0)} steps",
                    advice="choose a shorter horizon, or make the environment with a larger max_episode_steps",
                )

    def _follow(self, like: Stage) -> str:
        """Go the way that another has found, and come to the same state."""
        if self.plan.restores:
            self.observation = copy.deepcopy(self._prepare())
            self.snapshot = None if like.snapshot is None else _Snapshot(self.layers)
            if gap := distance(like.observation, self.observation):
                raise UnsupportedError(
                    "two environments come to different states",
                    given=f"observations that differ by {gap:.3g}",
                    advice="an environment that does not follow its seed needs a policy without Batched",
                )
        return like.restored

    def _find_way_back(self) -> str:
        """Choose how the state is put back, by trying it."""
        seed = self.plan.rollout.seed_numbers[0]
        self.observation = self._prepare()
        self._require_time(self.observation)
        reasons = []
        try:
            snapshot = _Snapshot(self.layers)
        except Exception as reason:  # whatever an attribute raises that cannot be copied
            snapshot = None
            reasons.append(f"a copy of its attributes fails ({type(reason).__name__}: {reason})")
        if snapshot is None and self.plan.at_present:
            raise UnsupportedError(
                "the present state cannot be kept", given=reasons[0], advice="give a seed and the actions before"
            )
        self.observation = copy.deepcopy(self.observation)
        self._seed(seed)
        truth = self._trial(self.observation)
        if snapshot is not None:
            self.snapshot = snapshot
            runs = [self._trial(self.begin(seed)) for _ in range(2)]
            far = next(filter(None, (_how_far(truth, run) for run in runs)), "")
            if not far:
                self._test_state(snapshot)
                return snapshot.words
            reasons.append(f"after a copy of its attributes is put back, what is seen {far}")
            self.snapshot = None
        if not self.plan.at_present:
            runs = [self._trial(self.begin(seed)) for _ in range(2)]
            far = next(filter(None, (_how_far(truth, run) for run in runs)), "")
            if not far:
                return "reset and replay"
            reasons.append(f"after a reset with the same seed, what is seen {far}")
        raise UnsupportedError(
            "the state of the environment cannot be put back exactly",
            given="; ".join(reasons),
            advice="let it draw its random numbers from self.np_random alone, and keep its state in attributes that "
            "can be copied; or draw a landscape over parameters, which needs no state",
        )

    def _test_state(self, snapshot: _Snapshot) -> None:
        if not self.plan.at_present:
            kept = self.observation
            if far := _how_far([kept], [self._prepare()]):
                self.complaints.append(
                    f"the environment does not follow its seed: reached once more, the state {far}. This landscape is "
                    "of one state, which is put back exactly, but another run will have another state"
                )
            snapshot.restore()
        if len(self.plan.rollout.seed_numbers) > 1 and (names := snapshot.generators):
            self.complaints.append(
                f"the environment has random numbers that seeds do not reach: {', '.join(names)}. They are put back "
                "with the state, so that all rollouts have the same and the standard error leaves them out"
            )


def keywords(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def _accepts(function: Callable[..., Any], name: str) -> bool:
    parameters = keywords(function)
    return name in parameters or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())


def _required(function: Callable[..., Any]) -> bool:
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return any(p.default is p.empty and p.kind not in kinds for p in keywords(function).values())
