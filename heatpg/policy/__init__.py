"""The side of the policy: what a policy gradient sees of a landscape under exploration noise, and where it goes.

Estimators of the gradient against the exact one, ascent on the mollified objective, and the unlearning of an optimal
controller.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heatpg.policy.ascent import Ascent as Ascent
    from heatpg.policy.ascent import MollifiedFunction as MollifiedFunction
    from heatpg.policy.ascent import ascend as ascend
    from heatpg.policy.ascent import ascend_all as ascend_all
    from heatpg.policy.estimators import ActionValue as ActionValue
    from heatpg.policy.estimators import GradientEstimate as GradientEstimate
    from heatpg.policy.estimators import NoiseCurve as NoiseCurve
    from heatpg.policy.estimators import estimate_gradient as estimate_gradient
    from heatpg.policy.estimators import estimator_noise as estimator_noise
    from heatpg.policy.estimators import estimator_variance as estimator_variance
    from heatpg.policy.unlearning import Unlearning as Unlearning
    from heatpg.policy.unlearning import unlearn as unlearn

_HOME = {
    "ActionValue": "estimators",
    "Ascent": "ascent",
    "GradientEstimate": "estimators",
    "MollifiedFunction": "ascent",
    "NoiseCurve": "estimators",
    "Unlearning": "unlearning",
    "ascend": "ascent",
    "ascend_all": "ascent",
    "estimate_gradient": "estimators",
    "estimator_noise": "estimators",
    "estimator_variance": "estimators",
    "unlearn": "unlearning",
}

__all__ = [
    "ActionValue",
    "Ascent",
    "GradientEstimate",
    "MollifiedFunction",
    "NoiseCurve",
    "Unlearning",
    "ascend",
    "ascend_all",
    "estimate_gradient",
    "estimator_noise",
    "estimator_variance",
    "unlearn",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"heatpg.policy.{_HOME[name]}"), name)
    raise AttributeError(f"module 'heatpg.policy' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
