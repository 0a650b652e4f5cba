"""The only time loop: a landscape, the sigmas, a solver; and the fields that come of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.errors import NonFiniteError, SigmaError
from heatpg.grid import Grid
from heatpg.landscape import Landscape
from heatpg.report import Report
from heatpg.resources import require_memory
from heatpg.solvers import Solver, make
from heatpg.solvers.choice import choose

__all__ = ["Evolution", "Sigma", "parse_sigma", "solve"]

Array = NDArray[Any]
Sigma = float | Sequence[float] | ArrayLike | Mapping[str, float | Sequence[float]]


def parse_sigma(sigma: Sigma, grid: Grid) -> NDArray[np.float64]:
    """Noise levels as an array: (T,) where all axes share them, (T, dimensions) where each has its own.

    Parameters
    ----------
    sigma
        A number; a list of numbers; an array of shape (T, dimensions); or a dictionary from axis names to a number
        or a list each. They are put in ascending order.
    grid
        The grid that they are for.

    Raises
    ------
    SigmaError
        For nothing, NaN, infinity, negative values, repeated values, or a shape that fits none of the above.

    Examples
    --------
    >>> from heatpg import Axis, Grid
    >>> from heatpg.evolution import parse_sigma
    >>> grid = Grid(Axis("x", 0, 1, 5, boundary="clip"), Axis("y", 0, 1, 5, boundary="clip"))
    >>> parse_sigma([0.2, 0.1], grid)
    array([0.1, 0.2])
    >>> parse_sigma({"x": [0.1, 0.2], "y": 0.0}, grid)
    array([[0.1, 0. ],
           [0.2, 0. ]])
    """
    allowed = f"numbers >= 0: one, a list, an array of shape (T, {grid.dimensions}), or a dictionary by axis name"
    if isinstance(sigma, Mapping):
        for name in sigma:
            grid.index(name)
        missing = [axis.name for axis in grid if axis.name not in sigma]
        if missing:
            raise SigmaError("every axis needs its sigma", given=dict(sigma), advice=f"missing: {', '.join(missing)}")
        sigma = np.stack(np.broadcast_arrays(*(np.atleast_1d(sigma[axis.name]) for axis in grid)), axis=-1)
    try:
        values = np.asarray(sigma, dtype=np.float64)
    except (TypeError, ValueError):
        raise SigmaError("sigma must be numbers", given=repr(sigma), allowed=allowed) from None
    if values.ndim == 0:
        values = values[None]
    if values.size == 0:
        raise SigmaError("there is no sigma", given=repr(sigma), allowed=allowed)
    if values.ndim > 2 or (values.ndim == 2 and values.shape[1] != grid.dimensions):
        raise SigmaError("sigma has the wrong shape", given=f"shape {values.shape}", allowed=allowed)
    bad = ~np.isfinite(values) | (values < 0)
    if bad.any():
        raise SigmaError("sigma must be finite and not negative", given=values[bad][0], allowed=allowed)
    order = np.argsort(values if values.ndim == 1 else (values**2).sum(axis=1), kind="stable")
    values = values[order]
    if len(np.unique(values, axis=0)) < len(values):
        raise SigmaError("a sigma is given twice", given=values.tolist(), advice="leave one of them out")
    return values


class Evolution:
    """Fields u(., sigma) of one landscape, at every sigma that was asked for.

    Attributes
    ----------
    sigma
        Noise levels in ascending order, shape (T,), or (T, dimensions) where each axis has its own.
    values
        The fields, shape (T, *batch, *grid.shape), of the type of the landscape.
    landscape, grid
        What was evolved, and where.
    solver
        The solver, with its options.
    report
        What was checked, against what, how far off.
    reason
        Why the solver was picked, if it was picked.
    timing
        Seconds by stage.
    """

    def __init__(
        self,
        landscape: Landscape,
        sigma: NDArray[np.float64],
        values: Array,
        solver: Solver,
        *,
        paths: Sequence[tuple[tuple[float, ...], ...]],
        report: Report | None = None,
        reason: str = "",
        timing: Mapping[str, float] | None = None,
    ) -> None:
        self.landscape = landscape
        self.grid = landscape.grid
        self.sigma = sigma
        self.values = values
        self.solver = solver
        self.paths = tuple(paths)
        self.report = report or Report([], "none")
        self.reason = reason
        self.timing = dict(timing or {})

    def __repr__(self) -> str:
        return (
            f"<Evolution of {self.landscape.name!r}: {len(self.sigma)} sigmas from {self.sigma.min():g} to "
            f"{self.sigma.max():g}, {self.grid.shape} nodes, solver {self.solver!r}, {self.report!r}>"
        )

    def __len__(self) -> int:
        return len(self.sigma)

    @property
    def sigmas(self) -> NDArray[np.float64]:
        """One sigma per axis, shape (T, dimensions)."""
        columns = self.sigma[:, None] if self.sigma.ndim == 1 else self.sigma
        return np.broadcast_to(columns, (len(self.sigma), self.grid.dimensions))

    @property
    def variances(self) -> NDArray[np.float64]:
        """t = sigma^2 per axis, shape (T, dimensions)."""
        return self.sigmas**2

    def gradient(self, index: int | None = None) -> Array:
        """Gradient of u, which is the policy gradient in mu, with the accuracy of the solver.

        Parameters
        ----------
        index
            Which sigma; None for all of them.

        Returns
        -------
        gradient
            Shape (dimensions, *batch, *grid.shape); for None (T, dimensions, *batch, *grid.shape).

        Examples
        --------
        >>> import numpy as np
        >>> from heatpg import Axis, Grid, Landscape, evolve
        >>> grid = Grid(Axis("x", 0.0, 2 * np.pi, 32, boundary="periodic"))
        >>> flow = evolve(Landscape.from_function(np.sin, grid), [0.5, 1.0], solver="spectral")
        >>> expected = np.exp(-0.5) * np.cos(grid[0].coordinates)
        >>> bool(np.allclose(flow.gradient(1)[0], expected, rtol=0, atol=1e-14))
        True
        """
        if index is None:
            return np.stack([self.gradient(i) for i in range(len(self))])
        variances = tuple(float(t) for t in self.variances[index])
        initial, field = self.landscape.values, self.values[index]
        result = np.empty((self.grid.dimensions, *field.shape), field.dtype)
        for position in range(self.grid.dimensions):
            self.solver.gradient(initial, field, self.grid, variances, position, result[position])
        return result

    def at(self, sigma: float | Sequence[float]) -> Array:
        """The field at one more sigma, solved from Q by the same solver; shape of the landscape's values."""
        levels = parse_sigma(np.asarray(self.grid.sigmas(sigma))[None, :], self.grid)
        return np.asarray(solve(self.landscape, levels, self.solver).values[0])

    def save(self, path: str | os.PathLike[str], *, force: bool = False, compression: str = "none") -> None:
        """Write everything into one HDF5 file; see `heatpg.store.save`."""
        from heatpg.store import save

        save(self, path, force=force, compression=compression)


