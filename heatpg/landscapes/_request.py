"""What a caller asks of an environment, checked as far as that goes, and written down as the plan of every rollout."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.errors import OptionError
from heatpg.landscapes._episodes import Episodes, require_size
from heatpg.landscapes._layers import refuse_vector
from heatpg.landscapes._policies import require_policy
from heatpg.landscapes._snapshot import load_gymnasium
from heatpg.landscapes._stage import Plan, require_box
from heatpg.landscapes._workers import require_main_guard, require_portable
from heatpg.landscapes.directions import Directions, as_numbers, require_fit
from heatpg.landscapes.networks import NetworkPolicy
from heatpg.landscapes.sampling import Actions, Batched, Parameters, Rollout, State
from heatpg.tools.arguments import finite_number
from heatpg.tools.arrays import real_numbers

__all__ = ["MOST_AXES", "Request", "open_request"]

Vector = NDArray[np.float64]
MOST_AXES = 3
"""Axes of a landscape: a grid of more is too large to sample, and no figure shows it."""


def _components(given: Sequence[int] | None, size: int, most: int | None) -> tuple[int, ...]:
    if given is None:
        if most is not None and size > most:
            raise OptionError(
                "the action has too many components to vary them all",
                given=f"{size} components",
                allowed=f"at most {most}, or a choice of components",
                advice=(
                    "select some, for example over=Actions(components=(0, 2)), and set the others with held=...; to "
                    "use all of them, without a grid, use sampler_from_gymnasium"
                ),
            )
        return tuple(range(size))
    chosen = tuple(given)
    # True and False are whole numbers to Python, and would vary components 1 and 0
    whole = all(isinstance(i, int | np.integer) and not isinstance(i, bool) and 0 <= i < size for i in chosen)
    if not chosen or not whole or len(set(chosen)) < len(chosen):
        raise OptionError(
            "components must be different indices of the action",
            given=repr(given),
            allowed=f"indices from 0 to {size - 1}",
        )
    return tuple(int(i) for i in chosen)


def _directions(given: Directions | ArrayLike, origin: Vector, most: int | None) -> Directions:
    if isinstance(given, Directions):
        found: Directions | Vector = given
    else:
        # one direction may be given as a vector
        found = np.atleast_2d(real_numbers("directions", given, allowed="a rectangular array"))
    # before Directions is made: what looks transposed is told as such, and not as a direction that is zero
    require_fit(found, origin)
    if most is not None and len(found) > most:
        raise OptionError("too many directions", given=len(found), allowed=f"1 to {most}")
    return found if isinstance(found, Directions) else Directions(found)


def _origin(given: ArrayLike | None, policy: Any) -> Vector:
    # only where none are given: the caller may look around a point other than where the policy is
    if given is None and hasattr(policy, "flat_parameters"):
        given = policy.flat_parameters()
    if given is None:
        raise OptionError(
            "a landscape over directions needs the parameters at its origin (origin=)",
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
            "environment must be an id, a function that makes an environment, or a Gymnasium environment",
            given=type(environment).__name__,
        )
    # a given environment cannot be copied or sent: it may hold windows, sockets, memory of a simulator
    one = isinstance(environment, gymnasium.Env)
    if one and (workers or plan.batched):
        raise OptionError(
            "parallel rollouts need an environment that can be made several times",
            given=f"{type(environment).__name__} with " + (f"workers={workers}" if workers else "a Batched policy"),
            allowed="an id, or a function of a module that makes the environment",
        )
    if plan.at_present and not one:
        raise OptionError(
            "state='current' needs an existing environment",
            given="state='current'",
            allowed="a seed, an array, or a function",
        )


def _with_options(given: Any) -> tuple[Any, dict[str, Any]]:
    """An environment, or what makes one, and keywords for that."""
    if not isinstance(given, tuple):
        return given, {}
    if len(given) != 2 or not isinstance(given[1], Mapping):
        raise OptionError(
            "environment must be a pair of an id, or a function, and its keywords",
            given=repr(given),
            allowed="for example ('Pendulum-v1', {'g': 9.81})",
        )
    return given[0], dict(given[1])


def _plan(
    environment: Any, policy: Any, over: Actions | Parameters, state: Any, rollout: Rollout, most: int | None
) -> tuple[Plan, Directions | None]:
    """What was asked for, as far as it can be checked without the environment; and the directions, over parameters."""
    if not isinstance(over, Actions | Parameters):
        raise OptionError(
            "over must say what the axes are",
            given=f"over={over!r}",
            allowed="Actions(components), or Parameters(origin, directions=...)",
        )
    if not isinstance(rollout, Rollout):
        raise OptionError(
            "rollout must be a Rollout", given=f"rollout={rollout!r}", allowed="Rollout(horizon=200, ...)"
        )
    kind = "actions" if isinstance(over, Actions) else "parameters"
    # a bare state is one without actions on the way
    begin = state if isinstance(state, State) else State(state)
    asked = policy.policy if isinstance(policy, Batched) else policy
    # a network takes many observations at once, whether its caller says so or not
    batched = isinstance(policy, Batched | NetworkPolicy)
    require_policy(kind, asked, batched)
    made, options = _with_options(environment)
    origin = None if isinstance(over, Actions) else _origin(over.origin, asked)
    directions = None
    if isinstance(over, Parameters) and origin is not None and over.directions is not None:
        directions = _directions(over.directions, origin, most)
    elif isinstance(over, Parameters) and most is not None:
        raise OptionError(
            "a landscape over parameters needs directions",
            given="directions=None",
            allowed=f"1 to {most}",
            advice="use heatpg.landscapes.directions.random_directions; over all parameters, without a grid, there is "
            "sampler_from_gymnasium",
        )
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


@dataclasses.dataclass(frozen=True, eq=False)
class Request:
    """What was asked for, once the environment is there.

    Parameters
    ----------
    plan
        What rollouts depend on.
    directions
        Of parameters, if they are not all varied.
    episodes
        Has made one environment, and tried its way back to the state.
    workers
        How many processes.
    low, high
        Bounds of all components of an action, flat; of actions alone.
    """

    plan: Plan
    directions: Directions | None
    episodes: Episodes
    workers: int
    low: Vector | None = None
    high: Vector | None = None

    @property
    def dimensions(self) -> int:
        """Coordinates of a point."""
        if self.plan.kind == "actions":
            return len(self.plan.components)
        assert self.plan.origin is not None
        return self.plan.origin.size if self.plan.vectors is None else len(self.plan.vectors)


def open_request(
    environment: Any,
    policy: Any,
    over: Actions | Parameters,
    state: Any,
    rollout: Rollout,
    workers: int = 0,
    most: int | None = None,
) -> Request:
    """Check what was asked for, make the environment, and settle what a point is.

    Parameters
    ----------
    environment, policy, over, state, rollout, workers
        As `heatpg.landscapes.from_gymnasium` takes them.
    most
        Coordinates of a point at most; None: any number.
    """
    # first of all: a worker that reads an unguarded script comes here again, and must learn why at once
    if workers:
        require_main_guard()
    processes = int(finite_number("workers", workers, lower=0.0, upper=10_000.0))
    plan, directions = _plan(environment, policy, over, state, rollout, most)
    _require_many(plan, processes)
    if plan.prefix.size and not plan.restores:
        raise OptionError(
            "State(after=...) needs a starting state", given="after", advice="pass a seed as well: State(0, after=...)"
        )
    if processes:
        # each by itself before the whole, so that the message names the culprit
        require_portable("the environment", plan.environment)
        require_portable("the policy", plan.policy)
        require_portable("the plan", plan)
    # the environment is made, and its way back tried, before its action space can be asked for the axes
    episodes = Episodes(plan)
    if not isinstance(over, Actions):
        return Request(plan, directions, episodes, processes)
    low, high = require_box(episodes.space)
    varied = _components(over.components, low.size, most)
    # held at 0 by default, or at the bound next to it; what is given is not moved here
    held = np.zeros(low.size) if over.held is None else require_size("the held action", over.held, low.size)
    plan = dataclasses.replace(plan, action=np.clip(held, low, high) if over.held is None else held, components=varied)
    return Request(plan, None, episodes, processes, low, high)
