"""Landscapes of environments of Gymnasium: Q(s, a) over actions at a state, or returns over directions of parameters.

Nothing of Gymnasium is loaded before it is asked for.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import math
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import BoundaryError, GridError, HeatpgWarning, UnsupportedError
from heatpg.landscapes._episodes import BATCH, Episodes, Results, require_size
from heatpg.landscapes._stage import Plan, keywords, load_gymnasium, require_box
from heatpg.landscapes._workers import on_workers, require_main_guard, require_portable
from heatpg.landscapes.directions import Directions, as_numbers, require_fit
from heatpg.tools.arguments import finite_number, whole_number

__all__ = ["from_gymnasium"]

Vector = NDArray[np.float64]
Progress = Callable[[int, int], object]
_MOST_COMPONENTS = 3
_MOST_COORDINATES = 1000


def _seeds(given: int | Sequence[int]) -> tuple[int, ...]:
    wanted = "how many (1, 2, ...), or different whole numbers from 0"
    if isinstance(given, int | np.integer) and not isinstance(given, bool):
        return tuple(range(whole_number("seeds", int(given))))
    try:
        numbers = tuple(int(seed) for seed in given)  # type: ignore[union-attr]
        whole = all(number == seed for number, seed in zip(numbers, given, strict=True))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise UnsupportedError("seeds are whole numbers", given=repr(given), allowed=wanted) from None
    if not numbers or not whole or min(numbers) < 0 or len(set(numbers)) < len(numbers):
        raise UnsupportedError("the seeds do not fit", given=repr(given), allowed=wanted)
    return numbers


def _state(given: Any) -> Any:
    if given is None or callable(given):
        return given
    if isinstance(given, str):
        if given != "current":
            raise UnsupportedError(
                "unknown state", given=repr(given), allowed="'current', a seed, an array, a function"
            )
        return given
    if isinstance(given, int | np.integer) and not isinstance(given, bool):
        if given < 0:
            raise UnsupportedError("the seed of a state is a whole number from 0", given=given, allowed="0, 1, 2, ...")
        return int(given)
    return as_numbers("state", given, 1)


def _numbers(what: str, given: Any) -> Vector:
    try:
        return np.asarray(given.detach() if hasattr(given, "detach") else given, dtype=np.float64)
    except (TypeError, ValueError):
        raise UnsupportedError(f"{what} must be numbers", given=repr(given), allowed="a rectangular array") from None


def _prefix(given: ArrayLike) -> Vector:
    actions = _numbers("after", given)
    if actions.size == 0:
        return np.empty((0, 0))
    if actions.ndim == 0:
        raise GridError("after: the shape does not fit", given="a single number", allowed="(steps, ...)")
    return as_numbers("after", actions.reshape(len(actions), -1), 2)


def _name(thing: Any) -> str:
    """What a function, or the class of an object, is called; without the places of objects in memory."""
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}.{named.__qualname__}"


def _digest(numbers: Vector) -> str:
    return hashlib.sha256(np.ascontiguousarray(numbers, dtype="<f8").tobytes()).hexdigest()


def _places(what: str, given: Grid | None, dimensions: int, default: Callable[[], Grid]) -> Grid:
    if given is None:
        return default()
    if not isinstance(given, Grid) or given.dimensions != dimensions:
        raise GridError(
            f"the grid needs one axis for each {what}",
            given=f"{given.dimensions} axes" if isinstance(given, Grid) else repr(given),
            allowed=f"a heatpg.Grid of {dimensions}",
        )
    return given


def _components(given: Sequence[int] | None, size: int) -> tuple[int, ...]:
    if given is None:
        if size > _MOST_COMPONENTS:
            raise UnsupportedError(
                "the action has too many components to vary all",
                given=f"{size} components",
                allowed=f"up to {_MOST_COMPONENTS} without a choice",
                advice="choose, as components=(0, 2), and hold the others with action=...",
            )
        return tuple(range(size))
    chosen = tuple(given)
    whole = all(isinstance(i, int | np.integer) and not isinstance(i, bool) and 0 <= i < size for i in chosen)
    if not chosen or not whole or len(set(chosen)) < len(chosen):
        raise UnsupportedError(
            "the components do not fit the action", given=repr(given), allowed=f"different ones of 0 to {size - 1}"
        )
    return tuple(int(i) for i in chosen)


def _action_grid(components: tuple[int, ...], low: Vector, high: Vector, size: int, boundary: str) -> Grid:
    for i in components:
        if not math.isfinite(high[i] - low[i]):
            raise GridError(
                f"component {i} of the action has no bounds",
                given=f"{low[i]:g} to {high[i]:g}",
                advice="give a grid",
            )
    return Grid(
        *(Axis(f"action_{i + 1}", float(low[i]), float(high[i]), size, boundary=boundary or "clip") for i in components)
    )


def _parameter_grid(count: int, extent: float | Sequence[float], size: int, boundary: str) -> Grid:
    if not boundary:
        raise BoundaryError(
            "directions of parameters need a boundary, or a grid",
            given="neither",
            allowed="boundary='clip' (edge values continue), 'reflect', 'absorb', 'zero', 'periodic'",
        )
    try:
        widths = np.broadcast_to(np.asarray(extent, dtype=np.float64), (count,))
    except (TypeError, ValueError):
        raise GridError(
            "the extent does not fit the directions", given=repr(extent), allowed=f"one number, or {count}"
        ) from None
    return Grid(
        *(Axis(f"direction_{i + 1}", -float(w), float(w), size, boundary=boundary) for i, w in enumerate(widths))
    )


def _directions(given: Directions | ArrayLike, origin: Vector) -> Directions:
    found = given if isinstance(given, Directions) else np.atleast_2d(_numbers("directions", given))
    require_fit(found, origin)
    if len(found) > _MOST_COMPONENTS:
        raise UnsupportedError("too many directions", given=len(found), allowed=f"1 to {_MOST_COMPONENTS}")
    return found if isinstance(found, Directions) else Directions(found)


def _origin(parameters: ArrayLike | None, policy: Any) -> Vector:
    if parameters is None and hasattr(policy, "flat_parameters"):
        parameters = policy.flat_parameters()
    if parameters is None:
        raise UnsupportedError(
            "a landscape over directions needs the parameters at its origin",
            given="parameters=None",
            allowed="one vector, or a policy with flat_parameters() and set_flat_parameters(vector)",
        )
    return as_numbers("parameters", parameters, 1)


def _require_policy(plan_kind: str, policy: Any, batched: bool) -> None:
    if policy is None:
        if plan_kind == "parameters" or batched:
            raise UnsupportedError(
                "there is no policy",
                given="policy=None",
                allowed="policy(parameters, observation)" if plan_kind == "parameters" else "policy(observations)",
            )
        return
    if not callable(policy):
        raise UnsupportedError(
            "the policy cannot be called",
            given=type(policy).__name__,
            allowed="a function of the observation",
            advice="of stable-baselines3: lambda observation: model.predict(observation, deterministic=True)[0]"
            if hasattr(policy, "predict")
            else "",
        )
    if batched and (hasattr(policy, "set_flat_parameters") or hasattr(policy, "reset")):
        raise UnsupportedError(
            "a policy with a state takes one observation at a time", given=_name(policy), advice="batched_policy=False"
        )
    if batched and "generator" in keywords(policy):
        raise UnsupportedError(
            "a policy that draws takes one observation at a time", given=_name(policy), advice="batched_policy=False"
        )


def _require_many(environment: Any, state: Any, workers: int, batched: bool) -> None:
    """Refuse one environment where several are needed."""
    gymnasium = load_gymnasium()
    if not isinstance(environment, str | gymnasium.Env) and not callable(environment):
        raise UnsupportedError(
            "this is no environment",
            given=type(environment).__name__,
            allowed="an id, a function that makes an environment, or an environment of Gymnasium",
        )
    one = isinstance(environment, gymnasium.Env)
    if one and (workers or batched):
        raise UnsupportedError(
            "one environment cannot be in several places",
            given=f"{type(environment).__name__} with " + (f"workers={workers}" if workers else "batched_policy=True"),
            allowed="an id, or a function of a module that makes the environment",
        )
    if isinstance(state, str) and not one:
        raise UnsupportedError(
            "only an environment that exists has a present state",
            given="state='current'",
            allowed="a seed, an array, or a function",
        )


@dataclasses.dataclass
class _Sampling:
    """The work, and who does it: this process or others."""

    plan: Plan
    workers: int
    episodes: Episodes
    turn: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def run(self, points: Vector, progress: Progress | None = None) -> Results:
        """Every point with every seed."""
        if not len(points):
            empty = np.empty((0, len(self.plan.seeds)))
            return Results(empty, empty.astype(bool), empty.astype(bool))
        length = self._piece(len(points))
        pieces = [points[i : i + length] for i in range(0, len(points), length)]
        found: dict[int, Results] = {}
        done = 0
        if self.workers:
            results = on_workers(Episodes, self.plan, pieces, self.workers)
        else:
            results = ((i, self.episodes.work(piece)) for i, piece in enumerate(pieces))
        for number, result in results:
            found[number] = result
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
        if self.plan.batched:
            return BATCH
        return 1 if not self.workers else min(BATCH, math.ceil(points / (16 * self.workers)))

    def give_back(self) -> None:
        self.episodes.stages[0].give_back()
        if hasattr(self.plan.policy, "set_flat_parameters") and self.plan.origin is not None:
            self.plan.policy.set_flat_parameters(self.plan.origin.copy())

    def sample(self, points: Vector) -> Vector:
        """Mean returns at any points, in this process."""
        with self.turn:
            here = dataclasses.replace(self, workers=0)
            try:
                return np.asarray(here.run(points).returns.mean(axis=1))
            finally:
                self.give_back()


def _warn(text: str) -> None:
    warnings.warn(text, HeatpgWarning, stacklevel=3)


def _told_state(state: Any, seeds: tuple[int, ...], restores: bool) -> Any:
    if state is None:
        return {"reset": seeds[0]} if restores else {"reset": list(seeds)}
    if isinstance(state, int):
        return {"reset": state}
    if isinstance(state, np.ndarray):
        return state.tolist()
    return state if isinstance(state, str) else {"function": _name(state)}


def _provenance(
    sampling: _Sampling, results: Results, directions: Directions | None, low: Any, high: Any
) -> dict[str, Any]:
    plan, stage = sampling.plan, sampling.episodes.stages[0]
    spec = getattr(stage.environment, "spec", None)
    parameters: dict[str, Any] = {
        "kind": plan.kind,
        "environment": str(spec.id) if spec is not None else _name(stage.core),
        "environment_options": {str(key): _plain(value) for key, value in plan.options.items()},
        "gymnasium": str(load_gymnasium().__version__),
        "policy": None if plan.policy is None else _name(plan.policy),
        "batched_policy": plan.batched,
        "horizon": plan.horizon,
        "gamma": plan.gamma,
        "seeds": list(plan.seeds),
        "state": _told_state(plan.state, plan.seeds, plan.restores),
        "after": plan.prefix.tolist(),
        "restored": stage.restored,
        "nan": "raise" if plan.replacement is None else plan.replacement,
        "clip": plan.clip,
        "ended_early": float(results.ended.mean()),
        "not_finite": float(results.replaced.mean()),
    }
    if any(type(value).__module__.startswith("mujoco") for value in vars(stage.core).values()):
        parameters["mujoco"] = importlib.metadata.version("mujoco")
    if plan.action is not None:
        parameters |= {
            "components": list(plan.components),
            "action": plan.action.tolist(),
            "action_type": str(plan.action_type or stage.environment.action_space.dtype),
            "lower": low.tolist(),
            "upper": high.tolist(),
        }
    if directions is not None and plan.origin is not None:
        parameters["directions"] = {
            "kind": directions.kind,
            "seed": directions.seed,
            "lengths": directions.lengths.tolist(),
            "cosines": directions.cosines.tolist(),
            "digest": _digest(directions.vectors),
            "explained": None if directions.explained is None else directions.explained.tolist(),
            "coordinates": directions.coordinates.tolist()
            if directions.coordinates is not None and directions.coordinates.size <= _MOST_COORDINATES
            else None,
        }
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
    return {str(k): _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else _name(value)


def from_gymnasium(
    environment: Any,
    policy: Any = None,
    *,
    grid: Grid | None = None,
    size: int = 33,
    boundary: str = "",
    state: Any = None,
    after: ArrayLike = (),
    components: Sequence[int] | None = None,
    action: ArrayLike | None = None,
    action_type: str | None = None,
    clip: bool = True,
    parameters: ArrayLike | None = None,
    directions: Directions | ArrayLike | None = None,
    extent: float | Sequence[float] = 1.0,
    horizon: int = 200,
    gamma: float = 0.99,
    seeds: int | Sequence[int] = 1,
    nan: str | float = "raise",
    batched_policy: bool = False,
    workers: int = 0,
    environment_options: Mapping[str, Any] | None = None,
    name: str = "",
    progress: Progress | None = None,
) -> Landscape:
    """Q(s, a) over actions at a state of an environment, or the return over directions of a policy's parameters.

    Without `directions` the axes are components of the action a, and

        Q(s, a) = r(s, a) + E sum_{k=1}^{horizon-1} gamma^k r_k,  a_k = policy(o_k),

    from one state s, which is put back exactly before every rollout. Without a policy a is held for the whole horizon.
    With `directions` the axes are coefficients, and

        J(a1, a2) = E sum_{k=0}^{horizon-1} gamma^k r_k,  a_k = policy(theta + a1 d1 + a2 d2, o_k),

    from resets with the seeds, or from one state if it is given. After a termination nothing more is earned.

    Parameters
    ----------
    environment
        An id of Gymnasium (made without its time limit), a function that makes an environment, or an environment. An
        environment that exists is used as it is: sampling moves it.
    policy
        ``policy(observation)``, or ``policy(parameters, observation)`` with `directions`; what it returns is converted
        by NumPy, so tensors of torch (on the CPU) and arrays of jax will do. If it has a keyword ``generator``, it is
        given the `numpy.random.Generator` of the rollout to draw from; if it has a method ``reset()``, that is called
        before each rollout. With `directions` it may instead be an object that is called with the observation and has
        ``flat_parameters()`` and ``set_flat_parameters(vector)``.
    grid
        Where to sample, one axis for each component or direction, with the names and units that figures show. By
        default the bounds of the varied components, or [-extent, extent] for each direction, as ``action_1`` or
        ``direction_1`` and so on, without units.
    size
        Nodes along each axis of the default grid.
    boundary
        Boundary of the default grid. For actions ``clip`` by default, as actions are clipped to the space; directions
        have no default, as nothing ends where the box does.
    state
        None: after a reset with the first seed. A whole number: after a reset with that seed. An array: positions and
        velocities of MuJoCo one after the other, or what the attribute ``state`` of the environment holds. A function
        of the environment that sets it (and may return the observation). ``"current"``: where the environment is,
        and where it is put back in the end.
    after
        Actions, shape (steps, ...), that are taken from there before the state is reached.
    components
        Which components of the action are varied, counted from 0; needed if there are more than 3.
    action
        Values of the components that are held; by default 0, or the bound next to it.
    action_type
        Type of the numbers that the environment is given. By default the action of a point has that of the action
        space, mostly float32, so that Q has steps of 1e-7 of its width, and a policy's action stays as it is.
        ``float64`` has no such steps, where the environment takes it.
    clip
        Whether actions, also the policy's, are clipped to the action space, as learners do.
    parameters
        Parameters at the origin, as one vector; see `heatpg.landscapes.directions.flatten`.
    directions
        One to three: of `heatpg.landscapes.directions`, or an array of shape (count, parameters).
    extent
        Half-width of the default grid in lengths of the directions, one or one per direction.
    horizon
        Steps of a rollout, at most.
    gamma
        Discount per step, from 0 to 1.
    seeds
        How many rollouts per point (their seeds are 0, 1, ...), or their seeds. All points have the same, so that what
        chance does is the same everywhere: differences between points are known better than their values, and the
        landscape is no rougher than the return. The mean is stored, and its standard error over the seeds.
    nan
        ``raise``, or a number: it stands for a reward that is not finite, and ends the rollout.
    batched_policy
        Whether the policy takes observations of shape (count, ...), with `directions` also parameters of shape
        (count, parameters), and returns actions of shape (count, ...). 64 environments then go side by side and the
        policy is called once a step, which is faster for a network. Matrix products of another size round otherwise, in
        the precision of the policy, and the steps that follow amplify that.
    workers
        Processes, each with environments of its own; 0: none but this. Results do not depend on it. The environment is
        then an id or a function of a module, the policy likewise, and a script needs
        ``if __name__ == "__main__":`` around its call.
    environment_options
        Keywords for `gymnasium.make`, or for the function that makes the environment.
    name
        Name of the landscape.
    progress
        Called as ``progress(done, total)`` with numbers of points.

    Returns
    -------
    Landscape
        With `standard_error` if there are two seeds or more, a sampler, and a provenance that holds all parameters, how
        the state was put back, and which share of rollouts ended early.

    Raises
    ------
    UnsupportedError
        If Gymnasium or the environment is missing, if a script that uses workers runs again in one, if actions have no
        axes (a discrete space), if the state cannot be put back exactly, if a time limit ends before the horizon, and
        for parameters that do not fit.
    GridError, BoundaryError
        For a grid, or parameters, of the wrong shape; for directions without boundary.
    NonFiniteError
        For a reward or an action that is not finite, and if MuJoCo becomes unstable, with point, seed and step.
    ResourceError
        If a worker process dies.

    Warns
    -----
    HeatpgWarning
        If the environment does not follow its seed, or if returns do not repeat.

    Notes
    -----
    A network of torch as a policy over its parameters, called with one vector::

        from torch.func import functional_call
        shapes = {key: value.shape for key, value in network.named_parameters()}
        def policy(parameters, observation):
            named = {key: torch.as_tensor(value).float() for key, value in unflatten(parameters, shapes).items()}
            with torch.no_grad():
                return functional_call(network, named, torch.as_tensor(observation))

    A simulator that takes all points at once, as in jax or Warp, needs none of this: `Landscape.from_function`.

    References
    ----------
    M. Towers et al., *Gymnasium: A Standard Interface for Reinforcement Learning Environments*, arXiv 2407.17032.

    Examples
    --------
    A pendulum that hangs, over the torque of the first step; afterwards it is damped:

    >>> from heatpg import landscapes
    >>> q = landscapes.from_gymnasium(
    ...     "Pendulum-v1", lambda seen: [-seen[2]], state=[3.14, 0.0], size=5, horizon=10
    ... )
    >>> q.grid.axes[0].name, q.values.shape, q.provenance["parameters"]["restored"]
    ('action_1', (5,), 'snapshot of attributes')

    With a grid of your own the axes have names and units:

    >>> from heatpg import Axis, Grid
    >>> torques = Grid(Axis("torque", -2.0, 2.0, 5, boundary="clip", unit="N m"))
    >>> named = landscapes.from_gymnasium("Pendulum-v1", grid=torques, state=[3.14, 0.0], horizon=10)
    >>> named.grid.axes[0].name, named.grid.axes[0].unit
    ('torque', 'N m')
    """
    if workers:
        require_main_guard()
    kind = "actions" if directions is None else "parameters"
    steps = whole_number("horizon", horizon)
    discount = finite_number("gamma", gamma, lower=0.0, upper=1.0)
    wanted_seeds = _seeds(seeds)
    wanted_state = _state(state)
    processes = int(finite_number("workers", workers, lower=0.0, upper=10_000.0))
    if isinstance(nan, str) and nan != "raise":
        raise UnsupportedError("unknown treatment of NaN", given=repr(nan), allowed="'raise', or a number")
    replacement = None if isinstance(nan, str) else finite_number("nan", nan)
    if action_type not in (None, "float32", "float64"):
        raise UnsupportedError("unknown type of actions", given=repr(action_type), allowed="'float32' or 'float64'")
    _require_policy(kind, policy, batched_policy)
    _require_many(environment, wanted_state, processes, batched_policy)
    if directions is None and parameters is not None:
        raise UnsupportedError(
            "parameters without directions", advice="give directions, as of heatpg.landscapes.directions"
        )
    origin = None if directions is None else _origin(parameters, policy)
    chosen = None if directions is None or origin is None else _directions(directions, origin)
    if chosen is not None and (components is not None or action is not None):
        raise UnsupportedError("components and action are for landscapes over actions", given="directions as well")
    plan = Plan(
        environment=environment,
        options=dict(environment_options or {}),
        policy=policy,
        kind=kind,
        origin=origin,
        vectors=None if chosen is None else chosen.vectors,
        action=None,
        components=(),
        horizon=steps,
        gamma=discount,
        seeds=wanted_seeds,
        state=wanted_state,
        prefix=_prefix(after),
        action_type=action_type,
        clip=bool(clip),
        replacement=replacement,
        batched=bool(batched_policy),
    )
    if plan.prefix.size and not plan.restores:
        raise UnsupportedError("actions before the state need a state", given="after", advice="give state, as a seed")
    if processes:
        require_portable("the environment", environment)
        require_portable("the policy", policy)
        require_portable("the plan", plan)
    episodes = Episodes(plan)
    low: Any = None
    high: Any = None
    if chosen is None:
        low, high = require_box(episodes.space)
        varied = _components(components, low.size)
        held = np.clip(np.zeros(low.size), low, high) if action is None else require_size("action", action, low.size)
        box = _places("component", grid, len(varied), lambda: _action_grid(varied, low, high, size, boundary))
        plan = dataclasses.replace(plan, action=held, components=varied)
    else:
        count = len(chosen)
        box = _places("direction", grid, count, lambda: _parameter_grid(count, extent, size, boundary))
    points = box.nodes()
    if plan.batched:
        plan = dataclasses.replace(plan, stages=min(BATCH, len(points)))
    episodes.extend(plan)
    sampling = _Sampling(plan, processes, episodes)
    for complaint in episodes.stages[0].complaints:
        _warn(complaint)
    try:
        first, again = (episodes.first(points[0]) for _ in range(2))
        if first != again:
            _warn(
                f"returns do not repeat: {first!r}, then {again!r} at one point with one seed. The environment or the "
                "policy draws random numbers that seeds do not reach; a policy may draw from its keyword generator"
            )
        elif processes:
            sampling.plan = dataclasses.replace(plan, reference=(points[0], first))
        results = sampling.run(points, progress)
    finally:
        sampling.give_back()
    values = results.returns.mean(axis=1).reshape(box.shape)
    error = None
    if len(wanted_seeds) > 1:
        spread = results.returns.std(axis=1, ddof=1) / math.sqrt(len(wanted_seeds))
        error = spread.reshape(box.shape)
    provenance = _provenance(sampling, results, chosen, low, high)
    label = name or f"{provenance['parameters']['environment']} {kind}"
    return Landscape(values, box, label, provenance, sampler=sampling.sample, standard_error=error)