def solve(
    landscape: Landscape,
    sigma: Sigma,
    solver: str | Solver = "auto",
    *,
    progress: Callable[[int, int], object] | None = None,
) -> Evolution:
    """Evolve a landscape without checking the result; `heatpg.evolve` is this and the checks.

    Parameters
    ----------
    landscape
        What to evolve.
    sigma
        Noise levels; see `parse_sigma`.
    solver
        Name or object.
    progress
        Called as ``progress(done, total)`` after each sigma.
    """
    grid = landscape.grid
    levels = parse_sigma(sigma, grid)
    columns = np.broadcast_to(levels[:, None] if levels.ndim == 1 else levels, (len(levels), grid.dimensions))
    variances = [tuple(float(value) ** 2 for value in row) for row in columns]
    reason = ""
    if isinstance(solver, str) and solver == "auto":
        solver, reason = choose(grid, variances)
    chosen = make(solver)
    initial = landscape.values
    for row in variances:
        for axis, variance in zip(grid, row, strict=True):
            if variance > 0:
                chosen.check(axis, 0.0, variance)
    require_memory(
        initial.nbytes * (len(levels) + 3),
        f"an evolution of {initial.size:,} points at {len(levels)} sigmas",
        f"three ways out: fewer sigmas at a time (each needs {initial.nbytes / 2**20:.0f} MiB), "
        "a coarser grid, or float32 values (half of it)",
    )
    begin = time.perf_counter()
    values = np.empty((len(levels), *initial.shape), initial.dtype)
    flow = chosen.start(initial, grid)
    paths = []
    for k, row in enumerate(variances):
        flow.advance(row, values[k])
        paths.append(flow.paths)
        if not np.isfinite(values[k]).all():
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(values[k]))[0])
            raise NonFiniteError(
                f"the solution at sigma={levels[k]} is not finite at index {place}",
                given=f"solver {chosen!r}, |Q| up to {float(np.abs(initial).max()):g}",
                advice="scale Q down, or use another solver",
            )
        if progress is not None:
            progress(k + 1, len(levels))
    timing = {"solve": time.perf_counter() - begin}
    return Evolution(landscape, levels, values, chosen, paths=paths, reason=reason, timing=timing)
