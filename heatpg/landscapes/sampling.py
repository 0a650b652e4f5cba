"""Options of landscapes of environments: how rollouts run, where they start, and what the axes are.

`from_gymnasium` takes these values. Each is validated when it is created, as far as that is possible without the
environment and the policy; the rest is validated when sampling starts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.errors import GridError, OptionError
from heatpg.landscapes.directions import Directions, as_numbers
from heatpg.tools.arguments import finite_number, whole_number
from heatpg.tools.arrays import real_numbers
from heatpg.tools.calls import checked_class
from heatpg.tools.resources import require_memory

__all__ = ["Actions", "Batched", "Parameters", "Rollout", "State"]

Vector = NDArray[np.float64]


@checked_class()
@dataclasses.dataclass(frozen=True)
class Rollout:
    """How rollouts run, and how many there are per point.

    Parameters
    ----------
    horizon
        Steps of a rollout, at most.
    gamma
        Discount per step, from 0 to 1.
    seeds
        Number of rollouts per point (seeds 0, 1, ...), or the seeds themselves. All points use the same seeds (common
        random numbers), so differences between points are more accurate than the values, and sampling noise does not
        roughen the landscape. The mean over the seeds and its standard error are stored.
    nan
        ``raise``, or a number that replaces a reward that is not finite and ends the rollout.
    clip
        Whether actions, including those of the policy, are clipped to the action space, as learners do.
    action_type
        Data type of the actions passed to the environment. By default the action at a point has the type of the action
        space, mostly float32, so that Q has steps of 1e-7 of its width; an action of the policy keeps its type.
        ``float64`` avoids these steps if the environment accepts it.
    keep_returns
        Whether the landscape stores the return of every seed in addition to the mean (8 bytes per point and seed). They
        give the sampling error of differences, and so of jumps and costs; without them only the sampling error at each
        point is known.

    Raises
    ------
    OptionError
        For anything else.

    Examples
    --------
    >>> from heatpg.landscapes import Rollout
    >>> Rollout(horizon=50, seeds=3).seed_numbers
    (0, 1, 2)
    """

    horizon: int = 200
    gamma: float = 0.99
    seeds: int | Sequence[int] = 1
    nan: str | float = "raise"
    clip: bool = True
    action_type: str | None = None
    keep_returns: bool = True

    def __post_init__(self) -> None:
        nan = self.nan
        if isinstance(nan, str) and nan != "raise":
            raise OptionError(
                "unknown value of nan=", given=repr(nan), allowed="'raise', or a number that replaces the reward"
            )
        if self.action_type not in (None, "float32", "float64"):
            raise OptionError("unknown action_type", given=repr(self.action_type), allowed="'float32' or 'float64'")
        checked = {
            "horizon": whole_number("horizon", self.horizon),
            "gamma": finite_number("gamma", self.gamma, lower=0.0, upper=1.0),
            "seeds": _seeds(self.seeds),
            "nan": nan if isinstance(nan, str) else finite_number("nan", nan),
            "clip": bool(self.clip),
            "keep_returns": bool(self.keep_returns),
        }
        # past the frozen class, once: NumPy's numbers become Python's, and provenance can hold them
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def seed_numbers(self) -> tuple[int, ...]:
        """The seed of each rollout of a point."""
        # the count itself is kept, as a hundred seeds would make the value unreadable when printed
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else tuple(self.seeds)

    def require_memory(self, points: int) -> None:
        """Raise an error if the returns at this number of points exceed the memory.

        Raises
        ------
        ResourceError
            With what they need.
        """
        count = len(self.seed_numbers)
        kept = self.keep_returns and count > 1
        require_memory(
            # 8 bytes a return and one for each of two flags, in pieces and as a whole; and those that are kept, in the
            # order of the landscape
            points * count * (28 if kept else 20),
            f"the returns of {points * count:,} rollouts",
            "use a coarser grid or fewer seeds" + (", or Rollout(keep_returns=False)" if kept else ""),
        )

    @property
    def replacement(self) -> float | None:
        """The number that replaces a reward that is not finite; None if such a reward is an error."""
        return None if isinstance(self.nan, str) else self.nan


# eq=False: a comparison of two arrays has no single truth value, so that == would raise; likewise below
@checked_class()
@dataclasses.dataclass(frozen=True, eq=False)
class State:
    """Where rollouts start.

    Parameters
    ----------
    at
        None: after a reset with the first seed. A whole number: after a reset with that seed. An array: the positions
        of MuJoCo followed by the velocities, or a value for the attribute ``state`` of the environment. A function of
        the environment that sets the state (and may return the observation). ``"current"``: the present state of the
        environment, which is restored at the end.
    after
        Actions, shape (steps, ...), taken from there to reach the state.

    Raises
    ------
    OptionError, GridError, NonFiniteError
        For anything else, and for actions that are not a rectangular array of finite numbers.

    Examples
    --------
    >>> from heatpg.landscapes import State
    >>> State(4, after=[[0.5], [-1.0]]).prefix.shape
    (2, 1)
    """

    at: Any = None
    after: ArrayLike = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", _place(self.at))
        object.__setattr__(self, "after", _prefix(self.after))

    @property
    def prefix(self) -> Vector:
        """The actions before the state, shape (steps, components)."""
        return np.asarray(self.after, dtype=np.float64)


@checked_class()
@dataclasses.dataclass(frozen=True, eq=False)
class Actions:
    """Axes over components of the action: the first action before a policy acts, or a constant action.

    Parameters
    ----------
    components
        Indices of the components to vary, counted from 0; required if there are more than 3.
    held
        Values of all components; those that are not varied keep them. By default 0, or the bound nearest to it.
    boundary
        Boundary condition of the default grid, which ends at the bounds of the action space; ``clip`` by default,
        because actions are clipped.
    """

    components: Sequence[int] | None = None
    held: ArrayLike | None = None
    boundary: str = "clip"


@checked_class()
@dataclasses.dataclass(frozen=True, eq=False)
class Parameters:
    """Axes along directions in the parameter space of a policy, in units of the length of each direction.

    Parameters
    ----------
    origin
        The parameters at 0, as one vector; see `heatpg.landscapes.directions.flatten`. By default taken from a policy
        with the methods ``flat_parameters()`` and ``set_flat_parameters(vector)``.
    directions
        One to three directions from `heatpg.landscapes.directions`, or an array of shape (count, parameters). A sampler
        takes any number of directions; with None a point is a vector of all parameters.
    extent
        Half-width of the default grid in units of the lengths of the directions: one number, or one per direction.
    boundary
        Boundary condition of the default grid. There is no default, because parameters do not end at the edge of the
        box.
    """

    origin: ArrayLike | None = None
    directions: Directions | ArrayLike | None = dataclasses.field(default=None, kw_only=True)
    extent: float | Sequence[float] = 1.0
    boundary: str = ""


@checked_class()
@dataclasses.dataclass(frozen=True)
class Batched:
    """A policy that takes observations of shape (count, ...) and returns actions of shape (count, ...).

    Observations that are dictionaries or tuples are stacked part by part, as Gymnasium's vector environments do. With
    `Parameters` it also takes parameters of shape (count, parameters). 64 environments then run in parallel and the
    policy is called once per step, which is faster for a network. Matrix products of another size round differently, in
    the precision of the policy, and later steps amplify the difference.

    Parameters
    ----------
    policy
        The policy; it must have neither a state nor its own random numbers.
    """

    policy: Callable[..., Any]


def _seeds(given: int | Sequence[int]) -> int | tuple[int, ...]:
    wanted = "how many (1, 2, ...), or different whole numbers from 0"
    if isinstance(given, int | np.integer) and not isinstance(given, bool):
        return whole_number("seeds", given)
    try:
        numbers = tuple(int(seed) for seed in given)  # type: ignore[union-attr]
        # int() would round 0.5 down without a word
        whole = all(number == seed for number, seed in zip(numbers, given, strict=True))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise OptionError("seeds must be whole numbers", given=repr(given), allowed=wanted) from None
    if not numbers or not whole or min(numbers) < 0 or len(set(numbers)) < len(numbers):
        # a repeated seed would count one rollout twice, and shrink the standard error
        raise OptionError("seeds must be different whole numbers", given=repr(given), allowed=wanted)
    return numbers


def _place(given: Any) -> Any:
    # functions are called when there is an environment
    if given is None or callable(given):
        return given
    if isinstance(given, str):
        if given != "current":
            raise OptionError("state must be None, a seed, an array, a function, or 'current'", given=repr(given))
        return given
    if isinstance(given, int | np.integer) and not isinstance(given, bool):
        if given < 0:
            raise OptionError("the seed of a state must be a whole number >= 0", given=given, allowed="0, 1, 2, ...")
        return int(given)
    return as_numbers("state", given, 1)


def _prefix(given: ArrayLike) -> Vector:
    actions = real_numbers("after", given, allowed="a rectangular array")
    # (), [] and an array (0, size) all mean that no action is taken
    if actions.size == 0:
        return np.empty((0, 0))
    if actions.ndim == 0:
        raise GridError("after has the wrong shape", given="a single number", allowed="(steps, ...)")
    # flat per step; they take the shape of the action space once that is known
    return as_numbers("after", actions.reshape(len(actions), -1), 2)
