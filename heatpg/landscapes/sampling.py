"""What a landscape of an environment is made of: how rollouts run, where they begin, and what its axes are.

These are the values that `from_gymnasium` takes. Each is checked when it is made, as far as that can be done without
the environment and the policy, which are asked later.
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
from heatpg.tools.resources import require_memory

__all__ = ["Actions", "Batched", "Parameters", "Rollout", "State"]

Vector = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Rollout:
    """How every rollout runs, and how many there are for each point.

    Parameters
    ----------
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
    clip
        Whether actions, also the policy's, are clipped to the action space, as learners do.
    action_type
        Type of the numbers that the environment is given. By default the action of a point has that of the action
        space, mostly float32, so that Q has steps of 1e-7 of its width, and a policy's action stays as it is.
        ``float64`` has no such steps, where the environment takes it.
    keep_returns
        Whether the landscape keeps the return of every seed beside their mean, 8 bytes per point and seed. With them
        the sampling error of differences, and so of jumps and prices, is known; without them only that of each point.

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
            raise OptionError("unknown treatment of NaN", given=repr(nan), allowed="'raise', or a number")
        if self.action_type not in (None, "float32", "float64"):
            raise OptionError("unknown type of actions", given=repr(self.action_type), allowed="'float32' or 'float64'")
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
        """Refuse returns at so many points that would not fit.

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
        """What stands for a reward that is not finite; None where that is an error."""
        return None if isinstance(self.nan, str) else self.nan


# eq=False: a comparison of two arrays has no single truth value, so that == would raise; likewise below
@dataclasses.dataclass(frozen=True, eq=False)
class State:
    """Where rollouts begin.

    Parameters
    ----------
    at
        None: after a reset with the first seed. A whole number: after a reset with that seed. An array: positions and
        velocities of MuJoCo one after the other, or what the attribute ``state`` of the environment holds. A function
        of the environment that sets it (and may return the observation). ``"current"``: where the environment is,
        and where it is put back in the end.
    after
        Actions, shape (steps, ...), that are taken from there before the state is reached.

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


@dataclasses.dataclass(frozen=True, eq=False)
class Actions:
    """Axes that are components of the action: of the first one before a policy, or of one that is held.

    Parameters
    ----------
    components
        Which components of the action are varied, counted from 0; needed if there are more than 3.
    held
        Values of all components, of which those that are not varied are used; by default 0, or the bound next to it.
    boundary
        Of the default grid, which ends at the bounds of the action space; ``clip``, as actions are clipped to it.
    """

    components: Sequence[int] | None = None
    held: ArrayLike | None = None
    boundary: str = "clip"


@dataclasses.dataclass(frozen=True, eq=False)
class Parameters:
    """Axes that are directions through the parameters of a policy, each in lengths of its direction.

    Parameters
    ----------
    origin
        The parameters at 0, as one vector; see `heatpg.landscapes.directions.flatten`. A policy with the methods
        ``flat_parameters()`` and ``set_flat_parameters(vector)`` is asked for them.
    directions
        One to three: of `heatpg.landscapes.directions`, or an array of shape (count, parameters). A sampler takes any
        number of them, and None: then a point is a vector of all parameters.
    extent
        Half-width of the default grid in lengths of the directions, one or one per direction.
    boundary
        Of the default grid; there is no default, as nothing ends where the box does.
    """

    origin: ArrayLike | None = None
    directions: Directions | ArrayLike | None = dataclasses.field(default=None, kw_only=True)
    extent: float | Sequence[float] = 1.0
    boundary: str = ""


@dataclasses.dataclass(frozen=True)
class Batched:
    """A policy that takes observations of shape (count, ...) and returns actions of shape (count, ...).

    Observations that are dictionaries or tuples are stacked part by part, as Gymnasium's vector environments do. With
    `Parameters` it also takes parameters of shape (count, parameters). 64 environments then go side by side and
    the policy is called once a step, which is faster for a network. Matrix products of another size round otherwise,
    in the precision of the policy, and the steps that follow amplify that.

    Parameters
    ----------
    policy
        The policy; without a state, and without random numbers of its own.
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
        raise OptionError("seeds are whole numbers", given=repr(given), allowed=wanted) from None
    if not numbers or not whole or min(numbers) < 0 or len(set(numbers)) < len(numbers):
        # a repeated seed would count one rollout twice, and shrink the standard error
        raise OptionError("the seeds do not fit", given=repr(given), allowed=wanted)
    return numbers


def _place(given: Any) -> Any:
    # functions are called when there is an environment
    if given is None or callable(given):
        return given
    if isinstance(given, str):
        if given != "current":
            raise OptionError("unknown state", given=repr(given), allowed="'current', a seed, an array, a function")
        return given
    if isinstance(given, int | np.integer) and not isinstance(given, bool):
        if given < 0:
            raise OptionError("the seed of a state is a whole number from 0", given=given, allowed="0, 1, 2, ...")
        return int(given)
    return as_numbers("state", given, 1)


def _prefix(given: ArrayLike) -> Vector:
    actions = real_numbers("after", given, allowed="a rectangular array")
    # (), [] and an array (0, size) all mean that no action is taken
    if actions.size == 0:
        return np.empty((0, 0))
    if actions.ndim == 0:
        raise GridError("after: the shape does not fit", given="a single number", allowed="(steps, ...)")
    # flat per step; they take the shape of the action space once that is known
    return as_numbers("after", actions.reshape(len(actions), -1), 2)
