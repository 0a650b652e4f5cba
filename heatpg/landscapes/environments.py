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
from heatpg.core.ownership import HandedOver
from heatpg.core.scatter import mean_and_error
from heatpg.errors import BoundaryError, GridError, HeatpgWarning, OptionError
from heatpg.landscapes._chance import Chance, spread_first
from heatpg.landscapes._episodes import BATCH, Episodes, Results, require_size
from heatpg.landscapes._layers import refuse_vector
from heatpg.landscapes._policies import name_of, require_policy
from heatpg.landscapes._snapshot import load_gymnasium
from heatpg.landscapes._stage import Plan, require_box
from heatpg.landscapes._workers import on_workers, require_main_guard, require_portable
from heatpg.landscapes.directions import Directions, as_numbers, require_fit
from heatpg.landscapes.sampling import Actions, Batched, Parameters, Rollout, State
from heatpg.tools.arguments import finite_number
from heatpg.tools.arrays import real_numbers

__all__ = ["from_gymnasium"]

Vector = NDArray[np.float64]
Progress = Callable[[int, int], object]
_MOST_COMPONENTS = 3  # a grid of more axes is too large to sample, and no figure shows it
_MOST_COORDINATES = 1000  # a taste: provenance is stored with every evolution, and stays small


def _digest(numbers: Vector) -> str:
    # little-endian whatever the machine, so that equal parameters have equal digests
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
            raise OptionError(
                "the action has too many components to vary all",
                given=f"{size} components",
                allowed=f"up to {_MOST_COMPONENTS} without a choice",
                advice="choose, as over=Actions(components=(0, 2)), and hold the others with held=...",
            )
        return tuple(range(size))
    chosen = tuple(given)
    # True and False are whole numbers to Python, and would vary components 1 and 0
    whole = all(isinstance(i, int | np.integer) and not isinstance(i, bool) and 0 <= i < size for i in chosen)
    if not chosen or not whole or len(set(chosen)) < len(chosen):
        raise OptionError(
            "the components do not fit the action", given=repr(given), allowed=f"different ones of 0 to {size - 1}"
        )
    return tuple(int(i) for i in chosen)


def _action_grid(over: Actions, components: tuple[int, ...], low: Vector, high: Vector, size: int) -> Grid:
    for i in components:
        # the difference also catches two finite bounds that are too far apart for a double
        if not math.isfinite(high[i] - low[i]):
            raise GridError(
                f"component {i} of the action has no bounds",
                given=f"{low[i]:g} to {high[i]:g}",
                advice="give a grid",
            )
    return Grid(
        *(Axis(f"action_{i + 1}", float(low[i]), float(high[i]), size, boundary=over.boundary) for i in components)
    )


def _parameter_grid(over: Parameters, count: int, size: int) -> Grid:
    # actions end at their bounds, where the environment clips; nothing ends where a box of parameters does
    if not over.boundary:
        raise BoundaryError(
            "directions of parameters need a boundary, or a grid",
            given="neither",
            allowed="boundary='clip' (edge values continue), 'reflect', 'absorb', 'zero', 'periodic'",
        )
    extent = real_numbers("the extent", over.extent, GridError, allowed=f"one number, or {count}")
    try:
        # one number stands for all directions
        widths = np.broadcast_to(extent, (count,))
    except ValueError:
        raise GridError(
            "the extent does not fit the directions", given=repr(over.extent), allowed=f"one number, or {count}"
        ) from None
    return Grid(
        *(Axis(f"direction_{i + 1}", -float(w), float(w), size, boundary=over.boundary) for i, w in enumerate(widths))
    )


def _directions(given: Directions | ArrayLike, origin: Vector) -> Directions:
    if isinstance(given, Directions):
        found: Directions | Vector = given
    else:
        # one direction may be given as a vector
        found = np.atleast_2d(real_numbers("directions", given, allowed="a rectangular array"))
    # before Directions is made: what looks transposed is told as such, and not as a direction that is zero
    require_fit(found, origin)
    if len(found) > _MOST_COMPONENTS:
        raise OptionError("too many directions", given=len(found), allowed=f"1 to {_MOST_COMPONENTS}")
    return found if isinstance(found, Directions) else Directions(found)


