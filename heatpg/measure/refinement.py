"""From one resolution to the next: how a solver and its grid are refined, and how an order is read off the errors.

A solver that chooses its own time steps is measured so, and with given ones: of about h^2 in space, and of at most
h^2 / 2 in time, because longer ones it may tune to the grid. If it chooses them by a tolerance, that is what it must
meet, and for the order in space its steps are given.
Resolutions whose error is round-off, by the bound that the solver gives, are dropped and coarser ones taken; if the
order is not there yet, up to two finer ones are added and the coarsest dropped. A row says so in its note.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import OptionError, StabilityError
from heatpg.evolution import solve
from heatpg.solvers import Solver, make

__all__ = [
    "FINER",
    "POINTS",
    "TOLERANCE",
    "Array",
    "Measure",
    "Nodes",
    "Row",
    "can_be_refined_in_time",
    "chooses_its_steps",
    "error_of",
    "options_changed",
    "order_row",
    "refined_in_space",
    "round_off_bound",
    "row_fields",
    "sharpest",
    "stable_steps",
    "step_option",
    "variants",
    "with_steps",
]

Array = NDArray[Any]
Nodes = Literal["vertex", "cell"]
Measure = Callable[[int], tuple[float, float, float]]

# By how much a slope may be off: a taste. A wrong scheme misses its order by a half or more.
TOLERANCE = 0.1
POINTS = 5  # resolutions in a row of a measurement, hence four refinements
# The reference in time has steps so many times smaller than the smallest: for a scheme of first order it is off by 3 %
# of the error that is measured, which moves a slope by 0.01 to 0.02.
FINER = 32

_EPS = float(np.finfo(np.float64).eps)
_CLOSED_FORM = 64.0  # heatpg.landscapes.analytic: exact to about 1e-14 of max |Q|
_ABOVE_ROUND_OFF = 4.0  # an error of so many times its round-off still shows its slope: a taste


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
        ``time``, ``space``, ``exact``, ``rough`` or ``operator``; see `heatpg.measure.orders`.
    data
        What was evolved, or the property of the matrix.
    declared
        The order that the solver declares or theory predicts, or a word for what has none.
    observed
        The order by regression, or what was measured where no order is declared; None if nothing could be measured.
    bound
        By how much the order may be off, or what the number may be; None without a guarantee.
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
        Dropped or rejected points.
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


def variants(solver: str | Solver) -> list[Solver]:
    """The solvers that a name stands for: one for each choice of its options that are one word out of several.

    Examples
    --------
    >>> from heatpg.measure.refinement import variants
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


def step_option(solver: Solver) -> str | None:
    """Name of the option that sets the time step."""
    names = {field.name for field in dataclasses.fields(solver)}
    # a solver that has both is refined by their number, which `step` would overrule
    return next((name for name in ("steps", "step") if name in names), None)


def chooses_its_steps(solver: Solver) -> bool:
    return solver.exact_in_time or all(getattr(solver, name, None) is None for name in ("steps", "step"))


def with_steps(solver: Solver, variance: float, count: int) -> Solver:
    """The same solver with so many equal time steps."""
    if step_option(solver) == "step":
        # a little longer than the quotient, so that rounding does not add a step
        return dataclasses.replace(solver, **{"step": variance / count * (1 + 1e-12)})
    return dataclasses.replace(solver, **{"steps": count}, **({"step": None} if hasattr(solver, "step") else {}))


def can_be_refined_in_time(solver: Solver) -> bool:
    return step_option(solver) is not None and not with_steps(solver, 1.0, 8).exact_in_time


def _accepted(solver: Solver, grid: Grid, variance: float) -> bool:
    try:
        for axis in grid:
            solver.check(axis, 0.0, variance)
    except StabilityError:
        return False
    return True


def stable_steps(solver: Solver, grid: Grid, variance: float, least: int) -> int:
    """The number of steps to begin with: `least`, or as many more as a scheme of limited stability needs."""
    count = max(1, least)
    while count < 2**20 and not _accepted(with_steps(solver, variance, count), grid, variance):
        # 6 % at a time: more steps than needed do no harm, and the limit is found in some hundred trials
        count += 1 + count // 16
    return count


def sharpest(solver: Solver) -> Solver:
    """The same solver with the smallest tolerance that it takes for its time steps."""
    if solver.exact_in_time or not chooses_its_steps(solver) or not getattr(solver, "tolerance", None):
        return solver
    # what the smallest tolerance is, only the solver knows: ask from below
    for exponent in range(-16, 0):
        try:
            return dataclasses.replace(solver, **{"tolerance": float(f"1e{exponent}")})
        except OptionError:
            continue
    return solver


