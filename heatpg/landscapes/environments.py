"""Landscapes of Gymnasium environments: Q(s, a) over actions at a state, or returns over directions of parameters.

Gymnasium is imported only when it is needed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from heatpg.core.grid import Axis, Grid, GridLike, as_grid
from heatpg.core.landscape import Landscape
from heatpg.core.ownership import HandedOver
from heatpg.core.scatter import mean_and_error
from heatpg.errors import BoundaryError, GridError
from heatpg.landscapes._episodes import BATCH
from heatpg.landscapes._request import MOST_AXES, Request, open_request
from heatpg.landscapes._sampling import Sampling, provenance_of
from heatpg.landscapes.samplers import EnvironmentSampler
from heatpg.landscapes.sampling import Actions, Parameters, Rollout
from heatpg.tools.arrays import real_numbers
from heatpg.tools.calls import checked_call
from heatpg.tools.progress import Progress, progress_of

__all__ = ["from_gymnasium"]


def _places(what: str, given: GridLike | None, dimensions: int, default: Callable[[], Grid]) -> Grid:
    if given is None:
        return default()
    box = as_grid(given)
    if box.dimensions != dimensions:
        raise GridError(
            f"the grid needs one axis per {what}",
            given=f"{box.dimensions} axes",
            allowed=f"a heatpg.Grid of {dimensions}",
        )
    return box


def _action_grid(over: Actions, request: Request, size: int) -> Grid:
    components, low, high = request.plan.components, request.low, request.high
    assert low is not None and high is not None
    for i in components:
        # the difference also catches two finite bounds that are too far apart for a double
        if not math.isfinite(high[i] - low[i]):
            raise GridError(
                f"component {i} of the action has no bounds",
                given=f"{low[i]:g} to {high[i]:g}",
                advice="pass a grid",
            )
    return Grid(
        *(Axis(f"action_{i + 1}", float(low[i]), float(high[i]), size, boundary=over.boundary) for i in components)
    )


def _parameter_grid(over: Parameters, count: int, size: int) -> Grid:
    # actions end at their bounds, where the environment clips; nothing ends where a box of parameters does
    if not over.boundary:
        raise BoundaryError(
            "directions of parameters need a boundary condition or a grid",
            allowed="boundary='clip' (edge values continue), 'reflect', 'absorb', 'zero', 'periodic'",
        )
    extent = real_numbers("the extent", over.extent, GridError, allowed=f"one number, or {count}")
    try:
        # one number stands for all directions
        widths = np.broadcast_to(extent, (count,))
    except ValueError:
        raise GridError(
            "extent has the wrong number of entries", given=repr(over.extent), allowed=f"one number, or {count}"
        ) from None
    return Grid(
        *(Axis(f"direction_{i + 1}", -float(w), float(w), size, boundary=over.boundary) for i, w in enumerate(widths))
    )


_OVER = Actions()  # the defaults as names, so that the signature shows them and no call makes them again
_ROLLOUT = Rollout()


@checked_call()
def from_gymnasium(
    environment: Any,
    policy: Any = None,
    *,
    over: Actions | Parameters = _OVER,
    grid: GridLike | None = None,
    size: int = 33,
    state: Any = None,
    rollout: Rollout = _ROLLOUT,
    workers: int = 0,
    name: str = "",
    progress: Progress = None,
) -> Landscape:
    """Q(s, a) over actions at a state of an environment, or the return over directions of a policy's parameters.

    Over `Actions` the axes are components of the action a, and

        Q(s, a) = r(s, a) + E sum_{k=1}^{horizon-1} gamma^k r_k,  a_k = policy(o_k),

    from one state s, which is restored exactly before every rollout. Without a policy a is held for the whole horizon.
    Over `Parameters` the axes are coefficients of directions, and

        J(a1, a2) = E sum_{k=0}^{horizon-1} gamma^k r_k,  a_k = policy(theta + a1 d1 + a2 d2, o_k),

    from resets with the seeds, or from a given state. After a termination there is no further reward.

    Parameters
    ----------
    environment
        A Gymnasium id (made without its time limit), a function that makes an environment, or an environment. An
        existing environment is used directly, so sampling changes its state. Keywords for an id or a function are
        passed as ``("Pendulum-v1", {"g": 9.81})``.
    policy
        ``policy(observation)``, or ``policy(parameters, observation)`` over `Parameters`; its result is converted by
        NumPy, so torch tensors (on the CPU) and jax arrays work. A policy with a keyword ``generator`` gets the
        `numpy.random.Generator` of the rollout; a method ``reset()`` is called before each rollout. Over `Parameters`
        it may also be an object that is called with the observation and has ``flat_parameters()`` and
        ``set_flat_parameters(vector)``. Pass a policy of many observations at once as ``Batched(policy)``.
    over
        What the axes are: `Actions`, by default all components of the action, or `Parameters`.
    grid
        Grid to sample on, one axis per component or direction, with the names and units for figures. By default the
        bounds of the varied components, or [-extent, extent] for each direction, with the names ``action_1`` or
        ``direction_1`` and so on, without units.
    size
        Nodes along each axis of the default grid.
    state
        Where rollouts start: None, a seed, an array, a function of the environment, or ``"current"`` (see `State`); or
        a `State`, which can also contain actions that lead there.
    rollout
        Horizon, discount, seeds, and the treatment of actions and rewards.
    workers
        Number of worker processes, each with its own environments; 0: this process only. Results do not depend on it.
        With workers, the environment must be an id or a function at module level, so must the policy, and a script must
        guard its call with ``if __name__ == "__main__":``.
    name
        Name of the landscape.
    progress
        A function that is called as ``progress(done, total)``, or True for a bar: with numbers of points.

    Returns
    -------
    Landscape
        With `returns` of every seed and `standard_error` if there are two seeds or more, a sampler, and a provenance
        with all parameters, how the state is restored, and the share of rollouts that ended early.

    Raises
    ------
    MissingPackageError
        If Gymnasium, or a package that the environment needs, is missing.
    OptionError
        For invalid parameters, an environment or a policy that does not follow the Gymnasium interface, and if a time
        limit is shorter than the horizon.
    UnsupportedError
        If the action space is discrete, if the state cannot be restored exactly, if a wrapper learns while it is
        sampled, if something cannot be sent to a worker, and if a script starts workers without the guard.
    RolloutError
        For an exception in the environment or the policy (its ``__cause__``), with point, seed and step.
    GridError, BoundaryError
        For a grid or parameters of the wrong shape; for directions without a boundary condition.
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
    Torch networks and stable-baselines3 models become policies, also over their parameters, with
    `policy_from_torch` and `policy_from_stable_baselines3`.

    A wrapper that changes actions (`TransformAction`, `RescaleAction`, `ClipAction`) also changes those of the policy:
    with a tanh in the environment, a policy that applies tanh itself applies it twice. For axes before the tanh, sample
    the environment without that wrapper and apply the tanh to the axes::

        q = from_gymnasium(make_without_wrapper, policy, size=3)
        wide = Grid(Axis("before_tanh", -3.0, 3.0, 101, boundary="clip"))
        before = Landscape.from_function(lambda *x: q.sample(np.tanh(np.stack(x, -1))), wide)

    Wrappers that learn while they are sampled (`NormalizeObservation`, `NormalizeReward`) are refused unless they are
    frozen with the training statistics: ``layer.obs_rms = trained.obs_rms; layer.update_running_mean = False``.

    For a simulator that takes all points at once, as in jax or Warp, use `Landscape.from_function` instead.

    References
    ----------
    M. Towers et al., *Gymnasium: A Standard Interface for Reinforcement Learning Environments*, arXiv 2407.17032.

    Examples
    --------
    A hanging pendulum, over the torque of the first step, damped afterwards:

    >>> from heatpg import landscapes
    >>> from heatpg.landscapes import Parameters, Rollout
    >>> short = Rollout(horizon=10)
    >>> q = landscapes.from_gymnasium("Pendulum-v1", lambda seen: [-seen[2]], state=[3.14, 0.0], size=5, rollout=short)
    >>> q.grid.axes[0].name, q.values.shape, q.provenance["parameters"]["restored"]
    ('action_1', (5,), 'snapshot of attributes')

    Return of a linear policy over one of its gains, from two resets:

    >>> gain = Parameters([0.0, 0.0, -1.0], directions=[[0.0, 1.0, 0.0]], extent=2.0, boundary="clip")
    >>> j = landscapes.from_gymnasium(
    ...     "Pendulum-v1", lambda theta, seen: [theta @ seen], over=gain, size=5, rollout=Rollout(horizon=10, seeds=2)
    ... )
    >>> j.grid.axes[0].name, j.standard_error.shape
    ('direction_1', (5,))

    If you pass a grid, the axes have names and units:

    >>> from heatpg import Axis, Grid
    >>> torques = Grid(Axis("torque", -2.0, 2.0, 5, boundary="clip", unit="N m"))
    >>> named = landscapes.from_gymnasium("Pendulum-v1", grid=torques, state=[3.14, 0.0], rollout=short)
    >>> named.grid.axes[0].name, named.grid.axes[0].unit
    ('torque', 'N m')
    """
    request = open_request(environment, policy, over, state, rollout, workers, MOST_AXES)
    plan, episodes = request.plan, request.episodes
    if isinstance(over, Actions):
        box = _places("component", grid, request.dimensions, lambda: _action_grid(over, request, size))
    else:
        box = _places("direction", grid, request.dimensions, lambda: _parameter_grid(over, request.dimensions, size))
    points = box.nodes()
    count = len(plan.rollout.seed_numbers)
    plan.rollout.require_memory(len(points))
    if plan.batched:
        plan = dataclasses.replace(plan, stages=min(BATCH, len(points)))
    # the first stage is kept: what was tried in it is not tried again
    episodes.extend(plan)
    sampling = Sampling(plan, request.workers, episodes)
    try:
        sampling.try_twice(points[0])
        # a generator of the environment's own has been told already
        known = episodes.stages[0].snapshot is not None and episodes.stages[0].snapshot.generators
        results = sampling.run(points, progress_of(progress, "sampling"), tell=not known)
    finally:
        sampling.leave_as_found()
    provenance = provenance_of(sampling, request, results)
    # an environment without an id goes by its class, without the module
    made = str(provenance["parameters"]["environment"])
    label = name or f"{made if '-v' in made else made.rpartition('.')[2]} {plan.kind}"
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
    return Landscape(
        **content, grid=box, name=label, provenance=provenance, sampler=EnvironmentSampler(sampling, request)
    )