def _origin(given: ArrayLike | None, policy: Any) -> Vector:
    # only where none are given: the caller may look around a point other than where the policy is
    if given is None and hasattr(policy, "flat_parameters"):
        given = policy.flat_parameters()
    if given is None:
        raise OptionError(
            "a landscape over directions needs the parameters at its origin",
            given="origin=None",
            allowed="one vector, or a policy with flat_parameters() and set_flat_parameters(vector)",
        )
    return as_numbers("parameters", given, 1)


def _require_many(plan: Plan, workers: int) -> None:
    """Refuse one environment where several are needed."""
    gymnasium = load_gymnasium()
    environment = plan.environment
    refuse_vector(environment)
    if not isinstance(environment, str | gymnasium.Env) and not callable(environment):
        raise OptionError(
            "this is no environment",
            given=type(environment).__name__,
            allowed="an id, a function that makes an environment, or an environment of Gymnasium",
        )
    # a given environment cannot be copied or sent: it may hold windows, sockets, memory of a simulator
    one = isinstance(environment, gymnasium.Env)
    if one and (workers or plan.batched):
        raise OptionError(
            "one environment cannot be in several places",
            given=f"{type(environment).__name__} with " + (f"workers={workers}" if workers else "a Batched policy"),
            allowed="an id, or a function of a module that makes the environment",
        )
    if plan.at_present and not one:
        raise OptionError(
            "only an environment that exists has a present state",
            given="state='current'",
            allowed="a seed, an array, or a function",
        )


def _with_options(given: Any) -> tuple[Any, dict[str, Any]]:
    """An environment, or what makes one, and keywords for that."""
    if not isinstance(given, tuple):
        return given, {}
    if len(given) != 2 or not isinstance(given[1], Mapping):
        raise OptionError(
            "this is no environment",
            given=repr(given),
            allowed="an id or a function and keywords for it, as ('Pendulum-v1', {'g': 9.81})",
        )
    return given[0], dict(given[1])


def _plan(
    environment: Any, policy: Any, over: Actions | Parameters, state: Any, rollout: Rollout
) -> tuple[Plan, Directions | None]:
    """What was asked for, as far as it can be checked without the environment; and the directions, over parameters."""
    if not isinstance(over, Actions | Parameters):
        raise OptionError(
            "this does not say what the axes are",
            given=f"over={over!r}",
            allowed="Actions(components), or Parameters(origin, directions=...)",
        )
    if not isinstance(rollout, Rollout):
        raise OptionError(
            "this does not say how rollouts run", given=f"rollout={rollout!r}", allowed="Rollout(horizon=200, ...)"
        )
    kind = "actions" if isinstance(over, Actions) else "parameters"
    # a bare state is one without actions on the way
    begin = state if isinstance(state, State) else State(state)
    asked, batched = (policy.policy, True) if isinstance(policy, Batched) else (policy, False)
    require_policy(kind, asked, batched)
    made, options = _with_options(environment)
    origin = None if isinstance(over, Actions) else _origin(over.origin, asked)
    directions = None if isinstance(over, Actions) or origin is None else _directions(over.directions, origin)
    plan = Plan(
        environment=made,
        options=options,
        policy=asked,
        batched=batched,
        kind=kind,
        origin=origin,
        vectors=None if directions is None else directions.vectors,
        action=None,  # this and the components are settled when the action space is known
        components=(),
        state=begin.at,
        prefix=begin.prefix,
        rollout=rollout,
    )
    return plan, directions


