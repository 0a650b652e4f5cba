"""What is no policy is told what to write: models of stable-baselines3 and networks of torch, by stand-ins."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import landscapes
from heatpg.errors import OptionError, RolloutError
from heatpg.landscapes import Batched, Parameters, Rollout

pytest.importorskip("gymnasium")
from tests import toy_environments as toys

Array = NDArray[Any]
OVER = Parameters([0.0], directions=[[1.0]], boundary="clip")
call = functools.partial(landscapes.from_gymnasium, toys.Walk, size=3, rollout=Rollout(horizon=3))


class Module:
    """What torch.nn.Module has, and what a linear layer says to an array."""

    def forward(self, observation: Any) -> Any:
        if isinstance(observation, np.ndarray):
            raise TypeError("linear(): argument 'input' must be Tensor, not numpy.ndarray")
        return observation

    def __call__(self, *given: Any) -> Any:
        return self.forward(*given)

    def named_parameters(self) -> Iterator[tuple[str, Array]]:
        yield "weight", np.ones(1)

    def state_dict(self) -> dict[str, Array]:
        return dict(self.named_parameters())


class Network(Module):
    """A network that takes arrays: a good policy."""

    def forward(self, observation: Any) -> Any:
        return -observation


class Policy(Module):
    """As model.policy."""

    def predict(self, observation: Any, deterministic: bool = False) -> tuple[Array, None]:
        return -observation, None


class Model:
    """As PPO and others: it cannot be called."""

    policy = Policy()

    def predict(self, observation: Any, deterministic: bool = False) -> tuple[Array, None]:
        return self.policy.predict(observation, deterministic)


@pytest.mark.parametrize("model", [Model(), Model.policy])
def test_models(model: Any) -> None:
    with pytest.raises(OptionError) as caught:
        call(model, state=1)
    write = "lambda seen: model.predict(seen, deterministic=True)[0]"
    of_models = "for a stable-baselines3 model use policy_from_stable_baselines3(model)"
    assert caught.value.advice == f"{of_models}, or write {write}"
    with pytest.raises(OptionError, match=r"lambda observations: model\.predict"):
        call(Batched(model), state=1)
    with pytest.raises(OptionError, match="policy_from_stable_baselines3"):
        call(model, over=OVER)
    # what is told to be written works, for one and for many
    policy = eval(write, {"model": model})
    assert call(policy, state=1).values.tobytes() == call(toys.back, state=1).values.tobytes()
    assert call(Batched(policy), state=1).values.tobytes() == call(toys.back, state=1).values.tobytes()


def test_networks() -> None:
    with pytest.raises(
        RolloutError,
        match=r"(?s)must be Tensor.*policy_from_torch.*write lambda.*torch\.as_tensor",
    ):
        call(Module(), state=1)
    with pytest.raises(RolloutError, match=r"(?s)policy\(parameters, observation\); .*policy_from_torch"):
        call(Module(), over=OVER)
    assert call(Network(), state=1).values.tobytes() == call(toys.back, state=1).values.tobytes()
