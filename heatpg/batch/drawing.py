"""Tasks whose noise is in all components of a slice: what goes with them, how they are drawn, and what they take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heatpg.core.landscape import Landscape
from heatpg.errors import UnsupportedError
from heatpg.evolution import Evolution
from heatpg.planes import Draws, evolve_plane
from heatpg.solvers.choice import PREFERENCES

__all__ = [
    "FIELDS",
    "STATES",
    "drawn_evolution",
    "draws_of",
    "method_of",
    "most_samples",
    "require_drawable",
    "state_name",
]

STATES = "draws"
"""Where a folder of a batch keeps the draws of tasks that are not done yet."""
FIELDS = 17
"""Fields of double precision that are stored beside u: its standard error, and u of sixteen groups of draws."""


def state_name(task: str) -> str:
    """Where the draws of a task are kept until it is done, in the folder of the batch."""
    return f"{STATES}/{task}.npz"


def require_drawable(resolved: Mapping[str, Any], *, sliced: bool = True) -> None:
    """Refuse what noise in all components has no use for, and a landscape that is not known beyond its axes.

    Raises
    ------
    UnsupportedError
        With the key to remove, or what can be drawn.
    """
    if STATES not in resolved:
        return
    if not sliced:
        raise UnsupportedError(
            "[draws] needs a landscape with components beyond its axes",
            given=resolved["landscape"]["source"],
            allowed="a registered landscape that is a slice, Landscape.from_function(..., dimensions=m), or an "
            "environment with some of its components, such as components = [0, 3]",
            advice="remove [draws]; or call evolve_plane in a loop, or heatpg run FILE.py --draws, once per landscape",
        )
    solver = resolved["solver"]
    refused = {
        "evolve.solver": solver["name"] != "auto",
        "evolve.tolerance": solver["tolerance"] is not None,
        "evolve.prefer": solver["prefer"] != PREFERENCES[0],
        "evolve.sigma by axis": isinstance(resolved["sigma"], Mapping),
        "storage.mode": resolved["storage"]["mode"] != "full",
    }
    for key, given in refused.items():
        if given:
            raise UnsupportedError(
                f"{key} cannot be used with [draws], because noise in all components is sampled",
                advice=f"remove {key.partition(' ')[0] if 'sigma' not in key else 'the axes from evolve.sigma'}",
            )


def method_of(resolved: Mapping[str, Any]) -> str:
    """How u of a task is computed: by which solver, and with which draws."""
    return f"{resolved['solver']} {resolved.get(STATES)}"


def draws_of(resolved: Mapping[str, Any], state: Path | None = None) -> Draws:
    """The options of the draws of a task."""
    return Draws(**{key: value for key, value in resolved[STATES].items() if key != "beyond"}, state=state)


def most_samples(resolved: Mapping[str, Any], levels: int, points: int) -> float:
    """How often each node is sampled at most: the variance is at most that of two values, and rarely as large."""
    draws = draws_of(resolved)
    wanted = draws.count or math.ceil(0.25 / draws.error**2)
    return min(wanted * levels, draws.budget / points)


def drawn_evolution(landscape: Landscape, resolved: Mapping[str, Any], state: Path | None = None) -> Evolution:
    """u of a task with noise in all components; what was drawn before, and kept, is not drawn again."""
    require_drawable(resolved)
    return evolve_plane(
        landscape,
        resolved["sigma"],
        draws_of(resolved, state),
        beyond=resolved[STATES]["beyond"],
        checks=resolved["checks"],
    )
