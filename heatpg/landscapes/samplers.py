"""Returns of an environment at arbitrary points, without a grid, over all components of an action or all parameters."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.scatter import mean_and_error
from heatpg.errors import GridError, NonFiniteError
from heatpg.landscapes._episodes import BATCH
from heatpg.landscapes._request import Request, open_request
from heatpg.landscapes._sampling import Sampling, provenance_of
from heatpg.landscapes.sampling import Actions, Parameters, Rollout
from heatpg.tools.arrays import real_numbers
from heatpg.tools.calls import checked_call

__all__ = ["EnvironmentSampler", "SeedMean", "sampler_from_gymnasium"]

Vector = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class SeedMean:
    """A mean over seeds and its standard error.

    Attributes
    ----------
    value
        Mean over the seeds, one for each point, or a number for a single one.
    standard_error
        Its standard error, std over seeds / sqrt(seeds); None for a single seed.
    of_seeds
        The averaged values, seeds along the last axis.
    """

    value: Vector
    standard_error: Vector | None
    of_seeds: Vector

    @classmethod
    def over(cls, of_seeds: Vector) -> SeedMean:
        """The mean along the last axis."""
        if of_seeds.shape[-1] < 2:
            return cls(np.asarray(of_seeds[..., 0]), None, of_seeds)
        return cls(*mean_and_error(np.moveaxis(of_seeds, -1, 0)), of_seeds)


class EnvironmentSampler:
    """Q(s, a) or the return of a policy at any points, all with the same seeds; see `sampler_from_gymnasium`.

    It is a function of points, shape (N, d), and of coordinates, one array for each: `heatpg.quadrature.mollify`,
    `heatpg.policy.estimators.estimate_gradient`, `heatpg.policy.ascent.ascend` and `Landscape.from_function` accept it
    directly. The first three use its seeds, so that their standard errors include the scatter of the rollouts.

    Attributes
    ----------
    dimensions
        Number of coordinates of a point.
    center
        The held action, the parameters at the origin, or 0 along directions.
    provenance
        Everything that the returns depend on.
    """

    def __init__(self, sampling: Sampling, request: Request) -> None:
        self._sampling = sampling
        self._request = request
        self.dimensions = request.dimensions
        plan = sampling.plan
        if plan.kind == "actions":
            assert plan.action is not None
            self.center: Vector = plan.action[list(plan.components)]
        else:
            assert plan.origin is not None
            self.center = plan.origin.copy() if plan.vectors is None else np.zeros(self.dimensions)
        self.provenance: Mapping[str, Any] = provenance_of(sampling, request, None)

    def __repr__(self) -> str:
        facts = self.provenance["parameters"]
        return (
            f"<EnvironmentSampler of {facts['environment']}: {facts['kind']}, {self.dimensions} components, "
            f"{len(self.seeds)} seeds>"
        )

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each rollout of a point."""
        return self._sampling.plan.rollout.seed_numbers

    def returns(self, points: ArrayLike) -> Vector:
        """The return of every seed, shape (N, seeds) for points of shape (N, d), (seeds,) for one of shape (d,).

        Raises
        ------
        GridError, NonFiniteError
            For points of the wrong shape, and points that are not finite.
        """
        places = real_numbers("the points", points, GridError)
        if places.ndim not in (1, 2) or places.shape[-1] != self.dimensions:
            raise GridError(
                "points has the wrong shape",
                given=f"shape {places.shape}",
                allowed=f"(N, {self.dimensions}), or ({self.dimensions},) for one point",
            )
        if not np.isfinite(places).all():
            raise NonFiniteError("points must be finite", given=places[~np.isfinite(places)][0])
        flat = np.ascontiguousarray(places.reshape(-1, self.dimensions))
        plan = self._sampling.plan
        if plan.batched and len(flat):
            stages = min(BATCH, len(flat))
            with self._sampling.turn:
                # as many environments side by side as there are points, if that is more than there are
                if stages > len(self._sampling.episodes.stages):
                    self._sampling.episodes.extend(dataclasses.replace(plan, stages=stages))
        return self._sampling.returns(flat).reshape(*places.shape[:-1], len(self.seeds))

    def sample(self, points: ArrayLike) -> Vector:
        """Mean over the seeds at points of shape (N, d), shape (N,)."""
        return np.asarray(self.returns(points).mean(axis=-1))

    def mean(self, points: ArrayLike) -> SeedMean:
        """Mean over the seeds at points of shape (N, d), with its standard error."""
        return SeedMean.over(self.returns(points))

    def difference(self, first: ArrayLike, second: ArrayLike) -> SeedMean:
        """Difference of the returns at two points, seed by seed.

        Both use the same random numbers (common random numbers), so noise common to both cancels in the difference and
        in its standard error.

        Parameters
        ----------
        first, second
            Points of shape (N, d), or (d,) for one point that is compared with all others.
        """
        pair = [self.returns(points) for points in (first, second)]
        return SeedMean.over(np.asarray(pair[0] - pair[1]))

    def __call__(self, *coordinates: ArrayLike) -> Vector:
        """Mean over the seeds, at points of shape (N, d), or at coordinates, one array for each."""
        if len(coordinates) == 1 and np.ndim(coordinates[0]) == 2:
            return self.sample(coordinates[0])
        places = np.stack(np.broadcast_arrays(*(real_numbers("coordinates", x, GridError) for x in coordinates)), -1)
        return self.sample(places.reshape(-1, places.shape[-1])).reshape(places.shape[:-1])

    def with_seeds(self, seeds: int | Sequence[int]) -> EnvironmentSampler:
        """The same environment from the same state, with other seeds.

        Parameters
        ----------
        seeds
            Number of seeds (0, 1, ...), or the seeds themselves, as in `Rollout`.
        """
        rollout = dataclasses.replace(self._sampling.plan.rollout, seeds=seeds)
        return self._with(rollout=rollout)

    @functools.cached_property
    def whole(self) -> EnvironmentSampler:
        """The sampler of all components of the action, or of all parameters, in the same environment.

        `embed` maps a point of this sampler to that one. Add noise in components beyond the axes of a landscape with
        ``sampler.whole.returns(sampler.embed(points) + noise)``.
        """
        plan = self._sampling.plan
        if plan.kind == "actions":
            assert plan.action is not None
            return self._with(components=tuple(range(plan.action.size)))
        return self._with(vectors=None)

    def embed(self, points: ArrayLike) -> Vector:
        """All components of the action, or all parameters, at points of shape (N, d): shape (N, components)."""
        plan = self._sampling.plan
        places = np.atleast_2d(real_numbers("the points", points, GridError))
        if plan.kind == "actions":
            assert plan.action is not None
            found = np.tile(plan.action, (len(places), 1))
            found[:, list(plan.components)] = places
            return found
        # one by one and in this order, as rollouts have it: a point and its embedding have the same return to the bit
        return np.array([self._sampling.episodes.parameters_at(place, plan) for place in places])

    @property
    def basis(self) -> Vector:
        """The unit vector of each coordinate in all components, shape (d, components)."""
        plan = self._sampling.plan
        if plan.kind == "actions":
            assert plan.action is not None
            return np.eye(plan.action.size)[list(plan.components)]
        return np.eye(self.dimensions) if plan.vectors is None else plan.vectors.copy()

    def _with(self, **changes: Any) -> EnvironmentSampler:
        """A sampler of a plan that differs, which shares the environments and takes turns with this one."""
        plan = dataclasses.replace(self._sampling.plan, **changes)
        episodes = copy.copy(self._sampling.episodes)
        episodes.plan = plan
        sampling = dataclasses.replace(self._sampling, plan=plan, episodes=episodes)
        request = dataclasses.replace(
            self._request,
            plan=plan,
            episodes=episodes,
            directions=None if plan.vectors is None else self._request.directions,
        )
        return EnvironmentSampler(sampling, request)


