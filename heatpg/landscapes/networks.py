"""Trained networks as policies: modules of torch and models of stable-baselines3, with their parameters as one vector.

Neither torch nor stable-baselines3 is imported before it is needed, and no file is read here: the caller loads a
checkpoint with the library that wrote it.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.errors import GridError, MissingPackageError, OptionError, UnsupportedError
from heatpg.landscapes.directions import as_numbers
from heatpg.tools.calls import checked_call, checked_class
from heatpg.tools.extras import how_to_add
from heatpg.tools.warn import warn_caller

__all__ = ["NetworkPolicy", "policy_from_stable_baselines3", "policy_from_torch"]

Array = NDArray[Any]
Vector = NDArray[np.float64]


def _load_torch(extra: str) -> Any:
    try:
        # inside the function: its import takes seconds, and few landscapes need it
        import torch
    except ImportError:
        raise MissingPackageError("torch is not installed", advice=how_to_add(extra)) from None
    return torch


@dataclasses.dataclass(frozen=True, eq=False)
class _Normalisation:
    """(o - mean) / sqrt(variance + epsilon), within +- clip: statistics of training, which no longer change."""

    mean: Vector
    variance: Vector
    epsilon: float
    clip: float

    def __call__(self, observations: Array) -> Array:
        scaled = (observations - self.mean) / np.sqrt(self.variance + self.epsilon)
        # in single precision, as stable-baselines3 hands it to the network
        return np.asarray(np.clip(scaled, -self.clip, self.clip), dtype=np.float32)


def _normalisation(given: Any) -> _Normalisation | None:
    """Of a layer `VecNormalize` of stable-baselines3 or `NormalizeObservation` of Gymnasium, copied."""
    if given is None or getattr(given, "norm_obs", True) is False:
        return None
    statistics: Any = getattr(given, "obs_rms", None)
    if isinstance(statistics, dict):
        raise UnsupportedError(
            "statistics of dictionary observations are not supported",
            given=", ".join(map(str, statistics)),
            allowed="one array of observations",
            advice="write the policy as a function of the observation",
        )
    if not (hasattr(statistics, "mean") and hasattr(statistics, "var")):
        raise OptionError(
            "normalisation must hold statistics of observations",
            given=type(given).__name__,
            allowed="a VecNormalize of stable-baselines3, or a NormalizeObservation of Gymnasium",
            advice="load saved statistics with VecNormalize.load(path, venv) of stable-baselines3",
        )
    return _Normalisation(
        np.array(statistics.mean, dtype=np.float64),
        np.array(statistics.var, dtype=np.float64),
        float(getattr(given, "epsilon", 1e-8)),
        float(getattr(given, "clip_obs", np.inf)),
    )


@checked_class()
class NetworkPolicy:
    """A network as a batched policy of observations and parameter vectors; see `policy_from_torch`.

    Pass it to `heatpg.landscapes.from_gymnasium` or `sampler_from_gymnasium`, over `Actions` or over `Parameters`,
    whose origin is then the parameter vector of the network. It has no state and does not modify the network.

    Attributes
    ----------
    shapes
        Shapes of the parameters by name, in the order of the vector; for
        `heatpg.landscapes.directions.filter_normalised`.
    squashed
        Whether actions are tanh of a mean, scaled to the bounds of the action space.
    notes
        Remarks on the policy, such as training noise that is not white.
    """

    def __init__(
        self,
        network: Any,
        *,
        normalisation: _Normalisation | None = None,
        finish: Callable[[Array], Array] | None = None,
        squashed: bool = False,
        notes: tuple[str, ...] = (),
    ) -> None:
        # a copy, so that further training does not change it, in the mode in which layers only act
        self._network = copy.deepcopy(network).eval()
        self._normalisation = normalisation
        self._finish = finish
        self.squashed = squashed
        self.notes = notes
        self._named = {key: value.detach() for key, value in self._network.named_parameters()}
        if not self._named:
            raise OptionError("the network has no parameters", given=type(network).__name__)
        self.shapes: dict[str, tuple[int, ...]] = {key: tuple(value.shape) for key, value in self._named.items()}
        first = next(iter(self._named.values()))
        self._dtype, self._device = first.dtype, first.device

    def __repr__(self) -> str:
        size = sum(value.numel() for value in self._named.values())
        return f"<NetworkPolicy of {size} parameters in {len(self.shapes)} arrays{', squashed' * self.squashed}>"

    def flat_parameters(self) -> Vector:
        """The parameters as one vector."""
        parts = [value.cpu().numpy().ravel() for value in self._named.values()]
        return np.concatenate(parts).astype(np.float64)

    def with_parameters(self, vector: ArrayLike) -> NetworkPolicy:
        """The same policy with other parameters, shape (parameters,)."""
        named = self._unflatten(self._as_rows(vector, 1)[0])
        other = copy.copy(self)
        other._network = copy.deepcopy(self._network)
        other._named = {key: value.clone() for key, value in named.items()}
        other._network.load_state_dict(named, strict=False)
        return other

    def write_parameters(self, vector: ArrayLike, network: Any) -> None:
        """Write parameters into a network with the same names and shapes, such as the original one."""
        named = self._unflatten(self._as_rows(vector, 1)[0])
        own = dict(network.named_parameters())
        if {key: tuple(value.shape) for key, value in own.items()} != self.shapes:
            raise OptionError(
                "the network has different parameters", given=", ".join(own), allowed=", ".join(self.shapes)
            )
        for key, value in own.items():
            value.data.copy_(named[key])

    def __call__(self, *given: ArrayLike) -> Array:
        """Actions of ``policy(observations)``, or of ``policy(parameters, observations)``: one each, or many."""
        return self.act(self.mean(*given))

    def mean(self, *given: ArrayLike) -> Array:
        """Output of the network before tanh and bounds; arguments as in a call."""
        torch = _load_torch("torch")
        if len(given) not in (1, 2):
            raise TypeError(f"a NetworkPolicy takes observations, or parameters and observations; given: {len(given)}")
        observations = np.asarray(given[-1])
        if self._normalisation is not None:
            observations = self._normalisation(observations)
        seen = torch.as_tensor(np.ascontiguousarray(observations), dtype=self._dtype, device=self._device)
        with torch.no_grad():
            if len(given) == 1:
                # one observation is a batch of one, as most networks need a batch
                single = self._is_single(seen)
                found = self._network(seen[None] if single else seen)
                return np.asarray((found[0] if single else found).cpu().numpy())
            thetas = np.asarray(given[0])
            if thetas.ndim == 1:
                return np.asarray(self._of_one(thetas, seen).cpu().numpy())
            rows = self._as_rows(thetas, 2)
            if len(rows) != len(seen):
                raise GridError(
                    "there must be one observation per parameter vector",
                    given=f"{len(rows)} vectors, {len(seen)} observations",
                )
            named = self._unflatten(rows)
            call = torch.func.functional_call

            def one(parameters: Any, observation: Any) -> Any:
                return call(self._network, parameters, (observation[None],))[0]

            return np.asarray(torch.func.vmap(one)(named, seen).cpu().numpy())

    def act(self, mean: ArrayLike) -> Array:
        """Actions of the environment for outputs of the network: tanh and scaling to the bounds are applied where
        present.

        For a squashed policy, noise on the mean enters before this step. A landscape over the mean is::

            q = sampler_from_gymnasium("Pendulum-v1", policy)
            before = Landscape.from_function(lambda *x: q.sample(policy.act(np.stack(x, -1))), grid)
        """
        array = np.asarray(mean)
        return array if self._finish is None else self._finish(array)

    def _is_single(self, seen: Any) -> bool:
        shape = getattr(self._network, "observation_shape", None)
        return bool(seen.ndim == (1 if shape is None else len(shape)))

    def _of_one(self, theta: Array, seen: Any) -> Any:
        torch = _load_torch("torch")
        named = self._unflatten(self._as_rows(theta, 1)[0])
        single = self._is_single(seen)
        found = torch.func.functional_call(self._network, named, (seen[None] if single else seen,))
        return found[0] if single else found

    def _as_rows(self, vectors: ArrayLike, dimensions: int) -> Vector:
        rows = np.atleast_2d(as_numbers("parameters", vectors, dimensions))
        size = sum(value.numel() for value in self._named.values())
        if rows.shape[1] != size:
            raise GridError(
                "the parameter vector has the wrong size for the network",
                given=f"{rows.shape[1]} numbers",
                allowed=f"{size} numbers",
            )
        return rows

    def _unflatten(self, vectors: Vector) -> dict[str, Any]:
        """Tensors by name of vectors of shape (..., parameters), leading axes kept."""
        torch = _load_torch("torch")
        whole = torch.as_tensor(vectors, dtype=self._dtype, device=self._device)
        found, begin = {}, 0
        for key, value in self._named.items():
            end = begin + value.numel()
            found[key] = whole[..., begin:end].reshape(*whole.shape[:-1], *value.shape)
            begin = end
        return found


@checked_call()
def policy_from_torch(network: Any, *, normalisation: Any = None) -> NetworkPolicy:
    """A torch module as a policy: actions = network(observations), all parameters as one vector.

    Parameters
    ----------
    network
        Takes observations of shape (count, size) and returns actions of shape (count, components). It is copied, and
        the copy is set to evaluation mode, so that dropout is off and running statistics are frozen.
    normalisation
        Training statistics for scaling observations first: a ``VecNormalize`` of stable-baselines3 or a
        ``NormalizeObservation`` of Gymnasium. They are copied and frozen.

    Raises
    ------
    MissingPackageError
        If torch is missing.
    OptionError
        If network is not a torch module or has no parameters, or if normalisation holds no statistics.

    Notes
    -----
    Many parameter vectors are evaluated at once with `torch.func.vmap`. A vector has the order of
    ``named_parameters()``; buffers, such as running statistics, are not parameters and do not change.
    """
    torch = _load_torch("torch")
    if not isinstance(network, torch.nn.Module):
        raise OptionError(
            "network must be a torch module",
            given=type(network).__name__,
            allowed="a torch.nn.Module",
            advice="for a stable-baselines3 model use policy_from_stable_baselines3" * hasattr(network, "predict"),
        )
    return NetworkPolicy(network, normalisation=_normalisation(normalisation))


class _ToBounds:
    """(tanh(x) + 1) / 2 between the bounds, x clipped to the bounds, or the place of the largest, as the model acts."""

    def __init__(self, kind: str, low: Array | None = None, high: Array | None = None) -> None:
        self.kind, self.low, self.high = kind, low, high

    def __call__(self, mean: Array) -> Array:
        if self.kind == "largest":
            return np.asarray(mean.argmax(axis=-1))
        assert self.low is not None and self.high is not None
        if self.kind == "tanh":
            return np.asarray(self.low + 0.5 * (np.tanh(mean) + 1.0) * (self.high - self.low), dtype=mean.dtype)
        return np.clip(mean, self.low, self.high)


def _actor_of(torch: Any, policy: Any) -> tuple[Any, bool]:
    """The part of a policy of stable-baselines3 that makes the mean of the action, and whether tanh comes after it."""

    class Actor(torch.nn.Module):  # type: ignore[misc]
        """Features, layers, and the last one before tanh."""

        def __init__(self, features: Any, layers: Any, last: Any, preprocess: Any, shape: tuple[int, ...]) -> None:
            super().__init__()
            self.features, self.layers, self.last = features, layers, last
            self.preprocess, self.observation_shape = preprocess, shape

        def forward(self, observations: Any) -> Any:
            return self.last(self.layers(self.features(self.preprocess(observations))))

    shape = tuple(policy.observation_space.shape)
    nothing = torch.nn.Identity()
    if hasattr(policy, "mlp_extractor") and hasattr(policy, "action_net"):  # PPO, A2C
        parts = policy.pi_features_extractor, policy.mlp_extractor.policy_net, policy.action_net
        squashed = bool(policy.squash_output)
    elif hasattr(policy, "actor") and hasattr(policy.actor, "latent_pi"):  # SAC
        actor, squashed = policy.actor, True
        parts = actor.features_extractor, actor.latent_pi, actor.mu
        if isinstance(actor.mu, torch.nn.Sequential):  # of gSDE, with a clip of the mean behind the layer
            parts = actor.features_extractor, actor.latent_pi, actor.mu[0]
    elif hasattr(policy, "actor") and isinstance(getattr(policy.actor, "mu", None), torch.nn.Sequential):  # TD3, DDPG
        layers = list(policy.actor.mu)
        squashed = isinstance(layers[-1], torch.nn.Tanh)
        parts = policy.actor.features_extractor, torch.nn.Sequential(*layers[:-1] if squashed else layers), nothing
    elif hasattr(policy, "q_net"):  # DQN
        parts, squashed = (policy.q_net.features_extractor, policy.q_net.q_net, nothing), False
    else:
        raise UnsupportedError(
            "the network of this policy is not supported",
            given=type(policy).__name__,
            allowed="policies of PPO, A2C, SAC, TD3, DDPG and DQN without recurrence",
            advice="write a torch module from observations to actions and use policy_from_torch",
        )
    return Actor(*parts, _Preprocess(policy), shape), squashed


class _Preprocess:
    """What stable-baselines3 does to observations before the features: images are scaled, numbers of classes spread."""

    def __init__(self, policy: Any) -> None:
        self.space, self.images = policy.observation_space, bool(getattr(policy, "normalize_images", True))

    def __call__(self, observations: Any) -> Any:
        from stable_baselines3.common.preprocessing import preprocess_obs

        return preprocess_obs(observations, self.space, normalize_images=self.images)


@checked_call()
def policy_from_stable_baselines3(model: Any, *, normalisation: Any = None) -> NetworkPolicy:
    """A stable-baselines3 model as a policy: the same as ``model.predict(observation, deterministic=True)``.

    The parameters are those of the actor that determine the mean action, without value network, critics and standard
    deviations.

    Parameters
    ----------
    model
        A PPO, A2C, SAC, TD3, DDPG or DQN model, as its ``load(path)`` returns it. Loading a checkpoint may execute code
        from the file, so heatpg does not load it for you; load only files that you trust.
    normalisation
        The ``VecNormalize`` that it was trained with, as ``VecNormalize.load(path, venv)`` returns it; by default that
        of the model's own environment (a loaded model usually has none). Statistics are copied.

    Returns
    -------
    NetworkPolicy
        `squashed` for SAC, TD3 and DDPG. SAC adds its noise *before* the tanh: for a landscape under such noise, put
        `NetworkPolicy.act` between the axes and the environment.

    Raises
    ------
    MissingPackageError
        If stable-baselines3 is missing.
    OptionError, UnsupportedError
        If model is not a stable-baselines3 model, or its observations or network are not supported, such as recurrent
        policies.

    Warns
    -----
    HeatpgWarning
        If the model explores with gSDE. Its noise is a fixed function of the state for many steps, neither white nor of
        constant covariance, so no heat flow describes it. The mean action is used.
    """
    try:
        import stable_baselines3
    except ImportError:
        raise MissingPackageError("stable-baselines3 is not installed", advice=how_to_add("sb3")) from None
    torch = _load_torch("sb3")
    if not isinstance(model, stable_baselines3.common.base_class.BaseAlgorithm):
        raise OptionError(
            "model must be a stable-baselines3 model",
            given=type(model).__name__,
            allowed="the result of PPO.load(path) or similar",
            advice="for a torch network use policy_from_torch" * isinstance(model, torch.nn.Module),
        )
    policy, spaces = model.policy, _spaces()
    if not isinstance(policy.observation_space, spaces.Box):
        raise UnsupportedError(
            "observations must be one array",
            given=repr(policy.observation_space),
            allowed="a Box",
            advice="write lambda seen: model.predict(seen, deterministic=True)[0]",
        )
    if hasattr(policy, "lstm_actor"):
        raise UnsupportedError(
            "a recurrent policy has a memory, so rollouts cannot be batched",
            given=type(policy).__name__,
            advice="write a policy with a method reset()",
        )
    actor, squashed = _actor_of(torch, policy)
    space = policy.action_space
    if isinstance(space, spaces.Discrete):
        finish = _ToBounds("largest")
    elif isinstance(space, spaces.Box):
        finish = _ToBounds("tanh" if squashed else "clip", space.low, space.high)
    else:
        raise UnsupportedError("this action space is not supported", given=repr(space), allowed="a Box, or Discrete")
    notes: tuple[str, ...] = ()
    if getattr(model, "use_sde", False):
        notes = (
            "the model explores with gSDE, whose noise depends on the state and is not white. Its mean action is used; "
            "a landscape smoothed with Gaussian noise does not describe gSDE exploration",
        )
        warn_caller(notes[0])
    if normalisation is None:
        normalisation = model.get_vec_normalize_env()
    return NetworkPolicy(
        actor, normalisation=_normalisation(normalisation), finish=finish, squashed=squashed, notes=notes
    )


def _spaces() -> Any:
    import gymnasium

    return gymnasium.spaces
