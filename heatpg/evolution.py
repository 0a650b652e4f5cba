"""The solution of the heat equation for a landscape: solving it at the noise levels, and the resulting fields."""

# One file, because an evolution is solved once more by methods of its own (`at`, `again`, `centred`): apart, the class
# and `solve` would import each other.

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.centring import Centring
from heatpg.core.crossings import Crossings
from heatpg.core.extrema import peak
from heatpg.core.faces import require_extrapolated
from heatpg.core.grid import axes_html, first_of_batch
from heatpg.core.landscape import Landscape
from heatpg.core.noise import Sigma, parse_covariance, parse_sigma, sigma_words
from heatpg.core.ownership import HandedOver, handed_over
from heatpg.core.report import checks_html
from heatpg.core.slices import refuse_drawn
from heatpg.core.thumbnails import landscape_words, pictures
from heatpg.errors import NonFiniteError, OptionError, SigmaError, UnsupportedError
from heatpg.solvers import Solver, wide
from heatpg.solvers.choice import choose_for_covariance, refuse_options_of_auto, schedule
from heatpg.solvers.covariance import CovarianceFlow, require_boundaries
from heatpg.solvers.gradients import gradients
from heatpg.solvers.stated import StatedFlow
from heatpg.solvers.uncertainty import error_of_mean, error_of_nodes, evolved_deviations
from heatpg.store.dataset import as_dataset
from heatpg.store.reading import read
from heatpg.store.record import TOLERANCE, Record
from heatpg.store.writing import save
from heatpg.tools import html
from heatpg.tools.arguments import whole_number
from heatpg.tools.calls import checked_call, require_kind
from heatpg.tools.figures import figures
from heatpg.tools.finite import all_finite
from heatpg.tools.progress import Progress, progress_of
from heatpg.tools.resources import require_memory, within_memory

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

    from heatpg.plot import Width

__all__ = ["Evolution", "load", "save", "solve"]

Array = NDArray[Any]

_MORE_ROOM = "use fewer sigmas at a time, a coarser grid, or float32 values"
_ENDS = 4  # rows shown at either end of a long table of noise levels


