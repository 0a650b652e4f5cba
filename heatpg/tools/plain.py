"""Values as JSON, and back.

In files nothing may be lost, so NaN and the infinities, for which JSON has no numbers, are written as texts
(`json_like`, `restored`). What a command prints and ``as_dict`` returns is read by programs that expect a number or
nothing, so there they are None (`plain`).
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from heatpg.errors import StoreError

__all__ = ["canonical", "fields_as_dict", "json_like", "plain", "restored"]

_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def json_like(value: object) -> Any:
    """A value with nothing in it but dictionaries, lists, text, numbers, booleans and None.

    NaN and the infinities, for which JSON has no numbers, become the texts ``NaN``, ``Infinity``, ``-Infinity``.

    Raises
    ------
    StoreError
        For something that has no such form.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.tools.plain import json_like
    >>> json_like({"sigma": np.array([0.5, np.inf]), "shape": (3, 4)})
    {'sigma': [0.5, 'Infinity'], 'shape': [3, 4]}
    """
    # bool before int, whose kind it is for Python
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return json_like(value.tolist())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {str(key): json_like(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        # a set has no order of its own, and the same value must give the same text
        return [json_like(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, os.PathLike):
        return str(value)
    raise StoreError(
        "value cannot be written as JSON",
        given=f"{value!r} of type {type(value).__name__}",
        allowed="numbers, text, booleans, None, and lists and dictionaries of them",
    )


def canonical(value: object) -> str:
    """The one JSON text of a value, whose digest names it: keys sorted, no spaces."""
    return json.dumps(json_like(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def restored(value: Any) -> Any:
    """The inverse of `json_like`, as far as there is one."""
    if isinstance(value, str):
        # a text that happens to read NaN comes back as a number: there is no such name in heatpg
        return _NON_FINITE.get(value, value)
    if isinstance(value, list):
        return [restored(item) for item in value]
    if isinstance(value, dict):
        return {key: restored(item) for key, item in value.items()}
    return value


def plain(value: Any) -> Any:
    """A result with nothing in it but dictionaries, lists, text, numbers, booleans and None, also for NaN and infinity.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.tools.plain import plain
    >>> plain({"p": np.float64("nan"), "lags": np.array([1, 2]), "window": (0.5, np.inf)})
    {'p': None, 'lags': [1, 2], 'window': [0.5, None]}
    """
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def fields_as_dict(result: Any, leave_out: Sequence[str] = ()) -> dict[str, Any]:
    """The public fields of a dataclass as `plain` values, without those that are left out."""
    names = [field.name for field in dataclasses.fields(result)]
    return {name: plain(getattr(result, name)) for name in names if name not in leave_out and name[0] != "_"}
