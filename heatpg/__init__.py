"""heatpg: the policy-gradient objective under Gaussian exploration noise, as the heat equation that it is.

A Gaussian policy of standard deviation sigma turns a sampled action value Q into L = Q * N(0, sigma^2),
which solves u_t = 1/2 Laplace(u), u(., 0) = Q, at t = sigma^2.

Importing this package loads neither Numba nor matplotlib; each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heatpg import batch as batch
    from heatpg import claims as claims
    from heatpg import landscapes as landscapes
    from heatpg import large as large
    from heatpg import plot as plot
    from heatpg import policy as policy
    from heatpg import quadrature as quadrature
    from heatpg import scalespace as scalespace
    from heatpg import solvers as solvers
    from heatpg import verify as verify
    from heatpg import viewer as viewer
    from heatpg.driver import evolve as evolve
    from heatpg.errors import HeatpgError as HeatpgError
    from heatpg.errors import HeatpgWarning as HeatpgWarning
    from heatpg.evolution import Evolution as Evolution
    from heatpg.grid import Axis as Axis
    from heatpg.grid import Grid as Grid
    from heatpg.landscape import Landscape as Landscape
    from heatpg.parallel import set_threads as set_threads
    from heatpg.parallel import threads as threads
    from heatpg.report import Report as Report
    from heatpg.store import load as load
    from heatpg.store import save as save
    from heatpg.studies import study as study

__version__ = "0.1.0"

_HOME = {
    "Axis": "heatpg.grid",
    "Evolution": "heatpg.evolution",
    "Grid": "heatpg.grid",
    "HeatpgError": "heatpg.errors",
    "HeatpgWarning": "heatpg.errors",
    "Landscape": "heatpg.landscape",
    "Report": "heatpg.report",
    "evolve": "heatpg.driver",
    "load": "heatpg.store",
    "save": "heatpg.store",
    "set_threads": "heatpg.parallel",
    "study": "heatpg.studies",
    "threads": "heatpg.parallel",
}
_ROOMS = (
    "batch",
    "claims",
    "landscapes",
    "large",
    "plot",
    "policy",
    "quadrature",
    "scalespace",
    "solvers",
    "verify",
    "viewer",
)

__all__ = [
    "Axis",
    "Evolution",
    "Grid",
    "HeatpgError",
    "HeatpgWarning",
    "Landscape",
    "Report",
    "batch",
    "claims",
    "evolve",
    "landscapes",
    "large",
    "load",
    "plot",
    "policy",
    "quadrature",
    "save",
    "scalespace",
    "set_threads",
    "solvers",
    "study",
    "threads",
    "verify",
    "viewer",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"heatpg.{name}")
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'heatpg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
