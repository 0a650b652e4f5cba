"""Observed orders of convergence against the declared ones, for every solver, boundary and dimension.

The measured solutions are exact ones and no single eigenmode. The order is the slope of a straight line through
log(error) against log(refinement) over five resolutions, that is four refinements; it may be off by 0.1.

``space``: on a sequence of grids, against the exact evolution. A solver whose time step is given takes it as
h^(order in space / order in time), so that both errors fall alike. ``time``: on one grid, against the same solver with
a far smaller step; that the flow so approached is the right one is for ``space`` to see. ``exact``: solvers without
error in time or space, against round-off. ``edge``: at walls where Q has a slope, a value or a curvature, see
`heatpg.measure.edge`. ``rough``: data with a singularity, see `heatpg.measure.rough`.
``operator``: properties of the matrix of one step, see `heatpg.measure.operators`. The refinement of grids and steps
is described in `heatpg.measure.refinement`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from heatpg.boundaries import boundaries
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import UnsupportedError
from heatpg.evolution import solve
from heatpg.landscapes import landscapes
from heatpg.measure.edge import has_edge_order, order_at_edge
from heatpg.measure.operators import operator_properties
from heatpg.measure.refinement import (
    FINER,
    POINTS,
    Nodes,
    Row,
    can_be_refined_in_time,
    chooses_its_steps,
    error_of,
    order_row,
    refined_in_space,
    round_off_bound,
    row_fields,
    sharpest,
    stable_steps,
    step_option,
    variants,
    with_steps,
)
from heatpg.measure.rough import ROUGH_IN_SPACE, ROUGH_IN_TIME, rough_measurements_in_time, rough_order_in_space
from heatpg.solvers import Solver, solvers
from heatpg.tools.progress import Progress, progress_of

__all__ = [
    "exactness",
    "order_in_space",
    "order_in_time",
    "orders",
    "properties",
    "table",
    "tolerance_kept",
]

_LENGTHS = (1.0, 1.25, 1.5, 1.75)  # of the axes: no two alike, so that axes that change places show
# Spacings on each level, in halves of those of level 0; True: three dimensions, where four times as many are enough.
_HALVES = {True: (2, 3, 4, 5, 6, 7, 8), False: (2, 3, 4, 6, 8, 10, 12)}
_DECLARED = "declared by the solver"


_FACES = 4.0  # of the values on walls between nodes, from four cells


def _axis(name: str, lower: float, upper: float, intervals: int, boundary: str, nodes: Nodes) -> Axis:
    """An axis of so many spacings between walls at the bounds."""
    both_ends = nodes == "vertex" and not boundaries.get(boundary).periodic
    return Axis(name, lower, upper, intervals + both_ends, boundary=boundary, nodes=nodes)


def _walls_between_nodes(boundary: str, nodes: Nodes) -> bool:
    """Whether the values on the walls of a closed line come from the cells nearby, which limits the order."""
    rule = boundaries.get(boundary)
    return rule.faced(nodes) and not rule.free_space


def _smooth(boundary: str, nodes: Nodes, dimensions: int, intervals: int, half: float = 3.0) -> tuple[Landscape, float]:
    """Several eigenmodes, or in free space two Gaussians well inside the box, and the sigma to take."""
    names = [f"x{i + 1}" for i in range(dimensions)]
    if not boundaries.get(boundary).free_space:
        # a period holds whole waves, other lines half ones
        scale = 2.0 if boundaries.get(boundary).periodic else 1.0
        axes = [_axis(name, 0.0, scale * _LENGTHS[i % 4], intervals, boundary, nodes) for i, name in enumerate(names)]
        if _walls_between_nodes(boundary, nodes):
            # the even derivatives of sines vanish on the walls, where a cubic through cells then is of fifth order
            wide = dict(heights=(1.0,), centers=(0.35,) * dimensions, widths=(1.5,) * dimensions)
            return landscapes.get("gaussians")(Grid(*axes), **wide), 0.35
        return landscapes.get("eigenmodes")(Grid(*axes), modes=2, seed=1), 0.35 * scale
    axes = [_axis(name, -half, half, intervals, boundary, nodes) for name in names]
    # two bumps of unlike sign and width, in no symmetric place
    centers = (-0.2,) * dimensions + (0.25,) * dimensions
    bumps = landscapes.get("gaussians")(Grid(*axes), heights=(1.0, -0.6), centers=centers, widths=(0.5, 0.45))
    # What the walls cut off Q is 1e-18 of it in the wide box, below round-off, and 1e-8 in the small one, below the
    # errors there.
    return bumps, 0.75 if half == 3.0 else 0.4


def _corrected(solver: Solver, boundary: str, nodes: Nodes) -> bool:
    """Whether the solver takes slopes of Q at closed walls from end nodes: to a finite order, even of a flat end."""
    axis = Axis("x", 0.0, 32.0, 32, boundary=boundary, nodes=nodes)
    return not axis.rule.free_space and solver.end_nodes(axis, (4.0 * axis.spacing) ** 2) > 0


def _mirrored(boundary: str, nodes: Nodes, dimensions: int, intervals: int, width: float) -> Landscape:
    """A bump on each axis, so many lengths wide, with its mirror images; nothing of it is left at the walls."""
    axes = [_axis(f"x{i + 1}", 0.0, _LENGTHS[i % 4], intervals, boundary, nodes) for i in range(dimensions)]

    def exact(sigmas: Sequence[float]) -> Any:
        lines = []
        for axis, length, sigma in zip(axes, _LENGTHS, sigmas, strict=False):
            narrow = width * length
            wide = math.hypot(narrow, sigma)
            line = np.zeros(axis.size)
            # walls stand at 0 and at the length, whatever the nodes; the centre in no symmetric place
            for image in range(-math.ceil(5.0 * wide / length) - 1, math.ceil(5.0 * wide / length) + 2):
                for sign in (1.0, -1.0):
                    distance = axis.coordinates - 2.0 * image * length - sign * 0.47 * length
                    line += narrow / wide * np.exp(-0.5 * np.square(distance / wide))
            lines.append(line)
        return functools.reduce(np.multiply.outer, lines)

    return Landscape(exact((0.0,) * dimensions), Grid(*axes), name="bumps", exact=exact)


def _intervals(boundary: str, dimensions: int, level: int) -> int:
    """Spacings along an axis: multiples of half the first, so that a step ~ h^2 has multiples of its count."""
    # fewer in three dimensions, where the work grows with the cube
    unit = (18 if dimensions < 3 else 9) if boundaries.get(boundary).free_space else (12 if dimensions < 3 else 6)
    if level < 0:
        return max(4, round(2 * unit * 1.5**level))
    return unit * _HALVES[dimensions >= 3][level]


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
        intervals = _intervals(boundary, dimensions, level)
        if _corrected(solver, boundary, nodes):
            return _mirrored(boundary, nodes, dimensions, intervals, 0.08)
        return _smooth(boundary, nodes, dimensions, intervals)[0]

    # a taste: what matters is that the step falls with the spacing, see `refined_in_space`
    least = 64
    if given_steps:
        grid = sample(0).grid
        least = 4 * math.ceil(stable_steps(solver, grid, sigma**2, round(sigma**2 / max(grid.spacing) ** 2)) / 4)
        solver = with_steps(solver, sigma**2, least)
    refined = None if chooses_its_steps(solver) else step_option(solver)
    on = refined_in_space(solver, sample, sigma, least=least)

    def measure(level: int) -> tuple[float, float, float]:
        chosen, landscape = on(level)
        # from one coarse grid to the next the node of the largest error jumps; the mean square does not
        error = error_of(chosen, landscape, sigma, landscape.exact(sigma), squares=True)
        return landscape.grid[0].spacing, error, round_off_bound(chosen, landscape, sigma)

    place = row_fields(solver, boundary, nodes, dimensions, sample(0).name, refined)
    if _walls_between_nodes(boundary, nodes) and solver.order_space > _FACES:
        return order_row(measure, _FACES, axis="space", source="edge values from four cells", **place)
    return order_row(measure, solver.order_space, axis="space", source=_DECLARED, **place)


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
    least = math.ceil(2.0 * variance / min(landscape.grid.spacing) ** 2) if chooses_its_steps(solver) else 0
    base = stable_steps(solver, landscape.grid, variance, max(48, least))

    def count(level: int) -> int:
        # a factor of four over five levels: halving the step on each would take four times the work
        return round(base * math.sqrt(2.0) ** level)

    fine = with_steps(solver, variance, FINER * count(POINTS - 1))
    reference = solve(landscape, sigma, fine).values[0]
    floor = round_off_bound(fine, landscape, sigma)

    def measure(level: int) -> tuple[float, float, float]:
        chosen = with_steps(solver, variance, count(level))
        return variance / count(level), error_of(chosen, landscape, sigma, reference), floor

    place = row_fields(solver, boundary, nodes, dimensions, landscape.name, step_option(solver))
    order = with_steps(solver, variance, base).order_time
    # a scheme of limited stability has no coarser steps
    return order_row(measure, order, coarsest=-3 if base == 48 else 0, axis="time", source=_DECLARED, **place)


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
    if _corrected(solver, boundary, nodes):
        # three spacings wide, so that the grid holds it; in halves of sigma only while it has not come to the walls
        landscape = _mirrored(boundary, nodes, dimensions, 96, 0.03)
        sigma = sigma if math.isinf(solver.order_space) else 0.03
    bound = round_off_bound(solver, landscape, sigma)
    source = "2 x solver.rounding along each axis and 64 for the exact evolution, in eps max |Q|"
    if math.isinf(solver.order_space):
        reference, data = landscape.exact(sigma), landscape.name
    else:
        # t = 0.36 t + 0.64 t, as sigma is squared
        halfway = Landscape(solve(landscape, 0.6 * sigma, solver).values[0], landscape.grid)
        reference, data = solve(halfway, 0.8 * sigma, solver).values[0], f"{landscape.name}, t = 0.36 t + 0.64 t"
        bound *= 2
        source = f"twice ({source})"
    if getattr(solver, "tolerance", None):
        source += ", and its tolerance"
    error = error_of(solver, landscape, sigma, reference)
    place = row_fields(solver, boundary, nodes, dimensions, data, None)
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
    bound = round_off_bound(solver, landscape, sigma)
    error = error_of(solver, landscape, sigma, solve(landscape, sigma, sharpest(solver)).values[0])
    return Row(
        axis="time",
        declared="tolerance",
        observed=error,
        bound=bound,
        source="the tolerance for each axis and 2 x solver.rounding eps, in max |Q|",
        refinements=(landscape.grid[0].spacing,),
        errors=(error,),
        passed=error <= bound,
        **row_fields(solver, boundary, nodes, dimensions, landscape.name, None),
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
            **row_fields(solver, boundary, nodes, 1, found.name, None),
        )
        for found in operator_properties(solver, boundary, nodes)
    ]


def _measurements(
    solver: Solver, boundary: str, dimension: int, nodes: Nodes
) -> Iterator[Callable[[], Row | list[Row]]]:
    in_time = can_be_refined_in_time(solver)
    faced = _walls_between_nodes(boundary, nodes)
    # two intervals, by which a solver with an error in space is measured, would take the values on the walls twice
    twice = math.isfinite(solver.order_space) and boundaries.get(boundary).faced(nodes)
    if solver.exact_in_time and not faced and not twice:
        yield functools.partial(exactness, solver, boundary, dimension, nodes)
    # a solver that meets a tolerance has no order in its own steps; its order in space is measured with given ones
    by_tolerance = sharpest(solver) != solver
    if by_tolerance:
        yield functools.partial(tolerance_kept, solver, boundary, dimension, nodes)
    elif math.isfinite(solver.order_space) or faced:
        yield functools.partial(order_in_space, solver, boundary, dimension, nodes)
    if in_time:
        yield functools.partial(order_in_time, solver, boundary, dimension, nodes)
        if chooses_its_steps(solver):
            yield functools.partial(order_in_space, solver, boundary, dimension, nodes, given_steps=True)
    if has_edge_order(solver, boundary, dimension):
        yield functools.partial(order_at_edge, solver, boundary, dimension, nodes)
    if dimension == 1:
        yield functools.partial(properties, solver, boundary, nodes)


def _or_refused(measurement: Callable[[], Row | list[Row]], place: dict[str, Any]) -> list[Row]:
    try:
        found = measurement()
    # a boundary that a solver refuses in words is no failure of its order
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
    progress: Progress = None,
) -> list[Row]:
    """All measurements of all solvers, or of some.

    Parameters
    ----------
    chosen
        Names or solvers; by default every registered solver.
    over
        Names of boundaries; by default every registered one. Of the rough data those with one of them.
    dimensions
        Of the grids.
    nodes
        Node placement of the grids.
    progress
        A function that is called as ``progress(done, total)`` after each measurement, or True for a progress bar.

    Examples
    --------
    >>> from heatpg.measure.orders import orders
    >>> rows = orders(["exponential"], over=["reflect"], dimensions=[1])
    >>> all(row.passed for row in rows)
    True
    """
    tell = progress_of(progress, "measuring orders")
    jobs: list[tuple[Callable[[], Row | list[Row]], dict[str, Any]]] = []
    for solver in (each for name in chosen or solvers.names() for each in variants(name)):
        for boundary in over or boundaries.names():
            for dimension in dimensions:
                place = row_fields(solver, boundary, nodes, dimension, "", None)
                jobs += [(job, place) for job in _measurements(solver, boundary, dimension, nodes)]
        if 1 in dimensions:
            for data, boundary in ROUGH_IN_SPACE.items():
                if over is None or boundary in over:
                    place = row_fields(solver, boundary, nodes, 1, "", None)
                    jobs.append((functools.partial(rough_order_in_space, solver, data, nodes), place))
            for boundary in dict.fromkeys(ROUGH_IN_TIME.values()):
                if over is None or boundary in over:
                    place = row_fields(solver, boundary, nodes, 1, "", None)
                    jobs += [(job, place) for job in rough_measurements_in_time(solver)]
    rows: list[Row] = []
    for done, (job, place) in enumerate(jobs, 1):
        rows += _or_refused(job, place)
        if tell is not None:
            tell(done, len(jobs))
    return rows


# What a table calls the number that was observed, and what the solver declares of that number: of a property of a
# matrix it is the deviation that is measured, and 0 that is declared.
_MEASURED = {
    "space": "order in space",
    "time": "order in time",
    "edge": "order at the edge",
    "exact": "error",
}
_DEVIATION = {
    "1": ("row sums, distance from 1", "0"),
    "<= 1": ("row sums, excess over 1", "0"),
    "symbol": ("spectrum, distance from the symbol", "0"),
    ">= 0": ("smallest weight", ">= 0"),
    "no promise": ("smallest weight", "no guarantee"),
    "identity": ("inverse, distance from the identity", "0"),
}


def _is_order(row: Row) -> bool:
    return not isinstance(row.declared, str)


def _words(row: Row) -> tuple[str, str]:
    """What was measured, and what is declared of it."""
    declared = row.declared
    if not isinstance(declared, str):
        return (f"order, {row.data}" if row.axis == "rough" else _MEASURED[row.axis]), f"{declared:g}"
    if row.axis == "operator":
        return _DEVIATION.get(declared, (row.data, declared))
    if declared == "tolerance":
        return "error in time", "the tolerance"
    return _MEASURED.get(row.axis, row.axis), "0" if declared == "exact" else declared


def _observed(rows: Sequence[Row]) -> str:
    numbers = [row.observed for row in rows if row.observed is not None]
    if not numbers:
        return "-"
    if rows[0].axis == "operator" and rows[0].data == "signs":
        return f"{min(numbers):.0e}"
    if not _is_order(rows[0]):
        return f"{max(numbers):.0e}" if max(numbers) else "0"
    low, high = (f"{round(value, 2) + 0.0:.2f}" for value in (min(numbers), max(numbers)))  # no minus zero
    return low if low == high else f"{low} to {high}"


def _allowed(rows: Sequence[Row]) -> str:
    bounds = [row.bound for row in rows if row.bound is not None]
    if not bounds:
        return "-"
    if rows[0].axis == "operator" and rows[0].data == "signs":
        return f">= {min(bounds):.0e}"
    if not _is_order(rows[0]):
        return f"<= {max(bounds):.0e}"
    return f"±{max(bounds):g}"


def _group(row: Row) -> tuple[object, ...]:
    """What is told in one line: boundaries and dimensions that came out alike; every failure has its own."""
    own = (row.boundary, row.dimension) if not row.passed else ()
    # smooth data differ by boundary only; rough ones and properties each tell something of their own
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
      boundary  d  measured        declared  observed  allowed  verdict
    exponential
      reflect   1  order in space  2         2.00      ±0.1     passed
    """
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(_group(row), []).append(row)
    labels = list(dict.fromkeys(row.label for row in rows))
    ordered = sorted(groups.values(), key=lambda members: labels.index(members[0].label))
    every = set(boundaries.names())
    lines = [("boundary", "d", "measured", "declared", "observed", "allowed", "verdict")]
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
                *_words(first),
                _observed(members),
                _allowed(members),
                verdict,
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  " + "  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    result = ["solver", text[0]]
    # the name of a solver stands once, above its rows
    before = ""
    for members, line in zip(ordered, text[1:], strict=True):
        if members[0].label != before:
            before = members[0].label
            result.append(before)
        result.append(line)
    if any(row.note and row.passed and row.observed is not None for row in rows):
        result.append(
            "adapted: resolutions at rounding error, or not yet asymptotic, were replaced; --json has a note for each"
        )
    return result
