"""Landscapes that a specification names: registered ones, and environments of Gymnasium; where their code is from."""

from __future__ import annotations

import functools
import importlib.metadata
import re
from collections.abc import Callable
from typing import Any

from heatpg.batch.problems import Found
from heatpg.errors import HeatpgError
from heatpg.landscapes import landscapes
from heatpg.landscapes.named import packages_of_environment, require_environment
from heatpg.tools.endings import environment_id, is_environment, program_of
from heatpg.tools.options import settable

__all__ = ["code_problem", "is_named", "names_environment", "options_of_task", "origin_of"]

_WORKERS = "workers"


def names_environment(source: str) -> bool:
    """Whether a source is the name of an environment: of Gymnasium, or of an installed package for it."""
    if not is_environment(source) or source in landscapes.names():
        return False
    # Gymnasium imports the module before a colon. What a specification names is no reason to import it, and what was
    # installed for Gymnasium is one
    module = environment_id(source).rpartition(":")[0]
    return not module or _is_for_gymnasium(module.partition(".")[0])


@functools.lru_cache(maxsize=64)
def _is_for_gymnasium(module: str) -> bool:
    """Whether a module is from an installed distribution that requires Gymnasium."""
    needed = (
        re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower()
        for owner in importlib.metadata.packages_distributions().get(module, ())
        for requirement in importlib.metadata.requires(owner) or ()
    )
    return "gymnasium" in needed


def is_named(source: str) -> bool:
    """Whether a source has the form of a name: of a registered landscape, or of an environment."""
    return source in landscapes.names() or names_environment(source)


def code_problem(source: str) -> str:
    """What to do with a source that is code of the user; empty for any other."""
    if is_named(source) or not (program_of(source) or is_environment(source)):
        return ""
    return (
        "a batch takes registered landscapes, files of data, and environments of Gymnasium or of an installed package "
        f'that requires Gymnasium; sample it first with heatpg run "{source}" --sigma 0 --out NAME.h5, and use that '
        "file as source; for noise in all components use heatpg run --draws"
    )


def options_of_task(source: str, family: Callable[..., Any]) -> dict[str, str]:
    """The options of a landscape that decide a result, with their annotations."""
    # rollouts are the same in one process and in many, and a batch has processes already
    left_out = (_WORKERS,) if names_environment(source) else ()
    return {key: annotation for key, annotation in settable(family).items() if key not in left_out}


def origin_of(source: str, given: dict[str, Any]) -> tuple[dict[str, str], Found]:
    """The packages and versions that a named landscape is from, if heatpg is not all of them; and what is wrong."""
    # another version of a plug-in, or of a simulator, is another landscape
    if not names_environment(source):
        plugin = landscapes.plugins().get(source)
        return {} if plugin is None else {"distribution": str(plugin)}, []
    found: Found = []
    if _WORKERS in given:
        found.append(((_WORKERS,), "rollouts of a task run in one process; set heatpg batch run --workers instead"))
    try:
        require_environment(source)
    except HeatpgError as reason:
        return {}, [*found, (("source",), reason.one_line)]
    return {"distribution": packages_of_environment(source)}, found
