"""Layers of environments that a landscape cannot be sampled through: those that learn, and many environments in one."""

from __future__ import annotations

from typing import Any

from heatpg.errors import OptionError, UnsupportedError

__all__ = ["refuse_vector", "require_frozen", "running_statistics"]

_STATISTICS = ("mean", "var", "count")  # of Gymnasium's and of stable-baselines3's RunningMeanStd


def refuse_vector(made: Any) -> None:
    """Refuse many environments in one, of Gymnasium, stable-baselines3 or anybody else.

    Raises
    ------
    OptionError
        With what to give instead.
    """
    # a class may tell how many its instances hold; it is then called, and its instance told
    count = None if isinstance(made, type) else getattr(made, "num_envs", None)
    single = hasattr(made, "unwrapped") and not hasattr(made, "single_action_space")
    if not isinstance(count, int) or (count == 1 and single):  # a single environment may count itself
        return
    advice = (
        "pass a function that makes a single environment; heatpg runs many in parallel itself, with Batched(policy) or "
        "workers=2"
    )
    if hasattr(made, "normalize_obs"):
        advice += (
            ". Normalise observations in the policy instead: lambda seen: "
            "model.predict(venv.normalize_obs(seen), deterministic=True)[0]"
        )
    raise OptionError(
        "environment must be a single environment, not a vector of environments",
        given=f"{type(made).__name__} of {count} environments",
        allowed="an environment of Gymnasium",
        advice=advice,
    )


def _all_layers(environment: Any) -> list[Any]:
    """The environment and what it wraps, from the outside in, also below what says that it wraps nothing."""
    found: list[Any] = []
    while environment is not None and all(environment is not layer for layer in found):
        found.append(environment)
        own = getattr(environment, "__dict__", {})
        environment = own.get("env", own.get("venv"))
    return found


def running_statistics(environment: Any) -> dict[str, float]:
    """How much every running mean and variance has seen, by layer and attribute."""
    return {
        f"{type(layer).__name__}.{name}": float(value.count)
        for layer in _all_layers(environment)
        for name, value in getattr(layer, "__dict__", {}).items()
        if all(hasattr(value, part) for part in _STATISTICS) and isinstance(value.count, int | float)
    }


def require_frozen(environment: Any, before: dict[str, float] | None = None) -> None:
    """Refuse layers that learn while they are sampled: a return would depend on what was sampled before.

    Parameters
    ----------
    environment
        With its wrappers.
    before
        `running_statistics` of before some steps: without, only what the layers say of themselves is asked.

    Raises
    ------
    UnsupportedError
        With the way to freeze the layer, or to do without it.
    """
    if before is None:
        # stable-baselines3 says `training`, which other things do as well
        names = [
            type(layer).__name__
            for layer in _all_layers(environment)
            if getattr(layer, "update_running_mean", False) is True
            or (getattr(layer, "training", False) is True and hasattr(layer, "obs_rms"))
        ]
    else:
        now = running_statistics(environment)
        names = [name for name, count in before.items() if now.get(name, count) != count]
    if not names:
        return
    told = names[0]
    if any(word in told.lower() for word in ("reward", "return", "ret_rms")):
        advice = (
            "make the environment without this wrapper, so that returns are in the units of the reward; or freeze it: "
            "update_running_mean = False"
        )
    else:
        advice = (
            "freeze it with the statistics of training, in the function that makes the environment: layer.obs_rms = "
            "trained.obs_rms, then layer.update_running_mean = False"
        )
    raise UnsupportedError(
        "a wrapper of the environment updates its statistics during sampling, so returns depend on earlier rollouts",
        given=", ".join(names),
        allowed="wrappers with frozen statistics",
        advice=advice,
    )
