"""Policies for environments: what can be called with an observation, and what to write where something cannot.

Modules of torch and models of stable-baselines3 are told by what they have, so that neither need be installed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from heatpg.errors import OptionError

__all__ = ["call_advice", "keywords", "name_of", "require_policy", "takes"]

_PREDICT = "lambda {seen}: model.predict({seen}, deterministic=True)[0]"
_NETWORK = "lambda observation: network(torch.as_tensor(observation).float()).detach().numpy()"


def name_of(thing: Any) -> str:
    """What a function, or the class of an object, is called; without the places of objects in memory."""
    # repr() would name a place in memory, which differs from run to run; provenance is to be the same
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}.{named.__qualname__}"


def keywords(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Parameters of a function by name."""
    try:
        # functions written in C may have none
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def takes(policy: Any, count: int, generator: bool) -> bool:
    """Whether a policy can be called with so many arguments; true where nobody can tell."""
    try:
        # asked only after a TypeError: a policy may take its arguments in any way that works
        inspect.signature(policy).bind(*range(count), **({"generator": None} if generator else {}))
    except TypeError:
        return not callable(policy)
    except ValueError:  # some functions that are built in have no signature
        return True
    return True


def _is_module(policy: Any) -> bool:
    """Whether this is a module of torch, or looks like one."""
    return all(callable(getattr(policy, name, None)) for name in ("forward", "named_parameters", "state_dict"))


def require_policy(kind: str, policy: Any, batched: bool) -> None:
    """Refuse what cannot be a policy of a landscape over `kind`, as far as that shows before it is called.

    Raises
    ------
    OptionError
        With what to write instead.
    """
    # without a policy the first action is held, which needs actions as axes, and calls nobody
    if policy is None:
        if kind == "parameters" or batched:
            raise OptionError(
                "a policy is required",
                given="policy=None",
                allowed="policy(parameters, observation)" if kind == "parameters" else "policy(observations)",
            )
        return
    # models of stable-baselines3 cannot be called, and their networks want tensors and return a tuple of them
    if hasattr(policy, "predict") and (not callable(policy) or _is_module(policy)):
        raise OptionError(
            "the policy must be a function of observations",
            given=type(policy).__name__,
            allowed="policy(parameters, observation)" if kind == "parameters" else "policy(observation)",
            advice="for a stable-baselines3 model use policy_from_stable_baselines3(model)"
            if kind == "parameters"
            else "for a stable-baselines3 model use policy_from_stable_baselines3(model), or write "
            + _PREDICT.format(seen="observations" if batched else "seen"),
        )
    if not callable(policy):
        raise OptionError(
            "the policy must be callable", given=type(policy).__name__, allowed="a function of the observation"
        )
    # one call answers for up to 64 rollouts: they would share what the policy remembers or draws
    alone = "pass it without Batched, so that it gets one observation at a time"
    if batched and (hasattr(policy, "set_flat_parameters") or hasattr(policy, "reset")):
        raise OptionError("a policy with a state cannot be Batched", given=name_of(policy), advice=alone)
    if batched and "generator" in keywords(policy):
        raise OptionError("a policy that draws random numbers cannot be Batched", given=name_of(policy), advice=alone)


def _parameters_advice(network: str) -> str:
    return (
        f"over Parameters use policy_from_torch({network}), or write a function of (parameters, observation) that sets "
        f"the parameters"
    )


def call_advice(policy: Any, reason: Exception, arguments: tuple[str, ...], generator: bool) -> str:
    """What to write where a call of the policy has raised, if that can be told.

    Parameters
    ----------
    policy
        What was called.
    reason
        What it raised.
    arguments
        What it was called with, in words.
    generator
        Whether it was also given a generator.
    """
    # modules of torch take anything, and hand it to forward
    asked = policy.forward if _is_module(policy) else policy
    if isinstance(reason, TypeError) and not takes(asked, len(arguments), generator):
        because = "with directions" if "parameters" in arguments else "without directions"
        words = f"{because} heatpg calls the policy as policy({', '.join(arguments)})"
        return f"{words}; {_parameters_advice('the network')}" if _is_module(policy) and len(arguments) > 1 else words
    # a network that takes arrays itself never comes here
    return (
        f"a torch network takes tensors: use policy_from_torch(network), or write {_NETWORK}"
        if _is_module(policy)
        else ""
    )
