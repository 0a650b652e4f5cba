"""Numerical solvers: one scheme per file, applied along the axes of a grid by a common engine.

On a tensor grid exp(t Laplace / 2) = prod_i exp(t_i d_ii / 2) without splitting error, also for the discrete operators.
So a solver is one-dimensional; `heatpg.solvers.lines` applies it along every axis.
"""

from __future__ import annotations

if __name__ != "heatpg.solvers":
    raise ImportError(f"the solvers are a subpackage: use 'import heatpg.solvers', not 'import {__name__}'")

from typing import Any

from heatpg.errors import OptionError
from heatpg.solvers.base import Flow, Solver
from heatpg.tools.registry import Registry

__all__ = ["Flow", "Solver", "make", "solvers"]

# textbook names and common abbreviations
_SYNONYMS = {
    "spectral": dict.fromkeys(("fft", "dct", "dst", "fourier", "pseudospectral", "transform"), ""),
    "direct": dict.fromkeys(("gauss", "gaussian", "gaussian_filter", "convolution", "convolve", "fir"), ""),
    "multiresolution": dict.fromkeys(("pyramid", "multigrid"), ""),
    "exponential": dict.fromkeys(("etd", "exp", "expm", "discrete_gaussian", "bessel"), ""),
    "rational": dict.fromkeys(("cf", "chebyshev", "caratheodory_fejer", "partial_fractions"), ""),
    "compact": {"pade": ""},
    "explicit": dict.fromkeys(("euler", "ftcs", "forward_euler"), ""),
    "stabilized": dict.fromkeys(("rkl", "rkl2", "rkc", "sts", "super_time_stepping", "stabilised"), ""),
    "implicit": dict.fromkeys(("btcs", "backward_euler"), ""),
    "crank_nicolson": dict.fromkeys(("cn", "trapezoidal", "trapezoid"), ""),
}

solvers: Registry[type[Solver]] = Registry("solver", "heatpg.solvers", synonyms=_SYNONYMS)


def make(solver: str | Solver, **options: Any) -> Solver:
    """Create a solver from its name and options; a solver object is returned unchanged.

    Examples
    --------
    >>> from heatpg.solvers import make
    >>> make("crank_nicolson", steps=16)
    CrankNicolson(steps=16, step=None, damping_steps=2)
    """
    if isinstance(solver, Solver):
        return solver
    if isinstance(solver, type) and issubclass(solver, Solver):
        raise OptionError(
            "solver must be an object, not a class", given=solver.__name__, advice=f"pass {solver.__name__}()"
        )
    if options.get("step") is not None and "steps" in options:
        raise OptionError(
            "give either step or steps, not both: each decides how long a time step is",
            given=f"step={options['step']}, steps={options['steps']}",
            advice="remove one of them",
        )
    return solvers.get(solver)(**options)


def _bind_classes() -> None:
    for name in solvers.names():
        entry = solvers.get(name)
        globals()[entry.__name__] = entry


def __getattr__(name: str) -> Any:
    # no look-up of names here: the import system asks for submodules this way, while they are being loaded
    raise AttributeError(f"heatpg.solvers has no {name!r}; see `heatpg list solvers`")


_bind_classes()