@dataclasses.dataclass
class _Sampling:
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
                _warn(remark, 4)
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
        # 16 pieces a worker: the last one to end keeps the others waiting for about a sixteenth of its work
        return 1 if not self.workers else min(BATCH, math.ceil(points / (16 * self.workers)))

    def leave_as_found(self) -> None:
        # only the first stage can be an environment that was given; the others were made here
        self.episodes.stages[0].leave_as_found()
        # a policy that holds its parameters has had those of the last point
        if hasattr(self.plan.policy, "set_flat_parameters") and self.plan.origin is not None:
            self.plan.policy.set_flat_parameters(self.plan.origin.copy())

    def sample(self, points: Vector) -> Vector:
        """Mean returns at any points, in this process."""
        with self.turn:
            # a sampler is asked often and for few points, and starting processes takes seconds
            here = dataclasses.replace(self, workers=0)
            try:
                return np.asarray(here.run(points).returns.mean(axis=1))
            finally:
                self.leave_as_found()


def _warn(text: str, level: int = 3) -> None:
    warnings.warn(text, HeatpgWarning, stacklevel=level)


def _state_in_words(state: Any, seeds: tuple[int, ...], restores: bool) -> Any:
    # where every rollout begins at one state, the first seed made it; else each begins with its own
    if state is None:
        return {"reset": seeds[0]} if restores else {"reset": list(seeds)}
    if isinstance(state, int):
        return {"reset": state}
    if isinstance(state, np.ndarray):
        return state.tolist()
    return state if isinstance(state, str) else {"function": name_of(state)}


def _provenance(
    sampling: _Sampling, results: Results, directions: Directions | None, low: Any, high: Any
) -> dict[str, Any]:
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
        "ended_early": float(results.ended.mean()),
        "not_finite": float(results.replaced.mean()),
    }
    # results of a simulator depend on its version, which Gymnasium does not tell
    if any(type(value).__module__.startswith("mujoco") for value in vars(stage.core).values()):
        parameters["mujoco"] = importlib.metadata.version("mujoco")
    if plan.action is not None:
        parameters |= {
            "components": list(plan.components),
            "action": plan.action.tolist(),
            "action_type": str(rollout.action_type or stage.environment.action_space.dtype),
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
            # with these the path of a training can be drawn over a stored landscape
            "coordinates": directions.coordinates.tolist()
            if directions.coordinates is not None and directions.coordinates.size <= _MOST_COORDINATES
            else None,
        }
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


_OVER = Actions()  # the defaults as names, so that the signature shows them and no call makes them anew
_ROLLOUT = Rollout()


