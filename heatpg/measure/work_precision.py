"""Error against processor time, for every solver over its refinement.

The problem is always the same: two Gaussian bumps of width 0.1 in a reflecting box [-1, 1]^2, sigma = 0.2, against
their exact evolution. A solver is refined by its grid, and its time steps with it where they are given: as h^(order in
space / order in time), beginning with 64; or its tolerance, as h^(order in space). Refining ends where a solve takes a
tenth of a second.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.evolution import solve
from heatpg.landscapes import landscapes
from heatpg.measure.refinement import options_changed, refined_in_space, variants
from heatpg.solvers import Solver, solvers
from heatpg.tools.progress import Progress, progress_of

__all__ = ["PROBLEM", "Work", "table", "work_precision"]

PROBLEM = "two bumps of width 0.1 in a reflecting box [-1, 1]^2, sigma = 0.2"
# about twice the work from one to the next in two dimensions
SIZES = (13, 19, 25, 37, 49, 73, 97, 145, 193, 289, 385, 577)

_SIGMA = 0.2
_ENOUGH = 0.02  # seconds, after which a solve is not repeated
_MOST_REPEATS = 5  # of a fast solve, whose median counts
_SLOW = 0.1  # seconds, after which a solver is not refined further


@dataclasses.dataclass(frozen=True)
class Work:
    """One run.

    Attributes
    ----------
    solver
        Name of the solver.
    options
        Its options where they differ from the defaults, time steps included.
    label
        Solver and options in few words, the same for all sizes.
    order
        Its order in space, or ``spectral``.
    size, spacing
        Nodes along an axis, and their distance.
    error
        Largest error, relative to the largest exact value.
    seconds
        Processor time of one solve, over all threads: the median of up to five runs after a first one.
    """

    solver: str
    options: Mapping[str, Any]
    label: str
    order: float | str
    size: int
    spacing: float
    error: float
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """The run as JSON-like values."""
        return dataclasses.asdict(self)


def _problem(size: int) -> Landscape:
    axes = [Axis(name, -1.0, 1.0, size, boundary="reflect") for name in ("x1", "x2")]
    centers = (-0.2, 0.1, 0.15, -0.1)
    return landscapes.get("gaussians")(Grid(*axes), heights=(1.0, 0.6), centers=centers, widths=(0.1, 0.1))


def _run(solver: Solver, landscape: Landscape) -> tuple[float, float]:
    """Relative error, and processor time."""
    exact = landscape.exact(_SIGMA)
    seconds: list[float] = []
    error = 0.0
    # the first run of a size compiles what no smaller one has needed, and is never the one that counts
    while len(seconds) < 2 or (len(seconds) < _MOST_REPEATS and sum(seconds[1:]) < _ENOUGH):
        begin = time.process_time()
        field = solve(landscape, _SIGMA, solver).values[0]
        seconds.append(time.process_time() - begin)
        error = float(np.abs(field - exact).max() / np.abs(exact).max())
    return error, statistics.median(seconds[1:])


def work_precision(
    chosen: Iterable[str | Solver] | None = None,
    *,
    sizes: Sequence[int] = SIZES,
    progress: Progress = None,
) -> list[Work]:
    """Run the problem with all solvers, or some, on all sizes.

    Parameters
    ----------
    chosen
        Names or solvers; by default every registered solver.
    sizes
        Nodes along an axis.
    progress
        A function that is called as ``progress(done, total)`` after each solver, or True for a progress bar.

    Examples
    --------
    >>> from heatpg.measure.work_precision import work_precision
    >>> coarse, fine = work_precision(["exponential"], sizes=[25, 49])
    >>> fine.error < coarse.error / 3.5
    True
    """
    tell = progress_of(progress, "measuring")
    found = [solver for name in chosen or solvers.names() for solver in variants(name)]
    runs: list[Work] = []
    for done, solver in enumerate(found, 1):
        on = refined_in_space(solver, lambda level: _problem(sizes[level]), _SIGMA)
        _run(solver, _problem(sizes[0]))  # whatever has to be compiled
        # the label leaves out what is refined, so that all sizes of a solver make one curve
        words = " ".join([solver.name, *(f"{key}={value}" for key, value in options_changed(solver).items())])
        for level, size in enumerate(sizes):
            refined, landscape = on(level)
            error, seconds = _run(refined, landscape)
            order = refined.order_space if np.isfinite(refined.order_space) else "spectral"
            spacing = landscape.grid[0].spacing
            runs.append(Work(solver.name, options_changed(refined), words, order, size, spacing, error, seconds))
            if seconds > _SLOW:
                break
        if tell is not None:
            tell(done, len(found))
    return runs


def _milliseconds(seconds: float) -> str:
    value = 1000.0 * seconds
    return f"{value:.0f} ms" if value >= 10 else f"{value:.2g} ms"


def table(runs: Sequence[Work]) -> list[str]:
    """Processor time that each solver needs to reach an error, as lines of text; a dash where no size reached it.

    Examples
    --------
    >>> from heatpg.measure.work_precision import Work, table
    >>> print(*table([Work("exponential", {}, "exponential", 2.0, 49, 0.04, 3e-3, 4e-4)]), sep="\\n")
    error at most    1e-2  1e-3  1e-4  1e-6  1e-8  1e-10
    exponential    0.4 ms     -     -     -     -      -
                       49
    """
    targets = ("1e-2", "1e-3", "1e-4", "1e-6", "1e-8", "1e-10")
    lines = [["error at most", *targets]]
    for label in dict.fromkeys(run.label for run in runs):
        mine = [run for run in runs if run.label == label]
        best = [
            min((run for run in mine if run.error <= float(target)), key=lambda run: run.seconds, default=None)
            for target in targets
        ]
        lines.append([label, *(_milliseconds(run.seconds) if run else "-" for run in best)])
        lines.append(["", *(str(run.size) if run else "" for run in best)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            [f"{line[0]:{widths[0]}}", *(f"{word:>{w}}" for word, w in zip(line[1:], widths[1:], strict=True))]
        ).rstrip()
        for line in lines
    ]