_OVER = Actions()
_ROLLOUT = Rollout()


@checked_call()
def sampler_from_gymnasium(
    environment: Any,
    policy: Any = None,
    *,
    over: Actions | Parameters = _OVER,
    state: Any = None,
    rollout: Rollout = _ROLLOUT,
) -> EnvironmentSampler:
    """Q(s, a) over all components of an action, or the return over all parameters of a policy, at arbitrary points.

    `from_gymnasium` samples the same functions on a grid of up to three axes; see there for all parameters.

    Parameters
    ----------
    environment, policy, state
        As `from_gymnasium` takes them.
    over
        What a point is. `Actions`, by default all components. `Parameters` without directions: a vector of all
        parameters; with any number of directions: their coefficients.
    rollout
        Horizon, discount, and the seeds: **every point has the same**, so that differences are paired.

    Returns
    -------
    EnvironmentSampler
        Only two rollouts at one point have been run, to test that they agree.

    Raises
    ------
    MissingPackageError, OptionError, UnsupportedError, RolloutError, GridError, NonFiniteError
        As `from_gymnasium`.

    Warns
    -----
    HeatpgWarning
        If the environment does not follow its seed, or returns do not repeat.

    Notes
    -----
    L(mu, sigma^2) = E Q(mu + sigma Z) by quasi-Monte Carlo is ``mollify(sampler, mu, sigma, budget=...)``, its gradient
    by pairs ``estimate_gradient(sampler, mu, sigma, estimator="antithetic", samples=...)``. With two seeds or more both
    report errors that include the scatter over the noise *and* over the seeds. All points use the same seeds, so these
    are the two factors of a crossed design,

        Var = V_noise / N + V_seed / S + V_both / (N S),

    and the scatter over the noise alone measures only the first and the last term.

    Examples
    --------
    The six torques of a cheetah would need 33^6 nodes; here three actions of the pendulum's one component:

    >>> from heatpg import landscapes
    >>> from heatpg.landscapes import Parameters, Rollout
    >>> q = landscapes.sampler_from_gymnasium("Pendulum-v1", state=[3.14, 0.0], rollout=Rollout(horizon=10))
    >>> q.dimensions, q.sample([[-2.0], [0.0], [2.0]]).shape
    (1, (3,))

    The smoothed return of a linear policy in all of its three parameters, over four resets:

    >>> from heatpg.quadrature import mollify
    >>> j = landscapes.sampler_from_gymnasium(
    ...     "Pendulum-v1", lambda theta, seen: [theta @ seen], over=Parameters([0.0, 0.0, -1.0]),
    ...     rollout=Rollout(horizon=10, seeds=4),
    ... )
    >>> smoothed = mollify(j, j.center, 0.5, budget=64)
    >>> smoothed.gradient.shape, smoothed.gradient_standard_error.shape
    ((3,), (3,))
    >>> j.difference([0.0, 0.0, -1.0], [0.0, 0.0, 1.0]).of_seeds.shape
    (4,)
    """
    request = open_request(environment, policy, over, state, rollout)
    sampling = Sampling(request.plan, 0, request.episodes)
    request.episodes.extend(request.plan)
    sampler = EnvironmentSampler(sampling, request)
    try:
        sampling.try_twice(sampler.center)
    finally:
        sampling.leave_as_found()
    return sampler
