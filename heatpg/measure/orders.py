"""Observed orders of convergence against the declared ones, for every solver, boundary and dimension.

The measured solutions are exact ones and no single eigenmode. The order is the slope of a straight line through
log(error) against log(refinement) over five resolutions, that is four refinements; it may be off by 0.1.

``space``: on a sequence of grids, against the exact evolution. A solver whose time step is given takes it as
h^(order in space / order in time), so that both errors fall alike. ``time``: on one grid, against the same solver with
a far smaller step; that the flow so approached is the right one is for ``space`` to see. ``exact``: solvers without
error in time or space, against round-off. ``rough``: data with a singularity, with the order that theory predicts.
``operator``: properties of the matrix of one step, see `heatpg.measure.operators`.

A solver that chooses its own time steps is measured so, and with given ones: of about h^2 in space, and of at most
h^2 / 2 in time, because longer ones it may tune to the grid. If it chooses them by a tolerance, that is what it must
meet, and for the order in space its steps are given.
Resolutions whose error is round-off, by the bound that the solver gives, are dropped and coarser ones taken; if the
order is not there yet, up to two finer ones are added and the coarsest dropped. A row says so in its note.

**Rough data.** Sampling is what limits the order, whatever the solver. A convolution by the trapezoid rule of data with
a singularity |x|^p at the fraction theta of a cell has the error of the generalised Euler-Maclaurin formula [1], a
multiple of zeta(-p, theta) h^(p+1): order 1 for a step, unless it lies on a node that holds the mean or midway between
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
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from heatpg.boundaries import boundaries
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import StabilityError, UnsupportedError
from heatpg.evolution import solve
from heatpg.landscapes import landscapes
from heatpg.measure.operators import operator_properties
from heatpg.solvers import Solver, make, solvers

__all__ = [
    "Row",
    "exactness",
    "options_changed",
    "order_in_space",
    "order_in_time",
    "orders",
    "properties",
    "refined_in_space",
    "rough_order_in_space",
    "rough_order_in_time",
    "table",
    "tolerance_kept",
    "variants",
]

Array = NDArray[Any]
Nodes = Literal["vertex", "cell"]
Measure = Callable[[int], tuple[float, float, float]]

TOLERANCE = 0.1
POINTS = 5
ROUGH_IN_SPACE = ("step", "step on a node", "|x|", "Weierstrass p = 0.3", "Weierstrass p = 0.6")
ROUGH_IN_TIME = ("step", "|x|")

_EPS = float(np.finfo(np.float64).eps)
_CLOSED_FORM = 64.0  # heatpg.landscapes.analytic: exact to about 1e-14 of max |Q|
_ABOVE_ROUND_OFF = 4.0
_FINER = 32
_LENGTHS = (1.0, 1.25, 1.5, 1.75)
_HALVES = {True: (2, 3, 4, 5, 6, 7, 8), False: (2, 3, 4, 6, 8, 10, 12)}
_DECLARED = "declared by the solver"


@dataclasses.dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes
    ----------
    solver
        Name of the solver.
    options
        Its options where they differ from the defaults; ``refined`` where the measurement varied them.
    boundary, nodes, dimension
        The grid.
    axis
        ``time``, ``space``, ``exact``, ``rough`` or ``operator``; see the top of this module.
    data
        What was evolved, or the property of the matrix.
    declared
        The order that the solver declares or theory predicts, or a word for what has none.
    observed
        The order by regression, or what was measured where no order is declared; None if nothing could be measured.
    bound
        By how much the order may be off, or what the number may be; None without promise.
    source
        Where `declared` or `bound` comes from.
    refinements, errors
        The spacings along the first axis, or the time steps, and the error at each: the largest one, but the root of
        the mean square in ``space`` and on ``Weierstrass`` data.
    slopes
        The order between each two neighbouring refinements.
    passed
        Whether observed and declared agree.
    note
        What was dropped or refused.
    """

    solver: str
    options: Mapping[str, Any]
    boundary: str
    nodes: str
    dimension: int
    axis: str
    data: str
    declared: float | str
    observed: float | None
    bound: float | None
    source: str
    refinements: tuple[float, ...] = ()
    errors: tuple[float, ...] = ()
    slopes: tuple[float, ...] = ()
    passed: bool = False
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The row as JSON-like values."""
        return dataclasses.asdict(self)

    @property
    def label(self) -> str:
        """Solver and options in few words."""
        shown = [f"{key}={value}" for key, value in self.options.items() if (key, value) != ("steps", "refined")]
        return " ".join([self.solver, *shown])


# Solvers and their time steps ------------------------------------------------------------------------------------


def variants(solver: str | Solver) -> list[Solver]:
    """The solvers that a name stands for: one for each choice of its options that are one word out of several.

    Examples
    --------
    >>> from heatpg.measure.orders import variants
    >>> variants("implicit")
    [Implicit(steps=64, step=None)]
    """
    plain = make(solver)
    fields = [field for field in dataclasses.fields(plain) if "choices" in field.metadata]
    if isinstance(solver, Solver) or not fields:
        return [plain]
    choices = itertools.product(*(field.metadata["choices"] for field in fields))
    names = [field.name for field in fields]
    return [dataclasses.replace(plain, **dict(zip(names, choice, strict=True))) for choice in choices]


def _step_option(solver: Solver) -> str | None:
    """Name of the option that sets the time step."""
    names = {field.name for field in dataclasses.fields(solver)}
    return next((name for name in ("steps", "step") if name in names), None)


def _chooses_its_steps(solver: Solver) -> bool:
    return solver.exact_in_time or all(getattr(solver, name, None) is None for name in ("steps", "step"))


def _with_steps(solver: Solver, variance: float, count: int) -> Solver:
    """The same solver with so many equal time steps."""
    if _step_option(solver) == "step":
        return dataclasses.replace(solver, **{"step": variance / count * (1 + 1e-12)})
    return dataclasses.replace(solver, **{"steps": count}, **({"step": None} if hasattr(solver, "step") else {}))


def _can_be_refined_in_time(solver: Solver) -> bool:
    return _step_option(solver) is not None and not _with_steps(solver, 1.0, 8).exact_in_time


def _accepted(solver: Solver, grid: Grid, variance: float) -> bool:
    try:
        for axis in grid:
            solver.check(axis, 0.0, variance)
    except StabilityError:
        return False
    return True


def _stable_steps(solver: Solver, grid: Grid, variance: float, least: int) -> int:
    """The number of steps to begin with: `least`, or as many more as a scheme of limited stability needs."""
    count = max(1, least)
    while count < 2**20 and not _accepted(_with_steps(solver, variance, count), grid, variance):
        count += 1 + count // 16
    return count


def _sharpest(solver: Solver) -> Solver:
    """The same solver with the smallest tolerance that it takes for its time steps."""
    if solver.exact_in_time or not _chooses_its_steps(solver) or not getattr(solver, "tolerance", None):
        return solver
    for exponent in range(-16, 0):
        try:
            return dataclasses.replace(solver, **{"tolerance": float(f"1e{exponent}")})
        except UnsupportedError:
            continue
    return solver


def options_changed(solver: Solver, refined: str | None = None) -> dict[str, Any]:
    """Options that differ from their defaults; one may be marked as refined.

    Examples
    --------
    >>> from heatpg.solvers import make
    >>> from heatpg.measure.orders import options_changed
    >>> options_changed(make("crank_nicolson", damping_steps=0), "steps")
    {'damping_steps': 0, 'steps': 'refined'}
    """
    found = {
        field.name: getattr(solver, field.name)
        for field in dataclasses.fields(solver)
        if getattr(solver, field.name) != field.default
    }
    return found | ({refined: "refined"} if refined else {})


# Measuring -------------------------------------------------------------------------------------------------------


def _round_off(solver: Solver, landscape: Landscape, sigma: float) -> float:
    """Bound that the solver gives for its own round-off and, where it has one, its tolerance."""
    units = 2.0 * sum(solver.rounding(axis, (0.0, sigma**2)) for axis in landscape.grid) + _CLOSED_FORM
    tolerance = (getattr(solver, "tolerance", None) if _chooses_its_steps(solver) else None) or 0.0
    return (units * _EPS + tolerance * landscape.grid.dimensions) * float(np.abs(landscape.values).max())


def _error(solver: Solver, landscape: Landscape, sigma: float, reference: Array, *, squares: bool = False) -> float:
    """The largest error, or the root of the mean square over the box."""
    difference = solve(landscape, sigma, solver).values[0] - reference
    if squares:
        return float(np.sqrt(np.average(difference**2, weights=landscape.grid.weights)))
    return float(np.abs(difference).max())


def _slope(points: Sequence[tuple[float, float]]) -> float:
    steps, errors = np.log(np.array(points)).T
    return float(np.polyfit(steps, errors, 1)[0])


def _order_row(measure: Measure, declared: float, *, coarsest: int = -3, finest: int = 6, **fields: Any) -> Row:
    """The order over five resolutions; `measure` maps a level to its refinement, its error, and its round-off."""
    points: dict[int, tuple[float, float]] = {}
    lost: list[int] = []

    def take(level: int) -> None:
        refinement, error, floor = measure(level)
        if error > _ABOVE_ROUND_OFF * floor:
            points[level] = (refinement, error)
        else:
            lost.append(level)

    for level in range(POINTS):
        take(level)
        if lost:
            break
    lowest, highest = 0, max([*points, *lost])
    while lost and len(points) < POINTS and lowest > coarsest:
        lowest -= 1
        take(lowest)
    window = [points[level] for level in sorted(points)][-POINTS:]
    while not lost and highest < finest and abs(_slope(window) - declared) > TOLERANCE:
        highest += 1
        take(highest)
        window = [points[level] for level in sorted(points)][-POINTS:]
    notes = []
    if lost:
        notes.append(f"{len(lost)} at round-off dropped")
    if len(points) > len(window):
        notes.append(f"{len(points) - len(window)} coarsest dropped, not yet asymptotic")
    if len(window) < POINTS:
        return Row(
            declared=declared, observed=None, bound=TOLERANCE, note="; ".join([*notes, "too few left"]), **fields
        )
    observed = _slope(window)
    pairs = itertools.pairwise(window)
    return Row(
        declared=declared,
        observed=observed,
        bound=TOLERANCE,
        refinements=tuple(step for step, _ in window),
        errors=tuple(error for _, error in window),
        slopes=tuple(math.log(a[1] / b[1]) / math.log(a[0] / b[0]) for a, b in pairs),
        passed=abs(observed - declared) <= TOLERANCE,
        note="; ".join(notes),
        **fields,
    )


# Smooth data -----------------------------------------------------------------------------------------------------


def _axis(name: str, lower: float, upper: float, intervals: int, boundary: str, nodes: Nodes) -> Axis:
    """An axis of so many spacings between walls at the bounds, also where cells hold the ends."""
    rule = boundaries.get(boundary)
    outside = 0.5 * (upper - lower) / intervals if nodes == "cell" and rule.holds_ends else 0.0
    both_ends = (nodes == "vertex" and not rule.periodic) or outside > 0
    return Axis(name, lower - outside, upper + outside, intervals + both_ends, boundary=boundary, nodes=nodes)


def _smooth(boundary: str, nodes: Nodes, dimensions: int, intervals: int, half: float = 3.0) -> tuple[Landscape, float]:
    """Several eigenmodes, or in free space two Gaussians well inside the box, and the sigma to take."""
    names = [f"x{i + 1}" for i in range(dimensions)]
    if not boundaries.get(boundary).free_space:
        # a period holds whole waves, other lines half ones
        scale = 2.0 if boundaries.get(boundary).periodic else 1.0
        axes = [_axis(name, 0.0, scale * _LENGTHS[i % 4], intervals, boundary, nodes) for i, name in enumerate(names)]
        return landscapes.get("eigenmodes")(Grid(*axes), modes=2, seed=1), 0.35 * scale
    axes = [_axis(name, -half, half, intervals, boundary, nodes) for name in names]
    centers = (-0.2,) * dimensions + (0.25,) * dimensions
    bumps = landscapes.get("gaussians")(Grid(*axes), heights=(1.0, -0.6), centers=centers, widths=(0.5, 0.45))
    return bumps, 0.75 if half == 3.0 else 0.4


def _intervals(boundary: str, dimensions: int, level: int) -> int:
    """Spacings along an axis: multiples of half the first, so that a step ~ h^2 has multiples of its count."""
    unit = (18 if dimensions < 3 else 9) if boundaries.get(boundary).free_space else (12 if dimensions < 3 else 6)
    if level < 0:
        return max(4, round(2 * unit * 1.5**level))
    return unit * _HALVES[dimensions >= 3][level]


def _place(
    solver: Solver, boundary: str, nodes: str, dimensions: int, data: str, refined: str | None
) -> dict[str, Any]:
    return {
        "solver": solver.name,
        "options": options_changed(solver, refined),
        "boundary": boundary,
        "nodes": nodes,
        "dimension": dimensions,
        "data": data,
    }


def refined_in_space(
    solver: Solver, sample: Callable[[int], Landscape], sigma: float, *, order: float = math.inf, least: int = 64
) -> Callable[[int], tuple[Solver, Landscape]]:
    """A function from a level of refinement to a landscape and the solver for it.

    A solver that chooses its own steps, or has none, is the same on all levels, but for the tolerance by which it
    chooses them, which falls as h^order. Others take their steps as h^(order / order in time), beginning with `least`
    of them on level 0.
    """
    first = sample(0)
    sharpest = _sharpest(solver)
    if sharpest != solver:
        widest = float(solver.options()["tolerance"])
        least_tolerance = float(sharpest.options()["tolerance"])

        def within(level: int) -> tuple[Solver, Landscape]:
            landscape = sample(level)
            ratio = landscape.grid[0].spacing / first.grid[0].spacing
            tolerance = max(least_tolerance, widest * ratio**solver.order_space)
            return dataclasses.replace(solver, **{"tolerance": tolerance}), landscape

        return within
    if _chooses_its_steps(solver):
        return lambda level: (solver, sample(level))
    base = _stable_steps(solver, first.grid, sigma**2, least)
    trial = _with_steps(solver, sigma**2, base)
    rate = min(order, trial.order_space) / trial.order_time

    def on(level: int) -> tuple[Solver, Landscape]:
        landscape = sample(level)
        ratio = first.grid[0].spacing / landscape.grid[0].spacing
        return _with_steps(
            solver, sigma**2, _stable_steps(solver, landscape.grid, sigma**2, round(base * ratio**rate))
        ), landscape

    return on


def order_in_space(
    solver: Solver, boundary: str, dimensions: int = 1, nodes: Nodes = "vertex", *, given_steps: bool = False
) -> Row:
    """Order in the spacing, against an exact evolution.

    Parameters
    ----------
    solver
        Which solver; one without error in space is for `exactness`.
    boundary, dimensions, nodes
        The grid.
    given_steps
        Whether a solver that would choose its own time steps is given them.

    Examples
    --------
    >>> from heatpg.solvers import make
    >>> from heatpg.measure.orders import order_in_space
    >>> row = order_in_space(make("exponential"), "periodic")
    >>> row.declared, round(row.observed, 1), row.passed
    (2.0, 2.0, True)
    """
    sigma = _smooth(boundary, nodes, dimensions, 16)[1]

    def sample(level: int) -> Landscape:
        return _smooth(boundary, nodes, dimensions, _intervals(boundary, dimensions, level))[0]

    least = 64
    if given_steps:
        grid = sample(0).grid
        least = 4 * math.ceil(_stable_steps(solver, grid, sigma**2, round(sigma**2 / max(grid.spacing) ** 2)) / 4)
        solver = _with_steps(solver, sigma**2, least)
    refined = None if _chooses_its_steps(solver) else _step_option(solver)
    on = refined_in_space(solver, sample, sigma, least=least)

    def measure(level: int) -> tuple[float, float, float]:
        chosen, landscape = on(level)
        # from one coarse grid to the next the node of the largest error jumps; the mean square does not
        error = _error(chosen, landscape, sigma, landscape.exact(sigma), squares=True)
        return landscape.grid[0].spacing, error, _round_off(chosen, landscape, sigma)

    place = _place(solver, boundary, nodes, dimensions, sample(0).name, refined)
    return _order_row(measure, solver.order_space, axis="space", source=_DECLARED, **place)


def order_in_time(solver: Solver, boundary: str, dimensions: int = 1, nodes: Nodes = "vertex") -> Row:
    """Order in the time step on one grid, against the same solver with steps 32 times smaller than the smallest.

    Examples
    --------
    >>> from heatpg.solvers import make
    >>> from heatpg.measure.orders import order_in_time
    >>> row = order_in_time(make("implicit"), "reflect")
    >>> row.declared, round(row.observed, 1), row.passed
    (1.0, 1.0, True)
    """
    landscape, sigma = _smooth(boundary, nodes, dimensions, _intervals(boundary, dimensions, 0))
    variance = sigma**2
    least = math.ceil(2.0 * variance / min(landscape.grid.spacing) ** 2) if _chooses_its_steps(solver) else 0
    base = _stable_steps(solver, landscape.grid, variance, max(48, least))

    def count(level: int) -> int:
        return round(base * math.sqrt(2.0) ** level)

    fine = _with_steps(solver, variance, _FINER * count(POINTS - 1))
    reference = solve(landscape, sigma, fine).values[0]
    floor = _round_off(fine, landscape, sigma)

    def measure(level: int) -> tuple[float, float, float]:
        chosen = _with_steps(solver, variance, count(level))
        return variance / count(level), _error(chosen, landscape, sigma, reference), floor

    place = _place(solver, boundary, nodes, dimensions, landscape.name, _step_option(solver))
    order = _with_steps(solver, variance, base).order_time
    # a scheme of limited stability has no coarser steps
    return _order_row(measure, order, coarsest=-3 if base == 48 else 0, axis="time", source=_DECLARED, **place)


def exactness(solver: Solver, boundary: str, dimensions: int = 1, nodes: Nodes = "vertex") -> Row:
    """Error of a solver that is exact, against the bound that it gives for its round-off.

    A solver without error in space is compared with the exact evolution; one that is exact in time only, with
    itself in two intervals of t instead of one.

    Examples
    --------
    >>> from heatpg.solvers import make
    >>> from heatpg.measure.orders import exactness
    >>> row = exactness(make("spectral"), "absorb")
    >>> row.observed <= row.bound, row.passed
    (True, True)
    """
    landscape, sigma = _smooth(boundary, nodes, dimensions, 48 if boundaries.get(boundary).free_space else 24, 4.8)
    bound = _round_off(solver, landscape, sigma)
    source = "2 x solver.rounding along each axis and 64 for the exact evolution, in eps max |Q|"
    if math.isinf(solver.order_space):
        reference, data = landscape.exact(sigma), landscape.name
    else:
        halfway = Landscape(solve(landscape, 0.6 * sigma, solver).values[0], landscape.grid)
        reference, data = solve(halfway, 0.8 * sigma, solver).values[0], f"{landscape.name}, t = 0.36 t + 0.64 t"
        bound *= 2
        source = f"twice ({source})"
    if getattr(solver, "tolerance", None):
        source += ", and its tolerance"
    error = _error(solver, landscape, sigma, reference)
    place = _place(solver, boundary, nodes, dimensions, data, None)
    return Row(
        axis="exact",
        declared="exact",
        observed=error,
        bound=bound,
        source=source,
        refinements=(landscape.grid[0].spacing,),
        errors=(error,),
        passed=error <= bound,
        **place,
    )


def tolerance_kept(solver: Solver, boundary: str, dimensions: int = 1, nodes: Nodes = "vertex") -> Row:
    """Error in time of a solver that chooses its steps by a tolerance, against itself with the smallest it takes.

    Examples
    --------
    >>> from heatpg.solvers import make
    >>> from heatpg.measure.orders import tolerance_kept
    >>> tolerance_kept(make("stabilized", tolerance=1e-3), "reflect").passed
    True
    """
    landscape, sigma = _smooth(boundary, nodes, dimensions, _intervals(boundary, dimensions, 1))
    bound = _round_off(solver, landscape, sigma)
    error = _error(solver, landscape, sigma, solve(landscape, sigma, _sharpest(solver)).values[0])
    return Row(
        axis="time",
        declared="tolerance",
        observed=error,
        bound=bound,
        source="the tolerance for each axis and 2 x solver.rounding eps, in max |Q|",
        refinements=(landscape.grid[0].spacing,),
        errors=(error,),
        passed=error <= bound,
        **_place(solver, boundary, nodes, dimensions, landscape.name, None),
    )


def properties(solver: Solver, boundary: str, nodes: Nodes = "vertex") -> list[Row]:
    """Properties of the matrix of one step as rows; see `heatpg.measure.operators`."""
    return [
        Row(
            axis="operator",
            declared=found.declared,
            observed=found.observed,
            bound=found.bound,
            source=found.source,
            passed=found.passed,
            **_place(solver, boundary, nodes, 1, found.name, None),
        )
        for found in operator_properties(solver, boundary, nodes)
    ]


# Rough data ------------------------------------------------------------------------------------------------------


def _weierstrass(size: int, nodes: Nodes, exponent: float) -> Landscape:
    """A sum of 14 waves, the last ones too short for the grid, as a landscape of this name would refuse."""
    grid = Grid(_axis("x", 0.0, 2 * math.pi, size, "periodic", nodes))
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
    >>> from heatpg.measure.orders import rough_order_in_space
    >>> row = rough_order_in_space(make("spectral"), "Weierstrass p = 0.3")
    >>> row.declared, round(row.observed, 2)
    (0.3, 0.3)
    """
    if data not in ROUGH_IN_SPACE:
        raise UnsupportedError("unknown rough data", given=repr(data), allowed=", ".join(ROUGH_IN_SPACE))
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
        error = _error(chosen, landscape, sigma, landscape.exact(sigma), squares=fractal)
        return landscape.grid[0].spacing, error, _round_off(chosen, landscape, sigma)

    refined = None if _chooses_its_steps(solver) else _step_option(solver)
    place = _place(solver, "periodic" if fractal else "clip", nodes, 1, data, refined)
    return _order_row(
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
    >>> from heatpg.measure.orders import rough_order_in_time
    >>> round(rough_order_in_time(make("crank_nicolson", damping_steps=0), "|x|").observed, 1)
    1.0
    """
    if data not in ROUGH_IN_TIME:
        raise UnsupportedError("unknown rough data", given=repr(data), allowed=", ".join(ROUGH_IN_TIME))
    sigma = 0.15
    variance = sigma**2
    damped = _keeps_order_on_rough_data(solver)
    order = _with_steps(solver, variance, 8).order_time
    if not damped:
        order = min(order, 0.0 if data == "step" else 1.0)

    def measure(level: int) -> tuple[float, float, float]:
        grid = Grid(Axis("x", 0.0, 1.0, 128 * 2**level, boundary="reflect", nodes="cell"))
        name, options = ("step", {"position": 0.5}) if data == "step" else ("absolute_value", {"center": (0.5,)})
        landscape = landscapes.get(name)(grid, **options)
        count = 8 * 2**level
        fine = _with_steps(solver, variance, _FINER * count)
        error = _error(_with_steps(solver, variance, count), landscape, sigma, solve(landscape, sigma, fine).values[0])
        return variance / count, error, _round_off(fine, landscape, sigma)

    source = "damped at the shortest waves: the order of the solver" if damped else "Giles and Carter [2], dt / h held"
    place = _place(solver, "reflect", "cell", 1, f"{data}, dt ~ h", _step_option(solver))
    return _order_row(measure, order, coarsest=0, finest=5, axis="rough", source=source, **place)


def _keeps_order_on_rough_data(solver: Solver) -> bool:
    """Whether the shortest wave is damped away: by the first steps, or in every one."""
    return getattr(solver, "damping_steps", 0) > 0 or abs(_shortest_wave(solver)) < 1e-3


def _shortest_wave(solver: Solver) -> float:
    """What one very long step, not the first, leaves of the wave of two nodes."""
    axis = Axis("x", 0.0, 8.0, 8, boundary="periodic")
    stop = 1.0 + 1e6
    return float(np.real(_with_steps(solver, stop, 1).interval_symbol(np.array(math.pi), axis, 1.0, stop)))


def _rough_in_time(solver: Solver) -> Iterator[Callable[[], Row]]:
    """The measurements that theory has a prediction for."""
    if _step_option(solver) != "steps" or not _can_be_refined_in_time(solver):
        return
    has_start = hasattr(solver, "damping_steps")
    if not has_start and not _keeps_order_on_rough_data(solver):
        return
    for data in ROUGH_IN_TIME:
        yield functools.partial(rough_order_in_time, solver, data)
        if has_start:
            undamped = dataclasses.replace(solver, **{"damping_steps": 0})
            yield functools.partial(rough_order_in_time, undamped, data)


# Everything ------------------------------------------------------------------------------------------------------


def _measurements(
    solver: Solver, boundary: str, dimension: int, nodes: Nodes
) -> Iterator[Callable[[], Row | list[Row]]]:
    in_time = _can_be_refined_in_time(solver)
    if solver.exact_in_time:
        yield functools.partial(exactness, solver, boundary, dimension, nodes)
    by_tolerance = _sharpest(solver) != solver
    if by_tolerance:
        yield functools.partial(tolerance_kept, solver, boundary, dimension, nodes)
    elif math.isfinite(solver.order_space):
        yield functools.partial(order_in_space, solver, boundary, dimension, nodes)
    if in_time:
        yield functools.partial(order_in_time, solver, boundary, dimension, nodes)
        if _chooses_its_steps(solver):
            yield functools.partial(order_in_space, solver, boundary, dimension, nodes, given_steps=True)
    if dimension == 1:
        yield functools.partial(properties, solver, boundary, nodes)


def _or_refused(measurement: Callable[[], Row | list[Row]], place: dict[str, Any]) -> list[Row]:
    try:
        found = measurement()
    except UnsupportedError as refusal:
        words = f"refused: {refusal}"
        return [
            Row(axis="space", declared="none", observed=None, bound=None, source="", passed=True, note=words, **place)
        ]
    return found if isinstance(found, list) else [found]


def orders(
    chosen: Iterable[str | Solver] | None = None,
    *,
    over: Sequence[str] | None = None,
    dimensions: Sequence[int] = (1, 2, 3),
    nodes: Nodes = "vertex",
    progress: Callable[[int, int], object] | None = None,
) -> list[Row]:
    """All measurements of all solvers, or of some.

    Parameters
    ----------
    chosen
        Names or solvers; by default every registered solver.
    over
        Names of boundaries; by default every registered one. Rough data have boundaries of their own.
    dimensions
        Of the grids.
    nodes
        Node placement of the grids.
    progress
        Called as ``progress(done, total)`` after each measurement.

    Examples
    --------
    >>> from heatpg.measure.orders import orders
    >>> rows = orders(["exponential"], over=["reflect"], dimensions=[1])
    >>> all(row.passed for row in rows)
    True
    """
    jobs: list[tuple[Callable[[], Row | list[Row]], dict[str, Any]]] = []
    for solver in (each for name in chosen or solvers.names() for each in variants(name)):
        for boundary in over or boundaries.names():
            for dimension in dimensions:
                place = _place(solver, boundary, nodes, dimension, "", None)
                jobs += [(job, place) for job in _measurements(solver, boundary, dimension, nodes)]
        if 1 in dimensions:
            place = _place(solver, "clip", nodes, 1, "", None)
            jobs += [(functools.partial(rough_order_in_space, solver, data, nodes), place) for data in ROUGH_IN_SPACE]
            jobs += [(job, place) for job in _rough_in_time(solver)]
    rows: list[Row] = []
    for done, (job, place) in enumerate(jobs, 1):
        rows += _or_refused(job, place)
        if progress is not None:
            progress(done, len(jobs))
    return rows


# Words -----------------------------------------------------------------------------------------------------------


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _is_order(row: Row) -> bool:
    return not isinstance(row.declared, str)


def _observed(rows: Sequence[Row]) -> str:
    numbers = [row.observed for row in rows if row.observed is not None]
    if not numbers:
        return "-"
    if rows[0].axis == "operator" and rows[0].data == "signs":
        return f"{min(numbers):.0e}"
    if not _is_order(rows[0]):
        return f"{max(numbers):.0e}"
    low, high = (f"{round(value, 2) + 0.0:.2f}" for value in (min(numbers), max(numbers)))  # no minus zero
    return low if low == high else f"{low} to {high}"


def _allowed(rows: Sequence[Row]) -> str:
    bounds = [row.bound for row in rows if row.bound is not None]
    if not bounds:
        return ""
    if not _is_order(rows[0]):
        return f"{max(bounds):.0e}"
    return f"±{max(bounds):g}"


def _group(row: Row) -> tuple[object, ...]:
    """What is told in one line: boundaries and dimensions that came out alike; every failure has its own."""
    own = (row.boundary, row.dimension) if not row.passed else ()
    data = row.data if row.axis in ("rough", "operator") else ""
    return (row.label, row.axis, data, str(row.declared), row.passed, row.note.startswith("refused"), own)


def table(rows: Sequence[Row]) -> list[str]:
    """The rows as lines of text: boundaries and dimensions together where they passed, each failure by itself.

    Examples
    --------
    >>> from heatpg.solvers import make
    >>> from heatpg.measure.orders import order_in_space, table
    >>> print(*table([order_in_space(make("exponential"), "reflect")]), sep="\\n")
    solver
      boundary  d  axis   data    declared  observed  allowed  verdict
    exponential
      reflect   1  space  smooth  2         2.00      ±0.1     passed
    """
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(_group(row), []).append(row)
    labels = list(dict.fromkeys(row.label for row in rows))
    ordered = sorted(groups.values(), key=lambda members: labels.index(members[0].label))
    every = set(boundaries.names())
    lines = [("boundary", "d", "axis", "data", "declared", "observed", "allowed", "verdict")]
    for members in ordered:
        first = members[0]
        where = sorted({row.boundary for row in members})
        noted = sum(bool(row.note) for row in members)
        verdict = "passed" + (f" ({noted} of {len(members)} adapted)" if noted else "")
        if first.note.startswith("refused"):
            verdict = first.note
        elif not first.passed:
            verdict = f"FAILED {first.note}"
        lines.append(
            (
                "every" if set(where) == every else " ".join(where),
                " ".join(str(d) for d in sorted({row.dimension for row in members})),
                first.axis,
                first.data if first.axis in ("rough", "operator") else "smooth",
                _number(first.declared),
                _observed(members),
                _allowed(members),
                verdict,
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  " + "  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    result = ["solver", text[0]]
    before = ""
    for members, line in zip(ordered, text[1:], strict=True):
        if members[0].label != before:
            before = members[0].label
            result.append(before)
        result.append(line)
    if any(row.note and row.passed and row.observed is not None for row in rows):
        result.append("adapted: resolutions at round-off, or not yet asymptotic, were replaced; the notes say which")
    return result
