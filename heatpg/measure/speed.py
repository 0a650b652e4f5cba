"""How fast the solvers are here: one problem, every solver, against SciPy's transforms and a copy of the array.

The short form of the project's benchmarks, which compare with other packages; only ratios within one run mean anything.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import HeatpgError, OptionError
from heatpg.evolution import solve
from heatpg.solvers import Solver, make, solvers
from heatpg.tools.progress import Progress, progress_of

__all__ = ["Timing", "bench", "table"]

Array = NDArray[Any]

_BATCH = 0.05  # seconds; below that the clock and the scheduler are seen


@dataclasses.dataclass(frozen=True)
class Timing:
    """Time of one competitor.

    Attributes
    ----------
    name
        Solver, or what it is compared with.
    seconds
        Median over the rounds of the wall time of one call; None where it was refused.
    ratio
        Over the pair of transforms.
    error
        Largest distance from the Gaussian convolution of the interpolant, in units of osc(Q).
    note
        Why there is no time.
    """

    name: str
    seconds: float | None
    ratio: float | None
    error: float | None
    note: str = ""


def _landscape(shape: Sequence[int]) -> Landscape:
    """Waves of every octave along oblique directions: rough down to the grid, and the same in every run."""
    grid = Grid(*(Axis(f"x{i + 1}", 0.0, float(n), n, boundary="reflect", nodes="cell") for i, n in enumerate(shape)))
    rng = np.random.default_rng(0)
    mesh = [x / max(shape) for x in grid.mesh()]
    values = np.zeros(grid.shape)
    # amplitudes fall as those of a Weierstrass function of exponent 0.4: rough, as landscapes of long horizons are
    for octave in range(int(np.log2(max(shape)))):
        direction = rng.standard_normal(len(shape))
        wave = sum(d * x for d, x in zip(direction / np.linalg.norm(direction), mesh, strict=True))
        values += 2.0 ** (-0.4 * octave) * np.cos(2 * np.pi * 2.0**octave * wave + rng.uniform(0, 2 * np.pi))
    # the last four cells are equal at every wall: a slope there is a kink of what is mirrored, which transforms by hand
    # do not correct for
    inner = [np.clip(np.arange(n), min(3, n // 2), max(n - 4, n // 2)) for n in shape]
    return Landscape(values[np.ix_(*inner)], grid, "waves of every octave")


def _transform_pair(values: Array, sigma: float) -> Array:
    """SciPy's cosine transforms by hand: forward, one multiplier, back."""
    coefficients = scipy.fft.dctn(values, type=2)
    for position, n in enumerate(values.shape):
        shape = [1] * values.ndim
        shape[position] = n
        coefficients *= np.exp(-0.5 * (np.pi * np.arange(n) / n * sigma) ** 2).reshape(shape)
    return np.asarray(scipy.fft.idctn(coefficients, type=2, overwrite_x=True))


def _once(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def bench(
    shape: Sequence[int] = (1024, 1024),
    sigma: float = 8.0,
    names: Sequence[str | Solver] | None = None,
    *,
    rounds: int = 5,
    progress: Progress = None,
) -> list[Timing]:
    """Time one solve without checks by every solver, in turns.

    Parameters
    ----------
    shape
        Nodes along each axis; reflecting cells of unit size.
    sigma
        Noise level in units of the spacing.
    names
        Solvers; all of them by default.
    rounds
        How often each is timed; the median counts.
    progress
        A function that is called as ``progress(done, total)``, or True for a progress bar.

    Returns
    -------
    timings
        Fastest first; among them ``copy`` (of the array) and ``scipy transforms`` (a pair, with one multiplier).

    Raises
    ------
    OptionError
        For fewer than one round, or a sigma that is not positive.

    Examples
    --------
    >>> from heatpg.measure.speed import bench
    >>> timings = bench((64, 64), 3.0, ["spectral"], rounds=1)
    >>> sorted(timing.name for timing in timings)
    ['copy', 'scipy transforms', 'spectral']
    """
    tell = progress_of(progress, "timing")
    if rounds < 1 or not sigma > 0 or not np.isfinite(sigma):
        raise OptionError(
            "rounds or sigma is out of range", given=f"{rounds} rounds, sigma={sigma}", allowed="rounds >= 1, sigma > 0"
        )
    landscape = _landscape(shape)
    values = landscape.values
    spare = np.empty_like(values)
    # what it is compared with is also what it is timed against: the same answer, by hand
    exact = _transform_pair(values, sigma)
    runs: dict[str, Callable[[], object]] = {
        "copy": lambda: np.copyto(spare, values),
        "scipy transforms": lambda: _transform_pair(values, sigma),
    }
    errors: dict[str, float | None] = {"copy": None, "scipy transforms": 0.0}
    refused: list[Timing] = []
    chosen = [make(name) for name in (solvers.names() if names is None else names)]
    total = len(chosen) + rounds * (len(chosen) + 2)
    done = 0
    for solver in chosen:
        try:
            field = solve(landscape, sigma, solver).values[0]
        except HeatpgError as reason:
            refused.append(Timing(solver.name, None, None, None, reason.one_line))
        else:
            errors[solver.name] = float(np.abs(field - exact).max()) / landscape.oscillation
            runs[solver.name] = lambda solver=solver: solve(landscape, sigma, solver)  # type: ignore[misc]
        done += 1
        if tell is not None:
            tell(done, total)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        # in turns, so that a machine that slows down does so for all
        for name, run in runs.items():
            first = _once(run)  # warms up: memory that was idle is slow to touch
            calls = max(1, int(_BATCH / max(first, 1e-9)))
            times[name].append(statistics.median(_once(run) for _ in range(min(calls, 50))))
            done += 1
            if tell is not None:
                tell(min(done, total), total)
    medians = {name: statistics.median(each) for name, each in times.items()}
    pair = medians["scipy transforms"]
    timings = [Timing(name, seconds, seconds / pair, errors[name]) for name, seconds in medians.items()]
    if tell is not None:
        tell(total, total)
    return sorted(timings, key=lambda timing: timing.seconds or 0.0) + refused


def table(timings: Sequence[Timing]) -> list[str]:
    """The timings as lines of text.

    Examples
    --------
    >>> from heatpg.measure.speed import Timing, table
    >>> print("\\n".join(table([Timing("spectral", 0.01, 0.5, 1e-16)])))
    solver    time       of scipy's pair  error / osc(Q)
    spectral  10.000 ms            0.50x           1e-16
    """
    width = max([len("solver"), *(len(timing.name) for timing in timings)])
    lines = [f"{'solver':{width}}  {'time':9}  of scipy's pair  error / osc(Q)"]
    for timing in timings:
        if timing.seconds is None or timing.ratio is None:
            lines.append(f"{timing.name:{width}}  {timing.note}")
            continue
        error = "" if timing.error is None else f"{timing.error:.0e}"
        lines.append(
            f"{timing.name:{width}}  {1e3 * timing.seconds:6.3f} ms  {timing.ratio:14.2f}x  {error:>14}".rstrip()
        )
    return lines
