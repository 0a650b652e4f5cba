"""Landscapes that are slices: their axes are few of many components, and their noise is in these alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["slice_words"]


def slice_words(provenance: Mapping[str, Any]) -> str:
    """What noise is left out, and what one unit along the axes is; nothing where all components are axes.

    Parameters
    ----------
    provenance
        Of a landscape, as `heatpg.landscapes.from_gymnasium` writes it.

    Examples
    --------
    >>> from heatpg.core.slices import slice_words
    >>> slice_words({"parameters": {"kind": "actions", "components": [0, 2], "action": [0.0, 0.0, 0.0]}})
    'a slice along 2 of 3 components of the action: noise in the other component is left out'
    """
    facts = provenance.get("parameters")
    if not isinstance(facts, Mapping):
        return ""
    try:
        if facts.get("kind") == "actions":
            return _left_out(len(facts["components"]), len(facts["action"]), "component", " of the action")
        if facts.get("kind") == "parameters":
            return _along(facts["directions"], int(facts["parameters"]))
    except (KeyError, TypeError, ValueError):
        # a file may hold anything under these names
        return ""
    return ""


def _left_out(axes: int, count: int, noun: str, of: str) -> str:
    others = count - axes
    if others < 1:
        return ""
    rest = f"{others:,} {noun}s" if others > 1 else noun
    return f"a slice along {axes} of {count:,} {noun}s{of}: noise in the other {rest} is left out"


def _along(directions: Mapping[str, Any], count: int) -> str:
    lengths = [float(length) for length in directions["lengths"]]
    words = _left_out(len(lengths), count, "parameter", "")
    if not words:
        return ""
    several = len(lengths) > 1
    unit = f"the direction{'s have the lengths' if several else ' has the length'} {_listed(lengths)}"
    angles = [
        math.degrees(math.acos(max(-1.0, min(1.0, float(directions["cosines"][i][j])))))
        for i in range(len(lengths))
        for j in range(i)
    ]
    if several:
        unit += f", and the angle{'s' if len(angles) > 1 else ''} between them {'are' if len(angles) > 1 else 'is'} "
        unit += f"{_listed(angles)} degrees"
    return f"{words}; {unit}, and sigma along an axis is in lengths of its direction"


def _listed(numbers: list[float]) -> str:
    told = [f"{number:.4g}" for number in numbers]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