def options_changed(solver: Solver, refined: str | None = None) -> dict[str, Any]:
    """Options that differ from their defaults; one may be marked as refined.

    Examples
    --------
    >>> from heatpg.solvers import make
    >>> from heatpg.measure.refinement import options_changed
    >>> options_changed(make("crank_nicolson", damping_steps=0), "steps")
    {'damping_steps': 0, 'steps': 'refined'}
    """
    found = {
        field.name: getattr(solver, field.name)
        for field in dataclasses.fields(solver)
        if getattr(solver, field.name) != field.default
    }
    return found | ({refined: "refined"} if refined else {})


def round_off_bound(solver: Solver, landscape: Landscape, sigma: float) -> float:
    """Bound that the solver gives for its own round-off and, where it has one, its tolerance."""
    # twice, because the reference of a comparison with itself rounds as well
    units = 2.0 * sum(solver.rounding(axis, (0.0, sigma**2)) for axis in landscape.grid) + _CLOSED_FORM
    tolerance = (getattr(solver, "tolerance", None) if chooses_its_steps(solver) else None) or 0.0
    return (units * _EPS + tolerance * landscape.grid.dimensions) * float(np.abs(landscape.values).max())


def error_of(solver: Solver, landscape: Landscape, sigma: float, reference: Array, *, squares: bool = False) -> float:
    """The largest error, or the root of the mean square over the box."""
    difference = solve(landscape, sigma, solver).values[0] - reference
    if squares:
        return float(np.sqrt(np.average(difference**2, weights=landscape.grid.relative_weights)))
    return float(np.abs(difference).max())


def _slope(points: Sequence[tuple[float, float]]) -> float:
    steps, errors = np.log(np.array(points)).T
    return float(np.polyfit(steps, errors, 1)[0])


def order_row(measure: Measure, declared: float, *, coarsest: int = -3, finest: int = 6, **fields: Any) -> Row:
    """The order over five resolutions; `measure` maps a level to its refinement, its error, and its round-off."""
    points: dict[int, tuple[float, float]] = {}
    lost: list[int] = []

    def take(level: int) -> None:
        refinement, error, floor = measure(level)
        if error > _ABOVE_ROUND_OFF * floor:
            points[level] = (refinement, error)
        else:
            lost.append(level)

    # finer and finer, until an error is lost in round-off, as those of finer levels would be
    for level in range(POINTS):
        take(level)
        if lost:
            break
    lowest, highest = 0, max([*points, *lost])
    # what is lost above is made up for by coarser levels
    while lost and len(points) < POINTS and lowest > coarsest:
        lowest -= 1
        take(lowest)
    window = [points[level] for level in sorted(points)][-POINTS:]
    # the order is not there yet: one finer level in, the coarsest out
    while not lost and highest < finest and abs(_slope(window) - declared) > TOLERANCE:
        highest += 1
        take(highest)
        window = [points[level] for level in sorted(points)][-POINTS:]
    notes = []
    if lost:
        notes.append(f"{len(lost)} at rounding error dropped")
    if len(points) > len(window):
        notes.append(f"{len(points) - len(window)} coarsest dropped, not yet asymptotic")
    if len(window) < POINTS:
        return Row(
            declared=declared, observed=None, bound=TOLERANCE, note="; ".join([*notes, "too few left"]), **fields
        )
    # a straight line through all, and not the last slope: less moved by a single lucky error
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


def row_fields(
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
    finest = sharpest(solver)
    if finest != solver:
        widest = float(solver.options()["tolerance"])
        least_tolerance = float(finest.options()["tolerance"])

        def within(level: int) -> tuple[Solver, Landscape]:
            landscape = sample(level)
            ratio = landscape.grid[0].spacing / first.grid[0].spacing
            tolerance = max(least_tolerance, widest * ratio**solver.order_space)
            return dataclasses.replace(solver, **{"tolerance": tolerance}), landscape

        return within
    if chooses_its_steps(solver):
        return lambda level: (solver, sample(level))
    base = stable_steps(solver, first.grid, sigma**2, least)
    trial = with_steps(solver, sigma**2, base)
    # dt^p falls like h^q for dt ~ h^(q/p): both errors fall alike, and neither hides the other
    rate = min(order, trial.order_space) / trial.order_time

    def on(level: int) -> tuple[Solver, Landscape]:
        landscape = sample(level)
        ratio = first.grid[0].spacing / landscape.grid[0].spacing
        return with_steps(
            solver, sigma**2, stable_steps(solver, landscape.grid, sigma**2, round(base * ratio**rate))
        ), landscape

    return on
