"""Orders on data with a singularity, with the order that theory predicts.

Sampling is what limits the order, whatever the solver. A convolution by the trapezoid rule of data with a singularity
|x|^p at the fraction theta of a cell has the error of the generalised Euler-Maclaurin formula [1], a multiple of
zeta(-p, theta) h^(p+1): order 1 for a step, unless it lies on a node that holds the mean or midway between
two nodes, where that factor is zero and the next term gives order 2; order 2 for |x|. Of a Weierstrass sum with b = 2
on n = 2^r - 1 nodes of a period the wave 2^r appears as the wave 1 with its amplitude 2^(-p r) ~ h^p: order p, in the
mean square, which no phase changes. In time, with dt / h held, Crank-Nicolson multiplies the shortest waves by nearly
-1 in each step and leaves of a delta an error of h^-1 [2]; of a step, its integral, h^0, and of |x|, h^1. A damped
start, and every scheme that damps the shortest waves by itself, keeps the order of the solver.

References
----------
[1] I. Navot, An extension of the Euler-Maclaurin summation formula to functions with a branch singularity, *J. Math.
Phys.* 40, 1961.
[2] M. B. Giles, R. Carter, Convergence analysis of Crank-Nicolson and Rannacher time-marching, *J. Comput. Finance* 9,
2006.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import OptionError
from heatpg.evolution import solve
from heatpg.landscapes import landscapes
from heatpg.measure.refinement import (
    FINER,
    Nodes,
    Row,
    can_be_refined_in_time,
    chooses_its_steps,
    error_of,
    order_row,
    refined_in_space,
    round_off_bound,
    row_fields,
    step_option,
    with_steps,
)
from heatpg.solvers import Solver

__all__ = [
    "ROUGH_IN_SPACE",
    "ROUGH_IN_TIME",
    "rough_measurements_in_time",
    "rough_order_in_space",
    "rough_order_in_time",
]

ROUGH_IN_SPACE = {
    "step": "clip", "step on a node": "clip", "|x|": "clip",
    "Weierstrass p = 0.3": "periodic", "Weierstrass p = 0.6": "periodic",
}  # fmt: skip
"""Data for orders in space, and the boundary of each."""
ROUGH_IN_TIME = {"step": "reflect", "|x|": "reflect"}
"""Data for orders in time, and the boundary of each."""


def _weierstrass(size: int, nodes: Nodes, exponent: float) -> Landscape:
    """A sum of 14 waves, the last ones too short for the grid, as a landscape of this name would refuse."""
    grid = Grid(Axis("x", 0.0, 2 * math.pi, size, boundary="periodic", nodes=nodes))
    # 14 waves with b = 2: the last ones are too short for every grid here, as in a fractal
    wave = 2.0 ** np.arange(14)

    def evolved(sigmas: tuple[float, ...]) -> NDArray[np.float64]:
        height = wave**-exponent * np.exp(-0.5 * (wave * sigmas[0]) ** 2)
        return np.asarray(np.cos(np.outer(grid[0].coordinates, wave) + wave % 7) @ height)

    return Landscape(evolved((0.0,)), grid, f"Weierstrass p = {exponent:g}", exact=evolved)


def _rough(data: str, nodes: Nodes, level: int) -> tuple[Landscape, float]:
    """Rough data on a level of refinement, and the sigma to take."""
    if data.startswith("Weierstrass"):
        # 2^r - 1 nodes with 14 waves: r from 7 to 11 has waves too short, and none that comes back as 1 twice
        return _weierstrass(2 ** (7 + level) - 1, nodes, float(data.split()[-1])), 1.5
    cells = 30 * 2**level
    place = 0.5
    if data == "step":
        # one cell more than a multiple of 30, so that a third of the box lies a third of the way between two nodes on
        # every level
        cells, place = cells + 1, 1.0 / 3.0
    size = cells if nodes == "cell" else cells + 1
    grid = Grid(Axis("x", 0.0, 1.0, size, boundary="clip", nodes=nodes))
    if data == "|x|":
        return landscapes.get("absolute_value")(grid, center=(place,)), 0.15
    return landscapes.get("step")(grid, position=place), 0.15


def rough_order_in_space(solver: Solver, data: str, nodes: Nodes = "vertex") -> Row:
    """The order in the spacing that is left on data of low regularity; see the top of this module.

    Parameters
    ----------
    solver
        Which solver.
    data
        ``step`` (at a third of a cell), ``step on a node``, ``|x|``, ``Weierstrass p = 0.3``, ``Weierstrass p = 0.6``.
    nodes
        Of the grid, which has one dimension.

    Examples
    --------
    >>> from heatpg.solvers import make
    >>> from heatpg.measure.rough import rough_order_in_space
    >>> row = rough_order_in_space(make("spectral"), "Weierstrass p = 0.3")
    >>> row.declared, round(row.observed, 2)
    (0.3, 0.3)
    """
    if data not in ROUGH_IN_SPACE:
        raise OptionError("unknown value of data=", given=repr(data), allowed=", ".join(ROUGH_IN_SPACE))
    fractal = data.startswith("Weierstrass")
    limit, source = (
        (1.0, "Euler-Maclaurin [1]: zeta(0, theta) h") if data == "step" else (2.0, "Euler-Maclaurin [1]: h^2")
    )
    if fractal:
        limit, source = float(data.split()[-1]), "aliasing: the wave 1/h appears as the longest, amplitude h^p"
    sigma = _rough(data, nodes, 0)[1]
    on = refined_in_space(solver, lambda level: _rough(data, nodes, level)[0], sigma, order=2.0, least=32)

    def measure(level: int) -> tuple[float, float, float]:
        chosen, landscape = on(level)
        error = error_of(chosen, landscape, sigma, landscape.exact(sigma), squares=fractal)
        return landscape.grid[0].spacing, error, round_off_bound(chosen, landscape, sigma)

    refined = None if chooses_its_steps(solver) else step_option(solver)
    place = row_fields(solver, "periodic" if fractal else "clip", nodes, 1, data, refined)
    return order_row(
        measure, min(limit, solver.order_space), coarsest=0, finest=4, axis="rough", source=source, **place
    )


def rough_order_in_time(solver: Solver, data: str) -> Row:
    """The order in the time step that is left on rough data when dt / h is held; see the top of this module.

    Parameters
    ----------
    solver
        A solver that is stable for steps of any length.
    data
        ``step`` or ``|x|``.

    Examples
    --------
    >>> from heatpg.solvers import make
    >>> from heatpg.measure.rough import rough_order_in_time
    >>> round(rough_order_in_time(make("crank_nicolson", damping_steps=0), "|x|").observed, 1)
    1.0
    """
    if data not in ROUGH_IN_TIME:
        raise OptionError("unknown value of data=", given=repr(data), allowed=", ".join(ROUGH_IN_TIME))
    sigma = 0.15
    variance = sigma**2
    damped = _keeps_order_on_rough_data(solver)
    order = with_steps(solver, variance, 8).order_time
    if not damped:
        order = min(order, 0.0 if data == "step" else 1.0)

    def measure(level: int) -> tuple[float, float, float]:
        # dt / h is held: eight steps on 128 cells, and twice of both on each level
        grid = Grid(Axis("x", 0.0, 1.0, 128 * 2**level, boundary="reflect", nodes="cell"))
        name, options = ("step", {"position": 0.5}) if data == "step" else ("absolute_value", {"center": (0.5,)})
        landscape = landscapes.get(name)(grid, **options)
        count = 8 * 2**level
        fine = with_steps(solver, variance, FINER * count)
        error = error_of(with_steps(solver, variance, count), landscape, sigma, solve(landscape, sigma, fine).values[0])
        return variance / count, error, round_off_bound(fine, landscape, sigma)

    source = "damped at the shortest waves: the order of the solver" if damped else "Giles and Carter [2], dt / h held"
    place = row_fields(solver, "reflect", "cell", 1, f"{data}, dt ~ h", step_option(solver))
    return order_row(measure, order, coarsest=0, finest=5, axis="rough", source=source, **place)


def _keeps_order_on_rough_data(solver: Solver) -> bool:
    """Whether the shortest wave is damped away: by the first steps, or in every one."""
    return getattr(solver, "damping_steps", 0) > 0 or abs(_shortest_wave(solver)) < 1e-3


def _shortest_wave(solver: Solver) -> float:
    """What one very long step, not the first, leaves of the wave of two nodes."""
    axis = Axis("x", 0.0, 8.0, 8, boundary="periodic")
    # from t = 1, because a damped start belongs to t = 0 only; a step so long that the symbol has reached its limit
    stop = 1.0 + 1e6
    return float(np.real(with_steps(solver, stop, 1).interval_symbol(np.array(math.pi), axis, 1.0, stop)))


def rough_measurements_in_time(solver: Solver) -> Iterator[Callable[[], Row]]:
    """The measurements that theory has a prediction for."""
    if step_option(solver) != "steps" or not can_be_refined_in_time(solver):
        return
    has_start = hasattr(solver, "damping_steps")
    if not has_start and not _keeps_order_on_rough_data(solver):
        return
    for data in ROUGH_IN_TIME:
        yield functools.partial(rough_order_in_time, solver, data)
        if has_start:
            undamped = dataclasses.replace(solver, **{"damping_steps": 0})
            yield functools.partial(rough_order_in_time, undamped, data)