class Evolution(Record):
    """Fields u(., sigma) of one landscape at all requested noise levels.

    Attributes
    ----------
    sigma
        Noise levels in ascending order, shape (T,), or (T, dimensions) if each axis has its own or noise is correlated.
    covariance
        Covariances of correlated noise, shape (T, dimensions, dimensions); otherwise None.
    values
        The fields, shape (T, *batch, *grid.shape), of the type of the landscape.
    landscape, grid
        The landscape and its grid.
    solver
        The solver, with its options.
    report
        The checks, with measured values and bounds.
    reason
        Why the solver was chosen, if it was chosen automatically.
    timing
        Seconds by stage.
    stored_tolerance
        Largest error of values read from compact storage, in units of osc(Q); otherwise 0.
    drawn
        For noise in all components (`heatpg.planes`) how it was sampled; otherwise None.
    draw_groups
        For such noise u of groups of draws minus u, shape (groups, T, *grid.shape), if known; otherwise None.
    """

    # the last answer of `centred`
    _centred: Evolution | None = None

    @classmethod
    def of(cls, record: Record, **changes: Any) -> Evolution:
        """Create an evolution from a record, with some arguments replaced; nothing is copied."""
        names = (
            "landscape",
            "sigma",
            "values",
            "solver",
            "paths",
            "covariance",
            "report",
            "reason",
            "timing",
            "stored_tolerance",
            "rounding",
            "drawn",
            "shared",
        )
        # an error of other fields is not that of these
        same = not changes.keys() & {"landscape", "sigma", "values", "covariance"}
        sampled = {"known_error": record.known_error, "draw_groups": record.draw_groups}
        known: dict[str, Any] = sampled if same else {}
        known |= {"as_solved": record.as_solved} if same and "solver" not in changes else {}
        return cls(**{name: getattr(record, name) for name in names} | known | changes)

    def __repr__(self) -> str:
        count = len(self.sigma)
        noun = f"sigma{'s' if count > 1 else ''}" if self.covariance is None else "covariances, sigma"
        reach = f"from {sigma_words(self.sigma[0])} to {sigma_words(self.sigma[-1])}" if count > 1 else ""
        return (
            f"<Evolution of {self.landscape.name!r}: {count} {noun} {reach or sigma_words(self.sigma[0])}, "
            f"{self.grid.shape} nodes, solver {self.solver!r}, {self.report!r}>"
        )

    @checked_call()
    def entry(self, number: int = 0) -> Evolution:
        """The evolution of one landscape of a batch; this one where there is no batch.

        Parameters
        ----------
        number
            Index in the flattened batch.

        Raises
        ------
        OptionError
            For an index out of range.

        Examples
        --------
        >>> import numpy as np
        >>> from heatpg import Axis, Grid, Landscape, evolve
        >>> grid = Grid(Axis("x", 0.0, 1.0, 9, boundary="reflect"))
        >>> both = evolve(Landscape(np.arange(18.0).reshape(2, 9), grid), [0.2, 0.4])
        >>> both.entry(1).values.shape, float(both.entry(1).landscape.values[0])
        ((2, 9), 9.0)
        """
        landscape, grid, shape = self.landscape, self.grid, self.landscape.batch_shape
        count = math.prod(shape)
        if not 0 <= number < count:
            raise OptionError("batch index is out of range", given=f"batch index {number}", allowed=f"0 to {count - 1}")
        if not shape:
            return self

        def one(values: Array | None) -> Any:
            if values is None:
                return None
            # of fields and returns sigmas and seeds come before the batch
            lead = values.shape[: values.ndim - landscape.values.ndim]
            return values.reshape(-1, count, *grid.shape)[:, number].reshape(*lead, *grid.shape)

        faces = landscape.stated_faces
        returns = one(landscape.returns)
        alone = Landscape(
            HandedOver(one(landscape.values)),
            grid,
            landscape.name,
            landscape.provenance,
            standard_error=handed_over(one(landscape.standard_error)) if returns is None else None,
            returns=handed_over(returns),
            minimise=landscape.minimise,
            faces=None if faces is None else faces.entry(number),
        )
        return Evolution.of(self, landscape=alone, values=one(self.values), known_error=one(self.known_error))

    @checked_call()
    def plot(self, kind: str = "summary", *, width: Width = None) -> Figure:
        """Draw a figure of this evolution, to show in a notebook or write with `heatpg.plot.save`.

        Parameters
        ----------
        kind
            Kind of figure; see ``heatpg list figures``.
        width
            ``column``, ``text`` or inches, for print; by default a figure for the screen.

        Examples
        --------
        >>> from heatpg import evolve, landscapes
        >>> evolve(landscapes.ridge(size=21), 0.3).plot().get_suptitle().splitlines()[0]
        'ridge: Q and its expected value u under Gaussian exploration noise σ'
        """
        return figures.get(kind)(self, width=width)

    def _repr_html_(self) -> str:
        grid, landscape, count = self.grid, self.landscape, len(self)
        # Q, and the fields at the least and the largest sigma
        shown = [(first_of_batch(landscape.values, grid), "Q")]
        for k in sorted({0, count - 1}):
            shown.append((first_of_batch(self.values[k], grid), f"sigma = {self._sigma_html(k)}"))
        reason = f" (chosen: {self.reason})" if self.reason else ""
        kind = "covariances" if self.covariance is not None else "sigma" if count == 1 else "sigmas"
        return html.page(
            html.heading("Evolution", landscape.name, f"{count:,} {kind}; {landscape_words(landscape.values, grid)}"),
            pictures(grid, shown, landscape.sense),
            self._peaks_html(),
            f"<div>solver: {html.text(repr(self.solver) + reason, 400)}</div>",
            checks_html(self.report) or "no checks were made",
            html.folded("axes", axes_html(grid)),
        )

    def _sigma_html(self, index: int) -> str:
        words = sigma_words(self.sigma[index]).replace("-", "\N{MINUS SIGN}")
        return f"{words} {html.brief(self.grid.unit or '')}".rstrip()

    def _peaks_html(self) -> str:
        """The best value at each sigma and where it is; the first and the last of many."""
        grid, count, sense = self.grid, len(self), self.landscape.sense
        initial = first_of_batch(self.landscape.values, grid)

        def row(label: str, field: Array) -> tuple[str, ...]:
            best = peak(field, grid, sense)
            where = html.text(html.place(best.coordinates)) + (" on the edge" if best.edges else "")
            return label, html.number(best.value), where, html.number(initial[best.index])

        chosen = list(range(count))
        if count > 2 * _ENDS + 1:
            chosen = [*chosen[:_ENDS], *chosen[-_ENDS:]]
        rows = [row("Q, without noise", initial)]
        for position, k in enumerate(chosen):
            if position and k - chosen[position - 1] > 1:
                rows.append((f"… {k - chosen[position - 1] - 1:,} more …", "", "", ""))
            rows.append(row(html.text(self._sigma_html(k)), first_of_batch(self.values[k], grid)))
        return html.table(("sigma", f"{sense.largest} u", "where", "Q there"), rows)

    @checked_call()
    def gradient(self, index: int | None = None) -> Array:
        """Gradient of u, which is the policy gradient in mu, with the accuracy of the solver.

        Parameters
        ----------
        index
            Index of the noise level; None for all.

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
        index = whole_number("the index of the noise level", index, least=-len(self), most=len(self) - 1)
        # digits that the stored fields lost to the offset cannot be had from their differences
        centred = self.centred()
        with within_memory(f"a gradient of {centred.values[index].size:,} points", _MORE_ROOM):
            return gradients(
                self.solver if self.drawn is None else None,  # no weights of a solver make drawn fields from Q
                centred.landscape.values,
                centred.values[index],
                self.grid,
                self.sigmas[index],
                None if self.covariance is None else self.covariance[index],
                self.landscape.centring,
                self.values.dtype,
                centred.landscape.stated_faces,
            )

    @property
    def standard_error(self) -> Array | None:
        """Standard error of u from sampling, shape (T, *batch, *grid.shape); None if that of Q is unknown.

        If the landscape has the returns of every seed, each seed is evolved with the same solver (S times the cost),
        and the error is their standard deviation over sqrt(S). If it has only standard errors, the nodes are assumed
        independent, and the squared weights of the solver are summed. Computed on first use and cached. For noise in
        all components (`heatpg.planes`) it is the error over the draws and the seeds; see `draws_error`.

        Raises
        ------
        UnsupportedError
            For correlated noise if only standard errors are known.
        ResourceError
            If it does not fit in memory.

        Examples
        --------
        Four seeds that differ by constants, which smoothing does not average out:

        >>> import numpy as np
        >>> from heatpg import Axis, Grid, Landscape, evolve
        >>> grid = Grid(Axis("x", -1.0, 1.0, 21, boundary="clip"))
        >>> seeds = np.array([-3.0, -1.0, 1.0, 3.0])[:, None] + np.cos(grid[0].coordinates)
        >>> flow = evolve(Landscape(None, grid, returns=seeds), [0.2, 0.4])
        >>> flow.standard_error.shape, bool(np.allclose(flow.standard_error, np.sqrt(20 / 3) / 2, rtol=1e-12))
        ((2, 21), True)
        """
        landscape = self.landscape
        if self.known_error is None and landscape.standard_error is not None and self.drawn is None:
            if landscape.returns is None:
                how = (landscape.standard_error, self.grid, self.solver, self.variances, self.covariance)
                error = error_of_nodes(*how)
            else:
                require_memory(self.values.nbytes, f"the standard error of {self.values.size:,} values", _MORE_ROOM)
                error = np.stack([error_of_mean(level) for level in self.deviations()])
            self.known_error = error
        return self.known_error

    @property
    def draws_error(self) -> Array | None:
        """Standard error of u over the draws alone, shape (T, *grid.shape); None if nothing was drawn, or unknown.

        With several seeds per point `standard_error` includes their scatter, which more draws do not reduce. This is
        the part that they do reduce, from the scatter of `draw_groups`: known to about 18 % with sixteen groups.
        Without sampling errors of Q both are the same.

        Examples
        --------
        >>> from heatpg import Axis, Grid, Landscape
        >>> from heatpg.planes import Draws, evolve_plane
        >>> line = Grid(Axis("x", -1.0, 1.0, 21, boundary="clip"))
        >>> q = Landscape.from_function(lambda x, y: x + y**2, line, dimensions=2)
        >>> flow = evolve_plane(q, [0.2, 0.4], Draws(count=64))
        >>> bool((flow.draws_error == flow.standard_error).all())
        True
        """
        error = self.landscape.standard_error
        if self.drawn is None or error is None or not error.any():
            return None if self.drawn is None else self.known_error
        if self.draw_groups is None:
            return None
        variance = self.draw_groups.var(axis=0, ddof=1) / len(self.draw_groups)
        groups = len(self.draw_groups)
        unseen = Crossings.unseen(self.drawn, groups, variance, self.grid, self.sigma, self.values)
        return np.asarray(np.sqrt(variance if unseen is None else variance + unseen))

    def deviations(self) -> Iterator[Array]:
        """u of each seed minus u, one noise level at a time, each of shape (S, *batch, *grid.shape).

        The flow is linear, so u of any weighted mean of the seeds is u plus the same mean of these deviations.

        Raises
        ------
        UnsupportedError
            If the landscape does not have the returns of every seed.
        ResourceError
            If the fields of all seeds at one sigma do not fit in memory.

        Examples
        --------
        >>> import numpy as np
        >>> from heatpg import Axis, Grid, Landscape, evolve
        >>> grid = Grid(Axis("x", -1.0, 1.0, 21, boundary="clip"))
        >>> seeds = np.array([-1.0, 1.0])[:, None] * np.ones(21)
        >>> flow = evolve(Landscape(None, grid, returns=seeds), [0.2, 0.4], checks="none")
        >>> [level[:, 10].round(12).tolist() for level in flow.deviations()]
        [[-1.0, 1.0], [-1.0, 1.0]]
        """
        self.require_solved("fields of single seeds")
        returns = self.landscape.returns
        if returns is None:
            raise UnsupportedError(
                f"{self.landscape.name!r} has no returns of single seeds",
                advice="pass them as Landscape(None, grid, returns=...), seeds along the first axis",
            )
        return evolved_deviations(returns, self.grid, self.solver, self.variances, self.covariance)

    def centred(self) -> Evolution:
        """The same problem without the offset and the scale of Q, to avoid losing digits.

        If the offset is large compared with the range of Q, or values are near the limits of their type, the fields are
        solved again from Q minus the offset, with the same solver in double precision, and cached. Otherwise it is this
        evolution itself.

        Returns
        -------
        evolution
            Without a report. Q is ``centring(Q, grid)`` of `heatpg.core.centring` less what that takes out.

        Examples
        --------
        >>> import numpy as np
        >>> from heatpg import Axis, Grid, Landscape, evolve
        >>> grid = Grid(Axis("x", 0.0, 2 * np.pi, 32, boundary="periodic"))
        >>> flow = evolve(Landscape.from_function(lambda x: 1e9 + np.cos(x), grid), 0.5)
        >>> field = flow.centred().values[0]
        >>> bool(np.allclose(field, np.exp(-0.125) * np.cos(grid[0].coordinates), rtol=0, atol=2e-7))
        True
        """
        taken = self.landscape.centring
        if taken.trivial:
            return self
        if self._centred is None:
            landscape = self.landscape.less(taken)
            noise = self.sigma if self.covariance is None else None
            faces = landscape.stated_faces
            # in double precision, because a single number may hold the offset and little else
            double = Landscape(
                HandedOver(landscape.values.astype(np.float64, copy=False)),
                self.grid,
                landscape.name,
                landscape.provenance,
                standard_error=handed_over(landscape.standard_error),
                minimise=landscape.minimise,
                faces=None if faces is None else faces.in_double(),
            )
            if self.drawn is not None:
                fields = np.stack([taken.remove(field.astype(np.float64)) for field in self.values])
                self._centred = Evolution.of(self, landscape=double, values=fields)
                return self._centred
            self._centred = solve(double, noise, self.solver, covariance=self.covariance)
            self._centred.reason = self.reason
        return self._centred

    def without_offset(self) -> Evolution:
        """These very values less the offset of Q, for checks: `value_error` says what putting it back has cost."""
        initial = self.landscape.values
        taken = self.landscape.centring
        if taken.trivial:
            return self
        landscape = self.landscape.less(taken)
        rounding = taken.rounding(initial)
        if self.stored_tolerance:
            # a constant was stored to the digits of its offset, of which nothing is left to tell them by
            varies = landscape.values.reshape(-1, self.grid.size).any(axis=1)
            digits = np.ldexp(self.storage_errors(), -taken.exponent.reshape(-1))
            rounding += float(np.where(varies, 0.0, digits).max())
        return Evolution.of(
            self,
            landscape=landscape,
            values=np.stack([taken.remove(field) for field in self.values]),
            rounding=rounding,
        )

    @checked_call()
    def at(self, sigma: float | Sequence[float]) -> Array:
        """The field at another sigma, solved from Q with the same solver; same shape as the landscape's values.

        Axes are treated as independent, also for an evolution with correlated noise.
        """
        self.require_solved("a field at another sigma")
        # one row of one sigma an axis, and not several sigmas
        levels = parse_sigma(np.asarray(self.grid.sigmas(sigma))[None, :], self.grid)
        return np.asarray(solve(self.landscape, levels, self.solver).values[0])

    @checked_call()
    def again(self, sigma: Sigma | None = None, *, progress: Progress = None) -> Evolution:
        """Solve once more from Q with the same solver, for the same noise or for other levels, without checks.

        Raises
        ------
        SigmaError
            For levels that `heatpg.core.noise.parse_sigma` refuses.
        UnsupportedError
            For drawn fields, and for other levels of correlated noise.
        """
        self.require_solved("solving once more" if sigma is None else "other levels")
        if self.covariance is None:
            return solve(self.landscape, self.sigma if sigma is None else sigma, self.solver, progress=progress)
        if sigma is not None:
            raise UnsupportedError(
                "other levels of correlated noise cannot be recomputed from sigma",
                given=f"sigma = {sigma}",
                advice="evolve to them first: evolve(landscape, covariance=...)",
            )
        return solve(self.landscape, None, self.solver, covariance=self.covariance, progress=progress)

    def require_solved(self, what: str) -> None:
        """Refuse what needs a solver that makes these fields from Q, where they were drawn; see `heatpg.planes`."""
        refuse_drawn(what, self.drawn, self.grid.dimensions)

    def to_xarray(self) -> xarray.Dataset:
        """The evolution as an `xarray.Dataset`, with the same names as in its file; the fields are not copied.

        Returns
        -------
        data
            Variables ``u`` (sigma or level, batch1, ..., axes) and ``landscape``, both with the attribute ``sense:
            minimise`` if Q is a loss; if available ``standard_error`` of Q, ``returns`` (seed, ...) and, once computed,
            ``u_standard_error``; stated values on walls as ``NAME_lower_face`` and ``NAME_upper_face``; coordinates
            ``sigma``, ``time`` = sigma^2, ``covariance`` if there is one, and the axes with their units and boundaries.
            Attributes: name of the landscape, solver, reason for its choice, and the report as JSON (name, status and
            message of each check).

        Raises
        ------
        MissingPackageError
            If xarray is not installed.
        UnsupportedError
            If the name of an axis is also the name of another variable.

        Examples
        --------
        >>> from heatpg import landscapes
        >>> from heatpg.evolution import solve
        >>> data = solve(landscapes.ridge(size=21), [0.2, 0.4]).to_xarray()
        >>> data.u.sel(sigma=0.4).dims
        ('x1', 'x2')
        """
        return as_dataset(self)

    @checked_call()
    def save(
        self,
        path: str | os.PathLike[str],
        *,
        force: bool = False,
        storage: str = "full",
        tolerance: float = TOLERANCE,
        compression: str = "none",
    ) -> None:
        """Write the evolution to an HDF5 file; see `heatpg.save`."""
        save(self, path, force=force, storage=storage, tolerance=tolerance, compression=compression)


@checked_call()
def load(path: str | os.PathLike[str], *, untrusted: bool = False) -> Evolution:
    """Read an evolution written by `save`, and verify it.

    Links, types, filters and sizes are checked before any data are read; checksums, shapes and values afterwards. For
    untrusted files this reduces, but does not remove, the risk from HDF5 itself: read them with `untrusted`.

    Parameters
    ----------
    path
        Path of the file.
    untrusted
        Whether to read the file in a separate sandboxed process; this takes about 0.1 s longer and holds the file in
        memory twice. See `heatpg.store.quarantine.read_in_quarantine`.

    Raises
    ------
    MissingFileError
        If the file does not exist; a `StoreError` and a `FileNotFoundError`.
    StoreError
        If it is not a heatpg file, has a newer schema, or is corrupted. With `untrusted` also for every other error
        that a file can cause.
    ResourceError
        If its declared contents exceed the available memory.
    UnsupportedError
        With `untrusted` on systems other than Linux.

    Examples
    --------
    >>> import os, tempfile
    >>> from heatpg import landscapes, load, save
    >>> from heatpg.evolution import solve
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(solve(landscapes.ridge(size=21), [0.2, 0.4]), os.path.join(folder, "ridge.h5"))
    ...     len(load(os.path.join(folder, "ridge.h5"), untrusted=True))
    2
    """
    return Evolution.of(read(path, untrusted=untrusted))


def _refuse_output(out: Array | None, landscape: Landscape, count: int) -> None:
    if out is None:
        return
    # refused now, and not by a solver that writes into the wrong memory
    wanted = (count, *landscape.values.shape)
    # a mask and the rules of a matrix are not for kernels
    if type(out) not in (np.ndarray, np.memmap):
        raise OptionError(
            "out must be a plain NumPy array",
            given=type(out).__name__,
            advice="for a masked array pass out=array.data" if isinstance(out, np.ma.MaskedArray) else "",
        )
    if out.shape != wanted or out.dtype != landscape.values.dtype:
        given, allowed = f"{out.dtype}, shape {out.shape}", f"{landscape.values.dtype}, shape {wanted}"
        raise OptionError("out has the wrong type or shape", given=given, allowed=allowed)
    # kernels write in C order, and read Q at every sigma: it must not change under them
    if not (out.flags.c_contiguous and out.flags.writeable) or np.may_share_memory(out, landscape.values):
        raise OptionError(
            "out must be a writable array in C order that shares no memory with Q",
            given=f"strides {out.strides}, writable: {out.flags.writeable}",
        )


def _fields(
    landscape: Landscape,
    taken: Centring,
    levels: NDArray[np.float64],
    solver: Solver,
    advance: Callable[[int, Array], bool | None],
    progress: Callable[[int, int], object] | None,
    out: Array | None,
) -> Array:
    """The field at every level, each looked through for what is not finite as soon as it is there."""
    initial = landscape.values
    values = np.empty((len(levels), *initial.shape), initial.dtype) if out is None else out
    # a marching solver goes on from the field that it has handed out, which must then be without the offset
    centred = None if taken.trivial else np.empty_like(initial)
    for k in range(len(levels)):
        finite = advance(k, values[k] if centred is None else centred)
        if centred is not None:
            taken.restore(centred, values[k])
        # a flow that has looked while its blocks were in cache saves a pass over memory
        if centred is not None or finite is None:
            finite = all_finite(values[k])
        if not finite:
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(values[k]))[0])
            raise NonFiniteError(
                f"the solution at sigma={sigma_words(levels[k])} is not finite at index {place}",
                given=f"solver {solver!r}, |Q| up to {float(np.abs(initial).max()):g}",
                advice="use another solver",
            )
        if progress is not None:
            progress(k + 1, len(levels))
    if out is None:
        values.setflags(write=False)
    return values


def _require_memory_for_fields(landscape: Landscape, taken: Centring, count: int, out: Array | None) -> None:
    initial = landscape.values
    require_memory(
        # the fields, unless they have their memory, and two arrays of the size of Q that solvers work in; without its
        # offset Q and u are held once more
        initial.nbytes * ((0 if out is not None else count) + (2 if taken.trivial else 4)),
        f"an evolution of {initial.size:,} points at {count} sigmas",
        f"use fewer noise levels at a time ({initial.nbytes / 2**20:.0f} MiB each), "
        "a coarser grid, or float32 values (half of it)",
    )


def _solve_covariance(
    landscape: Landscape,
    covariance: ArrayLike,
    solver: str | Solver,
    progress: Callable[[int, int], object] | None,
    out: Array | None,
) -> Evolution:
    grid = landscape.grid
    require_extrapolated(landscape.stated_faces, "correlated noise")
    covariances = parse_covariance(covariance, grid)
    require_boundaries(grid)
    chosen, reason = choose_for_covariance(solver, grid, covariances)
    _refuse_output(out, landscape, len(covariances))
    taken = landscape.centring
    _require_memory_for_fields(landscape, taken, len(covariances), out)
    flow = CovarianceFlow(taken.remove(landscape.values), grid)
    flow.require_memory(covariances, landscape.values.nbytes * len(covariances))
    sigma = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    begin = time.perf_counter()
    with within_memory(f"an evolution of {landscape.values.size:,} points", _MORE_ROOM):
        values = _fields(
            landscape, taken, sigma, chosen, lambda k, out: flow.advance(covariances[k], out), progress, out
        )
    return Evolution(
        landscape,
        sigma,
        values,
        chosen,
        paths=[tuple((0.0, float(t)) for t in row) for row in sigma**2],
        covariance=covariances,
        reason=reason,
        timing={"solve": time.perf_counter() - begin},
        shared=out is not None,
    )


def solve(
    landscape: Landscape,
    sigma: Sigma | None = None,
    solver: str | Solver = "auto",
    *,
    covariance: ArrayLike | None = None,
    tolerance: float | None = None,
    prefer: str = "accurate",
    progress: Progress = None,
    out: Array | None = None,
) -> Evolution:
    """Evolve a landscape without checks; `heatpg.evolve` does the same and then runs the checks.

    Parameters
    ----------
    landscape
        The landscape.
    sigma
        Noise levels; see `parse_sigma`.
    solver
        Name or object.
    covariance
        Covariances of correlated noise, instead of sigma; see `parse_covariance`.
    tolerance, prefer
        Criteria for ``auto``; see `heatpg.solvers.choice.choose`.
    progress
        A function that is called as ``progress(done, total)`` after each noise level, or True for a progress bar.
    out
        Array for the fields: shape (T, *batch, *grid.shape), same type as the landscape, in C order. Reused memory is
        several times faster than new memory. Earlier evolutions that use it are overwritten.
    """
    require_kind("evolve", landscape, ("Landscape",))
    tell = progress_of(progress, "solving")
    # before sigma is looked at: of two mistakes the plainer one first
    refuse_options_of_auto(solver, tolerance, prefer, correlated=covariance is not None)
    if (sigma is None) == (covariance is None):
        raise SigmaError(
            "give either sigma or covariance, not both" if sigma is not None else "give sigma or covariance",
            given="neither" if sigma is None else None,
        )
    if covariance is not None:
        return _solve_covariance(landscape, covariance, solver, tell, out)
    assert sigma is not None
    grid = landscape.grid
    plan = schedule(grid, sigma, solver, tolerance=tolerance, prefer=prefer)
    levels, chosen = plan.sigma, plan.solver
    _refuse_output(out, landscape, len(levels))
    plan.refuse_endless(landscape.values.size, landscape.values.dtype)
    begin = time.perf_counter()
    taken = landscape.centring
    _require_memory_for_fields(landscape, taken, len(levels), out)
    # a flow keeps what serves all sigmas, and remembers where a march has got to
    initial, faces = taken.remove(landscape.values), landscape.stated_faces
    if faces is None:
        flow = wide.begin(chosen, initial, grid)
    else:
        flow = StatedFlow(chosen, initial, grid, faces.mapped(taken.remove))
    paths = []

    def advance(k: int, field: Array) -> bool | None:
        flow.advance(plan.variances[k], field)
        # how each level was reached: bounds on its rounding follow from it
        paths.append(flow.paths)
        return flow.finite

    with within_memory(f"an evolution of {landscape.values.size:,} points", _MORE_ROOM):
        values = _fields(landscape, taken, levels, chosen, advance, tell, out)
    return Evolution(
        landscape,
        levels,
        values,
        chosen,
        paths=paths,
        reason=plan.reason,
        timing={"solve": time.perf_counter() - begin},
        as_solved=out is None and taken.trivial,  # a caller may write to `out`; an offset put back is rounded
        shared=out is not None,
    )
