"""Batches: many landscapes evolved by one specification, each into a file of its own, on any number of processes.

What is to be done is written in TOML, in names and numbers only; every task of it has an identity, which is the
SHA-256 of all that decides its result.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heatpg.batch.plan import Plan as Plan
    from heatpg.batch.plan import predict as predict
    from heatpg.batch.running import Failure as Failure
    from heatpg.batch.running import Interrupted as Interrupted
    from heatpg.batch.running import Progress as Progress
    from heatpg.batch.running import State as State
    from heatpg.batch.running import Summary as Summary
    from heatpg.batch.running import Verification as Verification
    from heatpg.batch.running import merge as merge
    from heatpg.batch.running import run as run
    from heatpg.batch.running import status as status
    from heatpg.batch.running import verify as verify
    from heatpg.batch.spec import Problem as Problem
    from heatpg.batch.spec import Spec as Spec
    from heatpg.batch.spec import SpecError as SpecError
    from heatpg.batch.spec import Task as Task
    from heatpg.batch.spec import read_spec as read_spec

_HOME = {
    "Failure": "running",
    "Interrupted": "running",
    "Plan": "plan",
    "Problem": "spec",
    "Progress": "running",
    "Spec": "spec",
    "SpecError": "spec",
    "State": "running",
    "Summary": "running",
    "Task": "spec",
    "Verification": "running",
    "merge": "running",
    "predict": "plan",
    "read_spec": "spec",
    "run": "running",
    "status": "running",
    "verify": "running",
}

__all__ = [
    "Failure",
    "Interrupted",
    "Plan",
    "Problem",
    "Progress",
    "Spec",
    "SpecError",
    "State",
    "Summary",
    "Task",
    "Verification",
    "merge",
    "predict",
    "read_spec",
    "run",
    "status",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"heatpg.batch.{_HOME[name]}"), name)
    raise AttributeError(f"module 'heatpg.batch' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