def from_gymnasium(
    environment: Any,
    policy: Any = None,
    *,
    over: Actions | Parameters = _OVER,
    grid: Grid | None = None,
    size: int = 33,
    state: Any = None,
    rollout: Rollout = _ROLLOUT,
    workers: int = 0,
    name: str = "",
    progress: Progress | None = None,
) -> Landscape:
    """Q(s, a) over actions at a state of an environment, or the return over directions of a policy's parameters.

    Over `Actions` the axes are components of the action a, and

        Q(s, a) = r(s, a) + E sum_{k=1}^{horizon-1} gamma^k r_k,  a_k = policy(o_k),

    from one state s, which is put back exactly before every rollout. Without a policy a is held for the whole horizon.
    Over `Parameters` the axes are coefficients of directions, and

        J(a1, a2) = E sum_{k=0}^{horizon-1} gamma^k r_k,  a_k = policy(theta + a1 d1 + a2 d2, o_k),

    from resets with the seeds, or from one state if it is given. After a termination nothing more is earned.

    Parameters
    ----------
    environment
        An id of Gymnasium (made without its time limit), a function that makes an environment, or an environment. An
        environment that exists is used as it is: sampling moves it. An id or a function may come with keywords for it,
        as ``("Pendulum-v1", {"g": 9.81})``.
    policy
        ``policy(observation)``, or ``policy(parameters, observation)`` over `Parameters`; what it returns is converted
        by NumPy, so tensors of torch (on the CPU) and arrays of jax will do. If it has a keyword ``generator``, it is
        given the `numpy.random.Generator` of the rollout to draw from; if it has a method ``reset()``, that is called
        before each rollout. Over `Parameters` it may instead be an object that is called with the observation and has
        ``flat_parameters()`` and ``set_flat_parameters(vector)``. A policy that takes many observations at once is
        given as ``Batched(policy)``.
    over
        What the axes are: `Actions`, by default all components of the action, or `Parameters`.
    grid
        Where to sample, one axis for each component or direction, with the names and units that figures show. By
        default the bounds of the varied components, or [-extent, extent] for each direction, as ``action_1`` or
        ``direction_1`` and so on, without units.
    size
        Nodes along each axis of the default grid.
    state
        Where rollouts begin: None, a seed, an array, a function of the environment, or ``"current"``, as `State` has
        them; or a `State`, which may also take actions on the way.
    rollout
        Horizon, discount, seeds, and how actions and rewards are treated.
    workers
        Processes, each with environments of its own; 0: none but this. Results do not depend on it. The environment is
        then an id or a function of a module, the policy likewise, and a script needs
        ``if __name__ == "__main__":`` around its call.
    name
        Name of the landscape.
    progress
        Called as ``progress(done, total)`` with numbers of points.

    Returns
    -------
    Landscape
        With `returns` of every seed and `standard_error` if there are two seeds or more, a sampler, and a provenance
        that holds all parameters, how the state was put back, and which share of rollouts ended early.

    Raises
    ------
    MissingPackageError
        If Gymnasium is missing, or what the environment needs.
    OptionError
        For parameters that do not fit, an environment or a policy that does not follow Gymnasium, and if a time limit
        ends before the horizon.
    UnsupportedError
        If actions have no axes (a discrete space), if the state cannot be put back exactly, if a layer learns while it
        is sampled, if something cannot be sent to a worker, and if a script that uses workers runs again in one.
    RolloutError
        For an exception of the environment or the policy, which is its cause, with point, seed and step.
    GridError, BoundaryError
        For a grid, or parameters, of the wrong shape; for directions without boundary.
    NonFiniteError
        For a reward or an action that is not finite, and if MuJoCo becomes unstable, with point, seed and step.
    ResourceError
        If a worker process dies, or if the returns do not fit in memory.

    Warns
    -----
    HeatpgWarning
        If the environment does not follow its seed, if returns do not repeat, or if several seeds change nothing.

    Notes
    -----
    A model of stable-baselines3 as a policy::

        policy = lambda observation: model.predict(observation, deterministic=True)[0]

    A wrapper that changes actions (`TransformAction`, `RescaleAction`, `ClipAction`) changes those of the policy too:
    with a tanh in the environment a policy that squashes its actions squashes them twice. For axes before the squash
    sample the environment without that wrapper, and look at the landscape through the squash::

        q = from_gymnasium(make_without_wrapper, policy, size=3)
        wide = Grid(Axis("before_tanh", -3.0, 3.0, 101, boundary="clip"))
        before = Landscape.from_function(lambda *x: q.sample(np.tanh(np.stack(x, -1))), wide)

    Layers that learn while they are sampled (`NormalizeObservation`, `NormalizeReward`) are refused until they are
    frozen with the statistics of training: ``layer.obs_rms = trained.obs_rms; layer.update_running_mean = False``.

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
    >>> from heatpg.landscapes import Parameters, Rollout
    >>> short = Rollout(horizon=10)
    >>> q = landscapes.from_gymnasium("Pendulum-v1", lambda seen: [-seen[2]], state=[3.14, 0.0], size=5, rollout=short)
    >>> q.grid.axes[0].name, q.values.shape, q.provenance["parameters"]["restored"]
    ('action_1', (5,), 'snapshot of attributes')

    The return of a linear policy over one of its gains, from two resets:

    >>> gain = Parameters([0.0, 0.0, -1.0], directions=[[0.0, 1.0, 0.0]], extent=2.0, boundary="clip")
    >>> j = landscapes.from_gymnasium(
    ...     "Pendulum-v1", lambda theta, seen: [theta @ seen], over=gain, size=5, rollout=Rollout(horizon=10, seeds=2)
    ... )
    >>> j.grid.axes[0].name, j.standard_error.shape
    ('direction_1', (5,))

    With a grid of your own the axes have names and units:

    >>> from heatpg import Axis, Grid
    >>> torques = Grid(Axis("torque", -2.0, 2.0, 5, boundary="clip", unit="N m"))
    >>> named = landscapes.from_gymnasium("Pendulum-v1", grid=torques, state=[3.14, 0.0], rollout=short)
    >>> named.grid.axes[0].name, named.grid.axes[0].unit
    ('torque', 'N m')
    """
    # first of all: a worker that reads an unguarded script comes here again, and must learn why at once
    if workers:
        require_main_guard()
    processes = int(finite_number("workers", workers, lower=0.0, upper=10_000.0))
    plan, directions = _plan(environment, policy, over, state, rollout)
    _require_many(plan, processes)
    if plan.prefix.size and not plan.restores:
        raise OptionError(
            "actions before the state need a state", given="after", advice="give State(0, after=...), as a seed"
        )
    if processes:
        # each by itself before the whole, so that the message names the culprit
        require_portable("the environment", plan.environment)
        require_portable("the policy", plan.policy)
        require_portable("the plan", plan)
    # the environment is made, and its way back tried, before its action space can be asked for the axes
    episodes = Episodes(plan)
    low: Any = None
    high: Any = None
    if isinstance(over, Actions):
        low, high = require_box(episodes.space)
        varied = _components(over.components, low.size)
        # held at 0 by default, or at the bound next to it; what is given is not moved here
        held = np.zeros(low.size) if over.held is None else require_size("the held action", over.held, low.size)
        plan = dataclasses.replace(
            plan, action=np.clip(held, low, high) if over.held is None else held, components=varied
        )
        box = _places("component", grid, len(varied), lambda: _action_grid(over, varied, low, high, size))
    else:
        count = len(plan.vectors) if plan.vectors is not None else 0
        box = _places("direction", grid, count, lambda: _parameter_grid(over, count, size))
    points = box.nodes()
    count = len(plan.rollout.seed_numbers)
    plan.rollout.require_memory(len(points))
    if plan.batched:
        plan = dataclasses.replace(plan, stages=min(BATCH, len(points)))
    # the first stage is kept: what was tried in it is not tried again
    episodes.extend(plan)
    sampling = _Sampling(plan, processes, episodes)
    for remark in episodes.stages[0].remarks:
        _warn(remark)
    try:
        # one rollout, twice: what does not repeat here has no landscape that another run could reproduce
        first, again = (episodes.first(points[0]) for _ in range(2))
        if first != again:
            _warn(
                f"returns do not repeat: {first!r}, then {again!r} at one point with one seed. The environment or the "
                "policy draws random numbers that seeds do not reach; a policy may draw from its keyword generator"
            )
        elif processes:
            # each worker compares its own rollout with this one before it begins
            sampling.plan = dataclasses.replace(plan, reference=(points[0], first))
        # a generator of the environment's own has been told already
        known = episodes.stages[0].snapshot is not None and episodes.stages[0].snapshot.generators
        results = sampling.run(points, progress, tell=not known)
    finally:
        sampling.leave_as_found()
    provenance = _provenance(sampling, results, directions, low, high)
    label = name or f"{provenance['parameters']['environment']} {plan.kind}"
    # the same seeds at every point, so that their scatter is common to neighbours
    returns = np.moveaxis(results.returns.reshape(*box.shape, count), -1, 0)
    content: dict[str, Any]
    if count == 1:
        # one seed has no standard error
        content = {"values": HandedOver(returns[0])}
    elif plan.rollout.keep_returns:
        content = {"values": None, "returns": HandedOver(returns)}
    else:
        mean, error = mean_and_error(returns)
        content = {"values": HandedOver(mean), "standard_error": HandedOver(error)}
    return Landscape(**content, grid=box, name=label, provenance=provenance, sampler=sampling.sample)
